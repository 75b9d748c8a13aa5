/* Multipart uploads before their completion: begun, given parts, aborted. Parts of one upload do not disturb one
 * another: each is a record of its own, and all only read the upload's. */
#include "services/s3/multipart.h"
#include "base/rand.h"
#include "base/vec.h"
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/headers.h"
#include "services/s3/lifecycle.h"
#include "services/s3/object.h"
#include "services/s3/put.h"
#include "services/s3/sealer.h"
#include "services/s3/sse.h"

status s3_upload_load(
	struct call *c, const struct s3_rec_bucket *b, struct str key, struct str upload_id, struct s3_rec_upload *out)
{
	struct str bytes;
	*out = (struct s3_rec_upload){0};
	TRY(s3_key_check(c, key));
	status s = str_empty(upload_id) ? STATUS(NOT_FOUND)
					: store_get(c->tx, s3_key_upload(c->arena, b, key, upload_id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return s3_no_such_upload(c, upload_id);
	TRY(s);
	return s3_rec_upload_decode(c->arena, bytes, out);
}

status s3_part_number_check(struct call *c, struct opt_i32 number)
{
	if (number.v >= 1 && number.v <= S3_PARTS_MAX) return OK;
	return s3_invalid_argument(c, STR("partNumber"), str_fmt(c->arena, "%d", number.v),
		"Part number must be an integer between 1 and 10000, inclusive");
}

status s3_part_load(
	struct call *c, const struct s3_rec_bucket *b, struct str upload_id, unsigned number, struct s3_rec_part *out)
{
	struct str bytes;
	*out = (struct s3_rec_part){0};
	TRY(store_get(c->tx, s3_key_part(c->arena, b, upload_id, number), &bytes));
	return s3_rec_part_decode(c->arena, bytes, out);
}

/* ── CreateMultipartUpload ── */

/* "Checksums for multipart uploads": which algorithm goes with which type, and what is meant where nothing is said. */
static status choose_checksum(
	struct call *c, const struct s3_create_multipart_upload_input *in, struct s3_rec_upload *u)
{
	bool full = str_is(in->checksum_type, "FULL_OBJECT"), composite = str_is(in->checksum_type, "COMPOSITE");
	if (str_has(in->checksum_type) && !full && !composite)
		return call_fail(c, S3_ERR_INVALID_REQUEST, "Value for x-amz-checksum-type header is invalid.");
	if (!str_has(in->checksum_algorithm)) {
		if (full || composite)
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
				"header.");
		u->checksum_algorithm = STR("CRC64NVME");
		u->checksum_type = STR("FULL_OBJECT");
		u->checksum_implied = SOME_BOOL(true);
		return OK;
	}
	const struct s3_algorithm *g = s3_algorithm(in->checksum_algorithm);
	if (!g)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
			"[CRC32, CRC32C, "
			"CRC64NVME, SHA1, SHA256]");
	if (!g->digest) return s3_header_not_implemented(c, STR("x-amz-checksum-algorithm"));
	if ((full && !g->full) || (composite && !g->composite))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The %.*s checksum type cannot be used with the %.*s checksum algorithm.",
			STR_ARG(in->checksum_type), STR_ARG(g->name));
	u->checksum_algorithm = g->name;
	u->checksum_type = full || !g->composite ? STR("FULL_OBJECT") : STR("COMPOSITE");
	return OK;
}

status s3_create_multipart_upload(struct call *c, const struct s3_create_multipart_upload_input *in,
	struct s3_create_multipart_upload_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o = {0};
	struct s3_rec_upload u = {.initiated = SOME_TIME(c->now_ms), .initiator = c->account, .object = &o};
	struct s3_headers h = S3_HEADERS(in);
	struct s3_customer customer;
	struct s3_wrap wrap;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_key_check(c, in->key));
	TRY(s3_headers_read(c, &b, &h, &o));
	TRY(choose_checksum(c, in, &u));
	TRY(S3_CUSTOMER(c, in, &customer));
	/* What wraps the parts' keys is made here, and asked for with each part. */
	TRY(s3_sse_make(c, &b, in->key, &o, &customer, &wrap));
	struct str alphabet = STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._");
	struct str id = str_fmt(
		c->arena, "%012llx%.*s", (unsigned long long)c->now_ms, STR_ARG(rand_text(c->arena, alphabet, 52)));
	store_put(c->tx, s3_key_upload(c->arena, &b, in->key, id), s3_rec_upload_encode(c->arena, &u));
	out->bucket = in->bucket;
	out->key = in->key;
	out->upload_id = id;
	TRY(s3_lifecycle_abort(c, &b, in->key, c->now_ms, &out->abort_date, &out->abort_rule_id));
	S3_SSE_SHOW(out, o.sse, &customer);
	out->ssekms_encryption_context = o.sse->given_context;
	if (!u.checksum_implied.v) {
		out->checksum_algorithm = u.checksum_algorithm;
		out->checksum_type = u.checksum_type;
	}
	return OK;
}

/* ── UploadPart ── */

static status read_request(struct call *c, const struct s3_upload_part_input *in, struct s3_rec_bucket *b,
	struct s3_rec_upload *u, struct s3_claim *claim, struct s3_customer *customer, struct s3_wrap *wrap)
{
	struct s3_checksums sums = S3_CHECKSUMS(in);
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, b));
	TRY(s3_part_number_check(c, in->part_number));
	TRY(s3_upload_load(c, b, in->key, in->upload_id, u));
	TRY(S3_CUSTOMER(c, in, customer));
	TRY(s3_sse_open_part(c, u->object, customer, wrap));
	TRY(s3_claim_read(c, &sums, in->content_md5, in->checksum_algorithm, claim));
	struct str expected = u->checksum_implied.v ? STR("null") : str_lower(c->arena, u->checksum_algorithm);
	struct str actual = claim->algorithm ? str_lower(c->arena, claim->algorithm->name) : STR("null");
	/* A part's checksum is that of its upload. An upload that chose none takes whatever the SDKs add by themselves
	 * (it is checked, and CRC64NVME is kept); CRCs that were left out are computed here. */
	if (u->checksum_implied.v || str_eq(expected, actual)) return OK;
	if (!claim->algorithm && s3_algorithm(u->checksum_algorithm)->full) return OK;
	return call_fail(c, S3_ERR_INVALID_REQUEST,
		"Checksum Type mismatch occurred, expected checksum Type: %.*s, actual checksum Type: %.*s",
		STR_ARG(expected), STR_ARG(actual));
}

status s3_upload_part_prepare(struct call *c, const struct s3_upload_part_input *in, struct body_plan *plan)
{
	struct s3_rec_bucket b;
	struct s3_rec_upload u;
	struct s3_claim claim;
	struct s3_customer customer;
	struct s3_wrap wrap;
	TRY(read_request(c, in, &b, &u, &claim, &customer, &wrap));
	TRY(s3_length_check(c));
	plan->max_size = S3_BODY_MAX;
	s3_sealer_plan(c, plan);
	plan->digests = DIGEST_MD5 | s3_claim_digests(&claim) | s3_algorithm(u.checksum_algorithm)->digest;
	return OK;
}

/* Writes the part; what it replaces gives its body up. */
static status save_part(
	struct call *c, const struct s3_rec_bucket *b, struct str upload_id, const struct s3_rec_part *part)
{
	struct s3_rec_part old;
	unsigned number = (unsigned)part->number.v;
	status s = s3_part_load(c, b, upload_id, number, &old);
	if (is_ok(s))
		TRY(s3_extents_release(c->tx, &old.extents));
	else if (!status_is(s, STATUS_NOT_FOUND))
		return s;
	store_put(c->tx, s3_key_part(c->arena, b, upload_id, number), s3_rec_part_encode(c->arena, part));
	return OK;
}

status s3_upload_part(struct call *c, const struct s3_upload_part_input *in, struct s3_upload_part_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_upload u;
	struct s3_claim claim;
	struct s3_customer customer;
	struct s3_wrap wrap;
	const struct body *body = in->body;
	TRY(read_request(c, in, &b, &u, &claim, &customer, &wrap));
	TRY(s3_claim_check(c, &claim, &body->digests, body->trailers, body->n_trailers));
	const struct s3_algorithm *g = s3_algorithm(u.checksum_algorithm);
	struct s3_rec_part part = {
		.number = in->part_number,
		.size = SOME_I64((int64_t)body->size),
		.md5 = s3_sse_tag(c, u.object->sse, body->digests.md5),
		.modified = SOME_TIME(c->now_ms / 1000 * 1000),
		.checksum = s3_checksum_bytes(c->arena, g, &body->digests),
	};
	const struct s3_algorithm *told = claim.algorithm ? claim.algorithm : u.checksum_implied.v ? NULL : g;
	struct str sum = told ? str_base64(c->arena, s3_checksum_bytes(c->arena, told, &body->digests)) : STR_NONE;
	if (told && told != g) {
		part.claimed_algorithm = told->name;
		part.claimed = sum;
	}
	s3_sse_adopt(c, body, &wrap, &part.extents);
	TRY(save_part(c, &b, in->upload_id, &part));
	out->e_tag = s3_quoted(c->arena, str_hex(c->arena, part.md5));
	if (told) S3_SET_CHECKSUM(out, told->name, sum);
	S3_SSE_SHOW(out, u.object->sse, &customer);
	return OK;
}

/* ── UploadPartCopy ── */

/* bytes=first-last, within the source ("UploadPartCopy", API reference). */
static status copied_range(struct call *c, struct str header, uint64_t size, uint64_t *offset, uint64_t *length)
{
	uint64_t first, last;
	*offset = 0;
	*length = size;
	if (!str_has(header)) return OK;
	ptrdiff_t dash = str_chr(header, '-');
	struct str to = dash < 0 ? STR("") : str_from(header, (size_t)dash + 1);
	if (!str_starts(header, STR("bytes=")) || dash == 6 || str_empty(to) ||
		s3_range_read(header, UINT64_MAX, &first, &last) != S3_RANGE_OK)
		return s3_invalid_argument(c, STR("x-amz-copy-source-range"), header,
			"The x-amz-copy-source-range value must be of the form bytes=first-last where first and last "
			"are the "
			"zero-based offsets of the first and last bytes to copy");
	if (last >= size)
		return s3_invalid_argument(c, STR("x-amz-copy-source-range"), header,
			str_z(c->arena, str_fmt(c->arena, "Range specified is not valid for source object of size: %lu",
						(unsigned long)size)));
	*offset = first;
	*length = last - first + 1;
	return OK;
}

status s3_upload_part_copy(
	struct call *c, const struct s3_upload_part_copy_input *in, struct s3_upload_part_copy_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_upload u;
	struct s3_copy_source source = {0};
	struct s3_conditions conditions = {in->copy_source_if_match, in->copy_source_if_none_match,
		s3_condition_date(in->copy_source_if_modified_since),
		s3_condition_date(in->copy_source_if_unmodified_since)};
	uint64_t offset, length;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_part_number_check(c, in->part_number));
	TRY(s3_upload_load(c, &b, in->key, in->upload_id, &u));
	struct s3_customer customer, of_source;
	struct s3_wrap wrap;
	TRY(S3_CUSTOMER(c, in, &customer));
	TRY(S3_CUSTOMER_OF_SOURCE(c, in, &of_source));
	TRY(s3_sse_open_part(c, u.object, &customer, &wrap));
	TRY(s3_copy_source_load(c, in->copy_source, in->expected_source_bucket_owner, &conditions, &source));
	TRY(copied_range(c, in->copy_source_range, (uint64_t)source.object.size.v, &offset, &length));
	if (length > S3_BODY_MAX)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The specified copy source is larger than the maximum allowable size for a copy source: %llu",
			S3_BODY_MAX);

	const struct s3_algorithm *g = s3_algorithm(u.checksum_algorithm);
	struct s3_rec_extents all;
	struct s3_rec_part part = {
		.number = in->part_number,
		.size = SOME_I64((int64_t)length),
		.modified = SOME_TIME(c->now_ms / 1000 * 1000),
	};
	struct digests d;
	TRY(s3_sse_extents(c, &source.bucket, &source.object, &of_source, &all));
	s3_extents_slice(c->arena, &all, offset, length, &part.extents);
	TRY(s3_body_digest(c, &part.extents, DIGEST_MD5 | g->digest, &d));
	part.md5 = s3_sse_tag(c, u.object->sse, d.md5);
	part.checksum = s3_checksum_bytes(c->arena, g, &d);
	s3_sse_lock(c, &wrap, &part.extents);
	TRY(s3_extents_retain(c->tx, &part.extents));
	TRY(save_part(c, &b, in->upload_id, &part));

	struct s3_copy_part_result *r = out->copy_part_result = arena_new(c->arena, struct s3_copy_part_result);
	r->e_tag = s3_quoted(c->arena, str_hex(c->arena, part.md5));
	r->last_modified = part.modified;
	S3_SSE_SHOW(out, u.object->sse, &customer);
	if (!u.checksum_implied.v) S3_SET_CHECKSUM(r, g->name, str_base64(c->arena, part.checksum));
	return OK;
}

/* ── AbortMultipartUpload, and what goes with its bucket ── */

status s3_upload_remove(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str upload_id,
	bool (*kept)(const void *ctx, int32_t number), const void *ctx)
{
	struct str from = s3_key_part(c->arena, b, upload_id, 0), to = key_after(c->arena, from), k, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	struct {
		struct str *v;
		size_t n;
	} keys = {0};
	size_t capacity = 0;
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &k, &value)) {
		struct s3_rec_part part = {0};
		s = s3_rec_part_decode(c->arena, str_dup(c->arena, value), &part);
		*VEC_PUSH(c->arena, &keys, &capacity) = str_dup(c->arena, k);
		if (is_ok(s) && !(kept && kept(ctx, part.number.v))) s = s3_extents_release(c->tx, &part.extents);
	}
	status ended = store_scan_end(scan);
	TRY(s);
	TRY(ended);
	for (size_t i = 0; i < keys.n; i++) store_delete(c->tx, keys.v[i]);
	store_require_empty(c->tx, from, to);
	store_delete(c->tx, s3_key_upload(c->arena, b, key, upload_id));
	return OK;
}

status s3_abort_multipart_upload(
	struct call *c, const struct s3_abort_multipart_upload_input *in, struct s3_abort_multipart_upload_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_upload u;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (in->if_match_initiated_time.has) return s3_header_not_implemented(c, STR("x-amz-if-match-initiated-time"));
	TRY(s3_upload_load(c, &b, in->key, in->upload_id, &u));
	return s3_upload_remove(c, &b, in->key, in->upload_id, NULL, NULL);
}
