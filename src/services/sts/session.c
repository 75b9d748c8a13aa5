/* Temporary credentials: what a request may ask of a session, how long it lives, and issuing its key. */
#include "base/log.h"
#include "services/iam/managed.h"
#include "services/sts/door.h"
#include "services/sts/internal.h"

/* "IAM and AWS STS quotas" */
#define SESSION_POLICY_MAX 2048
#define SESSION_ARNS_MAX 10
#define PACKED_MAX 4096
#define ROLE_DEFAULT_S 3600
#define CHAIN_MAX_S 3600

status sts_caller_session(struct call *c, struct iam_rec_session *out)
{
	*out = (struct iam_rec_session){0};
	if (!c->principal.session_record.n) return STATUS(NOT_FOUND);
	return iam_rec_session_decode(c->arena, c->principal.session_record, out);
}

bool sts_role_arn_split(struct str arn, struct str *account, struct str *path, struct str *name)
{
	struct str rest = arn, part[5];
	for (int i = 0; i < 5; i++) {
		if (!str_has(rest)) return false;
		part[i] = str_cut(&rest, ':');
	}
	if (!str_is(part[0], "arn") || !str_is(part[2], "iam") || !str_has(rest) || !str_starts(rest, STR("role/")))
		return false;
	ptrdiff_t slash = str_rchr(rest, '/');
	*account = part[4];
	*path = str_sub(rest, 4, (size_t)slash - 3);
	*name = str_from(rest, (size_t)slash + 1);
	return name->n > 0;
}

static status check_policies(struct call *c, const struct sts_scope *s, struct iam_rec_session *r)
{
	if (str_has(s->policy)) {
		struct policy_source source = {.type = POLICY_SESSION, .label = STR("session")};
		struct policy *p = NULL;
		struct policy_error why = {0};
		if (!is_ok(policy_parse(s->policy, &source, &p, &why)))
			return STS_FAIL(c, MALFORMED_POLICY_DOCUMENT, "%s", why.message);
		policy_free(p);
		if (s->policy.n > SESSION_POLICY_MAX)
			return call_fail(c, ERR_VALIDATION,
				"1 validation error detected: Value at 'policy' failed to satisfy constraint: Member "
				"must have length less "
				"than or equal to %d",
				SESSION_POLICY_MAX);
		r->policies.v = arena_new(c->arena, struct str);
		r->policies.v[r->policies.n++] = s->policy;
	}
	if (!s->policy_arns) return OK;
	if (s->policy_arns->n > SESSION_ARNS_MAX)
		return call_fail(
			c, ERR_VALIDATION, "A session may have %d managed policies at most.", SESSION_ARNS_MAX);
	size_t capacity = 0;
	for (size_t i = 0; i < s->policy_arns->n; i++) {
		struct str arn = s->policy_arns->v[i].arn, text;
		status got = iam_policy_text(c->tx, c->arena, c->account, str_or(arn, STR("")), &text);
		if (status_is(got, STATUS_NOT_FOUND))
			return call_fail(
				c, ERR_VALIDATION, "Policy %.*s does not exist or is not attachable.", STR_ARG(arn));
		TRY(got);
		*VEC_PUSH(c->arena, &r->policy_arns, &capacity) = arn;
	}
	return OK;
}

static ptrdiff_t tag_at(const struct iam_rec_tags *tags, struct str key)
{
	for (size_t i = 0; i < tags->n; i++)
		if (str_ieq(tags->v[i].key, key)) return (ptrdiff_t)i;
	return -1;
}

/* "Pass session tags in AWS STS": transitive tags of the caller's session go on, and cannot be replaced. */
static status check_tags(struct call *c, const struct sts_scope *s, struct iam_rec_session *r)
{
	struct iam_rec_session caller;
	bool chained = is_ok(sts_caller_session(c, &caller)) && c->principal.kind == PRINCIPAL_ASSUMED_ROLE;
	size_t tags = 0, transitive = 0;
	for (size_t i = 0; chained && i < caller.transitive.n; i++) {
		ptrdiff_t at = tag_at(&caller.tags, caller.transitive.v[i]);
		if (at < 0) continue;
		*VEC_PUSH(c->arena, &r->tags, &tags) = caller.tags.v[at];
		*VEC_PUSH(c->arena, &r->transitive, &transitive) = caller.transitive.v[i];
	}
	size_t inherited = r->tags.n;
	for (size_t i = 0; s->tags && i < s->tags->n; i++) {
		struct str key = s->tags->v[i].key;
		ptrdiff_t at = tag_at(&r->tags, key);
		if (at >= 0 && (size_t)at < inherited)
			return call_fail(c, ERR_VALIDATION,
				"One of the specified transitive tag keys can't be set because it conflicts with a "
				"transitive tag key from the "
				"calling session.");
		if (at >= 0)
			return call_fail(c, ERR_VALIDATION,
				"Duplicate tag keys found. Please note that Tag keys are case insensitive.");
		if (str_istarts(key, STR("aws:")))
			return call_fail(
				c, ERR_VALIDATION, "Tag keys that begin with 'aws:' are reserved for system use.");
		*VEC_PUSH(c->arena, &r->tags, &tags) = (struct iam_rec_tags_entry){key, s->tags->v[i].value};
	}
	for (size_t i = 0; s->transitive && i < s->transitive->n; i++) {
		if (tag_at(&r->tags, s->transitive->v[i]) < 0)
			return call_fail(c, ERR_VALIDATION,
				"The specified transitive tag key must be included in the requested tags.");
		*VEC_PUSH(c->arena, &r->transitive, &transitive) = s->transitive->v[i];
	}
	/* "Monitor and control actions taken with assumed roles": once set, it stays. */
	r->source_identity = chained && caller.source_identity.n ? caller.source_identity : s->source_identity;
	return OK;
}

status sts_scope_check(struct call *c, const struct sts_scope *s, struct iam_rec_session *r, struct opt_i32 *packed)
{
	TRY(check_policies(c, s, r));
	TRY(check_tags(c, s, r));
	/* AWS packs by a way of its own; here the bytes count as they are. */
	size_t bytes = 0;
	for (size_t i = 0; i < r->policies.n; i++) bytes += policy_size(r->policies.v[i]);
	for (size_t i = 0; i < r->policy_arns.n; i++) bytes += r->policy_arns.v[i].n;
	for (size_t i = 0; i < r->tags.n; i++) bytes += r->tags.v[i].key.n + r->tags.v[i].value.n;
	if (!bytes) return OK;
	int32_t percent = (int32_t)((bytes * 100 + PACKED_MAX - 1) / PACKED_MAX);
	if (percent > 100)
		return STS_FAIL(c, PACKED_POLICY_TOO_LARGE,
			"Packed size of session tags consumes %d%% of allotted space.", percent);
	*packed = SOME_I32(percent);
	return OK;
}

struct sts_credentials *sts_issue(
	struct call *c, struct principal *p, const struct iam_rec_session *r, int64_t duration_s)
{
	struct str token = identity_new_session_token(c->arena);
	p->access_key = identity_new_key_id(c->arena, true);
	p->secret = identity_new_secret(c->arena);
	p->expires_ms = c->now_ms + duration_s * 1000;
	p->session_record = iam_rec_session_encode(c->arena, r);
	identity_key_put(c->tx, c->arena, p, token);
	struct sts_credentials *out = arena_new(c->arena, struct sts_credentials);
	*out = (struct sts_credentials){p->access_key, p->secret, token, SOME_TIME(p->expires_ms)};
	return out;
}

static status role_duration(
	struct call *c, const struct iam_rec_entity *role, struct opt_i32 asked, bool chained, int64_t *out)
{
	*out = asked.has ? asked.v : ROLE_DEFAULT_S;
	if (chained && *out > CHAIN_MAX_S)
		return call_fail(c, ERR_VALIDATION,
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
			"chaining.");
	if (*out > role->max_session.v)
		return call_fail(c, ERR_VALIDATION,
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
	return OK;
}

status sts_role_begin(struct call *c, const struct iam_rec_entity *role, struct str account, struct str role_arn,
	struct str name, struct opt_i32 duration, bool chained, struct iam_rec_session *r, struct sts_role_session *out)
{
	int64_t seconds;
	TRY(role_duration(c, role, duration, chained, &seconds));
	r->issuer_arn = role_arn;
	r->issuer_id = role->id;
	r->issued = SOME_TIME(c->now_ms);
	struct principal p = {.kind = PRINCIPAL_ASSUMED_ROLE,
		.account = account,
		.arn = str_fmt(c->arena, "arn:%.*s:sts::%.*s:assumed-role/%.*s/%.*s", STR_ARG(c->partition),
			STR_ARG(account), STR_ARG(role->name), STR_ARG(name)),
		.user_id = str_fmt(c->arena, "%.*s:%.*s", STR_ARG(role->id), STR_ARG(name)),
		.name = role->name,
		.session = name};
	out->credentials = sts_issue(c, &p, r, seconds);
	out->user = arena_new(c->arena, struct sts_assumed_role_user);
	*out->user = (struct sts_assumed_role_user){p.user_id, p.arn};
	return OK;
}

status sts_open_session(struct call *c, const struct iam_rec_entity *role, struct str account, struct str role_arn,
	struct str name, int64_t duration_s, const struct iam_rec_tags *tags, struct sts_credentials **out)
{
	struct iam_rec_session r = {.tags = *tags};
	struct sts_role_session session;
	TRY(sts_role_begin(c, role, account, role_arn, name, SOME_I32((int32_t)duration_s), false, &r, &session));
	*out = session.credentials;
	return OK;
}

status sts_use_mfa(struct call *c, struct str serial, struct str code, struct iam_rec_session *r)
{
	if (!str_has(serial) && !str_has(code)) return OK;
	if (!str_has(serial) || !str_has(code))
		return call_fail(c, ERR_VALIDATION,
			"Both SerialNumber and TokenCode are needed for multi-factor authentication.");
	status s = iam_mfa_check(c->tx, c->arena, c->account, c->principal.name, serial, code, c->now_ms,
		clock_offset(c->cloud->clock), true);
	if (status_is(s, STATUS_INVALID))
		return call_fail(
			c, ERR_ACCESS_DENIED, "MultiFactorAuthentication failed with invalid MFA one time pass code.");
	TRY(s);
	r->mfa_at = SOME_TIME(c->now_ms);
	return OK;
}
