/* From extents to a response's body. A plain extent is handed to the edge as it is (a file goes out by sendfile);
 * several, and sealed ones, are read in order, chunk by chunk. All are opened before the answer begins, so that an
 * object removed meanwhile is still answered whole. */
#include "base/log.h"
#include "services/s3/object.h"
#include "services/s3/sse.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct piece {
	struct blob *blob;
	uint64_t start;  /* in the response */
	uint64_t offset; /* in the blob */
	uint64_t length;
	uint64_t stored;          /* bytes of the blob */
	struct s3_cipher *cipher; /* NULL: plain */
};
struct reader {
	size_t n;
	/* The chunk that was opened last, where it was wanted in pieces. */
	const struct piece *chunk_of;
	uint64_t chunk_number;
	size_t chunk_size;
	char *chunk;
	struct piece pieces[];
};

static void reader_close(void *ctx)
{
	struct reader *r = ctx;
	for (size_t i = 0; i < r->n; i++) {
		blob_close(r->pieces[i].blob);
		s3_cipher_free(r->pieces[i].cipher);
	}
	free(r->chunk);
	free(r);
}

static const struct piece *piece_at(const struct reader *r, uint64_t at)
{
	size_t low = 0, high = r->n;
	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (r->pieces[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	const struct piece *p = &r->pieces[low];
	return r->n && at - p->start < p->length ? p : NULL;
}

/* The chunk's own tag says whether the bytes are right, so those of a file are read without the store's checksums. */
static status read_stored(struct blob *b, uint64_t at, char *p, size_t n)
{
	int fd = blob_fd(b);
	struct str bytes = blob_bytes(b);
	if (fd < 0) {
		if (at + n > bytes.n) return STATUS(CORRUPT);
		memcpy(p, bytes.p + at, n);
		return OK;
	}
	while (n > 0) {
		ssize_t got = pread(fd, p, n, (off_t)at);
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) return got < 0 ? STATUS(IO) : STATUS(CORRUPT);
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return OK;
}

/* *size: its plain bytes, which go to `to`; sealed has room for a sealed chunk and may be `to`. LIMIT where they are
 * more than room. */
static status open_chunk(const struct piece *p, uint64_t number, char *sealed, char *to, size_t room, size_t *size)
{
	uint64_t at = number * S3_CHUNK_SEALED_BYTES;
	size_t n = at >= p->stored                          ? 0
		   : p->stored - at < S3_CHUNK_SEALED_BYTES ? (size_t)(p->stored - at)
							    : S3_CHUNK_SEALED_BYTES;
	if (n <= S3_CHUNK_TAG_BYTES) return STATUS(CORRUPT);
	*size = n - S3_CHUNK_TAG_BYTES;
	if (*size > room) return STATUS(LIMIT);
	TRY(read_stored(p->blob, at, sealed, n));
	status s = s3_cipher_open(p->cipher, number, sealed, n, to);
	if (!is_ok(s)) log_error("s3", "corrupt_body", "chunk=%llu", (unsigned long long)number);
	return s;
}

/* Up to n bytes of a sealed piece, from `at` of its plain bytes on: of one chunk, which goes to p at once where it
 * fits. */
static status read_sealed(struct reader *r, const struct piece *piece, uint64_t at, char *p, size_t n, size_t *got)
{
	uint64_t number = at / S3_CHUNK_BYTES;
	size_t from = (size_t)(at % S3_CHUNK_BYTES);
	if (!r->chunk) r->chunk = mem_grow(NULL, S3_CHUNK_SEALED_BYTES);
	if (from == 0) {
		r->chunk_of = NULL;
		status s = open_chunk(piece, number, r->chunk, p, n, got);
		if (!status_is(s, STATUS_LIMIT)) return s;
	}
	if (r->chunk_of != piece || r->chunk_number != number) {
		r->chunk_of = NULL;
		TRY(open_chunk(piece, number, r->chunk, r->chunk, S3_CHUNK_BYTES, &r->chunk_size));
		r->chunk_of = piece;
		r->chunk_number = number;
	}
	if (from >= r->chunk_size) return STATUS(CORRUPT);
	*got = r->chunk_size - from < n ? r->chunk_size - from : n;
	memcpy(p, r->chunk + from, *got);
	return OK;
}

static int64_t reader_read(void *ctx, uint64_t at, char *p, size_t n)
{
	const struct piece *piece = piece_at(ctx, at);
	if (!piece) return 0;
	uint64_t skip = at - piece->start, left = piece->length - skip;
	size_t got;
	if (n > left) n = (size_t)left;
	if (piece->cipher) {
		int64_t total = 0;
		for (; n > 0; total += (int64_t)got, skip += got, p += got, n -= got)
			if (!is_ok(read_sealed(ctx, piece, piece->offset + skip, p, n, &got))) return -1;
		return total;
	}
	if (!is_ok(blob_read(piece->blob, piece->offset + skip, p, n, &got)) || got == 0) return -1;
	return (int64_t)got;
}

static status open_reader(struct call *c, const struct s3_rec_extents *x, struct reader **out)
{
	struct reader *r = mem_new(sizeof(*r) + x->n * sizeof(r->pieces[0]));
	uint64_t start = 0;
	for (size_t i = 0; i < x->n; i++) {
		struct piece *p = &r->pieces[r->n];
		INVARIANT(x->v[i].key.n == 0 || x->v[i].key.n == S3_KEY_BYTES);
		status s = blob_open(c->tx, s3_extent_ref(&x->v[i]), &p->blob);
		if (!is_ok(s)) {
			reader_close(r);
			return s;
		}
		p->start = start;
		p->stored = (uint64_t)x->v[i].blob_size.v;
		if (x->v[i].key.n) p->cipher = s3_cipher_new((const uint8_t *)x->v[i].key.p, false);
		p->offset = (uint64_t)x->v[i].offset.v;
		p->length = (uint64_t)x->v[i].length.v;
		start += p->length;
		r->n++;
	}
	*out = r;
	return OK;
}

/* A body that lies with its record is one chunk: opened at once, into the call's arena. */
static status open_small(struct call *c, const struct s3_rec_extent *x, struct body *b)
{
	struct blob *blob;
	uint64_t offset = (uint64_t)x->offset.v, length = (uint64_t)x->length.v;
	TRY(blob_open(c->tx, s3_extent_ref(x), &blob));
	struct str stored = blob_bytes(blob);
	char *p = arena_alloc_raw(c->arena, stored.n + 1);
	struct s3_cipher *cipher = s3_cipher_new((const uint8_t *)x->key.p, false);
	status s = s3_cipher_open(cipher, 0, stored.p, stored.n, p);
	s3_cipher_free(cipher);
	if (is_ok(s) && offset + length > stored.n - S3_CHUNK_TAG_BYTES) s = STATUS(CORRUPT);
	blob_close(blob);
	b->bytes = str_n(p + offset, (size_t)length);
	return s;
}

status s3_body_open(struct call *c, const struct s3_rec_extents *x, uint64_t offset, uint64_t size, struct body **out)
{
	struct s3_rec_extents part;
	struct body *b = arena_new(c->arena, struct body);
	*out = NULL;
	b->size = size;
	s3_extents_slice(c->arena, x, offset, size, &part);
	if (part.n == 0) {
		INVARIANT(size == 0);
		b->bytes = STR("");
	} else if (part.n == 1 && part.v[0].key.n && part.v[0].inlined.v) {
		TRY(open_small(c, &part.v[0], b));
	} else if (part.n == 1 && !part.v[0].key.n) {
		TRY(blob_open(c->tx, s3_extent_ref(&part.v[0]), &b->blob));
		b->offset = (uint64_t)part.v[0].offset.v;
	} else {
		struct reader *r;
		TRY(open_reader(c, &part, &r));
		b->read = reader_read;
		b->close = reader_close;
		b->read_ctx = r;
	}
	*out = b;
	return OK;
}

status s3_body_digest(struct call *c, const struct s3_rec_extents *x, uint32_t wanted, struct digests *out)
{
	enum { PIECE = 256 * 1024 };
	struct reader *r;
	status s = open_reader(c, x, &r);
	if (!is_ok(s)) return s;
	struct digester *d = digester_new(wanted);
	char *p = mem_new(PIECE);
	int64_t got;
	for (uint64_t at = 0; (got = reader_read(r, at, p, PIECE)) > 0; at += (uint64_t)got)
		digester_update(d, p, (size_t)got);
	free(p);
	digester_final(d, out);
	digester_free(d);
	reader_close(r);
	return got < 0 ? STATUS(CORRUPT) : OK;
}
