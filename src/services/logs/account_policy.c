/* Account policies: a subscription for all groups of an account ("Account-level subscription filters"). Policies of
 * data protection, field indexes, transformers and metric extraction are not built, and refused. */
#include "base/json.h"
#include "services/logs/pattern.h"
#include "services/logs/room.h"

#define SUBSCRIPTIONS STR("SUBSCRIPTION_FILTER_POLICY")
enum { BYTES_MAX = 30720 };

static status get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct logs_rec_account_policy *out)
{
	struct str bytes;
	*out = (struct logs_rec_account_policy){0};
	TRY(store_get(tx, logs_key_in(a, "account-policy", account, region, SUBSCRIPTIONS, STR_NONE), &bytes));
	return logs_rec_account_policy_decode(a, bytes, out);
}

/* LogGroupName NOT IN ["a", "b"]: STR_NONE passes everything. INVALID where it says something else. */
static status leaves_out(struct arena *a, struct str criteria, struct str group, bool *out)
{
	struct json_value *list;
	struct str rest = str_has(criteria) ? str_trim(criteria) : STR("");
	static const char *const words[] = {"LogGroupName", "NOT", "IN"};
	*out = false;
	if (!rest.n) return OK;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!str_istarts(rest, str_c(words[i]))) return STATUS(INVALID);
		rest = str_trim(str_from(rest, strlen(words[i])));
	}
	TRY(json_read(a, rest, &list));
	if (!json_is(list, JSON_IS_ARRAY)) return STATUS(INVALID);
	for (struct json_value *v = list->first; v; v = v->next) {
		if (!json_is(v, JSON_IS_STRING)) return STATUS(INVALID);
		*out = *out || (str_has(group) && str_eq(v->text, group));
	}
	return OK;
}

static struct logs_subscription read_document(const struct json_value *d, struct str name)
{
	return (struct logs_subscription){.group = STR(""),
		.name = name,
		.pattern = json_string(json_member(d, STR("FilterPattern"))),
		.destination = json_string(json_member(d, STR("DestinationArn"))),
		.role = json_string(json_member(d, STR("RoleArn"))),
		.random = str_is(str_or(json_string(json_member(d, STR("Distribution"))), STR("")), "Random")};
}

status logs_account_subscription(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str group, struct logs_subscription *out)
{
	struct logs_rec_account_policy r;
	struct json_value *d;
	bool left_out;
	TRY(get(tx, a, account, region, &r));
	TRY(leaves_out(a, r.criteria, group, &left_out));
	if (left_out) return STATUS(NOT_FOUND);
	TRY(json_read(a, r.document, &d));
	*out = read_document(d, r.name);
	return OK;
}

static struct logs_account_policy shown(struct call *c, const struct logs_rec_account_policy *r)
{
	return (struct logs_account_policy){.policy_name = r->name,
		.policy_document = r->document,
		.last_updated_time = SOME_I64(r->updated.ms),
		.policy_type = r->type,
		.scope = STR("ALL"),
		.selection_criteria = r->criteria,
		.account_id = c->account};
}

status logs_put_account_policy(
	struct call *c, const struct logs_put_account_policy_input *in, struct logs_put_account_policy_output *out)
{
	struct logs_rec_account_policy old, r = {.name = in->policy_name,
						    .type = in->policy_type,
						    .document = in->policy_document,
						    .criteria = in->selection_criteria,
						    .updated = SOME_TIME(c->now_ms)};
	struct json_value *d;
	struct logs_pattern *p;
	struct str why;
	bool left_out;
	if (!str_eq(in->policy_type, SUBSCRIPTIONS))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Account policies of type %.*s are not implemented yet.",
			STR_ARG(in->policy_type));
	if (in->policy_document.n > BYTES_MAX || !is_ok(json_read(c->arena, in->policy_document, &d)) ||
		!json_is(d, JSON_IS_OBJECT))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The policy document is not valid JSON, or too long.");
	struct logs_subscription s = read_document(d, r.name);
	if (!str_has(s.pattern) || !str_has(s.destination))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The policy document needs DestinationArn and FilterPattern.");
	if (!is_ok(leaves_out(c->arena, in->selection_criteria, STR_NONE, &left_out)))
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"The selection criteria are not valid: LogGroupName NOT IN [] is what is supported.");
	if (!is_ok(logs_pattern_read(c->arena, s.pattern, &p, &why)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why));
	logs_pattern_end(p);
	status known = get(c->tx, c->arena, c->account, c->region, &old);
	if (!is_ok(known) && !status_is(known, STATUS_NOT_FOUND)) return known;
	/* "You can have only one subscription filter policy per account." */
	if (is_ok(known) && !str_eq(old.name, r.name)) return LOGS_FAIL(c, LIMIT_EXCEEDED, "Resource limit exceeded.");
	TRY(logs_delivery_try(c, &s));
	store_put(c->tx, logs_key_in(c->arena, "account-policy", c->account, c->region, SUBSCRIPTIONS, STR_NONE),
		logs_rec_account_policy_encode(c->arena, &r));
	if (!is_ok(known)) logs_delivery_begin(c, STR(""), r.name);
	out->account_policy = arena_new(c->arena, struct logs_account_policy);
	*out->account_policy = shown(c, &r);
	return OK;
}

status logs_describe_account_policies(struct call *c, const struct logs_describe_account_policies_input *in,
	struct logs_describe_account_policies_output *out)
{
	struct logs_rec_account_policy r;
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->account_policies);
	for (size_t i = 0; i < in->account_identifiers.n; i++)
		if (!str_eq(in->account_identifiers.v[i], c->account))
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Account policies of linked source accounts are not implemented yet.");
	if (!str_eq(in->policy_type, SUBSCRIPTIONS)) return OK;
	status s = get(c->tx, c->arena, c->account, c->region, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!str_has(in->policy_name) || str_eq(in->policy_name, r.name))
		*VEC_PUSH(c->arena, &out->account_policies, &capacity) = shown(c, &r);
	return OK;
}

status logs_delete_account_policy(struct call *c, const struct logs_delete_account_policy_input *in,
	struct logs_delete_account_policy_output *out)
{
	struct logs_rec_account_policy r;
	(void)out;
	status s = str_eq(in->policy_type, SUBSCRIPTIONS) ? get(c->tx, c->arena, c->account, c->region, &r)
							  : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(r.name, in->policy_name)))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified account policy does not exist.");
	TRY(s);
	store_delete(c->tx, logs_key_in(c->arena, "account-policy", c->account, c->region, SUBSCRIPTIONS, STR_NONE));
	return logs_delivery_end(c, STR(""), r.name);
}
