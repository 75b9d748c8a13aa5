/* Formulas of DB parameters: what is taken is a number, or the text itself. */
#include "services/rds/parameters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rds_formula_of of = {(int64_t)1 << 40, (int64_t)1 << 44, 96, 5432};
	struct arena a;
	struct str text = str_n(data, size), out;
	int64_t v;
	arena_init(&a);
	if (is_ok(rds_formula(&a, text, &of, &out)) && !str_eq(out, text)) INVARIANT(is_ok(str_to_i64(out, &v)));
	arena_cleanup(&a);
	return 0;
}
