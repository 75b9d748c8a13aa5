/* Resource policies of secrets: written, read, taken away, validated; and whether they let everybody in
 * ("Resource-based policies", the user guide). */
#include "policy/policy.h"
#include "base/json.h"
#include "services/secretsmanager/room.h"

static status parse(struct call *c, struct str text, struct str label)
{
	struct policy *p;
	struct policy_error why = {0};
	struct policy_source source = {.type = POLICY_RESOURCE, .label = label};
	if (is_ok(policy_parse(text, &source, &p, &why))) {
		policy_free(p);
		return OK;
	}
	return call_fail(c, SECRETSMANAGER_ERR_MALFORMED_POLICY_DOCUMENT_EXCEPTION,
		"This resource policy contains a syntax error. (%s)", why.message);
}

static bool is_star(const struct json_value *v)
{
	if (json_is(v, JSON_IS_STRING)) return str_is(v->text, "*");
	for (const struct json_value *e = json_is(v, JSON_IS_ARRAY) ? v->first : NULL; e; e = e->next)
		if (is_star(e)) return true;
	return false;
}

/* Conditions on these narrow who may call ("The meaning of \"public\"", Amazon S3 User Guide, whose rule Zelkova
 * applies to all resource policies): with a fixed value of one of them a grant to "*" is not one to everybody. */
static bool narrows(struct str key)
{
	static const char *const keys[] = {"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID",
		"aws:PrincipalOrgPaths", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIp", "aws:SourceOrgID",
		"aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp", "aws:userid", "kms:CallerAccount"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (str_ieq(key, str_c(keys[i]))) return true;
	return false;
}

static bool is_narrow(const struct json_value *condition)
{
	for (const struct json_value *op = condition ? condition->first : NULL; op; op = op->next) {
		struct str name = op->name;
		bool negative = str_find(name, STR("Not")) >= 0 || str_ends(name, STR("IfExists")) ||
				str_ieq(name, STR("Null"));
		for (const struct json_value *key = negative ? NULL : op->first; key; key = key->next)
			if (narrows(key->name) && !is_star(key)) return true;
	}
	return false;
}

static bool is_public_statement(const struct json_value *s)
{
	if (!str_is(json_string(json_member(s, STR("Effect"))), "Allow")) return false;
	const struct json_value *who = json_member(s, STR("Principal"));
	bool all = json_member(s, STR("NotPrincipal")) != NULL || is_star(who) || is_star(json_member(who, STR("AWS")));
	return all && !is_narrow(json_member(s, STR("Condition")));
}

static bool is_public(struct arena *a, struct str text)
{
	struct json_value *doc;
	if (!is_ok(json_read(a, text, &doc))) return false;
	const struct json_value *list = json_member(doc, STR("Statement"));
	if (json_is(list, JSON_IS_OBJECT)) return is_public_statement(list);
	for (const struct json_value *s = list ? list->first : NULL; s; s = s->next)
		if (is_public_statement(s)) return true;
	return false;
}

status secretsmanager_put_resource_policy(struct call *c, const struct secretsmanager_put_resource_policy_input *in,
	struct secretsmanager_put_resource_policy_output *out)
{
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, 0, &s));
	TRY(parse(c, in->resource_policy, s.arn));
	if (in->block_public_policy.v && is_public(c->arena, in->resource_policy))
		return call_fail(c, SECRETSMANAGER_ERR_PUBLIC_POLICY_EXCEPTION,
			"The BlockPublicPolicy parameter is set to true, and the resource policy did not prevent broad "
			"access to the secret.");
	s.r.policy = in->resource_policy;
	TRY(sm_save(c, &s));
	out->arn = s.arn;
	out->name = s.name;
	return OK;
}

status secretsmanager_get_resource_policy(struct call *c, const struct secretsmanager_get_resource_policy_input *in,
	struct secretsmanager_get_resource_policy_output *out)
{
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, SM_DELETED_TOO | SM_REPLICA_TOO, &s));
	out->arn = s.arn;
	out->name = s.name;
	out->resource_policy = s.r.policy;
	return OK;
}

status secretsmanager_delete_resource_policy(struct call *c,
	const struct secretsmanager_delete_resource_policy_input *in,
	struct secretsmanager_delete_resource_policy_output *out)
{
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, 0, &s));
	s.r.policy = STR_NONE;
	TRY(sm_save(c, &s));
	out->arn = s.arn;
	out->name = s.name;
	return OK;
}

status secretsmanager_validate_resource_policy(struct call *c,
	const struct secretsmanager_validate_resource_policy_input *in,
	struct secretsmanager_validate_resource_policy_output *out)
{
	struct sm_secret s;
	size_t capacity = 0;
	if (str_has(in->secret_id)) TRY(sm_find(c, in->secret_id, SM_DELETED_TOO | SM_REPLICA_TOO, &s));
	TRY(parse(c, in->resource_policy, STR("")));
	bool open = is_public(c->arena, in->resource_policy);
	VEC_PRESENT(c->arena, &out->validation_errors);
	if (open)
		*VEC_PUSH(c->arena, &out->validation_errors, &capacity) =
			(struct secretsmanager_validation_errors_entry){STR("PublicPolicyCheck"),
				STR("The resource policy grants broad access to the secret.")};
	out->policy_validation_passed = SOME_BOOL(!open);
	return OK;
}
