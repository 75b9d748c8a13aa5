/* Pages about EC2's network: zones that fail, and which way a packet takes. */
#include "admin/page.h"
#include "services/ec2/network_door.h"

static void show_zones(struct page_request *r)
{
	struct ec2_down down;
	if (!is_ok(ec2_zones_down(r->cloud, r->arena, &down))) {
		page_fail(r, 500, "the zones cannot be read");
		return;
	}
	json_open(&r->out, '{');
	json_key(&r->out, "zones_down");
	json_open(&r->out, '[');
	for (size_t i = 0; i < down.n; i++) {
		json_open(&r->out, '{');
		json_key(&r->out, "zone");
		json_str(&r->out, down.v[i]);
		json_close(&r->out, '}');
	}
	json_close(&r->out, ']');
	json_close(&r->out, '}');
}

void page_fault(struct page_request *r)
{
	show_zones(r);
}

static void fault_done(struct page_request *r, status s, struct str id, struct str why, struct str done)
{
	if (status_is(s, STATUS_NOT_FOUND))
		page_fail(r, 404, "there is no %.*s", STR_ARG(id));
	else if (!is_ok(s))
		page_fail(r, 409, "%.*s", STR_ARG(str_or(why, str_c(status_name(s)))));
	else {
		json_open(&r->out, '{');
		json_key(&r->out, "done");
		json_str(&r->out, done);
		json_close(&r->out, '}');
	}
}

/* Of an instance or a Dedicated Host. */
static void fault_one(struct page_request *r, struct str what)
{
	struct str id = page_parameter(r, STR("id")), code = page_parameter(r, STR("code")), why = STR_NONE;
	struct str after = page_parameter(r, STR("after"));
	int64_t after_ms = 0;
	if (!str_has(id) || (str_has(after) && !is_ok(time_read_duration(after, &after_ms)))) {
		page_fail(r, 400, "give id=i-… or h-…, and after=14d, 90m, …");
		return;
	}
	if (str_is(what, "event"))
		fault_done(r, ec2_event_fault(r->cloud, r->arena, id, code, after_ms, &why), id, why,
			str_fmt(r->arena, "%.*s is scheduled for %.*s.", STR_ARG(code), STR_ARG(id)));
	else if (str_is(what, "spot"))
		fault_done(r, ec2_spot_fault(r->cloud, r->arena, id, &why), id, why,
			str_fmt(r->arena, "%.*s has its notice.", STR_ARG(id)));
	else if (str_is(what, "host"))
		fault_done(r, ec2_host_fault(r->cloud, r->arena, id, after_ms, &why), id, why,
			str_fmt(r->arena, "%.*s has failed.", STR_ARG(id)));
	else
		page_fail(r, 400, "what is event, spot or host");
}

void page_fault_change(struct page_request *r)
{
	if (str_has(page_parameter(r, STR("what"))) && cloud_service(r->cloud, STR("ec2"))) {
		fault_one(r, page_parameter(r, STR("what")));
		return;
	}
	struct str zone = page_parameter(r, STR("zone")), state = page_parameter(r, STR("state"));
	bool down = str_is(state, "down");
	if (!str_has(zone) || (!down && !str_is(state, "up"))) {
		page_fail(r, 400, "give zone=us-east-1a and state=down or state=up");
		return;
	}
	if (!cloud_service(r->cloud, STR("ec2"))) {
		page_fail(r, 400, "EC2 is not among the services that run");
		return;
	}
	status s = ec2_zone_fault(r->cloud, r->arena, zone, down);
	if (status_is(s, STATUS_NOT_FOUND))
		page_fail(r, 404, "no region has a zone %.*s", STR_ARG(zone));
	else if (!is_ok(s))
		page_fail(r, 500, "the zone stays as it was: %s", status_name(s));
	else
		show_zones(r);
}

static int32_t protocol_number(struct str name)
{
	int64_t n;
	if (!str_has(name) || str_is(name, "tcp")) return 6;
	if (str_is(name, "udp")) return 17;
	if (str_is(name, "icmp")) return 1;
	return is_ok(str_to_i64(name, &n)) && n >= 0 && n < 256 ? (int32_t)n : -1;
}

static void show_hop(struct page_request *r, const struct host_rec_hop *h)
{
	json_open(&r->out, '{');
	json_key(&r->out, "component");
	json_str(&r->out, str_or(h->component, STR("")));
	json_key(&r->out, "by");
	json_str(&r->out, str_or(h->by, STR("")));
	json_key(&r->out, "passed");
	json_bool(&r->out, h->passed.v);
	json_key(&r->out, "text");
	json_str(&r->out, str_or(h->text, STR("")));
	json_key(&r->out, "source");
	json_str(&r->out, str_or(h->source, STR("")));
	json_key(&r->out, "destination");
	json_str(&r->out, str_or(h->destination, STR("")));
	json_close(&r->out, '}');
}

void page_trace(struct page_request *r)
{
	struct ec2_trace t = {.source = page_parameter(r, STR("source")),
		.destination = page_parameter(r, STR("destination")),
		.protocol = protocol_number(page_parameter(r, STR("protocol")))};
	struct str port = page_parameter(r, STR("port")), why;
	struct host_rec_traced traced;
	int64_t n = 0;
	bool number = !str_has(port) || (is_ok(str_to_i64(port, &n)) && n >= 0 && n <= 65535);
	t.port = (int32_t)n;
	if (!str_has(t.source) || !str_has(t.destination) || t.protocol < 0 || !number) {
		page_fail(r, 400,
			"give source=ID, destination=ID or ADDRESS, port=0…65535, protocol=tcp, udp, icmp or a number");
		return;
	}
	status s = ec2_trace(r->cloud, r->arena, &t, &traced, &why);
	if (!is_ok(s)) {
		page_fail(r, status_is(s, STATUS_NOT_FOUND) ? 404 : 409, "%.*s",
			STR_ARG(str_or(why, str_c(status_name(s)))));
		return;
	}
	json_open(&r->out, '{');
	json_key(&r->out, "reachable");
	json_bool(&r->out, traced.reachable.v);
	json_key(&r->out, "hops");
	json_open(&r->out, '[');
	for (size_t i = 0; i < traced.hops.n; i++) show_hop(r, &traced.hops.v[i]);
	json_close(&r->out, ']');
	json_close(&r->out, '}');
}
