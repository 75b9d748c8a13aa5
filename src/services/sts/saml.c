/* AssumeRoleWithSAML: an identity provider's signed response instead of credentials. It has to be of a provider that
 * the role's account knows, for AWS, within its time and its first use; then the role's trust policy decides, with what
 * the assertion says as condition keys ("Configure SAML assertions for the authentication response", "Available keys
 * for SAML-based AWS STS federation"). */
#include "services/sts/saml.h"
#include "services/sts/internal.h"
#include "store/key.h"
#include "sts_state.h"
#include <openssl/evp.h>

#define ATTRIBUTE(name) "https://aws.amazon.com/SAML/Attributes/" name
#define SKEW_MS (5 * 60 * 1000)
#define REDEEM_MS (5 * 60 * 1000) /* "Token must be redeemed within 5 minutes of issuance" */
#define SWEEP_MAX 100

struct federation {
	struct saml_assertion assertion;
	struct iam_rec_provider provider;
	struct str account, provider_arn, provider_name, audience, session_name, subject_type, qualifier;
	struct iam_rec_tags tags;
	struct iam_rec_strings transitive;
	struct str source_identity;
	int64_t session_s; /* 0: the assertion does not say */
};

static const struct saml_attribute *find(const struct saml_assertion *a, const char *name)
{
	for (size_t i = 0; i < a->attributes.n; i++)
		if (str_eq(a->attributes.v[i].name, str_c(name))) return &a->attributes.v[i];
	return NULL;
}

static struct str first_of(const struct saml_attribute *a)
{
	return a && a->values.n ? a->values.v[0] : STR_NONE;
}

static status invalid(struct call *c, const char *why)
{
	return STS_FAIL(c, INVALID_IDENTITY_TOKEN, "%s", why);
}

/* arn:aws:iam::ACCOUNT:saml-provider/NAME */
static status find_provider(struct call *c, struct str arn, struct federation *f)
{
	struct str rest = arn;
	for (int i = 0; i < 4 && str_has(rest); i++) (void)str_cut(&rest, ':');
	f->account = str_has(rest) ? str_cut(&rest, ':') : STR("");
	f->provider_arn = arn;
	if (!str_has(rest) || !str_starts(rest, STR("saml-provider/")))
		return call_fail(c, ERR_VALIDATION, "Invalid principal: %.*s", STR_ARG(arn));
	f->provider_name = str_from(rest, sizeof("saml-provider/") - 1);
	status s = iam_saml_peek(c->tx, c->arena, f->account, f->provider_name, &f->provider);
	return status_is(s, STATUS_NOT_FOUND) ? invalid(c, "Issuer not present in specified provider") : s;
}

static status read(struct call *c, struct str text, struct federation *f)
{
	static const char *const why[] = {
		[SAML_NO_LIBRARY] = "",
		[SAML_MALFORMED] = "Invalid base64 SAMLResponse",
		[SAML_REJECTED] = "The identity provider did not authenticate the user",
		[SAML_UNSIGNED] = "Response signature invalid: neither the response nor its assertion is signed",
		[SAML_FORGED] = "Response signature invalid",
		[SAML_OTHER_ISSUER] = "Issuer not present in specified provider",
	};
	struct buf b = BUF_IN(c->arena);
	struct str xml;
	for (size_t i = 0; i < text.n; i++)
		if (!strchr(" \t\r\n", text.p[i])) buf_byte(&b, text.p[i]);
	if (!is_ok(str_unbase64(c->arena, buf_done(&b), &xml))) return invalid(c, why[SAML_MALFORMED]);
	enum saml_verdict v = saml_read(c->state, c->arena, xml, f->provider.metadata, &f->assertion);
	if (v == SAML_NO_LIBRARY)
		return call_fail(c, ERR_UNAVAILABLE,
			"SAML needs libxml2, which this machine has not (Debian: apt install libxml2).");
	if (v == SAML_REJECTED) return STS_FAIL(c, IDP_REJECTED_CLAIM, "%s", why[v]);
	return v == SAML_GOOD ? OK : invalid(c, why[v]);
}

static bool is_sign_in(struct str url)
{
	/* https://signin.aws.amazon.com/saml, https://REGION.signin.aws.amazon.com/saml, … with /acs/… behind it */
	if (!str_starts(url, STR("https://"))) return false;
	struct str rest = str_from(url, 8), host = str_cut(&rest, '/');
	bool known = str_is(host, "signin.aws.amazon.com") || str_ends(host, STR(".signin.aws.amazon.com"));
	return known && str_has(rest) && (str_is(rest, "saml") || str_starts(rest, STR("saml/")));
}

static status check_times(struct call *c, const struct saml_assertion *a)
{
	int64_t now = c->now_ms;
	int64_t until = a->confirmed_until_ms;
	if (a->not_after_ms && (!until || a->not_after_ms < until)) until = a->not_after_ms;
	if (!a->issued_ms || !a->confirmed_until_ms)
		return invalid(c, "The assertion does not say when it was issued or ends");
	if (now >= until || now >= a->issued_ms + REDEEM_MS)
		return STS_FAIL(c, EXPIRED_TOKEN, "Token must be redeemed within 5 minutes of issuance");
	if (a->not_before_ms > now + SKEW_MS || a->issued_ms > now + SKEW_MS)
		return invalid(c, "The assertion is not valid yet");
	return OK;
}

static status check_purpose(struct call *c, struct federation *f)
{
	const struct saml_assertion *a = &f->assertion;
	for (size_t i = 0; i < a->audiences.n && !str_has(f->audience); i++)
		if (is_sign_in(a->audiences.v[i]) || str_is(a->audiences.v[i], "urn:amazon:webservices"))
			f->audience = a->audiences.v[i];
	if (!str_has(f->audience)) return invalid(c, "Audience is not AWS");
	/* The key saml:aud is the recipient, "which is the same as" the endpoint that the assertion was posted to. */
	if (!str_is(a->confirmation_method, "urn:oasis:names:tc:SAML:2.0:cm:bearer") || !is_sign_in(a->recipient))
		return invalid(c, "Recipient or confirmation method of the subject is not AWS's");
	if (!a->subject.n) return invalid(c, "The assertion has no subject");
	f->audience = a->recipient;
	return OK;
}

/* "role_arn,provider_arn", in either order. */
static status check_role(struct call *c, const struct federation *f, struct str role_arn)
{
	const struct saml_attribute *roles = find(&f->assertion, ATTRIBUTE("Role"));
	for (size_t i = 0; roles && i < roles->values.n; i++) {
		struct str rest = roles->values.v[i], x = str_trim(str_cut(&rest, ',')),
			   y = str_has(rest) ? str_trim(rest) : STR("");
		if ((str_eq(x, role_arn) && str_eq(y, f->provider_arn)) ||
			(str_eq(y, role_arn) && str_eq(x, f->provider_arn)))
			return OK;
	}
	return call_fail(c, ERR_ACCESS_DENIED, "Not authorized to perform sts:AssumeRoleWithSAML");
}

static status read_session(struct call *c, struct federation *f)
{
	static const char tag[] = ATTRIBUTE("PrincipalTag:");
	size_t capacity = 0, transitive = 0;
	f->session_name = first_of(find(&f->assertion, ATTRIBUTE("RoleSessionName")));
	bool good = str_has(f->session_name) && f->session_name.n >= 2 && f->session_name.n <= 64;
	for (size_t i = 0; good && i < f->session_name.n; i++) {
		char ch = f->session_name.p[i];
		good = (ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') || strchr("_+=,.@-", ch);
	}
	if (!good)
		return invalid(
			c, "RoleSessionName is required in AuthnResponse and has to match [a-zA-Z_0-9+=,.@-]{2,64}");
	struct str seconds = first_of(find(&f->assertion, ATTRIBUTE("SessionDuration")));
	if (str_has(seconds) &&
		(!is_ok(str_to_i64(seconds, &f->session_s)) || f->session_s < 900 || f->session_s > 43200))
		return invalid(c, "SessionDuration has to be between 900 and 43200 seconds");
	f->source_identity = first_of(find(&f->assertion, ATTRIBUTE("SourceIdentity")));
	for (size_t i = 0; i < f->assertion.attributes.n; i++) {
		const struct saml_attribute *a = &f->assertion.attributes.v[i];
		if (str_starts(a->name, STR("https://aws.amazon.com/SAML/Attributes/PrincipalTag:")))
			*VEC_PUSH(c->arena, &f->tags, &capacity) = (struct iam_rec_tags_entry){
				str_from(a->name, sizeof(tag) - 1), str_or(first_of(a), STR(""))};
	}
	const struct saml_attribute *keys = find(&f->assertion, ATTRIBUTE("TransitiveTagKeys"));
	for (size_t i = 0; keys && i < keys->values.n; i++)
		*VEC_PUSH(c->arena, &f->transitive, &transitive) = keys->values.v[i];
	return OK;
}

/* Base64 of SHA-1 over issuer, account and provider ("AssumeRoleWithSAML", NameQualifier). */
static void qualify(struct call *c, struct federation *f)
{
	struct str text = str_fmt(c->arena, "%.*s%.*s/%.*s", STR_ARG(f->assertion.issuer), STR_ARG(f->account),
		STR_ARG(f->provider_name));
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	INVARIANT(EVP_Digest(text.p, text.n, hash, &n, EVP_sha1(), NULL) == 1);
	f->qualifier = str_base64(c->arena, str_n(hash, n));
	static const char prefix[] = "urn:oasis:names:tc:SAML:2.0:nameid-format:";
	struct str format =
		str_or(f->assertion.subject_format, STR("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"));
	f->subject_type = str_starts(format, str_c(prefix)) ? str_from(format, sizeof(prefix) - 1) : format;
}

/* A bearer assertion is good once (SAML Profiles 4.1.4.5). What has expired is forgotten on the way. */
static status redeem(struct call *c, const struct federation *f)
{
	struct key k = key_for(c->arena, STR("sts"), STR("saml"), f->account, STR(""));
	key_str(&k, f->provider_arn);
	struct str all = key_done(&k), key, value, bytes;
	struct store_scan *scan = store_scan_begin(c->tx, all, key_after(c->arena, all), false);
	for (size_t i = 0; i < SWEEP_MAX && store_scan_next(scan, &key, &value); i++) {
		struct sts_rec_redeemed r = {0};
		TRY(sts_rec_redeemed_decode(c->arena, str_dup(c->arena, value), &r));
		if (r.expires.ms <= c->now_ms) store_delete(c->tx, str_dup(c->arena, key));
	}
	TRY(store_scan_end(scan));
	key_str(&k, f->assertion.id);
	status s = store_get(c->tx, key_done(&k), &bytes);
	if (is_ok(s)) return invalid(c, "The assertion was redeemed before");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct sts_rec_redeemed r = {.expires = SOME_TIME(f->assertion.issued_ms + REDEEM_MS + SKEW_MS)};
	store_put(c->tx, key_done(&k), sts_rec_redeemed_encode(c->arena, &r));
	return OK;
}

static void add_key(struct call *c, struct policy_context *k, struct iam_rec_tags *keep, size_t *capacity,
	const char *name, struct str value)
{
	if (!str_has(value) || !value.n) return;
	policy_context_set(k, str_c(name), value);
	*VEC_PUSH(c->arena, keep, capacity) = (struct iam_rec_tags_entry){str_c(name), value};
}

static void describe(struct call *c, const struct federation *f, struct policy_context *k, struct iam_rec_session *r)
{
	size_t capacity = 0, n = 0;
	policy_context_set_now(k, c->now_ms);
	policy_context_set(k, STR("aws:FederatedProvider"), f->provider_arn);
	policy_context_set(k, STR("sts:RoleSessionName"), f->session_name);
	if (str_has(f->source_identity)) policy_context_set(k, STR("sts:SourceIdentity"), f->source_identity);
	add_key(c, k, &r->keys, &capacity, "saml:aud", f->audience);
	add_key(c, k, &r->keys, &capacity, "saml:iss", f->assertion.issuer);
	add_key(c, k, &r->keys, &capacity, "saml:sub", f->assertion.subject);
	add_key(c, k, &r->keys, &capacity, "saml:sub_type", f->subject_type);
	add_key(c, k, &r->keys, &capacity, "saml:namequalifier", f->qualifier);
	add_key(c, k, &r->keys, &capacity, "saml:doc",
		str_fmt(c->arena, "%.*s/%.*s", STR_ARG(f->account), STR_ARG(f->provider_name)));
	struct str *keys = arena_new_n(c->arena, struct str, f->tags.n + 1);
	for (; n < f->tags.n; n++) {
		policy_context_set_tag(k, STR("aws:RequestTag/"), f->tags.v[n].key, f->tags.v[n].value);
		keys[n] = f->tags.v[n].key;
	}
	if (n) policy_context_set_list(k, STR("aws:TagKeys"), keys, n);
	if (f->transitive.n) policy_context_set_list(k, STR("sts:TransitiveTagKeys"), f->transitive.v, f->transitive.n);
}

static status require_trust(struct call *c, const struct federation *f, struct str role_arn,
	const struct iam_rec_entity *role, const struct policy_context *k)
{
	struct str actions[3] = {STR("sts:AssumeRoleWithSAML")};
	size_t n = 1;
	if (f->tags.n) actions[n++] = STR("sts:TagSession");
	if (str_has(f->source_identity)) actions[n++] = STR("sts:SetSourceIdentity");
	return sts_require_trust(c, f->provider_arn, f->account, role_arn, role, actions, n, k);
}

/* The assertion's tags as a request's, so that they are held to the same rules. */
static status scope_of(struct call *c, const struct federation *f, const struct sts_assume_role_with_saml_input *in,
	struct iam_rec_session *r, struct opt_i32 *packed)
{
	struct sts_tag_list_type tags = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < f->tags.n; i++)
		*VEC_PUSH(c->arena, &tags, &capacity) = (struct sts_tag){f->tags.v[i].key, f->tags.v[i].value};
	struct sts_tag_key_list_type transitive = {f->transitive.v, f->transitive.n};
	struct sts_scope scope = {in->policy, &in->policy_arns, &tags, &transitive, f->source_identity};
	return sts_scope_check(c, &scope, r, packed);
}

/* "the expiration is the shorter of" what is asked and what the assertion says. */
static struct opt_i32 duration_of(const struct federation *f, struct opt_i32 asked)
{
	if (!f->session_s || (asked.has && asked.v < f->session_s)) return asked;
	return SOME_I32((int32_t)f->session_s);
}

status sts_assume_role_with_saml(
	struct call *c, const struct sts_assume_role_with_saml_input *in, struct sts_assume_role_with_saml_output *out)
{
	struct federation f = {0};
	struct iam_rec_entity role;
	struct iam_rec_session r = {0};
	struct str account, path, name;
	TRY(find_provider(c, in->principal_arn, &f));
	TRY(read(c, in->saml_assertion, &f));
	TRY(check_times(c, &f.assertion));
	TRY(check_purpose(c, &f));
	TRY(check_role(c, &f, in->role_arn));
	TRY(read_session(c, &f));
	qualify(c, &f);
	bool there = sts_role_arn_split(in->role_arn, &account, &path, &name) && str_eq(account, f.account);
	status s = there ? iam_peek(c->tx, c->arena, IAM_ROLE, account, name, &role) : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(role.path, path)))
		return call_fail(c, ERR_ACCESS_DENIED, "Not authorized to perform sts:AssumeRoleWithSAML");
	TRY(s);
	struct policy_context k = POLICY_CONTEXT_IN(c->arena);
	r.provider = f.provider_arn;
	describe(c, &f, &k, &r);
	TRY(require_trust(c, &f, in->role_arn, &role, &k));
	TRY(redeem(c, &f));
	c->account = account; /* managed session policies are the role's account's */
	TRY(scope_of(c, &f, in, &r, &out->packed_policy_size));
	struct sts_role_session session;
	TRY(sts_role_begin(c, &role, account, in->role_arn, f.session_name, duration_of(&f, in->duration_seconds),
		false, &r, &session));
	out->credentials = session.credentials;
	out->assumed_role_user = session.user;
	out->subject = f.assertion.subject;
	out->subject_type = f.subject_type;
	out->issuer = f.assertion.issuer;
	out->audience = f.audience;
	out->name_qualifier = f.qualifier;
	out->source_identity = r.source_identity;
	return OK;
}
