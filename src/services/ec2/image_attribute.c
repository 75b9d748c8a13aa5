/* Images: attributes, launch permission, deprecation, disabling, protection, block public access. */
#include "services/ec2/image.h"

static struct ec2_attribute_value *value(struct call *c, struct str v)
{
	struct ec2_attribute_value *a = arena_new(c->arena, struct ec2_attribute_value);
	a->value = v;
	return a;
}

status ec2_describe_image_attribute(struct call *c, const struct ec2_describe_image_attribute_input *in,
	struct ec2_describe_image_attribute_output *out)
{
	struct ec2_image_found i;
	size_t capacity = 0;
	struct str a = in->attribute;
	TRY(ec2_image_own(c, in->image_id, &i));
	out->image_id = i.shape.image_id;
	if (str_is(a, "description")) out->description = value(c, i.shape.description);
	if (str_is(a, "kernel")) out->kernel_id = value(c, i.shape.kernel_id);
	if (str_is(a, "ramdisk")) out->ramdisk_id = value(c, i.shape.ramdisk_id);
	if (str_is(a, "sriovNetSupport")) out->sriov_net_support = value(c, i.shape.sriov_net_support);
	if (str_is(a, "bootMode")) out->boot_mode = value(c, i.shape.boot_mode);
	if (str_is(a, "tpmSupport")) out->tpm_support = value(c, i.shape.tpm_support);
	if (str_is(a, "imdsSupport")) out->imds_support = value(c, i.shape.imds_support);
	if (str_is(a, "lastLaunchedTime")) out->last_launched_time = value(c, i.shape.last_launched_time);
	if (str_is(a, "deregistrationProtection"))
		out->deregistration_protection = value(c, i.shape.deregistration_protection);
	if (str_is(a, "blockDeviceMapping")) out->block_device_mappings = i.shape.block_device_mappings;
	if (str_is(a, "productCodes")) VEC_PRESENT(c->arena, &out->product_codes);
	if (!str_is(a, "launchPermission")) return OK;
	VEC_PRESENT(c->arena, &out->launch_permissions);
	for (size_t k = 0; k < i.r.permissions.n; k++)
		ec2_show(c->arena, EC2_REC_PERMISSION, &i.r.permissions.v[k], EC2_SHAPE_LAUNCH_PERMISSION,
			VEC_PUSH(c->arena, &out->launch_permissions, &capacity));
	return OK;
}

static void take(struct call *c, const struct ec2_launch_permission_list *l, struct ec2_rec_permissions *to)
{
	size_t capacity = to->n;
	for (size_t i = 0; i < l->n; i++)
		ec2_take(c->arena, EC2_SHAPE_LAUNCH_PERMISSION, &l->v[i], EC2_REC_PERMISSION,
			VEC_PUSH(c->arena, to, &capacity));
}

static status share(struct call *c, struct ec2_image_found *i, const struct ec2_permission_change *change)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	for (size_t k = 0; k < change->add.n; k++)
		if (str_is(change->add.v[k].group, "all") && str_is(s.image_block, "block-new-sharing"))
			return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
				"You can't publicly share this image because block public access for AMIs is enabled "
				"for this Region.");
	TRY(ec2_permission_apply(c, change, &i->r.permissions));
	ec2_share_index(ec2_here(c), i->r.image_id, &i->r.permissions);
	return OK;
}

status ec2_modify_image_attribute(
	struct call *c, const struct ec2_modify_image_attribute_input *in, struct wire_nothing *out)
{
	struct ec2_image_found i;
	struct ec2_permission_change change = {0};
	(void)out;
	TRY(ec2_image_own(c, in->image_id, &i));
	TRY(ec2_permission_listed(
		c, in->operation_type, in->user_ids.v, in->user_ids.n, in->user_groups.v, in->user_groups.n, &change));
	if (in->launch_permission) {
		take(c, &in->launch_permission->add, &change.add);
		take(c, &in->launch_permission->remove, &change.remove);
	}
	if (change.add.n || change.remove.n) TRY(share(c, &i, &change));
	if (in->description) i.shape.description = in->description->value;
	if (in->imds_support) i.shape.imds_support = in->imds_support->value;
	if (str_is(in->attribute, "description") && str_has(in->value)) i.shape.description = in->value;
	ec2_image_put(ec2_here(c), &i.r, &i.shape);
	return OK;
}

status ec2_reset_image_attribute(
	struct call *c, const struct ec2_reset_image_attribute_input *in, struct wire_nothing *out)
{
	struct ec2_image_found i;
	(void)out;
	TRY(ec2_image_own(c, in->image_id, &i));
	i.r.permissions.n = 0;
	ec2_share_index(ec2_here(c), i.r.image_id, &i.r.permissions);
	ec2_image_put(ec2_here(c), &i.r, &i.shape);
	return OK;
}

status ec2_cancel_image_launch_permission(struct call *c, const struct ec2_cancel_image_launch_permission_input *in,
	struct ec2_cancel_image_launch_permission_output *out)
{
	struct ec2_image_found i;
	struct ec2_permission_change change = {0};
	size_t capacity = 0;
	TRY(ec2_image_find(c, c->region, in->image_id, &i));
	if (i.built_in || str_eq(i.owner, c->account))
		return call_fail(c, EC2_ERR_INVALID_AMI_ATTRIBUTE_ITEM_VALUE,
			"The image '%.*s' is not shared with this account.", STR_ARG(in->image_id));
	VEC_PUSH(c->arena, &change.remove, &capacity)->user_id = c->account;
	TRY(ec2_permission_apply(c, &change, &i.r.permissions));
	struct ec2_place at = ec2_here(c);
	at.account = i.owner;
	ec2_share_index(at, i.r.image_id, &i.r.permissions);
	ec2_image_put(at, &i.r, &i.shape);
	out->return_ = SOME_BOOL(true);
	return OK;
}

/* ── deprecation, disabling, protection ── */

status ec2_enable_image_deprecation(struct call *c, const struct ec2_enable_image_deprecation_input *in,
	struct ec2_enable_image_deprecation_output *out)
{
	struct ec2_image_found i;
	TRY(ec2_image_own(c, in->image_id, &i));
	if (in->deprecate_at.ms < c->now_ms)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "The deprecation date can't be in the past.");
	/* "Amazon EC2 rounds the seconds to the nearest minute" (EnableImageDeprecation). */
	i.r.deprecated = SOME_TIME((in->deprecate_at.ms + 30000) / 60000 * 60000);
	ec2_image_put(ec2_here(c), &i.r, &i.shape);
	out->return_ = SOME_BOOL(true);
	return OK;
}

status ec2_disable_image_deprecation(struct call *c, const struct ec2_disable_image_deprecation_input *in,
	struct ec2_disable_image_deprecation_output *out)
{
	struct ec2_image_found i;
	TRY(ec2_image_own(c, in->image_id, &i));
	i.r.deprecated.has = false;
	ec2_image_put(ec2_here(c), &i.r, &i.shape);
	out->return_ = SOME_BOOL(true);
	return OK;
}

static status set_disabled(struct call *c, struct str id, bool disabled)
{
	struct ec2_image_found i;
	TRY(ec2_image_own(c, id, &i));
	i.r.disabled = SOME_BOOL(disabled);
	/* "it becomes private if it was public or shared" (DisableImage). */
	if (disabled) i.r.permissions.n = 0;
	ec2_share_index(ec2_here(c), i.r.image_id, &i.r.permissions);
	ec2_image_put(ec2_here(c), &i.r, &i.shape);
	return OK;
}

status ec2_disable_image(struct call *c, const struct ec2_disable_image_input *in, struct ec2_disable_image_output *out)
{
	out->return_ = SOME_BOOL(true);
	return set_disabled(c, in->image_id, true);
}

status ec2_enable_image(struct call *c, const struct ec2_enable_image_input *in, struct ec2_enable_image_output *out)
{
	out->return_ = SOME_BOOL(true);
	return set_disabled(c, in->image_id, false);
}

static status set_protected(struct call *c, struct str id, bool protected)
{
	struct ec2_image_found i;
	TRY(ec2_image_own(c, id, &i));
	i.r.protected = SOME_BOOL(protected);
	ec2_image_put(ec2_here(c), &i.r, &i.shape);
	return OK;
}

status ec2_enable_image_deregistration_protection(struct call *c,
	const struct ec2_enable_image_deregistration_protection_input *in,
	struct ec2_enable_image_deregistration_protection_output *out)
{
	if (in->with_cooldown.v)
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
			"A cooldown of deregistration protection is not implemented.");
	out->return_ = STR("enabled");
	return set_protected(c, in->image_id, true);
}

status ec2_disable_image_deregistration_protection(struct call *c,
	const struct ec2_disable_image_deregistration_protection_input *in,
	struct ec2_disable_image_deregistration_protection_output *out)
{
	out->return_ = STR("disabled");
	return set_protected(c, in->image_id, false);
}

/* ── block public access ── */

static status set_block(struct call *c, struct str state)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.image_block = state;
	ec2_settings_put(ec2_here(c), &s);
	return OK;
}

status ec2_enable_image_block_public_access(struct call *c, const struct ec2_enable_image_block_public_access_input *in,
	struct ec2_enable_image_block_public_access_output *out)
{
	out->image_block_public_access_state = in->image_block_public_access_state;
	return set_block(c, in->image_block_public_access_state);
}

status ec2_disable_image_block_public_access(struct call *c,
	const struct ec2_disable_image_block_public_access_input *in,
	struct ec2_disable_image_block_public_access_output *out)
{
	(void)in;
	out->image_block_public_access_state = STR("unblocked");
	return set_block(c, STR("unblocked"));
}

status ec2_get_image_block_public_access_state(struct call *c,
	const struct ec2_get_image_block_public_access_state_input *in,
	struct ec2_get_image_block_public_access_state_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	out->image_block_public_access_state = str_or(s.image_block, STR("unblocked"));
	out->managed_by = STR("account");
	return OK;
}
