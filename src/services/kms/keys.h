/* KMS keys as other services of virga use them: envelope encryption of objects, secrets, parameters, messages. Their
 * public door; room.h is KMS's own.
 *
 *     struct kms_use u = kms_use_of(c);
 *     status s = kms_use_data_key(&u, reference, pairs, n, 32, &key, &why);
 *     if (!is_ok(s)) return status_is(s, STATUS_FAILED) ? call_fail(c, S3_ERR_…, "%.*s", STR_ARG(why.message)) : s;
 *
 * Everything happens in the caller's transaction, so that a key's being disabled or deleted counts from its commit on.
 * The caller's principal is not asked here whether it may use the key: that is the policy step's, which authorizes the
 * service's operation on the key too. Any thread. */
#pragma once
#include "call/call.h"

struct kms_use {
	struct cloud *cloud;
	struct store_tx *tx;
	struct arena *arena;
	struct str account, region; /* the caller's: key ids and alias names are looked up there */
	int64_t now_ms;
};
/* With c->tx. */
struct kms_use kms_use_of(struct call *c);

/* Why a key could not serve; filled where a function answers FAILED. */
enum kms_why {
	KMS_WHY_NOT_FOUND, /* no such key or alias, or not in this region */
	KMS_WHY_DISABLED,
	KMS_WHY_INVALID_STATE,      /* pending deletion, pending import */
	KMS_WHY_INVALID_USAGE,      /* not a symmetric encryption key */
	KMS_WHY_INVALID_CIPHERTEXT, /* not made by KMS, tampered with, or another encryption context */
	KMS_WHY_INCORRECT_KEY,      /* made by another key than the one named */
	KMS_WHY_INVALID_INPUT,      /* a malformed ARN, a context that is too long */
};
struct kms_refusal {
	enum kms_why why;
	struct str code;    /* KMS's own: NotFoundException, DisabledException, … */
	struct str message; /* KMS's own words */
};

/* An encryption context: pairs in any order. */
struct kms_pair; /* services/kms/blob.h: key, value */

struct kms_data_key {
	struct str plain;   /* in the arena; vault_wipe it when it has served */
	struct str blob;    /* to be stored; at most KMS_USE_BLOB_MAX bytes more than `plain` */
	struct str key_arn; /* never an alias */
};
#define KMS_USE_BLOB_MAX 256

/* All return OK, FAILED with *why, or what the store said (CONFLICT, CORRUPT, IO).
 *
 * reference: key id, key ARN, alias name or alias ARN; another account's by ARN. A predefined alias (alias/aws/s3, …)
 * whose key is not there yet gets it, so the transaction has to be writable where such an alias may come. */
status kms_use_data_key(const struct kms_use *u, struct str reference, const struct kms_pair *context, size_t n_context,
	size_t bytes, struct kms_data_key *out, struct kms_refusal *why) MUST_USE;
/* Of up to 4096 bytes. */
status kms_use_encrypt(const struct kms_use *u, struct str reference, const struct kms_pair *context, size_t n_context,
	struct str plain, struct str *blob, struct str *key_arn, struct kms_refusal *why) MUST_USE;
/* The blob names its key. reference: the key that it must be, or STR_NONE. key_arn may be NULL. */
status kms_use_decrypt(const struct kms_use *u, struct str blob, struct str reference, const struct kms_pair *context,
	size_t n_context, struct str *plain, struct str *key_arn, struct kms_refusal *why) MUST_USE;
/* The ARN of a symmetric encryption key that is there and enabled: for checking a key that a client configures. */
status kms_use_resolve(
	const struct kms_use *u, struct str reference, struct str *key_arn, struct kms_refusal *why) MUST_USE;
/* The ARN of an existing key whatever its state, without making one. */
status kms_use_find(
	const struct kms_use *u, struct str reference, struct str *key_arn, struct kms_refusal *why) MUST_USE;
/* Makes the AWS managed key behind alias/aws/NAME where it is not there yet. */
status kms_ensure_managed_key(
	const struct kms_use *u, struct str alias, struct str *key_arn, struct kms_refusal *why) MUST_USE;

/* For another service's authorize (see struct service): the caller must be allowed to do `action`
 * ("kms:GenerateDataKey", "kms:Decrypt") on this key by way of that service (its name in ViaService: "s3", "sqs",
 * "secretsmanager", "ssm", "ec2"). Adds the demand with the key's policy, its grants to the caller, tags and condition
 * keys. context: what the service will use. A key that is not there adds a demand on the name as it is; its use will
 * say that it is not there. */
struct authz_demands;
status kms_use_demand(struct call *c, struct store_tx *tx, struct authz_demands *demands, struct str reference,
	struct str action, struct str via, const struct kms_pair *pairs, size_t n_pairs) MUST_USE;

/* The same, asked while the service works: of an operation that has begun, where AWS asks late (volumes, copies of
 * snapshots). key_arn: of a key that is there. *why, in c's arena, where not. Reads in a transaction of its own. */
enum kms_act { KMS_ACT_MAKE, KMS_ACT_READ, KMS_ACT_GRANT }; /* GenerateDataKeyWithoutPlaintext, Decrypt, CreateGrant */
bool kms_use_may(struct call *c, struct str via, enum kms_act act, struct str key_arn, const struct kms_pair *pairs,
	size_t n, struct str *why) MUST_USE;

/* For the policy step. The key policy of a key ARN; NOT_FOUND where there is no such key. */
status kms_use_policy(const struct kms_use *u, struct str key_arn, struct str *policy) MUST_USE;
/* Does a grant on that key let this caller do this operation (AWS's GrantOperation: "Decrypt", "ReEncryptFrom", …) with
 * this encryption context? NOT_FOUND where there is no such key. */
status kms_use_granted(const struct kms_use *u, struct str key_arn, const struct principal *who, struct str operation,
	const struct kms_pair *context, size_t n_context, bool *granted) MUST_USE;
