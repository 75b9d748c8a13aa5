/* See each.h. */
#include "services/s3/each.h"

struct each {
	struct call *c;
	const struct s3_rec_bucket *b;
	struct str prefix;
	status (*fn)(void *ctx, struct str key, const struct s3_rec_object *o, bool latest);
	void *ctx;
	struct buf previous; /* the key before, among the older versions */
};

/* The newest of the older versions is the latest one where nothing is current: then it is a marker. */
static status is_latest(struct each *e, struct arena *a, struct str key, bool current, bool *latest)
{
	struct str bytes;
	*latest = current;
	if (current) return OK;
	if (str_eq(buf_done(&e->previous), key)) return OK;
	e->previous.n = 0;
	buf_str(&e->previous, key);
	status s = store_peek(e->c->tx, s3_key_object(a, e->b, key), &bytes);
	*latest = status_is(s, STATUS_NOT_FOUND);
	return *latest ? OK : s;
}

/* One space: the current objects, or the older versions and markers. */
static status each_in(struct each *e, const char *kind, bool current)
{
	struct key k = s3_key_space(e->c->arena, str_c(kind), e->b);
	struct str space = key_done(&k), from = key_with_prefix(e->c->arena, space, e->prefix), key, value;
	struct store_scan *scan = store_scan_begin(e->c->tx, from, key_after_prefix(e->c->arena, from), false);
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
		if (is_ok(s)) s = is_latest(e, &scratch, name, current, &latest);
		if (is_ok(s)) s = e->fn(e->ctx, name, &o, latest);
		arena_cleanup(&scratch);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

status s3_each_version(struct call *c, const struct s3_rec_bucket *b, struct str prefix, bool all,
	status (*fn)(void *ctx, struct str key, const struct s3_rec_object *o, bool latest), void *ctx)
{
	struct each e = {.c = c, .b = b, .prefix = prefix, .fn = fn, .ctx = ctx, .previous = BUF_HEAP};
	status s = each_in(&e, "object", true);
	if (is_ok(s) && all) s = each_in(&e, "version", false);
	buf_cleanup(&e.previous);
	return s;
}
