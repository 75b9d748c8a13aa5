/* From extents to a response's body. One extent is handed to the edge as it is (a file goes out by sendfile); several
 * are read in order. All are opened before the answer begins, so that an object removed meanwhile is still answered
 * whole. */
#include "services/s3/object.h"
#include <stdlib.h>

struct piece {
	struct blob *blob;
	uint64_t start;  /* in the response */
	uint64_t offset; /* in the blob */
	uint64_t length;
};
struct reader {
	size_t n;
	struct piece pieces[];
};

static void reader_close(void *ctx)
{
	struct reader *r = ctx;
	for (size_t i = 0; i < r->n; i++) blob_close(r->pieces[i].blob);
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

static int64_t reader_read(void *ctx, uint64_t at, char *p, size_t n)
{
	const struct piece *piece = piece_at(ctx, at);
	if (!piece) return 0;
	uint64_t skip = at - piece->start, left = piece->length - skip;
	size_t got;
	if (n > left) n = (size_t)left;
	if (!is_ok(blob_read(piece->blob, piece->offset + skip, p, n, &got)) || got == 0) return -1;
	return (int64_t)got;
}

static status open_reader(struct call *c, const struct s3_rec_extents *x, struct reader **out)
{
	struct reader *r = mem_new(sizeof(*r) + x->n * sizeof(r->pieces[0]));
	uint64_t start = 0;
	for (size_t i = 0; i < x->n; i++) {
		struct piece *p = &r->pieces[r->n];
		status s = blob_open(c->tx, s3_extent_ref(&x->v[i]), &p->blob);
		if (!is_ok(s)) {
			reader_close(r);
			return s;
		}
		p->start = start;
		p->offset = (uint64_t)x->v[i].offset.v;
		p->length = (uint64_t)x->v[i].length.v;
		start += p->length;
		r->n++;
	}
	*out = r;
	return OK;
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
	} else if (part.n == 1) {
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
