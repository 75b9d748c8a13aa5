/* Alarm mute rules ("Alarm mute rules automatically mute alarm actions during predefined time windows. … targeted
 * alarms continue to evaluate metrics and transition between states, but their … actions are muted", PutAlarmMuteRule).
 * What a window kept quiet is done after it, where the alarm is still in that state: with its next evaluation.
 *
 *     ("cloudwatch", "mute", account, region, name)    the rule as the API's GetAlarmMuteRuleOutput in JSON */
#include "clock/zone.h"
#include "services/cloudwatch/alarm.h"

enum { PAGE = 50, TARGETS_MAX = 100 };
#define TABLES (&wire_service_cloudwatch.tables)
#define MINUTE_MS 60000ll
#define LONGEST_MS (15 * CW_DAY_MS)

/* ── schedules ── */

/* "PT4H", "P1DT30M": days, hours, minutes. */
static bool read_duration(struct str s, int64_t *ms)
{
	bool time = false, any = false;
	*ms = 0;
	if (!str_starts(s, STR("P"))) return false;
	s = str_from(s, 1);
	while (s.n) {
		size_t i = 0;
		uint64_t n;
		if (s.p[0] == 'T' && !time) {
			time = true;
			s = str_from(s, 1);
			continue;
		}
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
		if (!i || i > 6 || i == s.n || !is_ok(str_to_u64(str_sub(s, 0, i), &n))) return false;
		int64_t unit = !time && s.p[i] == 'D'  ? CW_DAY_MS
			       : time && s.p[i] == 'H' ? 60 * MINUTE_MS
			       : time && s.p[i] == 'M' ? MINUTE_MS
						       : 0;
		if (!unit) return false;
		*ms += (int64_t)n * unit;
		any = true;
		s = str_from(s, i + 1);
	}
	return any && *ms >= MINUTE_MS && *ms <= LONGEST_MS;
}

struct plan {
	struct zone *zone; /* NULL: UTC */
	struct cron cron;
	int64_t at_ms; /* of at(…), in UTC; else INT64_MIN */
	int64_t duration_ms;
};

static struct str inside(struct str s, struct str word)
{
	if (!str_starts(s, word) || !str_ends(s, STR(")"))) return STR_NONE;
	return str_sub(s, word.n, s.n - word.n - 1);
}

static status read_plan(struct arena *a, const struct cloudwatch_schedule *s, struct plan *out, const char **why)
{
	*out = (struct plan){.at_ms = INT64_MIN};
	*why = "Timezone must be a name of the IANA time zone database.";
	if (str_has(s->timezone) && !is_ok(zone_find(a, s->timezone, &out->zone))) return STATUS(INVALID);
	*why = "Duration must be an ISO 8601 duration of one minute to 15 days.";
	if (!read_duration(s->duration, &out->duration_ms)) return STATUS(INVALID);
	*why = "Expression must be cron(minutes hours day-of-month month day-of-week) or at(yyyy-MM-ddThh:mm).";
	struct str cron = inside(s->expression, STR("cron(")), at = inside(s->expression, STR("at("));
	if (str_has(cron)) return cron_read(cron, &out->cron);
	if (!str_has(at)) return STATUS(INVALID);
	if (at.n == 16) at = str_cat(a, at, STR(":00"));
	if (at.n != 19 || !is_ok(time_read_iso8601(at, &out->at_ms))) return STATUS(INVALID);
	if (out->zone) out->at_ms = zone_to_utc(out->zone, out->at_ms);
	return OK;
}

/* Until when alarms are muted at that time; 0: they are not. */
static int64_t muted_until(const struct plan *p, const struct cloudwatch_get_alarm_mute_rule_output *r, int64_t now)
{
	int64_t start = p->at_ms;
	if (r->start_date.has && now < r->start_date.ms) return 0;
	if (r->expire_date.has && now >= r->expire_date.ms) return 0;
	if (start == INT64_MIN) {
		int64_t before = now - p->duration_ms;
		start = p->zone ? zone_cron_next(p->zone, &p->cron, before) : cron_next(&p->cron, before);
	}
	if (start > now || start + p->duration_ms <= now) return 0;
	int64_t end = start + p->duration_ms;
	return r->expire_date.has && r->expire_date.ms < end ? r->expire_date.ms : end;
}

static bool is_over(const struct plan *p, const struct cloudwatch_get_alarm_mute_rule_output *r, int64_t now)
{
	if (r->expire_date.has && now >= r->expire_date.ms) return true;
	return p->at_ms != INT64_MIN && now >= p->at_ms + p->duration_ms;
}

/* ── records ── */

static struct str key_of(struct arena *a, struct str account, struct str region, struct str name)
{
	return cw_alarm_key(a, "mute", account, region, name);
}

static status decode(struct arena *a, struct str bytes, struct cloudwatch_rec_mute *r,
	struct cloudwatch_get_alarm_mute_rule_output *rule)
{
	*r = (struct cloudwatch_rec_mute){0};
	*rule = (struct cloudwatch_get_alarm_mute_rule_output){0};
	TRY(cloudwatch_rec_mute_decode(a, bytes, r));
	return wire_json_to(a, TABLES, CLOUDWATCH_SHAPE_GET_ALARM_MUTE_RULE_OUTPUT, r->rule, rule);
}

status cw_mute_get(struct call *c, struct str name, struct cloudwatch_rec_mute *out)
{
	struct str bytes;
	*out = (struct cloudwatch_rec_mute){0};
	TRY(store_get(c->tx, key_of(c->arena, c->account, c->region, name), &bytes));
	return cloudwatch_rec_mute_decode(c->arena, bytes, out);
}

void cw_mute_put(struct call *c, const struct cloudwatch_rec_mute *r)
{
	store_put(c->tx, key_of(c->arena, c->account, c->region, r->name), cloudwatch_rec_mute_encode(c->arena, r));
}

static bool targets(const struct cloudwatch_get_alarm_mute_rule_output *r, struct str alarm)
{
	for (size_t i = 0; r->mute_targets && i < r->mute_targets->alarm_names.n; i++)
		if (str_eq(r->mute_targets->alarm_names.v[i], alarm)) return true;
	return false;
}

status cw_mute_find(struct store_tx *tx, struct arena *a, const struct cw_alarm *alarm, struct str name, int64_t now_ms,
	int64_t *until_ms, struct str *rule)
{
	struct str space = cw_key(a, "mute", alarm->account, alarm->region), key, value;
	status s = OK;
	*until_ms = 0;
	struct store_scan *scan = store_scan_begin(tx, space, key_after(a, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_mute r;
		struct cloudwatch_get_alarm_mute_rule_output one;
		struct plan plan;
		const char *why;
		s = decode(a, str_dup(a, value), &r, &one);
		if (!is_ok(s) || !targets(&one, name)) continue;
		if (!is_ok(read_plan(a, one.rule->schedule, &plan, &why))) continue;
		int64_t until = muted_until(&plan, &one, now_ms);
		if (until <= *until_ms) continue;
		*until_ms = until;
		*rule = one.name;
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── operations ── */

static void shown(struct call *c, const struct plan *p, struct cloudwatch_get_alarm_mute_rule_output *r)
{
	r->status = is_over(p, r, c->now_ms)       ? STR("EXPIRED")
		    : muted_until(p, r, c->now_ms) ? STR("ACTIVE")
						   : STR("SCHEDULED");
	r->mute_type = p->at_ms == INT64_MIN ? STR("RECURRING") : STR("ONE_TIME");
}

status cloudwatch_put_alarm_mute_rule(struct call *c, const struct cloudwatch_put_alarm_mute_rule_input *in,
	struct cloudwatch_put_alarm_mute_rule_output *out)
{
	struct plan plan;
	const char *why;
	struct cloudwatch_rec_mute r;
	(void)out;
	if (!is_ok(read_plan(c->arena, in->rule->schedule, &plan, &why))) return cw_invalid(c, "%s", why);
	if (in->start_date.has && in->expire_date.has && in->start_date.ms >= in->expire_date.ms)
		return cw_invalid(c, "StartDate must be before ExpireDate.");
	if (in->mute_targets && in->mute_targets->alarm_names.n > TARGETS_MAX)
		return cw_invalid(c, "A mute rule can target 100 alarms at most.");
	status s = cw_mute_get(c, in->name, &r);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!is_ok(s)) TRY(cw_tags_read(c, &in->tags, &r.tags));
	struct cloudwatch_get_alarm_mute_rule_output rule = {.name = in->name,
		.alarm_mute_rule_arn = call_arn(c, STR("cloudwatch"), "alarm-mute-rule:%.*s", STR_ARG(in->name)),
		.description = in->description,
		.rule = in->rule,
		.mute_targets = in->mute_targets,
		.start_date = in->start_date,
		.expire_date = in->expire_date,
		.last_updated_timestamp = SOME_TIME(c->now_ms)};
	r.name = in->name;
	r.rule = wire_json_of(c->arena, TABLES, CLOUDWATCH_SHAPE_GET_ALARM_MUTE_RULE_OUTPUT, &rule);
	cw_mute_put(c, &r);
	return OK;
}

status cloudwatch_get_alarm_mute_rule(struct call *c, const struct cloudwatch_get_alarm_mute_rule_input *in,
	struct cloudwatch_get_alarm_mute_rule_output *out)
{
	struct cloudwatch_rec_mute r;
	struct str bytes;
	struct plan plan;
	const char *why;
	status s = store_get(c->tx, key_of(c->arena, c->account, c->region, in->alarm_mute_rule_name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return CW_FAIL(c, RESOURCE_NOT_FOUND_EXCEPTION, "The alarm mute rule %.*s does not exist.",
			STR_ARG(in->alarm_mute_rule_name));
	TRY(s);
	TRY(decode(c->arena, bytes, &r, out));
	TRY(read_plan(c->arena, out->rule->schedule, &plan, &why));
	shown(c, &plan, out);
	return OK;
}

status cloudwatch_delete_alarm_mute_rule(struct call *c, const struct cloudwatch_delete_alarm_mute_rule_input *in,
	struct cloudwatch_delete_alarm_mute_rule_output *out)
{
	(void)out;
	store_delete(c->tx, key_of(c->arena, c->account, c->region, in->alarm_mute_rule_name));
	return OK;
}

static bool wanted(
	const struct cloudwatch_list_alarm_mute_rules_input *in, const struct cloudwatch_get_alarm_mute_rule_output *r)
{
	bool has = !in->statuses.n;
	for (size_t i = 0; i < in->statuses.n; i++) has = has || str_eq(in->statuses.v[i], r->status);
	return has && (!str_has(in->alarm_name) || targets(r, in->alarm_name));
}

status cloudwatch_list_alarm_mute_rules(struct call *c, const struct cloudwatch_list_alarm_mute_rules_input *in,
	struct cloudwatch_list_alarm_mute_rules_output *out)
{
	struct str space = cw_key(c->arena, "mute", c->account, c->region), key, value;
	size_t capacity = 0, most = in->max_records.has ? (size_t)in->max_records.v : PAGE;
	uint64_t skip = 0, at = 0;
	status s = OK;
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &skip)))
		return CW_FAIL(c, INVALID_NEXT_TOKEN, "The next token specified is invalid.");
	VEC_PRESENT(c->arena, &out->alarm_mute_rule_summaries);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_mute r;
		struct cloudwatch_get_alarm_mute_rule_output one;
		struct plan plan;
		const char *why;
		s = decode(c->arena, str_dup(c->arena, value), &r, &one);
		if (is_ok(s)) s = read_plan(c->arena, one.rule->schedule, &plan, &why);
		if (!is_ok(s)) break;
		shown(c, &plan, &one);
		if (!wanted(in, &one) || at++ < skip) continue;
		if (out->alarm_mute_rule_summaries.n == most) {
			out->next_token = str_fmt(c->arena, "%llu", (unsigned long long)(at - 1));
			break;
		}
		*VEC_PUSH(c->arena, &out->alarm_mute_rule_summaries, &capacity) =
			(struct cloudwatch_alarm_mute_rule_summary){one.alarm_mute_rule_arn, one.expire_date,
				one.status, one.mute_type, one.last_updated_timestamp};
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}
