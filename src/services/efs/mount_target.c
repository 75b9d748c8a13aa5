/* Mount targets: a file system's address in a subnet. "Managing mount targets", the guide. */
#include "host/host.h"
#include "services/ec2/door.h"
#include "services/efs/room.h"
#include "wire/shape.h"

static void show(struct call *c, const struct efs_rec_mount_target *t, struct efs_mount_target_description *out)
{
	*out = (struct efs_mount_target_description){0};
	wire_shape_copy(c->arena, &efs_state_tables, EFS_REC_MOUNT_TARGET, t, &wire_service_efs.tables,
		EFS_SHAPE_MOUNT_TARGET_DESCRIPTION, out);
	out->owner_id = c->account;
	out->life_cycle_state = STR("available");
}

/* "You can create only one mount target in each Availability Zone", and all in one VPC. */
static status check_others(struct call *c, const struct efs_rec_file_system *f, const struct ec2_subnet_place *place)
{
	struct efs_all all;
	if (str_has(f->availability_zone_name) && !str_eq(f->availability_zone_name, place->zone))
		return efs_fail(c, EFS_ERR_AVAILABILITY_ZONES_MISMATCH, "AvailabilityZonesMismatch",
			"The file system's Availability Zone is %.*s, the subnet's %.*s.",
			STR_ARG(f->availability_zone_name), STR_ARG(place->zone));
	TRY(efs_all(c, EFS_MOUNT_TARGET, f->file_system_id, &all));
	for (size_t i = 0; i < all.n; i++) {
		const struct efs_rec_mount_target *t = (const struct efs_rec_mount_target *)all.v + i;
		if (!str_eq(t->vpc_id, place->vpc))
			return efs_fail(c, EFS_ERR_MOUNT_TARGET_CONFLICT, "MountTargetConflict",
				"requested subnet for new mount target is not in the same VPC as existing mount "
				"targets");
		if (str_eq(t->availability_zone_name, place->zone))
			return efs_fail(c, EFS_ERR_MOUNT_TARGET_CONFLICT, "MountTargetConflict",
				"mount target already exists in this AZ");
	}
	return OK;
}

static status check_groups(struct call *c, struct str vpc, const struct efs_security_groups *groups)
{
	struct ec2_rec_strings found;
	if (groups->n > 5)
		return efs_fail(c, EFS_ERR_SECURITY_GROUP_LIMIT_EXCEEDED, "SecurityGroupLimitExceeded",
			"The maximum number of security groups per interface has been reached.");
	status s = ec2_groups_for(c, vpc, groups->v, groups->n, &found);
	if (!status_is(s, STATUS_FAILED)) return s;
	return efs_fail(c, EFS_ERR_SECURITY_GROUP_NOT_FOUND, "SecurityGroupNotFound",
		"One of the security groups does not exist in the VPC %.*s.", STR_ARG(vpc));
}

static status make_interface(struct call *c, const struct efs_create_mount_target_input *in,
	const struct efs_rec_file_system *f, struct efs_rec_mount_target *t)
{
	struct ec2_rec_eni e;
	struct str attachment;
	struct ec2_eni_make m = {.subnet = in->subnet_id,
		.description = str_fmt(c->arena, "EFS mount target for %.*s (%.*s)", STR_ARG(f->file_system_id),
			STR_ARG(t->mount_target_id)),
		.address = str_has(in->ip_address) ? in->ip_address : STR_NONE,
		.groups = in->security_groups.v,
		.n_groups = in->security_groups.n,
		.type = STR("efs"),
		.requester_id = STR("amazon-efs")};
	status s = ec2_eni_make(c, &m, &e);
	if (status_is(s, STATUS_FAILED)) {
		struct str why = str_dup(c->arena, c->failure.message);
		if (str_has(in->ip_address) && str_find(why, STR("in use")) >= 0)
			return efs_fail(c, EFS_ERR_IP_ADDRESS_IN_USE, "IpAddressInUse", "%.*s", STR_ARG(why));
		return str_has(in->ip_address) ? EFS_BAD(c, "%.*s", STR_ARG(why))
					       : efs_fail(c, EFS_ERR_NO_FREE_ADDRESSES_IN_SUBNET,
							 "NoFreeAddressesInSubnet", "%.*s", STR_ARG(why));
	}
	TRY(s);
	t->network_interface_id = e.network_interface_id;
	t->ip_address = e.addresses.v[0].private_ip_address;
	return ec2_eni_attach(c,
		&(struct ec2_eni_attach){.eni = e.network_interface_id,
			.place = e.network_interface_id,
			.kind = STR("service"),
			.device = 0},
		&attachment);
}

status efs_create_mount_target(
	struct call *c, const struct efs_create_mount_target_input *in, struct efs_create_mount_target_output *out)
{
	struct efs_rec_file_system f;
	struct ec2_subnet_place place;
	TRY(efs_file_system(c, in->file_system_id, &f));
	if (f.encrypted.v && !f.opened.v && host_available(c->cloud->host))
		return efs_fail(c, EFS_ERR_INCORRECT_FILE_SYSTEM_LIFE_CYCLE_STATE, "IncorrectFileSystemLifeCycleState",
			"None of the file systems are in the available state.");
	if (str_has(in->ipv6_address) || (str_has(in->ip_address_type) && !str_is(in->ip_address_type, "IPV4_ONLY")))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Mount targets with IPv6 addresses are not implemented.");
	status s = ec2_subnet_place(c->tx, c->arena, c->account, c->region, in->subnet_id, &place);
	if (status_is(s, STATUS_NOT_FOUND))
		return efs_fail(c, EFS_ERR_SUBNET_NOT_FOUND, "SubnetNotFound", "The subnet ID '%.*s' does not exist",
			STR_ARG(in->subnet_id));
	TRY(s);
	TRY(check_others(c, &f, &place));
	TRY(check_groups(c, place.vpc, &in->security_groups));
	/* Two at a time would not see each other. */
	TRY(ec2_guard(ec2_here(c), str_fmt(c->arena, "efs/%.*s", STR_ARG(f.file_system_id)), NULL));
	struct efs_rec_mount_target t = {.mount_target_id = ec2_new_id(c->arena, "fsmt-"),
		.file_system_id = f.file_system_id,
		.subnet_id = in->subnet_id,
		.availability_zone_id = place.zone_id,
		.availability_zone_name = place.zone,
		.vpc_id = place.vpc};
	TRY(make_interface(c, in, &f, &t));
	efs_put(c, EFS_MOUNT_TARGET, t.mount_target_id, &t);
	TRY(efs_points_tell(c, f.file_system_id));
	ec2_poke_jobs(c);
	show(c, &t, out);
	out->life_cycle_state = STR("creating");
	return OK;
}

status efs_describe_mount_targets(struct call *c, const struct efs_describe_mount_targets_input *in,
	struct efs_describe_mount_targets_output *out)
{
	struct efs_all all;
	struct efs_rec_file_system f;
	struct efs_rec_access_point p;
	struct efs_rec_mount_target one;
	struct str of = STR_NONE;
	size_t capacity = 0, kept = 0;
	if (str_has(in->file_system_id) + str_has(in->mount_target_id) + str_has(in->access_point_id) != 1)
		return EFS_BAD(c, "Exactly one of FileSystemId, MountTargetId and AccessPointId has to be given.");
	if (str_has(in->file_system_id)) {
		TRY(efs_file_system(c, in->file_system_id, &f));
		of = f.file_system_id;
	} else if (str_has(in->access_point_id)) {
		TRY(efs_access_point(c, in->access_point_id, &p));
		of = p.file_system_id;
	} else {
		TRY(efs_mount_target(c, in->mount_target_id, &one));
		of = one.file_system_id;
	}
	TRY(efs_all(c, EFS_MOUNT_TARGET, of, &all));
	struct efs_rec_mount_target *v = all.v;
	for (size_t i = 0; i < all.n; i++)
		if (!str_has(in->mount_target_id) || str_eq(v[i].mount_target_id, in->mount_target_id))
			v[kept++] = v[i];
	struct str *ids = arena_new_n(c->arena, struct str, kept);
	for (size_t i = 0; i < kept; i++) ids[i] = v[i].mount_target_id;
	struct efs_page page = {.max = in->max_items, .marker = in->marker};
	efs_page(ids, kept, &page);
	VEC_PRESENT(c->arena, &out->mount_targets);
	for (size_t i = 0; i < page.n; i++)
		show(c, &v[page.from + i], VEC_PUSH(c->arena, &out->mount_targets, &capacity));
	out->marker = in->marker;
	out->next_marker = page.next;
	return OK;
}

status efs_delete_mount_target(
	struct call *c, const struct efs_delete_mount_target_input *in, struct efs_delete_mount_target_output *out)
{
	struct efs_rec_mount_target t;
	(void)out;
	TRY(efs_mount_target(c, in->mount_target_id, &t));
	TRY(ec2_eni_drop(c, t.network_interface_id));
	efs_drop(c, EFS_MOUNT_TARGET, t.mount_target_id);
	ec2_poke_jobs(c);
	return OK;
}

/* ── security groups ── */

status efs_describe_mount_target_security_groups(struct call *c,
	const struct efs_describe_mount_target_security_groups_input *in,
	struct efs_describe_mount_target_security_groups_output *out)
{
	struct efs_rec_mount_target t;
	struct ec2_rec_eni e;
	size_t capacity = 0;
	TRY(efs_mount_target(c, in->mount_target_id, &t));
	TRY(ec2_load(ec2_here(c), &ec2_type_eni, t.network_interface_id, &e));
	VEC_PRESENT(c->arena, &out->security_groups);
	for (size_t i = 0; i < e.groups.n; i++) *VEC_PUSH(c->arena, &out->security_groups, &capacity) = e.groups.v[i];
	return OK;
}

status efs_modify_mount_target_security_groups(struct call *c,
	const struct efs_modify_mount_target_security_groups_input *in,
	struct efs_modify_mount_target_security_groups_output *out)
{
	struct efs_rec_mount_target t;
	struct ec2_rec_eni e;
	(void)out;
	TRY(efs_mount_target(c, in->mount_target_id, &t));
	TRY(check_groups(c, t.vpc_id, &in->security_groups));
	TRY(ec2_load(ec2_here(c), &ec2_type_eni, t.network_interface_id, &e));
	TRY(ec2_groups_for(c, t.vpc_id, in->security_groups.v, in->security_groups.n, &e.groups));
	ec2_put(ec2_here(c), &ec2_type_eni, e.network_interface_id, &e);
	TRY(ec2_vpc_touch(ec2_here(c), t.vpc_id));
	ec2_poke_jobs(c);
	return OK;
}
