/* See ruleset.h. Order within the transaction: new objects, then sets' elements, then chains' rules (which name sets
 * and chains), then maps' elements that jump to chains; what is no longer wanted goes last. */
#include "host/net/ruleset.h"
#include "base/map.h"
#include "base/vec.h"
#include <stdlib.h>

#define TABLE "inet virga"

static struct ruleset_part *part(struct ruleset *r, struct str name, bool is_set, const char *spec)
{
	struct ruleset_part *p = arena_new(r->arena, struct ruleset_part);
	p->name = name;
	p->is_set = is_set;
	p->spec = str_c(spec);
	*(struct ruleset_part **)vec_push(r->arena, (void **)&r->v, &r->n, &r->capacity, sizeof(*r->v)) = p;
	return p;
}

struct ruleset_part *ruleset_chain(struct ruleset *r, struct str name, const char *spec)
{
	return part(r, name, false, spec);
}
struct ruleset_part *ruleset_set(struct ruleset *r, struct str name, const char *spec)
{
	return part(r, name, true, spec);
}

void ruleset_line(struct ruleset *r, struct ruleset_part *p, const char *fmt, ...)
{
	struct buf b = BUF_IN(r->arena);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	*(struct str *)vec_push(r->arena, (void **)&p->v, &p->n, &p->capacity, sizeof(*p->v)) = buf_done(&b);
}

struct ruleset_part *ruleset_find(const struct ruleset *r, struct str name, bool is_set)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i]->is_set == is_set && str_eq(r->v[i]->name, name)) return r->v[i];
	return NULL;
}

/* ── the difference ──────────────────────────────────────────────────────────────────────────────────────────────── */

static int by_text(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static void sort_elements(struct ruleset_part *p)
{
	if (p->n > 1) qsort(p->v, p->n, sizeof(*p->v), by_text);
	size_t kept = 0;
	for (size_t i = 0; i < p->n; i++)
		if (i == 0 || !str_eq(p->v[i], p->v[kept - 1])) p->v[kept++] = p->v[i];
	p->n = kept;
}

/* An element without what a map maps it to. */
static struct str element_key(struct str e)
{
	ptrdiff_t colon = str_find(e, STR(" : "));
	return colon < 0 ? e : str_sub(e, 0, (size_t)colon);
}

static void element_list(
	struct buf *out, const char *verb, const struct ruleset_part *p, struct str *v, size_t n, bool keys)
{
	if (!n) return;
	buf_fmt(out, "%s element " TABLE " %.*s {", verb, STR_ARG(p->name));
	for (size_t i = 0; i < n; i++) {
		if (i) buf_byte(out, ',');
		buf_str(out, keys ? element_key(v[i]) : v[i]);
	}
	buf_lit(out, "}\n");
}

static bool is_verdict_map(const struct ruleset_part *p)
{
	return str_find(p->spec, STR(": verdict")) >= 0;
}

/* Elements of sorted sets that only the first has. */
static struct str *only_in(struct arena *a, const struct ruleset_part *x, const struct ruleset_part *y, size_t *n)
{
	struct str *out = arena_new_n(a, struct str, x->n + 1);
	*n = 0;
	for (size_t i = 0, k = 0; i < x->n; i++) {
		while (y && k < y->n && str_cmp(y->v[k], x->v[i]) < 0) k++;
		if (!y || k >= y->n || !str_eq(y->v[k], x->v[i])) out[(*n)++] = x->v[i];
	}
	return out;
}

struct diff {
	struct arena arena;
	struct map index; /* old parts by kind and name */
	struct buf *out;
	unsigned changes;
};

static struct str index_key(struct arena *a, const struct ruleset_part *p)
{
	return str_fmt(a, "%c%.*s", p->is_set ? 's' : 'c', STR_ARG(p->name));
}

static const struct ruleset_part *old_of(struct diff *d, const struct ruleset_part *p)
{
	const struct ruleset_part *old = map_get(&d->index, index_key(&d->arena, p));
	return old && str_eq(old->spec, p->spec) ? old : NULL;
}

static void diff_elements(struct diff *d, const struct ruleset_part *p)
{
	const struct ruleset_part *old = old_of(d, p);
	size_t gone = 0, come = 0;
	struct str *out = old ? only_in(&d->arena, old, p, &gone) : NULL, *in = only_in(&d->arena, p, old, &come);
	element_list(d->out, "delete", p, out, gone, true);
	element_list(d->out, "add", p, in, come, false);
	d->changes += (unsigned)(gone + come);
}

static void add_rules(struct diff *d, const struct ruleset_part *p, size_t from)
{
	for (size_t i = from; i < p->n; i++)
		buf_fmt(d->out, "add rule " TABLE " %.*s %.*s\n", STR_ARG(p->name), STR_ARG(p->v[i]));
	d->changes += (unsigned)(p->n - from);
}

static void diff_rules(struct diff *d, const struct ruleset_part *p)
{
	const struct ruleset_part *old = old_of(d, p);
	size_t same = 0, had = old ? old->n : 0;
	while (same < had && same < p->n && str_eq(old->v[same], p->v[same])) same++;
	if (same == had && same == p->n) return;
	if (same < had) {
		buf_fmt(d->out, "flush chain " TABLE " %.*s\n", STR_ARG(p->name));
		d->changes++;
		same = 0;
	}
	add_rules(d, p, same);
}

static void make_part(struct diff *d, const struct ruleset_part *p)
{
	if (old_of(d, p)) return;
	const char *what = !p->is_set ? "chain" : str_find(p->spec, STR(" : ")) >= 0 ? "map" : "set";
	buf_fmt(d->out, "add %s " TABLE " %.*s %.*s\n", what, STR_ARG(p->name), STR_ARG(p->spec));
	d->changes++;
}

/* Chains may name each other and be named by maps: their rules go first, then the chains. */
static void drop_parts(struct diff *d, const struct ruleset *old, struct ruleset *wanted)
{
	struct map keep;
	map_init(&keep);
	for (size_t i = 0; i < wanted->n; i++) map_set(&keep, index_key(&d->arena, wanted->v[i]), wanted->v[i]);
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < old->n; i++) {
			const struct ruleset_part *p = old->v[i];
			if (map_get(&keep, index_key(&d->arena, p))) continue;
			const char *what = str_find(p->spec, STR(" : ")) >= 0 ? "map" : "set";
			if (turn == 0 && !p->is_set) buf_fmt(d->out, "flush chain " TABLE " %.*s\n", STR_ARG(p->name));
			if (turn == 1 && p->is_set)
				buf_fmt(d->out, "delete %s " TABLE " %.*s\n", what, STR_ARG(p->name));
			if (turn == 2 && !p->is_set) buf_fmt(d->out, "delete chain " TABLE " %.*s\n", STR_ARG(p->name));
			d->changes += turn == 0;
		}
	map_cleanup(&keep, NULL);
}

static bool same_specs(struct diff *d, const struct ruleset *wanted)
{
	for (size_t i = 0; i < wanted->n; i++) {
		const struct ruleset_part *o = map_get(&d->index, index_key(&d->arena, wanted->v[i]));
		if (o && !str_eq(o->spec, wanted->v[i]->spec)) return false;
	}
	return true;
}

void ruleset_diff(const struct ruleset *old, struct ruleset *wanted, struct buf *out, unsigned *changes)
{
	struct diff d = {.out = out};
	arena_init(&d.arena);
	map_init(&d.index);
	for (size_t i = 0; i < wanted->n; i++)
		if (wanted->v[i]->is_set) sort_elements(wanted->v[i]);
	for (size_t i = 0; old && i < old->n; i++) map_set(&d.index, index_key(&d.arena, old->v[i]), old->v[i]);
	if (old && !same_specs(&d, wanted)) {
		old = NULL;
		map_cleanup(&d.index, NULL);
		map_init(&d.index);
	}
	if (!old) buf_lit(out, "add table " TABLE "\ndelete table " TABLE "\nadd table " TABLE "\n");
	for (size_t i = 0; i < wanted->n; i++) make_part(&d, wanted->v[i]);
	for (size_t i = 0; i < wanted->n; i++)
		if (wanted->v[i]->is_set && !is_verdict_map(wanted->v[i])) diff_elements(&d, wanted->v[i]);
	for (size_t i = 0; i < wanted->n; i++)
		if (!wanted->v[i]->is_set) diff_rules(&d, wanted->v[i]);
	for (size_t i = 0; i < wanted->n; i++)
		if (wanted->v[i]->is_set && is_verdict_map(wanted->v[i])) diff_elements(&d, wanted->v[i]);
	if (old) drop_parts(&d, old, wanted);
	*changes += d.changes;
	buf_byte(out, 0);
	out->n--;
	map_cleanup(&d.index, NULL);
	arena_cleanup(&d.arena);
}
