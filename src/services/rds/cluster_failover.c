/* A cluster's writer fails, or is asked to step back: another node takes over. Two transactions: one says which node
 * (`heir`), the next one fences the old writer and promotes that node; so whoever goes on after a crash promotes the
 * same one. "High availability for Amazon Aurora", the Aurora guide; "Multi-AZ DB cluster deployments", the guide. */
#include "base/log.h"
#include "services/rds/cluster.h"
#include <stdio.h>
#include <unistd.h>

enum { STATEMENT_MS = 5000, SETTLE_MS = 500, MISSED_MS = 200, REBUILD_MS = 60000, TIER_DEFAULT = 1, FAILURES_MAX = 5 };

static bool zone_down(struct rds_work *w, const struct rds_rec_node *n)
{
	return ec2_zone_is_down(w->at.tx, w->at.a, n->zone);
}

static bool runs(struct rds_work *w, const struct rds_rec_node *n)
{
	struct str state;
	return is_ok(rds_node_state(w->cloud, w->at.a, w->r, n->letter, &state)) && str_is(state, "running");
}

static bool can_lead(struct rds_work *w, const struct rds_rec_node *n)
{
	return !str_eq(n->letter, w->r->primary) && str_is(n->state, "up") && !n->leaving.v && !zone_down(w, n) &&
	       runs(w, n);
}

/* May have confirmed a commit: it is, or was until a moment ago, among those that commits wait for. */
static bool may_have_confirmed(const struct rds_rec_instance *r, const struct rds_rec_node *n)
{
	return !str_eq(n->letter, r->primary) &&
	       (str_is(n->state, "up") || str_is(n->state, "catching") || str_is(n->state, "parting"));
}

/* "The promotion tier, then the largest, then any": the one that was asked for before all. */
static struct rds_rec_node *choose_by_tier(struct rds_work *w)
{
	struct rds_rec_node *best = NULL;
	unsigned best_memory = 0;
	for (size_t i = 0; i < w->r->nodes.n; i++) {
		struct rds_rec_node *n = &w->r->nodes.v[i];
		struct rds_class k = {0, 0};
		if (!can_lead(w, n)) continue;
		if (str_has(w->r->target) && str_eq(n->instance, w->r->target)) return n;
		rds_class_find(n->db_instance_class, &k);
		int32_t tier = n->tier.has ? n->tier.v : TIER_DEFAULT;
		int32_t best_tier = best && best->tier.has ? best->tier.v : TIER_DEFAULT;
		if (!best || tier < best_tier || (tier == best_tier && k.memory_mib > best_memory))
			best = n, best_memory = k.memory_mib;
	}
	return best;
}

static status far(struct rds_work *w, const struct rds_rec_node *n, int64_t *bytes)
{
	struct pg p;
	struct pg_rows rows;
	*bytes = 0;
	TRY(rds_connect(w->cloud, w->at.a, w->r, n->letter, STR("postgres"), &p, NULL));
	status s = pg_query(&p, w->at.a,
		STR("SELECT greatest(coalesce(pg_last_wal_receive_lsn(), '0/0'), coalesce(pg_last_wal_replay_lsn(), "
		    "'0/0')) - '0/0'::pg_lsn"),
		STATEMENT_MS, &rows, NULL);
	pg_close(&p);
	TRY(s);
	if (rows.n != 1 || rows.v[0].n != 1) return STATUS(IO);
	return str_to_i64(rows.v[0].v[0], bytes);
}

/* The furthest of all that may have confirmed something has everything that was answered, if one of them is "up" and
 * none is missing; the writer is fenced before they are asked. NULL: nobody may take over now. */
static status choose_furthest(struct rds_work *w, struct rds_rec_node **out)
{
	bool one_up = false;
	int64_t most = -1;
	*out = NULL;
	for (size_t i = 0; i < w->r->nodes.n; i++) {
		struct rds_rec_node *n = &w->r->nodes.v[i];
		if (!may_have_confirmed(w->r, n)) continue;
		if (zone_down(w, n) || !runs(w, n)) return OK;
		one_up = one_up || str_is(n->state, "up");
	}
	if (!one_up) return OK;
	TRY(rds_node_stop(w->cloud, w->at.a, w->r, w->r->primary, true));
	struct rds_rec_node *best = NULL;
	for (size_t i = 0; i < w->r->nodes.n; i++) {
		struct rds_rec_node *n = &w->r->nodes.v[i];
		int64_t bytes;
		if (!may_have_confirmed(w->r, n)) continue;
		TRY(far(w, n, &bytes));
		if (bytes > most || (bytes == most && str_eq(n->instance, str_or(w->r->target, STR("")))))
			most = bytes, best = n;
	}
	*out = best;
	return OK;
}

/* Where the promoted one finds what is left of the log: settings.c's restore_command. letter STR_NONE: nowhere. */
static status fallen(struct rds_work *w, struct str letter)
{
	const char *path = rds_path(w->cloud, w->at.a, rds_folder(w->at.a, w->r), "fallen");
	unlink(path);
	return !str_has(letter) || symlink(str_z(w->at.a, letter), path) == 0 ? OK : STATUS(IO);
}

static status take_over(struct rds_work *w, bool *moved)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *n = rds_node(r, r->heir), *old = rds_node(r, r->primary);
	struct str why = STR_NONE;
	bool ready;
	*moved = true;
	if (!n) {
		r->heir = STR_NONE;
		rds_again(w, 1);
		return OK;
	}
	if (old) TRY(rds_node_stop(w->cloud, w->at.a, r, old->letter, true));
	if (rds_is_aurora(r) && old) TRY(fallen(w, old->letter));
	/* It may have ended, and may have been promoted by a run of this that was cut short: no other may lead now. */
	status s = rds_node_make(w, n, &ready, &why);
	if (!is_ok(s) || !ready) {
		rds_again(w, is_ok(s) ? RDS_SOON_MS : RDS_LATER_MS);
		return status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT) ? s : OK;
	}
	struct str was = r->primary;
	r->primary = n->letter;
	s = rds_node_promote(w, n);
	if (!is_ok(s)) {
		r->primary = was;
		rds_again(w, RDS_LATER_MS);
		return status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT) ? s : OK;
	}
	r->availability_zone = n->zone;
	n->state = STR("up"), n->lsn = STR_NONE;
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct rds_rec_node *other = &r->nodes.v[i];
		/* They follow the new one; the old writer's data are begun anew: it may have what was never answered.
		 */
		if (other != n && !str_is(other->state, "new"))
			other->state = other == old ? STR("new") : STR("made"), other->lsn = STR_NONE;
	}
	const char *args[] = {
		str_z(w->at.a, str_or(old ? old->letter : STR_NONE, n->letter)), str_z(w->at.a, n->letter), NULL};
	s = rds_run(w->cloud, w->at.a,
		&(struct rds_script){.folder = rds_folder(w->at.a, r),
			.text = STR("[ $1 = $2 ] || rm -rf $1/made\nln -sfn $2 primary\nrm -f fallen\n"),
			.args = args},
		&why);
	TRY(s);
	if (old && !old->leaving.v) TRY(rds_member_tell(w, old, "rebooting"));
	r->heir = r->target = STR_NONE;
	if (str_is(str_or(r->wanted, STR("")), "failover")) r->wanted = STR_NONE;
	if (str_is(r->db_instance_status, "failing-over")) r->db_instance_status = STR("available");
	rds_cluster_event(
		w, "failover", str_fmt(w->at.a, "Completed failover to DB instance: %.*s", STR_ARG(n->instance)).p);
	log_info("rds", "failover", "cluster=%.*s to=%.*s", STR_ARG(r->db_instance_identifier), STR_ARG(n->instance));
	rds_again(w, 1);
	return OK;
}

/* A request waits for a reader that is on its way: the one that was asked for, or any. */
static bool waits_for(const struct rds_rec_instance *r, const struct rds_rec_node *n)
{
	bool found = n && (!str_has(r->target) || str_eq(n->instance, r->target)), coming = false;
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct rds_rec_node *o = &r->nodes.v[i];
		if (str_eq(o->letter, r->primary) || (str_has(r->target) && !str_eq(o->instance, r->target))) continue;
		coming = coming || (!str_is(o->state, "up") && !o->leaving.v && o->failures.v < FAILURES_MAX);
	}
	return !found && coming;
}

status rds_cluster_failover(struct rds_work *w, bool *moved, bool *lost)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_node *p = rds_node(r, r->primary), *n = NULL;
	*moved = *lost = false;
	if (str_has(r->heir)) return take_over(w, moved);
	if (!p || r->nodes.n < 2) {
		if (str_is(str_or(r->wanted, STR("")), "failover")) r->wanted = r->target = STR_NONE;
		return OK;
	}
	bool asked = str_is(str_or(r->wanted, STR("")), "failover");
	*lost = str_is(p->state, "up") && (zone_down(w, p) || !runs(w, p));
	if (!asked && !*lost && !p->leaving.v) return OK;
	if (rds_is_aurora(r))
		n = choose_by_tier(w);
	else
		TRY(choose_furthest(w, &n));
	if (asked && waits_for(r, n)) {
		rds_again(w, RDS_SOON_MS * 2);
		return OK;
	}
	if (!n) {
		/* A request that nobody can meet is over; a writer that is lost starts again where it is. */
		if (asked) {
			r->wanted = r->target = STR_NONE;
			if (str_is(r->db_instance_status, "failing-over")) r->db_instance_status = STR("available");
			rds_cluster_event(w, "failover", "The failover was not started: no reader can take over.");
		}
		return OK;
	}
	r->heir = n->letter;
	if (str_is(r->db_instance_status, "available")) r->db_instance_status = STR("failing-over");
	rds_cluster_event(
		w, "failover", str_fmt(w->at.a, "Started failover to DB instance: %.*s", STR_ARG(n->instance)).p);
	*moved = true;
	rds_again(w, 1);
	return OK;
}

/* ── following ── */

/* A follower that does not follow for a minute of the machine's time (its history may have gone another way) begins
 * anew. */
static status rebuild_when_late(struct rds_work *w, struct rds_rec_node *n, bool streams)
{
	int64_t machine_ms = w->now_ms - clock_offset(w->cloud->clock);
	struct str why = STR_NONE;
	if (streams || !n->since.has) n->since = SOME_TIME(machine_ms);
	if (machine_ms - n->since.ms < REBUILD_MS) return OK;
	log_warn("rds", "rebuild", "cluster=%.*s node=%.*s", STR_ARG(w->r->db_instance_identifier),
		STR_ARG(n->instance));
	n->state = STR("new"), n->since = (struct opt_time){0}, n->lsn = STR_NONE;
	TRY(rds_node_stop(w->cloud, w->at.a, w->r, n->letter, true));
	const char *args[] = {str_z(w->at.a, n->letter), NULL};
	return rds_run(w->cloud, w->at.a,
		&(struct rds_script){.folder = rds_folder(w->at.a, w->r), .text = STR("rm -rf $1/made"), .args = args},
		&why);
}

static size_t others_up(const struct rds_rec_instance *r, const struct rds_rec_node *n)
{
	size_t up = 0;
	for (size_t i = 0; i < r->nodes.n; i++)
		up += &r->nodes.v[i] != n && !str_eq(r->nodes.v[i].letter, r->primary) &&
		      str_is(r->nodes.v[i].state, "up");
	return up;
}

/* A node that is not to be counted on any more. Told first, done after: without another one that is up, the writer's
 * own disk is all there is. */
void rds_cluster_lose(const struct rds_rec_instance *r, struct rds_rec_node *n)
{
	bool counted = str_is(n->state, "up") || str_is(n->state, "catching") || str_is(n->state, "parting");
	if (!counted) return;
	bool parts = !rds_is_aurora(r) && !str_eq(n->letter, r->primary) && others_up(r, n);
	n->state = parts ? STR("parting") : STR("made"), n->lsn = STR_NONE, n->settling = (struct opt_bool){0};
}

/* The states of a node of a Multi-AZ DB cluster: "new" ─▶ "made" ─▶ streaming ─▶ "catching": commits may wait for it ─▶
 * "up": it has all that was ever answered before. When it fails: "parting": commits do not wait for it any more, but it
 * may have confirmed what no other has, until another one is seen to have it ─▶ "made". */
static status follow_one(struct rds_work *w, struct pg *p, struct rds_rec_node *n)
{
	struct rds_rec_node *writer = rds_node(w->r, w->r->primary);
	struct rds_sight sight;
	TRY(rds_look(w, p, n, "quorum", &sight));
	TRY(rebuild_when_late(w, n, sight.streams));
	if (rds_is_aurora(w->r)) {
		if (sight.streams && str_is(n->state, "made")) n->state = STR("up");
		if (!str_is(n->state, "up")) rds_again(w, RDS_SOON_MS * 2);
		return OK;
	}
	if (str_is(n->state, "up") && !rds_node_missed(n, sight.streams)) {
		if (!sight.streams) rds_again(w, MISSED_MS);
		return OK;
	}
	if (str_is(n->state, "up")) {
		rds_cluster_lose(w->r, n);
		rds_again(w, 1);
		return OK;
	}
	if (str_is(n->state, "parting")) {
		TRY(rds_node_reload(w, writer, p));
		if (sight.streams) {
			n->state = STR("catching"), n->lsn = STR_NONE; /* it is back */
		} else if (!str_has(n->lsn)) {
			struct pg_rows rows;
			rds_again(w, SETTLE_MS);
			if (!n->settling.v) {
				n->settling = SOME_BOOL(true);
				return OK;
			}
			TRY(pg_query(p, w->at.a, STR("SELECT pg_current_wal_flush_lsn()"), STATEMENT_MS, &rows, NULL));
			if (rows.n == 1) n->lsn = rows.v[0].v[0];
			n->settling = (struct opt_bool){0};
		} else {
			for (size_t i = 0; i < w->r->nodes.n; i++) {
				struct rds_rec_node *other = &w->r->nodes.v[i], asked = *other;
				if (other == n || other == writer || !str_is(other->state, "up")) continue;
				asked.lsn = n->lsn;
				TRY(rds_look(w, p, &asked, "quorum", &sight));
				if (sight.has_mark) n->state = STR("made");
			}
			if (str_is(n->state, "made")) n->lsn = STR_NONE;
			rds_again(w, RDS_SOON_MS * 5);
		}
		return OK;
	}
	if (str_is(n->state, "made") && sight.streams) {
		n->state = STR("catching"), n->lsn = STR_NONE;
		TRY(rds_node_reload(w, writer, p));
		rds_again(w, rds_is_fresh(w->r) ? 1 : SETTLE_MS);
		return OK;
	}
	if (str_is(n->state, "catching")) {
		if (!sight.streams) {
			/* It may have confirmed something in the meantime. */
			rds_cluster_lose(w->r, n);
			rds_again(w, 1);
			return OK;
		}
		if (sight.waits && !str_has(n->lsn)) n->lsn = sight.now;
		if (sight.waits && sight.has_mark && str_has(n->lsn)) {
			n->state = STR("up"), n->lsn = STR_NONE;
			return OK;
		}
	}
	if (!str_is(n->state, "up")) {
		TRY(rds_node_reload(w, writer, p));
		rds_again(w, rds_is_fresh(w->r) ? RDS_SOON_MS : RDS_SOON_MS * 5);
	}
	return OK;
}

status rds_cluster_follow(struct rds_work *w, struct pg *p)
{
	for (size_t i = 0; i < w->r->nodes.n; i++) {
		struct rds_rec_node *n = &w->r->nodes.v[i];
		if (str_eq(n->letter, w->r->primary) || n->leaving.v || str_is(n->state, "new")) continue;
		TRY(follow_one(w, p, n));
	}
	return OK;
}
