/* Who calls: access keys to principals. An issued key is known with its secret and is checked; a 12-digit key id is that
 * account's root; any other key is the root of account 000000000000, unless strict, where only issued keys pass. */
#pragma once
#include "identity/sigv4.h"
#include "store/store.h"

enum principal_kind { PRINCIPAL_ANONYMOUS, PRINCIPAL_ROOT, PRINCIPAL_USER, PRINCIPAL_ASSUMED_ROLE, PRINCIPAL_FEDERATED,
	PRINCIPAL_SERVICE };
struct principal {
	enum principal_kind kind;
	struct str account;   /* 12 digits; "" for anonymous */
	struct str arn;       /* arn:aws:iam::000000000000:root, … */
	struct str user_id;   /* what GetCallerIdentity calls UserId: the account for a root, AIDA…, AROA…:session */
	struct str access_key;
	struct str name;      /* user name or role name */
	struct str session;   /* role session name */
	bool verified;        /* the signature was checked against an issued secret */
	/* of issued keys */
	struct str secret;    /* never logged */
	int64_t expires_ms;   /* temporary credentials; 0 otherwise */
	struct str session_record; /* bytes that the issuer stored with the key (session policies, tags, MFA); or "" */
};
/* Looks up the key; UNKNOWN keys give the default principal or (strict) FAILED with `why`. Checks session token and expiry.
 * A request without a signature of its own (SIG_NONE, SIG_POST_FORM) is anonymous. Everything in *out lives in `a` or in s. */
status identity_resolve(struct store_tx *tx, struct arena *a, const struct sigv4 *s, bool strict, int64_t now_ms,
	struct principal *out, struct wire_failure *why) MUST_USE;

/* Issued keys, stored. Whoever issues (IAM, STS) fills all but `verified`; session_token "" for long-term keys. Of the token
 * only a hash is kept. Keys of a principal that ends, or that are switched off, are to be deleted here: they are looked up
 * for each request, so that takes effect with the transaction's commit. A deleted key stays known as one that was taken back:
 * it is refused, and never becomes the default principal's. */
void identity_key_put(struct store_tx *tx, struct arena *a, const struct principal *p, struct str session_token);
void identity_key_delete(struct store_tx *tx, struct arena *a, struct str access_key);
/* The account that an issued key belongs to: NOT_FOUND where no such key is active. */
status identity_key_account(struct store_tx *tx, struct arena *a, struct str access_key, struct str *account) MUST_USE;
/* AKIA… (long-term) or ASIA… (temporary) with 16 random characters of AWS's alphabet; account ids decode from them as AWS's do
 * not: they are looked up. */
struct str identity_new_key_id(struct arena *a, bool temporary);
/* 40 characters of base64. */
struct str identity_new_secret(struct arena *a);
/* An opaque token for temporary credentials: base64 of 192 random bytes. */
struct str identity_new_session_token(struct arena *a);
/* The installation's own root key of account 000000000000, made at first start; also written to DIR/credentials (0600) in the
 * shared credentials file format, whenever that file is not there. Durable on return. */
status identity_root_key(struct store *s, struct arena *a, struct principal *out) MUST_USE;
