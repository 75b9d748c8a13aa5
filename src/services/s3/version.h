/* Versions of objects ("Retaining multiple versions of objects with S3 Versioning", Amazon S3 User Guide). The current version
 * is found with one get where it is an object; older ones and delete markers lie in a space of their own, newest first. */
#pragma once
#include "services/s3/records.h"

static inline bool s3_versioned(const struct s3_rec_bucket *b) { return str_has(b->versioning); }

/* Where a version was found. */
struct s3_place {
	bool current;    /* under "object" */
	uint64_t number; /* else under "version": its inverted sequence */
};
/* The version that a request means; version_id absent: the current one. Fails as AWS does for what is not there
 * (NoSuchKey, NoSuchVersion), is no version id (InvalidArgument) or is a delete marker (404 or MethodNotAllowed, with
 * x-amz-delete-marker). place may be NULL. */
status s3_version_find(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_rec_object *out, struct s3_place *place) MUST_USE;
/* The same, but a delete marker is found like any version, and NOT_FOUND is the answer where there is none. */
status s3_version_load(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_rec_object *out, struct s3_place *place) MUST_USE;
/* Writes a found version's record again where it lies. */
void s3_version_rewrite(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_place *place,
	const struct s3_rec_object *o);
/* What x-amz-version-id shows of it: nothing in buckets that never had versions. */
struct str s3_version_shown(const struct s3_rec_bucket *b, const struct s3_rec_object *o);

/* Before `fresh` becomes the current version: gives it its id and sequence, and takes the current object (or NULL) away: to the
 * older versions, or altogether. For s3_object_save. */
status s3_version_make_room(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *current,
	struct s3_rec_object *fresh) MUST_USE;

struct s3_deleted {
	struct str version_id; /* of the version deleted, or of the marker made */
	bool marker;           /* a marker was made or deleted */
	bool found;            /* something was there, or was made: it is a change */
};
/* DELETE without a version id: removes the object, or puts a marker above it. */
status s3_version_mark_deleted(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_deleted *out) MUST_USE;
/* DELETE of one version, for good. */
status s3_version_delete(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_deleted *out) MUST_USE;

/* Puts a version that has its id and sequence already (a replica) where it belongs among the key's versions; parts (may be NULL)
 * become its manifest. Its references are its own. FAILED where another version has that place. */
status s3_version_insert(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o,
	const struct s3_rec_parts *parts) MUST_USE;
