/* Rotation: new material for a symmetric key, while the old keeps decrypting what it made; every so many days by a durable
 * job on the virtual clock, or on demand ("Rotate AWS KMS keys"). A rotation is one transaction: the material and the key
 * that points to it, in every region of a multi-region key. */
#include "services/kms/room.h"

#define JOB_ROTATE "kms.rotate"

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
}

static status rotate(struct kms_scope *s, struct kms_key *k, struct str type)
{
	TRY(kms_material_make(s, k, type));
	if (k->r.rotation.v && str_is(type, "AUTOMATIC")) {
		/* Time may have been moved far: the next date lies ahead, and one rotation is one rotation. */
		int64_t period = k->r.rotation_days.v * DAY_MS;
		do k->r.rotation_next.ms += period;
		while (k->r.rotation_next.ms <= s->now_ms);
	}
	struct kms_key as_now = *k;
	return kms_for_related(s, k, take_material, &as_now);
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
	/* "AWS KMS does not rotate … KMS keys that are disabled or pending deletion"; their date passes until they are enabled. */
	if (k.r.rotation_next.ms <= s.now_ms && str_is(k.r.state, "Enabled")) TRY(rotate(&s, &k, STR("AUTOMATIC")));
	*again_ms = k.r.rotation_next.ms > s.now_ms ? k.r.rotation_next.ms : s.now_ms + DAY_MS;
	return OK;
}

status kms_rotation_start(struct kms *k)
{
	jobs_register(k->cloud->jobs, JOB_ROTATE, run_rotation, k);
	return OK;
}
