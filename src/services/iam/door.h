/* IAM's door for other rooms: looking up users, roles, managed policies and providers within a transaction, and
 * checking MFA codes. Records are iam_state.h's. */
#pragma once
#include "call/call.h"
#include "iam_state.h"
#include "policy/policy.h"

enum iam_kind { IAM_USER, IAM_GROUP, IAM_ROLE };

/* NOT_FOUND where absent. Strings live in `a` or the transaction. */
status iam_peek(struct store_tx *tx, struct arena *a, enum iam_kind kind, struct str account, struct str name,
	struct iam_rec_entity *out) MUST_USE;
/* The default version's text of a managed policy, AWS's own or the account's: NOT_FOUND. */
status iam_policy_text(
	struct store_tx *tx, struct arena *a, struct str account, struct str arn, struct str *text) MUST_USE;
/* Roles that other services keep in an account: made where absent, else changed to what is wanted; the id stays. */
struct iam_wanted_role {
	struct str account, name, path, trust, description;
	struct str service; /* a service-linked role's; else STR_NONE */
	int32_t max_session_s;
	struct iam_rec_strings attached; /* ARNs of managed policies */
	struct iam_rec_documents documents;
	struct str boundary; /* an ARN; or STR_NONE */
	struct iam_rec_tags tags;
};
status iam_role_ensure(
	struct store_tx *tx, struct arena *a, const struct iam_wanted_role *w, int64_t now_ms) MUST_USE;
/* With all that is attached to it. A role that is not there is fine. */
status iam_role_drop(struct store_tx *tx, struct arena *a, struct str account, struct str name) MUST_USE;
/* The service-linked role of a service that virga knows: made where absent. INVALID where it has none. */
status iam_service_role_ensure(
	struct store_tx *tx, struct arena *a, struct str account, struct str service, int64_t now_ms) MUST_USE;
/* The account-wide stamp: changes with every commit that decisions rest on; 0 where IAM was never used. */
uint64_t iam_generation(struct store_tx *tx, struct arena *a, struct str account);

/* Is this the device's code now? INVALID: wrong, used, or the device is not the user's (user STR_NONE: any
 * user's). use: marks it used in tx, which is writable then. */
status iam_mfa_check(struct store_tx *tx, struct arena *a, struct str account, struct str user, struct str serial,
	struct str code, int64_t now_ms, int64_t offset_ms, bool use) MUST_USE;

/* An OIDC provider by its URL without scheme: NOT_FOUND. */
status iam_oidc_peek(struct store_tx *tx, struct arena *a, struct str account, struct str url,
	struct iam_rec_provider *out) MUST_USE;
/* A SAML provider by its name. */
status iam_saml_peek(struct store_tx *tx, struct arena *a, struct str account, struct str name,
	struct iam_rec_provider *out) MUST_USE;

/* An instance profile of the account: NOT_FOUND. Its ARN is arn:…:instance-profile PATH NAME. */
status iam_profile_peek(struct store_tx *tx, struct arena *a, struct str account, struct str name,
	struct iam_rec_profile *out) MUST_USE;

/* The user or role behind a principal: the role's own ARN, with its path, of a session. */
struct str iam_issuer_arn(struct arena *a, const struct principal *p);

/* Central root access: has the organization this feature (RootSessions, RootCredentialsManagement)? */
bool iam_root_feature(struct store_tx *tx, struct arena *a, struct str organization, struct str feature);
/* AWS's task policies of AssumeRoot, by ARN; STR_NONE for any other. */
struct str iam_root_task(struct str arn);
