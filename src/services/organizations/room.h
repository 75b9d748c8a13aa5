/* What the files of Organizations share: keys, ids, ARNs, loading and storing, who may do what, pages, errors. Every
 * change goes through orgs_changed in its transaction, so that changes of one organization happen one after the other.
 */
#pragma once
#include "base/rand.h"
#include "base/vec.h"
#include "organizations.h"
#include "organizations_state.h"
#include "policy/authz.h"
#include "services/organizations/door.h"
#include "store/key.h"

/* "Quotas and service limits for AWS Organizations"; accounts as Service Quotas allows at most. */
#define ORGS_ACCOUNTS_MAX 50000
#define ORGS_UNITS_MAX 2000
#define ORGS_DEPTH_MAX 5
#define ORGS_TAGS_MAX 50
#define ORGS_DAY_MS (86400LL * 1000)
#define ORGS_JOB_CREATE "organizations.create-account"
#define ORGS_JOB_EXPIRE "organizations.expire-handshake"
#define ORGS_JOB_CLOSE "organizations.close-account"

struct orgs {
	struct organizations_rec_organization r;
};

/* ── keys and names ── */

/* ("organizations", kind, organization, "" [, id [, id2]]) */
struct str orgs_key(struct arena *a, const char *kind, struct str organization, struct str id);
struct str orgs_key2(struct arena *a, const char *kind, struct str organization, struct str id, struct str id2);
/* ("organizations", kind, id): not of one organization. */
struct str orgs_free_key(struct arena *a, const char *kind, struct str id);
/* prefix and n characters of a-z and 0-9 */
struct str orgs_new_id(struct arena *a, const char *prefix, size_t n);
/* arn:aws:organizations::MASTER:kind/o-…/id */
struct str orgs_arn(struct arena *a, const struct organizations_rec_organization *o, const char *kind, struct str id);
struct str orgs_policy_arn(
	struct arena *a, const struct organizations_rec_organization *o, const struct organizations_rec_policy *p);
/* The ARN of what a root's, unit's, account's, policy's, resource policy's id names. */
struct str orgs_arn_of(
	struct arena *a, struct store_tx *tx, const struct organizations_rec_organization *o, struct str id);
bool orgs_is_account(struct str id);
bool orgs_is_root(struct str id);
bool orgs_is_unit(struct str id);

/* ── records ── */

status orgs_load(
	struct store_tx *tx, struct arena *a, struct str id, struct organizations_rec_organization *out) MUST_USE;
void orgs_put(struct call *c, const struct organizations_rec_organization *o);
void orgs_changed(struct store_tx *tx, struct arena *a, struct str id);
status orgs_account_load(struct store_tx *tx, struct arena *a, struct str organization, struct str id,
	struct organizations_rec_account *out) MUST_USE;
void orgs_account_put(
	struct store_tx *tx, struct arena *a, struct str organization, const struct organizations_rec_account *r);
status orgs_unit_load(struct store_tx *tx, struct arena *a, struct str organization, struct str id,
	struct organizations_rec_unit *out) MUST_USE;
/* Of AWS's own too. */
status orgs_policy_load(struct store_tx *tx, struct arena *a, struct str organization, struct str id,
	struct organizations_rec_policy *out) MUST_USE;
bool orgs_policy_is_aws(struct str id);

/* From the root to where it ends: an account, a unit, the root. LIMIT where it is deeper than it may be. */
struct orgs_chain {
	struct str id[ORGS_DEPTH_MAX + 2];
	size_t n;
};
status orgs_chain(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o, struct str id,
	struct orgs_chain *out) MUST_USE;

/* ── who calls ── */

/* The caller's organization, whoever the caller is in it: AWSOrganizationsNotInUse. */
status orgs_any(struct call *c, struct organizations_rec_organization *o) MUST_USE;
/* For reading: the management account, delegated administrators, and whom the resource policy lets. */
status orgs_read(struct call *c, struct organizations_rec_organization *o) MUST_USE;
/* For changing: the management account, and where delegable whom the resource policy lets. */
status orgs_manage(struct call *c, struct organizations_rec_organization *o) MUST_USE;
status orgs_manage_policies(struct call *c, struct organizations_rec_organization *o) MUST_USE;
bool orgs_all_features(const struct organizations_rec_organization *o);
status orgs_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context) MUST_USE;

/* ── trees ── */

/* NotFound of the kind that the operation names. */
status orgs_get_account(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_rec_account *out) MUST_USE;
status orgs_get_unit(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_rec_unit *out) MUST_USE;
/* A root's or unit's id; else this error. */
status orgs_require_parent(
	struct call *c, const struct organizations_rec_organization *o, struct str id, error_id otherwise) MUST_USE;
/* Roots, units and accounts: TargetNotFound. */
status orgs_require_target(struct call *c, const struct organizations_rec_organization *o, struct str id) MUST_USE;
/* The index from parents to children; what a new node gets at once (FullAWSAccess where its type is enabled). */
void orgs_child_put(struct call *c, struct str organization, struct str parent, struct str child);
void orgs_child_delete(struct call *c, struct str organization, struct str parent, struct str child);
status orgs_joined(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o,
	const struct organizations_rec_account *r) MUST_USE;
/* Takes the account out of the organization, with what was attached to it. */
status orgs_left(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o,
	const struct organizations_rec_account *r) MUST_USE;
void orgs_account_out(struct call *c, const struct organizations_rec_organization *o,
	const struct organizations_rec_account *r, struct organizations_account *out);
struct organizations_organization *orgs_out(struct call *c, const struct organizations_rec_organization *o);
/* Name and address of an account, also of one that is in no organization. */
struct organizations_rec_former orgs_identity(struct store_tx *tx, struct arena *a, struct str account);
/* The account that has this address: STR_NONE. */
struct str orgs_account_by_email(struct store_tx *tx, struct arena *a, struct str email);
void orgs_email_put(struct store_tx *tx, struct arena *a, struct str email, struct str account);

/* ── attachments ── */

bool orgs_type_enabled(const struct organizations_rec_organization *o, struct str type);
void orgs_attachment_put(struct store_tx *tx, struct arena *a, struct str organization, struct str target,
	struct str policy, struct str type);
void orgs_attachment_delete(
	struct store_tx *tx, struct arena *a, struct str organization, struct str target, struct str policy);
/* Ids of what is attached to the target, of this type (STR_NONE: of all). */
struct orgs_ids {
	struct str *v;
	size_t n, capacity;
};
status orgs_attached(struct store_tx *tx, struct arena *a, struct str organization, struct str target, struct str type,
	struct orgs_ids *out) MUST_USE;
/* What FullAWSAccess and RCPFullAWSAccess are attached to when they come: a new node. */
void orgs_attach_defaults(
	struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o, struct str target);
void orgs_detach_all(
	struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o, struct str target);
/* All ids behind this encoded key: the last element. */
status orgs_ids(struct store_tx *tx, struct arena *a, struct str encoded, struct orgs_ids *out) MUST_USE;

status orgs_get_policy(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_rec_policy *out) MUST_USE;
/* Is this text a policy of that type? MalformedPolicyDocument, or ConstraintViolation of its size. */
status orgs_check_content(struct call *c, struct str type, struct str content) MUST_USE;
/* Merges management policies from the root down ("Inheritance for management policy types"). INVALID: a part of it is
 * not as its grammar wants. */
status orgs_merge(
	struct arena *a, const struct str *contents, const size_t *levels, size_t n, struct str *out) MUST_USE;
/* What comes of a type's policies for an account, and when the youngest of them was changed. NOT_FOUND: none is attached. */
status orgs_effective(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o,
	struct str account, struct str type, struct str *content, int64_t *updated_ms) MUST_USE;

/* Before the organization ends. */
status orgs_cancel_handshakes(struct call *c, struct str organization) MUST_USE;

/* ── tags ── */

status orgs_tags_set(
	struct call *c, struct organizations_rec_tags *tags, const struct organizations_tags *add) MUST_USE;

/* ── pages ── */

struct orgs_page {
	struct call *c;
	size_t most, n;
	struct str after, last;
	bool truncated;
};
status orgs_page_begin(struct call *c, struct str token, struct opt_i32 most, struct orgs_page *p) MUST_USE;
/* Does the item of this id, which sorts behind those before, belong to the page? */
bool orgs_page_take(struct orgs_page *p, struct str id);
struct str orgs_page_end(const struct orgs_page *p);

/* ── jobs ── */

status orgs_create_job(
	void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms) MUST_USE;
status orgs_expire_job(
	void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms) MUST_USE;
status orgs_close_job(
	void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms) MUST_USE;

/* ── errors ── */

#define ORGS_FAIL(c, NAME, ...) call_fail((c), ORGANIZATIONS_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
/* These three tell a Reason beside their message. */
status orgs_input(struct call *c, const char *reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
status orgs_constraint(struct call *c, const char *reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
status orgs_handshake_constraint(struct call *c, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
