/* Tags of users and roles. */
#include "services/iam/internal.h"

static status tag(struct call *c, enum iam_kind kind, struct str name, const struct iam_tag_list_type *tags)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, kind, name, &e));
	TRY(iam_tags_set(c, &e.tags, tags));
	iam_put(c, kind, &e);
	return OK;
}

static status untag(struct call *c, enum iam_kind kind, struct str name, const struct iam_tag_key_list_type *keys)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, kind, name, &e));
	iam_tags_drop(&e.tags, keys);
	iam_put(c, kind, &e);
	return OK;
}

#define TAGGING(KIND, kind)                                                                                            \
	status iam_tag_##kind(                                                                                         \
		struct call *c, const struct iam_tag_##kind##_input *in, struct iam_tag_##kind##_output *out)          \
	{                                                                                                              \
		(void)out;                                                                                             \
		return tag(c, KIND, in->kind##_name, &in->tags);                                                       \
	}                                                                                                              \
	status iam_untag_##kind(                                                                                       \
		struct call *c, const struct iam_untag_##kind##_input *in, struct iam_untag_##kind##_output *out)      \
	{                                                                                                              \
		(void)out;                                                                                             \
		return untag(c, KIND, in->kind##_name, &in->tag_keys);                                                 \
	}                                                                                                              \
	status iam_list_##kind##_tags(struct call *c, const struct iam_list_##kind##_tags_input *in,                   \
		struct iam_list_##kind##_tags_output *out)                                                             \
	{                                                                                                              \
		struct iam_rec_entity e;                                                                               \
		TRY(iam_get(c, KIND, in->kind##_name, &e));                                                            \
		return iam_tags_page(                                                                                  \
			c, &e.tags, in->marker, in->max_items, &out->tags, &out->is_truncated, &out->marker);          \
	}
TAGGING(IAM_USER, user)
TAGGING(IAM_ROLE, role)
