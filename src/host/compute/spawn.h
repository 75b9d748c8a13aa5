/* Programs of the host that the agent runs (mke2fs, mmdebstrap). */
#pragma once
#include "base/status.h"
#include <sys/types.h>

/* argv[0] is looked up in the system's folders. Output goes to `log` (-1: nowhere); directory NULL: /. Signals,
 * descriptors and the environment are clean. Its pid; -1. */
pid_t spawn_start(const char *const argv[], const char *directory, int log);
/* Waits for it: its exit code, 128 + signal, 127 where it could not be run. */
int spawn_wait(const char *const argv[], const char *directory, int log);
int spawn_end(pid_t pid);
/* For a child between fork and exec: default signals, none blocked. */
void spawn_clean_signals(void);
