/* Which resources virga can make: types with handlers of their own, and all that have a recipe. */
#include "services/cloudformation/recipe.h"

static bool has_recipe(struct str type)
{
	struct arena a;
	struct cfn_recipe r;
	arena_init(&a);
	bool found = is_ok(cfn_recipe_find(&a, type, &r)) && cfn_recipe_built(&r);
	arena_cleanup(&a);
	return found;
}

const struct cfn_handler *cfn_handler_of(struct str type)
{
	static const struct cfn_handler *const files[] = {cfn_sqs, cfn_ssm, cfn_stacks, cfn_rolling, cfn_secret_target,
		cfn_custom, cfn_stack_sets, cfn_classic_balancer};
	static const struct cfn_handler by_recipe = {
		NULL, cfn_recipe_create, cfn_recipe_settle, cfn_recipe_update, cfn_recipe_remove, cfn_recipe_read};
	if (str_starts(type, STR("Custom::")) && type.n > 8) return cfn_custom;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		for (const struct cfn_handler *h = files[i]; h->type; h++)
			if (str_eq(type, str_c(h->type)) && (files[i] != cfn_rolling || has_recipe(type))) return h;
	return has_recipe(type) ? &by_recipe : NULL;
}
