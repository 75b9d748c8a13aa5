/* A table made of what another was: of its backup, or of its history. */
#include "base/rand.h"
#include "services/dynamodb/copy.h"

static status free_name(struct work *w, struct str name)
{
	struct table *t;
	status s = ddb_find(w, w->c->account, w->c->region, name, &t);
	if (is_ok(s))
		return call_fail(
			w->c, DYNAMODB_ERR_TABLE_ALREADY_EXISTS_EXCEPTION, "Table already exists: %.*s", STR_ARG(name));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

/* Overrides name those of the source's indexes that come back. */
static status choose_indexes(struct work *w, const struct overrides *o, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_indexes kept = {0};
	size_t capacity = 0, found = 0;
	const struct dynamodb_global_secondary_index_list *g = o->global;
	const struct dynamodb_local_secondary_index_list *l = o->local;
	for (size_t i = 0; i < r->indexes.n; i++) {
		struct dynamodb_rec_index x = r->indexes.v[i];
		bool stays = x.global.v ? !g->v : !l->v;
		for (size_t j = 0; x.global.v && j < g->n; j++) {
			if (!str_eq(g->v[j].index_name, x.name)) continue;
			stays = true;
			found++;
			if (g->v[j].provisioned_throughput)
				TRY(ddb_check_throughput(
					w, g->v[j].provisioned_throughput, r->on_demand.v, x.name, &x.throughput));
		}
		for (size_t j = 0; !x.global.v && j < l->n; j++) {
			if (!str_eq(l->v[j].index_name, x.name)) continue;
			stays = true;
			found++;
		}
		x.status = STR("ACTIVE");
		if (r->on_demand.v) x.throughput = NULL;
		if (stays) *VEC_PUSH(w->a, &kept, &capacity) = x;
	}
	if (found != g->n + l->n)
		return VALIDATION(w, "One or more parameter values were invalid: an index override must name an index "
				     "of the source");
	r->indexes = kept;
	return OK;
}

status ddb_restore_record(struct work *w, const struct dynamodb_rec_table *from, const struct overrides *o,
	struct dynamodb_rec_table *out)
{
	if (!ddb_name_valid(o->table)) {
		struct str name;
		return ddb_table_name(w, o->table, &name);
	}
	TRY(free_name(w, o->table));
	struct dynamodb_rec_table r = *from;
	r.id = SOME_I64((int64_t)(rand_u64() >> 1));
	r.name = o->table;
	r.created = r.restored = SOME_I64(w->c->now_ms);
	r.uuid = rand_uuid(w->a);
	r.restored_table = ddb_table_arn(w->a, from);
	r.restored_backup = STR_NONE;
	/* "You must manually set up … on the restored table": streams, tags, TTL, PITR, protection, policies. */
	r.stream_view = r.stream_label = r.ttl_attribute = r.policy = r.policy_revision = STR_NONE;
	r.pitr_since = (struct opt_i64){0};
	r.pitr_days = (struct opt_i32){0};
	r.tags = (struct dynamodb_rec_tags){0};
	r.replicas = (struct dynamodb_rec_replicas){0};
	r.destinations = (struct dynamodb_rec_destinations){0};
	r.deletion_protection = SOME_BOOL(false);
	if (str_has(o->billing)) {
		r.on_demand = SOME_BOOL(str_is(o->billing, "PAY_PER_REQUEST"));
		if (r.on_demand.v) r.throughput = NULL;
		r.billing_told = SOME_BOOL(true);
	}
	if (o->throughput || (!r.on_demand.v && !r.throughput))
		TRY(ddb_check_throughput(w, o->throughput, r.on_demand.v, STR_NONE, &r.throughput));
	if (o->sse) {
		r.sse_type = o->sse->enabled.v ? STR("KMS") : STR_NONE;
		r.sse_key = !o->sse->enabled.v                   ? STR_NONE
			    : str_has(o->sse->kms_master_key_id) ? o->sse->kms_master_key_id
								 : call_arn(w->c, STR("kms"), "alias/aws/dynamodb");
	}
	TRY(choose_indexes(w, o, &r));
	*out = r;
	return OK;
}

status ddb_restore_announce(struct work *w, void *record)
{
	ddb_purge_unless(w, (uint64_t)((struct dynamodb_rec_table *)record)->id.v, false);
	return OK;
}

status ddb_restore_finish(struct work *w, void *record)
{
	struct dynamodb_rec_table r = *(struct dynamodb_rec_table *)record;
	TRY(free_name(w, r.name));
	ddb_purge_not(w, (uint64_t)r.id.v);
	ddb_put_table(w, &r);
	return OK;
}

status ddb_restore_item(struct copy *x, const struct table *t, struct str bytes)
{
	struct value item;
	struct str own = str_dup(&x->a, bytes);
	TRY(ddb_item_load(&x->a, own, &item));
	return ddb_write_item(&x->w, t, ddb_item_key(&x->a, t, &item), NULL, &item, false, NULL);
}
