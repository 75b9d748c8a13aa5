/* Machines by the host agent: start, commands, user data, console, volumes, stop, reboot, and a killed agent; one
 * installation for all. Needs root and the machine image. */
#include "host/machines.h"
#include <dirent.h>
#include <pthread.h>
#include <signal.h>

static struct bench *bench;

TEST(begin)
{
	bench = bench_open();
}

TEST(starts_and_runs_commands)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_machine m = bench_machine(bench, "i-1");
	int code;
	CHECK(bench_start(bench, &m));
	CHECK(bench_start(bench, &m)); /* again: it stays */
	CHECK(bench_wait(bench, m.id, "running"));
	CHECK_STR(bench_run(bench, "i-1", "hostname; id -u; exit 7", &code), STR("i-1\n0"));
	CHECK(code == 7);
	CHECK_STR(bench_run(bench, "i-1", "kill -KILL $$", &code), STR(""));
	CHECK(code == 137);
	CHECK_STR(bench_run(bench, "i-1", "grep MemTotal /proc/meminfo; nproc", &code),
		STR("MemTotal:         262144 kB\n1"));
}

TEST(gives_a_terminal)
{
	if (!bench) SKIP("no machines here");
	struct str argv[] = {STR("/bin/sh"), STR("-c"), STR("stty size; id -un; exit 3")}, why;
	struct compute_rec_machine_exec e = {.id = STR("i-1"),
		.argv = {argv, 3},
		.tty = SOME_BOOL(true),
		.rows = SOME_I32(33),
		.columns = SOME_I32(99),
		.user = STR("admin")};
	int control = -1, terminal = -1, none, code = -1;
	bool ended = false;
	CHECK_OK(host_machine_exec(bench->h, &bench->a, &e, NULL, &control, &why));
	CHECK_OK(host_exec_wait(control, &terminal, &ended, &code));
	CHECK(terminal >= 0 && !ended);
	char text[256];
	size_t n = 0;
	for (ssize_t got; n < sizeof(text) && (got = read(terminal, text + n, sizeof(text) - n)) > 0;) n += (size_t)got;
	CHECK_STR(str_n(text, n), STR("33 99\r\nadmin\r\n"));
	CHECK_OK(host_exec_wait(control, &none, &ended, &code));
	CHECK(ended && code == 3);
	close(control), close(terminal);
}

TEST(refuses_nonsense)
{
	if (!bench) SKIP("no machines here");
	struct str why = STR("");
	struct compute_rec_machine m = bench_machine(bench, "i-9"), bad = m;
	bad.hostname = STR("a b");
	CHECK(status_is(host_machine_start(bench->h, &bench->a, &bad, &why), STATUS_INVALID));
	bad = m, bad.memory_bytes = SOME_I64(1);
	CHECK(status_is(host_machine_start(bench->h, &bench->a, &bad, &why), STATUS_INVALID));
	bad = m, bad.root = STR("../../etc/passwd");
	CHECK(status_is(host_machine_start(bench->h, &bench->a, &bad, &why), STATUS_IO));
	bad = m, bad.image = STR("no-such");
	CHECK(status_is(host_machine_start(bench->h, &bench->a, &bad, &why), STATUS_NOT_FOUND));
	CHECK(status_is(host_machine_reboot(bench->h, STR("i-9")), STATUS_NOT_FOUND));
}

TEST(runs_user_data_once)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_machine m = bench_machine(bench, "i-2");
	int code;
	m.user_data = STR("#!/bin/sh\necho from user data; echo run >> /var/runs; exit 5\n");
	CHECK(bench_start(bench, &m));
	CHECK(bench_user_data(bench, m.id, "failed"));
	CHECK(str_find(bench_console(bench, &m), STR("from user data\n")) >= 0);
	CHECK_OK(host_machine_stop(bench->h, m.id, false));
	CHECK(bench_wait(bench, m.id, "ended"));
	struct compute_rec_machine_status st = {0};
	CHECK_OK(host_machine_status(bench->h, &bench->a, m.id, &st));
	CHECK_STR(st.why, STR("stop"));
	/* The root volume is as it was left; an instance id that it does not know is a first boot again. */
	CHECK(bench_start(bench, &m));
	CHECK(bench_wait(bench, m.id, "running"));
	CHECK_STR(bench_run(bench, "i-2", "cat /var/runs", &code), STR("run"));
	CHECK_OK(host_machine_reboot(bench->h, m.id));
	for (int i = 0; i < 2000 && str_find(bench_console(bench, &m), STR("boot 3")) < 0; i++) usleep(5000);
	CHECK(bench_wait(bench, m.id, "running"));
	CHECK_STR(bench_run(bench, "i-2", "cat /var/runs; ls /tmp", &code), STR("run"));
	CHECK_OK(host_machine_stop(bench->h, m.id, true));
	CHECK(bench_wait(bench, m.id, "ended"));
	struct compute_rec_machine other = m;
	other.id = STR("i-3");
	CHECK(bench_start(bench, &other));
	CHECK(bench_wait(bench, other.id, "running"));
	CHECK(bench_user_data(bench, other.id, "failed"));
	CHECK_STR(bench_run(bench, "i-3", "cat /var/runs", &code), STR("run\nrun"));
}

/* A larger root volume made from a smaller one: what was there is there, and there is more room. */
TEST(grows_at_start)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_machine m = bench_machine(bench, "i-6");
	int code;
	CHECK_OK(host_machine_stop(bench->h, STR("i-3"), false));
	CHECK(bench_wait(bench, STR("i-3"), "ended"));
	CHECK_OK(volume_remove(bench_path(bench, m.root.p)));
	CHECK_OK(volume_copy(bench_path(bench, "i-2.img"), bench_path(bench, m.root.p)));
	CHECK_OK(volume_grow(bench_path(bench, m.root.p), 3ull << 30));
	CHECK(bench_start(bench, &m));
	CHECK(bench_wait(bench, m.id, "running"));
	CHECK_STR(bench_run(bench, "i-6",
			  "cat /var/runs; test $(df -m --output=size / | tail -1) -gt 2800 && echo large", &code),
		STR("run\nrun\nlarge"));
	CHECK_OK(host_machine_stop(bench->h, m.id, true));
	struct compute_rec_machine other = bench_machine(bench, "i-2");
	other.id = STR("i-3");
	CHECK(bench_start(bench, &other));
	CHECK(bench_wait(bench, other.id, "running"));
}

TEST(reads_cloud_configs_and_parts)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_machine m = bench_machine(bench, "i-4");
	int code;
	m.user_data = STR(
		"Content-Type: multipart/mixed; boundary=\"==B==\"\nMIME-Version: 1.0\n\n--==B==\n"
		"Content-Type: text/x-shellscript\n\n#!/bin/sh\ncat /srv/one >> /srv/order; echo script >> "
		"/srv/order\n\n"
		"--==B==\nContent-Type: text/cloud-config\n\n#cloud-config\nwrite_files:\n"
		"- path: /srv/one\n  content: one\n  permissions: '0640'\n- path: /srv/two\n  encoding: b64\n  "
		"content: dHdv\n"
		"runcmd:\n- echo \"$HOME\" > /srv/order\n- [touch, '/srv/a b']\nusers:\n- name: eve\n  groups: sudo\n"
		"  ssh_authorized_keys: [ssh-ed25519 AAAA eve]\n--==B==--\n");
	m.public_keys.v = (struct str[]){STR("ssh-ed25519 BBBB key")};
	m.public_keys.n = 1;
	CHECK(bench_start(bench, &m));
	CHECK(bench_user_data(bench, m.id, "done"));
	CHECK_STR(bench_run(bench, "i-4", "cat /srv/order; stat -c %a /srv/one; cat /srv/two; echo; ls /srv", &code),
		STR("/root\nonescript\n640\ntwo\na b\none\norder\ntwo"));
	CHECK_STR(
		bench_run(bench, "i-4",
			"cat ~eve/.ssh/authorized_keys ~admin/.ssh/authorized_keys; id -Gn eve; stat -c %U ~admin/.ssh",
			&code),
		STR("ssh-ed25519 AAAA eve\nssh-ed25519 BBBB key\neve sudo\nadmin"));
	CHECK_OK(host_machine_stop(bench->h, m.id, true));
}

TEST(attaches_volumes)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_volume v = {.id = STR("vol-1"), .file = STR("vol-1.img"), .device = STR("/dev/sdf")};
	const char *path = bench_path(bench, "vol-1.img");
	struct str why = STR("");
	char bytes[6] = "";
	int code;
	CHECK_OK(volume_create(path, 64 << 20));
	CHECK_OK(host_machine_attach(bench->h, &bench->a, STR("i-1"), &v, &why));
	/* Again as it is: it is there. As another device, or another volume as this device: not. */
	CHECK_OK(host_machine_attach(bench->h, &bench->a, STR("i-1"), &v, &why));
	struct compute_rec_volume second = v;
	second.device = STR("/dev/sdz");
	CHECK(status_is(host_machine_attach(bench->h, &bench->a, STR("i-1"), &second, &why), STATUS_BUSY));
	second = v, second.id = STR("vol-second");
	CHECK(status_is(host_machine_attach(bench->h, &bench->a, STR("i-1"), &second, &why), STATUS_BUSY));
	bench_run(bench, "i-1", "printf inside | dd of=/dev/xvdf bs=1 seek=4096 conv=fsync,notrunc 2>/dev/null", &code);
	CHECK(code == 0);
	CHECK_OK(volume_read(path, 4096, bytes, 6));
	CHECK_STR(str_n(bytes, 6), STR("inside"));
	CHECK_OK(volume_grow(path, 96 << 20));
	CHECK_OK(host_machine_volume_changed(bench->h, STR("i-1"), &v));
	CHECK_STR(bench_run(bench, "i-1", "blockdev --getsize64 /dev/xvdf", &code), STR("100663296"));
	CHECK_STR(bench_run(bench, "i-1", "sleep 100 < /dev/xvdf > /dev/null 2>&1 & echo $! > /run/holder", &code),
		STR(""));
	CHECK(status_is(host_machine_detach(bench->h, STR("i-1"), v.id), STATUS_BUSY));
	bench_run(bench, "i-1",
		"kill $(cat /run/holder); while kill -0 $(cat /run/holder) 2>/dev/null; do sleep 0.01; done", &code);
	CHECK_OK(host_machine_detach(bench->h, STR("i-1"), v.id));
	CHECK_STR(bench_run(bench, "i-1", "ls /dev/xvdf 2>&1 | grep -c No", &code), STR("1"));
	CHECK(status_is(host_machine_detach(bench->h, STR("i-1"), v.id), STATUS_NOT_FOUND));
	/* One that is there from the start. */
	CHECK_OK(host_machine_stop(bench->h, STR("i-1"), false));
	CHECK(bench_wait(bench, STR("i-1"), "ended"));
	struct compute_rec_machine m = bench_machine(bench, "i-1");
	m.volumes.v = &v, m.volumes.n = 1;
	CHECK(bench_start(bench, &m));
	CHECK(bench_wait(bench, m.id, "running"));
	CHECK_STR(bench_run(bench, "i-1", "dd if=/dev/xvdf bs=1 skip=4096 count=6 2>/dev/null", &code), STR("inside"));
	CHECK_OK(host_machine_pause(bench->h, m.id, true));
	CHECK_OK(host_machine_pause(bench->h, m.id, false));
	CHECK_STR(bench_run(bench, "i-1", "echo thawed", &code), STR("thawed"));
}

TEST(mounts_volumes)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_volume v = {.id = STR("vol-2"), .file = STR("vol-2.img"), .device = STR("/dev/sdg")};
	struct str why = STR("");
	int code;
	CHECK_OK(volume_create(bench_path(bench, "vol-2.img"), 64 << 20));
	CHECK_OK(host_machine_attach(bench->h, &bench->a, STR("i-1"), &v, &why));
	CHECK_STR(bench_run(bench, "i-1",
			  "mkfs.ext4 -q /dev/xvdg && mkdir -p /data && mount /dev/xvdg /data && echo kept > /data/f && "
			  "stat -c %U:%s /data/f && "
			  "grep -c 'xvdg\\|loop' /proc/mounts; mknod /data/n c 1 3 2>/dev/null || echo none",
			  &code),
		STR("root:5\n1\nnone"));
	CHECK(status_is(host_machine_detach(bench->h, STR("i-1"), v.id), STATUS_BUSY));
	CHECK_STR(bench_run(bench, "i-1",
			  "cd / && umount /data && mount -o ro,noatime -t ext4 /dev/xvdg data && cat /data/f; echo x > "
			  "/data/g",
			  &code),
		STR("kept\n/bin/sh: 1: cannot create /data/g: Read-only file system"));
	/* Neither somebody who is not root, nor an option that trusts the disk, nor a device of others. */
	CHECK_STR(bench_run(bench, "i-1",
			  "umount /data; setpriv --reuid 1000 --clear-groups python3 -c \"import "
			  "ctypes;l=ctypes.CDLL(None,use_errno=True);"
			  "print(l.mount(b'/dev/xvdg',b'/data',b'ext4',0,None),ctypes.get_errno())\"",
			  &code),
		STR("-1 1"));
	bench_run(bench, "i-1", "mount -t ext4 -o dax /dev/xvdg /data", &code);
	CHECK(code != 0);
	bench_run(bench, "i-1", "mount -t tmpfs none /data && umount /data", &code);
	CHECK(code == 0);
	CHECK_OK(host_machine_detach(bench->h, STR("i-1"), v.id));
}

static pid_t agent_pid(void)
{
	pid_t found = 0;
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300], text[400] = "", state = 'Z';
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC), parent = 0;
		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0) text[0] = 0;
		if (fd >= 0) close(fd);
		const char *name = strstr(text, "(virga-agent) ");
		if (!name || sscanf(name, "(virga-agent) %c %d", &state, &parent) != 2 || state == 'Z') continue;
		/* Ours is the keeper's child, and the keeper is ours. */
		snprintf(path, sizeof(path), "/proc/%d/stat", parent);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0) text[0] = 0;
		if (fd >= 0) close(fd);
		name = strstr(text, "(virga-keeper) ");
		if (name && sscanf(name, "(virga-keeper) %*c %d", &parent) == 1 && parent == getpid())
			found = atoi(e->d_name); // lint:allow(unsafe-string)
	}
	if (d) closedir(d);
	return found;
}

TEST(outlives_the_agent)
{
	if (!bench) SKIP("no machines here");
	int code;
	pid_t agent = agent_pid();
	CHECK(agent > 0);
	bench_run(bench, "i-1", "echo kept > /run/mark", &code);
	CHECK(kill(agent, SIGKILL) == 0);
	CHECK(bench_wait(bench, STR("i-1"), "running"));
	CHECK_STR(bench_run(bench, "i-1", "cat /run/mark", &code), STR("kept"));
	CHECK(agent_pid() > 0 && agent_pid() != agent);
	CHECK_OK(host_machine_detach(bench->h, STR("i-1"), STR("vol-1")));
	/* One that ends while there is no agent is noticed by the next. */
	bench_run(bench, "i-3", "(sleep 0.3; poweroff) > /dev/null 2>&1 &", &code);
	CHECK(kill(agent_pid(), SIGKILL) == 0);
	usleep(600000);
	struct compute_rec_machine_status st = {0};
	CHECK(bench_wait(bench, STR("i-3"), "ended"));
	CHECK_OK(host_machine_status(bench->h, &bench->a, STR("i-3"), &st));
	CHECK_STR(st.why, STR("poweroff"));
	CHECK_OK(host_machine_stop(bench->h, STR("i-1"), false));
	CHECK(bench_wait(bench, STR("i-1"), "ended"));
}

static void *start_it(void *machine)
{
	struct arena a;
	struct str why = STR("");
	arena_init(&a);
	/* How it goes is for those who come after. */
	status s = host_machine_start(bench->h, &a, machine, &why);
	arena_cleanup(&a);
	return is_ok(s) ? machine : NULL;
}

/* An agent that is killed at any moment of a launch: the next one finds either a machine that runs or nothing. */
TEST(launches_once_though_the_agent_dies)
{
	if (!bench) SKIP("no machines here");
	struct compute_rec_machine m = bench_machine(bench, "i-8");
	int code;
	for (useconds_t after = 0; after <= 60000; after += 12000) {
		pthread_t starter;
		CHECK(agent_pid() > 0);
		CHECK(pthread_create(&starter, NULL, start_it, &m) == 0);
		usleep(after);
		kill(agent_pid(), SIGKILL);
		pthread_join(starter, NULL);
		status s = STATUS(BUSY);
		struct str why = STR("");
		for (int64_t end = bench_ms() + 20000; !is_ok(s) && bench_ms() < end; usleep(20000))
			s = host_machine_start(bench->h, &bench->a, &m, &why);
		CHECK_OK(s);
		CHECK(bench_wait(bench, m.id, "running"));
		CHECK_STR(bench_run(bench, "i-8", "hostname", &code), STR("i-8"));
		CHECK_OK(host_machine_stop(bench->h, m.id, true));
		CHECK(bench_wait(bench, m.id, "ended"));
	}
}

/* Nothing of the installation is left on the host. */
TEST(end)
{
	if (!bench) return;
	char command[256], prefix_room[64];
	snprintf(prefix_room, sizeof(prefix_room), "%.*s", STR_ARG(host_prefix(bench->h)));
	struct str prefix = str_c(prefix_room);
	/* After a reset the same agent starts machines as before. */
	CHECK_OK(host_clear(bench->h));
	struct compute_rec_machine m = bench_machine(bench, "i-7");
	CHECK(bench_start(bench, &m));
	CHECK(bench_wait(bench, m.id, "running"));
	bench_close(bench);
	snprintf(command, sizeof(command),
		"ls -d /sys/fs/cgroup/*/%.*s /run/netns/%.*s* /run/virga/%.*s 2>/dev/null | grep .", STR_ARG(prefix),
		STR_ARG(prefix), STR_ARG(prefix));
	CHECK(system(command) != 0);
	snprintf(command, sizeof(command), "grep -l %s /sys/block/loop*/loop/backing_file 2>/dev/null | grep .",
		bench->data);
	CHECK(system(command) != 0);
}

TEST_MAIN()
