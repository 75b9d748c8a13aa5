/* Templates without stacks: ValidateTemplate and GetTemplateSummary. */
#include "base/vec.h"
#include "services/cloudformation/operations.h"

static status read_any(struct call *c, struct str body, struct str url, struct str stack_name, struct cfn_template *t)
{
	struct inside_caller who = cfn_call_who(c);
	struct cfn_object_read reader = {c->cloud, &who, c->arena};
	struct str text, why;
	if (str_has(stack_name)) {
		struct cloudformation_rec_stack s = {0};
		TRY(cfn_load_stack(c, stack_name, &s));
		text = s.settings ? s.settings->template : STR("");
	} else if (!is_ok(cfn_template_text(&reader, body, url, &text, &why))) {
		return cfn_invalid(c, why);
	}
	return is_ok(cfn_template_read(c->arena, text, t, &why)) ? OK : cfn_invalid(c, why);
}

/* As far as it can be told without parameters' values: what needs capabilities, and why. */
static void capabilities(
	struct call *c, const struct cfn_template *t, struct cloudformation_capabilities *out, struct str *reason)
{
	struct buf b = BUF_IN(c->arena);
	bool named = false;
	size_t capacity = 0;
	for (const struct json_value *r = t->resources->first; r; r = r->next) {
		struct str type = str_or(json_string(json_member(r, STR("Type"))), STR(""));
		if (!str_starts(type, STR("AWS::IAM::")) || str_is(type, "AWS::IAM::OIDCProvider") ||
			str_is(type, "AWS::IAM::SAMLProvider") || str_is(type, "AWS::IAM::ServerCertificate") ||
			str_is(type, "AWS::IAM::VirtualMFADevice") || str_is(type, "AWS::IAM::ServiceLinkedRole"))
			continue;
		static const char *const names[] = {
			"RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"};
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			named |= json_member(json_member(r, STR("Properties")), str_c(names[i])) &&
				 !str_is(type, "AWS::IAM::Policy");
		if (b.n) buf_lit(&b, ", ");
		buf_str(&b, type);
	}
	if (!b.n) return;
	*VEC_PUSH(c->arena, out, &capacity) = named ? STR("CAPABILITY_NAMED_IAM") : STR("CAPABILITY_IAM");
	*reason = str_fmt(c->arena, "The following resource(s) require capabilities: [%.*s]", STR_ARG(buf_done(&b)));
}

static void transforms(struct call *c, const struct cfn_template *t, struct cloudformation_transforms_list *out)
{
	size_t capacity = 0;
	if (!t->transform) return;
	bool list = t->transform->type == JSON_IS_ARRAY;
	for (const struct json_value *v = list ? t->transform->first : t->transform; v; v = list ? v->next : NULL)
		*VEC_PUSH(c->arena, out, &capacity) = v->type == JSON_IS_OBJECT ? str_or(cfn_at(v, "Name"), STR(""))
										: str_or(json_string(v), STR(""));
}

static bool no_echo(const struct json_value *p)
{
	return str_is(str_or(json_scalar(json_member(p, STR("NoEcho"))), STR("")), "true");
}

status cloudformation_validate_template(struct call *c, const struct cloudformation_validate_template_input *in,
	struct cloudformation_validate_template_output *out)
{
	struct cfn_template t;
	struct str why;
	size_t capacity = 0;
	TRY(read_any(c, in->template_body, in->template_url, STR_NONE, &t));
	if (!t.transform && !is_ok(cfn_template_check(c->arena, &t, &why))) return cfn_invalid(c, why);
	VEC_PRESENT(c->arena, &out->parameters);
	for (const struct json_value *p = t.parameters ? t.parameters->first : NULL; p; p = p->next)
		*VEC_PUSH(c->arena, &out->parameters, &capacity) =
			(struct cloudformation_template_parameter){.parameter_key = p->name,
				.default_value = json_scalar(json_member(p, STR("Default"))),
				.no_echo = SOME_BOOL(no_echo(p)),
				.description = json_string(json_member(p, STR("Description")))};
	out->description = t.description;
	capabilities(c, &t, &out->capabilities, &out->capabilities_reason);
	transforms(c, &t, &out->declared_transforms);
	return OK;
}

status cloudformation_get_template_summary(struct call *c, const struct cloudformation_get_template_summary_input *in,
	struct cloudformation_get_template_summary_output *out)
{
	struct cfn_template t;
	size_t capacity = 0, types = 0;
	TRY(read_any(c, in->template_body, in->template_url, in->stack_name, &t));
	VEC_PRESENT(c->arena, &out->parameters);
	for (const struct json_value *p = t.parameters ? t.parameters->first : NULL; p; p = p->next) {
		struct cloudformation_parameter_declaration *d = VEC_PUSH(c->arena, &out->parameters, &capacity);
		*d = (struct cloudformation_parameter_declaration){.parameter_key = p->name,
			.default_value = json_scalar(json_member(p, STR("Default"))),
			.parameter_type = json_string(json_member(p, STR("Type"))),
			.no_echo = SOME_BOOL(no_echo(p)),
			.description = json_string(json_member(p, STR("Description")))};
		d->parameter_constraints = arena_new(c->arena, struct cloudformation_parameter_constraints);
		const struct json_value *allowed = json_member(p, STR("AllowedValues"));
		size_t values = 0;
		for (const struct json_value *v = json_is(allowed, JSON_IS_ARRAY) ? allowed->first : NULL; v;
			v = v->next)
			*VEC_PUSH(c->arena, &d->parameter_constraints->allowed_values, &values) =
				str_or(json_scalar(v), STR(""));
	}
	for (const struct json_value *r = t.resources->first; r; r = r->next) {
		struct str type = json_string(json_member(r, STR("Type")));
		bool known = !str_has(type);
		for (size_t i = 0; i < out->resource_types.n && !known; i++)
			known = str_eq(out->resource_types.v[i], type);
		if (!known) *VEC_PUSH(c->arena, &out->resource_types, &types) = type;
	}
	out->description = t.description;
	out->version = json_scalar(json_member(t.root, STR("AWSTemplateFormatVersion")));
	if (t.metadata) out->metadata = cfn_json(c->arena, t.metadata);
	capabilities(c, &t, &out->capabilities, &out->capabilities_reason);
	transforms(c, &t, &out->declared_transforms);
	return OK;
}
