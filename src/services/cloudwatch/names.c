/* Metrics by their names: what a caller may call one, and which there are. */
#include "services/cloudwatch/room.h"
#include <stdlib.h>

enum { DIMENSIONS_MAX = 30, TOUCH_MS = 10 * 60 * 1000 };

struct str cw_key(struct arena *a, const char *kind, struct str account, struct str region)
{
	struct key k = key_for(a, STR("cloudwatch"), str_c(kind), account, region);
	return key_done(&k);
}

static bool printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false; /* also what is past ASCII: char is signed */
	return str_trim(s).n > 0;
}

status cw_metric_of(struct call *c, struct str space, struct str name, const struct cloudwatch_dimensions *d,
	const char *where, struct metric *out)
{
	if (d->n > DIMENSIONS_MAX)
		return CW_VALUE(c, "The collection %sDimensions must not have a size greater than 30.", where);
	struct metric_dimension *v = arena_new_n(c->arena, struct metric_dimension, d->n + 1);
	for (size_t i = 0; i < d->n; i++) {
		v[i] = (struct metric_dimension){d->v[i].name, d->v[i].value};
		if (!printable(v[i].name) || v[i].name.p[0] == ':')
			return CW_VALUE(c, "The value %.*s for parameter %sDimensions.member.%zu.Name is invalid.",
				STR_ARG(v[i].name), where, i + 1);
		if (!printable(v[i].value))
			return CW_VALUE(c, "The value %.*s for parameter %sDimensions.member.%zu.Value is invalid.",
				STR_ARG(v[i].value), where, i + 1);
		for (size_t k = 0; k < i; k++)
			if (str_eq(v[k].name, v[i].name))
				return CW_VALUE(c, "No duplicate dimension names are allowed in %sDimensions: %.*s",
					where, STR_ARG(v[i].name));
	}
	*out = (struct metric){c->account, c->region, space, name, v, d->n};
	return OK;
}

/* ── which there are ── */

static int by_name(const void *x, const void *y)
{
	return str_cmp(((const struct metric_dimension *)x)->name, ((const struct metric_dimension *)y)->name);
}

bool cw_metric_fresh(int64_t updated_ms, int64_t now_ms)
{
	return updated_ms + TOUCH_MS > now_ms && updated_ms <= now_ms;
}

status cw_metric_touch(
	struct store_tx *tx, struct arena *a, const struct metric *m, int64_t now_ms, int64_t *updated_ms)
{
	struct cloudwatch_rec_metric r = {0};
	struct str bytes;
	size_t capacity = 0;
	struct metric_dimension *d = arena_copy(a, m->dimensions, m->n_dimensions * sizeof(*d));
	if (m->n_dimensions > 1) qsort(d, m->n_dimensions, sizeof(*d), by_name);
	struct key k = key_begin(a);
	buf_reserve(&k.b, 256);
	key_append(&k, cw_key(a, "metric", m->account, m->region));
	key_str(&k, m->space);
	key_str(&k, m->name);
	for (size_t i = 0; i < m->n_dimensions; i++) {
		key_str(&k, d[i].name);
		key_str(&k, d[i].value);
	}
	status s = store_peek(tx, key_done(&k), &bytes);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s)) TRY(cloudwatch_rec_metric_decode(a, bytes, &r));
	*updated_ms = is_ok(s) ? r.updated.ms : 0;
	if (is_ok(s) && cw_metric_fresh(r.updated.ms, now_ms)) return OK;
	r = (struct cloudwatch_rec_metric){.space = m->space,
		.name = m->name,
		.updated = SOME_TIME(now_ms),
		.account = m->account,
		.region = m->region};
	for (size_t i = 0; i < m->n_dimensions; i++)
		*VEC_PUSH(a, &r.dimensions, &capacity) = (struct cloudwatch_rec_dimension){d[i].name, d[i].value};
	store_put(tx, key_done(&k), cloudwatch_rec_metric_encode(a, &r));
	return OK;
}

void cw_metrics_begin(struct cw_metrics *w, struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str space, struct str name, struct str after)
{
	struct key k = key_begin(a);
	key_append(&k, cw_key(a, "metric", account, region));
	if (str_has(space)) key_str(&k, space);
	if (str_has(space) && str_has(name)) key_str(&k, name);
	struct str from = key_done(&k);
	*w = (struct cw_metrics){.a = a};
	w->scan = store_scan_begin(
		tx, str_has(after) && str_cmp(after, from) > 0 ? key_next(a, after) : from, key_after(a, from), false);
}

bool cw_metrics_next(struct cw_metrics *w, struct cloudwatch_rec_metric *m, status *s)
{
	struct str value;
	if (!is_ok(*s) || !store_scan_next(w->scan, &w->key, &value)) {
		status end = store_scan_end(w->scan);
		if (is_ok(*s)) *s = end;
		return false;
	}
	*m = (struct cloudwatch_rec_metric){0};
	*s = cloudwatch_rec_metric_decode(w->a, str_dup(w->a, value), m);
	if (is_ok(*s)) return true;
	(void)!is_ok(store_scan_end(w->scan));
	return false;
}
