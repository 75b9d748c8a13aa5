/* Inside the room of CloudWatch Logs. Keys, beside those of events (chunk.h):
 *
 *     ("logs", "group", account, region, name)
 *     ("logs", "stream", account, region, group, name)
 *     ("logs", "filter", account, region, group, name)       metric filters
 *     ("logs", "policy", account, region, name)               resource policies
 *     ("logs", "definition", account, region, id)             saved queries
 *     ("logs", "export", account, region, id)
 *     ("logs", "query", account, region, id)
 *     ("logs", "subscription", account, region, group, name)
 *     ("logs", "account-policy", account, region, type)        one of a type
 *     ("logs", "destination", account, region, name)
 *     ("logs", "transformer", account, region, group)
 *
 * and what waits for delivery: see delivery.c. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "logs.h"
#include "logs_state.h"
#include "store/key.h"
#include <pthread.h>
#include <stdatomic.h>

#define LOGS_FAIL(c, NAME, ...) call_fail((c), LOGS_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
#define LOGS_DAY_MS 86400000ll

struct logs_tail;
struct logs {
	struct cloud *cloud;
	_Atomic uint64_t chunks; /* tells apart what comes in one millisecond */
	_Atomic size_t n_tails;
	pthread_mutex_t lock; /* guards the rest */
	struct logs_tail *tails;
	uint64_t tick; /* a timer's, while there are tails */
	bool stopping;
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
status logs_filters_run(struct call *c, struct str group, const struct logs_input_log_event *v,
	const struct logs_input_log_event *made, size_t n) MUST_USE;

/* ── transformer.c ── *made: the events as the group's transformer makes them, or NULL where it has none. */
status logs_transform_batch(struct call *c, const struct logs_rec_group *g, struct str stream,
	const struct logs_input_log_event *v, size_t n, const struct logs_input_log_event **made) MUST_USE;

/* ── subscription.c, account_policy.c: who wants a group's events ── */
struct logs_subscription {
	struct str group; /* "": the account's policy */
	struct str name, pattern, destination, role;
	bool random;
	bool transformed; /* of the events as the group's transformer makes them */
};
struct logs_subscriptions {
	struct logs_subscription *v;
	size_t n, capacity;
};
/* Of the group and of the account. */
status logs_subscriptions_of(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str group, struct logs_subscriptions *out) MUST_USE;
/* One; NOT_FOUND. */
status logs_subscription_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str group, struct str name, struct logs_subscription *out) MUST_USE;
/* The account's own policy, for all groups but those that it leaves out; NOT_FOUND. group: STR_NONE: whatever group. */
status logs_account_subscription(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str group, struct logs_subscription *out) MUST_USE;

/* ── destination.c ── */
/* Where a subscription's ARN leads: a stream, and the role (of which account) that may put into it. */
struct logs_target {
	struct str account, region, stream, role;
};
/* NOT_FOUND: there is no such logical destination. INVALID: the ARN leads nowhere that is known. */
status logs_target_of(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	const struct logs_subscription *s, struct logs_target *out) MUST_USE;
status logs_destination_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str name, struct logs_rec_destination *out) MUST_USE;
/* May the role put into the stream? Blocks, and commits by itself. FAILED: *why. */
status logs_target_permits(struct cloud *cloud, struct arena *a, const struct logs_target *t, struct str *why) MUST_USE;

/* ── delivery.c ── */
/* What of these events the group's and the account's subscriptions want, with the call's commit. */
status logs_subscriptions_run(struct call *c, const struct logs_rec_group *g, const struct logs_rec_stream *s,
	uint64_t number, const struct logs_input_log_event *v, const struct logs_input_log_event *made,
	size_t n) MUST_USE;
/* A subscription that is new; of one that goes, what waits goes too. */
void logs_delivery_begin(struct call *c, struct str group, struct str name);
status logs_delivery_end(struct call *c, struct str group, struct str name) MUST_USE;
/* Is the destination there, and does it take the test message that CloudWatch Logs puts into it? Otherwise the failure
 * is recorded. */
status logs_delivery_try(struct call *c, const struct logs_subscription *s) MUST_USE;
void logs_delivery_start(struct logs *l);

/* ── tail.c ── Live tails of the group are told of these events, once they are committed. */
void logs_tails_offer(
	struct call *c, struct str group, struct str stream, const struct logs_input_log_event *v, size_t n);
void logs_tails_end(struct logs *l);

/* ── permit.c ── */
status logs_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context) MUST_USE;

/* ── retention.c, export.c, query.c ── */
void logs_retention_start(struct logs *l);
void logs_retention_ready(struct logs *l);
void logs_export_start(struct logs *l);
void logs_query_start(struct logs *l);
