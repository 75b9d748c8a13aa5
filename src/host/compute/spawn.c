/* See spawn.h. */
#include "host/compute/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void spawn_clean_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t spawn_start(const char *const argv[], const char *directory, int log)
{
	static const char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C.UTF-8", "HOME=/root", "TMPDIR=/tmp", NULL};
	pid_t pid = fork();
	if (pid != 0) return pid;
	spawn_clean_signals();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, 0), dup2(log >= 0 ? log : null, 1), dup2(log >= 0 ? log : null, 2);
	syscall(SYS_close_range, 3u, ~0u, 0u);
	if (chdir(directory ? directory : "/") != 0) _exit(126);
	extern char **environ;
	environ = (char **)(uintptr_t)environment;
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

int spawn_end(pid_t pid)
{
	int how = 0;
	while (waitpid(pid, &how, 0) < 0)
		if (errno != EINTR) return 127;
	return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

int spawn_wait(const char *const argv[], const char *directory, int log)
{
	pid_t pid = spawn_start(argv, directory, log);
	return pid < 0 ? 127 : spawn_end(pid);
}
