/* A table as DescribeTable and its kin tell it; its counts of items and bytes. AWS counts "approximately every six
 * hours"; here a table is counted again when it is asked for, unless the last count took more than a hundredth of the
 * time since. */
#include "clock/clock.h"
#include "services/dynamodb/service.h"

static void add_key(struct work *w, struct dynamodb_key_schema *out, const struct dynamodb_rec_schema *s)
{
	out->n = str_has(s->range) ? 2 : 1;
	out->v = arena_new_n(w->a, struct dynamodb_key_schema_element, out->n);
	out->v[0] = (struct dynamodb_key_schema_element){s->hash, STR("HASH")};
	if (out->n == 2) out->v[1] = (struct dynamodb_key_schema_element){s->range, STR("RANGE")};
}

static struct dynamodb_projection *projection(struct work *w, const struct dynamodb_rec_index *x)
{
	struct dynamodb_projection *p = arena_new(w->a, struct dynamodb_projection);
	p->projection_type = x->projection;
	if (x->non_key.n) {
		p->non_key_attributes.v = x->non_key.v;
		p->non_key_attributes.n = x->non_key.n;
	}
	return p;
}

static struct dynamodb_provisioned_throughput_description *throughput(
	struct work *w, const struct dynamodb_rec_throughput *t)
{
	struct dynamodb_provisioned_throughput_description *d =
		arena_new(w->a, struct dynamodb_provisioned_throughput_description);
	d->number_of_decreases_today = SOME_I64(t ? t->decreases_today.v : 0);
	d->read_capacity_units = SOME_I64(t ? t->read.v : 0);
	d->write_capacity_units = SOME_I64(t ? t->write.v : 0);
	if (t && t->increased.has) d->last_increase_date_time = SOME_TIME(t->increased.v);
	if (t && t->decreased.has) d->last_decrease_date_time = SOME_TIME(t->decreased.v);
	return d;
}

static struct dynamodb_on_demand_throughput *limits(struct work *w, const struct dynamodb_rec_throughput *t)
{
	if (!t || (!t->max_read.has && !t->max_write.has)) return NULL;
	struct dynamodb_on_demand_throughput *o = arena_new(w->a, struct dynamodb_on_demand_throughput);
	o->max_read_request_units = t->max_read;
	o->max_write_request_units = t->max_write;
	return o;
}

static void add_index(struct work *w, struct dynamodb_table_description *d, const struct dynamodb_rec_index *x,
	struct str word, size_t *locals, size_t *globals)
{
	struct str arn = str_fmt(w->a, "%.*s/index/%.*s", STR_ARG(d->table_arn), STR_ARG(x->name));
	if (!x->global.v) {
		struct dynamodb_local_secondary_index_description *l =
			VEC_PUSH(w->a, &d->local_secondary_indexes, locals);
		*l = (struct dynamodb_local_secondary_index_description){.index_name = x->name, .index_arn = arn};
		add_key(w, &l->key_schema, x->schema);
		l->projection = projection(w, x);
		l->index_size_bytes = l->item_count = SOME_I64(0);
		return;
	}
	struct dynamodb_global_secondary_index_description *g = VEC_PUSH(w->a, &d->global_secondary_indexes, globals);
	*g = (struct dynamodb_global_secondary_index_description){.index_name = x->name, .index_arn = arn};
	add_key(w, &g->key_schema, x->schema);
	g->projection = projection(w, x);
	g->index_status = str_is(word, "CREATING") ? word : x->status;
	if (str_is(x->status, "CREATING")) g->backfilling = SOME_BOOL(true);
	g->provisioned_throughput = throughput(w, x->throughput);
	g->on_demand_throughput = limits(w, x->throughput);
	g->index_size_bytes = g->item_count = SOME_I64(0);
}

struct dynamodb_table_description *ddb_describe(struct work *w, const struct dynamodb_rec_table *r, struct str word)
{
	struct dynamodb_table_description *d = arena_new(w->a, struct dynamodb_table_description);
	size_t locals = 0, globals = 0;
	d->table_name = r->name;
	d->table_arn = ddb_table_arn(w->a, r);
	d->table_id = r->uuid;
	d->table_status = word;
	d->creation_date_time = SOME_TIME(r->created.v);
	d->table_size_bytes = d->item_count = SOME_I64(0);
	d->attribute_definitions.n = r->definitions.n;
	d->attribute_definitions.v = arena_new_n(w->a, struct dynamodb_attribute_definition, r->definitions.n);
	for (size_t i = 0; i < r->definitions.n; i++)
		d->attribute_definitions.v[i] =
			(struct dynamodb_attribute_definition){r->definitions.v[i].name, r->definitions.v[i].type};
	add_key(w, &d->key_schema, r->schema);
	d->provisioned_throughput = throughput(w, r->throughput);
	d->on_demand_throughput = limits(w, r->throughput);
	if (r->on_demand.v || r->billing_told.v) {
		d->billing_mode_summary = arena_new(w->a, struct dynamodb_billing_mode_summary);
		d->billing_mode_summary->billing_mode = r->on_demand.v ? STR("PAY_PER_REQUEST") : STR("PROVISIONED");
		if (r->on_demand_since.has)
			d->billing_mode_summary->last_update_to_pay_per_request_date_time =
				SOME_TIME(r->on_demand_since.v);
	}
	for (size_t i = 0; i < r->indexes.n; i++) add_index(w, d, &r->indexes.v[i], word, &locals, &globals);
	if (str_has(r->stream_view)) {
		d->stream_specification = arena_new(w->a, struct dynamodb_stream_specification);
		d->stream_specification->stream_enabled = SOME_BOOL(true);
		d->stream_specification->stream_view_type = r->stream_view;
	}
	if (str_has(r->stream_label)) {
		d->latest_stream_label = r->stream_label;
		d->latest_stream_arn =
			str_fmt(w->a, "%.*s/stream/%.*s", STR_ARG(d->table_arn), STR_ARG(r->stream_label));
	}
	if (str_has(r->table_class)) {
		d->table_class_summary = arena_new(w->a, struct dynamodb_table_class_summary);
		d->table_class_summary->table_class = r->table_class;
		if (r->class_changed.has) d->table_class_summary->last_update_date_time = SOME_TIME(r->class_changed.v);
	}
	if (str_has(r->sse_type)) {
		d->sse_description = arena_new(w->a, struct dynamodb_sse_description);
		d->sse_description->status = STR("ENABLED");
		d->sse_description->sse_type = r->sse_type;
		d->sse_description->kms_master_key_arn = r->sse_key;
	}
	if (r->restored.has) {
		d->restore_summary = arena_new(w->a, struct dynamodb_restore_summary);
		d->restore_summary->source_backup_arn = r->restored_backup;
		d->restore_summary->source_table_arn = r->restored_table;
		d->restore_summary->restore_date_time = SOME_TIME(r->restored.v);
		d->restore_summary->restore_in_progress = SOME_BOOL(str_is(word, "CREATING"));
	}
	d->deletion_protection_enabled = SOME_BOOL(r->deletion_protection.v);
	ddb_replica_describe(w, r, d);
	return d;
}

/* ── counts ── */

struct tally ddb_tally(struct work *w, struct str prefix)
{
	struct tally n = {0};
	struct str key, bytes;
	struct store_scan *scan = store_scan_begin(w->tx, prefix, key_after(w->a, prefix), false);
	struct arena scratch;
	arena_init(&scratch);
	while (store_scan_next(scan, &key, &bytes)) {
		struct value item;
		n.items++;
		if (is_ok(ddb_item_load(&scratch, bytes, &item))) n.bytes += (int64_t)ddb_item_size(&item);
		if (n.items % 256 == 0) arena_reset(&scratch);
	}
	arena_cleanup(&scratch);
	if (!is_ok(store_scan_end(scan))) n = (struct tally){0};
	return n;
}

void ddb_count(struct work *w, struct table *t)
{
	struct live *l = t->live;
	int64_t now = clock_monotonic_us();
	pthread_mutex_lock(&l->lock);
	bool fresh = l->counted && l->counted_version == (uint64_t)t->record.version.v &&
		     now - l->counted_us < 100 * l->count_took_us;
	pthread_mutex_unlock(&l->lock);
	if (fresh) return;
	struct tally table = ddb_tally(w, t->item_prefix), index[INDEXES_MAX] = {{0}};
	for (size_t i = 0; i < t->n_indexes; i++) index[i] = ddb_tally(w, ddb_index_prefix(w->a, t, &t->indexes[i]));
	int64_t end = clock_monotonic_us();
	pthread_mutex_lock(&l->lock);
	l->table = table;
	memcpy(l->index, index, sizeof(index));
	l->counted = true;
	l->counted_version = (uint64_t)t->record.version.v;
	l->counted_us = end;
	l->count_took_us = end - now;
	pthread_mutex_unlock(&l->lock);
}

static void add_counts(struct table *t, struct dynamodb_table_description *d)
{
	struct live *l = t->live;
	size_t local = 0, global = 0;
	pthread_mutex_lock(&l->lock);
	d->item_count = SOME_I64(l->table.items);
	d->table_size_bytes = SOME_I64(l->table.bytes);
	for (size_t i = 0; i < t->n_indexes; i++) {
		if (t->indexes[i].global) {
			d->global_secondary_indexes.v[global].item_count = SOME_I64(l->index[i].items);
			d->global_secondary_indexes.v[global++].index_size_bytes = SOME_I64(l->index[i].bytes);
		} else {
			d->local_secondary_indexes.v[local].item_count = SOME_I64(l->index[i].items);
			d->local_secondary_indexes.v[local++].index_size_bytes = SOME_I64(l->index[i].bytes);
		}
	}
	pthread_mutex_unlock(&l->lock);
}

static status describe_table(
	struct work *w, const struct dynamodb_describe_table_input *in, struct dynamodb_describe_table_output *out)
{
	struct table *t;
	TRY(ddb_open_named(w, in->table_name, &t));
	ddb_count(w, t);
	out->table = ddb_describe(w, &t->record, STR("ACTIVE"));
	add_counts(t, out->table);
	return OK;
}

status dynamodb_describe_table(
	struct call *c, const struct dynamodb_describe_table_input *in, struct dynamodb_describe_table_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe_table(&w, in, out));
}
