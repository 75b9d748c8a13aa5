/* TagResource, UntagResource, ListTagsForResource: of buckets, whose tags are those of PutBucketTagging, and of access
 * points
 * ("Using tags with S3 general purpose buckets", "Using tags with S3 Access Points", Amazon S3 User Guide). */
#include "base/vec.h"
#include "services/s3/config.h"
#include "services/s3/point.h"
#include "services/s3control/control.h"

enum { TAGS_MAX = 50, TAG_KEY_MAX = 128, TAG_VALUE_MAX = 256 };

/* One of both is there. */
struct tagged {
	bool is_point;
	struct s3_rec_bucket bucket;
	struct s3_rec_point point;
};

static struct s3_rec_tags *tags_of(struct tagged *t)
{
	return t->is_point ? &t->point.tags : &t->bucket.tags;
}

static status find_point(struct call *c, struct str region, struct str account, struct str name, struct tagged *t)
{
	if (!str_eq(region, c->region) || !str_eq(account, c->account)) return STATUS(NOT_FOUND);
	t->is_point = true;
	return s3_point_load(c->tx, c->arena, account, region, name, &t->point);
}

static status find_bucket(struct call *c, struct str name, struct tagged *t)
{
	TRY(s3_bucket_by_name(c->tx, c->arena, name, &t->bucket, NULL));
	if (!str_eq(t->bucket.owner, c->account)) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	return str_eq(t->bucket.region, c->region) ? OK : STATUS(NOT_FOUND);
}

/* arn:aws:s3:::BUCKET, arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME. */
static status find(struct call *c, struct str account, struct str arn, struct tagged *t)
{
	struct str rest = arn, part[5];
	*t = (struct tagged){0};
	TRY(s3control_check_account(c, account));
	for (int i = 0; i < 5; i++) part[i] = str_cut(&rest, ':');
	if (!str_is(part[0], "arn") || !str_is(part[2], "s3") || !str_has(rest))
		return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST, "The resource ARN is not valid");
	bool point = str_starts(rest, STR("accesspoint/"));
	if (!point && (!str_empty(part[3]) || str_chr(rest, '/') >= 0))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Tags of the resource %.*s are not implemented", STR_ARG(arn));
	status s = point ? find_point(c, part[3], part[4], str_from(rest, strlen("accesspoint/")), t)
			 : find_bucket(c, rest, t);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return point ? call_fail(c, S3CONTROL_ERR_NO_SUCH_ACCESS_POINT, "The specified accesspoint does not exist")
		     : call_fail(c, S3CONTROL_ERR_NO_SUCH_BUCKET, "The specified bucket does not exist");
}

static void save(struct call *c, struct tagged *t)
{
	if (t->is_point)
		s3_point_save(c->tx, c->arena, &t->point);
	else
		store_put(c->tx, s3_key_bucket(c->arena, c->partition, t->bucket.name),
			s3_rec_bucket_encode(c->arena, &t->bucket));
}

/* The limits of "PutBucketTagging". */
static status check(struct call *c, const struct s3_rec_tag *t)
{
	size_t n = str_utf8_length(t->key);
	bool reserved = !c->system_tags && str_istarts(t->key, STR("aws:"));
	if (n >= 1 && n <= TAG_KEY_MAX && !reserved && str_utf8_length(t->value) <= TAG_VALUE_MAX) return OK;
	return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST, "The TagKey or TagValue you have provided is invalid");
}

status s3control_tags_add(struct call *c, const struct s3control_tag_list *fresh, struct s3_rec_tags *all)
{
	struct s3_rec_tags out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < all->n; i++) *VEC_PUSH(c->arena, &out, &capacity) = all->v[i];
	for (size_t i = 0; i < fresh->n; i++) {
		struct s3_rec_tag t = {fresh->v[i].key, str_or(fresh->v[i].value, STR(""))};
		size_t at = 0;
		TRY(check(c, &t));
		for (size_t j = 0; j < i; j++)
			if (str_eq(fresh->v[j].key, t.key))
				return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST,
					"Cannot provide multiple Tags with the same key");
		while (at < out.n && !str_eq(out.v[at].key, t.key)) at++;
		if (at == out.n) (void)VEC_PUSH(c->arena, &out, &capacity);
		out.v[at] = t;
	}
	if (out.n > TAGS_MAX)
		return call_fail(
			c, S3CONTROL_ERR_INVALID_REQUEST, "A resource cannot have more than %d tags", TAGS_MAX);
	*all = out;
	return OK;
}

status s3control_tag_resource(
	struct call *c, const struct s3control_tag_resource_input *in, struct s3control_tag_resource_output *out)
{
	struct tagged t;
	(void)out;
	TRY(find(c, in->account_id, in->resource_arn, &t));
	TRY(s3control_tags_add(c, &in->tags, tags_of(&t)));
	save(c, &t);
	return OK;
}

status s3control_untag_resource(
	struct call *c, const struct s3control_untag_resource_input *in, struct s3control_untag_resource_output *out)
{
	struct tagged t;
	struct s3_rec_tags left = {0};
	size_t capacity = 0;
	(void)out;
	TRY(find(c, in->account_id, in->resource_arn, &t));
	const struct s3_rec_tags *all = tags_of(&t);
	for (size_t i = 0; i < all->n; i++) {
		bool goes = false;
		for (size_t j = 0; j < in->tag_keys.n; j++) goes |= str_eq(in->tag_keys.v[j], all->v[i].key);
		if (!goes) *VEC_PUSH(c->arena, &left, &capacity) = all->v[i];
	}
	*tags_of(&t) = left;
	save(c, &t);
	return OK;
}

status s3control_list_tags_for_resource(struct call *c, const struct s3control_list_tags_for_resource_input *in,
	struct s3control_list_tags_for_resource_output *out)
{
	struct tagged t;
	size_t capacity = 0;
	TRY(find(c, in->account_id, in->resource_arn, &t));
	const struct s3_rec_tags *all = tags_of(&t);
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < all->n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) = (struct s3control_tag){all->v[i].key, all->v[i].value};
	return OK;
}
