/* A host agent of a test's own, with a hand that kept root's capabilities (probe.py): what the tests of host/net share.
 */
#pragma once
#include "host/host.h"
#include "host/netns.h"
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct lab {
	struct arena arena;
	struct host *host;
	FILE *to, *from;
	pid_t probe;
	char dir[32];
	const char *skip; /* why not */
};

static bool lab_begin(struct lab *l)
{
	*l = (struct lab){.dir = "/tmp/virga-lab-XXXXXX"};
	arena_init(&l->arena);
	if (geteuid() != 0) {
		l->skip = "needs root";
		return false;
	}
	int in[2], out[2];
	if (pipe(in) || pipe(out) || !mkdtemp(l->dir)) abort();
	l->probe = fork();
	if (l->probe == 0) {
		dup2(in[0], 0), dup2(out[1], 1);
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		execlp("python3", "python3", "tests/host/probe.py", (char *)NULL);
		_exit(127);
	}
	close(in[0]), close(out[1]);
	l->to = fdopen(in[1], "w");
	l->from = fdopen(out[0], "r");
	l->host = host_start(false, false);
	if (!host_available(l->host)) l->skip = "lacks capabilities";
	host_open(l->host, l->dir, true);
	return !l->skip;
}

static void lab_end(struct lab *l)
{
	host_stop(l->host, true);
	if (l->to) fclose(l->to);
	if (l->from) fclose(l->from);
	if (l->probe > 0) waitpid(l->probe, NULL, 0);
	if (l->host) rmdir(l->dir);
	arena_cleanup(&l->arena);
}

/* What the probe answers. */
__attribute__((format(printf, 2, 3))) static struct str lab_ask(struct lab *l, const char *fmt, ...)
{
	char line[1024] = "";
	va_list args;
	va_start(args, fmt);
	vfprintf(l->to, fmt, args);
	va_end(args);
	fputc('\n', l->to);
	fflush(l->to);
	if (!fgets(line, sizeof(line), l->from)) return STR("the probe is gone");
	struct str s = str_c(line);
	if (s.n) s.n--;
	return str_dup(&l->arena, s);
}

/* The namespace of a place, as the probe wants it. */
static const char *lab_ns(struct lab *l, const char *place)
{
	return netns_name(&l->arena, host_prefix(l->host), str_c(place)).p;
}

#define LAB_ADD(l, list) (*(__typeof__((list)->v))lab_grow((l), (void **)&(list)->v, &(list)->n, sizeof(*(list)->v)))
static void *lab_grow(struct lab *l, void **v, size_t *n, size_t size)
{
	char *new = arena_alloc(&l->arena, (*n + 1) * size);
	if (*n) memcpy(new, *v, *n * size);
	*v = new;
	return new + (*n)++ *size;
}

/* ── intents, in few words ───────────────────────────────────────────────────────────────────────────────────────── */

static struct host_rec_vpc *lab_vpc(struct lab *l, const char *id, const char *cidr)
{
	struct host_rec_vpc *v = arena_new(&l->arena, struct host_rec_vpc);
	v->id = str_c(id);
	v->generation = SOME_I64(1);
	LAB_ADD(l, &v->cidrs) = str_c(cidr);
	LAB_ADD(l, &v->own_addresses) = STR("169.254.169.254");
	struct host_rec_acl *acl = &LAB_ADD(l, &v->acls);
	acl->id = STR("acl-open");
	for (int egress = 0; egress < 2; egress++)
		LAB_ADD(l, &acl->entries) = (struct host_rec_acl_entry){.number = SOME_I32(100),
			.egress = SOME_BOOL(egress),
			.allow = SOME_BOOL(true),
			.protocol = SOME_I32(-1),
			.cidr = STR("0.0.0.0/0")};
	LAB_ADD(l, &v->tables).id = STR("rtb-main");
	return v;
}

static struct host_rec_subnet *lab_subnet(struct lab *l, struct host_rec_vpc *v, const char *id, const char *cidr)
{
	struct host_rec_subnet *s = &LAB_ADD(l, &v->subnets);
	*s = (struct host_rec_subnet){.id = str_c(id),
		.cidr = str_c(cidr),
		.table = STR("rtb-main"),
		.acl = STR("acl-open"),
		.zone = STR("us-east-1a")};
	return s;
}

/* A rule for all of a CIDR or group, any protocol or one TCP port. */
static void lab_rule(struct lab *l, struct host_rec_vpc *v, const char *group, bool egress, int port, const char *peer)
{
	struct host_rec_group *g = NULL;
	for (size_t i = 0; i < v->groups.n; i++)
		if (str_eq(v->groups.v[i].id, str_c(group))) g = &v->groups.v[i];
	if (!g) {
		g = &LAB_ADD(l, &v->groups);
		g->id = str_c(group);
	}
	if (!peer) return;
	struct host_rec_rule *r = &LAB_ADD(l, &g->rules);
	*r = (struct host_rec_rule){
		.id = STR("sgr-1"), .egress = SOME_BOOL(egress), .protocol = SOME_I32(port ? 6 : -1)};
	if (port) r->from = r->to = SOME_I32(port);
	if (strncmp(peer, "sg-", 3) == 0)
		r->group = str_c(peer);
	else if (strncmp(peer, "pl-", 3) == 0)
		r->prefix_list = str_c(peer);
	else
		r->cidr = str_c(peer);
}

/* In a place of its own, of the interface's name. */
static struct host_rec_interface *lab_interface(struct lab *l, struct host_rec_vpc *v, const char *id,
	const char *subnet, const char *address, const char *group)
{
	struct host_rec_interface *i = &LAB_ADD(l, &v->interfaces);
	unsigned a, b, c, d;
	sscanf(address, "%u.%u.%u.%u", &a, &b, &c, &d);
	*i = (struct host_rec_interface){.id = str_c(id),
		.subnet = str_c(subnet),
		.place = str_c(id),
		.kind = STR("service"),
		.mac = str_fmt(&l->arena, "02:00:%02x:%02x:%02x:%02x", a, b, c, d)};
	LAB_ADD(l, &i->addresses).private = str_c(address);
	if (group) LAB_ADD(l, &i->groups) = str_c(group);
	return i;
}

__attribute__((unused)) static void lab_route(
	struct lab *l, struct host_rec_vpc *v, const char *table, const char *to, const char *target)
{
	struct host_rec_table *t = NULL;
	for (size_t i = 0; i < v->tables.n; i++)
		if (str_eq(v->tables.v[i].id, str_c(table))) t = &v->tables.v[i];
	if (!t) {
		t = &LAB_ADD(l, &v->tables);
		t->id = str_c(table);
	}
	struct host_rec_route *r = &LAB_ADD(l, &t->routes);
	r->target = str_c(target);
	if (strncmp(to, "pl-", 3) == 0)
		r->prefix_list = str_c(to);
	else
		r->destination = str_c(to);
}

__attribute__((unused)) static bool lab_apply(struct lab *l, struct host_rec_vpc *v)
{
	struct host_rec_applied out = {0};
	struct str why = STR_NONE;
	v->generation.v++;
	status s = host_vpc_apply(l->host, &l->arena, v, &out, &why);
	if (!is_ok(s)) fprintf(stderr, "%s: %.*s\n", status_name(s), STR_ARG(why));
	return is_ok(s) && out.applied.v;
}
