/* See watch.h. The thread's memory is a list of nodes; an installation has some dozens. */
#include "services/elasticache/watch.h"
#include "base/log.h"
#include "services/elasticache/controller.h"
#include "services/kms/folder.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 200 };
struct watched {
	struct watched *next;
	char account[16], region[32], unit[32], node[16];
	char *path;
	struct resp r;
	bool open;
};
struct cache_watcher {
	struct kms_holders *holders;
	struct cloud *cloud;
	pthread_mutex_t lock;
	pthread_t thread;
	struct watched *all;
	int wake;
	bool running, stop;
};

struct cache_watcher *cache_watcher_of(struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i]->model == &wire_service_elasticache) return cloud->service_state[i];
	UNREACHABLE();
}

static void mark(struct cache_watcher *w, const struct watched *n)
{
	struct arena a;
	store_ticket ticket;
	status s;
	arena_init(&a);
	do {
		struct store_tx *tx = store_begin(w->cloud->store, &a, false);
		cache_mark((struct cache_place){tx, &a, str_c(n->account), str_c(n->region)}, str_c(n->unit), 0);
		s = store_commit(tx, &ticket);
		store_end(tx);
	} while (status_is(s, STATUS_CONFLICT));
	arena_cleanup(&a);
	jobs_poke(w->cloud->jobs);
}

static void look(struct cache_watcher *w, struct watched *n)
{
	char c;
	if (n->open) {
		ssize_t got = recv(n->r.fd, &c, 1, MSG_DONTWAIT);
		if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
		resp_close(&n->r);
		n->open = false;
		log_info("elasticache", "server_gone", "unit=%s node=%s", n->unit, n->node);
		mark(w, n);
		return;
	}
	n->open = n->path && is_ok(resp_open(&n->r, n->path));
}

static void *run(void *ctx)
{
	struct cache_watcher *w = ctx;
	struct pollfd *p = NULL;
	size_t capacity = 0;
	for (;;) {
		size_t n = 0, need = 1;
		uint64_t count;
		pthread_mutex_lock(&w->lock);
		bool stop = w->stop;
		for (struct watched *i = w->all; i; i = i->next) need++;
		if (need > capacity) p = mem_grow(p, (capacity = need + 16) * sizeof(*p));
		p[n++] = (struct pollfd){w->wake, POLLIN, 0};
		for (struct watched *i = w->all; i; i = i->next)
			if (i->open) p[n++] = (struct pollfd){i->r.fd, POLLIN, 0};
		pthread_mutex_unlock(&w->lock);
		if (stop) break;
		poll(p, n, TICK_MS);
		if (p[0].revents && read(w->wake, &count, sizeof(count)) < 0) continue;
		pthread_mutex_lock(&w->lock);
		for (struct watched *i = w->all; i; i = i->next) look(w, i);
		pthread_mutex_unlock(&w->lock);
	}
	free(p);
	return NULL;
}

static void wake(struct cache_watcher *w)
{
	uint64_t one = 1;
	if (!w->running) w->running = pthread_create(&w->thread, NULL, run, w) == 0;
	if (write(w->wake, &one, sizeof(one)) < 0) log_warn("elasticache", "wake", "errno=%d", errno);
}

void cache_watch(struct cache_watcher *w, struct cache_place at, struct str unit, struct str node, const char *path)
{
	pthread_mutex_lock(&w->lock);
	struct watched **i = &w->all;
	while (*i && !(str_eq(str_c((*i)->unit), unit) && str_eq(str_c((*i)->node), node))) i = &(*i)->next;
	if (!path && *i) {
		struct watched *gone = *i;
		*i = gone->next;
		if (gone->open) resp_close(&gone->r);
		free(gone->path), free(gone);
	} else if (path && !*i) {
		struct watched *n = *i = mem_new(sizeof(*n));
		*n = (struct watched){.r.fd = -1};
		snprintf(n->account, sizeof(n->account), "%.*s", STR_ARG(at.account));
		snprintf(n->region, sizeof(n->region), "%.*s", STR_ARG(at.region));
		snprintf(n->unit, sizeof(n->unit), "%.*s", STR_ARG(unit));
		snprintf(n->node, sizeof(n->node), "%.*s", STR_ARG(node));
		n->path = mem_new(strlen(path) + 1);
		memcpy(n->path, path, strlen(path) + 1);
		wake(w);
	}
	pthread_mutex_unlock(&w->lock);
}

status cache_watcher_start(struct cloud *cloud, struct cache_watcher **out)
{
	struct cache_watcher *w = mem_new(sizeof(*w));
	*w = (struct cache_watcher){.cloud = cloud, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	pthread_mutex_init(&w->lock, NULL);
	w->holders = kms_holders_new();
	*out = w;
	return w->wake >= 0 ? OK : STATUS(IO);
}

void cache_watcher_stop(struct cache_watcher *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	bool running = w->running;
	if (running) wake(w);
	pthread_mutex_unlock(&w->lock);
	if (running) pthread_join(w->thread, NULL);
	for (struct watched *i = w->all; i;) {
		struct watched *next = i->next;
		if (i->open) resp_close(&i->r);
		free(i->path), free(i);
		i = next;
	}
	close(w->wake);
	pthread_mutex_destroy(&w->lock);
	kms_holders_free(w->holders);
	free(w);
}

struct cloud *cache_watcher_cloud(const struct cache_watcher *w)
{
	return w->cloud;
}

struct kms_holders *cache_holders_of(struct cloud *cloud)
{
	return cache_watcher_of(cloud)->holders;
}
