/* Bucket policies: taken, judged as to whether they are public ("The meaning of 'public'", Amazon S3 User Guide),
 * compiled. The text lies at ("s3", "policy", bucket id); the bucket's record holds its revision, under which its
 * compiled form is kept. */
#include "base/json.h"
#include "base/rand.h"
#include "policy/authz.h"
#include "policy/provider.h"
#include "services/s3/access.h"
#include "services/s3/config.h"
#include "services/s3/express.h"
#include "services/s3/point.h"
#include "services/s3/public.h"

enum { POLICY_BYTES_MAX = 20 * 1024 /* "Bucket policies are limited to 20 KB in size" */ };

static struct str key_of(struct arena *a, const struct s3_rec_bucket *b)
{
	struct key k = s3_key_space(a, STR("policy"), b);
	return key_done(&k);
}

static status malformed(struct call *c, const char *why)
{
	return call_fail(c, S3_ERR_MALFORMED_POLICY, "%s", why);
}

/* A member that may be one string or a list of them: its first string; the others follow by next. */
static const struct json_value *strings(const struct json_value *v)
{
	return json_is(v, JSON_IS_ARRAY) ? v->first : v;
}

static const struct json_value *statements(const struct json_value *policy)
{
	const struct json_value *s = json_member(policy, STR("Statement"));
	return json_is(s, JSON_IS_ARRAY) ? s->first : s;
}

/* ── what a bucket's policy may say ── */

/* The bucket itself or what is in it; wildcards may stand for either. */
static bool names_bucket(struct str resource, struct str arn)
{
	size_t head = 0;
	while (head < resource.n && resource.p[head] != '*' && resource.p[head] != '?') head++;
	if (head < resource.n && head <= arn.n) return str_starts(arn, str_sub(resource, 0, head));
	if (!str_starts(resource, arn)) return false;
	struct str rest = str_from(resource, arn.n);
	return !rest.n || rest.p[0] == '/' || rest.p[0] == '*' || rest.p[0] == '?';
}

static bool has_wildcard(struct str s)
{
	return str_chr(s, '*') >= 0 || str_chr(s, '?') >= 0;
}

static bool is_on(const struct authz_action *action, struct str type)
{
	for (uint32_t i = 0; i < action->types.n; i++) {
		const struct authz_type *t = &authz_types[authz_type_refs[action->types.first + i] >> 1];
		if (str_eq(authz_str(t->name), type)) return true;
	}
	return false;
}

/* Actions on objects need a resource with a key, those on buckets one without. */
static bool applies(const struct authz_action *action, const struct json_value *resources)
{
	bool object = is_on(action, STR("object")), bucket = is_on(action, STR("bucket"));
	if (!object && !bucket) return true;
	for (const struct json_value *r = strings(resources); r;
		r = json_is(resources, JSON_IS_ARRAY) ? r->next : NULL) {
		bool any = has_wildcard(r->text), key = str_chr(r->text, '/') >= 0;
		if ((key && object) || (!key && bucket) || (any && !key)) return true;
	}
	return false;
}

static status check_statement(struct call *c, const struct json_value *st, struct str arn, bool point)
{
	const struct json_value *resources = json_member(st, STR("Resource")),
				*actions = json_member(st, STR("Action"));
	const struct json_value *list = resources ? resources : json_member(st, STR("NotResource"));
	if (!list) return malformed(c, "Missing required field Resource");
	for (const struct json_value *r = strings(list); r; r = json_is(list, JSON_IS_ARRAY) ? r->next : NULL)
		if (!json_is(r, JSON_IS_STRING) || !names_bucket(r->text, arn))
			return malformed(c, "Policy has invalid resource");
	const struct authz_service *s3 = authz_find(STR("s3"));
	bool express = str_find(arn, STR(":s3express:")) >= 0;
	const struct json_value *all = actions ? actions : json_member(st, STR("NotAction"));
	for (const struct json_value *a = strings(all); a; a = json_is(all, JSON_IS_ARRAY) ? a->next : NULL) {
		struct str name = json_string(a);
		if (str_is(name, "*")) continue;
		if (express) {
			bool any = str_has(name) && str_istarts(name, STR("s3express:")) && has_wildcard(name);
			if (!any && !s3_express_action(str_or(name, STR(""))))
				return malformed(c, "Policy has invalid action");
			continue;
		}
		if (!str_istarts(str_or(name, STR("")), STR("s3:"))) return malformed(c, "Policy has invalid action");
		name = str_from(name, 3);
		if (has_wildcard(name)) continue;
		const struct authz_action *known = authz_find_action(s3, name);
		if (!known) return malformed(c, "Policy has invalid action");
		if (actions && resources && !point && !applies(known, resources))
			return malformed(c, "Action does not apply to any resource(s) in statement");
	}
	return OK;
}

static status check(struct call *c, struct str arn, bool point, struct str text, struct json_value **json)
{
	struct policy_error why = {0};
	struct policy *compiled;
	struct policy_source source = {.type = POLICY_RESOURCE};
	if (text.n > POLICY_BYTES_MAX) return malformed(c, "Policy exceeds the maximum allowed document size.");
	if (!text.n || text.p[0] != '{' || !is_ok(json_read(c->arena, text, json)) || !json_is(*json, JSON_IS_OBJECT))
		return malformed(c, "Policies must be valid JSON and the first byte must be '{'");
	if (!json_member(*json, STR("Statement"))) return malformed(c, "Missing required field Statement");
	for (const struct json_value *st = statements(*json); st; st = st->next) {
		if (!json_is(st, JSON_IS_OBJECT)) break;
		if (!json_member(st, STR("Principal")) && !json_member(st, STR("NotPrincipal")))
			return malformed(c, "Missing required field Principal");
		if (!json_member(st, STR("Effect"))) return malformed(c, "Missing required field Effect");
		if (!json_member(st, STR("Action")) && !json_member(st, STR("NotAction")))
			return malformed(c, "Missing required field Action");
		if (!is_ok(check_statement(c, st, arn, point))) return STATUS(FAILED);
	}
	if (!is_ok(policy_parse(text, &source, &compiled, &why))) {
		bool principal = str_starts(str_c(why.message), STR("Invalid principal in policy"));
		return malformed(c, principal ? "Invalid principal in policy" : why.message);
	}
	policy_free(compiled);
	return OK;
}

/* ── is it public? ── */

static bool is_anyone(const struct json_value *principal)
{
	if (str_is(str_or(json_string(principal), STR("")), "*")) return true;
	const struct json_value *aws = json_member(principal, STR("AWS"));
	for (const struct json_value *p = strings(aws); p; p = json_is(aws, JSON_IS_ARRAY) ? p->next : NULL)
		if (str_is(str_or(json_string(p), STR("")), "*")) return true;
	return false;
}

static bool all_fixed(const struct json_value *values, bool address)
{
	for (const struct json_value *v = strings(values); v; v = json_is(values, JSON_IS_ARRAY) ? v->next : NULL) {
		struct str text = json_scalar(v);
		if (!str_has(text) || str_find(text, STR("${")) >= 0) return false;
		if (address ? str_ends(text, STR("/0")) : has_wildcard(text)) return false;
	}
	return true;
}

/* "one or more of the following: … aws:SourceIp, aws:SourceArn, …" by an operator that asks for equality. */
static bool is_confined(const struct json_value *statement)
{
	static const char *const operators[] = {
		"StringEquals", "StringLike", "StringEqualsIgnoreCase", "ArnEquals", "ArnLike", "IpAddress"};
	static const char *const keys[] = {"aws:SourceIp", "aws:SourceArn", "aws:SourceVpc", "aws:SourceVpce",
		"aws:SourceOwner", "aws:SourceAccount", "aws:userid", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
		"aws:PrincipalArn", "aws:PrincipalAccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
		"s3:DataAccessPointArn", "s3:DataAccessPointAccount"};
	const struct json_value *conditions = json_member(statement, STR("Condition"));
	for (const struct json_value *op = json_is(conditions, JSON_IS_OBJECT) ? conditions->first : NULL; op;
		op = op->next) {
		bool equality = false;
		for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
			equality |= str_ieq(op->name, str_c(operators[i]));
		if (!equality || !json_is(op, JSON_IS_OBJECT)) continue;
		for (const struct json_value *key = op->first; key; key = key->next)
			for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
				if (str_ieq(key->name, str_c(keys[i])) && all_fixed(key, i == 0)) return true;
	}
	return false;
}

static bool is_public(const struct json_value *policy)
{
	for (const struct json_value *st = statements(policy); st;
		st = json_is(json_member(policy, STR("Statement")), JSON_IS_ARRAY) ? st->next : NULL) {
		if (!str_is(str_or(json_string(json_member(st, STR("Effect"))), STR("")), "Allow")) continue;
		bool anyone = json_member(st, STR("NotPrincipal")) || is_anyone(json_member(st, STR("Principal")));
		if (anyone && !is_confined(st)) return true;
	}
	return false;
}

/* ── compiled ── */

/* An account is named also by its canonical id: the engine knows accounts only ("AWS account principals"). */
static void rename_canonical(struct arena *a, struct json_value *statement)
{
	struct json_value *principal = json_member(statement, STR("Principal"));
	struct json_value *ids = json_member(principal, STR("CanonicalUser"));
	if (!ids || json_member(principal, STR("AWS"))) return;
	ids->name = STR("AWS");
	for (struct json_value *v = json_is(ids, JSON_IS_ARRAY) ? ids->first : ids; v;
		v = json_is(ids, JSON_IS_ARRAY) ? v->next : NULL)
		(void)s3_account_of(a, str_or(json_string(v), STR("")), &v->text);
}

static struct str rewrite(struct arena *a, struct str text, bool denials)
{
	struct json_value *json;
	struct buf b = BUF_IN(a);
	if (!is_ok(json_read(a, text, &json))) return text;
	struct json_value *list = json_member(json, STR("Statement"));
	struct json_value **at = json_is(list, JSON_IS_ARRAY) ? &list->first : NULL;
	for (struct json_value *st = at ? *at : list; st; st = at ? *at : NULL) {
		bool deny = str_is(str_or(json_string(json_member(st, STR("Effect"))), STR("")), "Deny");
		rename_canonical(a, st);
		if (denials && !deny) {
			if (!at) return STR_NONE;
			*at = st->next;
			list->length--;
		} else if (at) {
			at = &st->next;
		} else {
			break;
		}
	}
	if (at && !list->first) return STR_NONE;
	json_write(&b, json);
	return buf_done(&b);
}

status s3_policy_load(struct store_tx *tx, struct arena *a, struct policy_library *l, const struct s3_rec_bucket *b,
	bool denials, struct policy **out)
{
	struct str text;
	*out = NULL;
	TRY(store_get(tx, key_of(a, b), &text));
	text = rewrite(a, text, denials);
	if (!str_has(text)) return OK;
	struct policy_source source = {.type = POLICY_RESOURCE, .label = b->name};
	struct str key = str_fmt(a, "%s%llx", denials ? "deny:" : "all:", (unsigned long long)b->policy.v);
	return policy_library_get(l, key, text, &source, out, NULL);
}

void s3_policy_drop(struct call *c, const struct s3_rec_bucket *b)
{
	store_delete(c->tx, key_of(c->arena, b));
}

status s3_policy_check(struct call *c, struct str arn, bool point, struct str text, bool *public)
{
	struct json_value *json;
	TRY(check(c, arn, point, text, &json));
	*public = is_public(json);
	return OK;
}

/* ── the operations ── */

/* "If you have [the] permissions, but you're not using an identity that belongs to the bucket owner's account, Amazon
 * S3 returns a 405 Method Not Allowed error" ("PutBucketPolicy", API reference). */
static status load(struct call *c, struct str bucket, struct str expected_owner, struct s3_rec_bucket *b)
{
	TRY(s3_bucket_load(c, bucket, expected_owner, b));
	if (str_eq(c->account, b->owner)) return OK;
	return call_fail(c, S3_ERR_METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.");
}

static status no_policy(struct call *c, const struct s3_rec_bucket *b)
{
	status s = call_fail(c, S3_ERR_NO_SUCH_BUCKET_POLICY, "The bucket policy does not exist");
	call_fail_detail(c, STR("BucketName"), b->name);
	return s;
}

status s3_put_bucket_policy(
	struct call *c, const struct s3_put_bucket_policy_input *in, struct s3_put_bucket_policy_output *out)
{
	struct s3_rec_bucket b;
	bool public;
	unsigned bits;
	(void)out;
	TRY(load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_config_check_digest(c));
	struct str text = str_or(in->policy, STR(""));
	struct str arn = s3_is_directory(&b)
				 ? s3_express_arn(c, &b)
				 : str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(b.name));
	TRY(s3_policy_check(c, arn, false, text, &public));
	TRY(s3_bucket_public(c->tx, c->arena, &b, &bits));
	if (public && bits & S3_BLOCK_PUBLIC_POLICY)
		return call_fail(c, ERR_ACCESS_DENIED,
			"User: %.*s is not authorized to perform: s3:PutBucketPolicy on resource: "
			"\"arn:%.*s:s3:::%.*s\" because public "
			"policies are blocked by the BlockPublicPolicy block public access setting.",
			STR_ARG(c->principal.arn), STR_ARG(c->partition), STR_ARG(b.name));
	store_put(c->tx, key_of(c->arena, &b), text);
	b.policy = SOME_I64((int64_t)(rand_u64() >> 1));
	b.policy_public = SOME_BOOL(public);
	s3_bucket_save(c, &b);
	c->response_code = 204; /* "Sample Response" of PutBucketPolicy, API reference */
	return OK;
}

status s3_get_bucket_policy(
	struct call *c, const struct s3_get_bucket_policy_input *in, struct s3_get_bucket_policy_output *out)
{
	struct s3_rec_bucket b;
	TRY(load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!b.policy.has) return no_policy(c, &b);
	TRY(store_get(c->tx, key_of(c->arena, &b), &out->policy));
	out->policy = str_dup(c->arena, out->policy);
	return OK;
}

status s3_delete_bucket_policy(
	struct call *c, const struct s3_delete_bucket_policy_input *in, struct s3_delete_bucket_policy_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(load(c, in->bucket, in->expected_bucket_owner, &b));
	s3_policy_drop(c, &b);
	b.policy = (struct opt_i64){0};
	b.policy_public = (struct opt_bool){0};
	s3_bucket_save(c, &b);
	return OK;
}

status s3_get_bucket_policy_status(struct call *c, const struct s3_get_bucket_policy_status_input *in,
	struct s3_get_bucket_policy_status_output *out)
{
	struct s3_rec_bucket b;
	TRY(load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!b.policy.has) return no_policy(c, &b);
	out->policy_status = arena_new(c->arena, struct s3_policy_status);
	out->policy_status->is_public = SOME_BOOL(b.policy_public.v);
	return OK;
}
