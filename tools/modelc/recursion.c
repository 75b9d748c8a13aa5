/* Strongly connected components after Tarjan (SIAM Journal on Computing 1, 1972), with a stack of its own: a chain of
 * shapes may be as long as a model. A shape is recursive when its component has another shape or an edge to itself. */
#include "modelc/recursion.h"

struct visit {
	uint32_t shape, next_member;
};

struct walk {
	struct model *m;
	uint32_t *order, *low; /* 0: not seen yet */
	uint32_t *component;   /* stack of shapes whose component is open */
	bool *open;
	struct visit *path;
	uint32_t count, n_component, n_path;
};

static void enter(struct walk *w, uint32_t shape)
{
	w->order[shape] = w->low[shape] = ++w->count;
	w->component[w->n_component++] = shape;
	w->open[shape] = true;
	w->path[w->n_path++] = (struct visit){shape, 0};
}

static void close_component(struct walk *w, uint32_t root)
{
	bool several = w->component[w->n_component - 1] != root;
	uint32_t s = 0;
	do {
		s = w->component[--w->n_component];
		w->open[s] = false;
		if (several) w->m->shapes.v[s]->flags |= WIRE_S_RECURSIVE;
	} while (s != root);
}

static void walk_from(struct walk *w, uint32_t start)
{
	enter(w, start);
	while (w->n_path) {
		struct visit *v = &w->path[w->n_path - 1];
		struct shape *s = w->m->shapes.v[v->shape];
		if (v->next_member < s->members.n) {
			uint32_t child = s->members.v[v->next_member++].shape->index;
			if (child == v->shape) s->flags |= WIRE_S_RECURSIVE;
			if (!w->order[child])
				enter(w, child);
			else if (w->open[child] && w->order[child] < w->low[v->shape])
				w->low[v->shape] = w->order[child];
			continue;
		}
		uint32_t done = v->shape;
		if (w->low[done] == w->order[done]) close_component(w, done);
		if (--w->n_path) {
			uint32_t parent = w->path[w->n_path - 1].shape;
			if (w->low[done] < w->low[parent]) w->low[parent] = w->low[done];
		}
	}
}

void recursion_mark(struct model *m)
{
	size_t n = m->shapes.n;
	struct walk w = {.m = m};
	w.order = arena_new_n(&m->arena, uint32_t, n);
	w.low = arena_new_n(&m->arena, uint32_t, n);
	w.component = arena_new_n(&m->arena, uint32_t, n);
	w.open = arena_new_n(&m->arena, bool, n);
	w.path = arena_new_n(&m->arena, struct visit, n);
	for (size_t i = 0; i < n; i++)
		if (!w.order[i]) walk_from(&w, (uint32_t)i);
}
