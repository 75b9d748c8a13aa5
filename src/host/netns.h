/* Network namespaces by name: bound in /run/netns as `ip netns` does, so that people look into them with it. Inside
 * host/ only; the process has one thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* "virga-3f9a2c-vpc-0123"; prefix as agent_prefix. */
struct str netns_name(struct arena *a, struct str prefix, struct str place);
/* A descriptor of it; -1 where there is none. */
int netns_open(struct str name);
/* Makes and binds it where there is none; `lo` is up in it. *made tells. IO where the kernel refuses. */
status netns_ensure(struct str name, int *fd, bool *made) MUST_USE;
/* Binds the namespace of that descriptor under the name. */
status netns_bind(int fd, struct str name) MUST_USE;
/* Unbinds it: the namespace and its links go with their last process and descriptor. */
void netns_remove(struct str name);
/* Names that begin with the prefix. */
struct str *netns_list(struct arena *a, struct str prefix, size_t *n);

/* Runs in that namespace from enter to leave. Nesting is a broken invariant. */
struct netns_visit {
	int home;
};
status netns_enter(struct netns_visit *v, int fd) MUST_USE;
void netns_leave(struct netns_visit *v);
/* A socket of that namespace, close-on-exec; -1 with errno. */
int netns_socket(int netns, int family, int type, int protocol);
