/* The policy step's view of KMS. */
#pragma once
#include "call/call.h"

/* The service's authorize (see struct service). */
status kms_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context) MUST_USE;
/* Compiled key policies; policy_library_free it. */
struct policy_library *kms_policies_new(void);
