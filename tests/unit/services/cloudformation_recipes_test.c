/* Every recipe of CloudFormation's resources names operations, members, types and properties that AWS has. */
#include "services/cloudformation/recipe.h"
#include "test.h"

TEST(recipes_are_sound)
{
	struct arena a;
	struct cfn_names types;
	arena_init(&a);
	cfn_recipe_types(&a, &types);
	CHECK(types.n > 50);
	for (size_t i = 0; i < types.n; i++) {
		struct cfn_recipe r;
		CHECK_OK(cfn_recipe_find(&a, types.v[i], &r));
		CHECK_STR(cfn_recipe_wrong(&a, types.v[i], &r), STR(""));
		CHECK(str_has(cfn_recipe_line(&r, "id")));
	}
	arena_cleanup(&a);
}

TEST_MAIN()
