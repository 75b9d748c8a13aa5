/* Durable jobs. A job is two records: (virga, job, kind, id) tells when it is due, and (virga, job-due, due, kind, id)
 * holds it where a scan finds what is due first. One dispatcher thread looks what is due and hands it to workers; a
 * worker runs the handler in a transaction that also removes or moves the job. */
#include "clock/jobs.h"
#include "base/log.h"
#include "base/map.h"
#include "store/key.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { TICK_MS = 1000, QUEUE = 256, CONFLICTS_MAX = 100 };
static const int64_t first_retry_ms = 1000, last_retry_ms = 300000;

struct handler {
	const char *kind;
	job_handler fn;
	void *ctx;
};
struct jobs {
	struct store *store;
	struct clock *clock;
	struct handler *handlers;
	size_t n_handlers;
	pthread_t dispatcher, *workers;
	unsigned n_workers, most; /* as many as there were at once to be run; at most so many */
	pthread_mutex_t lock;
	pthread_cond_t work, changed, settled;
	bool stop;
	uint64_t pokes, finished; /* so many pokes, so many runs of handlers */
	uint64_t settled_at;      /* the last look that found nothing due or running began after that many pokes */
	struct str queue[QUEUE];  /* keys of due jobs, on the heap; a ring */
	unsigned first, queued, running;
	/* Jobs (by id_key) that are queued or running: one that is scheduled anew meanwhile waits for the end of that
	 * run, so that no two runs of a job are at work at the same time. */
	struct map claimed;
};

/* ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct key begin_key(struct arena *a, struct str what)
{
	struct key k = key_begin(a);
	key_str(&k, STR("virga"));
	key_str(&k, what);
	return k;
}

static struct str id_key(struct arena *a, struct str kind, struct str id)
{
	struct key k = begin_key(a, STR("job"));
	key_str(&k, kind);
	key_str(&k, id);
	return key_done(&k);
}

static struct str due_key(struct arena *a, int64_t due_ms, struct str kind, struct str id)
{
	struct key k = begin_key(a, STR("job-due"));
	key_i64(&k, due_ms);
	key_str(&k, kind);
	key_str(&k, id);
	return key_done(&k);
}

static status read_due_key(struct arena *a, struct str key, struct job *job)
{
	struct str skipped;
	TRY(key_read_str(a, &key, &skipped));
	TRY(key_read_str(a, &key, &skipped));
	TRY(key_read_i64(&key, &job->due_ms));
	TRY(key_read_str(a, &key, &job->kind));
	return key_read_str(a, &key, &job->id);
}

/* The value of a due record: attempts, payload. */
static void put_job(struct store_tx *tx, struct arena *a, const struct job *job)
{
	struct buf b = BUF_IN(a);
	buf_add(&b, &job->attempts, sizeof job->attempts);
	buf_str(&b, job->payload);
	store_put(tx, id_key(a, job->kind, job->id), str_n(&job->due_ms, sizeof job->due_ms));
	store_put(tx, due_key(a, job->due_ms, job->kind, job->id), buf_done(&b));
}

static void drop_job(struct store_tx *tx, struct arena *a, const struct job *job)
{
	store_delete(tx, id_key(a, job->kind, job->id));
	store_delete(tx, due_key(a, job->due_ms, job->kind, job->id));
}

/* When the job with this kind and id is due; INT64_MIN where there is none. */
static int64_t scheduled_at(struct store_tx *tx, struct arena *a, const struct job *job)
{
	struct str v;
	int64_t due_ms = INT64_MIN;
	if (is_ok(store_get(tx, id_key(a, job->kind, job->id), &v)) && v.n == sizeof due_ms) memcpy(&due_ms, v.p, v.n);
	return due_ms;
}

void jobs_cancel(struct store_tx *tx, struct str kind, struct str id)
{
	struct arena a;
	arena_init(&a);
	struct job job = {.kind = kind, .id = id};
	job.due_ms = scheduled_at(tx, &a, &job);
	if (job.due_ms != INT64_MIN) drop_job(tx, &a, &job);
	arena_cleanup(&a);
}

void jobs_schedule(struct store_tx *tx, const struct job *job)
{
	struct arena a;
	arena_init(&a);
	struct job fresh = *job;
	fresh.attempts = 0;
	jobs_cancel(tx, job->kind, job->id);
	put_job(tx, &a, &fresh);
	arena_cleanup(&a);
}

/* ── running ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct handler *find_handler(const struct jobs *j, struct str kind)
{
	for (size_t i = 0; i < j->n_handlers; i++)
		if (str_eq(kind, str_c(j->handlers[i].kind))) return &j->handlers[i];
	return NULL;
}

/* The job as it stands now; NOT_FOUND when it was cancelled or moved. */
static status load(struct store_tx *tx, struct arena *a, struct str key, struct job *job)
{
	struct str v;
	*job = (struct job){0};
	TRY(read_due_key(a, key, job));
	TRY(store_get(tx, key, &v));
	if (v.n < sizeof job->attempts) return STATUS(CORRUPT);
	memcpy(&job->attempts, v.p, sizeof job->attempts);
	job->payload = str_from(v, sizeof job->attempts);
	return OK;
}

static status attempt(struct jobs *j, struct arena *a, struct str key)
{
	struct store_tx *tx = store_begin(j->store, a, false);
	struct job job;
	int64_t again_ms = 0;
	store_ticket ticket;
	status r = load(tx, a, key, &job);
	const struct handler *h = is_ok(r) ? find_handler(j, job.kind) : NULL;
	if (status_is(r, STATUS_NOT_FOUND)) {
		store_end(tx);
		return OK;
	}
	if (is_ok(r) && scheduled_at(tx, a, &job) != job.due_ms) { /* left over: another record stands for this job */
		store_delete(tx, key);
		return store_commit(tx, &ticket);
	}
	/* What a handler does elsewhere is done twice where its transaction has to be made again: so not in one that
	 * is lost already, as it is when the job's own commit has not been counted yet. */
	if (is_ok(r)) r = store_check(tx);
	if (is_ok(r)) r = h->fn(h->ctx, tx, a, &job, &again_ms);
	if (!is_ok(r)) {
		store_end(tx);
		return r;
	}
	/* The handler may have scheduled its own job anew, or cancelled it: then that stands. */
	if (scheduled_at(tx, a, &job) == job.due_ms) {
		drop_job(tx, a, &job);
		if (again_ms != 0) {
			job.attempts = 0;
			job.due_ms = again_ms;
			put_job(tx, a, &job);
		}
	}
	return store_commit(tx, &ticket);
}

/* After a failure: later, and later still. */
static status postpone(struct jobs *j, struct arena *a, struct str key, status why)
{
	struct store_tx *tx = store_begin(j->store, a, false);
	struct job job;
	store_ticket ticket;
	status r = load(tx, a, key, &job);
	if (!is_ok(r)) {
		store_end(tx);
		return status_is(r, STATUS_NOT_FOUND) ? OK : r;
	}
	int64_t delay_ms = job.attempts < 10 ? first_retry_ms << job.attempts : last_retry_ms;
	if (delay_ms > last_retry_ms) delay_ms = last_retry_ms;
	drop_job(tx, a, &job);
	job.attempts++;
	job.due_ms = clock_now(j->clock) + delay_ms;
	put_job(tx, a, &job);
	log_warn("jobs", "job_failed", "kind=%.*s id=%.*s why=%s attempts=%u again_in_ms=%lld", STR_ARG(job.kind),
		STR_ARG(job.id), status_name(why), job.attempts, (long long)delay_ms);
	return store_commit(tx, &ticket);
}

static void run_job(struct jobs *j, struct arena *a, struct str key)
{
	status r, moved;
	unsigned conflicts = 0;
	do {
		arena_reset(a);
		r = attempt(j, a, key);
	} while (status_is(r, STATUS_CONFLICT) && ++conflicts < CONFLICTS_MAX);
	if (is_ok(r)) return;
	do {
		arena_reset(a);
		moved = postpone(j, a, key, r);
	} while (status_is(moved, STATUS_CONFLICT));
	if (!is_ok(moved)) log_error("jobs", "postpone_failed", "why=%s", status_name(moved));
}

static void *work(void *arg)
{
	struct jobs *j = arg;
	struct arena a;
	arena_init(&a);
	pthread_mutex_lock(&j->lock);
	for (;;) {
		while (j->queued == 0 && !j->stop) pthread_cond_wait(&j->work, &j->lock);
		if (j->stop) break;
		struct str key = j->queue[j->first++ % QUEUE];
		j->queued--;
		j->running++;
		pthread_mutex_unlock(&j->lock);
		run_job(j, &a, key);
		arena_reset(&a);
		struct job done = {0};
		/* It was read when it was queued. */
		INVARIANT(is_ok(read_due_key(&a, key, &done)));
		struct str claim = id_key(&a, done.kind, done.id);
		pthread_mutex_lock(&j->lock);
		j->running--;
		map_remove(&j->claimed, claim);
		free((char *)(uintptr_t)key.p);
		j->finished++; /* it may have made others due, or itself again */
		pthread_cond_signal(&j->changed);
	}
	pthread_mutex_unlock(&j->lock);
	arena_cleanup(&a);
	return NULL;
}

/* ── dispatching ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Another worker where all have something to do: a job may wait for long, for a machine to start or a service to
 * answer. Under the lock. */
static void add_worker(struct jobs *j)
{
	if (j->n_workers == j->most || j->running + j->queued <= j->n_workers) return;
	if (pthread_create(&j->workers[j->n_workers], NULL, work, j) == 0)
		j->n_workers++;
	else
		INVARIANT(j->n_workers > 0);
}

/* Queues what is due. True if something is due that is neither queued nor running yet and found no room. *next_ms: when
 * the next one will be due, else INT64_MAX. */
static bool look(struct jobs *j, struct arena *a, int64_t now_ms, int64_t *next_ms)
{
	struct store_tx *tx = store_begin(j->store, a, true);
	struct key from = begin_key(a, STR("job-due"));
	struct store_scan *c = store_scan_begin(tx, key_done(&from), key_after(a, key_done(&from)), false);
	struct str key, value;
	bool full = false;
	*next_ms = INT64_MAX;
	while (!full && store_scan_next(c, &key, &value)) {
		struct job job;
		if (!is_ok(read_due_key(a, key, &job))) continue;
		if (job.due_ms > now_ms) {
			*next_ms = job.due_ms;
			break;
		}
		if (!find_handler(j, job.kind)) continue; /* of a service that this program does not have: kept */
		struct str claim = id_key(a, job.kind, job.id);
		pthread_mutex_lock(&j->lock);
		if (!map_get(&j->claimed, claim)) {
			full = j->queued == QUEUE;
			if (!full) {
				char *copy = mem_new(key.n);
				memcpy(copy, key.p, key.n);
				j->queue[(j->first + j->queued++) % QUEUE] = str_n(copy, key.n);
				map_set(&j->claimed, claim, copy);
				add_worker(j);
				pthread_cond_signal(&j->work);
			}
		}
		pthread_mutex_unlock(&j->lock);
	}
	if (!is_ok(store_scan_end(c))) full = true;
	store_end(tx);
	return full;
}

static void *dispatch(void *arg)
{
	struct jobs *j = arg;
	struct arena a;
	arena_init(&a);
	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		uint64_t pokes = j->pokes, finished = j->finished;
		pthread_mutex_unlock(&j->lock);
		int64_t now_ms = clock_now(j->clock), next_ms;
		bool more = look(j, &a, now_ms, &next_ms);
		arena_reset(&a);
		pthread_mutex_lock(&j->lock);
		if (!more && j->queued == 0 && j->running == 0 && j->finished == finished) {
			j->settled_at = pokes;
			pthread_cond_broadcast(&j->settled);
		}
		if (j->stop || j->pokes != pokes || j->finished != finished) continue;
		/* Virtual time may be moved while we sleep; who moves it pokes. */
		int64_t wait_ms = next_ms == INT64_MAX || next_ms - now_ms > TICK_MS ? TICK_MS : next_ms - now_ms;
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		int64_t ns = until.tv_nsec + wait_ms % 1000 * 1000000;
		until.tv_sec += wait_ms / 1000 + ns / 1000000000;
		until.tv_nsec = ns % 1000000000;
		pthread_cond_timedwait(&j->changed, &j->lock, &until);
	}
	pthread_mutex_unlock(&j->lock);
	arena_cleanup(&a);
	return NULL;
}

void jobs_poke(struct jobs *j)
{
	pthread_mutex_lock(&j->lock);
	j->pokes++;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

bool jobs_settle(struct jobs *j, int64_t timeout_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + timeout_ms % 1000 * 1000000;
	until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	pthread_mutex_lock(&j->lock);
	uint64_t mine = ++j->pokes;
	int failed = 0;
	pthread_cond_signal(&j->changed);
	while (j->settled_at < mine && failed == 0) failed = pthread_cond_timedwait(&j->settled, &j->lock, &until);
	bool settled = j->settled_at >= mine;
	pthread_mutex_unlock(&j->lock);
	return settled;
}

/* ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct jobs *jobs_new(struct store *s, struct clock *c)
{
	struct jobs *j = mem_new(sizeof *j);
	j->store = s;
	j->clock = c;
	map_init(&j->claimed);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->work, &monotonic);
	pthread_cond_init(&j->changed, &monotonic);
	pthread_cond_init(&j->settled, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return j;
}

void jobs_register(struct jobs *j, const char *kind, job_handler fn, void *ctx)
{
	INVARIANT(!j->workers && !find_handler(j, str_c(kind)));
	j->handlers = mem_grow(j->handlers, (j->n_handlers + 1) * sizeof *j->handlers);
	j->handlers[j->n_handlers++] = (struct handler){kind, fn, ctx};
}

void jobs_start(struct jobs *j, unsigned threads)
{
	INVARIANT(!j->workers);
	j->most = threads > 0 ? threads : 1;
	j->workers = mem_new(j->most * sizeof *j->workers);
	INVARIANT(pthread_create(&j->dispatcher, NULL, dispatch, j) == 0);
}

void jobs_free(struct jobs *j)
{
	if (!j) return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->work);
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
	if (j->workers) pthread_join(j->dispatcher, NULL);
	for (unsigned i = 0; i < j->n_workers; i++) pthread_join(j->workers[i], NULL);
	for (; j->queued > 0; j->queued--) free((char *)(uintptr_t)j->queue[j->first++ % QUEUE].p);
	map_cleanup(&j->claimed, NULL);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->work);
	pthread_cond_destroy(&j->changed);
	pthread_cond_destroy(&j->settled);
	free(j->workers);
	free(j->handlers);
	free(j);
}
