/* See launch.h. Two processes. The *stager*, root of the host in a mount namespace of its own, puts the root file
 * system together (only it may mount ext4 and give layers other ids). The machine's *first process*, number 1 of a new
 * pid namespace, goes on there, still as the host's root: it mounts /proc and what lies over parts of it, and turns the
 * root around (pivot_root(2)). Then it enters the machine's user namespace and makes all others from there: they belong
 * to it, and the mounts made before are locked in it, so that root inside cannot take them away (mount_namespaces(7),
 * "Restrictions on mount namespaces"). At last it gives up what it may not have, and becomes init. Nothing is mounted
 * where the host sees it, and nothing stays when it dies.
 *
 * Layers are ids 0..65535 on disk, and look like the machine's own by an idmapped mount (mount_setattr(2)), the upper
 * one too: so a root volume serves any machine. For that overlayfs has to be mounted by the mapped root (fsuid), which
 * makes its work folder. */
#include "host/compute/launch.h"
#include "host/compute/control.h"
#include "host/compute/files.h"
#include "host/compute/guard.h"
#include "host/compute/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char machine_init_program[], machine_init_program_end[];

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)

static int report_fd = -1, go_fd = -1; /* only in children */

static _Noreturn void give_up(const char *step)
{
	struct launch_report r = {.error = errno ? errno : EINVAL};
	snprintf(r.step, sizeof(r.step), "%s", step);
	ssize_t n = write(report_fd, &r, sizeof(r));
	_exit(n < 0 ? 126 : 125);
}
#define MUST(expr, step) ((expr) < 0 ? give_up(step) : (void)0)

/* ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────── */

int launch_program(void)
{
	size_t n = (size_t)(machine_init_program_end - machine_init_program);
	int fd = memfd_create("init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0) fd = memfd_create("init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) return -1;
	bool good = is_ok(files_write_at(fd, 0, machine_init_program, n));
	/* Not readable by those who run it: then the kernel lets nobody of their user namespace trace it (ptrace(2),
	 * "dumpable"). */
	good = good && fchmod(fd, 0111) == 0;
	good = good && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
	/* A descriptor that may write keeps it from being run. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int plain = good ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	close(fd);
	return plain;
}

/* Who holds namespaces until there are descriptors of them. It shares the memory of its maker, errno too, which costs nothing
 * to make and nothing to end; so it may do nothing but ask the kernel for what will not be refused, and wait. */
struct holder {
	pid_t pid, maker;
	int asked; /* an eventfd: for its own network, once its ids are mapped, so that /proc/net is its root's */
	int made;  /* an eventfd: 1; or 1 and the error */
	char stack[16384] __attribute__((aligned(16)));
};

__attribute__((no_sanitize("address", "thread", "undefined"))) static int hold(void *ctx)
{
	struct holder *h = ctx;
	uint64_t word;
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (syscall(SYS_getppid) != (long)h->maker) return 0;
	if (syscall(SYS_read, h->asked, &word, sizeof(word)) != sizeof(word)) return 0;
	word = syscall(SYS_unshare, CLONE_NEWNET) == 0 ? 1 : 1 + (uint64_t)errno;
	syscall(SYS_write, h->made, &word, sizeof(word));
	for (;;) syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

static int open_held(const struct holder *h, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", h->pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* False with errno. flags: of what it gets at once. To be ended. */
static bool holder_begin(struct holder *h, int flags)
{
	h->pid = -1;
	h->maker = getpid();
	h->asked = eventfd(0, EFD_CLOEXEC), h->made = eventfd(0, EFD_CLOEXEC);
	if (h->asked >= 0 && h->made >= 0)
		h->pid = clone(hold, h->stack + sizeof(h->stack), CLONE_VM | flags | SIGCHLD, h);
	return h->pid > 0;
}

static int held_network(struct holder *h)
{
	uint64_t word = 1;
	if (write(h->asked, &word, sizeof(word)) != sizeof(word)) return -1;
	if (read(h->made, &word, sizeof(word)) != sizeof(word)) return -1;
	if (word == 1) return open_held(h, "net");
	errno = (int)(word - 1);
	return -1;
}

static void holder_end(const struct holder *h)
{
	int why = errno;
	if (h->pid > 0) kill(h->pid, SIGKILL), waitpid(h->pid, NULL, 0);
	if (h->asked >= 0) close(h->asked);
	if (h->made >= 0) close(h->made);
	errno = why;
}

int launch_empty_network(void)
{
	struct holder h;
	int fd = holder_begin(&h, 0) ? held_network(&h) : -1;
	holder_end(&h);
	return fd;
}

/* Of the stager: a user namespace with the machine's ids. A descriptor of it. */
static int make_user_namespace(struct holder *h, uint32_t first_id)
{
	char path[64], map[64];
	int n = snprintf(map, sizeof(map), "0 %u %u", first_id, MACHINE_IDS);
	MUST(holder_begin(h, CLONE_NEWUSER) ? 0 : -1, "make a user namespace");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", h->pid, i ? "gid_map" : "uid_map");
		MUST(files_put(path, str_n(map, (size_t)n)) ? 0 : -1, "map the machine's ids");
	}
	return open_held(h, "user");
}

/* ── the stager ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void mount_idmapped(const char *from, const char *to, int user_namespace, bool read_only)
{
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	MUST(tree, "open a layer");
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP | (read_only ? MOUNT_ATTR_RDONLY : 0u),
		.userns_fd = (uint64_t)user_namespace};
	MUST(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)), "map a layer's ids");
	MUST(mkdir(to, 0755), "make a layer's folder");
	MUST(syscall(SYS_move_mount, tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH), "mount a layer");
	close(tree);
}

/* Everything that is made from here to end_as belongs to the machine's root, while this process may still do all. */
static void begin_as(uint32_t id)
{
	setfsgid(id), setfsuid(id);
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];
	MUST(syscall(SYS_capget, &head, d), "read capabilities");
	/* setfsuid(2) takes those of files away from the effective ones. */
	d[0].effective = d[0].permitted, d[1].effective = d[1].permitted;
	MUST(syscall(SYS_capset, &head, d), "keep capabilities");
}

static void end_as(void)
{
	setfsuid(0), setfsgid(0);
}

/* The agent's death is its children's, until the machine is noted: prctl(2), which a change of ids takes back. agent:
 * as the caller sees it; 0 from another pid namespace. */
static void die_with(pid_t agent)
{
	MUST(prctl(PR_SET_PDEATHSIG, SIGKILL), "end with the agent");
	if (getppid() != agent) _exit(0);
}

static void tell(struct launch_report r, const char *what)
{
	MUST(write(report_fd, &r, sizeof(r)) == sizeof(r) ? 0 : -1, what);
}

/* The caller notes the machine before init runs. */
static void wait_for_go(void)
{
	char byte;
	ssize_t n;
	do {
		n = read(go_fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1) _exit(0);
}

/* A journal is first written with flushes of all that lies below, down to the disk: a volume that held nothing a moment
 * ago has nothing to lose by their absence. */
static void mount_root(const struct launch *l)
{
	const char *plain = "noinit_itable,errors=remount-ro", *quick = "noinit_itable,errors=remount-ro,barrier=0";
	MUST(mkdir("v", 0700), "make a folder");
	MUST(mount(l->root_device, "v", "ext4", MS_NOATIME, l->fresh ? quick : plain), "mount the root volume");
	if (l->fresh) MUST(mount(NULL, "v", NULL, MS_REMOUNT | MS_NOATIME, "barrier=1"), "mount the root volume");
}

static void mount_overlay(const struct launch *l, int user_namespace)
{
	static char options[64 * 1024];
	size_t n = (size_t)snprintf(options, sizeof(options), "lowerdir=");
	/* overlayfs wants the highest first */
	for (size_t i = l->layers.n; i-- > 0;) {
		char to[32];
		snprintf(to, sizeof(to), "l%zu", i);
		mount_idmapped(l->layers.v[i], to, user_namespace, true);
		n += (size_t)snprintf(options + n, sizeof(options) - n, "%s%s", i + 1 == l->layers.n ? "" : ":", to);
		if (n > sizeof(options) - 100) errno = E2BIG, give_up("mount so many layers");
	}
	mount_root(l);
	mount_idmapped("v", "u", user_namespace, false);
	snprintf(options + n, sizeof(options) - n, ",upperdir=u/upper,workdir=u/work,xino=off");
	MUST(mkdir("root", 0755), "make a folder");
	begin_as(l->first_id);
	if ((mkdir("u/upper", 0755) != 0 || mkdir("u/work", 0700) != 0) && errno != EEXIST)
		give_up("make the upper layer");
	MUST(mount("overlay", "root", "overlay", MS_NOATIME, options), "mount the root file system");
}

static void make_node(const char *path, mode_t mode, dev_t device)
{
	MUST(mknod(path, mode, device), "make a device node");
	MUST(chmod(path, mode & 07777), "give a node its mode");
}

/* A file system of the stager's: only there device nodes work. */
static void make_dev(const struct launch *l)
{
	static const struct {
		const char *path;
		mode_t mode;
		unsigned major, minor;
	} nodes[] = {{"root/dev/null", S_IFCHR | 0666, 1, 3}, {"root/dev/zero", S_IFCHR | 0666, 1, 5},
		{"root/dev/full", S_IFCHR | 0666, 1, 7}, {"root/dev/random", S_IFCHR | 0666, 1, 8},
		{"root/dev/urandom", S_IFCHR | 0666, 1, 9}, {"root/dev/tty", S_IFCHR | 0666, 5, 0}};
	static const char *const links[][2] = {{"/proc/self/fd", "root/dev/fd"}, {"/proc/self/fd/0", "root/dev/stdin"},
		{"/proc/self/fd/1", "root/dev/stdout"}, {"/proc/self/fd/2", "root/dev/stderr"},
		{"pts/ptmx", "root/dev/ptmx"}};
	static const char *const folders[] = {"root/dev/pts", "root/dev/shm", "root/dev/mqueue"};
	char options[80], path[64];
	snprintf(options, sizeof(options), "mode=755,size=512k,uid=%u,gid=%u", l->first_id, l->first_id);
	if (mkdir("root/dev", 0755) != 0 && errno != EEXIST) give_up("make /dev");
	MUST(mount("dev", "root/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, options), "mount /dev");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		make_node(nodes[i].path, nodes[i].mode, makedev(nodes[i].major, nodes[i].minor));
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		MUST(symlink(links[i][0], links[i][1]), "make a link of /dev");
	for (size_t i = 0; i < 3; i++) MUST(mkdir(folders[i], 0755), "make a folder of /dev");
	for (size_t i = 0; i < l->n_nodes; i++) {
		snprintf(path, sizeof(path), "root/dev/%s", l->nodes[i].name);
		make_node(path, S_IFBLK | 0660, l->nodes[i].device);
	}
}

static int make_file(const char *path, const char *content)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0444);
	MUST(fd, "make a file");
	size_t n = strlen(content);
	MUST(write(fd, content, n) == (ssize_t)n ? 0 : -1, "write a file");
	return fd;
}

/* ── the machine's first process ──────────────────────────────────────────────────────────────────────────────── */

static void hide_folder(const char *path)
{
	unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	if (mount("none", path, "tmpfs", flags, "size=4k,nr_inodes=1") != 0 && errno != ENOENT)
		give_up("hide a folder");
}

/* As root of the host: what root inside may not take away. */
static void mount_locked(const struct launch *l)
{
	static const char *const files[] = {"root/proc/kcore", "root/proc/keys", "root/proc/key-users",
		"root/proc/sysrq-trigger", "root/proc/timer_list", "root/proc/sched_debug", "root/proc/kmsg",
		"root/proc/kallsyms", "root/proc/config.gz", "root/proc/cmdline", "root/proc/vmallocinfo",
		"root/proc/slabinfo", "root/proc/pagetypeinfo"};
	static const char *const folders[] = {"root/proc/acpi", "root/proc/scsi", "root/proc/driver", "root/proc/bus"};
	unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char options[128];
	MUST(mount("proc", "root/proc", "proc", plain, NULL), "mount /proc");
	/* The network whose devices it shows is nobody's: the machine's own lies over it. */
	MUST(setns(l->empty_network, CLONE_NEWNET), "enter an empty network");
	MUST(mount("sysfs", "root/sys", "sysfs", plain | MS_RDONLY, NULL), "mount /sys");
	snprintf(options, sizeof(options), "newinstance,ptmxmode=0666,mode=0620,gid=%u", l->first_id + 5);
	MUST(mount("devpts", "root/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options), "mount /dev/pts");
	snprintf(options, sizeof(options), "mode=1777,size=%llu,uid=%u,gid=%u", (unsigned long long)l->shm_bytes,
		l->first_id, l->first_id);
	MUST(mount("shm", "root/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options), "mount /dev/shm");
	snprintf(options, sizeof(options), "mode=755,size=%llu,uid=%u,gid=%u", (unsigned long long)l->run_bytes,
		l->first_id, l->first_id);
	MUST(mount("run", "root/run", "tmpfs", MS_NOSUID | MS_NODEV, options), "mount /run");
	MUST(mount("meminfo", "root/proc/meminfo", NULL, MS_BIND, NULL), "bind /proc/meminfo");
	MUST(mount("cpuinfo", "root/proc/cpuinfo", NULL, MS_BIND, NULL), "bind /proc/cpuinfo");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (mount("root/dev/null", files[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT)
			give_up("hide a file of /proc");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) hide_folder(folders[i]);
}

static void turn_root(void)
{
	MUST(chdir("root"), "enter the root");
	MUST(syscall(SYS_pivot_root, ".", "."), "turn the root");
	MUST(umount2(".", MNT_DETACH), "leave the host's root");
	MUST(chdir("/"), "enter the new root");
}

/* As root inside: what shows its own namespaces. */
static void mount_own(void)
{
	static const char *const folders[] = {"/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing",
		"/sys/fs/bpf", "/sys/module", "/sys/dev/block", "/sys/block"};
	unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	MUST(mount("sysfs", "/sys", "sysfs", plain | MS_RDONLY, NULL), "mount its /sys");
	MUST(mount("mqueue", "/dev/mqueue", "mqueue", plain, NULL), "mount /dev/mqueue");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) hide_folder(folders[i]);
}

/* init's descriptors stand where control.h says. Those to be moved first go above all of them. */
static void place_descriptors(const struct launch *l, int meminfo)
{
	int from[INIT_FDS_END] = {-1, -1, -1, l->control, l->agent, l->console, l->config, meminfo, l->memory, -1};
	int program = fcntl(l->program, F_DUPFD_CLOEXEC, 64), report = fcntl(report_fd, F_DUPFD_CLOEXEC, 64);
	for (int i = INIT_FD_CONTROL; i < INIT_FDS_END; i++)
		if (from[i] >= 0) MUST(from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64), "keep a descriptor");
	MUST(program, "keep init"), MUST(report, "keep the report");
	report_fd = report;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	MUST(null, "open /dev/null");
	for (int i = 0; i < 3; i++) MUST(dup2(null, i), "place a descriptor");
	for (int i = INIT_FD_CONTROL; i < INIT_FDS_END; i++) {
		if (from[i] >= 0)
			MUST(dup2(from[i], i), "place a descriptor");
		else
			close(i);
	}
	MUST(dup2(program, 20), "place init");
	/* The report goes with the exec, which is how the stager's parent learns that all is well. */
	MUST(dup3(report_fd, 21, O_CLOEXEC), "place the report");
	report_fd = 21;
	MUST(syscall(SYS_close_range, 22u, ~0u, 0u), "close the rest");
	MUST(syscall(SYS_close_range, (unsigned)INIT_FDS_END, 19u, 0u), "close the rest");
	MUST(fcntl(20, F_SETFD, FD_CLOEXEC), "mark init");
}

static _Noreturn void become_init(const struct launch *l, int user_namespace, int network, int meminfo)
{
	char *argv[] = {(char[]){"init"}, NULL}, *environment[] = {NULL};
	int notify = -1;
	setsid();
	die_with(0);
	mount_locked(l);
	turn_root();
	MUST(setns(user_namespace, CLONE_NEWUSER), "enter the user namespace");
	MUST(setresgid(0, 0, 0), "be its root"), MUST(setresuid(0, 0, 0), "be its root");
	MUST(setns(network, CLONE_NEWNET), "enter its network");
	MUST(unshare(NAMESPACES), "make the machine's namespaces");
	mount_own();
	/* Before anything is closed: the agent's lock too, which a new agent waits for. */
	die_with(0);
	wait_for_go();
	MUST(prctl(PR_SET_PDEATHSIG, 0), "live on without the agent");
	place_descriptors(l, meminfo);
	MUST(sethostname(l->hostname, strlen(l->hostname)), "set the host name");
	spawn_clean_signals();
	umask(022);
	MUST(guard_capabilities() ? 0 : -1, "give up capabilities");
	MUST(guard_system_calls(&notify) ? 0 : -1, "filter system calls");
	MUST(dup2(notify, INIT_FD_NOTIFY), "place the filter's descriptor");
	/* It may have been there already, to be closed by exec. */
	MUST(fcntl(INIT_FD_NOTIFY, F_SETFD, 0), "keep the filter's descriptor");
	syscall(SYS_execveat, 20, "", argv, environment, AT_EMPTY_PATH);
	give_up("run init");
}

static void make(struct launch *l, enum launch_part part, const char *step)
{
	MUST(l->make(l->make_ctx, part, l) ? 0 : -1, step);
}

/* Three things go side by side in the stager, for each makes the kernel wait for a few milliseconds: the root volume's device
 * and mount; the control groups, the first write to whose doors waits for all processors; and the network namespace, whose
 * interfaces the agent plugs in meanwhile. */
struct beside {
	struct launch *l;
	struct holder holder;
	int network;
	pthread_t groups, net;
};

static void *enter_groups(void *ctx)
{
	struct launch *l = ((struct beside *)ctx)->l;
	make(l, LAUNCH_GROUPS, "make its control groups");
	size_t late = l->doors.n - (l->doors.devices ? 1 : 0);
	MUST(cgroup_enter(&l->doors, 0, late) ? 0 : -1, "enter the control groups");
	return NULL;
}

static void *make_network(void *ctx)
{
	struct beside *b = ctx;
	b->network = held_network(&b->holder);
	MUST(b->network, "make a network");
	tell((struct launch_report){.network = b->network}, "tell of the network");
	return NULL;
}

static void begin(pthread_t *t, void *(*fn)(void *), struct beside *b)
{
	errno = pthread_create(t, NULL, fn, b);
	MUST(errno ? -1 : 0, "begin a thread");
}

static _Noreturn void stage(struct launch *l, pid_t agent)
{
	struct beside b = {.l = l};
	die_with(agent);
	make(l, LAUNCH_VOLUME, "make its root volume ready");
	begin(&b.groups, enter_groups, &b);
	int user_namespace = make_user_namespace(&b.holder, l->first_id);
	MUST(user_namespace, "make a user namespace");
	begin(&b.net, make_network, &b);
	make(l, LAUNCH_DEVICE, "make a device of its root volume");
	MUST(unshare(CLONE_NEWNS), "make a mount namespace");
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "keep mounts apart");
	MUST(mount("stage", l->stage, "tmpfs", MS_NOSUID, "mode=755,size=16m"), "mount the stage");
	MUST(chdir(l->stage), "enter the stage");
	umask(0);
	mount_overlay(l, user_namespace);
	make_dev(l);
	static const char *const folders[] = {"root/proc", "root/sys", "root/run"};
	for (size_t i = 0; i < 3; i++)
		if (mkdir(folders[i], 0755) != 0 && errno != EEXIST) give_up("make a folder of the root");
	int meminfo = make_file("meminfo", l->meminfo);
	close(make_file("cpuinfo", l->cpuinfo));
	end_as();
	die_with(agent);
	pthread_join(b.groups, NULL), pthread_join(b.net, NULL);
	make(l, LAUNCH_LIMITS, "limit its root volume");
	if (l->doors.devices)
		MUST(cgroup_enter(&l->doors, l->doors.n - 1, l->doors.n) ? 0 : -1, "enter the devices' control group");
	MUST(unshare(CLONE_NEWPID), "make a pid namespace");
	/* The agent's child: it outlives this process, and its end is the agent's to see. */
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0UL);
	MUST(pid, "start the first process");
	if (pid == 0) become_init(l, user_namespace, b.network, meminfo);
	struct launch_report r = {.pid = pid, .root_number = l->root_number};
	memcpy(r.root_device, l->root_device, sizeof(r.root_device));
	tell(r, "tell of the first process");
	close(report_fd);
	holder_end(&b.holder);
	/* What mounting did not wait for. */
	_exit(l->fresh && fdatasync(l->root) != 0);
}

status launch_begin(const struct launch *l, struct launched *out)
{
	int report[2], go[2];
	*out = (struct launched){-1, -1, -1};
	if (pipe2(report, O_CLOEXEC) != 0) return STATUS(IO);
	if (pipe2(go, O_CLOEXEC) != 0) {
		close(report[0]), close(report[1]);
		return STATUS(IO);
	}
	pid_t agent = getpid();
	*out = (struct launched){fork(), report[0], go[1]};
	if (out->stager == 0) {
		struct launch own = *l;
		close(report[0]), close(go[1]);
		report_fd = report[1], go_fd = go[0];
		stage(&own, agent);
	}
	close(report[1]), close(go[0]);
	if (out->stager > 0) return OK;
	int why = errno;
	close(report[0]), close(go[1]);
	errno = why;
	return STATUS(IO);
}

status launch_next(const struct launched *l, struct launch_report *out)
{
	ssize_t n;
	do {
		n = read(l->report, out, sizeof(*out));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(*out) ? OK : STATUS(NOT_FOUND);
}
