/* A state that an evaluation (or SetAlarmState) found, made the alarm's own: written, told in its history, and followed
 * by its actions and by the composite alarms that look at it. */
#include "base/json.h"
#include "services/cloudwatch/alarm.h"

struct str cw_time_text(struct arena *a, int64_t ms)
{
	struct str t = time_iso8601(a, ms, true);
	return str_fmt(a, "%.*s+0000", (int)t.n - 1, t.p);
}

static void state_text(struct buf *b, const char *name, struct str state, struct str reason, struct str data)
{
	buf_fmt(b, "\"%s\":{\"stateValue\":", name);
	json_quote(b, state);
	buf_lit(b, ",\"stateReason\":");
	json_quote(b, reason);
	if (str_has(data) && data.n) {
		buf_lit(b, ",\"stateReasonData\":");
		buf_str(b, data);
	}
	buf_byte(b, '}');
}

status cw_alarm_settle(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	const struct cw_verdict *v, int64_t now_ms)
{
	struct cw_face f = cw_face(alarm);
	struct str old = *f.state;
	if (str_eq(old, v->state)) {
		int64_t until;
		if (alarm->composite) return OK;
		if (!alarm->r.muted.v) return cw_actions_run(cloud, tx, a, alarm, old, v, now_ms, true);
		TRY(cw_actions_unmute(cloud, tx, a, alarm, v, now_ms, &until));
		if (!until) cw_alarm_put(tx, a, alarm);
		return OK;
	}
	struct buf b = BUF_IN(a);
	buf_lit(&b, "{\"version\":\"1.0\",");
	state_text(&b, "oldState", old, *f.reason, *f.data);
	buf_byte(&b, ',');
	state_text(&b, "newState", v->state, v->reason, v->data);
	buf_byte(&b, '}');
	*f.state = v->state;
	*f.reason = str_sub(v->reason, 0, 1023);
	*f.data = v->data;
	*f.updated = *f.transitioned = SOME_TIME(now_ms);
	cw_history_add(tx, a, alarm, now_ms, "StateUpdate",
		str_fmt(a, "Alarm updated from %.*s to %.*s", STR_ARG(old), STR_ARG(v->state)), buf_done(&b));
	TRY(cw_composites_wake(tx, a, alarm->account, alarm->region, now_ms));
	/* A composite's actions may have to wait for its suppressor: composite.c sees to them. */
	if (alarm->composite) {
		alarm->r.pending = SOME_BOOL(true);
		alarm->r.old_state = old;
	} else {
		TRY(cw_actions_run(cloud, tx, a, alarm, old, v, now_ms, false));
	}
	cw_alarm_put(tx, a, alarm);
	return OK;
}
