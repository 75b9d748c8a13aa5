/* Read replicas and restores, from the controller's side: what they want of their source, and how they leave it. */
#include "base/log.h"
#include "services/rds/postgres.h"
#include <sys/stat.h>

enum { STATEMENT_MS = 20000 };

static status source_of(struct rds_work *w, struct rds_rec_instance *out, struct rds_place *at)
{
	struct rds_rec_owner o;
	TRY(rds_owner(w->at.tx, w->at.a, w->r->origin->source, &o));
	*at = (struct rds_place){w->at.tx, w->at.a, o.account, o.region};
	return rds_load(*at, rds_kind_of(w->r->origin->source), o.name, out);
}

/* A message of the log is a commit after the moment asked for, so that the replay has something to stop at; then the
 * segment that holds it is closed, and archived. */
status rds_pg_source_archive(struct rds_work *w, bool *done)
{
	struct rds_rec_instance from;
	struct rds_place at;
	struct pg p;
	struct pg_rows rows;
	struct stat st;
	struct str why = STR_NONE;
	*done = false;
	if (str_has(w->r->origin->wait)) {
		const char *file = str_fmt(w->at.a, "wal/%.*s", STR_ARG(w->r->origin->wait)).p;
		*done = stat(rds_path(w->cloud, w->at.a, w->r->origin->log_folder, file), &st) == 0;
		if (!*done) rds_again(w, RDS_SOON_MS);
		return OK;
	}
	status s = source_of(w, &from, &at);
	/* Gone meanwhile: what is archived is all there is. */
	if (status_is(s, STATUS_NOT_FOUND)) *done = true;
	if (*done) return OK;
	TRY(s);
	s = rds_connect(w->cloud, w->at.a, &from, from.primary, STR("postgres"), &p, &why);
	if (!is_ok(s)) {
		rds_again(w, RDS_LATER_MS);
		return OK;
	}
	s = pg_query(
		&p, w->at.a, STR("SELECT pg_logical_emit_message(true, 'rds', 'restore')"), STATEMENT_MS, NULL, &why);
	if (is_ok(s))
		s = pg_query(&p, w->at.a, STR("SELECT pg_walfile_name(pg_switch_wal())"), STATEMENT_MS, &rows, &why);
	pg_close(&p);
	if (is_ok(s) && rows.n == 1 && rows.v[0].n == 1 && str_has(rows.v[0].v[0]))
		w->r->origin->wait = rows.v[0].v[0];
	else
		log_warn("rds", "archive", "why=\"%.*s\"", STR_ARG(str_or(why, STR(""))));
	rds_again(w, is_ok(s) ? RDS_SOON_MS : RDS_LATER_MS);
	return OK;
}

status rds_source_forget(struct rds_work *w)
{
	struct rds_rec_instance from;
	struct rds_place at = w->at;
	size_t kept = 0;
	status s = w->r->origin && str_has(w->r->origin->source)
			   ? source_of(w, &from, &at)
			   : rds_load(at, &rds_kind_instance, w->r->read_replica_source_db_instance_identifier, &from);
	w->r->read_replica_source_db_instance_identifier = STR_NONE;
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < from.replicas.n; i++)
		if (!str_eq(from.replicas.v[i], w->r->db_instance_identifier))
			from.replicas.v[kept++] = from.replicas.v[i];
	from.replicas.n = kept;
	rds_instance_put(at, &from);
	return OK;
}

status rds_pg_promote(struct rds_work *w, bool *done)
{
	struct rds_rec_instance *r = w->r;
	struct pg p;
	struct str why = STR_NONE;
	*done = false;
	if (w->real && str_is(r->wanted, "promote")) {
		status s = rds_connect(w->cloud, w->at.a, r, r->primary, STR("postgres"), &p, &why);
		if (!is_ok(s)) {
			rds_again(w, RDS_LATER_MS);
			return OK;
		}
		s = pg_query(&p, w->at.a, STR("SELECT pg_promote(true, 15)"), STATEMENT_MS, NULL, &why);
		pg_close(&p);
		/* 55000: it is promoted already. */
		if (!is_ok(s) && !str_starts(str_or(why, STR("")), STR("55000"))) {
			log_warn("rds", "promotion", "why=\"%.*s\"", STR_ARG(str_or(why, STR(""))));
			rds_again(w, RDS_LATER_MS);
			return OK;
		}
		/* One effect to a transaction: a server that is stopped cannot be asked again. */
		r->wanted = STR("promoted");
		rds_again(w, 1);
		return OK;
	}
	/* "Amazon RDS reboots it": it leaves its source's folder. */
	if (w->real) TRY(rds_node_stop(w->cloud, w->at.a, r, r->primary, false));
	TRY(rds_source_forget(w));
	r->origin = NULL;
	if (w->real) TRY(rds_node_settings(w, rds_node(r, r->primary), true));
	rds_instance_event(
		w->at, w->now_ms, r, "read replica", "Replication for the Read Replica ended; it was promoted");
	*done = true;
	return OK;
}

status rds_replicas_free(struct rds_work *w, bool *free)
{
	const struct rds_kind *kinds[] = {&rds_kind_instance, &rds_kind_cluster};
	*free = true;
	for (size_t k = 0; k < 2; k++) {
		struct rds_each e = rds_each_anywhere(w->at.tx, w->at.a, kinds[k]);
		while (rds_next(&e)) {
			const struct rds_rec_instance *i = e.record;
			if (i->origin && str_eq(str_or(i->origin->source, STR("")), w->r->dbi_resource_id))
				*free = false;
		}
		TRY(rds_each_end(&e));
	}
	return OK;
}
