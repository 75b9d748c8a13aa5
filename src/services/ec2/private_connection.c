/* Connections of endpoints to endpoint services, as the service's owner sees them: asked for, accepted, rejected. The
 * endpoint's own state, in its account, follows. "Accept or reject connection requests", AWS PrivateLink Guide. */
#include "services/ec2/private_link.h"

static const char *const filters[] = {
	"ip-address-type", "service-id", "vpc-endpoint-id", "vpc-endpoint-owner", "vpc-endpoint-state", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_endpoint_connection *r = item->record;
	struct ec2_vpc_endpoint_connection *out = to;
	struct ec2_rec_endpoint_service s;
	size_t capacity = 0;
	out->vpc_endpoint_region = item->at.region;
	if (is_ok(ec2_load(item->at, &ec2_type_endpoint_service, r->service_id, &s)))
		for (size_t i = 0; i < s.network_load_balancer_arns.n; i++)
			*VEC_PUSH(c->arena, &out->network_load_balancer_arns, &capacity) =
				s.network_load_balancer_arns.v[i];
	return OK;
}

const struct ec2_type ec2_type_endpoint_connection = {.name = "vpc-endpoint-connection",
	.prefix = "vpce-con-",
	.absent = "The VPC endpoint connection '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPC_ENDPOINT_ID_NOT_FOUND,
	.record = EC2_REC_ENDPOINT_CONNECTION,
	.shape = EC2_SHAPE_VPC_ENDPOINT_CONNECTION,
	.filters = filters,
	.render = render};

/* NOT_FOUND. */
static status of_endpoint(
	struct ec2_place at, struct str service, struct str endpoint, struct ec2_rec_endpoint_connection *out)
{
	bool found = false;
	struct ec2_each e = ec2_each(at, &ec2_type_endpoint_connection);
	while (!found && ec2_next(&e)) {
		*out = *(const struct ec2_rec_endpoint_connection *)e.item.record;
		found = str_eq(out->vpc_endpoint_id, endpoint) &&
			(!str_has(service) || str_eq(out->service_id, service));
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

status ec2_private_connect(struct call *c, const struct ec2_private_service *s, struct ec2_rec_endpoint *e)
{
	struct ec2_rec_endpoint_connection r = {.vpc_endpoint_connection_id = ec2_new_id(c->arena, "vpce-con-"),
		.service_id = s->record.service_id,
		.vpc_endpoint_id = e->vpc_endpoint_id,
		.vpc_endpoint_owner = c->account,
		.vpc_endpoint_state = s->record.acceptance_required.v ? STR("pendingAcceptance") : STR("available"),
		.creation_timestamp = SOME_TIME(c->now_ms),
		.ip_address_type = e->ip_address_type};
	e->state = r.vpc_endpoint_state;
	e->service_owner = s->at.account;
	ec2_put(s->at, &ec2_type_endpoint_connection, r.vpc_endpoint_connection_id, &r);
	TRY(ec2_connection_tell(c, &r, s->at.account, "Connect"));
	if (!s->record.acceptance_required.v) TRY(ec2_connection_tell(c, &r, s->at.account, "Accept"));
	return OK;
}

status ec2_private_disconnect(struct call *c, const struct ec2_rec_endpoint *e)
{
	struct ec2_rec_endpoint_connection r;
	struct ec2_place at = ec2_here(c);
	if (!str_has(e->service_owner)) return OK;
	at.account = e->service_owner;
	status s = of_endpoint(at, STR_NONE, e->vpc_endpoint_id, &r);
	if (!is_ok(s)) return status_is(s, STATUS_NOT_FOUND) ? OK : s;
	ec2_drop(at, &ec2_type_endpoint_connection, r.vpc_endpoint_connection_id);
	return ec2_connection_tell(c, &r, at.account, "Delete");
}

status ec2_private_connected(struct call *c, struct str service, bool *yes)
{
	*yes = false;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_endpoint_connection);
	while (ec2_next(&e)) {
		const struct ec2_rec_endpoint_connection *r = e.item.record;
		*yes = *yes || (str_eq(r->service_id, service) && !str_is(r->vpc_endpoint_state, "rejected"));
	}
	return ec2_each_end(&e);
}

status ec2_describe_vpc_endpoint_connections(struct call *c,
	const struct ec2_describe_vpc_endpoint_connections_input *in,
	struct ec2_describe_vpc_endpoint_connections_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_endpoint_connection,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->vpc_endpoint_connections,
				       .next_out = &out->next_token});
}

/* The connection's and the endpoint's state. */
static status settle(struct call *c, struct ec2_rec_endpoint_connection *r, const char *state)
{
	struct ec2_place there = ec2_here(c);
	struct ec2_rec_endpoint e;
	r->vpc_endpoint_state = str_c(state);
	ec2_put(ec2_here(c), &ec2_type_endpoint_connection, r->vpc_endpoint_connection_id, r);
	TRY(ec2_connection_tell(c, r, c->account, strcmp(state, "rejected") == 0 ? "Reject" : "Accept"));
	there.account = r->vpc_endpoint_owner;
	status s = ec2_load(there, &ec2_type_endpoint, r->vpc_endpoint_id, &e);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	e.state = str_c(state);
	ec2_put(there, &ec2_type_endpoint, e.vpc_endpoint_id, &e);
	return ec2_vpc_touch(there, e.vpc_id);
}

static status decide(struct call *c, struct str service, const struct ec2_vpc_endpoint_id_list *ids, const char *state,
	struct ec2_unsuccessful_item_set *unsuccessful)
{
	struct ec2_rec_endpoint_service owned;
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_endpoint_service, service, &owned));
	VEC_PRESENT(c->arena, unsuccessful);
	for (size_t i = 0; i < ids->n; i++) {
		struct ec2_rec_endpoint_connection r;
		status s = of_endpoint(ec2_here(c), service, ids->v[i], &r);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		bool open = is_ok(s) &&
			    (str_is(r.vpc_endpoint_state, "pendingAcceptance") ||
				    (str_is(r.vpc_endpoint_state, "available") && strcmp(state, "rejected") == 0));
		if (open) {
			TRY(settle(c, &r, state));
			continue;
		}
		struct ec2_unsuccessful_item *u = VEC_PUSH(c->arena, unsuccessful, &capacity);
		u->resource_id = ids->v[i];
		u->error = arena_new(c->arena, struct ec2_unsuccessful_item_error);
		*u->error =
			is_ok(s) ? (struct ec2_unsuccessful_item_error){STR("InvalidState"),
					   str_fmt(c->arena,
						   "Operation is not allowed for VPC endpoint %.*s with status: %.*s",
						   STR_ARG(ids->v[i]), STR_ARG(r.vpc_endpoint_state))}
				 : (struct ec2_unsuccessful_item_error){STR("InvalidVpcEndpoint.NotFound"),
					   str_fmt(c->arena, "The Vpc Endpoint Id '%.*s' does not exist",
						   STR_ARG(ids->v[i]))};
	}
	return OK;
}

status ec2_accept_vpc_endpoint_connections(struct call *c, const struct ec2_accept_vpc_endpoint_connections_input *in,
	struct ec2_accept_vpc_endpoint_connections_output *out)
{
	return decide(c, in->service_id, &in->vpc_endpoint_ids, "available", &out->unsuccessful);
}

status ec2_reject_vpc_endpoint_connections(struct call *c, const struct ec2_reject_vpc_endpoint_connections_input *in,
	struct ec2_reject_vpc_endpoint_connections_output *out)
{
	return decide(c, in->service_id, &in->vpc_endpoint_ids, "rejected", &out->unsuccessful);
}
