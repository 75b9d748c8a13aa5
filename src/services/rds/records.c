/* Records of RDS in the store. */
#include "services/rds/proxy.h"

const struct rds_kind rds_kind_instance = {"db", RDS_REC_INSTANCE},
		      rds_kind_subnet_group = {"subgrp", RDS_REC_SUBNET_GROUP},
		      rds_kind_parameter_group = {"pg", RDS_REC_PARAMETER_GROUP},
		      rds_kind_option_group = {"og", RDS_REC_OPTION_GROUP},
		      rds_kind_snapshot = {"snapshot", RDS_REC_SNAPSHOT}, rds_kind_event = {"event", RDS_REC_EVENT},
		      rds_kind_cluster = {"cluster", RDS_REC_INSTANCE},
		      rds_kind_cluster_snapshot = {"cluster-snapshot", RDS_REC_SNAPSHOT},
		      rds_kind_cluster_parameter_group = {"cluster-pg", RDS_REC_PARAMETER_GROUP},
		      rds_kind_cluster_endpoint = {"cluster-endpoint", RDS_REC_CLUSTER_ENDPOINT};

bool rds_is_cluster(struct str resource_id)
{
	return str_starts(resource_id, STR("cluster-"));
}

const struct rds_kind *rds_kind_of(struct str resource_id)
{
	return rds_is_cluster(resource_id) ? &rds_kind_cluster : &rds_kind_instance;
}

const struct rds_kind *rds_snapshot_kind_of(struct str resource_id)
{
	return rds_is_cluster(resource_id) ? &rds_kind_cluster_snapshot : &rds_kind_snapshot;
}

static struct str key_of(struct rds_place at, const struct rds_kind *k, struct str name)
{
	struct key key = key_for(at.a, STR("rds"), str_c(k->name), at.account, at.region);
	if (str_has(name)) key_str(&key, str_lower(at.a, name));
	return key_done(&key);
}

status rds_load(struct rds_place at, const struct rds_kind *k, struct str name, void *record)
{
	struct str bytes;
	memset(record, 0, rds_state_tables.shapes[k->record].size);
	TRY(store_get(at.tx, key_of(at, k, str_or(name, STR(""))), &bytes));
	return record_decode(at.a, &rds_state_tables, k->record, bytes, record);
}

void rds_put(struct rds_place at, const struct rds_kind *k, struct str name, const void *record)
{
	store_put(at.tx, key_of(at, k, name), record_encode(at.a, &rds_state_tables, k->record, record));
}

void rds_drop(struct rds_place at, const struct rds_kind *k, struct str name)
{
	store_delete(at.tx, key_of(at, k, name));
}

struct rds_each rds_each(struct rds_place at, const struct rds_kind *k)
{
	struct str from = key_of(at, k, STR_NONE);
	return (struct rds_each){
		.at = at, .kind = k, .scan = store_scan_begin(at.tx, from, key_after(at.a, from), false), .failed = OK};
}

struct rds_each rds_each_anywhere(struct store_tx *tx, struct arena *a, const struct rds_kind *kind)
{
	struct key k = key_begin(a);
	key_str(&k, STR("rds"));
	key_str(&k, str_c(kind->name));
	struct str from = key_done(&k);
	return (struct rds_each){.at = {.tx = tx, .a = a},
		.kind = kind,
		.scan = store_scan_begin(tx, from, key_after(a, from), false),
		.failed = OK};
}

struct rds_each rds_each_instance(struct store_tx *tx, struct arena *a)
{
	return rds_each_anywhere(tx, a, &rds_kind_instance);
}

struct rds_each rds_each_snapshot(struct store_tx *tx, struct arena *a)
{
	return rds_each_anywhere(tx, a, &rds_kind_snapshot);
}

struct rds_each rds_each_proxy(struct store_tx *tx, struct arena *a)
{
	return rds_each_anywhere(tx, a, &rds_kind_proxy);
}

bool rds_next(struct rds_each *e)
{
	struct str key, value, part[5];
	if (!is_ok(e->failed) || !store_scan_next(e->scan, &key, &value)) return false;
	struct str copy = str_dup(e->at.a, key);
	for (unsigned i = 0; i < 5 && is_ok(e->failed); i++) e->failed = key_read_str(e->at.a, &copy, &part[i]);
	if (!is_ok(e->failed)) return false;
	e->at.account = part[2], e->at.region = part[3], e->name = part[4];
	e->record = arena_alloc(e->at.a, rds_state_tables.shapes[e->kind->record].size);
	e->failed = record_decode(e->at.a, &rds_state_tables, e->kind->record, str_dup(e->at.a, value), e->record);
	return is_ok(e->failed);
}

status rds_each_end(struct rds_each *e)
{
	status end = store_scan_end(e->scan);
	return is_ok(e->failed) ? end : e->failed;
}

struct str rds_arn(const struct call *c, const struct rds_kind *k, struct str name)
{
	return call_arn(c, STR("rds"), "%s:%.*s", k->name, STR_ARG(name));
}

static struct str owner_key(struct arena *a, struct str resource_id)
{
	struct key k = key_for(a, STR("rds"), STR("index"), STR(""), STR(""));
	key_str(&k, resource_id);
	return key_done(&k);
}

void rds_instance_put(struct rds_place at, const struct rds_rec_instance *r)
{
	struct rds_rec_owner o = {.account = at.account, .region = at.region, .name = r->db_instance_identifier};
	rds_put(at, rds_kind_of(r->dbi_resource_id), r->db_instance_identifier, r);
	store_put(at.tx, owner_key(at.a, r->dbi_resource_id), rds_rec_owner_encode(at.a, &o));
}

status rds_owner(struct store_tx *tx, struct arena *a, struct str resource_id, struct rds_rec_owner *out)
{
	struct str bytes;
	*out = (struct rds_rec_owner){0};
	TRY(store_get(tx, owner_key(a, resource_id), &bytes));
	return rds_rec_owner_decode(a, bytes, out);
}

void rds_owner_drop(struct rds_place at, struct str resource_id)
{
	store_delete(at.tx, owner_key(at.a, resource_id));
}

status rds_instance_find(struct call *c, struct str name, struct rds_rec_instance *out)
{
	/* "The user-supplied instance identifier or the Amazon Resource Name" (DescribeDBInstances). */
	if (str_starts(name, STR("arn:"))) name = str_from(name, (size_t)(str_rchr(name, ':') + 1));
	status s = rds_load(rds_here(c), &rds_kind_instance, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_INSTANCE_NOT_FOUND_FAULT, "DBInstance %.*s not found.", STR_ARG(name));
}

status rds_name_check(struct call *c, struct str name, const char *what, size_t max)
{
	bool good = name.n > 0 && name.n <= max;
	for (size_t i = 0; i < name.n; i++) {
		char b = name.p[i];
		bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z'), digit = b >= '0' && b <= '9';
		good = good && (letter || (i > 0 && (digit || b == '-'))) && !(b == '-' && i + 1 == name.n) &&
		       !(b == '-' && i > 0 && name.p[i - 1] == '-');
	}
	if (good) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
		"The parameter %s is not a valid identifier. Identifiers must begin with a letter; must contain only "
		"ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive "
		"hyphens.",
		what);
}

void rds_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to)
{
	ec2_copy(a, &rds_state_tables, record, from, &wire_service_rds.tables, shape, to);
}
