/* requestParameters and responseElements ("CloudTrail record contents"): "null" where there are none, and for answers
 * that change nothing. "The field has a maximum size of 100 KB; when the field size exceeds that limit, the … content
 * is omitted." */
#include "base/json.h"
#include "services/cloudtrail/room.h"
#include "wire/audit.h"

enum { ELEMENT_MAX = 100 * 1024 };

/* What AWS does not tell beside what the models call sensitive: credentials, one-time codes, contents of items and
 * messages. */
static const char *left_out_of(const struct wire_service *s)
{
	static const struct {
		const char *service, *members;
	} rules[] = {
		{"sts", "SecretAccessKey SessionToken WebIdentityToken SAMLAssertion TokenCode"},
		{"iam", "SecretAccessKey AuthenticationCode1 AuthenticationCode2 Password OldPassword NewPassword "
			"ServicePassword PrivateKey"},
		{"kms", "GrantToken GrantTokens"},
		{"dynamodb", "Item Items Expected AttributeUpdates ExpressionAttributeValues Parameters Responses "
			     "UnprocessedItems Attributes RequestItems"},
		{"secretsmanager", "RandomPassword ClientRequestToken"},
		{"sqs", "MessageBody Body Attributes MessageAttributes"},
		{"sns", "Message Token"},
	};
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (strcmp(rules[i].service, s->name) == 0) return rules[i].members;
	return NULL;
}

static void whole(struct buf *b, struct str text, bool any)
{
	if (!any) {
		buf_lit(b, "null");
	} else if (text.n > ELEMENT_MAX) {
		buf_fmt(b, "{\"omitted\":true,\"originalSize\":%zu,\"reason\":\"The field exceeds %d bytes.\"}", text.n,
			ELEMENT_MAX);
	} else {
		buf_byte(b, '{');
		buf_str(b, text);
		buf_byte(b, '}');
	}
}

static void told(struct buf *b, bool *comma, struct str name, struct str value)
{
	if (*comma) buf_byte(b, ',');
	*comma = true;
	json_quote(b, name);
	buf_byte(b, ':');
	json_quote(b, value);
}

/* ── S3 ── "Amazon S3 CloudTrail events", examples: the bucket, the key, the host and the request's own parameters. */

static struct str label(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->match.n_labels; i++)
		if (str_eq(c->match.labels[i].name, str_c(name))) return c->match.labels[i].value;
	return STR_NONE;
}

static void s3_query(struct buf *b, struct call *c, bool *comma)
{
	struct str rest = c->http->query;
	while (str_has(rest)) {
		struct str pair = str_cut(&rest, '&'), key, value, raw = str_cut(&pair, '=');
		if (!raw.n || !is_ok(str_uri_decode(c->arena, raw, true, &key)) ||
			!is_ok(str_uri_decode(c->arena, str_or(pair, STR("")), true, &value)))
			continue;
		if (str_istarts(key, STR("X-Amz-")) || str_is(key, "Signature") || str_is(key, "AWSAccessKeyId"))
			continue;
		told(b, comma, key, value);
	}
}

static void s3_headers(struct buf *b, struct call *c, bool *comma)
{
	static const char *const names[] = {"x-amz-acl", "x-amz-copy-source", "x-amz-storage-class",
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-object-ownership",
		"x-amz-bucket-object-lock-enabled"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct str v = call_request_header(c, str_c(names[i]));
		if (str_has(v)) told(b, comma, str_c(names[i]), v);
	}
}

static void s3_policy(struct buf *b, struct call *c, const void *in, bool *comma)
{
	struct json_value *v;
	const struct wire_tables *t = &c->match.service->tables;
	const struct wire_shape *s = &t->shapes[c->match.op->in];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		if (!str_is(wire_str(t, m->name), "Policy") || t->shapes[m->shape].kind != WIRE_STRING) continue;
		struct str text = *(const struct str *)((const char *)in + m->offset);
		if (!str_has(text) || !is_ok(json_read(c->arena, text, &v))) return;
		if (*comma) buf_byte(b, ',');
		*comma = true;
		buf_lit(b, "\"bucketPolicy\":");
		json_write(b, v);
	}
}

static void s3_parameters(struct buf *b, struct call *c, const void *in)
{
	struct wire_audit how = {.as_modelled = true, .left_out = "Policy"};
	struct str bucket = label(c, "Bucket"), key = label(c, "Key"), plain;
	bool comma = false;
	if (str_has(bucket) && is_ok(str_uri_decode(c->arena, bucket, false, &plain)))
		told(b, &comma, STR("bucketName"), plain);
	told(b, &comma, STR("Host"), c->http->host);
	if (str_has(key) && is_ok(str_uri_decode(c->arena, key, false, &plain))) told(b, &comma, STR("key"), plain);
	s3_query(b, c, &comma);
	s3_headers(b, c, &comma);
	if (!in) return;
	s3_policy(b, c, in, &comma);
	wire_audit_members(b, &c->match.service->tables, c->match.op->in, in, &how, &comma);
}

/* What an answer tells in headers. */
static bool s3_response(struct buf *b, struct call *c, const void *out)
{
	const struct wire_tables *t = &c->match.service->tables;
	bool comma = false;
	if (c->match.op->out == WIRE_NO_SHAPE) return false;
	const struct wire_shape *s = &t->shapes[c->match.op->out];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		struct str n = wire_str(t, m->wire_name), v;
		if (WIRE_LOCATION(m) != WIRE_IN_HEADER || t->shapes[m->shape].kind != WIRE_STRING) continue;
		memcpy(&v, (const char *)out + m->offset, sizeof(v));
		if (str_has(v) && str_istarts(n, STR("x-amz-"))) told(b, &comma, n, v);
	}
	return comma;
}

/* ── all ── */

static bool is_ec2(const struct call *c)
{
	return c->match.service->protocol == WIRE_EC2;
}

void ct_parameters(struct buf *b, struct call *c)
{
	const void *in = call_input(c);
	struct wire_audit how = {.left_out = left_out_of(c->match.service), .sets = is_ec2(c)};
	struct buf text = BUF_IN(c->arena);
	bool comma = false;
	if (strcmp(c->match.service->name, "s3") == 0 && c->http && !str_has(ct_invoker(c))) {
		s3_parameters(&text, c, in);
		comma = true;
	} else if (in) {
		wire_audit_members(&text, &c->match.service->tables, c->match.op->in, in, &how, &comma);
	}
	whole(b, buf_done(&text), comma);
}

void ct_response(struct buf *b, struct call *c, bool read_only)
{
	const void *out = call_output(c);
	struct wire_audit how = {.left_out = left_out_of(c->match.service), .sets = is_ec2(c)};
	struct buf text = BUF_IN(c->arena);
	bool comma = false, sts = strcmp(c->match.service->name, "sts") == 0;
	bool failed = str_has(c->failure.message);
	/* New credentials are told, although getting them counts as reading. */
	if (failed || !out || (read_only && !sts)) {
		buf_lit(b, "null");
		return;
	}
	if (strcmp(c->match.service->name, "s3") == 0)
		comma = s3_response(&text, c, out);
	else
		wire_audit_members(&text, &c->match.service->tables, c->match.op->out, out, &how, &comma);
	whole(b, buf_done(&text), comma);
}
