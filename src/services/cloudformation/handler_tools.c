/* What handlers of all types share: see handlers.h. */
#include "services/cloudformation/handlers.h"
#include <stdarg.h>

status cfn_fail(struct cfn_work *w, const char *fmt, ...)
{
	struct buf b = BUF_IN(w->a);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	w->why = buf_done(&b);
	return STATUS(FAILED);
}

/* "Resource handler returned message: "…" (Service: Sqs, Status Code: 400, Request ID: …)" as a stack's events have it.
 */
status cfn_do(struct cfn_work *w, const char *service, const char *op, const struct json_value *in,
	const struct json_value **out)
{
	struct cfn_api_answer answer;
	cfn_api(w->cloud, &w->who, w->a, service, op, in, &answer);
	if (answer.ok) {
		if (out) *out = answer.out;
		return OK;
	}
	w->code = answer.code;
	return cfn_fail(w,
		"Resource handler returned message: \"%.*s (Service: %s, Status Code: %u, Request ID: %.*s)\" "
		"(HandlerErrorCode: %.*s)",
		STR_ARG(answer.message), service, answer.http_status, STR_ARG(answer.request_id), STR_ARG(answer.code));
}

status cfn_do_unless(
	struct cfn_work *w, const char *service, const char *op, const struct json_value *in, const char *codes)
{
	status s = cfn_do(w, service, op, in, NULL);
	if (is_ok(s)) return OK;
	struct str rest = str_c(codes);
	while (str_has(rest)) {
		struct str code = str_cut(&rest, ',');
		if (str_eq(code, w->code)) return OK;
	}
	return s;
}

static bool has_any(struct str code, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_find(code, str_c(words[i])) >= 0) return true;
	return false;
}

bool cfn_says_gone(struct str code)
{
	static const char *const words[] = {"NotFound", "NoSuch", "DoesNotExist", "NonExistent", "NotExist"};
	return has_any(code, words, sizeof(words) / sizeof(*words));
}

bool cfn_says_exists(struct str code)
{
	static const char *const words[] = {"AlreadyExists", "Duplicate", "AlreadyOwned", "AlreadyAssociated",
		"ResourceInUse", "Conflict", "ResourceExists"};
	return has_any(code, words, sizeof(words) / sizeof(*words));
}

const struct json_value *cfn_value(const struct cfn_work *w, const char *name)
{
	return json_member(w->properties, str_c(name));
}
struct str cfn_prop(const struct cfn_work *w, const char *name)
{
	return json_scalar(cfn_value(w, name));
}

struct json_value *cfn_put(struct json_value *object, struct arena *a, const char *name, struct str text)
{
	if (str_has(text)) cfn_set(object, str_c(name), cfn_text(a, text));
	return object;
}

void cfn_put_value(struct json_value *object, struct arena *a, const char *name, const struct json_value *v)
{
	if (v) cfn_set(object, str_c(name), cfn_copy(a, v));
}

struct json_value *cfn_take(struct cfn_work *w, const char *names)
{
	struct json_value *o = cfn_object(w->a);
	struct str rest = str_c(names);
	while (str_has(rest)) {
		struct str property = str_cut(&rest, ','), as = property;
		if (str_chr(property, '=') >= 0) as = str_cut(&property, '=');
		const struct json_value *v = json_member(w->properties, property);
		if (v) cfn_set(o, as, cfn_copy(w->a, v));
	}
	return o;
}

struct json_value *cfn_one(struct arena *a, const char *name, struct str text)
{
	return cfn_put(cfn_object(a), a, name, text);
}

struct str cfn_name(struct cfn_work *w, const char *property, size_t max, bool lower)
{
	struct str given = cfn_prop(w, property);
	if (str_has(given)) return given;
	size_t room = max > w->token.n + 2 ? max - w->token.n - 2 : 1;
	struct str stack = w->stack_name, logical = w->logical_id;
	if (stack.n + logical.n > room) {
		size_t half = room / 2;
		if (logical.n > half) logical = str_sub(logical, 0, stack.n < room - half ? room - stack.n : half);
		stack = str_sub(stack, 0, room - logical.n);
	}
	struct str name = str_fmt(w->a, "%.*s-%.*s-%.*s", STR_ARG(stack), STR_ARG(logical), STR_ARG(w->token));
	return lower ? str_lower(w->a, name) : name;
}

bool cfn_changed(const struct cfn_work *w, const char *name)
{
	return !cfn_equal(json_member(w->before, str_c(name)), cfn_value(w, name));
}

void cfn_attribute(struct cfn_work *w, const char *name, struct str value)
{
	cfn_put(w->attributes, w->a, name, value);
}
void cfn_attribute_value(struct cfn_work *w, const char *name, const struct json_value *v)
{
	cfn_put_value(w->attributes, w->a, name, v);
}

const struct json_value *cfn_in(const struct json_value *v, const char *path)
{
	struct str rest = str_c(path);
	while (v && str_has(rest)) {
		struct str part = str_cut(&rest, '.');
		int64_t i;
		if (v->type != JSON_IS_ARRAY) {
			v = json_member(v, part);
			continue;
		}
		if (!is_ok(str_to_i64(part, &i))) return NULL;
		for (v = v->first; v && i > 0; i--) v = v->next;
	}
	return v;
}

struct str cfn_at(const struct json_value *v, const char *path)
{
	return json_scalar(cfn_in(v, path));
}

static const struct json_value *tag_of(const struct json_value *tags, struct str key)
{
	for (const struct json_value *t = tags ? tags->first : NULL; t; t = t->next)
		if (str_eq(str_or(json_scalar(json_member(t, STR("Key"))), STR("")), key)) return t;
	return NULL;
}

static void add_tag(struct arena *a, struct json_value *list, struct str key, struct str value)
{
	struct json_value *tag = cfn_object(a);
	cfn_append(tag, STR("Key"), cfn_text(a, key));
	cfn_append(tag, STR("Value"), cfn_text(a, str_or(value, STR(""))));
	cfn_append(list, STR_NONE, tag);
}

/* The property's tags come first: they win over the stack's of the same key. */
static const struct json_value *all_tags(
	const struct cfn_work *w, const struct json_value *properties, const struct json_value *of_stack)
{
	struct json_value *list = cfn_list(w->a);
	const struct json_value *own =
		w->type && str_has(w->type->tags) ? json_member(properties, w->type->tags) : NULL;
	for (const struct json_value *t = own ? own->first : NULL; t; t = t->next) {
		if (own->type == JSON_IS_OBJECT)
			add_tag(w->a, list, t->name, json_scalar(t));
		else
			add_tag(w->a, list, str_or(json_scalar(json_member(t, STR("Key"))), STR("")),
				json_scalar(json_member(t, STR("Value"))));
	}
	for (const struct json_value *t = of_stack->first; t; t = t->next) {
		struct str key = json_scalar(json_member(t, STR("Key")));
		if (!tag_of(list, key)) add_tag(w->a, list, key, json_scalar(json_member(t, STR("Value"))));
	}
	return list;
}

const struct json_value *cfn_tags(struct cfn_work *w)
{
	return all_tags(w, w->properties, w->tags);
}

const struct json_value *cfn_tags_named(
	struct cfn_work *w, const struct json_value *tags, const char *key, const char *value)
{
	struct json_value *list = cfn_list(w->a);
	for (const struct json_value *t = tags->first; t; t = t->next) {
		struct json_value *tag = cfn_object(w->a);
		cfn_put(tag, w->a, key, json_scalar(json_member(t, STR("Key"))));
		cfn_put(tag, w->a, value, json_scalar(json_member(t, STR("Value"))));
		cfn_append(list, STR_NONE, tag);
	}
	return list;
}

const struct json_value *cfn_tags_map(struct cfn_work *w, const struct json_value *tags)
{
	struct json_value *map = cfn_object(w->a);
	for (const struct json_value *t = tags->first; t; t = t->next)
		cfn_set(map, json_scalar(json_member(t, STR("Key"))),
			cfn_text(w->a, json_scalar(json_member(t, STR("Value")))));
	return map;
}

bool cfn_tags_changed(struct cfn_work *w, const struct json_value **add, const struct json_value **remove)
{
	const struct json_value *now = cfn_tags(w),
				*before = w->moved ? cfn_list(w->a)
						   : all_tags(w, w->before, w->tags_before ? w->tags_before : w->tags);
	struct json_value *gone = cfn_list(w->a), *set = cfn_list(w->a);
	for (const struct json_value *t = before->first; t; t = t->next) {
		struct str key = json_scalar(json_member(t, STR("Key")));
		if (!tag_of(now, key)) cfn_append(gone, STR_NONE, cfn_text(w->a, key));
	}
	for (const struct json_value *t = now->first; t; t = t->next)
		if (!cfn_equal(t, tag_of(before, json_scalar(json_member(t, STR("Key"))))))
			cfn_append(set, STR_NONE, cfn_copy(w->a, t));
	*add = set;
	*remove = gone;
	return gone->length || set->length;
}

struct str cfn_arn(const struct cfn_work *w, const char *service, const char *fmt, ...)
{
	struct buf b = BUF_IN(w->a);
	buf_fmt(&b, "arn:%.*s:%s:%.*s:%.*s:", STR_ARG(w->partition), service, STR_ARG(w->region), STR_ARG(w->account));
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	return buf_done(&b);
}
