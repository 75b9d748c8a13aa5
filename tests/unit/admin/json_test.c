/* The JSON of virga's own pages. */
#include "admin/json.h"
#include "test.h"

static struct str written(struct arena *a, struct str value)
{
	struct buf b = BUF_IN(a);
	json_str(&b, value);
	return buf_done(&b);
}

TEST(nesting_and_commas)
{
	struct arena a;
	arena_init(&a);
	struct buf b = BUF_IN(&a);
	json_open(&b, '{');
	json_key(&b, "services");
	json_open(&b, '{');
	json_key(&b, "s3");
	json_str(&b, STR("running"));
	json_key(&b, "sqs");
	json_str(&b, STR("disabled"));
	json_close(&b, '}');
	json_key(&b, "list");
	json_open(&b, '[');
	json_i64(&b, -7);
	json_bool(&b, true);
	json_open(&b, '{');
	json_close(&b, '}');
	json_str(&b, STR_NONE);
	json_close(&b, ']');
	json_close(&b, '}');
	CHECK_STR(buf_done(&b),
		STR("{\"services\": {\"s3\": \"running\", \"sqs\": \"disabled\"}, \"list\": [-7, true, {}, null]}"));
	arena_cleanup(&a);
}

/* A string that ends in what separates must not swallow the comma behind it. */
TEST(strings_that_look_like_brackets)
{
	struct arena a;
	arena_init(&a);
	struct buf b = BUF_IN(&a);
	json_open(&b, '[');
	json_str(&b, STR("["));
	json_str(&b, STR(": "));
	json_str(&b, STR("{"));
	json_close(&b, ']');
	CHECK_STR(buf_done(&b), STR("[\"[\", \": \", \"{\"]"));
	arena_cleanup(&a);
}

TEST(escapes)
{
	struct arena a;
	arena_init(&a);
	CHECK_STR(written(&a, STR("a\"b\\c\nd\te\x01\x7f")), STR("\"a\\\"b\\\\c\\nd\\u0009e\\u0001\\u007f\""));
	CHECK_STR(written(&a, str_n("\0", 1)), STR("\"\\u0000\""));
	CHECK_STR(written(&a, STR("é 日本 😀")), STR("\"é 日本 😀\""));
	CHECK_STR(written(&a, STR("\xff"
				  "a\xc3")),
		STR("\"\\ufffda\\ufffd\""));
	CHECK_STR(written(&a, STR("\xed\xa0\x80")), STR("\"\\ufffd\\ufffd\\ufffd\""));
	arena_cleanup(&a);
}

TEST_MAIN()
