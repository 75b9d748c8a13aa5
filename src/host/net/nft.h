/* nftables of one namespace, by libnftables: loaded when it is first needed, since virga itself has no use for it. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct nft;
/* netns stays the caller's. IO where the library or the kernel refuses. */
status nft_open(int netns, struct nft **out) MUST_USE;
void nft_close(struct nft *n); /* NULL is fine */
/* One transaction: all of the commands or none. NUL-terminated text. IO; what nft says is logged. */
status nft_run(struct nft *n, const char *commands) MUST_USE;
/* What a command of listing says, in the arena; NOT_FOUND where nft has nothing to list. */
status nft_ask(struct nft *n, struct arena *a, const char *command, struct str *out) MUST_USE;
/* Grows with every transaction in this namespace, whoever makes it. 0: unknown. */
uint32_t nft_generation(struct nft *n);
