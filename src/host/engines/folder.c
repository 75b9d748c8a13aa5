/* See folder.h. */
#include "host/engines/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *engine_path(const char *dir, struct arena *a, struct str folder, const char *rest)
{
	return str_fmt(a, "%s%.*s%s%s", dir, STR_ARG(folder), *rest ? "/" : "", rest).p;
}

status engine_folder_make(const char *path, mode_t mode)
{
	/* chmod: past the umask; of a folder that is there already and another's, nothing has to change. */
	if (mkdir(path, mode) == 0) return chmod(path, mode) == 0 ? OK : STATUS(IO);
	return errno == EEXIST ? OK : STATUS(IO);
}

status engine_file_write(const char *path, struct arena *a, struct str text, bool secret)
{
	const char *fresh = str_fmt(a, "%s.new", path).p;
	unlink(fresh);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, secret ? 0600 : 0644);
	bool good = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n && fchmod(fd, secret ? 0600 : 0644) == 0;
	if (fd >= 0) good = close(fd) == 0 && good;
	return good && rename(fresh, path) == 0 ? OK : STATUS(IO);
}

void engine_folder_remove(const char *path)
{
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' || (e->d_name[1] && e->d_name[1] != '.')) unlinkat(dirfd(d), e->d_name, 0);
	if (d) closedir(d);
	rmdir(path);
}
