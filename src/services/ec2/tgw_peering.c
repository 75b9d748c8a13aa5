/* Peering attachments between transit gateways, of other regions and accounts too. "Transit gateway peering
 * attachments", Amazon VPC Transit Gateways. Both ends keep the attachment under one id, each as it sees it; routes
 * over it are static. */
#include "services/ec2/tgw.h"

static const char *const filters[] = {"local-owner-id=RequesterTgwInfo.OwnerId",
	"remote-owner-id=AccepterTgwInfo.OwnerId", "state", "transit-gateway-attachment-id",
	"transit-gateway-id=RequesterTgwInfo.TransitGatewayId", NULL};

static bool is_peering(struct call *c, const struct ec2_item *item)
{
	(void)c;
	return str_has(((const struct ec2_rec_tgw_attachment *)item->record)->peer);
}

static struct ec2_peering_tgw_info *side(struct arena *a, struct str tgw, struct str account, struct str region)
{
	struct ec2_peering_tgw_info *out = arena_new(a, struct ec2_peering_tgw_info);
	*out = (struct ec2_peering_tgw_info){.transit_gateway_id = tgw, .owner_id = account, .region = region};
	return out;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_tgw_attachment *a = item->record;
	struct ec2_transit_gateway_peering_attachment *out = to;
	struct ec2_peering_tgw_info *here = side(c->arena, a->transit_gateway_id, item->at.account, item->at.region);
	struct ec2_peering_tgw_info *there = side(c->arena, a->peer, a->peer_account, a->peer_region);
	out->requester_tgw_info = a->requested.v ? here : there;
	out->accepter_tgw_info = a->requested.v ? there : here;
	out->status = arena_new(c->arena, struct ec2_peering_attachment_status);
	*out->status = (struct ec2_peering_attachment_status){a->state, a->state};
	return OK;
}

static status show(struct call *c, struct str id, struct ec2_transit_gateway_peering_attachment **out)
{
	struct ec2_transit_gateway_peering_attachment_list list = {0};
	const struct ec2_transit_gateway_attachment_id_string_list ids = {&id, 1};
	struct ec2_describe d = {.type = &ec2_type_tgw_attachment,
		.ids = &ids,
		.out = &list,
		.shape = EC2_SHAPE_TRANSIT_GATEWAY_PEERING_ATTACHMENT,
		.filter_names = filters,
		.render = render,
		.visible = is_peering};
	TRY(ec2_describe(c, &d));
	*out = &list.v[0];
	return OK;
}

static struct ec2_place there(const struct call *c, const struct ec2_rec_tgw_attachment *a)
{
	return (struct ec2_place){c->tx, c->arena, a->peer_account, a->peer_region};
}

static void put(struct ec2_place at, const struct ec2_rec_tgw_attachment *a)
{
	ec2_put(at, &ec2_type_tgw_attachment, a->transit_gateway_attachment_id, a);
}

status ec2_create_transit_gateway_peering_attachment(struct call *c,
	const struct ec2_create_transit_gateway_peering_attachment_input *in,
	struct ec2_create_transit_gateway_peering_attachment_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_tgw_attachment};
	struct ec2_rec_transit_gateway mine, other;
	struct ec2_rec_tgw_attachment a = {.transit_gateway_attachment_id = ec2_new_id(c->arena, "tgw-attach-"),
		.transit_gateway_id = in->transit_gateway_id,
		.state = STR("initiatingRequest"),
		.creation_time = SOME_TIME(c->now_ms / 1000 * 1000),
		.peer = in->peer_transit_gateway_id,
		.peer_account = in->peer_account_id,
		.peer_region = in->peer_region,
		.requested = SOME_BOOL(true)};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_find(c, &ec2_type_transit_gateway, in->transit_gateway_id, &mine));
	if (in->options && str_is(in->options->dynamic_routing, "enable"))
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION, "Dynamic routing needs a core network.");
	if (str_eq(in->transit_gateway_id, in->peer_transit_gateway_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "A transit gateway cannot be peered with itself.");
	status s = ec2_load(there(c, &a), &ec2_type_transit_gateway, a.peer, &other);
	if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &ec2_type_transit_gateway, a.peer);
	TRY(s);
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_tgw_attachment);
	bool twice = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *o = e.item.record;
		twice = twice || (str_eq(o->transit_gateway_id, a.transit_gateway_id) && str_has(o->peer) &&
					 str_eq(o->peer, a.peer) && !str_is(o->state, "rejected"));
	}
	TRY(ec2_each_end(&e));
	if (twice)
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED, "%.*s has existing peering attachment to %.*s",
			STR_ARG(a.transit_gateway_id), STR_ARG(a.peer));
	TRY(ec2_guard(ec2_here(c), a.transit_gateway_id, NULL));
	a.state = STR("pendingAcceptance");
	put(ec2_here(c), &a);
	struct ec2_rec_tgw_attachment theirs = a;
	theirs.transit_gateway_id = a.peer;
	theirs.peer = a.transit_gateway_id;
	theirs.peer_account = c->account;
	theirs.peer_region = c->region;
	theirs.requested = SOME_BOOL(false);
	put(there(c, &a), &theirs);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_tgw_attachment, a.transit_gateway_attachment_id));
	TRY(show(c, a.transit_gateway_attachment_id, &out->transit_gateway_peering_attachment));
	out->transit_gateway_peering_attachment->state = STR("initiatingRequest");
	return OK;
}

/* Both ends, with their gateways' guards taken; `pending`: only what this end may answer. */
static status take(struct call *c, struct str id, bool pending, struct ec2_rec_tgw_attachment *a,
	struct ec2_rec_tgw_attachment *theirs)
{
	TRY(ec2_find(c, &ec2_type_tgw_attachment, id, a));
	if (!str_has(a->peer)) return ec2_absent(c, &ec2_type_tgw_attachment, id);
	if (pending && (a->requested.v || !str_is(a->state, "pendingAcceptance")))
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "%.*s is in invalid state", STR_ARG(id));
	TRY(ec2_load(there(c, a), &ec2_type_tgw_attachment, id, theirs));
	TRY(ec2_tgw_touch(ec2_here(c), a->transit_gateway_id));
	return ec2_tgw_touch(there(c, a), a->peer);
}

static status answer(
	struct call *c, struct str id, const char *state, struct ec2_transit_gateway_peering_attachment **out)
{
	struct ec2_rec_tgw_attachment a, theirs;
	TRY(take(c, id, true, &a, &theirs));
	a.state = theirs.state = str_c(state);
	put(ec2_here(c), &a);
	put(there(c, &a), &theirs);
	return show(c, id, out);
}

status ec2_accept_transit_gateway_peering_attachment(struct call *c,
	const struct ec2_accept_transit_gateway_peering_attachment_input *in,
	struct ec2_accept_transit_gateway_peering_attachment_output *out)
{
	TRY(answer(c, in->transit_gateway_attachment_id, "available", &out->transit_gateway_peering_attachment));
	out->transit_gateway_peering_attachment->state = STR("pending");
	return OK;
}

status ec2_reject_transit_gateway_peering_attachment(struct call *c,
	const struct ec2_reject_transit_gateway_peering_attachment_input *in,
	struct ec2_reject_transit_gateway_peering_attachment_output *out)
{
	return answer(c, in->transit_gateway_attachment_id, "rejected", &out->transit_gateway_peering_attachment);
}

status ec2_delete_transit_gateway_peering_attachment(struct call *c,
	const struct ec2_delete_transit_gateway_peering_attachment_input *in,
	struct ec2_delete_transit_gateway_peering_attachment_output *out)
{
	struct ec2_rec_tgw_attachment a, theirs;
	TRY(take(c, in->transit_gateway_attachment_id, false, &a, &theirs));
	TRY(show(c, a.transit_gateway_attachment_id, &out->transit_gateway_peering_attachment));
	out->transit_gateway_peering_attachment->state = STR("deleting");
	ec2_drop(ec2_here(c), &ec2_type_tgw_attachment, a.transit_gateway_attachment_id);
	ec2_drop(there(c, &a), &ec2_type_tgw_attachment, a.transit_gateway_attachment_id);
	return OK;
}

status ec2_describe_transit_gateway_peering_attachments(struct call *c,
	const struct ec2_describe_transit_gateway_peering_attachments_input *in,
	struct ec2_describe_transit_gateway_peering_attachments_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_tgw_attachment,
		.ids = &in->transit_gateway_attachment_ids,
		.filters = &in->filters,
		.max_results = in->max_results,
		.next_token = in->next_token,
		.out = &out->transit_gateway_peering_attachments,
		.next_out = &out->next_token,
		.shape = EC2_SHAPE_TRANSIT_GATEWAY_PEERING_ATTACHMENT,
		.filter_names = filters,
		.render = render,
		.visible = is_peering};
	return ec2_describe(c, &d);
}
