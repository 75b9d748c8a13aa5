/* Capacity: as many instances as are desired, spread over the zones ("Instance distribution" and "Rebalancing
 * activities", the guide). */
#include "services/autoscaling/room.h"

enum { ZONES_MAX = 32 };
struct counts {
	int32_t live, extra; /* weights that count; of them launched beyond what is desired, until they serve */
	size_t moving;       /* on their way in */
};

static struct counts count(const struct as_work *w)
{
	struct counts k = {0};
	for (size_t i = 0; i < w->all->n; i++) {
		const struct autoscaling_rec_instance *r = &w->all->v[i];
		if (!as_counts(r) || r->ended.v) continue;
		k.live += as_weight(r);
		if (r->extra.v) k.extra += as_weight(r);
		if (!str_is(r->state, "InService")) k.moving++;
	}
	for (size_t i = 0; i < w->launches->n; i++) {
		const struct autoscaling_rec_launch *l = &w->launches->v[i];
		int32_t weight = l->weight.has ? l->weight.v : 1;
		if (l->pool.v) continue;
		k.live += weight;
		if (l->extra.v) k.extra += weight;
		k.moving++;
	}
	return k;
}

/* ── zones ── */

static int32_t in_zone(const struct as_work *w, struct str zone, bool pool)
{
	int32_t n = 0;
	for (size_t i = 0; i < w->all->n; i++) {
		const struct autoscaling_rec_instance *r = &w->all->v[i];
		bool here = pool ? r->pool.v && !str_starts(r->state, STR("Warmed:Terminating")) : as_counts(r);
		if (here && !r->ended.v && str_eq(r->zone, zone)) n += as_weight(r);
	}
	for (size_t i = 0; i < w->launches->n; i++)
		if (w->launches->v[i].pool.v == pool && str_eq(w->launches->v[i].zone, zone))
			n += w->launches->v[i].weight.has ? w->launches->v[i].weight.v : 1;
	return n;
}

static int32_t in_subnet(const struct as_work *w, struct str subnet)
{
	int32_t n = 0;
	for (size_t i = 0; i < w->all->n; i++) n += as_counts(&w->all->v[i]) && str_eq(w->all->v[i].subnet, subnet);
	for (size_t i = 0; i < w->launches->n; i++) n += str_eq(w->launches->v[i].subnet, subnet);
	return n;
}

/* The last launch there failed, and it is not time to try again. */
static bool failing(const struct as_work *w, struct str zone)
{
	const struct autoscaling_rec_group *r = &w->g->r;
	return r->retry.has && r->retry.ms > w->now_ms && str_eq(r->failed_zone, zone);
}

/* The emptiest that is not failing; STR_NONE: all are. */
static struct str emptiest(const struct as_work *w, bool pool)
{
	struct str best = STR_NONE;
	int32_t least = INT32_MAX;
	for (size_t i = 0; i < w->g->g.availability_zones.n; i++) {
		struct str zone = w->g->g.availability_zones.v[i];
		int32_t n = in_zone(w, zone, pool);
		if (failing(w, zone) || n >= least) continue;
		least = n;
		best = zone;
	}
	return best;
}

static struct str subnet_in(struct as_work *w, struct str zone)
{
	struct str rest = w->g->g.vpc_zone_identifier, best = STR_NONE;
	int32_t least = INT32_MAX;
	while (str_has(rest) && !str_empty(rest)) {
		struct str subnet = str_trim(str_cut(&rest, ','));
		if (!str_eq(as_subnet_zone(w->g->at, subnet), zone)) continue;
		int32_t n = in_subnet(w, subnet);
		if (n >= least) continue;
		least = n;
		best = subnet;
	}
	return best;
}

/* ── launching ── */

status as_launch_one(struct as_work *w, struct as_want want)
{
	size_t before = w->launches->n;
	if (!str_has(want.zone)) want.zone = emptiest(w, want.pool);
	if (!str_has(want.zone)) {
		as_again(w, w->g->r.retry.ms);
		return STATUS(BUSY);
	}
	want.subnet = subnet_in(w, want.zone);
	status s = as_launch_plan(w->c, w->g, &want, w->now_ms);
	if (status_is(s, STATUS_FAILED)) {
		/* What it should launch is not there any more. */
		struct str message =
			str_fmt(w->g->at.a, "%.*s Launching EC2 instance failed.", STR_ARG(w->c->failure.message));
		struct as_activity act = as_activity_begin(w->g,
			str_fmt(w->g->at.a, "Launching a new EC2 instance.  Status Reason: %.*s", STR_ARG(message)),
			str_fmt(w->g->at.a, "At %.*s %.*s", STR_ARG(as_when(w->g->at.a, w->now_ms)), STR_ARG(want.why)),
			as_details(w->g->at.a, want.subnet, want.zone), w->now_ms);
		TRY(as_activity_set(w->g, act, STR("Failed"), 100, STR_NONE, message, w->now_ms));
		w->g->r.failures = SOME_I32(w->g->r.failures.v + 1);
		int32_t n = w->g->r.failures.v;
		w->g->r.retry = SOME_TIME(w->now_ms + (5000ll << (n < 6 ? n : 6)));
		w->g->r.failed_zone = STR_NONE;
		as_again(w, w->g->r.retry.ms);
		w->changed = true;
		return STATUS(BUSY);
	}
	TRY(s);
	w->changed = true;
	TRY(as_launches(w->g, w->launches));
	INVARIANT(w->launches->n == before + 1);
	return OK;
}

/* Everything fails everywhere: nothing is launched before it is time. */
static bool paused(struct as_work *w)
{
	const struct autoscaling_rec_group *r = &w->g->r;
	if (!r->retry.has || r->retry.ms <= w->now_ms) return false;
	if (str_has(r->failed_zone) && !str_empty(r->failed_zone) && str_has(emptiest(w, false))) return false;
	as_again(w, r->retry.ms);
	return true;
}

/* Of those that wait in the warm pool, one in the emptiest zone. NULL: nobody waits. */
static struct autoscaling_rec_instance *waiting(const struct as_work *w)
{
	struct autoscaling_rec_instance *best = NULL;
	int32_t least = INT32_MAX;
	for (size_t i = 0; i < w->all->n; i++) {
		struct autoscaling_rec_instance *r = &w->all->v[i];
		if (!str_is(r->state, "Warmed:Stopped") && !str_is(r->state, "Warmed:Running")) continue;
		int32_t n = in_zone(w, r->zone, false);
		if (n >= least) continue;
		least = n;
		best = r;
	}
	return best;
}

static void from_pool(struct as_work *w, struct autoscaling_rec_instance *r, int32_t of, int32_t to)
{
	struct as_group *g = w->g;
	struct arena *a = g->at.a;
	struct str cause = str_fmt(a,
		"%.*s%sAt %.*s an instance was started in response to a difference between desired and actual "
		"capacity, "
		"increasing the capacity from %d to %d.",
		STR_ARG(str_or(g->r.cause, STR(""))), str_has(g->r.cause) ? "  " : "", STR_ARG(as_when(a, w->now_ms)),
		of, to);
	struct as_activity act =
		as_activity_begin(g, str_fmt(a, "Launching a new EC2 instance from warm pool: %.*s", STR_ARG(r->id)),
			cause, as_details(a, r->subnet, r->zone), w->now_ms);
	r->activity = act.id;
	r->activity_at = SOME_TIME(act.at_ms);
	r->pool = SOME_BOOL(false);
	as_state(r, STR("Pending"), w->now_ms);
	as_instance_put(g, r);
	w->changed = true;
}

static status grow(struct as_work *w, int32_t live, int32_t desired)
{
	struct as_want want = {.why = str_fmt(w->g->at.a,
				       "an instance was started in response to a difference between desired and actual "
				       "capacity, increasing the capacity from %d to %d.",
				       live, desired)};
	if (as_suspended(w->g, "Launch") || paused(w)) return OK;
	for (;;) {
		struct counts k = count(w);
		if (k.live - k.extra >= desired) return OK;
		struct autoscaling_rec_instance *r = waiting(w);
		if (r) {
			from_pool(w, r, live, desired);
			continue;
		}
		status s = as_launch_one(w, want);
		if (status_is(s, STATUS_BUSY)) return OK;
		TRY(s);
	}
}

/* ── shrinking ── */

static status shrink(struct as_work *w, int32_t live, int32_t desired)
{
	struct as_group *g = w->g;
	bool *passed = arena_new_n(g->at.a, bool, w->all->n + 1);
	const struct autoscaling_warm_pool_configuration *pool = g->g.warm_pool_configuration;
	bool reuse = pool && pool->instance_reuse_policy && pool->instance_reuse_policy->reuse_on_scale_in.v;
	if (as_suspended(g, "Terminate")) return OK;
	for (;;) {
		struct counts k = count(w);
		int32_t over = k.live - k.extra - desired;
		if (over <= 0) return OK;
		ptrdiff_t v = as_choose_victim(g, w->all, passed, w->now_ms);
		if (v < 0) return OK; /* all are protected */
		struct autoscaling_rec_instance *i = &w->all->v[v];
		if (as_weight(i) > over) {
			passed[v] = true;
			continue;
		}
		struct str why = str_fmt(g->at.a,
			"an instance was taken out of service in response to a difference between desired and actual "
			"capacity, shrinking the capacity from %d to %d.  At %.*s instance %.*s was selected for "
			"termination.",
			live, desired, STR_ARG(as_when(g->at.a, w->now_ms)), STR_ARG(i->id));
		/* The group's own sentence comes first. */
		if (str_has(g->r.cause))
			why = str_fmt(g->at.a, "%.*s  At %.*s %.*s", STR_ARG(g->r.cause),
				STR_ARG(as_when(g->at.a, w->now_ms)), STR_ARG(why));
		if (reuse && str_is(i->state, "InService") && !g->r.deleting.v) i->reuse = SOME_BOOL(true);
		TRY(as_instance_end(w, i, why));
	}
}

/* ── rebalancing ── */

static status rebalance(struct as_work *w)
{
	struct as_group *g = w->g;
	struct str low = emptiest(w, false), high = STR_NONE;
	int32_t most = 0;
	struct str refreshing;
	/* A refresh moves instances too: one after the other. */
	TRY(as_refresh_mark_of(g, &refreshing));
	if (str_has(refreshing)) return OK;
	if (!str_has(low) || as_suspended(g, "AZRebalance") || as_suspended(g, "Launch") ||
		as_suspended(g, "Terminate"))
		return OK;
	if (w->g->r.retry.has && w->g->r.retry.ms > w->now_ms) {
		as_again(w, w->g->r.retry.ms);
		return OK;
	}
	int32_t least = in_zone(w, low, false);
	for (size_t i = 0; i < w->all->n; i++) {
		const struct autoscaling_rec_instance *r = &w->all->v[i];
		if (!as_counts(r) || r->ended.v || r->protected.v) continue;
		bool left = !as_has(g->g.availability_zones.v, g->g.availability_zones.n, r->zone);
		int32_t n = left ? INT32_MAX : in_zone(w, r->zone, false);
		if (n <= most) continue;
		most = n;
		high = r->zone;
	}
	if (!str_has(high) || most - least < 2) return OK;
	struct as_want want = {.zone = low,
		.extra = true,
		.why = str_fmt(g->at.a,
			"instances were launched to balance instances in zones %.*s with other zones resulting in more "
			"than "
			"desired number of instances in the group.",
			STR_ARG(high))};
	status s = as_launch_one(w, want);
	return status_is(s, STATUS_BUSY) ? OK : s;
}

status as_balance(struct as_work *w)
{
	struct as_group *g = w->g;
	int32_t desired = g->r.deleting.v ? 0 : g->g.desired_capacity.v;
	struct counts k = count(w);
	int32_t steady = k.live - k.extra;
	if (steady < desired) {
		TRY(grow(w, steady, desired));
	} else if (steady > desired) {
		TRY(shrink(w, steady, desired));
	} else if (!k.moving && !g->r.deleting.v) {
		TRY(rebalance(w));
	}
	k = count(w);
	/* The reason is told: what comes later has reasons of its own. */
	if (str_has(g->r.cause) && k.live - k.extra == desired) {
		g->r.cause = STR_NONE;
		w->changed = true;
	}
	return OK;
}
