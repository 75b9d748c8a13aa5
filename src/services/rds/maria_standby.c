/* A Multi-AZ instance of MariaDB: one volume, and a place in another zone where its server starts when the first one is
 * lost. That is what RDS does with it, too: "the primary DB instance is synchronously replicated across Availability
 * Zones to a standby replica", by storage, and the standby recovers from its copy ("Multi-AZ DB instance deployments",
 * the guide). Nothing that was committed is lost, since it is on the volume (innodb_flush_log_at_trx_commit,
 * sync_binlog). Here both zones have the one disk of this machine: no second copy of the data is made. */
#include "base/log.h"
#include "services/rds/maria.h"

enum { LOOK_MS = 1000 };

static struct rds_rec_node *standby_of(const struct rds_rec_instance *r)
{
	for (size_t i = 0; i < r->nodes.n; i++)
		if (!str_eq(r->nodes.v[i].letter, r->primary)) return &r->nodes.v[i];
	return NULL;
}

static bool zone_down(struct rds_work *w, const struct rds_rec_node *n)
{
	return ec2_zone_is_down(w->at.tx, w->at.a, n->zone);
}

bool rds_maria_standby_runs(struct rds_work *w)
{
	const struct rds_rec_node *n = standby_of(w->r);
	return n && str_is(w->r->db_instance_status, "available") && str_is(n->state, "up") && !zone_down(w, n);
}

status rds_maria_failover(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *old = rds_node(r, r->primary), *n = standby_of(r);
	struct str why = STR_NONE;
	if (!n || !str_is(n->state, "up") || zone_down(w, n)) return STATUS(NOT_FOUND);
	rds_instance_event(w->at, w->now_ms, r, "failover", "Multi-AZ instance failover started.");
	/* The volume is one server's. */
	TRY(rds_node_stop(w->cloud, w->at.a, r, old->letter, true));
	r->primary = n->letter;
	r->availability_zone = n->zone;
	old->state = STR("new");
	r->synced = SOME_BOOL(false);
	TRY(rds_node_settings(w, n, true));
	const char *args[] = {str_z(w->at.a, n->letter), NULL};
	TRY(rds_run(w->cloud, w->at.a,
		&(struct rds_script){.folder = rds_folder(w->at.a, r), .text = STR("ln -sfn $1 primary"), .args = args},
		&why));
	status s = rds_node_start(w->cloud, w->at.a, r, n, &why);
	if (!is_ok(s))
		log_warn("rds", "failover", "status=%s why=\"%.*s\"", status_name(s), STR_ARG(str_or(why, STR(""))));
	rds_instance_event(w->at, w->now_ms, r, "failover", "Multi-AZ instance failover completed");
	log_info("rds", "failover", "instance=%.*s to=%.*s", STR_ARG(r->db_instance_identifier), STR_ARG(n->zone));
	return OK;
}

/* Its folders, settings and certificate are there: its server may be started. */
static status prepare(struct rds_work *w, struct rds_rec_node *n)
{
	struct str why = STR_NONE;
	if (zone_down(w, n)) {
		n->state = STR("made");
		w->r->synced = SOME_BOOL(false);
		return OK;
	}
	if (str_is(n->state, "up")) return OK;
	status s = rds_node_folders(w->cloud, w->at.a, w->r, n->letter, &why);
	if (is_ok(s)) s = rds_node_certificate(w, n);
	if (!is_ok(s)) {
		log_warn("rds", "standby", "status=%s", status_name(s));
		rds_again(w, RDS_LATER_MS * 4);
		return status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT) ? s : OK;
	}
	n->state = STR("up");
	w->r->synced = SOME_BOOL(true);
	return OK;
}

status rds_maria_standby(struct rds_work *w, bool *moved)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *primary = rds_node(r, r->primary), *n = standby_of(r);
	struct str state = STR("");
	*moved = false;
	if (!n) return OK;
	if (!is_ok(rds_node_state(w->cloud, w->at.a, r, primary->letter, &state))) {
		rds_again(w, RDS_LATER_MS);
		return OK;
	}
	bool lost = !str_is(state, "running") || zone_down(w, primary);
	rds_again(w, LOOK_MS);
	if (!lost || !str_is(n->state, "up")) return prepare(w, n);
	status s = rds_failover(w);
	*moved = is_ok(s);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}
