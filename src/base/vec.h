/* Typed growing arrays in an arena: struct { T *v; size_t n; } with a separate capacity, so that what is built can be
 * handed out as a generated list type.
 *     size_t cap = 0; struct s3_tag *t = VEC_PUSH(arena, &out->tag_set, &cap);   // *t is zeroed */
#pragma once
#include "base/arena.h"

void *vec_push(struct arena *a, void **v, size_t *n, size_t *capacity, size_t size);
#define VEC_PUSH(a, list, capacity)                                                                                    \
	((__typeof__((list)->v))vec_push((a), (void **)&(list)->v, &(list)->n, (capacity), sizeof(*(list)->v)))
/* An empty list that is present (v != NULL), for outputs where AWS writes []. */
#define VEC_PRESENT(a, list) ((list)->v = (list)->v ? (list)->v : arena_alloc((a), 0))
