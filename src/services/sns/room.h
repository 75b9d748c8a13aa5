/* Inside the room of SNS. Keys:
 *
 *     ("sns", "topic", account, region, name)
 *     ("sns", "subscription", account, region, name, id)       in the topic's account and region
 *     ("sns", "owned", owner, region, account, name, id)       a subscriber's subscriptions
 *     ("sns", "fifo", account, region, name, sequence)         messages of a FIFO topic, until they are delivered
 *     ("sns", "dedup", account, region, name, id) */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "services/kms/blob.h"
#include "services/kms/envelope.h"
#include "services/sns/door.h"
#include "sns.h"
#include "sns_state.h"
#include "store/key.h"

#define SNS_FAIL(c, NAME, ...) call_fail((c), SNS_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
/* "Amazon SNS endpoints and quotas" */
enum { SNS_MESSAGE_MAX = 262144, SNS_BATCH_MAX = 10, SNS_TAGS_MAX = 50, SNS_PAGE = 100 };
#define SNS_DEDUP_MS (5 * 60 * 1000ll)

struct sns {
	struct cloud *cloud;
};

/* ── records.c ── */
struct str sns_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name);
struct str sns_topic_arn(struct arena *a, const struct sns_rec_topic *t);
struct str sns_subscription_arn(struct arena *a, const struct sns_rec_topic *t, struct str id);
/* False where it is no ARN of SNS. id: of a subscription, else STR_NONE. */
bool sns_read_arn(struct str arn, struct str *account, struct str *region, struct str *name, struct str *id);
/* NOT_FOUND. */
status sns_topic_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct sns_rec_topic *out) MUST_USE;
/* InvalidParameter, NotFound. */
status sns_topic_load(struct call *c, struct str arn, struct sns_rec_topic *out) MUST_USE;
void sns_topic_put(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t);
/* NOT_FOUND. */
status sns_subscription_get(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, struct str id,
	struct sns_rec_subscription *out) MUST_USE;
/* InvalidParameter, NotFound. */
status sns_subscription_load(
	struct call *c, struct str arn, struct sns_rec_topic *t, struct sns_rec_subscription *out) MUST_USE;
void sns_subscription_put(struct call *c, const struct sns_rec_topic *t, const struct sns_rec_subscription *s);
void sns_subscription_drop(struct call *c, const struct sns_rec_topic *t, const struct sns_rec_subscription *s);
void sns_subscription_remove(
	struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, const struct sns_rec_subscription *s);
struct sns_subscriptions {
	struct sns_rec_subscription *v;
	size_t n, capacity;
};
status sns_subscriptions_of(
	struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, struct sns_subscriptions *out) MUST_USE;
struct str sns_get(const struct sns_rec_strings *m, struct str name);
void sns_set(struct arena *a, struct sns_rec_strings *m, struct str name, struct str value); /* STR_NONE removes */
/* A list's token: the place of the next page. */
status sns_token(struct call *c, struct str token, size_t *from) MUST_USE;
struct str sns_next(struct call *c, size_t at);

/* ── attributes.c ── */
struct str sns_default_policy(struct arena *a, struct str arn, struct str account);
/* FAILED unless the topic may have it. value "" removes. */
status sns_topic_attribute(struct call *c, struct sns_rec_topic *t, struct str name, struct str value) MUST_USE;

/* ── subscription.c ── */
status sns_subscription_attribute(struct call *c, const struct sns_rec_topic *t, struct sns_rec_subscription *s,
	struct str name, struct str value) MUST_USE;

/* ── filter.c ── */
/* FAILED (InvalidParameter) with why where it is no filter policy. */
status sns_filter_check(struct call *c, struct str policy, bool body) MUST_USE;
/* Does the message pass? policy: checked before; body: its scope is MessageBody. */
bool sns_filter_passes(struct arena *a, struct str policy, bool body, const struct sns_rec_message *m);

/* ── message.c ── */
/* What a subscriber that is no email gets: the JSON around the message, signed. protocol: picks from structured
 * messages. */
struct str sns_body_for(struct arena *a, const struct sns_rec_message *m, struct str protocol);
status sns_envelope(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_message *m, const struct sns_rec_subscription *to, struct str *out) MUST_USE;
/* The message by which a subscription is confirmed, likewise. */
status sns_confirmation(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, struct str id, struct str *out) MUST_USE;

/* ── deliver.c ── */
void sns_deliver_start(struct sns *s);
/* Writes the message so that it is delivered after the commit, to the subscriptions whose filter lets it through now;
 * FIFO: m->sequence is set. */
status sns_enqueue(struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	struct sns_rec_message *m, int64_t now_ms, struct kms_refusal *why) MUST_USE;

/* Moves what could not be delivered to the subscription's dead-letter queue, where it has one. */
status sns_dead_letter(struct sns *s, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, struct str body) MUST_USE;

/* ── http.c ── */
bool sns_is_http(const struct sns_rec_subscription *s);
void sns_http_start(struct sns *s);
/* A new subscription waits for its confirmation, which is sent. */
status sns_http_subscribe(struct call *c, const struct sns_rec_topic *t, struct sns_rec_subscription *s) MUST_USE;
/* message: a record, of type "Notification". */
status sns_http_enqueue(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, struct str type, struct str message, int64_t now_ms) MUST_USE;
status sns_delivery_policy_check(struct call *c, struct str text, bool of_topic) MUST_USE;
/* NOT_FOUND. */
status sns_find_token(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, struct str token,
	int64_t now_ms, struct sns_rec_subscription *out) MUST_USE;

/* ── seal.c: topics with a key of KMS ── */
/* Seals what the message says, where the topic has a key; FAILED with *why. */
status sns_message_seal(struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	struct sns_rec_message *m, struct kms_refusal *why) MUST_USE;
/* Opens it, where it is sealed. What the key refuses is an IO error: it is tried again. */
status sns_message_open(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	struct sns_rec_message *m) MUST_USE;
/* The client's error of a refusal; what is not FAILED passes. */
status sns_kms_failed(struct call *c, status s, const struct kms_refusal *why);

/* ── permit.c ── */
status sns_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context) MUST_USE;
