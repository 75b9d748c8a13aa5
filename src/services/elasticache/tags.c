/* Tags, kept with their resources. "Tagging your ElastiCache resources", the guide. Those of a replication group are
 * its nodes' too. */
#include "services/elasticache/room.h"

enum { TAGS_MAX = 50, KEY_MAX = 128, VALUE_MAX = 256 };

status cache_tags_set(struct call *c, struct elasticache_rec_pairs *to, const struct elasticache_tag *tags, size_t n)
{
	size_t capacity = to->n;
	for (size_t i = 0; i < n; i++) {
		struct elasticache_rec_pair *found = NULL;
		if (!tags[i].key.n || str_utf8_length(tags[i].key) > KEY_MAX ||
			str_utf8_length(tags[i].value) > VALUE_MAX)
			return CACHE_BAD_VALUE(
				c, "Tag keys have 1 to %d characters, tag values at most %d.", KEY_MAX, VALUE_MAX);
		if (str_istarts(tags[i].key, STR("aws:")) && !c->system_tags)
			return CACHE_BAD_VALUE(c, "Tag keys can't begin with aws:.");
		for (size_t k = 0; k < to->n; k++)
			if (str_eq(to->v[k].key, tags[i].key)) found = &to->v[k];
		if (!found) found = VEC_PUSH(c->arena, to, &capacity);
		*found = (struct elasticache_rec_pair){.key = tags[i].key, .value = str_or(tags[i].value, STR(""))};
	}
	if (to->n > TAGS_MAX)
		return CACHE_FAIL(c, TAG_QUOTA_PER_RESOURCE_EXCEEDED, "A resource can have at most %d tags.", TAGS_MAX);
	return OK;
}

/* What an ARN names: its kind, its record and where its tags lie. */
struct tagged {
	const struct cache_kind *kind;
	struct str name;
	void *record;
	struct elasticache_rec_pairs *pairs;
};

static status find(struct call *c, struct str arn, struct tagged *out)
{
	struct str rest = arn, part[6] = {{0}};
	struct cache_place at = cache_here(c);
	for (unsigned i = 0; i < 6 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	*out = (struct tagged){.name = rest};
	if (!str_is(part[0], "arn") || !str_is(part[2], "elasticache") || !str_has(rest) ||
		!str_eq(part[3], c->region) || !str_eq(part[4], c->account))
		return CACHE_FAIL(c, INVALID_ARN_FAULT, "Invalid ARN: %.*s", STR_ARG(arn));
	bool cluster = str_eq(part[5], str_c(cache_kind_cluster.name));
	if (cluster || str_eq(part[5], str_c(cache_kind_group.name))) {
		struct elasticache_rec_unit *u = arena_new(c->arena, struct elasticache_rec_unit);
		TRY(cluster ? cache_cluster_find(c, rest, u) : cache_group_find(c, rest, u));
		*out = (struct tagged){&cache_kind_unit, u->id, u, &u->tags};
		return OK;
	}
	status s;
	error_id absent;
#define FIND(kind_, type, absent_)                                                                                     \
	if (str_eq(part[5], str_c(kind_.name))) {                                                                      \
		struct type *r = arena_new(c->arena, struct type);                                                     \
		out->kind = &kind_, out->record = r, out->pairs = &r->tags;                                            \
		s = cache_load(at, out->kind, rest, r);                                                                \
		absent = absent_;                                                                                      \
	} else
	FIND(cache_kind_subnet_group, elasticache_rec_subnet_group, ELASTICACHE_ERR_CACHE_SUBNET_GROUP_NOT_FOUND_FAULT)
	FIND(cache_kind_parameter_group, elasticache_rec_parameter_group,
		ELASTICACHE_ERR_CACHE_PARAMETER_GROUP_NOT_FOUND_FAULT)
	FIND(cache_kind_user, elasticache_rec_user, ELASTICACHE_ERR_USER_NOT_FOUND_FAULT)
	FIND(cache_kind_user_group, elasticache_rec_user_group, ELASTICACHE_ERR_USER_GROUP_NOT_FOUND_FAULT)
	FIND(cache_kind_snapshot, elasticache_rec_snapshot, ELASTICACHE_ERR_SNAPSHOT_NOT_FOUND_FAULT)
	return CACHE_FAIL(c, INVALID_ARN_FAULT, "Invalid ARN: %.*s", STR_ARG(arn));
	return status_is(s, STATUS_NOT_FOUND) ? call_fail(c, absent, "%.*s not found.", STR_ARG(rest)) : s;
}

static void answer(struct call *c, const struct elasticache_rec_pairs *p, struct elasticache_tag_list *out)
{
	*out = (struct elasticache_tag_list){arena_new_n(c->arena, struct elasticache_tag, p->n), p->n};
	for (size_t i = 0; i < p->n; i++) out->v[i] = (struct elasticache_tag){p->v[i].key, p->v[i].value};
}

status elasticache_add_tags_to_resource(struct call *c, const struct elasticache_add_tags_to_resource_input *in,
	struct elasticache_add_tags_to_resource_output *out)
{
	struct tagged t;
	TRY(find(c, in->resource_name, &t));
	TRY(cache_tags_set(c, t.pairs, in->tags.v, in->tags.n));
	cache_put(cache_here(c), t.kind, t.name, t.record);
	answer(c, t.pairs, &out->tag_list);
	return OK;
}

status elasticache_remove_tags_from_resource(struct call *c,
	const struct elasticache_remove_tags_from_resource_input *in,
	struct elasticache_remove_tags_from_resource_output *out)
{
	struct tagged t;
	size_t kept = 0, gone = 0;
	TRY(find(c, in->resource_name, &t));
	for (size_t i = 0; i < t.pairs->n; i++) {
		bool named = false;
		for (size_t k = 0; k < in->tag_keys.n; k++) named |= str_eq(in->tag_keys.v[k], t.pairs->v[i].key);
		if (named)
			gone++;
		else
			t.pairs->v[kept++] = t.pairs->v[i];
	}
	if (gone < in->tag_keys.n)
		return CACHE_FAIL(c, TAG_NOT_FOUND_FAULT, "A tag that was to be removed is not there.");
	t.pairs->n = kept;
	cache_put(cache_here(c), t.kind, t.name, t.record);
	answer(c, t.pairs, &out->tag_list);
	return OK;
}

status elasticache_list_tags_for_resource(struct call *c, const struct elasticache_list_tags_for_resource_input *in,
	struct elasticache_list_tags_for_resource_output *out)
{
	struct tagged t;
	TRY(find(c, in->resource_name, &t));
	answer(c, t.pairs, &out->tag_list);
	return OK;
}
