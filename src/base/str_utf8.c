/* UTF-8 (RFC 3629): validation, length, writing. ASCII goes eight bytes at a time, the rest by the ranges of RFC 3629
 * section 4: the lead byte says how many follow and how far the first of these may range. */
#include "base/str.h"
#include "base/utf8.h"

static const struct lead {
	unsigned char size, low, high;
} leads[] = {
	[0] = {0, 0, 0}, /* no lead byte */
	[1] = {2, 0x80, 0xbf},
	[2] = {3, 0xa0, 0xbf}, /* E0: not overlong */
	[3] = {3, 0x80, 0xbf},
	[4] = {3, 0x80, 0x9f}, /* ED: no surrogates */
	[5] = {4, 0x90, 0xbf}, /* F0: not overlong */
	[6] = {4, 0x80, 0xbf},
	[7] = {4, 0x80, 0x8f}, /* F4: nothing past U+10FFFF */
};

/* Row of `leads` for 0x80 to 0xFF. */
static const unsigned char kinds[128] = {
	[0x42 ... 0x5f] = 1,
	[0x60] = 2,
	[0x61 ... 0x6c] = 3,
	[0x6d] = 4,
	[0x6e ... 0x6f] = 3,
	[0x70] = 5,
	[0x71 ... 0x73] = 6,
	[0x74] = 7,
};

static const uint64_t high_bits = 0x8080808080808080ull, low_bits = 0x0101010101010101ull;

static uint64_t load(const unsigned char *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof w);
	return w;
}

bool str_utf8_valid(struct str s)
{
	if (s.n == 0) return true;
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
	while (p < end) {
		if (*p < 0x80) {
			while (end - p >= 32 && !((load(p) | load(p + 8) | load(p + 16) | load(p + 24)) & high_bits)) p += 32;
			while (end - p >= 8 && !(load(p) & high_bits)) p += 8;
			while (p < end && *p < 0x80) p++;
			continue;
		}
		/* Branches are guessed, table look-ups waited for: runs of one script go several times faster so. */
		if (*p >= 0xc2 && *p <= 0xdf && end - p >= 2 && (p[1] & 0xc0) == 0x80) {
			p += 2;
			continue;
		}
		if (*p >= 0xe1 && *p <= 0xec && end - p >= 3 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80) {
			p += 3;
			continue;
		}
		struct lead l = leads[kinds[*p - 0x80]];
		if (l.size == 0 || end - p < l.size || p[1] < l.low || p[1] > l.high) return false;
		for (int i = 2; i < l.size; i++)
			if ((p[i] & 0xc0) != 0x80) return false;
		p += l.size;
	}
	return true;
}

size_t str_utf8_length(struct str s)
{
	if (s.n == 0) return 0;
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
	size_t followers = 0;
	for (; end - p >= 8; p += 8) {
		uint64_t w = load(p);
		followers += (size_t)__builtin_popcountll((w >> 7) & ~(w >> 6) & low_bits);
	}
	for (; p < end; p++) followers += (*p & 0xc0) == 0x80;
	return s.n - followers;
}

void buf_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_byte(b, (char)c);
	} else if (c < 0x800) {
		buf_byte(b, (char)(0xc0 | c >> 6));
		buf_byte(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_byte(b, (char)(0xe0 | c >> 12));
		buf_byte(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_byte(b, (char)(0xf0 | c >> 18));
		buf_byte(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_byte(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(b, (char)(0x80 | (c & 0x3f)));
	}
}
