/* Inside the room of CloudWatch Logs. Keys, beside those of events (chunk.h):
 *
 *     ("logs", "group", account, region, name)
 *     ("logs", "stream", account, region, group, name)
 *     ("logs", "filter", account, region, group, name)       metric filters
 *     ("logs", "policy", account, region, name)               resource policies
 *     ("logs", "definition", account, region, id)             saved queries
 *     ("logs", "export", account, region, id)
 *     ("logs", "query", account, region, id) */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "logs.h"
#include "logs_state.h"
#include "store/key.h"
#include <stdatomic.h>

#define LOGS_FAIL(c, NAME, ...) call_fail((c), LOGS_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
#define LOGS_DAY_MS 86400000ll

struct logs {
	struct cloud *cloud;
	_Atomic uint64_t chunks; /* tells apart what comes in one millisecond */
};

/* ── records.c ── */
struct str logs_key(struct arena *a, const char *kind, struct str account, struct str region);
struct str logs_key_of(struct arena *a, const char *kind, struct str account, struct str region, struct str name);
struct str logs_key_in(
	struct arena *a, const char *kind, struct str account, struct str region, struct str group, struct str name);
struct str logs_group_arn(struct arena *a, struct str account, struct str region, struct str name);
/* A name, or the ARN of a group (of the caller's account and region); ResourceNotFoundException,
 * InvalidParameterException. */
status logs_group_name(struct call *c, struct str name, struct str identifier, struct str *out) MUST_USE;
status logs_group_load(struct call *c, struct str name, struct logs_rec_group *out) MUST_USE;
void logs_group_put(struct call *c, const struct logs_rec_group *g);
status logs_stream_load(struct call *c, struct str group, struct str name, struct logs_rec_stream *out) MUST_USE;
struct logs_streams {
	struct logs_rec_stream *v;
	size_t n, capacity;
};
status logs_streams_of(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str group,
	struct str prefix, struct logs_streams *out) MUST_USE;
/* The oldest time that the group keeps. */
int64_t logs_kept_since(const struct logs_rec_group *g, int64_t now_ms);
struct str logs_get(const struct logs_rec_strings *m, struct str name);
void logs_set(struct arena *a, struct logs_rec_strings *m, struct str name, struct str value); /* STR_NONE removes */
/* Deletes all keys that begin so. */
status logs_drop(struct store_tx *tx, struct arena *a, struct str space) MUST_USE;
status logs_token(struct call *c, struct str token, struct str *after) MUST_USE; /* a name; "" without */

/* ── metric_filter.c ── Points of the group's filters for these events, with the call's commit. */
status logs_filters_run(struct call *c, struct str group, const struct logs_input_log_event *v, size_t n) MUST_USE;

/* ── retention.c, export.c, query.c ── */
void logs_retention_start(struct logs *l);
void logs_retention_ready(struct logs *l);
void logs_export_start(struct logs *l);
void logs_query_start(struct logs *l);
