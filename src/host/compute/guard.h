/* What a machine's processes may ask of the kernel: capabilities (over their own namespaces only) and system calls.
 * Both are taken on just before init runs and cannot be put off. */
#pragma once
#include <stdbool.h>

/* Takes the capabilities away that nothing in a machine needs, for good; false where the kernel refuses. */
bool guard_capabilities(void);
/* *notify: a descriptor where mount(2) waits for the agent (mounts.h). System calls that reach beyond namespaces, or
 * are much attack surface for little use, answer EPERM (ENOSYS where a program falls back on another). The caller has
 * CAP_SYS_ADMIN in its user namespace. */
bool guard_system_calls(int *notify);
