/* Bodies at rest ("Encryption at rest in Amazon SQS"): under a key of virga's own (SqsManagedSseEnabled), or under a
 * data key of KMS (KmsMasterKeyId), which serves for KmsDataKeyReusePeriodSeconds before KMS is asked again, when
 * sealing as when opening: so a key that is disabled stops a queue no later than that. KMS is asked in a transaction of
 * its own: what this one writes must not run again. */
#include "services/kms/blob.h"
#include "services/sqs/sqs_internal.h"
#include "vault/vault.h"

enum { DATA_KEY_BYTES = 32, DATA_KEYS_MAX = 16 };

struct data_key {
	char plain[DATA_KEY_BYTES];
	struct str wrapped, arn; /* behind the struct */
	struct str reference;    /* the KmsMasterKeyId that it was made for; "" where it was only unwrapped */
	int64_t until_ms;
	struct data_key *next;
};

static void drop(struct data_key *k)
{
	vault_wipe(str_n(k->plain, sizeof(k->plain)));
	free(k);
}

static void free_key(struct queue *q)
{
	union {
		const char *in;
		void *out;
	} p = {q->kms_key.p};
	free(p.out);
	q->kms_key = STR_NONE;
}

void sqs_forget_keys(struct queue *q)
{
	for (struct data_key *k = q->data_keys, *next; k; k = next) {
		next = k->next;
		drop(k);
	}
	q->data_keys = NULL;
	free_key(q);
}

void sqs_set_key(struct queue *q, struct str kms_key, int64_t reuse_s)
{
	pthread_mutex_lock(&q->key_lock);
	free_key(q);
	if (str_has(kms_key)) {
		char *p = mem_new(kms_key.n + 1);
		memcpy(p, kms_key.p, kms_key.n);
		q->kms_key = str_n(p, kms_key.n);
	}
	q->reuse_s = reuse_s;
	pthread_mutex_unlock(&q->key_lock);
}

/* Those that have served their time go, and the oldest of too many. */
static void tidy(struct queue *q, int64_t now_ms)
{
	size_t n = 0;
	for (struct data_key **at = &q->data_keys; *at;) {
		struct data_key *k = *at;
		if (k->until_ms > now_ms && n++ < DATA_KEYS_MAX) {
			at = &k->next;
			continue;
		}
		*at = k->next;
		drop(k);
	}
}

static struct data_key *keep(
	struct queue *q, struct str plain, struct str wrapped, struct str arn, struct str reference, int64_t now_ms)
{
	struct data_key *k = mem_new(sizeof(*k) + wrapped.n + arn.n + reference.n);
	char *at = (char *)(k + 1);
	memcpy(k->plain, plain.p, DATA_KEY_BYTES);
	memcpy(at, wrapped.p, wrapped.n);
	k->wrapped = str_n(at, wrapped.n);
	memcpy(at + wrapped.n, arn.p, arn.n);
	k->arn = str_n(at + wrapped.n, arn.n);
	if (reference.n) memcpy(at + wrapped.n + arn.n, reference.p, reference.n);
	k->reference = str_n(at + wrapped.n + arn.n, reference.n);
	k->until_ms = now_ms + q->reuse_s * 1000;
	k->next = q->data_keys;
	q->data_keys = k;
	return k;
}

/* Makes a data key, or unwraps one. */
static status ask_kms(
	struct queue *q, struct arena *a, struct str wrapped, struct data_key **out, struct kms_refusal *why)
{
	struct kms_pair context = {STR("aws:sqs:arn"), sqs_queue_arn(a, q)};
	int64_t now = clock_now(q->sqs->cloud->clock);
	status s;
	do {
		store_ticket t;
		struct kms_data_key made = {0};
		struct store_tx *tx = store_begin(q->sqs->cloud->store, a, false);
		struct kms_use u = {q->sqs->cloud, tx, a, q->account, q->region, now};
		if (str_has(wrapped)) {
			made.blob = wrapped;
			s = kms_use_decrypt(&u, wrapped, STR_NONE, &context, 1, &made.plain, &made.key_arn, why);
		} else {
			s = kms_use_data_key(&u, q->kms_key, &context, 1, DATA_KEY_BYTES, &made, why);
		}
		if (is_ok(s) && made.plain.n != DATA_KEY_BYTES) s = STATUS(CORRUPT);
		if (is_ok(s) && store_has_writes(tx)) s = store_commit(tx, &t);
		store_end(tx);
		if (is_ok(s))
			*out = keep(
				q, made.plain, made.blob, made.key_arn, str_has(wrapped) ? STR("") : q->kms_key, now);
		vault_wipe(made.plain);
	} while (status_is(s, STATUS_CONFLICT));
	return s;
}

/* A sealed body opens only as the message that it is. */
static struct str context_of(struct arena *a, uint64_t queue, uint64_t seq)
{
	return str_fmt(a, "sqs message %lu %lu", (unsigned long)queue, (unsigned long)seq);
}

/* Under the keys' lock, as the next. */
static status seal(struct queue *q, struct arena *a, struct str context, struct str plain, struct sqs_rec_body *out,
	struct kms_refusal *why)
{
	static const char no_material[KMS_BLOB_ID_BYTES];
	if (!str_has(q->kms_key)) {
		out->sealed = vault_wrap(q->sqs->cloud->vault, a, context, plain);
		return OK;
	}
	tidy(q, clock_now(q->sqs->cloud->clock));
	struct data_key *k = q->data_keys;
	while (k && !str_eq(k->reference, q->kms_key)) k = k->next;
	if (!k) TRY(ask_kms(q, a, STR_NONE, &k, why));
	out->data_key = str_dup(a, k->wrapped);
	out->sealed = kms_blob_seal(
		a, (const uint8_t *)k->plain, k->arn, str_n(no_material, sizeof(no_material)), context, plain);
	return OK;
}

static status unseal(struct queue *q, struct arena *a, struct str context, const struct sqs_rec_body *body,
	struct str *plain, struct kms_refusal *why)
{
	struct kms_blob b;
	tidy(q, clock_now(q->sqs->cloud->clock));
	struct data_key *k = q->data_keys;
	while (k && !str_eq(k->wrapped, body->data_key)) k = k->next;
	if (!k) TRY(ask_kms(q, a, body->data_key, &k, why));
	if (!is_ok(kms_blob_read(body->sealed, &b))) return STATUS(CORRUPT);
	return is_ok(kms_blob_open(a, (const uint8_t *)k->plain, &b, context, plain)) ? OK : STATUS(CORRUPT);
}

status sqs_seal(struct queue *q, struct arena *a, uint64_t seq, struct str plain, struct sqs_rec_body *out,
	struct kms_refusal *why)
{
	*out = (struct sqs_rec_body){0};
	pthread_mutex_lock(&q->key_lock);
	status s = seal(q, a, context_of(a, q->id, seq), plain, out, why);
	pthread_mutex_unlock(&q->key_lock);
	return s;
}

status sqs_unseal(struct queue *q, struct arena *a, uint64_t seq, const struct sqs_rec_body *body, struct str *plain,
	struct kms_refusal *why)
{
	struct str context = context_of(a, q->id, seq);
	if (!str_has(body->data_key)) return vault_unwrap(q->sqs->cloud->vault, a, context, body->sealed, plain);
	pthread_mutex_lock(&q->key_lock);
	status s = unseal(q, a, context, body, plain, why);
	pthread_mutex_unlock(&q->key_lock);
	return s;
}

status sqs_kms_failed(struct call *c, const struct kms_refusal *why)
{
	error_id id = why->why == KMS_WHY_DISABLED        ? SQS_ERR_KMS_DISABLED
		      : why->why == KMS_WHY_INVALID_STATE ? SQS_ERR_KMS_INVALID_STATE
		      : why->why == KMS_WHY_INVALID_USAGE ? SQS_ERR_KMS_INVALID_KEY_USAGE
		      : why->why == KMS_WHY_NOT_FOUND     ? SQS_ERR_KMS_NOT_FOUND
							  : SQS_ERR_KMS_ACCESS_DENIED;
	return call_fail(c, id, "%.*s", STR_ARG(why->message));
}
