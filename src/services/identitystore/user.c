/* Users. Their attributes are kept as the JSON that the wire has, so that changing one by its path ("UpdateUser", the
 * reference) is the same for all of them. */
#include "base/json.h"
#include "services/identitystore/room.h"

#define TABLES (&wire_service_identitystore.tables)

static struct str attributes_of(struct call *c, const struct identitystore_create_user_input *in)
{
	struct identitystore_user u = {
		.user_name = in->user_name,
		.name = in->name,
		.display_name = in->display_name,
		.nick_name = in->nick_name,
		.profile_url = in->profile_url,
		.emails = in->emails,
		.addresses = in->addresses,
		.phone_numbers = in->phone_numbers,
		.user_type = in->user_type,
		.title = in->title,
		.preferred_language = in->preferred_language,
		.locale = in->locale,
		.timezone = in->timezone,
		.photos = in->photos,
		.website = in->website,
		.birthdate = in->birthdate,
		.roles = in->roles,
		.extensions = in->extensions,
	};
	return wire_json_of(c->arena, TABLES, IDENTITYSTORE_SHAPE_USER, &u);
}

static status user_out(
	struct call *c, struct str store, const struct identitystore_rec_user *r, struct identitystore_user *out)
{
	TRY(wire_json_to(c->arena, TABLES, IDENTITYSTORE_SHAPE_USER, r->attributes, out));
	out->identity_store_id = store;
	out->user_id = r->id;
	out->user_name = r->name;
	out->user_status = STR("ENABLED");
	out->created_at = r->created;
	out->updated_at = r->updated;
	out->created_by = r->created_by;
	out->updated_by = r->updated_by;
	return OK;
}

static status require_whole(struct call *c, const struct identitystore_user *u)
{
	const char *missing = !str_has(u->user_name)                      ? "userName"
			      : !u->name || !str_has(u->name->given_name) ? "name.givenName"
			      : !str_has(u->name->family_name)            ? "name.familyName"
			      : !str_has(u->display_name)                 ? "displayName"
									  : NULL;
	if (!missing) return OK;
	return IDS_FAIL(c, VALIDATION, "1 validation error detected: %s is a required attribute", missing);
}

/* "emails": unique within the directory, as names are. */
static status require_free_email(struct call *c, struct str store, struct str id, struct str email)
{
	struct identitystore_ids ids = {0};
	if (!str_has(email)) return OK;
	TRY(ids_list(c->tx, c->arena, ids_key(c->arena, "user", store, STR_NONE), &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct identitystore_rec_user u;
		TRY(identitystore_user(c->tx, c->arena, store, ids.v[i], &u));
		struct str other = identitystore_attribute(c->arena, &u, STR("emails.value"));
		if (!str_eq(u.id, id) && str_has(other) && str_ieq(other, email)) return ids_taken(c, "Emails");
	}
	return OK;
}

static void put(struct call *c, struct str store, const struct identitystore_rec_user *r)
{
	store_put(c->tx, ids_key(c->arena, "user", store, r->id), identitystore_rec_user_encode(c->arena, r));
	store_put(c->tx, ids_key(c->arena, "username", store, str_lower(c->arena, r->name)), r->id);
}

status identitystore_create_user(
	struct call *c, const struct identitystore_create_user_input *in, struct identitystore_create_user_output *out)
{
	struct identitystore_rec_user other;
	TRY(ids_require_store(c, in->identity_store_id));
	struct identitystore_user u = {.user_name = in->user_name, .name = in->name, .display_name = in->display_name};
	TRY(require_whole(c, &u));
	status s = identitystore_user_named(c->tx, c->arena, in->identity_store_id, in->user_name, &other);
	if (is_ok(s)) return ids_taken(c, "UserName");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (in->emails.n) TRY(require_free_email(c, in->identity_store_id, STR(""), in->emails.v[0].value));
	struct identitystore_rec_user r = {
		.id = ids_new_id(c->arena, in->identity_store_id),
		.name = in->user_name,
		.attributes = attributes_of(c, in),
		.created = SOME_TIME(c->now_ms),
		.updated = SOME_TIME(c->now_ms),
		.created_by = c->principal.arn,
		.updated_by = c->principal.arn,
	};
	put(c, in->identity_store_id, &r);
	out->identity_store_id = in->identity_store_id;
	out->user_id = r.id;
	return OK;
}

status identitystore_describe_user(struct call *c, const struct identitystore_describe_user_input *in,
	struct identitystore_describe_user_output *out)
{
	struct identitystore_rec_user r;
	struct identitystore_user u = {0};
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(ids_get_user(c, in->identity_store_id, in->user_id, &r));
	TRY(user_out(c, in->identity_store_id, &r, &u));
	/* The answer's shape is a user's, member for member, in another order: over the wire and back. */
	struct str text = wire_json_of(c->arena, TABLES, IDENTITYSTORE_SHAPE_USER, &u);
	return wire_json_to(c->arena, TABLES, IDENTITYSTORE_SHAPE_DESCRIBE_USER_RESPONSE, text, out);
}

status identitystore_list_users(
	struct call *c, const struct identitystore_list_users_input *in, struct identitystore_list_users_output *out)
{
	struct identitystore_ids ids = {0};
	struct ids_page page;
	size_t capacity = 0;
	TRY(ids_require_store(c, in->identity_store_id));
	TRY(ids_page_begin(c, in->next_token, in->max_results, &page));
	TRY(ids_list(c->tx, c->arena, ids_key(c->arena, "user", in->identity_store_id, STR_NONE), &ids));
	VEC_PRESENT(c->arena, &out->users);
	const struct identitystore_filter *f = in->filters.n ? &in->filters.v[0] : NULL;
	for (size_t i = 0; i < ids.n; i++) {
		struct identitystore_rec_user r;
		TRY(identitystore_user(c->tx, c->arena, in->identity_store_id, ids.v[i], &r));
		if (f) {
			struct str value = identitystore_attribute(c->arena, &r, f->attribute_path);
			if (!str_has(value) || !str_ieq(value, f->attribute_value)) continue;
		}
		if (ids_page_take(&page, r.id))
			TRY(user_out(c, in->identity_store_id, &r, VEC_PUSH(c->arena, &out->users, &capacity)));
	}
	out->next_token = ids_page_end(&page);
	return OK;
}

status identitystore_get_user_id(
	struct call *c, const struct identitystore_get_user_id_input *in, struct identitystore_get_user_id_output *out)
{
	struct identitystore_ids ids = {0};
	struct str wanted;
	TRY(ids_require_store(c, in->identity_store_id));
	const struct identitystore_unique_attribute *u = in->alternate_identifier->unique_attribute;
	if (!u) return ids_not_found(c, "USER", STR_NONE); /* nobody was provisioned from elsewhere */
	bool by_email = ids_is_path(u->attribute_path, "emails.value");
	if (!by_email && !ids_is_path(u->attribute_path, "userName"))
		return IDS_FAIL(c, VALIDATION, "UniqueAttribute supports userName and emails.value only.");
	TRY(ids_string(c, u->attribute_value, &wanted));
	out->identity_store_id = in->identity_store_id;
	TRY(ids_list(c->tx, c->arena, ids_key(c->arena, "user", in->identity_store_id, STR_NONE), &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct identitystore_rec_user r;
		TRY(identitystore_user(c->tx, c->arena, in->identity_store_id, ids.v[i], &r));
		struct str value = by_email ? identitystore_attribute(c->arena, &r, STR("emails.value")) : r.name;
		if (!str_has(value) || !str_ieq(value, wanted)) continue;
		out->user_id = r.id;
		return OK;
	}
	return ids_not_found(c, "USER", STR_NONE);
}

/* ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct json_value *member(struct json_value *v, struct str name)
{
	for (struct json_value *m = v->first; m; m = m->next)
		if (str_ieq(m->name, name)) return m;
	return NULL;
}

static struct str capitalized(struct arena *a, struct str name)
{
	char *p = arena_copy(a, name.p, name.n);
	if (p[0] >= 'a' && p[0] <= 'z') p[0] = (char)(p[0] - 'a' + 'A');
	return str_n(p, name.n);
}

/* Clients write the documents' members with capitals or without. */
static void capitalize_all(struct arena *a, struct json_value *v)
{
	for (struct json_value *m = v->first; m; m = m->next) {
		if (v->type == JSON_IS_OBJECT && m->name.n) m->name = capitalized(a, m->name);
		capitalize_all(a, m);
	}
}

static void drop_member(struct json_value *v, const struct json_value *which)
{
	struct json_value **at = &v->first;
	while (*at && *at != which) at = &(*at)->next;
	if (*at) *at = which->next;
	v->length--;
}

/* Sets one attribute by its path; without a value it goes. */
static status set_attribute(struct call *c, struct json_value *user, const struct identitystore_attribute_operation *o)
{
	struct json_value *at = user, *value = NULL;
	struct str rest = o->attribute_path;
	if (str_has(o->attribute_value)) {
		if (!is_ok(json_read(c->arena, o->attribute_value, &value)))
			return IDS_FAIL(c, VALIDATION, "The attribute's value isn't valid JSON.");
		capitalize_all(c->arena, value);
	}
	for (;;) {
		struct str part = capitalized(c->arena, str_cut(&rest, '.'));
		struct json_value *m = member(at, part);
		bool last = !str_has(rest);
		if (last && (!value || value->type == JSON_IS_NULL)) {
			if (m) drop_member(at, m);
			return OK;
		}
		if (!m) {
			m = arena_new(c->arena, struct json_value);
			*m = (struct json_value){.type = JSON_IS_OBJECT, .name = part, .next = at->first};
			at->first = m;
			at->length++;
		}
		if (last) {
			struct json_value *next = m->next;
			struct str name = m->name;
			*m = *value;
			m->name = name;
			m->next = next;
			return OK;
		}
		if (m->type != JSON_IS_OBJECT)
			return IDS_FAIL(c, VALIDATION, "%.*s is not a valid path.", STR_ARG(o->attribute_path));
		at = m;
	}
}

status identitystore_update_user(
	struct call *c, const struct identitystore_update_user_input *in, struct identitystore_update_user_output *out)
{
	(void)out;
	struct str store = in->identity_store_id;
	struct identitystore_rec_user r, other;
	struct json_value *tree;
	TRY(ids_require_store(c, store));
	TRY(ids_get_user(c, store, in->user_id, &r));
	TRY(json_read(c->arena, r.attributes, &tree));
	for (size_t i = 0; i < in->operations.n; i++) TRY(set_attribute(c, tree, &in->operations.v[i]));
	struct buf b = BUF_IN(c->arena);
	json_write(&b, tree);
	struct identitystore_user u = {0};
	if (!is_ok(wire_json_to(c->arena, TABLES, IDENTITYSTORE_SHAPE_USER, buf_done(&b), &u)))
		return IDS_FAIL(
			c, VALIDATION, "An operation names an attribute or gives a value that a user can't have.");
	TRY(require_whole(c, &u));
	if (!str_ieq(u.user_name, r.name)) {
		if (is_ok(identitystore_user_named(c->tx, c->arena, store, u.user_name, &other)))
			return ids_taken(c, "UserName");
		store_delete(c->tx, ids_key(c->arena, "username", store, str_lower(c->arena, r.name)));
	}
	if (u.emails.n) TRY(require_free_email(c, store, r.id, u.emails.v[0].value));
	r.name = u.user_name;
	r.attributes = wire_json_of(c->arena, TABLES, IDENTITYSTORE_SHAPE_USER, &u);
	r.updated = SOME_TIME(c->now_ms);
	r.updated_by = c->principal.arn;
	put(c, store, &r);
	return OK;
}

status identitystore_delete_user(
	struct call *c, const struct identitystore_delete_user_input *in, struct identitystore_delete_user_output *out)
{
	(void)out;
	struct str store = in->identity_store_id;
	struct identitystore_rec_user r;
	struct identitystore_ids groups = {0};
	TRY(ids_require_store(c, store));
	TRY(ids_get_user(c, store, in->user_id, &r));
	TRY(identitystore_groups_of(c->tx, c->arena, store, r.id, &groups));
	for (size_t i = 0; i < groups.n; i++) {
		struct identitystore_rec_membership m = {.group = groups.v[i], .user = r.id};
		TRY(store_get(c->tx, ids_key2(c->arena, "memberof", store, r.id, groups.v[i]), &m.id));
		ids_drop_membership(c, store, &m);
	}
	store_delete(c->tx, ids_key(c->arena, "user", store, r.id));
	store_delete(c->tx, ids_key(c->arena, "username", store, str_lower(c->arena, r.name)));
	return OK;
}
