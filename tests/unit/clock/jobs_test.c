/* Durable jobs: when they run, how often, in which order with their own effects, over failures and restarts. */
#include "../store/folder.h"
#include "clock/jobs.h"
#include "store/key.h"
#include <pthread.h>
#include <time.h>

static char dir[PATH_MAX];
static struct store *s;
static struct clock *c;
static struct jobs *j;
static struct arena a;
static _Atomic int runs, failures_wanted, again_wanted;

static int64_t counter(struct store_tx *tx, struct arena *arena, struct str id, int64_t add)
{
	struct key k = key_begin(arena);
	struct str v;
	int64_t n = 0;
	key_str(&k, STR("counter"));
	key_str(&k, id);
	if (is_ok(store_get(tx, key_done(&k), &v))) memcpy(&n, v.p, sizeof n);
	n += add;
	if (add) store_put(tx, key_done(&k), str_n(&n, sizeof n));
	return n;
}
static status count(void *ctx, struct store_tx *tx, struct arena *arena, const struct job *job, int64_t *again_ms)
{
	runs++;
	counter(tx, arena, job->id, 1); /* undone where we fail */
	counter(tx, arena, STR("all"), 1);
	if (failures_wanted > 0) {
		failures_wanted--;
		return STATUS(IO);
	}
	if (again_wanted > 0) {
		again_wanted--;
		*again_ms = job->due_ms + 60000;
	}
	(void)ctx;
	return OK;
}
static status chain(void *ctx, struct store_tx *tx, struct arena *arena, const struct job *job, int64_t *again_ms)
{
	(void)ctx, (void)again_ms;
	counter(tx, arena, STR("chain"), 1);
	if (job->payload.n == 0) return OK;
	struct job next = *job;
	next.id = str_sub(job->payload, 0, 1);
	next.payload = str_from(job->payload, 1);
	jobs_schedule(tx, &next);
	return OK;
}
/* Stays at work for a while, and tells how many of it are. */
static _Atomic int at_work, most_at_work;
static status slow(void *ctx, struct store_tx *tx, struct arena *arena, const struct job *job, int64_t *again_ms)
{
	int n = ++at_work;
	(void)ctx, (void)job, (void)again_ms;
	if (n > most_at_work) most_at_work = n;
	nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
	counter(tx, arena, STR("slow"), 1);
	at_work--;
	return OK;
}
static void start(void)
{
	s = folder_open(dir, DURABILITY_RELAXED);
	c = clock_new(s);
	j = jobs_new(s, c);
	jobs_register(j, "count", count, NULL);
	jobs_register(j, "chain", chain, NULL);
	jobs_register(j, "slow", slow, NULL);
	jobs_start(j, 3);
}
static void stop(void)
{
	jobs_free(j);
	clock_free(c);
	store_close(s);
}
static void begin(void)
{
	arena_init(&a);
	folder_make(dir);
	runs = failures_wanted = again_wanted = 0;
	start();
}
static void end(void)
{
	stop();
	folder_remove(dir);
	arena_cleanup(&a);
}
static void schedule(const char *kind, const char *id, int64_t in_ms, const char *payload)
{
	store_ticket t;
	struct job job = {str_c(kind), str_c(id), clock_now(c) + in_ms, str_c(payload), 0};
	status st;
	do { /* a job that runs meanwhile may win */
		struct store_tx *tx = store_begin(s, &a, false);
		jobs_schedule(tx, &job);
		st = store_commit(tx, &t);
	} while (status_is(st, STATUS_CONFLICT));
	CHECK_OK(st);
	jobs_poke(j);
}
static int64_t counted(const char *id)
{
	struct store_tx *tx = store_begin(s, &a, true);
	int64_t n = counter(tx, &a, str_c(id), 0);
	store_end(tx);
	return n;
}

TEST(runs_when_due)
{
	begin();
	schedule("count", "now", 0, "");
	schedule("count", "later", 86400000, "");
	schedule("count", "replaced", 1000000, "");
	schedule("count", "replaced", 90000000, "");
	schedule("count", "cancelled", 1000000, "");
	schedule("unknown", "x", 0, "");
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("now") == 1 && counted("later") == 0);
	store_ticket t;
	struct store_tx *tx = store_begin(s, &a, false);
	jobs_cancel(tx, STR("count"), STR("cancelled"));
	jobs_cancel(tx, STR("count"), STR("never was"));
	CHECK_OK(store_commit(tx, &t));
	CHECK_OK(clock_advance(c, 87000000));
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("later") == 1 && counted("replaced") == 0 && counted("cancelled") == 0);
	CHECK_OK(clock_advance(c, 87000000));
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("replaced") == 1 && counted("now") == 1 && runs == 3);
	end();
}

TEST(many_jobs_contend)
{
	begin();
	for (int i = 0; i < 600; i++) schedule("count", str_z(&a, str_fmt(&a, "job-%d", i)), i % 7 * 1000, "");
	CHECK_OK(clock_advance(c, 10000));
	CHECK(jobs_settle(j, 30000));
	CHECK(counted("all") == 600); /* each once, although all write one counter */
	for (int i = 0; i < 600; i++) CHECK(counted(str_z(&a, str_fmt(&a, "job-%d", i))) == 1);
	end();
}

TEST(failures_are_retried_and_leave_nothing)
{
	begin();
	failures_wanted = 3;
	schedule("count", "x", 0, "");
	CHECK(jobs_settle(j, 5000));
	CHECK(runs == 1 && counted("x") == 0);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(clock_advance(c, 2000 << i));
		CHECK(jobs_settle(j, 5000));
	}
	CHECK(runs == 4 && counted("x") == 1);
	end();
}

TEST(runs_again_when_asked)
{
	begin();
	again_wanted = 5;
	schedule("count", "x", 0, "");
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("x") == 1);
	CHECK_OK(clock_advance(c, 3600000));
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("x") == 6);
	end();
}

TEST(settle_waits_for_what_jobs_schedule)
{
	begin();
	schedule("chain", "0", 0, "123456789");
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("chain") == 10);
	end();
}

TEST(survives_a_restart)
{
	begin();
	schedule("count", "x", 500000, "");
	stop();
	start();
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("x") == 0);
	CHECK_OK(clock_advance(c, 600000));
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("x") == 1);
	stop();
	start();
	CHECK(jobs_settle(j, 5000));
	CHECK(counted("x") == 1);
	end();
}

TEST(no_two_runs_of_a_job_at_a_time)
{
	begin();
	schedule("slow", "x", 0, "");
	for (int i = 0; i < 5; i++) {
		while (!at_work && counted("slow") == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		schedule("slow", "x", -i, "");
	}
	CHECK(jobs_settle(j, 20000));
	CHECK(most_at_work == 1 && counted("slow") >= 1);
	end();
}

TEST_MAIN()
