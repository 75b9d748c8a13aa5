/* init's children. */
#include "host/compute/init/init.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENVIRONMENT_MAX 256

extern char **environ;

int exit_code_of(int how)
{
	return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

void run_child_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void place_fds(const struct command *c)
{
	int console = open("/dev/console", O_WRONLY | O_CLOEXEC | O_NOCTTY),
	    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int from[3];
	for (int i = 0; i < 3; i++) {
		from[i] = c->terminal >= 0 ? c->terminal : c->fds[i] >= 0 ? c->fds[i] : i == 0 ? null : console;
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16);
	}
	for (int i = 0; i < 3; i++) dup2(from[i], i);
	if (c->terminal >= 0) ioctl(0, TIOCSCTTY, 0);
	syscall(SYS_close_range, 3u, ~0u, 0u);
}

/* What login(1) sets, then what was asked for, which wins: execvp looks at the last one of a name, so ours are left
 * out. */
static void set_environment(const struct command *c, const struct user *u)
{
	static const char *list[ENVIRONMENT_MAX + 8];
	static char own[6][320];
	size_t n = 0;
	snprintf(own[0], sizeof(own[0]), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	snprintf(own[1], sizeof(own[1]), "HOME=%s", u->home);
	snprintf(own[2], sizeof(own[2]), "USER=%s", u->name);
	snprintf(own[3], sizeof(own[3]), "LOGNAME=%s", u->name);
	snprintf(own[4], sizeof(own[4]), "SHELL=%s", u->shell);
	snprintf(own[5], sizeof(own[5]), c->terminal >= 0 ? "TERM=xterm-256color" : "LANG=C.UTF-8");
	for (size_t i = 0; c->environment && c->environment[i] && n < ENVIRONMENT_MAX; i++)
		list[n++] = c->environment[i];
	size_t asked = n;
	for (size_t i = 0; i < 6; i++) {
		struct str text = str_c(own[i]), name = str_sub(text, 0, (size_t)str_chr(text, '=') + 1);
		bool told = false;
		for (size_t k = 0; k < asked && !told; k++) told = str_starts(str_c(list[k]), name);
		if (!told) list[n++] = own[i];
	}
	list[n] = NULL;
	environ = (char **)(uintptr_t)list;
}

pid_t run_start(struct init *in, const struct command *c)
{
	struct user u;
	if (!user_find(c->user ? c->user : "root", &u)) {
		console_say(in, "there is no user %s", c->user);
		return -1;
	}
	pid_t pid = fork();
	if (pid != 0) return pid;
	setsid();
	run_child_signals();
	place_fds(c);
	set_environment(c, &u);
	if (!user_become(&u)) _exit(126);
	if (chdir(c->directory ? c->directory : u.home) != 0 && (c->directory || chdir("/") != 0)) _exit(126);
	execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
	_exit(errno == ENOENT ? 127 : 126);
}

int run_wait(const char *const argv[], int input)
{
	int how = 0;
	pid_t pid = fork();
	if (pid == 0) {
		if (input >= 0) dup2(input, 0);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	while (pid > 0 && waitpid(pid, &how, 0) < 0)
		if (errno != EINTR) return 127;
	return pid < 0 ? 127 : exit_code_of(how);
}
