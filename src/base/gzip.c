/* Packing by zlib. */
#include "base/gzip.h"
#include "base/arena.h"
#include "base/buf.h"
#include <zlib.h>

struct str gzip_pack(struct arena *a, struct str s)
{
	z_stream z = {0};
	INVARIANT(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	uLong bound = deflateBound(&z, s.n);
	char *out = arena_alloc_raw(a, bound);
	/* zlib only reads next_in. */
	memcpy(&z.next_in, &s.p, sizeof z.next_in);
	z.avail_in = (uInt)s.n;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)bound;
	INVARIANT(deflate(&z, Z_FINISH) == Z_STREAM_END);
	size_t n = bound - z.avail_out;
	deflateEnd(&z);
	return str_n(out, n);
}

status gzip_unpack(struct arena *a, struct str s, size_t max, struct str *out)
{
	enum { AT_ONCE = 64 * 1024 };
	struct buf b = BUF_IN(a);
	z_stream z = {0};
	int r = Z_STREAM_END;
	status result = OK;
	INVARIANT(inflateInit2(&z, 15 + 16) == Z_OK);
	memcpy(&z.next_in, &s.p, sizeof z.next_in);
	z.avail_in = (uInt)s.n;
	while (is_ok(result) && z.avail_in > 0) {
		if (r == Z_STREAM_END && z.total_in) inflateReset(&z); /* members may follow each other */
		do {
			z.next_out = (Bytef *)buf_reserve(&b, AT_ONCE);
			z.avail_out = AT_ONCE;
			r = inflate(&z, Z_NO_FLUSH);
			b.n += AT_ONCE - z.avail_out;
			if (b.n > max) result = STATUS(LIMIT);
		} while (is_ok(result) && r == Z_OK && (z.avail_out == 0 || z.avail_in > 0));
		if (is_ok(result) && r != Z_STREAM_END) result = STATUS(INVALID);
	}
	if (is_ok(result) && !s.n) result = STATUS(INVALID);
	inflateEnd(&z);
	*out = buf_done(&b);
	return result;
}
