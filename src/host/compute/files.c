/* See files.h. */
#include "host/compute/files.h"
#include "base/arena.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static status refused(const char *what)
{
	log_error("host", "file", "what=\"%s\" why=\"%s\"", what, strerror(errno));
	return STATUS(IO);
}

status files_read_at(int fd, uint64_t at, void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (char *)p + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) return refused("read");
		done += (size_t)got;
	}
	return OK;
}

status files_write_at(int fd, uint64_t at, const void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t put = pwrite(fd, (const char *)p + done, n - done, (off_t)(at + done));
		if (put < 0 && errno == EINTR) continue;
		if (put <= 0) return refused("write");
		done += (size_t)put;
	}
	return OK;
}

static status copy_extent(int in, int out, off_t from, off_t to)
{
	while (from < to) {
		off_t in_at = from, out_at = from;
		ssize_t n = copy_file_range(in, &in_at, out, &out_at, (size_t)(to - from), 0);
		if (n < 0 && errno == EINTR) continue;
		if (n > 0) {
			from += n;
			continue;
		}
		/* Between file systems that cannot: by hand. */
		char room[1 << 16];
		size_t part = (size_t)(to - from) < sizeof(room) ? (size_t)(to - from) : sizeof(room);
		TRY(files_read_at(in, (uint64_t)from, room, part));
		TRY(files_write_at(out, (uint64_t)from, room, part));
		from += (off_t)part;
	}
	return OK;
}

status files_copy_sparse(int in, int out)
{
	struct stat st;
	if (fstat(in, &st) != 0 || ftruncate(out, st.st_size) != 0) return refused("size");
	for (off_t at = 0; at < st.st_size;) {
		off_t data = lseek(in, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO) break;
		off_t hole = data < 0 ? -1 : lseek(in, data, SEEK_HOLE);
		if (hole < 0) return refused("seek");
		TRY(copy_extent(in, out, data, hole));
		at = hole;
	}
	return OK;
}

#define DIG_BLOCK 4096

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static status dig(int fd, off_t from, off_t to)
{
	char room[1 << 16];
	for (off_t at = from; at < to;) {
		size_t n = (size_t)(to - at) < sizeof(room) ? (size_t)(to - at) : sizeof(room);
		TRY(files_read_at(fd, (uint64_t)at, room, n));
		for (size_t i = 0; i + DIG_BLOCK <= n; i += DIG_BLOCK) {
			if (!is_zero(room + i, DIG_BLOCK)) continue;
			off_t block = at + (off_t)i;
			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, block, DIG_BLOCK) != 0)
				return errno == EOPNOTSUPP ? OK : refused("dig a hole");
		}
		at += (off_t)n;
	}
	return OK;
}

status files_dig_holes(int fd)
{
	for (off_t at = 0;;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO) return OK;
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0) return refused("seek");
		TRY(dig(fd, data, hole));
		at = hole;
	}
}

status files_sync_parent(const char *path)
{
	char dir[PATH_MAX];
	ptrdiff_t slash = str_rchr(str_c(path), '/');
	int n = slash < 0 ? snprintf(dir, sizeof(dir), ".") : snprintf(dir, sizeof(dir), "%.*s", (int)slash + 1, path);
	if (n < 0 || (size_t)n >= sizeof(dir)) return STATUS(LIMIT);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return refused("open a folder");
	status s = fsync(fd) == 0 ? OK : refused("sync a folder");
	close(fd);
	return s;
}

status files_replace(const char *path, struct str content, bool durable)
{
	char beside[PATH_MAX];
	int n = snprintf(beside, sizeof(beside), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(beside)) return STATUS(LIMIT);
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) return refused("create");
	status s = files_write_at(fd, 0, content.p, content.n);
	if (is_ok(s) && durable && fsync(fd) != 0) s = refused("sync");
	close(fd);
	if (is_ok(s) && rename(beside, path) != 0) s = refused("rename");
	if (is_ok(s)) return durable ? files_sync_parent(path) : OK;
	unlink(beside);
	return s;
}

status files_slurp(const char *path, char *room, size_t max, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return errno == ENOENT ? STATUS(NOT_FOUND) : refused("open");
	status s = OK;
	for (*n = 0;;) {
		char more;
		ssize_t got = *n < max ? read(fd, room + *n, max - *n) : read(fd, &more, 1);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) s = refused("read");
		if (got > 0 && *n == max) s = STATUS(LIMIT);
		if (got <= 0 || !is_ok(s)) break;
		*n += (size_t)got;
	}
	close(fd);
	return s;
}

bool files_put_at(int dir, const char *path, struct str text)
{
	int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) return false;
	ssize_t n = write(fd, text.p, text.n);
	int why = errno;
	close(fd);
	errno = why;
	return n == (ssize_t)text.n;
}

bool files_put(const char *path, struct str text)
{
	return files_put_at(AT_FDCWD, path, text);
}
