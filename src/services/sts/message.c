/* Encoded authorization messages: what a denial of EC2 hides from who may not know it, and DecodeAuthorizationMessage
 * shows to who may. Sealed by the installation's vault, so that only its own messages decode. */
#include "base/json.h"
#include "services/sts/internal.h"
#include "vault/vault.h"

status sts_decode_authorization_message(struct call *c, const struct sts_decode_authorization_message_input *in,
	struct sts_decode_authorization_message_output *out)
{
	struct str sealed, context = str_cat(c->arena, STR("authorization-message/"), c->account);
	if (is_ok(str_unbase64(c->arena, in->encoded_message, &sealed)) && c->cloud->vault &&
		is_ok(vault_unwrap(c->cloud->vault, c->arena, context, sealed, &out->decoded_message)))
		return OK;
	return STS_FAIL(c, INVALID_AUTHORIZATION_MESSAGE, "Message is not valid");
}
