/* The door: what an account's place in an organization means for everything that it does. */
#include "services/organizations/room.h"

struct str organizations_of(struct store_tx *tx, struct arena *a, struct str account)
{
	struct str id;
	return is_ok(store_peek(tx, orgs_free_key(a, "member", account), &id)) ? id : STR_NONE;
}

uint64_t organizations_generation(struct store_tx *tx, struct arena *a, struct str id)
{
	struct str bytes;
	uint64_t stamp = 0;
	if (!is_ok(store_peek(tx, orgs_key(a, "generation", id, STR_NONE), &bytes))) return 0;
	if (bytes.n == sizeof(stamp)) memcpy(&stamp, bytes.p, sizeof(stamp));
	return stamp;
}

status organizations_place(struct store_tx *tx, struct arena *a, struct str account, struct organizations_place *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	struct orgs_chain chain;
	*out = (struct organizations_place){0};
	struct str id = organizations_of(tx, a, account);
	if (!str_has(id)) return OK;
	TRY(orgs_load(tx, a, id, &o));
	TRY(orgs_account_load(tx, a, id, account, &r));
	TRY(orgs_chain(tx, a, &o, account, &chain));
	struct buf path = BUF_IN(a);
	buf_str(&path, o.id);
	/* "aws:PrincipalOrgPaths": without the account, and with a slash at its end. */
	for (size_t i = 0; i + 1 < chain.n; i++) {
		buf_byte(&path, '/');
		buf_str(&path, chain.id[i]);
	}
	buf_byte(&path, '/');
	out->id = o.id;
	out->master = o.master;
	out->path = buf_done(&path);
	out->suspended = str_is(r.state, "SUSPENDED");
	return OK;
}

status organizations_controls(
	struct store_tx *tx, struct arena *a, struct str account, struct str type, struct organizations_controls *out)
{
	struct organizations_rec_organization o;
	struct orgs_chain chain;
	*out = (struct organizations_controls){0};
	struct str id = organizations_of(tx, a, account);
	if (!str_has(id)) return OK;
	TRY(orgs_load(tx, a, id, &o));
	/* "SCPs don't affect users or roles in the management account"; nor RCPs its resources. */
	if (str_eq(o.master, account) || !orgs_all_features(&o) || !orgs_type_enabled(&o, type)) return OK;
	TRY(orgs_chain(tx, a, &o, account, &chain));
	out->levels = chain.n;
	for (size_t i = 0; i < chain.n; i++) {
		struct orgs_ids ids = {0};
		TRY(orgs_attached(tx, a, o.id, chain.id[i], type, &ids));
		for (size_t j = 0; j < ids.n; j++) {
			struct organizations_rec_policy p;
			TRY(orgs_policy_load(tx, a, o.id, ids.v[j], &p));
			*VEC_PUSH(a, out, &out->capacity) =
				(struct organizations_control){i, orgs_policy_arn(a, &o, &p), p.content};
		}
	}
	return OK;
}

status organizations_effective(
	struct store_tx *tx, struct arena *a, struct str account, struct str type, struct str *out)
{
	struct organizations_rec_organization o;
	int64_t updated_ms;
	*out = STR_NONE;
	struct str id = organizations_of(tx, a, account);
	if (!str_has(id)) return OK;
	TRY(orgs_load(tx, a, id, &o));
	if (!orgs_all_features(&o) || !orgs_type_enabled(&o, type)) return OK;
	status s = orgs_effective(tx, a, &o, account, type, out, &updated_ms);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

static ptrdiff_t service_at(const struct organizations_rec_services *l, struct str principal)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].principal, principal)) return (ptrdiff_t)i;
	return -1;
}

bool organizations_trusts(struct store_tx *tx, struct arena *a, struct str id, struct str service)
{
	struct organizations_rec_organization o;
	return is_ok(orgs_load(tx, a, id, &o)) && service_at(&o.services, service) >= 0;
}

bool organizations_delegate(struct store_tx *tx, struct arena *a, struct str id, struct str account, struct str service)
{
	struct organizations_rec_account r;
	return is_ok(orgs_account_load(tx, a, id, account, &r)) && service_at(&r.delegations, service) >= 0;
}

bool organizations_has_all_features(struct store_tx *tx, struct arena *a, struct str id)
{
	struct organizations_rec_organization o;
	return is_ok(orgs_load(tx, a, id, &o)) && orgs_all_features(&o);
}

status organizations_trust(struct store_tx *tx, struct arena *a, struct str id, struct str service, int64_t now_ms)
{
	struct organizations_rec_organization o;
	TRY(orgs_load(tx, a, id, &o));
	if (service_at(&o.services, service) >= 0) return OK;
	size_t capacity = 0;
	struct organizations_rec_services more = {0};
	for (size_t i = 0; i < o.services.n; i++) *VEC_PUSH(a, &more, &capacity) = o.services.v[i];
	*VEC_PUSH(a, &more, &capacity) = (struct organizations_rec_service){service, SOME_TIME(now_ms)};
	o.services = more;
	store_put(tx, orgs_key(a, "organization", id, STR_NONE), organizations_rec_organization_encode(a, &o));
	orgs_changed(tx, a, id);
	return OK;
}

status organizations_member(
	struct store_tx *tx, struct arena *a, struct str id, struct str account, struct organizations_member *out)
{
	struct organizations_rec_account r;
	TRY(orgs_account_load(tx, a, id, account, &r));
	*out = (struct organizations_member){r.id, r.name, r.email, str_is(r.state, "SUSPENDED")};
	return OK;
}

status organizations_members(struct store_tx *tx, struct arena *a, struct str id, struct organizations_members *out)
{
	struct orgs_ids ids = {0};
	TRY(orgs_ids(tx, a, orgs_key(a, "account", id, STR_NONE), &ids));
	for (size_t i = 0; i < ids.n; i++)
		TRY(organizations_member(tx, a, id, ids.v[i], VEC_PUSH(a, out, &out->capacity)));
	return OK;
}
