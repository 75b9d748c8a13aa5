/* The organization's resource policy: which members may manage policies in its stead ("Delegated administrator for AWS
 * Organizations"). access.c asks it. */
#include "services/organizations/room.h"

static struct organizations_resource_policy *policy_out(struct call *c, const struct organizations_rec_organization *o)
{
	struct organizations_resource_policy *out = arena_new(c->arena, struct organizations_resource_policy);
	out->content = o->resource_policy->content;
	out->resource_policy_summary = arena_new(c->arena, struct organizations_resource_policy_summary);
	out->resource_policy_summary->id = o->resource_policy->id;
	out->resource_policy_summary->arn = orgs_arn(c->arena, o, "resourcepolicy", o->resource_policy->id);
	return out;
}

static status check(struct call *c, struct str content)
{
	struct policy_source source = {.type = POLICY_RESOURCE, .label = STR("")};
	struct policy_error why = {0};
	struct policy *p = NULL;
	status s = policy_parse(content, &source, &p, &why);
	policy_free(p);
	if (is_ok(s)) return OK;
	return orgs_input(
		c, "INVALID_RESOURCE_POLICY_JSON", "The provided policy document isn't valid: %s", why.message);
}

status organizations_put_resource_policy(struct call *c, const struct organizations_put_resource_policy_input *in,
	struct organizations_put_resource_policy_output *out)
{
	struct organizations_rec_organization o;
	TRY(orgs_manage(c, &o));
	if (!orgs_all_features(&o))
		return orgs_constraint(c, "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE",
			"The organization must be in all features mode for this operation.");
	TRY(check(c, in->content));
	/* "You can't use tags ... when updating an existing resource policy" (PutResourcePolicy). */
	if (o.resource_policy && in->tags.n)
		return orgs_input(
			c, "INVALID_LIST_MEMBER", "You can't use tags when updating an existing resource policy.");
	if (!o.resource_policy) {
		o.resource_policy = arena_new(c->arena, struct organizations_rec_resource_policy);
		o.resource_policy->id = orgs_new_id(c->arena, "rp-", 8);
		TRY(orgs_tags_set(c, &o.resource_policy->tags, &in->tags));
	}
	o.resource_policy->content = in->content;
	orgs_put(c, &o);
	out->resource_policy = policy_out(c, &o);
	return OK;
}

static status get(struct call *c, struct organizations_rec_organization *o, bool change)
{
	TRY(change ? orgs_manage(c, o) : orgs_read(c, o));
	if (o->resource_policy) return OK;
	return ORGS_FAIL(c, RESOURCE_POLICY_NOT_FOUND, "There is no resource policy in the organization.");
}

status organizations_describe_resource_policy(struct call *c,
	const struct organizations_describe_resource_policy_input *in,
	struct organizations_describe_resource_policy_output *out)
{
	(void)in;
	struct organizations_rec_organization o;
	TRY(get(c, &o, false));
	out->resource_policy = policy_out(c, &o);
	return OK;
}

status organizations_delete_resource_policy(struct call *c, const struct organizations_delete_resource_policy_input *in,
	struct organizations_delete_resource_policy_output *out)
{
	(void)in;
	(void)out;
	struct organizations_rec_organization o;
	TRY(get(c, &o, true));
	o.resource_policy = NULL;
	orgs_put(c, &o);
	return OK;
}
