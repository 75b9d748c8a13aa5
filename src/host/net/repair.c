/* See repair.h. The kernel's notices say that something changed in a router, not whether it matters: a short while
 * after the last of them all is compared. */
#include "host/net/repair.h"
#include "base/log.h"
#include "host/netns.h"
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define QUIET_MS 50

struct repair {
	struct net *net;
	struct net_vpc *vpc;
	int routes, rules; /* sockets in the router that the kernel tells of changes */
	int timer;
};

static const int route_groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE};

static int listener(int netns, int protocol, const int *groups, size_t n)
{
	int fd = netns_socket(netns, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
	/* One without a port of its own is taken for the kernel, and told nothing. */
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	if (fd >= 0 && bind(fd, (struct sockaddr *)&self, sizeof(self)) != 0) close(fd), fd = -1;
	for (size_t i = 0; fd >= 0 && i < n; i++)
		setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i]));
	return fd;
}

/* True where there was anything, be it that too much was told to be kept. */
static bool drain(int fd)
{
	char room[8192];
	bool any = false;
	for (;;) {
		ssize_t n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
		if (n >= 0)
			any = true;
		else if (errno == ENOBUFS)
			any = true;
		else if (errno != EINTR)
			return any;
	}
}

static void on_notice(void *ctx)
{
	struct repair *r = ctx;
	struct itimerspec soon = {.it_value.tv_nsec = QUIET_MS * 1000000};
	if (drain(r->routes) | drain(r->rules)) timerfd_settime(r->timer, 0, &soon, NULL);
}

static void on_quiet(void *ctx)
{
	struct repair *r = ctx;
	struct net_vpc *v = r->vpc;
	struct net_effect e = {0};
	uint64_t times;
	if (read(r->timer, &times, sizeof(times)) < 0) return;
	bool rules = space_rules_touched(&v->router);
	status s = net_vpc_converge(r->net, v, v->model, rules, &e);
	if (!is_ok(s)) log_warn("host", "repair_failed", "vpc=%.*s", STR_ARG(v->model->in->id));
	if (e.changes) {
		log_info("host", "repaired", "vpc=%.*s changes=%u", STR_ARG(v->model->in->id), e.changes);
		agent_event(r->net->agent, HOST_OP_REPAIRED, STR_NONE);
	}
	repair_settle(r->net, v);
}

void repair_settle(struct net *n, struct net_vpc *v)
{
	static const int rule_groups[] = {NFNLGRP_NFTABLES};
	struct repair *r = v->repair;
	if (!r && str_has(v->router.place)) {
		r = v->repair = mem_new(sizeof(*r));
		*r = (struct repair){n, v, .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
		r->routes = listener(
			v->router.netns, NETLINK_ROUTE, route_groups, sizeof(route_groups) / sizeof(*route_groups));
		r->rules = listener(v->router.netns, NETLINK_NETFILTER, rule_groups, 1);
		if (r->timer < 0 || r->routes < 0 || r->rules < 0) {
			log_warn("host", "not_watched", "vpc=%.*s", STR_ARG(v->model->in->id));
			repair_end(v);
			return;
		}
		agent_watch(n->agent, r->routes, on_notice, r);
		agent_watch(n->agent, r->rules, on_notice, r);
		agent_watch(n->agent, r->timer, on_quiet, r);
	}
	if (!r) return;
	drain(r->routes);
	drain(r->rules);
}

void repair_end(struct net_vpc *v)
{
	struct repair *r = v->repair;
	if (!r) return;
	int fds[] = {r->routes, r->rules, r->timer};
	for (size_t i = 0; i < 3; i++) {
		if (fds[i] < 0) continue;
		agent_unwatch(r->net->agent, fds[i]);
		close(fds[i]);
	}
	free(r);
	v->repair = NULL;
}
