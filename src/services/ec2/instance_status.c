/* Status checks, and IAM instance profiles of instances. */
#include "services/ec2/instance.h"
#include "services/ec2/machine.h"

/* ── DescribeInstanceStatus ── "Status checks for Amazon EC2 instances", the guide. The system's is the zone's and the
 * host's; the instance's is whether its machine stands. ── */

static const char *const filters[] = {"availability-zone", "availability-zone-id", "event.code=Events.Code",
	"event.description=Events.Description", "event.instance-event-id=Events.InstanceEventId",
	"event.not-after=Events.NotAfter", "event.not-before=Events.NotBefore",
	"event.not-before-deadline=Events.NotBeforeDeadline", "instance-id", "instance-state-code=InstanceState.Code",
	"instance-state-name=InstanceState.Name", "instance-status.reachability=InstanceStatus.Details.Status",
	"instance-status.status=InstanceStatus.Status", "system-status.reachability=SystemStatus.Details.Status",
	"system-status.status=SystemStatus.Status", "attached-ebs-status.status=AttachedEbsStatus.Status", NULL};

static struct ec2_instance_status_summary *summary(struct call *c, bool runs, bool well)
{
	struct ec2_instance_status_summary *s = arena_new(c->arena, struct ec2_instance_status_summary);
	size_t capacity = 0;
	if (!runs) {
		s->status = STR("not-applicable");
		return s;
	}
	s->status = well ? STR("ok") : STR("impaired");
	*VEC_PUSH(c->arena, &s->details, &capacity) = (struct ec2_instance_status_details){
		.name = STR("reachability"), .status = well ? STR("passed") : STR("failed")};
	return s;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_instance *i = item->record;
	struct ec2_instance_status *out = to;
	bool runs = i->state.v == EC2_RUNNING, zone = !ec2_zone_is_down(c->tx, c->arena, i->zone);
	struct ec2_instance shape = {0};
	TRY(ec2_instance_document(c->arena, i, &shape));
	out->availability_zone = i->zone;
	out->availability_zone_id = shape.placement ? shape.placement->availability_zone_id : STR_NONE;
	out->instance_state = ec2_state_out(c->arena, i->state.v);
	out->system_status = summary(c, runs, zone);
	out->instance_status = summary(c, runs, zone);
	out->attached_ebs_status = arena_new(c->arena, struct ec2_ebs_status_summary);
	out->attached_ebs_status->status = runs ? zone ? STR("ok") : STR("impaired") : STR("not-applicable");
	ec2_show(c->arena, EC2_REC_INSTANCE, i, EC2_SHAPE_INSTANCE_STATUS, out);
	size_t capacity = 0;
	for (size_t k = 0; k < i->events.n; k++) {
		struct ec2_instance_status_event *e = VEC_PUSH(c->arena, &out->events, &capacity);
		ec2_show(c->arena, EC2_REC_INSTANCE_EVENT, &i->events.v[k], EC2_SHAPE_INSTANCE_STATUS_EVENT, e);
	}
	return OK;
}

static bool running_only(struct call *c, const struct ec2_item *item)
{
	(void)c;
	return ((const struct ec2_rec_instance *)item->record)->state.v == EC2_RUNNING;
}

status ec2_describe_instance_status(struct call *c, const struct ec2_describe_instance_status_input *in,
	struct ec2_describe_instance_status_output *out)
{
	struct ec2_value_string_list ids = {0};
	size_t capacity = 0;
	/* Of instances that are named, those that do not run are left out, not refused. */
	for (size_t k = 0; k < in->instance_ids.n; k++) {
		struct ec2_rec_instance i;
		TRY(ec2_find(c, &ec2_type_instance, in->instance_ids.v[k], &i));
		if (in->include_all_instances.v || i.state.v == EC2_RUNNING)
			*VEC_PUSH(c->arena, &ids, &capacity) = in->instance_ids.v[k];
	}
	VEC_PRESENT(c->arena, &out->instance_statuses);
	if (in->instance_ids.n && !ids.n) return ec2_filters_check(c, filters, &in->filters);
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_instance,
				       .ids = &ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->instance_statuses,
				       .next_out = &out->next_token,
				       .shape = EC2_SHAPE_INSTANCE_STATUS,
				       .filter_names = filters,
				       .visible = in->include_all_instances.v ? NULL : running_only,
				       .render = render});
}

/* ── instance profiles ── */

static const char *const association_filters[] = {"instance-id", "state", NULL};

static bool associated(struct call *c, const struct ec2_item *item)
{
	const struct ec2_rec_instance *i = item->record;
	(void)c;
	return str_has(i->profile_arn) && i->state.v != EC2_TERMINATED;
}

static void show(struct call *c, const struct ec2_rec_instance *i, struct ec2_iam_instance_profile_association *out)
{
	*out = (struct ec2_iam_instance_profile_association){.association_id = i->profile_association,
		.instance_id = i->instance_id,
		.iam_instance_profile = arena_new(c->arena, struct ec2_iam_instance_profile),
		.state = i->profile_state,
		.timestamp = i->profile_since};
	*out->iam_instance_profile = (struct ec2_iam_instance_profile){i->profile_arn, i->profile_id};
}

static status render_association(struct call *c, const struct ec2_item *item, void *out)
{
	show(c, item->record, out);
	return OK;
}

/* NOT_FOUND as the client's error. */
static status by_association(struct call *c, struct str id, struct ec2_rec_instance *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_instance);
	bool found = false;
	while (!found && ec2_next(&e)) {
		*out = *(const struct ec2_rec_instance *)e.item.record;
		found = associated(c, &e.item) && str_eq(out->profile_association, id);
	}
	TRY(ec2_each_end(&e));
	if (found) return OK;
	return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND, "An invalid association-id of '%.*s' was given",
		STR_ARG(id));
}

status ec2_describe_iam_instance_profile_associations(struct call *c,
	const struct ec2_describe_iam_instance_profile_associations_input *in,
	struct ec2_describe_iam_instance_profile_associations_output *out)
{
	struct ec2_value_string_list ids = {0};
	size_t capacity = 0;
	for (size_t k = 0; k < in->association_ids.n; k++) {
		struct ec2_rec_instance i;
		TRY(by_association(c, in->association_ids.v[k], &i));
		*VEC_PUSH(c->arena, &ids, &capacity) = i.instance_id;
	}
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_instance,
				       .ids = &ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->iam_instance_profile_associations,
				       .next_out = &out->next_token,
				       .shape = EC2_SHAPE_IAM_INSTANCE_PROFILE_ASSOCIATION,
				       .filter_names = association_filters,
				       .visible = associated,
				       .render = render_association});
}

static status associate(struct call *c, struct ec2_rec_instance *i,
	const struct ec2_iam_instance_profile_specification *spec, struct ec2_iam_instance_profile_association **out)
{
	TRY(ec2_profile_resolve(c, spec, &i->profile_arn, &i->profile_id));
	i->profile_association = ec2_new_id(c->arena, "iip-assoc-");
	i->profile_since = SOME_TIME(c->now_ms / 1000 * 1000);
	i->profile_state = STR("associated");
	ec2_instance_put(ec2_here(c), i);
	*out = arena_new(c->arena, struct ec2_iam_instance_profile_association);
	show(c, i, *out);
	(*out)->state = STR("associating");
	return OK;
}

status ec2_associate_iam_instance_profile(struct call *c, const struct ec2_associate_iam_instance_profile_input *in,
	struct ec2_associate_iam_instance_profile_output *out)
{
	struct ec2_rec_instance i;
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	if (str_has(i.profile_arn))
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "There is an existing association for instance %.*s",
			STR_ARG(i.instance_id));
	return associate(c, &i, in->iam_instance_profile, &out->iam_instance_profile_association);
}

status ec2_replace_iam_instance_profile_association(struct call *c,
	const struct ec2_replace_iam_instance_profile_association_input *in,
	struct ec2_replace_iam_instance_profile_association_output *out)
{
	struct ec2_rec_instance i;
	TRY(by_association(c, in->association_id, &i));
	return associate(c, &i, in->iam_instance_profile, &out->iam_instance_profile_association);
}

status ec2_disassociate_iam_instance_profile(struct call *c,
	const struct ec2_disassociate_iam_instance_profile_input *in,
	struct ec2_disassociate_iam_instance_profile_output *out)
{
	struct ec2_rec_instance i;
	TRY(by_association(c, in->association_id, &i));
	out->iam_instance_profile_association = arena_new(c->arena, struct ec2_iam_instance_profile_association);
	show(c, &i, out->iam_instance_profile_association);
	out->iam_instance_profile_association->state = STR("disassociating");
	i.profile_arn = i.profile_id = i.profile_association = i.profile_state = STR_NONE;
	ec2_instance_put(ec2_here(c), &i);
	return OK;
}
