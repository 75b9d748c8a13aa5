/* Copying many items in transactions of the copy's own, each small and with an arena of its own: backups, restored
 * tables, imports. What an interrupted copy leaves is removed by a job that only a whole copy cancels: see
 * ddb_purge_unless. */
#pragma once
#include "services/dynamodb/service.h"

struct copy {
	struct work w; /* of the transaction that runs */
	struct arena a;
	store_ticket last;
	size_t n;
};
void copy_init(struct copy *x);
void copy_cleanup(struct copy *x);
/* The operation c, which reads through w's transaction and writes through x; s: what came of it. */
void copy_open(struct copy *x, struct work *w, struct call *c);
status copy_close(struct copy *x, struct work *w, status s) MUST_USE;
/* Begins a transaction; w: whose cloud, and for whom. */
void copy_begin(struct copy *x, const struct work *w);
/* Commits it when s is OK, ends it in any case. */
status copy_commit(struct copy *x, status s) MUST_USE;
/* After each item: commits and begins anew when enough has come together. */
status copy_step(struct copy *x, const struct work *w) MUST_USE;
/* Every record of [prefix…) that w's transaction sees, to fn. */
typedef status (*copy_fn)(struct copy *x, void *ctx, struct str rest, struct str bytes);
status copy_range(struct work *w, struct copy *x, struct str prefix, copy_fn fn, void *ctx) MUST_USE;
/* One small transaction: fn's writes, again after a conflict. */
status copy_one(struct work *w, struct copy *x, status (*fn)(struct work *, void *), void *ctx) MUST_USE;

/* restore.c: a new table from what another was. */
struct overrides {
	struct str table, billing;
	const struct dynamodb_provisioned_throughput *throughput;
	const struct dynamodb_global_secondary_index_list *global;
	const struct dynamodb_local_secondary_index_list *local;
	const struct dynamodb_sse_specification *sse;
};
/* The new table's record; FAILED where the name is taken or the overrides do not fit. */
status ddb_restore_record(struct work *w, const struct dynamodb_rec_table *from, const struct overrides *o,
	struct dynamodb_rec_table *out) MUST_USE;
/* Before the first item, and once all are there. ctx: the record. */
status ddb_restore_announce(struct work *w, void *record) MUST_USE;
status ddb_restore_finish(struct work *w, void *record) MUST_USE;
/* Writes one stored item into the new table t. */
status ddb_restore_item(struct copy *x, const struct table *t, struct str bytes) MUST_USE;
