/* A balancer's node: one HAProxy in each zone, in the place of the balancer's interface there. The plan is what a node
 * shall be, read from the store; its configuration's text, but for the servers, has a hash that the running process
 * tells
 * ("description"), so that what runs is known by asking it. */
#pragma once
#include "host/host.h"
#include "services/elbv2/room.h"

/* ── plan.c ── */
struct elbv2_plan_server {
	struct str name, address;
	int32_t port, check_port;
	bool draining;
};
struct elbv2_plan_group {
	struct elbv2_rec_group g;
	struct elbv2_plan_server *v; /* those that this zone's node sends to */
	size_t n;
};
struct elbv2_plan_listener {
	struct elbv2_rec_listener l;
	struct elbv2_all_rules rules;
	struct str *files; /* of its certificates, the default one first */
	size_t n_files;
	struct str trust, revoked; /* files of its mutual authentication */
};
struct elbv2_plan_file {
	struct str name, bytes;
	bool secret;
};
struct elbv2_plan {
	struct ec2_place at;
	const struct elbv2_rec_balancer *b;
	const struct elbv2_rec_zone *zone;
	struct {
		struct elbv2_plan_listener *v;
		size_t n;
	} listeners;
	struct {
		struct elbv2_plan_group *v;
		size_t n;
	} groups;
	struct {
		struct elbv2_plan_file *v;
		size_t n, capacity;
	} files; /* certificates, bodies of fixed responses */
};
status elbv2_plan(struct cloud *cloud, struct ec2_place at, const struct elbv2_rec_balancer *b,
	const struct elbv2_rec_zone *zone, struct elbv2_plan *out) MUST_USE;
const struct elbv2_plan_group *elbv2_plan_group_of(const struct elbv2_plan *p, struct str arn);

/* ── config.c ── */
struct elbv2_config {
	struct str text; /* haproxy.cfg */
	struct str hash; /* of everything but the servers */
};
/* Adds the plan's files too. */
struct elbv2_config elbv2_config(struct elbv2_plan *p);
/* What follows a server's name and address. open: in the group's backend that takes all, healthy or not. */
struct str elbv2_server_options(
	struct arena *a, const struct elbv2_plan_group *g, const struct elbv2_plan_server *s, bool open);
/* A word of the configuration, in quotes, of any bytes; fmt: where "%" begins a variable. */
void elbv2_word(struct buf *b, struct str s, bool fmt);

/* ── mutual.c ── what it asks of clients' certificates, and tells of them. */
void elbv2_mutual_bind(const struct elbv2_plan_listener *l, struct buf *b);
void elbv2_mutual_global(struct elbv2_plan *p, struct buf *b); /* adds a file to the plan */
void elbv2_mutual_headers(const struct elbv2_plan_listener *l, struct buf *b);

/* Does it speak HTTP? */
bool elbv2_is_web(const struct elbv2_rec_listener *l);

/* ── config_rule.c ── the part of a frontend that decides. */
/* Does a listener do no more than send each request to one group or another? */
bool elbv2_only_forwards(const struct elbv2_plan *p, const struct elbv2_plan_listener *l);
bool elbv2_redirects(const struct elbv2_plan_listener *l);
void elbv2_config_rules(struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b);

/* ── own.c ── errors that the node answers itself, by code. */
enum { ELBV2_OWN_CODES = 4 };
extern const int elbv2_own_codes[ELBV2_OWN_CODES];
void elbv2_own_global(struct buf *b);
void elbv2_own_rules(struct buf *b);

/* ── runtime.c ── the process's own socket (HAProxy's Management Guide, "Unix Socket commands"). */
struct elbv2_socket {
	struct cloud *cloud;
	struct str folder; /* below the data folder */
};
void elbv2_own_read(struct arena *a, const struct elbv2_socket *s, int64_t counts[static ELBV2_OWN_CODES]);
/* The answer, at most some MiB. NOT_FOUND: nobody listens. */
status elbv2_ask(struct arena *a, const struct elbv2_socket *s, struct str command, struct str *answer) MUST_USE;
struct elbv2_row {
	struct str backend, server, address;
	int32_t port, state, admin, check_status, check_result;
};
struct elbv2_rows {
	struct elbv2_row *v;
	size_t n;
};
/* Of "show servers state". */
void elbv2_read_servers(struct arena *a, struct str text, struct elbv2_rows *out);
/* Of "show stat": a column of a line, by name. */
struct elbv2_table {
	struct str head, rest;
};
bool elbv2_table_next(struct elbv2_table *t, struct str *line);
struct str elbv2_column(const struct elbv2_table *t, struct str line, const char *name);

/* ── node.c ── */
struct str elbv2_folder(struct arena *a, struct str eni);
struct str elbv2_engine_id(struct arena *a, struct str eni);
/* Brings the node to the plan. BUSY: not yet (its place does not stand, it is starting, a server is still in use): look
 * again. FAILED: *why tells a person what is wrong. */
status elbv2_node_apply(struct cloud *cloud, struct arena *a, struct elbv2_plan *p, struct str *why) MUST_USE;
void elbv2_node_remove(struct cloud *cloud, struct arena *a, struct str eni);

/* ── flows.c ── a Network Load Balancer's flows that keep their clients' addresses. */
bool elbv2_preserves(const struct elbv2_rec_group *g);
/* Is the listener the kernel's, not HAProxy's? */
bool elbv2_is_flow(const struct elbv2_plan *p, const struct elbv2_plan_listener *l);
/* Flows to these end. */
struct elbv2_cuts {
	struct {
		struct str address;
		int32_t port;
	} * v;
	size_t n, capacity;
};
/* The node's rules as its plan and the health of targets are now. NOT_FOUND: it does not stand yet. */
status elbv2_flows_apply(struct cloud *cloud, const struct elbv2_plan *p, const struct elbv2_cuts *cuts) MUST_USE;
/* What of the servers' states decides on flows. */
struct str elbv2_flows_seen(struct arena *a, const struct elbv2_rows *rows);

/* ── health.c ── how the nodes see the targets of a group. */
struct elbv2_seen_target {
	struct str name;  /* elbv2_server_name */
	bool up;          /* it gets requests */
	bool checked;     /* a check has ended */
	struct str check; /* HAProxy's check_status: L7OK, L7STS, L4TOUT, … */
	int32_t code;     /* of L7STS */
};
struct elbv2_seen {
	bool simulated; /* no nodes stand, and none will */
	struct elbv2_seen_target *v;
	size_t n, capacity;
};
/* Asks the nodes of the group's balancers. Blocks for some milliseconds. */
status elbv2_see(struct call *c, const struct elbv2_rec_group *g, struct elbv2_seen *out) MUST_USE;
void elbv2_seen_health(
	struct call *c, const struct elbv2_rec_target *t, const struct elbv2_seen *seen, struct elbv2_target_health *h);
struct str elbv2_server_name(struct arena *a, const struct elbv2_rec_target *t);

/* ── watch.c ── one thread looks at all nodes: a new target serves after its first check that went well; instances that
 * start, stop or end are taken in or out. */
struct elbv2_watch;
struct elbv2_watch *elbv2_watch_start(struct elbv2 *e);
void elbv2_watch_stop(struct elbv2_watch *w);
void elbv2_watch_poke(struct elbv2_watch *w);
/* Down, and no check has failed yet: it is new. Any thread. */
bool elbv2_watch_is_fresh(
	struct elbv2_watch *w, struct arena *a, struct str folder, struct str backend, struct str server);

/* ── measure.c ── puts what a node has counted since the last call into CloudWatch. counters: the caller's memory;
 * seconds: how long ago that was. */
struct map;
void elbv2_measure(struct elbv2 *e, struct map *counters, struct ec2_place at, const struct elbv2_rec_balancer *b,
	const struct elbv2_rec_zone *zone, double seconds);

/* ── outside.c ── the edge's connections to internet-facing balancers, by name. quiet: before the edge stops. */
struct elbv2_outside *elbv2_outside_start(struct cloud *cloud);
void elbv2_outside_quiet(struct elbv2_outside *o);
void elbv2_outside_stop(struct elbv2_outside *o);
