/* One operation of any service, asked for by virga itself: a controller that launches instances, a stack that creates
 * its resources. It takes the way of a client's request from the policy step on: constraints of the model, the caller's
 * policies, the handler in a transaction of its own, the events that subscribers (CloudTrail, metrics) see. What is
 * missing is the HTTP around it.
 *
 * Not to be used where one transaction has to hold both: it commits by itself, and is durable on return. Blocks: from
 * workers, jobs and threads of controllers; from handlers of OP_BLOCKING operations that are OP_NO_TX; never from an
 * event thread or within another transaction that writes what it writes. */
#pragma once
#include "call/call.h"

struct inside_caller {
	struct principal principal; /* in whose name; account is where it happens */
	struct str region;
	/* virga's own doing, in the name of a service: policies are not asked. */
	bool trusted;
	bool system_tags; /* tags may begin with aws:, as those that CloudFormation sets do */
	/* "autoscaling.amazonaws.com": what CloudTrail tells as source and agent. */
	struct str agent;
	/* Of a service that acts for a resource of somebody's: aws:SourceArn and, from it, aws:SourceAccount. STR_NONE:
	 * for none. */
	struct str source_arn;
	/* The service that does this for its own caller, who is the principal: "ec2" ("forward access sessions": what
	 * kms:ViaService and aws:ViaAWSService tell). STR_NONE: it is the principal's own doing. */
	struct str via;
};

struct inside {
	bool ok;
	const void *out; /* the operation's output, when ok; lives until inside_free */
	/* Otherwise, as a client would see it. */
	struct str request_id;
	struct str code, message; /* NotImplemented where the operation is not built */
	unsigned http_status;
	struct wire_failure failure;
};

/* What virga does for a service in an account: principal and agent are the service's ("autoscaling.amazonaws.com"),
 * trusted. */
struct inside_caller inside_service(
	struct arena *a, struct str account, struct str region, struct str service_principal);

/* service: the model's name ("ec2"); op: its EC2_OP_…; in: the operation's input, which the handler only reads. body:
 * of an operation with a streaming input (PutObject), else NULL. Never NULL; free it. Waits as long as the operation
 * does (a long poll). */
struct inside *inside_run(struct cloud *cloud, const struct inside_caller *who, const char *service, uint32_t op,
	const void *in, const struct str *body);
/* Only the policies' answer, for an action that no operation stands for (s3:InitiateReplication): as if `op` of the
 * service asked for it on that resource, with that input (NULL: an empty one). *why (in `a`) where not. */
bool inside_may(struct cloud *cloud, const struct inside_caller *who, const char *service, uint32_t op, const void *in,
	struct str action, struct str arn, struct arena *a, struct str *why);
/* Reads an output's streaming body (GetObject) whole, at most max bytes, into `a`: LIMIT where it is larger. Before
 * inside_free, once. */
status inside_body(struct inside *i, struct arena *a, const struct body *b, size_t max, struct str *bytes) MUST_USE;
void inside_free(struct inside *i);

/* A call without a request, in a job's transaction (which the job commits): for helper functions of services that take
 * a call. It lives in `a`; the principal is the service's. What call_after_commit is given does not run: another job
 * does that work. A failure is in ->failure. */
struct call *call_for_job(struct arena *a, struct cloud *cloud, struct store_tx *tx, struct str account,
	struct str region, struct str service_principal);
