/* Where S3's records lie, and an object's life: load, save, drop. Keys:
 *
 *     ("s3", "bucket", partition, name)                      the bucket; its id is in all other keys, so that a bucket
 * made anew after its deletion shares nothing with its predecessor
 *     ("s3", "owned", partition, account, name)              an owner's buckets, in order of name
 *     ("s3", "object", bucket id, key)                       the current version, where it is an object: one get finds
 * it, and a listing meets nothing else
 *     ("s3", "version", bucket id, key, inverted sequence)   older versions and delete markers, newest first; a marker
 * that is the current version is the newest here, without an "object"
 *     ("s3", "null", bucket id, key)                         the inverted sequence of the version called null, where that
 * is one of the older ones
 *     ("s3", "manifest", bucket id, number)                  the parts of a multipart object
 *     ("s3", "upload", bucket id, key, upload id)            unfinished uploads; ids begin with their time, so they
 * sort by it
 *     ("s3", "part", bucket id, upload id, number)           their parts */
#pragma once
#include "services/s3/room.h"
#include "store/key.h"

struct str s3_key_bucket(struct arena *a, struct str partition, struct str name);
struct str s3_key_owned(
	struct arena *a, struct str partition, struct str account, struct str name /* or STR_NONE: all */);
/* How the keys of one kind in one bucket begin. */
struct key s3_key_space(struct arena *a, struct str kind, const struct s3_rec_bucket *b);
struct str s3_key_object(struct arena *a, const struct s3_rec_bucket *b, struct str key);
/* number: the inverted sequence. */
struct str s3_key_version(struct arena *a, const struct s3_rec_bucket *b, struct str key, uint64_t number);
/* Where the version called null lies, when it is not the current object. */
struct str s3_key_null(struct arena *a, const struct s3_rec_bucket *b, struct str key);
struct str s3_key_upload(struct arena *a, const struct s3_rec_bucket *b, struct str key, struct str upload_id);
/* number 0: how the keys of all parts of the upload begin. */
struct str s3_key_part(struct arena *a, const struct s3_rec_bucket *b, struct str upload_id, unsigned number);

/* NOT_FOUND where there is no current object. *out is zeroed first. */
status s3_object_load(
	struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *out) MUST_USE;
enum { S3_EXTENTS_WITH_RECORD = 16 };
/* Writes the current object as the bucket's versioning wants it: o->version_id and o->sequence are set; `replaced` (the current
 * object so far; NULL: there was none) becomes an older version, or gives its body up. `parts` (may be NULL) are kept as a
 * manifest. o->extents or parts hold references that are the object's own. */
status s3_object_save(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o,
	const struct s3_rec_parts *parts, const struct s3_rec_object *replaced) MUST_USE;
/* Keeps them as the object's manifest: o->manifest is set. */
void s3_object_put_parts(
	struct call *c, const struct s3_rec_bucket *b, struct s3_rec_object *o, const struct s3_rec_parts *parts);
/* Gives an object's body and manifest up; its record is the caller's business. */
status s3_object_give_up(struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o) MUST_USE;
/* Writes a current object's record again, with what changed in it (tags, ACL, …): its body and version stay. */
void s3_object_rewrite(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o);
/* The parts of a multipart object; NOT_FOUND where it has none. */
status s3_object_parts(struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o,
	struct s3_rec_parts *out) MUST_USE;
/* All its extents in order, those of its parts too. */
status s3_object_extents(struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o,
	struct s3_rec_extents *out) MUST_USE;

/* One more, one fewer reference to each blob. */
status s3_extents_retain(struct store_tx *tx, const struct s3_rec_extents *x) MUST_USE;
status s3_extents_release(struct store_tx *tx, const struct s3_rec_extents *x) MUST_USE;
/* What covers `length` bytes from `offset` on; no references are taken. */
void s3_extents_slice(
	struct arena *a, const struct s3_rec_extents *x, uint64_t offset, uint64_t length, struct s3_rec_extents *out);
/* The whole of a received body becomes the transaction's. Empty where the body is. */
void s3_extents_adopt(struct call *c, const struct body *body, struct s3_rec_extents *out);
struct blob_ref s3_extent_ref(const struct s3_rec_extent *x);

/* Is that pair among them? What filters of rules ask. */
bool s3_tags_hold(const struct s3_rec_tags *tags, const struct s3_tag *t);
