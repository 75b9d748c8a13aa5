/* See staging.h. */
#include "host/compute/staging.h"
#include "base/log.h"
#include "host/compute/door.h"
#include "host/compute/mounts.h"
#include "host/internal.h"
#include "host/netns.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A request that came meanwhile. */
struct kept {
	struct kept *next;
	struct agent_request r;
	char body[];
};
struct staging {
	struct machine *m;
	uint64_t id; /* of the request that waits for it */
	struct launched at;
	int network; /* its descriptor, in the stager and init; 0: it does not stand yet */
	bool named, failed;
	char why[128];
	struct kept *first, **last;
};

static void fail(struct staging *s, const char *step, int error)
{
	if (s->failed) return;
	s->failed = true;
	snprintf(s->why, sizeof(s->why), "the kernel did not %s: %s", step, strerror(error));
	log_error("host", "launch", "id=%s step=\"%s\" why=\"%s\"", s->m->id, step, strerror(error));
}

/* Its network's name; what the VPC's intent says of it is plugged in while all else is made ready. The stager may have
 * ended since it told: then init, which waits, has the descriptor. */
static void name_network(struct staging *s)
{
	struct machine *m = s->m;
	struct arena a;
	char path[64];
	pid_t of[2] = {s->at.stager, m->pid};
	int net = -1;
	for (int i = 0; i < 2 && net < 0 && of[i] > 0; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", of[i], s->network);
		net = open(path, O_RDONLY | O_CLOEXEC);
	}
	/* init's pid is in the pipe. */
	if (net < 0 && m->pid <= 0) return;
	/* A later agent finds by its record what it has to take away. */
	if (m->pid <= 0) machine_save(m);
	arena_init(&a);
	struct str name = netns_name(&a, agent_prefix(m->c->g), str_c(m->id));
	s->named = net >= 0 && is_ok(netns_bind(net, name));
	if (!s->named) fail(s, "name its network", errno);
	if (net >= 0) close(net);
	arena_cleanup(&a);
	if (s->named) net_place_stands(agent_net(m->c->g), str_c(m->id));
}

/* Noted, so that any agent finds it; then it may run. */
static void note(struct staging *s, pid_t pid)
{
	struct machine *m = s->m;
	m->pid = pid;
	m->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (m->pidfd < 0) {
		fail(s, "open its first process", errno);
		return;
	}
	m->started = process_started(pid);
	machine_save(m);
}

static void take_report(struct staging *s, const struct launch_report *r)
{
	if (r->error) fail(s, r->step, r->error);
	if (s->failed) return;
	if (r->pid > 0) {
		s->m->root_device = r->root_number;
		memcpy(s->m->root_loop, r->root_device, sizeof(s->m->root_loop));
		note(s, r->pid);
	}
	if (r->network > 0) s->network = r->network;
	if (s->network && !s->named) name_network(s);
	if (r->pid > 0 && !s->failed && write(s->at.go, "g", 1) != 1) fail(s, "let it go", errno);
}

static void answer(struct agent *g, uint64_t id, status s, const char *why)
{
	agent_answer(g, id, s, is_ok(s) ? STR_NONE : str_c(why), STR_NONE, NULL, 0);
}

static void handle_kept(struct agent *g, struct kept *list, bool ending)
{
	for (struct kept *k = list, *next; k; k = next) {
		next = k->next;
		struct arena a;
		arena_init(&a);
		k->r.arena = &a;
		if (ending)
			answer(g, k->r.id, STATUS(IO), "the agent ends");
		else
			compute_handler(k->r.op)(g, &k->r);
		for (size_t i = 0; i < k->r.n_fds; i++)
			if (k->r.fds[i] >= 0) close(k->r.fds[i]);
		arena_cleanup(&a);
		/* There may be a key in it. */
		explicit_bzero(k->body, k->r.body.n);
		free(k);
	}
}

/* ── the stager's end ── it may still be syncing */

struct ending {
	struct agent *g;
	pid_t pid;
	int fd;
};

static void on_stager_end(void *ctx)
{
	struct ending *e = ctx;
	waitpid(e->pid, NULL, 0);
	agent_unwatch(e->g, e->fd);
	close(e->fd);
	free(e);
}

static void wait_for_stager(struct agent *g, pid_t pid, bool now)
{
	pid_t done;
	do {
		done = waitpid(pid, NULL, now ? 0 : WNOHANG);
	} while (done < 0 && errno == EINTR);
	if (done != 0) return;
	struct ending *e = mem_new(sizeof(*e));
	*e = (struct ending){g, pid, (int)syscall(SYS_pidfd_open, pid, 0)};
	if (e->fd >= 0) {
		agent_watch(g, e->fd, on_stager_end, e);
		return;
	}
	free(e);
	waitpid(pid, NULL, 0);
}

/* The pipe has ended: init runs, or nobody is left who could make it run. */
static void finish(struct staging *s, bool ending)
{
	struct machine *m = s->m;
	struct agent *g = m->c->g;
	uint64_t id = s->id;
	char why[sizeof(s->why)];
	agent_unwatch(g, s->at.report);
	close(s->at.report);
	if (s->at.go >= 0) close(s->at.go);
	if (m->pid <= 0) fail(s, "stage the root", ECHILD);
	wait_for_stager(g, s->at.stager, s->failed);
	if (!s->named) fail(s, "name its network", ECHILD);
	bool failed = s->failed;
	struct kept *kept = s->first;
	memcpy(why, s->why, sizeof(why));
	free(s);
	m->staging = NULL;
	if (failed) {
		if (m->pid > 0) kill(m->pid, SIGKILL), waitpid(m->pid, NULL, __WALL);
		machine_undo(m);
	} else {
		machine_watch(m);
	}
	answer(g, id, failed ? STATUS(IO) : OK, why);
	handle_kept(g, kept, ending);
}

static void on_report(void *ctx)
{
	struct staging *s = ctx;
	struct launch_report r;
	if (is_ok(launch_next(&s->at, &r)))
		take_report(s, &r);
	else
		finish(s, false);
}

status staging_begin(struct machine *m, const struct launch *plan, struct agent_request *r, struct str *why)
{
	struct staging *s = mem_new(sizeof(*s));
	*s = (struct staging){.m = m, .id = r->id};
	s->last = &s->first;
	if (!is_ok(launch_begin(plan, &s->at))) {
		*why = str_fmt(r->arena, "its stager cannot be started: %s", strerror(errno));
		free(s);
		return STATUS(IO);
	}
	m->staging = s;
	agent_watch(m->c->g, s->at.report, on_report, s);
	return OK;
}

bool staging_keeps(struct machine *m, const struct agent_request *r)
{
	if (!m || !m->staging) return false;
	struct kept *k = mem_new(sizeof(*k) + r->body.n);
	k->r = *r;
	memcpy(k->body, r->body.p, r->body.n);
	k->r.body = str_n(k->body, r->body.n);
	for (size_t i = 0; i < r->n_fds; i++) k->r.fds[i] = fcntl(r->fds[i], F_DUPFD_CLOEXEC, 3);
	*m->staging->last = k;
	m->staging->last = &k->next;
	return true;
}

void staging_abort(struct machine *m)
{
	struct staging *s = m->staging;
	if (!s) return;
	fail(s, "go on: the agent ends", ECANCELED);
	kill(s->at.stager, SIGKILL);
	/* What it has not told yet is in the pipe: a first process that waits to go. */
	close(s->at.go);
	s->at.go = -1;
	struct launch_report r;
	while (is_ok(launch_next(&s->at, &r)))
		if (r.pid > 0) m->pid = r.pid;
	finish(s, true);
}
