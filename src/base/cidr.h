/* Addresses and blocks of addresses, of IP versions 4 and 6. */
#pragma once
#include "base/str.h"

/* An IPv4 address is the last four of the 16 bytes, the others are zero; `length` counts bits of its own version. */
struct cidr {
	uint8_t addr[16];
	uint8_t length; /* 0–32, 0–128 */
	bool v6;
};

/* "10.0.0.0/16", "2001:db8::/56"; strict: INVALID for anything else, also for a missing length. Host bits may be set.
 */
status cidr_parse(struct str s, struct cidr *out) MUST_USE;
/* An address alone, with the full length. */
status cidr_parse_address(struct str s, struct cidr *out) MUST_USE;
/* Without host bits. */
struct cidr cidr_network(struct cidr c);
/* The last address, with the full length. */
struct cidr cidr_last(struct cidr c);
struct str cidr_text(struct arena *a, struct cidr c);
struct str cidr_address_text(struct arena *a, struct cidr c);
bool cidr_contains(struct cidr outer, struct cidr inner);
bool cidr_overlaps(struct cidr x, struct cidr y);
bool cidr_eq(struct cidr x, struct cidr y);
/* The nth address of the block, with the full length; n has to be within it. */
struct cidr cidr_nth(struct cidr c, uint64_t n);
/* An IPv4 address as a number. */
uint32_t cidr_v4(struct cidr c);
struct cidr cidr_of_v4(uint32_t addr, unsigned length);
