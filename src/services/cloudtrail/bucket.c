/* The bucket that a trail delivers to: may CloudTrail write there ("Amazon S3 bucket policy for CloudTrail"), with the
 * trail's key ("Configure AWS KMS key policies for CloudTrail"), and writing. CloudTrail asks as any service does: the
 * bucket's own policy decides, also where trail and bucket are of one account. */
#include "base/json.h"
#include "policy/policy.h"
#include "services/cloudtrail/room.h"
#include "services/kms/keys.h"
#include "services/s3/access.h"
#include "services/s3/config.h"
#include "services/s3/own.h"
#include "services/s3/sse.h"

#define SERVICE STR("cloudtrail.amazonaws.com")

struct str ct_log_prefix(struct arena *a, const struct cloudtrail_rec_trail *t, struct str account)
{
	struct str prefix = str_has(t->prefix) ? str_fmt(a, "%.*s/", STR_ARG(t->prefix)) : STR("");
	if (str_has(t->organization_id))
		return str_fmt(
			a, "%.*sAWSLogs/%.*s/%.*s/", STR_ARG(prefix), STR_ARG(t->organization_id), STR_ARG(account));
	return str_fmt(a, "%.*sAWSLogs/%.*s/", STR_ARG(prefix), STR_ARG(account));
}

struct question {
	struct call *c;
	const struct cloudtrail_rec_trail *t;
	const struct policy *policy;
	struct str owner;
};

static bool may(const struct question *q, struct str action, struct str arn)
{
	struct arena *a = q->c->arena;
	struct policy_principal who = {
		.kind = POLICY_CALLER_SERVICE, .account = STR(""), .arn = SERVICE, .user_id = STR(""), .name = SERVICE};
	struct policy_context x = POLICY_CONTEXT_IN(a);
	struct str trail = ct_trail_arn(a, q->t);
	policy_context_set_principal(&x, &who);
	policy_context_set_now(&x, q->c->now_ms);
	policy_context_set(&x, STR("aws:SourceArn"), trail);
	policy_context_set(&x, STR("aws:SourceAccount"), q->t->account);
	policy_context_set_bool(&x, STR("aws:SecureTransport"), true);
	policy_context_set(&x, STR("s3:x-amz-acl"), STR("bucket-owner-full-control"));
	policy_context_set(&x, STR("kms:EncryptionContext:aws:cloudtrail:arn"), trail);
	const struct policy *const list[] = {q->policy};
	struct policy_resource r = {.arn = arn, .account = q->owner, .policies = {list, 1}, .policy_required = true};
	struct policy_request request = {
		.principal = &who, .action = action, .resources = &r, .n_resources = 1, .context = &x};
	struct policy_subject subject = {0};
	struct policy_decision d;
	return policy_evaluate(a, &request, &subject, &d);
}

static struct str partition_of_trail(const struct cloudtrail_rec_trail *t)
{
	return str_starts(t->region, STR("cn-"))       ? STR("aws-cn")
	       : str_starts(t->region, STR("us-gov-")) ? STR("aws-us-gov")
						       : STR("aws");
}

/* May CloudTrail put this key? key STR_NONE: any log of the trail's account; then also whether it may look at the ACL.
 */
static status judge_bucket(struct call *c, const struct cloudtrail_rec_trail *t, const struct s3_rec_bucket *b,
	struct str key, bool *allowed)
{
	struct s3_state *s3 = s3_state_of(c->cloud);
	struct policy *policy = NULL;
	*allowed = false;
	if (!b->policy.has || !s3) return OK;
	TRY(s3_policy_load(c->tx, c->arena, s3->policies, b, false, &policy));
	struct question q = {c, t, policy, b->owner};
	struct str arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(partition_of_trail(t)), STR_ARG(b->name));
	struct str any = str_fmt(c->arena, "%.*sCloudTrail/", STR_ARG(ct_log_prefix(c->arena, t, t->account)));
	struct str object = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(arn), STR_ARG(str_has(key) ? key : any));
	*allowed = policy && may(&q, STR("s3:PutObject"), object) &&
		   (str_has(key) || may(&q, STR("s3:GetBucketAcl"), arn));
	policy_free(policy);
	return OK;
}

static status no_bucket(struct call *c, struct str name)
{
	return CT_FAIL(c, S3_BUCKET_DOES_NOT_EXIST, "S3 bucket %.*s does not exist!", STR_ARG(name));
}

static status refused_key(struct call *c, const struct cloudtrail_rec_trail *t, const struct kms_refusal *why)
{
	switch (why->why) {
	case KMS_WHY_NOT_FOUND:
		return CT_FAIL(c, KMS_KEY_NOT_FOUND, "%.*s", STR_ARG(why->message));
	case KMS_WHY_DISABLED:
	case KMS_WHY_INVALID_STATE:
		return CT_FAIL(c, KMS_KEY_DISABLED, "%.*s", STR_ARG(why->message));
	case KMS_WHY_INVALID_USAGE:
	case KMS_WHY_INVALID_INPUT:
		return CT_FAIL(c, INVALID_KMS_KEY_ID, "The KMS key %.*s is not valid: %.*s", STR_ARG(t->kms_key),
			STR_ARG(why->message));
	case KMS_WHY_INVALID_CIPHERTEXT:
	case KMS_WHY_INCORRECT_KEY:
		break;
	}
	return CT_FAIL(c, KMS, "%.*s", STR_ARG(why->message));
}

/* The key has to be there, to serve, and to let CloudTrail make data keys. t->kms_key becomes its ARN. */
static status check_key(struct call *c, struct cloudtrail_rec_trail *t, const struct s3_rec_bucket *b)
{
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	struct str arn, text;
	struct policy *policy = NULL;
	struct policy_source source = {.type = POLICY_RESOURCE};
	u.region = b->region;
	status s = kms_use_resolve(&u, t->kms_key, &arn, &why);
	if (status_is(s, STATUS_FAILED)) return refused_key(c, t, &why);
	TRY(s);
	TRY(kms_use_policy(&u, arn, &text));
	bool allowed = false;
	if (is_ok(policy_parse(text, &source, &policy, NULL))) {
		struct str rest = arn;
		for (int i = 0; i < 4; i++) str_cut(&rest, ':');
		struct question q = {c, t, policy, str_cut(&rest, ':')};
		allowed = may(&q, STR("kms:GenerateDataKey"), arn);
		policy_free(policy);
	}
	t->kms_key = arn;
	if (allowed) return OK;
	return CT_FAIL(c, INSUFFICIENT_ENCRYPTION_POLICY,
		"Insufficient permissions to access S3 bucket %.*s or KMS key %.*s.", STR_ARG(t->bucket), STR_ARG(arn));
}

status ct_bucket_check(struct call *c, struct cloudtrail_rec_trail *t)
{
	struct s3_rec_bucket b;
	bool allowed;
	status s = s3_bucket_by_name(c->tx, c->arena, t->bucket, &b, NULL);
	if (status_is(s, STATUS_NOT_FOUND)) return no_bucket(c, t->bucket);
	TRY(s);
	TRY(judge_bucket(c, t, &b, STR_NONE, &allowed));
	if (!allowed)
		return CT_FAIL(c, INSUFFICIENT_S3_BUCKET_POLICY,
			"Incorrect S3 bucket policy is detected for bucket: %.*s", STR_ARG(t->bucket));
	return str_has(t->kms_key) ? check_key(c, t, &b) : OK;
}

/* Errors of S3 as GetTrailStatus tells them. */
static status not_delivered(struct call *c, const char *code)
{
	return call_fail(c, ERR_ACCESS_DENIED, "%s", code);
}

status ct_bucket_put(struct call *c, const struct cloudtrail_rec_trail *t, const struct ct_put *p)
{
	struct s3_rec_bucket b;
	bool allowed;
	status s = s3_bucket_by_name(c->tx, c->arena, t->bucket, &b, NULL);
	if (status_is(s, STATUS_NOT_FOUND)) return not_delivered(c, "NoSuchBucket");
	TRY(s);
	TRY(judge_bucket(c, t, &b, p->key, &allowed));
	if (!allowed) return not_delivered(c, "AccessDenied");
	struct s3_rec_metadata_entry signature[] = {
		{STR("signature"), p->signature}, {STR("signature-algorithm"), STR("SHA256withRSA")}};
	struct s3_own o = {
		.key = p->key,
		.bytes = p->bytes,
		.content_type = STR("application/json"),
		.content_encoding = STR("gzip"),
		.metadata = {signature, str_has(p->signature) ? 2 : 0},
		.kms_key = t->kms_key,
		.kms_context = STR_NONE,
	};
	if (str_has(t->kms_key)) {
		struct buf json = BUF_IN(c->arena);
		buf_lit(&json, "{\"aws:cloudtrail:arn\":");
		json_quote(&json, ct_trail_arn(c->arena, t));
		buf_byte(&json, '}');
		o.kms_context = str_base64(c->arena, buf_done(&json));
	}
	c->account = b.owner;
	c->region = b.region;
	s = s3_own_put_as(c, &b, &o);
	if (status_is(s, STATUS_FAILED)) {
		unsigned code;
		struct wire_match m = {.service = &wire_service_s3, .protocol = WIRE_REST_XML};
		return not_delivered(c, str_z(c->arena, wire_error_code(&m, c->failure.id, &code)));
	}
	return s;
}
