/* Metrics of replication ("Monitoring replication with metrics, event notifications, and statuses"): bytes and
 * operations that are pending, and how far the destination is behind, by rule, each minute; and operations that failed.
 * What is pending is kept in ("s3", "replicating", bucket id, job's id), so that the minute's job can count it. */
#include "base/vec.h"
#include "call/inside.h"
#include "services/cloudwatch/metrics.h"
#include "services/s3/replicate.h"

static const char metrics_kind[] = "s3.replication-metrics";
static const int64_t minute_ms = 60000;

static struct str pending_key(struct arena *a, int64_t bucket_id, struct str id)
{
	struct s3_rec_bucket b = {.id = SOME_I64(bucket_id)};
	struct key k = s3_key_space(a, STR("replicating"), &b);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

void s3_replication_pending(struct call *c, const struct s3_rec_replication *r, struct str id)
{
	if (!r->metrics.v) return;
	store_put(c->tx, pending_key(c->arena, r->bucket_id.v, id), s3_rec_replication_encode(c->arena, r));
}

static status load_pending(struct call *c, struct str key, struct s3_rec_replication *out)
{
	struct str bytes;
	*out = (struct s3_rec_replication){0};
	TRY(store_get(c->tx, key, &bytes));
	return s3_rec_replication_decode(c->arena, bytes, out);
}

status s3_replication_arrived(struct call *c, const struct s3_rec_replication *r, struct str id, bool *missed)
{
	struct str key = pending_key(c->arena, r->bucket_id.v, id);
	struct s3_rec_replication p;
	*missed = false;
	if (!r->metrics.v) return OK;
	status s = load_pending(c, key, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	*missed = p.missed.v;
	store_delete(c->tx, key);
	return OK;
}

status s3_replication_miss(struct call *c, int64_t bucket_id, struct str id, struct s3_rec_replication *out)
{
	struct str key = pending_key(c->arena, bucket_id, id);
	TRY(load_pending(c, key, out));
	out->missed = SOME_BOOL(true);
	store_put(c->tx, key, s3_rec_replication_encode(c->arena, out));
	return OK;
}

/* A metric of the rule, in the source bucket's account and region. */
static struct metric *metric_of(
	struct arena *a, const struct s3_rec_bucket *b, struct str destination, struct str rule, const char *name)
{
	struct metric_dimension *d = arena_new_n(a, struct metric_dimension, 3);
	struct metric *m = arena_new(a, struct metric);
	d[0] = (struct metric_dimension){STR("SourceBucket"), b->name};
	d[1] = (struct metric_dimension){STR("DestinationBucket"), destination};
	d[2] = (struct metric_dimension){STR("RuleId"), rule};
	*m = (struct metric){.account = b->owner,
		.region = b->region,
		.space = STR("AWS/S3"),
		.name = str_c(name),
		.dimensions = d,
		.n_dimensions = 3};
	return m;
}

status s3_replication_ended(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_replication *r, bool failed)
{
	int64_t took_ms = c->now_ms - r->since.ms;
	struct metric_point p[2] = {
		{.metric = metric_of(c->arena, b, r->destination, r->rule, "ReplicationLatency"),
			.at_ms = c->now_ms,
			.unit = "Seconds",
			.value = (double)(took_ms > 0 ? took_ms : 0) / 1000},
		{.metric = metric_of(c->arena, b, r->destination, r->rule, "OperationsFailedReplication"),
			.at_ms = c->now_ms,
			.unit = "Count",
			.value = 1},
	};
	/* "OperationsFailedReplication": what failed is behind for ever, and no measure of latency. */
	return metrics_put_in(c->tx, c->arena, failed ? p + 1 : p, 1, c->now_ms);
}

/* ── each minute ── */

struct gauge {
	struct str destination, rule;
	double bytes, operations, behind_s;
};
struct gauges {
	struct gauge *v;
	size_t n;
};

static bool measured(const struct s3_replication_rule *r)
{
	const struct s3_metrics *m = r->destination ? r->destination->metrics : NULL;
	return str_is(r->status, "Enabled") && m && str_is(m->status, "Enabled");
}

static void add_rules(struct arena *a, const struct s3_replication_rules *rules, struct gauges *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < rules->n; i++)
		if (measured(&rules->v[i]))
			*VEC_PUSH(a, out, &capacity) =
				(struct gauge){.destination = s3_replication_bucket(rules->v[i].destination->bucket),
					.rule = s3_replication_rule_id(a, rules, i)};
}

static status count(struct call *c, const struct s3_rec_bucket *b, struct gauges *g)
{
	struct str from = pending_key(c->arena, b->id.v, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct arena a;
		struct s3_rec_replication r = {0};
		arena_init(&a);
		s = s3_rec_replication_decode(&a, str_dup(&a, value), &r);
		for (size_t i = 0; is_ok(s) && i < g->n; i++) {
			if (!str_eq(g->v[i].rule, r.rule) || !str_eq(g->v[i].destination, r.destination)) continue;
			double behind_s = (double)(c->now_ms - r.since.ms) / 1000;
			g->v[i].operations++;
			g->v[i].bytes += (double)r.size.v;
			if (behind_s > g->v[i].behind_s) g->v[i].behind_s = behind_s;
		}
		arena_cleanup(&a);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

static status publish(struct call *c, const struct s3_rec_bucket *b, const struct gauges *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct gauge *v = &g->v[i];
		struct metric_point p[3] = {
			{.metric = metric_of(c->arena, b, v->destination, v->rule, "BytesPendingReplication"),
				.at_ms = c->now_ms,
				.unit = "Bytes",
				.value = v->bytes},
			{.metric = metric_of(c->arena, b, v->destination, v->rule, "OperationsPendingReplication"),
				.at_ms = c->now_ms,
				.unit = "Count",
				.value = v->operations},
			{.metric = metric_of(c->arena, b, v->destination, v->rule, "ReplicationLatency"),
				.at_ms = c->now_ms,
				.unit = "Seconds",
				.value = v->behind_s},
		};
		TRY(metrics_put_in(c->tx, c->arena, p, 3, c->now_ms));
	}
	return OK;
}

static status measure(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct s3_rec_bucket was = {0}, b;
	struct s3_put_bucket_replication_input conf;
	struct gauges g = {0};
	TRY(s3_rec_bucket_decode(a, job->payload, &was));
	status s = s3_bucket_by_name(tx, a, was.name, &b, NULL);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && b.id.v != was.id.v)) return OK;
	TRY(s);
	struct call *c = call_for_job(a, cloud, tx, b.owner, b.region, STR("s3.amazonaws.com"));
	s = s3_config_get(c, &b, S3_CONFIG_REPLICATION, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	add_rules(a, &conf.replication_configuration->rules, &g);
	if (!g.n) return OK;
	TRY(count(c, &b, &g));
	TRY(publish(c, &b, &g));
	*again_ms = (c->now_ms / minute_ms + 1) * minute_ms;
	return OK;
}

void s3_replication_measure(struct call *c, const struct s3_rec_bucket *b, const struct s3_replication_rules *rules)
{
	bool any = false;
	for (size_t i = 0; i < rules->n; i++) any |= measured(&rules->v[i]);
	if (!any) return;
	struct job job = {.kind = str_c(metrics_kind),
		.id = str_fmt(c->arena, "%llx", (unsigned long long)b->id.v),
		.due_ms = (c->now_ms / minute_ms + 1) * minute_ms,
		.payload = s3_rec_bucket_encode(c->arena, b)};
	jobs_schedule(c->tx, &job);
}

void s3_replication_metrics_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, metrics_kind, measure, cloud);
}
