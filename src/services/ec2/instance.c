/* Instances as they are kept and shown: DescribeInstances. */
#include "services/ec2/capacity.h"
#include "services/ec2/machine.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)

static const char *const filters[] = {"affinity=Placement.Affinity", "architecture",
	"availability-zone=Placement.AvailabilityZone", "availability-zone-id=Placement.AvailabilityZoneId",
	"block-device-mapping.attach-time=BlockDeviceMappings.Ebs.AttachTime",
	"block-device-mapping.delete-on-termination=BlockDeviceMappings.Ebs.DeleteOnTermination",
	"block-device-mapping.device-name=BlockDeviceMappings.DeviceName",
	"block-device-mapping.status=BlockDeviceMappings.Ebs.Status",
	"block-device-mapping.volume-id=BlockDeviceMappings.Ebs.VolumeId", "boot-mode", "capacity-reservation-id",
	"client-token", "current-instance-boot-mode", "dns-name=PublicDnsName", "ebs-optimized", "ena-support",
	"enclave-options.enabled=EnclaveOptions.Enabled",
	"hibernation-options.configured=HibernationOptions.Configured", "host-id=Placement.HostId", "hypervisor",
	"iam-instance-profile.arn=IamInstanceProfile.Arn", "iam-instance-profile.id=IamInstanceProfile.Id", "image-id",
	"instance-id", "instance-lifecycle", "instance-state-code=State.Code", "instance-state-name=State.Name",
	"instance-type", "instance.group-id=SecurityGroups.GroupId", "instance.group-name=SecurityGroups.GroupName",
	"ip-address=PublicIpAddress", "ipv6-address", "kernel-id", "key-name", "launch-index=AmiLaunchIndex",
	"launch-time", "maintenance-options.auto-recovery=MaintenanceOptions.AutoRecovery",
	"metadata-options.http-endpoint=MetadataOptions.HttpEndpoint",
	"metadata-options.http-protocol-ipv6=MetadataOptions.HttpProtocolIpv6",
	"metadata-options.http-put-response-hop-limit=MetadataOptions.HttpPutResponseHopLimit",
	"metadata-options.http-tokens=MetadataOptions.HttpTokens",
	"metadata-options.instance-metadata-tags=MetadataOptions.InstanceMetadataTags",
	"monitoring-state=Monitoring.State",
	"network-interface.addresses.association.ip-owner-id=NetworkInterfaces.PrivateIpAddresses.Association."
	"IpOwnerId",
	"network-interface.addresses.association.public-ip=NetworkInterfaces.PrivateIpAddresses.Association.PublicIp",
	"network-interface.addresses.primary=NetworkInterfaces.PrivateIpAddresses.Primary",
	"network-interface.addresses.private-ip-address=NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress",
	"network-interface.association.public-ip=NetworkInterfaces.Association.PublicIp",
	"network-interface.attachment.attachment-id=NetworkInterfaces.Attachment.AttachmentId",
	"network-interface.attachment.delete-on-termination=NetworkInterfaces.Attachment.DeleteOnTermination",
	"network-interface.attachment.device-index=NetworkInterfaces.Attachment.DeviceIndex",
	"network-interface.attachment.status=NetworkInterfaces.Attachment.Status",
	"network-interface.description=NetworkInterfaces.Description",
	"network-interface.group-id=NetworkInterfaces.Groups.GroupId",
	"network-interface.group-name=NetworkInterfaces.Groups.GroupName",
	"network-interface.ipv6-addresses.ipv6-address=NetworkInterfaces.Ipv6Addresses.Ipv6Address",
	"network-interface.mac-address=NetworkInterfaces.MacAddress",
	"network-interface.network-interface-id=NetworkInterfaces.NetworkInterfaceId",
	"network-interface.owner-id=NetworkInterfaces.OwnerId",
	"network-interface.private-dns-name=NetworkInterfaces.PrivateDnsName",
	"network-interface.private-ip-address=NetworkInterfaces.PrivateIpAddress",
	"network-interface.source-dest-check=NetworkInterfaces.SourceDestCheck",
	"network-interface.status=NetworkInterfaces.Status", "network-interface.subnet-id=NetworkInterfaces.SubnetId",
	"network-interface.vpc-id=NetworkInterfaces.VpcId", "placement-group-name=Placement.GroupName",
	"placement-partition-number=Placement.PartitionNumber", "platform", "platform-details", "private-dns-name",
	"private-ip-address", "product-code=ProductCodes.ProductCodeId", "ramdisk-id", "reason=StateTransitionReason",
	"root-device-name", "root-device-type", "source-dest-check", "spot-instance-request-id",
	"state-reason-code=StateReason.Code", "state-reason-message=StateReason.Message", "subnet-id",
	"tenancy=Placement.Tenancy", "usage-operation", "virtualization-type", "vpc-id",
	/* of the reservation: see reservation_matches */
	"group-id=SecurityGroups.GroupId", "group-name=SecurityGroups.GroupName", "owner-id=InstanceId",
	"requester-id=InstanceId", "reservation-id=InstanceId", NULL};

static status render(struct call *c, const struct ec2_item *item, void *out);

const struct ec2_type ec2_type_instance = {.name = "instance",
	.prefix = "i-",
	.absent = "The instance ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_INSTANCE_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_INSTANCE_ID_MALFORMED,
	.strict_id = true,
	.record = EC2_REC_INSTANCE,
	.shape = EC2_SHAPE_INSTANCE,
	.filters = filters,
	.render = render};

struct str ec2_state_name(int32_t code)
{
	switch (code) {
	case EC2_PENDING:
		return STR("pending");
	case EC2_RUNNING:
		return STR("running");
	case EC2_SHUTTING_DOWN:
		return STR("shutting-down");
	case EC2_TERMINATED:
		return STR("terminated");
	case EC2_STOPPING:
		return STR("stopping");
	default:
		return STR("stopped");
	}
}

struct ec2_instance_state *ec2_state_out(struct arena *a, int32_t code)
{
	struct ec2_instance_state *s = arena_new(a, struct ec2_instance_state);
	s->code = SOME_I32(code);
	s->name = ec2_state_name(code);
	return s;
}

status ec2_instance_document(struct arena *a, const struct ec2_rec_instance *i, struct ec2_instance *out)
{
	return wire_shape_read(a, TABLES, EC2_SHAPE_INSTANCE, i->document, out);
}

struct str ec2_instance_type_of(struct arena *a, const struct ec2_rec_instance *i)
{
	struct ec2_instance shape = {0};
	return is_ok(ec2_instance_document(a, i, &shape)) ? shape.instance_type : STR_NONE;
}

void ec2_instance_document_put(struct arena *a, struct ec2_rec_instance *i, const struct ec2_instance *shape)
{
	i->document = wire_shape_write(a, TABLES, EC2_SHAPE_INSTANCE, shape);
}

void ec2_instance_put(struct ec2_place at, const struct ec2_rec_instance *i)
{
	ec2_put(at, &ec2_type_instance, i->instance_id, i);
}

void ec2_instance_change(struct call *c, const struct ec2_rec_instance *i)
{
	ec2_instance_put(ec2_here(c), i);
	ec2_instance_tell(c, i);
	ec2_job_schedule(ec2_here(c), EC2_JOB_MACHINE, i->instance_id, c->now_ms);
	ec2_poke_jobs(c);
}

status ec2_instances_find(struct call *c, const struct ec2_instance_id_string_list *ids, struct ec2_rec_instance **out)
{
	if (!ids->n)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter InstanceId");
	*out = arena_new_n(c->arena, struct ec2_rec_instance, ids->n);
	for (size_t i = 0; i < ids->n; i++) TRY(ec2_find(c, &ec2_type_instance, ids->v[i], &(*out)[i]));
	return OK;
}

/* ── what is shown ── */

static status show_interfaces(struct call *c, const struct ec2_item *item, struct ec2_instance *out)
{
	struct ec2_enis enis = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->network_interfaces);
	VEC_PRESENT(c->arena, &out->security_groups);
	TRY(ec2_eni_of_instance(item->at, item->id, &enis));
	for (size_t i = 0; i < enis.n; i++) {
		struct ec2_network_interface e = {0};
		TRY(ec2_describe_one(c, &ec2_type_eni, enis.v[i].network_interface_id, &e));
		struct ec2_instance_network_interface *n = VEC_PUSH(c->arena, &out->network_interfaces, &capacity);
		ec2_copy(c->arena, TABLES, EC2_SHAPE_NETWORK_INTERFACE, &e, TABLES,
			EC2_SHAPE_INSTANCE_NETWORK_INTERFACE, n);
		if (i) continue;
		out->private_ip_address = n->private_ip_address;
		out->private_dns_name = n->private_dns_name;
		out->public_ip_address = n->association ? n->association->public_ip : STR_NONE;
		out->public_dns_name = n->association ? str_or(n->association->public_dns_name, STR("")) : STR("");
		out->security_groups = n->groups;
		out->source_dest_check = n->source_dest_check;
		out->vpc_id = n->vpc_id;
		out->subnet_id = n->subnet_id;
		if (n->ipv6_addresses.n) out->ipv6_address = n->ipv6_addresses.v[0].ipv6_address;
	}
	return OK;
}

static status show_volumes(struct call *c, const struct ec2_item *item, struct ec2_instance *out)
{
	const struct ec2_rec_instance *i = item->record;
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->block_device_mappings);
	for (size_t k = 0; k < i->volumes.n; k++) {
		struct ec2_rec_volume v;
		status s = ec2_load(item->at, &ec2_type_volume, i->volumes.v[k].id, &v);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		const struct ec2_rec_attachment *a = ec2_volume_attachment(&v, item->id);
		if (!a) continue;
		struct ec2_instance_block_device_mapping *m =
			VEC_PUSH(c->arena, &out->block_device_mappings, &capacity);
		m->device_name = a->device;
		m->ebs = arena_new(c->arena, struct ec2_ebs_instance_block_device);
		*m->ebs = (struct ec2_ebs_instance_block_device){.attach_time = a->attach_time,
			.delete_on_termination = a->delete_on_termination,
			.status = str_is(a->state, "busy") ? STR("detaching") : a->state,
			.volume_id = v.volume_id};
	}
	return OK;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_instance *i = item->record;
	struct ec2_instance *out = to;
	struct ec2_tag_list tags = out->tags;
	TRY(ec2_instance_document(c->arena, i, out));
	out->tags = tags;
	out->instance_id = i->instance_id;
	out->state = ec2_state_out(c->arena, i->state.v);
	out->launch_time = i->launched;
	out->state_transition_reason = str_or(i->transition_reason, STR(""));
	out->public_dns_name = STR("");
	out->private_dns_name = STR("");
	if (str_has(i->reason_code)) {
		out->state_reason = arena_new(c->arena, struct ec2_state_reason);
		*out->state_reason =
			(struct ec2_state_reason){i->reason_code, str_or(i->reason_message, i->reason_code)};
	} else if (i->state.v == EC2_RUNNING && !ec2_machines_are_real(c->cloud)) {
		out->state_reason = arena_new(c->arena, struct ec2_state_reason);
		*out->state_reason = (struct ec2_state_reason){STR(EC2_SIMULATED_CODE), STR(EC2_SIMULATED_TEXT)};
	}
	if (ec2_capacity_holds(item->at, i->capacity_reservation, i->instance_id))
		out->capacity_reservation_id = i->capacity_reservation;
	/* Of a stopped one only where it will start there again. */
	bool stopped = i->state.v == EC2_STOPPED || i->state.v == EC2_TERMINATED;
	if (out->placement && str_has(i->dedicated_host))
		out->placement->host_id =
			!stopped || str_is(out->placement->affinity, "host") ? i->dedicated_host : STR_NONE;
	if (str_has(i->profile_arn) && !str_is(i->profile_state, "disassociated")) {
		out->iam_instance_profile = arena_new(c->arena, struct ec2_iam_instance_profile);
		*out->iam_instance_profile = (struct ec2_iam_instance_profile){i->profile_arn, i->profile_id};
	}
	TRY(show_volumes(c, item, out));
	if (i->state.v == EC2_TERMINATED) {
		out->vpc_id = out->subnet_id = STR_NONE;
		VEC_PRESENT(c->arena, &out->network_interfaces);
		VEC_PRESENT(c->arena, &out->security_groups);
		return OK;
	}
	return show_interfaces(c, item, out);
}

/* ── DescribeInstances ── */

static bool of_reservation(const struct ec2_filter *f)
{
	return str_is(f->name, "owner-id") || str_is(f->name, "requester-id") || str_is(f->name, "reservation-id");
}

static bool reservation_matches(struct call *c, const struct ec2_filter_list *l, const struct ec2_rec_instance *i)
{
	for (size_t k = 0; k < l->n; k++) {
		const struct ec2_filter *f = &l->v[k];
		if (!of_reservation(f)) continue;
		struct str value = str_is(f->name, "owner-id")         ? c->account
				   : str_is(f->name, "reservation-id") ? i->reservation
								       : str_or(i->requester, STR(""));
		if (!ec2_matches_any(&f->values, value)) return false;
	}
	return true;
}

static struct ec2_reservation *reservation_of(
	struct call *c, struct ec2_reservation_list *l, size_t *capacity, const struct ec2_rec_instance *i)
{
	for (size_t k = l->n; k > 0; k--)
		if (str_eq(l->v[k - 1].reservation_id, i->reservation)) return &l->v[k - 1];
	struct ec2_reservation *r = VEC_PUSH(c->arena, l, capacity);
	r->reservation_id = i->reservation;
	r->owner_id = c->account;
	r->requester_id = i->requester;
	VEC_PRESENT(c->arena, &r->groups);
	return r;
}

static status consider(struct call *c, const struct ec2_item *item, const struct ec2_filter_list *own,
	const struct ec2_filter_list *all, struct ec2_instance_list *out, size_t *capacity)
{
	struct ec2_instance shape = {0};
	if (!reservation_matches(c, all, item->record)) return OK;
	TRY(ec2_tags_get(item->at, item->id, &shape.tags));
	TRY(render(c, item, &shape));
	if (ec2_filters_match(c->arena, EC2_SHAPE_INSTANCE, filters, own, &shape))
		*VEC_PUSH(c->arena, out, capacity) = shape;
	return OK;
}

static status group(struct call *c, const struct ec2_instance_list *l, struct ec2_reservation_list *out)
{
	size_t reservations = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < l->n; i++) {
		struct ec2_rec_instance r;
		TRY(ec2_load(ec2_here(c), &ec2_type_instance, l->v[i].instance_id, &r));
		struct ec2_reservation *to = reservation_of(c, out, &reservations, &r);
		size_t capacity = to->instances.n;
		*VEC_PUSH(c->arena, &to->instances, &capacity) = l->v[i];
	}
	return OK;
}

status ec2_describe_instances(
	struct call *c, const struct ec2_describe_instances_input *in, struct ec2_describe_instances_output *out)
{
	struct ec2_filter_list own = {0};
	struct ec2_instance_list list = {0};
	size_t n = 0, capacity = 0;
	TRY(ec2_filters_check(c, filters, &in->filters));
	for (size_t i = 0; i < in->filters.n; i++)
		if (!of_reservation(&in->filters.v[i])) *VEC_PUSH(c->arena, &own, &n) = in->filters.v[i];
	if (in->instance_ids.n) {
		struct ec2_rec_instance *found;
		if (in->max_results.has)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"The parameter instancesSet cannot be used with the parameter maxResults");
		TRY(ec2_instances_find(c, &in->instance_ids, &found));
		for (size_t i = 0; i < in->instance_ids.n; i++) {
			struct ec2_item item = {ec2_here(c), in->instance_ids.v[i], &found[i]};
			TRY(consider(c, &item, &own, &in->filters, &list, &capacity));
		}
	} else {
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_instance);
		status s = OK;
		while (is_ok(s) && ec2_next(&e)) s = consider(c, &e.item, &own, &in->filters, &list, &capacity);
		status end = ec2_each_end(&e);
		TRY(s);
		TRY(end);
		TRY(ec2_page(c, &list, sizeof(*list.v), in->max_results, in->next_token, &out->next_token));
	}
	return group(c, &list, &out->reservations);
}

status ec2_reservation_show(
	struct call *c, struct str reservation, const struct str *instances, size_t n, struct ec2_reservation *out)
{
	size_t capacity = 0;
	*out = (struct ec2_reservation){.reservation_id = reservation, .owner_id = c->account};
	VEC_PRESENT(c->arena, &out->groups);
	for (size_t i = 0; i < n; i++) {
		struct ec2_instance *shape = VEC_PUSH(c->arena, &out->instances, &capacity);
		TRY(ec2_describe_one(c, &ec2_type_instance, instances[i], shape));
	}
	return OK;
}
