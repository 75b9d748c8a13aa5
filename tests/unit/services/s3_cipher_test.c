/* The chunk cipher and the key wrap: round trips at every edge, every flipped bit found, no chunk opens as another. */
#include "base/rand.h"
#include "services/s3/cipher.h"
#include "services/s3/sealer.h"
#include "test.h"
#include <stdlib.h>

TEST(chunks_round_trip)
{
	static const size_t sizes[] = {1, 15, 16, 17, 1000, S3_CHUNK_BYTES - 1, S3_CHUNK_BYTES};
	uint8_t key[S3_KEY_BYTES];
	rand_bytes(key, sizeof key);
	char *plain = malloc(S3_CHUNK_SEALED_BYTES), *sealed = malloc(S3_CHUNK_SEALED_BYTES),
	     *back = malloc(S3_CHUNK_SEALED_BYTES);
	rand_bytes(plain, S3_CHUNK_BYTES);
	struct s3_cipher *seal = s3_cipher_new(key, true), *open = s3_cipher_new(key, false);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = sizes[i];
		s3_cipher_seal(seal, i, plain, n, sealed);
		CHECK(memcmp(sealed, plain, n < 16 ? 16 : n) != 0 || n < 16);
		CHECK(is_ok(s3_cipher_open(open, i, sealed, n + S3_CHUNK_TAG_BYTES, back)));
		CHECK(memcmp(back, plain, n) == 0);
		/* In place, both ways. */
		memcpy(back, plain, n);
		s3_cipher_seal(seal, i + 100, back, n, back);
		CHECK(is_ok(s3_cipher_open(open, i + 100, back, n + S3_CHUNK_TAG_BYTES, back)));
		CHECK(memcmp(back, plain, n) == 0);
	}
	s3_cipher_free(seal);
	s3_cipher_free(open);
	free(plain);
	free(sealed);
	free(back);
}

TEST(nothing_changed_opens)
{
	uint8_t key[S3_KEY_BYTES], other[S3_KEY_BYTES], plain[40], sealed[56], back[56];
	rand_bytes(key, sizeof key);
	rand_bytes(other, sizeof other);
	rand_bytes(plain, sizeof plain);
	struct s3_cipher *seal = s3_cipher_new(key, true), *open = s3_cipher_new(key, false),
			 *wrong = s3_cipher_new(other, false);
	s3_cipher_seal(seal, 7, plain, sizeof plain, sealed);
	for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(status_is(s3_cipher_open(open, 7, sealed, sizeof sealed, back), STATUS_CORRUPT));
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(status_is(s3_cipher_open(open, 8, sealed, sizeof sealed, back), STATUS_CORRUPT));
	CHECK(status_is(s3_cipher_open(wrong, 7, sealed, sizeof sealed, back), STATUS_CORRUPT));
	for (size_t n = 0; n < sizeof sealed; n++)
		CHECK(status_is(s3_cipher_open(open, 7, sealed, n, back), STATUS_CORRUPT));
	CHECK(is_ok(s3_cipher_open(open, 7, sealed, sizeof sealed, back)));
	s3_cipher_free(seal);
	s3_cipher_free(open);
	s3_cipher_free(wrong);
	s3_cipher_free(NULL);
}

TEST(keys_wrap)
{
	uint8_t by[S3_KEY_BYTES], key[S3_KEY_BYTES], wrapped[S3_KEY_WRAPPED_BYTES], back[S3_KEY_BYTES];
	rand_bytes(by, sizeof by);
	rand_bytes(key, sizeof key);
	s3_key_wrap(by, key, wrapped);
	CHECK(is_ok(s3_key_unwrap(by, wrapped, back)) && memcmp(back, key, sizeof key) == 0);
	for (size_t bit = 0; bit < sizeof wrapped * 8; bit++) {
		wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(status_is(s3_key_unwrap(by, wrapped, back), STATUS_CORRUPT));
		wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	by[0] ^= 1;
	CHECK(status_is(s3_key_unwrap(by, wrapped, back), STATUS_CORRUPT));
}

TEST(wraps_differ)
{
	uint8_t by[S3_KEY_BYTES], key[S3_KEY_BYTES], one[S3_KEY_WRAPPED_BYTES], other[S3_KEY_WRAPPED_BYTES];
	rand_bytes(by, sizeof by);
	rand_bytes(key, sizeof key);
	s3_key_wrap(by, key, one);
	s3_key_wrap(by, key, other);
	CHECK(memcmp(one + S3_KEY_SALT_BYTES, other + S3_KEY_SALT_BYTES, S3_KEY_BYTES) != 0);
}

TEST(stored_sizes)
{
	CHECK(s3_cipher_stored(0) == 0);
	CHECK(s3_cipher_stored(1) == 17);
	CHECK(s3_cipher_stored(S3_CHUNK_BYTES) == S3_CHUNK_SEALED_BYTES);
	CHECK(s3_cipher_stored(S3_CHUNK_BYTES + 1) == S3_CHUNK_SEALED_BYTES + 17);
}

TEST_MAIN()
