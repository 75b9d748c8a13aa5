/* Zones that fail and come back: `virga fault az`. The record of a zone that is down is read by everything that asks;
 * the VPCs of its region are computed anew, and whoever else has to do something hears of it within the transaction. */
#include "services/ec2/intent.h"
#include "services/ec2/network_door.h"

status ec2_zone_fault(struct cloud *cloud, struct arena *a, struct str zone, bool down)
{
	store_ticket ticket = 0;
	status s;
	do {
		struct ec2_zone_event detail = {zone, down, clock_now(cloud->clock)};
		struct store_tx *tx = store_begin(cloud->store, a, false);
		struct str region = str_sub(zone, 0, zone.n ? zone.n - 1 : 0);
		struct bus_event e = {.kind = "ec2.zone", .account = STR(""), .region = region, .detail = &detail};
		s = ec2_zone_set(tx, a, zone, down, detail.now_ms);
		if (is_ok(s)) s = ec2_intent_mark_region(tx, a, region);
		if (is_ok(s)) {
			bus_publish(cloud->bus, BUS_COMMITTING, tx, &e);
			s = store_commit(tx, &ticket);
		}
		store_end(tx);
	} while (status_is(s, STATUS_CONFLICT));
	if (is_ok(s)) store_wait(cloud->store, ticket);
	jobs_poke(cloud->jobs);
	return s;
}

status ec2_zones_down(struct cloud *cloud, struct arena *a, struct ec2_down *out)
{
	struct store_tx *tx = store_begin(cloud->store, a, true);
	struct key k = key_begin(a);
	key_str(&k, STR("ec2"));
	key_str(&k, STR("zone"));
	struct store_scan *scan = store_scan_begin(tx, key_done(&k), key_after(a, key_done(&k)), false);
	struct str key, value, part = STR("");
	size_t capacity = 0;
	status s = OK;
	*out = (struct ec2_down){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(a, &key, &part);
		*VEC_PUSH(a, out, &capacity) = str_dup(a, part);
	}
	status end = store_scan_end(scan);
	store_end(tx);
	return is_ok(s) ? end : s;
}
