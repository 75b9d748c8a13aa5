/* What a decision rested on, in AWS's words ("Troubleshoot access denied error messages") and in ours. */
#include "policy/internal.h"

struct str policy_type_name(enum policy_type t)
{
	switch (t) {
	case POLICY_IDENTITY: return STR("identity-based policy");
	case POLICY_BOUNDARY: return STR("permissions boundary");
	case POLICY_SESSION: return STR("session policy");
	case POLICY_RESOURCE: return STR("resource-based policy");
	case POLICY_TRUST: return STR("role trust policy");
	case POLICY_SCP: return STR("service control policy");
	case POLICY_RCP: return STR("resource control policy");
	case POLICY_ENDPOINT: return STR("VPC endpoint policy");
	}
	return STR("policy");
}

struct str policy_sid(const struct policy *p, size_t statement)
{
	if (statement >= p->n_statements) return STR("");
	return policy_text(p, p->statements[statement].sid.first, p->statements[statement].sid.n);
}

static struct str article(enum policy_type t)
{
	return t == POLICY_IDENTITY ? STR("an") : t == POLICY_TRUST ? STR("the") : STR("a");
}

struct str policy_denial(struct arena *a, const struct policy_request *r, const struct policy_decision *d, bool quoted)
{
	struct buf b = BUF_IN(a);
	struct str resource = d->resource < r->n_resources ? r->resources[d->resource].arn : STR("*");
	struct str kind = policy_type_name(d->by);
	buf_lit(&b, "User: ");
	buf_str(&b, r->principal->kind == POLICY_CALLER_ANONYMOUS ? STR("anonymous")
			: str_has(r->principal->arn) && r->principal->arn.n ? r->principal->arn : r->principal->name);
	buf_lit(&b, " is not authorized to perform: ");
	buf_str(&b, r->action);
	buf_lit(&b, " on resource: ");
	if (quoted) buf_byte(&b, '"');
	buf_str(&b, resource);
	if (quoted) buf_byte(&b, '"');
	if (d->outcome == POLICY_DENIED_EXPLICITLY) {
		buf_lit(&b, " with an explicit deny in ");
		buf_str(&b, article(d->by));
		buf_byte(&b, ' ');
		buf_str(&b, kind);
		/* The denying policy's ARN, of SCPs, RCPs, boundaries,
			session and identity-based policies ("Enhanced access
		 * denied error messages with policy ARNs"). */
		bool told = d->by != POLICY_RESOURCE && d->by != POLICY_TRUST && d->by != POLICY_ENDPOINT;
		if (told && d->policy && str_starts(policy_label(d->policy), STR("arn:"))) {
			buf_lit(&b, ": ");
			buf_str(&b, policy_label(d->policy));
		}
	} else {
		buf_lit(&b, " because no ");
		buf_str(&b, kind);
		buf_lit(&b, " allows the ");
		buf_str(&b, r->action);
		buf_lit(&b, " action");
	}
	return buf_done(&b);
}

struct str policy_explain(struct arena *a, const struct policy_request *r, const struct policy_decision *d)
{
	struct str resource = d->resource < r->n_resources ? r->resources[d->resource].arn : STR("*");
	struct str kind = policy_type_name(d->by);
	if (d->outcome == POLICY_DENIED_IMPLICITLY)
		return str_fmt(a, "denied: no %.*s allows %.*s on %.*s", STR_ARG(kind), STR_ARG(r->action),
			STR_ARG(resource));
	const char *verb = d->outcome == POLICY_ALLOWED ? "allowed" : "denied";
	if (!d->policy) return str_fmt(a, "%s: the account's root user may do everything in its account", verb);
	struct str sid = policy_sid(d->policy, d->statement), label = policy_label(d->policy);
	return str_fmt(a, "%s by statement %zu%s%.*s%s of %.*s %.*s", verb, d->statement, sid.n ? " (" : "",
		STR_ARG(sid),
		sid.n ? ")" : "", STR_ARG(kind), STR_ARG(label));
}

bool policy_arn_matches(struct str pattern, struct str arn)
{
	struct arena a;
	struct builder b;
	struct pattern t;
	arena_init(&a);
	builder_init(&b, &a);
	bool matches = builder_pattern(&b, pattern, USE_RESOURCE, &t);
	if (matches && t.kind != PATTERN_ANY) {
		struct str text = str_sub(buf_done(&b.text), t.text, t.n);
		matches = t.kind == PATTERN_PREFIX ? str_starts(arn, text) : glob_matches(text, arn);
	}
	arena_cleanup(&a);
	return matches;
}
