/* The keyring: an append-only array of keys under a lock, each also a record. */
#include "services/s3/keyring.h"
#include "base/rand.h"
#include "store/key.h"
#include "vault/vault.h"
#include <pthread.h>
#include <stdlib.h>

enum { GENERATIONS_MAX = 1000 };

struct s3_keyring {
	struct store *store;
	const struct vault *vault;
	pthread_mutex_t lock;
	uint32_t n; /* generations 1 to n */
	uint8_t keys[GENERATIONS_MAX][S3_KEY_BYTES];
};

static struct str record_key(struct arena *a, uint64_t generation)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, STR("keyring"));
	if (generation) key_u64(&k, generation);
	return key_done(&k);
}

static struct str context_of(struct arena *a, uint64_t generation)
{
	return str_fmt(a, "s3%ckeyring%c%llu", 0, 0, (unsigned long long)generation);
}

static status load(struct s3_keyring *r, struct arena *a)
{
	struct store_tx *tx = store_begin(r->store, a, true);
	struct str from = record_key(a, 0), key, value, plain;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		uint64_t generation;
		struct str rest = str_from(key, from.n);
		s = key_read_u64(&rest, &generation);
		if (is_ok(s) && (generation != r->n + 1 || generation > GENERATIONS_MAX)) s = STATUS(CORRUPT);
		if (is_ok(s)) s = vault_unwrap(r->vault, a, context_of(a, generation), value, &plain);
		if (!is_ok(s)) break;
		if (plain.n != S3_KEY_BYTES) {
			s = STATUS(CORRUPT);
			break;
		}
		memcpy(r->keys[r->n++], plain.p, S3_KEY_BYTES);
		vault_wipe(plain);
	}
	status ended = store_scan_end(scan);
	store_end(tx);
	return is_ok(s) ? ended : s;
}

/* Generations first to last, in one transaction. */
static status save(struct s3_keyring *r, uint32_t first, uint32_t last)
{
	struct arena a;
	arena_init(&a);
	struct store_tx *tx = store_begin(r->store, &a, false);
	for (uint32_t i = first; i <= last; i++)
		store_put(tx, record_key(&a, i),
			vault_wrap(r->vault, &a, context_of(&a, i), str_n(r->keys[i - 1], S3_KEY_BYTES)));
	store_ticket t;
	status s = store_commit(tx, &t);
	store_end(tx);
	if (is_ok(s)) store_wait(r->store, t);
	arena_cleanup(&a);
	return s;
}

status s3_keyring_rotate(struct s3_keyring *r)
{
	status s = STATUS(LIMIT);
	pthread_mutex_lock(&r->lock);
	if (r->n < GENERATIONS_MAX) {
		rand_bytes(r->keys[r->n], S3_KEY_BYTES);
		s = save(r, r->n + 1, r->n + 1);
		if (is_ok(s)) r->n++;
	}
	pthread_mutex_unlock(&r->lock);
	return s;
}

status s3_keyring_rewrap(struct s3_keyring *r, const struct vault *v)
{
	pthread_mutex_lock(&r->lock);
	r->vault = v;
	status s = save(r, 1, r->n);
	pthread_mutex_unlock(&r->lock);
	return s;
}

status s3_keyring_open(struct store *store, const struct vault *v, struct s3_keyring **out)
{
	struct s3_keyring *r = mem_new(sizeof *r);
	struct arena a;
	r->store = store;
	r->vault = v;
	pthread_mutex_init(&r->lock, NULL);
	arena_init(&a);
	status s = load(r, &a);
	arena_cleanup(&a);
	if (is_ok(s) && r->n == 0) s = s3_keyring_rotate(r);
	*out = is_ok(s) ? r : NULL;
	if (!is_ok(s)) s3_keyring_free(r);
	return s;
}

void s3_keyring_free(struct s3_keyring *r)
{
	if (!r) return;
	vault_wipe(str_n(r->keys, sizeof r->keys));
	pthread_mutex_destroy(&r->lock);
	free(r);
}

uint32_t s3_keyring_newest(struct s3_keyring *r, uint8_t key[S3_KEY_BYTES])
{
	pthread_mutex_lock(&r->lock);
	uint32_t n = r->n;
	memcpy(key, r->keys[n - 1], S3_KEY_BYTES);
	pthread_mutex_unlock(&r->lock);
	return n;
}

status s3_keyring_key(struct s3_keyring *r, uint32_t generation, uint8_t key[S3_KEY_BYTES])
{
	pthread_mutex_lock(&r->lock);
	bool known = generation >= 1 && generation <= r->n;
	if (known) memcpy(key, r->keys[generation - 1], S3_KEY_BYTES);
	pthread_mutex_unlock(&r->lock);
	return known ? OK : STATUS(CORRUPT);
}
