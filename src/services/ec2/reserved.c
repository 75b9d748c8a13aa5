/* Reserved Instances: offerings, and what was bought of them. A reservation is a discount on the bill, and there is no
 * bill: it is a record with AWS' states, from payment over its term to its end. Prices are of virga's own making, in
 * AWS' proportions. "Reserved Instances for Amazon EC2", the guide. Modifying them, exchanging them and the Marketplace
 * have no rows. */
#include "services/ec2/instance.h"
#include "wire/shape.h"
#include <openssl/sha.h>

#define TABLES (&wire_service_ec2.tables)
#define YEAR_S ((int64_t)365 * 24 * 3600)
enum { COUNT_MAX = 20 };

static const char *const classes[] = {"standard", "convertible"};
static const char *const payments[] = {"No Upfront", "Partial Upfront", "All Upfront"};

static const char *const offering_filters[] = {"availability-zone", "availability-zone-id", "duration", "fixed-price",
	"instance-type", "marketplace", "product-description", "reserved-instances-offering-id", "scope", "usage-price",
	NULL};
static const char *const filters[] = {"availability-zone", "availability-zone-id", "duration", "end", "fixed-price",
	"instance-type", "scope", "product-description", "reserved-instances-id", "start", "state", "usage-price",
	NULL};
static const struct ec2_type type = {.name = "reserved-instances",
	.prefix = "",
	.absent = "The reserved instance ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_RESERVED_INSTANCES_ID,
	.record = EC2_REC_RESERVED_INSTANCES,
	.shape = EC2_SHAPE_RESERVED_INSTANCES,
	.filters = filters};

/* ── offerings ── */

struct offer {
	struct str type, zone, zone_id; /* zone STR_NONE: of the whole Region */
	unsigned class, payment, years;
};

/* The same attributes, the same id. */
static struct str offer_id(struct arena *a, struct str region, const struct offer *o)
{
	struct str text = str_fmt(a, "%.*s/%.*s/%.*s/%u/%u/%u", STR_ARG(region), STR_ARG(o->type), STR_ARG(o->zone),
		o->class, o->payment, o->years);
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)text.p, text.n, digest);
	struct str hex = str_hex(a, str_n(digest, 16));
	return str_fmt(a, "%.8s-%.4s-%.4s-%.4s-%.12s", hex.p, hex.p + 8, hex.p + 12, hex.p + 16, hex.p + 20);
}

/* Dollars for an hour and at once. */
static void price(const struct ec2_machine_type *m, const struct offer *o, double *hourly, double *upfront)
{
	/* A Spot price is about three tenths of the On-Demand price; what is reserved saves so much of that. */
	static const double share[2][2] = {{0.63, 0.43}, {0.72, 0.54}};
	double hours = (double)o->years * 8760, on_demand = (double)ec2_spot_price(m) / 0.3 / 1000000,
	       all = on_demand * share[o->class][o->years == 3] * hours * (1 - 0.02 * o->payment);
	*upfront = (double)(int64_t)(o->payment == 2 ? all : o->payment == 1 ? all / 2 : 0);
	*hourly = o->payment == 2 ? 0 : (all - *upfront) / hours;
}

static void show_offer(struct call *c, const struct ec2_machine_type *m, const struct offer *o,
	struct ec2_reserved_instances_offering *out)
{
	double hourly, upfront;
	size_t capacity = 0;
	price(m, o, &hourly, &upfront);
	*out = (struct ec2_reserved_instances_offering){.currency_code = STR("USD"),
		.instance_tenancy = STR("default"),
		.marketplace = SOME_BOOL(false),
		.offering_class = str_c(classes[o->class]),
		.offering_type = str_c(payments[o->payment]),
		.scope = str_has(o->zone) ? STR("Availability Zone") : STR("Region"),
		.availability_zone = o->zone,
		.availability_zone_id = o->zone_id,
		.instance_type = o->type,
		.duration = SOME_I64(o->years * YEAR_S),
		.usage_price = SOME_F64(0),
		.fixed_price = SOME_F64(upfront),
		.product_description = STR("Linux/UNIX")};
	out->reserved_instances_offering_id = offer_id(c->arena, c->region, o);
	VEC_PRESENT(c->arena, &out->pricing_details);
	*VEC_PUSH(c->arena, &out->recurring_charges, &capacity) =
		(struct ec2_recurring_charge){SOME_F64(hourly), STR("Hourly")};
}

/* Every offering of the types that `wanted` names (STR_NONE: of all); fn returns false to stop. */
static status each_offer(struct call *c, struct str wanted,
	bool (*fn)(void *ctx, const struct ec2_machine_type *m, const struct offer *o), void *ctx)
{
	struct ec2_zones zones;
	TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_machine_type m = ec2_machine_type_at(i);
		if (str_has(wanted) && !str_eq(m.name, wanted)) continue;
		for (unsigned k = 0; k < 12 * (unsigned)(zones.n + 1); k++) {
			unsigned z = k / 12;
			struct offer o = {.type = m.name,
				.zone = z ? zones.v[z - 1].name : STR_NONE,
				.zone_id = z ? zones.v[z - 1].id : STR_NONE,
				.class = k % 2,
				.years = k / 2 % 2 ? 3 : 1,
				.payment = k / 4 % 3};
			if (!fn(ctx, &m, &o)) return OK;
		}
	}
	return OK;
}

struct looking {
	struct call *c;
	const struct ec2_describe_reserved_instances_offerings_input *in;
	struct ec2_describe_reserved_instances_offerings_output *out;
	size_t capacity;
	struct str id; /* of one that is looked for */
	struct ec2_reserved_instances_offering found;
	bool is;
};

static bool fits(const struct ec2_describe_reserved_instances_offerings_input *in, const struct offer *o)
{
	int64_t seconds = o->years * YEAR_S;
	if (str_has(in->offering_class) && !str_eq(in->offering_class, str_c(classes[o->class]))) return false;
	if (str_has(in->offering_type) && !str_eq(in->offering_type, str_c(payments[o->payment]))) return false;
	if (str_has(in->availability_zone) && !str_eq(in->availability_zone, o->zone)) return false;
	if (str_has(in->availability_zone_id) && !str_eq(in->availability_zone_id, o->zone_id)) return false;
	if (in->min_duration.has && seconds < in->min_duration.v) return false;
	return !in->max_duration.has || seconds <= in->max_duration.v;
}

static bool collect(void *ctx, const struct ec2_machine_type *m, const struct offer *o)
{
	struct looking *l = ctx;
	struct ec2_reserved_instances_offering one;
	if (!fits(l->in, o)) return true;
	show_offer(l->c, m, o, &one);
	if (l->in->reserved_instances_offering_ids.n &&
		!ec2_listed(&l->in->reserved_instances_offering_ids, one.reserved_instances_offering_id))
		return true;
	if (ec2_filters_match(
		    l->c->arena, EC2_SHAPE_RESERVED_INSTANCES_OFFERING, offering_filters, &l->in->filters, &one))
		*VEC_PUSH(l->c->arena, &l->out->reserved_instances_offerings, &l->capacity) = one;
	return true;
}

status ec2_describe_reserved_instances_offerings(struct call *c,
	const struct ec2_describe_reserved_instances_offerings_input *in,
	struct ec2_describe_reserved_instances_offerings_output *out)
{
	struct looking l = {.c = c, .in = in, .out = out};
	TRY(ec2_filters_check(c, offering_filters, &in->filters));
	VEC_PRESENT(c->arena, &out->reserved_instances_offerings);
	/* Only Linux on shared hardware is offered. */
	if (str_has(in->product_description) && !str_starts(in->product_description, STR("Linux/UNIX"))) return OK;
	if (str_has(in->instance_tenancy) && !str_is(in->instance_tenancy, "default")) return OK;
	TRY(each_offer(c, in->instance_type, collect, &l));
	return ec2_page(c, &out->reserved_instances_offerings, sizeof(*out->reserved_instances_offerings.v),
		in->max_results.has ? in->max_results : SOME_I32(100), in->next_token, &out->next_token);
}

/* ── what was bought ── */

static bool match(void *ctx, const struct ec2_machine_type *m, const struct offer *o)
{
	struct looking *l = ctx;
	if (!str_eq(offer_id(l->c->arena, l->c->region, o), l->id)) return true;
	show_offer(l->c, m, o, &l->found);
	l->is = true;
	return false;
}

static status check_price(struct call *c, const struct ec2_purchase_reserved_instances_offering_input *in,
	const struct ec2_reserved_instances_offering *o)
{
	double hours = (double)o->duration.v / 3600,
	       all = (o->fixed_price.v + o->recurring_charges.v[0].amount.v * hours) * in->instance_count.v;
	if (in->instance_count.v < 1)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%d) for parameter instanceCount is invalid.", in->instance_count.v);
	if (in->instance_count.v > COUNT_MAX)
		return call_fail(c, EC2_ERR_RESERVED_INSTANCES_LIMIT_EXCEEDED,
			"Your request exceeds the limit of %d Reserved Instances.", COUNT_MAX);
	if (in->limit_price && in->limit_price->amount.has && all > in->limit_price->amount.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The total price of %.2f is over the limit price of %.2f.", all, in->limit_price->amount.v);
	if (in->purchase_time.has && in->purchase_time.ms < c->now_ms)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "PurchaseTime has to be in the future.");
	return OK;
}

status ec2_purchase_reserved_instances_offering(struct call *c,
	const struct ec2_purchase_reserved_instances_offering_input *in,
	struct ec2_purchase_reserved_instances_offering_output *out)
{
	struct looking l = {.c = c, .id = in->reserved_instances_offering_id};
	struct ec2_reserved_instances doc = {0};
	TRY(each_offer(c, STR_NONE, match, &l));
	if (!l.is)
		return call_fail(c, EC2_ERR_INVALID_RESERVED_INSTANCES_OFFERING_ID,
			"The reserved instances offering ID '%.*s' does not exist",
			STR_ARG(in->reserved_instances_offering_id));
	TRY(check_price(c, in, &l.found));
	ec2_copy(c->arena, TABLES, EC2_SHAPE_RESERVED_INSTANCES_OFFERING, &l.found, TABLES,
		EC2_SHAPE_RESERVED_INSTANCES, &doc);
	doc.instance_count = in->instance_count;
	int64_t start = (in->purchase_time.has ? in->purchase_time.ms : c->now_ms) / 1000 * 1000;
	struct str hex = str_from(ec2_new_id(c->arena, "0123456789abcdef"), 16),
		   more = str_from(ec2_new_id(c->arena, ""), 1);
	struct ec2_rec_reserved_instances r = {.reserved_instances_id = str_fmt(c->arena, "%.8s-%.4s-%.4s-%.4s-%.12s",
						       hex.p, hex.p + 8, more.p, hex.p + 12, more.p + 4),
		.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_RESERVED_INSTANCES, &doc),
		.start = SOME_TIME(start),
		.end = SOME_TIME(start + doc.duration.v * 1000)};
	ec2_put(ec2_here(c), &type, r.reserved_instances_id, &r);
	out->reserved_instances_id = r.reserved_instances_id;
	return OK;
}

static status show(struct call *c, const struct ec2_item *item, struct ec2_reserved_instances *out)
{
	const struct ec2_rec_reserved_instances *r = item->record;
	*out = (struct ec2_reserved_instances){0};
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_RESERVED_INSTANCES, r->document, out));
	out->reserved_instances_id = r->reserved_instances_id;
	out->start = r->start;
	out->end = r->end;
	out->state = str_has(r->state)         ? r->state
		     : c->now_ms < r->start.ms ? STR("queued")
		     : c->now_ms < r->end.ms   ? STR("active")
					       : STR("retired");
	return ec2_tags_get(item->at, r->reserved_instances_id, &out->tags);
}

status ec2_describe_reserved_instances(struct call *c, const struct ec2_describe_reserved_instances_input *in,
	struct ec2_describe_reserved_instances_output *out)
{
	size_t capacity = 0;
	status s = OK;
	TRY(ec2_filters_check(c, filters, &in->filters));
	VEC_PRESENT(c->arena, &out->reserved_instances);
	for (size_t i = 0; i < in->reserved_instances_ids.n; i++) {
		struct ec2_rec_reserved_instances r;
		s = ec2_load(ec2_here(c), &type, in->reserved_instances_ids.v[i], &r);
		if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &type, in->reserved_instances_ids.v[i]);
		TRY(s);
	}
	struct ec2_each e = ec2_each(ec2_here(c), &type);
	while (is_ok(s) && ec2_next(&e)) {
		struct ec2_reserved_instances one;
		if (in->reserved_instances_ids.n && !ec2_listed(&in->reserved_instances_ids, e.item.id)) continue;
		s = show(c, &e.item, &one);
		if ((str_has(in->offering_class) && !str_eq(in->offering_class, one.offering_class)) ||
			(str_has(in->offering_type) && !str_eq(in->offering_type, one.offering_type)))
			continue;
		if (is_ok(s) && ec2_filters_match(c->arena, EC2_SHAPE_RESERVED_INSTANCES, filters, &in->filters, &one))
			*VEC_PUSH(c->arena, &out->reserved_instances, &capacity) = one;
	}
	status end = ec2_each_end(&e);
	return is_ok(s) ? end : s;
}
