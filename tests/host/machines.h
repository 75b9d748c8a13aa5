/* For tests of machines: an installation of its own in a folder of its own, and shorthands. Root only. */
#pragma once
#include "base/buf.h"
#include "host/compute/machine.h"
#include "host/compute/volume.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct bench {
	struct host *h;
	struct arena a;
	char data[64];
};

static inline int64_t bench_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* NULL: it cannot be here, and said so. */
static inline struct bench *bench_open(void)
{
	static struct bench b;
	if (access("/var/cache/virga/images/debian-12-v1/etc", F_OK) != 0) {
		printf("skipped: no machine image: `virga engines install machine-image` builds it\n");
		return NULL;
	}
	snprintf(b.data, sizeof(b.data), "/tmp/virga-machines-XXXXXX");
	if (!mkdtemp(b.data)) return NULL;
	arena_init(&b.a);
	b.h = host_start(false, false);
	if (!host_available(b.h)) {
		printf("skipped: %.*s\n", STR_ARG(host_why(b.h)));
		rmdir(b.data);
		return NULL;
	}
	host_open(b.h, b.data, true);
	return &b;
}

static inline const char *bench_path(struct bench *b, const char *name)
{
	return str_fmt(&b->a, "%s/%s", b->data, name).p;
}

static inline void bench_close(struct bench *b)
{
	CHECK_OK(host_clear(b->h));
	host_stop(b->h, true);
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", b->data);
	CHECK(system(command) == 0);
	arena_cleanup(&b->a);
}

/* A machine without a network but lo, with a root volume of 1 GiB. */
static inline struct compute_rec_machine bench_machine(struct bench *b, const char *id)
{
	struct compute_rec_machine m = {.id = str_c(id),
		.image = STR("default"),
		.hostname = str_c(id),
		.vcpus = SOME_I32(1),
		.memory_bytes = SOME_I64(256 << 20),
		.grace_ms = SOME_I64(2000)};
	m.root = str_fmt(&b->a, "%s.img", id), m.console = str_fmt(&b->a, "%s.console", id);
	status s = volume_create(bench_path(b, m.root.p), 1ull << 30);
	CHECK(is_ok(s) || status_is(s, STATUS_BUSY));
	return m;
}

static inline bool bench_start(struct bench *b, const struct compute_rec_machine *m)
{
	struct str why = STR("");
	status s = host_machine_start(b->h, &b->a, m, &why);
	if (!is_ok(s)) fprintf(stderr, "%.*s: %s: %.*s\n", STR_ARG(m->id), status_name(s), STR_ARG(why));
	return is_ok(s);
}

/* Waits until its state is that one; at most 20 s. */
static inline bool bench_wait(struct bench *b, struct str id, const char *state)
{
	for (int64_t end = bench_ms() + 20000; bench_ms() < end;) {
		struct compute_rec_machine_status st = {0};
		status s = host_machine_status(b->h, &b->a, id, &st);
		if (is_ok(s) && str_eq(st.state, str_c(state))) return true;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return false;
}

static inline bool bench_user_data(struct bench *b, struct str id, const char *state)
{
	for (int64_t end = bench_ms() + 20000; bench_ms() < end;) {
		struct compute_rec_machine_status st = {0};
		if (is_ok(host_machine_status(b->h, &b->a, id, &st)) && str_has(st.user_data) &&
			str_eq(st.user_data, str_c(state)))
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return false;
}

/* Runs a line of shell inside; its output, without the last newline; *code its exit code, -1 where it did not run. */
static inline struct str bench_run(struct bench *b, const char *id, const char *line, int *code)
{
	struct str argv[] = {STR("/bin/sh"), STR("-c"), str_c(line)};
	struct compute_rec_machine_exec e = {.id = str_c(id), .argv = {argv, 3}};
	int out[2], null = open("/dev/null", O_RDWR | O_CLOEXEC), control = -1, terminal;
	struct str why = STR("");
	*code = -1;
	CHECK(pipe2(out, O_CLOEXEC) == 0);
	status s = host_machine_exec(b->h, &b->a, &e, (int[3]){null, out[1], out[1]}, &control, &why);
	close(out[1]), close(null);
	struct buf text = BUF_IN(&b->a);
	if (is_ok(s)) {
		for (ssize_t n; (n = read(out[0], buf_reserve(&text, 4096), 4096)) > 0;) text.n += (size_t)n;
		bool ended = false;
		while (!ended) CHECK_OK(host_exec_wait(control, &terminal, &ended, code));
		close(control);
	} else {
		fprintf(stderr, "%s: %s: %.*s\n", line, status_name(s), STR_ARG(why));
	}
	close(out[0]);
	struct str got = buf_done(&text);
	while (got.n && got.p[got.n - 1] == '\n') got.n--;
	return got;
}

static inline struct str bench_console(struct bench *b, const struct compute_rec_machine *m)
{
	struct str out = STR("");
	CHECK_OK(host_console_read(&b->a, bench_path(b, m->console.p), &out));
	return out;
}
