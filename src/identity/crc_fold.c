/* CRC-64/NVME by carry-less multiplication ("Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
 * Intel, 2009): eight 16-byte lanes are folded over 128 bytes at a time, then into one, whose remainder the tables
 * take.
 *
 * In a reflected lane the low half holds the higher powers. Folding over D bits multiplies the low half by x^(D+63) and
 * the high half by x^(D-1), not x^(D+64) and x^D, as a product of two reflected halves comes out one bit short. */
#if defined(__x86_64__)
#include "identity/crc.h"
#include <immintrin.h>

#define TARGET __attribute__((target("pclmul,sse4.1")))

TARGET static inline __m128i load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}
TARGET static inline __m128i fold(__m128i lane, __m128i powers, __m128i next)
{
	return _mm_xor_si128(next,
		_mm_xor_si128(_mm_clmulepi64_si128(lane, powers, 0x00), _mm_clmulepi64_si128(lane, powers, 0x11)));
}

TARGET uint64_t crc64_by_folding(uint64_t crc, const uint8_t *p, size_t n)
{
	const __m128i by_16 = _mm_set_epi64x(0x21e9761e252621acll, (long long)0xeadc41fd2ba3d420ull);
	__m128i lane = _mm_xor_si128(load(p), _mm_set_epi64x(0, (long long)crc));
	if (n >= 256) {
		const __m128i by_128 = _mm_set_epi64x(0x5f852fb61e8d92dcll, (long long)0xa1ca681e733f9c40ull);
		__m128i v[8] = {lane};
		for (int i = 1; i < 8; i++) v[i] = load(p + 16 * i);
		for (p += 128, n -= 128; n >= 128; p += 128, n -= 128)
			for (int i = 0; i < 8; i++) v[i] = fold(v[i], by_128, load(p + 16 * i));
		lane = v[0];
		for (int i = 1; i < 8; i++) lane = fold(lane, by_16, v[i]);
	} else {
		p += 16;
		n -= 16;
	}
	for (; n >= 16; p += 16, n -= 16) lane = fold(lane, by_16, load(p));
	uint8_t last[16];
	_mm_storeu_si128((__m128i *)(void *)last, lane);
	return crc64_by_tables(crc64_by_tables(0, last, sizeof(last)), p, n);
}
#endif
