/* Internal events: a list of subscribers for each phase, fixed after start, so that publishing takes no lock. */
#include "bus/bus.h"
#include "base/arena.h"
#include <stdlib.h>

struct subscriber {
	const char *kind; /* NULL: all */
	bus_fn fn;
	void *ctx;
};
struct subscribers {
	struct subscriber *v;
	size_t n;
};
struct bus {
	struct subscribers phases[2];
};
_Static_assert(BUS_COMMITTING == 0 && BUS_DONE == 1, "phases are indices");

struct bus *bus_new(void) { return mem_new(sizeof(struct bus)); }

void bus_free(struct bus *b)
{
	if (!b) return;
	free(b->phases[BUS_COMMITTING].v);
	free(b->phases[BUS_DONE].v);
	free(b);
}

void bus_subscribe(struct bus *b, enum bus_phase phase, const char *kind, bus_fn fn, void *ctx)
{
	struct subscribers *s = &b->phases[phase];
	s->v = mem_grow(s->v, (s->n + 1) * sizeof *s->v);
	s->v[s->n++] = (struct subscriber){kind, fn, ctx};
}

static bool wants(const struct subscriber *s, const char *kind) { return !s->kind || strcmp(s->kind, kind) == 0; }

void bus_publish(struct bus *b, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	INVARIANT((phase == BUS_COMMITTING) == (tx != NULL));
	const struct subscribers *s = &b->phases[phase];
	for (size_t i = 0; i < s->n; i++)
		if (wants(&s->v[i], e->kind)) s->v[i].fn(s->v[i].ctx, phase, tx, e);
}

bool bus_wants(const struct bus *b, enum bus_phase phase, const char *kind)
{
	const struct subscribers *s = &b->phases[phase];
	for (size_t i = 0; i < s->n; i++)
		if (wants(&s->v[i], kind)) return true;
	return false;
}
