/* What brings traffic to a group's instances: target groups of Elastic Load Balancing and Classic Load Balancers.
 * Attaching is a wish that balancers.c fulfils; "traffic sources" are both by a newer name. */
#include "call/inside.h"
#include "elb.h"
#include "elbv2.h"
#include "services/autoscaling/room.h"

enum { PER_CALL_MAX = 10 };

bool as_is_classic(struct str source)
{
	return str_chr(source, ':') < 0;
}

struct as_sources as_sources_of(const struct as_group *g, struct arena *a)
{
	struct as_sources out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < g->g.target_group_ar_ns.n; i++)
		*VEC_PUSH(a, &out, &capacity) = g->g.target_group_ar_ns.v[i];
	for (size_t i = 0; i < g->g.load_balancer_names.n; i++)
		*VEC_PUSH(a, &out, &capacity) = g->g.load_balancer_names.v[i];
	return out;
}

static void sources_set(struct as_group *g, const struct as_sources *all)
{
	size_t targets = 0, classic = 0;
	g->g.target_group_ar_ns = (struct autoscaling_target_group_ar_ns){0};
	g->g.load_balancer_names = (struct autoscaling_load_balancer_names){0};
	for (size_t i = 0; i < all->n; i++) {
		if (as_is_classic(all->v[i]))
			*VEC_PUSH(g->at.a, &g->g.load_balancer_names, &classic) = all->v[i];
		else
			*VEC_PUSH(g->at.a, &g->g.target_group_ar_ns, &targets) = all->v[i];
	}
}

static void add(struct arena *a, struct as_sources *list, struct str name)
{
	if (as_has(list->v, list->n, name)) return;
	struct str *v = arena_new_n(a, struct str, list->n + 1);
	for (size_t i = 0; i < list->n; i++) v[i] = list->v[i];
	v[list->n] = name;
	*list = (struct as_sources){v, list->n + 1};
}

/* ── what may be attached ── */

static status exist(struct call *c, const char *service, uint32_t op, const void *in, const char *what)
{
	struct inside_caller who = inside_service(c->arena, c->account, c->region, AS_PRINCIPAL);
	struct inside *i = inside_run(c->cloud, &who, service, op, in, NULL);
	status s = OK;
	if (!i->ok && str_is(i->code, "NotImplemented"))
		s = call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what);
	else if (!i->ok)
		s = AS_FAIL(c, "Provided %s may not be valid. Please ensure they exist and try again.", what);
	inside_free(i);
	return s;
}

static status check(struct call *c, const struct as_sources *all)
{
	struct as_sources targets = {0}, classic = {0};
	for (size_t i = 0; i < all->n; i++) add(c->arena, as_is_classic(all->v[i]) ? &classic : &targets, all->v[i]);
	struct elbv2_describe_target_groups_input of_targets = {.target_group_arns = {targets.v, targets.n}};
	struct elb_describe_load_balancers_input of_classic = {.load_balancer_names = {classic.v, classic.n}};
	if (targets.n) TRY(exist(c, "elbv2", ELBV2_OP_DESCRIBE_TARGET_GROUPS, &of_targets, "Target Groups"));
	if (classic.n) TRY(exist(c, "elb", ELB_OP_DESCRIBE_LOAD_BALANCERS, &of_classic, "Load Balancers"));
	return OK;
}

/* "Quotas for Auto Scaling resources and groups". */
static status check_number(struct call *c, const struct as_group *g)
{
	if (g->g.target_group_ar_ns.n > AS_TARGET_GROUPS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT, "You may only attach up to %d target groups.",
			AS_TARGET_GROUPS_MAX);
	if (g->g.load_balancer_names.n > AS_BALANCERS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"You may only attach up to %d load balancers.", AS_BALANCERS_MAX);
	return OK;
}

static status sources_named(struct call *c, const struct autoscaling_traffic_sources *in, struct as_sources *out)
{
	*out = (struct as_sources){0};
	for (size_t i = 0; i < in->n; i++) {
		struct str type = in->v[i].type, name = in->v[i].identifier;
		/* "Required if the identifier is the name of a Classic Load Balancer" (TrafficSourceIdentifier). */
		if (!str_has(type)) type = str_find(name, STR(":targetgroup/")) >= 0 ? STR("elbv2") : STR("");
		if (str_is(type, "vpc-lattice"))
			return call_fail(
				c, ERR_NOT_IMPLEMENTED, "Traffic sources of type vpc-lattice are not implemented.");
		if (str_is(type, "elb") ? !as_is_classic(name) : !str_is(type, "elbv2") || as_is_classic(name))
			return AS_FAIL(
				c, "Traffic source %.*s of type '%.*s' is not valid.", STR_ARG(name), STR_ARG(type));
		add(c->arena, out, name);
	}
	return OK;
}

status as_sources_check(struct call *c, struct as_group *g)
{
	struct as_sources all = as_sources_of(g, c->arena), more;
	for (size_t i = 0; i < g->g.target_group_ar_ns.n; i++)
		if (as_is_classic(g->g.target_group_ar_ns.v[i]))
			return AS_FAIL(
				c, "Provided Target Groups may not be valid. Please ensure they exist and try again.");
	for (size_t i = 0; i < g->g.load_balancer_names.n; i++)
		if (!as_is_classic(g->g.load_balancer_names.v[i]))
			return AS_FAIL(
				c, "Provided Load Balancers may not be valid. Please ensure they exist and try again.");
	TRY(sources_named(c, &g->g.traffic_sources, &more));
	for (size_t i = 0; i < more.n; i++) add(c->arena, &all, more.v[i]);
	sources_set(g, &all);
	g->g.traffic_sources = (struct autoscaling_traffic_sources){0};
	/* "Load balancers also have an InService state if you attach them in the CreateAutoScalingGroup API call"
	 * (DescribeLoadBalancers). */
	g->r.from_start = (struct autoscaling_rec_strings){all.v, all.n};
	TRY(check_number(c, g));
	return check(c, &all);
}

/* ── attached and detached ── */

static status attach(struct call *c, struct str name, const struct as_sources *given)
{
	struct as_group g;
	TRY(as_group_find(c, name, &g));
	TRY(check(c, given));
	struct as_sources all = as_sources_of(&g, c->arena);
	for (size_t i = 0; i < given->n; i++) add(c->arena, &all, given->v[i]);
	sources_set(&g, &all);
	TRY(check_number(c, &g));
	as_group_change(c, &g);
	return OK;
}

static status detach(struct call *c, struct str name, const struct as_sources *given, const char *what)
{
	struct as_group g;
	struct as_sources left = {0}, from_start = {0};
	TRY(as_group_find(c, name, &g));
	struct as_sources all = as_sources_of(&g, c->arena);
	for (size_t i = 0; i < given->n; i++)
		if (!as_has(all.v, all.n, given->v[i]))
			return AS_FAIL(c, "Trying to remove %s that are not part of the group", what);
	for (size_t i = 0; i < all.n; i++)
		if (!as_has(given->v, given->n, all.v[i])) add(c->arena, &left, all.v[i]);
	for (size_t i = 0; i < g.r.from_start.n; i++)
		if (as_has(left.v, left.n, g.r.from_start.v[i])) add(c->arena, &from_start, g.r.from_start.v[i]);
	sources_set(&g, &left);
	g.r.from_start = (struct autoscaling_rec_strings){from_start.v, from_start.n};
	as_group_change(c, &g);
	return OK;
}

static status take(
	struct call *c, const struct str *v, size_t n, bool classic, const char *what, struct as_sources *out)
{
	*out = (struct as_sources){0};
	if (n > PER_CALL_MAX) return AS_FAIL(c, "You may only specify up to %d %s in one request.", PER_CALL_MAX, what);
	for (size_t i = 0; i < n; i++) {
		if (as_is_classic(v[i]) != classic)
			return AS_FAIL(
				c, "Provided %s may not be valid. Please ensure they exist and try again.", what);
		add(c->arena, out, v[i]);
	}
	return OK;
}

status autoscaling_attach_load_balancer_target_groups(struct call *c,
	const struct autoscaling_attach_load_balancer_target_groups_input *in,
	struct autoscaling_attach_load_balancer_target_groups_output *out)
{
	struct as_sources given;
	(void)out;
	TRY(take(c, in->target_group_ar_ns.v, in->target_group_ar_ns.n, false, "Target Groups", &given));
	return attach(c, in->auto_scaling_group_name, &given);
}

status autoscaling_detach_load_balancer_target_groups(struct call *c,
	const struct autoscaling_detach_load_balancer_target_groups_input *in,
	struct autoscaling_detach_load_balancer_target_groups_output *out)
{
	struct as_sources given;
	(void)out;
	TRY(take(c, in->target_group_ar_ns.v, in->target_group_ar_ns.n, false, "Target Groups", &given));
	return detach(c, in->auto_scaling_group_name, &given, "Target Groups");
}

status autoscaling_attach_load_balancers(struct call *c, const struct autoscaling_attach_load_balancers_input *in,
	struct autoscaling_attach_load_balancers_output *out)
{
	struct as_sources given;
	(void)out;
	TRY(take(c, in->load_balancer_names.v, in->load_balancer_names.n, true, "Load Balancers", &given));
	return attach(c, in->auto_scaling_group_name, &given);
}

status autoscaling_detach_load_balancers(struct call *c, const struct autoscaling_detach_load_balancers_input *in,
	struct autoscaling_detach_load_balancers_output *out)
{
	struct as_sources given;
	(void)out;
	TRY(take(c, in->load_balancer_names.v, in->load_balancer_names.n, true, "Load Balancers", &given));
	return detach(c, in->auto_scaling_group_name, &given, "Load Balancers");
}

status autoscaling_attach_traffic_sources(struct call *c, const struct autoscaling_attach_traffic_sources_input *in,
	struct autoscaling_attach_traffic_sources_output *out)
{
	struct as_sources given;
	(void)out;
	TRY(sources_named(c, &in->traffic_sources, &given));
	return attach(c, in->auto_scaling_group_name, &given);
}

status autoscaling_detach_traffic_sources(struct call *c, const struct autoscaling_detach_traffic_sources_input *in,
	struct autoscaling_detach_traffic_sources_output *out)
{
	struct as_sources given;
	(void)out;
	TRY(sources_named(c, &in->traffic_sources, &given));
	return detach(c, in->auto_scaling_group_name, &given, "Traffic Sources");
}

/* ── described ── */

/* "Adding - … instances are being registered", "Added - … all are registered", "InService - at least one passes its
 * health checks", "Removing - … are being deregistered" (the reference); what is removed is no longer described. */
static struct str state_of(const struct as_group *g, const struct as_instances *all, struct str name, bool attached)
{
	size_t serving = 0, registered = 0, passed = 0;
	if (!attached) return STR("Removing");
	if (as_has(g->r.from_start.v, g->r.from_start.n, name)) return STR("InService");
	for (size_t i = 0; i < all->n; i++) {
		if (!str_is(all->v[i].state, "InService")) continue;
		serving++;
		registered += as_has(all->v[i].registered.v, all->v[i].registered.n, name);
		passed += as_has(all->v[i].passed.v, all->v[i].passed.n, name);
	}
	return serving > registered ? STR("Adding") : passed ? STR("InService") : STR("Added");
}

struct seen_source {
	struct str name, state;
};
struct seen_sources {
	struct seen_source *v;
	size_t n;
};

/* Those of a kind: attached, and on their way out. */
static status see(struct call *c, struct str group, bool classic, struct seen_sources *out)
{
	struct as_group g;
	struct as_instances all;
	size_t capacity = 0;
	*out = (struct seen_sources){0};
	TRY(as_group_find(c, group, &g));
	TRY(as_instances(&g, &all));
	struct as_sources now = as_sources_of(&g, c->arena), names = now;
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k < all.v[i].registered.n; k++) add(c->arena, &names, all.v[i].registered.v[k]);
	for (size_t i = 0; i < names.n; i++)
		if (as_is_classic(names.v[i]) == classic)
			*VEC_PUSH(c->arena, out, &capacity) = (struct seen_source){
				names.v[i], state_of(&g, &all, names.v[i], as_has(now.v, now.n, names.v[i]))};
	return OK;
}

status autoscaling_describe_load_balancer_target_groups(struct call *c,
	const struct autoscaling_describe_load_balancer_target_groups_input *in,
	struct autoscaling_describe_load_balancer_target_groups_output *out)
{
	struct seen_sources seen;
	size_t capacity = 0;
	TRY(see(c, in->auto_scaling_group_name, false, &seen));
	for (size_t i = 0; i < seen.n; i++)
		*VEC_PUSH(c->arena, &out->load_balancer_target_groups, &capacity) =
			(struct autoscaling_load_balancer_target_group_state){seen.v[i].name, seen.v[i].state};
	VEC_PRESENT(c->arena, &out->load_balancer_target_groups);
	return as_page(c, &out->load_balancer_target_groups, sizeof(*out->load_balancer_target_groups.v),
		in->max_records, 100, in->next_token, &out->next_token);
}

status autoscaling_describe_load_balancers(struct call *c, const struct autoscaling_describe_load_balancers_input *in,
	struct autoscaling_describe_load_balancers_output *out)
{
	struct seen_sources seen;
	size_t capacity = 0;
	TRY(see(c, in->auto_scaling_group_name, true, &seen));
	for (size_t i = 0; i < seen.n; i++)
		*VEC_PUSH(c->arena, &out->load_balancers, &capacity) =
			(struct autoscaling_load_balancer_state){seen.v[i].name, seen.v[i].state};
	VEC_PRESENT(c->arena, &out->load_balancers);
	return as_page(c, &out->load_balancers, sizeof(*out->load_balancers.v), in->max_records, 100, in->next_token,
		&out->next_token);
}

status autoscaling_describe_traffic_sources(struct call *c, const struct autoscaling_describe_traffic_sources_input *in,
	struct autoscaling_describe_traffic_sources_output *out)
{
	size_t capacity = 0;
	for (int classic = 0; classic < 2; classic++) {
		struct str type = classic ? STR("elb") : STR("elbv2");
		struct seen_sources seen;
		TRY(see(c, in->auto_scaling_group_name, classic, &seen));
		if (str_has(in->traffic_source_type) && !str_eq(in->traffic_source_type, type)) continue;
		for (size_t i = 0; i < seen.n; i++)
			*VEC_PUSH(c->arena, &out->traffic_sources, &capacity) =
				(struct autoscaling_traffic_source_state){
					seen.v[i].name, seen.v[i].state, seen.v[i].name, type};
	}
	VEC_PRESENT(c->arena, &out->traffic_sources);
	return as_page(c, &out->traffic_sources, sizeof(*out->traffic_sources.v), in->max_records, 50, in->next_token,
		&out->next_token);
}
