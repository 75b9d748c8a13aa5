/* Hash map: open addressing with linear probing, at most three quarters full; removal shifts the run back, so there are
 * no tombstones. The hash folds 16 bytes at a time through a 64 x 64 -> 128 bit product. */
#include "base/map.h"
#include "base/arena.h"
#include "base/rand.h"
#include <stdlib.h>

static uint64_t fold(uint64_t x, uint64_t y)
{
	unsigned __int128 r = (unsigned __int128)x * y;
	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

static uint64_t hash(struct str s, uint64_t seed)
{
	/* odd, with as many ones as zeros */
	const uint64_t k0 = 0xa0761d6478bd642full, k1 = 0xe7037ed1a0b428dbull, k2 = 0x8ebc6af09c88c6e3ull;
	uint64_t h = seed ^ k0;
	const char *p = s.p;
	size_t n = s.n;
	for (; n > 16; p += 16, n -= 16) h = fold(load(p, 8) ^ k1, load(p + 8, 8) ^ h);
	uint64_t x = 0, y = 0;
	if (n > 8) {
		x = load(p, 8);
		y = load(p + 8, n - 8);
	} else if (n > 0) {
		x = load(p, n);
	}
	return fold(k2 ^ s.n, fold(x ^ k1, y ^ h));
}

uint64_t str_hash(struct str s)
{
	return hash(s, 0);
}

void map_init(struct map *m)
{
	*m = (struct map){.seed = rand_u64()};
}

static void free_key(struct map_entry *e)
{
	union {
		const char *shared;
		void *own;
	} key = {.shared = e->key.p};
	free(key.own);
}

void map_cleanup(struct map *m, void (*free_value)(void *))
{
	for (struct map_entry *e = NULL; (e = map_next(m, e));) {
		free_key(e);
		if (free_value) free_value(e->value);
	}
	free(m->slots);
	*m = (struct map){.seed = m->seed};
}

/* The key's entry, or the free slot where it belongs. Needs slots. */
static struct map_entry *find(const struct map *m, struct str key, uint64_t h)
{
	for (size_t i = (size_t)h & m->mask;; i = (i + 1) & m->mask) {
		struct map_entry *e = &m->slots[i];
		if (!e->value || (e->hash == h && str_eq(e->key, key))) return e;
	}
}

void *map_get(const struct map *m, struct str key)
{
	return m->count ? find(m, key, hash(key, m->seed))->value : NULL;
}

static void grow(struct map *m)
{
	struct map grown = {.mask = m->slots ? m->mask * 2 + 1 : 7, .count = m->count, .seed = m->seed};
	grown.slots = mem_new((grown.mask + 1) * sizeof *grown.slots);
	for (struct map_entry *e = NULL; (e = map_next(m, e));) *find(&grown, e->key, e->hash) = *e;
	free(m->slots);
	*m = grown;
}

void *map_set(struct map *m, struct str key, void *value)
{
	INVARIANT(value != NULL);
	if (!m->slots || (m->count + 1) * 4 > (m->mask + 1) * 3) grow(m);
	uint64_t h = hash(key, m->seed);
	struct map_entry *e = find(m, key, h);
	void *before = e->value;
	if (!before) {
		char *copy = mem_new(key.n);
		if (key.n) memcpy(copy, key.p, key.n);
		e->key = str_n(copy, key.n);
		e->hash = h;
		m->count++;
	}
	e->value = value;
	return before;
}

void *map_remove(struct map *m, struct str key)
{
	if (!m->count) return NULL;
	struct map_entry *e = find(m, key, hash(key, m->seed));
	void *before = e->value;
	if (!before) return NULL;
	free_key(e);
	m->count--;
	size_t hole = (size_t)(e - m->slots);
	for (size_t i = (hole + 1) & m->mask; m->slots[i].value; i = (i + 1) & m->mask) {
		size_t home = (size_t)m->slots[i].hash & m->mask;
		/* An entry may move back to the hole unless its home lies behind the hole. */
		if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct map_entry){0};
	return before;
}

struct map_entry *map_next(const struct map *m, struct map_entry *e)
{
	if (!m->slots) return NULL;
	for (e = e ? e + 1 : m->slots; e <= m->slots + m->mask; e++)
		if (e->value) return e;
	return NULL;
}
