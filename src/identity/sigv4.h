/* Signature Version 4, as a verifier ("Create a signed AWS API request", "Authenticating requests: using query
 * parameters", "Signature calculations … chunked upload" in AWS's documentation). Pure: no I/O, any thread. */
#pragma once
#include "base/arena.h"
#include "wire/wire.h"

enum sig_kind { SIG_NONE /* anonymous */, SIG_HEADER, SIG_QUERY /* presigned */, SIG_V4A, SIG_V2, SIG_POST_FORM };
enum sig_payload {
	SIG_PAYLOAD_HASH,                     /* x-amz-content-sha256 or, without that header, of the body */
	SIG_PAYLOAD_UNSIGNED,                 /* UNSIGNED-PAYLOAD */
	SIG_PAYLOAD_CHUNKED,                  /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
	SIG_PAYLOAD_CHUNKED_TRAILER,          /* …-PAYLOAD-TRAILER */
	SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};
struct sigv4 {
	enum sig_kind kind;
	struct str access_key, date /* 20261121 */, region, service, signed_headers, signature /* hex */;
	struct str session_token;
	bool token_unsigned; /* the query's session token was added after signing: leave it out of the canonical request */
	bool plus_is_space;  /* the query's '+' was signed as a space, as some clients do */
	int64_t time_ms;     /* x-amz-date or Date */
	int64_t expires_s;   /* presigned; else -1 */
	enum sig_payload payload;
	struct str payload_hash; /* the header's value; STR_NONE where absent */
	uint64_t decoded_length; /* x-amz-decoded-content-length; UINT64_MAX where absent */
};
/* Reads the Authorization header or the query parameters. FAILED with `why` (IncompleteSignature, AuthorizationHeaderMalformed,
 * AuthorizationQueryParametersError, InvalidArgument and so on, worded as AWS does; s3 tells the dialect). SIG_NONE when there
 * is no signature at all. */
status sigv4_read(struct arena *a, const struct wire_request *r, bool s3, struct sigv4 *out, struct wire_failure *why) MUST_USE;
/* Checks time (skew of 15 min; a presigned one's life of at most 7 days) and signature. r->path and r->query as they stood on
 * the request line (before any virtual-host rewriting). payload_sha256: 32 bytes of the body's hash, or NULL where the header
 * says it all (then the caller compares the body with payload_hash afterwards). S3 does not normalise the path; the others do,
 * and encode twice. secret STR_NONE (a key whose secret nobody knows): only the times are checked. signing_key (32 bytes) is
 * filled for chunk signatures (zeros where there is none). OK for a request without a signature of its own. */
status sigv4_verify(struct arena *a, const struct wire_request *r, const struct sigv4 *s, bool s3, struct str secret,
	const uint8_t *payload_sha256, int64_t now_ms, uint8_t signing_key[32], struct wire_failure *why) MUST_USE;
/* Compares the body's hash with what the header claims: for callers that gave sigv4_verify no payload_sha256. FAILED with
 * XAmzContentSHA256Mismatch in S3's dialect, SignatureDoesNotMatch elsewhere; OK where the payload is not hashed. */
status sigv4_check_payload(struct arena *a, const struct sigv4 *s, bool s3, const uint8_t sha256[32],
	struct wire_failure *why) MUST_USE;
/* Is the request signed for this service and region (either may be STR_NONE: any)? FAILED with AuthorizationHeaderMalformed in
 * S3's dialect, SignatureDoesNotMatch elsewhere. */
status sigv4_check_scope(struct arena *a, const struct sigv4 *s, bool s3, struct str service, struct str region,
	struct wire_failure *why) MUST_USE;
/* For tests and clients of our own: the canonical request and string to sign. */
struct str sigv4_canonical_request(struct arena *a, const struct wire_request *r, const struct sigv4 *s, bool s3,
	struct str payload_hash);
struct str sigv4_string_to_sign(struct arena *a, const struct sigv4 *s, struct str canonical_request);
void sigv4_signing_key(struct str secret, struct str date, struct str region, struct str service, uint8_t key[32]);
