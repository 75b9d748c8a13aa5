/* Init hooks: order, environment, failures, and an end that leaves nothing running. */
#include "admin/init.h"
#include "test.h"
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void script(const char *name, const char *text, mode_t mode)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static void begin(void)
{
	snprintf(folder, sizeof(folder), "/tmp/virga-init-test-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
}

static void end(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	CHECK(system(command) == 0);
}

static void read_back(const char *name, char *text, size_t size)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	text[0] = 0;
	FILE *f = fopen(path, "r");
	if (!f) return;
	text[fread(text, 1, size - 1, f)] = 0;
	fclose(f);
}

static struct init_script *wait_completed(struct init_hooks *h, struct arena *a, size_t *n)
{
	bool completed = false;
	struct init_script *list = NULL;
	for (int i = 0; i < 400 && !completed; i++) {
		list = init_scripts(h, a, n, &completed);
		if (!completed) usleep(25 * 1000);
	}
	CHECK(completed);
	return list;
}

TEST(in_order_with_environment_and_past_failures)
{
	begin();
	script("20-second.sh", "#!/bin/sh\necho \"second $WHO\" >> \"$(dirname \"$0\")/out\"\nexit 3\n", 0755);
	script("10-first.sh", "echo \"first $WHO\" >> \"$(dirname \"$0\")/out\"\n", 0644);
	script("30-third.sh", "#!/bin/sh\necho third >> \"$(dirname \"$0\")/out\"\n", 0755);
	script("notes.txt", "not a script", 0644);
	script(".hidden.sh", "echo hidden >> \"$(dirname \"$0\")/out\"\n", 0755);
	setenv("WHO", "nobody", 1);
	const char *folders[] = {"/nonexistent/ready.d", folder}, *environment[] = {"WHO=virga", NULL};
	struct arena a;
	arena_init(&a);
	struct init_hooks *h = init_new(folders, 2, environment);
	size_t n = 0;
	bool completed = true;
	struct init_script *list = init_scripts(h, &a, &n, &completed);
	CHECK(n == 3 && !completed && list[0].state == INIT_UNKNOWN);
	init_start(h);
	list = wait_completed(h, &a, &n);
	CHECK(n == 3);
	CHECK_STR(list[0].name, STR("10-first.sh"));
	CHECK(list[0].state == INIT_SUCCESSFUL && list[0].exit_code == 0);
	CHECK(list[1].state == INIT_ERROR && list[1].exit_code == 3);
	CHECK(list[2].state == INIT_SUCCESSFUL);
	char text[256];
	read_back("out", text, sizeof(text));
	CHECK_STR(str_c(text), STR("first virga\nsecond virga\nthird\n"));
	init_free(h);
	arena_cleanup(&a);
	end();
}

TEST(nothing_to_run_is_completed)
{
	begin();
	const char *folders[] = {folder};
	struct arena a;
	arena_init(&a);
	struct init_hooks *h = init_new(folders, 1, NULL);
	init_start(h);
	size_t n = 1;
	bool completed = false;
	init_scripts(h, &a, &n, &completed);
	CHECK(n == 0 && completed);
	init_free(h);
	init_free(NULL);
	arena_cleanup(&a);
	end();
}

/* A zombie counts: who reaps an orphan is the machine's affair. */
static bool is_gone(int64_t pid)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	FILE *f = fopen(path, "r");
	if (!f) return true;
	bool read = fgets(text, sizeof(text), f) != NULL;
	fclose(f);
	return read && strstr(text, ") Z ") != NULL;
}

/* The script and the child that it waits for get SIGTERM; one that ignores it gets SIGKILL; later ones do not start. */
TEST(stopping_ends_what_runs)
{
	begin();
	script("1.sh",
		"#!/bin/sh\ntrap '' TERM\ncd \"$(dirname \"$0\")\"\nsleep 300 &\necho \"$!\" > pid\nwait\nwait\n",
		0755);
	script("2.sh", "#!/bin/sh\ntouch \"$(dirname \"$0\")/second\"\n", 0755);
	const char *folders[] = {folder};
	struct init_hooks *h = init_new(folders, 1, NULL);
	init_start(h);
	char text[64] = "";
	for (int i = 0; i < 400 && !strchr(text, '\n'); i++) {
		usleep(25 * 1000);
		read_back("pid", text, sizeof(text));
	}
	int64_t child = 0;
	CHECK_OK(str_to_i64(str_sub(str_c(text), 0, strlen(text) ? strlen(text) - 1 : 0), &child));
	init_free(h);
	bool gone = false;
	for (int i = 0; i < 100 && !gone; i++) {
		gone = is_gone(child);
		if (!gone) usleep(25 * 1000);
	}
	CHECK(gone);
	char second[128];
	snprintf(second, sizeof(second), "%s/second", folder);
	CHECK(access(second, F_OK) != 0);
	end();
}

TEST_MAIN()
