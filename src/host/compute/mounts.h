/* Volumes mounted inside: ext4 and the like may be mounted by the host's root alone, so mount(2) of a machine's process
 * stops in its filter of system calls (seccomp_unotify(2)) and comes here. A volume that is attached to the machine is
 * mounted for it, with the machine's ids and without device nodes; every other mount goes on to the kernel as it was,
 * with what rights the process has. Inside compute/. */
#pragma once
#include "host/compute/compute.h"

/* Takes the filter's descriptor from init, and answers from now on. */
void mounts_watch(struct machine *m);
void mounts_unwatch(struct machine *m);
