/* Asking a server on this machine's loopback over plain HTTP, and nowhere else: what a client configures (an issuer of
 * tokens, a subscriber) cannot make virga speak to the machine's network. Blocks. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct loopback_url {
	struct str host, path; /* host as it was written, with its port */
	uint16_t port;
};
/* http://localhost:8080/path, http://127.0.0.1:8080, http://name.localhost. INVALID for anything else. */
status loopback_url(struct str text, struct loopback_url *out) MUST_USE;

struct loopback_answer {
	unsigned status;
	struct str body; /* in the arena */
};
/* headers: whole lines, each with its CRLF. wait_s: for each step of sending and receiving. LIMIT: the body is longer
 * than max; IO: nobody listens, no answer in time, or no HTTP. */
status loopback_ask(struct arena *a, const struct loopback_url *u, const char *method, struct str headers,
	struct str body, int wait_s, size_t max, struct loopback_answer *out) MUST_USE;
