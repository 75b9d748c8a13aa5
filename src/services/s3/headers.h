/* What PutObject, CreateMultipartUpload and CopyObject say alike about the object to be: system and user metadata,
 * tags, storage class, access. */
#pragma once
#include "services/s3/room.h"

struct s3_headers {
	struct str acl, grant_full_control, grant_read, grant_read_acp, grant_write_acp;
	struct str cache_control, content_disposition, content_encoding, content_language, content_type, expires;
	struct str storage_class, website_redirect_location, tagging;
	struct str server_side_encryption, sse_customer_algorithm, sse_customer_key, sse_customer_key_md5, ssekms_key_id;
	struct str ssekms_encryption_context;
	struct opt_bool bucket_key_enabled;
	struct str object_lock_mode, object_lock_legal_hold_status;
	struct opt_time object_lock_retain_until_date;
	struct s3_metadata metadata;
};
#define S3_HEADERS(in)                                                                                                 \
	((struct s3_headers){                                                                                          \
		.acl = (in)->acl,                                                                                      \
		.grant_full_control = (in)->grant_full_control,                                                        \
		.grant_read = (in)->grant_read,                                                                        \
		.grant_read_acp = (in)->grant_read_acp,                                                                \
		.grant_write_acp = (in)->grant_write_acp,                                                              \
		.cache_control = (in)->cache_control,                                                                  \
		.content_disposition = (in)->content_disposition,                                                      \
		.content_encoding = (in)->content_encoding,                                                            \
		.content_language = (in)->content_language,                                                            \
		.content_type = (in)->content_type,                                                                    \
		.expires = (in)->expires,                                                                              \
		.storage_class = (in)->storage_class,                                                                  \
		.website_redirect_location = (in)->website_redirect_location,                                          \
		.tagging = (in)->tagging,                                                                              \
		.server_side_encryption = (in)->server_side_encryption,                                                \
		.sse_customer_algorithm = (in)->sse_customer_algorithm,                                                \
		.sse_customer_key = (in)->sse_customer_key,                                                            \
		.ssekms_key_id = (in)->ssekms_key_id,                                                                  \
		.sse_customer_key_md5 = (in)->sse_customer_key_md5,                                                    \
		.ssekms_encryption_context = (in)->ssekms_encryption_context,                                          \
		.bucket_key_enabled = (in)->bucket_key_enabled,                                                        \
		.object_lock_mode = (in)->object_lock_mode,                                                            \
		.object_lock_legal_hold_status = (in)->object_lock_legal_hold_status,                                  \
		.object_lock_retain_until_date = (in)->object_lock_retain_until_date,                                  \
		.metadata = (in)->metadata,                                                                            \
	})

/* Fills what the headers tell; strings point into them. */
status s3_headers_read(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o) MUST_USE;
/* Parts of the above, for copies. */
status s3_headers_access(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o) MUST_USE;
status s3_headers_metadata(struct call *c, const struct s3_headers *h, struct s3_rec_object *o) MUST_USE;
status s3_headers_tags(struct call *c, struct str tagging, struct s3_rec_tags *out) MUST_USE;
status s3_headers_storage_class(struct call *c, struct str storage_class, struct s3_rec_object *o) MUST_USE;
/* Checks keys, values and their number as those of one tag set. */
status s3_tag_check(struct call *c, const struct s3_rec_tag *t) MUST_USE;
