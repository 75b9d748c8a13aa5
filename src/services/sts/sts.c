/* AWS Security Token Service: what it does, operation by operation. */
#include "services/sts/internal.h"
#include "services/sts/saml.h"

static const struct service_op operations[STS_OP_COUNT] = {
	[STS_OP_ASSUME_ROLE] = OP(sts_assume_role, 0),
	[STS_OP_ASSUME_ROLE_WITH_SAML] = OP(sts_assume_role_with_saml, OP_BLOCKING),
	[STS_OP_ASSUME_ROLE_WITH_WEB_IDENTITY] = OP(sts_assume_role_with_web_identity, OP_BLOCKING),
	[STS_OP_ASSUME_ROOT] = OP(sts_assume_root, 0),
	[STS_OP_DECODE_AUTHORIZATION_MESSAGE] = OP(sts_decode_authorization_message, OP_READ),
	[STS_OP_GET_ACCESS_KEY_INFO] = OP(sts_get_access_key_info, OP_READ),
	[STS_OP_GET_CALLER_IDENTITY] = OP(sts_get_caller_identity, OP_READ),
	[STS_OP_GET_FEDERATION_TOKEN] = OP(sts_get_federation_token, 0),
	[STS_OP_GET_SESSION_TOKEN] = OP(sts_get_session_token, 0),
};

static status start(struct cloud *cloud, void **state)
{
	(void)cloud;
	*state = saml_library_new();
	return OK;
}

static void stop(void *state)
{
	saml_library_free(state);
}

extern const struct service service_sts;
const struct service service_sts = {
	.model = &wire_service_sts, .ops = operations, .start = start, .stop = stop, .authorize = sts_authorize};
