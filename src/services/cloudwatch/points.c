/* Writing fresh points, and adding up fresh and joined ones for a reader. */
#include "services/cloudwatch/points.h"
#include "base/rand.h"
#include "base/vec.h"
#include "identity/digest.h"
#include "services/cloudwatch/block.h"
#include "store/key.h"
#include <stdlib.h>

static int by_name(const void *x, const void *y)
{
	const struct metric_dimension *a = x, *b = y;
	int order = str_cmp(a->name, b->name);
	return order ? order : str_cmp(a->value, b->value);
}

static void add_part(struct buf *b, struct str s)
{
	uint32_t n = (uint32_t)s.n;
	buf_add(b, &n, 4);
	buf_str(b, s);
}

struct cw_id cw_id_of(struct arena *a, const struct metric *m)
{
	struct buf b = BUF_IN(a);
	uint8_t hash[32];
	struct cw_id id;
	buf_reserve(&b, 512);
	struct metric_dimension *d = arena_copy(a, m->dimensions, m->n_dimensions * sizeof(*d));
	if (m->n_dimensions > 1) qsort(d, m->n_dimensions, sizeof(*d), by_name);
	add_part(&b, m->account);
	add_part(&b, m->region);
	add_part(&b, m->space);
	add_part(&b, m->name);
	for (size_t i = 0; i < m->n_dimensions; i++) {
		add_part(&b, d[i].name);
		add_part(&b, d[i].value);
	}
	digest_sha256(buf_done(&b), hash);
	memcpy(&id, hash, sizeof(id));
	return id;
}

void cw_sum_add(struct cw_sum *s, double n, double sum, double min, double max)
{
	s->min = s->n > 0 && s->min < min ? s->min : min;
	s->max = s->n > 0 && s->max > max ? s->max : max;
	s->sum += sum;
	s->n += n;
}

/* ── fresh points ── */

void cw_fresh_put(struct store_tx *tx, struct arena *a, struct cw_id id, int64_t at, bool high, uint8_t unit,
	const struct cw_sum *s)
{
	struct buf b = BUF_IN(a);
	struct cw_sum named = *s;
	struct key k = key_begin(a);
	bool many = s->min != s->max && s->pairs.n && !s->pairs.lost;
	named.unit = unit;
	buf_reserve(&k.b, 96);
	key_append(&k, cw_block_prefix(a, "in", id));
	key_i64(&k, at);
	key_u64(&k, rand_u64());
	buf_byte(&b, high);
	cw_sum_write(&b, &named, many);
	if (many) cw_pairs_write(&b, &s->pairs);
	store_put(tx, key_done(&k), buf_done(&b));
}

/* ── reading ── */

struct reader {
	struct arena *a;
	const struct cw_query *q;
	int resolution;
	int64_t step;
	struct cw_sum *out;
	int64_t start, oldest; /* of the block that is read; what is past its retention */
};

static bool wanted(const struct cw_query *q, uint8_t unit)
{
	return q->unit == CW_UNIT_ANY || q->unit == unit;
}

/* The sum that second `at` goes to; NULL where it is outside. */
static struct cw_sum *place(const struct reader *r, int64_t at, int64_t step)
{
	at -= ((at % step) + step) % step;
	if (at < r->q->from || at >= r->q->to) return NULL;
	return &r->out[(at - r->q->from) / r->q->period];
}

static void add(const struct reader *r, struct cw_sum *to, const struct cw_sum *s)
{
	if (to->n == 0) to->unit = s->unit;
	cw_sum_add(to, s->n, s->sum, s->min, s->max);
	if (!r->q->pairs) return;
	if (s->min == s->max)
		cw_pair_add(r->a, &to->pairs, s->min, s->n);
	else if (s->pairs.lost || !s->pairs.n)
		to->pairs.lost = true;
	else
		for (size_t i = 0; i < s->pairs.n; i++)
			cw_pair_add(r->a, &to->pairs, s->pairs.v[i].value, s->pairs.v[i].times);
}

static void take_sum(void *ctx, uint16_t step, const struct cw_sum *s)
{
	const struct reader *r = ctx;
	int64_t at = r->start + step * (int64_t)cw_resolutions[r->resolution];
	struct cw_sum *to = at < r->oldest ? NULL : place(r, at, r->step);
	if (to && wanted(r->q, s->unit)) add(r, to, s);
}

static status read_joined(struct store_tx *tx, struct reader *r)
{
	const struct cw_query *q = r->q;
	int64_t span = cw_spans_s[r->resolution], oldest = q->now - cw_retention_s[r->resolution];
	int64_t from = q->from > oldest ? q->from : oldest;
	r->oldest = oldest;
	for (int64_t start = from - ((from % span) + span) % span; start < q->to && start <= q->now + 7200;
		start += span) {
		struct cw_cells cells = {0};
		r->start = start;
		if (!q->pairs) {
			TRY(cw_block_sums(tx, r->a, q->id, r->resolution, start, take_sum, r));
			continue;
		}
		TRY(cw_block_read(tx, r->a, q->id, r->resolution, start, true, &cells));
		for (size_t i = 0; i < cells.n; i++) take_sum(r, cells.v[i].step, &cells.v[i].sum);
	}
	return OK;
}

static status fresh_scan(
	struct store_tx *tx, struct arena *a, const struct cw_query *q, int64_t step, struct store_scan **out)
{
	struct str prefix = cw_block_prefix(a, "in", q->id);
	struct key from = key_begin(a), to = key_begin(a);
	key_append(&from, prefix);
	key_i64(&from, q->from);
	key_append(&to, prefix);
	key_i64(&to, (q->to + step - 1) / step * step);
	*out = store_scan_begin(tx, key_done(&from), key_done(&to), false);
	return OK;
}

static status fresh_read(struct arena *a, size_t prefix, struct str key, struct str bytes, int64_t *at, bool *high,
	struct cw_sum *s, bool pairs)
{
	bool many;
	struct str rest = str_from(key, prefix);
	TRY(key_read_i64(&rest, at));
	if (!bytes.n) return STATUS(CORRUPT);
	*high = bytes.p[0] != 0;
	bytes = str_from(bytes, 1);
	TRY(cw_sum_read(&bytes, s, &many));
	return many && pairs ? cw_pairs_read(a, &bytes, &s->pairs) : OK;
}

static status read_fresh(struct store_tx *tx, const struct reader *r)
{
	struct store_scan *scan;
	struct str key, bytes;
	status s = OK;
	size_t prefix = cw_block_prefix(r->a, "in", r->q->id).n;
	int64_t oldest = r->q->now - cw_retention_s[r->resolution];
	TRY(fresh_scan(tx, r->a, r->q, r->step, &scan));
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct cw_sum one = {0};
		int64_t at;
		bool high;
		s = fresh_read(r->a, prefix, key, bytes, &at, &high, &one, r->q->pairs);
		if (!is_ok(s) || !wanted(r->q, one.unit) || at < oldest || (!high && r->resolution == 0)) continue;
		struct cw_sum *to = place(r, at, r->step);
		if (to) add(r, to, &one);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static int resolution_for(const struct cw_query *q)
{
	int i = CW_RESOLUTIONS - 1;
	while (i > 0 && (q->period % cw_resolutions[i] || q->from % cw_resolutions[i])) i--;
	return i;
}

status cw_points_read(struct store_tx *tx, struct arena *a, const struct cw_query *q, struct cw_sum *out)
{
	struct reader r = {.a = a, .q = q, .resolution = resolution_for(q), .out = out};
	r.step = cw_resolutions[r.resolution];
	TRY(read_joined(tx, &r));
	return read_fresh(tx, &r);
}

status cw_points_units(struct store_tx *tx, struct arena *a, const struct cw_query *q, uint32_t *units)
{
	int resolution = resolution_for(q);
	struct store_scan *scan;
	struct str key, bytes;
	status s = OK;
	size_t prefix = cw_block_prefix(a, "in", q->id).n;
	int64_t span = cw_spans_s[resolution];
	for (int64_t start = q->from - ((q->from % span) + span) % span; start < q->to && start <= q->now + 7200;
		start += span) {
		struct cw_cells cells = {0};
		TRY(cw_block_read(tx, a, q->id, resolution, start, false, &cells));
		for (size_t i = 0; i < cells.n; i++) *units |= 1u << cells.v[i].sum.unit;
	}
	TRY(fresh_scan(tx, a, q, cw_resolutions[resolution], &scan));
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct cw_sum one = {0};
		int64_t at;
		bool high;
		s = fresh_read(a, prefix, key, bytes, &at, &high, &one, false);
		if (is_ok(s)) *units |= 1u << one.unit;
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}
