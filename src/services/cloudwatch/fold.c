/* Joining fresh points into blocks, once an hour, a stretch at a time: what is read of a metric is then a few blocks,
 * however many points came. A stretch's fresh keys go in the transaction that writes its blocks. And once a day, what
 * is past its retention goes. Only these jobs write blocks. */
#include "base/buf.h"
#include "base/log.h"
#include "base/vec.h"
#include "services/cloudwatch/block.h"
#include "services/cloudwatch/room.h"

static const char fold_kind[] = "cloudwatch.fold", expire_kind[] = "cloudwatch.expire";
enum { AT_ONCE = 20000, EXPIRE_AT_ONCE = 5000 };
#define HOUR_MS 3600000ll

/* ── joining ── */

struct fresh {
	int64_t at;
	bool high;
	struct cw_sum sum;
};
struct series {
	struct cw_id id;
	struct fresh *v;
	size_t n, capacity;
};

static struct cw_sum *cell_for(struct arena *a, struct cw_cells *cells, uint16_t step, uint8_t unit)
{
	for (size_t i = cells->n; i-- > 0;)
		if (cells->v[i].step == step && cells->v[i].sum.unit == unit) return &cells->v[i].sum;
	struct cw_cell *cell = VEC_PUSH(a, cells, &cells->capacity);
	cell->step = step;
	cell->sum.unit = unit;
	return &cell->sum;
}

static status join_into(struct store_tx *tx, struct arena *a, const struct series *s, int resolution)
{
	int64_t span = cw_spans_s[resolution];
	for (size_t i = 0; i < s->n;) { /* fresh points are in order of time */
		int64_t start = s->v[i].at - s->v[i].at % span;
		struct cw_cells cells = {0};
		bool any = false;
		TRY(cw_block_read(tx, a, s->id, resolution, start, true, &cells));
		for (; i < s->n && s->v[i].at < start + span; i++) {
			if (resolution == 0 && !s->v[i].high) continue;
			uint16_t step = (uint16_t)((s->v[i].at - start) / cw_resolutions[resolution]);
			cw_sum_join(a, cell_for(a, &cells, step, s->v[i].sum.unit), s->v[i].sum);
			any = true;
		}
		if (any) cw_block_put(tx, a, s->id, resolution, start, &cells);
	}
	return OK;
}

static status join_series(struct store_tx *tx, struct arena *a, struct series *s)
{
	for (int i = 0; i < CW_RESOLUTIONS && s->n; i++) TRY(join_into(tx, a, s, i));
	s->n = 0;
	return OK;
}

static status read_fresh(struct arena *a, struct str key, struct str bytes, struct cw_id *id, struct fresh *f)
{
	struct str name, rest = key;
	bool many;
	TRY(key_read_str(a, &rest, &name));
	TRY(key_read_str(a, &rest, &name));
	TRY(key_read_u64(&rest, &id->high));
	TRY(key_read_u64(&rest, &id->low));
	TRY(key_read_i64(&rest, &f->at));
	if (!bytes.n) return STATUS(CORRUPT);
	f->high = bytes.p[0] != 0;
	bytes = str_from(bytes, 1);
	TRY(cw_sum_read(&bytes, &f->sum, &many));
	return many ? cw_pairs_read(a, &bytes, &f->sum.pairs) : OK;
}

static struct str space(struct arena *a, const char *kind)
{
	struct key k = key_begin(a);
	key_str(&k, STR("cloudwatch"));
	key_str(&k, str_c(kind));
	return key_done(&k);
}

static status fold(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	int64_t now = clock_now(cloud->clock), until = (now - now % HOUR_MS) / 1000;
	struct str in = space(a, "in"), where = space(a, "fold"), bytes, key, value;
	struct cloudwatch_rec_fold at = {0};
	struct series series = {0};
	size_t n = 0;
	(void)job;
	status s = store_get(tx, where, &bytes);
	if (is_ok(s)) s = cloudwatch_rec_fold_decode(a, bytes, &at);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	s = OK;
	struct store_scan *scan = store_scan_begin(tx, str_has(at.at) ? at.at : in, key_after(a, in), false);
	bool more = false;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct fresh f = {0};
		struct cw_id id;
		if (n == AT_ONCE) {
			more = true;
			at.at = str_dup(a, key);
			break;
		}
		s = read_fresh(a, key, value, &id, &f);
		if (!is_ok(s) || f.at >= until) continue;
		if (series.n && (series.id.high != id.high || series.id.low != id.low)) s = join_series(tx, a, &series);
		series.id = id;
		*VEC_PUSH(a, &series, &series.capacity) = f;
		store_delete(tx, str_dup(a, key));
		n++;
	}
	status end = store_scan_end(scan);
	TRY(s);
	TRY(end);
	TRY(join_series(tx, a, &series));
	if (!more) at.at = STR_NONE;
	store_put(tx, where, cloudwatch_rec_fold_encode(a, &at));
	*again_ms = more ? now : now - now % HOUR_MS + HOUR_MS + 120000;
	return OK;
}

/* ── retention ── */

/* Blocks of one kind that are past their time; true where all were seen. */
static status expire_blocks(struct store_tx *tx, struct arena *a, const char *kind, int64_t now, size_t *n)
{
	struct str from = space(a, kind), key, value, name;
	status s = OK;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (is_ok(s) && *n < EXPIRE_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct str rest = key;
		struct cw_id id;
		uint64_t resolution;
		int64_t start;
		if (!is_ok(key_read_str(a, &rest, &name)) || !is_ok(key_read_str(a, &rest, &name)) ||
			!is_ok(key_read_u64(&rest, &id.high)) || !is_ok(key_read_u64(&rest, &id.low)) ||
			!is_ok(key_read_u64(&rest, &resolution)) || !is_ok(key_read_i64(&rest, &start)) ||
			resolution >= CW_RESOLUTIONS) {
			s = STATUS(CORRUPT);
			break;
		}
		if (start + cw_spans_s[resolution] + cw_retention_s[resolution] < now) {
			store_delete(tx, str_dup(a, key));
			++*n;
			continue;
		}
		/* What follows at this resolution is younger. */
		struct key next = key_begin(a);
		key_append(&next, cw_block_prefix(a, kind, id));
		key_u64(&next, resolution + 1);
		store_scan_seek(scan, key_done(&next));
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static status expire_metrics(struct store_tx *tx, struct arena *a, int64_t now, size_t *n)
{
	struct str from = space(a, "metric"), key, value;
	status s = OK;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (is_ok(s) && *n < EXPIRE_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_metric m = {0};
		s = cloudwatch_rec_metric_decode(a, value, &m);
		if (!is_ok(s) || m.updated.ms / 1000 + cw_retention_s[CW_RESOLUTIONS - 1] >= now) continue;
		store_delete(tx, str_dup(a, key));
		++*n;
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* "Alarm history … 30 days". */
static status expire_history(struct store_tx *tx, struct arena *a, int64_t now, size_t *n)
{
	struct str from = space(a, "history"), key, value;
	status s = OK;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (is_ok(s) && *n < EXPIRE_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_history h = {0};
		s = cloudwatch_rec_history_decode(a, value, &h);
		if (!is_ok(s) || h.at.ms / 1000 + 30 * 86400 >= now) continue;
		store_delete(tx, str_dup(a, key));
		++*n;
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static status expire(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	int64_t now = clock_now(cloud->clock);
	size_t n = 0;
	(void)job;
	TRY(expire_blocks(tx, a, "b", now / 1000, &n));
	TRY(expire_blocks(tx, a, "d", now / 1000, &n));
	TRY(expire_metrics(tx, a, now / 1000, &n));
	TRY(expire_history(tx, a, now / 1000, &n));
	*again_ms = n >= EXPIRE_AT_ONCE ? now : now + CW_DAY_MS;
	return OK;
}

/* ── starting ── */

void cw_fold_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, fold_kind, fold, cloud);
	jobs_register(cloud->jobs, expire_kind, expire, cloud);
}

void cw_fold_ready(struct cloud *cloud)
{
	struct arena a;
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, false);
	store_ticket ticket;
	struct job job = {
		.kind = str_c(fold_kind), .id = STR("all"), .due_ms = clock_now(cloud->clock), .payload = STR("")};
	jobs_schedule(tx, &job);
	job.kind = str_c(expire_kind);
	jobs_schedule(tx, &job);
	job = cw_collect_job(job.due_ms);
	jobs_schedule(tx, &job);
	/* Lost to a job that was due already: then it schedules itself. */
	status s = store_commit(tx, &ticket);
	if (!is_ok(s)) log_info("cloudwatch", "fold-not-scheduled", "status=%s", status_name(s));
	store_end(tx);
	arena_cleanup(&a);
}
