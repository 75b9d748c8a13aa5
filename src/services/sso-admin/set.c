/* Permission sets: what they are called, how long their sessions last, their tags. */
#include "services/sso-admin/room.h"

#define SETS_MAX 2000 /* "IAM Identity Center quotas" */

static struct str name_key(struct arena *a, struct str instance, struct str name)
{
	return ssoa_key(a, "setname", instance, str_lower(a, name), STR_NONE, STR_NONE);
}

static struct sso_admin_permission_set *set_out(
	struct call *c, const struct sso_admin_rec_instance *i, const struct sso_admin_rec_set *s)
{
	struct sso_admin_permission_set *out = arena_new(c->arena, struct sso_admin_permission_set);
	out->name = s->name;
	out->permission_set_arn = ssoa_set_arn(c->arena, i, s->id);
	out->description = s->description;
	out->created_date = s->created;
	out->session_duration = s->duration;
	out->relay_state = s->relay_state;
	return out;
}

static status check_duration(struct call *c, struct str text)
{
	int64_t seconds;
	if (is_ok(ssoa_duration(text, &seconds))) return OK;
	return SSOA_FAIL(c, VALIDATION, "SessionDuration has to be between PT1H and PT12H.");
}

status sso_admin_create_permission_set(struct call *c, const struct sso_admin_create_permission_set_input *in,
	struct sso_admin_create_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct ssoa_rows all = {0};
	struct str id;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));
	status s = store_get(c->tx, name_key(c->arena, i.id, in->name), &id);
	if (is_ok(s)) return SSOA_FAIL(c, CONFLICT, "PermissionSet with name %.*s already exists.", STR_ARG(in->name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(ssoa_rows(c->tx, c->arena, ssoa_key(c->arena, "set", i.id, STR_NONE, STR_NONE, STR_NONE), &all));
	if (all.n >= SETS_MAX)
		return SSOA_FAIL(
			c, SERVICE_QUOTA_EXCEEDED, "An instance may have %d permission sets at most.", SETS_MAX);
	struct sso_admin_rec_set r = {
		.id = str_cat(c->arena, STR("ps-"), rand_text(c->arena, STR("0123456789abcdef"), 16)),
		.name = in->name,
		.description = in->description,
		.duration = str_or(in->session_duration, STR("PT1H")),
		.relay_state = in->relay_state,
		.created = SOME_TIME(c->now_ms),
	};
	TRY(check_duration(c, r.duration));
	TRY(ssoa_tags_set(c, &r.tags, &in->tags));
	ssoa_put_set(c, &i, &r, true);
	store_put(c->tx, name_key(c->arena, i.id, r.name), r.id);
	out->permission_set = set_out(c, &i, &r);
	return OK;
}

status sso_admin_describe_permission_set(struct call *c, const struct sso_admin_describe_permission_set_input *in,
	struct sso_admin_describe_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	out->permission_set = set_out(c, &i, &s);
	return OK;
}

status sso_admin_update_permission_set(struct call *c, const struct sso_admin_update_permission_set_input *in,
	struct sso_admin_update_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	if (str_has(in->session_duration)) TRY(check_duration(c, in->session_duration));
	if (str_has(in->session_duration)) s.duration = in->session_duration;
	if (str_has(in->description)) s.description = in->description;
	if (str_has(in->relay_state)) s.relay_state = in->relay_state;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

status sso_admin_delete_permission_set(struct call *c, const struct sso_admin_delete_permission_set_input *in,
	struct sso_admin_delete_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct ssoa_rows provisioned = {0};
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(ssoa_rows(
		c->tx, c->arena, ssoa_key(c->arena, "provisioned", i.id, s.id, STR_NONE, STR_NONE), &provisioned));
	if (provisioned.n)
		return SSOA_FAIL(c, CONFLICT,
			"PermissionSet with id %.*s is provisioned to accounts; delete its assignments first.",
			STR_ARG(s.id));
	store_delete(c->tx, name_key(c->arena, i.id, s.name));
	store_delete(c->tx, ssoa_key(c->arena, "set", i.id, s.id, STR_NONE, STR_NONE));
	return OK;
}

status sso_admin_list_permission_sets(struct call *c, const struct sso_admin_list_permission_sets_input *in,
	struct sso_admin_list_permission_sets_output *out)
{
	struct sso_admin_rec_instance i;
	struct ssoa_rows all = {0};
	struct ssoa_page page;
	size_t capacity = 0;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	TRY(ssoa_rows(c->tx, c->arena, ssoa_key(c->arena, "set", i.id, STR_NONE, STR_NONE, STR_NONE), &all));
	VEC_PRESENT(c->arena, &out->permission_sets);
	for (size_t n = 0; n < all.n; n++) {
		struct sso_admin_rec_set s = {0};
		if (!ssoa_page_take(&page, n)) continue;
		TRY(sso_admin_rec_set_decode(c->arena, all.v[n], &s));
		*VEC_PUSH(c->arena, &out->permission_sets, &capacity) = ssoa_set_arn(c->arena, &i, s.id);
	}
	out->next_token = ssoa_page_end(&page);
	return OK;
}

/* ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

status ssoa_tags_set(struct call *c, struct sso_admin_rec_tags *tags, const struct sso_admin_tag_list *add)
{
	size_t capacity = 0;
	struct sso_admin_rec_tags all = {0};
	for (size_t i = 0; i < tags->n; i++) *VEC_PUSH(c->arena, &all, &capacity) = tags->v[i];
	for (size_t i = 0; i < add->n; i++) {
		if (!c->system_tags && str_istarts(add->v[i].key, STR("aws:")))
			return SSOA_FAIL(c, VALIDATION, "Tag keys that begin with aws: are reserved.");
		size_t at = 0;
		while (at < all.n && !str_eq(all.v[at].key, add->v[i].key)) at++;
		if (at == all.n) (void)VEC_PUSH(c->arena, &all, &capacity);
		all.v[at] = (struct sso_admin_rec_tags_entry){add->v[i].key, add->v[i].value};
	}
	if (all.n > SSOA_TAGS_MAX)
		return SSOA_FAIL(c, SERVICE_QUOTA_EXCEEDED, "A resource may have %d tags at most.", SSOA_TAGS_MAX);
	*tags = all;
	return OK;
}

struct tagged {
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct sso_admin_rec_tags *tags;
};

static status find(struct call *c, struct str instance_arn, struct str arn, struct tagged *t)
{
	bool set = str_find(arn, STR(":permissionSet/")) >= 0;
	if (!set && str_find(arn, STR(":instance/")) < 0)
		return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Could not find the resource %.*s", STR_ARG(arn));
	if (!str_has(instance_arn) && set) {
		struct str rest = str_from(arn, (size_t)str_find(arn, STR("ssoins-")));
		instance_arn = str_fmt(
			c->arena, "arn:%.*s:sso:::instance/%.*s", STR_ARG(c->partition), STR_ARG(str_cut(&rest, '/')));
	}
	t->tags = set ? &t->s.tags : &t->i.tags;
	return set ? ssoa_get_set(c, instance_arn, arn, &t->i, &t->s) : ssoa_get_instance(c, arn, &t->i);
}

static void save(struct call *c, struct tagged *t)
{
	if (t->tags == &t->s.tags)
		ssoa_put_set(c, &t->i, &t->s, false);
	else
		ssoa_put_instance(c, &t->i);
}

status sso_admin_tag_resource(
	struct call *c, const struct sso_admin_tag_resource_input *in, struct sso_admin_tag_resource_output *out)
{
	(void)out;
	struct tagged t = {0};
	TRY(find(c, in->instance_arn, in->resource_arn, &t));
	TRY(ssoa_tags_set(c, t.tags, &in->tags));
	save(c, &t);
	return OK;
}

status sso_admin_untag_resource(
	struct call *c, const struct sso_admin_untag_resource_input *in, struct sso_admin_untag_resource_output *out)
{
	(void)out;
	struct tagged t = {0};
	TRY(find(c, in->instance_arn, in->resource_arn, &t));
	size_t left = 0;
	for (size_t i = 0; i < t.tags->n; i++) {
		bool goes = false;
		for (size_t j = 0; j < in->tag_keys.n; j++) goes |= str_eq(in->tag_keys.v[j], t.tags->v[i].key);
		if (!goes) t.tags->v[left++] = t.tags->v[i];
	}
	t.tags->n = left;
	save(c, &t);
	return OK;
}

status sso_admin_list_tags_for_resource(struct call *c, const struct sso_admin_list_tags_for_resource_input *in,
	struct sso_admin_list_tags_for_resource_output *out)
{
	struct tagged t = {0};
	size_t capacity = 0;
	TRY(find(c, in->instance_arn, in->resource_arn, &t));
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < t.tags->n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) =
			(struct sso_admin_tag){t.tags->v[i].key, t.tags->v[i].value};
	return OK;
}
