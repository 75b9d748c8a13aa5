/* What has happened to fleets, and which instances they have. */
#include "base/rand.h"
#include "services/ec2/fleet.h"

static struct key events_key(struct ec2_place at, struct str fleet)
{
	struct key k = key_for(at.a, STR("ec2"), STR("fleet-event"), at.account, at.region);
	key_str(&k, fleet);
	return k;
}

void ec2_fleet_event(struct call *c, struct str fleet, const char *type, const char *subtype, struct str description,
	struct str instance)
{
	struct key k = events_key(ec2_here(c), fleet);
	key_i64(&k, c->now_ms);
	/* Behind those of the same instant. */
	struct key all = k;
	struct str key, value;
	uint64_t number = 0;
	struct store_scan *scan = store_scan_begin(c->tx, key_done(&all), key_after(c->arena, key_done(&all)), false);
	while (store_scan_next(scan, &key, &value)) number++;
	if (!is_ok(store_scan_end(scan))) number = rand_u64();
	key_u64(&k, number);
	struct ec2_rec_fleet_event e = {.type = str_c(type),
		.subtype = str_c(subtype),
		.description = description,
		.instance = instance,
		.at = SOME_TIME(c->now_ms)};
	store_put(c->tx, key_done(&k), ec2_rec_fleet_event_encode(c->arena, &e));
}

status ec2_fleet_events(
	struct call *c, struct str fleet, struct str type, int64_t since_ms, struct ec2_fleet_events *out)
{
	struct key k = events_key(ec2_here(c), fleet), from = k;
	struct str key, value, end = key_after(c->arena, key_done(&k));
	size_t capacity = 0;
	key_i64(&from, since_ms);
	struct store_scan *scan = store_scan_begin(c->tx, key_done(&from), end, false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_rec_fleet_event e = {0};
		s = ec2_rec_fleet_event_decode(c->arena, str_dup(c->arena, value), &e);
		if (is_ok(s) && (!str_has(type) || str_eq(type, e.type))) *VEC_PUSH(c->arena, out, &capacity) = e;
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

status ec2_fleet_forget(struct ec2_place at, struct str fleet)
{
	struct key k = events_key(at, fleet);
	struct str key, value;
	struct store_scan *scan = store_scan_begin(at.tx, key_done(&k), key_after(at.a, key_done(&k)), false);
	while (store_scan_next(scan, &key, &value)) store_delete(at.tx, str_dup(at.a, key));
	return store_scan_end(scan);
}

status ec2_fleet_instances(struct call *c, const struct ec2_rec_fleet *r, struct ec2_active_instance_set *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < r->members.n; i++) {
		struct ec2_rec_instance in;
		status s = ec2_load(ec2_here(c), &ec2_type_instance, r->members.v[i].instance, &in);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		if (in.state.v != EC2_PENDING && in.state.v != EC2_RUNNING) continue;
		bool well = !ec2_zone_is_down(c->tx, c->arena, in.zone);
		*VEC_PUSH(c->arena, out, &capacity) = (struct ec2_active_instance){.instance_id = in.instance_id,
			.instance_type = ec2_instance_type_of(c->arena, &in),
			.spot_instance_request_id = in.spot_request,
			.instance_health = well ? STR("healthy") : STR("unhealthy")};
	}
	return OK;
}
