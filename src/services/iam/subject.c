/* What binds a caller: its own policies, its groups', its boundary, its session's, and the keys that describe it.
 * Compiled bundles are kept by caller under the account's generation, which every change of IAM replaces in its
 * transaction; compiled documents are kept by what they say, so that thousands of callers share one managed policy. */
#include "services/iam/subject.h"
#include "base/log.h"
#include "identity/digest.h"
#include "services/ec2/endpoint_way.h"
#include "services/iam/internal.h"
#include "services/iam/managed.h"
#include "services/organizations/door.h"
#include <stdlib.h>

#define BUNDLES_MAX 20000
#define ACCOUNTS_MAX 5000
#define DOCUMENTS_MAX 20000
/* What an owner's bundle keeps beside condition keys. */
#define TAG_POLICY_KEY STR("virga:TagPolicy")

struct subjects {
	struct policy_provider provider;
	struct cloud *cloud;
	struct policy_cache *bundles;
	struct policy_cache *owners; /* by account: what its organization adds to its resources */
	struct policy_library *documents;
};

struct building {
	struct subjects *s;
	struct store_tx *tx;
	struct arena *a;
	struct str account;
	struct policy_bundle *bundle;
};

/* key: what tells this text from others of the same label. A document reads differently by what it is attached as. */
static status lookup(
	struct building *b, const struct policy_source *source, struct str key, struct str text, struct policy **out)
{
	struct policy_error why = {0};
	key = str_fmt(b->a, "%d/%.*s/%.*s", (int)source->type, STR_ARG(source->label), STR_ARG(key));
	*out = NULL;
	status s = policy_library_get(b->s->documents, key, text, source, out, &why);
	if (is_ok(s)) return OK;
	log_error("iam", "policy-unreadable", "label=\"%.*s\" why=\"%s\"", STR_ARG(source->label), why.message);
	return STATUS(CORRUPT);
}

static struct str hash_of(struct arena *a, struct str text)
{
	uint8_t hash[32];
	digest_sha256(text, hash);
	return str_hex(a, str_n(hash, sizeof(hash)));
}

static status add(struct building *b, enum policy_type type, struct str key, struct str label, struct str text)
{
	struct policy_source source = {.type = type, .label = label};
	struct policy *p = NULL;
	TRY(lookup(b, &source, key, text, &p));
	policy_bundle_add(b->bundle, type, p);
	policy_free(p);
	return OK;
}

static status add_text(struct building *b, enum policy_type type, struct str label, struct str text)
{
	return add(b, type, hash_of(b->a, text), label, text);
}

/* A managed policy that is gone (of a session: deleted since) allows nothing. */
static status add_managed(struct building *b, enum policy_type type, struct str arn)
{
	const struct iam_managed *m = iam_managed_find(arn);
	if (m) return add(b, type, STR("aws"), arn, m->document);
	struct iam_rec_policy p;
	status s = iam_policy_peek(b->tx, b->a, b->account, arn, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < p.versions.n; i++)
		if (str_eq(p.versions.v[i].id, p.default_version))
			return add(b, type, str_fmt(b->a, "%.*s/%.*s", STR_ARG(p.id), STR_ARG(p.default_version)), arn,
				p.versions.v[i].text);
	return OK;
}

static status add_entity(struct building *b, const struct iam_rec_entity *e)
{
	for (size_t i = 0; i < e->inline_policies.n; i++)
		TRY(add_text(b, POLICY_IDENTITY, e->inline_policies.v[i].name, e->inline_policies.v[i].text));
	for (size_t i = 0; i < e->attached.n; i++) TRY(add_managed(b, POLICY_IDENTITY, e->attached.v[i]));
	for (size_t i = 0; i < e->groups.n; i++) {
		struct iam_rec_entity g;
		status s = iam_peek(b->tx, b->a, IAM_GROUP, b->account, e->groups.v[i], &g);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		TRY(add_entity(b, &g));
	}
	return OK;
}

static void add_tags(struct building *b, const struct iam_rec_tags *tags, const struct iam_rec_tags *stronger)
{
	for (size_t i = 0; i < tags->n; i++) {
		bool hidden = false;
		for (size_t j = 0; stronger && j < stronger->n; j++)
			hidden |= str_ieq(stronger->v[j].key, tags->v[i].key);
		if (!hidden)
			policy_bundle_key(
				b->bundle, str_cat(b->a, STR("aws:PrincipalTag/"), tags->v[i].key), tags->v[i].value);
	}
}

/* "AWS global condition context keys": what temporary credentials carry. */
static status add_session(struct building *b, const struct policy_principal *who, const struct iam_rec_session *r)
{
	if (who->kind == POLICY_CALLER_FEDERATED || r->policies.n || r->policy_arns.n)
		policy_bundle_limit(b->bundle, POLICY_SESSION);
	for (size_t i = 0; i < r->policies.n; i++) TRY(add_text(b, POLICY_SESSION, STR("session"), r->policies.v[i]));
	for (size_t i = 0; i < r->policy_arns.n; i++) TRY(add_managed(b, POLICY_SESSION, r->policy_arns.v[i]));
	policy_bundle_issuer(b->bundle, r->issuer_arn);
	policy_bundle_key(b->bundle, STR("aws:MultiFactorAuthPresent"), r->mfa_at.has ? STR("true") : STR("false"));
	if (r->mfa_at.has)
		policy_bundle_key(
			b->bundle, STR("virga:MultiFactorAuthTime"), str_fmt(b->a, "%lld", (long long)r->mfa_at.ms));
	policy_bundle_key(b->bundle, STR("aws:TokenIssueTime"), time_iso8601(b->a, r->issued.ms, false));
	if (r->source_identity.n) policy_bundle_key(b->bundle, STR("aws:SourceIdentity"), r->source_identity);
	if (r->provider.n) policy_bundle_key(b->bundle, STR("aws:FederatedProvider"), r->provider);
	for (size_t i = 0; i < r->keys.n; i++) policy_bundle_key(b->bundle, r->keys.v[i].key, r->keys.v[i].value);
	add_tags(b, &r->tags, NULL);
	return OK;
}

/* The credentials outlive neither a user nor a role that is deleted, nor pass to one of the same name made later. */
static bool is_the_same(
	const struct iam_rec_entity *e, const struct policy_principal *who, const struct iam_rec_session *r)
{
	struct str id = who->user_id;
	if (r && r->issuer_id.n) return str_eq(e->id, r->issuer_id);
	return str_eq(e->id, str_cut(&id, ':'));
}

static status build(struct building *b, const struct policy_principal *who, struct str session_record)
{
	struct iam_rec_session session = {0}, *r = NULL;
	if (session_record.n) {
		TRY(iam_rec_session_decode(b->a, session_record, &session));
		r = &session;
	}
	bool of_root = r && str_ends(r->issuer_arn, STR(":root"));
	if (of_root) {
		if (who->kind == POLICY_CALLER_FEDERATED)
			TRY(add_managed(b, POLICY_IDENTITY, STR("arn:aws:iam::aws:policy/AdministratorAccess")));
	} else {
		struct iam_rec_entity e;
		enum iam_kind kind = who->kind == POLICY_CALLER_ROLE ? IAM_ROLE : IAM_USER;
		status s = iam_peek(b->tx, b->a, kind, b->account, who->name, &e);
		bool there = is_ok(s) && is_the_same(&e, who, r);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (there) {
			TRY(add_entity(b, &e));
			if (e.boundary.n) {
				policy_bundle_limit(b->bundle, POLICY_BOUNDARY);
				TRY(add_managed(b, POLICY_BOUNDARY, e.boundary));
			}
			add_tags(b, &e.tags, r ? &r->tags : NULL);
		}
	}
	return r ? add_session(b, who, r) : OK;
}

/* ── organizations ────────────────────────────────────────────────────────────────────────────────────────────── */

/* "SCPs don't affect any service-linked role" ("Service control policies (SCPs)"). */
static status add_controls(struct building *b, struct str type, bool of_resources)
{
	struct organizations_controls controls;
	TRY(organizations_controls(b->tx, b->a, b->account, type, &controls));
	enum policy_type as = of_resources ? POLICY_RCP : POLICY_SCP;
	if (controls.levels) policy_bundle_levels(b->bundle, controls.levels);
	for (size_t i = 0; i < controls.n; i++) {
		const struct organizations_control *k = &controls.v[i];
		struct policy *p = NULL;
		struct policy_source source = {.type = as, .label = k->arn};
		TRY(lookup(b, &source, hash_of(b->a, k->text), k->text, &p));
		policy_bundle_scp(b->bundle, k->level, p);
		policy_free(p);
	}
	return OK;
}

/* aws:PrincipalOrgID and its kin, and the service control policies of the caller's account. */
static status add_organization(struct building *b, const struct policy_principal *who)
{
	struct organizations_place place;
	TRY(organizations_place(b->tx, b->a, b->account, &place));
	if (!str_has(place.id)) return OK;
	policy_bundle_key(b->bundle, STR("aws:PrincipalOrgID"), place.id);
	policy_bundle_key(b->bundle, STR("aws:PrincipalOrgMasterAccountId"), place.master);
	policy_bundle_key(b->bundle, STR("aws:PrincipalOrgPaths"), place.path);
	if (place.suspended) policy_bundle_key(b->bundle, STR("virga:AccountSuspended"), STR("true"));
	bool linked = who->kind == POLICY_CALLER_ROLE && str_starts(who->name, STR("AWSServiceRoleFor"));
	return linked ? OK : add_controls(b, STR("SERVICE_CONTROL_POLICY"), false);
}

/* "List of AWS services that support RCPs" ("Resource control policies (RCPs)"). */
static bool has_rcps(struct str action)
{
	static const char *const prefixes[] = {"s3:", "sts:", "kms:", "sqs:", "secretsmanager:", "ecr:", "aoss:",
		"dynamodb:", "logs:", "cognito-idp:"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (str_istarts(action, str_c(prefixes[i]))) return true;
	return false;
}

static status owner_bundle(
	struct subjects *s, struct store_tx *tx, struct arena *a, struct str account, struct policy_bundle **out)
{
	*out = NULL;
	struct str id = organizations_of(tx, a, account);
	if (!str_has(id)) return OK;
	uint64_t generation = organizations_generation(tx, a, id);
	struct str key = str_cat(a, account, id);
	*out = policy_cache_get(s->owners, key, generation);
	if (*out) return OK;
	struct building b = {s, tx, a, account, policy_bundle_new(generation)};
	struct organizations_place place;
	status st = organizations_place(tx, a, account, &place);
	if (is_ok(st)) {
		policy_bundle_key(b.bundle, STR("aws:ResourceOrgID"), place.id);
		policy_bundle_key(b.bundle, STR("aws:ResourceOrgPaths"), place.path);
		struct str tags;
		st = organizations_effective(tx, a, account, STR("TAG_POLICY"), &tags);
		if (is_ok(st) && str_has(tags)) policy_bundle_key(b.bundle, TAG_POLICY_KEY, tags);
	}
	if (is_ok(st)) st = add_controls(&b, STR("RESOURCE_CONTROL_POLICY"), true);
	if (!is_ok(st)) {
		policy_bundle_release(b.bundle);
		return st;
	}
	policy_cache_put(s->owners, key, b.bundle);
	*out = b.bundle;
	return OK;
}

/* What the organization of a resource's owner says of it. The bundle lives until the demands are released. */
static status of_owner(void *ctx, struct store_tx *tx, struct arena *a, struct str caller, struct str action,
	struct authz_demands *d, struct policy_resource *r)
{
	struct policy_bundle *b;
	TRY(owner_bundle(ctx, tx, a, r->account.n ? r->account : caller, &b));
	if (!b) return OK;
	const struct policy_context *keys = policy_bundle_context(b);
	if (!r->context) {
		r->context = arena_new(a, struct policy_context);
		*r->context = POLICY_CONTEXT_IN(a);
	}
	for (size_t i = 0; i < keys->n; i++) {
		const struct policy_key *k = &keys->keys[i];
		if (str_eq(k->name, TAG_POLICY_KEY)) continue;
		policy_context_set(r->context, k->name, k->values ? k->values[0] : k->one);
	}
	if (has_rcps(action)) r->rcps = policy_bundle_subject(b)->scps;
	authz_hold_bundle(a, d, b);
	return OK;
}

static status tag_policy(void *ctx, struct store_tx *tx, struct arena *a, struct str account, struct str *policy)
{
	struct policy_bundle *b;
	*policy = STR_NONE;
	TRY(owner_bundle(ctx, tx, a, account, &b));
	if (!b) return OK;
	const struct policy_key *k = policy_context_get(policy_bundle_context(b), TAG_POLICY_KEY);
	if (k) *policy = str_dup(a, k->values ? k->values[0] : k->one);
	policy_bundle_release(b);
	return OK;
}

static uint64_t mix(uint64_t x, uint64_t y)
{
	return (x ^ (y << 1 | y >> 63)) * 0x9e3779b97f4a7c15ULL;
}

static status provide(void *ctx, struct store_tx *tx, struct arena *a, const struct policy_principal *who,
	struct str session_record, struct policy_bundle **out)
{
	struct subjects *s = ctx;
	*out = NULL;
	if (who->kind == POLICY_CALLER_SERVICE || who->kind == POLICY_CALLER_ANONYMOUS) return OK;
	bool plain_root = who->kind == POLICY_CALLER_ROOT && !session_record.n;
	struct str organization = organizations_of(tx, a, who->account);
	if (plain_root && !str_has(organization)) return OK;
	/* Two stamps of 64 random bits; either one's change is a change. An account that joins or leaves changes them
	 * too. */
	uint64_t generation = iam_generation(tx, a, who->account);
	if (str_has(organization)) generation = mix(generation, organizations_generation(tx, a, organization));
	struct str key = str_cat(a, who->account, who->user_id);
	if (session_record.n) {
		uint8_t hash[32];
		digest_sha256(session_record, hash);
		key = str_cat(a, key, str_n(hash, sizeof(hash)));
	}
	*out = policy_cache_get(s->bundles, key, generation);
	if (*out) return OK;
	struct building b = {s, tx, a, who->account, policy_bundle_new(generation)};
	status st = plain_root ? OK : build(&b, who, session_record);
	if (is_ok(st) && str_has(organization)) st = add_organization(&b, who);
	if (!is_ok(st)) {
		policy_bundle_release(b.bundle);
		return st;
	}
	policy_cache_put(s->bundles, key, b.bundle);
	*out = b.bundle;
	return OK;
}

static status arrive(
	void *ctx, struct store_tx *tx, struct arena *a, uint64_t netns, struct str local, struct policy_way *out)
{
	const struct subjects *s = ctx;
	return ec2_arrive(s->cloud, tx, a, netns, local, out);
}

struct subjects *iam_subjects_new(struct cloud *cloud)
{
	struct subjects *s = mem_new(sizeof(*s));
	s->cloud = cloud;
	s->bundles = policy_cache_new(BUNDLES_MAX);
	s->owners = policy_cache_new(ACCOUNTS_MAX);
	s->documents = policy_library_new(DOCUMENTS_MAX);
	s->provider = (struct policy_provider){
		.ctx = s, .arrive = arrive, .bundle = provide, .account = of_owner, .tags = tag_policy};
	cloud->documents = s->documents;
	cloud->policies = &s->provider;
	return s;
}

void iam_subjects_forget(struct subjects *s)
{
	policy_cache_clear(s->bundles);
	policy_cache_clear(s->owners);
}

void iam_subjects_free(struct subjects *s)
{
	if (!s) return;
	policy_cache_free(s->bundles);
	policy_cache_free(s->owners);
	policy_library_free(s->documents);
	free(s);
}

struct str iam_issuer_arn(struct arena *a, const struct principal *p)
{
	struct iam_rec_session r = {0};
	if (!p->session_record.n || !is_ok(iam_rec_session_decode(a, p->session_record, &r)) || !r.issuer_arn.n)
		return p->arn;
	return r.issuer_arn;
}
