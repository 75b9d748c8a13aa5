/* Replicas: the same secret in other regions, each under a key of its region, which follow every change of their
 * primary in the same transaction ("Replicate AWS Secrets Manager secrets across Regions", the user guide). */
#include "services/secretsmanager/room.h"

static struct sm_secret replica_of(
	struct call *c, const struct sm_secret *primary, const struct secretsmanager_rec_replica *to)
{
	struct sm_secret s = {.account = primary->account, .region = to->region, .name = primary->name};
	s.r = primary->r;
	s.r.kms_key_id = to->kms_key_id;
	s.r.primary_region = primary->region;
	s.r.replicas = (struct secretsmanager_rec_replicas){0};
	s.r.accessed = (struct opt_time){0};
	s.r.created = SOME_TIME(c->now_ms);
	sm_name_arn(c->arena, &s);
	return s;
}

/* Versions that the primary has and the replica has not are sealed anew under the replica's key; those that are gone
 * go. */
static status copy_versions(
	struct call *c, const struct sm_secret *from, const struct sm_secret *to, struct kms_refusal *why)
{
	struct sm_versions here, there;
	TRY(sm_versions(c->tx, c->arena, from, &here));
	TRY(sm_versions(c->tx, c->arena, to, &there));
	for (size_t i = 0; i < here.n; i++) {
		struct sm_version *v = &here.v[i];
		bool known = false;
		for (size_t j = 0; j < there.n; j++) known |= str_eq(there.v[j].id, v->id);
		if (known) continue;
		struct str plain;
		TRY(sm_value_open(c, from, v->id, &plain, why));
		status st = sm_value_seal(c, to, v->id, plain, why);
		vault_wipe(plain);
		TRY(st);
		v->r.kms_key_id = to->r.kms_key_id;
		v->r.accessed = (struct opt_time){0};
		sm_version_put(c->tx, c->arena, to, v->id, &v->r);
	}
	for (size_t i = 0; i < there.n; i++) {
		bool kept = false;
		for (size_t j = 0; j < here.n; j++) kept |= str_eq(here.v[j].id, there.v[i].id);
		if (!kept) sm_version_delete(c->tx, c->arena, to, there.v[i].id);
	}
	return OK;
}

static bool is_ours(const struct sm_secret *there, const struct sm_secret *primary)
{
	return str_eq(there->r.suffix, primary->r.suffix) && str_has(there->r.primary_region) &&
	       str_eq(there->r.primary_region, primary->region);
}

/* Brings one replica up to date and says how that went in its status. */
static status update_one(
	struct call *c, const struct sm_secret *primary, struct secretsmanager_rec_replica *to, bool overwrite)
{
	struct sm_secret there, s = replica_of(c, primary, to);
	struct kms_refusal why;
	status st = sm_load(c->tx, c->arena, s.account, s.region, s.name, &there);
	if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
	bool exists = is_ok(st), ours = exists && is_ours(&there, primary);
	if (exists && !ours && !overwrite) {
		to->status = STR("Failed");
		to->message = str_fmt(c->arena, "Replication failed: Secret name %.*s already exists in region %.*s.",
			STR_ARG(s.name), STR_ARG(s.region));
		return OK;
	}
	if (exists && !ours) TRY(sm_purge(c->tx, c->arena, &there));
	if (ours) {
		s.r.created = there.r.created;
		s.r.accessed = there.r.accessed;
	}
	st = copy_versions(c, primary, &s, &why);
	if (status_is(st, STATUS_FAILED)) {
		to->status = STR("Failed");
		to->message = str_fmt(c->arena, "Replication failed: %.*s", STR_ARG(why.message));
		return OK;
	}
	TRY(st);
	sm_put(c->tx, c->arena, &s);
	to->status = STR("InSync");
	to->message = STR_NONE;
	return OK;
}

/* A replica that failed is tried again with every change; another secret that stands there stays untouched. */
status sm_replicas_update(struct call *c, struct sm_secret *s)
{
	for (size_t i = 0; i < s->r.replicas.n; i++) TRY(update_one(c, s, &s->r.replicas.v[i], false));
	return OK;
}

static struct secretsmanager_rec_replica *find(struct sm_secret *s, struct str region)
{
	for (size_t i = 0; i < s->r.replicas.n; i++)
		if (str_eq(s->r.replicas.v[i].region, region)) return &s->r.replicas.v[i];
	return NULL;
}

status sm_replicas_add(struct call *c, struct sm_secret *s, const struct secretsmanager_replica_region_type *regions,
	size_t n, bool overwrite)
{
	size_t had = s->r.replicas.n;
	struct secretsmanager_rec_replica *v = arena_new_n(c->arena, struct secretsmanager_rec_replica, had + n);
	for (size_t i = 0; i < had; i++) v[i] = s->r.replicas.v[i];
	s->r.replicas.v = v;
	for (size_t i = 0; i < n; i++) {
		if (!str_has(regions[i].region) || str_eq(regions[i].region, s->region))
			return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION, "Invalid replica region.");
		struct secretsmanager_rec_replica *r = find(s, regions[i].region);
		if (r && str_is(r->status, "InSync"))
			return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
				"Secret %.*s is already replicated to region %.*s.", STR_ARG(s->name),
				STR_ARG(r->region));
		if (!r) r = &v[s->r.replicas.n++];
		struct str key = regions[i].kms_key_id;
		*r = (struct secretsmanager_rec_replica){.region = regions[i].region,
			.kms_key_id = str_empty(key) || str_eq(key, SM_DEFAULT_KEY) ? STR_NONE : key};
		TRY(update_one(c, s, r, overwrite));
	}
	s->r.primary_region = s->region;
	return OK;
}

struct secretsmanager_replication_status_list_type sm_replication_out(struct call *c, const struct sm_secret *s)
{
	struct secretsmanager_replication_status_list_type out = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out);
	for (size_t i = 0; i < s->r.replicas.n; i++) {
		const struct secretsmanager_rec_replica *r = &s->r.replicas.v[i];
		struct secretsmanager_replication_status_type *o = VEC_PUSH(c->arena, &out, &capacity);
		struct sm_secret there;
		*o = (struct secretsmanager_replication_status_type){.region = r->region,
			.kms_key_id = str_or(r->kms_key_id, SM_DEFAULT_KEY),
			.status = r->status,
			.status_message = r->message};
		if (str_is(r->status, "InSync") &&
			is_ok(sm_load(c->tx, c->arena, s->account, r->region, s->name, &there)))
			o->last_accessed_date = there.r.accessed;
	}
	return out;
}

status secretsmanager_replicate_secret_to_regions(struct call *c,
	const struct secretsmanager_replicate_secret_to_regions_input *in,
	struct secretsmanager_replicate_secret_to_regions_output *out)
{
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, 0, &s));
	TRY(sm_replicas_add(
		c, &s, in->add_replica_regions.v, in->add_replica_regions.n, in->force_overwrite_replica_secret.v));
	sm_put(c->tx, c->arena, &s);
	out->arn = s.arn;
	out->replication_status = sm_replication_out(c, &s);
	return OK;
}

static void forget(struct sm_secret *s, struct str region)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->r.replicas.n; i++)
		if (!str_eq(s->r.replicas.v[i].region, region)) s->r.replicas.v[kept++] = s->r.replicas.v[i];
	s->r.replicas.n = kept;
	if (!kept) s->r.primary_region = STR_NONE;
}

status secretsmanager_remove_regions_from_replication(struct call *c,
	const struct secretsmanager_remove_regions_from_replication_input *in,
	struct secretsmanager_remove_regions_from_replication_output *out)
{
	struct sm_secret s, there;
	TRY(sm_find(c, in->secret_id, 0, &s));
	for (size_t i = 0; i < in->remove_replica_regions.n; i++) {
		struct str region = in->remove_replica_regions.v[i];
		if (!find(&s, region))
			return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION, "Invalid replica region.");
		status st = sm_load(c->tx, c->arena, s.account, region, s.name, &there);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		if (is_ok(st) && is_ours(&there, &s)) TRY(sm_purge(c->tx, c->arena, &there));
		forget(&s, region);
	}
	sm_put(c->tx, c->arena, &s);
	out->arn = s.arn;
	out->replication_status = sm_replication_out(c, &s);
	return OK;
}

/* "Removes the link between the replica secret and the primary secret and promotes the replica to a primary secret in
 * the replica Region. You must call this operation from the Region in which you want to promote the replica" (the
 * reference). */
status secretsmanager_stop_replication_to_replica(struct call *c,
	const struct secretsmanager_stop_replication_to_replica_input *in,
	struct secretsmanager_stop_replication_to_replica_output *out)
{
	struct sm_secret s, primary;
	TRY(sm_find(c, in->secret_id, SM_REPLICA_TOO, &s));
	if (!sm_is_replica(&s))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"Operation not permitted on a primary secret. Call must be made in a replica secret's region.");
	TRY(sm_load(c->tx, c->arena, s.account, s.r.primary_region, s.name, &primary));
	forget(&primary, s.region);
	sm_put(c->tx, c->arena, &primary);
	s.r.primary_region = STR_NONE;
	sm_put(c->tx, c->arena, &s);
	out->arn = s.arn;
	return OK;
}
