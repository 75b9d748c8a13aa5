/* The job of a DB cluster: see cluster.h. As an instance's (controller.c) it looks, does what is next, and comes again.
 */
#include "base/log.h"
#include "call/inside.h"
#include "services/ec2/dns.h"
#include "services/rds/cluster.h"
#include "services/rds/crypt.h"

enum { FAILURES_MAX = 5, LOOK_MS = 1000 };

static bool zone_down(struct rds_work *w, const struct rds_rec_node *n)
{
	return ec2_zone_is_down(w->at.tx, w->at.a, n->zone);
}

static bool passes(status s)
{
	return status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT);
}

/* A member's record says what its node is; written only where that has changed. */
status rds_member_tell(struct rds_work *w, const struct rds_rec_node *n, const char *state)
{
	struct rds_rec_instance m;
	status s = rds_member_load(w->at, n, &m);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct str parameters = str_or(n->parameter_state, STR("in-sync"));
	if (str_eq(m.db_instance_status, str_c(state)) && str_eq(m.parameter_state, parameters) &&
		str_eq(m.engine_version, w->r->engine_version) && str_eq(m.availability_zone, n->zone))
		return OK;
	if (str_is(m.db_instance_status, "creating") && strcmp(state, "available") == 0) {
		m.started = m.instance_create_time = SOME_TIME(w->now_ms);
		rds_instance_event(w->at, w->now_ms, &m, "creation", "DB instance created");
	} else if (str_is(m.db_instance_status, "rebooting") && strcmp(state, "available") == 0) {
		rds_instance_event(w->at, w->now_ms, &m, "availability", "DB instance restarted");
	}
	m.db_instance_status = str_dup(w->at.a, str_c(state));
	m.parameter_state = parameters;
	m.engine_version = w->r->engine_version;
	m.availability_zone = n->zone;
	rds_instance_put(w->at, &m);
	return OK;
}

/* What its node does shows: unless the member itself is asked for something. */
static status tell_running(struct rds_work *w, struct rds_rec_node *n)
{
	bool up = str_is(n->state, "up");
	/* Commits do not wait for a reader that catches up, but it answers. */
	if (!up) return OK;
	n->failures = (struct opt_i32){0};
	return n->leaving.v || n->restart.v ? OK : rds_member_tell(w, n, "available");
}

static status all_tell(struct rds_work *w, const char *state)
{
	for (size_t i = 0; i < w->r->nodes.n; i++) TRY(rds_member_tell(w, &w->r->nodes.v[i], state));
	return OK;
}

/* ── nodes ── */

/* A node starts, and is ready when it answers. again: also one that was "up" and has ended. */
static status bring_up(struct rds_work *w, struct rds_rec_node *n, bool again, bool *ready)
{
	struct str state, why = STR_NONE;
	*ready = false;
	status s = rds_node_state(w->cloud, w->at.a, w->r, n->letter, &state);
	if (!is_ok(s)) {
		rds_again(w, RDS_LATER_MS);
		return passes(s) ? s : OK;
	}
	if (!str_is(state, "running") && !str_is(state, "restarting") && !str_is(n->state, "new")) {
		if (!again && str_is(n->state, "up")) {
			rds_again(w, 1);
			return OK;
		}
		/* What it was set to while it ran is not what it starts with. An end that nobody asked for is told. */
		if (str_is(n->state, "up")) {
			struct rds_rec_instance m;
			if (is_ok(rds_member_load(w->at, n, &m)))
				rds_instance_event(w->at, w->now_ms, &m, "availability", "DB instance restarted");
			rds_cluster_lose(w->r, n);
		}
		if (str_is(state, "ended")) TRY(rds_node_stop(w->cloud, w->at.a, w->r, n->letter, true));
		TRY(rds_node_settings(w, n, true));
	}
	if (str_is(state, "running") && str_is(n->state, "up")) return rds_node_knock(w, n, ready);
	s = rds_node_make(w, n, ready, &why);
	if (is_ok(s) || passes(s)) return s;
	n->failures = SOME_I32(n->failures.v + 1);
	log_warn("rds", "step_failed", "cluster=%.*s node=%.*s status=%s why=\"%.*s\"",
		STR_ARG(w->r->db_instance_identifier), STR_ARG(n->instance), status_name(s),
		STR_ARG(str_or(why, STR(""))));
	if (n->failures.v == FAILURES_MAX)
		TRY(rds_member_tell(w, n, str_is(n->state, "new") ? "failed" : "incompatible-parameters"));
	rds_again(w, n->failures.v > FAILURES_MAX ? RDS_LATER_MS * 20 : RDS_LATER_MS);
	return OK;
}

static status writer_serves(struct rds_work *w, struct rds_rec_node *n, struct pg *p)
{
	struct rds_rec_instance *r = w->r;
	struct str why = STR_NONE;
	status s = OK;
	if (!str_is(n->state, "up") || r->verifier_due.v) s = rds_node_furnish(w, p, &why);
	if (is_ok(s)) s = rds_node_reload(w, n, p);
	if (is_ok(s) && str_is(n->state, "up")) s = rds_member_measure(w, n, p);
	if (is_ok(s) && !str_is(n->state, "up")) {
		s = rds_read_version(w, p);
		n->state = STR("up");
		r->volume = SOME_BOOL(true);
	}
	if (!is_ok(s))
		log_warn("rds", "writer", "cluster=%.*s status=%s why=\"%.*s\"", STR_ARG(r->db_instance_identifier),
			status_name(s), STR_ARG(str_or(why, STR(""))));
	return s;
}

static status reader_serves(struct rds_work *w, struct rds_rec_node *n)
{
	struct pg p;
	status s = rds_connect(w->cloud, w->at.a, w->r, n->letter, STR("postgres"), &p, NULL);
	if (!is_ok(s)) return OK;
	s = rds_node_reload(w, n, &p);
	if (is_ok(s) && str_is(n->state, "up")) s = rds_member_measure(w, n, &p);
	pg_close(&p);
	return passes(s) ? s : OK;
}

/* Members that are to restart, and those that go. One effect to a transaction: *moved. */
static status asked_for(struct rds_work *w, bool *moved)
{
	struct rds_rec_instance *r = w->r;
	*moved = false;
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct rds_rec_node *n = &r->nodes.v[i];
		bool writer = str_eq(n->letter, r->primary);
		/* A writer that goes steps back first; the last node leaves the data behind. */
		if (n->leaving.v && (!writer || r->nodes.n == 1)) {
			struct rds_rec_instance m;
			status s = rds_member_load(w->at, n, &m);
			if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
			if (w->real) TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, !writer));
			if (is_ok(s)) {
				rds_instance_event(w->at, w->now_ms, &m, "deletion", "DB instance deleted");
				ec2_dns_unpublish(w->at.tx, w->at.a, m.name);
				rds_drop(w->at, &rds_kind_instance, m.db_instance_identifier);
				rds_owner_drop(w->at, m.dbi_resource_id);
				rds_watch_nothing(w, m.dbi_resource_id);
			}
			TRY(rds_node_drop(w, i, writer));
			*moved = true;
			rds_again(w, 1);
			return OK;
		}
		if (n->restart.v) {
			if (w->real) TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, false));
			n->restart = (struct opt_bool){0};
			n->failures = (struct opt_i32){0};
			if (w->real) rds_cluster_lose(r, n);
			*moved = true;
			rds_again(w, 1);
			return OK;
		}
	}
	return OK;
}

/* Without servers the roles are all there is. */
static void simulate_failover(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	const struct rds_rec_node *writer = rds_node(r, r->primary), *next = NULL;
	bool asked = str_is(str_or(r->wanted, STR("")), "failover");
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct rds_rec_node *n = &r->nodes.v[i];
		if (n == writer || n->leaving.v || (next && !str_eq(n->instance, str_or(r->target, STR(""))))) continue;
		next = n;
	}
	if (next && writer && (asked || writer->leaving.v)) {
		r->primary = next->letter, r->availability_zone = next->zone;
		rds_cluster_event(w, "failover",
			str_fmt(w->at.a, "Completed failover to DB instance: %.*s", STR_ARG(next->instance)).p);
		rds_again(w, 1);
	}
	if (asked) r->wanted = r->target = STR_NONE;
	if (str_is(r->db_instance_status, "failing-over")) r->db_instance_status = STR("available");
}

static status nodes(struct rds_work *w, bool *whole)
{
	struct rds_rec_instance *r = w->r;
	struct str why = STR_NONE;
	struct pg p;
	bool moved, ready, lost;
	*whole = false;
	TRY(asked_for(w, &moved));
	if (moved) return OK;
	if (!r->nodes.n) {
		*whole = true;
		return OK;
	}
	if (!str_has(r->primary)) r->primary = r->nodes.v[0].letter, r->availability_zone = r->nodes.v[0].zone;
	if (!w->real) {
		for (size_t i = 0; i < r->nodes.n; i++) {
			r->nodes.v[i].state = STR("up");
			TRY(tell_running(w, &r->nodes.v[i]));
		}
		simulate_failover(w);
		*whole = true;
		return OK;
	}
	status s = rds_cluster_failover(w, &moved, &lost);
	if (!is_ok(s) && !passes(s)) {
		log_warn("rds", "failover", "cluster=%.*s status=%s", STR_ARG(r->db_instance_identifier),
			status_name(s));
		rds_again(w, RDS_SOON_MS * 5);
		return OK;
	}
	TRY(s);
	if (moved) return OK;
	struct rds_rec_node *n = rds_node(r, r->primary);
	if (!n) return OK;
	if (zone_down(w, n) && r->nodes.n > 1) {
		/* Nobody else may lead: it waits for its zone, or for another's. */
		rds_again(w, RDS_LATER_MS);
		return OK;
	}
	/* It may have ended since it was looked after: the one that may take over does, the next time. */
	TRY(bring_up(w, n, lost || r->nodes.n < 2, &ready));
	/* A new cluster's standbys begin beside their writer. */
	if (rds_is_fresh(r))
		for (size_t i = 0; i < r->nodes.n; i++)
			if (&r->nodes.v[i] != n && !zone_down(w, &r->nodes.v[i]))
				TRY(bring_up(w, &r->nodes.v[i], true, &moved));
	if (!ready) return OK;
	if (!is_ok(rds_connect(w->cloud, w->at.a, r, n->letter, STR("postgres"), &p, &why))) {
		rds_again(w, RDS_SOON_MS);
		return OK;
	}
	s = writer_serves(w, n, &p);
	if (is_ok(s)) s = tell_running(w, n);
	*whole = is_ok(s);
	for (size_t i = 0; is_ok(s) && i < r->nodes.n; i++) {
		struct rds_rec_node *o = &r->nodes.v[i];
		if (o == n || o->leaving.v) continue;
		if (zone_down(w, o)) {
			/* Nothing crosses into a failed zone. */
			s = rds_node_stop(w->cloud, w->at.a, r, o->letter, true);
			continue;
		}
		s = bring_up(w, o, true, &ready);
		if (is_ok(s) && ready) s = reader_serves(w, o);
	}
	if (is_ok(s)) s = rds_cluster_follow(w, &p);
	pg_close(&p);
	if (!is_ok(s)) {
		*whole = false;
		rds_again(w, RDS_LATER_MS);
		return passes(s) ? s : OK;
	}
	for (size_t i = 0; i < r->nodes.n; i++) {
		TRY(tell_running(w, &r->nodes.v[i]));
		*whole = *whole && str_is(r->nodes.v[i].state, "up");
	}
	if (*whole) r->fresh = (struct opt_bool){0};
	if (r->nodes.n > 1) rds_again(w, LOOK_MS);
	return OK;
}

/* ── states ── */

static status became_available(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	r->db_instance_status = STR("available");
	rds_again(w, 1);
	if (r->started.has) return OK;
	r->started = r->instance_create_time = SOME_TIME(w->now_ms);
	rds_cluster_event(w, "creation", "DB cluster created");
	if (!w->real)
		rds_cluster_event(w, "notification",
			"Compute is simulated: virga runs without root, so no server stands behind this DB cluster.");
	return OK;
}

/* A restored cluster's data are there before it is: a node without an address replays them, in the folder that the
 * first instance will have. */
static status restore(struct rds_work *w, bool *done)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node n = {.letter = STR("a"), .state = str_or(r->restore_state, STR("new"))};
	struct str why = STR_NONE;
	struct pg p;
	struct pg_rows rows;
	bool ready, time = str_is(r->origin->kind, "time");
	*done = false;
	r->primary = n.letter;
	if (time && str_is(n.state, "new")) {
		TRY(rds_source_archive(w, &ready));
		if (!ready) return OK;
	}
	status s = rds_node_make(w, &n, &ready, &why);
	r->restore_state = n.state;
	if (!is_ok(s)) {
		if (passes(s)) return s;
		log_warn("rds", "restore", "cluster=%.*s why=\"%.*s\"", STR_ARG(r->db_instance_identifier),
			STR_ARG(str_or(why, STR(""))));
		r->failures = SOME_I32(r->failures.v + 1);
		rds_again(w, RDS_LATER_MS);
		if (r->failures.v >= FAILURES_MAX) {
			r->db_instance_status = STR("failed");
			rds_cluster_event(w, "failure", "The DB cluster could not be restored.");
		}
		return OK;
	}
	if (!ready) return OK;
	if (!is_ok(rds_connect(w->cloud, w->at.a, r, n.letter, STR("postgres"), &p, &why))) {
		rds_again(w, RDS_SOON_MS);
		return OK;
	}
	s = pg_query(&p, w->at.a, STR("SELECT pg_is_in_recovery()"), 5000, &rows, &why);
	bool recovering = !is_ok(s) || !rows.n || !str_is(rows.v[0].v[0], "f");
	if (!recovering) s = rds_read_version(w, &p);
	pg_close(&p);
	if (recovering || !is_ok(s)) {
		rds_again(w, RDS_SOON_MS);
		return OK;
	}
	TRY(rds_node_stop(w->cloud, w->at.a, r, n.letter, false));
	r->origin = NULL;
	r->restore_state = STR_NONE;
	r->volume = SOME_BOOL(true);
	r->fresh = (struct opt_bool){0};
	for (size_t i = 0; i < r->nodes.n; i++)
		if (str_eq(r->nodes.v[i].letter, n.letter)) r->nodes.v[i].state = STR("made");
	*done = true;
	return OK;
}

static status create(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	bool done = true;
	if (str_has(r->secret_name) && !str_has(r->secret_arn)) TRY(rds_secret_make(w));
	if (w->real && r->origin) {
		TRY(restore(w, &done));
		if (!done) return OK;
		rds_again(w, 1);
	}
	if (!w->real) r->origin = NULL;
	if (!rds_is_aurora(r)) {
		TRY(nodes(w, &done));
		if (!done) return OK;
	}
	TRY(rds_cluster_publish(w));
	return became_available(w);
}

static status stop(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct rds_rec_node *n = &r->nodes.v[i];
		if (w->real) TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, false));
		if (str_is(n->state, "up") || str_is(n->state, "catching") || str_is(n->state, "parting"))
			n->state = STR("made");
		n->lsn = STR_NONE;
	}
	TRY(all_tell(w, "stopped"));
	rds_cluster_unwatch(w);
	r->db_instance_status = STR("stopped");
	rds_cluster_event(w, "notification", "DB cluster stopped");
	return OK;
}

static status take_down(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	if (str_has(r->final_snapshot)) {
		struct rds_rec_snapshot s;
		status st = rds_load(w->at, &rds_kind_cluster_snapshot, r->final_snapshot, &s);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		if (is_ok(st) && str_is(s.status, "creating")) return OK; /* its job marks this one */
		if (is_ok(st) && str_is(s.status, "failed")) {
			rds_cluster_event(w, "failure", "The final snapshot failed: the DB cluster is not deleted");
			r->db_instance_status = STR("available"), r->final_snapshot = STR_NONE;
			rds_again(w, 1);
			return OK;
		}
	}
	bool free;
	TRY(rds_replicas_free(w, &free));
	if (!free) {
		rds_again(w, RDS_LATER_MS);
		return OK;
	}
	rds_cluster_unwatch(w);
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct rds_rec_node *n = &r->nodes.v[i];
		struct rds_rec_instance m;
		if (w->real) TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, true));
		status s = ec2_eni_drop(w->c, n->eni);
		if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
		s = rds_member_load(w->at, n, &m);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		rds_instance_event(w->at, w->now_ms, &m, "deletion", "DB instance deleted");
		ec2_dns_unpublish(w->at.tx, w->at.a, m.name);
		rds_drop(w->at, &rds_kind_instance, m.db_instance_identifier);
		rds_owner_drop(w->at, m.dbi_resource_id);
	}
	/* A restore that was under way has a server without a node. */
	if (w->real && !r->nodes.n && str_has(r->primary)) TRY(rds_node_stop(w->cloud, w->at.a, r, r->primary, true));
	if (w->real) rds_folder_drop(w->at, rds_folder(w->at.a, r));
	struct rds_each e = rds_each(w->at, &rds_kind_cluster_snapshot);
	while (rds_next(&e)) {
		const struct rds_rec_snapshot *s = e.record;
		if (!str_eq(s->dbi_resource_id, r->dbi_resource_id) || !str_is(s->snapshot_type, "automated")) continue;
		if (w->real && str_has(s->folder)) rds_folder_drop(w->at, s->folder);
		rds_drop(w->at, &rds_kind_cluster_snapshot, s->db_snapshot_identifier);
	}
	TRY(rds_each_end(&e));
	rds_secret_drop(w);
	TRY(rds_cluster_endpoints_drop(w));
	rds_cluster_unpublish(w);
	rds_cluster_event(w, "deletion", "DB cluster deleted");
	rds_drop(w->at, &rds_kind_cluster, r->db_instance_identifier);
	rds_owner_drop(w->at, r->dbi_resource_id);
	w->gone = true;
	return OK;
}

static status keep(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	bool whole;
	rds_note_epoch(w);
	TRY(nodes(w, &whole));
	TRY(rds_cluster_publish(w));
	if (w->real) TRY(rds_cluster_log_export(w));
	if (!w->real) r->verifier_due = SOME_BOOL(false);
	struct str s = r->db_instance_status;
	if (whole && (str_is(s, "modifying") || str_is(s, "starting") || str_is(s, "rebooting"))) {
		if (str_is(s, "starting")) rds_cluster_event(w, "notification", "DB cluster started");
		TRY(became_available(w));
	}
	if (str_has(r->secret_arn) && r->secret_rotate.has) {
		if (r->secret_rotate.ms <= w->now_ms) {
			TRY(rds_secret_rotate(w));
			rds_again(w, 1);
		}
		rds_again(w, r->secret_rotate.ms - w->now_ms);
	}
	if (!r->volume.v && w->real) return OK; /* nothing to back up yet */
	return rds_backups(w);
}

static status step(struct rds_work *w)
{
	struct str s = w->r->db_instance_status;
	if (str_is(s, "creating")) return create(w);
	if (str_is(s, "stopping")) return stop(w);
	if (str_is(s, "deleting")) return take_down(w);
	if (str_is(s, "stopped") || str_is(s, "failed")) return OK;
	return keep(w);
}

status rds_cluster_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct rds_rec_task t = {0};
	struct rds_rec_owner o;
	struct rds_rec_instance r;
	TRY(rds_rec_task_decode(a, job->payload, &t));
	status s = rds_owner(tx, a, t.name, &o);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct rds_work w = {.cloud = cloud,
		.c = call_for_job(a, cloud, tx, o.account, o.region, STR("rds.amazonaws.com")),
		.at = {tx, a, o.account, o.region},
		.r = &r,
		.now_ms = clock_now(cloud->clock),
		.real = rds_real(cloud)};
	s = rds_load(w.at, &rds_kind_cluster, o.name, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	bool ready;
	TRY(rds_crypt_ready(&w, &ready));
	if (ready) TRY(step(&w));
	if (!w.gone) rds_instance_put(w.at, &r);
	*again_ms = w.gone ? 0 : w.again_ms;
	return OK;
}
