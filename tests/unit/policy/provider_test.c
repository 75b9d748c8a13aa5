/* Bundles, their cache and the library of compiled documents, also from several threads. */
#include "policy/provider.h"
#include "test.h"
#include <pthread.h>

#define ALLOW "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"%s\",\"Resource\":\"*\"}]}"

static struct arena arena;

static struct policy *allow(const char *action, enum policy_type type)
{
	struct policy *p = NULL;
	struct policy_source source = {.type = type, .label = STR("p")};
	CHECK_OK(policy_parse(str_fmt(&arena, ALLOW, action), &source, &p, NULL));
	return p;
}

static bool may(const struct policy_bundle *b, const char *action, struct policy_verdict *v)
{
	struct policy_principal who = {.kind = POLICY_CALLER_ROLE, .account = STR("111122223333"), .name = STR("app"),
		.arn = STR("arn:aws:sts::111122223333:assumed-role/app/s")};
	struct policy_resource r = {.arn = STR("*")};
	struct authz_demand d = {.action = str_c(action), .resources = &r, .n = 1};
	struct authz_demands demands = {&d, 1};
	return policy_authorize(&arena, &who, b, NULL, &demands, NULL, false, v);
}

TEST(bundles)
{
	struct policy_verdict v;
	struct policy *all = allow("*", POLICY_IDENTITY), *s3 = allow("s3:*", POLICY_BOUNDARY),
		*get = allow("s3:Get*", POLICY_SESSION);
	struct policy *scp = allow("*", POLICY_SCP);
	struct policy_bundle *b = policy_bundle_new(7);
	CHECK(!may(NULL, "s3:GetObject", &v) && v.decision.by == POLICY_IDENTITY);
	CHECK(!may(b, "s3:GetObject", &v));
	policy_bundle_add(b, POLICY_IDENTITY, all);
	CHECK(may(b, "ec2:RunInstances", &v));
	policy_bundle_add(b, POLICY_BOUNDARY, s3);
	CHECK(!may(b, "ec2:RunInstances", &v) && v.decision.by == POLICY_BOUNDARY);
	CHECK(may(b, "s3:PutObject", &v));
	policy_bundle_limit(b, POLICY_SESSION);
	CHECK(!may(b, "s3:PutObject", &v) && v.decision.by == POLICY_SESSION);
	policy_bundle_add(b, POLICY_SESSION, get);
	CHECK(may(b, "s3:GetObject", &v));
	policy_bundle_scp(b, 6, scp);
	CHECK(!may(b, "s3:GetObject", &v) && v.decision.by == POLICY_SCP);
	for (size_t i = 0; i < 6; i++) policy_bundle_scp(b, i, scp);
	CHECK(may(b, "s3:GetObject", &v));
	CHECK(policy_bundle_subject(b)->scps.n == 7);
	policy_free(all);
	policy_free(s3);
	policy_free(get);
	policy_free(scp);
	CHECK(may(b, "s3:GetObject", &v)); /* the bundle keeps them */
	policy_bundle_issuer(b, STR("arn:aws:iam::111122223333:role/path/app"));
	CHECK_STR(policy_bundle_issuer_arn(b), STR("arn:aws:iam::111122223333:role/path/app"));
	policy_bundle_release(b);
	policy_bundle_release(NULL);
}

TEST(every_demand_counts)
{
	struct policy *get = allow("s3:Get*", POLICY_IDENTITY);
	struct policy_bundle *b = policy_bundle_new(1);
	policy_bundle_add(b, POLICY_IDENTITY, get);
	struct policy_principal who = {.kind = POLICY_CALLER_USER, .account = STR("111122223333"), .name = STR("a"),
		.arn = STR("arn:aws:iam::111122223333:user/a")};
	struct policy_resource from = {.arn = STR("arn:aws:s3:::from/k")}, to = {.arn = STR("arn:aws:s3:::to/k")};
	struct authz_demand v[] = {{STR("s3:GetObject"), &from, 1, 0}, {STR("s3:PutObject"), &to, 1, 0}};
	struct authz_demands demands = {v, 2};
	struct policy_verdict verdict;
	CHECK(!policy_authorize(&arena, &who, b, NULL, &demands, NULL, false, &verdict));
	CHECK_STR(verdict.action, STR("s3:PutObject"));
	CHECK_STR(verdict.resource, STR("arn:aws:s3:::to/k"));
	demands.n = 1;
	CHECK(policy_authorize(&arena, &who, b, NULL, &demands, NULL, false, &verdict) && verdict.allowed);
	demands.n = 0;
	CHECK(!policy_authorize(&arena, &who, b, NULL, &demands, NULL, false, &verdict));
	policy_bundle_release(b);
	policy_free(get);
}

TEST(cache)
{
	struct policy_cache *c = policy_cache_new(64);
	struct policy_bundle *b = policy_bundle_new(1);
	CHECK(policy_cache_get(c, STR("alice"), 1) == NULL);
	policy_cache_put(c, STR("alice"), b);
	struct policy_bundle *again = policy_cache_get(c, STR("alice"), 1);
	CHECK(again == b);
	policy_bundle_release(again);
	CHECK(policy_cache_get(c, STR("alice"), 2) == NULL); /* made from older data */
	struct policy_bundle *newer = policy_bundle_new(2);
	policy_cache_put(c, STR("alice"), newer);
	CHECK(policy_cache_get(c, STR("alice"), 1) == NULL);
	for (int i = 0; i < 1000; i++) policy_cache_put(c, str_fmt(&arena, "user-%d", i), b);
	int kept = 0;
	for (int i = 0; i < 1000; i++) {
		struct policy_bundle *found = policy_cache_get(c, str_fmt(&arena, "user-%d", i), 1);
		kept += found != NULL;
		policy_bundle_release(found);
	}
	CHECK(kept > 0 && kept <= 64 + 16);
	policy_cache_clear(c);
	CHECK(policy_cache_get(c, STR("user-999"), 1) == NULL);
	policy_bundle_release(b);
	policy_bundle_release(newer);
	policy_cache_free(c);
	policy_cache_free(NULL);
}

struct contest {
	struct policy_cache *cache;
	struct policy_library *library;
	int wrong;
};

static void *contend(void *p)
{
	struct contest *c = p;
	int wrong = 0;
	for (int i = 0; i < 2000; i++) {
		char key[16], text[256];
		snprintf(key, sizeof key, "k%d", i % 40);
		snprintf(text, sizeof text, ALLOW, "s3:*");
		struct policy *document = NULL;
		struct policy_source source = {.type = POLICY_IDENTITY};
		if (!is_ok(policy_library_get(c->library, str_c(key), str_c(text), &source, &document, NULL))) wrong++;
		struct policy_bundle *b = policy_cache_get(c->cache, str_c(key), (uint64_t)(i / 500));
		if (!b) {
			b = policy_bundle_new((uint64_t)(i / 500));
			policy_bundle_add(b, POLICY_IDENTITY, document);
			policy_cache_put(c->cache, str_c(key), b);
		}
		wrong += policy_bundle_subject(b)->identity.n != 1 ||
			policy_statements(policy_bundle_subject(b)->identity.v[0]) != 1;
		policy_bundle_release(b);
		policy_free(document);
	}
	__atomic_fetch_add(&c->wrong, wrong, __ATOMIC_RELAXED);
	return NULL;
}

TEST(threads)
{
	struct contest c = {policy_cache_new(20), policy_library_new(20), 0};
	pthread_t t[4];
	for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, contend, &c) == 0);
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
	CHECK(c.wrong == 0);
	policy_cache_free(c.cache);
	policy_library_free(c.library);
}

TEST(library)
{
	struct policy_library *l = policy_library_new(8);
	struct policy_source source = {.type = POLICY_IDENTITY, .label = STR("arn")};
	struct policy *a, *b;
	struct policy_error why;
	struct str text = str_fmt(&arena, ALLOW, "s3:*");
	CHECK_OK(policy_library_get(l, STR("arn#v1"), text, &source, &a, &why));
	CHECK_OK(policy_library_get(l, STR("arn#v1"), text, &source, &b, &why));
	CHECK(a == b);
	CHECK(!is_ok(policy_library_get(l, STR("arn#v2"), STR("{"), &source, &b, &why)));
	policy_library_free(l);
	CHECK(policy_statements(a) == 1);
	policy_free(a);
	policy_free(a);
}

TEST_MAIN()
