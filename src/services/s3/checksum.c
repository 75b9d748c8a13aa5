/* Claimed, computed and joined checksums. */
#include "services/s3/checksum.h"

static const struct s3_algorithm algorithms[] = {
	[S3_CRC32] = {S3_CRC32, {"CRC32", 5}, {"x-amz-checksum-crc32", 20}, DIGEST_CRC32, 4, true, true},
	[S3_CRC32C] = {S3_CRC32C, {"CRC32C", 6}, {"x-amz-checksum-crc32c", 21}, DIGEST_CRC32C, 4, true, true},
	[S3_CRC64NVME] = {S3_CRC64NVME, {"CRC64NVME", 9}, {"x-amz-checksum-crc64nvme", 24}, DIGEST_CRC64NVME, 8, true,
		false},
	[S3_SHA1] = {S3_SHA1, {"SHA1", 4}, {"x-amz-checksum-sha1", 19}, DIGEST_SHA1, 20, false, true},
	[S3_SHA256] = {S3_SHA256, {"SHA256", 6}, {"x-amz-checksum-sha256", 21}, DIGEST_SHA256, 32, false, true},
	[S3_MD5] = {S3_MD5, {"MD5", 3}, {"x-amz-checksum-md5", 18}, DIGEST_MD5, 16, false, true},
	[S3_SHA512] = {S3_SHA512, {"SHA512", 6}, {"x-amz-checksum-sha512", 21}, 0, 64, false, true},
	[S3_XXHASH64] = {S3_XXHASH64, {"XXHASH64", 8}, {"x-amz-checksum-xxhash64", 23}, 0, 8, false, true},
	[S3_XXHASH3] = {S3_XXHASH3, {"XXHASH3", 7}, {"x-amz-checksum-xxhash3", 22}, 0, 8, false, true},
	[S3_XXHASH128] = {S3_XXHASH128, {"XXHASH128", 9}, {"x-amz-checksum-xxhash128", 24}, 0, 16, false, true},
};
_Static_assert(sizeof algorithms / sizeof *algorithms == S3_ALGORITHMS, "every algorithm has a row");

const struct s3_algorithm *s3_algorithm(struct str name)
{
	for (size_t i = 0; i < S3_ALGORITHMS; i++)
		if (str_eq(algorithms[i].name, name)) return &algorithms[i];
	return NULL;
}

/* ── what is claimed ── */

static status invalid_value(struct call *c, const struct s3_algorithm *g)
{
	return call_fail(c, S3_ERR_INVALID_REQUEST, "Value for %.*s header is invalid.", STR_ARG(g->header));
}

static status read_md5(struct call *c, struct str content_md5, struct s3_claim *out)
{
	struct str raw;
	if (!str_has(content_md5)) return OK;
	if (!is_ok(str_unbase64(c->arena, content_md5, &raw)) || raw.n != sizeof out->md5) {
		status s = call_fail(c, S3_ERR_INVALID_DIGEST, "The Content-MD5 you specified was invalid.");
		call_fail_detail(c, STR("Content-MD5"), content_md5);
		return s;
	}
	memcpy(out->md5, raw.p, raw.n);
	out->has_md5 = true;
	return OK;
}

static status read_sums(struct call *c, const struct s3_checksums *sums, struct s3_claim *out)
{
	for (size_t i = 0; i < S3_ALGORITHMS; i++) {
		if (!str_has(sums->v[i])) continue;
		if (out->algorithm)
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
		out->algorithm = &algorithms[i];
		out->value = sums->v[i];
	}
	struct str trailer = call_request_header(c, STR("x-amz-trailer"));
	if (out->algorithm || !str_has(trailer)) return OK;
	for (size_t i = 0; i < S3_ALGORITHMS; i++) {
		if (!str_ieq(str_trim(trailer), algorithms[i].header)) continue;
		out->algorithm = &algorithms[i];
		out->trailer = true;
		return OK;
	}
	if (!str_istarts(str_trim(trailer), STR("x-amz-checksum-"))) return OK;
	return call_fail(c, S3_ERR_INVALID_REQUEST, "The value specified in the x-amz-trailer header is not supported");
}

status s3_claim_read(struct call *c, const struct s3_checksums *sums, struct str content_md5, struct str sdk_algorithm,
	struct s3_claim *out)
{
	*out = (struct s3_claim){.value = STR_NONE};
	TRY(read_md5(c, content_md5, out));
	if (!sums) return OK;
	TRY(read_sums(c, sums, out));
	if (str_has(sdk_algorithm)) {
		const struct s3_algorithm *g = NULL;
		for (size_t i = 0; i < S3_ALGORITHMS; i++)
			if (str_ieq(algorithms[i].name, sdk_algorithm)) g = &algorithms[i];
		if (!g || (out->algorithm && out->algorithm != g))
			return call_fail(
				c, S3_ERR_INVALID_REQUEST, "Value for x-amz-sdk-checksum-algorithm header is invalid.");
		if (!out->algorithm && !(g->id == S3_MD5 && out->has_md5))
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
				"x-amz-trailer "
				"headers were found.");
	}
	if (!out->algorithm) return OK;
	if (!out->algorithm->digest) return s3_header_not_implemented(c, out->algorithm->header);
	struct str raw;
	if (!out->trailer && (!is_ok(str_unbase64(c->arena, out->value, &raw)) || raw.n != out->algorithm->size))
		return invalid_value(c, out->algorithm);
	return OK;
}

uint32_t s3_claim_digests(const struct s3_claim *claim)
{
	return (claim->algorithm ? claim->algorithm->digest : 0) | (claim->has_md5 ? DIGEST_MD5 : 0);
}

status s3_claim_check(struct call *c, const struct s3_claim *claim, const struct digests *d,
	const struct wire_header *trailers, size_t n_trailers)
{
	if (claim->has_md5 && memcmp(claim->md5, d->md5, sizeof claim->md5) != 0) {
		status s = call_fail(
			c, S3_ERR_BAD_DIGEST, "The Content-MD5 you specified did not match what we received.");
		call_fail_detail(c, STR("ExpectedDigest"), str_base64(c->arena, str_n(claim->md5, sizeof claim->md5)));
		call_fail_detail(c, STR("CalculatedDigest"), str_base64(c->arena, str_n(d->md5, sizeof d->md5)));
		return s;
	}
	const struct s3_algorithm *g = claim->algorithm;
	if (!g) return OK;
	struct str value = claim->value, raw;
	if (claim->trailer) {
		for (size_t i = 0; i < n_trailers && !str_has(value); i++)
			if (str_ieq(trailers[i].name, g->header)) value = str_trim(trailers[i].value);
		if (!str_has(value))
			return call_fail(c, S3_ERR_MALFORMED_TRAILER_ERROR,
				"The request contained trailing data that was not well-formed or did not conform to "
				"our published "
				"schema.");
	}
	if (!is_ok(str_unbase64(c->arena, value, &raw)) || raw.n != g->size) return invalid_value(c, g);
	if (str_eq(raw, s3_checksum_bytes(c->arena, g, d))) return OK;
	return call_fail(c, S3_ERR_BAD_DIGEST, "The %.*s you specified did not match the calculated checksum.",
		STR_ARG(g->name));
}

status s3_claim_of_request(struct call *c, struct str sdk_algorithm, struct s3_claim *out)
{
	struct s3_checksums sums = {0};
	for (size_t i = 0; i < S3_ALGORITHMS; i++) sums.v[i] = call_request_header(c, algorithms[i].header);
	return s3_claim_read(c, &sums, call_request_header(c, STR("Content-MD5")), sdk_algorithm, out);
}

status s3_claim_check_body(struct call *c, const struct s3_claim *claim)
{
	struct digests d;
	struct digester *digester = digester_new(s3_claim_digests(claim));
	digester_update(digester, c->body.p, c->body.n);
	digester_final(digester, &d);
	digester_free(digester);
	return s3_claim_check(c, claim, &d, NULL, 0);
}

/* ── what is computed ── */

static struct str big_endian(struct arena *a, uint64_t v, size_t n)
{
	char *p = arena_alloc(a, n);
	for (size_t i = 0; i < n; i++) p[i] = (char)(v >> (8 * (n - 1 - i)) & 0xff);
	return str_n(p, n);
}

static uint64_t from_big_endian(struct str s)
{
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++) v = v << 8 | (unsigned char)s.p[i];
	return v;
}

struct str s3_checksum_bytes(struct arena *a, const struct s3_algorithm *g, const struct digests *d)
{
	INVARIANT(d->have & g->digest);
	switch (g->id) {
	case S3_CRC32:
		return big_endian(a, d->crc32, 4);
	case S3_CRC32C:
		return big_endian(a, d->crc32c, 4);
	case S3_CRC64NVME:
		return big_endian(a, d->crc64nvme, 8);
	case S3_SHA1:
		return str_n(arena_copy(a, d->sha1, sizeof d->sha1), sizeof d->sha1);
	case S3_SHA256:
		return str_n(arena_copy(a, d->sha256, sizeof d->sha256), sizeof d->sha256);
	case S3_MD5:
		return str_n(arena_copy(a, d->md5, sizeof d->md5), sizeof d->md5);
	case S3_SHA512:
	case S3_XXHASH64:
	case S3_XXHASH3:
	case S3_XXHASH128:
	case S3_ALGORITHMS:
		break;
	}
	UNREACHABLE();
}

static uint64_t join(const struct s3_algorithm *g, uint64_t first, uint64_t second, uint64_t second_size)
{
	if (g->id == S3_CRC32) return digest_crc32_join((uint32_t)first, (uint32_t)second, second_size);
	if (g->id == S3_CRC32C) return digest_crc32c_join((uint32_t)first, (uint32_t)second, second_size);
	INVARIANT(g->id == S3_CRC64NVME);
	return digest_crc64nvme_join(first, second, second_size);
}

status s3_checksum_of_parts(struct arena *a, const struct s3_algorithm *g, bool full_object,
	const struct s3_rec_parts *parts, struct str *text)
{
	for (size_t i = 0; i < parts->n; i++)
		if (parts->v[i].checksum.n != g->size) return STATUS(INVALID);
	if (full_object) {
		uint64_t crc = 0;
		for (size_t i = 0; i < parts->n; i++) {
			uint64_t next = from_big_endian(parts->v[i].checksum);
			crc = i ? join(g, crc, next, (uint64_t)parts->v[i].size.v) : next;
		}
		*text = str_base64(a, big_endian(a, crc, g->size));
		return OK;
	}
	struct digester *digester = digester_new(g->digest);
	for (size_t i = 0; i < parts->n; i++) digester_update(digester, parts->v[i].checksum.p, parts->v[i].checksum.n);
	struct digests d;
	digester_final(digester, &d);
	digester_free(digester);
	*text = str_fmt(a, "%.*s-%zu", STR_ARG(str_base64(a, s3_checksum_bytes(a, g, &d))), parts->n);
	return OK;
}
