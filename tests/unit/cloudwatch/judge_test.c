/* The tables of "Configuring how CloudWatch alarms treat missing data": X breaches, 0 does not, - is missing. */
#include "services/cloudwatch/alarm.h"
#include "test.h"
#include <math.h>

static enum cw_outcome judge(const char *points, size_t periods, size_t needed, int missing)
{
	double v[16];
	uint8_t used[16] = {0};
	size_t n = strlen(points), filled;
	for (size_t i = 0; i < n; i++) v[i] = points[i] == 'X' ? 10 : points[i] == '0' ? 1 : NAN;
	struct cw_judgement j = {
		.v = v, .n = n, .periods = periods, .needed = needed, .op = '>', .threshold = 5, .missing = missing};
	return cw_judge(&j, used, &filled);
}

struct row {
	const char *points;
	enum cw_outcome missing, ignore, breaching, not_breaching;
};

static void check_rows(const struct row *rows, size_t n, size_t needed)
{
	for (size_t i = 0; i < n; i++) {
		CHECK(judge(rows[i].points, 3, needed, CW_MISSING) == rows[i].missing);
		CHECK(judge(rows[i].points, 3, needed, CW_IGNORE) == rows[i].ignore);
		CHECK(judge(rows[i].points, 3, needed, CW_BREACHING) == rows[i].breaching);
		CHECK(judge(rows[i].points, 3, needed, CW_NOT_BREACHING) == rows[i].not_breaching);
	}
}

TEST(three_out_of_three)
{
	static const struct row rows[] = {
		{"0-X-X", CW_OK, CW_OK, CW_OK, CW_OK},
		{"----0", CW_OK, CW_OK, CW_OK, CW_OK},
		{"-----", CW_INSUFFICIENT, CW_RETAIN, CW_ALARM, CW_OK},
		{"0XX-X", CW_ALARM, CW_ALARM, CW_ALARM, CW_ALARM},
		{"--X--", CW_ALARM, CW_RETAIN, CW_ALARM, CW_OK},
	};
	check_rows(rows, 5, 3);
}

TEST(two_out_of_three)
{
	static const struct row rows[] = {
		{"0-X-X", CW_ALARM, CW_ALARM, CW_ALARM, CW_ALARM},
		{"00X0X", CW_ALARM, CW_ALARM, CW_ALARM, CW_ALARM},
		{"0-X--", CW_OK, CW_OK, CW_ALARM, CW_OK},
		{"----0", CW_OK, CW_OK, CW_ALARM, CW_OK},
		{"---X-", CW_ALARM, CW_RETAIN, CW_ALARM, CW_OK},
	};
	check_rows(rows, 5, 2);
}

TEST_MAIN()
