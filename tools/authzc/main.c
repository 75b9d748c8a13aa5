/* authzc: the compiler of models/NAME.authz (see models/README.md): reads all of them and writes one C file with the tables of
 * policy/authz.h.
 *
 *     authzc --out FILE.c NAME.authz …
 */
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "policy/authz.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 512
/* A declaration with the lines that belong to it, or one check of an operation. */
struct entry {
	int line;
	bool check;
	struct str *words;
	size_t n;
};
struct list {
	struct buf b;
	size_t n;
};
/* One file. Sets of keys and types have the file's scope; types are also found by the other files of its prefix. */
struct file {
	const char *path;
	int line;
	struct authz_service service;
	struct str name, prefix;
	struct entry *entries;
	size_t n_entries;
	struct map sets;
};

static struct arena arena;
static struct buf text;
static struct map interned, types_by_name;
static struct list services, ops, checks, targets, bindings, actions, types, keys, type_refs, key_refs, need_refs;
static struct file *files;
static struct file *at; /* what is read now, for messages */

static _Noreturn void die(const char *what, struct str detail)
{
	fprintf(stderr, "%s:%d: %s: %.*s\n", at ? at->path : "authzc", at ? at->line : 0, what, STR_ARG(detail));
	exit(1);
}

static void add(struct list *l, const void *item, size_t size)
{
	buf_add(&l->b, item, size);
	l->n++;
}
#define ADD(list, ...) add((list), &(__VA_ARGS__), sizeof(__VA_ARGS__))

static uint32_t intern(struct str s)
{
	void *known = map_get(&interned, s);
	if (known) return (uint32_t)(uintptr_t)known;
	uint32_t offset = (uint32_t)text.n;
	if (s.n > 0xFFFF) die("too long", str_sub(s, 0, 60));
	buf_byte(&text, (char)(s.n & 0xFF));
	buf_byte(&text, (char)(s.n >> 8));
	buf_str(&text, s);
	if (offset) map_set(&interned, s, (void *)(uintptr_t)offset);
	return offset;
}

static struct str type_key(struct str prefix, struct str type)
{
	return str_fmt(&arena, "%.*s %.*s", STR_ARG(prefix), STR_ARG(type));
}

/* ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void read_key_set(const struct str *w, size_t n)
{
	struct authz_range *r = arena_new(&arena, struct authz_range);
	*r = (struct authz_range){(uint32_t)key_refs.n, (uint32_t)n - 1};
	for (size_t i = 1; i < n; i++) {
		uint32_t name = intern(w[i]);
		ADD(&key_refs, name);
	}
	if (map_set(&at->sets, w[0], r)) die("a set of keys twice", w[0]);
}

static void read_type(const struct str *w, size_t n)
{
	if (n != 2) die("resource NAME ARN", w[0]);
	struct authz_type t = {intern(w[0]), intern(w[1])};
	ADD(&types, t);
	if (map_set(&types_by_name, type_key(at->prefix, w[0]), (void *)(uintptr_t)types.n)) die("a type twice", w[0]);
	at->service.types.n++;
}

static uint32_t find_type(struct str name)
{
	void *known = map_get(&types_by_name, type_key(at->prefix, name));
	if (!known) die("no such resource type", name);
	return (uint32_t)(uintptr_t)known - 1;
}

static void read_action(const struct str *w, size_t n)
{
	static const char letters[] = "RLWTP";
	if (n < 2 || w[1].n != 1 || !strchr(letters, *w[1].p)) die("action NAME LEVEL …", w[0]);
	struct authz_action a = {.name = intern(w[0]), .level = (uint32_t)(strchr(letters, *w[1].p) - letters)};
	a.types.first = (uint32_t)type_refs.n;
	a.needs.first = (uint32_t)need_refs.n;
	for (size_t i = 2; i < n; i++) {
		if (str_starts(w[i], STR("keys="))) {
			const struct authz_range *set = map_get(&at->sets, str_from(w[i], 5));
			if (!set) die("no such set of keys", w[i]);
			a.keys = *set;
		} else if (str_starts(w[i], STR("needs="))) {
			uint32_t need = intern(str_from(w[i], 6));
			ADD(&need_refs, need);
			a.needs.n++;
		} else {
			struct str name = w[i];
			bool required = str_ends(name, STR("!"));
			if (required) name.n--;
			uint32_t ref = find_type(name) << 1 | required;
			ADD(&type_refs, ref);
			a.types.n++;
		}
	}
	ADD(&actions, a);
	at->service.actions.n++;
}

/* type(Variable=Member,…), arn(Member), path() */
static void read_target(struct str w)
{
	struct authz_target t = {.bindings = {(uint32_t)bindings.n, 0}};
	struct str inside = w, name = str_cut(&inside, '(');
	if (!str_has(inside) || !str_ends(inside, STR(")"))) die("a target is TYPE(…)", w);
	inside.n--;
	t.kind = str_is(name, "arn") && inside.n && str_chr(inside, '=') < 0 ? AUTHZ_ARN : str_is(name, "path")
		? AUTHZ_PATH : AUTHZ_TYPE;
	if (t.kind == AUTHZ_TYPE) t.arn = ((const struct authz_type *)(const void *)types.b.p)[find_type(name)].arn;
	while (str_has(inside) && inside.n) {
		struct str member = str_cut(&inside, ','), variable = t.kind == AUTHZ_ARN ? STR("")
			: str_cut(&member, '=');
		if (!str_has(member) || !member.n) die("a binding is Variable=Member", w);
		struct authz_binding b = {intern(variable), intern(member)};
		ADD(&bindings, b);
		t.bindings.n++;
	}
	ADD(&targets, t);
}

static void read_check(const struct str *w, size_t n)
{
	struct authz_check c = {.targets = {(uint32_t)targets.n, 0}};
	c.action = intern(str_chr(w[0], ':') >= 0 ? w[0] : str_fmt(&arena, "%.*s:%.*s", STR_ARG(at->prefix),
		STR_ARG(w[0])));
	for (size_t i = 1; i < n; i++) {
		if (str_starts(w[i], STR("if="))) {
			c.if_member = intern(str_from(w[i], 3));
		} else if (str_starts(w[i], STR("unless="))) {
			c.unless_member = intern(str_from(w[i], 7));
		} else {
			read_target(w[i]);
			c.targets.n++;
		}
	}
	ADD(&checks, c);
	((struct authz_op *)(void *)ops.b.p)[ops.n - 1].checks.n++;
}

static void read_op(const struct str *w, size_t n)
{
	struct authz_op o = {.name = intern(w[0]), .checks = {(uint32_t)checks.n, 0}};
	static struct str before;
	if (at->service.ops.n && str_cmp(before, w[0]) >= 0) die("operations are sorted", w[0]);
	before = w[0];
	ADD(&ops, o);
	at->service.ops.n++;
	if (n > 1) read_check(w + 1, n - 1);
}

static void read_facts(const struct entry *e)
{
	const struct str *w = e->words;
	size_t n = e->n;
	if (n < 2) die("a declaration needs a name", w[0]);
	if (str_is(w[0], "authz")) {
		if (n != 4 || !str_is(w[2], "prefix")) die("authz NAME, prefix PREFIX", w[1]);
	} else if (str_is(w[0], "key")) {
		struct authz_key k = {intern(w[1]), intern(n > 2 ? w[2] : STR("String"))};
		ADD(&keys, k);
		at->service.keys.n++;
	} else if (str_is(w[0], "keys")) {
		read_key_set(w + 1, n - 1);
	} else if (str_is(w[0], "resource")) {
		read_type(w + 1, n - 1);
	} else if (str_is(w[0], "action")) {
		read_action(w + 1, n - 1);
	} else {
		die("no such declaration", w[0]);
	}
}

static void read_ops(void)
{
	at->service.ops.first = (uint32_t)ops.n;
	for (size_t i = 0; i < at->n_entries; i++) {
		const struct entry *e = &at->entries[i];
		at->line = e->line;
		if (e->check) read_check(e->words, e->n);
		else if (str_is(e->words[0], "op")) read_op(e->words + 1, e->n - 1);
	}
}

static size_t split(struct str line, struct str *w, size_t n)
{
	while (str_has(line)) {
		struct str word = str_cut(&line, ' ');
		if (!word.n) continue;
		if (n == WORDS_MAX) die("too many words", word);
		w[n++] = word;
	}
	return n;
}

static void read_lines(struct str all)
{
	struct str w[WORDS_MAX];
	size_t capacity = 0;
	struct {
		struct entry *v;
		size_t n;
	} list = {0};
	struct entry *last = NULL;
	while (str_has(all)) {
		struct str line = str_cut(&all, '\n');
		at->line++;
		if (!line.n || *line.p == '#') continue;
		bool continues = *line.p == ' ';
		bool check = continues && last && (last->check || str_is(last->words[0], "op"));
		if (continues && !last) die("a line that belongs to nothing", line);
		size_t n = split(line, w, 0);
		if (continues && !check) {
			struct str *joined = arena_new_n(&arena, struct str, last->n + n);
			memcpy(joined, last->words, last->n * sizeof *w);
			memcpy(joined + last->n, w, n * sizeof *w);
			last->words = joined;
			last->n += n;
			continue;
		}
		last = VEC_PUSH(&arena, &list, &capacity);
		*last = (struct entry){at->line, check, arena_copy(&arena, w, n * sizeof *w), n};
	}
	at->entries = list.v;
	at->n_entries = list.n;
	if (list.n == 0 || list.v[0].n != 4 || !str_is(list.v[0].words[0], "authz")) die("authz NAME comes first",
		STR(""));
	at->name = list.v[0].words[1];
	at->prefix = list.v[0].words[3];
}

static void read_file(struct file *f)
{
	struct buf b = BUF_IN(&arena);
	FILE *in = fopen(f->path, "rb");
	at = f;
	if (!in) die("cannot read", str_c(strerror(errno)));
	for (size_t got; (got = fread(buf_reserve(&b, 65536), 1, 65536, in)) > 0;) b.n += got;
	if (ferror(in)) die("cannot read", str_c(strerror(errno)));
	fclose(in);
	map_init(&f->sets);
	read_lines(buf_done(&b));
}

/* ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void write_numbers(struct buf *out, const char *type, const char *name, const struct list *l, size_t each)
{
	const uint32_t *v = (const uint32_t *)(const void *)l->b.p;
	buf_fmt(out, "const %s %s[] = {", type, name);
	size_t total = l->b.n / sizeof *v;
	for (size_t i = 0; i < total; i++)
		buf_fmt(out, "%s%s%u,", i % 16 == 0 ? "\n" : "", each > 1 && i % each == 0 ? " " : "", v[i]);
	if (!total) buf_lit(out, "0");
	buf_lit(out, "\n};\n");
}

static void write_text(struct buf *out)
{
	buf_lit(out, "const char authz_text[] =");
	for (size_t i = 0; i < text.n; i++) {
		if (i % 80 == 0) buf_fmt(out, "%s\n\"", i ? "\"" : "");
		unsigned char c = (unsigned char)text.p[i];
		if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\' || c == '?') buf_fmt(out, "\\%03o", c);
		else buf_byte(out, (char)c);
	}
	buf_lit(out, "\";\n");
}

/* The structs consist of 32-bit numbers alone, so they are written as such, flat. */
_Static_assert(sizeof(struct authz_service) == 10 * 4 && sizeof(struct authz_action) == 8 * 4 &&
		sizeof(struct authz_check) == 5 * 4 && sizeof(struct authz_target) == 4 * 4 &&
			sizeof(struct authz_op) == 3 * 4,
	"tables are written flat");

static bool write_out(const char *path)
{
	struct buf out = BUF_IN(&arena);
	buf_lit(&out,
		"/* Written by authzc. */\n#include \"policy/authz.h\"\n#pragma GCC diagnostic ignored "
			"\"-Wmissing-braces\"\n");
	write_text(&out);
	buf_fmt(&out, "const uint32_t authz_services_length = %zu;\n", services.n);
	write_numbers(&out, "struct authz_service", "authz_services", &services, 10);
	write_numbers(&out, "struct authz_op", "authz_ops", &ops, 3);
	write_numbers(&out, "struct authz_check", "authz_checks", &checks, 5);
	write_numbers(&out, "struct authz_target", "authz_targets", &targets, 4);
	write_numbers(&out, "struct authz_binding", "authz_bindings", &bindings, 2);
	write_numbers(&out, "struct authz_action", "authz_actions", &actions, 8);
	write_numbers(&out, "struct authz_type", "authz_types", &types, 2);
	write_numbers(&out, "struct authz_key", "authz_keys", &keys, 2);
	write_numbers(&out, "uint32_t", "authz_type_refs", &type_refs, 1);
	write_numbers(&out, "uint32_t", "authz_key_refs", &key_refs, 1);
	write_numbers(&out, "uint32_t", "authz_need_refs", &need_refs, 1);
	FILE *f = fopen(path, "wb");
	if (!f) return false;
	bool good = fwrite(out.p, 1, out.n, f) == out.n;
	return fclose(f) == 0 && good;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void read_all(size_t n)
{
	for (size_t i = 0; i < n; i++) read_file(&files[i]);
	qsort(files, n, sizeof *files, by_name);
	for (size_t i = 0; i < n; i++) {
		at = &files[i];
		struct authz_service *s = &at->service;
		*s = (struct authz_service){.name = intern(at->name), .prefix = intern(at->prefix),
			.actions = {(uint32_t)actions.n, 0}, .types = {(uint32_t)types.n, 0},
				.keys = {(uint32_t)keys.n, 0}};
		for (size_t j = 0; j < at->n_entries; j++) {
			at->line = at->entries[j].line;
			if (!at->entries[j].check && !str_is(at->entries[j].words[0],
				"op")) read_facts(&at->entries[j]);
		}
	}
	for (size_t i = 0; i < n; i++) {
		at = &files[i];
		read_ops();
		/* A service whose prefix has its home in another file shares that file's facts. */
		for (size_t j = 0; j < n && !at->service.actions.n; j++) {
			if (!str_eq(files[j].prefix, at->prefix) || !files[j].service.actions.n) continue;
			at->service.actions = files[j].service.actions;
			at->service.types = files[j].service.types;
			at->service.keys = files[j].service.keys;
		}
	}
	for (size_t i = 0; i < n; i++) ADD(&services, files[i].service);
}

int main(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[1], "--out") != 0) {
		fputs("usage: authzc --out FILE.c NAME.authz ...\n", stderr);
		return 2;
	}
	struct list *const lists[] = {&services, &ops, &checks, &targets, &bindings, &actions, &types, &keys,
		&type_refs, &key_refs,
		&need_refs};
	arena_init(&arena);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) lists[i]->b = BUF_IN(&arena);
	text = BUF_IN(&arena);
	map_init(&interned);
	map_init(&types_by_name);
	intern(STR(""));
	size_t n = (size_t)argc - 3;
	files = arena_new_n(&arena, struct file, n);
	for (size_t i = 0; i < n; i++) files[i].path = argv[i + 3];
	read_all(n);
	at = NULL;
	if (!write_out(argv[2])) die("cannot write", str_c(argv[2]));
	for (size_t i = 0; i < n; i++) map_cleanup(&files[i].sets, NULL);
	map_cleanup(&interned, NULL);
	map_cleanup(&types_by_name, NULL);
	arena_cleanup(&arena);
	return 0;
}
