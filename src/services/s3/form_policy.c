/* Judging a form by its policy. */
#include "services/s3/form_policy.h"
#include "base/json.h"

static status denied(struct call *c, struct str why)
{
	return call_fail(c, ERR_ACCESS_DENIED, "Invalid according to Policy: %.*s", STR_ARG(why));
}

static status invalid(struct call *c, const char *why)
{
	return call_fail(c, S3_ERR_INVALID_POLICY_DOCUMENT, "Invalid Policy: %s", why);
}

static status failed(struct call *c, const char *op, struct str name, struct str value)
{
	struct buf b = BUF_IN(c->arena);
	buf_fmt(&b, "Policy Condition failed: [\"%s\", ", op);
	json_quote(&b, str_cat(c->arena, STR("$"), name));
	buf_lit(&b, ", ");
	json_quote(&b, value);
	buf_byte(&b, ']');
	return denied(c, buf_done(&b));
}

struct judged {
	struct call *c;
	const struct s3_form *form;
	struct str bucket;
	bool *covered; /* by index in form->v */
};

/* Several values of one field have to fulfil the condition each. */
static status judge(struct judged *j, bool starts, struct str name, struct str value)
{
	struct call *c = j->c;
	bool any = false;
	if (str_ieq(name, STR("bucket"))) {
		/* The bucket that the form goes to, whatever a field of that name says. */
		any = starts ? str_starts(j->bucket, value) : str_eq(j->bucket, value);
		if (!any) return failed(c, starts ? "starts-with" : "eq", name, value);
	}
	for (size_t i = 0; i < j->form->n; i++) {
		if (!str_ieq(j->form->v[i].name, name)) continue;
		struct str has = j->form->v[i].value;
		bool ok = starts ? str_starts(has, value) : str_eq(has, value);
		/* "For Content-Type … starts-with … a list of values separated by commas: each has to" */
		if (starts && str_ieq(name, STR("Content-Type")) && str_chr(has, ',') >= 0) {
			for (ok = true; ok && str_has(has);) ok = str_starts(str_trim(str_cut(&has, ',')), value);
		}
		if (!ok) return failed(c, starts ? "starts-with" : "eq", name, value);
		j->covered[i] = any = true;
	}
	/* An absent field is like an empty one. */
	if (any || str_empty(value)) return OK;
	return failed(c, starts ? "starts-with" : "eq", name, value);
}

static status judge_length(
	struct call *c, const struct s3_form *f, const struct json_value *min, const struct json_value *max)
{
	uint64_t low, high;
	if (!is_ok(str_to_u64(str_or(json_scalar(min), STR("")), &low)) ||
		!is_ok(str_to_u64(str_or(json_scalar(max), STR("")), &high)))
		return invalid(c, "Invalid content-length-range: numbers expected.");
	if (f->file.n >= low && f->file.n <= high) return OK;
	bool large = f->file.n > high;
	status s = call_fail(c, large ? S3_ERR_ENTITY_TOO_LARGE : S3_ERR_ENTITY_TOO_SMALL,
		large ? "Your proposed upload exceeds the maximum allowed size"
		      : "Your proposed upload is smaller than the minimum allowed size");
	call_fail_detail(c, STR("ProposedSize"), str_fmt(c->arena, "%zu", f->file.n));
	call_fail_detail(c, large ? STR("MaxSizeAllowed") : STR("MinSizeAllowed"),
		str_fmt(c->arena, "%llu", (unsigned long long)(large ? high : low)));
	return s;
}

static status judge_list(struct judged *j, const struct json_value *v)
{
	struct call *c = j->c;
	if (v->length != 3) return invalid(c, "Invalid Condition: a list of three is expected.");
	const struct json_value *name = v->first->next, *value = name->next;
	struct str op = str_or(json_string(v->first), STR(""));
	if (str_ieq(op, STR("content-length-range"))) return judge_length(c, j->form, name, value);
	bool starts = str_ieq(op, STR("starts-with"));
	if (!starts && !str_ieq(op, STR("eq"))) return invalid(c, "Invalid Condition: unknown operation.");
	struct str field = json_string(name);
	if (!str_starts(str_or(field, STR("")), STR("$")) || !str_has(json_string(value)))
		return invalid(c, "Invalid Condition: the name must begin with $ and the value be a string.");
	return judge(j, starts, str_from(field, 1), json_string(value));
}

/* "Each form field that you specify in a form (except x-amz-signature, file, policy, and field names that have an
 * x-ignore- prefix) must also be specified in the list of conditions." */
static bool exempt(struct str name)
{
	static const char *const names[] = {"x-amz-signature", "file", "policy", "signature", "AWSAccessKeyId"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_ieq(name, str_c(names[i]))) return true;
	return str_istarts(name, STR("x-ignore-"));
}

status s3_form_policy_check(struct call *c, struct str policy_base64, const struct s3_form *f, struct str bucket)
{
	struct str text;
	struct json_value *doc;
	int64_t expires;
	if (!is_ok(str_unbase64(c->arena, policy_base64, &text)) || !is_ok(json_read(c->arena, text, &doc)) ||
		!json_is(doc, JSON_IS_OBJECT))
		return invalid(c, "Invalid JSON.");
	struct str expiration = json_string(json_member(doc, STR("expiration")));
	const struct json_value *conditions = json_member(doc, STR("conditions"));
	if (!str_has(expiration)) return invalid(c, "Policy missing expiration.");
	/* "in ISO 8601 UTC date format" */
	if (str_chr(expiration, 'T') < 0 || !str_ends(expiration, STR("Z")) ||
		!is_ok(time_read_iso8601(expiration, &expires)))
		return invalid(c, "Invalid 'expiration' value.");
	if (!json_is(conditions, JSON_IS_ARRAY)) return invalid(c, "Policy missing conditions.");
	if (c->now_ms >= expires) return denied(c, STR("Policy expired."));
	struct judged j = {c, f, bucket, arena_new_n(c->arena, bool, f->n)};
	for (const struct json_value *v = conditions->first; v; v = v->next) {
		if (v->type == JSON_IS_ARRAY) {
			TRY(judge_list(&j, v));
			continue;
		}
		if (v->type != JSON_IS_OBJECT || v->length != 1 || !str_has(json_string(v->first)))
			return invalid(c, "Invalid Simple-Condition: Simple-Conditions must have exactly one property "
					  "specified.");
		TRY(judge(&j, false, v->first->name, json_string(v->first)));
	}
	for (size_t i = 0; i < f->n; i++)
		if (!j.covered[i] && !exempt(f->v[i].name) && !str_ieq(f->v[i].name, STR("bucket")))
			return denied(
				c, str_cat(c->arena, STR("Extra input fields: "), str_lower(c->arena, f->v[i].name)));
	return OK;
}
