/* A call is one operation asked for by one principal: what a service's handler sees. A service is a const table of
 * handlers. A handler is plain and synchronous: it reads `in`, reads and writes in c->tx, allocates in c->arena, fills
 * `out`, returns OK or call_fail(…). It may be run again from the start when its transaction lost (CONFLICT), so it has
 * no effect outside the transaction; effects that need one (waking pollers, poking jobs) go into call_after_commit. */
#pragma once
#include "base/buf.h"
#include "bus/bus.h"
#include "call/body.h"
#include "clock/jobs.h"
#include "edge/edge.h"
#include "identity/identity.h"
#include "store/store.h"

struct service;
struct policy_provider;
struct policy_library;
struct policy_context;
struct policy_principal;
struct policy_resource;
struct authz_demands;
struct host;

/* The installation: made by the composition root, handed to all. */
struct cloud {
	struct store *store;
	struct clock *clock;
	struct jobs *jobs;
	struct bus *bus;
	struct vault *vault; /* wraps what must not lie in the data folder in plain bytes */
	struct edge *edge;
	struct workers *workers;
	struct host *host;                     /* host/host.h: real networks and machines, or simulated ones */
	bool strict;                           /* only issued keys */
	struct str default_region;             /* us-east-1 */
	struct str public_host;                /* host:port that clients use, for URLs in answers: localhost:4566 */
	const struct service *const *services; /* those that the user left out are not among them */
	size_t n_services;
	const struct str *enabled; /* names of the services that the user wants; none: all */
	size_t n_enabled;
	struct init_hooks *init; /* admin/init.h; may be NULL */
	/* The local authority's certificate (edge/ca.h), and OpenSSL's hash of its name; may be STR_NONE. */
	struct str authority, authority_hash;
	bool ephemeral;          /* the data folder goes when virga stops */
	void **service_state;    /* by index in services */
	struct call_metrics *metrics;
	struct policy_library *documents;       /* compiled documents by what they say; NULL where policies is */
	const struct policy_provider *policies; /* policy/provider.h; NULL: everyone who is known may do everything */
	int64_t started_us;
};

struct call {
	struct arena *arena;
	struct cloud *cloud;
	struct store_tx *tx;
	void *state;                /* what the service's start() returned */
	struct str account, region; /* the caller's; region of the credential scope, else the default */
	struct str partition;       /* aws, aws-cn, aws-us-gov: by region */
	struct str request_id;
	struct principal principal;
	bool system_tags; /* asked for from inside (call/inside.h): tags may begin with aws: */
	int64_t now_ms; /* clock_now at arrival; use it, so that a rerun sees the same time */
	struct wire_match match;
	const struct edge_request *http;
	struct str body;                   /* as received, of calls that do not stream */
	struct wire_header *extra_headers; /* response headers beside the modelled ones: call_header */
	size_t n_extra_headers;
	unsigned response_code; /* set to override the modelled status (206, 304); 0 otherwise */
	struct wire_failure failure;
	const void *noted;      /* the service's own, for its subscriber to answered calls (BUS_DONE) */
	unsigned answered_code; /* of the response, when BUS_DONE tells of it; and its body's bytes */
	uint64_t answered_bytes;
	bool recorded; /* CloudTrail's: its event was written with the transaction that committed */
	void *parked; /* the handler's own, kept while the call is PENDING and run again */
	bool lent;    /* the service's authorize found: another account's policy lends the caller this operation */
};

typedef status (*call_handler)(struct call *c, const void *in, void *out);
typedef status (*call_prepare)(struct call *c, const void *in, struct body_plan *plan);

enum {
	OP_READ = 1,     /* does not write: a read-only transaction */
	OP_BLOCKING = 2, /* may take long or block: run in a worker, not in an event thread */
	OP_NO_TX = 4,    /* begins its own transactions (long scans, several commits) */
};
struct service_op {
	call_handler handler; /* NULL: NotImplemented */
	uint32_t flags;
	call_prepare prepare; /* of operations with a streaming input: checks before the body is read */
};
/* A row of a service's table: [S3_OP_CREATE_BUCKET] = OP(s3_create_bucket, 0). The generated prototypes have typed the
 * handler; generic code passes it void pointers. */
#define OP(fn, op_flags)                                                                                               \
	{                                                                                                              \
		.handler = (call_handler)(void (*)(void))(fn), .flags = (op_flags)                                     \
	}
#define OP_STREAM(fn, op_flags, prepare_fn)                                                                            \
	{                                                                                                              \
		.handler = (call_handler)(void (*)(void))(fn), .flags = (op_flags),                                    \
		.prepare = (call_prepare)(void (*)(void))(prepare_fn)                                                  \
	}

/* What a service says to a browser's request of another origin. */
enum { CALL_CORS_HEADERS = 8 };
struct call_cors {
	enum { CORS_UNSAID, CORS_ALLOWED, CORS_REFUSED } verdict;
	struct wire_header headers[CALL_CORS_HEADERS]; /* of the answer, where it is allowed */
	size_t n;
};

/* What reading all stored bodies has found. */
struct scrub_report {
	uint64_t bodies, bytes, n_damaged;
	struct buf *damaged; /* JSON objects, one for each */
};

struct service {
	const struct wire_service *model;
	const struct service_op *ops; /* by operation index; model->tables.n_ops of them */
	/* Optional. start may register jobs and bus subscriptions; *state is handed to every call. */
	status (*start)(struct cloud *cloud, void **state);
	/* Optional: all services have started and the port answers. Work that the last run left may go on. */
	void (*ready)(struct cloud *cloud, void *state);
	/* Optional, before the edge stops: answer what is parked (call_again on each), park nothing more. */
	void (*drain)(void *state);
	void (*stop)(void *state);
	/* Optional, where policies are enforced: what the authorization reference does not tell. Adds demands (a copy's
	 * source), the resources' owners, resource-based policies (authz_attach), tags and further condition keys; in
	 * may be NULL. FAILED: the failure is recorded (a queue that does not exist). With it, unsigned requests are
	 * decided by policies, not refused at once. */
	status (*authorize)(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
		struct policy_context *context);
	/* Optional, of every operation, once it is permitted and before its handler: what comes before any of them
	 * (EC2's DryRun). c->tx is not begun; it may commit one of its own. FAILED: the failure is recorded. */
	status (*before)(struct call *c, const void *in);
	/* authorize decides also where no policies are enforced: then every signed caller is its account's root. */
	bool always_authorizes;
	/* Optional: requests that the model does not describe (S3's browser forms, websites, CORS preflights). Runs
	 * before routing's own failure is answered. Returns true if it took the request: the response is in *response.
	 */
	bool (*raw)(struct call *c, const struct wire_request *r, struct wire_response *response);
	/* Optional: rules of its own for requests of other origins (S3's buckets). r->path is rewritten for a virtual
	 * host. Leaves *out as it is (UNSAID) where nobody set rules: then origins on this machine are allowed and
	 * others are not. For a preflight that is not allowed the failure is recorded. */
	void (*cors)(struct call *c, const struct wire_request *r, bool preflight, struct call_cors *out);
	/* Optional: pages of the service's own for people, under /_virga/NAME/ (a sign-in). path is what follows. May
	 * block. Only this machine may POST. The answer's Content-Type is its to set. */
	void (*page)(struct cloud *cloud, struct arena *a, const struct edge_request *r, struct str path,
		struct str body, struct wire_response *response);
	/* Optional: what `virga reset` has to drop beside all keys that begin with the service's name. Called twice:
	 * before these keys go (gone false), while they still tell which blobs to release, and after (gone true). */
	status (*reset)(struct cloud *cloud, void *state, bool gone);
	/* Optional: verifies every stored body of the service and tells of the damaged ones. Blocks. */
	status (*scrub)(struct cloud *cloud, void *state, struct scrub_report *out);
};
/* All services that have a folder in services/, in order of name; generated by the build. */
extern const struct service *const services[];
extern const size_t services_length;

/* For `raw`: may c's caller (c->principal, account, region, partition: set) do this operation with this input? Decided
 * as for any request; where not, the failure is recorded. c->match is that operation afterwards. */
status call_permit(struct call *c, const struct wire_service *service, uint32_t op_index, const void *in) MUST_USE;
/* For `raw`, after call_permit: does that operation, whose input streams, with these bytes: prepare, staging, handler,
 * commit. May block. *out is its output; the answer will wait until it is durable. FAILED: the failure is recorded. */
status call_stream(struct call *c, struct str bytes, const void **out) MUST_USE;
/* Records the client's error and returns FAILED. id: an ERR_… or the service's own <SERVICE>_ERR_…. */
status call_fail(struct call *c, error_id id, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Further elements of the error (S3's BucketName, Key, …), after call_fail. At most 6. */
void call_fail_detail(struct call *c, struct str name, struct str value);
/* Modelled members of the error's shape, a generated struct, after call_fail. */
void call_fail_members(struct call *c, const void *members);
/* For subscribers to calls: the matched operation's input, NULL where it did not come to that; and its output, NULL until it
 * has run, and of no meaning where it failed. */
const void *call_input(const struct call *c);
const void *call_output(const struct call *c);
/* A string member of the matched operation's input, by its name in the model; STR_NONE where there is none. */
struct str call_input_string(const struct call *c, const void *in, const char *name);
/* The caller as policies see it; a session's issuer is its service's to tell. */
struct policy_principal call_policy_principal(const struct call *c);
/* A response header that the model does not name. */
void call_header(struct call *c, struct str name, struct str value);
/* The request's header or query parameter, undecoded / decoded; STR_NONE where absent. */
struct str call_request_header(const struct call *c, struct str name);
/* fn(ctx) runs once this call's transaction has committed (not when it failed); in the committing thread. */
void call_after_commit(struct call *c, void (*fn)(void *ctx), void *ctx);

/* fn(ctx) runs when this run of the call is over: its answer is sent, or it failed, or it is about to run again. What
 * the answer points to outside c->arena may go then. fn must not touch the call. */
void call_at_end(struct call *c, void (*fn)(void *ctx), void *ctx);

/* For OP_NO_TX handlers: the answer waits until this ticket is durable too. */
void call_ticket(struct call *c, store_ticket t);

/* For a service's authorize: this text, a resource-based policy (trust: a role's), is attached to the resource.
 * Compiled once and shared. A text that is no policy (stored before it was checked) allows nothing. */
void call_attach_policy(
	struct call *c, struct authz_demands *d, struct policy_resource *r, bool trust, struct str text);

/* Long polls. A handler that has to wait registers c with whatever will wake it and returns PENDING (its tx is dropped;
 * it must not have written). call_again runs the handler from the start, once, in a worker, with a new transaction;
 * from any thread. Between, c must be taken out of every list by whoever calls call_again. */
void call_again(struct call *c);
/* False once the client has closed its connection (checked when asked). */
bool call_client_present(const struct call *c);

/* Key of this service: (service, kind, account, region) of the call. */
struct key;
/* arn:aws:SERVICE:REGION:ACCOUNT:rest */
struct str call_arn(const struct call *c, struct str service, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
