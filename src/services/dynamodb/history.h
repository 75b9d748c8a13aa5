/* What a table's items were: kept while point-in-time recovery is on, one record per item and second in which it
 * changed, with what it was before its first change in that second. The state at the beginning of a second is then, for
 * each item, what the first record of that second or later holds; without one it is the item itself. */
#pragma once
#include "services/dynamodb/service.h"

/* Notes what the item under this key (NULL: nothing) is before it changes. After it was read: then the seconds of one
 * item's changes follow their order. */
status ddb_history_write(struct work *w, const struct table *t, struct str key, const struct value *old) MUST_USE;

/* One item: stored bytes as of the two ends of a period, "" where there was none. changed_s: the last second within
 * [from, to) in which it changed, 0 where it did not. Bytes live until fn returns. */
struct past {
	struct str from, to;
	int64_t changed_s;
};
typedef status (*past_fn)(void *ctx, const struct past *p);
/* Every item that was there at the beginning of second from_s or of to_s, or between, in order of keys. from_s == to_s:
 * one instant. */
status ddb_history_read(
	struct work *w, const struct table *t, int64_t from_s, int64_t to_s, past_fn fn, void *ctx) MUST_USE;

/* The first and last second that the table can be restored to; false where recovery is off. */
bool ddb_history_range(const struct dynamodb_rec_table *r, int64_t now_ms, int64_t *first_s, int64_t *last_s);
/* Removes what is older than the recovery period, daily. */
void ddb_history_begin(struct work *w, const struct dynamodb_rec_table *r);
/* Recovery was switched off: all that is kept goes. */
void ddb_history_drop(struct work *w, const struct dynamodb_rec_table *r);
struct str ddb_history_prefix(struct arena *a, uint64_t table_id);
void ddb_history_jobs(struct ddb *d);
