/* The agent: a single-threaded loop with root's privileges, which does one request after the other and watches
 * descriptors. Inside host/ only. It keeps no state that matters: everything is told again to the next one.
 *
 * Its SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE are ignored: who execs sets them back. Its children become the
 * keeper's when it dies. */
#pragma once
#include "base/buf.h"
#include "host/host.h"
#include <sys/types.h>

struct agent;
struct net;
struct agent_request {
	enum host_op op;
	uint64_t id;
	struct str body;
	int fds[HOST_FDS_MAX]; /* closed after the handler, but for those that it set to -1 */
	size_t n_fds;
	struct arena *arena; /* until the handler returns */
};
/* Answers with agent_answer, now or later (then it keeps the id). */
typedef void (*agent_handler)(struct agent *g, struct agent_request *r);

/* Runs until virga closes its end. Returns the exit code. */
int agent_run(int stream);

/* why: for a person, may be STR_NONE. body: a record, may be STR_NONE. The descriptors stay the caller's. */
void agent_answer(
	struct agent *g, uint64_t id, status s, struct str why, struct str body, const int *fds, size_t n_fds);
void agent_event(struct agent *g, enum host_op op, struct str body);
/* fn runs whenever fd is readable (or has ended). */
void agent_watch(struct agent *g, int fd, void (*fn)(void *ctx), void *ctx);
void agent_unwatch(struct agent *g, int fd);

/* "virga-3f9a2c"; its folder /run/virga/virga-3f9a2c/, made, with a trailing slash; the data folder likewise. */
struct str agent_prefix(const struct agent *g);
const char *agent_folder(const struct agent *g);
struct str agent_data(const struct agent *g);
/* How much of a processor a vCPU of a machine is. */
int agent_vcpu_percent(const struct agent *g);
struct net *agent_net(struct agent *g);
