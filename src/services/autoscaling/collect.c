/* A group's own metrics ("Amazon EC2 Auto Scaling metrics", the guide): told to CloudWatch each minute, once they are
 * enabled. */
#include "services/autoscaling/room.h"
#include "services/cloudwatch/metrics.h"

enum { MINUTE_MS = 60000 };
static const char *const names[] = {"GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances",
	"GroupPendingInstances", "GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances",
	"GroupInServiceCapacity", "GroupPendingCapacity", "GroupStandbyCapacity", "GroupTerminatingCapacity",
	"GroupTotalCapacity", "WarmPoolDesiredCapacity", "WarmPoolWarmedCapacity", "WarmPoolPendingCapacity",
	"WarmPoolTerminatingCapacity", "WarmPoolTotalCapacity", "GroupAndWarmPoolDesiredCapacity",
	"GroupAndWarmPoolTotalCapacity", NULL};

static double count(const struct as_instances *all, const char *state, bool pool, bool weighted)
{
	double n = 0;
	for (size_t i = 0; i < all->n; i++) {
		const struct autoscaling_rec_instance *r = &all->v[i];
		if (r->pool.v != pool || (state && str_find(r->state, str_c(state)) < 0)) continue;
		n += weighted ? as_weight(r) : 1;
	}
	return n;
}

static double warmed(const struct as_instances *all)
{
	return count(all, "Stopped", true, true) + count(all, "Running", true, true);
}

static double value_of(const struct as_group *g, const struct as_instances *all, struct str name)
{
	const char *state = NULL;
	bool pool = str_starts(name, STR("WarmPool")), weighted = str_ends(name, STR("Capacity"));
	int32_t size = as_pool_size(g);
	if (str_is(name, "GroupMinSize")) return g->g.min_size.v;
	if (str_is(name, "GroupMaxSize")) return g->g.max_size.v;
	if (str_is(name, "GroupDesiredCapacity")) return g->g.desired_capacity.v;
	if (str_is(name, "WarmPoolDesiredCapacity")) return size;
	if (str_is(name, "WarmPoolWarmedCapacity")) return warmed(all);
	if (str_is(name, "GroupAndWarmPoolDesiredCapacity")) return g->g.desired_capacity.v + size;
	if (str_is(name, "GroupAndWarmPoolTotalCapacity"))
		return count(all, NULL, false, true) + count(all, NULL, true, true);
	if (str_find(name, STR("InService")) > 0) state = "InService";
	if (str_find(name, STR("Pending")) > 0) state = "Pending";
	if (str_find(name, STR("Standby")) > 0) state = "Standby";
	if (str_find(name, STR("Terminating")) > 0) state = "Terminating";
	return count(all, state, pool, weighted);
}

status as_collect(struct as_work *w)
{
	struct as_group *g = w->g;
	const struct autoscaling_enabled_metrics *on = &g->g.enabled_metrics;
	struct metric_dimension d = {STR("AutoScalingGroupName"), g->name};
	int64_t minute = w->now_ms / MINUTE_MS * MINUTE_MS;
	if (!on->n) return OK;
	as_again(w, minute + MINUTE_MS);
	if (g->r.measured.has && g->r.measured.ms >= minute) return OK;
	struct metric *metrics = arena_new_n(g->at.a, struct metric, on->n);
	struct metric_point *points = arena_new_n(g->at.a, struct metric_point, on->n);
	for (size_t i = 0; i < on->n; i++) {
		metrics[i] =
			(struct metric){g->at.account, g->at.region, STR("AWS/AutoScaling"), on->v[i].metric, &d, 1};
		points[i] = (struct metric_point){
			.metric = &metrics[i], .at_ms = w->now_ms, .value = value_of(g, w->all, on->v[i].metric)};
	}
	g->r.measured = SOME_TIME(minute);
	return metrics_put_in(g->at.tx, g->at.a, points, on->n, w->now_ms);
}

/* ── EnableMetricsCollection, DisableMetricsCollection ── */

static status chosen(struct call *c, const struct autoscaling_metrics *in, struct autoscaling_metrics *out)
{
	size_t capacity = 0;
	*out = *in;
	for (size_t i = 0; i < in->n; i++)
		if (!as_in(in->v[i], names)) return AS_FAIL(c, "Metric %.*s is not supported.", STR_ARG(in->v[i]));
	if (!in->n)
		for (const char *const *n = names; *n; n++) *VEC_PUSH(c->arena, out, &capacity) = str_c(*n);
	return OK;
}

status autoscaling_enable_metrics_collection(
	struct call *c, const struct autoscaling_enable_metrics_collection_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct autoscaling_metrics list;
	struct autoscaling_enabled_metrics now = {0};
	size_t capacity = 0;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(chosen(c, &in->metrics, &list));
	if (!str_is(in->granularity, "1Minute"))
		return AS_FAIL(c, "Granularity %.*s is not supported. The only valid value is 1Minute.",
			STR_ARG(in->granularity));
	for (size_t i = 0; i < g.g.enabled_metrics.n; i++)
		*VEC_PUSH(c->arena, &now, &capacity) = g.g.enabled_metrics.v[i];
	for (size_t i = 0; i < list.n; i++) {
		bool has = false;
		for (size_t k = 0; k < now.n; k++) has = has || str_eq(now.v[k].metric, list.v[i]);
		if (!has)
			*VEC_PUSH(c->arena, &now, &capacity) =
				(struct autoscaling_enabled_metric){list.v[i], STR("1Minute")};
	}
	g.g.enabled_metrics = now;
	as_group_change(c, &g);
	return OK;
}

status autoscaling_disable_metrics_collection(
	struct call *c, const struct autoscaling_disable_metrics_collection_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct autoscaling_metrics list;
	struct autoscaling_enabled_metrics left = {0};
	size_t capacity = 0;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(chosen(c, &in->metrics, &list));
	for (size_t i = 0; i < g.g.enabled_metrics.n; i++)
		if (!as_has(list.v, list.n, g.g.enabled_metrics.v[i].metric))
			*VEC_PUSH(c->arena, &left, &capacity) = g.g.enabled_metrics.v[i];
	g.g.enabled_metrics = left;
	as_group_change(c, &g);
	return OK;
}

status autoscaling_describe_metric_collection_types(
	struct call *c, const struct wire_nothing *in, struct autoscaling_describe_metric_collection_types_output *out)
{
	size_t capacity = 0, granularities = 0;
	(void)in;
	for (const char *const *n = names; *n; n++) VEC_PUSH(c->arena, &out->metrics, &capacity)->metric = str_c(*n);
	VEC_PUSH(c->arena, &out->granularities, &granularities)->granularity = STR("1Minute");
	return OK;
}
