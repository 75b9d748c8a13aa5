/* What the files of the network half share beside room.h. All functions work in the call's transaction and place;
 * status FAILED means that the client's error is recorded. */
#pragma once
#include "services/ec2/vpc.h"

/* ── subnet.c ── */
struct ec2_subnet_make {
	struct str vpc, cidr, ipv6_cidr, zone, zone_id;
	bool default_for_az, ipv6_native;
	const struct ec2_tag_specification_list *tags;
};
status ec2_subnet_make(struct call *c, const struct ec2_subnet_make *m, struct ec2_rec_subnet *out) MUST_USE;

/* ── default_vpc.c ── */
/* An account's default VPC of a region with all that AWS puts there. */
status ec2_default_vpc_make(struct call *c, struct ec2_rec_vpc *vpc) MUST_USE;
/* The default VPC's id; STR_NONE where there is none. */
status ec2_default_vpc(struct ec2_place at, struct str *id) MUST_USE;

/* ── dhcp.c ── */
/* A region's default options. */
status ec2_dhcp_make_default(struct call *c, struct str *id) MUST_USE;

/* ── address_index.c ── which addresses of a subnet are taken, and by which interface. */
status ec2_ip_owner(struct ec2_place at, struct str subnet, struct cidr address, struct str *interface) MUST_USE;
void ec2_ip_set(struct ec2_place at, struct str subnet, struct cidr address, struct str interface);
void ec2_ip_clear(struct ec2_place at, struct str subnet, struct cidr address);
/* How many IPv4 addresses are taken. */
status ec2_ip_count(struct ec2_place at, struct str subnet, uint32_t *n) MUST_USE;
/* A free address of the block; NOT_FOUND where there is none. The first four and the last are AWS's. */
status ec2_ip_choose(struct ec2_place at, struct str subnet, struct cidr block, struct cidr *out) MUST_USE;
bool ec2_ip_is_reserved(struct cidr block, struct cidr address);

/* ── acl.c ── */
status ec2_acl_make(
	struct call *c, const struct ec2_rec_vpc *vpc, bool is_default, struct ec2_rec_network_acl *out) MUST_USE;
/* A new subnet's association with the VPC's default ACL; a subnet that goes; a new IPv6 block. */
status ec2_acl_subnet_added(struct call *c, struct str vpc, struct str subnet) MUST_USE;
status ec2_acl_subnet_gone(struct call *c, struct str subnet) MUST_USE;
status ec2_acl_ipv6_added(struct call *c, struct str vpc) MUST_USE;

/* ── route_table.c ── */
status ec2_route_table_make(
	struct call *c, const struct ec2_rec_vpc *vpc, bool main_, struct ec2_rec_route_table *out) MUST_USE;
/* The VPC's main table. */
status ec2_route_table_main(struct ec2_place at, struct str vpc, struct ec2_rec_route_table *out) MUST_USE;
status ec2_route_table_subnet_gone(struct call *c, struct str subnet) MUST_USE;
/* The table that decides for a subnet (or gateway), explicit or main. */
status ec2_route_table_of(
	struct ec2_place at, struct str vpc, struct str subnet, struct ec2_rec_route_table *out) MUST_USE;
/* The local routes of all of the VPC's tables as its blocks are now. */
status ec2_routes_local(struct call *c, const struct ec2_rec_vpc *vpc) MUST_USE;
/* Puts a route there, replacing one of the same destination. */
void ec2_route_set(struct arena *a, struct ec2_rec_route_table *t, const struct ec2_rec_route *r);
/* Removes routes with this target (gateway endpoints: destination prefix_list too, where given). */
bool ec2_route_drop(struct ec2_rec_route_table *t, struct str target, struct str prefix_list);
struct str ec2_route_target(const struct ec2_rec_route *r);

/* ── security_group.c ── */
status ec2_group_make(struct call *c, struct str vpc, struct str name, struct str description,
	struct ec2_rec_security_group *out) MUST_USE;
status ec2_group_default(struct ec2_place at, struct str vpc, struct str *id) MUST_USE;
/* A rule of this meaning is there already (descriptions do not count). */
ptrdiff_t ec2_rule_find(const struct ec2_rec_security_group *g, const struct ec2_rec_security_rule *r);
/* Adds it: duplicate and limit are checked; its id is made. */
status ec2_rule_add(struct call *c, struct ec2_rec_security_group *g, struct ec2_rec_security_rule *r) MUST_USE;
void ec2_rule_show(struct call *c, const struct ec2_rec_security_group *g, const struct ec2_rec_security_rule *r,
	struct ec2_security_group_rule *out);
/* All VPCs that it holds in are to be computed anew. (security_group_vpc.c) */
status ec2_group_touch(struct call *c, const struct ec2_rec_security_group *g) MUST_USE;
/* Drops groups that went, their rules' index too. */
void ec2_group_drop(struct ec2_place at, const struct ec2_rec_security_group *g);
/* Checks groups for an interface in a VPC: they exist there, at most five. None given: the default group. */
status ec2_groups_for(
	struct call *c, struct str vpc, const struct str *ids, size_t n, struct ec2_rec_strings *out) MUST_USE;

/* ── eni.c ── network interfaces, also for what other services put into a VPC. Of calls of other services the failure
 * is recorded with EC2's code. */
struct ec2_eni_make {
	struct str subnet, description, address; /* address: STR_NONE for any */
	const struct str *groups;                /* n_groups 0: the VPC's default group */
	size_t n_groups;
	const struct str *addresses; /* secondary */
	size_t n_addresses, more;    /* and so many of any */
	const struct str *ipv6;
	size_t n_ipv6, more_ipv6;
	struct str type;         /* STR_NONE: "interface"; "nat_gateway", "vpc_endpoint", "lambda", "efs", … */
	struct str requester_id; /* with it the interface is requester-managed: clients cannot delete or detach it */
	struct str place, kind;  /* host/state.model: Interface */
	struct str token;
	struct str mesh; /* those of one mesh reach each other whatever their groups say; STR_NONE: none */
	const struct ec2_tag_specification_list *tags;
};
status ec2_eni_make(struct call *c, const struct ec2_eni_make *m, struct ec2_rec_eni *out) MUST_USE;
/* It serves that folder, at those access points (host/state.model: Interface). NOT_FOUND. */
status ec2_eni_share(
	struct ec2_place at, struct str eni, struct str folder, const struct str *points, size_t n) MUST_USE;
/* No security group guards it: a Network Load Balancer's that was made without. */
bool ec2_eni_is_open(const struct ec2_rec_eni *e);
/* Whatever its state: addresses, index and Elastic IP associations go too. */
status ec2_eni_drop(struct call *c, struct str id) MUST_USE;
/* Plugs it into a machine or takes it out: records the attachment (instance STR_NONE: a service's own) and where the
 * host puts it. delete_with: goes with the instance. */
struct ec2_eni_attach {
	struct str eni, instance, place, kind;
	int32_t device;
	bool delete_with;
};
status ec2_eni_attach(struct call *c, const struct ec2_eni_attach *how, struct str *attachment) MUST_USE;
status ec2_eni_detach(struct call *c, struct str eni) MUST_USE;
/* A public address that is the interface's while it is attached to a running instance, as at launch ("auto-assign
 * public IP"); and its return. Nothing happens where an Elastic IP is associated with the primary address. */
status ec2_eni_public_give(struct call *c, struct str eni) MUST_USE;
status ec2_eni_public_take(struct call *c, struct str eni) MUST_USE;
/* All interfaces of an instance, by device index. */
struct ec2_enis {
	struct ec2_rec_eni *v;
	size_t n;
};
status ec2_eni_of_instance(struct ec2_place at, struct str instance, struct ec2_enis *out) MUST_USE;
/* One more address of the interface, given or any; the record is not saved. */
status ec2_eni_add_address(
	struct call *c, const struct ec2_rec_subnet *s, struct ec2_rec_eni *e, struct str given) MUST_USE;
status ec2_eni_add_ipv6(
	struct call *c, const struct ec2_rec_subnet *s, struct ec2_rec_eni *e, struct str given) MUST_USE;
status ec2_eni_save(struct call *c, const struct ec2_rec_eni *e) MUST_USE;
/* Secondary addresses of an interface are taken from it. */
status ec2_eni_unassign(struct call *c, struct str eni, const struct str *addresses, size_t n) MUST_USE;
struct str ec2_private_dns_name(struct arena *a, struct str region, struct str address);
struct str ec2_public_dns_name(struct arena *a, struct str region, struct str address);
struct ec2_network_interface_association *ec2_eni_association(
	struct call *c, const struct ec2_item *item, const struct ec2_rec_eni_address *address);
/* Is there any interface that `wanted` says yes to? */
status ec2_eni_any(struct ec2_place at, bool (*wanted)(const struct ec2_rec_eni *e, struct str with), struct str with,
	bool *yes) MUST_USE;

/* ── address.c ── */
/* A public address that nobody holds yet; it is the holder's (eipalloc-…, eni-…) until given back. */
status ec2_public_take(struct ec2_place at, struct str holder, struct str *address) MUST_USE;
void ec2_public_give_back(struct ec2_place at, struct str address);
status ec2_public_owner(struct ec2_place at, struct str address, struct ec2_rec_public_address *out) MUST_USE;
/* Associates an allocation with an interface's private address (STR_NONE: primary), taking it from elsewhere. */
status ec2_address_associate(struct call *c, struct str allocation, struct str eni, struct str private_address,
	bool again, struct str *association) MUST_USE;
/* The interface that has it was plugged into this instance (STR_NONE: taken out). */
status ec2_address_instance(struct call *c, struct str allocation, struct str instance) MUST_USE;
/* The same undone; OK where it is not associated. */
status ec2_address_disassociate(struct call *c, struct str allocation) MUST_USE;

EC2_TYPES_DECLARE(subnet);
EC2_TYPES_DECLARE(route_table);
EC2_TYPES_DECLARE(internet_gateway);
EC2_TYPES_DECLARE(egress_only_gateway);
EC2_TYPES_DECLARE(nat_gateway);
EC2_TYPES_DECLARE(security_group);
EC2_TYPES_DECLARE(security_group_rule);
EC2_TYPES_DECLARE(network_acl);
EC2_TYPES_DECLARE(eni);
EC2_TYPES_DECLARE(address);
EC2_TYPES_DECLARE(dhcp_options);
