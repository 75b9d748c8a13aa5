/* A transaction's own writes, in key order: a skip list whose nodes live in the transaction's arena. */
#include "store/engine.h"

/* The last node before `key` on each level. */
static struct overlay_node *descend(const struct overlay *o, struct str key, struct overlay_node *before[OVERLAY_HEIGHT])
{
	struct overlay_node *n = o->head;
	for (int level = OVERLAY_HEIGHT - 1; level >= 0; level--) {
		while (n->next[level] && str_cmp(n->next[level]->key, key) < 0) n = n->next[level];
		if (before) before[level] = n;
	}
	return n;
}

struct overlay_node *overlay_at_least(const struct overlay *o, struct str key)
{
	return o->head ? descend(o, key, NULL)->next[0] : NULL;
}

struct overlay_node *overlay_below(const struct overlay *o, struct str key)
{
	struct overlay_node *n = o->head ? descend(o, key, NULL) : NULL;
	return n == o->head ? NULL : n;
}

struct overlay_node *overlay_find(const struct overlay *o, struct str key)
{
	struct overlay_node *n = overlay_at_least(o, key);
	return n && str_eq(n->key, key) ? n : NULL;
}

static struct overlay_node *node_new(struct arena *a, unsigned height)
{
	return arena_alloc(a, sizeof(struct overlay_node) + height * sizeof(struct overlay_node *));
}

void overlay_set(struct overlay *o, struct arena *a, struct str key, struct str value, bool deleted)
{
	struct overlay_node *before[OVERLAY_HEIGHT];
	if (!o->head) {
		o->head = node_new(a, OVERLAY_HEIGHT);
		o->random = UINT64_C(0x9e3779b97f4a7c15);
	}
	struct overlay_node *n = descend(o, key, before)->next[0];
	if (!n || !str_eq(n->key, key)) {
		/* xorshift64; one in four goes a level up. An even order of keys does no harm, so it needs no secret. */
		o->random ^= o->random << 13;
		o->random ^= o->random >> 7;
		o->random ^= o->random << 17;
		unsigned height = 1 + (unsigned)__builtin_ctzll(o->random | UINT64_C(1) << 63) / 2;
		if (height > OVERLAY_HEIGHT) height = OVERLAY_HEIGHT;
		n = node_new(a, height);
		n->key = key;
		for (unsigned i = 0; i < height; i++) {
			n->next[i] = before[i]->next[i];
			before[i]->next[i] = n;
		}
		o->count++;
		o->changes++;
	}
	n->value = value;
	n->deleted = deleted;
}
