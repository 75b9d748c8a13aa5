/* Bump allocation whose end frees all. One arena per call; not shared between threads. Memory is aligned for any type
 * and zeroed. Out of memory aborts, so nothing returns NULL. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena {
	struct arena_block *block; /* newest first */
	char *next, *end;
	size_t total; /* bytes of all blocks */
};
struct arena_mark {
	struct arena_block *block;
	char *next;
};

void arena_init(struct arena *a);
/* Frees everything but keeps one block, of at most 64 KiB, for reuse. */
void arena_reset(struct arena *a);
void arena_cleanup(struct arena *a);

/* n may be 0 (a valid, unique pointer). */
void *arena_alloc(struct arena *a, size_t n);
/* Not zeroed. */
void *arena_alloc_raw(struct arena *a, size_t n);
void *arena_copy(struct arena *a, const void *p, size_t n);
/* count * size, with overflow check. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* Lengthen what was allocated last, in place; what is added is not zeroed. False, and nothing changed, where p is not
 * the last allocation or its block is full. */
bool arena_extend(struct arena *a, void *p, size_t old_size, size_t new_size);
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_n(a, type, count) ((type *)arena_array((a), (count), sizeof(type)))

/* Drop all that was allocated since the mark. */
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark m);

/* Heap allocation that aborts instead of returning NULL. Free with free(). mem_new's is zeroed; what mem_grow adds is
 * not. */
void *mem_new(size_t n);
void *mem_grow(void *p, size_t n);
