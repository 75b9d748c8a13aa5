/* What a machine says of itself, for those who collect it: a system log, and the agent that ships logs to CloudWatch.
 * Debian's image has no daemon that writes /var/log/syslog: init appends to it what comes to the console, unless the
 * image brings rsyslog along. The agent lies where AWS's lies; it runs once it is configured
 * ("amazon-cloudwatch-agent-ctl"), and again after each boot. */
#include "host/compute/init/init.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_LOG "/var/log/syslog"
#define AGENT "/opt/aws/amazon-cloudwatch-agent/"
enum { SYSTEM_LOG_MAX = 4 << 20 };

__asm__(".section .rodata\n"
	".balign 8\n"
	"agent_program:\n"
	".incbin \"" AGENT_PATH "\"\n"
	"agent_program_end:\n"
	".byte 0\n"
	".text\n");
extern const char agent_program[], agent_program_end[];

void system_log_write(const char *p, size_t n)
{
	struct stat st;
	if (access("/usr/sbin/rsyslogd", F_OK) == 0) return;
	int fd = open(SYSTEM_LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > SYSTEM_LOG_MAX) {
		(void)rename(SYSTEM_LOG, SYSTEM_LOG ".1");
		close(fd);
		fd = open(SYSTEM_LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	}
	if (fd < 0) return;
	if (write(fd, p, n) < 0) n = 0; /* the disk is full: the console has it */
	close(fd);
}

static void start_agent(void)
{
	static const char *const argv[] = {AGENT "bin/amazon-cloudwatch-agent-ctl", "-a", "start", NULL};
	if (fork() != 0) return;
	extern char **environ;
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *list[] = {path, NULL};
	environ = list;
	setsid();
	run_child_signals();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, 0), dup2(null, 1), dup2(null, 2);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

void agent_begin(void)
{
	const char *program = AGENT "bin/amazon-cloudwatch-agent-ctl";
	if (access("/usr/bin/python3", X_OK) != 0) return;
	if (access(program, F_OK) != 0) {
		make_folders(AGENT "bin", 0755);
		file_write(program, str_n(agent_program, (size_t)(agent_program_end - agent_program)), 0755);
	}
	if (access(AGENT "etc/amazon-cloudwatch-agent.json", R_OK) == 0) start_agent();
}
