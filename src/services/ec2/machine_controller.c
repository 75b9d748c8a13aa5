/* The machine controller: brings each instance from what it is to what it shall be. Level-triggered: a job looks at the
 * record and at what the host says, does one step, and comes again until both agree; it may be killed anywhere. The
 * only file of EC2 that speaks to the host about machines. */
#include "base/log.h"
#include "call/inside.h"
#include "host/compute/machine.h"
#include "services/ec2/imds.h"
#include "services/ec2/machine.h"
#include "services/ec2/root_volume.h"
#include "services/ec2/volume.h"
#include "vault/vault.h"

enum { SOON_MS = 20, LATER_MS = 500, GRACE_MS = 10000, CONSOLE_MAX = 64 << 10 };

struct work {
	struct cloud *cloud;
	struct call *c;
	struct ec2_place at;
	struct ec2_rec_instance *i;
	int64_t now_ms, again_ms;
	bool real;
};

bool ec2_machines_are_real(const struct cloud *cloud)
{
	return cloud->host && host_available(cloud->host);
}

/* ── the host ── */

struct str ec2_console_file(struct arena *a, struct str instance)
{
	return str_fmt(a, "ebs/%.*s.console", STR_ARG(instance));
}

void ec2_machine_pause(struct cloud *cloud, struct arena *a, struct str instance, bool paused)
{
	(void)a;
	if (!ec2_machines_are_real(cloud)) return;
	status s = host_machine_pause(cloud->host, instance, paused);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND))
		log_warn("ec2", "pause_failed", "instance=%.*s why=%s", STR_ARG(instance), status_name(s));
}

static struct compute_rec_volume volume_of(struct arena *a, const struct ec2_rec_volume *v, struct str device)
{
	/* "gp2 … burst to 3,000 IOPS": what small volumes have most of the time. */
	int32_t iops = v->iops.has ? v->iops.v : 0, mbps = v->throughput.has ? v->throughput.v : 0;
	if (str_is(v->volume_type, "gp2") && iops < 3000) iops = 3000;
	if (str_is(v->volume_type, "gp2")) mbps = 250;
	struct compute_rec_volume out = {
		.id = v->volume_id, .file = ec2_volume_file(a, v->volume_id), .device = device};
	if (iops) out.iops = SOME_I64(iops);
	if (mbps) out.bytes_per_second = SOME_I64((int64_t)mbps << 20);
	return out;
}

status ec2_machine_attach(struct cloud *cloud, struct ec2_place at, struct str instance, const struct ec2_rec_volume *v,
	struct str device)
{
	if (!ec2_machines_are_real(cloud)) return OK;
	struct compute_rec_volume volume = volume_of(at.a, v, device);
	struct kms_use u = ec2_kms_use(cloud, at);
	struct kms_refusal refusal;
	struct str why = STR_NONE;
	TRY(ec2_crypt_file(&u, v, &volume.key, &refusal));
	status s = host_machine_attach(cloud->host, at.a, instance, &volume, &why);
	if (str_has(volume.key)) vault_wipe(volume.key);
	if (!is_ok(s))
		log_warn("ec2", "attach_failed", "instance=%.*s volume=%.*s why=\"%.*s\"", STR_ARG(instance),
			STR_ARG(v->volume_id), STR_ARG(why));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

status ec2_machine_detach(struct cloud *cloud, struct arena *a, struct str instance, struct str volume)
{
	(void)a;
	if (!ec2_machines_are_real(cloud)) return OK;
	status s = host_machine_detach(cloud->host, instance, volume);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

void ec2_machine_volume_changed(
	struct cloud *cloud, struct arena *a, struct str instance, const struct ec2_rec_volume *v, struct str device)
{
	if (!ec2_machines_are_real(cloud)) return;
	struct compute_rec_volume volume = volume_of(a, v, device);
	status s = host_machine_volume_changed(cloud->host, instance, &volume);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND))
		log_warn("ec2", "volume_change_failed", "volume=%.*s why=%s", STR_ARG(v->volume_id), status_name(s));
}

/* ── what the machine shall be ── */

static status nics_of(struct work *w, struct compute_rec_machine *m)
{
	struct arena *a = w->at.a;
	struct ec2_enis enis = {0};
	size_t nics = 0;
	TRY(ec2_eni_of_instance(w->at, w->i->instance_id, &enis));
	for (size_t k = 0; k < enis.n; k++) {
		const struct ec2_rec_eni *e = &enis.v[k];
		struct ec2_rec_subnet s;
		struct cidr block;
		size_t addresses = 0, addresses6 = 0;
		TRY(ec2_load(w->at, &ec2_type_subnet, e->subnet_id, &s));
		if (!is_ok(cidr_parse(s.cidr_block, &block))) continue;
		struct compute_rec_nic *n = VEC_PUSH(a, &m->nics, &nics);
		n->device = SOME_I32(e->attachment ? e->attachment->device_index.v : (int32_t)k);
		n->mac = e->mac_address;
		n->gateway = cidr_address_text(a, cidr_nth(block, 1));
		for (size_t p = 0; p < e->addresses.n; p++)
			*VEC_PUSH(a, &n->addresses, &addresses) =
				str_fmt(a, "%.*s/%u", STR_ARG(e->addresses.v[p].private_ip_address), block.length);
		/* "/128", as DHCPv6 gives it: all others are reached by the router, which answers for itself alone. */
		for (size_t p = 0; p < e->ipv6_addresses.n; p++)
			*VEC_PUSH(a, &n->ipv6, &addresses6) =
				str_fmt(a, "%.*s/128", STR_ARG(e->ipv6_addresses.v[p].ipv6_address));
		if (e->ipv6_addresses.n) n->ipv6_gateway = STR("fe80::1");
		if (k == 0 && e->addresses.n) {
			struct str name = str_dup(a, e->addresses.v[0].private_ip_address);
			struct buf host = BUF_IN(a);
			buf_lit(&host, "ip-");
			for (size_t b = 0; b < name.n; b++) buf_byte(&host, name.p[b] == '.' ? '-' : name.p[b]);
			m->hostname = buf_done(&host);
		}
	}
	return OK;
}

static status dns_of(struct work *w, struct compute_rec_machine *m)
{
	struct ec2_rec_vpc vpc;
	struct cidr block;
	size_t servers = 0;
	TRY(ec2_load(w->at, &ec2_type_vpc, w->i->vpc, &vpc));
	if (is_ok(cidr_parse(vpc.cidr_block, &block)))
		*VEC_PUSH(w->at.a, &m->dns_servers, &servers) = cidr_address_text(w->at.a, cidr_nth(block, 2));
	m->dns_domain = str_is(w->at.region, "us-east-1")
				? STR("ec2.internal")
				: str_fmt(w->at.a, "%.*s.compute.internal", STR_ARG(w->at.region));
	return OK;
}

/* FAILED, with *why: the key of one of its volumes does not serve. */
static status machine_of(struct work *w, struct compute_rec_machine *m, struct kms_refusal *why)
{
	struct arena *a = w->at.a;
	const struct ec2_rec_instance *i = w->i;
	struct ec2_machine_type type;
	size_t keys = 0, volumes = 0;
	*m = (struct compute_rec_machine){.id = i->instance_id,
		.image = str_or(i->base, EC2_BASE_DEFAULT),
		.hostname = i->instance_id,
		.vcpus = SOME_I32(1),
		.memory_bytes = SOME_I64((int64_t)1 << 30),
		.user_data = i->user_data,
		.console = ec2_console_file(a, i->instance_id),
		.authority = w->cloud->authority,
		.authority_hash = w->cloud->authority_hash,
		.grace_ms = SOME_I64(GRACE_MS)};
	if (ec2_machine_type_find(ec2_instance_type_of(a, i), &type)) {
		m->vcpus = SOME_I32((int32_t)type.vcpus);
		m->memory_bytes = SOME_I64((int64_t)type.memory_mib << 20);
	}
	/* "CPU options": fewer cores, or one thread of each. */
	struct ec2_instance shape = {0};
	if (is_ok(ec2_instance_document(a, i, &shape)) && shape.cpu_options && shape.cpu_options->core_count.v > 0)
		m->vcpus = SOME_I32(shape.cpu_options->core_count.v * shape.cpu_options->threads_per_core.v);
	if (str_has(i->public_key)) *VEC_PUSH(a, &m->public_keys, &keys) = i->public_key;
	for (size_t k = 0; k < i->volumes.n; k++) {
		struct ec2_rec_volume v;
		TRY(ec2_load(w->at, &ec2_type_volume, i->volumes.v[k].id, &v));
		struct compute_rec_volume volume = volume_of(a, &v, i->volumes.v[k].device);
		struct kms_use u = ec2_kms_use(w->cloud, w->at);
		TRY(ec2_crypt_file(&u, &v, &volume.key, why));
		if (k == 0) {
			m->root = volume.file;
			m->root_key = volume.key;
			m->root_iops = volume.iops;
			m->root_bytes_per_second = volume.bytes_per_second;
		} else {
			*VEC_PUSH(a, &m->volumes, &volumes) = volume;
		}
	}
	TRY(nics_of(w, m));
	return dns_of(w, m);
}

static void forget_keys(const struct compute_rec_machine *m)
{
	if (str_has(m->root_key)) vault_wipe(m->root_key);
	for (size_t k = 0; k < m->volumes.n; k++)
		if (str_has(m->volumes.v[k].key)) vault_wipe(m->volumes.v[k].key);
}

/* ── volumes that come and go with it ── */

/* OK with *ready: all are there; FAILED: one cannot be. */
static status volumes_ready(struct work *w, bool *ready)
{
	*ready = true;
	for (size_t k = 0; k < w->i->volumes.n; k++) {
		struct ec2_rec_volume v;
		status s = ec2_load(w->at, &ec2_type_volume, w->i->volumes.v[k].id, &v);
		if (status_is(s, STATUS_NOT_FOUND)) return STATUS(FAILED);
		TRY(s);
		if (str_is(v.state, "error")) return STATUS(FAILED);
		if (str_is(v.state, "creating")) *ready = false;
	}
	return OK;
}

static status volumes_attached(struct work *w)
{
	for (size_t k = 0; k < w->i->volumes.n; k++) {
		struct ec2_rec_volume v;
		TRY(ec2_load(w->at, &ec2_type_volume, w->i->volumes.v[k].id, &v));
		struct ec2_rec_attachment *a = ec2_volume_attachment(&v, w->i->instance_id);
		if (!a || !str_is(a->state, "attaching")) continue;
		a->state = STR("attached");
		ec2_volume_put(w->at, &v);
	}
	return OK;
}

/* ── towards running ── */

static void fail_launch(struct work *w, const char *code, struct str message)
{
	struct ec2_rec_instance *i = w->i;
	bool first = !i->boots.v;
	i->reason_code = str_c(code);
	i->reason_message = str_fmt(w->at.a, "%s: %.*s", code, STR_ARG(message));
	i->desired = first ? STR("terminated") : STR("stopped");
	i->state = SOME_I32(first ? EC2_SHUTTING_DOWN : EC2_STOPPING);
	w->again_ms = w->now_ms;
	log_warn("ec2", "launch_failed", "instance=%.*s why=\"%.*s\"", STR_ARG(i->instance_id), STR_ARG(message));
}

/* The key of one of its volumes does not serve ("Instance launch fails with Client.InvalidKMSKey.InvalidState"). */
static void fail_key(struct work *w, const struct kms_refusal *why)
{
	if (why->why == KMS_WHY_DISABLED || why->why == KMS_WHY_INVALID_STATE)
		fail_launch(
			w, "Client.InvalidKMSKey.InvalidState", STR("The KMS key provided is in an incorrect state"));
	else
		fail_launch(w, "Client.InternalError", STR("Client error on launch"));
}

/* A hibernated machine's interfaces let nothing pass. */
static status hold_interfaces(struct work *w, bool held)
{
	struct ec2_enis enis = {0};
	TRY(ec2_eni_of_instance(w->at, w->i->instance_id, &enis));
	for (size_t k = 0; k < enis.n; k++) {
		enis.v[k].held = held ? SOME_BOOL(true) : (struct opt_bool){0};
		TRY(ec2_eni_save(w->c, &enis.v[k]));
	}
	return OK;
}

/* A hibernated machine goes on where it was. *resumed false: it is no more (virga or the host was stopped meanwhile),
 * and boots as any other: decision 0087. */
static status resume(struct work *w, bool *resumed)
{
	struct ec2_rec_instance *i = w->i;
	struct compute_rec_machine_status m = {0};
	*resumed = false;
	i->hibernated.has = i->hibernated.v = false;
	TRY(hold_interfaces(w, false));
	if (!w->real) return OK;
	status s = host_machine_status(w->cloud->host, w->at.a, i->instance_id, &m);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && str_is(m.state, "ended"))) {
		log_info("ec2", "memory_lost", "instance=%.*s It boots anew", STR_ARG(i->instance_id));
		return OK;
	}
	if (is_ok(s)) s = host_machine_pause(w->cloud->host, i->instance_id, false);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	*resumed = is_ok(s);
	return s;
}

static status start(struct work *w)
{
	struct ec2_rec_instance *i = w->i;
	bool ready;
	if (i->hibernated.v) {
		bool resumed;
		TRY(resume(w, &resumed));
		if (resumed) {
			i->state = SOME_I32(EC2_RUNNING);
			i->changed = SOME_TIME(w->now_ms);
			w->again_ms = w->now_ms + 1;
			return OK;
		}
	}
	status s = i->key_refused.v ? STATUS(FAILED) : volumes_ready(w, &ready);
	if (status_is(s, STATUS_FAILED)) {
		fail_launch(w, "Client.InternalError", STR("Client error on launch"));
		return OK;
	}
	TRY(s);
	/* The volume's job lets this one know. */
	if (!ready) return OK;
	if (w->real) {
		struct compute_rec_machine m;
		struct str why = STR_NONE;
		struct kms_refusal refusal;
		s = machine_of(w, &m, &refusal);
		if (status_is(s, STATUS_FAILED)) {
			fail_key(w, &refusal);
			return OK;
		}
		TRY(s);
		s = host_machine_start(w->cloud->host, w->at.a, &m, &why);
		forget_keys(&m);
		if (status_is(s, STATUS_BUSY)) {
			if (i->boots.v == 0 && str_has(why))
				log_info("ec2", "launch_waits", "instance=%.*s why=\"%.*s\"", STR_ARG(i->instance_id),
					STR_ARG(why));
			w->again_ms = w->now_ms + LATER_MS / 5;
			return OK;
		}
		if (status_is(s, STATUS_LIMIT)) {
			fail_launch(
				w, "Server.InsufficientInstanceCapacity", str_or(why, STR("Insufficient capacity")));
			return OK;
		}
		if (status_is(s, STATUS_IO)) {
			w->again_ms = w->now_ms + LATER_MS;
			return OK;
		}
		if (!is_ok(s)) {
			fail_launch(w, "Server.InternalError", str_or(why, STR("Internal error on launch")));
			return OK;
		}
	} else {
		log_info("ec2", "simulated", "instance=%.*s Compute is simulated: no machine runs behind this instance",
			STR_ARG(i->instance_id));
	}
	i->boots = SOME_I32(i->boots.v + 1);
	if (w->real) w->again_ms = w->now_ms + 1;
	i->state = SOME_I32(EC2_RUNNING);
	i->changed = SOME_TIME(w->now_ms);
	return volumes_attached(w);
}

static status stop(struct work *w, bool *ended);

/* Its root volume is being replaced. *busy: nothing else is to be done with it now. */
static status replace_root(struct work *w, bool *busy)
{
	enum ec2_root_next next;
	bool ended;
	TRY(ec2_root_next(w->at, w->i, w->now_ms, &next));
	*busy = next != EC2_ROOT_NOTHING;
	if (next == EC2_ROOT_WAIT) w->again_ms = w->now_ms + LATER_MS / 5;
	if (next != EC2_ROOT_STOP) return OK;
	TRY(stop(w, &ended));
	if (!ended) return OK;
	w->i->force.has = w->i->reboot.has = false;
	TRY(ec2_root_swap(w->at, w->i, w->now_ms));
	w->again_ms = w->now_ms;
	return start(w);
}

/* It should run, and did: what the host says decides. */
static status keep(struct work *w)
{
	struct ec2_rec_instance *i = w->i;
	struct compute_rec_machine_status m = {0};
	bool busy = false;
	if (str_has(i->root_task)) TRY(replace_root(w, &busy));
	if (busy) return OK;
	if (!w->real) {
		i->reboot.has = false;
		return ec2_root_done(w->at, i, w->now_ms);
	}
	status s = host_machine_status(w->cloud->host, w->at.a, i->instance_id, &m);
	if (status_is(s, STATUS_BUSY) || status_is(s, STATUS_IO)) {
		w->again_ms = w->now_ms + LATER_MS;
		return OK;
	}
	bool gone = status_is(s, STATUS_NOT_FOUND);
	if (!is_ok(s) && !gone) return s;
	if (!gone && !str_is(m.state, "ended")) {
		/* Its VPC's metadata service, as soon as the VPC stands. */
		if (status_is(imds_serve(w->cloud, w->at, i->vpc), STATUS_BUSY))
			w->again_ms = w->now_ms + (i->changed.ms + 60000 > w->now_ms ? SOON_MS : 60000);
		TRY(ec2_root_done(w->at, i, w->now_ms));
		if (!i->reboot.v) return OK;
		i->reboot.has = false;
		s = host_machine_reboot(w->cloud->host, i->instance_id);
		if (!is_ok(s))
			log_warn("ec2", "reboot_failed", "instance=%.*s why=%s", STR_ARG(i->instance_id),
				status_name(s));
		return OK;
	}
	if (!gone && str_is(m.why, "poweroff")) {
		/* "Change instance initiated shutdown behavior", the guide. */
		bool terminate = str_is(i->shutdown_behavior, "terminate");
		i->desired = terminate ? STR("terminated") : STR("stopped");
		i->state = SOME_I32(terminate ? EC2_SHUTTING_DOWN : EC2_STOPPING);
		i->reason_code = STR("Client.InstanceInitiatedShutdown");
		i->reason_message = STR("Client.InstanceInitiatedShutdown: Instance initiated shutdown");
		w->again_ms = w->now_ms;
		return OK;
	}
	/* After a reboot of the host, as after one from inside, it starts again. */
	i->reboot.has = false;
	return start(w);
}

/* ── towards an end ── */

/* *ended: nothing of it runs. */
static status stop(struct work *w, bool *ended)
{
	struct compute_rec_machine_status m = {0};
	*ended = true;
	if (w->i->hibernated.v) {
		bool resumed;
		TRY(resume(w, &resumed));
		w->i->force = SOME_BOOL(true);
	}
	if (!w->real) return OK;
	struct str id = w->i->instance_id;
	status s = host_machine_stop(w->cloud->host, id, w->i->force.v);
	if (is_ok(s)) s = host_machine_status(w->cloud->host, w->at.a, id, &m);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	if (is_ok(s) && str_is(m.state, "ended")) return OK;
	*ended = false;
	/* Its end is told (on_event); a look costs the host more than one might think, fifty machines' all the more. */
	w->again_ms = w->now_ms + LATER_MS / 5;
	/* A machine that does not end when it is asked is killed by the host after its grace; this is for a host that
	 * lost it. */
	if (w->i->changed.ms + 3 * GRACE_MS < w->now_ms) w->i->force = SOME_BOOL(true);
	return OK;
}

/* *done: its memory is kept, all its processes held still. A machine that is gone meanwhile has nothing to keep. */
static status hibernate(struct work *w, bool *done)
{
	*done = false;
	if (!w->real) return OK;
	status s = host_machine_pause(w->cloud->host, w->i->instance_id, true);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	*done = true;
	w->i->hibernated = SOME_BOOL(true);
	return hold_interfaces(w, true);
}

static status stopped(struct work *w)
{
	struct ec2_rec_instance *i = w->i;
	struct ec2_enis enis = {0};
	bool ended = false;
	if (str_is(i->desired, "hibernated")) TRY(hibernate(w, &ended));
	if (!ended) TRY(stop(w, &ended));
	if (!ended) return OK;
	TRY(ec2_eni_of_instance(w->at, i->instance_id, &enis));
	for (size_t k = 0; k < enis.n; k++) TRY(ec2_eni_public_take(w->c, enis.v[k].network_interface_id));
	TRY(ec2_vpc_touch(w->at, i->vpc));
	i->state = SOME_I32(EC2_STOPPED);
	i->changed = SOME_TIME(w->now_ms);
	i->force.has = false;
	return OK;
}

static status terminated(struct work *w)
{
	struct ec2_rec_instance *i = w->i;
	struct ec2_enis enis = {0};
	bool ended;
	TRY(ec2_root_fail(w->at, i, w->now_ms));
	TRY(stop(w, &ended));
	if (!ended) return OK;
	TRY(ec2_eni_of_instance(w->at, i->instance_id, &enis));
	for (size_t k = 0; k < enis.n; k++) {
		const struct ec2_rec_eni *e = &enis.v[k];
		TRY(ec2_eni_public_take(w->c, e->network_interface_id));
		bool drop = e->attachment && e->attachment->delete_on_termination.v;
		TRY(ec2_eni_detach(w->c, e->network_interface_id));
		if (drop) TRY(ec2_eni_drop(w->c, e->network_interface_id));
	}
	for (size_t k = 0; k < i->volumes.n; k++)
		TRY(ec2_volume_leave(w->at, i->volumes.v[k].id, i->instance_id, w->now_ms));
	i->volumes.n = 0;
	i->state = SOME_I32(EC2_TERMINATED);
	i->changed = SOME_TIME(w->now_ms);
	i->user_data = STR_NONE;
	w->again_ms = w->now_ms + EC2_SHOW_TERMINATED_MS;
	return OK;
}

/* ── the job ── */

static status step(struct work *w)
{
	struct ec2_rec_instance *i = w->i;
	switch (i->state.v) {
	case EC2_PENDING:
		return start(w);
	case EC2_RUNNING:
		return keep(w);
	case EC2_STOPPING:
		return stopped(w);
	case EC2_SHUTTING_DOWN:
		return terminated(w);
	default:
		return OK;
	}
}

status ec2_machine_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_job j;
	struct ec2_rec_instance i;
	TRY(ec2_job_read(tx, a, job, &j));
	status s = ec2_load(j.at, &ec2_type_instance, j.id, &i);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct work w = {.cloud = cloud, .at = j.at, .i = &i, .now_ms = clock_now(cloud->clock)};
	w.real = ec2_machines_are_real(cloud);
	w.c = call_for_job(a, cloud, tx, j.at.account, j.at.region, STR("ec2.amazonaws.com"));
	if (i.state.v == EC2_TERMINATED) {
		if (w.now_ms < i.changed.ms + EC2_SHOW_TERMINATED_MS) {
			*again_ms = i.changed.ms + EC2_SHOW_TERMINATED_MS;
			return OK;
		}
		ec2_file_remove(cloud, a, ec2_console_file(a, j.id));
		ec2_machine_index(j.at, j.id, false);
		ec2_drop(j.at, &ec2_type_instance, j.id);
		return OK;
	}
	int32_t was = i.state.v;
	s = step(&w);
	if (status_is(s, STATUS_FAILED)) {
		log_error("ec2", "controller_failed", "instance=%.*s why=\"%.*s\"", STR_ARG(j.id),
			STR_ARG(w.c->failure.message));
		return STATUS(IO);
	}
	TRY(s);
	ec2_instance_put(j.at, &i);
	if (i.state.v != was) ec2_instance_tell(w.c, &i);
	*again_ms = w.again_ms;
	return OK;
}

/* ── after what happened elsewhere ── */

static struct str index_key(struct arena *a, struct str id)
{
	struct key k = key_for(a, STR("ec2"), STR("machine"), STR(""), STR(""));
	key_str(&k, id);
	return key_done(&k);
}

void ec2_machine_index(struct ec2_place at, struct str id, bool there)
{
	if (there)
		store_put(at.tx, index_key(at.a, id),
			str_fmt(at.a, "%.*s %.*s", STR_ARG(at.account), STR_ARG(at.region)));
	else
		store_delete(at.tx, index_key(at.a, id));
}

status ec2_machine_place(struct store_tx *tx, struct arena *a, struct str id, struct ec2_place *at)
{
	struct str value;
	TRY(store_peek(tx, index_key(a, id), &value));
	value = str_dup(a, value);
	*at = (struct ec2_place){.tx = tx, .a = a};
	at->account = str_cut(&value, ' ');
	at->region = value;
	return OK;
}

/* id: STR_NONE for all that there are. */
static void look_at(struct cloud *cloud, struct str id)
{
	struct arena a;
	store_ticket ticket;
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, false);
	int64_t now = clock_now(cloud->clock);
	struct ec2_place at;
	if (str_has(id)) {
		if (is_ok(ec2_machine_place(tx, &a, id, &at))) ec2_job_schedule(at, EC2_JOB_MACHINE, id, now);
	} else {
		struct key k = key_for(&a, STR("ec2"), STR("machine"), STR(""), STR(""));
		struct str from = key_done(&k), key, value, part = STR_NONE;
		struct store_scan *scan = store_scan_begin(tx, from, key_after(&a, from), false);
		while (store_scan_next(scan, &key, &value)) {
			struct str rest = str_dup(&a, value), name = str_dup(&a, key);
			bool well = true;
			for (unsigned n = 0; n < 5 && well; n++) well = is_ok(key_read_str(&a, &name, &part));
			if (!well) continue;
			at = (struct ec2_place){.tx = tx, .a = &a};
			at.account = str_cut(&rest, ' ');
			at.region = rest;
			ec2_job_schedule(at, EC2_JOB_MACHINE, part, now);
		}
		if (!is_ok(store_scan_end(scan))) log_warn("ec2", "scan_failed", "what=machines");
	}
	/* A conflict is another who has just scheduled it. */
	if (!is_ok(store_commit(tx, &ticket))) log_debug("ec2", "look_again", "what=machines");
	store_end(tx);
	arena_cleanup(&a);
	jobs_poke(cloud->jobs);
}

static void on_event(void *ctx, enum host_event_kind kind, const void *detail)
{
	struct cloud *cloud = ctx;
	if (kind == HOST_MACHINE_ENDED) look_at(cloud, ((const struct host_rec_machine_ended *)detail)->id);
	if (kind == HOST_AGENT_RESTARTED) look_at(cloud, STR_NONE);
}

void ec2_machines_begin(struct cloud *cloud)
{
	if (cloud->host) host_subscribe(cloud->host, on_event, cloud);
	look_at(cloud, STR_NONE);
}

/* ── GetConsoleOutput ── */

status ec2_get_console_output(
	struct call *c, const struct ec2_get_console_output_input *in, struct ec2_get_console_output_output *out)
{
	struct ec2_rec_instance i;
	struct str text = STR("");
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	out->instance_id = i.instance_id;
	out->timestamp = SOME_TIME(c->now_ms / 1000 * 1000);
	if (ec2_machines_are_real(c->cloud)) {
		const char *path = ec2_file_path(c->cloud, c->arena, ec2_console_file(c->arena, i.instance_id));
		status s = host_console_read(c->arena, path, &text);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	} else if (i.boots.v) {
		text = STR("[virga] " EC2_SIMULATED_TEXT "\n");
	}
	out->output = str_base64(c->arena, text);
	return OK;
}
