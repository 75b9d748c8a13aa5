/* What instances were launched from: DescribeInstanceImageMetadata, and GetLaunchTemplateData, which makes a launch
 * template's data of an instance ("Create a launch template from an existing instance", the EC2 guide). */
#include "services/ec2/image.h"
#include "services/ec2/instance.h"

#define TABLES (&wire_service_ec2.tables)

/* ── DescribeInstanceImageMetadata ── */

static const char *const filters[] = {"availability-zone", "instance-id", "image-allowed=ImageMetadata.ImageAllowed",
	"instance-state-name=State.Name", "instance-type", "launch-time", "owner-alias=ImageMetadata.ImageOwnerAlias",
	"owner-id", "zone-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_instance *i = item->record;
	struct ec2_instance_image_metadata *out = to;
	struct ec2_instance shape = {0};
	struct ec2_image_found image;
	struct ec2_zone zone;
	TRY(ec2_instance_document(c->arena, i, &shape));
	out->instance_type = shape.instance_type;
	out->launch_time = i->launched;
	out->availability_zone = i->zone;
	if (is_ok(ec2_zone_find(c, i->zone, STR_NONE, &zone))) out->zone_id = zone.id;
	out->state = ec2_state_out(c->arena, i->state.v);
	out->owner_id = item->at.account;
	out->image_metadata = arena_new(c->arena, struct ec2_image_metadata);
	out->image_metadata->image_id = shape.image_id;
	status s = ec2_image_find(c, c->region, shape.image_id, &image);
	/* One that is gone, or no longer shared, tells its id alone. */
	if (status_is(s, STATUS_FAILED)) return OK;
	TRY(s);
	ec2_copy(
		c->arena, TABLES, EC2_SHAPE_IMAGE, &image.shape, TABLES, EC2_SHAPE_IMAGE_METADATA, out->image_metadata);
	out->image_metadata->is_public = image.shape.public;
	return OK;
}

static bool is_there(struct call *c, const struct ec2_item *item)
{
	(void)c;
	return ((const struct ec2_rec_instance *)item->record)->state.v != EC2_TERMINATED;
}

status ec2_describe_instance_image_metadata(struct call *c, const struct ec2_describe_instance_image_metadata_input *in,
	struct ec2_describe_instance_image_metadata_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_instance,
				       .ids = &in->instance_ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->instance_image_metadata,
				       .next_out = &out->next_token,
				       .shape = EC2_SHAPE_INSTANCE_IMAGE_METADATA,
				       .filter_names = filters,
				       .visible = is_there,
				       .render = render});
}

/* ── GetLaunchTemplateData ── */

static status add_interfaces(struct call *c, struct str instance, struct ec2_response_launch_template_data *out)
{
	struct ec2_enis enis = {0};
	size_t capacity = 0;
	TRY(ec2_eni_of_instance(ec2_here(c), instance, &enis));
	for (size_t k = 0; k < enis.n; k++) {
		const struct ec2_rec_eni *e = &enis.v[k];
		struct ec2_launch_template_instance_network_interface_specification *n =
			VEC_PUSH(c->arena, &out->network_interfaces, &capacity);
		size_t addresses = 0;
		bool public = false;
		n->device_index = e->attachment ? e->attachment->device_index : SOME_I32((int32_t)k);
		n->delete_on_termination = e->attachment ? e->attachment->delete_on_termination : (struct opt_bool){0};
		n->description = e->description;
		n->subnet_id = e->subnet_id;
		n->interface_type = STR("interface");
		n->network_card_index = SOME_I32(0);
		n->groups.v = e->groups.v;
		n->groups.n = e->groups.n;
		for (size_t p = 0; p < e->addresses.n; p++) {
			public = public || str_has(e->addresses.v[p].public);
			*VEC_PUSH(c->arena, &n->private_ip_addresses, &addresses) =
				(struct ec2_private_ip_address_specification){.primary = SOME_BOOL(p == 0),
					.private_ip_address = e->addresses.v[p].private_ip_address};
		}
		if (k == 0) n->associate_public_ip_address = SOME_BOOL(public);
	}
	return OK;
}

static status add_devices(
	struct call *c, const struct ec2_rec_instance *i, struct ec2_response_launch_template_data *out)
{
	size_t capacity = 0;
	for (size_t k = 0; k < i->volumes.n; k++) {
		struct ec2_rec_volume v;
		status s = ec2_load(ec2_here(c), &ec2_type_volume, i->volumes.v[k].id, &v);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		const struct ec2_rec_attachment *a = ec2_volume_attachment(&v, i->instance_id);
		struct ec2_launch_template_block_device_mapping *m =
			VEC_PUSH(c->arena, &out->block_device_mappings, &capacity);
		m->device_name = i->volumes.v[k].device;
		m->ebs = arena_new(c->arena, struct ec2_launch_template_ebs_block_device);
		*m->ebs = (struct ec2_launch_template_ebs_block_device){.encrypted = v.encrypted,
			.delete_on_termination = a ? a->delete_on_termination : (struct opt_bool){0},
			.iops = str_is(v.volume_type, "gp2") ? (struct opt_i32){0} : v.iops,
			.kms_key_id = v.kms_key_id,
			.snapshot_id = str_empty(v.snapshot_id) ? STR_NONE : v.snapshot_id,
			.volume_size = v.size,
			.volume_type = v.volume_type,
			.throughput = v.throughput};
	}
	return OK;
}

static status add_tags(struct call *c, struct str id, struct ec2_response_launch_template_data *out)
{
	struct ec2_tag_list all = {0}, own = {0};
	size_t capacity = 0, specs = 0;
	TRY(ec2_tags_get(ec2_here(c), id, &all));
	for (size_t k = 0; k < all.n; k++)
		if (!str_istarts(all.v[k].key, STR("aws:"))) *VEC_PUSH(c->arena, &own, &capacity) = all.v[k];
	if (own.n)
		*VEC_PUSH(c->arena, &out->tag_specifications, &specs) =
			(struct ec2_launch_template_tag_specification){.resource_type = STR("instance"), .tags = own};
	return OK;
}

status ec2_get_launch_template_data(struct call *c, const struct ec2_get_launch_template_data_input *in,
	struct ec2_get_launch_template_data_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(ec2_instance_document(c->arena, &i, &shape));
	struct ec2_response_launch_template_data *d = arena_new(c->arena, struct ec2_response_launch_template_data);
	out->launch_template_data = d;
	ec2_copy(c->arena, TABLES, EC2_SHAPE_INSTANCE, &shape, TABLES, EC2_SHAPE_RESPONSE_LAUNCH_TEMPLATE_DATA, d);
	d->block_device_mappings.n = d->network_interfaces.n = d->security_groups.n = 0;
	d->disable_api_termination = SOME_BOOL(i.disable_api_termination.v);
	d->disable_api_stop = SOME_BOOL(i.disable_api_stop.v);
	d->instance_initiated_shutdown_behavior = i.shutdown_behavior;
	if (!str_empty(i.user_data)) d->user_data = str_base64(c->arena, i.user_data);
	d->monitoring = arena_new(c->arena, struct ec2_launch_templates_monitoring);
	d->monitoring->enabled = SOME_BOOL(shape.monitoring && str_is(shape.monitoring->state, "enabled"));
	d->iam_instance_profile = NULL;
	if (str_has(i.profile_arn)) {
		d->iam_instance_profile =
			arena_new(c->arena, struct ec2_launch_template_iam_instance_profile_specification);
		d->iam_instance_profile->arn = i.profile_arn;
	}
	if (str_has(i.credits)) {
		d->credit_specification = arena_new(c->arena, struct ec2_credit_specification);
		d->credit_specification->cpu_credits = i.credits;
	}
	TRY(add_interfaces(c, i.instance_id, d));
	TRY(add_devices(c, &i, d));
	return add_tags(c, i.instance_id, d);
}
