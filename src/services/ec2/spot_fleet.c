/* Spot Fleet requests: the older API to fleets, with words of its own. See fleet.h. */
#include "base/rand.h"
#include "services/ec2/fleet.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)

static const char *const no_filters[] = {NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_spot_fleet = {.name = "spot-fleet-request",
	.prefix = "sfr-",
	.absent = "The spot fleet request ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_SPOT_FLEET_REQUEST_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_SPOT_FLEET_REQUEST_ID_MALFORMED,
	.record = EC2_REC_FLEET,
	.shape = EC2_SHAPE_SPOT_FLEET_REQUEST_CONFIG,
	.filters = no_filters,
	.render = render};

static struct str state_of(struct call *c, struct str state)
{
	if (!str_starts(state, STR("deleted"))) return state;
	return str_cat(c->arena, STR("cancelled"), str_from(state, sizeof("deleted") - 1));
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_fleet *r = item->record;
	struct ec2_spot_fleet_request_config *out = to;
	struct ec2_spot_fleet_request_config_data *d = arena_new(c->arena, struct ec2_spot_fleet_request_config_data);
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_SPOT_FLEET_REQUEST_CONFIG_DATA, r->document, d));
	d->fulfilled_capacity = SOME_F64(ec2_fleet_holds(r, false));
	d->on_demand_fulfilled_capacity = SOME_F64(ec2_fleet_holds(r, true));
	out->spot_fleet_request_config = d;
	out->spot_fleet_request_id = r->fleet_id;
	out->spot_fleet_request_state = state_of(c, r->state);
	out->activity_status = ec2_fleet_activity(r, d->target_capacity.v);
	out->create_time = r->created;
	return OK;
}

static status check(struct call *c, const struct ec2_spot_fleet_request_config_data *d)
{
	if (!d->launch_specifications.n == !d->launch_template_configs.n)
		return call_fail(c, EC2_ERR_INVALID_SPOT_FLEET_REQUEST_CONFIG,
			"The request has to contain either LaunchSpecifications or LaunchTemplateConfigs.");
	if (!d->target_capacity.has || d->target_capacity.v < 0)
		return call_fail(c, EC2_ERR_INVALID_SPOT_FLEET_REQUEST_CONFIG, "TargetCapacity must not be negative.");
	if (str_is(d->type, "instant"))
		return call_fail(c, EC2_ERR_INVALID_SPOT_FLEET_REQUEST_CONFIG,
			"A Spot Fleet request is of type request or maintain.");
	if (d->load_balancers_config)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Load balancers of Spot Fleets are not implemented.");
	if (str_has(d->spot_max_total_price) || str_has(d->on_demand_max_total_price))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Total prices of Spot Fleets are not implemented.");
	if (str_has(d->target_capacity_unit_type) && !str_is(d->target_capacity_unit_type, "units"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Target capacities in vCPUs or memory are not implemented.");
	return OK;
}

status ec2_request_spot_fleet(
	struct call *c, const struct ec2_request_spot_fleet_input *in, struct ec2_request_spot_fleet_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_spot_fleet};
	struct ec2_spot_fleet_request_config_data d = *in->spot_fleet_request_config;
	struct ec2_fleet f;
	TRY(ec2_specified_only(c, &d.tag_specifications, taggable, 1));
	TRY(check(c, &d));
	d.type = str_or(d.type, STR("maintain"));
	d.allocation_strategy = str_or(d.allocation_strategy, STR("lowestPrice"));
	d.on_demand_allocation_strategy = str_or(d.on_demand_allocation_strategy, STR("lowestPrice"));
	d.excess_capacity_termination_policy = str_or(d.excess_capacity_termination_policy, STR("default"));
	d.instance_interruption_behavior = str_or(d.instance_interruption_behavior, STR("terminate"));
	if (!d.on_demand_target_capacity.has) d.on_demand_target_capacity = SOME_I32(0);
	struct ec2_rec_fleet r = {.fleet_id = str_cat(c->arena, STR("sfr-"), rand_uuid(c->arena)),
		.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_SPOT_FLEET_REQUEST_CONFIG_DATA, &d),
		.state = STR("submitted"),
		.created = SOME_TIME(c->now_ms),
		.type = d.type};
	TRY(ec2_fleet_read(c, &ec2_type_spot_fleet, &r, &f));
	TRY(ec2_tags_specified(c, &d.tag_specifications, &ec2_type_spot_fleet, r.fleet_id));
	ec2_fleet_event(c, r.fleet_id, "fleet-change", "submitted", STR_NONE, STR_NONE);
	ec2_fleet_change(c, &ec2_type_spot_fleet, &r);
	out->spot_fleet_request_id = r.fleet_id;
	return OK;
}

status ec2_describe_spot_fleet_requests(struct call *c, const struct ec2_describe_spot_fleet_requests_input *in,
	struct ec2_describe_spot_fleet_requests_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_spot_fleet,
		.ids = &in->spot_fleet_request_ids,
		.max_results = in->max_results,
		.next_token = in->next_token,
		.out = &out->spot_fleet_request_configs,
		.next_out = &out->next_token};
	return ec2_describe(c, &d);
}

status ec2_describe_spot_fleet_instances(struct call *c, const struct ec2_describe_spot_fleet_instances_input *in,
	struct ec2_describe_spot_fleet_instances_output *out)
{
	struct ec2_rec_fleet r;
	TRY(ec2_find(c, &ec2_type_spot_fleet, in->spot_fleet_request_id, &r));
	out->spot_fleet_request_id = r.fleet_id;
	TRY(ec2_fleet_instances(c, &r, &out->active_instances));
	return ec2_page(c, &out->active_instances, sizeof(*out->active_instances.v), in->max_results, in->next_token,
		&out->next_token);
}

/* The same events by the older words. */
static const struct {
	const char *fleet, *spot;
} words[] = {{"instance-change", "instanceChange"}, {"fleet-change", "fleetRequestChange"}, {"service-error", "error"}};

static struct str word(struct str from, bool to_spot)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq(from, str_c(to_spot ? words[i].fleet : words[i].spot)))
			return str_c(to_spot ? words[i].spot : words[i].fleet);
	return from;
}

status ec2_describe_spot_fleet_request_history(struct call *c,
	const struct ec2_describe_spot_fleet_request_history_input *in,
	struct ec2_describe_spot_fleet_request_history_output *out)
{
	struct ec2_rec_fleet r;
	struct ec2_fleet_events all = {0};
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_spot_fleet, in->spot_fleet_request_id, &r));
	struct str type = str_has(in->event_type) ? word(in->event_type, false) : STR_NONE;
	TRY(ec2_fleet_events(c, r.fleet_id, type, in->start_time.ms, &all));
	out->spot_fleet_request_id = r.fleet_id;
	out->start_time = in->start_time;
	out->last_evaluated_time = SOME_TIME(c->now_ms / 1000 * 1000);
	VEC_PRESENT(c->arena, &out->history_records);
	for (size_t i = 0; i < all.n; i++) {
		struct ec2_history_record *e = VEC_PUSH(c->arena, &out->history_records, &capacity);
		*e = (struct ec2_history_record){.event_type = word(all.v[i].type, true), .timestamp = all.v[i].at};
		e->event_information = arena_new(c->arena, struct ec2_event_information);
		*e->event_information = (struct ec2_event_information){
			all.v[i].description, state_of(c, all.v[i].subtype), all.v[i].instance};
	}
	return ec2_page(c, &out->history_records, sizeof(*out->history_records.v), in->max_results, in->next_token,
		&out->next_token);
}

status ec2_modify_spot_fleet_request(struct call *c, const struct ec2_modify_spot_fleet_request_input *in,
	struct ec2_modify_spot_fleet_request_output *out)
{
	struct ec2_rec_fleet r;
	struct ec2_spot_fleet_request_config_data d = {0};
	struct ec2_fleet f;
	TRY(ec2_find(c, &ec2_type_spot_fleet, in->spot_fleet_request_id, &r));
	if (!str_is(r.type, "maintain") || str_starts(r.state, STR("deleted")))
		return call_fail(c, EC2_ERR_INVALID_SPOT_FLEET_REQUEST_CONFIG,
			"The Spot Fleet request '%.*s' cannot be modified: it is of type %.*s and %.*s.",
			STR_ARG(r.fleet_id), STR_ARG(r.type), STR_ARG(state_of(c, r.state)));
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_SPOT_FLEET_REQUEST_CONFIG_DATA, r.document, &d));
	if (in->target_capacity.has) d.target_capacity = in->target_capacity;
	if (in->on_demand_target_capacity.has) d.on_demand_target_capacity = in->on_demand_target_capacity;
	if (str_has(in->excess_capacity_termination_policy))
		d.excess_capacity_termination_policy = in->excess_capacity_termination_policy;
	if (in->launch_template_configs.n) d.launch_template_configs = in->launch_template_configs;
	TRY(check(c, &d));
	r.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_SPOT_FLEET_REQUEST_CONFIG_DATA, &d);
	TRY(ec2_fleet_read(c, &ec2_type_spot_fleet, &r, &f));
	r.state = STR("modifying");
	r.excess = SOME_BOOL(true);
	ec2_fleet_event(c, r.fleet_id, "fleet-change", "modify_in_progress", STR_NONE, STR_NONE);
	ec2_fleet_change(c, &ec2_type_spot_fleet, &r);
	out->return_ = SOME_BOOL(true);
	return OK;
}

status ec2_cancel_spot_fleet_requests(struct call *c, const struct ec2_cancel_spot_fleet_requests_input *in,
	struct ec2_cancel_spot_fleet_requests_output *out)
{
	size_t done = 0, not_done = 0;
	VEC_PRESENT(c->arena, &out->successful_fleet_requests);
	VEC_PRESENT(c->arena, &out->unsuccessful_fleet_requests);
	for (size_t i = 0; i < in->spot_fleet_request_ids.n; i++) {
		struct str id = in->spot_fleet_request_ids.v[i];
		struct ec2_rec_fleet r;
		bool formed = str_starts(id, STR("sfr-"));
		status s = formed ? ec2_load(ec2_here(c), &ec2_type_spot_fleet, id, &r) : STATUS(NOT_FOUND);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s) && !str_starts(r.state, STR("deleted"))) {
			struct str before = r.state;
			const char *state = in->terminate_instances.v ? "deleted_terminating" : "deleted_running";
			r.state = str_c(state);
			ec2_fleet_event(c, id, "fleet-change", state, STR_NONE, STR_NONE);
			ec2_fleet_change(c, &ec2_type_spot_fleet, &r);
			*VEC_PUSH(c->arena, &out->successful_fleet_requests, &done) =
				(struct ec2_cancel_spot_fleet_requests_success_item){state_of(c, r.state), before, id};
			continue;
		}
		struct ec2_cancel_spot_fleet_requests_error_item *e =
			VEC_PUSH(c->arena, &out->unsuccessful_fleet_requests, &not_done);
		e->spot_fleet_request_id = id;
		e->error = arena_new(c->arena, struct ec2_cancel_spot_fleet_requests_error);
		const char *code = is_ok(s) ? "fleetRequestNotInCancellableState"
				   : formed ? "fleetRequestIdDoesNotExist"
					    : "fleetRequestIdMalformed";
		*e->error = (struct ec2_cancel_spot_fleet_requests_error){str_c(code),
			str_fmt(c->arena, "The Spot Fleet request '%.*s' cannot be cancelled.", STR_ARG(id))};
	}
	return OK;
}
