/* Any bytes as every kind of expression, over an item and placeholders: parsed, tested, applied, projected. What parses
 * must evaluate without harm, and what an update leaves must be storable and read back as it was. */
#include "services/dynamodb/expr/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct value number(struct arena *a, int64_t v)
{
	return value_text(V_N, ddb_number_from_i64(a, v));
}

static struct value item(struct arena *a)
{
	struct value x = ddb_map(), inner = ddb_map(), v = number(a, 5);
	ddb_set(a, &x, STR("n"), &v);
	ddb_set(a, &inner, STR("n"), &v);
	v = value_text(V_S, STR("text"));
	ddb_set(a, &x, STR("s"), &v);
	struct value list = {.type = V_L, .n = 3, .list = arena_new_n(a, struct value, 3)};
	list.list[0] = number(a, 1);
	list.list[1] = inner;
	list.list[2] = (struct value){.type = V_L};
	ddb_set(a, &x, STR("l"), &list);
	ddb_set(a, &x, STR("m"), &inner);
	struct value set = {.type = V_NS, .n = 1, .set = arena_new(a, struct str)};
	set.set[0] = ddb_number_from_i64(a, 7);
	ddb_set(a, &x, STR("ns"), &set);
	return x;
}

static struct scope scope(struct arena *a, const struct value *x)
{
	struct scope s = {.a = a, .n_names = 1, .n_values = 4};
	s.names = arena_new(a, struct scope_name);
	s.names[0] = (struct scope_name){STR("#n"), STR("name"), false};
	s.values = arena_new_n(a, struct scope_value, 4);
	s.values[0] = (struct scope_value){STR(":n"), number(a, -3), false};
	s.values[1] = (struct scope_value){STR(":s"), value_text(V_S, STR("S")), false};
	s.values[2] = (struct scope_value){STR(":l"), *ddb_get(x, STR("l")), false};
	s.values[3] = (struct scope_value){STR(":x"), *ddb_get(x, STR("ns")), false};
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct str text = str_n(data, size);
	arena_init(&a);
	for (enum expr_kind kind = EXPR_CONDITION; kind <= EXPR_KEY_CONDITION; kind++) {
		struct value x = item(&a);
		struct scope s = scope(&a, &x);
		struct node *n = NULL;
		struct key_condition k;
		bool good = expr_parse_condition(&s, kind, text, &n);
		INVARIANT(good != str_has(s.error));
		if (!good) continue;
		(void)expr_test(n, &x);
		(void)expr_uses(n, STR("n"), STR("s"));
		if (kind == EXPR_KEY_CONDITION) (void)expr_key_condition(&s, n, STR("n"), STR("s"), &k);
	}
	struct value x = item(&a);
	struct scope s = scope(&a, &x);
	struct projection p;
	if (expr_parse_projection(&s, text, &p)) (void)expr_project(&a, &p, &x);
	s = scope(&a, &x);
	struct update u;
	struct str error = STR_NONE;
	if (expr_parse_update(&s, text, &u)) {
		struct value y = ddb_copy(&a, &x), back;
		if (expr_apply(&a, &u, &y, &error)) {
			INVARIANT(is_ok(ddb_item_load(&a, ddb_item_store(&a, &y), &back)) && ddb_equal(&y, &back));
		} else {
			INVARIANT(str_has(error));
		}
	}
	struct value loaded;
	(void)!is_ok(ddb_item_load(&a, text, &loaded));
	arena_cleanup(&a);
	return 0;
}
