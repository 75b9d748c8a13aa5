/* What brings traffic to a group's instances: target groups of Elastic Load Balancing. Attaching is a wish that
 * effect.c fulfils; "traffic sources" are the same by a newer name. */
#include "call/inside.h"
#include "elbv2.h"
#include "services/autoscaling/room.h"

status as_targets_check(struct call *c, const struct autoscaling_target_group_ar_ns *arns)
{
	if (!arns->n) return OK;
	struct inside_caller who = inside_service(c->arena, c->account, c->region, AS_PRINCIPAL);
	struct elbv2_describe_target_groups_input in = {.target_group_arns = {arns->v, arns->n}};
	struct inside *i = inside_run(c->cloud, &who, "elbv2", ELBV2_OP_DESCRIBE_TARGET_GROUPS, &in, NULL);
	status s = OK;
	if (!i->ok && str_is(i->code, "NotImplemented"))
		s = call_fail(c, ERR_NOT_IMPLEMENTED, "Target groups are not implemented.");
	else if (!i->ok)
		s = AS_FAIL(c, "Provided Target Groups may not be valid. Please ensure they exist and try again.");
	inside_free(i);
	return s;
}

static status attach(struct call *c, struct str name, const struct autoscaling_target_group_ar_ns *arns)
{
	struct as_group g;
	TRY(as_group_find(c, name, &g));
	TRY(as_targets_check(c, arns));
	struct autoscaling_target_group_ar_ns all = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < g.g.target_group_ar_ns.n; i++)
		*VEC_PUSH(c->arena, &all, &capacity) = g.g.target_group_ar_ns.v[i];
	for (size_t i = 0; i < arns->n; i++)
		if (!as_has(all.v, all.n, arns->v[i])) *VEC_PUSH(c->arena, &all, &capacity) = arns->v[i];
	if (all.n > AS_TARGET_GROUPS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT, "You may only attach up to %d target groups.",
			AS_TARGET_GROUPS_MAX);
	g.g.target_group_ar_ns = all;
	as_group_change(c, &g);
	return OK;
}

static status detach(struct call *c, struct str name, const struct autoscaling_target_group_ar_ns *arns)
{
	struct as_group g;
	struct autoscaling_target_group_ar_ns left = {0};
	size_t capacity = 0;
	TRY(as_group_find(c, name, &g));
	for (size_t i = 0; i < arns->n; i++)
		if (!as_has(g.g.target_group_ar_ns.v, g.g.target_group_ar_ns.n, arns->v[i]))
			return AS_FAIL(c, "Trying to remove Target Groups that are not part of the group");
	for (size_t i = 0; i < g.g.target_group_ar_ns.n; i++)
		if (!as_has(arns->v, arns->n, g.g.target_group_ar_ns.v[i]))
			*VEC_PUSH(c->arena, &left, &capacity) = g.g.target_group_ar_ns.v[i];
	g.g.target_group_ar_ns = left;
	as_group_change(c, &g);
	return OK;
}

static status arns_of(
	struct call *c, const struct autoscaling_traffic_sources *in, struct autoscaling_target_group_ar_ns *out)
{
	size_t capacity = 0;
	*out = (struct autoscaling_target_group_ar_ns){0};
	for (size_t i = 0; i < in->n; i++) {
		struct str type = in->v[i].type;
		if (str_has(type) && !str_is(type, "elbv2"))
			return call_fail(c, ERR_NOT_IMPLEMENTED, "Traffic sources of type %.*s are not implemented.",
				STR_ARG(type));
		*VEC_PUSH(c->arena, out, &capacity) = in->v[i].identifier;
	}
	return OK;
}

status autoscaling_attach_load_balancer_target_groups(struct call *c,
	const struct autoscaling_attach_load_balancer_target_groups_input *in,
	struct autoscaling_attach_load_balancer_target_groups_output *out)
{
	(void)out;
	return attach(c, in->auto_scaling_group_name, &in->target_group_ar_ns);
}

status autoscaling_detach_load_balancer_target_groups(struct call *c,
	const struct autoscaling_detach_load_balancer_target_groups_input *in,
	struct autoscaling_detach_load_balancer_target_groups_output *out)
{
	(void)out;
	return detach(c, in->auto_scaling_group_name, &in->target_group_ar_ns);
}

status autoscaling_attach_traffic_sources(struct call *c, const struct autoscaling_attach_traffic_sources_input *in,
	struct autoscaling_attach_traffic_sources_output *out)
{
	struct autoscaling_target_group_ar_ns arns;
	(void)out;
	TRY(arns_of(c, &in->traffic_sources, &arns));
	return attach(c, in->auto_scaling_group_name, &arns);
}

status autoscaling_detach_traffic_sources(struct call *c, const struct autoscaling_detach_traffic_sources_input *in,
	struct autoscaling_detach_traffic_sources_output *out)
{
	struct autoscaling_target_group_ar_ns arns;
	(void)out;
	TRY(arns_of(c, &in->traffic_sources, &arns));
	return detach(c, in->auto_scaling_group_name, &arns);
}

/* "Adding - … instances are being registered", "Added - … all are registered", "InService - at least one passes its
 * health checks", "Removing", "Removed" (the reference). */
static struct str state_of(const struct as_instances *all, struct str arn)
{
	size_t serving = 0, registered = 0;
	for (size_t i = 0; i < all->n; i++) {
		if (!str_is(all->v[i].state, "InService")) continue;
		serving++;
		registered += as_has(all->v[i].registered.v, all->v[i].registered.n, arn);
	}
	return serving > registered ? STR("Adding") : registered ? STR("InService") : STR("Added");
}

status autoscaling_describe_load_balancer_target_groups(struct call *c,
	const struct autoscaling_describe_load_balancer_target_groups_input *in,
	struct autoscaling_describe_load_balancer_target_groups_output *out)
{
	struct as_group g;
	struct as_instances all;
	size_t capacity = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(as_instances(&g, &all));
	for (size_t i = 0; i < g.g.target_group_ar_ns.n; i++)
		*VEC_PUSH(c->arena, &out->load_balancer_target_groups, &capacity) =
			(struct autoscaling_load_balancer_target_group_state){
				g.g.target_group_ar_ns.v[i], state_of(&all, g.g.target_group_ar_ns.v[i])};
	VEC_PRESENT(c->arena, &out->load_balancer_target_groups);
	return as_page(c, &out->load_balancer_target_groups, sizeof(*out->load_balancer_target_groups.v),
		in->max_records, 100, in->next_token, &out->next_token);
}

status autoscaling_describe_traffic_sources(struct call *c, const struct autoscaling_describe_traffic_sources_input *in,
	struct autoscaling_describe_traffic_sources_output *out)
{
	struct as_group g;
	struct as_instances all;
	size_t capacity = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(as_instances(&g, &all));
	bool ours = !str_has(in->traffic_source_type) || str_is(in->traffic_source_type, "elbv2");
	for (size_t i = 0; ours && i < g.g.target_group_ar_ns.n; i++) {
		struct str arn = g.g.target_group_ar_ns.v[i];
		*VEC_PUSH(c->arena, &out->traffic_sources, &capacity) =
			(struct autoscaling_traffic_source_state){arn, state_of(&all, arn), arn, STR("elbv2")};
	}
	VEC_PRESENT(c->arena, &out->traffic_sources);
	return as_page(c, &out->traffic_sources, sizeof(*out->traffic_sources.v), in->max_records, 50, in->next_token,
		&out->next_token);
}
