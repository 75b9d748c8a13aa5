/* What the files of KMS share: where a call stands (scope), keys with their names, finding them, their material. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "kms.h"
#include "kms_state.h"
#include "services/kms/blob.h"
#include "services/kms/spec.h"
#include "store/key.h"
#include "vault/vault.h"
#include <openssl/evp.h>

#define DAY_MS (24ll * 60 * 60 * 1000)
/* "Resource quotas" and "Limits", AWS KMS Developer Guide. */
enum {
	KMS_CONTEXT_BYTES_MAX = 8192,
	KMS_POLICY_BYTES_MAX = 32768,
	KMS_TAGS_MAX = 50,
	KMS_ALIASES_PER_KEY_MAX = 50,
	KMS_GRANTS_PER_KEY_MAX = 50000,
	KMS_ON_DEMAND_ROTATIONS_MAX = 25,
	KMS_DEFAULT_WINDOW_DAYS = 30,
	KMS_DEFAULT_ROTATION_DAYS = 365,
	KMS_SYMMETRIC_BYTES = 32,
};

/* Loaded private keys, so that not each signature parses one. See material.c. */
struct kms_cache;
/* Last uses. See usage.c. */
struct kms_usage;
struct kms {
	struct cloud *cloud;
	struct kms_cache *cache;
	struct kms_usage *usage;
	struct policy_library *policies; /* compiled key policies, by their hash */
};

/* On whose behalf and where: a client's call, another service's use, or a job. A refusal is recorded here, and in the
 * call where there is one. */
struct kms_scope {
	struct cloud *cloud;
	struct kms *kms;   /* NULL where the user left KMS out: other services' use of it goes on */
	struct call *call; /* NULL in jobs and in other services' use */
	struct store_tx *tx;
	struct arena *arena;
	struct str account, region, partition;
	int64_t now_ms;
	error_id error; /* a KMS_ERR_… or ERR_… */
	struct str message;
};
/* KMS's state; NULL where the user left KMS out. */
struct kms *kms_state_of(const struct cloud *cloud);
struct kms_scope kms_scope_of(struct call *c);
/* For jobs: in this account and region. */
struct kms_scope kms_scope_at(
	struct kms *k, struct store_tx *tx, struct arena *a, struct str account, struct str region);
/* Records why and returns FAILED. */
status kms_refuse(struct kms_scope *s, error_id error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

struct kms_key {
	struct str account, region, id, arn;
	struct kms_rec_key r;
	const struct kms_spec *spec;
};

/* ── records.c ── NOT_FOUND where absent. */
struct str kms_arn(struct arena *a, struct str region, struct str account, struct str kind, struct str name);
status kms_key_get(
	struct kms_scope *s, struct str account, struct str region, struct str id, struct kms_key *out) MUST_USE;
void kms_key_put(struct kms_scope *s, const struct kms_key *k);
struct str kms_key_key(struct arena *a, struct str account, struct str region, struct str id);
/* Where this key's materials are: multi-region keys that KMS made share them over regions. */
struct str kms_material_prefix(struct kms_scope *s, const struct kms_key *k);
status kms_material_get(
	struct kms_scope *s, const struct kms_key *k, struct str id, struct kms_rec_material *out) MUST_USE;
void kms_material_put(struct kms_scope *s, const struct kms_key *k, struct str id, const struct kms_rec_material *m);
status kms_alias_get(struct kms_scope *s, struct str account, struct str region, struct str name,
	struct kms_rec_alias *out) MUST_USE;
void kms_alias_put(struct kms_scope *s, struct str name, const struct kms_rec_alias *r);
/* Notes in the key that an alias points to it, or no longer does; the key is not written. */
void kms_alias_add(struct kms_scope *s, struct kms_key *k, struct str name);
void kms_alias_remove(struct kms_key *k, struct str name);
struct str kms_alias_key(struct arena *a, struct str account, struct str region, struct str name);
/* (kms, grant, …, key id): the prefix of its grants. */
struct str kms_grant_prefix(struct kms_scope *s, const struct kms_key *k);

/* ── find.c ── */
enum {
	KMS_FIND_ALIAS = 1,   /* alias names and ARNs are fine too */
	KMS_FIND_FOREIGN = 2, /* another account's key may be named, by ARN */
	KMS_FIND_MANAGED = 4, /* a predefined alias/aws/… that has no key yet gets one */
};
/* NotFoundException, InvalidArnException, … */
status kms_find(struct kms_scope *s, struct str reference, unsigned how, struct kms_key *out) MUST_USE;
/* Is it an alias/aws/… whose service makes its key on first use? */
bool kms_alias_is_predefined(struct str name);

/* ── state.c ── what the key's state permits ("Key states of AWS KMS keys"). */
enum {
	KMS_IN_DISABLED = 1,
	KMS_IN_PENDING_IMPORT = 2,
	KMS_IN_PENDING_DELETION = 4,
	KMS_IN_ANY = 7,
};
status kms_check_state(struct kms_scope *s, const struct kms_key *k, unsigned states) MUST_USE;
/* Enabled, and of this usage; `operation` is named in the refusal. */
status kms_check_use(struct kms_scope *s, const struct kms_key *k, struct str usage, const char *operation) MUST_USE;
/* Only customer managed keys may be changed. */
status kms_check_customer(struct kms_scope *s, const struct kms_key *k) MUST_USE;
/* DryRunOperationException where it is asked for: call it when all else has been checked. */
status kms_check_dry_run(struct kms_scope *s, struct opt_bool dry_run) MUST_USE;
status kms_check_recipient(struct kms_scope *s, const struct kms_recipient_info *recipient) MUST_USE;

/* ── material.c ── */
/* Makes new material of the key's spec and writes its record; fills k->r.public_key of asymmetric keys and makes it
 * current. The key itself is not written. rotation_type: "" for the first. */
status kms_material_make(struct kms_scope *s, struct kms_key *k, struct str rotation_type) MUST_USE;
/* The id that this material has under this key: 32 bytes, HMAC-SHA-256(material, "virga kms material" 0x00 key id). */
struct str kms_material_id(struct kms_scope *s, const struct kms_key *k, struct str plain);
struct str kms_material_wrap(struct kms_scope *s, const struct kms_key *k, struct str id, struct str plain);
/* The plain material, to be wiped by the caller. Refuses with KMSInvalidStateException what was deleted or has expired.
 */
status kms_material_open(struct kms_scope *s, const struct kms_key *k, struct str id, struct str *plain) MUST_USE;
/* The private key, from the cache; EVP_PKEY_free it. */
status kms_private_key(struct kms_scope *s, const struct kms_key *k, EVP_PKEY **out) MUST_USE;
struct kms_cache *kms_cache_new(void);
void kms_cache_free(struct kms_cache *c);
void kms_cache_drop(struct kms_cache *c, struct str id);
/* The bytes of a material id, as clients see them. */
static inline struct str kms_material_text(struct kms_scope *s, struct str id)
{
	return str_has(id) ? str_hex(s->arena, id) : STR_NONE;
}

/* ── asymmetric.c ── */
status kms_generate_pair(const struct kms_spec *spec, EVP_PKEY **out) MUST_USE;
struct str kms_private_der(struct arena *a, EVP_PKEY *key); /* PKCS #8 */
struct str kms_public_der(struct arena *a, EVP_PKEY *key);  /* SubjectPublicKeyInfo */
/* NULL where it is not one DER-encoded PKCS #8 key. */
EVP_PKEY *kms_private_from_der(struct str der);
EVP_PKEY *kms_public_from_der(struct str der);
/* Is it a key of that spec? */
bool kms_pair_matches(EVP_PKEY *key, const struct kms_spec *spec);
/* RSA by OAEP. INVALID: too long, or (decrypting) not a ciphertext of this key. */
status kms_oaep(
	struct arena *a, EVP_PKEY *key, const char *digest, bool encrypt, struct str in, struct str *out) MUST_USE;

/* ── symmetric.c ── */
status kms_context(
	struct kms_scope *s, const struct kms_encryption_context_type *given, struct str *canonical) MUST_USE;
status kms_symmetric_encrypt(
	struct kms_scope *s, const struct kms_key *k, struct str context, struct str plain, struct str *blob) MUST_USE;
/* Finds the key that the blob names, checks its state, opens. reference: the KeyId that the caller expects, or
 * STR_NONE. */
status kms_symmetric_decrypt(struct kms_scope *s, struct str blob, struct str reference, struct str context,
	const char *operation, struct kms_key *k, struct str *material_id, struct str *plain) MUST_USE;

/* ── policy.c ── */
struct str kms_default_policy(struct kms_scope *s, struct str account);
/* Syntax, size, and (unless bypassed) whether the caller could change it again. */
status kms_check_policy(struct kms_scope *s, struct str text, struct opt_bool bypass, const struct kms_key *k) MUST_USE;
/* ── tags.c ── */
status kms_check_tags(struct kms_scope *s, const struct kms_tag *tags, size_t n) MUST_USE;
void kms_tags_set(struct kms_scope *s, struct kms_rec_pairs *to, const struct kms_tag *tags, size_t n);

/* ── grant.c ── InvalidGrantTokenException unless KMS made them all. */
status kms_check_grant_tokens(struct kms_scope *s, const struct kms_grant_token_list *tokens) MUST_USE;

/* ── metadata.c ── */
struct kms_key_metadata *kms_metadata(struct kms_scope *s, const struct kms_key *k);

/* ── key.c ── A fresh key, not written: id, names, creation, default policy. */
struct kms_key kms_key_new(
	struct kms_scope *s, const struct kms_spec *spec, struct str usage, struct str origin, bool multi_region);
/* ── managed.c ── Makes the AWS managed key behind a predefined alias. */
/* As it would be, without material, nothing written. */
struct kms_key kms_managed_new(struct kms_scope *s, struct str alias);
status kms_managed_make(struct kms_scope *s, struct str alias, struct kms_key *out) MUST_USE;

/* ── rotation.c ── */
status kms_rotation_start(struct kms *k) MUST_USE;
/* Writes the job for r.rotation_next, or takes it away. */
void kms_rotation_schedule(struct kms_scope *s, const struct kms_key *k);
/* ── deletion.c ── */
status kms_deletion_start(struct kms *k) MUST_USE;
/* ── import.c ── complete: all material that this key's ciphertexts may need is there (always so, unless it is
 * imported). */
status kms_import_complete(struct kms_scope *s, const struct kms_key *k, bool *complete) MUST_USE;
status kms_import_start(struct kms *k) MUST_USE;
/* ── region.c ── Runs fn on the key of every region that is related to this multi-region key, itself included; without
 * multi-region only on itself. Each is written after fn. k is updated too. */
status kms_for_related(
	struct kms_scope *s, struct kms_key *k, void (*fn)(struct kms_key *k, void *ctx), void *ctx) MUST_USE;
/* A job's id of a key, and back. */
struct str kms_job_id(struct kms_scope *s, const struct kms_key *k);
status kms_job_key(struct kms *kms, struct store_tx *tx, struct arena *a, const struct job *job, struct kms_scope *s,
	struct kms_key *k) MUST_USE;

/* ── page.c ── Markers of lists: the last name that was listed, in base64 with a check. */
struct str kms_marker(struct kms_scope *s, struct str last);
status kms_marker_read(struct kms_scope *s, struct str marker, struct str *last) MUST_USE;

/* ── usage.c ── operation: a constant. Freeing writes what is noted. */
struct kms_usage *kms_usage_new(struct cloud *cloud);
void kms_usage_free(struct kms_usage *u);
void kms_usage_forget(struct kms_usage *u);
void kms_used(struct kms_scope *s, const struct kms_key *k, const char *operation);
