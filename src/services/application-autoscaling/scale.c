/* Capacity of DynamoDB's tables and indexes: what it is, and how it gets to be what a policy, a schedule or the
 * target's bounds want. A job for each target sets it and waits until the table has it. */
#include "base/log.h"
#include "call/inside.h"
#include "dynamodb.h"
#include "services/application-autoscaling/room.h"
#include "services/cloudwatch/metrics.h"
#include <math.h>

enum { POLL_MS = 200, BUSY_MS = 1000, COOLDOWN_S = 300 };

struct str aas_unit(struct str dimension)
{
	return str_ends(dimension, STR("ReadCapacityUnits")) ? STR("read capacity units") : STR("write capacity units");
}

static struct str table_of(struct str resource, struct str *index)
{
	struct str rest = str_from(resource, 6);
	ptrdiff_t at = str_find(rest, STR("/index/"));
	*index = at > 0 ? str_from(rest, (size_t)at + 7) : STR_NONE;
	return at > 0 ? str_sub(rest, 0, (size_t)at) : rest;
}

/* Both halves of what is provisioned. */
static status look(struct cloud *cloud, struct arena *a, struct aas_place at, struct str resource, int64_t *reads,
	int64_t *writes, bool *busy)
{
	struct str index;
	struct dynamodb_describe_table_input in = {.table_name = table_of(resource, &index)};
	struct inside_caller who = inside_service(a, at.account, at.region, AAS_PRINCIPAL);
	struct inside *i = inside_run(cloud, &who, "dynamodb", DYNAMODB_OP_DESCRIBE_TABLE, &in, NULL);
	status s = STATUS(NOT_FOUND);
	const struct dynamodb_describe_table_output *out = i->ok ? i->out : NULL;
	const struct dynamodb_table_description *t = out ? out->table : NULL;
	const struct dynamodb_provisioned_throughput_description *p =
		t && !str_has(index) ? t->provisioned_throughput : NULL;
	bool found = t && !str_has(index);
	*busy = t && !str_is(t->table_status, "ACTIVE");
	for (size_t k = 0; t && str_has(index) && k < t->global_secondary_indexes.n; k++) {
		const struct dynamodb_global_secondary_index_description *g = &t->global_secondary_indexes.v[k];
		if (!str_eq(g->index_name, index)) continue;
		found = true;
		p = g->provisioned_throughput;
		*busy = *busy || !str_is(g->index_status, "ACTIVE");
	}
	if (found) {
		s = p && p->read_capacity_units.v > 0 ? OK : STATUS(LIMIT);
		*reads = p ? p->read_capacity_units.v : 0;
		*writes = p ? p->write_capacity_units.v : 0;
	}
	if (!i->ok && !str_is(i->code, "ResourceNotFoundException")) s = STATUS(IO);
	inside_free(i);
	return s;
}

status aas_capacity(struct cloud *cloud, struct arena *a, struct aas_place at, struct str resource,
	struct str dimension, int64_t *capacity, bool *busy)
{
	int64_t reads = 0, writes = 0;
	TRY(look(cloud, a, at, resource, &reads, &writes, busy));
	*capacity = str_ends(dimension, STR("ReadCapacityUnits")) ? reads : writes;
	return OK;
}

/* ── what is wanted ── */

void aas_want(struct aas_target *t, int32_t capacity, struct str why, int64_t now_ms)
{
	t->r.wanted = SOME_I32(capacity);
	aas_activity_begin(t, capacity, why, now_ms);
	aas_schedule(t->at, AAS_JOB_SCALE, t->what, STR_NONE, STR(""), now_ms);
}

void aas_bound(struct aas_target *t, int64_t current, struct str why, int64_t now_ms)
{
	if (current < t->s.min_capacity.v)
		aas_want(t, t->s.min_capacity.v, why, now_ms);
	else if (current > t->s.max_capacity.v)
		aas_want(t, t->s.max_capacity.v, why, now_ms);
}

/* ── setting it ── */

static struct inside *update(
	struct cloud *cloud, struct arena *a, const struct aas_target *t, int64_t reads, int64_t writes)
{
	struct str index;
	struct dynamodb_provisioned_throughput p = {SOME_I64(reads), SOME_I64(writes)};
	struct dynamodb_update_table_input in = {.table_name = table_of(t->s.resource_id, &index)};
	struct dynamodb_update_global_secondary_index_action action = {
		.index_name = index, .provisioned_throughput = &p};
	struct dynamodb_global_secondary_index_update one = {.update = &action};
	if (str_has(index))
		in.global_secondary_index_updates = (struct dynamodb_global_secondary_index_update_list){&one, 1};
	else
		in.provisioned_throughput = &p;
	struct inside_caller who = inside_service(a, t->at.account, t->at.region, AAS_PRINCIPAL);
	return inside_run(cloud, &who, "dynamodb", DYNAMODB_OP_UPDATE_TABLE, &in, NULL);
}

/* Alarms stand against what is provisioned. */
static void renew_alarms(struct cloud *cloud, struct aas_target *t, int64_t capacity)
{
	struct aas_each e = aas_each(t->at, "policy", t->what);
	struct str why;
	while (aas_next(&e)) {
		struct application_autoscaling_scaling_policy p;
		if (!is_ok(aas_policy_get(t->at, t->what, e.name, &p)) || !p.alarms.n) continue;
		if (!is_ok(aas_alarms_put(cloud, t->at.a, t->at, &p, capacity, &why)))
			log_warn("application-autoscaling", "alarms_stay", "policy=%.*s", STR_ARG(e.name));
	}
	(void)is_ok(aas_each_end(&e));
}

static status scale_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct aas_place at;
	struct str what, name, failed = STR_NONE;
	struct aas_target t;
	int64_t reads, writes, now = clock_now(cloud->clock);
	bool busy;
	TRY(aas_job_read(a, job, &at, &what, &name));
	at.tx = tx;
	status s = aas_target_load(at, what, &t);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!t.r.wanted.has) return OK;
	s = look(cloud, a, at, t.s.resource_id, &reads, &writes, &busy);
	if (is_ok(s) && busy) {
		*again_ms = now + POLL_MS;
		return OK;
	}
	bool reading = str_ends(t.s.scalable_dimension, STR("ReadCapacityUnits"));
	int64_t *half = reading ? &reads : &writes;
	if (is_ok(s) && *half != t.r.wanted.v) {
		*half = t.r.wanted.v;
		struct inside *i = update(cloud, a, &t, reads, writes);
		bool ok = i->ok,
		     later = str_is(i->code, "ResourceInUseException") || str_is(i->code, "LimitExceededException");
		failed = ok ? STR_NONE : str_dup(a, i->message);
		inside_free(i);
		if (ok || later) {
			*again_ms = now + (ok ? POLL_MS : BUSY_MS);
			return OK;
		}
	} else if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_LIMIT)) {
		failed = STR("The resource is not there any more, or has no capacity that could be set.");
	} else {
		TRY(s);
	}
	struct str unit = aas_unit(t.s.scalable_dimension);
	struct str told =
		str_has(failed) ? str_fmt(a, "Failed to set %.*s to %d. Reason: %.*s", STR_ARG(unit), t.r.wanted.v,
					  STR_ARG(failed))
				: str_fmt(a, "Successfully set %.*s to %d. Change successfully fulfilled by dynamodb.",
					  STR_ARG(unit), t.r.wanted.v);
	if (!str_has(failed)) renew_alarms(cloud, &t, t.r.wanted.v);
	t.r.wanted = (struct opt_i32){0};
	TRY(aas_activity_end(&t, !str_has(failed), told, now));
	aas_target_put(&t);
	return OK;
}

/* ── alarms ── */

/* …:resource/NAMESPACE/RESOURCE:policyName/NAME; the dimension is the policy's own. */
static bool find_policy(struct aas_place at, struct str arn, struct str *what, struct str *name)
{
	struct aas_each e = aas_each(at, "policy", STR_NONE);
	bool found = false;
	while (!found && aas_next(&e)) {
		struct application_autoscaling_scaling_policy p;
		found = is_ok(aas_policy_get(at, e.what, e.name, &p)) && str_eq(p.policy_arn, arn);
	}
	*what = e.what;
	*name = e.name;
	(void)is_ok(aas_each_end(&e));
	return found;
}

static void on_alarm(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	const struct metrics_alarm_action *m = e->detail;
	struct cloud *cloud = ctx;
	struct str what, name;
	struct arena a;
	(void)phase;
	if (str_find(m->action, STR(":scalingPolicy:")) < 0 || str_find(m->action, STR(":resource/")) < 0) return;
	arena_init(&a);
	struct aas_place at = {tx, &a, e->account, e->region};
	*m->taken = true;
	if (find_policy(at, m->action, &what, &name)) {
		struct application_autoscaling_rec_alarm r = {.policy = name, .alarm = m->alarm_name};
		if (m->has_value) {
			r.value = SOME_F64(m->value);
			r.threshold = SOME_F64(m->threshold);
		}
		aas_schedule(at, AAS_JOB_ALARM, what, name, application_autoscaling_rec_alarm_encode(&a, &r),
			clock_now(cloud->clock));
	} else if (m->error) {
		*m->error = STR("The scaling policy does not exist.");
	}
	arena_cleanup(&a);
}

static int64_t step(
	const struct application_autoscaling_step_scaling_policy_configuration *s, int64_t current, double delta)
{
	for (size_t i = 0; i < s->step_adjustments.n; i++) {
		const struct application_autoscaling_step_adjustment *x = &s->step_adjustments.v[i];
		const struct opt_f64 *lo = &x->metric_interval_lower_bound, *hi = &x->metric_interval_upper_bound;
		bool above = delta >= 0 && (!hi->has || hi->v > 0);
		if (lo->has && (above ? delta < lo->v : delta <= lo->v)) continue;
		if (hi->has && (above ? delta >= hi->v : delta > hi->v)) continue;
		int32_t by = x->scaling_adjustment.v;
		if (str_is(s->adjustment_type, "ExactCapacity")) return by;
		if (str_is(s->adjustment_type, "ChangeInCapacity")) return current + by;
		double change = (double)current * by / 100;
		int64_t whole = change > 0   ? (int64_t)fmax(1, floor(change))
				: change < 0 ? (int64_t)fmin(-1, ceil(change))
					     : 0;
		int32_t least = s->min_adjustment_magnitude.v;
		if (whole > 0 && whole < least) whole = least;
		if (whole < 0 && -whole < least) whole = -least;
		return current + whole;
	}
	return current;
}

static int64_t track(const struct application_autoscaling_target_tracking_scaling_policy_configuration *t,
	int64_t current, double value)
{
	double target = t->target_value.v;
	/* Of consumed units in a minute: what would be used to the target's share. */
	if (t->predefined_metric_specification) return (int64_t)ceil(value / 60 / (target / 100));
	return (int64_t)ceil((double)current * value / target);
}

static status alarm_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct aas_place at;
	struct str what, name;
	struct aas_target t;
	struct application_autoscaling_rec_alarm r = {0};
	struct application_autoscaling_scaling_policy p;
	int64_t current = 0, now = clock_now(cloud->clock), to;
	bool busy;
	(void)again_ms;
	TRY(aas_job_read(a, job, &at, &what, &name));
	TRY(application_autoscaling_rec_alarm_decode(a, str_dup(a, job->payload), &r));
	at.tx = tx;
	status s = aas_target_load(at, what, &t);
	if (is_ok(s)) s = aas_policy_get(at, what, r.policy, &p);
	if (is_ok(s)) s = aas_capacity(cloud, a, at, t.s.resource_id, t.s.scalable_dimension, &current, &busy);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_LIMIT)) return OK;
	TRY(s);
	/* One change at a time; while it lasts, the alarm asks again. */
	if (t.r.wanted.has || !r.value.has) return OK;
	const struct application_autoscaling_step_scaling_policy_configuration *steps =
		p.step_scaling_policy_configuration;
	const struct application_autoscaling_target_tracking_scaling_policy_configuration *tracks =
		p.target_tracking_scaling_policy_configuration;
	bool tracking = str_is(p.policy_type, "TargetTrackingScaling");
	to = tracking ? track(tracks, current, r.value.v) : step(steps, current, r.value.v - r.threshold.v);
	if (to < t.s.min_capacity.v) to = t.s.min_capacity.v;
	if (to > t.s.max_capacity.v) to = t.s.max_capacity.v;
	bool out = to > current;
	if (to == current || (tracking && tracks->disable_scale_in.v && !out)) return OK;
	const struct application_autoscaling_suspended_state *off = t.s.suspended_state;
	if (off && (out ? off->dynamic_scaling_out_suspended.v : off->dynamic_scaling_in_suspended.v)) return OK;
	/* "Cooldown periods", the guide: DynamoDB's are 0 where a tracking policy names none. */
	int32_t cooldown = tracking ? (out ? tracks->scale_out_cooldown.v : tracks->scale_in_cooldown.v)
				    : (steps->cooldown.has ? steps->cooldown.v : COOLDOWN_S);
	int64_t last = out ? t.r.last_out.ms : t.r.last_in.ms > t.r.last_out.ms ? t.r.last_in.ms : t.r.last_out.ms;
	if (last && last + cooldown * 1000ll > now) return OK;
	if (out)
		t.r.last_out = SOME_TIME(now);
	else
		t.r.last_in = SOME_TIME(now);
	aas_want(&t, (int32_t)to,
		str_fmt(a, "monitor alarm %.*s in state ALARM triggered policy %.*s", STR_ARG(r.alarm),
			STR_ARG(r.policy)),
		now);
	aas_target_put(&t);
	return OK;
}

void aas_scale_start(struct cloud *cloud)
{
	bus_subscribe(cloud->bus, BUS_COMMITTING, METRICS_ALARM_ACTION, on_alarm, cloud);
	jobs_register(cloud->jobs, AAS_JOB_SCALE, scale_job, cloud);
	jobs_register(cloud->jobs, AAS_JOB_ALARM, alarm_job, cloud);
	jobs_register(cloud->jobs, AAS_JOB_ACTION, aas_action_job, cloud);
}
