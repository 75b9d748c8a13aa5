/* Subnet CIDR reservations: addresses of a subnet that AWS does not give by itself. "Subnet CIDR reservations", the
 * guide: "Reservation types: prefix … explicit … AWS never uses addresses of a reservation unless they are asked for."
 * A subnet's blocks lie together at (ec2, subnet-reserved, …), so that giving an address reads one key. */
#include "services/ec2/subnet_reservation.h"
#include "services/ec2/network.h"

static const char *const filters[] = {"reservationType=ReservationType", "subnet-id", "cidr", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	(void)c;
	((struct ec2_subnet_cidr_reservation *)to)->owner_id = item->at.account;
	return OK;
}

const struct ec2_type ec2_type_subnet_reservation = {.name = "subnet-cidr-reservation",
	.prefix = "scr-",
	.absent = "The subnet CIDR reservation ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_SUBNET_CIDR_RESERVATION_ID_NOT_FOUND,
	.record = EC2_REC_SUBNET_RESERVATION,
	.shape = EC2_SHAPE_SUBNET_CIDR_RESERVATION,
	.filters = filters,
	.render = render};

static struct str blocks_key(struct ec2_place at, struct str subnet)
{
	struct key k = key_for(at.a, STR("ec2"), STR("subnet-reserved"), at.account, at.region);
	key_str(&k, subnet);
	return key_done(&k);
}

static status blocks(struct ec2_place at, struct str subnet, struct ec2_rec_subnet_reserved *out)
{
	struct str bytes;
	*out = (struct ec2_rec_subnet_reserved){0};
	status s = store_get(at.tx, blocks_key(at, subnet), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return ec2_rec_subnet_reserved_decode(at.a, bytes, out);
}

static void blocks_put(struct ec2_place at, struct str subnet, const struct ec2_rec_subnet_reserved *r)
{
	if (r->cidrs.n)
		store_put(at.tx, blocks_key(at, subnet), ec2_rec_subnet_reserved_encode(at.a, r));
	else
		store_delete(at.tx, blocks_key(at, subnet));
}

status ec2_reserved_load(struct ec2_place at, struct str subnet, struct ec2_reserved *out)
{
	struct ec2_rec_subnet_reserved r;
	TRY(blocks(at, subnet, &r));
	*out = (struct ec2_reserved){.v = arena_new_n(at.a, struct cidr, r.cidrs.n)};
	for (size_t i = 0; i < r.cidrs.n; i++)
		if (is_ok(cidr_parse(r.cidrs.v[i], &out->v[out->n]))) out->n++;
	return OK;
}

bool ec2_reserved_holds(const struct ec2_reserved *r, uint32_t address, uint32_t *next)
{
	for (size_t i = 0; i < r->n; i++) {
		uint32_t first = cidr_v4(cidr_network(r->v[i])), size = 1u << (32 - r->v[i].length);
		if (address - first >= size) continue;
		*next = first + size;
		return true;
	}
	return false;
}

status ec2_reserved_drop(struct ec2_place at, struct str subnet)
{
	struct ec2_each e = ec2_each(at, &ec2_type_subnet_reservation);
	while (ec2_next(&e))
		if (str_eq(((const struct ec2_rec_subnet_reservation *)e.item.record)->subnet_id, subnet))
			ec2_drop(at, &ec2_type_subnet_reservation, e.item.id);
	store_delete(at.tx, blocks_key(at, subnet));
	return ec2_each_end(&e);
}

static bool within(const struct cidr *outer, const struct cidr *inner)
{
	return inner->length >= outer->length &&
	       (cidr_v4(cidr_network(*inner)) ^ cidr_v4(cidr_network(*outer))) >> (32 - outer->length) == 0;
}

status ec2_create_subnet_cidr_reservation(struct call *c, const struct ec2_create_subnet_cidr_reservation_input *in,
	struct ec2_create_subnet_cidr_reservation_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_subnet_reservation};
	struct ec2_rec_subnet s;
	struct ec2_rec_subnet_reserved r;
	struct cidr own, block;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_find(c, &ec2_type_subnet, in->subnet_id, &s));
	if (!is_ok(cidr_parse(in->cidr, &block)) || (!block.v6 && cidr_v4(block) != cidr_v4(cidr_network(block))))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%.*s) for parameter cidr is invalid.",
			STR_ARG(in->cidr));
	if (block.v6) return call_fail(c, ERR_NOT_IMPLEMENTED, "Reservations of IPv6 addresses are not implemented.");
	if (!is_ok(cidr_parse(s.cidr_block, &own)) || own.length == 0 || !within(&own, &block))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The CIDR '%.*s' is not within the CIDR of the subnet '%.*s'.", STR_ARG(in->cidr),
			STR_ARG(s.subnet_id));
	TRY(blocks(ec2_here(c), s.subnet_id, &r));
	for (size_t i = 0; i < r.cidrs.n; i++) {
		struct cidr other;
		if (is_ok(cidr_parse(r.cidrs.v[i], &other)) && (within(&other, &block) || within(&block, &other)))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"The CIDR '%.*s' conflicts with another reservation of the subnet.", STR_ARG(in->cidr));
	}
	size_t capacity = r.cidrs.n;
	*VEC_PUSH(c->arena, &r.cidrs, &capacity) = in->cidr;
	blocks_put(ec2_here(c), s.subnet_id, &r);
	struct ec2_rec_subnet_reservation n = {
		.subnet_cidr_reservation_id = ec2_new_id(c->arena, ec2_type_subnet_reservation.prefix),
		.subnet_id = s.subnet_id,
		.cidr = in->cidr,
		.reservation_type = in->reservation_type,
		.description = in->description};
	ec2_put(ec2_here(c), &ec2_type_subnet_reservation, n.subnet_cidr_reservation_id, &n);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_subnet_reservation, n.subnet_cidr_reservation_id));
	out->subnet_cidr_reservation = arena_new(c->arena, struct ec2_subnet_cidr_reservation);
	return ec2_describe_one(
		c, &ec2_type_subnet_reservation, n.subnet_cidr_reservation_id, out->subnet_cidr_reservation);
}

status ec2_delete_subnet_cidr_reservation(struct call *c, const struct ec2_delete_subnet_cidr_reservation_input *in,
	struct ec2_delete_subnet_cidr_reservation_output *out)
{
	struct ec2_rec_subnet_reservation n;
	struct ec2_rec_subnet_reserved r;
	size_t kept = 0;
	TRY(ec2_find(c, &ec2_type_subnet_reservation, in->subnet_cidr_reservation_id, &n));
	out->deleted_subnet_cidr_reservation = arena_new(c->arena, struct ec2_subnet_cidr_reservation);
	TRY(ec2_describe_one(
		c, &ec2_type_subnet_reservation, n.subnet_cidr_reservation_id, out->deleted_subnet_cidr_reservation));
	TRY(blocks(ec2_here(c), n.subnet_id, &r));
	for (size_t i = 0; i < r.cidrs.n; i++)
		if (!str_eq(r.cidrs.v[i], n.cidr)) r.cidrs.v[kept++] = r.cidrs.v[i];
	r.cidrs.n = kept;
	blocks_put(ec2_here(c), n.subnet_id, &r);
	ec2_drop(ec2_here(c), &ec2_type_subnet_reservation, n.subnet_cidr_reservation_id);
	return OK;
}

status ec2_get_subnet_cidr_reservations(struct call *c, const struct ec2_get_subnet_cidr_reservations_input *in,
	struct ec2_get_subnet_cidr_reservations_output *out)
{
	struct ec2_rec_subnet s;
	size_t capacity = 0;
	status st = OK;
	TRY(ec2_filters_check(c, filters, &in->filters));
	TRY(ec2_find(c, &ec2_type_subnet, in->subnet_id, &s));
	VEC_PRESENT(c->arena, &out->subnet_ipv4_cidr_reservations);
	VEC_PRESENT(c->arena, &out->subnet_ipv6_cidr_reservations);
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet_reservation);
	while (is_ok(st) && ec2_next(&e)) {
		const struct ec2_rec_subnet_reservation *n = e.item.record;
		struct ec2_subnet_cidr_reservation one = {0};
		if (!str_eq(n->subnet_id, s.subnet_id)) continue;
		st = ec2_describe_one(c, &ec2_type_subnet_reservation, e.item.id, &one);
		if (is_ok(st) &&
			ec2_filters_match(c->arena, EC2_SHAPE_SUBNET_CIDR_RESERVATION, filters, &in->filters, &one))
			*VEC_PUSH(c->arena, &out->subnet_ipv4_cidr_reservations, &capacity) = one;
	}
	status end = ec2_each_end(&e);
	TRY(st);
	TRY(end);
	return ec2_page(c, &out->subnet_ipv4_cidr_reservations, sizeof(*out->subnet_ipv4_cidr_reservations.v),
		in->max_results, in->next_token, &out->next_token);
}
