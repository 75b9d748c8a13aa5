/* Records of ElastiCache in the store. */
#include "services/elasticache/room.h"

const struct cache_kind cache_kind_unit = {"unit", ELASTICACHE_REC_UNIT},
			cache_kind_cluster = {"cluster", ELASTICACHE_REC_REF},
			cache_kind_group = {"replicationgroup", ELASTICACHE_REC_REF},
			cache_kind_subnet_group = {"subnetgroup", ELASTICACHE_REC_SUBNET_GROUP},
			cache_kind_parameter_group = {"parametergroup", ELASTICACHE_REC_PARAMETER_GROUP},
			cache_kind_user = {"user", ELASTICACHE_REC_USER},
			cache_kind_user_group = {"usergroup", ELASTICACHE_REC_USER_GROUP},
			cache_kind_snapshot = {"snapshot", ELASTICACHE_REC_SNAPSHOT},
			cache_kind_event = {"event", ELASTICACHE_REC_EVENT};

static struct str key_of(struct cache_place at, const struct cache_kind *k, struct str name)
{
	struct key key = key_for(at.a, STR("elasticache"), str_c(k->name), at.account, at.region);
	if (str_has(name)) key_str(&key, str_lower(at.a, name));
	return key_done(&key);
}

status cache_load(struct cache_place at, const struct cache_kind *k, struct str name, void *record)
{
	struct str bytes;
	memset(record, 0, elasticache_state_tables.shapes[k->record].size);
	TRY(store_get(at.tx, key_of(at, k, str_or(name, STR(""))), &bytes));
	return record_decode(at.a, &elasticache_state_tables, k->record, bytes, record);
}

void cache_put(struct cache_place at, const struct cache_kind *k, struct str name, const void *record)
{
	store_put(at.tx, key_of(at, k, name), record_encode(at.a, &elasticache_state_tables, k->record, record));
}

void cache_drop(struct cache_place at, const struct cache_kind *k, struct str name)
{
	store_delete(at.tx, key_of(at, k, name));
}

struct cache_each cache_each(struct cache_place at, const struct cache_kind *k)
{
	struct str from = key_of(at, k, STR_NONE);
	return (struct cache_each){
		.at = at, .kind = k, .scan = store_scan_begin(at.tx, from, key_after(at.a, from), false), .failed = OK};
}

static struct cache_each each_anywhere(struct store_tx *tx, struct arena *a, const struct cache_kind *kind)
{
	struct key k = key_begin(a);
	key_str(&k, STR("elasticache"));
	key_str(&k, str_c(kind->name));
	struct str from = key_done(&k);
	return (struct cache_each){.at = {.tx = tx, .a = a},
		.kind = kind,
		.scan = store_scan_begin(tx, from, key_after(a, from), false),
		.failed = OK};
}

struct cache_each cache_each_unit(struct store_tx *tx, struct arena *a)
{
	return each_anywhere(tx, a, &cache_kind_unit);
}

bool cache_next(struct cache_each *e)
{
	struct str key, value, part[5];
	if (!is_ok(e->failed) || !store_scan_next(e->scan, &key, &value)) return false;
	struct str copy = str_dup(e->at.a, key);
	for (unsigned i = 0; i < 5 && is_ok(e->failed); i++) e->failed = key_read_str(e->at.a, &copy, &part[i]);
	if (!is_ok(e->failed)) return false;
	e->at.account = part[2], e->at.region = part[3], e->name = part[4];
	e->record = arena_alloc(e->at.a, elasticache_state_tables.shapes[e->kind->record].size);
	e->failed =
		record_decode(e->at.a, &elasticache_state_tables, e->kind->record, str_dup(e->at.a, value), e->record);
	return is_ok(e->failed);
}

status cache_each_end(struct cache_each *e)
{
	status end = store_scan_end(e->scan);
	return is_ok(e->failed) ? end : e->failed;
}

struct str cache_arn(const struct call *c, const struct cache_kind *k, struct str name)
{
	return call_arn(c, STR("elasticache"), "%s:%.*s", k->name, STR_ARG(name));
}

status cache_name_check(struct call *c, struct str name, const char *what, size_t max)
{
	bool good = name.n > 0 && name.n <= max;
	for (size_t i = 0; i < name.n; i++) {
		char b = name.p[i];
		bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z'), digit = b >= '0' && b <= '9';
		good = good && (letter || (i > 0 && (digit || b == '-'))) && !(b == '-' && i + 1 == name.n) &&
		       !(b == '-' && i > 0 && name.p[i - 1] == '-');
	}
	if (good) return OK;
	return CACHE_FAIL(c, INVALID_PARAMETER_VALUE_EXCEPTION,
		"The parameter %s is not a valid identifier. Identifiers must begin with a letter; must contain only "
		"ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive "
		"hyphens.",
		what);
}

void cache_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to)
{
	ec2_copy(a, &elasticache_state_tables, record, from, &wire_service_elasticache.tables, shape, to);
}

status cache_count(struct cache_place at, const struct cache_kind *k, size_t *n)
{
	struct cache_each e = cache_each(at, k);
	*n = 0;
	while (cache_next(&e)) ++*n;
	return cache_each_end(&e);
}
