/* Tags in a request as condition keys: aws:RequestTag/KEY and aws:TagKeys ("Controlling access to AWS resources "
	"using tags",
 * "Controlling access during AWS requests"). A model has them as a list of key and value, as a map,
	as EC2's specifications
 * or as bare keys. */
#include "policy/authz.h"
#include "base/vec.h"

struct tags {
	struct arena *arena;
	const struct wire_tables *t;
	struct policy_context *context;
	struct str *v;
	size_t n, capacity;
	bool found;
};

static void add_key(struct tags *g, struct str key)
{
	if (!str_has(key)) return;
	struct {
		struct str *v;
		size_t n;
	} list = {g->v, g->n};
	*(struct str *)VEC_PUSH(g->arena, &list, &g->capacity) = key;
	g->v = list.v;
	g->n = list.n;
	g->found = true;
}

static void add_tag(struct tags *g, struct str key, struct str value)
{
	if (!str_has(key)) return;
	add_key(g, key);
	policy_context_set_tag(g->context, STR("aws:RequestTag/"), key, str_or(value, STR("")));
}

static bool is_any(struct str name, const char *const *names)
{
	for (; *names; names++)
		if (str_ieq(name, str_c(*names))) return true;
	return false;
}

static const struct wire_member *string_member(const struct tags *g, const struct wire_shape *s,
	const char *const *names)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &g->t->members[s->first + i];
		if (g->t->shapes[m->shape].kind == WIRE_STRING && is_any(wire_str(g->t, m->name), names)) return m;
	}
	return NULL;
}

static struct str string_at(const char *p, const struct wire_member *m)
{
	struct str s;
	memcpy(&s, p + m->offset, sizeof s);
	return s;
}

static void read_members(struct tags *g, const struct wire_shape *s, const char *p, int depth);

static void read_list(struct tags *g, const struct wire_shape *s, const struct wire_list *list, int depth)
{
	static const char *const keys[] = {"Key", "TagKey", NULL};
	static const char *const values[] = {"Value", "TagValue", NULL};
	const struct wire_shape *element = &g->t->shapes[g->t->members[s->first].shape];
	bool sparse = s->flags & WIRE_S_SPARSE;
	if (element->kind == WIRE_STRING)
		for (size_t i = 0; i < list->n; i++) add_key(g, ((const struct str *)list->v)[i]);
	if (element->kind != WIRE_STRUCT) return;
	const struct wire_member *key = string_member(g, element, keys), *value = string_member(g, element, values);
	for (size_t i = 0; i < list->n; i++) {
		const char *p = (const char *)list->v + i * s->size;
		if (sparse) memcpy(&p, (const void *)p, sizeof p);
		if (!p) continue;
		if (key) add_tag(g, string_at(p, key), value ? string_at(p, value) : STR_NONE);
		else if (depth) read_members(g, element, p, depth - 1);
	}
}

static void read_map(struct tags *g, const struct wire_shape *s, const struct wire_list *list)
{
	const struct wire_shape *value = &g->t->shapes[g->t->members[s->first + 1].shape];
	if (value->kind != WIRE_STRING) return;
	for (size_t i = 0; i < list->n; i++) {
		const char *entry = (const char *)list->v + i * s->size;
		struct str k, v;
		memcpy(&k, entry, sizeof k);
		memcpy(&v, entry + 16, sizeof v);
		add_tag(g, k, v);
	}
}

static void read_members(struct tags *g, const struct wire_shape *s, const char *p, int depth)
{
	static const char *const names[] = {"Tags", "TagKeys", "TagSet", "TagList", "TagsList", "TagSpecifications",
		"TagSpecification",
		"Tagging", "TagsToAdd", "TagKeyList", "RemoveTags", "AddTags", NULL};
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &g->t->members[s->first + i];
		if (!is_any(wire_str(g->t, m->name), names)) continue;
		const struct wire_shape *of = &g->t->shapes[m->shape];
		const struct wire_list *list = (const struct wire_list *)(const void *)(p + m->offset);
		if (of->kind == WIRE_LIST && list->v) read_list(g, of, list, depth);
		if (of->kind == WIRE_MAP && list->v) read_map(g, of, list);
		if (of->kind == WIRE_STRUCT && depth) {
			const char *inner;
			memcpy(&inner, p + m->offset, sizeof inner);
			if (inner) read_members(g, of, inner, depth - 1);
		}
	}
}

void authz_request_tags(struct arena *a, const struct wire_match *m, const void *in, struct policy_context *c)
{
	if (!in || m->op->in == WIRE_NO_SHAPE) return;
	struct tags g = {.arena = a, .t = &m->service->tables, .context = c};
	read_members(&g, &g.t->shapes[m->op->in], in, 2);
	if (g.found) policy_context_set_list(c, STR("aws:TagKeys"), g.v, g.n);
}
