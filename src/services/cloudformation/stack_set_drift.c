/* What the detection of a stack set's drift has found in one of its stacks, resource by resource
 * ("ListStackInstanceResourceDrifts", CloudFormation API Reference). */
#include "base/vec.h"
#include "services/cloudformation/stack_set.h"

enum { PAGE = 100 };

/* OperationNotFound where the set has no such detection. */
static status find_detection(struct call *c, struct str set, struct str id)
{
	struct cfn_set_operations all = {0};
	TRY(cfn_set_operations(cfn_set_place_of(c, set), &all));
	for (size_t i = 0; i < all.n; i++)
		if (str_eq(all.v[i].id, id) && str_is(all.v[i].action, "DETECT_DRIFT")) return OK;
	return call_fail(c, CLOUDFORMATION_ERR_OPERATION_NOT_FOUND_EXCEPTION,
		"Drift detection operation %.*s not found for Stack Set %.*s", STR_ARG(id), STR_ARG(set));
}

static void tell(struct arena *a, const struct cloudformation_stack_resource_drift *d,
	struct cloudformation_stack_instance_resource_drifts_summary *out)
{
	*out = (struct cloudformation_stack_instance_resource_drifts_summary){.stack_id = d->stack_id,
		.logical_resource_id = d->logical_resource_id,
		.physical_resource_id = d->physical_resource_id,
		.resource_type = d->resource_type,
		.property_differences = d->property_differences,
		.stack_resource_drift_status = d->stack_resource_drift_status,
		.timestamp = d->timestamp};
	if (!out->property_differences.v) VEC_PRESENT(a, &out->property_differences);
}

status cloudformation_list_stack_instance_resource_drifts(struct call *c,
	const struct cloudformation_list_stack_instance_resource_drifts_input *in,
	struct cloudformation_list_stack_instance_resource_drifts_output *out)
{
	struct cloudformation_rec_stack_set set;
	struct cloudformation_rec_set_instance i;
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources all = {0};
	struct cfn_names wanted = {
		in->stack_instance_resource_drift_statuses.v, in->stack_instance_resource_drift_statuses.n};
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	TRY(cfn_set_load(c, in->stack_set_name, &set));
	status there = cfn_set_instance_get(
		cfn_set_place_of(c, in->stack_set_name), in->stack_instance_account, in->stack_instance_region, &i);
	if (status_is(there, STATUS_NOT_FOUND))
		return call_fail(c, CLOUDFORMATION_ERR_STACK_INSTANCE_NOT_FOUND_EXCEPTION,
			"Stack instance not found for Stack Set %.*s, Account %.*s, Region %.*s", STR_ARG(set.id),
			STR_ARG(in->stack_instance_account), STR_ARG(in->stack_instance_region));
	TRY(there);
	TRY(find_detection(c, in->stack_set_name, in->operation_id));
	VEC_PRESENT(c->arena, &out->summaries);
	if (!str_has(i.stack_id)) return OK;
	there = cfn_stack_find(c->tx, c->arena, (struct cfn_place){i.account, i.region}, i.stack_id, &s);
	if (status_is(there, STATUS_NOT_FOUND)) return OK;
	TRY(there);
	TRY(cfn_resources_load(c->tx, c->arena, &s, &all));
	for (size_t k = 0; k < all.n; k++) {
		const struct cloudformation_rec_resource *r = &all.v[k];
		struct cloudformation_stack_resource_drift d;
		if (str_has(in->next_token) && str_cmp(r->logical_id, in->next_token) <= 0) continue;
		if (!str_has(r->drift)) continue;
		if (wanted.n && !cfn_names_have(&wanted, cfn_drift_status(c->arena, r))) continue;
		if (out->summaries.n == most) {
			out->next_token = out->summaries.v[most - 1].logical_resource_id;
			break;
		}
		cfn_drift_tell(c->arena, &s, r, &d);
		tell(c->arena, &d, VEC_PUSH(c->arena, &out->summaries, &capacity));
	}
	return OK;
}
