/* From an HTTP request to a typed struct and back. One generic reader and one writer per protocol, walking the tables of
 * wire/desc.h; nothing is written per operation. Pure functions over memory: no I/O, no state, any thread. */
#pragma once
#include "base/arena.h"
#include "wire/error.h"

struct wire_header {
	struct str name, value;
};
/* What the readers see of a request. All raw; the body is whole (a streaming payload is not in it). */
struct wire_request {
	struct str method;
	struct str path;  /* raw; where a virtual host named the bucket, rewritten to /bucket/key */
	struct str query; /* raw, or STR_NONE */
	struct str host;
	const struct wire_header *headers;
	size_t n_headers;
	struct str body;
	struct str signing_name; /* service of the credential scope, where the request is signed; else STR_NONE */
};
struct str wire_header_get(const struct wire_request *r, struct str name);

struct wire_label {
	struct str name, value; /* still percent-encoded */
};
struct wire_match {
	const struct wire_service *service;
	const struct wire_op *op;  /* NULL: the service is known, the operation is not */
	uint32_t op_index;
	enum wire_protocol protocol;
	struct wire_label labels[8];
	size_t n_labels;
	struct str op_name;        /* as the client named it, for messages */
};
/* Why a request failed; what an error response says. */
struct wire_failure {
	error_id id;
	/* A code that neither the common table nor the service's model has (S3's AuthorizationQueryParametersError and so
	 * on): goes on the wire instead of id's, with this HTTP status. Usually STR_NONE. */
	struct str code;
	unsigned http_status;
	struct str message;
	const void *members;         /* modelled members of the error's shape; or NULL */
	struct wire_header details[6]; /* further elements (S3: BucketName, Key, …): name, value */
	size_t n_details;
};
struct wire_response {
	unsigned code;
	struct wire_header headers[64];
	size_t n_headers;
	struct wire_header *prefixed; /* of members that are maps of headers (x-amz-meta-…): as many as there are */
	size_t n_prefixed;
	struct str body;
	void *stream;  /* output's streaming payload (struct body *), or NULL */
};

/* bucket.s3.localhost…, bucket.s3.us-east-1.localhost.localstack.cloud, s3.…, bucket.s3-website…, account.s3-control…,
 * id.execute-api…: the bucket (or STR_NONE) and the service's endpoint prefix that the name tells (or STR_NONE). */
struct wire_host {
	struct str bucket, service, region;
	bool website;
	bool access_point; /* bucket is NAME-ACCOUNT of one of S3's access points */
};
struct wire_host wire_read_host(struct str host);

/* Finds service, operation and protocol: by X-Amz-Target, by Action and the signing name, by smithy-protocol, by URI
 * templates of the service that the credential scope or the host names, S3 otherwise. FAILED with `why` when there is no
 * such service or operation; out->service and ->protocol still say as much as is known. Action and Version may be in the
 * query string or in a form body. */
status wire_route(struct arena *a, const struct wire_request *r, struct wire_match *out, struct wire_failure *why) MUST_USE;
/* *in: zeroed, of the input shape's size. FAILED with `why` (SerializationException and its kin) on malformed input. Unknown
 * members are ignored, as AWS does. A streaming payload is left NULL. */
status wire_decode(struct arena *a, const struct wire_match *m, const struct wire_request *r, void *in,
	struct wire_failure *why) MUST_USE;
/* The model's constraints, with AWS's wording; required members first. */
status wire_validate(struct arena *a, const struct wire_match *m, const void *in, struct wire_failure *why) MUST_USE;
void wire_encode(struct arena *a, const struct wire_match *m, const void *out, struct str request_id,
	struct wire_response *response);
/* The body that a client would send with this input, where that is one XML document (S3's configurations); STR_NONE for
 * any other operation. */
struct str wire_xml_payload(struct arena *a, const struct wire_match *m, const void *in);
/* m->service may be NULL (then by m->protocol; rest-xml in S3's manner when that is 0). */
void wire_encode_error(struct arena *a, const struct wire_match *m, const struct wire_failure *why, struct str request_id,
	struct wire_response *response);

/* A struct of one of a service's shapes as JSON text, members as the wire names them, and back: for records that keep what
 * a client said. Reading: INVALID. */
struct str wire_json_of(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *p);
status wire_json_to(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str text, void *out) MUST_USE;
/* The code that `id` has in this match's protocol, and its HTTP status. */
struct str wire_error_code(const struct wire_match *m, error_id id, unsigned *http_status);
