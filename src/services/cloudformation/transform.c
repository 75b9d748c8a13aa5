/* Transforms: AWS::LanguageExtensions (Fn::ForEach; Fn::Length, Fn::ToJsonString, functions where only texts may stand)
 * and AWS::Include. Others, AWS::Serverless-2016-10-31 and macros among them, fail by name. */
#include "services/cloudformation/internal.h"

enum { LOOP_NODES_MAX = 100000, LOOP_DEPTH_MAX = 5 };

struct loop {
	struct arena *a;
	struct cfn_scope *scope;
	struct str *why;
	size_t nodes;
};

static status fail(struct loop *l, const char *what, struct str name)
{
	*l->why = str_fmt(l->a, "Transform AWS::LanguageExtensions failed with: %s %.*s", what, STR_ARG(name));
	return STATUS(INVALID);
}

/* ${Name} and &{Name} (without what is not alphanumeric) become the value. */
static struct str substitute(struct arena *a, struct str text, struct str name, struct str value)
{
	struct str plain = str_fmt(a, "${%.*s}", STR_ARG(name)), bare = str_fmt(a, "&{%.*s}", STR_ARG(name));
	struct buf b = BUF_IN(a);
	while (text.n) {
		if (str_starts(text, plain)) {
			buf_str(&b, value);
			text = str_from(text, plain.n);
		} else if (str_starts(text, bare)) {
			for (size_t i = 0; i < value.n; i++)
				if ((value.p[i] | 32) >= 'a' ? (value.p[i] | 32) <= 'z'
							     : value.p[i] >= '0' && value.p[i] <= '9')
					buf_byte(&b, value.p[i]);
			text = str_from(text, bare.n);
		} else {
			buf_byte(&b, text.p[0]);
			text = str_from(text, 1);
		}
	}
	return buf_done(&b);
}

static status replace(
	struct loop *l, const struct json_value *v, struct str name, struct str value, struct json_value **out)
{
	if (++l->nodes > LOOP_NODES_MAX) return fail(l, "the template grows too large by", STR("Fn::ForEach"));
	struct json_value *copy = *out = cfn_copy(l->a, v);
	if (str_has(v->name)) copy->name = substitute(l->a, v->name, name, value);
	if (v->type == JSON_IS_STRING) copy->text = substitute(l->a, v->text, name, value);
	const struct json_value *f = cfn_function(v);
	if (f && str_is(f->name, "Ref") && json_is(f, JSON_IS_STRING) && str_eq(f->text, name)) {
		*copy = (struct json_value){.type = JSON_IS_STRING, .text = value, .name = copy->name, .at = v->at};
		return OK;
	}
	struct json_value **last = &copy->first;
	copy->first = NULL;
	for (const struct json_value *c = v->first; c; c = c->next) {
		TRY(replace(l, c, name, value, last));
		last = &(*last)->next;
	}
	return OK;
}

static status expand(struct loop *l, const struct json_value *v, unsigned depth, struct json_value **out);

/* "Fn::ForEach::Name": [Identifier, [values], {OutputKey: OutputValue}]: its pairs go where it stands. */
static status expand_loop(struct loop *l, const struct json_value *f, unsigned depth, struct json_value *to)
{
	const struct json_value *values;
	if (depth > LOOP_DEPTH_MAX) return fail(l, "loops may be nested five deep:", f->name);
	if (f->type != JSON_IS_ARRAY || f->length != 3 || f->first->type != JSON_IS_STRING ||
		f->first->next->next->type != JSON_IS_OBJECT)
		return fail(l, "Fn::ForEach layout is incorrect:", f->name);
	if (!is_ok(cfn_evaluate(l->scope, f->first->next, &values, l->why))) return STATUS(INVALID);
	if (!json_is(values, JSON_IS_ARRAY)) return fail(l, "Fn::ForEach needs a list:", f->name);
	for (const struct json_value *v = values->first; v; v = v->next) {
		struct json_value *body, *expanded;
		TRY(replace(l, f->first->next->next, f->first->text, str_or(json_scalar(v), STR("")), &body));
		TRY(expand(l, body, depth + 1, &expanded));
		for (struct json_value *c = expanded->first, *next; c; c = next) {
			next = c->next;
			if (json_member(to, c->name)) return fail(l, "a loop makes a key twice:", c->name);
			cfn_append(to, c->name, c);
		}
	}
	return OK;
}

static status expand(struct loop *l, const struct json_value *v, unsigned depth, struct json_value **out)
{
	if (++l->nodes > LOOP_NODES_MAX) return fail(l, "the template grows too large by", STR("Fn::ForEach"));
	struct json_value *copy = *out = cfn_copy(l->a, v);
	copy->first = NULL;
	copy->length = 0;
	for (const struct json_value *c = v->first; c; c = c->next) {
		struct json_value *child;
		if (v->type == JSON_IS_OBJECT && str_starts(c->name, STR("Fn::ForEach::"))) {
			TRY(expand_loop(l, c, depth, copy));
			continue;
		}
		TRY(expand(l, c, depth, &child));
		cfn_append(copy, c->name, child);
	}
	return OK;
}

struct including {
	struct cloud *cloud;
	const struct inside_caller *who;
	struct arena *a;
	struct str *why;
	size_t files;
};

/* s3://bucket/key, read in the caller's name. */
static status fetch(struct including *n, struct str location, struct json_value **out)
{
	struct str rest = str_from(location, 5), bucket = str_cut(&rest, '/'), bytes = STR("");
	struct cfn_object_read read = {n->cloud, n->who, n->a};
	if (!str_starts(location, STR("s3://")) || !str_has(rest)) {
		*n->why = str_fmt(n->a,
			"Transform AWS::Include failed with: The specified S3 object's location is invalid: %.*s",
			STR_ARG(location));
		return STATUS(INVALID);
	}
	struct str message;
	if (!is_ok(cfn_read_object(&read, bucket, rest, &bytes, &message))) {
		*n->why = str_fmt(n->a, "Transform AWS::Include failed with: %.*s", STR_ARG(message));
		return STATUS(INVALID);
	}
	return cfn_document_read(n->a, bytes, out, n->why);
}

/* {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": …}}}: the file's members stand in its place. */
static status include(struct including *n, const struct json_value *v, struct json_value **out)
{
	struct json_value *copy = *out = cfn_copy(n->a, v);
	copy->first = NULL;
	copy->length = 0;
	for (const struct json_value *c = v->first; c; c = c->next) {
		struct json_value *child;
		if (v->type != JSON_IS_OBJECT || !str_is(str_or(c->name, STR("")), "Fn::Transform")) {
			TRY(include(n, c, &child));
			cfn_append(copy, c->name, child);
			continue;
		}
		struct str name = str_or(cfn_at(c, "Name"), STR("")),
			   location = str_or(cfn_at(c, "Parameters.Location"), STR(""));
		if (!str_is(name, "AWS::Include")) {
			*n->why = str_fmt(n->a, "No transform named %.*s found.", STR_ARG(name));
			return STATUS(INVALID);
		}
		if (++n->files > 100) {
			*n->why = STR("Transform AWS::Include failed with: too many files");
			return STATUS(INVALID);
		}
		TRY(fetch(n, location, &child));
		for (struct json_value *m = child->first, *next; m; m = next) {
			next = m->next;
			cfn_set(copy, m->name, m);
		}
	}
	return OK;
}

static bool has_function(const struct json_value *v, struct str name)
{
	for (const struct json_value *c = v->first; c; c = c->next)
		if ((str_has(c->name) && str_eq(c->name, name)) || has_function(c, name)) return true;
	return false;
}

static status apply(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct cfn_template *t,
	const struct json_value *parameters, const struct json_value *transform, struct str *why)
{
	struct str name = transform->type == JSON_IS_OBJECT ? str_or(cfn_at(transform, "Name"), STR(""))
							    : str_or(json_string(transform), STR(""));
	struct json_value *root;
	if (str_is(name, "AWS::LanguageExtensions")) {
		struct cfn_scope scope = {.a = a,
			.t = t,
			.parameters = parameters,
			.account = who->principal.account,
			.region = who->region,
			.partition = STR("aws"),
			.url_suffix = STR("amazonaws.com"),
			.stack_id = STR(""),
			.stack_name = STR(""),
			.preview = true};
		struct loop l = {.a = a, .scope = &scope, .why = why};
		t->language_extensions = true;
		TRY(expand(&l, t->root, 0, &root));
		return cfn_template_take(a, root, t, why);
	}
	if (str_is(name, "AWS::Include")) {
		struct including n = {cloud, who, a, why, 0};
		struct json_value *file;
		TRY(fetch(&n, str_or(cfn_at(transform, "Parameters.Location"), STR("")), &file));
		root = cfn_object(a);
		for (const struct json_value *c = t->root->first; c; c = c->next)
			cfn_append(root, c->name, cfn_copy(a, c));
		for (struct json_value *c = file->first, *next; c; c = next) {
			next = c->next;
			cfn_set(root, c->name, c);
		}
		return cfn_template_take(a, root, t, why);
	}
	*why = str_fmt(a, "No transform named %.*s found.", STR_ARG(name));
	return STATUS(INVALID);
}

status cfn_transform(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct cfn_template *t,
	const struct json_value *parameters, struct str *why)
{
	const struct json_value *transform = t->transform;
	if (has_function(t->root, STR("Fn::Transform"))) {
		struct including n = {cloud, who, a, why, 0};
		struct json_value *root;
		TRY(include(&n, t->root, &root));
		TRY(cfn_template_take(a, root, t, why));
	}
	if (!transform) return OK;
	if (transform->type != JSON_IS_ARRAY) return apply(cloud, who, a, t, parameters, transform, why);
	for (const struct json_value *c = transform->first; c; c = c->next)
		TRY(apply(cloud, who, a, t, parameters, c, why));
	return OK;
}

status cfn_template_load(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct str body,
	const struct cloudformation_rec_parameters *p, struct cfn_template *out, struct str *why)
{
	static const struct cloudformation_rec_parameters none = {0};
	TRY(cfn_template_read(a, body, out, why));
	TRY(cfn_transform(cloud, who, a, out, cfn_parameters_values(a, out, p ? p : &none), why));
	return cfn_template_check(a, out, why);
}
