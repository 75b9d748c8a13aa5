/* What is shared with other accounts, or with all: an index of its owner by its id, (ec2, shared, "", REGION, ID). */
#include "services/ec2/volume.h"

bool ec2_permitted(const struct ec2_rec_permissions *p, struct str account)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_is(p->v[i].group, "all") || (str_has(p->v[i].user_id) && str_eq(p->v[i].user_id, account)))
			return true;
	return false;
}

static struct str key_of(struct ec2_place at, struct str id)
{
	struct key k = key_for(at.a, STR("ec2"), STR("shared"), STR(""), at.region);
	key_str(&k, id);
	return key_done(&k);
}

void ec2_share_index(struct ec2_place at, struct str id, const struct ec2_rec_permissions *p)
{
	if (p->n)
		store_put(at.tx, key_of(at, id), at.account);
	else
		store_delete(at.tx, key_of(at, id));
}

status ec2_share_owner(struct ec2_place at, struct str id, struct str *owner)
{
	return store_get(at.tx, key_of(at, id), owner);
}

status ec2_share_each(
	struct ec2_place at, const char *prefix, bool (*fn)(void *ctx, struct str id, struct str owner), void *ctx)
{
	struct key k = key_for(at.a, STR("ec2"), STR("shared"), STR(""), at.region);
	struct str from = key_done(&k), key, value, id = STR_NONE;
	struct store_scan *scan = store_scan_begin(at.tx, from, key_after(at.a, from), false);
	status s = OK;
	bool more = true;
	while (more && is_ok(s) && store_scan_next(scan, &key, &value)) {
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(at.a, &key, &id);
		if (is_ok(s) && str_starts(id, str_c(prefix))) more = fn(ctx, str_dup(at.a, id), str_dup(at.a, value));
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static bool same(const struct ec2_rec_permission *a, const struct ec2_rec_permission *b)
{
	return str_eq(a->user_id, b->user_id) && str_eq(a->group, b->group) &&
	       str_eq(a->organization_arn, b->organization_arn) &&
	       str_eq(a->organizational_unit_arn, b->organizational_unit_arn);
}

static status check(struct call *c, const struct ec2_rec_permission *p)
{
	bool well = str_has(p->user_id) ? p->user_id.n == 12 : true;
	for (size_t i = 0; well && i < p->user_id.n; i++) well = p->user_id.p[i] >= '0' && p->user_id.p[i] <= '9';
	if (!well)
		return call_fail(
			c, EC2_ERR_INVALID_USER_ID_MALFORMED, "Invalid user id: \"%.*s\"", STR_ARG(p->user_id));
	if (str_has(p->group) && !str_is(p->group, "all"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Invalid group: \"%.*s\" (only \"all\" is supported)", STR_ARG(p->group));
	return OK;
}

status ec2_permission_listed(struct call *c, struct str operation, const struct str *users, size_t n_users,
	const struct str *groups, size_t n_groups, struct ec2_permission_change *out)
{
	size_t capacity = 0;
	if (!n_users && !n_groups) return OK;
	bool add = str_is(operation, "add");
	if (!add && !str_is(operation, "remove"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter operationType is invalid. Unknown operation type.",
			STR_ARG(operation));
	struct ec2_rec_permissions *list = add ? &out->add : &out->remove;
	for (size_t i = 0; i < n_users; i++) VEC_PUSH(c->arena, list, &capacity)->user_id = users[i];
	for (size_t i = 0; i < n_groups; i++) VEC_PUSH(c->arena, list, &capacity)->group = groups[i];
	return OK;
}

status ec2_permission_apply(struct call *c, const struct ec2_permission_change *change, struct ec2_rec_permissions *p)
{
	size_t kept = 0, capacity;
	for (size_t i = 0; i < change->remove.n; i++) TRY(check(c, &change->remove.v[i]));
	for (size_t i = 0; i < p->n; i++) {
		bool gone = false;
		for (size_t k = 0; k < change->remove.n; k++) gone = gone || same(&p->v[i], &change->remove.v[k]);
		if (!gone) p->v[kept++] = p->v[i];
	}
	capacity = p->n;
	p->n = kept;
	for (size_t i = 0; i < change->add.n; i++) {
		bool there = false;
		TRY(check(c, &change->add.v[i]));
		for (size_t k = 0; k < p->n; k++) there = there || same(&p->v[k], &change->add.v[i]);
		if (!there) *VEC_PUSH(c->arena, p, &capacity) = change->add.v[i];
	}
	return OK;
}
