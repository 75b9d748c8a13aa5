/* Users and user groups. "Authenticating users with Role-Based Access Control (RBAC)", the guide. */
#include "services/elasticache/controller.h"

enum { PASSWORD_MIN = 16, PASSWORD_MAX = 128, PASSWORDS_MAX = 2, GROUP_USERS_MAX = 100 };

status cache_user_load(struct cache_place at, struct str id, struct elasticache_rec_user *out)
{
	status s = cache_load(at, &cache_kind_user, id, out);
	if (!status_is(s, STATUS_NOT_FOUND) || !str_ieq(id, STR("default"))) return s;
	*out = (struct elasticache_rec_user){.user_id = STR("default"),
		.user_name = STR("default"),
		.engine = STR("redis"),
		.access_string = STR("on ~* +@all"),
		.no_password = SOME_BOOL(true)};
	return OK;
}

static status find(struct call *c, struct str id, struct elasticache_rec_user *out)
{
	status s = cache_user_load(cache_here(c), id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return CACHE_FAIL(c, USER_NOT_FOUND_FAULT, "User %.*s not found.", STR_ARG(id));
}

static bool has(const struct elasticache_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_ieq(l->v[i], s)) return true;
	return false;
}

static status groups_of(struct call *c, struct str user, struct elasticache_user_group_id_list *out)
{
	size_t capacity = 0;
	struct cache_each e = cache_each(cache_here(c), &cache_kind_user_group);
	*out = (struct elasticache_user_group_id_list){0};
	while (cache_next(&e)) {
		const struct elasticache_rec_user_group *g = e.record;
		if (has(&g->users, user)) *VEC_PUSH(c->arena, out, &capacity) = g->user_group_id;
	}
	VEC_PRESENT(c->arena, out);
	return cache_each_end(&e);
}

static status show(struct call *c, const struct elasticache_rec_user *r, struct elasticache_user *out)
{
	cache_show(c->arena, ELASTICACHE_REC_USER, r, ELASTICACHE_SHAPE_USER, out);
	out->status = STR("active");
	out->minimum_engine_version = STR("6.0");
	out->arn = cache_arn(c, &cache_kind_user, r->user_id);
	out->authentication = arena_new(c->arena, struct elasticache_authentication);
	out->authentication->type = r->no_password.v ? STR("no-password") : STR("password");
	if (!r->no_password.v) out->authentication->password_count = SOME_I32((int32_t)r->passwords.n);
	return groups_of(c, r->user_id, &out->user_group_ids);
}

static status check_engine(struct call *c, struct str engine)
{
	if (str_ieq(engine, STR("redis"))) return OK;
	return CACHE_BAD_VALUE(
		c, "Invalid Engine: %.*s. The engine of users in this installation is redis.", STR_ARG(engine));
}

/* Passwords, or that there are none, from either of the two ways that a request may tell them. *given: it told. */
static status read_passwords(struct call *c, struct elasticache_password_list_input passwords, struct opt_bool none,
	const struct elasticache_authentication_mode *mode, struct elasticache_rec_user *r, bool *given)
{
	*given = true;
	if (mode && (passwords.n || none.has))
		return CACHE_BAD_COMBINATION(
			c, "AuthenticationMode cannot be given with Passwords or NoPasswordRequired.");
	if (mode && str_is(mode->type, "iam"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "IAM authentication of ElastiCache users is not implemented.");
	if (mode) {
		passwords = mode->passwords;
		none = SOME_BOOL(str_is(mode->type, "no-password-required"));
		if (str_is(mode->type, "password") && !passwords.n)
			return CACHE_BAD_COMBINATION(c, "AuthenticationMode of type password needs passwords.");
	}
	if (none.v && passwords.n)
		return CACHE_BAD_COMBINATION(c, "Passwords cannot be given where no password is required.");
	if (!none.v && !passwords.n) {
		*given = false;
		return OK;
	}
	if (passwords.n > PASSWORDS_MAX)
		return CACHE_BAD_VALUE(c, "A user can have at most %d passwords.", PASSWORDS_MAX);
	r->no_password = SOME_BOOL(none.v);
	r->passwords = (struct elasticache_rec_strings){arena_new_n(c->arena, struct str, passwords.n), 0};
	for (size_t i = 0; i < passwords.n; i++) {
		struct str p = passwords.v[i];
		if (p.n < PASSWORD_MIN || p.n > PASSWORD_MAX)
			return CACHE_BAD_VALUE(
				c, "Passwords must have between %d and %d characters.", PASSWORD_MIN, PASSWORD_MAX);
		r->passwords.v[r->passwords.n++] = cache_digest(c->arena, p);
	}
	return OK;
}

static bool word(struct str s)
{
	bool good = s.n > 0 && s.n <= 128;
	for (size_t i = 0; i < s.n; i++) good = good && s.p[i] > ' ' && s.p[i] < 127 && s.p[i] != '"' && s.p[i] != '\'';
	return good;
}

status elasticache_create_user(
	struct call *c, const struct elasticache_create_user_input *in, struct elasticache_create_user_output *out)
{
	struct elasticache_rec_user r, other;
	bool given;
	size_t n;
	struct str id = str_lower(c->arena, in->user_id);
	TRY(cache_name_check(c, id, "UserId", CACHE_ID_MAX));
	TRY(check_engine(c, in->engine));
	if (!word(in->user_name) || str_is(in->user_name, CACHE_USER))
		return CACHE_BAD_VALUE(c, "The parameter UserName is not valid: %.*s", STR_ARG(in->user_name));
	TRY(cache_access_check(c, in->access_string));
	status s = cache_user_load(cache_here(c), id, &other);
	if (is_ok(s)) return CACHE_FAIL(c, USER_ALREADY_EXISTS_FAULT, "User %.*s already exists.", STR_ARG(id));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(cache_count(cache_here(c), &cache_kind_user, &n));
	if (n >= CACHE_USERS_MAX)
		return CACHE_FAIL(
			c, USER_QUOTA_EXCEEDED_FAULT, "The request would exceed the allowed number of users.");
	r = (struct elasticache_rec_user){.user_id = id,
		.user_name = in->user_name,
		.engine = STR("redis"),
		.access_string = str_trim(in->access_string)};
	TRY(read_passwords(c, in->passwords, in->no_password_required, in->authentication_mode, &r, &given));
	if (!given) return CACHE_BAD_COMBINATION(c, "Either Passwords or NoPasswordRequired has to be given.");
	TRY(cache_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	cache_put(cache_here(c), &cache_kind_user, id, &r);
	return show(c, &r, out);
}

static status changed(struct call *c, struct str user)
{
	struct elasticache_user_group_id_list groups;
	TRY(groups_of(c, user, &groups));
	for (size_t i = 0; i < groups.n; i++) TRY(cache_users_changed(c, groups.v[i]));
	return OK;
}

status elasticache_modify_user(
	struct call *c, const struct elasticache_modify_user_input *in, struct elasticache_modify_user_output *out)
{
	struct elasticache_rec_user r;
	bool given;
	TRY(find(c, in->user_id, &r));
	if (str_is(r.user_id, "default"))
		return CACHE_FAIL(c, INVALID_USER_STATE_FAULT, "The user default cannot be modified.");
	if (str_has(in->engine)) TRY(check_engine(c, in->engine));
	if (str_has(in->access_string) && str_has(in->append_access_string))
		return CACHE_BAD_COMBINATION(c, "AccessString and AppendAccessString cannot be given together.");
	if (str_has(in->access_string)) r.access_string = str_trim(in->access_string);
	if (str_has(in->append_access_string))
		r.access_string = str_fmt(
			c->arena, "%.*s %.*s", STR_ARG(r.access_string), STR_ARG(str_trim(in->append_access_string)));
	TRY(cache_access_check(c, r.access_string));
	TRY(read_passwords(c, in->passwords, in->no_password_required, in->authentication_mode, &r, &given));
	cache_put(cache_here(c), &cache_kind_user, r.user_id, &r);
	TRY(changed(c, r.user_id));
	return show(c, &r, out);
}

status elasticache_delete_user(
	struct call *c, const struct elasticache_delete_user_input *in, struct elasticache_delete_user_output *out)
{
	struct elasticache_rec_user r;
	size_t n = 0;
	TRY(find(c, in->user_id, &r));
	if (str_is(r.user_id, "default"))
		return CACHE_FAIL(c, INVALID_USER_STATE_FAULT, "The user default cannot be deleted.");
	struct elasticache_user_group_id_list groups;
	TRY(groups_of(c, r.user_id, &groups));
	for (size_t i = 0; i < groups.n; i++) {
		struct elasticache_rec_user_group g;
		TRY(cache_load(cache_here(c), &cache_kind_user_group, groups.v[i], &g));
		if (str_is(r.user_name, "default"))
			return CACHE_FAIL(c, DEFAULT_USER_ASSOCIATED_TO_USER_GROUP_FAULT,
				"The user is the default one of the user group %.*s.", STR_ARG(groups.v[i]));
		for (size_t k = n = 0; k < g.users.n; k++)
			if (!str_ieq(g.users.v[k], r.user_id)) g.users.v[n++] = g.users.v[k];
		g.users.n = n;
		cache_put(cache_here(c), &cache_kind_user_group, g.user_group_id, &g);
		TRY(cache_users_changed(c, g.user_group_id));
	}
	cache_drop(cache_here(c), &cache_kind_user, r.user_id);
	TRY(show(c, &r, out));
	out->status = STR("deleting");
	return OK;
}

status elasticache_describe_users(struct call *c, const struct elasticache_describe_users_input *in,
	struct elasticache_describe_users_output *out)
{
	struct elasticache_rec_user r;
	size_t capacity = 0;
	for (size_t i = 0; i < in->filters.n; i++)
		if (!str_is(in->filters.v[i].name, "user-group-id"))
			return CACHE_BAD_COMBINATION(
				c, "Unrecognized filter name: %.*s", STR_ARG(in->filters.v[i].name));
	if (str_has(in->user_id)) {
		TRY(find(c, in->user_id, &r));
		return show(c, &r, VEC_PUSH(c->arena, &out->users, &capacity));
	}
	TRY(cache_user_load(cache_here(c), STR("default"), &r));
	TRY(show(c, &r, VEC_PUSH(c->arena, &out->users, &capacity)));
	struct cache_each e = cache_each(cache_here(c), &cache_kind_user);
	status s = OK;
	while (is_ok(s) && cache_next(&e)) s = show(c, e.record, VEC_PUSH(c->arena, &out->users, &capacity));
	status end = cache_each_end(&e);
	TRY(s);
	TRY(end);
	size_t kept = 0;
	for (size_t i = 0; i < out->users.n; i++) {
		bool passes = true;
		for (size_t f = 0; f < in->filters.n; f++) {
			bool among = false;
			for (size_t v = 0; v < in->filters.v[f].values.n; v++)
				for (size_t g = 0; g < out->users.v[i].user_group_ids.n; g++)
					among = among || str_ieq(in->filters.v[f].values.v[v],
								 out->users.v[i].user_group_ids.v[g]);
			passes = passes && among;
		}
		if (passes) out->users.v[kept++] = out->users.v[i];
	}
	out->users.n = kept;
	return cache_page(c, &out->users, sizeof(*out->users.v), in->max_records, in->marker, &out->marker);
}

/* ── groups ── */

static status find_group(struct call *c, struct str id, struct elasticache_rec_user_group *out)
{
	status s = cache_load(cache_here(c), &cache_kind_user_group, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return CACHE_FAIL(c, USER_GROUP_NOT_FOUND_FAULT, "UserGroup %.*s not found.", STR_ARG(id));
}

status cache_user_groups_check(struct call *c, const struct str *ids, size_t n)
{
	struct elasticache_rec_user_group g;
	for (size_t i = 0; i < n; i++) TRY(find_group(c, ids[i], &g));
	return OK;
}

static status users_of(struct call *c, struct str group, struct elasticache_ug_replication_group_id_list *out)
{
	size_t capacity = 0;
	struct cache_each e = cache_each(cache_here(c), &cache_kind_unit);
	*out = (struct elasticache_ug_replication_group_id_list){0};
	while (cache_next(&e)) {
		const struct elasticache_rec_unit *u = e.record;
		if (has(&u->user_groups, group)) *VEC_PUSH(c->arena, out, &capacity) = u->replication_group_id;
	}
	VEC_PRESENT(c->arena, out);
	return cache_each_end(&e);
}

status cache_users_changed(struct call *c, struct str group)
{
	struct cache_each e = cache_each(cache_here(c), &cache_kind_unit);
	while (cache_next(&e)) {
		const struct elasticache_rec_unit *u = e.record;
		if (has(&u->user_groups, group)) cache_mark(e.at, u->id, 0);
	}
	cache_poke(c);
	return cache_each_end(&e);
}

static status show_group(struct call *c, const struct elasticache_rec_user_group *r, struct elasticache_user_group *out)
{
	cache_show(c->arena, ELASTICACHE_REC_USER_GROUP, r, ELASTICACHE_SHAPE_USER_GROUP, out);
	out->status = STR("active");
	out->user_ids = (struct elasticache_user_id_list){r->users.v, r->users.n};
	out->minimum_engine_version = STR("6.0");
	out->pending_changes = arena_new(c->arena, struct elasticache_user_group_pending_changes);
	out->arn = cache_arn(c, &cache_kind_user_group, r->user_group_id);
	return users_of(c, r->user_group_id, &out->replication_groups);
}

/* All are there, names are told apart, and one of them is "default". */
static status check_members(struct call *c, const struct elasticache_rec_user_group *g)
{
	struct elasticache_rec_user r, *all = arena_new_n(c->arena, struct elasticache_rec_user, g->users.n + 1);
	bool has_default = false;
	if (g->users.n > GROUP_USERS_MAX)
		return CACHE_BAD_VALUE(c, "A user group can have at most %d users.", GROUP_USERS_MAX);
	for (size_t i = 0; i < g->users.n; i++) {
		TRY(find(c, g->users.v[i], &r));
		for (size_t k = 0; k < i; k++)
			if (str_eq(all[k].user_name, r.user_name))
				return CACHE_FAIL(c, DUPLICATE_USER_NAME_FAULT,
					"More than one user has the user name %.*s.", STR_ARG(r.user_name));
		all[i] = r;
		has_default = has_default || str_is(r.user_name, "default");
	}
	return has_default ? OK
			   : CACHE_FAIL(c, DEFAULT_USER_REQUIRED,
				     "A user with the user name \"default\" has to be in the user group.");
}

status elasticache_create_user_group(struct call *c, const struct elasticache_create_user_group_input *in,
	struct elasticache_create_user_group_output *out)
{
	struct elasticache_rec_user_group g, other;
	size_t n, capacity = 0;
	struct str id = str_lower(c->arena, in->user_group_id);
	TRY(cache_name_check(c, id, "UserGroupId", CACHE_ID_MAX));
	TRY(check_engine(c, in->engine));
	status s = cache_load(cache_here(c), &cache_kind_user_group, id, &other);
	if (is_ok(s))
		return CACHE_FAIL(c, USER_GROUP_ALREADY_EXISTS_FAULT, "UserGroup %.*s already exists.", STR_ARG(id));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(cache_count(cache_here(c), &cache_kind_user_group, &n));
	if (n >= CACHE_USER_GROUPS_MAX)
		return CACHE_FAIL(c, USER_GROUP_QUOTA_EXCEEDED_FAULT,
			"The request would exceed the allowed number of user groups.");
	g = (struct elasticache_rec_user_group){.user_group_id = id, .engine = STR("redis")};
	for (size_t i = 0; i < in->user_ids.n; i++)
		if (!has(&g.users, in->user_ids.v[i]))
			*VEC_PUSH(c->arena, &g.users, &capacity) = str_lower(c->arena, in->user_ids.v[i]);
	TRY(check_members(c, &g));
	TRY(cache_tags_set(c, &g.tags, in->tags.v, in->tags.n));
	cache_put(cache_here(c), &cache_kind_user_group, id, &g);
	return show_group(c, &g, out);
}

status elasticache_modify_user_group(struct call *c, const struct elasticache_modify_user_group_input *in,
	struct elasticache_modify_user_group_output *out)
{
	struct elasticache_rec_user_group g;
	struct elasticache_rec_strings kept = {0};
	size_t capacity = 0;
	TRY(find_group(c, in->user_group_id, &g));
	if (!in->user_ids_to_add.n && !in->user_ids_to_remove.n)
		return CACHE_BAD_COMBINATION(c, "Either UserIdsToAdd or UserIdsToRemove has to be given.");
	for (size_t i = 0; i < in->user_ids_to_remove.n; i++)
		if (!has(&g.users, in->user_ids_to_remove.v[i]))
			return CACHE_FAIL(c, USER_NOT_FOUND_FAULT, "User %.*s is not in the user group.",
				STR_ARG(in->user_ids_to_remove.v[i]));
	for (size_t i = 0; i < g.users.n; i++) {
		bool gone = false;
		for (size_t k = 0; k < in->user_ids_to_remove.n; k++)
			gone = gone || str_ieq(in->user_ids_to_remove.v[k], g.users.v[i]);
		if (!gone) *VEC_PUSH(c->arena, &kept, &capacity) = g.users.v[i];
	}
	for (size_t i = 0; i < in->user_ids_to_add.n; i++)
		if (!has(&kept, in->user_ids_to_add.v[i]))
			*VEC_PUSH(c->arena, &kept, &capacity) = str_lower(c->arena, in->user_ids_to_add.v[i]);
	g.users = kept;
	TRY(check_members(c, &g));
	cache_put(cache_here(c), &cache_kind_user_group, g.user_group_id, &g);
	TRY(cache_users_changed(c, g.user_group_id));
	return show_group(c, &g, out);
}

status elasticache_delete_user_group(struct call *c, const struct elasticache_delete_user_group_input *in,
	struct elasticache_delete_user_group_output *out)
{
	struct elasticache_rec_user_group g;
	struct elasticache_ug_replication_group_id_list by;
	TRY(find_group(c, in->user_group_id, &g));
	TRY(users_of(c, g.user_group_id, &by));
	if (by.n)
		return CACHE_FAIL(c, INVALID_USER_GROUP_STATE_FAULT, "UserGroup %.*s is in use by %.*s.",
			STR_ARG(g.user_group_id), STR_ARG(by.v[0]));
	cache_drop(cache_here(c), &cache_kind_user_group, g.user_group_id);
	TRY(show_group(c, &g, out));
	out->status = STR("deleting");
	return OK;
}

status elasticache_describe_user_groups(struct call *c, const struct elasticache_describe_user_groups_input *in,
	struct elasticache_describe_user_groups_output *out)
{
	struct elasticache_rec_user_group g;
	size_t capacity = 0;
	if (str_has(in->user_group_id)) {
		TRY(find_group(c, in->user_group_id, &g));
		return show_group(c, &g, VEC_PUSH(c->arena, &out->user_groups, &capacity));
	}
	struct cache_each e = cache_each(cache_here(c), &cache_kind_user_group);
	status s = OK;
	while (is_ok(s) && cache_next(&e))
		s = show_group(c, e.record, VEC_PUSH(c->arena, &out->user_groups, &capacity));
	status end = cache_each_end(&e);
	TRY(s);
	TRY(end);
	return cache_page(c, &out->user_groups, sizeof(*out->user_groups.v), in->max_records, in->marker, &out->marker);
}
