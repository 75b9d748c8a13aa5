/* What a sealed volume costs: a loop device on a sealer's file beside one on a plain file, in one run, as root. Reads
 * and writes of 1 MiB one after the other, and of 4 KiB at random places by four threads, past the page cache. */
#include "host/seal/sealed.h"
#include "base/arena.h"
#include "host/compute/loop.h"
#include "host/seal/sealer.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, SIZE_MIB = 512, SMALL = 4096, THREADS = 4, ROUNDS = 3 };
#define SECONDS 2.0

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *room(void)
{
	void *p = NULL;
	if (posix_memalign(&p, 4096, MIB) != 0) abort();
	memset(p, 'x', MIB);
	return p;
}

static double in_order(const char *path, bool writes)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	char *p = room();
	double began = now();
	for (off_t i = 0; i < SIZE_MIB; i++)
		if ((writes ? pwrite(fd, p, MIB, i * MIB) : pread(fd, p, MIB, i * MIB)) != MIB) abort();
	if (fsync(fd) != 0) abort();
	double took = now() - began;
	free(p), close(fd);
	return SIZE_MIB / took;
}

struct thread {
	const char *path;
	bool writes;
	unsigned seed;
	long done;
};

static void *at_random(void *ctx)
{
	struct thread *t = ctx;
	int fd = open(t->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	char *p = room();
	for (double end = now() + SECONDS; now() < end; t->done++) {
		off_t at = (off_t)(rand_r(&t->seed) % (SIZE_MIB * (MIB / SMALL))) * SMALL;
		if ((t->writes ? pwrite(fd, p, SMALL, at) : pread(fd, p, SMALL, at)) != SMALL) abort();
	}
	free(p), close(fd);
	return NULL;
}

static double small(const char *path, bool writes)
{
	struct thread t[THREADS];
	pthread_t id[THREADS];
	long all = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		t[i] = (struct thread){path, writes, i + 1, 0};
		if (pthread_create(&id[i], NULL, at_random, &t[i]) != 0) abort();
	}
	for (unsigned i = 0; i < THREADS; i++) pthread_join(id[i], NULL), all += t[i].done;
	return (double)all / SECONDS;
}

static void print_memory(pid_t pid)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (str_starts(str_c(line), STR("Pss:")) || str_starts(str_c(line), STR("Private_Dirty:")))
			printf("sealer %s", line);
	if (f) fclose(f);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	char stage[] = "/tmp/virga-bench-XXXXXX";
	struct arena a;
	arena_init(&a);
	if (geteuid() != 0 || !mkdtemp(stage)) {
		fprintf(stderr, "as root\n");
		return 77;
	}
	int file[2], device[2], served = -1;
	char loop[2][32];
	dev_t number;
	struct sealer sealer;
	struct str why = STR("");
	for (int i = 0; i < 2; i++) {
		const char *path = str_fmt(&a, "%s/virga-bench-%d-%d", dir, getpid(), i).p;
		file[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (file[i] < 0 || ftruncate(file[i], (off_t)SIZE_MIB * MIB) != 0 || unlink(path) != 0) return 1;
	}
	struct sealer_plan p = {
		file[1], sealed_key(&a, STR("0123456789abcdef"), STR("bench")), stage, str_fmt(&a, "%s/lock", dir).p};
	char name[64];
	double began = now();
	if (!is_ok(sealer_start(&a, &p, &served, &sealer, &why))) {
		fprintf(stderr, "%.*s\n", STR_ARG(why));
		return 1;
	}
	printf("started in %.1f ms\n", (now() - began) * 1000);
	sealer_name(&sealer, name);
	if (!is_ok(loop_open(file[0], NULL, &device[0], &number, loop[0])) ||
		!is_ok(loop_open(served, name, &device[1], &number, loop[1])))
		return 1;
	print_memory(sealer.pid);
	static const char *const what[] = {"plain ", "sealed"};
	for (int r = 0; r < ROUNDS; r++)
		for (int i = 0; i < 2; i++) {
			double w = in_order(loop[i], true), rd = in_order(loop[i], false);
			double sw = small(loop[i], true), sr = small(loop[i], false);
			printf("%s write %5.0f MiB/s, read %5.0f MiB/s; 4 KiB: writes %6.0f/s, reads %6.0f/s\n",
				what[i], w, rd, sw, sr);
		}
	print_memory(sealer.pid);
	close(device[0]), close(device[1]), close(served);
	bool gone = sealers_gone(p.lock, 5000);
	rmdir(stage);
	printf("sealer %s\n", gone ? "gone" : "stays");
	arena_cleanup(&a);
	return gone ? 0 : 1;
}
