/* The sign-in's door: whose an access token is, and its end. */
#pragma once
#include "call/call.h"
#include "services/sso-admin/door.h"

struct sso_oidc_session {
	struct sso_admin_rec_instance instance;
	struct str user; /* id */
};
/* NOT_FOUND: unknown, expired, or its instance or user is gone. */
status sso_oidc_session(
	struct store_tx *tx, struct arena *a, struct str token, int64_t now_ms, struct sso_oidc_session *out) MUST_USE;
/* Ends it, and the refresh token that came with it. */
status sso_oidc_end(struct store_tx *tx, struct arena *a, struct str token) MUST_USE;
