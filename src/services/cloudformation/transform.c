/* Transforms: AWS::LanguageExtensions (Fn::ForEach; Fn::Length, Fn::ToJsonString, functions where only texts may stand)
 * and AWS::Include; AWS::Serverless-2016-10-31 is serverless.c. Macros, which need Lambda, fail by name. */
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

/* "Intrinsic functions as references in Ref and Fn::GetAtt": what they name is settled here, so that what a resource
 * needs can be seen. */
static status settle_names(struct loop *l, const struct json_value *v, struct json_value **out)
{
	struct json_value *copy = *out = cfn_copy(l->a, v);
	const struct json_value *f = cfn_function(v);
	bool ref = f && str_is(f->name, "Ref") && f->type == JSON_IS_OBJECT;
	bool get = f && str_is(f->name, "Fn::GetAtt") && f->type == JSON_IS_ARRAY;
	if (ref || get) {
		const struct json_value *name = NULL;
		struct json_value *to = get ? cfn_list(l->a) : NULL;
		for (const struct json_value *c = get ? f->first : f; c; c = get ? c->next : NULL) {
			TRY(cfn_evaluate(l->scope, c, &name, l->why));
			if (!str_has(json_scalar(name))) return fail(l, "what is referred to is no text in", f->name);
			if (get) cfn_append(to, STR_NONE, cfn_text(l->a, json_scalar(name)));
		}
		copy->first = NULL;
		copy->length = 0;
		cfn_append(copy, f->name, get ? to : cfn_text(l->a, json_scalar(name)));
		return OK;
	}
	copy->first = NULL;
	copy->length = 0;
	struct json_value **last = &copy->first;
	for (const struct json_value *c = v->first; c; c = c->next) {
		TRY(settle_names(l, c, last));
		(*last)->name = c->name;
		last = &(*last)->next;
		copy->length++;
	}
	return OK;
}

/* "Intrinsic functions in DeletionPolicy and UpdateReplacePolicy". */
static status settle_policies(struct loop *l, const struct json_value *resources)
{
	static const char *const policies[] = {"DeletionPolicy", "UpdateReplacePolicy"};
	for (const struct json_value *r = resources ? resources->first : NULL; r; r = r->next)
		for (size_t i = 0; i < 2; i++) {
			const struct json_value *p = json_member(r, str_c(policies[i])), *value = NULL;
			if (!p || p->type == JSON_IS_STRING) continue;
			TRY(cfn_evaluate(l->scope, p, &value, l->why));
			if (!value || !str_has(json_scalar(value)))
				return fail(l, "every DeletionPolicy and UpdateReplacePolicy must be a text:", r->name);
			/* The tree is this transform's own copy. */
			cfn_set((struct json_value *)(uintptr_t)r, str_c(policies[i]),
				cfn_text(l->a, json_scalar(value)));
		}
	return OK;
}

struct including {
	struct cloud *cloud;
	const struct inside_caller *who;
	struct arena *a;
	struct str *why;
	struct cfn_scope *scope;
	size_t files;
};

/* Where an AWS::Include's file is: a text, or functions over parameters. */
static status location_of(struct including *n, const struct json_value *transform, struct str *out)
{
	const struct json_value *given = cfn_in(transform, "Parameters.Location"), *value = NULL;
	*out = STR("");
	if (given) TRY(cfn_evaluate(n->scope, given, &value, n->why));
	*out = str_or(json_scalar(value), STR(""));
	return OK;
}

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
		const struct json_value *one = c->type == JSON_IS_ARRAY ? c->first : c;
		for (; one; one = c->type == JSON_IS_ARRAY ? one->next : NULL) {
			struct str name = str_or(cfn_at(one, "Name"), STR("")), location = STR("");
			if (!str_is(name, "AWS::Include")) {
				*n->why = str_fmt(n->a, "No transform named %.*s found.", STR_ARG(name));
				return STATUS(INVALID);
			}
			if (++n->files > 100) {
				*n->why = STR("Transform AWS::Include failed with: too many files");
				return STATUS(INVALID);
			}
			TRY(location_of(n, one, &location));
			TRY(fetch(n, location, &child));
			for (struct json_value *m = child->first, *next; m; m = next) {
				next = m->next;
				cfn_set(copy, m->name, m);
			}
		}
	}
	return OK;
}

static bool has_member_anywhere(const struct json_value *v, struct str name)
{
	for (const struct json_value *c = v->first; c; c = c->next)
		if ((str_has(c->name) && str_eq(c->name, name)) || has_member_anywhere(c, name)) return true;
	return false;
}

/* What a transform can know: parameters, mappings, conditions. */
static struct cfn_scope scope_of(struct arena *a, const struct inside_caller *who, const struct cfn_template *t,
	const struct json_value *parameters)
{
	bool china = str_starts(who->region, STR("cn-"));
	return (struct cfn_scope){.a = a,
		.t = t,
		.parameters = parameters,
		.account = who->principal.account,
		.region = who->region,
		.partition = china                                     ? STR("aws-cn")
			     : str_starts(who->region, STR("us-gov-")) ? STR("aws-us-gov")
								       : STR("aws"),
		.url_suffix = china ? STR("amazonaws.com.cn") : STR("amazonaws.com"),
		.stack_id = STR(""),
		.stack_name = STR(""),
		.preview = true};
}

static status apply(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct cfn_template *t,
	const struct json_value *parameters, const struct json_value *transform, struct str *why)
{
	struct str name = transform->type == JSON_IS_OBJECT ? str_or(cfn_at(transform, "Name"), STR(""))
							    : str_or(json_string(transform), STR(""));
	struct json_value *root;
	if (str_is(name, "AWS::LanguageExtensions")) {
		struct cfn_scope scope = scope_of(a, who, t, parameters);
		struct loop l = {.a = a, .scope = &scope, .why = why};
		t->language_extensions = true;
		TRY(expand(&l, t->root, 0, &root));
		TRY(cfn_template_take(a, root, t, why));
		TRY(settle_names(&l, t->root, &root));
		TRY(settle_policies(&l, json_member(root, STR("Resources"))));
		return cfn_template_take(a, root, t, why);
	}
	if (str_is(name, "AWS::Serverless-2016-10-31")) return cfn_serverless(a, t, why);
	if (str_is(name, "AWS::SecretsManager-2020-07-23") || str_is(name, "AWS::SecretsManager-2024-09-16")) {
		/* It expands HostedRotationLambda; everything else in such a template stays as it is. */
		if (!has_member_anywhere(t->resources, STR("HostedRotationLambda"))) return OK;
		*why = str_fmt(a,
			"Transform %.*s failed with: a hosted rotation needs AWS Lambda, which virga does not have",
			STR_ARG(name));
		return STATUS(INVALID);
	}
	if (str_is(name, "AWS::CodeDeployBlueGreen")) {
		*why = STR("Transform AWS::CodeDeployBlueGreen failed with: it needs AWS CodeDeploy, which virga does "
			   "not have");
		return STATUS(INVALID);
	}
	if (str_is(name, "AWS::Include")) {
		struct cfn_scope scope = scope_of(a, who, t, parameters);
		struct including n = {cloud, who, a, why, &scope, 0};
		struct json_value *file;
		struct str location;
		TRY(location_of(&n, transform, &location));
		TRY(fetch(&n, location, &file));
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
	if (has_member_anywhere(t->root, STR("Fn::Transform"))) {
		struct cfn_scope scope = scope_of(a, who, t, parameters);
		struct including n = {cloud, who, a, why, &scope, 0};
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
