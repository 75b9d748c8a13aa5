/* Tables as handlers see them: found by name, parsed once per version, kept in memory while the stored version is the
 * same. */
#include "base/log.h"
#include "base/map.h"
#include "services/dynamodb/history.h"
#include <stdlib.h>

struct key ddb_key(struct arena *a, const char *kind)
{
	struct key k = key_begin(a);
	key_str(&k, STR("dynamodb"));
	key_str(&k, str_c(kind));
	return k;
}

static struct str record_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name)
{
	struct key k = ddb_key(a, kind);
	key_str(&k, account);
	key_str(&k, region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

bool ddb_name_valid(struct str s)
{
	if (s.n < 3 || s.n > 255) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			    c == '-' || c == '.'))
			return false;
	}
	return true;
}

struct str ddb_table_arn(struct arena *a, const struct dynamodb_rec_table *r)
{
	return str_fmt(a, "arn:%.*s:dynamodb:%.*s:%.*s:table/%.*s", STR_ARG(r->partition), STR_ARG(r->region),
		STR_ARG(r->account), STR_ARG(r->name));
}

const struct index *ddb_index(const struct table *t, struct str name)
{
	for (size_t i = 0; i < t->n_indexes; i++)
		if (str_eq(t->indexes[i].name, name)) return &t->indexes[i];
	return NULL;
}

/* ── parsing a record ── */

static struct key_schema parse_schema(const struct dynamodb_rec_schema *s)
{
	return (struct key_schema){
		.hash = s->hash,
		.range = s->range,
		.hash_type = ddb_scalar_type(s->hash_type),
		.range_type = str_has(s->range) ? ddb_scalar_type(s->range_type) : V_NONE,
	};
}

static struct live *live_of(struct ddb *d, uint64_t id) /* under the write lock */
{
	for (struct live *l = d->lives; l; l = l->next)
		if (l->id == id) return l;
	struct live *l = mem_new(sizeof(*l));
	l->id = id;
	pthread_mutex_init(&l->lock, NULL);
	l->next = d->lives;
	d->lives = l;
	return l;
}

static struct table *parse(struct str bytes)
{
	struct table *t = mem_new(sizeof(*t));
	atomic_init(&t->references, 1);
	arena_init(&t->arena);
	struct str own = str_dup(&t->arena, bytes);
	INVARIANT(is_ok(dynamodb_rec_table_decode(&t->arena, own, &t->record)));
	const struct dynamodb_rec_table *r = &t->record;
	t->id = (uint64_t)r->id.v;
	t->name = r->name;
	t->key = parse_schema(r->schema);
	t->streams = str_has(r->stream_view);
	t->history = r->pitr_since.has;
	for (size_t i = 0; i < r->destinations.n; i++) t->destinations |= r->destinations.v[i].active.v;
	t->n_indexes = r->indexes.n;
	t->indexes = arena_new_n(&t->arena, struct index, r->indexes.n);
	for (size_t i = 0; i < r->indexes.n; i++) {
		const struct dynamodb_rec_index *x = &r->indexes.v[i];
		t->indexes[i] = (struct index){
			.record = x,
			.name = x->name,
			.id = (uint64_t)x->id.v,
			.global = x->global.v,
			.readable = str_is(x->status, "ACTIVE"),
			.key = parse_schema(x->schema),
			.projection = str_is(x->projection, "ALL")         ? PROJECT_ALL
				      : str_is(x->projection, "KEYS_ONLY") ? PROJECT_KEYS
									   : PROJECT_INCLUDE,
			.position = i,
		};
		if (!x->global.v) t->has_local = true;
	}
	struct key k = ddb_key(&t->arena, "item");
	key_u64(&k, t->id);
	t->item_prefix = key_done(&k);
	t->arn = ddb_table_arn(&t->arena, r);
	return t;
}

static void release(struct table *t)
{
	if (atomic_fetch_sub(&t->references, 1) != 1) return;
	arena_cleanup(&t->arena);
	free(t);
}

/* ── finding ── */

void work_begin(struct work *w, struct call *c)
{
	*w = (struct work){.c = c, .a = c->arena, .d = c->state, .tx = c->tx};
}

static void release_all(void *opened)
{
	for (struct opened *o = opened; o; o = o->next) release(o->table);
}

/* What is answered points to its tables' names: within a call they stay until it is sent. */
status work_end(struct work *w, status s)
{
	bool within_call = w->c && w->a == w->c->arena;
	if (w->opened && within_call)
		call_at_end(w->c, release_all, w->opened);
	else
		release_all(w->opened);
	w->opened = NULL;
	return s;
}

static struct table *keep(struct work *w, struct table *t)
{
	struct opened *o = arena_new(w->a, struct opened);
	*o = (struct opened){t, w->opened};
	w->opened = o;
	return t;
}

/* Into the cache, unless a newer version is there. t keeps the caller's reference; the cache takes one of its own. */
static void remember(struct ddb *d, struct str key, struct table *t)
{
	pthread_rwlock_wrlock(&d->lock);
	t->live = live_of(d, t->id);
	struct table *before = map_get(&d->tables, key);
	bool newer = before && before->id == t->id && before->record.version.v > t->record.version.v;
	if (!newer) {
		atomic_fetch_add(&t->references, 1);
		before = map_set(&d->tables, key, t);
	}
	pthread_rwlock_unlock(&d->lock);
	if (before && !newer) release(before);
}

status ddb_find(struct work *w, struct str account, struct str region, struct str name, struct table **out)
{
	struct str version, bytes, key = record_key(w->a, "version", account, region, name);
	TRY(store_get(w->tx, key, &version));
	if (version.n != 16) return STATUS(CORRUPT);
	pthread_rwlock_rdlock(&w->d->lock);
	struct table *t = map_get(&w->d->tables, key);
	if (t && memcmp(version.p, &t->record.id.v, 8) == 0 && memcmp(version.p + 8, &t->record.version.v, 8) == 0)
		atomic_fetch_add(&t->references, 1);
	else
		t = NULL;
	pthread_rwlock_unlock(&w->d->lock);
	if (!t) {
		TRY(store_peek(w->tx, record_key(w->a, "table", account, region, name), &bytes));
		t = parse(bytes);
		remember(w->d, key, t);
	}
	*out = keep(w, t);
	return OK;
}

status ddb_find_record(
	struct work *w, struct str account, struct str region, struct str name, struct dynamodb_rec_table *out)
{
	struct str version, bytes;
	TRY(store_get(w->tx, record_key(w->a, "version", account, region, name), &version));
	TRY(store_peek(w->tx, record_key(w->a, "table", account, region, name), &bytes));
	*out = (struct dynamodb_rec_table){0};
	return dynamodb_rec_table_decode(w->a, bytes, out);
}

status ddb_find_cached(struct work *w, struct str account, struct str region, struct str name, struct table **out)
{
	struct str key = record_key(w->a, "version", account, region, name);
	pthread_rwlock_rdlock(&w->d->lock);
	struct table *t = map_get(&w->d->tables, key);
	if (t) atomic_fetch_add(&t->references, 1);
	pthread_rwlock_unlock(&w->d->lock);
	if (!t) return ddb_find(w, account, region, name, out);
	*out = keep(w, t);
	return OK;
}

static status bad_name(struct work *w)
{
	return VALIDATION(w, "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, "
			     "and may contain "
			     "only the characters a-z, A-Z, 0-9, '_', '-', and '.'");
}

bool ddb_read_arn(struct str arn, struct str *account, struct str *region, struct str *name)
{
	struct str rest = arn, parts[5];
	if (!str_starts(arn, STR("arn:"))) return false;
	for (int i = 0; i < 5; i++) parts[i] = str_cut(&rest, ':');
	if (!str_has(rest) || !str_is(parts[2], "dynamodb") || !str_starts(rest, STR("table/"))) return false;
	*region = parts[3];
	*account = parts[4];
	*name = str_from(rest, 6);
	*name = str_cut(name, '/');
	return true;
}

/* Another account's table can be meant by its ARN: whether the caller may was decided before, by both accounts'
 * policies. */
static status place_of(struct work *w, struct str given, struct str *account, struct str *name)
{
	struct str region = w->c->region;
	*account = w->c->account;
	*name = given;
	if (str_starts(given, STR("arn:")) && !ddb_read_arn(given, account, &region, name)) return bad_name(w);
	if (!str_eq(region, w->c->region) || (!str_eq(*account, w->c->account) && !w->c->cloud->policies))
		return call_fail(w->c, ERR_ACCESS_DENIED, "User: %.*s is not authorized to access this resource: %.*s",
			STR_ARG(w->c->principal.arn), STR_ARG(given));
	return ddb_name_valid(*name) ? OK : bad_name(w);
}

status ddb_table_name(struct work *w, struct str given, struct str *name)
{
	struct str account;
	TRY(place_of(w, given, &account, name));
	if (str_eq(account, w->c->account)) return OK;
	return call_fail(w->c, ERR_ACCESS_DENIED, "User: %.*s is not authorized to access this resource: %.*s",
		STR_ARG(w->c->principal.arn), STR_ARG(given));
}

static status open_as(struct work *w, struct str given, bool named, struct table **out)
{
	struct str name = STR_NONE, account = STR_NONE;
	TRY(place_of(w, given, &account, &name));
	status s = ddb_find(w, account, w->c->region, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (named)
		return call_fail(w->c, DYNAMODB_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
			"Requested resource not found: Table: %.*s not found", STR_ARG(name));
	return call_fail(w->c, DYNAMODB_ERR_RESOURCE_NOT_FOUND_EXCEPTION, "Requested resource not found");
}

status ddb_open(struct work *w, struct str name, struct table **out)
{
	return open_as(w, name, false, out);
}
status ddb_open_named(struct work *w, struct str name, struct table **out)
{
	return open_as(w, name, true, out);
}

/* ── changing ── */

struct table *ddb_table_of(struct work *w, const struct dynamodb_rec_table *r)
{
	return keep(w, parse(dynamodb_rec_table_encode(w->a, r)));
}

struct dynamodb_rec_table ddb_edit(const struct table *t)
{
	return t->record;
}

void ddb_put_table(struct work *w, struct dynamodb_rec_table *r)
{
	char *version = arena_alloc_raw(w->a, 16);
	r->version = SOME_I64(r->version.v + 1);
	memcpy(version, &r->id.v, 8);
	memcpy(version + 8, &r->version.v, 8);
	store_put(w->tx, record_key(w->a, "table", r->account, r->region, r->name), dynamodb_rec_table_encode(w->a, r));
	store_put(w->tx, record_key(w->a, "version", r->account, r->region, r->name), str_n(version, 16));
	ddb_metrics_follow(w, r);
}

void ddb_delete_table_record(struct work *w, const struct dynamodb_rec_table *r)
{
	ddb_insights_drop(w, r);
	store_delete(w->tx, record_key(w->a, "table", r->account, r->region, r->name));
	store_delete(w->tx, record_key(w->a, "version", r->account, r->region, r->name));
}

struct change {
	struct ddb *d;
	struct str key, bytes; /* bytes: of the record, absent when the table is gone */
};

static void apply_change(void *ctx)
{
	struct change *x = ctx;
	if (str_has(x->bytes)) {
		struct table *t = parse(x->bytes);
		remember(x->d, x->key, t);
		release(t);
		return;
	}
	pthread_rwlock_wrlock(&x->d->lock);
	struct table *t = map_remove(&x->d->tables, x->key);
	pthread_rwlock_unlock(&x->d->lock);
	if (t) release(t);
}

void ddb_cache(struct work *w, const struct dynamodb_rec_table *r, bool gone)
{
	struct change *x = arena_new(w->a, struct change);
	*x = (struct change){w->d, record_key(w->a, "version", r->account, r->region, r->name),
		gone ? STR_NONE : dynamodb_rec_table_encode(w->a, r)};
	call_after_commit(w->c, apply_change, x);
}

/* ── the service's life ── */

status ddb_start(struct cloud *cloud, void **state)
{
	struct ddb *d = mem_new(sizeof(*d));
	d->cloud = cloud;
	pthread_rwlock_init(&d->lock, NULL);
	map_init(&d->tables);
	ddb_chores(d);
	ddb_ttl_jobs(d);
	ddb_stream_jobs(cloud);
	ddb_history_jobs(d);
	ddb_export_jobs(d);
	ddb_import_jobs(d);
	ddb_replica_jobs(d);
	ddb_destination_jobs(d);
	ddb_metrics_start(d);
	*state = d;
	return OK;
}

static void release_entry(void *t)
{
	release(t);
}

void ddb_stop(void *state)
{
	struct ddb *d = state;
	map_cleanup(&d->tables, release_entry);
	for (struct live *l = d->lives, *next; l; l = next) {
		next = l->next;
		pthread_mutex_destroy(&l->lock);
		free(l);
	}
	pthread_rwlock_destroy(&d->lock);
	free(d);
}

status ddb_reset(struct cloud *cloud, void *state, bool gone)
{
	if (!gone) return OK;
	struct ddb *d = state;
	(void)cloud;
	pthread_rwlock_wrlock(&d->lock);
	map_cleanup(&d->tables, release_entry);
	map_init(&d->tables);
	pthread_rwlock_unlock(&d->lock);
	return OK;
}
