/* Tags of buckets and objects: sets that are read, replaced and dropped as a whole ("Using cost allocation S3 bucket tags",
 * "Categorizing your objects using tags", Amazon S3 User Guide). */
#include "base/vec.h"
#include "services/s3/changed.h"
#include "services/s3/access.h"
#include "services/s3/config.h"
#include "services/s3/headers.h"
#include "services/s3/version.h"

enum { BUCKET_TAGS_MAX = 50, OBJECT_TAGS_MAX = 10 };

static status read_tags(
	struct call *c, const struct s3_tagging *tagging, size_t max, const char *whose, struct s3_rec_tags *out)
{
	size_t capacity = 0;
	*out = (struct s3_rec_tags){0};
	TRY(s3_config_check_digest(c));
	if (!tagging) return s3_malformed_xml(c);
	for (size_t i = 0; i < tagging->tag_set.n; i++) {
		const struct s3_tag *from = &tagging->tag_set.v[i];
		struct s3_rec_tag t = {from->key, str_or(from->value, STR(""))};
		TRY(s3_tag_check(c, &t));
		for (size_t j = 0; j < out->n; j++)
			if (str_eq(out->v[j].key, t.key))
				return call_fail(c, S3_ERR_INVALID_TAG, "Cannot provide multiple Tags with the same key");
		*VEC_PUSH(c->arena, out, &capacity) = t;
	}
	if (out->n <= max) return OK;
	return call_fail(c, S3_ERR_BAD_REQUEST, "%s cannot be greater than %zu", whose, max);
}

static void show_tags(struct call *c, const struct s3_rec_tags *tags, struct s3_tag_set *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < tags->n; i++)
		*VEC_PUSH(c->arena, out, &capacity) = (struct s3_tag){tags->v[i].key, tags->v[i].value};
}

/* ── buckets ── */

status s3_put_bucket_tagging(
	struct call *c, const struct s3_put_bucket_tagging_input *in, struct s3_put_bucket_tagging_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(read_tags(c, in->tagging, BUCKET_TAGS_MAX, "Bucket tag count", &b.tags));
	s3_bucket_save(c, &b);
	return OK;
}

status s3_get_bucket_tagging(
	struct call *c, const struct s3_get_bucket_tagging_input *in, struct s3_get_bucket_tagging_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!b.tags.n) {
		status s = call_fail(c, S3_ERR_NO_SUCH_TAG_SET, "The TagSet does not exist");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	show_tags(c, &b.tags, &out->tag_set);
	return OK;
}

status s3_delete_bucket_tagging(
	struct call *c, const struct s3_delete_bucket_tagging_input *in, struct s3_delete_bucket_tagging_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	b.tags = (struct s3_rec_tags){0};
	s3_bucket_save(c, &b);
	return OK;
}

/* ── objects ── */

status s3_put_object_tagging(
	struct call *c, const struct s3_put_object_tagging_input *in, struct s3_put_object_tagging_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_place place;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, &place));
	TRY(read_tags(c, in->tagging, OBJECT_TAGS_MAX, "Object tags", &o.tags));
	s3_version_rewrite(c, &b, in->key, &place, &o);
	TRY(s3_changed(c, &b, in->key, S3_TAGGED, &o));
	out->version_id = s3_version_shown(&b, &o);
	return OK;
}

status s3_get_object_tagging(
	struct call *c, const struct s3_get_object_tagging_input *in, struct s3_get_object_tagging_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, NULL));
	show_tags(c, &o.tags, &out->tag_set);
	out->version_id = s3_version_shown(&b, &o);
	return OK;
}

status s3_delete_object_tagging(
	struct call *c, const struct s3_delete_object_tagging_input *in, struct s3_delete_object_tagging_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_place place;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, &place));
	o.tags = (struct s3_rec_tags){0};
	s3_version_rewrite(c, &b, in->key, &place, &o);
	TRY(s3_changed(c, &b, in->key, S3_UNTAGGED, &o));
	out->version_id = s3_version_shown(&b, &o);
	return OK;
}
