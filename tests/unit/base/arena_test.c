/* Arenas, vectors and buffers: growth, reuse, marks, alignment. */
#include "test.h"
#include "base/buf.h"
#include "base/vec.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

TEST(blocks_grow)
{
	struct arena a;
	arena_init(&a);
	CHECK(a.total == 0);
	arena_alloc(&a, 1);
	CHECK(a.total == 2 << 10);
	for (int i = 0; i < 20; i++) arena_alloc(&a, 1000);
	CHECK(a.total == 30 << 10);
	size_t before = a.total;
	arena_alloc(&a, 5 << 20);
	CHECK(a.total - before >= 5 << 20 && a.total - before < (5 << 20) + 256);
	arena_reset(&a);
	CHECK(a.total == 16 << 10);
	arena_cleanup(&a);
	CHECK(a.total == 0);
}

TEST(memory_is_zeroed_and_aligned)
{
	struct arena a;
	arena_init(&a);
	for (int round = 0; round < 3; round++) {
		for (size_t n = 0; n < 600; n += 7) {
			char *p = arena_alloc(&a, n);
			size_t dirty = 0;
			for (size_t i = 0; i < n; i++) dirty += p[i] != 0;
			CHECK(dirty == 0 && (uintptr_t)p % 16 == 0);
			memset(p, 0xaa, n);
		}
		arena_reset(&a);
	}
	CHECK(arena_alloc(&a, 0) != arena_alloc(&a, 0));
	arena_cleanup(&a);
}

TEST(marks)
{
	struct arena a;
	arena_init(&a);
	struct arena_mark empty = arena_mark(&a);
	char *p = arena_alloc(&a, 10);
	memcpy(p, "kept", 5);
	struct arena_mark m = arena_mark(&a);
	char *q = arena_alloc(&a, 10);
	arena_alloc(&a, 3 << 20);
	arena_release(&a, m);
	CHECK(a.total == 2 << 10 && strcmp(p, "kept") == 0);
	CHECK(arena_alloc(&a, 10) == q);
	arena_release(&a, empty);
	CHECK(a.total == 0);
	arena_cleanup(&a);
}

TEST(vectors)
{
	struct arena a;
	arena_init(&a);
	struct {
		int *v;
		size_t n;
	} list = {0};
	size_t capacity = 0;
	CHECK(VEC_PRESENT(&a, &list) != NULL);
	for (int i = 0; i < 1000; i++) {
		int *slot = VEC_PUSH(&a, &list, &capacity);
		CHECK(*slot == 0);
		*slot = i;
		if (i % 100 == 0) memset(arena_alloc(&a, 8), 0xff, 8);
	}
	long sum = 0;
	for (size_t i = 0; i < list.n; i++) sum += list.v[i];
	CHECK(list.n == 1000 && sum == 499500);
	arena_cleanup(&a);
}

static void check_number(double v, const char *want)
{
	struct buf b = BUF_HEAP;
	buf_f64(&b, v);
	CHECK_STR(buf_done(&b), str_c(want));
	buf_cleanup(&b);
}

/* The fewest of 15 to 17 digits that read back: of whatever way they are found. */
TEST(numbers_read_back)
{
	uint64_t random = 88172645463325252u;
	for (int i = 0; i < 60000; i++) {
		char want[40];
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		double v = (double)(random >> 20) / (i % 3 == 0 ? 1e9 : i % 3 == 1 ? 7e4 : 3e12);
		if (v == trunc(v)) continue;
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(want, sizeof(want), "%.*g", digits, v);
			if (strtod(want, NULL) == v) break;
		}
		check_number(v, want);
	}
}

TEST(numbers)
{
	check_number(1.5, "1.5");
	check_number(0.1, "0.1");
	check_number(0, "0");
	check_number(-3, "-3");
	check_number(1e15, "1000000000000000");
	check_number(9007199254740993.0, "9007199254740992");
	check_number(1e16, "10000000000000000");
	check_number(1e17, "1e+17");
	check_number(1.0 / 3, "0.3333333333333333");
	check_number(0.1 + 0.2, "0.30000000000000004");
	check_number(5e-324, "5e-324");
	check_number(1.7976931348623157e308, "1.7976931348623157e+308");
	check_number(99.27, "99.27");
	check_number(-0.00012345, "-0.00012345");
	check_number(123456789012345.6, "123456789012345.6");
	check_number(14.428571428571429, "14.428571428571429");
	check_number(0.5, "0.5");
	check_number(1024.0009765625, "1024.0009765625");
	check_number(NAN, "NaN");
	check_number(INFINITY, "Infinity");
	check_number(-INFINITY, "-Infinity");
	struct buf b = BUF_HEAP;
	buf_i64(&b, INT64_MIN);
	buf_byte(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	for (uint64_t v = 1; v < 100000; v *= 10) buf_fmt(&b, " "), buf_u64(&b, v), buf_byte(&b, ' '), buf_u64(&b, v - 1);
	CHECK_STR(buf_done(&b),
		STR("-9223372036854775808 18446744073709551615 1 0 10 9 100 99 1000 999 10000 9999"));
	buf_cleanup(&b);
}

TEST(buffers)
{
	struct arena a;
	arena_init(&a);
	for (int heap = 0; heap < 2; heap++) {
		struct buf b = heap ? BUF_HEAP : BUF_IN(&a);
		CHECK(str_has(buf_done(&b)) && buf_done(&b).n == 0);
		for (int i = 0; i < 2000; i++) {
			buf_fmt(&b, "%d,", i);
			if (i % 500 == 0) arena_alloc(&a, 40);
		}
		struct str rest = buf_done(&b);
		int wrong = 0;
		for (int i = 0; i < 2000; i++) {
			int64_t v = -1;
			wrong += !is_ok(str_to_i64(str_cut(&rest, ','), &v)) || v != i;
		}
		CHECK(wrong == 0 && rest.n == 0);
		buf_cleanup(&b);
		CHECK(b.n == 0);
		buf_lit(&b, "x=");
		buf_base64(&b, STR("foob"));
		buf_hex(&b, STR("\x01\xab"));
		buf_fmt(&b, "%0200d", 7);
		CHECK(str_starts(buf_done(&b), STR("x=Zm9vYg==01ab000")) && b.n == 214);
		buf_cleanup(&b);
	}
	arena_cleanup(&a);
}

TEST_MAIN()
