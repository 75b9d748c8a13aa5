/* UpdateTable: billing and throughput, global indexes, streams, protection, class, encryption. A new index is filled by
 * a durable job while the table serves; writers keep its entries from the moment the call is answered. */
#include "services/dynamodb/service.h"

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static struct dynamodb_rec_throughput *changed(
	struct work *w, const struct dynamodb_rec_throughput *was, const struct dynamodb_provisioned_throughput *to)
{
	struct dynamodb_rec_throughput *t = arena_new(w->a, struct dynamodb_rec_throughput);
	if (was) *t = *was;
	bool more = to->read_capacity_units.v > t->read.v || to->write_capacity_units.v > t->write.v;
	bool less = to->read_capacity_units.v < t->read.v || to->write_capacity_units.v < t->write.v;
	if (less) {
		bool same_day = t->decreased.has && t->decreased.v / 86400000 == w->c->now_ms / 86400000;
		t->decreases_today = SOME_I64(same_day ? t->decreases_today.v + 1 : 1);
		t->decreased = SOME_I64(w->c->now_ms);
	}
	if (more) t->increased = SOME_I64(w->c->now_ms);
	t->read = SOME_I64(to->read_capacity_units.v);
	t->write = SOME_I64(to->write_capacity_units.v);
	return t;
}

static bool same(const struct dynamodb_rec_throughput *t, const struct dynamodb_provisioned_throughput *to)
{
	return t && t->read.v == to->read_capacity_units.v && t->write.v == to->write_capacity_units.v;
}

static status billing(struct work *w, const struct dynamodb_update_table_input *in, struct dynamodb_rec_table *r)
{
	bool was = r->on_demand.v, is = str_has(in->billing_mode) ? str_is(in->billing_mode, "PAY_PER_REQUEST") : was;
	const struct dynamodb_provisioned_throughput *p = in->provisioned_throughput;
	if (is && p)
		return VALIDATION(w, "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
				     "WriteCapacityUnits can be "
				     "specified when BillingMode is PAY_PER_REQUEST");
	if (!is && was && !p)
		return VALIDATION(w, "One or more parameter values were invalid: ProvisionedThroughput must be "
				     "specified when BillingMode is "
				     "PROVISIONED");
	if (!is && !was && p && same(r->throughput, p) && !in->global_secondary_index_updates.n)
		return VALIDATION(w,
			"The provisioned throughput for the table will not change. The requested value equals the "
			"current value. Current "
			"ReadCapacityUnits provisioned for the table: %lld. Requested ReadCapacityUnits: %lld. Current "
			"WriteCapacityUnits "
			"provisioned for the table: %lld. Requested WriteCapacityUnits: %lld. Refer to the Amazon "
			"DynamoDB Developer Guide for "
			"current limits and how to request higher limits.",
			(long long)r->throughput->read.v, (long long)p->read_capacity_units.v,
			(long long)r->throughput->write.v, (long long)p->write_capacity_units.v);
	if (str_has(in->billing_mode)) r->billing_told = SOME_BOOL(true);
	if (is && !was) {
		r->on_demand_since = SOME_I64(w->c->now_ms);
		r->throughput = NULL;
		for (size_t i = 0; i < r->indexes.n; i++) r->indexes.v[i].throughput = NULL;
	}
	r->on_demand = SOME_BOOL(is);
	if (p) r->throughput = changed(w, r->throughput, p);
	if (is && in->on_demand_throughput) {
		struct dynamodb_rec_throughput *t = arena_new(w->a, struct dynamodb_rec_throughput);
		if (r->throughput) *t = *r->throughput;
		t->max_read = in->on_demand_throughput->max_read_request_units;
		t->max_write = in->on_demand_throughput->max_write_request_units;
		r->throughput = t;
	}
	return OK;
}

/* ── indexes ── */

static struct dynamodb_rec_index *find(struct dynamodb_rec_table *r, struct str name)
{
	for (size_t i = 0; i < r->indexes.n; i++)
		if (r->indexes.v[i].global.v && str_eq(r->indexes.v[i].name, name)) return &r->indexes.v[i];
	return NULL;
}

static status no_index(struct work *w, struct str name)
{
	return call_fail(w->c, DYNAMODB_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
		"Requested resource not found: Index: %.*s not found", STR_ARG(name));
}

static status create_index(
	struct work *w, const struct dynamodb_create_global_secondary_index_action *in, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_index x;
	for (size_t i = 0; i < r->indexes.n; i++) {
		if (str_eq(r->indexes.v[i].name, in->index_name))
			return VALIDATION(w, "Attempting to create an index which already exists");
		if (str_is(r->indexes.v[i].status, "CREATING"))
			return call_fail(w->c, DYNAMODB_ERR_LIMIT_EXCEEDED_EXCEPTION,
				"Subscriber limit exceeded: Only 1 online index can be created or deleted "
				"simultaneously per table");
	}
	TRY(ddb_check_new_index(w, in->index_name, &in->key_schema, in->projection, true, &r->definitions, r, &x));
	TRY(ddb_check_throughput(w, in->provisioned_throughput, r->on_demand.v, x.name, &x.throughput));
	x.id = SOME_I64(++r->next_index.v);
	x.status = STR("CREATING");
	struct dynamodb_rec_index *grown = arena_new_n(w->a, struct dynamodb_rec_index, r->indexes.n + 1);
	if (r->indexes.n) memcpy(grown, r->indexes.v, r->indexes.n * sizeof(*grown));
	grown[r->indexes.n++] = x;
	r->indexes.v = grown;
	ddb_backfill(w, r, (uint64_t)x.id.v);
	call_after_commit(w->c, poke, w->c->cloud->jobs);
	return OK;
}

/* The definitions that only the dropped index used go with it. */
static void drop_definitions(struct dynamodb_rec_table *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->definitions.n; i++) {
		struct str name = r->definitions.v[i].name;
		bool used = str_eq(name, r->schema->hash) || str_eq(name, r->schema->range);
		for (size_t j = 0; j < r->indexes.n; j++)
			used |= str_eq(name, r->indexes.v[j].schema->hash) ||
				str_eq(name, r->indexes.v[j].schema->range);
		if (used) r->definitions.v[kept++] = r->definitions.v[i];
	}
	r->definitions.n = kept;
}

static status delete_index(struct work *w, struct str name, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_index *x = find(r, name);
	if (!x) return no_index(w, name);
	ddb_purge_index(w, (uint64_t)r->id.v, (uint64_t)x->id.v);
	ddb_insights_drop_index(w, r, name);
	call_after_commit(w->c, poke, w->c->cloud->jobs);
	size_t at = (size_t)(x - r->indexes.v);
	memmove(x, x + 1, (r->indexes.n - at - 1) * sizeof(*x));
	r->indexes.n--;
	drop_definitions(r);
	return OK;
}

static status update_index(
	struct work *w, const struct dynamodb_update_global_secondary_index_action *in, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_index *x = find(r, in->index_name);
	if (!x) return no_index(w, in->index_name);
	if (r->on_demand.v && in->provisioned_throughput)
		return VALIDATION(w, "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
				     "WriteCapacityUnits can be "
				     "specified when BillingMode is PAY_PER_REQUEST");
	if (!in->provisioned_throughput) return OK;
	if (same(x->throughput, in->provisioned_throughput))
		return VALIDATION(w,
			"The provisioned throughput for the index %.*s will not change. The requested value equals the "
			"current value.",
			STR_ARG(x->name));
	x->throughput = changed(w, x->throughput, in->provisioned_throughput);
	return OK;
}

/* The table's definitions and the request's together. */
static status merge_definitions(
	struct work *w, const struct dynamodb_attribute_definitions *in, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_definitions given = {0}, merged = {0};
	size_t capacity = 0;
	TRY(ddb_check_definitions(w, in, &given));
	for (size_t i = 0; i < r->definitions.n; i++) *VEC_PUSH(w->a, &merged, &capacity) = r->definitions.v[i];
	for (size_t i = 0; i < given.n; i++) {
		const struct dynamodb_rec_definition *was = NULL;
		for (size_t j = 0; j < r->definitions.n; j++)
			if (str_eq(r->definitions.v[j].name, given.v[i].name)) was = &r->definitions.v[j];
		if (was && !str_eq(was->type, given.v[i].type))
			return VALIDATION(w,
				"One or more parameter values were invalid: The attribute type of %.*s cannot change",
				STR_ARG(was->name));
		if (!was) *VEC_PUSH(w->a, &merged, &capacity) = given.v[i];
	}
	r->definitions = merged;
	return OK;
}

static status indexes(struct work *w, const struct dynamodb_update_table_input *in, struct dynamodb_rec_table *r)
{
	const struct dynamodb_global_secondary_index_update_list *l = &in->global_secondary_index_updates;
	size_t online = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct dynamodb_global_secondary_index_update *u = &l->v[i];
		if ((u->create != NULL) + (u->delete != NULL) + (u->update != NULL) != 1)
			return VALIDATION(w, "One or more parameter values were invalid: Only one global secondary "
					     "index action is allowed in "
					     "each update");
		if ((u->create || u->delete) && ++online > 1)
			return call_fail(w->c, DYNAMODB_ERR_LIMIT_EXCEEDED_EXCEPTION,
				"Subscriber limit exceeded: Only 1 online index can be created or deleted "
				"simultaneously per table");
		if (u->create) {
			TRY(merge_definitions(w, &in->attribute_definitions, r));
			TRY(create_index(w, u->create, r));
			TRY(ddb_check_all_defined(w, r));
		} else if (u->delete) {
			TRY(delete_index(w, u->delete->index_name, r));
		} else {
			TRY(update_index(w, u->update, r));
		}
	}
	return OK;
}

/* ── the rest ── */

static status streams(struct work *w, const struct dynamodb_stream_specification *s, struct dynamodb_rec_table *r)
{
	if (!s) return OK;
	TRY(ddb_check_stream(w, s));
	bool on = str_has(r->stream_view);
	if (s->stream_enabled.v && on)
		return VALIDATION(w, "Table already has an enabled stream: TableName: %.*s", STR_ARG(r->name));
	if (!s->stream_enabled.v && r->replicas.n)
		return VALIDATION(w, "Table is part of a global table, its stream cannot be disabled: TableName: %.*s",
			STR_ARG(r->name));
	if (!s->stream_enabled.v && !on)
		return VALIDATION(w, "Table has no stream to disable: TableName: %.*s", STR_ARG(r->name));
	if (s->stream_enabled.v)
		ddb_stream_open(w, r, s->stream_view_type);
	else
		ddb_stream_close(w, r);
	return OK;
}

static void encryption(struct work *w, const struct dynamodb_sse_specification *s, struct dynamodb_rec_table *r)
{
	if (!s) return;
	r->sse_type = s->enabled.v ? STR("KMS") : STR_NONE;
	r->sse_key = !s->enabled.v                   ? STR_NONE
		     : str_has(s->kms_master_key_id) ? s->kms_master_key_id
						     : call_arn(w->c, STR("kms"), "alias/aws/dynamodb");
}

/* What all replicas of a table have in common: billing, throughput, global indexes. */
static status common(struct work *w, void *input, struct dynamodb_rec_table *r)
{
	const struct dynamodb_update_table_input *in = input;
	r->indexes.v = arena_copy(w->a, r->indexes.v, r->indexes.n * sizeof(*r->indexes.v));
	r->definitions.v = arena_copy(w->a, r->definitions.v, r->definitions.n * sizeof(*r->definitions.v));
	TRY(billing(w, in, r));
	TRY(indexes(w, in, r));
	for (size_t i = 0; i < r->indexes.n && !r->on_demand.v; i++)
		if (r->indexes.v[i].global.v && !r->indexes.v[i].throughput)
			return VALIDATION(w,
				"One or more parameter values were invalid: ProvisionedThroughput must be specified "
				"for index: %.*s",
				STR_ARG(r->indexes.v[i].name));
	return OK;
}

static bool changes_common(const struct dynamodb_update_table_input *in)
{
	return in->provisioned_throughput || str_has(in->billing_mode) || in->global_secondary_index_updates.v ||
	       in->on_demand_throughput;
}

static status update_table(
	struct work *w, const struct dynamodb_update_table_input *in, struct dynamodb_update_table_output *out)
{
	struct table *t;
	union {
		const struct dynamodb_update_table_input *in;
		void *out;
	} input = {in};
	if (str_is(in->multi_region_consistency, "STRONG") || in->global_table_witness_updates.v)
		return call_fail(w->c, ERR_NOT_IMPLEMENTED,
			"virga does not implement multi-Region strong consistency of DynamoDB's global tables yet.");
	if (!in->provisioned_throughput && !str_has(in->billing_mode) && !in->global_secondary_index_updates.v &&
		!in->stream_specification && !in->sse_specification && !str_has(in->table_class) &&
		!in->deletion_protection_enabled.has && !in->on_demand_throughput && !in->warm_throughput &&
		!in->replica_updates.n)
		return VALIDATION(w, "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
				     "GlobalSecondaryIndexUpdates or "
				     "SSESpecification or ReplicaUpdates is required");
	TRY(ddb_open_named(w, in->table_name, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	TRY(common(w, input.out, &r));
	TRY(streams(w, in->stream_specification, &r));
	TRY(ddb_replica_updates(w, &in->replica_updates, &r));
	if (changes_common(in)) TRY(ddb_replica_each(w, &t->record, common, input.out));
	encryption(w, in->sse_specification, &r);
	if (in->deletion_protection_enabled.has) r.deletion_protection = SOME_BOOL(in->deletion_protection_enabled.v);
	if (str_has(in->table_class)) {
		r.table_class = in->table_class;
		r.class_changed = SOME_I64(w->c->now_ms);
	}
	ddb_put_table(w, &r);
	out->table_description = ddb_describe(w, &r, STR("UPDATING"));
	return OK;
}

status dynamodb_update_table(
	struct call *c, const struct dynamodb_update_table_input *in, struct dynamodb_update_table_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, update_table(&w, in, out));
}
