/* See address.h. */
#include "host/net/address.h"
#include <arpa/inet.h>

#define ADDRESS_TEXT_MAX 45u

status net_address_read(struct str text, struct net_cidr *out)
{
	char z[ADDRESS_TEXT_MAX + 1] = "";
	*out = (struct net_cidr){0};
	if (!str_has(text) || text.n > ADDRESS_TEXT_MAX || memchr(text.p, 0, text.n)) return STATUS(INVALID);
	memcpy(z, text.p, text.n);
	if (inet_pton(AF_INET, z, out->bytes) == 1)
		out->family = 4, out->length = 32;
	else if (inet_pton(AF_INET6, z, out->bytes) == 1)
		out->family = 6, out->length = 128;
	else
		return STATUS(INVALID);
	return OK;
}

/* Clears the bits behind the length. */
static void mask(struct net_cidr *c)
{
	for (unsigned i = 0; i < sizeof(c->bytes); i++) {
		unsigned before = i * 8;
		if (c->length <= before)
			c->bytes[i] = 0;
		else if (c->length < before + 8)
			c->bytes[i] = (uint8_t)(c->bytes[i] & (0xff00u >> (c->length - before)));
	}
}

status net_cidr_read(struct str text, struct net_cidr *out)
{
	struct str rest = text, address = str_has(text) ? str_cut(&rest, '/') : STR_NONE;
	TRY(net_address_read(address, out));
	if (!str_has(rest)) return OK;
	uint64_t length = 0;
	if (rest.n > 3 || !is_ok(str_to_u64(rest, &length)) || length > net_bits(out)) return STATUS(INVALID);
	struct net_cidr masked = *out;
	masked.length = out->length = (uint8_t)length;
	mask(&masked);
	return net_same(&masked, out) ? OK : STATUS(INVALID);
}

struct str net_address_text(struct arena *a, const struct net_cidr *c)
{
	char z[INET6_ADDRSTRLEN];
	INVARIANT(c->family && inet_ntop(c->family == 4 ? AF_INET : AF_INET6, c->bytes, z, sizeof(z)));
	return str_dup(a, str_c(z));
}

struct str net_cidr_text(struct arena *a, const struct net_cidr *c)
{
	struct str address = net_address_text(a, c);
	return c->length == net_bits(c) ? address : str_fmt(a, "%.*s/%u", STR_ARG(address), c->length);
}

bool net_contains(const struct net_cidr *outer, const struct net_cidr *inner)
{
	if (outer->family != inner->family || outer->length > inner->length) return false;
	struct net_cidr cut = *inner;
	cut.length = outer->length;
	mask(&cut);
	return net_same(&cut, outer);
}

bool net_same(const struct net_cidr *x, const struct net_cidr *y)
{
	return memcmp(x, y, sizeof(*x)) == 0;
}

struct net_cidr net_nth(const struct net_cidr *c, uint8_t n)
{
	struct net_cidr out = *c;
	unsigned last = net_bits(c) / 8u - 1, carry = n;
	out.length = net_bits(c);
	for (unsigned i = last; carry; i--) {
		carry += out.bytes[i];
		out.bytes[i] = (uint8_t)carry;
		carry >>= 8;
		if (i == 0) break;
	}
	return out;
}

status net_mac_read(struct str text, uint8_t out[6])
{
	if (!str_has(text) || text.n != 17) return STATUS(INVALID);
	for (unsigned i = 0; i < 6; i++) {
		unsigned byte = 0;
		for (unsigned k = 0; k < 2; k++) {
			char c = text.p[i * 3 + k];
			unsigned v = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
				     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
							    : 16;
			if (v > 15) return STATUS(INVALID);
			byte = byte << 4 | v;
		}
		if (i < 5 && text.p[i * 3 + 2] != ':') return STATUS(INVALID);
		out[i] = (uint8_t)byte;
	}
	return OK;
}
