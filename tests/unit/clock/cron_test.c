/* Cron expressions: what they take and refuse, and the times that follow. */
#include "../store/folder.h"
#include "clock/clock.h"
#include "clock/cron.h"

static int64_t at(const char *text)
{
	int64_t ms;
	CHECK(is_ok(time_read_iso8601(str_c(text), &ms)));
	return ms;
}

static bool next(const char *expression, const char *after, const char *want)
{
	struct cron c;
	if (!is_ok(cron_read(str_c(expression), &c))) return false;
	return cron_next(&c, at(after)) == at(want);
}

static bool next_aws(const char *expression, const char *after, const char *want)
{
	struct cron c;
	if (!is_ok(cron_read_aws(str_c(expression), &c))) return false;
	return cron_next(&c, at(after)) == at(want);
}

TEST(five_fields)
{
	CHECK(next("* * * * *", "2026-11-29T12:00:00Z", "2026-11-29T12:01:00Z"));
	CHECK(next("30 0 1 1,6,12 *", "2026-11-29T12:00:00Z", "2026-12-01T00:30:00Z"));
	CHECK(next("30 0 1 1,6,12 *", "2026-12-01T00:30:00Z", "2027-01-01T00:30:00Z"));
	CHECK(next("0 9 * * MON-FRI", "2026-11-29T12:00:00Z", "2026-11-30T09:00:00Z"));
	CHECK(next("0 9 * * 7", "2026-11-29T09:00:00Z", "2026-12-06T09:00:00Z"));
	CHECK(next("*/20 8-10 * * *", "2026-11-29T10:40:30Z", "2026-11-30T08:00:00Z"));
	CHECK(next("5/30 * * * *", "2026-11-29T12:05:00Z", "2026-11-29T12:35:00Z"));
	CHECK(next("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"));
	/* Both days restricted: either. */
	CHECK(next("0 0 13 * 5", "2026-11-29T12:00:00Z", "2026-12-04T00:00:00Z"));
	CHECK(next("0 0 1 1 *", "2099-06-01T00:00:00Z", "2100-01-01T00:00:00Z"));
	CHECK(next("0 0 1 3 *", "2100-02-27T00:00:00Z", "2100-03-01T00:00:00Z"));
}

TEST(six_fields)
{
	CHECK(next_aws("0 10 * * ? *", "2026-11-29T12:00:00Z", "2026-11-30T10:00:00Z"));
	CHECK(next_aws("15 12 ? * MON-FRI *", "2026-11-29T12:00:00Z", "2026-11-30T12:15:00Z"));
	CHECK(next_aws("0 0 L * ? *", "2026-11-29T12:00:00Z", "2026-11-30T00:00:00Z"));
	CHECK(next_aws("0 0 ? * 1 2027", "2026-11-29T12:00:00Z", "2027-01-03T00:00:00Z"));
	CHECK(next_aws("0/10 8-17 ? * 2 2027-2028", "2026-11-29T12:00:00Z", "2027-01-04T08:00:00Z"));
	struct cron c;
	CHECK(is_ok(cron_read_aws(STR("0 0 1 1 ? 2020"), &c)));
	CHECK(cron_next(&c, at("2026-01-01T00:00:00Z")) == INT64_MAX);
	CHECK(is_ok(cron_read(STR("0 0 31 2 *"), &c)));
	CHECK(cron_next(&c, at("2026-01-01T00:00:00Z")) == INT64_MAX);
}

TEST(refused)
{
	static const char *const bad[] = {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
		"* * 32 * *", "* * * 13 *", "* * * * 8", "-1 * * * *", "5-1 * * * *", "*/0 * * * *", "a * * * *",
		"1,,2 * * * *", "* * * janu *", "1- * * * *", "*/ * * * *", NULL};
	static const char *const bad_aws[] = {"* * * * * *", "* * ? * ? *", "0 0 1 1 ? 1969", "0 0 1 1 ? 2030-2020",
		"0 0 ? * 0 *", "0 0 15W * ? *", "0 0 ? * 6#3 *", NULL};
	struct cron c;
	for (const char *const *b = bad; *b; b++) CHECK(!is_ok(cron_read(str_c(*b), &c)));
	for (const char *const *b = bad_aws; *b; b++) CHECK(!is_ok(cron_read_aws(str_c(*b), &c)));
}

TEST_MAIN()
