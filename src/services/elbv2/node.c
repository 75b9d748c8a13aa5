/* Brings one node to its plan. What is asked for by the running process (its configuration's hash, its servers)
 * decides: a new configuration is a seamless reload, servers come and go by its runtime API. The configuration on disk
 * follows, so that the engine's restart finds it. */
#include "services/elbv2/node.h"
#include "base/log.h"
#include "host/engines/engine.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAKEN "taken.cfg"
enum { MAINT = 1, STARTS_IN_MS = 3000, STEP_MS = 20 };

struct work {
	struct cloud *cloud;
	struct arena *a;
	struct elbv2_plan *p;
	struct elbv2_config config;
	struct elbv2_socket socket;
	struct str *why;
	bool changed; /* a server came or went */
	bool busy;
};

struct str elbv2_folder(struct arena *a, struct str eni)
{
	return str_fmt(a, "elb/%.*s", STR_ARG(eni));
}

struct str elbv2_engine_id(struct arena *a, struct str eni)
{
	return str_fmt(a, "elb-%.*s", STR_ARG(eni));
}

/* ── files ── */

static const char *path_of(const struct work *w, const char *name)
{
	return str_z(w->a, str_fmt(w->a, "%s%.*s/%s", store_dir(w->cloud->store), STR_ARG(w->socket.folder), name));
}

/* Whole or not at all. The agent gives it to the engine's user; the group stays virga's. */
static status write_file(struct work *w, const char *name, struct str bytes)
{
	const char *path = path_of(w, name), *temporary = path_of(w, ".new");
	size_t done = 0;
	unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0) return STATUS(IO);
	while (done < bytes.n) {
		ssize_t n = write(fd, bytes.p + done, bytes.n - done);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break;
		done += (size_t)n;
	}
	bool well = done == bytes.n && close(fd) == 0 && rename(temporary, path) == 0;
	if (!well) log_warn("elbv2", "write_failed", "file=%s errno=%d", name, errno);
	return well ? OK : STATUS(IO);
}

static status make_folder(struct work *w)
{
	const char *parent = str_z(w->a, str_fmt(w->a, "%selb", store_dir(w->cloud->store)));
	if (mkdir(parent, 0711) != 0 && errno != EEXIST) return STATUS(IO);
	if (mkdir(path_of(w, ""), 0770) != 0 && errno != EEXIST) return STATUS(IO);
	return OK;
}

/* How servers are that the running process does not have yet: down, until a check went well. */
static struct str new_state(
	struct arena *a, const struct elbv2_plan_group *g, struct str backend, const struct elbv2_plan_server *s)
{
	bool secure = str_is(g->g.protocol, "HTTPS") || str_is(g->g.protocol, "TLS");
	return str_fmt(a, "1 %.*s 1 %.*s %.*s 0 0 1 1 0 1 0 0 6 0 0 0 - %d - %d 0 - - 0\n", STR_ARG(backend),
		STR_ARG(s->name), STR_ARG(s->address), s->port, secure);
}

static bool has_row(const struct elbv2_rows *rows, struct str backend, struct str server)
{
	for (size_t i = 0; i < rows->n; i++)
		if (str_eq(rows->v[i].backend, backend) && str_eq(rows->v[i].server, server)) return true;
	return false;
}

/* The configuration that the running process took, which haproxy.cfg may be ahead of: which groups have started their
 * targets slowly. */
static struct str old_config(struct work *w)
{
	struct buf b = BUF_IN(w->a);
	int fd = open(path_of(w, TAKEN), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) fd = open(path_of(w, "haproxy.cfg"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	for (ssize_t n = fd < 0 ? 0 : 1; n > 0;) {
		n = read(fd, buf_reserve(&b, 65536), 65536);
		if (n > 0) b.n += (size_t)n;
	}
	if (fd >= 0) close(fd);
	return buf_done(&b);
}

static bool had_slow_start(struct work *w, struct str config, struct str backend)
{
	ptrdiff_t at = str_find(config, str_fmt(w->a, "backend %.*s\n", STR_ARG(backend)));
	if (at < 0) return true;
	struct str part = str_from(config, (size_t)at + 8);
	at = str_find(part, STR("\nbackend "));
	return str_find(at < 0 ? part : str_sub(part, 0, (size_t)at), STR(" slowstart ")) >= 0;
}

/* "When you enable slow start for a target group, the healthy targets registered with the target group do not enter
 * slow start mode": as if each had been up for long. */
static void write_row(struct work *w, struct str config, struct str line, struct buf *b)
{
	enum { BACKEND = 1, SINCE = 9 };
	struct str rest = line, backend = STR("");
	for (int i = 0; i <= BACKEND && str_has(rest); i++) backend = str_cut(&rest, ' ');
	if (!str_starts(backend, STR("g_")) || had_slow_start(w, config, backend)) {
		buf_fmt(b, "%.*s\n", STR_ARG(line));
		return;
	}
	rest = line;
	for (int i = 0; str_has(rest); i++) {
		struct str field = str_cut(&rest, ' ');
		buf_fmt(b, "%s%.*s", i ? " " : "", STR_ARG(i == SINCE ? STR("100000") : field));
	}
	buf_byte(b, '\n');
}

/* now: what the running process says, or "". */
static status write_state(struct work *w, struct str config, struct str now)
{
	struct buf b = BUF_IN(w->a);
	struct elbv2_rows rows;
	elbv2_read_servers(w->a, now, &rows);
	if (now.n) {
		struct str rest = now;
		while (str_has(rest)) {
			struct str line = str_cut(&rest, '\n');
			if (line.n) write_row(w, config, line, &b);
		}
	} else {
		buf_lit(&b,
			"1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
			"srv_iweight "
			"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
			"srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "
			"srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n");
	}
	for (size_t i = 0; i < w->p->groups.n; i++) {
		const struct elbv2_plan_group *g = &w->p->groups.v[i];
		struct str backend = str_fmt(w->a, "g_%.*s", STR_ARG(g->g.id));
		for (size_t k = 0; k < g->n; k++)
			if (!g->v[k].draining && !has_row(&rows, backend, g->v[k].name))
				buf_str(&b, new_state(w->a, g, backend, &g->v[k]));
	}
	return write_file(w, "state", buf_done(&b));
}

static status write_all(struct work *w, struct str servers_now)
{
	struct str config = old_config(w);
	for (size_t i = 0; i < w->p->files.n; i++)
		TRY(write_file(w, str_z(w->a, w->p->files.v[i].name), w->p->files.v[i].bytes));
	TRY(write_file(w, "haproxy.cfg", w->config.text));
	return write_state(w, config, servers_now);
}

/* ── the process ── */

static struct str running_hash(struct work *w)
{
	struct str info, line;
	if (!is_ok(elbv2_ask(w->a, &w->socket, STR("show info"), &info))) return STR_NONE;
	while (str_has(info)) {
		line = str_cut(&info, '\n');
		if (str_starts(line, STR("description: "))) return str_from(line, 13);
	}
	return STR("");
}

static status wait_for_hash(struct work *w)
{
	for (int waited = 0; waited < STARTS_IN_MS; waited += STEP_MS) {
		if (str_eq(running_hash(w), w->config.hash)) return write_file(w, TAKEN, w->config.text);
		usleep(STEP_MS * 1000);
	}
	*w->why = STR("HAProxy does not take the configuration: see its log");
	log_warn("elbv2", "not_taken", "eni=%.*s hash=%.*s", STR_ARG(w->p->zone->eni), STR_ARG(w->config.hash));
	return STATUS(BUSY);
}

static status start(struct work *w)
{
	static struct str argv[] = {{"/usr/sbin/haproxy", 17}, {"-W", 2}, {"-f", 2}, {"/srv/engine/haproxy.cfg", 23}};
	struct str why = STR_NONE;
	struct compute_rec_engine e = {.id = elbv2_engine_id(w->a, w->p->zone->eni),
		.place = w->p->zone->eni,
		.argv = {argv, 4},
		.folder = w->socket.folder,
		.output = STR("access"),
		.restart = STR("always"),
		.transparent = SOME_BOOL(!elbv2_is_app(w->p->b)),
		.stop_signal = SOME_I32(SIGTERM),
		.grace_ms = SOME_I64(2000)};
	TRY(make_folder(w));
	TRY(write_all(w, STR("")));
	unlink(path_of(w, "stats"));
	status s = host_engine_start(w->cloud->host, w->a, &e, &why);
	if (status_is(s, STATUS_NOT_FOUND)) return STATUS(BUSY); /* the VPC's intent is on its way */
	if (!is_ok(s)) {
		*w->why = str_has(why) ? why : STR("its node cannot be started");
		return status_is(s, STATUS_INVALID) ? STATUS(FAILED) : STATUS(BUSY);
	}
	return wait_for_hash(w);
}

static status reload(struct work *w)
{
	struct str servers;
	/* Started before it had a file for its requests: anew. */
	if (access(path_of(w, "access"), F_OK) != 0) {
		TRY(host_engine_stop(w->cloud->host, elbv2_engine_id(w->a, w->p->zone->eni)));
		return start(w);
	}
	TRY(elbv2_ask(w->a, &w->socket, STR("show servers state"), &servers));
	TRY(write_all(w, servers));
	status s = host_engine_signal(w->cloud->host, elbv2_engine_id(w->a, w->p->zone->eni), SIGUSR2);
	if (status_is(s, STATUS_NOT_FOUND)) return start(w);
	TRY(s);
	return wait_for_hash(w);
}

/* ── servers ── */

static struct str tell(struct work *w, struct str command)
{
	struct str answer = STR("");
	if (!is_ok(elbv2_ask(w->a, &w->socket, command, &answer))) w->busy = true;
	return str_trim(answer);
}

#define TELL(w, ...) tell((w), str_fmt((w)->a, __VA_ARGS__))

/* Without weight it gets nothing before it is down; and down it stays until a check went well. */
static void add(struct work *w, const struct elbv2_plan_group *g, const struct elbv2_plan_server *s, bool open)
{
	struct str name = str_fmt(w->a, "%s_%.*s/%.*s", open ? "o" : "g", STR_ARG(g->g.id), STR_ARG(s->name));
	struct str said = TELL(w, "add server %.*s %.*s:%d weight %d %.*s", STR_ARG(name), STR_ARG(s->address), s->port,
		open ? 1 : 0, STR_ARG(elbv2_server_options(w->a, g, s, open)));
	if (str_find(said, STR("New server registered")) < 0) {
		log_warn("elbv2", "add_server", "server=%.*s said=\"%.*s\"", STR_ARG(name), STR_ARG(said));
		w->busy = true;
		return;
	}
	w->changed = true;
	if (open) {
		TELL(w, "enable server %.*s", STR_ARG(name));
		return;
	}
	TELL(w, "enable health %.*s", STR_ARG(name));
	TELL(w, "enable server %.*s", STR_ARG(name));
	TELL(w, "set server %.*s health down", STR_ARG(name));
	TELL(w, "set server %.*s weight 1", STR_ARG(name));
	if (str_is(elbv2_group_attribute(&g->g, "stickiness.enabled"), "true"))
		TELL(w, "enable dynamic-cookie backend g_%.*s", STR_ARG(g->g.id));
}

/* No new requests; those that it has end. */
static void rest(struct work *w, const struct elbv2_row *r)
{
	if (r->admin & MAINT) return;
	TELL(w, "set server %.*s/%.*s state maint", STR_ARG(r->backend), STR_ARG(r->server));
	w->changed = true;
}

static bool drop(struct work *w, const struct elbv2_row *r, bool cut)
{
	rest(w, r);
	if (cut) TELL(w, "shutdown sessions server %.*s/%.*s", STR_ARG(r->backend), STR_ARG(r->server));
	struct str said = TELL(w, "del server %.*s/%.*s", STR_ARG(r->backend), STR_ARG(r->server));
	bool gone = str_find(said, STR("Server deleted")) >= 0;
	if (!gone) w->busy = true;
	w->changed = w->changed || gone;
	return gone;
}

static void settle(struct work *w, const struct elbv2_plan_group *g, bool open, const struct elbv2_rows *rows)
{
	struct str backend = str_fmt(w->a, "%s_%.*s", open ? "o" : "g", STR_ARG(g->g.id));
	bool cut = str_starts(g->g.protocol, STR("HTTP")) ||
		   str_is(elbv2_group_attribute(&g->g, "deregistration_delay.connection_termination.enabled"), "true");
	for (size_t i = 0; i < rows->n; i++) {
		const struct elbv2_row *r = &rows->v[i];
		const struct elbv2_plan_server *s = NULL;
		if (!str_eq(r->backend, backend)) continue;
		for (size_t k = 0; k < g->n; k++)
			if (str_eq(g->v[k].name, r->server)) s = &g->v[k];
		bool moved = s && (!str_eq(s->address, r->address) || s->port != r->port);
		if (!s)
			drop(w, r, cut);
		else if (s->draining)
			rest(w, r);
		else if ((moved || r->admin & MAINT) && drop(w, r, moved))
			add(w, g, s, open);
		else if (!moved && r->admin & MAINT)
			/* Registered again while requests of its former life run. */
			TELL(w, "set server %.*s/%.*s state ready", STR_ARG(backend), STR_ARG(r->server));
	}
	for (size_t k = 0; k < g->n; k++)
		if (!g->v[k].draining && !has_row(rows, backend, g->v[k].name)) add(w, g, &g->v[k], open);
}

static status settle_all(struct work *w)
{
	struct elbv2_rows rows;
	struct str text;
	TRY(elbv2_ask(w->a, &w->socket, STR("show servers state"), &text));
	elbv2_read_servers(w->a, text, &rows);
	for (size_t i = 0; i < w->p->groups.n; i++) {
		settle(w, &w->p->groups.v[i], true, &rows);
		settle(w, &w->p->groups.v[i], false, &rows);
	}
	if (w->changed) {
		TRY(write_file(w, "haproxy.cfg", w->config.text));
		TRY(write_state(w, STR(""), STR("")));
	}
	return w->busy ? STATUS(BUSY) : OK;
}

status elbv2_node_apply(struct cloud *cloud, struct arena *a, struct elbv2_plan *p, struct str *why)
{
	struct work w = {.cloud = cloud,
		.a = a,
		.p = p,
		.config = elbv2_config(p),
		.socket = {cloud, elbv2_folder(a, p->zone->eni)},
		.why = why};
	struct str hash = running_hash(&w);
	if (!str_has(hash)) return start(&w);
	if (!str_eq(hash, w.config.hash)) return reload(&w);
	return settle_all(&w);
}

void elbv2_node_remove(struct cloud *cloud, struct arena *a, struct str eni)
{
	struct work w = {.cloud = cloud, .a = a, .socket = {cloud, elbv2_folder(a, eni)}};
	status s = host_engine_stop(cloud->host, elbv2_engine_id(a, eni));
	if (!is_ok(s) && !status_is(s, STATUS_BUSY))
		log_warn("elbv2", "stop_failed", "eni=%.*s why=%s", STR_ARG(eni), status_name(s));
	DIR *d = opendir(path_of(&w, ""));
	for (struct dirent *i; d && (i = readdir(d));)
		if (i->d_name[0] != '.' || i->d_name[1] == 'n') unlinkat(dirfd(d), i->d_name, 0);
	if (d) closedir(d);
	rmdir(path_of(&w, ""));
}
