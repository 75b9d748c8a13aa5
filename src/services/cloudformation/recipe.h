/* Recipes: how resources of most types are made, told in lines of text (types/NAME.recipes) instead of functions: which
 * operation creates one, from which properties, what its id is, how it is described, changed and removed. The language
 * stands in docs/decisions/0041-cloudformation-recipes.md. All recipes lie in the program as they are; one is read when
 * its type is asked for. What a recipe cannot tell is a function in shapes.c, or a handler of its own (types/NAME.c).
 */
#pragma once
#include "services/cloudformation/handlers.h"

/* " set ModifyVpcAttribute VpcId=$id": kind is "set", words the rest. */
struct cfn_line {
	struct str kind, words;
};
struct cfn_recipe {
	struct str service; /* "ec2" */
	struct cfn_line *v; /* in their order; behind them those of the service, for all of its types */
	size_t n;
};
/* NOT_FOUND: no recipe. */
status cfn_recipe_find(struct arena *a, struct str type, struct cfn_recipe *out) MUST_USE;
/* The words of the first line of that kind, or STR_NONE. */
struct str cfn_recipe_line(const struct cfn_recipe *r, const char *kind);
/* Is its first word what it is about ("each Roles PutRolePolicy …")? */
bool cfn_line_has_subject(const struct cfn_line *l);
/* A word that gives a member of the input, not "ok:…" and its like. */
bool cfn_is_argument(struct str word);
/* All names of types, in the order of the files. */
void cfn_recipe_types(struct arena *a, struct cfn_names *out);
/* False where virga lacks the operation that creates one (the first of several) or removes it: then the type is not there. */
bool cfn_recipe_built(const struct cfn_recipe *r);
/* Whether the recipe's operations, and their inputs' members, and the type's properties exist: "" or what is wrong. */
struct str cfn_recipe_wrong(struct arena *a, struct str type, const struct cfn_recipe *r);

/* ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────── */
struct cfn_eval {
	struct cfn_work *w;
	const struct cfn_recipe *r;
	const struct json_value *in, *out;   /* of the last call: '>' and '<' */
	const struct json_value *item;       /* described: '<', too */
	const struct json_value *each, *was; /* of an "each" line: the element, and what it was before */
	const struct json_value *add, *del;  /* tags: to set, keys to remove */
};
/* NULL: nothing there. In the work's arena; not to be changed. */
const struct json_value *cfn_expr(struct cfn_eval *x, struct str e);
struct str cfn_expr_text(struct cfn_eval *x, struct str e);
/* Names of the properties that it reads are added. */
void cfn_expr_names(struct arena *a, struct str e, struct cfn_names *names, size_t *capacity);
/* Cut at the first c that stands outside of brackets. */
struct str cfn_cut_outside(struct str *rest, char c);
/* A property with its aliases applied ("alias" lines). */
const struct json_value *cfn_aliased(struct cfn_eval *x, const struct json_value *properties, struct str name);
/* The resource as it is described at this moment; NULL where it cannot be. */
const struct json_value *cfn_recipe_now(struct cfn_eval *x);
/* Names in it are exact, or else equal but for case. */
const struct json_value *cfn_path(const struct json_value *v, struct str path);
/* "#rule" in an expression: shapes.c. NULL, *known false: no such function. */
const struct json_value *cfn_shape(struct cfn_eval *x, struct str name, bool *known);

/* shapes_scaling.c */
const struct json_value *cfn_group_tags(struct cfn_eval *x);
const struct json_value *cfn_group_tags_gone(struct cfn_eval *x);
const struct json_value *cfn_classic_listeners(struct cfn_eval *x);
const struct json_value *cfn_engine_version(struct cfn_eval *x);

/* ── handlers over a recipe, for a type's own functions to build on ───────────────────────────────────────────── */
status cfn_recipe_create(struct cfn_work *w);
status cfn_recipe_settle(struct cfn_work *w);
status cfn_recipe_update(struct cfn_work *w);
status cfn_recipe_remove(struct cfn_work *w);
status cfn_recipe_read(struct cfn_work *w);
/* Tags alone, where they have changed. */
status cfn_recipe_retag(struct cfn_work *w) MUST_USE;
/* All of the resource's tags once more, where the recipe says how: its stack is another one now. */
status cfn_recipe_tag_anew(struct cfn_work *w) MUST_USE;
