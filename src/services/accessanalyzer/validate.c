/* ValidatePolicy: the document as a whole and its statements. The findings' kinds, codes and words follow "IAM Access
 * Analyzer policy check reference". */
#include "services/accessanalyzer/validate.h"
#include <stdarg.h>

/* ── where ── */

const struct aa_step *aa_step(struct aa_check *k, const struct aa_step *up, struct str name, int32_t index)
{
	struct aa_step *s = arena_new(k->c->arena, struct aa_step);
	*s = (struct aa_step){name, index, up};
	return s;
}

const struct aa_step *aa_item_step(
	struct aa_check *k, const struct aa_step *under, const struct json_value *list, int32_t n)
{
	return json_is(list, JSON_IS_ARRAY) ? aa_step(k, under, STR_NONE, n) : under;
}

static struct accessanalyzer_position *position(struct aa_check *k, size_t at)
{
	struct accessanalyzer_position *p = arena_new(k->c->arena, struct accessanalyzer_position);
	int32_t line = 1, column = 0;
	for (size_t i = 0; i < at && i < k->text.n; i++) {
		column++;
		if (k->text.p[i] != '\n') continue;
		line++;
		column = 0;
	}
	p->line = SOME_I32(line);
	p->column = SOME_I32(column);
	p->offset = SOME_I32((int32_t)at);
	return p;
}

/* Behind the value that begins there: the text is JSON. */
static size_t end_of(struct str text, size_t at)
{
	size_t depth = 0, i = at;
	bool quoted = false;
	for (; i < text.n; i++) {
		char ch = text.p[i];
		if (quoted) {
			if (ch == '\\') i++;
			quoted = ch != '"';
			if (!quoted && !depth) return i + 1;
		} else if (ch == '"') {
			quoted = true;
		} else if (ch == '{' || ch == '[') {
			depth++;
		} else if (ch == '}' || ch == ']') {
			if (!depth) return i;
			if (!--depth) return i + 1;
		} else if (!depth && (ch == ',' || ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r')) {
			return i;
		}
	}
	return text.n;
}

static void write_path(
	struct aa_check *k, const struct aa_step *s, struct accessanalyzer_path_element_list *out, size_t *capacity)
{
	if (!s) return;
	write_path(k, s->up, out, capacity);
	struct accessanalyzer_path_element *e = VEC_PUSH(k->c->arena, out, capacity);
	if (str_has(s->name))
		e->value = s->name;
	else
		e->index = SOME_I32(s->index);
}

void aa_find(struct aa_check *k, enum aa_kind kind, const char *code, const struct aa_step *path,
	const struct json_value *v, const char *fmt, ...)
{
	static const char *const kinds[] = {"ERROR", "SECURITY_WARNING", "SUGGESTION", "WARNING"};
	struct arena *a = k->c->arena;
	struct buf text = BUF_IN(a), link = BUF_IN(a);
	struct accessanalyzer_validate_policy_finding *f = VEC_PUSH(a, k->out, &k->capacity);
	struct accessanalyzer_location *l = arena_new(a, struct accessanalyzer_location);
	size_t steps = 0, at = v ? v->at : 0;
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&text, fmt, args);
	va_end(args);
	buf_fmt(&link,
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html"
		"#access-analyzer-reference-policy-checks-%s-%s",
		kind == AA_ERROR              ? "error"
		: kind == AA_SECURITY_WARNING ? "security-warning"
		: kind == AA_SUGGESTION       ? "suggestion"
					      : "general-warning",
		code);
	for (size_t i = 0; i < link.n; i++) {
		if (link.p[i] == '_') link.p[i] = '-';
		if (i > 90 && link.p[i] >= 'A' && link.p[i] <= 'Z') link.p[i] = (char)(link.p[i] - 'A' + 'a');
	}
	VEC_PRESENT(a, &l->path);
	write_path(k, path, &l->path, &steps);
	l->span = arena_new(a, struct accessanalyzer_span);
	l->span->start = position(k, at);
	l->span->end = position(k, v ? end_of(k->text, at) : k->text.n);
	*f = (struct accessanalyzer_validate_policy_finding){
		.finding_details = buf_done(&text),
		.finding_type = str_c(kinds[kind]),
		.issue_code = str_c(code),
		.learn_more_link = buf_done(&link),
		.locations = {l, 1},
	};
}

/* ── variables ── */

/* ${name}, ${name, 'default'}, ${*} ("IAM policy elements: Variables and tags"). */
void aa_check_variables(struct aa_check *k, const struct aa_step *path, const struct json_value *v)
{
	struct str s = str_or(json_string(v), STR(""));
	for (size_t i = 0; i + 1 < s.n; i++) {
		if (s.p[i] != '$' || s.p[i + 1] != '{') continue;
		struct str rest = str_from(s, i + 2);
		ptrdiff_t end = str_chr(rest, '}');
		if (!k->variables) {
			aa_find(k, AA_ERROR, "VARIABLE_UNSUPPORTED_IN_VERSION", path, v,
				"Policy variables require the version 2012-10-17. Add or update the Version element.");
			return;
		}
		if (end < 0) {
			aa_find(k, AA_ERROR, "MISSING_BRACE_IN_VARIABLE", path, v,
				"The policy variable is missing a closing curly brace. Add } after the variable text.");
			return;
		}
		struct str name = str_sub(rest, 0, (size_t)end), first = name;
		first = str_cut(&first, ',');
		if (!str_trim(first).n)
			aa_find(k, AA_ERROR, "EMPTY_VARIABLE", path, v,
				"Empty policy variable. Remove the ${ } variable structure or provide a variable "
				"within "
				"the structure.");
		else if (str_trim(first).n != first.n)
			aa_find(k, AA_ERROR, "UNSUPPORTED_SPACE_IN_VARIABLE", path, v,
				"A space is not supported within the policy variable text. Remove the space.");
		if (str_ends(first, STR("/")) && str_find(first, STR("Tag/")) >= 0)
			aa_find(k, AA_ERROR, "MISSING_TAG_KEY_IN_VARIABLE", path, v,
				"The condition key %.*s must include a tag key, as in %.*sTAGKEY.", STR_ARG(first),
				STR_ARG(first));
		i += 1 + (size_t)end;
	}
}

/* ── statements ── */

static const struct aa_step *member_step(struct aa_check *k, const struct aa_statement *s, const char *name)
{
	return aa_step(k, s->path, str_c(name), 0);
}

static bool read_statement(
	struct aa_check *k, const struct json_value *v, const struct aa_step *path, struct aa_statement *s)
{
	*s = (struct aa_statement){.all = v, .path = path};
	if (!json_is(v, JSON_IS_OBJECT)) {
		aa_find(k, AA_ERROR, "DATA_TYPE_MISMATCH", path, v,
			"The text does not match the expected JSON data type object.");
		return false;
	}
	const struct {
		const char *name;
		const struct json_value **slot;
	} known[] = {{"Sid", &s->sid}, {"Effect", &s->effect}, {"Principal", &s->principal},
		{"NotPrincipal", &s->not_principal}, {"Action", &s->action}, {"NotAction", &s->not_action},
		{"Resource", &s->resource}, {"NotResource", &s->not_resource}, {"Condition", &s->condition}};
	for (const struct json_value *m = v->first; m; m = m->next) {
		size_t i = 0, n = sizeof(known) / sizeof(*known);
		while (i < n && !str_ieq(m->name, str_c(known[i].name))) i++;
		if (i == n)
			aa_find(k, AA_ERROR, "INVALID_POLICY_ELEMENT", aa_step(k, path, m->name, 0), m,
				"The policy element %.*s is not valid.", STR_ARG(m->name));
		else if (*known[i].slot)
			aa_find(k, AA_ERROR, "DUPLICATE_KEYS_WITH_DIFFERENT_CASE", aa_step(k, path, m->name, 0), m,
				"The condition key %.*s appears more than once with different capitalization.",
				STR_ARG(m->name));
		else
			*known[i].slot = m;
	}
	return true;
}

static void check_effect(struct aa_check *k, struct aa_statement *s)
{
	if (!s->effect) {
		aa_find(k, AA_ERROR, "MISSING_EFFECT", s->path, s->all,
			"Add an Effect element to the policy statement with a value of Allow or Deny.");
		return;
	}
	struct str e = str_or(json_string(s->effect), STR(""));
	s->allow = str_is(e, "Allow");
	if (!s->allow && !str_is(e, "Deny"))
		aa_find(k, AA_ERROR, "INVALID_EFFECT", member_step(k, s, "Effect"), s->effect,
			"The effect %.*s is not valid. Use Allow or Deny.", STR_ARG(e));
}

static void check_combination(struct aa_check *k, const struct aa_statement *s)
{
	const struct {
		const struct json_value *a, *b;
		const char *names, *later;
	} pairs[] = {{s->action, s->not_action, "Action and NotAction", "NotAction"},
		{s->resource, s->not_resource, "Resource and NotResource", "NotResource"},
		{s->principal, s->not_principal, "Principal and NotPrincipal", "NotPrincipal"}};
	for (size_t i = 0; i < 3; i++)
		if (pairs[i].a && pairs[i].b)
			aa_find(k, AA_ERROR, "UNSUPPORTED_ELEMENT_COMBINATION", member_step(k, s, pairs[i].later),
				pairs[i].b,
				"The policy elements %s can't be used in the same statement. Remove one of these "
				"elements.",
				pairs[i].names);
	if (!s->action && !s->not_action)
		aa_find(k, AA_ERROR, "MISSING_ACTION", s->path, s->all,
			"Add an Action or NotAction element to the policy statement.");
	bool bears = k->type == AA_RESOURCE || k->type == AA_TRUST || k->type == AA_RCP;
	if (!bears && (s->principal || s->not_principal))
		aa_find(k, AA_ERROR, k->type == AA_SCP ? "SCP_SYNTAX_ERROR_PRINCIPAL" : "UNSUPPORTED_PRINCIPAL",
			member_step(k, s, s->principal ? "Principal" : "NotPrincipal"),
			s->principal ? s->principal : s->not_principal,
			"The Principal element is not supported in this type of policy. Remove the Principal element.");
	if (bears && !s->principal && !s->not_principal)
		aa_find(k, AA_ERROR, "MISSING_PRINCIPAL", s->path, s->all,
			"Add a Principal element to the policy statement.");
	if (k->type != AA_TRUST && !s->resource && !s->not_resource)
		aa_find(k, AA_ERROR, "MISSING_RESOURCE", s->path, s->all,
			"Add a Resource or NotResource element to the policy statement.");
	if (k->type == AA_TRUST && (s->resource || s->not_resource))
		aa_find(k, AA_ERROR, "UNSUPPORTED_ELEMENT_COMBINATION",
			member_step(k, s, s->resource ? "Resource" : "NotResource"),
			s->resource ? s->resource : s->not_resource,
			"Role trust policies do not support the Resource element.");
}

static void check_sid(struct aa_check *k, const struct aa_statement *s)
{
	if (!s->sid) return;
	struct str sid = str_or(json_string(s->sid), STR(""));
	const struct aa_step *path = member_step(k, s, "Sid");
	if (!sid.n)
		aa_find(k, AA_SUGGESTION, "EMPTY_SID_VALUE", path, s->sid,
			"Add a value to the empty string in the Sid element, or remove the element.");
	for (size_t i = 0; i < sid.n && k->type != AA_RESOURCE; i++) {
		char ch = sid.p[i];
		if ((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')) continue;
		aa_find(k, AA_ERROR, "UNSUPPORTED_SID", path, s->sid,
			"Update the characters in the Sid element to use one of the following character types: [a-z, "
			"A-Z, 0-9].");
		return;
	}
}

static void check_sids(struct aa_check *k, const struct json_value *list, const struct aa_step *path)
{
	int32_t n = 0;
	AA_EACH (s, list) {
		struct str sid = json_string(json_member(s, STR("Sid")));
		AA_EACH (o, list) {
			if (o == s) break;
			if (!sid.n || !str_eq(sid, str_or(json_string(json_member(o, STR("Sid"))), STR("")))) continue;
			const struct aa_step *at = aa_step(k, aa_item_step(k, path, list, n), STR("Sid"), 0);
			bool must = k->type != AA_RESOURCE;
			aa_find(k, must ? AA_ERROR : AA_WARNING,
				must ? "UNIQUE_SIDS_REQUIRED" : "UNIQUE_SIDS_RECOMMENDED", at,
				json_member(s, STR("Sid")),
				must ? "Duplicate statement IDs are not supported for this policy type. Update "
				       "the Sid value."
				     : "We recommend using statement IDs that are unique to your policy. "
				       "Update the Sid value.");
			break;
		}
		n++;
	}
}

static void check_statement(struct aa_check *k, const struct json_value *v, const struct aa_step *path)
{
	struct aa_statement s;
	if (!read_statement(k, v, path, &s)) return;
	check_effect(k, &s);
	check_combination(k, &s);
	check_sid(k, &s);
	aa_check_actions(k, &s);
	aa_check_resources(k, &s);
	aa_check_principals(k, &s);
	aa_check_conditions(k, &s);
}

/* ── the document ── */

static void check_version(struct aa_check *k, const struct json_value *root)
{
	const struct json_value *v = json_member(root, STR("Version"));
	k->variables = v && str_is(str_or(json_string(v), STR("")), "2012-10-17");
	if (!v)
		aa_find(k, AA_WARNING, "MISSING_VERSION", NULL, root,
			"We recommend that you specify the Version element to help you with debugging permission "
			"issues.");
	else if (!k->variables && !str_is(str_or(json_string(v), STR("")), "2008-10-17"))
		aa_find(k, AA_ERROR, "INVALID_VERSION", aa_step(k, NULL, STR("Version"), 0), v,
			"The version %.*s is not valid. Use one of the following versions: 2012-10-17, 2008-10-17.",
			STR_ARG(json_scalar(v)));
}

static void check_document(struct aa_check *k, const struct json_value *root)
{
	if (!json_is(root, JSON_IS_OBJECT)) {
		aa_find(k, AA_ERROR, "DATA_TYPE_MISMATCH", NULL, root,
			"The text does not match the expected JSON data type object.");
		return;
	}
	check_version(k, root);
	for (const struct json_value *m = root->first; m; m = m->next)
		if (!str_is(m->name, "Version") && !str_is(m->name, "Id") && !str_is(m->name, "Statement"))
			aa_find(k, AA_ERROR, "INVALID_POLICY_ELEMENT", aa_step(k, NULL, m->name, 0), m,
				"The policy element %.*s is not valid.", STR_ARG(m->name));
	const struct json_value *list = json_member(root, STR("Statement"));
	const struct aa_step *path = aa_step(k, NULL, STR("Statement"), 0);
	if (!list || (json_is(list, JSON_IS_ARRAY) && !list->length)) {
		aa_find(k, AA_ERROR, "MISSING_STATEMENT", list ? path : NULL, list ? list : root,
			"Add a statement to the policy");
		return;
	}
	int32_t n = 0;
	AA_EACH (s, list) check_statement(k, s, aa_item_step(k, path, list, n++));
	check_sids(k, list, path);
}

/* "IAM and AWS STS quotas": characters without white space. */
static void check_size(struct aa_check *k, const struct json_value *root)
{
	size_t n = 0, most = k->type == AA_IDENTITY ? 6144 : k->type == AA_SCP || k->type == AA_RCP ? 5120 : 20480;
	for (size_t i = 0; i < k->text.n; i++) n += (unsigned char)k->text.p[i] > 0x20;
	if (n <= most) return;
	bool scp = k->type == AA_SCP || k->type == AA_RCP;
	aa_find(k, scp ? AA_ERROR : AA_WARNING,
		scp                      ? "POLICY_SIZE_EXCEEDS_SCP_QUOTA"
		: k->type == AA_IDENTITY ? "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA"
					 : "POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA",
		NULL, root, "The %zu characters in the policy exceed the %zu character quota for this type of policy.",
		n, most);
}

static enum aa_policy type_of(const struct accessanalyzer_validate_policy_request *in)
{
	if (str_is(in->policy_type, "IDENTITY_POLICY")) return AA_IDENTITY;
	if (str_is(in->policy_type, "SERVICE_CONTROL_POLICY")) return AA_SCP;
	if (str_is(in->policy_type, "RESOURCE_CONTROL_POLICY")) return AA_RCP;
	bool trust = str_is(str_or(in->validate_policy_resource_type, STR("")), "AWS::IAM::AssumeRolePolicyDocument");
	return trust ? AA_TRUST : AA_RESOURCE;
}

status accessanalyzer_validate_policy(struct call *c, const struct accessanalyzer_validate_policy_request *in,
	struct accessanalyzer_validate_policy_response *out)
{
	struct aa_check k = {.c = c,
		.text = in->policy_document,
		.type = type_of(in),
		.out = &out->findings,
		.resource_type = in->validate_policy_resource_type};
	struct json_value *root;
	VEC_PRESENT(c->arena, &out->findings);
	if (str_has(in->validate_policy_resource_type) && !str_is(in->policy_type, "RESOURCE_POLICY"))
		return call_fail(c, ACCESSANALYZER_ERR_VALIDATION_EXCEPTION,
			"validatePolicyResourceType can be specified only with the policy type RESOURCE_POLICY.");
	if (!is_ok(json_read(c->arena, k.text, &root))) {
		aa_find(&k, AA_ERROR, "JSON_SYNTAX_ERROR", NULL, NULL,
			"Fix the JSON syntax error in the policy document.");
		return OK;
	}
	check_document(&k, root);
	check_size(&k, root);
	return aa_page(c, in->max_results, in->next_token, 100, sizeof(*out->findings.v), (void **)&out->findings.v,
		&out->findings.n, &out->next_token);
}
