/* Times as text, against the C library's calendar and the formats that RFC 9110 and AWS's protocols name. */
#include "test.h"
#include "clock/clock.h"
#include <time.h>

static struct arena a;

TEST(agrees_with_the_c_library)
{
	arena_init(&a);
	for (int64_t s = INT64_C(-62167219200); s <= INT64_C(253402300799); s += 86399 * 997) {
		struct tm tm;
		char want[64];
		time_t t = (time_t)s;
		gmtime_r(&t, &tm);
		/* strftime's %Y does not pad */
		int n = snprintf(want, sizeof want, "%04d", tm.tm_year + 1900);
		strftime(want + n, sizeof want - (size_t)n, "-%m-%dT%H:%M:%SZ", &tm);
		CHECK_STR(time_iso8601(&a, s * 1000, false), str_c(want));
		int64_t back = 0;
		CHECK_OK(time_read_iso8601(str_c(want), &back));
		CHECK(back == s * 1000);
		strftime(want, sizeof want, "%a, %d %b ", &tm);
		n = (int)strlen(want);
		n += snprintf(want + n, sizeof want - (size_t)n, "%04d", tm.tm_year + 1900);
		strftime(want + n, sizeof want - (size_t)n, " %H:%M:%S GMT", &tm);
		CHECK_STR(time_rfc822(&a, s * 1000), str_c(want));
		CHECK_OK(time_read_http(str_c(want), &back));
		CHECK(back == s * 1000);
		CHECK_OK(time_read_basic(time_basic(&a, s * 1000), &back));
		CHECK(back == s * 1000);
		arena_reset(&a);
	}
	arena_cleanup(&a);
}

TEST(formats)
{
	arena_init(&a);
	CHECK_STR(time_iso8601(&a, 1795246380007, true), STR("2026-11-21T07:33:00.007Z"));
	CHECK_STR(time_rfc822(&a, 1795246380007), STR("Sat, 21 Nov 2026 07:33:00 GMT"));
	CHECK_STR(time_basic(&a, 1795246380007), STR("20261121T073300Z"));
	CHECK_STR(time_iso8601(&a, -1, true), STR("1969-12-31T23:59:59.999Z"));
	CHECK_STR(time_iso8601(&a, INT64_MAX, true), STR("9999-12-31T23:59:59.999Z"));
	CHECK_STR(time_iso8601(&a, INT64_MIN, true), STR("0000-01-01T00:00:00.000Z"));
	arena_cleanup(&a);
}

TEST(reads)
{
	static const struct {
		status (*read)(struct str, int64_t *);
		const char *text;
		int64_t ms; /* -1: INVALID */
	} cases[] = {
		{time_read_iso8601, "2026-11-21T07:33:00Z", 1795246380000},
		{time_read_iso8601, "2026-11-21T07:33:00.123456Z", 1795246380123},
		{time_read_iso8601, "2026-11-21T09:33:00+02:00", 1795246380000},
		{time_read_iso8601, "2026-11-21T02:03:00-0530", 1795246380000},
		{time_read_iso8601, "2026-11-21T07:33Z", 1795246380000},
		{time_read_iso8601, "2026-11-21T07:33:00", 1795246380000},
		{time_read_iso8601, "2026-11-21", 1795219200000},
		{time_read_iso8601, "2024-02-29T00:00:00Z", 1709164800000},
		{time_read_iso8601, "2023-02-29T00:00:00Z", -1},
		{time_read_iso8601, "2026-13-01T00:00:00Z", -1},
		{time_read_iso8601, "2026-11-31", -1},
		{time_read_iso8601, "2026-11-21T24:00:00Z", -1},
		{time_read_iso8601, "2026-11-21T07:33:00.Z", -1},
		{time_read_iso8601, "2026-11-21T07:33:00ZZ", -1},
		{time_read_iso8601, "2026-11-21T", -1},
		{time_read_iso8601, "26-11-21T07:33:00Z", -1},
		{time_read_iso8601, "", -1},
		{time_read_http, "Sat, 21 Nov 2026 07:33:00 GMT", 1795246380000},
		{time_read_http, "Saturday, 21-Nov-26 07:33:00 GMT", 1795246380000},
		{time_read_http, "Sun, 06-Nov-94 08:49:37 GMT", 784111777000},
		{time_read_http, "Sun Nov  6 08:49:37 1994", 784111777000},
		{time_read_http, "Sun, 06 Nov 1994 10:49:37 +0200", 784111777000},
		{time_read_http, "6 Nov 1994 08:49:37 UTC", 784111777000},
		{time_read_http, "Sun, 06 Nov 1994 08:49:37", -1},
		{time_read_http, "Sun, 06 Noe 1994 08:49:37 GMT", -1},
		{time_read_http, "Sun, 31 Feb 1994 08:49:37 GMT", -1},
		{time_read_http, "Sun", -1},
		{time_read_http, ",", -1},
		{time_read_http, "", -1},
		{time_read_basic, "20261121T073300Z", 1795246380000},
		{time_read_basic, "20261121T073300", -1},
		{time_read_basic, "20261121T073360Z", 1795246440000},
		{time_read_basic, "20261121T0733", -1},
		{time_read_duration, "90d", INT64_C(7776000000)},
		{time_read_duration, "1h30m", 5400000},
		{time_read_duration, "45s", 45000},
		{time_read_duration, "250ms", 250},
		{time_read_duration, "2w", 1209600000},
		{time_read_duration, "1y", INT64_C(31536000000)},
		{time_read_duration, "1m1ms", 60001},
		{time_read_duration, "", -1},
		{time_read_duration, "5", -1},
		{time_read_duration, "d", -1},
		{time_read_duration, "-5d", -1},
		{time_read_duration, "5x", -1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ms = -1;
		status r = cases[i].read(str_c(cases[i].text), &ms);
		bool ok = cases[i].ms < 0 ? status_is(r, STATUS_INVALID) : is_ok(r) && ms == cases[i].ms;
		if (!ok) fprintf(stderr, "«%s»: %s %lld\n", cases[i].text, status_name(r), (long long)ms);
		CHECK(ok);
	}
	int64_t ms;
	CHECK(status_is(time_read_duration(STR("999999999999999y"), &ms), STATUS_LIMIT));
}

TEST_MAIN()
