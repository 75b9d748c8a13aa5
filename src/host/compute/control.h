/* What the agent and a machine's init say to each other, over a SOCK_SEQPACKET: one message is a head and its payload.
 * Shared by both; what comes from init is not trusted, since root inside may have become it.
 *
 * The descriptors that init finds when it starts. It holds the agent's end of the socket as well: an agent that comes
 * later takes it from there (pidfd_getfd(2)). Its program is a memfd that cannot be read, so nobody inside may trace it
 * or take descriptors. */
#pragma once
#include <stdint.h>

#define INIT_FD_CONTROL 3
#define INIT_FD_AGENT 4   /* the other end, kept for the next agent */
#define INIT_FD_CONSOLE 5 /* the ring: console.h */
#define INIT_FD_CONFIG 6  /* read once */
#define INIT_FD_MEMINFO 7 /* what the machine sees as /proc/meminfo */
#define INIT_FD_MEMORY 8  /* the control group's memory.stat; may be missing */
#define INIT_FD_NOTIFY 9  /* the filter of system calls', for the agent: mounts.h */
#define INIT_FDS_END 10

enum control_kind {
	/* from the agent */
	CONTROL_EXEC = 1, /* payload: see below; descriptors: its control socket, then none or three */
	CONTROL_STOP,     /* value: grace in ms */
	CONTROL_REBOOT,
	CONTROL_NICS,  /* payload: nic lines of the configuration */
	CONTROL_KEYS,  /* payload: lines of authorized_keys, each behind a user */
	CONTROL_HOLD,  /* value: a number; descriptor: a block device, kept open until told otherwise */
	CONTROL_DROP,  /* value */
	CONTROL_GRACE, /* value: milliseconds */
	/* from init */
	CONTROL_READY = 32, /* it has booted */
	CONTROL_USER_DATA,  /* value: -1 runs, else the exit code */
	CONTROL_STOPPING,
	CONTROL_DROPPED, /* value */
};
struct control_head {
	uint32_t kind;
	int32_t value;
	uint32_t length; /* of the payload */
	uint32_t count;
};
#define CONTROL_PAYLOAD_MAX (48u << 10)

/* EXEC's payload: flags, then NUL-terminated texts: directory, user, then `count` times argv, then the environment.
 * value: rows << 16 | columns; count: of argv, CONTROL_TTY set for a terminal. */
#define CONTROL_TTY 0x80000000u

/* The configuration: lines "key length\n" each followed by so many bytes and "\n". Keys: id, hostname, grace, memory,
 * vcpus, nic (device mac mtu gateway|- gateway6|- address,…|- address6,…|-), dns (addresses, spaces), domain, keys,
 * userdata. */

/* The console's file: a head, then CONSOLE_RING bytes; `total` counts all bytes that were ever written. */
#define CONSOLE_RING (64u << 10)
#define CONSOLE_MAGIC 0x31736e6f43677256ull
struct console_head {
	uint64_t magic, total;
	int32_t why;       /* enum console_why of the last end; 0: it runs, or was killed */
	int32_t boots;     /* including reboots */
	int32_t user_data; /* -2 none, -1 runs, else the exit code */
	int32_t ready;     /* has booted, this time */
	uint64_t unused[4];
};
enum console_why { CONSOLE_RUNS, CONSOLE_STOPPED, CONSOLE_POWEROFF, CONSOLE_FAILED };
