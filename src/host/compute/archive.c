/* See archive.h. */
#include "host/compute/archive.h"
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define FUNCTION(member, name)                                                                                         \
	{                                                                                                              \
		offsetof(struct archive_library, member), name                                                         \
	}

bool archive_library_load(struct archive_library *l)
{
	static const struct {
		size_t at;
		const char *name;
	} functions[] = {FUNCTION(read_new, "archive_read_new"), FUNCTION(read_free, "archive_read_free"),
		FUNCTION(format_tar, "archive_read_support_format_tar"),
		FUNCTION(filters[0], "archive_read_support_filter_gzip"),
		FUNCTION(filters[1], "archive_read_support_filter_bzip2"),
		FUNCTION(filters[2], "archive_read_support_filter_xz"),
		FUNCTION(filters[3], "archive_read_support_filter_zstd"),
		FUNCTION(filters[4], "archive_read_support_filter_lz4"),
		FUNCTION(filters[5], "archive_read_support_filter_none"), FUNCTION(read_open, "archive_read_open"),
		FUNCTION(read_open_fd, "archive_read_open_fd"), FUNCTION(read_next_header, "archive_read_next_header"),
		FUNCTION(read_data, "archive_read_data"), FUNCTION(read_data_block, "archive_read_data_block"),
		FUNCTION(write_disk_new, "archive_write_disk_new"),
		FUNCTION(write_disk_set_options, "archive_write_disk_set_options"),
		FUNCTION(write_header, "archive_write_header"), FUNCTION(write_data_block, "archive_write_data_block"),
		FUNCTION(write_finish_entry, "archive_write_finish_entry"),
		FUNCTION(write_close, "archive_write_close"), FUNCTION(write_free, "archive_write_free"),
		FUNCTION(entry_pathname, "archive_entry_pathname"), FUNCTION(entry_hardlink, "archive_entry_hardlink"),
		FUNCTION(entry_symlink, "archive_entry_symlink"),
		FUNCTION(entry_set_pathname, "archive_entry_set_pathname"),
		FUNCTION(entry_set_hardlink, "archive_entry_set_hardlink"),
		FUNCTION(entry_filetype, "archive_entry_filetype"), FUNCTION(entry_size, "archive_entry_size"),
		FUNCTION(entry_uid, "archive_entry_uid"), FUNCTION(entry_gid, "archive_entry_gid"),
		FUNCTION(entry_xattr_reset, "archive_entry_xattr_reset"),
		FUNCTION(entry_xattr_next, "archive_entry_xattr_next"),
		FUNCTION(entry_xattr_clear, "archive_entry_xattr_clear"),
		FUNCTION(entry_xattr_add, "archive_entry_xattr_add_entry")};
	l->handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; l->handle && i < sizeof(functions) / sizeof(*functions); i++) {
		/* POSIX lets dlsym's pointer be read as a function. */
		void *p = dlsym(l->handle, functions[i].name);
		if (!p) return false;
		memcpy((char *)l + functions[i].at, &p, sizeof(p));
	}
	return l->handle != NULL;
}

void archive_library_formats(struct archive_library *l, struct archive *in)
{
	l->format_tar(in);
	for (size_t i = 0; i < 6; i++) l->filters[i](in);
}
