/* A template: its sections, checked for their form ("Template anatomy", CloudFormation User Guide), its parameters, and
 * what its resources need of each other. All of it lives in the arena that it was read into, and is not changed after.
 */
#pragma once
#include "services/cloudformation/document.h"

struct cfn_template {
	struct str text; /* as the client sent it */
	struct str description;
	const struct json_value *root;
	const struct json_value *metadata, *parameters, *rules, *mappings, *conditions, *transform, *resources,
		*outputs;
	bool language_extensions; /* AWS::LanguageExtensions was applied */
};

/* The document's sections. INVALID: *why is the ValidationError's message. Transforms are not applied yet: see
 * transform.h. */
status cfn_template_read(struct arena *a, struct str text, struct cfn_template *out, struct str *why) MUST_USE;
/* The sections of a root that is there already (after a transform). */
status cfn_template_take(
	struct arena *a, const struct json_value *root, struct cfn_template *out, struct str *why) MUST_USE;
/* Every Ref, Fn::GetAtt, Fn::Sub, DependsOn and Condition names something that is there, every function stands where it
 * may, and no resources need each other in a circle. After transforms. */
status cfn_template_check(struct arena *a, const struct cfn_template *t, struct str *why) MUST_USE;

/* Names of functions: the one member of an object whose name is Ref, Condition or Fn::…; NULL where v is no function.
 */
const struct json_value *cfn_function(const struct json_value *v);

/* Pieces of Fn::Sub's text. kind: '=' text as it is, '$' a name between ${ and }. False at the end. ${!x} is the text
 * "${x}". */
struct cfn_sub_piece {
	char kind;
	struct str text;
};
bool cfn_sub_next(struct arena *a, struct str *rest, struct cfn_sub_piece *piece);

/* The other resources that this one needs before it can be made: by its functions and DependsOn. Names, each once. */
struct cfn_names {
	struct str *v;
	size_t n;
};
void cfn_resource_needs(
	struct arena *a, const struct cfn_template *t, const struct json_value *resource, struct cfn_names *out);
bool cfn_names_have(const struct cfn_names *names, struct str name);
