/* What may be the name of a bucket, a key, a region, a tag. Pure. */
#pragma once
#include "base/str.h"

enum { S3_KEY_MAX = 1024 }; /* bytes of UTF-8 */

/* "General purpose bucket naming rules", Amazon S3 User Guide: for new buckets. */
bool s3_name_is_bucket(struct str s);
/* What a bucket's name could ever be (before 2018, us-east-1 took up to 255 letters of either case, digits, '.', '-',
 * '_'): false is InvalidBucketName, whatever is asked of it. */
bool s3_name_was_bucket(struct str s);
bool s3_name_is_region(struct str s);
bool s3_name_is_account(struct str s);
/* Letters, digits, spaces in UTF-8 and + - = . _ : / @ ("Tagging restrictions"); of 1 (keys) or 0 to max characters. */
bool s3_name_is_tag_text(struct str s, size_t min, size_t max);
