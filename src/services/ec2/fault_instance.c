/* What happens to single instances and Dedicated Hosts and comes from nobody's call: `virga fault event`, `host` and
 * `spot`. Each is one transaction; what follows from it is the jobs'. */
#include "base/log.h"
#include "call/inside.h"
#include "services/ec2/dedicated_host.h"
#include "services/ec2/event.h"
#include "services/ec2/machine.h"
#include "services/ec2/network_door.h"
#include "services/ec2/spot.h"

static const struct {
	const char *code, *description;
} events[] = {
	{"instance-reboot", "The instance is scheduled for reboot"},
	{"system-reboot", "The instance is scheduled for a reboot of its underlying host"},
	{"system-maintenance", "The instance is undergoing scheduled power maintenance"},
	{"instance-retirement", "The instance is running on degraded hardware"},
	{"instance-stop", "The instance is scheduled to be stopped"},
};

static const char *description_of(struct str code)
{
	for (size_t k = 0; k < sizeof(events) / sizeof(*events); k++)
		if (str_eq(code, str_c(events[k].code))) return events[k].description;
	return NULL;
}

struct fault {
	struct cloud *cloud;
	struct call *c;
	struct str id, code;
	int64_t after_ms;
	struct str *why;
};

/* Runs `fn` in a transaction until it commits. */
static status run(struct cloud *cloud, struct arena *a, struct fault *f,
	status (*place)(struct store_tx *tx, struct arena *a, struct str id, struct ec2_place *at),
	status (*fn)(struct fault *f))
{
	store_ticket ticket = 0;
	status s;
	f->cloud = cloud;
	do {
		struct store_tx *tx = store_begin(cloud->store, a, false);
		struct ec2_place at;
		s = place(tx, a, f->id, &at);
		if (is_ok(s)) {
			f->c = call_for_job(a, cloud, tx, at.account, at.region, STR("ec2.amazonaws.com"));
			s = fn(f);
			if (status_is(s, STATUS_FAILED)) *f->why = f->c->failure.message;
		}
		if (is_ok(s)) s = store_commit(tx, &ticket);
		store_end(tx);
	} while (status_is(s, STATUS_CONFLICT));
	if (is_ok(s)) store_wait(cloud->store, ticket);
	jobs_poke(cloud->jobs);
	return s;
}

static status running(struct fault *f, struct ec2_rec_instance *i)
{
	TRY(ec2_load(ec2_here(f->c), &ec2_type_instance, f->id, i));
	if (i->state.v == EC2_RUNNING || i->state.v == EC2_PENDING) return OK;
	return call_fail(f->c, EC2_ERR_INCORRECT_INSTANCE_STATE, "%.*s is %.*s", STR_ARG(f->id),
		STR_ARG(ec2_state_name(i->state.v)));
}

/* ── scheduled events ── */

static status schedule(struct fault *f)
{
	struct ec2_rec_instance i;
	TRY(running(f, &i));
	return ec2_event_schedule(f->c, &i, f->code, description_of(f->code), f->c->now_ms + f->after_ms);
}

status ec2_event_fault(
	struct cloud *cloud, struct arena *a, struct str instance, struct str code, int64_t after_ms, struct str *why)
{
	struct fault f = {.id = instance, .code = code, .after_ms = after_ms, .why = why};
	if (!description_of(code)) {
		*why = STR(
			"the code has to be instance-reboot, system-reboot, system-maintenance, instance-retirement or "
			"instance-stop");
		return STATUS(INVALID);
	}
	return run(cloud, a, &f, ec2_machine_place, schedule);
}

/* ── Spot interruptions ── */

static status interrupt(struct fault *f)
{
	struct ec2_rec_instance i;
	TRY(running(f, &i));
	return ec2_spot_interrupt(f->c, &i);
}

status ec2_spot_fault(struct cloud *cloud, struct arena *a, struct str instance, struct str *why)
{
	struct fault f = {.id = instance, .why = why};
	return run(cloud, a, &f, ec2_machine_place, interrupt);
}

/* ── hosts that fail ── "Dedicated Host recovery", the guide ── */

static status host_place(struct store_tx *tx, struct arena *a, struct str id, struct ec2_place *at)
{
	struct key k = key_begin(a);
	key_str(&k, STR("ec2"));
	key_str(&k, str_c(ec2_type_dedicated_host.name));
	struct store_scan *scan = store_scan_begin(tx, key_done(&k), key_after(a, key_done(&k)), false);
	struct str key, value;
	bool found = false;
	while (!found && store_scan_next(scan, &key, &value)) {
		struct str rest = str_dup(a, key), part[5];
		bool well = true;
		for (unsigned i = 0; i < 5 && well; i++) well = is_ok(key_read_str(a, &rest, &part[i]));
		if (!well || !str_eq(part[4], id)) continue;
		*at = (struct ec2_place){tx, a, part[2], part[3]};
		found = true;
	}
	TRY(store_scan_end(scan));
	return found ? OK : STATUS(NOT_FOUND);
}

/* With host recovery its instances start again on a new host of the same kind; without, they are scheduled for
 * retirement. */
static status fail_host(struct fault *f)
{
	struct ec2_place at = ec2_here(f->c);
	struct ec2_rec_dedicated_host h, fresh;
	TRY(ec2_load(at, &ec2_type_dedicated_host, f->id, &h));
	if (!str_is(h.state, "available"))
		return call_fail(f->c, EC2_ERR_INVALID_HOST_STATE, "%.*s is %.*s", STR_ARG(f->id), STR_ARG(h.state));
	bool recovers = str_is(h.host_recovery, "on");
	fresh = h;
	h.state = STR("permanent-failure");
	if (recovers) {
		struct ec2_tag_list tags;
		fresh.host_id = ec2_new_id(at.a, ec2_type_dedicated_host.prefix);
		fresh.allocation_time = SOME_TIME(f->c->now_ms / 1000 * 1000);
		fresh.client_token = STR_NONE;
		ec2_put(at, &ec2_type_dedicated_host, fresh.host_id, &fresh);
		TRY(ec2_tags_get(at, h.host_id, &tags));
		TRY(ec2_tags_add(f->c, &ec2_type_dedicated_host, fresh.host_id, &tags));
		h.used.n = 0;
		h.state = STR("released-permanent-failure");
		h.release_time = SOME_TIME(f->c->now_ms / 1000 * 1000);
	}
	ec2_put(at, &ec2_type_dedicated_host, h.host_id, &h);
	for (size_t k = 0; k < fresh.used.n; k++) {
		struct ec2_rec_instance i;
		TRY(ec2_load(at, &ec2_type_instance, fresh.used.v[k].instance_id, &i));
		if (!recovers) {
			TRY(ec2_event_schedule(f->c, &i, STR("instance-retirement"),
				description_of(STR("instance-retirement")), f->c->now_ms + f->after_ms));
			continue;
		}
		i.dedicated_host = fresh.host_id;
		i.reboot = SOME_BOOL(true);
		ec2_instance_change(f->c, &i);
	}
	log_info("ec2", "host_failed", "host=%.*s recovered=%d", STR_ARG(f->id), recovers);
	return OK;
}

status ec2_host_fault(struct cloud *cloud, struct arena *a, struct str host, int64_t after_ms, struct str *why)
{
	struct fault f = {.id = host, .after_ms = after_ms, .why = why};
	return run(cloud, a, &f, host_place, fail_host);
}
