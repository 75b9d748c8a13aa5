/* Making and comparing values: see evaluate.h. */
#include "services/cloudformation/evaluate.h"

static struct json_value *new_value(struct arena *a, enum json_type type)
{
	struct json_value *v = arena_new(a, struct json_value);
	v->type = type;
	return v;
}

struct json_value *cfn_text(struct arena *a, struct str text)
{
	struct json_value *v = new_value(a, JSON_IS_STRING);
	v->text = text;
	return v;
}

struct json_value *cfn_list(struct arena *a)
{
	return new_value(a, JSON_IS_ARRAY);
}
struct json_value *cfn_object(struct arena *a)
{
	return new_value(a, JSON_IS_OBJECT);
}

void cfn_append(struct json_value *parent, struct str name, struct json_value *v)
{
	struct json_value **at = &parent->first;
	while (*at) at = &(*at)->next;
	v->name = name;
	v->next = NULL;
	*at = v;
	parent->length++;
}

struct json_value *cfn_copy(struct arena *a, const struct json_value *v)
{
	struct json_value *copy = arena_copy(a, v, sizeof(*v));
	copy->next = NULL;
	return copy;
}

void cfn_set(struct json_value *object, struct str name, struct json_value *v)
{
	for (struct json_value **at = &object->first; *at; at = &(*at)->next) {
		if (!str_eq((*at)->name, name)) continue;
		v->name = name;
		v->next = (*at)->next;
		*at = v;
		return;
	}
	cfn_append(object, name, v);
}

/* Scalars are equal when their texts are: "true" and true are one value to CloudFormation. Objects: in any order. */
bool cfn_equal(const struct json_value *x, const struct json_value *y)
{
	if (!x || !y) return x == y;
	bool scalar = x->type != JSON_IS_ARRAY && x->type != JSON_IS_OBJECT;
	if (scalar) {
		struct str s = json_scalar(y);
		return str_has(s) == str_has(json_scalar(x)) && str_eq(json_scalar(x), s) &&
		       (y->type != JSON_IS_ARRAY && y->type != JSON_IS_OBJECT);
	}
	if (x->type != y->type || x->length != y->length) return false;
	const struct json_value *d = y->first;
	for (const struct json_value *c = x->first; c; c = c->next, d = d->next)
		if (!cfn_equal(c, x->type == JSON_IS_OBJECT ? json_member(y, c->name) : d)) return false;
	return true;
}

struct str cfn_json(struct arena *a, const struct json_value *v)
{
	struct buf b = BUF_IN(a);
	json_write(&b, v);
	return buf_done(&b);
}
