/* Commands that ask a running virga: status, stop, reset, clock. */
#include "call/call.h"
#include "cli/cli.h"
#include "cli/client.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STOP_LIMIT_MS 30000

static const struct cli_option status_options[] = {
	CLIENT_OPTION,
	{"json", NULL, "the answer as it came"},
};
enum { STATUS_ENDPOINT, STATUS_JSON };

static void print_duration(int64_t ms)
{
	int64_t s = ms / 1000;
	if (s >= 86400) printf("%lld d ", (long long)(s / 86400));
	if (s >= 3600) printf("%lld h ", (long long)(s / 3600 % 24));
	if (s >= 60) printf("%lld min ", (long long)(s / 60 % 60));
	printf("%lld s\n", (long long)(s % 60));
}

static void print_status(const struct reply *v, const char *endpoint)
{
	printf("virga %.*s answers at %s\n", STR_ARG(reply_text(v, "version")), endpoint);
	printf("  up       ");
	print_duration(reply_number(v, "uptime_ms"));
	printf("  time     %.*s%s\n", STR_ARG(reply_text(v, "time")),
		reply_number(v, "clock_offset_ms") ? " (moved)" : "");
	printf("  data     %.*s%s\n", STR_ARG(str_or(reply_text(v, "data"), STR("(told to its own machine only)"))),
		reply_true(v, "ephemeral") ? " (gone when it stops)" : "");
	printf("  region   %.*s\n", STR_ARG(reply_text(v, "region")));
	printf("  keys     %s\n", reply_true(v, "strict") ? "only issued ones" : "any");
	printf("  services");
	const struct reply *s;
	for (size_t i = 0; (s = reply_element(v, "services", i)); i++) printf(" %.*s", STR_ARG(reply_text(s, "name")));
	puts("");
}

static int run_status(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	const char *endpoint = client_endpoint(&a, args->value[STATUS_ENDPOINT]);
	struct str body;
	int code = 1;
	if (client_get(&a, endpoint, "GET", "/_virga/status", &body)) {
		struct reply *v = args->value[STATUS_JSON] ? NULL : reply_read(body);
		if (v)
			print_status(v, endpoint);
		else
			fwrite(body.p, 1, body.n, stdout);
		reply_free(v);
		code = 0;
	}
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_status = {.name = "status",
	.words = "",
	.summary = "is it up, since when, with which data folder",
	CLI_OPTIONS(status_options),
	.run = run_status};

/* ── stop ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct cli_option endpoint_only[] = {CLIENT_OPTION};

/* Answers in flight and data are safe only once the process has ended. A descriptor of the process tells that at once,
 * also when nobody has asked for its exit code yet. */
static bool wait_for_end(pid_t pid)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (fd < 0) return pid > 0 && errno == ESRCH;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;
	do {
		n = poll(&p, 1, STOP_LIMIT_MS);
	} while (n < 0 && errno == EINTR);
	close(fd);
	return n > 0;
}

static int run_stop(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	const char *endpoint = client_endpoint(&a, args->value[0]);
	struct str body;
	int code = 1;
	if (client_get(&a, endpoint, "POST", "/_virga/stop", &body)) {
		struct reply *v = reply_read(body);
		code = wait_for_end((pid_t)reply_number(v, "pid")) ? 0 : cli_fail("it still runs");
		reply_free(v);
	}
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_stop = {.name = "stop",
	.words = "",
	.summary = "end it: answers in flight are finished first",
	CLI_OPTIONS(endpoint_only),
	.run = run_stop};

/* ── reset ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct cli_option reset_options[] = {
	{"service", "NAME", "only this service's things"},
	CLIENT_OPTION,
};
enum { RESET_SERVICE, RESET_ENDPOINT };

static int run_reset(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	const char *service = args->value[RESET_SERVICE], *path = "/_virga/reset";
	if (service)
		path = str_fmt(&a, "/_virga/reset?service=%.*s", STR_ARG(str_uri_encode(&a, str_c(service), false))).p;
	struct str body;
	int code = 1;
	if (client_get(&a, client_endpoint(&a, args->value[RESET_ENDPOINT]), "POST", path, &body)) {
		printf("%s is empty.\n", service ? service : "virga");
		code = 0;
	}
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_reset = {.name = "reset",
	.words = "",
	.summary = "forget everything, or one service's things",
	CLI_OPTIONS(reset_options),
	.run = run_reset};

/* ── clock ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *clock_path(struct arena *a, const struct cli_args *args)
{
	const char *verb = args->n_words > 0 ? args->words[0] : "", *value = args->n_words > 1 ? args->words[1] : NULL;
	if (!*verb) return "/_virga/clock";
	if (strcmp(verb, "reset") == 0 && !value) return "/_virga/clock?reset=1";
	if ((strcmp(verb, "advance") != 0 && strcmp(verb, "set") != 0) || !value) return NULL;
	return str_fmt(a, "/_virga/clock?%s=%.*s", verb, STR_ARG(str_uri_encode(a, str_c(value), false))).p;
}

static int run_clock(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	const char *path = clock_path(&a, args);
	struct str body;
	int code = 1;
	if (!path) {
		code = cli_misused("clock takes advance DURATION, set TIME or reset");
	} else if (client_get(&a, client_endpoint(&a, args->value[0]), args->n_words ? "POST" : "GET", path, &body)) {
		struct reply *v = reply_read(body);
		printf("%.*s\n", STR_ARG(reply_text(v, "time")));
		code = args->n_words == 0 || reply_true(v, "settled") ? 0
								      : cli_fail("some of what became due still runs");
		reply_free(v);
	}
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_clock = {.name = "clock",
	.words = "[advance DURATION|set TIME|reset]",
	.max_words = 2,
	.summary = "tell or move virga's time",
	CLI_OPTIONS(endpoint_only),
	.run = run_clock,
	.more = "DURATION: 30d, 1h30m, 45s, 2w, 1y. TIME: 2027-01-01T00:00:00Z. When the command returns, what became "
		"due in\n"
		"between has happened. The time moved stays moved over a restart."};
