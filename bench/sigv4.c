/* What the verification of a small request costs, by parts; beside the same HMAC through EVP in the same run, which is
 * why sha256.h uses the block functions. Usage: bench_sigv4 [iterations] */
#include "identity/sigv4.h"
#include "clock/clock.h"
#include "identity/sha256.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
#define NOW_MS 1440938160000 /* 2015-08-30T12:36:00Z */

static struct wire_header headers[] = {
	{STR("Host"), STR("localhost:4566")},
	{STR("Accept-Encoding"), STR("identity")},
	{STR("X-Amz-Target"), STR("DynamoDB_20120810.GetItem")},
	{STR("Content-Type"), STR("application/x-amz-json-1.0")},
	{STR("User-Agent"),
		STR("aws-cli/2.15.0 md/Botocore#2.4.5 ua/2.0 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.2")},
	{STR("X-Amz-Date"), STR("20150830T123600Z")},
	{STR("Authorization"), STR("")},
	{STR("amz-sdk-invocation-id"), STR("5e6f4f0e-0f2b-4a2b-9d5e-0f8b1f0a1c2d")},
	{STR("amz-sdk-request"), STR("attempt=1")},
	{STR("Content-Length"), STR("58")},
};

static struct wire_request request(struct arena *a)
{
	struct wire_request r = {.method = STR("POST"),
		.path = STR("/"),
		.query = STR_NONE,
		.host = STR("localhost:4566"),
		.headers = headers,
		.n_headers = sizeof(headers) / sizeof(headers[0]),
		.body = STR("{\"TableName\": \"Music\", \"Key\": {\"Artist\": {\"S\": \"No One\"}}}")};
	struct sigv4 s = {.kind = SIG_HEADER,
		.access_key = STR("AKIDEXAMPLE"),
		.date = STR("20150830"),
		.region = STR("us-east-1"),
		.service = STR("dynamodb"),
		.signed_headers = STR("content-type;host;x-amz-date;x-amz-target"),
		.time_ms = NOW_MS};
	uint8_t hash[32], key[32], mac[32];
	struct sha256_hmac_key k;
	sha256_once(r.body, hash);
	struct str to_sign =
		sigv4_string_to_sign(a, &s, sigv4_canonical_request(a, &r, &s, false, str_hex(a, str_n(hash, 32))));
	sigv4_signing_key(SECRET, s.date, s.region, s.service, key);
	sha256_hmac_prime(&k, str_n(key, 32));
	sha256_hmac(&k, to_sign, mac);
	headers[6].value = str_fmt(a,
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/dynamodb/aws4_request, "
		"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=%.*s",
		STR_ARG(str_hex(a, str_n(mac, 32))));
	return r;
}

static void report(const char *what, int64_t us, long n)
{
	printf("%-58s %8.0f ns\n", what, (double)us * 1000 / (double)n);
}

static void hmac_by_evp_mac(long n, const uint8_t key[32], struct str message)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *primed = EVP_MAC_CTX_new(mac);
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end()};
	uint8_t out[32];
	size_t length;
	if (!EVP_MAC_init(primed, key, 32, params)) exit(1);
	int64_t start = clock_monotonic_us();
	for (long i = 0; i < n; i++) {
		EVP_MAC_CTX *c = EVP_MAC_CTX_dup(primed);
		if (!EVP_MAC_update(c, (const uint8_t *)message.p, message.n) || !EVP_MAC_final(c, out, &length, 32))
			exit(1);
		EVP_MAC_CTX_free(c);
	}
	report("HMAC of 140 bytes, EVP_MAC dup of a primed context", clock_monotonic_us() - start, n);
	EVP_MAC_CTX_free(primed);
	EVP_MAC_free(mac);
}

static void hashes(long n)
{
	char text[600];
	memset(text, 'x', sizeof(text));
	uint8_t out[32], key[32] = {7};
	struct str long_text = str_n(text, sizeof(text)), short_text = str_n(text, 140);
	int64_t start = clock_monotonic_us();
	for (long i = 0; i < n; i++) sha256_once(long_text, out);
	report("SHA-256 of 600 bytes, block functions", clock_monotonic_us() - start, n);
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned length;
	start = clock_monotonic_us();
	for (long i = 0; i < n; i++)
		if (!EVP_DigestInit_ex(ctx, md, NULL) || !EVP_DigestUpdate(ctx, text, sizeof(text)) ||
			!EVP_DigestFinal_ex(ctx, out, &length))
			exit(1);
	report("SHA-256 of 600 bytes, EVP with fetched digest and context", clock_monotonic_us() - start, n);
	EVP_MD_CTX_free(ctx);
	start = clock_monotonic_us();
	for (long i = 0; i < n; i++)
		if (!EVP_Digest(text, sizeof(text), out, &length, md, NULL)) exit(1);
	report("SHA-256 of 600 bytes, EVP_Digest with fetched digest", clock_monotonic_us() - start, n);
	EVP_MD_free(md);
	struct sha256_hmac_key k;
	sha256_hmac_prime(&k, str_n(key, 32));
	start = clock_monotonic_us();
	for (long i = 0; i < n; i++) sha256_hmac(&k, short_text, out);
	report("HMAC of 140 bytes, primed states", clock_monotonic_us() - start, n);
	hmac_by_evp_mac(n, key, short_text);
}

static int verifications(long n)
{
	struct arena keep, a;
	arena_init(&keep);
	arena_init(&a);
	struct wire_request r = request(&keep);
	struct wire_failure why;
	struct sigv4 s;
	uint8_t key[32];
	int64_t start = clock_monotonic_us();
	for (long i = 0; i < n; i++) {
		struct arena_mark mark = arena_mark(&a);
		if (!is_ok(sigv4_read(&a, &r, false, &s, &why)) ||
			!is_ok(sigv4_verify(&a, &r, &s, false, SECRET, NULL, NOW_MS, key, &why))) {
			fprintf(stderr, "%.*s\n", STR_ARG(why.message));
			return 1;
		}
		arena_release(&a, mark);
	}
	report("read and verify a DynamoDB GetItem, body hashed too", clock_monotonic_us() - start, n);
	start = clock_monotonic_us();
	for (long i = 0; i < n; i++) {
		struct arena_mark mark = arena_mark(&a);
		if (!is_ok(sigv4_read(&a, &r, false, &s, &why))) return 1;
		arena_release(&a, mark);
	}
	report("  of it: reading the Authorization header", clock_monotonic_us() - start, n);
	start = clock_monotonic_us();
	for (long i = 0; i < n; i++) {
		struct arena_mark mark = arena_mark(&a);
		(void)sigv4_canonical_request(&a, &r, &s, false, STR("UNSIGNED-PAYLOAD"));
		arena_release(&a, mark);
	}
	report("  of it: canonical request", clock_monotonic_us() - start, n);
	start = clock_monotonic_us();
	for (long i = 0; i < n; i++) sigv4_signing_key(SECRET, s.date, s.region, s.service, key);
	report("a signing key, not cached", clock_monotonic_us() - start, n);
	arena_cleanup(&a);
	arena_cleanup(&keep);
	return 0;
}

int main(int argc, char **argv)
{
	int64_t n = 300000;
	if (argc > 1 && (!is_ok(str_to_i64(str_c(argv[1]), &n)) || n < 1)) return 2;
	int code = verifications((long)n);
	hashes((long)n);
	return code;
}
