/* Scaling policies, between their files. */
#pragma once
#include "services/autoscaling/room.h"

struct as_policy {
	struct autoscaling_rec_policy r;
	struct autoscaling_scaling_policy p;
};
/* NOT_FOUND. */
status as_policy_get(struct as_place at, struct str group, struct str name, struct as_policy *out) MUST_USE;
void as_policy_put(struct as_place at, struct str group, struct as_policy *p);
static inline bool as_tracks(const struct autoscaling_scaling_policy *p)
{
	return str_is(p->policy_type, "TargetTrackingScaling");
}

/* ── policy_run.c ── */
struct as_trigger {
	struct str alarm; /* STR_NONE: a user */
	bool has_value;
	double value, threshold;
	bool honor_cooldown;
};
/* What a policy makes of the group's desired capacity, now. *cooling: a cooldown held it back. */
status as_policy_run(struct as_group *g, const struct autoscaling_scaling_policy *p, const struct as_trigger *t,
	int64_t now_ms, bool *cooling) MUST_USE;
void as_alarms_start(struct cloud *cloud);

/* ── forecast.c ── predictive scaling */
status as_forecast_check(struct call *c, const struct autoscaling_predictive_scaling_configuration *p) MUST_USE;
/* Of a policy that scales: looks before each hour. */
void as_forecast_schedule(
	struct as_place at, struct str group, const struct autoscaling_scaling_policy *p, int64_t now_ms);
void as_forecast_start(struct cloud *cloud);

/* ── tracking.c ── the two alarms of a target tracking policy. Outside any transaction; blocks. */
/* FAILED: *why. */
status as_tracking_put(struct cloud *cloud, struct arena *a, struct as_place at,
	const struct autoscaling_scaling_policy *p, struct str *why) MUST_USE;
void as_tracking_drop(
	struct cloud *cloud, struct arena *a, struct as_place at, const struct autoscaling_scaling_policy *p);
/* Names and ARNs of the alarms that a policy shall have. */
void as_tracking_name(struct arena *a, struct as_place at, struct autoscaling_scaling_policy *p, struct str partition);
/* FAILED: InvalidParameter of the client. */
status as_tracking_check(struct call *c, const struct autoscaling_target_tracking_configuration *t) MUST_USE;
/* Every other target tracking policy's low alarm is in ALARM too: all agree that there is too much. */
bool as_tracking_agree(struct cloud *cloud, struct arena *a, struct as_place at, struct str group, struct str policy);
/* Which alarms of CloudWatch have the policy as action. */
status as_alarms_of(struct cloud *cloud, struct arena *a, struct as_place at, struct str policy_arn,
	struct autoscaling_alarms *out) MUST_USE;
