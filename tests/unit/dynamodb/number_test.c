/* Numbers: their text, their order as bytes, sums; against plain integer arithmetic and known limits. */
#include "base/rand.h"
#include "services/dynamodb/number.h"
#include "test.h"

static struct arena a;

static struct str number(const char *text)
{
	struct str out = STR_NONE;
	CHECK(ddb_number_read(&a, str_c(text), &out) == NUMBER_OK);
	CHECK(ddb_number_valid(out));
	return out;
}
static struct str text(struct str n)
{
	struct buf b = BUF_IN(&a);
	ddb_number_write(&b, n);
	return buf_done(&b);
}
static enum number_result result(const char *t)
{
	struct str out;
	return ddb_number_read(&a, str_c(t), &out);
}

TEST(normal_form)
{
	static const char *const pairs[][2] = {
		{"0", "0"},
		{"-0", "0"},
		{"0.00", "0"},
		{"0e5", "0"},
		{"1", "1"},
		{"01", "1"},
		{"1.0", "1"},
		{"1.50", "1.5"},
		{"+7", "7"},
		{"-12.340", "-12.34"},
		{".5", "0.5"},
		{"5.", "5"},
		{"1e2", "100"},
		{"1E-3", "0.001"},
		{"123e-5", "0.00123"},
		{"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
		{"0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"},
		{"100000000000000000000000000000000000000000", "100000000000000000000000000000000000000000"},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		CHECK_STR(text(number(pairs[i][0])), str_c(pairs[i][1]));
}

TEST(refusals)
{
	static const char *const bad[] = {
		"", "-", "+", ".", "x", "1x", "1..2", "1e", "e5", "0x10", "NaN", "Infinity", " 1", "1 ", "--1", "1e+"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) CHECK(result(bad[i]) == NUMBER_SYNTAX);
	CHECK(result("9.9999999999999999999999999999999999999E+125") == NUMBER_OK);
	CHECK(result("1E126") == NUMBER_OVERFLOW);
	CHECK(result("-1E126") == NUMBER_OVERFLOW);
	CHECK(result("1E-130") == NUMBER_OK);
	CHECK(result("1E-131") == NUMBER_UNDERFLOW);
	CHECK(result("1e99999999999999999999") == NUMBER_OVERFLOW);
	CHECK(result("0e99999999999999999999") == NUMBER_OK);
	CHECK(result("123456789012345678901234567890123456789") == NUMBER_DIGITS_EXCEEDED);
	CHECK(result("0.123456789012345678901234567890123456789") == NUMBER_DIGITS_EXCEEDED);
	CHECK(result("123456789012345678901234567890123456780") == NUMBER_OK);
}

static int64_t random_i64(void)
{
	int64_t v = (int64_t)(rand_u64() >> (4 + rand_below(59)));
	return rand_below(2) ? v : -v;
}

TEST(order_and_sums_as_integers)
{
	for (int i = 0; i < 20000; i++) {
		int64_t x = random_i64(), y = rand_below(8) ? random_i64() : x + (int64_t)rand_below(3) - 1, back;
		struct str nx = ddb_number_from_i64(&a, x), ny = ddb_number_from_i64(&a, y), sum;
		int c = str_cmp(nx, ny);
		CHECK((c < 0) == (x < y) && (c == 0) == (x == y));
		CHECK(ddb_number_to_i64(nx, &back) && back == x);
		CHECK(ddb_number_add(&a, nx, ny, false, &sum) == NUMBER_OK &&
			str_eq(sum, ddb_number_from_i64(&a, x + y)));
		CHECK(ddb_number_add(&a, nx, ny, true, &sum) == NUMBER_OK &&
			str_eq(sum, ddb_number_from_i64(&a, x - y)));
		if (i % 1000 == 0) arena_reset(&a);
	}
}

TEST(order_of_fractions_and_extremes)
{
	static const char *const sorted[] = {"-9.9E125", "-1E100", "-123", "-12.5", "-12", "-1.23", "-1.2", "-1",
		"-0.5", "-1E-130", "0", "1E-130", "0.001", "0.0011", "0.5", "1", "1.2", "1.23", "9", "10", "12", "12.5",
		"99", "100", "123", "1E100", "9.9E125"};
	for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++)
		for (size_t j = 0; j < sizeof(sorted) / sizeof(sorted[0]); j++) {
			int c = str_cmp(number(sorted[i]), number(sorted[j]));
			CHECK((c < 0) == (i < j) && (c == 0) == (i == j));
		}
}

TEST(sums)
{
	struct str sum;
	CHECK(ddb_number_add(&a, number("0.1"), number("0.2"), false, &sum) == NUMBER_OK);
	CHECK_STR(text(sum), STR("0.3"));
	CHECK(ddb_number_add(&a, number("1E20"), number("1E-17"), false, &sum) == NUMBER_OK);
	CHECK_STR(text(sum), STR("100000000000000000000.00000000000000001"));
	CHECK(ddb_number_add(&a, number("1E20"), number("1E-18"), false, &sum) == NUMBER_DIGITS_EXCEEDED);
	CHECK(ddb_number_add(&a, number("9.9E125"), number("9E124"), false, &sum) == NUMBER_OVERFLOW);
	CHECK(ddb_number_add(&a, number("1.5E-129"), number("1.4E-129"), true, &sum) == NUMBER_OK);
	CHECK_STR(sum, number("1E-130"));
	CHECK(ddb_number_add(&a, number("99999999999999999999999999999999999999"), number("1"), false, &sum) ==
		NUMBER_OK);
	CHECK_STR(text(sum), STR("100000000000000000000000000000000000000"));
	CHECK(ddb_number_add(&a, number("-1000"), number("0.001"), false, &sum) == NUMBER_OK);
	CHECK_STR(text(sum), STR("-999.999"));
	CHECK(ddb_number_add(&a, number("5"), number("5"), true, &sum) == NUMBER_OK);
	CHECK_STR(text(sum), STR("0"));
}

TEST(sizes)
{
	CHECK(ddb_number_size(number("1")) == 2);
	CHECK(ddb_number_size(number("-1")) == 3);
	CHECK(ddb_number_size(number("123")) == 3);
	CHECK(ddb_number_size(number("0")) == 1);
}

TEST(damaged_bytes_are_no_numbers)
{
	static const struct str bad[] = {STR("\xc0"), STR("\xc0\x82\x01\x00"), STR("\xc0\x82\x0b\x00\x00"),
		STR("\xc0\x82\x66\x00"), STR("\x80\x00"), STR("\x40\x82\x05\x00")};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) CHECK(!ddb_number_valid(bad[i]));
}

TEST_MAIN()
