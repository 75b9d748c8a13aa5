/* Predictive scaling ("Predictive scaling for Amazon EC2 Auto Scaling", the guide): a forecast, hour by hour for two
 * days, of the load that a policy's metric tells of, by the model that anomaly bands have (cloudwatch/season.h), and
 * the capacity that it takes to keep the target. A policy that scales raises the desired capacity before each hour; it
 * never lowers it: "predictive scaling … does not scale in". Customized metrics are not built, and refused when the
 * policy is put. */
#include "call/inside.h"
#include "cloudwatch.h"
#include "services/autoscaling/policy.h"
#include "services/cloudwatch/metrics.h"
#include "services/cloudwatch/season.h"
#include <math.h>

#define JOB_FORECAST "autoscaling.forecast"
#define HOUR_S 3600ll
/* A day's hours are needed, "at least 24 hours of historical data"; as many as two days are told ahead. */
enum { HISTORY_HOURS = 14 * 24, LEAST_HOURS = 24, AHEAD_HOURS = 48, RANGE_HOURS = 30 * 24, BUFFER_S = 300 };

/* ── what is known ── */

static bool load_of(struct arena *a, const struct as_group *g,
	const struct autoscaling_predictive_scaling_metric_specification *s, struct metric *out)
{
	const struct autoscaling_predictive_scaling_predefined_metric_pair *pair =
		s->predefined_metric_pair_specification;
	const struct autoscaling_predictive_scaling_predefined_load_metric *load =
		s->predefined_load_metric_specification;
	struct str type = pair ? pair->predefined_metric_type : load ? load->predefined_metric_type : STR("");
	struct str label = pair ? pair->resource_label : load ? load->resource_label : STR_NONE;
	struct metric_dimension *d = arena_new_n(a, struct metric_dimension, 2);
	*out = (struct metric){g->at.account, g->at.region, STR("AWS/EC2"), STR("CPUUtilization"), d, 1};
	d[0] = (struct metric_dimension){STR("AutoScalingGroupName"), g->name};
	if (str_find(type, STR("NetworkIn")) >= 0) out->name = STR("NetworkIn");
	if (str_find(type, STR("NetworkOut")) >= 0) out->name = STR("NetworkOut");
	if (str_find(type, STR("RequestCount")) < 0) return type.n > 0;
	/* app/NAME/ID/targetgroup/NAME/ID */
	ptrdiff_t at = str_has(label) ? str_find(label, STR("/targetgroup/")) : -1;
	if (at < 0) return false;
	d[0] = (struct metric_dimension){STR("LoadBalancer"), str_sub(label, 0, (size_t)at)};
	d[1] = (struct metric_dimension){STR("TargetGroup"), str_from(label, (size_t)at + 1)};
	out->space = STR("AWS/ApplicationELB");
	out->name = STR("RequestCount");
	out->n_dimensions = 2;
	return true;
}

/* Of each hour, the mean of its minutes' sums: what all instances together carried. */
static status read_hours(
	struct as_place at, const struct metric *m, int64_t from_s, size_t hours, int64_t now_s, double *out)
{
	enum { MINUTES = 60 };
	struct metric_statistics *v = arena_new_n(at.a, struct metric_statistics, hours * MINUTES + 1);
	TRY(metrics_read(at.tx, at.a, m, from_s * 1000, 60, now_s * 1000, v, hours * MINUTES));
	for (size_t h = 0; h < hours; h++) {
		double sum = 0, n = 0;
		for (size_t i = 0; i < MINUTES; i++) {
			const struct metric_statistics *one = &v[h * MINUTES + i];
			bool past = from_s + (int64_t)h * HOUR_S + (int64_t)i * 60 < now_s;
			if (one->n <= 0 || !past) continue;
			sum += one->sum;
			n++;
		}
		out[h] = n > 0 ? sum / n : NAN;
	}
	return OK;
}

/* The same of a customized metric: the mean of its points within the hour. FAILED: it cannot be evaluated. */
static status read_custom(struct cloud *cloud, struct as_place at,
	const struct autoscaling_metric_data_queries *queries, int64_t from_s, size_t hours, int64_t now_s, double *out)
{
	double *n = arena_array(at.a, hours + 1, sizeof(*n));
	size_t capacity = 0;
	int64_t end_s = from_s + (int64_t)hours * HOUR_S;
	struct inside_caller who = inside_service(at.a, at.account, at.region, AS_PRINCIPAL);
	struct cloudwatch_get_metric_data_input in = {.start_time = SOME_TIME(from_s * 1000),
		.end_time = SOME_TIME((end_s < now_s ? end_s : now_s) * 1000),
		.scan_by = STR("TimestampAscending")};
	for (size_t i = 0; i < queries->n; i++) {
		struct cloudwatch_metric_data_query *q = VEC_PUSH(at.a, &in.metric_data_queries, &capacity);
		wire_shape_copy(at.a, AS_TABLES, AUTOSCALING_SHAPE_METRIC_DATA_QUERY, &queries->v[i],
			&wire_service_cloudwatch.tables, CLOUDWATCH_SHAPE_METRIC_DATA_QUERY, q);
		if (q->metric_stat) q->metric_stat->period = SOME_I32(60);
	}
	struct inside *done = inside_run(cloud, &who, "cloudwatch", CLOUDWATCH_OP_GET_METRIC_DATA, &in, NULL);
	const struct cloudwatch_get_metric_data_output *got = done->out;
	bool ok = done->ok && got->metric_data_results.n == 1;
	for (size_t i = 0; i < hours; i++) out[i] = 0;
	for (size_t i = 0; ok && i < got->metric_data_results.v[0].values.n; i++) {
		const struct cloudwatch_metric_data_result *r = &got->metric_data_results.v[0];
		int64_t h = (r->timestamps.v[i].ms / 1000 - from_s) / HOUR_S;
		if (h < 0 || h >= (int64_t)hours) continue;
		out[h] += r->values.v[i].v;
		n[h]++;
	}
	inside_free(done);
	for (size_t i = 0; i < hours; i++) out[i] = n[i] > 0 ? out[i] / n[i] : NAN;
	return ok ? OK : STATUS(FAILED);
}

/* hours values from from_s on: NaN where nothing can be said. */
static status forecast(struct cloud *cloud, const struct as_group *g,
	const struct autoscaling_predictive_scaling_metric_specification *spec, int64_t from_s, size_t hours,
	int64_t now_s, double *out)
{
	struct as_place at = g->at;
	struct metric m;
	size_t all = HISTORY_HOURS + hours, known = 0;
	double *v = arena_array(at.a, all, sizeof(*v)), *deviation = arena_array(at.a, hours + 1, sizeof(*deviation));
	struct cw_season season = {
		.from = from_s - HISTORY_HOURS * HOUR_S, .period = (int32_t)HOUR_S, .v = v, .n = all};
	status s = OK;
	if (spec->customized_load_metric_specification)
		s = read_custom(cloud, at, &spec->customized_load_metric_specification->metric_data_queries,
			season.from, all, now_s, v);
	else if (load_of(at.a, g, spec, &m))
		s = read_hours(at, &m, season.from, all, now_s, v);
	else
		s = STATUS(FAILED);
	if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
	for (size_t i = 0; is_ok(s) && i < HISTORY_HOURS; i++) known += !isnan(v[i]);
	if (is_ok(s)) cw_season_predict(&season, HISTORY_HOURS, out, deviation);
	for (size_t i = 0; i < hours; i++)
		if (known < LEAST_HOURS) out[i] = NAN;
	return OK;
}

/* What the load takes, within the bounds of the group. */
static double capacity_of(const struct as_group *g, const struct autoscaling_predictive_scaling_configuration *p,
	double load, double target)
{
	double most = g->g.max_size.v, n = ceil(load / target - 1e-9);
	if (str_is(str_or(p->max_capacity_breach_behavior, STR("")), "IncreaseMaxCapacity"))
		most = fmax(most, ceil(n * (1 + p->max_capacity_buffer.v / 100.0)));
	return fmax(g->g.min_size.v, fmin(n, most));
}

status as_forecast_check(struct call *c, const struct autoscaling_predictive_scaling_configuration *p)
{
	struct as_group none = {.name = STR("g")};
	struct metric m;
	if (p->metric_specifications.n != 1)
		return AS_FAIL(c, "Exactly one metric specification must be given for predictive scaling.");
	const struct autoscaling_predictive_scaling_metric_specification *s = &p->metric_specifications.v[0];
	if (s->customized_capacity_metric_specification)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Customized capacity metrics of predictive scaling are not implemented.");
	if (!(s->target_value.v > 0)) return AS_FAIL(c, "TargetValue must be greater than 0.");
	if ((s->customized_load_metric_specification != NULL) != (s->customized_scaling_metric_specification != NULL))
		return AS_FAIL(c, "A customized load metric and a scaling metric must be given together.");
	if (s->customized_load_metric_specification)
		return s->predefined_metric_pair_specification || s->predefined_load_metric_specification
			       ? AS_FAIL(c, "Predefined and customized metrics cannot be given together.")
			       : OK;
	if ((s->predefined_metric_pair_specification != NULL) == (s->predefined_load_metric_specification != NULL))
		return AS_FAIL(
			c, "Either a predefined metric pair or a load metric and a scaling metric must be given.");
	if (s->predefined_load_metric_specification && !s->predefined_scaling_metric_specification)
		return AS_FAIL(c, "A load metric and a scaling metric must be given together.");
	if (!load_of(c->arena, &none, s, &m)) return AS_FAIL(c, "The resource label of the metric is malformed.");
	return OK;
}

/* ── GetPredictiveScalingForecast ── */

static int64_t hour_of(int64_t ms)
{
	return ms / 1000 / HOUR_S * HOUR_S;
}

status autoscaling_get_predictive_scaling_forecast(struct call *c,
	const struct autoscaling_get_predictive_scaling_forecast_input *in,
	struct autoscaling_get_predictive_scaling_forecast_output *out)
{
	struct as_group g;
	struct as_policy p;
	int64_t now_s = c->now_ms / 1000, from = hour_of(in->start_time.ms + HOUR_S * 1000 - 1),
		to = hour_of(in->end_time.ms);
	size_t capacity = 0, at = 0, values = 0, capacity_at = 0, capacities = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	status s = as_policy_get(g.at, g.name, in->policy_name, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return AS_FAIL(c, "Policy name not found: %.*s", STR_ARG(in->policy_name));
	TRY(s);
	if (!p.p.predictive_scaling_configuration)
		return AS_FAIL(c, "Policy %.*s is not a predictive scaling policy.", STR_ARG(in->policy_name));
	if (in->start_time.ms >= in->end_time.ms) return AS_FAIL(c, "StartTime must be before EndTime.");
	if ((in->end_time.ms - in->start_time.ms) / 1000 > RANGE_HOURS * HOUR_S)
		return AS_FAIL(c, "The time range must not be longer than 30 days.");
	if (to > hour_of(c->now_ms) + AHEAD_HOURS * HOUR_S) to = hour_of(c->now_ms) + AHEAD_HOURS * HOUR_S;
	size_t hours = to >= from ? (size_t)((to - from) / HOUR_S) + 1 : 0;
	const struct autoscaling_predictive_scaling_configuration *k = p.p.predictive_scaling_configuration;
	struct autoscaling_predictive_scaling_metric_specification *spec = &k->metric_specifications.v[0];
	struct autoscaling_load_forecast *load = VEC_PUSH(c->arena, &out->load_forecast, &capacity);
	out->capacity_forecast = arena_new(c->arena, struct autoscaling_capacity_forecast);
	out->update_time = SOME_TIME(hour_of(c->now_ms) * 1000);
	load->metric_specification = spec;
	VEC_PRESENT(c->arena, &load->timestamps);
	VEC_PRESENT(c->arena, &load->values);
	VEC_PRESENT(c->arena, &out->capacity_forecast->timestamps);
	VEC_PRESENT(c->arena, &out->capacity_forecast->values);
	double *v = arena_array(c->arena, hours + 1, sizeof(*v));
	TRY(forecast(c->cloud, &g, spec, from, hours, now_s, v));
	for (size_t i = 0; i < hours; i++) {
		if (isnan(v[i])) continue;
		struct opt_time when = SOME_TIME((from + (int64_t)i * HOUR_S) * 1000);
		*VEC_PUSH(c->arena, &load->timestamps, &at) = when;
		*VEC_PUSH(c->arena, &load->values, &values) = SOME_F64(v[i]);
		*VEC_PUSH(c->arena, &out->capacity_forecast->timestamps, &capacity_at) = when;
		*VEC_PUSH(c->arena, &out->capacity_forecast->values, &capacities) =
			SOME_F64(capacity_of(&g, k, v[i], spec->target_value.v));
	}
	return OK;
}

/* ── scaling ahead ── */

static bool scales(const struct autoscaling_scaling_policy *p)
{
	return p->predictive_scaling_configuration && (!p->enabled.has || p->enabled.v) &&
	       str_is(str_or(p->predictive_scaling_configuration->mode, STR("")), "ForecastAndScale");
}

/* Before the hour that comes, by the policy's buffer. */
static int64_t next_look(const struct autoscaling_scaling_policy *p, int64_t now_ms)
{
	const struct opt_i32 *buffer = &p->predictive_scaling_configuration->scheduling_buffer_time;
	int64_t before = (buffer->has ? buffer->v : BUFFER_S) % HOUR_S * 1000,
		next = (hour_of(now_ms) + HOUR_S) * 1000 - before;
	return next > now_ms ? next : next + HOUR_S * 1000;
}

void as_forecast_schedule(
	struct as_place at, struct str group, const struct autoscaling_scaling_policy *p, int64_t now_ms)
{
	if (!scales(p)) return;
	struct job job = {.kind = STR(JOB_FORECAST),
		.id = as_job_id(at, group, p->policy_name),
		.due_ms = next_look(p, now_ms),
		.payload = STR("")};
	jobs_schedule(at.tx, &job);
}

static status forecast_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct as_place at;
	struct str group, name;
	struct as_group g;
	struct as_policy p;
	int64_t now_ms = clock_now(cloud->clock), hour = hour_of(now_ms) + HOUR_S;
	double load;
	TRY(as_job_read(tx, a, job, &at, &group, &name));
	status s = as_group_load(at, group, &g);
	if (is_ok(s)) s = as_policy_get(at, group, name, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!scales(&p.p)) return OK;
	*again_ms = next_look(&p.p, now_ms);
	const struct autoscaling_predictive_scaling_configuration *k = p.p.predictive_scaling_configuration;
	if (g.r.deleting.v) return OK;
	TRY(forecast(cloud, &g, &k->metric_specifications.v[0], hour, 1, now_ms / 1000, &load));
	if (isnan(load)) return OK;
	int32_t wanted = (int32_t)fmin(capacity_of(&g, k, load, k->metric_specifications.v[0].target_value.v), 1e6);
	if (wanted <= g.g.desired_capacity.v) return OK;
	if (wanted > g.g.max_size.v) g.g.max_size = SOME_I32(wanted);
	as_desire(&g, wanted, str_fmt(a, "a predictive scaling forecast of policy %.*s", STR_ARG(name)), now_ms);
	as_group_put(&g);
	as_group_poke(&g, now_ms);
	return OK;
}

void as_forecast_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, JOB_FORECAST, forecast_job, cloud);
}
