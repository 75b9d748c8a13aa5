/* Organizations' door for other rooms: which organization an account belongs to, what binds it there, and which service
 * may act for the whole organization. All of it within a transaction of the caller's; results live in `a`. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "policy/policy.h"

struct organizations_place {
	struct str id;     /* o-…, or STR_NONE: in no organization */
	struct str master; /* the management account */
	struct str path;   /* o-…/r-…/ou-…/: aws:PrincipalOrgPaths */
	bool suspended;    /* the account was closed */
};
/* The id alone, cheaply: STR_NONE where the account is in none. */
struct str organizations_of(struct store_tx *tx, struct arena *a, struct str account);
/* Changes with every commit that decisions rest on; 0 where there is no such organization. */
uint64_t organizations_generation(struct store_tx *tx, struct arena *a, struct str id);
status organizations_place(
	struct store_tx *tx, struct arena *a, struct str account, struct organizations_place *out) MUST_USE;

/* A control policy at a level of the account's organization, 0 the root. */
struct organizations_control {
	size_t level;
	struct str arn, text;
};
struct organizations_controls {
	struct organizations_control *v;
	size_t n, capacity;
	size_t levels; /* 0: none apply (another type's, the management account's, a billing organization's) */
};
/* type: SERVICE_CONTROL_POLICY or RESOURCE_CONTROL_POLICY. */
status organizations_controls(struct store_tx *tx, struct arena *a, struct str account, struct str type,
	struct organizations_controls *out) MUST_USE;

/* The effective management policy of that type for an account; STR_NONE where none binds it, or the type is not enabled. */
status organizations_effective(
	struct store_tx *tx, struct arena *a, struct str account, struct str type, struct str *out) MUST_USE;

/* Has this service trusted access? Is that account its delegated administrator? */
bool organizations_trusts(struct store_tx *tx, struct arena *a, struct str id, struct str service);
bool organizations_delegate(
	struct store_tx *tx, struct arena *a, struct str id, struct str account, struct str service);
/* Makes the service trusted, as EnableAWSServiceAccess does. */
status organizations_trust(
	struct store_tx *tx, struct arena *a, struct str id, struct str service, int64_t now_ms) MUST_USE;

bool organizations_has_all_features(struct store_tx *tx, struct arena *a, struct str id);

struct organizations_member {
	struct str id, name, email;
	bool suspended;
};
struct organizations_members {
	struct organizations_member *v;
	size_t n, capacity;
};
/* All accounts, in order of their ids. */
status organizations_members(
	struct store_tx *tx, struct arena *a, struct str id, struct organizations_members *out) MUST_USE;
/* NOT_FOUND where the account is none of that organization's. */
status organizations_member(struct store_tx *tx, struct arena *a, struct str id, struct str account,
	struct organizations_member *out) MUST_USE;
