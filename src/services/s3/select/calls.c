/* Functions, CAST and CASE, whose arguments have grammars of their own ("SQL functions", Amazon S3 User Guide). */
#include "services/s3/select/parser.h"

static status read_part(struct parser *p, enum sel_part last, enum sel_part *out)
{
	static const char *const names[] = {
		"year", "month", "day", "hour", "minute", "second", "timezone_hour", "timezone_minute"};
	for (unsigned i = 0; i <= (unsigned)last; i++)
		if (sel_is_word(p, names[i])) {
			*out = (enum sel_part)i;
			return sel_next_word(p);
		}
	return sel_parse_fail(p, "ParseExpectedDatePart", "Did not find the expected date part in the SQL expression.");
}

static status read_type(struct parser *p, enum sel_type *out)
{
	static const struct {
		const char *name;
		enum sel_type type;
	} types[] = {{"bool", SEL_BOOL}, {"boolean", SEL_BOOL}, {"int", SEL_INT}, {"integer", SEL_INT},
		{"string", SEL_STRING}, {"varchar", SEL_STRING}, {"char", SEL_STRING}, {"float", SEL_FLOAT},
		{"decimal", SEL_FLOAT}, {"numeric", SEL_FLOAT}, {"timestamp", SEL_TIME}};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (!sel_is_word(p, types[i].name)) continue;
		*out = types[i].type;
		TRY(sel_next_word(p));
		if (!sel_is_sign(p, "(")) return OK;
		/* decimal(p, s): precision and scale, which a double does not need. */
		do {
			TRY(sel_next_word(p));
			if (p->type != T_NUMBER)
				return sel_parse_fail(p, "ParseExpectedNumber",
					"Did not find the expected number in the SQL expression.");
			TRY(sel_next_word(p));
		} while (sel_is_sign(p, ","));
		return sel_expect_sign(p, ")");
	}
	return sel_parse_fail(p, "ParseExpectedTypeName", "Did not find the expected type name in the SQL expression.");
}

status sel_read_cast(struct parser *p, struct sel_node **out)
{
	struct sel_node *x;
	TRY(sel_expect_sign(p, "("));
	TRY(sel_expression(p, &x));
	*out = sel_with(p, SEL_CAST, x, NULL);
	TRY(sel_expect_word(p, "as"));
	TRY(read_type(p, &(*out)->cast));
	return sel_expect_sign(p, ")");
}

status sel_read_case(struct parser *p, struct sel_node **out)
{
	struct sel_node *n = *out = sel_new_node(p, SEL_CASE), *x;
	size_t capacity = 0;
	if (!sel_is_word(p, "when")) {
		n->simple = true;
		TRY(sel_expression(p, &x));
		sel_add_child(p, n, &capacity, x);
	}
	if (!sel_is_word(p, "when"))
		return sel_parse_fail(p, "ParseExpectedWhenClause",
			"Did not find the expected WHEN clause in the SQL expression. CASE is not supported.");
	while (sel_is_word(p, "when")) {
		TRY(sel_next_word(p));
		TRY(sel_expression(p, &x));
		sel_add_child(p, n, &capacity, x);
		TRY(sel_expect_word(p, "then"));
		TRY(sel_expression(p, &x));
		sel_add_child(p, n, &capacity, x);
	}
	bool other;
	TRY(sel_take(p, sel_is_word(p, "else"), &other));
	n->has_else = other;
	if (other) {
		TRY(sel_expression(p, &x));
		sel_add_child(p, n, &capacity, x);
	}
	return sel_expect_word(p, "end");
}

/* SUBSTRING(x, 1, 2), SUBSTRING(x FROM 1 FOR 2) */
static status substring(struct parser *p, struct sel_node *n, size_t *capacity)
{
	struct sel_node *x;
	bool more;
	TRY(sel_expression(p, &x));
	sel_add_child(p, n, capacity, x);
	if (!sel_is_sign(p, ",") && !sel_is_word(p, "from"))
		return sel_parse_fail(p, "ParseExpectedArgumentDelimiter",
			"Did not find the expected argument delimiter in the SQL expression.");
	TRY(sel_next_word(p));
	TRY(sel_expression(p, &x));
	sel_add_child(p, n, capacity, x);
	TRY(sel_take(p, sel_is_sign(p, ",") || sel_is_word(p, "for"), &more));
	if (!more) return OK;
	TRY(sel_expression(p, &x));
	sel_add_child(p, n, capacity, x);
	return OK;
}

/* TRIM([[LEADING | TRAILING | BOTH] [characters] FROM] text) */
static status trim(struct parser *p, struct sel_node *n, size_t *capacity)
{
	struct sel_node *x;
	bool side = true, from;
	n->part = SEL_P_BOTH;
	if (sel_is_word(p, "leading"))
		n->part = SEL_P_LEADING;
	else if (sel_is_word(p, "trailing"))
		n->part = SEL_P_TRAILING;
	else
		side = sel_is_word(p, "both");
	if (side) TRY(sel_next_word(p));
	TRY(sel_take(p, side && sel_is_word(p, "from"), &from));
	TRY(sel_expression(p, &x));
	sel_add_child(p, n, capacity, x);
	if (from) return OK;
	TRY(sel_take(p, sel_is_word(p, "from"), &from));
	if (!from)
		return side ? sel_parse_fail(p, "ParseExpectedKeyword",
				      "Did not find the expected keyword in the SQL expression.")
			    : OK;
	TRY(sel_expression(p, &x));
	struct sel_node *characters = n->v[0];
	n->v[0] = x;
	sel_add_child(p, n, capacity, characters);
	return OK;
}

struct known {
	const char *name;
	enum sel_function function;
	uint8_t min, max;
};
static const struct known known[] = {
	{"coalesce", SEL_F_COALESCE, 1, 255},
	{"nullif", SEL_F_NULLIF, 2, 2},
	{"char_length", SEL_F_CHAR_LENGTH, 1, 1},
	{"character_length", SEL_F_CHAR_LENGTH, 1, 1},
	{"lower", SEL_F_LOWER, 1, 1},
	{"upper", SEL_F_UPPER, 1, 1},
	{"substring", SEL_F_SUBSTRING, 2, 3},
	{"trim", SEL_F_TRIM, 1, 2},
	{"date_add", SEL_F_DATE_ADD, 2, 2},
	{"date_diff", SEL_F_DATE_DIFF, 2, 2},
	{"extract", SEL_F_EXTRACT, 1, 1},
	{"to_string", SEL_F_TO_STRING, 2, 2},
	{"to_timestamp", SEL_F_TO_TIMESTAMP, 1, 1},
	{"utcnow", SEL_F_UTCNOW, 0, 0},
	{"avg", SEL_F_AVG, 1, 1},
	{"count", SEL_F_COUNT, 1, 1},
	{"max", SEL_F_MAX, 1, 1},
	{"min", SEL_F_MIN, 1, 1},
	{"sum", SEL_F_SUM, 1, 1},
};

static status arguments(struct parser *p, struct sel_node *n, size_t *capacity)
{
	struct sel_node *x;
	if (n->function == SEL_F_SUBSTRING) return substring(p, n, capacity);
	if (n->function == SEL_F_TRIM) return trim(p, n, capacity);
	if (n->function == SEL_F_EXTRACT) {
		TRY(read_part(p, SEL_P_TIMEZONE_MINUTE, &n->part));
		TRY(sel_expect_word(p, "from"));
	} else if (n->function == SEL_F_DATE_ADD || n->function == SEL_F_DATE_DIFF) {
		TRY(read_part(p, SEL_P_SECOND, &n->part));
		TRY(sel_expect_sign(p, ","));
	}
	for (bool more = !sel_is_sign(p, ")"); more;) {
		TRY(sel_expression(p, &x));
		sel_add_child(p, n, capacity, x);
		TRY(sel_take(p, sel_is_sign(p, ","), &more));
	}
	return OK;
}

static status call_known(struct parser *p, const struct known *f, struct sel_node **out)
{
	struct sel_node *n = *out = sel_new_node(p, f->function >= SEL_F_AVG ? SEL_AGGREGATE : SEL_CALL);
	bool star = false, outer = p->in_aggregate;
	size_t capacity = 0;
	n->function = f->function;
	TRY(sel_next_word(p)); /* ( */
	if (n->op == SEL_AGGREGATE) {
		if (outer) return sel_parse_fail(p, "UnsupportedSqlStructure", "Aggregate functions cannot be nested.");
		p->in_aggregate = true;
		if (sel_is_word(p, "distinct"))
			return sel_parse_fail(p, "UnsupportedSqlStructure",
				"Encountered an unsupported SQL structure. Check the SQL Reference.");
		TRY(sel_take(p, n->function == SEL_F_COUNT && sel_is_sign(p, "*"), &star));
	}
	if (!star) TRY(arguments(p, n, &capacity));
	p->in_aggregate = outer;
	TRY(sel_expect_sign(p, ")"));
	if (!star && (n->n < f->min || n->n > f->max))
		return sel_parse_fail(p, "EvaluatorInvalidArguments",
			"Incorrect number of arguments in the function call in the SQL expression.");
	if (n->op == SEL_AGGREGATE) {
		n->slot = p->st->aggregates.n;
		*VEC_PUSH(p->a, &p->st->aggregates, &p->n_aggregates) = n;
	}
	return OK;
}

status sel_call_function(struct parser *p, struct sel_node **out)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (sel_is_word(p, known[i].name)) {
			TRY(sel_next_word(p));
			return call_known(p, &known[i], out);
		}
	return sel_parse_fail(p, "UnsupportedFunction", "We encountered an unsupported SQL function.");
}
