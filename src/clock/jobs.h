/* Durable jobs: work that must happen at a virtual time, at least once, also after a crash. A job is written in the
 * transaction that wants it; when due, its handler runs in a worker thread with a transaction of its own, which also
 * removes or reschedules the job: so its effect and its removal are one. Handlers are idempotent. */
#pragma once
#include "base/arena.h"
#include "clock/clock.h"

struct jobs;
struct job {
	struct str kind;    /* "s3.lifecycle": names the handler */
	struct str id;      /* unique within the kind; scheduling again replaces */
	int64_t due_ms;
	struct str payload; /* a record's bytes; may be empty */
	uint32_t attempts;
};
/* A handler's calls on tx are committed by the worker; it must not commit or end tx. OK: done, *again_ms stays 0 and
 * the job goes, or is set to the virtual time of its next run. CONFLICT: run again at once (a hundred times at most).
 * Anything else: retried with growing delay (1 s to 5 min). */
typedef status (*job_handler)(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

struct jobs *jobs_new(struct store *s, struct clock *c);
/* Before jobs_start. kind must live as long as jobs. */
void jobs_register(struct jobs *j, const char *kind, job_handler fn, void *ctx);
/* threads: so many handlers at once, at most; a thread is made when it is first needed. */
void jobs_start(struct jobs *j, unsigned threads);
/* Waits for running handlers. */
void jobs_free(struct jobs *j);
/* Within a transaction; takes effect with its commit (call jobs_poke after it, or wait for the next tick, within a
 * second). attempts begins at 0. */
void jobs_schedule(struct store_tx *tx, const struct job *job);
void jobs_cancel(struct store_tx *tx, struct str kind, struct str id);
void jobs_poke(struct jobs *j);
/* Blocks until no job is due or running (for `virga clock advance`: when it returns, what was due has happened), at
 * most timeout_ms of real time; false then. Not from a handler. */
bool jobs_settle(struct jobs *j, int64_t timeout_ms);
