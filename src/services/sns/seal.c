/* Topics with a key ("Securing Amazon SNS data with server-side encryption"): what a message says lies, until it is
 * delivered, in an envelope under the topic's KMS key; while the key does not serve, nothing is taken and nothing is
 * delivered. Names of topics, subscriptions and attributes are not encrypted, as on AWS. */
#include "base/log.h"
#include "services/sns/room.h"

static struct str key_of(const struct sns_rec_topic *t)
{
	return sns_get(&t->attributes, STR("KmsMasterKeyId"));
}

static struct kms_use use_of(struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t)
{
	return (struct kms_use){cloud, tx, a, t->account, t->region, clock_now(cloud->clock)};
}

status sns_message_seal(struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	struct sns_rec_message *m, struct kms_refusal *why)
{
	struct kms_use u = use_of(cloud, tx, a, t);
	struct kms_pair context = {STR("aws:sns:topicArn"), sns_topic_arn(a, t)};
	struct str arn;
	if (!str_has(key_of(t))) return OK;
	struct sns_rec_message outer = {
		.account = m->account, .region = m->region, .topic = m->topic, .receivers = m->receivers};
	TRY(kms_envelope_seal(&u, key_of(t), &context, 1, sns_rec_message_encode(a, m), &outer.sealed, &arn, why));
	outer.id = m->id; /* names the job */
	outer.sequence = m->sequence;
	*m = outer;
	return OK;
}

status sns_message_open(
	struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, struct sns_rec_message *m)
{
	struct kms_use u = use_of(s->cloud, tx, a, t);
	struct kms_pair context = {STR("aws:sns:topicArn"), sns_topic_arn(a, t)};
	struct kms_refusal why = {0};
	struct str plain;
	if (!str_has(m->sealed)) return OK;
	status st = kms_envelope_open(&u, m->sealed, &context, 1, &plain, &why);
	if (status_is(st, STATUS_FAILED)) {
		log_info("sns", "key-refuses", "topic=%.*s code=%.*s", STR_ARG(t->name), STR_ARG(why.code));
		return STATUS(IO);
	}
	TRY(st);
	struct sns_rec_receivers receivers = m->receivers;
	*m = (struct sns_rec_message){0};
	TRY(sns_rec_message_decode(a, plain, m));
	m->receivers = receivers;
	return OK;
}

status sns_kms_failed(struct call *c, status s, const struct kms_refusal *why)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	error_id id = why->why == KMS_WHY_DISABLED        ? SNS_ERR_KMS_DISABLED_EXCEPTION
		      : why->why == KMS_WHY_INVALID_STATE ? SNS_ERR_KMS_INVALID_STATE_EXCEPTION
		      : why->why == KMS_WHY_NOT_FOUND     ? SNS_ERR_KMS_NOT_FOUND_EXCEPTION
							  : SNS_ERR_KMS_ACCESS_DENIED_EXCEPTION;
	return call_fail(c, id, "%.*s", STR_ARG(why->message));
}
