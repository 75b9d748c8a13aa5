/* The instance metadata service, at 169.254.169.254 of each VPC with machines: virga listens there by sockets that the
 * host hands over, in a thread of its own. "Use instance metadata to manage your EC2 instance", the guide. */
#pragma once
#include "services/ec2/instance.h"

/* ── imds_http.c ── one request's head. Pure functions over memory. */
enum { IMDS_HEAD_MAX = 8192 };
struct imds_request {
	struct str method, path; /* path: decoded of nothing, without query */
	struct str token, ttl;   /* X-aws-ec2-metadata-token, …-ttl-seconds */
	bool forwarded;          /* X-Forwarded-For */
	bool close;
	size_t body; /* bytes that follow the head */
};
/* *used: bytes of the head. BUSY: it is not whole yet; INVALID: it is none; LIMIT: it is too long. */
status imds_read(struct str bytes, struct imds_request *out, size_t *used) MUST_USE;
struct imds_response {
	unsigned code;
	struct str body, type;
	int64_t ttl_s; /* 0: no header */
};
struct str imds_write(struct arena *a, const struct imds_response *r, bool close);

/* ── imds_tree.c ── */
/* What an instance reads of itself. shape: as DescribeInstances shows it. NOT_FOUND: no such path. */
struct imds_view {
	struct call *c;
	const struct ec2_rec_instance *i;
	const struct ec2_instance *shape;
	struct str role; /* of its profile; STR_NONE without */
};
status imds_get(const struct imds_view *v, struct str path, struct str *out) MUST_USE;

/* ── imds_credentials.c ── */
/* The role of an instance's profile; STR_NONE: none. */
status imds_role(
	struct store_tx *tx, struct arena *a, struct str account, struct str profile_arn, struct str *role) MUST_USE;
/* A session of that role as the JSON that clients expect; sessions are kept until they near their end. Blocks. */
struct imds_sessions;
struct imds_sessions *imds_sessions_new(void);
void imds_sessions_free(struct imds_sessions *s);
struct str imds_credentials(struct imds_sessions *s, struct cloud *cloud, struct arena *a, struct ec2_place at,
	struct str instance, struct str role);

/* ── imds.c ── */
struct imds;
/* Makes sure that it is served in that VPC, by IPv6 too where that has it. BUSY: the VPC does not stand yet: try again.
 * Any thread. */
status imds_serve(struct cloud *cloud, struct ec2_place at, struct str vpc) MUST_USE;
/* Closes what is open for a VPC; for all where vpc is STR_NONE. */
void imds_forget(struct cloud *cloud, struct str vpc);
struct imds *imds_start(struct cloud *cloud);
void imds_stop(struct imds *s);
/* Of the running service; NULL before it has begun. */
struct imds *imds_of(struct cloud *cloud);
