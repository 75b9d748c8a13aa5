/* Which instance goes first ("Configure termination policies for Amazon EC2 Auto Scaling", the guide): the zone with
 * most instances, then the policies in their order, each of which leaves those that it would take. */
#include "base/rand.h"
#include "services/autoscaling/room.h"

struct choice {
	const struct as_group *g;
	const struct as_instances *all;
	bool *in; /* still in question */
	size_t n;
	int64_t now_ms;
};

/* Leaves those with the least value. */
static void least(struct choice *k, int64_t (*value)(const struct choice *k, const struct autoscaling_rec_instance *i))
{
	int64_t best = INT64_MAX;
	for (size_t i = 0; i < k->all->n; i++)
		if (k->in[i]) {
			int64_t v = value(k, &k->all->v[i]);
			if (v < best) best = v;
		}
	for (size_t i = 0; i < k->all->n; i++)
		if (k->in[i] && value(k, &k->all->v[i]) != best) {
			k->in[i] = false;
			k->n--;
		}
}

static int64_t age(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	(void)k;
	return i->launched.ms;
}

static int64_t youth(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	(void)k;
	return -i->launched.ms;
}

/* "Terminate instances that are closest to the next billing hour": those whose hour has least left. */
static int64_t hour(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	return 3600000 - (k->now_ms - i->launched.ms) % 3600000;
}

static int64_t configuration_age(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	struct autoscaling_launch_configuration l;
	if (!str_has(i->launch_configuration)) return INT64_MAX;
	/* One that was deleted is older than any that is there. */
	if (!is_ok(as_configuration_get(k->g->at, i->launch_configuration, &l))) return 0;
	return l.created_time.ms;
}

/* Instances of other templates than the group's first, then those of the oldest version. */
static int64_t template_age(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	const struct autoscaling_auto_scaling_group *g = &k->g->g;
	const struct autoscaling_launch_template_specification *t = g->launch_template;
	uint64_t version;
	if (g->mixed_instances_policy) t = g->mixed_instances_policy->launch_template->launch_template_specification;
	/* "Instances with launch configurations are terminated first, if the group uses a launch template." */
	if (!str_has(i->template_id)) return t ? 0 : INT64_MAX;
	bool same = t && (str_has(t->launch_template_id) ? str_eq(t->launch_template_id, i->template_id)
							 : str_eq(t->launch_template_name, i->template_name));
	if (!same || !is_ok(str_to_u64(i->template_version, &version))) return 1;
	return (int64_t)version + 1;
}

/* Of the purchase option of which there is too much. */
static int64_t allocation(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	const struct autoscaling_mixed_instances_policy *m = k->g->g.mixed_instances_policy;
	const struct autoscaling_instances_distribution *d = m ? m->instances_distribution : NULL;
	if (!m) return 0;
	int32_t on_demand = 0, all = 0;
	for (size_t n = 0; n < k->all->n; n++) {
		if (!as_counts(&k->all->v[n])) continue;
		all += as_weight(&k->all->v[n]);
		if (!k->all->v[n].spot.v) on_demand += as_weight(&k->all->v[n]);
	}
	int32_t base = d ? d->on_demand_base_capacity.v : 0;
	int32_t percent = d && d->on_demand_percentage_above_base_capacity.has
				  ? d->on_demand_percentage_above_base_capacity.v
				  : 100;
	int32_t above = all - 1 - base;
	int32_t wanted = base + (above > 0 ? (above * percent + 99) / 100 : 0);
	bool spot_goes = on_demand <= wanted;
	return i->spot.v == spot_goes ? 0 : 1;
}

static void apply(struct choice *k, struct str policy)
{
	if (str_is(policy, "OldestInstance")) least(k, age);
	if (str_is(policy, "NewestInstance")) least(k, youth);
	if (str_is(policy, "OldestLaunchConfiguration")) least(k, configuration_age);
	if (str_is(policy, "OldestLaunchTemplate")) least(k, template_age);
	if (str_is(policy, "ClosestToNextInstanceHour")) least(k, hour);
	if (str_is(policy, "AllocationStrategy")) least(k, allocation);
	if (str_is(policy, "Default")) {
		least(k, allocation);
		least(k, template_age);
		least(k, configuration_age);
		least(k, hour);
	}
}

static int32_t in_zone(const struct choice *k, struct str zone)
{
	int32_t n = 0;
	for (size_t i = 0; i < k->all->n; i++)
		if (as_counts(&k->all->v[i]) && str_eq(k->all->v[i].zone, zone)) n += as_weight(&k->all->v[i]);
	return n;
}

static int64_t crowded(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	/* Of zones that the group has left, before all others. */
	if (!as_has(k->g->g.availability_zones.v, k->g->g.availability_zones.n, i->zone)) return INT64_MIN;
	return -in_zone(k, i->zone);
}

static int64_t unready(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	(void)k;
	return str_is(i->state, "InService") ? 1 : 0;
}

static int64_t healthy(const struct choice *k, const struct autoscaling_rec_instance *i)
{
	(void)k;
	return i->healthy.v;
}

ptrdiff_t as_choose_victim(
	const struct as_group *g, const struct as_instances *all, const bool *excluded, int64_t now_ms)
{
	struct choice k = {.g = g, .all = all, .now_ms = now_ms, .in = arena_new_n(g->at.a, bool, all->n + 1)};
	for (size_t i = 0; i < all->n; i++) {
		const struct autoscaling_rec_instance *r = &all->v[i];
		k.in[i] = as_counts(r) && !r->protected.v && !r->extra.v && !(excluded && excluded[i]) && !r->ended.v;
		k.n += k.in[i];
	}
	if (!k.n) return -1;
	/* What does not serve yet, or not well, is missed by nobody. */
	least(&k, unready);
	least(&k, healthy);
	least(&k, crowded);
	for (size_t i = 0; i < g->g.termination_policies.n && k.n > 1; i++) apply(&k, g->g.termination_policies.v[i]);
	uint64_t pick = rand_below(k.n);
	for (size_t i = 0; i < all->n; i++)
		if (k.in[i] && pick-- == 0) return (ptrdiff_t)i;
	return -1;
}
