/* Who made a call: the userIdentity element ("CloudTrail userIdentity element"). */
#include "base/json.h"
#include "iam_state.h"
#include "services/cloudtrail/room.h"
#include "sts.h"

static void member(struct buf *b, const char *name, struct str value)
{
	if (b->n && b->p[b->n - 1] != '{') buf_byte(b, ',');
	buf_fmt(b, "\"%s\":", name);
	json_quote(b, str_or(value, STR("")));
}

/* call/inside.h gives its calls this peer, and the service that asks as their agent. */
struct str ct_invoker(const struct call *c)
{
	if (!c->http || !str_ends(c->http->peer, STR(":0"))) return STR_NONE;
	struct str agent = call_request_header(c, STR("User-Agent"));
	return str_ends(str_or(agent, STR("")), STR(".amazonaws.com")) ? agent : STR_NONE;
}

struct str ct_address(const struct call *c)
{
	struct str invoker = ct_invoker(c);
	if (str_has(invoker)) return invoker;
	struct str peer = c->http ? c->http->peer : STR("127.0.0.1:0");
	ptrdiff_t colon = str_rchr(peer, ':');
	if (colon >= 0) peer = str_sub(peer, 0, (size_t)colon);
	return str_starts(peer, STR("[")) && str_ends(peer, STR("]")) ? str_sub(peer, 1, peer.n - 2) : peer;
}

struct str ct_username(struct call *c)
{
	const struct principal *p = &c->principal;
	switch (p->kind) {
	case PRINCIPAL_ROOT:
		return STR("root");
	case PRINCIPAL_USER:
		return p->name;
	case PRINCIPAL_ASSUMED_ROLE:
		return p->session;
	case PRINCIPAL_FEDERATED:
		return str_or(p->session, p->name);
	case PRINCIPAL_SERVICE:
	case PRINCIPAL_ANONYMOUS:
		return STR_NONE;
	}
	return STR_NONE;
}

static bool session_of(struct call *c, struct iam_rec_session *s)
{
	*s = (struct iam_rec_session){0};
	return c->principal.session_record.n && is_ok(iam_rec_session_decode(c->arena, c->principal.session_record, s));
}

static void attributes(struct buf *b, struct call *c, const struct iam_rec_session *s)
{
	buf_lit(b, "\"attributes\":{");
	member(b, "creationDate", time_iso8601(c->arena, s->issued.ms, false));
	member(b, "mfaAuthenticated", s->mfa_at.has ? STR("true") : STR("false"));
	buf_byte(b, '}');
}

static void issuer(struct buf *b, struct call *c, const struct iam_rec_session *s, const char *type)
{
	ptrdiff_t slash = str_rchr(s->issuer_arn, '/');
	buf_lit(b, "\"sessionIssuer\":{");
	member(b, "type", str_c(type));
	member(b, "principalId", s->issuer_id);
	member(b, "arn", s->issuer_arn);
	member(b, "accountId", c->principal.account);
	if (slash >= 0) member(b, "userName", str_from(s->issuer_arn, (size_t)slash + 1));
	buf_byte(b, '}');
}

static void session_context(struct buf *b, struct call *c)
{
	struct iam_rec_session s;
	if (!session_of(c, &s)) return;
	buf_lit(b, ",\"sessionContext\":{");
	if (c->principal.kind == PRINCIPAL_ASSUMED_ROLE) {
		issuer(b, c, &s, "Role");
		buf_lit(b, ",\"webIdFederationData\":{");
		if (str_has(s.provider)) {
			member(b, "federatedProvider", s.provider);
			buf_lit(b, ",\"attributes\":{");
			for (size_t i = 0; i < s.keys.n; i++) {
				if (i) buf_byte(b, ',');
				json_quote(b, s.keys.v[i].key);
				buf_byte(b, ':');
				json_quote(b, s.keys.v[i].value);
			}
			buf_byte(b, '}');
		}
		buf_lit(b, "},");
	} else if (c->principal.kind == PRINCIPAL_FEDERATED) {
		issuer(b, c, &s, str_ends(s.issuer_arn, STR(":root")) ? "Root" : "IAMUser");
		buf_byte(b, ',');
	}
	attributes(b, c, &s);
	if (str_has(s.source_identity)) member(b, "sourceIdentity", s.source_identity);
	buf_byte(b, '}');
}

/* Who calls without credentials of AWS: by what the identity provider said, where the call was answered. */
static bool federated(struct buf *b, struct call *c)
{
	if (strcmp(c->match.service->name, "sts") != 0) return false;
	bool web = c->match.op_index == STS_OP_ASSUME_ROLE_WITH_WEB_IDENTITY;
	if (!web && c->match.op_index != STS_OP_ASSUME_ROLE_WITH_SAML) return false;
	bool answered = !str_has(c->failure.message);
	buf_byte(b, '{');
	member(b, "type", web ? STR("WebIdentityUser") : STR("SAMLUser"));
	if (web && answered) {
		const struct sts_assume_role_with_web_identity_response *r = call_output(c);
		member(b, "principalId",
			str_fmt(c->arena, "%.*s:%.*s:%.*s", STR_ARG(r->provider), STR_ARG(r->audience),
				STR_ARG(r->subject_from_web_identity_token)));
		member(b, "userName", r->subject_from_web_identity_token);
		member(b, "identityProvider", r->provider);
	} else if (answered) {
		const struct sts_assume_role_with_saml_response *r = call_output(c);
		member(b, "principalId",
			str_fmt(c->arena, "%.*s:%.*s", STR_ARG(r->name_qualifier), STR_ARG(r->subject)));
		member(b, "userName", r->subject);
		member(b, "identityProvider", r->name_qualifier);
	}
	buf_byte(b, '}');
	return true;
}

void ct_identity(struct buf *b, struct call *c, bool foreign)
{
	static const char *const types[] = {
		[PRINCIPAL_ROOT] = "Root",
		[PRINCIPAL_USER] = "IAMUser",
		[PRINCIPAL_ASSUMED_ROLE] = "AssumedRole",
		[PRINCIPAL_FEDERATED] = "FederatedUser",
		[PRINCIPAL_SERVICE] = "AWSService",
		[PRINCIPAL_ANONYMOUS] = "AWSAccount",
	};
	const struct principal *p = &c->principal;
	struct str invoker = ct_invoker(c);
	if (p->kind == PRINCIPAL_ANONYMOUS && federated(b, c)) return;
	buf_byte(b, '{');
	if (p->kind == PRINCIPAL_SERVICE) {
		member(b, "type", STR("AWSService"));
		member(b, "invokedBy", str_has(invoker) ? invoker : p->name);
	} else if (p->kind == PRINCIPAL_ANONYMOUS) {
		member(b, "type", STR("AWSAccount"));
		member(b, "principalId", STR(""));
		member(b, "accountId", STR("ANONYMOUS_PRINCIPAL"));
	} else if (foreign) {
		member(b, "type", STR("AWSAccount"));
		member(b, "principalId", p->user_id);
		member(b, "accountId", p->account);
	} else {
		member(b, "type", str_c(types[p->kind]));
		member(b, "principalId", p->user_id);
		member(b, "arn", p->arn);
		member(b, "accountId", p->account);
		if (str_has(p->access_key) && p->access_key.n) member(b, "accessKeyId", p->access_key);
		if (p->kind == PRINCIPAL_USER) member(b, "userName", p->name);
		session_context(b, c);
		if (str_has(invoker)) member(b, "invokedBy", invoker);
	}
	buf_byte(b, '}');
}
