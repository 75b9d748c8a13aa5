/* Users, groups and roles as records: keys, ids, ARNs, loading, storing, and how answers show them. */
#include "base/rand.h"
#include "services/iam/internal.h"

static const struct {
	const char *name, *title, *plural;
	size_t quota; /* "IAM and AWS STS quotas", as Service Quotas allows at most for roles */
} kinds[] = {
	[IAM_USER] = {"user", "User", "Users", 5000},
	[IAM_GROUP] = {"group", "Group", "Groups", 300},
	[IAM_ROLE] = {"role", "Role", "Roles", 1000},
};

const char *iam_kind_name(enum iam_kind kind)
{
	return kinds[kind].name;
}

struct str iam_key(struct arena *a, const char *kind, struct str account, struct str name)
{
	struct key k = key_for(a, STR("iam"), str_c(kind), account, STR(""));
	if (str_has(name)) key_str(&k, str_lower(a, name));
	return key_done(&k);
}

struct str iam_new_id(struct arena *a, const char *prefix)
{
	return str_cat(a, str_c(prefix), rand_text(a, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 17));
}

struct str iam_arn(const struct call *c, const char *type, struct str path, struct str name)
{
	return str_fmt(c->arena, "arn:%.*s:iam::%.*s:%s%.*s%.*s", STR_ARG(c->partition), STR_ARG(c->account), type,
		STR_ARG(str_or(path, STR("/"))), STR_ARG(name));
}

struct str iam_entity_arn(const struct call *c, enum iam_kind kind, const struct iam_rec_entity *e)
{
	return iam_arn(c, kinds[kind].name, e->path, e->name);
}

status iam_peek(struct store_tx *tx, struct arena *a, enum iam_kind kind, struct str account, struct str name,
	struct iam_rec_entity *out)
{
	struct str bytes;
	*out = (struct iam_rec_entity){0};
	TRY(store_get(tx, iam_key(a, kinds[kind].name, account, name), &bytes));
	return iam_rec_entity_decode(a, bytes, out);
}

status iam_get(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *out)
{
	status s = iam_peek(c->tx, c->arena, kind, c->account, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return IAM_FAIL(c, NO_SUCH_ENTITY, "The %s with name %.*s cannot be found.", kinds[kind].name, STR_ARG(name));
}

status iam_get_user_or_caller(struct call *c, struct str name, struct iam_rec_entity *out)
{
	if (!str_has(name)) {
		if (c->principal.kind != PRINCIPAL_USER)
			return call_fail(
				c, ERR_VALIDATION, "Must specify userName when calling with non-User credentials");
		name = c->principal.name;
	}
	return iam_get(c, IAM_USER, name, out);
}

void iam_changed_in(struct store_tx *tx, struct arena *a, struct str account)
{
	uint64_t stamp = rand_u64() | 1;
	store_put(tx, iam_key(a, "generation", account, STR_NONE),
		str_n(arena_copy(a, &stamp, sizeof(stamp)), sizeof(stamp)));
}

void iam_changed(struct call *c)
{
	iam_changed_in(c->tx, c->arena, c->account);
}

uint64_t iam_generation(struct store_tx *tx, struct arena *a, struct str account)
{
	struct str bytes;
	uint64_t stamp = 0;
	if (!is_ok(store_peek(tx, iam_key(a, "generation", account, STR_NONE), &bytes))) return 0;
	if (bytes.n == sizeof(stamp)) memcpy(&stamp, bytes.p, sizeof(stamp));
	return stamp;
}

void iam_put(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e)
{
	store_put(c->tx, iam_key(c->arena, kinds[kind].name, c->account, e->name), iam_rec_entity_encode(c->arena, e));
	iam_changed(c);
}

size_t iam_count(struct call *c, const char *kind, size_t most)
{
	struct iam_rows r = iam_rows_begin(c, kind);
	size_t n = 0;
	while (n < most && iam_rows_next(&r)) n++;
	return is_ok(iam_rows_end(&r)) ? n : 0;
}

status iam_require_new(struct call *c, enum iam_kind kind, struct str name)
{
	struct str bytes;
	status s = store_get(c->tx, iam_key(c->arena, kinds[kind].name, c->account, name), &bytes);
	if (is_ok(s))
		return IAM_FAIL(c, ENTITY_ALREADY_EXISTS, "%s with name %.*s already exists.", kinds[kind].title,
			STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (iam_count(c, kinds[kind].name, kinds[kind].quota) < kinds[kind].quota) return OK;
	return IAM_FAIL(
		c, LIMIT_EXCEEDED, "Cannot exceed quota for %sPerAccount: %zu", kinds[kind].plural, kinds[kind].quota);
}

/* ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct iam_attached_permissions_boundary *iam_boundary_out(struct call *c, struct str arn)
{
	if (str_empty(arn)) return NULL;
	struct iam_attached_permissions_boundary *b = arena_new(c->arena, struct iam_attached_permissions_boundary);
	b->permissions_boundary_type = STR("Policy");
	b->permissions_boundary_arn = arn;
	return b;
}

void iam_user_out(struct call *c, const struct iam_rec_entity *e, bool with_tags, struct iam_user *out)
{
	out->path = e->path;
	out->user_name = e->name;
	out->user_id = e->id;
	out->arn = iam_entity_arn(c, IAM_USER, e);
	out->create_date = e->created;
	if (e->login) out->password_last_used = e->login->used;
	if (!with_tags) return;
	out->permissions_boundary = iam_boundary_out(c, e->boundary);
	if (e->tags.n) iam_tags_out(c, &e->tags, &out->tags);
}

void iam_group_out(struct call *c, const struct iam_rec_entity *e, struct iam_group *out)
{
	out->path = e->path;
	out->group_name = e->name;
	out->group_id = e->id;
	out->arn = iam_entity_arn(c, IAM_GROUP, e);
	out->create_date = e->created;
}

void iam_role_out(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_role *out)
{
	out->path = e->path;
	out->role_name = e->name;
	out->role_id = e->id;
	out->arn = iam_entity_arn(c, IAM_ROLE, e);
	out->create_date = e->created;
	out->assume_role_policy_document = iam_document_out(c, e->trust);
	out->description = e->description;
	out->max_session_duration = e->max_session;
	if (!whole) return;
	out->permissions_boundary = iam_boundary_out(c, e->boundary);
	if (e->tags.n) iam_tags_out(c, &e->tags, &out->tags);
	out->role_last_used = arena_new(c->arena, struct iam_role_last_used);
	iam_last_used(c, out->arn, &out->role_last_used->last_used_date, &out->role_last_used->region);
}
