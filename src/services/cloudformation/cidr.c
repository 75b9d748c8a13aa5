/* Dividing a block of addresses: see cidr.h. Addresses are numbers of 128 bits; IPv4's are the lowest 32 of them. */
#include "services/cloudformation/cidr.h"
#include <arpa/inet.h>

typedef unsigned __int128 address;

status cfn_cidr_part(struct arena *a, struct str block, unsigned bits, uint64_t index, struct str *out)
{
	struct str rest = block, host = str_cut(&rest, '/');
	int64_t prefix;
	unsigned char bytes[16] = {0};
	if (!str_has(rest) || !is_ok(str_to_i64(rest, &prefix))) return STATUS(INVALID);
	int family = str_chr(host, ':') >= 0 ? AF_INET6 : AF_INET;
	unsigned width = family == AF_INET6 ? 128 : 32;
	if (inet_pton(family, str_z(a, host), bytes) != 1 || prefix < 0 || prefix > width) return STATUS(INVALID);
	unsigned free_bits = width - (unsigned)prefix;
	if (bits > free_bits) return STATUS(INVALID);
	unsigned index_bits = free_bits - bits;
	if (index_bits < 64 && index >> index_bits) return STATUS(INVALID);
	address base = 0;
	for (unsigned i = 0; i < width / 8; i++) base = base << 8 | bytes[i];
	address mask = free_bits == 128 ? ~(address)0 : ((address)1 << free_bits) - 1;
	base = (base & ~mask) + (bits == 128 ? 0 : (address)index << bits);
	for (unsigned i = width / 8; i-- > 0; base >>= 8) bytes[i] = (unsigned char)base;
	char text[INET6_ADDRSTRLEN];
	if (!inet_ntop(family, bytes, text, sizeof(text))) return STATUS(INVALID);
	*out = str_fmt(a, "%s/%u", text, width - bits);
	return OK;
}
