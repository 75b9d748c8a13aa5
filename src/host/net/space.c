/* See space.h. */
#include "host/net/space.h"
#include "base/log.h"
#include "host/netns.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HELPERS_MAX 7

/* proxy_arp: a router answers for every address that it has a route to, so that machines of one subnet speak through
 * it. Redirects would teach machines ways around the router. Flow logs want conntrack's counters. A flow that crosses a
 * router twice (through an appliance) is seen twice: be liberal. */
static const struct {
	const char *path, *value;
	bool router;
} settings[] = {
	{"net/ipv4/conf/all/rp_filter", "0", true},
	{"net/ipv4/conf/default/rp_filter", "0", true},
	{"net/ipv4/ip_forward", "1", true},
	{"net/ipv4/conf/all/send_redirects", "0", true},
	{"net/ipv4/conf/default/send_redirects", "0", true},
	{"net/ipv4/conf/default/proxy_arp", "1", true},
	{"net/ipv6/conf/all/forwarding", "1", true},
	{"net/ipv6/conf/default/forwarding", "1", true},
	{"net/ipv6/conf/default/accept_dad", "0", false},
	{"net/ipv6/conf/default/accept_ra", "0", false},
	{"net/ipv4/conf/all/promote_secondaries", "1", false},
	{"net/netfilter/nf_conntrack_acct", "1", true},
	{"net/netfilter/nf_conntrack_timestamp", "1", true},
	{"net/netfilter/nf_conntrack_tcp_be_liberal", "1", true},
	/* "Security group connection tracking": 5 days; NAT gateways end idle connections themselves. */
	{"net/netfilter/nf_conntrack_tcp_timeout_established", "432000", true},
};

static void write_settings(enum space_kind kind)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		char path[128];
		if (settings[i].router && kind != SPACE_ROUTER) continue;
		snprintf(path, sizeof(path), "/proc/sys/%s", settings[i].path);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		/* A machine without IPv6 or without conntrack's module loaded has no such file. */
		if (fd < 0 && errno == ENOENT) continue;
		if (fd < 0 || write(fd, settings[i].value, strlen(settings[i].value)) < 0)
			log_warn("host", "sysctl", "path=%s why=\"%s\"", path, strerror(errno));
		if (fd >= 0) close(fd);
	}
}

static status open_sockets(struct str place, struct space *out)
{
	out->rtnl.fd = -1;
	status s = rtnl_open(out->netns, &out->rtnl);
	if (!is_ok(s)) {
		close(out->netns);
		return s;
	}
	char *copy = mem_new(place.n + 1);
	memcpy(copy, place.p, place.n);
	out->place = str_n(copy, place.n);
	return OK;
}

status space_open(struct str prefix, struct str place, struct space *out)
{
	struct arena a;
	arena_init(&a);
	*out = (struct space){.netns = netns_open(netns_name(&a, prefix, place))};
	arena_cleanup(&a);
	return out->netns < 0 ? STATUS(NOT_FOUND) : open_sockets(place, out);
}

status space_make(struct str prefix, struct str place, enum space_kind kind, struct space *out)
{
	struct arena a;
	arena_init(&a);
	*out = (struct space){0};
	status s = netns_ensure(netns_name(&a, prefix, place), &out->netns, &out->made);
	arena_cleanup(&a);
	TRY(s);
	struct netns_visit v;
	s = netns_enter(&v, out->netns);
	if (!is_ok(s)) {
		close(out->netns);
		return s;
	}
	write_settings(kind);
	netns_leave(&v);
	return open_sockets(place, out);
}

/* ── many at once ── */

struct making {
	struct str prefix;
	struct space_wish *v;
	size_t n;
	_Atomic size_t next;
};

static void *make_some(void *ctx)
{
	struct making *m = ctx;
	for (size_t i; (i = m->next++) < m->n;)
		m->v[i].result = space_make(m->prefix, m->v[i].place, m->v[i].kind, &m->v[i].space);
	return NULL;
}

void space_make_all(struct str prefix, struct space_wish *v, size_t n)
{
	struct making m = {.prefix = prefix, .v = v, .n = n};
	pthread_t helpers[HELPERS_MAX];
	size_t started = 0, there = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	while (started < HELPERS_MAX && started + 1 < there && started + 1 < n)
		if (pthread_create(&helpers[started], NULL, make_some, &m) == 0)
			started++;
		else
			break;
	make_some(&m);
	while (started > 0) pthread_join(helpers[--started], NULL);
}

static void forget_rules(struct space *s)
{
	if (!s->rules_arena) return;
	arena_cleanup(s->rules_arena);
	free(s->rules_arena);
	s->rules_arena = NULL;
	s->rules = NULL;
}

void space_unlink(struct space *s)
{
	struct arena a;
	struct rtnl_links links;
	arena_init(&a);
	if (is_ok(rtnl_links(&s->rtnl, &a, &links)))
		for (size_t i = 0; i < links.n; i++)
			if (strcmp(links.v[i].name, "lo") != 0) rtnl_link_delete(&s->rtnl, links.v[i].name);
	if (!is_ok(rtnl_flush(&s->rtnl))) log_warn("host", "unlink", "place=%.*s", STR_ARG(s->place));
	arena_cleanup(&a);
}

void space_close(struct space *s)
{
	if (!str_has(s->place)) return;
	forget_rules(s);
	nft_close(s->nft);
	rtnl_close(&s->rtnl);
	close(s->netns);
	free((void *)(uintptr_t)s->place.p);
	*s = (struct space){0};
}

struct ruleset *space_ruleset(void)
{
	struct arena *a = mem_new(sizeof(*a));
	arena_init(a);
	struct ruleset *r = arena_new(a, struct ruleset);
	r->arena = a;
	return r;
}

status space_rules(struct space *s, struct ruleset *wanted, unsigned *changes)
{
	struct buf commands = BUF_HEAP;
	status result = s->nft ? OK : nft_open(s->netns, &s->nft);
	ruleset_diff(s->rules, wanted, &commands, changes);
	bool differs = commands.n > 0;
	if (is_ok(result) && differs) result = nft_run(s->nft, commands.p);
	if (!is_ok(result) && s->rules) {
		/* What stands is not what we thought: all of it anew. */
		forget_rules(s);
		commands.n = 0;
		ruleset_diff(NULL, wanted, &commands, changes);
		if (s->nft) result = nft_run(s->nft, commands.p);
	}
	buf_cleanup(&commands);
	forget_rules(s);
	s->rules_arena = wanted->arena;
	s->rules = wanted;
	if (is_ok(result)) {
		if (differs) s->generation = nft_generation(s->nft);
		return OK;
	}
	forget_rules(s);
	return result;
}

bool space_rules_touched(struct space *s)
{
	if (!s->nft || nft_generation(s->nft) == s->generation) return false;
	forget_rules(s);
	return true;
}

status space_converge(
	struct space *s, struct arena *a, const struct rtnl_links *links, bool fresh, struct rtnl_things *wanted)
{
	struct rtnl_things standing = {0};
	if (!fresh) TRY(rtnl_standing(&s->rtnl, a, links, &standing));
	rtnl_converge(&s->rtnl, links, &standing, wanted);
	return rtnl_flush(&s->rtnl);
}
