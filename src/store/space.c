/* The disk's end. RocksDB does not survive a log write that finds no space (7.8 as Debian builds it asserts at the next
 * sync), so commits and bodies are refused while some space is left: what is kept back serves flushes, compaction and the
 * small commits by which somebody makes room. If the engine's log fails all the same, nothing is written through it any
 * more: commits are refused until the next start, reads go on, and what was committed before is synced past it. */
#include "base/log.h"
#include "clock/clock.h"
#include "store/engine.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define KEPT_BYTES (UINT64_C(64) << 20)
#define KEPT_FRACTION 8          /* of a disk smaller than that, this part */
#define SMALL_BYTES 4096         /* a commit that may use three quarters of what is kept */
#define CHECK_EVERY_US 20000

static void look(struct store *s)
{
	struct statvfs v;
	if (fstatvfs(s->dir_fd, &v) != 0) return;
	uint64_t size = (uint64_t)v.f_blocks * v.f_frsize, kept = size / KEPT_FRACTION;
	if (kept > KEPT_BYTES) kept = KEPT_BYTES;
	uint64_t available = (uint64_t)v.f_bavail * v.f_frsize;
	int level = available >= kept ? 0 : available >= kept / 4 ? 1 : 2;
	if (atomic_exchange_explicit(&s->space.level, level, memory_order_relaxed) != level)
		log_warn("store", level ? "disk_full" : "disk_has_room", "available_bytes=%llu kept_bytes=%llu",
			(unsigned long long)available, (unsigned long long)kept);
}

status space_check(struct store *s, size_t bytes)
{
	if (atomic_load_explicit(&s->space.log_failed, memory_order_acquire)) return STATUS(IO);
	int64_t now_us = clock_monotonic_us(), last = atomic_load_explicit(&s->space.looked_us, memory_order_relaxed);
	if (now_us - last >= CHECK_EVERY_US &&
		atomic_compare_exchange_strong_explicit(&s->space.looked_us, &last, now_us, memory_order_relaxed,
			memory_order_relaxed))
		look(s);
	int level = atomic_load_explicit(&s->space.level, memory_order_relaxed);
	return level == 0 || (level == 1 && bytes <= SMALL_BYTES) ? OK : STATUS(IO);
}

void space_log_failed(struct store *s)
{
	if (!atomic_exchange_explicit(&s->space.log_failed, true, memory_order_acq_rel))
		log_error("store", "read_only", "why=\"the log cannot be written; start again when the cause is gone\"");
}

status space_sync_logs(struct store *s)
{
	int fd = openat(s->dir_fd, "db", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		if (fd >= 0) close(fd);
		return STATUS(IO);
	}
	bool ok = true;
	for (struct dirent *e; (e = readdir(d));) {
		if (!str_ends(str_c(e->d_name), STR(".log"))) continue;
		int file = openat(fd, e->d_name, O_RDONLY | O_CLOEXEC);
		ok = file >= 0 && fdatasync(file) == 0 && ok;
		if (file >= 0) close(file);
	}
	closedir(d);
	return ok ? OK : STATUS(IO);
}
