/* Time zones: offsets before and behind the last transition, cron in local time over changes of the clock, and what is
 * no zone. */
#include "../store/folder.h"
#include "clock/clock.h"
#include "clock/zone.h"
#include <unistd.h>

static int64_t at(const char *text)
{
	int64_t ms;
	CHECK(is_ok(time_read_iso8601(str_c(text), &ms)));
	return ms;
}

static bool offset(const char *zone, const char *when, int32_t want)
{
	struct arena a;
	struct zone *z;
	arena_init(&a);
	bool good = is_ok(zone_find(&a, str_c(zone), &z)) && zone_offset_s(z, at(when)) == want;
	arena_cleanup(&a);
	return good;
}

static bool next(const char *zone, const char *expression, const char *after, const char *want)
{
	struct arena a;
	struct zone *z;
	struct cron c;
	arena_init(&a);
	bool good = is_ok(zone_find(&a, str_c(zone), &z)) && is_ok(cron_read(str_c(expression), &c)) &&
		    zone_cron_next(z, &c, at(after)) == at(want);
	arena_cleanup(&a);
	return good;
}

TEST(offsets)
{
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) return;
	CHECK(offset("Europe/Berlin", "2026-01-15T12:00:00Z", 3600));
	CHECK(offset("Europe/Berlin", "2026-07-15T12:00:00Z", 7200));
	CHECK(offset("Europe/Berlin", "2026-03-29T00:59:59Z", 3600));
	CHECK(offset("Europe/Berlin", "2026-03-29T01:00:00Z", 7200));
	/* By the rule: behind 2037. */
	CHECK(offset("Europe/Berlin", "2090-07-15T12:00:00Z", 7200));
	CHECK(offset("Europe/Berlin", "2090-10-29T00:59:59Z", 7200));
	CHECK(offset("Europe/Berlin", "2090-10-29T01:00:00Z", 3600));
	CHECK(offset("Australia/Sydney", "2090-01-15T12:00:00Z", 39600));
	CHECK(offset("Australia/Sydney", "2090-07-15T12:00:00Z", 36000));
	CHECK(offset("America/Sao_Paulo", "2090-01-15T12:00:00Z", -10800));
	CHECK(offset("Asia/Kolkata", "2026-01-15T12:00:00Z", 19800));
	CHECK(offset("Etc/UTC", "2026-01-15T12:00:00Z", 0));
	CHECK(offset("Etc/GMT+9", "2026-01-15T12:00:00Z", -32400));
}

TEST(local_times)
{
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) return;
	CHECK(next("America/New_York", "0 9 * * *", "2026-01-15T12:00:00Z", "2026-01-15T14:00:00Z"));
	CHECK(next("America/New_York", "0 9 * * *", "2026-07-15T13:00:00Z", "2026-07-16T13:00:00Z"));
	/* 2026-03-08 02:30 is left out there; 2026-11-01 01:30 comes twice. */
	CHECK(next("America/New_York", "30 2 * * *", "2026-03-08T00:00:00Z", "2026-03-08T07:30:00Z"));
	CHECK(next("America/New_York", "30 1 * * *", "2026-11-01T00:00:00Z", "2026-11-01T05:30:00Z"));
	CHECK(next("America/New_York", "30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"));
	CHECK(next("Asia/Tokyo", "0 0 1 * *", "2026-11-29T00:00:00Z", "2026-11-30T15:00:00Z"));
}

TEST(refused)
{
	struct arena a;
	struct zone *z;
	arena_init(&a);
	static const char *const bad[] = {
		"", "/etc/passwd", "../../../etc/passwd", "Europe", "Europe/", "Nowhere/Atlantis", "a b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) CHECK(!is_ok(zone_find(&a, str_c(bad[i]), &z)));
	CHECK(!is_ok(zone_read(&a, STR("TZif2"), &z)));
	arena_cleanup(&a);
}

TEST_MAIN()
