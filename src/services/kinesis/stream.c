/* Streams: made, described, listed, deleted; their retention, modes, limits and monitoring. What AWS does in seconds
 * while a stream is CREATING, UPDATING or DELETING is done here with the answer. */
#include "base/rand.h"
#include "services/kinesis/room.h"

static status limit_on_demand(struct call *c)
{
	struct kinesis_usage u;
	TRY(kinesis_usage(c, &u));
	if (u.on_demand < KINESIS_ON_DEMAND_MAX) return OK;
	return KINESIS_FAIL(c, LIMIT_EXCEEDED,
		"This request would exceed the on-demand stream limit for the account %.*s in %.*s. Limit: %d.",
		STR_ARG(c->account), STR_ARG(c->region), KINESIS_ON_DEMAND_MAX);
}

status kinesis_create_stream(struct call *c, const struct kinesis_create_stream_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	bool on_demand = in->stream_mode_details && str_is(in->stream_mode_details->stream_mode, "ON_DEMAND");
	int shards = on_demand ? KINESIS_ON_DEMAND_SHARDS : in->shard_count.v;
	if (on_demand && in->shard_count.has)
		return call_fail(c, ERR_VALIDATION, "ShardCount must not be provided for a stream in On-Demand mode.");
	if (!on_demand && !in->shard_count.has)
		return call_fail(c, ERR_VALIDATION, "ShardCount must be provided for a stream in Provisioned mode.");
	if (in->warm_throughput_mi_bps.has)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"WarmThroughputMiBps needs On-demand Advantage mode, which is not enabled for this account.");
	status st = kinesis_stream_get(c->tx, c->arena, c->account, c->region, in->stream_name, &s);
	if (is_ok(st))
		return KINESIS_FAIL(c, RESOURCE_IN_USE, "Stream %.*s under account %.*s already exists.",
			STR_ARG(in->stream_name), STR_ARG(c->account));
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	TRY(on_demand ? limit_on_demand(c) : kinesis_limit_shards(c, shards));
	s = (struct kinesis_rec_stream){
		.id = SOME_I64((int64_t)(rand_u64() >> 1)),
		.name = in->stream_name,
		.account = c->account,
		.region = c->region,
		.partition = c->partition,
		.created = SOME_TIME(c->now_ms / 1000 * 1000),
		.on_demand = SOME_BOOL(on_demand),
		.retention_hours = SOME_I32(KINESIS_RETENTION_MIN),
		.next_shard = SOME_I64(0),
		.open_shards = SOME_I32(0),
		.max_record_kib =
			SOME_I32(in->max_record_size_in_ki_b.has ? in->max_record_size_in_ki_b.v : KINESIS_RECORD_KIB),
	};
	TRY(kinesis_tags_set(c, &s.tags, &in->tags));
	kinesis_shards_even(c->tx, c->arena, &s, shards, c->now_ms);
	kinesis_stream_put(c->tx, c->arena, &s);
	kinesis_trim_begin(c->tx, c->arena, &s, c->now_ms + KINESIS_RETENTION_MIN * 3600ll * 1000);
	return OK;
}

status kinesis_delete_stream(struct call *c, const struct kinesis_delete_stream_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	int32_t consumers;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(kinesis_consumer_count(c->tx, c->arena, (uint64_t)s.id.v, &consumers));
	if (consumers && !in->enforce_consumer_deletion.v)
		return KINESIS_FAIL(c, RESOURCE_IN_USE,
			"Stream %.*s under account %.*s has registered consumers. Deregister them, or set "
			"EnforceConsumerDeletion "
			"to true.",
			STR_ARG(s.name), STR_ARG(s.account));
	kinesis_stream_drop(c->tx, c->arena, &s);
	kinesis_reads_forget(c->state, (uint64_t)s.id.v);
	/* The shards, records and consumers are removed by the job that finds the stream gone. */
	kinesis_trim_begin(c->tx, c->arena, &s, c->now_ms);
	return OK;
}

static struct kinesis_stream_mode_details *mode_of(struct arena *a, const struct kinesis_rec_stream *s)
{
	struct kinesis_stream_mode_details *m = arena_new(a, struct kinesis_stream_mode_details);
	m->stream_mode = s->on_demand.v ? STR("ON_DEMAND") : STR("PROVISIONED");
	return m;
}

static struct kinesis_enhanced_monitoring_list monitoring_of(struct arena *a, const struct kinesis_rec_stream *s)
{
	struct kinesis_enhanced_metrics *m = arena_new(a, struct kinesis_enhanced_metrics);
	m->shard_level_metrics.v = s->metrics.v;
	m->shard_level_metrics.n = s->metrics.n;
	VEC_PRESENT(a, &m->shard_level_metrics);
	return (struct kinesis_enhanced_monitoring_list){m, 1};
}

/* What shards a page shows: those behind `after`, `limit` of them. */
status kinesis_describe_stream(
	struct call *c, const struct kinesis_describe_stream_input *in, struct kinesis_describe_stream_output *out)
{
	struct kinesis_rec_stream s;
	struct kinesis_shards all;
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, capacity = 0;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(kinesis_shards_of(c->tx, c->arena, (uint64_t)s.id.v, &all));
	struct kinesis_stream_description *d = out->stream_description =
		arena_new(c->arena, struct kinesis_stream_description);
	*d = (struct kinesis_stream_description){
		.stream_name = s.name,
		.stream_arn = kinesis_arn(c->arena, &s),
		.stream_status = STR("ACTIVE"),
		.stream_mode_details = mode_of(c->arena, &s),
		.retention_period_hours = SOME_I32(s.retention_hours.v),
		.stream_creation_timestamp = SOME_TIME(s.created.ms),
		.enhanced_monitoring = monitoring_of(c->arena, &s),
		.encryption_type = str_has(s.key) ? STR("KMS") : STR("NONE"),
		.key_id = s.key,
		.has_more_shards = SOME_BOOL(false),
	};
	VEC_PRESENT(c->arena, &d->shards);
	for (size_t i = 0; i < all.n; i++) {
		if (str_has(in->exclusive_start_shard_id) &&
			str_cmp(kinesis_shard_id(c->arena, all.v[i].number.v), in->exclusive_start_shard_id) <= 0)
			continue;
		if (d->shards.n == limit) {
			d->has_more_shards.v = true;
			break;
		}
		kinesis_shard_out(c->arena, &all.v[i], VEC_PUSH(c->arena, &d->shards, &capacity));
	}
	return OK;
}

status kinesis_describe_stream_summary(struct call *c, const struct kinesis_describe_stream_summary_input *in,
	struct kinesis_describe_stream_summary_output *out)
{
	struct kinesis_rec_stream s;
	int32_t consumers;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(kinesis_consumer_count(c->tx, c->arena, (uint64_t)s.id.v, &consumers));
	out->stream_description_summary = arena_new(c->arena, struct kinesis_stream_description_summary);
	*out->stream_description_summary = (struct kinesis_stream_description_summary){
		.stream_name = s.name,
		.stream_arn = kinesis_arn(c->arena, &s),
		.stream_status = STR("ACTIVE"),
		.stream_mode_details = mode_of(c->arena, &s),
		.retention_period_hours = SOME_I32(s.retention_hours.v),
		.stream_creation_timestamp = SOME_TIME(s.created.ms),
		.enhanced_monitoring = monitoring_of(c->arena, &s),
		.encryption_type = str_has(s.key) ? STR("KMS") : STR("NONE"),
		.key_id = s.key,
		.open_shard_count = SOME_I32(s.open_shards.v),
		.consumer_count = SOME_I32(consumers),
		.max_record_size_in_ki_b = SOME_I32(s.max_record_kib.v),
	};
	return OK;
}

status kinesis_list_streams(
	struct call *c, const struct kinesis_list_streams_input *in, struct kinesis_list_streams_output *out)
{
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, names = 0, summaries = 0;
	struct str prefix = kinesis_stream_prefix(c->arena, c->account, c->region), from = prefix, key, value,
		   after = str_or(in->exclusive_start_stream_name, STR_NONE);
	if (str_has(in->next_token) && !is_ok(str_unbase64(c->arena, in->next_token, &after)))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid NextToken: %.*s", STR_ARG(in->next_token));
	if (str_has(after)) {
		struct key k = key_begin(c->arena);
		key_append(&k, prefix);
		key_str(&k, after);
		from = key_next(c->arena, key_done(&k));
	}
	VEC_PRESENT(c->arena, &out->stream_names);
	VEC_PRESENT(c->arena, &out->stream_summaries);
	out->has_more_streams = SOME_BOOL(false);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, prefix), false);
	status st = OK;
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct kinesis_rec_stream s = {0};
		if (out->stream_names.n == limit) {
			out->has_more_streams.v = true;
			out->next_token = str_base64(c->arena, out->stream_names.v[limit - 1]);
			break;
		}
		st = kinesis_rec_stream_decode(c->arena, str_dup(c->arena, value), &s);
		*VEC_PUSH(c->arena, &out->stream_names, &names) = s.name;
		*VEC_PUSH(c->arena, &out->stream_summaries, &summaries) =
			(struct kinesis_stream_summary){.stream_name = s.name,
				.stream_arn = kinesis_arn(c->arena, &s),
				.stream_status = STR("ACTIVE"),
				.stream_mode_details = mode_of(c->arena, &s),
				.stream_creation_timestamp = SOME_TIME(s.created.ms)};
	}
	status ended = store_scan_end(scan);
	TRY(st);
	return ended;
}

/* ── retention: "Change the data retention period", the guide ── */

static status check_retention(struct call *c, int32_t hours)
{
	if (hours < KINESIS_RETENTION_MIN)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too "
			"short.",
			KINESIS_RETENTION_MIN, hours);
	if (hours > KINESIS_RETENTION_MAX)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too "
			"long.",
			KINESIS_RETENTION_MAX, hours);
	return OK;
}

static status set_retention(struct call *c, struct str name, struct str arn, int32_t hours, bool up)
{
	struct kinesis_rec_stream s;
	TRY(kinesis_find(c, name, arn, &s));
	TRY(check_retention(c, hours));
	if (up ? hours < s.retention_hours.v : hours > s.retention_hours.v)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"Requested retention period (%d hours) for stream %.*s can not be %s than existing retention "
			"period (%d hours). "
			"Use %sRetentionPeriod API.",
			hours, STR_ARG(s.name), up ? "shorter" : "longer", s.retention_hours.v,
			up ? "Decrease" : "Increase");
	s.retention_hours = SOME_I32(hours);
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

status kinesis_increase_stream_retention_period(
	struct call *c, const struct kinesis_increase_stream_retention_period_input *in, struct wire_nothing *out)
{
	(void)out;
	return set_retention(c, in->stream_name, in->stream_arn, in->retention_period_hours.v, true);
}

status kinesis_decrease_stream_retention_period(
	struct call *c, const struct kinesis_decrease_stream_retention_period_input *in, struct wire_nothing *out)
{
	(void)out;
	return set_retention(c, in->stream_name, in->stream_arn, in->retention_period_hours.v, false);
}

/* ── modes, sizes, limits ── */

status kinesis_update_stream_mode(
	struct call *c, const struct kinesis_update_stream_mode_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	bool on_demand = str_is(in->stream_mode_details->stream_mode, "ON_DEMAND");
	TRY(kinesis_find(c, STR_NONE, in->stream_arn, &s));
	if (in->warm_throughput_mi_bps.has)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"WarmThroughputMiBps needs On-demand Advantage mode, which is not enabled for this account.");
	if (on_demand == s.on_demand.v) return OK;
	/* "For each data stream …, you can switch between the on-demand and provisioned modes twice within 24 hours."
	 */
	if (kinesis_often(c, &s.modes_changed, 2))
		return KINESIS_FAIL(c, LIMIT_EXCEEDED,
			"Stream %.*s under account %.*s has changed its stream mode twice within 24 hours.",
			STR_ARG(s.name), STR_ARG(s.account));
	TRY(on_demand ? limit_on_demand(c) : kinesis_limit_shards(c, s.open_shards.v));
	s.on_demand = SOME_BOOL(on_demand);
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

status kinesis_update_max_record_size(
	struct call *c, const struct kinesis_update_max_record_size_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	TRY(kinesis_find(c, STR_NONE, in->stream_arn, &s));
	s.max_record_kib = SOME_I32(in->max_record_size_in_ki_b.v);
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

status kinesis_describe_limits(
	struct call *c, const struct kinesis_describe_limits_input *in, struct kinesis_describe_limits_output *out)
{
	(void)in;
	struct kinesis_usage u;
	TRY(kinesis_usage(c, &u));
	out->shard_limit = SOME_I32(kinesis_shards_max(c->region));
	out->open_shard_count = SOME_I32((int32_t)u.shards);
	out->on_demand_stream_count = SOME_I32(u.on_demand);
	out->on_demand_stream_count_limit = SOME_I32(KINESIS_ON_DEMAND_MAX);
	return OK;
}

/* ── enhanced monitoring: shard-level metrics ("Monitor … with Amazon CloudWatch", the guide) ── */

static const char *const metrics[] = {"IncomingBytes", "IncomingRecords", "IteratorAgeMilliseconds", "OutgoingBytes",
	"OutgoingRecords", "ReadProvisionedThroughputExceeded", "WriteProvisionedThroughputExceeded"};

static bool names(const struct str *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], name) || str_is(v[i], "ALL")) return true;
	return false;
}

static status set_monitoring(struct call *c, struct str name, struct str arn,
	const struct kinesis_metrics_name_list *asked, bool enable, struct kinesis_enhanced_monitoring_output *out)
{
	struct kinesis_rec_stream s;
	size_t capacity = 0;
	TRY(kinesis_find(c, name, arn, &s));
	struct kinesis_rec_names now = {0};
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		struct str m = str_c(metrics[i]);
		bool had = names(s.metrics.v, s.metrics.n, m), hit = names(asked->v, asked->n, m);
		if (enable ? had || hit : had && !hit) *VEC_PUSH(c->arena, &now, &capacity) = m;
	}
	out->stream_name = s.name;
	out->stream_arn = kinesis_arn(c->arena, &s);
	out->current_shard_level_metrics = (struct kinesis_metrics_name_list){s.metrics.v, s.metrics.n};
	out->desired_shard_level_metrics = (struct kinesis_metrics_name_list){now.v, now.n};
	VEC_PRESENT(c->arena, &out->current_shard_level_metrics);
	VEC_PRESENT(c->arena, &out->desired_shard_level_metrics);
	s.metrics = now;
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

status kinesis_enable_enhanced_monitoring(struct call *c, const struct kinesis_enable_enhanced_monitoring_input *in,
	struct kinesis_enable_enhanced_monitoring_output *out)
{
	return set_monitoring(c, in->stream_name, in->stream_arn, &in->shard_level_metrics, true, out);
}

status kinesis_disable_enhanced_monitoring(struct call *c, const struct kinesis_disable_enhanced_monitoring_input *in,
	struct kinesis_disable_enhanced_monitoring_output *out)
{
	return set_monitoring(c, in->stream_name, in->stream_arn, &in->shard_level_metrics, false, out);
}
