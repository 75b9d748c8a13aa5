/* Starting a machine: from its record to a launch plan (launch.h), and what has to be so before. */
#include "base/buf.h"
#include "base/log.h"
#include "host/compute/compute.h"
#include "host/compute/door.h"
#include "host/compute/launch.h"
#include "host/compute/loop.h"
#include "host/compute/operations.h"
#include "host/compute/staging.h"
#include "host/compute/volume.h"
#include "host/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_LEAST (32u << 20)
#define PROCESSES_MAX 4096
#define CPUINFO_MAX (16u << 10)

/* ── the record ───────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_name(struct str s, size_t max)
{
	if (!str_has(s) || s.n == 0 || s.n > max || s.p[0] == '-' || s.p[0] == '.') return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
			    c == '.'))
			return false;
	}
	return true;
}

/* Words of the configuration: nothing that ends a word or a line. */
static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == ',') return false;
	return s.n > 0;
}

static bool are_words(const struct compute_rec_strings *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!is_word(l->v[i])) return false;
	return true;
}

bool nics_valid(const struct compute_rec_nics *nics)
{
	for (size_t i = 0; i < nics->n; i++) {
		const struct compute_rec_nic *n = &nics->v[i];
		if (!n->device.has || n->device.v < 0 || n->device.v > 99 || !str_has(n->mac) || !is_word(n->mac))
			return false;
		if (!are_words(&n->addresses) || !are_words(&n->ipv6)) return false;
		if ((str_has(n->gateway) && !is_word(n->gateway)) ||
			(str_has(n->ipv6_gateway) && !is_word(n->ipv6_gateway)))
			return false;
	}
	return nics->n <= 16;
}

static const char *fault_of(const struct compute_rec_machine *m)
{
	if (!is_name(m->id, 60)) return "the id is not one";
	if (!is_name(m->hostname, 63)) return "the host name is not one";
	if (!str_has(m->root) || !str_has(m->console)) return "it has no root volume, or no console";
	if (!m->vcpus.has || m->vcpus.v < 1 || m->vcpus.v > 1024) return "it has no processors";
	if (!m->memory_bytes.has || m->memory_bytes.v < MEMORY_LEAST) return "it has too little memory";
	if (m->root.n > 255 || m->console.n > 255 || m->volumes.n > VOLUMES_MAX)
		return "it has too many volumes, or too long paths";
	if (!nics_valid(&m->nics) || !are_words(&m->dns_servers)) return "its network is nonsense";
	if (str_has(m->dns_domain) && !is_word(m->dns_domain)) return "its domain is nonsense";
	return NULL;
}

/* ── the configuration ────────────────────────────────────────────────────────────────────────────────────────── */

static void put(struct buf *b, const char *key, struct str value)
{
	buf_fmt(b, "%s %zu\n", key, value.n);
	buf_str(b, value);
	buf_byte(b, '\n');
}

static struct str joined(struct arena *a, const struct compute_rec_strings *l, char between)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < l->n; i++) {
		if (i > 0) buf_byte(&b, between);
		buf_str(&b, l->v[i]);
	}
	return buf_done(&b);
}

static void put_word(struct buf *b, struct str s)
{
	buf_str(b, str_empty(s) ? STR("-") : s);
	buf_byte(b, ' ');
}

void write_nics(struct buf *b, const struct compute_rec_nics *nics)
{
	for (size_t i = 0; i < nics->n; i++) {
		const struct compute_rec_nic *n = &nics->v[i];
		struct arena a;
		arena_init(&a);
		buf_fmt(b, "%d ", n->device.v);
		put_word(b, n->mac);
		buf_fmt(b, "%d ", n->mtu.has ? n->mtu.v : 0);
		put_word(b, n->gateway), put_word(b, n->ipv6_gateway);
		put_word(b, joined(&a, &n->addresses, ','));
		struct str six = joined(&a, &n->ipv6, ',');
		buf_str(b, str_empty(six) ? STR("-") : six);
		buf_byte(b, '\n');
		arena_cleanup(&a);
	}
}

/* A memfd with it: it is read once. */
static int make_config(struct arena *a, const struct compute_rec_machine *m)
{
	struct buf b = BUF_IN(a), nics = BUF_IN(a);
	put(&b, "id", m->id), put(&b, "hostname", m->hostname);
	put(&b, "grace", str_fmt(a, "%lld", m->grace_ms.has ? (long long)m->grace_ms.v : 10000));
	put(&b, "memory", str_fmt(a, "%lld", (long long)m->memory_bytes.v));
	put(&b, "dns", joined(a, &m->dns_servers, ' '));
	put(&b, "domain", str_or(m->dns_domain, STR("")));
	put(&b, "authority", str_or(m->authority, STR("")));
	put(&b, "authority-hash", str_or(m->authority_hash, STR("")));
	put(&b, "keys", joined(a, &m->public_keys, '\n'));
	put(&b, "userdata", str_or(m->user_data, STR("")));
	write_nics(&nics, &m->nics);
	put(&b, "nics", buf_done(&nics));
	int fd = memfd_create("config", MFD_CLOEXEC);
	if (fd < 0 || write(fd, b.p, b.n) != (ssize_t)b.n) {
		if (fd >= 0) close(fd);
		return -1;
	}
	return fd;
}

/* As many processors of the host's /proc/cpuinfo as it has. */
static const char *make_cpuinfo(struct arena *a, int vcpus)
{
	char *p = arena_alloc(a, CPUINFO_MAX + 1);
	int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, p, CPUINFO_MAX);
	if (fd >= 0) close(fd);
	struct str rest = str_n(p, n > 0 ? (size_t)n : 0), first = rest;
	ptrdiff_t end = str_find(rest, STR("\n\n"));
	if (end > 0) first = str_sub(rest, 0, (size_t)end + 2);
	struct buf b = BUF_IN(a);
	for (int i = 0; i < vcpus && b.n < (1u << 20); i++) {
		struct str block = first;
		while (!str_empty(block)) {
			struct str line = str_cut(&block, '\n');
			if (str_starts(line, STR("processor")))
				buf_fmt(&b, "processor\t: %d\n", i);
			else
				buf_fmt(&b, "%.*s\n", STR_ARG(line));
			if (!str_has(block)) break;
		}
	}
	buf_byte(&b, 0);
	return b.p;
}

/* ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────── */

struct parts {
	struct launch plan;
	int ends[2];
	int held[VOLUMES_MAX];
	size_t n_held;
	/* For the stager's makers. */
	struct machine *m;
	const struct compute_rec_machine *want;
	struct cgroup_limits limits;
};

static void close_fd(int *fd)
{
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

static void close_parts(struct parts *p)
{
	close_fd(&p->plan.root), close_fd(&p->ends[0]), close_fd(&p->ends[1]);
	close_fd(&p->plan.config), close_fd(&p->plan.console);
	while (p->n_held > 0) close(p->held[--p->n_held]);
}

static status refuse(struct arena *a, struct str *why, const char *what)
{
	*why = str_fmt(a, "%s: %s", what, strerror(errno));
	return STATUS(IO);
}

static status open_root(
	struct machine *m, struct arena *a, const struct compute_rec_machine *want, struct parts *p, struct str *why)
{
	TRY(plain_open(m->c, a, want->root, want->root_key, &m->root_sealer, &p->plan.root, why));
	TRY(loop_fits(p->plan.root, why));
	snprintf(m->root, sizeof(m->root), "%.*s", STR_ARG(want->root));
	snprintf(m->image, sizeof(m->image), "%.*s", STR_ARG(want->image));
	return OK;
}

static status open_volumes(
	struct machine *m, struct arena *a, const struct compute_rec_machine *want, struct parts *p, struct str *why)
{
	for (size_t i = 0; i < want->volumes.n; i++) {
		struct attached *at = &m->volumes[m->n_volumes];
		TRY(attached_open(m, a, &want->volumes.v[i], at, &p->held[p->n_held], why));
		struct launch_node *node = &p->plan.nodes[p->plan.n_nodes++];
		memcpy(node->name, at->name, sizeof(node->name));
		node->device = at->device;
		p->n_held++, m->n_volumes++;
	}
	return OK;
}

static status open_console(
	struct machine *m, struct arena *a, const struct compute_rec_machine *want, struct parts *p, struct str *why)
{
	p->plan.console = data_open(m->c, a, want->console, O_RDWR | O_CREAT);
	if (p->plan.console < 0) return refuse(a, why, "the console cannot be opened");
	struct console_head h;
	if (pread(p->plan.console, &h, sizeof(h), 0) == sizeof(h) && h.magic == CONSOLE_MAGIC) {
		/* What an earlier life told of its end is over. */
		h.why = h.ready = 0;
		if (pwrite(p->plan.console, &h, sizeof(h), 0) != sizeof(h))
			return refuse(a, why, "the console cannot be written");
	}
	snprintf(m->console_path, sizeof(m->console_path), "%.*s", STR_ARG(want->console));
	m->console = fcntl(p->plan.console, F_DUPFD_CLOEXEC, 3);
	return OK;
}

/* ── what the stager makes (launch.h) ─────────────────────────────────────────────────────────────────────────── */

static bool failed(const struct parts *p, struct str why)
{
	log_error("host", "root_volume", "id=%s why=\"%.*s\"", p->m->id, STR_ARG(str_or(why, STR("told above"))));
	errno = EIO;
	return false;
}

static bool make_groups(struct parts *p, struct launch *l)
{
	struct machine *m = p->m;
	if (!is_ok(cgroup_make(m->c->cgroups, str_c(m->id), &p->limits, &l->doors))) return false;
	for (size_t i = 0; i < m->n_volumes; i++) {
		const struct compute_rec_volume *v = &p->want->volumes.v[i];
		cgroup_allow_device(m->c->cgroups, str_c(m->id), m->volumes[i].device, true);
		cgroup_limit_device(
			m->c->cgroups, str_c(m->id), m->volumes[i].device, v->iops.v, v->bytes_per_second.v);
	}
	l->memory = cgroup_memory_fd(m->c->cgroups, str_c(m->id));
	return true;
}

static bool make_part(void *ctx, enum launch_part part, struct launch *l)
{
	struct parts *p = ctx;
	struct str why = STR_NONE;
	int device;
	switch (part) {
	case LAUNCH_VOLUME:
		return is_ok(loop_format(l->root, p->m->c->templates, &l->fresh, &why)) || failed(p, why);
	case LAUNCH_DEVICE:
		return is_ok(plain_device(l->root, &p->m->root_sealer, &device, &l->root_number, l->root_device,
			       &why)) ||
		       failed(p, why);
	case LAUNCH_GROUPS:
		return make_groups(p, l);
	case LAUNCH_LIMITS:
		cgroup_limit_device(p->m->c->cgroups, str_c(p->m->id), l->root_number, p->want->root_iops.v,
			p->want->root_bytes_per_second.v);
		return true;
	}
	UNREACHABLE();
}

static status prepare(
	struct machine *m, struct arena *a, const struct compute_rec_machine *want, struct parts *p, struct str *why)
{
	struct compute *c = m->c;
	TRY(compute_image(c, a, want->image, &p->plan.layers, why));
	if (mkdir(c->images, 0700) != 0 && errno != EEXIST) return refuse(a, why, "the data folder cannot be written");
	if (c->program < 0) c->program = launch_program();
	if (c->empty_network < 0) c->empty_network = launch_empty_network();
	if (c->program < 0 || c->empty_network < 0) return refuse(a, why, "init cannot be kept in memory");
	m->slot = slot_take(str_fmt(a, "%s%s", c->machines_dir, m->id));
	if (m->slot < 0) {
		*why = STR("there are no user ids left for another machine");
		return STATUS(LIMIT);
	}
	TRY(open_root(m, a, want, p, why));
	TRY(open_volumes(m, a, want, p, why));
	TRY(open_console(m, a, want, p, why));
	p->plan.config = make_config(a, want);
	if (p->plan.config < 0) return refuse(a, why, "its configuration cannot be kept");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->ends) != 0)
		return refuse(a, why, "there is no socket for it");
	return OK;
}

static status launch(struct machine *m, struct agent_request *r, const struct compute_rec_machine *want,
	struct parts *p, struct str *why)
{
	p->m = m, p->want = want;
	p->limits = (struct cgroup_limits){.memory_bytes = want->memory_bytes.v,
		.vcpus = want->vcpus.v,
		.vcpu_percent = agent_vcpu_percent(m->c->g),
		.first_cpu = cgroups_next_cpu(m->c->cgroups, want->vcpus.v),
		.processes = PROCESSES_MAX,
		.devices = true};
	p->plan.make = make_part, p->plan.make_ctx = p;
	p->plan.first_id = SLOT_FIRST_ID + (uint32_t)m->slot * MACHINE_IDS;
	p->plan.stage = m->c->stage, p->plan.program = m->c->program;
	p->plan.empty_network = m->c->empty_network;
	p->plan.hostname = str_z(r->arena, want->hostname);
	p->plan.meminfo = "", p->plan.cpuinfo = make_cpuinfo(r->arena, want->vcpus.v);
	p->plan.shm_bytes = (uint64_t)want->memory_bytes.v / 2, p->plan.run_bytes = (uint64_t)want->memory_bytes.v / 5;
	p->plan.agent = p->ends[0], p->plan.control = p->ends[1];
	m->born_us = compute_now_ms() * 1000;
	m->grace_ms = want->grace_ms.has ? want->grace_ms.v : 10000;
	TRY(staging_begin(m, &p->plan, r, why));
	m->control = p->ends[0];
	p->ends[0] = -1;
	m->state = MACHINE_BOOTING;
	/* They wait in the socket for init. */
	for (size_t i = 0; i < p->n_held; i++) {
		struct control_head h = {.kind = CONTROL_HOLD, .value = (int32_t)m->volumes[i].device};
		machine_send(m, &h, STR(""), &p->held[i], 1);
	}
	return OK;
}

/* *answered: it will be, when the machine stands. */
static status start(struct compute *c, struct agent_request *r, const struct compute_rec_machine *want, bool *answered,
	struct str *why)
{
	struct machine *old = compute_find(c, want->id);
	if (staging_keeps(old, r)) {
		*answered = true;
		return OK;
	}
	if (old && old->state == MACHINE_STOPPING) {
		*why = STR("its last life is just ending");
		return STATUS(BUSY);
	}
	if (old && old->state != MACHINE_ENDED) return OK;
	if (old) machine_forget(old);
	compute_ready(c);
	struct machine *m = machine_new(c, want->id);
	struct parts p = {
		.ends = {-1, -1}, .plan = {.root = -1, .config = -1, .console = -1, .memory = -1}};
	status s = prepare(m, r->arena, want, &p, why);
	if (is_ok(s)) s = launch(m, r, want, &p, why);
	close_parts(&p);
	*answered = is_ok(s);
	if (!is_ok(s)) machine_undo(m);
	return s;
}

void machine_on_start(struct agent *g, struct agent_request *r)
{
	struct compute_rec_machine m = {0};
	struct str why = STR_NONE;
	status s = compute_rec_machine_decode(r->arena, r->body, &m);
	const char *fault = is_ok(s) ? fault_of(&m) : "the record cannot be read";
	bool answered = false;
	if (fault)
		s = STATUS(INVALID), why = str_c(fault);
	else
		s = start(agent_compute(g), r, &m, &answered, &why);
	if (!answered) agent_answer(g, r->id, s, why, STR_NONE, NULL, 0);
	request_wipe(r);
}
