/* What the agent calls of compute/. Inside host/ only. */
#pragma once
#include "host/agent.h"

struct compute;
/* Finds what stands. */
struct compute *compute_new(struct agent *g);
/* What stands goes on standing. */
void compute_free(struct compute *c);
/* Kills every machine and engine of the installation, and removes what they had. */
void compute_clear(struct compute *c);
/* The handler of a request of compute/ and engines/; NULL for others. */
agent_handler compute_handler(enum host_op op);
/* HOST_OP_SHARE; see shares.h. */
void shares_on(struct agent *g, struct agent_request *r);
/* Gives back the user ids of owners that are gone, of any installation. */
void slots_sweep(void);
struct compute *agent_compute(struct agent *g);
