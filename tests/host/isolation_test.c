/* What a machine's root may not do: see or reach the host, other machines, devices; and what it may do to itself alone:
 * forks without end, memory without end, a full disk. Two machines: one tries, the other goes on. Needs root and the
 * machine image. */
#include "host/machines.h"
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>

static struct bench *bench;

/* A line whose exit code has to be 0: "! command" for what has to fail. */
static void check_line(const char *id, const char *line, const char *file, int at)
{
	int code;
	struct str said = bench_run(bench, id, line, &code);
	test_checks++;
	if (code == 0) return;
	test_failed++;
	fprintf(stderr, "%s:%d: %s: %d: %.*s\n", file, at, line, code, STR_ARG(said));
}
#define HOLDS(line) check_line("i-bad", line, __FILE__, __LINE__)

TEST(begin)
{
	bench = bench_open();
	if (!bench) return;
	struct compute_rec_machine m = bench_machine(bench, "i-bad"), n = bench_machine(bench, "i-good");
	CHECK(bench_start(bench, &m) && bench_start(bench, &n));
	CHECK(bench_wait(bench, m.id, "running") && bench_wait(bench, n.id, "running"));
}

TEST(sees_only_itself)
{
	if (!bench) SKIP("no machines here");
	char line[256];
	HOLDS("test $(ls /proc | grep -c '^[0-9]') -lt 8");
	snprintf(line, sizeof(line), "! kill -0 %d && ! ls -d /proc/%d", getpid(), getpid());
	if (getpid() > 1000) HOLDS(line);
	HOLDS("! ls /sys/fs/cgroup/memory 2>/dev/null | grep .");
	HOLDS("test -z \"$(ls /sys/block)\" && test -z \"$(ls /sys/module)\"");
	HOLDS("! grep -q vda /proc/mounts && ! ls -d /mnt/.* /host 2>/dev/null | grep -v '/\\.*$'");
	HOLDS("test ! -e /var/cache/virga && test ! -e /work");
	HOLDS("! cat /proc/kcore >/dev/null 2>&1 || test ! -s /proc/kcore");
	HOLDS("test $(wc -c < /proc/keys) = 0 && test $(wc -c < /proc/kallsyms) = 0");
	HOLDS("! cat /proc/1/environ && ! ls /proc/1/fd/ && ! cat /proc/1/mem && ! dd if=/proc/1/exe of=/tmp/x");
	HOLDS("! dmesg && ! ls /proc/1/root/");
}

TEST(reaches_no_host)
{
	if (!bench) SKIP("no machines here");
	/* A service on the host's loopback, and what tries to reach it from inside. */
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[256];
	CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 5) == 0 &&
		getsockname(fd, (struct sockaddr *)&at, &n) == 0);
	snprintf(line, sizeof(line), "! nc -z -w 1 127.0.0.1 %d", ntohs(at.sin_port));
	HOLDS(line);
	close(fd);
	HOLDS("test $(ip -o link | wc -l) = 1");
	/* Raw sockets are its own, of its own namespace; abstract Unix sockets too. */
	HOLDS("python3 -c 'import socket; s=socket.socket(17,3,socket.htons(3)); s.bind((\"lo\",0))'");
	HOLDS("test -z \"$(grep -v Num /proc/net/unix | grep @)\"");
	HOLDS("! nsenter -t 1 -n true 2>/dev/null || test $(nsenter -t 1 -n ip -o link | wc -l) = 1");
}

TEST(has_no_devices_and_few_powers)
{
	if (!bench) SKIP("no machines here");
	HOLDS("! mknod /tmp/vda b 254 0 && ! mknod /tmp/mem c 1 1 && ! mknod /dev/kmsg c 1 11");
	HOLDS("test -z \"$(find /dev -type b)\" && test ! -e /dev/kvm && test ! -e /dev/mem && test ! -e /dev/loop0");
	HOLDS("mount -t tmpfs none /mnt && umount /mnt");
	HOLDS("! mount -t ext4 /dev/loop0 /mnt && ! mount -t debugfs none /mnt");
	/* Its own groups it may look at, as far as the kernel lets it, but not change. */
	HOLDS("mount -t cgroup -o memory none /mnt || exit 0; ! sh -c 'echo -1 > /mnt/memory.limit_in_bytes' && ! "
	      "mkdir /mnt/x; umount /mnt");
	HOLDS("! mount -t proc proc /mnt || ! test -s /mnt/kallsyms");
	HOLDS("for m in /proc/kallsyms /proc/keys /proc/meminfo /proc/kcore /proc/bus /dev /proc; do ! umount $m || "
	      "exit 1; done");
	HOLDS("mount -o remount,rw,bind /sys; ! sh -c 'echo 1 > /sys/kernel/profiling' && ! sh -c 'echo mem > "
	      "/sys/power/state'");
	HOLDS("! unshare -U true && ! unshare -Ur mount -t proc proc /mnt");
	HOLDS("! sh -c 'echo 1 > /proc/sys/vm/drop_caches' && ! sh -c 'echo b > /proc/sysrq-trigger' && ! sysctl -w "
	      "kernel.panic=9");
	HOLDS("date -s 2001-01-01 >/dev/null 2>&1; test $(date +%Y) -gt 2020");
	HOLDS("! swapon /etc/passwd && ! insmod /tmp/x");
	/* bpf, add_key, perf_event_open, io_uring_setup, kexec_load, open_by_handle_at, reboot by number */
	HOLDS("python3 - <<'E'\nimport ctypes, sys, platform\nl=ctypes.CDLL(None,use_errno=True)\n"
	      "if platform.machine()!='x86_64': sys.exit(0)\n"
	      "for n,e in ((321,1),(248,1),(298,1),(425,38),(246,1),(304,1),(169,1),(250,1),(435,38)):\n"
	      "    r=l.syscall(n,0xfee1dead,672274793,0x1234567,0,0,0); x=ctypes.get_errno()\n"
	      "    if r!=-1 or x!=e: print(n,r,x); sys.exit(1)\nE");
	HOLDS("test $(ulimit -c) != x && ! chroot /proc/1/root true");
	HOLDS("! python3 -c 'import os; os.kill(1,9); import time; time.sleep(0.1); os.kill(1,19)' || kill -0 1");
	HOLDS("test -e /proc/1/status");
}

TEST(hurts_only_itself)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_machine_status st = {0};
	int code;
	/* Memory: what takes too much is killed, the machine goes on. */
	bench_run(bench, "i-bad", "python3 -c 'x=bytearray(10**9)'", &code);
	CHECK(code == 137 || code == 1);
	HOLDS("true");
	bench_run(bench, "i-bad", "timeout 20 dd if=/dev/zero of=/dev/shm/x bs=1M count=2000 2>/dev/null", &code);
	CHECK(code != 0);
	bench_run(bench, "i-bad", "rm -f /dev/shm/x", &code);
	/* Disk: full at the size of its root volume. */
	bench_run(
		bench, "i-bad", "timeout 60 dd if=/dev/zero of=/big bs=1M count=3000 2>&1 | grep -c 'No space'", &code);
	CHECK(code == 0);
	uint64_t size;
	CHECK_OK(volume_size(bench_path(bench, "i-bad.img"), &size, NULL));
	CHECK(size == 1ull << 30);
	HOLDS("rm /big && echo again > /small");
	/* Processes: a fork bomb stops at its own limit. */
	bench_run(bench, "i-bad", "printf 'f() { f | f & }; f' > /bomb; (setsid sh /bomb >/dev/null 2>&1 &)", &code);
	usleep(500000);
	CHECK_OK(host_machine_status(bench->h, &bench->a, STR("i-bad"), &st));
	CHECK(st.processes.v <= 4096);
	int64_t begun = bench_ms();
	CHECK_STR(
		bench_run(bench, "i-good", "echo fine; sh -c 'exit 0'; df / | tail -1 | wc -l", &code), STR("fine\n1"));
	printf("the other answers in %lld ms\n", (long long)(bench_ms() - begun));
	CHECK_OK(host_machine_stop(bench->h, STR("i-bad"), true));
	CHECK(bench_wait(bench, STR("i-bad"), "ended"));
	CHECK_STR(bench_run(bench, "i-good", "echo fine", &code), STR("fine"));
}

TEST(end)
{
	if (bench) bench_close(bench);
}

TEST_MAIN()
