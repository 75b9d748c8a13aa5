/* "Block public access to VPCs and subnets", the guide: what an account's region keeps internet gateways and
 * egress-only ones from carrying, whatever routes, groups and ACLs say; and the VPCs and subnets that are excluded. The
 * host drops it (host/net/rules.c). */
#include "services/ec2/block_public_access.h"
#include "services/ec2/network.h"
#include "services/ec2/volume.h"

enum { EXCLUSIONS_MAX = 50 }; /* "VPC BPA quotas" */

static const char *const filters[] = {"resource-arn", "internet-gateway-exclusion-mode", "state", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_vpc_block_public_access_exclusion *out = to;
	const struct ec2_rec_bpa_exclusion *r = item->record;
	out->resource_arn = ec2_arn(c, item->at.account, item->at.region,
		str_starts(r->resource, STR("vpc-")) ? "vpc" : "subnet", r->resource);
	return OK;
}

const struct ec2_type ec2_type_bpa_exclusion = {.name = "vpc-block-public-access-exclusion",
	.prefix = "vpcbpa-exclude-",
	.absent = "The VPC Block Public Access exclusion ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSION_ID_NOT_FOUND,
	.record = EC2_REC_BPA_EXCLUSION,
	.shape = EC2_SHAPE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSION,
	.filters = filters,
	.render = render};

/* ── what holds where ── */

status ec2_bpa_load(struct ec2_place at, struct ec2_bpa *out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(at, &s));
	*out = (struct ec2_bpa){.mode = str_or(s.internet_block, STR("off"))};
	if (str_is(out->mode, "off")) return OK;
	struct ec2_each e = ec2_each(at, &ec2_type_bpa_exclusion);
	while (ec2_next(&e)) {
		const struct ec2_rec_bpa_exclusion *r = e.item.record;
		*VEC_PUSH(at.a, out, &out->capacity) = (typeof(*out->v)){
			str_dup(at.a, r->resource), str_dup(at.a, r->internet_gateway_exclusion_mode)};
	}
	return ec2_each_end(&e);
}

struct str ec2_bpa_state(const struct ec2_bpa *b, struct str vpc, struct str subnet)
{
	bool outward = false;
	for (size_t i = 0; i < b->n; i++) {
		bool here = str_eq(b->v[i].resource, vpc) || (str_has(subnet) && str_eq(b->v[i].resource, subnet));
		if (here && str_is(b->v[i].mode, "allow-bidirectional")) return STR("off");
		outward = outward || here;
	}
	/* "Egress-only … only applies when BPA is set to Bidirectional." */
	return outward ? STR("block-ingress") : b->mode;
}

struct str ec2_bpa_internet(const struct ec2_bpa *b, struct str vpc, struct str subnet)
{
	struct str state = ec2_bpa_state(b, vpc, subnet);
	if (str_is(state, "block-bidirectional")) return STR("closed");
	if (!str_is(state, "block-ingress")) return STR_NONE;
	return str_is(b->mode, "block-ingress") ? STR("gateways") : STR("outward");
}

status ec2_bpa_forget(struct ec2_place at, struct str resource)
{
	struct ec2_each e = ec2_each(at, &ec2_type_bpa_exclusion);
	while (ec2_next(&e))
		if (str_eq(((const struct ec2_rec_bpa_exclusion *)e.item.record)->resource, resource))
			ec2_drop(at, &ec2_type_bpa_exclusion, e.item.id);
	return ec2_each_end(&e);
}

/* All VPCs of the region are applied anew. */
static status touch_all(struct call *c)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_vpc);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) s = ec2_vpc_touch(ec2_here(c), str_dup(c->arena, e.item.id));
	status end = ec2_each_end(&e);
	return is_ok(s) ? end : s;
}

/* ── options ── */

static status show_options(struct call *c, struct ec2_vpc_block_public_access_options **out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	*out = arena_new(c->arena, struct ec2_vpc_block_public_access_options);
	**out = (struct ec2_vpc_block_public_access_options){.aws_account_id = c->account,
		.aws_region = c->region,
		.state = s.internet_block_since.has ? STR("update-complete") : STR("default-state"),
		.internet_gateway_block_mode = str_or(s.internet_block, STR("off")),
		.last_update_timestamp = s.internet_block_since,
		.managed_by = STR("account"),
		.exclusions_allowed = STR("allowed")};
	return OK;
}

status ec2_describe_vpc_block_public_access_options(struct call *c,
	const struct ec2_describe_vpc_block_public_access_options_input *in,
	struct ec2_describe_vpc_block_public_access_options_output *out)
{
	(void)in;
	return show_options(c, &out->vpc_block_public_access_options);
}

status ec2_modify_vpc_block_public_access_options(struct call *c,
	const struct ec2_modify_vpc_block_public_access_options_input *in,
	struct ec2_modify_vpc_block_public_access_options_output *out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.internet_block = in->internet_gateway_block_mode;
	s.internet_block_since = SOME_TIME(c->now_ms);
	ec2_settings_put(ec2_here(c), &s);
	TRY(touch_all(c));
	return show_options(c, &out->vpc_block_public_access_options);
}

/* ── exclusions ── */

/* Of the VPC that the resource is, or is in. */
static status touch(struct call *c, struct str resource)
{
	struct ec2_rec_subnet s;
	if (str_starts(resource, STR("vpc-"))) return ec2_vpc_touch(ec2_here(c), resource);
	TRY(ec2_find(c, &ec2_type_subnet, resource, &s));
	return ec2_vpc_touch(ec2_here(c), s.vpc_id);
}

static status check_resource(struct call *c, const struct ec2_create_vpc_block_public_access_exclusion_input *in)
{
	struct ec2_rec_vpc v;
	struct ec2_rec_subnet s;
	if (str_has(in->vpc_id) && str_has(in->subnet_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameters VpcId and SubnetId may not be used together");
	if (str_has(in->vpc_id)) return ec2_find(c, &ec2_type_vpc, in->vpc_id, &v);
	if (str_has(in->subnet_id)) return ec2_find(c, &ec2_type_subnet, in->subnet_id, &s);
	return call_fail(
		c, EC2_ERR_MISSING_PARAMETER, "The request must contain either the parameter VpcId or SubnetId");
}

/* AWS takes minutes; here it holds once this commits, and the answer says what AWS's says. */
static status answer(
	struct call *c, struct str id, const char *state, struct ec2_vpc_block_public_access_exclusion **out)
{
	*out = arena_new(c->arena, struct ec2_vpc_block_public_access_exclusion);
	TRY(ec2_describe_one(c, &ec2_type_bpa_exclusion, id, *out));
	(*out)->state = str_c(state);
	return OK;
}

status ec2_create_vpc_block_public_access_exclusion(struct call *c,
	const struct ec2_create_vpc_block_public_access_exclusion_input *in,
	struct ec2_create_vpc_block_public_access_exclusion_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_bpa_exclusion};
	struct ec2_rec_bpa_exclusion r = {.exclusion_id = ec2_new_id(c->arena, ec2_type_bpa_exclusion.prefix),
		.internet_gateway_exclusion_mode = in->internet_gateway_exclusion_mode,
		.resource = str_or(in->vpc_id, in->subnet_id),
		.state = STR("create-complete"),
		.creation_timestamp = SOME_TIME(c->now_ms),
		.last_update_timestamp = SOME_TIME(c->now_ms)};
	size_t n = 0;
	bool there = false;
	int64_t version;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(check_resource(c, in));
	TRY(ec2_guard(ec2_here(c), STR("bpa-exclusions"), &version));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_bpa_exclusion);
	while (ec2_next(&e)) {
		n++;
		there = there || str_eq(((const struct ec2_rec_bpa_exclusion *)e.item.record)->resource, r.resource);
	}
	TRY(ec2_each_end(&e));
	if (there)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"A VPC Block Public Access exclusion for the resource '%.*s' already exists.",
			STR_ARG(r.resource));
	if (n >= EXCLUSIONS_MAX)
		return call_fail(c, EC2_ERR_RESOURCE_COUNT_EXCEEDED,
			"The maximum number of VPC Block Public Access exclusions (%d) has been reached.",
			EXCLUSIONS_MAX);
	ec2_put(ec2_here(c), &ec2_type_bpa_exclusion, r.exclusion_id, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_bpa_exclusion, r.exclusion_id));
	TRY(touch(c, r.resource));
	return answer(c, r.exclusion_id, "create-in-progress", &out->vpc_block_public_access_exclusion);
}

status ec2_modify_vpc_block_public_access_exclusion(struct call *c,
	const struct ec2_modify_vpc_block_public_access_exclusion_input *in,
	struct ec2_modify_vpc_block_public_access_exclusion_output *out)
{
	struct ec2_rec_bpa_exclusion r;
	TRY(ec2_find(c, &ec2_type_bpa_exclusion, in->exclusion_id, &r));
	r.internet_gateway_exclusion_mode = in->internet_gateway_exclusion_mode;
	r.state = STR("update-complete");
	r.last_update_timestamp = SOME_TIME(c->now_ms);
	ec2_put(ec2_here(c), &ec2_type_bpa_exclusion, r.exclusion_id, &r);
	TRY(touch(c, r.resource));
	return answer(c, r.exclusion_id, "update-in-progress", &out->vpc_block_public_access_exclusion);
}

status ec2_delete_vpc_block_public_access_exclusion(struct call *c,
	const struct ec2_delete_vpc_block_public_access_exclusion_input *in,
	struct ec2_delete_vpc_block_public_access_exclusion_output *out)
{
	struct ec2_rec_bpa_exclusion r;
	TRY(ec2_find(c, &ec2_type_bpa_exclusion, in->exclusion_id, &r));
	TRY(answer(c, r.exclusion_id, "delete-in-progress", &out->vpc_block_public_access_exclusion));
	out->vpc_block_public_access_exclusion->deletion_timestamp = SOME_TIME(c->now_ms);
	ec2_drop(ec2_here(c), &ec2_type_bpa_exclusion, r.exclusion_id);
	return touch(c, r.resource);
}

status ec2_describe_vpc_block_public_access_exclusions(struct call *c,
	const struct ec2_describe_vpc_block_public_access_exclusions_input *in,
	struct ec2_describe_vpc_block_public_access_exclusions_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_bpa_exclusion, in, exclusion_ids, out, vpc_block_public_access_exclusions);
}
