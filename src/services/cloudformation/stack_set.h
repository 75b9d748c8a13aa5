/* Inside the folder: stack sets ("Managing stacks across accounts and Regions with StackSets"). A set has instances (a
 * stack in an account and region each) and operations, which a durable job brings to their end: stack_set_run.c. */
#pragma once
#include "services/cloudformation/operations.h"
#include "store/key.h"

#define CFN_SET_JOB "cloudformation.stackset"
#define CFN_SET_WATCH_JOB "cloudformation.stackset.watch"
/* The service principal that Organizations trusts. */
#define CFN_SETS_PRINCIPAL "member.org.stacksets.cloudformation.amazonaws.com"

/* ── stack_set_record.c ── */
struct cfn_set_place {
	struct store_tx *tx;
	struct arena *a;
	struct str account, region, name;
};
struct str cfn_set_key(struct cfn_set_place p, const char *kind, struct str x, struct str y);
/* NOT_FOUND. */
status cfn_set_get(struct cfn_set_place p, struct cloudformation_rec_stack_set *out) MUST_USE;
void cfn_set_put(struct cfn_set_place p, const struct cloudformation_rec_stack_set *s);
status cfn_set_instance_get(struct cfn_set_place p, struct str account, struct str region,
	struct cloudformation_rec_set_instance *out) MUST_USE;
void cfn_set_instance_put(struct cfn_set_place p, const struct cloudformation_rec_set_instance *i);
void cfn_set_instance_drop(struct cfn_set_place p, struct str account, struct str region);
struct cfn_set_instances {
	struct cloudformation_rec_set_instance *v;
	size_t n, capacity;
};
status cfn_set_instances(struct cfn_set_place p, struct cfn_set_instances *out) MUST_USE;
void cfn_set_operation_put(struct cfn_set_place p, const struct cloudformation_rec_set_operation *o);
struct cfn_set_operations {
	struct cloudformation_rec_set_operation *v; /* newest first */
	size_t n, capacity;
};
status cfn_set_operations(struct cfn_set_place p, struct cfn_set_operations *out) MUST_USE;
bool cfn_set_is_service_managed(const struct cloudformation_rec_stack_set *s);
struct cfn_set_place cfn_set_place_of(struct call *c, struct str name_or_id);
/* StackSetNotFound. */
status cfn_set_load(struct call *c, struct str name_or_id, struct cloudformation_rec_stack_set *out) MUST_USE;
/* NAME or NAME:UUID; the name. */
struct str cfn_set_name(struct str name_or_id);

/* ── stack_set_operation.c ── */
/* A new operation over o->targets, written with the job that does it. FAILED: another is in progress, or the id is
 * used. */
status cfn_set_begin(struct call *c, struct cloudformation_rec_stack_set *s, struct str id, const char *action,
	const struct cloudformation_stack_set_operation_preferences *preferences,
	struct cloudformation_rec_set_operation *o) MUST_USE;
/* The same without a call, for automatic deployment. */
void cfn_set_enqueue(struct cfn_set_place p, struct cloudformation_rec_stack_set *s,
	struct cloudformation_rec_set_operation *o, int64_t now_ms);

/* ── stack_set_target.c ── */
struct cfn_set_account {
	struct str account, unit;
};
struct cfn_set_accounts {
	struct cfn_set_account *v;
	size_t n, capacity;
};
/* Accounts of the organization of `account` below these units, but the management account. */
status cfn_set_unit_accounts(struct store_tx *tx, struct arena *a, struct str account,
	const struct cloudformation_rec_texts *units, struct cfn_set_accounts *out) MUST_USE;
/* Accounts or DeploymentTargets of a request. FAILED: the failure is recorded. */
status cfn_set_targets(struct call *c, const struct cloudformation_rec_stack_set *s,
	const struct cloudformation_account_list *accounts, const struct cloudformation_deployment_targets *targets,
	struct cfn_set_accounts *out) MUST_USE;

/* ── stack_set_run.c ── */
void cfn_set_run_start(struct cloud *cloud);
