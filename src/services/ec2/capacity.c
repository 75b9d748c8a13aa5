/* On-Demand Capacity Reservations, really counted: a running instance of matching type, zone and tenancy takes a place
 * of one, and gives it back when it stops. "Reserve compute capacity with EC2 On-Demand Capacity Reservations", the
 * guide. */
#include "services/ec2/capacity.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)
enum { COUNT_MAX = 1000 };

static const char *const filters[] = {"availability-zone", "availability-zone-id", "end-date", "end-date-type",
	"instance-match-criteria", "instance-platform", "instance-type", "owner-id", "start-date", "state", "tenancy",
	NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_capacity_reservation = {.name = "capacity-reservation",
	.prefix = "cr-",
	.absent = "The capacity reservation ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_CAPACITY_RESERVATION_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_CAPACITY_RESERVATION_ID_MALFORMED,
	.record = EC2_REC_CAPACITY_RESERVATION,
	.shape = EC2_SHAPE_CAPACITY_RESERVATION,
	.filters = filters,
	.render = render};

static struct str state_of(const struct ec2_rec_capacity_reservation *r, int64_t now_ms)
{
	return str_is(r->state, "active") && r->end_date.has && r->end_date.ms <= now_ms ? STR("expired") : r->state;
}

static int32_t left_of(const struct ec2_rec_capacity_reservation *r, int64_t now_ms)
{
	return str_is(state_of(r, now_ms), "active") ? r->total_instance_count.v - (int32_t)r->used.n : 0;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_capacity_reservation *r = item->record;
	struct ec2_capacity_reservation *out = to;
	out->owner_id = item->at.account;
	out->capacity_reservation_arn =
		ec2_arn(c, item->at.account, item->at.region, "capacity-reservation", r->capacity_reservation_id);
	out->state = state_of(r, c->now_ms);
	out->available_instance_count = SOME_I32(left_of(r, c->now_ms));
	out->ephemeral_storage = SOME_BOOL(false);
	out->reservation_type = STR("default");
	return OK;
}

static void put(struct call *c, const struct ec2_rec_capacity_reservation *r)
{
	ec2_put(ec2_here(c), &ec2_type_capacity_reservation, r->capacity_reservation_id, r);
}

/* ── instances ── */

static bool fits(const struct ec2_rec_capacity_reservation *r, const struct ec2_capacity_wish *w)
{
	return str_eq(r->instance_type, w->type) && str_eq(r->availability_zone, w->zone) &&
	       str_eq(r->tenancy, str_or(w->tenancy, STR("default"))) && str_is(r->instance_platform, "Linux/UNIX");
}

/* The reservation that it would run in; id STR_NONE: in none. */
static status choose(struct call *c, const struct ec2_capacity_wish *w, struct ec2_rec_capacity_reservation *out)
{
	const struct ec2_capacity_reservation_specification_response *s = w->specification;
	struct str preference = s ? s->capacity_reservation_preference : STR_NONE;
	const struct ec2_capacity_reservation_target_response *target = s ? s->capacity_reservation_target : NULL;
	*out = (struct ec2_rec_capacity_reservation){0};
	if (target && str_has(target->capacity_reservation_resource_group_arn))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Groups of Capacity Reservations are not implemented.");
	if (target && str_has(target->capacity_reservation_id)) {
		TRY(ec2_find(c, &ec2_type_capacity_reservation, target->capacity_reservation_id, out));
		if (fits(out, w)) return OK;
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The instance's attributes do not match those of the Capacity Reservation '%.*s'.",
			STR_ARG(out->capacity_reservation_id));
	}
	if (str_is(preference, "none")) return OK;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_capacity_reservation);
	while (ec2_next(&e)) {
		const struct ec2_rec_capacity_reservation *r = e.item.record;
		if (str_has(out->capacity_reservation_id) || !str_is(r->instance_match_criteria, "open")) continue;
		if (fits(r, w) && left_of(r, c->now_ms) > 0) *out = *r;
	}
	return ec2_each_end(&e);
}

static bool is_bound(const struct ec2_capacity_wish *w)
{
	const struct ec2_capacity_reservation_specification_response *s = w->specification;
	return s && (s->capacity_reservation_target ||
			    str_is(s->capacity_reservation_preference, "capacity-reservations-only"));
}

status ec2_capacity_left(struct call *c, const struct ec2_capacity_wish *w, int32_t *left)
{
	struct ec2_rec_capacity_reservation r;
	*left = INT32_MAX;
	if (!is_bound(w)) return OK;
	TRY(choose(c, w, &r));
	*left = left_of(&r, c->now_ms);
	return OK;
}

status ec2_capacity_take(
	struct call *c, const struct ec2_capacity_wish *w, struct str instance, struct str *reservation)
{
	struct ec2_rec_capacity_reservation r;
	*reservation = STR_NONE;
	TRY(choose(c, w, &r));
	bool room = str_has(r.capacity_reservation_id) && left_of(&r, c->now_ms) > 0;
	if (!room && !is_bound(w)) return OK;
	if (!room && str_has(r.capacity_reservation_id))
		return call_fail(c, EC2_ERR_RESERVATION_CAPACITY_EXCEEDED,
			"The requested instance count exceeds the available capacity of the Capacity Reservation "
			"'%.*s'.",
			STR_ARG(r.capacity_reservation_id));
	if (!room)
		return call_fail(c, EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY,
			"There is no Capacity Reservation with room for %.*s in %.*s.", STR_ARG(w->type),
			STR_ARG(w->zone));
	size_t capacity = r.used.n;
	*VEC_PUSH(c->arena, &r.used, &capacity) = instance;
	put(c, &r);
	*reservation = r.capacity_reservation_id;
	return OK;
}

void ec2_capacity_release(struct ec2_place at, struct str reservation, struct str instance)
{
	struct ec2_rec_capacity_reservation r;
	size_t kept = 0;
	/* One that cannot be read has nothing to be counted by. */
	if (!is_ok(ec2_load(at, &ec2_type_capacity_reservation, reservation, &r))) return;
	for (size_t i = 0; i < r.used.n; i++)
		if (!str_eq(r.used.v[i], instance)) r.used.v[kept++] = r.used.v[i];
	if (kept == r.used.n) return;
	r.used.n = kept;
	ec2_put(at, &ec2_type_capacity_reservation, r.capacity_reservation_id, &r);
}

bool ec2_capacity_holds(struct ec2_place at, struct str reservation, struct str instance)
{
	struct ec2_rec_capacity_reservation r;
	if (!str_has(reservation) || !is_ok(ec2_load(at, &ec2_type_capacity_reservation, reservation, &r)))
		return false;
	for (size_t i = 0; i < r.used.n; i++)
		if (str_eq(r.used.v[i], instance)) return str_is(r.state, "active");
	return false;
}

/* ── what clients ask ── */

static status check_end(struct call *c, struct str type, struct opt_time end)
{
	if (str_is(type, "limited") != end.has)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			end.has ? "EndDate needs EndDateType to be limited." : "EndDateType limited needs an EndDate.");
	if (end.has && end.ms <= c->now_ms)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "EndDate has to be in the future.");
	return OK;
}

static status check_count(struct call *c, int32_t n)
{
	if (n >= 1 && n <= COUNT_MAX) return OK;
	return call_fail(
		c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid instanceCount: it has to be from 1 to %d.", COUNT_MAX);
}

status ec2_create_capacity_reservation(struct call *c, const struct ec2_create_capacity_reservation_input *in,
	struct ec2_create_capacity_reservation_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_capacity_reservation};
	struct ec2_machine_type m;
	struct ec2_zone z;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (in->start_date.has || in->commitment_duration.has || str_has(in->outpost_arn) ||
		str_has(in->placement_group_arn))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Capacity Reservations of the future, on Outposts and in placement groups are not "
			"implemented.");
	if (!ec2_machine_type_find(in->instance_type, &m))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for InstanceType.",
			STR_ARG(in->instance_type));
	TRY(ec2_zone_find(c, in->availability_zone, in->availability_zone_id, &z));
	if (!str_has(z.name))
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter AvailabilityZone");
	TRY(check_count(c, in->instance_count.v));
	TRY(check_end(c, in->end_date_type, in->end_date));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_capacity_reservation);
	struct str known = STR_NONE;
	while (str_has(in->client_token) && ec2_next(&e)) {
		const struct ec2_rec_capacity_reservation *o = e.item.record;
		if (str_has(o->client_token) && str_eq(o->client_token, in->client_token)) known = e.item.id;
	}
	TRY(ec2_each_end(&e));
	out->capacity_reservation = arena_new(c->arena, struct ec2_capacity_reservation);
	if (str_has(known))
		return ec2_describe_one(c, &ec2_type_capacity_reservation, known, out->capacity_reservation);
	struct ec2_rec_capacity_reservation r = {
		.capacity_reservation_id = ec2_new_id(c->arena, ec2_type_capacity_reservation.prefix),
		.availability_zone = z.name,
		.availability_zone_id = z.id,
		.instance_type = in->instance_type,
		.instance_platform = in->instance_platform,
		.tenancy = str_or(in->tenancy, STR("default")),
		.total_instance_count = in->instance_count,
		.ebs_optimized = SOME_BOOL(in->ebs_optimized.v),
		.state = STR("active"),
		.start_date = SOME_TIME(c->now_ms / 1000 * 1000),
		.end_date = in->end_date,
		.end_date_type = str_or(in->end_date_type, STR("unlimited")),
		.instance_match_criteria = str_or(in->instance_match_criteria, STR("open")),
		.create_date = SOME_TIME(c->now_ms / 1000 * 1000),
		.client_token = in->client_token};
	put(c, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_capacity_reservation, r.capacity_reservation_id));
	return ec2_describe_one(
		c, &ec2_type_capacity_reservation, r.capacity_reservation_id, out->capacity_reservation);
}

status ec2_describe_capacity_reservations(struct call *c, const struct ec2_describe_capacity_reservations_input *in,
	struct ec2_describe_capacity_reservations_output *out)
{
	return EC2_DESCRIBE(
		c, &ec2_type_capacity_reservation, in, capacity_reservation_ids, out, capacity_reservations);
}

static status find_active(struct call *c, struct str id, struct ec2_rec_capacity_reservation *r)
{
	TRY(ec2_find(c, &ec2_type_capacity_reservation, id, r));
	if (str_is(state_of(r, c->now_ms), "active")) return OK;
	return call_fail(c, EC2_ERR_INCORRECT_STATE, "The Capacity Reservation '%.*s' is %.*s.", STR_ARG(id),
		STR_ARG(state_of(r, c->now_ms)));
}

status ec2_modify_capacity_reservation(struct call *c, const struct ec2_modify_capacity_reservation_input *in,
	struct ec2_modify_capacity_reservation_output *out)
{
	struct ec2_rec_capacity_reservation r;
	TRY(find_active(c, in->capacity_reservation_id, &r));
	if (in->instance_count.has) {
		TRY(check_count(c, in->instance_count.v));
		if (in->instance_count.v < (int32_t)r.used.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"%zu instances run in the Capacity Reservation: it cannot be smaller.", r.used.n);
		r.total_instance_count = in->instance_count;
	}
	if (str_has(in->end_date_type) || in->end_date.has) {
		struct str type = str_or(in->end_date_type, r.end_date_type);
		TRY(check_end(c, type, in->end_date));
		r.end_date_type = type;
		r.end_date = in->end_date;
	}
	if (str_has(in->instance_match_criteria)) r.instance_match_criteria = in->instance_match_criteria;
	put(c, &r);
	out->return_ = SOME_BOOL(true);
	return OK;
}

/* "Running instances … continue to run normally outside of the reservation." */
status ec2_cancel_capacity_reservation(struct call *c, const struct ec2_cancel_capacity_reservation_input *in,
	struct ec2_cancel_capacity_reservation_output *out)
{
	struct ec2_rec_capacity_reservation r;
	TRY(find_active(c, in->capacity_reservation_id, &r));
	r.state = STR("cancelled");
	r.used.n = 0;
	put(c, &r);
	out->return_ = SOME_BOOL(true);
	return OK;
}

status ec2_get_capacity_reservation_usage(struct call *c, const struct ec2_get_capacity_reservation_usage_input *in,
	struct ec2_get_capacity_reservation_usage_output *out)
{
	struct ec2_rec_capacity_reservation r;
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_capacity_reservation, in->capacity_reservation_id, &r));
	out->capacity_reservation_id = r.capacity_reservation_id;
	out->instance_type = r.instance_type;
	out->total_instance_count = r.total_instance_count;
	out->available_instance_count = SOME_I32(left_of(&r, c->now_ms));
	out->state = state_of(&r, c->now_ms);
	VEC_PRESENT(c->arena, &out->instance_usages);
	if (r.used.n)
		*VEC_PUSH(c->arena, &out->instance_usages, &capacity) =
			(struct ec2_instance_usage){c->account, SOME_I32((int32_t)r.used.n)};
	return OK;
}

/* "You can modify … an instance's Capacity Reservation settings only while it is stopped." */
status ec2_modify_instance_capacity_reservation_attributes(struct call *c,
	const struct ec2_modify_instance_capacity_reservation_attributes_input *in,
	struct ec2_modify_instance_capacity_reservation_attributes_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	if (i.state.v != EC2_STOPPED)
		return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
			"The instance '%.*s' is not in the 'stopped' state.", STR_ARG(i.instance_id));
	TRY(ec2_instance_document(c->arena, &i, &shape));
	shape.capacity_reservation_specification =
		arena_new(c->arena, struct ec2_capacity_reservation_specification_response);
	ec2_copy(c->arena, TABLES, EC2_SHAPE_CAPACITY_RESERVATION_SPECIFICATION, in->capacity_reservation_specification,
		TABLES, EC2_SHAPE_CAPACITY_RESERVATION_SPECIFICATION_RESPONSE,
		shape.capacity_reservation_specification);
	ec2_instance_document_put(c->arena, &i, &shape);
	ec2_instance_put(ec2_here(c), &i);
	out->return_ = SOME_BOOL(true);
	return OK;
}
