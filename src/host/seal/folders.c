/* See folders.h. */
#include "host/seal/folders.h"
#include "base/buf.h"
#include "base/log.h"
#include "host/compute/compute.h"
#include "host/compute/door.h"
#include "host/compute/loop.h"
#include "host/compute/operations.h"
#include "host/seal/sealed.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAST ((uint64_t)64 << 20)
#define MOST ((uint64_t)8 << 40)

struct folder {
	struct compute *c;
	struct arena *a;
	struct str name, key;
	uint64_t bytes;
	struct str *why;
};

static status refused(const struct folder *f, const char *what)
{
	*f->why = str_fmt(f->a, "%s: %s", what, strerror(errno));
	log_error("host", "sealed_folder", "folder=%.*s why=\"%.*s\"", STR_ARG(f->name), STR_ARG(*f->why));
	return STATUS(IO);
}

static bool is_mounted(int dir)
{
	struct statx st;
	return statx(dir, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* What it is called by a process of another namespace: mount(2) takes no descriptor. */
static const char *by_descriptor(struct arena *a, int fd)
{
	return str_fmt(a, "/proc/%d/fd/%d", getpid(), fd).p;
}

/* A new file has another name until there is a file system in it: so one that is found is never made anew. */
static status make_file(const struct folder *f, struct str made)
{
	struct str beside = str_cat(f->a, made, STR(".new"));
	struct sealer sealer;
	int plain = -1;
	if (mkdir(f->c->images, 0700) != 0 && errno != EEXIST) return refused(f, "the data folder cannot be written");
	int fd = data_open(f->c, f->a, beside, O_RDWR | O_CREAT | O_TRUNC);
	if (fd < 0 || ftruncate(fd, (off_t)f->bytes) != 0) return refused(f, "its file cannot be made");
	close(fd);
	status s = plain_open(f->c, f->a, beside, f->key, &sealer, &plain, f->why);
	bool fresh;
	if (is_ok(s)) s = loop_format(plain, f->c->templates, &fresh, f->why);
	if (is_ok(s) && fsync(plain) != 0) s = refused(f, "its file cannot be written");
	if (plain >= 0) close(plain);
	if (is_ok(s) && renameat(f->c->data, str_z(f->a, beside), f->c->data, str_z(f->a, made)) != 0)
		s = refused(f, "its file cannot be named");
	return s;
}

/* A loop device on the file, by a sealer of its own. */
static status make_device(const struct folder *f, struct str made, const char *name, int *device, char loop[static 32])
{
	struct sealer sealer;
	dev_t number;
	int plain = -1;
	TRY(plain_open_alone(f->c, f->a, made, f->key, &sealer, &plain, f->why));
	status s = loop_open(plain, name, device, &number, loop);
	if (!is_ok(s)) *f->why = STR("there is no loop device for it");
	close(plain);
	return s;
}

/* One that was closed may be in use still: by a server that reads there, or in a mount namespace that somebody made
 * meanwhile. A file system that two devices have is lost, so it is mounted from the one that is there. */
static status mount_file(const struct folder *f, struct str made, int dir)
{
	char loop[32], name[64];
	dev_t number;
	struct stat st;
	int device = -1, fd = data_open(f->c, f->a, made, O_RDONLY);
	status s = fd >= 0 && fstat(fd, &st) == 0 ? OK : refused(f, "its file cannot be opened");
	if (fd >= 0) close(fd);
	TRY(s);
	snprintf(name, sizeof(name), "virga-folder-%llx-%llx", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	bool there = is_ok(loop_named(name, &number, loop));
	if (!there) TRY(make_device(f, made, name, &device, loop));
	bool mounted =
		mount(loop, by_descriptor(f->a, dir), "ext4", MS_NODEV | MS_NOSUID | MS_NOATIME, "noinit_itable") == 0;
	/* One that is there may be on its way out. */
	if (!mounted && there) {
		*f->why = STR("somebody still has it open");
		s = STATUS(BUSY);
	} else if (!mounted) {
		s = refused(f, "its file system cannot be mounted");
	}
	if (device >= 0) close(device);
	return s;
}

static status open_folder(const struct folder *f)
{
	struct str made = str_cat(f->a, f->name, STR(".sealed"));
	int dir = data_open(f->c, f->a, f->name, O_PATH | O_DIRECTORY);
	if (dir < 0) return refused(f, "the folder is not there");
	bool done = is_mounted(dir);
	status s = OK;
	if (!done) {
		compute_ready(f->c);
		int fd = data_open(f->c, f->a, made, O_RDONLY);
		if (fd < 0) s = errno == ENOENT ? make_file(f, made) : refused(f, "its file cannot be opened");
		if (fd >= 0) close(fd);
		if (is_ok(s)) s = mount_file(f, made, dir);
	}
	close(dir);
	if (!is_ok(s) || done) return s;
	dir = data_open(f->c, f->a, f->name, O_RDONLY | O_DIRECTORY);
	if (dir < 0 || (mkdirat(dir, "files", 0755) != 0 && errno != EEXIST)) s = refused(f, "it cannot be written");
	if (dir >= 0) close(dir);
	return s;
}

static status close_folder(const struct folder *f)
{
	int dir = data_open(f->c, f->a, f->name, O_PATH | O_DIRECTORY);
	if (dir < 0) return errno == ENOENT ? OK : refused(f, "it cannot be opened");
	status s = OK;
	/* Who still has it goes on with it; nobody finds it any more. */
	if (is_mounted(dir) && umount2(by_descriptor(f->a, dir), MNT_DETACH) != 0)
		s = refused(f, "it cannot be unmounted");
	close(dir);
	return s;
}

void folders_on(struct agent *g, struct agent_request *r)
{
	struct host_rec_folder q = {0};
	struct str why = STR_NONE;
	status s = host_rec_folder_decode(r->arena, r->body, &q);
	if (is_ok(s) && !str_has(q.folder)) s = STATUS(INVALID);
	struct folder f = {agent_compute(g), r->arena, q.folder, q.key, (uint64_t)q.bytes.v, &why};
	if (is_ok(s) && !str_has(q.key))
		s = close_folder(&f);
	else if (is_ok(s))
		s = q.key.n == SEALED_KEY && f.bytes >= LEAST && f.bytes <= MOST ? open_folder(&f) : STATUS(INVALID);
	agent_answer(g, r->id, s, why, STR_NONE, NULL, 0);
	request_wipe(r);
}

/* proc(5), /proc/PID/mountinfo: the fifth word is the place, with \040 and the like for what would end it. A folder
 * of virga's has none of those in its own part; one whose data folder has is compared as it is written there. */
void folders_clear(struct compute *c)
{
	struct arena a;
	struct buf text = BUF_HEAP, data = BUF_HEAP;
	arena_init(&a);
	struct str path = agent_data(c->g);
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == ' ' || path.p[i] == '\\' || path.p[i] == '\t' || path.p[i] == '\n')
			buf_fmt(&data, "\\%03o", (unsigned)path.p[i]);
		else
			buf_byte(&data, path.p[i]);
	}
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	for (ssize_t n; fd >= 0 && (n = read(fd, buf_reserve(&text, 1 << 16), 1 << 16)) > 0;) text.n += (size_t)n;
	if (fd >= 0) close(fd);
	struct str rest = buf_done(&text), prefix = buf_done(&data);
	while (str_has(rest)) {
		struct str line = str_cut(&rest, '\n'), place = STR_NONE;
		for (int i = 0; i < 5; i++) place = str_cut(&line, ' ');
		if (!str_has(place) || !str_starts(place, prefix)) continue;
		int dir = data_open(c, &a, str_from(place, prefix.n), O_PATH | O_DIRECTORY);
		if (dir < 0 || umount2(by_descriptor(&a, dir), MNT_DETACH) != 0)
			log_warn("host", "not_unmounted", "place=%.*s why=\"%s\"", STR_ARG(place), strerror(errno));
		if (dir >= 0) close(dir);
	}
	buf_cleanup(&text), buf_cleanup(&data);
	arena_cleanup(&a);
}
