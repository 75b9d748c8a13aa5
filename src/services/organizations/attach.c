/* What is attached to what: policies to the root, to units and to accounts, both ways round. */
#include "services/organizations/room.h"

/* "Quotas and service limits for AWS Organizations": per root, unit or account. */
static size_t most_of(struct str type)
{
	if (str_is(type, "SERVICE_CONTROL_POLICY") || str_is(type, "RESOURCE_CONTROL_POLICY")) return 5;
	return 10;
}

void orgs_attachment_put(struct store_tx *tx, struct arena *a, struct str organization, struct str target,
	struct str policy, struct str type)
{
	store_put(tx, orgs_key2(a, "attached", organization, target, policy), type);
	store_put(tx, orgs_key2(a, "target", organization, policy, target), type);
}

void orgs_attachment_delete(
	struct store_tx *tx, struct arena *a, struct str organization, struct str target, struct str policy)
{
	store_delete(tx, orgs_key2(a, "attached", organization, target, policy));
	store_delete(tx, orgs_key2(a, "target", organization, policy, target));
}

status orgs_attached(struct store_tx *tx, struct arena *a, struct str organization, struct str target, struct str type,
	struct orgs_ids *out)
{
	struct str from = orgs_key(a, "attached", organization, target), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(str_dup(a, key), from.n), id;
		if (str_has(type) && !str_eq(type, value)) continue;
		TRY(key_read_str(a, &rest, &id));
		*VEC_PUSH(a, out, &out->capacity) = id;
	}
	return store_scan_end(scan);
}

void orgs_attach_defaults(
	struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o, struct str target)
{
	if (orgs_type_enabled(o, STR("SERVICE_CONTROL_POLICY")))
		orgs_attachment_put(tx, a, o->id, target, STR("p-FullAWSAccess"), STR("SERVICE_CONTROL_POLICY"));
	if (orgs_type_enabled(o, STR("RESOURCE_CONTROL_POLICY")))
		orgs_attachment_put(tx, a, o->id, target, STR("p-RCPFullAWSAccess"), STR("RESOURCE_CONTROL_POLICY"));
}

void orgs_detach_all(
	struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o, struct str target)
{
	struct orgs_ids ids = {0};
	if (!is_ok(orgs_attached(tx, a, o->id, target, STR_NONE, &ids))) return;
	for (size_t i = 0; i < ids.n; i++) orgs_attachment_delete(tx, a, o->id, target, ids.v[i]);
}

static bool holds(const struct orgs_ids *ids, struct str id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (str_eq(ids->v[i], id)) return true;
	return false;
}

status organizations_attach_policy(struct call *c, const struct organizations_attach_policy_input *in,
	struct organizations_attach_policy_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_policy p;
	struct orgs_ids there = {0};
	TRY(orgs_manage_policies(c, &o));
	TRY(orgs_get_policy(c, &o, in->policy_id, &p));
	TRY(orgs_require_target(c, &o, in->target_id));
	if (!orgs_type_enabled(&o, p.type))
		return ORGS_FAIL(
			c, POLICY_TYPE_NOT_ENABLED, "This operation can be performed only for enabled policy types.");
	TRY(orgs_attached(c->tx, c->arena, o.id, in->target_id, p.type, &there));
	if (holds(&there, p.id))
		return ORGS_FAIL(
			c, DUPLICATE_POLICY_ATTACHMENT, "A policy with the specified name and type already exists.");
	if (there.n >= most_of(p.type))
		return orgs_constraint(c, "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
			"You have attached the maximum number of policies to the specified target.");
	orgs_attachment_put(c->tx, c->arena, o.id, in->target_id, p.id, p.type);
	orgs_changed(c->tx, c->arena, o.id);
	return OK;
}

status organizations_detach_policy(struct call *c, const struct organizations_detach_policy_input *in,
	struct organizations_detach_policy_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_policy p;
	struct orgs_ids there = {0};
	TRY(orgs_manage_policies(c, &o));
	TRY(orgs_get_policy(c, &o, in->policy_id, &p));
	TRY(orgs_require_target(c, &o, in->target_id));
	TRY(orgs_attached(c->tx, c->arena, o.id, in->target_id, p.type, &there));
	if (!holds(&there, p.id))
		return ORGS_FAIL(c, POLICY_NOT_ATTACHED,
			"The policy isn't attached to the specified target in the specified root.");
	/* "You can't detach the default RCPFullAWSAccess" (DetachPolicy). */
	if (str_is(p.id, "p-RCPFullAWSAccess"))
		return orgs_input(c, "NON_DETACHABLE_POLICY", "You can't detach this AWS managed policy.");
	if (str_is(p.type, "SERVICE_CONTROL_POLICY") && there.n == 1)
		return orgs_constraint(c, "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
			"You cannot remove the last policy attached to the specified target. You must have at least "
			"one attached "
			"at all times.");
	orgs_attachment_delete(c->tx, c->arena, o.id, in->target_id, p.id);
	orgs_changed(c->tx, c->arena, o.id);
	return OK;
}

static status target_out(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_policy_target_summary *out)
{
	struct organizations_rec_account r;
	struct organizations_rec_unit u;
	out->target_id = id;
	out->arn = orgs_arn_of(c->arena, c->tx, o, id);
	if (orgs_is_account(id)) {
		TRY(orgs_account_load(c->tx, c->arena, o->id, id, &r));
		out->name = r.name;
		out->type = STR("ACCOUNT");
	} else if (orgs_is_unit(id)) {
		TRY(orgs_unit_load(c->tx, c->arena, o->id, id, &u));
		out->name = u.name;
		out->type = STR("ORGANIZATIONAL_UNIT");
	} else {
		out->name = STR("Root");
		out->type = STR("ROOT");
	}
	return OK;
}

status organizations_list_targets_for_policy(struct call *c,
	const struct organizations_list_targets_for_policy_input *in,
	struct organizations_list_targets_for_policy_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_policy p;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_get_policy(c, &o, in->policy_id, &p));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "target", o.id, p.id), &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->targets);
	for (size_t i = 0; i < ids.n; i++)
		if (orgs_page_take(&page, ids.v[i]))
			TRY(target_out(c, &o, ids.v[i], VEC_PUSH(c->arena, &out->targets, &capacity)));
	out->next_token = orgs_page_end(&page);
	return OK;
}
