/* What the files of Secrets Manager share: secrets with their records, their versions and values, and what may be done
 * with them. "The user guide" in these files is the AWS Secrets Manager User Guide; "the reference" its API Reference.
 */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "secretsmanager.h"
#include "secretsmanager_state.h"
#include "services/kms/envelope.h"
#include "store/key.h"
#include "vault/vault.h"

/* "AWS Secrets Manager quotas", the user guide. */
enum {
	SM_NAME_MAX = 512,
	SM_VALUE_BYTES_MAX = 65536,
	SM_VERSIONS_MAX = 100,
	SM_STAGES_PER_VERSION_MAX = 20,
	SM_TAGS_MAX = 50,
	SM_SUFFIX_LENGTH = 6,
};
#define SM_DAY_MS (24ll * 60 * 60 * 1000)
#define SM_DEFAULT_KEY STR("alias/aws/secretsmanager")
#define SM_CURRENT STR("AWSCURRENT")
#define SM_PREVIOUS STR("AWSPREVIOUS")
#define SM_JOB_DELETE "secretsmanager.delete"

struct sm_secret {
	struct str account, region, name, arn;
	struct secretsmanager_rec_secret r;
};

/* ── records.c ── */
/* A secret of this place by name. NOT_FOUND where there is none. */
status sm_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct sm_secret *out) MUST_USE;
/* By what a client gives: a name, an ARN, an ARN without its random characters. Only this region's. NOT_FOUND. */
status sm_lookup(struct call *c, struct store_tx *tx, struct str id, struct sm_secret *out) MUST_USE;
enum { SM_DELETED_TOO = 1, SM_REPLICA_TOO = 2 };
/* The same with the client's error: not there, marked for deletion, or a replica where only a primary will do. */
status sm_find(struct call *c, struct str id, unsigned how, struct sm_secret *out) MUST_USE;
/* Fills ARN; from r.suffix. */
void sm_name_arn(struct arena *a, struct sm_secret *s);
bool sm_is_replica(const struct sm_secret *s);
/* Writes this record alone. */
void sm_put(struct store_tx *tx, struct arena *a, const struct sm_secret *s);
/* Writes the record and brings its replicas up to date. */
status sm_save(struct call *c, struct sm_secret *s) MUST_USE;
/* All of it: record, versions, values. */
status sm_purge(struct store_tx *tx, struct arena *a, const struct sm_secret *s) MUST_USE;
/* (secretsmanager, KIND, account, region, name): the prefix of a secret's versions or values. */
struct str sm_prefix(struct arena *a, struct str kind, const struct sm_secret *s);
struct str sm_region_prefix(struct arena *a, struct str account, struct str region);

/* ── stages.c ── A staging label belongs to one version at a time. */
struct str sm_stage_get(const struct sm_secret *s, struct str stage);
void sm_stage_drop(struct sm_secret *s, struct str stage);
/* Moves the label; with AWSCURRENT goes AWSPREVIOUS to the version that had it. */
void sm_stage_move(struct arena *a, struct sm_secret *s, struct str stage, struct str version);
/* The labels of a version, sorted; present even if empty. */
struct secretsmanager_secret_version_stages_type sm_stages_of(
	struct arena *a, const struct sm_secret *s, struct str version);
struct secretsmanager_secret_versions_to_stages_map_type sm_versions_to_stages(
	struct arena *a, const struct sm_secret *s);

/* ── value.c ── */
struct sm_value {
	struct str bytes;
	bool binary;
};
status sm_version_get(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct str id,
	struct secretsmanager_rec_version *out) MUST_USE;
void sm_version_put(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct str id,
	const struct secretsmanager_rec_version *v);
void sm_version_delete(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct str id);
/* The ids of all versions, oldest first. */
struct sm_version {
	struct str id;
	struct secretsmanager_rec_version r;
};
struct sm_versions {
	struct sm_version *v;
	size_t n;
};
status sm_versions(struct store_tx *tx, struct arena *a, const struct sm_secret *s, struct sm_versions *out) MUST_USE;
/* Seal under the secret's key and write; open. FAILED with *why, not recorded in the call. */
status sm_value_seal(
	struct call *c, const struct sm_secret *s, struct str id, struct str plain, struct kms_refusal *why) MUST_USE;
status sm_value_open(
	struct call *c, const struct sm_secret *s, struct str id, struct str *plain, struct kms_refusal *why) MUST_USE;
/* The client's errors for these refusals; what is not FAILED passes. */
status sm_encryption_failure(struct call *c, status s, const struct kms_refusal *why);
status sm_decryption_failure(struct call *c, status s, const struct kms_refusal *why);
/* What a request gives as the value: one of both, or neither (*given false). */
status sm_value_given(struct call *c, struct str string, struct str binary, struct sm_value *out, bool *given) MUST_USE;
/* Adds a version with this id (the request's token). *existed: it is there already with the same value. */
status sm_version_add(
	struct call *c, struct sm_secret *s, struct str token, const struct sm_value *value, bool *existed) MUST_USE;

/* ── tags.c ── */
status sm_tags_set(struct call *c, struct sm_secret *s, const struct secretsmanager_tag *tags, size_t n) MUST_USE;
struct secretsmanager_tag_list_type sm_tags_out(struct arena *a, const struct sm_secret *s);

/* ── filter.c ── */
bool sm_filters_match(
	struct arena *a, const struct sm_secret *s, const struct secretsmanager_filters_list_type *filters);
struct sm_secrets {
	struct sm_secret *v;
	size_t n;
};
struct sm_query {
	const struct secretsmanager_filters_list_type *filters;
	bool deleted_too;
	struct str sort_by, order;
	struct str token;
	size_t limit;
};
/* A page of the account's secrets in the call's region. FAILED: an InvalidNextTokenException or a bad filter. */
status sm_select(struct call *c, struct store_tx *tx, const struct sm_query *q, struct sm_secrets *out,
	struct str *next) MUST_USE;

/* ── replica.c ── */
/* Adds replicas; the secret is not saved. */
status sm_replicas_add(struct call *c, struct sm_secret *s, const struct secretsmanager_replica_region_type *regions,
	size_t n, bool overwrite) MUST_USE;
status sm_replicas_update(struct call *c, struct sm_secret *s) MUST_USE;
struct secretsmanager_replication_status_list_type sm_replication_out(struct call *c, const struct sm_secret *s);

/* ── rotate.c ── secrets that another service made and keeps */
/* That service ("rds"); STR_NONE. */
struct str sm_owner(const struct sm_secret *s);
/* InvalidRequestException for who is not that service. */
status sm_refuse_managed(struct call *c, const struct sm_secret *s) MUST_USE;
struct sm_rotation {
	struct str owner; /* STR_NONE: it is not rotated */
	struct secretsmanager_rotation_rules_type *rules;
	struct opt_time last, next;
};
status sm_rotation(struct call *c, const struct sm_secret *s, struct sm_rotation *out) MUST_USE;

/* ── deletion.c ── */
status sm_delete_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* ── permit.c ── see struct service */
status sm_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context);
