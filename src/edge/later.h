/* Bodies that come bit by bit (subscriptions, live tails): the read function of an EDGE_READER response may answer
 * EDGE_LATER where there is nothing yet. The connection then rests, without a thread, until edge_more; read is asked
 * again after it. */
#pragma once
#include "edge/edge.h"

#define EDGE_LATER INT64_MIN

/* There may be more for this response's body. From edge_respond until its `done` has been called, which whoever calls
 * this has to exclude. Any thread; may come before the read that it is meant for, and for nothing. */
void edge_more(struct edge_exchange *x);
