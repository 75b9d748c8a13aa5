/* RotateSecret and CancelRotateSecret. Rotation is a Lambda function's work; until functions can be invoked a secret
 * has no rotation, and both say so: nothing is kept that would not act. */
#include "services/secretsmanager/room.h"

status secretsmanager_rotate_secret(struct call *c, const struct secretsmanager_rotate_secret_input *in,
	struct secretsmanager_rotate_secret_output *out)
{
	(void)out;
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, 0, &s));
	if (!str_empty(in->rotation_lambda_arn) || in->external_secret_rotation_metadata.n ||
		str_has(in->external_secret_rotation_role_arn))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"RotateSecret is not implemented: rotation by Lambda functions or of managed external secrets "
			"does not exist here yet. "
			"Put new values with PutSecretValue.");
	return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
		"No Lambda rotation function ARN is associated with this secret.");
}

status secretsmanager_cancel_rotate_secret(struct call *c, const struct secretsmanager_cancel_rotate_secret_input *in,
	struct secretsmanager_cancel_rotate_secret_output *out)
{
	(void)out;
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, 0, &s));
	return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
		"You can't cancel rotation for a secret that does not have rotation enabled.");
}
