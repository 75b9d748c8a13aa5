/* Block devices of new instances: the image's, changed and added to by the request's ("Block device mappings for
 * volumes on Amazon EC2 instances", the guide). */
#include "services/ec2/instance.h"

static struct ec2_device *find(struct ec2_run_plan *p, struct str name)
{
	for (size_t i = 0; i < p->n_devices; i++)
		if (str_eq(p->devices[i].name, name)) return &p->devices[i];
	return NULL;
}

static void take(struct ec2_volume_plan *v, const struct ec2_ebs_block_device *e)
{
	bool other_type = str_has(e->volume_type) && !str_eq(e->volume_type, v->type);
	if (other_type) {
		v->type = e->volume_type;
		v->iops.has = v->throughput.has = false;
	}
	if (e->volume_size.has) v->size = e->volume_size;
	if (e->iops.has) v->iops = e->iops;
	if (e->throughput.has) v->throughput = e->throughput;
	if (e->encrypted.has) v->encrypted = e->encrypted;
	if (str_has(e->kms_key_id)) v->kms_key = e->kms_key_id;
}

static struct ec2_device *add(struct call *c, struct ec2_run_plan *p, size_t *capacity, struct str name)
{
	struct {
		struct ec2_device *v;
		size_t n;
	} list = {p->devices, p->n_devices};
	struct ec2_device *d = VEC_PUSH(c->arena, &list, capacity);
	p->devices = list.v;
	p->n_devices = list.n;
	d->name = name;
	return d;
}

static status from_image(struct call *c, struct ec2_run_plan *p, size_t *capacity)
{
	const struct ec2_image *i = &p->image.shape;
	for (size_t k = 0; k < i->block_device_mappings.n; k++) {
		const struct ec2_block_device_mapping *m = &i->block_device_mappings.v[k];
		if (!m->ebs) continue;
		struct ec2_device *d = add(c, p, capacity, m->device_name);
		d->root = str_eq(m->device_name, i->root_device_name);
		d->delete_with = m->ebs->delete_on_termination.has ? m->ebs->delete_on_termination.v : true;
		take(&d->plan, m->ebs);
		if (d->root) d->plan.base = p->image.base;
		if (str_empty(m->ebs->snapshot_id)) continue;
		d->plan.snapshot = m->ebs->snapshot_id;
		d->plan.from_owner = p->image.owner;
	}
	return OK;
}

static status from_request(struct call *c, struct ec2_run_plan *p, size_t *capacity)
{
	const struct ec2_block_device_mapping_request_list *l = &p->in.block_device_mappings;
	for (size_t i = 0; i < l->n; i++) {
		const struct ec2_block_device_mapping *m = &l->v[i];
		if (str_empty(m->device_name))
			return call_fail(c, EC2_ERR_MISSING_PARAMETER,
				"The request must contain the parameter BlockDeviceMapping.DeviceName");
		for (size_t k = 0; k < i; k++)
			if (str_eq(l->v[k].device_name, m->device_name))
				return call_fail(c, EC2_ERR_INVALID_BLOCK_DEVICE_MAPPING,
					"The device '%.*s' is used in more than one block-device mapping",
					STR_ARG(m->device_name));
		struct ec2_device *d = find(p, m->device_name);
		if (str_has(m->no_device)) {
			if (!d) continue;
			if (d->root)
				return call_fail(
					c, EC2_ERR_INVALID_BLOCK_DEVICE_MAPPING, "The root device cannot be left out.");
			*d = p->devices[--p->n_devices];
			continue;
		}
		/* Instance store: the types' disks are not there, as on types without. */
		if (str_has(m->virtual_name) || !m->ebs) continue;
		TRY(ec2_device_check(c, m->device_name));
		if (d && d->root && str_has(m->ebs->snapshot_id) && !str_eq(m->ebs->snapshot_id, d->plan.snapshot))
			return call_fail(c, EC2_ERR_INVALID_BLOCK_DEVICE_MAPPING,
				"snapshotId cannot be modified on root device");
		if (!d) {
			d = add(c, p, capacity, m->device_name);
			d->delete_with = true;
			if (!str_empty(m->ebs->snapshot_id)) d->plan.snapshot = m->ebs->snapshot_id;
		}
		if (m->ebs->delete_on_termination.has) d->delete_with = m->ebs->delete_on_termination.v;
		take(&d->plan, m->ebs);
	}
	return OK;
}

status ec2_run_devices(struct call *c, struct ec2_run_plan *p)
{
	size_t capacity = 0;
	TRY(from_image(c, p, &capacity));
	TRY(from_request(c, p, &capacity));
	for (size_t i = 0; i < p->n_devices; i++) {
		struct ec2_device *d = &p->devices[i];
		int32_t least = d->root && !str_has(d->plan.snapshot) ? 8 : 0;
		if (d->plan.size.has && d->plan.size.v < least)
			return call_fail(c, EC2_ERR_INVALID_BLOCK_DEVICE_MAPPING,
				"Volume of size %dGB is smaller than snapshot of the image, expect size>= %dGB",
				d->plan.size.v, least);
		d->plan.zone = p->subnet.availability_zone;
		d->plan.zone_id = p->subnet.availability_zone_id;
		TRY(ec2_volume_plan(c, &d->plan));
		if (d->plan.encrypted.v) TRY(ec2_crypt_possible(c));
		/* The root device is the first. */
		if (d->root && i > 0) {
			struct ec2_device root = *d;
			*d = p->devices[0];
			p->devices[0] = root;
		}
	}
	return OK;
}
