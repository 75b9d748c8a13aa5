/* What runs for a proxy: see proxy.h. pgbouncer keeps no passwords: of each secret's user it knows what the instance's
 * server keeps (a SCRAM verifier), and what a client proves with it when it connects, it proves to the server.
 *
 * Every session is pinned to its connection from its first statement to its end ("Avoiding pinning an RDS Proxy", the
 * guide, tells when RDS does so): so nothing that a session sets is ever another's. */
#include "base/json.h"
#include "base/log.h"
#include "call/inside.h"
#include "host/engines/engine.h"
#include "host/engines/folder.h"
#include "secretsmanager.h"
#include "services/ec2/dns.h"
#include "services/rds/proxy.h"
#include "services/sts/inside.h"
#include "vault/vault.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PORT = 5432,
	LOOK_MS = 2000,
	CHECK_MS = 60000,
	STATEMENT_MS = 5000,
	REACH_MS = 1000,
	CLIENTS_MAX = 5000,
	GRACE_MS = 3000,
	MEMORY = 256 << 20
};

struct proxying {
	struct cloud *cloud;
	struct call *c;
	struct rds_place at;
	struct rds_rec_proxy *r;
	struct rds_rec_instance *target; /* NULL: none */
	int64_t now_ms;
};

static void healthy(struct proxying *p, const char *state, const char *reason, struct str text)
{
	p->r->health = str_c(state);
	p->r->health_reason = reason ? str_c(reason) : STR_NONE;
	p->r->health_text = text;
}

static struct str engine_id(struct arena *a, const struct rds_rec_proxy *r, struct str letter)
{
	return str_fmt(a, "rds-%.*s-%.*s", STR_ARG(r->id), STR_ARG(letter));
}

/* ── users ── */

/* A secret's user and password, read with the proxy's role. */
static bool read_secret(struct proxying *p, const struct inside_caller *who, struct str arn, struct str *user,
	struct str *password, struct str *why)
{
	struct arena *a = p->at.a;
	struct secretsmanager_get_secret_value_input in = {.secret_id = arn};
	struct json_value *v;
	struct inside *i = inside_run(p->cloud, who, "secretsmanager", SECRETSMANAGER_OP_GET_SECRET_VALUE, &in, NULL);
	*user = *password = STR_NONE;
	if (!i->ok) *why = str_dup(a, i->message);
	if (i->ok && is_ok(json_read(a,
			     str_dup(a, ((const struct secretsmanager_get_secret_value_output *)i->out)->secret_string),
			     &v))) {
		*user = json_scalar(json_member(v, STR("username")));
		*password = json_scalar(json_member(v, STR("password")));
	}
	bool ok = i->ok;
	inside_free(i);
	if (ok && (!str_has(*user) || !str_has(*password)))
		*why = str_fmt(a, "The secret %.*s has no username and password.", STR_ARG(arn)), ok = false;
	return ok;
}

/* The user's line, where the secret is true. */
static status check_user(
	struct proxying *p, struct pg *g, struct str user, struct str password, struct str *line, struct str *why)
{
	struct arena *a = p->at.a;
	struct pg_rows rows;
	*line = STR_NONE;
	TRY(pg_query(g, a,
		str_fmt(a, "SELECT rolpassword FROM pg_authid WHERE rolcanlogin AND rolname = %.*s",
			STR_ARG(pg_literal(a, user))),
		STATEMENT_MS, &rows, NULL));
	struct str kept = rows.n == 1 && rows.v[0].n == 1 ? rows.v[0].v[0] : STR_NONE;
	if (str_has(kept) && rds_scram_matches(a, password, kept) && str_chr(user, '"') < 0 && str_chr(user, '\n') < 0)
		*line = str_fmt(a, "\"%.*s\" \"%.*s\"\n", STR_ARG(user), STR_ARG(kept));
	else
		*why = str_fmt(a, "The secret's password of the user %.*s is not the database's.", STR_ARG(user));
	return OK;
}

/* *all: whether every secret was read and is true; the lines of those that are. */
static status read_users(struct proxying *p, struct pg *g, struct str *lines, bool *all, struct str *why)
{
	struct arena *a = p->at.a;
	struct inside_caller who;
	struct buf b = BUF_IN(a);
	struct str arn = str_fmt(a, "arn:aws:rds:%.*s:%.*s:db-proxy:%.*s", STR_ARG(p->at.region),
		STR_ARG(p->at.account), STR_ARG(p->r->id));
	*all = false;
	*lines = STR("");
	status s = sts_assume_for(p->cloud, a, p->at.account, p->at.region, STR("rds.amazonaws.com"), arn,
		p->r->role_arn, STR("RDSProxy"), &who, why);
	if (status_is(s, STATUS_FAILED)) return OK;
	TRY(s);
	*all = true;
	for (size_t i = 0; i < p->r->auth.n; i++) {
		struct str user, password, line;
		if (!read_secret(p, &who, p->r->auth.v[i].secret_arn, &user, &password, why)) {
			*all = false;
			continue;
		}
		s = check_user(p, g, user, password, &line, why);
		vault_wipe(password);
		TRY(s);
		if (!str_has(line)) *all = false;
		buf_str(&b, str_or(line, STR("")));
	}
	*lines = buf_done(&b);
	return OK;
}

/* Who may connect, and how many connections the server has. */
static status learn(struct proxying *p, bool *good)
{
	struct arena *a = p->at.a;
	struct rds_rec_proxy *r = p->r;
	struct pg g;
	struct pg_rows rows;
	struct str why = STR_NONE, lines;
	int64_t most = 100;
	bool all;
	*good = false;
	if (!is_ok(rds_connect(p->cloud, a, p->target, p->target->primary, STR("postgres"), &g, &why))) {
		healthy(p, "UNAVAILABLE", "CONNECTION_FAILED", STR("The DB instance does not answer."));
		return OK;
	}
	status s = pg_query(&g, a, STR("SHOW max_connections"), STATEMENT_MS, &rows, NULL);
	if (is_ok(s) && rows.n == 1 && rows.v[0].n == 1 && !is_ok(str_to_i64(rows.v[0].v[0], &most))) most = 100;
	if (is_ok(s)) s = read_users(p, &g, &lines, &all, &why);
	pg_close(&g);
	if (status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT)) return s;
	if (!is_ok(s)) {
		healthy(p, "UNAVAILABLE", "CONNECTION_FAILED", STR("The DB instance does not answer."));
		return OK;
	}
	r->users = lines;
	r->connections = SOME_I32((int32_t)most);
	r->checked = SOME_TIME(p->now_ms);
	*good = all;
	if (!all) healthy(p, "UNAVAILABLE", "AUTH_FAILURE", str_or(why, STR("A secret cannot be read.")));
	return OK;
}

/* ── servers ── */

static struct str one_line(struct arena *a, struct str text, bool in_quotes)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < text.n; i++) {
		if (in_quotes && text.p[i] == '\'') buf_byte(&b, '\'');
		buf_byte(&b, text.p[i] == '\n' || text.p[i] == '\r' ? ' ' : text.p[i]);
	}
	return buf_done(&b);
}

/* What a session has left behind it goes; what each connection begins with is there again. DISCARD ALL by its parts,
 * since it does not run with another statement ("DISCARD", the PostgreSQL documentation). */
static struct str reset_of(struct arena *a, const struct rds_rec_proxy *r)
{
	if (!str_has(r->init_query)) return STR("DISCARD ALL");
	return str_cat(a,
		STR("CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; SELECT "
		    "pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; "),
		one_line(a, r->init_query, false));
}

static struct str settings_of(struct proxying *p, const struct rds_rec_node *n)
{
	const struct rds_rec_proxy *r = p->r;
	struct arena *a = p->at.a;
	struct buf b = BUF_IN(a);
	const struct rds_rec_node *primary = p->target ? rds_node(p->target, p->target->primary) : NULL;
	int32_t most = r->connections.v * r->max_connections_percent.v / 100 / (int32_t)r->nodes.n;
	buf_lit(&b, "; Written by virga\n[databases]\n");
	if (primary) {
		buf_fmt(&b, "* = host=%.*s port=%d", STR_ARG(primary->address), p->target->port.v);
		if (str_has(r->init_query))
			buf_fmt(&b, " connect_query='%.*s'", STR_ARG(one_line(a, r->init_query, true)));
		buf_byte(&b, '\n');
	}
	buf_fmt(&b,
		"[pgbouncer]\nlisten_addr = 0.0.0.0\nlisten_port = %d\nunix_socket_dir =\nauth_type = scram-sha-256\n"
		"auth_file = /srv/engine/%.*s/userlist.txt\npool_mode = session\nserver_reset_query = %.*s\n"
		"max_client_conn = %d\ndefault_pool_size = %d\nmax_db_connections = %d\nquery_wait_timeout = %d\n"
		"client_idle_timeout = %d\nserver_idle_timeout = 600\nserver_login_retry = 1\nserver_tls_sslmode = "
		"require\n"
		"client_tls_sslmode = %s\nclient_tls_key_file = /srv/engine/%.*s/server.key\n"
		"client_tls_cert_file = /srv/engine/%.*s/server.crt\nignore_startup_parameters = extra_float_digits\n"
		"log_connections = %d\nlog_disconnections = %d\n",
		PORT, STR_ARG(n->letter), STR_ARG(reset_of(a, r)), CLIENTS_MAX, most > 0 ? most : 1,
		most > 0 ? most : 1, r->connection_borrow_timeout.v > 0 ? r->connection_borrow_timeout.v : 1,
		r->idle_client_timeout.v, r->require_tls.v ? "require" : "allow", STR_ARG(n->letter),
		STR_ARG(n->letter), r->debug_logging.v, r->debug_logging.v);
	return buf_done(&b);
}

static status prepare(struct proxying *p, struct rds_rec_node *n)
{
	struct arena *a = p->at.a;
	struct str folder = rds_proxy_folder(a, p->r),
		   own = str_fmt(a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(n->letter));
	TRY(engine_folder_make(rds_path(p->cloud, a, STR("rds"), ""), 0700));
	TRY(engine_folder_make(rds_path(p->cloud, a, folder, ""), 0770));
	TRY(engine_folder_make(rds_path(p->cloud, a, own, ""), 0770));
	TRY(rds_certificate_write(p->cloud, a, own, &p->r->endpoint, 1));
	n->state = STR("made");
	return OK;
}

/* Its files are as they shall be, and it runs. */
static status run_node(struct proxying *p, struct rds_rec_node *n, bool *runs)
{
	struct arena *a = p->at.a;
	struct rds_rec_proxy *r = p->r;
	struct str own = str_fmt(a, "%.*s/%.*s", STR_ARG(rds_proxy_folder(a, r)), STR_ARG(n->letter)), why = STR_NONE;
	if (str_is(n->state, "new")) TRY(prepare(p, n));
	struct str text = settings_of(p, n), written = str_cat(a, text, str_or(r->users, STR("")));
	/* What was written last is kept with the node. */
	bool changed = !str_eq(written, str_or(n->lsn, STR("")));
	if (changed) {
		TRY(rds_write(p->cloud, a, own, "userlist.txt", str_or(r->users, STR("")), true));
		TRY(rds_write(p->cloud, a, own, "pgbouncer.ini", text, false));
	}
	struct str argv[] = {
		STR("/usr/sbin/pgbouncer"), str_fmt(a, "/srv/engine/%.*s/pgbouncer.ini", STR_ARG(n->letter))};
	struct compute_rec_engine e = {.id = engine_id(a, r, n->letter),
		.place = n->eni,
		.argv = {argv, sizeof(argv) / sizeof(*argv)},
		.folder = rds_proxy_folder(a, r),
		.memory_bytes = SOME_I64(MEMORY),
		.restart = STR("always"),
		.stop_signal = SOME_I32(SIGTERM),
		.grace_ms = SOME_I64(GRACE_MS)};
	status s = host_engine_start(p->cloud->host, a, &e, &why);
	*runs = is_ok(s);
	if (is_ok(s) && changed) {
		s = host_engine_signal(p->cloud->host, e.id, SIGHUP);
		if (is_ok(s)) n->lsn = written;
	}
	if (!is_ok(s))
		log_info("rds", "proxy", "node=%.*s status=%s why=\"%.*s\"", STR_ARG(e.id), status_name(s),
			STR_ARG(str_or(why, STR(""))));
	return OK;
}

/* A connection from the proxy's place comes through: routes, ACLs and groups let it. */
static bool reaches(struct proxying *p, const struct rds_rec_node *n)
{
	const struct rds_rec_node *primary = rds_node(p->target, p->target->primary);
	int fd, error = ETIMEDOUT;
	socklen_t size = sizeof(error);
	if (!primary ||
		!is_ok(host_connect(p->cloud->host, n->eni, primary->address, (uint16_t)p->target->port.v, &fd)))
		return false;
	struct pollfd f = {fd, POLLOUT, 0};
	bool good = poll(&f, 1, REACH_MS) > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
	close(fd);
	return good;
}

static status keep(struct proxying *p)
{
	struct rds_rec_proxy *r = p->r;
	bool good = true, all = true, runs;
	if (p->target && !str_is(p->target->db_instance_status, "available") &&
		!str_is(p->target->db_instance_status, "backing-up")) {
		healthy(p, "UNAVAILABLE", "CONNECTION_FAILED", STR("The DB instance is not available."));
		good = false;
	} else if (p->target &&
		   (!r->checked.has || r->checked.ms + CHECK_MS <= p->now_ms || !str_is(r->health, "AVAILABLE"))) {
		TRY(learn(p, &good));
	}
	if (!p->target) r->users = STR(""), r->connections = SOME_I32(100);
	for (size_t i = 0; i < r->nodes.n; i++) {
		TRY(run_node(p, &r->nodes.v[i], &runs));
		all = all && runs;
	}
	if (!all) {
		if (p->target) healthy(p, "UNAVAILABLE", "PENDING_PROXY_CAPACITY", STR("The proxy is not ready yet."));
		return OK;
	}
	r->status = STR("available");
	if (!p->target || !good) return OK;
	for (size_t i = 0; i < r->nodes.n; i++)
		if (!reaches(p, &r->nodes.v[i])) {
			healthy(p, "UNAVAILABLE", "CONNECTION_FAILED",
				str_fmt(p->at.a, "The DB instance cannot be reached from the subnet %.*s.",
					STR_ARG(r->nodes.v[i].subnet)));
			return OK;
		}
	healthy(p, "AVAILABLE", NULL, STR_NONE);
	return OK;
}

static status take_down(struct proxying *p)
{
	const struct rds_rec_proxy *r = p->r;
	bool real = rds_real(p->cloud);
	for (size_t i = 0; i < r->nodes.n; i++) {
		if (real) TRY(host_engine_stop(p->cloud->host, engine_id(p->at.a, r, r->nodes.v[i].letter)));
		status s = ec2_eni_drop(p->c, r->nodes.v[i].eni);
		if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
	}
	if (real) rds_folder_drop(p->at, rds_proxy_folder(p->at.a, r));
	ec2_dns_unpublish(p->at.tx, p->at.a, r->endpoint);
	rds_drop(p->at, &rds_kind_proxy, r->db_proxy_name);
	return OK;
}

static void publish(struct proxying *p)
{
	struct str *v = arena_new_n(p->at.a, struct str, p->r->nodes.n);
	for (size_t i = 0; i < p->r->nodes.n; i++) v[i] = p->r->nodes.v[i].address;
	ec2_dns_publish(p->at.tx, p->at.a, p->r->endpoint, v, p->r->nodes.n);
}

status rds_proxy_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct rds_rec_task t = {0};
	struct rds_rec_proxy r;
	struct rds_rec_instance target;
	TRY(rds_rec_task_decode(a, job->payload, &t));
	struct proxying p = {.cloud = cloud,
		.c = call_for_job(a, cloud, tx, t.account, t.region, STR("rds.amazonaws.com")),
		.at = {tx, a, t.account, t.region},
		.r = &r,
		.now_ms = clock_now(cloud->clock)};
	status s = rds_load(p.at, &rds_kind_proxy, t.name, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (str_is(r.status, "deleting")) return take_down(&p);
	if (str_has(r.target)) {
		/* Not validated at commit: its own job writes it more often than this one ends. */
		struct store_tx *look = store_begin(cloud->store, a, true);
		s = rds_load((struct rds_place){look, a, t.account, t.region}, &rds_kind_instance, r.target, &target);
		store_end(look);
		/* Its target was deleted: "the proxy has no targets". */
		if (status_is(s, STATUS_NOT_FOUND))
			r.target = STR_NONE;
		else
			TRY(s);
		if (is_ok(s)) p.target = &target;
	}
	if (str_is(r.status, "creating")) publish(&p);
	if (rds_real(cloud)) {
		TRY(keep(&p));
		*again_ms = p.now_ms + LOOK_MS;
	} else {
		r.status = STR("available");
		if (p.target)
			healthy(&p, "UNAVAILABLE", "PENDING_PROXY_CAPACITY",
				STR("Compute is simulated: virga runs without root."));
	}
	rds_put(p.at, &rds_kind_proxy, r.db_proxy_name, &r);
	return OK;
}

void rds_proxies_look(struct rds_place at, const struct rds_rec_instance *r)
{
	struct rds_each e = rds_each(at, &rds_kind_proxy);
	while (rds_next(&e)) {
		const struct rds_rec_proxy *p = e.record;
		if (str_eq(str_or(p->target, STR("")), r->db_instance_identifier)) rds_proxy_mark(at, p->db_proxy_name);
	}
	status s = rds_each_end(&e);
	if (!is_ok(s)) log_warn("rds", "proxies", "status=%s", status_name(s));
}

status rds_proxies_stop(struct cloud *cloud, struct store_tx *tx, struct arena *a)
{
	struct rds_each e = rds_each_proxy(tx, a);
	while (rds_next(&e)) {
		const struct rds_rec_proxy *r = e.record;
		for (size_t i = 0; rds_real(cloud) && i < r->nodes.n; i++) {
			status s = host_engine_stop(cloud->host, engine_id(a, r, r->nodes.v[i].letter));
			if (!is_ok(s)) log_warn("rds", "reset", "status=%s", status_name(s));
		}
	}
	return rds_each_end(&e);
}
