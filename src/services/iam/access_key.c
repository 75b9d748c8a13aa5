/* Access keys of users: the record here has the secret too, because an inactive key is taken from the identity room and
 * comes back when it is made active again. */
#include "services/iam/internal.h"

#define KEYS_PER_USER 2

void iam_key_publish(struct call *c, const struct iam_rec_entity *user, const struct iam_rec_key *k)
{
	if (!k->active.v) {
		identity_key_delete(c->tx, c->arena, k->id);
		return;
	}
	struct principal p = {.kind = PRINCIPAL_USER,
		.account = c->account,
		.arn = iam_entity_arn(c, IAM_USER, user),
		.user_id = user->id,
		.access_key = k->id,
		.name = user->name,
		.secret = k->secret};
	identity_key_put(c->tx, c->arena, &p, STR(""));
}

status iam_key_get(struct call *c, const struct iam_rec_entity *user, struct str id, struct iam_rec_key *out)
{
	*out = (struct iam_rec_key){0};
	struct str bytes;
	for (size_t i = 0; i < user->keys.n; i++) {
		if (!str_eq(user->keys.v[i], id)) continue;
		TRY(store_get(c->tx, iam_key(c->arena, "key", c->account, id), &bytes));
		return iam_rec_key_decode(c->arena, bytes, out);
	}
	return IAM_FAIL(c, NO_SUCH_ENTITY, "The Access Key with id %.*s cannot be found.", STR_ARG(id));
}

static void key_put(struct call *c, const struct iam_rec_entity *user, const struct iam_rec_key *k)
{
	store_put(c->tx, iam_key(c->arena, "key", c->account, k->id), iam_rec_key_encode(c->arena, k));
	iam_key_publish(c, user, k);
}

status iam_keys_renamed(struct call *c, const struct iam_rec_entity *user)
{
	for (size_t i = 0; i < user->keys.n; i++) {
		struct iam_rec_key k;
		TRY(iam_key_get(c, user, user->keys.v[i], &k));
		k.user = user->name;
		key_put(c, user, &k);
	}
	return OK;
}

static struct str status_word(const struct iam_rec_key *k)
{
	return k->active.v ? STR("Active") : STR("Inactive");
}

status iam_create_access_key(
	struct call *c, const struct iam_create_access_key_input *in, struct iam_create_access_key_output *out)
{
	struct iam_rec_entity e;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	if (e.keys.n >= KEYS_PER_USER)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for AccessKeysPerUser: %d", KEYS_PER_USER);
	struct iam_rec_key k = {.id = identity_new_key_id(c->arena, false),
		.user = e.name,
		.active = SOME_BOOL(true),
		.created = SOME_TIME(c->now_ms),
		.secret = identity_new_secret(c->arena)};
	iam_strings_add(c->arena, &e.keys, k.id);
	iam_put(c, IAM_USER, &e);
	key_put(c, &e, &k);
	out->access_key = arena_new(c->arena, struct iam_access_key);
	*out->access_key = (struct iam_access_key){.user_name = e.name,
		.access_key_id = k.id,
		.status = STR("Active"),
		.secret_access_key = k.secret,
		.create_date = k.created};
	return OK;
}

status iam_update_access_key(
	struct call *c, const struct iam_update_access_key_input *in, struct iam_update_access_key_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	struct iam_rec_key k;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	TRY(iam_key_get(c, &e, in->access_key_id, &k));
	if (str_is(in->status, "Expired"))
		return call_fail(c, ERR_VALIDATION, "The status of an access key is Active or Inactive.");
	k.active = SOME_BOOL(str_is(in->status, "Active"));
	key_put(c, &e, &k);
	return OK;
}

status iam_delete_access_key(
	struct call *c, const struct iam_delete_access_key_input *in, struct iam_delete_access_key_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	struct iam_rec_key k;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	TRY(iam_key_get(c, &e, in->access_key_id, &k));
	iam_strings_drop(&e.keys, k.id);
	iam_put(c, IAM_USER, &e);
	store_delete(c->tx, iam_key(c->arena, "key", c->account, k.id));
	identity_key_delete(c->tx, c->arena, k.id);
	return OK;
}

status iam_list_access_keys(
	struct call *c, const struct iam_list_access_keys_input *in, struct iam_list_access_keys_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	VEC_PRESENT(c->arena, &out->access_key_metadata);
	size_t capacity = 0;
	struct iam_rec_entity e = {0};
	if (str_has(in->user_name) || c->principal.kind != PRINCIPAL_ROOT)
		TRY(iam_get_user_or_caller(c, in->user_name, &e));
	for (size_t i = 0; i < e.keys.n; i++) {
		struct iam_rec_key k;
		TRY(iam_key_get(c, &e, e.keys.v[i], &k));
		if (!iam_page_take(&page, str_fmt(c->arena, "%04zu", i))) continue;
		*VEC_PUSH(c->arena, &out->access_key_metadata, &capacity) =
			(struct iam_access_key_metadata){.user_name = e.name,
				.access_key_id = k.id,
				.status = status_word(&k),
				.create_date = k.created};
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_get_access_key_last_used(struct call *c, const struct iam_get_access_key_last_used_input *in,
	struct iam_get_access_key_last_used_output *out)
{
	struct str bytes;
	struct iam_rec_key k = {0};
	status s = store_get(c->tx, iam_key(c->arena, "key", c->account, in->access_key_id), &bytes);
	/* "GetAccessKeyLastUsed": the caller has to be of the key's account. */
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, ERR_ACCESS_DENIED,
			"User: %.*s is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key "
			"%.*s",
			STR_ARG(c->principal.arn), STR_ARG(in->access_key_id));
	TRY(s);
	TRY(iam_rec_key_decode(c->arena, bytes, &k));
	out->user_name = k.user;
	out->access_key_last_used = arena_new(c->arena, struct iam_access_key_last_used);
	iam_key_last_used(c, k.id, out->access_key_last_used);
	return OK;
}
