/* Grants ("Grants in AWS KMS"): who may use a key for which operations, under which encryption context. They count from
 * the commit of CreateGrant on, so a grant token is never needed; it is checked where one comes, and retires its grant.
 * A token is the grant's name wrapped by the vault: nobody makes one but KMS. */
#include "base/rand.h"
#include "services/kms/grants.h"

#define TOKEN_CONTEXT STR("kms grant token")

/* ── names ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str grant_key(struct kms_scope *s, const struct kms_key *k, struct str id)
{
	struct key key = key_begin(s->arena);
	key_append(&key, kms_grant_prefix(s, k));
	key_str(&key, id);
	return key_done(&key);
}

static struct str make_token(struct kms_scope *s, const struct kms_key *k, struct str id)
{
	struct str name = str_fmt(s->arena, "%.*s %.*s", STR_ARG(k->arn), STR_ARG(id));
	return str_base64(s->arena, vault_wrap(s->cloud->vault, s->arena, TOKEN_CONTEXT, name));
}

static status read_token(struct kms_scope *s, struct str token, struct str *key_arn, struct str *id)
{
	struct str wrapped, name;
	if (!is_ok(str_unbase64(s->arena, token, &wrapped)) ||
		!is_ok(vault_unwrap(s->cloud->vault, s->arena, TOKEN_CONTEXT, wrapped, &name)))
		return kms_refuse(s, KMS_ERR_INVALID_GRANT_TOKEN_EXCEPTION, "The grant token is invalid.");
	*id = name;
	*key_arn = str_cut(id, ' ');
	return OK;
}

status kms_check_grant_tokens(struct kms_scope *s, const struct kms_grant_token_list *tokens)
{
	struct str key_arn, id;
	for (size_t i = 0; i < tokens->n; i++) TRY(read_token(s, tokens->v[i], &key_arn, &id));
	return OK;
}

static bool is_grant_id(struct str id)
{
	if (id.n != 64) return false;
	for (size_t i = 0; i < id.n; i++)
		if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f'))) return false;
	return true;
}

static status get_grant(struct kms_scope *s, const struct kms_key *k, struct str id, struct kms_rec_grant *out)
{
	struct str bytes;
	if (!is_grant_id(id))
		return kms_refuse(s, KMS_ERR_INVALID_GRANT_ID_EXCEPTION, "Invalid grant ID %.*s", STR_ARG(id));
	status st = store_get(s->tx, grant_key(s, k, id), &bytes);
	if (status_is(st, STATUS_NOT_FOUND))
		return kms_refuse(s, KMS_ERR_NOT_FOUND_EXCEPTION, "Grant ID %.*s not found", STR_ARG(id));
	TRY(st);
	*out = (struct kms_rec_grant){0};
	return kms_rec_grant_decode(s->arena, bytes, out);
}

/* ── creating ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Which operations a grant on such a key may name ("Grant operations"). */
static bool fits(const struct kms_key *k, struct str operation)
{
	static const char *const any[] = {"DescribeKey", "CreateGrant", "RetireGrant", NULL};
	static const char *const symmetric[] = {"Encrypt", "Decrypt", "GenerateDataKey",
		"GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
		"ReEncryptFrom", "ReEncryptTo", NULL};
	static const char *const encrypting[] = {
		"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey", NULL};
	static const char *const signing[] = {"Sign", "Verify", "GetPublicKey", NULL};
	static const char *const mac[] = {"GenerateMac", "VerifyMac", NULL};
	static const char *const agreement[] = {"DeriveSharedSecret", "GetPublicKey", NULL};
	if (kms_list_has(any, operation)) return true;
	if (k->spec->kind == KMS_SYMMETRIC) return kms_list_has(symmetric, operation);
	if (str_is(k->r.usage, "ENCRYPT_DECRYPT")) return kms_list_has(encrypting, operation);
	if (str_is(k->r.usage, "SIGN_VERIFY")) return kms_list_has(signing, operation);
	return kms_list_has(str_is(k->r.usage, "KEY_AGREEMENT") ? agreement : mac, operation);
}

static status check_principal(struct kms_scope *s, struct str principal)
{
	bool service = str_ends(principal, STR(".amazonaws.com"));
	bool arn = str_glob(STR("arn:*:iam::????????????:*"), principal) ||
		   str_glob(STR("arn:*:sts::????????????:*"), principal);
	if (service || arn) return OK;
	return kms_refuse(
		s, KMS_ERR_INVALID_ARN_EXCEPTION, "ARN does not refer to a valid principal: %.*s", STR_ARG(principal));
}

static struct kms_rec_pairs pairs_of(struct kms_scope *s, const struct kms_encryption_context_type *given)
{
	struct kms_rec_pairs out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < given->n; i++)
		*VEC_PUSH(s->arena, &out, &capacity) = (struct kms_rec_pairs_entry){given->v[i].key, given->v[i].value};
	return out;
}

static status read_input(
	struct kms_scope *s, const struct kms_create_grant_input *in, const struct kms_key *k, struct kms_rec_grant *g)
{
	TRY(check_principal(s, in->grantee_principal));
	if (str_has(in->retiring_principal)) TRY(check_principal(s, in->retiring_principal));
	if (!in->operations.n) return kms_refuse(s, ERR_VALIDATION, "At least one operation is required.");
	size_t capacity = 0;
	for (size_t i = 0; i < in->operations.n; i++) {
		struct str op = in->operations.v[i];
		bool twice = false;
		if (!fits(k, op))
			return kms_refuse(s, ERR_VALIDATION, "Grant operation %.*s is not supported on key %.*s.",
				STR_ARG(op), STR_ARG(k->arn));
		for (size_t j = 0; j < g->operations.n; j++) twice |= str_eq(g->operations.v[j], op);
		if (!twice) *VEC_PUSH(s->arena, &g->operations, &capacity) = op;
	}
	const struct kms_grant_constraints *limits = in->constraints;
	if (limits && (limits->encryption_context_equals.n || limits->encryption_context_subset.n)) {
		/* "You cannot use an encryption context in a cryptographic operation with an asymmetric KMS key or an
		 * HMAC KMS key." */
		if (k->spec->kind != KMS_SYMMETRIC)
			return kms_refuse(s, ERR_VALIDATION,
				"Grant constraints are supported on symmetric encryption keys only.");
		g->equals = pairs_of(s, &limits->encryption_context_equals);
		g->subset = pairs_of(s, &limits->encryption_context_subset);
		g->has_equals = SOME_BOOL(limits->encryption_context_equals.n > 0);
		g->has_subset = SOME_BOOL(limits->encryption_context_subset.n > 0);
	}
	g->name = in->name;
	g->grantee = in->grantee_principal;
	g->retiring = in->retiring_principal;
	g->created = SOME_TIME(s->now_ms);
	g->issuing_account = str_fmt(s->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(s->partition), STR_ARG(s->account));
	return OK;
}

static bool same_pairs(struct kms_scope *s, const struct kms_rec_pairs *a, const struct kms_rec_pairs *b)
{
	_Static_assert(sizeof(*a->v) == sizeof(struct kms_pair), "both are a key and a value");
	return str_eq(kms_context_bytes(s->arena, (const struct kms_pair *)a->v, a->n),
		kms_context_bytes(s->arena, (const struct kms_pair *)b->v, b->n));
}

static bool same_strings(const struct kms_rec_strings *a, const struct kms_rec_strings *b)
{
	if (a->n != b->n) return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->v[i], b->v[i])) return false;
	return true;
}

/* "When the value of Name is present, you can retry this request with identical parameters; if the grant already
 * exists, the original GrantId is returned". Also counts. */
static status find_same(
	struct kms_scope *s, const struct kms_key *k, const struct kms_rec_grant *g, struct str *id, size_t *count)
{
	struct str prefix = kms_grant_prefix(s, k), key, value;
	struct store_scan *scan = store_scan_begin(s->tx, prefix, key_after(s->arena, prefix), false);
	*id = STR_NONE;
	*count = 0;
	while (store_scan_next(scan, &key, &value)) {
		struct kms_rec_grant have = {0};
		++*count;
		if (!str_has(g->name) || str_has(*id)) continue;
		TRY(kms_rec_grant_decode(s->arena, value, &have));
		if (!str_eq(have.name, g->name) || !str_eq(have.grantee, g->grantee) ||
			!str_eq(have.retiring, g->retiring) || !same_strings(&have.operations, &g->operations) ||
			!same_pairs(s, &have.equals, &g->equals) || !same_pairs(s, &have.subset, &g->subset))
			continue;
		struct str rest = str_from(key, prefix.n);
		TRY(key_read_str(s->arena, &rest, id));
		*id = str_dup(s->arena, *id);
	}
	return store_scan_end(scan);
}

status kms_create_grant(struct call *c, const struct kms_create_grant_input *in, struct kms_create_grant_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct kms_rec_grant g = {0};
	size_t count;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_find(&s, in->key_id, KMS_FIND_FOREIGN, &k));
	TRY(kms_check_state(&s, &k, 0));
	TRY(read_input(&s, in, &k, &g));
	TRY(kms_check_dry_run(&s, in->dry_run));
	TRY(find_same(&s, &k, &g, &out->grant_id, &count));
	if (!str_has(out->grant_id)) {
		if (count >= KMS_GRANTS_PER_KEY_MAX)
			return kms_refuse(&s, KMS_ERR_LIMIT_EXCEEDED_EXCEPTION, "The key %.*s has too many grants.",
				STR_ARG(k.arn));
		out->grant_id = rand_text(c->arena, STR("0123456789abcdef"), 64);
		store_put(c->tx, grant_key(&s, &k, out->grant_id), kms_rec_grant_encode(c->arena, &g));
	}
	out->grant_token = make_token(&s, &k, out->grant_id);
	return OK;
}

/* ── ending ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Is `arn` the caller: itself, its role, or its whole account? */
static bool is_caller(const struct principal *who, struct str arn)
{
	if (str_eq(who->arn, arn)) return true;
	struct str rest = arn, part = STR("");
	for (size_t i = 0; i < 5 && str_has(rest); i++) part = str_cut(&rest, ':');
	if (!str_has(rest) || !str_eq(part, who->account)) return false;
	if (str_is(rest, "root")) return true;
	if (who->kind != PRINCIPAL_ASSUMED_ROLE || !str_starts(rest, STR("role/"))) return false;
	return str_eq(str_from(rest, (size_t)(str_rchr(rest, '/') + 1)), who->name);
}

static bool has_operation(const struct kms_rec_grant *g, struct str operation)
{
	for (size_t i = 0; i < g->operations.n; i++)
		if (str_eq(g->operations.v[i], operation)) return true;
	return false;
}

static bool may_retire(const struct principal *who, const struct kms_key *k, const struct kms_rec_grant *g)
{
	if (who->kind == PRINCIPAL_ROOT && str_eq(who->account, k->account)) return true;
	if (str_has(g->retiring) && is_caller(who, g->retiring)) return true;
	return has_operation(g, STR("RetireGrant")) && is_caller(who, g->grantee);
}

status kms_retirement_find(struct kms_scope *s, const struct kms_retire_grant_input *in, const struct principal *who,
	struct kms_retirement *out)
{
	struct str key_arn = in->key_id;
	out->id = in->grant_id;
	bool token = str_has(in->grant_token), named = str_has(in->grant_id) && str_has(key_arn);
	if (token ? str_has(in->grant_id) || str_has(key_arn) : !named)
		return kms_refuse(s, ERR_VALIDATION, "Specify either a grant token, or a key ARN and a grant ID.");
	if (token) TRY(read_token(s, in->grant_token, &key_arn, &out->id));
	TRY(kms_find(s, key_arn, KMS_FIND_FOREIGN, &out->key));
	TRY(get_grant(s, &out->key, out->id, &out->grant));
	out->allowed = may_retire(who, &out->key, &out->grant);
	return OK;
}

status kms_retire_grant(struct call *c, const struct kms_retire_grant_input *in, struct kms_retire_grant_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_retirement x;
	TRY(kms_retirement_find(&s, in, &c->principal, &x));
	/* Where policies are enforced, they have let the caller pass: by the grant, or by a policy that allows it. */
	if (!x.allowed && !c->cloud->policies)
		return kms_refuse(&s, ERR_ACCESS_DENIED,
			"User: %.*s is not authorized to perform: kms:RetireGrant on resource: %.*s",
			STR_ARG(c->principal.arn), STR_ARG(x.key.arn));
	TRY(kms_check_dry_run(&s, in->dry_run));
	store_delete(c->tx, grant_key(&s, &x.key, x.id));
	return OK;
}

status kms_revoke_grant(struct call *c, const struct kms_revoke_grant_input *in, struct kms_revoke_grant_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct kms_rec_grant g;
	TRY(kms_find(&s, in->key_id, KMS_FIND_FOREIGN, &k));
	TRY(get_grant(&s, &k, in->grant_id, &g));
	TRY(kms_check_dry_run(&s, in->dry_run));
	store_delete(c->tx, grant_key(&s, &k, in->grant_id));
	return OK;
}

/* ── listing ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct kms_encryption_context_type context_of(struct kms_scope *s, const struct kms_rec_pairs *p)
{
	struct kms_encryption_context_type out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < p->n; i++)
		*VEC_PUSH(s->arena, &out, &capacity) =
			(struct kms_encryption_context_type_entry){p->v[i].key, p->v[i].value};
	return out;
}

static struct kms_grant_list_entry entry_of(
	struct kms_scope *s, struct str key_arn, struct str id, const struct kms_rec_grant *g)
{
	struct kms_grant_list_entry e = {.key_id = key_arn,
		.grant_id = id,
		.name = str_or(g->name, STR("")),
		.creation_date = g->created,
		.grantee_principal = g->grantee,
		.retiring_principal = g->retiring,
		.issuing_account = g->issuing_account,
		.operations = {g->operations.v, g->operations.n}};
	if (!g->has_equals.v && !g->has_subset.v) return e;
	e.constraints = arena_new(s->arena, struct kms_grant_constraints);
	e.constraints->encryption_context_equals = context_of(s, &g->equals);
	e.constraints->encryption_context_subset = context_of(s, &g->subset);
	return e;
}

struct filter {
	struct str id, grantee, retiring;
	size_t limit;
	struct str marker;
};

/* Grants below `prefix`; the marker is "KEY ID GRANT ID". */
static status list(struct kms_scope *s, struct str all, const struct filter *f, struct kms_grant_list *out,
	struct str *next, struct opt_bool *truncated)
{
	struct str last, from = all, key, value;
	struct key region = key_for(s->arena, STR("kms"), STR("grant"), s->account, s->region);
	size_t capacity = 0, base = key_done(&region).n;
	TRY(kms_marker_read(s, f->marker, &last));
	if (str_has(last)) {
		struct str key_id = str_cut(&last, ' ');
		key_str(&region, key_id);
		key_str(&region, str_or(last, STR("")));
		struct str after = key_next(s->arena, key_done(&region));
		if (str_cmp(after, from) > 0) from = after;
	}
	VEC_PRESENT(s->arena, out);
	*truncated = SOME_BOOL(false);
	struct str last_key_id = STR(""), last_id = STR("");
	struct store_scan *scan = store_scan_begin(s->tx, from, key_after(s->arena, all), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, base), key_id, id;
		struct kms_rec_grant g = {0};
		TRY(key_read_str(s->arena, &rest, &key_id));
		TRY(key_read_str(s->arena, &rest, &id));
		TRY(kms_rec_grant_decode(s->arena, str_dup(s->arena, value), &g));
		if ((str_has(f->id) && !str_eq(f->id, id)) || (str_has(f->grantee) && !str_eq(f->grantee, g.grantee)) ||
			(str_has(f->retiring) && !str_eq(f->retiring, g.retiring)))
			continue;
		if (out->n == f->limit) {
			*truncated = SOME_BOOL(true);
			*next = kms_marker(s, str_fmt(s->arena, "%.*s %.*s", STR_ARG(last_key_id), STR_ARG(last_id)));
			break;
		}
		last_key_id = str_dup(s->arena, key_id);
		last_id = str_dup(s->arena, id);
		*VEC_PUSH(s->arena, out, &capacity) =
			entry_of(s, kms_arn(s->arena, s->region, s->account, STR("key"), last_key_id), last_id, &g);
	}
	return store_scan_end(scan);
}

status kms_list_grants(struct call *c, const struct kms_list_grants_input *in, struct kms_list_grants_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, KMS_FIND_FOREIGN, &k));
	s.account = k.account;
	if (str_has(in->grant_id) && !is_grant_id(in->grant_id))
		return kms_refuse(
			&s, KMS_ERR_INVALID_GRANT_ID_EXCEPTION, "Invalid grant ID %.*s", STR_ARG(in->grant_id));
	struct filter f = {.id = in->grant_id,
		.grantee = in->grantee_principal,
		.limit = in->limit.has ? (size_t)in->limit.v : 50,
		.marker = in->marker};
	if (f.limit > 100) f.limit = 100;
	return list(&s, kms_grant_prefix(&s, &k), &f, &out->grants, &out->next_marker, &out->truncated);
}

status kms_list_retirable_grants(
	struct call *c, const struct kms_list_retirable_grants_input *in, struct kms_list_retirable_grants_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	TRY(check_principal(&s, in->retiring_principal));
	struct filter f = {.retiring = in->retiring_principal,
		.limit = in->limit.has ? (size_t)in->limit.v : 50,
		.marker = in->marker};
	if (f.limit > 100) f.limit = 100;
	struct key all = key_for(c->arena, STR("kms"), STR("grant"), c->account, c->region);
	return list(&s, key_done(&all), &f, &out->grants, &out->next_marker, &out->truncated);
}

/* ── for the policy step ──────────────────────────────────────────────────────────────────────────────────────── */

static bool has_pair(const struct kms_pair *pairs, size_t n, struct str key, struct str value)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(pairs[i].key, key) && str_eq(pairs[i].value, value)) return true;
	return false;
}

/* "Grant constraints": the context has at least these pairs, or exactly these. */
static bool context_fits(const struct kms_rec_grant *g, const struct kms_pair *pairs, size_t n)
{
	for (size_t i = 0; g->has_subset.v && i < g->subset.n; i++)
		if (!has_pair(pairs, n, g->subset.v[i].key, g->subset.v[i].value)) return false;
	if (!g->has_equals.v) return true;
	if (g->equals.n != n) return false;
	for (size_t i = 0; i < g->equals.n; i++)
		if (!has_pair(pairs, n, g->equals.v[i].key, g->equals.v[i].value)) return false;
	return true;
}

/* Constraints bind the operations that take a context; CreateGrant and DescribeKey do not. */
static bool takes_context(struct str operation)
{
	static const char *const none[] = {"DescribeKey", "CreateGrant", "RetireGrant", "GetPublicKey", NULL};
	return !kms_list_has(none, operation);
}

static bool covers(const struct kms_encryption_context_type *given, const struct kms_rec_pairs *least)
{
	for (size_t i = 0; i < least->n; i++)
		if (!has_pair((const struct kms_pair *)given->v, given->n, least->v[i].key, least->v[i].value))
			return false;
	return true;
}

/* "The grant that you create can't be less restrictive than the grant that gives you the permission": no other
 * operations, no weaker constraints ("Granting CreateGrant permission"). */
static bool may_pass_on(const struct kms_rec_grant *g, const struct kms_create_grant_input *asked)
{
	static const struct kms_grant_constraints none = {0};
	const struct kms_grant_constraints *limits = asked->constraints ? asked->constraints : &none;
	for (size_t i = 0; i < asked->operations.n; i++)
		if (!has_operation(g, asked->operations.v[i])) return false;
	if (g->has_equals.v && (limits->encryption_context_equals.n != g->equals.n ||
				       !covers(&limits->encryption_context_equals, &g->equals)))
		return false;
	return !g->has_subset.v || covers(&limits->encryption_context_subset, &g->subset) ||
	       covers(&limits->encryption_context_equals, &g->subset);
}

status kms_grant_allows(struct kms_scope *s, const struct kms_key *k, const struct principal *who, struct str operation,
	const struct kms_pair *pairs, size_t n, const struct kms_create_grant_input *asked, bool *allowed)
{
	struct str prefix = kms_grant_prefix(s, k), key, value;
	struct store_scan *scan = store_scan_begin(s->tx, prefix, key_after(s->arena, prefix), false);
	*allowed = false;
	while (!*allowed && store_scan_next(scan, &key, &value)) {
		struct kms_rec_grant g = {0};
		TRY(kms_rec_grant_decode(s->arena, value, &g));
		if (!is_caller(who, g.grantee)) continue;
		*allowed = has_operation(&g, operation) && (!takes_context(operation) || context_fits(&g, pairs, n)) &&
			   (!asked || may_pass_on(&g, asked));
	}
	return store_scan_end(scan);
}
