/* Commands inside instances, and images from archives: what virga's own command line asks of EC2. */
#include "base/log.h"
#include "call/inside.h"
#include "host/compute/machine.h"
#include "services/ec2/door.h"
#include "services/ec2/instance.h"
#include "services/ec2/machine.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { READY_TRIES = 250, READY_PAUSE_US = 20000 };

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0) close(fds[i]);
}

/* Pipes, so that the machine never holds a descriptor of the host's terminal or files. */
static status start_piped(struct cloud *cloud, struct arena *a, const struct compute_rec_machine_exec *e,
	int fds[EC2_COMMAND_FDS], struct str *why)
{
	int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
	status s = OK;
	for (unsigned i = 0; i < 3 && is_ok(s); i++)
		if (pipe2(pipes[i], O_CLOEXEC) != 0) s = STATUS(IO);
	int inside[3] = {pipes[0][0], pipes[1][1], pipes[2][1]}, ours[3] = {pipes[0][1], pipes[1][0], pipes[2][0]};
	if (is_ok(s)) s = host_machine_exec(cloud->host, a, e, inside, &fds[0], why);
	close_all(inside, 3);
	if (is_ok(s))
		for (unsigned i = 0; i < 3; i++) fds[i + 1] = ours[i];
	else
		close_all(ours, 3);
	return s;
}

status ec2_command_start(struct cloud *cloud, struct arena *a, const struct ec2_command *q, int fds[EC2_COMMAND_FDS],
	size_t *n_fds, struct str *why)
{
	struct ec2_place at;
	struct compute_rec_machine_exec e = {.id = q->instance,
		.user = q->user,
		.tty = SOME_BOOL(q->tty),
		.rows = SOME_I32(q->rows),
		.columns = SOME_I32(q->columns)};
	size_t n_argv = 0, n_environment = 0;
	*why = STR("");
	if (!ec2_machines_are_real(cloud)) return STATUS(BUSY);
	struct store_tx *tx = store_begin(cloud->store, a, true);
	struct ec2_rec_instance record;
	status s = ec2_machine_place(tx, a, q->instance, &at);
	if (is_ok(s)) s = ec2_load(at, &ec2_type_instance, q->instance, &record);
	store_end(tx);
	TRY(s);
	/* A hibernated one's machine is there, and would never answer. */
	if (record.state.v == EC2_STOPPED) return STATUS(NOT_FOUND);
	for (size_t i = 0; i < q->n; i++) *VEC_PUSH(a, &e.argv, &n_argv) = q->argv[i];
	if (q->tty && str_has(q->term))
		*VEC_PUSH(a, &e.environment, &n_environment) = str_fmt(a, "TERM=%.*s", STR_ARG(q->term));
	*n_fds = q->tty ? 1 : EC2_COMMAND_FDS;
	/* An instance is running a moment before its init answers. */
	for (unsigned tries = 0;; tries++) {
		s = q->tty ? host_machine_exec(cloud->host, a, &e, NULL, &fds[0], why)
			   : start_piped(cloud, a, &e, fds, why);
		if (!status_is(s, STATUS_BUSY) || tries == READY_TRIES) return s;
		usleep(READY_PAUSE_US);
	}
}

static status register_import(struct call *c, struct str name, struct str base, struct str *id)
{
	struct ec2_image shape = {0};
	/* As virga's own: its root device, over another base. */
	ec2_public_image(c->arena, c->region, 0, &shape);
	shape.tags.v = NULL;
	return ec2_image_make(c, name, str_fmt(c->arena, "Imported by virga ami import"), &shape, base, id);
}

status ec2_image_import_file(struct cloud *cloud, struct arena *a, struct str account, struct str region,
	struct str name, const char *path, struct str *image, struct str *why)
{
	*why = STR("");
	if (!ec2_machines_are_real(cloud)) return STATUS(BUSY);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		*why = str_fmt(a, "the file cannot be read: %s", strerror(errno));
		return STATUS(INVALID);
	}
	struct str base = ec2_new_id(a, "import-");
	status s = host_image_import(cloud->host, a, base, fd, why);
	close(fd);
	TRY(s);
	for (unsigned tries = 0; tries < 100; tries++) {
		store_ticket ticket;
		struct store_tx *tx = store_begin(cloud->store, a, false);
		struct call *c = call_for_job(a, cloud, tx, account, region, STR("ec2.amazonaws.com"));
		s = register_import(c, name, base, image);
		if (status_is(s, STATUS_FAILED)) {
			*why = c->failure.message;
			s = STATUS(INVALID);
		}
		if (is_ok(s)) s = store_commit(tx, &ticket);
		store_end(tx);
		if (is_ok(s)) store_wait(cloud->store, ticket);
		if (!status_is(s, STATUS_CONFLICT)) break;
	}
	/* Nobody knows of it. */
	if (!is_ok(s) && !is_ok(host_image_remove(cloud->host, base)))
		log_warn("ec2", "import", "left=%.*s", STR_ARG(base));
	return s;
}
