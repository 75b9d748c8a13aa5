/* Receipt handles: which message, which receive of it, and a MAC so that a forged one is known as such. */
#include "services/sqs/sqs_internal.h"

enum { PLAIN = 24, MAC = 12 };

static void put_u64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8) p[i] = (uint8_t)v;
}

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++) v = v << 8 | p[i];
	return v;
}

static void sign(const struct sqs *s, const uint8_t plain[PLAIN], uint8_t out[32])
{
	digest_hmac_sha256(str_n(s->secret, sizeof(s->secret)), str_n(plain, PLAIN), out);
}

struct str sqs_handle(struct arena *a, const struct sqs *s, const struct queue *q, const struct message *m)
{
	uint8_t bytes[PLAIN + 32];
	put_u64(bytes, q->id);
	put_u64(bytes + 8, m->seq);
	put_u64(bytes + 16, m->nonce);
	sign(s, bytes, bytes + PLAIN);
	return str_base64(a, str_n(bytes, PLAIN + MAC));
}

status sqs_handle_read(struct call *c, const struct queue *q, struct str handle, uint64_t *seq, uint64_t *nonce)
{
	struct str bytes;
	uint8_t mac[32];
	if (is_ok(str_unbase64(c->arena, handle, &bytes)) && bytes.n == PLAIN + MAC) {
		const uint8_t *p = (const uint8_t *)bytes.p;
		sign(sqs_of(c), p, mac);
		if (str_eq_secret(str_n(mac, MAC), str_n(p + PLAIN, MAC)) && get_u64(p) == q->id) {
			*seq = get_u64(p + 8);
			*nonce = get_u64(p + 16);
			return OK;
		}
	}
	return call_fail(c, SQS_ERR_RECEIPT_HANDLE_IS_INVALID, "The input receipt handle \"%.*s\" is not a valid receipt handle.",
		STR_ARG(str_sub(handle, 0, 1024)));
}
