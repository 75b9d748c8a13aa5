/* Shared file systems (EFS). The kernel has no NFS client here, so a mount(2) of type nfs4, nfs or efs that names a
 * mount target of the machine's VPC gets the file system's folder itself, with the machine's ids; but only if a TCP
 * connection from the machine's network to the mount target's port 2049 stands: so routes, ACLs and security groups
 * decide, by packets. Inside compute/. */
#pragma once
#include "host/compute/compute.h"
#include "host/internal.h"

struct share_call {
	struct machine *m;
	int pid; /* who mounts */
	const char *source, *type, *options;
};
/* Is it a mount of such a file system? Then *error is 0 or the errno. In a child of its own: namespaces are entered.
 * target: opened by the caller. attributes: of the mount. */
bool share_mount(const struct share_call *c, int target, unsigned attributes, int *error);
