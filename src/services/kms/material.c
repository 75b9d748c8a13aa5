/* Key material: made, wrapped by the vault, unwrapped for each use. A use reads the key's record and the material's in
 * its own transaction, so that disabling or deleting a key counts from its commit on. Only parsed private keys are kept
 * in memory (parsing an RSA key costs more than reading a record), by material id: whoever looks there has read the
 * record that names the id. */
#include "base/map.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "services/kms/room.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

enum { CACHE_MAX = 512 };

struct kms_cache {
	pthread_mutex_t lock;
	struct map keys; /* material id -> EVP_PKEY * */
};

static void free_pkey(void *p)
{
	EVP_PKEY_free(p);
}

struct kms_cache *kms_cache_new(void)
{
	struct kms_cache *c = mem_new(sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	map_init(&c->keys);
	return c;
}

void kms_cache_free(struct kms_cache *c)
{
	if (!c) return;
	map_cleanup(&c->keys, free_pkey);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void kms_cache_drop(struct kms_cache *c, struct str id)
{
	pthread_mutex_lock(&c->lock);
	EVP_PKEY *old = map_remove(&c->keys, id);
	pthread_mutex_unlock(&c->lock);
	EVP_PKEY_free(old);
}

static EVP_PKEY *cache_get(struct kms_cache *c, struct str id)
{
	pthread_mutex_lock(&c->lock);
	EVP_PKEY *key = map_get(&c->keys, id);
	if (key) EVP_PKEY_up_ref(key);
	pthread_mutex_unlock(&c->lock);
	return key;
}

/* Full means starting anew: 512 keys in use at once are no common load, and an order of use would cost each use. */
static void cache_set(struct kms_cache *c, struct str id, EVP_PKEY *key)
{
	EVP_PKEY_up_ref(key);
	pthread_mutex_lock(&c->lock);
	if (c->keys.count >= CACHE_MAX) {
		map_cleanup(&c->keys, free_pkey);
		map_init(&c->keys);
	}
	EVP_PKEY *old = map_set(&c->keys, id, key);
	pthread_mutex_unlock(&c->lock);
	EVP_PKEY_free(old);
}

struct str kms_material_id(struct kms_scope *s, const struct kms_key *k, struct str plain)
{
	uint8_t *id = arena_alloc(s->arena, KMS_BLOB_ID_BYTES);
	struct str label = str_n("virga kms material", sizeof("virga kms material"));
	digest_hmac_sha256(plain, str_cat(s->arena, label, k->id), id);
	return str_n(id, KMS_BLOB_ID_BYTES);
}

/* A wrapped material unwraps for its own key and id alone. */
static struct str wrap_context(struct kms_scope *s, const struct kms_key *k, struct str id)
{
	struct buf b = BUF_IN(s->arena);
	buf_lit(&b, "kms material\0");
	buf_str(&b, k->account);
	buf_byte(&b, 0);
	buf_str(&b, k->id);
	buf_byte(&b, 0);
	buf_str(&b, id);
	return buf_done(&b);
}

struct str kms_material_wrap(struct kms_scope *s, const struct kms_key *k, struct str id, struct str plain)
{
	return vault_wrap(s->cloud->vault, s->arena, wrap_context(s, k, id), plain);
}

static status make_plain(struct kms_scope *s, struct kms_key *k, struct str *plain)
{
	const struct kms_spec *spec = k->spec;
	if (spec->kind == KMS_SYMMETRIC || spec->kind == KMS_HMAC) {
		char *p = arena_alloc_raw(s->arena, (size_t)spec->size);
		rand_bytes(p, (size_t)spec->size);
		*plain = str_n(p, (size_t)spec->size);
		return OK;
	}
	EVP_PKEY *pair;
	TRY(kms_generate_pair(spec, &pair));
	*plain = kms_private_der(s->arena, pair);
	k->r.public_key = kms_public_der(s->arena, pair);
	EVP_PKEY_free(pair);
	return OK;
}

status kms_material_make(struct kms_scope *s, struct kms_key *k, struct str rotation_type)
{
	struct str plain;
	TRY(make_plain(s, k, &plain));
	struct str id = kms_material_id(s, k, plain);
	struct kms_rec_material m = {.wrapped = kms_material_wrap(s, k, id, plain),
		.number = SOME_I64(k->r.next_material.v),
		.current_since = SOME_TIME(s->now_ms),
		.rotation_type = rotation_type};
	vault_wipe(plain);
	kms_material_put(s, k, id, &m);
	k->r.next_material = SOME_I64(k->r.next_material.v + 1);
	k->r.material = id;
	return OK;
}

status kms_material_open(struct kms_scope *s, const struct kms_key *k, struct str id, struct str *plain)
{
	struct kms_rec_material m;
	TRY(kms_material_get(s, k, id, &m));
	/* The job that deletes expired material may be a moment late; the material is not. */
	if (!str_has(m.wrapped) || (m.valid_to.has && m.valid_to.ms <= s->now_ms))
		return kms_refuse(s, KMS_ERR_KMS_INVALID_STATE_EXCEPTION, "%.*s is pending import.", STR_ARG(k->arn));
	return vault_unwrap(s->cloud->vault, s->arena, wrap_context(s, k, id), m.wrapped, plain);
}

status kms_private_key(struct kms_scope *s, const struct kms_key *k, EVP_PKEY **out)
{
	struct kms_cache *cache = s->kms ? s->kms->cache : NULL;
	/* Imported material may have expired or gone: its record decides. */
	bool cached = cache && str_is(k->r.origin, "AWS_KMS");
	if (cached && (*out = cache_get(cache, k->r.material))) return OK;
	struct str plain;
	TRY(kms_material_open(s, k, k->r.material, &plain));
	*out = kms_private_from_der(plain);
	vault_wipe(plain);
	if (!*out) return STATUS(CORRUPT);
	if (cached) cache_set(cache, k->r.material, *out);
	return OK;
}
