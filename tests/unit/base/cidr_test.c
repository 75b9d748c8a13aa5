/* Addresses and blocks: reading is strict, comparing is by bits. */
#include "base/cidr.h"
#include "test.h"

static struct cidr block(const char *text)
{
	struct cidr c;
	INVARIANT(is_ok(cidr_parse(str_c(text), &c)));
	return c;
}

TEST(blocks)
{
	struct arena a;
	struct cidr c;
	static const char *const bad[] = {"10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/08", "::/129",
		"x/8", "", "10.0.0.0/8 ", "1.2.3.4.5/8", "10.0.0.0/"};
	arena_init(&a);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) CHECK(!is_ok(cidr_parse(str_c(bad[i]), &c)));
	CHECK_STR(cidr_text(&a, cidr_network(block("10.1.2.3/16"))), str_c("10.1.0.0/16"));
	CHECK_STR(cidr_text(&a, cidr_network(block("2001:db8::ff/120"))), str_c("2001:db8::/120"));
	CHECK_STR(cidr_address_text(&a, cidr_nth(block("10.0.0.0/24"), 2)), str_c("10.0.0.2"));
	CHECK_STR(cidr_address_text(&a, cidr_nth(block("10.0.255.0/16"), 256)), str_c("10.0.1.0"));
	CHECK_STR(cidr_address_text(&a, cidr_nth(block("fd00::/64"), 0x1ffff)), str_c("fd00::1:ffff"));
	CHECK_STR(cidr_address_text(&a, cidr_last(block("10.0.0.0/28"))), str_c("10.0.0.15"));
	CHECK(cidr_contains(block("10.0.0.0/8"), block("10.255.0.0/16")));
	CHECK(!cidr_contains(block("10.255.0.0/16"), block("10.0.0.0/8")));
	CHECK(!cidr_contains(block("0.0.0.0/0"), block("::/0")));
	CHECK(cidr_overlaps(block("10.0.0.0/8"), block("10.1.0.0/16")) &&
		!cidr_overlaps(block("10.0.0.0/16"), block("10.1.0.0/16")));
	CHECK(cidr_contains(block("0.0.0.0/0"), block("255.255.255.255/32")));
	CHECK(cidr_v4(cidr_of_v4(0x0a000001, 32)) == 0x0a000001);
	arena_cleanup(&a);
}

TEST_MAIN()
