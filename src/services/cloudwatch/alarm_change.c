/* SetAlarmState, EnableAlarmActions, DisableAlarmActions, DeleteAlarms. */
#include "base/json.h"
#include "services/cloudwatch/alarm.h"

static status find(struct call *c, struct str name, struct cw_alarm *out)
{
	status s = cw_alarm_get(c->tx, c->arena, c->account, c->region, name, out);
	return status_is(s, STATUS_NOT_FOUND)
		       ? CW_FAIL(c, RESOURCE_NOT_FOUND, "The named resource %.*s does not exist.", STR_ARG(name))
		       : s;
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

/* "The state change is temporary: the alarm returns to its actual state, often within seconds", with its next
 * evaluation. */
status cloudwatch_set_alarm_state(struct call *c, const struct cloudwatch_set_alarm_state_input *in,
	struct cloudwatch_set_alarm_state_output *out)
{
	struct cw_alarm alarm;
	struct json_value *json;
	(void)out;
	TRY(find(c, in->alarm_name, &alarm));
	if (str_has(in->state_reason_data) && !is_ok(json_read(c->arena, in->state_reason_data, &json)))
		return CW_FAIL(c, INVALID_FORMAT_FAULT, "StateReasonData must be JSON.");
	struct cw_verdict v = {.state = in->state_value, .reason = in->state_reason, .data = in->state_reason_data};
	TRY(cw_alarm_settle(c->cloud, c->tx, c->arena, &alarm, &v, c->now_ms));
	if (alarm.composite && alarm.r.pending.v) {
		TRY(cw_actions_run(c->cloud, c->tx, c->arena, &alarm, alarm.r.old_state, &v, c->now_ms, false));
		alarm.r.pending = SOME_BOOL(false);
		cw_alarm_put(c->tx, c->arena, &alarm);
	}
	cw_alarm_schedule(c->tx, c->arena, &alarm, c->now_ms - c->now_ms % 60000 + 60000);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

static status enable(struct call *c, const struct cloudwatch_alarm_names *names, bool on)
{
	for (size_t i = 0; i < names->n; i++) {
		struct cw_alarm alarm;
		TRY(find(c, names->v[i], &alarm));
		if (alarm.composite)
			alarm.whole.actions_enabled = SOME_BOOL(on);
		else
			alarm.metric.actions_enabled = SOME_BOOL(on);
		cw_alarm_put(c->tx, c->arena, &alarm);
		cw_history_add(c->tx, c->arena, &alarm, c->now_ms, "ConfigurationUpdate",
			str_fmt(c->arena, "Alarm \"%.*s\" updated", STR_ARG(names->v[i])),
			str_fmt(c->arena, "{\"version\":\"1.0\",\"type\":\"Update\",\"updatedAlarm\":%.*s}",
				STR_ARG(alarm.r.alarm)));
	}
	return OK;
}

status cloudwatch_enable_alarm_actions(struct call *c, const struct cloudwatch_enable_alarm_actions_input *in,
	struct cloudwatch_enable_alarm_actions_output *out)
{
	(void)out;
	return enable(c, &in->alarm_names, true);
}

status cloudwatch_disable_alarm_actions(struct call *c, const struct cloudwatch_disable_alarm_actions_input *in,
	struct cloudwatch_disable_alarm_actions_output *out)
{
	(void)out;
	return enable(c, &in->alarm_names, false);
}

/* "If you specify an incorrect alarm name … the operation deletes no alarms"; "you can't delete two or more composite
 * alarms with one operation". */
status cloudwatch_delete_alarms(
	struct call *c, const struct cloudwatch_delete_alarms_input *in, struct cloudwatch_delete_alarms_output *out)
{
	size_t composites = 0;
	(void)out;
	for (size_t i = 0; i < in->alarm_names.n; i++) {
		struct cw_alarm alarm;
		TRY(find(c, in->alarm_names.v[i], &alarm));
		if (alarm.composite && ++composites > 1)
			return cw_invalid(c, "Only one composite alarm can be deleted with one operation.");
		cw_history_add(c->tx, c->arena, &alarm, c->now_ms, "ConfigurationUpdate",
			str_fmt(c->arena, "Alarm \"%.*s\" deleted", STR_ARG(in->alarm_names.v[i])),
			str_fmt(c->arena, "{\"version\":\"1.0\",\"type\":\"Delete\",\"deletedAlarm\":%.*s}",
				STR_ARG(alarm.r.alarm)));
		store_delete(c->tx, cw_alarm_key(c->arena, "alarm", c->account, c->region, in->alarm_names.v[i]));
		if (alarm.composite)
			store_delete(c->tx,
				cw_alarm_key(c->arena, "composite", c->account, c->region, in->alarm_names.v[i]));
		cw_alarm_unschedule(c->tx, c->arena, &alarm);
	}
	return cw_composites_wake(c->tx, c->arena, c->account, c->region, c->now_ms);
}
