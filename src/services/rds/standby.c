/* A Multi-AZ instance's standby: a server in another zone that has each commit on disk before the client hears of it.
 * "Multi-AZ DB instance deployments", the guide.
 *
 * The states of its node: "new" ─▶ copying ─▶ "made" ─▶ streaming ─▶ "catching": commits wait for it ─▶ "up": it has
 * all that was ever answered. Only one that is "up" may take over. Before commits stop waiting for it (it ended, its
 * zone failed), the record says that it is no longer "up": so a crash between the two loses nothing. */
#include "base/log.h"
#include "services/rds/postgres.h"

enum { STATEMENT_MS = 5000, PROMOTE_MS = 20000, SETTLE_MS = 500, MISSED_MS = 200, LOOK_MS = 1000 };

static struct rds_rec_node *standby_of(const struct rds_rec_instance *r)
{
	for (size_t i = 0; i < r->nodes.n; i++)
		if (!str_eq(r->nodes.v[i].letter, r->primary)) return &r->nodes.v[i];
	return NULL;
}

bool rds_standby_ready(const struct rds_rec_instance *r)
{
	const struct rds_rec_node *n = standby_of(r);
	return n && str_is(n->state, "up");
}

static bool zone_down(struct rds_work *w, const struct rds_rec_node *n)
{
	return ec2_zone_is_down(w->at.tx, w->at.a, n->zone);
}

bool rds_pg_standby_runs(struct rds_work *w)
{
	const struct rds_rec_node *n = standby_of(w->r);
	struct str state;
	return n && str_is(w->r->db_instance_status, "available") && str_is(n->state, "up") && !zone_down(w, n) &&
	       is_ok(rds_node_state(w->cloud, w->at.a, w->r, n->letter, &state)) && str_is(state, "running");
}

/* With the old primary out of the way: its promotion. */
status rds_node_promote(struct rds_work *w, struct rds_rec_node *n)
{
	struct pg p;
	struct pg_rows rows;
	struct str why = STR_NONE;
	status s = rds_connect(w->cloud, w->at.a, w->r, n->letter, STR("postgres"), &p, &why);
	if (!is_ok(s)) return s;
	s = pg_query(&p, w->at.a, STR("SELECT pg_promote(true, 15)"), PROMOTE_MS, &rows, &why);
	/* It has not read all of the log yet. */
	if (is_ok(s) && (rows.n != 1 || !str_is(rows.v[0].v[0], "t"))) s = STATUS(BUSY);
	/* A second try of one that was promoted already: "55000: recovery is not in progress". */
	if (status_is(s, STATUS_INVALID) && str_starts(str_or(why, STR("")), STR("55000"))) s = OK;
	/* The records say who is primary: the files follow, clients are let in. */
	if (is_ok(s)) s = rds_node_reload(w, n, &p);
	pg_close(&p);
	if (!is_ok(s))
		log_warn("rds", "promotion", "status=%s why=\"%.*s\"", status_name(s), STR_ARG(str_or(why, STR(""))));
	return s;
}

status rds_pg_failover(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *old = rds_node(r, r->primary), *n = standby_of(r);
	struct str state;
	if (!n || !str_is(n->state, "up") || zone_down(w, n)) return STATUS(NOT_FOUND);
	TRY(rds_node_state(w->cloud, w->at.a, r, n->letter, &state));
	if (!str_is(state, "running")) return STATUS(NOT_FOUND);
	rds_instance_event(w->at, w->now_ms, r, "failover", "Multi-AZ instance failover started.");
	/* It must not go on, wherever it is. */
	TRY(rds_node_stop(w->cloud, w->at.a, r, old->letter, true));
	r->primary = n->letter;
	r->availability_zone = n->zone;
	old->state = STR("new");
	/* Its folder is begun anew. */
	struct str why = STR_NONE;
	status s = rds_node_promote(w, n);
	if (!is_ok(s)) return s;
	r->synced = SOME_BOOL(false);
	rds_instance_event(w->at, w->now_ms, r, "failover", "Multi-AZ instance failover completed");
	const char *args[] = {str_z(w->at.a, old->letter), str_z(w->at.a, n->letter), NULL};
	s = rds_run(w->cloud, w->at.a,
		&(struct rds_script){.folder = rds_folder(w->at.a, r),
			.text = STR("rm -rf $1/made; ln -sfn $2 primary"),
			.args = args},
		&why);
	log_info("rds", "failover", "instance=%.*s to=%.*s", STR_ARG(r->db_instance_identifier), STR_ARG(n->zone));
	return is_ok(s) ? OK : s;
}

status rds_look(
	struct rds_work *w, struct pg *p, const struct rds_rec_node *n, const char *waiting, struct rds_sight *out)
{
	struct pg_rows rows;
	*out = (struct rds_sight){.now = STR_NONE};
	TRY(pg_query(p, w->at.a,
		str_fmt(w->at.a,
			"SELECT state = 'streaming', sync_state = '%s', flush_lsn >= %.*s::pg_lsn, "
			"pg_current_wal_flush_lsn() FROM pg_stat_replication WHERE application_name = 'node_%.*s' "
			"ORDER BY 1 DESC LIMIT 1",
			waiting, STR_ARG(pg_literal(w->at.a, str_or(n->lsn, STR("FFFFFFFF/0")))), STR_ARG(n->letter)),
		STATEMENT_MS, &rows, NULL));
	if (rows.n != 1 || rows.v[0].n != 4) return OK;
	out->streams = str_is(str_or(rows.v[0].v[0], STR("")), "t");
	out->waits = out->streams && str_is(str_or(rows.v[0].v[1], STR("")), "t");
	out->has_mark = out->streams && str_is(str_or(rows.v[0].v[2], STR("")), "t");
	out->now = rows.v[0].v[3];
	return OK;
}

static status follow(struct rds_work *w, struct pg *p, struct rds_rec_node *n)
{
	struct rds_sight sight;
	TRY(rds_look(w, p, n, "sync", &sight));
	if (str_is(n->state, "up")) {
		if (!rds_node_missed(n, sight.streams)) {
			if (!sight.streams) rds_again(w, MISSED_MS);
			return OK;
		}
		/* Told first, done after: see above. */
		n->state = STR("made"), n->lsn = STR_NONE;
		w->r->synced = SOME_BOOL(false);
		rds_again(w, 1);
		return OK;
	}
	if (str_is(n->state, "made") && sight.streams) {
		n->state = STR("catching"), n->lsn = STR_NONE;
		TRY(rds_node_reload(w, rds_node(w->r, w->r->primary), p));
		/* Until every session has heard that it has to wait; a fresh one's have from the start. */
		rds_again(w, rds_is_fresh(w->r) ? 1 : SETTLE_MS);
		return OK;
	}
	if (str_is(n->state, "catching")) {
		if (!sight.streams) n->state = STR("made"), n->lsn = STR_NONE;
		if (sight.waits && !str_has(n->lsn)) n->lsn = sight.now;
		if (sight.waits && sight.has_mark && str_has(n->lsn)) {
			n->state = STR("up");
			w->r->synced = SOME_BOOL(true);
			return OK;
		}
	}
	/* Commits do not wait for one that does not stream. */
	TRY(rds_node_reload(w, rds_node(w->r, w->r->primary), p));
	rds_again(w, rds_is_fresh(w->r) ? RDS_SOON_MS : RDS_SOON_MS * 5);
	return OK;
}

/* Its standby is made and starts while the primary does. */
status rds_standby_beside(struct rds_work *w)
{
	struct rds_rec_node *n = standby_of(w->r);
	struct str why = STR_NONE;
	bool ready;
	if (!n || !rds_is_fresh(w->r)) return OK;
	status s = rds_node_make(w, n, &ready, &why);
	return status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT) ? s : OK; /* else rds_standby tells */
}

status rds_pg_standby(struct rds_work *w, bool *moved)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *primary = rds_node(r, r->primary), *n = standby_of(r);
	struct str state = STR(""), why = STR_NONE;
	bool ready;
	*moved = false;
	if (!n) return OK;
	status s = rds_node_state(w->cloud, w->at.a, r, primary->letter, &state);
	if (!is_ok(s)) {
		rds_again(w, RDS_LATER_MS);
		return OK;
	}
	/* One that is not there was stopped by an earlier run of this. */
	bool lost = !str_is(state, "running") || zone_down(w, primary);
	if (lost && str_is(n->state, "up")) {
		s = rds_failover(w);
		*moved = is_ok(s);
		if (is_ok(s)) return OK;
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
	}
	if (lost || !str_is(primary->state, "up")) return OK;
	if (zone_down(w, n)) {
		if (str_is(n->state, "up") || str_is(n->state, "catching")) {
			n->state = STR("made"), n->lsn = STR_NONE;
			r->synced = SOME_BOOL(false);
			rds_again(w, 1);
			return OK;
		}
		/* Nothing crosses into a failed zone. */
		TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, true));
	} else if (!str_is(n->state, "up")) {
		s = rds_node_make(w, n, &ready, &why);
		if (!is_ok(s)) {
			log_warn("rds", "standby", "status=%s why=\"%.*s\"", status_name(s),
				STR_ARG(str_or(why, STR(""))));
			rds_again(w, RDS_LATER_MS * 4);
			return OK;
		}
		if (!ready) return OK;
	} else {
		s = rds_node_state(w->cloud, w->at.a, r, n->letter, &state);
		if (is_ok(s) && !str_is(state, "running")) {
			n->state = STR("made"), n->lsn = STR_NONE;
			r->synced = SOME_BOOL(false);
			rds_again(w, 1);
			return OK;
		}
	}
	struct pg p;
	if (!is_ok(rds_connect(w->cloud, w->at.a, r, primary->letter, STR("postgres"), &p, &why))) {
		rds_again(w, RDS_SOON_MS);
		return OK;
	}
	s = follow(w, &p, n);
	pg_close(&p);
	rds_again(w, LOOK_MS);
	if (is_ok(s) || status_is(s, STATUS_CONFLICT)) return s;
	rds_again(w, RDS_LATER_MS);
	return OK;
}
