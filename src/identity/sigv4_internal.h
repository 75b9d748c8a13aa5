/* What the files of the SigV4 verifier share. */
#pragma once
#include "base/buf.h"
#include "identity/sha256.h"
#include "identity/sigv4.h"

/* AWS states no limit; a request's headers fit in 64 KiB, and each listed name is looked up among all of them. */
enum { SIG_MAX_SIGNED_HEADERS = 128 };
#define SIG_SKEW_MS (15 * 60 * 1000)
#define SIG_MAX_EXPIRES_S 604800

struct sig_names {
	struct str v[SIG_MAX_SIGNED_HEADERS];
	size_t n;
};
/* The names between the semicolons; false where there are too many or an empty one. */
bool sig_names_split(struct str signed_headers, struct sig_names *out);
bool sig_names_have(const struct sig_names *names, struct str name);

/* 20150830T123600Z. False for anything else. */
bool sig_time_read(struct str s, int64_t *ms);
struct sig_time_text {
	char p[16];
};
struct sig_time_text sig_time_write(int64_t ms);

/* Fills `why` and returns FAILED. code NULL: the one that id has in the caller's protocol. */
status sig_fail(struct wire_failure *why, error_id id, const char *code, unsigned http_status, struct str message);
void sig_fail_detail(struct wire_failure *why, struct str name, struct str value);
/* A failure repeats what the client sent, which may be any bytes; an error document is UTF-8. Texts that are not get a '?' for
 * each byte past ASCII. Returns s. */
status sig_fail_as_text(struct arena *a, status s, struct wire_failure *why);

/* The signing key of a secret and scope, primed; from a small cache of this thread. */
void sig_key_primed(struct str secret, struct str date, struct str region, struct str service, uint8_t key[32],
	struct sha256_hmac_key *primed);

/* sigv2.c: Signature Version 2, for S3. In struct sigv4: signature is base64; expires_s, of a presigned URL, is the time in
 * seconds since the epoch; date is the string to sign's line. */
status sigv2_read_query(struct arena *a, const struct wire_request *r, struct sigv4 *out, struct wire_failure *why) MUST_USE;
status sigv2_read_header(struct str credential, struct str date, struct str amz_date, struct str token, struct sigv4 *out,
	struct wire_failure *why) MUST_USE;
status sigv2_verify(struct arena *a, const struct wire_request *r, const struct sigv4 *s, struct str secret, int64_t now_ms,
	struct wire_failure *why) MUST_USE;
