/* See loop.h. */
#include "host/compute/loop.h"
#include "base/log.h"
#include "host/compute/files.h"
#include "host/compute/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRIES 64
#define EXT4_MAGIC_AT 1080 /* superblock at 1024, s_magic at 56: ext4(5), "Layout" */
#define SMALLEST (8u << 20)
#define GROWTH 32u
#define LEAST_GROWTH (16u << 20) /* less is not worth it: what is left behind the last group */

static status refused(const char *what)
{
	log_error("host", "loop", "what=\"%s\" why=\"%s\"", what, strerror(errno));
	return STATUS(IO);
}

/* EINVAL: an older kernel, or a file that cannot be read around its cache. */
static bool set_up(int device, int file, const char *name)
{
	struct loop_config c = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	if (name) {
		snprintf((char *)c.info.lo_file_name, sizeof(c.info.lo_file_name), "%s", name);
		c.info.lo_flags |= LO_FLAGS_DIRECT_IO;
		if (ioctl(device, LOOP_CONFIGURE, &c) == 0) return true;
		if (errno != EINVAL) return false;
		c.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	}
	return ioctl(device, LOOP_CONFIGURE, &c) == 0;
}

status loop_open(int file, const char *name, int *device, dev_t *number, char path[static 32])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0) return refused("open /dev/loop-control");
	status s = STATUS(BUSY);
	/* Between asking for a free one and taking it, somebody else may take it. */
	for (int i = 0; i < TRIES && status_is(s, STATUS_BUSY); i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);
		if (n < 0) {
			s = refused("find a free loop device");
			break;
		}
		snprintf(path, 32, "/dev/loop%d", n);
		*device = open(path, O_RDWR | O_CLOEXEC);
		if (*device >= 0 && set_up(*device, file, name)) {
			s = OK;
			break;
		}
		if (*device >= 0 && errno != EBUSY) s = refused("set up a loop device");
		if (*device >= 0) close(*device);
	}
	close(control);
	struct stat st;
	if (is_ok(s) && fstat(*device, &st) == 0) *number = st.st_rdev;
	return status_is(s, STATUS_BUSY) ? refused("get a loop device") : s;
}

static status find(bool (*is)(const struct loop_info64 *info, const void *what), const void *what, dev_t *number,
	char path[static 32])
{
	for (int i = 0; i < 1 << 20; i++) {
		struct loop_info64 info;
		snprintf(path, 32, "/dev/loop%d", i);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) return STATUS(NOT_FOUND);
		bool there = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && is(&info, what);
		struct stat st;
		bool good = there && fstat(fd, &st) == 0;
		close(fd);
		if (!good) continue;
		*number = st.st_rdev;
		return OK;
	}
	return STATUS(NOT_FOUND);
}

struct file_id {
	dev_t device;
	ino_t inode;
};

static bool is_file(const struct loop_info64 *info, const void *what)
{
	const struct file_id *f = what;
	return info->lo_inode == f->inode && info->lo_device == f->device;
}

static bool is_named(const struct loop_info64 *info, const void *what)
{
	return strncmp((const char *)info->lo_file_name, what, sizeof(info->lo_file_name)) == 0;
}

status loop_find(dev_t file_device, ino_t file_inode, dev_t *number, char path[static 32])
{
	struct file_id f = {file_device, file_inode};
	return find(is_file, &f, number, path);
}

status loop_named(const char *name, dev_t *number, char path[static 32])
{
	return find(is_named, name, number, path);
}

status loop_grow(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) return refused("open a loop device");
	status s = ioctl(fd, LOOP_SET_CAPACITY) == 0 ? OK : refused("grow a loop device");
	close(fd);
	return s;
}

/* ── an empty file system ─────────────────────────────────────────────────────────────────────────────────────── */

static bool is_formatted(int file)
{
	unsigned char magic[2];
	return pread(file, magic, 2, EXT4_MAGIC_AT) == 2 && magic[0] == 0x53 && magic[1] == 0xef;
}

/* A small journal: the file systems are young, and it is written anew with each snapshot. No room is kept for root, and
 * little for descriptors of what it may grow to: by itself mke2fs keeps 4 MB of tables for a thousandfold size, which would
 * be copied, and synced, for each machine. What grows further gets its descriptors elsewhere (ext4(5), "meta_bg"). */
static status make_template(const char *path, uint64_t size)
{
	char beside[PATH_MAX + 16], features[160];
	snprintf(features, sizeof(features),
		"lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0,resize=%lluK",
		(unsigned long long)(size >> 10) * GROWTH);
	snprintf(beside, sizeof(beside), "%s.%d", path, getpid());
	int fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0) return refused("make a template");
	const char *argv[] = {"mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-J",
		size < (256u << 20) ? "size=1" : "size=4", "-E", features, "-L", "root", beside, NULL};
	int code = spawn_wait(argv, NULL, -1);
	status s = code == 0 ? OK : STATUS(IO);
	/* Most of what it wrote is zeros, kept free for growing: not to be copied for each machine. */
	if (is_ok(s)) s = files_dig_holes(fd);
	close(fd);
	if (is_ok(s) && rename(beside, path) != 0) s = refused("name a template");
	if (!is_ok(s)) {
		log_error("host", "mke2fs", "exit=%d", code);
		unlink(beside);
	}
	return s;
}

static uint64_t le(const unsigned char *p, unsigned n)
{
	uint64_t v = 0;
	while (n-- > 0) v = v << 8 | p[n];
	return v;
}

/* A volume made from a smaller one's snapshot, or that grew while its file system could not: resize2fs(8) takes it to
 * the end, after the check that it asks for. Superblock fields: ext4(5), "The Super Block". */
static status grow_to_end(int file, uint64_t size, struct str *why)
{
	unsigned char s[1024];
	char path[64];
	if (pread(file, s, sizeof(s), 1024) != sizeof(s)) return refused("read a superblock");
	uint64_t blocks = le(s + 0x4, 4) | (le(s + 0x60, 4) & 0x80 ? le(s + 0x150, 4) << 32 : 0);
	unsigned shift = (unsigned)le(s + 0x18, 4);
	if (shift > 6 || blocks > UINT64_MAX >> 16 || (blocks << (10 + shift)) + LEAST_GROWTH > size) return OK;
	/* By this process's descriptor: a sealed one's plain bytes have no name here. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), file);
	const char *check[] = {"e2fsck", "-fp", path, NULL}, *grow[] = {"resize2fs", path, NULL};
	int code = spawn_wait(check, NULL, -1);
	/* 1: errors were corrected (e2fsck(8)). */
	if (code <= 1) code = spawn_wait(grow, NULL, -1);
	if (code == 0) return OK;
	log_error("host", "grow_volume", "exit=%d", code);
	*why = STR("the root volume's file system cannot be checked, or cannot grow");
	return STATUS(IO);
}

status loop_fits(int file, struct str *why)
{
	struct stat st;
	if (fstat(file, &st) != 0) return refused("stat a volume");
	if (st.st_size >= SMALLEST || is_formatted(file)) return OK;
	*why = STR("the root volume is smaller than 8 MiB");
	return STATUS(INVALID);
}

status loop_format(int file, const char *templates, bool *fresh, struct str *why)
{
	struct stat st;
	TRY(loop_fits(file, why));
	if (fstat(file, &st) != 0) return refused("stat a volume");
	*fresh = !is_formatted(file);
	if (!*fresh) return grow_to_end(file, (uint64_t)st.st_size, why);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%sext4.2-%lld", templates, (long long)st.st_size);
	if (mkdir(templates, 0700) != 0 && errno != EEXIST) return refused("make the templates' folder");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		TRY(make_template(path, (uint64_t)st.st_size));
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) return refused("open a template");
	status s = files_copy_sparse(fd, file);
	close(fd);
	return s;
}
