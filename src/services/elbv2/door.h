/* Load balancing as other services see it. Registering and deregistering targets and asking for their health is done by
 * the operations themselves (call/inside.h: ELBV2_OP_REGISTER_TARGETS, …). */
#pragma once
#include "call/call.h"
