/* The test frame: TEST(name) { … CHECK(cond); } in any number, then TEST_MAIN(). Prints each failing check with its
 * place; exits 1 when any failed, 77 when SKIP was called and nothing ran. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>

struct test_case {
	const char *name;
	void (*run)(void);
	struct test_case *next;
};
static struct test_case *test_first, **test_last = &test_first;
static int test_failed, test_checks, test_skipped;

#define TEST(test_name)                                                                                                \
	static void test_name(void);                                                                                   \
	static struct test_case test_case_##test_name = {#test_name, test_name, NULL};                                 \
	__attribute__((constructor)) static void test_add_##test_name(void)                                            \
	{                                                                                                              \
		*test_last = &test_case_##test_name;                                                                   \
		test_last = &test_case_##test_name.next;                                                               \
	}                                                                                                              \
	static void test_name(void)

#define CHECK(cond)                                                                                                    \
	(test_checks++, (cond) ? (void)0                                                                               \
			       : (void)(test_failed++, fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond)))
#define CHECK_OK(expr) CHECK(is_ok(expr))
#define CHECK_STR(got, want)                                                                                           \
	do {                                                                                                           \
		struct str got_ = (got), want_ = (want);                                                               \
		test_checks++;                                                                                         \
		if (!str_eq(got_, want_)) {                                                                            \
			test_failed++;                                                                                 \
			fprintf(stderr, "%s:%d: %s is «%.*s», not «%.*s»\n", __FILE__, __LINE__, #got, STR_ARG(got_),  \
				STR_ARG(want_));                                                                       \
		}                                                                                                      \
	} while (0)
#define SKIP(why)                                                                                                      \
	do {                                                                                                           \
		printf("skipped: %s\n", why);                                                                          \
		test_skipped++;                                                                                        \
		return;                                                                                                \
	} while (0)

#define TEST_MAIN()                                                                                                    \
	int main(int argc, char **argv)                                                                                \
	{                                                                                                              \
		int n = 0;                                                                                             \
		for (struct test_case *t = test_first; t; t = t->next) {                                               \
			if (argc > 1 && strcmp(argv[1], t->name) != 0) continue;                                       \
			int before = test_failed;                                                                      \
			t->run();                                                                                      \
			n++;                                                                                           \
			if (test_failed != before) fprintf(stderr, "FAILED %s\n", t->name);                            \
		}                                                                                                      \
		printf("%d tests, %d checks, %d failed, %d skipped\n", n, test_checks, test_failed, test_skipped);     \
		if (test_failed) return 1;                                                                             \
		return test_checks == 0 ? 77 : 0;                                                                      \
	}
