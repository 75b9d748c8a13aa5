/* Engines: programs that Debian packages (HAProxy, PostgreSQL, Redis, …) run by the host agent for a service: in the
 * network of a place, with a user id, a folder, limits and a log of their own, restarted when they end, and living on
 * when the agent or virga is killed. They see the host's programs and libraries read only, their folder as /srv/engine,
 * a /tmp and /run of their own, and nothing else of the host's files.
 *
 * What the program prints goes to FOLDER/log, which is renamed to FOLDER/log.1 at 8 MiB (its standard output to
 * FOLDER/`output`, where that is given; the service empties it). Files that it needs (a configuration, a certificate) are
 * written by the service into FOLDER before the start: virga may write there. Start is idempotent; it answers when the
 * process runs, not when it serves. Answers: as in host.h; INVALID with *why also where argv[0] is not there: *why then
 * names the command that installs it. */
#pragma once
#include "compute_state.h"
#include "host/host.h"

status host_engine_start(struct host *h, struct arena *a, const struct compute_rec_engine *e, struct str *why) MUST_USE;
/* Its stop signal, after grace_ms SIGKILL; blocks until it has ended. It is not restarted, and forgotten. OK where
 * there is none. */
status host_engine_stop(struct host *h, struct str id) MUST_USE;
/* SIGHUP, SIGUSR2 and the like to its main process. */
status host_engine_signal(struct host *h, struct str id, int signal) MUST_USE;
status host_engine_list(struct host *h, struct arena *a, struct compute_rec_engine_statuses *out) MUST_USE;
/* Runs a command beside it, in the same namespaces and as the same user (initdb before, psql while it runs); fds are
 * its standard ones. Blocks until it ends. */
status host_engine_run(struct host *h, struct arena *a, const struct compute_rec_engine *e, const int fds[3],
	int *exit_code, struct str *why) MUST_USE;
/* The service's end of its network: a connection to a port in its place is host_connect's. */
