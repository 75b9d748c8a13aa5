/* ValidatePolicy: conditions, their operators, keys and values ("IAM JSON policy elements: Condition operators"). */
#include "policy/authz.h"
#include "policy/policy.h"
#include "services/accessanalyzer/validate.h"

enum family { F_STRING, F_NUMBER, F_DATE, F_BOOL, F_BINARY, F_IP, F_ARN, F_NULL, F_NONE };
struct operator
{
	enum family family;
	bool like, if_exists, for_all, for_any, negated;
};

static bool read_operator(struct str name, struct operator* o)
{
	static const struct {
		const char *name;
		enum family family;
		bool like, negated;
	} known[] = {
		{"StringEquals", F_STRING, false, false},
		{"StringNotEquals", F_STRING, false, true},
		{"StringEqualsIgnoreCase", F_STRING, false, false},
		{"StringNotEqualsIgnoreCase", F_STRING, false, true},
		{"StringLike", F_STRING, true, false},
		{"StringNotLike", F_STRING, true, true},
		{"NumericEquals", F_NUMBER, false, false},
		{"NumericNotEquals", F_NUMBER, false, true},
		{"NumericLessThan", F_NUMBER, false, false},
		{"NumericLessThanEquals", F_NUMBER, false, false},
		{"NumericGreaterThan", F_NUMBER, false, false},
		{"NumericGreaterThanEquals", F_NUMBER, false, false},
		{"DateEquals", F_DATE, false, false},
		{"DateNotEquals", F_DATE, false, true},
		{"DateLessThan", F_DATE, false, false},
		{"DateLessThanEquals", F_DATE, false, false},
		{"DateGreaterThan", F_DATE, false, false},
		{"DateGreaterThanEquals", F_DATE, false, false},
		{"Bool", F_BOOL, false, false},
		{"BinaryEquals", F_BINARY, false, false},
		{"IpAddress", F_IP, false, false},
		{"NotIpAddress", F_IP, false, true},
		{"ArnEquals", F_ARN, true, false},
		{"ArnNotEquals", F_ARN, true, true},
		{"ArnLike", F_ARN, true, false},
		{"ArnNotLike", F_ARN, true, true},
		{"Null", F_NULL, false, false},
	};
	*o = (struct operator){.family = F_NONE};
	if (str_istarts(name, STR("ForAllValues:"))) {
		o->for_all = true;
		name = str_from(name, 13);
	} else if (str_istarts(name, STR("ForAnyValue:"))) {
		o->for_any = true;
		name = str_from(name, 12);
	}
	if (name.n > 8 && str_ieq(str_from(name, name.n - 8), STR("IfExists"))) {
		o->if_exists = true;
		name = str_sub(name, 0, name.n - 8);
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_ieq(name, str_c(known[i].name))) {
			o->family = known[i].family;
			o->like = known[i].like;
			o->negated = known[i].negated;
			return true;
		}
	return false;
}

/* "AWS global condition context keys" */
static bool global_key(struct str key)
{
	static const char *const keys[] = {"aws:AssumedRoot", "aws:CalledVia", "aws:CalledViaAWSMCP",
		"aws:CalledViaFirst", "aws:CalledViaLast", "aws:ChatbotSourceArn", "aws:CurrentTime",
		"aws:Ec2InstanceSourceVpc", "aws:Ec2InstanceSourcePrivateIPv4", "aws:EpochTime",
		"aws:FederatedProvider", "aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent", "aws:PrincipalAccount",
		"aws:PrincipalArn", "aws:PrincipalIsAWSService", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
		"aws:PrincipalServiceName", "aws:PrincipalServiceNamesList", "aws:PrincipalType", "aws:RequestedRegion",
		"aws:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:SecureTransport",
		"aws:SourceAccount", "aws:SourceArn", "aws:SourceIdentity", "aws:SourceIp", "aws:SourceOrgID",
		"aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce", "aws:TagKeys",
		"aws:TokenIssueTime", "aws:UserAgent", "aws:userid", "aws:username", "aws:ViaAWSService",
		"aws:ViaAWSMCPService", "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths", "aws:VpcSourceIp",
		"aws:referer", "aws:SignInSessionArn", "aws:IsMcpServiceAction"};
	static const char *const prefixes[] = {"aws:PrincipalTag/", "aws:RequestTag/", "aws:ResourceTag/"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (str_ieq(key, str_c(keys[i]))) return true;
	for (size_t i = 0; i < 3; i++)
		if (str_istarts(key, str_c(prefixes[i]))) return true;
	return false;
}

/* s3:ExistingObjectTag/${TagKey}, kms:EncryptionContext:${…}: a key's name up to its variable. */
static bool service_key(const struct authz_service *s, struct str key)
{
	for (uint32_t i = 0; i < s->keys.n; i++) {
		struct str name = authz_str(authz_keys[s->keys.first + i].name);
		ptrdiff_t variable = str_find(name, STR("${"));
		if (variable < 0 ? str_ieq(name, key) : str_istarts(key, str_sub(name, 0, (size_t)variable)))
			return true;
	}
	return false;
}

static bool multivalued(struct str key)
{
	static const char *const keys[] = {"aws:TagKeys", "aws:CalledVia", "aws:PrincipalOrgPaths",
		"aws:ResourceOrgPaths", "aws:SourceOrgPaths", "aws:VpceOrgPaths", "aws:PrincipalServiceNamesList",
		"dynamodb:Attributes", "dynamodb:LeadingKeys", "kms:EncryptionContextKeys", "kms:GrantOperations",
		"kms:ResourceAliases", "sts:TransitiveTagKeys", "kms:RecipientAttestation"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (str_ieq(key, str_c(keys[i]))) return true;
	return str_find(key, STR(":")) >= 0 && !str_istarts(key, STR("aws:")) && str_find(key, STR("amr")) >= 0;
}

static void check_key(
	struct aa_check *k, const struct aa_step *path, const struct operator* o, const struct json_value *key)
{
	struct str rest = key->name, prefix = str_cut(&rest, ':');
	if (!str_has(rest) || !prefix.n || !rest.n) {
		aa_find(k, AA_ERROR, "INVALID_CONDITION_KEY_FORMAT", path, key,
			"The condition key format is not valid. Use the format service:keyname.");
		return;
	}
	if (str_ieq(prefix, STR("aws"))) {
		if (!global_key(key->name))
			aa_find(k, AA_ERROR, "INVALID_GLOBAL_CONDITION_KEY", path, key,
				"The condition key %.*s does not exist. Use a valid condition key.",
				STR_ARG(key->name));
	} else if (str_chr(prefix, '.') < 0) { /* an identity provider's are its own */
		const struct authz_service *s = authz_find_prefix(str_lower(k->c->arena, prefix));
		if (s && !service_key(s, key->name))
			aa_find(k, AA_ERROR, "INVALID_SERVICE_CONDITION_KEY", path, key,
				"The condition key %.*s does not exist in the service %.*s. Use a valid condition key.",
				STR_ARG(key->name), STR_ARG(prefix));
	}
	if (o->for_all && !multivalued(key->name))
		aa_find(k, AA_SECURITY_WARNING, "FORALLVALUES_WITH_SINGLE_VALUED_KEY", path, key,
			"Using ForAllValues qualifier with the single-valued condition key %.*s can be overly "
			"permissive. We recommend that "
			"you remove ForAllValues:.",
			STR_ARG(key->name));
	if (str_ieq(key->name, STR("aws:TagKeys")) && !o->for_all && !o->for_any && o->family != F_NULL)
		aa_find(k, AA_ERROR, "MISSING_QUALIFIER", path, key,
			"The request context key %.*s has multiple values. Use the ForAllValues or ForAnyValue "
			"condition key qualifiers in "
			"your policy.",
			STR_ARG(key->name));
	if (str_ends(key->name, STR("Tag/")))
		aa_find(k, AA_ERROR, "MISSING_TAG_KEY", path, key, "The condition key %.*s must include a tag key.",
			STR_ARG(key->name));
}

static bool private_address(struct str s)
{
	return str_starts(s, STR("10.")) || str_starts(s, STR("192.168.")) || str_starts(s, STR("172.16.")) ||
	       str_starts(s, STR("127.")) || str_starts(s, STR("172.31.")) || str_istarts(s, STR("fc")) ||
	       str_istarts(s, STR("fd"));
}

/* What the engine's own reader makes of one operator and value says whether it is of the type. */
static bool value_fits(struct aa_check *k, enum family f, struct str text)
{
	static const char *const operators[] = {[F_NUMBER] = "NumericEquals",
		[F_DATE] = "DateEquals",
		[F_IP] = "IpAddress",
		[F_BINARY] = "BinaryEquals"};
	struct buf b = BUF_IN(k->c->arena);
	struct policy_source source = {.type = POLICY_IDENTITY};
	struct policy *p = NULL;
	buf_fmt(&b,
		"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\","
		"\"Condition\":{"
		"\"%s\":{\"aws:x\":",
		operators[f]);
	json_quote(&b, text);
	buf_lit(&b, "}}}}");
	bool good = is_ok(policy_parse(buf_done(&b), &source, &p, NULL));
	policy_free(p);
	return good;
}

static void check_value(struct aa_check *k, const struct aa_step *path, const struct operator* o, struct str key,
	const struct json_value *v)
{
	struct str text = json_scalar(v);
	if (!str_has(text)) {
		aa_find(k, AA_ERROR, "DATA_TYPE_MISMATCH", path, v,
			"The text does not match the expected JSON data type string.");
		return;
	}
	aa_check_variables(k, path, v);
	bool variable = str_find(text, STR("${")) >= 0;
	if (variable && (o->family == F_NUMBER || o->family == F_DATE || o->family == F_IP || o->family == F_BINARY ||
				o->family == F_BOOL)) {
		aa_find(k, AA_ERROR, "INVALID_VARIABLE_FOR_OPERATOR", path, v,
			"Policy variables can only be used with String and ARN operators.");
		return;
	}
	bool truth = str_ieq(text, STR("true")) || str_ieq(text, STR("false"));
	if ((o->family == F_BOOL || o->family == F_NULL) && !truth)
		aa_find(k, AA_ERROR, "TYPE_MISMATCH_BOOLEAN", path, v,
			"Add a valid Boolean value (true or false) for the condition operator.");
	else if (o->family == F_NUMBER && !value_fits(k, F_NUMBER, text))
		aa_find(k, AA_ERROR, "TYPE_MISMATCH_NUMBER", path, v,
			"Add a valid number value for the condition operator.");
	else if (o->family == F_DATE && !value_fits(k, F_DATE, text))
		aa_find(k, AA_WARNING, "INVALID_DATE_VALUE", path, v,
			"The date %.*s might not resolve as expected. We recommend that you use the "
			"YYYY-MM-DDThh:mm:ssZ format.",
			STR_ARG(text));
	else if (o->family == F_IP && !value_fits(k, F_IP, text))
		aa_find(k, AA_ERROR, "TYPE_MISMATCH_IP_RANGE", path, v,
			"Use the condition operator with a valid IP address range in CIDR notation.");
	else if (o->family == F_IP && str_ieq(key, STR("aws:SourceIp")) && private_address(text))
		aa_find(k, o->negated ? AA_WARNING : AA_ERROR,
			o->negated ? "PRIVATE_NOT_IP_ADDRESS" : "PRIVATE_IP_ADDRESS", path, v,
			"The values for condition key aws:SourceIp includes only private IP addresses and will not "
			"have the desired effect. "
			"Update the value to include public IP addresses.");
	else if (o->family == F_BINARY && !value_fits(k, F_BINARY, text))
		aa_find(k, AA_ERROR, "INVALID_CONDITION_DATA_TYPE", path, v, "The value is not base64.");
	else if (o->family == F_STRING && !o->like && (str_chr(text, '*') >= 0 || str_chr(text, '?') >= 0) && !variable)
		aa_find(k, AA_WARNING, "WILDCARD_WITHOUT_LIKE_OPERATOR", path, v,
			"Your condition value includes a * or ? character. If you meant to use a wildcard (*, ?), "
			"update the condition operator "
			"to include Like.");
	else if (o->family == F_ARN && !str_starts(text, STR("arn:")) && str_chr(text, '*') != 0 && !variable)
		aa_find(k, AA_WARNING, "TYPE_MISMATCH_ARN", path, v, "Use the operator with a value that is an ARN.");
}

void aa_check_conditions(struct aa_check *k, const struct aa_statement *s)
{
	if (!s->condition) return;
	const struct aa_step *path = aa_step(k, s->path, STR("Condition"), 0);
	if (!json_is(s->condition, JSON_IS_OBJECT)) {
		aa_find(k, AA_ERROR, "DATA_TYPE_MISMATCH", path, s->condition,
			"The text does not match the expected JSON data type object.");
		return;
	}
	if (!s->condition->length)
		aa_find(k, AA_SUGGESTION, "EMPTY_OBJECT_CONDITION", path, s->condition,
			"This condition block is empty and it does not affect the policy. Specify conditions.");
	for (const struct json_value *op = s->condition->first; op; op = op->next) {
		const struct aa_step *under = aa_step(k, path, op->name, 0);
		struct operator o;
		if (!read_operator(op->name, &o)) {
			aa_find(k, AA_ERROR, "INVALID_CONDITION_OPERATOR", under, op,
				"The condition operator %.*s is not valid. Use a valid condition operator.",
				STR_ARG(op->name));
			continue;
		}
		if (o.family == F_NULL && o.if_exists)
			aa_find(k, AA_ERROR, "NULL_WITH_IF_EXISTS", under, op,
				"The Null condition operator does not work with the IfExists suffix. Update the "
				"operator or the suffix.");
		if (o.family == F_NULL && (o.for_all || o.for_any))
			aa_find(k, AA_SUGGESTION, "NULL_WITH_QUALIFIER", under, op,
				"Avoid using the Null operator with the ForAllValues or ForAnyValue qualifiers because "
				"they always return true.");
		for (const struct json_value *key = json_is(op, JSON_IS_OBJECT) ? op->first : NULL; key;
			key = key->next) {
			const struct aa_step *at = aa_step(k, under, key->name, 0);
			int32_t n = 0;
			check_key(k, at, &o, key);
			if (json_is(key, JSON_IS_ARRAY) && !key->length)
				aa_find(k, AA_SUGGESTION,
					o.for_all ? "EMPTY_ARRAY_CONDITION_FORALLVALUES" : "EMPTY_ARRAY_CONDITION", at,
					key,
					"There are no values for the condition key %.*s and it does not affect the "
					"policy. Specify conditions.",
					STR_ARG(key->name));
			if (o.family == F_BOOL && json_is(key, JSON_IS_ARRAY) && key->length > 1)
				aa_find(k, AA_ERROR, "INVALID_CONDITION_MULTIPLE_BOOLEAN", at, key,
					"The condition key does not support multiple Boolean values. Use a single "
					"Boolean value.");
			AA_EACH (v, key) check_value(k, aa_item_step(k, at, key, n++), &o, key->name, v);
		}
	}
}
