/* Reading recipes, and holding them against the models: see recipe.h. */
#include "services/cloudformation/recipe.h"
#include "base/vec.h"

__asm__(".section .rodata.cloudformation_recipes,\"a\",@progbits\n"
	".global cloudformation_recipes_begin\n.global cloudformation_recipes_end\n"
	".hidden cloudformation_recipes_begin\n.hidden cloudformation_recipes_end\n"
	"cloudformation_recipes_begin:\n.byte 10\n.incbin \"" VIRGA_RECIPES "\"\n"
	"cloudformation_recipes_end:\n.byte 0\n.previous\n");
extern const char cloudformation_recipes_begin[], cloudformation_recipes_end[];

static struct str all_recipes(void)
{
	return str_n(cloudformation_recipes_begin, (size_t)(cloudformation_recipes_end - cloudformation_recipes_begin));
}

static void read_lines(struct arena *a, struct str rest, struct cfn_recipe *out, size_t *capacity)
{
	while (str_has(rest) && str_starts(rest, STR(" "))) {
		struct str line = str_from(str_cut(&rest, '\n'), 1), kind = str_cut(&line, ' ');
		if (str_is(kind, "api"))
			out->service = line;
		else
			*VEC_PUSH(a, out, capacity) = (struct cfn_line){kind, str_or(line, STR(""))};
	}
}

status cfn_recipe_find(struct arena *a, struct str type, struct cfn_recipe *out)
{
	struct str text = all_recipes(), wanted = str_fmt(a, "\ntype %.*s\n", STR_ARG(type));
	ptrdiff_t at = str_find(text, wanted);
	size_t capacity = 0;
	*out = (struct cfn_recipe){.service = STR("")};
	if (at < 0 || str_chr(type, '\n') >= 0) return STATUS(NOT_FOUND);
	/* "api NAME" before it is the one that its file says. */
	struct str before = str_sub(text, 0, (size_t)at + 1);
	ptrdiff_t api = -1;
	for (ptrdiff_t i; (i = str_find(str_from(before, (size_t)(api + 1)), STR("\napi "))) >= 0;) api += i + 1;
	if (api >= 0) {
		struct str rest = str_from(text, (size_t)api + 5);
		out->service = str_cut(&rest, '\n');
		read_lines(a, str_from(text, (size_t)at + wanted.n), out, &capacity);
		read_lines(a, rest, out, &capacity);
	}
	return OK;
}

struct str cfn_recipe_line(const struct cfn_recipe *r, const char *kind)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].kind, str_c(kind))) return r->v[i].words;
	return STR_NONE;
}

void cfn_recipe_types(struct arena *a, struct cfn_names *out)
{
	struct str rest = all_recipes();
	size_t capacity = 0;
	*out = (struct cfn_names){0};
	while (str_has(rest)) {
		struct str line = str_cut(&rest, '\n');
		if (str_starts(line, STR("type "))) *VEC_PUSH(a, out, &capacity) = str_from(line, 5);
	}
}

static const char *const call_kinds[] = {"create", "recover", "set", "update", "after", "unset", "each", "add", "gone",
	"drop", "before", "snapshot", "fetch", "wipe", "delete", "describe", "tag", "untag"};
enum { CALL_KINDS = sizeof(call_kinds) / sizeof(*call_kinds) };

static bool is_call(struct str kind)
{
	for (size_t i = 0; i < CALL_KINDS; i++)
		if (str_eq(kind, str_c(call_kinds[i]))) return true;
	return false;
}

/* Kinds whose first word is a property; of "fetch" it is an attribute. */
bool cfn_line_has_subject(const struct cfn_line *l)
{
	static const char *const kinds[] = {"each", "add", "gone", "drop", "unset", "fetch"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (str_eq(l->kind, str_c(kinds[i]))) return true;
	return false;
}

/* The operation's word: the first, or behind the property that the line is about. "ec2:CreateVpc" or "CreateVpc". */
static void operation_of(const struct cfn_recipe *r, const struct cfn_line *l, struct str *service, struct str *op)
{
	struct str rest = l->words, word = str_cut(&rest, ' ');
	if (cfn_line_has_subject(l)) word = str_has(rest) ? str_cut(&rest, ' ') : STR("");
	*service = r->service;
	if (str_chr(word, ':') > 0) *service = str_cut(&word, ':');
	*op = word;
}

/* Of several ways to create one, the first has to be built; another that is not fails the resource that needs it. */
bool cfn_recipe_built(const struct cfn_recipe *r)
{
	bool creates = false;
	for (size_t i = 0; i < r->n; i++) {
		struct str service, op;
		struct str kind = r->v[i].kind;
		bool create = str_is(kind, "create");
		if ((!create || creates) && !str_is(kind, "delete") && !str_is(kind, "each")) continue;
		creates |= create;
		operation_of(r, &r->v[i], &service, &op);
		if (!cfn_api_built(service, op)) return false;
	}
	return true;
}

static bool has_member(const struct wire_tables *t, uint16_t shape, struct str name)
{
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++)
		if (str_ieq(wire_str(t, t->members[s->first + i].name), name)) return true;
	return false;
}

bool cfn_is_argument(struct str word)
{
	static const char *const others[] = {"ok:", "if:", "on:", "in:", "as:", "wait:", "fault:", "later:", "->"};
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (str_starts(word, str_c(others[i]))) return false;
	return word.n > 0;
}

struct str cfn_recipe_wrong(struct arena *a, struct str type, const struct cfn_recipe *r)
{
	struct cfn_type known;
	if (!is_ok(cfn_type_find(a, type, &known))) return str_fmt(a, "%.*s: AWS has no such type", STR_ARG(type));
	for (size_t i = 0; i < r->n; i++) {
		const struct cfn_line *l = &r->v[i];
		struct cfn_names names = {0};
		size_t capacity = 0;
		struct str service, op, rest = l->words;
		uint16_t shape = WIRE_NO_SHAPE;
		const struct wire_tables *t = NULL;
		bool call = is_call(l->kind);
		if (call) {
			operation_of(r, l, &service, &op);
			t = cfn_api_tables(service, op, &shape);
			if (!t) return str_fmt(a, "%.*s: no operation %.*s", STR_ARG(type), STR_ARG(op));
		}
		if (cfn_line_has_subject(l)) {
			struct str property = str_cut(&rest, ' ');
			if (!str_is(l->kind, "fetch")) *VEC_PUSH(a, &names, &capacity) = str_cut(&property, '/');
		}
		if (call) str_cut(&rest, ' ');
		while (call && str_has(rest)) {
			struct str word = str_cut(&rest, ' ');
			if (str_starts(word, STR("->"))) break;
			if (str_starts(word, STR("on:"))) {
				struct str list = str_from(word, 3);
				while (str_has(list)) *VEC_PUSH(a, &names, &capacity) = str_cut(&list, ',');
			}
			if (!cfn_is_argument(word)) continue;
			ptrdiff_t is = str_chr(word, '=');
			struct str member = is < 0 ? word : str_sub(word, 0, (size_t)is);
			cfn_expr_names(a, is < 0 ? word : str_from(word, (size_t)is + 1), &names, &capacity);
			if (!has_member(t, shape, str_cut(&member, '.')))
				return str_fmt(
					a, "%.*s: %.*s takes no %.*s", STR_ARG(type), STR_ARG(op), STR_ARG(word));
		}
		for (size_t k = 0; k < names.n; k++)
			if (!cfn_struct_property(&known.properties, names.v[k]))
				return str_fmt(a, "%.*s has no property %.*s (%.*s)", STR_ARG(type),
					STR_ARG(names.v[k]), STR_ARG(l->kind));
	}
	return STR("");
}
