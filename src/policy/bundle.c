/* Bundles: a caller's policies and what describes it,
	counted; and the authorization of an operation's demands with one. */
#include "base/vec.h"
#include "policy/internal.h"
#include "policy/provider.h"
#include <stdatomic.h>
#include <stdlib.h>

struct policies {
	const struct policy **v;
	size_t n, capacity;
};
struct policy_bundle {
	_Atomic uint32_t refs;
	uint64_t version;
	struct arena arena;
	struct policies identity, boundary, session, endpoint;
	struct {
		struct policy **v;
		size_t n;
	} held; /* a reference each */
	size_t held_capacity;
	struct {
		struct policy_list *v;
		size_t n;
	} scps;
	struct policies *scp_lists;
	size_t scp_capacity;
	struct policy_subject subject;
	struct policy_context context;
	struct str issuer_arn;
};

struct policy_bundle *policy_bundle_new(uint64_t version)
{
	struct policy_bundle *b = mem_new(sizeof *b);
	atomic_init(&b->refs, 1);
	b->version = version;
	arena_init(&b->arena);
	b->context.arena = &b->arena;
	return b;
}

static void push(struct policy_bundle *b, struct policies *list, struct policy *p)
{
	*VEC_PUSH(&b->arena, list, &list->capacity) = p;
}

void policy_bundle_limit(struct policy_bundle *b, enum policy_type type)
{
	b->subject.has_boundary |= type == POLICY_BOUNDARY;
	b->subject.has_session |= type == POLICY_SESSION;
	b->subject.has_endpoint |= type == POLICY_ENDPOINT;
}

static void hold(struct policy_bundle *b, struct policy *p)
{
	*VEC_PUSH(&b->arena, &b->held, &b->held_capacity) = policy_retain(p);
}

void policy_bundle_add(struct policy_bundle *b, enum policy_type type, struct policy *p)
{
	struct policies *list = type == POLICY_IDENTITY	  ? &b->identity
				: type == POLICY_BOUNDARY ? &b->boundary
				: type == POLICY_SESSION  ? &b->session
							  : &b->endpoint;
	INVARIANT(list != &b->endpoint || type == POLICY_ENDPOINT);
	hold(b, p);
	push(b, list, p);
	policy_bundle_limit(b, type);
	b->subject.identity = (struct policy_list){b->identity.v, b->identity.n};
	b->subject.boundary = (struct policy_list){b->boundary.v, b->boundary.n};
	b->subject.session = (struct policy_list){b->session.v, b->session.n};
	b->subject.endpoint = (struct policy_list){b->endpoint.v, b->endpoint.n};
}

void policy_bundle_levels(struct policy_bundle *b, size_t n)
{
	if (n > b->scp_capacity) {
		size_t capacity = n + 3;
		struct policies *lists = arena_new_n(&b->arena, struct policies, capacity);
		struct policy_list *levels = arena_new_n(&b->arena, struct policy_list, capacity);
		for (size_t i = 0; i < b->scps.n; i++) {
			lists[i] = b->scp_lists[i];
			levels[i] = b->scps.v[i];
		}
		b->scp_lists = lists;
		b->scps.v = levels;
		b->scp_capacity = capacity;
	}
	if (n > b->scps.n) b->scps.n = n;
	b->subject.scps = (struct policy_levels){b->scps.v, b->scps.n};
}

void policy_bundle_scp(struct policy_bundle *b, size_t level, struct policy *p)
{
	policy_bundle_levels(b, level + 1);
	hold(b, p);
	push(b, &b->scp_lists[level], p);
	b->scps.v[level] = (struct policy_list){b->scp_lists[level].v, b->scp_lists[level].n};
}

void policy_bundle_issuer(struct policy_bundle *b, struct str arn) { b->issuer_arn = str_dup(&b->arena, arn); }

void policy_bundle_key(struct policy_bundle *b, struct str name, struct str value)
{
	policy_context_set(&b->context, str_dup(&b->arena, name), str_dup(&b->arena, value));
}

const struct policy_subject *policy_bundle_subject(const struct policy_bundle *b) { return &b->subject; }
const struct policy_context *policy_bundle_context(const struct policy_bundle *b) { return &b->context; }
struct str policy_bundle_issuer_arn(const struct policy_bundle *b) { return b->issuer_arn; }
uint64_t policy_bundle_version(const struct policy_bundle *b) { return b->version; }

struct policy_bundle *policy_bundle_retain(struct policy_bundle *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void policy_bundle_release(struct policy_bundle *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
	for (size_t i = 0; i < b->held.n; i++) policy_free(b->held.v[i]);
	arena_cleanup(&b->arena);
	free(b);
}

bool policy_authorize(struct arena *a, const struct policy_principal *who, const struct policy_bundle *bundle,
	const struct policy_list *endpoint, const struct authz_demands *demands, const struct policy_context *context,
	bool quoted, struct policy_verdict *v)
{
	struct policy_subject subject = bundle ? bundle->subject : (struct policy_subject){0};
	if (endpoint) {
		subject.endpoint = *endpoint;
		subject.has_endpoint = true;
	}
	*v = (struct policy_verdict){0};
	struct policy_principal known = *who;
	if (bundle && str_has(bundle->issuer_arn)) known.issuer_arn = bundle->issuer_arn;
	for (size_t i = 0; i < demands->n; i++) {
		const struct authz_demand *d = &demands->v[i];
		struct policy_request r = {.principal = &known,
			.action = d->action,
			.resources = d->resources,
			.n_resources = d->n,
			.context = context,
			.caller_context = bundle ? &bundle->context : NULL};
		bool allowed = policy_evaluate(a, &r, &subject, &v->decision);
		if (allowed && i) continue;
		v->action = d->action;
		v->resource = d->n ? d->resources[v->decision.resource].arn : STR("*");
		v->resource_account = d->n ? d->resources[v->decision.resource].account : STR("");
		if (allowed) continue;
		v->message = policy_denial(a, &r, &v->decision, quoted);
		return false;
	}
	v->allowed = demands->n > 0;
	return v->allowed;
}
