/* Spot Instances that EC2 takes back: a notice two minutes before, which the metadata service tells; then the instance
 * is terminated, stopped or hibernated, and a persistent request is fulfilled anew when there is capacity again: here
 * ten minutes later. "Spot Instance interruptions", the guide. */
#include "base/log.h"
#include "call/inside.h"
#include "services/ec2/spot.h"
#include "wire/shape.h"

#define NOTICE_MS ((int64_t)120 * 1000)
#define NO_CAPACITY_MS ((int64_t)10 * 60 * 1000)

void ec2_spot_try_again(struct call *c, struct ec2_rec_spot_request *r, int64_t at_ms)
{
	r->due = SOME_TIME(at_ms);
	ec2_job_schedule(ec2_here(c), EC2_JOB_SPOT, r->spot_instance_request_id, at_ms);
}

status ec2_spot_interrupt(struct call *c, struct ec2_rec_instance *i)
{
	struct ec2_rec_spot_request r;
	status s = str_has(i->spot_request) ? ec2_load(ec2_here(c), &ec2_type_spot_request, i->spot_request, &r)
					    : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "%.*s is not a Spot Instance", STR_ARG(i->instance_id));
	TRY(s);
	if (i->interrupted.has)
		return call_fail(
			c, EC2_ERR_INCORRECT_INSTANCE_STATE, "%.*s is being interrupted", STR_ARG(i->instance_id));
	i->interruption = str_or(r.behavior, STR("terminate"));
	i->interrupted = SOME_TIME((c->now_ms + NOTICE_MS) / 1000 * 1000);
	if (str_is(i->interruption, "terminate"))
		ec2_spot_mark(&r, "active", "marked-for-termination", "Your Spot Instance is marked for termination.",
			c->now_ms);
	else
		ec2_spot_mark(
			&r, "active", "marked-for-stop", "Your Spot Instance is marked to be stopped.", c->now_ms);
	ec2_spot_try_again(c, &r, i->interrupted.ms);
	ec2_spot_put(c, &r);
	ec2_instance_put(ec2_here(c), i);
	return OK;
}

/* ── the end of the notice ── */

static status take_back(struct call *c, struct ec2_rec_spot_request *r, struct ec2_rec_instance *i)
{
	bool persistent = str_is(r->type, "persistent");
	if (str_is(i->interruption, "terminate")) {
		TRY(ec2_instance_terminate(c, i, "Server.SpotInstanceTermination",
			"Server.SpotInstanceTermination: Spot Instance termination"));
		ec2_spot_mark(r, persistent ? "open" : "closed", "instance-terminated-no-capacity",
			"Your Spot Instance was terminated because there is no Spot capacity available.", c->now_ms);
		if (persistent) r->instance_id = STR_NONE;
	} else {
		bool hibernate = str_is(i->interruption, "hibernate");
		ec2_instance_stop(c, i, hibernate, "Server.SpotInstanceShutdown",
			"Server.SpotInstanceShutdown: Spot Instance shutdown");
		ec2_spot_mark(r, "disabled", "instance-stopped-no-capacity",
			"Your Spot Instance was stopped because there is no Spot capacity available.", c->now_ms);
	}
	r->due.has = false;
	if (persistent) ec2_spot_try_again(c, r, c->now_ms + NO_CAPACITY_MS);
	return OK;
}

/* ── capacity again ── */

static status launch(struct call *c, struct ec2_rec_spot_request *r)
{
	struct ec2_run_instances_request run = {0};
	struct ec2_run_plan p;
	struct ec2_reservation made;
	/* Requests of old are not kept whole. */
	if (!str_has(r->request)) return OK;
	TRY(wire_shape_read(c->arena, &wire_service_ec2.tables, EC2_SHAPE_RUN_INSTANCES_REQUEST, r->request, &run));
	TRY(ec2_run_plan(c, &run, &p));
	p.spot_request = r->spot_instance_request_id;
	TRY(ec2_run_make(c, &p, &made));
	r->instance_id = made.instances.v[0].instance_id;
	return OK;
}

static status fulfil(struct call *c, struct ec2_rec_spot_request *r)
{
	struct ec2_rec_instance i;
	status s = OK;
	if (str_is(r->state, "disabled")) {
		TRY(ec2_load(ec2_here(c), &ec2_type_instance, r->instance_id, &i));
		if (i.state.v != EC2_STOPPED) return STATUS(BUSY);
		TRY(ec2_instance_start(c, &i));
	} else {
		s = launch(c, r);
	}
	TRY(s);
	ec2_spot_mark(r, "active", "fulfilled", "Your Spot request is fulfilled.", c->now_ms);
	r->due.has = false;
	return OK;
}

status ec2_spot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct ec2_job j;
	struct ec2_rec_spot_request r;
	struct ec2_rec_instance i;
	TRY(ec2_job_read(tx, a, job, &j));
	status s = ec2_load(j.at, &ec2_type_spot_request, j.id, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct call *c = call_for_job(a, ctx, tx, j.at.account, j.at.region, STR("ec2.amazonaws.com"));
	/* Cancelled, or done meanwhile. */
	if (!r.due.has || str_is(r.state, "cancelled") || str_is(r.state, "closed")) {
		/* A cancelled request's instance that has its notice ends all the same. */
		if (!str_is(r.state, "cancelled") || !str_has(r.instance_id)) return OK;
		s = ec2_load(j.at, &ec2_type_instance, r.instance_id, &i);
		if (!is_ok(s) || !i.interrupted.has) return status_is(s, STATUS_NOT_FOUND) ? OK : s;
		return ec2_instance_terminate(c, &i, "Server.SpotInstanceTermination",
			"Server.SpotInstanceTermination: Spot Instance termination");
	}
	if (r.due.ms > c->now_ms) {
		*again_ms = r.due.ms;
		return OK;
	}
	if (str_is(r.state, "active")) {
		s = ec2_load(j.at, &ec2_type_instance, r.instance_id, &i);
		if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !i.interrupted.has)) return OK;
		TRY(s);
		TRY(take_back(c, &r, &i));
		if (r.due.has) *again_ms = r.due.ms;
		ec2_spot_put(c, &r);
		return OK;
	}
	s = fulfil(c, &r);
	if (status_is(s, STATUS_FAILED) || status_is(s, STATUS_BUSY)) {
		/* What the launch has written already must not stay: the job begins anew later. */
		if (status_is(s, STATUS_FAILED))
			log_info("ec2", "spot_waits", "request=%.*s why=\"%.*s\"", STR_ARG(j.id),
				STR_ARG(c->failure.message));
		return STATUS(BUSY);
	}
	TRY(s);
	ec2_spot_put(c, &r);
	return OK;
}
