/* Intrinsic functions of values, one by one ("Intrinsic function reference", CloudFormation User Guide). Messages are
 * those that CloudFormation gives. */
#include "services/cloudformation/functions.h"
#include "services/cloudformation/cidr.h"
#include "services/cloudformation/handlers.h"

static status text_of(
	struct cfn_scope *s, const struct json_value *v, struct str *out, struct str *why, const char *complaint)
{
	const struct json_value *value = NULL;
	TRY(cfn_evaluate(s, v, &value, why));
	*out = json_scalar(value);
	return str_has(*out) ? OK : cfn_refuse(s, why, "%s", complaint);
}

status cfn_ref(struct cfn_scope *s, struct str name, const struct json_value **out, struct str *why)
{
	struct {
		struct str name, value;
	} pseudo[] = {
		{STR("AWS::AccountId"), s->account},
		{STR("AWS::Region"), s->region},
		{STR("AWS::Partition"), s->partition},
		{STR("AWS::URLSuffix"), s->url_suffix},
		{STR("AWS::StackId"), s->stack_id},
		{STR("AWS::StackName"), s->stack_name},
	};
	if (str_is(name, "AWS::NoValue")) {
		*out = NULL;
		return OK;
	}
	for (size_t i = 0; i < sizeof(pseudo) / sizeof(*pseudo); i++) {
		if (!str_eq(name, pseudo[i].name)) continue;
		*out = cfn_text(s->a, pseudo[i].value);
		return OK;
	}
	if (str_is(name, "AWS::NotificationARNs")) {
		*out = s->notification_arns ? s->notification_arns : cfn_list(s->a);
		return OK;
	}
	const struct json_value *p = json_member(s->parameters, name);
	if (p) {
		*out = p;
		return OK;
	}
	struct cfn_live live = {.physical_id = STR_NONE};
	if (s->find && s->find(s->ctx, name, &live) && str_has(live.physical_id)) {
		*out = cfn_text(s->a, live.physical_id);
		return OK;
	}
	if (s->preview && json_member(s->t->resources, name)) {
		*out = cfn_text(s->a, STR(CFN_UNKNOWN));
		return OK;
	}
	return cfn_refuse(s, why,
		"Template format error: Unresolved resource dependencies [%.*s] in the Resources block of the template",
		STR_ARG(name));
}

/* Attributes may be nested: "Endpoint.Address". */
static const struct json_value *attribute_of(const struct json_value *all, struct str path)
{
	const struct json_value *v = json_member(all, path);
	ptrdiff_t dot = str_chr(path, '.');
	if (v || dot < 0) return v;
	return attribute_of(json_member(all, str_sub(path, 0, (size_t)dot)), str_from(path, (size_t)dot + 1));
}

status cfn_get_att(
	struct cfn_scope *s, struct str resource, struct str attribute, const struct json_value **out, struct str *why)
{
	struct cfn_live live = {.physical_id = STR_NONE};
	if (!json_member(s->t->resources, resource))
		return cfn_refuse(s, why, "Template error: instance of Fn::GetAtt references undefined resource %.*s",
			STR_ARG(resource));
	bool there = s->find && s->find(s->ctx, resource, &live) && str_has(live.physical_id);
	const struct json_value *v = there ? attribute_of(live.attributes, attribute) : NULL;
	if (v && s->shown && json_member(live.attributes, STR(CFN_NO_ECHO))) v = cfn_text(s->a, STR("*****"));
	if (v) {
		*out = v;
		return OK;
	}
	if (s->preview && !there) {
		*out = cfn_text(s->a, STR(CFN_UNKNOWN));
		return OK;
	}
	return cfn_refuse(s, why, "Template error: resource %.*s does not support attribute type %.*s in Fn::GetAtt",
		STR_ARG(resource), STR_ARG(attribute));
}

static status fn_ref(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	if (f->type != JSON_IS_STRING) {
		struct str name;
		if (!s->t->language_extensions)
			return cfn_refuse(s, why, "Template error: every Ref object must have a single String value.");
		TRY(text_of(s, f, &name, why, "Template error: every Ref object must have a single String value."));
		return cfn_ref(s, name, out, why);
	}
	return cfn_ref(s, f->text, out, why);
}

static status fn_get_att(
	struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	static const char complaint[] = "Template error: Fn::GetAtt object requires two non-empty parameters, the "
					"resource name and the resource attribute";
	if (f->type == JSON_IS_STRING && str_chr(f->text, '.') > 0) {
		size_t dot = (size_t)str_chr(f->text, '.');
		return cfn_get_att(s, str_sub(f->text, 0, dot), str_from(f->text, dot + 1), out, why);
	}
	struct str name, attribute;
	if (f->type != JSON_IS_ARRAY || f->length != 2) return cfn_refuse(s, why, "%s", complaint);
	TRY(text_of(s, f->first, &name, why, complaint));
	TRY(text_of(s, f->first->next, &attribute, why, complaint));
	return cfn_get_att(s, name, attribute, out, why);
}

static status fn_sub(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	struct str text = json_string(f);
	const struct json_value *own = NULL;
	if (f->type == JSON_IS_ARRAY && f->length == 2 && f->first->next->type == JSON_IS_OBJECT) {
		text = json_string(f->first);
		TRY(cfn_evaluate(s, f->first->next, &own, why));
	}
	if (!str_has(text))
		return cfn_refuse(s, why,
			"Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. "
			"Specify a string as first "
			"argument, and an optional second argument to specify a mapping of values to replace in the "
			"string");
	struct buf b = BUF_IN(s->a);
	struct cfn_sub_piece p;
	while (cfn_sub_next(s->a, &text, &p)) {
		if (p.kind == '=') {
			buf_str(&b, p.text);
			continue;
		}
		const struct json_value *v = own ? json_member(own, p.text) : NULL;
		ptrdiff_t dot = str_chr(p.text, '.');
		if (!v && dot > 0)
			TRY(cfn_get_att(
				s, str_sub(p.text, 0, (size_t)dot), str_from(p.text, (size_t)dot + 1), &v, why));
		else if (!v)
			TRY(cfn_ref(s, p.text, &v, why));
		struct str value = json_scalar(v);
		/* A list parameter's text is its members with commas between. */
		if (json_is(v, JSON_IS_ARRAY)) {
			for (const struct json_value *c = v->first; c; c = c->next) {
				buf_str(&b, str_or(json_scalar(c), STR("")));
				if (c->next) buf_byte(&b, ',');
			}
			continue;
		}
		if (!str_has(value))
			return cfn_refuse(s, why,
				"Template error: variable %.*s in Fn::Sub expression does not resolve to a string",
				STR_ARG(p.text));
		buf_str(&b, value);
	}
	struct str resolved;
	TRY(cfn_resolve_text(s, buf_done(&b), &resolved, why));
	*out = cfn_text(s->a, resolved);
	return OK;
}

static status fn_join(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	static const char complaint[] =
		"Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list "
		"of strings to be joined "
		"or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
	struct str delimiter;
	const struct json_value *list = NULL;
	if (f->type != JSON_IS_ARRAY || f->length != 2) return cfn_refuse(s, why, "%s", complaint);
	TRY(text_of(s, f->first, &delimiter, why, complaint));
	TRY(cfn_evaluate(s, f->first->next, &list, why));
	if (s->preview && str_is(str_or(json_string(list), STR("")), CFN_UNKNOWN)) {
		*out = list;
		return OK;
	}
	if (!json_is(list, JSON_IS_ARRAY)) return cfn_refuse(s, why, "%s", complaint);
	struct buf b = BUF_IN(s->a);
	for (const struct json_value *c = list->first; c; c = c->next) {
		if (!str_has(json_scalar(c))) return cfn_refuse(s, why, "%s", complaint);
		buf_str(&b, json_scalar(c));
		if (c->next) buf_str(&b, delimiter);
	}
	/* A reference may be put together of pieces. */
	struct str resolved;
	TRY(cfn_resolve_text(s, buf_done(&b), &resolved, why));
	*out = cfn_text(s->a, resolved);
	return OK;
}

static status fn_select(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	static const char complaint[] =
		"Template error: Fn::Select requires a list argument with two elements: an integer index and a list";
	struct str index;
	const struct json_value *list = NULL;
	int64_t i;
	if (f->type != JSON_IS_ARRAY || f->length != 2) return cfn_refuse(s, why, "%s", complaint);
	TRY(text_of(s, f->first, &index, why, complaint));
	TRY(cfn_evaluate(s, f->first->next, &list, why));
	if (s->preview && str_is(str_or(json_string(list), STR("")), CFN_UNKNOWN)) {
		*out = list;
		return OK;
	}
	if (!json_is(list, JSON_IS_ARRAY) || !is_ok(str_to_i64(index, &i))) return cfn_refuse(s, why, "%s", complaint);
	const struct json_value *c = list->first;
	for (int64_t k = 0; c && k < i; k++) c = c->next;
	if (!c || i < 0)
		return cfn_refuse(s, why, "Template error: Fn::Select cannot select nonexistent value at index %lld",
			(long long)i);
	*out = c;
	return OK;
}

static status fn_split(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	static const char complaint[] =
		"Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a "
		"string to be split or a function that returns a string to be split.";
	struct str delimiter, text;
	if (f->type != JSON_IS_ARRAY || f->length != 2) return cfn_refuse(s, why, "%s", complaint);
	TRY(text_of(s, f->first, &delimiter, why, complaint));
	TRY(text_of(s, f->first->next, &text, why, complaint));
	if (!delimiter.n) return cfn_refuse(s, why, "%s", complaint);
	struct json_value *list = cfn_list(s->a);
	for (;;) {
		ptrdiff_t at = str_find(text, delimiter);
		cfn_append(list, STR_NONE, cfn_text(s->a, at < 0 ? text : str_sub(text, 0, (size_t)at)));
		if (at < 0) break;
		text = str_from(text, (size_t)at + delimiter.n);
	}
	*out = list;
	return OK;
}

static status fn_if(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	bool truth;
	if (f->type != JSON_IS_ARRAY || f->length != 3 || f->first->type != JSON_IS_STRING)
		return cfn_refuse(s, why,
			"Template error: Fn::If requires a list argument with the first element being a condition");
	TRY(cfn_condition(s, f->first->text, &truth, why));
	return cfn_evaluate(s, truth ? f->first->next : f->first->next->next, out, why);
}

/* Fn::And and its kin give a boolean, where conditions stand in for values. */
static status fn_truth(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	struct json_value *function = cfn_object(s->a);
	bool truth;
	cfn_append(function, f->name, cfn_copy(s->a, f));
	TRY(cfn_truth(s, function, &truth, why));
	struct json_value *v = cfn_text(s->a, truth ? STR("true") : STR("false"));
	v->type = JSON_IS_BOOL;
	v->truth = truth;
	*out = v;
	return OK;
}

static status fn_find_in_map(
	struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	static const char complaint[] =
		"Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the "
		"attribute for return value";
	struct str map, top, second;
	if (f->type != JSON_IS_ARRAY || f->length < 3) return cfn_refuse(s, why, "%s", complaint);
	const struct json_value *fallback =
		f->length == 4 ? json_member(f->first->next->next->next, STR("DefaultValue")) : NULL;
	TRY(text_of(s, f->first, &map, why, complaint));
	TRY(text_of(s, f->first->next, &top, why, complaint));
	TRY(text_of(s, f->first->next->next, &second, why, complaint));
	const struct json_value *m = json_member(s->t->mappings, map), *v = json_member(json_member(m, top), second);
	if (v) {
		*out = v;
		return OK;
	}
	if (fallback) return cfn_evaluate(s, fallback, out, why);
	if (!m)
		return cfn_refuse(s, why,
			"Template error: Mapping named '%.*s' is not present in the 'Mappings' section of template.",
			STR_ARG(map));
	return cfn_refuse(s, why, "Template error: Unable to get mapping for %.*s::%.*s::%.*s", STR_ARG(map),
		STR_ARG(top), STR_ARG(second));
}

static status fn_import_value(
	struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	struct str name, value = STR("");
	TRY(text_of(s, f, &name, why,
		"Template error: the attribute in Fn::ImportValue must be a string or a function that returns a "
		"string"));
	TRY(s->import(s->ctx, name, &value, why));
	*out = cfn_text(s->a, value);
	return OK;
}

static status fn_base64(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	struct str text;
	TRY(text_of(s, f, &text, why, "Template error: every Fn::Base64 object must have a String-typed value."));
	*out = cfn_text(s->a, str_base64(s->a, text));
	return OK;
}

static status fn_cidr(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	static const char complaint[] =
		"Template error: every Fn::Cidr object requires two required parameters, (1) ipBlock, (2) count and an "
		"optional parameter cidrBits";
	struct str block, text;
	int64_t count, bits = 8;
	if (f->type != JSON_IS_ARRAY || f->length < 2 || f->length > 3) return cfn_refuse(s, why, "%s", complaint);
	TRY(text_of(s, f->first, &block, why, complaint));
	TRY(text_of(s, f->first->next, &text, why, complaint));
	if (s->preview && str_is(block, CFN_UNKNOWN)) {
		struct json_value *unknown = cfn_list(s->a);
		int64_t n;
		if (is_ok(str_to_i64(text, &n)))
			for (int64_t i = 0; i < n && i < 256; i++) cfn_append(unknown, STR_NONE, cfn_text(s->a, block));
		*out = unknown;
		return OK;
	}
	if (!is_ok(str_to_i64(text, &count)) || count < 1 || count > 256) return cfn_refuse(s, why, "%s", complaint);
	if (f->length == 3) {
		TRY(text_of(s, f->first->next->next, &text, why, complaint));
		if (!is_ok(str_to_i64(text, &bits)) || bits < 1 || bits > 128)
			return cfn_refuse(s, why, "%s", complaint);
	}
	struct json_value *list = cfn_list(s->a);
	for (int64_t i = 0; i < count; i++) {
		struct str one;
		if (!is_ok(cfn_cidr_part(s->a, block, (unsigned)bits, (uint64_t)i, &one)))
			return cfn_refuse(s, why,
				"Template error: Fn::Cidr cannot split %.*s into %lld blocks of %lld bits",
				STR_ARG(block), (long long)count, (long long)bits);
		cfn_append(list, STR_NONE, cfn_text(s->a, one));
	}
	*out = list;
	return OK;
}

static status fn_get_azs(
	struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	struct str region;
	TRY(text_of(s, f, &region, why, "Template error: Fn::GetAZs requires a region"));
	*out = s->zones(s->ctx, region.n ? region : s->region);
	return *out ? OK : cfn_refuse(s, why, "Template error: Fn::GetAZs: unknown region %.*s", STR_ARG(region));
}

static status fn_length(struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	const struct json_value *list = NULL;
	if (!s->t->language_extensions)
		return cfn_refuse(s, why, "Template error: Fn::Length requires the transform AWS::LanguageExtensions");
	TRY(cfn_evaluate(s, f, &list, why));
	if (!json_is(list, JSON_IS_ARRAY)) return cfn_refuse(s, why, "Template error: Fn::Length requires a list");
	struct json_value *v = cfn_text(s->a, str_fmt(s->a, "%zu", list->length));
	v->type = JSON_IS_NUMBER;
	*out = v;
	return OK;
}

static status fn_to_json(
	struct cfn_scope *s, const struct json_value *f, const struct json_value **out, struct str *why)
{
	const struct json_value *v = NULL;
	if (!s->t->language_extensions)
		return cfn_refuse(
			s, why, "Template error: Fn::ToJsonString requires the transform AWS::LanguageExtensions");
	TRY(cfn_evaluate(s, f, &v, why));
	if (!json_is(v, JSON_IS_ARRAY) && !json_is(v, JSON_IS_OBJECT))
		return cfn_refuse(s, why, "Template error: Fn::ToJsonString requires a list or a map");
	*out = cfn_text(s->a, cfn_json(s->a, v));
	return OK;
}

cfn_function_fn cfn_function_of(struct str name)
{
	static const struct {
		const char *name;
		cfn_function_fn fn;
	} all[] = {
		{"Ref", fn_ref},
		{"Fn::GetAtt", fn_get_att},
		{"Fn::Sub", fn_sub},
		{"Fn::Join", fn_join},
		{"Fn::Select", fn_select},
		{"Fn::Split", fn_split},
		{"Fn::If", fn_if},
		{"Fn::And", fn_truth},
		{"Fn::Or", fn_truth},
		{"Fn::Not", fn_truth},
		{"Fn::Equals", fn_truth},
		{"Fn::Contains", fn_truth},
		{"Fn::EachMemberIn", fn_truth},
		{"Fn::EachMemberEquals", fn_truth},
		{"Fn::FindInMap", fn_find_in_map},
		{"Fn::ImportValue", fn_import_value},
		{"Fn::Base64", fn_base64},
		{"Fn::Cidr", fn_cidr},
		{"Fn::GetAZs", fn_get_azs},
		{"Fn::Length", fn_length},
		{"Fn::ToJsonString", fn_to_json},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (str_eq(name, str_c(all[i].name))) return all[i].fn;
	return NULL;
}
