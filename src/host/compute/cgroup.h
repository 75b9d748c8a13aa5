/* Control groups of machines and engines, on v1, v2 and mixtures (a controller is used where it is mounted). A group is
 * named PREFIX/ID in each hierarchy. What the kernel does not offer is left out, and said once in the log. */
#pragma once
#include "base/str.h"
#include <stdint.h>
#include <sys/types.h>

struct cgroup_limits {
	int64_t memory_bytes; /* 0: none */
	int32_t vcpus;        /* 0: none */
	int32_t vcpu_percent; /* of a processor, what each of them is; 0: 100 */
	int64_t processes;    /* 0: none */
	int first_cpu;        /* of its set, where it has fewer than the host: cgroups_next_cpu */
	bool devices;         /* only those of a machine: null, zero, full, random, tty, pts */
};
/* Descriptors through which the calling process moves itself in, by writing "0"; devices' comes last. */
#define CGROUP_HIERARCHIES 10
struct cgroup_doors {
	int fds[CGROUP_HIERARCHIES];
	size_t n;
	bool devices; /* the last one is the device controller's: to be passed after all devices were opened */
};
struct cgroup_use {
	int64_t memory_bytes, cpu_us, processes;
	int64_t cpu_percent; /* of one processor, what it may use; 0: all that there is */
};

/* Finds the hierarchies; once per process. */
struct cgroups;
struct cgroups *cgroups_new(struct str prefix);
void cgroups_free(struct cgroups *g);

/* The processor at which the next group's set begins: by turns, so that all are used. */
int cgroups_next_cpu(struct cgroups *g, int32_t vcpus);
status cgroup_make(struct cgroups *g, struct str id, const struct cgroup_limits *l, struct cgroup_doors *out) MUST_USE;
void cgroup_doors_close(struct cgroup_doors *d);
/* Of a process that only entered: false where a write was refused. from..to of the doors. */
bool cgroup_enter(const struct cgroup_doors *d, size_t from, size_t to);
/* Kills what is in it, and removes it. True: it is gone. */
bool cgroup_remove(struct cgroups *g, struct str id);
/* Everything of the prefix. */
void cgroups_clear(struct cgroups *g);
void cgroup_freeze(struct cgroups *g, struct str id, bool frozen);
void cgroup_use_read(struct cgroups *g, struct str id, struct cgroup_use *out);
/* A descriptor of memory.stat, for the machine's init; -1. */
int cgroup_memory_fd(struct cgroups *g, struct str id);
void cgroup_allow_device(struct cgroups *g, struct str id, dev_t device, bool allowed);
/* Of a block device, read and write each; 0: none. */
void cgroup_limit_device(struct cgroups *g, struct str id, dev_t device, int64_t iops, int64_t bytes_per_second);
/* Calls fn with the ids of all groups that stand. */
void cgroups_each(struct cgroups *g, void (*fn)(void *ctx, struct str id), void *ctx);
