/* What the files of this service share: queues at run time, limits, batches, handles. */
#pragma once
#include "call/call.h"
#include "services/sqs/index.h"
#include "services/kms/keys.h"
#include "sqs.h"
#include "sqs_state.h"
#include "base/vec.h"
#include "store/key.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* "Amazon SQS message quotas", "Amazon SQS standard queue quotas". */
enum {
	MESSAGE_BYTES_MAX = 1048576,
	BATCH_MAX = 10,
	IN_FLIGHT_MAX = 120000,
	VISIBILITY_MAX_S = 43200,
	WAIT_MAX_S = 20,
	DELAY_MAX_S = 900,
	DEDUP_MS = 5 * 60 * 1000,
	ATTRIBUTES_MAX = 10,
	TAGS_MAX = 50,
	DATA_KEY_REUSE_S = 300,
};

struct waiter {
	struct call *call;
	int64_t deadline_ms;
	struct waiter *previous, *next;
	bool listed;
};
struct seen { /* a deduplication id, within its five minutes */
	struct str key; /* owned */
	int64_t expires_ms;
	uint64_t seq;
	char message_id[37];
	struct seen *next;
};

/* A queue at run time. Found by name in the state; kept by reference counts, so that a deleted one stays valid for calls
 * that hold it. `lock` guards everything below it. */
struct queue {
	struct sqs *sqs;
	uint64_t id;
	struct str name, account, region; /* in arena */
	bool fifo;
	int64_t created_ms;
	_Atomic int references;
	pthread_mutex_t lock;
	bool deleted, loaded;
	struct arena arena;
	/* attributes, as numbers where they are used */
	struct sqs_rec_queue record; /* in record_arena */
	struct arena record_arena;
	int64_t visibility_s, delay_s, retention_s, wait_s, message_bytes_max;
	bool content_dedup, dedup_per_group, sealed /* bodies are encrypted at rest */;
	/* Of seal.c, under a lock of their own, for a message may be put into a queue while another one's lock is held. */
	pthread_mutex_t key_lock;
	struct str kms_key; /* KmsMasterKeyId, on the heap; "" without: then by a key of virga's own */
	int64_t reuse_s;    /* KmsDataKeyReusePeriodSeconds */
	struct data_key *data_keys;
	struct str dlq_arn; /* "" without */
	uint32_t max_receives;
	int64_t purged_ms;
	/* messages */
	struct index index;
	_Atomic uint64_t next_seq;
	struct map dedup;
	struct seen *seen_first, **seen_last;
	/* long polls, first come first served */
	struct waiter *waiter_first, *waiter_last;
	uint64_t timer;
	int64_t timer_due_ms;
};

struct sqs {
	struct cloud *cloud;
	pthread_rwlock_t lock; /* guards queues and deleted */
	struct map queues;     /* account/region/name -> struct queue * */
	struct map deleted;    /* same key -> int64_t *: when */
	uint8_t secret[32];    /* receipt handles are signed with it */
	_Atomic uint64_t next_queue;
	_Atomic bool draining;
};

static inline struct sqs *sqs_of(struct call *c) { return c->state; }

/* queue.c. The queue that a client names, with one more reference; FAILED (QueueDoesNotExist) when there is none. */
status sqs_queue_by_url(struct call *c, struct str url, struct queue **out) MUST_USE;
struct queue *sqs_queue_by_name(struct sqs *s, struct arena *a, struct str account, struct str region, struct str name);
struct queue *sqs_queue_by_arn(struct sqs *s, struct arena *a, struct str arn);
void sqs_queue_release(struct queue *q);
/* Takes q->lock with its messages loaded. FAILED when the queue is deleted or cannot be read. */
status sqs_queue_lock(struct call *c, struct queue *q) MUST_USE;
status sqs_queue_load(struct queue *q) MUST_USE; /* under the lock, without a call */
static inline void sqs_queue_unlock(struct queue *q) { pthread_mutex_unlock(&q->lock); }
struct str sqs_queue_arn(struct arena *a, const struct queue *q);
struct str sqs_queue_url(struct call *c, const struct queue *q);
struct str sqs_queue_key(struct arena *a, struct str account, struct str region, struct str name);
void sqs_put_queue(struct store_tx *tx, struct arena *a, const struct queue *q, const struct sqs_rec_queue *r);
/* attributes.c: what the record says, as numbers. */
void sqs_queue_apply(struct queue *q);
/* FAILED unless the map names settable attributes with legal values; `now` holds what stands already (may be NULL). */
status sqs_check_attributes(struct call *c, bool fifo, const struct sqs_queue_attribute_map *given,
	const struct sqs_rec_queue *now) MUST_USE;
/* The default of an attribute that was never set; STR_NONE for those that have none. */
struct str sqs_default_attribute(struct str name);
struct str sqs_strings_get(const struct sqs_rec_strings *m, struct str name);

/* permit.c; see struct service. */
status sqs_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context);

status sqs_replace_record(struct call *c, struct queue *q, const struct sqs_rec_queue *r) MUST_USE;

/* messages.c: keys and records of messages. */
struct str sqs_message_key(struct arena *a, const char *kind, uint64_t queue, uint64_t seq);
void sqs_put_entry(struct store_tx *tx, struct arena *a, const struct queue *q, const struct message *m, struct str group);
void sqs_drop_message(struct store_tx *tx, struct arena *a, const struct queue *q, uint64_t seq);
/* Under the lock. FAILED with *why: the queue's KMS key does not serve. */
status sqs_get_body(struct store_tx *tx, struct arena *a, struct queue *q, uint64_t seq, struct sqs_rec_body *out,
	struct kms_refusal *why) MUST_USE;
/* Messages past their retention go: in the store and in the index. Under the lock. */
void sqs_expire(struct queue *q, struct arena *a, int64_t now_ms);
/* What waits and is due becomes ready. Under the lock. */
void sqs_ripen(struct queue *q, int64_t now_ms);
status sqs_commit(struct call *c, struct store_tx *tx) MUST_USE; /* commit, end, and let the answer wait for it */

/* seal.c: bodies at rest. FAILED with *why: the KMS key does not serve. */
status sqs_seal(struct queue *q, struct arena *a, uint64_t seq, struct str plain, struct sqs_rec_body *out,
	struct kms_refusal *why) MUST_USE;
status sqs_unseal(struct queue *q, struct arena *a, uint64_t seq, const struct sqs_rec_body *body, struct str *plain,
	struct kms_refusal *why) MUST_USE;
void sqs_set_key(struct queue *q, struct str kms_key, int64_t reuse_s); /* kms_key: STR_NONE for none */
void sqs_forget_keys(struct queue *q);                                 /* also kms_key: at the queue's end */
/* Makes the refusal the call's failure. */
status sqs_kms_failed(struct call *c, const struct kms_refusal *why);

/* wait.c: long polls. Under the lock. */
void sqs_wait(struct queue *q, struct waiter *w);
/* Wakes as many waiters as there are ready messages, and those whose time has come; sets the timer for the rest. */
void sqs_wake(struct queue *q, int64_t now_ms);
void sqs_unwait(struct queue *q, struct waiter *w);

/* handle.c: receipt handles. */
struct str sqs_handle(struct arena *a, const struct sqs *s, const struct queue *q, const struct message *m);
status sqs_handle_read(struct call *c, const struct queue *q, struct str handle, uint64_t *seq, uint64_t *nonce) MUST_USE;

/* digest.c: MD5 as hexadecimal, of bodies and of attribute lists ("Calculating the MD5 message digest for message
 * attributes"). */
struct str sqs_md5(struct arena *a, struct str body);
struct str sqs_md5_attributes(struct arena *a, const struct sqs_rec_attributes *list);

/* send.c: also used by redrive. seq is assigned; the message goes into the index only after its transaction committed. */
struct sqs_new_message {
	struct str group, dedup;
	struct sqs_rec_body body;
	int64_t sent_ms, visible_ms;
	bool delayed;
	uint64_t seq;
};
struct str sqs_sequence_number(struct arena *a, uint64_t seq);
/* FAILED with *why: the queue's KMS key does not serve. */
status sqs_put_message(struct store_tx *tx, struct arena *a, struct queue *q, struct sqs_new_message *m,
	struct kms_refusal *why) MUST_USE;
void sqs_index_message(struct queue *q, const struct sqs_new_message *m);

/* dedup.c: under the lock. The message that had this id within the last five minutes, or NULL; remembering one. */
struct str sqs_dedup_key(struct arena *a, const struct queue *q, struct str group, struct str id);
struct seen *sqs_seen(struct queue *q, struct str key, int64_t now_ms);
void sqs_put_dedup(struct store_tx *tx, struct arena *a, struct queue *q, struct str key, int64_t expires_ms, uint64_t seq,
	struct str message_id);
void sqs_remember(struct queue *q, struct str key, int64_t expires_ms, uint64_t seq, struct str message_id);
/* What is past its time goes: at most a few at once. */
void sqs_forget(struct store_tx *tx, struct arena *a, struct queue *q, int64_t now_ms);

/* attempt.c: receives of FIFO queues that are tried again. Under the lock. */
struct attempted {
	uint64_t seq, nonce;
	int64_t visible_ms;
};
void sqs_put_attempt(struct store_tx *tx, struct arena *a, const struct queue *q, struct str id, const struct attempted *v,
	size_t n, int64_t now_ms);
/* The messages that this attempt got, at most BATCH_MAX, when they are as it left them; else NOT_FOUND. */
status sqs_find_attempt(struct store_tx *tx, struct arena *a, struct queue *q, struct str id, int64_t now_ms,
	struct message **v, size_t *n) MUST_USE;

/* batch.c. */
status sqs_check_batch(struct call *c, size_t n, const char *entry_type) MUST_USE;
status sqs_check_batch_ids(struct call *c, const struct str *ids, size_t n) MUST_USE;
/* Turns the call's failure into a batch entry's. */
void sqs_batch_failure(struct call *c, struct str id, struct sqs_batch_result_error_entry_list *failed, size_t *capacity);

/* queue.c, for the service's table. */
status sqs_start(struct cloud *cloud, void **state) MUST_USE;
void sqs_drain(void *state);
void sqs_stop(void *state);
status sqs_reset(struct cloud *cloud, void *state, bool gone) MUST_USE;

/* move.c */
status sqs_moves_start(struct sqs *s) MUST_USE;
