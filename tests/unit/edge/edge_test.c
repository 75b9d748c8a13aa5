/* What a well-behaved client sees: methods, bodies in both directions, keep-alive, pipelining, answers from other threads. */
#include "unit/edge/server.h"

static struct server s;

static void check_text(struct reply r, int code, const char *text)
{
	CHECK(r.whole);
	CHECK(r.code == code);
	CHECK_STR(str_n(r.body ? r.body : "", r.body_n), str_c(text));
	free(r.body);
}

TEST(answers_and_keeps_the_connection)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	for (int i = 0; i < 3; i++) {
		say(&c, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
		struct reply r = hear(&c, false);
		CHECK(header_of(&r, "date: "));
		CHECK(!header_of(&r, "connection: "));
		check_text(r, 200, "hello");
	}
	say(&c, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	struct reply r = hear(&c, false);
	CHECK(header_of(&r, "connection: close"));
	check_text(r, 200, "hello");
	CHECK(closed(&c));
	close(c.fd);
	c.n = 0;
	c.fd = dial(&s);
	say(&c, "GET /close HTTP/1.1\r\nHost: h\r\n\r\n");
	check_text(hear(&c, false), 200, "bye");
	CHECK(closed(&c));
	close(c.fd);
	server_stop(&s, 1000);
	CHECK(s.completed == 5 && s.broken == 0);
	CHECK(s.done == 5);
}

TEST(target_stays_raw)
{
	server_start(&s, (struct edge_options){0});
	check_text(ask(&s, "GET /target?a=%2F&b=c%20d+e HTTP/1.1\r\nHost: b.s3.localhost:4566\r\n\r\n"), 200,
		"/target?a=%2F&b=c%20d+e|/target|a=%2F&b=c%20d+e|b.s3.localhost:4566|query");
	check_text(ask(&s, "GET /target HTTP/1.1\r\nHost: h\r\n\r\n"), 200, "/target|/target||h|none");
	check_text(ask(&s, "GET /target? HTTP/1.1\r\nHost: h\r\n\r\n"), 200, "/target?|/target||h|query");
	check_text(ask(&s, "GET http://other:80/target?q HTTP/1.1\r\nHost: h\r\n\r\n"), 200,
		"http://other:80/target?q|/target|q|other:80|query");
	/* Not decoded: this is another path than /target. */
	check_text(ask(&s, "GET /t%61rget HTTP/1.1\r\nHost: h\r\n\r\n"), 200, "hello");
	server_stop(&s, 1000);
}

TEST(pipelined_requests_are_answered_in_order)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	say(&c, "GET /target?1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /size HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"
		"GET /async HTTP/1.1\r\nHost: h\r\n\r\nGET /target?2 HTTP/1.1\r\nHost: h\r\n\r\n");
	check_text(hear(&c, false), 200, "/target?1|/target|1|h|query");
	check_text(hear(&c, false), 200, "5");
	check_text(hear(&c, false), 200, "later");
	check_text(hear(&c, false), 200, "/target?2|/target|2|h|query");
	close(c.fd);
	server_stop(&s, 1000);
}

TEST(bodies_come_by_length_and_in_chunks)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	check_text(hear(&c, false), 200, "0");
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	say(&c, "5\r\nabcde\r\nA;name=value\r\n0123456789\r\n");
	sleep_ms(20);
	say(&c, "1\r\nx\r\n0\r\nTrailer: t\r\n\r\n");
	check_text(hear(&c, false), 200, "16");
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
	char *p = mem_new(300000);
	say_n(&c, p, 300000);
	free(p);
	check_text(hear(&c, false), 200, "300000");
	close(c.fd);
	server_stop(&s, 1000);
}

TEST(expect_continue_is_answered)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	say(&c, "PUT /size HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	struct reply r = hear(&c, false);
	CHECK(r.code == 100);
	free(r.body);
	say(&c, "abc");
	check_text(hear(&c, false), 200, "3");
	/* Refused without the body being asked for. */
	say(&c, "PUT /early HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\nExpect: 100-continue\r\n\r\n");
	check_text(hear(&c, false), 403, "no");
	CHECK(closed(&c));
	close(c.fd);
	server_stop(&s, 1000);
}

TEST(early_answer_reads_the_rest_and_keeps_the_connection)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	say(&c, "PUT /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
	char *p = mem_new(1000000);
	say_n(&c, p, 1000000);
	free(p);
	check_text(hear(&c, false), 403, "no");
	say(&c, "GET /early HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
	check_text(hear(&c, false), 403, "no");
	check_text(hear(&c, false), 200, "hello");
	close(c.fd);
	server_stop(&s, 1000);
	CHECK(s.body_bytes == 0 && s.ended == 1);
}

static bool is_pattern(const struct reply *r, size_t from, size_t n)
{
	if (r->body_n != n) return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)r->body[i] != (from + i) % 251) return false;
	return true;
}

TEST(files_readers_and_streams)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	say(&c, "GET /file HTTP/1.1\r\nHost: h\r\n\r\n");
	struct reply r = hear(&c, false);
	CHECK(r.whole && header_of(&r, "content-length: 500000\n") && is_pattern(&r, 1000, 500000));
	free(r.body);
	say(&c, "GET /reader HTTP/1.1\r\nHost: h\r\n\r\n");
	r = hear(&c, false);
	CHECK(r.whole && header_of(&r, "content-length: 300000\n") && is_pattern(&r, 0, 300000));
	free(r.body);
	say(&c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	r = hear(&c, false);
	CHECK(r.whole && header_of(&r, "transfer-encoding: chunked\n") && is_pattern(&r, 0, 300000));
	free(r.body);
	/* A reader that fails must not look like an end. */
	say(&c, "GET /broken HTTP/1.1\r\nHost: h\r\n\r\n");
	r = hear(&c, false);
	CHECK(r.code == 200 && !r.whole);
	free(r.body);
	close(c.fd);
	server_stop(&s, 1000);
	CHECK(s.broken == 1);
}

TEST(head_and_empty_answers)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	static const struct {
		const char *path, *length;
	} heads[] = {{"/x", "content-length: 5\n"}, {"/file", "content-length: 500000\n"},
		{"/reader", "content-length: 300000\n"}, {"/told", "content-length: 77\n"}};
	for (size_t i = 0; i < 4; i++) {
		char text[128];
		snprintf(text, sizeof(text), "HEAD %s HTTP/1.1\r\nHost: h\r\n\r\n", heads[i].path);
		say(&c, text);
		struct reply r = hear(&c, true);
		CHECK(r.code == 200 && header_of(&r, heads[i].length));
		free(r.body);
	}
	say(&c, "GET /204 HTTP/1.1\r\nHost: h\r\n\r\n");
	struct reply r = hear(&c, false);
	CHECK(r.code == 204 && !header_of(&r, "content-length"));
	free(r.body);
	say(&c, "GET /304 HTTP/1.1\r\nHost: h\r\n\r\n");
	r = hear(&c, false);
	CHECK(r.code == 304 && !header_of(&r, "transfer-encoding"));
	free(r.body);
	say(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	check_text(hear(&c, false), 200, "hello");
	close(c.fd);
	server_stop(&s, 1000);
}

TEST(headers_repeat_and_cannot_be_forged)
{
	server_start(&s, (struct edge_options){0});
	struct reply r = ask(&s, "GET /cookies HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK(header_of(&r, "set-cookie: a=1\n") && header_of(&r, "set-cookie: b=2\n"));
	CHECK(header_of(&r, "content-length: 6\n") && !header_of(&r, "content-length: 77"));
	CHECK(!header_of(&r, "\nx-forged"));
	check_text(r, 200, "crumbs");
	server_stop(&s, 1000);
}

TEST(answers_from_other_threads)
{
	server_start(&s, (struct edge_options){0});
	struct client c[20];
	for (int i = 0; i < 20; i++) {
		c[i].fd = dial(&s);
		c[i].n = 0;
	}
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 20; i++) say(&c[i], "GET /async HTTP/1.1\r\nHost: h\r\n\r\n");
		for (int i = 0; i < 20; i++) check_text(hear(&c[i], false), 200, "later");
	}
	for (int i = 0; i < 20; i++) close(c[i].fd);
	server_stop(&s, 1000);
	CHECK(s.completed == 400);
}

TEST(a_handler_can_hold_the_body_back)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	char *p = mem_new(400000);
	for (int i = 0; i < 4; i++) {
		say(&c, i % 2 ? "PUT /pause?overtake HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n"
			      : "PUT /pause HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n");
		say_n(&c, p, 400000);
		check_text(hear(&c, false), 200, "resumed");
	}
	free(p);
	CHECK(s.waits > 4 && s.body_bytes == 4 * 400000);
	/* While it waits, the client is not read: it cannot send more than the socket's buffers take. */
	say(&c, "PUT /pause?hold HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
	p = mem_new(1 << 20);
	size_t sent = 0;
	for (int i = 0; i < 200; i++) {
		ssize_t n = send(c.fd, p, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) sent += (size_t)n;
		if (n < 0) sleep_ms(1);
	}
	free(p);
	CHECK(sent < 64 << 20);
	CHECK(atomic_load(&s.body_bytes) < 4 * 400000 + (256 << 10));
	close(c.fd);
	/* What the sockets hold comes in pieces, each of which waits again; then the cut body ends the exchange. */
	int resumed = s.waits - 1;
	for (int i = 0; i < 5000 && !s.broken; i++) {
		if (s.waits > resumed) {
			resumed++;
			edge_resume(atomic_load(&s.held));
		} else {
			sleep_ms(1);
		}
	}
	CHECK(s.broken == 1 && s.ended == 4);
	server_stop(&s, 1000);
}

TEST(http_1_0_clients)
{
	server_start(&s, (struct edge_options){0});
	struct client c = {.fd = dial(&s)};
	say(&c, "GET / HTTP/1.0\r\n\r\n");
	check_text(hear(&c, false), 200, "hello");
	CHECK(closed(&c));
	close(c.fd);
	server_stop(&s, 1000);
}

TEST_MAIN()
