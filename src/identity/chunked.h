/* The aws-chunked content encoding: chunks with or without signatures, with or without trailers; a state machine fed with
 * pieces of any size. Decoded bytes go to `sink`. Strict: every length, signature and line end is checked. */
#pragma once
#include "identity/sigv4.h"

struct chunked;
/* signing_key: from sigv4_verify; ignored for the unsigned variant. NULL: signatures are read but not checked (a key whose
 * secret nobody knows). */
struct chunked *chunked_new(struct arena *a, const struct sigv4 *s, const uint8_t signing_key[32]);
/* FAILED with `why` on a malformed or wrongly signed chunk (SignatureDoesNotMatch, IncompleteBody, InvalidChunkSizeError …).
 * sink is called with decoded bytes, each byte once; it returns OK or what stops everything. A signed chunk's bytes may reach
 * the sink before its signature is known to be right: nothing may be made visible before chunked_end said OK. */
status chunked_feed(struct chunked *c, const void *p, size_t n, status (*sink)(void *ctx, const void *p, size_t n),
	void *ctx, struct wire_failure *why) MUST_USE;
/* The body ended: OK only after the final chunk and its trailers; also compares with the declared decoded length. */
status chunked_end(struct chunked *c, struct wire_failure *why) MUST_USE;
/* Names in lower case, in the order of the body; x-amz-trailer-signature is not among them. */
const struct wire_header *chunked_trailers(const struct chunked *c, size_t *n);
/* Did exactly the trailers come that the x-amz-trailer header (STR_NONE where absent) announces? FAILED with
 * MalformedTrailerError otherwise. After chunked_end. */
status chunked_match_announced(struct chunked *c, struct str announced, struct wire_failure *why) MUST_USE;
/* Forgets the key; the memory is the arena's. NULL is fine. */
void chunked_free(struct chunked *c);
