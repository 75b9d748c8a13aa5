/* See copy.h. */
#include "services/dynamodb/copy.h"

enum { COPY_AT_ONCE = 500 };

void copy_init(struct copy *x)
{
	*x = (struct copy){0};
	arena_init(&x->a);
}

void copy_cleanup(struct copy *x)
{
	arena_cleanup(&x->a);
}

void copy_open(struct copy *x, struct work *w, struct call *c)
{
	work_begin(w, c);
	w->tx = store_begin(c->cloud->store, c->arena, true);
	copy_init(x);
}

status copy_close(struct copy *x, struct work *w, status s)
{
	copy_cleanup(x);
	store_end(w->tx);
	if (is_ok(s)) call_ticket(w->c, x->last);
	return work_end(w, s);
}

void copy_begin(struct copy *x, const struct work *w)
{
	arena_reset(&x->a);
	x->w = (struct work){.c = w->c, .a = &x->a, .d = w->d, .tx = store_begin(w->d->cloud->store, &x->a, false)};
}

status copy_commit(struct copy *x, status s)
{
	if (is_ok(s)) s = store_commit(x->w.tx, &x->last);
	store_end(x->w.tx);
	return work_end(&x->w, s);
}

status copy_step(struct copy *x, const struct work *w)
{
	if (++x->n % COPY_AT_ONCE) return OK;
	status s = copy_commit(x, OK);
	copy_begin(x, w);
	return s;
}

status copy_range(struct work *w, struct copy *x, struct str prefix, copy_fn fn, void *ctx)
{
	struct str key, bytes;
	status s = OK;
	struct store_scan *scan = store_scan_begin(w->tx, prefix, key_after(w->a, prefix), false);
	copy_begin(x, w);
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		s = fn(x, ctx, str_from(key, prefix.n), bytes);
		if (is_ok(s)) s = copy_step(x, w);
	}
	s = copy_commit(x, s);
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status copy_one(struct work *w, struct copy *x, status (*fn)(struct work *, void *), void *ctx)
{
	status s;
	do {
		copy_begin(x, w);
		s = copy_commit(x, fn(&x->w, ctx));
	} while (status_is(s, STATUS_CONFLICT));
	return s;
}
