/* How long from the start of a machine to the first HTTP answer of a web server in its user data, for one and for N at
 * once, and what an idle one costs. Usage (as root): bench_machines [N [python]] */
#include "host/machines.h"
#include <sys/socket.h>

static const char *const servers[2] = {
	"#!/bin/sh\nwhile :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' | nc -lN 127.0.0.1 80 >/dev/null; done\n",
	"#!/usr/bin/python3\nimport http.server as h\n"
	"class S(h.BaseHTTPRequestHandler):\n"
	" def do_GET(s): s.send_response(200); s.end_headers(); s.wfile.write(b'hello')\n"
	"h.HTTPServer(('127.0.0.1',80),S).serve_forever()\n",
};

/* True once it has answered. */
static bool answers(struct bench *b, struct str id)
{
	int fd = -1, error = 0;
	socklen_t n = sizeof(error);
	char text[64];
	if (!is_ok(host_connect(b->h, id, STR("127.0.0.1"), 80, &fd))) return false;
	struct pollfd p = {fd, POLLOUT, 0};
	bool good = poll(&p, 1, 2000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0;
	good = good && send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL) == 18;
	p.events = POLLIN;
	good = good && poll(&p, 1, 2000) == 1 && recv(fd, text, sizeof(text), 0) > 12 &&
	       memcmp(text, "HTTP/1.", 7) == 0;
	close(fd);
	return good;
}

static int64_t launch(struct bench *b, const char *prefix, int count, const char *user_data)
{
	int64_t begun = bench_ms();
	for (int i = 0; i < count; i++) {
		struct compute_rec_machine m = bench_machine(b, str_fmt(&b->a, "%s-%d", prefix, i).p);
		m.user_data = str_c(user_data);
		if (!bench_start(b, &m)) return -1;
	}
	int64_t started = bench_ms();
	for (int i = 0; i < count; i++) {
		struct str id = str_fmt(&b->a, "%s-%d", prefix, i);
		while (!answers(b, id)) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	printf("%4d machine%s: started in %lld ms, all answered after %lld ms\n", count, count == 1 ? " " : "s",
		(long long)(started - begun), (long long)(bench_ms() - begun));
	return bench_ms() - begun;
}

static int64_t available_kib(void)
{
	long long kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lld", &kib) == 1) break;
	if (f) fclose(f);
	return kib;
}

int main(int argc, char **argv)
{
	int64_t count = 50;
	if (argc > 1 && !is_ok(str_to_i64(str_c(argv[1]), &count))) return 2;
	struct bench *b = bench_open();
	if (!b) return 77;
	const char *server = servers[argc > 2];
	for (int i = 0; i < 5; i++) launch(b, str_fmt(&b->a, "one%d", i).p, 1, server);
	launch(b, "many", (int)count, server);
	int64_t before = available_kib(), own = 0;
	for (int i = 0; i < count; i++) {
		struct compute_rec_machine m = bench_machine(b, str_fmt(&b->a, "idle-%d", i).p);
		if (!bench_start(b, &m) || !bench_wait(b, m.id, "running")) return 1;
	}
	for (int i = 0; i < count; i++) {
		struct compute_rec_machine_status st = {0};
		if (is_ok(host_machine_status(b->h, &b->a, str_fmt(&b->a, "idle-%d", i), &st)))
			own += st.memory_bytes.v;
	}
	printf("an idle machine: %lld KiB in its group, %lld KiB less available on the host\n",
		(long long)(own / count / 1024), (long long)((before - available_kib()) / count));
	bench_close(b);
	(void)test_last, (void)test_skipped;
	return test_failed ? 1 : 0;
}
