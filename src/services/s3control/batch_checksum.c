/* S3ComputeObjectChecksum ("Compute checksums"): the object is read as the role, and what its bytes amount to stands in
 * the report. */
#include "services/s3/checksum.h"
#include "services/s3control/batch.h"
#include <stdlib.h>

enum { PIECE = 256 * 1024 };

static status digest_body(const struct body *b, struct digester *d)
{
	if (str_has(b->bytes)) {
		digester_update(d, b->bytes.p, b->bytes.n);
		return OK;
	}
	char *p = mem_new(PIECE);
	status s = OK;
	for (uint64_t at = 0; is_ok(s) && at < b->size;) {
		size_t want = b->size - at < PIECE ? (size_t)(b->size - at) : PIECE, got = 0;
		if (b->read) {
			int64_t n = b->read(b->read_ctx, at, p, want);
			if (n < 0) s = STATUS(IO);
			got = n > 0 ? (size_t)n : 0;
		} else if (b->blob) {
			s = blob_read(b->blob, b->offset + at, p, want, &got);
		}
		if (!got) break;
		digester_update(d, p, got);
		at += got;
	}
	free(p);
	return s;
}

void batch_checksum(struct batch *b, const struct s3control_s3_compute_object_checksum_operation *o,
	const struct s3control_rec_row *row, struct batch_outcome *out)
{
	struct s3_get_object_input in = {.bucket = b->job->bucket, .key = row->key, .version_id = row->version_id};
	const struct s3_algorithm *g = s3_algorithm(str_or(o->checksum_algorithm, STR("CRC64NVME")));
	struct inside *i = inside_run(b->cloud, &b->who, "s3", S3_OP_GET_OBJECT, &in, NULL);
	*out = (struct batch_outcome){.ok = i->ok, .http_status = i->http_status};
	if (!i->ok) {
		out->code = str_dup(b->a, i->code);
		out->message = str_dup(b->a, i->message);
		inside_free(i);
		return;
	}
	const struct s3_get_object_output *got = i->out;
	struct digests digests;
	struct digester *d = digester_new(g->digest);
	status s = got->body ? digest_body(got->body, d) : OK;
	digester_final(d, &digests);
	digester_free(d);
	if (is_ok(s)) {
		struct str sum = s3_checksum_bytes(b->a, g, &digests), tag = got->e_tag;
		if (tag.n >= 2) tag = str_sub(tag, 1, tag.n - 2);
		out->message = str_fmt(b->a,
			"{\"checksumAlgorithm\":\"%.*s\",\"checksumType\":\"FULL_OBJECT\",\"checksum_base64\":\"%.*s\","
			"\"checksum_hex\":\"%.*s\",\"etag\":\"%.*s\"}",
			STR_ARG(g->name), STR_ARG(str_base64(b->a, sum)), STR_ARG(str_hex(b->a, sum)), STR_ARG(tag));
	} else {
		*out = (struct batch_outcome){.http_status = 500,
			.code = STR("InternalError"),
			.message = STR("We encountered an internal error. Please try again.")};
	}
	inside_free(i);
}
