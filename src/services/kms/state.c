/* What a key's state and usage permit ("Key states of AWS KMS keys", AWS KMS Developer Guide). */
#include "services/kms/room.h"

status kms_check_state(struct kms_scope *s, const struct kms_key *k, unsigned states)
{
	struct str state = k->r.state;
	if (str_is(state, "Disabled") && !(states & KMS_IN_DISABLED))
		return kms_refuse(s, KMS_ERR_DISABLED_EXCEPTION, "%.*s is disabled.", STR_ARG(k->arn));
	if (str_is(state, "PendingImport") && !(states & KMS_IN_PENDING_IMPORT))
		return kms_refuse(s, KMS_ERR_KMS_INVALID_STATE_EXCEPTION, "%.*s is pending import.", STR_ARG(k->arn));
	if (str_is(state, "PendingDeletion") && !(states & KMS_IN_PENDING_DELETION))
		return kms_refuse(s, KMS_ERR_KMS_INVALID_STATE_EXCEPTION, "%.*s is pending deletion.", STR_ARG(k->arn));
	if (str_is(state, "PendingReplicaDeletion") && !(states & KMS_IN_PENDING_DELETION))
		return kms_refuse(
			s, KMS_ERR_KMS_INVALID_STATE_EXCEPTION, "%.*s is pending replica deletion.", STR_ARG(k->arn));
	return OK;
}

status kms_check_use(struct kms_scope *s, const struct kms_key *k, struct str usage, const char *operation)
{
	TRY(kms_check_state(s, k, 0));
	if (str_eq(k->r.usage, usage)) return OK;
	return kms_refuse(s, KMS_ERR_INVALID_KEY_USAGE_EXCEPTION, "%.*s key usage is %.*s which is not valid for %s.",
		STR_ARG(k->arn), STR_ARG(k->r.usage), operation);
}

status kms_check_customer(struct kms_scope *s, const struct kms_key *k)
{
	if (str_is(k->r.manager, "CUSTOMER")) return OK;
	/* AWS managed keys' policies allow their owners no change; AWS answers with the policy's refusal. */
	struct str who = s->call ? s->call->principal.arn : STR("virga");
	return kms_refuse(s, ERR_ACCESS_DENIED,
		"User: %.*s is not authorized to perform this operation on resource: %.*s because it is an AWS managed "
		"key",
		STR_ARG(who), STR_ARG(k->arn));
}

status kms_check_dry_run(struct kms_scope *s, struct opt_bool dry_run)
{
	if (!dry_run.v) return OK;
	return kms_refuse(s, KMS_ERR_DRY_RUN_OPERATION_EXCEPTION,
		"The request would have succeeded, but the DryRun option is set.");
}

status kms_check_recipient(struct kms_scope *s, const struct kms_recipient_info *recipient)
{
	if (!recipient) return OK;
	return kms_refuse(s, ERR_NOT_IMPLEMENTED,
		"The Recipient parameter (attestation documents of enclaves) is not implemented.");
}
