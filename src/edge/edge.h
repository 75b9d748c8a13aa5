/* The HTTP server: accepts, reads heads, hands bodies over in pieces, sends responses. HTTP/1.1 on libmicrohttpd; the same
 * port answers TLS (the first byte decides). Knows nothing of AWS.
 *
 * An exchange is one request and its response. The handler's functions run in one of a few event threads and must not
 * block; the response may be given at once or later from any thread (edge_respond), the connection is suspended between. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct edge_exchange;

struct edge_header {
	struct str name, value; /* name as sent; compare with str_ieq */
};
struct edge_request {
	struct str method;
	struct str target;  /* raw, undecoded, as on the request line: path and query */
	struct str path;    /* raw path */
	struct str query;   /* raw query without '?'; STR_NONE where there is none */
	struct str host;    /* Host header's value, or "" */
	struct edge_header *headers;
	size_t n_headers;
	int64_t content_length; /* -1: none or chunked */
	bool chunked, tls;
	struct str peer;    /* "127.0.0.1:51234" */
};

enum edge_body_kind { EDGE_BYTES, EDGE_FILE, EDGE_READER };
struct edge_response {
	unsigned code;
	const struct edge_header *headers; /* content-length, date and connection are the edge's own */
	size_t n_headers;
	enum edge_body_kind kind;
	struct str bytes;        /* BYTES: copied unless keep_bytes */
	bool keep_bytes;         /* bytes stay valid until done is called */
	int fd;                  /* FILE: sent with sendfile from a dup that the edge makes at once; the caller keeps its own */
	uint64_t offset, size;   /* FILE, READER; size UINT64_MAX in READER: until the end, chunked */
	/* READER: fill at most n bytes from position at; return bytes, 0 at the end, -1 to break the connection. */
	int64_t (*read)(void *ctx, uint64_t at, char *p, size_t n);
	void *read_ctx;
	bool head_only;          /* a HEAD request: headers of the response with this body, no body. READER and FILE of
				  * size n say Content-Length: n without being read; so does a Content-Length among the
				  * headers when there are no bytes */
	bool close;              /* end the connection after it */
};

enum edge_next { EDGE_CONTINUE, EDGE_WAIT /* stop reading the body until edge_resume */ };
struct edge_handler {
	void *ctx;
	/* The head is complete. Returns the handler's own state for this exchange (not NULL). May call edge_respond at once:
	 * then no body is wanted. `r` and what it points to stay valid until `gone`. */
	void *(*begin)(void *ctx, struct edge_exchange *x, const struct edge_request *r);
	enum edge_next (*body)(void *exchange_state, const void *p, size_t n);
	/* The body is complete (also when there was none). */
	void (*end)(void *exchange_state);
	/* The exchange is over: answered, or the client went away (completed false). No call with this state follows, and the
	 * exchange must not be used any more. Once `end` was called, or while an EDGE_WAIT is open, `gone` comes only after
	 * edge_respond (or, for the EDGE_WAIT, edge_resume), even if the client vanished or the server stops. Before `end` a
	 * client that goes away ends the exchange at once: whoever answers from another thread does so in an EDGE_WAIT or
	 * after `end`. */
	void (*gone)(void *exchange_state, bool completed);
};

struct edge_options {
	const char *listen; /* "127.0.0.1:4566", "[::1]:0", "0.0.0.0:4566", comma-separated for several */
	unsigned threads;   /* 0: one per core, at least 2 */
	const char *tls_certificate, *tls_key; /* PEM text; NULL: no TLS */
	size_t max_header_bytes;  /* 0: 32 KiB; also what an idle connection costs: docs/decisions/0003-edge-memory.md */
	unsigned idle_timeout_s;  /* 0: 60 */
	struct edge_handler handler;
};

struct edge;
status edge_start(const struct edge_options *o, struct edge **out, struct str *why) MUST_USE;
/* Accepts at this listening socket too (one in another network namespace, say). It stays the caller's, who
 * closes it to end that. */
void edge_adopt(struct edge *e, int listener);
/* The port that it listens on (for port 0). */
uint16_t edge_port(const struct edge *e);
/* Stops accepting; answers in flight are finished (at most grace_ms), idle connections closed. Frees `e`; exchanges whose
 * answer is still owed then live on until their edge_respond. */
void edge_stop(struct edge *e, unsigned grace_ms);

/* Exactly once per exchange. Headers and bytes are copied, `response` need not live on. `done` (may be NULL) is called when
 * the response's resources (read_ctx) are no longer needed. Any thread. */
void edge_respond(struct edge_exchange *x, const struct edge_response *response, void (*done)(void *), void *done_ctx);
/* While an answer is owed: false once the client has closed its side (the socket is peeked). Any thread. */
bool edge_client_present(struct edge_exchange *x);
/* After EDGE_WAIT: go on reading. Any thread. Once per EDGE_WAIT, unless edge_respond is called instead. May overtake the
 * return of `body`. */
void edge_resume(struct edge_exchange *x);
/* First value of that header, else STR_NONE. */
struct str edge_header_get(const struct edge_request *r, struct str name);

struct edge_metrics {
	uint64_t connections, open_connections, requests, bytes_in, bytes_out, bad_requests;
};
void edge_metrics(const struct edge *e, struct edge_metrics *out);
