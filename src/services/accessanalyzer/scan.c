/* Findings: for each principal outside of the account that a statement lets in, one, kept under an id that follows from
 * what it is about. What the policy engine refuses nevertheless (a Deny elsewhere in the policy) is no access. */
#include "identity/digest.h"
#include "policy/authz.h"
#include "policy/policy.h"
#include "services/accessanalyzer/room.h"

enum { ACTIONS_MAX = 200 };

struct scan {
	struct call *c;
	const struct aa_resource *r;
	const struct json_value *document;
	struct policy *policy;
	struct policy *theirs; /* what a caller of another account may be allowed at home: all */
	struct aa_findings *out;
};

/* ── which actions ── */

static bool is_for(const struct authz_action *a, struct str service_type)
{
	for (uint32_t i = 0; i < a->types.n; i++)
		if (str_eq(authz_str(authz_types[authz_type_refs[a->types.first + i] >> 1].name), service_type))
			return true;
	return false;
}

/* The ARN that stands for what the statement is about: stars become a letter. */
static struct str probe_arn(struct scan *s, const struct json_value *statement, bool object)
{
	const struct json_value *list = json_member(statement, STR("Resource"));
	struct str arn = s->r->arn;
	AA_EACH (v, list) {
		struct str text = str_or(json_string(v), STR(""));
		if (!str_starts(text, STR("arn:")) || (str_chr(text, '/') >= 0) != object) continue;
		char *p = arena_copy(s->c->arena, text.p, text.n);
		for (size_t i = 0; i < text.n; i++)
			if (p[i] == '*' || p[i] == '?') p[i] = 'x';
		arn = str_n(p, text.n);
	}
	if (object && str_chr(arn, '/') < 0) arn = str_cat(s->c->arena, arn, STR("/x"));
	return arn;
}

/* Conditions of the statement are taken as met: by their first values, where they ask for equality. */
static void meet_conditions(struct scan *s, const struct json_value *statement, struct policy_context *x)
{
	const struct json_value *conditions = json_member(statement, STR("Condition"));
	for (const struct json_value *op = json_is(conditions, JSON_IS_OBJECT) ? conditions->first : NULL; op;
		op = op->next)
		for (const struct json_value *key = json_is(op, JSON_IS_OBJECT) ? op->first : NULL; key;
			key = key->next) {
			const struct json_value *v = aa_items(key);
			struct str text = str_or(json_scalar(v), STR(""));
			if (str_find(op->name, STR("Not")) >= 0 || !v) continue;
			if (str_ieq(op->name, STR("Null"))) continue;
			char *p = arena_copy(s->c->arena, text.p, text.n);
			for (size_t i = 0; i < text.n; i++)
				if (p[i] == '*' || p[i] == '?') p[i] = 'x';
			ptrdiff_t slash = str_istarts(op->name, STR("IpAddress")) ? str_chr(text, '/') : -1;
			policy_context_set(
				x, key->name, slash >= 0 ? str_sub(text, 0, (size_t)slash) : str_n(p, text.n));
		}
}

static struct policy_principal caller(struct scan *s, struct str type, struct str principal)
{
	struct str rest = principal, account = STR("999999999999");
	if (str_is(type, "Federated"))
		return (struct policy_principal){.kind = POLICY_CALLER_PROVIDER,
			.account = STR(""),
			.arn = principal,
			.user_id = STR(""),
			.name = principal};
	if (principal.n == 12)
		account = principal;
	else if (str_starts(principal, STR("arn:"))) {
		for (int i = 0; i < 4; i++) str_cut(&rest, ':');
		account = str_cut(&rest, ':');
	}
	bool root = principal.n == 12 || str_ends(principal, STR(":root")) || str_is(principal, "*");
	return (struct policy_principal){.kind = root ? POLICY_CALLER_ROOT : POLICY_CALLER_USER,
		.account = account,
		.arn = root ? str_fmt(s->c->arena, "arn:aws:iam::%.*s:root", STR_ARG(account)) : principal,
		.user_id = account,
		.name = STR("x")};
}

static bool lets(struct scan *s, const struct json_value *statement, struct policy_principal *who, struct str action,
	bool object)
{
	struct arena *a = s->c->arena;
	struct policy_context x = POLICY_CONTEXT_IN(a);
	policy_context_set_principal(&x, who);
	policy_context_set_now(&x, s->c->now_ms);
	policy_context_set_bool(&x, STR("aws:SecureTransport"), true);
	meet_conditions(s, statement, &x);
	const struct policy *const list[] = {s->policy};
	struct policy_resource r = {.arn = probe_arn(s, statement, object),
		.account = s->c->account,
		.policies = {list, 1},
		.policy_required = true};
	struct policy_request q = {
		.principal = who, .action = action, .resources = &r, .n_resources = 1, .context = &x};
	const struct policy *const home[] = {s->theirs};
	struct policy_subject subject = {.identity = {home, 1}};
	struct policy_decision d;
	return policy_evaluate(a, &q, &subject, &d);
}

static struct str service_of(const struct aa_resource *r)
{
	if (str_is(r->type, "AWS::S3::Bucket")) return STR("s3");
	if (str_is(r->type, "AWS::IAM::Role")) return STR("sts");
	if (str_is(r->type, "AWS::KMS::Key")) return STR("kms");
	if (str_is(r->type, "AWS::SQS::Queue")) return STR("sqs");
	if (str_is(r->type, "AWS::SNS::Topic")) return STR("sns");
	if (str_is(r->type, "AWS::SecretsManager::Secret")) return STR("secretsmanager");
	return STR("dynamodb");
}

/* The service's actions that the statement names, and that the whole policy lets the caller do. */
static void find_actions(struct scan *s, const struct json_value *statement, struct policy_principal *who,
	struct accessanalyzer_rec_strings *out)
{
	struct arena *a = s->c->arena;
	struct str prefix = service_of(s->r);
	const struct authz_service *service = authz_find_prefix(prefix);
	const struct json_value *named = json_member(statement, STR("Action")),
				*left = json_member(statement, STR("NotAction"));
	size_t capacity = 0;
	bool s3 = str_is(prefix, "s3");
	for (uint32_t i = 0; service && i < service->actions.n && out->n < ACTIONS_MAX; i++) {
		const struct authz_action *action = &authz_actions[service->actions.first + i];
		struct str name = str_fmt(a, "%.*s:%.*s", STR_ARG(prefix), STR_ARG(authz_str(action->name))),
			   lower = str_lower(a, name);
		bool covered = false, object = s3 && is_for(action, STR("object"));
		if (!action->types.n || (s3 && !object && !is_for(action, STR("bucket")))) continue;
		AA_EACH (v, named ? named : left)
			covered |= str_glob(str_lower(a, str_or(json_string(v), STR(""))), lower);
		if (covered != (named != NULL) || !lets(s, statement, who, name, object)) continue;
		*VEC_PUSH(a, out, &capacity) = name;
	}
}

/* ── one finding ── */

static void conditions_of(struct scan *s, const struct json_value *statement, struct accessanalyzer_rec_pairs *out)
{
	const struct json_value *conditions = json_member(statement, STR("Condition"));
	size_t capacity = 0;
	for (const struct json_value *op = json_is(conditions, JSON_IS_OBJECT) ? conditions->first : NULL; op;
		op = op->next)
		for (const struct json_value *key = json_is(op, JSON_IS_OBJECT) ? op->first : NULL; key;
			key = key->next) {
			struct buf b = BUF_IN(s->c->arena);
			AA_EACH (v, key) {
				if (b.n) buf_byte(&b, ',');
				buf_str(&b, str_or(json_scalar(v), STR("")));
			}
			*VEC_PUSH(s->c->arena, out, &capacity) =
				(struct accessanalyzer_rec_pairs_entry){key->name, buf_done(&b)};
		}
}

struct str aa_id(struct arena *a, struct str about)
{
	uint8_t hash[32];
	digest_sha256(about, hash);
	struct str x = str_hex(a, str_n(hash, 16));
	return str_fmt(a, "%.*s-%.*s-%.*s-%.*s-%.*s", 8, x.p, 4, x.p + 8, 4, x.p + 12, 4, x.p + 16, 12, x.p + 20);
}

/* A UUID of what the finding is about. */
static struct str id_of(
	struct scan *s, struct str type, struct str principal, const struct accessanalyzer_rec_pairs *condition)
{
	struct buf b = BUF_IN(s->c->arena);
	buf_fmt(&b, "%.*s\n%.*s\n%.*s\n%.*s\n", STR_ARG(s->r->arn), STR_ARG(s->r->source), STR_ARG(type),
		STR_ARG(principal));
	for (size_t i = 0; i < condition->n; i++)
		buf_fmt(&b, "%.*s=%.*s\n", STR_ARG(condition->v[i].key), STR_ARG(condition->v[i].value));
	return aa_id(s->c->arena, buf_done(&b));
}

static void found(struct scan *s, const struct json_value *statement, struct str type, struct str principal)
{
	struct arena *a = s->c->arena;
	struct policy_principal who = caller(s, type, principal);
	struct accessanalyzer_rec_finding f = {.resource = s->r->arn,
		.type = s->r->type,
		.public = SOME_BOOL(str_is(principal, "*")),
		.source = s->r->source,
		.owner = s->c->account};
	find_actions(s, statement, &who, &f.actions);
	if (!f.actions.n) return;
	conditions_of(s, statement, &f.condition);
	f.principal.v = arena_new(a, struct accessanalyzer_rec_pairs_entry);
	f.principal.v[0] = (struct accessanalyzer_rec_pairs_entry){type, principal};
	f.principal.n = 1;
	f.id = id_of(s, type, principal, &f.condition);
	for (size_t i = 0; i < s->out->n; i++)
		if (str_eq(s->out->v[i].id, f.id)) {
			/* Two statements about the same: their actions together. */
			struct accessanalyzer_rec_strings both = {0};
			size_t capacity = 0;
			for (size_t k = 0; k < s->out->v[i].actions.n; k++)
				*VEC_PUSH(a, &both, &capacity) = s->out->v[i].actions.v[k];
			for (size_t k = 0; k < f.actions.n; k++) *VEC_PUSH(a, &both, &capacity) = f.actions.v[k];
			s->out->v[i].actions = both;
			return;
		}
	*VEC_PUSH(a, s->out, &s->out->capacity) = f;
}

static bool is_external(struct scan *s, struct str type, struct str principal)
{
	struct str rest = principal;
	if (str_is(type, "Service")) return false;
	if (str_is(type, "Federated") || str_is(principal, "*")) return true;
	if (principal.n == 12) return !str_eq(principal, s->c->account);
	if (!str_starts(principal, STR("arn:"))) return str_is(type, "CanonicalUser");
	for (int i = 0; i < 4 && str_has(rest); i++) str_cut(&rest, ':');
	return str_has(rest) && !str_eq(str_cut(&rest, ':'), s->c->account);
}

static void judge(struct scan *s, const struct json_value *statement)
{
	const struct json_value *p = json_member(statement, STR("Principal"));
	if (!aa_is_allow(statement) || aa_confined(statement, s->c->account)) return;
	if (json_member(statement, STR("NotPrincipal")) || str_is(str_or(json_string(p), STR("")), "*")) {
		found(s, statement, STR("AWS"), STR("*"));
		return;
	}
	for (const struct json_value *m = json_is(p, JSON_IS_OBJECT) ? p->first : NULL; m; m = m->next)
		AA_EACH (v, m) {
			struct str principal = str_or(json_string(v), STR(""));
			if (is_external(s, m->name, principal)) found(s, statement, m->name, principal);
		}
}

static void scan_resource(struct call *c, const struct aa_resource *r, struct aa_findings *out)
{
	struct json_value *document;
	struct policy_source source = {.type = str_is(r->type, "AWS::IAM::Role") ? POLICY_TRUST : POLICY_RESOURCE};
	struct scan s = {.c = c, .r = r, .out = out};
	if (!str_has(r->policy) || !r->policy.n || !is_ok(json_read(c->arena, r->policy, &document))) return;
	if (!is_ok(policy_parse(r->policy, &source, &s.policy, NULL))) return;
	struct policy_source at_home = {.type = POLICY_IDENTITY};
	INVARIANT(is_ok(policy_parse(STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":"
					 "\"*\",\"Resource\":\"*\"}}"),
		&at_home, &s.theirs, NULL)));
	s.document = document;
	AA_EACH (st, aa_statements(document)) judge(&s, st);
	policy_free(s.policy);
	policy_free(s.theirs);
}

/* ── keeping them ── */

void aa_finding_put(struct call *c, struct str analyzer, const struct accessanalyzer_rec_finding *f)
{
	struct key k = key_begin(c->arena);
	key_append(&k, aa_key(c->arena, "finding", c, analyzer));
	key_str(&k, f->id);
	store_put(c->tx, key_done(&k), accessanalyzer_rec_finding_encode(c->arena, f));
}

static status stored(struct call *c, struct str analyzer, struct aa_findings *out)
{
	struct str from = aa_key(c->arena, "finding", c, analyzer), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct accessanalyzer_rec_finding f = {0};
		TRY(accessanalyzer_rec_finding_decode(c->arena, str_dup(c->arena, value), &f));
		*VEC_PUSH(c->arena, out, &out->capacity) = f;
	}
	return store_scan_end(scan);
}

static struct accessanalyzer_rec_finding *find(struct aa_findings *l, struct str id)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].id, id)) return &l->v[i];
	return NULL;
}

static bool same_actions(const struct accessanalyzer_rec_strings *x, const struct accessanalyzer_rec_strings *y)
{
	if (x->n != y->n) return false;
	for (size_t i = 0; i < x->n; i++)
		if (!str_eq(x->v[i], y->v[i])) return false;
	return true;
}

static bool same_services(const struct accessanalyzer_rec_pairs *x, const struct accessanalyzer_rec_pairs *y)
{
	if (x->n != y->n) return false;
	for (size_t i = 0; i < x->n; i++)
		if (!str_eq(x->v[i].key, y->v[i].key) || !str_eq(x->v[i].value, y->v[i].value)) return false;
	return true;
}

static void begin(struct call *c, const struct accessanalyzer_rec_analyzer *a, struct accessanalyzer_rec_finding *f)
{
	f->status = STR("ACTIVE");
	f->created = f->updated = f->analyzed = SOME_TIME(c->now_ms);
	/* "Archive rules automatically archive new findings that meet the criteria." */
	for (size_t i = 0; i < a->rules.n; i++)
		if (aa_filter_fits(c->arena, &a->rules.v[i].filter, f)) f->status = STR("ARCHIVED");
}

status aa_refresh(struct call *c, struct accessanalyzer_rec_analyzer *a, struct aa_findings *out)
{
	struct aa_resources resources;
	struct aa_findings now = {0};
	*out = (struct aa_findings){0};
	if (aa_is_unused(a)) {
		resources = (struct aa_resources){0};
		TRY(aa_unused(c, a, &now));
	} else {
		TRY(aa_resources(c, &resources));
		for (size_t i = 0; i < resources.n; i++) scan_resource(c, &resources.v[i], &now);
	}
	TRY(stored(c, a->name, out));
	for (size_t i = 0; i < out->n; i++) {
		struct accessanalyzer_rec_finding *f = &out->v[i];
		if (find(&now, f->id) || str_is(f->status, "RESOLVED")) continue;
		f->status = STR("RESOLVED");
		f->updated = f->analyzed = SOME_TIME(c->now_ms);
		aa_finding_put(c, a->name, f);
	}
	for (size_t i = 0; i < now.n; i++) {
		struct accessanalyzer_rec_finding *f = find(out, now.v[i].id);
		bool same = f && same_actions(&f->actions, &now.v[i].actions) &&
			    same_services(&f->services, &now.v[i].services);
		if (same && !str_is(f->status, "RESOLVED")) continue;
		if (f && !str_is(f->status, "RESOLVED")) {
			f->actions = now.v[i].actions;
			f->services = now.v[i].services;
			f->updated = f->analyzed = SOME_TIME(c->now_ms);
		} else {
			struct opt_time created = f ? f->created : (struct opt_time){0};
			if (!f) f = VEC_PUSH(c->arena, out, &out->capacity);
			*f = now.v[i];
			begin(c, a, f);
			if (created.has) f->created = created;
		}
		aa_finding_put(c, a->name, f);
	}
	a->scanned = SOME_TIME(c->now_ms);
	a->last_resource = resources.n ? resources.v[resources.n - 1].arn : STR_NONE;
	return OK;
}
