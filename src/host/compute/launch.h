/* From a plan to a running init: what happens between fork and exec. Inside compute/. */
#pragma once
#include "base/status.h"
#include "host/compute/cgroup.h"
#include "host/compute/image.h"

#define LAUNCH_NODES_MAX 32
#define MACHINE_IDS 65536u

struct launch_node {
	char name[32]; /* "xvdf" */
	dev_t device;
};
struct launch {
	uint32_t first_id; /* of the host's user and group ids */
	const char *stage; /* a folder that is there; mounts on it are seen by nobody else */
	struct image_layers layers;
	char root_device[32]; /* /dev/loop7: an ext4 */
	const char *hostname;
	const char *meminfo; /* first contents of the file */
	const char *cpuinfo;
	uint64_t shm_bytes, run_bytes;
	struct cgroup_doors doors;
	struct launch_node nodes[LAUNCH_NODES_MAX];
	size_t n_nodes;
	int empty_network;                           /* launch_empty_network */
	int program;                                 /* init, a memfd */
	int control, agent, console, config, memory; /* as in control.h; memory may be -1 */
};

/* A network namespace with nothing in it, to be closed; -1 with errno. */
int launch_empty_network(void);
/* init as a memfd that can be run, not read and not written; -1. */
int launch_program(void);
/* Starts it: *pid of init, a child of the caller. IO with *step: what was refused, with errno. The caller removes what
 * it made of control groups and loop devices. */
status launch_machine(const struct launch *l, pid_t *pid, const char **step) MUST_USE;
