/* See auth.h. */
#include "services/rds/auth.h"
#include "base/log.h"
#include "host/host.h"
#include "services/rds/bind.h"
#include "services/rds/token.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUESTS_MAX = 256, PATIENCE_MS = 10000, TICK_MS = 1000, FIRST = 4096, ID_MAX = 64 };

struct door {
	struct door *next;
	char id[ID_MAX], place[ID_MAX];
	int fd;
};
struct guest {
	struct guest *next;
	char id[ID_MAX];
	int fd;
	char *in;
	size_t n, capacity;
	int64_t born_us;
};
struct rds_auth {
	struct cloud *cloud;
	pthread_mutex_t lock; /* of the doors */
	pthread_t thread;
	struct door *doors;
	struct guest *guests; /* the thread's own */
	size_t n_guests;
	int wake;
	bool running, stop;
};

static void add_name(struct rds_token_for *to, struct str name)
{
	for (size_t i = 0; str_has(name) && i < sizeof(to->names) / sizeof(*to->names); i++)
		if (!str_has(to->names[i])) {
			to->names[i] = name;
			return;
		}
}

/* A member's server asks for its cluster's users, who come by any of the cluster's names. */
static status of_cluster(struct rds_place at, struct rds_rec_instance *r, struct rds_token_for *to)
{
	struct str cluster = r->db_cluster_identifier;
	TRY(rds_load(at, &rds_kind_cluster, cluster, r));
	add_name(to, r->name), add_name(to, r->loopback);
	add_name(to, r->reader_name), add_name(to, r->reader_loopback);
	struct rds_each e = rds_each(at, &rds_kind_cluster_endpoint);
	while (rds_next(&e)) {
		const struct rds_rec_cluster_endpoint *k = e.record;
		if (str_eq(k->db_cluster_identifier, cluster)) add_name(to, k->name);
	}
	return rds_each_end(&e);
}

/* Whose token it has to be. False: no such instance, or it has no such authentication. */
static bool subject(struct cloud *cloud, struct arena *a, struct str id, struct rds_token_for *to)
{
	struct rds_rec_owner o;
	struct rds_rec_instance r;
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status s = rds_owner(tx, a, id, &o);
	struct rds_place at = {tx, a, o.account, o.region};
	if (is_ok(s)) s = rds_load(at, &rds_kind_instance, o.name, &r);
	*to = (struct rds_token_for){.account = o.account, .region = o.region};
	if (is_ok(s)) add_name(to, r.name), add_name(to, r.loopback);
	if (is_ok(s) && str_has(r.db_cluster_identifier)) s = of_cluster(at, &r, to);
	store_end(tx);
	if (!is_ok(s) || !r.iam_database_authentication_enabled.v) return false;
	to->resource_id = r.dbi_resource_id;
	to->port = r.port.v;
	return true;
}

static struct str answer_to(struct rds_auth *s, struct arena *a, const char *id, const struct rds_bind *b)
{
	struct rds_token_for to;
	struct str why = STR("IAM database authentication is not enabled");
	bool good = str_starts(b->name, STR("cn=")) && subject(s->cloud, a, str_c(id), &to);
	if (good) {
		to.user = str_from(b->name, 3);
		good = rds_token_good(s->cloud, a, &to, b->password, &why);
	}
	if (!good) log_info("rds", "token_refused", "instance=%s why=\"%.*s\"", id, STR_ARG(why));
	return rds_bind_answer(a, b->id, good, good ? STR("") : why);
}

/* False: it is done with. */
static bool serve(struct rds_auth *s, struct guest *g)
{
	struct rds_bind b;
	size_t used;
	if (g->n == g->capacity) g->in = mem_grow(g->in, g->capacity *= 2);
	ssize_t n = recv(g->fd, g->in + g->n, g->capacity - g->n, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
	if (n <= 0) return false;
	g->n += (size_t)n;
	for (;;) {
		status st = rds_bind_read(str_n(g->in, g->n), &used, &b);
		if (status_is(st, STATUS_NOT_FOUND)) return true;
		if (!is_ok(st) || !b.asks) return false;
		struct arena a;
		arena_init(&a);
		struct str said = answer_to(s, &a, g->id, &b);
		bool sent = send(g->fd, said.p, said.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)said.n;
		arena_cleanup(&a);
		if (!sent) return false;
		memmove(g->in, g->in + used, g->n - used);
		g->n -= used;
	}
}

static void guest_free(struct rds_auth *s, struct guest **at)
{
	struct guest *g = *at;
	*at = g->next;
	close(g->fd);
	free(g->in), free(g);
	s->n_guests--;
}

static void let_in(struct rds_auth *s, const struct door *d)
{
	int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) return;
	if (s->n_guests >= GUESTS_MAX) {
		close(fd);
		return;
	}
	struct guest *g = mem_new(sizeof(*g));
	*g = (struct guest){
		.next = s->guests, .fd = fd, .in = mem_new(FIRST), .capacity = FIRST, .born_us = clock_monotonic_us()};
	snprintf(g->id, sizeof(g->id), "%s", d->id);
	s->guests = g;
	s->n_guests++;
}

static bool ready(const struct pollfd *p, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].fd == fd && p[i].revents) return true;
	return false;
}

static void *run(void *ctx)
{
	struct rds_auth *s = ctx;
	struct pollfd *p = NULL;
	size_t capacity = 0;
	for (;;) {
		size_t n = 0, need = 1 + s->n_guests;
		uint64_t count;
		pthread_mutex_lock(&s->lock);
		bool stop = s->stop;
		for (struct door *d = s->doors; d; d = d->next) need++;
		if (need > capacity) p = mem_grow(p, (capacity = need + 16) * sizeof(*p));
		p[n++] = (struct pollfd){s->wake, POLLIN, 0};
		for (struct door *d = s->doors; d; d = d->next)
			if (d->fd >= 0) p[n++] = (struct pollfd){d->fd, POLLIN, 0};
		pthread_mutex_unlock(&s->lock);
		if (stop) break;
		for (struct guest *g = s->guests; g; g = g->next) p[n++] = (struct pollfd){g->fd, POLLIN, 0};
		poll(p, n, TICK_MS);
		if (p[0].revents && read(s->wake, &count, sizeof(count)) < 0) continue;
		for (struct guest **at = &s->guests; *at;) {
			struct guest *g = *at;
			bool stays = clock_monotonic_us() - g->born_us < PATIENCE_MS * 1000ll;
			if (stays && ready(p, n, g->fd)) stays = serve(s, g);
			if (stays)
				at = &g->next;
			else
				guest_free(s, at);
		}
		pthread_mutex_lock(&s->lock);
		for (struct door *d = s->doors; d; d = d->next)
			if (d->fd >= 0 && ready(p, n, d->fd)) let_in(s, d);
		pthread_mutex_unlock(&s->lock);
	}
	free(p);
	return NULL;
}

static void wake(struct rds_auth *s)
{
	uint64_t one = 1;
	if (!s->running) s->running = pthread_create(&s->thread, NULL, run, s) == 0;
	if (write(s->wake, &one, sizeof(one)) < 0) log_warn("rds", "auth_wake", "errno=%d", errno);
}

void rds_auth_open(struct rds_auth *s, struct str id, struct str place)
{
	struct door *d;
	pthread_mutex_lock(&s->lock);
	for (d = s->doors; d && !str_eq(str_c(d->id), id); d = d->next) continue;
	if (!d && str_has(place)) {
		d = mem_new(sizeof(*d));
		*d = (struct door){.next = s->doors, .fd = -1};
		snprintf(d->id, sizeof(d->id), "%.*s", STR_ARG(id));
		s->doors = d;
	}
	bool same =
		!d || (d->fd >= 0 && str_eq(str_c(d->place), str_or(place, STR("")))) || (d->fd < 0 && !str_has(place));
	if (!same) {
		if (d->fd >= 0) close(d->fd);
		d->fd = -1;
		snprintf(d->place, sizeof(d->place), "%.*s", STR_ARG(str_or(place, STR(""))));
		if (str_has(place)) {
			status st =
				host_listen(s->cloud->host, place, STR(RDS_AUTH_ADDRESS), RDS_AUTH_PORT, false, &d->fd);
			if (!is_ok(st)) d->fd = -1;
			if (!is_ok(st)) log_warn("rds", "auth_listen", "place=%s status=%s", d->place, status_name(st));
		}
		wake(s);
	}
	pthread_mutex_unlock(&s->lock);
}

struct rds_auth *rds_auth_new(struct cloud *cloud)
{
	struct rds_auth *s = mem_new(sizeof(*s));
	*s = (struct rds_auth){.cloud = cloud, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void rds_auth_free(struct rds_auth *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	bool running = s->running;
	if (running) wake(s);
	pthread_mutex_unlock(&s->lock);
	if (running) pthread_join(s->thread, NULL);
	while (s->guests) guest_free(s, &s->guests);
	for (struct door *d = s->doors; d;) {
		struct door *next = d->next;
		if (d->fd >= 0) close(d->fd);
		free(d);
		d = next;
	}
	if (s->wake >= 0) close(s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
