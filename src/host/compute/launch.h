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
struct launch;
/* What takes the kernel's time is made by the stager, not by its caller: first the root volume's file system (fresh); then its
 * device (root_device, root_number), and beside that, in another thread, the control groups (doors, memory); then the
 * limits that want both. */
enum launch_part { LAUNCH_VOLUME, LAUNCH_DEVICE, LAUNCH_GROUPS, LAUNCH_LIMITS };
struct launch {
	bool (*make)(void *ctx, enum launch_part part, struct launch *l); /* false with errno */
	void *make_ctx;
	uint32_t first_id; /* of the host's user and group ids */
	const char *stage; /* a folder that is there; mounts on it are seen by nobody else */
	struct image_layers layers;
	char root_device[32]; /* /dev/loop7: an ext4 */
	dev_t root_number;
	bool fresh; /* it had no file system before */
	int root;   /* the file under it */
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
/* A launch on its way: both ends are the caller's to close. Whoever closes `go` without a word ends it: init does not
 * run before the caller has written one byte to it, which is when the caller has noted the machine durably enough to
 * find it again. */
struct launched {
	pid_t stager; /* a child of the caller, to be waited for: it ends soon after `report` does */
	int report, go;
};
/* IO with errno. What was opened for the plan may be closed then. */
status launch_begin(const struct launch *l, struct launched *out) MUST_USE;
struct launch_report {
	int error;   /* it failed, at `step`; the end follows */
	pid_t pid;   /* of init, a child of the caller; 0: not told by this one */
	int network;  /* its network namespace stands, and is this descriptor of the stager's, and of init's until it goes;
	               * 0: not told by this one. Comes before the pid */
	char step[54];
	dev_t root_number; /* with the pid: of the root volume */
	char root_device[32];
};
/* The next one; NOT_FOUND: the end. After it, without an error before, init runs. The caller removes what it made of
 * control groups and loop devices. Blocks. */
status launch_next(const struct launched *l, struct launch_report *out) MUST_USE;
