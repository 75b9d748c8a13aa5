/* Multipart uploads: what their operations share. */
#pragma once
#include "services/s3/records.h"

/* NoSuchUpload where there is none of that id for that key; validated at commit. */
status s3_upload_load(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str upload_id,
	struct s3_rec_upload *out) MUST_USE;
/* InvalidArgument unless 1 to 10,000. */
status s3_part_number_check(struct call *c, struct opt_i32 number) MUST_USE;
/* NOT_FOUND; *out zeroed first. */
status s3_part_load(struct call *c, const struct s3_rec_bucket *b, struct str upload_id, unsigned number,
	struct s3_rec_part *out) MUST_USE;
/* Removes the upload and all its parts, giving up the bodies of those for which `kept` (may be NULL) says no. Fails to
 * commit if a part comes meanwhile. */
status s3_upload_remove(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str upload_id,
	bool (*kept)(const void *ctx, int32_t number), const void *ctx) MUST_USE;
/* Of a bucket that goes: unfinished uploads go with it, at once or (many) by a durable job. */
status s3_purge_uploads(struct call *c, const struct s3_rec_bucket *b) MUST_USE;
/* Registers that job. */
void s3_purge_register(struct cloud *cloud);
