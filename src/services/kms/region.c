/* Multi-region keys: replicas, the primary's move, and what related keys share; ids of jobs. */
#include "services/kms/room.h"

struct str kms_job_id(struct kms_scope *s, const struct kms_key *k)
{
	return str_fmt(s->arena, "%.*s/%.*s/%.*s", STR_ARG(k->account), STR_ARG(k->region), STR_ARG(k->id));
}

status kms_job_key(struct kms *kms, struct store_tx *tx, struct arena *a, const struct job *job, struct kms_scope *s,
	struct kms_key *k)
{
	struct str rest = job->id, account = str_cut(&rest, '/'),
		   region = str_has(rest) ? str_cut(&rest, '/') : STR_NONE;
	INVARIANT(str_has(rest));
	*s = kms_scope_at(kms, tx, a, account, region);
	return kms_key_get(s, account, region, str_cut(&rest, '/'), k);
}

status kms_for_related(struct kms_scope *s, struct kms_key *k, void (*fn)(struct kms_key *k, void *ctx), void *ctx)
{
	if (k->r.multi_region.v) {
		/* The record that lists the regions may be changed by fn: take the list as it stood. */
		struct kms_rec_strings replicas = k->r.replica_regions;
		struct str primary = k->r.primary_region;
		for (size_t i = 0; i <= replicas.n; i++) {
			struct str region = i < replicas.n ? replicas.v[i] : primary;
			struct kms_key other;
			if (str_eq(region, k->region)) continue;
			TRY(kms_key_get(s, k->account, region, k->id, &other));
			fn(&other, ctx);
			kms_key_put(s, &other);
		}
	}
	fn(k, ctx);
	kms_key_put(s, k);
	return OK;
}

/* ── operations ───────────────────────────────────────────────────────────────────────────────────────────────── */

static status find_primary(struct kms_scope *s, struct str reference, struct str region, struct kms_key *k)
{
	TRY(kms_find(s, reference, 0, k));
	if (!k->r.multi_region.v)
		return kms_refuse(
			s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION, "%.*s is not a multi-region key.", STR_ARG(k->arn));
	if (!str_eq(k->r.primary_region, k->region))
		return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION, "%.*s is not a multi-region primary key.",
			STR_ARG(k->arn));
	struct str own = kms_arn(s->arena, s->region, s->account, STR("key"), k->id);
	struct str other = kms_arn(s->arena, region, s->account, STR("key"), k->id);
	/* Multi-region keys stay within a partition: arn:aws, arn:aws-cn, arn:aws-us-gov. */
	if (!str_eq(str_sub(own, 0, (size_t)str_find(own, STR(":kms:"))),
		    str_sub(other, 0, (size_t)str_find(other, STR(":kms:")))))
		return kms_refuse(s, ERR_VALIDATION, "Region %.*s is in another partition.", STR_ARG(region));
	return OK;
}

struct addition {
	struct kms_scope *s;
	struct str region;
};

static void with_region(struct kms_key *k, void *ctx)
{
	struct addition *a = ctx;
	struct kms_rec_strings grown = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < k->r.replica_regions.n; i++)
		*VEC_PUSH(a->s->arena, &grown, &capacity) = k->r.replica_regions.v[i];
	*VEC_PUSH(a->s->arena, &grown, &capacity) = a->region;
	k->r.replica_regions = grown;
}

status kms_replicate_key(struct call *c, const struct kms_replicate_key_input *in, struct kms_replicate_key_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k, replica;
	TRY(find_primary(&s, in->key_id, in->replica_region, &k));
	TRY(kms_check_state(&s, &k, 0));
	TRY(kms_check_tags(&s, in->tags.v, in->tags.n));
	status st = kms_key_get(&s, c->account, in->replica_region, k.id, &replica);
	if (is_ok(st))
		return kms_refuse(&s, KMS_ERR_ALREADY_EXISTS_EXCEPTION,
			"A multi-region key %.*s exists in Region %.*s already.", STR_ARG(k.id),
			STR_ARG(in->replica_region));
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	struct addition a = {&s, in->replica_region};
	TRY(kms_for_related(&s, &k, with_region, &a));
	replica = k;
	replica.region = in->replica_region;
	replica.arn = kms_arn(c->arena, replica.region, c->account, STR("key"), k.id);
	struct kms_rec_key *r = &replica.r;
	r->created = SOME_TIME(s.now_ms);
	r->description = str_or(in->description, STR(""));
	r->policy = kms_default_policy(&s, c->account);
	r->tags = (struct kms_rec_pairs){0};
	r->aliases = (struct kms_rec_strings){0};
	kms_tags_set(&s, &r->tags, in->tags.v, in->tags.n);
	if (str_has(in->policy)) {
		TRY(kms_check_policy(&s, in->policy, in->bypass_policy_lockout_safety_check, &replica));
		r->policy = in->policy;
	}
	/* "You must import the same key material into the replica": what is expected is known, but it is not there. */
	if (str_is(r->origin, "EXTERNAL")) {
		r->state = STR("PendingImport");
		struct kms_rec_material expected = {.number = SOME_I64(0), .rotation_type = STR("")};
		if (str_has(r->material)) kms_material_put(&s, &replica, r->material, &expected);
	}
	kms_key_put(&s, &replica);
	out->replica_key_metadata = kms_metadata(&s, &replica);
	out->replica_policy = r->policy;
	VEC_PRESENT(c->arena, &out->replica_tags);
	out->replica_tags.v = in->tags.n ? in->tags.v : out->replica_tags.v;
	out->replica_tags.n = in->tags.n;
	return OK;
}

struct move {
	struct str from, to;
};

static void move_primary(struct kms_key *k, void *ctx)
{
	struct move *m = ctx;
	k->r.primary_region = m->to;
	for (size_t i = 0; i < k->r.replica_regions.n; i++)
		if (str_eq(k->r.replica_regions.v[i], m->to)) k->r.replica_regions.v[i] = m->from;
}

status kms_update_primary_region(
	struct call *c, const struct kms_update_primary_region_input *in, struct kms_update_primary_region_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k, to;
	TRY(find_primary(&s, in->key_id, in->primary_region, &k));
	TRY(kms_check_state(&s, &k, 0));
	status st = kms_key_get(&s, c->account, in->primary_region, k.id, &to);
	if (status_is(st, STATUS_NOT_FOUND))
		return kms_refuse(&s, KMS_ERR_NOT_FOUND_EXCEPTION, "Key '%.*s' does not exist",
			STR_ARG(kms_arn(c->arena, in->primary_region, c->account, STR("key"), k.id)));
	TRY(st);
	TRY(kms_check_state(&s, &to, 0));
	if (str_eq(in->primary_region, k.region)) return OK;
	/* The job of its rotation moves with it. */
	struct kms_key unscheduled = k;
	unscheduled.r.rotation = SOME_BOOL(false);
	kms_rotation_schedule(&s, &unscheduled);
	struct move m = {k.region, in->primary_region};
	TRY(kms_for_related(&s, &k, move_primary, &m));
	TRY(kms_key_get(&s, c->account, in->primary_region, k.id, &to));
	kms_rotation_schedule(&s, &to);
	return OK;
}
