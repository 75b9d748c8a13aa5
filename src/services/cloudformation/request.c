/* What CreateStack, UpdateStack and CreateChangeSet ask for, and what has to hold for it. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudformation/operations.h"

status cfn_invalid(struct call *c, struct str why)
{
	return call_fail(c, ERR_VALIDATION, "%.*s", STR_ARG(why));
}

struct cfn_place cfn_call_place(const struct call *c)
{
	return (struct cfn_place){c->account, c->region};
}

struct inside_caller cfn_call_who(const struct call *c)
{
	return (struct inside_caller){
		.principal = c->principal, .region = c->region, .agent = STR("cloudformation.amazonaws.com")};
}

status cfn_load_stack(struct call *c, struct str name_or_id, struct cloudformation_rec_stack *out)
{
	status s = cfn_stack_find(c->tx, c->arena, cfn_call_place(c), name_or_id, out);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, ERR_VALIDATION, "Stack with id %.*s does not exist", STR_ARG(name_or_id));
	return s;
}

struct poke {
	struct cfn_engine *engine;
	struct cfn_place place;
	struct str id;
};
static void poke(void *ctx)
{
	struct poke *p = ctx;
	cfn_engine_poke(p->engine, p->place, p->id);
}
void cfn_poke_after(struct call *c, struct str stack_id)
{
	struct poke *p = arena_new(c->arena, struct poke);
	*p = (struct poke){c->state, cfn_call_place(c), stack_id};
	call_after_commit(c, poke, p);
}

/* "CAPABILITY_IAM and CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND" (CreateStack, CloudFormation API Reference). */
static status check_capabilities(
	struct call *c, const struct cfn_template *t, const struct cloudformation_rec_texts *given)
{
	static const struct {
		const char *type, *name;
	} iam[] = {{"AWS::IAM::AccessKey", NULL}, {"AWS::IAM::Group", "GroupName"},
		{"AWS::IAM::InstanceProfile", "InstanceProfileName"}, {"AWS::IAM::ManagedPolicy", "ManagedPolicyName"},
		{"AWS::IAM::Policy", NULL}, {"AWS::IAM::Role", "RoleName"}, {"AWS::IAM::User", "UserName"},
		{"AWS::IAM::UserToGroupAddition", NULL}, {"AWS::IAM::RolePolicy", NULL}, {"AWS::IAM::UserPolicy", NULL},
		{"AWS::IAM::GroupPolicy", NULL}};
	bool wants_iam = false, wants_named = false, has_iam = false, has_named = false;
	for (const struct json_value *r = t->resources->first; r; r = r->next) {
		struct str type = json_string(json_member(r, STR("Type")));
		for (size_t i = 0; i < sizeof(iam) / sizeof(*iam); i++) {
			if (!str_eq(type, str_c(iam[i].type))) continue;
			wants_iam = true;
			wants_named |=
				iam[i].name && json_member(json_member(r, STR("Properties")), str_c(iam[i].name));
		}
	}
	for (size_t i = 0; i < given->n; i++) {
		has_iam |= str_is(given->v[i], "CAPABILITY_IAM");
		has_named |= str_is(given->v[i], "CAPABILITY_NAMED_IAM");
	}
	const char *missing = wants_named && !has_named             ? "CAPABILITY_NAMED_IAM"
			      : wants_iam && !has_iam && !has_named ? "CAPABILITY_IAM"
								    : NULL;
	if (!missing) return OK;
	return call_fail(
		c, CLOUDFORMATION_ERR_INSUFFICIENT_CAPABILITIES_EXCEPTION, "Requires capabilities : [%s]", missing);
}

/* "Rules validate parameter combinations" (Rules syntax). */
static status check_rules(struct call *c, const struct cfn_template *t, struct cfn_scope *scope)
{
	for (const struct json_value *r = t->rules ? t->rules->first : NULL; r; r = r->next) {
		const struct json_value *when = json_member(r, STR("RuleCondition")),
					*all = json_member(r, STR("Assertions"));
		bool truth = true;
		struct str why;
		if (when && !is_ok(cfn_truth(scope, when, &truth, &why))) return cfn_invalid(c, why);
		for (const struct json_value *a = truth && all ? all->first : NULL; a; a = a->next) {
			const struct json_value *assertion = json_member(a, STR("Assert"));
			if (!assertion)
				return call_fail(c, ERR_VALIDATION,
					"Template format error: every assertion of rule %.*s needs an Assert",
					STR_ARG(r->name));
			if (!is_ok(cfn_truth(scope, assertion, &truth, &why))) return cfn_invalid(c, why);
			if (truth) continue;
			return call_fail(c, ERR_VALIDATION, "Template error: rule %.*s failed: %.*s", STR_ARG(r->name),
				STR_ARG(str_or(json_string(json_member(a, STR("AssertDescription"))),
					STR("assertion is false"))));
		}
	}
	return OK;
}

/* Types that virga cannot make fail the request before anything is begun. */
static status check_types(struct call *c, const struct cfn_template *t)
{
	struct buf unknown = BUF_IN(c->arena), unbuilt = BUF_IN(c->arena);
	for (const struct json_value *r = t->resources->first; r; r = r->next) {
		struct str name = json_string(json_member(r, STR("Type")));
		struct cfn_type type;
		if (cfn_handler_of(name)) continue;
		bool known = is_ok(cfn_type_find(c->arena, name, &type));
		struct buf *b = known ? &unbuilt : &unknown;
		if (b->n) buf_lit(b, ", ");
		buf_str(b, name);
	}
	if (unknown.n)
		return call_fail(c, ERR_VALIDATION, "Template format error: Unrecognized resource types: [%.*s]",
			STR_ARG(buf_done(&unknown)));
	if (unbuilt.n)
		return call_fail(c, ERR_VALIDATION, "virga does not make resources of these types yet: [%.*s]",
			STR_ARG(buf_done(&unbuilt)));
	return OK;
}

static status check_tags(struct call *c, const struct cloudformation_tags *tags)
{
	if (tags->n > 50)
		return call_fail(c, ERR_VALIDATION,
			"1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have "
			"length less than or equal to 50");
	for (size_t i = 0; i < tags->n; i++)
		if (str_istarts(tags->v[i].key, STR("aws:")))
			return call_fail(
				c, ERR_VALIDATION, "aws: prefixed tag key names are not allowed for external use.");
	return OK;
}

status cfn_settings_read(struct call *c, const struct cfn_request *in, const struct cloudformation_rec_stack *before,
	struct cloudformation_rec_settings *out, struct cfn_template *t)
{
	struct arena *a = c->arena;
	struct inside_caller who = cfn_call_who(c);
	struct cfn_object_read reader = {c->cloud, &who, a};
	struct str why = STR_NONE;
	*out = (struct cloudformation_rec_settings){.role_arn = in->role_arn};
	if (before) *out = *before->settings;
	if (str_has(in->role_arn)) out->role_arn = in->role_arn;
	if (in->use_previous_template) {
		if (!before)
			return call_fail(c, ERR_VALIDATION, "UsePreviousTemplate cannot be specified for a new stack");
		if (str_has(in->template_body) || str_has(in->template_url))
			return call_fail(
				c, ERR_VALIDATION, "Cannot specify UsePreviousTemplate together with a template");
	} else if (!is_ok(cfn_template_text(&reader, in->template_body, in->template_url, &out->template, &why))) {
		return cfn_invalid(c, why);
	}
	if (in->tags->v) {
		TRY(check_tags(c, in->tags));
		out->tags.n = in->tags->n;
		out->tags.v = arena_new_n(a, struct cloudformation_rec_tag, in->tags->n + 1);
		for (size_t i = 0; i < in->tags->n; i++)
			out->tags.v[i] = (struct cloudformation_rec_tag){in->tags->v[i].key, in->tags->v[i].value};
	}
	if (in->notification_arns->v)
		out->notification_arns =
			(struct cloudformation_rec_texts){in->notification_arns->v, in->notification_arns->n};
	out->capabilities = (struct cloudformation_rec_texts){in->capabilities->v, in->capabilities->n};
	/* Parameters are declared in the template as it was sent: transforms see their values. */
	if (!is_ok(cfn_template_read(a, out->template, t, &why))) return cfn_invalid(c, why);
	struct cfn_given *given = arena_new_n(a, struct cfn_given, in->parameters->n + 1);
	for (size_t i = 0; i < in->parameters->n; i++) {
		const struct cloudformation_parameter *p = &in->parameters->v[i];
		if (!str_has(p->parameter_key))
			return call_fail(c, ERR_VALIDATION, "Parameters: every parameter needs a key");
		given[i] = (struct cfn_given){p->parameter_key, p->parameter_value, p->use_previous_value.v};
	}
	struct cloudformation_rec_parameters parameters;
	/* What parameters name is looked up as the stack's role, where it has one; the template was read as the caller. */
	struct inside_caller acting = who;
	if (str_has(out->role_arn) && !is_ok(cfn_as_role(c->cloud, a, out->role_arn, &acting, &why)))
		return cfn_invalid(c, why);
	if (!is_ok(cfn_parameters_read(c->cloud, &acting, a, t, given, in->parameters->n,
		    before ? &before->settings->parameters : NULL, &parameters, &why)))
		return cfn_invalid(c, why);
	out->parameters = parameters;
	if (!is_ok(cfn_template_load(c->cloud, &who, a, out->template, &out->parameters, t, &why)))
		return cfn_invalid(c, why);
	out->description = t->description;
	TRY(check_types(c, t));
	TRY(check_capabilities(c, t, &out->capabilities));
	struct cloudformation_rec_stack preview = {
		.id = STR(""), .name = STR(""), .account = c->account, .region = c->region, .settings = out};
	struct cfn_view view;
	cfn_view_init(&view, c->cloud, a, &preview, t, &out->parameters, NULL);
	view.scope.preview = true;
	return check_rules(c, t, &view.scope);
}

static bool valid_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		bool letter = (ch | 32) >= 'a' && (ch | 32) <= 'z', other = (ch >= '0' && ch <= '9') || ch == '-';
		if (!letter && (i == 0 || !other)) return false;
	}
	return s.n > 0 && s.n <= 128;
}

status cfn_stack_new(
	struct call *c, struct str name, struct cloudformation_rec_stack *out, struct str token, bool *same)
{
	struct arena *a = c->arena;
	*same = false;
	if (!valid_name(name))
		return call_fail(c, ERR_VALIDATION,
			"1 validation error detected: Value '%.*s' at 'stackName' failed to satisfy constraint: Member "
			"must satisfy regular expression pattern: "
			"[a-zA-Z][-a-zA-Z0-9]*",
			STR_ARG(name));
	status s = cfn_stack_find(c->tx, a, cfn_call_place(c), name, out);
	if (is_ok(s) && !str_is(out->status, "REVIEW_IN_PROGRESS")) {
		*same = str_has(token) && str_has(out->client_token) && str_eq(token, out->client_token);
		return *same ? OK
			     : call_fail(c, CLOUDFORMATION_ERR_ALREADY_EXISTS_EXCEPTION, "Stack [%.*s] already exists",
				       STR_ARG(name));
	}
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s)) return OK;
	struct cloudformation_rec_caller *caller = arena_new(a, struct cloudformation_rec_caller);
	cfn_caller_keep(c, caller);
	*out = (struct cloudformation_rec_stack){
		.id = call_arn(c, STR("cloudformation"), "stack/%.*s/%.*s", STR_ARG(name), STR_ARG(rand_uuid(a))),
		.name = name,
		.account = c->account,
		.region = c->region,
		.created = SOME_I64(c->now_ms),
		.caller = caller,
		.client_token = token};
	return OK;
}

status cfn_may_update(struct call *c, const struct cloudformation_rec_stack *s)
{
	static const char *const ready[] = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE",
		"IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"};
	for (size_t i = 0; i < sizeof(ready) / sizeof(*ready); i++)
		if (str_eq(s->status, str_c(ready[i]))) return OK;
	return call_fail(c, ERR_VALIDATION, "Stack:%.*s is in %.*s state and can not be updated.", STR_ARG(s->id),
		STR_ARG(s->status));
}

void cfn_begin_update(struct call *c, struct cloudformation_rec_stack *s, struct cloudformation_rec_settings *settings,
	struct str token)
{
	struct cloudformation_rec_caller *caller = arena_new(c->arena, struct cloudformation_rec_caller);
	cfn_caller_keep(c, caller);
	/* After UPDATE_FAILED the last settings that were whole stay those to go back to. */
	s->imports = STR_NONE;
	if (!s->previous) s->previous = s->settings;
	s->settings = settings;
	s->caller = caller;
	s->client_token = token;
	s->updated = SOME_I64(c->now_ms);
	s->operation_id = SOME_I64(s->operation_id.v + 1);
	cfn_stack_status(c->tx, c->arena, s, "UPDATE_IN_PROGRESS", STR("User Initiated"), c->now_ms);
	cfn_poke_after(c, s->id);
}
