/* Replication itself: a change schedules one durable job for each destination, within its own transaction; the job
 * carries the version over with its id and its place among the key's versions, so that doing it twice changes nothing,
 * the order in which jobs run does not matter, and two buckets that replicate to each other end alike. What arrived so
 * is a REPLICA and goes no further. */
#include "services/s3/replicate.h"
#include "base/log.h"
#include "base/rand.h"
#include "services/s3/version.h"

static const char replicate_kind[] = "s3.replicate";

/* ── which rules ── */

static bool has_tag(const struct s3_rec_object *o, const struct s3_tag *t)
{
	for (size_t i = 0; i < o->tags.n; i++)
		if (str_eq(o->tags.v[i].key, t->key) && str_eq(o->tags.v[i].value, str_or(t->value, STR(""))))
			return true;
	return false;
}

/* Is this version the rule's, whether it is new or has long been there? */
static bool covers(const struct s3_replication_rule *r, struct str key, bool marker, const struct s3_rec_object *o)
{
	if (!str_is(r->status, "Enabled") || !str_starts(key, s3_replication_prefix(r))) return false;
	/* The old form has always replicated markers. */
	if (!r->filter) return true;
	if (marker) return r->delete_marker_replication && str_is(r->delete_marker_replication->status, "Enabled");
	if (r->filter->tag && !has_tag(o, r->filter->tag)) return false;
	for (size_t i = 0; r->filter->and &&i < r->filter->and->tags.n; i++)
		if (!has_tag(o, &r->filter->and->tags.v[i])) return false;
	return true;
}

static bool matches(
	const struct s3_replication_rule *r, struct str key, enum s3_event event, const struct s3_rec_object *o)
{
	if (event != S3_REMOVED_MARKER && str_is(o->replication, "REPLICA")) {
		const struct s3_source_selection_criteria *s = r->source_selection_criteria;
		bool description = event == S3_TAGGED || event == S3_UNTAGGED || event == S3_ACL_PUT;
		if (!description || !s || !s->replica_modifications ||
			!str_is(s->replica_modifications->status, "Enabled"))
			return false;
	}
	return covers(r, key, event == S3_REMOVED_MARKER, o);
}

static bool concerns(enum s3_event e)
{
	return e <= S3_CREATED_MULTIPART || e == S3_REMOVED_MARKER || e == S3_TAGGED || e == S3_UNTAGGED ||
	       e == S3_ACL_PUT;
}

/* Of several rules with one destination the one of highest priority counts. */
static bool outranked(const struct s3_replication_rules *rules, size_t i, struct str key, enum s3_event event,
	const struct s3_rec_object *o)
{
	const struct s3_replication_rule *r = &rules->v[i];
	for (size_t j = 0; j < rules->n; j++)
		if (j != i && str_eq(rules->v[j].destination->bucket, r->destination->bucket) &&
			rules->v[j].priority.v > r->priority.v && matches(&rules->v[j], key, event, o))
			return true;
	return false;
}

static struct s3_rec_replication describe(struct call *c, const struct s3_rec_bucket *b, struct str key,
	const struct s3_rec_object *o, const struct s3_destination *d)
{
	return (struct s3_rec_replication){
		.bucket = b->name,
		.bucket_id = b->id,
		.key = key,
		.version_id = o->version_id,
		.destination = s3_replication_bucket(d->bucket),
		.storage_class = d->storage_class,
		.take_ownership = SOME_BOOL(d->access_control_translation != NULL),
		.since = SOME_TIME(c->now_ms),
	};
}

static void schedule(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o,
	const struct s3_destination *d)
{
	struct s3_rec_replication r = describe(c, b, key, o, d);
	struct job job = {
		.kind = str_c(replicate_kind),
		.id = rand_text(c->arena, STR("0123456789abcdefghijklmnopqrstuv"), 24),
		.due_ms = clock_now(c->cloud->clock),
		.payload = s3_rec_replication_encode(c->arena, &r),
	};
	jobs_schedule(c->tx, &job);
	s3_poke_jobs(c);
}

status s3_replicate(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o)
{
	struct s3_put_bucket_replication_input conf;
	if (!concerns(event) || !str_has(o->version_id) || str_is(o->version_id, "null")) return OK;
	status s = s3_config_get(c, b, S3_CONFIG_REPLICATION, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	const struct s3_replication_rules *rules = &conf.replication_configuration->rules;
	int32_t n = 0;
	for (size_t i = 0; i < rules->n; i++) {
		if (!matches(&rules->v[i], key, event, o) || outranked(rules, i, key, event, o)) continue;
		schedule(c, b, key, o, rules->v[i].destination);
		n++;
	}
	if (!n || str_is(o->replication, "REPLICA")) return OK;
	struct s3_rec_object version;
	struct s3_place place;
	TRY(s3_version_load(c, b, key, o->version_id, &version, &place));
	version.replication = STR("PENDING");
	version.replications_left = SOME_I32((str_is(o->replication, "PENDING") ? version.replications_left.v : 0) + n);
	s3_version_rewrite(c, b, key, &place, &version);
	return OK;
}

/* ── carrying over ── */

static bool is_null(const struct s3_rec_object *o)
{
	return !str_has(o->version_id) || str_is(o->version_id, "null");
}

/* What the destination gets; *parts is NULL where the object is in one piece. */
static status make_replica(struct call *c, const struct s3_rec_replication *r, const struct s3_rec_bucket *from,
	const struct s3_rec_bucket *to, const struct s3_rec_object *o, struct s3_rec_object *replica,
	struct s3_rec_parts *parts)
{
	*replica = *o;
	replica->replication = STR("REPLICA");
	replica->replications_left = (struct opt_i32){0};
	replica->manifest = (struct opt_i64){0};
	if (is_null(o)) replica->version_id = STR("null");
	if (str_has(r->storage_class)) replica->storage_class = r->storage_class;
	if (r->take_ownership.v || str_is(to->ownership, "BucketOwnerEnforced")) {
		replica->owner = to->owner;
		replica->acl = STR_NONE;
		replica->grants = (struct s3_rec_grants){0};
	}
	*parts = (struct s3_rec_parts){0};
	if (o->marker.v) return OK;
	struct s3_rec_extents x;
	TRY(s3_object_extents(c, from, o, &x));
	if (o->manifest.has) TRY(s3_object_parts(c, from, o, parts));
	return s3_extents_retain(c->tx, &x);
}

static status carry(struct call *c, const struct s3_rec_replication *r, const struct s3_rec_bucket *from,
	const struct s3_rec_object *o)
{
	struct s3_rec_bucket to;
	struct s3_rec_object replica, there;
	struct s3_rec_parts parts;
	struct s3_place place;
	TRY(s3_bucket_by_name(c->tx, c->arena, r->destination, &to, &c->partition));
	if (!str_is(to.versioning, "Enabled")) return STATUS(FAILED);
	bool null = is_null(o);
	status s = s3_version_load(c, &to, r->key, null ? STR("null") : o->version_id, &there, &place);
	if (is_ok(s) && null && (!str_eq(there.e_tag, o->e_tag) || there.size.v != o->size.v)) {
		/* Only of the version called null there can be another one with the same id. */
		struct s3_deleted gone;
		TRY(s3_version_delete(c, &to, r->key, STR("null"), &gone));
		s = STATUS(NOT_FOUND);
	}
	if (is_ok(s)) {
		/* It is there: then only what describes it may have changed. */
		there.tags = o->tags;
		if (!r->take_ownership.v && !str_is(to.ownership, "BucketOwnerEnforced")) {
			there.acl = o->acl;
			there.grants = o->grants;
		}
		s3_version_rewrite(c, &to, r->key, &place, &there);
		return OK;
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(make_replica(c, r, from, &to, o, &replica, &parts));
	TRY(s3_version_insert(c, &to, r->key, &replica, parts.n ? &parts : NULL));
	if (!s3_config_may(&to, S3_CONFIG_NOTIFICATION)) return OK;
	return s3_notify(c, &to, r->key, replica.marker.v ? S3_REMOVED_MARKER : S3_CREATED_PUT, &replica);
}

static status replicate(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct call c = {.arena = a,
		.cloud = cloud,
		.tx = tx,
		.now_ms = clock_now(cloud->clock),
		.partition = STR("aws"),
		.account = STR(""),
		.request_id = STR("REPLICATION")};
	struct s3_rec_replication r = {0};
	struct s3_rec_bucket from;
	struct s3_rec_object o;
	struct s3_place place;
	(void)again_ms;
	TRY(s3_rec_replication_decode(a, job->payload, &r));
	status s = s3_bucket_by_name(tx, a, r.bucket, &from, &c.partition);
	if (is_ok(s) && from.id.v != r.bucket_id.v) return OK;
	if (is_ok(s)) s = s3_version_load(&c, &from, r.key, r.version_id, &o, &place);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* gone meanwhile: nothing to replicate */
	TRY(s);
	s = carry(&c, &r, &from, &o);
	bool failed = status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_FAILED);
	if (failed)
		log_warn("s3", "replication-failed", "bucket=%.*s destination=%.*s", STR_ARG(r.bucket),
			STR_ARG(r.destination));
	else
		TRY(s);
	if (str_is(o.replication, "REPLICA")) return OK;
	if (failed) {
		o.replication = STR("FAILED");
		o.replications_left = (struct opt_i32){0};
	} else if (str_is(o.replication, "PENDING")) {
		o.replications_left = SOME_I32(o.replications_left.v - 1);
		if (o.replications_left.v <= 0) o.replication = STR("COMPLETED");
	}
	s3_version_rewrite(&c, &from, r.key, &place, &o);
	if (failed && s3_config_may(&from, S3_CONFIG_NOTIFICATION))
		return s3_notify(&c, &from, r.key, S3_REPLICATION_FAILED, &o);
	return OK;
}

status s3_replicate_existing(
	struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id, struct s3_existing *out)
{
	struct s3_put_bucket_replication_input conf;
	struct s3_rec_object o;
	struct s3_place place;
	*out = (struct s3_existing){0};
	TRY(s3_version_load(c, b, key, version_id, &o, &place));
	status s = s3_config_get(c, b, S3_CONFIG_REPLICATION, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	const struct s3_replication_rules *rules = &conf.replication_configuration->rules;
	for (size_t i = 0; i < rules->n; i++) {
		bool first = covers(&rules->v[i], key, o.marker.v, &o);
		for (size_t j = 0; first && j < rules->n; j++)
			first = j == i || !str_eq(rules->v[j].destination->bucket, rules->v[i].destination->bucket) ||
				rules->v[j].priority.v <= rules->v[i].priority.v ||
				!covers(&rules->v[j], key, o.marker.v, &o);
		if (!first) continue;
		struct s3_rec_replication r = describe(c, b, key, &o, rules->v[i].destination);
		out->eligible = true;
		s = carry(c, &r, b, &o);
		if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_FAILED))
			out->failed = true;
		else
			TRY(s);
	}
	if (!out->eligible || str_is(o.replication, "REPLICA")) return OK;
	o.replication = out->failed ? STR("FAILED") : STR("COMPLETED");
	o.replications_left = (struct opt_i32){0};
	s3_version_rewrite(c, b, key, &place, &o);
	return OK;
}

bool s3_replicate_eligible(
	const struct s3_replication_configuration *conf, struct str key, const struct s3_rec_object *o)
{
	for (size_t i = 0; conf && i < conf->rules.n; i++)
		if (covers(&conf->rules.v[i], key, o->marker.v, o)) return true;
	return false;
}

void s3_replicate_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, replicate_kind, replicate, cloud);
}
