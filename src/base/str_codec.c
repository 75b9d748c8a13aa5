/* Bytes as text and back: hexadecimal, base64 (RFC 4648 section 4) and percent-encoding (RFC 3986), by tables. Decoders
 * gather errors over a whole run and look once, which keeps their loops free of branches. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum { NO = 0x80 }; /* no digit; no valid value has this bit */

static const unsigned char base64_values[256] = {
	[0 ... 42] = NO, ['+'] = 62, [44 ... 46] = NO, ['/'] = 63, ['0'] = 52, ['1'] = 53, ['2'] = 54,
	['3'] = 55, ['4'] = 56, ['5'] = 57, ['6'] = 58, ['7'] = 59, ['8'] = 60, ['9'] = 61, [58 ... 64] = NO,
	['A'] = 0, ['B'] = 1, ['C'] = 2, ['D'] = 3, ['E'] = 4, ['F'] = 5, ['G'] = 6, ['H'] = 7, ['I'] = 8,
	['J'] = 9, ['K'] = 10, ['L'] = 11, ['M'] = 12, ['N'] = 13, ['O'] = 14, ['P'] = 15, ['Q'] = 16,
	['R'] = 17, ['S'] = 18, ['T'] = 19, ['U'] = 20, ['V'] = 21, ['W'] = 22, ['X'] = 23, ['Y'] = 24,
	['Z'] = 25, [91 ... 96] = NO, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
	['g'] = 32, ['h'] = 33, ['i'] = 34, ['j'] = 35, ['k'] = 36, ['l'] = 37, ['m'] = 38, ['n'] = 39,
	['o'] = 40, ['p'] = 41, ['q'] = 42, ['r'] = 43, ['s'] = 44, ['t'] = 45, ['u'] = 46, ['v'] = 47,
	['w'] = 48, ['x'] = 49, ['y'] = 50, ['z'] = 51, [123 ... 255] = NO,
};

static const unsigned char hex_values[256] = {
	[0 ... 47] = NO, ['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['4'] = 4, ['5'] = 5, ['6'] = 6,
	['7'] = 7, ['8'] = 8, ['9'] = 9, [58 ... 64] = NO, ['A'] = 10, ['B'] = 11, ['C'] = 12, ['D'] = 13,
	['E'] = 14, ['F'] = 15, [71 ... 96] = NO, ['a'] = 10, ['b'] = 11, ['c'] = 12, ['d'] = 13, ['e'] = 14,
	['f'] = 15, [103 ... 255] = NO,
};

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_lower[] = "0123456789abcdef", hex_upper[] = "0123456789ABCDEF";

static unsigned byte_at(struct str s, size_t i)
{
	return (unsigned char)s.p[i];
}

static size_t hex_size(size_t n)
{
	INVARIANT(n < SIZE_MAX / 4);
	return n * 2;
}

static size_t base64_size(size_t n)
{
	INVARIANT(n < SIZE_MAX / 4);
	return (n + 2) / 3 * 4;
}

static void hex_write(char *to, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned b = byte_at(bytes, i);
		to[2 * i] = hex_lower[b >> 4];
		to[2 * i + 1] = hex_lower[b & 15];
	}
}

static void base64_write(char *to, struct str bytes)
{
	size_t i = 0;
	for (; bytes.n - i >= 3; i += 3, to += 4) {
		unsigned v = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
		to[0] = base64_digits[v >> 18];
		to[1] = base64_digits[v >> 12 & 63];
		to[2] = base64_digits[v >> 6 & 63];
		to[3] = base64_digits[v & 63];
	}
	if (i == bytes.n) return;
	bool two = bytes.n - i == 2;
	unsigned v = byte_at(bytes, i) << 16 | (two ? byte_at(bytes, i + 1) << 8 : 0);
	to[0] = base64_digits[v >> 18];
	to[1] = base64_digits[v >> 12 & 63];
	to[2] = '=';
	if (two) to[2] = base64_digits[v >> 6 & 63];
	to[3] = '=';
}

void buf_hex(struct buf *b, struct str bytes)
{
	hex_write(buf_reserve(b, hex_size(bytes.n)), bytes);
	b->n += hex_size(bytes.n);
}

void buf_base64(struct buf *b, struct str bytes)
{
	base64_write(buf_reserve(b, base64_size(bytes.n)), bytes);
	b->n += base64_size(bytes.n);
}

struct str str_hex(struct arena *a, struct str bytes)
{
	size_t n = hex_size(bytes.n);
	char *p = arena_alloc_raw(a, n + 1);
	hex_write(p, bytes);
	p[n] = 0;
	return str_n(p, n);
}

struct str str_base64(struct arena *a, struct str bytes)
{
	size_t n = base64_size(bytes.n);
	char *p = arena_alloc_raw(a, n + 1);
	base64_write(p, bytes);
	p[n] = 0;
	return str_n(p, n);
}

status str_unhex(struct arena *a, struct str hex, struct str *out)
{
	if (hex.n % 2) return STATUS(INVALID);
	char *p = arena_alloc_raw(a, hex.n / 2 + 1);
	unsigned bad = 0;
	for (size_t i = 0; i < hex.n; i += 2) {
		unsigned high = hex_values[byte_at(hex, i)], low = hex_values[byte_at(hex, i + 1)];
		bad |= high | low;
		p[i / 2] = (char)(high << 4 | low);
	}
	if (bad & NO) return STATUS(INVALID);
	p[hex.n / 2] = 0;
	*out = str_n(p, hex.n / 2);
	return OK;
}

status str_unbase64(struct arena *a, struct str text, struct str *out)
{
	if (text.n % 4) return STATUS(INVALID);
	size_t padding = 0;
	if (text.n) padding = text.p[text.n - 1] != '=' ? 0 : text.p[text.n - 2] != '=' ? 1 : 2;
	size_t whole = padding ? text.n - 4 : text.n, n = text.n / 4 * 3 - padding;
	char *p = arena_alloc_raw(a, n + 1), *to = p;
	unsigned bad = 0;
	for (size_t i = 0; i < whole; i += 4, to += 3) {
		unsigned w = base64_values[byte_at(text, i)], x = base64_values[byte_at(text, i + 1)];
		unsigned y = base64_values[byte_at(text, i + 2)], z = base64_values[byte_at(text, i + 3)];
		bad |= w | x | y | z;
		to[0] = (char)(w << 2 | x >> 4);
		to[1] = (char)(x << 4 | y >> 2);
		to[2] = (char)(y << 6 | z);
	}
	if (padding) {
		unsigned w = base64_values[byte_at(text, whole)], x = base64_values[byte_at(text, whole + 1)];
		unsigned y = padding == 1 ? base64_values[byte_at(text, whole + 2)] : 0;
		bad |= w | x | y;
		/* Bits that no byte takes must be zero (RFC 4648 section 3.5): one text for one value. */
		if (padding == 1 ? y & 3 : x & 15) return STATUS(INVALID);
		*to++ = (char)(w << 2 | x >> 4);
		if (padding == 1) *to++ = (char)(x << 4 | y >> 2);
	}
	if (bad & NO) return STATUS(INVALID);
	*to = 0;
	*out = str_n(p, n);
	return OK;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

struct str str_uri_encode(struct arena *a, struct str s, bool keep_slash)
{
	if (!s.p) return s;
	size_t n = s.n;
	for (size_t i = 0; i < s.n; i++)
		if (!is_unreserved((unsigned char)s.p[i]) && !(keep_slash && s.p[i] == '/')) n += 2;
	char *p = arena_alloc_raw(a, n + 1), *to = p;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (is_unreserved(c) || (keep_slash && c == '/')) {
			*to++ = (char)c;
		} else {
			*to++ = '%';
			*to++ = hex_upper[c >> 4];
			*to++ = hex_upper[c & 15];
		}
	}
	*to = 0;
	return str_n(p, n);
}

status str_uri_decode(struct arena *a, struct str s, bool plus_is_space, struct str *out)
{
	if (!s.p) {
		*out = s;
		return OK;
	}
	char *p = arena_alloc_raw(a, s.n + 1), *to = p;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (s.n - i < 3) return STATUS(INVALID);
			unsigned high = hex_values[byte_at(s, i + 1)], low = hex_values[byte_at(s, i + 2)];
			if ((high | low) & NO) return STATUS(INVALID);
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		*to++ = c;
	}
	*to = 0;
	*out = str_n(p, (size_t)(to - p));
	return OK;
}
