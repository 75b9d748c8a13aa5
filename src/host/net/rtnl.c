/* See rtnl.h: messages out, answers in. */
#include "host/net/rtnl.h"
#include "base/log.h"
#include "base/vec.h"
#include "host/net/mnl.h"
#include "host/net/rtnl_internal.h"
#include "host/netns.h"
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX 1024u
/* Answers of so many messages fit in a socket's receive buffer for sure. */
#define BATCH_MAX 128u

status rtnl_open(int netns, struct rtnl *out)
{
	*out = (struct rtnl){.fd = netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), .seq = 1, .first = 1};
	if (out->fd < 0) return STATUS(IO);
	int yes = 1;
	setsockopt(out->fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof(yes));
	setsockopt(out->fd, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof(yes));
	return OK;
}

void rtnl_close(struct rtnl *r)
{
	if (r->fd >= 0) close(r->fd);
	r->fd = -1;
	buf_cleanup(&r->out);
}

static void send_out(struct rtnl *r);

struct nlmsghdr *rtnl_message(struct rtnl *r, uint16_t type, uint16_t flags)
{
	if (r->pending >= BATCH_MAX) send_out(r);
	char *at = buf_reserve(&r->out, MESSAGE_MAX);
	memset(at, 0, MESSAGE_MAX);
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = r->seq++;
	return h;
}

void rtnl_done(struct rtnl *r, const struct nlmsghdr *h)
{
	INVARIANT(h->nlmsg_len <= MESSAGE_MAX);
	r->out.n += NLMSG_ALIGN(h->nlmsg_len);
	r->pending++;
	r->changes++;
}

/* A deletion of what is gone already (with its link) is no failure, nor is the making of what stands. */
static bool is_failure(int error)
{
	return error != 0 && error != -ESRCH && error != -ENOENT && error != -EEXIST && error != -EADDRNOTAVAIL &&
	       error != -ENODEV;
}

static void send_out(struct rtnl *r)
{
	if (!r->pending) return;
	unsigned left = r->pending;
	ssize_t sent = send(r->fd, r->out.p, r->out.n, 0);
	r->pending = 0;
	if (sent != (ssize_t)r->out.n) {
		r->failed = STATUS(IO);
		r->out.n = 0;
		return;
	}
	r->out.n = 0;
	char room[16384];
	while (left > 0) {
		ssize_t n = recv(r->fd, room, sizeof(room), 0);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) {
			r->failed = STATUS(IO);
			return;
		}
		int size = (int)n;
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)room; mnl_nlmsg_ok(h, size);
			h = mnl_nlmsg_next(h, &size)) {
			if (h->nlmsg_type != NLMSG_ERROR) continue;
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
			left--;
			if (!is_failure(e->error)) continue;
			log_warn("host", "rtnetlink", "type=%u message=%u why=\"%s\"", e->msg.nlmsg_type,
				e->msg.nlmsg_seq - r->first, strerror(-e->error));
			r->failed = STATUS(IO);
		}
	}
}

status rtnl_flush(struct rtnl *r)
{
	send_out(r);
	status s = r->failed;
	r->failed = OK;
	r->first = r->seq;
	return s;
}

status rtnl_dump(
	struct rtnl *r, uint16_t type, uint8_t family, int (*each)(const struct nlmsghdr *h, void *ctx), void *ctx)
{
	TRY(rtnl_flush(r));
	char room[NETLINK_ROOM];
	memset(room, 0, 256);
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = r->seq++;
	/* The heads differ in length; all begin with the family. */
	size_t head = type == RTM_GETLINK   ? sizeof(struct ifinfomsg)
		      : type == RTM_GETADDR ? sizeof(struct ifaddrmsg)
					    : sizeof(struct rtmsg);
	*(uint8_t *)mnl_nlmsg_put_extra_header(h, head) = family;
	/* They are most of what a link tells, and are added up over all processors. */
	if (type == RTM_GETLINK) mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (send(r->fd, h, h->nlmsg_len, 0) < 0) return STATUS(IO);
	for (;;) {
		ssize_t n = recv(r->fd, room, sizeof(room), 0);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return STATUS(IO);
		int verdict = mnl_cb_run(room, (size_t)n, 0, 0, each, ctx);
		if (verdict < 0) return STATUS(IO);
		if (verdict == MNL_CB_STOP) return OK;
	}
}

/* ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct ifinfomsg *link_head(struct nlmsghdr *h, bool up)
{
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	i->ifi_family = AF_UNSPEC;
	if (up) i->ifi_flags = i->ifi_change = IFF_UP;
	return i;
}

void rtnl_veth(struct rtnl *r, const struct rtnl_end *here, const struct rtnl_end *there, uint32_t mtu)
{
	struct nlmsghdr *h = rtnl_message(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	link_head(h, true);
	mnl_attr_put_strz(h, IFLA_IFNAME, here->name);
	mnl_attr_put(h, IFLA_ADDRESS, 6, here->mac);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA), *peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
	link_head(h, false); /* it cannot come up before it knows its peer */
	mnl_attr_put_strz(h, IFLA_IFNAME, there->name);
	mnl_attr_put(h, IFLA_ADDRESS, 6, there->mac);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)there->netns);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	rtnl_done(r, h);
}

void rtnl_alias(struct rtnl *r, const char *name, struct str alias)
{
	struct nlmsghdr *h = rtnl_message(r, RTM_SETLINK, 0);
	link_head(h, false);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put(h, IFLA_IFALIAS, alias.n, alias.p);
	rtnl_done(r, h);
}

void rtnl_link_delete(struct rtnl *r, const char *name)
{
	struct nlmsghdr *h = rtnl_message(r, RTM_DELLINK, 0);
	link_head(h, false);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	rtnl_done(r, h);
}

void rtnl_link_up(struct rtnl *r, const char *name, bool up)
{
	struct nlmsghdr *h = rtnl_message(r, RTM_SETLINK, 0);
	struct ifinfomsg *i = link_head(h, up);
	i->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	rtnl_done(r, h);
}

void rtnl_proxy_at_once(struct rtnl *r, unsigned index)
{
	struct nlmsghdr *h = rtnl_message(r, RTM_SETNEIGHTBL, 0);
	struct ndtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ndtm_family = AF_INET;
	mnl_attr_put_strz(h, NDTA_NAME, "arp_cache");
	struct nlattr *parms = mnl_attr_nest_start(h, NDTA_PARMS);
	mnl_attr_put_u32(h, NDTPA_IFINDEX, index);
	mnl_attr_put_u64(h, NDTPA_PROXY_DELAY, 0);
	mnl_attr_nest_end(h, parms);
	rtnl_done(r, h);
}

struct gather_links {
	struct arena *a;
	struct rtnl_links *out;
	size_t capacity;
};

static int gather_link(const struct nlmsghdr *h, void *ctx)
{
	struct gather_links *g = ctx;
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	struct rtnl_link *l = VEC_PUSH(g->a, g->out, &g->capacity);
	l->index = (unsigned)i->ifi_index;
	l->up = i->ifi_flags & IFF_UP;
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(*i))
	{
		const void *p = mnl_attr_get_payload(attr);
		size_t n = mnl_attr_get_payload_len(attr);
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			memcpy(l->name, p, n < LINK_NAME ? n : LINK_NAME - 1);
			break;
		case IFLA_MTU:
			l->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_ADDRESS:
			if (n == 6) memcpy(l->mac, p, 6);
			break;
		case IFLA_IFALIAS:
			l->alias = str_dup(g->a, str_c(p));
			break;
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

status rtnl_links(struct rtnl *r, struct arena *a, struct rtnl_links *out)
{
	*out = (struct rtnl_links){0};
	struct gather_links g = {a, out, 0};
	return rtnl_dump(r, RTM_GETLINK, AF_UNSPEC, gather_link, &g);
}

const struct rtnl_link *rtnl_find(const struct rtnl_links *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].name, name) == 0) return &l->v[i];
	return NULL;
}
