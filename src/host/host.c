/* virga's side of the host agent: who waits for which answer. Two threads come with the first agent: one reads what
 * agents say, one tells events to the subscribers (so that these may make requests themselves). */
#include "host/host.h"
#include "base/log.h"
#include "base/map.h"
#include "clock/clock.h"
#include "host/frame.h"
#include "host/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUBSCRIBERS 8
#define CAP(c) ((uint64_t)1 << (c))
#define NEEDED (CAP(CAP_SYS_ADMIN) | CAP(CAP_NET_ADMIN) | CAP(CAP_NET_RAW) | CAP(CAP_SYS_CHROOT) | CAP(CAP_SETUID))
/* Agents that die faster than this after each other are waited for. */
#define RESTART_PAUSE_MS 500

struct waiter {
	uint64_t id;
	struct waiter *next;
	pthread_cond_t woken;
	bool done, lost;
	struct buf body;
	int fds[HOST_FDS_MAX];
	size_t n_fds;
};

struct event {
	struct event *next;
	enum host_event_kind kind;
	size_t n;
	char bytes[];
};

struct host {
	bool available;
	struct str why;
	char prefix[sizeof("virga-000000")];
	int control;
	pid_t keeper;
	bool standing; /* something of an earlier life may stand */
	struct arena arena;
	struct str hello;
	int vcpu_percent;

	pthread_mutex_t lock; /* the fields below */
	pthread_cond_t changed;
	int stream; /* -1: no agent */
	bool reader_runs, event_runs, stopping, folder_held;
	bool telling, silent; /* an event is at the subscribers; none comes to them any more */
	int folder; /* the installation's in /run/virga, locked: virga lives, even while no agent does; -1: none */
	pthread_t reader, teller;
	uint64_t last_id;
	struct waiter *waiters;
	struct event *first, **last;
	struct {
		host_event_fn fn;
		void *ctx;
	} subscribers[SUBSCRIBERS];
	size_t n_subscribers;

	pthread_mutex_t sending; /* taken before `lock`, never within it: a send may wait for the agent */
};

/* ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct host *host_start(bool simulated, bool keep_files)
{
	struct host *h = mem_new(sizeof(*h));
	h->control = h->stream = h->folder = -1;
	h->last = &h->first;
	arena_init(&h->arena);
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->sending, NULL);
	pthread_cond_init(&h->changed, NULL);
	if (simulated) {
		h->why = STR("it was started so");
		return h;
	}
	if (geteuid() != 0) {
		h->why = STR("virga does not run as root");
		return h;
	}
	if ((keeper_capabilities() & NEEDED) != NEEDED) {
		h->why = STR("virga runs as root, but without the capabilities that namespaces need");
		return h;
	}
	if (!is_ok(keeper_start(&h->control, &h->keeper))) {
		h->why = STR("the keeper could not be started");
		return h;
	}
	uint64_t keep = CAP(CAP_NET_BIND_SERVICE) | (keep_files ? CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) : 0);
	if (!keeper_drop(keep)) log_warn("host", "capabilities_kept", "why=\"%s\"", strerror(errno));
	h->available = true;
	return h;
}

void host_set_vcpu(struct host *h, int percent)
{
	h->vcpu_percent = percent;
}

void host_open(struct host *h, const char *data, bool ephemeral)
{
	if (!h->available) return;
	char *real = realpath(data, NULL);
	struct str folder = str_fmt(&h->arena, "%s/", real ? real : data);
	free(real);
	snprintf(h->prefix, sizeof(h->prefix), "virga-%06llx", (unsigned long long)(str_hash(folder) & 0xffffff));
	struct host_rec_hello hello = {
		.installation = host_prefix(h), .data = folder, .ephemeral = SOME_BOOL(ephemeral)};
	if (h->vcpu_percent) hello.vcpu_percent = SOME_I32(h->vcpu_percent);
	h->hello = host_rec_hello_encode(&h->arena, &hello);
	h->standing = access(str_fmt(&h->arena, "/run/virga/%s", h->prefix).p, F_OK) == 0;
}

bool host_available(const struct host *h)
{
	return h && h->available;
}
struct str host_why(const struct host *h)
{
	return h ? h->why : STR("there is no host");
}
struct str host_prefix(const struct host *h)
{
	return str_c(h->prefix);
}

void host_subscribe(struct host *h, host_event_fn fn, void *ctx)
{
	INVARIANT(h->n_subscribers < SUBSCRIBERS);
	h->subscribers[h->n_subscribers].fn = fn;
	h->subscribers[h->n_subscribers++].ctx = ctx;
}

/* ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void tell(struct host *h, struct event *e)
{
	struct arena a;
	arena_init(&a);
	struct str bytes = str_n(e->bytes, e->n);
	struct host_rec_flows flows = {0};
	struct host_rec_machine_ended ended = {0};
	const void *detail = NULL;
	status s = OK;
	switch (e->kind) {
	case HOST_AGENT_RESTARTED:
	case HOST_REPAIRED:
		break;
	case HOST_FLOWS:
		s = host_rec_flows_decode(&a, bytes, &flows), detail = &flows;
		break;
	case HOST_MACHINE_ENDED:
		s = host_rec_machine_ended_decode(&a, bytes, &ended), detail = &ended;
		break;
	}
	for (size_t i = 0; is_ok(s) && i < h->n_subscribers; i++)
		h->subscribers[i].fn(h->subscribers[i].ctx, e->kind, detail);
	arena_cleanup(&a);
}

static void *tell_events(void *ctx)
{
	struct host *h = ctx;
	prctl(PR_SET_NAME, "host-events");
	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (!h->first && !h->stopping) pthread_cond_wait(&h->changed, &h->lock);
		struct event *e = h->first;
		if (!e || h->stopping) break;
		h->first = e->next;
		if (!h->first) h->last = &h->first;
		bool tells = h->telling = !h->silent;
		pthread_mutex_unlock(&h->lock);
		if (tells) {
			if (e->kind == HOST_AGENT_RESTARTED) usleep(RESTART_PAUSE_MS * 1000);
			tell(h, e);
		}
		free(e);
		pthread_mutex_lock(&h->lock);
		h->telling = false;
		pthread_cond_broadcast(&h->changed);
	}
	while (h->first) {
		struct event *e = h->first;
		h->first = e->next;
		free(e);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* With the lock held. */
static void queue_event(struct host *h, enum host_event_kind kind, struct str bytes)
{
	struct event *e = mem_new(sizeof(*e) + bytes.n);
	e->kind = kind;
	e->n = bytes.n;
	if (bytes.n) memcpy(e->bytes, bytes.p, bytes.n);
	*h->last = e;
	h->last = &e->next;
	pthread_cond_broadcast(&h->changed);
}

/* ── what the agent says ─────────────────────────────────────────────────────────────────────────────────────────── */

static void deliver(struct host *h, struct frame *f)
{
	pthread_mutex_lock(&h->lock);
	if (f->op == HOST_OP_FLOWS)
		queue_event(h, HOST_FLOWS, f->body);
	else if (f->op == HOST_OP_MACHINE_ENDED)
		queue_event(h, HOST_MACHINE_ENDED, f->body);
	else if (f->op == HOST_OP_REPAIRED)
		queue_event(h, HOST_REPAIRED, STR_NONE);
	else if (f->op == HOST_OP_ANSWER) {
		struct waiter *w = h->waiters;
		while (w && w->id != f->id) w = w->next;
		if (w && !w->done) {
			buf_str(&w->body, f->body);
			memcpy(w->fds, f->fds, sizeof(w->fds));
			w->n_fds = f->n_fds;
			f->n_fds = 0;
			w->done = true;
			pthread_cond_signal(&w->woken);
		}
	}
	pthread_mutex_unlock(&h->lock);
	frame_close(f);
}

static void *read_agent(void *ctx)
{
	struct host *h = ctx;
	prctl(PR_SET_NAME, "host-reader");
	struct buf room = BUF_HEAP;
	int stream = h->stream; /* set before this thread was made; closed by nobody else */
	struct frame f;
	while (is_ok(frame_receive(stream, &room, &f))) {
		deliver(h, &f);
		if (room.capacity > 1 << 20) buf_cleanup(&room), room = BUF_HEAP;
	}
	buf_cleanup(&room);
	shutdown(stream, SHUT_RDWR); /* who is sending finds out */
	pthread_mutex_lock(&h->sending);
	pthread_mutex_lock(&h->lock);
	h->stream = -1;
	close(stream);
	for (struct waiter *w = h->waiters; w; w = w->next) {
		if (w->done) continue;
		w->done = w->lost = true;
		pthread_cond_signal(&w->woken);
	}
	if (!h->stopping) queue_event(h, HOST_AGENT_RESTARTED, STR_NONE);
	pthread_mutex_unlock(&h->lock);
	pthread_mutex_unlock(&h->sending);
	return NULL;
}

/* With `sending` held. Starts an agent where there is none. */
static status ensure_agent(struct host *h)
{
	pthread_mutex_lock(&h->lock);
	bool have = h->stream >= 0;
	pthread_mutex_unlock(&h->lock);
	if (have) return OK;
	if (h->reader_runs) pthread_join(h->reader, NULL);
	h->reader_runs = false;
	int stream;
	if (!is_ok(keeper_agent(h->control, &stream))) {
		log_error("host", "no_agent", "the keeper is gone");
		return STATUS(IO);
	}
	struct frame hello = {.op = HOST_OP_HELLO, .body = h->hello};
	if (!is_ok(frame_send(stream, &hello))) {
		close(stream);
		return STATUS(IO);
	}
	pthread_mutex_lock(&h->lock);
	h->stream = stream;
	h->folder_held = false;
	pthread_mutex_unlock(&h->lock);
	h->reader_runs = pthread_create(&h->reader, NULL, read_agent, h) == 0;
	if (!h->event_runs) h->event_runs = pthread_create(&h->teller, NULL, tell_events, h) == 0;
	INVARIANT(h->reader_runs && h->event_runs);
	h->standing = true;
	return OK;
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void forget_waiter(struct host *h, struct waiter *w)
{
	struct waiter **at = &h->waiters;
	while (*at != w) at = &(*at)->next;
	*at = w->next;
}

/* An agent that has answered has made the folder; between two agents the lock of the last one's stays. */
static void hold_folder(struct host *h)
{
	char path[64];
	pthread_mutex_lock(&h->lock);
	if (!h->folder_held) {
		snprintf(path, sizeof(path), "/run/virga/%s", h->prefix);
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0) {
			if (h->folder >= 0) close(h->folder);
			h->folder = fd;
			h->folder_held = true;
		} else if (fd >= 0) {
			close(fd);
		}
	}
	pthread_mutex_unlock(&h->lock);
}

/* Sends, and waits until w->done. */
static status exchange(struct host *h, const struct host_ask *ask, struct waiter *w)
{
	pthread_mutex_lock(&h->sending);
	status s = ensure_agent(h);
	if (!is_ok(s)) {
		pthread_mutex_unlock(&h->sending);
		return s;
	}
	pthread_mutex_lock(&h->lock);
	w->id = ++h->last_id;
	w->next = h->waiters;
	h->waiters = w;
	int stream = h->stream;
	pthread_mutex_unlock(&h->lock);
	struct frame f = {.op = ask->op, .id = w->id, .body = ask->request, .n_fds = ask->n_fds};
	if (ask->n_fds) memcpy(f.fds, ask->fds, ask->n_fds * sizeof(int));
	s = stream >= 0 ? frame_send(stream, &f) : STATUS(IO);
	pthread_mutex_unlock(&h->sending);
	pthread_mutex_lock(&h->lock);
	while (is_ok(s) && !w->done) pthread_cond_wait(&w->woken, &h->lock);
	forget_waiter(h, w);
	pthread_mutex_unlock(&h->lock);
	if (is_ok(s) && w->lost) return STATUS(IO);
	if (is_ok(s)) hold_folder(h);
	return s;
}

status host_request(struct host *h, struct arena *a, const struct host_ask *ask, struct str *body, struct str *why)
{
	struct str nothing;
	if (!why) why = &nothing;
	*why = STR_NONE;
	if (body) *body = STR_NONE;
	if (!host_available(h)) {
		*why = host_why(h);
		return STATUS(BUSY);
	}
	INVARIANT(ask->n_fds <= HOST_FDS_MAX && str_has(h->hello));
	struct waiter w = {.body = BUF_HEAP};
	pthread_cond_init(&w.woken, NULL);
	status s = exchange(h, ask, &w);
	struct host_rec_answer answer = {0};
	if (is_ok(s) && !is_ok(host_rec_answer_decode(a, str_dup(a, buf_done(&w.body)), &answer))) s = STATUS(IO);
	if (is_ok(s)) {
		s = (status){(enum status_code)answer.code.v};
		*why = answer.why;
		if (body) *body = answer.body;
	} else
		*why = STR("the host agent died meanwhile");
	size_t room = is_ok(s) && ask->n_fds_out ? *ask->n_fds_out : 0, given = 0;
	for (size_t i = 0; i < w.n_fds; i++)
		if (given < room)
			ask->fds_out[given++] = w.fds[i];
		else
			close(w.fds[i]);
	if (ask->n_fds_out) *ask->n_fds_out = given;
	buf_cleanup(&w.body);
	pthread_cond_destroy(&w.woken);
	return s;
}

/* ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

void host_silence(struct host *h)
{
	if (!h) return;
	pthread_mutex_lock(&h->lock);
	h->silent = true;
	while (h->telling) pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

void host_stop(struct host *h, bool clean)
{
	if (!h) return;
	if (clean && h->available && h->standing && !is_ok(host_clear(h)))
		log_warn("host", "not_cleaned", "something may still stand");
	pthread_mutex_lock(&h->sending);
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	if (h->stream >= 0) shutdown(h->stream, SHUT_RDWR);
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	pthread_mutex_unlock(&h->sending);
	if (h->reader_runs) pthread_join(h->reader, NULL);
	if (h->event_runs) pthread_join(h->teller, NULL);
	if (h->control >= 0) {
		close(h->control);
		while (waitpid(h->keeper, NULL, 0) < 0 && errno == EINTR) continue;
	}
	if (h->folder >= 0) close(h->folder);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->sending);
	pthread_mutex_destroy(&h->lock);
	arena_cleanup(&h->arena);
	free(h);
}
