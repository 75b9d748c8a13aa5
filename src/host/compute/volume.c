/* See volume.h: the volume's half. */
#include "host/compute/volume.h"
#include "base/log.h"
#include "host/compute/files.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static status failed(const char *path, const char *what)
{
	status s = errno == EEXIST ? STATUS(BUSY) : errno == ENOENT ? STATUS(NOT_FOUND) : STATUS(IO);
	if (status_is(s, STATUS_IO))
		log_error("host", "volume", "what=\"%s\" path=\"%s\" why=\"%s\"", what, path, strerror(errno));
	return s;
}

status volume_create(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) return failed(path, "create");
	status s = ftruncate(fd, (off_t)size) == 0 && fsync(fd) == 0 ? OK : failed(path, "size");
	close(fd);
	if (is_ok(s)) s = files_sync_parent(path);
	if (!is_ok(s)) unlink(path);
	return s;
}

status volume_grow(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return failed(path, "open");
	struct stat st;
	status s = fstat(fd, &st) == 0 ? OK : failed(path, "stat");
	if (is_ok(s) && (uint64_t)st.st_size > size) s = STATUS(INVALID);
	if (is_ok(s) && (ftruncate(fd, (off_t)size) != 0 || fsync(fd) != 0)) s = failed(path, "grow");
	close(fd);
	return s;
}

status volume_remove(const char *path)
{
	if (unlink(path) == 0 || errno == ENOENT) return OK;
	return failed(path, "remove");
}

status volume_size(const char *path, uint64_t *size, uint64_t *taken)
{
	struct stat st;
	if (stat(path, &st) != 0) return failed(path, "stat");
	if (size) *size = (uint64_t)st.st_size;
	if (taken) *taken = (uint64_t)st.st_blocks * 512;
	return OK;
}

static status open_within(const char *path, int flags, uint64_t at, size_t n, int *fd)
{
	*fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0) return failed(path, "open");
	struct stat st;
	status s = fstat(*fd, &st) == 0 ? OK : failed(path, "stat");
	if (is_ok(s) && (at > (uint64_t)st.st_size || n > (uint64_t)st.st_size - at)) s = STATUS(INVALID);
	if (!is_ok(s)) close(*fd);
	return s;
}

status volume_read(const char *path, uint64_t at, void *p, size_t n)
{
	int fd;
	TRY(open_within(path, O_RDONLY, at, n, &fd));
	status s = files_read_at(fd, at, p, n);
	close(fd);
	return s;
}

status volume_write(const char *path, uint64_t at, const void *p, size_t n)
{
	int fd;
	TRY(open_within(path, O_RDWR, at, n, &fd));
	status s = files_write_at(fd, at, p, n);
	close(fd);
	return s;
}

status volume_copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0) return failed(from, "open");
	int out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	status s = out < 0 ? failed(to, "create") : files_copy_sparse(in, out);
	if (is_ok(s) && fsync(out) != 0) s = failed(to, "sync");
	if (out >= 0) close(out);
	if (is_ok(s)) s = files_sync_parent(to);
	if (!is_ok(s) && out >= 0) unlink(to);
	close(in);
	return s;
}
