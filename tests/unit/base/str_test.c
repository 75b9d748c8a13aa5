/* Strings: search, cut, glob, numbers, UTF-8, codecs. Vectors: RFC 4648 section 10, RFC 3629 section 4. */
#include "test.h"
#include "base/buf.h"
#include "base/rand.h"
#include <math.h>

TEST(search)
{
	struct str s = STR("hello, world");
	CHECK(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0 && str_cmp(s, s) == 0);
	CHECK(str_cmp(STR("\xff"), STR("a")) > 0);
	CHECK(str_ieq(STR("Host"), STR("hOST")) && !str_ieq(STR("["), STR("{")));
	CHECK(str_starts(s, STR("hell")) && !str_starts(STR("he"), STR("hell")) && str_starts(STR_NONE, STR("")));
	CHECK(str_ends(s, STR("world")) && !str_ends(s, STR("word")) && str_istarts(s, STR("HELLO")));
	CHECK(str_chr(s, 'l') == 2 && str_rchr(s, 'l') == 10 && str_chr(s, 'z') == -1 && str_chr(STR_NONE, 'a') == -1);
	CHECK(str_find(s, STR("wor")) == 7 && str_find(s, STR("worm")) == -1 && str_find(s, STR("")) == 0);
	CHECK_STR(str_sub(s, 7, 3), STR("wor"));
	CHECK_STR(str_sub(s, 7, SIZE_MAX), STR("world"));
	CHECK(str_from(s, 99).n == 0 && str_has(str_from(s, 99)) && !str_has(str_from(STR_NONE, 1)));
	CHECK_STR(str_trim(STR(" \t a b\t ")), STR("a b"));
	CHECK(str_trim(STR("  ")).n == 0);
	CHECK(!str_has(str_or(STR_NONE, STR_NONE)) && str_is(str_or(STR(""), STR("x")), ""));
}

TEST(cut)
{
	struct str rest = STR("a,,b,");
	CHECK_STR(str_cut(&rest, ','), STR("a"));
	CHECK_STR(str_cut(&rest, ','), STR(""));
	CHECK_STR(str_cut(&rest, ','), STR("b"));
	CHECK(str_has(rest) && rest.n == 0);
	CHECK_STR(str_cut(&rest, ','), STR(""));
	CHECK(!str_has(rest));
}

TEST(glob)
{
	CHECK(str_glob(STR("*"), STR("")) && str_glob(STR(""), STR("")) && !str_glob(STR(""), STR("a")));
	CHECK(str_glob(STR("s3:Get*"), STR("s3:GetObject")) && !str_glob(STR("s3:Get*"), STR("s3:PutObject")));
	CHECK(str_glob(STR("a?c*e"), STR("abcdde")) && !str_glob(STR("a?c"), STR("ac")));
	CHECK(str_glob(STR("*ab*ab"), STR("abxabab")) && !str_glob(STR("*ab*abc"), STR("abab")));
	struct arena a;
	arena_init(&a);
	char *as = memset(arena_alloc(&a, 3000), 'a', 3000);
	CHECK(!str_glob(STR("*a*a*a*a*a*a*a*a*a*a*a*a*b"), str_n(as, 3000)));
	arena_cleanup(&a);
}

TEST(integers)
{
	int64_t i = 7;
	uint64_t u = 7;
	CHECK(is_ok(str_to_i64(STR("-9223372036854775808"), &i)) && i == INT64_MIN);
	CHECK(is_ok(str_to_i64(STR("9223372036854775807"), &i)) && i == INT64_MAX);
	CHECK(status_is(str_to_i64(STR("9223372036854775808"), &i), STATUS_LIMIT));
	CHECK(status_is(str_to_i64(STR("-9223372036854775809"), &i), STATUS_LIMIT) && i == INT64_MAX);
	CHECK(is_ok(str_to_u64(STR("18446744073709551615"), &u)) && u == UINT64_MAX);
	CHECK(status_is(str_to_u64(STR("18446744073709551616"), &u), STATUS_LIMIT));
	CHECK(status_is(str_to_u64(STR("99999999999999999999999x"), &u), STATUS_INVALID));
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "--1"};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		CHECK(status_is(str_to_i64(str_c(bad[k]), &i), STATUS_INVALID));
	CHECK(status_is(str_to_u64(STR("-1"), &u), STATUS_INVALID));
	CHECK(status_is(str_to_i64(STR_NONE, &i), STATUS_INVALID));
}

TEST(doubles)
{
	double d = 0;
	CHECK(is_ok(str_to_f64(STR("-1.5e3"), &d)) && fabs(d + 1500) < 1e-9);
	CHECK(is_ok(str_to_f64(STR(".5"), &d)) && fabs(d - .5) < 1e-9);
	CHECK(is_ok(str_to_f64(STR("NaN"), &d)) && isnan(d));
	CHECK(is_ok(str_to_f64(STR("-Infinity"), &d)) && isinf(d) && d < 0);
	CHECK(status_is(str_to_f64(STR("1e999"), &d), STATUS_LIMIT));
	static const char *const bad[] = {"", ".", "-", "1e", "1e+", "inf", "nan", "0x1p3", "1,5", "1 ", "+1", "infinity"};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		CHECK(status_is(str_to_f64(str_c(bad[k]), &d), STATUS_INVALID));
}

/* RFC 3629 section 3, the slow and plain way. */
static bool utf8_by_the_book(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		unsigned c = p[i], size = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
		if (size == 0 || i + size > n) return false;
		unsigned code = size == 1 ? c : c & (0xffu >> (size + 1));
		for (unsigned k = 1; k < size; k++) {
			if (p[i + k] >> 6 != 2) return false;
			code = code << 6 | (p[i + k] & 63);
		}
		static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
		if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
		i += size;
	}
	return true;
}

TEST(utf8)
{
	CHECK(str_utf8_valid(STR_NONE) && str_utf8_valid(STR("")) && str_utf8_valid(STR("a\0b")));
	CHECK(str_utf8_length(STR("aé€😀")) == 4 && str_utf8_length(STR("0123456é89😀")) == 11);
	CHECK(!str_utf8_valid(STR("0123456789012345678901234567890123456789\xc3")));
	int differ = 0;
	for (unsigned v = 0; v < 1u << 16; v++) {
		unsigned char two[] = {(unsigned char)(v >> 8), (unsigned char)v};
		differ += str_utf8_valid(str_n(two, 2)) != utf8_by_the_book(two, 2);
		/* the same as lead and first follower of three and four */
		for (size_t n = 3; n <= 4; n++) {
			unsigned char more[] = {two[0], two[1], 0x80, 0xbf};
			differ += str_utf8_valid(str_n(more, n)) != utf8_by_the_book(more, n);
		}
	}
	for (int k = 0; k < 20000; k++) {
		unsigned char text[40];
		size_t n = (size_t)rand_below(sizeof text);
		memset(text, 'x', n);
		uint64_t places = n ? rand_below(4) : 0;
		static const unsigned char pick[] = {0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x80, 0xed, 0xa0, 0xf4, 0x90};
		while (places--) text[rand_below(n)] = pick[rand_below(sizeof pick)];
		differ += str_utf8_valid(str_n(text, n)) != utf8_by_the_book(text, n);
	}
	CHECK(differ == 0);
}

TEST(copies)
{
	struct arena a;
	arena_init(&a);
	CHECK(!str_has(str_dup(&a, STR_NONE)) && str_has(str_dup(&a, STR(""))) && str_z(&a, STR_NONE) == NULL);
	struct str d = str_dup(&a, STR("abc"));
	CHECK(str_is(d, "abc") && d.p[3] == 0);
	CHECK_STR(str_fmt(&a, "%s-%d", "x", 5), STR("x-5"));
	CHECK(str_fmt(&a, "%0300d", 1).n == 300 && str_fmt(&a, "%0255d", 1).n == 255 && str_fmt(&a, "%0256d", 1).n == 256);
	CHECK_STR(str_cat(&a, STR("ab"), STR("cd")), STR("abcd"));
	CHECK_STR(str_cat(&a, STR_NONE, STR("cd")), STR("cd"));
	CHECK_STR(str_lower(&a, STR("AbZ[É")), STR("abz[É"));
	CHECK(str_eq_secret(STR("abc"), STR("abc")) && !str_eq_secret(STR("abc"), STR("abd")));
	CHECK(!str_eq_secret(STR("abc"), STR("ab")));
	arena_cleanup(&a);
}

TEST(hex_and_base64)
{
	struct arena a;
	arena_init(&a);
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb\xef", "//777w=="}};
	struct str out;
	for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
		CHECK_STR(str_base64(&a, str_c(pairs[k][0])), str_c(pairs[k][1]));
		CHECK_OK(str_unbase64(&a, str_c(pairs[k][1]), &out));
		CHECK_STR(out, str_c(pairs[k][0]));
	}
	static const char *const bad[] = {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm 8", "Zm8\n", "Zg==Zg==",
		"Z=g=", "Zm8-", "Zm\x80v", "=Zm9"};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		CHECK(status_is(str_unbase64(&a, str_c(bad[k]), &out), STATUS_INVALID));
	CHECK_STR(str_hex(&a, STR("\x00\xff\x1a")), STR("00ff1a"));
	CHECK_OK(str_unhex(&a, STR("00Ff1A"), &out));
	CHECK_STR(out, STR("\x00\xff\x1a"));
	CHECK(status_is(str_unhex(&a, STR("0"), &out), STATUS_INVALID));
	CHECK(status_is(str_unhex(&a, STR("0g"), &out), STATUS_INVALID));
	for (size_t n = 0; n < 300; n++) {
		char bytes[300];
		rand_bytes(bytes, n);
		struct str s = str_n(bytes, n);
		CHECK_OK(str_unbase64(&a, str_base64(&a, s), &out));
		CHECK(str_eq(out, s));
		CHECK_OK(str_unhex(&a, str_hex(&a, s), &out));
		CHECK(str_eq(out, s));
	}
	arena_cleanup(&a);
}

TEST(uri)
{
	struct arena a;
	arena_init(&a);
	struct str out;
	CHECK_STR(str_uri_encode(&a, STR("a b/é~-._+"), true), STR("a%20b/%C3%A9~-._%2B"));
	CHECK_STR(str_uri_encode(&a, STR("a/b"), false), STR("a%2Fb"));
	CHECK_OK(str_uri_decode(&a, STR("a%20b+%c3%A9"), false, &out));
	CHECK_STR(out, STR("a b+é"));
	CHECK_OK(str_uri_decode(&a, STR("a+b"), true, &out));
	CHECK_STR(out, STR("a b"));
	CHECK(status_is(str_uri_decode(&a, STR("a%2"), false, &out), STATUS_INVALID));
	CHECK(status_is(str_uri_decode(&a, STR("%zz"), false, &out), STATUS_INVALID));
	arena_cleanup(&a);
}

TEST_MAIN()
