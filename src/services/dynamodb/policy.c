/* Resource-based policies of tables ("Using resource-based policies for DynamoDB"): kept with the table's record;
 * authorize.c hands them to the policy step. Policies of streams and of indexes are not kept. */
#include "policy/policy.h"
#include "base/rand.h"
#include "services/dynamodb/service.h"

enum { POLICY_MAX = 20 * 1024 };

static status open_table(struct work *w, struct str arn, struct table **out)
{
	struct str account, region, name;
	if (!ddb_read_arn(arn, &account, &region, &name))
		return VALIDATION(w, "Invalid ResourceArn: %.*s", STR_ARG(arn));
	if (str_find(arn, STR("/stream/")) >= 0)
		return call_fail(
			w->c, ERR_NOT_IMPLEMENTED, "virga does not implement resource-based policies of streams yet.");
	if (str_find(arn, STR("/index/")) >= 0) return VALIDATION(w, "Invalid ResourceArn: %.*s", STR_ARG(arn));
	return ddb_open_named(w, arn, out);
}

static status no_policy(struct work *w, struct str arn)
{
	return call_fail(w->c, DYNAMODB_ERR_POLICY_NOT_FOUND_EXCEPTION,
		"Resource-based policy not found for the provided ResourceArn: %.*s", STR_ARG(arn));
}

/* A revision that the caller expects and that is not there: so does AWS name it. */
static status expect_revision(struct work *w, struct str expected, const struct dynamodb_rec_table *r)
{
	if (!str_has(expected)) return OK;
	bool good = str_is(expected, "NO_POLICY") ? !str_has(r->policy) : str_eq(expected, r->policy_revision);
	if (good) return OK;
	return call_fail(w->c, DYNAMODB_ERR_POLICY_NOT_FOUND_EXCEPTION,
		"The expected revision id %.*s does not match the policy's current revision", STR_ARG(expected));
}

status ddb_policy_set(struct work *w, struct dynamodb_rec_table *r, struct str text)
{
	struct policy *p;
	struct policy_error why;
	struct policy_source source = {
		.type = POLICY_RESOURCE, .max_size = POLICY_MAX, .label = ddb_table_arn(w->a, r)};
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return VALIDATION(w, "Invalid policy document: %s", why.message);
	policy_free(p);
	r->policy = text;
	r->policy_revision = str_fmt(w->a, "%lld", (long long)(rand_u64() >> 1));
	return OK;
}

static status put(struct work *w, const struct dynamodb_put_resource_policy_input *in,
	struct dynamodb_put_resource_policy_output *out)
{
	struct table *t;
	TRY(open_table(w, in->resource_arn, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	TRY(expect_revision(w, in->expected_revision_id, &r));
	TRY(ddb_policy_set(w, &r, in->policy));
	ddb_put_table(w, &r);
	ddb_cache(w, &r, false);
	out->revision_id = r.policy_revision;
	return OK;
}

status dynamodb_put_resource_policy(struct call *c, const struct dynamodb_put_resource_policy_input *in,
	struct dynamodb_put_resource_policy_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, put(&w, in, out));
}

static status get(struct work *w, const struct dynamodb_get_resource_policy_input *in,
	struct dynamodb_get_resource_policy_output *out)
{
	struct table *t;
	TRY(open_table(w, in->resource_arn, &t));
	if (!str_has(t->record.policy)) return no_policy(w, in->resource_arn);
	out->policy = str_dup(w->a, t->record.policy);
	out->revision_id = str_dup(w->a, t->record.policy_revision);
	return OK;
}

status dynamodb_get_resource_policy(struct call *c, const struct dynamodb_get_resource_policy_input *in,
	struct dynamodb_get_resource_policy_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, get(&w, in, out));
}

static status drop(struct work *w, const struct dynamodb_delete_resource_policy_input *in,
	struct dynamodb_delete_resource_policy_output *out)
{
	struct table *t;
	TRY(open_table(w, in->resource_arn, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	TRY(expect_revision(w, in->expected_revision_id, &r));
	if (!str_has(r.policy)) return OK; /* "idempotent": an answer without a revision */
	out->revision_id = str_dup(w->a, r.policy_revision);
	r.policy = r.policy_revision = STR_NONE;
	ddb_put_table(w, &r);
	ddb_cache(w, &r, false);
	return OK;
}

status dynamodb_delete_resource_policy(struct call *c, const struct dynamodb_delete_resource_policy_input *in,
	struct dynamodb_delete_resource_policy_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, drop(&w, in, out));
}
