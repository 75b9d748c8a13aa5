/* See unpack.h. */
#include "services/s3/select/unpack.h"
#include "base/arena.h"
#include <bzlib.h>
#include <stdlib.h>
#include <zlib.h>

enum { PACKED = 64 * 1024 };

struct sel_unpack {
	bool bzip2, ended; /* the member or stream has ended; another may follow */
	z_stream z;
	bz_stream b;
	sel_more more;
	void *ctx;
	char packed[PACKED];
};

struct sel_unpack *sel_unpack_new(bool bzip2, sel_more more, void *ctx)
{
	struct sel_unpack *u = mem_new(sizeof *u);
	u->bzip2 = bzip2;
	u->more = more;
	u->ctx = ctx;
	if (bzip2)
		INVARIANT(BZ2_bzDecompressInit(&u->b, 0, 0) == BZ_OK);
	else
		INVARIANT(inflateInit2(&u->z, 16 + MAX_WBITS) == Z_OK);
	return u;
}

void sel_unpack_free(struct sel_unpack *u)
{
	if (!u) return;
	if (u->bzip2)
		BZ2_bzDecompressEnd(&u->b);
	else
		inflateEnd(&u->z);
	free(u);
}

size_t sel_unpack_waiting(const struct sel_unpack *u)
{
	return u->bzip2 ? u->b.avail_in : u->z.avail_in;
}

static status begin_again(struct sel_unpack *u)
{
	u->ended = false;
	if (!u->bzip2) return inflateReset(&u->z) == Z_OK ? OK : STATUS(INVALID);
	bz_stream old = u->b;
	BZ2_bzDecompressEnd(&old);
	u->b = (bz_stream){.next_in = u->b.next_in,
		.avail_in = u->b.avail_in,
		.next_out = u->b.next_out,
		.avail_out = u->b.avail_out};
	INVARIANT(BZ2_bzDecompressInit(&u->b, 0, 0) == BZ_OK);
	return OK;
}

static status step(struct sel_unpack *u)
{
	if (u->ended) TRY(begin_again(u));
	int e = u->bzip2 ? BZ2_bzDecompress(&u->b) : inflate(&u->z, Z_NO_FLUSH);
	u->ended = e == (u->bzip2 ? BZ_STREAM_END : Z_STREAM_END);
	return u->ended || e == (u->bzip2 ? BZ_OK : Z_OK) ? OK : STATUS(INVALID);
}

static status fill(struct sel_unpack *u, bool *end)
{
	size_t got;
	TRY(u->more(u->ctx, u->packed, PACKED, &got));
	*end = !got;
	u->z.next_in = (unsigned char *)u->packed;
	u->b.next_in = u->packed;
	u->z.avail_in = u->b.avail_in = (unsigned)got;
	return OK;
}

status sel_unpack_read(struct sel_unpack *u, char *p, size_t n, size_t *got)
{
	*got = 0;
	u->z.next_out = (unsigned char *)p;
	u->b.next_out = p;
	u->z.avail_out = u->b.avail_out = (unsigned)n;
	const unsigned *left = u->bzip2 ? &u->b.avail_out : &u->z.avail_out;
	while (*left == n) {
		bool end = false;
		if (!sel_unpack_waiting(u)) TRY(fill(u, &end));
		if (end) return u->ended ? OK : STATUS(INVALID);
		TRY(step(u));
	}
	*got = n - *left;
	return OK;
}
