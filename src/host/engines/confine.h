/* What an engine sees of the host, between fork and exec. Inside engines/. */
#pragma once
#include "base/status.h"
#include "host/compute/cgroup.h"
#include <sys/types.h>

struct confine {
	const char *folder, *shared; /* of the host; shown as /srv/engine, /srv/shared (NULL: none) */
	const char *stage;           /* a folder that is there, for mounts that nobody else sees */
	int network;                 /* a network namespace; -1: a new one, with lo up */
	uint32_t uid;
	bool transparent; /* it may send from any address */
	struct cgroup_doors doors;
	const char *const *argv, *const *environment;
	int fds[3]; /* standard input, output, error */
};
/* Starts it: a child of the caller. IO with *step and errno. */
status confine_start(const struct confine *c, pid_t *pid, const char **step) MUST_USE;
