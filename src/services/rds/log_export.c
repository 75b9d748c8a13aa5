/* The server's log in CloudWatch Logs: "Publishing PostgreSQL logs to Amazon CloudWatch Logs", the guide. The group is
 * /aws/rds/instance/NAME/postgresql, the stream NAME.0. Each look carries the whole lines that have come since the last
 * one; how far it has got is kept with the instance. A crash between the two may carry some lines twice. */
#include "base/log.h"
#include "call/inside.h"
#include "logs.h"
#include "services/rds/controller.h"
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

/* The oldest file whose name is not before the one that was read last; STR_NONE. `after`: strictly later. */
static struct str file_of(struct arena *a, int folder, struct str from, bool after)
{
	struct str found = STR_NONE;
	int fd = dup(folder);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d && fd >= 0) close(fd);
	if (d) rewinddir(d);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct str name = str_c(e->d_name);
		if (!str_starts(name, STR("postgresql.log"))) continue;
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

static bool carry(struct rds_work *w, int folder)
{
	struct rds_rec_instance *r = w->r;
	struct arena *a = w->at.a;
	struct stat st;
	int64_t at = r->export_at.v;
	if (!str_has(r->export_file)) r->export_file = file_of(a, folder, STR_NONE, false), at = 0;
	if (!str_has(r->export_file)) return false;
	int fd = rds_log_open(folder, str_z(a, r->export_file), &st);
	char *bytes = arena_alloc(a, PORTION);
	ssize_t n = fd < 0 ? 0 : pread(fd, bytes, PORTION, at);
	if (fd >= 0) close(fd);
	struct str text = rds_log_readable(a, str_n(bytes, n > 0 ? (size_t)n : 0));
	ptrdiff_t end = n > 0 ? str_rchr(str_n(bytes, (size_t)n), '\n') : -1;
	if (end < 0) {
		/* All of it has been carried: the next one, when there is one. */
		struct str next = file_of(a, folder, r->export_file, true);
		if (!str_has(next)) return false;
		r->export_file = next, r->export_at = SOME_I64(0);
		return true;
	}
	struct logs_input_log_events events = {0};
	events_of(w, str_sub(text, 0, (size_t)end + 1), &events);
	struct logs_put_log_events_input in = {
		.log_group_name = str_fmt(a, "/aws/rds/instance/%.*s/postgresql", STR_ARG(r->db_instance_identifier)),
		.log_stream_name = str_fmt(a, "%.*s.0", STR_ARG(r->db_instance_identifier))};
	for (size_t i = 0; i < events.n; i += EVENTS_MAX) {
		in.log_events.v = events.v + i;
		in.log_events.n = events.n - i < EVENTS_MAX ? events.n - i : EVENTS_MAX;
		if (!send(w, &in)) return false;
	}
	r->export_at = SOME_I64(at + end + 1);
	return end + 1 == n;
}

void rds_log_export(struct rds_work *w)
{
	struct str rest = str_fmt(w->at.a, "%.*s/error", STR_ARG(w->r->primary));
	if (!w->r->exports.n) return;
	rds_again(w, LOOK_MS);
	int folder = open(
		rds_path(w->cloud, w->at.a, rds_folder(w->at.a, w->r), rest.p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) return;
	for (unsigned i = 0; i < 16 && carry(w, folder); i++) continue;
	close(folder);
}
