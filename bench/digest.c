/* Throughput of each digest, beside OpenSSL's own or the plain way, in one run. Usage: bench_digest [MiB] */
#include "base/rand.h"
#include "clock/clock.h"
#include "identity/crc.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *bytes;
static size_t size;
static uint64_t sum; /* keeps results alive */

static double best(void (*fn)(void))
{
	int64_t us = INT64_MAX;
	for (int i = 0; i < 3; i++) {
		int64_t start = clock_monotonic_us();
		fn();
		int64_t took = clock_monotonic_us() - start;
		if (took < us) us = took;
	}
	return (double)size / (double)(us ? us : 1);
}

static void through(uint32_t wanted)
{
	struct digester *d = digester_new(wanted);
	struct digests out;
	for (size_t at = 0; at < size; at += 65536) digester_update(d, bytes + at, 65536);
	digester_final(d, &out);
	digester_free(d);
	sum += out.md5[0] + out.sha256[0] + out.crc32 + out.crc64nvme;
}
static void evp(const EVP_MD *md)
{
	uint8_t out[EVP_MAX_MD_SIZE];
	unsigned n;
	if (!EVP_Digest(bytes, size, out, &n, md, NULL)) exit(1);
	sum += out[0];
}

static void crc32(void)
{
	sum += digest_crc32(0, bytes, size);
}
static void crc32c(void)
{
	sum += digest_crc32c(0, bytes, size);
}
static void crc64(void)
{
	sum += digest_crc64nvme(0, bytes, size);
}
static void crc64_tables(void)
{
	sum += crc64_by_tables(0, bytes, size);
}
static void md5(void)
{
	through(DIGEST_MD5);
}
static void sha256(void)
{
	through(DIGEST_SHA256);
}
static void md5_and_sha256(void)
{
	through(DIGEST_MD5 | DIGEST_SHA256);
}
static void md5_sha256_crc64(void)
{
	through(DIGEST_MD5 | DIGEST_SHA256 | DIGEST_CRC64NVME);
}
static void md5_and_crc64(void)
{
	through(DIGEST_MD5 | DIGEST_CRC64NVME);
}
static void evp_md5(void)
{
	evp(EVP_md5());
}
static void evp_sha1(void)
{
	evp(EVP_sha1());
}
static void evp_sha256(void)
{
	evp(EVP_sha256());
}
static void copy(void)
{
	static uint8_t to[65536];
	for (size_t at = 0; at < size; at += 65536) {
		memcpy(to, bytes + at, 65536);
		sum += to[at % 65536];
	}
}

int main(int argc, char **argv)
{
	uint64_t mib = 128;
	if (argc > 1 && (!is_ok(str_to_u64(str_c(argv[1]), &mib)) || mib < 1 || mib > 4096)) return 2;
	size = (size_t)mib << 20;
	bytes = mem_new(size);
	rand_bytes(bytes, size);
	static const struct {
		const char *what;
		void (*fn)(void);
	} rows[] = {
		{"memcpy in pieces of 64 KiB", copy},
		{"CRC-32 (ISA-L)", crc32},
		{"CRC-32C (ISA-L)", crc32c},
		{"CRC-64/NVME", crc64},
		{"CRC-64/NVME by tables", crc64_tables},
		{"MD5, OpenSSL, one thread", evp_md5},
		{"SHA-1, OpenSSL, one thread", evp_sha1},
		{"SHA-256, OpenSSL, one thread", evp_sha256},
		{"digester: MD5", md5},
		{"digester: SHA-256", sha256},
		{"digester: MD5 + CRC-64/NVME", md5_and_crc64},
		{"digester: MD5 + SHA-256", md5_and_sha256},
		{"digester: MD5 + SHA-256 + CRC-64/NVME", md5_sha256_crc64},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("%-42s %8.0f MB/s\n", rows[i].what, best(rows[i].fn));
	free(bytes);
	return sum == 1;
}
