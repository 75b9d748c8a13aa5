/* See walk.h. */
#include "services/s3/walk.h"

struct walk {
	struct call *c;
	const struct s3_rec_bucket *b;
	struct str prefix;
	status (*fn)(void *ctx, struct str key, const struct s3_rec_object *o, bool latest);
	void *ctx;
	struct buf previous; /* the key before, among the older versions */
};

/* The newest of the older versions is the latest one where nothing is current: then it is a marker. */
static status is_latest(struct walk *w, struct arena *a, struct str key, bool current, bool *latest)
{
	struct str bytes;
	*latest = current;
	if (current) return OK;
	if (str_eq(buf_done(&w->previous), key)) return OK;
	w->previous.n = 0;
	buf_str(&w->previous, key);
	status s = store_peek(w->c->tx, s3_key_object(a, w->b, key), &bytes);
	*latest = status_is(s, STATUS_NOT_FOUND);
	return *latest ? OK : s;
}

/* One space: the current objects, or the older versions and markers. */
static status walk_space(struct walk *w, const char *kind, bool current)
{
	struct key k = s3_key_space(w->c->arena, str_c(kind), w->b);
	struct str space = key_done(&k), from = key_with_prefix(w->c->arena, space, w->prefix), key, value;
	struct store_scan *scan = store_scan_begin(w->c->tx, from, key_after_prefix(w->c->arena, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct arena scratch;
		struct str rest = str_from(key, space.n), name;
		struct s3_rec_object o = {0};
		bool latest;
		arena_init(&scratch);
		s = key_read_str(&scratch, &rest, &name);
		if (is_ok(s)) s = s3_rec_object_decode(&scratch, str_dup(&scratch, value), &o);
		name = str_dup(&scratch, name);
		if (is_ok(s)) s = is_latest(w, &scratch, name, current, &latest);
		if (is_ok(s)) s = w->fn(w->ctx, name, &o, latest);
		arena_cleanup(&scratch);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

status s3_walk(struct call *c, const struct s3_rec_bucket *b, struct str prefix, bool all,
	status (*fn)(void *ctx, struct str key, const struct s3_rec_object *o, bool latest), void *ctx)
{
	struct walk w = {.c = c, .b = b, .prefix = prefix, .fn = fn, .ctx = ctx, .previous = BUF_HEAP};
	status s = walk_space(&w, "object", true);
	if (is_ok(s) && all) s = walk_space(&w, "version", false);
	buf_cleanup(&w.previous);
	return s;
}
