/* JSON Patch (RFC 6902) over JSON values, with JSON Pointer (RFC 6901). */
#include "services/cloudcontrol/room.h"

enum { PATCH_MAX = 1000 };

struct patching {
	struct arena *a;
	struct str *why;
};

static status fail(struct patching *p, const char *what, struct str about)
{
	*p->why = str_fmt(p->a, "%s %.*s", what, STR_ARG(about));
	return STATUS(INVALID);
}

static struct json_value *deep_copy(struct arena *a, const struct json_value *v)
{
	struct json_value *to = arena_copy(a, v, sizeof(*v)), **last = &to->first;
	to->next = NULL;
	for (const struct json_value *c = v->first; c; c = c->next) {
		*last = deep_copy(a, c);
		last = &(*last)->next;
	}
	*last = NULL;
	return to;
}

/* "~1" is '/', "~0" is '~'. */
static struct str unescape(struct arena *a, struct str s)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < s.n; i++) {
		bool escaped = s.p[i] == '~' && i + 1 < s.n && (s.p[i + 1] == '0' || s.p[i + 1] == '1');
		buf_byte(&b, !escaped ? s.p[i] : s.p[++i] == '0' ? '~' : '/');
	}
	return buf_done(&b);
}

/* Where a pointer ends: the parent, and the slot of the child in its list (its content NULL: nothing there yet). */
struct place {
	struct json_value *parent, **slot;
	struct str name;
	bool exists;
};

static bool child_of(struct json_value *parent, struct str name, struct place *at)
{
	*at = (struct place){.parent = parent, .name = name};
	struct json_value **slot = &parent->first;
	if (parent->type == JSON_IS_OBJECT) {
		while (*slot && !str_eq((*slot)->name, name)) slot = &(*slot)->next;
	} else if (parent->type == JSON_IS_ARRAY) {
		uint64_t i;
		bool digits = name.n && (name.p[0] != '0' || name.n == 1) && name.p[0] != '+';
		if (str_is(name, "-"))
			i = parent->length;
		else if (!digits || !is_ok(str_to_u64(name, &i)) || i > parent->length)
			return false;
		for (; i; i--) slot = &(*slot)->next;
	} else {
		return false;
	}
	at->slot = slot;
	at->exists = *slot != NULL;
	return true;
}

/* The last part may be absent. */
static status find(struct patching *p, struct json_value *root, struct str pointer, struct place *at)
{
	struct str rest = pointer;
	if (!str_starts(pointer, STR("/"))) return fail(p, "Invalid JSON pointer:", pointer);
	rest = str_from(rest, 1);
	for (struct json_value *v = root;;) {
		ptrdiff_t slash = str_chr(rest, '/');
		struct str part = unescape(p->a, slash < 0 ? rest : str_sub(rest, 0, (size_t)slash));
		if (!child_of(v, part, at)) return fail(p, "There is no such path:", pointer);
		if (slash < 0) return OK;
		if (!at->exists) return fail(p, "There is no such path:", pointer);
		v = *at->slot;
		rest = str_from(rest, (size_t)slash + 1);
	}
}

static status existing(struct patching *p, struct json_value *root, struct str pointer, struct place *at)
{
	TRY(find(p, root, pointer, at));
	return at->exists ? OK : fail(p, "There is no such path:", pointer);
}

static void take_out(struct place *at)
{
	*at->slot = (*at->slot)->next;
	at->parent->length--;
}

static void put_in(struct patching *p, struct place *at, const struct json_value *value)
{
	struct json_value *v = deep_copy(p->a, value);
	bool object = at->parent->type == JSON_IS_OBJECT;
	if (object && at->exists) take_out(at);
	v->name = object ? at->name : STR_NONE;
	v->next = *at->slot;
	*at->slot = v;
	at->parent->length++;
}

static status one(struct patching *p, struct json_value *root, const struct json_value *operation)
{
	struct str op = str_or(json_string(json_member(operation, STR("op"))), STR("")),
		   path = json_string(json_member(operation, STR("path"))),
		   from = json_string(json_member(operation, STR("from")));
	const struct json_value *value = json_member(operation, STR("value"));
	struct place at, other;
	if (!str_has(path)) return fail(p, "Every operation of a patch needs a path:", op);
	if ((str_is(op, "add") || str_is(op, "replace") || str_is(op, "test")) && !value)
		return fail(p, "This operation needs a value:", op);
	if (str_is(op, "add")) {
		TRY(find(p, root, path, &at));
		put_in(p, &at, value);
	} else if (str_is(op, "remove")) {
		TRY(existing(p, root, path, &at));
		take_out(&at);
	} else if (str_is(op, "replace")) {
		TRY(existing(p, root, path, &at));
		if (at.parent->type == JSON_IS_ARRAY) take_out(&at);
		put_in(p, &at, value);
	} else if (str_is(op, "test")) {
		TRY(existing(p, root, path, &at));
		if (!cfn_equal(*at.slot, value)) return fail(p, "The test failed at", path);
	} else if (str_is(op, "move") || str_is(op, "copy")) {
		if (!str_has(from)) return fail(p, "This operation needs from:", op);
		/* "The 'from' location MUST NOT be a proper prefix of the 'path' location" */
		if (str_is(op, "move") && str_starts(path, str_fmt(p->a, "%.*s/", STR_ARG(from))))
			return fail(p, "A value cannot be moved into itself:", path);
		TRY(existing(p, root, from, &other));
		struct json_value *moved = deep_copy(p->a, *other.slot);
		if (str_is(op, "move")) take_out(&other);
		TRY(find(p, root, path, &at));
		put_in(p, &at, moved);
	} else {
		return fail(p, "Unknown operation of a patch:", op);
	}
	return OK;
}

status cloudcontrol_patch(struct arena *a, const struct json_value *v, const struct json_value *patch,
	struct json_value **out, struct str *why)
{
	struct patching p = {a, why};
	*out = deep_copy(a, v);
	if (!json_is(patch, JSON_IS_ARRAY)) return fail(&p, "A patch document is a list of operations", STR(""));
	if (patch->length > PATCH_MAX) return fail(&p, "A patch document has at most 1000 operations", STR(""));
	for (const struct json_value *o = patch->first; o; o = o->next) TRY(one(&p, *out, o));
	return OK;
}
