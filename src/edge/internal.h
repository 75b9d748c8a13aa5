/* What the edge's files share. One `edge_conn` per TCP connection (MHD's socket context), one `edge_exchange` per request
 * (MHD's connection context). An exchange is one allocation that holds copies of the request's texts, so that it may
 * outlive MHD's connection: when the server stops while an answer is owed, the exchange waits, orphaned, for its
 * edge_respond.
 *
 * Who suspends: only an event thread, inside MHD's callback. Who resumes: whoever finds the exchange PARKED and moves it
 * out of that state, so there is exactly one MHD_resume_connection per MHD_suspend_connection. */
#pragma once
#include "edge/divert.h"
#include "edge/edge.h"
#include "edge/later.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	EDGE_MAX_HEADERS = 256,
	EDGE_MAX_LISTENERS = 16,
	EDGE_CONN_MAGIC = 0x636f6e6e,
	EDGE_EXCHANGE_MAGIC = 0x65786368,
};

/* Whether MHD's connection runs or is suspended, and why. */
enum edge_park {
	EDGE_RUNNING,   /* an event thread has it, or MHD waits for the client */
	EDGE_CREDIT,    /* edge_resume came before the EDGE_WAIT that it answers */
	EDGE_PARKED,    /* suspended: waits for edge_respond or edge_resume */
	EDGE_RESTING,   /* suspended: its body waits for edge_more */
	EDGE_ABANDONED, /* woken by edge_stop: nothing more will be sent */
};

struct edge_side {
	struct edge *edge;
	struct MHD_Daemon *daemon;
	bool tls;
};

struct edge_conn {
	uint32_t magic;
	int fd;
	struct edge_side *side;
	struct edge_conn *prev, *next;   /* under edge.lock */
	pthread_mutex_t lock;            /* guards `exchange` against edge_stop */
	struct edge_exchange *exchange;  /* the one that runs, or NULL */
	_Atomic int64_t waiting_since_ms; /* machine's monotonic time; 0 while an exchange runs */
	char *target;                    /* the raw target of the head that is being read */
	size_t target_n, target_capacity;
	bool tls;
	uint8_t peer_n, local_n;
	char peer[56], local[46];
	uint64_t netns; /* 0: ours */
};

struct edge_exchange {
	uint32_t magic;
	struct edge *edge;
	struct edge_conn *conn;
	struct MHD_Connection *mhd;
	struct edge_handler handler;
	struct edge_request request;
	void *state;
	uint64_t received; /* bytes of the body; event thread only */
	uint64_t netns;    /* arrival.h */
	struct str local;
	pthread_mutex_t lock; /* guards what follows */
	enum edge_park park;
	struct MHD_Response *response; /* NULL until edge_respond */
	unsigned code;
	bool responded, queued, ended;
	bool abandoned; /* edge_stop will not wait any longer */
	bool more;      /* edge_more came while nobody rested */
	bool orphaned;  /* the connection is gone, the handler still owes edge_respond (or edge_resume) */
	void (*done)(void *);
	void *done_ctx;
	uint64_t bytes_out;
	struct edge_header headers[];
};

struct edge {
	struct edge_handler handler;
	struct edge_side plain, secure;
	unsigned idle_timeout_s;
	size_t max_header_bytes;

	int listeners[EDGE_MAX_LISTENERS];
	size_t n_listeners;
	uint16_t port;
	int epoll_fd, wake_fd;
	uint64_t netns; /* ours */
	struct edge_silent *silent, *silent_last; /* accepted, without a first byte; the acceptor's own, oldest first */
	pthread_t acceptor;
	bool acceptor_runs;
	_Atomic bool stopping, abandoning;
	pthread_mutex_t divert_lock;
	struct edge_diverter diverter; /* take NULL: none */

	pthread_mutex_t lock; /* the list of connections; taken before a connection's, which is taken before an exchange's */
	struct edge_conn *conns;
	_Atomic size_t references; /* one of the owner, one per orphaned exchange */
	_Atomic int64_t in_flight; /* exchanges between begin and gone */

	_Atomic uint64_t connections, open_connections, requests, bytes_in, bytes_out, bad_requests;
};

/* accept.c: sockets and the thread that hands connections to a daemon. */
status edge_listen(struct edge *e, const char *listen, struct str *why) MUST_USE;
status edge_acceptor_start(struct edge *e, struct str *why) MUST_USE;
/* Closes the listening sockets and those clients that have not said a byte. */
void edge_acceptor_stop(struct edge *e);
int64_t edge_now_ms(void);

/* exchange.c: MHD's callbacks. */
void *edge_on_target(void *side, const char *uri, struct MHD_Connection *c);
enum MHD_Result edge_on_request(void *side, struct MHD_Connection *c, const char *url, const char *method,
				const char *version, const char *upload, size_t *upload_n, void **context);
void edge_on_completed(void *side, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode how);
void edge_on_connection(void *side, struct MHD_Connection *c, void **socket_context,
			enum MHD_ConnectionNotificationCode how);
/* A body's reader has nothing yet: suspends, unless edge_more has come meanwhile. False: virga stops. Event thread. */
bool edge_rest(struct edge_exchange *x);
/* edge_stop's last word to every exchange that still waits. */
void edge_abandon_all(struct edge *e);
void edge_release(struct edge *e);

/* head.c: what MHD does not check. Fills path, query, host, content_length and chunked from method, target and headers.
 * Returns 0, or the status code to refuse with. */
unsigned edge_head_check(struct edge_request *r, bool http_1_1);

/* response.c */
struct MHD_Response *edge_response_make(struct edge_exchange *x, const struct edge_response *r);
struct MHD_Response *edge_response_refusal(void);
