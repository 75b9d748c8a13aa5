/* "Replace the root volume for an Amazon EC2 instance without stopping it", the guide: a new root volume as the
 * instance was launched with, of a snapshot of its root volumes, or of an image. The instance is rebooted into it; its
 * other volumes, interfaces and addresses stay. A task stands for it; the machine controller does it. */
#include "services/ec2/root_volume.h"
#include "services/ec2/image.h"
#include "services/ec2/instance.h"

static const char *const filters[] = {"instance-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_root_task *r = item->record;
	struct ec2_replace_root_volume_task *out = to;
	out->start_time = time_iso8601(c->arena, r->started.ms, false);
	if (r->completed.has) out->complete_time = time_iso8601(c->arena, r->completed.ms, false);
	return OK;
}

const struct ec2_type ec2_type_root_task = {.name = "replace-root-volume-task",
	.prefix = "replacevol-",
	.absent = "The replace root volume task ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_REPLACE_ROOT_VOLUME_TASK_ID_NOT_FOUND,
	.record = EC2_REC_ROOT_TASK,
	.shape = EC2_SHAPE_REPLACE_ROOT_VOLUME_TASK,
	.filters = filters,
	.render = render};

/* ── the operation ── */

struct old {
	struct ec2_rec_instance i;
	struct ec2_rec_volume v;
	struct ec2_rec_attachment *attachment;
};

/* "The snapshot must have been taken from the root volume, or a previous one". */
static status check_lineage(struct call *c, const struct old *o, const struct ec2_rec_snapshot *s)
{
	bool own = str_eq(s->volume_id, o->v.volume_id) || str_eq(s->snapshot_id, o->v.snapshot_id);
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_root_task);
	while (ec2_next(&e)) {
		const struct ec2_rec_root_task *t = e.item.record;
		own = own || (str_eq(t->instance_id, o->i.instance_id) && str_eq(t->old_volume, s->volume_id));
	}
	TRY(ec2_each_end(&e));
	if (own) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"The snapshot '%.*s' was not created from a root volume of the instance '%.*s'.",
		STR_ARG(s->snapshot_id), STR_ARG(o->i.instance_id));
}

static status from_image(struct call *c, struct str id, struct ec2_volume_plan *p)
{
	struct ec2_image_found image;
	TRY(ec2_image_find(c, c->region, id, &image));
	if (!str_is(image.shape.state, "available"))
		return call_fail(c, EC2_ERR_INVALID_AMIID_UNAVAILABLE, "The image id '[%.*s]' is no longer available",
			STR_ARG(id));
	p->base = image.base;
	p->snapshot = p->from_owner = STR_NONE;
	for (size_t k = 0; k < image.shape.block_device_mappings.n; k++) {
		const struct ec2_block_device_mapping *m = &image.shape.block_device_mappings.v[k];
		if (!m->ebs || !str_eq(m->device_name, image.shape.root_device_name)) continue;
		if (m->ebs->volume_size.has && m->ebs->volume_size.v > p->size.v) p->size = m->ebs->volume_size;
		if (str_empty(m->ebs->snapshot_id)) continue;
		p->snapshot = m->ebs->snapshot_id;
		p->from_owner = image.owner;
	}
	return OK;
}

static status plan(struct call *c, const struct ec2_create_replace_root_volume_task_input *in, const struct old *o,
	struct ec2_volume_plan *p)
{
	*p = (struct ec2_volume_plan){.type = o->v.volume_type,
		.size = o->v.size,
		.iops = str_is(o->v.volume_type, "gp2") ? (struct opt_i32){0} : o->v.iops,
		.throughput = o->v.throughput,
		.zone = o->v.availability_zone,
		.zone_id = o->v.availability_zone_id,
		.base = o->v.base};
	if (o->v.encrypted.v) {
		p->encrypted = SOME_BOOL(true);
		p->kms_key = o->v.kms_key_id;
	}
	if (str_has(in->image_id)) return from_image(c, in->image_id, p);
	if (str_has(in->snapshot_id)) {
		struct ec2_rec_snapshot s;
		TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
		p->snapshot = in->snapshot_id;
		return check_lineage(c, o, &s);
	}
	const struct ec2_rec_first_root *first = o->i.first_root;
	p->base = first ? first->base : o->v.base;
	p->snapshot = first ? first->snapshot : o->v.snapshot_id;
	p->from_owner = first ? first->owner : o->v.snapshot_owner;
	if (str_empty(p->snapshot)) p->snapshot = p->from_owner = STR_NONE;
	return OK;
}

static status find_old(struct call *c, struct str instance, struct old *o)
{
	TRY(ec2_find(c, &ec2_type_instance, instance, &o->i));
	if (o->i.state.v != EC2_RUNNING || !o->i.volumes.n)
		return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
			"The instance '%.*s' is not in the 'running' state.", STR_ARG(instance));
	if (str_has(o->i.root_task))
		return call_fail(c, EC2_ERR_INCORRECT_STATE,
			"A replace root volume task is already in progress for the instance '%.*s'.",
			STR_ARG(instance));
	TRY(ec2_find(c, &ec2_type_volume, o->i.volumes.v[0].id, &o->v));
	o->attachment = ec2_volume_attachment(&o->v, instance);
	return o->attachment ? OK : STATUS(CORRUPT);
}

/* The same token again: its task. NOT_FOUND. */
static status made_before(struct call *c, struct str token, struct str *id)
{
	*id = STR_NONE;
	if (str_empty(token)) return OK;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_root_task);
	while (ec2_next(&e))
		if (str_eq(((const struct ec2_rec_root_task *)e.item.record)->client_token, token))
			*id = str_dup(c->arena, e.item.id);
	return ec2_each_end(&e);
}

status ec2_create_replace_root_volume_task(struct call *c, const struct ec2_create_replace_root_volume_task_input *in,
	struct ec2_create_replace_root_volume_task_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_root_task};
	struct old o;
	struct ec2_volume_plan p;
	struct ec2_rec_volume v;
	struct str before;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	out->replace_root_volume_task = arena_new(c->arena, struct ec2_replace_root_volume_task);
	TRY(made_before(c, in->client_token, &before));
	if (str_has(before)) return ec2_describe_one(c, &ec2_type_root_task, before, out->replace_root_volume_task);
	if (str_has(in->snapshot_id) && str_has(in->image_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameters SnapshotId and ImageId may not be used together");
	TRY(find_old(c, in->instance_id, &o));
	TRY(plan(c, in, &o, &p));
	TRY(ec2_volume_plan(c, &p));
	TRY(ec2_volume_make(c, &p, &v));
	if (!ec2_volume_key_may(c, &v, EC2_KEY_GRANT)) v.refused = SOME_BOOL(true);
	ec2_volume_put(ec2_here(c), &v);
	struct ec2_rec_root_task t = {.replace_root_volume_task_id = ec2_new_id(c->arena, ec2_type_root_task.prefix),
		.instance_id = in->instance_id,
		.task_state = STR("pending"),
		.started = SOME_TIME(c->now_ms),
		.image_id = in->image_id,
		.snapshot_id = in->snapshot_id,
		.delete_replaced_root_volume = SOME_BOOL(in->delete_replaced_root_volume.v),
		.old_volume = o.v.volume_id,
		.new_volume = v.volume_id,
		.client_token = in->client_token};
	ec2_put(ec2_here(c), &ec2_type_root_task, t.replace_root_volume_task_id, &t);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_root_task, t.replace_root_volume_task_id));
	o.i.root_task = t.replace_root_volume_task_id;
	if (!o.i.first_root) {
		o.i.first_root = arena_new(c->arena, struct ec2_rec_first_root);
		*o.i.first_root = (struct ec2_rec_first_root){o.v.snapshot_id, o.v.snapshot_owner, o.v.base};
	}
	ec2_instance_change(c, &o.i);
	return ec2_describe_one(c, &ec2_type_root_task, t.replace_root_volume_task_id, out->replace_root_volume_task);
}

status ec2_describe_replace_root_volume_tasks(struct call *c,
	const struct ec2_describe_replace_root_volume_tasks_input *in,
	struct ec2_describe_replace_root_volume_tasks_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_root_task, in, replace_root_volume_task_ids, out, replace_root_volume_tasks);
}

/* ── for the controller ── */

static status end(
	struct ec2_place at, struct ec2_rec_instance *i, struct ec2_rec_root_task *t, const char *state, int64_t now_ms)
{
	t->task_state = str_c(state);
	t->completed = SOME_TIME(now_ms);
	ec2_put(at, &ec2_type_root_task, t->replace_root_volume_task_id, t);
	i->root_task = STR_NONE;
	return OK;
}

status ec2_root_fail(struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms)
{
	struct ec2_rec_root_task t;
	struct ec2_rec_volume v;
	if (!str_has(i->root_task)) return OK;
	TRY(ec2_load(at, &ec2_type_root_task, i->root_task, &t));
	if (t.swapped.v) return end(at, i, &t, "succeeded", now_ms);
	status s = ec2_load(at, &ec2_type_volume, t.new_volume, &v);
	if (is_ok(s)) {
		v.state = STR("deleting");
		ec2_volume_put(at, &v);
		ec2_volume_poke(at, v.volume_id, now_ms);
	} else if (!status_is(s, STATUS_NOT_FOUND)) {
		return s;
	}
	return end(at, i, &t, "failed", now_ms);
}

status ec2_root_next(struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms, enum ec2_root_next *next)
{
	struct ec2_rec_root_task t;
	struct ec2_rec_volume v;
	*next = EC2_ROOT_NOTHING;
	if (!str_has(i->root_task)) return OK;
	TRY(ec2_load(at, &ec2_type_root_task, i->root_task, &t));
	if (t.swapped.v) return OK;
	status s = ec2_load(at, &ec2_type_volume, t.new_volume, &v);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s) && str_is(v.state, "creating")) {
		*next = EC2_ROOT_WAIT;
		return OK;
	}
	if (!is_ok(s) || !str_is(v.state, "available") || !i->volumes.n) return ec2_root_fail(at, i, now_ms);
	if (!str_is(t.task_state, "in-progress")) {
		t.task_state = STR("in-progress");
		i->changed = SOME_TIME(now_ms); /* its machine's grace begins */
		ec2_put(at, &ec2_type_root_task, t.replace_root_volume_task_id, &t);
	}
	*next = EC2_ROOT_STOP;
	return OK;
}

status ec2_root_swap(struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms)
{
	struct ec2_rec_root_task t;
	struct ec2_rec_volume old, new;
	size_t capacity = 0;
	TRY(ec2_load(at, &ec2_type_root_task, i->root_task, &t));
	TRY(ec2_load(at, &ec2_type_volume, t.old_volume, &old));
	TRY(ec2_load(at, &ec2_type_volume, t.new_volume, &new));
	struct ec2_rec_attachment *was = ec2_volume_attachment(&old, i->instance_id);
	struct ec2_rec_attachment *a = VEC_PUSH(at.a, &new.attachments, &capacity);
	*a = (struct ec2_rec_attachment){.instance_id = i->instance_id,
		.device = i->volumes.v[0].device,
		.state = STR("attaching"),
		.attach_time = SOME_TIME(now_ms),
		.delete_on_termination = was ? was->delete_on_termination : SOME_BOOL(true),
		.volume_id = new.volume_id};
	new.state = STR("in-use");
	ec2_volume_put(at, &new);
	if (was) {
		was->delete_on_termination = t.delete_replaced_root_volume;
		ec2_volume_put(at, &old);
	}
	TRY(ec2_volume_leave(at, t.old_volume, i->instance_id, now_ms));
	i->volumes.v[0].id = new.volume_id;
	t.swapped = SOME_BOOL(true);
	ec2_put(at, &ec2_type_root_task, t.replace_root_volume_task_id, &t);
	return OK;
}

status ec2_root_done(struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms)
{
	struct ec2_rec_root_task t;
	if (!str_has(i->root_task)) return OK;
	TRY(ec2_load(at, &ec2_type_root_task, i->root_task, &t));
	return t.swapped.v ? end(at, i, &t, "succeeded", now_ms) : OK;
}
