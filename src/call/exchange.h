/* Inside the room: the state of one exchange on its way (see dispatch.h). It is owned by the edge's exchange and freed
 * by `gone`; whoever answers must not touch it after edge_respond. */
#pragma once
#include "call/dispatch.h"
#include "call/metrics.h"
#include "call/workers.h"
#include "identity/chunked.h"
#include <semaphore.h>
#include <stdatomic.h>

#define BUFFERED_BODY_MAX (80u << 20) /* a Lambda function's zipped code of 50 MB in base64 is the largest */
#define BODY_AT_ONCE (2 << 20)        /* an announced body up to this size is made room for at once */
#define ADMIN_BODY_MAX (1u << 20)
#define DRAIN_MAX (1u << 20) /* a refused body up to this size is read to its end, so that the answer is */

enum exchange_mode {
	MODE_BUFFER,  /* the body is collected, then all happens */
	MODE_STREAM,  /* the operation's payload goes to a blob as it arrives */
	MODE_DISCARD, /* an error is known; the rest of the body is dropped */
	MODE_ADMIN,
	MODE_ANSWERED, /* edge_respond was called from begin */
};
/* A parked call (PENDING) may be asked to run again before its handler has returned. */
enum { PARK_RUNNING, PARK_PARKED, PARK_AGAIN };

struct after_commit {
	void (*fn)(void *);
	void *ctx;
	struct after_commit *next;
};

struct stage {
	struct body_plan plan;
	struct digester *digester;
	struct chunked *chunked;
	struct blob_writer *writer;
	struct body *body; /* what the handler sees */
	uint64_t size;
};

struct exchange {
	struct call call; /* first: a call is its exchange */
	struct arena arena;
	struct edge_exchange *x;
	enum exchange_mode mode;
	struct wire_request wire; /* path rewritten for a virtual host */
	struct wire_host host;
	bool routed, route_failed, s3_dialect;
	struct call_cors cors;
	struct sigv4 sig;
	uint8_t signing_key[32];
	struct buf body;
	uint64_t received;
	struct stage stage;
	const struct service *service;
	const struct service_op *op;
	void *in, *out;
	struct after_commit *after, **after_last, *at_end;
	_Atomic int park;
	struct str source_arn, via; /* of a call from inside: see inside.h */
	sem_t *waiter; /* posted by call_again where a thread waits in exchange_commit; NULL: the call is parked */
	store_ticket ticket;
	struct wire_response *response;
	int64_t started_us;
	char request_id[40];
};

/* answer.c: encode what the call has (a failure, or `out`) and respond, once the ticket is durable. The exchange may be
 * gone when these return. */
void exchange_answer_failure(struct exchange *e);
void exchange_answer_output(struct exchange *e);
void exchange_answer(struct exchange *e, struct wire_response *r);
/* Tells the metrics and the bus (BUS_DONE) what came of the call. */
void exchange_tell(struct exchange *e, unsigned code, uint64_t bytes);

/* aws, aws-cn, aws-us-gov */
struct str partition_of(struct str region);
/* authorize.c: who calls, and may they? FAILED: the failure is recorded. body_sha256 NULL: the payload is not known
 * yet. */
status exchange_authenticate(struct exchange *e, const uint8_t *body_sha256) MUST_USE;
status exchange_authorize(struct exchange *e) MUST_USE;
/* permit.c: do the caller's policies allow the decoded operation? FAILED: the failure is recorded. */
status exchange_permit(struct exchange *e) MUST_USE;
/* The same for an action that no operation stands for, on one resource. */
status exchange_permit_action(struct exchange *e, struct str action, struct str arn) MUST_USE;

/* stage.c: the streamed payload. */
status stage_begin(struct exchange *e) MUST_USE;
status stage_feed(struct exchange *e, const void *p, size_t n) MUST_USE;
/* All bytes are here: digests, seals. May block (see blob_writer_is_file). */
status stage_end(struct exchange *e) MUST_USE;
void stage_cleanup(struct exchange *e);

/* run.c: the handler with its transaction, until it is answered or parked. */
void exchange_run(struct exchange *e);
/* The same without an answer: attempts until one is committed, then what waited for that. Waits for what is PENDING. */
status exchange_commit(struct exchange *e) MUST_USE;
/* Closes the output's streaming body where nobody will send it. */
void exchange_close_output(struct exchange *e);
/* What call_at_end registered. */
void exchange_end(struct exchange *e);
/* The service and the handler of the matched operation; e->op stays NULL where it is not built. */
void exchange_find_service(struct exchange *e);
/* Records that it is not built, or not enabled. */
status exchange_not_implemented(struct exchange *e) MUST_USE;
/* A modelled input of the matched operation, zeroed. */
void *exchange_new_struct(struct exchange *e, uint16_t shape);
