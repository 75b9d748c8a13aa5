/* What the files of IAM Identity Center's administration share. */
#pragma once
#include "base/rand.h"
#include "services/identitystore/door.h"
#include "services/organizations/door.h"
#include "services/sso-admin/door.h"
#include "sso-admin.h"
#include "store/key.h"

#define SSOA_JOB "sso-admin.operation"
#define SSOA_PRINCIPAL STR("sso.amazonaws.com")
#define SSOA_TAGS_MAX 50

/* ("sso-admin", kind, instance, "" [, id [, id2 [, id3]]]); STR_NONE ends it. */
struct str ssoa_key(struct arena *a, const char *kind, struct str instance, struct str x, struct str y, struct str z);
struct str ssoa_instance_key(struct arena *a, struct str id);
struct str ssoa_instance_arn(struct arena *a, const struct sso_admin_rec_instance *i);
struct str ssoa_set_arn(struct arena *a, const struct sso_admin_rec_instance *i, struct str set);

struct ssoa_rows {
	struct str *v; /* values */
	size_t n, capacity;
};
status ssoa_rows(struct store_tx *tx, struct arena *a, struct str encoded, struct ssoa_rows *out) MUST_USE;

/* The caller's instance of this ARN, in its region: owner's or delegated administrator's. */
status ssoa_get_instance(struct call *c, struct str arn, struct sso_admin_rec_instance *out) MUST_USE;
/* One that has permission sets: an organization's. */
status ssoa_get_organization_instance(struct call *c, struct str arn, struct sso_admin_rec_instance *out) MUST_USE;
void ssoa_put_instance(struct call *c, const struct sso_admin_rec_instance *i);
status ssoa_set_load(struct store_tx *tx, struct arena *a, struct str instance, struct str id,
	struct sso_admin_rec_set *out) MUST_USE;
/* Instance and permission set of two ARNs. */
status ssoa_get_set(struct call *c, struct str instance_arn, struct str set_arn, struct sso_admin_rec_instance *i,
	struct sso_admin_rec_set *out) MUST_USE;
/* provision: what changed has to be provisioned. */
void ssoa_put_set(struct call *c, const struct sso_admin_rec_instance *i, struct sso_admin_rec_set *s, bool provision);
status ssoa_tags_set(struct call *c, struct sso_admin_rec_tags *tags, const struct sso_admin_tag_list *add) MUST_USE;
/* PT1H to PT12H in seconds: INVALID. */
status ssoa_duration(struct str text, int64_t *seconds) MUST_USE;
/* Puts the permission set's role into the account, or takes it away. *why: what AWS would give as the reason; the
 * failure is INVALID. */
status ssoa_provision(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	const struct sso_admin_rec_set *s, struct str account, int64_t now_ms, struct str *why) MUST_USE;
status ssoa_withdraw(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i, struct str set,
	struct str account) MUST_USE;
status ssoa_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms) MUST_USE;

struct ssoa_page {
	struct call *c;
	size_t most, n;
	struct str after, last;
	bool truncated;
};
status ssoa_page_begin(struct call *c, struct str token, struct opt_i32 most, struct ssoa_page *p) MUST_USE;
/* Items are taken in order of their names; index names them by their place. */
bool ssoa_page_take(struct ssoa_page *p, size_t index);
struct str ssoa_page_end(const struct ssoa_page *p);

#define SSOA_FAIL(c, NAME, ...) call_fail((c), SSO_ADMIN_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
