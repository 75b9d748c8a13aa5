/* Log lines, read back from a pipe in the place of standard error. */
#include "test.h"
#include "base/log.h"
#include <errno.h>
#include <unistd.h>

static int keep, ends[2];
static char line[8192];

static void begin(void)
{
	keep = dup(2);
	CHECK(pipe(ends) == 0);
	dup2(ends[1], 2);
}

/* What one read(2) gives, without the time in front. */
static struct str end(size_t skip)
{
	ssize_t n = read(ends[0], line, sizeof line);
	dup2(keep, 2);
	close(keep);
	close(ends[0]);
	close(ends[1]);
	return str_from(str_n(line, n > 0 ? (size_t)n : 0), skip);
}

enum { TEXT_TIME = 25, JSON_TIME = 34 };

TEST(text)
{
	log_setup(LOG_INFO, LOG_TEXT);
	begin();
	errno = EBUSY;
	log_info("edge", "request", "status=%d path=\"%s\" who=me bad=a\"b", 200, "/a b");
	CHECK(errno == EBUSY);
	CHECK_STR(end(TEXT_TIME), STR("info  edge request status=200 path=\"/a b\" who=me bad=\"a\\\"b\"\n"));
	CHECK(line[4] == '-' && line[10] == 'T' && line[23] == 'Z');
	begin();
	log_error("store", "open", "hello \x1b[31m path=x\nlevel=error raw=\xff%s", "");
	CHECK_STR(end(TEXT_TIME),
		STR("error store open path=\"x\\nlevel=error\" raw=\"\\xff\" message=\"hello \\x1b[31m\"\n"));
}

TEST(json)
{
	log_setup(LOG_INFO, LOG_JSON);
	begin();
	log_warn("edge", "slow",
		"ms=%d ratio=-0.5 account=123456789012 id=007 v=1. ok=true q=\"5\" none= s=\"a\\b\"\"é\" level=x", 12);
	CHECK_STR(end(JSON_TIME),
		STR(",\"level\":\"warn\",\"room\":\"edge\",\"event\":\"slow\",\"ms\":12,\"ratio\":-0.5,"
		    "\"account\":\"123456789012\",\"id\":\"007\",\"v\":\"1.\",\"ok\":true,\"q\":\"5\",\"none\":\"\","
		    "\"s\":\"a\\\\b\\\"\\\"é\",\"field_level\":\"x\"}\n"));
	CHECK(str_starts(str_c(line), STR("{\"time\":\"2")));
	begin();
	log_warn("edge", "odd", "just words a=\xff\x01 \"open=\"x y q=\"never %s", "closed");
	CHECK_STR(end(JSON_TIME), STR(",\"level\":\"warn\",\"room\":\"edge\",\"event\":\"odd\",\"a\":\"\\ufffd\\u0001\","
				      "\"q\":\"never closed\",\"message\":\"just words \\\"open=\\\"x y\"}\n"));
}

TEST(levels)
{
	log_setup(LOG_WARN, LOG_TEXT);
	CHECK(!log_on(LOG_INFO) && log_on(LOG_ERROR) && !log_on(LOG_OFF));
	CHECK(log_level_from(STR("Debug"), LOG_OFF) == LOG_DEBUG && log_level_from(STR("loud"), LOG_INFO) == LOG_INFO);
	begin();
	log_event(LOG_INFO, "a", "unseen", "x=%d", 1);
	log_error("a", "seen", "x=%d", 2);
	CHECK_STR(end(TEXT_TIME), STR("error a seen x=2\n"));
}

TEST_MAIN()
