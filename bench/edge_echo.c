/* The edge alone, for raw figures: any GET is answered with a fixed body, any body is read and dropped.
 *     bench_edge_echo [-l 127.0.0.1:8080] [-s body-bytes] [-f file] [-a] [-t certificate.pem -k key.pem] [-m
 * pool-bytes] [-n threads] -f answers with that file (sendfile), -a answers from another thread, so that every exchange
 * is suspended once. */
#include "edge/edge.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct pending *first, **last;
};
struct pending {
	struct edge_exchange *x;
	struct server *server;
	struct pending *next;
};
struct server {
	struct str body;
	int fd;
	uint64_t file_size;
	bool async;
	struct queue queue;
};

static void answer(struct server *s, struct edge_exchange *x)
{
	static const struct edge_header headers[] = {
		{{"Content-Type", 12}, {"text/plain", 10}},
		{{"x-amzn-RequestId", 16}, {"4442587f-b7d0-5a2f-ebc4-9bc70ba86eae", 36}},
	};
	struct edge_response r = {
		.code = 200, .headers = headers, .n_headers = 2, .bytes = s->body, .keep_bytes = true};

	if (s->fd >= 0) {
		r.kind = EDGE_FILE;
		r.fd = s->fd;
		r.size = s->file_size;
	}
	edge_respond(x, &r, NULL, NULL);
}

static void *begin(void *ctx, struct edge_exchange *x, const struct edge_request *r)
{
	struct pending *p = mem_new(sizeof(*p));

	(void)r;
	p->x = x;
	p->server = ctx;
	return p;
}

static enum edge_next body(void *state, const void *p, size_t n)
{
	(void)state, (void)p, (void)n;
	return EDGE_CONTINUE;
}

static void end(void *state)
{
	struct pending *p = state;
	struct server *s = p->server;

	if (!s->async) {
		answer(s, p->x);
		return;
	}
	pthread_mutex_lock(&s->queue.lock);
	*s->queue.last = p;
	s->queue.last = &p->next;
	pthread_cond_signal(&s->queue.filled);
	pthread_mutex_unlock(&s->queue.lock);
}

static void gone(void *state, bool completed)
{
	(void)completed;
	free(state);
}

static void *answer_main(void *ctx)
{
	struct server *s = ctx;

	for (;;) {
		pthread_mutex_lock(&s->queue.lock);
		while (!s->queue.first) pthread_cond_wait(&s->queue.filled, &s->queue.lock);
		struct pending *p = s->queue.first;
		s->queue.first = NULL;
		s->queue.last = &s->queue.first;
		pthread_mutex_unlock(&s->queue.lock);
		while (p) {
			struct pending *next = p->next;
			answer(s, p->x);
			p = next;
		}
	}
	return NULL;
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *p = mem_new(64 * 1024);

	if (!f || fread(p, 1, 64 * 1024 - 1, f) == 0) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	fclose(f);
	return p;
}

int main(int argc, char **argv)
{
	struct server s = {.fd = -1, .queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER}};
	struct edge_options o = {.listen = "127.0.0.1:8080"};
	size_t size = 200;
	struct stat st;
	int c;

	s.queue.last = &s.queue.first;
	while ((c = getopt(argc, argv, "l:s:f:am:n:t:k:")) != -1) {
		if (c == 'l') o.listen = optarg;
		if (c == 's') size = strtoul(optarg, NULL, 10);
		if (c == 'a') s.async = true;
		if (c == 'm') o.max_header_bytes = strtoul(optarg, NULL, 10);
		if (c == 'n') o.threads = (unsigned)strtoul(optarg, NULL, 10);
		if (c == 't') o.tls_certificate = slurp(optarg);
		if (c == 'k') o.tls_key = slurp(optarg);
		if (c == 'f' && (s.fd = open(optarg, O_RDONLY)) >= 0 && fstat(s.fd, &st) == 0)
			s.file_size = (uint64_t)st.st_size;
	}
	char *p = mem_new(size + 1);
	memset(p, 'v', size);
	s.body = str_n(p, size);
	o.handler = (struct edge_handler){&s, begin, body, end, gone};

	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	pthread_t t;
	if (s.async) pthread_create(&t, NULL, answer_main, &s);
	struct edge *e;
	struct str why;
	if (!is_ok(edge_start(&o, &e, &why))) {
		fprintf(stderr, "%.*s\n", STR_ARG(why));
		return 1;
	}
	printf("port %u\n", edge_port(e));
	fflush(stdout);
	int sig;
	sigwait(&stop, &sig);
	edge_stop(e, 1000);
	return 0;
}
