/* What statements let whom do: patterns within and across each other, and conditions that confine ("The meaning of
 * 'public'", Amazon S3 User Guide; "IAM Access Analyzer filter keys"). */
#include "services/accessanalyzer/room.h"
#include <stdlib.h>

bool aa_within(struct str pattern, struct str wider)
{
	/* A star of the narrower one is any text: a question mark of the wider one must not take it. */
	if (str_chr(wider, '?') >= 0 && str_chr(pattern, '*') >= 0) return str_eq(pattern, wider);
	return str_glob(wider, pattern);
}

/* row[j]: can what is left of a from i on, and of b from j on, be one text? Filled from the ends, so that patterns
 * which are made to be slow are not. */
bool aa_meet(struct str a, struct str b)
{
	bool *row = mem_new(2 * (b.n + 1)), *below = row + b.n + 1;
	for (size_t i = a.n + 1; i-- > 0;) {
		for (size_t j = b.n + 1; j-- > 0;) {
			bool star_a = i < a.n && a.p[i] == '*', star_b = j < b.n && b.p[j] == '*',
			     meet = i == a.n && j == b.n;
			if (star_a) meet |= below[j] || (j < b.n && row[j + 1]);
			if (star_b) meet |= row[j + 1] || (i < a.n && below[j]);
			if (!star_a && !star_b && i < a.n && j < b.n)
				meet |= (a.p[i] == b.p[j] || a.p[i] == '?' || b.p[j] == '?') && below[j + 1];
			row[j] = meet;
		}
		memcpy(below, row, b.n + 1);
	}
	bool meet = row[0];
	free(row);
	return meet;
}

bool aa_list_has(const struct json_value *list, struct str text)
{
	AA_EACH (v, list)
		if (str_ieq(str_or(json_string(v), STR("")), text)) return true;
	return false;
}

const struct json_value *aa_statements(const struct json_value *policy)
{
	return json_member(policy, STR("Statement"));
}

bool aa_is_allow(const struct json_value *statement)
{
	return str_is(str_or(json_string(json_member(statement, STR("Effect"))), STR("")), "Allow");
}

bool aa_names_anyone(const struct json_value *statement)
{
	const struct json_value *p = json_member(statement, STR("Principal"));
	if (json_member(statement, STR("NotPrincipal"))) return true;
	if (str_is(str_or(json_string(p), STR("")), "*")) return true;
	return aa_list_has(json_member(p, STR("AWS")), STR("*"));
}

/* Keys that say who calls or for whom; those of networks confine what is public, but not to an account. */
static bool is_identity_key(struct str key)
{
	static const char *const keys[] = {"aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID",
		"aws:PrincipalOrgPaths", "aws:SourceAccount", "aws:SourceOwner", "aws:SourceArn", "aws:userid",
		"kms:CallerAccount", "aws:SourceOrgID", "aws:ResourceAccount", "s3:DataAccessPointAccount",
		"s3:DataAccessPointArn", "secretsmanager:ResourceAccount"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (str_ieq(key, str_c(keys[i]))) return true;
	return false;
}

static bool is_network_key(struct str key)
{
	return str_ieq(key, STR("aws:SourceIp")) || str_ieq(key, STR("aws:SourceVpc")) ||
	       str_ieq(key, STR("aws:SourceVpce")) || str_ieq(key, STR("aws:VpcSourceIp"));
}

static bool asks_equality(struct str op)
{
	static const char *const operators[] = {
		"StringEquals", "StringLike", "StringEqualsIgnoreCase", "ArnEquals", "ArnLike", "IpAddress"};
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (str_ieq(op, str_c(operators[i]))) return true;
	return false;
}

/* An account id within the value: 111122223333, or the fifth part of an ARN. */
static struct str account_in(struct str value)
{
	struct str rest = value;
	if (!str_starts(value, STR("arn:"))) return value;
	for (int i = 0; i < 4 && str_has(rest); i++) str_cut(&rest, ':');
	return str_has(rest) ? str_cut(&rest, ':') : STR("");
}

static bool fixed(const struct json_value *values, struct str account)
{
	AA_EACH (v, values) {
		struct str text = str_or(json_scalar(v), STR(""));
		if (account.n ? !str_eq(account_in(text), account)
			      : str_chr(account_in(text), '*') >= 0 || str_ends(text, STR("/0")))
			return false;
	}
	return true;
}

bool aa_confined(const struct json_value *statement, struct str account)
{
	const struct json_value *conditions = json_member(statement, STR("Condition"));
	for (const struct json_value *op = json_is(conditions, JSON_IS_OBJECT) ? conditions->first : NULL; op;
		op = op->next) {
		if (!asks_equality(op->name) || !json_is(op, JSON_IS_OBJECT)) continue;
		for (const struct json_value *key = op->first; key; key = key->next) {
			bool identity = is_identity_key(key->name), network = is_network_key(key->name);
			if ((identity || (network && !account.n)) && fixed(key, account)) return true;
		}
	}
	return false;
}

static bool any_covers(struct arena *a, const struct json_value *list, struct str text, bool lower)
{
	AA_EACH (v, list) {
		struct str p = str_or(json_string(v), STR(""));
		if (aa_within(lower ? str_lower(a, text) : text, lower ? str_lower(a, p) : p)) return true;
	}
	return false;
}

bool aa_denied(struct arena *a, const struct json_value *policy, struct str action, struct str resource)
{
	AA_EACH (s, aa_statements(policy)) {
		const struct json_value *who = json_member(s, STR("Principal"));
		if (aa_is_allow(s) || json_member(s, STR("Condition"))) continue;
		if (who && !aa_names_anyone(s)) continue;
		const struct json_value *actions = json_member(s, STR("Action")),
					*resources = json_member(s, STR("Resource"));
		const struct json_value *not_actions = json_member(s, STR("NotAction"));
		bool covers = actions ? any_covers(a, actions, action, true)
				      : not_actions && !any_covers(a, not_actions, action, true);
		if (covers && (!resources || any_covers(a, resources, resource, false))) return true;
	}
	return false;
}
