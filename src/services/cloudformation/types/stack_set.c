/* AWS::CloudFormation::StackSet: a set, and its groups of instances one operation after the other. Which operation is
 * under way and which groups are there is kept among the attributes, under names that no template asks for. */
#include "services/cloudformation/internal.h"

#define OPERATION "virga:Operation"
#define GROUPS "virga:Groups"

static const char set_properties[] =
	"StackSetName,Description,TemplateBody,TemplateURL,Parameters,Capabilities,"
	"AdministrationRoleARN,ExecutionRoleName,PermissionModel,AutoDeployment,ManagedExecution";

static struct json_value *set_request(struct cfn_work *w)
{
	struct json_value *in = cfn_take(w, set_properties);
	const struct json_value *tags = cfn_tags(w);
	struct json_value *own = cfn_list(w->a);
	for (const struct json_value *t = tags->first; t; t = t->next)
		if (!str_starts(cfn_at(t, "Key"), STR("aws:"))) cfn_append(own, STR_NONE, cfn_copy(w->a, t));
	if (own->length) cfn_append(in, STR("Tags"), own);
	return in;
}

static status create_set(struct cfn_work *w)
{
	const struct json_value *out;
	struct json_value *in = set_request(w);
	cfn_put(in, w->a, "ClientRequestToken", w->token);
	TRY(cfn_do(w, "cloudformation", "CreateStackSet", in, &out));
	w->physical_id = cfn_at(out, "StackSetId");
	cfn_attribute(w, "StackSetId", w->physical_id);
	return OK;
}

static const struct json_value *groups_there(struct cfn_work *w)
{
	struct json_value *v;
	struct str text = json_scalar(json_member(w->attributes, STR(GROUPS)));
	return str_has(text) && is_ok(json_read(w->a, text, &v)) ? v : cfn_list(w->a);
}

static const struct json_value *same_place(const struct json_value *list, const struct json_value *group)
{
	for (const struct json_value *g = list ? list->first : NULL; g; g = g->next)
		if (cfn_equal(cfn_in(g, "DeploymentTargets"), cfn_in(group, "DeploymentTargets")) &&
			cfn_equal(cfn_in(g, "Regions"), cfn_in(group, "Regions")))
			return g;
	return NULL;
}

/* The list with this group in place of another, or without that one. */
static void keep_groups(struct cfn_work *w, const struct json_value *old, const struct json_value *group)
{
	struct json_value *list = cfn_list(w->a);
	const struct json_value *there = groups_there(w);
	for (const struct json_value *g = there->first; g; g = g->next)
		if (!old || !cfn_equal(g, old)) cfn_append(list, STR_NONE, cfn_copy(w->a, g));
	if (group) cfn_append(list, STR_NONE, cfn_copy(w->a, group));
	cfn_attribute(w, GROUPS, cfn_json(w->a, list));
}

/* Accounts stand beside the regions for sets that manage themselves, units within the targets for the others. */
static status on_group(struct cfn_work *w, const char *op, const struct json_value *group)
{
	const struct json_value *out, *targets = cfn_in(group, "DeploymentTargets");
	struct json_value *in = cfn_one(w->a, "StackSetName", w->physical_id);
	bool managed = str_is(str_or(cfn_prop(w, "PermissionModel"), STR("")), "SERVICE_MANAGED");
	if (managed)
		cfn_put_value(in, w->a, "DeploymentTargets", targets);
	else
		cfn_put_value(in, w->a, "Accounts", cfn_in(targets, "Accounts"));
	cfn_put_value(in, w->a, "Regions", cfn_in(group, "Regions"));
	cfn_put_value(in, w->a, "OperationPreferences", cfn_value(w, "OperationPreferences"));
	if (strcmp(op, "DeleteStackInstances") == 0)
		cfn_put(in, w->a, "RetainStacks", STR("false"));
	else
		cfn_put_value(in, w->a, "ParameterOverrides", cfn_in(group, "ParameterOverrides"));
	TRY(cfn_do(w, "cloudformation", op, in, &out));
	cfn_attribute(w, OPERATION, cfn_at(out, "OperationId"));
	return STATUS(PENDING);
}

static status operation_is_over(struct cfn_work *w)
{
	struct str id = json_scalar(json_member(w->attributes, STR(OPERATION)));
	const struct json_value *out;
	if (!str_has(id) || !id.n) return OK;
	struct json_value *in = cfn_one(w->a, "StackSetName", w->physical_id);
	TRY(cfn_do(w, "cloudformation", "DescribeStackSetOperation", cfn_put(in, w->a, "OperationId", id), &out));
	struct str now = str_or(cfn_at(out, "StackSetOperation.Status"), STR(""));
	if (str_is(now, "RUNNING") || str_is(now, "QUEUED") || str_is(now, "STOPPING")) return STATUS(PENDING);
	cfn_attribute(w, OPERATION, STR(""));
	if (str_is(now, "SUCCEEDED")) return OK;
	return cfn_fail(w, "Stack set operation [%.*s] was unexpectedly stopped or failed", STR_ARG(id));
}

static status settle_set(struct cfn_work *w)
{
	TRY(operation_is_over(w));
	const struct json_value *wanted = cfn_value(w, "StackInstancesGroup"), *there = groups_there(w);
	for (const struct json_value *g = there->first; g; g = g->next) {
		if (same_place(wanted, g)) continue;
		keep_groups(w, g, NULL);
		return on_group(w, "DeleteStackInstances", g);
	}
	for (const struct json_value *g = wanted ? wanted->first : NULL; g; g = g->next) {
		const struct json_value *old = same_place(there, g);
		if (old && cfn_equal(old, g)) continue;
		keep_groups(w, old, g);
		return on_group(w, "CreateStackInstances", g);
	}
	return OK;
}

static status update_set(struct cfn_work *w)
{
	const struct json_value *out;
	bool changed = false;
	struct str rest = str_c(set_properties);
	while (str_has(rest)) changed |= cfn_changed(w, str_z(w->a, str_cut(&rest, ',')));
	const struct json_value *add, *gone;
	changed |= cfn_tags_changed(w, &add, &gone);
	if (!changed) return OK;
	struct json_value *in = set_request(w);
	cfn_put(in, w->a, "StackSetName", w->physical_id);
	cfn_put_value(in, w->a, "OperationPreferences", cfn_value(w, "OperationPreferences"));
	TRY(cfn_do(w, "cloudformation", "UpdateStackSet", in, &out));
	cfn_attribute(w, OPERATION, cfn_at(out, "OperationId"));
	return OK;
}

static status remove_set(struct cfn_work *w)
{
	const struct json_value *out;
	struct json_value *in = cfn_one(w->a, "StackSetName", w->physical_id);
	status s = cfn_do(w, "cloudformation", "ListStackSetOperations", in, &out);
	if (!is_ok(s)) return cfn_says_gone(w->code) ? OK : s;
	const struct json_value *last = cfn_in(out, "Summaries.0");
	struct str now = str_or(cfn_at(last, "Status"), STR(""));
	if (str_is(now, "RUNNING") || str_is(now, "QUEUED") || str_is(now, "STOPPING")) return STATUS(PENDING);
	TRY(cfn_do(w, "cloudformation", "ListStackInstances", in, &out));
	const struct json_value *left = cfn_in(out, "Summaries");
	if (!left || !left->length) return cfn_do(w, "cloudformation", "DeleteStackSet", in, NULL);
	/* Tried once for each deletion of the stack. */
	if (str_is(now, "FAILED") && w->deadline_ms)
		return cfn_fail(w, "Stack set operation [%.*s] was unexpectedly stopped or failed",
			STR_ARG(str_or(cfn_at(last, "OperationId"), STR(""))));
	w->deadline_ms = w->now_ms;
	const struct json_value *groups = groups_there(w);
	for (const struct json_value *g = groups->first; g; g = g->next)
		for (const struct json_value *i = left->first; i; i = i->next) {
			const struct json_value *regions = cfn_in(g, "Regions"),
						*accounts = cfn_in(g, "DeploymentTargets.Accounts"),
						*units = cfn_in(g, "DeploymentTargets.OrganizationalUnitIds");
			bool region = false, account = false;
			for (const struct json_value *r = regions ? regions->first : NULL; r; r = r->next)
				region |= str_eq(json_scalar(r), cfn_at(i, "Region"));
			for (const struct json_value *r = accounts ? accounts->first : NULL; r; r = r->next)
				account |= str_eq(json_scalar(r), cfn_at(i, "Account"));
			for (const struct json_value *r = units ? units->first : NULL; r; r = r->next)
				account |= str_eq(json_scalar(r), str_or(cfn_at(i, "OrganizationalUnitId"), STR("")));
			if (region && account) return on_group(w, "DeleteStackInstances", g);
		}
	return cfn_fail(w, "StackSet is not empty");
}

const struct cfn_handler cfn_stack_sets[] = {
	{"AWS::CloudFormation::StackSet", create_set, settle_set, update_set, remove_set, NULL},
	{0},
};
