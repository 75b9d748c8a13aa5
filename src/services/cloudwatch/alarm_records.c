/* Alarms and their history in the store. */
#include "base/rand.h"
#include "services/cloudwatch/alarm.h"

#define TABLES (&wire_service_cloudwatch.tables)
enum { SUMMARY_MAX = 255, DATA_MAX = 4095 };

struct str cw_alarm_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, STR("cloudwatch"), str_c(kind), account, region);
	key_str(&k, name);
	return key_done(&k);
}

struct str cw_alarm_arn(struct arena *a, struct str account, struct str region, struct str name)
{
	const char *partition = str_starts(region, STR("cn-"))       ? "aws-cn"
				: str_starts(region, STR("us-gov-")) ? "aws-us-gov"
								     : "aws";
	return str_fmt(a, "arn:%s:cloudwatch:%.*s:%.*s:alarm:%.*s", partition, STR_ARG(region), STR_ARG(account),
		STR_ARG(name));
}

struct cw_face cw_face(struct cw_alarm *a)
{
	if (a->composite) {
		struct cloudwatch_composite_alarm *w = &a->whole;
		return (struct cw_face){w->alarm_name, w->alarm_arn, w->alarm_description, w->actions_enabled.v,
			&w->ok_actions, &w->alarm_actions, &w->insufficient_data_actions, &w->state_value,
			&w->state_reason, &w->state_reason_data, &w->state_updated_timestamp,
			&w->state_transitioned_timestamp, &w->alarm_configuration_updated_timestamp};
	}
	struct cloudwatch_metric_alarm *m = &a->metric;
	return (struct cw_face){m->alarm_name, m->alarm_arn, m->alarm_description, m->actions_enabled.v, &m->ok_actions,
		&m->alarm_actions, &m->insufficient_data_actions, &m->state_value, &m->state_reason,
		&m->state_reason_data, &m->state_updated_timestamp, &m->state_transitioned_timestamp,
		&m->alarm_configuration_updated_timestamp};
}

static status decode(struct arena *a, struct str bytes, struct str account, struct str region, struct cw_alarm *out)
{
	*out = (struct cw_alarm){.account = account, .region = region};
	TRY(cloudwatch_rec_alarm_decode(a, bytes, &out->r));
	out->composite = out->r.composite.v;
	return out->composite ? wire_json_to(a, TABLES, CLOUDWATCH_SHAPE_COMPOSITE_ALARM, out->r.alarm, &out->whole)
			      : wire_json_to(a, TABLES, CLOUDWATCH_SHAPE_METRIC_ALARM, out->r.alarm, &out->metric);
}

status cw_alarm_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct cw_alarm *out)
{
	struct str bytes;
	TRY(store_get(tx, cw_alarm_key(a, "alarm", account, region, name), &bytes));
	return decode(a, bytes, account, region, out);
}

void cw_alarm_put(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm)
{
	struct str name = cw_face(alarm).name;
	alarm->r.composite = SOME_BOOL(alarm->composite);
	alarm->r.alarm = alarm->composite ? wire_json_of(a, TABLES, CLOUDWATCH_SHAPE_COMPOSITE_ALARM, &alarm->whole)
					  : wire_json_of(a, TABLES, CLOUDWATCH_SHAPE_METRIC_ALARM, &alarm->metric);
	store_put(tx, cw_alarm_key(a, "alarm", alarm->account, alarm->region, name),
		cloudwatch_rec_alarm_encode(a, &alarm->r));
	if (alarm->composite) store_put(tx, cw_alarm_key(a, "composite", alarm->account, alarm->region, name), STR(""));
}

status cw_alarms_of(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str prefix,
	struct cw_alarms *out)
{
	struct str space = cw_key(a, "alarm", account, region), key, value, from = key_with_prefix(a, space, prefix);
	status s = OK;
	struct store_scan *scan = store_scan_begin(tx, from, key_after_prefix(a, from), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = decode(a, str_dup(a, value), account, region, VEC_PUSH(a, out, &out->capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

void cw_history_add(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, int64_t now_ms, const char *type,
	struct str summary, struct str data)
{
	struct cw_face f = cw_face(alarm);
	struct cloudwatch_rec_history h = {f.name, SOME_BOOL(alarm->composite), SOME_TIME(now_ms), str_c(type),
		str_sub(summary, 0, SUMMARY_MAX), str_sub(data, 0, DATA_MAX)};
	struct key k = key_begin(a);
	key_append(&k, cw_alarm_key(a, "history", alarm->account, alarm->region, f.name));
	key_i64(&k, now_ms);
	/* Several of one instant keep their order within a run; the number is only there to tell them apart. */
	key_u64(&k, (uint64_t)clock_monotonic_us());
	key_u64(&k, rand_u64());
	store_put(tx, key_done(&k), cloudwatch_rec_history_encode(a, &h));
}

static struct job job_of(struct arena *a, const struct cw_alarm *alarm)
{
	struct str name = alarm->composite ? alarm->whole.alarm_name : alarm->metric.alarm_name;
	return (struct job){.kind = STR("cloudwatch.alarm"),
		.id = str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(alarm->account), STR_ARG(alarm->region), STR_ARG(name)),
		.payload = STR("")};
}

void cw_alarm_schedule(struct store_tx *tx, struct arena *a, const struct cw_alarm *alarm, int64_t due_ms)
{
	struct job job = job_of(a, alarm);
	job.due_ms = due_ms;
	jobs_schedule(tx, &job);
}

void cw_alarm_unschedule(struct store_tx *tx, struct arena *a, const struct cw_alarm *alarm)
{
	struct job job = job_of(a, alarm);
	jobs_cancel(tx, job.kind, job.id);
}
