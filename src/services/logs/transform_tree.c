/* Values of JSON that processors change: places by path, made and taken out. */
#include "services/logs/transform.h"

struct json_value *logs_tree_object(struct arena *a)
{
	struct json_value *v = arena_new(a, struct json_value);
	v->type = JSON_IS_OBJECT;
	return v;
}

struct json_value *logs_tree_text(struct arena *a, struct str text)
{
	struct json_value *v = arena_new(a, struct json_value);
	v->type = JSON_IS_STRING;
	v->text = str_or(text, STR(""));
	return v;
}

void logs_tree_append(struct json_value *list, struct json_value *v)
{
	struct json_value **last = &list->first;
	while (*last) last = &(*last)->next;
	v->next = NULL;
	*last = v;
	list->length++;
}

/* The next key of a path: "a", "0" of "a[0].b". */
static struct str key_of(struct str *path)
{
	size_t i = 0;
	if (path->n && (path->p[0] == '.' || path->p[0] == '[')) *path = str_from(*path, 1);
	while (i < path->n && path->p[i] != '.' && path->p[i] != '[') i++;
	struct str key = str_sub(*path, 0, i);
	*path = str_from(*path, i);
	if (key.n && key.p[key.n - 1] == ']') key.n--;
	return key;
}

/* Where it hangs: the pointer to it, in its parent. */
static struct json_value **slot_of(struct json_value *parent, struct str key)
{
	uint64_t index;
	struct json_value **p = &parent->first, **found = NULL;
	if (parent->type == JSON_IS_ARRAY) {
		if (!is_ok(str_to_u64(key, &index)) || index >= parent->length) return NULL;
		while (*p && index--) p = &(*p)->next;
		return *p ? p : NULL;
	}
	if (parent->type != JSON_IS_OBJECT) return NULL;
	for (; *p; p = &(*p)->next)
		if (str_eq((*p)->name, key)) found = p;
	return found;
}

struct json_value *logs_tree_get(struct json_value *root, struct str path)
{
	while (root && path.n) {
		struct json_value **p = slot_of(root, key_of(&path));
		root = p ? *p : NULL;
	}
	return root;
}

bool logs_tree_put(struct arena *a, struct json_value *root, struct str path, struct json_value *v, bool overwrite)
{
	for (;;) {
		struct str key = key_of(&path);
		struct json_value **p = slot_of(root, key);
		if (!key.n) return false;
		if (!p && root->type != JSON_IS_OBJECT) return false;
		if (path.n) {
			if (!p) {
				struct json_value *made = logs_tree_object(a);
				made->name = key;
				logs_tree_append(root, made);
				root = made;
			} else {
				root = *p;
			}
			continue;
		}
		v->name = key;
		if (!p) {
			logs_tree_append(root, v);
			return true;
		}
		if (!overwrite) return false;
		v->next = (*p)->next;
		*p = v;
		return true;
	}
}

struct json_value *logs_tree_take(struct json_value *root, struct str path)
{
	while (root && path.n) {
		struct json_value **p = slot_of(root, key_of(&path));
		if (!p) return NULL;
		if (!path.n) {
			struct json_value *v = *p;
			*p = v->next;
			v->next = NULL;
			root->length--;
			return v;
		}
		root = *p;
	}
	return NULL;
}
