/* Volumes of a machine that runs: attach, detach, change. A volume is a loop device whose node is made in the machine's
 * /dev from outside; init holds the device open, so that it lives as long as the machine and no longer. */
#include "base/log.h"
#include "host/compute/compute.h"
#include "host/compute/door.h"
#include "host/compute/launch.h"
#include "host/compute/loop.h"
#include "host/compute/operations.h"
#include "host/compute/spawn.h"
#include "host/compute/staging.h"
#include "host/seal/sealed.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <openssl/crypto.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DISK_GROUP 6 /* Debian's "disk" */

/* Instances of the Nitro kind show /dev/sdf as it was asked for by a link; Xen's as /dev/xvdf. The node is named as the
 * kernel of most images names it: "Device names for volumes on Amazon EC2 instances", Amazon EC2 User Guide. */
bool device_name(struct str device, char out[static 32])
{
	if (!str_has(device)) return false;
	if (str_starts(device, STR("/dev/"))) device = str_from(device, 5);
	if (device.n < 3 || device.n > 20) return false;
	for (size_t i = 0; i < device.n; i++)
		if (!((device.p[i] >= 'a' && device.p[i] <= 'z') || (device.p[i] >= '0' && device.p[i] <= '9')))
			return false;
	bool known = str_starts(device, STR("sd")) || str_starts(device, STR("xvd")) || str_starts(device, STR("nvme"));
	if (!known) return false;
	if (str_starts(device, STR("sd")))
		snprintf(out, 32, "xvd%.*s", STR_ARG(str_from(device, 2)));
	else
		snprintf(out, 32, "%.*s", STR_ARG(device));
	return true;
}

static status open_plain(struct compute *c, struct arena *a, struct str file, struct str key, bool alone,
	struct sealer *sealer, int *plain, struct str *why)
{
	*sealer = (struct sealer){0};
	*plain = data_open(c, a, file, O_RDWR);
	if (*plain < 0) {
		*why = str_fmt(a, "the volume's file cannot be opened: %s", strerror(errno));
		return errno == ENOENT ? STATUS(NOT_FOUND) : STATUS(IO);
	}
	if (!str_has(key)) return OK;
	int sealed = *plain;
	/* The lock is the open file's, which the sealer has from us: it ends with the sealer. */
	if (alone && flock(sealed, LOCK_EX | LOCK_NB) != 0) {
		*why = STR("somebody still has it open");
		close(sealed);
		*plain = -1;
		return STATUS(BUSY);
	}
	struct sealer_plan p = {.file = sealed, .key = key, .stage = c->stage, .lock = c->sealers};
	*plain = -1;
	status s = key.n == SEALED_KEY ? sealer_start(a, &p, plain, sealer, why) : STATUS(INVALID);
	close(sealed);
	return s;
}

status plain_open(struct compute *c, struct arena *a, struct str file, struct str key, struct sealer *sealer,
	int *plain, struct str *why)
{
	return open_plain(c, a, file, key, false, sealer, plain, why);
}

status plain_open_alone(struct compute *c, struct arena *a, struct str file, struct str key, struct sealer *sealer,
	int *plain, struct str *why)
{
	return open_plain(c, a, file, key, true, sealer, plain, why);
}

status plain_device(
	int plain, const struct sealer *sealer, int *fd, dev_t *number, char loop[static 32], struct str *why)
{
	char name[64];
	sealer_name(sealer, name);
	status s = loop_open(plain, sealer->pid ? name : NULL, fd, number, loop);
	if (!is_ok(s)) *why = STR("there is no loop device for it");
	return s;
}

status device_find(struct compute *c, struct arena *a, struct str file, const struct sealer *sealer, dev_t *number,
	char loop[static 32])
{
	char name[64];
	struct stat st;
	if (sealer->pid) {
		sealer_name(sealer, name);
		return loop_named(name, number, loop);
	}
	int fd = data_open(c, a, file, O_RDONLY);
	status s = fd >= 0 && fstat(fd, &st) == 0 ? loop_find(st.st_dev, st.st_ino, number, loop) : STATUS(IO);
	if (fd >= 0) close(fd);
	return s;
}

status attached_open(struct machine *m, struct arena *a, const struct compute_rec_volume *v, struct attached *out,
	int *fd, struct str *why)
{
	*out = (struct attached){0};
	*fd = -1;
	if (!str_has(v->id) || v->id.n > 63 || !str_has(v->file) || v->file.n > 255 ||
		!device_name(v->device, out->name)) {
		*why = STR("the volume, or its device's name, is not one");
		return STATUS(INVALID);
	}
	for (size_t i = 0; i < m->n_volumes; i++) {
		bool same = str_eq(v->id, str_c(m->volumes[i].id));
		if (!same && strcmp(out->name, m->volumes[i].name) != 0) continue;
		*why = same ? STR("the volume is attached already") : STR("the device's name is taken");
		return STATUS(BUSY);
	}
	int plain = -1;
	status s = plain_open(m->c, a, v->file, v->key, &out->sealer, &plain, why);
	if (is_ok(s)) s = plain_device(plain, &out->sealer, fd, &out->device, out->loop, why);
	if (plain >= 0) close(plain);
	snprintf(out->id, sizeof(out->id), "%.*s", STR_ARG(v->id));
	snprintf(out->file, sizeof(out->file), "%.*s", STR_ARG(v->file));
	return s;
}

void request_wipe(struct agent_request *r)
{
	OPENSSL_cleanse((void *)(uintptr_t)r->body.p, r->body.n);
}

/* The machine's /dev as we made it; -1 where root inside has put something else there. */
static int open_dev(struct machine *m)
{
	char path[64];
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	snprintf(path, sizeof(path), "/proc/%d/root", m->pid);
	int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dev = root < 0 ? -1 : (int)syscall(SYS_openat2, root, "dev", &how, sizeof(how));
	struct statfs fs;
	if (root >= 0) close(root);
	if (dev >= 0 && fstatfs(dev, &fs) == 0 && fs.f_type == TMPFS_MAGIC) return dev;
	if (dev >= 0) close(dev);
	return -1;
}

static bool make_node(struct machine *m, const struct attached *at)
{
	uint32_t first = SLOT_FIRST_ID + (uint32_t)m->slot * MACHINE_IDS;
	int dev = open_dev(m);
	if (dev < 0) return false;
	unlinkat(dev, at->name, 0);
	bool good = mknodat(dev, at->name, S_IFBLK | 0660, at->device) == 0;
	good = good && fchownat(dev, at->name, first, first + DISK_GROUP, AT_SYMLINK_NOFOLLOW) == 0;
	close(dev);
	return good;
}

static void remove_node(struct machine *m, const struct attached *at)
{
	int dev = open_dev(m);
	if (dev < 0) return;
	unlinkat(dev, at->name, 0);
	close(dev);
}

static struct machine *running(struct agent *g, struct agent_request *r, struct str id)
{
	struct machine *m = str_has(id) ? compute_find(agent_compute(g), id) : NULL;
	if (staging_keeps(m, r)) return NULL;
	if (m && (m->state == MACHINE_BOOTING || m->state == MACHINE_RUNNING)) return m;
	agent_answer(g, r->id, STATUS(NOT_FOUND), STR("no such machine runs"), STR_NONE, NULL, 0);
	return NULL;
}

/* Who was answered and could not keep the answer asks again. */
static bool is_attached(const struct machine *m, const struct compute_rec_volume *v)
{
	char name[32];
	if (!device_name(v->device, name)) return false;
	for (size_t i = 0; i < m->n_volumes; i++)
		if (str_eq(str_or(v->id, STR("")), str_c(m->volumes[i].id)) && !m->volumes[i].detaching &&
			strcmp(name, m->volumes[i].name) == 0)
			return true;
	return false;
}

void volume_on_attach(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_volume q = {0};
	struct str why = STR_NONE;
	if (!is_ok(compute_rec_machine_volume_decode(r->arena, r->body, &q)) || !q.volume) {
		agent_answer(g, r->id, STATUS(INVALID), STR_NONE, STR_NONE, NULL, 0);
		return;
	}
	struct machine *m = running(g, r, q.id);
	if (!m) return;
	if (is_attached(m, q.volume)) {
		agent_answer(g, r->id, OK, STR_NONE, STR_NONE, NULL, 0);
		request_wipe(r);
		return;
	}
	struct attached at;
	int fd = -1;
	status s = m->n_volumes < VOLUMES_MAX ? attached_open(m, r->arena, q.volume, &at, &fd, &why) : STATUS(LIMIT);
	if (is_ok(s)) {
		cgroup_allow_device(m->c->cgroups, str_c(m->id), at.device, true);
		cgroup_limit_device(
			m->c->cgroups, str_c(m->id), at.device, q.volume->iops.v, q.volume->bytes_per_second.v);
		struct control_head h = {.kind = CONTROL_HOLD, .value = (int32_t)at.device};
		machine_send(m, &h, STR(""), &fd, 1);
		if (!make_node(m, &at)) s = STATUS(IO), why = STR("its /dev is not the one that it was given");
	}
	if (is_ok(s)) {
		m->volumes[m->n_volumes++] = at;
		machine_save(m);
	}
	if (fd >= 0) close(fd);
	agent_answer(g, r->id, s, why, STR_NONE, NULL, 0);
	request_wipe(r);
}

/* ── detach ── init closes the device and says so; when then nobody else has it, the loop device is gone. */

void volume_on_detach(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_volume q = {0};
	if (!is_ok(compute_rec_machine_volume_decode(r->arena, r->body, &q)) || !q.volume) {
		agent_answer(g, r->id, STATUS(INVALID), STR_NONE, STR_NONE, NULL, 0);
		return;
	}
	struct machine *m = running(g, r, q.id);
	if (!m) return;
	for (size_t i = 0; i < m->n_volumes; i++) {
		struct attached *at = &m->volumes[i];
		if (!str_eq(str_c(at->id), str_or(q.volume->id, STR("")))) continue;
		if (at->detaching) {
			agent_answer(g, r->id, STATUS(BUSY), STR("it is being detached"), STR_NONE, NULL, 0);
			return;
		}
		at->detaching = r->id;
		struct control_head h = {.kind = CONTROL_DROP, .value = (int32_t)at->device};
		machine_send(m, &h, STR(""), NULL, 0);
		return;
	}
	agent_answer(g, r->id, STATUS(NOT_FOUND), STR("no such volume is attached"), STR_NONE, NULL, 0);
}

static bool in_use(struct machine *m, struct attached *at, int *fd)
{
	struct arena a;
	dev_t device;
	char loop[32];
	arena_init(&a);
	bool used = is_ok(device_find(m->c, &a, str_c(at->file), &at->sealer, &device, loop)) && device == at->device;
	*fd = used ? open(at->loop, O_RDWR | O_CLOEXEC) : -1;
	arena_cleanup(&a);
	return used;
}

void volume_dropped(struct machine *m, int number)
{
	for (size_t i = 0; i < m->n_volumes; i++) {
		struct attached *at = &m->volumes[i];
		int fd;
		if (!at->detaching || (int)at->device != number) continue;
		uint64_t id = at->detaching;
		at->detaching = 0;
		if (in_use(m, at, &fd)) {
			struct control_head h = {.kind = CONTROL_HOLD, .value = number};
			if (fd >= 0) machine_send(m, &h, STR(""), &fd, 1), close(fd);
			agent_answer(m->c->g, id, STATUS(BUSY), STR("the device is in use inside"), STR_NONE, NULL, 0);
			return;
		}
		remove_node(m, at);
		cgroup_limit_device(m->c->cgroups, str_c(m->id), at->device, 0, 0);
		cgroup_allow_device(m->c->cgroups, str_c(m->id), at->device, false);
		m->volumes[i] = m->volumes[--m->n_volumes];
		machine_save(m);
		agent_answer(m->c->g, id, OK, STR_NONE, STR_NONE, NULL, 0);
		return;
	}
}

/* ── change ───────────────────────────────────────────────────────────────────────────────────────────────────── */

struct grow {
	const char *device, *stage;
};

/* The file system on the root volume is mounted where nobody can reach it; another mount of the same device is the same
 * file system. */
static status grow_file_system(void *ctx, struct arena *a, struct str *why)
{
	struct grow *w = ctx;
	(void)a;
	*why = STR("the file system cannot grow while it is used here; it grows at the next start");
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return STATUS(IO);
	if (mount(w->device, w->stage, "ext4", MS_NOATIME, NULL) != 0) return STATUS(IO);
	const char *argv[] = {"resize2fs", w->device, NULL};
	if (spawn_wait(argv, NULL, -1) != 0) return STATUS(IO);
	*why = STR_NONE;
	return OK;
}

void volume_on_changed(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine_volume q = {0};
	if (!is_ok(compute_rec_machine_volume_decode(r->arena, r->body, &q)) || !q.volume) {
		agent_answer(g, r->id, STATUS(INVALID), STR_NONE, STR_NONE, NULL, 0);
		return;
	}
	struct machine *m = running(g, r, q.id);
	if (!m) return;
	const struct compute_rec_volume *v = q.volume;
	bool root = str_is(v->id, "root") || (str_has(v->file) && str_eq(v->file, str_c(m->root)));
	struct attached *at = NULL;
	for (size_t i = 0; i < m->n_volumes; i++)
		if (str_eq(str_c(m->volumes[i].id), str_or(v->id, STR("")))) at = &m->volumes[i];
	if (!root && !at) {
		agent_answer(g, r->id, STATUS(NOT_FOUND), STR("no such volume is attached"), STR_NONE, NULL, 0);
		return;
	}
	cgroup_limit_device(
		m->c->cgroups, str_c(m->id), root ? m->root_device : at->device, v->iops.v, v->bytes_per_second.v);
	const struct sealer *sealer = root ? &m->root_sealer : &at->sealer;
	if (sealer->pid) sealer_grown(sealer);
	status s = loop_grow(root ? m->root_loop : at->loop);
	struct grow w = {m->root_loop, m->c->stage};
	if (is_ok(s) && root)
		answer_from_child(g, r->id, grow_file_system, &w);
	else
		agent_answer(g, r->id, s, STR_NONE, STR_NONE, NULL, 0);
}
