/* A template's sections and the form that they have to have: see template.h. */
#include "services/cloudformation/template.h"
#include <ctype.h>

/* "Understand CloudFormation quotas". */
enum {
	PARAMETERS_MAX = 200,
	RESOURCES_MAX = 500,
	OUTPUTS_MAX = 200,
	MAPPINGS_MAX = 200,
	DESCRIPTION_MAX = 1024,
	NAME_MAX_ = 255
};

static status fail(struct str *why, struct str message)
{
	*why = message;
	return STATUS(INVALID);
}

static bool alphanumeric(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i])) return false;
	return s.n > 0 && s.n <= NAME_MAX_;
}

static status take_section(struct arena *a, const struct json_value *v, struct cfn_template *t, struct str *why)
{
	struct {
		struct str name;
		const struct json_value **at;
	} sections[] = {
		{STR("Metadata"), &t->metadata},
		{STR("Parameters"), &t->parameters},
		{STR("Rules"), &t->rules},
		{STR("Mappings"), &t->mappings},
		{STR("Conditions"), &t->conditions},
		{STR("Resources"), &t->resources},
		{STR("Outputs"), &t->outputs},
	};
	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		if (!str_eq(v->name, sections[i].name)) continue;
		if (v->type == JSON_IS_NULL)
			return fail(why,
				str_fmt(a, "[/%.*s] 'null' values are not allowed in templates", STR_ARG(v->name)));
		if (v->type != JSON_IS_OBJECT)
			return fail(
				why, str_fmt(a, "Template format error: %.*s must be an object.", STR_ARG(v->name)));
		*sections[i].at = v;
		return OK;
	}
	if (str_is(v->name, "AWSTemplateFormatVersion")) {
		/* YAML without quotes makes a date of it; here it stays text. */
		if (!str_eq(str_or(json_scalar(v), STR("")), STR("2010-09-09")))
			return fail(why,
				str_fmt(a, "Template format error: unsupported value for AWSTemplateFormatVersion."));
		return OK;
	}
	if (str_is(v->name, "Description")) {
		t->description = json_string(v);
		if (!str_has(t->description))
			return fail(why, STR("Template format error: Description must be a string."));
		if (t->description.n > DESCRIPTION_MAX)
			return fail(why, STR("Template format error: 'Description' length is greater than 1024."));
		return OK;
	}
	if (str_is(v->name, "Transform")) {
		t->transform = v;
		return OK;
	}
	/* Globals: of AWS::Serverless-2016-10-31, which takes it away. */
	if (str_is(v->name, "Hooks") || str_is(v->name, "Globals")) return OK;
	return fail(why, str_fmt(a, "Invalid template property or properties [%.*s]", STR_ARG(v->name)));
}

/* 'null' values are not allowed in templates. */
static status no_nulls(struct arena *a, const struct json_value *v, struct str path, struct str *why)
{
	if (v->type == JSON_IS_NULL)
		return fail(why, str_fmt(a, "[%.*s] 'null' values are not allowed in templates", STR_ARG(path)));
	size_t i = 0;
	for (const struct json_value *c = v->first; c; c = c->next, i++)
		TRY(no_nulls(a, c,
			v->type == JSON_IS_OBJECT ? str_fmt(a, "%.*s/%.*s", STR_ARG(path), STR_ARG(c->name))
						  : str_fmt(a, "%.*s/%zu", STR_ARG(path), i),
			why));
	return OK;
}

static status check_resource(struct arena *a, const struct json_value *r, struct str *why)
{
	static const char *const known[] = {"Type", "Properties", "DependsOn", "Condition", "Metadata",
		"DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy", "Description", "Version"};
	if (r->type != JSON_IS_OBJECT)
		return fail(why, STR("Template format error: Any Resources member must be an object."));
	if (!alphanumeric(r->name))
		return fail(why,
			str_fmt(a, "Template format error: Resource name %.*s is non alphanumeric.", STR_ARG(r->name)));
	if (!str_has(json_string(json_member(r, STR("Type")))))
		return fail(why, str_fmt(a,
					 "Template format error: [/Resources/%.*s] Every Resources object must contain "
					 "a Type member.",
					 STR_ARG(r->name)));
	for (const struct json_value *c = r->first; c; c = c->next) {
		bool found = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) found |= str_eq(c->name, str_c(known[i]));
		if (!found) return fail(why, str_fmt(a, "Invalid template resource property '%.*s'", STR_ARG(c->name)));
	}
	const struct json_value *p = json_member(r, STR("Properties"));
	if (p && p->type != JSON_IS_OBJECT)
		return fail(why, str_fmt(a, "Template format error: [/Resources/%.*s/Properties] must be an object.",
					 STR_ARG(r->name)));
	const char *policies[] = {"DeletionPolicy", "UpdateReplacePolicy"};
	for (int i = 0; i < 2; i++) {
		const struct json_value *d = json_member(r, str_c(policies[i]));
		if (!d || cfn_function(d)) continue; /* a function: AWS::LanguageExtensions */
		struct str s = str_or(json_string(d), STR(""));
		bool ok = str_is(s, "Delete") || str_is(s, "Retain") || str_is(s, "Snapshot") ||
			  (i == 0 && str_is(s, "RetainExceptOnCreate"));
		if (!ok)
			return fail(why, str_fmt(a, "Template error: Invalid value '%.*s' for %s of resource %.*s.",
						 STR_ARG(s), policies[i], STR_ARG(r->name)));
	}
	return OK;
}

static status check_parameter(struct arena *a, const struct json_value *p, struct str *why)
{
	if (!alphanumeric(p->name))
		return fail(why, str_fmt(a, "Template format error: Parameter name %.*s is non alphanumeric.",
					 STR_ARG(p->name)));
	if (p->type != JSON_IS_OBJECT || !str_has(json_string(json_member(p, STR("Type")))))
		return fail(
			why, str_fmt(a, "Template format error: Every Parameters object must contain a Type member."));
	return OK;
}

static status check_output(struct arena *a, const struct json_value *o, struct str *why)
{
	if (!alphanumeric(o->name))
		return fail(why,
			str_fmt(a, "Template format error: Output name %.*s is non alphanumeric.", STR_ARG(o->name)));
	if (o->type != JSON_IS_OBJECT || !json_member(o, STR("Value")))
		return fail(why, str_fmt(a,
					 "Template format error: Output %.*s is malformed. Every Outputs object must "
					 "contain a Value.",
					 STR_ARG(o->name)));
	return OK;
}

static status check_mapping(struct arena *a, const struct json_value *m, struct str *why)
{
	if (m->type != JSON_IS_OBJECT)
		return fail(why, str_fmt(a, "Template format error: Every Mappings object must be an object: %.*s",
					 STR_ARG(m->name)));
	for (const struct json_value *top = m->first; top; top = top->next) {
		if (str_starts(top->name, STR("Fn::"))) continue;
		if (top->type != JSON_IS_OBJECT)
			return fail(why, STR("Template format error: Every Mappings member must be a map"));
		for (const struct json_value *v = top->first; v; v = v->next)
			if (v->type == JSON_IS_OBJECT && !cfn_function(v))
				return fail(why, STR("Template format error: Every Mappings attribute must be a String "
						     "or a List."));
	}
	return OK;
}

static status each(struct arena *a, const struct json_value *section, size_t most, const char *kind,
	status (*check)(struct arena *, const struct json_value *, struct str *), struct str *why)
{
	if (!section) return OK;
	if (section->length > most)
		return fail(why,
			str_fmt(a, "Template format error: Number of %s, %zu, is greater than maximum allowed, %zu",
				kind, section->length, most));
	for (const struct json_value *c = section->first; c; c = c->next) {
		if (str_starts(c->name, STR("Fn::ForEach::")) || str_is(c->name, "Fn::Transform")) continue;
		TRY(check(a, c, why));
	}
	return OK;
}

status cfn_template_take(struct arena *a, const struct json_value *root, struct cfn_template *t, struct str *why)
{
	struct str text = t->text;
	bool extensions = t->language_extensions;
	*t = (struct cfn_template){
		.text = text, .root = root, .description = STR_NONE, .language_extensions = extensions};
	for (const struct json_value *v = root->first; v; v = v->next) TRY(take_section(a, v, t, why));
	if (!t->resources || !t->resources->length)
		return fail(why, STR("Template format error: At least one Resources member must be defined."));
	TRY(no_nulls(a, root, STR(""), why));
	TRY(each(a, t->parameters, PARAMETERS_MAX, "parameters", check_parameter, why));
	TRY(each(a, t->mappings, MAPPINGS_MAX, "mappings", check_mapping, why));
	TRY(each(a, t->resources, RESOURCES_MAX, "resources", check_resource, why));
	return each(a, t->outputs, OUTPUTS_MAX, "outputs", check_output, why);
}

status cfn_template_read(struct arena *a, struct str text, struct cfn_template *out, struct str *why)
{
	struct json_value *root = NULL;
	out->text = text;
	out->language_extensions = false;
	TRY(cfn_document_read(a, text, &root, why));
	return cfn_template_take(a, root, out, why);
}

const struct json_value *cfn_function(const struct json_value *v)
{
	if (!json_is(v, JSON_IS_OBJECT) || v->length != 1) return NULL;
	const struct json_value *f = v->first;
	if (str_is(f->name, "Ref")) return f;
	if (str_is(f->name, "Condition") && f->type == JSON_IS_STRING) return f;
	return str_starts(f->name, STR("Fn::")) ? f : NULL;
}

bool cfn_sub_next(struct arena *a, struct str *rest, struct cfn_sub_piece *piece)
{
	if (!str_has(*rest) || !rest->n) return false;
	ptrdiff_t at = str_find(*rest, STR("${"));
	if (at != 0) {
		*piece = (struct cfn_sub_piece){'=', str_sub(*rest, 0, at < 0 ? rest->n : (size_t)at)};
		*rest = str_from(*rest, piece->text.n);
		return true;
	}
	ptrdiff_t end = str_chr(*rest, '}');
	if (end < 0) {
		*piece = (struct cfn_sub_piece){'=', *rest};
		*rest = STR("");
		return true;
	}
	struct str name = str_trim(str_sub(*rest, 2, (size_t)end - 2));
	if (str_starts(name, STR("!")))
		*piece = (struct cfn_sub_piece){'=', str_fmt(a, "${%.*s}", STR_ARG(str_from(name, 1)))};
	else
		*piece = (struct cfn_sub_piece){'$', name};
	*rest = str_from(*rest, (size_t)end + 1);
	return true;
}
