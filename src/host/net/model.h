/* A VPC's intent, checked and resolved: what rules, routes and traces are made from. Nothing of an intent reaches the
 * kernel but through here. All of it lives in the arena that model_read gets, with the intent it points into. */
#pragma once
#include "host/host.h"
#include "host/net/address.h"
#include "host/net/rtnl.h"

/* Marks of packets: the route table that decides in the upper half, the subnet that they entered by in the lower. */
#define MARK_TABLE_SHIFT 16
#define MARK_TABLE_MASK 0xffff0000u
/* Flows that a load balancer sent on: their answers are marked with its number, above all tables'. */
#define MARK_BALANCER(n) (0x80000000u | (n) << MARK_TABLE_SHIFT)

struct model_rule {
	struct str id;   /* a security group's rule; an ACL entry's number as text */
	uint32_t number; /* ACLs */
	bool egress, allow;
	int protocol;         /* -1: all */
	int from, to;         /* -1: any */
	struct net_cidr peer; /* family 0: group or prefix list */
	const struct model_group *group;
	const struct model_list *list;
};
struct model_rules {
	struct model_rule *v; /* ACLs: by number */
	size_t n;
};
struct model_cidrs {
	struct net_cidr *v;
	size_t n;
};
struct model_group {
	struct str id;
	struct model_rules rules;
	struct model_cidrs members; /* addresses of interfaces here, and those told */
	size_t capacity;
	bool balances; /* a load balancer is among its members, which sends under others' addresses */
};
struct model_list {
	struct str id;
	struct model_cidrs cidrs;
};
struct model_acl {
	struct str id;
	struct model_rules rules;
	bool open[2]; /* [egress]: lets everything pass, IPv6 too */
};
struct model_route {
	struct net_cidr to;
	struct str target;
};
struct model_table {
	struct str id;
	uint32_t number; /* of the kernel's tables: the same for the same ids */
	struct model_route *v;
	size_t n, capacity;
};
struct model_subnet {
	struct str id;
	struct net_cidr cidr, ipv6; /* family 0: none */
	const struct model_table *table;
	const struct model_acl *acl;
	uint32_t mark;
	bool down;
};
enum model_kind { MODEL_MACHINE, MODEL_SERVICE, MODEL_NAT };
enum model_internet { MODEL_INTERNET_OPEN, MODEL_INTERNET_OUTWARD, MODEL_INTERNET_GATEWAYS, MODEL_INTERNET_CLOSED };
struct model_interface {
	const struct host_rec_interface *in;
	char link[LINK_NAME]; /* in the router */
	enum model_kind kind;
	enum model_internet internet;
	const struct model_subnet *subnet;
	struct model_cidrs addresses; /* private IPv4, primary first; IPv6; then prefixes */
	struct net_cidr *publics;     /* beside addresses; family 0: none */
	const struct model_group **groups;
	size_t n_groups;
	struct str gate; /* names the chains of its groups */
	bool check, logs_accepted, logs_rejected;
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t balancer; /* the number of a load balancer; 0: it is none */
};
struct model_link {
	struct str id;    /* pcx-, tgw-attach- */
	struct str other; /* vpc-, tgw- */
	char link[LINK_NAME];
	uint32_t mark; /* of what comes from it */
};
struct model {
	const struct host_rec_vpc *in;
	struct model_cidrs cidrs; /* of the VPC, both families */
	struct model_group *groups;
	size_t n_groups;
	struct model_list *lists;
	size_t n_lists;
	struct model_acl *acls;
	size_t n_acls;
	struct model_table *tables;
	size_t n_tables;
	struct model_subnet *subnets;
	size_t n_subnets;
	struct model_interface *interfaces; /* those that are attached */
	size_t n_interfaces;
	struct model_link *peerings, *attachments;
	size_t n_peerings, n_attachments;
	struct model_cidrs own;
	const struct model_table *edge; /* the internet gateway's */
	bool internet;                  /* any gateway to it */
};

/* INVALID with *why, in the arena. intent must live as long as the model. */
status model_read(struct arena *a, const struct host_rec_vpc *intent, struct model *out, struct str *why) MUST_USE;

/* "e" and the id's last characters: a link's name has 15 at most. */
void model_link_name(char prefix, struct str id, char out[LINK_NAME]);
/* Lower-case letters, digits, '-' and '.', a letter first: fit for names of namespaces, chains and files. */
bool model_id_valid(struct str id);
const struct model_interface *model_interface_of(const struct model *m, struct str id);
/* Its IPv6 leaves by an egress-only gateway. */
bool model_egress_only(const struct model_interface *i);
/* Nothing of the family (4, 6) passes between it and the internet. */
bool model_internet_shut(const struct model_interface *i, unsigned family);
/* The NAT gateway of that id. */
const struct model_interface *model_nat(const struct model *m, struct str id);
