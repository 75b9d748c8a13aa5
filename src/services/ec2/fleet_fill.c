/* Brings fleets to what they shall hold: see fleet.h. */
#include "base/log.h"
#include "call/inside.h"
#include "services/ec2/fleet.h"

enum { LAUNCHES_AT_ONCE = 200 };
/* After a look that could not launch all. */
#define AGAIN_MS ((int64_t)60 * 1000)
#define NEARLY 1e-9

void ec2_fleet_put(struct ec2_place at, const struct ec2_type *t, const struct ec2_rec_fleet *r)
{
	ec2_put(at, t, r->fleet_id, r);
}

void ec2_fleet_change(struct call *c, const struct ec2_type *t, const struct ec2_rec_fleet *r)
{
	ec2_fleet_put(ec2_here(c), t, r);
	ec2_job_schedule(ec2_here(c), EC2_JOB_FLEET, r->fleet_id, c->now_ms);
	ec2_poke_jobs(c);
}

double ec2_fleet_holds(const struct ec2_rec_fleet *r, bool on_demand_only)
{
	double n = 0;
	for (size_t i = 0; i < r->members.n; i++)
		if (!on_demand_only || !r->members.v[i].spot.v) n += r->members.v[i].weight.v;
	return n;
}

struct str ec2_fleet_activity(const struct ec2_rec_fleet *r, double target)
{
	if (str_is(r->type, "instant")) return STR_NONE;
	if (str_is(r->state, "deleted_terminating") || r->excess.v) return STR("pending_termination");
	if (ec2_fleet_holds(r, false) + NEARLY >= target) return STR("fulfilled");
	return str_has(r->error) ? STR("error") : STR("pending_fulfillment");
}

/* ── launching ── */

/* The failures that come before anything is written, but for which another pool may do. */
static bool try_another(const struct call *c, bool planned)
{
	return !planned || c->failure.id == EC2_ERR_INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET ||
	       c->failure.id == EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY;
}

static status launch(
	struct call *c, struct ec2_fleet *f, const struct ec2_pool *p, bool spot, struct str *instance, bool *planned)
{
	struct ec2_run_instances_request run = p->run;
	struct ec2_spot_market_options spot_options = {.max_price = p->max_price};
	struct ec2_instance_market_options_request market = {STR("spot"), &spot_options};
	struct ec2_run_plan plan;
	struct ec2_reservation made = {0};
	*planned = false;
	if (spot) run.instance_market_options = &market;
	TRY(ec2_run_plan(c, &run, &plan));
	plan.fleet = f->r.fleet_id;
	if (!spot) plan.in.instance_market_options = NULL;
	if (ec2_zone_is_down(c->tx, c->arena, plan.subnet.availability_zone))
		return call_fail(c, EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY,
			"We currently do not have sufficient %.*s capacity in the Availability Zone you requested "
			"(%.*s).",
			STR_ARG(plan.type.name), STR_ARG(plan.subnet.availability_zone));
	TRY(ec2_spot_at_launch(c, &plan));
	*planned = true;
	TRY(ec2_run_make(c, &plan, &made));
	TRY(ec2_spot_launched(c, &plan, &made));
	*instance = made.instances.v[0].instance_id;
	struct ec2_tag tag = {
		f->type == &ec2_type_fleet ? STR("aws:ec2:fleet-id") : STR("aws:ec2spot:fleet-request-id"),
		f->r.fleet_id};
	struct ec2_tag_list tags = {&tag, 1};
	bool system_tags = c->system_tags;
	c->system_tags = true;
	status s = ec2_tags_add(c, &ec2_type_instance, *instance, &tags);
	c->system_tags = system_tags;
	return s;
}

static struct ec2_pool *choose(struct ec2_fleet *f, struct ec2_pool **order, size_t use)
{
	struct ec2_pool *best = NULL;
	for (size_t i = 0, seen = 0; i < f->pools.n && seen < use; i++) {
		if (order[i]->failed) continue;
		seen++;
		if (!best || order[i]->now + NEARLY < best->now) best = order[i];
	}
	return best;
}

static void note_failure(struct call *c, struct ec2_fleet *f, struct ec2_pool *p, bool spot, size_t *capacity)
{
	struct wire_match m = {.service = &wire_service_ec2, .protocol = WIRE_EC2};
	unsigned http;
	p->failed = true;
	*VEC_PUSH(c->arena, &f->failures, capacity) = (struct ec2_fleet_failure){.pool = p,
		.spot = spot,
		.code = wire_error_code(&m, c->failure.id, &http),
		.message = str_dup(c->arena, c->failure.message)};
	c->failure = (struct wire_failure){0};
}

static status fill(struct call *c, struct ec2_fleet *f, bool spot, size_t *failures)
{
	struct ec2_rec_fleet *r = &f->r;
	bool once = str_is(r->type, "request");
	struct opt_f64 *launched = spot ? &r->launched_spot : &r->launched_on_demand;
	double want = spot ? f->target - f->on_demand : f->on_demand, have = once ? launched->v : 0;
	struct ec2_pool **order = arena_new_n(c->arena, struct ec2_pool *, f->pools.n + 1), *p;
	size_t use = ec2_fleet_order(f, spot, order), capacity = r->members.n;
	for (size_t i = 0; i < f->pools.n; i++) f->pools.v[i].now = 0, f->pools.v[i].failed = false;
	for (size_t i = 0; i < r->members.n; i++) {
		const struct ec2_rec_fleet_member *m = &r->members.v[i];
		if (m->spot.v != spot) continue;
		if (!once) have += m->weight.v;
		if ((size_t)m->pool.v < f->pools.n) f->pools.v[m->pool.v].now += m->weight.v;
	}
	for (int n = 0; n < LAUNCHES_AT_ONCE && have + NEARLY < want && (p = choose(f, order, use)); n++) {
		struct str instance;
		bool planned;
		status s = launch(c, f, p, spot, &instance, &planned);
		if (status_is(s, STATUS_FAILED) && try_another(c, planned)) {
			note_failure(c, f, p, spot, failures);
			continue;
		}
		TRY(s);
		*VEC_PUSH(c->arena, &r->members, &capacity) = (struct ec2_rec_fleet_member){.instance = instance,
			.pool = SOME_I32((int32_t)p->number),
			.weight = SOME_F64(p->weight),
			.spot = SOME_BOOL(spot)};
		*launched = SOME_F64(launched->v + p->weight);
		have += p->weight;
		p->now += p->weight;
		r->launches = SOME_I64(r->launches.v + 1);
		ec2_fleet_event(c, r->fleet_id, "instance-change", "launched",
			str_fmt(c->arena, "{\"instanceType\":\"%.*s\",\"lifecycle\":\"%s\"}", STR_ARG(p->type),
				spot ? "spot" : "on-demand"),
			instance);
	}
	return OK;
}

status ec2_fleet_fill(struct call *c, struct ec2_fleet *f)
{
	size_t failures = 0;
	TRY(fill(c, f, false, &failures));
	return fill(c, f, true, &failures);
}

/* ── ending ── */

static status end_member(struct call *c, struct ec2_fleet *f, struct str instance)
{
	struct ec2_rec_instance i;
	status s = ec2_load(ec2_here(c), &ec2_type_instance, instance, &i);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (i.state.v == EC2_SHUTTING_DOWN || i.state.v == EC2_TERMINATED) return OK;
	TRY(ec2_instance_terminate(
		c, &i, "Server.FleetTermination", "Server.FleetTermination: terminated by its fleet"));
	TRY(ec2_spot_ended(c, &i));
	ec2_fleet_event(
		c, f->r.fleet_id, "instance-change", "terminated", STR("The fleet ended the instance."), instance);
	return OK;
}

/* Those that do not run (gone: that have ended) are no members any more. *none: none is left. */
static status sweep(struct call *c, struct ec2_fleet *f, bool gone, bool *none)
{
	struct ec2_rec_fleet_members *m = &f->r.members;
	size_t left = 0;
	for (size_t i = 0; i < m->n; i++) {
		struct ec2_rec_instance in;
		status s = ec2_load(ec2_here(c), &ec2_type_instance, m->v[i].instance, &in);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		bool runs = in.state.v == EC2_PENDING || in.state.v == EC2_RUNNING;
		if (is_ok(s) && (runs || (gone && in.state.v != EC2_TERMINATED))) {
			m->v[left++] = m->v[i];
			continue;
		}
		ec2_fleet_event(c, f->r.fleet_id, "instance-change", "terminated",
			STR("The instance does not run any more."), m->v[i].instance);
	}
	m->n = left;
	*none = left == 0;
	return OK;
}

static status shed(struct call *c, struct ec2_fleet *f, bool spot)
{
	struct ec2_rec_fleet_members *m = &f->r.members;
	double want = spot ? f->target - f->on_demand : f->on_demand, have = 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].spot.v == spot) have += m->v[i].weight.v;
	for (size_t i = m->n; i-- > 0;) {
		if (m->v[i].spot.v != spot || have - m->v[i].weight.v + NEARLY < want) continue;
		have -= m->v[i].weight.v;
		TRY(end_member(c, f, m->v[i].instance));
		m->v[i] = m->v[--m->n];
	}
	return OK;
}

/* ── the job ── */

static void become(struct call *c, struct ec2_fleet *f, const char *state)
{
	f->r.state = str_c(state);
	ec2_fleet_event(c, f->r.fleet_id, "fleet-change", state, STR_NONE, STR_NONE);
}

static status end(struct call *c, struct ec2_fleet *f, int64_t *again_ms)
{
	bool none;
	if (str_is(f->r.state, "deleted_terminating"))
		for (size_t i = 0; i < f->r.members.n; i++) TRY(end_member(c, f, f->r.members.v[i].instance));
	TRY(sweep(c, f, true, &none));
	if (!none) return OK;
	become(c, f, "deleted");
	f->r.ended = SOME_TIME(c->now_ms);
	*again_ms = c->now_ms + EC2_FLEET_SHOWN_MS;
	return OK;
}

static status look(struct call *c, struct ec2_fleet *f, int64_t *again_ms)
{
	struct ec2_rec_fleet *r = &f->r;
	bool none;
	if (str_is(r->state, "deleted_running") || str_is(r->state, "deleted_terminating")) return end(c, f, again_ms);
	if (f->from.has && f->from.ms > c->now_ms) {
		*again_ms = f->from.ms;
		return OK;
	}
	if (f->until.has && f->until.ms <= c->now_ms) {
		become(c, f, f->terminate_at_end ? "deleted_terminating" : "deleted_running");
		return end(c, f, again_ms);
	}
	if (str_is(r->state, "submitted") || str_is(r->state, "modifying")) become(c, f, "active");
	TRY(sweep(c, f, false, &none));
	if (r->excess.v && !f->keep_excess) {
		TRY(shed(c, f, false));
		TRY(shed(c, f, true));
	}
	r->excess.has = false;
	if (!str_is(r->type, "instant")) TRY(ec2_fleet_fill(c, f));
	struct str error = f->failures.n ? f->failures.v[0].code : STR_NONE;
	if (str_has(error) && !str_eq(error, str_or(r->error, STR(""))))
		ec2_fleet_event(c, r->fleet_id, "service-error", "launchSpecTemporarilyBlacklisted",
			f->failures.v[0].message, STR_NONE);
	r->error = error;
	if (f->until.has) *again_ms = f->until.ms;
	bool wanting = str_is(r->type, "request") ? r->launched_on_demand.v + r->launched_spot.v + NEARLY < f->target
						  : ec2_fleet_holds(r, false) + NEARLY < f->target;
	if (!str_is(r->type, "instant") && wanting) {
		int64_t soon = c->now_ms + (f->failures.n ? AGAIN_MS : 1);
		if (!*again_ms || soon < *again_ms) *again_ms = soon;
	}
	return OK;
}

status ec2_fleet_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_job j;
	struct ec2_rec_fleet r;
	struct ec2_fleet f;
	TRY(ec2_job_read(tx, a, job, &j));
	const struct ec2_type *t = str_starts(j.id, STR("sfr-")) ? &ec2_type_spot_fleet : &ec2_type_fleet;
	status s = ec2_load(j.at, t, j.id, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct call *c = call_for_job(a, cloud, tx, j.at.account, j.at.region,
		t == &ec2_type_fleet ? STR("ec2fleet.amazonaws.com") : STR("spotfleet.amazonaws.com"));
	if (str_is(r.state, "deleted")) {
		*again_ms = r.ended.ms + EC2_FLEET_SHOWN_MS;
		if (c->now_ms < *again_ms) return OK;
		*again_ms = 0;
		TRY(ec2_fleet_forget(j.at, j.id));
		ec2_drop(j.at, t, j.id);
		return OK;
	}
	s = ec2_fleet_read(c, t, &r, &f);
	/* Its launch template went, say: it holds what it has. */
	if (status_is(s, STATUS_FAILED)) {
		f.pools.n = 0;
		f.keep_excess = true;
		f.target = ec2_fleet_holds(&r, false);
		f.on_demand = ec2_fleet_holds(&r, true);
		r.error = STR("InvalidLaunchTemplate");
		ec2_fleet_put(j.at, t, &r);
		*again_ms = c->now_ms + AGAIN_MS;
		if (!str_starts(r.state, STR("deleted_"))) return OK;
		f.r = r;
		*again_ms = 0;
	} else {
		TRY(s);
	}
	s = look(c, &f, again_ms);
	if (status_is(s, STATUS_FAILED)) {
		log_warn("ec2", "fleet_failed", "fleet=%.*s why=\"%.*s\"", STR_ARG(j.id), STR_ARG(c->failure.message));
		return STATUS(IO);
	}
	TRY(s);
	ec2_fleet_put(j.at, t, &f.r);
	return OK;
}
