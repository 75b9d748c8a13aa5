/* CloudTrail's door for other rooms: the event history is read in the store (record `event`, under ("cloudtrail",
 * "event", account, region, time, id)). */
#pragma once
#include "call/call.h"

/* Blocks until the calls that were answered so far are in the history. Not within a transaction that read already. */
void cloudtrail_settle(const struct cloud *cloud);
