/* AWS managed keys: made when a service (or DescribeKey) first asks for a predefined alias, in each account and region;
 * rotated every year ("AWS managed keys", AWS KMS Developer Guide). */
#include "services/kms/room.h"

/* As AWS writes it for these keys: use only by way of the service, by anyone in the account whom the service lets. */
static struct str managed_policy(struct kms_scope *s, struct str service)
{
	return str_fmt(s->arena,
		"{\"Version\":\"2012-10-17\",\"Id\":\"auto-%.*s-2\",\"Statement\":[{\"Sid\":\"Allow access through "
		"%.*s for all "
		"principals in the account that are authorized to use "
		"%.*s\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},"
		"\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\",\"kms:ReEncrypt*\",\"kms:GenerateDataKey*\",\"kms:"
		"CreateGrant\","
		"\"kms:DescribeKey\"],\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"kms:CallerAccount\":\"%.*"
		"s\","
		"\"kms:ViaService\":\"%.*s.%.*s.amazonaws.com\"}}},{\"Sid\":\"Allow direct access to key metadata to "
		"the account\","
		"\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:%.*s:iam::%.*s:root\"},\"Action\":[\"kms:Describe*"
		"\",\"kms:Get*\","
		"\"kms:List*\",\"kms:RevokeGrant\"],\"Resource\":\"*\"}]}",
		STR_ARG(service), STR_ARG(service), STR_ARG(service), STR_ARG(s->account),
		STR_ARG(str_is(service, "ebs") ? STR("ec2") : service), STR_ARG(s->region), STR_ARG(s->partition),
		STR_ARG(s->account));
}

struct kms_key kms_managed_new(struct kms_scope *s, struct str alias)
{
	struct str service = str_dup(s->arena, str_from(alias, STR("alias/aws/").n));
	struct kms_key k =
		kms_key_new(s, kms_spec_find(STR("SYMMETRIC_DEFAULT")), STR("ENCRYPT_DECRYPT"), STR("AWS_KMS"), false);
	struct kms_rec_key *r = &k.r;
	r->manager = STR("AWS");
	r->description = str_fmt(s->arena, "Default key that protects my %.*s when no other key is defined",
		STR_ARG(str_is(service, "s3")    ? STR("S3 objects")
			: str_is(service, "ebs") ? STR("EBS volumes")
						 : str_cat(s->arena, service, STR(" data"))));
	r->policy = managed_policy(s, service);
	r->rotation = SOME_BOOL(true);
	r->rotation_days = SOME_I32(KMS_DEFAULT_ROTATION_DAYS);
	r->rotation_next = SOME_TIME(s->now_ms + KMS_DEFAULT_ROTATION_DAYS * DAY_MS);
	kms_alias_add(s, &k, alias);
	return k;
}

status kms_managed_make(struct kms_scope *s, struct str alias, struct kms_key *out)
{
	*out = kms_managed_new(s, alias);
	TRY(kms_material_make(s, out, STR("")));
	kms_key_put(s, out);
	kms_rotation_schedule(s, out);
	struct kms_rec_alias a = {.key_id = out->id, .created = SOME_TIME(s->now_ms), .updated = SOME_TIME(s->now_ms)};
	kms_alias_put(s, alias, &a);
	return OK;
}
