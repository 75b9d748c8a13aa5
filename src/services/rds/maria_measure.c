/* What a MariaDB server tells of itself: "Amazon RDS CloudWatch instance-level metrics", the guide. */
#include "services/rds/maria.h"

static const struct {
	const char *name, *unit, *sql;
} asked[] = {
	/* Sessions of customers: not virga's own, nor the server's. */
	{"DatabaseConnections", "Count",
		"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER NOT IN ('root', 'engine', 'system "
		"user', "
		"'event_scheduler')"},
	/* Of what was allocated. */
	{"FreeStorageSpace", "Bytes", "SELECT SUM(FILE_SIZE) FROM information_schema.INNODB_SYS_TABLESPACES"},
};
enum { LAG = 32 };

status rds_maria_measure(struct rds_points *p, void *session)
{
	struct rds_work *w = p->w;
	struct pg_rows rows;
	double value, all = 0;
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		TRY(my_query(session, w->at.a, str_c(asked[i].sql), RDS_MARIA_STATEMENT_MS, &rows, NULL));
		if (rows.n != 1 || rows.v[0].n != 1 || !is_ok(str_to_f64(str_or(rows.v[0].v[0], STR("")), &value)))
			continue;
		if (strcmp(asked[i].name, "FreeStorageSpace") == 0)
			value = (double)((int64_t)w->r->allocated_storage.v << 30) - value;
		rds_point(p, asked[i].name, asked[i].unit, value);
	}
	/* INVALID: binary logging is off. */
	status s = my_query(session, w->at.a, STR("SHOW BINARY LOGS"), RDS_MARIA_STATEMENT_MS, &rows, NULL);
	for (size_t i = 0; is_ok(s) && i < rows.n; i++)
		if (rows.v[i].n > 1 && is_ok(str_to_f64(str_or(rows.v[i].v[1], STR("")), &value))) all += value;
	if (is_ok(s)) rds_point(p, "BinLogDiskUsage", "Bytes", all);
	if (!is_ok(s) && !status_is(s, STATUS_INVALID)) return s;
	TRY(my_query(session, w->at.a, STR("SHOW SLAVE STATUS"), RDS_MARIA_STATEMENT_MS, &rows, NULL));
	if (rows.n == 1 && rows.v[0].n > LAG && is_ok(str_to_f64(str_or(rows.v[0].v[LAG], STR("-")), &value)))
		rds_point(p, "ReplicaLag", "Seconds", value);
	return OK;
}
