/* A machine's first process: a static program that the agent runs from memory, so that it works in any image. It brings
 * the network up, runs user data, answers ssh, runs commands for the agent, reaps, and ends the machine cleanly. It
 * knows nothing of AWS and asks nobody: its configuration comes with it.
 *
 * One thread, one poll loop, one struct: each file below has a part of it. It may not fail: what goes wrong is said on
 * the console. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "host/compute/control.h"
#include <poll.h>
#include <stdio.h>
#include <sys/types.h>

#define NICS_MAX 16
#define ADDRESSES_MAX 64
#define SESSIONS_MAX 64
#define HELD_MAX 32

struct nic {
	int device, mtu;
	struct str mac, gateway, gateway6;
	struct str addresses, addresses6; /* comma-separated, with prefix lengths */
	bool up;
};
struct config {
	struct str id, hostname, dns, domain, keys, user_data, authority, authority_hash;
	int64_t grace_ms, memory_bytes;
	struct nic nics[NICS_MAX];
	size_t n_nics;
};
struct session {
	pid_t pid;
	int control; /* -1: free */
};
struct held {
	int number, fd;
};
enum phase { PHASE_BOOTING, PHASE_RUNNING, PHASE_STOPPING };

struct init {
	struct arena arena; /* of the configuration */
	struct config config;
	struct console_head console;
	enum phase phase;
	int signals, fifo, netlink, ssh, watch; /* watch: inotify of /proc/meminfo */
	int64_t network_deadline_ms, stop_deadline_ms;
	bool reboot; /* stopping: what then */
	enum console_why why;
	pid_t user_data;
	int ssh_children;
	struct session sessions[SESSIONS_MAX];
	struct held held[HELD_MAX];
	char *mounts; /* of a fresh machine: /proc/self/mounts */
};

int64_t now_ms(void);

/* config.c */
void config_read(struct init *in);
/* "device mac mtu gateway gateway6 addresses addresses6", one a line. False: nonsense. */
bool config_nics(struct config *c, struct str lines);

/* console.c */
void console_open(struct init *in);
void console_save(struct init *in); /* the head */
void console_write(struct init *in, const char *p, size_t n);
void console_say(struct init *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* net.c */
void net_begin(struct init *in);   /* lo, and a socket that tells of links */
void net_changed(struct init *in); /* something was told, or should be looked at again */
bool net_complete(const struct init *in);

/* files.c: of the machine */
void files_prepare(struct init *in); /* host name, resolver, hosts */
void files_keys(struct init *in);    /* authorized_keys of root and the image's user */
void files_temporary_keys(struct str lines);
bool file_write(const char *path, struct str content, mode_t mode);
/* The whole file, in the arena; STR_NONE. */
struct str file_read(struct arena *a, const char *path, size_t max);
bool make_folders(const char *path, mode_t mode);

/* users.c */
struct user {
	uid_t uid;
	gid_t gid;
	char name[64], home[256], shell[128];
};
bool user_find(const char *name, struct user *out);
/* Becomes that user, with all groups. */
bool user_become(const struct user *u);

/* run.c: children */
struct command {
	const char *const *argv, *const *environment; /* environment: beside the usual one */
	const char *directory, *user;
	int fds[3];   /* -1: the console */
	int terminal; /* the slave side, or -1 */
};
pid_t run_start(struct init *in, const struct command *c);
/* In a child of init: runs it and waits. Its exit code as a shell tells it. */
int run_wait(const char *const argv[], int input);
void run_child_signals(void);
int exit_code_of(int how);

/* exec.c: sessions */
void exec_begin(struct init *in, const struct control_head *h, struct str payload, int *fds, size_t n_fds);
void exec_input(struct init *in, struct session *s);
void exec_ended(struct init *in, pid_t pid, int how);

/* ssh.c */
void ssh_listen(struct init *in);
void ssh_accept(struct init *in);

/* agent.c: what comes to the console, for who collects logs; and the agent that does, where it is configured */
void system_log_write(const char *p, size_t n);
void agent_begin(void);

/* userdata.c */
void user_data_begin(struct init *in);
/* In its own process. */
int user_data_run(struct str text);
/* cloudconfig.c: in the same. False: not to be understood. *failed: exit code of the first command that failed. */
bool cloud_config_run(struct str text, int *failed);
/* multipart.c: calls fn for each part; false where it is no MIME message of parts. */
bool multipart_each(
	struct arena *a, struct str text, void (*fn)(void *ctx, struct str type, struct str body), void *ctx);

/* meminfo.c */
void meminfo_write(struct init *in);

/* control.c */
void control_input(struct init *in);
void control_tell(enum control_kind kind, int32_t value);

/* main.c */
void stop_begin(struct init *in, bool reboot, enum console_why why);
