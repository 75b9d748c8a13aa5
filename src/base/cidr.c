/* Addresses and blocks of addresses: reading, writing, comparing. */
#include "base/cidr.h"
#include "base/arena.h"
#include <arpa/inet.h>

static unsigned width(struct cidr c)
{
	return c.v6 ? 128 : 32;
}

status cidr_parse_address(struct str s, struct cidr *out)
{
	char z[INET6_ADDRSTRLEN];
	*out = (struct cidr){0};
	if (!s.n || s.n >= sizeof(z) || memchr(s.p, 0, s.n)) return STATUS(INVALID);
	memcpy(z, s.p, s.n);
	z[s.n] = 0;
	out->v6 = memchr(s.p, ':', s.n) != NULL;
	out->length = out->v6 ? 128 : 32;
	return inet_pton(out->v6 ? AF_INET6 : AF_INET, z, out->v6 ? out->addr : out->addr + 12) == 1 ? OK
												     : STATUS(INVALID);
}

status cidr_parse(struct str s, struct cidr *out)
{
	uint64_t length;
	struct str address = str_cut(&s, '/');
	TRY(cidr_parse_address(address, out));
	if (!str_has(s) || s.n > 3 || (s.n > 1 && s.p[0] == '0') || !is_ok(str_to_u64(s, &length)) ||
		length > width(*out))
		return STATUS(INVALID);
	out->length = (uint8_t)length;
	return OK;
}

/* The bytes of c's own version. */
static uint8_t *bytes(struct cidr *c)
{
	return c->v6 ? c->addr : c->addr + 12;
}

static struct cidr fill(struct cidr c, bool ones)
{
	uint8_t *p = bytes(&c);
	for (unsigned bit = c.length; bit < width(c); bit++) {
		uint8_t mask = (uint8_t)(0x80u >> (bit % 8));
		p[bit / 8] = (uint8_t)(ones ? p[bit / 8] | mask : p[bit / 8] & ~mask);
	}
	return c;
}

struct cidr cidr_network(struct cidr c)
{
	return fill(c, false);
}

struct cidr cidr_last(struct cidr c)
{
	c = fill(c, true);
	c.length = (uint8_t)width(c);
	return c;
}

struct str cidr_address_text(struct arena *a, struct cidr c)
{
	char z[INET6_ADDRSTRLEN];
	inet_ntop(c.v6 ? AF_INET6 : AF_INET, bytes(&c), z, sizeof(z));
	return str_dup(a, str_c(z));
}

struct str cidr_text(struct arena *a, struct cidr c)
{
	return str_fmt(a, "%.*s/%u", STR_ARG(cidr_address_text(a, c)), c.length);
}

bool cidr_contains(struct cidr outer, struct cidr inner)
{
	if (outer.v6 != inner.v6 || inner.length < outer.length) return false;
	inner.length = outer.length;
	struct cidr x = cidr_network(outer), y = cidr_network(inner);
	return memcmp(x.addr, y.addr, sizeof(x.addr)) == 0;
}

bool cidr_overlaps(struct cidr x, struct cidr y)
{
	return cidr_contains(x, y) || cidr_contains(y, x);
}

bool cidr_eq(struct cidr x, struct cidr y)
{
	return x.v6 == y.v6 && x.length == y.length && memcmp(x.addr, y.addr, sizeof(x.addr)) == 0;
}

struct cidr cidr_nth(struct cidr c, uint64_t n)
{
	c = cidr_network(c);
	for (unsigned i = 16; i-- > 0 && n; n >>= 8) {
		n += c.addr[i];
		c.addr[i] = (uint8_t)n;
	}
	c.length = (uint8_t)width(c);
	return c;
}

uint32_t cidr_v4(struct cidr c)
{
	const uint8_t *p = c.addr + 12;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct cidr cidr_of_v4(uint32_t addr, unsigned length)
{
	struct cidr c = {.length = (uint8_t)length};
	for (unsigned i = 0; i < 4; i++) c.addr[12 + i] = (uint8_t)(addr >> (24 - 8 * i));
	return c;
}
