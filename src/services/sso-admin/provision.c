/* Permission sets in accounts: the reserved role that stands for one ("Referencing permission sets in resource
 * policies"), which only Identity Center changes; and what a user may assume. */
#include "services/sso-admin/room.h"

static struct str provisioned_key(struct arena *a, struct str instance, struct str set, struct str account)
{
	return ssoa_key(a, "provisioned", instance, set, account, STR_NONE);
}

static status load(struct store_tx *tx, struct arena *a, struct str instance, struct str set, struct str account,
	struct sso_admin_rec_provisioned *out)
{
	struct str bytes;
	*out = (struct sso_admin_rec_provisioned){0};
	TRY(store_get(tx, provisioned_key(a, instance, set, account), &bytes));
	return sso_admin_rec_provisioned_decode(a, bytes, out);
}

static struct str policy_arn(struct arena *a, const struct sso_admin_rec_instance *i, struct str account,
	const struct sso_admin_rec_customer *p)
{
	return str_fmt(a, "arn:%.*s:iam::%.*s:policy%.*s%.*s", STR_ARG(i->partition), STR_ARG(account),
		STR_ARG(p->path), STR_ARG(p->name));
}

/* A customer managed policy has to be in the account already, by that name and path. */
static status add_customer(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	struct str account, const struct sso_admin_rec_customer *p, struct str *arn, struct str *why)
{
	struct str text;
	*arn = policy_arn(a, i, account, p);
	status s = iam_policy_text(tx, a, account, *arn, &text);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	*why = str_fmt(
		a, "Received a 404 status error: Policy %.*s does not exist or is not attachable.", STR_ARG(*arn));
	return STATUS(INVALID);
}

/* The path has the region of the instance, but for us-east-1. */
static struct str path_of(struct arena *a, const struct sso_admin_rec_instance *i)
{
	if (str_is(i->region, "us-east-1")) return STR("/aws-reserved/sso.amazonaws.com/");
	return str_fmt(a, "/aws-reserved/sso.amazonaws.com/%.*s/", STR_ARG(i->region));
}

status ssoa_provision(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	const struct sso_admin_rec_set *s, struct str account, int64_t now_ms, struct str *why)
{
	struct sso_admin_rec_provisioned p;
	size_t capacity = 0;
	status there = load(tx, a, i->id, s->id, account, &p);
	if (!is_ok(there) && !status_is(there, STATUS_NOT_FOUND)) return there;
	if (!is_ok(there))
		p.role = str_fmt(a, "AWSReservedSSO_%.*s_%.*s", STR_ARG(s->name),
			STR_ARG(rand_text(a, STR("0123456789abcdef"), 16)));
	struct iam_wanted_role w = {
		.account = account,
		.name = p.role,
		.path = path_of(a, i),
		.description = s->description,
		.service = STR("sso.amazonaws.com"),
		.max_session_s = 12 * 3600,
		.trust = str_fmt(a,
			"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Federated\":"
			"\"arn:%.*s:iam::%.*s:saml-provider/"
			"AWSSSO_%.*s_DO_NOT_DELETE\"},\"Action\":[\"sts:AssumeRoleWithSAML\","
			"\"sts:TagSession\"],\"Condition\":{\"StringEquals\":{\"SAML:aud\":\"https://"
			"signin.aws.amazon.com/saml\"}}}]}",
			STR_ARG(i->partition), STR_ARG(account), STR_ARG(str_from(i->id, sizeof("ssoins-") - 1))),
	};
	for (size_t n = 0; n < s->managed.n; n++) *VEC_PUSH(a, &w.attached, &capacity) = s->managed.v[n];
	for (size_t n = 0; n < s->customer.n; n++)
		TRY(add_customer(tx, a, i, account, &s->customer.v[n], VEC_PUSH(a, &w.attached, &capacity), why));
	struct iam_rec_document inline_policy = {STR("AwsSSOInlinePolicy"), s->inline_policy};
	if (s->inline_policy.n) w.documents = (struct iam_rec_documents){&inline_policy, 1};
	if (s->boundary_customer)
		TRY(add_customer(tx, a, i, account, s->boundary_customer, &w.boundary, why));
	else
		w.boundary = s->boundary_managed;
	TRY(iam_role_ensure(tx, a, &w, now_ms));
	p.revision = s->revision;
	store_put(tx, provisioned_key(a, i->id, s->id, account), sso_admin_rec_provisioned_encode(a, &p));
	return OK;
}

status ssoa_withdraw(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i, struct str set,
	struct str account)
{
	struct sso_admin_rec_provisioned p;
	status s = load(tx, a, i->id, set, account, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	store_delete(tx, provisioned_key(a, i->id, set, account));
	return iam_role_drop(tx, a, account, p.role);
}

/* ── listing ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool wanted(struct str filter, bool latest)
{
	if (!str_has(filter)) return true;
	return str_is(filter, "LATEST_PERMISSION_SET_PROVISIONED") == latest;
}

status sso_admin_list_accounts_for_provisioned_permission_set(struct call *c,
	const struct sso_admin_list_accounts_for_provisioned_permission_set_input *in,
	struct sso_admin_list_accounts_for_provisioned_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct ssoa_page page;
	size_t capacity = 0, n = 0;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	VEC_PRESENT(c->arena, &out->account_ids);
	struct str from = ssoa_key(c->arena, "provisioned", i.id, s.id, STR_NONE, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct sso_admin_rec_provisioned p = {0};
		struct str rest = str_from(str_dup(c->arena, key), from.n), account;
		TRY(key_read_str(c->arena, &rest, &account));
		TRY(sso_admin_rec_provisioned_decode(c->arena, str_dup(c->arena, value), &p));
		if (wanted(in->provisioning_status, p.revision.v == s.revision.v) && ssoa_page_take(&page, n++))
			*VEC_PUSH(c->arena, &out->account_ids, &capacity) = account;
	}
	out->next_token = ssoa_page_end(&page);
	return store_scan_end(scan);
}

status sso_admin_list_permission_sets_provisioned_to_account(struct call *c,
	const struct sso_admin_list_permission_sets_provisioned_to_account_input *in,
	struct sso_admin_list_permission_sets_provisioned_to_account_output *out)
{
	struct sso_admin_rec_instance i;
	struct ssoa_page page;
	struct ssoa_rows sets = {0};
	size_t capacity = 0;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	TRY(ssoa_rows(c->tx, c->arena, ssoa_key(c->arena, "set", i.id, STR_NONE, STR_NONE, STR_NONE), &sets));
	VEC_PRESENT(c->arena, &out->permission_sets);
	for (size_t n = 0; n < sets.n; n++) {
		struct sso_admin_rec_set s = {0};
		struct sso_admin_rec_provisioned p;
		TRY(sso_admin_rec_set_decode(c->arena, sets.v[n], &s));
		status there = load(c->tx, c->arena, i.id, s.id, in->account_id, &p);
		if (status_is(there, STATUS_NOT_FOUND)) continue;
		TRY(there);
		if (wanted(in->provisioning_status, p.revision.v == s.revision.v) && ssoa_page_take(&page, n))
			*VEC_PUSH(c->arena, &out->permission_sets, &capacity) = ssoa_set_arn(c->arena, &i, s.id);
	}
	out->next_token = ssoa_page_end(&page);
	return OK;
}

/* ── what a user may assume ───────────────────────────────────────────────────────────────────────────────────── */

static bool is_granted(
	const struct sso_admin_rec_assignment *r, struct str user, const struct identitystore_ids *groups)
{
	if (str_is(r->principal_type, "USER")) return str_eq(r->principal, user);
	for (size_t i = 0; i < groups->n; i++)
		if (str_eq(r->principal, groups->v[i])) return true;
	return false;
}

static bool is_known(const struct sso_portal_grants *l, const struct sso_admin_rec_assignment *r)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].account, r->account) && str_eq(l->v[i].set, r->set)) return true;
	return false;
}

status sso_portal_grants_of(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	struct str user, struct str account, struct sso_portal_grants *out)
{
	struct identitystore_ids groups = {0};
	struct ssoa_rows rows = {0};
	TRY(identitystore_groups_of(tx, a, i->store, user, &groups));
	TRY(ssoa_rows(tx, a, ssoa_key(a, "assignment", i->id, account, STR_NONE, STR_NONE), &rows));
	for (size_t n = 0; n < rows.n; n++) {
		struct sso_admin_rec_assignment r = {0};
		struct sso_admin_rec_set s;
		TRY(sso_admin_rec_assignment_decode(a, rows.v[n], &r));
		if (!is_granted(&r, user, &groups) || is_known(out, &r)) continue;
		TRY(ssoa_set_load(tx, a, i->id, r.set, &s));
		*VEC_PUSH(a, out, &out->capacity) = (struct sso_portal_grant){r.account, s.id, s.name};
	}
	return OK;
}

/* ${path:name.givenName}; anything else is taken as it is ("Attribute mappings"). */
static struct str value_of(struct arena *a, const struct identitystore_rec_user *u, struct str source)
{
	if (!str_starts(source, STR("${path:")) || !str_ends(source, STR("}"))) return source;
	return identitystore_attribute(a, u, str_sub(source, 7, source.n - 8));
}

status sso_portal_role_of(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	const struct sso_portal_grant *g, struct str user, struct sso_portal_role *out)
{
	struct sso_admin_rec_provisioned p;
	struct sso_admin_rec_set s;
	struct identitystore_rec_user u;
	size_t capacity = 0;
	*out = (struct sso_portal_role){0};
	TRY(load(tx, a, i->id, g->set, g->account, &p));
	TRY(ssoa_set_load(tx, a, i->id, g->set, &s));
	TRY(ssoa_duration(s.duration, &out->duration_s));
	TRY(iam_peek(tx, a, IAM_ROLE, g->account, p.role, &out->role));
	TRY(identitystore_user(tx, a, i->store, user, &u));
	out->arn = str_fmt(a, "arn:%.*s:iam::%.*s:role%.*s%.*s", STR_ARG(i->partition), STR_ARG(g->account),
		STR_ARG(out->role.path), STR_ARG(out->role.name));
	for (size_t n = 0; n < i->attributes.n; n++) {
		const struct sso_admin_rec_attribute *at = &i->attributes.v[n];
		struct str value = STR_NONE;
		for (size_t j = 0; j < at->sources.n && !str_has(value); j++) value = value_of(a, &u, at->sources.v[j]);
		if (str_has(value)) *VEC_PUSH(a, &out->tags, &capacity) = (struct iam_rec_tags_entry){at->key, value};
	}
	return OK;
}
