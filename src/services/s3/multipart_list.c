/* ListParts and ListMultipartUploads. */
#include "base/vec.h"
#include "services/s3/checksum.h"
#include "services/s3/multipart.h"
#include "services/s3/page.h"

static struct s3_initiator *initiator_of(struct call *c, const struct s3_rec_upload *u)
{
	struct s3_initiator *i = arena_new(c->arena, struct s3_initiator);
	i->id = s3_canonical_id(c->arena, u->initiator);
	return i;
}

/* ── ListParts ── */

static status add_part(struct call *c, const struct s3_rec_upload *u, struct str value, struct s3_part *out)
{
	struct s3_rec_part p = {0};
	TRY(s3_rec_part_decode(c->arena, str_dup(c->arena, value), &p));
	out->part_number = p.number;
	out->last_modified = p.modified;
	out->e_tag = s3_quoted(c->arena, str_hex(c->arena, p.md5));
	out->size = p.size;
	if (!u->checksum_implied.v) S3_SET_CHECKSUM(out, u->checksum_algorithm, str_base64(c->arena, p.checksum));
	return OK;
}

status s3_list_parts(struct call *c, const struct s3_list_parts_input *in, struct s3_list_parts_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_upload u;
	size_t limit, capacity = 0;
	struct str key, value;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_page_limit(c, in->max_parts, "max-parts", &limit));
	if (in->part_number_marker.v < 0)
		return s3_invalid_argument(c, STR("part-number-marker"),
			str_fmt(c->arena, "%d", in->part_number_marker.v),
			"Argument part-number-marker must be an integer between 0 and 2147483647");
	TRY(s3_upload_load(c, &b, in->key, in->upload_id, &u));
	struct str space = s3_key_part(c->arena, &b, in->upload_id, 0);
	struct str from = s3_key_part(c->arena, &b, in->upload_id, (unsigned)in->part_number_marker.v + 1);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, space), false);
	status s = OK;
	while (is_ok(s) && limit && store_scan_next(scan, &key, &value)) {
		if (out->parts.n == limit) {
			out->is_truncated = SOME_BOOL(true);
			break;
		}
		s = add_part(c, &u, value, VEC_PUSH(c->arena, &out->parts, &capacity));
	}
	status ended = store_scan_end(scan);
	TRY(s);
	TRY(ended);
	out->bucket = in->bucket;
	out->key = in->key;
	out->upload_id = in->upload_id;
	out->is_truncated = SOME_BOOL(out->is_truncated.v);
	out->max_parts = SOME_I32((int32_t)limit);
	out->part_number_marker = SOME_I32(in->part_number_marker.v);
	out->next_part_number_marker = SOME_I32(out->parts.n ? out->parts.v[out->parts.n - 1].part_number.v : 0);
	out->initiator = initiator_of(c, &u);
	out->owner = s3_owner_of(c, u.object->owner);
	out->storage_class = u.object->storage_class;
	if (!u.checksum_implied.v) {
		out->checksum_algorithm = u.checksum_algorithm;
		out->checksum_type = u.checksum_type;
	}
	return OK;
}

/* ── ListMultipartUploads ── */

static status add_upload(struct call *c, bool url, const struct s3_walk_item *item, struct s3_multipart_upload *out,
	struct str *upload_id)
{
	struct s3_rec_upload u = {0};
	struct str rest = item->rest, id;
	TRY(key_read_str(c->arena, &rest, &id));
	TRY(s3_rec_upload_decode(c->arena, str_dup(c->arena, item->value), &u));
	out->upload_id = *upload_id = str_dup(c->arena, id);
	out->key = s3_shown(c, url, item->key);
	out->initiated = u.initiated;
	out->storage_class = u.object->storage_class;
	out->owner = s3_owner_of(c, u.object->owner);
	out->initiator = initiator_of(c, &u);
	if (!u.checksum_implied.v) {
		out->checksum_algorithm = u.checksum_algorithm;
		out->checksum_type = u.checksum_type;
	}
	return OK;
}

status s3_list_multipart_uploads(
	struct call *c, const struct s3_list_multipart_uploads_input *in, struct s3_list_multipart_uploads_output *out)
{
	struct s3_rec_bucket b;
	struct s3_walk walk;
	struct s3_walk_item item;
	bool url, truncated = false;
	size_t limit, uploads = 0, prefixes = 0;
	struct str last_key = STR_NONE, last_id = STR_NONE;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_encoding_check(c, in->encoding_type, &url));
	TRY(s3_page_limit(c, in->max_uploads, "max-uploads", &limit));
	struct key k = s3_key_space(c->arena, STR("upload"), &b);
	struct str space = key_done(&k);
	/* "Upload-id-marker is ignored if key-marker is not specified." */
	if (!str_empty(in->key_marker) && !str_empty(in->upload_id_marker))
		s3_walk_begin_at(&walk, c, space, in->prefix, in->delimiter,
			key_next(c->arena, s3_key_upload(c->arena, &b, in->key_marker, in->upload_id_marker)));
	else
		s3_walk_begin(&walk, c, space, in->prefix, in->delimiter, in->key_marker);
	status s = OK;
	while (is_ok(s) && limit && s3_walk_next(&walk, &item)) {
		if (out->uploads.n + out->common_prefixes.n == limit) {
			truncated = true;
			break;
		}
		last_key = item.key;
		last_id = STR_NONE;
		if (item.common)
			VEC_PUSH(c->arena, &out->common_prefixes, &prefixes)->prefix = s3_shown(c, url, item.key);
		else
			s = add_upload(c, url, &item, VEC_PUSH(c->arena, &out->uploads, &uploads), &last_id);
	}
	status ended = s3_walk_end(&walk);
	TRY(s);
	TRY(ended);
	out->bucket = in->bucket;
	out->prefix = s3_shown(c, url, str_or(in->prefix, STR("")));
	if (!str_empty(in->delimiter)) out->delimiter = s3_shown(c, url, in->delimiter);
	if (url) out->encoding_type = STR("url");
	out->key_marker = s3_shown(c, url, str_or(in->key_marker, STR("")));
	out->upload_id_marker = str_or(in->upload_id_marker, STR(""));
	out->max_uploads = SOME_I32((int32_t)limit);
	out->is_truncated = SOME_BOOL(truncated);
	if (!truncated) return OK;
	out->next_key_marker = s3_shown(c, url, last_key);
	out->next_upload_id_marker = str_or(last_id, STR(""));
	return OK;
}
