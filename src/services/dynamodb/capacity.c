/* Capacity: what operations consume, and what a provisioned table has to give ("DynamoDB provisioned capacity mode",
 * "Burst capacity": up to 300 seconds of what was not used). Buckets fill by virtual time. */
#include "services/dynamodb/service.h"
#include <math.h>

double ddb_read_units(size_t bytes, bool consistent)
{
	double blocks = bytes ? (double)((bytes + 4095) / 4096) : 1;
	return consistent ? blocks : blocks / 2;
}

double ddb_write_units(size_t bytes)
{
	return bytes ? (double)((bytes + 1023) / 1024) : 1;
}

static double rate_of(const struct table *t, const struct index *x, bool write)
{
	if (t->record.on_demand.v) return INFINITY;
	const struct dynamodb_rec_throughput *p = x && x->global ? x->record->throughput : t->record.throughput;
	return p ? (double)(write ? p->write.v : p->read.v) : INFINITY;
}

static struct bucket *bucket_of(struct live *l, const struct index *x, bool write)
{
	size_t i = x && x->global ? 1 + x->position : 0;
	return write ? &l->write[i] : &l->read[i];
}

static void fill(struct bucket *b, double rate, int64_t now_ms)
{
	double most = rate * BURST_S;
	if (!b->begun) {
		*b = (struct bucket){most, now_ms, true};
		return;
	}
	if (now_ms > b->at_ms) b->units += rate * (double)(now_ms - b->at_ms) / 1000;
	b->at_ms = now_ms;
	if (b->units > most) b->units = most;
}

status ddb_admit(struct work *w, const struct table *t, const struct index *x, bool write)
{
	double rate = rate_of(t, x, write);
	if (isinf(rate)) return OK;
	pthread_mutex_lock(&t->live->lock);
	struct bucket *b = bucket_of(t->live, x, write);
	fill(b, rate, w->c->now_ms);
	bool has = b->units > 0;
	pthread_mutex_unlock(&t->live->lock);
	if (has) return OK;
	ddb_metric(w->c->cloud, &t->record, x && x->global ? x : NULL,
		write ? "WriteThrottleEvents" : "ReadThrottleEvents", 1, w->c->now_ms);
	return call_fail(w->c, DYNAMODB_ERR_PROVISIONED_THROUGHPUT_EXCEEDED_EXCEPTION,
		"The level of configured provisioned throughput for %s was exceeded. Consider increasing your "
		"provisioning level with the "
		"UpdateTable API.",
		x && x->global ? "one or more global secondary indexes of the table" : "the table");
}

status ddb_admit_key(struct work *w, const struct table *t, const struct index *x, bool write, const struct value *key)
{
	status s = ddb_admit(w, t, x, write);
	/* "Write throttling caused by insufficient write capacity for a global secondary index is not measured." */
	if (!is_ok(s) && !(x && write)) ddb_insights_throttle(w, t, x, key);
	return s;
}

static void take(struct work *w, const struct table *t, const struct index *x, bool write, double units)
{
	double rate = rate_of(t, x, write);
	if (isinf(rate) || units <= 0) return;
	pthread_mutex_lock(&t->live->lock);
	struct bucket *b = bucket_of(t->live, x, write);
	fill(b, rate, w->c->now_ms);
	b->units -= units;
	pthread_mutex_unlock(&t->live->lock);
}

/* For CloudWatch: what the table used, and each of its global indexes. */
static void tell(struct work *w, const struct table *t, const struct index *x, bool write, double units)
{
	if (units > 0)
		ddb_metric(w->c->cloud, &t->record, x,
			write ? "ConsumedWriteCapacityUnits" : "ConsumedReadCapacityUnits", units, w->c->now_ms);
}

void ddb_charge(struct work *w, const struct cost *cost)
{
	tell(w, cost->t, NULL, cost->writes, cost->table);
	for (size_t i = 0; i < cost->t->n_indexes; i++)
		if (cost->used[i] && cost->t->indexes[i].global)
			tell(w, cost->t, &cost->t->indexes[i], cost->writes, cost->index[i]);
	if (cost->t->record.on_demand.v) return;
	take(w, cost->t, NULL, cost->writes, cost->table);
	for (size_t i = 0; i < cost->t->n_indexes; i++)
		if (cost->used[i]) take(w, cost->t, &cost->t->indexes[i], cost->writes, cost->index[i]);
}

static void set_units(struct dynamodb_capacity *c, double units, bool writes, bool detailed)
{
	c->capacity_units = SOME_F64(units);
	if (detailed && writes) c->write_capacity_units = SOME_F64(units);
	if (detailed && !writes) c->read_capacity_units = SOME_F64(units);
}

struct dynamodb_consumed_capacity *ddb_consumed(
	struct work *w, struct str wanted, const struct cost *cost, bool detailed)
{
	bool indexes = str_is(wanted, "INDEXES");
	if (!indexes && !str_is(wanted, "TOTAL")) return NULL;
	struct dynamodb_consumed_capacity *c = arena_new(w->a, struct dynamodb_consumed_capacity);
	double total = cost->table;
	for (size_t i = 0; i < cost->t->n_indexes; i++) total += cost->index[i];
	c->table_name = cost->t->name;
	c->capacity_units = SOME_F64(total);
	if (detailed && cost->writes) c->write_capacity_units = SOME_F64(total);
	if (detailed && !cost->writes) c->read_capacity_units = SOME_F64(total);
	if (!indexes) return c;
	c->table = arena_new(w->a, struct dynamodb_capacity);
	set_units(c->table, cost->table, cost->writes, detailed);
	size_t global = 0, local = 0;
	for (size_t i = 0; i < cost->t->n_indexes; i++) {
		if (!cost->used[i]) continue;
		const struct index *x = &cost->t->indexes[i];
		struct dynamodb_secondary_indexes_capacity_map_entry *e =
			x->global ? VEC_PUSH(w->a, &c->global_secondary_indexes, &global)
				  : VEC_PUSH(w->a, &c->local_secondary_indexes, &local);
		e->key = x->name;
		set_units(&e->value, cost->index[i], cost->writes, detailed);
	}
	return c;
}
