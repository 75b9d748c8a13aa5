/* The door of Identity Center's directories: making and ending them with their instance, who is in them, and signing
 * in. Everything within the caller's transaction; strings live in `a` or in it. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "identitystore_state.h"

/* d- and ten hexadecimal digits. */
struct str identitystore_create(
	struct store_tx *tx, struct arena *a, struct str owner, struct str region, int64_t now_ms);
status identitystore_drop(struct store_tx *tx, struct arena *a, struct str store) MUST_USE;

status identitystore_user(struct store_tx *tx, struct arena *a, struct str store, struct str id,
	struct identitystore_rec_user *out) MUST_USE;
status identitystore_user_named(struct store_tx *tx, struct arena *a, struct str store, struct str name,
	struct identitystore_rec_user *out) MUST_USE;
status identitystore_group(struct store_tx *tx, struct arena *a, struct str store, struct str id,
	struct identitystore_rec_group *out) MUST_USE;
struct identitystore_ids {
	struct str *v;
	size_t n, capacity;
};
/* The groups that a user is in. */
status identitystore_groups_of(struct store_tx *tx, struct arena *a, struct str store, struct str user,
	struct identitystore_ids *out) MUST_USE;
/* An attribute of a user as a text: "userName", "name.givenName", "emails[primary eq true].value"; STR_NONE where it
 * has none. */
struct str identitystore_attribute(struct arena *a, const struct identitystore_rec_user *u, struct str path);

/* Sets the password (AWS sends it by mail; here the operator does). */
status identitystore_set_password(
	struct store_tx *tx, struct arena *a, struct str store, struct str user_id, struct str password) MUST_USE;
/* Takes some milliseconds. False where the user has none. */
bool identitystore_password_is(const struct identitystore_rec_user *u, struct str password);
