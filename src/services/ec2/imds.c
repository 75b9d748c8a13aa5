/* The metadata service's sockets, tokens and answers. One thread serves all VPCs. */
#include "services/ec2/imds.h"
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "host/host.h"
#include "services/ec2/intent.h"
#include "services/ec2/machine.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, PORT = 80, CONNECTIONS_MAX = 4096, SECRET = 32, TTL_MAX = 21600, TOKEN_BYTES = 8 + 32 };
/* "The IPv6 address of the IMDS", the guide: for instances whose HttpProtocolIpv6 is enabled. */
#define ADDRESS STR("169.254.169.254")
#define ADDRESS6 STR("fd00:ec2::254")

struct end; /* what epoll points to */
struct end {
	bool listens;
	int fd;
	struct end *next;
	/* of a listener */
	char *account, *region, *vpc;
	bool six;
	bool dead; /* its VPC is gone: connections that came by it end */
	/* of a connection */
	struct end *at; /* its listener */
	char peer[INET6_ADDRSTRLEN];
	char bytes[IMDS_HEAD_MAX + 8];
	size_t n, skip;
};

struct imds {
	struct cloud *cloud;
	struct imds_sessions *sessions;
	pthread_t thread;
	pthread_mutex_t lock; /* of listeners */
	struct end *listeners, *forgotten, *connections;
	size_t n_connections;
	int epoll, wake;
	bool runs, stopping;
	unsigned char secret[SECRET];
};

/* ── tokens ── those of one instance serve no other; they end with this process too, as SDKs then ask for new ones. ──
 */

static void sign(const struct imds *s, struct str instance, const unsigned char ends[8], unsigned char out[32])
{
	unsigned char text[64];
	size_t n = instance.n > sizeof(text) - 8 ? sizeof(text) - 8 : instance.n;
	memcpy(text, ends, 8);
	memcpy(text + 8, instance.p, n);
	unsigned size = 32;
	HMAC(EVP_sha256(), s->secret, SECRET, text, 8 + n, out, &size);
}

static struct str token_make(const struct imds *s, struct arena *a, struct str instance, int64_t ends_ms)
{
	unsigned char token[TOKEN_BYTES];
	for (unsigned i = 0; i < 8; i++) token[i] = (unsigned char)(ends_ms >> (56 - 8 * i));
	sign(s, instance, token, token + 8);
	struct str text = str_base64(a, str_n(token, sizeof(token)));
	char *p = arena_copy(a, text.p, text.n);
	for (size_t i = 0; i < text.n; i++) p[i] = p[i] == '+' ? '-' : p[i] == '/' ? '_' : p[i];
	return str_n(p, text.n);
}

/* Seconds that are left; 0: it is none. */
static int64_t token_left(const struct imds *s, struct arena *a, struct str instance, struct str text, int64_t now_ms)
{
	struct str token;
	unsigned char mac[32];
	int64_t ends = 0;
	char *p = arena_copy(a, text.p, text.n);
	for (size_t i = 0; i < text.n; i++) p[i] = p[i] == '-' ? '+' : p[i] == '_' ? '/' : p[i];
	if (!is_ok(str_unbase64(a, str_n(p, text.n), &token)) || token.n != TOKEN_BYTES) return 0;
	for (unsigned i = 0; i < 8; i++) ends = ends << 8 | (unsigned char)token.p[i];
	sign(s, instance, (const unsigned char *)token.p, mac);
	if (!str_eq_secret(str_from(token, 8), str_n(mac, sizeof(mac)))) return 0;
	return ends > now_ms ? (ends - now_ms + 999) / 1000 : 0;
}

/* ── answers ── */

/* The instance whose interface has this address in the VPC. NOT_FOUND. */
static status asking(struct ec2_place at, struct str vpc, struct str address, struct str *instance)
{
	struct ec2_each e = ec2_each(at, &ec2_type_eni);
	bool found = false;
	while (!found && ec2_next(&e)) {
		const struct ec2_rec_eni *n = e.item.record;
		if (!n->attachment || !str_has(n->attachment->instance_id) || !str_eq(n->vpc_id, vpc)) continue;
		for (size_t i = 0; i < n->addresses.n && !found; i++)
			found = str_eq(n->addresses.v[i].private_ip_address, address);
		for (size_t i = 0; i < n->ipv6_addresses.n && !found; i++)
			found = str_eq(n->ipv6_addresses.v[i].ipv6_address, address);
		if (found) *instance = n->attachment->instance_id;
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

static bool is_credentials(struct str path, struct str role)
{
	ptrdiff_t at = str_find(path, STR("/meta-data/iam/security-credentials/"));
	if (at < 0 || !str_has(role)) return false;
	struct str rest = str_from(path, (size_t)at + sizeof("/meta-data/iam/security-credentials/") - 1);
	return str_eq(rest, role);
}

struct asked {
	struct imds *s;
	struct arena *a;
	struct ec2_place at;
	const struct imds_request *r;
	struct ec2_rec_instance i;
	struct ec2_instance shape;
	struct str role;
	int64_t now_ms;
	bool six;
};

static struct imds_response put_token(struct asked *k, int fd)
{
	uint64_t ttl;
	const struct imds_request *r = k->r;
	if (!str_is(r->path, "/latest/api/token")) return (struct imds_response){.code = 405};
	/* "…does not issue session tokens when the X-Forwarded-For header is included" */
	if (r->forwarded) return (struct imds_response){.code = 403};
	if (!is_ok(str_to_u64(str_or(r->ttl, STR("")), &ttl)) || ttl < 1 || ttl > TTL_MAX)
		return (struct imds_response){.code = 400};
	/* The hop limit is the answer's time to live: a container's bridge would be one hop more. */
	int hops = k->shape.metadata_options->http_put_response_hop_limit.v;
	int failed = k->six ? setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops))
			    : setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
	if (failed) log_warn("ec2", "imds_ttl", "errno=%d", errno);
	return (struct imds_response){.code = 200,
		.body = token_make(k->s, k->a, k->i.instance_id, k->now_ms + (int64_t)ttl * 1000),
		.ttl_s = (int64_t)ttl};
}

static struct imds_response get(struct asked *k, struct call *c)
{
	struct imds_response out = {.code = 200};
	const struct imds_request *r = k->r;
	if (str_has(r->token)) {
		out.ttl_s = token_left(k->s, k->a, k->i.instance_id, r->token, k->now_ms);
		if (!out.ttl_s) return (struct imds_response){.code = 401};
	} else if (str_is(k->shape.metadata_options->http_tokens, "required")) {
		return (struct imds_response){.code = 401};
	}
	struct imds_view view = {.c = c, .i = &k->i, .shape = &k->shape, .role = k->role};
	status st = imds_get(&view, r->path, &out.body);
	if (status_is(st, STATUS_NOT_FOUND)) return (struct imds_response){.code = 404};
	return is_ok(st) ? out : (struct imds_response){.code = 500};
}

/* *credentials: the answer is the role's session, which is to be got after the transaction. */
static struct imds_response respond(struct asked *k, struct end *e, bool *credentials)
{
	struct imds_response out = {.code = 404};
	struct str instance = STR_NONE;
	struct store_tx *tx = store_begin(k->s->cloud->store, k->a, true);
	k->at = (struct ec2_place){tx, k->a, str_c(e->at->account), str_c(e->at->region)};
	struct call *c = call_for_job(k->a, k->s->cloud, tx, k->at.account, k->at.region, STR("ec2.amazonaws.com"));
	status st = asking(k->at, str_c(e->at->vpc), str_c(e->peer), &instance);
	if (is_ok(st)) st = ec2_load(k->at, &ec2_type_instance, instance, &k->i);
	if (is_ok(st)) st = ec2_describe_one(c, &ec2_type_instance, instance, &k->shape);
	if (is_ok(st) && k->shape.iam_instance_profile)
		st = imds_role(tx, k->a, k->at.account, k->shape.iam_instance_profile->arn, &k->role);
	if (is_ok(st)) {
		if (!str_is(k->shape.metadata_options->http_endpoint, "enabled") ||
			(k->six && !str_is(k->shape.metadata_options->http_protocol_ipv6, "enabled")))
			out.code = 403;
		else if (str_is(k->r->method, "PUT"))
			out = put_token(k, e->fd);
		else if (str_is(k->r->method, "GET") || str_is(k->r->method, "HEAD"))
			out = get(k, c);
		else
			out.code = 405;
	} else if (!status_is(st, STATUS_NOT_FOUND)) {
		out.code = 500;
	}
	*credentials = out.code == 200 && str_is(k->r->method, "GET") && is_credentials(k->r->path, k->role);
	/* What is to be sent may point into the transaction. */
	out.body = str_dup(k->a, str_or(out.body, STR("")));
	k->i.instance_id = str_dup(k->a, k->i.instance_id);
	k->role = str_dup(k->a, k->role);
	store_end(tx);
	return out;
}

static bool send_all(int fd, struct str text)
{
	for (size_t done = 0; done < text.n;) {
		ssize_t n = send(fd, text.p + done, text.n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		/* Answers fit in a socket's buffer; who does not read them is left. */
		if (n <= 0) return false;
		done += (size_t)n;
	}
	return true;
}

/* False: the connection ends. */
static bool serve_one(struct imds *s, struct end *e, const struct imds_request *r)
{
	struct arena a;
	bool credentials;
	arena_init(&a);
	struct asked k = {.s = s, .a = &a, .r = r, .now_ms = clock_now(s->cloud->clock), .six = e->at->six};
	struct imds_response out = respond(&k, e, &credentials);
	if (credentials) {
		out.body = imds_credentials(s->sessions, s->cloud, &a, k.at, k.i.instance_id, k.role);
		out.type = STR("application/json");
	}
	if (str_is(r->method, "HEAD")) out.body = STR("");
	bool alive = send_all(e->fd, imds_write(&a, &out, r->close)) && !r->close;
	arena_cleanup(&a);
	return alive;
}

/* ── connections ── */

static void end_connection(struct imds *s, struct end *e)
{
	for (struct end **p = &s->connections; *p; p = &(*p)->next)
		if (*p == e) {
			*p = e->next;
			break;
		}
	s->n_connections--;
	close(e->fd);
	free(e);
}

static void on_connection(struct imds *s, struct end *e)
{
	ssize_t n = recv(e->fd, e->bytes + e->n, sizeof(e->bytes) - e->n, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n <= 0) {
		end_connection(s, e);
		return;
	}
	e->n += (size_t)n;
	for (;;) {
		size_t skip = e->skip < e->n ? e->skip : e->n, used = 0;
		e->skip -= skip;
		e->n -= skip;
		memmove(e->bytes, e->bytes + skip, e->n);
		if (!e->n) return;
		struct imds_request r;
		status st = imds_read(str_n(e->bytes, e->n), &r, &used);
		if (status_is(st, STATUS_BUSY) && e->n < sizeof(e->bytes)) return;
		if (!is_ok(st) || !serve_one(s, e, &r)) {
			end_connection(s, e);
			return;
		}
		e->n -= used;
		memmove(e->bytes, e->bytes + used, e->n);
		e->skip = r.body;
	}
}

static void watch(struct imds *s, struct end *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, e->fd, &ev) < 0) log_warn("ec2", "imds_watch", "errno=%d", errno);
}

static void on_listener(struct imds *s, struct end *l)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer;
	socklen_t n = sizeof(peer);
	pthread_mutex_lock(&s->lock);
	int fd = l->dead ? -1 : accept4(l->fd, &peer.any, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
	pthread_mutex_unlock(&s->lock);
	if (fd < 0) return;
	if (s->n_connections == CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	struct end *e = mem_new(sizeof(*e));
	e->fd = fd;
	e->at = l;
	inet_ntop(peer.any.sa_family, l->six ? (void *)&peer.v6.sin6_addr : (void *)&peer.v4.sin_addr, e->peer,
		sizeof(e->peer));
	e->next = s->connections;
	s->connections = e;
	s->n_connections++;
	watch(s, e);
}

/* Connections that came by a listener that is gone: they would keep its namespace. */
static void sweep(struct imds *s)
{
	uint64_t n;
	if (read(s->wake, &n, sizeof(n)) < 0) return;
	for (struct end *e = s->connections, *next; e; e = next) {
		next = e->next;
		pthread_mutex_lock(&s->lock);
		bool dead = e->at->dead;
		pthread_mutex_unlock(&s->lock);
		if (dead) end_connection(s, e);
	}
}

static void *run(void *ctx)
{
	struct imds *s = ctx;
	struct epoll_event events[EVENTS];
	pthread_setname_np(pthread_self(), "ec2-imds");
	for (;;) {
		/* One at a time: serving one may end another that waits in the same batch. */
		int n = epoll_wait(s->epoll, events, 1, -1);
		pthread_mutex_lock(&s->lock);
		bool stop = s->stopping;
		pthread_mutex_unlock(&s->lock);
		if (stop) return NULL;
		if (n > 0 && !events[0].data.ptr) sweep(s);
		if (n <= 0 || !events[0].data.ptr) continue;
		struct end *e = events[0].data.ptr;
		if (e->listens)
			on_listener(s, e);
		else
			on_connection(s, e);
	}
}

/* ── listeners ── */

/* Under the lock. */
static status listen_once(struct imds *s, struct ec2_place at, struct str vpc, bool six)
{
	int fd = -1;
	for (struct end *l = s->listeners; l; l = l->next)
		if (l->six == six && str_eq(str_c(l->vpc), vpc)) return OK;
	status st = host_listen(s->cloud->host, vpc, six ? ADDRESS6 : ADDRESS, PORT, false, &fd);
	if (!is_ok(st)) return STATUS(BUSY);
	struct end *l = mem_new(sizeof(*l));
	l->listens = true;
	l->six = six;
	l->fd = fd;
	l->account = ec2_keep(at.account);
	l->region = ec2_keep(at.region);
	l->vpc = ec2_keep(vpc);
	l->next = s->listeners;
	s->listeners = l;
	watch(s, l);
	return OK;
}

status imds_serve(struct cloud *cloud, struct ec2_place at, struct str vpc)
{
	struct imds *s = imds_of(cloud);
	struct ec2_rec_vpc v;
	if (!s || !s->runs) return OK;
	TRY(ec2_load(at, &ec2_type_vpc, vpc, &v));
	pthread_mutex_lock(&s->lock);
	status st = listen_once(s, at, vpc, false);
	if (is_ok(st) && v.ipv6_cidr_block_association_set.n) st = listen_once(s, at, vpc, true);
	pthread_mutex_unlock(&s->lock);
	return st;
}

static void wake(struct imds *s)
{
	uint64_t one = 1;
	if (write(s->wake, &one, sizeof(one)) < 0) log_warn("ec2", "imds_wake", "errno=%d", errno);
}

void imds_forget(struct cloud *cloud, struct str vpc)
{
	struct imds *s = imds_of(cloud);
	if (!s || !s->runs) return;
	pthread_mutex_lock(&s->lock);
	for (struct end **p = &s->listeners; *p;) {
		struct end *l = *p;
		if (str_has(vpc) && !str_eq(str_c(l->vpc), vpc)) {
			p = &l->next;
			continue;
		}
		*p = l->next;
		close(l->fd);
		l->dead = true;
		l->next = s->forgotten;
		s->forgotten = l;
	}
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

static void free_all(struct end *list, bool close_too)
{
	while (list) {
		struct end *l = list;
		list = l->next;
		if (close_too) close(l->fd);
		free(l->account);
		free(l->region);
		free(l->vpc);
		free(l);
	}
}

struct imds *imds_start(struct cloud *cloud)
{
	struct imds *s = mem_new(sizeof(*s));
	struct epoll_event ev = {.events = EPOLLIN};
	s->cloud = cloud;
	s->sessions = imds_sessions_new();
	pthread_mutex_init(&s->lock, NULL);
	rand_bytes(s->secret, sizeof(s->secret));
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll >= 0 && s->wake >= 0) epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &ev);
	if (ec2_machines_are_real(cloud)) s->runs = pthread_create(&s->thread, NULL, run, s) == 0;
	return s;
}

void imds_stop(struct imds *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	wake(s);
	if (s->runs) pthread_join(s->thread, NULL);
	while (s->connections) end_connection(s, s->connections);
	free_all(s->listeners, true);
	free_all(s->forgotten, false);
	close(s->epoll);
	close(s->wake);
	imds_sessions_free(s->sessions);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct imds *imds_of(struct cloud *cloud)
{
	return ec2_network_of(cloud)->imds;
}
