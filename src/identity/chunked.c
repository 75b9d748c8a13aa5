/* aws-chunked as a state machine ("Signature Calculations for the Authorization Header: Transferring Payload in
 * Multiple Chunks" and "… Including Trailing Headers" in the S3 API Reference):
 *
 *     SIZE[;chunk-signature=HEX64] CR LF  SIZE bytes  CR LF        any number of times
 *     0[;chunk-signature=HEX64] CR LF  [NAME:VALUE CR LF …] [x-amz-trailer-signature:HEX64 CR LF]  CR LF
 *
 * Only lines are buffered; data is hashed and passed on where it lies. */
#include "identity/chunked.h"
#include "identity/sigv4_internal.h"
#include <openssl/crypto.h>

#define LINE_MAX_BYTES 1024
#define TRAILERS_MAX_BYTES (16u * 1024)
#define CHUNK_MIN_BYTES 8192
enum { TRAILERS_MAX = 32 };

enum chunked_state { AT_SIZE, IN_DATA, AT_DATA_END, IN_TRAILERS, AT_END, BROKEN };

struct chunked {
	struct arena *arena;
	enum chunked_state state;
	bool is_signed, checked, has_trailers;
	uint64_t declared, decoded; /* bytes; declared UINT64_MAX: not told */
	uint64_t size, left;        /* of this chunk */
	uint64_t index, small;      /* number of this chunk, from 1; size of the last one if it was below the minimum */
	struct buf line;            /* without its end */
	size_t trailer_bytes;
	struct wire_header *trailers;
	size_t n_trailers;
	bool trailer_signature_seen;
	/* signatures */
	struct sha256_hmac_key key;
	SHA256_CTX hash;
	struct str time_and_scope; /* with a line feed behind each */
	char previous[64], announced[64];
	struct wire_failure failure;
};

struct chunked *chunked_new(struct arena *a, const struct sigv4 *s, const uint8_t signing_key[32])
{
	struct chunked *c = arena_new(a, struct chunked);
	c->arena = a;
	c->declared = s->decoded_length;
	c->line = BUF_IN(a);
	buf_reserve(&c->line, LINE_MAX_BYTES);
	c->is_signed = s->payload == SIG_PAYLOAD_CHUNKED || s->payload == SIG_PAYLOAD_CHUNKED_TRAILER;
	c->has_trailers =
		s->payload == SIG_PAYLOAD_CHUNKED_TRAILER || s->payload == SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER;
	c->checked = c->is_signed && signing_key;
	if (!c->checked) return c;
	sha256_hmac_prime(&c->key, str_n(signing_key, 32));
	struct sig_time_text t = sig_time_write(s->time_ms);
	c->time_and_scope = str_fmt(a, "%.16s\n%.*s/%.*s/%.*s/aws4_request\n", t.p, STR_ARG(s->date),
		STR_ARG(s->region), STR_ARG(s->service));
	/* The request's own signature is the seed. sigv4_verify accepted it, so it has 64 digits. */
	if (s->signature.n == 64) memcpy(c->previous, s->signature.p, 64);
	return c;
}

void chunked_free(struct chunked *c)
{
	if (c) OPENSSL_cleanse(&c->key, sizeof(c->key));
}

static status broken(struct chunked *c, error_id id, const char *code, unsigned http_status, struct str message)
{
	c->state = BROKEN;
	return sig_fail(&c->failure, id, code, http_status, message);
}

static status incomplete(struct chunked *c)
{
	return broken(c, ERR_VALIDATION, "IncompleteBody", 400, STR("The request body terminated unexpectedly"));
}

static status wrong_length(struct chunked *c)
{
	return broken(c, ERR_VALIDATION, "IncompleteBody", 400,
		STR("You did not provide the number of bytes specified by the Content-Length HTTP header."));
}

static status malformed_trailer(struct chunked *c)
{
	return broken(c, ERR_VALIDATION, "MalformedTrailerError", 400,
		STR("The request contained trailing data that was not well-formed or did not conform to our published "
		    "schema."));
}

/* Compares the announced signature with the one over `hash_lines`; it becomes the previous one. */
static status check_signature(struct chunked *c, struct str algorithm, struct str hash_lines)
{
	if (!c->checked) return OK;
	char text[512];
	struct str parts[] = {algorithm, c->time_and_scope, str_n(c->previous, 64), STR("\n"), hash_lines};
	struct buf b = {.p = text, .capacity = sizeof(text), .arena = c->arena}; /* grows past it only for odd scopes */
	for (size_t i = 0; i < 5; i++) buf_str(&b, parts[i]);
	uint8_t mac[32];
	char hex[64];
	sha256_hmac(&c->key, buf_done(&b), mac);
	sha256_hex(mac, hex);
	if (CRYPTO_memcmp(hex, c->announced, 64) != 0)
		return broken(c, ERR_SIGNATURE, NULL, 0,
			STR("The request signature we calculated does not match the signature you provided. Check your "
			    "key and "
			    "signing method."));
	memcpy(c->previous, hex, 64);
	return OK;
}

static status check_chunk(struct chunked *c)
{
	/* "AWS4-HMAC-SHA256-PAYLOAD": the hash of nothing stands between the previous signature and the chunk's hash.
	 */
	static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
	char lines[65 + 64];
	if (!c->checked) return OK;
	uint8_t hash[32];
	sha256_end(&c->hash, hash);
	memcpy(lines, of_nothing, 65);
	sha256_hex(hash, lines + 65);
	return check_signature(c, STR("AWS4-HMAC-SHA256-PAYLOAD\n"), str_n(lines, sizeof(lines)));
}

static status check_trailers(struct chunked *c)
{
	if (!c->checked) return OK;
	SHA256_CTX ctx;
	uint8_t hash[32];
	char hex[64];
	sha256_begin(&ctx);
	for (size_t i = 0; i < c->n_trailers; i++) {
		sha256_add(&ctx, c->trailers[i].name);
		sha256_add(&ctx, STR(":"));
		sha256_add(&ctx, c->trailers[i].value);
		sha256_add(&ctx, STR("\n"));
	}
	sha256_end(&ctx, hash);
	sha256_hex(hash, hex);
	return check_signature(c, STR("AWS4-HMAC-SHA256-TRAILER\n"), str_n(hex, 64));
}

static bool take_signature(struct chunked *c, struct str text)
{
	if (text.n != 64) return false;
	for (size_t i = 0; i < 64; i++)
		if (!((text.p[i] >= '0' && text.p[i] <= '9') || (text.p[i] >= 'a' && text.p[i] <= 'f'))) return false;
	memcpy(c->announced, text.p, 64);
	return true;
}

static bool read_size(struct str hex, uint64_t *size)
{
	if (hex.n == 0 || hex.n > 15) return false;
	*size = 0;
	for (size_t i = 0; i < hex.n; i++) {
		char x = hex.p[i];
		unsigned digit = x >= '0' && x <= '9'   ? (unsigned)(x - '0')
				 : x >= 'a' && x <= 'f' ? (unsigned)(x - 'a' + 10)
				 : x >= 'A' && x <= 'F' ? (unsigned)(x - 'A' + 10)
							: 16;
		if (digit == 16) return false;
		*size = *size << 4 | digit;
	}
	return true;
}

/* "SIZE" and its extensions. */
static status at_size_line(struct chunked *c, struct str line)
{
	struct str extensions = line, size = str_cut(&extensions, ';');
	if (!read_size(str_trim(size), &c->size)) return incomplete(c);
	bool has_signature = false;
	while (str_has(extensions)) {
		struct str value = str_cut(&extensions, ';'), name = str_trim(str_cut(&value, '='));
		if (!str_is(name, "chunk-signature")) continue;
		if (has_signature || !str_has(value) || !take_signature(c, str_trim(value))) return incomplete(c);
		has_signature = true;
	}
	if (c->is_signed && !has_signature) return incomplete(c);
	c->index++;
	if (c->size && c->small) {
		(void)broken(c, ERR_VALIDATION, "InvalidChunkSizeError", 403,
			STR("Only the last chunk is allowed to have a size less than 8192 bytes"));
		sig_fail_detail(&c->failure, STR("Chunk"), str_fmt(c->arena, "%llu", (unsigned long long)c->index));
		sig_fail_detail(
			&c->failure, STR("BadChunkSize"), str_fmt(c->arena, "%llu", (unsigned long long)c->small));
		return STATUS(FAILED);
	}
	c->small = c->size && c->size < CHUNK_MIN_BYTES ? c->size : 0;
	if (c->declared != UINT64_MAX && c->size > c->declared - c->decoded) return wrong_length(c);
	c->left = c->size;
	if (c->checked) sha256_begin(&c->hash);
	if (c->size) {
		c->state = IN_DATA;
		return OK;
	}
	c->state = IN_TRAILERS;
	return check_chunk(c);
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char x = s.p[i];
		if (!((x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || (x >= '0' && x <= '9') || x == '-' ||
			    x == '_'))
			return false;
	}
	return s.n > 0;
}

static status at_trailer_line(struct chunked *c, struct str line)
{
	if (line.n == 0) {
		if (!c->is_signed || !c->has_trailers || c->trailer_signature_seen) {
			c->state = AT_END;
			return OK;
		}
		/* Some clients end a trailer's value with a line feed of its own, as AWS's grammar shows it: an empty
		 * line may stand before the signature. */
		return c->n_trailers ? OK : malformed_trailer(c);
	}
	if (!c->has_trailers) return incomplete(c);
	if (c->trailer_signature_seen) return malformed_trailer(c);
	struct str value = line, name = str_cut(&value, ':');
	if (!str_has(value) || !is_token(name)) return malformed_trailer(c);
	name = str_lower(c->arena, name);
	value = str_dup(c->arena, str_trim(value));
	if (str_is(name, "x-amz-trailer-signature")) {
		if (!c->is_signed) return OK; /* nothing to compare it with */
		if (!take_signature(c, value)) return malformed_trailer(c);
		c->trailer_signature_seen = true;
		return check_trailers(c);
	}
	if (c->n_trailers == TRAILERS_MAX) return malformed_trailer(c);
	if (!c->trailers) c->trailers = arena_new_n(c->arena, struct wire_header, TRAILERS_MAX);
	c->trailers[c->n_trailers++] = (struct wire_header){name, value};
	return OK;
}

/* Takes bytes up to a line feed into c->line; true once the line is whole. Trailer lines may end in a bare line feed.
 */
static status take_line(struct chunked *c, struct str *in, bool *whole)
{
	ptrdiff_t at = str_chr(*in, '\n');
	size_t n = at < 0 ? in->n : (size_t)at;
	size_t limit = c->state == IN_TRAILERS ? TRAILERS_MAX_BYTES - c->trailer_bytes : LINE_MAX_BYTES;
	*whole = at >= 0;
	if (n > limit || c->line.n + n > limit) return c->state == IN_TRAILERS ? malformed_trailer(c) : incomplete(c);
	buf_add(&c->line, in->p, n);
	*in = str_from(*in, n + *whole);
	if (!*whole) return OK;
	if (c->line.n && c->line.p[c->line.n - 1] == '\r')
		c->line.n--;
	else if (c->state != IN_TRAILERS)
		return incomplete(c);
	if (c->state == IN_TRAILERS) {
		if (c->line.n + 2 > limit) return malformed_trailer(c);
		c->trailer_bytes += c->line.n + 2;
	}
	return OK;
}

static status take_data(struct chunked *c, struct str *in, status (*sink)(void *, const void *, size_t), void *ctx)
{
	struct str piece = str_sub(*in, 0, c->left < in->n ? (size_t)c->left : in->n);
	if (c->checked) sha256_add(&c->hash, piece);
	c->left -= piece.n;
	c->decoded += piece.n;
	*in = str_from(*in, piece.n);
	status s = sink(ctx, piece.p, piece.n);
	if (!is_ok(s)) return s;
	if (c->left) return OK;
	c->state = AT_DATA_END;
	return check_chunk(c);
}

static status step(struct chunked *c, struct str *in, status (*sink)(void *, const void *, size_t), void *ctx)
{
	bool whole;
	struct str line;
	switch (c->state) {
	case IN_DATA:
		return take_data(c, in, sink, ctx);
	case AT_SIZE:
	case AT_DATA_END:
	case IN_TRAILERS:
		TRY(take_line(c, in, &whole));
		if (!whole) return OK;
		line = buf_done(&c->line);
		c->line.n = 0;
		if (c->state == AT_SIZE) return at_size_line(c, line);
		if (c->state == IN_TRAILERS) return at_trailer_line(c, line);
		c->state = AT_SIZE;
		return line.n == 0 ? OK : incomplete(c);
	case AT_END:
		for (; in->n && (in->p[0] == '\r' || in->p[0] == '\n'); *in = str_from(*in, 1))
			if (++c->trailer_bytes > TRAILERS_MAX_BYTES) return incomplete(c);
		return in->n ? incomplete(c) : OK;
	case BROKEN:
		break;
	}
	return STATUS(FAILED);
}

status chunked_feed(struct chunked *c, const void *p, size_t n, status (*sink)(void *ctx, const void *p, size_t n),
	void *ctx, struct wire_failure *why)
{
	struct str in = str_n(p, n);
	while (in.n) {
		status s = step(c, &in, sink, ctx);
		if (is_ok(s)) continue;
		if (c->state == BROKEN) *why = c->failure;
		return s;
	}
	return OK;
}

status chunked_end(struct chunked *c, struct wire_failure *why)
{
	status s = OK;
	if (c->state == BROKEN)
		s = STATUS(FAILED);
	else if (c->state != AT_END)
		s = incomplete(c);
	else if (c->declared != UINT64_MAX && c->decoded != c->declared)
		s = wrong_length(c);
	if (!is_ok(s)) *why = c->failure;
	return s;
}

const struct wire_header *chunked_trailers(const struct chunked *c, size_t *n)
{
	*n = c->n_trailers;
	return c->trailers;
}

status chunked_match_announced(struct chunked *c, struct str announced, struct wire_failure *why)
{
	size_t found = 0;
	while (str_has(announced)) {
		struct str name = str_trim(str_cut(&announced, ','));
		if (name.n == 0) continue;
		bool here = false;
		for (size_t i = 0; i < c->n_trailers; i++) here |= str_ieq(c->trailers[i].name, name);
		if (!here) found = SIZE_MAX / 2;
		found += here;
	}
	if (found == c->n_trailers) return OK;
	(void)malformed_trailer(c);
	*why = c->failure;
	return STATUS(FAILED);
}
