/* CompleteMultipartUpload: the parts' bodies become the object's, none is copied. Asked again, it answers as it did. */
#include "base/vec.h"
#include "services/s3/changed.h"
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/express.h"
#include "services/s3/lifecycle.h"
#include "services/s3/multipart.h"
#include "services/s3/object.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

static struct str unquoted(struct str e_tag)
{
	if (e_tag.n >= 2 && e_tag.p[0] == '"' && e_tag.p[e_tag.n - 1] == '"') return str_sub(e_tag, 1, e_tag.n - 2);
	return e_tag;
}

static status invalid_part(struct call *c, const struct s3_completed_part *p, struct str upload_id)
{
	status s = call_fail(c, S3_ERR_INVALID_PART,
		"One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
		"specified "
		"entity tag may not match the part's entity tag.");
	call_fail_detail(c, STR("UploadId"), upload_id);
	call_fail_detail(c, STR("PartNumber"), str_fmt(c->arena, "%d", p->part_number.v));
	call_fail_detail(c, STR("ETag"), unquoted(p->e_tag));
	return s;
}

static status check_list(struct call *c, const struct s3_completed_multipart_upload *list)
{
	if (!list || list->parts.n == 0 || list->parts.n > S3_PARTS_MAX)
		return call_fail(c, S3_ERR_MALFORMED_XML,
			"The XML you provided was not well-formed or did not validate against our published schema");
	for (size_t i = 0; i < list->parts.n; i++) {
		const struct s3_completed_part *p = &list->parts.v[i];
		if (!p->part_number.has || !str_has(p->e_tag))
			return call_fail(c, S3_ERR_MALFORMED_XML,
				"The XML you provided was not well-formed or did not validate against our published "
				"schema");
		TRY(s3_part_number_check(c, p->part_number));
		if (i && p->part_number.v <= list->parts.v[i - 1].part_number.v)
			return call_fail(c, S3_ERR_INVALID_PART_ORDER,
				"The list of parts was not in ascending order. The parts list must be specified in "
				"order by part "
				"number.");
	}
	return OK;
}

/* A part's checksum in the list: it has to be the part's own; of checksums of checksums, each part's has to be there.
 * (Where the SDKs choose CRC32 by themselves, callers that list entity tags alone are not refused.) */
static status check_part_sum(struct call *c, const struct s3_rec_upload *u, const struct s3_algorithm *g,
	const struct s3_completed_part *p, const struct s3_rec_part *part, struct str upload_id)
{
	struct s3_checksums sums = S3_CHECKSUMS(p);
	struct str own = str_base64(c->arena, part->checksum);
	const struct s3_algorithm *claimed = s3_algorithm(part->claimed_algorithm);
	for (size_t i = 0; i < S3_ALGORITHMS; i++) {
		if (!str_has(sums.v[i])) continue;
		struct str is = i == (size_t)g->id                    ? own
				: claimed && i == (size_t)claimed->id ? part->claimed
								      : STR("");
		if (!str_eq(sums.v[i], is)) return invalid_part(c, p, upload_id);
	}
	if (str_has(sums.v[g->id]) || !str_is(u->checksum_type, "COMPOSITE") || g->id == S3_CRC32) return OK;
	return call_fail(c, S3_ERR_INVALID_REQUEST,
		"The upload was created using a %.*s checksum. The complete request must include the checksum for each "
		"part. It "
		"was missing for part %d in the request.",
		STR_ARG(str_lower(c->arena, g->name)), p->part_number.v);
}

static status gather(struct call *c, const struct s3_complete_multipart_upload_input *in, const struct s3_rec_bucket *b,
	const struct s3_rec_upload *u, const struct s3_algorithm *g, struct s3_rec_parts *parts, int64_t *size)
{
	const struct s3_completed_part *list = in->multipart_upload->parts.v;
	size_t n = in->multipart_upload->parts.n;
	parts->v = arena_new_n(c->arena, struct s3_rec_part, n);
	parts->n = n;
	*size = 0;
	for (size_t i = 0; i < n; i++) {
		struct s3_rec_part *part = &parts->v[i];
		status s = s3_part_load(c, b, in->upload_id, (unsigned)list[i].part_number.v, part);
		if (status_is(s, STATUS_NOT_FOUND)) return invalid_part(c, &list[i], in->upload_id);
		TRY(s);
		if (!str_eq(unquoted(list[i].e_tag), str_hex(c->arena, part->md5)))
			return invalid_part(c, &list[i], in->upload_id);
		TRY(check_part_sum(c, u, g, &list[i], part, in->upload_id));
		*size += part->size.v;
	}
	for (size_t i = 0; i + 1 < n; i++) {
		if (parts->v[i].size.v >= (int64_t)S3_PART_MIN) continue;
		status s = call_fail(
			c, S3_ERR_ENTITY_TOO_SMALL, "Your proposed upload is smaller than the minimum allowed size");
		call_fail_detail(c, STR("ProposedSize"), str_fmt(c->arena, "%ld", (long)parts->v[i].size.v));
		call_fail_detail(c, STR("MinSizeAllowed"), str_fmt(c->arena, "%llu", S3_PART_MIN));
		call_fail_detail(c, STR("PartNumber"), str_fmt(c->arena, "%d", parts->v[i].number.v));
		call_fail_detail(c, STR("ETag"), str_hex(c->arena, parts->v[i].md5));
		return s;
	}
	return OK;
}

/* The MD5 of the parts' MD5s, and their number. */
static struct str e_tag_of(struct arena *a, const uint8_t (*md5s)[16], size_t n)
{
	uint8_t all[16];
	digest_md5(str_n(md5s, n * 16), all);
	return str_fmt(a, "%.*s-%zu", STR_ARG(str_hex(a, str_n(all, sizeof all))), n);
}

/* The entity tag that the listed parts make together; STR_NONE where one of theirs is not an MD5. */
static struct str listed_e_tag(struct call *c, const struct s3_completed_multipart_upload *list)
{
	uint8_t(*md5s)[16] = arena_array(c->arena, list->parts.n, 16);
	for (size_t i = 0; i < list->parts.n; i++) {
		struct str raw;
		if (!is_ok(str_unhex(c->arena, unquoted(list->parts.v[i].e_tag), &raw)) || raw.n != 16) return STR_NONE;
		memcpy(md5s[i], raw.p, 16);
	}
	return e_tag_of(c->arena, (const uint8_t(*)[16])md5s, list->parts.n);
}

/* What the client says of the whole has to be so. */
static status check_whole(struct call *c, const struct s3_complete_multipart_upload_input *in,
	const struct s3_rec_upload *u, const struct s3_algorithm *g, struct str checksum, int64_t size)
{
	struct s3_checksums sums = S3_CHECKSUMS(in);
	if (str_has(in->checksum_type) && !str_eq(in->checksum_type, u->checksum_type))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The upload was created using the %.*s checksum mode. The complete request must use the same "
			"checksum mode.",
			STR_ARG(u->checksum_type));
	if (in->mpu_object_size.has && in->mpu_object_size.v != size)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The provided 'x-amz-mp-object-size' header value %ld does not match what was computed: %ld",
			(long)in->mpu_object_size.v, (long)size);
	for (size_t i = 0; i < S3_ALGORITHMS; i++) {
		if (!str_has(sums.v[i])) continue;
		if (i != (size_t)g->id)
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"The upload was created using a %.*s checksum. The complete request must use the same "
				"algorithm.",
				STR_ARG(str_lower(c->arena, g->name)));
		/* A checksum of checksums may come without the number of parts. */
		struct str said = sums.v[i], computed = checksum;
		if (str_chr(said, '-') < 0) computed = str_cut(&computed, '-');
		if (!str_eq(said, computed))
			return call_fail(c, S3_ERR_BAD_DIGEST,
				"The %.*s you specified did not match the calculated checksum.", STR_ARG(g->name));
	}
	return OK;
}

/* "This parameter is required only when the object was created using a checksum algorithm" (CompleteMultipartUpload,
 * x-amz-server-side-encryption-customer-key). */
static status check_customer(
	struct call *c, const struct s3_complete_multipart_upload_input *in, const struct s3_rec_upload *u)
{
	struct s3_customer customer;
	struct s3_wrap wrap;
	TRY(S3_CUSTOMER(c, in, &customer));
	if (!s3_sse_is_customer(u->object->sse) || (u->checksum_implied.v && !str_has(customer.key))) return OK;
	return s3_sse_open_part(c, u->object, &customer, &wrap);
}

static void answer(struct call *c, const struct s3_complete_multipart_upload_input *in, const struct s3_rec_bucket *b,
	const struct s3_rec_object *o, struct s3_complete_multipart_upload_output *out)
{
	bool virtual_host = str_has(wire_read_host(c->http->host).bucket);
	out->location = str_fmt(c->arena, "%s://%.*s%s%.*s/%.*s", c->http->tls ? "https" : "http",
		STR_ARG(c->http->host), virtual_host ? "" : "/", virtual_host ? 0 : (int)in->bucket.n, in->bucket.p,
		STR_ARG(str_uri_encode(c->arena, in->key, true)));
	out->bucket = in->bucket;
	out->key = in->key;
	out->e_tag = s3_quoted(c->arena, o->e_tag);
	out->version_id = s3_version_shown(b, o);
	if (o->sse && !s3_sse_is_customer(o->sse)) {
		out->server_side_encryption = o->sse->algorithm;
		out->ssekms_key_id = o->sse->kms_key;
		if (o->sse->bucket_key.v) out->bucket_key_enabled = SOME_BOOL(true);
	}
	out->checksum_type = o->checksum_type;
	S3_SET_CHECKSUM(out, o->checksum_algorithm, o->checksum);
}

/* The upload is gone: where it became the current object, with these parts, the answer is the same again. */
static status answer_again(struct call *c, const struct s3_complete_multipart_upload_input *in,
	const struct s3_rec_bucket *b, struct s3_complete_multipart_upload_output *out)
{
	struct s3_rec_object o;
	struct wire_failure failure = c->failure;
	status s = s3_object_load(c, b, in->key, &o);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	c->failure = failure;
	bool same = is_ok(s) && str_eq(o.upload_id, in->upload_id) &&
		    (s3_is_directory(b) || str_eq(listed_e_tag(c, in->multipart_upload), o.e_tag));
	if (!same) return STATUS(FAILED);
	c->failure = (struct wire_failure){0};
	answer(c, in, b, &o, out);
	return OK;
}

struct kept_parts {
	const struct s3_rec_part *v;
	size_t n;
};

static bool is_kept(const void *ctx, int32_t number)
{
	const struct kept_parts *k = ctx;
	size_t low = 0, high = k->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (k->v[middle].number.v < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < k->n && k->v[low].number.v == number;
}

status s3_complete_multipart_upload(struct call *c, const struct s3_complete_multipart_upload_input *in,
	struct s3_complete_multipart_upload_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_upload u;
	struct s3_rec_parts parts;
	struct s3_rec_object existing;
	int64_t size;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(check_list(c, in->multipart_upload));
	status s = s3_upload_load(c, &b, in->key, in->upload_id, &u);
	if (status_is(s, STATUS_FAILED) && c->failure.id == S3_ERR_NO_SUCH_UPLOAD) return answer_again(c, in, &b, out);
	TRY(s);
	const struct s3_algorithm *g = s3_algorithm(u.checksum_algorithm);
	TRY(check_customer(c, in, &u));
	TRY(gather(c, in, &b, &u, g, &parts, &size));
	s = s3_object_load(c, &b, in->key, &existing);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	const struct s3_rec_object *replaced = is_ok(s) ? &existing : NULL;
	TRY(s3_write_condition(c, in->if_match, in->if_none_match, in->key, replaced));

	struct s3_rec_object o = *u.object;
	bool full = str_is(u.checksum_type, "FULL_OBJECT");
	TRY(s3_checksum_of_parts(c->arena, g, full, &parts, &o.checksum));
	TRY(check_whole(c, in, &u, g, o.checksum, size));
	o.size = SOME_I64(size);
	o.e_tag = s3_is_directory(&b) ? s3_express_tag(c->arena) : listed_e_tag(c, in->multipart_upload);
	o.modified = SOME_TIME(c->now_ms / 1000 * 1000);
	o.checksum_algorithm = g->name;
	o.checksum_type = u.checksum_type;
	o.parts_count = SOME_I32((int32_t)parts.n);
	o.upload_id = in->upload_id;
	struct kept_parts kept = {parts.v, parts.n};
	TRY(s3_upload_remove(c, &b, in->key, in->upload_id, is_kept, &kept));
	for (size_t i = 0; i < parts.n; i++)
		parts.v[i].md5 = parts.v[i].claimed_algorithm = parts.v[i].claimed = STR_NONE;
	TRY(s3_object_save(c, &b, in->key, &o, &parts, replaced));
	TRY(s3_changed(c, &b, in->key, S3_CREATED_MULTIPART, &o));
	answer(c, in, &b, &o, out);
	return s3_lifecycle_header(c, &b, in->key, &o, &out->expiration);
}
