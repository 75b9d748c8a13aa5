/* Custom policy checks: does a policy grant more than another, one of these accesses, or access to everyone
 * ("CheckNoNewAccess", "CheckAccessNotGranted", "CheckNoPublicAccess", API reference). Where it cannot be shown that
 * nothing is granted, the answer is FAIL. */
#include "policy/authz.h"
#include "policy/policy.h"
#include "services/accessanalyzer/room.h"

static status read_policy(struct call *c, struct str text, bool resource, bool trust, struct json_value **out)
{
	struct policy_source source = {.type = trust ? POLICY_TRUST : resource ? POLICY_RESOURCE : POLICY_IDENTITY};
	struct policy_error why = {0};
	struct policy *p = NULL;
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return AA_FAIL(c, INVALID_PARAMETER, "The policy document is not valid: %s", why.message);
	policy_free(p);
	if (!is_ok(json_read(c->arena, text, out)))
		return AA_FAIL(c, INVALID_PARAMETER, "The policy document is not valid.");
	return OK;
}

static void add_reason(struct call *c, struct accessanalyzer_reason_summary_list *out, size_t *capacity,
	const struct json_value *s, int32_t index, const char *what)
{
	*VEC_PUSH(c->arena, out, capacity) = (struct accessanalyzer_reason_summary){
		.description = str_fmt(c->arena, "%s: %d.", what, index),
		.statement_index = SOME_I32(index),
		.statement_id = json_string(json_member(s, STR("Sid"))),
	};
}

/* ── new access ── */

static bool covered_list(struct arena *a, const struct json_value *narrow, const struct json_value *wide, bool lower)
{
	AA_EACH (v, narrow) {
		bool found = false;
		AA_EACH (w, wide) {
			struct str n = str_or(json_string(v), STR("")), o = str_or(json_string(w), STR(""));
			found |= aa_within(lower ? str_lower(a, n) : n, lower ? str_lower(a, o) : o);
		}
		if (!found) return false;
	}
	return true;
}

static bool same_json(struct arena *a, const struct json_value *x, const struct json_value *y)
{
	struct buf one = BUF_IN(a), two = BUF_IN(a);
	if (!x || !y) return x == y;
	json_write(&one, x);
	json_write(&two, y);
	return str_eq(buf_done(&one), buf_done(&two));
}

/* Every condition of `wide` is there in `narrow`, so that narrow is at least as confined. */
static bool at_least_as_confined(struct arena *a, const struct json_value *narrow, const struct json_value *wide)
{
	const struct json_value *mine = json_member(narrow, STR("Condition")),
				*theirs = json_member(wide, STR("Condition"));
	for (const struct json_value *op = json_is(theirs, JSON_IS_OBJECT) ? theirs->first : NULL; op; op = op->next)
		for (const struct json_value *key = json_is(op, JSON_IS_OBJECT) ? op->first : NULL; key;
			key = key->next)
			if (!same_json(a, json_member(json_member(mine, op->name), key->name), key)) return false;
	return true;
}

static bool principals_within(struct arena *a, const struct json_value *narrow, const struct json_value *wide)
{
	const struct json_value *mine = json_member(narrow, STR("Principal")),
				*theirs = json_member(wide, STR("Principal"));
	if (json_member(narrow, STR("NotPrincipal")) || json_member(wide, STR("NotPrincipal")))
		return same_json(a, json_member(narrow, STR("NotPrincipal")), json_member(wide, STR("NotPrincipal")));
	if (!mine && !theirs) return true;
	if (aa_names_anyone(wide)) return true;
	for (const struct json_value *m = json_is(mine, JSON_IS_OBJECT) ? mine->first : NULL; m; m = m->next)
		if (!json_member(theirs, m->name) || !covered_list(a, m, json_member(theirs, m->name), false))
			return false;
	return json_is(mine, JSON_IS_OBJECT);
}

static bool within_statement(struct arena *a, const struct json_value *narrow, const struct json_value *wide)
{
	static const char *const lists[] = {"Action", "Resource"};
	static const char *const negated[] = {"NotAction", "NotResource"};
	for (size_t i = 0; i < 2; i++) {
		const struct json_value *mine = json_member(narrow, str_c(lists[i])),
					*theirs = json_member(wide, str_c(lists[i]));
		const struct json_value *not_mine = json_member(narrow, str_c(negated[i])),
					*not_theirs = json_member(wide, str_c(negated[i]));
		if (theirs && aa_list_has(theirs, STR("*"))) continue;
		if (not_mine && not_theirs && covered_list(a, not_theirs, not_mine, i == 0)) continue;
		if (not_theirs && mine) {
			bool apart = true;
			AA_EACH (v, mine)
				AA_EACH (w, not_theirs)
					apart &= !aa_meet(str_lower(a, str_or(json_string(v), STR(""))),
						str_lower(a, str_or(json_string(w), STR(""))));
			if (apart) continue;
		}
		if (!mine && !not_mine && !theirs && !not_theirs) continue; /* a trust policy has no resources */
		if (!mine || !theirs || !covered_list(a, mine, theirs, i == 0)) return false;
	}
	return principals_within(a, narrow, wide) && at_least_as_confined(a, narrow, wide);
}

/* What the existing policy denies has to stay denied: each of its Denies is within one of the new policy's. */
static bool denials_stay(struct arena *a, const struct json_value *existing, const struct json_value *changed)
{
	AA_EACH (old, aa_statements(existing)) {
		bool kept = aa_is_allow(old);
		AA_EACH (s, aa_statements(changed)) kept |= !aa_is_allow(s) && within_statement(a, old, s);
		if (!kept) return false;
	}
	return true;
}

/* Each action of a statement by itself: two statements together may cover what neither does. */
static bool statement_covered(struct arena *a, const struct json_value *s, const struct json_value *existing)
{
	const struct json_value *actions = json_member(s, STR("Action")), *resources = json_member(s, STR("Resource"));
	AA_EACH (old, aa_statements(existing))
		if (aa_is_allow(old) && within_statement(a, s, old)) return true;
	if (!actions || (!resources && json_member(s, STR("NotResource")))) return false;
	AA_EACH (action, actions)
		AA_EACH (resource, resources ? resources : actions) {
			struct json_value one_action = *action, one_resource = *resource, one = *s;
			bool found = false;
			one_action.name = STR("Action");
			one_resource.name = STR("Resource");
			one_action.next = NULL;
			one_resource.next = NULL;
			/* The statement again with one action and one resource: its other members follow. */
			struct json_value *rest = NULL;
			for (const struct json_value *m = s->first; m; m = m->next) {
				if (str_is(m->name, "Action") || str_is(m->name, "Resource")) continue;
				struct json_value *copy = arena_copy(a, m, sizeof(*m));
				copy->next = rest;
				rest = copy;
			}
			if (resources) {
				one_resource.next = rest;
				one_action.next = &one_resource;
			} else {
				one_action.next = rest;
			}
			one.first = &one_action;
			AA_EACH (old, aa_statements(existing))
				found |= aa_is_allow(old) && within_statement(a, &one, old);
			if (!found) return false;
		}
	return true;
}

status accessanalyzer_check_no_new_access(struct call *c, const struct accessanalyzer_check_no_new_access_request *in,
	struct accessanalyzer_check_no_new_access_response *out)
{
	struct json_value *changed, *existing;
	bool resource = str_is(in->policy_type, "RESOURCE_POLICY");
	size_t capacity = 0;
	int32_t n = 0;
	TRY(read_policy(c, in->new_policy_document, resource, false, &changed));
	TRY(read_policy(c, in->existing_policy_document, resource, false, &existing));
	bool denials = denials_stay(c->arena, existing, changed);
	AA_EACH (s, aa_statements(changed)) {
		if (aa_is_allow(s) && (!denials || !statement_covered(c->arena, s, existing)))
			add_reason(c, &out->reasons, &capacity, s, n, "New access in the statement with index");
		n++;
	}
	bool fails = out->reasons.n > 0;
	out->result = fails ? STR("FAIL") : STR("PASS");
	out->message =
		fails ? STR("The modified permissions grant new access compared to your existing policy.")
		      : STR("The modified permissions do not grant new access compared to your existing policy.");
	return OK;
}

/* ── named access ── */

static bool meets_any(struct arena *a, const struct json_value *list, struct str text, bool lower)
{
	AA_EACH (v, list) {
		struct str p = str_or(json_string(v), STR(""));
		if (aa_meet(lower ? str_lower(a, p) : p, lower ? str_lower(a, text) : text)) return true;
	}
	return false;
}

static bool all_within(struct arena *a, const struct json_value *list, struct str text)
{
	AA_EACH (v, list)
		if (aa_within(str_lower(a, text), str_lower(a, str_or(json_string(v), STR(""))))) return true;
	return false;
}

static bool grants(struct arena *a, const struct json_value *policy, const struct json_value *s, struct str action,
	struct str resource)
{
	const struct json_value *actions = json_member(s, STR("Action")),
				*not_actions = json_member(s, STR("NotAction"));
	const struct json_value *resources = json_member(s, STR("Resource")),
				*not_resources = json_member(s, STR("NotResource"));
	if (actions ? !meets_any(a, actions, action, true) : all_within(a, not_actions, action)) return false;
	if (resources && !meets_any(a, resources, resource, false)) return false;
	if (not_resources && all_within(a, not_resources, resource)) return false;
	return !aa_denied(a, policy, action, resource);
}

static bool grants_one(struct arena *a, const struct json_value *policy, const struct json_value *s,
	const struct accessanalyzer_access *access)
{
	size_t actions = access->actions.n ? access->actions.n : 1,
	       resources = access->resources.n ? access->resources.n : 1;
	for (size_t i = 0; i < actions; i++)
		for (size_t k = 0; k < resources; k++)
			if (grants(a, policy, s, access->actions.n ? access->actions.v[i] : STR("*"),
				    access->resources.n ? access->resources.v[k] : STR("*")))
				return true;
	return false;
}

static status check_access(struct call *c, const struct accessanalyzer_access *access)
{
	if (!access->actions.n && !access->resources.n)
		return AA_FAIL(c, VALIDATION, "Either actions or resources must be specified in access.");
	for (size_t i = 0; i < access->actions.n; i++) {
		struct str name = access->actions.v[i], prefix = str_cut(&name, ':');
		const struct authz_service *s = str_has(name) ? authz_find_prefix(str_lower(c->arena, prefix)) : NULL;
		if (!s || (str_chr(name, '*') < 0 && !authz_find_action(s, name)))
			return AA_FAIL(
				c, INVALID_PARAMETER, "The action %.*s is not valid.", STR_ARG(access->actions.v[i]));
	}
	return OK;
}

status accessanalyzer_check_access_not_granted(struct call *c,
	const struct accessanalyzer_check_access_not_granted_request *in,
	struct accessanalyzer_check_access_not_granted_response *out)
{
	struct json_value *policy;
	size_t capacity = 0;
	int32_t n = 0;
	if (in->access.n != 1) return AA_FAIL(c, VALIDATION, "access must have one member.");
	TRY(check_access(c, &in->access.v[0]));
	TRY(read_policy(c, in->policy_document, str_is(in->policy_type, "RESOURCE_POLICY"), false, &policy));
	AA_EACH (s, aa_statements(policy)) {
		if (aa_is_allow(s) && grants_one(c->arena, policy, s, &in->access.v[0]))
			add_reason(c, &out->reasons, &capacity, s, n,
				"One or more of the listed actions or resources in the statement with index");
		n++;
	}
	bool fails = out->reasons.n > 0;
	out->result = fails ? STR("FAIL") : STR("PASS");
	out->message =
		fails ? STR("The policy document grants access to perform one or more of the listed actions or "
			    "resources.")
		      : STR("The policy document does not grant access to perform the listed actions or resources.");
	return OK;
}

/* ── public access ── */

status accessanalyzer_check_no_public_access(struct call *c,
	const struct accessanalyzer_check_no_public_access_request *in,
	struct accessanalyzer_check_no_public_access_response *out)
{
	struct json_value *policy;
	size_t capacity = 0;
	int32_t n = 0;
	bool trust = str_is(in->resource_type, "AWS::IAM::AssumeRolePolicyDocument");
	TRY(read_policy(c, in->policy_document, true, trust, &policy));
	AA_EACH (s, aa_statements(policy)) {
		const struct json_value *actions = json_member(s, STR("Action")),
					*resources = json_member(s, STR("Resource"));
		bool open = aa_is_allow(s) && aa_names_anyone(s) && !aa_confined(s, STR("")), left = !actions;
		AA_EACH (v, actions) {
			const struct json_value *first = aa_items(resources);
			left |= !aa_denied(c->arena, policy, str_or(json_string(v), STR("")),
				first ? str_or(json_string(first), STR("*")) : STR("*"));
		}
		if (open && left)
			add_reason(c, &out->reasons, &capacity, s, n,
				"Public access granted in the following statement with index");
		n++;
	}
	bool fails = out->reasons.n > 0;
	out->result = fails ? STR("FAIL") : STR("PASS");
	out->message = fails ? STR("The resource policy grants public access for the given resource type.")
			     : STR("The resource policy does not grant public access for the given resource type.");
	return OK;
}
