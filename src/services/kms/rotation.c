/* Rotation: new material for a symmetric key, while the old keeps decrypting what it made; every so many days by a
 * durable job on the virtual clock, or on demand ("Rotate AWS KMS keys"). A rotation is one transaction: the material
 * and the key that points to it, in every region of a multi-region key. */
#include "services/kms/room.h"
#include <stdlib.h>

#define JOB_ROTATE "kms.rotate"
/* A clock that was moved by centuries makes no material that nobody will use. */
#define OVERDUE_PERIODS_MAX 64

void kms_rotation_schedule(struct kms_scope *s, const struct kms_key *k)
{
	struct str id = kms_job_id(s, k);
	if (!k->r.rotation.v || !k->r.rotation_next.has) {
		jobs_cancel(s->tx, STR(JOB_ROTATE), id);
		return;
	}
	struct job job = {.kind = STR(JOB_ROTATE), .id = id, .due_ms = k->r.rotation_next.ms, .payload = STR("")};
	jobs_schedule(s->tx, &job);
}

static void take_material(struct kms_key *k, void *ctx)
{
	const struct kms_key *from = ctx;
	k->r.material = from->r.material;
	k->r.next_material = from->r.next_material;
	k->r.rotation = from->r.rotation;
	k->r.rotation_days = from->r.rotation_days;
	k->r.rotation_next = from->r.rotation_next;
	k->r.rotations_on_demand = from->r.rotations_on_demand;
	k->r.rotation_waits = from->r.rotation_waits;
}

static status rotate(struct kms_scope *s, struct kms_key *k, struct str type)
{
	TRY(kms_material_make(s, k, type));
	struct kms_key as_now = *k;
	return kms_for_related(s, k, take_material, &as_now);
}

/* One rotation of those that are due, on its own date: time may have been moved over several. A key that could not
 * rotate when it should have does so once when it can ("when the KMS key is enabled … AWS KMS rotates the key material
 * immediately"). */
static status rotate_automatically(struct kms_scope *s, struct kms_key *k)
{
	int64_t period = k->r.rotation_days.v * DAY_MS, now = s->now_ms, due = k->r.rotation_next.ms;
	bool late = k->r.rotation_waits.v || now - due > OVERDUE_PERIODS_MAX * period;
	s->now_ms = late ? now : due;
	k->r.rotation_next.ms = s->now_ms + period;
	k->r.rotation_waits = SOME_BOOL(false);
	return rotate(s, k, STR("AUTOMATIC"));
}

/* Idempotent: the date that it runs for is in the record, and moves with the rotation. */
static status run_rotation(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct kms_scope s;
	struct kms_key k;
	status st = kms_job_key(ctx, tx, a, job, &s, &k);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (!k.r.rotation.v || !k.r.rotation_next.has) return OK;
	if (k.r.rotation_next.ms > s.now_ms) {
		*again_ms = k.r.rotation_next.ms;
		return OK;
	}
	if (!str_is(k.r.state, "Enabled")) {
		*again_ms = s.now_ms + DAY_MS;
		if (k.r.rotation_waits.v) return OK;
		k.r.rotation_waits = SOME_BOOL(true);
		kms_key_put(&s, &k);
		return OK;
	}
	TRY(rotate_automatically(&s, &k));
	*again_ms = k.r.rotation_next.ms;
	return OK;
}

status kms_rotation_start(struct kms *k)
{
	jobs_register(k->cloud->jobs, JOB_ROTATE, run_rotation, k);
	return OK;
}

/* ── operations ───────────────────────────────────────────────────────────────────────────────────────────────── */

static status unsupported(struct kms_scope *s, const struct kms_key *k)
{
	return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
		"%.*s does not support this operation: its key spec is %s, its "
		"origin %.*s.",
		STR_ARG(k->arn), k->spec->name, STR_ARG(k->r.origin));
}

/* Only symmetric keys whose material KMS made rotate by themselves; a replica's rotation is its primary's. */
static status find_rotating(struct kms_scope *s, struct str reference, struct kms_key *k)
{
	TRY(kms_find(s, reference, 0, k));
	TRY(kms_check_customer(s, k));
	TRY(kms_check_state(s, k, 0));
	if (k->spec->kind != KMS_SYMMETRIC || !str_is(k->r.origin, "AWS_KMS")) return unsupported(s, k);
	if (k->r.multi_region.v && !str_eq(k->r.primary_region, k->region))
		return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
			"%.*s is a multi-Region replica key: its rotation is set on its primary key.", STR_ARG(k->arn));
	return OK;
}

static status set_rotation(struct kms_scope *s, struct kms_key *k)
{
	struct kms_key as_now = *k;
	TRY(kms_for_related(s, k, take_material, &as_now));
	kms_rotation_schedule(s, k);
	return OK;
}

status kms_enable_key_rotation(
	struct call *c, const struct kms_enable_key_rotation_input *in, struct kms_enable_key_rotation_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(find_rotating(&s, in->key_id, &k));
	int32_t days = in->rotation_period_in_days.has ? in->rotation_period_in_days.v : KMS_DEFAULT_ROTATION_DAYS;
	/* Enabled with this period already: its date stays. */
	if (k.r.rotation.v && k.r.rotation_days.v == days) return OK;
	k.r.rotation = SOME_BOOL(true);
	k.r.rotation_days = SOME_I32(days);
	k.r.rotation_next = SOME_TIME(s.now_ms + days * DAY_MS);
	return set_rotation(&s, &k);
}

status kms_disable_key_rotation(
	struct call *c, const struct kms_disable_key_rotation_input *in, struct kms_disable_key_rotation_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(find_rotating(&s, in->key_id, &k));
	k.r.rotation = SOME_BOOL(false);
	k.r.rotation_next = (struct opt_time){0};
	return set_rotation(&s, &k);
}

status kms_get_key_rotation_status(struct call *c, const struct kms_get_key_rotation_status_input *in,
	struct kms_get_key_rotation_status_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, KMS_FIND_FOREIGN, &k));
	TRY(kms_check_state(&s, &k, KMS_IN_DISABLED | KMS_IN_PENDING_DELETION));
	if (k.spec->kind != KMS_SYMMETRIC) return unsupported(&s, &k);
	/* "While a KMS key is pending deletion, its key rotation status is false and AWS KMS does not rotate the key
	 * material." */
	bool pending = !str_is(k.r.state, "Enabled") && !str_is(k.r.state, "Disabled");
	bool on = k.r.rotation.v && !pending;
	out->key_id = k.id;
	out->key_rotation_enabled = SOME_BOOL(on);
	if (!on) return OK;
	out->rotation_period_in_days = k.r.rotation_days;
	out->next_rotation_date = k.r.rotation_next;
	return OK;
}

/* Imported keys rotate to material that was imported beforehand. */
static status rotate_to_pending(struct kms_scope *s, struct kms_key *k)
{
	struct str prefix = kms_material_prefix(s, k), key, value;
	struct store_scan *scan = store_scan_begin(s->tx, prefix, key_after(s->arena, prefix), false);
	struct kms_rec_material m, found = {0};
	struct str id = STR_NONE;
	while (store_scan_next(scan, &key, &value)) {
		m = (struct kms_rec_material){0};
		TRY(kms_rec_material_decode(s->arena, str_dup(s->arena, value), &m));
		if (!m.pending.v || !str_has(m.wrapped)) continue;
		struct str rest = str_from(key, prefix.n);
		TRY(key_read_str(s->arena, &rest, &id));
		id = str_dup(s->arena, id);
		found = m;
	}
	TRY(store_scan_end(scan));
	if (!str_has(id))
		return kms_refuse(s, KMS_ERR_KMS_INVALID_STATE_EXCEPTION,
			"%.*s has no key material that is pending rotation.", STR_ARG(k->arn));
	found.pending = SOME_BOOL(false);
	found.current_since = SOME_TIME(s->now_ms);
	found.rotation_type = STR("ON_DEMAND");
	kms_material_put(s, k, id, &found);
	k->r.material = id;
	kms_key_put(s, k);
	return OK;
}

status kms_rotate_key_on_demand(
	struct call *c, const struct kms_rotate_key_on_demand_input *in, struct kms_rotate_key_on_demand_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, 0, &k));
	bool external = str_is(k.r.origin, "EXTERNAL") && k.spec->kind == KMS_SYMMETRIC && !k.r.multi_region.v;
	if (external) {
		TRY(kms_check_state(&s, &k, 0));
	} else {
		TRY(find_rotating(&s, in->key_id, &k));
	}
	if (k.r.rotations_on_demand.v >= KMS_ON_DEMAND_ROTATIONS_MAX)
		return kms_refuse(&s, KMS_ERR_LIMIT_EXCEEDED_EXCEPTION,
			"The key %.*s has been rotated on demand %d times already.", STR_ARG(k.arn),
			KMS_ON_DEMAND_ROTATIONS_MAX);
	k.r.rotations_on_demand = SOME_I32(k.r.rotations_on_demand.v + 1);
	out->key_id = k.id;
	return external ? rotate_to_pending(&s, &k) : rotate(&s, &k, STR("ON_DEMAND"));
}

/* ── history ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct entry {
	struct str id;
	struct kms_rec_material m;
};

static int by_number(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	return (a->m.number.v > b->m.number.v) - (a->m.number.v < b->m.number.v);
}

static struct kms_rotations_list_entry entry_of(struct kms_scope *s, const struct kms_key *k, const struct entry *e)
{
	struct kms_rotations_list_entry out = {.key_id = k->id,
		.key_material_id = kms_material_text(s, e->id),
		.key_material_state = e->m.pending.v                 ? STR("PENDING_ROTATION")
				      : str_eq(e->id, k->r.material) ? STR("CURRENT")
								     : STR("NON_CURRENT")};
	if (str_has(e->m.rotation_type) && !str_empty(e->m.rotation_type)) {
		out.rotation_type = e->m.rotation_type;
		out.rotation_date = e->m.current_since;
	}
	if (str_is(k->r.origin, "EXTERNAL")) {
		bool there = str_has(e->m.wrapped);
		out.import_state = there ? STR("IMPORTED") : STR("PENDING_IMPORT");
		out.key_material_description = e->m.description;
		if (there) {
			out.expiration_model =
				e->m.valid_to.has ? STR("KEY_MATERIAL_EXPIRES") : STR("KEY_MATERIAL_DOES_NOT_EXPIRE");
			out.valid_to = e->m.valid_to;
		}
	}
	return out;
}

status kms_list_key_rotations(
	struct call *c, const struct kms_list_key_rotations_input *in, struct kms_list_key_rotations_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct str last, key, value;
	struct {
		struct entry *v;
		size_t n;
	} all = {0};
	size_t capacity = 0;
	TRY(kms_find(&s, in->key_id, 0, &k));
	TRY(kms_check_state(&s, &k, KMS_IN_ANY));
	if (k.spec->kind != KMS_SYMMETRIC) return unsupported(&s, &k);
	TRY(kms_marker_read(&s, in->marker, &last));
	struct str prefix = kms_material_prefix(&s, &k);
	struct store_scan *scan = store_scan_begin(c->tx, prefix, key_after(c->arena, prefix), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, prefix.n), id;
		TRY(key_read_str(c->arena, &rest, &id));
		struct entry *e = VEC_PUSH(c->arena, &all, &capacity);
		e->id = str_dup(c->arena, id);
		TRY(kms_rec_material_decode(c->arena, str_dup(c->arena, value), &e->m));
	}
	TRY(store_scan_end(scan));
	if (all.n) qsort(all.v, all.n, sizeof(*all.v), by_number);
	bool materials = str_is(in->include_key_material, "ALL_KEY_MATERIAL"), past = !str_has(last);
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, room = 0;
	VEC_PRESENT(c->arena, &out->rotations);
	out->truncated = SOME_BOOL(false);
	for (size_t i = 0; i < all.n; i++) {
		struct kms_rotations_list_entry e = entry_of(&s, &k, &all.v[i]);
		if (!past) {
			past = str_eq(e.key_material_id, last);
			continue;
		}
		if (!materials && !str_has(e.rotation_type)) continue;
		if (out->rotations.n == limit) {
			out->truncated = SOME_BOOL(true);
			out->next_marker = kms_marker(&s, out->rotations.v[limit - 1].key_material_id);
			break;
		}
		*VEC_PUSH(c->arena, &out->rotations, &room) = e;
	}
	return OK;
}
