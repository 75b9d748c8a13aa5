/* Tags of accounts, units, the root, policies and the resource policy. */
#include "services/organizations/room.h"

status orgs_tags_set(struct call *c, struct organizations_rec_tags *tags, const struct organizations_tags *add)
{
	size_t capacity = 0;
	struct organizations_rec_tags all = {0};
	for (size_t i = 0; i < tags->n; i++) *VEC_PUSH(c->arena, &all, &capacity) = tags->v[i];
	for (size_t i = 0; i < add->n; i++) {
		struct str key = add->v[i].key;
		if (!c->system_tags && str_istarts(key, STR("aws:")))
			return orgs_input(c, "INVALID_SYSTEM_TAGS_PARAMETER",
				"You specified a tag key that is a system tag. You can't add, edit, or delete system "
				"tag keys.");
		for (size_t j = 0; j < i; j++)
			if (str_eq(add->v[j].key, key))
				return orgs_input(c, "DUPLICATE_TAG_KEY",
					"Tag keys must be unique among the tags attached to the same entity.");
		size_t at = 0;
		while (at < all.n && !str_eq(all.v[at].key, key)) at++;
		if (at == all.n) (void)VEC_PUSH(c->arena, &all, &capacity);
		all.v[at] = (struct organizations_rec_tags_entry){key, add->v[i].value};
	}
	if (all.n > ORGS_TAGS_MAX)
		return orgs_constraint(
			c, "MAX_TAG_LIMIT_EXCEEDED", "You have exceeded the number of tags allowed on this resource.");
	*tags = all;
	return OK;
}

static void drop(struct organizations_rec_tags *tags, const struct organizations_tag_keys *keys)
{
	size_t left = 0;
	for (size_t i = 0; i < tags->n; i++) {
		bool goes = false;
		for (size_t j = 0; j < keys->n; j++) goes |= str_eq(keys->v[j], tags->v[i].key);
		if (!goes) tags->v[left++] = tags->v[i];
	}
	tags->n = left;
}

struct tagged {
	struct organizations_rec_organization o;
	struct organizations_rec_account account;
	struct organizations_rec_unit unit;
	struct organizations_rec_policy policy;
	struct organizations_rec_tags *tags;
	struct str id;
};

static status find(struct call *c, struct str id, struct tagged *t)
{
	t->id = id;
	status s = OK;
	if (str_eq(id, t->o.root)) {
		t->tags = &t->o.root_tags;
	} else if (orgs_is_account(id)) {
		s = orgs_account_load(c->tx, c->arena, t->o.id, id, &t->account);
		t->tags = &t->account.tags;
	} else if (orgs_is_unit(id)) {
		s = orgs_unit_load(c->tx, c->arena, t->o.id, id, &t->unit);
		t->tags = &t->unit.tags;
	} else if (str_starts(id, STR("p-"))) {
		if (orgs_policy_is_aws(id))
			return orgs_input(c, "TARGET_NOT_SUPPORTED", "AWS managed policies have no tags.");
		s = orgs_policy_load(c->tx, c->arena, t->o.id, id, &t->policy);
		t->tags = &t->policy.tags;
	} else if (t->o.resource_policy && str_eq(id, t->o.resource_policy->id)) {
		t->tags = &t->o.resource_policy->tags;
	} else {
		s = STATUS(NOT_FOUND);
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return ORGS_FAIL(c, TARGET_NOT_FOUND, "You specified a target that doesn't exist.");
}

static void save(struct call *c, struct tagged *t)
{
	if (t->tags == &t->account.tags) {
		orgs_account_put(c->tx, c->arena, t->o.id, &t->account);
	} else if (t->tags == &t->unit.tags) {
		store_put(c->tx, orgs_key(c->arena, "ou", t->o.id, t->id),
			organizations_rec_unit_encode(c->arena, &t->unit));
		orgs_changed(c->tx, c->arena, t->o.id);
	} else if (t->tags == &t->policy.tags) {
		store_put(c->tx, orgs_key(c->arena, "policy", t->o.id, t->id),
			organizations_rec_policy_encode(c->arena, &t->policy));
		orgs_changed(c->tx, c->arena, t->o.id);
	} else {
		orgs_put(c, &t->o);
	}
}

status organizations_tag_resource(struct call *c, const struct organizations_tag_resource_input *in,
	struct organizations_tag_resource_output *out)
{
	(void)out;
	struct tagged t = {0};
	TRY(orgs_manage_policies(c, &t.o));
	TRY(find(c, in->resource_id, &t));
	TRY(orgs_tags_set(c, t.tags, &in->tags));
	save(c, &t);
	return OK;
}

status organizations_untag_resource(struct call *c, const struct organizations_untag_resource_input *in,
	struct organizations_untag_resource_output *out)
{
	(void)out;
	struct tagged t = {0};
	TRY(orgs_manage_policies(c, &t.o));
	TRY(find(c, in->resource_id, &t));
	drop(t.tags, &in->tag_keys);
	save(c, &t);
	return OK;
}

status organizations_list_tags_for_resource(struct call *c, const struct organizations_list_tags_for_resource_input *in,
	struct organizations_list_tags_for_resource_output *out)
{
	struct tagged t = {0};
	TRY(orgs_read(c, &t.o));
	TRY(find(c, in->resource_id, &t));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < t.tags->n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) =
			(struct organizations_tag){.key = t.tags->v[i].key, .value = t.tags->v[i].value};
	return OK;
}
