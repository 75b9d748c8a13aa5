/* Deletion: scheduled for 7 to 30 days later on the virtual clock, cancelled, or carried out by a durable job, which
 * destroys the material ("Deleting AWS KMS keys"). */
#include "services/kms/room.h"

#define JOB_DELETE "kms.delete"

static void schedule(struct kms_scope *s, const struct kms_key *k)
{
	struct job job = {
		.kind = STR(JOB_DELETE), .id = kms_job_id(s, k), .due_ms = k->r.deletion.ms, .payload = STR("")};
	jobs_schedule(s->tx, &job);
}

static bool is_primary_with_replicas(const struct kms_key *k)
{
	return k->r.multi_region.v && str_eq(k->r.primary_region, k->region) && k->r.replica_regions.n > 0;
}

status kms_schedule_key_deletion(
	struct call *c, const struct kms_schedule_key_deletion_input *in, struct kms_schedule_key_deletion_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	int32_t days = in->pending_window_in_days.has ? in->pending_window_in_days.v : KMS_DEFAULT_WINDOW_DAYS;
	if (days < 7 || days > 30)
		return kms_refuse(&s, ERR_VALIDATION, "PendingWindowInDays must be between 7 and 30, inclusive.");
	TRY(kms_find(&s, in->key_id, 0, &k));
	TRY(kms_check_customer(&s, &k));
	TRY(kms_check_state(&s, &k, KMS_IN_DISABLED | KMS_IN_PENDING_IMPORT));
	k.r.window = SOME_I32(days);
	/* "The waiting period for a primary key begins when the last of its replica keys is deleted." */
	if (is_primary_with_replicas(&k)) {
		k.r.state = STR("PendingReplicaDeletion");
		k.r.deletion = (struct opt_time){0};
	} else {
		k.r.state = STR("PendingDeletion");
		k.r.deletion = SOME_TIME(s.now_ms + days * DAY_MS);
		schedule(&s, &k);
	}
	kms_key_put(&s, &k);
	out->key_id = k.arn;
	out->deletion_date = k.r.deletion;
	out->key_state = k.r.state;
	out->pending_window_in_days = k.r.window;
	return OK;
}

status kms_cancel_key_deletion(
	struct call *c, const struct kms_cancel_key_deletion_input *in, struct kms_cancel_key_deletion_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, 0, &k));
	TRY(kms_check_customer(&s, &k));
	if (!str_is(k.r.state, "PendingDeletion") && !str_is(k.r.state, "PendingReplicaDeletion"))
		return kms_refuse(
			&s, KMS_ERR_KMS_INVALID_STATE_EXCEPTION, "%.*s is not pending deletion.", STR_ARG(k.arn));
	bool complete;
	TRY(kms_import_complete(&s, &k, &complete));
	k.r.state = complete ? STR("Disabled") : STR("PendingImport");
	k.r.deletion = (struct opt_time){0};
	k.r.window = (struct opt_i32){0};
	jobs_cancel(c->tx, STR(JOB_DELETE), kms_job_id(&s, &k));
	kms_key_put(&s, &k);
	out->key_id = k.arn;
	return OK;
}

/* ── carrying it out ──────────────────────────────────────────────────────────────────────────────────────────── */

static status delete_below(struct kms_scope *s, struct str prefix, bool cached)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(s->tx, prefix, key_after(s->arena, prefix), false);
	while (store_scan_next(scan, &key, &value)) {
		if (cached && s->kms) {
			struct str rest = str_from(key, prefix.n), id;
			TRY(key_read_str(s->arena, &rest, &id));
			kms_cache_drop(s->kms->cache, id);
		}
		store_delete(s->tx, str_dup(s->arena, key));
	}
	return store_scan_end(scan);
}

static void without_region(struct kms_key *k, void *ctx)
{
	const struct str *region = ctx;
	size_t kept = 0;
	for (size_t i = 0; i < k->r.replica_regions.n; i++)
		if (!str_eq(k->r.replica_regions.v[i], *region))
			k->r.replica_regions.v[kept++] = k->r.replica_regions.v[i];
	k->r.replica_regions.n = kept;
}

/* A replica goes: the others no longer name it, and a primary that waited for the last of them begins its own wait. */
static status leave_related(struct kms_scope *s, struct kms_key *k)
{
	if (!k->r.multi_region.v || str_eq(k->r.primary_region, k->region)) return OK;
	struct str region = k->region;
	struct kms_key primary;
	TRY(kms_for_related(s, k, without_region, &region));
	TRY(kms_key_get(s, k->account, k->r.primary_region, k->id, &primary));
	if (!str_is(primary.r.state, "PendingReplicaDeletion") || primary.r.replica_regions.n) return OK;
	primary.r.state = STR("PendingDeletion");
	primary.r.deletion = SOME_TIME(s->now_ms + primary.r.window.v * DAY_MS);
	schedule(s, &primary);
	kms_key_put(s, &primary);
	return OK;
}

static status delete_key(struct kms_scope *s, struct kms_key *k)
{
	bool shared = k->r.multi_region.v && str_is(k->r.origin, "AWS_KMS");
	/* A primary goes after its replicas: then nobody shares the material any more. */
	bool last = !shared || str_eq(k->r.primary_region, k->region);
	TRY(leave_related(s, k));
	if (last) TRY(delete_below(s, kms_material_prefix(s, k), true));
	TRY(delete_below(s, kms_grant_prefix(s, k), false));
	/* "AWS KMS deletes … all aliases that point to it." */
	for (size_t i = 0; i < k->r.aliases.n; i++)
		store_delete(s->tx, kms_alias_key(s->arena, k->account, k->region, k->r.aliases.v[i]));
	k->r.rotation = SOME_BOOL(false);
	kms_rotation_schedule(s, k);
	struct key usage = key_for(s->arena, STR("kms"), STR("usage"), k->account, k->region);
	key_str(&usage, k->id);
	store_delete(s->tx, key_done(&usage));
	store_delete(s->tx, kms_key_key(s->arena, k->account, k->region, k->id));
	return OK;
}

static status run_deletion(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct kms_scope s;
	struct kms_key k;
	status st = kms_job_key(ctx, tx, a, job, &s, &k);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (!str_is(k.r.state, "PendingDeletion")) return OK;
	if (k.r.deletion.ms > s.now_ms) {
		*again_ms = k.r.deletion.ms;
		return OK;
	}
	return delete_key(&s, &k);
}

status kms_deletion_start(struct kms *k)
{
	jobs_register(k->cloud->jobs, JOB_DELETE, run_deletion, k);
	return OK;
}
