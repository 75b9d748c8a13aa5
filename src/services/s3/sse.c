/* Keys: where the one comes from that wraps those of an object's bodies, and the wrapping. */
#include "services/s3/sse.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "services/kms/blob.h"
#include "services/kms/keys.h"
#include "services/s3/sealer.h"
#include "vault/vault.h"

enum { GENERATION_BYTES = 4, SALT_BYTES = 16 };
extern const struct service service_s3;

struct s3_state *s3_state_of(const struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i] == &service_s3) return cloud->service_state[i];
	return NULL;
}

/* ── KMS ── */

/* KMS's refusals as S3 tells them ("Error responses": KMS.*). */
static status refused(struct call *c, status s, const struct kms_refusal *why)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	switch (why->why) {
	case KMS_WHY_NOT_FOUND:
		return call_fail(c, S3_ERR_KMS_NOT_FOUND_EXCEPTION, "%.*s", STR_ARG(why->message));
	case KMS_WHY_DISABLED:
		return call_fail(c, S3_ERR_KMS_DISABLED_EXCEPTION, "%.*s", STR_ARG(why->message));
	case KMS_WHY_INVALID_STATE:
		return call_fail(c, S3_ERR_KMS_KMS_INVALID_STATE_EXCEPTION, "%.*s", STR_ARG(why->message));
	case KMS_WHY_INVALID_USAGE:
		return call_fail(c, S3_ERR_KMS_INVALID_KEY_USAGE_EXCEPTION, "%.*s", STR_ARG(why->message));
	case KMS_WHY_INVALID_INPUT:
		return s3_invalid_argument(
			c, STR("x-amz-server-side-encryption-aws-kms-key-id"), STR_NONE, str_z(c->arena, why->message));
	case KMS_WHY_INVALID_CIPHERTEXT:
	case KMS_WHY_INCORRECT_KEY:
		return STATUS(CORRUPT);
	}
	UNREACHABLE();
}

static struct kms_pair *pairs_of(struct call *c, const struct s3_rec_metadata *context)
{
	struct kms_pair *pairs = arena_new_n(c->arena, struct kms_pair, context->n);
	for (size_t i = 0; i < context->n; i++)
		pairs[i] = (struct kms_pair){.key = context->v[i].key, .value = context->v[i].value};
	return pairs;
}

/* "By default, Amazon S3 uses the object or bucket Amazon Resource Name as the encryption context pair" ("Using
 * server-side encryption with AWS KMS keys"). */
static void add_arn(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_sse *e)
{
	for (size_t i = 0; i < e->context.n; i++)
		if (str_is(e->context.v[i].key, "aws:s3:arn")) return;
	struct s3_rec_metadata with = {
		.v = arena_new_n(c->arena, struct s3_rec_metadata_entry, e->context.n + 1), .n = e->context.n + 1};
	for (size_t i = 0; i < e->context.n; i++) with.v[i] = e->context.v[i];
	struct str partition = str_starts(b->region, STR("cn-"))       ? STR("aws-cn")
			       : str_starts(b->region, STR("us-gov-")) ? STR("aws-us-gov")
								       : STR("aws");
	struct str arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(partition), STR_ARG(b->name));
	if (!e->bucket_key.v) arn = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(arn), STR_ARG(key));
	with.v[e->context.n] = (struct s3_rec_metadata_entry){STR("aws:s3:arn"), arn};
	e->context = with;
}

/* Keys are those of the bucket's region; names without an account are the caller's. */
static struct kms_use use_of(struct call *c, struct str region)
{
	struct kms_use u = kms_use_of(c);
	if (str_has(region)) u.region = region;
	return u;
}

static status make_kms(
	struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_sse *e, struct s3_wrap *out)
{
	struct kms_use u = use_of(c, b->region);
	struct kms_data_key k;
	struct kms_refusal why;
	add_arn(c, b, key, e);
	struct str reference = str_has(e->kms_key) ? e->kms_key : STR("alias/aws/s3");
	status s = kms_use_data_key(&u, reference, pairs_of(c, &e->context), e->context.n, S3_KEY_BYTES, &k, &why);
	if (!is_ok(s)) return refused(c, s, &why);
	memcpy(out->key, k.plain.p, S3_KEY_BYTES);
	vault_wipe(k.plain);
	e->kms_key = k.key_arn;
	e->kms_blob = k.blob;
	return OK;
}

static status open_kms(struct call *c, const struct s3_rec_sse *e, struct s3_wrap *out)
{
	struct str rest = e->kms_key;
	for (int i = 0; i < 3; i++) (void)str_cut(&rest, ':');
	struct kms_use u = use_of(c, str_cut(&rest, ':'));
	struct str plain;
	struct kms_refusal why;
	status s = kms_use_decrypt(
		&u, e->kms_blob, e->kms_key, pairs_of(c, &e->context), e->context.n, &plain, NULL, &why);
	if (!is_ok(s)) return refused(c, s, &why);
	if (plain.n != S3_KEY_BYTES) return STATUS(CORRUPT);
	memcpy(out->key, plain.p, S3_KEY_BYTES);
	vault_wipe(plain);
	return OK;
}

status s3_sse_demand(struct call *c, struct store_tx *tx, struct authz_demands *demands, const struct s3_rec_bucket *b,
	struct str key, const struct s3_rec_sse *e, struct str action)
{
	if (!e || s3_sse_is_customer(e) || str_is(e->algorithm, "AES256")) return OK;
	struct s3_rec_sse with = *e;
	struct str reference = str_has(e->kms_key) ? e->kms_key : STR("alias/aws/s3"), arn;
	struct kms_use u = use_of(c, b->region);
	struct kms_refusal why;
	u.tx = tx;
	/* A key that is not there, or that AWS manages and is made at its first use, has no policy to ask. */
	status s = kms_use_find(&u, reference, &arn, &why);
	if (status_is(s, STATUS_FAILED)) return OK;
	TRY(s);
	add_arn(c, b, key, &with);
	return kms_use_demand(c, tx, demands, arn, action, STR("s3"), pairs_of(c, &with.context), with.context.n);
}

/* ── customers' keys ── */

/* "Amazon S3 does not store the encryption key that you provide. Instead, it stores a randomly salted Hash-based
 * Message Authentication Code (HMAC) value of the encryption key" ("Using server-side encryption with customer-provided
 * keys"). */
static struct str derived(struct call *c, struct str key, struct str salt, struct str purpose)
{
	uint8_t *p = arena_alloc_raw(c->arena, S3_KEY_BYTES);
	digest_hmac_sha256(key, str_cat(c->arena, salt, purpose), p);
	return str_n(p, S3_KEY_BYTES);
}

static void make_customer(struct call *c, const struct s3_customer *customer, struct s3_rec_sse *e, struct s3_wrap *out)
{
	char *salt = arena_alloc_raw(c->arena, SALT_BYTES);
	rand_bytes(salt, SALT_BYTES);
	e->salt = str_n(salt, SALT_BYTES);
	e->check = derived(c, customer->key, e->salt, STR("check"));
	memcpy(out->key, derived(c, customer->key, e->salt, STR("wrap")).p, S3_KEY_BYTES);
}

static bool is_right(struct call *c, const struct s3_customer *customer, const struct s3_rec_sse *e)
{
	return str_eq_secret(derived(c, customer->key, e->salt, STR("check")), e->check);
}

status s3_sse_check(struct call *c, const struct s3_rec_object *o, const struct s3_customer *customer)
{
	bool told = customer && str_has(customer->key);
	if (!s3_sse_is_customer(o->sse))
		return told ? call_fail(c, S3_ERR_INVALID_REQUEST,
				      "The encryption parameters are not applicable to this object.")
			    : OK;
	if (!told)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The object was stored using a form of Server Side Encryption. The correct parameters must be "
			"provided to "
			"retrieve the object.");
	return is_right(c, customer, o->sse) ? OK : call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
}

/* ── the wrapping key ── */

status s3_sse_make(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o,
	const struct s3_customer *customer, struct s3_wrap *out)
{
	struct s3_rec_sse *e = o->sse;
	*out = (struct s3_wrap){0};
	if (s3_sse_is_customer(e)) {
		make_customer(c, customer, e, out);
		return OK;
	}
	if (!str_is(e->algorithm, "AES256")) return make_kms(c, b, key, e, out);
	out->generation = s3_keyring_newest(s3_state_of(c->cloud)->keyring, out->key);
	return OK;
}

static status open_checked(
	struct call *c, const struct s3_rec_object *o, const struct s3_customer *customer, struct s3_wrap *out)
{
	const struct s3_rec_sse *e = o->sse;
	*out = (struct s3_wrap){0};
	if (!e) return OK;
	if (s3_sse_is_customer(e)) {
		memcpy(out->key, derived(c, customer->key, e->salt, STR("wrap")).p, S3_KEY_BYTES);
		return OK;
	}
	if (!str_is(e->algorithm, "AES256")) return open_kms(c, e, out);
	out->generation = s3_keyring_newest(s3_state_of(c->cloud)->keyring, out->key);
	return OK;
}

status s3_sse_open(
	struct call *c, const struct s3_rec_object *o, const struct s3_customer *customer, struct s3_wrap *out)
{
	TRY(s3_sse_check(c, o, customer));
	return open_checked(c, o, customer, out);
}

status s3_sse_open_part(
	struct call *c, const struct s3_rec_object *o, const struct s3_customer *customer, struct s3_wrap *out)
{
	bool told = str_has(customer->key);
	if (s3_sse_is_customer(o->sse) && !told)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The multipart upload initiate requested encryption. Subsequent part requests must include the "
			"appropriate encryption parameters.");
	if (!s3_sse_is_customer(o->sse) && told)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The multipart upload initiate did not request encryption. Please resend the request without "
			"sending "
			"encryption parameters.");
	if (told && !is_right(c, customer, o->sse))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The provided encryption parameters did not match the ones used originally.");
	return open_checked(c, o, customer, out);
}

/* ── wrapping ── */

void s3_sse_lock(struct call *c, const struct s3_wrap *w, struct s3_rec_extents *x)
{
	for (size_t i = 0; i < x->n; i++) {
		if (!x->v[i].key.n) continue;
		INVARIANT(x->v[i].key.n == S3_KEY_BYTES);
		uint8_t *p = arena_alloc_raw(c->arena, GENERATION_BYTES + S3_KEY_WRAPPED_BYTES);
		for (int j = 0; j < GENERATION_BYTES; j++) p[j] = (uint8_t)(w->generation >> (8 * j));
		s3_key_wrap(w->key, (const uint8_t *)x->v[i].key.p, p + GENERATION_BYTES);
		x->v[i].key = str_n(p, GENERATION_BYTES + S3_KEY_WRAPPED_BYTES);
	}
}

status s3_sse_unlock(struct call *c, const struct s3_wrap *w, struct s3_rec_extents *x)
{
	struct s3_wrap other = *w;
	for (size_t i = 0; i < x->n; i++) {
		struct str k = x->v[i].key;
		if (!k.n) continue;
		if (k.n != GENERATION_BYTES + S3_KEY_WRAPPED_BYTES) return STATUS(CORRUPT);
		const uint8_t *p = (const uint8_t *)k.p;
		uint32_t generation = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		if (generation != other.generation) {
			if (!generation || !w->generation) return STATUS(CORRUPT);
			TRY(s3_keyring_key(s3_state_of(c->cloud)->keyring, generation, other.key));
			other.generation = generation;
		}
		uint8_t *clear = arena_alloc_raw(c->arena, S3_KEY_BYTES);
		TRY(s3_key_unwrap(other.key, p + GENERATION_BYTES, clear));
		x->v[i].key = str_n(clear, S3_KEY_BYTES);
	}
	return OK;
}

status s3_sse_rewrap(struct call *c, const struct s3_wrap *was, const struct s3_wrap *is, struct s3_rec_extents *x)
{
	x->v = arena_copy(c->arena, x->v, x->n * sizeof *x->v);
	TRY(s3_sse_unlock(c, was, x));
	s3_sse_lock(c, is, x);
	return OK;
}

status s3_sse_extents(struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o,
	const struct s3_customer *customer, struct s3_rec_extents *out)
{
	struct s3_wrap w;
	struct s3_rec_extents x;
	TRY(s3_sse_open(c, o, customer, &w));
	TRY(s3_object_extents(c, b, o, &x));
	out->v = arena_copy(c->arena, x.v, x.n * sizeof *x.v);
	out->n = x.n;
	return s3_sse_unlock(c, &w, out);
}

void s3_sse_adopt(struct call *c, const struct body *body, const struct s3_wrap *w, struct s3_rec_extents *out)
{
	s3_extents_adopt(c, body, out);
	if (!out->n) return;
	out->v[0].key = s3_sealer_key(body->filter_ctx);
	s3_sse_lock(c, w, out);
}

struct str s3_sse_tag(struct call *c, const struct s3_rec_sse *e, const uint8_t md5[16])
{
	uint8_t *p = arena_copy(c->arena, md5, 16);
	if (!s3_sse_has_md5_tag(e)) rand_bytes(p, 16);
	return str_n(p, 16);
}

status s3_sse_write(
	struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o, struct str bytes)
{
	struct s3_wrap w;
	struct s3_sse_wish none = {0};
	uint8_t md5[16];
	if (!o->sse) TRY(s3_sse_choose(c, b, &none, &o->sse));
	TRY(s3_sse_make(c, b, key, o, NULL, &w));
	digest_md5(bytes, md5);
	o->size = SOME_I64((int64_t)bytes.n);
	o->e_tag = str_hex(c->arena, s3_sse_tag(c, o->sse, md5));
	struct s3_sealer *sealer = s3_sealer_new(bytes.n);
	struct body body = {.size = bytes.n, .filter_ctx = sealer};
	body.writer = blob_writer_new(c->cloud->store, s3_cipher_stored(bytes.n));
	status s = s3_sealer_write(sealer, body.writer, bytes.p, bytes.n);
	if (is_ok(s)) s = s3_sealer_end(sealer, body.writer);
	if (is_ok(s)) s = blob_seal(body.writer, &body.ref);
	if (is_ok(s)) s3_sse_adopt(c, &body, &w, &o->extents);
	blob_writer_free(body.writer);
	s3_sealer_free(sealer);
	return s;
}
