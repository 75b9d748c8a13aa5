/* The decision ("Policy evaluation logic", "Cross-account policy evaluation logic"): first every explicit deny,
	then what
 * has to allow: RCPs, SCPs and the VPC endpoint's policies at every level, then resource-based and identity-based
 * policies, permissions boundaries and session policies, as far as they bear on this kind of principal. */
#include "policy/internal.h"

struct scan {
	enum grant grant; /* the most direct Allow; for policies without principals GRANT_DIRECT */
	const struct policy *policy;
	size_t statement;
};

/* True when a Deny was found: then s tells it. Otherwise the best Allow, if any. */
static bool scan_list(struct evaluation *e, const struct policy_list *list, struct scan *s)
{
	const struct policy_principal *who = e->request->principal;
	for (size_t i = 0; i < list->n; i++) {
		const struct policy *p = list->v[i];
		const struct statement *st = p->statements;
		for (uint32_t j = 0; j < p->n_statements; j++, st++) {
			if (!st->deny && s->grant == GRANT_DIRECT) continue;
			if (!action_matches(e, p, st) || !resource_matches(e, p, st)) continue;
			enum grant g = st->has_principal ? principal_grant(who, p, st) : GRANT_DIRECT;
			if (g == GRANT_NONE || (!st->deny && g <= s->grant) || !conditions_match(e, p, st)) continue;
			s->grant = g;
			s->policy = p;
			s->statement = j;
			if (st->deny) return true;
		}
	}
	return false;
}

enum { SCAN_ENDPOINT, SCAN_RESOURCE, SCAN_IDENTITY, SCAN_BOUNDARY, SCAN_SESSION, SCANS };

struct verdict {
	struct evaluation e;
	const struct policy_subject *subject;
	struct policy_decision *d;
	struct scan scans[SCANS];
	bool scp_allows, rcp_allows;
};

static bool denied(struct verdict *v, enum policy_type by, const struct scan *s)
{
	v->d->outcome = POLICY_DENIED_EXPLICITLY;
	v->d->by = by;
	v->d->policy = s->policy;
	v->d->statement = s->statement;
	return true;
}

/* Any level's Deny denies; every level has to have an Allow ("Service control policies (SCPs)", "SCP evaluation"). */
static bool levels_deny(struct verdict *v, const struct policy_levels *levels, enum policy_type by, bool *allow)
{
	*allow = true;
	for (size_t i = 0; i < levels->n; i++) {
		struct scan s = {0};
		if (scan_list(&v->e, &levels->v[i], &s)) return denied(v, by, &s);
		*allow = *allow && s.grant != GRANT_NONE;
	}
	return false;
}

/* "If the code finds even one explicit deny that applies, the code returns a final decision of Deny." */
static bool explicitly_denied(struct verdict *v, bool person)
{
	static const struct policy_levels none = {0};
	const struct policy_subject *s = v->subject;
	if (levels_deny(v, person ? &s->scps : &none, POLICY_SCP, &v->scp_allows)) return true;
	if (levels_deny(v, &v->e.resource->rcps, POLICY_RCP, &v->rcp_allows)) return true;
	const struct {
		const struct policy_list *list;
		enum policy_type by;
	} lists[SCANS] = {
		[SCAN_ENDPOINT] = {&s->endpoint, POLICY_ENDPOINT},
		[SCAN_RESOURCE] = {&v->e.resource->policies, POLICY_RESOURCE},
		[SCAN_IDENTITY] = {&s->identity, POLICY_IDENTITY},
		[SCAN_BOUNDARY] = {&s->boundary, POLICY_BOUNDARY},
		[SCAN_SESSION] = {&s->session, POLICY_SESSION},
	};
	for (size_t i = 0; i < SCANS; i++) {
		if (!scan_list(&v->e, lists[i].list, &v->scans[i])) continue;
		bool trust = lists[i].by == POLICY_RESOURCE && v->scans[i].policy->type == POLICY_TRUST;
		return denied(v, trust ? POLICY_TRUST : lists[i].by, &v->scans[i]);
	}
	return false;
}

static bool refuse(struct verdict *v, enum policy_type by)
{
	*v->d = (struct policy_decision){.outcome = POLICY_DENIED_IMPLICITLY, .by = by, .resource = v->d->resource};
	return false;
}

static bool allow(struct verdict *v, enum policy_type by, const struct scan *s)
{
	v->d->outcome = POLICY_ALLOWED;
	v->d->by = by;
	v->d->policy = s->policy;
	v->d->statement = s->statement;
	return true;
}

static bool refuse_by_resource(struct verdict *v)
{
	const struct policy_list *l = &v->e.resource->policies;
	return refuse(v, l->n && l->v[0]->type == POLICY_TRUST ? POLICY_TRUST : POLICY_RESOURCE);
}

/* Boundary and session policies limit what comes before them. A federated user's session without a session policy has no
 * permissions ("if the principal is a role session, then the request is allowed; otherwise [it] is implicitly "
	"denied"). */
static bool within_limits(struct verdict *v)
{
	const struct policy_subject *s = v->subject;
	if (s->has_boundary && v->scans[SCAN_BOUNDARY].grant == GRANT_NONE) return refuse(v, POLICY_BOUNDARY);
	bool needs_session = s->has_session || v->e.request->principal->kind == POLICY_CALLER_FEDERATED;
	if (needs_session && v->scans[SCAN_SESSION].grant == GRANT_NONE) return refuse(v, POLICY_SESSION);
	return true;
}

/* What the caller's own account grants. "All requests are implicitly denied with the exception of the AWS account root
 * user, which has full access." */
static bool identity_allows(struct verdict *v)
{
	if (v->e.request->principal->kind != POLICY_CALLER_ROOT && v->scans[SCAN_IDENTITY].grant == GRANT_NONE)
		return refuse(v, POLICY_IDENTITY);
	return within_limits(v);
}

static bool decide(struct verdict *v)
{
	const struct policy_principal *who = v->e.request->principal;
	const struct policy_resource *r = v->e.resource;
	const struct scan *rbp = &v->scans[SCAN_RESOURCE];
	bool person = who->kind == POLICY_CALLER_ROOT || who->kind == POLICY_CALLER_USER ||
		who->kind == POLICY_CALLER_ROLE ||
		      who->kind == POLICY_CALLER_FEDERATED;
	if (explicitly_denied(v, person)) return false;
	if (!v->rcp_allows) return refuse(v, POLICY_RCP);
	if (!v->scp_allows) return refuse(v, POLICY_SCP);
	if (v->subject->has_endpoint && v->scans[SCAN_ENDPOINT].grant == GRANT_NONE) return refuse(v, POLICY_ENDPOINT);
	if (!person) return rbp->grant == GRANT_DIRECT ? allow(v, POLICY_RESOURCE, rbp) : refuse_by_resource(v);

	bool same_account = r->account.n == 0 || str_eq(r->account, who->account);
	if (!same_account) {
		/* "AWS allows the request only if both account policy evaluations allow the request." */
		if (!identity_allows(v)) return false;
		return rbp->grant == GRANT_NONE ? refuse_by_resource(v) : allow(v, POLICY_RESOURCE, rbp);
	}
	/* "If a resource-based policy grants permission directly to the IAM user or the session principal that "
		"is making the
	 * request, then an implicit deny in an identity-based policy, a permissions boundary,
		or a session policy does not
	 * impact the final decision." */
	if (rbp->grant == GRANT_DIRECT) return allow(v, POLICY_RESOURCE, rbp);
	/* "Resource-based policies that grant permissions to an IAM role ARN are limited by an implicit deny in "
		"a permissions
	 * boundary or session policy." So are a federated session's that name its user. */
	if (rbp->grant == GRANT_ISSUER) return within_limits(v) && allow(v, POLICY_RESOURCE, rbp);
	/* "IAM role trust policies and KMS key policies are exceptions to this logic, because they must "
		"explicitly allow
	 * access"; an account named there leaves it to identity-based policies. */
	if (r->policy_required && rbp->grant == GRANT_NONE) return refuse_by_resource(v);
	return identity_allows(v) && allow(v, POLICY_IDENTITY, &v->scans[SCAN_IDENTITY]);
}

bool policy_evaluate(struct arena *a, const struct policy_request *r, const struct policy_subject *s,
	struct policy_decision *d)
{
	char small[128];
	*d = (struct policy_decision){.outcome = POLICY_DENIED_IMPLICITLY, .by = POLICY_IDENTITY};
	struct arena_mark mark = arena_mark(a);
	struct str action = r->action;
	if (action.n <= sizeof small) {
		for (size_t i = 0; i < action.n; i++) {
			char c = action.p[i];
			small[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		}
		action = str_n(small, action.n);
	} else {
		action = str_lower(a, action);
	}
	bool allowed = r->n_resources > 0;
	for (size_t i = 0; i < r->n_resources && allowed; i++) {
		struct verdict v = {.subject = s, .d = d};
		v.e = (struct evaluation){.arena = a,
			.request = r,
			.resource = &r->resources[i],
			.action = action,
			.action_head = pattern_head(action),
			.resource_head = pattern_head(r->resources[i].arn)};
		*d = (struct policy_decision){.resource = i};
		allowed = decide(&v);
	}
	arena_release(a, mark);
	return allowed;
}
