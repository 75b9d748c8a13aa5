/* What routing, decoding and encoding cost: nanoseconds per message, with yajl's parser over the same bytes in the same
 * run. bench_wire [seconds per line, 0.3] [only lines whose name holds this] */
#include "dynamodb.h"
#include "s3.h"
#include "sqs.h"
#include "wire/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <yajl/yajl_parse.h>
#include <yajl/yajl_tree.h>

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct job {
	struct arena arena;
	struct wire_request r;
	struct wire_match m;
	const void *out;
	size_t bytes; /* of the last message */
};

static const char *only;

static double line(const char *name, struct job *j, void (*run)(struct job *), double limit)
{
	double start = seconds(), best = 1e9, now = start;
	run(j); /* a route leaves its match for what follows */
	if (only && !strstr(name, only)) return 0;
	do {
		double began = now;
		for (int i = 0; i < 20; i++) {
			run(j);
			arena_reset(&j->arena);
		}
		now = seconds();
		if (now - began < best) best = now - began;
	} while (now - start < limit);
	double ns = best / 20 * 1e9;
	printf("%-44s %10.0f ns %8zu bytes %8.0f MB/s\n", name, ns, j->bytes, (double)j->bytes / ns * 1e3);
	return ns;
}

static void route(struct job *j)
{
	struct wire_failure why;
	if (!is_ok(wire_route(&j->arena, &j->r, &j->m, &why))) abort();
	j->bytes = j->r.path.n + j->r.query.n;
}
static void decode(struct job *j)
{
	struct wire_failure why;
	void *in = arena_alloc(&j->arena, j->m.service->tables.shapes[j->m.op->in].size);
	if (!is_ok(wire_decode(&j->arena, &j->m, &j->r, in, &why))) abort();
	j->bytes = j->r.body.n;
}
static void decode_and_validate(struct job *j)
{
	struct wire_failure why;
	void *in = arena_alloc(&j->arena, j->m.service->tables.shapes[j->m.op->in].size);
	if (!is_ok(wire_decode(&j->arena, &j->m, &j->r, in, &why)) || !is_ok(wire_validate(&j->arena, &j->m, in, &why)))
		abort();
	j->bytes = j->r.body.n;
}
static void encode(struct job *j)
{
	struct wire_response r;
	wire_encode(&j->arena, &j->m, j->out, STR("4442587FB7D0A2F9"), &r);
	j->bytes = r.body.n;
}

static int on_null(void *c)
{
	return c != NULL;
}
static int on_bool(void *c, int v)
{
	return (void)v, c != NULL;
}
static int on_number(void *c, const char *p, size_t n)
{
	return (void)p, (void)n, c != NULL;
}
static int on_string(void *c, const unsigned char *p, size_t n)
{
	return (void)p, (void)n, c != NULL;
}
static const yajl_callbacks nothing = {
	on_null, on_bool, NULL, NULL, on_number, on_string, on_null, on_string, on_null, on_null, on_null};

/* Only tokens: no values are kept, no names looked up. */
static void yajl_events(struct job *j)
{
	yajl_handle h = yajl_alloc(&nothing, NULL, j);
	if (yajl_parse(h, (const unsigned char *)j->r.body.p, j->r.body.n) != yajl_status_ok ||
		yajl_complete_parse(h) != yajl_status_ok)
		abort();
	yajl_free(h);
	j->bytes = j->r.body.n;
}
static void yajl_tree(struct job *j)
{
	char error[100];
	yajl_val v = yajl_tree_parse(j->r.body.p, error, sizeof error);
	if (!v) abort();
	yajl_tree_free(v);
	j->bytes = j->r.body.n;
}

static struct str put_item(struct arena *a, size_t attributes)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "{\"TableName\":\"orders\",\"Item\":{");
	for (size_t i = 0; i < attributes; i++) {
		if (i) buf_byte(&b, ',');
		if (i % 3 == 0)
			buf_fmt(&b, "\"attribute%zu\":{\"S\":\"a value of a common length, %zu\"}", i, i);
		else if (i % 3 == 1)
			buf_fmt(&b, "\"attribute%zu\":{\"N\":\"%zu\"}", i, i * 7919);
		else
			buf_fmt(&b,
				"\"attribute%zu\":{\"M\":{\"street\":{\"S\":\"Main \\\"Road\\\" "
				"%zu\"},\"list\":{\"L\":[{\"N\":\"1\"},{\"BOOL\":true}]}}}",
				i, i);
	}
	buf_lit(&b, "},\"ConditionExpression\":\"attribute_not_exists(pk)\",\"ReturnValues\":\"NONE\"}");
	buf_byte(&b, 0); /* yajl_tree wants a C string */
	return (struct str){b.p, b.n - 1};
}

static void json(const char *name, struct job *j, const struct wire_service *s, const char *target, struct str body,
	double limit)
{
	char label[100];
	static struct wire_header headers[2];
	headers[0] = (struct wire_header){STR("X-Amz-Target"), str_c(target)};
	headers[1] = (struct wire_header){STR("Content-Type"), STR("application/x-amz-json-1.0")};
	j->r = (struct wire_request){.method = STR("POST"),
		.path = STR("/"),
		.headers = headers,
		.n_headers = 2,
		.host = STR("localhost:4566"),
		.signing_name = str_c(s->signing_name),
		.body = body};
	snprintf(label, sizeof label, "%s route", name);
	line(label, j, route, limit);
	snprintf(label, sizeof label, "%s decode", name);
	double ours = line(label, j, decode, limit);
	snprintf(label, sizeof label, "%s decode and validate", name);
	line(label, j, decode_and_validate, limit);
	snprintf(label, sizeof label, "%s yajl, tokens only", name);
	double tokens = line(label, j, yajl_events, limit);
	snprintf(label, sizeof label, "%s yajl, tree", name);
	double tree = line(label, j, yajl_tree, limit);
	if (!only) printf("    %.1f times yajl's tokens, %.1f times yajl's tree\n", tokens / ours, tree / ours);
}

int main(int argc, char **argv)
{
	double limit = argc > 1 ? atof(argv[1]) : 0.3;
	only = argc > 2 ? argv[2] : NULL;
	struct job j = {0};
	struct arena keep;
	arena_init(&j.arena);
	arena_init(&keep);

	struct wire_header headers[] = {{STR("Host"), STR("localhost:4566")}, {STR("User-Agent"), STR("aws-cli/2")},
		{STR("Content-Length"), STR("5")}, {STR("X-Amz-Date"), STR("20260101T000000Z")},
		{STR("X-Amz-Content-SHA256"), STR("UNSIGNED-PAYLOAD")},
		{STR("Authorization"), STR("AWS4-HMAC-SHA256 …")}};
	j.r = (struct wire_request){.method = STR("PUT"),
		.path = STR("/bucket/some/key/of/an/object.txt"),
		.host = STR("localhost:4566"),
		.signing_name = STR("s3"),
		.headers = headers,
		.n_headers = 6,
		.body = STR("")};
	line("S3 PutObject route", &j, route, limit);
	line("S3 PutObject decode", &j, decode, limit);
	j.r.method = STR("GET");
	line("S3 GetObject route", &j, route, limit);
	j.r.path = STR("/bucket");
	j.r.query = STR("list-type=2&prefix=photos%2F&delimiter=%2F&encoding-type=url");
	line("S3 ListObjectsV2 route", &j, route, limit);
	line("S3 ListObjectsV2 decode", &j, decode, limit);

	struct s3_object *objects = arena_new_n(&keep, struct s3_object, 1000);
	for (size_t i = 0; i < 1000; i++)
		objects[i] = (struct s3_object){.key = str_fmt(&keep, "photos/2026/image-%06zu.jpeg", i),
			.last_modified = SOME_TIME(1767225600000 + (int64_t)i * 1000),
			.e_tag = STR("\"d41d8cd98f00b204e9800998ecf8427e\""),
			.size = SOME_I64((int64_t)i * 4099),
			.storage_class = STR("STANDARD")};
	struct s3_list_objects_v2_output list = {.name = STR("bucket"),
		.prefix = STR("photos/"),
		.key_count = SOME_I32(1000),
		.max_keys = SOME_I32(1000),
		.is_truncated = SOME_BOOL(false),
		.contents = {objects, 1000}};
	j.out = &list;
	line("S3 ListObjectsV2 encode (1,000 keys)", &j, encode, limit);

	json("DynamoDB PutItem (9 attributes)", &j, &wire_service_dynamodb, "DynamoDB_20120810.PutItem",
		put_item(&keep, 9), limit);
	json("DynamoDB PutItem (900 attributes)", &j, &wire_service_dynamodb, "DynamoDB_20120810.PutItem",
		put_item(&keep, 900), limit);
	json("SQS SendMessage", &j, &wire_service_sqs, "AmazonSQS.SendMessage",
		STR("{\"QueueUrl\":\"http://localhost:4566/000000000000/"
		    "queue\",\"MessageBody\":\"{\\\"order\\\":17,\\\"items\\\":[1,2,3]}\",\"DelaySeconds\":0,"
		    "\"MessageAttributes\":{\"trace\":{\"DataType\":\"String\",\"StringValue\":\"1-5759e988-"
		    "bd862e3fe1be46a994272793\"}}}"),
		limit);
	struct sqs_send_message_result sent = {.message_id = STR("2c8a7b5e-8f0a-4d8e-9a3c-1f2d3e4c5b6a"),
		.md5_of_message_body = STR("d41d8cd98f00b204e9800998ecf8427e")};
	j.out = &sent;
	line("SQS SendMessage encode", &j, encode, limit);

	struct wire_header form[] = {{STR("Content-Type"), STR("application/x-www-form-urlencoded")}};
	j.r = (struct wire_request){.method = STR("POST"),
		.path = STR("/"),
		.host = STR("localhost"),
		.signing_name = STR("ec2"),
		.headers = form,
		.n_headers = 1,
		.body = STR("Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3AName&Filter.1.Value.1=web&"
			    "Filter.1.Value.2=db&MaxResults=100")};
	line("EC2 DescribeInstances route", &j, route, limit);
	line("EC2 DescribeInstances decode", &j, decode, limit);
	j.r.signing_name = STR("lambda");
	j.r.path = STR("/2015-03-31/functions/my-function/invocations");
	j.r.headers = NULL;
	j.r.n_headers = 0;
	j.r.body = STR("");
	line("Lambda Invoke route", &j, route, limit);
	arena_cleanup(&keep);
	arena_cleanup(&j.arena);
	return 0;
}
