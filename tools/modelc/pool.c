/* The string pool. */
#include "modelc/pool.h"

void pool_init(struct pool *p)
{
	*p = (struct pool){0};
	map_init(&p->offsets);
	buf_add(&p->bytes, "\0\0", 3);
}

void pool_cleanup(struct pool *p)
{
	map_cleanup(&p->offsets, NULL);
	buf_cleanup(&p->bytes);
}

uint32_t pool_add(struct pool *p, struct str s)
{
	if (!s.n) return 0;
	uintptr_t known = (uintptr_t)map_get(&p->offsets, s);
	if (known) return (uint32_t)known;
	INVARIANT(pool_fits(s));
	uint32_t offset = (uint32_t)p->bytes.n;
	buf_byte(&p->bytes, (char)(s.n & 0xff));
	buf_byte(&p->bytes, (char)(s.n >> 8));
	buf_str(&p->bytes, s);
	buf_byte(&p->bytes, 0);
	(void)map_set(&p->offsets, s, (void *)(uintptr_t)offset);
	return offset;
}

static void escape(struct buf *out, unsigned char c)
{
	if (c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '?')
		buf_byte(out, (char)c);
	else
		buf_fmt(out, "\\%03o", c);
}

void literal_emit(struct buf *out, struct str s)
{
	buf_byte(out, '"');
	for (size_t i = 0; i < s.n; i++) escape(out, (unsigned char)s.p[i]);
	buf_byte(out, '"');
}

void pool_emit(const struct pool *p, struct buf *out)
{
	struct str all = buf_done(&p->bytes);
	buf_lit(out, "static const char pool[] =\n");
	/* One line of source per 96 bytes. */
	for (size_t i = 0; i < all.n; i += 96) {
		buf_lit(out, "\t");
		literal_emit(out, str_sub(all, i, 96));
		buf_lit(out, "\n");
	}
	buf_lit(out, ";\n\n");
}
