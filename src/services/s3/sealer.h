/* Sealing a body on its way to its blob: the filter of a body_plan (call/body.h), also for bodies that S3 makes itself. */
#pragma once
#include "call/body.h"
#include "services/s3/cipher.h"

struct s3_sealer;
/* With a fresh random key. expected: bytes to come, UINT64_MAX where nobody knows. */
struct s3_sealer *s3_sealer_new(uint64_t expected);
/* Wipes. NULL is fine. */
void s3_sealer_free(struct s3_sealer *s);
/* The body's key: to be stored wrapped. Lives as long as the sealer. */
struct str s3_sealer_key(const struct s3_sealer *s);
status s3_sealer_write(struct s3_sealer *s, struct blob_writer *w, const void *p, size_t n) MUST_USE;
/* The last, incomplete chunk. */
status s3_sealer_end(struct s3_sealer *s, struct blob_writer *w) MUST_USE;
/* Puts a sealer into the plan of a streaming operation; body->filter_ctx is the sealer then. */
void s3_sealer_plan(struct call *c, struct body_plan *plan);
