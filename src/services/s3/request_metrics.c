/* Request metrics ("Metrics and dimensions", "CloudWatch metrics configurations", Amazon S3 User Guide): of each
 * request to a bucket with metrics configurations, by the configurations whose filter it passes, in minutes. A bucket
 * without one costs nothing; of one that has them they are kept in memory, read anew when the bucket's record tells
 * another revision; the counts are CloudWatch's notes (metrics.h), which cost no commit. */
#include "base/map.h"
#include "base/vec.h"
#include "services/cloudwatch/metrics.h"
#include "services/s3/headers.h"
#include "services/s3/noted.h"
#include "services/s3/point.h"
#include "services/s3/sse.h"
#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS_KEPT = 4096, METRIC_MS_MAX = 3600000 };

/* One configuration; all of its filter has to be fulfilled. */
struct wanted {
	struct str id, prefix, point_arn;
	struct s3_tag *tags;
	size_t n_tags;
	bool filters;
};
struct kept {
	struct arena arena;
	int64_t revision;
	struct wanted *v;
	size_t n;
	bool by_tags, by_points;
};
struct s3_request_metrics {
	struct cloud *cloud;
	pthread_rwlock_t lock;
	struct map buckets; /* of struct kept, by the bucket's id */
};

static void kept_free(void *p)
{
	struct kept *k = p;
	arena_cleanup(&k->arena);
	free(k);
}

static struct str map_key(const struct s3_rec_bucket *b)
{
	return str_n((const char *)&b->id.v, sizeof b->id.v);
}

/* ── the configurations ── */

static void add(struct kept *k, const struct s3_metrics_configuration *conf, size_t *capacity)
{
	const struct s3_metrics_filter *f = conf->filter;
	struct wanted *w = VEC_PUSH(&k->arena, k, capacity);
	*w = (struct wanted){.id = conf->id, .prefix = STR_NONE, .point_arn = STR_NONE, .filters = f != NULL};
	if (!f) return;
	w->prefix = f->and ? f->and->prefix : f->prefix;
	w->point_arn = f->and ? f->and->access_point_arn : f->access_point_arn;
	w->tags = f->and ? f->and->tags.v : f->tag;
	w->n_tags = f->and ? f->and->tags.n : f->tag != NULL;
	k->by_tags |= w->n_tags > 0;
	k->by_points |= str_has(w->point_arn);
}

static status load(struct store_tx *tx, const struct s3_rec_bucket *b, struct kept *k)
{
	struct str from = s3_config_space(&k->arena, b, S3_CONFIG_METRICS), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(&k->arena, from), false);
	size_t capacity = 0;
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct s3_put_bucket_metrics_configuration_input in = {0};
		s = s3_config_decode(&k->arena, S3_CONFIG_METRICS, str_dup(&k->arena, value), &in);
		if (is_ok(s)) add(k, in.metrics_configuration, &capacity);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

/* Makes what is kept of the bucket that of its record. */
static void refresh(struct s3_request_metrics *m, struct store_tx *tx, const struct s3_rec_bucket *b)
{
	struct kept *k = mem_new(sizeof *k);
	arena_init(&k->arena);
	k->revision = b->metrics_revision.v;
	if (!is_ok(load(tx, b, k))) {
		kept_free(k);
		return;
	}
	pthread_rwlock_wrlock(&m->lock);
	if (m->buckets.count >= BUCKETS_KEPT) {
		map_cleanup(&m->buckets, kept_free);
		map_init(&m->buckets);
	}
	struct kept *old = map_set(&m->buckets, map_key(b), k);
	pthread_rwlock_unlock(&m->lock);
	if (old) kept_free(old);
}

void s3_request_metrics_note(struct call *c, struct store_tx *tx, struct s3_noted *n)
{
	struct s3_request_metrics *m = s3_state_of(c->cloud)->request_metrics;
	const struct s3_rec_bucket *b = &n->bucket;
	pthread_rwlock_rdlock(&m->lock);
	struct kept *k = map_get(&m->buckets, map_key(b));
	bool known = k && k->revision == b->metrics_revision.v;
	bool by_tags = known && k->by_tags, by_points = known && k->by_points;
	pthread_rwlock_unlock(&m->lock);
	if (!known) {
		refresh(m, tx, b);
		by_tags = by_points = true; /* it may be; the next request knows */
	}
	struct str key = s3_noted_label(c, "Key"), name = s3_noted_label(c, "Bucket"), bytes;
	struct s3_rec_object o = {0};
	struct s3_rec_point p;
	if (by_tags && str_has(key) && is_ok(store_peek(tx, s3_key_object(c->arena, b, key), &bytes)) &&
		is_ok(s3_rec_object_decode(c->arena, bytes, &o)))
		n->tags = o.tags;
	if (by_points && str_has(name) && !str_eq(name, b->name) &&
		is_ok(s3_point_find(tx, c->arena, b->region, name, &p)))
		n->point_arn = s3_point_arn(c->arena, c->partition, &p);
}

/* ── what a request is ── */

static bool lists(uint32_t op)
{
	return op == S3_OP_LIST_OBJECTS || op == S3_OP_LIST_OBJECTS_V2 || op == S3_OP_LIST_OBJECT_VERSIONS ||
	       op == S3_OP_LIST_MULTIPART_UPLOADS || op == S3_OP_LIST_PARTS;
}

/* The metric that counts requests of its kind; NULL: only AllRequests does. */
static const char *kind_of(const struct call *c, bool on_object)
{
	struct str method = c->http->method;
	uint32_t op = c->match.op_index;
	if (lists(op)) return "ListRequests";
	if (op == S3_OP_SELECT_OBJECT_CONTENT) return "SelectRequests";
	if (op == S3_OP_DELETE_OBJECTS) return "DeleteRequests";
	if (str_is(method, "HEAD")) return "HeadRequests";
	if (str_is(method, "POST")) return "PostRequests";
	if (!on_object) return NULL;
	if (str_is(method, "GET")) return "GetRequests";
	if (str_is(method, "PUT")) return "PutRequests";
	return str_is(method, "DELETE") ? "DeleteRequests" : NULL;
}

static uint64_t uploaded(const struct call *c)
{
	uint64_t n;
	struct str said = call_request_header(c, STR("x-amz-decoded-content-length"));
	if (str_has(said) && is_ok(str_to_u64(said, &n))) return n;
	return c->http->content_length > 0 ? (uint64_t)c->http->content_length : 0;
}

struct request {
	struct call *c;
	const struct s3_noted *noted;
	struct str key;
	const char *kind;
	struct s3_rec_tags given; /* by the request itself: the object's from now on */
	uint64_t bytes_up, bytes_down;
	double took_ms;
};

/* "Only requests that operate on single objects can match the filter"; a configuration without one counts all. */
static bool passes(const struct request *r, const struct wanted *w)
{
	if (!w->filters) return true;
	if (!str_has(r->key)) return false;
	if (str_has(w->prefix) && !str_starts(r->key, w->prefix)) return false;
	if (str_has(w->point_arn) && !str_eq(w->point_arn, r->noted->point_arn)) return false;
	for (size_t i = 0; i < w->n_tags; i++)
		if (!s3_tags_hold(&r->noted->tags, &w->tags[i]) && !s3_tags_hold(&r->given, &w->tags[i])) return false;
	return true;
}

static void put(const struct request *r, struct metric_note *n, const char *name, const char *unit, double value)
{
	n->name = str_c(name);
	n->unit = unit;
	n->value = value;
	metrics_note(r->c->cloud, n);
}

static void count(const struct request *r, const struct wanted *w)
{
	const struct s3_rec_bucket *b = &r->noted->bucket;
	unsigned code = r->c->answered_code;
	struct metric_note n = {.account = b->owner,
		.region = b->region,
		.space = STR("AWS/S3"),
		.dimensions = {{STR("BucketName"), b->name}, {STR("FilterId"), w->id}},
		.n_dimensions = 2,
		.at_ms = r->c->now_ms};
	put(r, &n, "AllRequests", "Count", 1);
	if (r->kind) put(r, &n, r->kind, "Count", 1);
	if (r->bytes_down) put(r, &n, "BytesDownloaded", "Bytes", (double)r->bytes_down);
	if (r->bytes_up) put(r, &n, "BytesUploaded", "Bytes", (double)r->bytes_up);
	/* 0 or 1 of each request: their average is the rate. */
	put(r, &n, "4xxErrors", "Count", code >= 400 && code < 500);
	put(r, &n, "5xxErrors", "Count", code >= 500);
	put(r, &n, "FirstByteLatency", "Milliseconds", r->took_ms);
	put(r, &n, "TotalRequestLatency", "Milliseconds", r->took_ms);
}

/* In the thread that answers: nothing here waits for anything but the memory. */
static void answered(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct s3_request_metrics *m = ctx;
	struct call *c;
	(void)phase;
	(void)tx;
	memcpy(&c, &e->detail, sizeof(struct call *));
	const struct s3_noted *n = s3_noted(c);
	if (!n || !s3_config_may(&n->bucket, S3_CONFIG_METRICS)) return;
	struct request r = {.c = c, .noted = n, .key = s3_noted_label(c, "Key"), .bytes_down = c->answered_bytes};
	struct str tagging = call_request_header(c, STR("x-amz-tagging"));
	int64_t took_ms = clock_now(m->cloud->clock) - c->now_ms;
	if (str_has(tagging) && c->answered_code < 300 && !is_ok(s3_headers_tags(c, tagging, &r.given)))
		r.given = (struct s3_rec_tags){0};
	r.kind = kind_of(c, str_has(r.key));
	r.bytes_up = uploaded(c);
	/* The clock may have been moved meanwhile. */
	r.took_ms = took_ms > 0 && took_ms < METRIC_MS_MAX ? (double)took_ms : 0;
	pthread_rwlock_rdlock(&m->lock);
	const struct kept *k = map_get(&m->buckets, map_key(&n->bucket));
	for (size_t i = 0; k && i < k->n; i++)
		if (passes(&r, &k->v[i])) count(&r, &k->v[i]);
	pthread_rwlock_unlock(&m->lock);
}

struct s3_request_metrics *s3_request_metrics_new(struct cloud *cloud)
{
	struct s3_request_metrics *m = mem_new(sizeof *m);
	m->cloud = cloud;
	pthread_rwlock_init(&m->lock, NULL);
	map_init(&m->buckets);
	bus_subscribe(cloud->bus, BUS_DONE, "call", answered, m);
	return m;
}

void s3_request_metrics_free(struct s3_request_metrics *m)
{
	if (!m) return;
	map_cleanup(&m->buckets, kept_free);
	pthread_rwlock_destroy(&m->lock);
	free(m);
}
