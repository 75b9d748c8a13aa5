/* Inside the folder: stored stacks, and the engine that brings them to what their templates say. */
#pragma once
#include "call/call.h"
#include "cloudformation.h"
#include "cloudformation_state.h"
#include "services/cloudformation/door.h"

/* ── records.c ────────────────────────────────────────────────────────────────────────────────────────────────── */
struct key cfn_key(struct arena *a, const char *kind, struct cfn_place p);
/* name_or_id: a name finds only a stack that is not deleted. NOT_FOUND. */
status cfn_stack_find(struct store_tx *tx, struct arena *a, struct cfn_place p, struct str name_or_id,
	struct cloudformation_rec_stack *out) MUST_USE;
void cfn_stack_put(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s);
status cfn_resource_get(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	struct str logical_id, struct cloudformation_rec_resource *out) MUST_USE;
void cfn_resource_put(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_resource *r);
void cfn_resource_drop(
	struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s, struct str logical_id);
struct cfn_resources {
	struct cloudformation_rec_resource *v;
	size_t n;
};
status cfn_resources_load(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	struct cfn_resources *out) MUST_USE;
/* An event of a resource, or of the stack itself (r NULL). */
void cfn_event(struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_resource *r, struct str status_, struct str reason, int64_t now_ms);
/* The stack's new status with its event. */
void cfn_stack_status(struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s, const char *status_,
	struct str reason, int64_t now_ms);
struct cfn_place cfn_place_of(const struct cloudformation_rec_stack *s);

/* ── exports.c ────────────────────────────────────────────────────────────────────────────────────────────────── */
status cfn_export_get(struct store_tx *tx, struct arena *a, struct cfn_place p, struct str name,
	struct cloudformation_rec_export *out) MUST_USE;
/* The stack's outputs become these: exports and imports are made and taken back. FAILED with *why. */
status cfn_exports_set(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_outputs *outputs, const struct cfn_names *imports, struct str *why) MUST_USE;
/* Names of the stacks that import it. */
status cfn_export_users(
	struct store_tx *tx, struct arena *a, struct cfn_place p, struct str name, struct cfn_names *out) MUST_USE;

/* ── parameters.c ─────────────────────────────────────────────────────────────────────────────────────────────── */
/* What was given, checked against the template; those of the stack until now stand in for UsePreviousValue. *out:
 * resolved values (SSM types looked up). INVALID with *why. */
struct cfn_given {
	struct str key, value;
	bool use_previous;
};
status cfn_parameters_read(struct cloud *cloud, const struct inside_caller *who, struct arena *a,
	const struct cfn_template *t, const struct cfn_given *given, size_t n,
	const struct cloudformation_rec_parameters *before, struct cloudformation_rec_parameters *out,
	struct str *why) MUST_USE;
/* As a scope wants them. */
const struct json_value *cfn_parameters_values(
	struct arena *a, const struct cfn_template *t, const struct cloudformation_rec_parameters *p);

/* ── source.c ─────────────────────────────────────────────────────────────────────────────────────────────────── */
/* An S3 object's bytes, at most CFN_OBJECT_MAX, read in that name. FAILED with *message. */
struct cfn_object_read {
	struct cloud *cloud;
	const struct inside_caller *who;
	struct arena *a;
};
status cfn_read_object(const struct cfn_object_read *r, struct str bucket, struct str key, struct str *bytes,
	struct str *message) MUST_USE;
/* TemplateBody or TemplateURL: exactly one. INVALID with *why. */
status cfn_template_text(
	const struct cfn_object_read *r, struct str body, struct str url, struct str *text, struct str *why) MUST_USE;

/* ── transform.c ──────────────────────────────────────────────────────────────────────────────────────────────── */
/* Applies AWS::LanguageExtensions, AWS::Include and AWS::Serverless-2016-10-31; others fail by name. */
status cfn_transform(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct cfn_template *t,
	const struct json_value *parameters, struct str *why) MUST_USE;
/* serverless.c. INVALID: *why. */
status cfn_serverless(struct arena *a, struct cfn_template *t, struct str *why) MUST_USE;
/* Read, transform, check. */
status cfn_template_load(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct str text,
	const struct cloudformation_rec_parameters *p, struct cfn_template *out, struct str *why) MUST_USE;

/* ── scope.c ──────────────────────────────────────────────────────────────────────────────────────────────────── */
/* A scope over a stack's records. resources may be NULL (preview of a new stack). imports collects names of exports. */
struct cfn_view {
	struct cfn_scope scope;
	struct cloud *cloud;
	struct inside_caller who;
	struct cfn_place place;
	const struct cfn_resources *resources;
	struct cfn_names imports;
	size_t imports_capacity;
	/* Of previews: resources that will be replaced or made, whose values are not known. */
	const struct cfn_names *unknown;
	const struct cfn_names *versioned; /* launch templates that will have another version */
};
void cfn_view_init(struct cfn_view *v, struct cloud *cloud, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cfn_template *t, const struct cloudformation_rec_parameters *parameters,
	const struct cfn_resources *resources);
/* *out, with account and region, becomes a session of the stack's role. FAILED: *why. */
status cfn_as_role(
	struct cloud *cloud, struct arena *a, struct str role_arn, struct inside_caller *out, struct str *why) MUST_USE;
/* The principal that the stack works as: its role's, or whoever asked. FAILED with *why. */
status cfn_who(struct cloud *cloud, struct arena *a, const struct cloudformation_rec_stack *s,
	struct inside_caller *out, struct str *why) MUST_USE;
void cfn_caller_keep(const struct call *c, struct cloudformation_rec_caller *out);

/* ── engine.c ─────────────────────────────────────────────────────────────────────────────────────────────────── */
struct cfn_engine;
struct cfn_engine *cfn_engine_new(struct cloud *cloud);
/* Waits for running work. */
void cfn_engine_free(struct cfn_engine *e);
/* Looks at a stack whose status ends in _IN_PROGRESS and does what is next; after the commit that made it so. Any
 * thread. */
void cfn_engine_poke(struct cfn_engine *e, struct cfn_place p, struct str stack_id);
/* What a stack's resources wait for may be there: they look now, not when their time is. Any thread. */
void cfn_engine_hurry(struct cfn_engine *e, struct str stack_id);
/* After a start: every stack that was at work goes on. */
void cfn_engine_resume(struct cfn_engine *e);
struct cfn_engine *cfn_engine_of(const struct cloud *cloud);

/* ── signal.c ─────────────────────────────────────────────────────────────────────────────────────────────────── */
/* What a resource's CreationPolicy still waits for: OK where it is satisfied, PENDING, or FAILED with *why. */
status cfn_signals_wanted(
	struct arena *a, const struct cloudformation_rec_resource *r, int64_t now_ms, struct str *why);
/* {"UniqueId":…,"Status":…,"Data":…,"Reason":…}: parsed ones of a resource. */
const struct json_value *cfn_signals(struct arena *a, const struct cloudformation_rec_resource *r);
/* The URL that takes signals, or a custom resource's answer, for this resource. inside: machines in VPCs are to reach
 * it, so it has a name of AWS's, which only they resolve to virga; elsewhere its path does at virga's own address. */
struct str cfn_signal_url(struct arena *a, const struct cloud *cloud, struct cfn_place p, struct str stack_id,
	struct str logical_id, struct str token, bool inside);
/* The service's page: /_virga/cloudformation/signal/… */
void cfn_page(struct cloud *cloud, struct arena *a, const struct edge_request *r, struct str path, struct str body,
	struct wire_response *response);

/* ── import.c ─────────────────────────────────────────────────────────────────────────────────────────────────── */
/* The physical id of what the stack's operation imports as this resource; STR_NONE where it does not. */
struct str cfn_import_of(struct arena *a, const struct cloudformation_rec_stack *s, struct str logical_id);
/* The id of whichever stack has this resource; STR_NONE. */
struct str cfn_owner_of(
	struct store_tx *tx, struct arena *a, struct cfn_place p, struct str type, struct str physical_id);

/* ── drift.c ──────────────────────────────────────────────────────────────────────────────────────────────────── */
/* Is what is expected there? 1, 0; -1: of another form, so that it cannot be told. */
int cfn_holds(struct arena *a, const struct json_value *expected, const struct json_value *live);
/* Of the last detection: IN_SYNC, MODIFIED, DELETED, NOT_CHECKED. */
struct str cfn_drift_status(struct arena *a, const struct cloudformation_rec_resource *r);
/* With what differs. */
void cfn_drift_tell(struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_resource *r, struct cloudformation_stack_resource_drift *out);

/* ── stack_policy.c ───────────────────────────────────────────────────────────────────────────────────────────── */
/* action: "Update:Modify", "Update:Replace", "Update:Delete". False: *why. */
bool cfn_policy_allows(struct arena *a, const struct cloudformation_rec_stack *s, const char *action,
	const struct cloudformation_rec_resource *r, struct str *why);

/* ── notify.c ─────────────────────────────────────────────────────────────────────────────────────────────────── */
/* The event goes to the stack's topics after the commit. */
void cfn_notify(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_event *e);
void cfn_notify_start(struct cloud *cloud);

/* ── tags.c ───────────────────────────────────────────────────────────────────────────────────────────────────── */
/* The stack's own tags, as its phase wants them (a rollback: those of before). */
const struct cloudformation_rec_tags *cfn_tags_wanted(const struct cloudformation_rec_stack *s);
/* As a resource's record keeps them. */
struct str cfn_tags_text(struct arena *a, const struct cloudformation_rec_tags *tags);
/* What the stack has its resource carry, and had until now, with those that CloudFormation sets: lists of Key and Value. */
const struct json_value *cfn_tags_now(
	struct arena *a, const struct cloudformation_rec_stack *s, const struct cloudformation_rec_resource *r);
const struct json_value *cfn_tags_before(
	struct arena *a, const struct cloudformation_rec_stack *s, const struct cloudformation_rec_resource *r);
bool cfn_tags_same(
	struct arena *a, const struct cloudformation_rec_tags *one, const struct cloudformation_rec_tags *other);
/* Has a resource of this type to be tagged anew, though nothing else of it changes? before: where its record does not tell. */
bool cfn_tags_due(struct arena *a, const struct cfn_type *type, const struct cloudformation_rec_resource *r,
	const struct cloudformation_rec_tags *wanted, const struct cloudformation_rec_tags *before);

/* ── plan.c ───────────────────────────────────────────────────────────────────────────────────────────────────── */
/* CFN_RETAG: only the tags of its stack have changed. */
enum cfn_action { CFN_KEEP, CFN_CREATE, CFN_UPDATE, CFN_REPLACE, CFN_RETAG };
/* What has to happen to a resource so that it has these properties. r NULL: it is not there. *why_replaced: names of
 * properties. */
/* types/rolling.c: an update of these properties is, by the group's UpdatePolicy, a replacement (WillReplace). */
bool cfn_group_replaced(
	const struct cfn_type *type, const struct json_value *update_policy, const struct cfn_names *changed);
enum cfn_action cfn_decide(struct arena *a, const struct cfn_type *type, const struct cloudformation_rec_resource *r,
	const struct json_value *wanted, struct cfn_names *changed, struct cfn_names *replacing);
