/* Scaling policies: made, shown, deleted. What they do is policy_run.c's. */
#include "services/autoscaling/policy.h"
#include "base/rand.h"

#define SHAPE AUTOSCALING_SHAPE_SCALING_POLICY

status as_policy_get(struct as_place at, struct str group, struct str name, struct as_policy *out)
{
	struct str bytes;
	*out = (struct as_policy){0};
	TRY(store_get(at.tx, as_key(at, "policy", group, name), &bytes));
	TRY(autoscaling_rec_policy_decode(at.a, bytes, &out->r));
	return as_document(at, out->r.document, SHAPE, &out->p);
}

void as_policy_put(struct as_place at, struct str group, struct as_policy *p)
{
	p->r.document = wire_shape_write(at.a, AS_TABLES, SHAPE, &p->p);
	store_put(at.tx, as_key(at, "policy", group, p->p.policy_name), autoscaling_rec_policy_encode(at.a, &p->r));
}

/* By name in a group, or by ARN. */
static status find(struct call *c, struct str group, struct str policy, struct as_group *g, struct as_policy *out)
{
	struct str name = policy;
	ptrdiff_t at = str_find(policy, STR(":policyName/")), of = str_find(policy, STR(":autoScalingGroupName/"));
	if (str_starts(policy, STR("arn:")) && at > of && of > 0) {
		struct str in = str_sub(policy, (size_t)of + 22, (size_t)(at - of) - 22);
		if (str_has(group) && !str_eq(group, in))
			return AS_FAIL(c, "The policy %.*s is not one of group %.*s.", STR_ARG(policy), STR_ARG(group));
		group = in;
		name = str_from(policy, (size_t)at + 12);
	} else if (!str_has(group)) {
		return AS_FAIL(c, "AutoScalingGroupName is required unless the policy is named by its ARN.");
	}
	TRY(as_group_find(c, group, g));
	status s = as_policy_get(g->at, group, name, out);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && name.p != policy.p && !str_eq(out->p.policy_arn, policy)))
		return AS_FAIL(c, "PolicyARN or policy name not found: %.*s", STR_ARG(policy));
	return s;
}

/* ── PutScalingPolicy ── */

static status check_steps(struct call *c, const struct autoscaling_step_adjustments *s)
{
	bool below = false, above = false;
	if (!s->n) return AS_FAIL(c, "At least one StepAdjustment must be specified for policies of type StepScaling.");
	if (s->n > AS_STEPS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"A policy may have %d step adjustments at most.", AS_STEPS_MAX);
	for (size_t i = 0; i < s->n; i++) {
		const struct autoscaling_step_adjustment *x = &s->v[i];
		const struct opt_f64 *lo = &x->metric_interval_lower_bound, *hi = &x->metric_interval_upper_bound;
		if (!lo->has && !hi->has && s->n > 1)
			return AS_FAIL(c, "The MetricIntervalLowerBound and MetricIntervalUpperBound of a step cannot "
					  "both be null.");
		if (lo->has && hi->has && lo->v >= hi->v)
			return AS_FAIL(
				c, "The MetricIntervalUpperBound must be greater than the MetricIntervalLowerBound.");
		if ((!lo->has && below) || (!hi->has && above))
			return AS_FAIL(c, "At most one StepAdjustment may have an unspecified lower bound, and one an "
					  "unspecified upper bound.");
		below = below || !lo->has;
		above = above || !hi->has;
		for (size_t k = 0; k < i; k++) {
			const struct autoscaling_step_adjustment *y = &s->v[k];
			bool apart = (hi->has && y->metric_interval_lower_bound.has &&
					     hi->v <= y->metric_interval_lower_bound.v) ||
				     (lo->has && y->metric_interval_upper_bound.has &&
					     lo->v >= y->metric_interval_upper_bound.v);
			if (!apart) return AS_FAIL(c, "StepAdjustment intervals can't overlap.");
		}
	}
	return OK;
}

static status check(struct call *c, const struct autoscaling_scaling_policy *p)
{
	static const char *const adjustments[] = {"ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity", NULL};
	bool simple = str_is(p->policy_type, "SimpleScaling"), steps = str_is(p->policy_type, "StepScaling");
	bool predicts = str_is(p->policy_type, "PredictiveScaling");
	if (!simple && !steps && !as_tracks(p) && !predicts)
		return AS_FAIL(c, "Invalid policy type: %.*s", STR_ARG(p->policy_type));
	if (predicts)
		return p->predictive_scaling_configuration
			       ? as_forecast_check(c, p->predictive_scaling_configuration)
			       : AS_FAIL(c, "PredictiveScalingConfiguration is required for policies of type "
					    "PredictiveScaling.");
	if (as_tracks(p)) {
		if (p->step_adjustments.n || p->scaling_adjustment.has || str_has(p->adjustment_type))
			return AS_FAIL(
				c, "Adjustments cannot be specified for policies of type TargetTrackingScaling.");
		return as_tracking_check(c, p->target_tracking_configuration);
	}
	if (p->target_tracking_configuration)
		return AS_FAIL(
			c, "TargetTrackingConfiguration is only valid for policies of type TargetTrackingScaling.");
	if (!str_has(p->adjustment_type)) return AS_FAIL(c, "AdjustmentType must be specified.");
	if (!as_in(p->adjustment_type, adjustments))
		return AS_FAIL(c, "Invalid adjustment type: %.*s", STR_ARG(p->adjustment_type));
	if (p->min_adjustment_magnitude.has && !str_is(p->adjustment_type, "PercentChangeInCapacity"))
		return AS_FAIL(c, "MinAdjustmentMagnitude is only valid with PercentChangeInCapacity.");
	if (simple &&
		(p->step_adjustments.n || str_has(p->metric_aggregation_type) || p->estimated_instance_warmup.has))
		return AS_FAIL(c,
			"StepAdjustments, MetricAggregationType and EstimatedInstanceWarmup are not valid for policies "
			"of type SimpleScaling.");
	if (simple && !p->scaling_adjustment.has)
		return AS_FAIL(c, "ScalingAdjustment must be specified for policies of type SimpleScaling.");
	if (steps && (p->scaling_adjustment.has || p->cooldown.has))
		return AS_FAIL(c, "ScalingAdjustment and Cooldown are not valid for policies of type StepScaling.");
	bool exact = str_is(p->adjustment_type, "ExactCapacity");
	if (simple && exact && p->scaling_adjustment.v < 0) return AS_FAIL(c, "ExactCapacity must not be negative.");
	return steps ? check_steps(c, &p->step_adjustments) : OK;
}

/* The record, in a transaction of its own; *before: the policy as it was. */
static status write(struct call *c, const struct autoscaling_put_scaling_policy_input *in, struct as_policy *p,
	struct autoscaling_scaling_policy *before)
{
	struct as_group g;
	size_t n;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	status s = as_policy_get(g.at, g.name, in->policy_name, p);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	bool fresh = !is_ok(s);
	*before = p->p;
	TRY(as_count(g.at, "policy", g.name, &n));
	if (fresh && n >= AS_POLICIES_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"You may only have %d scaling policies for an Auto Scaling group.", AS_POLICIES_MAX);
	if (fresh) p->r.id = rand_uuid(c->arena);
	/* A policy is replaced whole; its id stays. */
	p->p = (struct autoscaling_scaling_policy){.policy_type = STR("SimpleScaling"), .enabled = SOME_BOOL(true)};
	as_copy(c->arena, AUTOSCALING_SHAPE_PUT_SCALING_POLICY_TYPE, in, SHAPE, &p->p);
	p->p.policy_arn = str_fmt(c->arena,
		"arn:%.*s:autoscaling:%.*s:%.*s:scalingPolicy:%.*s:autoScalingGroupName/%.*s:policyName/%.*s",
		STR_ARG(c->partition), STR_ARG(c->region), STR_ARG(c->account), STR_ARG(p->r.id), STR_ARG(g.name),
		STR_ARG(in->policy_name));
	if (str_is(p->p.policy_type, "StepScaling"))
		p->p.metric_aggregation_type = str_or(p->p.metric_aggregation_type, STR("Average"));
	TRY(check(c, &p->p));
	if (as_tracks(&p->p)) as_tracking_name(c->arena, g.at, &p->p, c->partition);
	if (p->p.target_tracking_configuration && !p->p.target_tracking_configuration->disable_scale_in.has)
		p->p.target_tracking_configuration->disable_scale_in = SOME_BOOL(false);
	as_policy_put(g.at, g.name, p);
	as_forecast_schedule(g.at, g.name, &p->p, c->now_ms);
	as_group_put(&g);
	return OK;
}

static status undo(struct call *c, struct str group, struct str name, const struct autoscaling_scaling_policy *before)
{
	struct as_place at = as_here(c);
	struct as_policy p;
	status s = as_policy_get(at, group, name, &p);
	if (!is_ok(s)) return s;
	if (str_has(before->policy_name)) {
		p.p = *before;
		as_policy_put(at, group, &p);
	} else {
		store_delete(at.tx, as_key(at, "policy", group, name));
	}
	return OK;
}

status autoscaling_put_scaling_policy(struct call *c, const struct autoscaling_put_scaling_policy_input *in,
	struct autoscaling_put_scaling_policy_output *out)
{
	struct as_policy p;
	struct autoscaling_scaling_policy before;
	store_ticket ticket = 0;
	struct str why = STR_NONE;
	status s;
	do {
		c->tx = store_begin(c->cloud->store, c->arena, false);
		s = write(c, in, &p, &before);
		if (is_ok(s)) s = store_commit(c->tx, &ticket);
		store_end(c->tx);
		c->tx = NULL;
	} while (status_is(s, STATUS_CONFLICT));
	TRY(s);
	call_ticket(c, ticket);
	if (as_tracks(&before) && (!as_tracks(&p.p) || before.alarms.n > p.p.alarms.n))
		as_tracking_drop(c->cloud, c->arena, as_here(c), &before);
	if (as_tracks(&p.p)) s = as_tracking_put(c->cloud, c->arena, as_here(c), &p.p, &why);
	if (status_is(s, STATUS_FAILED)) {
		/* No policy without its alarms. */
		status u;
		do {
			c->tx = store_begin(c->cloud->store, c->arena, false);
			u = undo(c, in->auto_scaling_group_name, in->policy_name, &before);
			if (is_ok(u)) u = store_commit(c->tx, &ticket);
			store_end(c->tx);
			c->tx = NULL;
		} while (status_is(u, STATUS_CONFLICT));
		return AS_FAIL(c, "%.*s", STR_ARG(why));
	}
	TRY(s);
	out->policy_arn = p.p.policy_arn;
	out->alarms = p.p.alarms;
	VEC_PRESENT(c->arena, &out->alarms);
	return OK;
}

/* ── DeletePolicy ── */

status autoscaling_delete_policy(
	struct call *c, const struct autoscaling_delete_policy_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct as_policy p;
	store_ticket ticket = 0;
	status s;
	(void)out;
	do {
		c->tx = store_begin(c->cloud->store, c->arena, false);
		s = find(c, in->auto_scaling_group_name, in->policy_name, &g, &p);
		if (is_ok(s)) store_delete(c->tx, as_key(g.at, "policy", g.name, p.p.policy_name));
		if (is_ok(s)) as_group_put(&g);
		if (is_ok(s)) s = store_commit(c->tx, &ticket);
		store_end(c->tx);
		c->tx = NULL;
	} while (status_is(s, STATUS_CONFLICT));
	TRY(s);
	call_ticket(c, ticket);
	/* "Deleting a policy … deletes the underlying alarm action, but does not delete the alarm, even if it no longer
	 * has an associated action" (the reference): but the alarms of target tracking are the policy's own. */
	if (as_tracks(&p.p)) as_tracking_drop(c->cloud, c->arena, as_here(c), &p.p);
	return OK;
}

status as_policies_drop(struct call *c, struct as_group *g)
{
	struct as_each e = as_each(g->at, "policy", g->name);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		struct as_policy p;
		s = as_policy_get(g->at, g->name, e.name, &p);
		/* Not ours to undo if this transaction is lost: then it runs again. */
		if (is_ok(s) && as_tracks(&p.p)) as_tracking_drop(c->cloud, g->at.a, g->at, &p.p);
	}
	status end = as_each_end(&e);
	return is_ok(s) ? end : s;
}

/* ── DescribePolicies ── */

static bool by_name(const struct autoscaling_policy_names *names, const struct autoscaling_scaling_policy *p)
{
	return !names->n || as_has(names->v, names->n, p->policy_name) || as_has(names->v, names->n, p->policy_arn);
}

status autoscaling_describe_policies(struct call *c, const struct autoscaling_describe_policies_input *in,
	struct autoscaling_describe_policies_output *out)
{
	size_t capacity = 0;
	struct as_group g;
	if (str_has(in->auto_scaling_group_name)) TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	struct as_each e = as_each(as_here(c), "policy", in->auto_scaling_group_name);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		struct as_policy p;
		s = as_policy_get(as_here(c), e.group, e.name, &p);
		if (!is_ok(s) || !by_name(&in->policy_names, &p.p)) continue;
		if (in->policy_types.n && !as_has(in->policy_types.v, in->policy_types.n, p.p.policy_type)) continue;
		if (!as_tracks(&p.p)) s = as_alarms_of(c->cloud, c->arena, as_here(c), p.p.policy_arn, &p.p.alarms);
		VEC_PRESENT(c->arena, &p.p.alarms);
		VEC_PRESENT(c->arena, &p.p.step_adjustments);
		*VEC_PUSH(c->arena, &out->scaling_policies, &capacity) = p.p;
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->scaling_policies);
	return as_page(c, &out->scaling_policies, sizeof(*out->scaling_policies.v), in->max_records, 100,
		in->next_token, &out->next_token);
}

/* ── ExecutePolicy ── */

status autoscaling_execute_policy(
	struct call *c, const struct autoscaling_execute_policy_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct as_policy p;
	bool cooling;
	(void)out;
	TRY(find(c, in->auto_scaling_group_name, in->policy_name, &g, &p));
	bool steps = str_is(p.p.policy_type, "StepScaling"), simple = str_is(p.p.policy_type, "SimpleScaling");
	if (!steps && !simple)
		return AS_FAIL(
			c, "ExecutePolicy is not supported for policies of type %.*s.", STR_ARG(p.p.policy_type));
	if (steps && in->honor_cooldown.v)
		return AS_FAIL(c, "HonorCooldown is not supported for policies of type StepScaling.");
	if (steps != (in->metric_value.has || in->breach_threshold.has) ||
		in->metric_value.has != in->breach_threshold.has)
		return AS_FAIL(
			c, steps ? "MetricValue and BreachThreshold are required for policies of type StepScaling."
				 : "MetricValue and BreachThreshold are not supported for policies of type "
				   "SimpleScaling.");
	struct as_trigger t = {.has_value = steps,
		.value = in->metric_value.v,
		.threshold = in->breach_threshold.v,
		.honor_cooldown = in->honor_cooldown.v};
	TRY(as_policy_run(&g, &p.p, &t, c->now_ms, &cooling));
	if (cooling)
		return call_fail(c, AUTOSCALING_ERR_SCALING_ACTIVITY_IN_PROGRESS_FAULT,
			"Group %.*s is in its cooldown: the policy was not executed.", STR_ARG(g.name));
	as_group_change(c, &g);
	return OK;
}
