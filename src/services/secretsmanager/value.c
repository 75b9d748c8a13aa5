/* Versions of a secret and their values. A value lies in the store only sealed under a data key of KMS ("Secret
 * encryption and decryption in AWS Secrets Manager", the user guide: the encryption context is the secret's ARN and the
 * version's id). */
#include "services/secretsmanager/room.h"
#include <stdlib.h>

static struct str version_key(struct arena *a, struct str kind, const struct sm_secret *s, struct str id)
{
	struct key k = key_begin(a);
	key_append(&k, sm_prefix(a, kind, s));
	key_str(&k, id);
	return key_done(&k);
}

status sm_version_get(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct str id,
	struct secretsmanager_rec_version *out)
{
	struct str bytes;
	TRY(store_get(tx, version_key(a, STR("version"), s, id), &bytes));
	*out = (struct secretsmanager_rec_version){0};
	return secretsmanager_rec_version_decode(a, bytes, out);
}

void sm_version_put(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct str id,
	const struct secretsmanager_rec_version *v)
{
	store_put(tx, version_key(a, STR("version"), s, id), secretsmanager_rec_version_encode(a, v));
}

void sm_version_delete(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct str id)
{
	store_delete(tx, version_key(a, STR("version"), s, id));
	store_delete(tx, version_key(a, STR("value"), s, id));
}

static int by_age(const void *x, const void *y)
{
	const struct sm_version *a = x, *b = y;
	if (a->r.created.ms != b->r.created.ms) return a->r.created.ms < b->r.created.ms ? -1 : 1;
	return str_cmp(a->id, b->id);
}

status sm_versions(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct sm_versions *out)
{
	struct str prefix = sm_prefix(a, STR("version"), s), key, value;
	size_t capacity = 0;
	*out = (struct sm_versions){0};
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	status st = OK;
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct sm_version *v = VEC_PUSH(a, out, &capacity);
		struct str rest = str_dup(a, str_from(key, prefix.n));
		st = key_read_str(a, &rest, &v->id);
		if (is_ok(st)) st = secretsmanager_rec_version_decode(a, str_dup(a, value), &v->r);
	}
	status end = store_scan_end(scan);
	if (out->n) qsort(out->v, out->n, sizeof(*out->v), by_age);
	return is_ok(st) ? end : st;
}

static struct kms_use use_of(struct call *c, const struct sm_secret *s)
{
	struct kms_use u = kms_use_of(c);
	u.account = s->account;
	u.region = s->region;
	return u;
}

status sm_value_seal(
	struct call *c, const struct sm_secret *s, struct str id, struct str plain, struct kms_refusal *why)
{
	struct kms_use u = use_of(c, s);
	struct kms_pair context[] = {{STR("SecretARN"), s->arn}, {STR("SecretVersionId"), id}};
	struct str key_arn;
	struct secretsmanager_rec_value r = {0};
	TRY(kms_envelope_seal(
		&u, str_or(s->r.kms_key_id, SM_DEFAULT_KEY), context, 2, plain, &r.sealed, &key_arn, why));
	store_put(c->tx, version_key(c->arena, STR("value"), s, id), secretsmanager_rec_value_encode(c->arena, &r));
	return OK;
}

status sm_value_open(
	struct call *c, const struct sm_secret *s, struct str id, struct str *plain, struct kms_refusal *why)
{
	struct kms_use u = use_of(c, s);
	struct kms_pair context[] = {{STR("SecretARN"), s->arn}, {STR("SecretVersionId"), id}};
	struct secretsmanager_rec_value r = {0};
	struct str bytes;
	TRY(store_get(c->tx, version_key(c->arena, STR("value"), s, id), &bytes));
	TRY(secretsmanager_rec_value_decode(c->arena, bytes, &r));
	return kms_envelope_open(&u, r.sealed, context, 2, plain, why);
}

status sm_encryption_failure(struct call *c, status s, const struct kms_refusal *why)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	return call_fail(c, SECRETSMANAGER_ERR_ENCRYPTION_FAILURE,
		"Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the "
		"KMS key is "
		"available, enabled, and not in an invalid state. (%.*s: %.*s)",
		STR_ARG(why->code), STR_ARG(why->message));
}

status sm_decryption_failure(struct call *c, status s, const struct kms_refusal *why)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	return call_fail(c, SECRETSMANAGER_ERR_DECRYPTION_FAILURE,
		"Secrets Manager can't decrypt the protected secret text using the provided KMS key. (%.*s: %.*s)",
		STR_ARG(why->code), STR_ARG(why->message));
}

status sm_value_given(struct call *c, struct str string, struct str binary, struct sm_value *out, bool *given)
{
	if (str_has(string) && str_has(binary))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"You can't specify both a binary secret value and a string secret value in the same secret.");
	*given = str_has(string) || str_has(binary);
	*out = (struct sm_value){str_has(binary) ? binary : string, str_has(binary)};
	/* The model counts characters; the quota is of bytes. */
	if (*given && out->bytes.n > SM_VALUE_BYTES_MAX)
		return call_fail(c, ERR_VALIDATION,
			"1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have "
			"length less than or equal to %d",
			out->binary ? "secretBinary" : "secretString", SM_VALUE_BYTES_MAX);
	return OK;
}

/* "Secrets Manager removes outdated versions when there are more than 100, but it does not remove versions created less
 * than 24 hours ago" (PutSecretValue, the reference). Outdated are those without a label. */
static status make_room(struct call *c, struct sm_secret *s)
{
	struct sm_versions all;
	TRY(sm_versions(c->tx, c->arena, s, &all));
	size_t n = all.n;
	for (size_t i = 0; i < all.n && n >= SM_VERSIONS_MAX; i++) {
		const struct sm_version *v = &all.v[i];
		if (c->now_ms - v->r.created.ms < SM_DAY_MS || sm_stages_of(c->arena, s, v->id).n) continue;
		sm_version_delete(c->tx, c->arena, s, v->id);
		n--;
	}
	if (n < SM_VERSIONS_MAX) return OK;
	return call_fail(c, SECRETSMANAGER_ERR_LIMIT_EXCEEDED_EXCEPTION,
		"You can't create a version of this secret because it has %zu versions already that are in use or "
		"younger than 24 hours.",
		n);
}

static status compare(struct call *c, const struct sm_secret *s, struct str id,
	const struct secretsmanager_rec_version *old, const struct sm_value *value)
{
	struct str plain;
	struct kms_refusal why;
	status st = sm_value_open(c, s, id, &plain, &why);
	if (!is_ok(st)) return sm_decryption_failure(c, st, &why);
	bool same = old->binary.v == value->binary && str_eq_secret(plain, value->bytes);
	vault_wipe(plain);
	if (same) return OK;
	return call_fail(c, SECRETSMANAGER_ERR_RESOURCE_EXISTS_EXCEPTION,
		"You can't use ClientRequestToken %.*s because that value is already in use for a version of secret "
		"%.*s.",
		STR_ARG(id), STR_ARG(s->arn));
}

status sm_version_add(
	struct call *c, struct sm_secret *s, struct str token, const struct sm_value *value, bool *existed)
{
	struct secretsmanager_rec_version v;
	struct kms_refusal why;
	if (!str_has(token))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You must provide a ClientRequestToken value. We "
			"recommend a UUID-type value.");
	status st = sm_version_get(c->tx, c->arena, s, token, &v);
	*existed = is_ok(st);
	if (*existed) return compare(c, s, token, &v, value);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	TRY(make_room(c, s));
	st = sm_value_seal(c, s, token, value->bytes, &why);
	if (!is_ok(st)) return sm_encryption_failure(c, st, &why);
	v = (struct secretsmanager_rec_version){
		.created = SOME_TIME(c->now_ms), .kms_key_id = s->r.kms_key_id, .binary = SOME_BOOL(value->binary)};
	sm_version_put(c->tx, c->arena, s, token, &v);
	return OK;
}
