/* The registry of resource types, as far as virga makes them ("ListTypes", "DescribeType"): their schemas are written
 * from models/cloudformation.types. */
#include "base/vec.h"
#include "services/cloudformation/operations.h"

enum { PAGE = 100 };

static struct str type_arn(struct call *c, struct str name)
{
	struct buf b = BUF_IN(c->arena);
	for (size_t i = 0; i < name.n; i++) {
		bool colons = name.p[i] == ':';
		if (colons) i++;
		buf_byte(&b, colons ? '-' : name.p[i]);
	}
	return str_fmt(c->arena, "arn:%.*s:cloudformation:%.*s::type/resource/%.*s", STR_ARG(c->partition),
		STR_ARG(c->region), STR_ARG(buf_done(&b)));
}

static bool is_listed(const struct cloudformation_list_types_input *in, struct str name)
{
	struct str prefix = in->filters ? in->filters->type_name_prefix : STR_NONE;
	if (str_has(prefix) && !str_starts(name, prefix)) return false;
	const struct cfn_handler *h = cfn_handler_of(name);
	if (!h) return false;
	struct str wanted = str_or(in->provisioning_type, STR("FULLY_MUTABLE"));
	if (str_has(in->provisioning_type) && str_is(wanted, "NON_PROVISIONABLE")) return false;
	return !str_has(in->provisioning_type) || str_eq(wanted, h->update ? STR("FULLY_MUTABLE") : STR("IMMUTABLE"));
}

status cloudformation_list_types(
	struct call *c, const struct cloudformation_list_types_input *in, struct cloudformation_list_types_output *out)
{
	struct cfn_names all;
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	/* "PRIVATE: … This is the default." Nothing can be registered here; AWS's own types are public. */
	struct str category = in->filters ? in->filters->category : STR_NONE;
	bool public = str_is(str_or(in->visibility, STR("PRIVATE")), "PUBLIC") ||
		      str_is(str_or(category, STR("")), "AWS_TYPES");
	bool other = str_has(in->type) && !str_is(in->type, "RESOURCE");
	bool foreign = str_has(category) && !str_is(category, "AWS_TYPES");
	VEC_PRESENT(c->arena, &out->type_summaries);
	if (!public || other || foreign || str_is(str_or(in->deprecated_status, STR("LIVE")), "DEPRECATED")) return OK;
	cfn_type_names(c->arena, &all);
	for (size_t i = 0; i < all.n; i++) {
		if (str_has(in->next_token) && str_cmp(all.v[i], in->next_token) <= 0) continue;
		if (!is_listed(in, all.v[i])) continue;
		if (out->type_summaries.n == most) {
			out->next_token = out->type_summaries.v[most - 1].type_name;
			break;
		}
		*VEC_PUSH(c->arena, &out->type_summaries, &capacity) =
			(struct cloudformation_type_summary){.type = STR("RESOURCE"),
				.type_name = all.v[i],
				.type_arn = type_arn(c, all.v[i]),
				.is_activated = SOME_BOOL(true)};
	}
	return OK;
}

/* ── schemas ────────────────────────────────────────────────────────────────────────────────────────────────────────
 */

static struct json_value *schema_of(struct arena *a, struct str type)
{
	struct json_value *s = cfn_object(a);
	ptrdiff_t bar = type.p[0] == '[' || type.p[0] == '{' ? -1 : str_chr(type, '|');
	if (bar > 0) {
		struct json_value *any = cfn_list(a);
		for (struct str rest = type; str_has(rest);)
			cfn_append(any, STR_NONE, schema_of(a, str_cut(&rest, '|')));
		cfn_append(s, STR("anyOf"), any);
	} else if (type.p[0] == '[') {
		cfn_put(s, a, "type", STR("array"));
		cfn_append(s, STR("items"), schema_of(a, str_sub(type, 1, type.n - 2)));
	} else if (type.p[0] == '{') {
		struct json_value *patterns = cfn_object(a);
		cfn_append(patterns, STR("^.*$"), schema_of(a, str_sub(type, 1, type.n - 2)));
		cfn_put(s, a, "type", STR("object"));
		cfn_append(s, STR("patternProperties"), patterns);
	} else if (type.p[0] == '.') {
		cfn_put(s, a, "$ref", str_fmt(a, "#/definitions/%.*s", STR_ARG(str_from(type, 1))));
	} else if (str_is(type, "tag")) {
		cfn_put(s, a, "$ref", STR("#/definitions/Tag"));
	} else if (str_is(type, "date-time")) {
		cfn_put(s, a, "type", STR("string"));
		cfn_put(s, a, "format", STR("date-time"));
	} else {
		cfn_put(s, a, "type", str_is(type, "json") ? STR("object") : type);
	}
	return s;
}

static struct json_value *no(struct arena *a)
{
	struct json_value *v = cfn_text(a, STR("false"));
	v->type = JSON_IS_BOOL;
	return v;
}

static void describe_struct(struct arena *a, struct json_value *to, const struct cfn_struct *s)
{
	struct json_value *properties = cfn_object(a), *required = cfn_list(a);
	for (size_t i = 0; i < s->n; i++) {
		cfn_append(properties, s->v[i].name, schema_of(a, s->v[i].type));
		if (s->v[i].required) cfn_append(required, STR_NONE, cfn_text(a, s->v[i].name));
	}
	cfn_append(to, STR("properties"), properties);
	if (required->length) cfn_append(to, STR("required"), required);
	cfn_append(to, STR("additionalProperties"), no(a));
}

static void pointer(struct arena *a, struct json_value *list, struct str name)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "/properties/");
	for (size_t i = 0; i < name.n; i++) buf_byte(&b, name.p[i] == '.' ? '/' : name.p[i]);
	cfn_append(list, STR_NONE, cfn_text(a, buf_done(&b)));
}

static struct str schema(struct arena *a, const struct cfn_type *t)
{
	struct json_value *root = cfn_one(a, "typeName", t->name), *definitions = cfn_object(a), *ids = cfn_list(a),
			  *read_only = cfn_list(a), *create_only = cfn_list(a), *maybe = cfn_list(a);
	describe_struct(a, root, &t->properties);
	struct json_value *properties = json_member(root, STR("properties"));
	for (size_t i = 0; i < t->n_attributes; i++) {
		/* Attributes are properties that cannot be written; nested ones are told by their path alone. */
		if (str_chr(t->attributes[i], '.') < 0 && !json_member(properties, t->attributes[i]))
			cfn_set(properties, t->attributes[i], schema_of(a, STR("string")));
		pointer(a, read_only, t->attributes[i]);
	}
	for (size_t i = 0; i < t->properties.n; i++) {
		if (t->properties.v[i].change == CFN_REPLACES) pointer(a, create_only, t->properties.v[i].name);
		if (t->properties.v[i].change == CFN_MAY_REPLACE) pointer(a, maybe, t->properties.v[i].name);
	}
	for (size_t i = 0; i < t->n_structs; i++) {
		struct json_value *d = cfn_one(a, "type", STR("object"));
		describe_struct(a, d, &t->structs[i]);
		cfn_append(definitions, t->structs[i].name, d);
	}
	if (str_has(t->tags) && !json_member(definitions, STR("Tag"))) {
		struct json_value *tag = cfn_one(a, "type", STR("object")), *members = cfn_object(a);
		cfn_append(members, STR("Key"), schema_of(a, STR("string")));
		cfn_append(members, STR("Value"), schema_of(a, STR("string")));
		cfn_append(tag, STR("properties"), members);
		cfn_append(definitions, STR("Tag"), tag);
	}
	if (definitions->length) cfn_append(root, STR("definitions"), definitions);
	for (size_t i = 0; i < t->n_ids; i++) pointer(a, ids, t->ids[i]);
	if (ids->length) cfn_append(root, STR("primaryIdentifier"), ids);
	if (read_only->length) cfn_append(root, STR("readOnlyProperties"), read_only);
	if (create_only->length) cfn_append(root, STR("createOnlyProperties"), create_only);
	if (maybe->length) cfn_append(root, STR("conditionalCreateOnlyProperties"), maybe);
	return cfn_json(a, root);
}

status cloudformation_describe_type(struct call *c, const struct cloudformation_describe_type_input *in,
	struct cloudformation_describe_type_output *out)
{
	struct cfn_type t;
	struct str name = in->type_name;
	if (!str_has(name) && str_has(in->arn)) {
		/* arn:aws:cloudformation:REGION::type/resource/AWS-SQS-Queue */
		ptrdiff_t slash = str_rchr(in->arn, '/');
		struct buf b = BUF_IN(c->arena);
		struct str rest = str_from(in->arn, (size_t)(slash + 1));
		while (str_has(rest)) {
			buf_str(&b, str_cut(&rest, '-'));
			if (str_has(rest)) buf_lit(&b, "::");
		}
		name = buf_done(&b);
	}
	if (!str_has(name)) return call_fail(c, ERR_VALIDATION, "Either Arn, or TypeName and Type, must be specified");
	const struct cfn_handler *h = cfn_handler_of(name);
	if (!h || str_starts(name, STR("Custom::")) || !is_ok(cfn_type_find(c->arena, name, &t)))
		return call_fail(c, CLOUDFORMATION_ERR_TYPE_NOT_FOUND_EXCEPTION, "The type '%.*s' cannot be found.",
			STR_ARG(name));
	*out = (struct cloudformation_describe_type_output){.arn = type_arn(c, name),
		.type = STR("RESOURCE"),
		.type_name = name,
		.schema = schema(c->arena, &t),
		.provisioning_type = h->update ? STR("FULLY_MUTABLE") : STR("IMMUTABLE"),
		.deprecated_status = STR("LIVE"),
		.visibility = STR("PUBLIC"),
		.is_activated = SOME_BOOL(true)};
	return OK;
}
