/* Digests against published check values, against each other in every cut, and joined CRCs. */
#include "base/rand.h"
#include "identity/crc.h"
#include "test.h"
#include <openssl/evp.h>

static struct str nine = STR("123456789");

static void is_hex(const uint8_t *bytes, size_t n, const char *want)
{
	struct arena a;
	arena_init(&a);
	CHECK_STR(str_hex(&a, str_n(bytes, n)), str_c(want));
	arena_cleanup(&a);
}

/* The catalogue of parametrised CRC algorithms gives these for "123456789". */
TEST(check_values)
{
	CHECK(digest_crc32(0, nine.p, nine.n) == 0xcbf43926u);
	CHECK(digest_crc32c(0, nine.p, nine.n) == 0xe3069283u);
	CHECK(digest_crc64nvme(0, nine.p, nine.n) == 0xae8b14860a799888ull);
	CHECK(digest_crc32(0, "", 0) == 0);
	CHECK(digest_crc32c(0, "", 0) == 0);
	CHECK(digest_crc64nvme(0, "", 0) == 0);
	uint8_t out[32];
	digest_md5(STR("abc"), out);
	is_hex(out, 16, "900150983cd24fb0d6963f7d28e17f72");
	digest_sha256(STR("abc"), out);
	is_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231. */
TEST(hmac)
{
	uint8_t out[32];
	digest_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out);
	is_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	char key[131];
	memset(key, 0xaa, sizeof(key));
	digest_hmac_sha256(str_n(key, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"), out);
	is_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	digest_hmac_sha256(STR(""), STR(""), out);
	is_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(crc64_tables_and_folding_agree_at_every_length_and_place)
{
	static uint8_t bytes[2048];
	rand_bytes(bytes, sizeof(bytes));
	for (size_t n = 0; n < 1500; n++) {
		const uint8_t *p = bytes + n % 37;
		uint64_t whole = digest_crc64nvme(0, p, n), by_tables = ~crc64_by_tables(~0ull, p, n);
		CHECK(whole == by_tables);
		uint64_t bitwise = ~0ull;
		for (size_t i = 0; i < n && n < 300; i++) {
			bitwise ^= p[i];
			for (int b = 0; b < 8; b++)
				bitwise = bitwise & 1 ? bitwise >> 1 ^ CRC64NVME_REFLECTED : bitwise >> 1;
		}
		if (n < 300) CHECK(whole == ~bitwise);
#if defined(__x86_64__)
		if (n >= 16 && __builtin_cpu_supports("pclmul")) CHECK(~crc64_by_folding(~0ull, p, n) == by_tables);
#endif
	}
}

TEST(crcs_in_pieces_and_joined)
{
	static uint8_t bytes[5000];
	rand_bytes(bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut += 7) {
		size_t rest = sizeof(bytes) - cut;
		const uint8_t *b = bytes + cut;
		uint32_t c = digest_crc32(0, bytes, sizeof(bytes)), k = digest_crc32c(0, bytes, sizeof(bytes));
		uint64_t e = digest_crc64nvme(0, bytes, sizeof(bytes));
		CHECK(digest_crc32(digest_crc32(0, bytes, cut), b, rest) == c);
		CHECK(digest_crc32c(digest_crc32c(0, bytes, cut), b, rest) == k);
		CHECK(digest_crc64nvme(digest_crc64nvme(0, bytes, cut), b, rest) == e);
		CHECK(digest_crc32_join(digest_crc32(0, bytes, cut), digest_crc32(0, b, rest), rest) == c);
		CHECK(digest_crc32c_join(digest_crc32c(0, bytes, cut), digest_crc32c(0, b, rest), rest) == k);
		CHECK(digest_crc64nvme_join(digest_crc64nvme(0, bytes, cut), digest_crc64nvme(0, b, rest), rest) == e);
	}
}

static void evp(const EVP_MD *md, const void *p, size_t n, uint8_t *out)
{
	unsigned length;
	CHECK(EVP_Digest(p, n, out, &length, md, NULL) == 1);
}

/* Sizes around the threshold where threads begin and around the ring's buffers; pieces of changing size. */
TEST(digester_equals_one_shot)
{
	const size_t sizes[] = {
		0, 1, 65536, 1 << 20, (1 << 20) + 1, (1 << 20) + (1 << 18), (1 << 20) + (1 << 18) + 1, 9 << 20};
	const uint32_t all = DIGEST_MD5 | DIGEST_SHA256 | DIGEST_SHA1 | DIGEST_CRC32 | DIGEST_CRC32C | DIGEST_CRC64NVME;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t n = sizes[s];
		uint8_t *p = mem_new(n + 1), want[32];
		rand_bytes(p, n);
		struct digester *d = digester_new(all);
		for (size_t at = 0, piece = 1; at < n; piece = piece * 3 % 700001 + 1) {
			size_t now = piece < n - at ? piece : n - at;
			digester_update(d, p + at, now);
			at += now;
		}
		struct digests got;
		digester_final(d, &got);
		digester_free(d);
		CHECK(got.have == all);
		evp(EVP_md5(), p, n, want);
		CHECK(memcmp(want, got.md5, 16) == 0);
		evp(EVP_sha256(), p, n, want);
		CHECK(memcmp(want, got.sha256, 32) == 0);
		evp(EVP_sha1(), p, n, want);
		CHECK(memcmp(want, got.sha1, 20) == 0);
		CHECK(got.crc32 == digest_crc32(0, p, n));
		CHECK(got.crc32c == digest_crc32c(0, p, n));
		CHECK(got.crc64nvme == digest_crc64nvme(0, p, n));
		free(p);
	}
}

TEST(digester_given_up_midway)
{
	uint8_t *p = mem_new(3 << 20);
	struct digester *d = digester_new(DIGEST_MD5 | DIGEST_SHA256);
	digester_update(d, p, 3 << 20);
	digester_free(d);
	digester_free(digester_new(DIGEST_CRC32));
	digester_free(NULL);
	free(p);
	CHECK(true);
}

TEST_MAIN()
