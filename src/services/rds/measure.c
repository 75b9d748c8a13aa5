/* Metrics, once a minute, of what really stands: "Amazon RDS CloudWatch instance-level metrics", the guide. */
#include "services/rds/measure.h"
#include "host/engines/engine.h"
#include "services/rds/cluster.h"

enum { PERIOD_MS = 60000, STATEMENT_MS = 5000 };

void rds_point(struct rds_points *p, const char *name, const char *unit, double value)
{
	for (size_t i = 0; i < p->n_sets; i++) {
		struct metric *m = arena_new(p->w->at.a, struct metric);
		*m = (struct metric){.account = p->w->at.account,
			.region = p->w->at.region,
			.space = STR("AWS/RDS"),
			.name = str_c(name),
			.dimensions = p->dimensions[i],
			.n_dimensions = p->n_dimensions[i]};
		INVARIANT(p->n < RDS_METRICS_MAX);
		p->v[p->n++] = (struct metric_point){
			.metric = m, .at_ms = p->w->now_ms, .unit = unit, .value = value, .times = 1};
	}
}

/* The group of the server's processes: what they have used of processors since the last look, and of memory now. */
static status host_side(struct rds_points *p)
{
	struct rds_work *w = p->w;
	struct rds_rec_instance *r = p->of;
	struct compute_rec_engine_statuses all = {0};
	struct rds_class k = {2, 1024};
	struct str id = rds_engine_id(w->at.a, w->r, p->letter);
	rds_class_find(r->db_instance_class, &k);
	TRY(host_engine_list(w->cloud->host, w->at.a, &all));
	for (size_t i = 0; i < all.engines.n; i++) {
		const struct compute_rec_engine_status *e = &all.engines.v[i];
		if (!str_eq(e->id, id) || !str_is(e->state, "running")) continue;
		rds_point(p, "FreeableMemory", "Bytes", (double)(((int64_t)k.memory_mib << 20) - e->memory_bytes.v));
		int64_t passed_us = r->measured.has ? (w->now_ms - r->measured.ms) * 1000 : 0;
		/* A server that was started again begins at nothing. */
		if (r->cpu_us.has && e->cpu_us.v >= r->cpu_us.v && passed_us > 0) {
			double busy = (double)(e->cpu_us.v - r->cpu_us.v) / (double)passed_us / k.vcpus * 100;
			rds_point(p, "CPUUtilization", "Percent", busy > 100 ? 100 : busy);
		}
		r->cpu_us = e->cpu_us;
	}
	return OK;
}

/* What a server can tell only while it leads, or only while it follows, is NULL otherwise. */
static const struct {
	const char *name, *unit, *sql;
} asked[] = {
	/* Sessions of customers: not virga's own, nor the server's. */
	{"DatabaseConnections", "Count",
		"(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> "
		"'rdsadmin')"},
	{"MaximumUsedTransactionIDs", "Count", "(SELECT max(age(datfrozenxid)) FROM pg_database)"},
	{"TransactionLogsDiskUsage", "Bytes", "(SELECT sum(size) FROM pg_ls_waldir())"},
	{"ReplicaLag", "Seconds",
		"CASE WHEN pg_is_in_recovery() THEN CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() "
		"THEN 0 ELSE "
		"coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0) END END"},
	/* Of what was allocated. */
	{"FreeStorageSpace", "Bytes", "(SELECT sum(pg_database_size(oid)) FROM pg_database)"},
};
enum { N_ASKED = sizeof(asked) / sizeof(*asked) };

status rds_pg_measure(struct rds_points *p, void *session)
{
	struct pg *g = session;
	struct buf b = BUF_IN(p->w->at.a);
	struct pg_rows rows;
	double value;
	buf_lit(&b, "SELECT ");
	for (size_t i = 0; i < N_ASKED; i++) buf_fmt(&b, "%s%s", i ? ", " : "", asked[i].sql);
	TRY(pg_query(g, p->w->at.a, buf_done(&b), STATEMENT_MS, &rows, NULL));
	if (rows.n != 1 || rows.v[0].n != N_ASKED) return OK;
	for (size_t i = 0; i < N_ASKED; i++) {
		struct str text = rows.v[0].v[i];
		if (!str_has(text) || !is_ok(str_to_f64(text, &value))) continue;
		const char *name = asked[i].name, *unit = asked[i].unit;
		if (rds_is_aurora(p->w->r) && strcmp(name, "ReplicaLag") == 0)
			name = "AuroraReplicaLag", unit = "Milliseconds", value *= 1000;
		/* A cluster's volume has no size of its own: what is used of it is told. */
		if (strcmp(name, "FreeStorageSpace") == 0 && rds_is_aurora(p->w->r))
			name = "VolumeBytesUsed";
		else if (strcmp(name, "FreeStorageSpace") == 0)
			value = (double)((int64_t)p->w->r->allocated_storage.v << 30) - value;
		rds_point(p, name, unit, value);
	}
	return OK;
}

static status measure(struct rds_points *p, status (*server)(struct rds_points *p, void *session), void *session)
{
	struct rds_work *w = p->w;
	struct rds_rec_instance *r = p->of;
	if (r->next_measure.has && r->next_measure.ms > w->now_ms) {
		rds_again(w, r->next_measure.ms - w->now_ms);
		return OK;
	}
	TRY(host_side(p));
	TRY(server(p, session));
	r->measured = SOME_TIME(w->now_ms);
	r->next_measure = SOME_TIME(w->now_ms + PERIOD_MS);
	rds_again(w, PERIOD_MS);
	return metrics_put_in(w->at.tx, w->at.a, p->v, p->n, w->now_ms);
}

status rds_measure(struct rds_work *w, status (*server)(struct rds_points *p, void *session), void *session)
{
	struct rds_points *p = arena_new(w->at.a, struct rds_points);
	*p = (struct rds_points){.w = w,
		.of = w->r,
		.letter = w->r->primary,
		.dimensions = {{{STR("DBInstanceIdentifier"), w->r->db_instance_identifier}}},
		.n_dimensions = {1},
		.n_sets = 1};
	return measure(p, server, session);
}

status rds_member_measure(struct rds_work *w, const struct rds_rec_node *n, struct pg *session)
{
	struct rds_rec_instance m;
	status s = rds_member_load(w->at, n, &m);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct metric_dimension cluster = {STR("DBClusterIdentifier"), w->r->db_instance_identifier};
	struct opt_time was = m.next_measure;
	struct rds_points *p = arena_new(w->at.a, struct rds_points);
	*p = (struct rds_points){.w = w,
		.of = &m,
		.letter = n->letter,
		.dimensions = {{{STR("DBInstanceIdentifier"), m.db_instance_identifier}}, {cluster},
			{cluster, {STR("Role"), str_eq(n->letter, w->r->primary) ? STR("WRITER") : STR("READER")}}},
		.n_dimensions = {1, 1, 2},
		.n_sets = 3};
	TRY(measure(p, rds_pg_measure, session));
	if (m.next_measure.ms != was.ms) rds_instance_put(w->at, &m);
	return OK;
}
