/* The policy step of a call: what the operation demands, what is known of the request,
	and whether the caller's policies
 * allow it. It runs once the input is decoded and before anything is done. */
#include "base/json.h"
#include "base/log.h"
#include "call/exchange.h"
#include "edge/arrival.h"
#include "identity/digest.h"
#include "policy/provider.h"
#include "policy/tag_policy.h"
#include "vault/vault.h"
#include <stddef.h>

struct policy_principal call_policy_principal(const struct call *c)
{
	static const enum policy_caller kinds[] = {
		[PRINCIPAL_ANONYMOUS] = POLICY_CALLER_ANONYMOUS,
		[PRINCIPAL_ROOT] = POLICY_CALLER_ROOT,
		[PRINCIPAL_USER] = POLICY_CALLER_USER,
		[PRINCIPAL_ASSUMED_ROLE] = POLICY_CALLER_ROLE,
		[PRINCIPAL_FEDERATED] = POLICY_CALLER_FEDERATED,
		[PRINCIPAL_SERVICE] = POLICY_CALLER_SERVICE,
	};
	const struct principal *p = &c->principal;
	return (struct policy_principal){
		.kind = kinds[p->kind], .account = p->account, .arn = p->arn, .user_id = p->user_id, .name = p->name};
}

/* 127.0.0.1:51234, [::1]:51234 */
static struct str address_of(struct str peer)
{
	ptrdiff_t colon = str_rchr(peer, ':');
	struct str host = colon < 0 ? peer : str_sub(peer, 0, (size_t)colon);
	if (str_starts(host, STR("[")) && str_ends(host, STR("]"))) return str_sub(host, 1, host.n - 2);
	return host;
}

static void set_header(const struct exchange *e, struct policy_context *k, struct str key, struct str header)
{
	struct str value = edge_header_get(e->call.http, header);
	if (str_has(value)) policy_context_set(k, key, value);
}

/* "Amazon S3 Signature Version 4 authentication specific policy keys". */
static void describe_s3(const struct exchange *e, struct policy_context *k)
{
	bool query = e->sig.kind == SIG_QUERY;
	if (e->sig.kind == SIG_NONE) return;
	policy_context_set(k, STR("s3:authType"),
		query                          ? STR("REST-QUERY-STRING")
		: e->sig.kind == SIG_POST_FORM ? STR("POST")
					       : STR("REST-HEADER"));
	policy_context_set(k, STR("s3:signatureversion"), e->sig.kind == SIG_V2 ? STR("AWS") : STR("AWS4-HMAC-SHA256"));
	if (query) policy_context_set_i64(k, STR("s3:signatureAge"), e->call.now_ms - e->sig.time_ms);
	if (str_has(e->sig.payload_hash)) policy_context_set(k, STR("s3:x-amz-content-sha256"), e->sig.payload_hash);
}

/* What every request has ("AWS global condition context keys"). */
static void describe(const struct exchange *e, const struct policy_principal *who, const struct policy_way *way,
	struct policy_context *k)
{
	const struct call *c = &e->call;
	policy_context_set_principal(k, who);
	policy_context_set_now(k, c->now_ms);
	if (!str_has(way->endpoint)) {
		policy_context_set(k, STR("aws:SourceIp"), address_of(c->http->peer));
	} else {
		/* "The aws:SourceIp condition key can't be used if the request passes through a VPC endpoint". */
		policy_context_set(k, STR("aws:VpcSourceIp"), address_of(c->http->peer));
		policy_context_set(k, STR("aws:SourceVpce"), way->endpoint);
		policy_context_set(k, STR("aws:SourceVpc"), way->vpc);
		policy_context_set(k, STR("aws:VpceAccount"), way->owner);
	}
	policy_context_set_bool(k, STR("aws:SecureTransport"), c->http->tls);
	policy_context_set(k, STR("aws:RequestedRegion"), c->region);
	policy_context_set_bool(k, STR("aws:ViaAWSService"), str_has(e->via));
	if (str_has(e->via)) policy_context_set(k, STR("virga:Via"), e->via);
	set_header(e, k, STR("aws:UserAgent"), STR("User-Agent"));
	set_header(e, k, STR("aws:referer"), STR("Referer"));
	if (str_has(e->source_arn)) {
		struct str rest = e->source_arn;
		for (int i = 0; i < 4; i++) (void)str_cut(&rest, ':');
		policy_context_set(k, STR("aws:SourceArn"), e->source_arn);
		if (str_has(rest)) policy_context_set(k, STR("aws:SourceAccount"), str_cut(&rest, ':'));
	}
	if (e->s3_dialect) describe_s3(e, k);
	authz_request_tags(c->arena, &c->match, e->in, k);
}

/* "No permissions are required to perform this operation" (GetCallerIdentity,
	GetSessionToken in the STS API reference). */
static bool needs_no_permission(const struct call *c)
{
	struct str op = wire_str(&c->match.service->tables, c->match.op->name);
	return strcmp(c->match.service->name, "sts") == 0 &&
	       (str_is(op, "GetCallerIdentity") || str_is(op, "GetSessionToken"));
}

/* What DecodeAuthorizationMessage of STS shows to who may: sealed for the caller's account. */
static struct str encode_denial(struct call *c, const struct policy_principal *who, const struct policy_verdict *v)
{
	if (!c->cloud->vault) return STR_NONE;
	struct buf b = BUF_IN(c->arena);
	buf_fmt(&b,
		"{\"allowed\":false,\"explicitDeny\":%s,\"matchedStatements\":{\"items\":[]},\"failures\":{\"items\":[]"
		"},"
		"\"context\":{\"principal\":{\"id\":",
		v->decision.outcome == POLICY_DENIED_EXPLICITLY ? "true" : "false");
	json_quote(&b, who->user_id);
	buf_lit(&b, ",\"arn\":");
	json_quote(&b, who->arn);
	buf_lit(&b, "},\"action\":");
	json_quote(&b, v->action);
	buf_lit(&b, ",\"resource\":");
	json_quote(&b, v->resource);
	buf_lit(&b, ",\"conditions\":{\"items\":[]}}}");
	struct str context = str_cat(c->arena, STR("authorization-message/"), who->account);
	return str_base64(c->arena, vault_wrap(c->cloud->vault, c->arena, context, buf_done(&b)));
}

static status refuse(struct exchange *e, const struct policy_principal *who, const struct policy_verdict *v)
{
	struct call *c = &e->call;
	/* S3 gives its reasons only within the account ("Troubleshoot access denied (403 Forbidden) errors in "
		"Amazon S3"). */
	bool foreign = v->resource_account.n && !str_eq(v->resource_account, who->account);
	if (e->s3_dialect && (foreign || who->kind == POLICY_CALLER_ANONYMOUS))
		return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	if (strcmp(c->match.service->name, "ec2") != 0)
		return call_fail(c, ERR_ACCESS_DENIED, "%.*s", STR_ARG(v->message));
	struct str encoded = encode_denial(c, who, v);
	return call_fail(c, ERR_ACCESS_DENIED, "You are not authorized to perform this operation. %.*s%s%.*s",
		STR_ARG(v->message), str_has(encoded) ? ". Encoded authorization failure message: " : "",
		STR_ARG(encoded));
}

void call_attach_policy(struct call *c, struct authz_demands *d, struct policy_resource *r, bool trust, struct str text)
{
	uint8_t hash[32];
	digest_sha256(text, hash);
	struct policy_source source = {.type = trust ? POLICY_TRUST : POLICY_RESOURCE, .label = STR("")};
	struct str key = str_cat(c->arena, trust ? STR("trust/") : STR("resource/"), str_n(hash, sizeof(hash)));
	struct policy *p = NULL;
	struct policy_error why = {0};
	status s = c->cloud->documents ? policy_library_get(c->cloud->documents, key, text, &source, &p, &why)
				       : policy_parse(text, &source, &p, &why);
	if (is_ok(s))
		authz_attach(c->arena, d, r, p);
	else
		log_warn("call", "policy-unreadable", "arn=\"%.*s\" why=\"%s\"", STR_ARG(r->arn), why.message);
}

struct permit {
	struct policy_principal who;
	struct policy_way way;
	struct policy *endpoint;
	struct policy_context context;
	struct authz_demands demands;
	struct policy_bundle *bundle;
	struct str tag_policy; /* of the account, where the request has tags */
};

/* The caller's sessions tell when they were authenticated with MFA; the age of that is of this instant. */
static void set_mfa_age(struct call *c, struct permit *p)
{
	if (!p->bundle) return;
	const struct policy_key *k =
		policy_context_get(policy_bundle_context(p->bundle), STR("virga:MultiFactorAuthTime"));
	int64_t at_ms;
	if (k && k->n == 1 && is_ok(str_to_i64(k->values ? k->values[0] : k->one, &at_ms)))
		policy_context_set_i64(&p->context, STR("aws:MultiFactorAuthAge"), (c->now_ms - at_ms) / 1000);
}

/* "Close an account": its credentials end with it. */
static bool of_closed_account(const struct permit *p)
{
	return p->bundle && policy_context_get(policy_bundle_context(p->bundle), STR("virga:AccountSuspended"));
}

/* "Control access to VPC endpoints using endpoint policies": one that is gone, or cannot be read, allows nothing. */
static status arrive(struct exchange *e, struct permit *p, struct store_tx *tx)
{
	struct call *c = &e->call;
	struct policy_error why = {0};
	struct policy_source source = {.type = POLICY_ENDPOINT};
	uint8_t hash[32];
	const struct policy_provider *from = c->cloud->policies;
	struct str local;
	uint64_t netns = e->x ? edge_arrival(e->x, &local) : 0;
	if (!netns || !tx || !from || !from->arrive) return OK;
	TRY(from->arrive(from->ctx, tx, c->arena, netns, local, &p->way));
	if (!str_has(p->way.policy)) return OK;
	digest_sha256(p->way.policy, hash);
	struct str key = str_cat(c->arena, STR("endpoint/"), str_n(hash, sizeof(hash)));
	source.label = p->way.endpoint;
	if (!is_ok(c->cloud->documents
			    ? policy_library_get(c->cloud->documents, key, p->way.policy, &source, &p->endpoint, &why)
			    : policy_parse(p->way.policy, &source, &p->endpoint, &why)))
		log_warn(
			"call", "policy-unreadable", "endpoint=%.*s why=\"%s\"", STR_ARG(p->way.endpoint), why.message);
	return OK;
}

static status gather(struct exchange *e, struct permit *p, struct store_tx *tx)
{
	struct call *c = &e->call;
	TRY(arrive(e, p, tx));
	describe(e, &p->who, &p->way, &p->context);
	const struct policy_provider *from = c->cloud->policies;
	if (!from && c->principal.kind != PRINCIPAL_ANONYMOUS) p->who.kind = POLICY_CALLER_ROOT;
	if (from && c->principal.kind != PRINCIPAL_ANONYMOUS)
		TRY(from->bundle(from->ctx, tx, c->arena, &p->who, c->principal.session_record, &p->bundle));
	set_mfa_age(c, p);
	if (e->service && e->service->authorize) TRY(e->service->authorize(c, tx, e->in, &p->demands, &p->context));
	if (from && from->tags && policy_context_get(&p->context, STR("aws:TagKeys")))
		TRY(from->tags(from->ctx, tx, c->arena, c->account, &p->tag_policy));
	for (size_t i = 0; from && from->account && i < p->demands.n; i++)
		for (size_t j = 0; j < p->demands.v[i].n; j++)
			TRY(from->account(from->ctx, tx, c->arena, p->who.account, p->demands.v[i].action, &p->demands,
				&p->demands.v[i].resources[j]));
	return OK;
}

/* How services name what a tag policy refuses; the others' errors of input stand for it. */
static status refuse_tag(struct call *c, enum tag_fault fault, struct str key)
{
	static const struct {
		const char *service, *code, *before;
	} own[] = {
		{"acm", "TagPolicyException", ""},
		{"dynamodb", "ValidationException", "One or more parameter values were invalid: "},
		{"ec2", "TagPolicyViolation", ""},
		{"iam", "InvalidInput", ""},
		{"kms", "TagException", ""},
		{"organizations", "ConstraintViolationException", ""},
		{"s3", "TagPolicyException", ""},
		{"s3control", "TagPolicyException", ""},
		{"sns", "TagPolicy", ""},
	};
	const char *code = NULL, *before = "";
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(own[i].service, c->match.service->name) == 0) {
			code = own[i].code;
			before = own[i].before;
		}
	status s = call_fail(c, ERR_VALIDATION,
		"%sThe tag policy does not allow the specified %s for the following tag key: '%.*s'.", before,
		fault == TAG_FAULT_VALUE ? "value" : "capitalization", STR_ARG(key));
	if (code) {
		c->failure.code = str_c(code);
		c->failure.http_status = 400;
	}
	return s;
}

static status judge_tags(struct exchange *e, const struct permit *p)
{
	struct str key;
	if (!str_has(p->tag_policy)) return OK;
	enum tag_fault fault = tag_policy_judge(e->call.arena, p->tag_policy, &e->call.match, e->in, &p->demands, &key);
	return fault == TAG_FAULT_NONE ? OK : refuse_tag(&e->call, fault, key);
}

/* aws:ResourceAccount and S3's own name of it. Resources of one owner that have no keys of their own share a context.
 */
static void describe_resources(const struct exchange *e, struct authz_demands *d)
{
	struct arena *a = e->call.arena;
	struct policy_context *shared = NULL;
	struct str owner = STR("");
	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; j < d->v[i].n; j++) {
			struct policy_resource *r = &d->v[i].resources[j];
			if (!r->account.n) continue;
			if (!r->context && shared && str_eq(owner, r->account)) {
				r->context = shared;
				continue;
			}
			if (!r->context) {
				r->context = shared = arena_new(a, struct policy_context);
				*shared = POLICY_CONTEXT_IN(a);
				owner = r->account;
			}
			policy_context_set(r->context, STR("aws:ResourceAccount"), r->account);
			if (e->s3_dialect) policy_context_set(r->context, STR("s3:ResourceAccount"), r->account);
		}
}

/* action STR_NONE: what the operation demands; else that action on that resource, whatever the operation. */
static status permit(struct exchange *e, struct str action, struct str arn)
{
	struct call *c = &e->call;
	bool always = e->service && e->service->always_authorizes, anonymous = c->principal.kind == PRINCIPAL_ANONYMOUS;
	if ((!c->cloud->policies && !always) || (needs_no_permission(c) && !anonymous)) return OK;
	if (c->match.op->flags & WIRE_O_ANONYMOUS) return OK;
	struct arena_mark mark = arena_mark(c->arena);
	const struct after_commit *kept = e->at_end;
	struct permit p = {.who = call_policy_principal(c), .context = POLICY_CONTEXT_IN(c->arena)};
	struct authz_place place = {c->partition, c->region, c->account, e->wire.path};
	if (str_has(action))
		authz_add(c->arena, &p.demands, action, arn);
	else
		authz_demands(c->arena, &c->match, e->in, &place, &p.demands);
	struct store_tx *tx = c->cloud->store ? store_begin(c->cloud->store, c->arena, true) : NULL;
	status s = gather(e, &p, tx);
	if (tx) store_end(tx);
	if (is_ok(s)) {
		struct policy_verdict v;
		const struct policy *const endpoint[] = {p.endpoint};
		struct policy_list through = {endpoint, p.endpoint ? 1 : 0};
		describe_resources(e, &p.demands);
		if (of_closed_account(&p))
			s = call_fail(c, ERR_UNKNOWN_KEY, "The security token included in the request is invalid.");
		else if (!policy_authorize(c->arena, &p.who, p.bundle, str_has(p.way.endpoint) ? &through : NULL,
				 &p.demands, &p.context, e->s3_dialect, &v))
			s = refuse(e, &p.who, &v);
		else
			s = judge_tags(e, &p);
	} else if (!status_is(s, STATUS_FAILED)) {
		s = call_fail(c, ERR_INTERNAL, "The caller's policies could not be read.");
	}
	authz_release(&p.demands);
	policy_bundle_release(p.bundle);
	policy_free(p.endpoint);
	/* A call that waits long should not keep what it was judged by, unless the service has put something aside. */
	if (is_ok(s) && e->at_end == kept && !c->noted) arena_release(c->arena, mark);
	return s;
}

status exchange_permit(struct exchange *e)
{
	return permit(e, STR_NONE, STR_NONE);
}

status exchange_permit_action(struct exchange *e, struct str action, struct str arn)
{
	return permit(e, action, arn);
}

status call_permit(struct call *c, const struct wire_service *service, uint32_t op_index, const void *in)
{
	struct exchange *e = (struct exchange *)c;
	c->match.service = service;
	c->match.op = &service->tables.ops[op_index];
	c->match.op_index = op_index;
	c->match.protocol = (enum wire_protocol)service->protocol;
	c->match.op_name = wire_str(&service->tables, c->match.op->name);
	e->service = cloud_service(c->cloud, str_c(service->name));
	e->in = arena_copy(c->arena, in, service->tables.shapes[c->match.op->in].size);
	return exchange_permit(e);
}
