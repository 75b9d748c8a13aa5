/* See hello.h. The hello must be in one record, which it is with every client that is met. */
#include "edge/hello.h"

enum { HANDSHAKE = 22, CLIENT_HELLO = 1, SERVER_NAME = 0, HOST_NAME = 0 };

struct reader {
	struct str rest;
	bool bad;
};

static size_t number(struct reader *r, unsigned bytes)
{
	size_t v = 0;
	if (r->rest.n < bytes) {
		r->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++) v = v << 8 | (unsigned char)r->rest.p[i];
	r->rest = str_from(r->rest, bytes);
	return v;
}

/* A vector: its length in so many bytes, then it. One that is not whole is bad. */
static struct str vector(struct reader *r, unsigned bytes)
{
	size_t n = number(r, bytes);
	if (r->bad || r->rest.n < n) {
		r->bad = true;
		return STR("");
	}
	struct str v = str_sub(r->rest, 0, n);
	r->rest = str_from(r->rest, n);
	return v;
}

struct str edge_hello_name(struct str bytes)
{
	struct reader record = {bytes, false};
	if (number(&record, 1) != HANDSHAKE) return STR_NONE;
	(void)number(&record, 2); /* version */
	struct reader message = {vector(&record, 2), record.bad};
	if (number(&message, 1) != CLIENT_HELLO) return STR_NONE;
	struct reader hello = {vector(&message, 3), message.bad};
	(void)number(&hello, 2); /* version */
	if (hello.rest.n < 32) return STR_NONE;
	hello.rest = str_from(hello.rest, 32); /* random */
	(void)vector(&hello, 1);               /* session id */
	(void)vector(&hello, 2);               /* cipher suites */
	(void)vector(&hello, 1);               /* compression methods */
	struct reader extensions = {vector(&hello, 2), hello.bad};
	while (!extensions.bad && extensions.rest.n) {
		size_t type = number(&extensions, 2);
		struct reader body = {vector(&extensions, 2), extensions.bad};
		if (type != SERVER_NAME || body.bad) continue;
		struct reader list = {vector(&body, 2), body.bad};
		if (number(&list, 1) != HOST_NAME) return STR_NONE;
		struct str name = vector(&list, 2);
		return list.bad ? STR_NONE : name;
	}
	return STR_NONE;
}

struct str edge_host_name(struct str bytes)
{
	while (str_has(bytes)) {
		struct str line = str_cut(&bytes, '\n');
		/* Without its end it may go on. */
		if (!str_has(bytes) || line.n < 2) return STR_NONE;
		if (line.p[line.n - 1] == '\r') line = str_sub(line, 0, line.n - 1);
		if (str_istarts(line, STR("host:"))) return str_trim(str_from(line, 5));
	}
	return STR_NONE;
}
