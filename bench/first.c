/* Cold start: starts a server, asks until it answers 200, and says how long that took from just before fork.
 *     bench_first PORT PATH -- command arguments…
 * Prints "milliseconds rss-KiB": the resident set one second after the answer. The server is ended with SIGTERM. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void pause_us(long us) { nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL); }

static int answers(uint16_t port, const char *path)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {5, 0};
	char text[512], answer[16] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) return 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	int ok = 0;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
		int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
		ok = send(fd, text, (size_t)n, MSG_NOSIGNAL) == n && recv(fd, answer, 12, MSG_WAITALL) == 12 &&
		     memcmp(answer + 9, "200", 3) == 0;
	}
	close(fd);
	return ok;
}

static long rss_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
	if (f) fclose(f);
	return kib;
}

int main(int argc, char **argv)
{
	if (argc < 5 || strcmp(argv[3], "--") != 0) {
		fprintf(stderr, "bench_first PORT PATH -- command arguments\n");
		return 2;
	}
	uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
	double began = now_ms(), took = -1;
	pid_t pid = fork();
	if (pid < 0) return 2;
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[4], argv + 4);
		_exit(127);
	}
	while (now_ms() - began < 60000 && waitpid(pid, NULL, WNOHANG) == 0) {
		if (answers(port, argv[2])) {
			took = now_ms() - began;
			break;
		}
		pause_us(200);
	}
	long rss = -1;
	if (took >= 0) {
		pause_us(1000000);
		rss = rss_kib(pid);
		kill(pid, SIGTERM);
		for (int i = 0; i < 5000 && waitpid(pid, NULL, WNOHANG) == 0; i++) {
			if (i == 4999) kill(pid, SIGKILL);
			pause_us(2000);
		}
	}
	printf("%.2f %ld\n", took, rss);
	return took < 0;
}
