/* Composite alarms: their states from those of others, and the suppression of their actions ("Create a composite
 * alarm": action suppression). A rule whose alarms lead back to the alarm itself is refused, where AWS lets such a
 * circle be made and then does not delete it. */
#include "base/json.h"
#include "services/cloudwatch/alarm.h"

status cw_composites_wake(struct store_tx *tx, struct arena *a, struct str account, struct str region, int64_t now_ms)
{
	struct str space = cw_key(a, "composite", account, region), key, value;
	struct store_scan *scan = store_scan_begin(tx, space, key_after(a, space), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, space.n), name;
		s = key_read_str(a, &rest, &name);
		if (!is_ok(s)) break;
		struct cw_alarm alarm = {.account = account,
			.region = region,
			.composite = true,
			.whole = {.alarm_name = str_dup(a, name)}};
		cw_alarm_schedule(tx, a, &alarm, now_ms);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── evaluating ── */

static status state_of(struct store_tx *tx, struct arena *a, const struct cw_alarm *alarm, struct str name,
	struct str *state, struct str *arn)
{
	struct cw_alarm other;
	status s = cw_alarm_get(tx, a, alarm->account, alarm->region, name, &other);
	*state = STR("INSUFFICIENT_DATA"); /* of one that was deleted */
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	*state = *cw_face(&other).state;
	*arn = cw_face(&other).arn;
	return OK;
}

static status judge(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, struct cw_verdict *v, int64_t now_ms)
{
	struct cw_rule *rule;
	struct cw_rule_names names = {0};
	struct str why;
	if (!is_ok(cw_rule_parse(a, alarm->whole.alarm_rule, &rule, &why))) return STATUS(CORRUPT);
	cw_rule_names(a, rule, &names);
	struct str *states = arena_array(a, names.n + 1, sizeof(*states));
	struct buf data = BUF_IN(a);
	struct str last = STR_NONE;
	buf_lit(&data, "{\"triggeringAlarms\":[");
	for (size_t i = 0; i < names.n; i++) {
		struct str arn = cw_alarm_arn(a, alarm->account, alarm->region, names.v[i]);
		TRY(state_of(tx, a, alarm, names.v[i], &states[i], &arn));
		buf_fmt(&data, "%s{\"arn\":", i ? "," : "");
		json_quote(&data, arn);
		buf_fmt(&data, ",\"state\":{\"value\":\"%.*s\",\"timestamp\":\"%.*s\"}}", STR_ARG(states[i]),
			STR_ARG(cw_time_text(a, now_ms)));
		if (!str_has(last) || str_is(states[i], "ALARM"))
			last = str_fmt(a, "%.*s transitioned to %.*s", STR_ARG(arn), STR_ARG(states[i]));
	}
	buf_lit(&data, "]}");
	v->state = cw_rule_holds(rule, &names, states) ? STR("ALARM") : STR("OK");
	v->data = data.n <= 4000 ? buf_done(&data) : STR_NONE;
	v->reason = str_fmt(a, "%.*s at %.*s", STR_ARG(str_or(last, STR("The rule was evaluated"))),
		STR_ARG(time_iso8601(a, now_ms, false)));
	return OK;
}

/* ── suppression ── */

static void suppressed(struct cw_alarm *alarm, const char *by, const char *why, int64_t until)
{
	alarm->whole.actions_suppressed_by = by ? str_c(by) : STR_NONE;
	alarm->whole.actions_suppressed_reason = by ? str_c(why) : STR_NONE;
	alarm->r.until = until ? SOME_TIME(until) : (struct opt_time){0};
}

/* Where the alarm's suppression stands now; true: its actions may run. */
static bool may_act(struct cw_alarm *alarm, bool fresh, struct str suppressor, int64_t now)
{
	struct cloudwatch_composite_alarm *w = &alarm->whole;
	struct str by = str_or(w->actions_suppressed_by, STR(""));
	if (!str_has(w->actions_suppressor)) return true;
	if (str_is(suppressor, "ALARM")) {
		suppressed(alarm, "Alarm", "The suppressor alarm is in ALARM", 0);
		return false;
	}
	if (str_is(by, "Alarm")) {
		int64_t until = now + w->actions_suppressor_extension_period.v * 1000ll;
		suppressed(alarm, until > now ? "ExtensionPeriod" : NULL,
			"The suppressor alarm left ALARM less than the extension period ago", until);
		by = str_or(w->actions_suppressed_by, STR(""));
	} else if (fresh && str_is(w->state_value, "ALARM") && w->actions_suppressor_wait_period.v > 0) {
		suppressed(alarm, "WaitPeriod", "Waiting for the suppressor alarm to go into ALARM",
			now + w->actions_suppressor_wait_period.v * 1000ll);
		return false;
	}
	if (by.n && alarm->r.until.has && alarm->r.until.ms > now) return false;
	suppressed(alarm, NULL, NULL, 0);
	return true;
}

status cw_composite_evaluate(
	struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, int64_t *again_ms)
{
	struct cw_verdict v = {0};
	int64_t now = clock_now(cloud->clock);
	struct str suppressor = STR(""), arn;
	TRY(judge(tx, a, alarm, &v, now));
	bool fresh = !str_eq(v.state, alarm->whole.state_value);
	TRY(cw_alarm_settle(cloud, tx, a, alarm, &v, now));
	if (str_has(alarm->whole.actions_suppressor))
		TRY(state_of(tx, a, alarm, cw_alarm_name_of(alarm->whole.actions_suppressor), &suppressor, &arn));
	bool late = str_has(alarm->whole.actions_suppressed_by), act = may_act(alarm, fresh, suppressor, now);
	if (act && alarm->r.pending.v) {
		/* What was held back is told only where it is still so. */
		if (!late || fresh || str_is(alarm->whole.state_value, "ALARM"))
			TRY(cw_actions_run(cloud, tx, a, alarm, alarm->r.old_state, &v, now, false));
		alarm->r.pending = SOME_BOOL(false);
	}
	int64_t muted_until;
	TRY(cw_actions_unmute(cloud, tx, a, alarm, &v, now, &muted_until));
	cw_alarm_put(tx, a, alarm);
	*again_ms = muted_until;
	if (alarm->r.until.has && (!muted_until || alarm->r.until.ms < muted_until)) *again_ms = alarm->r.until.ms;
	return OK;
}

/* ── PutCompositeAlarm ── */

/* Does `name`'s rule, or that of one it names, lead to `to`? */
static status leads_to(struct call *c, struct str name, struct str to, unsigned depth, bool *found)
{
	struct cw_alarm alarm;
	struct cw_rule *rule;
	struct cw_rule_names names = {0};
	struct str why;
	*found = *found || str_eq(name, to) || depth > 100;
	if (*found) return OK;
	status s = cw_alarm_get(c->tx, c->arena, c->account, c->region, name, &alarm);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !alarm.composite)) return OK;
	TRY(s);
	if (!is_ok(cw_rule_parse(c->arena, alarm.whole.alarm_rule, &rule, &why))) return STATUS(CORRUPT);
	cw_rule_names(c->arena, rule, &names);
	for (size_t i = 0; i < names.n && !*found; i++) TRY(leads_to(c, names.v[i], to, depth + 1, found));
	return OK;
}

static status check(struct call *c, const struct cloudwatch_put_composite_alarm_input *in)
{
	struct cw_rule *rule;
	struct cw_rule_names names = {0};
	struct str why;
	struct cw_alarm other;
	if (!is_ok(cw_rule_parse(c->arena, in->alarm_rule, &rule, &why))) return cw_invalid(c, "%.*s", STR_ARG(why));
	cw_rule_names(c->arena, rule, &names);
	for (size_t i = 0; i < names.n; i++) {
		bool circle = false;
		status s = cw_alarm_get(c->tx, c->arena, c->account, c->region, names.v[i], &other);
		if (status_is(s, STATUS_NOT_FOUND) && !str_eq(names.v[i], in->alarm_name))
			return cw_invalid(
				c, "AlarmRule refers to an alarm that does not exist: %.*s", STR_ARG(names.v[i]));
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		TRY(leads_to(c, names.v[i], in->alarm_name, 0, &circle));
		if (circle)
			return cw_invalid(
				c, "AlarmRule must not lead back to the alarm itself: %.*s", STR_ARG(names.v[i]));
	}
	if (str_has(in->actions_suppressor) && in->actions_suppressor.n) {
		if (!in->actions_suppressor_wait_period.has || !in->actions_suppressor_extension_period.has)
			return cw_invalid(c, "ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod are "
					     "required with ActionsSuppressor.");
		status s = cw_alarm_get(
			c->tx, c->arena, c->account, c->region, cw_alarm_name_of(in->actions_suppressor), &other);
		if (status_is(s, STATUS_NOT_FOUND))
			return cw_invalid(c, "ActionsSuppressor does not exist: %.*s", STR_ARG(in->actions_suppressor));
		TRY(s);
	} else if (in->actions_suppressor_wait_period.has || in->actions_suppressor_extension_period.has) {
		return cw_invalid(c, "ActionsSuppressor is required with its periods.");
	}
	if (in->actions_suppressor_wait_period.v < 0 || in->actions_suppressor_extension_period.v < 0)
		return cw_invalid(c, "The periods of ActionsSuppressor must not be negative.");
	TRY(cw_actions_check(c, &in->ok_actions, false));
	TRY(cw_actions_check(c, &in->alarm_actions, false));
	return cw_actions_check(c, &in->insufficient_data_actions, false);
}

status cloudwatch_put_composite_alarm(struct call *c, const struct cloudwatch_put_composite_alarm_input *in,
	struct cloudwatch_put_composite_alarm_output *out)
{
	struct cw_alarm alarm;
	(void)out;
	TRY(check(c, in));
	status s = cw_alarm_get(c->tx, c->arena, c->account, c->region, in->alarm_name, &alarm);
	bool there = is_ok(s);
	if (!there && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (there && !alarm.composite)
		return cw_invalid(c, "A metric alarm of the name %.*s exists already.", STR_ARG(in->alarm_name));
	if (!there) {
		alarm = (struct cw_alarm){.account = c->account, .region = c->region, .composite = true};
		alarm.whole = (struct cloudwatch_composite_alarm){
			.alarm_arn = cw_alarm_arn(c->arena, c->account, c->region, in->alarm_name),
			.state_value = STR("INSUFFICIENT_DATA"),
			.state_reason = STR("Unchecked: Initial alarm creation"),
			.state_updated_timestamp = SOME_TIME(c->now_ms),
			.state_transitioned_timestamp = SOME_TIME(c->now_ms)};
		TRY(cw_tags_read(c, &in->tags, &alarm.r.tags));
	}
	struct cloudwatch_composite_alarm *w = &alarm.whole;
	w->alarm_name = in->alarm_name;
	w->alarm_description = in->alarm_description;
	w->alarm_rule = in->alarm_rule;
	w->actions_enabled = SOME_BOOL(!in->actions_enabled.has || in->actions_enabled.v);
	w->ok_actions = in->ok_actions;
	w->alarm_actions = in->alarm_actions;
	w->insufficient_data_actions = in->insufficient_data_actions;
	w->actions_suppressor =
		str_has(in->actions_suppressor) && in->actions_suppressor.n ? in->actions_suppressor : STR_NONE;
	w->actions_suppressor_wait_period = in->actions_suppressor_wait_period;
	w->actions_suppressor_extension_period = in->actions_suppressor_extension_period;
	w->alarm_configuration_updated_timestamp = SOME_TIME(c->now_ms);
	if (!str_has(w->actions_suppressor)) suppressed(&alarm, NULL, NULL, 0);
	cw_alarm_put(c->tx, c->arena, &alarm);
	cw_history_add(c->tx, c->arena, &alarm, c->now_ms, "ConfigurationUpdate",
		str_fmt(c->arena, "Alarm \"%.*s\" %s", STR_ARG(in->alarm_name), there ? "updated" : "created"),
		str_fmt(c->arena, "{\"version\":\"1.0\",\"type\":\"%s\",\"%s\":%.*s}", there ? "Update" : "Create",
			there ? "updatedAlarm" : "createdAlarm", STR_ARG(alarm.r.alarm)));
	cw_alarm_schedule(c->tx, c->arena, &alarm, c->now_ms);
	return OK;
}
