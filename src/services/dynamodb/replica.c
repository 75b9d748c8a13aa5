/* Global tables, version 2019.11.21 ("Global tables: multi-Region replication for DynamoDB"): tables of one name and
 * account in several regions. All regions being in one store, a write is applied to every replica in its own
 * transaction: so replicas never differ, two regions' writes of an item happen one after the other, and the last one
 * wins everywhere. AWS replicates within a second or so and never promises more; what relies on a lag is not to be had
 * here. Each replica keeps indexes, expiries, a stream and a history of its own. */
#include "base/rand.h"
#include "services/dynamodb/service.h"

static const char fill_kind[] = "dynamodb.replica";

/* ── writing ── */

status ddb_replicate(struct work *w, const struct table *t, struct str key, const struct value *new)
{
	for (size_t i = 0; i < t->record.replicas.n; i++) {
		const struct dynamodb_rec_replica *to = &t->record.replicas.v[i];
		struct table *r;
		struct value old;
		TRY(ddb_find(w, t->record.account, to->region, t->name, &r));
		struct str there = str_cat(w->a, r->item_prefix, str_from(key, t->item_prefix.n));
		status s = ddb_read_item(w, there, true, &old);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		TRY(ddb_write_one(w, r, there, is_ok(s) ? &old : NULL, new, false, NULL));
	}
	return OK;
}

/* ── the group ── */

static status no_such(struct work *w, struct str region)
{
	return VALIDATION(w,
		"Update global table operation failed because one or more replicas were not part of the global "
		"table: %.*s",
		STR_ARG(region));
}

static struct dynamodb_rec_replica *member(struct dynamodb_rec_table *r, struct str region)
{
	for (size_t i = 0; i < r->replicas.n; i++)
		if (str_eq(r->replicas.v[i].region, region)) return &r->replicas.v[i];
	return NULL;
}

static void add_member(struct work *w, struct dynamodb_rec_table *r, struct str region, struct str word)
{
	struct dynamodb_rec_replica *grown = arena_new_n(w->a, struct dynamodb_rec_replica, r->replicas.n + 1);
	if (r->replicas.n) memcpy(grown, r->replicas.v, r->replicas.n * sizeof(*grown));
	grown[r->replicas.n++] = (struct dynamodb_rec_replica){region, word};
	r->replicas.v = grown;
}

static void remove_member(struct work *w, struct dynamodb_rec_table *r, struct str region)
{
	struct dynamodb_rec_replicas left = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < r->replicas.n; i++)
		if (!str_eq(r->replicas.v[i].region, region)) *VEC_PUSH(w->a, &left, &capacity) = r->replicas.v[i];
	r->replicas = left;
}

/* A replica's record, to be changed. */
static status edit(
	struct work *w, const struct dynamodb_rec_table *r, struct str region, struct dynamodb_rec_table *out)
{
	return ddb_find_record(w, r->account, region, r->name, out);
}

static void store(struct work *w, struct dynamodb_rec_table *r)
{
	ddb_put_table(w, r);
	if (w->c) ddb_cache(w, r, false);
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static status create(
	struct work *w, const struct dynamodb_create_replication_group_member_action *in, struct dynamodb_rec_table *r)
{
	struct table *there;
	struct str region = in->region_name;
	status s = ddb_find(w, r->account, region, r->name, &there);
	if (is_ok(s))
		return VALIDATION(w,
			"Failed to create a the new replica of table with name: '%.*s' because one or more replicas "
			"already existed as tables.",
			STR_ARG(r->name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (str_has(r->stream_view) && !str_is(r->stream_view, "NEW_AND_OLD_IMAGES"))
		return VALIDATION(w,
			"One or more parameter values were invalid: The stream of a table with replicas must have "
			"the StreamViewType NEW_AND_OLD_IMAGES");
	if (!str_has(r->stream_view)) ddb_stream_open(w, r, STR("NEW_AND_OLD_IMAGES"));
	struct dynamodb_rec_table n = *r;
	n.id = SOME_I64((int64_t)(rand_u64() >> 1));
	n.version = SOME_I64(0);
	n.region = region;
	n.created = SOME_I64(w->c->now_ms);
	n.uuid = rand_uuid(w->a);
	n.tags = (struct dynamodb_rec_tags){0};
	n.policy = n.policy_revision = n.stream_view = n.stream_label = STR_NONE;
	n.pitr_since = n.restored = (struct opt_i64){0};
	n.destinations = (struct dynamodb_rec_destinations){0};
	n.deletion_protection = SOME_BOOL(false);
	if (str_has(in->table_class_override)) n.table_class = in->table_class_override;
	if (str_has(in->kms_master_key_id)) n.sse_key = in->kms_master_key_id;
	if (in->provisioned_throughput_override && n.throughput) {
		n.throughput = arena_copy(w->a, n.throughput, sizeof(*n.throughput));
		n.throughput->read = in->provisioned_throughput_override->read_capacity_units;
	}
	ddb_stream_open(w, &n, STR("NEW_AND_OLD_IMAGES"));
	add_member(w, &n, r->region, STR("ACTIVE"));
	for (size_t i = 0; i < r->replicas.n; i++) {
		struct dynamodb_rec_table other;
		TRY(edit(w, r, r->replicas.v[i].region, &other));
		add_member(w, &other, region, STR("CREATING"));
		store(w, &other);
	}
	add_member(w, r, region, STR("CREATING"));
	store(w, &n);
	if (str_has(n.ttl_attribute)) ddb_ttl_begin(w, &n);
	struct dynamodb_rec_chore chore = {
		.account = r->account, .region = r->region, .table = r->name, .id = r->id, .at = region};
	jobs_schedule(w->tx, &(struct job){.kind = str_c(fill_kind),
				     .id = str_fmt(w->a, "%llx.%.*s", (unsigned long long)r->id.v, STR_ARG(region)),
				     .due_ms = w->c->now_ms,
				     .payload = dynamodb_rec_chore_encode(w->a, &chore)});
	call_after_commit(w->c, poke, w->c->cloud->jobs);
	return OK;
}

/* r leaves its group: the others forget it. */
status ddb_replica_leave(struct work *w, const struct dynamodb_rec_table *r)
{
	for (size_t i = 0; i < r->replicas.n; i++) {
		struct dynamodb_rec_table other;
		TRY(edit(w, r, r->replicas.v[i].region, &other));
		remove_member(w, &other, r->region);
		store(w, &other);
	}
	return OK;
}

static status delete (struct work *w, struct str region, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_table gone;
	if (!member(r, region)) return no_such(w, region);
	TRY(edit(w, r, region, &gone));
	if (gone.deletion_protection.v)
		return VALIDATION(w,
			"Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
			"protection first.");
	remove_member(w, &gone, r->region); /* r itself is stored by the caller */
	TRY(ddb_replica_leave(w, &gone));
	remove_member(w, r, region);
	ddb_stream_close(w, &gone);
	ddb_delete_table_record(w, &gone);
	ddb_purge_table(w, (uint64_t)gone.id.v);
	ddb_cache(w, &gone, true);
	call_after_commit(w->c, poke, w->c->cloud->jobs);
	return OK;
}

static status update(
	struct work *w, const struct dynamodb_update_replication_group_member_action *in, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_table n;
	if (!member(r, in->region_name)) return no_such(w, in->region_name);
	TRY(edit(w, r, in->region_name, &n));
	if (str_has(in->table_class_override)) {
		n.table_class = in->table_class_override;
		n.class_changed = SOME_I64(w->c->now_ms);
	}
	if (str_has(in->kms_master_key_id)) n.sse_key = in->kms_master_key_id;
	if (in->provisioned_throughput_override && n.throughput) {
		n.throughput = arena_copy(w->a, n.throughput, sizeof(*n.throughput));
		n.throughput->read = in->provisioned_throughput_override->read_capacity_units;
	}
	store(w, &n);
	return OK;
}

status ddb_replica_updates(
	struct work *w, const struct dynamodb_replication_group_update_list *l, struct dynamodb_rec_table *r)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct dynamodb_replication_group_update *u = &l->v[i];
		if ((u->create != NULL) + (u->delete != NULL) + (u->update != NULL) != 1)
			return VALIDATION(w, "One or more parameter values were invalid: Exactly one of Create, Update "
					     "and Delete is "
					     "required for each replica update");
		struct str region = u->create   ? u->create->region_name
				    : u->delete ? u->delete->region_name
						: u->update->region_name;
		if (str_eq(region, r->region))
			return VALIDATION(w, "Cannot add, delete, or update the local region through ReplicaUpdates. "
					     "Use CreateTable, "
					     "DeleteTable, or UpdateTable as required.");
		if (u->create) TRY(create(w, u->create, r));
		if (u->delete) TRY(delete (w, region, r));
		if (u->update) TRY(update(w, u->update, r));
	}
	return OK;
}

void ddb_replica_describe(struct work *w, const struct dynamodb_rec_table *r, struct dynamodb_table_description *d)
{
	if (!r->replicas.n) return;
	d->global_table_version = STR("2019.11.21");
	d->replicas.n = r->replicas.n;
	d->replicas.v = arena_new_n(w->a, struct dynamodb_replica_description, r->replicas.n);
	for (size_t i = 0; i < r->replicas.n; i++) {
		struct dynamodb_replica_description *x = &d->replicas.v[i];
		x->region_name = r->replicas.v[i].region;
		x->replica_status = r->replicas.v[i].status;
		struct dynamodb_rec_table named = *r;
		named.region = x->region_name;
		x->replica_arn = ddb_table_arn(w->a, &named);
	}
}

/* What the group has in common, to every member: change's work on a record. */
status ddb_replica_each(struct work *w, const struct dynamodb_rec_table *r,
	status (*change)(struct work *w, void *ctx, struct dynamodb_rec_table *r), void *ctx)
{
	for (size_t i = 0; i < r->replicas.n; i++) {
		struct dynamodb_rec_table other;
		TRY(edit(w, r, r->replicas.v[i].region, &other));
		TRY(change(w, ctx, &other));
		store(w, &other);
	}
	return OK;
}

/* ── a new replica's content ── */

static status fill(struct work *w, const struct dynamodb_rec_chore *chore, struct str *from, bool *more)
{
	struct table *t, *r;
	struct str key, bytes, keys[DDB_FILL_AT_ONCE];
	TRY(ddb_find(w, chore->account, chore->region, chore->table, &t));
	if (t->id != (uint64_t)chore->id.v || !member(&t->record, chore->at)) return STATUS(NOT_FOUND);
	TRY(ddb_find(w, chore->account, chore->at, chore->table, &r));
	struct store_scan *scan = store_scan_begin(
		w->tx, str_has(*from) ? *from : t->item_prefix, key_after(w->a, t->item_prefix), false);
	size_t n = 0;
	while (n < DDB_FILL_AT_ONCE && store_scan_next(scan, &key, &bytes)) keys[n++] = str_dup(w->a, key);
	TRY(store_scan_end(scan));
	for (size_t i = 0; i < n; i++) {
		struct value item, there;
		struct str to = str_cat(w->a, r->item_prefix, str_from(keys[i], t->item_prefix.n));
		TRY(ddb_read_item(w, keys[i], true, &item));
		status s = ddb_read_item(w, to, true, &there);
		if (is_ok(s)) continue; /* a writer was here before */
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		/* What was there before the replica is no change of it: its stream begins behind. */
		struct table silent = *r;
		silent.streams = silent.destinations = false;
		TRY(ddb_write_one(w, &silent, to, NULL, &item, false, NULL));
	}
	*more = n == DDB_FILL_AT_ONCE;
	if (n) *from = key_next(w->a, keys[n - 1]);
	return OK;
}

static status activate(struct work *w, void *ctx, struct dynamodb_rec_table *r)
{
	(void)w;
	struct dynamodb_rec_replica *m = member(r, *(struct str *)ctx);
	if (m) m->status = STR("ACTIVE");
	return OK;
}

static status job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *j, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct dynamodb_rec_chore chore = {0};
	struct dynamodb_rec_table r;
	(void)again_ms;
	TRY(dynamodb_rec_chore_decode(a, j->payload, &chore));
	status s = ddb_fill_all(d, a, &chore, fill);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* the table or the replica went */
	TRY(s);
	struct work w = {.a = a, .d = d, .tx = tx};
	struct dynamodb_rec_table at = {.account = chore.account, .name = chore.table};
	s = edit(&w, &at, chore.region, &r);
	if (is_ok(s) && r.id.v == chore.id.v) {
		s = activate(&w, &chore.at, &r);
		store(&w, &r);
		if (is_ok(s)) s = ddb_replica_each(&w, &r, activate, &chore.at);
	}
	return work_end(&w, status_is(s, STATUS_NOT_FOUND) ? OK : s);
}

void ddb_replica_jobs(struct ddb *d)
{
	jobs_register(d->cloud->jobs, fill_kind, job, d);
}
