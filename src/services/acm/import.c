/* Certificates that clients bring, and those that they take along. "Prerequisites for importing", the guide: PEM, a key
 * that is not encrypted and fits, a chain that leads on from the certificate, valid now. */
#include "services/acm/room.h"

static status mismatch(struct call *c, enum acm_mismatch what)
{
	switch (what) {
	case ACM_FITS:
		return OK;
	case ACM_BAD_KEY:
		return call_fail(c, ERR_VALIDATION, "The private key is not supported.");
	case ACM_ENCRYPTED_KEY:
		return call_fail(
			c, ERR_VALIDATION, "The private key is encrypted. Provide an unencrypted private key.");
	case ACM_OTHER_KEY:
		return call_fail(c, ERR_VALIDATION, "The private key does not match the certificate's public key.");
	case ACM_BAD_CHAIN:
		return call_fail(c, ERR_VALIDATION, "The certificate chain is not valid.");
	case ACM_OTHER_CHAIN:
		return call_fail(c, ERR_VALIDATION, "Could not validate the certificate with the certificate chain.");
	}
	UNREACHABLE();
}

static status check_dates(struct call *c, const struct acm_x509 *x)
{
	if (x->not_before_ms > c->now_ms)
		return call_fail(c, ERR_VALIDATION, "The certificate is not in effect until %.*s.",
			STR_ARG(time_rfc822(c->arena, x->not_before_ms)));
	if (x->not_after_ms <= c->now_ms) return call_fail(c, ERR_VALIDATION, "The certificate has expired.");
	return OK;
}

static bool is_supported(struct str algorithm)
{
	return str_is(algorithm, "RSA_1024") || str_is(algorithm, "RSA_2048") || str_is(algorithm, "RSA_3072") ||
	       str_is(algorithm, "RSA_4096") || str_is(algorithm, "EC_prime256v1") ||
	       str_is(algorithm, "EC_secp384r1") || str_is(algorithm, "EC_secp521r1");
}

/* Again under the same ARN: "the domain name must match, the tags cannot be given" (ImportCertificate, the reference).
 */
static status again(struct call *c, const struct acm_import_certificate_input *in, struct acm_cert *cert)
{
	TRY(acm_find(c, in->certificate_arn, cert));
	if (!str_is(cert->r.type, "IMPORTED"))
		return call_fail(c, ERR_VALIDATION, "You can only import over a certificate that was imported.");
	if (in->tags.n) return call_fail(c, ERR_VALIDATION, "Tagging is not permitted on re-import.");
	return OK;
}

status acm_import_certificate(
	struct call *c, const struct acm_import_certificate_input *in, struct acm_import_certificate_output *out)
{
	struct acm_cert cert = {.account = c->account, .region = c->region};
	struct acm_x509 x;
	struct str key, chain = str_or(in->certificate_chain, STR(""));
	if (str_has(in->certificate_arn)) TRY(again(c, in, &cert));
	bool old = str_has(cert.id);
	if (!is_ok(acm_x509_read(c->arena, in->certificate, &x)) || !str_has(x.domain))
		return call_fail(c, ERR_VALIDATION,
			"The certificate field contains more than one certificate. You can specify only one "
			"certificate in this field, "
			"in PEM.");
	if (!is_supported(x.key_algorithm))
		return call_fail(c, ERR_VALIDATION, "The key algorithm of the certificate is not supported.");
	TRY(mismatch(c, acm_x509_check(c->arena, x.pem, chain, in->private_key, &key)));
	TRY(check_dates(c, &x));
	if (old && !str_eq(x.domain, cert.r.domain))
		return call_fail(c, ERR_VALIDATION, "The domain name of the certificate must not change on re-import.");
	if (!old) cert.arn = acm_new_arn(c, &cert.id);
	acm_take(&cert, &x);
	cert.r.domain = x.domain;
	cert.r.names = x.names;
	cert.r.chain = chain;
	cert.r.key = vault_wrap(c->cloud->vault, c->arena, acm_vault_context(c->arena, &cert), key);
	vault_wipe(key);
	cert.r.type = STR("IMPORTED");
	cert.r.status = STR("ISSUED");
	cert.r.created = old ? cert.r.created : SOME_TIME(c->now_ms);
	cert.r.imported = SOME_TIME(c->now_ms);
	cert.r.transparency = STR("DISABLED");
	if (!old) TRY(acm_tags_set(c, &cert, &in->tags));
	acm_put(c->tx, c->arena, &cert);
	if (old) acm_tell(c->cloud, c->tx, &cert);
	out->certificate_arn = cert.arn;
	return OK;
}

/* ── out ── */

static status pending(struct call *c, const struct acm_cert *cert)
{
	if (!str_is(cert->r.status, "PENDING_VALIDATION")) return OK;
	return call_fail(c, ACM_ERR_REQUEST_IN_PROGRESS_EXCEPTION,
		"Certificate %.*s is not yet issued: its domains are being validated.", STR_ARG(cert->arn));
}

status acm_get_certificate(
	struct call *c, const struct acm_get_certificate_input *in, struct acm_get_certificate_output *out)
{
	struct acm_cert cert;
	TRY(acm_find(c, in->certificate_arn, &cert));
	TRY(pending(c, &cert));
	out->certificate = cert.r.certificate;
	if (cert.r.chain.n) out->certificate_chain = cert.r.chain;
	return OK;
}

/* "You can export certificates issued by AWS Private CA, and public ones that were requested as exportable". */
status acm_export_certificate(
	struct call *c, const struct acm_export_certificate_input *in, struct acm_export_certificate_output *out)
{
	struct acm_cert cert;
	struct str key;
	TRY(acm_find(c, in->certificate_arn, &cert));
	TRY(pending(c, &cert));
	if (!str_is(cert.r.export, "ENABLED") || !str_is(cert.r.status, "ISSUED"))
		return call_fail(c, ERR_VALIDATION,
			"Certificate ARN: %.*s is not a private certificate, and is not exportable.",
			STR_ARG(cert.arn));
	TRY(vault_unwrap(c->cloud->vault, c->arena, acm_vault_context(c->arena, &cert), cert.r.key, &key));
	status s = acm_x509_lock(c->arena, key, in->passphrase, &out->private_key);
	vault_wipe(key);
	if (!is_ok(s)) return call_fail(c, ERR_VALIDATION, "The passphrase cannot be used.");
	out->certificate = cert.r.certificate;
	out->certificate_chain = cert.r.chain;
	cert.r.exported = SOME_BOOL(true);
	acm_put(c->tx, c->arena, &cert);
	return OK;
}
