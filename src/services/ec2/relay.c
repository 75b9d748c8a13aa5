/* The data plane of endpoint services. An endpoint's interfaces have listeners at the ports of the service's balancer;
 * a connection that comes there is carried on to the balancer's node, in its own network, where it seems to come from
 * the node itself ("the source IP addresses are the private IP addresses of the Network Load Balancer nodes"). One
 * thread does it all; what shall be open is read anew from the store whenever it is woken. */
#include "base/log.h"
#include "host/host.h"
#include "services/ec2/intent.h"
#include "services/ec2/private_link.h"
#include "services/efs/door.h"
#include "services/elbv2/door.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, ROOM = 64 << 10, AGAIN_MS = 1000 };
enum kind { WAKE, LISTENER, END };

struct listener {
	enum kind kind;
	struct listener *next;
	int fd;
	uint16_t port;
	bool wanted;
	char *account, *region, *endpoint, *eni;
};
/* One side of a flow; what it sent waits in `bytes` for the other. */
struct end {
	enum kind kind;
	int fd;
	struct flow *flow;
	uint32_t watched;
	bool ended; /* it will send no more */
	bool told;  /* the other side knows */
	size_t from, to;
	char bytes[ROOM];
};
struct flow {
	struct flow *next, *next_dead;
	struct end ends[2]; /* the client; the node */
	bool dead;
};
struct ec2_relay {
	struct cloud *cloud;
	pthread_t thread;
	int epoll, wake;
	enum kind wake_kind;
	_Atomic bool stopping, forget, woken;
	bool incomplete; /* something could not be opened: look again soon */
	struct listener *listeners;
	struct flow *flows, *dead;
};

/* ── what shall be open ── */

static void close_listener(struct listener *l)
{
	close(l->fd);
	free(l->account);
	free(l->region);
	free(l->endpoint);
	free(l->eni);
	free(l);
}

static void want(struct ec2_relay *r, struct ec2_place at, struct str endpoint, struct str eni, uint16_t port)
{
	for (struct listener *l = r->listeners; l; l = l->next)
		if (l->port == port && str_eq(str_c(l->eni), eni)) {
			l->wanted = true;
			return;
		}
	int fd;
	status s = host_listen(r->cloud->host, eni, STR("0.0.0.0"), port, false, &fd);
	if (!is_ok(s)) {
		r->incomplete = true;
		return;
	}
	struct listener *l = mem_new(sizeof(*l));
	*l = (struct listener){.kind = LISTENER,
		.next = r->listeners,
		.fd = fd,
		.port = port,
		.wanted = true,
		.account = ec2_keep(at.account),
		.region = ec2_keep(at.region),
		.endpoint = ec2_keep(endpoint),
		.eni = ec2_keep(eni)};
	r->listeners = l;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) log_warn("ec2", "relay-watch", "errno=%d", errno);
}

static status want_endpoint(struct ec2_relay *r, struct ec2_place at, const struct ec2_rec_endpoint *e)
{
	struct ec2_private_service s;
	if (!str_starts(e->service_name, EC2_PRIVATE_SERVICE) || !str_is(e->state, "available")) return OK;
	status st = ec2_private_service_of(at, e, &s);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	for (size_t i = 0; i < s.record.network_load_balancer_arns.n; i++) {
		struct elbv2_network_balancer b;
		st = elbv2_network_balancer(
			at.tx, at.a, s.at.account, s.at.region, s.record.network_load_balancer_arns.v[i], &b);
		if (status_is(st, STATUS_NOT_FOUND)) continue;
		TRY(st);
		for (size_t p = 0; p < b.n_ports; p++)
			for (size_t k = 0; k < e->network_interface_ids.n; k++)
				want(r, at, e->vpc_endpoint_id, e->network_interface_ids.v[k], b.ports[p]);
	}
	return OK;
}

static status want_all(struct ec2_relay *r, struct store_tx *tx, struct arena *a)
{
	struct key k = key_begin(a);
	key_str(&k, STR("ec2"));
	key_str(&k, STR("vpc-endpoint"));
	struct store_scan *scan = store_scan_begin(tx, key_done(&k), key_after(a, key_done(&k)), false);
	struct str key, value, part[5];
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_rec_endpoint e = {0};
		struct str rest = str_dup(a, key);
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(a, &rest, &part[i]);
		if (is_ok(s)) s = ec2_rec_endpoint_decode(a, str_dup(a, value), &e);
		if (is_ok(s)) s = want_endpoint(r, (struct ec2_place){tx, a, part[2], part[3]}, &e);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* Mount targets of EFS: that a connection stands is all that a mount asks (host/compute/shares.h). */
static status want_targets(struct ec2_relay *r, struct store_tx *tx, struct arena *a)
{
	struct efs_targets targets;
	TRY(efs_targets(tx, a, &targets));
	for (size_t i = 0; i < targets.n; i++)
		want(r, (struct ec2_place){tx, a, STR(""), STR("")}, STR(""), targets.v[i], EFS_PORT);
	return OK;
}

static void look(struct ec2_relay *r)
{
	struct arena a;
	arena_init(&a);
	bool forget = r->forget;
	r->forget = r->incomplete = false;
	for (struct listener *l = r->listeners; l; l = l->next) l->wanted = false;
	if (!forget) {
		struct store_tx *tx = store_begin(r->cloud->store, &a, true);
		status s = want_all(r, tx, &a);
		if (is_ok(s)) s = want_targets(r, tx, &a);
		store_end(tx);
		if (!is_ok(s)) log_warn("ec2", "relay-look", "status=%s", status_name(s));
	} else {
		r->woken = true; /* after all is closed, once more */
	}
	for (struct listener **p = &r->listeners; *p;) {
		struct listener *l = *p;
		if (l->wanted) {
			p = &l->next;
			continue;
		}
		*p = l->next;
		close_listener(l);
	}
	arena_cleanup(&a);
}

/* ── flows ── */

static void end_flow(struct ec2_relay *r, struct flow *f)
{
	if (f->dead) return;
	f->dead = true;
	for (int i = 0; i < 2; i++) close(f->ends[i].fd);
	f->next_dead = r->dead;
	r->dead = f;
}

static void bury(struct ec2_relay *r)
{
	for (struct flow **p = &r->flows; r->dead && *p;) {
		struct flow *f = *p;
		if (!f->dead) {
			p = &f->next;
			continue;
		}
		*p = f->next;
		free(f);
	}
	r->dead = NULL;
}

/* A node of the service's balancer that has this port: in the interface's zone where there is one ("an endpoint in a
 * zone sends its traffic to the balancer's node of that zone"). */
static status node_for(struct ec2_relay *r, struct store_tx *tx, struct arena *a, const struct listener *l,
	struct str *place, struct str *address)
{
	struct ec2_place at = {tx, a, str_c(l->account), str_c(l->region)};
	struct ec2_rec_endpoint e;
	struct ec2_rec_eni eni;
	struct ec2_private_service s;
	(void)r;
	*place = STR_NONE;
	TRY(ec2_load(at, &ec2_type_endpoint, str_c(l->endpoint), &e));
	TRY(ec2_load(at, &ec2_type_eni, str_c(l->eni), &eni));
	if (!str_is(e.state, "available")) return STATUS(NOT_FOUND);
	TRY(ec2_private_service_of(at, &e, &s));
	for (size_t i = 0; i < s.record.network_load_balancer_arns.n; i++) {
		struct elbv2_network_balancer b;
		bool has = false;
		status st = elbv2_network_balancer(
			tx, a, s.at.account, s.at.region, s.record.network_load_balancer_arns.v[i], &b);
		if (status_is(st, STATUS_NOT_FOUND)) continue;
		TRY(st);
		for (size_t p = 0; p < b.n_ports; p++) has = has || b.ports[p] == l->port;
		for (size_t k = 0; has && k < b.n_nodes; k++) {
			bool same = str_eq(b.nodes[k].zone, eni.availability_zone);
			if (b.nodes[k].down || (str_has(*place) && !same)) continue;
			*place = b.nodes[k].eni;
			*address = b.nodes[k].address;
			if (same) return OK;
		}
	}
	return str_has(*place) ? OK : STATUS(NOT_FOUND);
}

static void watch(struct ec2_relay *r, struct end *e)
{
	const struct end *other = &e->flow->ends[e == &e->flow->ends[0]];
	uint32_t events = (!e->ended && e->to < ROOM ? EPOLLIN : 0u) | (other->from < other->to ? EPOLLOUT : 0u);
	struct epoll_event ev = {.events = events, .data.ptr = e};
	if (events == e->watched) return;
	if (epoll_ctl(r->epoll, EPOLL_CTL_MOD, e->fd, &ev) == 0) e->watched = events;
}

static void begin_flow(struct ec2_relay *r, const struct listener *l, int client)
{
	struct arena a;
	struct str place, address;
	int node = -1;
	arena_init(&a);
	struct store_tx *tx = store_begin(r->cloud->store, &a, true);
	status s = node_for(r, tx, &a, l, &place, &address);
	store_end(tx);
	if (is_ok(s)) s = host_connect(r->cloud->host, place, address, l->port, &node);
	arena_cleanup(&a);
	if (!is_ok(s)) {
		close(client);
		return;
	}
	struct flow *f = mem_new(sizeof(*f));
	f->next = r->flows;
	r->flows = f;
	for (int i = 0; i < 2; i++) {
		struct end *e = &f->ends[i];
		e->kind = END;
		e->flow = f;
		e->fd = i ? node : client;
		/* The node's side is written to first when its connection stands. */
		e->watched = EPOLLIN;
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};
		if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, e->fd, &ev) != 0) {
			f->ends[1].fd = node;
			end_flow(r, f);
			return;
		}
	}
}

/* Carries what there is from one end to the other; false where the flow is over. */
static bool carry(struct end *from, struct end *to)
{
	for (;;) {
		while (from->from < from->to) {
			ssize_t n = send(
				to->fd, from->bytes + from->from, from->to - from->from, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0 && errno == EINTR) continue;
			if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return true;
			if (n < 0) return false;
			from->from += (size_t)n;
		}
		from->from = from->to = 0;
		if (from->ended) {
			if (!from->told) shutdown(to->fd, SHUT_WR);
			from->told = true;
			return !to->told;
		}
		ssize_t n = recv(from->fd, from->bytes, ROOM, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return errno == EAGAIN || errno == ENOTCONN;
		from->ended = n == 0;
		from->to = (size_t)n;
	}
}

static void on_end(struct ec2_relay *r, struct end *e, uint32_t events)
{
	struct flow *f = e->flow;
	if (f->dead) return;
	if ((events & EPOLLERR) || !carry(&f->ends[0], &f->ends[1]) || !carry(&f->ends[1], &f->ends[0])) {
		end_flow(r, f);
		return;
	}
	/* Hung up in both ways, with nothing left to read. */
	if ((events & EPOLLHUP) && e->ended && e->from == e->to) {
		end_flow(r, f);
		return;
	}
	for (int i = 0; i < 2; i++) watch(r, &f->ends[i]);
}

static void on_listener(struct ec2_relay *r, const struct listener *l)
{
	for (int i = 0; i < EVENTS; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) return;
		if (*l->endpoint)
			begin_flow(r, l, fd);
		else
			close(fd);
	}
}

static void *run(void *ctx)
{
	struct ec2_relay *r = ctx;
	struct epoll_event events[EVENTS];
	pthread_setname_np(pthread_self(), "ec2-relay");
	while (!r->stopping) {
		int n = epoll_wait(r->epoll, events, EVENTS, r->incomplete ? AGAIN_MS : -1);
		bool again = n == 0 && r->incomplete;
		for (int i = 0; i < n; i++) {
			enum kind kind = *(const enum kind *)events[i].data.ptr;
			uint64_t times;
			if (kind == LISTENER)
				on_listener(r, events[i].data.ptr);
			else if (kind == END)
				on_end(r, events[i].data.ptr, events[i].events);
			else if (read(r->wake, &times, sizeof(times)) > 0)
				r->woken = true;
		}
		bury(r);
		if (again) r->woken = true;
		while (r->woken && !r->stopping) {
			r->woken = false;
			look(r);
		}
	}
	return NULL;
}

/* ── its life ── */

void ec2_relay_wake(struct ec2_relay *r, bool forget)
{
	uint64_t one = 1;
	if (!r) return;
	if (forget) r->forget = true;
	if (write(r->wake, &one, sizeof(one)) < 0 && errno != EAGAIN) log_warn("ec2", "relay-wake", "errno=%d", errno);
}

struct ec2_relay *ec2_relay_start(struct cloud *cloud)
{
	struct ec2_relay *r = mem_new(sizeof(*r));
	r->cloud = cloud;
	r->wake_kind = WAKE;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->wake = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &r->wake_kind};
	if (r->epoll >= 0 && r->wake >= 0 && epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->wake, &ev) == 0 &&
		pthread_create(&r->thread, NULL, run, r) == 0)
		return r;
	log_error("ec2", "relay", "errno=%d", errno);
	if (r->epoll >= 0) close(r->epoll);
	if (r->wake >= 0) close(r->wake);
	free(r);
	return NULL;
}

void ec2_relay_stop(struct ec2_relay *r)
{
	if (!r) return;
	r->stopping = true;
	ec2_relay_wake(r, false);
	pthread_join(r->thread, NULL);
	while (r->listeners) {
		struct listener *l = r->listeners;
		r->listeners = l->next;
		close_listener(l);
	}
	for (struct flow *f = r->flows; f; f = f->next) end_flow(r, f);
	bury(r);
	close(r->epoll);
	close(r->wake);
	free(r);
}
