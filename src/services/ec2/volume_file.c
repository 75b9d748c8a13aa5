/* The files behind volumes and snapshots: sparse, in the data folder. */
#include "base/log.h"
#include "services/ec2/volume.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "ebs"

struct str ec2_volume_file(struct arena *a, struct str id)
{
	return str_fmt(a, FOLDER "/%.*s", STR_ARG(id));
}

struct str ec2_snapshot_file(struct arena *a, struct str id)
{
	return str_fmt(a, FOLDER "/%.*s.taken", STR_ARG(id));
}

const char *ec2_file_path(struct cloud *cloud, struct arena *a, struct str relative)
{
	return str_z(a, str_fmt(a, "%s%.*s", store_dir(cloud->store), STR_ARG(relative)));
}

static status io(const char *what)
{
	log_warn("ec2", "volume-file", "what=%s error=%s", what, strerror(errno));
	return STATUS(IO);
}

status ec2_file_make(struct cloud *cloud, struct arena *a, struct str relative, int64_t bytes)
{
	struct stat st;
	if (mkdir(ec2_file_path(cloud, a, STR(FOLDER)), 0700) < 0 && errno != EEXIST)
		return io("make the folder of volumes");
	int fd = open(ec2_file_path(cloud, a, relative), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) return io("make a volume's file");
	status s = OK;
	if (fstat(fd, &st) < 0 || (st.st_size < bytes && ftruncate(fd, bytes) < 0)) s = io("size a volume's file");
	close(fd);
	return s;
}

void ec2_file_remove(struct cloud *cloud, struct arena *a, struct str relative)
{
	if (unlink(ec2_file_path(cloud, a, relative)) < 0 && errno != ENOENT) (void)io("remove a volume's file");
}

/* One run of data. copy_file_range shares extents where the file system can. */
static bool copy_run(int in, int out, off_t from, off_t to)
{
	while (from < to) {
		off_t i = from, o = from;
		ssize_t n = copy_file_range(in, &i, out, &o, (size_t)(to - from), 0);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return false;
		from += n;
	}
	return true;
}

status ec2_file_copy(struct cloud *cloud, struct arena *a, struct str from, struct str to)
{
	struct stat st;
	int in = open(ec2_file_path(cloud, a, from), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0) return errno == ENOENT ? STATUS(NOT_FOUND) : io("read a volume's file");
	int out = open(ec2_file_path(cloud, a, to), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool well = out >= 0 && fstat(in, &st) == 0 && ftruncate(out, st.st_size) == 0;
	for (off_t at = 0, hole; well && (at = lseek(in, at, SEEK_DATA)) >= 0; at = hole) {
		hole = lseek(in, at, SEEK_HOLE);
		well = hole > at && copy_run(in, out, at, hole);
	}
	/* lseek ends with ENXIO: no more data. */
	status s = well ? OK : io("copy a volume's file");
	close(in);
	if (out >= 0) close(out);
	return s;
}
