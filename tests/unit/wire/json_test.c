/* JSON strictness, in the manner of JSONTestSuite: what RFC 8259 says must be taken, and what must be refused. Then
 * what the reader makes of typed values. */
#include "dynamodb.h"
#include "test.h"
#include "wire/internal.h"

static struct arena arena;
__attribute__((constructor)) static void set_up(void)
{
	arena_init(&arena);
}

/* clang-format off */
#define B(lit) {lit, sizeof(lit) - 1}

static const struct str taken[] = {
	B("[]"), B("{}"), B("[[]   ]"), B("[\"\"]"), B("[false]"), B("[null, 1, \"1\", {}]"), B("[null]"), B("[1\n]"),
	B(" [1]"), B("[1,null,null,null,2]"),
	B("[2] "), B("[123e65]"), B("[0e+1]"), B("[0e1]"), B("[ 4]"),
	B("[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"),
	B("[20e1]"), B("[-0]"), B("[-123]"), B("[-1]"), B("[1E22]"), B("[1E-2]"), B("[1E+2]"), B("[123.456e78]"),
	B("[1e-2]"), B("[1e+2]"), B("[123]"),
	B("[123.456789]"), B("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), B("{\"asd\":\"sdf\"}"),
	B("{\"a\":\"b\",\"a\":\"c\"}"), B("{\"\":0}"),
	B("{\"foo\\u0000bar\": 42}"), B("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"), B("{\"a\":[]}"),
	B("{\n\"a\": \"b\"\n}"),
	B("[\"\\u0060\\u012a\\u12AB\"]"), B("[\"\\uD801\\udc37\"]"), B("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
	B("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), B("[\"\\\\u0000\"]"),
	B("[\"\\\"\"]"), B("[\"a/*b*/c/*d//e\"]"), B("[\"\\\\a\"]"), B("[\"\\\\n\"]"), B("[\"\\u0012\"]"),
	B("[\"\\uFFFF\"]"), B("[\"asd\"]"), B("[ \"asd\"]"),
	B("[\"\\uDBFF\\uDFFF\"]"), B("[\"new\\u00A0line\"]"), B("[\"\xf4\x8f\xbf\xbf\"]"), B("[\"\xef\xbf\xbf\"]"),
	B("[\"\\u0000\"]"), B("[\"\\u002c\"]"), B("[\"\xcf\x80\"]"),
	B("[\"\xf0\x9b\xbf\xbf\"]"), B("[\"asd \"]"), B("\" \""), B("[\"\\uD834\\uDd1e\"]"), B("[\"\\u0821\"]"),
	B("[\"\\u0123\"]"), B("[\"\xe2\x80\xa8\"]"), B("[\"\xe2\x80\xa9\"]"),
	B("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"), B("[\"new\\u000Aline\"]"), B("[\"\x7f\"]"), B("[\"\\uA66D\"]"),
	B("[\"\\u005C\"]"), B("[\"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82\"]"),
	B("[\"\\u200B\"]"), B("[\"\\u2064\"]"), B("[\"\\uFDD0\"]"), B("[\"\\uFFFE\"]"), B("[\"\\u0022\"]"),
	B("[\"aa\xe2\x82\xac\"]"), B("[\"a\x7f" "a\"]"), B("false"), B("42"), B("-0.1"), B("null"),
	B("\"asd\""), B("true"), B("\"\""), B("[\"a\"]\n"), B("[true]"), B(" [] "), B("\t{\"a\" :\r\n1 }"), B("1e400"),
	B("[1e-400]"),
	B("123456789012345678901234567890"),
};

static const struct str refused[] = {
	B(""), B(" "), B("[1 true]"), B("[a\xe5]"), B("[\"\": 1]"), B("[\"\"],"), B("[,1]"), B("[1,,2]"),
	B("[\"x\",,]"), B("[\"x\"]]"), B("[\"\",]"), B("[\"x\""), B("[x"), B("[3[4]]"),
	B("[\xff]"), B("[1:2]"), B("[,]"), B("[-]"), B("[   , \"\"]"), B("[\"a\",\n4\n,1,"), B("[1,]"),
	B("[\"\va\"\\f]"), B("[*]"), B("[\"\""), B("[1,"), B("[1,\n1\n,1"), B("[{}"), B("[fals]"),
	B("[nul]"), B("[tru]"), B("123\0"), B("[++1234]"), B("[+1]"), B("[+Inf]"), B("[-01]"), B("[-1.0.]"),
	B("[-2.]"), B("[-NaN]"), B("[.-1]"), B("[.2e-3]"), B("[0.1.2]"), B("[0.3e+]"),
	B("[0.3e]"), B("[0.e1]"), B("[0E+]"), B("[0E]"), B("[0e+]"), B("[0e]"), B("[1.0e+]"), B("[1.0e-]"),
	B("[1.0e]"), B("[1 000.0]"), B("[1eE2]"), B("[2.e+3]"), B("[2.e-3]"), B("[2.e3]"), B("[9.e+]"),
	B("[Inf]"), B("[NaN]"), B("[\xef\xbc\x91]"), B("[1+2]"), B("[0x1]"), B("[0x42]"), B("[Infinity]"),
	B("[0e+-1]"), B("[-123.123foo]"), B("[123\xe5]"), B("[1e1\xe5]"), B("[0\xe5]"), B("[-Infinity]"),
	B("[-foo]"), B("[- 1]"), B("[-012]"), B("[-.123]"), B("[-1x]"), B("[1ea]"), B("[1e\xe5]"), B("[1.]"),
	B("[.123]"), B("[1.2a-3]"), B("[1.8011670033376514H-308]"), B("[012]"), B("[\"x\", truth]"),
	B("{[: \"x\"}"), B("{\"x\", null}"), B("{\"x\"::\"b\"}"), B("{\xf0\x9f\x87\xa8\xf0\x9f\x87\xad}"),
	B("{\"a\":\"a\" 123}"), B("{key: 'value'}"), B("{\"\xb9\":\"0\",}"), B("{\"a\" b}"), B("{:\"b\"}"),
	B("{\"a\" \"b\"}"),
	B("{\"a\":"), B("{\"a\""), B("{1:1}"), B("{9999E9999:1}"), B("{null:null,null:null}"), B("{\"id\":0,,,,,}"),
	B("{'a':0}"), B("{\"id\":0,}"), B("{\"a\":\"b\"}/**/"), B("{\"a\":\"b\"}/**//"), B("{\"a\":\"b\"}//"),
	B("{\"a\":\"b\"}/"), B("{\"a\":\"b\",,\"c\":\"d\"}"), B("{a: \"b\"}"), B("{\"a\":\"a"),
	B("{ \"foo\" : \"bar\", \"a\" }"), B("{\"a\":\"b\"}#"), B("[\"\\uD800\\\"]"), B("[\"\\uD800\\u\"]"),
	B("[\"\\uD800\\u1\"]"),
	B("[\"\\uD800\\u1x\"]"), B("[\xc3\xa9]"), B("[\"\\\0\"]"), B("[\"\\x00\"]"), B("[\"\\\\\\\"]"),
	B("[\"\\\t\"]"), B("[\"\\\xf0\x9f\x8c\x80\"]"), B("[\"\\\"]"), B("[\"\\u00A\"]"), B("[\"\\uD834\\uDd\"]"),
	B("[\"\\uD800\\uD800\\x\"]"), B("[\"\\u\xe5\"]"), B("[\"\\a\"]"), B("[\"\\uqqqq\"]"), B("[\"\\\xe5\"]"),
	B("[\\u0020\"asd\"]"), B("[\\n]"), B("\""), B("['single quote']"), B("abc"), B("[\"\\"), B("[\"a\0a\"]"),
	B("[\"new\nline\"]"), B("[\"\t\"]"), B("\"\\UA66D\""), B("\"\"x"), B("<.>"), B("[<null>]"), B("[1]x"),
	B("[1]]"), B("[\"asd]"), B("a\xc3\xa5"), B("[True]"), B("1]"), B("{\"x\": true,"), B("[][]"), B("]"),
	B("\xef\xbb\xbf{}"),
	B("\xef\xbb\xbf"), B("[\"\xe5\"]"), B("["), B("{"), B("{\"\":"), B("[\f]"), B("[\xe2\x81\xa0]"), B("{}}"),
	B("{\"a\":/*comment*/\"b\"}"), B("{\"a\": true} \"x\""), B("[\"x\",}"),
	/* invalid UTF-8, and what JSONTestSuite leaves open: refused too */
	B("[\"\xff\"]"), B("[\"\xe9\"]"), B("[\"\xc0\xaf\"]"), B("[\"\xed\xa0\x80\"]"), B("[\"\xf4\xbf\xbf\xbf\"]"),
	B("[\"\xe6\x97\xa5\xd1\x88\xfa\"]"), B("[\"\x81\"]"), B("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"),
	B("[\"\\uD800\"]"), B("[\"\\uDADA\"]"), B("[\"\\uD888\\u1234\"]"), B("[\"\\uDd1e\\uD834\"]"),
	B("[\"\\uDFAA\"]"), B("[\"\\uD800\\n\"]"), B("{\"\xff\":1}"), B("\xff\xfe[\0\"\0\xe9\0\"\0]\0"),
	B("nul"), B("-"), B("01"), B("1."), B("tru"), B("\0"), B("[1]\0"), B("+1"), B("--1"), B("\xe2\x80\xa8[]"),
};

/* clang-format on */
TEST(suite)
{
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		CHECK(wire_json_valid(taken[i], 100));
		if (!wire_json_valid(taken[i], 100)) fprintf(stderr, "   refused: %.*s\n", STR_ARG(taken[i]));
	}
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		CHECK(!wire_json_valid(refused[i], 100));
		if (wire_json_valid(refused[i], 100)) fprintf(stderr, "   taken: %.*s\n", STR_ARG(refused[i]));
	}
	printf("%zu texts taken, %zu refused\n", sizeof taken / sizeof *taken, sizeof refused / sizeof *refused);
}

/* Every prefix of a text is refused, and what is read never passes its end (each is in a block of its own). */
TEST(truncation)
{
	static const char text[] =
		"{\"TableName\":\"t\\u00e9\xc3\xa9\",\"Item\":{\"k\":{\"M\":{\"x\":{\"L\":[{\"N\":\"-1.5e3\"},{"
		"\"BOOL\":true},{\"NULL\":false},{\"B\":\"AAEC\"}]}}}},\"Unknown\":[1,2.5,null]}";
	for (size_t n = 0; n < sizeof text; n++) {
		char *copy = mem_new(n ? n : 1);
		memcpy(copy, text, n);
		bool whole = n == sizeof text - 1;
		if (n < sizeof text) CHECK(wire_json_valid(str_n(copy, n), 100) == whole);
		struct dynamodb_put_item_input in = {0};
		struct str message;
		uint16_t shape = wire_op_find(&wire_service_dynamodb.tables, STR("PutItem"))->in;
		CHECK(is_ok(wire_json_read(&arena, &wire_service_dynamodb.tables, shape, str_n(copy, n), &in, false,
			      &message)) == whole);
		if (whole) {
			CHECK_STR(in.table_name, STR("t\xc3\xa9\xc3\xa9"));
			CHECK(in.item.n == 1 && in.item.v[0].value.m.v[0].value.l.n == 4);
			CHECK_STR(in.item.v[0].value.m.v[0].value.l.v[0].n, STR("-1.5e3"));
			CHECK_STR(in.item.v[0].value.m.v[0].value.l.v[3].b, STR("\0\1\2"));
		}
		free(copy);
	}
}

static status read_put(struct str text, struct dynamodb_put_item_input *in, struct str *message)
{
	uint16_t shape = wire_op_find(&wire_service_dynamodb.tables, STR("PutItem"))->in;
	return wire_json_read(&arena, &wire_service_dynamodb.tables, shape, text, in, false, message);
}

TEST(nesting_is_bounded)
{
	struct buf b = BUF_IN(&arena);
	for (int i = 0; i < 100000; i++) buf_byte(&b, '[');
	CHECK(!wire_json_valid(buf_done(&b), 128));
	struct buf deep = BUF_IN(&arena), fine = BUF_IN(&arena);
	for (int i = 0; i < 128; i++) buf_byte(&fine, '[');
	for (int i = 0; i < 128; i++) buf_byte(&fine, ']');
	CHECK(wire_json_valid(buf_done(&fine), 128) && !wire_json_valid(buf_done(&fine), 127));
	buf_lit(&deep, "{\"Item\":{\"k\":");
	for (int i = 0; i < 5000; i++) buf_lit(&deep, "{\"M\":{\"k\":");
	struct dynamodb_put_item_input in = {0};
	struct str message = STR_NONE;
	CHECK(!is_ok(read_put(buf_done(&deep), &in, &message)));
	CHECK_STR(message, STR("Nesting too deep"));
}

TEST(wrong_types_are_named)
{
	struct {
		const char *text, *message;
	} cases[] = {
		{"{\"TableName\":1}", "NUMBER_VALUE can not be converted to a String"},
		{"{\"TableName\":true}", "TRUE_VALUE can not be converted to a String"},
		{"{\"TableName\":{}}", "Start of structure or map found where not expected."},
		{"{\"TableName\":[]}", "Start of list found where not expected"},
		{"{\"Item\":{\"k\":{\"BOOL\":\"x\"}}}", "STRING_VALUE can not be converted to a Boolean"},
		{"{\"Item\":[]}", "Start of list found where not expected"},
		{"[]", "Start of list found where not expected"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dynamodb_put_item_input in = {0};
		struct str message = STR_NONE;
		CHECK(!is_ok(read_put(str_c(cases[i].text), &in, &message)));
		CHECK_STR(message, str_c(cases[i].message));
	}
}

TEST(last_of_duplicate_keys_wins_and_null_is_absent)
{
	struct dynamodb_put_item_input in = {0};
	struct str message;
	CHECK_OK(read_put(STR("{\"TableName\":\"a\",\"Item\":{\"x\":{}},\"TableName\":\"b\",\"Item\":{\"y\":{},\"z\":{}"
			      "},\"ConditionExpression\":null}"),
		&in, &message));
	CHECK_STR(in.table_name, STR("b"));
	CHECK(in.item.n == 2);
	CHECK(!in.condition_expression.p);
}

TEST(strings_are_escaped)
{
	struct buf b = BUF_IN(&arena);
	wire_json_string(&b, STR("a\"b\\c\n\r\t\b\f\x01\x1f\x7f/\xc3\xa9"));
	CHECK_STR(buf_done(&b), STR("\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\\u007f/\xc3\xa9\""));
	for (size_t n = 0; n < 70; n++) { /* every length and place of an escape */
		char text[80];
		memset(text, '\n', n);
		struct buf w = BUF_IN(&arena);
		wire_json_string(&w, str_n(text, n));
		CHECK(w.n == 2 + 2 * n && wire_json_valid(buf_done(&w), 1));
	}
}

/* Three bytes of body take a struct of a hundred and more: the memory that one request may take is bounded. */
TEST(memory_is_bounded)
{
	struct arena own;
	struct buf b = BUF_HEAP;
	arena_init(&own);
	buf_lit(&b, "{\"Item\":{\"k\":{\"L\":[{}");
	for (int i = 0; i < 4000000; i++) buf_lit(&b, ",{}");
	buf_lit(&b, "]}}}");
	struct dynamodb_put_item_input in = {0};
	struct str message = STR_NONE;
	uint16_t shape = wire_op_find(&wire_service_dynamodb.tables, STR("PutItem"))->in;
	CHECK(!is_ok(wire_json_read(&own, &wire_service_dynamodb.tables, shape, buf_done(&b), &in, false, &message)));
	CHECK_STR(message, STR("The request holds too many elements"));
	CHECK(own.total < (size_t)1 << 30);
	buf_cleanup(&b);
	arena_cleanup(&own);
}
TEST_MAIN()
