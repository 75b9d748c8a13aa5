/* Blocks of joined points. A step that saw one value only (most do) costs 20 bytes, others 36; the values that a sum
 * was made of lie in a block beside it, so that who asks for averages does not read them. */
#include "services/cloudwatch/block.h"
#include "base/buf.h"
#include "base/vec.h"
#include "store/key.h"
#include <math.h>
#include <stdlib.h>

enum { SINGLE = 1, VALUES = 2, LOST = 4, EXACT_MAX = 1000 };
const int64_t cw_spans_s[CW_RESOLUTIONS] = {600, 6 * 3600, 86400, 15 * 86400};

struct str cw_block_prefix(struct arena *a, const char *kind, struct cw_id id)
{
	struct key k = key_begin(a);
	buf_reserve(&k.b, 80);
	key_str(&k, STR("cloudwatch"));
	key_str(&k, str_c(kind));
	key_u64(&k, id.high);
	key_u64(&k, id.low);
	return key_done(&k);
}

struct str cw_block_key(struct arena *a, const char *kind, struct cw_id id, int resolution, int64_t start)
{
	struct key k = key_begin(a);
	key_append(&k, cw_block_prefix(a, kind, id));
	key_u64(&k, (uint64_t)resolution);
	key_i64(&k, start);
	return key_done(&k);
}

static bool take(struct str *bytes, void *p, size_t n)
{
	if (bytes->n < n) return false;
	memcpy(p, bytes->p, n);
	*bytes = str_from(*bytes, n);
	return true;
}

void cw_sum_write(struct buf *b, const struct cw_sum *s, bool values_elsewhere)
{
	bool single = s->min == s->max && s->sum == s->min * s->n;
	char head[2] = {(char)s->unit,
		(char)((single ? SINGLE : 0) | (values_elsewhere ? VALUES : 0) | (s->pairs.lost ? LOST : 0))};
	buf_add(b, head, 2);
	buf_add(b, &s->n, 8);
	buf_add(b, &s->min, 8);
	if (single) return;
	buf_add(b, &s->max, 8);
	buf_add(b, &s->sum, 8);
}

status cw_sum_read(struct str *bytes, struct cw_sum *s, bool *values_elsewhere)
{
	unsigned char head[2];
	if (!take(bytes, head, 2) || !take(bytes, &s->n, 8) || !take(bytes, &s->min, 8)) return STATUS(CORRUPT);
	s->unit = head[0];
	s->pairs.lost = (head[1] & LOST) != 0;
	*values_elsewhere = (head[1] & VALUES) != 0;
	s->max = s->min;
	s->sum = s->min * s->n;
	if (!(head[1] & SINGLE) && (!take(bytes, &s->max, 8) || !take(bytes, &s->sum, 8))) return STATUS(CORRUPT);
	return OK;
}

void cw_pairs_write(struct buf *b, const struct cw_pairs *p)
{
	uint32_t n = (uint32_t)p->n;
	buf_add(b, &n, 4);
	buf_add(b, p->v, n * sizeof(*p->v));
}

status cw_pairs_read(struct arena *a, struct str *bytes, struct cw_pairs *p)
{
	uint32_t n;
	if (!take(bytes, &n, 4) || bytes->n / sizeof(struct cw_pair) < n) return STATUS(CORRUPT);
	for (uint32_t i = 0; i < n && p; i++) {
		struct cw_pair one;
		memcpy(&one, bytes->p + i * sizeof(one), sizeof(one));
		cw_pair_add(a, p, one.value, one.times);
	}
	*bytes = str_from(*bytes, n * sizeof(struct cw_pair));
	return OK;
}

void cw_pair_add(struct arena *a, struct cw_pairs *p, double value, double times)
{
	*VEC_PUSH(a, p, &p->capacity) = (struct cw_pair){value, times};
}

static void known_values(struct arena *a, struct cw_sum *s)
{
	if (s->n > 0 && s->min == s->max && !s->pairs.n) cw_pair_add(a, &s->pairs, s->min, s->n);
}

void cw_sum_join(struct arena *a, struct cw_sum *to, struct cw_sum one)
{
	known_values(a, to);
	known_values(a, &one);
	if ((!to->pairs.n && to->n > 0) || !one.pairs.n) to->pairs.lost = true;
	cw_sum_add(to, one.n, one.sum, one.min, one.max);
	if (to->pairs.lost || one.pairs.lost) {
		to->pairs = (struct cw_pairs){.lost = true};
		return;
	}
	for (size_t i = 0; i < one.pairs.n; i++) cw_pair_add(a, &to->pairs, one.pairs.v[i].value, one.pairs.v[i].times);
}

static int by_value(const void *x, const void *y)
{
	double a = ((const struct cw_pair *)x)->value, b = ((const struct cw_pair *)y)->value;
	return a < b ? -1 : a > b;
}

static double bin_of(double v)
{
	return v == 0 ? 0 : copysign(floor(log(fabs(v)) / log(1.01)) * 2 + 1e6, v);
}

void cw_pairs_compact(struct cw_pairs *p)
{
	if (p->n < 2) return;
	qsort(p->v, p->n, sizeof(*p->v), by_value);
	for (int round = 0; round < 2; round++) {
		size_t n = 0;
		for (size_t i = 1; i < p->n; i++) {
			struct cw_pair *last = &p->v[n], one = p->v[i];
			bool same = round ? bin_of(last->value) == bin_of(one.value) : last->value == one.value;
			if (!same) {
				p->v[++n] = one;
				continue;
			}
			double times = last->times + one.times;
			if (round) last->value += (one.value - last->value) * (one.times / times);
			last->times = times;
		}
		p->n = n + 1;
		if (p->n <= EXACT_MAX) return;
	}
}

/* ── blocks ── */

static status read_values(struct arena *a, struct str bytes, struct cw_cells *cells)
{
	size_t at = 0;
	while (bytes.n) {
		uint16_t step;
		uint8_t unit;
		if (!take(&bytes, &step, 2) || !take(&bytes, &unit, 1)) return STATUS(CORRUPT);
		while (at < cells->n && (cells->v[at].step != step || cells->v[at].sum.unit != unit)) at++;
		TRY(cw_pairs_read(a, &bytes, at < cells->n ? &cells->v[at].sum.pairs : NULL));
	}
	return OK;
}

status cw_block_read(struct store_tx *tx, struct arena *a, struct cw_id id, int resolution, int64_t start, bool values,
	struct cw_cells *out)
{
	struct str bytes;
	bool any = false;
	status s = store_peek(tx, cw_block_key(a, "b", id, resolution, start), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	while (bytes.n) {
		bool elsewhere;
		struct cw_cell *cell = VEC_PUSH(a, out, &out->capacity);
		if (!take(&bytes, &cell->step, 2)) return STATUS(CORRUPT);
		TRY(cw_sum_read(&bytes, &cell->sum, &elsewhere));
		any = any || elsewhere;
	}
	if (!values || !any) return OK;
	s = store_peek(tx, cw_block_key(a, "d", id, resolution, start), &bytes);
	return status_is(s, STATUS_NOT_FOUND) ? OK : is_ok(s) ? read_values(a, bytes, out) : s;
}

status cw_block_sums(struct store_tx *tx, struct arena *a, struct cw_id id, int resolution, int64_t start,
	void (*fn)(void *ctx, uint16_t step, const struct cw_sum *s), void *ctx)
{
	struct str bytes;
	status s = store_peek(tx, cw_block_key(a, "b", id, resolution, start), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	while (bytes.n) {
		struct cw_sum sum = {0};
		uint16_t step;
		bool elsewhere;
		if (!take(&bytes, &step, 2)) return STATUS(CORRUPT);
		TRY(cw_sum_read(&bytes, &sum, &elsewhere));
		fn(ctx, step, &sum);
	}
	return OK;
}

static int by_step(const void *x, const void *y)
{
	const struct cw_cell *a = x, *b = y;
	return a->step != b->step ? a->step - b->step : a->sum.unit - b->sum.unit;
}

void cw_block_put(
	struct store_tx *tx, struct arena *a, struct cw_id id, int resolution, int64_t start, struct cw_cells *cells)
{
	struct buf sums = BUF_IN(a), values = BUF_IN(a);
	if (cells->n) qsort(cells->v, cells->n, sizeof(*cells->v), by_step);
	for (size_t i = 0; i < cells->n; i++) {
		struct cw_cell *cell = &cells->v[i];
		bool many = cell->sum.min != cell->sum.max && cell->sum.pairs.n && !cell->sum.pairs.lost;
		buf_add(&sums, &cell->step, 2);
		cw_sum_write(&sums, &cell->sum, many);
		if (!many) continue;
		cw_pairs_compact(&cell->sum.pairs);
		buf_add(&values, &cell->step, 2);
		buf_byte(&values, (char)cell->sum.unit);
		cw_pairs_write(&values, &cell->sum.pairs);
	}
	store_put(tx, cw_block_key(a, "b", id, resolution, start), buf_done(&sums));
	if (values.n) store_put(tx, cw_block_key(a, "d", id, resolution, start), buf_done(&values));
}
