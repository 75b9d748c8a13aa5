/* Route tables of transit gateways: associations (which table decides on what comes from an attachment), propagations
 * (whose VPC's blocks are in it) and static routes. "Transit gateway route tables", Amazon VPC Transit Gateways. */
#include "services/ec2/tgw.h"

static const char *const filters[] = {"default-association-route-table", "default-propagation-route-table", "state",
	"transit-gateway-id", "transit-gateway-route-table-id", NULL};

const struct ec2_type ec2_type_tgw_route_table = {
	.name = "transit-gateway-route-table",
	.prefix = "tgw-rtb-",
	.absent = "Transit Gateway Route Table @ was deleted or does not exist.",
	.not_found = EC2_ERR_INVALID_ROUTE_TABLE_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_ROUTE_TABLE_ID_MALFORMED,
	.record = EC2_REC_TGW_ROUTE_TABLE,
	.shape = EC2_SHAPE_TRANSIT_GATEWAY_ROUTE_TABLE,
	.filters = filters,
};

static status take_table(struct call *c, struct str id, struct ec2_rec_tgw_route_table *t)
{
	TRY(ec2_find(c, &ec2_type_tgw_route_table, id, t));
	return ec2_tgw_touch(ec2_here(c), t->transit_gateway_id);
}

static status take_attachment(
	struct call *c, struct str id, const struct ec2_rec_tgw_route_table *t, struct ec2_rec_tgw_attachment *a)
{
	TRY(ec2_find(c, &ec2_type_tgw_attachment, id, a));
	if (!str_is(a->state, "available"))
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "%.*s is in invalid state", STR_ARG(id));
	if (str_eq(a->transit_gateway_id, t->transit_gateway_id)) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"Attachment %.*s and route table %.*s belong to different gateways.", STR_ARG(id),
		STR_ARG(t->transit_gateway_route_table_id));
}

static void save_attachment(struct call *c, const struct ec2_rec_tgw_attachment *a)
{
	ec2_put(ec2_here(c), &ec2_type_tgw_attachment, a->transit_gateway_attachment_id, a);
}

static bool does_propagate(const struct ec2_rec_tgw_attachment *a, struct str table)
{
	for (size_t i = 0; i < a->propagates.n; i++)
		if (str_eq(a->propagates.v[i], table)) return true;
	return false;
}

static void push(struct arena *a, struct ec2_tgw_routes *out, struct ec2_tgw_route r)
{
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i].cidr, r.cidr)) return;
	size_t capacity = out->n;
	*VEC_PUSH(a, out, &capacity) = r;
}

static status push_static(struct ec2_place at, const struct ec2_rec_tgw_route *given, struct ec2_tgw_routes *out)
{
	struct ec2_rec_tgw_attachment a = {0};
	struct ec2_tgw_route r = {.cidr = given->cidr, .prefix_list = given->prefix_list, .is_static = true};
	struct ec2_rec_prefix_list l;
	if (str_has(given->attachment)) {
		status s = ec2_load(at, &ec2_type_tgw_attachment, given->attachment, &a);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s)) r.attachment = given->attachment;
		r.vpc = ec2_tgw_resource(&a);
		r.peering = str_has(a.peer);
	}
	if (!str_has(given->prefix_list)) {
		push(at.a, out, r);
		return OK;
	}
	status s = ec2_prefix_list_load(at, given->prefix_list, &l);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct ec2_rec_prefix_entries entries = ec2_prefix_list_entries(&l, 0);
	for (size_t i = 0; i < entries.n; i++) {
		r.cidr = entries.v[i].cidr;
		push(at.a, out, r);
	}
	return OK;
}

status ec2_tgw_routes(struct ec2_place at, const struct ec2_rec_tgw_route_table *t, struct ec2_tgw_routes *out)
{
	*out = (struct ec2_tgw_routes){0};
	for (int lists = 0; lists < 2; lists++)
		for (size_t i = 0; i < t->routes.n; i++)
			if (str_has(t->routes.v[i].prefix_list) == (lists == 1))
				TRY(push_static(at, &t->routes.v[i], out));
	struct ec2_each e = ec2_each(at, &ec2_type_tgw_attachment);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *a = e.item.record;
		struct ec2_rec_vpc vpc;
		if (!does_propagate(a, t->transit_gateway_route_table_id)) continue;
		if (!is_ok(ec2_load(at, &ec2_type_vpc, a->vpc_id, &vpc))) continue;
		for (size_t i = 0; i < vpc.cidr_block_association_set.n; i++)
			push(at.a, out,
				(struct ec2_tgw_route){.cidr = vpc.cidr_block_association_set.v[i].cidr_block,
					.attachment = e.item.id,
					.vpc = a->vpc_id});
	}
	return ec2_each_end(&e);
}

status ec2_create_transit_gateway_route_table(struct call *c,
	const struct ec2_create_transit_gateway_route_table_input *in,
	struct ec2_create_transit_gateway_route_table_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_tgw_route_table};
	struct ec2_rec_transit_gateway g;
	struct ec2_rec_tgw_route_table t = {.transit_gateway_route_table_id = ec2_new_id(c->arena, "tgw-rtb-"),
		.transit_gateway_id = in->transit_gateway_id,
		.state = STR("available"),
		.creation_time = SOME_TIME(c->now_ms),
		.default_association_route_table = SOME_BOOL(false),
		.default_propagation_route_table = SOME_BOOL(false)};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_find(c, &ec2_type_transit_gateway, in->transit_gateway_id, &g));
	ec2_put(ec2_here(c), &ec2_type_tgw_route_table, t.transit_gateway_route_table_id, &t);
	TRY(ec2_tags_specified(
		c, &in->tag_specifications, &ec2_type_tgw_route_table, t.transit_gateway_route_table_id));
	out->transit_gateway_route_table = arena_new(c->arena, struct ec2_transit_gateway_route_table);
	TRY(ec2_describe_one(
		c, &ec2_type_tgw_route_table, t.transit_gateway_route_table_id, out->transit_gateway_route_table));
	out->transit_gateway_route_table->state = STR("pending");
	return OK;
}

status ec2_describe_transit_gateway_route_tables(struct call *c,
	const struct ec2_describe_transit_gateway_route_tables_input *in,
	struct ec2_describe_transit_gateway_route_tables_output *out)
{
	return EC2_DESCRIBE(
		c, &ec2_type_tgw_route_table, in, transit_gateway_route_table_ids, out, transit_gateway_route_tables);
}

status ec2_delete_transit_gateway_route_table(struct call *c,
	const struct ec2_delete_transit_gateway_route_table_input *in,
	struct ec2_delete_transit_gateway_route_table_output *out)
{
	struct ec2_rec_tgw_route_table t;
	bool used = false;
	TRY(take_table(c, in->transit_gateway_route_table_id, &t));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_tgw_attachment);
	while (ec2_next(&e))
		used = used || str_eq(((struct ec2_rec_tgw_attachment *)e.item.record)->table,
				       t.transit_gateway_route_table_id);
	TRY(ec2_each_end(&e));
	if (used || t.default_association_route_table.v)
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "Cannot delete route table %.*s: it has associations.",
			STR_ARG(t.transit_gateway_route_table_id));
	out->transit_gateway_route_table = arena_new(c->arena, struct ec2_transit_gateway_route_table);
	TRY(ec2_describe_one(
		c, &ec2_type_tgw_route_table, t.transit_gateway_route_table_id, out->transit_gateway_route_table));
	out->transit_gateway_route_table->state = STR("deleting");
	ec2_drop(ec2_here(c), &ec2_type_tgw_route_table, t.transit_gateway_route_table_id);
	return OK;
}

status ec2_associate_transit_gateway_route_table(struct call *c,
	const struct ec2_associate_transit_gateway_route_table_input *in,
	struct ec2_associate_transit_gateway_route_table_output *out)
{
	struct ec2_rec_tgw_route_table t;
	struct ec2_rec_tgw_attachment a;
	TRY(take_table(c, in->transit_gateway_route_table_id, &t));
	TRY(take_attachment(c, in->transit_gateway_attachment_id, &t, &a));
	if (str_has(a.table))
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED,
			"Transit Gateway Attachment %.*s is already associated to a "
			"route table.",
			STR_ARG(a.transit_gateway_attachment_id));
	a.table = t.transit_gateway_route_table_id;
	save_attachment(c, &a);
	out->association = arena_new(c->arena, struct ec2_transit_gateway_association);
	*out->association = (struct ec2_transit_gateway_association){a.table, a.transit_gateway_attachment_id,
		ec2_tgw_resource(&a), ec2_tgw_resource_type(&a), STR("associating")};
	return OK;
}

status ec2_disassociate_transit_gateway_route_table(struct call *c,
	const struct ec2_disassociate_transit_gateway_route_table_input *in,
	struct ec2_disassociate_transit_gateway_route_table_output *out)
{
	struct ec2_rec_tgw_route_table t;
	struct ec2_rec_tgw_attachment a;
	TRY(take_table(c, in->transit_gateway_route_table_id, &t));
	TRY(take_attachment(c, in->transit_gateway_attachment_id, &t, &a));
	if (!str_eq(a.table, t.transit_gateway_route_table_id))
		return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND,
			"Transit Gateway Attachment %.*s is not associated to route table %.*s.",
			STR_ARG(a.transit_gateway_attachment_id), STR_ARG(t.transit_gateway_route_table_id));
	out->association = arena_new(c->arena, struct ec2_transit_gateway_association);
	*out->association = (struct ec2_transit_gateway_association){a.table, a.transit_gateway_attachment_id,
		ec2_tgw_resource(&a), ec2_tgw_resource_type(&a), STR("disassociating")};
	a.table = STR_NONE;
	save_attachment(c, &a);
	return OK;
}

status ec2_enable_transit_gateway_route_table_propagation(struct call *c,
	const struct ec2_enable_transit_gateway_route_table_propagation_input *in,
	struct ec2_enable_transit_gateway_route_table_propagation_output *out)
{
	struct ec2_rec_tgw_route_table t;
	struct ec2_rec_tgw_attachment a;
	TRY(take_table(c, in->transit_gateway_route_table_id, &t));
	TRY(take_attachment(c, in->transit_gateway_attachment_id, &t, &a));
	size_t capacity = a.propagates.n;
	if (str_has(a.peer))
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
			"Routes cannot be propagated from the peering attachment %.*s: use static routes.",
			STR_ARG(a.transit_gateway_attachment_id));
	if (does_propagate(&a, t.transit_gateway_route_table_id))
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED,
			"Propagation of %.*s is already enabled for %.*s.", STR_ARG(a.transit_gateway_attachment_id),
			STR_ARG(t.transit_gateway_route_table_id));
	*VEC_PUSH(c->arena, &a.propagates, &capacity) = t.transit_gateway_route_table_id;
	save_attachment(c, &a);
	out->propagation = arena_new(c->arena, struct ec2_transit_gateway_propagation);
	*out->propagation = (struct ec2_transit_gateway_propagation){
		.transit_gateway_attachment_id = a.transit_gateway_attachment_id,
		.resource_id = ec2_tgw_resource(&a),
		.resource_type = ec2_tgw_resource_type(&a),
		.transit_gateway_route_table_id = t.transit_gateway_route_table_id,
		.state = STR("enabled")};
	return OK;
}

status ec2_disable_transit_gateway_route_table_propagation(struct call *c,
	const struct ec2_disable_transit_gateway_route_table_propagation_input *in,
	struct ec2_disable_transit_gateway_route_table_propagation_output *out)
{
	struct ec2_rec_tgw_route_table t;
	struct ec2_rec_tgw_attachment a;
	size_t kept = 0;
	TRY(take_table(c, in->transit_gateway_route_table_id, &t));
	TRY(take_attachment(c, in->transit_gateway_attachment_id, &t, &a));
	for (size_t i = 0; i < a.propagates.n; i++)
		if (!str_eq(a.propagates.v[i], t.transit_gateway_route_table_id))
			a.propagates.v[kept++] = a.propagates.v[i];
	a.propagates.n = kept;
	save_attachment(c, &a);
	out->propagation = arena_new(c->arena, struct ec2_transit_gateway_propagation);
	*out->propagation = (struct ec2_transit_gateway_propagation){
		.transit_gateway_attachment_id = a.transit_gateway_attachment_id,
		.resource_id = ec2_tgw_resource(&a),
		.resource_type = ec2_tgw_resource_type(&a),
		.transit_gateway_route_table_id = t.transit_gateway_route_table_id,
		.state = STR("disabled")};
	return OK;
}

static const char *const link_filters[] = {"resource-id", "resource-type", "transit-gateway-attachment-id", NULL};

status ec2_get_transit_gateway_route_table_associations(struct call *c,
	const struct ec2_get_transit_gateway_route_table_associations_input *in,
	struct ec2_get_transit_gateway_route_table_associations_output *out)
{
	struct ec2_rec_tgw_route_table t;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, link_filters, &in->filters));
	TRY(ec2_find(c, &ec2_type_tgw_route_table, in->transit_gateway_route_table_id, &t));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_tgw_attachment);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *a = e.item.record;
		struct ec2_transit_gateway_route_table_association r = {a->transit_gateway_attachment_id,
			ec2_tgw_resource(a), ec2_tgw_resource_type(a), STR("associated")};
		if (str_eq(a->table, t.transit_gateway_route_table_id) &&
			ec2_filters_match(c->arena, EC2_SHAPE_TRANSIT_GATEWAY_ROUTE_TABLE_ASSOCIATION, link_filters,
				&in->filters, &r))
			*VEC_PUSH(c->arena, &out->associations, &capacity) = r;
	}
	TRY(ec2_each_end(&e));
	return ec2_page(
		c, &out->associations, sizeof(*out->associations.v), in->max_results, in->next_token, &out->next_token);
}

status ec2_get_transit_gateway_route_table_propagations(struct call *c,
	const struct ec2_get_transit_gateway_route_table_propagations_input *in,
	struct ec2_get_transit_gateway_route_table_propagations_output *out)
{
	struct ec2_rec_tgw_route_table t;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, link_filters, &in->filters));
	TRY(ec2_find(c, &ec2_type_tgw_route_table, in->transit_gateway_route_table_id, &t));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_tgw_attachment);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *a = e.item.record;
		struct ec2_transit_gateway_route_table_propagation r = {
			.transit_gateway_attachment_id = a->transit_gateway_attachment_id,
			.resource_id = ec2_tgw_resource(a),
			.resource_type = ec2_tgw_resource_type(a),
			.state = STR("enabled")};
		if (does_propagate(a, t.transit_gateway_route_table_id) &&
			ec2_filters_match(c->arena, EC2_SHAPE_TRANSIT_GATEWAY_ROUTE_TABLE_PROPAGATION, link_filters,
				&in->filters, &r))
			*VEC_PUSH(c->arena, &out->transit_gateway_route_table_propagations, &capacity) = r;
	}
	TRY(ec2_each_end(&e));
	return ec2_page(c, &out->transit_gateway_route_table_propagations,
		sizeof(*out->transit_gateway_route_table_propagations.v), in->max_results, in->next_token,
		&out->next_token);
}

status ec2_get_transit_gateway_attachment_propagations(struct call *c,
	const struct ec2_get_transit_gateway_attachment_propagations_input *in,
	struct ec2_get_transit_gateway_attachment_propagations_output *out)
{
	struct ec2_rec_tgw_attachment a;
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_tgw_attachment, in->transit_gateway_attachment_id, &a));
	for (size_t i = 0; i < a.propagates.n; i++)
		*VEC_PUSH(c->arena, &out->transit_gateway_attachment_propagations, &capacity) =
			(struct ec2_transit_gateway_attachment_propagation){a.propagates.v[i], STR("enabled")};
	return ec2_page(c, &out->transit_gateway_attachment_propagations,
		sizeof(*out->transit_gateway_attachment_propagations.v), in->max_results, in->next_token,
		&out->next_token);
}

/* ── routes ── */

static void show_route(struct call *c, const struct ec2_tgw_route *r, struct ec2_transit_gateway_route *out)
{
	size_t capacity = 0;
	*out = (struct ec2_transit_gateway_route){.destination_cidr_block = r->cidr,
		.prefix_list_id = r->prefix_list,
		.type = r->is_static ? STR("static") : STR("propagated"),
		.state = str_has(r->attachment) ? STR("active") : STR("blackhole")};
	if (str_has(r->attachment))
		*VEC_PUSH(c->arena, &out->transit_gateway_attachments, &capacity) =
			(struct ec2_transit_gateway_route_attachment){
				r->vpc, r->attachment, r->peering ? STR("peering") : STR("vpc")};
}

static ptrdiff_t route_at(const struct ec2_rec_tgw_route_table *t, struct str cidr)
{
	for (size_t i = 0; i < t->routes.n; i++)
		if (!str_has(t->routes.v[i].prefix_list) && str_eq(t->routes.v[i].cidr, cidr)) return (ptrdiff_t)i;
	return -1;
}

struct route_given {
	struct str table, cidr, attachment;
	bool blackhole, replace;
};

static status set_route(struct call *c, const struct route_given *g, struct ec2_transit_gateway_route **out)
{
	struct ec2_rec_tgw_route_table t;
	struct ec2_rec_tgw_attachment a = {0};
	struct cidr block;
	TRY(take_table(c, g->table, &t));
	TRY(ec2_cidr_given(c, g->cidr, "destinationCidrBlock", &block));
	if (g->blackhole == str_has(g->attachment))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The request must contain exactly one of the parameters Blackhole and "
			"TransitGatewayAttachmentId");
	if (str_has(g->attachment)) TRY(take_attachment(c, g->attachment, &t, &a));
	struct ec2_rec_tgw_route r = {.cidr = cidr_text(c->arena, block), .attachment = g->attachment};
	ptrdiff_t i = route_at(&t, r.cidr);
	if (i >= 0 && !g->replace)
		return call_fail(c, EC2_ERR_ROUTE_ALREADY_EXISTS,
			"Route %.*s already exists in Transit Gateway Route Table %.*s", STR_ARG(r.cidr),
			STR_ARG(g->table));
	if (i < 0 && g->replace)
		return call_fail(c, EC2_ERR_INVALID_ROUTE_NOT_FOUND,
			"Route %.*s does not exist in Transit Gateway Route Table %.*s", STR_ARG(r.cidr),
			STR_ARG(g->table));
	size_t capacity = t.routes.n;
	if (i < 0)
		*VEC_PUSH(c->arena, &t.routes, &capacity) = r;
	else
		t.routes.v[i] = r;
	ec2_put(ec2_here(c), &ec2_type_tgw_route_table, t.transit_gateway_route_table_id, &t);
	*out = arena_new(c->arena, struct ec2_transit_gateway_route);
	struct ec2_tgw_route shown = {.cidr = r.cidr,
		.attachment = r.attachment,
		.vpc = ec2_tgw_resource(&a),
		.is_static = true,
		.peering = str_has(a.peer)};
	show_route(c, &shown, *out);
	return OK;
}

status ec2_create_transit_gateway_route(struct call *c, const struct ec2_create_transit_gateway_route_input *in,
	struct ec2_create_transit_gateway_route_output *out)
{
	struct route_given g = {in->transit_gateway_route_table_id, in->destination_cidr_block,
		in->transit_gateway_attachment_id, in->blackhole.v, false};
	return set_route(c, &g, &out->route);
}

status ec2_replace_transit_gateway_route(struct call *c, const struct ec2_replace_transit_gateway_route_input *in,
	struct ec2_replace_transit_gateway_route_output *out)
{
	struct route_given g = {in->transit_gateway_route_table_id, in->destination_cidr_block,
		in->transit_gateway_attachment_id, in->blackhole.v, true};
	return set_route(c, &g, &out->route);
}

status ec2_delete_transit_gateway_route(struct call *c, const struct ec2_delete_transit_gateway_route_input *in,
	struct ec2_delete_transit_gateway_route_output *out)
{
	struct ec2_rec_tgw_route_table t;
	struct cidr block;
	TRY(take_table(c, in->transit_gateway_route_table_id, &t));
	TRY(ec2_cidr_given(c, in->destination_cidr_block, "destinationCidrBlock", &block));
	ptrdiff_t i = route_at(&t, cidr_text(c->arena, block));
	if (i < 0)
		return call_fail(c, EC2_ERR_INVALID_ROUTE_NOT_FOUND,
			"Route %.*s does not exist in Transit Gateway Route Table %.*s",
			STR_ARG(in->destination_cidr_block), STR_ARG(in->transit_gateway_route_table_id));
	out->route = arena_new(c->arena, struct ec2_transit_gateway_route);
	struct ec2_tgw_route shown = {
		.cidr = t.routes.v[i].cidr, .attachment = t.routes.v[i].attachment, .is_static = true};
	show_route(c, &shown, out->route);
	out->route->state = STR("deleted");
	t.routes.v[i] = t.routes.v[--t.routes.n];
	ec2_put(ec2_here(c), &ec2_type_tgw_route_table, t.transit_gateway_route_table_id, &t);
	return OK;
}

static const char *const route_filters[] = {
	"attachment.transit-gateway-attachment-id=TransitGatewayAttachments.TransitGatewayAttachmentId",
	"attachment.resource-id=TransitGatewayAttachments.ResourceId",
	"attachment.resource-type=TransitGatewayAttachments.ResourceType", "prefix-list-id",
	"route-search.exact-match=DestinationCidrBlock", "route-search.longest-prefix-match=none",
	"route-search.subnet-of-match=none", "route-search.supernet-of-match=none", "state", "type", NULL};

/* The filters that compare blocks. */
static bool blocks_match(const struct ec2_filter_list *asked_for, struct str cidr)
{
	struct cidr own, asked;
	if (!is_ok(cidr_parse(cidr, &own))) return false;
	for (size_t i = 0; i < asked_for->n; i++) {
		const struct ec2_filter *f = &asked_for->v[i];
		if (!f->values.n || !is_ok(cidr_parse(f->values.v[0], &asked))) continue;
		if (str_is(f->name, "route-search.subnet-of-match") && !cidr_contains(asked, own)) return false;
		if ((str_is(f->name, "route-search.supernet-of-match") ||
			    str_is(f->name, "route-search.longest-prefix-match")) &&
			!cidr_contains(own, asked))
			return false;
	}
	return true;
}

status ec2_search_transit_gateway_routes(struct call *c, const struct ec2_search_transit_gateway_routes_input *in,
	struct ec2_search_transit_gateway_routes_output *out)
{
	struct ec2_rec_tgw_route_table t;
	struct ec2_tgw_routes routes;
	struct ec2_filter_list plain = {arena_new_n(c->arena, struct ec2_filter, in->filters.n), 0};
	size_t capacity = 0;
	bool longest = false;
	TRY(ec2_filters_check(c, route_filters, &in->filters));
	TRY(ec2_find(c, &ec2_type_tgw_route_table, in->transit_gateway_route_table_id, &t));
	TRY(ec2_tgw_routes(ec2_here(c), &t, &routes));
	for (size_t i = 0; i < in->filters.n; i++) {
		struct str name = in->filters.v[i].name;
		longest = longest || str_is(name, "route-search.longest-prefix-match");
		if (!str_starts(name, STR("route-search.")) || str_is(name, "route-search.exact-match"))
			plain.v[plain.n++] = in->filters.v[i];
	}
	for (size_t i = 0; i < routes.n; i++) {
		struct ec2_transit_gateway_route r;
		show_route(c, &routes.v[i], &r);
		if (blocks_match(&in->filters, routes.v[i].cidr) &&
			ec2_filters_match(c->arena, EC2_SHAPE_TRANSIT_GATEWAY_ROUTE, route_filters, &plain, &r))
			*VEC_PUSH(c->arena, &out->routes, &capacity) = r;
	}
	struct cidr best, own;
	for (size_t i = 1; longest && i < out->routes.n; i++)
		if (is_ok(cidr_parse(out->routes.v[0].destination_cidr_block, &best)) &&
			is_ok(cidr_parse(out->routes.v[i].destination_cidr_block, &own)) && own.length > best.length)
			out->routes.v[0] = out->routes.v[i];
	if (longest && out->routes.n > 1) out->routes.n = 1;
	struct str next = STR_NONE;
	TRY(ec2_page(c, &out->routes, sizeof(*out->routes.v), in->max_results, in->next_token, &next));
	out->next_token = next;
	out->additional_routes_available = SOME_BOOL(str_has(next));
	return OK;
}
