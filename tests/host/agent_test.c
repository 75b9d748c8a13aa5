/* The host agent's life: started at the first request, started again after its death, gone with virga. Needs root. */
#include "clock/clock.h"
#include "host/host.h"
#include "test.h"
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* The process of that name whose parent is `parent` (0: any child's child of ours); 0 where there is none. */
static pid_t find_process(const char *name, pid_t parent)
{
	pid_t found = 0;
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && !found && (e = readdir(d));) {
		char path[300], comm[64] = "";
		int pid = 0, ppid = 0;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		FILE *f = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		if (!f) continue;
		bool read = fscanf(f, "%d (%63[^)]) %*c %d", &pid, comm, &ppid) == 3;
		if (read && strcmp(comm, name) == 0 && ppid == parent) found = pid;
		fclose(f);
	}
	if (d) closedir(d);
	return found;
}

/* A new process has its name a moment after it is there. */
static pid_t wait_process(const char *name, pid_t parent)
{
	pid_t found = 0;
	for (int i = 0; i < 500 && !(found = find_process(name, parent)); i++) usleep(10000);
	return found;
}

static bool wait_gone(pid_t pid)
{
	for (int i = 0; i < 500 && kill(pid, 0) == 0; i++) usleep(10000);
	return kill(pid, 0) != 0;
}

static atomic_int restarts;
static void on_event(void *ctx, enum host_event_kind kind, const void *detail)
{
	(void)ctx, (void)detail;
	if (kind == HOST_AGENT_RESTARTED) atomic_fetch_add(&restarts, 1);
}

TEST(simulated_answers_busy)
{
	struct host *h = host_start(true, false);
	CHECK(!host_available(h));
	CHECK(str_has(host_why(h)));
	CHECK(status_is(host_clear(h), STATUS_BUSY));
	host_stop(h, true);
}

TEST(lives_and_dies)
{
	if (geteuid() != 0) SKIP("needs root");
	char dir[] = "/tmp/virga-host-XXXXXX";
	CHECK(mkdtemp(dir) != NULL);
	struct host *h = host_start(false, false);
	if (!host_available(h)) {
		host_stop(h, false);
		rmdir(dir);
		SKIP("lacks capabilities");
	}
	host_open(h, dir, true);
	host_subscribe(h, on_event, NULL);
	CHECK(str_starts(host_prefix(h), STR("virga-")));
	pid_t keeper = wait_process("virga-keeper", getpid());
	CHECK(keeper > 0);
	CHECK(find_process("virga-agent", keeper) == 0); /* not before it is needed */
	CHECK_OK(host_clear(h));
	pid_t agent = wait_process("virga-agent", keeper);
	CHECK(agent > 0);
	CHECK_OK(host_clear(h));
	CHECK(find_process("virga-agent", keeper) == agent);
	if (agent > 0) kill(agent, SIGKILL);
	for (int i = 0; i < 500 && !atomic_load(&restarts); i++) usleep(10000);
	CHECK(atomic_load(&restarts) == 1);
	CHECK_OK(host_clear(h));
	pid_t second = wait_process("virga-agent", keeper);
	CHECK(second > 0 && second != agent);
	int fd = -1;
	CHECK(status_is(host_listen(h, STR("vpc-1"), STR("0.0.0.0"), 80, false, &fd), STATUS_NOT_FOUND));
	CHECK(status_is(host_listen(h, STR("vpc-1"), STR("nonsense"), 80, false, &fd), STATUS_INVALID));
	host_stop(h, true);
	CHECK(wait_gone(keeper) && wait_gone(second));
	rmdir(dir);
}

TEST_MAIN()
