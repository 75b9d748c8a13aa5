/* RDS's pure rules: formulas, windows, verifiers, classes, versions. */
#include "services/rds/maria.h"
#include "services/rds/proxy.h"
#include "test.h"

static const struct rds_formula_of of = {(int64_t)1 << 30, (int64_t)20 << 30, 2, 5432};

static struct str formula(struct arena *a, const char *text)
{
	struct str out = STR_NONE;
	return is_ok(rds_formula(a, str_c(text), &of, &out)) ? out : STR("invalid");
}

TEST(formulas)
{
	struct arena a;
	arena_init(&a);
	CHECK(str_is(formula(&a, "{DBInstanceClassMemory/32768}"), "32768"));
	CHECK(str_is(formula(&a, "LEAST({DBInstanceClassMemory/9531392},5000)"), "112"));
	CHECK(str_is(formula(&a, "GREATEST({DBInstanceClassMemory*1024/63963136},65536)"), "65536"));
	CHECK(str_is(formula(&a, "SUM({DBInstanceVCPU},3, 4)"), "9"));
	CHECK(str_is(formula(&a, "{EndPointPort + 2*(3-1)}"), "5436"));
	CHECK(str_is(formula(&a, "plain text"), "plain text"));
	CHECK(str_is(formula(&a, "{DBInstanceClassMemory/0}"), "invalid"));
	CHECK(str_is(formula(&a, "{DBInstanceClassMemory"), "invalid"));
	CHECK(str_is(formula(&a, "LEAST(1,2) 3"), "invalid"));
	CHECK(str_is(formula(&a, "{Nonsense}"), "invalid"));
	CHECK(str_is(formula(&a, "{9223372036854775807+1}"), "invalid"));
	arena_cleanup(&a);
}

TEST(windows)
{
	/* 2026-11-29T12:00Z is a Sunday. */
	int64_t noon = 1795953600000, hour = 3600000;
	CHECK(rds_window_next(STR("13:30-14:00"), noon) == noon + hour + hour / 2);
	CHECK(rds_window_next(STR("12:00-12:30"), noon) == noon + 24 * hour);
	CHECK(rds_window_next(STR("11:00-11:30"), noon) == noon + 23 * hour);
	CHECK(rds_window_next(STR("sun:13:00-sun:13:30"), noon) == noon + hour);
	CHECK(rds_window_next(STR("mon:12:00-mon:12:30"), noon) == noon + 24 * hour);
	CHECK(rds_window_next(STR("sun:11:00-sun:12:30"), noon) == noon + 7 * 24 * hour - hour);
}

TEST(verifiers)
{
	struct arena a;
	arena_init(&a);
	struct str x = rds_scram_verifier(&a, STR("correct-horse-7")),
		   y = rds_scram_verifier(&a, STR("correct-horse-7"));
	CHECK(str_starts(x, STR("SCRAM-SHA-256$4096:")) && x.n == 133);
	CHECK(!str_eq(x, y)); /* each has a salt of its own */
	CHECK(rds_scram_matches(&a, STR("correct-horse-7"), x) && rds_scram_matches(&a, STR("correct-horse-7"), y));
	CHECK(!rds_scram_matches(&a, STR("correct-horse-8"), x));
	static const char *const no[] = {"", "md5d41d8cd98f00b204e9800998ecf8427e", "SCRAM-SHA-256",
		"SCRAM-SHA-256$4096", "SCRAM-SHA-256$4096:AAAA", "SCRAM-SHA-256$0:AAAA$x:y",
		"SCRAM-SHA-256$99999999:AAAA$x:y", "SCRAM-SHA-256$4096:!$x:y"};
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		CHECK(!rds_scram_matches(&a, STR("correct-horse-7"), str_c(no[i])));
	CHECK(str_is(my_password(&a, STR("password")), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"));
	CHECK(str_is(my_literal(&a, STR("it's \\ ok")), "'it''s \\\\ ok'") &&
		str_is(my_name(&a, STR("a`b")), "`a``b`"));
	arena_cleanup(&a);
}

/* What a server that runs is told: only what can change, and is another than before. */
TEST(changes_of_parameters)
{
	struct arena a;
	arena_init(&a);
	struct rds_rec_strings c = rds_maria_changes(&a, STR("max_connections = 80\nsql_mode = \"A\"\nback_log = 9\n"),
		STR("max_connections = 90\nsort_buffer_size = 5\nback_log = 10\ninit_connect = \"SET @x = "
		    "\\\"it's\\\"\"\n"));
	CHECK(c.n == 4);
	CHECK(str_is(c.v[0], "SET GLOBAL init_connect = 'SET @x = \"it''s\"'"));
	CHECK(str_is(c.v[1], "SET GLOBAL max_connections = 90"));
	CHECK(str_is(c.v[2], "SET GLOBAL sort_buffer_size = 5"));
	CHECK(str_is(c.v[3], "SET GLOBAL sql_mode = DEFAULT"));
	arena_cleanup(&a);
}

TEST(classes_and_versions)
{
	struct rds_class k;
	CHECK(rds_class_find(STR("db.t3.micro"), &k) && k.vcpus == 2 && k.memory_mib == 1024);
	CHECK(rds_class_find(STR("db.r6g.4xlarge"), &k) && k.vcpus == 16 && k.memory_mib == 131072);
	CHECK(!rds_class_find(STR("db.t3.24xlarge"), &k) && !rds_class_find(STR("db.m5.micro"), &k));
	CHECK(!rds_class_find(STR("t3.micro"), &k) && !rds_class_find(STR(""), &k));
	CHECK(rds_engine_find(STR("postgres"), STR_NONE) && rds_engine_find(STR("postgres"), STR("15")));
	CHECK(rds_engine_find(STR("postgres"), STR("15.4")) && !rds_engine_find(STR("postgres"), STR("15.x")));
	CHECK(!rds_engine_find(STR("postgres"), STR("14.2")) && !rds_engine_find(STR("mysql"), STR_NONE));
	CHECK(rds_engine_find(STR("mariadb"), STR("10.11")) && rds_engine_find(STR("mariadb"), STR("10.11.6")));
	CHECK(!rds_engine_find(STR("mariadb"), STR("10.1")) && !rds_engine_find(STR("mariadb"), STR("10.11.99")));
	CHECK(!rds_engine_find(STR("mariadb"), STR("10.112")) && !rds_engine_find(STR("mariadb"), STR("11.4")));
}

TEST_MAIN()
