/* Many threads at once: transfers between accounts keep the sum, readers see whole states, bodies that are copied and
 * released while others read them stay whole until the last reader is done. Run it under the thread sanitizer, too. */
#include "folder.h"
#include "store/blob.h"
#include <pthread.h>
#include <stdatomic.h>

enum { ACCOUNTS = 20, WRITERS = 6, READERS = 2, TRANSFERS = 400, START = 1000 };

static char dir[PATH_MAX];
static struct store *s;
static _Atomic int stop, reads, wrong, conflicts;

static struct str account(struct arena *a, unsigned i) { return str_fmt(a, "\x02" "account-%u", i); }
static int64_t number(struct str v)
{
	int64_t n = 0;
	if (v.n == sizeof n) memcpy(&n, v.p, sizeof n);
	return n;
}
static unsigned next(unsigned *random)
{
	*random = *random * 1103515245 + 12345;
	return *random >> 8;
}

static status transfer(struct arena *a, unsigned from, unsigned to, int64_t amount, bool blind)
{
	struct store_tx *tx = store_begin(s, a, false);
	store_ticket t = 0;
	struct str x = STR_NONE, y = STR_NONE;
	status r = store_get(tx, account(a, from), &x);
	if (is_ok(r)) r = store_get(tx, account(a, to), &y);
	if (!is_ok(r)) {
		store_end(tx);
		return r;
	}
	if (amount == 0) usleep(500); /* others come between; whether they do is chance: tx_test makes sure of a conflict */
	int64_t nx = number(x) - amount, ny = number(y) + amount;
	store_put(tx, account(a, from), str_n(&nx, sizeof nx));
	store_put(tx, account(a, to), str_n(&ny, sizeof ny));
	if (blind) store_require_empty(tx, STR("\x02z"), STR("\x02zz")); /* the exclusive way of committing */
	r = store_commit(tx, &t);
	if (is_ok(r)) store_wait(s, t);
	return r;
}

static void *write_all(void *arg)
{
	unsigned random = (unsigned)(uintptr_t)arg;
	struct arena a;
	arena_init(&a);
	for (int i = 0; i < TRANSFERS; i++) {
		unsigned from = next(&random) % ACCOUNTS, to = (from + 1 + next(&random) % (ACCOUNTS - 1)) % ACCOUNTS;
		int64_t amount = next(&random) % 10;
		status r;
		while (status_is(r = transfer(&a, from, to, amount, i % 16 == 0), STATUS_CONFLICT)) conflicts++;
		if (!is_ok(r)) wrong++;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}

static int64_t sum(struct arena *a, bool by_scan)
{
	struct store_tx *tx = store_begin(s, a, true);
	int64_t total = 0;
	struct str key, v;
	if (by_scan) {
		struct store_scan *c = store_scan_begin(tx, STR("\x02" "account-"), STR("\x02" "account."), false);
		while (store_scan_next(c, &key, &v)) total += number(v);
		if (!is_ok(store_scan_end(c))) wrong++;
	} else
		for (unsigned i = 0; i < ACCOUNTS; i++)
			if (is_ok(store_get(tx, account(a, i), &v))) total += number(v);
	store_end(tx);
	return total;
}

static void *read_all(void *arg)
{
	(void)arg;
	struct arena a;
	arena_init(&a);
	while (!stop) {
		if (sum(&a, reads++ % 2) != ACCOUNTS * START) wrong++;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}

static void run(enum store_durability durability)
{
	struct arena a;
	arena_init(&a);
	s = folder_open(folder_make(dir), durability);
	stop = reads = wrong = conflicts = 0;
	struct store_tx *tx = store_begin(s, &a, false);
	int64_t start = START;
	store_ticket t;
	for (unsigned i = 0; i < ACCOUNTS; i++) store_put(tx, account(&a, i), str_n(&start, sizeof start));
	CHECK_OK(store_commit(tx, &t));
	pthread_t writers[WRITERS], readers[READERS];
	for (uintptr_t i = 0; i < READERS; i++) pthread_create(&readers[i], NULL, read_all, NULL);
	for (uintptr_t i = 0; i < WRITERS; i++) pthread_create(&writers[i], NULL, write_all, (void *)(i + 1));
	for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
	stop = 1;
	for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
	CHECK(wrong == 0);
	CHECK(reads > 0);
	CHECK(sum(&a, true) == ACCOUNTS * START);
	struct store_metrics m;
	store_metrics(s, &m);
	CHECK(m.commits == WRITERS * TRANSFERS + 1 && m.conflicts == (uint64_t)conflicts);
	if (durability == DURABILITY_STRICT) CHECK(m.syncs < m.commits); /* some shared one */
	store_close(s);
	s = folder_open(dir, durability);
	CHECK(sum(&a, true) == ACCOUNTS * START);
	store_close(s);
	folder_remove(dir);
	arena_cleanup(&a);
}

TEST(transfers_strict) { run(DURABILITY_STRICT); }
TEST(transfers_relaxed) { run(DURABILITY_RELAXED); }

/* One body after the other under one key, overwritten all the time; each is filled with its own byte. */
static struct str ref_key = {"\x02" "body", 5};
static status replace(struct arena *a, unsigned n)
{
	char fill[4096];
	memset(fill, (int)(n % 251), sizeof fill);
	struct blob_writer *w = blob_writer_new(s, UINT64_MAX);
	struct blob_ref ref, old;
	struct str v;
	status r = OK;
	for (unsigned i = 0; is_ok(r) && i < (n % 2 ? 4 : 40); i++) r = blob_write(w, fill, sizeof fill);
	if (is_ok(r)) r = blob_seal(w, &ref);
	while (is_ok(r)) {
		store_ticket t;
		struct store_tx *tx = store_begin(s, a, false);
		if (is_ok(store_get(tx, ref_key, &v))) {
			memcpy(&old, v.p, sizeof old);
			if (!is_ok(blob_release(tx, old))) wrong++;
		}
		blob_adopt(tx, w);
		store_put(tx, ref_key, str_n(&ref, sizeof ref));
		r = store_commit(tx, &t);
		if (is_ok(r)) break;
		if (status_is(r, STATUS_CONFLICT)) r = OK;
	}
	blob_writer_free(w);
	return r;
}
static void *replace_all(void *arg)
{
	struct arena a;
	arena_init(&a);
	for (unsigned i = 0; i < 150; i++) {
		if (!is_ok(replace(&a, i * 7 + (unsigned)(uintptr_t)arg))) wrong++;
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}
static void *read_bodies(void *arg)
{
	(void)arg;
	struct arena a;
	arena_init(&a);
	static _Thread_local char p[1 << 18];
	while (!stop) {
		struct store_tx *tx = store_begin(s, &a, true);
		struct str v;
		struct blob *b = NULL;
		struct blob_ref ref;
		size_t got = 0;
		if (is_ok(store_get(tx, ref_key, &v))) {
			memcpy(&ref, v.p, sizeof ref);
			sched_yield();
			if (!is_ok(blob_open(tx, ref, &b)))
				wrong++; /* what a snapshot refers to is there */
			else {
				store_end(tx);
				if (!is_ok(blob_read(b, 0, p, sizeof p, &got)) || got != ref.size) wrong++;
				for (size_t i = 1; i < got; i++)
					if (p[i] != p[0]) {
						wrong++;
						break;
					}
				reads++;
			}
		}
		store_end(tx);
		blob_close(b);
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return NULL;
}

TEST(bodies_replaced_while_read)
{
	s = folder_open(folder_make(dir), DURABILITY_RELAXED);
	stop = reads = wrong = 0;
	pthread_t writers[2], readers[2];
	for (uintptr_t i = 0; i < 2; i++) pthread_create(&writers[i], NULL, replace_all, (void *)i);
	for (uintptr_t i = 0; i < 2; i++) pthread_create(&readers[i], NULL, read_bodies, NULL);
	for (int i = 0; i < 2; i++) pthread_join(writers[i], NULL);
	stop = 1;
	for (int i = 0; i < 2; i++) pthread_join(readers[i], NULL);
	CHECK(wrong == 0 && reads > 0);
	for (int i = 0; i < 500 && folder_blobs(dir) > 1; i++) usleep(10000);
	CHECK(folder_blobs(dir) <= 1);
	store_close(s);
	folder_remove(dir);
}

TEST_MAIN()
