/* The hash map against a plain array, and random numbers. */
#include "test.h"
#include "base/map.h"
#include "base/rand.h"
#include <sys/wait.h>
#include <unistd.h>

TEST(set_get_remove)
{
	struct map m;
	map_init(&m);
	int x, y;
	CHECK(map_get(&m, STR("a")) == NULL && map_remove(&m, STR("a")) == NULL && map_next(&m, NULL) == NULL);
	CHECK(map_set(&m, STR("a"), &x) == NULL && map_set(&m, STR("a"), &y) == &x && map_get(&m, STR("a")) == &y);
	CHECK(map_set(&m, STR(""), &x) == NULL && map_get(&m, STR_NONE) == &x && m.count == 2);
	CHECK(map_remove(&m, STR("a")) == &y && map_get(&m, STR("a")) == NULL && m.count == 1);
	map_cleanup(&m, NULL);
	CHECK(map_get(&m, STR("")) == NULL);
}

TEST(against_an_array)
{
	enum { KEYS = 500 };
	static char held[KEYS];
	bool in[KEYS] = {0};
	struct map m;
	map_init(&m);
	int wrong = 0;
	for (int step = 0; step < 50000; step++) {
		char key[32];
		size_t k = (size_t)rand_below(KEYS);
		int n = snprintf(key, sizeof key, "%zu-a-longer-key", k);
		struct str s = str_n(key, (size_t)n);
		void *before = in[k] ? &held[k] : NULL;
		if (rand_below(2)) {
			wrong += map_set(&m, s, &held[k]) != before;
			in[k] = true;
		} else {
			wrong += map_remove(&m, s) != before;
			in[k] = false;
		}
		wrong += map_get(&m, s) != (in[k] ? &held[k] : NULL);
	}
	size_t count = 0, seen = 0;
	for (int k = 0; k < KEYS; k++) count += in[k];
	for (struct map_entry *e = NULL; (e = map_next(&m, e)); seen++) {
		char *v = e->value;
		wrong += !in[v - held];
	}
	CHECK(wrong == 0 && m.count == count && seen == count);
	map_cleanup(&m, NULL);
}

TEST(values_are_freed)
{
	struct map m;
	map_init(&m);
	for (int i = 0; i < 100; i++) {
		char key[4] = {(char)('a' + i % 10), (char)('a' + i / 10)};
		CHECK(map_set(&m, str_n(key, 2), mem_new(8)) == NULL);
	}
	map_cleanup(&m, free); /* the leak check of the sanitizer build watches */
	CHECK(str_hash(STR("a")) != str_hash(STR("a\0")) && str_hash(STR("a")) == str_hash(STR("a")));
}

TEST(random_values)
{
	struct arena a;
	arena_init(&a);
	struct str u = rand_uuid(&a), v = rand_uuid(&a);
	CHECK(u.n == 36 && !str_eq(u, v) && u.p[14] == '4' && str_chr(STR("89ab"), u.p[19]) >= 0 && u.p[23] == '-');
	struct str t = rand_text(&a, STR("abc"), 5000);
	int counts[3] = {0}, others = 0;
	for (size_t i = 0; i < t.n; i++) t.p[i] >= 'a' && t.p[i] <= 'c' ? counts[t.p[i] - 'a']++ : others++;
	CHECK(t.n == 5000 && others == 0 && counts[0] > 1300 && counts[1] > 1300 && counts[2] > 1300);
	int seen = 0;
	for (int i = 0; i < 2000; i++) {
		uint64_t x = rand_below(7);
		CHECK(x < 7);
		seen |= 1 << x;
	}
	CHECK(seen == 127 && rand_below(1) == 0 && rand_u64() != rand_u64());
	arena_cleanup(&a);
}

TEST(a_forked_child_draws_its_own)
{
	rand_u64();
	int ends[2];
	CHECK(pipe(ends) == 0);
	pid_t child = fork();
	if (child == 0) {
		uint64_t v = rand_u64();
		_exit(write(ends[1], &v, sizeof v) == sizeof v ? 0 : 1);
	}
	uint64_t mine = rand_u64(), theirs = mine;
	CHECK(read(ends[0], &theirs, sizeof theirs) == sizeof theirs && theirs != mine);
	waitpid(child, NULL, 0);
	close(ends[0]);
	close(ends[1]);
}

TEST_MAIN()
