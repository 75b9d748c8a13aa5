/* Processes that can be suspended ("Suspend and resume Amazon EC2 Auto Scaling processes", the guide), and the lists of
 * what there is. */
#include "services/autoscaling/room.h"

static const char *const processes[] = {"AZRebalance", "AddToLoadBalancer", "AlarmNotification", "HealthCheck",
	"InstanceRefresh", "Launch", "ReplaceUnhealthy", "ScheduledActions", "Terminate", NULL};

bool as_suspended(const struct as_group *g, const char *process)
{
	for (size_t i = 0; i < g->g.suspended_processes.n; i++)
		if (str_eq(g->g.suspended_processes.v[i].process_name, str_c(process))) return true;
	return false;
}

/* The processes that are meant: those that are named, or all. */
static status named(struct call *c, const struct autoscaling_process_names *in, struct autoscaling_process_names *out)
{
	size_t capacity = 0;
	*out = (struct autoscaling_process_names){0};
	for (size_t i = 0; i < in->n; i++)
		if (!as_in(in->v[i], processes)) return AS_FAIL(c, "Invalid process type: %.*s", STR_ARG(in->v[i]));
	if (in->n)
		*out = *in;
	else
		for (const char *const *p = processes; *p; p++) *VEC_PUSH(c->arena, out, &capacity) = str_c(*p);
	return OK;
}

status autoscaling_suspend_processes(
	struct call *c, const struct autoscaling_suspend_processes_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct autoscaling_process_names list;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(named(c, &in->scaling_processes, &list));
	struct autoscaling_suspended_processes now = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < g.g.suspended_processes.n; i++)
		*VEC_PUSH(c->arena, &now, &capacity) = g.g.suspended_processes.v[i];
	struct str when = as_when(c->arena, c->now_ms);
	for (size_t i = 0; i < list.n; i++)
		if (!as_suspended(&g, str_z(c->arena, list.v[i])))
			*VEC_PUSH(c->arena, &now, &capacity) = (struct autoscaling_suspended_process){
				list.v[i], str_fmt(c->arena, "User suspended at %.*s", STR_ARG(when))};
	g.g.suspended_processes = now;
	as_group_change(c, &g);
	return OK;
}

status autoscaling_resume_processes(
	struct call *c, const struct autoscaling_resume_processes_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct autoscaling_process_names list;
	struct autoscaling_suspended_processes left = {0};
	size_t capacity = 0;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(named(c, &in->scaling_processes, &list));
	for (size_t i = 0; i < g.g.suspended_processes.n; i++)
		if (!as_has(list.v, list.n, g.g.suspended_processes.v[i].process_name))
			*VEC_PUSH(c->arena, &left, &capacity) = g.g.suspended_processes.v[i];
	g.g.suspended_processes = left;
	as_group_change(c, &g);
	return OK;
}

/* ── what there is ── */

status autoscaling_describe_scaling_process_types(
	struct call *c, const struct wire_nothing *in, struct autoscaling_describe_scaling_process_types_output *out)
{
	size_t capacity = 0;
	(void)in;
	for (const char *const *p = processes; *p; p++)
		VEC_PUSH(c->arena, &out->processes, &capacity)->process_name = str_c(*p);
	return OK;
}

status autoscaling_describe_adjustment_types(
	struct call *c, const struct wire_nothing *in, struct autoscaling_describe_adjustment_types_output *out)
{
	static const char *const types[] = {"ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity", NULL};
	size_t capacity = 0;
	(void)in;
	for (const char *const *p = types; *p; p++)
		VEC_PUSH(c->arena, &out->adjustment_types, &capacity)->adjustment_type = str_c(*p);
	return OK;
}

status autoscaling_describe_lifecycle_hook_types(
	struct call *c, const struct wire_nothing *in, struct autoscaling_describe_lifecycle_hook_types_output *out)
{
	size_t capacity = 0;
	(void)in;
	*VEC_PUSH(c->arena, &out->lifecycle_hook_types, &capacity) = AS_LAUNCHING;
	*VEC_PUSH(c->arena, &out->lifecycle_hook_types, &capacity) = AS_TERMINATING;
	return OK;
}

/* As group_check.c takes them: policies of Lambda functions are no names. */
status autoscaling_describe_termination_policy_types(
	struct call *c, const struct wire_nothing *in, struct autoscaling_describe_termination_policy_types_output *out)
{
	static const char *const types[] = {"AllocationStrategy", "ClosestToNextInstanceHour", "Default",
		"NewestInstance", "OldestInstance", "OldestLaunchConfiguration", "OldestLaunchTemplate", NULL};
	size_t capacity = 0;
	(void)in;
	for (const char *const *p = types; *p; p++)
		*VEC_PUSH(c->arena, &out->termination_policy_types, &capacity) = str_c(*p);
	return OK;
}

status autoscaling_describe_account_limits(
	struct call *c, const struct wire_nothing *in, struct autoscaling_describe_account_limits_output *out)
{
	size_t groups, configurations;
	(void)in;
	TRY(as_count(as_here(c), "group", STR_NONE, &groups));
	TRY(as_count(as_here(c), "configuration", STR_NONE, &configurations));
	out->max_number_of_auto_scaling_groups = SOME_I32(AS_GROUPS_MAX);
	out->max_number_of_launch_configurations = SOME_I32(AS_CONFIGURATIONS_MAX);
	out->number_of_auto_scaling_groups = SOME_I32((int32_t)groups);
	out->number_of_launch_configurations = SOME_I32((int32_t)configurations);
	return OK;
}
