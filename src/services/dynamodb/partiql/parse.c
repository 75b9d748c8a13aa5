/* The parser of PartiQL: statements to the trees that expressions use. */
#include "base/vec.h"
#include "services/dynamodb/partiql/lexer.h"
#include <stdarg.h>
#include <stdlib.h>

struct parser {
	struct arena *a;
	struct str text;
	size_t at;
	struct lexeme token;
	const struct value *parameters;
	size_t n_parameters, used;
	int sets; /* sets that are open */
	struct str *why;
};

static bool fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct parser *p, const char *fmt, ...)
{
	va_list args;
	if (str_has(*p->why)) return false;
	struct buf b = BUF_IN(p->a);
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	*p->why = buf_done(&b);
	return false;
}

static void next(struct parser *p)
{
	p->token = partiql_lexeme(p->a, p->text, &p->at, p->sets > 0);
}

static bool unexpected(struct parser *p)
{
	if (p->token.type == LEX_END)
		return fail(p, "Statement wasn't well formed, can't be processed: Unexpected end of statement");
	size_t length = p->at > p->token.at ? p->at - p->token.at : 0;
	return fail(p, "Statement wasn't well formed, can't be processed: Unexpected token: %.*s at position %zu",
		STR_ARG(str_sub(p->text, p->token.at, length > 60 ? 60 : length)), p->token.at + 1);
}

static bool is_word(const struct parser *p, const char *word)
{
	return p->token.type == LEX_WORD && str_ieq(p->token.text, str_c(word));
}
static bool accept(struct parser *p, enum lexeme_type t)
{
	if (p->token.type != t) return false;
	next(p);
	return true;
}
static bool expect(struct parser *p, enum lexeme_type t)
{
	return accept(p, t) || unexpected(p);
}
static bool accept_word(struct parser *p, const char *word)
{
	if (!is_word(p, word)) return false;
	next(p);
	return true;
}
static bool expect_word(struct parser *p, const char *word)
{
	return accept_word(p, word) || unexpected(p);
}

/* ── values ── */

static bool literal(struct parser *p, struct value *out, int depth);

static bool read_number(struct parser *p, bool negative, struct value *out)
{
	struct str text = negative ? str_cat(p->a, STR("-"), p->token.text) : p->token.text, number;
	enum number_result r = ddb_number_read(p->a, text, &number);
	if (r != NUMBER_OK) return fail(p, "%.*s", STR_ARG(ddb_number_problem(p->a, r, text)));
	*out = value_text(V_N, number);
	next(p);
	return true;
}

static bool read_list(struct parser *p, struct value *out, int depth)
{
	struct {
		struct value *v;
		size_t n;
	} list = {0};
	size_t capacity = 0;
	if (p->token.type != LEX_LIST_CLOSE) do {
			struct value v;
			if (!literal(p, &v, depth + 1)) return false;
			*VEC_PUSH(p->a, &list, &capacity) = v;
		} while (accept(p, LEX_COMMA));
	*out = (struct value){.type = V_L, .n = (uint32_t)list.n, .list = list.v};
	return expect(p, LEX_LIST_CLOSE);
}

static bool read_map(struct parser *p, struct value *out, int depth)
{
	*out = ddb_map();
	if (p->token.type != LEX_MAP_CLOSE) do {
			struct str name = p->token.text;
			struct value v;
			if (!accept(p, LEX_STRING) && !accept(p, LEX_QUOTED)) return unexpected(p);
			if (!expect(p, LEX_COLON) || !literal(p, &v, depth + 1)) return false;
			ddb_set(p->a, out, name, &v);
		} while (accept(p, LEX_COMMA));
	return expect(p, LEX_MAP_CLOSE);
}

static int by_bytes(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static bool read_set(struct parser *p, struct value *out, int depth)
{
	struct {
		struct str *v;
		size_t n;
	} set = {0};
	size_t capacity = 0;
	unsigned type = V_NONE;
	do {
		struct value v;
		if (!literal(p, &v, depth + 1)) return false;
		if (ddb_set_of(v.type) == V_NONE || (type != V_NONE && v.type != type))
			return fail(p, "Statement wasn't well formed, can't be processed: Sets hold strings, numbers "
				       "or binaries of one type");
		type = v.type;
		*VEC_PUSH(p->a, &set, &capacity) = value_str(&v);
	} while (accept(p, LEX_COMMA));
	p->sets--;
	if (!expect(p, LEX_SET_CLOSE)) return false;
	qsort(set.v, set.n, sizeof(*set.v), by_bytes);
	for (size_t i = 1; i < set.n; i++)
		if (str_eq(set.v[i - 1], set.v[i]))
			return fail(
				p, "One or more parameter values were invalid: Input collection contains duplicates.");
	*out = (struct value){.type = (uint8_t)ddb_set_of(type), .n = (uint32_t)set.n, .set = set.v};
	return true;
}

static bool literal(struct parser *p, struct value *out, int depth)
{
	if (depth > VALUE_DEPTH_MAX) return fail(p, "Nesting Levels have exceeded supported limits");
	switch ((int)p->token.type) {
	case LEX_STRING:
		*out = value_text(V_S, p->token.text);
		next(p);
		return true;
	case LEX_NUMBER:
		return read_number(p, false, out);
	case LEX_MINUS:
		next(p);
		return p->token.type == LEX_NUMBER ? read_number(p, true, out) : unexpected(p);
	case LEX_PARAMETER:
		if (p->used == p->n_parameters)
			return fail(p, "Number of parameters in request and statement don't match.");
		*out = ddb_copy(p->a, &p->parameters[p->used++]);
		next(p);
		return true;
	case LEX_LIST_OPEN:
		next(p);
		return read_list(p, out, depth);
	case LEX_MAP_OPEN:
		next(p);
		return read_map(p, out, depth);
	case LEX_SET_OPEN:
		p->sets++;
		next(p);
		return read_set(p, out, depth);
	default:
		break;
	}
	if (is_word(p, "TRUE") || is_word(p, "FALSE")) {
		*out = (struct value){.type = V_BOOL, .truth = is_word(p, "TRUE")};
		next(p);
		return true;
	}
	if (accept_word(p, "NULL")) {
		*out = (struct value){.type = V_NULL};
		return true;
	}
	return unexpected(p);
}

static bool begins_literal(const struct parser *p)
{
	switch ((int)p->token.type) {
	case LEX_STRING:
	case LEX_NUMBER:
	case LEX_MINUS:
	case LEX_PARAMETER:
	case LEX_LIST_OPEN:
	case LEX_MAP_OPEN:
	case LEX_SET_OPEN:
		return true;
	default:
		return is_word(p, "TRUE") || is_word(p, "FALSE") || is_word(p, "NULL");
	}
}

/* ── operands ── */

static struct node *node_new(struct parser *p, enum node_type t, enum function f, size_t n)
{
	struct node *x = arena_new(p->a, struct node);
	x->type = t;
	x->function = f;
	x->n = n;
	x->args = arena_new_n(p->a, struct node *, n);
	return x;
}

static struct node *value_node(struct parser *p, const struct value *v)
{
	struct node *x = node_new(p, NODE_VALUE, FN_NONE, 0);
	x->value = *v;
	return x;
}

static bool name(struct parser *p, struct str *out)
{
	*out = p->token.text;
	return accept(p, LEX_WORD) || accept(p, LEX_QUOTED) || unexpected(p);
}

static bool path(struct parser *p, struct path *out)
{
	struct {
		struct path_step *v;
		size_t n;
	} steps = {0};
	size_t capacity = 0;
	struct str s;
	if (!name(p, &s)) return false;
	VEC_PUSH(p->a, &steps, &capacity)->name = s;
	for (;;) {
		if (accept(p, LEX_DOT)) {
			if (!name(p, &s)) return false;
			VEC_PUSH(p->a, &steps, &capacity)->name = s;
		} else if (accept(p, LEX_LIST_OPEN)) {
			uint64_t index;
			if (p->token.type != LEX_NUMBER || !is_ok(str_to_u64(p->token.text, &index)) ||
				index > INT32_MAX)
				return unexpected(p);
			next(p);
			if (!expect(p, LEX_LIST_CLOSE)) return false;
			VEC_PUSH(p->a, &steps, &capacity)->index = (uint32_t)index;
		} else {
			break;
		}
		if (steps.n > EXPR_PATH_DEPTH_MAX) return fail(p, "The document path has too many nesting elements");
	}
	*out = (struct path){steps.v, steps.n};
	return true;
}

static bool operand(struct parser *p, struct node **out, int depth);

static enum function function_of(struct str word)
{
	static const enum function all[] = {FN_ATTRIBUTE_TYPE, FN_BEGINS_WITH, FN_CONTAINS, FN_SIZE, FN_LIST_APPEND,
		FN_IF_NOT_EXISTS, FN_ATTRIBUTE_EXISTS, FN_ATTRIBUTE_NOT_EXISTS};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (str_ieq(word, str_c(expr_function_name(all[i])))) return all[i];
	return FN_NONE;
}

static bool call(struct parser *p, enum function f, struct node **out, int depth)
{
	size_t n = f == FN_SIZE || f == FN_ATTRIBUTE_EXISTS || f == FN_ATTRIBUTE_NOT_EXISTS ? 1 : 2;
	*out = node_new(p, NODE_CALL, f, n);
	for (size_t i = 0; i < n; i++) {
		if (i && !expect(p, LEX_COMMA)) return false;
		if (!operand(p, &(*out)->args[i], depth + 1)) return false;
	}
	if (!expect(p, LEX_CLOSE)) return false;
	struct scope s = {.a = p->a};
	return expr_check_node(&s, EXPR_CONDITION, *out) || fail(p, "%.*s", STR_ARG(s.error));
}

static bool followed_by_parenthesis(struct parser *p)
{
	size_t at = p->at;
	return partiql_lexeme(p->a, p->text, &at, false).type == LEX_OPEN;
}

static bool operand(struct parser *p, struct node **out, int depth)
{
	if (depth > PARTIQL_DEPTH_MAX)
		return fail(p, "Statement wasn't well formed, can't be processed: nested too deeply");
	if (begins_literal(p)) {
		struct value v;
		if (!literal(p, &v, 0)) return false;
		*out = value_node(p, &v);
		return true;
	}
	if (p->token.type == LEX_WORD && followed_by_parenthesis(p)) {
		enum function f = function_of(p->token.text);
		if (f == FN_NONE)
			return fail(p, "Statement wasn't well formed, can't be processed: Invalid function name: %.*s",
				STR_ARG(p->token.text));
		next(p);
		next(p);
		return call(p, f, out, depth);
	}
	*out = node_new(p, NODE_PATH, FN_NONE, 0);
	return path(p, &(*out)->path);
}

/* ── conditions ── */

static bool expression(struct parser *p, struct node **out, int depth);

static bool is_condition(const struct node *n)
{
	return n->type >= NODE_EQ || (n->type == NODE_CALL && n->function != FN_SIZE && n->function != FN_LIST_APPEND &&
					     n->function != FN_IF_NOT_EXISTS);
}

/* IS [NOT] MISSING, IS [NOT] NULL */
static bool is_test(struct parser *p, struct node *left, struct node **out)
{
	bool not = accept_word(p, "NOT");
	if (left->type != NODE_PATH) return unexpected(p);
	if (accept_word(p, "MISSING")) {
		*out = node_new(p, NODE_CALL, not ? FN_ATTRIBUTE_EXISTS : FN_ATTRIBUTE_NOT_EXISTS, 1);
		(*out)->args[0] = left;
		return true;
	}
	if (!expect_word(p, "NULL")) return false;
	struct value type = value_text(V_S, STR("NULL"));
	struct node *test = node_new(p, NODE_CALL, FN_ATTRIBUTE_TYPE, 2);
	test->args[0] = left;
	test->args[1] = value_node(p, &type);
	*out = test;
	if (not ) {
		*out = node_new(p, NODE_NOT, FN_NONE, 1);
		(*out)->args[0] = test;
	}
	return true;
}

static bool in_list(struct parser *p, struct node *left, struct node **out)
{
	struct {
		struct node **v;
		size_t n;
	} args = {0};
	size_t capacity = 0;
	enum lexeme_type close = p->token.type == LEX_LIST_OPEN ? LEX_LIST_CLOSE : LEX_CLOSE;
	if (!accept(p, LEX_LIST_OPEN) && !expect(p, LEX_OPEN)) return false;
	*VEC_PUSH(p->a, &args, &capacity) = left;
	do {
		struct value v;
		if (!literal(p, &v, 0)) return false;
		*VEC_PUSH(p->a, &args, &capacity) = value_node(p, &v);
	} while (accept(p, LEX_COMMA));
	*out = node_new(p, NODE_IN, FN_NONE, 0);
	(*out)->args = args.v;
	(*out)->n = args.n;
	return expect(p, close);
}

static bool comparison(struct parser *p, struct node **out, int depth)
{
	static const enum node_type types[] = {[LEX_EQ] = NODE_EQ,
		[LEX_NE] = NODE_NE,
		[LEX_LT] = NODE_LT,
		[LEX_LE] = NODE_LE,
		[LEX_GT] = NODE_GT,
		[LEX_GE] = NODE_GE};
	struct node *left = NULL, *x;
	if (accept(p, LEX_OPEN)) return expression(p, out, depth + 1) && expect(p, LEX_CLOSE);
	if (!operand(p, &left, depth)) return false;
	*out = left;
	if (p->token.type >= LEX_EQ && p->token.type <= LEX_GE) {
		*out = x = node_new(p, types[p->token.type], FN_NONE, 2);
		next(p);
		x->args[0] = left;
		if (!operand(p, &x->args[1], depth + 1)) return false;
		/* = NULL asks for the type, as IS NULL does. */
	} else if (accept_word(p, "BETWEEN")) {
		*out = x = node_new(p, NODE_BETWEEN, FN_NONE, 3);
		x->args[0] = left;
		if (!operand(p, &x->args[1], depth + 1) || !expect_word(p, "AND") ||
			!operand(p, &x->args[2], depth + 1))
			return false;
	} else if (accept_word(p, "IN")) {
		return in_list(p, left, out);
	} else if (accept_word(p, "IS")) {
		return is_test(p, left, out);
	} else {
		return is_condition(left) || unexpected(p);
	}
	struct scope s = {.a = p->a};
	return expr_check_node(&s, EXPR_CONDITION, *out) || fail(p, "%.*s", STR_ARG(s.error));
}

static bool negation(struct parser *p, struct node **out, int depth)
{
	if (depth > PARTIQL_DEPTH_MAX)
		return fail(p, "Statement wasn't well formed, can't be processed: nested too deeply");
	if (!accept_word(p, "NOT")) return comparison(p, out, depth);
	*out = node_new(p, NODE_NOT, FN_NONE, 1);
	return negation(p, &(*out)->args[0], depth + 1);
}

static bool conjunction(struct parser *p, struct node **out, int depth)
{
	if (!negation(p, out, depth)) return false;
	while (accept_word(p, "AND")) {
		struct node *x = node_new(p, NODE_AND, FN_NONE, 2);
		x->args[0] = *out;
		if (!negation(p, &x->args[1], depth)) return false;
		*out = x;
	}
	return true;
}

static bool expression(struct parser *p, struct node **out, int depth)
{
	if (!conjunction(p, out, depth)) return false;
	while (accept_word(p, "OR")) {
		struct node *x = node_new(p, NODE_OR, FN_NONE, 2);
		x->args[0] = *out;
		if (!conjunction(p, &x->args[1], depth)) return false;
		*out = x;
	}
	return true;
}

/* ── statements ── */

static bool table(struct parser *p, struct partiql *out)
{
	if (!name(p, &out->table)) return false;
	out->index = STR_NONE;
	return !accept(p, LEX_DOT) || name(p, &out->index);
}

static bool where(struct parser *p, struct partiql *out)
{
	return !accept_word(p, "WHERE") || expression(p, &out->where, 0);
}

static bool select_from(struct parser *p, struct partiql *out)
{
	size_t capacity = 0;
	if (!accept(p, LEX_STAR)) do {
			struct path x;
			if (!path(p, &x)) return false;
			*VEC_PUSH(p->a, &out->projection, &capacity) = x;
		} while (accept(p, LEX_COMMA));
	if (!expect_word(p, "FROM") || !table(p, out) || !where(p, out)) return false;
	if (!accept_word(p, "ORDER")) return true;
	if (!expect_word(p, "BY") || !name(p, &out->order_by)) return false;
	if (accept_word(p, "DESC"))
		out->descending = true;
	else
		(void)accept_word(p, "ASC");
	return true;
}

static bool insert_into(struct parser *p, struct partiql *out)
{
	if (!expect_word(p, "INTO") || !table(p, out) || !expect_word(p, "VALUE") || !literal(p, &out->item, 0))
		return false;
	return out->item.type == V_M ||
	       fail(p, "Statement wasn't well formed, can't be processed: INSERT needs a map as its VALUE");
}

/* SET path = operand [+|- operand], or set_add(path, set), set_delete(path, set). */
static bool assignment(struct parser *p, struct action *x)
{
	x->type = ACTION_SET;
	if (!path(p, &x->path) || !expect(p, LEX_EQ)) return false;
	bool add = is_word(p, "set_add"), drop = is_word(p, "set_delete");
	if ((add || drop) && followed_by_parenthesis(p)) {
		struct path same;
		struct value v;
		x->type = add ? ACTION_ADD : ACTION_DELETE;
		next(p);
		next(p);
		if (!path(p, &same) || !expect(p, LEX_COMMA) || !literal(p, &v, 0)) return false;
		if (ddb_element_of(v.type) == V_NONE)
			return fail(p,
				"Incorrect operand type for operator or function; operator or function: set_add, "
				"operand type: %s",
				ddb_type_name(v.type));
		x->operand = value_node(p, &v);
		return expect(p, LEX_CLOSE);
	}
	if (!operand(p, &x->operand, 0)) return false;
	if (p->token.type == LEX_PLUS || p->token.type == LEX_MINUS) {
		struct node *sum = node_new(p, p->token.type == LEX_PLUS ? NODE_PLUS : NODE_MINUS, FN_NONE, 2);
		next(p);
		sum->args[0] = x->operand;
		x->operand = sum;
		return operand(p, &sum->args[1], 0);
	}
	return true;
}

static bool returning(struct parser *p, struct partiql *out)
{
	if (!accept_word(p, "RETURNING")) return true;
	bool all = accept_word(p, "ALL");
	if (!all && !expect_word(p, "MODIFIED")) return false;
	bool old = accept_word(p, "OLD");
	if (!old && !expect_word(p, "NEW")) return false;
	out->returning =
		all ? (old ? STR("ALL_OLD") : STR("ALL_NEW")) : (old ? STR("UPDATED_OLD") : STR("UPDATED_NEW"));
	if (out->kind == PARTIQL_DELETE && !str_is(out->returning, "ALL_OLD"))
		return fail(p, "Statement wasn't well formed, can't be processed: DELETE returns ALL OLD * only");
	return expect(p, LEX_STAR);
}

static bool update(struct parser *p, struct partiql *out)
{
	size_t capacity = 0;
	if (!table(p, out)) return false;
	if (!is_word(p, "SET") && !is_word(p, "REMOVE")) return unexpected(p);
	while (is_word(p, "SET") || is_word(p, "REMOVE")) {
		bool set = is_word(p, "SET");
		next(p);
		do {
			struct action x = {.type = ACTION_REMOVE};
			if (set ? !assignment(p, &x) : !path(p, &x.path)) return false;
			*VEC_PUSH(p->a, &out->update, &capacity) = x;
		} while (accept(p, LEX_COMMA));
	}
	struct path *paths = arena_new_n(p->a, struct path, out->update.n);
	struct scope s = {.a = p->a};
	for (size_t i = 0; i < out->update.n; i++) paths[i] = out->update.v[i].path;
	if (!expr_check_paths(&s, EXPR_UPDATE, paths, out->update.n)) return fail(p, "%.*s", STR_ARG(s.error));
	return where(p, out) && returning(p, out);
}

static bool statement(struct parser *p, struct partiql *out)
{
	if (accept_word(p, "SELECT")) {
		out->kind = PARTIQL_SELECT;
		return select_from(p, out);
	}
	if (accept_word(p, "INSERT")) {
		out->kind = PARTIQL_INSERT;
		return insert_into(p, out);
	}
	if (accept_word(p, "UPDATE")) {
		out->kind = PARTIQL_UPDATE;
		return update(p, out);
	}
	if (accept_word(p, "DELETE")) {
		out->kind = PARTIQL_DELETE;
		return expect_word(p, "FROM") && table(p, out) && where(p, out) && returning(p, out);
	}
	if (accept_word(p, "EXISTS")) {
		bool good =
			expect(p, LEX_OPEN) && expect_word(p, "SELECT") && select_from(p, out) && expect(p, LEX_CLOSE);
		out->kind = PARTIQL_EXISTS;
		return good;
	}
	return unexpected(p);
}

bool partiql_parse(struct arena *a, struct str text, const struct value *parameters, size_t n, struct partiql *out,
	struct str *why)
{
	struct parser p = {.a = a, .text = text, .parameters = parameters, .n_parameters = n, .why = why};
	*out = (struct partiql){0};
	*why = STR_NONE;
	if (text.n > PARTIQL_BYTES_MAX) return fail(&p, "Statement is longer than %d bytes", PARTIQL_BYTES_MAX);
	next(&p);
	if (!statement(&p, out)) return false;
	if (p.token.type != LEX_END) return unexpected(&p);
	if (p.used != n) return fail(&p, "Number of parameters in request and statement don't match.");
	return true;
}

/* ── what a WHERE clause says of keys ── */

const struct value *partiql_equal(const struct node *n, struct str wanted)
{
	if (!n) return NULL;
	if (n->type == NODE_AND) {
		const struct value *left = partiql_equal(n->args[0], wanted);
		return left ? left : partiql_equal(n->args[1], wanted);
	}
	if (n->type != NODE_EQ || n->args[0]->type != NODE_PATH || n->args[1]->type != NODE_VALUE) return NULL;
	return n->args[0]->path.n == 1 && str_eq(n->args[0]->path.steps[0].name, wanted) ? &n->args[1]->value : NULL;
}

bool partiql_only_keys(const struct node *n, struct str hash, struct str range)
{
	if (!n) return true;
	if (n->type == NODE_AND)
		return partiql_only_keys(n->args[0], hash, range) && partiql_only_keys(n->args[1], hash, range);
	return (partiql_equal(n, hash) != NULL) || (str_has(range) && partiql_equal(n, range) != NULL);
}
