/* Interfaces: addresses, routes, and lo, by rtnetlink(7). An interface is known by its hardware address, and gets the
 * name ethN; what is already as it should be is left alone. */
#include "host/compute/init/init.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr head;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
	} u;
	char room[256];
};

static void put(struct request *r, unsigned short type, const void *p, size_t n)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));
	a->rta_type = type, a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), p, n);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + (uint32_t)RTA_SPACE(n);
}

/* 0, or the error that the kernel tells. */
static int ask(struct request *r)
{
	char answer[1024];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	r->head.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	ssize_t n = fd < 0 ? -1 : send(fd, r, r->head.nlmsg_len, 0);
	if (n >= 0) n = recv(fd, answer, sizeof(answer), 0);
	if (fd >= 0) close(fd);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr))) return EIO;
	struct nlmsgerr e;
	memcpy(&e, answer + NLMSG_HDRLEN, sizeof(e));
	return -e.error;
}

static int set_link(int index, int mtu, const char *name, bool up)
{
	struct request r = {.head = {.nlmsg_type = RTM_NEWLINK, .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg))}};
	r.u.link.ifi_index = index;
	if (up) r.u.link.ifi_flags = r.u.link.ifi_change = IFF_UP;
	uint32_t m = (uint32_t)mtu;
	if (mtu > 0) put(&r, IFLA_MTU, &m, sizeof(m));
	if (name) put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	return ask(&r);
}

/* "10.0.1.5" or "fd00::1", and "/24" where there is one. */
static int read_address(struct str s, unsigned char out[16], int *prefix)
{
	char text[64];
	struct str host = str_cut(&s, '/');
	int64_t bits = -1;
	snprintf(text, sizeof(text), "%.*s", STR_ARG(host));
	if (str_has(s) && !is_ok(str_to_i64(s, &bits))) return -1;
	*prefix = (int)bits;
	if (inet_pton(AF_INET, text, out) == 1) return AF_INET;
	return inet_pton(AF_INET6, text, out) == 1 ? AF_INET6 : -1;
}

static void add_addresses(struct init *in, int index, struct str list)
{
	while (str_has(list)) {
		struct str text = str_cut(&list, ',');
		unsigned char bytes[16];
		int prefix, family = text.n ? read_address(text, bytes, &prefix) : -1;
		if (family < 0) continue;
		size_t n = family == AF_INET ? 4 : 16;
		struct request r = {.head = {.nlmsg_type = RTM_NEWADDR,
					    .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE,
					    .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg))}};
		r.u.address.ifa_family = (unsigned char)family;
		r.u.address.ifa_prefixlen = (unsigned char)(prefix >= 0 ? prefix : (int)n * 8);
		/* The VPC knows whose address it is: nothing to find out by asking around. */
		if (family == AF_INET6) r.u.address.ifa_flags = IFA_F_NODAD;
		r.u.address.ifa_index = (uint32_t)index;
		put(&r, IFA_LOCAL, bytes, n), put(&r, IFA_ADDRESS, bytes, n);
		int e = ask(&r);
		if (e && e != EEXIST) console_say(in, "address %.*s: %s", STR_ARG(text), strerror(e));
	}
}

/* The first interface's route wins, as DHCP's metrics make it on EC2. */
static void add_route(struct init *in, const struct nic *c, int index, struct str gateway)
{
	unsigned char bytes[16];
	int prefix, family = gateway.n ? read_address(gateway, bytes, &prefix) : -1;
	if (family < 0) return;
	uint32_t oif = (uint32_t)index, metric = (uint32_t)(c->device ? 512 + c->device : 0);
	struct request r = {.head = {.nlmsg_type = RTM_NEWROUTE,
				    .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE,
				    .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg))}};
	r.u.route = (struct rtmsg){.rtm_family = (unsigned char)family,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = RTNH_F_ONLINK};
	put(&r, RTA_GATEWAY, bytes, family == AF_INET ? 4 : 16);
	put(&r, RTA_OIF, &oif, sizeof(oif));
	if (metric) put(&r, RTA_PRIORITY, &metric, sizeof(metric));
	int e = ask(&r);
	if (e && e != EEXIST) console_say(in, "gateway %.*s: %s", STR_ARG(gateway), strerror(e));
}

/* Index and name of the interface with that hardware address; 0. */
static int find_link(struct str mac, char name[IF_NAMESIZE])
{
	struct if_nameindex *all = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), found = 0;
	for (struct if_nameindex *i = all; i && i->if_index && !found; i++) {
		struct ifreq r = {0};
		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", i->if_name);
		if (ioctl(fd, SIOCGIFHWADDR, &r) != 0) continue;
		unsigned char *h = (unsigned char *)r.ifr_hwaddr.sa_data;
		char text[20];
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", h[0], h[1], h[2], h[3], h[4], h[5]);
		if (!str_ieq(mac, str_c(text))) continue;
		found = (int)i->if_index;
		snprintf(name, IF_NAMESIZE, "%s", i->if_name);
	}
	if (all) if_freenameindex(all);
	if (fd >= 0) close(fd);
	return found;
}

void net_begin(struct init *in)
{
	set_link(1, 0, NULL, true); /* lo is always the first */
	for (size_t i = 0; i < in->config.n_nics; i++) in->config.nics[i].up = false;
	if (in->netlink >= 0) return;
	struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	in->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (in->netlink >= 0) (void)!bind(in->netlink, (struct sockaddr *)&at, sizeof(at));
}

void net_changed(struct init *in)
{
	char events[8192];
	while (recv(in->netlink, events, sizeof(events), MSG_DONTWAIT) > 0) continue;
	for (size_t i = 0; i < in->config.n_nics; i++) {
		struct nic *c = &in->config.nics[i];
		char name[IF_NAMESIZE], wanted[IF_NAMESIZE];
		int index = find_link(c->mac, name);
		if (!index) c->up = false;
		if (!index || c->up) continue;
		c->up = true;
		snprintf(wanted, sizeof(wanted), "eth%d", c->device);
		if (strcmp(name, wanted) != 0) set_link(index, 0, wanted, false);
		set_link(index, c->mtu, NULL, true);
		add_addresses(in, index, c->addresses);
		add_addresses(in, index, c->addresses6);
		add_route(in, c, index, c->gateway);
		add_route(in, c, index, c->gateway6);
		console_say(in, "%s: %.*s", wanted, STR_ARG(c->addresses));
	}
}

bool net_complete(const struct init *in)
{
	for (size_t i = 0; i < in->config.n_nics; i++)
		if (!in->config.nics[i].up) return false;
	return true;
}
