/* For operations whose answer is a body that comes bit by bit: see edge/later.h. */
#pragma once
#include "call/call.h"
#include "edge/later.h"

/* What to wake with edge_more; NULL where nobody reads (call/inside.h). Lives until the body's close. */
struct edge_exchange *call_exchange(const struct call *c);
