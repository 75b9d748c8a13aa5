/* KeyMetadata, as CreateKey, DescribeKey and ReplicateKey tell it. */
#include "services/kms/room.h"

static struct str *list_of(struct kms_scope *s, const char *const *names, size_t *n)
{
	*n = 0;
	while (names[*n]) (*n)++;
	struct str *v = arena_new_n(s->arena, struct str, *n);
	for (size_t i = 0; i < *n; i++) v[i] = str_c(names[i]);
	return v;
}

static struct str *one_of(struct kms_scope *s, const char *name, size_t *n)
{
	const char *names[] = {name, NULL};
	return list_of(s, names, n);
}

static void algorithms(struct kms_scope *s, const struct kms_key *k, struct kms_key_metadata *m)
{
	const struct kms_spec *spec = k->spec;
	if (str_is(k->r.usage, "ENCRYPT_DECRYPT"))
		m->encryption_algorithms.v = list_of(s, spec->encryption, &m->encryption_algorithms.n);
	else if (str_is(k->r.usage, "SIGN_VERIFY"))
		m->signing_algorithms.v = list_of(s, spec->signing, &m->signing_algorithms.n);
	else if (str_is(k->r.usage, "GENERATE_VERIFY_MAC"))
		m->mac_algorithms.v = one_of(s, spec->mac, &m->mac_algorithms.n);
	else
		m->key_agreement_algorithms.v = one_of(s, spec->agreement, &m->key_agreement_algorithms.n);
}

static void multi_region(struct kms_scope *s, const struct kms_key *k, struct kms_key_metadata *m)
{
	struct kms_multi_region_configuration *c = arena_new(s->arena, struct kms_multi_region_configuration);
	c->multi_region_key_type = str_eq(k->r.primary_region, k->region) ? STR("PRIMARY") : STR("REPLICA");
	c->primary_key = arena_new(s->arena, struct kms_multi_region_key);
	c->primary_key->region = k->r.primary_region;
	c->primary_key->arn = kms_arn(s->arena, k->r.primary_region, k->account, STR("key"), k->id);
	size_t capacity = 0;
	VEC_PRESENT(s->arena, &c->replica_keys);
	for (size_t i = 0; i < k->r.replica_regions.n; i++) {
		struct str region = k->r.replica_regions.v[i];
		*VEC_PUSH(s->arena, &c->replica_keys, &capacity) =
			(struct kms_multi_region_key){kms_arn(s->arena, region, k->account, STR("key"), k->id), region};
	}
	m->multi_region_configuration = c;
}

struct kms_key_metadata *kms_metadata(struct kms_scope *s, const struct kms_key *k)
{
	struct kms_key_metadata *m = arena_new(s->arena, struct kms_key_metadata);
	const struct kms_rec_key *r = &k->r;
	*m = (struct kms_key_metadata){.aws_account_id = k->account,
		.key_id = k->id,
		.arn = k->arn,
		.creation_date = r->created,
		.enabled = SOME_BOOL(str_is(r->state, "Enabled")),
		.description = str_or(r->description, STR("")),
		.key_usage = r->usage,
		.key_state = r->state,
		.origin = r->origin,
		.key_manager = r->manager,
		.customer_master_key_spec = r->spec,
		.key_spec = r->spec,
		.multi_region = SOME_BOOL(r->multi_region.v)};
	algorithms(s, k, m);
	if (str_is(r->state, "PendingDeletion")) m->deletion_date = r->deletion;
	if (str_is(r->state, "PendingReplicaDeletion")) m->pending_deletion_window_in_days = r->window;
	if (r->multi_region.v) multi_region(s, k, m);
	struct kms_rec_material material;
	bool external = str_is(r->origin, "EXTERNAL");
	if (!str_has(r->material)) return m;
	if (k->spec->kind == KMS_SYMMETRIC) m->current_key_material_id = kms_material_text(s, r->material);
	if (!external || !is_ok(kms_material_get(s, k, r->material, &material)) || !str_has(material.wrapped)) return m;
	m->expiration_model = material.valid_to.has ? STR("KEY_MATERIAL_EXPIRES") : STR("KEY_MATERIAL_DOES_NOT_EXPIRE");
	m->valid_to = material.valid_to;
	return m;
}
