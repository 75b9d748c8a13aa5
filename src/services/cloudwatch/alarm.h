/* Alarms of both kinds: records, states, actions, history. */
#pragma once
#include "services/cloudwatch/math.h"
#include "services/cloudwatch/room.h"

struct cw_alarm {
	struct str account, region;
	bool composite;
	struct cloudwatch_metric_alarm metric;   /* unless composite */
	struct cloudwatch_composite_alarm whole; /* if composite */
	struct cloudwatch_rec_alarm r;
};
/* What both kinds have. */
struct cw_face {
	struct str name, arn, description;
	bool actions_enabled;
	struct cloudwatch_resource_list *ok, *alarm, *insufficient;
	struct str *state, *reason, *data;
	struct opt_time *updated, *transitioned, *configured;
};
struct cw_face cw_face(struct cw_alarm *a);

/* ── alarm_records.c ── */
struct str cw_alarm_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name);
struct str cw_alarm_arn(struct arena *a, struct str account, struct str region, struct str name);
/* NOT_FOUND. */
status cw_alarm_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct cw_alarm *out) MUST_USE;
void cw_alarm_put(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm);
struct cw_alarms {
	struct cw_alarm *v;
	size_t n, capacity;
};
/* All of an account and region whose name begins with prefix, in order of name. */
status cw_alarms_of(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str prefix,
	struct cw_alarms *out) MUST_USE;
void cw_history_add(struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, int64_t now_ms, const char *type,
	struct str summary, struct str data);
/* The job that evaluates the alarm: at that time. */
void cw_alarm_schedule(struct store_tx *tx, struct arena *a, const struct cw_alarm *alarm, int64_t due_ms);
void cw_alarm_unschedule(struct store_tx *tx, struct arena *a, const struct cw_alarm *alarm);

/* ── alarm_put.c ── */
/* ValidationError. */
status cw_invalid(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
status cw_actions_check(struct call *c, const struct cloudwatch_resource_list *l, bool instance) MUST_USE;
status cw_tags_read(struct call *c, const struct cloudwatch_tag_list *in, struct cloudwatch_rec_tags *out) MUST_USE;

/* ── alarm_state.c ── */
/* What an evaluation found. */
struct cw_verdict {
	struct str state, reason, data;
	bool has_value;
	double value;
};
/* Writes a new state, its history, and what follows: actions and the composite alarms above. Where the state is as it
 * was, only what repeats. The alarm is stored. */
status cw_alarm_settle(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	const struct cw_verdict *v, int64_t now_ms) MUST_USE;
struct str cw_time_text(struct arena *a, int64_t ms); /* 2026-11-29T12:05:00.000+0000 */

/* ── alarm_action.c ── */
void cw_actions_start(struct cloud *cloud);
/* Carries out, or schedules, the actions of the state that the alarm is in. repeats: only those that Auto Scaling
 * repeats. */
status cw_actions_run(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	struct str old_state, const struct cw_verdict *v, int64_t now_ms, bool repeats) MUST_USE;

/* Does what was muted, where nothing mutes it any more; *until_ms: when that may be, else 0. The alarm is to be stored.
 */
status cw_actions_unmute(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	const struct cw_verdict *v, int64_t now_ms, int64_t *until_ms) MUST_USE;

/* ── mute.c ── */
/* Is an alarm muted, by which rule and until when? *until_ms 0: it is not. */
status cw_mute_find(struct store_tx *tx, struct arena *a, const struct cw_alarm *alarm, struct str name, int64_t now_ms,
	int64_t *until_ms, struct str *rule) MUST_USE;
status cw_mute_get(struct call *c, struct str name, struct cloudwatch_rec_mute *out) MUST_USE; /* NOT_FOUND */
void cw_mute_put(struct call *c, const struct cloudwatch_rec_mute *r);

/* ── alarm_message.c ── what a topic is told. */
struct str cw_alarm_message(struct arena *a, struct cw_alarm *alarm, struct str old_state, int64_t now_ms);
struct str cw_region_title(struct str region);

/* ── judge.c ── */
/* Points of an alarm, oldest first; NAN: missing. */
struct cw_judgement {
	const double *v;
	size_t n; /* the evaluation range: at least evaluation_periods */
	size_t periods, needed;
	char op; /* < > l g; of a band: d below its lower edge, u above its upper one, b either */
	double threshold;
	const double *lower, *upper; /* of a band, by point; else NULL */
	enum { CW_MISSING, CW_IGNORE, CW_BREACHING, CW_NOT_BREACHING } missing;
};
enum cw_outcome { CW_OK, CW_ALARM, CW_INSUFFICIENT, CW_RETAIN };
/* used: one byte for each point, set where it was judged; *filled: how many missing ones were judged as missing says.
 */
enum cw_outcome cw_judge(const struct cw_judgement *j, uint8_t *used, size_t *filled);
bool cw_breaches(const struct cw_judgement *j, size_t i);

/* ── evaluate.c ── */
void cw_alarms_start(struct cloud *cloud);

/* ── rule.c ── a composite alarm's rule */
struct cw_rule;
/* INVALID: *why. */
status cw_rule_parse(struct arena *a, struct str text, struct cw_rule **out, struct str *why) MUST_USE;
/* The names (or ARNs) that it asks for, each once. */
struct cw_rule_names {
	struct str *v;
	size_t n, capacity;
};
void cw_rule_names(struct arena *a, const struct cw_rule *r, struct cw_rule_names *out);
/* states: by place in names. */
bool cw_rule_holds(const struct cw_rule *r, const struct cw_rule_names *names, const struct str *states);
struct str cw_alarm_name_of(struct str name_or_arn);

/* ── composite.c ── */
status cw_composite_evaluate(
	struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm, int64_t *again_ms) MUST_USE;
/* All composite alarms of the account and region are looked at anew. */
status cw_composites_wake(
	struct store_tx *tx, struct arena *a, struct str account, struct str region, int64_t now_ms) MUST_USE;
