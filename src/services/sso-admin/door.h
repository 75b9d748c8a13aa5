/* Identity Center's door for its sign-in: which instance an address means, and what a user may assume where. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "services/iam/door.h"
#include "sso-admin_state.h"

/* The instance that an access portal's address names by its directory's or its own id: NOT_FOUND. */
status sso_admin_instance_at(
	struct store_tx *tx, struct arena *a, struct str address, struct sso_admin_rec_instance *out) MUST_USE;
/* Where the installation has one alone. */
status sso_admin_only_instance(struct store_tx *tx, struct arena *a, struct sso_admin_rec_instance *out) MUST_USE;
status sso_admin_instance(
	struct store_tx *tx, struct arena *a, struct str id, struct sso_admin_rec_instance *out) MUST_USE;

struct sso_portal_grant {
	struct str account, set, name; /* of the permission set */
};
struct sso_portal_grants {
	struct sso_portal_grant *v;
	size_t n, capacity;
};
/* What is assigned to the user or to a group of theirs, by account and name; account STR_NONE: everywhere. */
status sso_portal_grants_of(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	struct str user, struct str account, struct sso_portal_grants *out) MUST_USE;
/* The role behind a grant: NOT_FOUND where it is not provisioned. */
struct sso_portal_role {
	struct iam_rec_entity role;
	struct str arn;
	int64_t duration_s;
	struct iam_rec_tags tags; /* attributes for access control */
};
status sso_portal_role_of(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	const struct sso_portal_grant *g, struct str user, struct sso_portal_role *out) MUST_USE;
