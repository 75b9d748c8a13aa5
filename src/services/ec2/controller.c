/* The controller of networks: durable jobs that hand a VPC's or a transit gateway's intent to the host agent. A job is
 * scheduled by whoever took the guard, in the same transaction; its effect is idempotent, so it may run twice and in
 * any order: the generation, a counter of the installation taken in the job's own transaction, tells the agent what is
 * newer. */
#include "base/log.h"
#include "services/ec2/dns.h"
#include "services/ec2/flow_log.h"
#include "services/ec2/imds.h"
#include "services/ec2/intent.h"
#include "services/ec2/private_link.h"
#include <stdlib.h>

#define JOB "ec2.intent"

static struct str standing_key(struct arena *a, struct str id)
{
	struct key k = key_for(a, STR("ec2"), STR("standing"), STR(""), STR(""));
	key_str(&k, id);
	return key_done(&k);
}

static void schedule(struct ec2_place at, struct str id, bool alone)
{
	struct ec2_rec_intent r = {.account = at.account, .region = at.region, .id = id, .alone = SOME_BOOL(alone)};
	struct job job = {.kind = STR(JOB),
		.id = alone ? str_cat(at.a, id, STR("/alone")) : id,
		.payload = ec2_rec_intent_encode(at.a, &r)};
	jobs_schedule(at.tx, &job);
}

void ec2_intent_mark(struct ec2_place at, struct str id)
{
	schedule(at, id, false);
}

/* Reads and raises the installation's counter. */
static status next_generation(struct ec2_place at, int64_t *out)
{
	struct ec2_place nowhere = {at.tx, at.a, STR(""), STR("")};
	return ec2_guard(nowhere, STR("generation"), out);
}

/* What stands is remembered: a VPC that nothing was ever plugged into costs the machine nothing. */
static status is_standing(struct ec2_place at, struct str id, bool *is)
{
	struct str bytes;
	status s = store_get(at.tx, standing_key(at.a, id), &bytes);
	*is = is_ok(s);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

static void set_standing(struct ec2_place at, const struct ec2_rec_intent *r, bool is)
{
	if (is)
		store_put(at.tx, standing_key(at.a, r->id), ec2_rec_intent_encode(at.a, r));
	else
		store_delete(at.tx, standing_key(at.a, r->id));
}

status ec2_intent_whose(struct store_tx *tx, struct arena *a, struct str id, struct ec2_rec_intent *out)
{
	struct str bytes;
	*out = (struct ec2_rec_intent){0};
	TRY(store_get(tx, standing_key(a, id), &bytes));
	return ec2_rec_intent_decode(a, bytes, out);
}

/* Others that see this VPC: transit gateways by its blocks, peers by the members of its groups. */
static status mark_neighbours(struct ec2_place at, struct str vpc)
{
	struct ec2_each e = ec2_each(at, &ec2_type_tgw_attachment);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *a = e.item.record;
		if (str_eq(a->vpc_id, vpc)) schedule(at, a->transit_gateway_id, true);
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_peering);
	while (ec2_next(&e)) {
		const struct ec2_rec_peering *p = e.item.record;
		if (!ec2_peering_joins(p, vpc) || p->ended.has) continue;
		const struct ec2_rec_peering_end *other = ec2_peering_other(p, vpc);
		schedule((struct ec2_place){at.tx, at.a, other->account, other->region}, other->vpc, true);
	}
	return ec2_each_end(&e);
}

/* Once to each agent, before the first VPC stands. */
static status apply_internet(struct cloud *cloud, struct arena *a)
{
	struct ec2_network *n = ec2_network_of(cloud);
	struct host_rec_applied applied = {0};
	struct str blocks[] = {STR("198.18.0.0/22")}, why = STR_NONE;
	struct host_rec_internet intent = {.generation = SOME_I64(1), .service_addresses = {blocks, 1}};
	if (n->internet) return OK;
	status s = host_internet_apply(cloud->host, a, &intent, &applied, &why);
	if (is_ok(s))
		n->internet = 1;
	else
		log_warn("ec2", "internet-refused", "status=%s why=\"%.*s\"", status_name(s), STR_ARG(why));
	return s;
}

/* Its router without interfaces, and what answers in it: a machine's first packets are for the resolver and the
 * metadata service, which are there when its interface comes. */
static status apply_router(struct cloud *cloud, struct ec2_place at, const struct host_rec_vpc *intent)
{
	struct host_rec_vpc router = *intent;
	struct host_rec_applied applied = {0};
	struct str why = STR_NONE;
	int64_t generation;
	TRY(next_generation(at, &generation));
	router.generation = SOME_I64(generation);
	router.interfaces.n = 0;
	TRY(host_vpc_apply(cloud->host, at.a, &router, &applied, &why));
	ec2_dns_serve(cloud, at, intent->id);
	return imds_serve(cloud, at, intent->id);
}

static status apply_vpc(struct cloud *cloud, struct ec2_place at, const struct ec2_rec_intent *r)
{
	struct host_rec_vpc intent;
	struct host_rec_applied applied = {0};
	struct str why = STR_NONE;
	bool standing;
	TRY(is_standing(at, r->id, &standing));
	if (!r->alone.v) TRY(mark_neighbours(at, r->id));
	status s = ec2_intent_vpc(at, r->id, &intent);
	bool gone = status_is(s, STATUS_NOT_FOUND);
	if (!is_ok(s) && !gone) return s;
	if (gone || !intent.interfaces.n) {
		if (!standing) return OK;
		set_standing(at, r, false);
		ec2_dns_forget(cloud, r->id);
		imds_forget(cloud, r->id);
		return host_vpc_remove(cloud->host, r->id);
	}
	int64_t generation;
	TRY(apply_internet(cloud, at.a));
	if (!standing && !is_ok(apply_router(cloud, at, &intent)))
		log_info("ec2", "router-first", "vpc=%.*s its metadata service comes later", STR_ARG(r->id));
	TRY(next_generation(at, &generation));
	intent.generation = SOME_I64(generation);
	set_standing(at, r, true);
	s = host_vpc_apply(cloud->host, at.a, &intent, &applied, &why);
	if (!is_ok(s)) {
		log_warn("ec2", "intent-refused", "vpc=%.*s status=%s why=\"%.*s\"", STR_ARG(r->id), status_name(s),
			STR_ARG(why));
		return status_is(s, STATUS_INVALID) ? OK : s;
	}
	ec2_dns_serve(cloud, at, r->id);
	/* Where it cannot be yet, an instance's controller asks for it again. */
	(void)!is_ok(imds_serve(cloud, at, r->id));
	ec2_relay_wake(ec2_network_of(cloud)->relay, false);
	return OK;
}

static status apply_tgw(struct cloud *cloud, struct ec2_place at, const struct ec2_rec_intent *r)
{
	struct host_rec_transit_gateway intent;
	struct host_rec_applied applied = {0};
	struct ec2_rec_transit_gateway t;
	struct str why = STR_NONE;
	bool standing;
	TRY(is_standing(at, r->id, &standing));
	status s = ec2_load(at, &ec2_type_transit_gateway, r->id, &t);
	bool gone = status_is(s, STATUS_NOT_FOUND);
	if (!is_ok(s) && !gone) return s;
	if (!gone) TRY(ec2_intent_tgw(at, r->id, &intent));
	if (gone || !intent.attachments.n) {
		if (!standing) return OK;
		set_standing(at, r, false);
		return host_tgw_remove(cloud->host, r->id);
	}
	int64_t generation;
	TRY(next_generation(at, &generation));
	intent.generation = SOME_I64(generation);
	set_standing(at, r, true);
	s = host_tgw_apply(cloud->host, at.a, &intent, &applied, &why);
	if (!is_ok(s))
		log_warn("ec2", "intent-refused", "tgw=%.*s status=%s why=\"%.*s\"", STR_ARG(r->id), status_name(s),
			STR_ARG(why));
	return status_is(s, STATUS_INVALID) ? OK : s;
}

static status run_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_rec_intent r = {0};
	(void)again_ms;
	if (!host_available(cloud->host)) return OK;
	TRY(ec2_rec_intent_decode(a, job->payload, &r));
	struct ec2_place at = {tx, a, r.account, r.region};
	return str_starts(r.id, STR("tgw-")) ? apply_tgw(cloud, at, &r) : apply_vpc(cloud, at, &r);
}

/* ── everything again ── */

static status mark_range(struct store_tx *tx, struct arena *a, const char *kind, struct str region)
{
	struct key k = key_begin(a);
	key_str(&k, STR("ec2"));
	key_str(&k, str_c(kind));
	struct store_scan *scan = store_scan_begin(tx, key_done(&k), key_after(a, key_done(&k)), false);
	struct str key, value, part[5];
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct str copy = str_dup(a, key);
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(a, &copy, &part[i]);
		if (is_ok(s) && (!str_has(region) || str_eq(region, part[3])))
			schedule((struct ec2_place){tx, a, part[2], part[3]}, part[4], true);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

status ec2_intent_mark_region(struct store_tx *tx, struct arena *a, struct str region)
{
	return mark_range(tx, a, "vpc", region);
}

status ec2_intent_mark_all(struct cloud *cloud)
{
	struct arena a;
	store_ticket ticket;
	status s;
	arena_init(&a);
	do {
		struct store_tx *tx = store_begin(cloud->store, &a, false);
		s = mark_range(tx, &a, "vpc", STR_NONE);
		if (is_ok(s)) s = mark_range(tx, &a, "transit-gateway", STR_NONE);
		if (is_ok(s)) s = store_commit(tx, &ticket);
		store_end(tx);
	} while (status_is(s, STATUS_CONFLICT));
	arena_cleanup(&a);
	jobs_poke(cloud->jobs);
	return s;
}

static void on_host(void *ctx, enum host_event_kind kind, const void *detail)
{
	struct cloud *cloud = ctx;
	if (kind == HOST_FLOWS) {
		ec2_flow_logs_take(cloud, detail);
	} else if (kind == HOST_AGENT_RESTARTED) {
		ec2_dns_forget(cloud, STR_NONE);
		imds_forget(cloud, STR_NONE);
		ec2_relay_wake(ec2_network_of(cloud)->relay, true);
		ec2_network_of(cloud)->internet = 0;
		status s = ec2_intent_mark_all(cloud);
		if (!is_ok(s)) log_error("ec2", "intent-mark", "status=%s", status_name(s));
	}
}

/* What a call's transaction scheduled begins at once. */
static void on_call(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct cloud *cloud = ctx;
	const struct call *c = e->detail;
	(void)phase;
	(void)tx;
	if (!c->match.service || !c->match.op) return;
	struct str op = wire_str(&c->match.service->tables, c->match.op->name);
	bool ours = c->match.service == &wire_service_ec2;
	if (str_starts(op, STR("Describe")) || str_starts(op, STR("Get"))) return;
	if (ours) jobs_poke(cloud->jobs);
	/* What endpoint services offer: they themselves, and the listeners of their balancers; and EFS's mount targets. */
	if ((ours && str_find(op, STR("VpcEndpoint")) >= 0) || str_find(op, STR("MountTarget")) >= 0 ||
		(strcmp(c->match.service->name, "elbv2") == 0 && str_find(op, STR("Listener")) >= 0))
		ec2_relay_wake(ec2_network_of(cloud)->relay, false);
}

struct ec2_network *ec2_network_of(struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i]->model == &wire_service_ec2) return cloud->service_state[i];
	UNREACHABLE();
}

status ec2_network_start(struct cloud *cloud, struct ec2_network **out)
{
	struct ec2_network *n = mem_new(sizeof(*n));
	*out = n;
	n->cloud = cloud;
	n->dns = ec2_dns_start(cloud);
	jobs_register(cloud->jobs, JOB, run_job, cloud);
	TRY(ec2_flow_logs_start(n));
	if (!host_available(cloud->host)) return OK;
	host_subscribe(cloud->host, on_host, cloud);
	bus_subscribe(cloud->bus, BUS_DONE, "call", on_call, cloud);
	n->relay = ec2_relay_start(cloud);
	return ec2_intent_mark_all(cloud);
}

void ec2_network_stop(struct ec2_network *n)
{
	ec2_relay_stop(n->relay);
	ec2_dns_stop(n->dns);
	free(n);
}
