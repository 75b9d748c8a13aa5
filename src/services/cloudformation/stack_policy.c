/* Stack policies: which updates of which resources are allowed ("Prevent updates to stack resources"). Without one all
 * are; with one, those that it does not allow are not, and a denial wins. */
#include "services/cloudformation/operations.h"

enum { POLICY_BYTES = 16384 };

static bool one_matches(const struct json_value *v, struct str text)
{
	if (json_is(v, JSON_IS_STRING)) return str_glob(v->text, text);
	for (const struct json_value *e = json_is(v, JSON_IS_ARRAY) ? v->first : NULL; e; e = e->next)
		if (json_is(e, JSON_IS_STRING) && str_glob(e->text, text)) return true;
	return false;
}

/* Of Name and NotName: whichever the statement has. */
static bool names(const struct json_value *statement, const char *name, const char *not_name, struct str text)
{
	const struct json_value *v = json_member(statement, str_c(name)), *no = json_member(statement, str_c(not_name));
	return v ? one_matches(v, text) : no ? !one_matches(no, text) : false;
}

/* Conditions are on ResourceType alone. */
static bool conditions_hold(const struct json_value *statement, struct str type)
{
	const struct json_value *all = json_member(statement, STR("Condition"));
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next) {
		const struct json_value *v = json_member(c, STR("ResourceType"));
		bool equal = false;
		if (str_is(c->name, "StringLike")) equal = one_matches(v, type);
		for (const struct json_value *e = json_is(v, JSON_IS_ARRAY) ? v->first : v;
			str_is(c->name, "StringEquals") && e; e = json_is(v, JSON_IS_ARRAY) ? e->next : NULL)
			equal |= str_eq(str_or(json_string(e), STR("")), type);
		if (!equal) return false;
	}
	return true;
}

bool cfn_policy_allows(struct arena *a, const struct cloudformation_rec_stack *s, const char *action,
	const struct cloudformation_rec_resource *r, struct str *why)
{
	struct json_value *policy;
	struct str text = str_or(s->policy_during_update, s->policy);
	struct str resource = str_fmt(a, "LogicalResourceId/%.*s", STR_ARG(r->logical_id));
	if (!str_has(text) || !is_ok(json_read(a, text, &policy))) return true;
	const struct json_value *all = json_member(policy, STR("Statement"));
	bool allowed = false;
	int n = 0;
	for (const struct json_value *t = json_is(all, JSON_IS_ARRAY) ? all->first : all; t;
		t = json_is(all, JSON_IS_ARRAY) ? t->next : NULL) {
		n++;
		if (!names(t, "Action", "NotAction", str_c(action)) || !names(t, "Resource", "NotResource", resource) ||
			!conditions_hold(t, r->type))
			continue;
		if (str_is(str_or(json_string(json_member(t, STR("Effect"))), STR("")), "Deny")) {
			*why = str_fmt(a,
				"Action denied by stack policy: Statement [#%d] does not allow [%s] for resource "
				"[%.*s]",
				n, action, STR_ARG(resource));
			return false;
		}
		allowed = true;
	}
	if (!allowed)
		*why = str_fmt(a, "Action not allowed by stack policy: no statement allows [%s] for resource [%.*s]",
			action, STR_ARG(resource));
	return allowed;
}

static const char *wrong_statement(const struct json_value *t)
{
	static const char *const known[] = {
		"Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition", "Sid"};
	struct str effect = str_or(json_string(json_member(t, STR("Effect"))), STR(""));
	if (!json_is(t, JSON_IS_OBJECT)) return "Statement";
	for (const struct json_value *m = t->first; m; m = m->next) {
		bool found = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) found |= str_eq(m->name, str_c(known[i]));
		if (!found) return "Statement";
	}
	if (!str_is(effect, "Allow") && !str_is(effect, "Deny")) return "Effect";
	if (!json_member(t, STR("Action")) == !json_member(t, STR("NotAction"))) return "Action";
	if (!json_member(t, STR("Resource")) == !json_member(t, STR("NotResource"))) return "Resource";
	if (!str_is(str_or(json_string(json_member(t, STR("Principal"))), STR("")), "*")) return "Principal";
	return NULL;
}

status cfn_policy_read(struct call *c, struct str body, struct str url, struct str *text)
{
	struct inside_caller who = cfn_call_who(c);
	struct cfn_object_read reader = {c->cloud, &who, c->arena};
	struct json_value *policy;
	struct str why = STR_NONE;
	*text = STR_NONE;
	if (!str_has(body) && !str_has(url)) return OK;
	if (str_has(body) && str_has(url))
		return call_fail(c, ERR_VALIDATION, "You cannot specify both StackPolicyBody and StackPolicyURL");
	*text = body;
	if (str_has(url) && !is_ok(cfn_template_text(&reader, STR_NONE, url, text, &why))) return cfn_invalid(c, why);
	const char *wrong = "JSON";
	if (text->n <= POLICY_BYTES && is_ok(json_read(c->arena, *text, &policy)) && policy->type == JSON_IS_OBJECT) {
		const struct json_value *all = json_member(policy, STR("Statement"));
		wrong = all ? NULL : "Statement";
		if (json_is(all, JSON_IS_OBJECT)) wrong = wrong_statement(all);
		for (const struct json_value *t = json_is(all, JSON_IS_ARRAY) ? all->first : NULL; t && !wrong;
			t = t->next)
			wrong = wrong_statement(t);
	}
	if (!wrong) return OK;
	return call_fail(c, ERR_VALIDATION, "Error validating stack policy: Invalid stack policy (%s)", wrong);
}

status cloudformation_set_stack_policy(
	struct call *c, const struct cloudformation_set_stack_policy_input *in, struct wire_nothing *out)
{
	struct cloudformation_rec_stack s = {0};
	struct str text;
	(void)out;
	TRY(cfn_load_stack(c, in->stack_name, &s));
	TRY(cfn_policy_read(c, in->stack_policy_body, in->stack_policy_url, &text));
	if (!str_has(text)) return call_fail(c, ERR_VALIDATION, "Either StackPolicyBody or StackPolicyURL is required");
	s.policy = text;
	cfn_stack_put(c->tx, c->arena, &s);
	return OK;
}

status cloudformation_get_stack_policy(struct call *c, const struct cloudformation_get_stack_policy_input *in,
	struct cloudformation_get_stack_policy_output *out)
{
	struct cloudformation_rec_stack s = {0};
	TRY(cfn_load_stack(c, in->stack_name, &s));
	out->stack_policy_body = s.policy;
	return OK;
}
