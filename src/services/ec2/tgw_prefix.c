/* Prefix lists in route tables of transit gateways: each entry of the list is a route, behind the static ones and
 * before those that attachments propagate. "Prefix list references", Amazon VPC Transit Gateways. */
#include "services/ec2/tgw.h"

static const char *const filters[] = {"attachment.resource-id=TransitGatewayAttachment.ResourceId",
	"attachment.resource-type=TransitGatewayAttachment.ResourceType",
	"attachment.transit-gateway-attachment-id=TransitGatewayAttachment.TransitGatewayAttachmentId",
	"is-blackhole=Blackhole", "prefix-list-id", "prefix-list-owner-id", "state", NULL};

static ptrdiff_t reference_at(const struct ec2_rec_tgw_route_table *t, struct str list)
{
	for (size_t i = 0; i < t->routes.n; i++)
		if (str_has(t->routes.v[i].prefix_list) && str_eq(t->routes.v[i].prefix_list, list))
			return (ptrdiff_t)i;
	return -1;
}

static status show(struct call *c, struct str table, const struct ec2_rec_tgw_route *r,
	struct ec2_transit_gateway_prefix_list_reference *out)
{
	struct ec2_rec_prefix_list l;
	struct ec2_rec_tgw_attachment a;
	TRY(ec2_prefix_list_find(c, r->prefix_list, &l));
	*out = (struct ec2_transit_gateway_prefix_list_reference){.transit_gateway_route_table_id = table,
		.prefix_list_id = r->prefix_list,
		.prefix_list_owner_id = l.version.has ? c->account : STR("AWS"),
		.state = STR("available"),
		.blackhole = SOME_BOOL(!str_has(r->attachment))};
	if (!str_has(r->attachment)) return OK;
	status s = ec2_load(ec2_here(c), &ec2_type_tgw_attachment, r->attachment, &a);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	out->transit_gateway_attachment = arena_new(c->arena, struct ec2_transit_gateway_prefix_list_attachment);
	*out->transit_gateway_attachment = (struct ec2_transit_gateway_prefix_list_attachment){
		r->attachment, ec2_tgw_resource_type(&a), ec2_tgw_resource(&a)};
	return OK;
}

struct given {
	struct str table, list, attachment;
	bool blackhole, again;
};

static status set(struct call *c, const struct given *g, struct ec2_transit_gateway_prefix_list_reference **out)
{
	struct ec2_rec_tgw_route_table t;
	struct ec2_rec_prefix_list l;
	struct ec2_rec_tgw_attachment a;
	TRY(ec2_find(c, &ec2_type_tgw_route_table, g->table, &t));
	TRY(ec2_tgw_touch(ec2_here(c), t.transit_gateway_id));
	TRY(ec2_prefix_list_find(c, g->list, &l));
	if (g->blackhole == str_has(g->attachment))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The request must contain exactly one of the parameters Blackhole and "
			"TransitGatewayAttachmentId");
	if (str_has(g->attachment)) {
		TRY(ec2_find(c, &ec2_type_tgw_attachment, g->attachment, &a));
		if (!str_eq(a.transit_gateway_id, t.transit_gateway_id))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Attachment %.*s and route table %.*s belong to different gateways.",
				STR_ARG(g->attachment), STR_ARG(g->table));
	}
	ptrdiff_t i = reference_at(&t, g->list);
	if (i >= 0 && !g->again)
		return call_fail(c, EC2_ERR_ROUTE_ALREADY_EXISTS,
			"Prefix list %.*s is already referenced by Transit Gateway Route Table %.*s", STR_ARG(g->list),
			STR_ARG(g->table));
	if (i < 0 && g->again)
		return call_fail(c, EC2_ERR_INVALID_ROUTE_NOT_FOUND,
			"Prefix list %.*s is not referenced by Transit Gateway Route Table %.*s", STR_ARG(g->list),
			STR_ARG(g->table));
	struct ec2_rec_tgw_route r = {.attachment = g->attachment, .prefix_list = g->list};
	size_t capacity = t.routes.n;
	if (i < 0)
		*VEC_PUSH(c->arena, &t.routes, &capacity) = r;
	else
		t.routes.v[i] = r;
	ec2_put(ec2_here(c), &ec2_type_tgw_route_table, t.transit_gateway_route_table_id, &t);
	*out = arena_new(c->arena, struct ec2_transit_gateway_prefix_list_reference);
	return show(c, g->table, &r, *out);
}

status ec2_create_transit_gateway_prefix_list_reference(struct call *c,
	const struct ec2_create_transit_gateway_prefix_list_reference_input *in,
	struct ec2_create_transit_gateway_prefix_list_reference_output *out)
{
	struct given g = {in->transit_gateway_route_table_id, in->prefix_list_id, in->transit_gateway_attachment_id,
		in->blackhole.v, false};
	return set(c, &g, &out->transit_gateway_prefix_list_reference);
}

status ec2_modify_transit_gateway_prefix_list_reference(struct call *c,
	const struct ec2_modify_transit_gateway_prefix_list_reference_input *in,
	struct ec2_modify_transit_gateway_prefix_list_reference_output *out)
{
	struct given g = {in->transit_gateway_route_table_id, in->prefix_list_id, in->transit_gateway_attachment_id,
		in->blackhole.v, true};
	return set(c, &g, &out->transit_gateway_prefix_list_reference);
}

status ec2_delete_transit_gateway_prefix_list_reference(struct call *c,
	const struct ec2_delete_transit_gateway_prefix_list_reference_input *in,
	struct ec2_delete_transit_gateway_prefix_list_reference_output *out)
{
	struct ec2_rec_tgw_route_table t;
	TRY(ec2_find(c, &ec2_type_tgw_route_table, in->transit_gateway_route_table_id, &t));
	TRY(ec2_tgw_touch(ec2_here(c), t.transit_gateway_id));
	ptrdiff_t i = reference_at(&t, in->prefix_list_id);
	if (i < 0)
		return call_fail(c, EC2_ERR_INVALID_ROUTE_NOT_FOUND,
			"Prefix list %.*s is not referenced by Transit Gateway Route Table %.*s",
			STR_ARG(in->prefix_list_id), STR_ARG(in->transit_gateway_route_table_id));
	out->transit_gateway_prefix_list_reference =
		arena_new(c->arena, struct ec2_transit_gateway_prefix_list_reference);
	TRY(show(c, t.transit_gateway_route_table_id, &t.routes.v[i], out->transit_gateway_prefix_list_reference));
	out->transit_gateway_prefix_list_reference->state = STR("deleting");
	t.routes.v[i] = t.routes.v[--t.routes.n];
	ec2_put(ec2_here(c), &ec2_type_tgw_route_table, t.transit_gateway_route_table_id, &t);
	return OK;
}

status ec2_get_transit_gateway_prefix_list_references(struct call *c,
	const struct ec2_get_transit_gateway_prefix_list_references_input *in,
	struct ec2_get_transit_gateway_prefix_list_references_output *out)
{
	struct ec2_rec_tgw_route_table t;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, filters, &in->filters));
	TRY(ec2_find(c, &ec2_type_tgw_route_table, in->transit_gateway_route_table_id, &t));
	VEC_PRESENT(c->arena, &out->transit_gateway_prefix_list_references);
	for (size_t i = 0; i < t.routes.n; i++) {
		struct ec2_transit_gateway_prefix_list_reference r;
		if (!str_has(t.routes.v[i].prefix_list)) continue;
		TRY(show(c, t.transit_gateway_route_table_id, &t.routes.v[i], &r));
		if (ec2_filters_match(
			    c->arena, EC2_SHAPE_TRANSIT_GATEWAY_PREFIX_LIST_REFERENCE, filters, &in->filters, &r))
			*VEC_PUSH(c->arena, &out->transit_gateway_prefix_list_references, &capacity) = r;
	}
	return ec2_page(c, &out->transit_gateway_prefix_list_references,
		sizeof(*out->transit_gateway_prefix_list_references.v), in->max_results, in->next_token,
		&out->next_token);
}
