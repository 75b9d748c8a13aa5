/* Groups and who is in them. */
#include "services/identitystore/room.h"

static void group_out(struct str store, const struct identitystore_rec_group *r, struct identitystore_group *out)
{
	out->identity_store_id = store;
	out->group_id = r->id;
	out->display_name = r->name;
	out->description = r->description;
	out->created_at = r->created;
	out->updated_at = r->updated;
	out->created_by = r->created_by;
	out->updated_by = r->updated_by;
}

static void put(struct call *c, struct str store, const struct identitystore_rec_group *r)
{
	store_put(c->tx, ids_key(c->arena, "group", store, r->id), identitystore_rec_group_encode(c->arena, r));
	store_put(c->tx, ids_key(c->arena, "groupname", store, str_lower(c->arena, r->name)), r->id);
}

static status require_free_name(struct call *c, struct str store, struct str name)
{
	struct str id;
	status s = store_get(c->tx, ids_key(c->arena, "groupname", store, str_lower(c->arena, name)), &id);
	if (is_ok(s)) return ids_taken(c, "DisplayName");
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

status identitystore_create_group(struct call *c, const struct identitystore_create_group_input *in,
	struct identitystore_create_group_output *out)
{
	TRY(ids_require_store(c, in->identity_store_id));
	if (!str_has(in->display_name))
		return IDS_FAIL(c, VALIDATION, "1 validation error detected: displayName is a required attribute");
	TRY(require_free_name(c, in->identity_store_id, in->display_name));
	struct identitystore_rec_group r = {
		.id = ids_new_id(c->arena, in->identity_store_id),
		.name = in->display_name,
		.description = in->description,
		.created = SOME_TIME(c->now_ms),
		.updated = SOME_TIME(c->now_ms),
		.created_by = c->principal.arn,
		.updated_by = c->principal.arn,
	};
	put(c, in->identity_store_id, &r);
	out->group_id = r.id;
	out->identity_store_id = in->identity_store_id;
	return OK;
}

status identitystore_describe_group(struct call *c, const struct identitystore_describe_group_input *in,
	struct identitystore_describe_group_output *out)
{
	struct identitystore_rec_group r;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(ids_get_group(c, in->identity_store_id, in->group_id, &r));
	out->identity_store_id = in->identity_store_id;
	out->group_id = r.id;
	out->display_name = r.name;
	out->description = r.description;
	out->created_at = r.created;
	out->updated_at = r.updated;
	out->created_by = r.created_by;
	out->updated_by = r.updated_by;
	return OK;
}

status identitystore_list_groups(
	struct call *c, const struct identitystore_list_groups_input *in, struct identitystore_list_groups_output *out)
{
	struct identitystore_ids ids = {0};
	struct ids_page page;
	size_t capacity = 0;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(ids_page_begin(c, in->next_token, in->max_results, &page));
	TRY(ids_list(c->tx, c->arena, ids_key(c->arena, "group", in->identity_store_id, STR_NONE), &ids));
	const struct identitystore_filter *f = in->filters.n ? &in->filters.v[0] : NULL;
	if (f && !ids_is_path(f->attribute_path, "displayName"))
		return IDS_FAIL(c, VALIDATION, "Groups can be filtered by displayName only.");
	VEC_PRESENT(c->arena, &out->groups);
	for (size_t i = 0; i < ids.n; i++) {
		struct identitystore_rec_group r;
		TRY(identitystore_group(c->tx, c->arena, in->identity_store_id, ids.v[i], &r));
		if (f && !str_ieq(r.name, f->attribute_value)) continue;
		if (ids_page_take(&page, r.id))
			group_out(in->identity_store_id, &r, VEC_PUSH(c->arena, &out->groups, &capacity));
	}
	out->next_token = ids_page_end(&page);
	return OK;
}

status identitystore_get_group_id(struct call *c, const struct identitystore_get_group_id_input *in,
	struct identitystore_get_group_id_output *out)
{
	struct str name;
	TRY(ids_require_store(c, in->identity_store_id));
	const struct identitystore_unique_attribute *u = in->alternate_identifier->unique_attribute;
	if (!u) return ids_not_found(c, "GROUP", STR_NONE);
	if (!ids_is_path(u->attribute_path, "displayName"))
		return IDS_FAIL(c, VALIDATION, "UniqueAttribute supports displayName only.");
	TRY(ids_string(c, u->attribute_value, &name));
	status s = store_get(c->tx, ids_key(c->arena, "groupname", in->identity_store_id, str_lower(c->arena, name)),
		&out->group_id);
	if (status_is(s, STATUS_NOT_FOUND)) return ids_not_found(c, "GROUP", STR_NONE);
	out->identity_store_id = in->identity_store_id;
	return s;
}

status identitystore_update_group(struct call *c, const struct identitystore_update_group_input *in,
	struct identitystore_update_group_output *out)
{
	(void)out;
	struct str store = in->identity_store_id;
	struct identitystore_rec_group r;
	TRY(ids_require_store(c, store));
	TRY(ids_get_group(c, store, in->group_id, &r));
	for (size_t i = 0; i < in->operations.n; i++) {
		const struct identitystore_attribute_operation *o = &in->operations.v[i];
		struct str value = STR_NONE;
		if (str_has(o->attribute_value)) TRY(ids_string(c, o->attribute_value, &value));
		if (ids_is_path(o->attribute_path, "description")) {
			r.description = value;
		} else if (ids_is_path(o->attribute_path, "displayName") && str_has(value) && value.n) {
			if (!str_ieq(value, r.name)) {
				TRY(require_free_name(c, store, value));
				store_delete(c->tx, ids_key(c->arena, "groupname", store, str_lower(c->arena, r.name)));
			}
			r.name = value;
		} else {
			return IDS_FAIL(c, VALIDATION, "%.*s can't be changed so.", STR_ARG(o->attribute_path));
		}
	}
	r.updated = SOME_TIME(c->now_ms);
	r.updated_by = c->principal.arn;
	put(c, store, &r);
	return OK;
}

status identitystore_delete_group(struct call *c, const struct identitystore_delete_group_input *in,
	struct identitystore_delete_group_output *out)
{
	(void)out;
	struct str store = in->identity_store_id;
	struct identitystore_rec_group r;
	struct identitystore_ids users = {0};
	TRY(ids_require_store(c, store));
	TRY(ids_get_group(c, store, in->group_id, &r));
	TRY(ids_list(c->tx, c->arena, ids_key(c->arena, "member", store, r.id), &users));
	for (size_t i = 0; i < users.n; i++) {
		struct identitystore_rec_membership m = {.group = r.id, .user = users.v[i]};
		TRY(store_get(c->tx, ids_key2(c->arena, "member", store, r.id, users.v[i]), &m.id));
		ids_drop_membership(c, store, &m);
	}
	store_delete(c->tx, ids_key(c->arena, "group", store, r.id));
	store_delete(c->tx, ids_key(c->arena, "groupname", store, str_lower(c->arena, r.name)));
	return OK;
}

/* ── memberships ──────────────────────────────────────────────────────────────────────────────────────────────── */

static struct identitystore_member_id *member_out(struct call *c, struct str user)
{
	struct identitystore_member_id *m = arena_new(c->arena, struct identitystore_member_id);
	m->user_id = user;
	return m;
}

static void membership_out(struct call *c, struct str store, const struct identitystore_rec_membership *r,
	struct identitystore_group_membership *out)
{
	out->identity_store_id = store;
	out->membership_id = r->id;
	out->group_id = r->group;
	out->member_id = member_out(c, r->user);
	out->created_at = out->updated_at = r->created;
	out->created_by = out->updated_by = r->created_by;
}

static status require_user_id(struct call *c, const struct identitystore_member_id *m, struct str *out)
{
	*out = m ? m->user_id : STR_NONE;
	if (str_has(*out)) return OK;
	return IDS_FAIL(c, VALIDATION, "1 validation error detected: MemberId.UserId is required");
}

status identitystore_create_group_membership(struct call *c,
	const struct identitystore_create_group_membership_input *in,
	struct identitystore_create_group_membership_output *out)
{
	struct str store = in->identity_store_id, user, id;
	struct identitystore_rec_user u;
	struct identitystore_rec_group g;
	TRY(ids_require_store(c, store));
	TRY(require_user_id(c, in->member_id, &user));
	TRY(ids_get_group(c, store, in->group_id, &g));
	TRY(ids_get_user(c, store, user, &u));
	status s = store_get(c->tx, ids_key2(c->arena, "member", store, g.id, u.id), &id);
	if (is_ok(s)) return ids_taken(c, "GroupMembership");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct identitystore_rec_membership r = {
		.id = ids_new_id(c->arena, store),
		.group = g.id,
		.user = u.id,
		.created = SOME_TIME(c->now_ms),
		.created_by = c->principal.arn,
	};
	store_put(
		c->tx, ids_key(c->arena, "membership", store, r.id), identitystore_rec_membership_encode(c->arena, &r));
	store_put(c->tx, ids_key2(c->arena, "member", store, g.id, u.id), r.id);
	store_put(c->tx, ids_key2(c->arena, "memberof", store, u.id, g.id), r.id);
	out->identity_store_id = store;
	out->membership_id = r.id;
	return OK;
}

static status get_membership(struct call *c, struct str store, struct str id, struct identitystore_rec_membership *out)
{
	status s = ids_membership(c->tx, c->arena, store, id, out);
	return status_is(s, STATUS_NOT_FOUND) ? ids_not_found(c, "GROUP_MEMBERSHIP", id) : s;
}

status identitystore_describe_group_membership(struct call *c,
	const struct identitystore_describe_group_membership_input *in,
	struct identitystore_describe_group_membership_output *out)
{
	struct identitystore_rec_membership r;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(get_membership(c, in->identity_store_id, in->membership_id, &r));
	out->identity_store_id = in->identity_store_id;
	out->membership_id = r.id;
	out->group_id = r.group;
	out->member_id = member_out(c, r.user);
	out->created_at = out->updated_at = r.created;
	out->created_by = out->updated_by = r.created_by;
	return OK;
}

status identitystore_delete_group_membership(struct call *c,
	const struct identitystore_delete_group_membership_input *in,
	struct identitystore_delete_group_membership_output *out)
{
	(void)out;
	struct identitystore_rec_membership r;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(get_membership(c, in->identity_store_id, in->membership_id, &r));
	ids_drop_membership(c, in->identity_store_id, &r);
	return OK;
}

status identitystore_get_group_membership_id(struct call *c,
	const struct identitystore_get_group_membership_id_input *in,
	struct identitystore_get_group_membership_id_output *out)
{
	struct str user;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(require_user_id(c, in->member_id, &user));
	status s = store_get(
		c->tx, ids_key2(c->arena, "member", in->identity_store_id, in->group_id, user), &out->membership_id);
	if (status_is(s, STATUS_NOT_FOUND)) return ids_not_found(c, "GROUP_MEMBERSHIP", STR_NONE);
	out->identity_store_id = in->identity_store_id;
	return s;
}

status identitystore_is_member_in_groups(struct call *c, const struct identitystore_is_member_in_groups_input *in,
	struct identitystore_is_member_in_groups_output *out)
{
	struct str user, id;
	struct identitystore_rec_user u;
	size_t capacity = 0;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(require_user_id(c, in->member_id, &user));
	TRY(ids_get_user(c, in->identity_store_id, user, &u));
	for (size_t i = 0; i < in->group_ids.n; i++) {
		status s = store_get(
			c->tx, ids_key2(c->arena, "member", in->identity_store_id, in->group_ids.v[i], user), &id);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		*VEC_PUSH(c->arena, &out->results, &capacity) =
			(struct identitystore_group_membership_existence_result){.group_id = in->group_ids.v[i],
				.member_id = member_out(c, user),
				.membership_exists = SOME_BOOL(is_ok(s))};
	}
	return OK;
}

/* index: "member" of a group, "memberof" of a user. */
static status list(struct call *c, const char *index, struct str store, struct str of, struct ids_page *page,
	struct identitystore_group_memberships *out)
{
	struct identitystore_ids ids = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	TRY(ids_list(c->tx, c->arena, ids_key(c->arena, index, store, of), &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct identitystore_rec_membership r;
		struct str id;
		if (!ids_page_take(page, ids.v[i])) continue;
		TRY(store_get(c->tx, ids_key2(c->arena, index, store, of, ids.v[i]), &id));
		TRY(ids_membership(c->tx, c->arena, store, id, &r));
		membership_out(c, store, &r, VEC_PUSH(c->arena, out, &capacity));
	}
	return OK;
}

status identitystore_list_group_memberships(struct call *c, const struct identitystore_list_group_memberships_input *in,
	struct identitystore_list_group_memberships_output *out)
{
	struct identitystore_rec_group g;
	struct ids_page page;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(ids_get_group(c, in->identity_store_id, in->group_id, &g));
	TRY(ids_page_begin(c, in->next_token, in->max_results, &page));
	TRY(list(c, "member", in->identity_store_id, g.id, &page, &out->group_memberships));
	out->next_token = ids_page_end(&page);
	return OK;
}

status identitystore_list_group_memberships_for_member(struct call *c,
	const struct identitystore_list_group_memberships_for_member_input *in,
	struct identitystore_list_group_memberships_for_member_output *out)
{
	struct str user;
	struct identitystore_rec_user u;
	struct ids_page page;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(require_user_id(c, in->member_id, &user));
	TRY(ids_get_user(c, in->identity_store_id, user, &u));
	TRY(ids_page_begin(c, in->next_token, in->max_results, &page));
	TRY(list(c, "memberof", in->identity_store_id, u.id, &page, &out->group_memberships));
	out->next_token = ids_page_end(&page);
	return OK;
}
