/* What a state does: topics are published to in the transaction that changes the state; instances are stopped,
 * terminated, rebooted or recovered by a job, because EC2 has transactions of its own; Auto Scaling's policies are its
 * own to carry out (metrics.h). Each is told in the alarm's history, whether it went well or not. */
#include "base/json.h"
#include "call/inside.h"
#include "ec2.h"
#include "services/cloudwatch/alarm.h"
#include "services/sns/door.h"

static const char kind[] = "cloudwatch.action";

static void tell(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, struct str action, struct str error,
	int64_t now_ms)
{
	struct buf b = BUF_IN(a);
	buf_fmt(&b, "{\"actionState\":\"%s\",\"notificationResource\":", str_has(error) ? "Failed" : "Succeeded");
	json_quote(&b, action);
	buf_lit(&b, ",\"stateUpdateTimestamp\":");
	buf_i64(&b, cw_face(alarm).updated->ms);
	if (str_has(error)) {
		buf_lit(&b, ",\"error\":");
		json_quote(&b, error);
	}
	buf_byte(&b, '}');
	cw_history_add(tx, a, alarm, now_ms, "Action",
		str_has(error) ? str_fmt(a, "Failed to execute action %.*s. Received error: \"%.*s\"", STR_ARG(action),
					 STR_ARG(error))
			       : str_fmt(a, "Successfully executed action %.*s", STR_ARG(action)),
		buf_done(&b));
}

/* ── topics ── */

static status publish(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	struct str topic, struct str old_state, int64_t now_ms)
{
	struct cw_face f = cw_face(alarm);
	struct sns_publication p = {
		.topic_arn = topic,
		.message = cw_alarm_message(a, alarm, old_state, now_ms),
		.subject = str_sub(str_fmt(a, "%.*s: \"%.*s\" in %.*s", STR_ARG(*f.state), STR_ARG(f.name),
					   STR_ARG(cw_region_title(alarm->region))),
			0, 100),
		.service = STR("cloudwatch.amazonaws.com"),
		.source_arn = f.arn,
		.source_account = alarm->account,
		.source_owner = alarm->account,
	};
	status s = sns_publish_in(cloud, tx, a, &p);
	struct str error = STR_NONE;
	if (status_is(s, STATUS_NOT_FOUND))
		error = STR("Topic does not exist");
	else if (status_is(s, STATUS_INVALID))
		error = STR("CloudWatch is not authorized to perform: SNS:Publish on the topic");
	else if (status_is(s, STATUS_LIMIT))
		error = STR("FIFO topics are not supported here");
	else
		TRY(s);
	tell(tx, a, alarm, topic, error, now_ms);
	return OK;
}

/* ── instances ── */

static void instance(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, struct str action, int64_t now_ms)
{
	const struct cloudwatch_metric_alarm *m = &alarm->metric;
	struct cloudwatch_rec_action r = {
		alarm->account, alarm->region, m->alarm_name, action, STR_NONE, SOME_BOOL(false)};
	for (size_t i = 0; i < m->dimensions.n; i++)
		if (str_is(m->dimensions.v[i].name, "InstanceId")) r.instance = m->dimensions.v[i].value;
	struct job job = {.kind = str_c(kind),
		.id = str_fmt(a, "%.*s/%.*s/%.*s/%.*s", STR_ARG(alarm->account), STR_ARG(alarm->region),
			STR_ARG(m->alarm_name), STR_ARG(action)),
		.due_ms = now_ms,
		.payload = cloudwatch_rec_action_encode(a, &r)};
	jobs_schedule(tx, &job);
}

static status run_on_instance(
	struct cloud *cloud, struct arena *a, const struct cloudwatch_rec_action *r, struct str *error)
{
	struct inside_caller who = inside_service(a, r->account, r->region, STR("events.amazonaws.com"));
	struct str id = r->instance;
	struct ec2_stop_instances_input stop = {.instance_ids = {&id, 1}};
	struct ec2_terminate_instances_input end = {.instance_ids = {&id, 1}};
	struct ec2_reboot_instances_input reboot = {.instance_ids = {&id, 1}};
	struct inside *i;
	/* A machine of this host that is recovered is the same machine, started anew. */
	if (str_ends(r->action, STR(":ec2:stop")))
		i = inside_run(cloud, &who, "ec2", EC2_OP_STOP_INSTANCES, &stop, NULL);
	else if (str_ends(r->action, STR(":ec2:terminate")))
		i = inside_run(cloud, &who, "ec2", EC2_OP_TERMINATE_INSTANCES, &end, NULL);
	else
		i = inside_run(cloud, &who, "ec2", EC2_OP_REBOOT_INSTANCES, &reboot, NULL);
	if (!i->ok) *error = str_fmt(a, "%.*s: %.*s", STR_ARG(i->code), STR_ARG(i->message));
	inside_free(i);
	return OK;
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct cloudwatch_rec_action r = {0};
	struct cw_alarm alarm;
	struct str error = STR_NONE;
	(void)again_ms;
	TRY(cloudwatch_rec_action_decode(a, job->payload, &r));
	status s = cw_alarm_get(tx, a, r.account, r.region, r.alarm, &alarm);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(run_on_instance(cloud, a, &r, &error));
	tell(tx, a, &alarm, r.action, error, clock_now(cloud->clock));
	return OK;
}

/* ── others ── */

static void offer(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, struct str action,
	struct str old_state, const struct cw_verdict *v, int64_t now_ms, bool repeats)
{
	struct cw_face f = cw_face(alarm);
	bool taken = false;
	struct str error = STR_NONE;
	struct metrics_alarm_action e = {.action = action,
		.alarm_name = f.name,
		.alarm_arn = f.arn,
		.account = alarm->account,
		.region = alarm->region,
		.state = *f.state,
		.old_state = old_state,
		.reason = *f.reason,
		.has_value = v && v->has_value,
		.value = v ? v->value : 0,
		.threshold = alarm->composite ? 0 : alarm->metric.threshold.v,
		.at_ms = now_ms,
		.repeats = repeats,
		.taken = &taken,
		.error = &error};
	struct bus_event event = {METRICS_ALARM_ACTION, alarm->account, alarm->region, &e};
	bus_publish(cloud->bus, BUS_COMMITTING, tx, &event);
	if (repeats) return;
	tell(tx, a, alarm, action, taken ? error : STR("There is no such resource"), now_ms);
}

/* True: a mute rule keeps them quiet. What it keeps is noted in the alarm. */
static status keep_quiet(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, struct str old_state,
	int64_t now_ms, bool repeats, bool *quiet)
{
	struct cw_face f = cw_face(alarm);
	struct str rule = STR("");
	int64_t until;
	TRY(cw_mute_find(tx, a, alarm, f.name, now_ms, &until, &rule));
	*quiet = until > 0;
	if (repeats) return OK;
	alarm->r.muted = SOME_BOOL(*quiet);
	if (!*quiet) return OK;
	alarm->r.old_state = old_state;
	struct buf b = BUF_IN(a);
	buf_lit(&b, "{\"actionState\":\"Muted\",\"muteRule\":");
	json_quote(&b, rule);
	buf_byte(&b, '}');
	cw_history_add(tx, a, alarm, now_ms, "Action",
		str_fmt(a, "Actions muted by alarm mute rule %.*s", STR_ARG(rule)), buf_done(&b));
	return OK;
}

status cw_actions_run(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	struct str old_state, const struct cw_verdict *v, int64_t now_ms, bool repeats)
{
	struct cw_face f = cw_face(alarm);
	const struct cloudwatch_resource_list *l = str_is(*f.state, "ALARM") ? f.alarm
						   : str_is(*f.state, "OK")  ? f.ok
									     : f.insufficient;
	bool quiet = false;
	if (!repeats) alarm->r.muted = SOME_BOOL(false);
	if (!f.actions_enabled || !l->n) return OK;
	TRY(keep_quiet(tx, a, alarm, old_state, now_ms, repeats, &quiet));
	for (size_t i = 0; i < l->n && !quiet; i++) {
		struct str arn = l->v[i];
		bool sns = str_find(arn, STR(":sns:")) > 0, automate = str_find(arn, STR(":automate:")) > 0;
		if (repeats && (sns || automate)) continue;
		if (sns)
			TRY(publish(cloud, tx, a, alarm, arn, old_state, now_ms));
		else if (automate)
			instance(tx, a, alarm, arn, now_ms);
		else
			offer(cloud, tx, a, alarm, arn, old_state, v, now_ms, repeats);
	}
	return OK;
}

status cw_actions_unmute(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	const struct cw_verdict *v, int64_t now_ms, int64_t *until_ms)
{
	struct str rule;
	*until_ms = 0;
	if (!alarm->r.muted.v) return OK;
	TRY(cw_mute_find(tx, a, alarm, cw_face(alarm).name, now_ms, until_ms, &rule));
	if (*until_ms) return OK;
	return cw_actions_run(cloud, tx, a, alarm, alarm->r.old_state, v, now_ms, false);
}

void cw_actions_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, kind, run, cloud);
}
