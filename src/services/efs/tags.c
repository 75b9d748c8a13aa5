/* Tags of file systems and access points, by the operations of today and by those of before. */
#include "services/efs/room.h"

enum { TAGS_MAX = 50 };

status efs_tags_take(struct call *c, const struct efs_tags *from, struct efs_rec_pairs *to)
{
	struct efs_rec_pairs all = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < to->n; i++) *VEC_PUSH(c->arena, &all, &capacity) = to->v[i];
	for (size_t i = 0; i < from->n; i++) {
		size_t at = 0;
		if (str_istarts(from->v[i].key, STR("aws:")) && !c->system_tags)
			return EFS_BAD(c, "Tag keys that begin with aws: are reserved.");
		while (at < all.n && !str_eq(all.v[at].key, from->v[i].key)) at++;
		if (at == all.n) VEC_PUSH(c->arena, &all, &capacity)->key = from->v[i].key;
		all.v[at].value = from->v[i].value;
	}
	if (all.n > TAGS_MAX) return EFS_BAD(c, "A resource can have at most %d tags.", TAGS_MAX);
	*to = all;
	return OK;
}

struct efs_tags efs_tags_out(struct arena *a, const struct efs_rec_pairs *t)
{
	struct efs_tags out = {arena_new_n(a, struct efs_tag, t->n), t->n};
	for (size_t i = 0; i < t->n; i++) out.v[i] = (struct efs_tag){t->v[i].key, t->v[i].value};
	return out;
}

/* Adds, takes away, or only reads the tags of either kind. */
static status change(struct call *c, struct str id, const struct efs_tags *add, const struct efs_tag_keys *drop,
	struct efs_rec_pairs *out)
{
	struct efs_rec_file_system f;
	struct efs_rec_access_point p;
	bool point = str_starts(efs_id(id), STR("fsap-"));
	TRY(point ? efs_access_point(c, id, &p) : efs_file_system(c, id, &f));
	struct efs_rec_pairs *tags = point ? &p.tags : &f.tags;
	if (add) TRY(efs_tags_take(c, add, tags));
	size_t kept = 0;
	for (size_t i = 0; drop && i < tags->n; i++) {
		bool gone = false;
		for (size_t k = 0; k < drop->n; k++) gone = gone || str_eq(drop->v[k], tags->v[i].key);
		if (!gone) tags->v[kept++] = tags->v[i];
	}
	if (drop) tags->n = kept;
	if (add || drop) {
		if (point)
			efs_put(c, EFS_ACCESS_POINT, p.access_point_id, &p);
		else
			efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	}
	if (out) *out = *tags;
	return OK;
}

status efs_tag_resource(struct call *c, const struct efs_tag_resource_input *in, struct efs_tag_resource_output *out)
{
	(void)out;
	return change(c, in->resource_id, &in->tags, NULL, NULL);
}

status efs_untag_resource(
	struct call *c, const struct efs_untag_resource_input *in, struct efs_untag_resource_output *out)
{
	(void)out;
	return change(c, in->resource_id, NULL, &in->tag_keys, NULL);
}

status efs_list_tags_for_resource(struct call *c, const struct efs_list_tags_for_resource_input *in,
	struct efs_list_tags_for_resource_output *out)
{
	struct efs_rec_pairs tags;
	TRY(change(c, in->resource_id, NULL, NULL, &tags));
	out->tags = efs_tags_out(c->arena, &tags);
	return OK;
}

status efs_create_tags(struct call *c, const struct efs_create_tags_input *in, struct efs_create_tags_output *out)
{
	(void)out;
	return change(c, in->file_system_id, &in->tags, NULL, NULL);
}

status efs_delete_tags(struct call *c, const struct efs_delete_tags_input *in, struct efs_delete_tags_output *out)
{
	(void)out;
	return change(c, in->file_system_id, NULL, &in->tag_keys, NULL);
}

status efs_describe_tags(struct call *c, const struct efs_describe_tags_input *in, struct efs_describe_tags_output *out)
{
	struct efs_rec_pairs tags;
	TRY(change(c, in->file_system_id, NULL, NULL, &tags));
	out->tags = efs_tags_out(c->arena, &tags);
	return OK;
}
