/* Engines by the host agent: what they see, restarts, commands beside them, a killed agent, the end. Needs root. */
#include "base/buf.h"
#include "host/engines/engine.h"
#include "test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct host *host;
static struct arena arena;
static char dir[] = "/tmp/virga-engines-XXXXXX";

static void pause_ms(int ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static struct compute_rec_engine shell(const char *id, const char *line, const char *restart)
{
	static struct str argv[8][3];
	static int n;
	struct str *v = argv[n++ % 8];
	v[0] = STR("/bin/sh"), v[1] = STR("-c"), v[2] = str_c(line);
	return (struct compute_rec_engine){.id = str_c(id),
		.argv = {v, 3},
		.folder = str_c(id),
		.restart = str_c(restart),
		.grace_ms = SOME_I64(3000),
		.memory_bytes = SOME_I64(64 << 20)};
}

/* Output of a command in the engine's surroundings. */
static struct str run(const char *id, const char *line, int *code)
{
	struct compute_rec_engine e = shell(id, line, "never");
	int out[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct str why = STR("");
	struct buf text = BUF_IN(&arena);
	*code = -1;
	CHECK(pipe2(out, O_CLOEXEC) == 0);
	status s = host_engine_run(host, &arena, &e, (int[3]){null, out[1], out[1]}, code, &why);
	if (!is_ok(s)) fprintf(stderr, "%s: %.*s\n", status_name(s), STR_ARG(why));
	close(out[1]), close(null);
	for (ssize_t n; (n = read(out[0], buf_reserve(&text, 4096), 4096)) > 0;) text.n += (size_t)n;
	close(out[0]);
	struct str got = buf_done(&text);
	while (got.n && got.p[got.n - 1] == '\n') got.n--;
	return got;
}

static bool wait_for(const char *id, const char *state, int restarts, struct compute_rec_engine_status *out)
{
	for (int i = 0; i < 1500; i++, pause_ms(10)) {
		struct compute_rec_engine_statuses all = {0};
		if (!is_ok(host_engine_list(host, &arena, &all))) continue;
		for (size_t k = 0; k < all.engines.n; k++) {
			*out = all.engines.v[k];
			if (str_eq(out->id, str_c(id)) && str_eq(out->state, str_c(state)) &&
				out->restarts.v >= restarts)
				return true;
		}
	}
	return false;
}

static struct str file(const char *name)
{
	char *p = arena_alloc(&arena, 65536);
	int fd = open(str_fmt(&arena, "%s/%s", dir, name).p, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, p, 65535);
	if (fd >= 0) close(fd);
	return str_n(p, n > 0 ? (size_t)n : 0);
}

TEST(begin)
{
	arena_init(&arena);
	if (!mkdtemp(dir)) return;
	host = host_start(false, false);
	if (host_available(host)) host_open(host, dir, true);
}

TEST(sees_little)
{
	if (!host_available(host)) SKIP("no engines here");
	int code;
	CHECK_STR(run("e-1", "id -un; pwd", &code), STR("engine\n/srv/engine"));
	CHECK(code == 0);
	CHECK_STR(run("e-1",
			  "echo hi > /srv/engine/f; chmod 644 f; cat /etc/shadow /etc/ssl/private/* 2>/dev/null; echo "
			  "x > /usr/x || exit 3",
			  &code),
		STR("/bin/sh: 1: cannot create /usr/x: Read-only file system"));
	CHECK(code == 3);
	CHECK_STR(run("e-1",
			  "ls /home /root /boot /sys >/dev/null 2>&1; echo $?; grep -c . /proc/net/dev; ls /proc | "
			  "grep -c '^[0-9]'",
			  &code),
		STR("2\n3\n3"));
	CHECK_STR(file("e-1/f"), STR("hi\n"));
	struct stat st;
	CHECK(stat(str_fmt(&arena, "%s/e-1/f", dir).p, &st) == 0 && st.st_uid >= 1000000000u);
	/* Its uid is the same the next time. */
	CHECK_STR(run("e-1", "cat f; id -u", &code), str_fmt(&arena, "hi\n%u", st.st_uid));
}

TEST(restarts_and_stops)
{
	if (!host_available(host)) SKIP("no engines here");
	struct str why = STR("");
	struct compute_rec_engine_status st;
	struct compute_rec_engine e = shell("e-2",
		"trap 'echo term; exit 0' TERM; trap 'echo hup' HUP; echo up; while :; do sleep 0.05; done", "always");
	CHECK_OK(host_engine_start(host, &arena, &e, &why));
	CHECK_OK(host_engine_start(host, &arena, &e, &why));
	CHECK(wait_for("e-2", "running", 0, &st));
	for (int i = 0; i < 500 && !str_is(file("e-2/log"), "up\n"); i++) pause_ms(10);
	CHECK_OK(host_engine_signal(host, STR("e-2"), SIGHUP));
	for (int i = 0; i < 500 && !str_is(file("e-2/log"), "up\nhup\n"); i++) pause_ms(10);
	CHECK_STR(file("e-2/log"), STR("up\nhup\n"));
	CHECK_OK(host_engine_signal(host, STR("e-2"), SIGKILL));
	CHECK(wait_for("e-2", "running", 1, &st));
	for (int i = 0; i < 500 && !str_is(file("e-2/log"), "up\nhup\nup\n"); i++) pause_ms(10);
	CHECK_OK(host_engine_stop(host, STR("e-2")));
	CHECK_STR(file("e-2/log"), STR("up\nhup\nup\nterm\n"));
	CHECK_OK(host_engine_stop(host, STR("e-2")));
	CHECK(status_is(host_engine_signal(host, STR("e-2"), SIGHUP), STATUS_NOT_FOUND));
}

TEST(refuses_what_is_not_there)
{
	if (!host_available(host)) SKIP("no engines here");
	struct str why = STR("");
	struct str argv[] = {STR("/usr/sbin/knotd-none")};
	struct compute_rec_engine e = {.id = STR("e-3"), .argv = {argv, 1}, .folder = STR("e-3")};
	CHECK(status_is(host_engine_start(host, &arena, &e, &why), STATUS_INVALID));
	CHECK(str_find(why, STR("virga engines install knot")) >= 0);
	e.uid = SOME_I32(0), e.id = STR("e-4");
	CHECK(status_is(host_engine_start(host, &arena, &e, &why), STATUS_INVALID));
	e = shell("e-5", "exit 0", "never"), e.folder = STR("../up");
	CHECK(!is_ok(host_engine_start(host, &arena, &e, &why)));
	e = shell("e-6", "exit 0", "never"), e.place = STR("eni-none");
	CHECK(status_is(host_engine_start(host, &arena, &e, &why), STATUS_NOT_FOUND));
}

TEST(end)
{
	if (host_available(host)) {
		struct str why = STR("");
		struct compute_rec_engine e = shell("e-7", "while :; do sleep 1; done", "always");
		CHECK_OK(host_engine_start(host, &arena, &e, &why));
		CHECK_OK(host_clear(host));
		struct compute_rec_engine_statuses all = {0};
		CHECK_OK(host_engine_list(host, &arena, &all));
		CHECK(all.engines.n == 0);
		CHECK_OK(host_engine_start(host, &arena, &e, &why));
		CHECK_OK(host_clear(host));
	}
	host_stop(host, true);
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(system(command) == 0);
	arena_cleanup(&arena);
}

TEST_MAIN()
