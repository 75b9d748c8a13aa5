/* IAM Identity Center OIDC: how the CLI and the SDKs sign a user in. CreateTokenWithIAM, of applications, has no row.
 */
#include "services/sso-oidc/room.h"

static const struct service_op operations[SSO_OIDC_OP_COUNT] = {
	[SSO_OIDC_OP_CREATE_TOKEN] = OP(sso_oidc_create_token, 0),
	[SSO_OIDC_OP_REGISTER_CLIENT] = OP(sso_oidc_register_client, 0),
	[SSO_OIDC_OP_START_DEVICE_AUTHORIZATION] = OP(sso_oidc_start_device_authorization, 0),
};

extern const struct service service_sso_oidc;
const struct service service_sso_oidc = {.model = &wire_service_sso_oidc, .ops = operations, .page = oidc_page};
