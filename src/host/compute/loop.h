/* Volumes as block devices and file systems. Loop devices clear themselves when nobody has them open or mounted, so
 * that what dies leaves none. */
#pragma once
#include "base/str.h"
#include <sys/types.h>

/* A device on that file (an open descriptor); the caller closes *device, the loop device's descriptor. name: what
 * loop_named finds it by; then the file's own page cache is gone around, where it can be. NULL: neither. IO. */
status loop_open(int file, const char *name, int *device, dev_t *number, char path[static 32]) MUST_USE;
/* The loop device that stands on that file; NOT_FOUND. */
status loop_find(dev_t file_device, ino_t file_inode, dev_t *number, char path[static 32]) MUST_USE;
status loop_named(const char *name, dev_t *number, char path[static 32]) MUST_USE;
/* After the file has grown. */
status loop_grow(const char *path) MUST_USE;

/* An ext4 on the file, as large as the file, unless it has one (a smaller one grows; nobody may have it mounted).
 * templates: a folder for empty file systems, one for each size, which are made by mke2fs once and then copied (1 ms
 * instead of 30). *fresh: it had none. */
status loop_format(int file, const char *templates, bool *fresh, struct str *why) MUST_USE;
/* INVALID with *why where the file has no room for one. */
status loop_fits(int file, struct str *why) MUST_USE;
