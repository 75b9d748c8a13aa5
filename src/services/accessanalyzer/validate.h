/* Inside the room: a policy under validation, and what is found in it ("IAM Access Analyzer policy check reference").
 */
#pragma once
#include "services/accessanalyzer/room.h"

enum aa_policy { AA_IDENTITY, AA_RESOURCE, AA_SCP, AA_RCP, AA_TRUST };
/* Where a value is: a path from the document's root. */
struct aa_step {
	struct str name; /* a member's, as "value"; STR_NONE: an element's index */
	int32_t index;
	const struct aa_step *up;
};
struct aa_check {
	struct call *c;
	struct str text;
	enum aa_policy type;
	struct str resource_type; /* STR_NONE: any */
	bool variables;           /* Version 2012-10-17 */
	struct accessanalyzer_validate_policy_finding_list *out;
	size_t capacity;
};
enum aa_kind { AA_ERROR, AA_SECURITY_WARNING, AA_SUGGESTION, AA_WARNING };
/* Notes a finding about v (its whole span) at the path's end. */
void aa_find(struct aa_check *k, enum aa_kind kind, const char *code, const struct aa_step *path,
	const struct json_value *v, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Elements of one statement. */
struct aa_statement {
	const struct json_value *all, *sid, *effect, *principal, *not_principal, *action, *not_action, *resource,
		*not_resource, *condition;
	const struct aa_step *path;
	bool allow;
};
void aa_check_actions(struct aa_check *k, const struct aa_statement *s);
void aa_check_resources(struct aa_check *k, const struct aa_statement *s);
void aa_check_principals(struct aa_check *k, const struct aa_statement *s);
void aa_check_conditions(struct aa_check *k, const struct aa_statement *s);
void aa_check_variables(struct aa_check *k, const struct aa_step *path, const struct json_value *v);

/* The step to the n-th item of a list under `under`; under itself where it is one value. */
const struct aa_step *aa_item_step(
	struct aa_check *k, const struct aa_step *under, const struct json_value *list, int32_t n);
const struct aa_step *aa_step(struct aa_check *k, const struct aa_step *up, struct str name, int32_t index);
