/* What is asked of a machine that stands. */
#include "host/compute/operations.h"
#include "base/log.h"
#include "base/vec.h"
#include "host/compute/compute.h"
#include "host/compute/door.h"
#include "host/compute/files.h"
#include "host/compute/staging.h"
#include "host/engines/engines.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 1024
/* An init that does not even answer is killed so long after the grace that it was given. */
#define DEAF_MS 2000

static void answer(struct agent *g, struct agent_request *r, status s)
{
	agent_answer(g, r->id, s, STR_NONE, STR_NONE, NULL, 0);
}

/* One that runs; else the request is answered, or kept until it does, and NULL. */
static struct machine *alive(struct agent *g, struct agent_request *r, status decoded, struct str id)
{
	struct machine *m = is_ok(decoded) && str_has(id) ? compute_find(agent_compute(g), id) : NULL;
	if (staging_keeps(m, r)) return NULL;
	if (m && m->state != MACHINE_ENDED) return m;
	if (!is_ok(decoded) || !str_has(id))
		agent_answer(g, r->id, STATUS(INVALID), STR("the record cannot be read"), STR_NONE, NULL, 0);
	else
		agent_answer(g, r->id, STATUS(NOT_FOUND), STR("no such machine runs"), STR_NONE, NULL, 0);
	return NULL;
}

void machine_on_stop(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_stop q = {0};
	status s = compute_rec_machine_stop_decode(r->arena, r->body, &q);
	struct machine *m = is_ok(s) && str_has(q.id) ? compute_find(agent_compute(g), q.id) : NULL;
	if (staging_keeps(m, r)) return;
	if (!is_ok(s) || !m || m->state == MACHINE_ENDED) {
		answer(g, r, !is_ok(s) ? STATUS(INVALID) : m ? OK : STATUS(NOT_FOUND));
		return;
	}
	if (m->paused) cgroup_freeze(m->c->cgroups, str_c(m->id), false), m->paused = false;
	if (q.force.v) {
		machine_kill_later(m, 0);
	} else {
		struct control_head h = {
			.kind = CONTROL_STOP, .value = (int32_t)(m->grace_ms < INT_MAX ? m->grace_ms : INT_MAX)};
		machine_send(m, &h, STR(""), NULL, 0);
		machine_kill_later(m, m->grace_ms + DEAF_MS);
	}
	m->state = MACHINE_STOPPING;
	answer(g, r, OK);
}

void machine_on_reboot(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_id q = {0};
	struct machine *m = alive(g, r, compute_rec_machine_id_decode(r->arena, r->body, &q), q.id);
	if (!m) return;
	struct control_head h = {.kind = CONTROL_REBOOT};
	machine_send(m, &h, STR(""), NULL, 0);
	answer(g, r, OK);
}

/* ── status ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void tell_user_data(struct compute_rec_machine_status *out, int32_t code)
{
	out->user_data = code == -2   ? STR("none")
			 : code == -1 ? STR("running")
			 : code == 0  ? STR("done")
				      : STR("failed");
	if (code >= 0) out->user_data_exit = SOME_I32(code);
}

/* Fields of numbers, by their places from 0, of a line of text. */
static uint64_t field(struct str line, size_t which)
{
	uint64_t v = 0;
	while (line.n) {
		line = str_trim(line);
		struct str word = str_cut(&line, ' ');
		if (which-- == 0) return is_ok(str_to_u64(word, &v)) ? v : 0;
		if (!str_has(line)) break;
	}
	return 0;
}

/* "/sys/block/<dev>/stat": 0 reads, 2 sectors read, 3 ms of reads, 4 writes, 6 sectors written, 7 ms of writes, 9 ms of
 * any. */
static void add_disk(
	struct arena *a, const char *id, dev_t device, struct compute_rec_machine_status *out, size_t *capacity)
{
	char path[64], text[512];
	size_t n;
	if (!device) return;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(device), minor(device));
	if (!is_ok(files_slurp(path, text, sizeof(text), &n))) return;
	struct str rest = str_n(text, n), line = str_cut(&rest, '\n');
	struct compute_rec_disk *d = VEC_PUSH(a, &out->disks, capacity);
	*d = (struct compute_rec_disk){.id = str_dup(a, str_c(id)),
		.reads = SOME_I64((int64_t)field(line, 0)),
		.writes = SOME_I64((int64_t)field(line, 4)),
		.read_bytes = SOME_I64((int64_t)field(line, 2) * 512),
		.written_bytes = SOME_I64((int64_t)field(line, 6) * 512),
		.read_ms = SOME_I64((int64_t)field(line, 3)),
		.write_ms = SOME_I64((int64_t)field(line, 7))};
	out->reads.v += d->reads.v, out->read_bytes.v += d->read_bytes.v;
	out->writes.v += d->writes.v, out->written_bytes.v += d->written_bytes.v;
}

/* proc(5), /proc/PID/net/dev: "eth0: bytes packets … (8 of what came) bytes packets … (of what went)". */
static void add_interfaces(pid_t pid, struct compute_rec_machine_status *out)
{
	char path[64], text[8192];
	size_t n;
	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	if (!is_ok(files_slurp(path, text, sizeof(text), &n))) return;
	struct str rest = str_n(text, n);
	while (str_has(rest)) {
		struct str line = str_cut(&rest, '\n'), numbers = line, name = str_trim(str_cut(&numbers, ':'));
		if (!str_has(numbers) || str_is(name, "lo")) continue;
		out->received_bytes.v += (int64_t)field(numbers, 0),
			out->received_packets.v += (int64_t)field(numbers, 1);
		out->sent_bytes.v += (int64_t)field(numbers, 8), out->sent_packets.v += (int64_t)field(numbers, 9);
	}
}

static void tell_traffic(struct arena *a, const struct machine *m, struct compute_rec_machine_status *out)
{
	struct opt_i64 *const all[] = {&out->read_bytes, &out->written_bytes, &out->reads, &out->writes,
		&out->received_bytes, &out->sent_bytes, &out->received_packets, &out->sent_packets};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) *all[i] = SOME_I64(0);
	size_t disks = 0;
	add_disk(a, m->root, m->root_device, out, &disks);
	for (size_t i = 0; i < m->n_volumes; i++) add_disk(a, m->volumes[i].id, m->volumes[i].device, out, &disks);
	add_interfaces(m->pid, out);
}

static void tell(struct arena *a, struct machine *m, struct compute_rec_machine_status *out)
{
	static const char *const states[] = {"booting", "running", "stopping", "ended"};
	*out = (struct compute_rec_machine_status){.id = str_dup(a, str_c(m->id)), .state = str_c(states[m->state])};
	if (m->state == MACHINE_ENDED) {
		out->why = str_c(m->why);
		tell_user_data(out, m->user_data);
		return;
	}
	struct cgroup_use use = {0};
	cgroup_use_read(m->c->cgroups, str_c(m->id), &use);
	out->up_ms = SOME_I64(compute_now_ms() - m->born_us / 1000);
	out->pid = SOME_I32(m->pid);
	out->memory_bytes = SOME_I64(use.memory_bytes), out->cpu_us = SOME_I64(use.cpu_us);
	out->processes = SOME_I32((int32_t)use.processes);
	if (use.cpu_percent) out->cpu_percent = SOME_I64(use.cpu_percent);
	tell_user_data(out, machine_console(m).user_data);
	tell_traffic(a, m, out);
	out->volumes.v = arena_new_n(a, struct str, m->n_volumes + 1);
	for (size_t i = 0; i < m->n_volumes; i++) out->volumes.v[out->volumes.n++] = str_c(m->volumes[i].id);
}

void machine_on_list(struct agent *g, struct agent_request *r)
{
	struct compute *c = agent_compute(g);
	struct compute_rec_machine_id q = {0};
	struct compute_rec_machine_statuses out = {0};
	if (!is_ok(compute_rec_machine_id_decode(r->arena, r->body, &q))) {
		answer(g, r, STATUS(INVALID));
		return;
	}
	out.machines.v = arena_new_n(r->arena, struct compute_rec_machine_status, c->machines.count + 1);
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		if (!str_has(q.id) || str_eq(q.id, str_c(m->id))) tell(r->arena, m, &out.machines.v[out.machines.n++]);
	}
	struct str body = compute_rec_machine_statuses_encode(r->arena, &out);
	agent_answer(g, r->id, OK, STR_NONE, body, NULL, 0);
}

/* ── children of the agent that answer for it ─────────────────────────────────────────────────────────────────── */

struct child {
	struct agent *g;
	uint64_t id;
	pid_t pid;
	int fd;
	struct buf said;
};

static void on_child(void *ctx)
{
	struct child *c = ctx;
	ssize_t n = read(c->fd, buf_reserve(&c->said, ANSWER_MAX), ANSWER_MAX);
	if (n < 0 && errno == EINTR) return;
	if (n > 0) {
		c->said.n += (size_t)n;
		return;
	}
	agent_unwatch(c->g, c->fd);
	close(c->fd);
	waitpid(c->pid, NULL, 0);
	struct str said = buf_done(&c->said);
	/* The first byte is its status; a child that was killed said nothing. */
	status s = said.n ? (status){(enum status_code)said.p[0]} : STATUS(IO);
	agent_answer(c->g, c->id, s, said.n > 1 ? str_from(said, 1) : STR_NONE, STR_NONE, NULL, 0);
	buf_cleanup(&c->said);
	free(c);
}

void answer_from_child(
	struct agent *g, uint64_t id, status (*fn)(void *ctx, struct arena *a, struct str *why), void *ctx)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) {
		agent_answer(g, id, STATUS(IO), STR_NONE, STR_NONE, NULL, 0);
		return;
	}
	struct child *c = mem_new(sizeof(*c));
	*c = (struct child){.g = g, .id = id, .fd = ends[0], .pid = fork()};
	if (c->pid == 0) {
		struct arena a;
		struct str why = STR_NONE;
		arena_init(&a);
		char code = (char)fn(ctx, &a, &why).code;
		struct str said = str_cat(&a, str_n(&code, 1), str_sub(str_or(why, STR("")), 0, ANSWER_MAX - 1));
		_exit(write(ends[1], said.p, said.n) == (ssize_t)said.n ? 0 : 1);
	}
	close(ends[1]);
	agent_watch(g, c->fd, on_child, c);
}

/* ── pause ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What it has written so far, on its volumes' files. */
static status sync_volumes(void *ctx, struct arena *a, struct str *why)
{
	struct machine *m = ctx;
	int root = open(str_fmt(a, "/proc/%d/root", m->pid).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = root >= 0 && syncfs(root) == 0;
	for (size_t i = 0; i < m->n_volumes && good; i++) {
		int fd = open(m->volumes[i].loop, O_RDWR | O_CLOEXEC);
		good = fd >= 0 && fsync(fd) == 0;
		if (fd >= 0) close(fd);
	}
	int fd = good ? open(m->root_loop, O_RDONLY | O_CLOEXEC) : -1;
	good = good && fd >= 0 && fsync(fd) == 0;
	if (!good) *why = str_c(strerror(errno));
	return good ? OK : STATUS(IO);
}

void machine_on_pause(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_pause q = {0};
	struct machine *m = alive(g, r, compute_rec_machine_pause_decode(r->arena, r->body, &q), q.id);
	if (!m) return;
	cgroup_freeze(m->c->cgroups, str_c(m->id), q.paused.v);
	m->paused = q.paused.v;
	if (q.paused.v)
		answer_from_child(g, r->id, sync_volumes, m);
	else
		answer(g, r, OK);
}

/* ── things told to init ──────────────────────────────────────────────────────────────────────────────────────── */

void machine_on_keys(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_keys q = {0};
	struct machine *m = alive(g, r, compute_rec_machine_keys_decode(r->arena, r->body, &q), q.id);
	if (!m) return;
	struct buf b = BUF_IN(r->arena);
	for (size_t i = 0; i < q.public_keys.n; i++) buf_fmt(&b, "%.*s\n", STR_ARG(q.public_keys.v[i]));
	if (b.n > CONTROL_PAYLOAD_MAX) {
		answer(g, r, STATUS(LIMIT));
		return;
	}
	struct control_head h = {.kind = CONTROL_KEYS};
	machine_send(m, &h, buf_done(&b), NULL, 0);
	answer(g, r, OK);
}

void machine_on_nics(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_nics q = {0};
	struct machine *m = alive(g, r, compute_rec_machine_nics_decode(r->arena, r->body, &q), q.id);
	if (!m) return;
	struct buf b = BUF_IN(r->arena);
	write_nics(&b, &q.nics);
	if (!nics_valid(&q.nics) || b.n > CONTROL_PAYLOAD_MAX) {
		agent_answer(g, r->id, STATUS(INVALID), STR("its network is nonsense"), STR_NONE, NULL, 0);
		return;
	}
	struct control_head h = {.kind = CONTROL_NICS};
	machine_send(m, &h, buf_done(&b), NULL, 0);
	answer(g, r, OK);
}

static void put_text(struct buf *b, struct str s)
{
	s = str_or(s, STR(""));
	ptrdiff_t nul = str_chr(s, 0);
	buf_str(b, nul < 0 ? s : str_sub(s, 0, (size_t)nul));
	buf_byte(b, 0);
}

void machine_on_exec(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_exec q = {0};
	struct machine *m = alive(g, r, compute_rec_machine_exec_decode(r->arena, r->body, &q), q.id);
	if (!m) return;
	struct buf b = BUF_IN(r->arena);
	put_text(&b, q.directory), put_text(&b, q.user);
	for (size_t i = 0; i < q.argv.n; i++) put_text(&b, q.argv.v[i]);
	for (size_t i = 0; i < q.environment.n; i++) put_text(&b, q.environment.v[i]);
	size_t wanted = q.tty.v ? 1 : 4;
	if (q.argv.n == 0 || r->n_fds != wanted || b.n > CONTROL_PAYLOAD_MAX) {
		agent_answer(g, r->id, STATUS(INVALID), STR("the command cannot be read, or is too long"), STR_NONE,
			NULL, 0);
		return;
	}
	if (m->state != MACHINE_RUNNING) {
		agent_answer(
			g, r->id, STATUS(BUSY), STR("the machine is not running yet, or is ending"), STR_NONE, NULL, 0);
		return;
	}
	struct control_head h = {.kind = CONTROL_EXEC,
		.value = (q.rows.v & 0x7fff) << 16 | (q.columns.v & 0xffff),
		.count = (uint32_t)q.argv.n | (q.tty.v ? CONTROL_TTY : 0)};
	machine_send(m, &h, buf_done(&b), r->fds, wanted);
	answer(g, r, OK);
}

/* ── the table ────────────────────────────────────────────────────────────────────────────────────────────────── */

agent_handler compute_handler(enum host_op op)
{
	static const agent_handler handlers[HOST_OP_COUNT] = {
		[HOST_OP_MACHINE_START] = machine_on_start,
		[HOST_OP_MACHINE_STOP] = machine_on_stop,
		[HOST_OP_MACHINE_REBOOT] = machine_on_reboot,
		[HOST_OP_MACHINE_LIST] = machine_on_list,
		[HOST_OP_MACHINE_PAUSE] = machine_on_pause,
		[HOST_OP_MACHINE_KEYS] = machine_on_keys,
		[HOST_OP_MACHINE_NICS] = machine_on_nics,
		[HOST_OP_MACHINE_EXEC] = machine_on_exec,
		[HOST_OP_VOLUME_ATTACH] = volume_on_attach,
		[HOST_OP_VOLUME_DETACH] = volume_on_detach,
		[HOST_OP_VOLUME_CHANGED] = volume_on_changed,
		[HOST_OP_IMAGE_LIST] = image_on_list,
		[HOST_OP_IMAGE_IMPORT] = image_on_import,
		[HOST_OP_IMAGE_REMOVE] = image_on_remove,
	};
	return op < HOST_OP_COUNT && handlers[op] ? handlers[op] : engine_handler(op);
}
