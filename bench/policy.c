/* The cost of one decision: a request with the usual condition keys against 1,
	10 and 100 policies of 20 statements, where
 * the statement that allows is the last one, so that all are looked at. Prints one line per case. */
#include "policy/provider.h"
#include "s3.h"
#include "base/buf.h"
#include <stdio.h>
#include <time.h>

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const char *const services[] = {"ec2", "sqs", "sns", "dynamodb", "lambda", "iam", "kms", "logs", "rds", "s3"};

/* A document of 20 statements: three actions, two resources and every fourth with a condition. */
static struct policy *make(struct arena *a, bool last)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "{\"Version\":\"2012-10-17\",\"Statement\":[");
	for (int i = 0; i < 20; i++) {
		const char *s = services[i % 10];
		bool grants = last && i == 19;
		buf_fmt(&b, "%s{\"Sid\":\"S%d\",\"Effect\":\"%s\",\"Action\":[\"%s:Get%s\",\"%s:List*\","
			"\"%s:*Tag*\"],", i ? "," : "", i,
			i % 7 == 3 ? "Deny" : "Allow", s, grants ? "*" : "Thing", s, s);
		buf_fmt(&b, "\"Resource\":[\"arn:aws:%s:*:111122223333:other/%d/*\","
			"\"arn:aws:%s:::%s/${aws:username}/*\"]", s, i, s,
			grants ? "bucket" : "nothing");
		if (i % 4 == 3)
			buf_lit(&b, ",\"Condition\":{\"StringLike\":{\"s3:prefix\":[\"home/*\"]},"
				"\"IpAddress\":{\"aws:SourceIp\":\"203.0.113.0/24\"}}");
		buf_lit(&b, "}");
	}
	buf_lit(&b, "]}");
	struct policy *p;
	struct policy_error why;
	struct policy_source source = {.type = POLICY_IDENTITY, .label = STR("bench")};
	int64_t from = now_us();
	status st = policy_parse(buf_done(&b), &source, &p, &why);
	int64_t took = now_us() - from;
	INVARIANT(is_ok(st));
	static bool told;
	if (last && !told) told = true, printf("parse: %zu bytes in %lld us, %zu bytes compiled\n", b.n,
		(long long)took, policy_bytes(p));
	return p;
}

static void measure(size_t n, struct str action, struct str arn, bool expect)
{
	struct arena a;
	arena_init(&a);
	struct policy **v = arena_new_n(&a, struct policy *, n);
	for (size_t i = 0; i < n; i++) v[i] = make(&a, i + 1 == n);
	struct policy_principal who = {.kind = POLICY_CALLER_USER, .account = STR("111122223333"), .name = STR("alice"),
		.user_id = STR("AIDAALICEALICEALICE0"), .arn = STR("arn:aws:iam::111122223333:user/alice")};
	struct policy_context c = POLICY_CONTEXT_IN(&a);
	policy_context_set_principal(&c, &who);
	policy_context_set_now(&c, 1795248000000);
	policy_context_set(&c, STR("aws:SourceIp"), STR("203.0.113.7"));
	policy_context_set(&c, STR("aws:UserAgent"), STR("aws-sdk"));
	policy_context_set(&c, STR("aws:RequestedRegion"), STR("us-east-1"));
	policy_context_set_bool(&c, STR("aws:SecureTransport"), false);
	policy_context_set(&c, STR("s3:prefix"), STR("home/alice"));
	struct policy_resource resource = {.arn = arn};
	struct policy_request r = {&who, action, &resource, 1, &c};
	struct policy_subject s = {.identity = {(const struct policy *const *)v, n}};
	struct policy_decision d;
	long rounds = 2000000 / (long)(n * 4 + 4);
	int64_t best = INT64_MAX;
	for (int repeat = 0; repeat < 5; repeat++) {
		int64_t from = now_us();
		for (long i = 0; i < rounds; i++) INVARIANT(policy_evaluate(&a, &r, &s, &d) == expect);
		int64_t took = now_us() - from;
		if (took < best) best = took;
	}
	printf("%3zu policies x 20 statements, %s: %.3f us\n", n, expect ? "allowed by the last" : "allowed by none",
		(double)best / (double)rounds);
	for (size_t i = 0; i < n; i++) policy_free(v[i]);
	arena_cleanup(&a);
}

/* The whole policy step of a request, without the network: the input's demands, the request's keys,
	the caller's bundle from
 * the cache, the decision. The account has as many policies as callers have in all, ten attached to each. */
static void measure_step(size_t in_account)
{
	struct arena a, scratch;
	arena_init(&a);
	arena_init(&scratch);
	size_t callers = in_account / 10 ? in_account / 10 : 1, each = in_account < 10 ? in_account : 10;
	struct policy_cache *cache = policy_cache_new(callers * 4 + 64);
	struct policy *shared = make(&a, true);
	for (size_t i = 0; i < callers; i++) {
		struct policy_bundle *b = policy_bundle_new(1);
		for (size_t j = 0; j + 1 < each; j++) {
			struct policy *p = make(&a, false);
			policy_bundle_add(b, POLICY_IDENTITY, p);
			policy_free(p);
		}
		policy_bundle_add(b, POLICY_IDENTITY, shared);
		policy_cache_put(cache, str_fmt(&a, "user-%zu", i), b);
		policy_bundle_release(b);
	}
	struct s3_get_object_input in = {.bucket = STR("bucket"), .key = STR("alice/key")};
	struct wire_match m = {.service = &wire_service_s3, .op = &wire_service_s3.tables.ops[S3_OP_GET_OBJECT]};
	struct authz_place place = {STR("aws"), STR("us-east-1"), STR("111122223333"), STR("/bucket/alice/key")};
	struct policy_principal who = {.kind = POLICY_CALLER_USER, .account = STR("111122223333"), .name = STR("alice"),
		.user_id = STR("AIDAALICEALICEALICE0"), .arn = STR("arn:aws:iam::111122223333:user/alice")};
	size_t rounds = 100000;
	int64_t from = now_us();
	for (size_t i = 0; i < rounds; i++) {
		char key[32];
		snprintf(key, sizeof key, "user-%zu", i * 7919 % callers);
		struct policy_bundle *b = policy_cache_get(cache, str_c(key), 1);
		struct authz_demands d;
		struct policy_verdict v;
		struct policy_context c = POLICY_CONTEXT_IN(&scratch);
		authz_demands(&scratch, &m, &in, &place, &d);
		policy_context_set_principal(&c, &who);
		policy_context_set_now(&c, 1795248000000);
		policy_context_set(&c, STR("aws:SourceIp"), STR("203.0.113.7"));
		policy_context_set(&c, STR("aws:RequestedRegion"), STR("us-east-1"));
		policy_context_set_bool(&c, STR("aws:SecureTransport"), false);
		policy_context_set(&c, STR("s3:prefix"), STR("home/alice"));
		authz_request_tags(&scratch, &m, &in, &c);
		INVARIANT(b && policy_authorize(&scratch, &who, b, NULL, &d, &c, true, &v));
		policy_bundle_release(b);
		arena_reset(&scratch);
	}
	printf("%5zu policies in the account, %zu attached: %.3f us for the whole step\n", in_account, each,
		(double)(now_us() - from) / (double)rounds);
	policy_cache_free(cache);
	policy_free(shared);
	arena_cleanup(&a);
	arena_cleanup(&scratch);
}

int main(void)
{
	for (size_t n = 1; n <= 100; n *= 10) {
		measure(n, STR("s3:GetObject"), STR("arn:aws:s3:::bucket/alice/key"), true);
		measure(n, STR("s3:PutObject"), STR("arn:aws:s3:::bucket/alice/key"), false);
	}
	measure_step(1);
	measure_step(100);
	measure_step(10000);
	return 0;
}
