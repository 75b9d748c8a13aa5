/* What requests say of encryption, and buckets' defaults: PutBucketEncryption, GetBucketEncryption,
 * DeleteBucketEncryption. */
#include "base/json.h"
#include "base/vec.h"
#include "services/kms/keys.h"
#include "services/s3/config.h"
#include "services/s3/sse.h"

#define HEADER "x-amz-server-side-encryption"

/* ── a customer's key ── */

status s3_customer_read(
	struct call *c, struct str algorithm, struct str key, struct str md5, bool source, struct s3_customer *out)
{
	struct str prefix =
		source ? STR("x-amz-copy-source-server-side-encryption-customer-") : STR(HEADER "-customer-");
	uint8_t actual[16];
	struct str raw;
	*out = (struct s3_customer){0};
	if (!str_has(algorithm) && !str_has(key) && !str_has(md5)) return OK;
	if (!str_has(algorithm))
		return s3_invalid_argument(c, str_cat(c->arena, prefix, STR("algorithm")), algorithm,
			"Requests specifying Server Side Encryption with Customer provided keys must provide a valid "
			"encryption "
			"algorithm.");
	if (!str_is(algorithm, "AES256"))
		return call_fail(c, S3_ERR_INVALID_ENCRYPTION_ALGORITHM_ERROR,
			"The encryption request that you specified is not valid. The valid value is AES256.");
	if (!str_has(key))
		return s3_invalid_argument(c, str_cat(c->arena, prefix, STR("key")), key,
			"Requests specifying Server Side Encryption with Customer provided keys must provide an "
			"appropriate secret "
			"key.");
	if (!is_ok(str_unbase64(c->arena, str_trim(key), &raw)) || raw.n != S3_KEY_BYTES)
		return s3_invalid_argument(c, str_cat(c->arena, prefix, STR("key")), STR_NONE,
			"The secret key was invalid for the specified algorithm.");
	if (!str_has(md5))
		return s3_invalid_argument(c, str_cat(c->arena, prefix, STR("key-MD5")), md5,
			"Requests specifying Server Side Encryption with Customer provided keys must provide the "
			"client calculated "
			"MD5 of the secret key.");
	digest_md5(raw, actual);
	if (!str_eq(str_trim(md5), str_base64(c->arena, str_n(actual, sizeof actual))))
		return s3_invalid_argument(c, str_cat(c->arena, prefix, STR("key-MD5")), md5,
			"The calculated MD5 hash of the key did not match the hash that was provided.");
	*out = (struct s3_customer){raw, str_trim(md5)};
	return OK;
}

/* ── the encryption of an object to be ── */

static bool is_kms(struct str algorithm)
{
	return str_is(algorithm, "aws:kms") || str_is(algorithm, "aws:kms:dsse");
}

static status read_context(struct call *c, struct str text, struct s3_rec_sse *e)
{
	struct str json;
	struct json_value *v = NULL;
	size_t capacity = 0;
	if (!str_has(text)) return OK;
	bool right = is_ok(str_unbase64(c->arena, text, &json)) && is_ok(json_read(c->arena, json, &v)) &&
		     json_is(v, JSON_IS_OBJECT);
	for (const struct json_value *m = right ? v->first : NULL; m && right; m = m->next) {
		right = json_is(m, JSON_IS_STRING);
		if (right)
			*VEC_PUSH(c->arena, &e->context, &capacity) = (struct s3_rec_metadata_entry){m->name, m->text};
	}
	e->given_context = text;
	if (right) return OK;
	return s3_invalid_argument(c, STR(HEADER "-context"), text,
		"The header '" HEADER
		"-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string "
		"map");
}

/* NOT_FOUND where the bucket has none of its own. */
static status default_rule(struct call *c, const struct s3_rec_bucket *b, struct s3_server_side_encryption_rule **out)
{
	struct s3_put_bucket_encryption_input in;
	TRY(s3_config_get(c, b, S3_CONFIG_ENCRYPTION, STR(""), &in));
	const struct s3_server_side_encryption_configuration *conf = in.server_side_encryption_configuration;
	if (!conf || !conf->rules.n) return STATUS(NOT_FOUND);
	*out = &conf->rules.v[0];
	return OK;
}

static bool blocks_customers(const struct s3_server_side_encryption_rule *rule)
{
	if (!rule || !rule->blocked_encryption_types) return false;
	const struct s3_encryption_type_list *l = &rule->blocked_encryption_types->encryption_type;
	for (size_t i = 0; i < l->n; i++)
		if (str_is(l->v[i], "SSE-C")) return true;
	return false;
}

static status choose_kms(struct call *c, const struct s3_sse_wish *w, const struct s3_server_side_encryption_rule *rule,
	struct s3_rec_sse *e)
{
	const struct s3_server_side_encryption_by_default *d =
		rule ? rule->apply_server_side_encryption_by_default : NULL;
	e->kms_key = w->kms_key;
	if (str_has(w->kms_key) && str_empty(w->kms_key)) e->kms_key = STR_NONE;
	/* "If you don't specify a KMS key, S3 uses the bucket's default, where that is one of KMS, else the AWS managed
	 * key." */
	if (!str_has(e->kms_key) && d && is_kms(d->sse_algorithm)) e->kms_key = d->kms_master_key_id;
	e->bucket_key = w->bucket_key;
	if (!w->bucket_key.has && rule) e->bucket_key = rule->bucket_key_enabled;
	/* "S3 Bucket Keys aren't supported for DSSE-KMS." */
	if (str_is(e->algorithm, "aws:kms:dsse")) e->bucket_key = (struct opt_bool){0};
	return read_context(c, w->context, e);
}

status s3_sse_choose(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_sse_wish *w, struct s3_rec_sse **out)
{
	struct s3_rec_sse *e = *out = arena_new(c->arena, struct s3_rec_sse);
	struct s3_server_side_encryption_rule *rule = NULL;
	status s = default_rule(c, b, &rule);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (str_has(w->customer.key)) {
		if (str_has(w->algorithm))
			return s3_invalid_argument(c, STR(HEADER), w->algorithm,
				"Server Side Encryption with Customer provided key is incompatible with the encryption "
				"method specified");
		if (blocks_customers(rule)) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
		e->algorithm = STR("customer");
		return OK;
	}
	if (str_has(w->algorithm) && !str_is(w->algorithm, "AES256") && !is_kms(w->algorithm))
		return s3_invalid_argument(
			c, STR(HEADER), w->algorithm, "The encryption method specified is not supported");
	if (str_has(w->kms_key) && !is_kms(w->algorithm))
		return s3_invalid_argument(c, STR(HEADER), w->algorithm,
			"Server Side Encryption with AWS KMS managed key requires HTTP header " HEADER " : aws:kms");
	const struct s3_server_side_encryption_by_default *d =
		rule ? rule->apply_server_side_encryption_by_default : NULL;
	e->algorithm = str_has(w->algorithm) ? w->algorithm : d ? d->sse_algorithm : STR("AES256");
	if (is_kms(e->algorithm)) return choose_kms(c, w, rule, e);
	if (str_has(w->context))
		return s3_invalid_argument(c, STR(HEADER "-context"), w->context,
			"Server Side Encryption with AWS KMS managed key requires HTTP header " HEADER " : aws:kms");
	return OK;
}

/* ── buckets' defaults ── */

static status check_rule(struct call *c, const struct s3_server_side_encryption_rule *r)
{
	const struct s3_server_side_encryption_by_default *d = r->apply_server_side_encryption_by_default;
	if (r->blocked_encryption_types) {
		const struct s3_encryption_type_list *l = &r->blocked_encryption_types->encryption_type;
		for (size_t i = 0; i < l->n; i++)
			if (!str_is(l->v[i], "SSE-C") && !str_is(l->v[i], "NONE")) return s3_malformed_xml(c);
		if (!d) return OK;
	}
	if (!d || !str_has(d->sse_algorithm)) return s3_malformed_xml(c);
	if (str_is(d->sse_algorithm, "AES256")) {
		if (!str_has(d->kms_master_key_id)) return OK;
		return s3_invalid_argument(c, STR("ApplyServerSideEncryptionByDefault"), d->kms_master_key_id,
			"a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or "
			"aws:kms:dsse");
	}
	return is_kms(d->sse_algorithm) ? OK : s3_malformed_xml(c);
}

status s3_put_bucket_encryption(
	struct call *c, const struct s3_put_bucket_encryption_input *in, struct s3_put_bucket_encryption_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	const struct s3_server_side_encryption_configuration *conf = in->server_side_encryption_configuration;
	if (!conf || conf->rules.n != 1) return s3_malformed_xml(c);
	TRY(check_rule(c, &conf->rules.v[0]));
	return s3_config_put(c, &b, S3_CONFIG_ENCRYPTION, STR(""));
}

/* "Amazon S3 now automatically applies SSE-S3 as the base level of encryption for every bucket" (January 5, 2023). */
status s3_get_bucket_encryption(
	struct call *c, const struct s3_get_bucket_encryption_input *in, struct s3_get_bucket_encryption_output *out)
{
	struct s3_rec_bucket b;
	struct s3_server_side_encryption_rule *rule = NULL,
					      *shown = arena_new(c->arena, struct s3_server_side_encryption_rule);
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = default_rule(c, &b, &rule);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (rule) *shown = *rule;
	if (!shown->apply_server_side_encryption_by_default) {
		shown->apply_server_side_encryption_by_default =
			arena_new(c->arena, struct s3_server_side_encryption_by_default);
		shown->apply_server_side_encryption_by_default->sse_algorithm = STR("AES256");
	}
	if (!shown->bucket_key_enabled.has) shown->bucket_key_enabled = SOME_BOOL(false);
	out->server_side_encryption_configuration = arena_new(c->arena, struct s3_server_side_encryption_configuration);
	out->server_side_encryption_configuration->rules.v = shown;
	out->server_side_encryption_configuration->rules.n = 1;
	return OK;
}

status s3_delete_bucket_encryption(struct call *c, const struct s3_delete_bucket_encryption_input *in,
	struct s3_delete_bucket_encryption_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	return s3_config_drop(c, &b, S3_CONFIG_ENCRYPTION, STR(""), NULL);
}
