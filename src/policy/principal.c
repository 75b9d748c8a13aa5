/* Principals: which forms may stand in a policy,
	and how directly a statement names a caller ("AWS JSON policy elements:
 * Principal", "…: NotPrincipal"). The directness decides what else may limit the grant ("Policy evaluation logic"). */
#include "policy/internal.h"

static bool is_account(struct str s)
{
	if (s.n != 12) return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return true;
}

/* AIDA…, AROA…: an identity that is gone is shown by its unique id. */
static bool is_unique_id(struct str s)
{
	if (s.n < 16 || s.n > 128 || !(str_starts(s, STR("AIDA")) || str_starts(s, STR("AROA")))) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9'))) return false;
	return true;
}

static bool has_wildcard(struct str s)
{
	return str_chr(s, '*') >= 0 || str_chr(s, '?') >= 0;
}

/* arn:PARTITION:iam::ACCOUNT:root|user/…|role/… or arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION|federated-user/… */
static bool read_arn(struct str s, struct str *account, struct str *rest)
{
	struct str left = s;
	if (!str_eq(str_cut(&left, ':'), STR("arn")) || !str_has(left)) return false;
	if (!str_starts(str_cut(&left, ':'), STR("aws")) || !str_has(left)) return false;
	struct str service = str_cut(&left, ':');
	if (!str_has(left) || str_cut(&left, ':').n != 0 || !str_has(left)) return false;
	*account = str_cut(&left, ':');
	if (!str_has(left)) return false;
	*rest = left;
	if (str_is(service, "iam")) {
		/* CloudFront's origin access identities are users of an account of that name. */
		if (!is_account(*account) && !(str_is(*account, "cloudfront") && str_starts(*rest,
			STR("user/")))) return false;
		return str_is(*rest, "root") || (str_starts(*rest, STR("user/")) && rest->n > 5) ||
		       (str_starts(*rest, STR("role/")) && rest->n > 5);
	}
	if (!str_is(service, "sts") || !is_account(*account)) return false;
	if (str_starts(*rest, STR("federated-user/"))) return rest->n > 15;
	if (!str_starts(*rest, STR("assumed-role/"))) return false;
	struct str role = str_from(*rest, 13);
	struct str name = str_cut(&role, '/');
	return name.n && str_has(role) && role.n && str_chr(role, '/') < 0;
}

const char *principal_entry(struct str type, struct str text, struct principal_entry *out, struct str *kept)
{
	struct str account, rest;
	*out = (struct principal_entry){0};
	*kept = text;
	if (str_is(type, "AWS")) {
		if (str_is(text, "*")) {
			out->kind = ENTRY_ANY;
		} else if (is_account(text)) {
			out->kind = ENTRY_ACCOUNT;
		} else if (is_unique_id(text)) {
			out->kind = ENTRY_UNIQUE_ID;
		} else if (!has_wildcard(text) && read_arn(text, &account, &rest)) {
			bool root = str_is(rest, "root");
			out->kind = root ? ENTRY_ACCOUNT : ENTRY_ARN;
			if (root) *kept = account;
		} else {
			return "Invalid principal in policy";
		}
		return NULL;
	}
	if (str_is(type, "Service")) {
		out->kind = ENTRY_SERVICE;
		if (str_is(text, "*")) return NULL;
		return has_wildcard(text) || str_chr(text, '.') <= 0 ? "Invalid principal in policy" : NULL;
	}
	if (str_is(type, "Federated")) {
		out->kind = ENTRY_FEDERATED;
		return text.n && (str_is(text, "*") || !has_wildcard(text)) ? NULL : "Invalid principal in policy";
	}
	if (str_is(type, "CanonicalUser")) {
		out->kind = ENTRY_CANONICAL;
		return text.n && !has_wildcard(text) ? NULL : "Invalid principal in policy";
	}
	return "Invalid principal in policy";
}

static enum grant entry_grant(const struct policy_principal *who, uint8_t kind, struct str text)
{
	bool person = who->kind == POLICY_CALLER_ROOT || who->kind == POLICY_CALLER_USER ||
		who->kind == POLICY_CALLER_ROLE ||
		      who->kind == POLICY_CALLER_FEDERATED;
	switch ((enum principal_entry_kind)kind) {
	case ENTRY_ANY:
		return GRANT_DIRECT;
	case ENTRY_ACCOUNT:
		if (!person || !str_eq(text, who->account)) return GRANT_NONE;
		return who->kind == POLICY_CALLER_ROOT ? GRANT_DIRECT : GRANT_ACCOUNT;
	case ENTRY_ARN:
		if (!person) return GRANT_NONE;
		if (str_eq(text, who->arn)) return GRANT_DIRECT;
		return str_has(who->issuer_arn) && str_eq(text, who->issuer_arn) ? GRANT_ISSUER : GRANT_NONE;
	case ENTRY_UNIQUE_ID: {
		if (!person) return GRANT_NONE;
		struct str id = who->user_id;
		if (str_eq(text, id)) return GRANT_DIRECT;
		return str_eq(str_cut(&id, ':'), text) ? GRANT_ISSUER : GRANT_NONE;
	}
	case ENTRY_SERVICE:
		if (who->kind != POLICY_CALLER_SERVICE) return GRANT_NONE;
		return str_is(text, "*") || str_ieq(text, who->name) ? GRANT_DIRECT : GRANT_NONE;
	case ENTRY_FEDERATED:
		if (who->kind != POLICY_CALLER_PROVIDER) return GRANT_NONE;
		return str_is(text, "*") || str_eq(text, who->name) ? GRANT_DIRECT : GRANT_NONE;
	case ENTRY_CANONICAL:
		/* An account's other name ("AWS account principals"). */
		if (!person || !str_has(who->canonical_user) || !str_eq(text, who->canonical_user)) return GRANT_NONE;
		return who->kind == POLICY_CALLER_ROOT ? GRANT_DIRECT : GRANT_ACCOUNT;
	}
	return GRANT_NONE;
}

/* A Deny with NotPrincipal spares only who is named at every level: the account and the user; the account, the role and
 * the session. "When you use NotPrincipal with Deny, you must also specify the account ARN of the not-denied "
	"principal."
 * An Allow with NotPrincipal leaves out whoever is named at any level. */
static enum grant not_principal(const struct policy_principal *who, bool deny, unsigned levels)
{
	bool direct = levels & 1u << GRANT_DIRECT;
	if (!deny) return levels ? GRANT_NONE : GRANT_DIRECT;
	bool account = levels & 1u << GRANT_ACCOUNT, issuer = levels & 1u << GRANT_ISSUER;
	switch (who->kind) {
	case POLICY_CALLER_USER: return direct && account ? GRANT_NONE : GRANT_DIRECT;
	case POLICY_CALLER_ROLE:
	case POLICY_CALLER_FEDERATED: return direct && account && issuer ? GRANT_NONE : GRANT_DIRECT;
	case POLICY_CALLER_ANONYMOUS:
	case POLICY_CALLER_ROOT:
	case POLICY_CALLER_SERVICE:
	case POLICY_CALLER_PROVIDER: break;
	}
	return direct ? GRANT_NONE : GRANT_DIRECT;
}

enum grant principal_grant(const struct policy_principal *who, const struct policy *p, const struct statement *s)
{
	enum grant best = GRANT_NONE;
	unsigned levels = 0;
	const struct principal_entry *entry = p->principals + s->principals.first;
	for (uint32_t i = 0; i < s->principals.n; i++, entry++) {
		if (entry->kind == ENTRY_ANY && s->not_principal) return GRANT_NONE;
		enum grant g = entry_grant(who, entry->kind, policy_text(p, entry->text, entry->n));
		if (g == GRANT_NONE) continue;
		levels |= 1u << g;
		if (g > best) best = g;
	}
	return s->not_principal ? not_principal(who, s->deny, levels) : best;
}
