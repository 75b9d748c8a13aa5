/* A bucket's configurations that are told as one XML document each (CORS, website, notifications, …). They are kept as
 * the client sent them, once checked, and read back by the same reader that read the request: what is stored is what
 * was asked for. A bit in the bucket's record says which kinds there may be, so that an operation of a bucket without
 * any pays nothing. Keys:
 *
 *     ("s3", "config", bucket id, kind, configuration's id)   id "" for those of which a bucket has one */
#pragma once
#include "services/s3/records.h"

enum s3_config {
	S3_CONFIG_CORS,
	S3_CONFIG_WEBSITE,
	S3_CONFIG_NOTIFICATION,
	S3_CONFIG_REPLICATION,
	S3_CONFIG_LOGGING,
	S3_CONFIG_PAYMENT,
	S3_CONFIG_ACCELERATE,
	S3_CONFIG_ANALYTICS,
	S3_CONFIG_METRICS,
	S3_CONFIG_INVENTORY,
	S3_CONFIG_ENCRYPTION,
	S3_CONFIG_LIFECYCLE,
	S3_CONFIG_TIERING,
	S3_CONFIGS,
};

static inline bool s3_config_may(const struct s3_rec_bucket *b, enum s3_config kind)
{
	return (uint64_t)b->configured.v >> kind & 1;
}
/* Stores the request's own body. Checks the request's Content-MD5 or x-amz-checksum-* where it has one. */
status s3_config_put(struct call *c, struct s3_rec_bucket *b, enum s3_config kind, struct str id) MUST_USE;
/* *existed (may be NULL): there was one. */
status s3_config_drop(
	struct call *c, struct s3_rec_bucket *b, enum s3_config kind, struct str id, bool *existed) MUST_USE;
/* in: the input struct of the operation that puts this kind (struct s3_put_bucket_cors_input, …); only its payload is
 * filled. NOT_FOUND where there is none (or an empty one); then *in is zeroed. */
#define s3_config_get(c, b, kind, id, in) s3_config_read((c)->tx, (c)->arena, (b), (kind), (id), (in), sizeof *(in))
status s3_config_read(struct store_tx *tx, struct arena *a, const struct s3_rec_bucket *b, enum s3_config kind,
	struct str id, void *in, size_t size) MUST_USE;
/* How the keys of all configurations of that kind begin, and one's payload read from its value. */
struct str s3_config_space(struct arena *a, const struct s3_rec_bucket *b, enum s3_config kind);
status s3_config_decode(struct arena *a, enum s3_config kind, struct str text, void *in) MUST_USE;
/* All of a bucket that goes. */
status s3_config_drop_all(struct call *c, const struct s3_rec_bucket *b) MUST_USE;

/* The request body against its Content-MD5 or x-amz-checksum-*, where it has one. */
status s3_config_check_digest(struct call *c) MUST_USE;

/* The bucket without a client: of that name in any partition. NOT_FOUND. For what no request with a region asks. */
status s3_bucket_by_name(struct store_tx *tx, struct arena *a, struct str name, struct s3_rec_bucket *out,
	struct str *partition) MUST_USE;
/* MalformedXML as S3 words it. */
status s3_malformed_xml(struct call *c);
