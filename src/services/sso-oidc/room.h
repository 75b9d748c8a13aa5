/* What the files of the sign-in share. */
#pragma once
#include "base/rand.h"
#include "services/identitystore/door.h"
#include "services/sso-oidc/door.h"
#include "sso-oidc.h"
#include "sso-oidc_state.h"
#include "store/key.h"

#define OIDC_CLIENT_MS (90 * 86400LL * 1000) /* "RegisterClient": clients end after 90 days */
#define OIDC_DEVICE_S 600
#define OIDC_INTERVAL_S 1
#define OIDC_CODE_MS (60 * 1000)
#define OIDC_TOKEN_S 28800 /* the access portal's session */
#define OIDC_REFRESHED_TOKEN_S 3600
#define OIDC_REFRESH_MS (90 * 86400LL * 1000)

/* ("sso-oidc", kind, id) */
struct str oidc_key(struct arena *a, const char *kind, struct str id);
/* SHA-256 in hexadecimal digits. */
struct str oidc_hash(struct arena *a, struct str secret);
/* 43 characters of base64url. */
struct str oidc_new_secret(struct arena *a);
status oidc_client(struct store_tx *tx, struct arena *a, struct str id, struct sso_oidc_rec_client *out) MUST_USE;
status oidc_device(struct store_tx *tx, struct arena *a, struct str user_code, struct str *hash,
	struct sso_oidc_rec_device *out) MUST_USE;

/* See struct service. */
void oidc_page(struct cloud *cloud, struct arena *a, const struct edge_request *r, struct str path, struct str body,
	struct wire_response *response);
