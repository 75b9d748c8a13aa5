/* Commands inside instances, and images from archives: what virga's own command line asks of EC2. */
#include "call/inside.h"
#include "host/compute/machine.h"
#include "services/ec2/door.h"
#include "services/ec2/image.h"
#include "services/ec2/machine.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BOOT_TRIES = 400 }; /* of 50 ms */
#define OUTPUT_MAX ((off_t)32 << 20)

static struct str read_back(struct arena *a, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	if (size > OUTPUT_MAX) size = OUTPUT_MAX;
	if (size <= 0) return STR("");
	char *p = arena_alloc_raw(a, (size_t)size);
	ssize_t n = pread(fd, p, (size_t)size, 0);
	return n < 0 ? STR("") : str_n(p, (size_t)n);
}

static void close_all(const int fds[3])
{
	for (unsigned i = 0; i < 3; i++)
		if (fds[i] >= 0) close(fds[i]);
}

status ec2_command_run(struct cloud *cloud, struct arena *a, struct str instance, const struct str *argv, size_t n,
	struct ec2_command_result *out, struct str *why)
{
	struct ec2_place at;
	struct compute_rec_machine_exec e = {.id = instance};
	size_t capacity = 0;
	*why = STR("");
	if (!ec2_machines_are_real(cloud)) return STATUS(BUSY);
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status s = ec2_machine_place(tx, a, instance, &at);
	store_end(tx);
	TRY(s);
	for (size_t i = 0; i < n; i++) *VEC_PUSH(a, &e.argv, &capacity) = argv[i];
	int fds[3] = {open("/dev/null", O_RDONLY | O_CLOEXEC), memfd_create("output", MFD_CLOEXEC),
		memfd_create("error", MFD_CLOEXEC)};
	int control = -1;
	s = fds[0] < 0 || fds[1] < 0 || fds[2] < 0 ? STATUS(IO)
						   : host_machine_exec(cloud->host, a, &e, fds, &control, why);
	bool ended = false;
	while (is_ok(s) && !ended) {
		int terminal = -1;
		s = host_exec_wait(control, &terminal, &ended, &out->exit_code);
		if (terminal >= 0) close(terminal);
	}
	if (control >= 0) close(control);
	if (is_ok(s)) {
		out->output = read_back(a, fds[1]);
		out->error = read_back(a, fds[2]);
	}
	close_all(fds);
	return s;
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
	return s;
}
