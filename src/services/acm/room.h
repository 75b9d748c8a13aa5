/* What the files of Certificate Manager share. "The guide" in these files is the AWS Certificate Manager User Guide. */
#pragma once
#include "acm.h"
#include "acm_state.h"
#include "base/vec.h"
#include "call/call.h"
#include "services/acm/door.h"
#include "store/key.h"
#include "vault/vault.h"

#define ACM_JOB "acm.certificate"
#define ACM_DAY_MS (24ll * 60 * 60 * 1000)
/* "Quotas" and "Managed certificate renewal", the guide. */
enum {
	ACM_NAMES_MAX = 10, /* "Number of domain names per ACM certificate": the quota that accounts begin with */
	ACM_CERTIFICATES_MAX = 2500,
	ACM_TAGS_MAX = 50,
	ACM_VALID_DAYS = 395,
	ACM_RENEW_DAYS = 60,
	ACM_VALIDATION_HOURS = 72,
	ACM_ISSUE_MS = 1000, /* how long validation takes: docs/decisions/0050-acm.md */
};

struct acm_cert {
	struct str account, region, id, arn;
	struct acm_rec_certificate r;
};

/* ── records.c ── */
/* ARN and key belong together. NOT_FOUND. */
status acm_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str id,
	struct acm_cert *out) MUST_USE;
/* By ARN, of the call's place; InvalidArnException, ResourceNotFoundException. */
status acm_find(struct call *c, struct str arn, struct acm_cert *out) MUST_USE;
void acm_put(struct store_tx *tx, struct arena *a, const struct acm_cert *cert);
struct str acm_new_arn(struct call *c, struct str *id);
struct str acm_prefix(struct arena *a, struct str account, struct str region);
/* The status as of now. */
struct str acm_status(const struct acm_rec_certificate *r, int64_t now_ms);
struct str acm_get_pair(const struct acm_rec_pairs *m, struct str name);
/* "acm" 0x00 account 0x00 region 0x00 id */
struct str acm_vault_context(struct arena *a, const struct acm_cert *cert);
void acm_tell(struct cloud *cloud, struct store_tx *tx, const struct acm_cert *cert);
status acm_tags_set(struct call *c, struct acm_cert *cert, const struct acm_tag_list *tags) MUST_USE;

/* ── x509.c ── certificates and keys as OpenSSL reads them. */
struct acm_x509 {
	struct str pem; /* as it was given, without what is around it */
	struct str domain;
	struct str serial, subject, issuer, key_algorithm, signature_algorithm;
	int64_t not_before_ms, not_after_ms;
	struct acm_rec_strings names, key_usages, extended_key_usages;
};
/* INVALID: not exactly one certificate in PEM. */
status acm_x509_read(struct arena *a, struct str pem, struct acm_x509 *out) MUST_USE;
enum acm_mismatch { ACM_FITS, ACM_BAD_KEY, ACM_ENCRYPTED_KEY, ACM_OTHER_KEY, ACM_BAD_CHAIN, ACM_OTHER_CHAIN };
/* Does the key belong to the certificate, and was it signed by the first of the chain, that by the next …? *key: the
 * same as PKCS #8 in PEM. */
enum acm_mismatch acm_x509_check(
	struct arena *a, struct str certificate, struct str chain, struct str key_pem, struct str *key);
/* A new key and the local authority's certificate for it. algorithm: RSA_2048, EC_prime256v1, … */
struct acm_order {
	struct str domain, algorithm;
	const struct acm_rec_strings *names;
	int64_t now_ms, valid_ms;
};
status acm_x509_issue(struct cloud *cloud, struct arena *a, const struct acm_order *o, struct str *certificate,
	struct str *chain, struct str *key) MUST_USE;
/* PKCS #8 under this passphrase, in PEM. */
status acm_x509_lock(struct arena *a, struct str key, struct str passphrase, struct str *out) MUST_USE;

/* ── request.c ── */
status acm_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
void acm_schedule(struct store_tx *tx, struct arena *a, const struct acm_cert *cert, int64_t due_ms);
/* What a read certificate tells goes into the record. */
void acm_take(struct acm_cert *cert, const struct acm_x509 *x);
struct acm_domain_validation_list acm_validations(struct call *c, const struct acm_cert *cert, struct str status);
