/* Attaching, detaching and modifying volumes, and the job that does it: level-triggered, from what the record says. */
#include "services/ec2/instance.h"
#include "services/ec2/machine.h"
#include "services/ec2/volume.h"
#include "vault/vault.h"

enum { MULTI_ATTACH_MAX = 16, RETRY_MS = 1000 };
#define OPTIMIZING_MS ((int64_t)2000)
#define BETWEEN_MODIFICATIONS_MS ((int64_t)6 * 3600 * 1000)

/* ── AttachVolume ── */

/* "Device names for volumes on Amazon EC2 instances", the guide: /dev/sd[a-z][1-15], xvd[a-z], … */
static bool is_device(struct str d)
{
	if (str_starts(d, STR("/dev/"))) d = str_from(d, 5);
	bool prefix = str_starts(d, STR("sd")) || str_starts(d, STR("xvd")) || str_starts(d, STR("hd")) ||
		      str_starts(d, STR("nvme"));
	if (!prefix || d.n < 3 || d.n > 16) return false;
	for (size_t i = 0; i < d.n; i++)
		if (!((d.p[i] >= 'a' && d.p[i] <= 'z') || (d.p[i] >= '0' && d.p[i] <= '9'))) return false;
	return true;
}

status ec2_device_check(struct call *c, struct str device)
{
	if (is_device(device)) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"Value (%.*s) for parameter device is invalid. %.*s is not a valid EBS device name.", STR_ARG(device),
		STR_ARG(device));
}

static status check_volume(struct call *c, const struct ec2_rec_volume *v, const struct ec2_rec_instance *i)
{
	if (!str_eq(v->availability_zone, i->zone))
		return call_fail(c, EC2_ERR_INVALID_VOLUME_ZONE_MISMATCH,
			"The volume '%.*s' is not in the same availability zone as instance '%.*s'",
			STR_ARG(v->volume_id), STR_ARG(i->instance_id));
	if (ec2_volume_attachment(v, i->instance_id))
		return call_fail(
			c, EC2_ERR_VOLUME_IN_USE, "%.*s is already attached to an instance", STR_ARG(v->volume_id));
	if (v->attachments.n && !v->multi_attach_enabled.v)
		return call_fail(
			c, EC2_ERR_VOLUME_IN_USE, "%.*s is already attached to an instance", STR_ARG(v->volume_id));
	if (v->attachments.n >= MULTI_ATTACH_MAX)
		return call_fail(c, EC2_ERR_ATTACHMENT_LIMIT_EXCEEDED,
			"A volume cannot be attached to more than %d instances.", MULTI_ATTACH_MAX);
	if (!str_is(v->state, "available") && !str_is(v->state, "in-use"))
		return call_fail(
			c, EC2_ERR_INCORRECT_STATE, "Volume '%.*s' is not 'available'.", STR_ARG(v->volume_id));
	if (!v->encrypted.v) return OK;
	TRY(ec2_crypt_possible(c));
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	struct str plain;
	status s = ec2_crypt_open(&u, v->data_key, v->data_key_id, &plain, &why);
	if (!is_ok(s)) return ec2_crypt_refused(c, s, &why);
	vault_wipe(plain);
	return OK;
}

status ec2_attach_volume(struct call *c, const struct ec2_attach_volume_input *in, struct ec2_attach_volume_output *out)
{
	struct ec2_rec_volume v;
	struct ec2_rec_instance i;
	struct ec2_machine_type m;
	TRY(ec2_find(c, &ec2_type_volume, in->volume_id, &v));
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(ec2_device_check(c, in->device));
	if (i.state.v != EC2_RUNNING && i.state.v != EC2_STOPPED)
		return call_fail(
			c, EC2_ERR_INCORRECT_STATE, "Instance '%.*s' is not 'running'.", STR_ARG(i.instance_id));
	TRY(check_volume(c, &v, &i));
	for (size_t k = 0; k < i.volumes.n; k++)
		if (str_eq(i.volumes.v[k].device, in->device))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Invalid value '%.*s' for unixDevice. Attachment point %.*s is already in use",
				STR_ARG(in->device), STR_ARG(in->device));
	if (ec2_machine_type_find(ec2_instance_type_of(c->arena, &i), &m) && i.volumes.n >= (m.family->xen ? 39u : 27u))
		return call_fail(c, EC2_ERR_ATTACHMENT_LIMIT_EXCEEDED,
			"The maximum number of volumes that can be attached to the instance '%.*s' is reached.",
			STR_ARG(i.instance_id));
	size_t volumes = i.volumes.n, attachments = v.attachments.n;
	struct ec2_rec_attachment *a = VEC_PUSH(c->arena, &v.attachments, &attachments);
	*a = (struct ec2_rec_attachment){.instance_id = i.instance_id,
		.device = in->device,
		.state = STR("attaching"),
		.attach_time = SOME_TIME(c->now_ms),
		.delete_on_termination = SOME_BOOL(false),
		.volume_id = v.volume_id};
	if (!ec2_volume_key_may(c, &v, EC2_KEY_GRANT)) a->refused = SOME_BOOL(true);
	*VEC_PUSH(c->arena, &i.volumes, &volumes) =
		(struct ec2_rec_instance_volume){.device = in->device, .id = v.volume_id};
	v.state = STR("in-use");
	ec2_volume_put(ec2_here(c), &v);
	ec2_instance_put(ec2_here(c), &i);
	ec2_volume_poke(ec2_here(c), v.volume_id, c->now_ms);
	ec2_poke_jobs(c);
	ec2_show(c->arena, EC2_REC_ATTACHMENT, a, EC2_SHAPE_VOLUME_ATTACHMENT, out);
	return OK;
}

/* ── DetachVolume ── */

status ec2_detach_volume(struct call *c, const struct ec2_detach_volume_input *in, struct ec2_detach_volume_output *out)
{
	struct ec2_rec_volume v;
	struct ec2_rec_instance i;
	TRY(ec2_find(c, &ec2_type_volume, in->volume_id, &v));
	if (!v.attachments.n)
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "Volume '%.*s' is in the '%.*s' state.",
			STR_ARG(v.volume_id), STR_ARG(v.state));
	if (str_empty(in->instance_id) && v.attachments.n > 1)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter InstanceId: the volume is attached to several "
			"instances");
	struct str instance = str_empty(in->instance_id) ? v.attachments.v[0].instance_id : in->instance_id;
	struct ec2_rec_attachment *a = ec2_volume_attachment(&v, instance);
	if (!a || (str_has(in->device) && !str_eq(in->device, a->device)))
		return call_fail(c, EC2_ERR_INVALID_ATTACHMENT_NOT_FOUND,
			"The volume '%.*s' is not attached to instance '%.*s' as device '%.*s'.", STR_ARG(v.volume_id),
			STR_ARG(instance), STR_ARG(in->device));
	TRY(ec2_find(c, &ec2_type_instance, instance, &i));
	bool root = i.volumes.n && str_eq(i.volumes.v[0].id, v.volume_id);
	if (root && i.state.v != EC2_STOPPED)
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"Unable to detach root volume '%.*s' from instance '%.*s'", STR_ARG(v.volume_id),
			STR_ARG(instance));
	a->state = STR("detaching");
	a->force = in->force;
	ec2_volume_put(ec2_here(c), &v);
	ec2_volume_poke(ec2_here(c), v.volume_id, c->now_ms);
	ec2_poke_jobs(c);
	ec2_show(c->arena, EC2_REC_ATTACHMENT, a, EC2_SHAPE_VOLUME_ATTACHMENT, out);
	return OK;
}

/* ── ModifyVolume ── "Request Amazon EBS volume modifications", the EBS guide ── */

static void modification_out(struct call *c, const struct ec2_rec_volume *v, struct ec2_volume_modification *out)
{
	ec2_show(c->arena, EC2_REC_MODIFICATION, v->modification, EC2_SHAPE_VOLUME_MODIFICATION, out);
}

static status modifiable(struct call *c, const struct ec2_rec_volume *v)
{
	const struct ec2_rec_modification *m = v->modification;
	if (!str_is(v->state, "available") && !str_is(v->state, "in-use"))
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "Volume '%.*s' is in the '%.*s' state.",
			STR_ARG(v->volume_id), STR_ARG(v->state));
	if (!m) return OK;
	if (str_is(m->modification_state, "modifying") || str_is(m->modification_state, "optimizing"))
		return call_fail(c, EC2_ERR_INCORRECT_MODIFICATION_STATE,
			"Volume %.*s cannot be modified in modification state %.*s", STR_ARG(v->volume_id),
			STR_ARG(str_is(m->modification_state, "modifying") ? STR("MODIFYING") : STR("OPTIMIZING")));
	if (m->start_time.ms + BETWEEN_MODIFICATIONS_MS > c->now_ms) {
		status s = call_fail(c, EC2_ERR_INCORRECT_MODIFICATION_STATE,
			"You've reached the maximum modification rate per volume limit. Wait at least 6 hours between "
			"modifications per EBS volume.");
		c->failure.code = STR("VolumeModificationRateExceeded");
		c->failure.http_status = 400;
		return s;
	}
	return OK;
}

status ec2_modify_volume(struct call *c, const struct ec2_modify_volume_input *in, struct ec2_modify_volume_output *out)
{
	struct ec2_rec_volume v;
	TRY(ec2_find(c, &ec2_type_volume, in->volume_id, &v));
	TRY(modifiable(c, &v));
	struct ec2_volume_plan p = {.type = str_or(in->volume_type, v.volume_type),
		.size = in->size.has ? in->size : v.size,
		.iops = in->iops,
		.throughput = in->throughput,
		.multi_attach = in->multi_attach_enabled.has ? in->multi_attach_enabled : v.multi_attach_enabled};
	bool same_type = str_eq(p.type, v.volume_type), chosen = !str_is(p.type, "gp2");
	if (!p.iops.has && same_type && chosen) p.iops = v.iops;
	if (!p.throughput.has && same_type) p.throughput = v.throughput;
	if (p.size.v < v.size.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "New size cannot be smaller than existing size");
	TRY(ec2_volume_limits(c, &p));
	struct ec2_rec_modification *m = arena_new(c->arena, struct ec2_rec_modification);
	*m = (struct ec2_rec_modification){.modification_state = STR("modifying"),
		.target_size = p.size,
		.target_iops = p.iops,
		.target_volume_type = p.type,
		.target_throughput = p.throughput,
		.target_multi_attach_enabled = SOME_BOOL(p.multi_attach.v),
		.original_size = v.size,
		.original_iops = v.iops,
		.original_volume_type = v.volume_type,
		.original_throughput = v.throughput,
		.original_multi_attach_enabled = v.multi_attach_enabled,
		.progress = SOME_I64(0),
		.start_time = SOME_TIME(c->now_ms),
		.volume_id = v.volume_id};
	v.modification = m;
	ec2_volume_put(ec2_here(c), &v);
	ec2_volume_poke(ec2_here(c), v.volume_id, c->now_ms);
	ec2_poke_jobs(c);
	out->volume_modification = arena_new(c->arena, struct ec2_volume_modification);
	modification_out(c, &v, out->volume_modification);
	return OK;
}

static const char *const modification_filters[] = {"modification-state", "original-iops", "original-size",
	"original-volume-type", "originalMultiAttachEnabled=OriginalMultiAttachEnabled", "start-time", "target-iops",
	"target-size", "target-volume-type", "targetMultiAttachEnabled=TargetMultiAttachEnabled", "volume-id", NULL};

static bool was_modified(struct call *c, const struct ec2_item *item)
{
	(void)c;
	return ((const struct ec2_rec_volume *)item->record)->modification != NULL;
}

static status render_modification(struct call *c, const struct ec2_item *item, void *out)
{
	modification_out(c, item->record, out);
	return OK;
}

status ec2_describe_volumes_modifications(struct call *c, const struct ec2_describe_volumes_modifications_input *in,
	struct ec2_describe_volumes_modifications_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_volume,
				       .ids = &in->volume_ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->volumes_modifications,
				       .next_out = &out->next_token,
				       .shape = EC2_SHAPE_VOLUME_MODIFICATION,
				       .filter_names = modification_filters,
				       .visible = was_modified,
				       .render = render_modification});
}

/* ── the job ── */

struct work {
	struct cloud *cloud;
	struct ec2_place at;
	struct ec2_rec_volume *v;
	int64_t now_ms, again_ms;
};

/* "If the KMS key is disabled …, the volume creation fails" and it is seen in the state "error". */
static status fail(struct work *w)
{
	w->v->state = STR("error");
	return OK;
}

static status create(struct work *w)
{
	struct ec2_rec_volume *v = w->v;
	struct arena *a = w->at.a;
	struct str file = ec2_volume_file(a, v->volume_id);
	struct str file_key;
	struct kms_use own = ec2_kms_use(w->cloud, w->at);
	struct kms_refusal refusal;
	if (v->refused.v) return fail(w);
	TRY(ec2_file_make(w->cloud, a, file, v->size.v * EC2_GIB));
	status st = ec2_crypt_file(&own, v, &file_key, &refusal);
	if (status_is(st, STATUS_FAILED)) return fail(w);
	TRY(st);
	if (!str_empty(v->snapshot_id)) {
		struct ec2_blocks b = {.at = w->at, .snapshot = v->snapshot_id};
		struct ec2_rec_snapshot s;
		if (str_has(v->snapshot_owner)) b.at.account = v->snapshot_owner;
		st = ec2_load(b.at, &ec2_type_snapshot, v->snapshot_id, &s);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		if (is_ok(st) && s.encrypted.v) {
			struct kms_use u = ec2_kms_use(w->cloud, b.at);
			struct kms_refusal why;
			st = ec2_crypt_open(&u, s.data_key, s.data_key_id, &b.key, &why);
			if (status_is(st, STATUS_FAILED)) return fail(w);
		}
		/* A snapshot that has gone meanwhile leaves the volume in error, as its bytes are not to be had. */
		if (status_is(st, STATUS_NOT_FOUND)) return fail(w);
		TRY(st);
		TRY(ec2_blocks_restore(&b, w->cloud, file, file_key));
		if (str_has(b.key)) vault_wipe(b.key);
	}
	if (str_has(file_key)) vault_wipe(file_key);
	v->state = v->attachments.n ? STR("in-use") : STR("available");
	return OK;
}

/* An instance that was started with it waits for it, or for its failure. */
static void tell_instances(struct work *w)
{
	for (size_t i = 0; i < w->v->attachments.n; i++)
		ec2_job_schedule(w->at, EC2_JOB_MACHINE, w->v->attachments.v[i].instance_id, w->now_ms);
}

static status leave_instance(struct work *w, struct str instance)
{
	struct ec2_rec_instance i;
	status s = ec2_load(w->at, &ec2_type_instance, instance, &i);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	size_t kept = 0;
	for (size_t k = 0; k < i.volumes.n; k++)
		if (!str_eq(i.volumes.v[k].id, w->v->volume_id)) i.volumes.v[kept++] = i.volumes.v[k];
	i.volumes.n = kept;
	ec2_instance_put(w->at, &i);
	return OK;
}

/* One attachment on its way; *gone: it is no more. */
static status move(struct work *w, struct ec2_rec_attachment *a, bool *gone)
{
	struct ec2_rec_instance i;
	*gone = false;
	status s = ec2_load(w->at, &ec2_type_instance, a->instance_id, &i);
	bool runs = is_ok(s) && i.state.v == EC2_RUNNING;
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (str_is(a->state, "attaching")) {
		s = a->refused.v ? STATUS(FAILED)
		    : runs       ? ec2_machine_attach(w->cloud, w->at, a->instance_id, w->v, a->device)
				 : OK;
		/* Its key has been disabled since it was asked for, or is not for who asked. */
		if (status_is(s, STATUS_FAILED)) {
			*gone = true;
			return leave_instance(w, a->instance_id);
		}
		/* Of an instance that is just starting: the machine has it from its beginning. */
		if (is_ok(s)) a->state = STR("attached");
	} else if (str_is(a->state, "detaching") || str_is(a->state, "busy")) {
		s = runs ? ec2_machine_detach(w->cloud, w->at.a, a->instance_id, w->v->volume_id) : OK;
		if (status_is(s, STATUS_BUSY) && a->force.v) s = OK;
		if (status_is(s, STATUS_BUSY)) a->state = STR("busy");
		if (is_ok(s)) {
			*gone = true;
			TRY(leave_instance(w, a->instance_id));
		}
	} else {
		return OK;
	}
	if (!is_ok(s)) w->again_ms = w->now_ms + RETRY_MS;
	return OK;
}

static status move_all(struct work *w)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->v->attachments.n; i++) {
		bool gone;
		TRY(move(w, &w->v->attachments.v[i], &gone));
		if (!gone) w->v->attachments.v[kept++] = w->v->attachments.v[i];
	}
	w->v->attachments.n = kept;
	if (!kept && str_is(w->v->state, "in-use")) w->v->state = STR("available");
	return OK;
}

static status modify(struct work *w)
{
	struct ec2_rec_volume *v = w->v;
	struct ec2_rec_modification *m = v->modification;
	if (!m) return OK;
	if (str_is(m->modification_state, "modifying")) {
		v->size = m->target_size;
		v->iops = m->target_iops;
		v->volume_type = m->target_volume_type;
		v->throughput = m->target_throughput;
		v->multi_attach_enabled = m->target_multi_attach_enabled;
		TRY(ec2_file_make(w->cloud, w->at.a, ec2_volume_file(w->at.a, v->volume_id), v->size.v * EC2_GIB));
		for (size_t i = 0; i < v->attachments.n; i++)
			ec2_machine_volume_changed(
				w->cloud, w->at.a, v->attachments.v[i].instance_id, v, v->attachments.v[i].device);
		m->modification_state = STR("optimizing");
		m->progress = SOME_I64(50);
		w->again_ms = w->now_ms + OPTIMIZING_MS;
	} else if (str_is(m->modification_state, "optimizing")) {
		if (w->now_ms < m->start_time.ms + OPTIMIZING_MS) {
			w->again_ms = m->start_time.ms + OPTIMIZING_MS;
			return OK;
		}
		m->modification_state = STR("completed");
		m->progress = SOME_I64(100);
		m->end_time = SOME_TIME(w->now_ms);
	}
	return OK;
}

status ec2_volume_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_job j;
	struct ec2_rec_volume v;
	TRY(ec2_job_read(tx, a, job, &j));
	status s = ec2_load(j.at, &ec2_type_volume, j.id, &v);
	if (status_is(s, STATUS_NOT_FOUND)) {
		bool kept;
		TRY(ec2_recycled(j.at, j.id, &kept));
		if (!kept) ec2_file_remove(cloud, a, ec2_volume_file(a, j.id));
		return OK;
	}
	TRY(s);
	struct work w = {.cloud = cloud, .at = j.at, .v = &v, .now_ms = clock_now(cloud->clock)};
	if (str_is(v.state, "deleting")) {
		ec2_file_remove(cloud, a, ec2_volume_file(a, j.id));
		ec2_drop(j.at, &ec2_type_volume, j.id);
		return OK;
	}
	if (str_is(v.state, "creating")) {
		TRY(create(&w));
		tell_instances(&w);
	}
	if (str_is(v.state, "available") || str_is(v.state, "in-use")) {
		TRY(move_all(&w));
		TRY(modify(&w));
	}
	ec2_volume_put(j.at, &v);
	*again_ms = w.again_ms;
	return OK;
}
