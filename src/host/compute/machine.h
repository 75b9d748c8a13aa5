/* Machines: isolated Linux systems that the host agent starts, and which live on when it, or virga, is killed. Root
 * inside is a nobody outside: user, pid, mount, network, uts, ipc and cgroup namespaces of their own, a seccomp filter,
 * a range of 65,536 user ids that nobody else has, limits of processor, memory, processes and disk. The root file
 * system is an image (image.h) below the machine's own root volume, a sparse file with a real file system in it.
 *
 * Start is idempotent: a machine that stands stays as it is. Order with the network: start the machine first (its place
 * then stands), then apply the VPC; the machine's init waits for eth0 before it runs user data.
 *
 * All may block for milliseconds; stop returns at once and the end comes as HOST_MACHINE_ENDED (and in
 * host_machine_list). Answers beside those of host.h: INVALID a record that cannot be, with *why; NOT_FOUND no such
 * machine; BUSY as told. */
#pragma once
#include "compute_state.h"
#include "host/host.h"

/* BUSY: its image is still being built (*why tells), or its last life is just ending: try again. LIMIT: no more room
 * for machines. */
status host_machine_start(
	struct host *h, struct arena *a, const struct compute_rec_machine *m, struct str *why) MUST_USE;
/* Asks its services to end, kills them after grace_ms; with force at once. Ended ones are OK. */
status host_machine_stop(struct host *h, struct str id, bool force) MUST_USE;
/* The same namespaces and interfaces, everything else anew. User data does not run again. */
status host_machine_reboot(struct host *h, struct str id) MUST_USE;
/* What stands of all machines of this installation, also those that ended since the agent began. */
status host_machine_list(struct host *h, struct arena *a, struct compute_rec_machine_statuses *out) MUST_USE;
status host_machine_status(
	struct host *h, struct arena *a, struct str id, struct compute_rec_machine_status *out) MUST_USE;
/* Freezes every process of it, with its file systems' dirty pages written: for snapshots of volumes. */
status host_machine_pause(struct host *h, struct str id, bool paused) MUST_USE;
/* Keys of a running machine (Instance Connect), in the place of those that it was given so before: lines of
 * authorized_keys, each behind the name of the user whom it lets in. */
status host_machine_keys(struct host *h, struct str id, const struct compute_rec_strings *keys) MUST_USE;
/* Interfaces that were plugged in or out, or whose addresses changed; the whole list. */
status host_machine_nics(struct host *h, struct str id, const struct compute_rec_nics *nics, struct str *why) MUST_USE;

/* ── commands inside ──
 * Without tty: fds are its standard input, output and error (they stay the caller's). With tty: fds is NULL, and the
 * terminal's other side arrives on *control.
 * *control, yours to close, is a SOCK_SEQPACKET. From it come: with a tty one message "t" with the terminal's
 * descriptor (SCM_RIGHTS); then, at the end, "x" and the exit code in one byte (128 + the signal's number as in a
 * shell; 127 not found, 126 not to be run). To it may be sent "s" and a signal's number. Closing it sends SIGHUP. */
status host_machine_exec(struct host *h, struct arena *a, const struct compute_rec_machine_exec *e, const int fds[3],
	int *control, struct str *why) MUST_USE;
/* The next message of it. Blocks. *terminal is -1 unless one came. True: it has ended, with *exit_code. */
status host_exec_wait(int control, int *terminal, bool *ended, int *exit_code) MUST_USE;

/* ── volumes ──
 * The file has to be there (volume.h). BUSY: the device's name is taken, or (detach) it is mounted inside. One that is
 * attached so already is OK. */
status host_machine_attach(
	struct host *h, struct arena *a, struct str id, const struct compute_rec_volume *v, struct str *why) MUST_USE;
status host_machine_detach(struct host *h, struct str id, struct str volume) MUST_USE;
/* After its file has grown, or to change its limits; also for the root volume ("root" or its id), whose file system
 * grows with it. */
status host_machine_volume_changed(struct host *h, struct str id, const struct compute_rec_volume *v) MUST_USE;

/* ── images ── */
/* What there is; "default" is Debian 12, and its building begins when this is asked first. */
status host_image_list(struct host *h, struct arena *a, struct compute_rec_image_statuses *out) MUST_USE;
/* Unpacks an archive (a root file system's tar, an OCI image layout or `docker save` as tar; any compression that
 * libarchive knows) from a descriptor that stays the caller's. Blocks until done. INVALID with *why. BUSY: the name is
 * taken. */
status host_image_import(struct host *h, struct arena *a, struct str name, int fd, struct str *why) MUST_USE;
/* BUSY: a machine stands on it. */
status host_image_remove(struct host *h, struct str name) MUST_USE;

/* ── the console: a file that the machine's init writes, read by virga itself ── */
#define HOST_CONSOLE_MAX (64u << 10)
/* What was written last, at most HOST_CONSOLE_MAX bytes, from its beginning. path is absolute. NOT_FOUND. */
status host_console_read(struct arena *a, const char *path, struct str *out) MUST_USE;
