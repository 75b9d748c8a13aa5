/* Memory: a large upload in both directions and many connections at once, against the budgets of
 * docs/decisions/0003-edge-memory.md. */
#include "unit/edge/server.h"
#include <stdio.h>
#include <sys/resource.h>

static struct server s;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static long rss_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
	if (f) fclose(f);
	return kib;
}

TEST(a_large_upload_takes_no_memory)
{
	enum { PIECE = 1 << 20, PIECES = 200 };
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	char *p = mem_new(PIECE), head[128];

	for (int i = 0; i < PIECE; i++) p[i] = (char)(i * 7);
	long before = rss_kib();
	snprintf(head, sizeof(head), "PUT /size HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", PIECE * PIECES);
	say(&c, head);
	for (int i = 0; i < PIECES; i++) CHECK(say_n(&c, p, PIECE));
	struct reply r = hear(&c, false);
	CHECK_STR(str_n(r.body, r.body_n), STR("209715200"));
	free(r.body);
	if (!SANITIZED) CHECK(rss_kib() - before < 4096);
	free(p);
	close(c.fd);
	server_stop(&s, 1000);
}

/* Idle keep-alive connections, then the same connections all waiting for an answer. */
TEST(many_connections_cost_little)
{
	enum { N = 1000 };
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2 * N + 100) SKIP("too few descriptors allowed");
	server_start(&s, (struct edge_options){0});
	int *fds = mem_new(N * sizeof(int));
	char answer[1024];
	long before = rss_kib();
	for (int i = 0; i < N; i++) fds[i] = dial(&s);
	static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) CHECK(send(fds[i], text, sizeof(text) - 1, MSG_NOSIGNAL) > 0);
		for (int i = 0; i < N; i++) CHECK(recv(fds[i], answer, sizeof(answer), 0) > 0);
	}
	struct edge_metrics m;
	edge_metrics(s.edge, &m);
	CHECK(m.open_connections == N && m.requests == 2 * N);
	long idle = rss_kib() - before;
	printf("%d idle connections: %ld KiB\n", N, idle);
	if (!SANITIZED) CHECK(idle < 40 * 1024);

	static const char hold[] = "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n";
	for (int i = 0; i < N; i++) CHECK(send(fds[i], hold, sizeof(hold) - 1, MSG_NOSIGNAL) > 0);
	CHECK(wait_for(&s.ended, 3 * N));
	CHECK(atomic_load(&s.n_held) == N);
	long held = rss_kib() - before;
	printf("%d held answers: %ld KiB\n", N, held);
	if (!SANITIZED) CHECK(held < 44 * 1024);
	for (int i = 0; i < N; i++) close(fds[i]);
	free(fds);
	struct edge_response r = {.code = 200, .bytes = STR("held")};
	for (int i = 0; i < N; i++) edge_respond(s.all_held[i], &r, NULL, NULL);
	server_stop(&s, 1000);
}

TEST_MAIN()
