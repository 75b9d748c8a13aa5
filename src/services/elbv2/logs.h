/* Logs of balancers: what their nodes' HAProxy has written, as AWS's lines in gzipped objects. A node's process appends
 * a line of fields to FOLDER/access for each request or connection (log_format.c says which); a durable job, one to a
 * balancer, takes them up each five minutes on the virtual clock (deliver.c), makes AWS's lines of them (log_line.c)
 * and puts them where the bucket's policy lets it (bucket.c). What has been delivered is punched out of the file, which
 * only grows: so nothing is lost between reading and emptying it, whoever dies. */
#pragma once
#include "services/elbv2/node.h"

/* ── bucket.c ── */
struct elbv2_log_object {
	struct str bucket, key, bytes;
	struct str balancer; /* ARN */
	bool network;        /* a Network Load Balancer's: by delivery.logs.amazonaws.com */
};
/* In c's transaction. NOT_FOUND: no such bucket; INVALID: it is in another Region; FAILED: its policy does not allow
 * it. */
status elbv2_bucket_put(struct call *c, const struct elbv2_log_object *o) MUST_USE;

/* ── log_format.c ── HAProxy's side. */
enum elbv2_log { ELBV2_LOG_ACCESS, ELBV2_LOG_CONNECTION };
bool elbv2_logs(const struct elbv2_rec_balancer *b, enum elbv2_log which);
/* What a frontend says before and after its rules. */
void elbv2_log_before(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b);
void elbv2_log_after(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b);

/* Fields of a line, in their order; each line begins with one of the letters below. */
enum elbv2_log_field {
	LOG_KIND, /* "A": a request; "T": a TLS connection; "E": a connection that came to nothing */
	LOG_LISTENER,
	LOG_END_US,
	LOG_START, /* seconds.milliseconds; of "A" the milliseconds that it took */
	LOG_CLIENT,
	LOG_CLIENT_PORT,
	LOG_OWN, /* "A" has no own address */
	LOG_OWN_PORT,
	LOG_TLS_MS,
	LOG_CIPHER,
	LOG_TLS,
	LOG_SERIAL,     /* of the certificate, hexadecimal */
	LOG_SNI,        /* hexadecimal */
	LOG_CONNECTION, /* a UUID */
	LOG_FAULT,      /* of "E": OpenSSL's number */
	/* of "T" */
	LOG_T_TOTAL_MS,
	LOG_T_IN,
	LOG_T_OUT,
	LOG_T_ALPN,
	LOG_T_FIELDS,
	/* of "A" */
	LOG_TARGET = LOG_T_TOTAL_MS,
	LOG_TARGET_PORT,
	LOG_QUEUE_MS,
	LOG_CONNECT_MS,
	LOG_RESPONSE_MS,
	LOG_STATUS,
	LOG_HOW, /* HAProxy's termination state */
	LOG_IN,
	LOG_OUT,
	LOG_REQUEST, /* its first line, as HAProxy writes it */
	LOG_HEADERS, /* {agent|host|trace id} */
	LOG_RULE,
	LOG_GROUP,    /* its id, or the backend's name */
	LOG_FIRST,    /* "1": the first request of its connection, where connections are logged */
	LOG_LOCATION, /* hexadecimal, as what follows */
	LOG_NEW_HOST,
	LOG_NEW_URI,
	LOG_A_FIELDS
};

/* ── log_line.c ── */
/* What lines are made with. */
struct elbv2_log_names {
	struct arena *a;
	struct str balancer;                   /* app/NAME/ID */
	int64_t moved_us, before_ms, after_ms; /* virtual time is the machine's and one of these: where it was moved */
	struct elbv2_plan *plan;               /* listeners with their rules, groups */
	struct {
		struct str arn, serial;
	} * certificates;
	size_t n_certificates;
};
/* Appends what one of HAProxy's lines says in each log; nothing where it is none of ours. */
void elbv2_log_line(const struct elbv2_log_names *n, struct str line, struct buf *access, struct buf *connections);

/* ── deliver.c ── */
status elbv2_deliver_start(struct elbv2 *e) MUST_USE;
/* The node has gone. */
void elbv2_logs_forget(struct ec2_place at, struct str eni);
/* Where logs have just been switched on (c is ModifyLoadBalancerAttributes'): the test file is put, and the job begins.
 * had: the record as it was. */
status elbv2_logs_changed(
	struct call *c, const struct elbv2_rec_balancer *had, const struct elbv2_rec_balancer *b) MUST_USE;
