/* Inside the folder: the functions that evaluate.c calls by name. */
#pragma once
#include "services/cloudformation/evaluate.h"

/* argument: as it stands in the template. *out NULL: AWS::NoValue. */
typedef status (*cfn_function_fn)(
	struct cfn_scope *s, const struct json_value *argument, const struct json_value **out, struct str *why);
/* NULL where there is no such function of values ("Fn::Join"). */
cfn_function_fn cfn_function_of(struct str name);
/* {{resolve:…}} within a text. */
status cfn_resolve_text(struct cfn_scope *s, struct str text, struct str *out, struct str *why) MUST_USE;
status cfn_ref(struct cfn_scope *s, struct str name, const struct json_value **out, struct str *why) MUST_USE;
status cfn_get_att(struct cfn_scope *s, struct str resource, struct str attribute, const struct json_value **out,
	struct str *why) MUST_USE;
__attribute__((format(printf, 3, 4))) status cfn_refuse(struct cfn_scope *s, struct str *why, const char *fmt, ...);
