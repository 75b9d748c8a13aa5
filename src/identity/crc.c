/* CRC-32 and CRC-32C by ISA-L; CRC-64/NVME by tables or folding; and CRCs of joined pieces. All three are of the same
 * kind: reflected, register begun with ones and inverted at the end. */
#include "identity/crc.h"
#include <isa-l/crc.h>
#include <limits.h>
#include <pthread.h>

uint32_t digest_crc32(uint32_t crc, const void *p, size_t n)
{
	return crc32_gzip_refl(crc, p, n); /* inverts before and after by itself */
}

uint32_t digest_crc32c(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *from = p;
	crc = ~crc; /* crc32_iscsi takes and gives the raw register */
	while (n) {
		int now = n > (1u << 30) ? 1 << 30 : (int)n;
		crc = crc32_iscsi((unsigned char *)(uintptr_t)from, now, crc);
		from += now;
		n -= (size_t)now;
	}
	return ~crc;
}

/* table[k][b]: the register after byte b and k zero bytes. */
static uint64_t table[16][256];
static pthread_once_t table_made = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint64_t c = b;
		for (int i = 0; i < 8; i++) c = c & 1 ? c >> 1 ^ CRC64NVME_REFLECTED : c >> 1;
		table[0][b] = c;
	}
	for (unsigned b = 0; b < 256; b++)
		for (unsigned k = 1; k < 16; k++) table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
}

uint64_t crc64_by_tables(uint64_t crc, const uint8_t *p, size_t n)
{
	pthread_once(&table_made, make_table);
	for (; n >= 16; p += 16, n -= 16) {
		uint64_t low, high;
		memcpy(&low, p, 8);
		memcpy(&high, p + 8, 8);
		low ^= crc;
		crc = 0;
		for (unsigned i = 0; i < 8; i++)
			crc ^= table[15 - i][low >> 8 * i & 255] ^ table[7 - i][high >> 8 * i & 255];
	}
	while (n--) crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return crc;
}

uint64_t digest_crc64nvme(uint64_t crc, const void *p, size_t n)
{
#if defined(__x86_64__)
	if (n >= 128 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
		return ~crc64_by_folding(~crc, p, n);
#endif
	return ~crc64_by_tables(~crc, p, n);
}

/* Joining. A CRC is a polynomial modulo P, and appending m bytes multiplies by x^(8m): so the joined CRC is
 * first * x^(8m) + second (the inversions cancel). In the reflected form bit 63 (or 31) is x^0. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t poly, unsigned width)
{
	uint64_t r = 0, one = 1ull << (width - 1);
	for (; a; a = (a << 1) & (one | (one - 1))) {
		if (a & one) r ^= b;
		b = b & 1 ? b >> 1 ^ poly : b >> 1;
	}
	return r;
}

static uint64_t join(uint64_t first, uint64_t second, uint64_t length, uint64_t poly, unsigned width)
{
	uint64_t power = 1ull << (width - 9); /* x^8: one byte; squared for each bit of the length */
	for (; length; length >>= 1) {
		if (length & 1) first = multiply(first, power, poly, width);
		power = multiply(power, power, poly, width);
	}
	return first ^ second;
}

uint32_t digest_crc32_join(uint32_t first, uint32_t second, uint64_t second_length)
{
	return (uint32_t)join(first, second, second_length, 0xedb88320u, 32);
}

uint32_t digest_crc32c_join(uint32_t first, uint32_t second, uint64_t second_length)
{
	return (uint32_t)join(first, second, second_length, 0x82f63b78u, 32);
}

uint64_t digest_crc64nvme_join(uint64_t first, uint64_t second, uint64_t second_length)
{
	return join(first, second, second_length, CRC64NVME_REFLECTED, 64);
}
