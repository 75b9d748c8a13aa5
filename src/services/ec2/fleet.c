/* EC2 Fleets: what clients ask of them. See fleet.h. */
#include "services/ec2/fleet.h"
#include "base/rand.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)

static const char *const filters[] = {"activity-status", "excess-capacity-termination-policy", "fleet-state",
	"replace-unhealthy-instances", "type", NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_fleet = {.name = "fleet",
	.prefix = "fleet-",
	.absent = "The fleet ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_FLEET_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_FLEET_ID_MALFORMED,
	.record = EC2_REC_FLEET,
	.shape = EC2_SHAPE_FLEET_DATA,
	.filters = filters,
	.render = render};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_fleet *r = item->record;
	struct ec2_fleet_data *out = to;
	struct ec2_tag_list tags = out->tags;
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, r->document, out));
	out->tags = tags;
	out->fleet_id = r->fleet_id;
	out->fleet_state = r->state;
	out->create_time = r->created;
	out->fulfilled_capacity = SOME_F64(ec2_fleet_holds(r, false));
	out->fulfilled_on_demand_capacity = SOME_F64(ec2_fleet_holds(r, true));
	out->activity_status = ec2_fleet_activity(r, out->target_capacity_specification->total_target_capacity.v);
	return OK;
}

/* "If a fleet is of type instant, you must specify the fleet ID, otherwise it does not appear in the response." */
static bool listed(struct call *c, const struct ec2_item *item)
{
	(void)c;
	return !str_is(((const struct ec2_rec_fleet *)item->record)->type, "instant");
}

/* ── CreateFleet ── */

static status check(struct call *c, const struct ec2_create_fleet_input *in)
{
	const struct ec2_target_capacity_specification_request *t = in->target_capacity_specification;
	const struct ec2_on_demand_options_request *o = in->on_demand_options;
	if (!in->launch_template_configs.n)
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter LaunchTemplateConfigs");
	if (!t->total_target_capacity.has || t->total_target_capacity.v < 0)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"TotalTargetCapacity has to be a number that is not negative.");
	if (str_has(t->target_capacity_unit_type) && !str_is(t->target_capacity_unit_type, "units"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Target capacities in vCPUs or memory are not implemented.");
	if (in->reserved_capacity_options || (o && o->capacity_reservation_options))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Fleets by Capacity Reservations are not implemented.");
	if ((o && str_has(o->max_total_price)) || (in->spot_options && str_has(in->spot_options->max_total_price)))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "MaxTotalPrice is not implemented.");
	if (in->valid_from.has && in->valid_until.has && in->valid_until.ms <= in->valid_from.ms)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "ValidUntil has to be after ValidFrom.");
	return OK;
}

static void default_targets(struct ec2_fleet_data *d)
{
	struct ec2_target_capacity_specification *t = d->target_capacity_specification;
	if (!str_has(t->default_target_capacity_type)) t->default_target_capacity_type = STR("on-demand");
	if (!t->on_demand_target_capacity.has) t->on_demand_target_capacity = SOME_I32(0);
	if (!t->spot_target_capacity.has) t->spot_target_capacity = SOME_I32(0);
}

/* The request as FleetData. */
static void document(struct call *c, const struct ec2_create_fleet_input *in, struct ec2_fleet_data *d)
{
	ec2_copy(c->arena, TABLES, EC2_SHAPE_CREATE_FLEET_REQUEST, in, TABLES, EC2_SHAPE_FLEET_DATA, d);
	d->type = str_or(in->type, STR("maintain"));
	d->excess_capacity_termination_policy = str_or(in->excess_capacity_termination_policy, STR("termination"));
	if (!d->replace_unhealthy_instances.has) d->replace_unhealthy_instances = SOME_BOOL(false);
	if (!d->terminate_instances_with_expiration.has) d->terminate_instances_with_expiration = SOME_BOOL(false);
	default_targets(d);
	bool spot = in->spot_options || d->target_capacity_specification->spot_target_capacity.v ||
		    str_is(d->target_capacity_specification->default_target_capacity_type, "spot");
	if (spot && !d->spot_options) d->spot_options = arena_new(c->arena, struct ec2_spot_options);
	if (d->spot_options) {
		struct ec2_spot_options *s = d->spot_options;
		s->allocation_strategy = str_or(s->allocation_strategy, STR("lowest-price"));
		s->instance_interruption_behavior = str_or(s->instance_interruption_behavior, STR("terminate"));
		if (str_is(s->allocation_strategy, "lowest-price") && !s->instance_pools_to_use_count.has)
			s->instance_pools_to_use_count = SOME_I32(1);
	}
	if (!d->on_demand_options) d->on_demand_options = arena_new(c->arena, struct ec2_on_demand_options);
	d->on_demand_options->allocation_strategy =
		str_or(d->on_demand_options->allocation_strategy, STR("lowest-price"));
}

static struct ec2_launch_template_and_overrides_response *shown(struct call *c, const struct ec2_pool *p)
{
	struct ec2_launch_template_and_overrides_response *out =
		arena_new(c->arena, struct ec2_launch_template_and_overrides_response);
	*out = p->shown;
	return out;
}

/* Instances by pool and lifecycle, and what failed, into the document and into the answer. */
static void tell_instant(struct call *c, struct ec2_fleet *f, struct ec2_fleet_data *d)
{
	size_t instances = 0, errors = 0;
	for (size_t p = 0; p < f->pools.n; p++)
		for (int spot = 0; spot < 2; spot++) {
			struct ec2_describe_fleets_instances i = {.lifecycle = spot ? STR("spot") : STR("on-demand"),
				.instance_type = f->pools.v[p].type,
				.launch_template_and_overrides = shown(c, &f->pools.v[p])};
			size_t ids = 0;
			for (size_t m = 0; m < f->r.members.n; m++)
				if ((size_t)f->r.members.v[m].pool.v == p && f->r.members.v[m].spot.v == (spot == 1))
					*VEC_PUSH(c->arena, &i.instance_ids, &ids) = f->r.members.v[m].instance;
			if (i.instance_ids.n) *VEC_PUSH(c->arena, &d->instances, &instances) = i;
		}
	for (size_t i = 0; i < f->failures.n; i++)
		*VEC_PUSH(c->arena, &d->errors, &errors) = (struct ec2_describe_fleet_error){
			.launch_template_and_overrides = shown(c, f->failures.v[i].pool),
			.lifecycle = f->failures.v[i].spot ? STR("spot") : STR("on-demand"),
			.error_code = f->failures.v[i].code,
			.error_message = f->failures.v[i].message};
}

/* "The minimum target capacity … If this minimum isn't reached, no instances are launched." */
static status check_minimum(struct call *c, const struct ec2_fleet *f, const struct ec2_fleet_data *d)
{
	double on_demand = ec2_fleet_holds(&f->r, true), spot = ec2_fleet_holds(&f->r, false) - on_demand;
	bool few = d->on_demand_options && on_demand < d->on_demand_options->min_target_capacity.v;
	few = few || (d->spot_options && spot < d->spot_options->min_target_capacity.v);
	if (!few) return OK;
	(void)call_fail(c, EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY,
		"Unable to fulfill the minimum target capacity. No instance was launched.%s%.*s",
		f->failures.n ? " " : "", STR_ARG(f->failures.n ? f->failures.v[0].message : STR("")));
	return STATUS(FAILED);
}

static status launch_instant(struct call *c, const struct ec2_create_fleet_input *in, struct ec2_fleet *f,
	struct ec2_fleet_data *d, struct ec2_create_fleet_output *out)
{
	TRY(ec2_fleet_fill(c, f));
	TRY(check_minimum(c, f, d));
	for (size_t i = 0; i < f->r.members.n; i++)
		TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_instance, f->r.members.v[i].instance));
	tell_instant(c, f, d);
	f->r.state = STR("active");
	f->r.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, d);
	ec2_copy(c->arena, TABLES, EC2_SHAPE_FLEET_DATA,
		&(struct ec2_fleet_data){.instances = d->instances, .errors = d->errors}, TABLES,
		EC2_SHAPE_CREATE_FLEET_RESULT, out);
	VEC_PRESENT(c->arena, &out->instances);
	VEC_PRESENT(c->arena, &out->errors);
	ec2_fleet_put(ec2_here(c), &ec2_type_fleet, &f->r);
	return OK;
}

/* NOT_FOUND: a new request. */
static status same_token(struct call *c, struct str token, struct str text, struct ec2_rec_fleet *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_fleet);
	bool found = false;
	while (!found && str_has(token) && ec2_next(&e)) {
		*out = *(const struct ec2_rec_fleet *)e.item.record;
		found = str_has(out->client_token) && str_eq(out->client_token, token);
	}
	TRY(ec2_each_end(&e));
	if (!found) return STATUS(NOT_FOUND);
	struct ec2_fleet_data d = {0};
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, out->document, &d));
	d.instances.n = d.errors.n = 0;
	d.instances.v = NULL;
	d.errors.v = NULL;
	if (str_eq(text, wire_shape_write(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, &d))) return OK;
	return call_fail(c, EC2_ERR_IDEMPOTENT_PARAMETER_MISMATCH,
		"Arguments on this idempotent request are inconsistent with arguments used in previous request(s).");
}

status ec2_create_fleet(struct call *c, const struct ec2_create_fleet_input *in, struct ec2_create_fleet_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_fleet, &ec2_type_instance};
	struct ec2_fleet_data d = {0};
	struct ec2_rec_fleet known;
	struct ec2_fleet f;
	bool instant = str_is(in->type, "instant");
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, instant ? 2 : 1));
	TRY(check(c, in));
	document(c, in, &d);
	struct ec2_rec_fleet r = {.fleet_id = str_cat(c->arena, STR("fleet-"), rand_uuid(c->arena)),
		.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, &d),
		.state = STR("submitted"),
		.created = SOME_TIME(c->now_ms / 1000 * 1000),
		.type = d.type,
		.client_token = in->client_token};
	status s = same_token(c, in->client_token, r.document, &known);
	if (is_ok(s)) {
		out->fleet_id = known.fleet_id;
		struct ec2_fleet_data before = {0};
		TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, known.document, &before));
		struct ec2_fleet_data told = {.instances = before.instances, .errors = before.errors};
		ec2_copy(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, &told, TABLES, EC2_SHAPE_CREATE_FLEET_RESULT, out);
		return OK;
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(ec2_fleet_read(c, &ec2_type_fleet, &r, &f));
	out->fleet_id = r.fleet_id;
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_fleet, r.fleet_id));
	if (instant) return launch_instant(c, in, &f, &d, out);
	ec2_fleet_event(c, r.fleet_id, "fleet-change", "submitted", STR_NONE, STR_NONE);
	ec2_fleet_change(c, &ec2_type_fleet, &r);
	return OK;
}

/* ── describing ── */

status ec2_describe_fleets(
	struct call *c, const struct ec2_describe_fleets_input *in, struct ec2_describe_fleets_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_fleet,
		.ids = &in->fleet_ids,
		.filters = &in->filters,
		.max_results = in->max_results,
		.next_token = in->next_token,
		.out = &out->fleets,
		.next_out = &out->next_token,
		.visible = in->fleet_ids.n ? NULL : listed};
	return ec2_describe(c, &d);
}

static const char *const instance_filters[] = {"instance-type", NULL};

status ec2_describe_fleet_instances(struct call *c, const struct ec2_describe_fleet_instances_input *in,
	struct ec2_describe_fleet_instances_output *out)
{
	struct ec2_rec_fleet r;
	TRY(ec2_find(c, &ec2_type_fleet, in->fleet_id, &r));
	TRY(ec2_filters_check(c, instance_filters, &in->filters));
	if (str_is(r.type, "instant"))
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
			"DescribeFleetInstances is not supported for fleets of type instant.");
	out->fleet_id = r.fleet_id;
	TRY(ec2_fleet_instances(c, &r, &out->active_instances));
	size_t left = 0;
	for (size_t i = 0; i < out->active_instances.n; i++)
		if (ec2_filters_match(c->arena, EC2_SHAPE_ACTIVE_INSTANCE, instance_filters, &in->filters,
			    &out->active_instances.v[i]))
			out->active_instances.v[left++] = out->active_instances.v[i];
	out->active_instances.n = left;
	return ec2_page(c, &out->active_instances, sizeof(*out->active_instances.v), in->max_results, in->next_token,
		&out->next_token);
}

status ec2_describe_fleet_history(struct call *c, const struct ec2_describe_fleet_history_input *in,
	struct ec2_describe_fleet_history_output *out)
{
	struct ec2_rec_fleet r;
	struct ec2_fleet_events all = {0};
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_fleet, in->fleet_id, &r));
	TRY(ec2_fleet_events(c, r.fleet_id, in->event_type, in->start_time.ms, &all));
	out->fleet_id = r.fleet_id;
	out->start_time = in->start_time;
	out->last_evaluated_time = SOME_TIME(c->now_ms / 1000 * 1000);
	VEC_PRESENT(c->arena, &out->history_records);
	for (size_t i = 0; i < all.n; i++) {
		struct ec2_history_record_entry *e = VEC_PUSH(c->arena, &out->history_records, &capacity);
		*e = (struct ec2_history_record_entry){.event_type = all.v[i].type, .timestamp = all.v[i].at};
		e->event_information = arena_new(c->arena, struct ec2_event_information);
		*e->event_information =
			(struct ec2_event_information){all.v[i].description, all.v[i].subtype, all.v[i].instance};
	}
	return ec2_page(c, &out->history_records, sizeof(*out->history_records.v), in->max_results, in->next_token,
		&out->next_token);
}

/* ── ModifyFleet ── "You can only modify an EC2 Fleet request of type maintain." */

status ec2_modify_fleet(struct call *c, const struct ec2_modify_fleet_input *in, struct ec2_modify_fleet_output *out)
{
	struct ec2_rec_fleet r;
	struct ec2_fleet_data d = {0};
	struct ec2_fleet f;
	TRY(ec2_find(c, &ec2_type_fleet, in->fleet_id, &r));
	if (!str_is(r.type, "maintain"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Fleet %.*s of type %.*s cannot be modified: only fleets of type maintain can.",
			STR_ARG(r.fleet_id), STR_ARG(r.type));
	if (!str_is(r.state, "active") && !str_is(r.state, "submitted") && !str_is(r.state, "modifying"))
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "The fleet '%.*s' is in the state %.*s.",
			STR_ARG(r.fleet_id), STR_ARG(r.state));
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, r.document, &d));
	const struct ec2_target_capacity_specification_request *t = in->target_capacity_specification;
	if (t) {
		if (!t->total_target_capacity.has || t->total_target_capacity.v < 0)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"TotalTargetCapacity has to be a number that is not negative.");
		bool default_type = str_has(t->default_target_capacity_type);
		struct str kept = d.target_capacity_specification->default_target_capacity_type;
		*d.target_capacity_specification =
			(struct ec2_target_capacity_specification){.total_target_capacity = t->total_target_capacity,
				.on_demand_target_capacity = t->on_demand_target_capacity,
				.spot_target_capacity = t->spot_target_capacity,
				.default_target_capacity_type = default_type ? t->default_target_capacity_type : kept};
		default_targets(&d);
	}
	if (str_has(in->excess_capacity_termination_policy))
		d.excess_capacity_termination_policy = in->excess_capacity_termination_policy;
	if (in->launch_template_configs.n) {
		struct ec2_modify_fleet_request only = {.launch_template_configs = in->launch_template_configs};
		d.launch_template_configs = (struct ec2_fleet_launch_template_config_list){0};
		ec2_copy(c->arena, TABLES, EC2_SHAPE_MODIFY_FLEET_REQUEST, &only, TABLES, EC2_SHAPE_FLEET_DATA, &d);
	}
	r.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, &d);
	TRY(ec2_fleet_read(c, &ec2_type_fleet, &r, &f));
	r.state = STR("modifying");
	r.excess = SOME_BOOL(true);
	ec2_fleet_event(c, r.fleet_id, "fleet-change", "modify_in_progress", STR_NONE, STR_NONE);
	ec2_fleet_change(c, &ec2_type_fleet, &r);
	out->return_ = SOME_BOOL(true);
	return OK;
}

/* ── DeleteFleets ── */

static status delete_one(struct call *c, struct str id, bool terminate, struct ec2_delete_fleet_success_item *done,
	const char **code, struct str *why)
{
	struct ec2_rec_fleet r;
	*code = NULL;
	status s = str_starts(id, STR("fleet-")) ? ec2_load(ec2_here(c), &ec2_type_fleet, id, &r) : STATUS(INVALID);
	if (status_is(s, STATUS_INVALID) || status_is(s, STATUS_NOT_FOUND)) {
		*code = status_is(s, STATUS_INVALID) ? "fleetIdMalformed" : "fleetIdDoesNotExist";
		*why = str_fmt(c->arena, "The fleet ID '%.*s' %s", STR_ARG(id),
			status_is(s, STATUS_INVALID) ? "is malformed" : "does not exist");
		return OK;
	}
	TRY(s);
	bool instant = str_is(r.type, "instant");
	if (str_starts(r.state, STR("deleted")) || (instant && !terminate)) {
		*code = "fleetNotInDeletableState";
		*why = instant && !terminate ? STR("Fleets of type instant can only be deleted with their instances.")
					     : str_fmt(c->arena, "The fleet '%.*s' is in the state %.*s", STR_ARG(id),
						       STR_ARG(r.state));
		return OK;
	}
	*done = (struct ec2_delete_fleet_success_item){.fleet_id = id, .previous_fleet_state = r.state};
	r.state = terminate ? STR("deleted_terminating") : STR("deleted_running");
	done->current_fleet_state = r.state;
	ec2_fleet_event(
		c, id, "fleet-change", terminate ? "deleted_terminating" : "deleted_running", STR_NONE, STR_NONE);
	ec2_fleet_change(c, &ec2_type_fleet, &r);
	return OK;
}

status ec2_delete_fleets(struct call *c, const struct ec2_delete_fleets_input *in, struct ec2_delete_fleets_output *out)
{
	size_t done = 0, not_done = 0;
	VEC_PRESENT(c->arena, &out->successful_fleet_deletions);
	VEC_PRESENT(c->arena, &out->unsuccessful_fleet_deletions);
	for (size_t i = 0; i < in->fleet_ids.n; i++) {
		struct ec2_delete_fleet_success_item item;
		const char *code;
		struct str why = STR_NONE;
		TRY(delete_one(c, in->fleet_ids.v[i], in->terminate_instances.v, &item, &code, &why));
		if (!code) {
			*VEC_PUSH(c->arena, &out->successful_fleet_deletions, &done) = item;
			continue;
		}
		struct ec2_delete_fleet_error_item *e =
			VEC_PUSH(c->arena, &out->unsuccessful_fleet_deletions, &not_done);
		e->fleet_id = in->fleet_ids.v[i];
		e->error = arena_new(c->arena, struct ec2_delete_fleet_error);
		*e->error = (struct ec2_delete_fleet_error){str_c(code), why};
	}
	return OK;
}
