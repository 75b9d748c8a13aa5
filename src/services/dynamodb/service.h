/* What the files of this service share: tables as handlers see them, keys of items, reading and writing items with
 * their indexes and streams, capacity. Keys of records:
 *
 *   (dynamodb, table, account, region, name)               record table
 *   (dynamodb, version, account, region, name)             16 bytes: id, version. Every call reads it; what is cached
 * of a table holds while it says the same (dynamodb, item, table id, hash, key [, sort key])     an item; hash: 8 bytes
 * over the partition key, so that a segment of a parallel scan is a range (dynamodb, index, table id, index id, hash,
 * key [, sort key], table's key [, its sort key])   what an index projects (dynamodb, ttl, table id, expiry in seconds,
 * item's key)   of tables with a time to live (dynamodb, stream, account, region, table, label)      record stream
 *   (dynamodb, shard, stream id)                           the next sequence number
 *   (dynamodb, change, stream id, sequence number)         record change
 *   (dynamodb, history, table id, item's key, second)      what an item was: history.h
 *   (dynamodb, export | import, account, region, …)        records export and import
 *   (dynamodb, token, account, region, token)              record token */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "call/call.h"
#include "dynamodb_state.h"
#include "services/dynamodb/expr/expr.h"
#include "store/key.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
	INDEXES_MAX = 25, /* 20 global and 5 local by default; quotas can be raised to this */
	GLOBAL_INDEXES_MAX = 20,
	LOCAL_INDEXES_MAX = 5,
	PAGE_BYTES_MAX = 1 << 20,
	TRANSACTION_BYTES_MAX = 4 << 20,
	BURST_S = 300,
	STREAM_KEEP_MS = 24 * 3600 * 1000,
};
#define BACKUP_KEEP_MS (INT64_C(35) * 24 * 3600 * 1000) /* of a deleted table */

struct key_schema {
	struct str hash, range; /* range: STR_NONE where there is none */
	enum value_type hash_type, range_type;
};
enum projection_type { PROJECT_ALL, PROJECT_KEYS, PROJECT_INCLUDE };
struct index {
	const struct dynamodb_rec_index *record;
	struct str name;
	uint64_t id;
	bool global, readable; /* readable: its backfill has ended */
	struct key_schema key;
	enum projection_type projection;
	size_t position; /* in table.indexes */
};
struct bucket { /* capacity units that may be used; filled by virtual time */
	double units;
	int64_t at_ms;
	bool begun;
};
/* A table's life beyond a version of its record: what is not stored. Lives as long as the service. */
struct live {
	uint64_t id;
	pthread_mutex_t lock;                                        /* guards the rest */
	struct bucket read[INDEXES_MAX + 1], write[INDEXES_MAX + 1]; /* 0: the table; 1 + position: an index */
	struct tally {
		int64_t items, bytes;
	} table, index[INDEXES_MAX];
	bool counted;
	uint64_t counted_version;
	int64_t counted_us, count_took_us;
	struct live *next;
};
/* One version of a table's record, parsed. Shared; kept by reference counts. */
struct table {
	_Atomic int references;
	struct arena arena;
	struct dynamodb_rec_table record;
	uint64_t id;
	struct str name;
	struct key_schema key;
	struct index *indexes;
	size_t n_indexes;
	bool has_local, streams, history; /* history: point-in-time recovery is on */
	bool destinations;                /* Kinesis data streams get its changes */
	struct str item_prefix;           /* encoded (dynamodb, item, id) */
	struct str arn;
	struct live *live;
};
struct ddb {
	struct cloud *cloud;
	pthread_rwlock_t lock; /* guards tables and lives */
	struct map tables;     /* account/region/name -> struct table * */
	struct live *lives;
};

/* One call's view: its tables stay until work_end. */
struct work {
	struct call *c;
	struct arena *a;
	struct ddb *d;
	struct store_tx *tx;
	struct opened {
		struct table *table;
		struct opened *next;
	} * opened;
	int64_t second; /* at which its changes happened, for point-in-time recovery; 0: none yet */
};
void work_begin(struct work *w, struct call *c);
/* Gives the tables back (within a call: once it is answered); returns s. */
status work_end(struct work *w, status s) MUST_USE;
#define VALIDATION(w, ...) call_fail((w)->c, ERR_VALIDATION, __VA_ARGS__)

/* ── table.c ── */
/* By name or ARN. FAILED (ResourceNotFoundException, ValidationException) where there is none. */
status ddb_open(struct work *w, struct str name, struct table **out) MUST_USE;
/* The same with DescribeTable's wording: names the table. */
status ddb_open_named(struct work *w, struct str name, struct table **out) MUST_USE;
/* NOT_FOUND where there is none; for jobs, which have no call (w->c NULL). */
status ddb_find(struct work *w, struct str account, struct str region, struct str name, struct table **out) MUST_USE;
/* The stored record, as this transaction has left it. NOT_FOUND where there is none. */
status ddb_find_record(struct work *w, struct str account, struct str region, struct str name,
	struct dynamodb_rec_table *out) MUST_USE;
/* Stores a record (its version grows). */
void ddb_put_table(struct work *w, struct dynamodb_rec_table *r);
void ddb_delete_table_record(struct work *w, const struct dynamodb_rec_table *r);
/* Once the call has committed, the table's parsed form in memory is this record's, or goes: for those who ask
 * ddb_find_cached. */
void ddb_cache(struct work *w, const struct dynamodb_rec_table *r, bool gone);
/* As ddb_find, but from memory where it is there: for what may lag behind by the instant between a change's commit and
 * ddb_cache (policies and tags, which AWS propagates in seconds). */
status ddb_find_cached(
	struct work *w, struct str account, struct str region, struct str name, struct table **out) MUST_USE;
/* A record as a table, until work_end; for one that is not stored yet (it has no live part). */
struct table *ddb_table_of(struct work *w, const struct dynamodb_rec_table *r);
/* A copy of the record that may be changed (its lists too, by replacing them). */
struct dynamodb_rec_table ddb_edit(const struct table *t);
bool ddb_name_valid(struct str name);
/* arn:…:dynamodb:REGION:ACCOUNT:table/NAME… */
bool ddb_read_arn(struct str arn, struct str *account, struct str *region, struct str *name);
/* The table's name of a name or an ARN of this caller's; FAILED for another's ARN or a malformed one. */
status ddb_table_name(struct work *w, struct str name_or_arn, struct str *name) MUST_USE;
struct str ddb_table_arn(struct arena *a, const struct dynamodb_rec_table *r);
/* NULL where there is none. */
const struct index *ddb_index(const struct table *t, struct str name);
status ddb_start(struct cloud *cloud, void **state) MUST_USE;
void ddb_stop(void *state);
status ddb_reset(struct cloud *cloud, void *state, bool gone) MUST_USE;
struct key ddb_key(struct arena *a, const char *kind);

/* ── key.c ── */
enum value_type ddb_scalar_type(struct str name);
/* A key as a client gives it: exactly the schema's attributes, of their types, not empty, not too long. */
status ddb_check_key(struct work *w, const struct key_schema *k, const struct value *key) MUST_USE;
/* The same of an item that is put, whose messages differ; also its index keys. */
status ddb_check_item(struct work *w, const struct table *t, const struct value *item) MUST_USE;
/* The stored key of an item (or key) that has been checked. */
struct str ddb_item_key(struct arena *a, const struct table *t, const struct value *item);
/* The key of an index's entry; STR_NONE where the item is not in the index. */
struct str ddb_entry_key(struct arena *a, const struct table *t, const struct index *x, const struct value *item);
struct str ddb_index_prefix(struct arena *a, const struct table *t, const struct index *x);
/* prefix + hash + partition key: where all of a partition are. */
struct key ddb_partition(struct arena *a, struct str prefix, const struct value *hash);
/* The attributes of the table's key. */
struct value ddb_key_of(struct arena *a, const struct table *t, const struct value *item);
/* The attributes of the table's key and of the index's. */
struct value ddb_entry_key_of(struct arena *a, const struct table *t, const struct index *x, const struct value *item);
/* What the index holds of the item. */
struct value ddb_projected(struct arena *a, const struct table *t, const struct index *x, const struct value *item);

/* ── capacity.c ── */
struct cost {
	const struct table *t;
	double table, index[INDEXES_MAX];
	bool used[INDEXES_MAX];
	bool writes;
};
double ddb_read_units(size_t bytes, bool consistent);
double ddb_write_units(size_t bytes);
/* ProvisionedThroughputExceededException where a provisioned table, or an index, has no units left; takes them
 * otherwise. */
status ddb_admit(struct work *w, const struct table *t, const struct index *x, bool write) MUST_USE;
/* The same of a request for this key, or item, for contributor insights. */
status ddb_admit_key(
	struct work *w, const struct table *t, const struct index *x, bool write, const struct value *key) MUST_USE;
void ddb_charge(struct work *w, const struct cost *cost);
/* The answer's ConsumedCapacity, where asked for (wanted: NONE, TOTAL, INDEXES or absent). detailed: with Read/Write
 * units, as transactions tell. NULL where not asked for. */
struct dynamodb_consumed_capacity *ddb_consumed(
	struct work *w, struct str wanted, const struct cost *cost, bool detailed);

/* ── insights.c: contributor insights; nothing where the table has none ── */
/* What an access to this item (it has at least the key) cost; of the indexes too whose keys it has. */
void ddb_insights_access(struct work *w, const struct cost *cost, const struct value *item);
/* A query of this partition. */
void ddb_insights_partition(struct work *w, const struct table *t, const struct index *x, const struct value *hash,
	const struct cost *cost);
void ddb_insights_throttle(struct work *w, const struct table *t, const struct index *x, const struct value *key);
/* The rules go, with the table or one index of it. */
void ddb_insights_drop(struct work *w, const struct dynamodb_rec_table *r);
void ddb_insights_drop_index(struct work *w, struct dynamodb_rec_table *r, struct str index);

/* ── metrics.c ── */
/* One more of this metric; x NULL: the table's. */
void ddb_metric(struct cloud *cloud, const struct dynamodb_rec_table *r, const struct index *x, const char *name,
	double value, int64_t at_ms);
/* What is provisioned will be told while it is. */
void ddb_metrics_follow(struct work *w, const struct dynamodb_rec_table *r);
void ddb_metrics_start(struct ddb *d);

/* ── item.c ── */
/* NOT_FOUND, or the item. validated: the commit fails if it changed meanwhile. */
status ddb_read_item(struct work *w, struct str key, bool validated, struct value *item) MUST_USE;
/* Replaces old (NULL: there was none) by new (NULL: it goes): the item, its index entries, its expiry, its stream
 * record, what point-in-time recovery needs; and so in all replicas. Adds to cost. expired: by time to live. */
status ddb_write_item(struct work *w, const struct table *t, struct str key, const struct value *old,
	const struct value *new, bool expired, struct cost *cost) MUST_USE;
/* The same of this table alone, not of its replicas. */
status ddb_write_one(struct work *w, const struct table *t, struct str key, const struct value *old,
	const struct value *new, bool expired, struct cost *cost) MUST_USE;
/* Entries of one index only: for a backfill. */
void ddb_write_entry(struct work *w, const struct table *t, const struct index *x, const struct value *old,
	const struct value *new, struct cost *cost);
struct dynamodb_item_collection_metrics *ddb_collection(
	struct work *w, struct str wanted, const struct table *t, const struct value *item);

/* ── stream.c ── */
void ddb_stream_write(
	struct work *w, const struct table *t, const struct value *old, const struct value *new, bool expired);
void ddb_stream_open(struct work *w, struct dynamodb_rec_table *r, struct str view);
void ddb_stream_close(struct work *w, struct dynamodb_rec_table *r);
struct str ddb_stream_arn(struct arena *a, const struct dynamodb_rec_stream *s);
void ddb_stream_jobs(struct cloud *cloud);

/* ── destination.c ── */
/* The change goes to the table's Kinesis data streams, some time after the commit. */
status ddb_destination_write(
	struct work *w, const struct table *t, const struct value *old, const struct value *new, bool expired) MUST_USE;
/* The table goes; what is on its way still arrives. */
void ddb_destination_drop(struct work *w, const struct dynamodb_rec_table *r);
void ddb_destination_jobs(struct ddb *d);

/* ── ttl.c ── */
/* The item's expiry in seconds; false where it has none, or one that does not count. */
bool ddb_expiry(const struct table *t, const struct value *item, int64_t *seconds);
void ddb_ttl_write(
	struct work *w, const struct table *t, struct str key, const struct value *old, const struct value *new);
void ddb_ttl_jobs(struct ddb *d);
struct str ddb_ttl_prefix(struct arena *a, uint64_t table_id);

/* ── mutate.c: one item's change, of PutItem, UpdateItem, DeleteItem, their batches and transactions ── */
enum mutation_type { MUTATE_PUT, MUTATE_UPDATE, MUTATE_DELETE, MUTATE_CHECK };
struct mutation {
	enum mutation_type type;
	struct table *t;
	struct value item; /* PUT: the item; others: the key */
	struct node *condition;
	struct update update;
	bool must_exist; /* PartiQL's UPDATE: a condition without an expression */
	/* of ddb_mutate */
	struct str key;
	bool had, has;
	struct value old, new;
	struct cost cost;
};
/* Why a mutation did not happen, where the store is not to blame. */
struct refusal {
	error_id id;
	struct str message;
};
/* Checks the item or key against the table. */
status ddb_mutation_check(struct work *w, struct mutation *m) MUST_USE;
/* Reads, tests, writes. FAILED: *why tells; nothing was recorded in the call. m->old is there also then. */
status ddb_mutate(struct work *w, struct mutation *m, struct refusal *why) MUST_USE;
/* Takes what it cost, and tells contributor insights of the item. */
void ddb_mutation_charge(struct work *w, const struct mutation *m);
/* Records the refusal in the call; return_values_on_failure: ALL_OLD or not. */
status ddb_refuse(struct work *w, const struct mutation *m, const struct refusal *why,
	struct str return_values_on_failure) MUST_USE;
/* What ReturnValues asks for, of a mutation that was done; nothing where there is nothing. */
void ddb_mutation_returned(
	struct work *w, const struct mutation *m, struct str wanted, struct dynamodb_attribute_map *out);
/* Reads a generated map of values; FAILED with AWS's words. */
status ddb_read_map(struct work *w, const void *generated, struct value *out) MUST_USE;

/* ── schema.c: what CreateTable and UpdateTable are given ── */
status ddb_check_create(
	struct work *w, const struct dynamodb_create_table_input *in, struct dynamodb_rec_table *r) MUST_USE;
status ddb_check_new_index(struct work *w, struct str name, const struct dynamodb_key_schema *schema,
	const struct dynamodb_projection *projection, bool global, const struct dynamodb_rec_definitions *definitions,
	const struct dynamodb_rec_table *r, struct dynamodb_rec_index *out) MUST_USE;
status ddb_check_definitions(
	struct work *w, const struct dynamodb_attribute_definitions *in, struct dynamodb_rec_definitions *out) MUST_USE;
/* No definition is left over. */
status ddb_check_all_defined(struct work *w, const struct dynamodb_rec_table *r) MUST_USE;
status ddb_check_throughput(struct work *w, const struct dynamodb_provisioned_throughput *p, bool on_demand,
	struct str place, struct dynamodb_rec_throughput **out) MUST_USE;
status ddb_check_stream(struct work *w, const struct dynamodb_stream_specification *s) MUST_USE;
status ddb_check_tags(struct work *w, const struct dynamodb_tag_list *tags) MUST_USE;

/* ── describe.c ── */
struct dynamodb_table_description *ddb_describe(
	struct work *w, const struct dynamodb_rec_table *r, struct str status_word);
/* How many items these records are, and their bytes; reads them all. */
struct tally ddb_tally(struct work *w, struct str prefix);
/* Counts, where asked for and the last count has become old. */
void ddb_count(struct work *w, struct table *t);

/* ── chores.c: durable jobs over a table ── */
void ddb_chores(struct ddb *d);
/* One step of a chore: works on up to DDB_FILL_AT_ONCE items from *from on (STR_NONE: from the first), and says where
 * the next begins and whether there are more. */
enum { DDB_FILL_AT_ONCE = 128 };
typedef status ddb_fill(struct work *w, const struct dynamodb_rec_chore *chore, struct str *from, bool *more);
/* All its steps, each in a transaction of its own, which is made again where it met another's writes. */
status ddb_fill_all(struct ddb *d, struct arena *keep, const struct dynamodb_rec_chore *chore, ddb_fill *fill) MUST_USE;
void ddb_backfill(struct work *w, const struct dynamodb_rec_table *r, uint64_t index_id);
void ddb_purge_table(struct work *w, uint64_t table_id);
/* Of a table whose items stay as a backup: all else at once, the items when the backup's time is over. */
void ddb_purge_to_backup(struct work *w, const struct dynamodb_rec_backup *b);
/* (dynamodb, backup, account, region, table, suffix) */
struct str ddb_backup_key(struct arena *a, struct str account, struct str region, struct str table, struct str suffix);
void ddb_purge_index(struct work *w, uint64_t table_id, uint64_t index_id);
void ddb_purge_backup(struct work *w, uint64_t backup_id);
/* The items of a table, or of a backup, that is being written: they go in a day, unless ddb_purge_not says that it is
 * whole. */
void ddb_purge_unless(struct work *w, uint64_t id, bool backup);
void ddb_purge_not(struct work *w, uint64_t id);
void ddb_ttl_begin(struct work *w, const struct dynamodb_rec_table *r);

/* ── request.c: what many operations are given alike ── */
/* The names of a request's parameters of the two kinds, as messages list them. */
struct params {
	struct str legacy, expressions;
	bool takes_values; /* one of the expressions may use ExpressionAttributeValues */
};
void ddb_params_add(struct work *w, struct params *p, bool legacy, const char *name, bool there);
/* Both kinds in one request, placeholders without an expression. without: "ConditionExpression is null". values may be
 * NULL. */
status ddb_params_check(struct work *w, const struct params *p,
	const struct dynamodb_expression_attribute_name_map *names,
	const struct dynamodb_expression_attribute_value_map *values, const char *without) MUST_USE;
/* The scope's error becomes the call's. */
status ddb_scope_failed(struct work *w, const struct scope *s) MUST_USE;

/* ── read.c ── */
/* ProjectionExpression or AttributesToGet; nothing of either: an empty projection, which takes all. */
status ddb_read_projection(struct work *w, struct scope *s, struct str expression,
	const struct dynamodb_attribute_name_list *names, struct projection *out) MUST_USE;

/* ── tables.c ── */
/* What CreateTable makes of its input: a record that is not stored yet. FAILED where the input is wrong or the name is
 * taken. */
status ddb_create_record(
	struct work *w, const struct dynamodb_create_table_input *in, struct dynamodb_rec_table *out) MUST_USE;

/* ── replica.c: global tables ── */
/* The item under this key of t is now `new` (NULL: nothing): in the other regions too. */
status ddb_replicate(struct work *w, const struct table *t, struct str key, const struct value *new) MUST_USE;
/* UpdateTable's ReplicaUpdates; r is changed, the caller stores it. */
status ddb_replica_updates(
	struct work *w, const struct dynamodb_replication_group_update_list *l, struct dynamodb_rec_table *r) MUST_USE;
/* Changes what all replicas have in common in the records of the others, and stores them. */
status ddb_replica_each(struct work *w, const struct dynamodb_rec_table *r,
	status (*change)(struct work *w, void *ctx, struct dynamodb_rec_table *r), void *ctx) MUST_USE;
/* r is deleted: its replicas go on without it. */
status ddb_replica_leave(struct work *w, const struct dynamodb_rec_table *r) MUST_USE;
void ddb_replica_describe(struct work *w, const struct dynamodb_rec_table *r, struct dynamodb_table_description *d);
void ddb_replica_jobs(struct ddb *d);

/* ── policy.c ── */
/* FAILED where it is no policy; the record is not stored. */
status ddb_policy_set(struct work *w, struct dynamodb_rec_table *r, struct str text) MUST_USE;

/* ── export.c, import.c ── */
void ddb_export_jobs(struct ddb *d);
void ddb_import_jobs(struct ddb *d);

/* ── backup.c ── */
/* The backup that a table with point-in-time recovery leaves when it is deleted. */
void ddb_backup_deleted(struct work *w, struct table *t);
struct str ddb_backup_prefix(struct arena *a, uint64_t backup_id);

/* ── authorize.c ── */
struct authz_demands;
struct policy_context;
status ddb_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context) MUST_USE;
