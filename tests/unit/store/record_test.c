/* The record codec: every kind, presence, old and new programs reading each other, damage, depth. */
#include "base/buf.h"
#include "base/vec.h"
#include "store/crc.h"
#include "store/record.h"
#include "store_tables.h"
#include "test.h"

static struct arena a;
static uint64_t state = 42;
static uint64_t random_below(uint64_t n)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (state >> 11) % n;
}

/* Fills what lies at p by walking the tables, each member present or not by chance. */
static void fill(const struct wire_shape *s, char *p, int depth);
static void fill_list(const struct wire_shape *s, struct wire_list *l, int depth)
{
	l->n = random_below(4);
	l->v = arena_array(&a, l->n, s->size);
	for (size_t i = 0; i < l->n; i++)
		for (unsigned j = 0; j < s->count; j++) {
			const struct wire_member *m = &store_members[s->first + j];
			const struct wire_shape *es = &store_shapes[m->shape];
			char *at = (char *)l->v + i * s->size + m->offset;
			bool key = s->kind == WIRE_MAP && j == 0;
			if (es->kind == WIRE_STRUCT && s->flags & WIRE_S_SPARSE) {
				if (random_below(3) == 0) continue;
				char *child = arena_alloc(&a, es->size);
				memcpy(at, &child, sizeof child);
				at = child;
			} else if (!key && es->kind != WIRE_STRUCT && random_below(4) == 0)
				continue;
			fill(es, at, depth);
		}
}
static void fill(const struct wire_shape *s, char *p, int depth)
{
	static const int64_t numbers[] = {0, 1, -1, 63, 64, -64, -65, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
	int64_t v = numbers[random_below(s->kind == WIRE_I32 ? 9 : 11)];
	switch ((enum wire_kind)s->kind) {
	case WIRE_BOOL:
		*(struct opt_bool *)(void *)p = SOME_BOOL(v & 1);
		break;
	case WIRE_I32:
		*(struct opt_i32 *)(void *)p = SOME_I32((int32_t)v);
		break;
	case WIRE_I64:
		*(struct opt_i64 *)(void *)p = SOME_I64(v);
		break;
	case WIRE_TIME:
		*(struct opt_time *)(void *)p = SOME_TIME(v);
		break;
	case WIRE_F64:
		*(struct opt_f64 *)(void *)p = SOME_F64((double)v / 3);
		break;
	case WIRE_LIST:
	case WIRE_MAP:
		fill_list(s, (struct wire_list *)(void *)p, depth);
		break;
	case WIRE_STRUCT:
		for (unsigned i = 0; i < s->count; i++) {
			const struct wire_member *m = &store_members[s->first + i];
			const struct wire_shape *ms = &store_shapes[m->shape];
			char *at = p + m->offset;
			bool nested = ms->kind == WIRE_STRUCT || ms->kind == WIRE_LIST || ms->kind == WIRE_MAP;
			if (random_below(2) || (nested && depth == 0)) continue;
			if (ms->kind == WIRE_STRUCT) {
				char *child = arena_alloc(&a, ms->size);
				memcpy(at, &child, sizeof child);
				at = child;
			}
			fill(ms, at, nested ? depth - 1 : depth);
		}
		break;
	case WIRE_STRING:
	case WIRE_BLOB:
	case WIRE_DOCUMENT:
	case WIRE_F32:
	case WIRE_STREAM:
	case WIRE_EVENTS: {
		size_t n = random_below(random_below(5) == 0 ? 300 : 20);
		char *text = arena_alloc(&a, n);
		for (size_t i = 0; i < n; i++) text[i] = (char)random_below(256);
		*(struct str *)(void *)p = str_n(text, n);
	}
	}
}

TEST(every_kind)
{
	arena_init(&a);
	struct node child = {.name = STR("child")},
		    n = {.name = STR("n"),
			    .count = SOME_I32(-5),
			    .big = SOME_I64(INT64_MIN),
			    .ratio = SOME_F64(-0.5),
			    .made = SOME_TIME(1795246380000),
			    .flag = SOME_BOOL(false),
			    .child = &child,
			    .body = STR("")},
		    *none = NULL, m = {0};
	size_t capacity = 0;
	*VEC_PUSH(&a, &n.tags, &capacity) = STR("one");
	*VEC_PUSH(&a, &n.tags, &capacity) = STR_NONE;
	*VEC_PUSH(&a, &n.tags, &capacity) = STR("");
	capacity = 0;
	*VEC_PUSH(&a, &n.sparse, &capacity) = &child;
	*VEC_PUSH(&a, &n.sparse, &capacity) = none;
	capacity = 0;
	*VEC_PUSH(&a, &n.numbers, &capacity) = SOME_I64(7);
	VEC_PUSH(&a, &n.numbers, &capacity);
	VEC_PRESENT(&a, &n.weights);
	struct str bytes = record_encode(&a, &store_tables, SHAPE_NODE, &n);
	CHECK_OK(record_decode(&a, &store_tables, SHAPE_NODE, bytes, &m));
	CHECK_STR(m.name, STR("n"));
	CHECK(m.count.has && m.count.v == -5 && m.big.v == INT64_MIN && m.ratio.v == -0.5 &&
		m.made.ms == 1795246380000);
	CHECK(m.flag.has && !m.flag.v && m.body.p && m.body.n == 0);
	CHECK_STR(m.child->name, STR("child"));
	CHECK(!m.child->count.has && !m.child->tags.v && !m.child->child);
	CHECK(m.tags.n == 3 && !m.tags.v[1].p && m.tags.v[2].p && m.tags.v[2].n == 0);
	CHECK_STR(m.tags.v[0], STR("one"));
	CHECK(m.sparse.n == 2 && !m.sparse.v[1]);
	CHECK_STR(m.sparse.v[0]->name, STR("child"));
	CHECK(m.numbers.n == 2 && m.numbers.v[0].v == 7 && m.numbers.v[0].has && !m.numbers.v[1].has);
	CHECK(m.weights.v && m.weights.n == 0 && !m.matrix.v && !m.children.v);
	CHECK(record_encode(&a, &store_tables, SHAPE_NODE, &(struct node){0}).n == 4);
	arena_cleanup(&a);
}

TEST(round_trips)
{
	arena_init(&a);
	size_t longest = 0;
	for (int i = 0; i < 3000; i++) {
		struct node n = {0}, m = {0};
		fill(&store_shapes[SHAPE_NODE], (char *)&n, 3);
		struct str bytes = record_encode(&a, &store_tables, SHAPE_NODE, &n);
		if (bytes.n > longest) longest = bytes.n;
		CHECK_OK(record_decode(&a, &store_tables, SHAPE_NODE, bytes, &m));
		CHECK_STR(record_encode(&a, &store_tables, SHAPE_NODE, &m), bytes);
		/* damage anywhere is found */
		char *damaged = arena_copy(&a, bytes.p, bytes.n);
		damaged[random_below(bytes.n)] ^= (char)(1 << random_below(8));
		CHECK(status_is(
			record_decode(&a, &store_tables, SHAPE_NODE, str_n(damaged, bytes.n), &m), STATUS_CORRUPT));
		CHECK(status_is(
			record_decode(&a, &store_tables, SHAPE_NODE, str_sub(bytes, 0, random_below(bytes.n)), &m),
			STATUS_CORRUPT));
		arena_reset(&a);
	}
	CHECK(longest > 1000);
	arena_cleanup(&a);
}

TEST(old_and_new_read_each_other)
{
	arena_init(&a);
	for (int i = 0; i < 1000; i++) {
		struct node n = {0}, back = {0};
		struct old_node old = {0}, again = {0};
		fill(&store_shapes[SHAPE_NODE], (char *)&n, 2);
		struct str bytes = record_encode(&a, &store_tables, SHAPE_NODE, &n);
		CHECK_OK(record_decode(&a, &store_tables, SHAPE_OLD, bytes, &old)); /* skips what it does not know */
		CHECK(old.big.has == n.big.has && old.big.v == n.big.v && old.tags.n == n.tags.n &&
			!old.removed_later.p);
		old.removed_later = STR("gone");
		bytes = record_encode(&a, &store_tables, SHAPE_OLD, &old);
		CHECK_OK(record_decode(&a, &store_tables, SHAPE_NODE, bytes, &back));
		CHECK(back.big.v == n.big.v && !back.name.p && !back.child && !back.count.has &&
			back.tags.n == n.tags.n);
		CHECK_OK(record_decode(&a, &store_tables, SHAPE_OLD, bytes, &again));
		CHECK_STR(again.removed_later, STR("gone"));
		arena_reset(&a);
	}
	arena_cleanup(&a);
}

static struct str sealed(const char *p, size_t n)
{
	uint32_t crc = store_crc32c(0, p, n);
	struct buf b = BUF_IN(&a);
	buf_add(&b, p, n);
	buf_add(&b, &crc, sizeof crc);
	return buf_done(&b);
}

TEST(refuses_what_is_no_record)
{
	arena_init(&a);
	static const struct {
		const char *p;
		size_t n;
		bool good;
	} cases[] = {
		{"", 0, true}, {"\x0a\x01x", 3, true}, {"\x0a\x02x", 3, false},   /* longer than there is */
		{"\x0a", 1, false}, {"\x08\x01", 2, false},                       /* name as a number */
		{"\x10\x01", 2, true},                                            /* count = -1 */
		{"\x10\x80\x80\x80\x80\x20", 6, false},                           /* past 32 bits */
		{"\x30\x03", 2, false},                                           /* flag = -2 */
		{"\x0b", 1, false},                                               /* a kind that does not exist */
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, false},          /* a varint past 64 bits */
		{"\x98\x06\x01", 3, true},                                        /* an unknown field */
		{"\x3a\x01\x05", 3, false},                                       /* more elements than bytes */
		{"\x3a\x03\x01\x02x", 5, true}, {"\x3a\x04\x01\x02xy", 6, false}, /* bytes behind the last element */
		{"\x52\x02\x01\x00", 4, false},                                   /* a null where a struct must be */
		{"\x5a\x02\x01\x00", 4, true},                                    /* allowed in a sparse list */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct node n = {0};
		status r = record_decode(&a, &store_tables, SHAPE_NODE, sealed(cases[i].p, cases[i].n), &n);
		if (is_ok(r) != cases[i].good) fprintf(stderr, "case %zu\n", i);
		CHECK(cases[i].good ? is_ok(r) : status_is(r, STATUS_CORRUPT));
	}
	arena_cleanup(&a);
}

TEST(depth_is_bounded)
{
	arena_init(&a);
	struct node *n = arena_new(&a, struct node), m = {0};
	for (int depth = 1; depth < RECORD_DEPTH_MAX; depth++) {
		struct node *parent = arena_new(&a, struct node);
		parent->child = n;
		n = parent;
	}
	struct str bytes = record_encode(&a, &store_tables, SHAPE_NODE, n);
	CHECK_OK(record_decode(&a, &store_tables, SHAPE_NODE, bytes, &m));
	struct buf deeper = BUF_IN(&a); /* one more, by hand: field 9 with the same bytes as its content */
	size_t length = bytes.n - 4;
	CHECK(length > 127 && length < 16384);
	buf_byte(&deeper, 9 << 3 | 2);
	buf_byte(&deeper, (char)(length | 0x80));
	buf_byte(&deeper, (char)(length >> 7));
	buf_add(&deeper, bytes.p, length);
	m = (struct node){0};
	CHECK(status_is(record_decode(&a, &store_tables, SHAPE_NODE, sealed(deeper.p, deeper.n), &m), STATUS_CORRUPT));
	arena_cleanup(&a);
}

TEST(crc32c_is_the_standard_one)
{
	CHECK(store_crc32c(0, "123456789", 9) == 0xe3069283u); /* RFC 3720's polynomial, the usual check value */
	char zeros[32] = {0};
	CHECK(store_crc32c(0, zeros, 32) == 0x8a9136aau); /* RFC 3720, B.4 */
	CHECK(store_crc32c(store_crc32c(0, "1234", 4), "56789", 5) == 0xe3069283u);
}

TEST_MAIN()
