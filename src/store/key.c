/* Tuple keys: each element is a type byte and bytes that sort as the element does. The type bytes are below 0xff, which
 * marks an escaped zero inside a string; so a string's end (0x00, then a type byte or nothing) sorts before its
 * continuation, and 0xff behind a complete tuple is past all its children. */
#include "store/key.h"

enum { KEY_STR = 0x02, KEY_U64 = 0x03, KEY_I64 = 0x04 }; /* 0x01 is the store's own (store/engine.h) */

struct key key_begin(struct arena *a) { return (struct key){.b = BUF_IN(a)}; }

static void add_escaped(struct buf *b, struct str s)
{
	while (s.n > 0) {
		const char *zero = memchr(s.p, 0, s.n);
		size_t plain = zero ? (size_t)(zero - s.p) : s.n;
		buf_add(b, s.p, plain);
		if (!zero) return;
		buf_add(b, "\0\xff", 2);
		s = (struct str){s.p + plain + 1, s.n - plain - 1};
	}
}

void key_str(struct key *k, struct str s)
{
	buf_byte(&k->b, KEY_STR);
	add_escaped(&k->b, s);
	buf_byte(&k->b, 0);
}

static void add_number(struct key *k, char type, uint64_t v)
{
	char *p = buf_reserve(&k->b, 9);
	p[0] = type;
	v = __builtin_bswap64(v);
	memcpy(p + 1, &v, 8);
	k->b.n += 9;
}

void key_u64(struct key *k, uint64_t v) { add_number(k, KEY_U64, v); }
void key_i64(struct key *k, int64_t v) { add_number(k, KEY_I64, (uint64_t)v ^ (UINT64_C(1) << 63)); }
void key_append(struct key *k, struct str encoded) { buf_str(&k->b, encoded); }
struct str key_done(const struct key *k) { return buf_done(&k->b); }

struct key key_for(struct arena *a, struct str service, struct str kind, struct str account, struct str region)
{
	struct key k = key_begin(a);
	buf_reserve(&k.b, service.n + kind.n + account.n + region.n + 64);
	key_str(&k, service);
	key_str(&k, kind);
	key_str(&k, account);
	key_str(&k, region);
	return k;
}

struct str key_after(struct arena *a, struct str encoded) { return str_cat(a, encoded, STR("\xff")); }
struct str key_next(struct arena *a, struct str encoded) { return str_cat(a, encoded, (struct str){"\0", 1}); }

struct str key_with_prefix(struct arena *a, struct str encoded, struct str prefix)
{
	struct buf b = BUF_IN(a);
	buf_reserve(&b, encoded.n + prefix.n + 16);
	buf_str(&b, encoded);
	buf_byte(&b, KEY_STR);
	add_escaped(&b, prefix);
	return buf_done(&b);
}

struct str key_after_prefix(struct arena *a, struct str bytes)
{
	while (bytes.n > 0 && (unsigned char)bytes.p[bytes.n - 1] == 0xff) bytes.n--;
	INVARIANT(bytes.n > 0); /* no key begins with 0xff */
	char *p = arena_copy(a, bytes.p, bytes.n);
	p[bytes.n - 1] = (char)((unsigned char)p[bytes.n - 1] + 1);
	return str_n(p, bytes.n);
}

status key_read_str(struct arena *a, struct str *rest, struct str *out)
{
	if (rest->n < 2 || rest->p[0] != KEY_STR) return STATUS(INVALID);
	const char *p = rest->p + 1, *end = rest->p + rest->n;
	size_t escaped = 0;
	const char *zero;
	for (;; p = zero + 2, escaped++) {
		zero = memchr(p, 0, (size_t)(end - p));
		if (!zero) return STATUS(INVALID);
		if (zero + 1 == end || (unsigned char)zero[1] != 0xff) break;
	}
	struct str raw = {rest->p + 1, (size_t)(zero - rest->p) - 1};
	*rest = (struct str){zero + 1, (size_t)(end - zero) - 1};
	*out = raw;
	if (escaped == 0) return OK;
	char *to = arena_alloc_raw(a, raw.n);
	size_t n = 0;
	for (size_t i = 0; i < raw.n; i++) {
		to[n++] = raw.p[i];
		if (raw.p[i] == 0) i++; /* the 0xff behind it */
	}
	*out = str_n(to, n);
	return OK;
}

static status read_number(struct str *rest, char type, uint64_t *out)
{
	if (rest->n < 9 || rest->p[0] != type) return STATUS(INVALID);
	memcpy(out, rest->p + 1, 8);
	*out = __builtin_bswap64(*out);
	*rest = str_from(*rest, 9);
	return OK;
}

status key_read_u64(struct str *rest, uint64_t *out) { return read_number(rest, KEY_U64, out); }

status key_read_i64(struct str *rest, int64_t *out)
{
	uint64_t v = 0;
	TRY(read_number(rest, KEY_I64, &v));
	*out = (int64_t)(v ^ (UINT64_C(1) << 63));
	return OK;
}
