/* User data, run as root once for each pair of root volume and instance: a script, a cloud-config, or both in a MIME
 * message ("Run commands when you launch an EC2 instance with user data input", Amazon EC2 User Guide). In a process of
 * its own, whose output is the console. */
#include "host/compute/init/init.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DONE "/var/lib/virga/instance-id"
#define SCRIPTS "/var/lib/cloud/instance/scripts"

static bool is_script(struct str s)
{
	return str_starts(s, STR("#!"));
}
static bool is_cloud_config(struct str s)
{
	return str_starts(s, STR("#cloud-config"));
}

static int run_script(struct str text, int number)
{
	char path[128];
	snprintf(path, sizeof(path), SCRIPTS "/part-%03d", number);
	if (!make_folders(SCRIPTS, 0755) || !file_write(path, text, 0700)) {
		printf("cannot write %s\n", path);
		return 126;
	}
	const char *argv[] = {path, NULL};
	return run_wait(argv, -1);
}

struct parts {
	int number, failed;
	bool configs; /* this round is theirs: they come before the scripts */
};

static void take_part(void *ctx, struct str type, struct str body)
{
	struct parts *p = ctx;
	bool config = str_is(type, "text/cloud-config") || is_cloud_config(body);
	int code = 0;
	if (config && p->configs && !cloud_config_run(body, &code)) code = 1;
	if (!config && !p->configs) {
		if (is_script(body))
			code = run_script(body, ++p->number);
		else if (str_starts(type, STR("text/")) && !str_empty(body))
			printf("user data: a part of type %.*s is left out\n", STR_ARG(type));
	}
	if (code && !p->failed) p->failed = code;
}

int user_data_run(struct str text)
{
	struct arena a;
	arena_init(&a);
	struct parts p = {.configs = true};
	int code = 0;
	if (is_script(text)) {
		code = run_script(text, 1);
	} else if (is_cloud_config(text)) {
		if (!cloud_config_run(text, &code)) code = 1;
	} else if (multipart_each(&a, text, take_part, &p)) {
		p.configs = false;
		multipart_each(&a, text, take_part, &p);
		code = p.failed;
	} else {
		/* As cloud-init does: what is none of these is data for the instance, not for us. */
		printf("user data is neither a script nor a cloud-config: not run\n");
	}
	fflush(stdout);
	arena_cleanup(&a);
	return code;
}

/* True the first time; remembered before it runs, so that a crash does not make it run twice. */
static bool first_time(struct init *in)
{
	struct arena a;
	arena_init(&a);
	bool again = str_eq(str_trim(str_or(file_read(&a, DONE, 256), STR(""))), in->config.id);
	arena_cleanup(&a);
	return !again && file_write(DONE, in->config.id, 0644);
}

void user_data_begin(struct init *in)
{
	if (in->console.user_data == -1) in->console.user_data = 255; /* it ran when the machine ended */
	bool first = first_time(in);
	if (first) in->console.user_data = -2;
	if (!first || str_empty(in->config.user_data)) {
		console_save(in);
		return;
	}
	in->console.user_data = -1;
	console_save(in);
	control_tell(CONTROL_USER_DATA, -1);
	in->user_data = fork();
	if (in->user_data != 0) return;
	extern char **environ;
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", home[] = "HOME=/root",
		    shell[] = "SHELL=/bin/sh", *list[] = {path, home, shell, NULL};
	environ = list;
	setsid();
	run_child_signals();
	int console = open("/dev/console", O_WRONLY | O_CLOEXEC | O_NOCTTY),
	    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null, 0), dup2(console, 1), dup2(console, 2);
	_exit(user_data_run(in->config.user_data));
}
