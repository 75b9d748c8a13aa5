/* What each key spec can do: the table behind CreateKey, GetPublicKey and the checks of every cryptographic operation
 * ("Key spec reference", AWS KMS Developer Guide). */
#pragma once
#include "base/str.h"

enum kms_kind { KMS_SYMMETRIC, KMS_RSA, KMS_EC, KMS_HMAC };
enum { KMS_LIST_MAX = 7 }; /* entries, with the NULL behind the last */

struct kms_spec {
	const char *name;
	enum kms_kind kind;
	int size;              /* RSA: bits of the modulus; HMAC and symmetric: bytes of material */
	const char *curve;     /* EC: OpenSSL's name */
	const char *usages[3]; /* what KeyUsage may say */
	const char *encryption[KMS_LIST_MAX], *signing[KMS_LIST_MAX], *mac, *agreement;
};
/* NULL for a spec that is not there. */
const struct kms_spec *kms_spec_find(struct str name);
bool kms_spec_allows_usage(const struct kms_spec *s, struct str usage);
/* Is `name` in a NULL-terminated list? */
bool kms_list_has(const char *const *list, struct str name);

struct kms_algorithm {
	const char *name, *digest; /* OpenSSL's name */
	int digest_bytes;
	bool pss;
};
/* Signing, OAEP and MAC algorithms by AWS's name; NULL otherwise. */
const struct kms_algorithm *kms_algorithm_find(struct str name);
