/* Transactions: what they read, when they conflict, what survives a restart, and scans over own and stored keys. */
#include "folder.h"
#include "base/buf.h"
#include <fcntl.h>

static char dir[PATH_MAX];
static struct store *s;
static struct arena arena;

static void begin(void)
{
	arena_init(&arena);
	s = folder_open(folder_make(dir), DURABILITY_RELAXED);
}
static void end(void)
{
	store_close(s);
	folder_remove(dir);
	arena_cleanup(&arena);
}
static struct str k(int i) { return str_fmt(&arena, "\x02key-%06d", i); }
static status put(struct str key, struct str value)
{
	struct store_tx *tx = store_begin(s, &arena, false);
	store_ticket t;
	store_put(tx, key, value);
	status r = store_commit(tx, &t);
	if (is_ok(r)) store_wait(s, t);
	return r;
}
static struct str get(struct str key)
{
	struct store_tx *tx = store_begin(s, &arena, true);
	struct str v = STR_NONE;
	status r = store_get(tx, key, &v);
	CHECK(is_ok(r) || status_is(r, STATUS_NOT_FOUND));
	store_end(tx);
	return v;
}

TEST(reads_what_was_written)
{
	begin();
	CHECK(!str_has(get(k(1))));
	CHECK_OK(put(k(1), STR("one")));
	CHECK_OK(put(k(2), STR("")));
	CHECK_STR(get(k(1)), STR("one"));
	CHECK(str_has(get(k(2))) && get(k(2)).n == 0);
	struct store_tx *tx = store_begin(s, &arena, false);
	struct str v;
	store_ticket t;
	store_put(tx, k(3), STR("three"));
	store_delete(tx, k(1));
	CHECK_OK(store_get(tx, k(3), &v));
	CHECK_STR(v, STR("three"));
	CHECK(status_is(store_get(tx, k(1), &v), STATUS_NOT_FOUND));
	CHECK(!str_has(get(k(3))));
	CHECK(store_has_writes(tx));
	CHECK_OK(store_commit(tx, &t));
	CHECK(t > 0);
	store_end(tx);
	CHECK_STR(get(k(3)), STR("three"));
	CHECK(!str_has(get(k(1))));
	tx = store_begin(s, &arena, false);
	store_put(tx, k(4), STR("four"));
	store_end(tx);
	CHECK(!str_has(get(k(4))));
	end();
}

TEST(a_snapshot_stands_still)
{
	begin();
	CHECK_OK(put(k(1), STR("old")));
	struct store_tx *tx = store_begin(s, &arena, true), *other = store_begin(s, &arena, true);
	struct str v, key, value;
	CHECK_OK(store_get(tx, k(1), &v));
	CHECK_OK(store_get(other, k(1), &v));
	CHECK_OK(put(k(1), STR("new")));
	CHECK_OK(put(k(2), STR("more")));
	CHECK_OK(store_get(tx, k(1), &v));
	CHECK_STR(v, STR("old"));
	struct store_scan *c = store_scan_begin(tx, STR(""), STR("\xff"), false);
	size_t n = 0;
	while (store_scan_next(c, &key, &value)) n++;
	CHECK(n == 1);
	CHECK_OK(store_scan_end(c));
	store_end(tx);
	CHECK_OK(store_get(other, k(1), &v));
	CHECK_STR(v, STR("old"));
	store_end(other);
	CHECK_STR(get(k(1)), STR("new"));
	end();
}

TEST(conflicts)
{
	begin();
	CHECK_OK(put(k(1), STR("a")));
	struct str v;
	store_ticket t;
	/* read, then changed by another */
	struct store_tx *tx = store_begin(s, &arena, false);
	CHECK_OK(store_get(tx, k(1), &v));
	CHECK_OK(put(k(1), STR("b")));
	store_put(tx, k(2), v);
	CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
	CHECK(t == 0);
	CHECK(!str_has(get(k(2))));
	/* absent when read, then made by another */
	tx = store_begin(s, &arena, false);
	CHECK(status_is(store_get(tx, k(3), &v), STATUS_NOT_FOUND));
	CHECK_OK(put(k(3), STR("x")));
	store_put(tx, k(4), STR("y"));
	CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
	/* written by both */
	tx = store_begin(s, &arena, false);
	store_put(tx, k(1), STR("c"));
	CHECK_OK(put(k(1), STR("d")));
	CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
	CHECK_STR(get(k(1)), STR("d"));
	/* peeked only, or another key: no conflict */
	tx = store_begin(s, &arena, false);
	CHECK_OK(store_peek(tx, k(1), &v));
	CHECK_OK(put(k(1), STR("e")));
	store_put(tx, k(5), STR("f"));
	CHECK_OK(store_commit(tx, &t));
	/* nothing written: nothing to lose */
	tx = store_begin(s, &arena, false);
	CHECK_OK(store_get(tx, k(1), &v));
	CHECK_OK(put(k(1), STR("g")));
	CHECK_OK(store_commit(tx, &t));
	CHECK(t == 0);
	struct store_metrics m;
	store_metrics(s, &m);
	CHECK(m.conflicts == 3 && m.commits == 7);
	end();
}

TEST(require_empty)
{
	begin();
	store_ticket t;
	CHECK_OK(put(k(10), STR("child")));
	struct store_tx *tx = store_begin(s, &arena, false);
	store_delete(tx, k(1));
	store_require_empty(tx, k(10), k(20));
	CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
	tx = store_begin(s, &arena, false);
	store_require_empty(tx, k(10), k(20));
	store_delete(tx, k(10));
	CHECK_OK(store_commit(tx, &t));
	/* one that came after the snapshot */
	tx = store_begin(s, &arena, false);
	struct str v;
	CHECK(status_is(store_get(tx, k(1), &v), STATUS_NOT_FOUND));
	CHECK_OK(put(k(15), STR("late")));
	store_put(tx, k(2), STR("x"));
	store_require_empty(tx, k(10), k(20));
	CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
	/* outside the range */
	tx = store_begin(s, &arena, false);
	store_put(tx, k(2), STR("x"));
	store_require_empty(tx, k(16), k(20));
	CHECK_OK(store_commit(tx, &t));
	/* own writes count */
	tx = store_begin(s, &arena, false);
	store_put(tx, k(17), STR("x"));
	store_require_empty(tx, k(16), k(20));
	CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
	end();
}

/* The scan against a plain model: an array of what must be there. */
static void check_scan(struct store_tx *tx, const bool *there, int n, int from, int to, bool backwards)
{
	struct store_scan *c = store_scan_begin(tx, k(from), k(to), backwards);
	struct str key, value;
	int i = backwards ? to - 1 : from, step = backwards ? -1 : 1, met = 0;
	for (; i >= from && i < to; i += step) {
		if (i >= n || !there[i]) continue;
		bool got = store_scan_next(c, &key, &value);
		CHECK(got);
		if (!got) break;
		CHECK_STR(key, k(i));
		met++;
	}
	CHECK(!store_scan_next(c, &key, &value));
	CHECK(!store_scan_next(c, &key, &value));
	CHECK_OK(store_scan_end(c));
}

TEST(scans_merge_own_writes)
{
	begin();
	enum { N = 60 };
	bool there[N] = {false};
	unsigned random = 1;
	for (int i = 0; i < N; i++) {
		random = random * 1103515245 + 12345;
		if (!(random >> 16 & 1)) continue;
		there[i] = true;
		CHECK_OK(put(k(i), STR("stored")));
	}
	struct store_tx *tx = store_begin(s, &arena, false);
	for (int round = 0; round < 40; round++) {
		random = random * 1103515245 + 12345;
		int i = (int)(random >> 16) % N;
		random = random * 1103515245 + 12345;
		there[i] = random >> 17 & 1;
		if (there[i])
			store_put(tx, k(i), STR("own"));
		else
			store_delete(tx, k(i));
		int from = (int)(random >> 16) % N, to = from + (int)(random >> 20) % 30;
		check_scan(tx, there, N, from, to, false);
		check_scan(tx, there, N, from, to, true);
		check_scan(tx, there, N, 0, N, random >> 18 & 1);
	}
	/* writing while scanning: delete each, add one behind and one ahead */
	struct store_scan *c = store_scan_begin(tx, k(0), k(N), false);
	struct str key, value;
	bool added = false;
	int met = 0;
	while (store_scan_next(c, &key, &value)) {
		struct str copy = str_dup(&arena, key);
		if (str_cmp(copy, k(20)) > 0 && !added) {
			added = true;
			store_put(tx, k(1), STR("behind"));
			store_put(tx, str_cat(&arena, copy, STR("-")), STR("ahead"));
		}
		if (str_is(value, "ahead")) met++;
		CHECK(!str_is(value, "behind"));
		store_delete(tx, copy);
	}
	CHECK(added && met == 1);
	CHECK_OK(store_scan_end(c));
	bool left[N] = {false};
	left[1] = true;
	check_scan(tx, left, N, 0, N, false);
	/* seeking */
	store_put(tx, k(5), STR("x"));
	store_put(tx, k(7), STR("x"));
	c = store_scan_begin(tx, k(0), k(N), false);
	store_scan_seek(c, k(6));
	CHECK(store_scan_next(c, &key, &value));
	CHECK_STR(key, k(7));
	store_scan_seek(c, k(5));
	CHECK(store_scan_next(c, &key, &value));
	CHECK_STR(key, k(5));
	store_scan_seek(c, STR(""));
	CHECK(store_scan_next(c, &key, &value));
	CHECK_STR(key, k(1));
	store_scan_seek(c, k(N));
	CHECK(!store_scan_next(c, &key, &value));
	CHECK_OK(store_scan_end(c));
	c = store_scan_begin(tx, k(0), k(N), true);
	store_scan_seek(c, k(6));
	CHECK(store_scan_next(c, &key, &value));
	CHECK_STR(key, k(5));
	store_scan_seek(c, k(5));
	CHECK(store_scan_next(c, &key, &value));
	CHECK_STR(key, k(5));
	store_end(tx); /* ends the scan, too */
	end();
}

TEST(reopens)
{
	begin();
	for (int i = 0; i < 100; i++) CHECK_OK(put(k(i), str_fmt(&arena, "%d", i)));
	struct store *second = NULL;
	struct str why;
	struct store_options o = {.dir = dir};
	CHECK(status_is(store_open(&o, &arena, &second, &why), STATUS_BUSY));
	for (int round = 0; round < 3; round++) {
		store_close(s);
		s = folder_open(dir, (enum store_durability)round);
		for (int i = 0; i < 100; i++) CHECK_STR(get(k(i)), str_fmt(&arena, "%d", i));
	}
	store_close(s);
	char path[PATH_MAX + 16];
	snprintf(path, sizeof path, "%s/FORMAT", dir);
	FILE *f = fopen(path, "w");
	fputs("99\n", f);
	fclose(f);
	CHECK(status_is(store_open(&o, &arena, &second, &why), STATUS_LIMIT));
	f = fopen(path, "w");
	fputs("x\n", f);
	fclose(f);
	CHECK(status_is(store_open(&o, &arena, &second, &why), STATUS_CORRUPT));
	f = fopen(path, "w");
	fputs("1\n", f);
	fclose(f);
	s = folder_open(dir, DURABILITY_STRICT);
	end();
}

static void count_up(void *ctx) { __atomic_add_fetch((int *)ctx, 1, __ATOMIC_SEQ_CST); }

TEST(tickets)
{
	begin();
	store_close(s);
	s = folder_open(dir, DURABILITY_STRICT);
	int called = 0;
	store_ticket last = 0;
	for (int i = 0; i < 50; i++) {
		struct store_tx *tx = store_begin(s, &arena, false);
		store_ticket t = 0;
		store_put(tx, k(i), STR("x"));
		CHECK_OK(store_commit(tx, &t));
		CHECK(t > last);
		last = t;
		CHECK(store_last_ticket(s) == t);
		store_when_durable(s, t, count_up, &called);
	}
	store_wait(s, last);
	CHECK(store_is_durable(s, last) && store_is_durable(s, 0));
	store_when_durable(s, last, count_up, &called);
	store_close(s);
	CHECK(called == 51);
	s = folder_open(dir, DURABILITY_RELAXED);
	end();
}

static uint64_t syncs(void)
{
	struct store_metrics m;
	store_metrics(s, &m);
	return m.syncs;
}

TEST(syncs_as_promised)
{
	begin();
	store_close(s);
	s = folder_open(dir, DURABILITY_NONE);
	CHECK_OK(put(k(1), STR("x")));
	usleep(700000);
	CHECK(syncs() == 0);
	store_close(s);
	s = folder_open(dir, DURABILITY_RELAXED);
	CHECK_OK(put(k(1), STR("x")));
	CHECK(syncs() == 0);
	for (int i = 0; i < 200 && syncs() == 0; i++) usleep(10000);
	CHECK(syncs() == 1);
	store_close(s);
	s = folder_open(dir, DURABILITY_STRICT);
	for (uint64_t i = 0; i < 10; i++) {
		CHECK_OK(put(k(1), STR("x")));
		CHECK(syncs() == i + 1);
	}
	end();
}

TEST(delete_range_and_clear)
{
	begin();
	for (int i = 0; i < 20; i++) CHECK_OK(put(k(i), STR("x")));
	struct store_tx *tx = store_begin(s, &arena, false);
	struct str v;
	store_ticket t;
	CHECK_OK(store_get(tx, k(1), &v));
	CHECK_OK(store_delete_range(s, k(5), k(10)));
	store_put(tx, k(30), STR("x"));
	CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
	CHECK(str_has(get(k(4))) && !str_has(get(k(5))) && !str_has(get(k(9))) && str_has(get(k(10))));
	CHECK_OK(put(k(7), STR("again")));
	CHECK_STR(get(k(7)), STR("again"));
	CHECK_OK(store_clear(s));
	for (int i = 0; i < 20; i++) CHECK(!str_has(get(k(i))));
	CHECK_OK(put(k(7), STR("again")));
	CHECK_STR(get(k(7)), STR("again"));
	end();
}

TEST_MAIN()
