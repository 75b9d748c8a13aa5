/* Hash keys and sequence numbers: see number.h. */
#include "services/kinesis/number.h"
#include "base/buf.h"
#include "identity/digest.h"

bool kinesis_hash_read(struct str text, kinesis_u128 *out)
{
	kinesis_u128 v = 0;
	if (text.n == 0 || text.n > 39) return false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned d = (unsigned char)text.p[i] - (unsigned)'0';
		if (d > 9 || v > (KINESIS_HASH_MAX - d) / 10) return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

struct str kinesis_hash_text(struct arena *a, kinesis_u128 v)
{
	char digits[40];
	size_t at = sizeof(digits);
	do digits[--at] = (char)('0' + (unsigned)(v % 10));
	while ((v /= 10) != 0);
	return str_n(arena_copy(a, digits + at, sizeof(digits) - at), sizeof(digits) - at);
}

kinesis_u128 kinesis_hash_from(struct str bytes)
{
	kinesis_u128 v = 0;
	for (size_t i = 0; i < bytes.n && i < 16; i++) v = v << 8 | (unsigned char)bytes.p[i];
	return v;
}

struct str kinesis_hash_bytes(struct arena *a, kinesis_u128 v)
{
	unsigned char b[16];
	for (int i = 15; i >= 0; i--, v >>= 8) b[i] = (unsigned char)v;
	return str_n(arena_copy(a, b, sizeof(b)), sizeof(b));
}

kinesis_u128 kinesis_hash_of(struct str partition_key)
{
	uint8_t md5[16];
	digest_md5(partition_key, md5);
	return kinesis_hash_from(str_n(md5, sizeof(md5)));
}

/* 192 bits in words of 32, the highest first. */
enum { WORDS = 6, MARK = 1 << 25 };

struct str kinesis_sequence_text(struct arena *a, const struct kinesis_sequence *s)
{
	uint64_t high = (uint64_t)s->created_ms & 0xffffffffffffu;
	uint32_t w[WORDS] = {MARK | (uint32_t)(high >> 32), (uint32_t)high, (uint32_t)(s->counter >> 32),
		(uint32_t)s->counter, (uint32_t)(s->shard >> 32), (uint32_t)s->shard};
	char digits[64];
	size_t at = sizeof(digits);
	bool more = true;
	while (more) {
		uint64_t rest = 0;
		more = false;
		for (int i = 0; i < WORDS; i++) {
			rest = rest << 32 | w[i];
			w[i] = (uint32_t)(rest / 10);
			rest %= 10;
			more |= w[i] != 0;
		}
		digits[--at] = (char)('0' + (unsigned)rest);
	}
	return str_n(arena_copy(a, digits + at, sizeof(digits) - at), sizeof(digits) - at);
}

bool kinesis_sequence_read(struct str text, struct kinesis_sequence *out)
{
	uint32_t w[WORDS] = {0};
	if (text.n == 0 || text.n > 57) return false; /* 2^186 has 56 digits */
	for (size_t k = 0; k < text.n; k++) {
		uint64_t carry = (unsigned char)text.p[k] - (uint64_t)'0';
		if (carry > 9) return false;
		for (int i = WORDS - 1; i >= 0; i--) {
			carry += (uint64_t)w[i] * 10;
			w[i] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry) return false;
	}
	if (w[0] >> 16 != MARK >> 16) return false;
	out->created_ms = (int64_t)((uint64_t)(w[0] & 0xffff) << 32 | w[1]);
	out->counter = (uint64_t)w[2] << 32 | w[3];
	out->shard = (uint64_t)w[4] << 32 | w[5];
	return true;
}
