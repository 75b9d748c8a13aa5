/* The controller of instances: see controller.h. */
#include "services/rds/controller.h"
#include "base/log.h"
#include "call/inside.h"
#include "services/ec2/dns.h"
#include "services/rds/auth.h"
#include "services/rds/crypt.h"
#include "services/rds/driver.h"
#include "services/rds/proxy.h"

enum { FAILURES_MAX = 5, EPOCHS_MAX = 200 };

void rds_again(struct rds_work *w, int64_t ms)
{
	if (!w->again_ms || w->now_ms + ms < w->again_ms) w->again_ms = w->now_ms + ms;
}

void rds_mark(struct rds_place at, struct str resource_id, int64_t due_ms)
{
	struct rds_rec_task t = {.account = at.account, .region = at.region, .name = resource_id};
	jobs_schedule(at.tx, &(struct job){.kind = rds_is_cluster(resource_id) ? STR(RDS_JOB_CLUSTER) : STR(RDS_JOB),
				     .id = resource_id,
				     .due_ms = due_ms,
				     .payload = rds_rec_task_encode(at.a, &t)});
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

void rds_poke(struct call *c)
{
	call_after_commit(c, poke, c->cloud->jobs);
}

static void event(struct rds_work *w, const char *category, const char *text)
{
	rds_instance_event(w->at, w->now_ms, w->r, category, text);
}

static void set_state(struct rds_work *w, const char *state)
{
	w->r->db_instance_status = str_c(state);
}

/* It cannot be brought about: told, and left alone. */
static status give_up(struct rds_work *w, const char *state, struct str why)
{
	log_error("rds", "failed", "instance=%.*s state=%s why=\"%.*s\"", STR_ARG(w->r->db_instance_identifier), state,
		STR_ARG(str_or(why, STR("?"))));
	set_state(w, state);
	event(w, "failure",
		str_fmt(w->at.a, "The DB instance has failed: %.*s", STR_ARG(str_or(why, STR("unknown")))).p);
	return OK;
}

/* A step that the machine refused is tried some times; what else went wrong is the caller's. */
static status tried(struct rds_work *w, status s, const char *state, struct str why)
{
	if (is_ok(s)) return OK;
	if (status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT)) return s;
	w->r->failures = SOME_I32(w->r->failures.v + 1);
	log_warn("rds", "step_failed", "instance=%.*s status=%s why=\"%.*s\"", STR_ARG(w->r->db_instance_identifier),
		status_name(s), STR_ARG(str_or(why, STR(""))));
	if (w->r->failures.v >= FAILURES_MAX) return give_up(w, state, why);
	rds_again(w, RDS_LATER_MS);
	return OK;
}

static void publish(struct rds_work *w)
{
	const struct rds_rec_node *n = rds_node(w->r, w->r->primary);
	if (n) ec2_dns_publish(w->at.tx, w->at.a, w->r->name, &n->address, 1);
	rds_proxies_look(w->at, w->r);
}

/* The listener on this machine's loopback, and whose end is watched for. */
static status attend(struct rds_work *w)
{
	struct rds *s = rds_of(w->cloud);
	struct rds_rec_instance *r = w->r;
	const struct rds_rec_node *n = rds_node(r, r->primary);
	struct ec2_rec_eni e;
	struct ec2_place at = {w->at.tx, w->at.a, w->at.account, w->at.region};
	struct str public = STR_NONE;
	if (r->publicly_accessible.v && is_ok(ec2_load(at, &ec2_type_eni, n->eni, &e)))
	public = e.addresses.v[0].public;
	rds_forward(s, r->dbi_resource_id, str_has(public) ? r->loopback : STR_NONE, (uint16_t)r->port.v, public);
	rds_auth_open(rds_auth_of(w->cloud), r->dbi_resource_id,
		r->iam_database_authentication_enabled.v ? n->eni : STR_NONE);
	rds_watch(s, r->dbi_resource_id, r->engine,
		rds_path(w->cloud, w->at.a, rds_folder(w->at.a, r),
			str_fmt(w->at.a, "%.*s/socket", STR_ARG(n->letter)).p),
		(uint16_t)r->port.v);
	return OK;
}

void rds_unattend(struct rds_work *w)
{
	rds_watch(rds_of(w->cloud), w->r->dbi_resource_id, STR_NONE, NULL, 0);
	rds_forward(rds_of(w->cloud), w->r->dbi_resource_id, STR_NONE, 0, STR_NONE);
	rds_auth_open(rds_auth_of(w->cloud), w->r->dbi_resource_id, STR_NONE);
	rds_relay(rds_of(w->cloud), w->r->dbi_resource_id, STR_NONE, 0, NULL);
}

static status became_available(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	set_state(w, "available");
	r->failures = SOME_I32(0);
	r->fresh = (struct opt_bool){0};
	publish(w);
	rds_again(w, 1);
	if (r->started.has) return OK;
	r->started = r->instance_create_time = SOME_TIME(w->now_ms);
	r->next_backup = SOME_TIME(w->now_ms);
	event(w, "creation", "DB instance created");
	if (!w->real)
		event(w, "notification",
			"Compute is simulated: virga runs without root, so no server stands behind this DB instance.");
	return OK;
}

static status create(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *n = rds_node(r, r->primary);
	struct str why = STR_NONE;
	bool ready, moved;
	if (str_has(r->secret_name) && !str_has(r->secret_arn)) TRY(rds_secret_make(w));
	if (!w->real) return became_available(w);
	if (!str_is(n->state, "up")) {
		if (r->origin && str_is(r->origin->kind, "time") && str_is(n->state, "new")) {
			TRY(rds_source_archive(w, &ready));
			if (!ready) return OK;
		}
		status s = rds_node_make(w, n, &ready, &why);
		if (!is_ok(s)) return tried(w, s, "failed", why);
		TRY(rds_standby_beside(w));
		if (!ready) return OK;
		s = rds_node_begin(w, n, &ready, &why);
		if (!is_ok(s)) return tried(w, s, "failed", why);
		if (!ready) return OK;
		n->state = STR("up");
		if (r->origin && !str_is(r->origin->kind, "replica")) r->origin = NULL;
	}
	if (r->multi_az.v && !rds_standby_ready(r)) {
		TRY(rds_standby(w, &moved));
		if (!rds_standby_ready(r)) return OK;
	}
	return became_available(w);
}

/* The server of the instance is to run: *serves. */
static status bring_up(struct rds_work *w, bool *serves)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *n = rds_node(r, r->primary);
	struct str state, why = STR_NONE;
	*serves = false;
	status s = rds_node_state(w->cloud, w->at.a, r, n->letter, &state);
	if (!is_ok(s)) {
		rds_again(w, RDS_LATER_MS);
		return OK;
	}
	if (!str_is(state, "running") && !str_is(state, "restarting")) {
		/* It may have ended since the standby was looked after: the one that may take over does, the next time.
		 */
		if (rds_standby_runs(w)) {
			rds_again(w, 1);
			return OK;
		}
		TRY(rds_node_settings(w, n, true));
		if (str_is(state, "ended")) event(w, "availability", "DB instance restarted");
	}
	if (str_is(state, "running") && str_is(n->state, "up")) return rds_node_knock(w, n, serves);
	s = rds_node_make(w, n, serves, &why);
	return tried(w, s, "incompatible-parameters", why);
}

/* What a modification asks for and a restart brings. */
static status apply(struct rds_work *w, bool *restart)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_pending *p = r->pending;
	*restart = false;
	if (!p) return OK;
	if (str_has(p->db_instance_class) && !str_eq(p->db_instance_class, r->db_instance_class)) *restart = true;
	if (str_has(p->db_instance_class)) r->db_instance_class = p->db_instance_class;
	if (p->allocated_storage.has) r->allocated_storage = p->allocated_storage;
	if (p->iops.has) r->iops = p->iops;
	if (p->storage_throughput.has) r->storage_throughput = p->storage_throughput;
	if (str_has(p->storage_type)) r->storage_type = p->storage_type;
	if (str_has(p->ca_certificate_identifier)) r->ca_certificate_identifier = p->ca_certificate_identifier;
	if (p->backup_retention_period.has && !p->backup_retention_period.v != !r->backup_retention_period.v)
		*restart = *restart || rds_driver_of(r->engine)->restarts_for_log;
	if (p->backup_retention_period.has) r->backup_retention_period = p->backup_retention_period;
	if (p->iam_database_authentication_enabled.has)
		r->iam_database_authentication_enabled = p->iam_database_authentication_enabled;
	if (p->port.has && p->port.v != r->port.v) *restart = true;
	if (p->port.has) r->port = p->port;
	if (str_has(p->db_instance_identifier) && !str_eq(p->db_instance_identifier, r->db_instance_identifier)) {
		rds_drop(w->at, &rds_kind_instance, r->db_instance_identifier);
		ec2_dns_unpublish(w->at.tx, w->at.a, r->name);
		r->db_instance_identifier = p->db_instance_identifier;
		r->name = rds_endpoint_name(w->at.a, w->at, r->db_instance_identifier);
		*restart = true;
	}
	if (p->multi_az.has && p->multi_az.v && !r->multi_az.v) {
		status s = rds_node_add(w->c, r, STR_NONE);
		if (status_is(s, STATUS_FAILED)) return give_up(w, "available", w->c->failure.message);
		TRY(s);
		r->multi_az = SOME_BOOL(true);
		event(w, "configuration change", "Applying modification to convert to a Multi-AZ DB Instance");
	}
	if (p->multi_az.has && !p->multi_az.v) r->multi_az = SOME_BOOL(false);
	r->pending = NULL;
	return OK;
}

status rds_node_drop(struct rds_work *w, size_t index, bool keep_data)
{
	struct rds_rec_node n = w->r->nodes.v[index];
	if (w->real && !keep_data) {
		TRY(rds_node_stop(w->cloud, w->at.a, w->r, n.letter, true));
		struct str why = STR_NONE;
		const char *args[] = {str_z(w->at.a, n.letter), NULL};
		status s = rds_run(w->cloud, w->at.a,
			&(struct rds_script){
				.folder = rds_folder(w->at.a, w->r), .text = STR("rm -rf $1"), .args = args},
			&why);
		if (!is_ok(s)) return s;
	}
	for (size_t i = index; i + 1 < w->r->nodes.n; i++) w->r->nodes.v[i] = w->r->nodes.v[i + 1];
	w->r->nodes.n--;
	status s = ec2_eni_drop(w->c, n.eni);
	return status_is(s, STATUS_FAILED) ? OK : s;
}

static status drop_standbys(struct rds_work *w)
{
	for (size_t i = w->r->nodes.n; i-- > 0;)
		if (!str_eq(w->r->nodes.v[i].letter, w->r->primary)) TRY(rds_node_drop(w, i, false));
	w->r->synced = SOME_BOOL(false);
	return OK;
}

static status modify(struct rds_work *w)
{
	bool restart, serves, moved, done;
	if (str_is(w->r->wanted, "promote") || str_is(w->r->wanted, "promoted")) {
		TRY(rds_promote(w, &done));
		if (!done) return OK;
		w->r->wanted = STR_NONE;
		rds_again(w, 1);
		return OK;
	}
	TRY(apply(w, &restart));
	if (restart && w->real) {
		for (size_t i = 0; i < w->r->nodes.n; i++)
			TRY(rds_node_stop(w->cloud, w->at.a, w->r, w->r->nodes.v[i].letter, false));
		/* One effect to a transaction. */
		rds_again(w, 1);
		return OK;
	}
	if (!w->real) {
		if (w->r->multi_az.v)
			for (size_t i = 0; i < w->r->nodes.n; i++) w->r->nodes.v[i].state = STR("up");
		return became_available(w);
	}
	if (!w->r->multi_az.v) TRY(drop_standbys(w));
	TRY(bring_up(w, &serves));
	if (!serves || !str_is(w->r->db_instance_status, "modifying")) return OK;
	if (w->r->multi_az.v && !rds_standby_ready(w->r)) {
		TRY(rds_standby(w, &moved));
		if (!rds_standby_ready(w->r)) return OK;
	}
	event(w, "configuration change", "Finished applying modification");
	return became_available(w);
}

static status start(struct rds_work *w)
{
	bool serves = true;
	if (w->real) TRY(bring_up(w, &serves));
	if (!serves || !str_is(w->r->db_instance_status, "starting")) return OK;
	event(w, "notification", "DB instance started");
	return became_available(w);
}

static status stop(struct rds_work *w)
{
	for (size_t i = 0; w->real && i < w->r->nodes.n; i++)
		TRY(rds_node_stop(w->cloud, w->at.a, w->r, w->r->nodes.v[i].letter, false));
	if (w->real) rds_unattend(w);
	set_state(w, "stopped");
	event(w, "notification", "DB instance stopped");
	return OK;
}

/* "wanted" tells what of a reboot is still to be done: "reboot", "failover", then nothing. */
static status reboot(struct rds_work *w)
{
	bool serves = true;
	struct rds_rec_instance *r = w->r;
	if (str_is(r->wanted, "failover") && w->real) {
		status s = rds_failover(w);
		/* Without a standby that may take over it is an ordinary restart. */
		if (status_is(s, STATUS_NOT_FOUND)) s = rds_node_stop(w->cloud, w->at.a, r, r->primary, false);
		TRY(s);
	} else if (w->real && (str_is(r->wanted, "reboot") || str_is(r->wanted, "group"))) {
		TRY(rds_node_stop(w->cloud, w->at.a, r, r->primary, false));
	}
	if (str_has(r->wanted)) {
		/* One effect to a transaction: were this run to begin again, it would stop what it has started. */
		r->wanted = STR_NONE;
		rds_again(w, 1);
		return OK;
	}
	if (w->real) TRY(bring_up(w, &serves));
	if (!serves || !str_is(r->db_instance_status, "rebooting")) return OK;
	event(w, "availability", "DB instance restarted");
	return became_available(w);
}

static status take_down(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	if (str_has(r->final_snapshot)) {
		struct rds_rec_snapshot s;
		status st = rds_load(w->at, &rds_kind_snapshot, r->final_snapshot, &s);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		if (is_ok(st) && str_is(s.status, "creating")) {
			/* The snapshot's job marks this one when it is done. */
			return OK;
		}
		if (is_ok(st) && str_is(s.status, "failed")) {
			/* Without its final snapshot it is not deleted. */
			event(w, "failure", "The final snapshot failed: the DB instance is not deleted");
			set_state(w, "available");
			r->final_snapshot = STR_NONE;
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
	if (w->real) {
		rds_unattend(w);
		for (size_t i = 0; i < r->nodes.n; i++)
			TRY(rds_node_stop(w->cloud, w->at.a, r, r->nodes.v[i].letter, true));
		/* Thousands of files: nobody waits for them. */
		rds_folder_drop(w->at, rds_folder(w->at.a, r));
	}
	for (size_t i = 0; i < r->nodes.n; i++) {
		status s = ec2_eni_drop(w->c, r->nodes.v[i].eni);
		if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
	}
	if (str_has(r->read_replica_source_db_instance_identifier)) TRY(rds_source_forget(w));
	/* "Automated backups are deleted with it" */
	struct rds_each e = rds_each(w->at, &rds_kind_snapshot);
	while (rds_next(&e)) {
		const struct rds_rec_snapshot *s = e.record;
		if (!str_eq(s->dbi_resource_id, r->dbi_resource_id) || !str_is(s->snapshot_type, "automated")) continue;
		if (w->real && str_has(s->folder)) rds_remove_folder(w->cloud, w->at.a, s->folder);
		rds_drop(w->at, &rds_kind_snapshot, s->db_snapshot_identifier);
	}
	TRY(rds_each_end(&e));
	rds_secret_drop(w);
	ec2_dns_unpublish(w->at.tx, w->at.a, r->name);
	event(w, "deletion", "DB instance deleted");
	rds_drop(w->at, &rds_kind_instance, r->db_instance_identifier);
	rds_owner_drop(w->at, r->dbi_resource_id);
	w->gone = true;
	return OK;
}

/* What virtual time was the machine's, from now on: asked for by restores to a moment. */
void rds_note_epoch(struct rds_work *w)
{
	struct rds_rec_epochs *e = &w->r->epochs;
	int64_t offset = clock_offset(w->cloud->clock);
	size_t capacity = e->n;
	if (e->n && e->v[e->n - 1].offset_ms.v == offset) return;
	if (e->n > EPOCHS_MAX) e->v++, e->n--, capacity--;
	*VEC_PUSH(w->at.a, e, &capacity) =
		(struct rds_rec_epoch){.from = SOME_TIME(w->now_ms), .offset_ms = SOME_I64(offset)};
}

static status keep(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *n = rds_node(r, r->primary);
	bool serves = true, moved = false;
	struct str why = STR_NONE;
	rds_note_epoch(w);
	if (w->real && r->multi_az.v) TRY(rds_standby(w, &moved));
	if (moved) {
		publish(w);
		n = rds_node(r, r->primary);
		/* The new primary serves before this is committed: its clients find it. */
		rds_again(w, 1);
	}
	if (w->real && !moved) TRY(bring_up(w, &serves));
	if (!str_is(r->db_instance_status, "available") && !str_is(r->db_instance_status, "backing-up")) return OK;
	if (!serves) return OK;
	if (w->real) {
		status s = rds_node_tend(w, n, &why);
		if (status_is(s, STATUS_BUSY)) {
			rds_again(w, RDS_SOON_MS);
			return OK;
		}
		if (!is_ok(s)) return tried(w, s, "available", why);
		rds_log_export(w);
		r->failures = SOME_I32(0);
		TRY(attend(w));
	} else {
		r->verifier_due = SOME_BOOL(false);
	}
	if (str_has(r->secret_arn)) {
		if (r->secret_rotate.has && r->secret_rotate.ms <= w->now_ms) TRY(rds_secret_rotate(w));
		if (r->verifier_due.v) rds_again(w, 1);
		rds_again(w, r->secret_rotate.ms - w->now_ms);
	}
	if (r->pending) {
		if (!r->next_window.has)
			r->next_window = SOME_TIME(rds_window_next(r->preferred_maintenance_window, w->now_ms));
		if (r->next_window.ms <= w->now_ms) {
			r->next_window = (struct opt_time){0};
			set_state(w, "modifying");
			rds_again(w, 1);
			return OK;
		}
		rds_again(w, r->next_window.ms - w->now_ms);
	}
	return rds_backups(w);
}

static status step(struct rds_work *w)
{
	struct str s = w->r->db_instance_status;
	if (str_is(s, "creating")) return create(w);
	if (str_is(s, "modifying")) return modify(w);
	if (str_is(s, "starting")) return start(w);
	if (str_is(s, "stopping")) return stop(w);
	if (str_is(s, "rebooting")) return reboot(w);
	if (str_is(s, "deleting")) return take_down(w);
	if (str_is(s, "available") || str_is(s, "backing-up")) return keep(w);
	return OK;
}

status rds_instance_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
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
	s = rds_load(w.at, &rds_kind_instance, o.name, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (str_has(r.db_cluster_identifier)) {
		/* What is to be done for a cluster's member is its cluster's. */
		struct rds_rec_instance cluster;
		s = rds_load(w.at, &rds_kind_cluster, r.db_cluster_identifier, &cluster);
		if (is_ok(s)) rds_mark(w.at, cluster.dbi_resource_id, 0);
		return status_is(s, STATUS_NOT_FOUND) ? OK : s;
	}
	bool ready;
	TRY(rds_crypt_ready(&w, &ready));
	if (ready) TRY(step(&w));
	if (!w.gone) rds_instance_put(w.at, &r);
	*again_ms = w.gone ? 0 : w.again_ms;
	return OK;
}
