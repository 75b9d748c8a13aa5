/* What CloudFormation's resource types look like, from models/cloudformation.types (facts of AWS's public resource
 * schemas): which properties a resource has, of which type, which of them replace it when they change. Whether virga
 * can make resources of a type is told by handlers.h. */
#pragma once
#include "services/cloudformation/evaluate.h"

enum cfn_change { CFN_IN_PLACE, CFN_MAY_REPLACE, CFN_REPLACES };
struct cfn_property {
	struct str name;
	struct str type; /* string, integer, number, boolean, json, date-time, tag; [T], {T}, .Struct, T|T */
	bool required;
	enum cfn_change change;
};
struct cfn_struct {
	struct str name;
	struct cfn_property *v;
	size_t n;
};
struct cfn_type {
	struct str name; /* AWS::SQS::Queue */
	struct str *ids; /* the primary identifier's properties and attributes */
	size_t n_ids;
	struct str *attributes;
	size_t n_attributes;
	bool open;                     /* takes properties that are not told here (custom resources) */
	bool stateful;                 /* holds data: deleting it loses them */
	struct str tags, tags_variant; /* the property that holds tags (standard, asg, map), or STR_NONE */
	struct cfn_struct properties;
	struct cfn_struct *structs;
	size_t n_structs;
};

/* NOT_FOUND: no such type of AWS's that is known here. */
status cfn_type_find(struct arena *a, struct str name, struct cfn_type *out) MUST_USE;
/* All names, in order; for ListTypes. */
void cfn_type_names(struct arena *a, struct cfn_names *out);
const struct cfn_property *cfn_struct_property(const struct cfn_struct *s, struct str name);
/* Are these resolved properties of the type's form? INVALID: *why begins "Properties validation failed for resource …".
 * With unknown values (CFN_UNKNOWN) everything fits. */
status cfn_type_check(struct arena *a, const struct cfn_type *t, struct str logical_id,
	const struct json_value *properties, struct str *why) MUST_USE;
