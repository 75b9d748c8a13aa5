/* Sealers: a process for each sealed file that is in use, which gives the kernel its plain bytes as a file of FUSE with
 * nothing else in it (a loop device stands on that). It is no child of the agent's and asks nobody for anything, so a
 * volume goes on when the agent and virga are killed; it knows the key from the memory that it was forked with, sees no
 * file system but its own, has no capabilities, and goes with the last descriptor of the plain file: with the loop
 * device. What dies leaves none. See decision 0094. Inside host/ only; the agent has one thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include <sys/types.h>

/* pid 0: none. started: as in /proc/PID/stat. */
struct sealer {
	pid_t pid;
	int64_t started;
};
/* Is there FUSE? If not, *why tells, for a person. Any process. */
bool sealer_possible(const char **why);
/* *plain: the plain bytes of `file` (the descriptor stays the caller's), read and written around the page cache. key:
 * sealed.h's. stage: an empty folder. lock: a file that is locked (shared) as long as one lives. INVALID where there is
 * no FUSE, IO; with *why. */
struct sealer_plan {
	int file;
	struct str key;
	const char *stage, *lock;
};
status sealer_start(
	struct arena *a, const struct sealer_plan *p, int *plain, struct sealer *out, struct str *why) MUST_USE;
/* After the sealed file has grown: the kernel learns it. */
void sealer_grown(const struct sealer *s);
/* What its loop device is named (loop.h): found again by that. */
void sealer_name(const struct sealer *s, char out[static 64]);
/* Waits until all of that lock are gone; false: some are not, after ms. */
bool sealers_gone(const char *lock, int64_t ms);

/* ── serve.c ── the process's work: reads the kernel's requests until the file is closed. Does not return. */
struct sealer_serve {
	int fuse, file, ready; /* ready: ends when whoever started it has opened the file, or is gone */
	struct str key;
};
_Noreturn void sealer_serve(const struct sealer_serve *s);
