/* Resource policies and saved queries: what is kept by name. */
#include "policy/policy.h"
#include "base/json.h"
#include "base/rand.h"
#include "services/logs/room.h"

enum { POLICIES_MAX = 10, POLICY_BYTES_MAX = 5120, PAGE = 50, DEFINITIONS_PAGE = 1000 };

static status policies_of(struct call *c, struct logs_resource_policies *out)
{
	struct str space = logs_key(c->arena, "policy", c->account, c->region), key, value;
	size_t capacity = 0;
	status s = OK;
	VEC_PRESENT(c->arena, out);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct logs_rec_policy r = {0};
		s = logs_rec_policy_decode(c->arena, str_dup(c->arena, value), &r);
		if (is_ok(s))
			*VEC_PUSH(c->arena, out, &capacity) = (struct logs_resource_policy){.policy_name = r.name,
				.policy_document = r.document,
				.last_updated_time = SOME_I64(r.updated.ms),
				.policy_scope = STR("ACCOUNT")};
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

status logs_put_resource_policy(
	struct call *c, const struct logs_put_resource_policy_input *in, struct logs_put_resource_policy_output *out)
{
	struct logs_resource_policies all = {0};
	struct policy *p;
	struct policy_source source = {.type = POLICY_RESOURCE};
	bool there = false;
	if (str_has(in->resource_arn) || str_has(in->expected_revision_id))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Resource policies of single log groups are not implemented yet.");
	if (!str_has(in->policy_name) || !str_has(in->policy_document))
		return LOGS_FAIL(c, INVALID_PARAMETER, "policyName and policyDocument are required.");
	if (in->policy_document.n > POLICY_BYTES_MAX)
		return LOGS_FAIL(c, INVALID_PARAMETER, "The policy document is too long.");
	if (!is_ok(policy_parse(in->policy_document, &source, &p, NULL)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The policy document is malformed.");
	policy_free(p);
	TRY(policies_of(c, &all));
	for (size_t i = 0; i < all.n; i++) there = there || str_eq(all.v[i].policy_name, in->policy_name);
	if (!there && all.n >= POLICIES_MAX) return LOGS_FAIL(c, LIMIT_EXCEEDED, "Resource limit exceeded.");
	struct logs_rec_policy r = {in->policy_name, in->policy_document, SOME_TIME(c->now_ms)};
	store_put(c->tx, logs_key_of(c->arena, "policy", c->account, c->region, r.name),
		logs_rec_policy_encode(c->arena, &r));
	out->resource_policy = arena_new(c->arena, struct logs_resource_policy);
	*out->resource_policy = (struct logs_resource_policy){.policy_name = r.name,
		.policy_document = r.document,
		.last_updated_time = SOME_I64(c->now_ms),
		.policy_scope = STR("ACCOUNT")};
	return OK;
}

status logs_describe_resource_policies(struct call *c, const struct logs_describe_resource_policies_input *in,
	struct logs_describe_resource_policies_output *out)
{
	if (str_has(in->resource_arn))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Resource policies of single log groups are not implemented yet.");
	return policies_of(c, &out->resource_policies);
}

status logs_delete_resource_policy(struct call *c, const struct logs_delete_resource_policy_input *in,
	struct logs_delete_resource_policy_output *out)
{
	struct str bytes,
		key = logs_key_of(c->arena, "policy", c->account, c->region, str_or(in->policy_name, STR("")));
	(void)out;
	status s = store_get(c->tx, key, &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(
			c, RESOURCE_NOT_FOUND, "Policy with name [%.*s] does not exist", STR_ARG(in->policy_name));
	TRY(s);
	store_delete(c->tx, key);
	return OK;
}

/* ── saved queries ── */

static status definition(struct call *c, struct str id, struct logs_rec_query_definition *out)
{
	struct str bytes;
	*out = (struct logs_rec_query_definition){0};
	status s = store_get(c->tx, logs_key_of(c->arena, "definition", c->account, c->region, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified query definition does not exist.");
	TRY(s);
	return logs_rec_query_definition_decode(c->arena, bytes, out);
}

status logs_put_query_definition(
	struct call *c, const struct logs_put_query_definition_input *in, struct logs_put_query_definition_output *out)
{
	struct logs_rec_query_definition r;
	if (str_has(in->query_language) && !str_is(in->query_language, "CWLI"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Queries in %.*s are not implemented yet.",
			STR_ARG(in->query_language));
	if (in->parameters.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Query definitions with parameters are not implemented yet.");
	if (str_has(in->query_definition_id)) TRY(definition(c, in->query_definition_id, &r));
	r = (struct logs_rec_query_definition){
		.id = str_has(in->query_definition_id) ? in->query_definition_id : rand_uuid(c->arena),
		.name = in->name,
		.text = in->query_string,
		.groups = {in->log_group_names.v, in->log_group_names.n},
		.modified = SOME_TIME(c->now_ms)};
	store_put(c->tx, logs_key_of(c->arena, "definition", c->account, c->region, r.id),
		logs_rec_query_definition_encode(c->arena, &r));
	out->query_definition_id = r.id;
	return OK;
}

status logs_describe_query_definitions(struct call *c, const struct logs_describe_query_definitions_input *in,
	struct logs_describe_query_definitions_output *out)
{
	struct str space = logs_key(c->arena, "definition", c->account, c->region), key, value, after;
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : DEFINITIONS_PAGE;
	status s = OK;
	TRY(logs_token(c, in->next_token, &after));
	VEC_PRESENT(c->arena, &out->query_definitions);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct logs_rec_query_definition r = {0};
		s = logs_rec_query_definition_decode(c->arena, str_dup(c->arena, value), &r);
		if (!is_ok(s) || str_cmp(r.id, after) <= 0) continue;
		if (str_has(in->query_definition_name_prefix) && !str_starts(r.name, in->query_definition_name_prefix))
			continue;
		if (out->query_definitions.n == most) {
			out->next_token = str_base64(c->arena, out->query_definitions.v[most - 1].query_definition_id);
			break;
		}
		*VEC_PUSH(c->arena, &out->query_definitions, &capacity) =
			(struct logs_query_definition){.query_language = STR("CWLI"),
				.query_definition_id = r.id,
				.name = r.name,
				.query_string = r.text,
				.last_modified = SOME_I64(r.modified.ms),
				.log_group_names = {r.groups.v, r.groups.n}};
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

status logs_delete_query_definition(struct call *c, const struct logs_delete_query_definition_input *in,
	struct logs_delete_query_definition_output *out)
{
	struct logs_rec_query_definition r;
	TRY(definition(c, in->query_definition_id, &r));
	store_delete(c->tx, logs_key_of(c->arena, "definition", c->account, c->region, r.id));
	out->success = SOME_BOOL(true);
	return OK;
}
