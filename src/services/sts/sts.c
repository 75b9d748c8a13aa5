/* AWS Security Token Service: what it does, operation by operation. */
#include "call/call.h"
#include "sts.h"

static const struct service_op operations[STS_OP_COUNT] = {
	[STS_OP_GET_CALLER_IDENTITY] = OP(sts_get_caller_identity, OP_READ),
};

extern const struct service service_sts;
const struct service service_sts = {.model = &wire_service_sts, .ops = operations};
