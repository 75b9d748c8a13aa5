/* The server's logs in CloudWatch Logs: "Publishing database logs to Amazon CloudWatch Logs", the guide. The group of a
 * log is /aws/rds/instance/NAME/TYPE or /aws/rds/cluster/NAME/TYPE, the stream INSTANCE.0 (INSTANCE for MariaDB). Each
 * look carries the whole lines that have come since the last one; how far it has got is kept with the instance. A crash
 * between the two may carry some lines twice. */
#include "base/log.h"
#include "call/inside.h"
#include "logs.h"
#include "services/rds/cluster.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 2000, PORTION = 512 << 10, EVENTS_MAX = 5000, LINE_MAX_ = 200 << 10 };

static bool done(struct rds_work *w, uint32_t op, const void *in)
{
	struct inside_caller who = inside_service(w->at.a, w->at.account, w->at.region, STR("rds.amazonaws.com"));
	struct inside *i = inside_run(w->cloud, &who, "logs", op, in, NULL);
	bool ok = i->ok || str_is(i->code, "ResourceAlreadyExistsException");
	if (!ok && !str_is(i->code, "ResourceNotFoundException"))
		log_warn("rds", "log_export", "instance=%.*s code=%.*s", STR_ARG(w->r->db_instance_identifier),
			STR_ARG(i->code));
	inside_free(i);
	return ok;
}

static bool send(struct rds_work *w, struct logs_put_log_events_input *in)
{
	if (done(w, LOGS_OP_PUT_LOG_EVENTS, in)) return true;
	struct logs_create_log_group_input group = {.log_group_name = in->log_group_name};
	struct logs_create_log_stream_input stream = {
		.log_group_name = in->log_group_name, .log_stream_name = in->log_stream_name};
	return done(w, LOGS_OP_CREATE_LOG_GROUP, &group) && done(w, LOGS_OP_CREATE_LOG_STREAM, &stream) &&
	       done(w, LOGS_OP_PUT_LOG_EVENTS, in);
}

/* Whose files begin so. An "upgrade" never was, and what MariaDB would "audit" is not. */
static const struct kind {
	const char *type, *prefix, *stream;
} kinds[] = {{"postgresql", "postgresql.log", ".0"}, {"error", "mysql-error", ""}, {"general", "mysql-general", ""},
	{"slowquery", "mysql-slowquery", ""}};

/* Whose logs: where they are, how far they have got (kept with `of`), and where they go. */
struct source {
	struct rds_rec_instance *of;
	struct str letter;
	const char *what; /* "instance", "cluster" */
	struct str name;  /* its name */
	bool moved;       /* something has got further */
};

static struct rds_rec_export *export_of(struct rds_work *w, struct rds_rec_instance *r, struct str type)
{
	size_t capacity = r->exported.n;
	for (size_t i = 0; i < r->exported.n; i++)
		if (str_eq(r->exported.v[i].type, type)) return &r->exported.v[i];
	struct rds_rec_export *x = VEC_PUSH(w->at.a, &r->exported, &capacity);
	*x = (struct rds_rec_export){.type = type, .file = r->export_file, .at = r->export_at};
	r->export_file = STR_NONE, r->export_at = (struct opt_i64){0};
	return x;
}

/* The oldest file whose name is not before the one that was read last; STR_NONE. `after`: strictly later. */
static struct str file_of(struct arena *a, int folder, struct str prefix, struct str from, bool after)
{
	struct str found = STR_NONE;
	int fd = dup(folder);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d && fd >= 0) close(fd);
	if (d) rewinddir(d);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct str name = str_c(e->d_name);
		if (!str_starts(name, prefix)) continue;
		if (str_has(from) && (after ? str_cmp(name, from) <= 0 : str_cmp(name, from) < 0)) continue;
		if (!str_has(found) || str_cmp(name, found) < 0) found = str_dup(a, name);
	}
	if (d) closedir(d);
	return found;
}

/* Lines that begin with white space go on with the event before them, as a statement's do. */
static void events_of(struct rds_work *w, struct str text, struct logs_input_log_events *out)
{
	size_t capacity = 0;
	while (str_has(text) && text.n) {
		struct str line = str_cut(&text, '\n');
		if (!line.n) continue;
		struct logs_input_log_event *last = out->n ? &out->v[out->n - 1] : NULL;
		if (last && (line.p[0] == '\t' || line.p[0] == ' ') && last->message.n + line.n < LINE_MAX_) {
			last->message.n = (size_t)(line.p + line.n - last->message.p);
			continue;
		}
		if (line.n > LINE_MAX_) line.n = LINE_MAX_;
		*VEC_PUSH(w->at.a, out, &capacity) =
			(struct logs_input_log_event){.timestamp = SOME_I64(w->now_ms), .message = line};
	}
}

static bool carry(struct rds_work *w, struct source *s, int folder, const struct kind *k, struct rds_rec_export *x)
{
	struct arena *a = w->at.a;
	struct str prefix = str_c(k->prefix);
	struct stat st;
	int64_t at = x->at.v;
	if (!str_has(x->file)) x->file = file_of(a, folder, prefix, STR_NONE, false), at = 0;
	if (!str_has(x->file)) return false;
	int fd = rds_log_open(folder, str_z(a, x->file), &st);
	char *bytes = arena_alloc(a, PORTION);
	ssize_t n = fd < 0 ? 0 : pread(fd, bytes, PORTION, at);
	if (fd >= 0) close(fd);
	struct str text = rds_log_readable(a, str_n(bytes, n > 0 ? (size_t)n : 0));
	ptrdiff_t end = n > 0 ? str_rchr(str_n(bytes, (size_t)n), '\n') : -1;
	if (end < 0) {
		/* All of it has been carried: the next one, when there is one. */
		struct str next = file_of(a, folder, prefix, x->file, true);
		if (!str_has(next)) return false;
		x->file = next, x->at = SOME_I64(0);
		s->moved = true;
		return true;
	}
	struct logs_input_log_events events = {0};
	events_of(w, str_sub(text, 0, (size_t)end + 1), &events);
	struct logs_put_log_events_input in = {
		.log_group_name = str_fmt(a, "/aws/rds/%s/%.*s/%s", s->what, STR_ARG(s->name), k->type),
		.log_stream_name = str_fmt(a, "%.*s%s", STR_ARG(s->of->db_instance_identifier), k->stream)};
	for (size_t i = 0; i < events.n; i += EVENTS_MAX) {
		in.log_events.v = events.v + i;
		in.log_events.n = events.n - i < EVENTS_MAX ? events.n - i : EVENTS_MAX;
		if (!send(w, &in)) return false;
	}
	x->at = SOME_I64(at + end + 1);
	s->moved = true;
	return end + 1 == n;
}

static void export(struct rds_work *w, struct source *s)
{
	struct str rest = str_fmt(w->at.a, "%.*s/error", STR_ARG(s->letter));
	if (!w->r->exports.n) return;
	rds_again(w, LOOK_MS);
	int folder = open(
		rds_path(w->cloud, w->at.a, rds_folder(w->at.a, w->r), rest.p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) return;
	for (size_t e = 0; e < w->r->exports.n; e++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			if (!str_eq(w->r->exports.v[e], str_c(kinds[k].type))) continue;
			struct rds_rec_export *x = export_of(w, s->of, w->r->exports.v[e]);
			for (unsigned i = 0; i < 16 && carry(w, s, folder, &kinds[k], x); i++) continue;
		}
	close(folder);
}

void rds_log_export(struct rds_work *w)
{
	export(w, &(struct source){w->r, w->r->primary, "instance", w->r->db_instance_identifier, false});
}

status rds_cluster_log_export(struct rds_work *w)
{
	for (size_t i = 0; w->r->exports.n && i < w->r->nodes.n; i++) {
		const struct rds_rec_node *n = &w->r->nodes.v[i];
		struct rds_rec_instance m;
		status st = rds_member_load(w->at, n, &m);
		if (status_is(st, STATUS_NOT_FOUND)) continue;
		TRY(st);
		struct source s = {&m, n->letter, "cluster", w->r->db_instance_identifier, false};
		export(w, &s);
		if (s.moved) rds_instance_put(w->at, &m);
	}
	return OK;
}
