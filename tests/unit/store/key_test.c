/* Tuple keys sort as their tuples do, and read back. */
#include "base/rand.h"
#include "store/key.h"
#include "test.h"

struct element {
	int type; /* 0 string, 1 unsigned, 2 signed */
	struct str s;
	uint64_t u;
	int64_t i;
};
struct tuple {
	struct element e[4];
	size_t n;
};

static struct arena a;
static uint64_t state = 42; /* the same tuples in every run */
static uint64_t random_below(uint64_t n)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (state >> 11) % n;
}

/* Few letters, and those that matter: zero, the type bytes, 0xff. So neighbours are frequent. */
static struct str random_text(void)
{
	static const char letters[] = {0, 1, 2, 3, 'a', 'b', (char)0xfe, (char)0xff};
	size_t n = random_below(5);
	char *p = arena_alloc(&a, n);
	for (size_t i = 0; i < n; i++) p[i] = letters[random_below(sizeof letters)];
	return str_n(p, n);
}
static struct tuple random_tuple(void)
{
	static const uint64_t numbers[] = {0, 1, 255, 256, 1ull << 32, UINT64_MAX, 1ull << 63};
	struct tuple t = {.n = 1 + random_below(4)};
	for (size_t i = 0; i < t.n; i++) {
		uint64_t v = numbers[random_below(7)];
		t.e[i] = (struct element){
			.type = i == 1 ? (int)random_below(3) : 0, .s = random_text(), .u = v, .i = (int64_t)v};
	}
	return t;
}
static struct str encode(const struct tuple *t)
{
	struct key k = key_begin(&a);
	for (size_t i = 0; i < t->n; i++) {
		if (t->e[i].type == 0) key_str(&k, t->e[i].s);
		if (t->e[i].type == 1) key_u64(&k, t->e[i].u);
		if (t->e[i].type == 2) key_i64(&k, t->e[i].i);
	}
	return key_done(&k);
}
static int sign(int64_t v)
{
	return (v > 0) - (v < 0);
}
static int compare(const struct tuple *x, const struct tuple *y)
{
	for (size_t i = 0; i < x->n && i < y->n; i++) {
		const struct element *p = &x->e[i], *q = &y->e[i];
		if (p->type != q->type) return sign(p->type - q->type);
		int c = p->type == 0   ? sign(str_cmp(p->s, q->s))
			: p->type == 1 ? (p->u > q->u) - (p->u < q->u)
				       : (p->i > q->i) - (p->i < q->i);
		if (c) return c;
	}
	return sign((int64_t)x->n - (int64_t)y->n);
}
static bool is_child(const struct tuple *parent, const struct tuple *t)
{
	struct tuple head = *t;
	if (t->n < parent->n) return false;
	head.n = parent->n;
	return compare(&head, parent) == 0;
}

TEST(order_of_keys_is_order_of_tuples)
{
	arena_init(&a);
	for (int i = 0; i < 200000; i++) {
		struct tuple x = random_tuple(), y = random_tuple();
		struct str kx = encode(&x), ky = encode(&y);
		if (sign(str_cmp(kx, ky)) != compare(&x, &y)) {
			CHECK(!"order differs");
			break;
		}
		/* the range of a tuple's children holds them and nothing else */
		bool in = str_cmp(ky, kx) >= 0 && str_cmp(ky, key_after(&a, kx)) < 0;
		if (in != is_child(&x, &y)) {
			CHECK(!"key_after");
			break;
		}
		struct str next = key_next(&a, kx);
		if (str_cmp(next, kx) <= 0 || (str_cmp(ky, kx) > 0 && str_cmp(ky, next) < 0)) {
			CHECK(!"key_next");
			break;
		}
		if (i % 1000 == 0) arena_reset(&a);
	}
	CHECK(a.total > 0);
	arena_cleanup(&a);
}

TEST(prefix_ranges)
{
	arena_init(&a);
	for (int i = 0; i < 100000; i++) {
		struct str prefix = random_text(), s = random_text(), bucket = STR("b");
		struct key parent = key_begin(&a), k = key_begin(&a);
		key_str(&parent, bucket);
		key_append(&k, key_done(&parent));
		key_str(&k, s);
		if (random_below(2)) key_u64(&k, random_below(3));
		struct str from = key_with_prefix(&a, key_done(&parent), prefix);
		bool in = str_cmp(key_done(&k), from) >= 0 && str_cmp(key_done(&k), key_after_prefix(&a, from)) < 0;
		if (in != str_starts(s, prefix)) {
			CHECK(!"prefix");
			break;
		}
		if (i % 1000 == 0) arena_reset(&a);
	}
	CHECK_STR(key_after_prefix(&a, STR("a\xff\xff")), STR("b"));
	arena_cleanup(&a);
}

TEST(keys_read_back)
{
	arena_init(&a);
	for (int i = 0; i < 50000; i++) {
		struct tuple t = random_tuple();
		struct str rest = encode(&t), s;
		uint64_t u;
		int64_t v;
		for (size_t j = 0; j < t.n; j++) {
			const struct element *e = &t.e[j];
			CHECK(e->type == 0 || status_is(key_read_str(&a, &rest, &s), STATUS_INVALID));
			CHECK(e->type == 1 || status_is(key_read_u64(&rest, &u), STATUS_INVALID));
			CHECK(e->type == 2 || status_is(key_read_i64(&rest, &v), STATUS_INVALID));
			if (e->type == 0) CHECK(is_ok(key_read_str(&a, &rest, &s)) && str_eq(s, e->s));
			if (e->type == 1) CHECK(is_ok(key_read_u64(&rest, &u)) && u == e->u);
			if (e->type == 2) CHECK(is_ok(key_read_i64(&rest, &v)) && v == e->i);
		}
		CHECK(rest.n == 0);
		if (i % 1000 == 0) arena_reset(&a);
	}
	const struct str bad[] = {STR(""), STR("\x02"),
		STR("\x02"
		    "abc"),
		{"\x02"
		 "a\0\xff",
			4},
		STR("\x03"
		    "1234567"),
		STR("x")};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct str rest = bad[i], s;
		uint64_t u;
		int64_t v;
		CHECK(status_is(key_read_str(&a, &rest, &s), STATUS_INVALID));
		CHECK(status_is(key_read_u64(&rest, &u), STATUS_INVALID));
		CHECK(status_is(key_read_i64(&rest, &v), STATUS_INVALID));
	}
	struct key k = key_for(&a, STR("s3"), STR("object"), STR("000000000000"), STR("eu-west-1"));
	struct str rest = key_done(&k), s;
	CHECK_OK(key_read_str(&a, &rest, &s));
	CHECK_STR(s, STR("s3"));
	CHECK_OK(key_read_str(&a, &rest, &s));
	CHECK_OK(key_read_str(&a, &rest, &s));
	CHECK_OK(key_read_str(&a, &rest, &s));
	CHECK_STR(s, STR("eu-west-1"));
	arena_cleanup(&a);
}

TEST_MAIN()
