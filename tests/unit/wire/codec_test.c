/* What single messages look like on the wire: requests that AWS's clients send, and responses byte for byte. */
#include "ec2.h"
#include "s3.h"
#include "sqs.h"
#include "sts.h"
#include "test.h"
#include "wire/internal.h"

static struct arena arena;
__attribute__((constructor)) static void set_up(void)
{
	arena_init(&arena);
}

static struct wire_match match_of(const struct wire_service *s, const char *op, enum wire_protocol protocol)
{
	struct wire_match m = {.service = s, .op = wire_op_find(&s->tables, str_c(op)), .protocol = protocol};
	INVARIANT(m.op);
	m.op_index = (uint32_t)(m.op - s->tables.ops);
	return m;
}
static struct wire_response encode(const struct wire_match *m, const void *out)
{
	struct wire_response r;
	wire_encode(&arena, m, out, STR("req-1"), &r);
	return r;
}
static struct wire_response encode_error(const struct wire_match *m, error_id id, const char *message)
{
	struct wire_response r;
	struct wire_failure why = {.id = id, .message = str_c(message)};
	wire_encode_error(&arena, m, &why, STR("req-1"), &r);
	return r;
}
static struct str header(const struct wire_response *r, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_ieq(r->headers[i].name, str_c(name))) return r->headers[i].value;
	for (size_t i = 0; i < r->n_prefixed; i++)
		if (str_ieq(r->prefixed[i].name, str_c(name))) return r->prefixed[i].value;
	return STR_NONE;
}
static error_id own(const struct wire_service *s, const char *name)
{
	for (uint32_t i = 0; i < s->tables.n_errors; i++)
		if (str_eq(wire_str(&s->tables, s->tables.errors[i].name), str_c(name)))
			return (error_id)(WIRE_ERR_SERVICE + i);
	return ERR_NONE;
}

TEST(s3_list)
{
	struct wire_match m = match_of(&wire_service_s3, "ListObjectsV2", WIRE_REST_XML);
	struct s3_object objects[] = {{.key = STR("a&b\x01\r"),
		.last_modified = SOME_TIME(1255371012000),
		.e_tag = STR("\"e\""),
		.size = SOME_I64(5),
		.storage_class = STR("STANDARD")}};
	struct s3_common_prefix prefixes[] = {{.prefix = STR("p/")}, {.prefix = STR("q/")}};
	struct s3_list_objects_v2_output out = {.name = STR("b"),
		.prefix = STR(""),
		.is_truncated = SOME_BOOL(false),
		.contents = {objects, 1},
		.common_prefixes = {prefixes, 2}};
	struct wire_response r = encode(&m, &out);
	CHECK(r.code == 200);
	CHECK_STR(header(&r, "content-type"), STR("application/xml"));
	CHECK_STR(header(&r, "x-amz-request-id"), STR("req-1"));
	CHECK_STR(r.body,
		STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
		    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		    "<IsTruncated>false</IsTruncated><Contents><Key>a&amp;b&#x1;&#13;</"
		    "Key><LastModified>2009-10-12T18:10:12.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
		    "<Size>5</Size><StorageClass>STANDARD</StorageClass></Contents><Name>b</Name><Prefix></Prefix>"
		    "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>q/</Prefix></"
		    "CommonPrefixes></ListBucketResult>"));
}

TEST(s3_location)
{
	struct wire_match m = match_of(&wire_service_s3, "GetBucketLocation", WIRE_REST_XML);
	struct s3_get_bucket_location_output out = {.location_constraint = STR("eu-west-1")}, none = {0};
	CHECK(str_ends(encode(&m, &out).body,
		STR("<LocationConstraint "
		    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">eu-west-1</LocationConstraint>")));
	CHECK(str_ends(encode(&m, &none).body,
		STR("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>")));
}

TEST(s3_object_headers)
{
	struct wire_match m = match_of(&wire_service_s3, "GetObject", WIRE_REST_XML);
	struct s3_metadata_entry meta[] = {{STR("color"), STR("red\r\nSet-Cookie: x")}};
	int body;
	struct s3_get_object_output out = {.body = (void *)&body,
		.content_type = STR("text/html"),
		.e_tag = STR("\"e\""),
		.content_length = SOME_I64(7),
		.last_modified = SOME_TIME(1255371012000),
		.metadata = {meta, 1}};
	struct wire_response r = encode(&m, &out);
	CHECK(r.stream == &body && r.body.n == 0);
	CHECK_STR(header(&r, "Content-Type"), STR("text/html"));
	CHECK_STR(header(&r, "Last-Modified"), STR("Mon, 12 Oct 2009 18:10:12 GMT"));
	CHECK_STR(header(&r, "x-amz-meta-color"), STR("red  Set-Cookie: x"));
	CHECK_STR(header(&r, "Content-Length"), STR("7"));
}

TEST(s3_requests)
{
	struct wire_failure why;
	struct wire_match m;
	struct wire_header headers[] = {{STR("x-amz-meta-Color"), STR("red")}, {STR("Content-Type"), STR("a/b")},
		{STR("If-None-Match"), STR("*")}};
	struct wire_request r = {.method = STR("PUT"),
		.path = STR("/bucket/a%2Fb%20%C3%A9/c"),
		.headers = headers,
		.n_headers = 3,
		.host = STR("localhost"),
		.body = STR("")};
	CHECK_OK(wire_route(&arena, &r, &m, &why));
	struct s3_put_object_request put = {0};
	CHECK_OK(wire_decode(&arena, &m, &r, &put, &why));
	CHECK_STR(put.bucket, STR("bucket"));
	CHECK_STR(put.key, STR("a/b \xc3\xa9/c"));
	CHECK_STR(put.content_type, STR("a/b"));
	CHECK(put.metadata.n == 1 && str_is(put.metadata.v[0].key, "color") && str_is(put.metadata.v[0].value, "red"));

	r = (struct wire_request){.method = STR("POST"),
		.path = STR("/bucket"),
		.query = STR("delete"),
		.host = STR("localhost"),
		.body = STR(
			"<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&lt;</Key></Object>\n "
			"<Object><Key> b </Key><VersionId>v</VersionId></Object><Quiet>true</Quiet></Delete>")};
	CHECK_OK(wire_route(&arena, &r, &m, &why));
	struct s3_delete_objects_request del = {0};
	CHECK_OK(wire_decode(&arena, &m, &r, &del, &why));
	CHECK(del.delete &&del.delete->objects.n == 2 && del.delete->quiet.v);
	CHECK_STR(del.delete->objects.v[0].key, STR("a<"));
	CHECK_STR(del.delete->objects.v[1].key, STR(" b "));
	CHECK_STR(del.delete->objects.v[1].version_id, STR("v"));

	static const struct str bad[] = {STR("<Delete>"), STR("x"),
		STR("<!DOCTYPE a [<!ENTITY e \"x\">]><Delete><Object><Key>&e;</Key></Object></Delete>"),
		STR("<Delete><Quiet>maybe</Quiet></Delete>")};
	for (size_t i = 0; i < 4; i++) {
		struct s3_delete_objects_request into = {0};
		r.body = bad[i];
		CHECK(!is_ok(wire_decode(&arena, &m, &r, &into, &why)) && why.id == ERR_SERIALIZATION);
	}
	struct s3_get_object_request get = {0};
	r = (struct wire_request){
		.method = STR("GET"), .path = STR("/b/%FF"), .host = STR("localhost"), .body = STR("")};
	CHECK_OK(wire_route(&arena, &r, &m, &why));
	CHECK(!is_ok(wire_decode(&arena, &m, &r, &get, &why))); /* not UTF-8 */
}

TEST(sts_response)
{
	struct wire_match m = match_of(&wire_service_sts, "GetCallerIdentity", WIRE_QUERY);
	struct sts_get_caller_identity_response out = {.arn = STR("arn:aws:iam::000000000000:root"),
		.account = STR("000000000000"),
		.user_id = STR("000000000000")};
	CHECK_STR(encode(&m, &out).body, STR("<GetCallerIdentityResponse "
					     "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/"
					     "\"><GetCallerIdentityResult><UserId>000000000000</UserId>"
					     "<Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</"
					     "Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>req-1</"
					     "RequestId></ResponseMetadata></GetCallerIdentityResponse>"));
}

TEST(ec2_both_ways)
{
	struct wire_match m = match_of(&wire_service_ec2, "DescribeInstances", WIRE_EC2);
	struct ec2_describe_instances_request in = {0};
	struct wire_failure why;
	struct wire_request r = {.method = STR("POST"),
		.path = STR("/"),
		.host = STR("localhost"),
		.body = STR(
			"Action=DescribeInstances&Version=2016-11-15&Filter.2.Name=b&Filter.1.Name=a&Filter.1.Value.1="
			"x&Filter.1.Value.10=z&Filter.1.Value.2=y%26&InstanceId.1=i-1&MaxResults=5&DryRun=true")};
	CHECK_OK(wire_decode(&arena, &m, &r, &in, &why));
	CHECK(in.filters.n == 2 && in.instance_ids.n == 1 && in.max_results.v == 5 && in.dry_run.v);
	CHECK_STR(in.filters.v[0].name, STR("a"));
	CHECK(in.filters.v[0].values.n == 3);
	CHECK_STR(in.filters.v[0].values.v[1], STR("y&"));
	CHECK_STR(in.filters.v[0].values.v[2], STR("z"));

	struct ec2_vpc vpcs[] = {
		{.vpc_id = STR("vpc-1"), .cidr_block = STR("10.0.0.0/16"), .tags = {arena_alloc(&arena, 0), 0}}};
	struct ec2_describe_vpcs_result out = {.vpcs = {vpcs, 1}};
	m = match_of(&wire_service_ec2, "DescribeVpcs", WIRE_EC2);
	struct wire_response got = encode(&m, &out);
	CHECK(str_find(got.body, STR("<DescribeVpcsResponse "
				     "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>req-1</"
				     "requestId><vpcSet><item>")) > 0);
	CHECK(str_find(got.body, STR("<tagSet></tagSet>")) > 0 && str_find(got.body, STR("<vpcId>vpc-1</vpcId>")) > 0);
}

TEST(sqs_speaks_query_and_json)
{
	struct wire_match m = match_of(&wire_service_sqs, "SendMessage", WIRE_QUERY);
	struct sqs_send_message_request in = {0};
	struct wire_failure why;
	struct wire_request r = {.method = STR("POST"),
		.path = STR("/000000000000/q"),
		.host = STR("localhost:4566"),
		.body = STR("Action=SendMessage&MessageBody=hi+there&MessageAttribute.1.Name=a&MessageAttribute.1."
			    "Value.DataType=String&MessageAttribute.1.Value.StringValue=v&DelaySeconds=3")};
	CHECK_OK(wire_decode(&arena, &m, &r, &in, &why));
	CHECK_STR(in.queue_url, STR("http://localhost:4566/000000000000/q"));
	CHECK_STR(in.message_body, STR("hi there"));
	CHECK(in.delay_seconds.v == 3 && in.message_attributes.n == 1);
	CHECK_STR(in.message_attributes.v[0].key, STR("a"));
	CHECK_STR(in.message_attributes.v[0].value.string_value, STR("v"));

	struct sqs_message messages[] = {{.message_id = STR("m"), .body = STR("b")}};
	struct sqs_receive_message_result out = {.messages = {messages, 1}};
	m = match_of(&wire_service_sqs, "ReceiveMessage", WIRE_QUERY);
	CHECK(str_find(encode(&m, &out).body, STR("<ReceiveMessageResult><Message><MessageId>m</MessageId><Body>b</"
						  "Body></Message></ReceiveMessageResult>")) > 0);
	m = match_of(&wire_service_sqs, "ReceiveMessage", WIRE_JSON10);
	CHECK_STR(encode(&m, &out).body, STR("{\"Messages\":[{\"MessageId\":\"m\",\"Body\":\"b\"}]}"));
}

TEST(errors_in_each_shape)
{
	struct wire_match m = match_of(&wire_service_s3, "GetObject", WIRE_REST_XML);
	struct wire_response r =
		encode_error(&m, own(&wire_service_s3, "NoSuchKey"), "The specified key does not exist.");
	CHECK(r.code == 404);
	CHECK_STR(r.body,
		STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified "
		    "key does not exist.</Message><RequestId>req-1</RequestId><HostId>cmVxLTE=</HostId></Error>"));
	m = match_of(&wire_service_s3, "HeadObject", WIRE_REST_XML);
	r = encode_error(&m, ERR_ACCESS_DENIED, "no");
	CHECK(r.code == 403 && r.body.n == 0);

	m = match_of(&wire_service_sts, "AssumeRole", WIRE_QUERY);
	r = encode_error(&m, ERR_ACCESS_DENIED, "no <way>");
	CHECK(r.code == 403);
	CHECK_STR(r.body,
		STR("<ErrorResponse "
		    "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</"
		    "Code><Message>no &lt;way&gt;</Message></Error><RequestId>req-1</RequestId></ErrorResponse>"));

	m = match_of(&wire_service_ec2, "RunInstances", WIRE_EC2);
	r = encode_error(&m, ERR_SIGNATURE, "no");
	CHECK(r.code == 401);
	CHECK(str_find(r.body, STR("<Response><Errors><Error><Code>AuthFailure</Code><Message>no</Message></Error></"
				   "Errors><RequestID>req-1</RequestID></Response>")) > 0);

	m = match_of(&wire_service_sqs, "SendMessage", WIRE_JSON10);
	r = encode_error(&m, own(&wire_service_sqs, "QueueDoesNotExist"), "gone");
	CHECK(r.code == 400);
	CHECK_STR(r.body, STR("{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"gone\"}"));
	CHECK_STR(header(&r, "x-amzn-query-error"), STR("AWS.SimpleQueueService.NonExistentQueue;Sender"));
	CHECK_STR(header(&r, "x-amzn-ErrorType"), STR("QueueDoesNotExist"));
	m.protocol = WIRE_QUERY;
	r = encode_error(&m, own(&wire_service_sqs, "QueueDoesNotExist"), "gone");
	CHECK(str_find(r.body, STR("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>")) > 0);

	struct wire_match none = {0};
	r = encode_error(&none, ERR_ACCESS_DENIED, "no");
	CHECK(r.code == 403 && str_find(r.body, STR("<Error><Code>AccessDenied</Code>")) > 0);
	none.protocol = WIRE_JSON11;
	r = encode_error(&none, ERR_UNKNOWN_KEY, "no");
	CHECK(r.code == 400 && str_find(r.body, STR("\"UnrecognizedClientException\"")) > 0);
}

TEST(every_common_error_has_a_code_in_every_family)
{
	static const enum wire_protocol protocols[] = {
		0, WIRE_QUERY, WIRE_EC2, WIRE_JSON10, WIRE_JSON11, WIRE_REST_JSON, WIRE_REST_XML, WIRE_CBOR};
	for (error_id id = ERR_NONE + 1; id < ERR_COMMON_COUNT; id++)
		for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
			struct wire_match m = {.protocol = protocols[i]};
			unsigned http = 0;
			CHECK(wire_error_code(&m, id, &http).n > 0);
			CHECK(http >= 400 && http < 600);
		}
}

TEST(times)
{
	struct {
		const char *text;
		int64_t ms;
	} good[] = {{"2015-01-25T08:00:00Z", 1422172800000}, {"2019-12-16T22:48:18-01:00", 1576540098000},
		{"2000-01-02T20:34:56.123Z", 946845296123}, {"Tue, 29 Apr 2014 18:30:38 GMT", 1398796238000},
		{"Sun, 02 Jan 2000 20:34:56.456 GMT", 946845296456}, {"1398796238", 1398796238000}, {"1.5", 1500},
		{"-1.5", -1500}, {"1.398796238E9", 1398796238000}, {"2020-02-29", 1582934400000},
		{"1969-12-31T23:59:59.999Z", -1}};
	static const char *const bad[] = {"", "x", "2015-13-01T00:00:00Z", "2015-02-29T00:00:00Z",
		"2015-01-25T24:00:00Z", "2015-01-25T08:00:00", "Tue, 29 Foo 2014 18:30:38 GMT", "NaN", "1e300",
		"2015-01-25T08:00:00Zx", "Infinity"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t ms = 0;
		CHECK_OK(wire_time_read(str_c(good[i].text), &ms));
		CHECK(ms == good[i].ms);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t ms;
		if (i == 5) { /* no zone: UTC */
			CHECK_OK(wire_time_read(str_c(bad[i]), &ms));
			continue;
		}
		CHECK(!is_ok(wire_time_read(str_c(bad[i]), &ms)));
	}
	for (int64_t ms = -62135596800000; ms < 253402300800000; ms += 86399999 * 997LL)
		for (int f = WIRE_TIME_ISO8601; f <= WIRE_TIME_UNIX; f++) {
			struct buf b = BUF_IN(&arena);
			int64_t back, want = f == WIRE_TIME_RFC822 ? ms - ((ms % 1000) + 1000) % 1000 : ms;
			wire_time_write(&b, (enum wire_time_format)f, false, ms);
			CHECK(is_ok(wire_time_read(buf_done(&b), &back)) && back == want);
		}
}
TEST_MAIN()
