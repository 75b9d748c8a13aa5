/* The string pool of generated tables: each string once, found by its offset (see wire_tables.pool). */
#pragma once
#include "base/buf.h"
#include "base/map.h"

struct pool {
	struct buf bytes;
	struct map offsets;
};

/* Holds the empty string at offset 0. */
void pool_init(struct pool *p);
void pool_cleanup(struct pool *p);
/* The string's offset, 0 for an absent or empty one. Strings are at most 65,535 bytes: a longer one is cut by nobody,
 * it is an invariant that the reader's callers keep (pool_fits). */
uint32_t pool_add(struct pool *p, struct str s);
static inline bool pool_fits(struct str s) { return s.n <= 0xffff; }
/* Writes the pool as `static const char pool[] = …`. */
void pool_emit(const struct pool *p, struct buf *out);
/* Writes s as a C string literal, with its quotes; every byte that is not plain ASCII as an octal escape. */
void literal_emit(struct buf *out, struct str s);
