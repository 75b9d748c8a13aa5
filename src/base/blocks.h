/* Large blocks of memory that are kept for the next who needs one. malloc maps what is larger than 128 KiB by itself
 * (cli/trim.h), so that it goes back to the kernel at once; a busy server then has the kernel zero and map the same
 * memory again for each request, which cost a fifth of what a batch of log events cost. Up to 16 MiB lie here; those
 * that nobody wanted between two calls of blocks_rest go back. From any thread. */
#pragma once
#include <stddef.h>

enum { BLOCKS_FROM = 128 << 10, BLOCKS_TO = 4 << 20 };

/* At least n bytes, not zeroed; *size: how many. Out of memory aborts. Free it with blocks_put, or free(). */
void *blocks_get(size_t n, size_t *size);
/* size: what blocks_get told. */
void blocks_put(void *p, size_t size);
/* To be called every few seconds: gives back what has lain here since the last call. */
void blocks_rest(void);
