/* The daily report: a durable job at midnight measures the filtered objects by storage class and age group, adds the
 * day's rows to the CSV at the destination ("The analysis for the day is added to the file to form a historic analysis
 * log"), and keeps what recommendations need. When data is infrequently accessed AWS does not say in figures; here it
 * is when less of an age group, and of all older ones, was read than is stored, per 30 days. */
#include "services/s3/analysis.h"
#include "base/vec.h"
#include "call/inside.h"
#include "services/s3/each.h"
#include "services/s3/own.h"
#include "services/s3/replicate.h"
#include "services/s3/sse.h"

static const char analysis_kind[] = "s3.analysis";
static const int64_t day_ms = 86400000;
enum { FILE_MAX = 256 << 20, OBSERVE_DAYS = 30, STABLE_DAYS = 15, FIRST_AGE = 2 /* 30 days: none sooner */ };
static const char *const age_names[S3_AGES + 1] = {"000-014", "015-029", "030-044", "045-059", "060-074", "075-089",
	"090-119", "120-149", "150-179", "180-364", "365-729", "730+", "ALL"};
static const int age_days[S3_AGES] = {0, 15, 30, 45, 60, 75, 90, 120, 150, 180, 365, 730};

static struct str state_space(struct arena *a, const struct s3_rec_bucket *b, struct str id)
{
	struct key k = s3_key_space(a, STR("analysis"), b);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

void s3_analysis_schedule(struct call *c, const struct s3_rec_bucket *b, const struct s3_analytics_configuration *conf)
{
	struct job job = {.kind = str_c(analysis_kind),
		.id = str_fmt(c->arena, "%llx/%.*s", (unsigned long long)b->id.v, STR_ARG(conf->id)),
		.due_ms = (c->now_ms / day_ms + 1) * day_ms,
		.payload = s3_rec_bucket_encode(c->arena, b)};
	jobs_schedule(c->tx, &job);
}

static status drop_space(struct call *c, struct str from)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	return store_scan_end(scan);
}

status s3_analysis_forget(struct call *c, const struct s3_rec_bucket *b, struct str id)
{
	TRY(drop_space(c, state_space(c->arena, b, id)));
	if (str_has(id)) return OK; /* its reads go with the bucket */
	struct key reads = s3_key_space(c->arena, STR("reads"), b);
	return drop_space(c, key_done(&reads));
}

/* ── measuring ── */

struct group {
	int64_t objects, stored, uploaded, requests, retrieved;
};
struct class
{
	struct str name;
	struct group ages[S3_AGES + 1]; /* the last: all */
};
struct report {
	struct call *c;
	const struct s3_rec_bucket *from;
	const struct s3_analytics_configuration *conf;
	int64_t day; /* that has ended */
	struct class *v;
	size_t n, capacity;
	struct s3_rec_analysis state;
};

static struct class *class_of(struct report *r, struct str name)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].name, name)) return &r->v[i];
	struct class *k = VEC_PUSH(r->c->arena, r, &r->capacity);
	*k = (struct class){.name = str_dup(r->c->arena, name)};
	return k;
}

static status measure(void *ctx, struct str key, const struct s3_rec_object *o, bool latest)
{
	struct report *r = ctx;
	(void)latest;
	if (o->marker.v || !s3_analysis_passes(r->conf, key, o)) return OK;
	struct class *k = class_of(r, o->storage_class);
	struct group *one = &k->ages[s3_analysis_age(o->modified.ms, r->c->now_ms)], *all = &k->ages[S3_AGE_ALL];
	one->objects++;
	all->objects++;
	one->stored += o->size.v;
	all->stored += o->size.v;
	if (o->modified.ms / day_ms == r->day) all->uploaded += o->size.v;
	return OK;
}

static status add_reads(struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		for (unsigned age = 0; age < S3_AGES; age++) {
			struct s3_rec_reads reads;
			struct group *one = &r->v[i].ages[age], *all = &r->v[i].ages[S3_AGE_ALL];
			TRY(s3_analysis_take(r->c, r->from, r->day, r->conf->id, r->v[i].name, age, &reads));
			one->requests = reads.requests.v;
			one->retrieved = reads.bytes.v;
			all->requests += reads.requests.v;
			all->retrieved += reads.bytes.v;
		}
	return OK;
}

/* ── what has been seen over the days ── */

static struct s3_rec_analysis_group *seen(struct report *r, struct str class, unsigned age, size_t *capacity)
{
	struct s3_rec_analysis_groups *g = &r->state.groups;
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].age.v == (int32_t)age && str_eq(g->v[i].class, class)) return &g->v[i];
	struct s3_rec_analysis_group *new = VEC_PUSH(r->c->arena, g, capacity);
	*new = (struct s3_rec_analysis_group){.class = class, .age = SOME_I32((int32_t)age)};
	return new;
}

/* The youngest age group that, with all older ones, is read less than its size in 30 days; -1: there is none. */
static int32_t observed_age(struct report *r, size_t *capacity)
{
	int32_t found = -1;
	for (int age = S3_AGES - 1; age >= FIRST_AGE; age--) {
		const struct s3_rec_analysis_group *g = seen(r, STR("STANDARD"), (unsigned)age, capacity);
		double days = r->state.days.v, stored = (double)g->stored.v / days;
		if (stored > 0 && (double)g->retrieved.v / days * OBSERVE_DAYS >= stored) break;
		if (stored > 0) found = age_days[age];
	}
	return found;
}

static status remember(struct report *r)
{
	struct call *c = r->c;
	struct str key = state_space(c->arena, r->from, r->conf->id), bytes;
	status s = store_get(c->tx, key, &bytes);
	if (is_ok(s)) s = s3_rec_analysis_decode(c->arena, bytes, &r->state);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	size_t capacity = r->state.groups.n, n = r->state.groups.n;
	r->state.groups.v = n ? arena_copy(c->arena, r->state.groups.v, n * sizeof *r->state.groups.v) : NULL;
	for (size_t i = 0; i < r->n; i++)
		for (unsigned age = 0; age <= S3_AGES; age++) {
			struct s3_rec_analysis_group *g = seen(r, r->v[i].name, age, &capacity);
			g->stored = SOME_I64(g->stored.v + r->v[i].ages[age].stored);
			g->retrieved = SOME_I64(g->retrieved.v + r->v[i].ages[age].retrieved);
		}
	r->state.days = SOME_I32(r->state.days.v + 1);
	int32_t age = r->state.days.v >= OBSERVE_DAYS ? observed_age(r, &capacity) : -1;
	bool same = r->state.age.has && r->state.age.v == age;
	r->state.stable = SOME_I32(same ? r->state.stable.v + 1 : 1);
	r->state.age = SOME_I32(age);
	store_put(c->tx, key, s3_rec_analysis_encode(c->arena, &r->state));
	return OK;
}

/* ── rows ── */

/* The filter in one field: "prefix=a/&tag:k=v"; empty where all objects are meant. */
static void filter_column(struct buf *b, const struct s3_analytics_filter *f)
{
	if (!f) return;
	struct str prefix = f->and ? f->and->prefix : f->prefix;
	const struct s3_tag *tags = f->and ? f->and->tags.v : f->tag;
	size_t n = f->and ? f->and->tags.n : f->tag != NULL, written = 0;
	if (str_has(prefix)) {
		buf_lit(b, "prefix=");
		for (size_t i = 0; i < prefix.n; i++) buf_fmt(b, prefix.p[i] == '"' ? "\"\"" : "%c", prefix.p[i]);
		written = 1;
	}
	for (size_t i = 0; i < n; i++)
		buf_fmt(b, "%stag:%.*s=%.*s", written++ ? "&" : "", STR_ARG(tags[i].key), STR_ARG(tags[i].value));
}

static double mb(int64_t bytes)
{
	return (double)bytes / (1024 * 1024);
}

static void row(struct report *r, struct buf *b, const struct class *k, unsigned age, struct str date, size_t *capacity)
{
	const struct group *g = &k->ages[age];
	const struct s3_rec_analysis_group *s = seen(r, k->name, age, capacity);
	bool all = age == S3_AGE_ALL, standard = all && str_is(k->name, "STANDARD");
	buf_fmt(b, "%.*s,%.*s,\"", STR_ARG(date), STR_ARG(r->conf->id));
	filter_column(b, r->conf->filter);
	buf_fmt(b, "\",%.*s,%s,", STR_ARG(k->name), age_names[age]);
	if (all)
		buf_fmt(b, "%lld,%.6f,", (long long)g->objects, mb(g->uploaded));
	else
		buf_lit(b, ",,");
	buf_fmt(b, "%.6f,%.6f,%lld,", mb(g->stored), mb(g->retrieved), (long long)g->requests);
	if (s->stored.v) buf_fmt(b, "%.6f", (double)s->retrieved.v / (double)s->stored.v);
	buf_byte(b, ',');
	if (standard && r->state.age.v >= 0) buf_fmt(b, "%d", r->state.age.v);
	buf_byte(b, ',');
	if (standard && r->state.age.v >= 0 && r->state.stable.v >= STABLE_DAYS) buf_fmt(b, "%d", r->state.age.v);
	buf_byte(b, '\n');
}

static void rows(struct report *r, struct buf *b)
{
	struct str t = time_iso8601(r->c->arena, r->day * day_ms, false);
	struct str date = str_fmt(r->c->arena, "%.*s-%.*s-%.*s", 2, t.p + 5, 2, t.p + 8, 4, t.p);
	size_t capacity = r->state.groups.n;
	for (size_t i = 0; i < r->n; i++) {
		row(r, b, &r->v[i], S3_AGE_ALL, date, &capacity);
		for (unsigned age = 0; age < S3_AGES; age++)
			if (r->v[i].ages[age].objects || r->v[i].ages[age].requests)
				row(r, b, &r->v[i], age, date, &capacity);
	}
}

/* The rows of the days before, where the file is there as it was left. */
static void history(struct report *r, const struct s3_rec_bucket *to, struct str key, struct buf *b)
{
	struct call *c = r->c;
	struct inside_caller us = inside_service(c->arena, to->owner, to->region, STR("s3.amazonaws.com"));
	struct s3_get_object_input in = {.bucket = to->name, .key = key};
	struct inside *i = inside_run(c->cloud, &us, "s3", S3_OP_GET_OBJECT, &in, NULL);
	const struct s3_get_object_output *got = i->ok ? i->out : NULL;
	struct str bytes = STR("");
	if (got && got->body && !is_ok(inside_body(i, c->arena, got->body, FILE_MAX, &bytes))) bytes = STR("");
	inside_free(i);
	if (!str_empty(bytes)) {
		buf_str(b, bytes);
		return;
	}
	buf_lit(b,
		"Date,ConfigId,Filter,StorageClass,ObjectAge,ObjectCount,DataUploaded_MB,Storage_MB,DataRetrieved_MB,"
		"GetRequestCount,CumulativeAccessRatio,ObjectAgeForSIATransition,"
		"RecommendedObjectAgeForSIATransition\n");
}

static status export(struct report *r, const struct s3_analytics_s3_bucket_destination *d)
{
	struct call *c = r->c;
	struct s3_rec_bucket to;
	struct buf text = BUF_IN(c->arena);
	status s = s3_bucket_by_name(c->tx, c->arena, s3_replication_bucket(d->bucket), &to, NULL);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct str key = str_fmt(c->arena, "%.*s%s%.*s/%.*s.csv", STR_ARG(str_or(d->prefix, STR(""))),
		str_empty(d->prefix) || str_ends(d->prefix, STR("/")) ? "" : "/", STR_ARG(r->from->name),
		STR_ARG(r->conf->id));
	history(r, &to, key, &text);
	rows(r, &text);
	return s3_own_put(c, &to, key, buf_done(&text), STR("text/csv"));
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct s3_rec_bucket was = {0}, b;
	struct s3_put_bucket_analytics_configuration_input in;
	/* Reads of the day that are still in memory; a conflict with them only runs this again. */
	TRY(s3_analysis_write(s3_state_of(cloud)->analysis));
	TRY(s3_rec_bucket_decode(a, job->payload, &was));
	struct str id = job->id;
	(void)str_cut(&id, '/');
	status s = s3_bucket_by_name(tx, a, was.name, &b, NULL);
	if (is_ok(s) && b.id.v != was.id.v) s = STATUS(NOT_FOUND);
	if (is_ok(s)) s = s3_config_read(tx, a, &b, S3_CONFIG_ANALYTICS, id, &in, sizeof in);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	const struct s3_analytics_configuration *conf = in.analytics_configuration;
	const struct s3_storage_class_analysis_data_export *e = conf->storage_class_analysis->data_export;
	if (!e) return OK;
	struct report r = {
		.c = call_for_job(a, cloud, tx, b.owner, b.region, STR("s3.amazonaws.com")), .from = &b, .conf = conf};
	r.day = r.c->now_ms / day_ms - 1;
	struct str only =
		conf->filter ? conf->filter->and ? conf->filter->and->prefix : conf->filter->prefix : STR_NONE;
	TRY(s3_each_version(r.c, &b, str_or(only, STR("")), false, measure, &r));
	TRY(add_reads(&r));
	TRY(remember(&r));
	TRY(export(&r, e->destination->s3_bucket_destination));
	*again_ms = (r.c->now_ms / day_ms + 1) * day_ms;
	return OK;
}

void s3_analysis_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, analysis_kind, run, cloud);
}
