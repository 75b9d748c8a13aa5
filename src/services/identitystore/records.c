/* Directories' records: keys, ids, loading, the door's look-ups; pages and errors. */
#include "base/json.h"
#include "services/identitystore/room.h"
#include "services/organizations/door.h"
#include <openssl/evp.h>

#define SERVICE STR("identitystore")
#define ROUNDS 20000
#define SALT_BYTES 16
#define HASH_BYTES 32

struct str ids_key(struct arena *a, const char *kind, struct str store, struct str id)
{
	struct key k = key_for(a, SERVICE, str_c(kind), store, STR(""));
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

struct str ids_key2(struct arena *a, const char *kind, struct str store, struct str id, struct str id2)
{
	struct key k = key_for(a, SERVICE, str_c(kind), store, STR(""));
	key_str(&k, id);
	key_str(&k, id2);
	return key_done(&k);
}

static struct str store_key(struct arena *a, struct str id)
{
	struct key k = key_begin(a);
	key_str(&k, SERVICE);
	key_str(&k, STR("store"));
	key_str(&k, id);
	return key_done(&k);
}

struct str ids_new_id(struct arena *a, struct str store)
{
	struct str ten = store.n == 12 ? str_from(store, 2) : STR("9067000000");
	return str_fmt(a, "%.*s-%.*s", STR_ARG(ten), STR_ARG(rand_uuid(a)));
}

status ids_list(struct store_tx *tx, struct arena *a, struct str encoded, struct identitystore_ids *out)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(tx, encoded, key_after(a, encoded), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(str_dup(a, key), encoded.n), id;
		TRY(key_read_str(a, &rest, &id));
		*VEC_PUSH(a, out, &out->capacity) = id;
	}
	return store_scan_end(scan);
}

struct str identitystore_create(
	struct store_tx *tx, struct arena *a, struct str owner, struct str region, int64_t now_ms)
{
	struct identitystore_rec_store r = {
		.id = str_cat(a, STR("d-"), rand_text(a, STR("0123456789abcdef"), 10)),
		.owner = owner,
		.region = region,
		.created = SOME_TIME(now_ms),
	};
	store_put(tx, store_key(a, r.id), identitystore_rec_store_encode(a, &r));
	return r.id;
}

status identitystore_drop(struct store_tx *tx, struct arena *a, struct str store)
{
	static const char *const kinds[] = {
		"user", "group", "membership", "username", "groupname", "member", "memberof"};
	store_delete(tx, store_key(a, store));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct str from = ids_key(a, kinds[i], store, STR_NONE), key, value;
		struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
		while (store_scan_next(scan, &key, &value)) store_delete(tx, str_dup(a, key));
		TRY(store_scan_end(scan));
	}
	return OK;
}

status identitystore_user(
	struct store_tx *tx, struct arena *a, struct str store, struct str id, struct identitystore_rec_user *out)
{
	struct str bytes;
	*out = (struct identitystore_rec_user){0};
	TRY(store_get(tx, ids_key(a, "user", store, id), &bytes));
	return identitystore_rec_user_decode(a, bytes, out);
}

status identitystore_user_named(
	struct store_tx *tx, struct arena *a, struct str store, struct str name, struct identitystore_rec_user *out)
{
	struct str id;
	TRY(store_get(tx, ids_key(a, "username", store, str_lower(a, name)), &id));
	return identitystore_user(tx, a, store, id, out);
}

status identitystore_group(
	struct store_tx *tx, struct arena *a, struct str store, struct str id, struct identitystore_rec_group *out)
{
	struct str bytes;
	*out = (struct identitystore_rec_group){0};
	TRY(store_get(tx, ids_key(a, "group", store, id), &bytes));
	return identitystore_rec_group_decode(a, bytes, out);
}

status identitystore_groups_of(
	struct store_tx *tx, struct arena *a, struct str store, struct str user, struct identitystore_ids *out)
{
	return ids_list(tx, a, ids_key(a, "memberof", store, user), out);
}

status ids_membership(
	struct store_tx *tx, struct arena *a, struct str store, struct str id, struct identitystore_rec_membership *out)
{
	struct str bytes;
	*out = (struct identitystore_rec_membership){0};
	TRY(store_get(tx, ids_key(a, "membership", store, id), &bytes));
	return identitystore_rec_membership_decode(a, bytes, out);
}

void ids_drop_membership(struct call *c, struct str store, const struct identitystore_rec_membership *m)
{
	store_delete(c->tx, ids_key(c->arena, "membership", store, m->id));
	store_delete(c->tx, ids_key2(c->arena, "member", store, m->group, m->user));
	store_delete(c->tx, ids_key2(c->arena, "memberof", store, m->user, m->group));
}

/* ── attributes ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* Members are stored as the wire has them, with a capital; paths begin with a small letter. */
static const struct json_value *member_of(const struct json_value *v, struct str name)
{
	for (const struct json_value *m = json_is(v, JSON_IS_OBJECT) ? v->first : NULL; m; m = m->next)
		if (str_ieq(m->name, name)) return m;
	return NULL;
}

struct str identitystore_attribute(struct arena *a, const struct identitystore_rec_user *u, struct str path)
{
	struct json_value *v;
	if (str_ieq(path, STR("userName"))) return u->name;
	if (!is_ok(json_read(a, u->attributes, &v))) return STR_NONE;
	const struct json_value *at = v;
	struct str rest = path;
	while (str_has(rest)) {
		struct str part = str_cut(&rest, '.');
		ptrdiff_t filter = str_chr(part, '[');
		at = member_of(at, filter < 0 ? part : str_sub(part, 0, (size_t)filter));
		if (json_is(at, JSON_IS_ARRAY)) at = at->first; /* there is one at most */
	}
	return json_scalar(at);
}

/* ── passwords ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void hash_password(struct str password, struct str salt, uint8_t out[HASH_BYTES])
{
	INVARIANT(PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n, ROUNDS,
			  EVP_sha256(), HASH_BYTES, out) == 1);
}

status identitystore_set_password(
	struct store_tx *tx, struct arena *a, struct str store, struct str user_id, struct str password)
{
	struct identitystore_rec_user u;
	TRY(identitystore_user(tx, a, store, user_id, &u));
	char *salt = arena_alloc_raw(a, SALT_BYTES), *hash = arena_alloc_raw(a, HASH_BYTES);
	rand_bytes(salt, SALT_BYTES);
	u.salt = str_n(salt, SALT_BYTES);
	hash_password(password, u.salt, (uint8_t *)hash);
	u.hash = str_n(hash, HASH_BYTES);
	store_put(tx, ids_key(a, "user", store, u.id), identitystore_rec_user_encode(a, &u));
	return OK;
}

bool identitystore_password_is(const struct identitystore_rec_user *u, struct str password)
{
	uint8_t h[HASH_BYTES];
	hash_password(password, u->salt.n ? u->salt : STR("nobody"), h);
	return u->hash.n == HASH_BYTES && str_eq_secret(str_n(h, HASH_BYTES), u->hash);
}

/* ── for handlers ─────────────────────────────────────────────────────────────────────────────────────────────── */

status ids_not_found(struct call *c, const char *type, struct str id)
{
	struct identitystore_resource_not_found_exception *e =
		arena_new(c->arena, struct identitystore_resource_not_found_exception);
	e->resource_type = str_c(type);
	e->resource_id = id;
	e->request_id = c->request_id;
	e->message = str_fmt(c->arena, "%s not found.", type);
	status s = IDS_FAIL(c, RESOURCE_NOT_FOUND, "%.*s", STR_ARG(e->message));
	call_fail_members(c, e);
	return s;
}

status ids_taken(struct call *c, const char *what)
{
	struct identitystore_conflict_exception *e = arena_new(c->arena, struct identitystore_conflict_exception);
	e->reason = STR("UNIQUENESS_CONSTRAINT_VIOLATION");
	e->request_id = c->request_id;
	e->message = str_fmt(c->arena, "Duplicate %s", what);
	status s = IDS_FAIL(c, CONFLICT, "%.*s", STR_ARG(e->message));
	call_fail_members(c, e);
	return s;
}

status ids_require_store(struct call *c, struct str store)
{
	struct str bytes;
	struct identitystore_rec_store r = {0};
	status s = store_get(c->tx, store_key(c->arena, store), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return ids_not_found(c, "IDENTITY_STORE", store);
	TRY(s);
	TRY(identitystore_rec_store_decode(c->arena, bytes, &r));
	if (str_eq(r.owner, c->account)) return OK;
	struct str organization = organizations_of(c->tx, c->arena, c->account);
	bool delegate = str_has(organization) &&
			str_eq(organization, str_or(organizations_of(c->tx, c->arena, r.owner), STR(""))) &&
			organizations_delegate(c->tx, c->arena, organization, c->account, STR("sso.amazonaws.com"));
	return delegate ? OK : ids_not_found(c, "IDENTITY_STORE", store);
}

status ids_get_user(struct call *c, struct str store, struct str id, struct identitystore_rec_user *out)
{
	status s = identitystore_user(c->tx, c->arena, store, id, out);
	return status_is(s, STATUS_NOT_FOUND) ? ids_not_found(c, "USER", id) : s;
}

status ids_get_group(struct call *c, struct str store, struct str id, struct identitystore_rec_group *out)
{
	status s = identitystore_group(c->tx, c->arena, store, id, out);
	return status_is(s, STATUS_NOT_FOUND) ? ids_not_found(c, "GROUP", id) : s;
}

bool ids_is_path(struct str path, const char *name)
{
	return str_ieq(path, str_c(name));
}

status ids_string(struct call *c, struct str document, struct str *out)
{
	struct json_value *v;
	if (is_ok(json_read(c->arena, str_or(document, STR("")), &v)) && json_is(v, JSON_IS_STRING)) {
		*out = v->text;
		return OK;
	}
	return IDS_FAIL(c, VALIDATION, "The attribute's value has to be a string.");
}

status ids_page_begin(struct call *c, struct str token, struct opt_i32 most, struct ids_page *p)
{
	*p = (struct ids_page){.c = c, .most = most.has ? (size_t)most.v : 50};
	if (!str_has(token) || is_ok(str_unbase64(c->arena, token, &p->after))) return OK;
	return IDS_FAIL(c, VALIDATION, "Invalid NextToken");
}

bool ids_page_take(struct ids_page *p, struct str id)
{
	if (p->truncated || (str_has(p->after) && str_cmp(id, p->after) <= 0)) return false;
	if (p->n == p->most) {
		p->truncated = true;
		return false;
	}
	p->n++;
	p->last = str_dup(p->c->arena, id);
	return true;
}

struct str ids_page_end(const struct ids_page *p)
{
	return p->truncated ? str_base64(p->c->arena, p->last) : STR_NONE;
}
