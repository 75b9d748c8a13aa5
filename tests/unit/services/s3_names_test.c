/* S3's pure rules: names, ranges, conditions, checksums of parts. */
#include "test.h"
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/names.h"
#include "services/s3/object.h"

TEST(bucket_names)
{
	static const char *const good[] = {"abc", "a-b", "a.b.c", "0ab", "my.example.s3.bucket", "1.2.3", "1.2.3.4.5"};
	static const char *const bad[] = {"", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "1.2.3.4", "xn--ab",
		"sthree-ab", "amzn-s3-demo-x", "ab-s3alias", "ab--ol-s3", "ab.mrap", "ab--x-s3", "ab--table-s3", "a b", "a/b"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(s3_name_is_bucket(str_c(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!s3_name_is_bucket(str_c(bad[i])));
	char long_name[64];
	memset(long_name, 'a', sizeof long_name);
	CHECK(s3_name_is_bucket(str_n(long_name, 63)) && !s3_name_is_bucket(str_n(long_name, 64)));
	CHECK(s3_name_was_bucket(STR("Old_Style.Name")) && !s3_name_was_bucket(STR("a!b")) && !s3_name_was_bucket(STR("ab")));
}

TEST(regions_accounts_tags)
{
	static const char *const good[] = {"us-east-1", "us-gov-west-1", "ap-northeast-3", "cn-north-1", "me-central-1"};
	static const char *const bad[] = {"", "us", "us-east", "us-east-", "us-east-0", "US-EAST-1", "us--1", "us-1", "EU",
		"us-east-1-", "us-east-12"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(s3_name_is_region(str_c(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!s3_name_is_region(str_c(bad[i])));
	CHECK(s3_name_is_account(STR("000000000000")) && !s3_name_is_account(STR("00000000000")));
	CHECK(!s3_name_is_account(STR("00000000000a")) && !s3_name_is_account(STR("")));
	CHECK(s3_name_is_tag_text(STR("a b+-=._:/@ü"), 1, 12) && !s3_name_is_tag_text(STR("a<b"), 1, 10));
	CHECK(!s3_name_is_tag_text(STR(""), 1, 10) && s3_name_is_tag_text(STR(""), 0, 10));
	CHECK(!s3_name_is_tag_text(STR("üü"), 0, 1) && !s3_name_is_tag_text(STR("\xff"), 0, 9));
}

static struct str range(const char *header, uint64_t size)
{
	static char text[64];
	uint64_t first = 0, last = 0;
	switch (s3_range_read(str_c(header), size, &first, &last)) {
	case S3_RANGE_NONE: return STR("none");
	case S3_RANGE_UNSATISFIABLE: return STR("unsatisfiable");
	case S3_RANGE_OK: break;
	}
	snprintf(text, sizeof text, "%llu-%llu", (unsigned long long)first, (unsigned long long)last);
	return str_c(text);
}

TEST(ranges)
{
	CHECK_STR(range("bytes=0-0", 10), STR("0-0"));
	CHECK_STR(range("bytes=3-", 10), STR("3-9"));
	CHECK_STR(range("Bytes= 3 - 5 ", 10), STR("3-5"));
	CHECK_STR(range("bytes=3-99", 10), STR("3-9"));
	CHECK_STR(range("bytes=-3", 10), STR("7-9"));
	CHECK_STR(range("bytes=-99", 10), STR("0-9"));
	CHECK_STR(range("bytes=-0", 10), STR("unsatisfiable"));
	CHECK_STR(range("bytes=10-", 10), STR("unsatisfiable"));
	CHECK_STR(range("bytes=0-", 0), STR("unsatisfiable"));
	CHECK_STR(range("bytes=-5", 0), STR("unsatisfiable"));
	CHECK_STR(range("bytes=0-18446744073709551615", 10), STR("0-9"));
	static const char *const none[] = {"", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=1-2,4-5", "bytes 1-2",
		"items=1-2", "bytes=1", "bytes=--1", "bytes=1-18446744073709551616", "bytes=-1-2"};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) CHECK_STR(range(none[i], 10), STR("none"));
}

TEST(e_tags)
{
	struct str tag = STR("abc");
	CHECK(s3_e_tag_matches(STR("\"abc\""), tag) && s3_e_tag_matches(STR("abc"), tag) && s3_e_tag_matches(STR("*"), tag));
	CHECK(s3_e_tag_matches(STR("\"x\", W/\"abc\""), tag) && s3_e_tag_matches(STR("x,abc"), tag));
	CHECK(!s3_e_tag_matches(STR("\"ab\""), tag) && !s3_e_tag_matches(STR(""), tag) && !s3_e_tag_matches(STR("\""), tag));
}

static enum s3_verdict judge(const char *match, const char *none, int64_t since, int64_t unmodified)
{
	struct s3_conditions c = {
		.if_match = str_c(match),
		.if_none_match = str_c(none),
		.if_modified_since = {since, since != 0},
		.if_unmodified_since = {unmodified, unmodified != 0},
	};
	struct str header = STR_NONE;
	return s3_conditions_judge(&c, STR("t"), 5000999, &header);
}

TEST(conditions)
{
	CHECK(judge(NULL, NULL, 0, 0) == S3_PROCEED);
	CHECK(judge("t", NULL, 0, 1000) == S3_PROCEED && judge("u", NULL, 0, 9000000) == S3_PRECONDITION_FAILED);
	CHECK(judge(NULL, NULL, 0, 5000000) == S3_PROCEED && judge(NULL, NULL, 0, 4999000) == S3_PRECONDITION_FAILED);
	CHECK(judge(NULL, "t", 1000, 0) == S3_NOT_MODIFIED && judge(NULL, "u", 9000000, 0) == S3_PROCEED);
	CHECK(judge(NULL, NULL, 5000000, 0) == S3_NOT_MODIFIED && judge(NULL, NULL, 4999999, 0) == S3_PROCEED);
	CHECK(judge("t", "t", 0, 0) == S3_NOT_MODIFIED && judge("u", "t", 0, 0) == S3_PRECONDITION_FAILED);
}

TEST(checksums_of_parts)
{
	struct arena a;
	arena_init(&a);
	char bytes[3000];
	for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 31 + i / 256);
	struct s3_rec_part v[3] = {0};
	struct s3_rec_parts parts = {v, 3};
	static const char *const names[] = {"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "MD5"};
	for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
		const struct s3_algorithm *g = s3_algorithm(str_c(names[n]));
		struct digests d;
		struct str text, whole;
		for (size_t i = 0; i < 3; i++) {
			struct digester *digester = digester_new(g->digest);
			digester_update(digester, bytes + 1000 * i, 1000);
			digester_final(digester, &d);
			digester_free(digester);
			v[i].checksum = s3_checksum_bytes(&a, g, &d);
			v[i].size = SOME_I64(1000);
			CHECK(v[i].checksum.n == g->size);
		}
		struct digester *digester = digester_new(g->digest);
		digester_update(digester, bytes, sizeof bytes);
		digester_final(digester, &d);
		digester_free(digester);
		whole = str_base64(&a, s3_checksum_bytes(&a, g, &d));
		if (g->full) {
			CHECK_OK(s3_checksum_of_parts(&a, g, true, &parts, &text));
			CHECK_STR(text, whole);
		}
		CHECK_OK(s3_checksum_of_parts(&a, g, false, &parts, &text));
		CHECK(str_ends(text, STR("-3")) && !str_starts(text, whole));
		v[1].checksum = STR_NONE;
		CHECK(!is_ok(s3_checksum_of_parts(&a, g, false, &parts, &text)));
	}
	CHECK(s3_algorithm(STR("crc32")) == NULL && s3_algorithm(STR_NONE) == NULL);
	arena_cleanup(&a);
}

TEST(slices_of_extents)
{
	struct arena a;
	arena_init(&a);
	struct s3_rec_extent v[] = {
		{SOME_I64(1), SOME_I64(100), SOME_BOOL(false), SOME_I64(0), SOME_I64(100)},
		{SOME_I64(2), SOME_I64(90), SOME_BOOL(false), SOME_I64(10), SOME_I64(50)},
		{SOME_I64(3), SOME_I64(5), SOME_BOOL(true), SOME_I64(0), SOME_I64(5)},
	};
	struct s3_rec_extents all = {v, 3}, out;
	s3_extents_slice(&a, &all, 0, 155, &out);
	CHECK(out.n == 3 && out.v[2].length.v == 5);
	s3_extents_slice(&a, &all, 99, 2, &out);
	CHECK(out.n == 2 && out.v[0].offset.v == 99 && out.v[0].length.v == 1 && out.v[1].offset.v == 10);
	s3_extents_slice(&a, &all, 120, 30, &out);
	CHECK(out.n == 1 && out.v[0].blob.v == 2 && out.v[0].offset.v == 30 && out.v[0].length.v == 30);
	s3_extents_slice(&a, &all, 150, 5, &out);
	CHECK(out.n == 1 && out.v[0].blob.v == 3);
	s3_extents_slice(&a, &all, 20, 0, &out);
	CHECK(out.n == 0);
	arena_cleanup(&a);
}

TEST_MAIN()
