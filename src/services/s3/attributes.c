/* GetObjectAttributes: what an object is, without its bytes. */
#include "base/vec.h"
#include "services/s3/checksum.h"
#include "services/s3/object.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"
#include "services/s3/page.h"

enum { E_TAG = 1, CHECKSUM = 2, PARTS = 4, STORAGE_CLASS = 8, SIZE = 16 };

static status read_wanted(struct call *c, const struct s3_object_attributes_list *list, unsigned *wanted)
{
	static const char *const names[] = {"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"};
	*wanted = 0;
	for (size_t i = 0; i < list->n; i++) {
		unsigned bit = 0;
		for (unsigned j = 0; j < sizeof names / sizeof *names; j++)
			if (str_eq(str_trim(list->v[i]), str_c(names[j]))) bit = 1u << j;
		if (!bit)
			return s3_invalid_argument(
				c, STR("x-amz-object-attributes"), list->v[i], "Invalid attribute name specified.");
		*wanted |= bit;
	}
	return OK;
}

static status list_parts(struct call *c, const struct s3_get_object_attributes_input *in, const struct s3_rec_bucket *b,
	const struct s3_rec_object *o, struct s3_get_object_attributes_output *out)
{
	struct s3_rec_parts parts;
	size_t limit, capacity = 0;
	TRY(s3_page_limit(c, in->max_parts, "max-parts", &limit));
	int32_t marker = in->part_number_marker.v;
	if (marker < 0)
		return s3_invalid_argument(c, STR("x-amz-part-number-marker"), str_fmt(c->arena, "%d", marker),
			"Argument part-number-marker must be an integer between 0 and 2147483647");
	TRY(s3_object_parts(c, b, o, &parts));
	struct s3_get_object_attributes_parts *p = out->object_parts =
		arena_new(c->arena, struct s3_get_object_attributes_parts);
	p->total_parts_count = o->parts_count;
	/* "For general purpose buckets, if an object is uploaded without additional checksums … only PartsCount": those
	 * that became one checksum of the whole are not told by part. */
	if (!str_is(o->checksum_type, "COMPOSITE")) return OK;
	p->part_number_marker = SOME_I32(marker);
	p->max_parts = SOME_I32((int32_t)limit);
	p->is_truncated = SOME_BOOL(false);
	p->next_part_number_marker = SOME_I32(marker);
	for (size_t i = (size_t)marker; i < parts.n; i++) {
		if (p->parts.n == limit) {
			p->is_truncated = SOME_BOOL(true);
			break;
		}
		struct s3_object_part *part = VEC_PUSH(c->arena, &p->parts, &capacity);
		part->part_number = SOME_I32((int32_t)i + 1);
		part->size = parts.v[i].size;
		S3_SET_CHECKSUM(part, o->checksum_algorithm, str_base64(c->arena, parts.v[i].checksum));
		p->next_part_number_marker = part->part_number;
	}
	return OK;
}

status s3_get_object_attributes(
	struct call *c, const struct s3_get_object_attributes_input *in, struct s3_get_object_attributes_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	unsigned wanted;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_key_check(c, in->key));
	TRY(read_wanted(c, &in->object_attributes, &wanted));
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, NULL));
	struct s3_customer customer;
	TRY(S3_CUSTOMER(c, in, &customer));
	TRY(s3_sse_check(c, &o, &customer));
	out->version_id = s3_version_shown(&b, &o);
	out->last_modified = o.modified;
	if (wanted & E_TAG) out->e_tag = o.e_tag; /* without quotes here, unlike everywhere else */
	if (wanted & STORAGE_CLASS) out->storage_class = o.storage_class;
	if (wanted & SIZE) out->object_size = o.size;
	if (wanted & CHECKSUM && str_has(o.checksum)) {
		out->checksum = arena_new(c->arena, struct s3_checksum);
		out->checksum->checksum_type = o.checksum_type;
		S3_SET_CHECKSUM(out->checksum, o.checksum_algorithm, o.checksum);
	}
	return wanted & PARTS && o.parts_count.has ? list_parts(c, in, &b, &o, out) : OK;
}
