/* Values: a SecureString lies in the store only as KMS made it ("AWS KMS encryption for AWS Systems Manager Parameter
 * Store SecureString parameters", the user guide: standard parameters are encrypted by KMS directly, advanced ones by
 * envelope encryption; the encryption context is PARAMETER_ARN); patterns that values have to match. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "services/ssm/room.h"
#include <pcre2.h>

static status refuse(struct call *c, status s, const struct kms_refusal *why)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	return call_fail(c, SSM_ERR_INVALID_KEY_ID,
		"%.*s (Service: AWSKMS; Status Code: 400; Error Code: %.*s; Request ID: %.*s; Proxy: null)",
		STR_ARG(why->message), STR_ARG(why->code), STR_ARG(c->request_id));
}

static bool is_advanced(const struct ssm_rec_version *v)
{
	return str_is(v->tier, "Advanced");
}

status ps_seal(struct call *c, const struct ps_parameter *p, struct ssm_rec_version *v, struct str plain)
{
	struct kms_use u = kms_use_of(c);
	struct kms_pair context = {STR("PARAMETER_ARN"), p->arn};
	struct kms_refusal why;
	struct str key_arn;
	status s = is_advanced(v) ? kms_envelope_seal(&u, v->key_id, &context, 1, plain, &v->sealed, &key_arn, &why)
				  : kms_use_encrypt(&u, v->key_id, &context, 1, plain, &v->sealed, &key_arn, &why);
	return refuse(c, s, &why);
}

status ps_value(
	struct call *c, const struct ps_parameter *p, const struct ssm_rec_version *v, bool decrypt, struct str *out)
{
	*out = v->value;
	if (!str_has(v->sealed)) return OK;
	*out = str_base64(c->arena, v->sealed);
	if (!decrypt) return OK;
	struct kms_use u = kms_use_of(c);
	struct kms_pair context = {STR("PARAMETER_ARN"), p->arn};
	struct kms_refusal why;
	status s = is_advanced(v) ? kms_envelope_open(&u, v->sealed, &context, 1, out, &why)
				  : kms_use_decrypt(&u, v->sealed, STR_NONE, &context, 1, out, NULL, &why);
	return refuse(c, s, &why);
}

/* Whole, as Java's matches(). A pattern that backtracks without end does not match. */
status ps_pattern(struct arena *a, struct str pattern, struct str text, bool *matches)
{
	(void)a;
	int error;
	PCRE2_SIZE at;
	if (!str_utf8_valid(text) || !str_utf8_valid(pattern)) return STATUS(INVALID);
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
		PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY |
			PCRE2_NEVER_BACKSLASH_C,
		&error, &at, NULL);
	if (!code) return STATUS(INVALID);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(limits, 200000);
	pcre2_set_heap_limit(limits, 16 * 1024);
	*matches = pcre2_match(code, (PCRE2_SPTR)text.p, text.n, 0, PCRE2_NO_UTF_CHECK, data, limits) >= 0;
	pcre2_match_context_free(limits);
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	return OK;
}
