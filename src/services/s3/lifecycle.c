/* The lifecycle job: one for each bucket with rules, due at midnight. A run judges the bucket as it was to be judged at
 * its midnight, a page per transaction, and keeps its place in a record of the same transaction: a crash goes on where
 * it was. Where the clock has been moved over many midnights, those at which something is due are run one after the
 * other, so that an object's life after a leap is the one that it would have had day by day. */
#include "services/s3/lifecycle.h"
#include "services/s3/changed.h"
#include "services/s3/lock.h"
#include "services/s3/multipart.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

#define DAY_MS (24ll * 60 * 60 * 1000)
enum { LOOKED_AT_ONCE = 1000, CHANGED_AT_ONCE = 100 };
enum phase { CURRENT, OLDER, UPLOADS, PHASES };
static const char kind[] = "s3.lifecycle";

struct run {
	struct call c;
	struct s3_rec_bucket b;
	struct s3_lifecycle l;
	struct s3_rec_lifecycle_run at;
	unsigned looked, changed;
};

/* ── the record and the job ── */

static struct str run_key(struct arena *a, const struct s3_rec_bucket *b)
{
	struct key k = s3_key_space(a, STR("lifecycle"), b);
	return key_done(&k);
}

static struct str job_id(struct arena *a, const struct s3_rec_bucket *b)
{
	return str_fmt(a, "%llx", (unsigned long long)b->id.v);
}

void s3_lifecycle_forget(struct call *c, const struct s3_rec_bucket *b)
{
	jobs_cancel(c->tx, str_c(kind), job_id(c->arena, b));
	store_delete(c->tx, run_key(c->arena, b));
}

void s3_lifecycle_schedule(struct call *c, const struct s3_rec_bucket *b)
{
	struct job job = {
		.kind = str_c(kind),
		.id = job_id(c->arena, b),
		.due_ms = (c->now_ms / DAY_MS + 1) * DAY_MS,
		.payload = s3_rec_bucket_encode(c->arena, &(struct s3_rec_bucket){.name = b->name, .id = b->id}),
	};
	store_delete(c->tx, run_key(c->arena, b));
	jobs_schedule(c->tx, &job);
}

/* ── what is due ── */

static void next_at(struct run *r, int64_t due)
{
	if (due > r->c.now_ms && due < r->at.next.ms) r->at.next = SOME_TIME(due);
}

/* An action makes others possible from the day after on. */
static void acted(struct run *r)
{
	r->changed++;
	next_at(r, r->c.now_ms + DAY_MS);
}

static bool is_locked(const struct run *r, const struct s3_rec_object *o)
{
	return s3_lock_retained(&r->c, o) || o->legal_hold.v;
}

static status fall(
	struct run *r, struct str key, const struct s3_place *place, struct s3_rec_object *o, struct str class)
{
	o->storage_class = class;
	o->transitioned = SOME_TIME(r->c.now_ms);
	o->restore = NULL;
	s3_version_rewrite(&r->c, &r->b, key, place, o);
	acted(r);
	return s3_changed(&r->c, &r->b, key, S3_TRANSITIONED, o);
}

static status drop_version(struct run *r, struct str key, const struct s3_rec_object *o)
{
	struct s3_deleted d = {0};
	struct str id = str_has(o->version_id) ? o->version_id : STR("null");
	TRY(s3_version_delete(&r->c, &r->b, key, id, &d));
	acted(r);
	return s3_changed(&r->c, &r->b, key, S3_EXPIRED, o);
}

static status judge_current(struct run *r, struct str key)
{
	struct s3_rec_object o;
	const struct s3_lifecycle_rule *rule;
	struct s3_place place = {.current = true};
	int64_t due;
	TRY(s3_object_load(&r->c, &r->b, key, &o));
	int64_t expires = s3_lifecycle_expires(&r->l, key, &o, &rule);
	if (expires <= r->c.now_ms) {
		struct s3_deleted d = {0};
		TRY(s3_version_mark_deleted(&r->c, &r->b, key, &d));
		acted(r);
		struct s3_rec_object gone = {.version_id = d.version_id};
		return s3_changed(&r->c, &r->b, key, d.marker ? S3_EXPIRED_MARKER : S3_EXPIRED, &gone);
	}
	next_at(r, expires);
	struct str class = s3_lifecycle_class(&r->l, key, &o, false, 0, 0, r->c.now_ms, &due);
	next_at(r, due);
	return str_has(class) ? fall(r, key, &place, &o, class) : OK;
}

/* A marker with nothing below it is an expired one: rules that say so remove it, and those that expire by days or date
 * once it is that old. */
static status judge_lone_marker(struct run *r, struct str key, const struct s3_rec_object *o)
{
	for (size_t i = 0; i < r->l.n; i++) {
		const struct s3_lifecycle_rule *rule = &r->l.v[i];
		const struct s3_lifecycle_expiration *e = rule->expiration;
		if (!e || !s3_lifecycle_applies(rule, key, o)) continue;
		int64_t due = e->expired_object_delete_marker.v ? s3_lifecycle_due(o->modified.ms, 0)
			      : e->date.has                     ? e->date.ms
			      : e->days.has                     ? s3_lifecycle_due(o->modified.ms, e->days.v)
								: INT64_MAX;
		if (due <= r->c.now_ms) return drop_version(r, key, o);
		next_at(r, due);
	}
	return OK;
}

static status is_alone(struct run *r, struct str key, uint64_t number, bool *alone)
{
	struct key k = s3_key_space(r->c.arena, STR("version"), &r->b);
	key_str(&k, key);
	struct str all = key_done(&k), at, value;
	struct str from = key_next(r->c.arena, s3_key_version(r->c.arena, &r->b, key, number));
	struct store_scan *scan = store_scan_begin(r->c.tx, from, key_after(r->c.arena, all), false);
	*alone = !store_scan_next(scan, &at, &value);
	return store_scan_end(scan);
}

static status judge_noncurrent(struct run *r, struct str key, const struct s3_place *place, struct s3_rec_object *o,
	int64_t since, int32_t newer)
{
	for (size_t i = 0; i < r->l.n; i++) {
		const struct s3_lifecycle_rule *rule = &r->l.v[i];
		const struct s3_noncurrent_version_expiration *e = rule->noncurrent_version_expiration;
		if (!e || newer < e->newer_noncurrent_versions.v || !s3_lifecycle_applies(rule, key, o)) continue;
		int64_t due = s3_lifecycle_due(since, e->noncurrent_days.v);
		if (due <= r->c.now_ms && !is_locked(r, o)) return drop_version(r, key, o);
		next_at(r, due);
		if (is_locked(r, o)) next_at(r, r->c.now_ms + DAY_MS);
	}
	if (o->marker.v) return OK;
	int64_t due;
	struct str class = s3_lifecycle_class(&r->l, key, o, true, since, newer, r->c.now_ms, &due);
	next_at(r, due);
	return str_has(class) ? fall(r, key, place, o, class) : OK;
}

/* One of the older versions and markers; those of a key come newest first. */
static status judge_older(struct run *r, struct str key, uint64_t number)
{
	struct s3_rec_object o = {0}, current;
	struct s3_place place = {.number = number};
	struct str bytes;
	TRY(store_get(r->c.tx, s3_key_version(r->c.arena, &r->b, key, number), &bytes));
	TRY(s3_rec_object_decode(r->c.arena, bytes, &o));
	if (!str_has(r->at.key) || !str_eq(r->at.key, key)) {
		r->at.key = key;
		r->at.newer = SOME_I32(0);
		r->at.above = (struct opt_time){0};
		status s = s3_object_load(&r->c, &r->b, key, &current);
		if (is_ok(s))
			r->at.above = current.modified;
		else if (!status_is(s, STATUS_NOT_FOUND))
			return s;
	}
	int64_t since = r->at.above.ms;
	bool noncurrent = r->at.above.has;
	r->at.above = o.modified;
	if (!noncurrent) { /* the current version, a marker */
		bool alone;
		TRY(is_alone(r, key, number, &alone));
		return alone && o.marker.v ? judge_lone_marker(r, key, &o) : OK;
	}
	int32_t newer = r->at.newer.v++;
	return judge_noncurrent(r, key, &place, &o, since, newer);
}

static status judge_upload(struct run *r, struct str key, struct str id)
{
	struct s3_rec_upload u;
	struct opt_time due;
	struct str rule;
	TRY(s3_upload_load(&r->c, &r->b, key, id, &u));
	TRY(s3_lifecycle_abort(&r->c, &r->b, key, u.initiated.ms, &due, &rule));
	if (!due.has) return OK;
	if (due.ms > r->c.now_ms) {
		next_at(r, due.ms);
		return OK;
	}
	r->changed += LOOKED_AT_ONCE; /* an upload's parts are many: one at a time */
	return s3_upload_remove(&r->c, &r->b, key, id, NULL, NULL);
}

/* ── the walk ── */

static struct str space_of(struct arena *a, const struct s3_rec_bucket *b, int phase)
{
	static const char *const names[PHASES] = {"object", "version", "upload"};
	struct key k = s3_key_space(a, str_c(names[phase]), b);
	return key_done(&k);
}

static status judge(struct run *r, struct str rest)
{
	struct str key, id;
	uint64_t number;
	TRY(key_read_str(r->c.arena, &rest, &key));
	switch ((enum phase)r->at.phase.v) {
	case CURRENT:
		return judge_current(r, key);
	case OLDER:
		TRY(key_read_u64(&rest, &number));
		return judge_older(r, key, number);
	case UPLOADS:
		TRY(key_read_str(r->c.arena, &rest, &id));
		return judge_upload(r, key, id);
	case PHASES:
		break;
	}
	UNREACHABLE();
}

/* A page. True in *done: this phase has come to its end. */
static status walk(struct run *r, bool *done)
{
	struct arena *a = r->c.arena;
	struct str space = space_of(a, &r->b, r->at.phase.v), from = str_has(r->at.cursor) ? r->at.cursor : space, key,
		   value;
	struct store_scan *scan = store_scan_begin(r->c.tx, from, key_after(a, space), false);
	status s = OK;
	*done = false;
	while (is_ok(s) && !*done && r->looked < LOOKED_AT_ONCE && r->changed < CHANGED_AT_ONCE) {
		*done = !store_scan_next(scan, &key, &value);
		if (*done) break;
		r->looked++;
		key = str_dup(a, key);
		r->at.cursor = key_next(a, key);
		s = judge(r, str_from(key, space.n));
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

/* When the next run is: tomorrow; after a leap of the clock the first midnight at which something is due. */
static int64_t next_run(const struct run *r, int64_t clock_ms)
{
	int64_t tomorrow = (clock_ms / DAY_MS + 1) * DAY_MS;
	int64_t next = r->at.next.ms == INT64_MAX ? tomorrow : (r->at.next.ms + DAY_MS - 1) / DAY_MS * DAY_MS;
	return next < tomorrow ? next : tomorrow;
}

static status load_bucket(struct run *r, struct str payload)
{
	struct s3_rec_bucket known = {0};
	TRY(s3_rec_bucket_decode(r->c.arena, payload, &known));
	TRY(s3_bucket_by_name(r->c.tx, r->c.arena, known.name, &r->b, &r->c.partition));
	if (r->b.id.v != known.id.v) return STATUS(NOT_FOUND);
	r->c.account = r->b.owner;
	r->c.region = r->b.region;
	return s3_lifecycle_load(&r->c, &r->b, &r->l);
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct run r = {.c = {.arena = a, .cloud = cloud, .tx = tx, .state = s3_state_of(cloud)}};
	struct str bytes;
	status s = load_bucket(&r, job->payload);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	int64_t clock_ms = clock_now(cloud->clock);
	s = store_get(tx, run_key(a, &r.b), &bytes);
	if (is_ok(s))
		TRY(s3_rec_lifecycle_run_decode(a, bytes, &r.at));
	else if (status_is(s, STATUS_NOT_FOUND))
		r.at = (struct s3_rec_lifecycle_run){
			.midnight = SOME_TIME(job->due_ms), .phase = SOME_I32(CURRENT), .next = SOME_TIME(INT64_MAX)};
	else
		return s;
	r.c.now_ms = r.at.midnight.ms;
	bool done = true;
	while (done && r.at.phase.v < PHASES && r.looked < LOOKED_AT_ONCE && r.changed < CHANGED_AT_ONCE) {
		TRY(walk(&r, &done));
		if (!done) break;
		r.at.phase.v++;
		r.at.cursor = r.at.key = STR_NONE;
	}
	if (r.at.phase.v >= PHASES) {
		store_delete(tx, run_key(a, &r.b));
		*again_ms = next_run(&r, clock_ms);
	} else {
		store_put(tx, run_key(a, &r.b), s3_rec_lifecycle_run_encode(a, &r.at));
		*again_ms = job->due_ms;
	}
	return OK;
}

void s3_lifecycle_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, kind, run, cloud);
}
