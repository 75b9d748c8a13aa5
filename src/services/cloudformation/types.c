/* Reading models/cloudformation.types, which lies in the program as it is, and holding properties against it: see
 * types.h. A type is read when it is asked for; nothing is kept. */
#include "services/cloudformation/types.h"
#include "base/vec.h"

__asm__(".section .rodata.cloudformation_types,\"a\",@progbits\n"
	".global cloudformation_types_begin\n.global cloudformation_types_end\n"
	".hidden cloudformation_types_begin\n.hidden cloudformation_types_end\n"
	"cloudformation_types_begin:\n.incbin \"" VIRGA_MODELS "/cloudformation.types\"\n"
	"cloudformation_types_end:\n.byte 0\n.previous\n");
extern const char cloudformation_types_begin[], cloudformation_types_end[];

static struct str all_types(void)
{
	return str_n(cloudformation_types_begin, (size_t)(cloudformation_types_end - cloudformation_types_begin));
}

static void read_words(struct arena *a, struct str rest, struct str **v, size_t *n)
{
	struct {
		struct str *v;
		size_t n;
	} words = {*v, *n};
	size_t capacity = *n;
	while (str_has(rest)) *VEC_PUSH(a, &words, &capacity) = str_cut(&rest, ' ');
	*v = words.v;
	*n = words.n;
}

static void read_property(struct arena *a, struct str rest, struct cfn_struct *to, size_t *capacity)
{
	struct cfn_property *p = VEC_PUSH(a, to, capacity);
	p->name = str_cut(&rest, ' ');
	p->type = str_cut(&rest, ' ');
	while (str_has(rest)) {
		struct str word = str_cut(&rest, ' ');
		if (str_is(word, "required")) p->required = true;
		if (str_is(word, "maybe")) p->change = CFN_MAY_REPLACE;
		if (str_is(word, "replace")) p->change = CFN_REPLACES;
	}
}

static void read_line(struct arena *a, struct str line, struct cfn_type *t, size_t *properties, size_t *members)
{
	struct str rest = str_from(line, 1), word = str_cut(&rest, ' ');
	if (t->n_structs)
		read_property(a, str_from(line, 1), &t->structs[t->n_structs - 1], members);
	else if (str_is(word, "prop"))
		read_property(a, rest, &t->properties, properties);
	else if (str_is(word, "id"))
		read_words(a, rest, &t->ids, &t->n_ids);
	else if (str_is(word, "attr"))
		read_words(a, rest, &t->attributes, &t->n_attributes);
	else if (str_is(word, "stateful"))
		t->stateful = true;
	else if (str_is(word, "tags")) {
		t->tags = str_cut(&rest, ' ');
		t->tags_variant = rest;
	}
}

status cfn_type_find(struct arena *a, struct str name, struct cfn_type *out)
{
	struct str text = all_types(), wanted = str_fmt(a, "\ntype %.*s\n", STR_ARG(name));
	ptrdiff_t at = str_find(text, wanted);
	*out = (struct cfn_type){.name = str_dup(a, name), .tags = STR_NONE};
	if (str_starts(name, STR("Custom::")) && name.n > 8) {
		/* "AWS::CloudFormation::CustomResource or Custom::MyCustomResourceTypeName" */
		TRY(cfn_type_find(a, STR("AWS::CloudFormation::CustomResource"), out));
		out->name = str_dup(a, name);
		return OK;
	}
	out->open = str_is(name, "AWS::CloudFormation::CustomResource") || str_is(name, "AWS::CDK::Metadata");
	if (str_is(name, "AWS::CDK::Metadata")) return OK; /* CDK's own, in no schema */
	if (at < 0 || str_chr(name, '\n') >= 0) return STATUS(NOT_FOUND);
	struct str rest = str_from(text, (size_t)at + wanted.n);
	size_t properties = 0, members = 0, structs = 0;
	while (str_has(rest) && rest.n) {
		struct str line = str_cut(&rest, '\n');
		if (str_starts(line, STR("type "))) break;
		if (str_starts(line, STR("struct "))) {
			struct {
				struct cfn_struct *v;
				size_t n;
			} list = {out->structs, out->n_structs};
			VEC_PUSH(a, &list, &structs)->name = str_from(line, 7);
			out->structs = list.v;
			out->n_structs = list.n;
			members = 0;
			continue;
		}
		if (line.n) read_line(a, line, out, &properties, &members);
	}
	return OK;
}

void cfn_type_names(struct arena *a, struct cfn_names *out)
{
	struct str rest = all_types();
	size_t capacity = 0;
	*out = (struct cfn_names){0};
	while (str_has(rest)) {
		struct str line = str_cut(&rest, '\n');
		if (str_starts(line, STR("type "))) *VEC_PUSH(a, out, &capacity) = str_from(line, 5);
	}
}

const struct cfn_property *cfn_struct_property(const struct cfn_struct *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].name, name)) return &s->v[i];
	return NULL;
}

struct check {
	struct arena *a;
	const struct cfn_type *t;
	struct buf *complaints;
	size_t n;
};

static void complain(struct check *c, struct str path, const char *what, struct str about, const char *end)
{
	if (c->n++) buf_byte(c->complaints, '\n');
	buf_fmt(c->complaints, "#%.*s: %s%.*s%s", STR_ARG(path), what, STR_ARG(about), end);
}

static const char *name_of(const struct json_value *v)
{
	static const char *const names[] = {[JSON_IS_NULL] = "Null",
		[JSON_IS_BOOL] = "Boolean",
		[JSON_IS_NUMBER] = "Number",
		[JSON_IS_STRING] = "String",
		[JSON_IS_ARRAY] = "JSONArray",
		[JSON_IS_OBJECT] = "JSONObject"};
	return names[v->type];
}

static bool is_integer(struct str s)
{
	int64_t i;
	return is_ok(str_to_i64(s, &i));
}

/* Texts that read as a number or a truth do for one, as CloudFormation takes parameters' values. */
static bool scalar_fits(struct str type, const struct json_value *v)
{
	struct str text = json_scalar(v);
	double d;
	if (!str_has(text)) return false;
	if (str_is(type, "string") || str_is(type, "date-time")) return true;
	if (str_is(type, "integer")) return v->type != JSON_IS_BOOL && is_integer(text);
	if (str_is(type, "number")) return v->type != JSON_IS_BOOL && is_ok(str_to_f64(text, &d));
	return str_is(text, "true") || str_is(text, "false");
}

static void check_struct(struct check *c, struct str path, const struct cfn_struct *s, const struct json_value *v);
static void check_value(struct check *c, struct str path, struct str type, const struct json_value *v);

static bool fits(struct check *c, struct str type, const struct json_value *v)
{
	struct buf ignored = BUF_IN(c->a);
	struct check quiet = {.a = c->a, .t = c->t, .complaints = &ignored};
	check_value(&quiet, STR(""), type, v);
	return !quiet.n;
}

static void expect(struct check *c, struct str path, const char *type, const struct json_value *v)
{
	complain(c, path, "expected type: ", str_fmt(c->a, "%s, found: %s", type, name_of(v)), "");
}

static void check_value(struct check *c, struct str path, struct str type, const struct json_value *v)
{
	if (v->type == JSON_IS_STRING && str_is(v->text, CFN_UNKNOWN)) return;
	ptrdiff_t bar = type.p[0] == '[' || type.p[0] == '{' ? -1 : str_chr(type, '|');
	if (bar > 0) {
		struct str rest = type;
		while (str_has(rest))
			if (fits(c, str_cut(&rest, '|'), v)) return;
		check_value(c, path, str_sub(type, 0, (size_t)bar), v);
	} else if (type.p[0] == '[') {
		if (v->type != JSON_IS_ARRAY) {
			expect(c, path, "JSONArray", v);
			return;
		}
		size_t i = 0;
		for (const struct json_value *e = v->first; e; e = e->next, i++)
			check_value(c, str_fmt(c->a, "%.*s/%zu", STR_ARG(path), i), str_sub(type, 1, type.n - 2), e);
	} else if (type.p[0] == '{') {
		if (v->type != JSON_IS_OBJECT) {
			expect(c, path, "JSONObject", v);
			return;
		}
		for (const struct json_value *e = v->first; e; e = e->next)
			check_value(c, str_fmt(c->a, "%.*s/%.*s", STR_ARG(path), STR_ARG(e->name)),
				str_sub(type, 1, type.n - 2), e);
	} else if (type.p[0] == '.') {
		struct str name = str_from(type, 1);
		if (v->type != JSON_IS_OBJECT) {
			expect(c, path, "JSONObject", v);
			return;
		}
		for (size_t i = 0; i < c->t->n_structs; i++)
			if (str_eq(c->t->structs[i].name, name)) check_struct(c, path, &c->t->structs[i], v);
	} else if (str_is(type, "tag")) {
		if (v->type != JSON_IS_OBJECT || !json_member(v, STR("Key"))) expect(c, path, "JSONObject", v);
	} else if (!str_is(type, "json") && !str_is(type, "null") && !scalar_fits(type, v)) {
		expect(c, path,
			str_is(type, "integer")   ? "Integer"
			: str_is(type, "number")  ? "Number"
			: str_is(type, "boolean") ? "Boolean"
						  : "String",
			v);
	}
}

static void check_struct(struct check *c, struct str path, const struct cfn_struct *s, const struct json_value *v)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].required && !json_member(v, s->v[i].name))
			complain(c, path, "required key [", s->v[i].name, "] not found");
	for (const struct json_value *m = v->first; m; m = m->next) {
		const struct cfn_property *p = cfn_struct_property(s, m->name);
		if (!p && s == &c->t->properties && c->t->open) continue;
		if (!p)
			complain(c, path, "extraneous key [", m->name, "] is not permitted");
		else
			check_value(c, str_fmt(c->a, "%.*s/%.*s", STR_ARG(path), STR_ARG(m->name)), p->type, m);
	}
}

status cfn_type_check(struct arena *a, const struct cfn_type *t, struct str logical_id,
	const struct json_value *properties, struct str *why)
{
	struct buf b = BUF_IN(a);
	struct check c = {.a = a, .t = t, .complaints = &b};
	check_struct(&c, STR(""), &t->properties, properties);
	if (!c.n) return OK;
	*why = str_fmt(a, "Properties validation failed for resource %.*s with message:\n%.*s", STR_ARG(logical_id),
		STR_ARG(buf_done(&b)));
	return STATUS(INVALID);
}
