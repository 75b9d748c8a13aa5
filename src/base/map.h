/* A hash map from str to a pointer, on the heap. Keys are copied. Not thread-safe. */
#pragma once
#include "base/str.h"

struct map_entry {
	struct str key;
	void *value;
	uint64_t hash;
};
struct map {
	struct map_entry *slots;
	size_t count, mask; /* mask + 1 slots, or none */
	uint64_t seed;      /* random, so that nobody can choose keys that collide */
};

void map_init(struct map *m);
/* Frees the keys; free_value may be NULL. */
void map_cleanup(struct map *m, void (*free_value)(void *));
/* NULL where absent. */
void *map_get(const struct map *m, struct str key);
/* Returns the value that it replaced, or NULL. value must not be NULL. */
void *map_set(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key);
/* In no order; do not change the map meanwhile. Iterate: for (struct map_entry *e = NULL; (e = map_next(m, e));) */
struct map_entry *map_next(const struct map *m, struct map_entry *e);
/* The same in every process: fit for sharding, not for keys that an adversary chooses. */
uint64_t str_hash(struct str s);
