/* CreateImage, RegisterImage, CopyImage, DeregisterImage. */
#include "services/ec2/image.h"
#include "services/ec2/instance.h"
#include "services/ec2/machine.h"

#define TABLES (&wire_service_ec2.tables)
static const struct ec2_type *const taggable[] = {&ec2_type_image, &ec2_type_snapshot};

static const struct ec2_block_device_mapping *mapped(
	const struct ec2_block_device_mapping_request_list *l, struct str device)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].device_name, device)) return &l->v[i];
	return NULL;
}

/* One of the instance's volumes as a device of the image: its snapshot, and what the request says of the device. */
static status add_volume(struct call *c, const struct ec2_create_image_input *in, const struct ec2_rec_instance *i,
	size_t at, struct ec2_image *shape, size_t *capacity)
{
	const struct ec2_block_device_mapping *wish = mapped(&in->block_device_mappings, i->volumes.v[at].device);
	struct ec2_rec_volume v;
	struct ec2_rec_snapshot s;
	if (wish && str_has(wish->no_device) && at > 0) return OK;
	TRY(ec2_find(c, &ec2_type_volume, i->volumes.v[at].id, &v));
	TRY(ec2_snapshot_take(c, &v, str_fmt(c->arena, "Created by CreateImage(%.*s)", STR_ARG(i->instance_id)), &s));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_snapshot, s.snapshot_id));
	const struct ec2_rec_attachment *a = ec2_volume_attachment(&v, i->instance_id);
	struct ec2_block_device_mapping *m = VEC_PUSH(c->arena, &shape->block_device_mappings, capacity);
	m->device_name = i->volumes.v[at].device;
	m->ebs = arena_new(c->arena, struct ec2_ebs_block_device);
	*m->ebs = (struct ec2_ebs_block_device){
		.delete_on_termination = SOME_BOOL(at == 0 || (a && a->delete_on_termination.v)),
		.snapshot_id = s.snapshot_id,
		.volume_size = v.size,
		.volume_type = v.volume_type,
		.encrypted = SOME_BOOL(v.encrypted.v)};
	if (!str_is(v.volume_type, "gp2")) {
		m->ebs->iops = v.iops;
		m->ebs->throughput = v.throughput;
	}
	if (!wish || !wish->ebs) return OK;
	if (wish->ebs->volume_size.has) m->ebs->volume_size = wish->ebs->volume_size;
	if (str_has(wish->ebs->volume_type)) m->ebs->volume_type = wish->ebs->volume_type;
	if (wish->ebs->delete_on_termination.has) m->ebs->delete_on_termination = wish->ebs->delete_on_termination;
	return OK;
}

status ec2_create_image(struct call *c, const struct ec2_create_image_input *in, struct ec2_create_image_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shown = {0};
	size_t capacity = 0;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 2));
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	if (i.state.v != EC2_RUNNING && i.state.v != EC2_STOPPED)
		return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
			"The instance '%.*s' is not in a state from which an image can be created.",
			STR_ARG(i.instance_id));
	TRY(ec2_instance_document(c->arena, &i, &shown));
	struct ec2_image shape = {.architecture = shown.architecture,
		.platform_details = STR("Linux/UNIX"),
		.usage_operation = STR("RunInstances"),
		.ena_support = shown.ena_support,
		.sriov_net_support = STR("simple"),
		.hypervisor = STR("xen"),
		.virtualization_type = STR("hvm"),
		.boot_mode = shown.boot_mode,
		.root_device_name = shown.root_device_name,
		.root_device_type = STR("ebs"),
		.source_instance_id = i.instance_id,
		.source_image_id = shown.image_id,
		.source_image_region = c->region};
	for (size_t k = 0; k < i.volumes.n; k++) TRY(add_volume(c, in, &i, k, &shape, &capacity));
	TRY(ec2_image_make(c, in->name, in->description, &shape, i.base, &out->image_id));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_image, out->image_id));
	/* "By default, when Amazon EC2 creates the new AMI, it reboots the instance" (CreateImage). */
	if (i.state.v == EC2_RUNNING && !in->no_reboot.v) {
		i.reboot = SOME_BOOL(true);
		ec2_instance_put(ec2_here(c), &i);
		ec2_job_schedule(ec2_here(c), EC2_JOB_MACHINE, i.instance_id, c->now_ms);
	}
	return OK;
}

status ec2_register_image(
	struct call *c, const struct ec2_register_image_input *in, struct ec2_register_image_output *out)
{
	struct str root = str_or(in->root_device_name, STR("/dev/sda1")), base = EC2_BASE_DEFAULT;
	bool has_root = false;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_has(in->image_location))
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
			"Instance store-backed images (ImageLocation) are not implemented.");
	struct ec2_image shape = {.architecture = str_or(in->architecture, STR("i386")),
		.platform_details = STR("Linux/UNIX"),
		.usage_operation = STR("RunInstances"),
		.ena_support = in->ena_support,
		.sriov_net_support = in->sriov_net_support,
		.hypervisor = STR("xen"),
		.virtualization_type = str_or(in->virtualization_type, STR("paravirtual")),
		.boot_mode = in->boot_mode,
		.tpm_support = in->tpm_support,
		.imds_support = in->imds_support,
		.kernel_id = in->kernel_id,
		.ramdisk_id = in->ramdisk_id,
		.root_device_name = root,
		.root_device_type = STR("ebs")};
	shape.block_device_mappings.v =
		arena_new_n(c->arena, struct ec2_block_device_mapping, in->block_device_mappings.n);
	for (size_t i = 0; i < in->block_device_mappings.n; i++) {
		struct ec2_block_device_mapping m = in->block_device_mappings.v[i];
		if (m.ebs) {
			struct ec2_rec_snapshot s;
			struct str owner;
			struct ec2_volume_plan p = {.type = m.ebs->volume_type,
				.size = m.ebs->volume_size,
				.iops = m.ebs->iops,
				.throughput = m.ebs->throughput,
				.encrypted = m.ebs->encrypted,
				.snapshot = str_empty(m.ebs->snapshot_id) ? STR_NONE : m.ebs->snapshot_id};
			TRY(ec2_volume_plan(c, &p));
			m.ebs = arena_copy(c->arena, m.ebs, sizeof(*m.ebs));
			m.ebs->volume_type = p.type;
			m.ebs->volume_size = p.size;
			if (!m.ebs->delete_on_termination.has) m.ebs->delete_on_termination = SOME_BOOL(true);
			m.ebs->encrypted = SOME_BOOL(p.encrypted.v);
			if (str_eq(m.device_name, root) && str_has(p.snapshot)) {
				TRY(ec2_snapshot_usable(c, c->region, p.snapshot, &s, &owner));
				base = str_or(s.base, EC2_BASE_DEFAULT);
				has_root = true;
			}
		}
		shape.block_device_mappings.v[shape.block_device_mappings.n++] = m;
	}
	if (!has_root)
		return call_fail(c, EC2_ERR_INVALID_BLOCK_DEVICE_MAPPING,
			"No snapshotId specified for root device %.*s", STR_ARG(root));
	TRY(ec2_image_make(c, in->name, in->description, &shape, base, &out->image_id));
	return ec2_tags_specified(c, &in->tag_specifications, &ec2_type_image, out->image_id);
}

/* The snapshots behind the devices, copied into this region. */
static status copy_devices(
	struct call *c, const struct ec2_copy_image_input *in, struct str from_owner, struct ec2_image *shape)
{
	struct ec2_block_device_mapping_list *l = &shape->block_device_mappings;
	for (size_t i = 0; i < l->n; i++) {
		struct ec2_ebs_block_device *e = l->v[i].ebs;
		if (!e || str_empty(e->snapshot_id)) continue;
		struct ec2_copy_snapshot_input copy = {.source_region = in->source_region,
			.source_snapshot_id = e->snapshot_id,
			.encrypted = in->encrypted,
			.kms_key_id = in->kms_key_id,
			.description = str_fmt(c->arena,
				"Copied for DestinationAmi from SourceAmi %.*s for SourceSnapshot %.*s",
				STR_ARG(in->source_image_id), STR_ARG(e->snapshot_id))};
		struct ec2_copy_snapshot_output made = {0};
		TRY(ec2_snapshot_copy(c, &copy, from_owner, &made));
		e->snapshot_id = made.snapshot_id;
		if (in->encrypted.v) e->encrypted = SOME_BOOL(true);
	}
	return OK;
}

status ec2_copy_image(struct call *c, const struct ec2_copy_image_input *in, struct ec2_copy_image_output *out)
{
	struct ec2_image_found from;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 2));
	if (str_empty(in->source_region))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter SourceRegion");
	TRY(ec2_image_find(c, in->source_region, in->source_image_id, &from));
	if (!str_is(from.shape.state, "available"))
		return call_fail(c, EC2_ERR_INVALID_AMIID_UNAVAILABLE, "The image ID '%.*s' is not available",
			STR_ARG(in->source_image_id));
	struct ec2_tag_list tags = from.shape.tags;
	struct ec2_image shape = from.shape;
	shape.source_image_id = from.shape.image_id;
	shape.source_image_region = in->source_region;
	TRY(copy_devices(c, in, from.owner, &shape));
	TRY(ec2_image_make(
		c, in->name, str_or(in->description, from.shape.description), &shape, from.base, &out->image_id));
	if (in->copy_image_tags.v) TRY(ec2_tags_add(c, &ec2_type_image, out->image_id, &tags));
	return ec2_tags_specified(c, &in->tag_specifications, &ec2_type_image, out->image_id);
}

status ec2_image_of_snapshot(struct call *c, struct str snapshot, struct str *image)
{
	*image = STR_NONE;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_image);
	while (!str_has(*image) && ec2_next(&e)) {
		const struct ec2_rec_image *r = e.item.record;
		if (str_find(r->document, snapshot) >= 0) *image = r->image_id;
	}
	return ec2_each_end(&e);
}

status ec2_deregister_image(
	struct call *c, const struct ec2_deregister_image_input *in, struct ec2_deregister_image_output *out)
{
	struct ec2_image_found i;
	size_t capacity = 0;
	TRY(ec2_image_own(c, in->image_id, &i));
	if (i.r.protected.v)
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"The image '%.*s' is protected against deregistration.", STR_ARG(in->image_id));
	bool kept;
	TRY(ec2_recycle(c, &ec2_type_image, in->image_id, &i.r, &kept));
	i.r.permissions.n = 0;
	ec2_share_index(ec2_here(c), in->image_id, &i.r.permissions);
	if (!kept) ec2_drop(ec2_here(c), &ec2_type_image, in->image_id);
	out->return_ = SOME_BOOL(true);
	if (!in->delete_associated_snapshots.v) return OK;
	for (size_t k = 0; k < i.shape.block_device_mappings.n; k++) {
		const struct ec2_ebs_block_device *e = i.shape.block_device_mappings.v[k].ebs;
		struct str other;
		if (!e || str_empty(e->snapshot_id)) continue;
		TRY(ec2_image_of_snapshot(c, e->snapshot_id, &other));
		struct ec2_delete_snapshot_input gone = {.snapshot_id = e->snapshot_id};
		if (!str_has(other)) TRY(ec2_delete_snapshot(c, &gone, NULL));
		*VEC_PUSH(c->arena, &out->delete_snapshot_results, &capacity) =
			(struct ec2_delete_snapshot_return_code){
				e->snapshot_id, str_has(other) ? STR("skipped") : STR("success")};
	}
	return OK;
}
