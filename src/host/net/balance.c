/* A Network Load Balancer's node: flows that keep their clients' addresses. In the node's own place, nftables gives
 * each new flow a target by destination NAT; conntrack keeps it there. What is sent on goes back into the VPC's router
 * under the client's address, where groups and ACLs are asked anew, and the answers come back to the place (plan.c,
 * rules.c), where they get the node's address again. Nothing is remembered by the agent: the rules are written whole
 * each time, what is counted lies in a table of its own that stays. */
#include "base/log.h"
#include "base/vec.h"
#include "host/net/conntrack.h"
#include "host/net/net.h"
#include "host/netns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE "inet virga-flows"
#define COUNT "inet virga-count"
enum { TCP = 6, UDP = 17 };

/* ── the place ── */

/* tcp_loose: what is in the middle of a flow that nobody knows is answered with a reset, not taken for a new one.
 * "Connection idle timeout", the NLB guide: of UDP, 120 seconds. */
static const char *const settings[][2] = {
	{"net/ipv4/ip_forward", "1"},
	{"net/ipv4/conf/all/rp_filter", "0"},
	{"net/ipv4/conf/default/rp_filter", "0"},
	{"net/ipv4/conf/eth0/rp_filter", "0"},
	{"net/ipv4/conf/all/send_redirects", "0"},
	{"net/ipv4/conf/default/send_redirects", "0"},
	{"net/ipv4/conf/eth0/send_redirects", "0"},
	{"net/netfilter/nf_conntrack_acct", "1"},
	{"net/netfilter/nf_conntrack_tcp_loose", "0"},
	{"net/netfilter/nf_conntrack_tcp_be_liberal", "1"},
	{"net/netfilter/nf_conntrack_udp_timeout", "120"},
	{"net/netfilter/nf_conntrack_udp_timeout_stream", "120"},
};

static status prepare(int netns)
{
	struct netns_visit v;
	TRY(netns_enter(&v, netns));
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		char path[128];
		snprintf(path, sizeof(path), "/proc/sys/%s", settings[i][0]);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT) continue;
		if (fd < 0 || write(fd, settings[i][1], strlen(settings[i][1])) < 0)
			log_warn("host", "sysctl", "path=%s why=\"%s\"", path, strerror(errno));
		if (fd >= 0) close(fd);
	}
	netns_leave(&v);
	return OK;
}

/* ── rules ── */

/* "For UDP traffic, the load balancer selects a target using a flow hash algorithm based on the protocol, source IP
 * address, source port, destination IP address, and destination port"; of TCP the sequence number is in it too, so that
 * each connection of a client may go elsewhere. */
static void choose(struct buf *b, bool udp, bool sticky, size_t n, unsigned seed)
{
	if (sticky)
		buf_fmt(b, "jhash ip saddr mod %zu seed 0x%x", n, seed);
	else if (udp)
		buf_fmt(b, "jhash ip saddr . udp sport . ip daddr . udp dport mod %zu seed 0x%x", n, seed);
	else
		buf_fmt(b, "numgen random mod %zu", n);
}

static void write_targets(struct buf *b, const struct host_rec_balance_group *g, const char *name, bool udp)
{
	for (size_t i = 0; i < g->targets.n; i++)
		buf_fmt(b, "chain %s-t%zu {\n meta l4proto %s dnat ip to %.*s:%d\n}\n", name, i, udp ? "udp" : "tcp",
			STR_ARG(g->targets.v[i].address), g->targets.v[i].port.v);
	buf_fmt(b, "chain %s {\n", name);
	if (g->targets.n == 1) buf_fmt(b, " goto %s-t0\n", name);
	if (g->targets.n > 1) {
		buf_lit(b, " ");
		choose(b, udp, g->sticky.v, g->targets.n, 0x76697267);
		for (size_t i = 0; i < g->targets.n; i++)
			buf_fmt(b, "%s%zu : goto %s-t%zu", i ? ", " : " vmap { ", i, name, i);
		buf_lit(b, " }\n");
	}
	buf_lit(b, "}\n");
}

static int32_t weight_of(const struct host_rec_balance_group *g)
{
	return g->weight.has ? g->weight.v : 1;
}

static void write_listener(
	struct arena *a, struct buf *b, const struct host_rec_balance_listener *l, size_t number, bool udp)
{
	int32_t total = 0, at = 0;
	for (size_t i = 0; i < l->groups.n; i++) {
		total += weight_of(&l->groups.v[i]);
		write_targets(b, &l->groups.v[i], str_fmt(a, "l%zu-%s-g%zu", number, udp ? "udp" : "tcp", i).p, udp);
	}
	buf_fmt(b, "chain l%zu-%s {\n", number, udp ? "udp" : "tcp");
	if (total > 0) {
		buf_lit(b, " ");
		choose(b, udp, false, (size_t)total, 0x61);
		buf_lit(b, " vmap { ");
		bool first = true;
		for (size_t i = 0; i < l->groups.n; i++) {
			int32_t w = weight_of(&l->groups.v[i]);
			if (w <= 0) continue;
			buf_fmt(b, "%s%d-%d : goto l%zu-%s-g%zu", first ? "" : ", ", at, at + w - 1, number,
				udp ? "udp" : "tcp", i);
			at += w;
			first = false;
		}
		buf_lit(b, " }\n");
	}
	buf_lit(b, "}\n");
}

static void write_entry(struct buf *b, const struct host_rec_balance *in)
{
	for (size_t i = 0; i < in->listeners.n; i++) {
		const struct host_rec_balance_listener *l = &in->listeners.v[i];
		for (int udp = 0; udp < 2; udp++)
			if (!l->protocol.has || (l->protocol.v == UDP) == (udp == 1))
				buf_fmt(b, " ip daddr %.*s %s dport %d goto l%zu-%s\n", STR_ARG(in->address),
					udp ? "udp" : "tcp", l->port.v, i, udp ? "udp" : "tcp");
	}
}

static struct str write_rules(struct arena *a, const struct host_rec_balance *in)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "add table " TABLE "\ndelete table " TABLE "\ntable " TABLE " {\n");
	for (size_t i = 0; i < in->listeners.n; i++) {
		const struct host_rec_balance_listener *l = &in->listeners.v[i];
		for (int udp = 0; udp < 2; udp++)
			if (!l->protocol.has || (l->protocol.v == UDP) == (udp == 1))
				write_listener(a, &b, l, i, udp == 1);
		if (!l->protocol.has || l->protocol.v == TCP)
			buf_fmt(&b,
				"ct timeout l%zu-idle {\n protocol tcp\n l3proto ip\n policy = { established : %d "
				"}\n}\n",
				i, l->idle_seconds.has ? l->idle_seconds.v : 350);
	}
	buf_lit(&b, "chain arrive {\n type filter hook prerouting priority mangle\n"
		    " meta l4proto tcp socket transparent 1 meta mark set 0x00010000 accept\n");
	for (size_t i = 0; i < in->listeners.n; i++) {
		const struct host_rec_balance_listener *l = &in->listeners.v[i];
		if (l->protocol.has && l->protocol.v != TCP) continue;
		buf_fmt(&b, " ct state new ip daddr %.*s tcp dport %d ct timeout set \"l%zu-idle\"\n",
			STR_ARG(in->address), l->port.v, i);
	}
	buf_lit(&b, "}\nchain choose {\n type nat hook prerouting priority dstnat\n");
	write_entry(&b, in);
	/* What comes by AWS PrivateLink begins here. */
	buf_lit(&b, "}\nchain choose-own {\n type nat hook output priority -100\n");
	write_entry(&b, in);
	buf_lit(&b, "}\nchain forward {\n type filter hook forward priority filter\n"
		    " ct state invalid meta l4proto tcp reject with tcp reset\n"
		    " ct state invalid drop\n"
		    " ct status dnat accept\n drop\n}\n"
		    /* A listener that has no target for a datagram says nothing. */
		    "chain mine {\n type filter hook input priority filter\n");
	for (size_t i = 0; i < in->listeners.n; i++) {
		const struct host_rec_balance_listener *l = &in->listeners.v[i];
		if (!l->protocol.has || l->protocol.v == UDP)
			buf_fmt(&b, " ip daddr %.*s udp dport %d drop\n", STR_ARG(in->address), l->port.v);
	}
	buf_lit(&b, "}\n}\n");
	buf_byte(&b, 0);
	b.n--;
	return buf_done(&b);
}

/* Behind all decisions, so that only what goes on is counted. */
static const char count_rules[] =
	"table " COUNT " {\n"
	"counter flows-tcp {\n}\ncounter flows-udp {\n}\ncounter all-tcp {\n}\ncounter all-udp {\n}\n"
	"counter client-resets {\n}\ncounter target-resets {\n}\ncounter own-resets {\n}\n"
	"chain forward {\n type filter hook forward priority filter + 20\n"
	" meta l4proto tcp counter name \"all-tcp\"\n meta l4proto udp counter name \"all-udp\"\n"
	" ct direction original ct original packets 1 meta l4proto tcp counter name \"flows-tcp\"\n"
	" ct direction original ct original packets 1 meta l4proto udp counter name \"flows-udp\"\n"
	" ct direction original tcp flags & rst == rst counter name \"client-resets\"\n"
	" ct direction reply tcp flags & rst == rst counter name \"target-resets\"\n}\n"
	"chain own {\n type filter hook output priority filter + 20\n"
	" tcp flags & rst == rst counter name \"own-resets\"\n}\n}\n";

static status apply_rules(int netns, struct arena *a, const struct host_rec_balance *in)
{
	struct nft *n;
	struct str said;
	TRY(nft_open(netns, &n));
	status s = nft_run(n, write_rules(a, in).p);
	if (is_ok(s) && !is_ok(nft_ask(n, a, "list counters table " COUNT, &said))) s = nft_run(n, count_rules);
	nft_close(n);
	return s;
}

/* ── flows that stand ── */

struct flows {
	const struct host_rec_balance_targets *cut;
	struct conntrack all;
	int64_t active[2]; /* [UDP] */
};

struct end {
	unsigned char address[4];
	uint16_t port;
	uint8_t protocol;
};

static void read_source(const struct nlattr *tuple, bool destination, struct end *out)
{
	struct nlattr *part, *attr;
	MNL_NESTED(part, tuple)
	{
		bool is_ip = mnl_attr_get_type(part) == CTA_TUPLE_IP;
		MNL_NESTED(attr, part)
		{
			unsigned type = mnl_attr_get_type(attr);
			if (is_ip && mnl_attr_get_payload_len(attr) == 4 &&
				type == (destination ? CTA_IP_V4_DST : CTA_IP_V4_SRC))
				memcpy(out->address, mnl_attr_get_payload(attr), 4);
			else if (!is_ip && type == CTA_PROTO_NUM)
				out->protocol = mnl_attr_get_u8(attr);
			else if (!is_ip && type == (destination ? CTA_PROTO_DST_PORT : CTA_PROTO_SRC_PORT))
				out->port = ntohs(mnl_attr_get_u16(attr));
		}
	}
}

static bool is_cut(const struct flows *f, const struct end *target)
{
	for (size_t i = 0; f->cut && i < f->cut->n; i++) {
		struct net_cidr c;
		if (is_ok(net_address_read(f->cut->v[i].address, &c)) && c.family == 4 &&
			memcmp(c.bytes, target->address, 4) == 0 && f->cut->v[i].port.v == target->port)
			return true;
	}
	return false;
}

/* Who answers is not who was asked: it was sent on. */
static int on_entry(const struct nlmsghdr *h, void *ctx)
{
	struct flows *f = ctx;
	const struct nlattr *original = NULL, *reply = NULL;
	struct end asked = {0}, answers = {0};
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG) original = attr;
		if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY) reply = attr;
	}
	if (!original || !reply) return MNL_CB_OK;
	read_source(original, true, &asked);
	read_source(reply, false, &answers);
	if (memcmp(asked.address, answers.address, 4) == 0) return MNL_CB_OK;
	f->active[answers.protocol == UDP]++;
	if (is_cut(f, &answers)) conntrack_forget(&f->all, original);
	return MNL_CB_OK;
}

/* ── requests ── */

static bool targets_valid(const struct host_rec_balance_targets *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct net_cidr c;
		if (!is_ok(net_address_read(t->v[i].address, &c)) || c.family != 4 || t->v[i].port.v < 1 ||
			t->v[i].port.v > 65535)
			return false;
	}
	return true;
}

/* All that becomes text of rules. */
static bool valid(const struct host_rec_balance *in)
{
	struct net_cidr c;
	if (!model_id_valid(in->place) || !is_ok(net_address_read(in->address, &c)) || c.family != 4) return false;
	for (size_t i = 0; i < in->listeners.n; i++) {
		const struct host_rec_balance_listener *l = &in->listeners.v[i];
		if (l->port.v < 1 || l->port.v > 65535 ||
			(l->protocol.has && l->protocol.v != TCP && l->protocol.v != UDP))
			return false;
		for (size_t k = 0; k < l->groups.n; k++)
			if (weight_of(&l->groups.v[k]) < 0 || weight_of(&l->groups.v[k]) > 999 ||
				!targets_valid(&l->groups.v[k].targets))
				return false;
	}
	return targets_valid(&in->cut);
}

void net_on_balance(struct agent *g, struct agent_request *r)
{
	struct host_rec_balance in = {0};
	struct space place;
	if (!is_ok(host_rec_balance_decode(r->arena, r->body, &in)) || !valid(&in)) {
		agent_answer(g, r->id, STATUS(INVALID), STR("that is no balancing"), STR_NONE, NULL, 0);
		return;
	}
	status s = space_open(net_prefix(agent_net(g)), in.place, &place);
	if (is_ok(s)) {
		struct flows f = {.cut = &in.cut, .all.commands = BUF_IN(r->arena)};
		s = prepare(place.netns);
		if (is_ok(s)) s = apply_rules(place.netns, r->arena, &in);
		if (is_ok(s) && in.cut.n) conntrack_each(&f.all, place.netns, on_entry, &f);
		space_close(&place);
	}
	agent_answer(g, r->id, s, STR_NONE, STR_NONE, NULL, 0);
}

static int64_t number_after(struct str *text, const char *word)
{
	ptrdiff_t at = str_find(*text, str_c(word));
	int64_t v = 0;
	if (at < 0) return 0;
	*text = str_from(*text, (size_t)at + strlen(word));
	size_t n = 0;
	while (n < text->n && text->p[n] >= '0' && text->p[n] <= '9') n++;
	return is_ok(str_to_i64(str_sub(*text, 0, n), &v)) ? v : 0;
}

/* "counter NAME { packets N bytes M }" */
static void read_counter(struct arena *a, struct str text, const char *name, int64_t *packets, int64_t *bytes)
{
	ptrdiff_t at = str_find(text, str_fmt(a, "counter %s {", name));
	if (at < 0) return;
	text = str_from(text, (size_t)at);
	*packets = number_after(&text, "packets ");
	*bytes = number_after(&text, "bytes ");
}

static void read_counters(struct arena *a, struct str text, struct host_rec_balance_counted *out)
{
	int64_t v[7][2] = {{0}};
	static const char *const names[] = {
		"flows-tcp", "flows-udp", "all-tcp", "all-udp", "client-resets", "target-resets", "own-resets"};
	for (size_t i = 0; i < 7; i++) read_counter(a, text, names[i], &v[i][0], &v[i][1]);
	out->tcp = arena_new(a, struct host_rec_balance_count);
	out->udp = arena_new(a, struct host_rec_balance_count);
	*out->tcp = (struct host_rec_balance_count){
		.flows = SOME_I64(v[0][0]), .packets = SOME_I64(v[2][0]), .bytes = SOME_I64(v[2][1])};
	*out->udp = (struct host_rec_balance_count){
		.flows = SOME_I64(v[1][0]), .packets = SOME_I64(v[3][0]), .bytes = SOME_I64(v[3][1])};
	out->client_resets = SOME_I64(v[4][0]);
	out->target_resets = SOME_I64(v[5][0]);
	out->own_resets = SOME_I64(v[6][0]);
}

void net_on_balance_count(struct agent *g, struct agent_request *r)
{
	struct host_rec_remove q = {0};
	struct host_rec_balance_counted out = {0};
	struct space place;
	struct str said = STR("");
	if (!is_ok(host_rec_remove_decode(r->arena, r->body, &q)) || !model_id_valid(q.id)) {
		agent_answer(g, r->id, STATUS(INVALID), STR("no such id"), STR_NONE, NULL, 0);
		return;
	}
	status s = space_open(net_prefix(agent_net(g)), q.id, &place);
	if (is_ok(s)) {
		struct nft *n;
		struct flows f = {.all.commands = BUF_IN(r->arena)};
		s = nft_open(place.netns, &n);
		if (is_ok(s)) {
			s = nft_ask(n, r->arena, "list counters table " COUNT, &said);
			nft_close(n);
		}
		conntrack_each(&f.all, place.netns, on_entry, &f);
		read_counters(r->arena, said, &out);
		out.tcp->active = SOME_I64(f.active[0]);
		out.udp->active = SOME_I64(f.active[1]);
		space_close(&place);
	}
	agent_answer(
		g, r->id, s, STR_NONE, is_ok(s) ? host_rec_balance_counted_encode(r->arena, &out) : STR_NONE, NULL, 0);
}
