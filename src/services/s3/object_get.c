/* GetObject and HeadObject: one reading of the request, one of the object, and the same headers for both. */
#include "services/s3/archive.h"
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/lifecycle.h"
#include "services/s3/object.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

/* What both operations ask. */
struct wanted {
	struct str bucket, key, range, version_id, checksum_mode, expected_bucket_owner;
	struct str sse_customer_algorithm, sse_customer_key, sse_customer_key_md5;
	struct str cache_control, content_disposition, content_encoding, content_language, content_type;
	struct opt_time expires;
	struct opt_i32 part_number;
	struct s3_conditions conditions;
};
#define WANTED(in)                                                                                                     \
	((struct wanted){                                                                                              \
		.bucket = (in)->bucket,                                                                                \
		.key = (in)->key,                                                                                      \
		.range = (in)->range,                                                                                  \
		.version_id = (in)->version_id,                                                                        \
		.checksum_mode = (in)->checksum_mode,                                                                  \
		.expected_bucket_owner = (in)->expected_bucket_owner,                                                  \
		.sse_customer_algorithm = (in)->sse_customer_algorithm,                                                \
		.sse_customer_key = (in)->sse_customer_key,                                                            \
		.sse_customer_key_md5 = (in)->sse_customer_key_md5,                                                    \
		.cache_control = (in)->response_cache_control,                                                         \
		.content_disposition = (in)->response_content_disposition,                                             \
		.content_encoding = (in)->response_content_encoding,                                                   \
		.content_language = (in)->response_content_language,                                                   \
		.content_type = (in)->response_content_type,                                                           \
		.expires = (in)->response_expires,                                                                     \
		.part_number = (in)->part_number,                                                                      \
		.conditions = {(in)->if_match, (in)->if_none_match, s3_condition_date((in)->if_modified_since),        \
			s3_condition_date((in)->if_unmodified_since)},                                                 \
	})

/* What both operations answer. */
struct found {
	struct s3_rec_bucket bucket;
	struct s3_rec_object object;
	bool not_modified;
	uint64_t offset, size;    /* of the bytes asked for */
	struct str content_range; /* absent: the whole object, as asked */
	struct str checksum, checksum_type;
	struct s3_metadata metadata;
	struct s3_customer customer;
	struct s3_archive archive;
	struct str expiration; /* x-amz-expiration */
};

/* "Encryption request headers, like x-amz-server-side-encryption, should not be sent for GET requests if your object
 * uses server-side encryption with … SSE-KMS … or SSE-S3. If you include the header in your GET requests for the object
 * that uses these types of keys, you'll get an HTTP 400 Bad Request error" (GetObject). */
static status check_encryption_header(struct call *c)
{
	struct str name = STR("x-amz-server-side-encryption"), value = call_request_header(c, name);
	if (!str_has(value)) return OK;
	return s3_invalid_argument(
		c, name, value, "x-amz-server-side-encryption header is not supported for this operation.");
}

static status unsatisfiable(struct call *c, struct str range, uint64_t size)
{
	status s = call_fail(c, S3_ERR_INVALID_RANGE, "The requested range is not satisfiable");
	call_fail_detail(c, STR("RangeRequested"), range);
	call_fail_detail(c, STR("ActualObjectSize"), str_fmt(c->arena, "%lu", (unsigned long)size));
	call_header(c, STR("Content-Range"), str_fmt(c->arena, "bytes */%lu", (unsigned long)size));
	return s;
}

static struct str content_range(struct call *c, const struct found *f)
{
	unsigned long total = (unsigned long)f->object.size.v;
	return str_fmt(c->arena, "bytes %lu-%lu/%lu", (unsigned long)f->offset,
		(unsigned long)(f->offset + f->size - 1), total);
}

/* One part of a multipart object, or the whole of any other as its part 1. */
static status choose_part(struct call *c, const struct wanted *w, struct found *f)
{
	int32_t number = w->part_number.v;
	struct s3_rec_object *o = &f->object;
	if (str_has(w->range))
		return call_fail(
			c, S3_ERR_INVALID_REQUEST, "Cannot specify both Range header and partNumber query parameter");
	if (number < 1 || number > S3_PARTS_MAX)
		return s3_invalid_argument(c, STR("partNumber"), str_fmt(c->arena, "%d", number),
			"Part number must be an integer between 1 and 10000, inclusive");
	struct s3_rec_parts parts = {0};
	status s = s3_object_parts(c, &f->bucket, o, &parts);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if ((uint64_t)number > (is_ok(s) ? parts.n : 1)) {
		s = call_fail(c, S3_ERR_INVALID_PART_NUMBER, "The requested partnumber is not satisfiable");
		call_fail_detail(c, STR("PartNumberRequested"), str_fmt(c->arena, "%d", number));
		call_fail_detail(c, STR("ActualPartCount"), str_fmt(c->arena, "%zu", is_ok(s) ? parts.n : 1));
		return s;
	}
	if (is_ok(s)) {
		for (int32_t i = 0; i + 1 < number; i++) f->offset += (uint64_t)parts.v[i].size.v;
		const struct s3_rec_part *p = &parts.v[number - 1];
		f->size = (uint64_t)p->size.v;
		f->checksum = p->checksum.n ? str_base64(c->arena, p->checksum) : STR_NONE;
	}
	if (f->size) f->content_range = content_range(c, f);
	return OK;
}

static status choose_bytes(struct call *c, const struct wanted *w, struct found *f)
{
	uint64_t first, last;
	f->size = (uint64_t)f->object.size.v;
	f->checksum = f->object.checksum;
	f->checksum_type = f->object.checksum_type;
	if (w->part_number.has) return choose_part(c, w, f);
	switch (s3_range_read(w->range, f->size, &first, &last)) {
	case S3_RANGE_NONE:
		return OK;
	case S3_RANGE_UNSATISFIABLE:
		return unsatisfiable(c, w->range, f->size);
	case S3_RANGE_OK:
		break;
	}
	/* A checksum of the whole says nothing of a piece; clients would compare. */
	if (first != 0 || last + 1 != f->size) f->checksum = STR_NONE;
	f->offset = first;
	f->size = last - first + 1;
	f->content_range = content_range(c, f);
	return OK;
}

/* "Request specific response headers cannot be used for anonymous GET requests" ("GetObject", API reference). */
static status check_overrides(struct call *c, const struct wanted *w)
{
	if (c->principal.kind != PRINCIPAL_ANONYMOUS) return OK;
	if (!str_has(w->cache_control) && !str_has(w->content_disposition) && !str_has(w->content_encoding) &&
		!str_has(w->content_language) && !str_has(w->content_type) && !w->expires.has)
		return OK;
	return call_fail(c, S3_ERR_INVALID_REQUEST,
		"Request specific response headers cannot be used for anonymous GET requests.");
}

static status find(struct call *c, const struct wanted *w, bool head, struct found *f)
{
	TRY(s3_bucket_load(c, w->bucket, w->expected_bucket_owner, &f->bucket));
	TRY(check_overrides(c, w));
	TRY(s3_key_check(c, w->key));
	struct s3_place place;
	TRY(s3_version_find(c, &f->bucket, w->key, w->version_id, &f->object, &place));
	TRY(check_encryption_header(c));
	TRY(S3_CUSTOMER(c, w, &f->customer));
	TRY(s3_sse_check(c, &f->object, &f->customer));
	struct str header = STR_NONE;
	switch (s3_conditions_judge(&w->conditions, f->object.e_tag, f->object.modified.ms, &header)) {
	case S3_PRECONDITION_FAILED:
		return s3_precondition_failed(c, header);
	case S3_NOT_MODIFIED:
		f->not_modified = true;
		c->response_code = 304;
		return OK;
	case S3_PROCEED:
		break;
	}
	TRY(s3_archive_of(c, &f->bucket, w->key, &f->object, &f->archive));
	if (!head) TRY(s3_archive_check(c, &f->bucket, w->key, &f->object));
	if (place.current) TRY(s3_lifecycle_header(c, &f->bucket, w->key, &f->object, &f->expiration));
	TRY(choose_bytes(c, w, f));
	if (str_has(f->content_range)) c->response_code = 206;
	size_t n = f->object.metadata.n;
	f->metadata.v = n ? arena_new_n(c->arena, struct s3_metadata_entry, n) : NULL;
	f->metadata.n = n;
	for (size_t i = 0; i < n; i++)
		f->metadata.v[i] =
			(struct s3_metadata_entry){f->object.metadata.v[i].key, f->object.metadata.v[i].value};
	return OK;
}

static struct str expires_text(struct call *c, const struct wanted *w, const struct s3_rec_object *o)
{
	return w->expires.has ? time_rfc822(c->arena, w->expires.ms) : o->expires;
}

static bool standard(struct str storage_class)
{
	return str_is(storage_class, "STANDARD");
}

/* Both outputs have the same members. */
#define ANSWER(out, c, w, f)                                                                                           \
	do {                                                                                                           \
		const struct s3_rec_object *o_ = &(f)->object;                                                         \
		(out)->e_tag = s3_quoted((c)->arena, o_->e_tag);                                                       \
		(out)->version_id = s3_version_shown(&(f)->bucket, o_);                                                \
		(out)->last_modified = o_->modified;                                                                   \
		(out)->cache_control = str_or((w)->cache_control, o_->cache_control);                                  \
		(out)->expires = expires_text((c), (w), o_);                                                           \
		if ((f)->not_modified) break;                                                                          \
		(out)->accept_ranges = STR("bytes");                                                                   \
		(out)->content_length = SOME_I64((int64_t)(f)->size);                                                  \
		(out)->content_range = (f)->content_range;                                                             \
		(out)->content_disposition = str_or((w)->content_disposition, o_->content_disposition);                \
		(out)->content_encoding = str_or((w)->content_encoding, o_->content_encoding);                         \
		(out)->content_language = str_or((w)->content_language, o_->content_language);                         \
		(out)->content_type = str_or((w)->content_type, o_->content_type);                                     \
		(out)->website_redirect_location = o_->website_redirect;                                               \
		(out)->replication_status = o_->replication;                                                           \
		(out)->expiration = (f)->expiration;                                                                   \
		(out)->restore = s3_archive_header((c), &(f)->archive);                                                \
		S3_SSE_SHOW((out), o_->sse, &(f)->customer);                                                           \
		(out)->metadata = (f)->metadata;                                                                       \
		if (!standard(o_->storage_class)) (out)->storage_class = o_->storage_class;                            \
		(out)->object_lock_mode = o_->lock_mode;                                                               \
		(out)->object_lock_retain_until_date = o_->retain_until;                                               \
		if (o_->legal_hold.has)                                                                                \
			(out)->object_lock_legal_hold_status = o_->legal_hold.v ? STR("ON") : STR("OFF");              \
		if (o_->tags.n) (out)->tag_count = SOME_I32((int32_t)o_->tags.n);                                      \
		if ((w)->part_number.has && o_->parts_count.has) (out)->parts_count = o_->parts_count;                 \
		if (str_is((w)->checksum_mode, "ENABLED") && str_has((f)->checksum)) {                                 \
			S3_SET_CHECKSUM((out), o_->checksum_algorithm, (f)->checksum);                                 \
			(out)->checksum_type = (f)->checksum_type;                                                     \
		}                                                                                                      \
	} while (0)

status s3_get_object(struct call *c, const struct s3_get_object_input *in, struct s3_get_object_output *out)
{
	struct wanted w = WANTED(in);
	struct found f = {0};
	TRY(find(c, &w, false, &f));
	ANSWER(out, c, &w, &f);
	if (f.not_modified) return OK;
	s3_tiering_touch(c, &f.bucket, in->key, &f.object);
	struct s3_rec_extents x;
	TRY(s3_sse_extents(c, &f.bucket, &f.object, &f.customer, &x));
	return s3_body_open(c, &x, f.offset, f.size, &out->body);
}

status s3_head_object(struct call *c, const struct s3_head_object_input *in, struct s3_head_object_output *out)
{
	struct wanted w = WANTED(in);
	struct found f = {0};
	TRY(find(c, &w, true, &f));
	ANSWER(out, c, &w, &f);
	out->archive_status = f.archive.access_tier;
	return OK;
}
