/* The way from the user's own machine: connections to the edge's port whose client asks for a balancer's name
 * (NAME-HASH.REGION.elb.localhost, by Host header or TLS server name) are carried, byte by byte, to the balancer's
 * public address, from the internet that this installation's VPCs see. So an internal balancer cannot be reached, and
 * security groups and ACLs decide as for any other client; WebSocket and HTTP/2 pass. A port is named by a label before
 * it (8080.NAME-HASH.…); else it is 443, or 80, or the first of its listeners that fits. */
#include "base/log.h"
#include "edge/divert.h"
#include "host/host.h"
#include "services/elbv2/node.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 << 10, EVENTS = 64, NAME_MAX_BYTES = 300 };

struct arrival {
	struct arrival *next;
	int fd;
	bool tls;
	size_t n;
	char name[];
};
struct pair;
struct side {
	struct pair *of;
	int fd;
	char *bytes; /* read from fd, not yet written to the other */
	size_t from, to;
	bool ended, told; /* nothing more comes; the other was told */
};
struct pair {
	struct pair *prev, *next;
	struct side side[2];
	bool dead;
};
struct elbv2_outside {
	struct cloud *cloud;
	pthread_t thread;
	pthread_mutex_t lock;
	struct arrival *arrivals;
	struct pair *pairs;
	int epoll, wake;
	unsigned turn;
	_Atomic bool stopping;
};

/* ── where to ── */

static bool is_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return s.n > 0;
}

static int32_t port_for(struct ec2_place at, const struct elbv2_rec_balancer *b, bool tls, int32_t wanted)
{
	struct elbv2_all_listeners l;
	int32_t found = 0;
	if (!is_ok(elbv2_listeners(at, b->id, &l))) return 0;
	for (size_t i = 0; i < l.n; i++) {
		bool secure = l.v[i].certificates.n > 0;
		int32_t port = l.v[i].port.v;
		if (str_is(l.v[i].protocol, "UDP")) continue;
		if (wanted) {
			if (port == wanted) return port;
			continue;
		}
		/* Of a TCP listener nobody knows what it carries. */
		bool fits = secure == tls || str_starts(l.v[i].protocol, STR("TCP"));
		if (fits && (!found || port == (tls ? 443 : 80))) found = port;
	}
	return found;
}

/* A connection to the balancer under way; -1 where there is none to be had. */
static int reach(struct elbv2_outside *o, const struct arrival *n)
{
	struct arena a;
	struct elbv2_rec_whose whose;
	struct elbv2_rec_balancer b;
	int fd = -1;
	arena_init(&a);
	struct str rest = str_lower(&a, str_n(n->name, n->n)), label = str_cut(&rest, '.');
	int32_t wanted = is_digits(label) ? elbv2_number(label, 0) : 0;
	if (wanted && str_has(rest)) label = str_cut(&rest, '.');
	struct store_tx *tx = store_begin(o->cloud->store, &a, true);
	bool known = is_ok(elbv2_whose(tx, &a, "name", label, &whose));
	struct ec2_place at = {tx, &a, whose.account, whose.region};
	known = known && is_ok(elbv2_balancer_get(at, whose.name, &b)) && str_is(b.scheme, "internet-facing");
	int32_t port = known ? port_for(at, &b, n->tls, wanted) : 0;
	for (size_t i = 0; port && fd < 0 && i < b.zones.n; i++) {
		const struct elbv2_rec_zone *z = &b.zones.v[(o->turn + i) % b.zones.n];
		if (!str_has(z->public) || ec2_zone_is_down(tx, &a, z->zone)) continue;
		if (!is_ok(host_connect(o->cloud->host, HOST_INTERNET, z->public, (uint16_t)port, &fd))) fd = -1;
	}
	o->turn++;
	store_end(tx);
	arena_cleanup(&a);
	return fd;
}

/* ── carrying ── */

static void pair_free(struct elbv2_outside *o, struct pair *p)
{
	*(p->prev ? &p->prev->next : &o->pairs) = p->next;
	if (p->next) p->next->prev = p->prev;
	for (int i = 0; i < 2; i++) {
		close(p->side[i].fd);
		free(p->side[i].bytes);
	}
	free(p);
}

/* What one side has said, to the other, as far as it goes now. */
static void carry(struct pair *p, struct side *s, struct side *to)
{
	while (!p->dead) {
		if (s->from == s->to) {
			if (s->ended) {
				if (!s->told) shutdown(to->fd, SHUT_WR);
				s->told = true;
				return;
			}
			ssize_t n = recv(s->fd, s->bytes, BUFFER, MSG_DONTWAIT);
			if (n < 0 && errno == EINTR) continue;
			if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
			if (n < 0) p->dead = true;
			if (n == 0) s->ended = true;
			s->from = 0;
			s->to = n > 0 ? (size_t)n : 0;
			continue;
		}
		ssize_t n = send(to->fd, s->bytes + s->from, s->to - s->from, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		/* ENOTCONN: its connect is under way. */
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
		if (n < 0) p->dead = true;
		if (n > 0) s->from += (size_t)n;
	}
}

static void serve(struct pair *p)
{
	carry(p, &p->side[0], &p->side[1]);
	carry(p, &p->side[1], &p->side[0]);
	if (p->side[0].told && p->side[1].told) p->dead = true;
}

static void refuse(int fd, bool tls)
{
	static const char text[] =
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 48\r\nConnection: "
		"close\r\n\r\nNo internet-facing load balancer listens there.\n";
	char rest[4096];
	/* Bytes left unread would reset the connection before the answer has arrived. */
	while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) continue;
	if (!tls && send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("elbv2", "refuse", "errno=%d", errno);
	close(fd);
}

static void welcome(struct elbv2_outside *o, struct arrival *n)
{
	int to = reach(o, n);
	if (to < 0) {
		refuse(n->fd, n->tls);
		return;
	}
	struct pair *p = mem_new(sizeof(*p));
	int fds[2] = {n->fd, to};
	for (int i = 0; i < 2; i++) p->side[i] = (struct side){.of = p, .fd = fds[i], .bytes = mem_new(BUFFER)};
	p->next = o->pairs;
	if (p->next) p->next->prev = p;
	o->pairs = p;
	for (int i = 0; i < 2; i++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = &p->side[i]};
		if (epoll_ctl(o->epoll, EPOLL_CTL_ADD, fds[i], &e) != 0) p->dead = true;
	}
	if (p->dead) pair_free(o, p);
}

static void take_arrivals(struct elbv2_outside *o)
{
	pthread_mutex_lock(&o->lock);
	struct arrival *list = o->arrivals;
	o->arrivals = NULL;
	pthread_mutex_unlock(&o->lock);
	while (list) {
		struct arrival *n = list;
		list = n->next;
		if (atomic_load(&o->stopping))
			close(n->fd);
		else
			welcome(o, n);
		free(n);
	}
}

static void *outside_main(void *ctx)
{
	struct elbv2_outside *o = ctx;
	struct epoll_event events[EVENTS];
	pthread_setname_np(pthread_self(), "elb-outside");
	while (!atomic_load(&o->stopping)) {
		int n = epoll_wait(o->epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct side *s = events[i].data.ptr;
			if (s && !s->of->dead) {
				if (events[i].events & EPOLLERR) s->of->dead = true;
				serve(s->of);
			}
		}
		/* Both of a pair's events may be in one round: it goes after it. */
		for (int i = 0; i < n; i++) {
			struct side *s = events[i].data.ptr;
			bool again = false;
			for (int k = i + 1; s && k < n; k++) {
				struct side *t = events[k].data.ptr;
				again = again || (t && t->of == s->of);
			}
			if (s && s->of->dead && !again) pair_free(o, s->of);
			if (s) continue;
			uint64_t count;
			if (read(o->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
				log_warn("elbv2", "wake", "errno=%d", errno);
		}
		take_arrivals(o);
	}
	while (o->pairs) pair_free(o, o->pairs);
	take_arrivals(o);
	return NULL;
}

static void wake(struct elbv2_outside *o)
{
	uint64_t one = 1;
	if (write(o->wake, &one, sizeof(one)) < 0) log_debug("elbv2", "wake", "errno=%d", errno);
}

/* The acceptor's thread: only the name is looked at. */
static bool take(void *ctx, int fd, struct str name, bool tls)
{
	struct elbv2_outside *o = ctx;
	if (name.n > NAME_MAX_BYTES || str_find(name, STR(".elb.")) < 0) return false;
	struct arrival *n = mem_new(sizeof(*n) + name.n);
	*n = (struct arrival){.fd = fd, .tls = tls, .n = name.n};
	memcpy(n->name, name.p, name.n);
	pthread_mutex_lock(&o->lock);
	n->next = o->arrivals;
	o->arrivals = n;
	pthread_mutex_unlock(&o->lock);
	wake(o);
	return true;
}

struct elbv2_outside *elbv2_outside_start(struct cloud *cloud)
{
	struct elbv2_outside *o = mem_new(sizeof(*o));
	o->cloud = cloud;
	o->epoll = epoll_create1(EPOLL_CLOEXEC);
	o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&o->lock, NULL);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
	INVARIANT(o->epoll >= 0 && o->wake >= 0 && epoll_ctl(o->epoll, EPOLL_CTL_ADD, o->wake, &e) == 0);
	INVARIANT(pthread_create(&o->thread, NULL, outside_main, o) == 0);
	edge_divert(cloud->edge, &(struct edge_diverter){o, take});
	return o;
}

void elbv2_outside_quiet(struct elbv2_outside *o)
{
	if (o) edge_divert(o->cloud->edge, NULL);
}

void elbv2_outside_stop(struct elbv2_outside *o)
{
	if (!o) return;
	atomic_store(&o->stopping, true);
	wake(o);
	pthread_join(o->thread, NULL);
	close(o->epoll);
	close(o->wake);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
