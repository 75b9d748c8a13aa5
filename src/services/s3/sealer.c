/* The sealer gathers what is less than a chunk; whole chunks are sealed straight from the bytes that arrive. */
#include "services/s3/sealer.h"
#include "base/rand.h"
#include "call/call.h"
#include <openssl/crypto.h>
#include <stdlib.h>

struct s3_sealer {
	struct s3_cipher *cipher;
	uint8_t key[S3_KEY_BYTES];
	uint64_t number; /* of the next chunk */
	char *buffer;    /* of the incomplete chunk, and for its tag */
	size_t gathered, capacity;
};

struct s3_sealer *s3_sealer_new(uint64_t expected)
{
	struct s3_sealer *s = mem_new(sizeof *s);
	rand_bytes(s->key, sizeof s->key);
	s->cipher = s3_cipher_new(s->key, true);
	s->capacity = expected < S3_CHUNK_BYTES ? (size_t)expected + S3_CHUNK_TAG_BYTES : S3_CHUNK_SEALED_BYTES;
	return s;
}

void s3_sealer_free(struct s3_sealer *s)
{
	if (!s) return;
	s3_cipher_free(s->cipher);
	OPENSSL_cleanse(s->key, sizeof s->key);
	free(s->buffer);
	free(s);
}

struct str s3_sealer_key(const struct s3_sealer *s)
{
	return str_n(s->key, sizeof s->key);
}

static void need_buffer(struct s3_sealer *s, size_t n)
{
	bool more = n + S3_CHUNK_TAG_BYTES > s->capacity;
	if (s->buffer && !more) return;
	if (more) s->capacity = S3_CHUNK_SEALED_BYTES;
	s->buffer = mem_grow(s->buffer, s->capacity);
}

static status put(struct s3_sealer *s, struct blob_writer *w, const void *plain, size_t n)
{
	s3_cipher_seal(s->cipher, s->number++, plain, n, s->buffer);
	return blob_write(w, s->buffer, n + S3_CHUNK_TAG_BYTES);
}

status s3_sealer_write(struct s3_sealer *s, struct blob_writer *w, const void *p, size_t n)
{
	const char *at = p;
	while (n > 0) {
		size_t room = S3_CHUNK_BYTES - s->gathered;
		if (s->gathered == 0 && n >= S3_CHUNK_BYTES) {
			need_buffer(s, S3_CHUNK_BYTES);
			TRY(put(s, w, at, S3_CHUNK_BYTES));
			at += S3_CHUNK_BYTES;
			n -= S3_CHUNK_BYTES;
			continue;
		}
		size_t take = n < room ? n : room;
		need_buffer(s, s->gathered + take);
		memcpy(s->buffer + s->gathered, at, take);
		s->gathered += take;
		at += take;
		n -= take;
		if (s->gathered < S3_CHUNK_BYTES) continue;
		s->gathered = 0;
		TRY(put(s, w, s->buffer, S3_CHUNK_BYTES));
	}
	return OK;
}

status s3_sealer_end(struct s3_sealer *s, struct blob_writer *w)
{
	size_t n = s->gathered;
	s->gathered = 0;
	return n ? put(s, w, s->buffer, n) : OK;
}

/* ── as a plan's filter ── */

static status filter(void *ctx, struct blob_writer *w, const void *p, size_t n)
{
	return s3_sealer_write(ctx, w, p, n);
}

static status filter_end(void *ctx, struct blob_writer *w)
{
	return s3_sealer_end(ctx, w);
}

static void filter_free(void *ctx)
{
	s3_sealer_free(ctx);
}

void s3_sealer_plan(struct call *c, struct body_plan *plan)
{
	plan->filter = filter;
	plan->filter_size = s3_cipher_stored;
	plan->filter_end = filter_end;
	plan->filter_free = filter_free;
	plan->filter_ctx = s3_sealer_new(c->http->content_length >= 0 ? (uint64_t)c->http->content_length : UINT64_MAX);
}
