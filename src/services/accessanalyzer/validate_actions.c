/* ValidatePolicy: Action and NotAction, Resource and NotResource, Principal and NotPrincipal. */
#include "policy/authz.h"
#include "policy/policy.h"
#include "services/accessanalyzer/validate.h"

static const struct aa_step *member_step(struct aa_check *k, const struct aa_statement *s, const char *name)
{
	return aa_step(k, s->path, str_c(name), 0);
}

static bool wild(struct str s)
{
	return str_chr(s, '*') >= 0 || str_chr(s, '?') >= 0;
}

/* ── actions ── */

static bool any_action_fits(const struct authz_service *service, struct str pattern, struct arena *a)
{
	struct str lower = str_lower(a, pattern);
	for (uint32_t i = 0; i < service->actions.n; i++)
		if (str_glob(lower, str_lower(a, authz_str(authz_actions[service->actions.first + i].name))))
			return true;
	return false;
}

static void check_action(struct aa_check *k, const struct aa_step *path, const struct json_value *v)
{
	struct str s = str_or(json_string(v), STR("")), name = s, prefix = str_cut(&name, ':');
	if (!json_is(v, JSON_IS_STRING)) {
		aa_find(k, AA_ERROR, "DATA_TYPE_MISMATCH", path, v,
			"The text does not match the expected JSON data type string.");
		return;
	}
	if (str_is(s, "*")) return;
	if (!str_has(name) || !prefix.n || !name.n) {
		aa_find(k, AA_ERROR, "INVALID_ACTION", path, v,
			"The action %.*s does not exist. Did you mean to add a service prefix?", STR_ARG(s));
		return;
	}
	if (wild(prefix)) {
		aa_find(k, AA_SUGGESTION, "WILDCARD_IN_SERVICE_NAME", path, v,
			"Avoid wildcards in the service name %.*s.", STR_ARG(prefix));
		return;
	}
	const struct authz_service *service = authz_find_prefix(str_lower(k->c->arena, prefix));
	if (!service) {
		aa_find(k, AA_ERROR, "INVALID_SERVICE_IN_ACTION", path, v,
			"The service %.*s specified in the action does not exist.", STR_ARG(prefix));
		return;
	}
	bool there =
		wild(name) ? any_action_fits(service, name, k->c->arena) : authz_find_action(service, name) != NULL;
	if (!there) aa_find(k, AA_ERROR, "INVALID_ACTION", path, v, "The action %.*s does not exist.", STR_ARG(s));
	if (k->type == AA_TRUST && !str_istarts(s, STR("sts:")))
		aa_find(k, AA_ERROR, "UNSUPPORTED_ACTION_IN_POLICY", path, v,
			"The action %.*s is not supported for the role trust policy.", STR_ARG(s));
	if (k->type == AA_SCP && wild(name) && !str_ends(name, STR("*")) && str_chr(name, '?') < 0)
		aa_find(k, AA_ERROR, "SCP_SYNTAX_ERROR_ACTION_WILDCARD", path, v,
			"SCP actions can include wildcards (*) only at the end of a string.");
}

/* "The action … is redundant because it is within the scope of …" */
static void check_redundant(struct aa_check *k, const struct aa_step *path, const struct json_value *list,
	const char *code, const char *what)
{
	if (!json_is(list, JSON_IS_ARRAY)) return;
	int32_t n = 0;
	AA_EACH (v, list) {
		AA_EACH (o, list) {
			struct str mine = str_or(json_string(v), STR("")), other = str_or(json_string(o), STR(""));
			bool same = str_ieq(mine, other),
			     within = str_glob(str_lower(k->c->arena, other), str_lower(k->c->arena, mine));
			if (o == v || !mine.n || !within || (same && o->at > v->at)) continue;
			aa_find(k, AA_SUGGESTION, code, aa_step(k, path, STR_NONE, n), v,
				"The %s %.*s is redundant because it is within the scope of %.*s.", what, STR_ARG(mine),
				STR_ARG(other));
			break;
		}
		n++;
	}
}

static bool has(const struct json_value *list, const char *text)
{
	AA_EACH (v, list)
		if (str_ieq(str_or(json_string(v), STR("")), str_c(text))) return true;
	return false;
}

static bool covers_pass_role(struct aa_check *k, const struct json_value *list)
{
	AA_EACH (v, list) {
		struct str s = str_lower(k->c->arena, str_or(json_string(v), STR("")));
		if (str_glob(s, STR("iam:passrole"))) return true;
	}
	return false;
}

/* "Using the iam:PassRole action with wildcards (*) in the resource can be overly permissive …" */
static void check_pass_role(struct aa_check *k, const struct aa_statement *s)
{
	if (!s->allow || s->condition || k->type != AA_IDENTITY) return;
	bool named = s->action && covers_pass_role(k, s->action),
	     left = s->not_action && !covers_pass_role(k, s->not_action);
	bool star = s->action && has(s->action, "*");
	if (named && s->not_resource)
		aa_find(k, AA_SECURITY_WARNING,
			star ? "PASS_ROLE_WITH_STAR_IN_ACTION_AND_NOTRESOURCE" : "PASS_ROLE_WITH_NOTRESOURCE",
			member_step(k, s, "NotResource"), s->not_resource,
			"Using the iam:PassRole action with NotResource can be overly permissive because it can allow "
			"iam:PassRole "
			"permissions on multiple resources.");
	else if (left && s->not_resource)
		aa_find(k, AA_SECURITY_WARNING, "PASS_ROLE_WITH_NOTACTION_AND_NOTRESOURCE",
			member_step(k, s, "NotAction"), s->not_action,
			"Using NotAction with NotResource can be overly permissive because it can allow iam:PassRole "
			"permissions on "
			"multiple resources.");
	else if (named && s->resource && has(s->resource, "*"))
		aa_find(k, AA_SECURITY_WARNING,
			star ? "PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE" : "PASS_ROLE_WITH_STAR_IN_RESOURCE",
			member_step(k, s, "Resource"), s->resource,
			"Using the iam:PassRole action with wildcards (*) in the resource can be overly permissive "
			"because it allows "
			"iam:PassRole permissions on multiple resources. We recommend that you specify resource ARNs "
			"or add the "
			"iam:PassedToService condition key to your statement.");
	else if (left && s->resource && has(s->resource, "*"))
		aa_find(k, AA_SECURITY_WARNING, "PASS_ROLE_WITH_NOTACTION_AND_STAR_IN_RESOURCE",
			member_step(k, s, "NotAction"), s->not_action,
			"Using NotAction with a resource with wildcards (*) can be overly permissive because it can "
			"allow iam:PassRole "
			"permissions on multiple resources.");
}

void aa_check_actions(struct aa_check *k, const struct aa_statement *s)
{
	const struct json_value *lists[] = {s->action, s->not_action};
	const char *names[] = {"Action", "NotAction"};
	for (size_t i = 0; i < 2; i++) {
		if (!lists[i]) continue;
		const struct aa_step *path = member_step(k, s, names[i]);
		if (json_is(lists[i], JSON_IS_ARRAY) && !lists[i]->length)
			aa_find(k, AA_SUGGESTION, "EMPTY_ARRAY_ACTION", path, lists[i],
				"This statement includes no actions and does not affect the policy. Specify actions.");
		int32_t n = 0;
		AA_EACH (v, lists[i]) {
			const struct aa_step *at = aa_item_step(k, path, lists[i], n++);
			check_action(k, at, v);
			if (str_find(str_or(json_string(v), STR("")), STR("${")) >= 0)
				aa_find(k, AA_ERROR, "VARIABLE_UNSUPPORTED_IN_ELEMENT", at, v,
					"Policy variables are supported in the Resource and Condition "
					"elements. Remove the policy "
					"variable.");
		}
		check_redundant(k, path, lists[i], "REDUNDANT_ACTION", "action");
	}
	check_pass_role(k, s);
}

/* ── resources ── */

static bool digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return true;
}

static void check_resource(struct aa_check *k, const struct aa_step *path, const struct json_value *v)
{
	struct str s = str_or(json_string(v), STR("")), rest = s, part[5] = {{0}};
	if (!json_is(v, JSON_IS_STRING)) {
		aa_find(k, AA_ERROR, "DATA_TYPE_MISMATCH", path, v,
			"The text does not match the expected JSON data type string.");
		return;
	}
	if (str_is(s, "*")) return;
	aa_check_variables(k, path, v);
	size_t n = 0;
	while (n < 5 && str_has(rest)) part[n++] = str_cut(&rest, ':');
	if (!str_is(part[0], "arn")) {
		if (wild(part[0])) return;
		aa_find(k, AA_ERROR, "INVALID_ARN_PREFIX", path, v,
			"Add the required prefix (arn) to the resource ARN.");
		return;
	}
	if (n < 5 || !str_has(rest)) {
		if (wild(s)) return;
		aa_find(k, AA_ERROR, "MISSING_ARN_FIELD", path, v,
			"Resource ARNs must include at least 6 fields in the following structure: "
			"arn:partition:service:region:account:resource");
		return;
	}
	if (!wild(part[1]) && !str_is(part[1], "aws") && !str_is(part[1], "aws-cn") && !str_is(part[1], "aws-us-gov") &&
		str_find(part[1], STR("${")) < 0)
		aa_find(k, AA_ERROR, "INVALID_PARTITION", path, v,
			"The resource ARN for the service %.*s does not support the partition %.*s. Use the supported "
			"values: aws, "
			"aws-cn, aws-us-gov",
			STR_ARG(part[2]), STR_ARG(part[1]));
	if (!wild(part[2]) && !str_eq(part[2], str_lower(k->c->arena, part[2])))
		aa_find(k, AA_ERROR, "INVALID_ARN_SERVICE_CASE", path, v,
			"Update the service name %.*s to use all lowercase letters.", STR_ARG(part[2]));
	if (part[4].n && !wild(part[4]) && str_find(part[4], STR("${")) < 0 && !str_is(part[4], "aws") &&
		(part[4].n != 12 || !digits(part[4])))
		aa_find(k, AA_ERROR, "INVALID_ARN_ACCOUNT", path, v,
			"The resource ARN account ID %.*s is not valid. Provide a 12-digit account ID.",
			STR_ARG(part[4]));
	if (str_is(part[2], "s3") && part[4].n && !wild(part[4]) && str_find(rest, STR("accesspoint")) < 0 &&
		str_find(rest, STR("job/")) < 0 && str_find(rest, STR("storage-lens")) < 0 &&
		str_find(rest, STR("access-grants")) < 0)
		aa_find(k, AA_ERROR, "ARN_ACCOUNT_NOT_ALLOWED", path, v,
			"The service s3 does not support specifying an account ID in the resource ARN.");
	if ((str_is(part[2], "iam") || str_is(part[2], "s3")) && part[3].n && !wild(part[3]) &&
		str_find(rest, STR("accesspoint")) < 0 && str_is(part[2], "iam"))
		aa_find(k, AA_ERROR, "ARN_REGION_NOT_ALLOWED", path, v,
			"The service %.*s does not support specifying a Region in the resource ARN.", STR_ARG(part[2]));
}

void aa_check_resources(struct aa_check *k, const struct aa_statement *s)
{
	const struct json_value *lists[] = {s->resource, s->not_resource};
	const char *names[] = {"Resource", "NotResource"};
	for (size_t i = 0; i < 2; i++) {
		if (!lists[i]) continue;
		const struct aa_step *path = member_step(k, s, names[i]);
		if (json_is(lists[i], JSON_IS_ARRAY) && !lists[i]->length)
			aa_find(k, AA_SUGGESTION, "EMPTY_ARRAY_RESOURCE", path, lists[i],
				"This statement includes no resources and does not affect the policy. Specify "
				"resources.");
		int32_t n = 0;
		AA_EACH (v, lists[i]) check_resource(k, aa_item_step(k, path, lists[i], n++), v);
		check_redundant(k, path, lists[i], "REDUNDANT_RESOURCE", "resource ARN");
	}
}

/* ── principals ── */

static void check_principal(struct aa_check *k, const struct aa_step *path, struct str type, const struct json_value *v)
{
	struct str s = str_or(json_string(v), STR(""));
	if (str_is(type, "AWS")) {
		bool account = s.n == 12 && digits(s), arn = str_starts(s, STR("arn:")),
		     id = s.n > 16 && s.p[0] == 'A' && !wild(s);
		if (wild(s) && !str_is(s, "*"))
			aa_find(k, AA_ERROR, "UNSUPPORTED_WILDCARD_IN_PRINCIPAL", path, v,
				"Wildcards (*, ?) are not supported with the principal key AWS. Replace the wildcard "
				"with a valid "
				"principal value.");
		else if (!account && !arn && !id && !str_is(s, "*"))
			aa_find(k, AA_ERROR, "INVALID_PRINCIPAL_FORMAT", path, v,
				"The Principal element contents are not valid. Specify a key-value pair in the "
				"Principal element.");
	} else if (str_is(type, "Service")) {
		if (str_find(s, STR(".amazonaws.com")) < 0 && str_find(s, STR(".amazon.com")) < 0 &&
			!str_ends(s, STR(".aws.internal")))
			aa_find(k, AA_ERROR, "INVALID_SERVICE_PRINCIPAL_FORMAT", path, v,
				"The service principal does not match the expected format. Use the format "
				"%.*s.amazonaws.com.",
				STR_ARG(s));
	} else if (!str_is(type, "Federated") && !str_is(type, "CanonicalUser")) {
		aa_find(k, AA_ERROR, "INVALID_PRINCIPAL_KEY", path, v,
			"The principal key %.*s is not valid. Use AWS, CanonicalUser, Federated or Service.",
			STR_ARG(type));
	}
}

/* "Granting access to a service principal without specifying a source is overly permissive." */
static bool tells_source(const struct json_value *condition)
{
	static const char *const keys[] = {
		"aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths"};
	for (const struct json_value *op = json_is(condition, JSON_IS_OBJECT) ? condition->first : NULL; op;
		op = op->next)
		for (const struct json_value *key = json_is(op, JSON_IS_OBJECT) ? op->first : NULL; key;
			key = key->next)
			for (size_t i = 0; i < 4; i++)
				if (str_ieq(key->name, str_c(keys[i]))) return true;
	return false;
}

static bool acts_for_others(struct str service)
{
	static const char *const names[] = {"cloudtrail", "s3", "sns", "sqs", "config", "events", "cloudwatch",
		"logging.s3", "delivery.logs", "ses", "cloudfront", "scheduler", "guardduty", "vpc-flow-logs",
		"budgets", "costalerts"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_starts(service, str_c(names[i])) && service.n > strlen(names[i]) &&
			service.p[strlen(names[i])] == '.')
			return true;
	return false;
}

void aa_check_principals(struct aa_check *k, const struct aa_statement *s)
{
	const struct json_value *v = s->principal ? s->principal : s->not_principal;
	if (!v) return;
	const struct aa_step *path = member_step(k, s, s->principal ? "Principal" : "NotPrincipal");
	if (s->not_principal && s->allow)
		aa_find(k, AA_SECURITY_WARNING, "ALLOW_WITH_NOTPRINCIPAL", path, v,
			"Using Allow with NotPrincipal can be overly permissive. We recommend that you use Principal "
			"instead.");
	if (json_is(v, JSON_IS_STRING)) {
		if (!str_is(v->text, "*"))
			aa_find(k, AA_ERROR, "INVALID_PRINCIPAL_FORMAT", path, v,
				"The Principal element contents are not valid. Specify a key-value pair in the "
				"Principal element.");
		return;
	}
	if (!json_is(v, JSON_IS_OBJECT)) {
		aa_find(k, AA_ERROR, "DATA_TYPE_MISMATCH", path, v,
			"The text does not match the expected JSON data type object.");
		return;
	}
	if (!v->length)
		aa_find(k, AA_SUGGESTION, "EMPTY_OBJECT_PRINCIPAL", path, v,
			"This statement includes no principals and does not affect the policy. Specify principals.");
	for (const struct json_value *m = v->first; m; m = m->next) {
		const struct aa_step *type = aa_step(k, path, m->name, 0);
		int32_t n = 0;
		if (json_is(m, JSON_IS_ARRAY) && !m->length)
			aa_find(k, AA_SUGGESTION, "EMPTY_ARRAY_PRINCIPAL", type, m,
				"This statement includes no principals and does not affect the policy. Specify "
				"principals.");
		AA_EACH (p, m) {
			const struct aa_step *at = aa_item_step(k, type, m, n++);
			check_principal(k, at, m->name, p);
			if (str_is(m->name, "Service") && s->allow && k->type == AA_RESOURCE &&
				acts_for_others(json_string(p)) && !tells_source(s->condition))
				aa_find(k, AA_SECURITY_WARNING, "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", at, p,
					"Granting access to a service principal without specifying a source is "
					"overly permissive. Use "
					"aws:SourceArn, aws:SourceAccount, aws:SourceOrgID, or "
					"aws:SourceOrgPaths condition key to "
					"grant fine-grained access to the service principal.");
		}
	}
}
