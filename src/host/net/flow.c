/* See flow.h. Accepted traffic is what conntrack counted: asked for at each collection (which sets the counters back),
 * and told by the kernel when a flow ends. Refused packets come by NFLOG. A conntrack entry tells two interfaces'
 * story: the one that sent first (its source) and the one that answered (the source of the answer, behind any
 * translation). */
#include "host/net/flow.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "clock/clock.h"
#include "host/net/mnl.h"
#include "host/net/rules.h"
#include "host/netns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many are kept until they are asked for; then they are told at once. */
#define KEPT_MAX 4096u
/* The kernel gathers refused packets for so long (in 1/100 s; by itself it takes a second). */
#define LOG_DELAY 10u
#define HEAD_BYTES 64u /* of a refused packet, for addresses and ports */

struct flow {
	struct net *net;
	struct net_vpc *vpc;
	int accepted, refused, ask; /* sockets; -1: not listened to */
	uint32_t seq;
	int64_t since_us;      /* the last collection */
	struct map by_address; /* net_cidr ─▶ model_interface, of those that log */
	struct arena kept_arena;
	struct host_rec_flow_list kept;
	size_t capacity;
};

/* One direction of a conntrack entry, or a packet. */
struct tuple {
	struct net_cidr source, destination;
	uint16_t source_port, destination_port;
	uint8_t protocol;
};
struct count {
	uint64_t packets, bytes;
};

/* ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void forget(struct flow *f)
{
	arena_cleanup(&f->kept_arena);
	arena_init(&f->kept_arena);
	f->kept = (struct host_rec_flow_list){0};
	f->capacity = 0;
}

static void date(struct host_rec_flow_list *l)
{
	int64_t now_ms = clock_monotonic_us() / 1000;
	for (size_t i = 0; i < l->n; i++) {
		l->v[i].first_ago = SOME_I64(now_ms - l->v[i].first_ago.v);
		l->v[i].last_ago = SOME_I64(now_ms - l->v[i].last_ago.v);
	}
}

static void keep(struct flow *f, const struct model_interface *i, const struct tuple *t, struct count c,
	int64_t first_us, bool egress, struct str refused_by)
{
	struct arena *a = &f->kept_arena;
	if (c.packets == 0) return;
	if (f->kept.n >= KEPT_MAX) {
		struct host_rec_flows all = {.flows = f->kept};
		date(&all.flows);
		agent_event(f->net->agent, HOST_OP_FLOWS, host_rec_flows_encode(a, &all));
		forget(f);
	}
	struct host_rec_flow *r = VEC_PUSH(a, &f->kept, &f->capacity);
	*r = (struct host_rec_flow){.interface = str_dup(a, i->in->id),
		.source = net_address_text(a, &t->source),
		.destination = net_address_text(a, &t->destination),
		.source_port = SOME_I32(t->source_port),
		.destination_port = SOME_I32(t->destination_port),
		.protocol = SOME_I32(t->protocol),
		.packets = SOME_I64((int64_t)c.packets),
		.bytes = SOME_I64((int64_t)c.bytes),
		.first_ago = SOME_I64(first_us / 1000), /* a time until it is told: date() */
		.last_ago = SOME_I64(clock_monotonic_us() / 1000),
		.accepted = SOME_BOOL(!str_has(refused_by)),
		.egress = SOME_BOOL(egress),
		.vpc = str_dup(a, f->vpc->model->in->id),
		.by = str_dup(a, refused_by)};
}

static const struct model_interface *interface_at(const struct flow *f, const struct net_cidr *address)
{
	return map_get(&f->by_address, str_n(address, sizeof(*address)));
}

static struct tuple turned(const struct tuple *t)
{
	return (struct tuple){t->destination, t->source, t->destination_port, t->source_port, t->protocol};
}

/* ── accepted: conntrack ─────────────────────────────────────────────────────────────────────────────────────────── */

static void read_tuple(const struct nlattr *nest, struct tuple *t)
{
	struct nlattr *part, *attr;
	MNL_NESTED(part, nest)
	{
		bool is_ip = mnl_attr_get_type(part) == CTA_TUPLE_IP;
		MNL_NESTED(attr, part)
		{
			unsigned type = mnl_attr_get_type(attr), n = mnl_attr_get_payload_len(attr);
			const void *p = mnl_attr_get_payload(attr);
			if (is_ip && (n == 4 || n == 16)) {
				bool source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
				struct net_cidr *c = source ? &t->source : &t->destination;
				*c = (struct net_cidr){.family = n == 4 ? 4 : 6, .length = (uint8_t)(n * 8)};
				memcpy(c->bytes, p, n);
			} else if (!is_ip && type == CTA_PROTO_NUM)
				t->protocol = mnl_attr_get_u8(attr);
			else if (!is_ip && type == CTA_PROTO_SRC_PORT)
				t->source_port = ntohs(mnl_attr_get_u16(attr));
			else if (!is_ip && type == CTA_PROTO_DST_PORT)
				t->destination_port = ntohs(mnl_attr_get_u16(attr));
		}
	}
}

static uint64_t big_endian(const struct nlattr *attr)
{
	const unsigned char *p = mnl_attr_get_payload(attr);
	uint64_t v = 0;
	for (unsigned i = 0; i < mnl_attr_get_payload_len(attr) && i < 8; i++) v = v << 8 | p[i];
	return v;
}

static struct count read_count(const struct nlattr *nest)
{
	struct count c = {0};
	struct nlattr *attr;
	MNL_NESTED(attr, nest)
	{
		if (mnl_attr_get_type(attr) == CTA_COUNTERS_PACKETS) c.packets = big_endian(attr);
		if (mnl_attr_get_type(attr) == CTA_COUNTERS_BYTES) c.bytes = big_endian(attr);
	}
	return c;
}

static int64_t read_duration_us(const struct nlattr *nest)
{
	uint64_t start = 0, stop = 0;
	struct nlattr *attr;
	MNL_NESTED(attr, nest)
	{
		if (mnl_attr_get_type(attr) == CTA_TIMESTAMP_START) start = big_endian(attr);
		if (mnl_attr_get_type(attr) == CTA_TIMESTAMP_STOP) stop = big_endian(attr);
	}
	return stop > start ? (int64_t)((stop - start) / 1000) : 0;
}

static const struct model_interface *balancer_of(const struct flow *f, uint32_t mark)
{
	const struct model *m = f->vpc->model;
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (m->interfaces[i].balancer && MARK_BALANCER(m->interfaces[i].balancer) == mark)
			return &m->interfaces[i];
	return NULL;
}

static int on_entry(const struct nlmsghdr *h, void *ctx)
{
	struct flow *f = ctx;
	struct tuple out = {0}, back = {0};
	struct count sent = {0}, answered = {0};
	int64_t duration_us = 0;
	uint32_t mark = 0;
	struct nlattr *attr;
	if (h->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK) return MNL_CB_OK;
	MNL_ATTRS(attr, h, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_ORIG:
			read_tuple(attr, &out);
			break;
		case CTA_TUPLE_REPLY:
			read_tuple(attr, &back);
			break;
		case CTA_COUNTERS_ORIG:
			sent = read_count(attr);
			break;
		case CTA_COUNTERS_REPLY:
			answered = read_count(attr);
			break;
		case CTA_MARK:
			mark = ntohl(mnl_attr_get_u32(attr));
			break;
		case CTA_TIMESTAMP:
			duration_us = read_duration_us(attr);
			break;
		default:
			break;
		}
	}
	int64_t first_us = duration_us ? clock_monotonic_us() - duration_us : 0;
	if (first_us < f->since_us) first_us = f->since_us;
	const struct model_interface *asker = interface_at(f, &out.source), *answerer = interface_at(f, &back.source);
	/* Sent on by a load balancer: its own flow, not the client's, whose address it has. */
	if (mark) asker = balancer_of(f, mark);
	struct tuple in = turned(&out);
	if (asker && asker->logs_accepted) {
		keep(f, asker, &out, sent, first_us, true, STR_NONE);
		keep(f, asker, &in, answered, first_us, false, STR_NONE);
	}
	/* It sees the asker's address as it came, and its own behind any translation. */
	struct tuple to = {out.source, back.source, out.source_port, back.source_port, out.protocol},
		     from = turned(&to);
	if (answerer && answerer->logs_accepted) {
		keep(f, answerer, &to, sent, first_us, false, STR_NONE);
		keep(f, answerer, &from, answered, first_us, true, STR_NONE);
	}
	return MNL_CB_OK;
}

static void read_all(struct flow *f, int fd, int (*each)(const struct nlmsghdr *h, void *ctx))
{
	char room[NETLINK_ROOM];
	for (;;) {
		ssize_t n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == ENOBUFS) {
			log_warn("host", "flows_lost", "vpc=%.*s", STR_ARG(f->vpc->model->in->id));
			continue;
		}
		if (n <= 0) return;
		mnl_cb_run(room, (size_t)n, 0, 0, each, f);
	}
}

static void on_accepted(void *ctx)
{
	read_all(ctx, ((struct flow *)ctx)->accepted, on_entry);
}

/* All that is counted by now, and the counters back to 0. */
static void ask_all(struct flow *f, uint8_t family)
{
	char room[NETLINK_ROOM] = "";
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_CTRZERO;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++f->seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	*g = (struct nfgenmsg){.nfgen_family = family, .version = NFNETLINK_V0};
	int verdict = send(f->ask, h, h->nlmsg_len, 0) < 0 ? -1 : MNL_CB_OK;
	while (verdict > 0) {
		ssize_t n = recv(f->ask, room, sizeof(room), 0);
		if (n < 0 && errno == EINTR) continue;
		verdict = n <= 0 ? -1 : mnl_cb_run(room, (size_t)n, 0, 0, on_entry, f);
	}
}

/* ── refused: NFLOG ──────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_packet(const unsigned char *p, size_t n, struct tuple *t, uint64_t *bytes)
{
	size_t head = 0;
	if (n >= 20 && p[0] >> 4 == 4) {
		head = (p[0] & 15u) * 4u;
		t->protocol = p[9];
		*bytes = (uint64_t)p[2] << 8 | p[3];
		t->source = t->destination = (struct net_cidr){.family = 4, .length = 32};
		memcpy(t->source.bytes, p + 12, 4);
		memcpy(t->destination.bytes, p + 16, 4);
	} else if (n >= 40 && p[0] >> 4 == 6) {
		head = 40;
		t->protocol = p[6];
		*bytes = ((uint64_t)p[4] << 8 | p[5]) + 40;
		t->source = t->destination = (struct net_cidr){.family = 6, .length = 128};
		memcpy(t->source.bytes, p + 8, 16);
		memcpy(t->destination.bytes, p + 24, 16);
	} else
		return false;
	if ((t->protocol == 6 || t->protocol == 17) && n >= head + 4) {
		t->source_port = (uint16_t)(p[head] << 8 | p[head + 1]);
		t->destination_port = (uint16_t)(p[head + 2] << 8 | p[head + 3]);
	}
	return true;
}

static int on_packet(const struct nlmsghdr *h, void *ctx)
{
	struct flow *f = ctx;
	struct tuple t = {0};
	struct count one = {.packets = 1};
	struct str prefix = STR_NONE;
	bool read = false;
	struct nlattr *attr;
	if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) return MNL_CB_OK;
	MNL_ATTRS(attr, h, sizeof(struct nfgenmsg))
	{
		unsigned type = mnl_attr_get_type(attr), n = mnl_attr_get_payload_len(attr);
		if (type == NFULA_PREFIX && n > 0) prefix = str_n(mnl_attr_get_payload(attr), n - 1);
		if (type == NFULA_PAYLOAD) read = read_packet(mnl_attr_get_payload(attr), n, &t, &one.bytes);
	}
	if (!read || !str_has(prefix)) return MNL_CB_OK;
	struct str by = str_cut(&prefix, ' ');
	bool egress = str_is(prefix, "out");
	int64_t now = clock_monotonic_us();
	const struct model_interface *sender = interface_at(f, &t.source), *receiver = interface_at(f, &t.destination);
	if (egress && sender && sender->logs_rejected) keep(f, sender, &t, one, now, true, by);
	if (!egress && receiver && receiver->logs_rejected) keep(f, receiver, &t, one, now, false, by);
	/* Its own side had let it go. */
	if (!egress && sender && sender->logs_accepted) keep(f, sender, &t, one, now, true, STR_NONE);
	return MNL_CB_OK;
}

static void on_refused(void *ctx)
{
	read_all(ctx, ((struct flow *)ctx)->refused, on_packet);
}

static bool log_config(int fd, uint16_t type, const void *p, size_t n)
{
	char room[256] = "";
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	*g = (struct nfgenmsg){.version = NFNETLINK_V0, .res_id = htons(RULES_LOG_GROUP)};
	mnl_attr_put(h, type, n, p);
	if (send(fd, h, h->nlmsg_len, 0) < 0) return false;
	ssize_t got = recv(fd, room, sizeof(room), 0);
	return got > 0 && mnl_cb_run(room, (size_t)got, 0, 0, NULL, NULL) >= 0;
}

/* ── listening ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static int netfilter_socket(const struct space *router)
{
	int fd = netns_socket(router->netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int room = 1 << 20;
	if (fd < 0) return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&self, sizeof(self)) == 0) return fd;
	close(fd);
	return -1;
}

static void listen_accepted(struct flow *f)
{
	int group = NFNLGRP_CONNTRACK_DESTROY;
	f->accepted = netfilter_socket(&f->vpc->router);
	f->ask = netfilter_socket(&f->vpc->router);
	if (f->accepted < 0 || setsockopt(f->accepted, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
		log_warn("host", "no_flow_log", "why=\"%s\"", strerror(errno));
	else
		agent_watch(f->net->agent, f->accepted, on_accepted, f);
}

static void listen_refused(struct flow *f)
{
	struct nfulnl_msg_config_cmd bind_it = {.command = NFULNL_CFG_CMD_BIND};
	struct nfulnl_msg_config_mode mode = {.copy_mode = NFULNL_COPY_PACKET, .copy_range = htonl(HEAD_BYTES)};
	uint32_t timeout = htonl(LOG_DELAY);
	f->refused = netfilter_socket(&f->vpc->router);
	if (f->refused < 0 || !log_config(f->refused, NFULA_CFG_CMD, &bind_it, sizeof(bind_it)) ||
		!log_config(f->refused, NFULA_CFG_MODE, &mode, sizeof(mode)) ||
		!log_config(f->refused, NFULA_CFG_TIMEOUT, &timeout, sizeof(timeout)))
		log_warn("host", "no_flow_log", "why=\"%s\"", strerror(errno));
	else
		agent_watch(f->net->agent, f->refused, on_refused, f);
}

static void close_socket(struct flow *f, int *fd)
{
	if (*fd < 0) return;
	agent_unwatch(f->net->agent, *fd);
	close(*fd);
	*fd = -1;
}

void flow_end(struct net_vpc *v)
{
	struct flow *f = v->flow;
	if (!f) return;
	close_socket(f, &f->accepted);
	close_socket(f, &f->refused);
	close_socket(f, &f->ask);
	map_cleanup(&f->by_address, NULL);
	arena_cleanup(&f->kept_arena);
	free(f);
	v->flow = NULL;
}

void flow_settle(struct net *n, struct net_vpc *v)
{
	bool accepted = false, refused = false;
	for (size_t i = 0; i < v->model->n_interfaces; i++) {
		accepted = accepted || v->model->interfaces[i].logs_accepted;
		refused = refused || v->model->interfaces[i].logs_rejected;
	}
	struct flow *f = v->flow;
	if (!f && !accepted && !refused) return;
	if (!f) {
		f = v->flow = mem_new(sizeof(*f));
		*f = (struct flow){
			.net = n, .vpc = v, .accepted = -1, .refused = -1, .ask = -1, .since_us = clock_monotonic_us()};
		arena_init(&f->kept_arena);
	} else
		map_cleanup(&f->by_address, NULL);
	map_init(&f->by_address);
	for (size_t i = 0; i < v->model->n_interfaces; i++) {
		struct model_interface *x = &v->model->interfaces[i];
		if (!x->logs_accepted && !x->logs_rejected) continue;
		for (size_t k = 0; k < x->addresses.n; k++)
			map_set(&f->by_address, str_n(&x->addresses.v[k], sizeof(x->addresses.v[k])), x);
	}
	if (accepted && f->accepted < 0) listen_accepted(f);
	if (refused && f->refused < 0) listen_refused(f);
}

void net_on_flows(struct agent *g, struct agent_request *r)
{
	struct host_rec_flows all = {0};
	size_t capacity = 0;
	for (struct net_vpc *v = agent_net(g)->vpcs; v; v = v->next) {
		struct flow *f = v->flow;
		if (!f) continue;
		if (f->accepted >= 0) on_accepted(f);
		if (f->refused >= 0) on_refused(f);
		if (f->ask >= 0) ask_all(f, AF_INET), ask_all(f, AF_INET6);
		f->since_us = clock_monotonic_us();
		for (size_t i = 0; i < f->kept.n; i++) {
			struct host_rec_flow *out = VEC_PUSH(r->arena, &all.flows, &capacity);
			*out = f->kept.v[i];
		}
	}
	date(&all.flows);
	agent_answer(g, r->id, OK, STR_NONE, host_rec_flows_encode(r->arena, &all), NULL, 0);
	for (struct net_vpc *v = agent_net(g)->vpcs; v; v = v->next)
		if (v->flow) forget(v->flow);
}
