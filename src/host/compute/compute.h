/* The agent's machines: what stands, in memory and in RUN/machines/ID, one record each, from which a later agent finds
 * them again. Inside host/ only; the agent has one thread.
 *
 * A machine's life: launched (booting), ready (running), asked to end (stopping), ended. What it had of the host goes
 * by itself with its processes (mounts, loop devices); the rest (control groups, name of its network namespace, ids,
 * this record) goes when its end is noticed, by this agent or the next. */
#pragma once
#include "base/map.h"
#include "compute_state.h"
#include "host/agent.h"
#include "host/compute/cgroup.h"
#include "host/compute/control.h"
#include "host/compute/image.h"
#include "host/seal/sealer.h"

#define VOLUMES_MAX 24

enum machine_state { MACHINE_BOOTING, MACHINE_RUNNING, MACHINE_STOPPING, MACHINE_ENDED };
struct attached {
	char id[64], file[256], name[32]; /* name: of its node */
	char loop[32];
	dev_t device;
	struct sealer sealer; /* pid 0: not sealed */
	uint64_t detaching;   /* the request that waits; 0: none */
};
struct machine {
	struct compute *c;
	char id[64];
	enum machine_state state;
	pid_t pid;
	int notify;                  /* of mounts.h; -1 */
	int pidfd, control, console; /* -1 when it has ended */
	int64_t started;             /* as in /proc/PID/stat */
	int slot;
	int64_t born_us, grace_ms, kill_at_ms; /* kill_at_ms: 0: nobody waits for its end */
	bool paused;
	uint64_t ended; /* the how many-th it was to end; 0: it has not */
	char root[256], console_path[256], image[130], root_loop[32];
	dev_t root_device;
	struct sealer root_sealer;
	struct attached volumes[VOLUMES_MAX];
	size_t n_volumes;
	struct staging *staging; /* NULL: it is not on its way (staging.h) */
	const char *why;         /* of its end */
	int32_t user_data;       /* of its end: as in console_head */
};
struct compute {
	struct agent *g;
	struct cgroups *cgroups;
	struct map machines; /* of struct machine */
	uint64_t ends;       /* of machines, so far */
	int empty_network;
	int program;                                     /* init; -1 until the first launch */
	int data;                                        /* the data folder */
	int timer;                                       /* of kill_at_ms */
	char *machines_dir, *stage, *images, *templates; /* with a trailing slash, but stage */
	char *sealers;                                   /* the file that they hold locked */
	pid_t builder;                                   /* of the default image; 0: nobody builds */
	int builder_fd;
	bool build_failed;
	struct engines *engines; /* ../engines/engines.h */
};

/* ── table.c ── */
struct machine *compute_find(struct compute *c, struct str id); /* NULL */
/* Before anything is made: folders and groups, which compute_clear takes away. */
void compute_ready(struct compute *c);
struct machine *machine_new(struct compute *c, struct str id);
void machine_save(struct machine *m);
/* It runs: watch it. */
void machine_watch(struct machine *m);
/* It runs no more: gives back what it had, tells virga. */
void machine_end(struct machine *m, int exit_status, bool known);
void machine_forget(struct machine *m);
void machine_send(struct machine *m, const struct control_head *h, struct str payload, const int *fds, size_t n_fds);
void machine_kill_later(struct machine *m, int64_t ms);
int64_t compute_now_ms(void);
/* The start time of a process, in ticks since boot; -1. */
int64_t process_started(pid_t pid);
struct console_head machine_console(const struct machine *m);

/* ── of files below the data folder: no links, nothing above it. -1 with errno ── */
int data_open(struct compute *c, struct arena *a, struct str path, int flags);

/* ── slots.c: ranges of user ids, told apart between all installations of this host ── */
#define SLOT_FIRST_ID 1000000000u
int slot_take(struct str owner); /* -1: none is left */
void slot_release(int slot);

/* ── volumes.c ── */
/* "/dev/sdf" -> "xvdf": the node's name; false: not a name of a block device. */
bool device_name(struct str device, char out[static 32]);
/* A volume's bytes: its file; with a key, what a sealer makes of it. *plain is the caller's. */
status plain_open(struct compute *c, struct arena *a, struct str file, struct str key, struct sealer *sealer,
	int *plain, struct str *why) MUST_USE;
/* The same of a file that only one sealer may have at a time: BUSY. */
status plain_open_alone(struct compute *c, struct arena *a, struct str file, struct str key, struct sealer *sealer,
	int *plain, struct str *why) MUST_USE;
/* A loop device on that. *fd is the device, the caller's. */
status plain_device(
	int plain, const struct sealer *sealer, int *fd, dev_t *number, char loop[static 32], struct str *why) MUST_USE;
/* The one that stands: by its sealer, or else its file. */
status device_find(struct compute *c, struct arena *a, struct str file, const struct sealer *sealer, dev_t *number,
	char loop[static 32]) MUST_USE;
/* Sets the loop device up, in the machine's memory of it. *fd is the device, to be held by init. */
status attached_open(struct machine *m, struct arena *a, const struct compute_rec_volume *v, struct attached *out,
	int *fd, struct str *why) MUST_USE;
void volume_dropped(struct machine *m, int number);

/* ── images.c ── */
/* BUSY with *why while it is being built. */
status compute_image(
	struct compute *c, struct arena *a, struct str name, struct image_layers *out, struct str *why) MUST_USE;
