/* The controller: brings what stands of a balancer to what its record says. Level-triggered: a job looks at the records
 * and at what the host says, and comes again until both agree; it may be killed anywhere. */
#include "base/log.h"
#include "call/inside.h"
#include "host/host.h"
#include "services/acm/door.h"
#include "services/elbv2/logs.h"
#include "services/elbv2/node.h"

#define JOB "elbv2.balancer"
#define JOB_GONE "elbv2.gone"
enum { LATER_MS = 500 };

static struct str job_name(struct ec2_place at, struct str name)
{
	return str_fmt(at.a, "%.*s %.*s %.*s", STR_ARG(at.account), STR_ARG(at.region), STR_ARG(name));
}

static void schedule(struct ec2_place at, const char *kind, struct str name)
{
	struct job job = {.kind = str_c(kind), .id = job_name(at, name), .payload = STR("")};
	jobs_schedule(at.tx, &job);
}

void elbv2_mark(struct ec2_place at, struct str name)
{
	schedule(at, JOB, name);
}

static struct ec2_place place_of(struct store_tx *tx, struct arena *a, struct str id, struct str *name)
{
	struct ec2_place at = {.tx = tx, .a = a};
	struct str rest = str_dup(a, id);
	at.account = str_cut(&rest, ' ');
	at.region = str_cut(&rest, ' ');
	*name = rest;
	return at;
}

/* ── targets that are done ── */

static void cut_one(struct arena *a, struct elbv2_cuts *cuts, struct str address, int32_t port)
{
	__typeof__(cuts->v) one = VEC_PUSH(a, cuts, &cuts->capacity);
	one->address = address;
	one->port = port;
}

/* "… whether the load balancer terminates connections at the end of the deregistration timeout": of flows that the
 * kernel carries; HAProxy's servers are dropped with theirs. */
static status cut(
	struct ec2_place at, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t, struct elbv2_cuts *cuts)
{
	struct elbv2_spot spot;
	struct elbv2_rec_balancer b;
	if (!str_is(elbv2_group_attribute(g, "deregistration_delay.connection_termination.enabled"), "true")) return OK;
	if (str_is(g->target_type, "alb")) {
		status s = elbv2_target_balancer(at, t->id, &b);
		if (status_is(s, STATUS_NOT_FOUND)) return OK;
		TRY(s);
		for (size_t i = 0; i < b.zones.n; i++) cut_one(at.a, cuts, b.zones.v[i].address, t->port.v);
		return OK;
	}
	status s = elbv2_target_spot(at, g, t, &spot);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	if (!status_is(s, STATUS_BUSY)) TRY(s);
	cut_one(at.a, cuts, spot.address, spot.port);
	return OK;
}

/* Those whose time is over go; *next: when the next one's is. */
static status drain(
	struct ec2_place at, const struct elbv2_rec_balancer *b, int64_t now, int64_t *next, struct elbv2_cuts *cuts)
{
	for (size_t i = 0; i < b->groups.n; i++) {
		struct elbv2_rec_group g;
		struct elbv2_all_targets targets;
		status s = elbv2_group_get(at, b->groups.v[i], &g);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		TRY(elbv2_targets(at, g.id, &targets));
		int64_t delay = elbv2_number(elbv2_group_attribute(&g, "deregistration_delay.timeout_seconds"), 300);
		for (size_t k = 0; k < targets.n; k++) {
			struct elbv2_rec_target *t = &targets.v[k];
			struct elbv2_spot spot;
			/* A terminated instance is deregistered by that. */
			if (str_is(g.target_type, "instance")) {
				s = elbv2_target_spot(at, &g, t, &spot);
				if (status_is(s, STATUS_NOT_FOUND)) {
					elbv2_target_drop(at, g.id, t);
					continue;
				}
				if (!status_is(s, STATUS_BUSY)) TRY(s);
			}
			if (!t->draining.has) continue;
			int64_t over = t->draining.ms + delay * 1000;
			if (over <= now) {
				TRY(cut(at, &g, t, cuts));
				elbv2_target_drop(at, g.id, t);
			} else if (!*next || over < *next)
				*next = over;
		}
	}
	return OK;
}

/* ── nodes ── */

/* FAILED: *why. */
static status apply(struct cloud *cloud, struct ec2_place at, const struct elbv2_rec_balancer *b,
	const struct elbv2_cuts *cuts, bool *busy, struct str *why)
{
	for (size_t i = 0; i < b->zones.n; i++) {
		struct elbv2_plan p;
		TRY(elbv2_plan(cloud, at, b, &b->zones.v[i], &p));
		status s = elbv2_node_apply(cloud, at.a, &p, why);
		bool later = status_is(s, STATUS_BUSY) || status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_IO);
		*busy = *busy || later;
		if (!later) TRY(s);
		s = elbv2_flows_apply(cloud, &p, cuts);
		if (cuts->n) TRY(s); /* it must not be forgotten */
		*busy = *busy || !is_ok(s);
	}
	return OK;
}

/* ── jobs ── */

static status balancer_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct elbv2 *e = ctx;
	struct elbv2_rec_balancer b;
	struct str name;
	struct ec2_place at = place_of(tx, a, job->id, &name);
	int64_t now = clock_now(e->cloud->clock), next = 0;
	status s = elbv2_balancer_get(at, name, &b);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct elbv2_cuts cuts = {0};
	TRY(drain(at, &b, now, &next, &cuts));
	struct str state = STR("active"), why = STR_NONE;
	if (host_available(e->cloud->host)) {
		bool busy = false;
		s = apply(e->cloud, at, &b, &cuts, &busy, &why);
		if (status_is(s, STATUS_FAILED))
			state = STR("failed");
		else
			TRY(s);
		if (busy) {
			next = !next || next > now + LATER_MS / 10 ? now + LATER_MS / 10 : next;
			/* Something that serves goes on serving. */
			state = b.state;
		}
	}
	if (!str_eq(b.state, state) || !str_eq(b.reason, why)) {
		b.state = state;
		b.reason = why;
		elbv2_balancer_put(at, &b);
	}
	*again_ms = next;
	elbv2_watch_poke(e->watch);
	return OK;
}

static struct str gone_key(struct ec2_place at, struct str id)
{
	struct key k = key_for(at.a, STR("elbv2"), STR("gone"), at.account, at.region);
	key_str(&k, id);
	return key_done(&k);
}

/* What is written of it stays until nothing stands: by the interface's id, since zones go one by one too. */
void elbv2_mark_gone(struct ec2_place at, const struct elbv2_rec_balancer *b)
{
	for (size_t i = 0; i < b->zones.n; i++) {
		struct elbv2_rec_gone g = {.id = b->id, .zones = {&b->zones.v[i], 1}};
		store_put(at.tx, gone_key(at, b->zones.v[i].eni), elbv2_rec_gone_encode(at.a, &g));
		schedule(at, JOB_GONE, b->zones.v[i].eni);
	}
}

static status gone_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct elbv2 *e = ctx;
	struct str eni, bytes;
	struct ec2_place at = place_of(tx, a, job->id, &eni);
	struct elbv2_rec_gone g = {0};
	status s = store_get(tx, gone_key(at, eni), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(elbv2_rec_gone_decode(a, bytes, &g));
	struct call *c =
		call_for_job(a, e->cloud, tx, at.account, at.region, STR("elasticloadbalancing.amazonaws.com"));
	for (size_t i = 0; i < g.zones.n; i++) {
		struct ec2_rec_eni n;
		if (host_available(e->cloud->host)) elbv2_node_remove(e->cloud, a, g.zones.v[i].eni);
		elbv2_logs_forget(at, g.zones.v[i].eni);
		s = ec2_load(at, &ec2_type_eni, g.zones.v[i].eni, &n);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		TRY(ec2_eni_detach(c, g.zones.v[i].eni));
		s = ec2_eni_drop(c, g.zones.v[i].eni);
		if (!is_ok(s)) {
			log_warn("elbv2", "drop_failed", "eni=%.*s", STR_ARG(g.zones.v[i].eni));
			return status_is(s, STATUS_FAILED) ? STATUS(IO) : s;
		}
	}
	store_delete(tx, gone_key(at, eni));
	(void)again_ms;
	return OK;
}

/* ── after what happened elsewhere ── */

/* Every balancer that there is. */
static void mark_all(struct elbv2 *e)
{
	struct arena a;
	store_ticket ticket;
	struct str key, value;
	arena_init(&a);
	struct store_tx *tx = store_begin(e->cloud->store, &a, false);
	struct key k = key_for(&a, STR("elbv2"), STR("index"), STR(""), STR(""));
	struct str from = key_done(&k);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(&a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct elbv2_rec_whose w = {0};
		if (!is_ok(elbv2_rec_whose_decode(&a, str_dup(&a, value), &w))) continue;
		elbv2_mark((struct ec2_place){tx, &a, w.account, w.region}, w.name);
	}
	if (!is_ok(store_scan_end(scan)) || !is_ok(store_commit(tx, &ticket)))
		log_debug("elbv2", "mark_again", "all=1");
	store_end(tx);
	arena_cleanup(&a);
	jobs_poke(e->cloud->jobs);
}

static void on_host(void *ctx, enum host_event_kind kind, const void *detail)
{
	(void)detail;
	if (kind == HOST_AGENT_RESTARTED) mark_all(ctx);
}

/* A certificate was renewed or imported again: who serves it takes the new one. */
static void on_certificate(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *event)
{
	const struct acm_event *d = event->detail;
	struct arena a;
	(void)ctx;
	(void)phase;
	arena_init(&a);
	for (size_t i = 0; i < d->n_users; i++) {
		/* …:loadbalancer/app/NAME/ID */
		struct str user = d->users[i];
		ptrdiff_t at = str_find(user, STR(":loadbalancer/"));
		if (at < 0) continue;
		struct str rest = str_from(user, (size_t)at + 14), name = str_cut(&rest, '/');
		name = str_has(rest) ? str_cut(&rest, '/') : str_fmt(&a, "classic:%.*s", STR_ARG(name));
		elbv2_mark((struct ec2_place){tx, &a, event->account, event->region}, name);
	}
	arena_cleanup(&a);
}

status elbv2_controller_start(struct elbv2 *e)
{
	jobs_register(e->cloud->jobs, JOB, balancer_job, e);
	jobs_register(e->cloud->jobs, JOB_GONE, gone_job, e);
	bus_subscribe(e->cloud->bus, BUS_COMMITTING, "acm.certificate", on_certificate, e);
	if (e->cloud->host) host_subscribe(e->cloud->host, on_host, e);
	return elbv2_deliver_start(e);
}

void elbv2_controller_ready(struct elbv2 *e)
{
	mark_all(e);
}
