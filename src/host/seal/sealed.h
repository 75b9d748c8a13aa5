/* Sealed files: what an encrypted volume is on disk. Sectors of 512 bytes under AES-256-XTS (IEEE Std 1619-2018, what
 * disks and "How Amazon EBS encryption works", the EBS guide, use), the tweak being the sector's number; a sector of
 * zeros, which no ciphertext is, reads as zeros. So a sealed file is as large as what it holds, a sparse file stays
 * sparse, and no write touches a sector that it does not name. What shows is which sectors were ever written.
 *
 * The key of a file is derived from its data key and its name, so that two volumes which share a data key (a snapshot's
 * and those made of it) have nothing in common on disk. Needs no privileges and no agent.
 *
 * Thread rule: a struct sealed serves one thread at a time. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum { SEALED_SECTOR = 512, SEALED_KEY = 64 };

/* The file's key: SEALED_KEY bytes in the arena, to be wiped. data_key: 16 bytes or more. name: "vol-…". */
struct str sealed_key(struct arena *a, struct str data_key, struct str name);

struct sealed;
/* key: as of sealed_key, copied. Never NULL. */
struct sealed *sealed_new(struct str key);
/* Wipes the key. NULL is fine. */
void sealed_free(struct sealed *s);
/* Sectors in place; n is a multiple of SEALED_SECTOR, sector the first one's number. */
void sealed_shut(const struct sealed *s, uint64_t sector, void *p, size_t n);
void sealed_open(const struct sealed *s, uint64_t sector, void *p, size_t n);

/* The plain bytes at any place, within the file; IO. s NULL: a file that is not sealed. */
status sealed_read_at(const struct sealed *s, int fd, uint64_t at, void *p, size_t n) MUST_USE;
status sealed_write_at(const struct sealed *s, int fd, uint64_t at, const void *p, size_t n) MUST_USE;
