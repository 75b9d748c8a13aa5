/* The keeper: a small process that virga forks before anything else, with the privileges that virga then gives up. It
 * does nothing but start the agent when virga asks, and again after it died. It ends with virga. Inside host/ only. */
#pragma once
#include "base/status.h"
#include <sys/types.h>

/* Forks it. *control: virga's end of its socket. IO where the machine refuses. Single-threaded callers only. */
status keeper_start(int *control, pid_t *pid) MUST_USE;
/* Asks for an agent: its socket. IO: the keeper is gone. Blocks for a fork. */
status keeper_agent(int control, int *stream) MUST_USE;

/* Gives up this process's capabilities but those in `keep` (a mask), also for what it will exec. False where the kernel
 * refuses. */
bool keeper_drop(uint64_t keep);
/* The effective capabilities of this process. */
uint64_t keeper_capabilities(void);
