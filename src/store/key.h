/* Keys are tuples whose encoding sorts as the tuples do: each element begins with a type byte; strings are escaped
 * (0x00 becomes 0x00 0xff) and end in 0x00, so that ("a") < ("a", x) < ("ab"); numbers are 8 bytes, big endian. By
 * convention a record's key is (service, kind, account, region, …); global things use region "".
 *
 *     struct key k = key_begin(arena); key_str(&k, STR("s3")); … store_get(tx, key_done(&k), &v) */
#pragma once
#include "base/buf.h"

struct key {
	struct buf b;
};

struct key key_begin(struct arena *a);
void key_str(struct key *k, struct str s);
void key_u64(struct key *k, uint64_t v);
/* Sorts negative numbers before positive ones. */
void key_i64(struct key *k, int64_t v);
/* The bytes of another key (a common beginning). */
void key_append(struct key *k, struct str encoded);
struct str key_done(const struct key *k);
/* (service, kind, account, region): how almost every key begins. */
struct key key_for(struct arena *a, struct str service, struct str kind, struct str account, struct str region);
/* The first key after all that begin with this tuple: the end of a scan over its children. */
struct str key_after(struct arena *a, struct str encoded);
/* The first key after `encoded` itself. */
struct str key_next(struct arena *a, struct str encoded);
/* For a scan over strings that begin with a raw prefix (S3's ListObjects): the tuple k plus an unfinished string. */
struct str key_with_prefix(struct arena *a, struct str encoded, struct str prefix);
/* The first key after all that begin with these raw bytes: the end of a scan that begins at key_with_prefix().
 * (key_after will not do there: a string may go on with a byte 0xff.) */
struct str key_after_prefix(struct arena *a, struct str bytes);
/* Reading elements back, in order; INVALID when the next element is of another type or malformed. Strings are
 * unescaped into the arena only where they hold a zero byte, else they point into the key. */
status key_read_str(struct arena *a, struct str *rest, struct str *out) MUST_USE;
status key_read_u64(struct str *rest, uint64_t *out) MUST_USE;
status key_read_i64(struct str *rest, int64_t *out) MUST_USE;
