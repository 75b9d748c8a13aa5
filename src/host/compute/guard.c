/* See guard.h. The filter is classic BPF (seccomp(2)), made from two tables; it costs some 40 comparisons at most. */
#include "host/compute/guard.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define GUARD_ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define GUARD_ARCH AUDIT_ARCH_AARCH64
#endif

/* What stays: what a server's root does, within its own namespaces. */
static const unsigned char kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL,
	CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_NET_BROADCAST, CAP_NET_ADMIN, CAP_NET_RAW,
	CAP_IPC_LOCK, CAP_IPC_OWNER, CAP_SYS_CHROOT, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_SYS_NICE, CAP_SYS_RESOURCE,
	CAP_AUDIT_WRITE, CAP_SETFCAP};

bool guard_capabilities(void)
{
	uint64_t keep = 0;
	for (size_t i = 0; i < sizeof(kept); i++) keep |= 1ull << kept[i];
	for (int c = 0; c < 64; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_READ, c) == 1 && prctl(PR_CAPBSET_DROP, c) != 0) return false;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};
	if (syscall(SYS_capget, &head, d) != 0) return false;
	for (int i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(keep >> 32 * i);
		d[i].effective &= part, d[i].permitted &= part, d[i].inheritable = 0;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, d) == 0;
}

struct denied {
	uint16_t number;
	uint16_t error;
};
#define NO(name)                                                                                                       \
	{                                                                                                              \
		SYS_##name, EPERM                                                                                      \
	}
static const struct denied denied[] = {
	/* keys: the kernel's keyrings are not divided by namespaces as one thinks */
	NO(add_key),
	NO(request_key),
	NO(keyctl),
	/* programs in the kernel, and looking into it */
	NO(bpf),
	NO(perf_event_open),
	NO(userfaultfd),
	NO(lookup_dcookie),
	NO(process_vm_writev),
	NO(kcmp),
	/* the kernel itself */
	NO(kexec_load),
	NO(kexec_file_load),
	NO(init_module),
	NO(finit_module),
	NO(delete_module),
	NO(reboot),
	NO(syslog),
	NO(swapon),
	NO(swapoff),
	NO(acct),
	NO(quotactl),
	NO(quotactl_fd),
	NO(nfsservctl),
	NO(vhangup),
	/* time of the whole machine */
	NO(settimeofday),
	NO(clock_settime),
	NO(clock_adjtime),
	NO(adjtimex),
	/* files by handle get around paths, and so around mounts */
	NO(open_by_handle_at),
	NO(name_to_handle_at),
	/* memory policy of the host */
	NO(move_pages),
	NO(migrate_pages),
#ifdef SYS_iopl
	NO(iopl),
	NO(ioperm),
	NO(uselib),
	NO(ustat),
	NO(sysfs),
	NO(_sysctl),
	NO(create_module),
	NO(get_kernel_syms),
	NO(query_module),
	NO(modify_ldt),
#endif
	/* a large and young part of the kernel; programs do without */
	{SYS_io_uring_setup, ENOSYS},
	{SYS_io_uring_enter, ENOSYS},
	{SYS_io_uring_register, ENOSYS},
	/* the other way to mount, which the agent could not follow: mount(8) falls back on mount(2) */
	{SYS_fsopen, ENOSYS},
	{SYS_fsconfig, ENOSYS},
	{SYS_fspick, ENOSYS},
	/* its flags lie in memory, where a filter cannot look: libc falls back on clone(2) */
	{SYS_clone3, ENOSYS},
};
#define N_DENIED (sizeof(denied) / sizeof(*denied))

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOW(n) (offsetof(struct seccomp_data, args) + 8u * (n))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, (v))
#define ERRNO(e) (SECCOMP_RET_ERRNO | ((uint32_t)(e)&SECCOMP_RET_DATA))

/* A new user namespace, whose root has all capabilities again, is refused: clone(2)'s and unshare(2)'s first argument.
 */
static size_t put_user_namespaces(struct sock_filter *f, size_t n)
{
	static const uint32_t calls[] = {SYS_clone, SYS_unshare};
	for (size_t i = 0; i < 2; i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 4);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(0));
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1);
		f[n++] = (struct sock_filter)RETURN(ERRNO(EPERM));
		f[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	}
	return n;
}

/* A new mount of a file system asks the agent; a bind, a move, a remount do not concern it. */
static size_t put_mounts(struct sock_filter *f, size_t n)
{
	static const uint32_t others =
		MS_BIND | MS_MOVE | MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 0, 4);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(3));
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, others, 0, 1);
	f[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	f[n++] = (struct sock_filter)RETURN(SECCOMP_RET_USER_NOTIF);
	return n;
}

bool guard_system_calls(int *notify)
{
	struct sock_filter f[2 * N_DENIED + 32];
	size_t n = 0;
	f[n++] = (struct sock_filter)LOAD(arch);
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GUARD_ARCH, 1, 0);
	/* Another architecture's calls (32 bits) have other numbers. */
	f[n++] = (struct sock_filter)RETURN(ERRNO(ENOSYS));
	f[n++] = (struct sock_filter)LOAD(nr);
#ifdef X32_BIT
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	f[n++] = (struct sock_filter)RETURN(ERRNO(ENOSYS));
#endif
	n = put_user_namespaces(f, n);
	n = put_mounts(f, n);
	for (size_t i = 0; i < N_DENIED; i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i].number, 0, 1);
		f[n++] = (struct sock_filter)RETURN(ERRNO(denied[i].error));
	}
	f[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	struct sock_fprog p = {.len = (unsigned short)n, .filter = f};
	*notify = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p);
	return *notify >= 0;
}
