/* Writing the small JSON of virga's own pages: with a space behind ':' and ',', as scripts that grep a health page
 * expect. json_open(b, '{'); json_key(b, "version"); json_str(b, STR("0.1.0")); json_close(b, '}'); */
#pragma once
#include "base/buf.h"

/* Commas are put by looking at what stands before, so nothing has to be counted. */
void json_open(struct buf *b, char bracket);
void json_close(struct buf *b, char bracket);
void json_key(struct buf *b, const char *key);
void json_key_str(struct buf *b, struct str key);
/* Bytes that are not UTF-8 become U+FFFD; STR_NONE becomes null. */
void json_str(struct buf *b, struct str value);
void json_bool(struct buf *b, bool value);
void json_i64(struct buf *b, int64_t value);
