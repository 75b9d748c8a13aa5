/* What a hostile, broken or vanishing client may do, and how the server ends: heads that two parsers could read
 * differently, cut bodies, slow heads, silent sockets, stopping with answers owed. */
#include "unit/edge/server.h"
#include <stdio.h>

static struct server s;

/* The server answers with that code and closes. (Where libmicrohttpd 0.9.75 itself finds Content-Length malformed it
 * sends its head twice, so what follows the first is not looked at.) */
static void refused(const char *text, int code)
{
	struct client c = {.fd = dial(&s)};
	say(&c, text);
	struct reply r = hear(&c, false);
	if (r.code != code) fprintf(stderr, "for «%s»: %d\n", text, r.code);
	CHECK(r.code == code);
	while (c.n = 0, fill(&c)) continue;
	CHECK(closed(&c));
	free(r.body);
	close(c.fd);
}

/* The server closes, with 400 or without a word. */
static void dropped(const char *text)
{
	struct client c = {.fd = dial(&s)};
	say(&c, text);
	struct reply r = hear(&c, false);
	if (r.code != 0 && r.code != 400) fprintf(stderr, "for «%s»: %d\n", text, r.code);
	CHECK(r.code == 0 || r.code == 400);
	CHECK(closed(&c));
	free(r.body);
	close(c.fd);
}

TEST(ambiguous_heads_are_refused)
{
	server_start(&s, (struct edge_options){0});
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nabc", 413);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc", 400);
	refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);
	refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501);
	refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 501);
	refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0\r\n\r\n",
		400);
	refused("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
	refused("GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400);
	refused("GET / HTTP/1.1\r\n\r\n", 400);
	refused("GET / HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n", 400);
	refused("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400);
	refused("GET / HTTP/1.1\r\nHost: h\r\nX: a\001b\r\n\r\n", 400);
	refused("G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	refused("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	refused("GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	refused("GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	refused("GET http://user@h/x HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	refused("GET /a\177b HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	refused("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	dropped("\001\002\003\r\n\r\n");
	CHECK(s.begun == 0);
	struct edge_metrics m;
	edge_metrics(s.edge, &m);
	CHECK(m.bad_requests >= 25);
	server_stop(&s, 1000);
}

TEST(bad_chunks_are_refused)
{
	static const char *const bad[] = {"xyz\r\n", "-1\r\n", " 5\r\nabcde\r\n", "5\r\nabcdefg\r\n0\r\n\r\n",
		"0x5\r\nabcde\r\n", "\r\n\r\n", "fffffffffffffffff\r\n"};
	server_start(&s, (struct edge_options){0});
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct client c = {.fd = dial(&s)};
		say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
		say(&c, bad[i]);
		struct reply r = hear(&c, false);
		if (r.code != 400 && r.code != 413) fprintf(stderr, "for «%s»: %d\n", bad[i], r.code);
		CHECK(r.code == 400 || r.code == 413);
		CHECK(closed(&c));
		free(r.body);
		close(c.fd);
	}
	server_stop(&s, 1000);
	CHECK(s.ended == 0 && s.broken == 7);
}

TEST(heads_have_a_limit)
{
	server_start(&s, (struct edge_options){.max_header_bytes = 16 * 1024});
	char *text = mem_new(70000);
	char *long_value = mem_new(60001);
	memset(long_value, 'v', 60000);
	snprintf(text, 70000, "GET / HTTP/1.1\r\nHost: h\r\nX: %.60000s\r\n\r\n", long_value);
	refused(text, 431);
	snprintf(text, 70000, "GET /%.60000s HTTP/1.1\r\nHost: h\r\n\r\n", long_value);
	refused(text, 414);
	/* 12 KiB of header fit. */
	snprintf(text, 70000, "GET / HTTP/1.1\r\nHost: h\r\nX: %.12000s\r\n\r\n", long_value);
	struct reply r = ask(&s, text);
	CHECK(r.code == 200);
	free(r.body);
	size_t n = (size_t)snprintf(text, 70000, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 3000; i++) n += (size_t)snprintf(text + n, 70000 - n, "A%d: b\r\n", i);
	snprintf(text + n, 70000 - n, "\r\n");
	refused(text, 431);
	free(long_value);
	free(text);
	server_stop(&s, 1000);
}

TEST(a_cut_body_never_ends)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
	sleep_ms(20);
	close(c.fd);
	CHECK(wait_for(&s.broken, 1));
	c.fd = dial(&s);
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
	sleep_ms(20);
	close(c.fd);
	CHECK(wait_for(&s.broken, 2));
	/* Half closed: the body cannot come any more. */
	c.fd = dial(&s);
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
	shutdown(c.fd, SHUT_WR);
	CHECK(wait_for(&s.broken, 3));
	close(c.fd);
	/* Reset. */
	c.fd = dial(&s);
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
	sleep_ms(20);
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	close(c.fd);
	CHECK(wait_for(&s.broken, 4));
	server_stop(&s, 1000);
	CHECK(s.ended == 0 && s.completed == 0);
}

static void hold_one(struct client *c)
{
	int before = s.ended;
	say(c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK(wait_for(&s.ended, before + 1));
}

static void answer_held(void)
{
	struct edge_response r = {.code = 200, .bytes = STR("held")};

	for (int i = 0; i < 1000 && !atomic_load(&s.held); i++) sleep_ms(1);
	edge_respond(atomic_load(&s.held), &r, count_done, &s);
	atomic_store(&s.held, NULL);
}

TEST(a_client_leaves_while_an_answer_is_owed)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	hold_one(&c);
	sleep_ms(20);
	CHECK(edge_client_present(atomic_load(&s.held)));
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	close(c.fd);
	sleep_ms(20);
	CHECK(!edge_client_present(atomic_load(&s.held)));
	CHECK(s.broken == 0);
	answer_held();
	CHECK(wait_for(&s.broken, 1));
	CHECK(s.done == 1);
	/* In the middle of a long answer. */
	for (int i = 0; i < 20; i++) {
		c.fd = dial(&s);
		c.n = 0;
		setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
		say(&c, i % 2 ? "GET /file HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
		fill(&c);
		setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
		close(c.fd);
	}
	struct reply r = ask(&s, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK(r.code == 200);
	free(r.body);
	server_stop(&s, 1000);
}

TEST(slow_and_silent_clients_are_cut)
{
	server_start(&s, (struct edge_options){.idle_timeout_s = 1});
	struct client silent = {.fd = dial(&s)}, head = {.fd = dial(&s)}, body = {.fd = dial(&s)},
		      kept = {.fd = dial(&s)};
	struct client held = {.fd = dial(&s)};
	hold_one(&held);
	say(&kept, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	struct reply r = hear(&kept, false);
	CHECK(r.code == 200);
	free(r.body);
	say(&body, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\na");
	/* One byte of a head every 100 ms: never idle, never done. */
	bool cut = false;
	say(&head, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 50 && !cut; i++) {
		sleep_ms(100);
		cut = !say(&head, "a");
	}
	CHECK(cut);
	CHECK(closed(&silent));
	CHECK(closed(&body));
	CHECK(closed(&kept));
	/* An owed answer is not idleness. */
	answer_held();
	r = hear(&held, false);
	CHECK(r.code == 200 && r.whole);
	free(r.body);
	close(silent.fd), close(head.fd), close(body.fd), close(kept.fd), close(held.fd);
	server_stop(&s, 1000);
}

struct stop {
	pthread_t thread;
	unsigned grace_ms;
	atomic_bool stopped;
};

static void *stop_main(void *ctx)
{
	struct stop *st = ctx;
	edge_stop(s.edge, st->grace_ms);
	atomic_store(&st->stopped, true);
	return NULL;
}

TEST(stopping_finishes_what_is_in_flight)
{
	server_start(&s, (struct edge_options){0});
	struct client held = {.fd = dial(&s)}, idle = {.fd = dial(&s)}, slow = {.fd = dial(&s)};
	hold_one(&held);
	say(&slow, "GET /async?slow HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK(wait_for(&s.begun, 2));
	struct stop st = {.grace_ms = 5000};
	pthread_create(&st.thread, NULL, stop_main, &st);
	sleep_ms(100);
	CHECK(!st.stopped);
	/* Nobody gets in any more. */
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(edge_port(s.edge)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0);
	close(fd);
	answer_held();
	struct reply r = hear(&held, false);
	CHECK(r.code == 200 && r.whole && header_of(&r, "connection: close"));
	free(r.body);
	r = hear(&slow, false);
	CHECK(r.code == 200 && r.whole);
	free(r.body);
	pthread_join(st.thread, NULL);
	CHECK(closed(&idle));
	CHECK(s.completed == 2 && s.broken == 0);
	close(held.fd), close(idle.fd), close(slow.fd);
	while (atomic_load(&s.threads)) sleep_ms(1);
	close(s.file);
}

TEST(stopping_does_not_wait_for_ever)
{
	server_start(&s, (struct edge_options){0});
	struct client held = {.fd = dial(&s)}, paused = {.fd = dial(&s)};
	hold_one(&held);
	struct edge_exchange *x = atomic_load(&s.held);
	say(&paused, "PUT /pause?hold HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabcde");
	CHECK(wait_for(&s.waits, 1));
	sleep_ms(20);
	struct edge_exchange *y = atomic_load(&s.held);
	edge_stop(s.edge, 100);
	CHECK(closed(&held) && closed(&paused));
	/* The handler's promise holds after the server has gone: gone comes with the answer. */
	CHECK(s.completed == 0 && s.broken == 0);
	CHECK(!edge_client_present(x));
	struct edge_response r = {.code = 200, .bytes = STR("late")};
	edge_respond(x, &r, count_done, &s);
	CHECK(s.broken == 1 && s.done == 1);
	edge_resume(y);
	CHECK(s.broken == 2);
	close(held.fd), close(paused.fd), close(s.file);
}

TEST(addresses)
{
	struct edge_options o = {.handler = {&s, on_begin, on_body, on_end, on_gone}};
	static const char *const bad[] = {
		"", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "[::1:80", "1.2.3:4", "127.0.0.1:0,"};
	struct edge *e;
	struct str why;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.listen = bad[i];
		CHECK(status_is(edge_start(&o, &e, &why), STATUS_INVALID));
		CHECK(e == NULL && why.n > 0);
	}
	server_start(&s, (struct edge_options){.listen = "localhost:0, 127.0.0.2:0"});
	char taken[32];
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", edge_port(s.edge));
	o.listen = taken;
	CHECK(status_is(edge_start(&o, &e, &why), STATUS_BUSY));
	server_stop(&s, 100);
}

TEST_MAIN()
