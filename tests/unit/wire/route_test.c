/* Which operation a request means: one sample per protocol and per oddity, then every operation of every service. */
#include "base/buf.h"
#include "test.h"
#include "wire/internal.h"

static struct arena arena;

static struct wire_match route(struct wire_request r, struct wire_failure *why)
{
	struct wire_match m;
	*why = (struct wire_failure){0};
	if (!r.body.p) r.body = STR("");
	if (!r.host.p) r.host = STR("localhost:4566");
	if (!is_ok(wire_route(&arena, &r, &m, why))) m.op = NULL;
	return m;
}
static const char *name_of(struct wire_request r)
{
	struct wire_failure why;
	struct wire_match m = route(r, &why);
	if (!m.op) return str_z(&arena, str_fmt(&arena, "error %d", why.id));
	return str_z(
		&arena, str_fmt(&arena, "%s.%.*s", m.service->name, STR_ARG(wire_str(&m.service->tables, m.op->name))));
}
#define CHECK_ROUTE(want, ...) CHECK_STR(str_c(name_of((struct wire_request){__VA_ARGS__})), STR(want))
#define HEADERS(...)                                                                                                   \
	.headers = (struct wire_header[]){__VA_ARGS__},                                                                \
	.n_headers = sizeof((struct wire_header[]){__VA_ARGS__}) / sizeof(struct wire_header)
#define S3 .signing_name = STR("s3")
#define FORM                                                                                                           \
	{                                                                                                              \
		STR("content-type"), STR("application/x-www-form-urlencoded; charset=utf-8")                           \
	}

TEST(s3_is_told_by_sub_resources)
{
	CHECK_ROUTE("s3.ListBuckets", S3, .method = STR("GET"), .path = STR("/"));
	CHECK_ROUTE("s3.ListObjects", S3, .method = STR("GET"), .path = STR("/b"));
	CHECK_ROUTE("s3.ListObjects", S3, .method = STR("GET"), .path = STR("/b/"),
		.query = STR("prefix=a%2F&delimiter=/"));
	CHECK_ROUTE(
		"s3.ListObjectsV2", S3, .method = STR("GET"), .path = STR("/b"), .query = STR("list-type=2&prefix=x"));
	CHECK_ROUTE("s3.CreateBucket", S3, .method = STR("PUT"), .path = STR("/b/"));
	CHECK_ROUTE("s3.HeadBucket", S3, .method = STR("HEAD"), .path = STR("/b"));
	CHECK_ROUTE(
		"s3.PutObject", S3, .method = STR("PUT"), .path = STR("/b/a/b%20c"), .query = STR("x-id=PutObject"));
	CHECK_ROUTE("s3.GetObject", S3, .method = STR("GET"), .path = STR("/b//k"),
		.query = STR("x-id=GetObject&partNumber=1"));
	CHECK_ROUTE("s3.GetObjectTagging", S3, .method = STR("GET"), .path = STR("/b/k"), .query = STR("tagging"));
	CHECK_ROUTE("s3.GetBucketTagging", S3, .method = STR("GET"), .path = STR("/b"), .query = STR("tagging="));
	CHECK_ROUTE("s3.GetBucketLocation", S3, .method = STR("GET"), .path = STR("/b"), .query = STR("location"));
	CHECK_ROUTE(
		"s3.CreateMultipartUpload", S3, .method = STR("POST"), .path = STR("/b/k"), .query = STR("uploads"));
	CHECK_ROUTE("s3.CompleteMultipartUpload", S3, .method = STR("POST"), .path = STR("/b/k"),
		.query = STR("uploadId=u"));
	CHECK_ROUTE("s3.UploadPart", S3, .method = STR("PUT"), .path = STR("/b/k"),
		.query = STR("partNumber=1&uploadId=u"));
	CHECK_ROUTE("s3.ListParts", S3, .method = STR("GET"), .path = STR("/b/k"), .query = STR("uploadId=u"));
	CHECK_ROUTE("s3.AbortMultipartUpload", S3, .method = STR("DELETE"), .path = STR("/b/k"),
		.query = STR("uploadId=u"));
	CHECK_ROUTE("s3.DeleteObject", S3, .method = STR("DELETE"), .path = STR("/b/k"), .query = STR("versionId=v"));
	CHECK_ROUTE("s3.DeleteObjects", S3, .method = STR("POST"), .path = STR("/b"), .query = STR("delete"));
	CHECK_ROUTE("s3.ListMultipartUploads", S3, .method = STR("GET"), .path = STR("/b"), .query = STR("uploads"));
	CHECK_ROUTE("s3.ListObjectVersions", S3, .method = STR("GET"), .path = STR("/b"), .query = STR("versions"));
	CHECK_ROUTE("s3.GetBucketMetricsConfiguration", S3, .method = STR("GET"), .path = STR("/b"),
		.query = STR("metrics&id=1"));
	CHECK_ROUTE("s3.ListBucketMetricsConfigurations", S3, .method = STR("GET"), .path = STR("/b"),
		.query = STR("metrics"));
	CHECK_ROUTE("s3.GetBucketLifecycleConfiguration", S3, .method = STR("GET"), .path = STR("/b"),
		.query = STR("lifecycle"));
	CHECK_ROUTE("s3.GetBucketNotificationConfiguration", S3, .method = STR("GET"), .path = STR("/b"),
		.query = STR("notification"));
}

TEST(copies_are_told_by_their_header)
{
	CHECK_ROUTE("s3.CopyObject", S3, .method = STR("PUT"), .path = STR("/b/k"),
		HEADERS({STR("X-Amz-Copy-Source"), STR("/b/o")}));
	CHECK_ROUTE("s3.UploadPartCopy", S3, .method = STR("PUT"), .path = STR("/b/k"),
		.query = STR("uploadId=u&partNumber=2"), HEADERS({STR("x-amz-copy-source"), STR("b/o")}));
}

TEST(labels_stay_encoded)
{
	struct wire_failure why;
	struct wire_match m =
		route((struct wire_request){S3, .method = STR("GET"), .path = STR("/b/a%2Fb/c d//")}, &why);
	CHECK(m.op && m.n_labels == 2);
	CHECK_STR(m.labels[0].value, STR("b"));
	CHECK_STR(m.labels[1].value, STR("a%2Fb/c d//"));
}

TEST(unsigned_requests_are_s3s)
{
	CHECK_ROUTE("s3.GetObject", .method = STR("GET"), .path = STR("/b/k"));
	CHECK_ROUTE("s3.ListBuckets", .method = STR("GET"), .path = STR("/"));
	struct wire_failure why;
	struct wire_match m = route((struct wire_request){.method = STR("POST"),
					    .path = STR("/b"),
					    HEADERS({STR("Content-Type"), STR("multipart/form-data; boundary=x")})},
		&why);
	CHECK(!m.op && m.service && strcmp(m.service->name, "s3") == 0);
}

TEST(query_services_are_told_by_signature_version_and_action)
{
	CHECK_ROUTE("sts.GetCallerIdentity", .signing_name = STR("sts"), .method = STR("POST"), .path = STR("/"),
		HEADERS(FORM), .body = STR("Action=GetCallerIdentity&Version=2011-06-15"));
	CHECK_ROUTE("sts.AssumeRoleWithWebIdentity", .method = STR("POST"), .path = STR("/"), HEADERS(FORM),
		.body = STR("Version=2011-06-15&Action=AssumeRoleWithWebIdentity"));
	CHECK_ROUTE("iam.ListUsers", .signing_name = STR("iam"), .method = STR("GET"), .path = STR("/"),
		.query = STR("Action=ListUsers&Version=2010-05-08"));
	CHECK_ROUTE("elb.DescribeLoadBalancers", .signing_name = STR("elasticloadbalancing"), .method = STR("POST"),
		.path = STR("/"), HEADERS(FORM), .body = STR("Action=DescribeLoadBalancers&Version=2012-06-01"));
	CHECK_ROUTE("elbv2.DescribeLoadBalancers", .signing_name = STR("elasticloadbalancing"), .method = STR("POST"),
		.path = STR("/"), HEADERS(FORM), .body = STR("Action=DescribeLoadBalancers&Version=2015-12-01"));
	CHECK_ROUTE("ec2.DescribeInstances", .signing_name = STR("ec2"), .method = STR("POST"), .path = STR("/"),
		HEADERS(FORM), .body = STR("Action=DescribeInstances&Version=2016-11-15"));
	CHECK_ROUTE("sqs.SendMessage", .signing_name = STR("sqs"), .method = STR("POST"),
		.path = STR("/000000000000/q"), HEADERS(FORM), .body = STR("Action=SendMessage&MessageBody=x"));
	CHECK_ROUTE("cloudwatch.PutMetricData", .signing_name = STR("monitoring"), .method = STR("POST"),
		.path = STR("/"), HEADERS(FORM), .body = STR("Action=PutMetricData&Version=2010-08-01"));
}

TEST(targets_and_cbor_paths)
{
	CHECK_ROUTE("dynamodb.PutItem", .signing_name = STR("dynamodb"), .method = STR("POST"), .path = STR("/"),
		HEADERS({STR("X-Amz-Target"), STR("DynamoDB_20120810.PutItem")}));
	CHECK_ROUTE("dynamodbstreams.GetRecords", .signing_name = STR("dynamodb"), .method = STR("POST"),
		.path = STR("/"), HEADERS({STR("x-amz-target"), STR("DynamoDBStreams_20120810.GetRecords")}));
	CHECK_ROUTE("sqs.SendMessage", .signing_name = STR("sqs"), .method = STR("POST"), .path = STR("/"),
		HEADERS({STR("X-Amz-Target"), STR("AmazonSQS.SendMessage")}));
	CHECK_ROUTE("cloudtrail.LookupEvents", .signing_name = STR("cloudtrail"), .method = STR("POST"),
		.path = STR("/"),
		HEADERS({STR("X-Amz-Target"),
			STR("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents")}));
	CHECK_ROUTE("cloudwatch.PutMetricData", .signing_name = STR("monitoring"), .method = STR("POST"),
		.path = STR("/service/GraniteServiceVersion20100801/operation/PutMetricData"),
		HEADERS({STR("smithy-protocol"), STR("rpc-v2-cbor")}));
}

TEST(rest_json_by_template)
{
	CHECK_ROUTE("lambda.Invoke", .signing_name = STR("lambda"), .method = STR("POST"),
		.path = STR("/2015-03-31/functions/f/invocations"));
	CHECK_ROUTE("lambda.GetProvisionedConcurrencyConfig", .signing_name = STR("lambda"), .method = STR("GET"),
		.path = STR("/2019-09-30/functions/f/provisioned-concurrency"), .query = STR("Qualifier=1"));
	CHECK_ROUTE("lambda.ListProvisionedConcurrencyConfigs", .signing_name = STR("lambda"), .method = STR("GET"),
		.path = STR("/2019-09-30/functions/f/provisioned-concurrency"), .query = STR("List=ALL"));
	CHECK_ROUTE("apigateway.GetRestApis", .signing_name = STR("apigateway"), .method = STR("GET"),
		.path = STR("/restapis"));
	CHECK_ROUTE("apigatewayv2.GetApis", .signing_name = STR("apigateway"), .method = STR("GET"),
		.path = STR("/v2/apis"));
	CHECK_ROUTE("route53.ListHostedZones", .signing_name = STR("route53"), .method = STR("GET"),
		.path = STR("/2013-04-01/hostedzone"));
	CHECK_ROUTE("s3control.GetPublicAccessBlock", S3, .method = STR("GET"),
		.path = STR("/v20180820/configuration/publicAccessBlock"),
		HEADERS({STR("x-amz-account-id"), STR("000000000000")}));
}

TEST(unknown_ones_say_so)
{
	struct wire_failure why;
	struct wire_match m = route((struct wire_request){.signing_name = STR("sts"),
					    .method = STR("POST"),
					    .path = STR("/"),
					    HEADERS(FORM),
					    .body = STR("Action=Nonsense&Version=2011-06-15")},
		&why);
	CHECK(!m.op && why.id == ERR_UNKNOWN_OPERATION && m.service && m.protocol == WIRE_QUERY);
	CHECK_STR(m.op_name, STR("Nonsense"));
	m = route((struct wire_request){.signing_name = STR("nosuch"), .method = STR("GET"), .path = STR("/x")}, &why);
	CHECK(!m.op && why.id == ERR_UNKNOWN_SERVICE && !m.service);
	m = route((struct wire_request){.signing_name = STR("dynamodb"),
			  .method = STR("POST"),
			  .path = STR("/"),
			  HEADERS({STR("X-Amz-Target"), STR("DynamoDB_20120810.Nope")})},
		&why);
	CHECK(!m.op && why.id == ERR_UNKNOWN_OPERATION && m.protocol == WIRE_JSON10);
}

TEST(hosts)
{
	struct {
		const char *host, *bucket, *service, *region;
		bool website;
	} cases[] = {
		{"localhost:4566", NULL, NULL, NULL, false},
		{"127.0.0.1:4566", NULL, NULL, NULL, false},
		{"[::1]:4566", NULL, NULL, NULL, false},
		{"s3.localhost:4566", NULL, "s3", NULL, false},
		{"bucket.s3.localhost:4566", "bucket", "s3", NULL, false},
		{"my.dotted.s3.bucket.s3.us-east-1.localhost.localstack.cloud", "my.dotted.s3.bucket", "s3",
			"us-east-1", false},
		{"b.s3.dualstack.eu-west-1.amazonaws.com", "b", "s3", "eu-west-1", false},
		{"b.s3-us-west-2.amazonaws.com", "b", "s3", "us-west-2", false},
		{"b.s3-website.eu-west-1.localhost", "b", "s3", "eu-west-1", true},
		{"b.s3-website-us-east-1.amazonaws.com", "b", "s3", "us-east-1", true},
		{"000000000000.s3-control.us-east-1.localhost:4566", NULL, "s3-control", "us-east-1", false},
		{"sqs.eu-central-1.amazonaws.com", NULL, "sqs", "eu-central-1", false},
		{"api.ecr.us-east-1.amazonaws.com", NULL, "api.ecr", "us-east-1", false},
		{"streams.dynamodb.us-east-1.amazonaws.com", NULL, "streams.dynamodb", "us-east-1", false},
		{"abc123.execute-api.us-east-1.localhost:4566", NULL, "execute-api", "us-east-1", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wire_host h = wire_read_host(str_c(cases[i].host));
		CHECK_STR(h.bucket, str_c(cases[i].bucket));
		CHECK_STR(h.service, str_c(cases[i].service));
		CHECK_STR(h.region, str_c(cases[i].region));
		CHECK(h.website == cases[i].website);
	}
}

/* ── every operation finds itself ── */
/* A path and query string that the operation's template and required members ask for. */
static void sample(
	const struct wire_service *s, const struct wire_op *op, struct wire_request *r, struct wire_header *headers)
{
	static const struct str methods[] = {
		STR("GET"), STR("PUT"), STR("POST"), STR("DELETE"), STR("HEAD"), STR("PATCH"), STR("OPTIONS")};
	const struct wire_tables *t = &s->tables;
	struct str uri = wire_str(t, op->uri), query = uri, path = str_cut(&query, '?');
	struct buf p = BUF_IN(&arena), q = BUF_IN(&arena);
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] != '{') {
			buf_byte(&p, path.p[i]);
			continue;
		}
		buf_lit(&p, "some-value");
		while (path.p[i] != '}') i++;
	}
	if (str_has(query)) buf_str(&q, query);
	const struct wire_shape *in = op->in == WIRE_NO_SHAPE ? NULL : &t->shapes[op->in];
	for (uint32_t i = 0; in && i < in->count; i++) {
		const struct wire_member *m = &t->members[in->first + i];
		if (!(m->bits & WIRE_M_REQUIRED)) continue;
		if (WIRE_LOCATION(m) == WIRE_IN_QUERY)
			buf_fmt(&q, "%s%.*s=v", q.n ? "&" : "", STR_ARG(wire_str(t, m->wire_name)));
		else if (WIRE_LOCATION(m) == WIRE_IN_HEADER)
			headers[r->n_headers++] = (struct wire_header){wire_str(t, m->wire_name), STR("v")};
	}
	r->path = buf_done(&p);
	r->query = q.n ? buf_done(&q) : STR_NONE;
	r->method = methods[op->method];
	r->headers = headers;
}

TEST(every_operation_routes_to_itself)
{
	size_t checked = 0, lost = 0;
	/* Told by the host alone (s3express-control), and otherwise the same as ListBuckets. */
	static const char *const twins[] = {"s3.ListDirectoryBuckets", "s3.GetBucketLifecycle",
		"s3.GetBucketNotification", "s3.PutBucketLifecycle", "s3.PutBucketNotification"};
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_service *s = wire_services[i];
		for (uint32_t k = 0; k < s->tables.n_ops; k++)
			for (uint32_t protocol = 1; protocol <= WIRE_CBOR; protocol <<= 1) {
				if (!(s->protocols & protocol)) continue;
				const struct wire_op *op = &s->tables.ops[k];
				struct str name = wire_str(&s->tables, op->name);
				struct wire_header headers[40];
				struct wire_request r = {.method = STR("POST"),
					.path = STR("/"),
					.headers = headers,
					.body = STR(""),
					.host = STR("localhost"),
					.signing_name = str_c(s->signing_name)};
				if (protocol & (WIRE_QUERY | WIRE_EC2)) {
					headers[r.n_headers++] = (struct wire_header)FORM;
					r.body = str_fmt(
						&arena, "Action=%.*s&Version=%s", STR_ARG(name), s->api_version);
				} else if (protocol & (WIRE_JSON10 | WIRE_JSON11)) {
					headers[r.n_headers++] = (struct wire_header){STR("X-Amz-Target"),
						str_fmt(&arena, "%s.%.*s", s->target_prefix, STR_ARG(name))};
					headers[r.n_headers++] = (struct wire_header){STR("Content-Type"),
						protocol == WIRE_JSON10 ? STR("application/x-amz-json-1.0")
									: STR("application/x-amz-json-1.1")};
				} else if (protocol == WIRE_CBOR) {
					headers[r.n_headers++] =
						(struct wire_header){STR("Smithy-Protocol"), STR("rpc-v2-cbor")};
					r.path = str_fmt(
						&arena, "/service/%s/operation/%.*s", s->target_prefix, STR_ARG(name));
				} else {
					sample(s, op, &r, headers);
				}
				struct str want = str_fmt(&arena, "%s.%.*s", s->name, STR_ARG(name));
				bool twin = false;
				for (size_t w = 0; w < sizeof twins / sizeof *twins; w++)
					twin |= str_eq(want, str_c(twins[w]));
				struct wire_failure why;
				struct wire_match m = route(r, &why);
				checked++;
				if (str_is(want, "s3control.CreateBucket"))
					continue; /* S3 on Outposts, told by its host alone */
				if (twin) {
					CHECK(m.op && m.service == s);
				} else if (!m.op || m.service != s || m.op != op || m.op_index != k ||
					   m.protocol != protocol) {
					lost++;
					fprintf(stderr, "%.*s (%.*s %.*s?%.*s) became %s\n", STR_ARG(want),
						STR_ARG(r.method), STR_ARG(r.path), STR_ARG(r.query), name_of(r));
				}
				arena_reset(&arena);
			}
	}
	printf("%zu operations and protocols routed, %zu lost\n", checked, lost);
	CHECK(checked > 5000);
	CHECK(lost == 0);
}

__attribute__((constructor)) static void set_up(void)
{
	arena_init(&arena);
}
TEST_MAIN()
