/* Listening sockets and the acceptor: one thread that accepts, waits for the first byte where TLS is on (a TLS record
 * begins with 0x16, which no HTTP method does), and hands the connection to the plain or the secure daemon. It also
 * cuts clients that take too long for a head, which libmicrohttpd, that only knows inactivity, does not (slowloris). */
#include "base/log.h"
#include "edge/hello.h"
#include "edge/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TLS_HANDSHAKE = 0x16, BACKLOG = 4096, EVENTS = 64, FIRST_BYTES = 4096 };

struct edge_silent {
	int fd;
	int64_t since_ms;
	struct edge_silent *prev, *next;
	struct sockaddr_storage address;
	socklen_t address_n;
};

int64_t edge_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool parse_address(struct str s, struct sockaddr_storage *out, socklen_t *n)
{
	char host[64];
	uint64_t port;
	ptrdiff_t colon = str_rchr(s, ':');

	memset(out, 0, sizeof(*out));
	if (colon < 0 || !is_ok(str_to_u64(str_from(s, (size_t)colon + 1), &port)) || port > 65535) return false;
	struct str h = str_sub(s, 0, (size_t)colon);
	bool six = h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']';
	if (six) h = str_sub(h, 1, h.n - 2);
	if (h.n == 0 || h.n >= sizeof(host)) return false;
	memcpy(host, h.p, h.n);
	host[h.n] = 0;
	if (strcmp(host, "localhost") == 0) memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
	if (six) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
		a->sin6_family = AF_INET6;
		a->sin6_port = htons((uint16_t)port);
		*n = sizeof(*a);
		return inet_pton(AF_INET6, host, &a->sin6_addr) == 1;
	}
	struct sockaddr_in *a = (struct sockaddr_in *)out;
	a->sin_family = AF_INET;
	a->sin_port = htons((uint16_t)port);
	*n = sizeof(*a);
	return inet_pton(AF_INET, host, &a->sin_addr) == 1;
}

static void set_why(struct str *why, const char *text)
{
	*why = str_c(text);
}

static status listen_on(struct edge *e, struct str where, struct str *why)
{
	struct sockaddr_storage a;
	socklen_t n;
	int one = 1;

	if (e->n_listeners == EDGE_MAX_LISTENERS || !parse_address(where, &a, &n)) {
		set_why(why, "an address to listen on must look like 127.0.0.1:4566 or [::1]:4566");
		return STATUS(INVALID);
	}
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		set_why(why, "the machine gives no socket");
		return STATUS(IO);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, BACKLOG) != 0) {
		bool busy = errno == EADDRINUSE;
		set_why(why, busy              ? "the port is taken by another program"
			     : errno == EACCES ? "no right to listen on this port"
					       : "the address cannot be listened on");
		close(fd);
		return busy ? STATUS(BUSY) : STATUS(IO);
	}
	if (e->n_listeners == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0)
		e->port = ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
							: ((struct sockaddr_in *)&a)->sin_port);
	e->listeners[e->n_listeners++] = fd;
	return OK;
}

status edge_listen(struct edge *e, const char *listen, struct str *why)
{
	struct str rest = str_c(listen);

	while (str_has(rest)) TRY(listen_on(e, str_trim(str_cut(&rest, ',')), why));
	return OK;
}

static void hand_over(struct edge *e, int fd, bool tls, const struct sockaddr_storage *a, socklen_t n)
{
	/* MHD_add_connection closes the socket when it fails. */
	MHD_add_connection(tls ? e->secure.daemon : e->plain.daemon, fd, (const struct sockaddr *)a, n);
}

static void silent_remove(struct edge *e, struct edge_silent *s)
{
	*(s->prev ? &s->prev->next : &e->silent) = s->next;
	*(s->next ? &s->next->prev : &e->silent_last) = s->prev;
	free(s);
}

void edge_divert(struct edge *e, const struct edge_diverter *d)
{
	pthread_mutex_lock(&e->divert_lock);
	e->diverter = d ? *d : (struct edge_diverter){0};
	pthread_mutex_unlock(&e->divert_lock);
}

/* What came first is looked at, and left unread. A head that does not come in one piece is not diverted. */
static bool diverted(struct edge *e, int fd, bool tls)
{
	char first[FIRST_BYTES];
	bool taken = false;
	pthread_mutex_lock(&e->divert_lock);
	if (e->diverter.take) {
		ssize_t n = recv(fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
		struct str bytes = str_n(first, n > 0 ? (size_t)n : 0);
		struct str name = tls ? edge_hello_name(bytes) : edge_host_name(bytes);
		if (str_has(name)) taken = e->diverter.take(e->diverter.ctx, fd, name, tls);
	}
	pthread_mutex_unlock(&e->divert_lock);
	return taken;
}

/* True when the first byte has decided (or the client has left). */
static bool decide(struct edge *e, int fd, const struct sockaddr_storage *a, socklen_t n)
{
	unsigned char first;
	ssize_t got = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
	if (got <= 0)
		close(fd);
	else if (!diverted(e, fd, first == TLS_HANDSHAKE))
		hand_over(e, fd, first == TLS_HANDSHAKE, a, n);
	return true;
}

static void on_silent(struct edge *e, struct edge_silent *s)
{
	int fd = s->fd;
	struct sockaddr_storage a = s->address;
	socklen_t n = s->address_n;
	unsigned char first;

	if (recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR)) return;
	epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	silent_remove(e, s);
	decide(e, fd, &a, n);
}

/* False when the process has no descriptors left: then wait a little instead of spinning. */
static bool accept_some(struct edge *e, int listener)
{
	for (unsigned i = 0; i < 64; i++) {
		struct sockaddr_storage a;
		socklen_t n = sizeof(a);
		int one = 1, fd = accept4(listener, (struct sockaddr *)&a, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!e->secure.daemon) {
			hand_over(e, fd, false, &a, n);
			continue;
		}
		if (decide(e, fd, &a, n)) continue;
		struct edge_silent *s = mem_new(sizeof(*s));
		*s = (struct edge_silent){
			.fd = fd, .since_ms = edge_now_ms(), .prev = e->silent_last, .address = a, .address_n = n};
		*(s->prev ? &s->prev->next : &e->silent) = s;
		e->silent_last = s;
		struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = s};
		if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
			silent_remove(e, s);
			close(fd);
		}
	}
	return true;
}

/* A head must be whole within the idle timeout after the connection or the answer before it. */
static void cut_slow(struct edge *e, int64_t now)
{
	int64_t limit = (int64_t)e->idle_timeout_s * 1000;

	while (e->silent && now - e->silent->since_ms > limit) {
		close(e->silent->fd);
		silent_remove(e, e->silent);
	}
	pthread_mutex_lock(&e->lock);
	for (struct edge_conn *k = e->conns; k; k = k->next) {
		int64_t since = atomic_load_explicit(&k->waiting_since_ms, memory_order_relaxed);
		if (since && now - since > limit) shutdown(k->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&e->lock);
}

static void *acceptor_main(void *ctx)
{
	struct edge *e = ctx;
	struct epoll_event events[EVENTS];
	int64_t scanned = edge_now_ms();

	pthread_setname_np(pthread_self(), "edge-accept");
	while (!atomic_load(&e->stopping)) {
		bool starved = false;
		int n = epoll_wait(e->epoll_fd, events, EVENTS, 1000);
		for (int i = 0; i < n; i++) {
			void *p = events[i].data.ptr;
			if (p == &e->wake_fd) continue;
			if ((uintptr_t)p & 1) { /* adopted: the descriptor itself, marked */
				starved |= !accept_some(e, (int)((uintptr_t)p >> 1));
				continue;
			}
			if (p >= (void *)e->listeners && p < (void *)(e->listeners + EDGE_MAX_LISTENERS))
				starved |= !accept_some(e, *(int *)p);
			else
				on_silent(e, p);
		}
		if (starved) {
			log_warn("edge", "out_of_descriptors", "open=%llu",
				(unsigned long long)atomic_load(&e->open_connections));
			nanosleep(&(struct timespec){0, 50 * 1000 * 1000}, NULL);
		}
		int64_t now = edge_now_ms();
		if (now - scanned >= 1000) {
			cut_slow(e, now);
			scanned = now;
		}
	}
	return NULL;
}

status edge_acceptor_start(struct edge *e, struct str *why)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &e->wake_fd};

	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool ok = e->epoll_fd >= 0 && e->wake_fd >= 0 && epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake_fd, &ev) == 0;
	for (size_t i = 0; ok && i < e->n_listeners; i++) {
		ev.data.ptr = &e->listeners[i];
		ok = epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->listeners[i], &ev) == 0;
	}
	if (ok) ok = e->acceptor_runs = pthread_create(&e->acceptor, NULL, acceptor_main, e) == 0;
	if (!ok) {
		set_why(why, "the machine gives no thread or no event queue for the listener");
		return STATUS(IO);
	}
	return OK;
}

void edge_adopt(struct edge *e, int listener)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = (void *)((uintptr_t)listener << 1 | 1)};
	int flags = fcntl(listener, F_GETFL);

	/* accept_some accepts until there is none: a blocking socket would stop the acceptor. */
	if (flags >= 0) fcntl(listener, F_SETFL, flags | O_NONBLOCK);
	if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, listener, &ev) != 0) log_warn("edge", "adopt", "errno=%d", errno);
}

void edge_acceptor_stop(struct edge *e)
{
	uint64_t one = 1;

	if (e->acceptor_runs) {
		if (write(e->wake_fd, &one, sizeof(one)) < 0) log_warn("edge", "wake", "errno=%d", errno);
		pthread_join(e->acceptor, NULL);
		e->acceptor_runs = false;
	}
	for (size_t i = 0; i < e->n_listeners; i++) close(e->listeners[i]);
	e->n_listeners = 0;
	while (e->silent) {
		close(e->silent->fd);
		silent_remove(e, e->silent);
	}
	if (e->epoll_fd >= 0) close(e->epoll_fd);
	if (e->wake_fd >= 0) close(e->wake_fd);
	e->epoll_fd = e->wake_fd = -1;
}
