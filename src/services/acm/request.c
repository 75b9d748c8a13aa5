/* Certificates that ACM issues: requested, validated, signed by the installation's authority, renewed before they end.
 * One job to a certificate does what comes next. */
#include "identity/digest.h"
#include "services/acm/room.h"

void acm_schedule(struct store_tx *tx, struct arena *a, const struct acm_cert *cert, int64_t due_ms)
{
	struct job job = {.kind = STR(ACM_JOB),
		.id = str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(cert->account), STR_ARG(cert->region), STR_ARG(cert->id)),
		.due_ms = due_ms,
		.payload = STR("")};
	jobs_schedule(tx, &job);
}

void acm_take(struct acm_cert *cert, const struct acm_x509 *x)
{
	cert->r.certificate = x->pem;
	cert->r.serial = x->serial;
	cert->r.subject = x->subject;
	cert->r.issuer = x->issuer;
	cert->r.key_algorithm = x->key_algorithm;
	cert->r.signature_algorithm = x->signature_algorithm;
	cert->r.not_before = SOME_TIME(x->not_before_ms);
	cert->r.not_after = SOME_TIME(x->not_after_ms);
	cert->r.key_usages = x->key_usages;
	cert->r.extended_key_usages = x->extended_key_usages;
}

/* ── the job ── */

static status issue(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct acm_cert *cert, int64_t now)
{
	struct acm_x509 x;
	struct str certificate, chain, key;
	struct acm_order o = {.domain = cert->r.domain,
		.algorithm = cert->r.key_algorithm,
		.names = &cert->r.names,
		.now_ms = now,
		.valid_ms = ACM_VALID_DAYS * ACM_DAY_MS};
	TRY(acm_x509_issue(cloud, a, &o, &certificate, &chain, &key));
	TRY(acm_x509_read(a, certificate, &x));
	acm_take(cert, &x);
	cert->r.chain = chain;
	cert->r.key = vault_wrap(cloud->vault, a, acm_vault_context(a, cert), key);
	vault_wipe(key);
	if (str_is(cert->r.status, "ISSUED"))
		cert->r.renewed = SOME_TIME(now);
	else
		cert->r.issued = SOME_TIME(now);
	cert->r.status = STR("ISSUED");
	acm_put(tx, a, cert);
	acm_tell(cloud, tx, cert);
	return OK;
}

static int64_t renewal_ms(const struct acm_cert *cert)
{
	return cert->r.not_after.ms - ACM_RENEW_DAYS * ACM_DAY_MS;
}

status acm_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct acm_cert cert;
	struct str rest = job->id, account = str_cut(&rest, '/'), region = str_cut(&rest, '/');
	int64_t now = clock_now(cloud->clock);
	status s = acm_get(tx, a, account, region, rest, &cert);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	bool ours = str_is(cert.r.type, "AMAZON_ISSUED");
	if (!ours) return OK;
	if (str_is(cert.r.status, "PENDING_VALIDATION")) {
		TRY(issue(cloud, tx, a, &cert, now));
	} else if (str_is(cert.r.status, "ISSUED") && now >= renewal_ms(&cert)) {
		/* "A certificate is eligible for renewal if it is associated with another AWS service or has been
		 * exported" ("Managed certificate renewal", the guide). One that is in use later is renewed then. */
		bool eligible = cert.r.users.n || cert.r.exported.v;
		if (eligible)
			TRY(issue(cloud, tx, a, &cert, now));
		else if (now >= cert.r.not_after.ms)
			return OK;
		else {
			*again_ms = now + ACM_DAY_MS;
			return OK;
		}
	} else if (!str_is(cert.r.status, "ISSUED")) {
		return OK;
	}
	*again_ms = renewal_ms(&cert);
	return OK;
}

/* ── RequestCertificate ── */

/* The CNAME that shows who owns a domain: the same for each request of an account ("DNS validation", the guide). The
 * wildcard's is its parent's. */
static struct acm_resource_record *record_of(struct call *c, struct str account, struct str domain)
{
	struct str base = str_starts(domain, STR("*.")) ? str_from(domain, 2) : domain;
	uint8_t digest[32];
	digest_sha256(str_fmt(c->arena, "acm %.*s %.*s", STR_ARG(account), STR_ARG(base)), digest);
	struct str hash = str_hex(c->arena, str_n(digest, sizeof(digest)));
	struct acm_resource_record *r = arena_new(c->arena, struct acm_resource_record);
	r->name = str_fmt(c->arena, "_%.*s.%.*s.", STR_ARG(str_sub(hash, 0, 32)), STR_ARG(base));
	r->type = STR("CNAME");
	r->value = str_fmt(c->arena, "_%.*s.acm-validations.aws.", STR_ARG(str_sub(hash, 32, 32)));
	return r;
}

struct acm_domain_validation_list acm_validations(struct call *c, const struct acm_cert *cert, struct str state)
{
	static const char *const mailboxes[] = {"administrator", "hostmaster", "postmaster", "webmaster", "admin"};
	struct acm_domain_validation_list out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < cert->r.names.n; i++) {
		struct acm_domain_validation *v = VEC_PUSH(c->arena, &out, &capacity);
		struct str given = acm_get_pair(&cert->r.validation_domains, cert->r.names.v[i]);
		v->domain_name = cert->r.names.v[i];
		v->validation_domain = str_or(given, v->domain_name);
		v->validation_status = state;
		v->validation_method = cert->r.validation_method;
		if (str_is(cert->r.validation_method, "DNS")) {
			v->resource_record = record_of(c, cert->account, v->domain_name);
			continue;
		}
		size_t mails = 0;
		struct str at = str_starts(v->validation_domain, STR("*.")) ? str_from(v->validation_domain, 2)
									    : v->validation_domain;
		for (size_t k = 0; k < sizeof(mailboxes) / sizeof(mailboxes[0]); k++)
			*VEC_PUSH(c->arena, &v->validation_emails, &mails) =
				str_fmt(c->arena, "%s@%.*s", mailboxes[k], STR_ARG(at));
	}
	return out;
}

static status names_of(struct call *c, const struct acm_request_certificate_input *in, struct acm_rec_strings *out)
{
	size_t capacity = 0;
	*VEC_PUSH(c->arena, out, &capacity) = str_lower(c->arena, in->domain_name);
	for (size_t i = 0; i < in->subject_alternative_names.n; i++) {
		struct str name = str_lower(c->arena, in->subject_alternative_names.v[i]);
		bool there = false;
		for (size_t k = 0; k < out->n; k++) there = there || str_eq(out->v[k], name);
		if (!there) *VEC_PUSH(c->arena, out, &capacity) = name;
	}
	if (out->n > ACM_NAMES_MAX)
		return call_fail(c, ACM_ERR_LIMIT_EXCEEDED_EXCEPTION,
			"You have exceeded the maximum number of domain names (%d) for a certificate.", ACM_NAMES_MAX);
	return OK;
}

static status validation_of(struct call *c, const struct acm_request_certificate_input *in, struct acm_cert *cert)
{
	size_t capacity = 0;
	for (size_t i = 0; i < in->domain_validation_options.n; i++) {
		const struct acm_domain_validation_option *o = &in->domain_validation_options.v[i];
		struct str name = str_lower(c->arena, o->domain_name), at = str_lower(c->arena, o->validation_domain);
		bool known = false;
		for (size_t k = 0; k < cert->r.names.n; k++) known = known || str_eq(cert->r.names.v[k], name);
		bool above = str_eq(name, at) || str_ends(name, str_fmt(c->arena, ".%.*s", STR_ARG(at)));
		if (!known || !above)
			return call_fail(c, ACM_ERR_INVALID_DOMAIN_VALIDATION_OPTIONS_EXCEPTION,
				"The validation domain '%.*s' is not '%.*s' or one of its superdomains.", STR_ARG(at),
				STR_ARG(name));
		*VEC_PUSH(c->arena, &cert->r.validation_domains, &capacity) = (struct acm_rec_pairs_entry){name, at};
	}
	return OK;
}

static status count(struct call *c)
{
	struct str from = acm_prefix(c->arena, c->account, c->region), key, value;
	size_t n = 0;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) n++;
	TRY(store_scan_end(scan));
	if (n >= ACM_CERTIFICATES_MAX)
		return call_fail(c, ACM_ERR_LIMIT_EXCEEDED_EXCEPTION,
			"You have reached the maximum number of certificates (%d).", ACM_CERTIFICATES_MAX);
	return OK;
}

static struct str token_key(struct call *c, struct str token)
{
	struct key k = key_for(c->arena, STR("acm"), STR("token"), c->account, c->region);
	key_str(&k, token);
	return key_done(&k);
}

/* "If you call RequestCertificate multiple times with the same idempotency token within one hour, ACM recognizes that
 * you are requesting only one certificate". */
static status asked_before(struct call *c, struct str token, struct str domain, struct str *arn)
{
	struct str bytes;
	struct acm_rec_token t = {0};
	struct acm_cert cert;
	status s = store_get(c->tx, token_key(c, token), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(acm_rec_token_decode(c->arena, bytes, &t));
	if (t.made.ms + 60 * 60 * 1000 < c->now_ms || !str_eq(t.domain, domain)) return OK;
	s = acm_get(c->tx, c->arena, c->account, c->region, t.id, &cert);
	if (is_ok(s)) *arn = cert.arn;
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

status acm_request_certificate(
	struct call *c, const struct acm_request_certificate_input *in, struct acm_request_certificate_output *out)
{
	struct acm_cert cert = {.account = c->account, .region = c->region};
	if (str_has(in->certificate_authority_arn))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Certificates of AWS Private CA are not implemented.");
	if (str_has(in->managed_by) || str_is(in->validation_method, "HTTP"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Certificates managed by CloudFront are not implemented.");
	if (str_is(in->key_algorithm, "RSA_1024"))
		return call_fail(
			c, ERR_VALIDATION, "The key algorithm RSA_1024 is not supported for this certificate.");
	TRY(names_of(c, in, &cert.r.names));
	cert.r.domain = cert.r.names.v[0];
	if (str_has(in->idempotency_token)) {
		TRY(asked_before(c, in->idempotency_token, cert.r.domain, &out->certificate_arn));
		if (str_has(out->certificate_arn)) return OK;
	}
	TRY(validation_of(c, in, &cert));
	TRY(count(c));
	cert.arn = acm_new_arn(c, &cert.id);
	cert.r.type = STR("AMAZON_ISSUED");
	cert.r.status = STR("PENDING_VALIDATION");
	cert.r.created = SOME_TIME(c->now_ms);
	cert.r.key_algorithm = str_or(in->key_algorithm, STR("RSA_2048"));
	cert.r.validation_method = str_or(in->validation_method, STR("EMAIL"));
	cert.r.transparency = in->options ? in->options->certificate_transparency_logging_preference : STR_NONE;
	cert.r.transparency = str_or(cert.r.transparency, STR("ENABLED"));
	cert.r.export = in->options ? in->options->export : STR_NONE;
	cert.r.export = str_or(cert.r.export, STR("DISABLED"));
	TRY(acm_tags_set(c, &cert, &in->tags));
	acm_put(c->tx, c->arena, &cert);
	if (str_has(in->idempotency_token)) {
		struct acm_rec_token t = {.id = cert.id, .made = SOME_TIME(c->now_ms), .domain = cert.r.domain};
		store_put(c->tx, token_key(c, in->idempotency_token), acm_rec_token_encode(c->arena, &t));
	}
	acm_schedule(c->tx, c->arena, &cert, c->now_ms + ACM_ISSUE_MS);
	out->certificate_arn = cert.arn;
	return OK;
}

status acm_update_certificate_options(struct call *c, const struct acm_update_certificate_options_input *in,
	struct acm_update_certificate_options_output *out)
{
	struct acm_cert cert;
	(void)out;
	TRY(acm_find(c, in->certificate_arn, &cert));
	if (str_is(cert.r.type, "IMPORTED") || !str_is(acm_status(&cert.r, c->now_ms), "ISSUED"))
		return call_fail(c, ACM_ERR_INVALID_STATE_EXCEPTION,
			"The certificate %.*s is not in a state in which its options can be updated.",
			STR_ARG(cert.arn));
	if (str_has(in->options->export))
		return call_fail(
			c, ERR_VALIDATION, "The Export option cannot be updated after the certificate was requested.");
	if (str_has(in->options->certificate_transparency_logging_preference))
		cert.r.transparency = in->options->certificate_transparency_logging_preference;
	acm_put(c->tx, c->arena, &cert);
	return OK;
}
