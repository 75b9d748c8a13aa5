/* Imported key material ("Importing key material for AWS KMS keys"): a wrapping key for a day, the import, its expiry
 * by a durable job, its deletion. An import token is the wrapping key's private half with its terms, wrapped by the
 * vault: nothing is stored until the import itself. */
#include "services/kms/room.h"

#define JOB_EXPIRE "kms.expire"
#define TOKEN_CONTEXT STR("kms import token")
#define TOKEN_LIFE_MS DAY_MS
#define MATERIAL_LIFE_MS (365 * DAY_MS)

/* ── materials of a key ───────────────────────────────────────────────────────────────────────────────────────── */

struct found {
	bool complete;      /* all but pending material is there, and there is some */
	struct str pending; /* id of material that waits for a rotation */
	bool any;
};

static bool is_there(const struct kms_scope *s, const struct kms_rec_material *m)
{
	return str_has(m->wrapped) && !(m->valid_to.has && m->valid_to.ms <= s->now_ms);
}

static status look(struct kms_scope *s, const struct kms_key *k, struct found *out)
{
	struct str prefix = kms_material_prefix(s, k), key, value;
	struct store_scan *scan = store_scan_begin(s->tx, prefix, key_after(s->arena, prefix), false);
	*out = (struct found){.complete = true};
	while (store_scan_next(scan, &key, &value)) {
		struct kms_rec_material m = {0};
		TRY(kms_rec_material_decode(s->arena, value, &m));
		if (m.pending.v) {
			struct str rest = str_from(key, prefix.n);
			TRY(key_read_str(s->arena, &rest, &out->pending));
			out->pending = str_dup(s->arena, out->pending);
			continue;
		}
		out->any = true;
		out->complete = out->complete && is_there(s, &m);
	}
	out->complete = out->complete && out->any;
	return store_scan_end(scan);
}

status kms_import_complete(struct kms_scope *s, const struct kms_key *k, bool *complete)
{
	struct found f;
	*complete = true;
	if (!str_is(k->r.origin, "EXTERNAL")) return OK;
	TRY(look(s, k, &f));
	*complete = f.complete;
	return OK;
}

static status find_imported(struct kms_scope *s, struct str reference, struct kms_key *k)
{
	TRY(kms_find(s, reference, 0, k));
	if (!str_is(k->r.origin, "EXTERNAL"))
		return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
			"%.*s origin is %.*s which is not valid for this operation.", STR_ARG(k->arn),
			STR_ARG(k->r.origin));
	return kms_check_state(s, k, KMS_IN_DISABLED | KMS_IN_PENDING_IMPORT);
}

/* ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────── */

status kms_get_parameters_for_import(struct call *c, const struct kms_get_parameters_for_import_input *in,
	struct kms_get_parameters_for_import_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	EVP_PKEY *pair;
	TRY(find_imported(&s, in->key_id, &k));
	const struct kms_spec *spec = kms_spec_find(in->wrapping_key_spec);
	/* "AWS KMS no longer supports RSAES_PKCS1_V1_5" since October 2023. */
	if (!spec || str_is(in->wrapping_algorithm, "RSAES_PKCS1_V1_5") || str_is(in->wrapping_algorithm, "SM2PKE"))
		return kms_refuse(&s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
			"Wrapping algorithm %.*s with wrapping key spec %.*s is not supported.",
			STR_ARG(in->wrapping_algorithm), STR_ARG(in->wrapping_key_spec));
	TRY(kms_generate_pair(spec, &pair));
	struct str private_key = kms_private_der(c->arena, pair);
	out->public_key = kms_public_der(c->arena, pair);
	EVP_PKEY_free(pair);
	int64_t until = s.now_ms + TOKEN_LIFE_MS;
	struct str terms =
		str_fmt(c->arena, "%.*s %.*s %lld ", STR_ARG(k.arn), STR_ARG(in->wrapping_algorithm), (long long)until);
	struct str plain = str_cat(c->arena, terms, private_key);
	out->import_token = vault_wrap(s.cloud->vault, c->arena, TOKEN_CONTEXT, plain);
	vault_wipe(plain);
	vault_wipe(private_key);
	out->key_id = k.arn;
	out->parameters_valid_to = SOME_TIME(until);
	return OK;
}

/* ── importing ────────────────────────────────────────────────────────────────────────────────────────────────── */

struct token {
	struct str algorithm, private_key;
};

static status read_token(struct kms_scope *s, const struct kms_key *k, struct str bytes, struct token *out)
{
	struct str rest, arn, until;
	int64_t ms;
	if (!is_ok(vault_unwrap(s->cloud->vault, s->arena, TOKEN_CONTEXT, bytes, &rest)))
		return kms_refuse(s, KMS_ERR_INVALID_IMPORT_TOKEN_EXCEPTION, "The import token is invalid.");
	arn = str_cut(&rest, ' ');
	out->algorithm = str_cut(&rest, ' ');
	until = str_cut(&rest, ' ');
	out->private_key = rest;
	TRY(str_to_i64(until, &ms));
	if (!str_eq(arn, k->arn))
		return kms_refuse(
			s, KMS_ERR_INVALID_IMPORT_TOKEN_EXCEPTION, "The import token is for another KMS key.");
	if (ms <= s->now_ms)
		return kms_refuse(s, KMS_ERR_EXPIRED_IMPORT_TOKEN_EXCEPTION, "The import token has expired.");
	return OK;
}

/* RFC 5649, AES key wrap with padding. NONE where it does not unwrap. */
static struct str key_unwrap(struct arena *a, struct str key, struct str wrapped)
{
	const EVP_CIPHER *cipher = key.n == 16   ? EVP_aes_128_wrap_pad()
				   : key.n == 24 ? EVP_aes_192_wrap_pad()
				   : key.n == 32 ? EVP_aes_256_wrap_pad()
						 : NULL;
	if (!cipher || wrapped.n < 16 || wrapped.n > 16384) return STR_NONE;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	INVARIANT(c);
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	unsigned char *p = arena_alloc_raw(a, wrapped.n + 16);
	int n = 0;
	bool good = EVP_DecryptInit_ex(c, cipher, NULL, (const unsigned char *)key.p, NULL) == 1 &&
		    EVP_DecryptUpdate(c, p, &n, (const unsigned char *)wrapped.p, (int)wrapped.n) == 1 && n > 0;
	EVP_CIPHER_CTX_free(c);
	return good ? str_n(p, (size_t)n) : STR_NONE;
}

static status unwrap(struct kms_scope *s, const struct token *t, struct str wrapped, struct str *plain)
{
	EVP_PKEY *key = kms_private_from_der(t->private_key);
	if (!key) return STATUS(CORRUPT);
	bool aes = str_starts(t->algorithm, STR("RSA_AES_KEY_WRAP_"));
	const char *digest = str_ends(t->algorithm, STR("SHA_256")) ? "SHA256" : "SHA1";
	size_t size = (size_t)EVP_PKEY_get_size(key), rsa = aes && wrapped.n > size ? size : wrapped.n;
	struct str first = STR_NONE;
	status st = kms_oaep(s->arena, key, digest, false, str_sub(wrapped, 0, rsa), &first);
	EVP_PKEY_free(key);
	*plain = is_ok(st) && aes ? key_unwrap(s->arena, first, str_from(wrapped, rsa)) : first;
	if (is_ok(st) && aes) vault_wipe(first);
	if (is_ok(st) && str_has(*plain)) return OK;
	return kms_refuse(s, KMS_ERR_INVALID_CIPHERTEXT_EXCEPTION, "%s", "");
}

/* "Key material requirements": 256 bits for symmetric keys; an HMAC key of its algorithm's length at least; asymmetric
 * private keys as PKCS #8 in DER. */
static status check_material(struct kms_scope *s, struct kms_key *k, struct str plain)
{
	const struct kms_spec *spec = k->spec;
	bool good;
	if (spec->kind == KMS_SYMMETRIC) {
		good = plain.n == KMS_SYMMETRIC_BYTES;
	} else if (spec->kind == KMS_HMAC) {
		good = plain.n >= (size_t)spec->size && plain.n <= 128;
	} else {
		EVP_PKEY *key = kms_private_from_der(plain);
		good = key && kms_pair_matches(key, spec);
		if (good) {
			EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
			good = x && EVP_PKEY_check(x) == 1;
			EVP_PKEY_CTX_free(x);
		}
		if (good) k->r.public_key = kms_public_der(s->arena, key);
		EVP_PKEY_free(key);
	}
	if (good) return OK;
	return kms_refuse(s, KMS_ERR_INCORRECT_KEY_MATERIAL_EXCEPTION, "The key material is not valid for key spec %s.",
		spec->name);
}

static status check_expiry(struct kms_scope *s, const struct kms_import_key_material_input *in)
{
	bool expires = !str_is(in->expiration_model, "KEY_MATERIAL_DOES_NOT_EXPIRE");
	if (expires && !in->valid_to.has)
		return kms_refuse(
			s, ERR_VALIDATION, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES");
	if (!expires && in->valid_to.has)
		return kms_refuse(s, ERR_VALIDATION,
			"A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE");
	if (expires && (in->valid_to.ms <= s->now_ms || in->valid_to.ms > s->now_ms + MATERIAL_LIFE_MS))
		return kms_refuse(s, ERR_VALIDATION, "The validTo date must lie in the future, and within 365 days.");
	return OK;
}

static struct str expiry_id(struct kms_scope *s, const struct kms_key *k, struct str id)
{
	return str_fmt(s->arena, "%.*s/%.*s", STR_ARG(kms_job_id(s, k)), STR_ARG(str_hex(s->arena, id)));
}

static status incorrect(struct kms_scope *s, const struct kms_key *k)
{
	return kms_refuse(s, KMS_ERR_INCORRECT_KEY_MATERIAL_EXCEPTION,
		"The key material does not match the key material that is associated with %.*s.", STR_ARG(k->arn));
}

/* Is it the key's first material, one that it had (then *m is that record), or new material for the next rotation? */
static status place(struct kms_scope *s, struct kms_key *k, const struct kms_import_key_material_input *in,
	struct str id, struct kms_rec_material *m)
{
	struct found f;
	TRY(look(s, k, &f));
	status st = kms_material_get(s, k, id, m);
	if (is_ok(st)) return OK;
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	*m = (struct kms_rec_material){.number = SOME_I64(k->r.next_material.v), .rotation_type = STR("")};
	bool first = !f.any && !str_has(k->r.material), fresh = str_is(in->import_type, "NEW_KEY_MATERIAL");
	if (first ? str_is(in->import_type, "EXISTING_KEY_MATERIAL") : !fresh || k->spec->kind != KMS_SYMMETRIC)
		return incorrect(s, k);
	k->r.next_material = SOME_I64(k->r.next_material.v + 1);
	if (first) {
		m->current_since = SOME_TIME(s->now_ms);
		k->r.material = id;
		return OK;
	}
	if (k->r.multi_region.v)
		return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
			"Rotating imported key material of multi-Region keys is not implemented.");
	if (str_has(f.pending))
		return kms_refuse(s, KMS_ERR_KMS_INVALID_STATE_EXCEPTION,
			"%.*s has key material that is pending rotation already.", STR_ARG(k->arn));
	m->pending = SOME_BOOL(true);
	return OK;
}

status kms_import_key_material(
	struct call *c, const struct kms_import_key_material_input *in, struct kms_import_key_material_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct token t;
	struct str plain;
	struct kms_rec_material m = {0};
	TRY(find_imported(&s, in->key_id, &k));
	TRY(check_expiry(&s, in));
	TRY(read_token(&s, &k, in->import_token, &t));
	status st = unwrap(&s, &t, in->encrypted_key_material, &plain);
	vault_wipe(t.private_key);
	TRY(st);
	TRY(check_material(&s, &k, plain));
	struct str id = kms_material_id(&s, &k, plain);
	if (str_has(in->key_material_id) && !str_eq(in->key_material_id, str_hex(c->arena, id)))
		return incorrect(&s, &k);
	TRY(place(&s, &k, in, id, &m));
	m.wrapped = kms_material_wrap(&s, &k, id, plain);
	vault_wipe(plain);
	m.valid_to = in->valid_to;
	if (str_has(in->key_material_description)) m.description = in->key_material_description;
	kms_material_put(&s, &k, id, &m);
	struct job job = {.kind = STR(JOB_EXPIRE), .id = expiry_id(&s, &k, id), .due_ms = m.valid_to.ms, .payload = id};
	if (m.valid_to.has)
		jobs_schedule(c->tx, &job);
	else
		jobs_cancel(c->tx, job.kind, job.id);
	bool complete;
	TRY(kms_import_complete(&s, &k, &complete));
	if (complete && str_is(k.r.state, "PendingImport")) k.r.state = STR("Enabled");
	kms_key_put(&s, &k);
	out->key_id = k.arn;
	out->key_material_id = kms_material_text(&s, id);
	return OK;
}

/* ── ending ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The bytes go; that it was there stays, so that the same material can come back, and none else. */
static status drop(struct kms_scope *s, struct kms_key *k, struct str id, struct kms_rec_material *m)
{
	m->wrapped = STR_NONE;
	m->valid_to = (struct opt_time){0};
	jobs_cancel(s->tx, STR(JOB_EXPIRE), expiry_id(s, k, id));
	kms_material_put(s, k, id, m);
	if (m->pending.v || (!str_is(k->r.state, "Enabled") && !str_is(k->r.state, "Disabled"))) return OK;
	k->r.state = STR("PendingImport");
	kms_key_put(s, k);
	return OK;
}

status kms_delete_imported_key_material(struct call *c, const struct kms_delete_imported_key_material_input *in,
	struct kms_delete_imported_key_material_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct kms_rec_material m;
	TRY(kms_find(&s, in->key_id, 0, &k));
	if (!str_is(k.r.origin, "EXTERNAL"))
		return kms_refuse(&s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
			"%.*s origin is %.*s which is not valid for this operation.", STR_ARG(k.arn),
			STR_ARG(k.r.origin));
	struct str id = k.r.material;
	out->key_id = k.arn;
	if (str_has(in->key_material_id)) TRY(str_unhex(c->arena, in->key_material_id, &id));
	/* Nothing was imported yet: AWS answers so too. */
	if (!str_has(id)) return OK;
	status st = kms_material_get(&s, &k, id, &m);
	if (status_is(st, STATUS_NOT_FOUND))
		return kms_refuse(&s, KMS_ERR_NOT_FOUND_EXCEPTION, "Key material %.*s is not associated with %.*s.",
			STR_ARG(kms_material_text(&s, id)), STR_ARG(k.arn));
	TRY(st);
	out->key_material_id = kms_material_text(&s, id);
	return drop(&s, &k, id, &m);
}

static status run_expiry(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct kms_scope s;
	struct kms_key k;
	struct kms_rec_material m;
	status st = kms_job_key(ctx, tx, a, job, &s, &k);
	if (is_ok(st)) st = kms_material_get(&s, &k, job->payload, &m);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (!m.valid_to.has) return OK;
	if (m.valid_to.ms <= s.now_ms) return drop(&s, &k, job->payload, &m);
	*again_ms = m.valid_to.ms;
	return OK;
}

status kms_import_start(struct kms *k)
{
	jobs_register(k->cloud->jobs, JOB_EXPIRE, run_expiry, k);
	return OK;
}
