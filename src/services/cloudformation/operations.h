/* Inside the folder: what the API's operations share. */
#pragma once
#include "services/cloudformation/internal.h"

/* ValidationError with *why. */
status cfn_invalid(struct call *c, struct str why) MUST_USE;
/* The stack by name or id; FAILED: "Stack with id X does not exist". */
status cfn_load_stack(struct call *c, struct str name_or_id, struct cloudformation_rec_stack *out) MUST_USE;
/* Who calls, for work that is done inside the call. */
struct inside_caller cfn_call_who(const struct call *c);
struct cfn_place cfn_call_place(const struct call *c);
/* The engine looks at the stack when the call has committed. */
void cfn_poke_after(struct call *c, struct str stack_id);

/* What a creation, an update or a change set asks for, checked: the template's text, parameters, tags, capabilities. */
struct cfn_request {
	struct str template_body, template_url;
	bool use_previous_template;
	const struct cloudformation_parameters *parameters;
	const struct cloudformation_tags *tags;
	const struct cloudformation_capabilities *capabilities;
	const struct cloudformation_notification_ar_ns *notification_arns;
	struct str role_arn;
};
/* before: of an update (its settings stand in for what is left out), or NULL. FAILED: the failure is recorded. */
status cfn_settings_read(struct call *c, const struct cfn_request *in, const struct cloudformation_rec_stack *before,
	struct cloudformation_rec_settings *out, struct cfn_template *t) MUST_USE;
/* A new stack's record, not stored: name and id, caller, settings. FAILED: AlreadyExists and so on; *same: the token
 * says that it is a repeated request. */
status cfn_stack_new(
	struct call *c, struct str name, struct cloudformation_rec_stack *out, struct str token, bool *same) MUST_USE;
/* A stack policy by its text or its URL, checked; *text is STR_NONE where neither is given. */
status cfn_policy_read(struct call *c, struct str body, struct str url, struct str *text) MUST_USE;
/* May an operation begin on this stack? FAILED with AWS's words. */
status cfn_may_update(struct call *c, const struct cloudformation_rec_stack *s) MUST_USE;
/* The stack's next settings, and the phase that makes them true. */
void cfn_begin_update(struct call *c, struct cloudformation_rec_stack *s, struct cloudformation_rec_settings *settings,
	struct str token);
/* What a change set imports. */
struct cfn_imports {
	bool existing; /* whatever is there already under the name that the template gives */
	const struct cloudformation_resources_to_import *given; /* named by the client */
	struct json_value *found;                               /* filled: {logical id: physical id} */
	struct json_value
		*nested; /* NULL or a list, filled: nested stacks that change, {LogicalId, StackId, Properties} */
};
/* Of a drift-aware change set: resources as they are stand in for what their records say. */
struct cfn_actual {
	struct json_value *found; /* filled: {logical id: its properties, or null where it is gone}, of those that have drifted */
	bool drifted;
};
/* Is there a resource that the template would change, make or remove? The changes, as DescribeChangeSet has them, in
 * JSON. */
status cfn_changes(struct call *c, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_settings *settings, const struct cfn_template *t, struct cfn_imports *imports,
	struct cfn_actual *actual, struct json_value **out) MUST_USE;
/* The physical id of what the change set imports as this resource, or STR_NONE. FAILED: it cannot be imported. */
status cfn_import_find(struct call *c, const struct inside_caller *who, const struct cfn_imports *imports,
	const struct cfn_type *type, struct str logical_id, const struct json_value *wanted,
	struct str *physical_id) MUST_USE;
/* A change set's settings, for GetTemplate. FAILED: ChangeSetNotFound. */
status cfn_change_set_settings(struct call *c, const struct cloudformation_rec_stack *s, struct str name,
	const struct cloudformation_rec_settings **out) MUST_USE;
struct str cfn_change_set_key(struct arena *a, const struct cloudformation_rec_stack *s, struct str name);
/* By its ARN. NOT_FOUND. */
status cfn_change_set_find(struct call *c, struct str arn, struct cloudformation_rec_stack *s,
	struct cloudformation_rec_change_set *set) MUST_USE;
/* change_set_nested.c: makes those of nested stacks, and tells their ids in the changes; set->status where one fails.
 */
void cfn_nested_sets(struct call *c, struct cloudformation_rec_change_set *set, const struct json_value *nested,
	struct json_value *changes);
status cfn_nested_drop(struct call *c, const struct cloudformation_rec_change_set *set) MUST_USE;
