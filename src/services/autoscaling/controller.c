/* The group controller: one durable job for each group, level-triggered. It looks at the group, its instances and at
 * what EC2 says of them, writes in one transaction what is to be, does what follows from it, and looks again until
 * nothing is left to do. It may be killed anywhere: launches are written down with a token before they are made. */
#include "base/log.h"
#include "base/map.h"
#include "call/inside.h"
#include "services/autoscaling/policy.h"
#include "services/ec2/door.h"
#include "services/ec2/network_door.h"
#include <pthread.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 64, LOOK_AGAIN_MS = 60000, BUSY_MS = 20 };

struct as_controller {
	struct cloud *cloud;
	pthread_mutex_t lock;
	struct map running; /* by a job's id */
};

/* ── what is to be ── */

static status decide(struct as_work *w)
{
	struct as_group *g = w->g;
	TRY(as_instances(g, w->all));
	TRY(as_launches(g, w->launches));
	for (size_t i = 0; i < w->all->n; i++) TRY(as_instance_step(w, &w->all->v[i]));
	TRY(as_instances(g, w->all));
	if (g->r.deleting.v) {
		for (size_t i = 0; i < w->all->n; i++) {
			struct autoscaling_rec_instance *r = &w->all->v[i];
			bool ends = str_find(r->state, STR("Terminating")) >= 0 && !str_ends(r->state, STR("Retained"));
			if (ends) continue;
			r->protected.v = false;
			TRY(as_instance_end(w, r,
				STR("an instance was taken out of service in response to a user request to "
				    "delete the Auto Scaling group.")));
		}
		if (!w->all->n && !w->launches->n) {
			w->changed = true;
			return as_group_drop(w->c, g);
		}
	} else {
		TRY(as_refresh_step(w));
		TRY(as_balance(w));
		TRY(as_pool_balance(w));
	}
	TRY(as_collect(w));
	TRY(as_activities_trim(g, w->now_ms));
	if (w->changed || store_has_writes(g->at.tx)) as_group_put(g);
	return OK;
}

/* One transaction. NOT_FOUND: the group is gone. */
static status look(
	struct cloud *cloud, struct arena *a, struct as_place at, struct str group, bool *changed, int64_t *next_ms)
{
	store_ticket ticket = 0;
	status s;
	do {
		struct as_group g;
		struct as_instances all;
		struct as_launches launches;
		struct as_work w = {.cloud = cloud,
			.g = &g,
			.all = &all,
			.launches = &launches,
			.now_ms = clock_now(cloud->clock),
			.next_ms = INT64_MAX};
		at.tx = store_begin(cloud->store, a, false);
		w.c = call_for_job(a, cloud, at.tx, at.account, at.region, AS_PRINCIPAL);
		s = as_group_load(at, group, &g);
		if (is_ok(s)) s = decide(&w);
		/* What changed nothing is not written. */
		if (is_ok(s) && store_has_writes(at.tx)) s = store_commit(at.tx, &ticket);
		store_end(at.tx);
		*changed = w.changed;
		*next_ms = w.next_ms;
		if (status_is(s, STATUS_FAILED)) {
			log_error("autoscaling", "controller_failed", "group=%.*s why=\"%.*s\"", STR_ARG(group),
				STR_ARG(w.c->failure.message));
			s = STATUS(IO);
		}
	} while (status_is(s, STATUS_CONFLICT));
	return s;
}

/* ── one at a time ── A job that is scheduled anew while it runs may begin a second time before it has ended: what the
 * first has looked at would be old when it acts. ── */

static bool claim(struct as_controller *k, struct str id)
{
	pthread_mutex_lock(&k->lock);
	bool free = !map_get(&k->running, id);
	if (free) map_set(&k->running, id, k);
	pthread_mutex_unlock(&k->lock);
	return free;
}

static void release(struct as_controller *k, struct str id)
{
	pthread_mutex_lock(&k->lock);
	map_remove(&k->running, id);
	pthread_mutex_unlock(&k->lock);
}

static status run(struct cloud *cloud, struct arena *a, struct as_place at, struct str group, int64_t *again_ms)
{
	int64_t next_ms = INT64_MAX;
	bool changed = true;
	for (unsigned round = 0; changed && round < ROUNDS_MAX; round++) {
		status s = look(cloud, a, at, group, &changed, &next_ms);
		if (status_is(s, STATUS_NOT_FOUND)) return OK;
		TRY(s);
		TRY(as_launches_run(cloud, a, at, group, &changed));
		TRY(as_effects_run(cloud, a, at, group, &changed, &next_ms));
	}
	int64_t now_ms = clock_now(cloud->clock);
	if (next_ms > now_ms + LOOK_AGAIN_MS) next_ms = now_ms + LOOK_AGAIN_MS;
	*again_ms = changed || next_ms <= now_ms ? now_ms : next_ms;
	return OK;
}

status as_group_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct as_controller *k = ctx;
	struct as_place at;
	struct str group, name;
	TRY(as_job_read(tx, a, job, &at, &group, &name));
	at.tx = NULL;
	if (!claim(k, job->id)) {
		*again_ms = clock_now(k->cloud->clock) + BUSY_MS;
		return OK;
	}
	status s = run(k->cloud, a, at, group, again_ms);
	release(k, job->id);
	return s;
}

/* ── what happens elsewhere ── */

/* A job of its own for each word, so that EC2's transactions lose against nobody. */
status as_look_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct as_place at;
	struct str group, name;
	struct as_group g;
	(void)again_ms;
	TRY(as_job_read(tx, a, job, &at, &group, &name));
	status s = as_group_load(at, group, &g);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	as_group_poke(&g, clock_now(cloud->clock));
	return OK;
}

static void look_at(struct cloud *cloud, struct as_place at, struct str group, struct str why)
{
	struct str id = as_job_id(at, group, why);
	jobs_schedule(at.tx,
		&(struct job){
			.kind = STR(AS_JOB_LOOK), .id = id, .due_ms = clock_now(cloud->clock), .payload = STR("")});
}

static void on_instance(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	const struct ec2_instance_event *i = e->detail;
	struct arena a;
	struct str group;
	(void)phase;
	arena_init(&a);
	struct as_place at = {tx, &a, e->account, e->region};
	if (is_ok(as_instance_group(at, i->instance, &group))) look_at(ctx, at, group, i->instance);
	arena_cleanup(&a);
}

static void on_zone(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct arena a;
	struct str key, value, part[5];
	(void)phase;
	arena_init(&a);
	struct key k = key_begin(&a);
	key_str(&k, STR("autoscaling"));
	key_str(&k, STR("group"));
	struct store_scan *scan = store_scan_begin(tx, key_done(&k), key_after(&a, key_done(&k)), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_dup(&a, key);
		bool well = true;
		for (unsigned i = 0; i < 5 && well; i++) well = is_ok(key_read_str(&a, &rest, &part[i]));
		if (well && str_eq(part[3], e->region))
			look_at(ctx, (struct as_place){tx, &a, part[2], part[3]}, part[4], STR("zone"));
	}
	if (!is_ok(store_scan_end(scan))) log_warn("autoscaling", "scan_failed", "what=groups");
	arena_cleanup(&a);
}

struct as_controller *as_controller_start(struct cloud *cloud)
{
	struct as_controller *k = mem_new(sizeof(*k));
	k->cloud = cloud;
	pthread_mutex_init(&k->lock, NULL);
	map_init(&k->running);
	bus_subscribe(cloud->bus, BUS_COMMITTING, "ec2.instance", on_instance, cloud);
	bus_subscribe(cloud->bus, BUS_COMMITTING, "ec2.zone", on_zone, cloud);
	jobs_register(cloud->jobs, AS_JOB_GROUP, as_group_job, k);
	jobs_register(cloud->jobs, AS_JOB_LOOK, as_look_job, cloud);
	jobs_register(cloud->jobs, AS_JOB_SCHEDULE, as_schedule_job, cloud);
	as_alarms_start(cloud);
	as_forecast_start(cloud);
	return k;
}

void as_controller_stop(struct as_controller *k)
{
	map_cleanup(&k->running, NULL);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
