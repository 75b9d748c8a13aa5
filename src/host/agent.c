/* See agent.h. */
#include "host/agent.h"
#include "base/log.h"
#include "host/compute/door.h"
#include "host/frame.h"
#include "host/internal.h"
#include "host/seal/folders.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS 64
#define KEEP_BYTES (4 << 20)
#define LOCK_TRIES 500
#define LOCK_PAUSE_US 10000u

struct watch {
	int fd;
	void (*fn)(void *ctx);
	void *ctx;
	struct watch *next;
};

struct agent {
	int stream, epoll;
	bool ended, cleared; /* cleared: nothing was made since */
	struct arena arena;  /* as long as the agent */
	struct str prefix, data;
	const char *folder, *lock, *data_file;
	bool ephemeral;
	int vcpu_percent;
	int folder_lock;
	struct watch *watches, *dropped; /* dropped: to be freed after this turn of the loop */
	struct net *net;
	struct compute *compute;
};

struct str agent_prefix(const struct agent *g)
{
	return g->prefix;
}
const char *agent_folder(const struct agent *g)
{
	return g->folder;
}
struct str agent_data(const struct agent *g)
{
	return g->data;
}
int agent_vcpu_percent(const struct agent *g)
{
	return g->vcpu_percent;
}
struct net *agent_net(struct agent *g)
{
	return g->net;
}
struct compute *agent_compute(struct agent *g)
{
	return g->compute;
}

/* ── answers and events ──────────────────────────────────────────────────────────────────────────────────────────── */

static void say(struct agent *g, const struct frame *f)
{
	if (g->stream < 0) return;
	if (!is_ok(frame_send(g->stream, f))) g->ended = true;
}

void agent_answer(struct agent *g, uint64_t id, status s, struct str why, struct str body, const int *fds, size_t n_fds)
{
	struct arena a;
	arena_init(&a);
	struct host_rec_answer answer = {.code = SOME_I32((int32_t)s.code), .why = why, .body = body};
	struct frame f = {.op = HOST_OP_ANSWER, .id = id, .body = host_rec_answer_encode(&a, &answer), .n_fds = n_fds};
	INVARIANT(n_fds <= HOST_FDS_MAX);
	if (n_fds) memcpy(f.fds, fds, n_fds * sizeof(*fds));
	say(g, &f);
	arena_cleanup(&a);
}

void agent_event(struct agent *g, enum host_op op, struct str body)
{
	struct frame f = {.op = op, .body = body};
	say(g, &f);
}

/* ── what it watches ─────────────────────────────────────────────────────────────────────────────────────────────── */

void agent_watch(struct agent *g, int fd, void (*fn)(void *ctx), void *ctx)
{
	struct watch *w = mem_new(sizeof(*w));
	*w = (struct watch){fd, fn, ctx, g->watches};
	g->watches = w;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = w};
	INVARIANT(epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &e) == 0);
}

void agent_unwatch(struct agent *g, int fd)
{
	for (struct watch **at = &g->watches; *at; at = &(*at)->next) {
		struct watch *w = *at;
		if (w->fd != fd) continue;
		epoll_ctl(g->epoll, EPOLL_CTL_DEL, fd, NULL);
		*at = w->next;
		w->fn = NULL;
		w->next = g->dropped;
		g->dropped = w;
		return;
	}
}

static void free_watches(struct watch *w)
{
	while (w) {
		struct watch *next = w->next;
		free(w);
		w = next;
	}
}

/* ── the installation ────────────────────────────────────────────────────────────────────────────────────────────── */

/* Its folder in /run says that something of the installation may stand; the lock, that its agent lives; the file
 * "data", whose it is. */
static status take_folder(struct agent *g)
{
	if (mkdir("/run/virga", 0755) != 0 && errno != EEXIST) return STATUS(IO);
	g->folder = str_fmt(&g->arena, "/run/virga/%.*s/", STR_ARG(g->prefix)).p;
	if (mkdir(g->folder, 0700) != 0 && errno != EEXIST) return STATUS(IO);
	g->lock = str_fmt(&g->arena, "%s%s", g->folder, g->ephemeral ? "ephemeral" : "lock").p;
	g->folder_lock = open(g->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (g->folder_lock < 0) return STATUS(IO);
	/* The agent of a virga that was killed may still be on its way out. */
	for (int i = 0; flock(g->folder_lock, LOCK_EX | LOCK_NB) != 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES) return STATUS(IO);
		usleep(LOCK_PAUSE_US);
	}
	g->data_file = str_fmt(&g->arena, "%sdata", g->folder).p;
	int fd = open(g->data_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) return STATUS(IO);
	bool whole = write(fd, g->data.p, g->data.n) == (ssize_t)g->data.n;
	close(fd);
	return whole ? OK : STATUS(IO);
}

static void leave_folder(struct agent *g)
{
	unlink(g->data_file);
	unlink(g->lock);
	rmdir(g->folder); /* stays where there is something in it */
}

static struct str read_data_file(struct agent *g)
{
	char text[4096];
	int fd = open(g->data_file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	if (fd >= 0) close(fd);
	return n > 0 ? str_dup(&g->arena, str_n(text, (size_t)n)) : STR_NONE;
}

/* Is it nobody's: ephemeral, or with a data folder that is gone; and neither an agent nor its virga (which locks the
 * folder itself: host.c) has it? Then everything of it goes. */
static void sweep_one(const char *name)
{
	struct agent g = {.stream = -1, .epoll = epoll_create1(EPOLL_CLOEXEC), .folder_lock = -1};
	arena_init(&g.arena);
	g.prefix = str_dup(&g.arena, str_c(name));
	g.folder = str_fmt(&g.arena, "/run/virga/%s/", name).p;
	g.data_file = str_fmt(&g.arena, "%sdata", g.folder).p;
	g.lock = str_fmt(&g.arena, "%sephemeral", g.folder).p;
	g.ephemeral = access(g.lock, F_OK) == 0;
	if (!g.ephemeral) g.lock = str_fmt(&g.arena, "%slock", g.folder).p;
	g.data = read_data_file(&g);
	bool gone = str_has(g.data) && access(str_z(&g.arena, g.data), F_OK) != 0 && errno == ENOENT;
	g.folder_lock = open(g.lock, O_RDWR | O_CLOEXEC);
	int folder = open(g.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) == 0 && g.epoll >= 0 && str_has(g.data) &&
		(g.ephemeral || gone) && g.folder_lock >= 0 && flock(g.folder_lock, LOCK_EX | LOCK_NB) == 0) {
		log_info("host", "swept", "installation=%s", name);
		g.net = net_new(&g);
		g.compute = compute_new(&g);
		compute_clear(g.compute);
		net_clear(g.net);
		compute_free(g.compute);
		net_free(g.net);
		leave_folder(&g);
	}
	if (folder >= 0) close(folder);
	if (g.folder_lock >= 0) close(g.folder_lock);
	if (g.epoll >= 0) close(g.epoll);
	free_watches(g.watches);
	free_watches(g.dropped);
	arena_cleanup(&g.arena);
}

/* What virgas left that were killed and will not come again. */
static void sweep(const struct agent *own)
{
	DIR *d = opendir("/run/virga");
	for (struct dirent *e; d && (e = readdir(d));)
		if (str_starts(str_c(e->d_name), STR("virga-")) && !str_eq(str_c(e->d_name), own->prefix))
			sweep_one(e->d_name);
	if (d) closedir(d);
	slots_sweep();
}

static void on_hello(struct agent *g, struct agent_request *r)
{
	struct host_rec_hello hello = {0};
	if (g->net || !is_ok(host_rec_hello_decode(r->arena, r->body, &hello)) || !str_has(hello.installation) ||
		!str_has(hello.data)) {
		g->ended = true;
		return;
	}
	g->prefix = str_dup(&g->arena, hello.installation);
	g->data = str_dup(&g->arena, hello.data);
	g->ephemeral = hello.ephemeral.v;
	g->vcpu_percent = hello.vcpu_percent.has ? hello.vcpu_percent.v : 100;
	if (!is_ok(take_folder(g))) {
		log_error("host", "agent_folder", "folder=%s why=\"%s\"", g->folder, strerror(errno));
		g->ended = true;
		return;
	}
	sweep(g);
	g->net = net_new(g);
	g->compute = compute_new(g);
}

static void on_clear(struct agent *g, struct agent_request *r)
{
	compute_clear(g->compute);
	net_clear(g->net);
	g->cleared = true;
	agent_answer(g, r->id, OK, STR_NONE, STR_NONE, NULL, 0);
}

/* A row for each request; rows of compute/ are its own. */
static const agent_handler handlers[HOST_OP_COUNT] = {
	[HOST_OP_HELLO] = on_hello,
	[HOST_OP_CLEAR] = on_clear,
	[HOST_OP_FLOWS_COLLECT] = net_on_flows,
	[HOST_OP_VPC_APPLY] = net_on_vpc,
	[HOST_OP_VPC_REMOVE] = net_on_vpc_remove,
	[HOST_OP_TGW_APPLY] = net_on_tgw,
	[HOST_OP_TGW_REMOVE] = net_on_tgw_remove,
	[HOST_OP_INTERNET_APPLY] = net_on_internet,
	[HOST_OP_TRACE] = net_on_trace,
	[HOST_OP_LISTEN] = socket_listen,
	[HOST_OP_CONNECT] = socket_connect,
	[HOST_OP_SHARE] = shares_on,
	[HOST_OP_FOLDER] = folders_on,
	[HOST_OP_BALANCE] = net_on_balance,
	[HOST_OP_BALANCE_COUNT] = net_on_balance_count,
};

static void on_stream(void *ctx)
{
	struct agent *g = ctx;
	struct buf room = BUF_HEAP;
	struct arena a;
	struct frame f;
	if (!is_ok(frame_receive(g->stream, &room, &f))) {
		g->ended = true;
		buf_cleanup(&room);
		return;
	}
	arena_init(&a);
	struct agent_request r = {.op = f.op, .id = f.id, .body = f.body, .n_fds = f.n_fds, .arena = &a};
	memcpy(r.fds, f.fds, sizeof(r.fds));
	agent_handler handler = handlers[f.op] ? handlers[f.op] : compute_handler(f.op);
	if (!handler || (f.op != HOST_OP_HELLO && !g->net))
		agent_answer(g, f.id, STATUS(INVALID), STR("the agent has no such request"), STR_NONE, NULL, 0);
	else {
		g->cleared = false;
		handler(g, &r);
	}
	for (size_t i = 0; i < r.n_fds; i++)
		if (r.fds[i] >= 0) close(r.fds[i]);
	arena_cleanup(&a);
	buf_cleanup(&room);
}

int agent_run(int stream)
{
	struct agent g = {.stream = stream, .folder_lock = -1, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	signal(SIGPIPE, SIG_IGN);
	/* libnftables takes and gives back 128 KiB tables at each change of a rule: from the heap, which stays warm. */
	mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	mallopt(M_ARENA_MAX, 1); /* helpers of a moment (space.h) take no heap of their own */
	arena_init(&g.arena);
	INVARIANT(g.epoll >= 0);
	agent_watch(&g, stream, on_stream, &g);
	while (!g.ended) {
		struct epoll_event e[EVENTS];
		int n = epoll_wait(g.epoll, e, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct watch *w = e[i].data.ptr;
			if (w->fn) w->fn(w->ctx);
		}
		if (g.net) net_settle(g.net);
		free_watches(g.dropped);
		g.dropped = NULL;
	}
	compute_free(g.compute);
	net_free(g.net);
	if (g.cleared) leave_folder(&g);
	free_watches(g.watches);
	arena_cleanup(&g.arena);
	return 0;
}
