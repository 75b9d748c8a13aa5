/* What one writer writes, the reader of the same format reads back to the same value: every struct of every service,
 * filled to a few levels, in JSON, CBOR and XML. */
#include "test.h"
#include "wire/internal.h"

static unsigned seed;
static unsigned next(void)
{
	return seed = seed * 1103515245u + 12345u, seed >> 16 & 0x7fff;
}

static void fill(struct arena *a, const struct wire_tables *t, uint16_t shape, void *slot, bool pointer, int depth)
{
	static const char *const texts[] = {
		"", "plain", "<&>\"'", "line\nand\ttab\r", "\xc3\xa9\xf0\x9f\x98\x80", "a,b c=d&e%2F", "\\u0041\\"};
	const struct wire_shape *s = &t->shapes[shape];
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		if (depth == 0) return;
		char *p = wire_struct_for(a, s, slot, pointer);
		for (uint32_t i = 0; i < s->count; i++) {
			const struct wire_member *m = &t->members[s->first + i];
			if (WIRE_LOCATION(m) == WIRE_IN_BODY && next() % 4)
				fill(a, t, m->shape, p + m->offset, true, depth - 1);
		}
		break;
	}
	case WIRE_LIST:
	case WIRE_MAP: {
		struct wire_list *l = slot;
		bool map = s->kind == WIRE_MAP;
		const struct wire_member *of = &t->members[s->first + map];
		if (depth == 0) return;
		l->n = 1 + next() % 3;
		l->v = arena_array(a, l->n, s->size);
		for (size_t i = 0; i < l->n; i++) {
			char *e = wire_element(s, l->v, i);
			if (map) ((struct wire_map_entry *)(void *)e)->key = str_fmt(a, "key %zu&", i);
			const struct wire_shape *vs = &t->shapes[of->shape];
			/* an element below the depth limit is still present: empty */
			if (depth == 1 && (vs->kind == WIRE_LIST || vs->kind == WIRE_MAP))
				((struct wire_list *)(void *)(e + (map ? 16 : 0)))->v = arena_alloc(a, 0);
			else if (depth == 1 && vs->kind == WIRE_STRUCT)
				(void)wire_struct_for(a, vs, e + (map ? 16 : 0), wire_holds_pointers(s));
			else
				fill(a, t, of->shape, e + (map ? 16 : 0), wire_holds_pointers(s), depth - 1);
		}
		break;
	}
	case WIRE_STRING:
	case WIRE_BLOB:
		*(struct str *)slot = str_c(texts[next() % 7]);
		break;
	case WIRE_DOCUMENT:
		*(struct str *)slot = STR("{\"a\":[1,2.5,null,\"x\"]}");
		break;
	case WIRE_BOOL:
		*(struct opt_bool *)slot = SOME_BOOL(next() % 2);
		break;
	case WIRE_I32:
		*(struct opt_i32 *)slot = SOME_I32((int32_t)next() - 100);
		break;
	case WIRE_I64:
		*(struct opt_i64 *)slot = SOME_I64((int64_t)next() * 1000000007 - 5);
		break;
	case WIRE_F32:
	case WIRE_F64:
		*(struct opt_f64 *)slot = SOME_F64(next() / 8.0 - 3);
		break;
	case WIRE_TIME:
		*(struct opt_time *)slot = SOME_TIME((int64_t)next() * 86400 * 1000 * 3 - 1000000000);
		break;
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
}

static struct str write_one(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *p, int format)
{
	struct buf b = BUF_IN(a);
	if (format == 0) {
		wire_json_write(&b, t, shape, p, false);
	} else if (format == 1) {
		wire_cbor_write(&b, t, shape, false, p);
	} else {
		wire_xml_open_struct(&b, t, NULL, STR("Root"), &t->shapes[shape], p, STR_NONE);
		wire_xml_members(&b, t, (struct wire_xml_style){0}, shape, p);
		wire_xml_close(&b, STR("Root"));
	}
	return buf_done(&b);
}

TEST(every_struct_of_every_service)
{
	struct arena a;
	size_t done = 0;
	arena_init(&a);
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_tables *t = &wire_services[i]->tables;
		uint32_t protocols = wire_services[i]->protocols;
		for (uint32_t k = 0; k < t->n_shapes; k++) {
			if (t->shapes[k].kind != WIRE_STRUCT) continue;
			seed = k * 31u + (unsigned)i;
			for (int format = 0; format < 3; format++) {
				uint32_t spoken = format == 0   ? WIRE_JSON10 | WIRE_JSON11 | WIRE_REST_JSON
						  : format == 1 ? WIRE_CBOR
								: WIRE_REST_XML;
				if (!(protocols & spoken)) continue;
				void *in = arena_alloc(&a, t->shapes[k].size),
				     *back = arena_alloc(&a, t->shapes[k].size);
				fill(&a, t, (uint16_t)k, in, false, 4);
				struct str text = write_one(&a, t, (uint16_t)k, in, format), message = STR("");
				status st =
					format == 0   ? wire_json_read(&a, t, (uint16_t)k, text, back, false, &message)
					: format == 1 ? wire_cbor_read(&a, t, (uint16_t)k, false, text, back, &message)
						      : wire_xml_read(&a, t, (uint16_t)k, text, back, false, &message);
				struct str again = write_one(&a, t, (uint16_t)k, back, format);
				test_checks++;
				done++;
				if (!is_ok(st) || !str_eq(text, again)) {
					test_failed++;
					fprintf(stderr, "%s %.*s, format %d: %.*s\n   %.*s\n   %.*s\n",
						wire_services[i]->name, STR_ARG(wire_str(t, t->shapes[k].name)), format,
						STR_ARG(message), STR_ARG(text), STR_ARG(again));
				}
				arena_reset(&a);
			}
		}
	}
	printf("%zu round trips\n", done);
	CHECK(done > 5000);
	arena_cleanup(&a);
}
TEST_MAIN()
