/* Looks at the nodes, some times a second while there is something to wait for: a new target is down until its first
 * check that went well raises it ("it must pass one health check to be considered healthy", the ALB guide, where
 * HAProxy would ask for as many as after a failure). And at the instances behind targets: what they are is compared
 * with what they were, and a difference lets the balancer's job look. */
#include "base/log.h"
#include "base/map.h"
#include "services/elbv2/node.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* states: of "show servers state"; passed, failed: srv_check_result. */
enum {
	FAST_MS = 250,
	SLOW_MS = 2000,
	FLOWS_MS = 500,
	IDLE_MS = 60000,
	MEASURE_MS = 5000,
	DOWN = 0,
	FAILED = 2,
	PASSED = 3
};

/* What is remembered of a server while it is down. */
struct history {
	bool fresh; /* no check has failed since it was added */
};

struct elbv2_watch {
	struct elbv2 *e;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping, poked;
	pthread_mutex_t servers_lock;
	struct map servers; /* by "ENI BACKEND/SERVER": struct history */
	int64_t measured_us;
	struct map counters; /* measure.c's */
	struct map targets;  /* by balancer's id: the text that describes its instances */
};

/* ── one node ── */

static struct str server_name(struct arena *a, struct str folder, struct str backend, struct str server)
{
	return str_fmt(a, "%.*s %.*s/%.*s", STR_ARG(folder), STR_ARG(backend), STR_ARG(server));
}

/* Takes in what a server is; true where it waits for its first check. */
static bool remember(struct elbv2_watch *w, struct str name, const struct elbv2_row *r)
{
	pthread_mutex_lock(&w->servers_lock);
	struct history *h = map_get(&w->servers, name);
	bool down = r->state == DOWN && !r->admin, fresh = false;
	if (!down && h) {
		map_remove(&w->servers, name);
		free(h);
	} else if (down) {
		if (!h) {
			h = mem_new(sizeof(*h));
			h->fresh = r->check_result != FAILED && r->check_result != PASSED;
			map_set(&w->servers, name, h);
		}
		if (r->check_result == FAILED) h->fresh = false;
		fresh = h->fresh;
	}
	pthread_mutex_unlock(&w->servers_lock);
	return fresh;
}

bool elbv2_watch_is_fresh(
	struct elbv2_watch *w, struct arena *a, struct str folder, struct str backend, struct str server)
{
	if (!w) return false;
	pthread_mutex_lock(&w->servers_lock);
	const struct history *h = map_get(&w->servers, server_name(a, folder, backend, server));
	bool fresh = h && h->fresh;
	pthread_mutex_unlock(&w->servers_lock);
	return fresh;
}

static bool look_at_server(
	struct elbv2_watch *w, struct arena *a, const struct elbv2_socket *s, const struct elbv2_row *r)
{
	struct str said;
	if (!remember(w, server_name(a, s->folder, r->backend, r->server), r)) return false;
	if (r->check_result != PASSED) return true;
	struct str command = str_fmt(a, "set server %.*s/%.*s health up", STR_ARG(r->backend), STR_ARG(r->server));
	return !is_ok(elbv2_ask(a, s, command, &said));
}

/* True where something is waited for. */
static bool look_at_node(struct elbv2_watch *w, struct arena *a, struct str eni)
{
	struct elbv2_socket s = {w->e->cloud, elbv2_folder(a, eni)};
	struct elbv2_rows rows;
	struct str text;
	bool waiting = false;
	if (!is_ok(elbv2_ask(a, &s, STR("show servers state"), &text))) return true;
	elbv2_read_servers(a, text, &rows);
	for (size_t i = 0; i < rows.n; i++)
		if (str_starts(rows.v[i].backend, STR("g_")) && look_at_server(w, a, &s, &rows.v[i])) waiting = true;
	return waiting;
}

/* ── instances ── */

static struct str describe_targets(struct elbv2_watch *w, struct ec2_place at, const struct elbv2_rec_balancer *b)
{
	struct buf text = BUF_IN(at.a);
	/* A Network Load Balancer's flows follow its targets' health. */
	for (size_t i = 0; !elbv2_is_app(b) && i < b->zones.n; i++) {
		struct elbv2_socket s = {w->e->cloud, elbv2_folder(at.a, b->zones.v[i].eni)};
		struct elbv2_rows rows;
		struct str said;
		if (!is_ok(elbv2_ask(at.a, &s, STR("show servers state"), &said))) continue;
		elbv2_read_servers(at.a, said, &rows);
		buf_str(&text, elbv2_flows_seen(at.a, &rows));
	}
	for (size_t i = 0; i < b->groups.n; i++) {
		struct elbv2_rec_group g;
		struct elbv2_all_targets targets;
		if (!is_ok(elbv2_group_get(at, b->groups.v[i], &g)) || str_is(g.target_type, "ip") ||
			!is_ok(elbv2_targets(at, g.id, &targets)))
			continue;
		for (size_t k = 0; k < targets.n; k++) {
			struct elbv2_spot spot;
			struct elbv2_rec_balancer alb;
			status s = elbv2_target_spot(at, &g, &targets.v[k], &spot);
			if (str_is(g.target_type, "alb") && is_ok(elbv2_target_balancer(at, targets.v[k].id, &alb)))
				for (size_t z = 0; z < alb.zones.n; z++)
					buf_fmt(&text, "%.*s ", STR_ARG(alb.zones.v[z].address));
			buf_fmt(&text, "%.*s %s %.*s\n", STR_ARG(targets.v[k].id), status_name(s),
				STR_ARG(is_ok(s) ? spot.address : STR("")));
		}
	}
	return buf_done(&text);
}

static void look_at_targets(struct elbv2_watch *w, struct ec2_place at, const struct elbv2_rec_balancer *b)
{
	struct str now = describe_targets(w, at, b);
	char *had = map_get(&w->targets, b->id);
	if (had && str_eq(str_c(had), now)) return;
	char *copy = mem_new(now.n + 1);
	memcpy(copy, now.p, now.n);
	map_set(&w->targets, b->id, copy);
	if (!had) return;
	free(had);
	struct arena a;
	store_ticket ticket;
	arena_init(&a);
	struct store_tx *tx = store_begin(w->e->cloud->store, &a, false);
	elbv2_mark((struct ec2_place){tx, &a, at.account, at.region}, b->name);
	if (!is_ok(store_commit(tx, &ticket))) log_debug("elbv2", "mark_again", "name=%.*s", STR_ARG(b->name));
	store_end(tx);
	arena_cleanup(&a);
	jobs_poke(w->e->cloud->jobs);
}

/* ── all ── */

/* When to look again. */
static int64_t look(struct elbv2_watch *w)
{
	struct arena a;
	struct str key, value;
	int64_t next = IDLE_MS, now_us = clock_monotonic_us();
	bool measures = now_us - w->measured_us >= MEASURE_MS * 1000;
	double seconds = (double)(now_us - w->measured_us) / 1e6;
	if (measures) w->measured_us = now_us;
	arena_init(&a);
	struct store_tx *tx = store_begin(w->e->cloud->store, &a, true);
	struct key k = key_for(&a, STR("elbv2"), STR("index"), STR(""), STR(""));
	struct str from = key_done(&k);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(&a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct elbv2_rec_whose whose = {0};
		struct elbv2_rec_balancer b;
		if (!is_ok(elbv2_rec_whose_decode(&a, str_dup(&a, value), &whose))) continue;
		struct ec2_place at = {tx, &a, whose.account, whose.region};
		if (!is_ok(elbv2_balancer_get(at, whose.name, &b))) continue;
		if (next > SLOW_MS) next = SLOW_MS;
		if (!elbv2_is_app(&b) && next > FLOWS_MS) next = FLOWS_MS;
		for (size_t i = 0; i < b.zones.n; i++)
			if (look_at_node(w, &a, b.zones.v[i].eni)) next = FAST_MS;
		for (size_t i = 0; measures && i < b.zones.n; i++)
			elbv2_measure(w->e, &w->counters, at, &b, &b.zones.v[i], seconds);
		look_at_targets(w, at, &b);
	}
	if (!is_ok(store_scan_end(scan))) log_warn("elbv2", "scan_failed", "what=balancers");
	store_end(tx);
	arena_cleanup(&a);
	return next;
}

static void *watch_main(void *ctx)
{
	struct elbv2_watch *w = ctx;
	pthread_setname_np(pthread_self(), "elb-watch");
	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		w->poked = false;
		pthread_mutex_unlock(&w->lock);
		int64_t next = look(w);
		pthread_mutex_lock(&w->lock);
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += next / 1000;
		until.tv_nsec += next % 1000 * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		while (!w->stopping && !w->poked && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0) continue;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct elbv2_watch *elbv2_watch_start(struct elbv2 *e)
{
	struct elbv2_watch *w = mem_new(sizeof(*w));
	pthread_condattr_t attributes;
	w->e = e;
	pthread_mutex_init(&w->servers_lock, NULL);
	map_init(&w->servers);
	map_init(&w->targets);
	map_init(&w->counters);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	INVARIANT(pthread_create(&w->thread, NULL, watch_main, w) == 0);
	return w;
}

void elbv2_watch_poke(struct elbv2_watch *w)
{
	if (!w) return;
	pthread_mutex_lock(&w->lock);
	w->poked = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void elbv2_watch_stop(struct elbv2_watch *w)
{
	if (!w) return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	map_cleanup(&w->servers, free);
	map_cleanup(&w->targets, free);
	map_cleanup(&w->counters, free);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	pthread_mutex_destroy(&w->servers_lock);
	free(w);
}
