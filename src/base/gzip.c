/* Packing by zlib. */
#include "base/gzip.h"
#include "base/arena.h"
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
