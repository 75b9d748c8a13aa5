/* What the files of IAM share: keys, names, loading and storing what policies are attached to, pages, errors. All of
 * IAM is account-wide: the region in keys is "". */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "iam.h"
#include "services/iam/door.h"
#include "store/key.h"

/* ── names and keys ── */

/* ("iam", kind, account, "", name in lower case); name STR_NONE: where all of the kind begin. */
struct str iam_key(struct arena *a, const char *kind, struct str account, struct str name);
/* AIDA… and its kin: prefix and 17 characters ("IAM identifiers"). */
struct str iam_new_id(struct arena *a, const char *prefix);
/* arn:PARTITION:iam::ACCOUNT:TYPE PATH NAME */
struct str iam_arn(const struct call *c, const char *type, struct str path, struct str name);
struct str iam_entity_arn(const struct call *c, enum iam_kind kind, const struct iam_rec_entity *e);
/* The word for it in keys, ARNs and messages: user, group, role. */
const char *iam_kind_name(enum iam_kind kind);

/* ── entities ── */

/* NoSuchEntity where absent. */
status iam_get(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *out) MUST_USE;
/* The user that is named or, where none is, the caller. */
status iam_get_user_or_caller(struct call *c, struct str name, struct iam_rec_entity *out) MUST_USE;
void iam_put(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e);
/* EntityAlreadyExists where present; LimitExceeded where the account has its quota. */
status iam_require_new(struct call *c, enum iam_kind kind, struct str name) MUST_USE;
/* Something that decisions rest on has changed: what was compiled of this account's policies is stale with the commit.
 */
void iam_changed(struct call *c);
void iam_changed_in(struct store_tx *tx, struct arena *a, struct str account);
/* Counts up to `most` records of a kind. */
size_t iam_count(struct call *c, const char *kind, size_t most);

struct iam_attached_permissions_boundary *iam_boundary_out(struct call *c, struct str arn);
void iam_user_out(struct call *c, const struct iam_rec_entity *e, bool with_tags, struct iam_user *out);
void iam_group_out(struct call *c, const struct iam_rec_entity *e, struct iam_group *out);
void iam_role_out(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_role *out);

/* NoSuchEntity; UnmodifiableEntity for service-linked roles. */
status iam_get_modifiable_role(struct call *c, struct str name, struct iam_rec_entity *out) MUST_USE;
/* DeleteConflict where something is left. */
status iam_remove_role(struct call *c, const struct iam_rec_entity *e) MUST_USE;
/* The index from groups to users. */
void iam_member_put(struct call *c, struct str group, struct str user);
void iam_member_delete(struct call *c, struct str group, struct str user);

/* ── lists of strings ── */

bool iam_strings_have(const struct iam_rec_strings *l, struct str s);
void iam_strings_add(struct arena *a, struct iam_rec_strings *l, struct str s);
bool iam_strings_drop(struct iam_rec_strings *l, struct str s);

/* ── tags ── */

status iam_tags_set(struct call *c, struct iam_rec_tags *tags, const struct iam_tag_list_type *add) MUST_USE;
void iam_tags_drop(struct iam_rec_tags *tags, const struct iam_tag_key_list_type *keys);
status iam_tags_page(struct call *c, const struct iam_rec_tags *tags, struct str marker, struct opt_i32 max_items,
	struct iam_tag_list_type *out, struct opt_bool *is_truncated, struct str *next) MUST_USE;
void iam_tags_out(struct call *c, const struct iam_rec_tags *tags, struct iam_tag_list_type *out);

/* ── pages ── */

/* Marker and MaxItems: markers hold the name behind which the next page begins. */
struct iam_page {
	struct call *c;
	size_t most, n;
	struct str after, last; /* STR_NONE: from the beginning */
	bool truncated;
};
status iam_page_begin(struct call *c, struct str marker, struct opt_i32 max_items, struct iam_page *p) MUST_USE;
/* Does the item of this name, which sorts behind those before, belong to the page? */
bool iam_page_take(struct iam_page *p, struct str name);
void iam_page_end(struct iam_page *p, struct opt_bool *is_truncated, struct str *marker);

/* All records of a kind, in order of name; a row's bytes are the scan's own until the next. */
struct iam_rows {
	struct store_scan *scan;
	struct str name; /* of the key's last element: in lower case */
	struct str value;
	struct arena *arena;
};
struct iam_rows iam_rows_begin(struct call *c, const char *kind);
/* Rows whose key begins with this encoded tuple. */
struct iam_rows iam_rows_under(struct call *c, struct str encoded);
bool iam_rows_next(struct iam_rows *r);
status iam_rows_end(struct iam_rows *r) MUST_USE;
/* A group's users; what a policy is attached to (the value is the attachment's kind). */
struct iam_rows iam_members(struct call *c, struct str group);
struct iam_rows iam_attachments(struct call *c, struct str arn);

/* ── policies ── */

/* MalformedPolicyDocument, LimitExceeded. */
status iam_check_document(
	struct call *c, struct str text, enum policy_type type, size_t most, struct str label) MUST_USE;
/* As answers carry documents: percent-encoded (RFC 3986). */
struct str iam_document_out(struct call *c, struct str text);
/* A managed policy of this account by its ARN: NOT_FOUND for others'. */
status iam_policy_peek(
	struct store_tx *tx, struct arena *a, struct str account, struct str arn, struct iam_rec_policy *out) MUST_USE;
/* Can this managed policy be attached (by ARN)? NoSuchEntity as AttachUserPolicy words it. */
status iam_require_attachable(struct call *c, struct str arn) MUST_USE;
/* The index from managed policies to what they are attached to; kind: user, group, role, user-boundary, role-boundary.
 */
void iam_attachment_put(struct call *c, struct str arn, const char *kind, struct str name);
void iam_attachment_delete(struct call *c, struct str arn, const char *kind, struct str name);
/* The same in any account. */
void iam_attachment_put_in(struct store_tx *tx, struct arena *a, struct str account, struct str arn, const char *kind,
	struct str name);
void iam_attachment_delete_in(struct store_tx *tx, struct arena *a, struct str account, struct str arn,
	const char *kind, struct str name);
/* Sets (arn) or removes (STR_NONE) the boundary; *e is not stored by it. */
status iam_set_boundary(struct call *c, enum iam_kind kind, struct iam_rec_entity *e, struct str arn) MUST_USE;
/* One of AWS's own as if it were a record, so that both read alike. */
struct iam_managed;
void iam_managed_record(struct call *c, const struct iam_managed *m, struct iam_rec_policy *out);
struct iam_attachment_counts {
	size_t policies, boundaries;
};
struct iam_attachment_counts iam_attachment_count(struct call *c, struct str arn);
void iam_policy_out(struct call *c, const struct iam_rec_policy *p, bool whole, struct iam_policy *out);
void iam_attached_out(struct call *c, const struct iam_rec_strings *arns, struct iam_attached_policies_list_type *out);
void iam_documents_out(struct call *c, const struct iam_rec_documents *d, struct iam_policy_detail_list_type *out);

/* ── account ── */

status iam_account_get(struct call *c, struct iam_rec_account *out) MUST_USE;
void iam_account_put(struct call *c, const struct iam_rec_account *a);

/* When the password ends by the account's policy; 0: never. */
int64_t iam_password_ends(const struct iam_rec_account *a, const struct iam_rec_login *l);

/* ── access keys ── */

status iam_key_get(struct call *c, const struct iam_rec_entity *user, struct str id, struct iam_rec_key *out) MUST_USE;

/* Writes, or removes where it is inactive, what the identity room verifies by. */
void iam_key_publish(struct call *c, const struct iam_rec_entity *user, const struct iam_rec_key *k);
/* After a user's name or path changed. */
status iam_keys_renamed(struct call *c, const struct iam_rec_entity *user) MUST_USE;

/* ── what belongs to a user by name ── */

status iam_mfa_renamed(struct call *c, const struct iam_rec_entity *user) MUST_USE;
status iam_credentials_renamed(struct call *c, struct str from, struct str to) MUST_USE;
/* What has to be deleted before the user, in words; NULL: nothing. */
const char *iam_credentials_left(struct call *c, struct str user);

/* A user's two signing certificates, for the credential report. */
struct iam_opt_times {
	bool active[2];
	struct opt_time at[2];
};
status iam_signing_certificates_of(struct call *c, struct str user, struct iam_opt_times *out) MUST_USE;

/* ── MFA ── */

/* 6 digits of RFC 6238 for a time step of 30 s. */
struct str iam_totp(struct arena *a, struct str seed, int64_t step);

/* ── what was used when ── */

/* When this entity last made a call; both stay absent where it never did. */
void iam_last_used(struct call *c, struct str arn, struct opt_time *at, struct str *region);

void iam_key_last_used(struct call *c, struct str id, struct iam_access_key_last_used *out);

/* ── instance profiles ── */

status iam_profiles_of_role(struct call *c, struct str role, struct iam_instance_profile_list_type *out) MUST_USE;

/* See struct service. */
status iam_reset(struct cloud *cloud, void *state, bool gone);
status iam_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context);

#define IAM_FAIL(c, NAME, ...) call_fail((c), IAM_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
