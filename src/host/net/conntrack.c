/* Flows whose public address has another interface now: their translation is forgotten, so that the next packet takes
 * the new way. (On AWS, too, connections through an Elastic IP end when it moves.) */
#include "host/net/conntrack.h"
#include "base/log.h"
#include "host/net/net.h"
#include "host/netns.h"
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <unistd.h>

struct forget {
	struct net_cidr *gone; /* addresses */
	size_t n;
	struct conntrack flows;
};

void conntrack_forget(struct conntrack *c, const struct nlattr *original)
{
	size_t room = NLMSG_SPACE(sizeof(struct nfgenmsg)) + NLMSG_ALIGN(original->nla_len);
	char *at = buf_reserve(&c->commands, room);
	memset(at, 0, room);
	struct nlmsghdr *d = mnl_nlmsg_put_header(at);
	d->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	d->nlmsg_flags = NLM_F_REQUEST;
	d->nlmsg_seq = ++c->seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(d, sizeof(*g));
	*g = (struct nfgenmsg){.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	memcpy(at + d->nlmsg_len, original, original->nla_len);
	d->nlmsg_len += NLMSG_ALIGN(original->nla_len);
	c->commands.n += d->nlmsg_len;
}

void conntrack_each(struct conntrack *c, int netns, mnl_cb_t on_entry, void *ctx)
{
	char room[NETLINK_ROOM] = "";
	int fd = netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (fd < 0) return;
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++c->seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	*g = (struct nfgenmsg){.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	int verdict = send(fd, h, h->nlmsg_len, 0) < 0 ? -1 : MNL_CB_OK;
	while (verdict > 0) {
		ssize_t n = recv(fd, room, sizeof(room), 0);
		if (n < 0 && errno == EINTR) continue;
		verdict = n <= 0 ? -1 : mnl_cb_run(room, (size_t)n, 0, 0, on_entry, ctx);
	}
	/* One that has ended by itself meanwhile is an error that nobody minds. */
	if (c->commands.n && send(fd, c->commands.p, c->commands.n, 0) < 0)
		log_warn("host", "conntrack", "why=\"%s\"", strerror(errno));
	close(fd);
}

static bool is_gone(const struct forget *f, const struct nlattr *tuple)
{
	struct nlattr *part, *attr;
	MNL_NESTED(part, tuple)
	{
		if (mnl_attr_get_type(part) != CTA_TUPLE_IP) continue;
		MNL_NESTED(attr, part)
		{
			if (mnl_attr_get_payload_len(attr) != 4) continue;
			for (size_t i = 0; i < f->n; i++)
				if (memcmp(f->gone[i].bytes, mnl_attr_get_payload(attr), 4) == 0) return true;
		}
	}
	return false;
}

static int look(const struct nlmsghdr *h, void *ctx)
{
	struct forget *f = ctx;
	const struct nlattr *original = NULL, *zone = NULL;
	bool gone = false;
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(struct nfgenmsg))
	{
		unsigned type = mnl_attr_get_type(attr);
		if (type == CTA_TUPLE_ORIG) original = attr;
		if (type == CTA_ZONE) zone = attr;
		if (type == CTA_TUPLE_ORIG || type == CTA_TUPLE_REPLY) gone = gone || is_gone(f, attr);
	}
	if (gone && original && !zone) conntrack_forget(&f->flows, original);
	return MNL_CB_OK;
}

/* Who had a public address, or "" now? */
static const struct model_interface *holder(
	const struct model *m, const struct net_cidr *public, struct net_cidr *private)
{
	for (size_t i = 0; m && i < m->n_interfaces; i++)
		for (size_t k = 0; k < m->interfaces[i].addresses.n; k++)
			if (net_same(&m->interfaces[i].publics[k], public)) {
				*private = m->interfaces[i].addresses.v[k];
				return &m->interfaces[i];
			}
	return NULL;
}

void net_flows_forget(struct space *router, const struct model *old, const struct model *m)
{
	struct arena a;
	arena_init(&a);
	struct forget f = {.flows.commands = BUF_IN(&a)};
	size_t most = 0;
	for (size_t i = 0; old && i < old->n_interfaces; i++) most += old->interfaces[i].addresses.n;
	f.gone = arena_new_n(&a, struct net_cidr, most);
	for (size_t i = 0; old && i < old->n_interfaces; i++)
		for (size_t k = 0; k < old->interfaces[i].addresses.n; k++) {
			const struct net_cidr *public = &old->interfaces[i].publics[k];
			struct net_cidr now = {0};
			if (!public->family ||
				(holder(m, public, &now) && net_same(&now, &old->interfaces[i].addresses.v[k])))
				continue;
			f.gone[f.n++] = *public;
		}
	if (f.n) conntrack_each(&f.flows, router->netns, look, &f);
	arena_cleanup(&a);
}
