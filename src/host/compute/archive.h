/* libarchive's functions, found when they are needed. Inside compute/. */
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>

struct archive_library {
	void *handle;
	struct archive *(*read_new)(void);
	int (*read_free)(struct archive *);
	int (*format_tar)(struct archive *);
	int (*filters[6])(struct archive *); /* gzip, bzip2, xz, zstd, lz4, none: no programs of the host */
	int (*read_open)(
		struct archive *, void *, archive_open_callback *, archive_read_callback *, archive_close_callback *);
	int (*read_open_fd)(struct archive *, int, size_t);
	int (*read_next_header)(struct archive *, struct archive_entry **);
	la_ssize_t (*read_data)(struct archive *, void *, size_t);
	int (*read_data_block)(struct archive *, const void **, size_t *, la_int64_t *);
	struct archive *(*write_disk_new)(void);
	int (*write_disk_set_options)(struct archive *, int);
	int (*write_header)(struct archive *, struct archive_entry *);
	la_ssize_t (*write_data_block)(struct archive *, const void *, size_t, la_int64_t);
	int (*write_finish_entry)(struct archive *);
	int (*write_close)(struct archive *);
	int (*write_free)(struct archive *);
	const char *(*entry_pathname)(struct archive_entry *);
	const char *(*entry_hardlink)(struct archive_entry *);
	const char *(*entry_symlink)(struct archive_entry *);
	void (*entry_set_pathname)(struct archive_entry *, const char *);
	void (*entry_set_hardlink)(struct archive_entry *, const char *);
	__LA_MODE_T (*entry_filetype)(struct archive_entry *);
	la_int64_t (*entry_size)(struct archive_entry *);
	la_int64_t (*entry_uid)(struct archive_entry *);
	la_int64_t (*entry_gid)(struct archive_entry *);
	int (*entry_xattr_reset)(struct archive_entry *);
	int (*entry_xattr_next)(struct archive_entry *, const char **, const void **, size_t *);
	void (*entry_xattr_clear)(struct archive_entry *);
	void (*entry_xattr_add)(struct archive_entry *, const char *, const void *, size_t);
};

/* False where it is not installed. Never unloaded: the process that imports ends. */
bool archive_library_load(struct archive_library *l);
/* tar, and the compressions that libarchive does itself. */
void archive_library_formats(struct archive_library *l, struct archive *in);
