/* Server-side encryption ("Data protection in Amazon Kinesis Data Streams", the guide): the data of a record lies under
 * a data key of the stream's KMS key; what was put before encryption began, or under another key, stays readable as it
 * was. */
#include "services/kinesis/room.h"

static struct kms_pair context_of(struct arena *a, const struct kinesis_rec_stream *s)
{
	return (struct kms_pair){STR("aws:kinesis:arn"), kinesis_arn(a, s)};
}

status kinesis_seal(const struct kms_use *u, const struct kinesis_rec_stream *s, struct str plain, struct str *out,
	struct kms_refusal *why)
{
	struct kms_pair context = context_of(u->arena, s);
	struct str arn;
	return kms_envelope_seal(u, s->key, &context, 1, plain, out, &arn, why);
}

status kinesis_open(const struct kms_use *u, const struct kinesis_rec_stream *s, struct str sealed, struct str *out,
	struct kms_refusal *why)
{
	struct kms_pair context = context_of(u->arena, s);
	return kms_envelope_open(u, sealed, &context, 1, out, why);
}

status kinesis_kms_failed(struct call *c, status s, const struct kms_refusal *why)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	error_id id = why->why == KMS_WHY_DISABLED        ? KINESIS_ERR_KMS_DISABLED_EXCEPTION
		      : why->why == KMS_WHY_INVALID_STATE ? KINESIS_ERR_KMS_INVALID_STATE_EXCEPTION
		      : why->why == KMS_WHY_NOT_FOUND     ? KINESIS_ERR_KMS_NOT_FOUND_EXCEPTION
							  : KINESIS_ERR_KMS_ACCESS_DENIED_EXCEPTION;
	return call_fail(c, id, "%.*s", STR_ARG(why->message));
}

status kinesis_start_stream_encryption(
	struct call *c, const struct kinesis_start_stream_encryption_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	struct kms_refusal why = {0};
	struct str arn;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	if (!str_is(in->encryption_type, "KMS"))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "The only valid value of EncryptionType is KMS.");
	struct kms_use u = kms_use_of(c);
	u.account = s.account;
	u.region = s.region;
	/* alias/aws/kinesis is made on first use. */
	status st = str_is(in->key_id, "alias/aws/kinesis") ? kms_ensure_managed_key(&u, in->key_id, &arn, &why)
							    : kms_use_resolve(&u, in->key_id, &arn, &why);
	TRY(kinesis_kms_failed(c, st, &why));
	s.key = in->key_id;
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

status kinesis_stop_stream_encryption(
	struct call *c, const struct kinesis_stop_stream_encryption_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	if (!str_is(in->encryption_type, "KMS"))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "The only valid value of EncryptionType is KMS.");
	s.key = STR_NONE;
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}
