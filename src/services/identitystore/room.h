/* What the files of the directories share. */
#pragma once
#include "base/rand.h"
#include "identitystore.h"
#include "services/identitystore/door.h"
#include "store/key.h"

/* ("identitystore", kind, store, "" [, id [, id2]]) */
struct str ids_key(struct arena *a, const char *kind, struct str store, struct str id);
struct str ids_key2(struct arena *a, const char *kind, struct str store, struct str id, struct str id2);
/* The last elements of all keys behind this one. */
status ids_list(struct store_tx *tx, struct arena *a, struct str encoded, struct identitystore_ids *out) MUST_USE;
/* 10 digits of the directory's and a UUID, as AWS's. */
struct str ids_new_id(struct arena *a, struct str store);

/* The directory that the caller may use: its owner's, or the delegated administrator's of sso.amazonaws.com. */
status ids_require_store(struct call *c, struct str store) MUST_USE;
status ids_get_user(struct call *c, struct str store, struct str id, struct identitystore_rec_user *out) MUST_USE;
status ids_get_group(struct call *c, struct str store, struct str id, struct identitystore_rec_group *out) MUST_USE;
status ids_not_found(struct call *c, const char *type, struct str id) MUST_USE;
status ids_taken(struct call *c, const char *what) MUST_USE;
/* Which of these names of attributes (in lower case at its beginning) does a client mean: userName, UserName. */
bool ids_is_path(struct str path, const char *name);
/* A document that has to be a JSON string. */
status ids_string(struct call *c, struct str document, struct str *out) MUST_USE;

struct ids_page {
	struct call *c;
	size_t most, n;
	struct str after, last;
	bool truncated;
};
status ids_page_begin(struct call *c, struct str token, struct opt_i32 most, struct ids_page *p) MUST_USE;
bool ids_page_take(struct ids_page *p, struct str id);
struct str ids_page_end(const struct ids_page *p);

/* Removes the membership and its indexes. */
void ids_drop_membership(struct call *c, struct str store, const struct identitystore_rec_membership *m);
status ids_membership(struct store_tx *tx, struct arena *a, struct str store, struct str id,
	struct identitystore_rec_membership *out) MUST_USE;

#define IDS_FAIL(c, NAME, ...) call_fail((c), IDENTITYSTORE_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
