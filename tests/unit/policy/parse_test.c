/* What the parser refuses and why, sizes, and the words of denials. */
#include "policy/policy.h"
#include "test.h"

static struct arena arena;

static status parse_as(const char *text, enum policy_type type, struct policy_error *why)
{
	struct policy *p = NULL;
	struct policy_source source = {.type = type, .label = STR("test")};
	status s = policy_parse(str_c(text), &source, &p, why);
	CHECK(is_ok(s) == (p != NULL));
	policy_free(p);
	return s;
}

#define REFUSED(type, text, message_part)                                                                              \
	do {                                                                                                           \
		struct policy_error why;                                                                               \
		CHECK(status_is(parse_as(text, type, &why), STATUS_INVALID));                                          \
		if (!strstr(why.message, message_part)) {                                                              \
			fprintf(stderr, "%s:%d: said «%s»\n", __FILE__, __LINE__, why.message);                        \
			test_failed++;                                                                                 \
		}                                                                                                      \
	} while (0)
#define ACCEPTED(type, text) CHECK_OK(parse_as(text, type, NULL))
#define STATEMENT(body) "{\"Version\":\"2012-10-17\",\"Statement\":[{" body "}]}"
#define GOOD "\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\""

TEST(json)
{
	static const char *const bad[] = {"", " ", "{", "}", "[]]", "{\"Statement\"}", "{\"Statement\":}", "nul",
		"tru", "{,}", "[1,]",
		"{\"a\":1,}", "{'a':1}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":+1}",
			"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800\\u0041\"}",
			"{\"a\":\"", "{\"a\":\"\\",
		"{\"a\":\"\n\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}", "{} {}", "{\"a\" 1}", "[1 2]",
			"{\"a\":1 \"b\":2}", "NaN"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) REFUSED(POLICY_IDENTITY, bad[i],
		"Syntax errors in policy");
	REFUSED(POLICY_IDENTITY, "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]", "Syntax errors");
	REFUSED(POLICY_IDENTITY, "\"text\"", "Syntax errors");
	REFUSED(POLICY_IDENTITY, "[]", "Syntax errors");
	REFUSED(POLICY_IDENTITY, "{}", "Statement");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"Effect\":\"Deny\""), "Duplicate field");
	REFUSED(POLICY_IDENTITY, "{\"Statement\":{" GOOD "},\"Statement\":{" GOOD "}}", "Duplicate field");
	ACCEPTED(POLICY_IDENTITY, STATEMENT(GOOD));
	ACCEPTED(POLICY_IDENTITY, " \t\r\n{\"Statement\" : {" GOOD "} }\n");
	ACCEPTED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:Get\\u004fbject\","
			"\"Resource\":\"arn:aws:s3:::b\\/\\ud83d\\ude00\""));
}

TEST(document)
{
	REFUSED(POLICY_IDENTITY, "{\"Version\":\"2012-10-18\",\"Statement\":{" GOOD "}}", "valid version string");
	REFUSED(POLICY_IDENTITY, "{\"Version\":2012,\"Statement\":{" GOOD "}}", "valid version string");
	REFUSED(POLICY_IDENTITY, "{\"Version\":\"2012-10-17\"}", "Statement");
	REFUSED(POLICY_IDENTITY, "{\"Version\":\"2012-10-17\",\"Statement\":[]}", "Statement is empty");
	REFUSED(POLICY_IDENTITY, "{\"Version\":\"2012-10-17\",\"Statement\":\"x\"}", "Syntax errors");
	REFUSED(POLICY_IDENTITY, "{\"Version\":\"2012-10-17\",\"Statement\":[1]}", "Syntax errors");
	REFUSED(POLICY_IDENTITY, "{\"Version\":\"2012-10-17\",\"Statements\":[]}", "Unknown field Statements");
	REFUSED(POLICY_IDENTITY, "{\"Id\":1,\"Statement\":{" GOOD "}}", "Syntax errors");
	ACCEPTED(POLICY_IDENTITY, "{\"Version\":\"2008-10-17\",\"Statement\":{" GOOD "}}");
	ACCEPTED(POLICY_RESOURCE, "{\"Id\":\"any thing\",\"Statement\":{" GOOD ",\"Principal\":\"*\"}}");
	REFUSED(POLICY_SCP, "{\"Statement\":{" GOOD "}}", "2012-10-17 or greater");
}

TEST(statements)
{
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Action\":\"s3:*\",\"Resource\":\"*\""), "Effect");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"allow\",\"Action\":\"s3:*\",\"Resource\":\"*\""),
		"Invalid effect: allow");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":true,\"Action\":\"s3:*\",\"Resource\":\"*\""), "Invalid effect");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Resource\":\"*\""), "must contain actions");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":[],\"Resource\":\"*\""),
		"must contain actions");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\""), "must contain resources");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":[]"),
		"must contain resources");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"NotAction\":\"s3:*\""), "both Action and NotAction");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"NotResource\":\"*\""), "both Resource and NotResource");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"Principal\":\"*\""), "should not specify a principal");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"NotPrincipal\":\"*\""), "should not specify a principal");
	REFUSED(POLICY_SESSION, STATEMENT(GOOD ",\"Principal\":\"*\""), "should not specify a principal");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"Colour\":\"red\""), "Unknown field Colour");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"Sid\":1"), "Syntax errors");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"Sid\":\"with space\""), "must be alpha-numeric");
	REFUSED(POLICY_IDENTITY, STATEMENT(GOOD ",\"Sid\":\"a-b\""), "must be alpha-numeric");
	ACCEPTED(POLICY_IDENTITY, STATEMENT(GOOD ",\"Sid\":\"\""));
	ACCEPTED(POLICY_RESOURCE, STATEMENT(GOOD ",\"Sid\":\"with space\",\"Principal\":\"*\""));
	REFUSED(POLICY_IDENTITY, "{\"Statement\":[{\"Sid\":\"a\"," GOOD "},{\"Sid\":\"a\"," GOOD "}]}",
		"must be unique");
	ACCEPTED(POLICY_IDENTITY,
		"{\"Statement\":[{\"Sid\":\"a\"," GOOD "},{\"Sid\":\"b\"," GOOD "},{" GOOD "},{" GOOD "}]}");
	REFUSED(POLICY_RESOURCE, STATEMENT(GOOD), "Missing required field Principal");
	REFUSED(POLICY_RESOURCE, STATEMENT(GOOD ",\"Principal\":\"*\",\"NotPrincipal\":\"*\""),
		"both Principal and NotPrincipal");
	ACCEPTED(POLICY_RESOURCE, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"sqs:*\",\"Principal\":\"*\""));
}

TEST(actions_and_resources)
{
	static const char *const actions[] = {"GetObject", "s3", ":GetObject", "s3:", "s*:GetObject",
		"s3:Get:Object", "s3:Get Object", "", "s3:Gét"};
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		struct policy_error why;
		struct str text = str_fmt(&arena,
			STATEMENT("\"Effect\":\"Allow\",\"Action\":\"%s\",\"Resource\":\"*\""), actions[i]);
		CHECK(status_is(parse_as(text.p, POLICY_IDENTITY, &why), STATUS_INVALID));
	}
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"GetObject\",\"Resource\":\"*\""),
		"prefaced by a vendor");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"a:b:c\",\"Resource\":\"*\""),
		"only one colon");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s*:c\",\"Resource\":\"*\""),
		"Vendor s* is not valid");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":[1],\"Resource\":\"*\""), "Syntax errors");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":{},\"Resource\":\"*\""), "Syntax errors");
	REFUSED(POLICY_IDENTITY, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"bucket\""),
		"must be in ARN format");
	REFUSED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:azure:s3:::b\""), "Partition");
	REFUSED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::b/\\u0001\""),
			"Syntax errors");
	REFUSED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\","
			"\"Resource\":\"arn:aws:s3:::b/${aws:username\""), "closing brace");
	REFUSED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::b/${}\""),
			"variable is empty");
	REFUSED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::b/${a:b, x}\""),
			"single quotes");
	REFUSED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:*\","
			"\"Resource\":\"arn:aws:iam::${aws:PrincipalAccount}:user/x\""), "fifth colon");
	ACCEPTED(POLICY_IDENTITY,
		STATEMENT("\"Effect\":\"Allow\",\"Action\":[\"*\"],\"Resource\":[\"*\",\"arn:aws:s3:::b\"]"));
}

TEST(conditions)
{
#define CONDITION(block) STATEMENT(GOOD ",\"Condition\":" block)
	REFUSED(POLICY_IDENTITY, CONDITION("[]"), "Syntax errors");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"StringEqualz\":{\"a:b\":\"c\"}}"),
		"Invalid Condition type : StringEqualz.");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"NullIfExists\":{\"a:b\":\"true\"}}"), "Invalid Condition type");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"ForSomeValues:StringEquals\":{\"a:b\":\"c\"}}"),
		"Invalid Condition type");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"StringEquals\":[]}"), "Syntax errors");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"StringEquals\":{\"username\":\"c\"}}"), "prefaced by a vendor");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"StringEquals\":{\"a:b\":{}}}"), "Syntax errors");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"StringEquals\":{\"a:b\":null}}"), "Syntax errors");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"StringEquals\":{\"a:b\":[[]]}}"), "Syntax errors");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"StringEquals\":{\"a:b\":\"${\"}}"), "closing brace");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"NumericEquals\":{\"a:b\":\"ten\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"NumericEquals\":{\"a:b\":\"nan\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"DateEquals\":{\"a:b\":\"2020-13-01\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"DateEquals\":{\"a:b\":\"2021-02-29\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"DateEquals\":{\"a:b\":\"2020-01-01T00:00:00\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/33\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"IpAddress\":{\"aws:SourceIp\":\"::1/129\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"BinaryEquals\":{\"a:b\":\"!\"}}"), "legacy parsing");
	REFUSED(POLICY_IDENTITY, CONDITION("{\"Null\":{\"a:b\":\"maybe\"}}"), "legacy parsing");
	ACCEPTED(POLICY_IDENTITY, CONDITION("{\"Null\":{\"a:b\":true}}"));
	ACCEPTED(POLICY_IDENTITY, CONDITION("{\"NumericEquals\":{\"a:b\":[1,\"2\",-3.5e2]}}"));
}

TEST(principals)
{
#define PRINCIPAL(block) STATEMENT(GOOD ",\"Principal\":" block)
	static const char *const bad[] = {"\"x\"", "[]", "{}", "1", "{\"AWS\":[]}", "{\"AWS\":1}",
		"{\"AWS\":\"12345678901\"}",
		"{\"AWS\":\"arn:aws:iam::111122223333:user/*\"}", "{\"AWS\":\"arn:aws:iam::111122223333:group/g\"}",
		"{\"AWS\":\"arn:aws:iam::1111:user/a\"}", "{\"AWS\":\"arn:aws:sts::111122223333:assumed-role/r\"}",
		"{\"AWS\":\"arn:aws:sts::111122223333:assumed-role/r/*\"}", "{\"AWS\":\"arn:aws:s3:::b\"}",
			"{\"AWS\":\"\"}",
		"{\"aws\":\"*\"}", "{\"User\":\"x\"}", "{\"Service\":\"sns\"}", "{\"Service\":\"*.amazonaws.com\"}",
			"{\"Federated\":\"\"}",
		"{\"AWS\":\"arn:aws:iam::111122223333:user/\"}", "{\"CanonicalUser\":\"*\"}"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct policy_error why;
		struct str text = str_fmt(&arena, STATEMENT(GOOD ",\"Principal\":%s"), bad[i]);
		if (!status_is(parse_as(text.p, POLICY_RESOURCE, &why), STATUS_INVALID)) fprintf(stderr,
			"accepted: %s\n", bad[i]), test_failed++;
		CHECK(strstr(why.message, "Invalid principal in policy") != NULL);
	}
	ACCEPTED(POLICY_RESOURCE,
		PRINCIPAL("{\"AWS\":\"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1\"}"));
	ACCEPTED(POLICY_RESOURCE, PRINCIPAL("{\"AWS\":\"arn:aws-us-gov:iam::111122223333:role/a/b\"}"));
	ACCEPTED(POLICY_RESOURCE, PRINCIPAL("{\"Service\":\"s3.amazonaws.com\",\"Federated\":\"a.com\"}"));
#define TRUST(more) STATEMENT("\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\"" more)
	ACCEPTED(POLICY_TRUST, TRUST(",\"Principal\":\"*\""));
	REFUSED(POLICY_TRUST, TRUST(""), "Missing required field Principal");
	REFUSED(POLICY_TRUST, TRUST(",\"NotPrincipal\":\"*\""), "prohibited field NotPrincipal");
	REFUSED(POLICY_TRUST, TRUST(",\"Principal\":\"*\",\"Resource\":\"*\""), "Has prohibited field Resource");
	REFUSED(POLICY_TRUST, STATEMENT("\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Principal\":\"*\""),
		"only specify STS");
	REFUSED(POLICY_RCP, PRINCIPAL("{\"AWS\":\"*\"}"), "must be \"*\"");
	ACCEPTED(POLICY_RCP, PRINCIPAL("\"*\""));
}

TEST(sizes)
{
	CHECK(policy_size(STR(" { \"a b\" :\n\t1 }\r")) == 8);
	CHECK(policy_size(STR("é")) == 1);
	struct policy *p;
	struct policy_error why;
	struct str text = STR(STATEMENT(GOOD));
	struct policy_source source = {.type = POLICY_IDENTITY, .max_size = policy_size(text)};
	CHECK_OK(policy_parse(text, &source, &p, &why));
	CHECK(policy_statements(p) == 1);
	policy_free(p);
	source.max_size--;
	CHECK(status_is(policy_parse(text, &source, &p, &why), STATUS_LIMIT));
	CHECK(why.too_long && p == NULL);
	char *large = arena_alloc_raw(&arena, POLICY_TEXT_MAX + 1);
	memset(large, ' ', POLICY_TEXT_MAX + 1);
	source.max_size = 0;
	CHECK(status_is(policy_parse(str_n(large, POLICY_TEXT_MAX + 1), &source, &p, &why), STATUS_LIMIT));
	policy_free(NULL);
}

static struct policy *must(const char *text, enum policy_type type, const char *label)
{
	struct policy *p = NULL;
	struct policy_source source = {.type = type, .label = str_c(label)};
	CHECK_OK(policy_parse(str_c(text), &source, &p, NULL));
	return p;
}

/* "Troubleshoot access denied error messages", "Enhanced access denied error messages with policy ARNs". */
TEST(denials)
{
	struct policy_principal who = {.kind = POLICY_CALLER_USER, .account = STR("123456789012"),
		.name = STR("JohnDoe"),
		.arn = STR("arn:aws:iam::123456789012:user/JohnDoe")};
	struct policy_resource resource = {.arn = STR("arn:aws:s3:::b/k")};
	struct policy_request r = {&who, STR("s3:GetObject"), &resource, 1, NULL};
	struct policy_subject s = {0};
	struct policy_decision d;
	CHECK(!policy_evaluate(&arena, &r, &s, &d));
	CHECK_STR(policy_denial(&arena, &r, &d, true),
		STR("User: arn:aws:iam::123456789012:user/JohnDoe is not authorized to "
		"perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\" because no identity-based policy allows "
			"the s3:GetObject action"));
	CHECK_STR(policy_explain(&arena, &r, &d),
		STR("denied: no identity-based policy allows s3:GetObject on arn:aws:s3:::b/k"));

	struct policy *deny = must(STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\","
		"\"Resource\":\"*\"},{\"Sid\":\"No\",\"Effect\":\"Deny\","
		"\"Action\":\"s3:*\",\"Resource\":\"*\""), POLICY_SCP,
			"arn:aws:organizations::987654321098:policy/o-a/service_control_policy/p-b");
	const struct policy *list[] = {deny};
	struct policy_list level = {list, 1};
	s.scps = (struct policy_levels){&level, 1};
	CHECK(!policy_evaluate(&arena, &r, &s, &d));
	CHECK(d.outcome == POLICY_DENIED_EXPLICITLY && d.by == POLICY_SCP && d.statement == 1 && d.policy == deny);
	CHECK_STR(policy_sid(d.policy, d.statement), STR("No"));
	CHECK_STR(policy_denial(&arena, &r, &d, false),
		STR("User: arn:aws:iam::123456789012:user/JohnDoe is not authorized to perform: "
		"s3:GetObject on resource: arn:aws:s3:::b/k with an explicit deny in a service control policy: "
		"arn:aws:organizations::987654321098:policy/o-a/service_control_policy/p-b"));
	s.scps.n = 0;
	s.identity = level;
	CHECK(!policy_evaluate(&arena, &r, &s, &d));
	CHECK(str_find(policy_denial(&arena, &r, &d, false),
		STR("with an explicit deny in an identity-based policy")) > 0);
	s.identity.n = 0;
	s.has_boundary = true;
	s.boundary = level;
	r.action = STR("ec2:RunInstances");
	CHECK(!policy_evaluate(&arena, &r, &s, &d));
	s.identity = level;
	CHECK(policy_evaluate(&arena, &r, &s, &d));
	CHECK(d.statement == 0);
	s.boundary.n = 0;
	CHECK(!policy_evaluate(&arena, &r, &s, &d));
	CHECK(str_ends(policy_denial(&arena, &r, &d, false),
		STR("because no permissions boundary allows the ec2:RunInstances action")));
	policy_free(deny);
	CHECK(policy_arn_matches(STR("arn:aws:s3:::b/*"), STR("arn:aws:s3:::b/x")));
	CHECK(!policy_arn_matches(STR("arn:aws:s3:::b/*"), STR("arn:aws:s3:::c/x")));
}

TEST(no_resources_no_permission)
{
	struct policy_principal who = {.kind = POLICY_CALLER_ROOT, .account = STR("123456789012"),
		.arn = STR("arn:aws:iam::123456789012:root")};
	struct policy_request r = {.principal = &who, .action = STR("s3:GetObject")};
	struct policy_subject s = {0};
	struct policy_decision d;
	CHECK(!policy_evaluate(&arena, &r, &s, &d));
}

TEST_MAIN()
