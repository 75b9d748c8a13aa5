/* Tags of keys ("Tagging keys in AWS KMS"). */
#include "services/kms/room.h"

status kms_check_tags(struct kms_scope *s, const struct kms_tag *tags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!(s->call && s->call->system_tags) && str_istarts(tags[i].tag_key, STR("aws:")))
			return kms_refuse(s, KMS_ERR_TAG_EXCEPTION,
				"aws: prefixed tag key names are not allowed for external use.");
		for (size_t j = 0; j < i; j++)
			if (str_eq(tags[i].tag_key, tags[j].tag_key))
				return kms_refuse(s, KMS_ERR_TAG_EXCEPTION, "Duplicate tag keys");
	}
	if (n > KMS_TAGS_MAX) return kms_refuse(s, KMS_ERR_TAG_EXCEPTION, "Too many tags");
	return OK;
}

void kms_tags_set(struct kms_scope *s, struct kms_rec_pairs *to, const struct kms_tag *tags, size_t n)
{
	/* The list may have been decoded with no room behind its end. */
	struct kms_rec_pairs grown = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < to->n; i++) *VEC_PUSH(s->arena, &grown, &capacity) = to->v[i];
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		while (at < grown.n && !str_eq(grown.v[at].key, tags[i].tag_key)) at++;
		if (at == grown.n) VEC_PUSH(s->arena, &grown, &capacity)->key = tags[i].tag_key;
		grown.v[at].value = tags[i].tag_value;
	}
	*to = grown;
}

static status find_for_tags(struct kms_scope *s, struct str id, struct kms_key *k)
{
	TRY(kms_find(s, id, 0, k));
	TRY(kms_check_customer(s, k));
	return kms_check_state(s, k, KMS_IN_DISABLED | KMS_IN_PENDING_IMPORT);
}

status kms_tag_resource(struct call *c, const struct kms_tag_resource_input *in, struct kms_tag_resource_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(find_for_tags(&s, in->key_id, &k));
	TRY(kms_check_tags(&s, in->tags.v, in->tags.n));
	kms_tags_set(&s, &k.r.tags, in->tags.v, in->tags.n);
	if (k.r.tags.n > KMS_TAGS_MAX) return kms_refuse(&s, KMS_ERR_LIMIT_EXCEEDED_EXCEPTION, "Too many tags");
	kms_key_put(&s, &k);
	return OK;
}

status kms_untag_resource(
	struct call *c, const struct kms_untag_resource_input *in, struct kms_untag_resource_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(find_for_tags(&s, in->key_id, &k));
	size_t kept = 0;
	for (size_t i = 0; i < k.r.tags.n; i++) {
		bool gone = false;
		for (size_t j = 0; j < in->tag_keys.n; j++) gone |= str_eq(in->tag_keys.v[j], k.r.tags.v[i].key);
		if (!gone) k.r.tags.v[kept++] = k.r.tags.v[i];
	}
	k.r.tags.n = kept;
	kms_key_put(&s, &k);
	return OK;
}

status kms_list_resource_tags(
	struct call *c, const struct kms_list_resource_tags_input *in, struct kms_list_resource_tags_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct str last;
	TRY(kms_find(&s, in->key_id, 0, &k));
	TRY(kms_marker_read(&s, in->marker, &last));
	/* "This value is optional. If you include a value, it must be between 1 and 50, inclusive." */
	if (in->limit.has && in->limit.v > 50)
		return kms_refuse(&s, ERR_VALIDATION,
			"1 validation error detected: Value '%d' at 'limit' failed to satisfy "
			"constraint: Member must have value less than or equal to 50",
			in->limit.v);
	size_t capacity = 0, limit = in->limit.has ? (size_t)in->limit.v : 50;
	VEC_PRESENT(c->arena, &out->tags);
	out->truncated = SOME_BOOL(false);
	size_t i = 0;
	for (; str_has(last) && i < k.r.tags.n; i++)
		if (str_eq(k.r.tags.v[i].key, last)) {
			i++;
			break;
		}
	for (; i < k.r.tags.n; i++) {
		if (out->tags.n == limit) {
			out->truncated = SOME_BOOL(true);
			out->next_marker = kms_marker(&s, out->tags.v[limit - 1].tag_key);
			break;
		}
		*VEC_PUSH(c->arena, &out->tags, &capacity) = (struct kms_tag){k.r.tags.v[i].key, k.r.tags.v[i].value};
	}
	return OK;
}
