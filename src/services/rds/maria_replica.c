/* Read replicas of MariaDB: a copy of the source, which then asks it for its binary log from there on. RDS's
 * replication is nothing that a customer's security groups could cut off; so the replica asks virga, at a port of its
 * own place's loopback, and virga carries the connection to the source's socket. While virga is down, a replica lags.
 */
#include "base/log.h"
#include "base/rand.h"
#include "services/rds/maria.h"
#include <stdio.h>

enum { IO_RUNS = 10, SQL_RUNS = 11, READ_FILE = 5, READ_AT = 6, DONE_FILE = 9, DONE_AT = 21, COLUMNS_MIN = 33 };

static struct str user_of(struct arena *a, const struct rds_rec_instance *r)
{
	return str_fmt(a, "repl_%.*s", STR_ARG(str_from(r->dbi_resource_id, 3)));
}

void rds_maria_relay(struct rds_work *w, const struct rds_rec_node *n)
{
	rds_relay(rds_of(w->cloud), w->r->dbi_resource_id, n->eni, RDS_RELAY_PORT,
		rds_path(w->cloud, w->at.a, w->r->origin->log_folder, "primary/socket"));
}

static status source_of(struct rds_work *w, struct rds_rec_instance *out)
{
	struct rds_rec_owner o;
	TRY(rds_owner(w->at.tx, w->at.a, w->r->origin->source, &o));
	return rds_load((struct rds_place){w->at.tx, w->at.a, o.account, o.region}, &rds_kind_instance, o.name, out);
}

static status at_source(struct rds_work *w, struct str statement, struct str *why)
{
	struct rds_rec_instance from;
	struct pg p;
	TRY(source_of(w, &from));
	TRY(rds_maria_connect(w->cloud, w->at.a, &from, from.primary, &p, why));
	status s = my_query(&p, w->at.a, statement, RDS_MARIA_STATEMENT_MS, NULL, why);
	my_close(&p);
	return s;
}

/* Where the copy ends: the third word of what mariadb-backup tells of it. */
static struct str position(struct rds_work *w)
{
	char gtid[256] = "";
	FILE *f = fopen(rds_path(w->cloud, w->at.a, rds_folder(w->at.a, w->r), "position"), "re");
	if (f && fscanf(f, "%*s %*s %255[0-9,-]", gtid) != 1) *gtid = 0;
	if (f) fclose(f);
	return str_dup(w->at.a, str_c(gtid));
}

status rds_maria_follow(struct rds_work *w, struct rds_rec_node *n, struct pg *p, struct str *why)
{
	struct arena *a = w->at.a;
	struct pg_rows rows;
	rds_maria_relay(w, n);
	TRY(my_query(p, a, STR("SHOW SLAVE STATUS"), RDS_MARIA_STATEMENT_MS, &rows, why));
	if (rows.n) return my_query(p, a, STR("START SLAVE"), RDS_MARIA_STATEMENT_MS, NULL, why);
	struct str user = user_of(a, w->r),
		   password = rand_text(a, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), 32);
	TRY(at_source(w,
		str_fmt(a, "CREATE OR REPLACE USER '%.*s'@'localhost' IDENTIFIED BY '%.*s'", STR_ARG(user),
			STR_ARG(password)),
		why));
	TRY(at_source(w, str_fmt(a, "GRANT REPLICATION SLAVE ON *.* TO '%.*s'@'localhost'", STR_ARG(user)), why));
	TRY(my_query(p, a, str_fmt(a, "SET GLOBAL gtid_slave_pos = '%.*s'", STR_ARG(position(w))),
		RDS_MARIA_STATEMENT_MS, NULL, why));
	TRY(my_query(p, a,
		str_fmt(a,
			"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %d, MASTER_USER = '%.*s', "
			"MASTER_PASSWORD = '%.*s', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1",
			RDS_RELAY_PORT, STR_ARG(user), STR_ARG(password)),
		RDS_MARIA_STATEMENT_MS, NULL, why));
	return my_query(p, a, STR("START SLAVE"), RDS_MARIA_STATEMENT_MS, NULL, why);
}

/* What has come from the source is in force. */
static status caught_up(struct rds_work *w, struct pg *p, bool *is, struct str *why)
{
	struct pg_rows rows;
	*is = true;
	TRY(my_query(p, w->at.a, STR("STOP SLAVE IO_THREAD"), RDS_MARIA_STATEMENT_MS, NULL, why));
	TRY(my_query(p, w->at.a, STR("SHOW SLAVE STATUS"), RDS_MARIA_STATEMENT_MS, &rows, why));
	if (rows.n != 1 || rows.v[0].n < COLUMNS_MIN) return OK;
	struct str *v = rows.v[0].v;
	/* One that stopped at an error goes no further. */
	*is = !str_is(str_or(v[SQL_RUNS], STR("")), "Yes") ||
	      (str_eq(v[READ_FILE], v[DONE_FILE]) && str_eq(v[READ_AT], v[DONE_AT]));
	return OK;
}

status rds_maria_promote(struct rds_work *w, bool *done)
{
	struct rds_rec_instance *r = w->r;
	struct pg p;
	struct str why = STR_NONE;
	bool ready = false;
	*done = false;
	if (w->real && str_is(r->wanted, "promote")) {
		status s = rds_maria_connect(w->cloud, w->at.a, r, r->primary, &p, &why);
		if (is_ok(s)) {
			s = caught_up(w, &p, &ready, &why);
			if (is_ok(s) && ready)
				s = my_query(&p, w->at.a, STR("STOP SLAVE"), RDS_MARIA_STATEMENT_MS, NULL, &why);
			if (is_ok(s) && ready)
				s = my_query(&p, w->at.a, STR("RESET SLAVE ALL"), RDS_MARIA_STATEMENT_MS, NULL, &why);
			my_close(&p);
		}
		if (is_ok(s) && ready) r->wanted = STR("promoted");
		if (!is_ok(s)) log_warn("rds", "promotion", "why=\"%.*s\"", STR_ARG(str_or(why, STR(""))));
		/* One effect to a transaction: a server that is stopped cannot be asked again. */
		rds_again(w, ready ? 1 : is_ok(s) ? RDS_SOON_MS : RDS_LATER_MS);
		return OK;
	}
	/* "Amazon RDS reboots it": it may be written to from now on. */
	if (w->real) {
		TRY(rds_node_stop(w->cloud, w->at.a, r, r->primary, false));
		rds_relay(rds_of(w->cloud), r->dbi_resource_id, STR_NONE, 0, NULL);
		status s = at_source(w,
			str_fmt(w->at.a, "DROP USER IF EXISTS '%.*s'@'localhost'", STR_ARG(user_of(w->at.a, r))), &why);
		if (!is_ok(s)) log_info("rds", "promotion", "source=%s", status_name(s));
	}
	TRY(rds_source_forget(w));
	r->origin = NULL;
	if (w->real) TRY(rds_node_settings(w, rds_node(r, r->primary), true));
	rds_instance_event(
		w->at, w->now_ms, r, "read replica", "Replication for the Read Replica ended; it was promoted");
	*done = true;
	return OK;
}
