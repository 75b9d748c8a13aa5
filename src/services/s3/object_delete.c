/* DeleteObject and DeleteObjects. What is not there is deleted already. */
#include "base/vec.h"
#include "services/s3/changed.h"
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/mfa.h"
#include "services/s3/object.h"
#include "services/s3/version.h"

static status delete_one(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct str if_match, struct s3_deleted *deleted)
{
	*deleted = (struct s3_deleted){0};
	TRY(s3_key_check(c, key));
	if (str_has(if_match)) {
		struct s3_rec_object o;
		status s = s3_object_load(c, b, key, &o);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		TRY(s3_write_condition(c, if_match, STR_NONE, key, is_ok(s) ? &o : NULL));
	}
	if (str_has(version_id))
		TRY(s3_version_delete(c, b, key, version_id, deleted));
	else
		TRY(s3_version_mark_deleted(c, b, key, deleted));
	if (!deleted->found) return OK;
	bool marked = deleted->marker && !str_has(version_id);
	struct s3_rec_object what = {.version_id = deleted->version_id, .marker = SOME_BOOL(deleted->marker)};
	return s3_changed(c, b, key, marked ? S3_REMOVED_MARKER : S3_REMOVED, &what);
}

status s3_delete_object(struct call *c, const struct s3_delete_object_input *in, struct s3_delete_object_output *out)
{
	struct s3_rec_bucket b;
	struct s3_deleted d;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (in->if_match_last_modified_time.has || in->if_match_size.has)
		return s3_header_not_implemented(c,
			in->if_match_size.has ? STR("x-amz-if-match-size") : STR("x-amz-if-match-last-modified-time"));
	if (str_has(in->version_id)) TRY(s3_mfa_check(c, &b));
	TRY(delete_one(c, &b, in->key, in->version_id, in->if_match, &d));
	out->version_id = d.version_id;
	if (d.marker) out->delete_marker = SOME_BOOL(true);
	return OK;
}

/* ── many ── */

/* "Content-MD5 or x-amz-checksum-* … is required for all Multi-Object Delete requests" ("DeleteObjects", API
 * reference). */
static status check_body(struct call *c, const struct s3_delete_objects_input *in)
{
	struct s3_claim claim;
	TRY(s3_claim_of_request(c, in->checksum_algorithm, &claim));
	if (!claim.algorithm && !claim.has_md5)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
	if (claim.trailer)
		return call_fail(
			c, S3_ERR_INVALID_REQUEST, "The value specified in the x-amz-trailer header is not supported");
	return s3_claim_check_body(c, &claim);
}

static void add_error(
	struct call *c, const struct s3_object_identifier *id, struct s3_delete_objects_output *out, size_t *capacity)
{
	unsigned http;
	struct s3_error *e = VEC_PUSH(c->arena, &out->errors, capacity);
	e->key = id->key;
	e->version_id = id->version_id;
	e->code = wire_error_code(&c->match, c->failure.id, &http);
	e->message = c->failure.message;
	c->failure = (struct wire_failure){0};
}

status s3_delete_objects(struct call *c, const struct s3_delete_objects_input *in, struct s3_delete_objects_output *out)
{
	struct s3_rec_bucket b;
	size_t deleted = 0, errors = 0;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(check_body(c, in));
	if (!in->delete || in->delete->objects.n == 0 || in->delete->objects.n > S3_PAGE_MAX)
		return call_fail(c, S3_ERR_MALFORMED_XML,
			"The XML you provided was not well-formed or did not validate against our published schema");
	for (size_t i = 0; i < in->delete->objects.n; i++)
		if (str_has(in->delete->objects.v[i].version_id)) {
			TRY(s3_mfa_check(c, &b));
			break;
		}
	for (size_t i = 0; i < in->delete->objects.n; i++) {
		const struct s3_object_identifier *id = &in->delete->objects.v[i];
		struct s3_deleted done = {0};
		status s;
		if (id->last_modified_time.has || id->size.has)
			s = call_fail(c, S3_ERR_NOT_IMPLEMENTED,
				"Conditions on size and time are those of directory buckets, which are not "
				"implemented");
		else
			s = delete_one(c, &b, id->key, id->version_id, id->e_tag, &done);
		if (status_is(s, STATUS_FAILED)) {
			add_error(c, id, out, &errors);
			continue;
		}
		TRY(s);
		if (in->delete->quiet.v) continue;
		struct s3_deleted_object *d = VEC_PUSH(c->arena, &out->deleted, &deleted);
		d->key = id->key;
		d->version_id = id->version_id;
		if (!done.marker) continue;
		d->delete_marker = SOME_BOOL(true);
		d->delete_marker_version_id = done.version_id;
	}
	return OK;
}
