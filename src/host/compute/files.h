/* What volumes, images and machines do with files alike. Each says in the log what the machine refused. */
#pragma once
#include "base/str.h"
#include <stdint.h>

/* Exactly n bytes; IO otherwise, also at the end of the file. */
status files_read_at(int fd, uint64_t at, void *p, size_t n) MUST_USE;
status files_write_at(int fd, uint64_t at, const void *p, size_t n) MUST_USE;
/* All data of `in` into the empty file `out`, which gets its size; holes stay holes. */
status files_copy_sparse(int in, int out) MUST_USE;
/* Blocks of nothing but zeros become holes, where the file system can; what is read stays the same. */
status files_dig_holes(int fd) MUST_USE;
/* So that a name survives a crash. */
status files_sync_parent(const char *path) MUST_USE;
/* A whole small file: written beside, renamed into place. durable: synced, so that it outlives the host's crash too. */
status files_replace(const char *path, struct str content, bool durable) MUST_USE;
/* A whole small file, at most `max` bytes, into room that it may not pass; *n its length. NOT_FOUND, LIMIT, IO. */
status files_slurp(const char *path, char *room, size_t max, size_t *n) MUST_USE;
/* "123\n" and the like into a file of /proc or /sys; false with errno. */
bool files_put(const char *path, struct str text);
bool files_put_at(int dir, const char *path, struct str text);
