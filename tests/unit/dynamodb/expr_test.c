/* Expressions: what they say of an item, what they make of it, and AWS's words for what is wrong with them. */
#include "services/dynamodb/expr/expr.h"
#include "test.h"

static struct arena a;

static struct value n(const char *t)
{
	struct str out;
	INVARIANT(ddb_number_read(&a, str_c(t), &out) == NUMBER_OK);
	return value_text(V_N, out);
}
static struct value s(const char *t)
{
	return value_text(V_S, str_c(t));
}

/* {id: "x", n: 5, t: {a: 1, b: "two"}, l: [1, 2, 3], tags: {"a", "b"}, yes: true} */
static struct value item(void)
{
	struct value x = ddb_map(), t = ddb_map(), v;
	v = s("x"), ddb_set(&a, &x, STR("id"), &v);
	v = n("5"), ddb_set(&a, &x, STR("n"), &v);
	v = n("1"), ddb_set(&a, &t, STR("a"), &v);
	v = s("two"), ddb_set(&a, &t, STR("b"), &v);
	ddb_set(&a, &x, STR("t"), &t);
	struct value l = {.type = V_L, .n = 3, .list = arena_new_n(&a, struct value, 3)};
	l.list[0] = n("1"), l.list[1] = n("2"), l.list[2] = n("3");
	ddb_set(&a, &x, STR("l"), &l);
	struct value tags = {.type = V_SS, .n = 2, .set = arena_new_n(&a, struct str, 2)};
	tags.set[0] = STR("a"), tags.set[1] = STR("b");
	ddb_set(&a, &x, STR("tags"), &tags);
	v = (struct value){.type = V_BOOL, .truth = true}, ddb_set(&a, &x, STR("yes"), &v);
	return x;
}

/* #n is "n", #s "size"; :one 1, :five 5, :x "x", :a "a", :l [4], :set {"b", "c"}, :S "S" */
static struct scope scope(void)
{
	static const char *const names[][2] = {{"#n", "n"}, {"#s", "size"}};
	struct scope sc = {.a = &a, .names = arena_new_n(&a, struct scope_name, 2), .n_names = 2};
	for (int i = 0; i < 2; i++) sc.names[i] = (struct scope_name){str_c(names[i][0]), str_c(names[i][1]), false};
	struct value l = {.type = V_L, .n = 1, .list = arena_new_n(&a, struct value, 1)};
	l.list[0] = n("4");
	struct value set = {.type = V_SS, .n = 2, .set = arena_new_n(&a, struct str, 2)};
	set.set[0] = STR("b"), set.set[1] = STR("c");
	struct scope_value values[] = {{STR(":one"), n("1"), 0}, {STR(":five"), n("5"), 0}, {STR(":x"), s("x"), 0},
		{STR(":a"), s("a"), 0}, {STR(":l"), l, 0}, {STR(":set"), set, 0}, {STR(":S"), s("S"), 0}};
	sc.n_values = sizeof(values) / sizeof(values[0]);
	sc.values = arena_copy(&a, values, sizeof(values));
	return sc;
}

static void check_test(const char *text, bool want)
{
	struct scope sc = scope();
	struct value x = item();
	struct node *c = NULL;
	bool parsed = expr_parse_condition(&sc, EXPR_CONDITION, str_c(text), &c);
	if (!parsed) fprintf(stderr, "%s: %.*s\n", text, STR_ARG(sc.error));
	CHECK(parsed);
	if (parsed && expr_test(c, &x) != want) fprintf(stderr, "%s is not %s\n", text, want ? "true" : "false");
	if (parsed) CHECK(expr_test(c, &x) == want);
}

TEST(conditions)
{
	check_test("n = :five", true);
	check_test(":five = #n", true);
	check_test("n <> :five", false);
	check_test("nothere <> :five", true);
	check_test("nothere = :five", false);
	check_test("nothere < :five", false);
	check_test("n < :x", false);
	check_test("n > :one AND n <= :five", true);
	check_test("n BETWEEN :one AND :five AND id = :x", true);
	check_test("id IN (:a, :x)", true);
	check_test("id IN (:a)", false);
	check_test("NOT id IN (:a)", true);
	check_test("not (n = :five or id = :a)", false);
	check_test("id = :a OR n = :one OR n = :five", true);
	check_test("attribute_exists(t.a) AND attribute_not_exists(t.c)", true);
	check_test("attribute_exists(l[2]) AND attribute_not_exists(l[3])", true);
	check_test("attribute_type(id, :S)", true);
	check_test("attribute_type(n, :S)", false);
	check_test("begins_with(id, :x)", true);
	check_test("begins_with(id, :a)", false);
	check_test("contains(tags, :a) AND NOT contains(tags, :x)", true);
	check_test("contains(l, :one)", true);
	check_test("contains(t.b, :x)", false);
	check_test("size(l) > :one", true);
	check_test("size(id) = :one", true);
	check_test("size(n) = :one", false);
	check_test("t.a = :one and (t.b <> :x)", true);
	check_test("l[0]=t.a", true);
}

static void check_error(enum expr_kind kind, const char *text, const char *want)
{
	struct scope sc = scope();
	struct node *c = NULL;
	struct update u;
	struct projection p;
	bool good = kind == EXPR_UPDATE       ? expr_parse_update(&sc, str_c(text), &u)
		    : kind == EXPR_PROJECTION ? expr_parse_projection(&sc, str_c(text), &p)
					      : expr_parse_condition(&sc, kind, str_c(text), &c);
	CHECK(!good);
	if (!good) CHECK_STR(sc.error, str_c(want));
}

TEST(errors_of_conditions)
{
#define COND(text, want) check_error(EXPR_CONDITION, text, "Invalid ConditionExpression: " want)
	COND("", "The expression can not be empty;");
	COND("n = ", "Syntax error; token: \"<EOF>\", near: \"=\"");
	COND("n = = :one", "Syntax error; token: \"=\", near: \"= = :one\"");
	COND("n & :one", "Syntax error; token: \"&\", near: \"n & :one\"");
	COND("a = :undefined b", "Syntax error; token: \"b\", near: \":undefined b\"");
	COND("n = :undefined",
		"An expression attribute value used in expression is not defined; attribute value: :undefined");
	COND("#u = :one", "An expression attribute name used in the document path is not defined; attribute name: #u");
	COND("size = :one", "Attribute name is a reserved keyword; reserved keyword: size");
	COND("nosuch(n)", "Invalid function name; function: nosuch");
	COND("size(n)", "The function is not allowed to be used this way in an expression; function: size");
	COND("attribute_exists(n) = :one",
		"The function is not allowed to be used this way in an expression; function: attribute_exists");
	COND("attribute_exists(n, :one)", "Incorrect number of operands for operator or function; operator or "
					  "function: attribute_exists, number of operands: 2");
	COND("attribute_exists(:one)",
		"Operator or function requires a document path; operator or function: attribute_exists");
	COND("begins_with(id, :one)",
		"Incorrect operand type for operator or function; operator or function: begins_with, operand type: N");
	COND("n < :l", "Incorrect operand type for operator or function; operator or function: <, operand type: L");
	COND("n = n", "The first operand must be distinct from the remaining operands for this operator or function; "
		      "operator: =, "
		      "first operand: [n]");
	COND("n BETWEEN :five AND :one", "The BETWEEN operator requires upper bound to be greater than or equal to "
					 "lower bound; lower bound operand: "
					 "AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:1}");
	COND("n BETWEEN :five AND :x", "The BETWEEN operator requires same data type for lower and upper bounds; lower "
				       "bound operand: AttributeValue: {N:5}, "
				       "upper bound operand: AttributeValue: {S:x}");
	COND("attribute_type(n, :x)",
		"Invalid attribute type name found; type: x, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}");
	COND("((n = :one))", "The expression has redundant parentheses;");
	COND("if_not_exists(n, :one) = :one",
		"The function is not allowed in a condition expression; function: if_not_exists");
}

TEST(errors_of_updates)
{
#define UPD(text, want) check_error(EXPR_UPDATE, text, "Invalid UpdateExpression: " want)
	UPD("SET", "Syntax error; token: \"<EOF>\", near: \"SET\"");
	UPD("SET n = :one SET id = :x", "The \"SET\" section can only be used once in an update expression;");
	UPD("SET n = :one, n = :five", "Two document paths overlap with each other; must remove or rewrite one of "
				       "these paths; path one: [n], path two: [n]");
	UPD("SET t.a = :one, t = :five", "Two document paths overlap with each other; must remove or rewrite one of "
					 "these paths; path one: [t, a], path two: [t]");
	UPD("SET t.a = :one, t[0] = :five", "Two document paths conflict with each other; must remove or rewrite one "
					    "of these paths; path one: [t, a], path two: [t, [0]]");
	UPD("ADD n :x",
		"Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: "
		"ALLOWED_FOR_ADD_OPERAND");
	UPD("SET n = :x + :one",
		"Incorrect operand type for operator or function; operator or function: +, operand type: S");
	UPD("SET n = attribute_exists(n)",
		"The function is not allowed in an update expression; function: attribute_exists");
	check_error(EXPR_PROJECTION, "t, t.a",
		"Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one "
		"of these paths; path "
		"one: [t], path two: [t, a]");
}

static struct str shown(const struct value *v)
{
	struct buf b = BUF_IN(&a);
	ddb_value_describe(&b, v);
	return buf_done(&b);
}

static void check_apply(const char *text, const char *path_shown, const char *name)
{
	struct scope sc = scope();
	struct value x = item();
	struct update u;
	struct str error = STR_NONE;
	CHECK(expr_parse_update(&sc, str_c(text), &u));
	CHECK(expr_apply(&a, &u, &x, &error));
	const struct value *v = ddb_get(&x, str_c(name));
	CHECK_STR(v ? shown(v) : STR("absent"), str_c(path_shown));
}

TEST(updates)
{
	check_apply("SET n = n + :one", "{N:6}", "n");
	check_apply("SET n = :one - n", "{N:-4}", "n");
	check_apply("SET m = if_not_exists(m, :five)", "{N:5}", "m");
	check_apply("SET n = if_not_exists(n, :one) + :one", "{N:6}", "n");
	check_apply("SET l = list_append(l, :l)", "{L:[{N:1}, {N:2}, {N:3}, {N:4}]}", "l");
	check_apply("SET l[9] = :one, l[7] = :five", "{L:[{N:1}, {N:2}, {N:3}, {N:5}, {N:1}]}", "l");
	check_apply("SET l[1] = :x", "{L:[{N:1}, {S:x}, {N:3}]}", "l");
	check_apply("REMOVE l[0], l[1]", "{L:[{N:3}]}", "l");
	check_apply("SET l[1] = :five REMOVE l[0]", "{L:[{N:5}, {N:3}]}", "l");
	check_apply("REMOVE t.a", "{M:{b={S:two}}}", "t");
	check_apply("SET t.c = :x", "{M:{a={N:1}, b={S:two}, c={S:x}}}", "t");
	check_apply("ADD n :five", "{N:10}", "n");
	check_apply("ADD fresh :five", "{N:5}", "fresh");
	check_apply("ADD tags :set", "{SS:[a, b, c]}", "tags");
	check_apply("DELETE tags :set", "{SS:[a]}", "tags");
	check_apply("DELETE absent_one :set", "absent", "absent_one");
	check_apply("SET id = n, n = id", "{N:5}", "id");
}

TEST(updates_that_fail)
{
	static const char *const texts[][2] = {
		{"SET n = nothere", "The provided expression refers to an attribute that does not exist in the item"},
		{"SET nothere.b = :x", "The document path provided in the update expression is invalid for update"},
		{"SET n.b = :x", "The document path provided in the update expression is invalid for update"},
		{"SET id = id + :one", "An operand in the update expression has an incorrect data type"},
		{"ADD id :one", "An operand in the update expression has an incorrect data type"},
		{"REMOVE nothere.b", "The document path provided in the update expression is invalid for update"},
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct scope sc = scope();
		struct value x = item();
		struct update u;
		struct str error = STR_NONE;
		CHECK(expr_parse_update(&sc, str_c(texts[i][0]), &u));
		CHECK(!expr_apply(&a, &u, &x, &error));
		CHECK_STR(error, str_c(texts[i][1]));
	}
}

TEST(projections)
{
	struct scope sc = scope();
	struct projection p;
	struct value x = item();
	CHECK(expr_parse_projection(&sc, STR("id, t.b, l[2], l[0], nothing"), &p));
	struct value out = expr_project(&a, &p, &x);
	CHECK_STR(shown(&out), STR("{M:{id={S:x}, t={M:{b={S:two}}}, l={L:[{N:1}, {N:3}]}}}"));
}

TEST(stored_form_reads_back)
{
	struct value x = item(), y;
	struct str bytes = ddb_item_store(&a, &x);
	CHECK_OK(ddb_item_load(&a, bytes, &y));
	CHECK(ddb_equal(&x, &y));
	for (size_t i = 0; i < bytes.n; i++) CHECK(!is_ok(ddb_item_load(&a, str_sub(bytes, 0, i), &y)));
	CHECK(ddb_item_size(&x) ==
		2 + 1 + 1 + 2 + (1 + 3 + (1 + 1 + 2) + (1 + 1 + 3)) + (1 + 3 + 3 * 3) + (4 + 2) + (3 + 1));
}

TEST(reserved_words)
{
	CHECK(expr_is_reserved(STR("name")) && expr_is_reserved(STR("ABORT")) && expr_is_reserved(STR("Zone")) &&
		expr_is_reserved(STR("status")));
	CHECK(!expr_is_reserved(STR("id")) && !expr_is_reserved(STR("names_")) && !expr_is_reserved(STR("zz")) &&
		!expr_is_reserved(STR("")));
}

TEST_MAIN()
