/* Spot Instances: requests, prices. A request is fulfilled when it is made and its price suffices ("Spot Instance
 * request status", the guide). virga's Spot price of a type is a constant made of its processors and memory, the same
 * in all zones: nobody bids against the user. */
#include "services/ec2/spot.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)

static const char *const filters[] = {"availability-zone-group", "create-time", "instance-id",
	"launch.image-id=LaunchSpecification.ImageId", "launch.instance-type=LaunchSpecification.InstanceType",
	"launch.key-name=LaunchSpecification.KeyName", "launched-availability-zone", "product-description",
	"spot-instance-request-id", "spot-price", "state", "status-code=Status.Code", "status-message=Status.Message",
	"type", "valid-from", "valid-until", NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_spot_request = {.name = "spot-instances-request",
	.prefix = "sir-",
	.absent = "The spot instance request ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_SPOT_INSTANCE_REQUEST_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_SPOT_INSTANCE_REQUEST_ID_MALFORMED,
	.record = EC2_REC_SPOT_REQUEST,
	.shape = EC2_SHAPE_SPOT_INSTANCE_REQUEST,
	.filters = filters,
	.render = render};

int64_t ec2_spot_price(const struct ec2_machine_type *m)
{
	return (int64_t)m->vcpus * 7200 + (int64_t)m->memory_mib * 1100 / 1024 + (int64_t)m->gpus * 150000;
}

static struct str price_text(struct arena *a, int64_t micros)
{
	return str_fmt(a, "%lld.%06lld", (long long)(micros / 1000000), (long long)(micros % 1000000));
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_spot_request *r = item->record;
	struct ec2_spot_instance_request *out = to;
	struct ec2_tag_list tags = out->tags;
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_SPOT_INSTANCE_REQUEST, r->document, out));
	out->tags = tags;
	out->spot_instance_request_id = r->spot_instance_request_id;
	out->state = r->state;
	out->instance_id = r->instance_id;
	out->status = arena_new(c->arena, struct ec2_spot_instance_status);
	*out->status = (struct ec2_spot_instance_status){r->status_code, r->status_message, r->changed};
	return OK;
}

void ec2_spot_mark(
	struct ec2_rec_spot_request *r, const char *state, const char *code, const char *message, int64_t now_ms)
{
	r->state = str_c(state);
	r->status_code = str_c(code);
	r->status_message = str_c(message);
	r->changed = SOME_TIME(now_ms / 1000 * 1000);
}

void ec2_spot_put(struct call *c, const struct ec2_rec_spot_request *r)
{
	ec2_put(ec2_here(c), &ec2_type_spot_request, r->spot_instance_request_id, r);
}

/* True: the price suffices. */
static status affordable(struct call *c, struct str most, const struct ec2_machine_type *m, bool *yes)
{
	double max;
	*yes = true;
	if (str_empty(most)) return OK;
	if (!is_ok(str_to_f64(most, &max)) || !(max > 0))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid Spot price: %.*s", STR_ARG(most));
	*yes = (double)ec2_spot_price(m) <= max * 1000000;
	return OK;
}

static status make(struct call *c, const struct ec2_run_plan *p, struct str price, struct str type, struct str behavior,
	struct ec2_rec_spot_request *r)
{
	struct ec2_spot_instance_request doc = {.create_time = SOME_TIME(c->now_ms / 1000 * 1000),
		.launch_specification = arena_new(c->arena, struct ec2_launch_specification),
		.launched_availability_zone = p->subnet.availability_zone,
		.product_description = STR("Linux/UNIX"),
		.spot_price = str_empty(price) ? price_text(c->arena, ec2_spot_price(&p->type)) : price,
		.type = type,
		.instance_interruption_behavior = behavior};
	ec2_copy(c->arena, TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, &p->in, TABLES, EC2_SHAPE_LAUNCH_SPECIFICATION,
		doc.launch_specification);
	doc.launch_specification->user_data = STR_NONE;
	struct ec2_run_instances_request again = p->in;
	again.launch_template = NULL;
	again.instance_market_options = NULL;
	again.client_token = STR_NONE;
	again.min_count = again.max_count = SOME_I32(1);
	*r = (struct ec2_rec_spot_request){
		.spot_instance_request_id = ec2_new_id(c->arena, ec2_type_spot_request.prefix),
		.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_SPOT_INSTANCE_REQUEST, &doc),
		.type = type,
		.behavior = behavior,
		.request = wire_shape_write(c->arena, TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, &again)};
	ec2_spot_mark(r, "open", "pending-evaluation",
		"Your Spot request has been submitted for review, and is pending evaluation.", c->now_ms);
	ec2_spot_put(c, r);
	return ec2_tags_specified(c, &p->in.tag_specifications, &ec2_type_spot_request, r->spot_instance_request_id);
}

/* ── RunInstances ── */

status ec2_spot_at_launch(struct call *c, struct ec2_run_plan *p)
{
	const struct ec2_instance_market_options_request *m = p->in.instance_market_options;
	struct ec2_rec_spot_request r;
	bool yes;
	if (!m || !str_is(m->market_type, "spot")) return OK;
	struct ec2_spot_market_options o = m->spot_options ? *m->spot_options : (struct ec2_spot_market_options){0};
	struct str type = str_or(o.spot_instance_type, STR("one-time"));
	struct str behavior = str_or(o.instance_interruption_behavior, STR("terminate"));
	if (!str_is(behavior, "terminate") && !str_is(type, "persistent"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The instance interruption behavior '%.*s' needs a persistent Spot request.",
			STR_ARG(behavior));
	TRY(affordable(c, o.max_price, &p->type, &yes));
	if (!yes)
		return call_fail(c, EC2_ERR_SPOT_MAX_PRICE_TOO_LOW,
			"Your Spot request price of %.*s is lower than the minimum required Spot request fulfillment "
			"price of %.*s.",
			STR_ARG(o.max_price), STR_ARG(price_text(c->arena, ec2_spot_price(&p->type))));
	if (p->count > 1 && p->in.min_count.v != p->count)
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_COMBINATION, "Spot Instances need MinCount to be MaxCount.");
	TRY(make(c, p, o.max_price, type, behavior, &r));
	p->spot_request = r.spot_instance_request_id;
	return OK;
}

status ec2_spot_launched(struct call *c, const struct ec2_run_plan *p, const struct ec2_reservation *made)
{
	struct ec2_rec_spot_request r;
	if (!str_has(p->spot_request)) return OK;
	TRY(ec2_load(ec2_here(c), &ec2_type_spot_request, p->spot_request, &r));
	r.instance_id = made->instances.v[0].instance_id;
	ec2_spot_mark(&r, "active", "fulfilled", "Your Spot request is fulfilled.", c->now_ms);
	ec2_spot_put(c, &r);
	return OK;
}

/* NULL: it is none. */
static struct ec2_rec_spot_request *load(struct call *c, struct str id, struct ec2_rec_spot_request *r)
{
	return str_has(id) && is_ok(ec2_load(ec2_here(c), &ec2_type_spot_request, id, r)) ? r : NULL;
}

bool ec2_spot_is_persistent(struct call *c, struct str request)
{
	struct ec2_rec_spot_request r;
	return load(c, request, &r) && str_is(r.type, "persistent");
}

/* "If your Spot Instance request is persistent, you must cancel it first: else it launches another" ("Terminate a Spot
 * Instance", the guide). */
status ec2_spot_ended(struct call *c, const struct ec2_rec_instance *i)
{
	struct ec2_rec_spot_request r;
	if (!load(c, i->spot_request, &r) || (!str_is(r.state, "active") && !str_is(r.state, "disabled"))) return OK;
	bool again = str_is(r.type, "persistent");
	ec2_spot_mark(&r, again ? "open" : "closed", "instance-terminated-by-user",
		"Spot Instance terminated due to user-initiated termination.", c->now_ms);
	if (again) ec2_spot_try_again(c, &r, c->now_ms);
	ec2_spot_put(c, &r);
	return OK;
}

/* "The request is disabled while you have stopped its instance, and active again when you start it." */
status ec2_spot_stopped(struct call *c, const struct ec2_rec_instance *i)
{
	struct ec2_rec_spot_request r;
	if (!load(c, i->spot_request, &r) || !str_is(r.state, "active")) return OK;
	ec2_spot_mark(&r, "disabled", "instance-stopped-by-user", "Spot Instance stopped due to user-initiated stop.",
		c->now_ms);
	ec2_spot_put(c, &r);
	return OK;
}

status ec2_spot_started(struct call *c, const struct ec2_rec_instance *i)
{
	struct ec2_rec_spot_request r;
	if (!load(c, i->spot_request, &r) || !str_is(r.state, "disabled")) return OK;
	ec2_spot_mark(&r, "active", "fulfilled", "Your Spot request is fulfilled.", c->now_ms);
	r.due.has = false;
	ec2_spot_put(c, &r);
	return OK;
}

/* ── RequestSpotInstances ── */

status ec2_request_spot_instances(struct call *c, const struct ec2_request_spot_instances_input *in,
	struct ec2_request_spot_instances_output *out)
{
	struct ec2_run_instances_request run = {.min_count = SOME_I32(1), .max_count = SOME_I32(1)};
	struct ec2_run_plan p;
	size_t capacity = 0;
	bool yes;
	int32_t count = in->instance_count.has ? in->instance_count.v : 1;
	if (!in->launch_specification)
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter LaunchSpecification");
	if (count < 1) return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "InstanceCount has to be at least 1.");
	ec2_copy(c->arena, TABLES, EC2_SHAPE_REQUEST_SPOT_LAUNCH_SPECIFICATION, in->launch_specification, TABLES,
		EC2_SHAPE_RUN_INSTANCES_REQUEST, &run);
	run.tag_specifications = in->tag_specifications;
	TRY(ec2_run_plan(c, &run, &p));
	TRY(affordable(c, in->spot_price, &p.type, &yes));
	for (int32_t k = 0; k < count; k++) {
		struct ec2_rec_spot_request r;
		struct ec2_reservation made;
		TRY(make(c, &p, in->spot_price, str_or(in->type, STR("one-time")),
			str_or(in->instance_interruption_behavior, STR("terminate")), &r));
		if (yes) {
			p.spot_request = r.spot_instance_request_id;
			TRY(ec2_run_make(c, &p, &made));
			TRY(ec2_spot_launched(c, &p, &made));
		} else {
			ec2_spot_mark(&r, "open", "price-too-low",
				"Your Spot request price is lower than the minimum required Spot request fulfillment "
				"price.",
				c->now_ms);
			ec2_spot_put(c, &r);
		}
		TRY(ec2_describe_one(c, &ec2_type_spot_request, r.spot_instance_request_id,
			VEC_PUSH(c->arena, &out->spot_instance_requests, &capacity)));
	}
	return OK;
}

status ec2_describe_spot_instance_requests(struct call *c, const struct ec2_describe_spot_instance_requests_input *in,
	struct ec2_describe_spot_instance_requests_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_spot_request, in, spot_instance_request_ids, out, spot_instance_requests);
}

/* "Canceling a Spot Instance request does not terminate running Spot Instances associated with the request." */
status ec2_cancel_spot_instance_requests(struct call *c, const struct ec2_cancel_spot_instance_requests_input *in,
	struct ec2_cancel_spot_instance_requests_output *out)
{
	size_t capacity = 0;
	for (size_t k = 0; k < in->spot_instance_request_ids.n; k++) {
		struct ec2_rec_spot_request r;
		TRY(ec2_find(c, &ec2_type_spot_request, in->spot_instance_request_ids.v[k], &r));
		bool runs = str_is(r.state, "active");
		if (runs || str_is(r.state, "open") || str_is(r.state, "disabled"))
			ec2_spot_mark(&r, "cancelled",
				runs ? "request-canceled-and-instance-running" : "canceled-before-fulfillment",
				runs ? "Your Spot request is canceled, but your instance is still running."
				     : "Your Spot request was canceled before it was fulfilled.",
				c->now_ms);
		ec2_spot_put(c, &r);
		*VEC_PUSH(c->arena, &out->cancelled_spot_instance_requests, &capacity) =
			(struct ec2_cancelled_spot_instance_request){r.spot_instance_request_id, r.state};
	}
	return OK;
}

/* ── prices ── */

static const char *const price_filters[] = {"availability-zone", "availability-zone-id", "instance-type",
	"product-description", "spot-price", "timestamp", NULL};

status ec2_describe_spot_price_history(struct call *c, const struct ec2_describe_spot_price_history_input *in,
	struct ec2_describe_spot_price_history_output *out)
{
	struct ec2_zones zones;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, price_filters, &in->filters));
	TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
	VEC_PRESENT(c->arena, &out->spot_price_history);
	if (in->product_descriptions.n && !ec2_listed(&in->product_descriptions, STR("Linux/UNIX")) &&
		!ec2_listed(&in->product_descriptions, STR("Linux/UNIX (Amazon VPC)")))
		return OK;
	/* The price never changed: the one record before the interval is what AWS shows. */
	int64_t at = in->start_time.has && in->start_time.ms < c->now_ms ? in->start_time.ms
									 : c->now_ms / 86400000 * 86400000;
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_machine_type m = ec2_machine_type_at(i);
		if (in->instance_types.n && !ec2_listed(&in->instance_types, m.name)) continue;
		for (size_t k = 0; k < zones.n; k++) {
			struct ec2_spot_price p = {.availability_zone = zones.v[k].name,
				.availability_zone_id = zones.v[k].id,
				.instance_type = m.name,
				.product_description = STR("Linux/UNIX"),
				.spot_price = price_text(c->arena, ec2_spot_price(&m)),
				.timestamp = SOME_TIME(at)};
			if (str_has(in->availability_zone) && !str_eq(in->availability_zone, p.availability_zone))
				continue;
			if (str_has(in->availability_zone_id) &&
				!str_eq(in->availability_zone_id, p.availability_zone_id))
				continue;
			if (ec2_filters_match(c->arena, EC2_SHAPE_SPOT_PRICE, price_filters, &in->filters, &p))
				*VEC_PUSH(c->arena, &out->spot_price_history, &capacity) = p;
		}
	}
	return ec2_page(c, &out->spot_price_history, sizeof(*out->spot_price_history.v), in->max_results,
		in->next_token, &out->next_token);
}
