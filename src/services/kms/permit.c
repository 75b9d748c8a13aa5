/* What KMS's operations are authorized on, beyond the authorization reference: the key behind an id, an alias or a
 * ciphertext, with its key policy, its grants to the caller, its tags, and KMS's condition keys ("AWS KMS condition
 * keys", "Determining access to AWS KMS keys"). A key policy is always asked: without one that allows, nothing passes.
 * A grant counts as one more statement of the key policy that allows its operation to the caller. */
#include "services/kms/permit.h"
#include "identity/digest.h"
#include "policy/authz.h"
#include "policy/provider.h"
#include "services/kms/grants.h"
#include "services/kms/keys.h"

#define POLICIES_MAX 4096

struct policy_library *kms_policies_new(void)
{
	return policy_library_new(POLICIES_MAX);
}

struct permit {
	struct kms_scope s;
	struct authz_demands *demands;
	const void *in; /* the input; NULL where another service uses a key for its caller */
	uint32_t op;
	struct str via; /* that service: s3; STR_NONE where the client calls KMS itself. It may
			 * ask by an operation of KMS too (inside.h: via), and then with `in` */
	struct kms_encryption_context_type context; /* that service's */
};

/* ── the request ──────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct wire_member *find_member(const struct call *c, const char *name)
{
	const struct wire_tables *t = &c->match.service->tables;
	if (c->match.op->in == WIRE_NO_SHAPE) return NULL;
	const struct wire_shape *shape = &t->shapes[c->match.op->in];
	for (uint32_t i = 0; i < shape->count; i++)
		if (str_eq(wire_str(t, t->members[shape->first + i].name), str_c(name)))
			return &t->members[shape->first + i];
	return NULL;
}

/* The input's member of that name, or NULL; its kind in *kind. */
static const void *member_of(const struct call *c, const void *in, const char *name, enum wire_kind *kind)
{
	const struct wire_member *m = in ? find_member(c, name) : NULL;
	if (!m) return NULL;
	*kind = (enum wire_kind)c->match.service->tables.shapes[m->shape].kind;
	return (const char *)in + m->offset;
}

static struct str string_of(const struct call *c, const void *in, const char *name)
{
	enum wire_kind kind;
	const void *p = member_of(c, in, name, &kind);
	return p && (kind == WIRE_STRING || kind == WIRE_BLOB) ? *(const struct str *)p : STR_NONE;
}

/* Members that are condition keys under (nearly) their own name. */
static void describe_members(struct call *c, const void *in, bool via, struct policy_context *k)
{
	static const struct {
		const char *member, *key;
	} keys[] = {
		{"BypassPolicyLockoutSafetyCheck", "kms:BypassPolicyLockoutSafetyCheck"},
		{"KeyPairSpec", "kms:DataKeyPairSpec"},
		{"EncryptionAlgorithm", "kms:EncryptionAlgorithm"},
		{"ExpirationModel", "kms:ExpirationModel"},
		{"GranteePrincipal", "kms:GranteePrincipal"},
		{"RetiringPrincipal", "kms:RetiringPrincipal"},
		{"KeyAgreementAlgorithm", "kms:KeyAgreementAlgorithm"},
		{"Origin", "kms:KeyOrigin"},
		{"KeySpec", "kms:KeySpec"},
		{"KeyUsage", "kms:KeyUsage"},
		{"MacAlgorithm", "kms:MacAlgorithm"},
		{"MessageType", "kms:MessageType"},
		{"MultiRegion", "kms:MultiRegion"},
		{"PrimaryRegion", "kms:PrimaryRegion"},
		{"ReplicaRegion", "kms:ReplicaRegion"},
		{"RotationPeriodInDays", "kms:RotationPeriodInDays"},
		{"PendingWindowInDays", "kms:ScheduleKeyDeletionPendingWindowInDays"},
		{"SigningAlgorithm", "kms:SigningAlgorithm"},
		{"WrappingAlgorithm", "kms:WrappingAlgorithm"},
		{"WrappingKeySpec", "kms:WrappingKeySpec"},
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		enum wire_kind kind;
		const void *p = member_of(c, in, keys[i].member, &kind);
		if (!p) continue;
		if (kind == WIRE_STRING && str_has(*(const struct str *)p))
			policy_context_set(k, str_c(keys[i].key), *(const struct str *)p);
		else if (kind == WIRE_BOOL && ((const struct opt_bool *)p)->has)
			policy_context_set_bool(k, str_c(keys[i].key), ((const struct opt_bool *)p)->v);
		else if (kind == WIRE_I32 && ((const struct opt_i32 *)p)->has)
			policy_context_set_i64(k, str_c(keys[i].key), ((const struct opt_i32 *)p)->v);
	}
	struct str key_id = string_of(c, in, "KeyId");
	if (str_starts(key_id, STR("alias/"))) policy_context_set(k, STR("kms:RequestAlias"), key_id);
	if (c->match.op_index == KMS_OP_CREATE_GRANT) {
		const struct kms_create_grant_input *g = in;
		policy_context_set_list(k, STR("kms:GrantOperations"), g->operations.v, g->operations.n);
		policy_context_set_bool(k, STR("kms:GrantIsForAWSResource"), via);
	}
}

/* kms:EncryptionContext:KEY and kms:EncryptionContextKeys. */
static void describe_context(struct arena *a, const struct kms_encryption_context_type *given, struct policy_context *k)
{
	struct str *names = arena_new_n(a, struct str, given->n);
	for (size_t i = 0; i < given->n; i++) {
		names[i] = given->v[i].key;
		policy_context_set(k, str_cat(a, STR("kms:EncryptionContext:"), names[i]), given->v[i].value);
	}
	if (given->n) policy_context_set_list(k, STR("kms:EncryptionContextKeys"), names, given->n);
}

static const struct kms_encryption_context_type *context_for(const struct permit *p, struct str action)
{
	static const struct kms_encryption_context_type none = {0};
	if (!p->in) return &p->context;
	const char *name = str_is(action, "kms:ReEncryptFrom") ? "SourceEncryptionContext"
			   : str_is(action, "kms:ReEncryptTo") ? "DestinationEncryptionContext"
							       : "EncryptionContext";
	enum wire_kind kind;
	const void *m = member_of(p->s.call, p->in, name, &kind);
	return m && kind == WIRE_MAP ? m : &none;
}

/* ── the key ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What names the key of this resource; STR_NONE for one that is no key. */
static struct str reference_of(const struct permit *p, struct str action, struct str arn)
{
	ptrdiff_t at = str_find(arn, STR(":key/"));
	bool any = str_is(arn, "*") || str_ends(arn, STR(":key/*")); /* no member named it */
	if (any) at = -1;
	if (at >= 0) {
		struct str name = str_from(arn, (size_t)at + 5);
		/* A name that is no ARN was put behind this account's prefix. */
		return str_starts(name, STR("alias/")) ? name : arn;
	}
	if (str_is(action, "kms:Decrypt") || str_is(action, "kms:ReEncryptFrom")) {
		struct kms_blob b;
		struct str blob = string_of(p->s.call, p->in, "CiphertextBlob");
		if (any && str_has(blob) && is_ok(kms_blob_read(blob, &b))) return b.key_arn;
	}
	bool alias = str_find(arn, STR(":alias/")) >= 0;
	return alias && !str_ends(action, STR("Alias")) ? arn : STR_NONE;
}

/* A multi-region key's ciphertext names the key of the region that made it. */
static struct str in_this_region(struct permit *p, struct str reference)
{
	struct str rest = reference, part[5] = {{0}};
	if (!str_starts(reference, STR("arn:"))) return reference;
	for (size_t i = 0; i < 5 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	if (!str_has(rest) || !str_starts(rest, STR("key/mrk-"))) return reference;
	return kms_arn(p->s.arena, p->s.region, part[4], STR("key"), str_from(rest, 4));
}

static void describe_key(struct permit *p, const struct kms_key *k, struct policy_context *x)
{
	struct arena *a = p->s.arena;
	policy_context_set(x, STR("kms:CallerAccount"), p->s.account);
	policy_context_set(x, STR("kms:KeySpec"), k->r.spec);
	policy_context_set(x, STR("kms:CustomerMasterKeySpec"), k->r.spec);
	policy_context_set(x, STR("kms:KeyUsage"), k->r.usage);
	policy_context_set(x, STR("kms:CustomerMasterKeyUsage"), k->r.usage);
	policy_context_set(x, STR("kms:KeyOrigin"), k->r.origin);
	policy_context_set_bool(x, STR("kms:MultiRegion"), k->r.multi_region.v);
	if (k->r.multi_region.v)
		policy_context_set(x, STR("kms:MultiRegionKeyType"),
			str_eq(k->r.primary_region, k->region) ? STR("PRIMARY") : STR("REPLICA"));
	for (size_t i = 0; i < k->r.tags.n; i++)
		policy_context_set_tag(
			x, STR("aws:ResourceTag/"), str_dup(a, k->r.tags.v[i].key), k->r.tags.v[i].value);
	if (str_has(p->via)) {
		/* s3.us-east-1.amazonaws.com */
		policy_context_set(x, STR("kms:ViaService"),
			str_fmt(a, "%.*s.%.*s.amazonaws.com", STR_ARG(p->via), STR_ARG(p->s.region)));
		policy_context_set_bool(x, STR("aws:ViaAWSService"), true);
	}
	if (k->r.aliases.n) policy_context_set_list(x, STR("kms:ResourceAliases"), k->r.aliases.v, k->r.aliases.n);
}

static status attach_policy(struct permit *p, struct policy_resource *r, struct str text, struct str label)
{
	uint8_t hash[32];
	struct policy *policy;
	struct policy_source source = {.type = POLICY_RESOURCE, .label = label};
	struct policy_error why;
	digest_sha256(text, hash);
	/* Without KMS's own state (the user left the service out) nothing is kept between calls. */
	if (p->s.kms)
		TRY(policy_library_get(p->s.kms->policies, str_n(hash, sizeof(hash)), text, &source, &policy, &why));
	else
		TRY(policy_parse(text, &source, &policy, &why));
	authz_attach(p->s.arena, p->demands, r, policy);
	return OK;
}

/* One more statement for this caller and action. */
static status attach_allowance(struct permit *p, struct policy_resource *r, struct str action)
{
	struct buf b = BUF_IN(p->s.arena);
	struct str who = p->s.call->principal.arn;
	buf_fmt(&b,
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"grant\",\"Effect\":\"Allow\",\"Principal\":{"
		"\"AWS\":\"%.*s\"},"
		"\"Action\":\"%.*s\",\"Resource\":\"*\"}]}",
		STR_ARG(who), STR_ARG(action));
	return attach_policy(p, r, buf_done(&b), STR("grant"));
}

/* kms:Decrypt → Decrypt: AWS's names of grant operations are those of the actions. */
static status attach_grant(struct permit *p, const struct kms_key *k, struct str action, struct policy_resource *r)
{
	const struct principal *who = &p->s.call->principal;
	const struct kms_encryption_context_type *context = context_for(p, action);
	bool granted;
	if (who->kind == PRINCIPAL_ROOT || who->kind == PRINCIPAL_ANONYMOUS) return OK;
	TRY(kms_grant_allows(&p->s, k, who, str_from(action, STR("kms:").n), (const struct kms_pair *)context->v,
		context->n, p->op == KMS_OP_CREATE_GRANT ? p->in : NULL, &granted));
	return granted ? attach_allowance(p, r, action) : OK;
}

static status set_key(struct permit *p, struct str action, struct policy_resource *r)
{
	struct kms_key k;
	struct str reference = reference_of(p, action, r->arn);
	if (!str_has(reference)) return OK;
	/* What is not there is the handler's to say; so is a malformed name. */
	struct kms_scope quiet = p->s;
	quiet.call = NULL;
	status st = kms_find(&quiet, in_this_region(p, reference), KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &k);
	if (status_is(st, STATUS_FAILED) && str_has(p->via) && kms_alias_is_predefined(reference))
		k = kms_managed_new(&p->s, reference); /* as it will be made by this very use */
	else if (status_is(st, STATUS_FAILED))
		return OK;
	else
		TRY(st);
	r->arn = k.arn;
	r->account = k.account;
	r->policy_required = true;
	r->context = arena_new(p->s.arena, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(p->s.arena);
	describe_key(p, &k, r->context);
	describe_context(p->s.arena, context_for(p, action), r->context);
	TRY(attach_policy(p, r, k.r.policy, k.arn));
	return attach_grant(p, &k, action, r);
}

/* ── all of it ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The alias that an operation changes, by its own name (the reference's template puts it behind "alias/"), and the key
 * that it points to now ("Controlling access to aliases": DeleteAlias and UpdateAlias need both). */
static status demand_alias(struct permit *p)
{
	struct kms_scope *s = &p->s;
	struct str name = string_of(s->call, p->in, "AliasName"), action = STR_NONE;
	struct kms_rec_alias r;
	if (p->op != KMS_OP_CREATE_ALIAS && p->op != KMS_OP_UPDATE_ALIAS && p->op != KMS_OP_DELETE_ALIAS) return OK;
	for (size_t i = 0; i < p->demands->n; i++)
		for (size_t j = 0; j < p->demands->v[i].n; j++) {
			struct policy_resource *resource = &p->demands->v[i].resources[j];
			if (str_find(resource->arn, STR(":alias/")) < 0) continue;
			resource->arn = kms_arn(s->arena, s->region, s->account, STR(""), name);
			action = p->demands->v[i].action;
		}
	if (!str_has(action) || p->op == KMS_OP_CREATE_ALIAS) return OK;
	status st = kms_alias_get(s, s->account, s->region, name, &r);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	authz_add(s->arena, p->demands, action, kms_arn(s->arena, s->region, s->account, STR("key"), r.key_id));
	return OK;
}

/* "The permission to retire a grant is determined primarily by the grant." */
static status demand_retirement(struct permit *p)
{
	struct kms_retirement x;
	struct kms_scope quiet = p->s;
	quiet.call = NULL;
	status st = kms_retirement_find(&quiet, p->in, &p->s.call->principal, &x);
	/* A token that is none, a grant that is not there: the handler says so. */
	if (!is_ok(st) && !status_is(st, STATUS_FAILED)) return st;
	p->demands->n = 0;
	struct policy_resource *r =
		authz_add(p->s.arena, p->demands, STR("kms:RetireGrant"), is_ok(st) ? x.key.arn : STR("*"));
	if (!is_ok(st)) return attach_allowance(p, r, STR("kms:RetireGrant"));
	TRY(set_key(p, STR("kms:RetireGrant"), r));
	return x.allowed ? attach_allowance(p, r, STR("kms:RetireGrant")) : OK;
}

status kms_use_demand(struct call *c, struct store_tx *tx, struct authz_demands *demands, struct str reference,
	struct str action, struct str via, const struct kms_pair *pairs, size_t n_pairs)
{
	struct permit p = {.s = kms_scope_of(c), .demands = demands, .op = UINT32_MAX, .via = via};
	p.s.tx = tx;
	p.s.kms = kms_state_of(c->cloud);
	size_t capacity = 0;
	for (size_t i = 0; i < n_pairs; i++)
		*VEC_PUSH(c->arena, &p.context, &capacity) =
			(struct kms_encryption_context_type_entry){pairs[i].key, pairs[i].value};
	/* A name is put behind the account's prefix, as the authorization reference's templates do. */
	struct str arn = str_starts(reference, STR("arn:"))
				 ? reference
				 : kms_arn(c->arena, c->region, c->account, STR("key"), reference);
	return set_key(&p, action, authz_add(c->arena, demands, action, arn));
}

status kms_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	struct permit p = {.s = kms_scope_of(c), .demands = demands, .in = in, .op = c->match.op_index};
	p.s.tx = tx;
	if (!tx) return OK;
	/* A key policy that names everybody means everybody who signs: KMS answers no unsigned request. */
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	const struct policy_key *via = policy_context_get(context, STR("virga:Via"));
	if (via) p.via = via->one;
	describe_members(c, in, via != NULL, context);
	policy_context_set(context, STR("kms:CallerAccount"), c->account);
	if (p.op == KMS_OP_RETIRE_GRANT) return demand_retirement(&p);
	TRY(demand_alias(&p));
	for (size_t i = 0; i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++)
			TRY(set_key(&p, demands->v[i].action, &demands->v[i].resources[j]));
	return OK;
}
