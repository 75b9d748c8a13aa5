/* The parser: recursive descent over the tokens, with a bound on depth. Conditions and operands share one tree. */
#include "base/vec.h"
#include "services/dynamodb/expr/token.h"

struct parser {
	struct scope *s;
	enum expr_kind kind;
	struct str text;
	size_t at; /* behind the current token */
	struct token previous, token;
	size_t operators;
};

const char *expr_kind_name(enum expr_kind k)
{
	static const char *const names[] = {"ConditionExpression", "FilterExpression", "KeyConditionExpression",
		"ProjectionExpression", "UpdateExpression"};
	return names[k];
}

static const char *const function_names[] = {"", "attribute_exists", "attribute_not_exists", "attribute_type",
	"begins_with", "contains", "size", "if_not_exists", "list_append", "not_contains"};
const char *expr_function_name(enum function f)
{
	return function_names[f];
}
const char *expr_operator_name(enum node_type t)
{
	static const char *const names[] = {
		"", "", "", "+", "-", "=", "<>", "<", "<=", ">", ">=", "BETWEEN", "IN", "AND", "OR", "NOT"};
	return names[t];
}

/* ── tokens ── */

static void next(struct parser *p)
{
	p->previous = p->token;
	p->token = expr_token(p->text, &p->at);
}

static bool syntax(struct parser *p)
{
	const char *end = p->text.p + p->text.n;
	bool at_end = p->token.type == TOKEN_END;
	const char *from = p->previous.text.p ? p->previous.text.p : at_end ? p->text.p : p->token.text.p;
	size_t after = p->at;
	struct token behind = expr_token(p->text, &after);
	const char *to = at_end                     ? end
			 : behind.type == TOKEN_END ? p->token.text.p + p->token.text.n
						    : behind.text.p + behind.text.n;
	struct str near = str_trim(str_n(from, (size_t)(to - from)));
	p->s->error = STR_NONE;
	return scope_fail(p->s, "Invalid %s: Syntax error; token: \"%.*s\", near: \"%.*s\"", expr_kind_name(p->kind),
		STR_ARG(p->token.text), STR_ARG(near));
}

/* What is wrong with the meaning of something well-formed: told unless a syntax error follows, as AWS reads the whole
 * expression first. Always true: go on. */
#define NOTE(p, ...) (scope_fail((p)->s, __VA_ARGS__), true)

static bool accept(struct parser *p, enum token_type t)
{
	if (p->token.type != t) return false;
	next(p);
	return true;
}

static bool expect(struct parser *p, enum token_type t)
{
	return accept(p, t) || syntax(p);
}

static bool accept_word(struct parser *p, const char *keyword)
{
	if (!token_is(&p->token, keyword)) return false;
	next(p);
	return true;
}

static bool begin(struct parser *p, struct scope *s, enum expr_kind kind, struct str text)
{
	*p = (struct parser){.s = s, .kind = kind, .text = text};
	if (str_has(s->error)) return false;
	size_t at = 0;
	if (expr_token(text, &at).type == TOKEN_END)
		return scope_fail(s, "Invalid %s: The expression can not be empty;", expr_kind_name(kind));
	if (text.n > EXPR_BYTES_MAX)
		return scope_fail(s,
			"Invalid %s: Expression size has exceeded the maximum allowed size; expression size: %zu",
			expr_kind_name(kind), text.n);
	next(p);
	return true;
}

static bool count_operator(struct parser *p)
{
	if (++p->operators <= EXPR_OPERATORS_MAX) return true;
	return scope_fail(p->s, "Invalid %s: The expression contains too many operators; operators: %zu",
		expr_kind_name(p->kind), p->operators);
}

/* ── paths and operands ── */

static bool name_of(struct parser *p, struct str *out)
{
	if (p->token.type == TOKEN_NAME) {
		if (expr_is_reserved(p->token.text))
			(void)NOTE(p, "Invalid %s: Attribute name is a reserved keyword; reserved keyword: %.*s",
				expr_kind_name(p->kind), STR_ARG(p->token.text));
		*out = p->token.text;
		next(p);
		return true;
	}
	if (p->token.type != TOKEN_NAME_REF) return syntax(p);
	for (size_t i = 0; i < p->s->n_names; i++) {
		if (!str_eq(p->s->names[i].key, p->token.text)) continue;
		p->s->names[i].used = true;
		*out = p->s->names[i].name;
		next(p);
		return true;
	}
	(void)NOTE(p,
		"Invalid %s: An expression attribute name used in the document path is not defined; attribute name: "
		"%.*s",
		expr_kind_name(p->kind), STR_ARG(p->token.text));
	*out = p->token.text;
	next(p);
	return true;
}

static bool path(struct parser *p, struct path *out)
{
	size_t capacity = 0;
	struct {
		struct path_step *v;
		size_t n;
	} steps = {0};
	struct str name = STR_NONE;
	if (!name_of(p, &name)) return false;
	VEC_PUSH(p->s->a, &steps, &capacity)->name = name;
	for (;;) {
		if (accept(p, TOKEN_DOT)) {
			if (!name_of(p, &name)) return false;
			VEC_PUSH(p->s->a, &steps, &capacity)->name = name;
		} else if (accept(p, TOKEN_LIST_OPEN)) {
			uint64_t index;
			if (p->token.type != TOKEN_NUMBER) return syntax(p);
			if (!is_ok(str_to_u64(p->token.text, &index)) || index > INT32_MAX)
				return scope_fail(p->s,
					"Invalid %s: List index is not within the allowable range; index: [%.*s]",
					expr_kind_name(p->kind), STR_ARG(p->token.text));
			next(p);
			if (!expect(p, TOKEN_LIST_CLOSE)) return false;
			VEC_PUSH(p->s->a, &steps, &capacity)->index = (uint32_t)index;
		} else {
			break;
		}
		if (steps.n > EXPR_PATH_DEPTH_MAX)
			return scope_fail(p->s,
				"Invalid %s: The document path has too many nesting elements; nesting levels: %zu",
				expr_kind_name(p->kind), steps.n);
	}
	*out = (struct path){steps.v, steps.n};
	return true;
}

static struct node *node_new(struct parser *p, enum node_type t, size_t n)
{
	struct node *x = arena_new(p->s->a, struct node);
	x->type = t;
	x->n = n;
	x->args = n ? arena_new_n(p->s->a, struct node *, n) : NULL;
	return x;
}

static bool value_ref(struct parser *p, struct node **out)
{
	for (size_t i = 0; i < p->s->n_values; i++) {
		struct scope_value *v = &p->s->values[i];
		if (!str_eq(v->key, p->token.text)) continue;
		v->used = true;
		*out = node_new(p, NODE_VALUE, 0);
		(*out)->value = v->value;
		next(p);
		return true;
	}
	(void)NOTE(p,
		"Invalid %s: An expression attribute value used in expression is not defined; attribute value: %.*s",
		expr_kind_name(p->kind), STR_ARG(p->token.text));
	*out = node_new(p, NODE_VALUE, 0);
	next(p);
	return true;
}

static bool expression(struct parser *p, struct node **out, int depth);
static bool operand(struct parser *p, struct node **out, int depth);

static bool is_condition(const struct node *n)
{
	if (n->type >= NODE_EQ) return true;
	return n->type == NODE_CALL && n->function != FN_SIZE && n->function != FN_IF_NOT_EXISTS &&
	       n->function != FN_LIST_APPEND;
}

/* An operand inside a comparison or a function. */
static bool need_operand(struct parser *p, const struct node *n)
{
	if (!is_condition(n)) return true;
	if (n->type == NODE_CALL)
		return NOTE(p,
			"Invalid %s: The function is not allowed to be used this way in an expression; function: %s",
			expr_kind_name(p->kind), expr_function_name(n->function));
	return syntax(p);
}

static bool call(struct parser *p, struct str name, struct node **out, int depth)
{
	static const uint8_t arity[] = {0, 1, 1, 2, 2, 2, 1, 2, 2};
	enum function f = FN_NONE;
	for (int i = FN_ATTRIBUTE_EXISTS; i <= FN_LIST_APPEND; i++)
		if (str_eq(name, str_c(function_names[i]))) f = (enum function)i;
	if (f == FN_NONE)
		(void)NOTE(
			p, "Invalid %s: Invalid function name; function: %.*s", expr_kind_name(p->kind), STR_ARG(name));
	bool of_updates = f == FN_IF_NOT_EXISTS || f == FN_LIST_APPEND;
	if (f != FN_NONE && of_updates != (p->kind == EXPR_UPDATE))
		(void)NOTE(p, "Invalid %s: The function is not allowed in %s expression; function: %s",
			expr_kind_name(p->kind),
			p->kind == EXPR_UPDATE          ? "an update"
			: p->kind == EXPR_KEY_CONDITION ? "a key condition"
			: p->kind == EXPR_FILTER        ? "a filter"
							: "a condition",
			expr_function_name(f));
	struct {
		struct node **v;
		size_t n;
	} args = {0};
	size_t capacity = 0;
	next(p); /* the opening parenthesis */
	if (p->token.type != TOKEN_CLOSE) do {
			struct node *arg = NULL;
			if (!operand(p, &arg, depth + 1) || !need_operand(p, arg)) return false;
			*VEC_PUSH(p->s->a, &args, &capacity) = arg;
		} while (accept(p, TOKEN_COMMA));
	if (!expect(p, TOKEN_CLOSE) || !count_operator(p)) return false;
	bool counted = args.n == arity[f];
	if (!counted && f != FN_NONE)
		(void)NOTE(p,
			"Invalid %s: Incorrect number of operands for operator or function; operator or function: %s, "
			"number of operands: %zu",
			expr_kind_name(p->kind), expr_function_name(f), args.n);
	*out = node_new(p, NODE_CALL, 0);
	(*out)->function = f;
	(*out)->args = args.v;
	(*out)->n = args.n;
	if (counted) (void)expr_check_node(p->s, p->kind, *out);
	return true;
}

/* A path, a placeholder, a function's result; in updates also a sum. */
static bool operand(struct parser *p, struct node **out, int depth)
{
	if (depth > EXPR_DEPTH_MAX)
		return scope_fail(p->s, "Invalid %s: The expression is nested too deeply;", expr_kind_name(p->kind));
	if (p->token.type == TOKEN_VALUE_REF) return value_ref(p, out);
	if (p->token.type == TOKEN_NAME) {
		size_t at = p->at;
		if (expr_token(p->text, &at).type == TOKEN_OPEN) {
			struct str name = p->token.text;
			next(p);
			return call(p, name, out, depth);
		}
	}
	if (p->token.type == TOKEN_OPEN && p->kind != EXPR_PROJECTION) {
		next(p);
		if (p->kind == EXPR_UPDATE) {
			if (!operand(p, out, depth + 1)) return false;
		} else if (!expression(p, out, depth + 1)) {
			return false;
		}
		if (!expect(p, TOKEN_CLOSE)) return false;
		if ((*out)->parenthesized)
			return NOTE(
				p, "Invalid %s: The expression has redundant parentheses;", expr_kind_name(p->kind));
		(*out)->parenthesized = true;
		return true;
	}
	*out = node_new(p, NODE_PATH, 0);
	return path(p, &(*out)->path);
}

/* ── conditions ── */

static enum node_type comparator(const struct token *t)
{
	switch ((int)t->type) {
	case TOKEN_EQ:
		return NODE_EQ;
	case TOKEN_NE:
		return NODE_NE;
	case TOKEN_LT:
		return NODE_LT;
	case TOKEN_LE:
		return NODE_LE;
	case TOKEN_GT:
		return NODE_GT;
	case TOKEN_GE:
		return NODE_GE;
	default:
		return NODE_PATH;
	}
}

static bool in_list(struct parser *p, struct node *left, struct node **out, int depth)
{
	struct {
		struct node **v;
		size_t n;
	} args = {0};
	size_t capacity = 0;
	*VEC_PUSH(p->s->a, &args, &capacity) = left;
	if (!expect(p, TOKEN_OPEN)) return false;
	do {
		struct node *x = NULL;
		if (!operand(p, &x, depth + 1) || !need_operand(p, x)) return false;
		*VEC_PUSH(p->s->a, &args, &capacity) = x;
	} while (accept(p, TOKEN_COMMA));
	if (!expect(p, TOKEN_CLOSE)) return false;
	if (args.n - 1 > EXPR_IN_MAX)
		return scope_fail(p->s,
			"Invalid %s: The IN operator is provided with too many operands; number of operands: %zu",
			expr_kind_name(p->kind), args.n - 1);
	*out = node_new(p, NODE_IN, 0);
	(*out)->args = args.v;
	(*out)->n = args.n;
	return true;
}

static bool comparison(struct parser *p, struct node **out, int depth)
{
	struct node *left = NULL, *x = NULL;
	if (!operand(p, &left, depth)) return false;
	enum node_type t = comparator(&p->token);
	if (t != NODE_PATH) {
		if (!need_operand(p, left)) return false;
		next(p);
		x = node_new(p, t, 2);
		x->args[0] = left;
		if (!operand(p, &x->args[1], depth + 1) || !need_operand(p, x->args[1])) return false;
	} else if (token_is(&p->token, "BETWEEN")) {
		if (!need_operand(p, left)) return false;
		next(p);
		x = node_new(p, NODE_BETWEEN, 3);
		x->args[0] = left;
		if (!operand(p, &x->args[1], depth + 1) || !need_operand(p, x->args[1])) return false;
		if (!accept_word(p, "AND")) return syntax(p);
		if (!operand(p, &x->args[2], depth + 1) || !need_operand(p, x->args[2])) return false;
	} else if (token_is(&p->token, "IN")) {
		if (!need_operand(p, left)) return false;
		next(p);
		if (!in_list(p, left, &x, depth)) return false;
	} else {
		*out = left;
		return true;
	}
	*out = x;
	(void)expr_check_node(p->s, p->kind, x);
	return count_operator(p);
}

/* What stands where a truth is needed. */
static bool need_condition(struct parser *p, const struct node *n)
{
	if (is_condition(n)) return true;
	if (n->type == NODE_CALL)
		return NOTE(p,
			"Invalid %s: The function is not allowed to be used this way in an expression; function: %s",
			expr_kind_name(p->kind), expr_function_name(n->function));
	return syntax(p);
}

static bool negation(struct parser *p, struct node **out, int depth)
{
	if (depth > EXPR_DEPTH_MAX)
		return scope_fail(p->s, "Invalid %s: The expression is nested too deeply;", expr_kind_name(p->kind));
	if (!accept_word(p, "NOT")) return comparison(p, out, depth);
	struct node *x = node_new(p, NODE_NOT, 1);
	*out = x;
	return count_operator(p) && negation(p, &x->args[0], depth + 1) && need_condition(p, x->args[0]);
}

static bool conjunction(struct parser *p, struct node **out, int depth)
{
	if (!negation(p, out, depth)) return false;
	while (token_is(&p->token, "AND")) {
		if (!need_condition(p, *out)) return false;
		next(p);
		struct node *x = node_new(p, NODE_AND, 2);
		x->args[0] = *out;
		if (!count_operator(p) || !negation(p, &x->args[1], depth) || !need_condition(p, x->args[1]))
			return false;
		*out = x;
	}
	return true;
}

static bool expression(struct parser *p, struct node **out, int depth)
{
	if (!conjunction(p, out, depth)) return false;
	while (token_is(&p->token, "OR")) {
		if (!need_condition(p, *out)) return false;
		next(p);
		struct node *x = node_new(p, NODE_OR, 2);
		x->args[0] = *out;
		if (!count_operator(p) || !conjunction(p, &x->args[1], depth) || !need_condition(p, x->args[1]))
			return false;
		*out = x;
	}
	return true;
}

bool expr_parse_condition(struct scope *s, enum expr_kind kind, struct str text, struct node **out)
{
	struct parser p;
	return begin(&p, s, kind, text) && expression(&p, out, 0) && need_condition(&p, *out) &&
	       (p.token.type == TOKEN_END || syntax(&p)) && !str_has(s->error);
}

/* ── projections ── */

bool expr_parse_projection(struct scope *s, struct str text, struct projection *out)
{
	struct parser p;
	size_t capacity = 0;
	*out = (struct projection){0};
	if (!begin(&p, s, EXPR_PROJECTION, text)) return false;
	do {
		struct path x;
		if (!path(&p, &x)) return false;
		*VEC_PUSH(s->a, out, &capacity) = x;
	} while (accept(&p, TOKEN_COMMA));
	if (p.token.type != TOKEN_END) return syntax(&p);
	return !str_has(s->error) && expr_check_paths(s, EXPR_PROJECTION, out->v, out->n);
}

/* ── updates ── */

static bool sum(struct parser *p, struct node **out)
{
	if (!operand(p, out, 0)) return false;
	if (p->token.type == TOKEN_PLUS || p->token.type == TOKEN_MINUS) {
		struct node *x = node_new(p, p->token.type == TOKEN_PLUS ? NODE_PLUS : NODE_MINUS, 2);
		next(p);
		x->args[0] = *out;
		*out = x;
		if (!count_operator(p) || !operand(p, &x->args[1], 0)) return false;
		(void)expr_check_node(p->s, p->kind, x);
	}
	return true;
}

static bool add_operand_type(struct parser *p, const struct action *x)
{
	unsigned t = x->operand->value.type;
	bool set = ddb_element_of(t) != V_NONE;
	if (set || (x->type == ACTION_ADD && t == V_N)) return true;
	return NOTE(p,
		"Invalid UpdateExpression: Incorrect operand type for operator or function; operator: %s, operand "
		"type: %s, typeSet: "
		"ALLOWED_FOR_%s_OPERAND",
		x->type == ACTION_ADD ? "ADD" : "DELETE", ddb_type_word(t), x->type == ACTION_ADD ? "ADD" : "DELETE");
}

static bool section(struct parser *p, enum action_type t, struct update *out, size_t *capacity)
{
	do {
		struct action x = {.type = t};
		if (!path(p, &x.path)) return false;
		if (t == ACTION_SET) {
			if (!expect(p, TOKEN_EQ) || !count_operator(p) || !sum(p, &x.operand)) return false;
		} else if (t != ACTION_REMOVE) {
			if (p->token.type != TOKEN_VALUE_REF) return syntax(p);
			if (!value_ref(p, &x.operand) || !add_operand_type(p, &x)) return false;
		}
		*VEC_PUSH(p->s->a, out, capacity) = x;
	} while (accept(p, TOKEN_COMMA));
	return true;
}

bool expr_parse_update(struct scope *s, struct str text, struct update *out)
{
	static const char *const words[] = {"SET", "REMOVE", "ADD", "DELETE"};
	struct parser p;
	bool seen[4] = {false};
	size_t capacity = 0;
	*out = (struct update){0};
	if (!begin(&p, s, EXPR_UPDATE, text)) return false;
	while (p.token.type != TOKEN_END) {
		int which = -1;
		for (int i = 0; i < 4; i++)
			if (token_is(&p.token, words[i])) which = i;
		if (which < 0) return syntax(&p);
		if (seen[which])
			(void)NOTE(&p,
				"Invalid UpdateExpression: The \"%s\" section can only be used once in an update "
				"expression;",
				words[which]);
		seen[which] = true;
		next(&p);
		if (!section(&p, (enum action_type)which, out, &capacity)) return false;
	}
	if (str_has(s->error)) return false;
	struct path *paths = arena_new_n(s->a, struct path, out->n);
	for (size_t i = 0; i < out->n; i++) paths[i] = out->v[i].path;
	return expr_check_paths(s, EXPR_UPDATE, paths, out->n);
}
