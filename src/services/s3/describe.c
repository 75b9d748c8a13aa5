/* The condition keys that S3 knows of a request ("Actions, resources, and condition keys for Amazon S3", Service
 * Authorization Reference). A key whose header or parameter is absent is absent. */
#include "base/vec.h"
#include "policy/policy.h"
#include "services/s3/access.h"
#include "services/s3/headers.h"
#include "services/s3/object.h"

struct pair {
	const char *from, *key;
};

static struct str parameter(struct call *c, struct str wanted)
{
	struct str rest = c->http->query, value;
	while (str_has(rest)) {
		struct str pair = str_cut(&rest, '&'), name = str_cut(&pair, '=');
		if (!str_ieq(name, wanted)) continue;
		if (is_ok(str_uri_decode(c->arena, str_or(pair, STR("")), true, &value))) return value;
	}
	return STR_NONE;
}

static void set(struct policy_context *context, struct str name, struct str value)
{
	if (str_has(value)) policy_context_set(context, name, value);
}

static void describe_tags(struct call *c, const void *in, struct policy_context *context)
{
	struct s3_rec_tags tags = {0};
	size_t capacity = 0;
	struct {
		struct str *v;
		size_t n;
	} keys = {0};
	struct str header = call_request_header(c, STR("x-amz-tagging"));
	if (!str_has(header)) header = parameter(c, STR("x-amz-tagging"));
	if (c->match.op_index == S3_OP_PUT_OBJECT_TAGGING && in) {
		const struct s3_tagging *tagging = ((const struct s3_put_object_tagging_input *)in)->tagging;
		for (size_t i = 0; tagging && i < tagging->tag_set.n; i++)
			*VEC_PUSH(c->arena, &tags, &capacity) = (struct s3_rec_tag){
				tagging->tag_set.v[i].key, str_or(tagging->tag_set.v[i].value, STR(""))};
		capacity = 0;
	} else if (!str_has(header) || !is_ok(s3_headers_tags(c, header, &tags))) {
		/* What is wrong with them is the operation's to say. */
		c->failure = (struct wire_failure){0};
		return;
	}
	for (size_t i = 0; i < tags.n; i++) {
		policy_context_set_tag(context, STR("s3:RequestObjectTag/"), tags.v[i].key, tags.v[i].value);
		*VEC_PUSH(c->arena, &keys, &capacity) = tags.v[i].key;
	}
	policy_context_set_list(context, STR("s3:RequestObjectTagKeys"), keys.v, keys.n);
}

static void describe_lock(struct call *c, const void *in, struct policy_context *context)
{
	struct str mode = STR_NONE, hold = STR_NONE;
	struct opt_time until = {0};
	if (c->match.op_index == S3_OP_PUT_OBJECT_RETENTION && in) {
		const struct s3_object_lock_retention *r =
			((const struct s3_put_object_retention_input *)in)->retention;
		if (r) mode = r->mode;
		if (r) until = r->retain_until_date;
	} else if (c->match.op_index == S3_OP_PUT_OBJECT_LEGAL_HOLD && in) {
		const struct s3_object_lock_legal_hold *h =
			((const struct s3_put_object_legal_hold_input *)in)->legal_hold;
		if (h) hold = h->status;
	} else {
		mode = call_request_header(c, STR("x-amz-object-lock-mode"));
		hold = call_request_header(c, STR("x-amz-object-lock-legal-hold"));
		struct str text = call_request_header(c, STR("x-amz-object-lock-retain-until-date"));
		until.has = str_has(text) && is_ok(time_read_iso8601(text, &until.ms));
	}
	set(context, STR("s3:object-lock-mode"), mode);
	set(context, STR("s3:object-lock-legal-hold"), hold);
	if (!until.has) return;
	policy_context_set(context, STR("s3:object-lock-retain-until-date"), time_iso8601(c->arena, until.ms, false));
	int64_t day = 24ll * 60 * 60 * 1000;
	policy_context_set_i64(
		context, STR("s3:object-lock-remaining-retention-days"), (until.ms - c->now_ms + day - 1) / day);
}

void s3_describe_request(struct call *c, const void *in, struct policy_context *context)
{
	static const char *const headers[] = {"x-amz-acl", "x-amz-copy-source", "x-amz-grant-full-control",
		"x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp",
		"x-amz-metadata-directive", "x-amz-object-ownership", "x-amz-server-side-encryption",
		"x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-algorithm",
		"x-amz-storage-class", "x-amz-website-redirect-location", "if-match", "if-none-match"};
	static const struct pair parameters[] = {{"prefix", "s3:prefix"}, {"delimiter", "s3:delimiter"},
		{"max-keys", "s3:max-keys"}, {"versionId", "s3:VersionId"}};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		struct str name = str_c(headers[i]), value = call_request_header(c, name);
		/* A presigned request may carry them in its query. */
		if (!str_has(value) && c->http->query.n && str_starts(name, STR("x-amz-"))) value = parameter(c, name);
		if (str_has(value)) policy_context_set(context, str_cat(c->arena, STR("s3:"), name), value);
	}
	for (size_t i = 0; c->http->query.n && i < sizeof parameters / sizeof *parameters; i++)
		set(context, str_c(parameters[i].key), parameter(c, str_c(parameters[i].from)));
	if (c->match.op_index == S3_OP_CREATE_BUCKET && in) {
		const struct s3_create_bucket_configuration *conf =
			((const struct s3_create_bucket_input *)in)->create_bucket_configuration;
		if (conf) set(context, STR("s3:LocationConstraint"), conf->location_constraint);
	}
	describe_tags(c, in, context);
	describe_lock(c, in, context);
}
