/* Walking over all objects, older versions and parts, a page per transaction. What is found damaged is logged and kept
 * as a record until a later pass finds it sound or gone. Keys:
 *
 *     ("s3", "scrub")                                   where the job goes on
 *     ("s3", "damaged", bucket id, key, version id)     what was found */
#include "services/s3/scrub.h"
#include "admin/json.h"
#include "base/log.h"
#include "services/s3/records.h"
#include <stdlib.h>

#define STEP_MS (60ll * 1000)
#define PASS_MS (7 * 24 * 60 * STEP_MS)
#define STEP_BYTES (64ull << 20)
enum { STEP_RECORDS = 1000 };
static const char kind[] = "s3.scrub";

struct pass {
	struct call c;
	struct str cursor; /* the store key to begin at; STR_NONE: the first */
	bool done;
	uint64_t bodies, bytes;
	struct scrub_report *report; /* may be NULL */
};

static struct str root(struct arena *a, const char *name)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, str_c(name));
	return key_done(&k);
}

/* The bucket's name, for people: only its id is in the keys. */
static struct str bucket_name(struct pass *p, uint64_t id)
{
	struct str from = root(p->c.arena, "bucket"), key, value, name = STR_NONE;
	struct store_scan *scan = store_scan_begin(p->c.tx, from, key_after(p->c.arena, from), false);
	while (!str_has(name) && store_scan_next(scan, &key, &value)) {
		struct s3_rec_bucket b = {0};
		if (is_ok(s3_rec_bucket_decode(p->c.arena, str_dup(p->c.arena, value), &b)) && (uint64_t)b.id.v == id)
			name = b.name;
	}
	return is_ok(store_scan_end(scan)) ? name : STR_NONE;
}

static void tell(struct pass *p, uint64_t bucket_id, struct str key, struct str version)
{
	struct str name = bucket_name(p, bucket_id);
	struct key k = key_begin(p->c.arena);
	key_append(&k, root(p->c.arena, "damaged"));
	key_u64(&k, bucket_id);
	key_str(&k, key);
	key_str(&k, version);
	store_put(p->c.tx, key_done(&k), STR(""));
	log_error("s3", "damaged", "bucket=%.*s key=%.*s version=%.*s", STR_ARG(name), STR_ARG(key), STR_ARG(version));
	if (!p->report) return;
	p->report->n_damaged++;
	struct buf *out = p->report->damaged;
	json_open(out, '{');
	json_key(out, "service");
	json_str(out, STR("s3"));
	json_key(out, "bucket");
	json_str(out, str_or(name, STR("")));
	json_key(out, "key");
	json_str(out, key);
	json_key(out, "version");
	json_str(out, version);
	json_close(out, '}');
}

static status verify(struct pass *p, const struct s3_rec_extents *x, bool *sound)
{
	for (size_t i = 0; i < x->n; i++) {
		struct blob *b;
		status s = blob_open(p->c.tx, s3_extent_ref(&x->v[i]), &b);
		if (is_ok(s)) {
			s = blob_verify(b);
			blob_close(b);
		}
		if (status_is(s, STATUS_CORRUPT) || status_is(s, STATUS_NOT_FOUND))
			*sound = false;
		else
			TRY(s);
		p->bodies++;
		p->bytes += (uint64_t)x->v[i].blob_size.v;
	}
	return OK;
}

static status look(struct pass *p, const char *name, struct str rest, struct str value)
{
	struct s3_rec_extents x = {0};
	struct s3_rec_object o = {0};
	uint64_t bucket_id;
	struct str key;
	bool sound = true;
	value = str_dup(p->c.arena, value);
	TRY(key_read_u64(&rest, &bucket_id));
	TRY(key_read_str(p->c.arena, &rest, &key));
	if (strcmp(name, "part") == 0) {
		struct s3_rec_part part = {0};
		TRY(s3_rec_part_decode(p->c.arena, value, &part));
		x = part.extents;
	} else {
		struct s3_rec_bucket b = {.id = SOME_I64((int64_t)bucket_id)};
		TRY(s3_rec_object_decode(p->c.arena, value, &o));
		TRY(s3_object_extents(&p->c, &b, &o, &x));
	}
	TRY(verify(p, &x, &sound));
	if (!sound) tell(p, bucket_id, key, str_has(o.version_id) ? o.version_id : STR("null"));
	return OK;
}

/* From the cursor on, until the step is full. */
static status step(struct pass *p)
{
	static const char *const names[] = {"object", "part", "version"}; /* in the order of the keys */
	uint64_t records = 0;
	p->bytes = p->bodies = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct str space = root(p->c.arena, names[i]), to = key_after(p->c.arena, space), key, value;
		if (str_has(p->cursor) && str_cmp(p->cursor, to) >= 0) continue;
		struct str from = str_has(p->cursor) && str_cmp(p->cursor, space) > 0 ? p->cursor : space;
		struct store_scan *scan = store_scan_begin(p->c.tx, from, to, false);
		status s = OK;
		bool full = false;
		while (is_ok(s) && !full && store_scan_next(scan, &key, &value)) {
			key = str_dup(p->c.arena, key);
			p->cursor = key_next(p->c.arena, key);
			s = look(p, names[i], str_from(key, space.n), value);
			full = ++records >= STEP_RECORDS || p->bytes >= STEP_BYTES;
		}
		status ended = store_scan_end(scan);
		TRY(s);
		TRY(ended);
		if (full) return OK;
	}
	p->done = true;
	return OK;
}

static void forget_damage(struct pass *p)
{
	struct str from = root(p->c.arena, "damaged"), key, value;
	struct store_scan *scan = store_scan_begin(p->c.tx, from, key_after(p->c.arena, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(p->c.tx, str_dup(p->c.arena, key));
	if (!is_ok(store_scan_end(scan))) log_warn("s3", "damage_not_forgotten", "records=left");
}

/* ── asked for ── */

status s3_scrub(struct cloud *cloud, void *state, struct scrub_report *out)
{
	struct str cursor = STR_NONE;
	char *kept = NULL;
	struct arena a;
	status s = OK;
	bool done = false, first = true;
	(void)state;
	arena_init(&a);
	while (is_ok(s) && !done) {
		size_t told = out->damaged->n, n = out->n_damaged;
		struct pass p = {.c = {.arena = &a, .cloud = cloud, .now_ms = clock_now(cloud->clock)},
			.cursor = cursor,
			.report = out};
		store_ticket t;
		p.c.tx = store_begin(cloud->store, &a, false);
		if (first) forget_damage(&p);
		s = step(&p);
		if (is_ok(s) && store_has_writes(p.c.tx)) s = store_commit(p.c.tx, &t);
		store_end(p.c.tx);
		if (status_is(s, STATUS_CONFLICT)) { /* the page again */
			out->damaged->n = told;
			out->n_damaged = n;
			s = OK;
			continue;
		}
		first = false;
		done = p.done;
		out->bodies += p.bodies;
		out->bytes += p.bytes;
		kept = mem_grow(kept, p.cursor.n + 1);
		if (p.cursor.n) memcpy(kept, p.cursor.p, p.cursor.n);
		cursor = str_has(p.cursor) ? str_n(kept, p.cursor.n) : STR_NONE;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	free(kept);
	return s;
}

/* ── by itself ── */

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct pass p = {.c = {.arena = a, .cloud = cloud, .tx = tx, .now_ms = clock_now(cloud->clock)}};
	struct str at, where = root(a, "scrub");
	(void)job;
	status s = store_get(tx, where, &at);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s) && at.n) p.cursor = at;
	TRY(step(&p));
	store_put(tx, where, p.done ? STR("") : p.cursor);
	*again_ms = p.c.now_ms + (p.done ? PASS_MS : STEP_MS);
	return OK;
}

status s3_scrub_register(struct cloud *cloud)
{
	struct arena a;
	struct str at;
	store_ticket t;
	jobs_register(cloud->jobs, kind, run, cloud);
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, false);
	status s = store_get(tx, root(&a, "scrub"), &at);
	if (status_is(s, STATUS_NOT_FOUND)) {
		struct job job = {.kind = str_c(kind),
			.id = STR("all"),
			.due_ms = clock_now(cloud->clock) + PASS_MS,
			.payload = STR("")};
		store_put(tx, root(&a, "scrub"), STR(""));
		jobs_schedule(tx, &job);
		s = store_commit(tx, &t);
	}
	store_end(tx);
	arena_cleanup(&a);
	return s;
}
