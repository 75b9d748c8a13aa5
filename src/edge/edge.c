/* The server as a whole: two libmicrohttpd daemons without listening sockets (plain, and TLS where there is a
 * certificate), the acceptor in front of them, connections, start, stop and figures. */
#include "base/log.h"
#include "edge/arrival.h"
#include "edge/internal.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTION_LIMIT = 200 * 1000 };

uint64_t edge_netns(int socket)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);
	return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n) == 0 ? cookie : 0;
}

uint64_t edge_arrival(const struct edge_exchange *x, struct str *local)
{
	*local = x->local;
	return x->netns;
}

static void read_local(struct edge_conn *k)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	if (getsockname(k->fd, (struct sockaddr *)&a, &n) != 0) return;
	const struct sockaddr_in *v4 = (const void *)&a;
	const struct sockaddr_in6 *v6 = (const void *)&a;
	if (inet_ntop(a.ss_family, a.ss_family == AF_INET ? (const void *)&v4->sin_addr : &v6->sin6_addr, k->local,
		    sizeof(k->local)))
		k->local_n = (uint8_t)strlen(k->local);
}

void edge_on_connection(void *side, struct MHD_Connection *c, void **socket_context,
	enum MHD_ConnectionNotificationCode how)
{
	struct edge_side *s = side;
	struct edge *e = s->edge;
	struct edge_conn *k = *socket_context;

	if (how == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (!k) return;
		pthread_mutex_lock(&e->lock);
		*(k->prev ? &k->prev->next : &e->conns) = k->next;
		if (k->next) k->next->prev = k->prev;
		pthread_mutex_unlock(&e->lock);
		atomic_fetch_sub_explicit(&e->open_connections, 1, memory_order_relaxed);
		pthread_mutex_destroy(&k->lock);
		k->magic = 0;
		free(k->target);
		free(k);
		*socket_context = NULL;
		return;
	}
	k = mem_new(sizeof(*k));
	*socket_context = k;
	k->magic = EDGE_CONN_MAGIC;
	k->side = s;
	k->tls = s->tls;
	pthread_mutex_init(&k->lock, NULL);
	atomic_store(&k->waiting_since_ms, edge_now_ms());
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	k->fd = fd ? fd->connect_fd : -1;
	const union MHD_ConnectionInfo *a = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char text[INET6_ADDRSTRLEN] = "";
	int n = 0;
	if (a && a->client_addr->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)a->client_addr;
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		n = snprintf(k->peer, sizeof(k->peer), "%s:%u", text, ntohs(v4->sin_port));
	} else if (a && a->client_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)a->client_addr;
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		n = snprintf(k->peer, sizeof(k->peer), "[%s]:%u", text, ntohs(v6->sin6_port));
	}
	k->peer_n = (uint8_t)(n > 0 && n < (int)sizeof(k->peer) ? n : 0);
	k->netns = edge_netns(k->fd);
	if (k->netns == e->netns)
		k->netns = 0;
	else
		read_local(k);
	atomic_fetch_add_explicit(&e->connections, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&e->open_connections, 1, memory_order_relaxed);
	pthread_mutex_lock(&e->lock);
	k->next = e->conns;
	if (k->next) k->next->prev = k;
	e->conns = k;
	pthread_mutex_unlock(&e->lock);
}

static struct MHD_Daemon *start_daemon(struct edge_side *s, const struct edge_options *o, unsigned threads)
{
	union {
		const char *in;
		void *out;
	} certificate = {o->tls_certificate}, key = {o->tls_key};
	static char priorities[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1";
	struct MHD_OptionItem options[16];
	unsigned n = 0, flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
				MHD_USE_ITC;
	/* The pool holds the head and, beside it, the buffer that bodies are read into: docs/decisions/0003. */
	size_t pool = s->edge->max_header_bytes;

	options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)pool, NULL};
	options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (intptr_t)pool, NULL};
	options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, CONNECTION_LIMIT, NULL};
	options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)s->edge->idle_timeout_s, NULL};
	/* Its strict mode answers a missing Host with two heads (0.9.75); edge_head_check sees to all that it would. */
	options[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 0, NULL};
	if (threads > 1) options[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL};
	if (s->tls) {
		flags |= MHD_USE_TLS;
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, certificate.out};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, key.out};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, priorities};
	}
	options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	return MHD_start_daemon(flags, 0, NULL, NULL, edge_on_request, s, MHD_OPTION_ARRAY, options,
		MHD_OPTION_URI_LOG_CALLBACK, edge_on_target, s, MHD_OPTION_NOTIFY_COMPLETED, edge_on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, edge_on_connection, s, MHD_OPTION_END);
}

static void stop_daemons(struct edge *e)
{
	if (e->plain.daemon) MHD_stop_daemon(e->plain.daemon);
	if (e->secure.daemon) MHD_stop_daemon(e->secure.daemon);
	e->plain.daemon = e->secure.daemon = NULL;
}

void edge_release(struct edge *e)
{
	if (atomic_fetch_sub(&e->references, 1) != 1) return;
	pthread_mutex_destroy(&e->divert_lock);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static unsigned default_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 2 ? 2 : n > 64 ? 64 : (unsigned)n;
}

status edge_start(const struct edge_options *o, struct edge **out, struct str *why)
{
	struct edge *e = mem_new(sizeof(*e));
	unsigned threads = o->threads ? o->threads : default_threads();
	status s;

	*out = NULL;
	e->handler = o->handler;
	e->idle_timeout_s = o->idle_timeout_s ? o->idle_timeout_s : 60;
	e->max_header_bytes = o->max_header_bytes ? o->max_header_bytes : 32 * 1024;
	e->plain = (struct edge_side){.edge = e};
	e->secure = (struct edge_side){.edge = e, .tls = true};
	e->epoll_fd = e->wake_fd = -1;
	atomic_store(&e->references, 1);
	pthread_mutex_init(&e->lock, NULL);
	pthread_mutex_init(&e->divert_lock, NULL);
	s = edge_listen(e, o->listen, why);
	if (is_ok(s)) {
		e->plain.daemon = start_daemon(&e->plain, o, threads);
		if (o->tls_certificate && o->tls_key && e->plain.daemon)
			e->secure.daemon = start_daemon(&e->secure, o, threads);
		if (!e->plain.daemon || (o->tls_certificate && o->tls_key && !e->secure.daemon)) {
			*why = e->plain.daemon ? STR("the TLS server does not start: certificate and key do not fit")
					       : STR("the HTTP server does not start");
			s = STATUS(IO);
		}
	}
	if (is_ok(s)) e->netns = edge_netns(e->listeners[0]);
	if (is_ok(s)) s = edge_acceptor_start(e, why);
	if (!is_ok(s)) {
		edge_acceptor_stop(e);
		stop_daemons(e);
		edge_release(e);
		return s;
	}
	*out = e;
	return OK;
}

uint16_t edge_port(const struct edge *e) { return e->port; }

static void wait_a_little(void) { nanosleep(&(struct timespec){0, 2 * 1000 * 1000}, NULL); }

void edge_stop(struct edge *e, unsigned grace_ms)
{
	int64_t until;

	if (!e) return;
	until = edge_now_ms() + grace_ms;
	atomic_store(&e->stopping, true);
	edge_acceptor_stop(e);
	while (atomic_load(&e->in_flight) > 0 && edge_now_ms() < until) wait_a_little();
	/* libmicrohttpd must not be stopped with suspended connections: wake all, let none park again. */
	atomic_store(&e->abandoning, true);
	edge_abandon_all(e);
	stop_daemons(e);
	edge_release(e);
}

void edge_metrics(const struct edge *e, struct edge_metrics *out)
{
	*out = (struct edge_metrics){
		.connections = atomic_load(&e->connections),
		.open_connections = atomic_load(&e->open_connections),
		.requests = atomic_load(&e->requests),
		.bytes_in = atomic_load(&e->bytes_in),
		.bytes_out = atomic_load(&e->bytes_out),
		.bad_requests = atomic_load(&e->bad_requests),
	};
}
