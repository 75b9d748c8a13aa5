/* What IAM costs a request: its key looked up in the store, its signature verified, its caller's bundle taken under the
 * account's generation, and the decision; at 1, 100 and 10,000 policies in the account, all read from the store by the
 * real provider. Also the first request after a change, which compiles anew. Usage: bench_iam [rounds] */
#include "call/call.h"
#include "clock/clock.h"
#include "identity/sha256.h"
#include "policy/provider.h"
#include "s3.h"
#include "services/iam/internal.h"
#include "services/iam/subject.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCOUNT STR("111122223333")
#define SECRET STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
#define KEY STR("AKIAIOSFODNN7EXAMPLE")
#define NOW_MS 1440938160000 /* 2015-08-30T12:36:00Z */
#define EACH 10              /* policies attached to a user */

static struct wire_header headers[] = {
	{STR("Host"), STR("localhost:4566")},
	{STR("User-Agent"),
		STR("aws-cli/2.15.0 md/Botocore#2.4.5 ua/2.0 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.2")},
	{STR("X-Amz-Date"), STR("20150830T123600Z")},
	{STR("X-Amz-Content-SHA256"), STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")},
	{STR("Authorization"), STR("")},
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static struct wire_request signed_request(struct arena *a)
{
	struct wire_request r = {.method = STR("GET"),
		.path = STR("/bucket/alice/key"),
		.query = STR_NONE,
		.host = STR("localhost:4566"),
		.headers = headers,
		.n_headers = sizeof(headers) / sizeof(headers[0]),
		.body = STR("")};
	struct sigv4 s = {.kind = SIG_HEADER,
		.access_key = KEY,
		.date = STR("20150830"),
		.region = STR("us-east-1"),
		.service = STR("s3"),
		.signed_headers = STR("host;x-amz-content-sha256;x-amz-date"),
		.time_ms = NOW_MS};
	uint8_t key[32], mac[32];
	struct sha256_hmac_key k;
	struct str canonical = sigv4_canonical_request(a, &r, &s, true, headers[3].value);
	sigv4_signing_key(SECRET, s.date, s.region, s.service, key);
	sha256_hmac_prime(&k, str_n(key, 32));
	sha256_hmac(&k, sigv4_string_to_sign(a, &s, canonical), mac);
	headers[4].value = str_fmt(a,
		"AWS4-HMAC-SHA256 Credential=%.*s/20150830/us-east-1/s3/aws4_request, SignedHeaders=%.*s, "
		"Signature=%.*s",
		STR_ARG(KEY), STR_ARG(s.signed_headers), STR_ARG(str_hex(a, str_n(mac, 32))));
	return r;
}

/* A policy of 5 statements that allows nothing that is asked for; the caller's last one does. */
static struct str document(struct arena *a, size_t i, bool grants)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "{\"Version\":\"2012-10-17\",\"Statement\":[");
	for (int j = 0; j < 5; j++)
		buf_fmt(&b,
			"%s{\"Effect\":\"Allow\",\"Action\":[\"sqs:Send*\",\"dynamodb:Get%zu*\",\"s3:List*\"],"
			"\"Resource\":"
			"[\"arn:aws:s3:::b%zu-%d/*\",\"arn:aws:sqs:*:*:q%zu\"]}",
			j ? "," : "", i, i, j, i);
	if (grants)
		buf_lit(&b, ",{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bucket/"
			    "${aws:username}/*\"}");
	buf_lit(&b, "]}");
	return buf_done(&b);
}

static void put_policy(struct store_tx *tx, struct arena *a, size_t i, bool grants)
{
	struct iam_rec_version v = {.id = STR("v1"), .text = document(a, i, grants), .created = SOME_TIME(NOW_MS)};
	struct iam_rec_policy p = {.name = str_fmt(a, "p%zu", i),
		.path = STR("/"),
		.id = str_fmt(a, "ANPA%017zu", i),
		.created = SOME_TIME(NOW_MS),
		.updated = SOME_TIME(NOW_MS),
		.default_version = STR("v1"),
		.next_version = SOME_I32(2),
		.versions = {&v, 1}};
	store_put(tx, iam_key(a, "policy", ACCOUNT, p.name), iam_rec_policy_encode(a, &p));
}

static void put_user(struct store_tx *tx, struct arena *a, struct str name, size_t first, size_t n)
{
	struct str arns[EACH];
	for (size_t i = 0; i < n; i++) arns[i] = str_fmt(a, "arn:aws:iam::111122223333:policy/p%zu", first + i);
	struct iam_rec_entity e = {.name = name,
		.path = STR("/"),
		.id = str_cat(a, STR("AIDA"), name),
		.created = SOME_TIME(NOW_MS),
		.attached = {arns, n}};
	store_put(tx, iam_key(a, "user", ACCOUNT, name), iam_rec_entity_encode(a, &e));
}

static void stamp(struct store_tx *tx, struct arena *a, uint64_t generation)
{
	store_put(tx, iam_key(a, "generation", ACCOUNT, STR_NONE), str_n(arena_copy(a, &generation, 8), 8));
}

static void commit(struct store_tx *tx)
{
	store_ticket t;
	INVARIANT(is_ok(store_commit(tx, &t)));
	store_end(tx);
}

static void fill(struct store *s, size_t policies)
{
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < policies;) {
		struct store_tx *tx = store_begin(s, &a, false);
		for (size_t end = i + 500 < policies ? i + 500 : policies; i < end; i++) {
			put_policy(tx, &a, i, i + 1 == (policies < EACH ? policies : EACH));
			if (i % EACH == 0)
				put_user(tx, &a, i ? str_fmt(&a, "u%zu", i) : STR("alice"), i,
					policies - i < EACH ? policies - i : EACH);
		}
		commit(tx);
		arena_reset(&a);
	}
	struct store_tx *tx = store_begin(s, &a, false);
	struct principal p = {.kind = PRINCIPAL_USER,
		.account = ACCOUNT,
		.arn = STR("arn:aws:iam::111122223333:user/alice"),
		.user_id = STR("AIDAalice"),
		.access_key = KEY,
		.name = STR("alice"),
		.session = STR(""),
		.secret = SECRET,
		.session_record = STR("")};
	identity_key_put(tx, &a, &p, STR(""));
	stamp(tx, &a, 1);
	commit(tx);
	arena_cleanup(&a);
}

/* What dispatch does between a request's last byte and its handler, but for decoding. */
static bool one(struct cloud *cloud, struct arena *a, const struct wire_request *r)
{
	struct sigv4 sig;
	struct principal p;
	struct wire_failure why;
	uint8_t key[32];
	struct store_tx *tx = store_begin(cloud->store, a, true);
	bool good = is_ok(sigv4_read(a, r, true, &sig, &why)) &&
		    is_ok(identity_resolve(tx, a, &sig, true, NOW_MS, &p, &why)) &&
		    is_ok(sigv4_verify(a, r, &sig, true, p.secret, NULL, NOW_MS, key, &why));
	struct policy_principal who = {
		.kind = POLICY_CALLER_USER, .account = p.account, .arn = p.arn, .user_id = p.user_id, .name = p.name};
	struct policy_bundle *bundle = NULL;
	good = good && is_ok(cloud->policies->bundle(cloud->policies->ctx, tx, a, &who, p.session_record, &bundle));
	store_end(tx);
	if (!good) return false;
	struct s3_get_object_input in = {.bucket = STR("bucket"), .key = STR("alice/key")};
	struct wire_match m = {.service = &wire_service_s3, .op = &wire_service_s3.tables.ops[S3_OP_GET_OBJECT]};
	struct authz_place place = {STR("aws"), STR("us-east-1"), ACCOUNT, r->path};
	struct authz_demands d;
	struct policy_verdict v;
	struct policy_context c = POLICY_CONTEXT_IN(a);
	authz_demands(a, &m, &in, &place, &d);
	policy_context_set_principal(&c, &who);
	policy_context_set_now(&c, NOW_MS);
	policy_context_set(&c, STR("aws:SourceIp"), STR("127.0.0.1"));
	policy_context_set_bool(&c, STR("aws:SecureTransport"), false);
	policy_context_set(&c, STR("aws:RequestedRegion"), STR("us-east-1"));
	authz_request_tags(a, &m, &in, &c);
	good = policy_authorize(a, &who, bundle, NULL, &d, &c, true, &v);
	policy_bundle_release(bundle);
	return good;
}

static int measure(size_t policies, long rounds)
{
	char dir[] = "/tmp/virga-bench-XXXXXX";
	struct arena a;
	arena_init(&a);
	struct str why;
	struct cloud cloud = {0};
	struct store_options o = {.dir = mkdtemp(dir), .durability = DURABILITY_NONE};
	if (!o.dir || !is_ok(store_open(&o, &a, &cloud.store, &why))) return 1;
	fill(cloud.store, policies);
	struct subjects *subjects = iam_subjects_new(&cloud);
	struct wire_request r = signed_request(&a);
	int64_t best = INT64_MAX, changed = 0;
	for (int repeat = 0; repeat < 5; repeat++) {
		int64_t from = clock_monotonic_us();
		for (long i = 0; i < rounds; i++) {
			struct arena_mark mark = arena_mark(&a);
			if (!one(&cloud, &a, &r)) return 1;
			arena_release(&a, mark);
		}
		int64_t took = clock_monotonic_us() - from;
		if (took < best) best = took;
	}
	for (uint64_t i = 2; i < 202; i++) {
		struct arena_mark mark = arena_mark(&a);
		struct store_tx *tx = store_begin(cloud.store, &a, false);
		stamp(tx, &a, i);
		commit(tx);
		int64_t from = clock_monotonic_us();
		if (!one(&cloud, &a, &r)) return 1;
		changed += clock_monotonic_us() - from;
		arena_release(&a, mark);
	}
	printf("%6zu policies in the account, %2zu attached: key, signature and authorization %6.2f us; after a change "
	       "%6.1f us\n",
		policies, policies < EACH ? policies : (size_t)EACH, (double)best / (double)rounds,
		(double)changed / 200);
	iam_subjects_free(subjects);
	store_close(cloud.store);
	arena_cleanup(&a);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

int main(int argc, char **argv)
{
	int64_t rounds = 20000;
	if (argc > 1 && (!is_ok(str_to_i64(str_c(argv[1]), &rounds)) || rounds < 1)) return 2;
	static const size_t accounts[] = {1, 100, 10000};
	for (size_t i = 0; i < 3; i++)
		if (measure(accounts[i], (long)rounds)) return 1;
	return 0;
}
