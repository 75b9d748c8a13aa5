/* Values of a template: intrinsic functions, pseudo parameters, conditions and dynamic references are replaced by what
 * they stand for ("Intrinsic function reference", CloudFormation User Guide). */
#pragma once
#include "services/cloudformation/template.h"

/* A resource as far as it is there. */
struct cfn_live {
	struct str physical_id;              /* what Ref gives; STR_NONE: not made yet */
	const struct json_value *attributes; /* what Fn::GetAtt gives; an object, or NULL */
};

/* "{{changeSet:KNOWN_AFTER_APPLY}}": what a change set shows for a value that only making it will tell. */
#define CFN_UNKNOWN "{{changeSet:KNOWN_AFTER_APPLY}}"

struct cfn_scope {
	struct arena *a;
	const struct cfn_template *t;
	const struct json_value *parameters; /* an object: resolved values by name */
	struct str account, region, partition, url_suffix, stack_id, stack_name;
	const struct json_value *notification_arns; /* an array, or NULL */
	bool shown;   /* what is evaluated is to be read by people: attributes that are not to be shown are asterisks */
	bool preview; /* unknown values are CFN_UNKNOWN instead of failures */
	/* True and *out filled where the template's resource of that name is there or known. */
	bool (*find)(void *ctx, struct str logical_id, struct cfn_live *out);
	/* Fn::ImportValue; FAILED with *why. */
	status (*import)(void *ctx, struct str export, struct str *value, struct str *why);
	/* {{resolve:SERVICE:REFERENCE}}; FAILED with *why. NULL: dynamic references stay as they are. */
	status (*resolve)(void *ctx, struct str service, struct str reference, struct str *value, struct str *why);
	/* Fn::GetAZs: names of a region's zones, an array. */
	const struct json_value *(*zones)(void *ctx, struct str region);
	void *ctx;
	/* Of conditions: evaluated once. */
	signed char *condition_state; /* by place in the section: 0 unknown, 1 true, -1 false */
};

/* *out in s->a, with properties that are AWS::NoValue left out; NULL where the value itself is that. INVALID: *why. */
status cfn_evaluate(
	struct cfn_scope *s, const struct json_value *v, const struct json_value **out, struct str *why) MUST_USE;
/* The value of a named condition. */
status cfn_condition(struct cfn_scope *s, struct str name, bool *out, struct str *why) MUST_USE;
/* Whether a resource or an output exists: true where it has no Condition. */
status cfn_applies(struct cfn_scope *s, const struct json_value *part, bool *out, struct str *why) MUST_USE;
/* A rule's assertion, or its RuleCondition: functions of rules (Fn::Contains, Fn::EachMemberIn, Fn::RefAll, …), too. */
status cfn_truth(struct cfn_scope *s, const struct json_value *v, bool *out, struct str *why) MUST_USE;

/* Values made new. */
struct json_value *cfn_text(struct arena *a, struct str text);
struct json_value *cfn_list(struct arena *a);
struct json_value *cfn_object(struct arena *a);
/* Adds v (which must not be part of another list) at the end; name for objects, else STR_NONE. */
void cfn_append(struct json_value *parent, struct str name, struct json_value *v);
/* A copy of this node that can be appended elsewhere; children are shared. */
struct json_value *cfn_copy(struct arena *a, const struct json_value *v);
/* Sets or replaces an object's member. */
void cfn_set(struct json_value *object, struct str name, struct json_value *v);
bool cfn_equal(const struct json_value *x, const struct json_value *y);
struct str cfn_json(struct arena *a, const struct json_value *v);
