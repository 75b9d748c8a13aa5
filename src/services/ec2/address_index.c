/* Which addresses of a subnet are taken: (ec2, ip, ACCOUNT, REGION, SUBNET, ADDRESS). Taking one reads its key, so that
 * two transactions cannot take the same. */
#include "base/rand.h"
#include "services/ec2/network.h"
#include "services/ec2/subnet_reservation.h"

enum { RESERVED_FIRST = 4, TRIES = 32 };

static struct str index_key(struct ec2_place at, struct str subnet, const struct cidr *address)
{
	struct key k = key_for(at.a, STR("ec2"), STR("ip"), at.account, at.region);
	key_str(&k, subnet);
	if (address && address->v6)
		key_str(&k, str_n(address->addr, 16));
	else if (address)
		key_u64(&k, cidr_v4(*address));
	return key_done(&k);
}

status ec2_ip_owner(struct ec2_place at, struct str subnet, struct cidr address, struct str *interface)
{
	struct str bytes;
	struct ec2_rec_ip r = {0};
	TRY(store_get(at.tx, index_key(at, subnet, &address), &bytes));
	TRY(ec2_rec_ip_decode(at.a, bytes, &r));
	*interface = r.interface;
	return OK;
}

void ec2_ip_set(struct ec2_place at, struct str subnet, struct cidr address, struct str interface)
{
	struct ec2_rec_ip r = {.interface = interface};
	store_put(at.tx, index_key(at, subnet, &address), ec2_rec_ip_encode(at.a, &r));
}

void ec2_ip_clear(struct ec2_place at, struct str subnet, struct cidr address)
{
	store_delete(at.tx, index_key(at, subnet, &address));
}

/* The IPv4 addresses that are taken, in order. */
static status each_taken(struct ec2_place at, struct str subnet, void (*fn)(void *ctx, uint32_t address), void *ctx)
{
	struct str from = index_key(at, subnet, NULL), key, value, part;
	struct store_scan *scan = store_scan_begin(at.tx, from, key_after(at.a, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		uint64_t n;
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(at.a, &key, &part);
		if (is_ok(s) && is_ok(key_read_u64(&key, &n))) fn(ctx, (uint32_t)n);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static void count_one(void *ctx, uint32_t address)
{
	(void)address;
	++*(uint32_t *)ctx;
}

status ec2_ip_count(struct ec2_place at, struct str subnet, uint32_t *n)
{
	*n = 0;
	return each_taken(at, subnet, count_one, n);
}

bool ec2_ip_is_reserved(struct cidr block, struct cidr address)
{
	uint32_t n = cidr_v4(address) - cidr_v4(cidr_network(block)), size = 1u << (32 - block.length);
	return n < RESERVED_FIRST || n == size - 1;
}

struct gap {
	uint32_t next;
};

static void find_gap(void *ctx, uint32_t address)
{
	struct gap *g = ctx;
	if (address == g->next) g->next++;
}

static status is_free(struct ec2_place at, struct str subnet, struct cidr address, bool *is)
{
	struct str who;
	status s = ec2_ip_owner(at, subnet, address, &who);
	*is = status_is(s, STATUS_NOT_FOUND);
	return *is ? OK : s;
}

status ec2_ip_choose(struct ec2_place at, struct str subnet, struct cidr block, struct cidr *out)
{
	uint32_t first = cidr_v4(cidr_network(block)) + RESERVED_FIRST,
		 n = (1u << (32 - block.length)) - RESERVED_FIRST - 1;
	bool is = false;
	struct ec2_reserved reserved;
	TRY(ec2_reserved_load(at, subnet, &reserved));
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t next;
		*out = cidr_of_v4(first + (uint32_t)rand_below(n), 32);
		if (ec2_reserved_holds(&reserved, cidr_v4(*out), &next)) continue;
		TRY(is_free(at, subnet, *out, &is));
		if (is) return OK;
	}
	struct gap g = {first};
	do TRY(each_taken(at, subnet, find_gap, &g));
	while (g.next < first + n && ec2_reserved_holds(&reserved, g.next, &g.next));
	if (g.next >= first + n) return STATUS(NOT_FOUND);
	*out = cidr_of_v4(g.next, 32);
	TRY(is_free(at, subnet, *out, &is));
	return is ? OK : STATUS(CONFLICT);
}
