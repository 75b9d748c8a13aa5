/* Machines on their way: between the fork of the stager and init's first instruction. Meanwhile the agent goes on, so
 * that many stage side by side and their networks are made beside them. Inside compute/ only. */
#pragma once
#include "host/compute/compute.h"
#include "host/compute/launch.h"

struct staging;
/* Begins it for a machine whose parts are made (start.c), and answers r when init runs or cannot. What the plan holds may
 * be closed afterwards, but its control socket, which the machine has. */
status staging_begin(struct machine *m, const struct launch *plan, struct agent_request *r, struct str *why) MUST_USE;
/* The machine is on its way: the request is kept, and handled when that is over. */
bool staging_keeps(struct machine *m, const struct agent_request *r);
/* Ends it, and waits for its end; who waits for it is told IO. */
void staging_abort(struct machine *m);
/* What a machine has that never ran: control group, ids, name of its network, record; then forgets it. */
void machine_undo(struct machine *m);
