/* What the store costs, as ratios to what the disk and memory cost in the same run: commits a second with 1, 8 and 64
 * threads, strict and relaxed; gets, scans; bodies of several sizes; a large body beside a raw write and sync; opening.
 *     bench_store [-d folder] [open|commits|reads|growth|bodies|large …]      default: all, in a new folder in $TMPDIR
 * or /tmp. BENCH_RECORDS=10000000 lets growth go on to that many records. */
#include "base/arena.h"
#include "clock/clock.h"
#include "store/blob.h"
#include "store/key.h"
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB (1u << 20)
static const int64_t run_us = 1000000;

static struct store *s;
static char dir[PATH_MAX];
static _Atomic uint64_t total;
static _Atomic bool stop;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}
static void die(const char *what)
{
	perror(what);
	exit(1);
}
static void check(status r)
{
	if (is_ok(r)) return;
	fprintf(stderr, "bench_store: %s\n", status_name(r));
	exit(1);
}
static double seconds_since(int64_t start_us)
{
	return (double)(clock_monotonic_us() - start_us) / 1e6;
}

static double resident_mib(void)
{
	long pages = 0, skipped = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%ld %ld", &skipped, &pages) != 2) die("statm");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / MIB;
}

static double open_store(enum store_durability durability)
{
	struct arena a;
	struct str why = STR("");
	arena_init(&a);
	int64_t start = clock_monotonic_us();
	struct store_options o = {.dir = dir, .durability = durability};
	check(store_open(&o, &a, &s, &why));
	double ms = seconds_since(start) * 1e3;
	arena_cleanup(&a);
	return ms;
}

static struct str item_key(struct arena *a, uint64_t i)
{
	struct key k = key_for(a, STR("bench"), STR("item"), STR("000000000000"), STR("eu-west-1"));
	key_u64(&k, i);
	return key_done(&k);
}

/* ── commits ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void *commit_loop(void *arg)
{
	struct arena a;
	char value[200] = {1};
	arena_init(&a);
	for (uint64_t i = (uint64_t)(uintptr_t)arg << 40; !stop; i++) {
		struct store_tx *tx = store_begin(s, &a, false);
		struct str old;
		store_ticket t = 0;
		status r = store_get(tx, item_key(&a, i), &old);
		if (!is_ok(r) && !status_is(r, STATUS_NOT_FOUND)) check(r);
		store_put(tx, item_key(&a, i), str_n(value, sizeof value));
		r = store_commit(tx, &t);
		if (status_is(r, STATUS_CONFLICT)) continue;
		check(r);
		store_wait(s, t);
		total++;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}

static double run_threads(unsigned n, void *(*loop)(void *))
{
	pthread_t threads[64];
	total = 0;
	stop = false;
	int64_t start = clock_monotonic_us();
	for (uintptr_t i = 0; i < n; i++) pthread_create(&threads[i], NULL, loop, (void *)(i + 1));
	usleep((useconds_t)run_us);
	stop = true;
	for (unsigned i = 0; i < n; i++) pthread_join(threads[i], NULL);
	return (double)total / seconds_since(start);
}

/* The disk's own measure: append 300 bytes to a file, sync, again. */
static double raw_syncs(void)
{
	char path[PATH_MAX + 8], bytes[300] = {1};
	snprintf(path, sizeof path, "%s/raw", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) die("open");
	int64_t start = clock_monotonic_us();
	uint64_t n = 0;
	for (; clock_monotonic_us() - start < run_us; n++)
		if (write(fd, bytes, sizeof bytes) != sizeof bytes || fdatasync(fd) != 0) die("write");
	double rate = (double)n / seconds_since(start);
	close(fd);
	unlink(path);
	return rate;
}

static void commits(void)
{
	double raw = raw_syncs();
	printf("raw append + fdatasync          %9.0f /s\n", raw);
	for (int relaxed = 0; relaxed < 2; relaxed++) {
		open_store(relaxed ? DURABILITY_RELAXED : DURABILITY_STRICT);
		const unsigned threads[] = {1, 8, 64};
		for (size_t i = 0; i < 3; i++) {
			struct store_metrics before, after;
			store_metrics(s, &before);
			double rate = run_threads(threads[i], commit_loop);
			store_metrics(s, &after);
			printf("commit, %-7s %2u threads      %9.0f /s  %6.2f × raw  (%.1f a sync)\n",
				relaxed ? "relaxed" : "strict", threads[i], rate, rate / raw,
				(double)(after.commits - before.commits) /
					(double)(after.syncs - before.syncs + !after.syncs));
		}
		store_close(s);
	}
}

/* ── reads ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum { ITEMS = 200000 };
static void *get_loop(void *arg)
{
	struct arena a;
	uint64_t random = (uint64_t)(uintptr_t)arg * 7919;
	arena_init(&a);
	while (!stop) {
		struct store_tx *tx = store_begin(s, &a, true);
		struct str v;
		random = random * 6364136223846793005u + 1442695040888963407u;
		check(store_get(tx, item_key(&a, (random >> 33) % ITEMS), &v));
		store_end(tx);
		total++;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}
static void *scan_loop(void *arg)
{
	struct arena a;
	uint64_t random = (uint64_t)(uintptr_t)arg * 7919;
	arena_init(&a);
	while (!stop) {
		struct store_tx *tx = store_begin(s, &a, true);
		struct str k, v;
		random = random * 6364136223846793005u + 1442695040888963407u;
		struct store_scan *c =
			store_scan_begin(tx, item_key(&a, (random >> 33) % ITEMS), item_key(&a, ITEMS), false);
		unsigned n = 0;
		while (n < 100 && store_scan_next(c, &k, &v)) n++;
		check(store_scan_end(c));
		store_end(tx);
		total += n;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}

static void reads(void)
{
	struct arena a;
	char value[200] = {1};
	open_store(DURABILITY_NONE);
	arena_init(&a);
	for (uint64_t i = 0; i < ITEMS; i += 100) {
		struct store_tx *tx = store_begin(s, &a, false);
		store_ticket t;
		for (uint64_t j = 0; j < 100; j++) store_put(tx, item_key(&a, i + j), str_n(value, sizeof value));
		check(store_commit(tx, &t));
		arena_reset(&a);
	}
	arena_cleanup(&a);
	for (unsigned n = 1; n <= 2; n++) {
		printf("get, %u thread(s), %d items   %9.0f /s\n", n, ITEMS, run_threads(n, get_loop));
		printf("scan of 100, %u thread(s)        %9.0f items/s\n", n, run_threads(n, scan_loop));
	}
	store_close(s);
}

/* ── growth ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t n_items;
static void *grown_get_loop(void *arg)
{
	struct arena a;
	uint64_t random = (uint64_t)(uintptr_t)arg * 7919;
	arena_init(&a);
	while (!stop) {
		struct store_tx *tx = store_begin(s, &a, true);
		struct str v;
		random = random * 6364136223846793005u + 1442695040888963407u;
		check(store_get(tx, item_key(&a, (random >> 20) % n_items), &v));
		store_end(tx);
		total++;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}
static void *grown_commit_loop(void *arg)
{
	struct arena a;
	char value[200] = {1};
	uint64_t random = (uint64_t)(uintptr_t)arg * 7919;
	arena_init(&a);
	while (!stop) {
		struct store_tx *tx = store_begin(s, &a, false);
		struct str v;
		store_ticket t;
		random = random * 6364136223846793005u + 1442695040888963407u;
		struct str key = item_key(&a, (random >> 20) % n_items);
		check(store_get(tx, key, &v));
		store_put(tx, key, str_n(value, sizeof value));
		status r = store_commit(tx, &t);
		if (!status_is(r, STATUS_CONFLICT)) check(r);
		total++;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}

/* What a get and a read-and-write cost in a store of 10^4, 10^5, … records, relaxed: the disk's syncs would hide it. */
static void growth(void)
{
	struct arena a;
	char value[200] = {1};
	arena_init(&a);
	open_store(DURABILITY_RELAXED);
	const char *wanted = getenv("BENCH_RECORDS");
	uint64_t limit = wanted ? strtoull(wanted, NULL, 10) : 1000000, at = 0;
	for (n_items = 10000; n_items <= limit; n_items *= 10) {
		while (at < n_items) {
			struct store_tx *tx = store_begin(s, &a, false);
			store_ticket t;
			for (uint64_t end = at + 1000; at < end; at++)
				store_put(tx, item_key(&a, at), str_n(value, sizeof value));
			check(store_commit(tx, &t));
			arena_reset(&a);
		}
		double gets = run_threads(1, grown_get_loop), writes = run_threads(1, grown_commit_loop);
		printf("%9llu records: get %5.2f us, get + put %5.2f us, resident %.1f MiB\n",
			(unsigned long long)n_items, 1e6 / gets, 1e6 / writes, resident_mib());
	}
	store_close(s);
	arena_cleanup(&a);
}

/* ── bodies ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t body_bytes;
static void *body_loop(void *arg)
{
	struct arena a;
	char *p = malloc(body_bytes);
	arena_init(&a);
	memset(p, 7, body_bytes);
	for (uint64_t i = (uint64_t)(uintptr_t)arg << 40; !stop; i++) {
		struct blob_writer *w = blob_writer_new(s, body_bytes);
		struct blob_ref ref;
		store_ticket t;
		check(blob_write(w, p, body_bytes));
		check(blob_seal(w, &ref));
		status r;
		do { /* two keys may share a slot: see store/version.c */
			struct store_tx *tx = store_begin(s, &a, false);
			blob_adopt(tx, w);
			store_put(tx, item_key(&a, i), str_n(&ref, sizeof ref));
			r = store_commit(tx, &t);
		} while (status_is(r, STATUS_CONFLICT));
		check(r);
		blob_writer_free(w);
		store_wait(s, t);
		total++;
		arena_reset(&a);
	}
	free(p);
	arena_cleanup(&a);
	return NULL;
}

static void bodies(void)
{
	const size_t sizes[] = {1024, 16 << 10, 64 << 10, 128 << 10, 256 << 10, MIB};
	const unsigned threads[] = {1, 8, 64};
	open_store(DURABILITY_STRICT);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t j = 0; j < 3; j++) {
			body_bytes = sizes[i];
			double rate = run_threads(threads[j], body_loop);
			printf("put of %4zu KiB, %2u threads      %9.0f /s  %7.1f MiB/s  (%s)\n", sizes[i] >> 10,
				threads[j], rate, rate * (double)sizes[i] / MIB,
				sizes[i] <= BLOB_INLINE_MAX ? "inline" : "file");
		}
	store_close(s);
}

static void large_body(void)
{
	enum { SIZE_MIB = 512 };
	char path[PATH_MAX + 8], *p = malloc(MIB);
	memset(p, 7, MIB);
	open_store(DURABILITY_STRICT);
	for (int round = 0; round < 3; round++) {
		snprintf(path, sizeof path, "%s/raw", dir);
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		int64_t start = clock_monotonic_us();
		for (int i = 0; i < SIZE_MIB; i++)
			if (write(fd, p, MIB) != MIB) die("write");
		if (fdatasync(fd) != 0) die("fdatasync");
		double raw = SIZE_MIB / seconds_since(start);
		close(fd);
		unlink(path);

		struct blob_writer *w = blob_writer_new(s, (uint64_t)SIZE_MIB * MIB);
		struct blob_ref ref;
		start = clock_monotonic_us();
		for (int i = 0; i < SIZE_MIB; i++) check(blob_write(w, p, MIB));
		double written = seconds_since(start);
		check(blob_seal(w, &ref));
		double all = seconds_since(start);
		struct arena a;
		arena_init(&a);
		struct store_tx *tx = store_begin(s, &a, false);
		store_ticket t;
		blob_adopt(tx, w);
		check(store_commit(tx, &t));
		blob_writer_free(w);
		struct blob *b;
		tx = store_begin(s, &a, true);
		check(blob_open(tx, ref, &b));
		store_end(tx);
		start = clock_monotonic_us();
		size_t got = MIB;
		for (uint64_t at = 0; got == MIB && at < ref.size; at += got) check(blob_read(b, at, p, MIB, &got));
		double read = seconds_since(start);
		blob_close(b);
		printf("%d MiB body: raw write + fdatasync %.0f MiB/s; blob %.0f MiB/s (%.2f × raw, %.0f %% of it "
		       "sealing); "
		       "verified read %.0f MiB/s\n",
			SIZE_MIB, raw, SIZE_MIB / all, SIZE_MIB / all / raw, 100 * (all - written) / all,
			SIZE_MIB / read);
		tx = store_begin(s, &a, false);
		check(blob_release(tx, ref));
		check(store_commit(tx, &t));
		store_wait(s, t);
		arena_cleanup(&a);
	}
	store_close(s);
	free(p);
}

static void opening(void)
{
	double before = resident_mib();
	printf("open, new folder                %9.1f ms\n", open_store(DURABILITY_STRICT));
	printf("resident before, after          %9.1f, %.1f MiB\n", before, resident_mib());
	int64_t start = clock_monotonic_us();
	store_close(s);
	printf("close                           %9.1f ms\n", seconds_since(start) * 1e3);
	for (int i = 0; i < 3; i++) {
		printf("open again                      %9.1f ms\n", open_store(DURABILITY_STRICT));
		store_close(s);
	}
}

static void commits_and_open(void)
{
	commits();
	printf("open after the commits          %9.1f ms\n", open_store(DURABILITY_STRICT));
	store_close(s);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} sections[] = {{"open", opening}, {"commits", commits_and_open}, {"reads", reads}, {"growth", growth},
		{"bodies", bodies}, {"large", large_body}};
	const char *tmp = getenv("TMPDIR");
	int first = 1;
	if (argc > 2 && strcmp(argv[1], "-d") == 0) {
		tmp = argv[2];
		first = 3;
	}
	snprintf(dir, sizeof dir, "%s/virga-bench-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir)) die("mkdtemp");
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		bool wanted = first >= argc;
		for (int j = first; j < argc; j++) wanted |= strcmp(argv[j], sections[i].name) == 0;
		if (wanted) sections[i].run();
	}
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
