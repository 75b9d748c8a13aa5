/* IPv4 and IPv6 addresses and CIDRs as bytes. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* Comparable with memcmp: unused bytes are 0. An address is a CIDR of full length. */
struct net_cidr {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t length;
	uint8_t bytes[16];
};

static inline uint8_t net_bits(const struct net_cidr *c)
{
	return c->family == 4 ? 32 : 128;
}
/* "10.0.0.0/16", or an address. INVALID for anything else, also for host bits that are set. */
status net_cidr_read(struct str text, struct net_cidr *out) MUST_USE;
/* An address only. */
status net_address_read(struct str text, struct net_cidr *out) MUST_USE;
struct str net_cidr_text(struct arena *a, const struct net_cidr *c);
/* Without the length. */
struct str net_address_text(struct arena *a, const struct net_cidr *c);
bool net_contains(const struct net_cidr *outer, const struct net_cidr *inner);
bool net_same(const struct net_cidr *x, const struct net_cidr *y);
/* The address n further than the CIDR's first. */
struct net_cidr net_nth(const struct net_cidr *c, uint8_t n);
/* "02:0a:…" strictly. */
status net_mac_read(struct str text, uint8_t out[6]) MUST_USE;
