/* Writing an object without a request. */
#include "services/s3/own.h"
#include "services/s3/changed.h"
#include "services/s3/checksum.h"
#include "services/s3/sealer.h"
#include "services/s3/sse.h"

static status seal(struct s3_sealer *sealer, struct blob_writer *w, struct str bytes, struct body *body)
{
	TRY(s3_sealer_write(sealer, w, bytes.p, bytes.n));
	TRY(s3_sealer_end(sealer, w));
	TRY(blob_seal(w, &body->ref));
	body->writer = w;
	body->size = bytes.n;
	body->filter_ctx = sealer;
	return OK;
}

static status save(
	struct call *c, const struct s3_rec_bucket *b, struct str key, const struct body *body, struct str content_type)
{
	struct s3_customer customer = {0};
	struct s3_sse_wish wish = {0};
	struct s3_wrap wrap;
	struct s3_rec_object existing, o = {
					       .size = SOME_I64((int64_t)body->size),
					       .modified = SOME_TIME(c->now_ms / 1000 * 1000),
					       .content_type = content_type,
					       .storage_class = STR("STANDARD"),
					       .owner = b->owner,
					       .checksum_algorithm = STR("CRC64NVME"),
					       .checksum_type = STR("FULL_OBJECT"),
				       };
	status found = s3_object_load(c, b, key, &existing);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	TRY(s3_sse_choose(c, b, &wish, &o.sse));
	TRY(s3_sse_make(c, b, key, &o, &customer, &wrap));
	o.e_tag = str_hex(c->arena, s3_sse_tag(c, o.sse, body->digests.md5));
	o.checksum =
		str_base64(c->arena, s3_checksum_bytes(c->arena, s3_algorithm(o.checksum_algorithm), &body->digests));
	s3_sse_adopt(c, body, &wrap, &o.extents);
	TRY(s3_object_save(c, b, key, &o, NULL, is_ok(found) ? &existing : NULL));
	return s3_changed(c, b, key, S3_CREATED_PUT, &o);
}

status s3_own_put(
	struct call *c, const struct s3_rec_bucket *b, struct str key, struct str bytes, struct str content_type)
{
	struct body body = {0};
	struct s3_sealer *sealer = s3_sealer_new(bytes.n);
	struct blob_writer *w = blob_writer_new(c->cloud->store, UINT64_MAX);
	struct digester *d = digester_new(DIGEST_MD5 | DIGEST_CRC64NVME);
	digester_update(d, bytes.p, bytes.n);
	digester_final(d, &body.digests);
	digester_free(d);
	status s = seal(sealer, w, bytes, &body);
	if (is_ok(s)) s = save(c, b, key, &body, content_type);
	blob_writer_free(w);
	s3_sealer_free(sealer);
	return s;
}
