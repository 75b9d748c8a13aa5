/* Scaling policies of scalable targets: made, shown, deleted. */
#include "base/rand.h"
#include "services/application-autoscaling/room.h"

#define SHAPE APPLICATION_AUTOSCALING_SHAPE_SCALING_POLICY

status aas_policy_get(
	struct aas_place at, struct str what, struct str name, struct application_autoscaling_scaling_policy *out)
{
	struct application_autoscaling_rec_policy r = {0};
	struct str bytes;
	*out = (struct application_autoscaling_scaling_policy){0};
	TRY(store_get(at.tx, aas_key(at, "policy", what, name), &bytes));
	TRY(application_autoscaling_rec_policy_decode(at.a, bytes, &r));
	return aas_document(at, r.document, SHAPE, out);
}

static void put(struct aas_place at, struct str what, const struct application_autoscaling_scaling_policy *p)
{
	struct application_autoscaling_rec_policy r = {.document = wire_shape_write(at.a, AAS_TABLES, SHAPE, p)};
	store_put(at.tx, aas_key(at, "policy", what, p->policy_name),
		application_autoscaling_rec_policy_encode(at.a, &r));
}

/* ── PutScalingPolicy ── */

static status check_steps(struct call *c, const struct application_autoscaling_step_scaling_policy_configuration *s)
{
	if (!s)
		return AAS_FAIL(
			c, VALIDATION, "StepScalingPolicyConfiguration is required for policies of type StepScaling");
	if (!str_has(s->adjustment_type)) return AAS_FAIL(c, VALIDATION, "AdjustmentType is required");
	if (!s->step_adjustments.n) return AAS_FAIL(c, VALIDATION, "At least one step adjustment must be specified");
	if (s->step_adjustments.n > AAS_STEPS_MAX)
		return AAS_FAIL(c, LIMIT_EXCEEDED, "A policy may have %d step adjustments at most", AAS_STEPS_MAX);
	for (size_t i = 0; i < s->step_adjustments.n; i++) {
		const struct application_autoscaling_step_adjustment *x = &s->step_adjustments.v[i];
		if (x->metric_interval_lower_bound.has && x->metric_interval_upper_bound.has &&
			x->metric_interval_lower_bound.v >= x->metric_interval_upper_bound.v)
			return AAS_FAIL(c, VALIDATION,
				"MetricIntervalUpperBound must be greater than MetricIntervalLowerBound");
	}
	return OK;
}

static status check_tracking(struct call *c, struct str dimension,
	const struct application_autoscaling_target_tracking_scaling_policy_configuration *t)
{
	if (!t)
		return AAS_FAIL(c, VALIDATION,
			"TargetTrackingScalingPolicyConfiguration is required for policies of type "
			"TargetTrackingScaling");
	if (!t->predefined_metric_specification == !t->customized_metric_specification)
		return AAS_FAIL(c, VALIDATION,
			"Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be "
			"specified");
	if (t->target_value.v <= 0) return AAS_FAIL(c, VALIDATION, "TargetValue must be greater than 0");
	const struct application_autoscaling_predefined_metric_specification *p = t->predefined_metric_specification;
	bool reads = str_ends(dimension, STR("ReadCapacityUnits"));
	struct str wanted = reads ? STR("DynamoDBReadCapacityUtilization") : STR("DynamoDBWriteCapacityUtilization");
	if (p && !str_eq(p->predefined_metric_type, wanted))
		return AAS_FAIL(c, VALIDATION,
			"PredefinedMetricType: %.*s is not compatible with scalable dimension: %.*s",
			STR_ARG(p->predefined_metric_type), STR_ARG(dimension));
	if (p && (t->target_value.v < 20 || t->target_value.v > 90))
		return AAS_FAIL(
			c, VALIDATION, "TargetValue must be between 20 and 90 for DynamoDB's capacity utilization");
	const struct application_autoscaling_customized_metric_specification *m = t->customized_metric_specification;
	if (m && !m->metrics.n && (!str_has(m->metric_name) || !str_has(m->namespace) || !str_has(m->statistic)))
		return AAS_FAIL(c, VALIDATION, "MetricName, Namespace and Statistic are required without Metrics");
	return OK;
}

/* In a transaction of its own; *capacity: what it has now. */
static status write(struct call *c, const struct application_autoscaling_put_scaling_policy_input *in,
	struct application_autoscaling_scaling_policy *p, struct application_autoscaling_scaling_policy *before)
{
	struct aas_target t;
	size_t n = 0;
	TRY(aas_target_find(c, in->service_namespace, in->resource_id, in->scalable_dimension, &t));
	status s = aas_policy_get(t.at, t.what, in->policy_name, p);
	bool fresh = status_is(s, STATUS_NOT_FOUND);
	if (!fresh) TRY(s);
	*before = *p;
	struct aas_each e = aas_each(t.at, "policy", t.what);
	while (aas_next(&e)) n++;
	TRY(aas_each_end(&e));
	if (fresh && n >= AAS_POLICIES_MAX)
		return AAS_FAIL(c, LIMIT_EXCEEDED, "A scalable target may have %d policies at most", AAS_POLICIES_MAX);
	struct str id =
		fresh ? rand_uuid(c->arena)
		      : str_sub(p->policy_arn, (size_t)str_find(p->policy_arn, STR(":scalingPolicy:")) + 15, 36);
	struct str type = str_or(in->policy_type, p->policy_type);
	if (!str_has(type)) return AAS_FAIL(c, VALIDATION, "PolicyType is required when a policy is created");
	struct opt_time created = fresh ? SOME_TIME(c->now_ms) : p->creation_time;
	*p = (struct application_autoscaling_scaling_policy){.creation_time = created};
	wire_shape_copy(c->arena, AAS_TABLES, APPLICATION_AUTOSCALING_SHAPE_PUT_SCALING_POLICY_REQUEST, in, AAS_TABLES,
		SHAPE, p);
	p->policy_type = type;
	p->policy_arn = str_fmt(c->arena,
		"arn:%.*s:autoscaling:%.*s:%.*s:scalingPolicy:%.*s:resource/%.*s/%.*s:policyName/%.*s",
		STR_ARG(c->partition), STR_ARG(c->region), STR_ARG(c->account), STR_ARG(id),
		STR_ARG(p->service_namespace), STR_ARG(p->resource_id), STR_ARG(p->policy_name));
	if (str_is(type, "PredictiveScaling"))
		return AAS_FAIL(
			c, VALIDATION, "Predictive scaling is not supported for the service namespace dynamodb");
	if (str_is(type, "TargetTrackingScaling")) {
		TRY(check_tracking(c, p->scalable_dimension, p->target_tracking_scaling_policy_configuration));
		aas_alarms_name(c, p, id);
	} else {
		TRY(check_steps(c, p->step_scaling_policy_configuration));
	}
	put(t.at, t.what, p);
	aas_target_put(&t);
	return OK;
}

static status undo(
	struct call *c, struct str what, struct str name, const struct application_autoscaling_scaling_policy *before)
{
	if (str_has(before->policy_name))
		put(aas_here(c), what, before);
	else
		store_delete(c->tx, aas_key(aas_here(c), "policy", what, name));
	return OK;
}

status application_autoscaling_put_scaling_policy(struct call *c,
	const struct application_autoscaling_put_scaling_policy_input *in,
	struct application_autoscaling_put_scaling_policy_output *out)
{
	struct application_autoscaling_scaling_policy p, before;
	store_ticket ticket = 0;
	struct str why = STR_NONE;
	int64_t capacity = 0;
	bool busy;
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
	if (before.alarms.n > p.alarms.n) aas_alarms_drop(c->cloud, c->arena, aas_here(c), &before);
	if (p.alarms.n) {
		s = aas_capacity(
			c->cloud, c->arena, aas_here(c), p.resource_id, p.scalable_dimension, &capacity, &busy);
		if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_LIMIT)) {
			why = STR("The resource is not there any more, or has no capacity that could be set");
			s = STATUS(FAILED);
		}
		if (is_ok(s)) s = aas_alarms_put(c->cloud, c->arena, aas_here(c), &p, capacity, &why);
	}
	if (status_is(s, STATUS_FAILED)) {
		struct str what = aas_what(c->arena, in->service_namespace, in->resource_id, in->scalable_dimension);
		status u;
		do {
			c->tx = store_begin(c->cloud->store, c->arena, false);
			u = undo(c, what, in->policy_name, &before);
			if (is_ok(u)) u = store_commit(c->tx, &ticket);
			store_end(c->tx);
			c->tx = NULL;
		} while (status_is(u, STATUS_CONFLICT));
		return AAS_FAIL(c, VALIDATION, "%.*s", STR_ARG(why));
	}
	TRY(s);
	out->policy_arn = p.policy_arn;
	out->alarms = p.alarms;
	VEC_PRESENT(c->arena, &out->alarms);
	return OK;
}

/* ── DeleteScalingPolicy ── */

status application_autoscaling_delete_scaling_policy(struct call *c,
	const struct application_autoscaling_delete_scaling_policy_input *in,
	struct application_autoscaling_delete_scaling_policy_output *out)
{
	struct aas_target t;
	struct application_autoscaling_scaling_policy p;
	(void)out;
	TRY(aas_target_find(c, in->service_namespace, in->resource_id, in->scalable_dimension, &t));
	status s = aas_policy_get(t.at, t.what, in->policy_name, &p);
	if (status_is(s, STATUS_NOT_FOUND))
		return AAS_FAIL(c, OBJECT_NOT_FOUND,
			"No scaling policy found for service namespace: %.*s, resource ID: %.*s, scalable dimension: "
			"%.*s: %.*s",
			STR_ARG(in->service_namespace), STR_ARG(in->resource_id), STR_ARG(in->scalable_dimension),
			STR_ARG(in->policy_name));
	TRY(s);
	if (p.alarms.n) aas_alarms_drop(c->cloud, c->arena, t.at, &p);
	store_delete(c->tx, aas_key(t.at, "policy", t.what, in->policy_name));
	aas_target_put(&t);
	return OK;
}

void aas_policies_drop(struct cloud *cloud, struct aas_target *t)
{
	struct aas_each e = aas_each(t->at, "policy", t->what);
	while (aas_next(&e)) {
		struct application_autoscaling_scaling_policy p;
		if (is_ok(aas_policy_get(t->at, t->what, e.name, &p)) && p.alarms.n)
			aas_alarms_drop(cloud, t->at.a, t->at, &p);
		store_delete(t->at.tx, aas_key(t->at, "policy", t->what, e.name));
	}
	(void)is_ok(aas_each_end(&e));
}

status application_autoscaling_describe_scaling_policies(struct call *c,
	const struct application_autoscaling_describe_scaling_policies_input *in,
	struct application_autoscaling_describe_scaling_policies_output *out)
{
	size_t capacity = 0;
	struct aas_each e = aas_each(aas_here(c), "policy", STR_NONE);
	status s = OK;
	while (is_ok(s) && aas_next(&e)) {
		struct application_autoscaling_scaling_policy p;
		bool named = !in->policy_names.n;
		for (size_t i = 0; i < in->policy_names.n; i++) named = named || str_eq(in->policy_names.v[i], e.name);
		if (!named || !aas_concerns(e.what, in->service_namespace, in->resource_id, in->scalable_dimension))
			continue;
		s = aas_policy_get(aas_here(c), e.what, e.name, &p);
		VEC_PRESENT(c->arena, &p.alarms);
		if (is_ok(s)) *VEC_PUSH(c->arena, &out->scaling_policies, &capacity) = p;
	}
	status end = aas_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->scaling_policies);
	return aas_page(c, &out->scaling_policies, sizeof(*out->scaling_policies.v), in->max_results, in->next_token,
		&out->next_token);
}
