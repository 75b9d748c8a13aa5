/* Start, stop, reboot, terminate: what an instance shall be. The machine controller brings it there ("Amazon EC2
 * instance state changes", the guide). */
#include "services/ec2/capacity.h"
#include "services/ec2/dedicated_host.h"
#include "services/ec2/event.h"
#include "services/ec2/machine.h"
#include "services/ec2/volume.h"

static struct ec2_instance_state_change change_of(struct call *c, struct str id, int32_t from, int32_t to)
{
	return (struct ec2_instance_state_change){.instance_id = id,
		.current_state = ec2_state_out(c->arena, to),
		.previous_state = ec2_state_out(c->arena, from)};
}

static struct str user_initiated(struct call *c)
{
	struct str at = time_iso8601(c->arena, c->now_ms, false);
	return str_fmt(
		c->arena, "User initiated (%.*s %.*s GMT)", STR_ARG(str_sub(at, 0, 10)), STR_ARG(str_sub(at, 11, 8)));
}

/* ── StartInstances ── */

static status room_for(struct call *c, struct ec2_rec_instance *i, const struct ec2_instance *shape)
{
	struct ec2_machine_type type;
	int32_t left = 1;
	if (ec2_zone_is_down(c->tx, c->arena, i->zone))
		return call_fail(c, EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY,
			"We currently do not have sufficient capacity in the Availability Zone of '%.*s'.",
			STR_ARG(i->instance_id));
	if (!i->volumes.n)
		return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
			"The instance '%.*s' does not have a volume attached at root.", STR_ARG(i->instance_id));
	if (shape->placement && ec2_machine_type_find(shape->instance_type, &type))
		TRY(ec2_placement_room(c, shape->placement, &type, i->zone, &left));
	if (left < 1)
		return call_fail(c, EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY,
			"The Placement Group '%.*s' has no room for '%.*s'.", STR_ARG(shape->placement->group_name),
			STR_ARG(i->instance_id));
	struct ec2_capacity_wish wish = {shape->instance_type, i->zone,
		shape->placement ? shape->placement->tenancy : STR_NONE, shape->capacity_reservation_specification};
	TRY(ec2_capacity_take(c, &wish, i->instance_id, &i->capacity_reservation));
	return ec2_host_take(c, i, shape);
}

status ec2_instance_start(struct call *c, struct ec2_rec_instance *i)
{
	struct ec2_enis enis = {0};
	struct ec2_instance shape = {0};
	TRY(ec2_instance_document(c->arena, i, &shape));
	TRY(room_for(c, i, &shape));
	TRY(ec2_instance_keys_ask(c, i));
	i->desired = STR("running");
	i->state = SOME_I32(EC2_PENDING);
	i->reason_code = i->reason_message = i->transition_reason = STR_NONE;
	i->launched = SOME_TIME(c->now_ms / 1000 * 1000);
	i->changed = SOME_TIME(c->now_ms);
	i->interrupted.has = false;
	ec2_events_on_start(c, i);
	TRY(ec2_spot_started(c, i));
	/* "the instance receives a new public IPv4 address", the guide's Stop and start. */
	TRY(ec2_eni_of_instance(ec2_here(c), i->instance_id, &enis));
	if (enis.n && i->public_at_launch.v) TRY(ec2_eni_public_give(c, enis.v[0].network_interface_id));
	ec2_instance_change(c, i);
	return OK;
}

status ec2_start_instances(
	struct call *c, const struct ec2_start_instances_input *in, struct ec2_start_instances_output *out)
{
	struct ec2_rec_instance *list;
	size_t capacity = 0;
	TRY(ec2_instances_find(c, &in->instance_ids, &list));
	for (size_t k = 0; k < in->instance_ids.n; k++) {
		struct ec2_rec_instance *i = &list[k];
		int32_t from = i->state.v;
		if (from == EC2_STOPPED)
			TRY(ec2_instance_start(c, i));
		else if (from != EC2_PENDING && from != EC2_RUNNING)
			return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
				"The instance '%.*s' is not in a state from which it can be started.",
				STR_ARG(i->instance_id));
		*VEC_PUSH(c->arena, &out->starting_instances, &capacity) =
			change_of(c, i->instance_id, from, i->state.v);
	}
	return OK;
}

/* ── StopInstances ── */

void ec2_instance_stop(
	struct call *c, struct ec2_rec_instance *i, bool hibernate, const char *code, const char *message)
{
	i->desired = hibernate ? STR("hibernated") : STR("stopped");
	i->state = SOME_I32(EC2_STOPPING);
	i->reboot.has = false;
	i->reason_code = str_c(code);
	i->reason_message = str_c(message);
	i->transition_reason = user_initiated(c);
	i->changed = SOME_TIME(c->now_ms);
	ec2_instance_change(c, i);
}

status ec2_stop_instances(
	struct call *c, const struct ec2_stop_instances_input *in, struct ec2_stop_instances_output *out)
{
	struct ec2_rec_instance *list;
	size_t capacity = 0;
	TRY(ec2_instances_find(c, &in->instance_ids, &list));
	for (size_t k = 0; k < in->instance_ids.n; k++) {
		struct ec2_instance shape = {0};
		struct ec2_rec_instance *i = &list[k];
		if (i->disable_api_stop.v)
			return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
				"The instance '%.*s' may not be stopped. Modify its 'disableApiStop' instance "
				"attribute and try again.",
				STR_ARG(i->instance_id));
		if (i->state.v != EC2_RUNNING && i->state.v != EC2_STOPPING && i->state.v != EC2_STOPPED &&
			i->state.v != EC2_PENDING)
			return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
				"This instance '%.*s' is not in a state from which it can be stopped.",
				STR_ARG(i->instance_id));
		TRY(ec2_instance_document(c->arena, i, &shape));
		if (in->hibernate.v && !shape.hibernation_options->configured.v)
			return call_fail(c, EC2_ERR_UNSUPPORTED_HIBERNATION_CONFIGURATION,
				"Instance %.*s is not configured for hibernation.", STR_ARG(i->instance_id));
		/* "You can't hibernate until it is ready": it has to have booted. */
		if (in->hibernate.v && i->state.v == EC2_PENDING)
			return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
				"The instance %.*s is not ready to hibernate yet, retry in a few minutes.",
				STR_ARG(i->instance_id));
		if (str_is(shape.instance_lifecycle, "spot") && !ec2_spot_is_persistent(c, i->spot_request))
			return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
				"You can't stop the Spot Instance '%.*s' because it is associated with a one-time Spot "
				"Instance request. "
				"You can only stop Spot Instances associated with persistent Spot Instance requests.",
				STR_ARG(i->instance_id));
	}
	for (size_t k = 0; k < in->instance_ids.n; k++) {
		struct ec2_rec_instance *i = &list[k];
		int32_t from = i->state.v;
		if (from == EC2_RUNNING || from == EC2_PENDING) {
			i->force = SOME_BOOL(in->force.v || in->skip_os_shutdown.v);
			TRY(ec2_spot_stopped(c, i));
			if (in->hibernate.v)
				ec2_instance_stop(c, i, true, "Client.UserInitiatedHibernate",
					"Client.UserInitiatedHibernate: User initiated hibernate");
			else
				ec2_instance_stop(c, i, false, "Client.UserInitiatedShutdown",
					"Client.UserInitiatedShutdown: User initiated shutdown");
		}
		*VEC_PUSH(c->arena, &out->stopping_instances, &capacity) =
			change_of(c, i->instance_id, from, i->state.v);
	}
	return OK;
}

/* ── RebootInstances ── */

status ec2_reboot_instances(struct call *c, const struct ec2_reboot_instances_input *in, struct wire_nothing *out)
{
	struct ec2_rec_instance *list;
	(void)out;
	TRY(ec2_instances_find(c, &in->instance_ids, &list));
	for (size_t k = 0; k < in->instance_ids.n; k++)
		if (list[k].state.v != EC2_RUNNING && list[k].state.v != EC2_PENDING)
			return call_fail(c, EC2_ERR_INCORRECT_STATE,
				"The instance '%.*s' is not in a state from which it can be rebooted.",
				STR_ARG(list[k].instance_id));
	for (size_t k = 0; k < in->instance_ids.n; k++) {
		list[k].reboot = SOME_BOOL(true);
		ec2_events_on_reboot(c, &list[k]);
		ec2_instance_change(c, &list[k]);
	}
	return OK;
}

/* ── TerminateInstances ── */

status ec2_instance_terminate(struct call *c, struct ec2_rec_instance *i, const char *code, const char *message)
{
	if (i->state.v == EC2_SHUTTING_DOWN || i->state.v == EC2_TERMINATED) return OK;
	i->desired = STR("terminated");
	i->events.n = 0;
	i->state = SOME_I32(EC2_SHUTTING_DOWN);
	i->reboot.has = false;
	i->reason_code = str_c(code);
	i->reason_message = str_c(message);
	i->transition_reason = user_initiated(c);
	i->changed = SOME_TIME(c->now_ms);
	ec2_instance_change(c, i);
	return OK;
}

status ec2_terminate_instances(
	struct call *c, const struct ec2_terminate_instances_input *in, struct ec2_terminate_instances_output *out)
{
	struct ec2_rec_instance *list;
	size_t capacity = 0;
	TRY(ec2_instances_find(c, &in->instance_ids, &list));
	for (size_t k = 0; k < in->instance_ids.n; k++)
		if (list[k].disable_api_termination.v && list[k].state.v != EC2_TERMINATED)
			return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
				"The instance '%.*s' may not be terminated. Modify its 'disableApiTermination' "
				"instance attribute and try "
				"again.",
				STR_ARG(list[k].instance_id));
	for (size_t k = 0; k < in->instance_ids.n; k++) {
		int32_t from = list[k].state.v;
		if (in->skip_os_shutdown.v) list[k].force = SOME_BOOL(true);
		TRY(ec2_instance_terminate(c, &list[k], "Client.UserInitiatedShutdown",
			"Client.UserInitiatedShutdown: User initiated shutdown"));
		TRY(ec2_spot_ended(c, &list[k]));
		*VEC_PUSH(c->arena, &out->terminating_instances, &capacity) =
			change_of(c, list[k].instance_id, from, list[k].state.v);
	}
	return OK;
}
