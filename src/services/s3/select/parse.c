/* Reading a statement of S3 Select's SQL: words, then a recursive descent by the operators' precedence. Everything a
 * client may send is either understood or refused with AWS's code; depth is limited. */
#include "services/s3/select/parser.h"

static status check_height(struct parser *p, const struct sel_node *n)
{
	return n->height < SEL_HEIGHT_MAX
		       ? OK
		       : sel_parse_fail(p, "UnsupportedSyntax", "The SQL expression is nested too deeply.");
}

/* .name, ."Name", [0], [*] */
static status steps(struct parser *p, struct sel_steps *s, size_t *capacity, bool all)
{
	for (;;) {
		struct sel_step step = {0};
		if (sel_is_sign(p, ".")) {
			TRY(sel_next_word(p));
			if (sel_is_sign(p, "*") && !all) return OK; /* alias.* */
			if (p->type != T_WORD && p->type != T_QUOTED)
				return sel_parse_fail(p, "ParseInvalidPathComponent",
					"The SQL expression contains an invalid path component.");
			step = (struct sel_step){.kind = SEL_STEP_NAME, .name = p->word, .quoted = p->type == T_QUOTED};
			TRY(sel_next_word(p));
		} else if (sel_is_sign(p, "[")) {
			uint64_t index;
			TRY(sel_next_word(p));
			if (sel_is_sign(p, "*") && all) {
				step.kind = SEL_STEP_ALL;
			} else if (p->type == T_NUMBER && is_ok(str_to_u64(p->word, &index)) && index <= UINT32_MAX) {
				step.kind = SEL_STEP_INDEX;
				step.index = (uint32_t)index;
			} else if (p->type == T_STRING) {
				step = (struct sel_step){.kind = SEL_STEP_NAME, .name = p->word, .quoted = true};
			} else {
				return sel_parse_fail(p, "ParseInvalidPathComponent",
					"The SQL expression contains an invalid path component.");
			}
			TRY(sel_next_word(p));
			TRY(sel_expect_sign(p, "]"));
		} else {
			return OK;
		}
		*VEC_PUSH(p->a, s, capacity) = step;
	}
}

static status path(struct parser *p, struct sel_node **out)
{
	struct sel_node *n = sel_new_node(p, SEL_PATH);
	size_t capacity = 0;
	*VEC_PUSH(p->a, &n->path, &capacity) =
		(struct sel_step){.kind = SEL_STEP_NAME, .name = p->word, .quoted = p->type == T_QUOTED};
	TRY(sel_next_word(p));
	*out = n;
	return steps(p, &n->path, &capacity, false);
}

static struct sel_node *literal(struct parser *p, struct sel_value v)
{
	struct sel_node *n = sel_new_node(p, SEL_LITERAL);
	n->literal = v;
	return n;
}

static bool is_reserved(const struct parser *p)
{
	static const char *const reserved[] = {"select", "from", "where", "and", "or", "in", "between", "like", "is",
		"limit", "as", "then", "when", "else", "end", "by", "group", "order", "having", "join"};
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (sel_is_word(p, reserved[i])) return true;
	return false;
}

static status word_primary(struct parser *p, struct sel_node **out)
{
	static const struct {
		const char *name;
		struct sel_value value;
	} constants[] = {{"true", {.type = SEL_BOOL, .truth = true}}, {"false", {.type = SEL_BOOL}},
		{"null", {.type = SEL_NULL}}, {"missing", {.type = SEL_MISSING}}};
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (sel_is_word(p, constants[i].name)) {
			*out = literal(p, constants[i].value);
			return sel_next_word(p);
		}
	if (is_reserved(p))
		return sel_parse_fail(
			p, "ParseUnexpectedKeyword", "The SQL expression contains an unexpected keyword.");
	if (sel_is_word(p, "cast")) {
		TRY(sel_next_word(p));
		return sel_read_cast(p, out);
	}
	if (sel_is_word(p, "case")) {
		TRY(sel_next_word(p));
		return sel_read_case(p, out);
	}
	size_t ahead = 0;
	while (sel_here(p, ahead) == ' ') ahead++;
	if (sel_here(p, ahead) != '(') return path(p, out);
	return sel_call_function(p, out);
}

static status primary(struct parser *p, struct sel_node **out)
{
	struct sel_value v = {0};
	switch (p->type) {
	case T_STRING:
		*out = literal(p, (struct sel_value){.type = SEL_STRING, .s = p->word});
		return sel_next_word(p);
	case T_NUMBER:
		if (!sel_number(p->word, &v))
			return sel_parse_fail(
				p, "LexerInvalidLiteral", "The SQL expression contains an invalid literal.");
		*out = literal(p, v);
		return sel_next_word(p);
	case T_QUOTED:
		return path(p, out);
	case T_WORD:
		return word_primary(p, out);
	case T_END:
		return sel_parse_fail(p, "ParseUnexpectedTerm", "The SQL expression contains an unexpected term.");
	case T_SIGN:
		break;
	}
	if (!sel_is_sign(p, "("))
		return sel_parse_fail(p, "ParseUnexpectedToken", "The SQL expression contains an unexpected token.");
	TRY(sel_next_word(p));
	TRY(sel_expression(p, out));
	return sel_expect_sign(p, ")");
}

static status unary(struct parser *p, struct sel_node **out)
{
	bool minus, plus;
	struct sel_node *x;
	if (++p->depth > SEL_DEPTH_MAX)
		return sel_parse_fail(p, "UnsupportedSyntax", "The SQL expression is nested too deeply.");
	TRY(sel_take(p, sel_is_sign(p, "-"), &minus));
	if (minus) {
		TRY(unary(p, &x));
		*out = sel_with(p, SEL_NEGATE, x, NULL);
	} else {
		TRY(sel_take(p, sel_is_sign(p, "+"), &plus));
		TRY(plus ? unary(p, out) : primary(p, out));
	}
	p->depth--;
	return OK;
}

struct operator
{
	const char *sign;
	enum sel_op op;
};
static status binary(struct parser *p, const struct operator* ops, size_t n,
	status (*below)(struct parser *, struct sel_node **), struct sel_node **out)
{
	TRY(below(p, out));
	for (;;) {
		size_t i = 0;
		while (i < n && !sel_is_sign(p, ops[i].sign) && !sel_is_word(p, ops[i].sign)) i++;
		if (i == n) return OK;
		struct sel_node *y;
		TRY(sel_next_word(p));
		TRY(below(p, &y));
		*out = sel_with(p, ops[i].op, *out, y);
		TRY(check_height(p, *out));
	}
}

static status product(struct parser *p, struct sel_node **out)
{
	static const struct operator ops[] = {{"*", SEL_MUL}, {"/", SEL_DIV}, {"%", SEL_MOD}};
	return binary(p, ops, 3, unary, out);
}
static status sum(struct parser *p, struct sel_node **out)
{
	static const struct operator ops[] = {{"+", SEL_ADD}, {"-", SEL_SUB}, {"||", SEL_CONCAT}};
	return binary(p, ops, 3, product, out);
}

static status in_list(struct parser *p, struct sel_node *x, struct sel_node **out)
{
	struct sel_node *n = *out = sel_new_node(p, SEL_IN), *y;
	size_t capacity = 0;
	bool more = true;
	sel_add_child(p, n, &capacity, x);
	if (!sel_is_sign(p, "("))
		return sel_parse_fail(p, "ParseExpectedLeftParenValueConstructor",
			"Did not find the expected left parenthesis in the SQL expression.");
	TRY(sel_next_word(p));
	while (more) {
		TRY(sel_expression(p, &y));
		sel_add_child(p, n, &capacity, y);
		TRY(sel_take(p, sel_is_sign(p, ","), &more));
	}
	return sel_expect_sign(p, ")");
}

static status predicate(struct parser *p, struct sel_node **out)
{
	struct sel_node *x, *y;
	size_t capacity = 0;
	TRY(sum(p, out));
	for (;;) {
		bool not = false;
		if (sel_is_word(p, "is")) {
			TRY(sel_next_word(p));
			TRY(sel_take(p, sel_is_word(p, "not"), &not ));
			enum sel_op op = sel_is_word(p, "missing") ? SEL_IS_MISSING : SEL_IS_NULL;
			if (op == SEL_IS_NULL && !sel_is_word(p, "null"))
				return sel_parse_fail(p, "ParseExpectedKeyword",
					"Did not find the expected keyword in the SQL expression.");
			TRY(sel_next_word(p));
			*out = sel_with(p, op, *out, NULL);
			(*out)->negated = not ;
			TRY(check_height(p, *out));
			continue;
		}
		TRY(sel_take(p, sel_is_word(p, "not"), &not ));
		if (sel_is_word(p, "between")) {
			TRY(sel_next_word(p));
			TRY(sum(p, &x));
			TRY(sel_expect_word(p, "and"));
			TRY(sum(p, &y));
			struct sel_node *n = sel_new_node(p, SEL_BETWEEN);
			capacity = 0;
			sel_add_child(p, n, &capacity, *out);
			sel_add_child(p, n, &capacity, x);
			sel_add_child(p, n, &capacity, y);
			*out = n;
		} else if (sel_is_word(p, "in")) {
			TRY(sel_next_word(p));
			TRY(in_list(p, *out, out));
		} else if (sel_is_word(p, "like")) {
			bool escape;
			TRY(sel_next_word(p));
			TRY(sum(p, &x));
			struct sel_node *n = sel_new_node(p, SEL_LIKE);
			capacity = 0;
			sel_add_child(p, n, &capacity, *out);
			sel_add_child(p, n, &capacity, x);
			TRY(sel_take(p, sel_is_word(p, "escape"), &escape));
			if (escape) {
				TRY(sum(p, &y));
				sel_add_child(p, n, &capacity, y);
			}
			*out = n;
		} else {
			return not ? sel_parse_fail(p, "ParseUnexpectedOperator",
					     "The SQL expression contains an unexpected operator.")
				   : OK;
		}
		(*out)->negated = not ;
		TRY(check_height(p, *out));
	}
}

static status comparison(struct parser *p, struct sel_node **out)
{
	static const struct operator ops[] = {{"=", SEL_EQ}, {"<>", SEL_NE}, {"!=", SEL_NE}, {"<=", SEL_LE},
		{">=", SEL_GE}, {"<", SEL_LT}, {">", SEL_GT}};
	return binary(p, ops, 7, predicate, out);
}

static status negation(struct parser *p, struct sel_node **out)
{
	bool not ;
	struct sel_node *x;
	if (++p->depth > SEL_DEPTH_MAX)
		return sel_parse_fail(p, "UnsupportedSyntax", "The SQL expression is nested too deeply.");
	TRY(sel_take(p, sel_is_word(p, "not"), &not ));
	if (not ) {
		TRY(negation(p, &x));
		*out = sel_with(p, SEL_NOT, x, NULL);
	} else {
		TRY(comparison(p, out));
	}
	p->depth--;
	return OK;
}
static status conjunction(struct parser *p, struct sel_node **out)
{
	static const struct operator ops[] = {{"and", SEL_AND}};
	return binary(p, ops, 1, negation, out);
}
status sel_expression(struct parser *p, struct sel_node **out)
{
	static const struct operator ops[] = {{"or", SEL_OR}};
	if (++p->depth > SEL_DEPTH_MAX)
		return sel_parse_fail(p, "UnsupportedSyntax", "The SQL expression is nested too deeply.");
	TRY(binary(p, ops, 1, conjunction, out));
	p->depth--;
	return OK;
}

/* ── the statement ── */

static status columns(struct parser *p)
{
	size_t capacity = 0;
	bool more = true;
	TRY(sel_take(p, sel_is_sign(p, "*"), &p->st->star));
	if (p->st->star) return OK;
	while (more) {
		struct sel_column c = {0};
		bool as, star;
		TRY(sel_expression(p, &c.node));
		TRY(sel_take(p, c.node->op == SEL_PATH && sel_is_sign(p, "*"), &star)); /* alias.* */
		if (star) {
			if (p->st->columns.n || sel_is_sign(p, ","))
				return sel_parse_fail(p, "UnsupportedSqlStructure",
					"Encountered an unsupported SQL structure. Check the SQL Reference.");
			p->st->star = true;
			return OK;
		}
		TRY(sel_take(p, sel_is_word(p, "as"), &as));
		if (p->type == T_QUOTED || (p->type == T_WORD && !is_reserved(p))) {
			c.name = p->word;
			TRY(sel_next_word(p));
		} else if (as) {
			return sel_parse_fail(p, "ParseExpectedIdentForAlias",
				"Did not find the expected identifier for the alias in the SQL expression.");
		} else if (c.node->op == SEL_PATH && c.node->path.v[c.node->path.n - 1].kind == SEL_STEP_NAME) {
			c.name = c.node->path.v[c.node->path.n - 1].name;
		}
		*VEC_PUSH(p->a, &p->st->columns, &capacity) = c;
		TRY(sel_take(p, sel_is_sign(p, ","), &more));
	}
	return OK;
}

static status from(struct parser *p)
{
	size_t capacity = 0;
	bool as;
	if (!sel_is_word(p, "from"))
		return sel_parse_fail(
			p, "ParseSelectMissingFrom", "Did not find the expected FROM clause in the SQL expression.");
	TRY(sel_next_word(p));
	if (!(p->type == T_WORD || p->type == T_QUOTED) || !str_ieq(p->word, STR("s3object")))
		return sel_parse_fail(p, "InvalidDataSource", "Invalid data source type. Only S3Object is supported.");
	TRY(sel_next_word(p));
	TRY(steps(p, &p->st->from, &capacity, true));
	/* S3Object[*] is every record, as S3Object is. */
	if (p->st->from.n && p->st->from.v[0].kind == SEL_STEP_ALL) {
		p->st->from.v++;
		p->st->from.n--;
	}
	TRY(sel_take(p, sel_is_word(p, "as"), &as));
	if (p->type == T_QUOTED || (p->type == T_WORD && !is_reserved(p))) {
		p->st->alias = p->word;
		return sel_next_word(p);
	}
	return as ? sel_parse_fail(p, "ParseExpectedIdentForAlias",
			    "Did not find the expected identifier for the alias in the SQL expression.")
		  : OK;
}

/* Paths lose the alias, or the table's name, that they begin with. */
static void unalias(const struct sel_statement *st, struct sel_node *n, bool *plain)
{
	if (n->op == SEL_AGGREGATE) {
		bool inside = false;
		for (size_t i = 0; i < n->n; i++) unalias(st, n->v[i], &inside);
		return;
	}
	for (size_t i = 0; i < n->n; i++) unalias(st, n->v[i], plain);
	if (n->op != SEL_PATH) return;
	*plain = true;
	if (!n->path.n || n->path.v[0].kind != SEL_STEP_NAME) return;
	struct str name = n->path.v[0].name;
	bool own = str_has(st->alias) ? str_ieq(name, st->alias) : str_ieq(name, STR("s3object"));
	if (!own) return;
	n->path.v++;
	n->path.n--;
}

static status statement(struct parser *p)
{
	struct sel_statement *st = p->st;
	bool more;
	TRY(sel_next_word(p));
	if (!sel_is_word(p, "select"))
		return sel_parse_fail(p, "ParseUnexpectedToken",
			"The SQL expression contains an unexpected token. SELECT is expected.");
	TRY(sel_next_word(p));
	TRY(columns(p));
	TRY(from(p));
	TRY(sel_take(p, sel_is_word(p, "where"), &more));
	if (more) {
		p->in_aggregate = true; /* none may stand here */
		TRY(sel_expression(p, &st->where));
		p->in_aggregate = false;
	}
	TRY(sel_take(p, sel_is_word(p, "limit"), &more));
	if (more) {
		st->limited = true;
		if (p->type != T_NUMBER || !is_ok(str_to_u64(p->word, &st->limit)))
			return sel_parse_fail(
				p, "ParseExpectedNumber", "Did not find the expected number in the SQL expression.");
		TRY(sel_next_word(p));
	}
	TRY(sel_take(p, sel_is_sign(p, ";"), &more));
	if (sel_is_word(p, "group") || sel_is_word(p, "order") || sel_is_word(p, "join") || sel_is_word(p, "having") ||
		sel_is_sign(p, ","))
		return sel_parse_fail(p, "UnsupportedSqlStructure",
			"Encountered an unsupported SQL structure. Check the SQL Reference.");
	if (p->type != T_END)
		return sel_parse_fail(p, "ParseUnexpectedToken", "The SQL expression contains an unexpected token.");
	bool plain = false, ignored = false;
	for (size_t i = 0; i < st->columns.n; i++) unalias(st, st->columns.v[i].node, &plain);
	if (st->where) unalias(st, st->where, &ignored);
	if (st->aggregates.n && plain)
		return sel_parse_fail(p, "UnsupportedSqlStructure",
			"Encountered an unsupported SQL structure. Check the SQL Reference.");
	return OK;
}

status sel_parse(struct arena *a, struct str text, struct sel_statement *out, struct sel_error *why)
{
	struct parser p = {.a = a, .text = text, .st = out, .why = why};
	*out = (struct sel_statement){0};
	*why = (struct sel_error){0};
	if (text.n > SEL_EXPRESSION_MAX)
		return sel_parse_fail(&p, "ExpressionTooLong",
			"The SQL expression is too long: The maximum byte-length for the SQL expression is 256 KB.");
	return statement(&p);
}
