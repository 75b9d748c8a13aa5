/* Multi-region keys: replicas, the primary's move, and what related keys share; ids of jobs. */
#include "services/kms/room.h"

struct str kms_job_id(struct kms_scope *s, const struct kms_key *k)
{
	return str_fmt(s->arena, "%.*s/%.*s/%.*s", STR_ARG(k->account), STR_ARG(k->region), STR_ARG(k->id));
}

status kms_job_key(struct kms *kms, struct store_tx *tx, struct arena *a, const struct job *job, struct kms_scope *s,
	struct kms_key *k)
{
	struct str rest = job->id, account = str_cut(&rest, '/'), region = str_has(rest) ? str_cut(&rest, '/') : STR_NONE;
	INVARIANT(str_has(rest));
	*s = kms_scope_at(kms, tx, a, account, region);
	return kms_key_get(s, account, region, rest, k);
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
