/* Images: found, described, made in the store. */
#include "services/ec2/image.h"
#include "services/ec2/instance_options.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)
enum { NAME_MIN = 3, NAME_MAX = 128 };

static const char *const filters[] = {"architecture",
	"block-device-mapping.delete-on-termination=BlockDeviceMappings.Ebs.DeleteOnTermination",
	"block-device-mapping.device-name=BlockDeviceMappings.DeviceName",
	"block-device-mapping.encrypted=BlockDeviceMappings.Ebs.Encrypted",
	"block-device-mapping.snapshot-id=BlockDeviceMappings.Ebs.SnapshotId",
	"block-device-mapping.volume-size=BlockDeviceMappings.Ebs.VolumeSize",
	"block-device-mapping.volume-type=BlockDeviceMappings.Ebs.VolumeType", "creation-date", "description",
	"ena-support", "free-tier-eligible", "hypervisor", "image-allowed", "image-id", "image-type",
	"is-public=Public", "kernel-id", "manifest-location=ImageLocation", "name", "owner-alias=ImageOwnerAlias",
	"owner-id", "platform", "product-code=ProductCodes.ProductCodeId",
	"product-code.type=ProductCodes.ProductCodeType", "ramdisk-id", "root-device-name", "root-device-type",
	"source-image-id", "source-image-region", "source-instance-id", "sriov-net-support", "state",
	"state-reason-code=StateReason.Code", "state-reason-message=StateReason.Message", "virtualization-type", NULL};
const struct ec2_type ec2_type_image = {.name = "image",
	.prefix = "ami-",
	.absent = "The image id '[@]' does not exist",
	.not_found = EC2_ERR_INVALID_AMIID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_AMIID_MALFORMED,
	.record = EC2_REC_IMAGE,
	.shape = EC2_SHAPE_IMAGE,
	.filters = filters};

void ec2_image_put(struct ec2_place at, const struct ec2_rec_image *r, const struct ec2_image *shape)
{
	struct ec2_rec_image out = *r;
	struct ec2_image kept = *shape;
	kept.tags.v = NULL;
	kept.state = kept.deprecation_time = kept.deregistration_protection = kept.last_launched_time = STR_NONE;
	kept.public.has = false;
	out.document = wire_shape_write(at.a, TABLES, EC2_SHAPE_IMAGE, &kept);
	ec2_put(at, &ec2_type_image, r->image_id, &out);
}

/* Pending until its snapshots are complete. */
static status state_of(struct ec2_place at, const struct ec2_rec_image *r, struct ec2_image *shape)
{
	shape->state = r->disabled.v ? STR("disabled") : STR("available");
	for (size_t i = 0; i < shape->block_device_mappings.n; i++) {
		const struct ec2_ebs_block_device *e = shape->block_device_mappings.v[i].ebs;
		struct ec2_rec_snapshot s;
		if (!e || str_empty(e->snapshot_id)) continue;
		status st = ec2_load(at, &ec2_type_snapshot, e->snapshot_id, &s);
		if (status_is(st, STATUS_NOT_FOUND)) continue;
		TRY(st);
		if (str_is(s.state, "pending")) shape->state = STR("pending");
		if (!str_is(s.state, "error")) continue;
		shape->state = STR("failed");
		shape->state_reason = arena_new(at.a, struct ec2_state_reason);
		*shape->state_reason =
			(struct ec2_state_reason){STR("Client.InternalError"), str_or(s.state_message, STR(""))};
	}
	return OK;
}

static status complete(struct call *c, struct ec2_place at, struct ec2_image_found *i)
{
	const struct ec2_rec_image *r = &i->r;
	i->shape = (struct ec2_image){0};
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_IMAGE, r->document, &i->shape));
	TRY(state_of(at, r, &i->shape));
	bool public = false;
	for (size_t k = 0; k < r->permissions.n; k++) public = public || str_is(r->permissions.v[k].group, "all");
	i->owner = at.account;
	i->base = str_or(r->base, EC2_BASE_DEFAULT);
	i->built_in = false;
	i->shape.image_id = r->image_id;
	i->shape.owner_id = at.account;
	i->shape.public = SOME_BOOL(public);
	i->shape.deregistration_protection = r->protected.v ? STR("enabled") : STR("disabled");
	if (r->deprecated.has) i->shape.deprecation_time = time_iso8601(c->arena, r->deprecated.ms, true);
	if (r->launched.has && str_eq(at.account, c->account))
		i->shape.last_launched_time = time_iso8601(c->arena, r->launched.ms, false);
	if (str_eq(at.account, c->account)) TRY(ec2_tags_get(at, r->image_id, &i->shape.tags));
	return OK;
}

static bool find_public(struct call *c, struct str region, struct str id, struct ec2_image_found *out)
{
	for (size_t i = 0; i < ec2_public_images(); i++) {
		*out = (struct ec2_image_found){.built_in = true, .base = EC2_BASE_DEFAULT};
		ec2_public_image(c->arena, region, i, &out->shape);
		out->owner = out->shape.owner_id;
		out->r.image_id = out->shape.image_id;
		if (str_eq(out->shape.image_id, id)) return true;
	}
	return false;
}

status ec2_image_find(struct call *c, struct str region, struct str id, struct ec2_image_found *out)
{
	struct ec2_place at = ec2_here(c);
	at.region = region;
	TRY(ec2_check_id(c, &ec2_type_image, id));
	if (find_public(c, region, id, out)) return OK;
	status s = ec2_load(at, &ec2_type_image, id, &out->r);
	if (status_is(s, STATUS_NOT_FOUND)) {
		struct str owner;
		s = ec2_share_owner(at, id, &owner);
		if (is_ok(s)) {
			at.account = str_dup(c->arena, owner);
			s = ec2_load(at, &ec2_type_image, id, &out->r);
		}
		if (is_ok(s) && !ec2_permitted(&out->r.permissions, c->account)) s = STATUS(NOT_FOUND);
	}
	if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &ec2_type_image, id);
	TRY(s);
	return complete(c, at, out);
}

status ec2_image_own(struct call *c, struct str id, struct ec2_image_found *out)
{
	TRY(ec2_image_find(c, c->region, id, out));
	if (!out->built_in && str_eq(out->owner, c->account)) return OK;
	return call_fail(c, EC2_ERR_AUTH_FAILURE, "Not authorized for image:%.*s", STR_ARG(id));
}

struct each {
	struct call *c;
	status (*fn)(void *ctx, const struct ec2_image_found *i);
	void *ctx;
	status s;
};

static bool shared_one(void *ctx, struct str id, struct str owner)
{
	struct each *e = ctx;
	struct ec2_place at = ec2_here(e->c);
	struct ec2_image_found i;
	if (str_eq(owner, e->c->account)) return true;
	at.account = owner;
	e->s = ec2_load(at, &ec2_type_image, id, &i.r);
	if (is_ok(e->s) && !ec2_permitted(&i.r.permissions, e->c->account)) return true;
	if (is_ok(e->s)) e->s = complete(e->c, at, &i);
	if (is_ok(e->s)) e->s = e->fn(e->ctx, &i);
	return is_ok(e->s);
}

status ec2_images_each(struct call *c, status (*fn)(void *ctx, const struct ec2_image_found *i), void *ctx)
{
	struct each e = {c, fn, ctx, OK};
	for (size_t i = 0; i < ec2_public_images(); i++) {
		struct ec2_image_found f = {.built_in = true, .base = EC2_BASE_DEFAULT};
		ec2_public_image(c->arena, c->region, i, &f.shape);
		f.owner = f.shape.owner_id;
		TRY(fn(ctx, &f));
	}
	struct ec2_each all = ec2_each(ec2_here(c), &ec2_type_image);
	status s = OK;
	while (is_ok(s) && ec2_next(&all)) {
		struct ec2_image_found f = {.r = *(const struct ec2_rec_image *)all.item.record};
		s = complete(c, all.item.at, &f);
		if (is_ok(s)) s = fn(ctx, &f);
	}
	status end = ec2_each_end(&all);
	TRY(s);
	TRY(end);
	TRY(ec2_share_each(ec2_here(c), "ami-", shared_one, &e));
	return e.s;
}

/* ── DescribeImages ── */

struct listing {
	struct call *c;
	const struct ec2_describe_images_input *in;
	struct ec2_image_list *out;
	size_t capacity;
};

static bool wanted(const struct listing *l, const struct ec2_image_found *i)
{
	const struct ec2_owner_string_list *owners = &l->in->owners;
	const struct ec2_executable_by_string_list *by = &l->in->executable_users;
	struct str me = l->c->account;
	bool match = !owners->n;
	for (size_t k = 0; k < owners->n; k++)
		match = match || str_eq(owners->v[k], i->owner) ||
			(str_is(owners->v[k], "self") && str_eq(i->owner, me)) ||
			(str_has(i->shape.image_owner_alias) && str_eq(owners->v[k], i->shape.image_owner_alias));
	if (!match) return false;
	match = !by->n;
	for (size_t k = 0; k < by->n; k++) {
		struct str user = str_is(by->v[k], "self") ? me : by->v[k];
		bool named = false;
		for (size_t p = 0; p < i->r.permissions.n; p++)
			named = named || str_eq(i->r.permissions.v[p].user_id, user);
		match = match || named || (str_is(user, "all") && i->shape.public.v);
	}
	if (!match) return false;
	bool listed = l->in->image_ids.n > 0, own = str_eq(i->owner, me);
	/* Deprecated ones are shown to their owner, and to whoever names them. */
	if (i->r.deprecated.has && i->r.deprecated.ms <= l->c->now_ms && !own && !listed &&
		!l->in->include_deprecated.v)
		return false;
	if (i->r.disabled.v && !(own && (l->in->include_disabled.v || listed))) return false;
	return true;
}

static status consider(void *ctx, const struct ec2_image_found *i)
{
	struct listing *l = ctx;
	bool enforced, allowed;
	TRY(ec2_image_allowed(l->c, &i->shape, &enforced, &allowed));
	if (enforced && !allowed) return OK;
	if (wanted(l, i) && ec2_filters_match(l->c->arena, EC2_SHAPE_IMAGE, filters, &l->in->filters, &i->shape))
		*VEC_PUSH(l->c->arena, l->out, &l->capacity) = i->shape;
	return OK;
}

status ec2_describe_images(
	struct call *c, const struct ec2_describe_images_input *in, struct ec2_describe_images_output *out)
{
	struct listing l = {.c = c, .in = in, .out = &out->images};
	TRY(ec2_filters_check(c, filters, &in->filters));
	for (size_t i = 0; i < in->image_ids.n; i++) {
		struct ec2_image_found f;
		TRY(ec2_image_find(c, c->region, in->image_ids.v[i], &f));
		TRY(consider(&l, &f));
	}
	if (!in->image_ids.n) TRY(ec2_images_each(c, consider, &l));
	return ec2_page(c, &out->images, sizeof(*out->images.v), in->max_results, in->next_token, &out->next_token);
}

/* ── making ── */

static status check_name(struct call *c, struct str name)
{
	bool well = name.n >= NAME_MIN && name.n <= NAME_MAX;
	for (size_t i = 0; well && i < name.n; i++) {
		char b = name.p[i];
		well = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
		       memchr("()[] ./-'@_", b, 11);
	}
	if (well) return OK;
	return call_fail(c, EC2_ERR_INVALID_AMI_NAME_MALFORMED,
		"AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', "
		"'-', '/', "
		"'_', '[', ']', ' ', '@' and ''''");
}

status ec2_image_name_free(struct call *c, struct str name)
{
	TRY(ec2_guard(ec2_here(c), STR("image"), NULL));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_image);
	while (ec2_next(&e)) {
		const struct ec2_rec_image *other = e.item.record;
		struct ec2_image there = {0};
		TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_IMAGE, other->document, &there));
		if (str_eq(there.name, name))
			return call_fail(c, EC2_ERR_INVALID_AMI_NAME_DUPLICATE,
				"AMI name %.*s is already in use by AMI %.*s", STR_ARG(name), STR_ARG(other->image_id));
	}
	return ec2_each_end(&e);
}

status ec2_image_make(struct call *c, struct str name, struct str description, const struct ec2_image *like,
	struct str base, struct str *id)
{
	struct ec2_image shape = *like;
	TRY(check_name(c, name));
	TRY(ec2_image_name_free(c, name));
	struct ec2_rec_image r = {.image_id = ec2_new_id(c->arena, ec2_type_image.prefix), .base = base};
	shape.name = name;
	shape.description = description;
	shape.image_owner_alias = STR_NONE;
	shape.image_location = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(c->account), STR_ARG(name));
	shape.creation_date = time_iso8601(c->arena, c->now_ms / 1000 * 1000, true);
	shape.image_type = STR("machine");
	ec2_image_put(ec2_here(c), &r, &shape);
	*id = r.image_id;
	return OK;
}

void ec2_image_launched(struct call *c, const struct ec2_image_found *i)
{
	if (i->built_in || !str_eq(i->owner, c->account)) return;
	struct ec2_rec_image r = i->r;
	r.launched = SOME_TIME(c->now_ms);
	ec2_image_put(ec2_here(c), &r, &i->shape);
}
