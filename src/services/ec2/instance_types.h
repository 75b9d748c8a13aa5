/* Instance types: what DescribeInstanceTypes tells of each, as a table in the program. */
#pragma once
#include "base/str.h"

struct ec2_family {
	const char *name, *vendor;
	unsigned mhz;         /* sustained clock */
	const char *gpu;      /* name of the accelerator, NULL: none */
	unsigned gpu_mib;     /* memory of each */
	bool arm, xen;        /* arm64 instead of x86_64; Xen instead of Nitro */
	bool burstable, free; /* CPU credits; whether a size is in the free tier is free && micro */
	bool old;             /* not of the current generation */
	bool no_threads;      /* one thread per core */
	bool hibernates, enclaves;
};
struct ec2_machine_type {
	struct str name;
	const struct ec2_family *family;
	unsigned vcpus, memory_mib;
	unsigned interfaces, addresses; /* at most; addresses per interface, IPv4 */
	const char *network;            /* as AWS words its performance */
	unsigned network_mbps, network_peak_mbps;
	unsigned ebs_mbps, ebs_peak_mbps, ebs_iops, ebs_peak_iops; /* 0: not EBS-optimized */
	unsigned disks, disk_gb;                                   /* instance store */
	unsigned gpus;
};
/* In order of name. */
extern const size_t ec2_machine_types_length;
struct ec2_machine_type ec2_machine_type_at(size_t i);
/* False: there is none of that name. */
bool ec2_machine_type_find(struct str name, struct ec2_machine_type *out);
