/* Virtual time and its timers. */
#include "../store/folder.h"
#include "clock/clock.h"
#include <pthread.h>

struct log {
	pthread_mutex_t lock;
	char text[64];
	size_t n;
};
struct mark {
	struct log *log;
	char name;
};

static void note(void *ctx)
{
	struct mark *m = ctx;
	pthread_mutex_lock(&m->log->lock);
	m->log->text[m->log->n++] = m->name;
	pthread_mutex_unlock(&m->log->lock);
}
static bool has(struct log *l, const char *want)
{
	for (int i = 0; i < 300; i++) {
		pthread_mutex_lock(&l->lock);
		bool same = l->n == strlen(want) && memcmp(l->text, want, l->n) == 0;
		pthread_mutex_unlock(&l->lock);
		if (same) return true;
		usleep(10000);
	}
	return false;
}

TEST(timers_fire_in_order)
{
	struct clock *c = clock_new(NULL);
	struct log l = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct mark m[6];
	for (int i = 0; i < 6; i++) m[i] = (struct mark){&l, (char)('a' + i)};
	int64_t now = clock_now(c), hour = 3600000;
	uint64_t d = clock_at(c, now + 4 * hour, note, &m[3]);
	clock_at(c, now + 2 * hour, note, &m[1]);
	clock_at(c, now + 1 * hour, note, &m[0]);
	clock_at(c, now + 2 * hour, note, &m[2]);
	clock_at(c, now + 9 * hour, note, &m[5]);
	clock_at(c, now + 5 * hour, note, &m[4]);
	CHECK(d != 0 && !clock_cancel(c, 0) && !clock_cancel(c, 99) && !clock_cancel(c, d + (UINT64_C(1) << 32)));
	usleep(20000);
	CHECK(has(&l, ""));
	CHECK_OK(clock_advance(c, 3 * hour));
	CHECK(has(&l, "abc"));
	CHECK(clock_cancel(c, d) && !clock_cancel(c, d));
	CHECK_OK(clock_set(c, now + 100 * hour));
	CHECK(has(&l, "abcef"));
	CHECK(clock_now(c) >= now + 100 * hour && clock_now(c) < now + 101 * hour);
	CHECK(status_is(clock_set(c, now), STATUS_INVALID) && status_is(clock_advance(c, -1), STATUS_INVALID));
	CHECK(status_is(clock_advance(c, INT64_MAX), STATUS_LIMIT) && status_is(clock_set(c, INT64_MAX), STATUS_LIMIT));
	CHECK_OK(clock_reset(c));
	CHECK(clock_offset(c) == 0);
	clock_at(c, clock_now(c) + 30, note, &m[0]);
	CHECK(has(&l, "abcefa"));
	clock_free(c);
}

TEST(many_timers)
{
	enum { N = 5000 };
	struct clock *c = clock_new(NULL);
	static uint64_t ids[N];
	struct log l = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct mark m = {&l, 'x'};
	unsigned random = 7;
	int64_t now = clock_now(c);
	for (int i = 0; i < N; i++) {
		random = random * 1103515245 + 12345;
		ids[i] = clock_at(c, now + 60000 + (int)(random >> 8) % 1000000, note, &m);
	}
	int cancelled = 0;
	for (int i = 0; i < N; i++)
		if (i % 500 != 0) cancelled += clock_cancel(c, ids[i]);
	CHECK(cancelled == N - 10);
	CHECK_OK(clock_advance(c, 10000000));
	CHECK(has(&l, "xxxxxxxxxx"));
	clock_free(c);
}

TEST(the_offset_outlives_a_restart)
{
	char dir[PATH_MAX];
	struct store *s = folder_open(folder_make(dir), DURABILITY_STRICT);
	struct clock *c = clock_new(s);
	CHECK(clock_offset(c) == 0);
	CHECK_OK(clock_advance(c, 86400000));
	CHECK(clock_offset(c) == 86400000);
	clock_free(c);
	store_close(s);
	s = folder_open(dir, DURABILITY_STRICT);
	c = clock_new(s);
	CHECK(clock_offset(c) == 86400000);
	CHECK_OK(clock_reset(c));
	clock_free(c);
	c = clock_new(s);
	CHECK(clock_offset(c) == 0);
	clock_free(c);
	store_close(s);
	folder_remove(dir);
}

TEST_MAIN()
