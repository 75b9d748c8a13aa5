/* VPC peering connections. Both ends keep the record, in their own place. "VPC peering connection lifecycle", the VPC
 * Peering Guide: pending-acceptance for seven days, active, then deleted, rejected or expired, shown for a while. */
#include "services/ec2/gateways.h"

#define DAY_MS (24ll * 60 * 60 * 1000)
enum { ACTIVE_MAX = 50, PENDING_MAX = 25 };

static const char *const filters[] = {"accepter-vpc-info.cidr-block", "accepter-vpc-info.owner-id",
	"accepter-vpc-info.vpc-id", "expiration-time", "requester-vpc-info.cidr-block", "requester-vpc-info.owner-id",
	"requester-vpc-info.vpc-id", "status-code=Status.Code", "status-message=Status.Message",
	"vpc-peering-connection-id", NULL};

static bool is_expired(const struct call *c, const struct ec2_rec_peering *p)
{
	return str_is(p->code, "pending-acceptance") && p->expiration_time.has && p->expiration_time.ms <= c->now_ms;
}

/* "A deleted VPC peering connection is visible to the party that deleted it for 4 hours, and to the other for 2 days".
 */
static bool visible(struct call *c, const struct ec2_item *item)
{
	const struct ec2_rec_peering *p = item->record;
	return !p->ended.has || c->now_ms - p->ended.ms < 2 * DAY_MS;
}

static struct ec2_vpc_peering_connection_vpc_info *show_end(
	struct call *c, const struct ec2_rec_peering_end *e, bool known)
{
	struct ec2_vpc_peering_connection_vpc_info *out =
		arena_new(c->arena, struct ec2_vpc_peering_connection_vpc_info);
	size_t capacity = 0;
	out->owner_id = e->account;
	out->vpc_id = e->vpc;
	out->region = e->region;
	if (!known) return out;
	if (e->cidrs.n) out->cidr_block = e->cidrs.v[0];
	for (size_t i = 0; i < e->cidrs.n; i++)
		VEC_PUSH(c->arena, &out->cidr_block_set, &capacity)->cidr_block = e->cidrs.v[i];
	capacity = 0;
	for (size_t i = 0; i < e->cidrs6.n; i++)
		VEC_PUSH(c->arena, &out->ipv6_cidr_block_set, &capacity)->ipv6_cidr_block = e->cidrs6.v[i];
	out->peering_options = arena_new(c->arena, struct ec2_vpc_peering_connection_options_description);
	*out->peering_options = (struct ec2_vpc_peering_connection_options_description){
		SOME_BOOL(e->dns.v), SOME_BOOL(false), SOME_BOOL(false)};
	return out;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_peering *p = item->record;
	struct ec2_vpc_peering_connection *out = to;
	bool active = str_is(p->code, "active"), expired = is_expired(c, p);
	out->requester_vpc_info = show_end(c, p->requester, true);
	out->accepter_vpc_info = show_end(c, p->accepter, active);
	if (!str_is(p->code, "pending-acceptance")) out->expiration_time = (struct opt_time){0};
	out->status = arena_new(c->arena, struct ec2_vpc_peering_connection_state_reason);
	out->status->code = expired ? STR("expired") : p->code;
	out->status->message = expired ? STR("Expired") : p->message;
	return OK;
}

const struct ec2_type ec2_type_peering = {
	.name = "vpc-peering-connection",
	.prefix = "pcx-",
	.absent = "The vpcPeeringConnection ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPC_PEERING_CONNECTION_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_VPC_PEERING_CONNECTION_ID_MALFORMED,
	.record = EC2_REC_PEERING,
	.shape = EC2_SHAPE_VPC_PEERING_CONNECTION,
	.filters = filters,
	.render = render,
	.visible = visible,
};

static struct ec2_place place_of(struct ec2_place at, const struct ec2_rec_peering_end *e)
{
	return (struct ec2_place){at.tx, at.a, e->account, e->region};
}

static status save(struct ec2_place at, const struct ec2_rec_peering *p)
{
	const struct ec2_rec_peering_end *ends[] = {p->requester, p->accepter};
	for (size_t i = 0; i < 2; i++) {
		struct ec2_place there = place_of(at, ends[i]);
		ec2_put(there, &ec2_type_peering, p->vpc_peering_connection_id, p);
		TRY(ec2_vpc_touch(there, ends[i]->vpc));
	}
	return OK;
}

bool ec2_peering_joins(const struct ec2_rec_peering *p, struct str vpc)
{
	return str_eq(p->requester->vpc, vpc) || str_eq(p->accepter->vpc, vpc);
}

const struct ec2_rec_peering_end *ec2_peering_other(const struct ec2_rec_peering *p, struct str vpc)
{
	return str_eq(p->requester->vpc, vpc) ? p->accepter : p->requester;
}

static void fill_end(struct arena *a, struct ec2_rec_peering_end *e, const struct ec2_rec_vpc *vpc)
{
	size_t capacity = 0;
	for (size_t i = 0; i < vpc->cidr_block_association_set.n; i++)
		*VEC_PUSH(a, &e->cidrs, &capacity) = vpc->cidr_block_association_set.v[i].cidr_block;
	capacity = 0;
	for (size_t i = 0; i < vpc->ipv6_cidr_block_association_set.n; i++)
		*VEC_PUSH(a, &e->cidrs6, &capacity) = vpc->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block;
}

static bool overlap(const struct ec2_rec_strings *x, const struct ec2_rec_strings *y)
{
	struct cidr p, q;
	for (size_t i = 0; i < x->n; i++)
		for (size_t k = 0; k < y->n; k++)
			if (is_ok(cidr_parse(x->v[i], &p)) && is_ok(cidr_parse(y->v[k], &q)) && cidr_overlaps(p, q))
				return true;
	return false;
}

/* How many there are of a VPC, and one between the same two. */
static status look_around(
	struct call *c, const struct ec2_rec_peering *p, size_t *active, size_t *pending, struct str *same)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_peering);
	*active = *pending = 0;
	*same = STR_NONE;
	while (ec2_next(&e)) {
		const struct ec2_rec_peering *o = e.item.record;
		bool is_active = str_is(o->code, "active"),
		     is_pending = str_is(o->code, "pending-acceptance") && !is_expired(c, o);
		if (!ec2_peering_joins(o, p->requester->vpc) || (!is_active && !is_pending)) continue;
		*active += is_active;
		*pending += is_pending;
		if (ec2_peering_joins(o, p->accepter->vpc)) *same = e.item.id;
	}
	return ec2_each_end(&e);
}

status ec2_create_vpc_peering_connection(struct call *c, const struct ec2_create_vpc_peering_connection_input *in,
	struct ec2_create_vpc_peering_connection_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_peering};
	struct ec2_rec_vpc own, peer;
	struct ec2_rec_peering_end requester = {.account = c->account, .region = c->region, .vpc = in->vpc_id},
				   accepter = {.account = str_or(in->peer_owner_id, c->account),
					   .region = str_or(in->peer_region, c->region),
					   .vpc = in->peer_vpc_id};
	struct ec2_rec_peering p = {.vpc_peering_connection_id = ec2_new_id(c->arena, "pcx-"),
		.requester = &requester,
		.accepter = &accepter,
		.code = STR("pending-acceptance"),
		.message = str_fmt(c->arena, "Pending Acceptance by %.*s", STR_ARG(accepter.account)),
		.expiration_time = SOME_TIME(c->now_ms + 7 * DAY_MS)};
	struct str same;
	size_t active, pending;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_vpc_take(c, in->vpc_id, &own));
	TRY(ec2_check_id(c, &ec2_type_vpc, in->peer_vpc_id));
	status s = ec2_load(place_of(ec2_here(c), &accepter), &ec2_type_vpc, in->peer_vpc_id, &peer);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (str_eq(in->vpc_id, in->peer_vpc_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "requester and accepter VPCs are the same");
	fill_end(c->arena, &requester, &own);
	bool fits = is_ok(s);
	if (fits) fill_end(c->arena, &accepter, &peer);
	fits = fits && !overlap(&requester.cidrs, &accepter.cidrs);
	TRY(look_around(c, &p, &active, &pending, &same));
	out->vpc_peering_connection = arena_new(c->arena, struct ec2_vpc_peering_connection);
	if (str_has(same)) return ec2_describe_one(c, &ec2_type_peering, same, out->vpc_peering_connection);
	if (active >= ACTIVE_MAX || pending >= PENDING_MAX)
		return call_fail(c, EC2_ERR_VPC_PEERING_CONNECTIONS_PER_VPC_LIMIT_EXCEEDED,
			"The maximum number of VPC peering connections has been reached.");
	if (!fits) {
		/* "Failed: the request for the VPC peering connection has failed": shown to the requester for two
		 * hours. */
		p.code = STR("failed");
		p.message = STR("Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range");
		p.ended = SOME_TIME(c->now_ms);
		ec2_put(ec2_here(c), &ec2_type_peering, p.vpc_peering_connection_id, &p);
	} else {
		TRY(save(ec2_here(c), &p));
	}
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_peering, p.vpc_peering_connection_id));
	TRY(ec2_describe_one(c, &ec2_type_peering, p.vpc_peering_connection_id, out->vpc_peering_connection));
	if (fits) {
		out->vpc_peering_connection->status->code = STR("initiating-request");
		out->vpc_peering_connection->status->message =
			str_fmt(c->arena, "Initiating Request to %.*s", STR_ARG(accepter.account));
	}
	return OK;
}

status ec2_describe_vpc_peering_connections(struct call *c, const struct ec2_describe_vpc_peering_connections_input *in,
	struct ec2_describe_vpc_peering_connections_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_peering, in, vpc_peering_connection_ids, out, vpc_peering_connections);
}

static bool is_accepter(const struct call *c, const struct ec2_rec_peering *p)
{
	return str_eq(p->accepter->account, c->account) && str_eq(p->accepter->region, c->region);
}

static status wrong_state(struct call *c, const struct ec2_rec_peering *p, const char *what)
{
	return call_fail(c, EC2_ERR_INVALID_STATE_TRANSITION, "%s failed: VpcPeeringConnection %.*s is in state %.*s",
		what, STR_ARG(p->vpc_peering_connection_id), STR_ARG(p->code));
}

status ec2_accept_vpc_peering_connection(struct call *c, const struct ec2_accept_vpc_peering_connection_input *in,
	struct ec2_accept_vpc_peering_connection_output *out)
{
	struct ec2_rec_peering p;
	TRY(ec2_find(c, &ec2_type_peering, in->vpc_peering_connection_id, &p));
	if (!is_accepter(c, &p))
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED, "User %.*s cannot accept peering %.*s",
			STR_ARG(c->account), STR_ARG(p.vpc_peering_connection_id));
	if ((!str_is(p.code, "pending-acceptance") && !str_is(p.code, "active")) || is_expired(c, &p))
		return wrong_state(c, &p, "Accept");
	p.code = STR("active");
	p.message = STR("Active");
	TRY(save(ec2_here(c), &p));
	out->vpc_peering_connection = arena_new(c->arena, struct ec2_vpc_peering_connection);
	TRY(ec2_describe_one(c, &ec2_type_peering, p.vpc_peering_connection_id, out->vpc_peering_connection));
	out->vpc_peering_connection->status->code = STR("provisioning");
	out->vpc_peering_connection->status->message = STR("Provisioning");
	return OK;
}

status ec2_reject_vpc_peering_connection(struct call *c, const struct ec2_reject_vpc_peering_connection_input *in,
	struct ec2_reject_vpc_peering_connection_output *out)
{
	struct ec2_rec_peering p;
	TRY(ec2_find(c, &ec2_type_peering, in->vpc_peering_connection_id, &p));
	if (!is_accepter(c, &p))
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED, "User %.*s cannot reject peering %.*s",
			STR_ARG(c->account), STR_ARG(p.vpc_peering_connection_id));
	if (!str_is(p.code, "pending-acceptance") || is_expired(c, &p)) return wrong_state(c, &p, "Reject");
	p.code = STR("rejected");
	p.message = str_fmt(c->arena, "Rejected by %.*s", STR_ARG(c->account));
	p.ended = SOME_TIME(c->now_ms);
	out->return_ = SOME_BOOL(true);
	return save(ec2_here(c), &p);
}

status ec2_delete_vpc_peering_connection(struct call *c, const struct ec2_delete_vpc_peering_connection_input *in,
	struct ec2_delete_vpc_peering_connection_output *out)
{
	struct ec2_rec_peering p;
	TRY(ec2_find(c, &ec2_type_peering, in->vpc_peering_connection_id, &p));
	out->return_ = SOME_BOOL(true);
	if (str_is(p.code, "deleted")) return OK;
	if (!str_is(p.code, "pending-acceptance") && !str_is(p.code, "active")) return wrong_state(c, &p, "Delete");
	p.code = STR("deleted");
	p.message = str_fmt(c->arena, "Deleted by %.*s", STR_ARG(c->account));
	p.ended = SOME_TIME(c->now_ms);
	return save(ec2_here(c), &p);
}

status ec2_peerings_of_gone(struct call *c, struct str vpc)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_peering);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) {
		struct ec2_rec_peering *p = e.item.record;
		if (!ec2_peering_joins(p, vpc) || p->ended.has) continue;
		p->code = STR("deleted");
		p->message = str_fmt(c->arena, "Deleted by %.*s", STR_ARG(c->account));
		p->ended = SOME_TIME(c->now_ms);
		s = save(ec2_here(c), p);
	}
	status end = ec2_each_end(&e);
	return is_ok(s) ? end : s;
}

static status change_options(struct call *c, struct ec2_rec_peering *p, struct ec2_rec_peering_end *end,
	const struct ec2_peering_connection_options_request *in, struct ec2_peering_connection_options **out)
{
	if (!in) return OK;
	if (in->allow_egress_from_local_classic_link_to_remote_vpc.v ||
		in->allow_egress_from_local_vpc_to_remote_classic_link.v)
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION, "EC2-Classic is retired.");
	if (!str_eq(end->account, c->account) || !str_eq(end->region, c->region))
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"User %.*s cannot modify options of the other end of %.*s", STR_ARG(c->account),
			STR_ARG(p->vpc_peering_connection_id));
	if (in->allow_dns_resolution_from_remote_vpc.has) end->dns = in->allow_dns_resolution_from_remote_vpc;
	*out = arena_new(c->arena, struct ec2_peering_connection_options);
	**out = (struct ec2_peering_connection_options){SOME_BOOL(end->dns.v), SOME_BOOL(false), SOME_BOOL(false)};
	return OK;
}

status ec2_modify_vpc_peering_connection_options(struct call *c,
	const struct ec2_modify_vpc_peering_connection_options_input *in,
	struct ec2_modify_vpc_peering_connection_options_output *out)
{
	struct ec2_rec_peering p;
	TRY(ec2_find(c, &ec2_type_peering, in->vpc_peering_connection_id, &p));
	if (!str_is(p.code, "active"))
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"Peering connection must be active. Current status is %.*s", STR_ARG(p.code));
	TRY(change_options(
		c, &p, p.accepter, in->accepter_peering_connection_options, &out->accepter_peering_connection_options));
	TRY(change_options(c, &p, p.requester, in->requester_peering_connection_options,
		&out->requester_peering_connection_options));
	return save(ec2_here(c), &p);
}

/* "You can reference security groups of peer VPCs only in the same Region" (the Peering Guide). */
status ec2_peered_group(struct ec2_place at, struct str vpc, struct str group, struct str owner,
	struct str *group_owner, struct str *peering)
{
	struct ec2_each e = ec2_each(at, &ec2_type_peering);
	bool found = false;
	while (!found && ec2_next(&e)) {
		const struct ec2_rec_peering *p = e.item.record;
		if (!ec2_peering_joins(p, vpc) || !str_is(p->code, "active")) continue;
		const struct ec2_rec_peering_end *other = ec2_peering_other(p, vpc);
		struct ec2_rec_security_group g;
		if (!str_eq(other->region, at.region) || (str_has(owner) && !str_eq(owner, other->account))) continue;
		status s = ec2_load(place_of(at, other), &ec2_type_security_group, group, &g);
		if (!is_ok(s) || !str_eq(g.vpc_id, other->vpc)) continue;
		*group_owner = other->account;
		*peering = p->vpc_peering_connection_id;
		found = true;
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

/* ── rules that name groups of peered VPCs ── */

/* Rules in the VPC at this end that name one of the groups over the peering. */
static status references_of(struct call *c, const struct ec2_describe_security_group_references_input *in,
	const struct ec2_rec_peering *p, const struct ec2_rec_peering_end *end,
	struct ec2_security_group_references *out)
{
	size_t capacity = out->n;
	struct ec2_each g = ec2_each(place_of(ec2_here(c), end), &ec2_type_security_group);
	while (ec2_next(&g)) {
		const struct ec2_rec_security_group *r = g.item.record;
		for (size_t k = 0; k < r->rules.n && str_eq(r->vpc_id, end->vpc); k++)
			for (size_t i = 0; i < in->group_id.n; i++)
				if (str_eq(r->rules.v[k].group, in->group_id.v[i]) &&
					str_eq(r->rules.v[k].peering, p->vpc_peering_connection_id))
					*VEC_PUSH(c->arena, out, &capacity) =
						(struct ec2_security_group_reference){.group_id = in->group_id.v[i],
							.referencing_vpc_id = r->vpc_id,
							.vpc_peering_connection_id = p->vpc_peering_connection_id};
	}
	return ec2_each_end(&g);
}

status ec2_describe_security_group_references(struct call *c,
	const struct ec2_describe_security_group_references_input *in,
	struct ec2_describe_security_group_references_output *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_peering);
	VEC_PRESENT(c->arena, &out->security_group_reference_set);
	for (size_t i = 0; i < in->group_id.n; i++) {
		struct ec2_rec_security_group g;
		TRY(ec2_find(c, &ec2_type_security_group, in->group_id.v[i], &g));
	}
	while (ec2_next(&e)) {
		const struct ec2_rec_peering *p = e.item.record;
		if (!str_is(p->code, "active")) continue;
		TRY(references_of(c, in, p, p->requester, &out->security_group_reference_set));
		TRY(references_of(c, in, p, p->accepter, &out->security_group_reference_set));
	}
	return ec2_each_end(&e);
}

/* "A stale rule references a deleted security group in the same VPC or a peer VPC, or a security group in a peer VPC
 * for which the peering connection has been deleted" (DescribeStaleSecurityGroups, the reference). */
static status is_stale(
	struct ec2_place at, const struct ec2_rec_security_group *g, const struct ec2_rec_security_rule *r, bool *stale)
{
	struct ec2_rec_peering p;
	struct ec2_rec_security_group other;
	*stale = false;
	if (!str_has(r->group) || !str_has(r->peering)) return OK;
	status s = ec2_load(at, &ec2_type_peering, r->peering, &p);
	if (is_ok(s) && str_is(p.code, "active"))
		s = ec2_load(
			place_of(at, ec2_peering_other(&p, g->vpc_id)), &ec2_type_security_group, r->group, &other);
	else if (is_ok(s))
		s = STATUS(NOT_FOUND);
	*stale = status_is(s, STATUS_NOT_FOUND);
	return *stale ? OK : s;
}

static void push_stale(struct call *c, struct ec2_stale_ip_permission_set *out, const struct ec2_rec_security_rule *r)
{
	size_t capacity = out->n;
	struct ec2_stale_ip_permission *p = VEC_PUSH(c->arena, out, &capacity);
	p->ip_protocol = r->ip_protocol;
	p->from_port = r->from_port;
	p->to_port = r->to_port;
	capacity = 0;
	*VEC_PUSH(c->arena, &p->user_id_group_pairs, &capacity) = (struct ec2_user_id_group_pair){.group_id = r->group,
		.user_id = r->group_owner,
		.vpc_peering_connection_id = r->peering,
		.peering_status = STR("deleted"),
		.description = r->description};
}

status ec2_describe_stale_security_groups(struct call *c, const struct ec2_describe_stale_security_groups_input *in,
	struct ec2_describe_stale_security_groups_output *out)
{
	struct ec2_rec_vpc vpc;
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_vpc, in->vpc_id, &vpc));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_security_group);
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		struct ec2_stale_security_group shown = {.group_id = g->group_id,
			.group_name = g->group_name,
			.description = g->description,
			.vpc_id = g->vpc_id};
		for (size_t i = 0; i < g->rules.n && str_eq(g->vpc_id, in->vpc_id); i++) {
			bool stale;
			TRY(is_stale(e.item.at, g, &g->rules.v[i], &stale));
			if (!stale) continue;
			push_stale(c,
				g->rules.v[i].is_egress.v ? &shown.stale_ip_permissions_egress
							  : &shown.stale_ip_permissions,
				&g->rules.v[i]);
		}
		if (shown.stale_ip_permissions.n || shown.stale_ip_permissions_egress.n)
			*VEC_PUSH(c->arena, &out->stale_security_group_set, &capacity) = shown;
	}
	TRY(ec2_each_end(&e));
	return ec2_page(c, &out->stale_security_group_set, sizeof(*out->stale_security_group_set.v), in->max_results,
		in->next_token, &out->next_token);
}
