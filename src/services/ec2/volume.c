/* Volumes: made, described, deleted; their status and attributes. */
#include "services/ec2/volume.h"
#include "services/ec2/machine.h"
#include "vault/vault.h"

static const char *const filters[] = {"attachment.attach-time=Attachments.AttachTime",
	"attachment.delete-on-termination=Attachments.DeleteOnTermination", "attachment.device=Attachments.Device",
	"attachment.instance-id=Attachments.InstanceId", "attachment.status=Attachments.State", "availability-zone",
	"availability-zone-id", "create-time", "encrypted", "fast-restored", "kms-key-id", "multi-attach-enabled",
	"size", "snapshot-id", "status=State", "throughput", "volume-id", "volume-type", NULL};
const struct ec2_type ec2_type_volume = {.name = "volume",
	.prefix = "vol-",
	.absent = "The volume '@' does not exist.",
	.not_found = EC2_ERR_INVALID_VOLUME_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_VOLUME_ID_MALFORMED,
	.record = EC2_REC_VOLUME,
	.shape = EC2_SHAPE_VOLUME,
	.filters = filters};
static const struct ec2_type *const taggable[] = {&ec2_type_volume};

void ec2_volume_put(struct ec2_place at, const struct ec2_rec_volume *v)
{
	ec2_put(at, &ec2_type_volume, v->volume_id, v);
}

void ec2_volume_poke(struct ec2_place at, struct str id, int64_t now_ms)
{
	ec2_job_schedule(at, EC2_JOB_VOLUME, id, now_ms);
}

struct ec2_rec_attachment *ec2_volume_attachment(const struct ec2_rec_volume *v, struct str instance)
{
	for (size_t i = 0; i < v->attachments.n; i++)
		if (str_eq(v->attachments.v[i].instance_id, instance)) return &v->attachments.v[i];
	return NULL;
}

status ec2_volume_plan(struct call *c, struct ec2_volume_plan *p)
{
	struct ec2_rec_settings settings;
	if (str_has(p->snapshot)) {
		if (str_has(p->from_owner)) {
			struct ec2_place at = ec2_here(c);
			at.account = p->from_owner;
			status s = ec2_load(at, &ec2_type_snapshot, p->snapshot, &p->from);
			if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &ec2_type_snapshot, p->snapshot);
			TRY(s);
		} else {
			TRY(ec2_snapshot_usable(c, c->region, p->snapshot, &p->from, &p->from_owner));
		}
		if (!str_is(p->from.state, "completed"))
			return call_fail(c, EC2_ERR_INCORRECT_STATE, "Snapshot '%.*s' is not 'completed'.",
				STR_ARG(p->snapshot));
		if (str_is(p->from.storage_tier, "archive"))
			return call_fail(
				c, EC2_ERR_INCORRECT_STATE, "Snapshot '%.*s' is archived.", STR_ARG(p->snapshot));
		p->has_from = true;
		if (!p->size.has) p->size = p->from.volume_size;
		if (p->size.v < p->from.volume_size.v)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Volume of size %dGB is smaller than snapshot '%.*s', expect size >= %dGB", p->size.v,
				STR_ARG(p->snapshot), p->from.volume_size.v);
		if (p->from.encrypted.v && p->encrypted.has && !p->encrypted.v)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"Unencrypted volumes cannot be created from encrypted snapshots");
	}
	TRY(ec2_settings_get(ec2_here(c), &settings));
	if (settings.encrypt.v || (p->has_from && p->from.encrypted.v)) p->encrypted = SOME_BOOL(true);
	if (str_has(p->kms_key) && !p->encrypted.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_DEPENDENCY,
			"The parameter KmsKeyId requires the parameter Encrypted to be set.");
	return ec2_volume_limits(c, p);
}

/* Keeps the snapshot's data key, so that blocks go on being shared, unless another key is asked for. */
static status encrypt(struct call *c, const struct ec2_volume_plan *p, struct ec2_rec_volume *v)
{
	if (!p->encrypted.v) return OK;
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	struct str plain;
	bool inherited = p->has_from && p->from.encrypted.v;
	if (inherited) {
		status s = ec2_crypt_open(&u, p->from.data_key, p->from.data_key_id, &plain, &why);
		if (!is_ok(s)) return ec2_crypt_refused(c, s, &why);
		vault_wipe(plain);
		if (!ec2_key_may(c, p->from.kms_key_id, p->from.data_key_id, EC2_KEY_READ))
			v->refused = SOME_BOOL(true);
	}
	if (inherited && !str_has(p->kms_key) && str_eq(p->from_owner, c->account)) {
		v->kms_key_id = p->from.kms_key_id;
		v->data_key = p->from.data_key;
		v->data_key_id = p->from.data_key_id;
		return OK;
	}
	v->data_key_id = v->volume_id;
	TRY(ec2_crypt_new(c, p->kms_key, v->data_key_id, &v->kms_key_id, &v->data_key));
	if (!ec2_key_may(c, v->kms_key_id, v->data_key_id, EC2_KEY_MAKE)) v->refused = SOME_BOOL(true);
	return OK;
}

status ec2_volume_make(struct call *c, const struct ec2_volume_plan *p, struct ec2_rec_volume *out)
{
	*out = (struct ec2_rec_volume){.volume_id = ec2_new_id(c->arena, ec2_type_volume.prefix),
		.size = p->size,
		.snapshot_id = str_or(p->snapshot, STR("")),
		.availability_zone = p->zone,
		.availability_zone_id = p->zone_id,
		.volume_type = p->type,
		.iops = p->iops,
		.throughput = p->throughput,
		.encrypted = SOME_BOOL(p->encrypted.v),
		.sealed = SOME_BOOL(p->encrypted.v),
		.create_time = SOME_TIME(c->now_ms),
		.state = STR("creating"),
		.multi_attach_enabled = SOME_BOOL(p->multi_attach.v),
		.client_token = p->client_token,
		.snapshot_owner = p->from_owner,
		.source_volume_id = p->source,
		.base = p->has_from ? p->from.base : p->base};
	bool fast = false;
	if (p->has_from) TRY(ec2_fast_restored(c, p->snapshot, p->zone, &fast));
	if (fast) out->fast_restored = SOME_BOOL(true);
	TRY(encrypt(c, p, out));
	ec2_volume_put(ec2_here(c), out);
	ec2_volume_poke(ec2_here(c), out->volume_id, c->now_ms);
	ec2_poke_jobs(c);
	return OK;
}

/* The same token again: the volume that it made. NOT_FOUND. */
static status made_before(struct call *c, struct str token, struct str *id)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_volume);
	bool found = false;
	while (!found && str_has(token) && ec2_next(&e)) {
		const struct ec2_rec_volume *v = e.item.record;
		found = str_has(v->client_token) && str_eq(v->client_token, token);
		*id = e.item.id;
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

status ec2_create_volume(struct call *c, const struct ec2_create_volume_input *in, struct ec2_create_volume_output *out)
{
	struct ec2_zone zone;
	struct ec2_rec_volume v;
	struct str before;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_zone_find(c, in->availability_zone, in->availability_zone_id, &zone));
	if (!str_has(zone.name))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter AvailabilityZone or "
			"AvailabilityZoneId");
	status s = made_before(c, in->client_token, &before);
	if (is_ok(s)) return ec2_describe_one(c, &ec2_type_volume, before, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct ec2_volume_plan p = {.type = in->volume_type,
		.size = in->size,
		.iops = in->iops,
		.throughput = in->throughput,
		.multi_attach = in->multi_attach_enabled,
		.encrypted = in->encrypted,
		.kms_key = in->kms_key_id,
		.snapshot = str_empty(in->snapshot_id) ? STR_NONE : in->snapshot_id,
		.zone = zone.name,
		.zone_id = zone.id,
		.client_token = in->client_token};
	TRY(ec2_volume_plan(c, &p));
	TRY(ec2_volume_make(c, &p, &v));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_volume, v.volume_id));
	return ec2_describe_one(c, &ec2_type_volume, v.volume_id, out);
}

status ec2_describe_volumes(
	struct call *c, const struct ec2_describe_volumes_input *in, struct ec2_describe_volumes_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_volume, in, volume_ids, out, volumes);
}

status ec2_delete_volume(struct call *c, const struct ec2_delete_volume_input *in, struct wire_nothing *out)
{
	struct ec2_rec_volume v;
	(void)out;
	TRY(ec2_find(c, &ec2_type_volume, in->volume_id, &v));
	if (v.attachments.n)
		return call_fail(c, EC2_ERR_VOLUME_IN_USE, "Volume %.*s is currently attached to %.*s",
			STR_ARG(v.volume_id), STR_ARG(v.attachments.v[0].instance_id));
	bool kept = false;
	if (str_is(v.state, "available")) TRY(ec2_recycle(c, &ec2_type_volume, v.volume_id, &v, &kept));
	if (kept) return OK;
	v.state = STR("deleting");
	ec2_volume_put(ec2_here(c), &v);
	ec2_volume_poke(ec2_here(c), v.volume_id, c->now_ms);
	ec2_poke_jobs(c);
	return OK;
}

status ec2_volume_leave(struct ec2_place at, struct str id, struct str instance, int64_t now_ms)
{
	struct ec2_rec_volume v;
	status s = ec2_load(at, &ec2_type_volume, id, &v);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	size_t kept = 0;
	bool delete = false;
	for (size_t i = 0; i < v.attachments.n; i++) {
		if (!str_eq(v.attachments.v[i].instance_id, instance))
			v.attachments.v[kept++] = v.attachments.v[i];
		else
			delete = v.attachments.v[i].delete_on_termination.v;
	}
	v.attachments.n = kept;
	if (kept == 0 && !str_is(v.state, "deleting")) v.state = delete ? STR("deleting") : STR("available");
	ec2_volume_put(at, &v);
	ec2_volume_poke(at, id, now_ms);
	return OK;
}

/* ── status, attributes ── */

static const char *const status_filters[] = {"action.code=Actions.Code", "action.description=Actions.Description",
	"action.event-id=Actions.EventId", "availability-zone", "event.description=Events.Description",
	"event.event-id=Events.EventId", "event.event-type=Events.EventType", "event.not-after=Events.NotAfter",
	"event.not-before=Events.NotBefore", "volume-status.details-name=VolumeStatus.Details.Name",
	"volume-status.details-status=VolumeStatus.Details.Status", "volume-status.status=VolumeStatus.Status", NULL};

static status render_status(struct call *c, const struct ec2_item *item, void *out)
{
	const struct ec2_rec_volume *v = item->record;
	struct ec2_volume_status_item *o = out;
	size_t capacity = 0;
	bool impaired = ec2_zone_is_down(c->tx, c->arena, v->availability_zone);
	struct str health = impaired                       ? STR("impaired")
			    : str_is(v->state, "creating") ? STR("insufficient-data")
							   : STR("ok");
	o->volume_status = arena_new(c->arena, struct ec2_volume_status_info);
	o->volume_status->status = health;
	*VEC_PUSH(c->arena, &o->volume_status->details, &capacity) =
		(struct ec2_volume_status_details){STR("io-enabled"), impaired ? STR("failed") : STR("passed")};
	*VEC_PUSH(c->arena, &o->volume_status->details, &capacity) =
		(struct ec2_volume_status_details){STR("io-performance"), STR("not-applicable")};
	VEC_PRESENT(c->arena, &o->events);
	VEC_PRESENT(c->arena, &o->actions);
	return OK;
}

status ec2_describe_volume_status(struct call *c, const struct ec2_describe_volume_status_input *in,
	struct ec2_describe_volume_status_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_volume,
				       .ids = &in->volume_ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->volume_statuses,
				       .next_out = &out->next_token,
				       .shape = EC2_SHAPE_VOLUME_STATUS_ITEM,
				       .filter_names = status_filters,
				       .render = render_status});
}

status ec2_describe_volume_attribute(struct call *c, const struct ec2_describe_volume_attribute_input *in,
	struct ec2_describe_volume_attribute_output *out)
{
	struct ec2_rec_volume v;
	TRY(ec2_find(c, &ec2_type_volume, in->volume_id, &v));
	out->volume_id = v.volume_id;
	if (str_is(in->attribute, "productCodes")) {
		VEC_PRESENT(c->arena, &out->product_codes);
		return OK;
	}
	out->auto_enable_io = arena_new(c->arena, struct ec2_attribute_boolean_value);
	out->auto_enable_io->value = SOME_BOOL(v.auto_io.v);
	return OK;
}

status ec2_modify_volume_attribute(
	struct call *c, const struct ec2_modify_volume_attribute_input *in, struct wire_nothing *out)
{
	struct ec2_rec_volume v;
	(void)out;
	TRY(ec2_find(c, &ec2_type_volume, in->volume_id, &v));
	if (!in->auto_enable_io)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter AutoEnableIO");
	v.auto_io = in->auto_enable_io->value;
	ec2_volume_put(ec2_here(c), &v);
	return OK;
}
