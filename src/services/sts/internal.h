/* What the files of STS share: sessions on their way to being issued. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "policy/authz.h"
#include "services/iam/door.h"
#include "sts.h"

#define STS_FAIL(c, NAME, ...) call_fail((c), STS_ERR_##NAME##_EXCEPTION, __VA_ARGS__)

/* The caller's session, where it has one: NOT_FOUND for long-term credentials. */
status sts_caller_session(struct call *c, struct iam_rec_session *out) MUST_USE;

/* arn:PARTITION:iam::ACCOUNT:role/PATH/NAME in its parts; false where it is none. */
bool sts_role_arn_split(struct str arn, struct str *account, struct str *path, struct str *name);

/* What a request may ask of any session: checked, and added to *r. Answers MalformedPolicyDocument,
 * PackedPolicyTooLarge. */
struct sts_scope {
	struct str policy;
	const struct sts_policy_descriptor_list_type *policy_arns; /* or NULL */
	const struct sts_tag_list_type *tags;                      /* or NULL */
	const struct sts_tag_key_list_type *transitive;            /* or NULL */
	struct str source_identity;
};
status sts_scope_check(
	struct call *c, const struct sts_scope *s, struct iam_rec_session *r, struct opt_i32 *packed) MUST_USE;
/* New temporary credentials: p has all but the key, its secret and its end. */
struct sts_credentials *sts_issue(
	struct call *c, struct principal *p, const struct iam_rec_session *r, int64_t duration_s);
/* A session of a role. name: checked by the model. chained: the caller is a role's session. */
struct sts_role_session {
	struct sts_credentials *credentials;
	struct sts_assumed_role_user *user;
};
status sts_role_begin(struct call *c, const struct iam_rec_entity *role, struct str account, struct str role_arn,
	struct str name, struct opt_i32 duration, bool chained, struct iam_rec_session *r,
	struct sts_role_session *out) MUST_USE;
/* AccessDenied where the code is not the device's now; marks it used. */
status sts_use_mfa(struct call *c, struct str serial, struct str code, struct iam_rec_session *r) MUST_USE;

/* A federated caller: AccessDenied unless the role's trust policy, and its account's resource control policies, allow each of
 * these actions. */
status sts_require_trust(struct call *c, struct str provider_arn, struct str account, struct str role_arn,
	const struct iam_rec_entity *role, const struct str *actions, size_t n, const struct policy_context *k) MUST_USE;

/* See struct service. */
status sts_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context);

/* ── JSON Web Tokens ── */

struct json_value;
struct jwt {
	struct str algorithm, key_id; /* RS256, ES256 */
	struct str signed_part, signature;
	struct json_value *claims;
};
/* INVALID for anything that is not a compact JWS of JSON objects. */
status jwt_read(struct arena *a, struct str token, struct jwt *out) MUST_USE;
/* Is it signed by a key of this JSON Web Key Set (RFC 7517)? NOT_FOUND: no such key; INVALID: wrong. */
status jwt_verify(struct arena *a, const struct jwt *t, const struct json_value *jwks) MUST_USE;
/* The key set of an issuer on the loopback, by its discovery document (OpenID Connect Discovery 1.0). IO where it does
 * not answer as it should, or is not of the loopback. Blocks for some seconds at most. */
status jwks_fetch(struct arena *a, struct str issuer, struct json_value **out) MUST_USE;
