/* The model compiler as a command: what it refuses and where it says so, and that the C that it writes has the memory
 * form of wire/desc.h, by compiling and running it. */
#include "base/buf.h"
#include "test.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena a;
static char folder[64];
static char built[512]; /* where the tests and modelc were built */

static void put(const char *name, const char *text)
{
	FILE *f = fopen(str_z(&a, str_fmt(&a, "%s/%s", folder, name)), "w");
	INVARIANT(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Runs a shell command in the folder; its output, both streams, in *out. */
static int run(struct str command, struct str *out)
{
	struct str line = str_fmt(&a, "cd %s && { %.*s; } 2>&1", folder, STR_ARG(command));
	FILE *p = popen(line.p, "r");
	INVARIANT(p);
	struct buf b = BUF_IN(&a);
	size_t n = 0;
	do {
		n = fread(buf_reserve(&b, 4096), 1, 4096, p);
		b.n += n;
	} while (n);
	*out = buf_done(&b);
	int ended = pclose(p);
	return WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
}

static int modelc(const char *arguments, struct str *out)
{
	return run(str_fmt(&a, "mkdir -p gen && %s/modelc --out gen %s", built, arguments), out);
}

static void begin(void)
{
	arena_init(&a);
	ssize_t n = readlink("/proc/self/exe", built, sizeof built - 1);
	INVARIANT(n > 0);
	built[n] = 0;
	*strrchr(built, '/') = 0;
	snprintf(folder, sizeof folder, "/tmp/modelc-test-XXXXXX");
	INVARIANT(mkdtemp(folder));
}

static void end(void)
{
	struct str out;
	CHECK(run(str_fmt(&a, "rm -rf %s", folder), &out) == 0);
	arena_cleanup(&a);
}

#define HEAD "service t \"T\"\n id T\n endpoint t\n signing t\n protocols json10\n version 1\n"

/* Each text is refused with this place and message. */
TEST(refuses_with_the_place)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"service t T\n id T\n", "t.model:1: a service needs id, endpoint, signing, protocols and version\n"},
		{HEAD "struct A\n b Missing\n", "t.model:8: no shape is called Missing\n"},
		{HEAD "struct A\n b S\n b S\nstring S\n", "t.model:9: member b is declared twice\n"},
		{HEAD "string S\nstring S\n", "t.model:8: declared twice: S\n"},
		{HEAD "string S colour\n", "t.model:7: unknown attribute: colour\n"},
		{HEAD "string S min=x\n", "t.model:7: unknown attribute: min=\n"},
		{HEAD "string S min=3 max=2\n", "t.model:7: min is greater than max\n"},
		{HEAD "\tstring S\n", "t.model:7: a control character; tabs and carriage returns have no place here\n"},
		{HEAD "string S pattern=\"a\n", "t.model:7: the closing quote is missing\n"},
		{HEAD "  string S\n", "t.model:7: a line that belongs begins with one space\n"},
		{HEAD "list L S\n enum a\nstring S\n", "t.model:8: the declaration before has no lines of its own\n"},
		{HEAD "op A GET /{x}\n", "t.model:7: the label {x} is no member of the input\n"},
		{HEAD "op A\n err B\n", "t.model:7: no error is called B\n"},
		{HEAD "op A\n in S\nstring S\n", "t.model:7: S is no struct\n"},
		{HEAD "map M I I\ninteger I\n", "t.model:7: a map's key is a string\n"},
		{HEAD "list L B\nblob B streaming\n", "t.model:7: a stream can only be a struct's member\n"},
		{HEAD "struct A payload=b\n", "t.model:7: the payload b is no member\n"},
		{HEAD "extend struct A\n", "t.model:7: only an overlay extends\n"},
		{HEAD "record A\n", "t.model:7: records belong in a state.model\n"},
		{HEAD "op FooBAr\nop FooBar\nop FooB_Ar\n", "t.model:9: two operations become t_foo_b_ar in C\n"},
	};
	begin();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct str out;
		put("t.model", bad[i].text);
		CHECK(modelc("t.model", &out) == 1);
		CHECK_STR(out, str_c(bad[i].message));
	}
	end();
}

TEST(refuses_bad_field_numbers)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"record A\n 1 a String\n 1 b String\n", "s/state.model:3: field number 1 is used twice\n"},
		{"record A\n 0 a String\n", "s/state.model:2: a field's number is from 1 to 65535: 0\n"},
		{"record A\n a String\n", "s/state.model:2: a word is missing\n"},
		{"record A\n 1 a String required\n", "s/state.model:2: unknown attribute of a field: required\n"},
		{"service s\n", "s/state.model:1: records have no service line\n"},
	};
	begin();
	INVARIANT(mkdir(str_z(&a, str_fmt(&a, "%s/s", folder)), 0700) == 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct str out;
		put("s/state.model", bad[i].text);
		CHECK(modelc("s/state.model", &out) == 1);
		CHECK_STR(out, str_c(bad[i].message));
	}
	end();
}

/* A compiler's flags for generated code, and where virga's own headers are (the test runs in the source folder). */
static int compile_and_run(const char *sources, struct str *out)
{
	char here[512];
	INVARIANT(getcwd(here, sizeof here));
	return run(str_fmt(&a,
			   "${CC:-cc} -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-missing-field-initializers "
			   "-Wno-missing-braces -Wno-unused-const-variable -I%s/src -Igen -o prog %s && ./prog",
			   here, sources),
		out);
}

/* Names that are C's own, names that collide, recursion of all kinds, an empty struct, and what desc.h says of memory.
 */
TEST(tricky_model_compiles)
{
	begin();
	put("t.model", HEAD
		"op PutThing PUT /{id} code=201\n in Thing\n out PutThingOutput\n err Gone Odd.Name\n flags read-only\n"
		"op Nothing\n"
		"struct Thing\n id String uri required\n int Integer header=X-Int\n Int Long\n unix Boolean xml=Unix\n"
		" self Thing\n many Things\n sparse Sparse\n map Map\n when Time\n body Stream\n real Double\n more "
		"Map2\n"
		"struct PutThingOutput\n"
		"struct NothingInput\n a String\n"
		"struct MapEntry\n a NothingInput\n"
		"struct Gone exception status=410 code=\"gone \\\"?\\u00e9\"\n message String\n"
		"list Things Thing\nlist Sparse Thing sparse\nmap Map String Thing\nmap Map2 String Maps\nlist Maps "
		"Map\n"
		"string String min=1 max=3 pattern=\"^[^\\\\s]+$\"\n enum a \"b c\" \"\"\n"
		"integer Integer min=-2147483648\nlong Long min=-9223372036854775808 max=9223372036854775807\n"
		"boolean Boolean\ntimestamp Time time=unix\nblob Stream streaming\ndouble Double min=0.5\n"
		"error Odd.Name 400\n");
	put("t.overlay", "extend struct PutThingOutput name=Root\n ok Boolean\nerror Gone 404\n");
	put("main.c", "#include \"t.h\"\n#include \"t.h\"\n#include <stdio.h>\n"
		      "int main(void)\n{\n"
		      "	const struct wire_tables *t = &wire_service_t.tables;\n"
		      "	struct t_put_thing_input in = {.int_ = SOME_I32(1), .int__ = SOME_I64(2), .unix_ = "
		      "SOME_BOOL(true)};\n"
		      "	struct t_nothing_input_ other = {STR(\"x\")};\n"
		      "	struct t_map_entry_ entry = {&other};\n"
		      "	struct t_map_entry e = {.value = in};\n"
		      "	struct t_nothing_input none = {0};\n"
		      "	const struct wire_shape *s = &t->shapes[T_SHAPE_THING];\n"
		      "	printf(\"%d %d %zu\\n\", T_OP_NOTHING, T_OP_PUT_THING, wire_services_length);\n"
		      "	printf(\"%d %d %d\\n\", T_ERR_GONE, T_ERR_ODD_NAME, t->errors[0].status);\n"
		      "	printf(\"%d\\n\", e.value.int_.v + entry.a->a.p[0] + none.none);\n"
		      "	printf(\"%d\\n\", s->size == sizeof in && s->count == 12 && (s->flags & WIRE_S_RECURSIVE));\n"
		      "	printf(\"%d\\n\", t->shapes[T_SHAPE_MAP].size == sizeof e && t->shapes[T_SHAPE_SPARSE].size == "
		      "sizeof(void *));\n"
		      "	printf(\"%d\\n\", t->shapes[T_SHAPE_PUT_THING_OUTPUT].flags & WIRE_S_RECURSIVE);\n"
		      "	for (uint32_t i = 0; i < s->count; i++) {\n"
		      "		const struct wire_member *m = &t->members[s->first + t->sorted[s->by_name - 1 + i]];\n"
		      "		printf(\"%s%.*s\", i ? \" \" : \"\", STR_ARG(wire_str(t, m->wire_name)));\n"
		      "	}\n"
		      "	const struct wire_constraint *c = &t->constraints[t->shapes[T_SHAPE_LONG].constraint];\n"
		      "	printf(\"\\n%d %.*s\\n\", c->min == INT64_MIN && c->max == INT64_MAX, STR_ARG(wire_str(t, "
		      "t->errors[0].code)));\n"
		      "	c = &t->constraints[t->shapes[T_SHAPE_STRING].constraint];\n"
		      "	printf(\"%.*s %u\\n\", STR_ARG(wire_str(t, c->pattern)), c->enum_count);\n"
		      "	const struct wire_op *op = &t->ops[T_OP_PUT_THING];\n"
		      "	printf(\"%d %d %d\\n\", op->response_code, op->flags == (WIRE_O_READ_ONLY | WIRE_O_STREAM_IN), "
		      "op->errors_count);\n"
		      "	return 0;\n}\n");
	struct str out;
	CHECK(modelc("t.model", &out) == 0);
	CHECK_STR(out, STR(""));
	CHECK(compile_and_run("main.c gen/t_tables.c gen/services.c", &out) == 0);
	CHECK_STR(out, STR("0 1 1\n256 257 404\n121\n1\n1\n0\n"
			   "Int Unix X-Int body id many map more real self sparse when\n"
			   "1 gone \"?\xc3\xa9\n^[^\\s]+$ 3\n201 1 2\n"));
	end();
}

/* A record's members stand in the order of their numbers, whatever the text's order. */
TEST(records_compile)
{
	begin();
	INVARIANT(mkdir(str_z(&a, str_fmt(&a, "%s/my-room", folder)), 0700) == 0);
	put("my-room/state.model",
		"record thing\n 9 last String\n 2 tags Tags\n 1 owner Owner\nstruct Owner\n 3 id Long\n"
		"map Tags String Owner\n");
	put("main.c", "#include \"my-room_state.h\"\n#include <stdio.h>\n"
		      "struct str record_encode(struct arena *a, const struct wire_tables *t, uint16_t shape, const "
		      "void *r)\n"
		      "{\n	(void)a, (void)r;\n	for (uint32_t i = 0; i < t->shapes[shape].count; i++) {\n"
		      "		const struct wire_member *m = &t->members[t->shapes[shape].first + i];\n"
		      "		printf(\"%u %.*s %u\\n\", m->wire_name, STR_ARG(wire_str(t, m->name)), "
		      "m->offset);\n	}\n"
		      "	return STR(\"\");\n}\n"
		      "status record_decode(struct arena *a, const struct wire_tables *t, uint16_t s, struct str b, "
		      "void *r)\n"
		      "{\n	(void)a, (void)t, (void)s, (void)b, (void)r;\n	return OK;\n}\n"
		      "int main(void)\n{\n	struct my_room_rec_thing r = {.last = STR(\"x\")};\n"
		      "	(void)my_room_rec_thing_encode(NULL, &r);\n"
		      "	return MY_ROOM_REC_THING < my_room_state_tables.n_shapes && "
		      "is_ok(my_room_rec_thing_decode(NULL, STR(\"\"), &r)) ? 0 : 1;\n}\n");
	struct str out;
	CHECK(modelc("my-room/state.model", &out) == 0);
	CHECK_STR(out, STR(""));
	CHECK(compile_and_run("main.c gen/my-room_state.c", &out) == 0);
	CHECK_STR(out, STR("1 owner 0\n2 tags 8\n9 last 24\n"));
	end();
}

TEST(writes_only_what_changed)
{
	begin();
	struct str before, after;
	put("t.model", HEAD "op A\nstruct B\n");
	CHECK(modelc("t.model", &before) == 0);
	CHECK(run(STR("touch -d 2001-01-01 gen/* && stat -c '%n %Y' gen/*"), &before) == 0);
	CHECK(modelc("t.model", &after) == 0);
	CHECK(run(STR("stat -c '%n %Y' gen/*"), &after) == 0);
	CHECK_STR(after, before);
	put("t.overlay", "drop B\n");
	CHECK(modelc("t.model", &after) == 0);
	CHECK(run(STR("stat -c '%n %Y' gen/*"), &after) == 0);
	CHECK(!str_eq(after, before));
	end();
}

TEST_MAIN()
