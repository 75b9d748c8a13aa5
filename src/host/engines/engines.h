/* Engines in the agent: a table beside that of machines. Inside compute/ and engines/ only. */
#pragma once
#include "host/compute/compute.h"

struct engines;
struct engines *engines_new(struct compute *c);
bool engines_any(const struct engines *e);
void engines_free(struct engines *e);
void engines_clear(struct engines *e);
/* Restarts and kills those whose time has come; when it wants to be asked again, in compute_now_ms, 0: never. */
int64_t engines_on_time(struct engines *e, int64_t now);
/* So that compute's timer asks soon. */
void compute_wake(struct compute *c);
agent_handler engine_handler(enum host_op op);
