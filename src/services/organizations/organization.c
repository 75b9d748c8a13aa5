/* The organization itself: made by its management account, with all features or for billing alone, and ended. */
#include "services/organizations/room.h"

struct organizations_organization *orgs_out(struct call *c, const struct organizations_rec_organization *o)
{
	struct organizations_organization *out = arena_new(c->arena, struct organizations_organization);
	out->id = o->id;
	out->arn = str_fmt(c->arena, "arn:%.*s:organizations::%.*s:organization/%.*s", STR_ARG(o->partition),
		STR_ARG(o->master), STR_ARG(o->id));
	out->feature_set = orgs_all_features(o) ? STR("ALL") : STR("CONSOLIDATED_BILLING");
	out->master_account_id = o->master;
	out->master_account_arn = orgs_arn(c->arena, o, "account", o->master);
	out->master_account_email = o->email;
	/* "Do not use. This field is deprecated and doesn't provide complete information about the policies". */
	VEC_PRESENT(c->arena, &out->available_policy_types);
	size_t capacity = 0;
	if (orgs_all_features(o))
		*VEC_PUSH(c->arena, &out->available_policy_types, &capacity) =
			(struct organizations_policy_type_summary){
				.type = STR("SERVICE_CONTROL_POLICY"), .status = STR("ENABLED")};
	return out;
}

status organizations_create_organization(struct call *c, const struct organizations_create_organization_input *in,
	struct organizations_create_organization_output *out)
{
	if (str_has(organizations_of(c->tx, c->arena, c->account)))
		return ORGS_FAIL(c, ALREADY_IN_ORGANIZATION, "The AWS account is already a member of an organization.");
	struct organizations_rec_former self = orgs_identity(c->tx, c->arena, c->account);
	struct organizations_rec_organization o = {
		.id = orgs_new_id(c->arena, "o-", 10),
		.master = c->account,
		.email = self.email,
		.all_features = SOME_BOOL(!str_is(str_or(in->feature_set, STR("ALL")), "CONSOLIDATED_BILLING")),
		.root = orgs_new_id(c->arena, "r-", 4),
		.created = SOME_TIME(c->now_ms),
		.partition = c->partition,
	};
	/* "the new organization is created with all features enabled and service control policies automatically enabled
	 * in the root" (CreateOrganization). */
	if (orgs_all_features(&o)) {
		o.types.v = arena_new(c->arena, struct str);
		o.types.v[o.types.n++] = STR("SERVICE_CONTROL_POLICY");
	}
	struct organizations_rec_account master = {.id = c->account,
		.name = self.name,
		.email = self.email,
		.parent = o.root,
		.state = STR("ACTIVE"),
		.joined = SOME_TIME(c->now_ms)};
	orgs_put(c, &o);
	orgs_attach_defaults(c->tx, c->arena, &o, o.root);
	TRY(orgs_joined(c->tx, c->arena, &o, &master));
	out->organization = orgs_out(c, &o);
	return OK;
}

status organizations_describe_organization(struct call *c, const struct organizations_describe_organization_input *in,
	struct organizations_describe_organization_output *out)
{
	(void)in;
	struct organizations_rec_organization o;
	TRY(orgs_any(c, &o));
	out->organization = orgs_out(c, &o);
	return OK;
}

static status drop_all(struct call *c, struct str organization)
{
	static const char *const kinds[] = {"organization", "account", "ou", "policy", "creation", "child", "attached",
		"target", "generation", "invited"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct str from = orgs_key(c->arena, kinds[i], organization, STR_NONE), key, value;
		struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
		while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
		TRY(store_scan_end(scan));
	}
	return OK;
}

status organizations_delete_organization(struct call *c, const struct organizations_delete_organization_input *in,
	struct organizations_delete_organization_output *out)
{
	(void)in;
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_account master;
	TRY(orgs_manage(c, &o));
	struct orgs_ids accounts = {0}, units = {0}, policies = {0};
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "account", o.id, STR_NONE), &accounts));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "ou", o.id, STR_NONE), &units));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "policy", o.id, STR_NONE), &policies));
	if (accounts.n > 1 || units.n || policies.n)
		return ORGS_FAIL(c, ORGANIZATION_NOT_EMPTY,
			"To delete an organization, you must first remove all member accounts (except the master).");
	/* Whoever joins at the same time writes the stamp as this does: one of the two runs again. */
	orgs_changed(c->tx, c->arena, o.id);
	TRY(orgs_account_load(c->tx, c->arena, o.id, o.master, &master));
	TRY(orgs_left(c->tx, c->arena, &o, &master));
	TRY(orgs_cancel_handshakes(c, o.id));
	return drop_all(c, o.id);
}
