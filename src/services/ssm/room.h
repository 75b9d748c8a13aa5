/* What the files of Parameter Store share: parameters, their versions, names, values, policies and filters. "The user
 * guide" in these files is the AWS Systems Manager User Guide; "the reference" its API Reference. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "services/kms/envelope.h"
#include "ssm.h"
#include "ssm_state.h"
#include "store/key.h"
#include "vault/vault.h"

/* "Parameter Store quotas", AWS General Reference. */
enum {
	PS_NAME_ARN_MAX = 1011,
	PS_LEVELS_MAX = 15,
	PS_VERSIONS_MAX = 100,
	PS_LABELS_MAX = 10,
	PS_POLICIES_MAX = 10,
	PS_TAGS_MAX = 50,
	PS_STANDARD_BYTES = 4096,
	PS_ADVANCED_BYTES = 8192,
};
#define PS_DEFAULT_KEY STR("alias/aws/ssm")
#define PS_JOB_POLICY "ssm.policy"

struct ps_parameter {
	struct str account, region, name, arn;
	struct ssm_rec_parameter r;
};

/* ── name.c ── */
/* NAME, NAME:SELECTOR, or an ARN of either; the selector is a version's number or a label. */
struct ps_name {
	struct str name, selector; /* STR_NONE: without */
	bool foreign;              /* an ARN of another place: nothing is shared with this account */
	bool from_arn;             /* an ARN does not tell whether the name begins with a slash */
};
struct ps_name ps_name_read(struct call *c, struct str given);
/* What names may be. creating: the rules of new names too. */
status ps_name_check(struct call *c, struct str name, bool creating) MUST_USE;
/* A path to search below: it begins with a slash. */
status ps_path_check(struct call *c, struct str path) MUST_USE;
struct str ps_arn(struct arena *a, struct str region, struct str account, struct str name);

/* ── records.c ── NOT_FOUND where absent. */
status ps_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct ps_parameter *out) MUST_USE;
/* By what a client gave. */
status ps_lookup(struct call *c, struct store_tx *tx, const struct ps_name *n, struct ps_parameter *out) MUST_USE;
/* With ParameterNotFound. */
status ps_find(struct call *c, const struct ps_name *n, struct ps_parameter *out) MUST_USE;
void ps_put(struct store_tx *tx, struct arena *a, const struct ps_parameter *p);
status ps_version_get(struct store_tx *tx, struct arena *a, const struct ps_parameter *p, int64_t number,
	struct ssm_rec_version *out) MUST_USE;
void ps_version_put(struct store_tx *tx, struct arena *a, const struct ps_parameter *p, int64_t number,
	const struct ssm_rec_version *v);
void ps_version_delete(struct store_tx *tx, struct arena *a, const struct ps_parameter *p, int64_t number);
/* The parameter with all its versions, and its job. */
void ps_purge(struct store_tx *tx, struct arena *a, const struct ps_parameter *p);
/* The key of a parameter; with name STR_NONE the prefix of all in that place. */
struct str ps_key(struct arena *a, struct str account, struct str region, struct str name);
struct str ps_job_id(struct arena *a, const struct ps_parameter *p);
void ps_tell_change(struct cloud *cloud, struct store_tx *tx, const struct ps_parameter *p, struct str type,
	struct str operation, struct str label);

/* ── label.c ── */
int64_t ps_label_get(const struct ps_parameter *p, struct str label); /* 0: none has it */
struct ssm_parameter_label_list ps_labels_of(struct arena *a, const struct ps_parameter *p, int64_t version);

/* ── value.c ── */
/* Seals a SecureString's value into v->sealed, by v->key_id and v->tier. FAILED: InvalidKeyId. */
status ps_seal(struct call *c, const struct ps_parameter *p, struct ssm_rec_version *v, struct str plain) MUST_USE;
/* The value as the client sees it: with decrypt the plain one, without it a SecureString's ciphertext in base64. */
status ps_value(struct call *c, const struct ps_parameter *p, const struct ssm_rec_version *v, bool decrypt,
	struct str *out) MUST_USE;
/* AllowedPattern: INVALID where it is no regular expression. */
status ps_pattern(struct arena *a, struct str pattern, struct str text, bool *matches) MUST_USE;

/* ── policy.c ── */
/* Reads Policies; the list is in the arena. */
status ps_policies_read(struct call *c, struct str text, struct ssm_rec_policies *out) MUST_USE;
/* Policies that count from the last change begin anew. */
void ps_policies_touch(struct arena *a, struct ssm_rec_policies *policies, int64_t now_ms);
/* Writes the job for the next policy that is due, or takes it away. */
void ps_policies_schedule(
	struct store_tx *tx, struct arena *a, const struct ps_parameter *p, const struct ssm_rec_version *v);
struct ssm_parameter_policy_list ps_policies_out(struct arena *a, const struct ssm_rec_policies *policies);
status ps_policy_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* ── tag.c ── */
status ps_tags_set(struct call *c, struct ps_parameter *p, const struct ssm_tag *tags, size_t n) MUST_USE;

/* ── filter.c ── */
struct ps_match {
	struct ps_parameter p;
	struct ssm_rec_version v; /* the latest, or the one that a Label filter names */
	int64_t number;
};
struct ps_matches {
	struct ps_match *v;
	size_t n;
};
struct ps_query {
	const struct ssm_parameter_string_filter_list *filters;
	struct str path; /* GetParametersByPath's, or STR_NONE */
	bool recursive;
	struct str token;
	size_t limit;
};
status ps_filters_check(struct call *c, const struct ssm_parameter_string_filter_list *filters, bool by_path) MUST_USE;
/* A page in the order of names. FAILED: InvalidNextToken. */
status ps_select(struct call *c, struct store_tx *tx, const struct ps_query *q, struct ps_matches *out,
	struct str *next) MUST_USE;

/* ── setting.c ── The tier that PutParameter takes where none is given. */
status ps_default_tier(struct call *c, struct str *tier) MUST_USE;

/* ── permit.c ── see struct service */
status ps_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context);
