/* Policies: made, shown, changed, deleted and listed. */
#include "services/organizations/room.h"

status orgs_get_policy(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_rec_policy *out)
{
	status s = orgs_policy_load(c->tx, c->arena, o->id, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return ORGS_FAIL(c, POLICY_NOT_FOUND, "You specified a policy that doesn't exist.");
}

static status get_own_policy(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_rec_policy *out)
{
	TRY(orgs_get_policy(c, o, id, out));
	if (!orgs_policy_is_aws(id)) return OK;
	return orgs_input(
		c, "IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.");
}

static void summary_out(struct call *c, const struct organizations_rec_organization *o,
	const struct organizations_rec_policy *p, struct organizations_policy_summary *out)
{
	out->id = p->id;
	out->arn = orgs_policy_arn(c->arena, o, p);
	out->name = p->name;
	out->description = p->description;
	out->type = p->type;
	out->aws_managed = SOME_BOOL(orgs_policy_is_aws(p->id));
}

static struct organizations_policy *policy_out(
	struct call *c, const struct organizations_rec_organization *o, const struct organizations_rec_policy *p)
{
	struct organizations_policy *out = arena_new(c->arena, struct organizations_policy);
	out->policy_summary = arena_new(c->arena, struct organizations_policy_summary);
	summary_out(c, o, p, out->policy_summary);
	out->content = p->content;
	return out;
}

/* Of one type, AWS's own first. */
static status policies_of(struct call *c, const struct organizations_rec_organization *o, struct str type,
	struct organizations_rec_policy **out, size_t *n)
{
	static const char *const aws[] = {"p-FullAWSAccess", "p-RCPFullAWSAccess"};
	struct orgs_ids ids = {0};
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "policy", o->id, STR_NONE), &ids));
	*out = arena_new_n(c->arena, struct organizations_rec_policy, ids.n + 2);
	*n = 0;
	for (size_t i = 0; i < ids.n + 2; i++) {
		struct organizations_rec_policy *p = &(*out)[*n];
		TRY(orgs_policy_load(c->tx, c->arena, o->id, i < 2 ? str_c(aws[i]) : ids.v[i - 2], p));
		*n += str_eq(p->type, type);
	}
	return OK;
}

static status require_new_name(
	struct call *c, const struct organizations_rec_organization *o, struct str type, struct str name, size_t *count)
{
	struct organizations_rec_policy *all;
	TRY(policies_of(c, o, type, &all, count));
	for (size_t i = 0; i < *count; i++)
		if (str_eq(all[i].name, name))
			return ORGS_FAIL(c, DUPLICATE_POLICY, "A policy with the same name already exists.");
	return OK;
}

static void put(
	struct call *c, const struct organizations_rec_organization *o, const struct organizations_rec_policy *p)
{
	store_put(c->tx, orgs_key(c->arena, "policy", o->id, p->id), organizations_rec_policy_encode(c->arena, p));
	orgs_changed(c->tx, c->arena, o->id);
}

status organizations_create_policy(struct call *c, const struct organizations_create_policy_input *in,
	struct organizations_create_policy_output *out)
{
	struct organizations_rec_organization o;
	size_t count;
	TRY(orgs_manage_policies(c, &o));
	if (!orgs_all_features(&o))
		return ORGS_FAIL(c, POLICY_TYPE_NOT_AVAILABLE_FOR_ORGANIZATION,
			"You can't use the specified policy type with the feature set currently enabled for this "
			"organization.");
	TRY(orgs_check_content(c, in->type, in->content));
	TRY(require_new_name(c, &o, in->type, in->name, &count));
	if (count >= (str_is(in->type, "SERVICE_CONTROL_POLICY") ? 10000 : 1000))
		return orgs_constraint(c, "POLICY_NUMBER_LIMIT_EXCEEDED",
			"You have exceeded the allowed number of policies in your organization.");
	struct organizations_rec_policy p = {.id = orgs_new_id(c->arena, "p-", 8),
		.name = in->name,
		.description = in->description,
		.type = in->type,
		.content = in->content,
		.updated = SOME_TIME(c->now_ms)};
	TRY(orgs_tags_set(c, &p.tags, &in->tags));
	put(c, &o, &p);
	out->policy = policy_out(c, &o, &p);
	return OK;
}

status organizations_describe_policy(struct call *c, const struct organizations_describe_policy_input *in,
	struct organizations_describe_policy_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_policy p;
	TRY(orgs_read(c, &o));
	TRY(orgs_get_policy(c, &o, in->policy_id, &p));
	out->policy = policy_out(c, &o, &p);
	return OK;
}

status organizations_update_policy(struct call *c, const struct organizations_update_policy_input *in,
	struct organizations_update_policy_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_policy p;
	size_t count;
	TRY(orgs_manage_policies(c, &o));
	TRY(get_own_policy(c, &o, in->policy_id, &p));
	if (str_has(in->name) && !str_eq(in->name, p.name)) {
		TRY(require_new_name(c, &o, p.type, in->name, &count));
		p.name = in->name;
	}
	if (str_has(in->description)) p.description = in->description;
	if (str_has(in->content)) {
		TRY(orgs_check_content(c, p.type, in->content));
		p.content = in->content;
		p.updated = SOME_TIME(c->now_ms);
	}
	put(c, &o, &p);
	out->policy = policy_out(c, &o, &p);
	return OK;
}

status organizations_delete_policy(struct call *c, const struct organizations_delete_policy_input *in,
	struct organizations_delete_policy_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_policy p;
	struct orgs_ids targets = {0};
	TRY(orgs_manage_policies(c, &o));
	TRY(get_own_policy(c, &o, in->policy_id, &p));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "target", o.id, p.id), &targets));
	if (targets.n)
		return ORGS_FAIL(c, POLICY_IN_USE,
			"The policy is attached to one or more entities. You must detach it from all roots, OUs, and "
			"accounts "
			"before performing this operation.");
	store_delete(c->tx, orgs_key(c->arena, "policy", o.id, p.id));
	orgs_changed(c->tx, c->arena, o.id);
	return OK;
}

status organizations_list_policies(struct call *c, const struct organizations_list_policies_input *in,
	struct organizations_list_policies_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_policy *all;
	struct orgs_page page;
	size_t n, capacity = 0;
	TRY(orgs_read(c, &o));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(policies_of(c, &o, in->filter, &all, &n));
	VEC_PRESENT(c->arena, &out->policies);
	for (size_t i = 0; i < n; i++) {
		/* A policy type that the organization cannot have has no policies. */
		if (!orgs_all_features(&o) || !orgs_page_take(&page, str_fmt(c->arena, "%06zu", i))) continue;
		summary_out(c, &o, &all[i], VEC_PUSH(c->arena, &out->policies, &capacity));
	}
	out->next_token = orgs_page_end(&page);
	return OK;
}

status organizations_list_policies_for_target(struct call *c,
	const struct organizations_list_policies_for_target_input *in,
	struct organizations_list_policies_for_target_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_require_target(c, &o, in->target_id));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(orgs_attached(c->tx, c->arena, o.id, in->target_id, in->filter, &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->policies);
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_policy p;
		if (!orgs_page_take(&page, ids.v[i])) continue;
		TRY(orgs_policy_load(c->tx, c->arena, o.id, ids.v[i], &p));
		summary_out(c, &o, &p, VEC_PUSH(c->arena, &out->policies, &capacity));
	}
	out->next_token = orgs_page_end(&page);
	return OK;
}

/* ── what comes of management policies ────────────────────────────────────────────────────────────────────────── */

status orgs_effective(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o,
	struct str account, struct str type, struct str *content, int64_t *updated_ms)
{
	struct orgs_chain chain;
	TRY(orgs_chain(tx, a, o, account, &chain));
	size_t n = 0, most = chain.n * 10;
	struct str *contents = arena_new_n(a, struct str, most);
	size_t *levels = arena_new_n(a, size_t, most);
	*updated_ms = 0;
	for (size_t i = 0; i < chain.n; i++) {
		struct orgs_ids ids = {0};
		TRY(orgs_attached(tx, a, o->id, chain.id[i], type, &ids));
		for (size_t j = 0; j < ids.n && n < most; j++) {
			struct organizations_rec_policy p;
			TRY(orgs_policy_load(tx, a, o->id, ids.v[j], &p));
			contents[n] = p.content;
			levels[n++] = i;
			if (p.updated.ms > *updated_ms) *updated_ms = p.updated.ms;
		}
	}
	return n ? orgs_merge(a, contents, levels, n, content) : STATUS(NOT_FOUND);
}

status organizations_describe_effective_policy(struct call *c,
	const struct organizations_describe_effective_policy_input *in,
	struct organizations_describe_effective_policy_output *out)
{
	struct organizations_rec_organization o;
	struct str target = str_or(in->target_id, c->account);
	TRY(orgs_any(c, &o));
	if (!str_eq(target, c->account)) TRY(orgs_read(c, &o));
	struct organizations_rec_account account;
	if (!is_ok(orgs_account_load(c->tx, c->arena, o.id, target, &account)))
		return ORGS_FAIL(c, TARGET_NOT_FOUND, "You specified a target that doesn't exist.");
	struct organizations_effective_policy *e = arena_new(c->arena, struct organizations_effective_policy);
	int64_t updated_ms;
	status s = orgs_effective(c->tx, c->arena, &o, target, in->policy_type, &e->policy_content, &updated_ms);
	if (status_is(s, STATUS_NOT_FOUND))
		return ORGS_FAIL(c, EFFECTIVE_POLICY_NOT_FOUND,
			"There is no effective policy of the specified type for the account.");
	TRY(s);
	e->last_updated_timestamp = SOME_TIME(updated_ms);
	e->target_id = target;
	e->policy_type = in->policy_type;
	out->effective_policy = e;
	return OK;
}
