/* Tags of secrets: TagResource and UntagResource. */
#include "services/secretsmanager/room.h"

status sm_tags_set(struct call *c, struct sm_secret *s, const struct secretsmanager_tag *tags, size_t n)
{
	struct secretsmanager_rec_pairs all = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < s->r.tags.n; i++) *VEC_PUSH(c->arena, &all, &capacity) = s->r.tags.v[i];
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		if (!str_has(tags[i].key))
			return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION, "Tag keys can't be null.");
		if (!c->system_tags && str_istarts(tags[i].key, STR("aws:")))
			return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
				"Tag keys that begin with aws: are reserved for AWS use.");
		for (size_t j = 0; j < i; j++)
			if (str_eq(tags[i].key, tags[j].key))
				return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
					"Duplicate tag keys found: %.*s", STR_ARG(tags[i].key));
		while (at < all.n && !str_eq(all.v[at].key, tags[i].key)) at++;
		if (at == all.n) VEC_PUSH(c->arena, &all, &capacity)->key = tags[i].key;
		all.v[at].value = str_or(tags[i].value, STR(""));
	}
	if (all.n > SM_TAGS_MAX)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"A secret can have at most %d tags.", SM_TAGS_MAX);
	s->r.tags = all;
	return OK;
}

struct secretsmanager_tag_list_type sm_tags_out(struct arena *a, const struct sm_secret *s)
{
	struct secretsmanager_tag_list_type out = {arena_new_n(a, struct secretsmanager_tag, s->r.tags.n), s->r.tags.n};
	for (size_t i = 0; i < out.n; i++)
		out.v[i] = (struct secretsmanager_tag){s->r.tags.v[i].key, s->r.tags.v[i].value};
	return out;
}

status secretsmanager_tag_resource(struct call *c, const struct secretsmanager_tag_resource_input *in,
	struct secretsmanager_tag_resource_output *out)
{
	(void)out;
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, 0, &s));
	TRY(sm_tags_set(c, &s, in->tags.v, in->tags.n));
	s.r.changed = SOME_TIME(c->now_ms);
	return sm_save(c, &s);
}

status secretsmanager_untag_resource(struct call *c, const struct secretsmanager_untag_resource_input *in,
	struct secretsmanager_untag_resource_output *out)
{
	(void)out;
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, 0, &s));
	size_t kept = 0;
	for (size_t i = 0; i < s.r.tags.n; i++) {
		bool gone = false;
		for (size_t j = 0; j < in->tag_keys.n; j++) gone |= str_eq(in->tag_keys.v[j], s.r.tags.v[i].key);
		if (!gone) s.r.tags.v[kept++] = s.r.tags.v[i];
	}
	s.r.tags.n = kept;
	s.r.changed = SOME_TIME(c->now_ms);
	return sm_save(c, &s);
}
