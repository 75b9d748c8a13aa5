/* `virga reset`: S3 forgets everything. The buckets go first, in transactions, so that a write under way into one of
 * them loses; then every record that holds bodies gives them up, so that their files go too. */
#include "services/s3/sse.h"

enum { RECORDS_AT_ONCE = 256 };

/* Releases what the record holds. NULL: it holds nothing. */
typedef status (*release_fn)(struct store_tx *tx, struct arena *a, struct str value);

/* An object with a manifest has its references there; its own extents are a copy. */
static status release_object(struct store_tx *tx, struct arena *a, struct str value)
{
	struct s3_rec_object o = {0};
	TRY(s3_rec_object_decode(a, value, &o));
	return o.manifest.has ? OK : s3_extents_release(tx, &o.extents);
}

static status release_manifest(struct store_tx *tx, struct arena *a, struct str value)
{
	struct s3_rec_manifest m = {0};
	TRY(s3_rec_manifest_decode(a, value, &m));
	for (size_t i = 0; i < m.parts.n; i++) TRY(s3_extents_release(tx, &m.parts.v[i].extents));
	return OK;
}

static status release_part(struct store_tx *tx, struct arena *a, struct str value)
{
	struct s3_rec_part p = {0};
	TRY(s3_rec_part_decode(a, value, &p));
	return s3_extents_release(tx, &p.extents);
}

/* One transaction's worth; *n is how many records it removed. */
static status drop_some(struct store *store, struct arena *a, struct str kind, release_fn release, size_t *n)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, kind);
	struct str from = key_done(&k), key, value;
	struct store_tx *tx = store_begin(store, a, false);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status s = OK;
	for (*n = 0; *n < RECORDS_AT_ONCE && is_ok(s) && store_scan_next(scan, &key, &value); ++*n) {
		if (release) s = release(tx, a, str_dup(a, value));
		store_delete(tx, str_dup(a, key));
	}
	status ended = store_scan_end(scan);
	store_ticket t;
	if (is_ok(s)) s = ended;
	if (is_ok(s)) s = store_commit(tx, &t);
	store_end(tx);
	return s;
}

static status drop_kind(struct store *store, struct str kind, release_fn release)
{
	struct arena a;
	arena_init(&a);
	status s;
	size_t n = 0;
	do {
		s = drop_some(store, &a, kind, release, &n);
		arena_reset(&a);
	} while (status_is(s, STATUS_CONFLICT) || (is_ok(s) && n == RECORDS_AT_ONCE));
	arena_cleanup(&a);
	return s;
}

status s3_reset(struct cloud *cloud, void *state, bool gone)
{
	struct s3_state *st = state;
	/* The keyring's records went with the others. */
	if (gone) return s3_keyring_rewrap(st->keyring, cloud->vault);
	TRY(drop_kind(cloud->store, STR("bucket"), NULL));
	TRY(drop_kind(cloud->store, STR("object"), release_object));
	TRY(drop_kind(cloud->store, STR("version"), release_object));
	TRY(drop_kind(cloud->store, STR("manifest"), release_manifest));
	return drop_kind(cloud->store, STR("part"), release_part);
}
