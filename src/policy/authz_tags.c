/* Tags in a request as condition keys: aws:RequestTag/KEY and aws:TagKeys ("Controlling access to AWS resources "
	"using tags",
 * "Controlling access during AWS requests"). A model has them as a list of key and value, as a map,
	as EC2's specifications
 * or as bare keys. */
#include "base/vec.h"
#include "policy/authz.h"

struct tags {
	struct arena *arena;
	const struct wire_tables *t;
	struct authz_tags *out;
	struct str type; /* of the specification that is read */
};

/* value STR_NONE: a bare key. */
static void add_tag(struct tags *g, struct str key, struct str value, struct str type)
{
	if (str_has(key))
		*VEC_PUSH(g->arena, g->out, &g->out->capacity) =
			(struct authz_tag){key, value, str_has(type) ? type : g->type};
}

static bool is_any(struct str name, const char *const *names)
{
	for (; *names; names++)
		if (str_ieq(name, str_c(*names))) return true;
	return false;
}

static const struct wire_member *string_member(
	const struct tags *g, const struct wire_shape *s, const char *const *names)
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
	static const char *const types[] = {"ResourceType", NULL};
	const struct wire_shape *element = &g->t->shapes[g->t->members[s->first].shape];
	bool sparse = s->flags & WIRE_S_SPARSE;
	if (element->kind == WIRE_STRING)
		for (size_t i = 0; i < list->n; i++) add_tag(g, ((const struct str *)list->v)[i], STR_NONE, STR_NONE);
	if (element->kind != WIRE_STRUCT) return;
	const struct wire_member *key = string_member(g, element, keys), *value = string_member(g, element, values);
	const struct wire_member *type = string_member(g, element, types);
	for (size_t i = 0; i < list->n; i++) {
		const char *p = (const char *)list->v + i * s->size;
		if (sparse) memcpy(&p, (const void *)p, sizeof p);
		if (!p) continue;
		struct str of = type ? string_at(p, type) : STR_NONE;
		if (key) {
			add_tag(g, string_at(p, key), value ? str_or(string_at(p, value), STR("")) : STR_NONE, of);
		} else if (depth) {
			g->type = of;
			read_members(g, element, p, depth - 1);
			g->type = STR_NONE;
		}
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
		add_tag(g, k, str_or(v, STR("")), STR_NONE);
	}
}

static void read_members(struct tags *g, const struct wire_shape *s, const char *p, int depth)
{
	static const char *const names[] = {"Tags", "TagKeys", "TagSet", "TagList", "TagsList", "TagSpecifications",
		"TagSpecification", "Tagging", "CreateBucketConfiguration", "TagsToAdd", "TagKeyList", "RemoveTags",
		"AddTags", NULL};
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

void authz_tags(struct arena *a, const struct wire_match *m, const void *in, struct authz_tags *out)
{
	*out = (struct authz_tags){0};
	if (!in || m->op->in == WIRE_NO_SHAPE) return;
	struct tags g = {.arena = a, .t = &m->service->tables, .out = out, .type = STR_NONE};
	read_members(&g, &g.t->shapes[m->op->in], in, 2);
}

void authz_request_tags(struct arena *a, const struct wire_match *m, const void *in, struct policy_context *c)
{
	struct authz_tags tags;
	authz_tags(a, m, in, &tags);
	if (!tags.n) return;
	struct str *keys = arena_new_n(a, struct str, tags.n);
	for (size_t i = 0; i < tags.n; i++) {
		keys[i] = tags.v[i].key;
		if (str_has(tags.v[i].value))
			policy_context_set_tag(c, STR("aws:RequestTag/"), tags.v[i].key, tags.v[i].value);
	}
	policy_context_set_list(c, STR("aws:TagKeys"), keys, tags.n);
}
