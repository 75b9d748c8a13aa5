/* Counting reads for storage class analysis: by day, configuration, storage class and age. A bucket without an export
 * costs nothing; of one that has them each GetObject reads the configurations. Counts are kept in memory and written by
 * a worker when the oldest is a minute old, so that a crash loses no more than what was read since. Keys:
 *
 *     ("s3", "reads", bucket id, day, configuration, class, age group) */
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "call/workers.h"
#include "services/s3/analysis.h"
#include "services/s3/sse.h"
#include <pthread.h>
#include <stdlib.h>

enum { WRITE_MS = 60000, TRIES = 50, COUNTS_MAX = 100000 };
static const int64_t day_ms = 86400000;

struct count {
	int64_t requests, bytes;
};
struct s3_analysis {
	struct cloud *cloud;
	pthread_mutex_t lock;
	struct map counts; /* of struct count, by the store's key */
	int64_t since_ms;  /* of the oldest */
	bool writing;
};

static const int first_days[S3_AGES] = {0, 15, 30, 45, 60, 75, 90, 120, 150, 180, 365, 730};

unsigned s3_analysis_age(int64_t modified_ms, int64_t now_ms)
{
	int64_t days = (now_ms - modified_ms) / day_ms;
	unsigned age = S3_AGES - 1;
	while (age > 0 && days < first_days[age]) age--;
	return age;
}

bool s3_analysis_passes(const struct s3_analytics_configuration *conf, struct str key, const struct s3_rec_object *o)
{
	const struct s3_analytics_filter *f = conf->filter;
	if (!f) return true;
	struct str prefix = f->and ? f->and->prefix : f->prefix;
	if (str_has(prefix) && !str_starts(key, prefix)) return false;
	if (f->tag && !s3_tags_hold(&o->tags, f->tag)) return false;
	for (size_t i = 0; f->and &&i < f->and->tags.n; i++)
		if (!s3_tags_hold(&o->tags, &f->and->tags.v[i])) return false;
	return true;
}

static struct str reads_key(
	struct arena *a, const struct s3_rec_bucket *b, int64_t day, struct str id, struct str class, unsigned age)
{
	struct key k = s3_key_space(a, STR("reads"), b);
	key_u64(&k, (uint64_t)day);
	key_str(&k, id);
	key_str(&k, class);
	key_u64(&k, age);
	return key_done(&k);
}

/* ── noting ── */

static bool of_current_version(const struct call *c)
{
	return c->match.op_index == S3_OP_GET_OBJECT && str_find(c->http->query, STR("versionId=")) < 0;
}

void s3_analysis_note(struct call *c, struct store_tx *tx, struct s3_noted *n)
{
	const struct s3_rec_bucket *b = &n->bucket;
	struct str object_key = s3_noted_label(c, "Key"), bytes, key, value;
	struct s3_rec_object o = {0};
	size_t capacity = 0;
	if (!str_has(object_key) || !of_current_version(c)) return;
	if (!is_ok(store_peek(tx, s3_key_object(c->arena, b, object_key), &bytes)) ||
		!is_ok(s3_rec_object_decode(c->arena, bytes, &o)))
		return;
	unsigned age = s3_analysis_age(o.modified.ms, c->now_ms);
	struct str from = s3_config_space(c->arena, b, S3_CONFIG_ANALYTICS);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct s3_put_bucket_analytics_configuration_input in = {0};
		if (!is_ok(s3_config_decode(c->arena, S3_CONFIG_ANALYTICS, str_dup(c->arena, value), &in))) continue;
		const struct s3_analytics_configuration *conf = in.analytics_configuration;
		if (!conf->storage_class_analysis->data_export || !s3_analysis_passes(conf, object_key, &o)) continue;
		*VEC_PUSH(c->arena, &n->reads, &capacity) =
			reads_key(c->arena, b, c->now_ms / day_ms, conf->id, o.storage_class, age);
	}
	if (!is_ok(store_scan_end(scan))) n->reads.n = 0;
}

/* ── writing ── */

static status write_once(struct s3_analysis *n, struct arena *a, const struct map *counts)
{
	struct store_tx *tx = store_begin(n->cloud->store, a, false);
	status s = OK;
	for (struct map_entry *e = NULL; is_ok(s) && (e = map_next(counts, e));) {
		const struct count *more = e->value;
		struct s3_rec_reads r = {0};
		struct str bytes;
		s = store_get(tx, e->key, &bytes);
		if (is_ok(s)) s = s3_rec_reads_decode(a, bytes, &r);
		if (status_is(s, STATUS_NOT_FOUND)) s = OK;
		r.requests = SOME_I64(r.requests.v + more->requests);
		r.bytes = SOME_I64(r.bytes.v + more->bytes);
		if (is_ok(s)) store_put(tx, e->key, s3_rec_reads_encode(a, &r));
	}
	store_ticket ticket;
	if (is_ok(s)) s = store_commit(tx, &ticket);
	store_end(tx);
	return s;
}

status s3_analysis_write(struct s3_analysis *n)
{
	struct arena a;
	pthread_mutex_lock(&n->lock);
	struct map counts = n->counts;
	map_init(&n->counts);
	pthread_mutex_unlock(&n->lock);
	arena_init(&a);
	status s = counts.count ? STATUS(CONFLICT) : OK;
	for (int i = 0; i < TRIES && status_is(s, STATUS_CONFLICT); i++) s = write_once(n, &a, &counts);
	if (!is_ok(s)) log_warn("s3", "reads-lost", "n=%zu status=%s", counts.count, status_name(s));
	arena_cleanup(&a);
	map_cleanup(&counts, free);
	return s;
}

static void write_in_worker(void *ctx)
{
	struct s3_analysis *n = ctx;
	(void)is_ok(s3_analysis_write(n));
	pthread_mutex_lock(&n->lock);
	n->writing = false;
	pthread_mutex_unlock(&n->lock);
}

static void answered(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct s3_analysis *n = ctx;
	struct call *c;
	(void)phase;
	(void)tx;
	memcpy(&c, &e->detail, sizeof(struct call *));
	const struct s3_noted *noted = s3_noted(c);
	if (!noted || !noted->reads.n || c->answered_code >= 300) return;
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < noted->reads.n; i++) {
		struct count *at = map_get(&n->counts, noted->reads.v[i]);
		if (!at && n->counts.count >= COUNTS_MAX) continue;
		if (!n->counts.count) n->since_ms = c->now_ms;
		if (!at) map_set(&n->counts, noted->reads.v[i], at = mem_new(sizeof *at));
		at->requests++;
		at->bytes += (int64_t)c->answered_bytes;
	}
	bool due = !n->writing && c->now_ms - n->since_ms >= WRITE_MS;
	n->writing |= due;
	pthread_mutex_unlock(&n->lock);
	if (due) workers_run(n->cloud->workers, write_in_worker, n);
}

status s3_analysis_take(struct call *c, const struct s3_rec_bucket *b, int64_t day, struct str id, struct str class,
	unsigned age, struct s3_rec_reads *out)
{
	struct str key = reads_key(c->arena, b, day, id, class, age), bytes;
	*out = (struct s3_rec_reads){0};
	status s = store_get(c->tx, key, &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	store_delete(c->tx, key);
	return s3_rec_reads_decode(c->arena, bytes, out);
}

struct s3_analysis *s3_analysis_new(struct cloud *cloud)
{
	struct s3_analysis *n = mem_new(sizeof *n);
	n->cloud = cloud;
	pthread_mutex_init(&n->lock, NULL);
	map_init(&n->counts);
	bus_subscribe(cloud->bus, BUS_DONE, "call", answered, n);
	s3_analysis_register(cloud);
	return n;
}

void s3_analysis_free(struct s3_analysis *n)
{
	if (!n) return;
	(void)is_ok(s3_analysis_write(n));
	map_cleanup(&n->counts, free);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
