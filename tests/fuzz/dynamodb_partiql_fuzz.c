/* Any bytes as a PartiQL statement with three parameters: parsed, its condition tested, its update applied. */
#include "services/dynamodb/partiql/partiql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	arena_init(&a);
	struct value number = value_text(V_N, ddb_number_from_i64(&a, 3)), text = value_text(V_S, STR("x")),
		     item = ddb_map(), inner = ddb_map();
	ddb_set(&a, &inner, STR("n"), &number);
	ddb_set(&a, &item, STR("pk"), &text);
	ddb_set(&a, &item, STR("m"), &inner);
	for (size_t n = 0; n <= 3; n++) {
		struct value parameters[] = {text, number, inner};
		struct partiql q;
		struct str why;
		if (!partiql_parse(&a, str_n(data, size), parameters, n, &q, &why)) {
			INVARIANT(str_has(why));
			continue;
		}
		if (q.where) (void)expr_test(q.where, &item);
		(void)partiql_equal(q.where, STR("pk"));
		(void)partiql_only_keys(q.where, STR("pk"), STR("sk"));
		if (q.projection.n) (void)expr_project(&a, &q.projection, &item);
		struct value changed = ddb_copy(&a, q.kind == PARTIQL_INSERT ? &q.item : &item), back;
		struct str error;
		if (expr_apply(&a, &q.update, &changed, &error))
			INVARIANT(is_ok(ddb_item_load(&a, ddb_item_store(&a, &changed), &back)) &&
				  ddb_equal(&changed, &back));
	}
	arena_cleanup(&a);
	return 0;
}
