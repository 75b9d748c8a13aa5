/* Central root access for member accounts ("Centralize root access for member accounts"): which of its features an
 * organization has, and the task policies that a root session may be limited to. */
#include "services/iam/internal.h"
#include "services/organizations/door.h"

static struct str key_of(struct arena *a, struct str organization)
{
	return iam_key(a, "root-features", organization, STR_NONE);
}

static status load(struct store_tx *tx, struct arena *a, struct str organization, struct iam_rec_features *out)
{
	struct str bytes;
	*out = (struct iam_rec_features){0};
	status s = store_get(tx, key_of(a, organization), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return iam_rec_features_decode(a, bytes, out);
}

bool iam_root_feature(struct store_tx *tx, struct arena *a, struct str organization, struct str feature)
{
	struct iam_rec_features f;
	return is_ok(load(tx, a, organization, &f)) && iam_strings_have(&f.names, feature);
}

/* For the management account, or a delegated administrator of IAM. */
static status require_organization(struct call *c, struct organizations_place *place)
{
	TRY(organizations_place(c->tx, c->arena, c->account, place));
	if (!str_has(place->id))
		return call_fail(c, IAM_ERR_ORGANIZATION_NOT_FOUND_EXCEPTION,
			"The request failed because no organization is associated with your account.");
	if (!str_eq(place->master, c->account) &&
		!organizations_delegate(c->tx, c->arena, place->id, c->account, STR("iam.amazonaws.com")))
		return call_fail(c, IAM_ERR_ACCOUNT_NOT_MANAGEMENT_OR_DELEGATED_ADMINISTRATOR_EXCEPTION,
			"The account making the request is not the management account or delegated administrator "
			"account for the "
			"organization.");
	if (!organizations_has_all_features(c->tx, c->arena, place->id))
		return call_fail(c, IAM_ERR_ORGANIZATION_NOT_IN_ALL_FEATURES_MODE_EXCEPTION,
			"The request failed because your organization does not have All features enabled.");
	if (!organizations_trusts(c->tx, c->arena, place->id, STR("iam.amazonaws.com")))
		return call_fail(c, IAM_ERR_SERVICE_ACCESS_NOT_ENABLED_EXCEPTION,
			"Trusted access is not enabled for IAM in AWS Organizations.");
	return OK;
}

static status change(
	struct call *c, struct str feature, bool on, struct str *organization, struct iam_features_list_type *out)
{
	struct organizations_place place;
	struct iam_rec_features f;
	TRY(require_organization(c, &place));
	TRY(load(c->tx, c->arena, place.id, &f));
	if (on && !iam_strings_have(&f.names, feature)) iam_strings_add(c->arena, &f.names, feature);
	if (!on) (void)iam_strings_drop(&f.names, feature);
	store_put(c->tx, key_of(c->arena, place.id), iam_rec_features_encode(c->arena, &f));
	*organization = place.id;
	out->v = f.names.v;
	out->n = f.names.n;
	VEC_PRESENT(c->arena, out);
	return OK;
}

#define FEATURE(operation, name, on)                                                                                   \
	status iam_##operation(                                                                                        \
		struct call *c, const struct iam_##operation##_input *in, struct iam_##operation##_output *out)        \
	{                                                                                                              \
		(void)in;                                                                                              \
		return change(c, STR(name), on, &out->organization_id, &out->enabled_features);                        \
	}
FEATURE(enable_organizations_root_credentials_management, "RootCredentialsManagement", true)
FEATURE(disable_organizations_root_credentials_management, "RootCredentialsManagement", false)
FEATURE(enable_organizations_root_sessions, "RootSessions", true)
FEATURE(disable_organizations_root_sessions, "RootSessions", false)

status iam_list_organizations_features(struct call *c, const struct iam_list_organizations_features_input *in,
	struct iam_list_organizations_features_output *out)
{
	(void)in;
	struct organizations_place place;
	struct iam_rec_features f;
	TRY(require_organization(c, &place));
	TRY(load(c->tx, c->arena, place.id, &f));
	out->organization_id = place.id;
	out->enabled_features.v = f.names.v;
	out->enabled_features.n = f.names.n;
	VEC_PRESENT(c->arena, &out->enabled_features);
	return OK;
}

/* "AWS managed policies for AssumeRoot": what each lets the session do. */
#define TASK(actions)                                                                                                  \
	"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[" actions                        \
	"],\"Resource\":\"*\"}]}"
static const struct {
	const char *name, *document;
} tasks[] = {
	{"IAMAuditRootUserCredentials", TASK("\"iam:ListAccessKeys\",\"iam:ListSigningCertificates\",\"iam:"
					     "GetLoginProfile\",\"iam:ListMFADevices\","
					     "\"iam:GetUser\",\"iam:GetAccountSummary\",\"iam:GetAccessKeyLastUsed\"")},
	{"IAMCreateRootUserPassword", TASK("\"iam:CreateLoginProfile\",\"iam:GetLoginProfile\"")},
	{"IAMDeleteRootUserCredentials",
		TASK("\"iam:DeleteAccessKey\",\"iam:DeleteSigningCertificate\",\"iam:DeleteLoginProfile\","
		     "\"iam:DeactivateMFADevice\",\"iam:DeleteVirtualMFADevice\",\"iam:ListAccessKeys\","
		     "\"iam:ListSigningCertificates\",\"iam:GetLoginProfile\",\"iam:ListMFADevices\",\"iam:GetUser\"")},
	{"S3UnlockBucketPolicy", TASK("\"s3:DeleteBucketPolicy\",\"s3:PutBucketPolicy\",\"s3:GetBucketPolicy\",\"s3:"
				      "ListAllMyBuckets\"")},
	{"SQSUnlockQueuePolicy",
		TASK("\"sqs:SetQueueAttributes\",\"sqs:GetQueueAttributes\",\"sqs:ListQueues\",\"sqs:GetQueueUrl\"")},
};

struct str iam_root_task(struct str arn)
{
	static const char prefix[] = "arn:aws:iam::aws:policy/root-task/";
	if (!str_starts(arn, str_c(prefix))) return STR_NONE;
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (str_eq(str_from(arn, sizeof(prefix) - 1), str_c(tasks[i].name))) return str_c(tasks[i].document);
	return STR_NONE;
}
