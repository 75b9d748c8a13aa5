/* C names, and how collisions end. */
#include "modelc/names.h"
#include "base/buf.h"

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct str name_snake(struct arena *a, struct str s)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (is_upper(c)) {
			char before = i ? s.p[i - 1] : '_', after = i + 1 < s.n ? s.p[i + 1] : '_';
			if (is_lower(before) || is_digit(before) || (is_upper(before) && is_lower(after))) buf_byte(&b, '_');
			c = (char)(c - 'A' + 'a');
		} else if (!is_lower(c) && !is_digit(c)) {
			c = '_';
		}
		buf_byte(&b, c);
	}
	return buf_done(&b);
}

struct str name_constant(struct arena *a, struct str s)
{
	struct str snake = name_snake(a, s);
	char *p = arena_copy(a, snake.p, snake.n);
	for (size_t i = 0; i < snake.n; i++)
		if (is_lower(p[i])) p[i] = (char)(p[i] - 'a' + 'A');
	return (struct str){p, snake.n};
}

/* Keywords of C17 and GNU C, and lower-case macros of the compilers and of the headers that generated code meets. */
static bool reserved(struct str s)
{
	static const char *const words[] = {
		"asm", "auto", "bool", "break", "case", "char", "complex", "const", "continue", "default", "do", "double",
		"else", "enum", "errno", "extern", "false", "float", "for", "goto", "i386", "if", "imaginary", "inline",
		"int", "linux", "long", "noreturn", "register", "restrict", "return", "short", "signed", "sizeof",
		"static", "stderr", "stdin", "stdout", "struct", "switch", "true", "typedef", "typeof", "union", "unix",
		"unsigned", "void", "volatile", "while",
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(s, str_c(words[i]))) return true;
	return false;
}

/* The name, or with as many '_' behind as it takes to be the only one. */
static struct str claim(struct model *m, struct map *taken, struct str name)
{
	while (map_get(taken, name)) name = str_cat(&m->arena, name, STR("_"));
	(void)map_set(taken, name, m);
	return name;
}

static void name_members(struct model *m, struct shape *s)
{
	struct map taken;
	map_init(&taken);
	for (size_t i = 0; i < s->members.n; i++) {
		struct member *d = &s->members.v[i];
		struct str name = name_snake(&m->arena, d->name);
		if (reserved(name)) name = str_cat(&m->arena, name, STR("_"));
		d->c_name = claim(m, &taken, name);
	}
	map_cleanup(&taken, NULL);
}

static struct str prefixed(struct model *m, struct str name)
{
	return str_fmt(&m->arena, "%.*s_%.*s", STR_ARG(m->c_prefix), STR_ARG(name_snake(&m->arena, name)));
}

/* Keeps `<op>_input` from every shape but the operation's own, since it will be a macro. */
static void keep_side(struct model *m, struct map *taken, struct op *op, struct shape *s, const char *suffix)
{
	struct str alias = str_fmt(&m->arena, "%.*s%s", STR_ARG(op->c_name), suffix);
	if (s && str_eq(prefixed(m, s->name), alias))
		s->c_name = alias;
	(void)map_set(taken, alias, m);
}

static bool name_ops(struct model *m, struct map *taken)
{
	struct map ops;
	map_init(&ops);
	bool ok = true;
	for (size_t i = 0; i < m->ops.n && ok; i++) {
		struct op *op = m->ops.v[i];
		op->c_name = prefixed(m, op->name);
		op->c_constant = name_constant(&m->arena, op->name);
		if (map_set(&ops, op->c_name, m))
			ok = model_fail(m, op->at, "two operations become %.*s in C", STR_ARG(op->c_name));
		keep_side(m, taken, op, op->in, "_input");
		keep_side(m, taken, op, op->out, "_output");
	}
	map_cleanup(&ops, NULL);
	return ok;
}

bool names_assign(struct model *m)
{
	struct map taken, constants;
	map_init(&taken);
	map_init(&constants);
	m->c_prefix = name_snake(&m->arena, m->name);
	if (m->state) m->c_prefix = str_cat(&m->arena, m->c_prefix, STR("_rec"));
	bool ok = name_ops(m, &taken);
	for (size_t i = 0; i < m->shapes.n; i++) {
		struct shape *s = m->shapes.v[i];
		if (s->kind != WIRE_MAP) continue;
		s->c_entry = claim(m, &taken, str_cat(&m->arena, prefixed(m, s->name), STR("_entry")));
	}
	for (size_t i = 0; i < m->shapes.n; i++) {
		struct shape *s = m->shapes.v[i];
		s->c_constant = claim(m, &constants, name_constant(&m->arena, s->name));
		if (s->kind == WIRE_STRUCT) name_members(m, s);
		if (s->kind != WIRE_STRUCT && s->kind != WIRE_LIST && s->kind != WIRE_MAP) continue;
		if (!str_has(s->c_name)) s->c_name = claim(m, &taken, prefixed(m, s->name));
	}
	map_cleanup(&constants, NULL);
	map_init(&constants);
	for (size_t i = 0; i < m->errors.n; i++)
		m->errors.v[i]->c_constant = claim(m, &constants, name_constant(&m->arena, m->errors.v[i]->name));
	map_cleanup(&constants, NULL);
	map_cleanup(&taken, NULL);
	return ok;
}
