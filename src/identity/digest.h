/* Digests and checksums of a body as it streams by: MD5, SHA-1, SHA-256 (OpenSSL), CRC-32 and CRC-32C (ISA-L),
 * CRC-64/NVME (own, by carry-less multiplication where the processor has it). Large bodies are digested in a thread of their
 * own, so that hashing overlaps with receiving and writing. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum {
	DIGEST_MD5 = 1, DIGEST_SHA256 = 2, DIGEST_SHA1 = 4, DIGEST_CRC32 = 8, DIGEST_CRC32C = 16, DIGEST_CRC64NVME = 32,
};
struct digests {
	uint32_t have;
	uint8_t md5[16], sha256[32], sha1[20];
	uint32_t crc32, crc32c;
	uint64_t crc64nvme;
};
struct digester;
struct digester *digester_new(uint32_t wanted);
void digester_update(struct digester *d, const void *p, size_t n); /* the bytes are copied where they are needed later */
void digester_final(struct digester *d, struct digests *out);      /* waits for the digesting thread, if any */
void digester_free(struct digester *d);
void digest_md5(struct str bytes, uint8_t out[16]);
void digest_sha256(struct str bytes, uint8_t out[32]);
void digest_hmac_sha256(struct str key, struct str bytes, uint8_t out[32]);
uint32_t digest_crc32(uint32_t crc, const void *p, size_t n);   /* start with 0 */
uint32_t digest_crc32c(uint32_t crc, const void *p, size_t n);
uint64_t digest_crc64nvme(uint64_t crc, const void *p, size_t n);
/* The CRC of two pieces joined, from theirs and the second's length (S3's full-object checksums of multipart uploads). */
uint32_t digest_crc32_join(uint32_t first, uint32_t second, uint64_t second_length);
uint32_t digest_crc32c_join(uint32_t first, uint32_t second, uint64_t second_length);
uint64_t digest_crc64nvme_join(uint64_t first, uint64_t second, uint64_t second_length);
