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
const struct wire_header *chunked_trailers(const struct chunked *c, size_t *n);
void chunked_free(struct chunked *c);
