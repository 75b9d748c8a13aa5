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

static status save(struct call *c, const struct s3_rec_bucket *b, const struct s3_own *own, const struct body *body)
{
	struct s3_customer customer = {0};
	struct s3_sse_wish wish = {0};
	struct s3_wrap wrap;
	struct s3_rec_object existing, o = {
					       .size = SOME_I64((int64_t)body->size),
					       .modified = SOME_TIME(c->now_ms / 1000 * 1000),
					       .content_type = own->content_type,
					       .content_encoding = own->content_encoding,
					       .metadata = own->metadata,
					       .storage_class = STR("STANDARD"),
					       .owner = b->owner,
					       .checksum_algorithm = STR("CRC64NVME"),
					       .checksum_type = STR("FULL_OBJECT"),
				       };
	if (str_has(own->kms_key)) {
		wish.algorithm = STR("aws:kms");
		wish.kms_key = own->kms_key;
		wish.context = own->kms_context;
	}
	if (own->sse_s3) wish.algorithm = STR("AES256");
	status found = s3_object_load(c, b, own->key, &existing);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	TRY(s3_sse_choose(c, b, &wish, &o.sse));
	TRY(s3_sse_make(c, b, own->key, &o, &customer, &wrap));
	o.e_tag = str_hex(c->arena, s3_sse_tag(c, o.sse, body->digests.md5));
	o.checksum =
		str_base64(c->arena, s3_checksum_bytes(c->arena, s3_algorithm(o.checksum_algorithm), &body->digests));
	s3_sse_adopt(c, body, &wrap, &o.extents);
	TRY(s3_object_save(c, b, own->key, &o, NULL, is_ok(found) ? &existing : NULL));
	return s3_changed(c, b, own->key, S3_CREATED_PUT, &o);
}

status s3_own_put_as(struct call *c, const struct s3_rec_bucket *b, const struct s3_own *o)
{
	struct body body = {0};
	struct s3_sealer *sealer = s3_sealer_new(o->bytes.n);
	struct blob_writer *w = blob_writer_new(c->cloud->store, UINT64_MAX);
	struct digester *d = digester_new(DIGEST_MD5 | DIGEST_CRC64NVME);
	digester_update(d, o->bytes.p, o->bytes.n);
	digester_final(d, &body.digests);
	digester_free(d);
	status s = seal(sealer, w, o->bytes, &body);
	if (is_ok(s)) s = save(c, b, o, &body);
	blob_writer_free(w);
	s3_sealer_free(sealer);
	return s;
}

status s3_own_put(
	struct call *c, const struct s3_rec_bucket *b, struct str key, struct str bytes, struct str content_type)
{
	struct s3_own o = {.key = key,
		.bytes = bytes,
		.content_type = content_type,
		.content_encoding = STR_NONE,
		.kms_key = STR_NONE,
		.kms_context = STR_NONE};
	return s3_own_put_as(c, b, &o);
}
