/* Each midnight one durable job measures every bucket as it stands in one snapshot: BucketSizeBytes by the type of
 * storage, and NumberOfObjects. Versions, markers and the parts of unfinished uploads count, as AWS says of both
 * metrics. Which day was measured last is kept, so that a start measures what was missed, and nothing twice:
 *
 *     ("s3", "measured")   the day */
#include "services/s3/storage_metrics.h"
#include "base/log.h"
#include "base/vec.h"
#include "call/inside.h"
#include "services/cloudwatch/metrics.h"
#include "services/s3/archive.h"
#include "services/s3/each.h"

static const char storage_kind[] = "s3.storage-metrics";
static const int64_t day_ms = 86400000;

/* The values of the dimension StorageType. */
enum type {
	STANDARD,
	TIERING_FREQUENT,
	TIERING_INFREQUENT,
	TIERING_INSTANT,
	TIERING_ARCHIVE,
	TIERING_DEEP,
	STANDARD_IA,
	STANDARD_IA_OVERHEAD,
	ONE_ZONE_IA,
	ONE_ZONE_IA_OVERHEAD,
	REDUCED,
	INSTANT,
	INSTANT_OVERHEAD,
	GLACIER,
	GLACIER_OVERHEAD,
	GLACIER_S3_OVERHEAD,
	GLACIER_STAGING,
	DEEP,
	DEEP_OVERHEAD,
	DEEP_S3_OVERHEAD,
	DEEP_STAGING,
	EXPRESS,
	TYPES,
};
static const char *const type_names[TYPES] = {"StandardStorage", "IntelligentTieringFAStorage",
	"IntelligentTieringIAStorage", "IntelligentTieringAIAStorage", "IntelligentTieringAAStorage",
	"IntelligentTieringDAAStorage", "StandardIAStorage", "StandardIASizeOverhead", "OneZoneIAStorage",
	"OneZoneIASizeOverhead", "ReducedRedundancyStorage", "GlacierInstantRetrievalStorage", "GlacierIRSizeOverhead",
	"GlacierStorage", "GlacierObjectOverhead", "GlacierS3ObjectOverhead", "GlacierStagingStorage",
	"DeepArchiveStorage", "DeepArchiveObjectOverhead", "DeepArchiveS3ObjectOverhead", "DeepArchiveStagingStorage",
	"ExpressOneZone"};

/* "objects smaller than 128 KB"; "For each archived object, … 32 KB … at Glacier rates and 8 KB … at Standard rates".
 */
enum { SMALL_BYTES = 128 * 1024, ARCHIVE_INDEX_BYTES = 32 * 1024, ARCHIVE_NAME_BYTES = 8 * 1024 };

struct measure {
	struct call *c;
	const struct s3_rec_bucket *b;
	double bytes[TYPES], objects;
};

static void add_small(struct measure *m, enum type type, enum type overhead, int64_t size)
{
	m->bytes[type] += (double)size;
	if (size < SMALL_BYTES) m->bytes[overhead] += (double)(SMALL_BYTES - size);
}

static void add_archived(struct measure *m, enum type type, enum type index, enum type name, int64_t size)
{
	m->bytes[type] += (double)size;
	m->bytes[index] += ARCHIVE_INDEX_BYTES;
	m->bytes[name] += ARCHIVE_NAME_BYTES;
}

static status add_tiered(struct measure *m, struct str key, const struct s3_rec_object *o)
{
	static const struct {
		const char *tier;
		enum type type;
	} tiers[] = {{"INFREQUENT", TIERING_INFREQUENT}, {"ARCHIVE_INSTANT_ACCESS", TIERING_INSTANT},
		{"ARCHIVE", TIERING_ARCHIVE}, {"DEEP_ARCHIVE", TIERING_DEEP}};
	struct str name;
	enum type type = TIERING_FREQUENT;
	TRY(s3_tiering_name(m->c, m->b, key, o, &name));
	for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
		if (str_eq(name, str_c(tiers[i].tier))) type = tiers[i].type;
	m->bytes[type] += (double)o->size.v;
	return OK;
}

static status add(void *ctx, struct str key, const struct s3_rec_object *o, bool latest)
{
	struct measure *m = ctx;
	struct str class = o->storage_class;
	int64_t size = o->size.v;
	(void)latest;
	m->objects++;
	if (o->marker.v) return OK;
	if (str_is(class, "INTELLIGENT_TIERING")) return add_tiered(m, key, o);
	if (str_is(class, "STANDARD_IA"))
		add_small(m, STANDARD_IA, STANDARD_IA_OVERHEAD, size);
	else if (str_is(class, "ONEZONE_IA"))
		add_small(m, ONE_ZONE_IA, ONE_ZONE_IA_OVERHEAD, size);
	else if (str_is(class, "GLACIER_IR"))
		add_small(m, INSTANT, INSTANT_OVERHEAD, size);
	else if (str_is(class, "GLACIER"))
		add_archived(m, GLACIER, GLACIER_OVERHEAD, GLACIER_S3_OVERHEAD, size);
	else if (str_is(class, "DEEP_ARCHIVE"))
		add_archived(m, DEEP, DEEP_OVERHEAD, DEEP_S3_OVERHEAD, size);
	else if (str_is(class, "REDUCED_REDUNDANCY"))
		m->bytes[REDUCED] += (double)size;
	else if (str_is(class, "EXPRESS_ONEZONE"))
		m->bytes[EXPRESS] += (double)size;
	else
		m->bytes[STANDARD] += (double)size;
	return OK;
}

/* Parts of uploads to the archive classes are staged; those of all others count as Standard ("GlacierStagingStorage").
 */
static enum type staged(struct str class)
{
	if (str_is(class, "GLACIER")) return GLACIER_STAGING;
	if (str_is(class, "DEEP_ARCHIVE")) return DEEP_STAGING;
	return str_is(class, "EXPRESS_ONEZONE") ? EXPRESS : STANDARD;
}

static status add_parts(struct measure *m, struct arena *a, struct str upload_id, struct str class)
{
	struct str from = s3_key_part(a, m->b, upload_id, 0), key, value;
	struct store_scan *scan = store_scan_begin(m->c->tx, from, key_after(a, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct s3_rec_part p = {0};
		s = s3_rec_part_decode(a, str_dup(a, value), &p);
		m->bytes[staged(class)] += (double)p.size.v;
		m->objects++;
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

static status add_uploads(struct measure *m)
{
	struct key k = s3_key_space(m->c->arena, STR("upload"), m->b);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(m->c->tx, from, key_after(m->c->arena, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct arena a;
		struct s3_rec_upload u = {0};
		arena_init(&a);
		struct str rest = str_dup(&a, str_from(key, from.n)), name, id;
		s = key_read_str(&a, &rest, &name);
		if (is_ok(s)) s = key_read_str(&a, &rest, &id);
		if (is_ok(s)) s = s3_rec_upload_decode(&a, str_dup(&a, value), &u);
		if (is_ok(s)) s = add_parts(m, &a, id, u.object->storage_class);
		arena_cleanup(&a);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

static status publish(const struct measure *m, int64_t at_ms)
{
	struct call *c = m->c;
	struct metric_point points[TYPES + 1];
	size_t n = 0;
	for (int i = 0; i <= TYPES; i++) {
		bool count = i == TYPES;
		if (!count && m->bytes[i] == 0) continue;
		struct metric_dimension *d = arena_new_n(c->arena, struct metric_dimension, 2);
		struct metric *metric = arena_new(c->arena, struct metric);
		d[0] = (struct metric_dimension){STR("BucketName"), m->b->name};
		d[1] = (struct metric_dimension){
			STR("StorageType"), count ? STR("AllStorageTypes") : str_c(type_names[i])};
		*metric = (struct metric){.account = m->b->owner,
			.region = m->b->region,
			.space = STR("AWS/S3"),
			.name = count ? STR("NumberOfObjects") : STR("BucketSizeBytes"),
			.dimensions = d,
			.n_dimensions = 2};
		points[n++] = (struct metric_point){.metric = metric,
			.at_ms = at_ms,
			.unit = count ? "Count" : "Bytes",
			.value = count ? m->objects : m->bytes[i]};
	}
	return metrics_put_in(c->tx, c->arena, points, n, c->now_ms);
}

static status measure(struct call *c, const struct s3_rec_bucket *b)
{
	struct measure m = {.c = c, .b = b};
	TRY(s3_each_version(c, b, STR(""), true, add, &m));
	TRY(add_uploads(&m));
	/* An empty bucket has no data points. */
	return m.objects > 0 ? publish(&m, c->now_ms - c->now_ms % day_ms) : OK;
}

/* *fresh: today was not measured yet; it counts as measured from now on. */
static status claim_day(struct store_tx *tx, struct arena *a, int64_t now_ms, bool *fresh)
{
	struct key k = key_begin(a);
	struct str today = str_fmt(a, "%lld", (long long)(now_ms / day_ms)), last;
	key_str(&k, STR("s3"));
	key_str(&k, STR("measured"));
	status s = store_get(tx, key_done(&k), &last);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	*fresh = !is_ok(s) || !str_eq(last, today);
	if (*fresh) store_put(tx, key_done(&k), today);
	return OK;
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct key k = key_begin(a);
	(void)job;
	key_str(&k, STR("s3"));
	key_str(&k, STR("bucket"));
	struct str from = key_done(&k), key, value;
	struct {
		struct s3_rec_bucket *v;
		size_t n;
	} all = {0};
	size_t capacity = 0;
	int64_t now_ms = clock_now(cloud->clock);
	bool fresh;
	*again_ms = (now_ms / day_ms + 1) * day_ms;
	TRY(claim_day(tx, a, now_ms, &fresh));
	if (!fresh) return OK;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct s3_rec_bucket *b = VEC_PUSH(a, &all, &capacity);
		*b = (struct s3_rec_bucket){0};
		s = s3_rec_bucket_decode(a, str_dup(a, value), b);
	}
	status ended = store_scan_end(scan);
	TRY(s);
	TRY(ended);
	for (size_t i = 0; i < all.n; i++)
		TRY(measure(call_for_job(a, cloud, tx, all.v[i].owner, all.v[i].region, STR("s3.amazonaws.com")),
			&all.v[i]));
	return OK;
}

void s3_storage_metrics_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, storage_kind, run, cloud);
}

void s3_storage_metrics_ready(struct cloud *cloud)
{
	struct arena a;
	store_ticket ticket;
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, false);
	struct job job = {
		.kind = str_c(storage_kind), .id = STR("all"), .due_ms = clock_now(cloud->clock), .payload = STR("")};
	jobs_schedule(tx, &job);
	/* Lost to the job, which was due already: then it schedules itself. */
	status s = store_commit(tx, &ticket);
	if (!is_ok(s)) log_info("s3", "storage-metrics-not-scheduled", "status=%s", status_name(s));
	store_end(tx);
	arena_cleanup(&a);
}
