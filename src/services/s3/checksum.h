/* S3's checksums of objects ("Checking object integrity", Amazon S3 User Guide): what a client claims, what was
 * computed, and how those of parts become one. */
#pragma once
#include "services/s3/room.h"

enum s3_algorithm_id {
	S3_CRC32,
	S3_CRC32C,
	S3_CRC64NVME,
	S3_SHA1,
	S3_SHA256,
	S3_MD5,
	S3_SHA512,
	S3_XXHASH64,
	S3_XXHASH3,
	S3_XXHASH128,
	S3_ALGORITHMS,
};
struct s3_algorithm {
	enum s3_algorithm_id id;
	struct str name;      /* "CRC32C" */
	struct str header;    /* "x-amz-checksum-crc32c" */
	uint32_t digest;      /* DIGEST_…; 0: not there */
	uint32_t size;        /* bytes */
	bool full, composite; /* which types a multipart upload may choose */
};
/* NULL for what is none. */
const struct s3_algorithm *s3_algorithm(struct str name);

/* The x-amz-checksum-* of an input, by algorithm. */
struct s3_checksums {
	struct str v[S3_ALGORITHMS];
};
#define S3_CHECKSUMS(in)                                                                                               \
	((struct s3_checksums){{[S3_CRC32] = (in)->checksum_crc32,                                                     \
		[S3_CRC32C] = (in)->checksum_crc32_c,                                                                  \
		[S3_CRC64NVME] = (in)->checksum_crc64_nvme,                                                            \
		[S3_SHA1] = (in)->checksum_sha1,                                                                       \
		[S3_SHA256] = (in)->checksum_sha256,                                                                   \
		[S3_MD5] = (in)->checksum_md5,                                                                         \
		[S3_SHA512] = (in)->checksum_sha512,                                                                   \
		[S3_XXHASH64] = (in)->checksum_xxhash64,                                                               \
		[S3_XXHASH3] = (in)->checksum_xxhash3,                                                                 \
		[S3_XXHASH128] = (in)->checksum_xxhash128}})
/* Puts a checksum's text into the output's member of that algorithm; nothing where the name is none. */
#define S3_SET_CHECKSUM(out, algorithm_name, text)                                                                     \
	do {                                                                                                           \
		const struct s3_algorithm *set_ = s3_algorithm(algorithm_name);                                        \
		if (!set_) break;                                                                                      \
		if (set_->id == S3_CRC32) (out)->checksum_crc32 = (text);                                              \
		if (set_->id == S3_CRC32C) (out)->checksum_crc32_c = (text);                                           \
		if (set_->id == S3_CRC64NVME) (out)->checksum_crc64_nvme = (text);                                     \
		if (set_->id == S3_SHA1) (out)->checksum_sha1 = (text);                                                \
		if (set_->id == S3_SHA256) (out)->checksum_sha256 = (text);                                            \
		if (set_->id == S3_MD5) (out)->checksum_md5 = (text);                                                  \
	} while (0)

/* What the client says of the bytes it sends. */
struct s3_claim {
	const struct s3_algorithm *algorithm; /* NULL: it asks for none */
	struct str value;                     /* base64; STR_NONE where a trailer will tell */
	bool trailer;
	uint8_t md5[16]; /* Content-MD5 */
	bool has_md5;
};
/* Reads and checks the form of headers; sums may be NULL (then no x-amz-checksum-* is looked at). content_md5 and
 * sdk_algorithm (x-amz-sdk-checksum-algorithm) may be absent. */
status s3_claim_read(struct call *c, const struct s3_checksums *sums, struct str content_md5, struct str sdk_algorithm,
	struct s3_claim *out) MUST_USE;
/* The same from the request's own headers. */
status s3_claim_of_request(struct call *c, struct str sdk_algorithm, struct s3_claim *out) MUST_USE;
/* The digests that checking it takes. */
uint32_t s3_claim_digests(const struct s3_claim *claim);
/* BadDigest where the bytes are not what was claimed. trailers: of a streamed body. */
status s3_claim_check(struct call *c, const struct s3_claim *claim, const struct digests *d,
	const struct wire_header *trailers, size_t n_trailers) MUST_USE;

/* The same of the request's whole body. */
status s3_claim_check_body(struct call *c, const struct s3_claim *claim) MUST_USE;

/* The digest's bytes, as they are sent (CRCs big endian), in the arena; and that in base64. */
struct str s3_checksum_bytes(struct arena *a, const struct s3_algorithm *g, const struct digests *d);
/* The checksum of an object made of these parts, each of which has `checksum` bytes: full_object joins CRCs, else the
 * checksum of checksums, "base64-N". INVALID where a part lacks its checksum. */
status s3_checksum_of_parts(struct arena *a, const struct s3_algorithm *g, bool full_object,
	const struct s3_rec_parts *parts, struct str *text) MUST_USE;
