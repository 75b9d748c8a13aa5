/* What sealing costs: keys and chunks, in one thread.     bench_s3_cipher */
#include "base/arena.h"
#include "base/rand.h"
#include "clock/clock.h"
#include "services/s3/cipher.h"
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 200000, BYTES = 1 << 29 };

static void chunks(size_t n, char *p, char *q, const uint8_t *key)
{
	unsigned rounds = (unsigned)(BYTES / (n + 4096));
	struct s3_cipher *seal = s3_cipher_new(key, true), *open = s3_cipher_new(key, false);
	int64_t t0 = clock_monotonic_us();
	for (unsigned i = 0; i < rounds; i++) s3_cipher_seal(seal, i, p, n, q);
	int64_t t1 = clock_monotonic_us();
	for (unsigned i = 0; i < rounds; i++)
		INVARIANT(is_ok(s3_cipher_open(open, rounds - 1, q, n + S3_CHUNK_TAG_BYTES, p)));
	int64_t t2 = clock_monotonic_us();
	double mb = (double)n * rounds / 1e6;
	printf("chunk of %6zu: seal %6.0f MB/s  open %6.0f MB/s\n", n, mb * 1e6 / (double)(t1 - t0),
		mb * 1e6 / (double)(t2 - t1));
	s3_cipher_free(seal);
	s3_cipher_free(open);
}

int main(void)
{
	uint8_t by[S3_KEY_BYTES], key[S3_KEY_BYTES], wrapped[S3_KEY_WRAPPED_BYTES];
	char *p = mem_new(S3_CHUNK_SEALED_BYTES), *q = mem_new(S3_CHUNK_SEALED_BYTES);
	rand_bytes(by, sizeof by);
	rand_bytes(key, sizeof key);
	int64_t t0 = clock_monotonic_us();
	for (int i = 0; i < KEYS; i++) s3_key_wrap(by, key, wrapped);
	int64_t t1 = clock_monotonic_us();
	for (int i = 0; i < KEYS; i++) INVARIANT(is_ok(s3_key_unwrap(by, wrapped, key)));
	int64_t t2 = clock_monotonic_us();
	for (int i = 0; i < KEYS; i++) s3_cipher_free(s3_cipher_new(key, false));
	int64_t t3 = clock_monotonic_us();
	printf("wrap %.2f us  unwrap %.2f us  new and free %.2f us\n", (double)(t1 - t0) / KEYS,
		(double)(t2 - t1) / KEYS, (double)(t3 - t2) / KEYS);
	chunks(1024, p, q, key);
	chunks(16384, p, q, key);
	chunks(S3_CHUNK_BYTES, p, q, key);
	free(p);
	free(q);
	return 0;
}
