/* Inside the engine: a stack at work, and the tasks that its resources are. See engine.c for how they play together. */
#pragma once
#include "services/cloudformation/internal.h"
#include <pthread.h>

enum { CFN_TASKS_MAX = 12 }; /* of one stack at a time */

/* TASK_CREATE_AGAIN: begun before virga ended. */
enum cfn_task_kind {
	TASK_CREATE,
	TASK_CREATE_AGAIN,
	TASK_IMPORT,
	TASK_SETTLE,
	TASK_UPDATE,
	TASK_RETAG,
	TASK_REMOVE,
	TASK_REMOVE_OLD
};
struct cfn_op;
struct cfn_task {
	struct cfn_engine *engine;
	struct cfn_op *op;
	char logical_id[256];
	enum cfn_task_kind kind;
	unsigned tries;
	int64_t due_us; /* monotonic, while it waits */
	struct cfn_task *next;
};

/* A stack whose status ends in _IN_PROGRESS. */
struct cfn_op {
	struct cfn_op *next;
	char account[16], region[32], id[512];
	bool advancing, again;
	struct cfn_task *running; /* under the engine's lock; by next of their own list */
	unsigned n_running;
	pthread_mutex_t write; /* one writer of the stack's records at a time */
	/* The template of the phase. */
	int64_t phase;
	struct arena arena;
	bool loaded;
	struct cfn_template template;
};

struct cfn_engine {
	struct cloud *cloud;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct cfn_op *ops;
	struct cfn_task *waiting; /* for their time */
	pthread_t pacer;
	bool pacing, stopping;
	unsigned busy; /* advances and tasks under way */
};

/* task.c: does it and writes down what came of it; then the stack is looked at again. */
void cfn_task_run(void *task);
/* engine.c: begins a task, unless the resource has one. False where there are too many. */
bool cfn_task_begin(struct cfn_engine *e, struct cfn_op *op, struct str logical_id, enum cfn_task_kind kind);
bool cfn_task_running(struct cfn_engine *e, struct cfn_op *op, struct str logical_id);
/* Runs it again after a while. */
void cfn_task_later(struct cfn_engine *e, struct cfn_task *t, int64_t after_ms);
void cfn_task_done(struct cfn_engine *e, struct cfn_task *t);

/* A change of the stack's records: fn reads and writes in tx; it may run more than once. FAILED: nothing is written. */
typedef status (*cfn_change)(void *ctx, struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s);
status cfn_write(struct cfn_engine *e, struct cfn_op *op, cfn_change fn, void *ctx) MUST_USE;

/* phases.c: what is next. True: look again at once. */
bool cfn_build(struct cfn_engine *e, struct cfn_op *op, struct arena *a, struct cloudformation_rec_stack *s,
	struct cfn_resources *r, bool back);
bool cfn_remove_all(struct cfn_engine *e, struct cfn_op *op, struct arena *a, struct cloudformation_rec_stack *s,
	struct cfn_resources *r);
bool cfn_clean_up(struct cfn_engine *e, struct cfn_op *op, struct arena *a, struct cloudformation_rec_stack *s,
	struct cfn_resources *r);
