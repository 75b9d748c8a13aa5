/* AWS::AutoScaling::AutoScalingGroup: its recipe, and the rolling update that an UpdatePolicy asks for ("UpdatePolicy
 * attribute", AutoScalingRollingUpdate), which is an instance refresh of the group. */
#include "services/cloudformation/recipe.h"

static int64_t number(const struct json_value *v, const char *path, int64_t other)
{
	int64_t n;
	return is_ok(str_to_i64(str_or(cfn_at(v, path), STR("")), &n)) ? n : other;
}

/* "A rolling update is performed when the launch template, the launch configuration or the subnets change." */
static bool wants_rolling(const struct cfn_work *w)
{
	static const char *const names[] = {
		"LaunchTemplate", "LaunchConfigurationName", "MixedInstancesPolicy", "VPCZoneIdentifier"};
	bool changed = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) changed |= cfn_changed(w, names[i]);
	return changed && cfn_in(w->update_policy, "AutoScalingRollingUpdate");
}

static status start_refresh(struct cfn_work *w)
{
	const struct json_value *policy = cfn_in(w->update_policy, "AutoScalingRollingUpdate");
	struct json_value *in = cfn_one(w->a, "AutoScalingGroupName", w->physical_id), *preferences = cfn_object(w->a);
	int64_t size = number(w->properties, "DesiredCapacity", number(w->properties, "MinSize", 1));
	int64_t batch = number(policy, "MaxBatchSize", 1), in_service = number(policy, "MinInstancesInService", 0);
	int64_t pause_ms = 0, keep = size - batch > in_service ? size - batch : in_service;
	if (!is_ok(cfn_duration_ms(str_or(cfn_at(policy, "PauseTime"), STR("")), &pause_ms))) pause_ms = 0;
	int64_t percent = size > 0 ? keep * 100 / size : 0;
	cfn_put(preferences, w->a, "MinHealthyPercentage",
		str_fmt(w->a, "%lld", (long long)(percent > 100 ? 100 : percent)));
	cfn_put(preferences, w->a, "InstanceWarmup", str_fmt(w->a, "%lld", (long long)(pause_ms / 1000)));
	cfn_append(in, STR("Preferences"), preferences);
	return cfn_do_unless(w, "autoscaling", "StartInstanceRefresh", in, "InstanceRefreshInProgress");
}

static status update(struct cfn_work *w)
{
	if (cfn_in(w->update_policy, "AutoScalingReplacingUpdate.WillReplace") &&
		str_is(cfn_at(w->update_policy, "AutoScalingReplacingUpdate.WillReplace"), "true"))
		return cfn_fail(w, "virga does not replace whole groups (AutoScalingReplacingUpdate) yet");
	if (str_is(str_or(cfn_at(w->update_policy, "AutoScalingRollingUpdate.WaitOnResourceSignals"), STR("")), "true"))
		return cfn_fail(w, "virga does not wait for signals during rolling updates (WaitOnResourceSignals) yet");
	TRY(cfn_recipe_update(w));
	return wants_rolling(w) ? start_refresh(w) : OK;
}

static status settle(struct cfn_work *w)
{
	const struct json_value *out;
	TRY(cfn_recipe_settle(w));
	if (!cfn_in(w->update_policy, "AutoScalingRollingUpdate")) return OK;
	TRY(cfn_do(w, "autoscaling", "DescribeInstanceRefreshes", cfn_one(w->a, "AutoScalingGroupName", w->physical_id),
		&out));
	struct str now = str_or(cfn_at(out, "InstanceRefreshes.0.Status"), STR("Successful"));
	if (str_is(now, "Pending") || str_is(now, "InProgress") || str_is(now, "Baking")) return STATUS(PENDING);
	if (str_is(now, "Successful") || !w->updating) return OK;
	return cfn_fail(w, "Rolling update failed: the instance refresh is %.*s: %.*s", STR_ARG(now),
		STR_ARG(str_or(cfn_at(out, "InstanceRefreshes.0.StatusReason"), STR(""))));
}

const struct cfn_handler cfn_rolling[] = {
	{"AWS::AutoScaling::AutoScalingGroup", cfn_recipe_create, settle, update, cfn_recipe_remove, cfn_recipe_read},
	{0},
};
