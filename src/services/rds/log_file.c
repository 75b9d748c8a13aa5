/* DescribeDBLogFiles and DownloadDBLogFilePortion: what the server of the instance wrote. "Viewing and listing database
 * log files", the guide. */
#include "services/rds/node.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORTION_MAX = 1 << 20, LINES_MAX = 10000 };

/* The folder of an instance's logs. */
static status folder_of(struct call *c, struct str name, int *fd)
{
	struct rds_rec_instance r;
	*fd = -1;
	TRY(rds_instance_find(c, name, &r));
	if (!rds_real(c->cloud)) return OK;
	struct str rest = str_fmt(c->arena, "%.*s/error", STR_ARG(r.primary));
	*fd = open(rds_path(c->cloud, c->arena, rds_folder(c->arena, &r), rest.p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return OK;
}

int rds_log_open(int folder, const char *name, struct stat *st)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode) || st->st_nlink != 1)) close(fd), fd = -1;
	return fd;
}

/* All logs lie in one folder here. */
static const char *folder_shown(struct str name)
{
	return str_starts(name, STR("mysql-slowquery")) ? "slowquery/"
	       : str_starts(name, STR("mysql-general")) ? "general/"
							: "error/";
}

status rds_describe_db_log_files(
	struct call *c, const struct rds_describe_db_log_files_input *in, struct rds_describe_db_log_files_output *out)
{
	static const char *const none[] = {NULL};
	size_t capacity = 0;
	int folder;
	TRY(rds_filters_check(c, &in->filters, none));
	TRY(folder_of(c, in->db_instance_identifier, &folder));
	DIR *d = folder >= 0 ? fdopendir(folder) : NULL;
	for (struct dirent *i; d && (i = readdir(d));) {
		struct stat st;
		struct str name = str_fmt(c->arena, "%s%s", folder_shown(str_c(i->d_name)), i->d_name);
		int fd = i->d_name[0] == '.' ? -1 : rds_log_open(folder, i->d_name, &st);
		if (fd < 0) continue;
		close(fd);
		int64_t written = (int64_t)st.st_mtim.tv_sec * 1000 + clock_offset(c->cloud->clock);
		if (str_has(in->filename_contains) && str_find(name, in->filename_contains) < 0) continue;
		if ((in->file_size.has && st.st_size < in->file_size.v) ||
			(in->file_last_written.has && written < in->file_last_written.v))
			continue;
		*VEC_PUSH(c->arena, &out->describe_db_log_files, &capacity) =
			(struct rds_describe_db_log_files_details){
				.log_file_name = name, .last_written = SOME_I64(written), .size = SOME_I64(st.st_size)};
	}
	if (d) closedir(d);
	return rds_page(c, &out->describe_db_log_files, sizeof(*out->describe_db_log_files.v), in->max_records,
		in->marker, &out->marker);
}

struct str rds_log_readable(struct arena *a, struct str text)
{
	if (str_utf8_valid(text)) return text;
	char *p = arena_copy(a, text.p, text.n);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)p[i] >= 0x80) p[i] = '?';
	return str_n(p, text.n);
}

/* The marker is the byte to go on from. Without one, the end of the file is what is asked for. */
status rds_download_db_log_file_portion(struct call *c, const struct rds_download_db_log_file_portion_input *in,
	struct rds_download_db_log_file_portion_output *out)
{
	struct str name = in->log_file_name, marker = in->marker;
	struct stat st = {0};
	uint64_t from = 0;
	int folder, fd = -1;
	int32_t lines = in->number_of_lines.has ? in->number_of_lines.v : LINES_MAX;
	bool marked = str_has(marker) && marker.n;
	TRY(folder_of(c, in->db_instance_identifier, &folder));
	ptrdiff_t slash = str_chr(name, '/');
	struct str shown = str_from(name, (size_t)(slash + 1));
	if (slash > 0 && str_eq(str_sub(name, 0, (size_t)slash + 1), str_c(folder_shown(shown)))) name = shown;
	if (folder >= 0 && name.n && name.p[0] != '.' && str_chr(name, '/') < 0)
		fd = rds_log_open(folder, str_z(c->arena, name), &st);
	if (folder >= 0) close(folder);
	if (fd < 0)
		return RDS_FAIL(c, DB_LOG_FILE_NOT_FOUND_FAULT, "DBLog File: %.*s, is not found on the DB instance",
			STR_ARG(in->log_file_name));
	if (lines <= 0 || lines > LINES_MAX) lines = LINES_MAX;
	if (marked && !is_ok(str_to_u64(marker, &from))) {
		close(fd);
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid Marker: %.*s", STR_ARG(marker));
	}
	uint64_t size = (uint64_t)st.st_size;
	if (!marked && size > PORTION_MAX) from = size - PORTION_MAX;
	if (from > size) from = size;
	size_t want = size - from < PORTION_MAX ? (size_t)(size - from) : PORTION_MAX, got = 0;
	char *p = arena_alloc_raw(c->arena, want);
	for (ssize_t n; got < want && (n = pread(fd, p + got, want - got, (off_t)(from + got))) > 0;) got += (size_t)n;
	close(fd);
	struct str text = str_n(p, got);
	size_t begin = 0, end = 0, count = 0;
	/* With a marker the lines from there, without one the last ones. */
	if (marked) {
		while (end < text.n && count < (size_t)lines) count += text.p[end++] == '\n';
	} else {
		end = begin = text.n;
		while (begin > 0 && (count += begin < text.n && text.p[begin - 1] == '\n') < (size_t)lines) begin--;
	}
	out->log_file_data = rds_log_readable(c->arena, str_sub(text, begin, end - begin));
	out->marker = str_fmt(c->arena, "%llu", (unsigned long long)(from + end));
	out->additional_data_pending = SOME_BOOL(from + end < size);
	return OK;
}
