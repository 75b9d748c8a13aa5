/* Inside the folder: what moves where in a stack refactor ("Stack refactoring", CloudFormation User Guide). */
#pragma once
#include "services/cloudformation/operations.h"

struct refactor_stack {
	struct str name, text;
	bool made; /* by the refactor */
	struct cloudformation_rec_stack s;
	struct cloudformation_rec_settings settings;
	struct cfn_template t;
	struct cfn_resources before, after;
	struct cloudformation_rec_outputs outputs;
	bool outputs_known;
	struct cfn_view view;
	struct refactor_plan *plan;
};

struct refactor_plan {
	struct call *c;
	struct refactor_stack *v;
	size_t n;
	struct cloudformation_rec_refactor_moves moves; /* given ones; filled with those that are found */
	size_t moves_capacity;
};

/* name and text of every stack, and the given moves, are there. The rest is filled: OK, INVALID: *why, or another
 * failure. Nothing is written. */
status cfn_refactor_plan(struct refactor_plan *p, bool may_create, struct str *why) MUST_USE;
