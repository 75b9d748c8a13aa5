/* The engine: every stack whose status ends in _IN_PROGRESS is brought, step by step, to its end. Nothing is remembered
 * but which tasks run: what is next is decided anew from the stored records whenever something has changed, so that a
 * stack goes on after a crash from where it was. A task is one call of a resource's handler in a worker; what came of
 * it is written before the stack is looked at again. */
#include "services/cloudformation/engine.h"
#include "base/log.h"
#include "call/dispatch.h"
#include "call/workers.h"
#include "store/key.h"
#include <stdlib.h>
#include <time.h>

struct cfn_engine *cfn_engine_new(struct cloud *cloud)
{
	struct cfn_engine *e = mem_new(sizeof(*e));
	pthread_condattr_t monotonic;
	e->cloud = cloud;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&e->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return e;
}

static void free_op(struct cfn_op *op)
{
	arena_cleanup(&op->arena);
	pthread_mutex_destroy(&op->write);
	free(op);
}

void cfn_engine_free(struct cfn_engine *e)
{
	if (!e) return;
	pthread_mutex_lock(&e->lock);
	e->stopping = true;
	pthread_cond_broadcast(&e->changed);
	while (e->busy) pthread_cond_wait(&e->changed, &e->lock);
	bool pacing = e->pacing;
	pthread_mutex_unlock(&e->lock);
	if (pacing) pthread_join(e->pacer, NULL);
	while (e->waiting) {
		struct cfn_task *t = e->waiting;
		e->waiting = t->next;
		free(t);
	}
	while (e->ops) {
		struct cfn_op *op = e->ops;
		e->ops = op->next;
		free_op(op);
	}
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

struct cfn_engine *cfn_engine_of(const struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (strcmp(cloud->services[i]->model->name, "cloudformation") == 0) return cloud->service_state[i];
	return NULL;
}

/* ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Under the lock. */
static bool has_task(const struct cfn_op *op, struct str logical_id)
{
	for (const struct cfn_task *t = op->running; t; t = t->next)
		if (str_eq(str_c(t->logical_id), logical_id)) return true;
	return false;
}

/* Waiting tasks count as running: they are in both senses under way. */
static bool waits(const struct cfn_engine *e, const struct cfn_op *op, struct str logical_id)
{
	for (const struct cfn_task *t = e->waiting; t; t = t->next)
		if (t->op == op && str_eq(str_c(t->logical_id), logical_id)) return true;
	return false;
}

bool cfn_task_running(struct cfn_engine *e, struct cfn_op *op, struct str logical_id)
{
	pthread_mutex_lock(&e->lock);
	bool found = has_task(op, logical_id) || waits(e, op, logical_id);
	pthread_mutex_unlock(&e->lock);
	return found;
}

bool cfn_task_begin(struct cfn_engine *e, struct cfn_op *op, struct str logical_id, enum cfn_task_kind kind)
{
	struct cfn_task *t = NULL;
	pthread_mutex_lock(&e->lock);
	bool room = op->n_running < CFN_TASKS_MAX && !e->stopping;
	if (room && !has_task(op, logical_id) && !waits(e, op, logical_id) && logical_id.n < sizeof(t->logical_id)) {
		t = mem_new(sizeof(*t));
		*t = (struct cfn_task){.engine = e, .op = op, .kind = kind, .next = op->running};
		memcpy(t->logical_id, logical_id.p, logical_id.n);
		op->running = t;
		op->n_running++;
		e->busy++;
	}
	pthread_mutex_unlock(&e->lock);
	if (t) workers_run(e->cloud->workers, cfn_task_run, t);
	return room;
}

/* Under the lock: it no longer runs. */
static void unlist(struct cfn_op *op, struct cfn_task *t)
{
	struct cfn_task **at = &op->running;
	while (*at != t) at = &(*at)->next;
	*at = t->next;
	op->n_running--;
}

static int64_t now_us(void)
{
	return clock_monotonic_us();
}

static void *pace(void *arg)
{
	struct cfn_engine *e = arg;
	pthread_mutex_lock(&e->lock);
	while (!e->stopping) {
		struct cfn_task **first = NULL;
		for (struct cfn_task **t = &e->waiting; *t; t = &(*t)->next)
			if (!first || (*t)->due_us < (*first)->due_us) first = t;
		if (!first) {
			pthread_cond_wait(&e->changed, &e->lock);
			continue;
		}
		struct cfn_task *t = *first;
		int64_t wait_us = t->due_us - now_us();
		if (wait_us > 0) {
			struct timespec until;
			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_nsec += (wait_us % 1000000) * 1000;
			until.tv_sec += wait_us / 1000000 + until.tv_nsec / 1000000000;
			until.tv_nsec %= 1000000000;
			pthread_cond_timedwait(&e->changed, &e->lock, &until);
			continue;
		}
		*first = t->next;
		t->next = t->op->running;
		t->op->running = t;
		t->op->n_running++;
		e->busy++;
		pthread_mutex_unlock(&e->lock);
		workers_run(e->cloud->workers, cfn_task_run, t);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

void cfn_task_later(struct cfn_engine *e, struct cfn_task *t, int64_t after_ms)
{
	pthread_mutex_lock(&e->lock);
	unlist(t->op, t);
	t->due_us = now_us() + after_ms * 1000;
	t->next = e->waiting;
	e->waiting = t;
	if (!e->pacing && !e->stopping) e->pacing = pthread_create(&e->pacer, NULL, pace, e) == 0;
	e->busy--;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

/* ── stacks ───────────────────────────────────────────────────────────────────────────────────────────────────── */

status cfn_write(struct cfn_engine *e, struct cfn_op *op, cfn_change fn, void *ctx)
{
	pthread_mutex_lock(&op->write);
	status st;
	for (;;) {
		struct arena a;
		struct cloudformation_rec_stack s = {0};
		struct cfn_place p = {str_c(op->account), str_c(op->region)};
		store_ticket ticket;
		arena_init(&a);
		struct store_tx *tx = store_begin(e->cloud->store, &a, false);
		st = cfn_stack_find(tx, &a, p, str_c(op->id), &s);
		if (is_ok(st)) st = fn(ctx, tx, &a, &s);
		if (is_ok(st)) st = store_commit(tx, &ticket);
		store_end(tx);
		arena_cleanup(&a);
		if (!status_is(st, STATUS_CONFLICT)) break;
	}
	pthread_mutex_unlock(&op->write);
	if (!is_ok(st) && !status_is(st, STATUS_FAILED))
		log_error("cloudformation", "write", "stack=\"%s\" status=%s", op->id, status_name(st));
	return st;
}

/* One look at the stack. True: look again. */
static bool step(struct cfn_engine *e, struct cfn_op *op, bool *over)
{
	struct arena a;
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources r = {0};
	arena_init(&a);
	struct store_tx *tx = store_begin(e->cloud->store, &a, true);
	status st =
		cfn_stack_find(tx, &a, (struct cfn_place){str_c(op->account), str_c(op->region)}, str_c(op->id), &s);
	if (is_ok(st)) st = cfn_resources_load(tx, &a, &s, &r);
	store_end(tx);
	bool again = false;
	*over = !is_ok(st);
	if (is_ok(st)) {
		if (str_is(s.status, "CREATE_IN_PROGRESS") || str_is(s.status, "UPDATE_IN_PROGRESS") ||
			str_is(s.status, "IMPORT_IN_PROGRESS"))
			again = cfn_build(e, op, &a, &s, &r, false);
		else if (str_is(s.status, "UPDATE_ROLLBACK_IN_PROGRESS"))
			again = cfn_build(e, op, &a, &s, &r, true);
		else if (str_is(s.status, "DELETE_IN_PROGRESS") || str_is(s.status, "ROLLBACK_IN_PROGRESS"))
			again = cfn_remove_all(e, op, &a, &s, &r);
		else if (str_ends(s.status, STR("CLEANUP_IN_PROGRESS")))
			again = cfn_clean_up(e, op, &a, &s, &r);
		else
			*over = true;
		if (*over && str_has(s.parent)) cfn_engine_hurry(e, s.parent);
	}
	arena_cleanup(&a);
	return again;
}

/* Takes the stack off the list when its work is over and nobody looks at it. */
static void leave(struct cfn_engine *e, struct cfn_op *op)
{
	struct cfn_op **at = &e->ops;
	while (*at != op) at = &(*at)->next;
	*at = op->next;
	free_op(op);
}

static void advance(void *arg)
{
	struct cfn_op *op = ((void **)arg)[0];
	struct cfn_engine *e = ((void **)arg)[1];
	free(arg);
	for (;;) {
		bool over = false;
		while (step(e, op, &over)) continue;
		pthread_mutex_lock(&e->lock);
		bool again = op->again && !e->stopping;
		op->again = false;
		if (!again) {
			op->advancing = false;
			bool waited = false;
			for (const struct cfn_task *t = e->waiting; t; t = t->next) waited |= t->op == op;
			if (over && !op->running && !waited) leave(e, op);
			e->busy--;
			pthread_cond_broadcast(&e->changed);
			pthread_mutex_unlock(&e->lock);
			return;
		}
		pthread_mutex_unlock(&e->lock);
	}
}

/* Under the lock. */
static void look_at(struct cfn_engine *e, struct cfn_op *op)
{
	op->again = true;
	if (op->advancing || e->stopping) return;
	op->advancing = true;
	op->again = false;
	e->busy++;
	void **arg = mem_new(2 * sizeof(void *));
	arg[0] = op;
	arg[1] = e;
	workers_run(e->cloud->workers, advance, arg);
}

void cfn_task_done(struct cfn_engine *e, struct cfn_task *t)
{
	pthread_mutex_lock(&e->lock);
	unlist(t->op, t);
	look_at(e, t->op);
	free(t);
	e->busy--;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

void cfn_engine_poke(struct cfn_engine *e, struct cfn_place p, struct str stack_id)
{
	pthread_mutex_lock(&e->lock);
	struct cfn_op *op = e->ops;
	while (op && !str_eq(str_c(op->id), stack_id)) op = op->next;
	if (!op && stack_id.n < sizeof(op->id) && p.account.n < sizeof(op->account) &&
		p.region.n < sizeof(op->region)) {
		op = mem_new(sizeof(*op));
		arena_init(&op->arena);
		pthread_mutex_init(&op->write, NULL);
		memcpy(op->id, stack_id.p, stack_id.n);
		memcpy(op->account, p.account.p, p.account.n);
		memcpy(op->region, p.region.p, p.region.n);
		op->next = e->ops;
		e->ops = op;
	}
	if (op) look_at(e, op);
	pthread_mutex_unlock(&e->lock);
}

void cfn_engine_hurry(struct cfn_engine *e, struct str stack_id)
{
	pthread_mutex_lock(&e->lock);
	for (struct cfn_task *t = e->waiting; t; t = t->next)
		if (str_eq(str_c(t->op->id), stack_id)) t->due_us = 0, t->tries = 0;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

void cfn_engine_resume(struct cfn_engine *e)
{
	struct arena a;
	arena_init(&a);
	struct key k = key_begin(&a);
	key_str(&k, STR("cloudformation"));
	key_str(&k, STR("stack"));
	struct str from = key_done(&k), key, value;
	struct store_tx *tx = store_begin(e->cloud->store, &a, true);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(&a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_stack s = {0};
		if (!is_ok(cloudformation_rec_stack_decode(&a, value, &s)) || !str_ends(s.status, STR("_IN_PROGRESS")))
			continue;
		cfn_engine_poke(e, cfn_place_of(&s), s.id);
	}
	if (!is_ok(store_scan_end(scan))) log_error("cloudformation", "resume", "the stacks could not be read");
	store_end(tx);
	arena_cleanup(&a);
}
