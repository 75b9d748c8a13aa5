/* See watch.h. The thread's memory is a list of instances; it has at most some dozens. */
#include "services/rds/watch.h"
#include "base/log.h"
#include "base/rand.h"
#include "host/host.h"
#include "services/kms/folder.h"
#include "services/rds/auth.h"
#include "services/rds/driver.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIPE = 64 << 10, TICK_MS = 200, CONNECTIONS_MAX = 512, CONNECT_MS = 10000 };

struct flow { /* one direction */
	char *bytes;
	size_t from, to;
	bool ended, shut;
};
struct connection {
	struct connection *next;
	int client, server;
	bool connected;
	int64_t born_us;
	struct flow up, down;
};
struct instance {
	struct instance *next;
	char id[64];
	char loopback[16];
	char public[16 * 16]; /* with commas between; each connection goes to one of them */
	uint16_t port, watched_port;
	int listener;
	char *socket; /* folder */
	const struct rds_driver *driver;
	int watched;    /* -1 */
	char place[64]; /* of the relay */
	int relay;      /* -1 */
	char *source;   /* the folder of the socket that it leads to */
	bool refused;
};
struct rds {
	struct cloud *cloud;
	struct rds_auth *auth;
	pthread_mutex_t lock, template_lock;
	struct kms_holders *holders;
	pthread_t thread;
	struct instance *instances;
	struct connection *connections; /* the thread's own */
	size_t n_connections;
	int wake;
	bool running, stop;
};

struct rds *rds_of(struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i]->model == &wire_service_rds) return cloud->service_state[i];
	UNREACHABLE();
}

struct rds_auth *rds_auth_of(struct cloud *cloud)
{
	return rds_of(cloud)->auth;
}

void rds_lock(struct rds *s)
{
	pthread_mutex_lock(&s->template_lock);
}

void rds_unlock(struct rds *s)
{
	pthread_mutex_unlock(&s->template_lock);
}

struct kms_holders *rds_holders_of(struct cloud *cloud)
{
	return rds_of(cloud)->holders;
}

/* ── carrying ── */

static void connection_free(struct rds *s, struct connection **at)
{
	struct connection *c = *at;
	*at = c->next;
	close(c->client), close(c->server);
	free(c->up.bytes), free(c->down.bytes), free(c);
	s->n_connections--;
}

/* False: the connection is over. */
static bool carry(struct flow *f, int from, int to)
{
	if (f->from == f->to) f->from = f->to = 0;
	if (!f->ended && f->to < PIPE) {
		ssize_t n = recv(from, f->bytes + f->to, PIPE - f->to, 0);
		if (n > 0) f->to += (size_t)n;
		if (n == 0) f->ended = true;
		if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
	}
	while (f->from < f->to) {
		ssize_t n = send(to, f->bytes + f->from, f->to - f->from, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
		if (n <= 0) return false;
		f->from += (size_t)n;
	}
	if (f->ended && !f->shut && f->from == f->to) f->shut = true, shutdown(to, SHUT_WR);
	return true;
}

static short wanted(const struct flow *in, const struct flow *out)
{
	return (short)((!in->ended && in->to < PIPE ? POLLIN : 0) | (out->from < out->to ? POLLOUT : 0));
}

static void connection_add(struct rds *s, int fd, int server)
{
	int one = 1;
	/* No matter where it is a Unix socket. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct connection *c = mem_new(sizeof(*c));
	*c = (struct connection){.next = s->connections,
		.client = fd,
		.server = server,
		.born_us = clock_monotonic_us(),
		.up.bytes = mem_new(PIPE),
		.down.bytes = mem_new(PIPE)};
	s->connections = c;
	s->n_connections++;
}

static void accept_one(struct rds *s, const char *loopback, const char *public, int listener, uint16_t port)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), server = -1;
	struct str rest = str_c(public), to = STR("");
	uint64_t several = 1;
	if (fd < 0) return;
	for (const char *p = public; *p; p++) several += *p == ',';
	for (uint64_t i = rand_below(several) + 1; i > 0; i--) to = str_cut(&rest, ',');
	status st = s->n_connections < CONNECTIONS_MAX ? host_connect(s->cloud->host, HOST_INTERNET, to, port, &server)
						       : STATUS(LIMIT);
	if (!is_ok(st)) {
		log_info("rds", "forward_failed", "at=%s why=%s", loopback, status_name(st));
		close(fd);
		return;
	}
	connection_add(s, fd, server);
}

static void relay_one(struct rds *s, const struct instance *i)
{
	struct pg p = {.fd = -1};
	int fd = accept4(i->relay, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) return;
	if (s->n_connections < CONNECTIONS_MAX && is_ok(pg_connect(&p, i->source, "mysqld.sock"))) {
		connection_add(s, fd, p.fd);
		return;
	}
	if (p.fd >= 0) close(p.fd);
	close(fd);
}

static void carry_all(struct rds *s)
{
	for (struct connection **at = &s->connections; *at;) {
		struct connection *c = *at;
		bool good = true;
		if (!c->connected) {
			struct pollfd f = {c->server, POLLOUT, 0};
			int error = 0;
			socklen_t n = sizeof(error);
			if (poll(&f, 1, 0) > 0) {
				good = getsockopt(c->server, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0;
				c->connected = good;
			} else {
				good = clock_monotonic_us() - c->born_us < CONNECT_MS * 1000ll;
			}
		}
		if (good && c->connected)
			good = carry(&c->up, c->client, c->server) && carry(&c->down, c->server, c->client) &&
			       !(c->up.shut && c->down.shut);
		if (good)
			at = &c->next;
		else
			connection_free(s, at);
	}
}

/* ── watching ── */

static void mark_job(struct rds *s, const char *id)
{
	struct arena a;
	store_ticket ticket;
	status st;
	arena_init(&a);
	do {
		struct rds_rec_owner o;
		struct store_tx *tx = store_begin(s->cloud->store, &a, false);
		st = rds_owner(tx, &a, str_c(id), &o);
		if (is_ok(st)) {
			rds_mark((struct rds_place){tx, &a, o.account, o.region}, str_c(id), 0);
			st = store_commit(tx, &ticket);
		}
		store_end(tx);
	} while (status_is(st, STATUS_CONFLICT));
	arena_cleanup(&a);
	jobs_poke(s->cloud->jobs);
}

/* A connection that says nothing: the kernel closes it with the server. */
static void watch_one(struct rds *s, struct instance *i)
{
	struct arena a;
	char c;
	if (i->watched >= 0) {
		ssize_t n = recv(i->watched, &c, 1, MSG_DONTWAIT);
		/* What it says (a notice, its shutdown) is of no interest but for its end. */
		while (n > 0) n = recv(i->watched, &c, 1, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
		close(i->watched);
		i->watched = -1;
		log_info("rds", "server_gone", "instance=%s", i->id);
		mark_job(s, i->id);
		return;
	}
	if (!i->socket) return;
	arena_init(&a);
	if (!is_ok(i->driver->watch(&a, i->socket, i->watched_port, &i->watched))) i->watched = -1;
	arena_cleanup(&a);
}

static void *run(void *ctx)
{
	struct rds *s = ctx;
	size_t capacity = 0;
	struct pollfd *p = NULL;
	for (;;) {
		size_t n = 0;
		uint64_t count;
		pthread_mutex_lock(&s->lock);
		if (s->stop) {
			pthread_mutex_unlock(&s->lock);
			break;
		}
		size_t need = 1 + 2 * s->n_connections;
		for (struct instance *i = s->instances; i; i = i->next) need += 3;
		if (need > capacity) p = mem_grow(p, (capacity = need + 16) * sizeof(*p));
		p[n++] = (struct pollfd){s->wake, POLLIN, 0};
		for (struct instance *i = s->instances; i; i = i->next) {
			if (i->listener >= 0) p[n++] = (struct pollfd){i->listener, POLLIN, 0};
			if (i->relay >= 0) p[n++] = (struct pollfd){i->relay, POLLIN, 0};
			if (i->watched >= 0) p[n++] = (struct pollfd){i->watched, POLLIN, 0};
		}
		pthread_mutex_unlock(&s->lock);
		for (struct connection *c = s->connections; c; c = c->next) {
			p[n++] = (struct pollfd){c->client, c->connected ? wanted(&c->up, &c->down) : 0, 0};
			p[n++] = (struct pollfd){c->server, c->connected ? wanted(&c->down, &c->up) : POLLOUT, 0};
		}
		poll(p, n, TICK_MS);
		if (p[0].revents && read(s->wake, &count, sizeof(count)) < 0) continue;
		pthread_mutex_lock(&s->lock);
		for (struct instance *i = s->instances; i; i = i->next) {
			for (size_t k = 1; k < n; k++) {
				if (i->listener >= 0 && p[k].fd == i->listener && p[k].revents)
					accept_one(s, i->loopback, i->public, i->listener, i->port);
				if (i->relay >= 0 && p[k].fd == i->relay && p[k].revents) relay_one(s, i);
			}
			watch_one(s, i);
		}
		pthread_mutex_unlock(&s->lock);
		carry_all(s);
	}
	free(p);
	return NULL;
}

/* ── the list ── */

static struct instance *instance_of(struct rds *s, struct str id)
{
	for (struct instance *i = s->instances; i; i = i->next)
		if (str_eq(str_c(i->id), id)) return i;
	struct instance *i = mem_new(sizeof(*i));
	*i = (struct instance){.next = s->instances, .listener = -1, .watched = -1, .relay = -1};
	snprintf(i->id, sizeof(i->id), "%.*s", STR_ARG(id));
	s->instances = i;
	return i;
}

static void wake(struct rds *s)
{
	uint64_t one = 1;
	if (!s->running) s->running = pthread_create(&s->thread, NULL, run, s) == 0;
	if (write(s->wake, &one, sizeof(one)) < 0) log_warn("rds", "wake", "errno=%d", errno);
}

static int listen_at(const char *address, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	if (fd < 0) return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (inet_pton(AF_INET, address, &at.sin_addr) == 1 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		listen(fd, 64) == 0)
		return fd;
	close(fd);
	return -1;
}

void rds_forward(struct rds *s, struct str id, struct str loopback, uint16_t port, struct str public)
{
	pthread_mutex_lock(&s->lock);
	struct instance *i = instance_of(s, id);
	bool same = str_eq(str_c(i->loopback), loopback) && i->port == port && i->listener >= 0;
	snprintf(i->public, sizeof(i->public), "%.*s", STR_ARG(str_or(public, STR(""))));
	if (!same) {
		if (i->listener >= 0) close(i->listener);
		i->listener = -1, i->port = port;
		snprintf(i->loopback, sizeof(i->loopback), "%.*s", STR_ARG(str_or(loopback, STR(""))));
		if (*i->loopback) i->listener = listen_at(i->loopback, port);
		if (*i->loopback && i->listener < 0 && !i->refused)
			log_warn("rds", "listen_failed", "at=%s:%u errno=%d", i->loopback, port, errno);
		i->refused = *i->loopback && i->listener < 0;
		wake(s);
	}
	pthread_mutex_unlock(&s->lock);
}

void rds_relay(struct rds *s, struct str id, struct str place, uint16_t port, const char *folder)
{
	pthread_mutex_lock(&s->lock);
	struct instance *i = instance_of(s, id);
	bool same = str_eq(str_c(i->place), str_or(place, STR(""))) && (i->relay >= 0 || !str_has(place)) &&
		    (!folder || (i->source && strcmp(folder, i->source) == 0));
	if (!same) {
		if (i->relay >= 0) close(i->relay);
		free(i->source);
		i->relay = -1, i->source = NULL;
		snprintf(i->place, sizeof(i->place), "%.*s", STR_ARG(str_or(place, STR(""))));
		if (str_has(place)) {
			i->source = mem_new(strlen(folder) + 1);
			memcpy(i->source, folder, strlen(folder) + 1);
			status st = host_listen(s->cloud->host, place, STR("127.0.0.1"), port, false, &i->relay);
			if (!is_ok(st)) i->relay = -1;
			if (!is_ok(st)) log_warn("rds", "relay_failed", "at=%s why=%s", i->place, status_name(st));
		}
		wake(s);
	}
	pthread_mutex_unlock(&s->lock);
}

void rds_watch(struct rds *s, struct str id, struct str engine, const char *path, uint16_t port)
{
	pthread_mutex_lock(&s->lock);
	struct instance *i = instance_of(s, id);
	bool same =
		(!path && !i->socket) || (path && i->socket && strcmp(path, i->socket) == 0 && i->watched_port == port);
	if (!same) {
		if (i->watched >= 0) close(i->watched);
		i->watched = -1, i->watched_port = port;
		i->driver = path ? rds_driver_of(engine) : NULL;
		free(i->socket);
		i->socket = NULL;
		if (path) {
			i->socket = mem_new(strlen(path) + 1);
			memcpy(i->socket, path, strlen(path) + 1);
		}
		wake(s);
	}
	pthread_mutex_unlock(&s->lock);
}

status rds_start(struct cloud *cloud, struct rds **out)
{
	struct rds *s = mem_new(sizeof(*s));
	s->cloud = cloud;
	s->auth = rds_auth_new(cloud);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->template_lock, NULL);
	s->holders = kms_holders_new();
	*out = s;
	return s->wake >= 0 ? OK : STATUS(IO);
}

void rds_stop(struct rds *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	bool running = s->running;
	if (running) wake(s);
	pthread_mutex_unlock(&s->lock);
	if (running) pthread_join(s->thread, NULL);
	rds_auth_free(s->auth);
	while (s->connections) connection_free(s, &s->connections);
	for (struct instance *i = s->instances; i;) {
		struct instance *next = i->next;
		if (i->listener >= 0) close(i->listener);
		if (i->watched >= 0) close(i->watched);
		if (i->relay >= 0) close(i->relay);
		free(i->socket), free(i->source), free(i);
		i = next;
	}
	close(s->wake);
	kms_holders_free(s->holders);
	pthread_mutex_destroy(&s->lock), pthread_mutex_destroy(&s->template_lock);
	free(s);
}
