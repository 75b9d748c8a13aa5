/* An aws-chunked body. The first byte chooses the variant and how the body is cut into pieces; the outcome and the
 * decoded bytes must not depend on the cut. */
#include "identity/chunked.h"
#include "identity/digest.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct taken {
	size_t n;
	uint32_t crc;
};
static status take(void *ctx, const void *p, size_t n)
{
	struct taken *t = ctx;
	if (n == 0) abort();
	t->n += n;
	t->crc = digest_crc32(t->crc, p, n);
	return OK;
}

static bool feed(struct arena *a, const struct sigv4 *s, const uint8_t key[32], struct str body, size_t piece,
	struct taken *t, struct wire_failure *why)
{
	struct chunked *c = chunked_new(a, s, key);
	bool good = true;
	*t = (struct taken){0};
	*why = (struct wire_failure){0};
	for (size_t at = 0; good && at < body.n; at += piece) {
		struct str now = str_sub(body, at, piece);
		good = is_ok(chunked_feed(c, now.p, now.n, take, t, why));
	}
	good = good && is_ok(chunked_end(c, why));
	if (!good && !why->message.n) abort();
	if (good && s->decoded_length != UINT64_MAX && t->n != s->decoded_length) abort();
	size_t n;
	const struct wire_header *h = chunked_trailers(c, &n);
	for (size_t i = 0; i < n; i++)
		if (!h[i].name.n) abort();
	chunked_free(c);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sig_payload kinds[] = {SIG_PAYLOAD_CHUNKED, SIG_PAYLOAD_CHUNKED_TRAILER,
		SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER, SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER};
	static const uint8_t key[32] = {1, 2, 3};
	if (size < 1) return 0;
	struct arena arena, *a = &arena;
	arena_init(a);
	struct sigv4 s = {.kind = SIG_HEADER,
		.date = STR("20130524"),
		.region = STR("us-east-1"),
		.service = STR("s3"),
		.time_ms = 1369353600000,
		.payload = kinds[data[0] & 3],
		.decoded_length = data[0] & 64 ? UINT64_MAX : 5,
		.signature = STR("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")};
	/* Signatures cannot be guessed: unless they go unchecked, nothing behind the first would ever be reached. */
	const uint8_t *checked = data[0] & 128 ? key : NULL;
	struct str body = str_n(data + 1, size - 1);
	struct taken whole, cut;
	struct wire_failure why_whole, why_cut;
	bool good = feed(a, &s, checked, body, body.n + 1, &whole, &why_whole);
	size_t piece = 1 + (data[0] >> 2 & 15);
	if (feed(a, &s, checked, body, piece, &cut, &why_cut) != good) abort();
	if (good && (whole.n != cut.n || whole.crc != cut.crc)) abort();
	if (!good && !str_eq(why_whole.code, why_cut.code)) abort();
	arena_cleanup(a);
	return 0;
}
