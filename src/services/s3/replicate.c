/* Replication itself: a change schedules one durable job for each destination, within its own transaction; the job
 * carries the version over with its id and its place among the key's versions, so that doing it twice changes nothing,
 * the order in which jobs run does not matter, and two buckets that replicate to each other end alike. What arrived so
 * is a REPLICA and goes no further. */
#include "services/s3/replicate.h"
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

static const char replicate_kind[] = "s3.replicate", late_kind[] = "s3.replication-late";
enum { THRESHOLD_MS = 15 * 60 * 1000 };

/* ── which rules ── */

/* Is this version the rule's, whether it is new or has long been there? */
static bool covers(const struct s3_replication_rule *r, struct str key, bool marker, const struct s3_rec_object *o)
{
	if (!str_is(r->status, "Enabled") || !str_starts(key, s3_replication_prefix(r))) return false;
	bool kms = !marker && o->sse && str_starts(o->sse->algorithm, STR("aws:kms"));
	if (kms && !s3_replication_of_kms(r)) return false;
	/* The old form has always replicated markers. */
	if (!r->filter) return true;
	if (marker) return r->delete_marker_replication && str_is(r->delete_marker_replication->status, "Enabled");
	if (r->filter->tag && !s3_tags_hold(&o->tags, r->filter->tag)) return false;
	for (size_t i = 0; r->filter->and &&i < r->filter->and->tags.n; i++)
		if (!s3_tags_hold(&o->tags, &r->filter->and->tags.v[i])) return false;
	return true;
}

static bool describes(enum s3_event e)
{
	return e == S3_TAGGED || e == S3_UNTAGGED || e == S3_ACL_PUT || e == S3_LOCKED;
}

static bool matches(
	const struct s3_replication_rule *r, struct str key, enum s3_event event, const struct s3_rec_object *o)
{
	if (event != S3_REMOVED_MARKER && str_is(o->replication, "REPLICA")) {
		const struct s3_source_selection_criteria *s = r->source_selection_criteria;
		if (!describes(event) || !s || !s->replica_modifications ||
			!str_is(s->replica_modifications->status, "Enabled"))
			return false;
	}
	return covers(r, key, event == S3_REMOVED_MARKER, o);
}

static bool concerns(enum s3_event e)
{
	return e <= S3_CREATED_MULTIPART || e == S3_REMOVED_MARKER || describes(e);
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
	const struct s3_rec_object *o, const struct s3_replication_configuration *conf, size_t i)
{
	const struct s3_replication_rules *rules = &conf->rules;
	const struct s3_destination *d = rules->v[i].destination;
	const struct s3_encryption_configuration *e = d->encryption_configuration;
	return (struct s3_rec_replication){
		.bucket = b->name,
		.bucket_id = b->id,
		.key = key,
		.version_id = o->version_id,
		.destination = s3_replication_bucket(d->bucket),
		.storage_class = d->storage_class,
		.take_ownership = SOME_BOOL(d->access_control_translation != NULL),
		.since = SOME_TIME(c->now_ms),
		.rule = s3_replication_rule_id(c->arena, rules, i),
		.metrics = SOME_BOOL(d->metrics && str_is(d->metrics->status, "Enabled")),
		.timed = SOME_BOOL(d->replication_time && str_is(d->replication_time->status, "Enabled")),
		.kms_key = e ? e->replica_kms_key_id : STR_NONE,
		.size = o->size,
		.role = conf->role,
	};
}

/* The words of s3Operation in events of replication. */
static struct str operation_of(enum s3_event e)
{
	if (e == S3_REMOVED_MARKER) return STR("OBJECT_DELETE");
	if (e == S3_TAGGED || e == S3_UNTAGGED) return STR("OBJECT_PUT_TAGGING");
	return e == S3_ACL_PUT ? STR("OBJECT_PUT_ACL") : STR("OBJECT_PUT");
}

/* Replication time control promises 15 minutes: a job looks then. */
static void watch(struct call *c, const struct s3_rec_replication *r, struct str id)
{
	struct job job = {.kind = str_c(late_kind),
		.id = id,
		.due_ms = c->now_ms + THRESHOLD_MS + 1,
		.payload = s3_rec_replication_encode(c->arena, r)};
	jobs_schedule(c->tx, &job);
}

static void schedule(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o, const struct s3_replication_configuration *conf, size_t i)
{
	struct s3_rec_replication r = describe(c, b, key, o, conf, i);
	r.operation = operation_of(event);
	struct job job = {
		.kind = str_c(replicate_kind),
		.id = rand_text(c->arena, STR("0123456789abcdefghijklmnopqrstuv"), 24),
		.due_ms = clock_now(c->cloud->clock),
		.payload = s3_rec_replication_encode(c->arena, &r),
	};
	jobs_schedule(c->tx, &job);
	s3_replication_pending(c, &r, job.id);
	if (r.timed.v && r.metrics.v) watch(c, &r, job.id);
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
		schedule(c, b, key, event, o, conf.replication_configuration, i);
		n++;
	}
	bool replica = str_is(o->replication, "REPLICA");
	if (!n) return OK;
	struct s3_rec_object version;
	struct s3_place place;
	TRY(s3_version_load(c, b, key, o->version_id, &version, &place));
	if (describes(event))
		version.described = SOME_TIME(c->now_ms > version.described.ms ? c->now_ms : version.described.ms + 1);
	if (!replica) {
		version.replications_left =
			SOME_I32((str_is(o->replication, "PENDING") ? version.replications_left.v : 0) + n);
		version.replication = STR("PENDING");
	}
	s3_version_rewrite(c, b, key, &place, &version);
	return OK;
}

/* ── carrying over ── */

static bool is_null(const struct s3_rec_object *o)
{
	return !str_has(o->version_id) || str_is(o->version_id, "null");
}

/* The replica under a key of its own region (ReplicaKmsKeyID): its bytes are shared, their keys wrapped anew. */
static status rewrap(struct call *c, const struct s3_rec_replication *r, const struct s3_rec_bucket *to,
	const struct s3_rec_object *o, struct s3_rec_object *replica, struct s3_rec_parts *parts)
{
	struct s3_sse_wish wish = {.algorithm = o->sse->algorithm, .kms_key = r->kms_key};
	struct s3_wrap was, is;
	c->account = to->owner;
	c->region = to->region;
	TRY(s3_sse_open(c, o, NULL, &was));
	TRY(s3_sse_choose(c, to, &wish, &replica->sse));
	TRY(s3_sse_make(c, to, r->key, replica, NULL, &is));
	TRY(s3_sse_rewrap(c, &was, &is, &replica->extents));
	for (size_t i = 0; i < parts->n; i++) TRY(s3_sse_rewrap(c, &was, &is, &parts->v[i].extents));
	return OK;
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
	if (str_has(r->kms_key) && o->sse && str_starts(o->sse->algorithm, STR("aws:kms")))
		TRY(rewrap(c, r, to, o, replica, parts));
	/* Last: who fails leaves nothing behind. */
	return s3_extents_retain(c->tx, &x);
}

/* Of what describes an object on both sides of a two-way replication the newer counts, everywhere alike. */
static bool is_newer(const struct s3_rec_bucket *from, const struct s3_rec_object *o, const struct s3_rec_bucket *to,
	const struct s3_rec_object *there)
{
	if (!o->described.has && !there->described.has) return true;
	if (o->described.ms != there->described.ms) return o->described.ms > there->described.ms;
	return from->id.v > to->id.v;
}

static void update(const struct s3_rec_replication *r, const struct s3_rec_bucket *to, const struct s3_rec_object *o,
	struct s3_rec_object *there)
{
	there->described = o->described;
	there->tags = o->tags;
	if (to->lock.v) {
		there->lock_mode = o->lock_mode;
		there->retain_until = o->retain_until;
		there->legal_hold = o->legal_hold;
	}
	if (r->take_ownership.v || str_is(to->ownership, "BucketOwnerEnforced")) return;
	there->acl = o->acl;
	there->grants = o->grants;
}

/* FAILED: never, for the reason that *why tells ("Amazon S3 replication failure reasons"). */
static status carry(struct call *c, const struct s3_rec_replication *r, const struct s3_rec_bucket *from,
	const struct s3_rec_object *o, const char **why)
{
	struct s3_rec_bucket to;
	struct s3_rec_object replica, there;
	struct s3_rec_parts parts;
	struct s3_place place;
	struct s3_replication_permit may;
	status s = s3_bucket_by_name(c->tx, c->arena, r->destination, &to, &c->partition);
	*why = status_is(s, STATUS_NOT_FOUND) ? "DstBucketNotFound" : "DstBucketUnversioned";
	if (status_is(s, STATUS_NOT_FOUND)) return STATUS(FAILED);
	TRY(s);
	if (!str_is(to.versioning, "Enabled")) return STATUS(FAILED);
	*why = "DstBucketObjectLockConfigMissing";
	if (from->lock.v && !to.lock.v) return STATUS(FAILED);
	bool null = is_null(o);
	s = s3_version_load(c, &to, r->key, null ? STR("null") : o->version_id, &there, &place);
	if (is_ok(s) && null && (!str_eq(there.e_tag, o->e_tag) || there.size.v != o->size.v)) {
		/* Only of the version called null there can be another one with the same id. */
		struct s3_deleted gone;
		TRY(s3_version_delete(c, &to, r->key, STR("null"), &gone));
		s = STATUS(NOT_FOUND);
	}
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(s3_replication_ask(c, r, from, &to, o, is_ok(s), &may));
	*why = may.refused;
	if (may.refused) return STATUS(FAILED);
	if (is_ok(s)) {
		/* It is there: then only what describes it may have changed. */
		if (!is_newer(from, o, &to, &there)) return OK;
		struct s3_rec_tags tags = there.tags;
		update(r, &to, o, &there);
		if (!may.tags) there.tags = tags;
		s3_version_rewrite(c, &to, r->key, &place, &there);
		return OK;
	}
	*why = "DstKmsKeyInvalidState";
	TRY(make_replica(c, r, from, &to, o, &replica, &parts));
	if (!may.tags) replica.tags = (struct s3_rec_tags){0};
	*why = "DstVersionConflict";
	s = s3_version_insert(c, &to, r->key, &replica, parts.n ? &parts : NULL);
	if (status_is(s, STATUS_FAILED) && !o->marker.v) {
		struct s3_rec_extents x;
		TRY(s3_object_extents(c, from, o, &x));
		TRY(s3_extents_release(c->tx, &x));
	}
	TRY(s);
	if (!s3_config_may(&to, S3_CONFIG_NOTIFICATION)) return OK;
	return s3_notify(c, &to, r->key, replica.marker.v ? S3_REMOVED_MARKER : S3_CREATED_PUT, &replica);
}

static struct s3_replication_told told_of(struct call *c, const struct s3_rec_replication *r, const char *failure)
{
	return (struct s3_replication_told){.rule = r->rule,
		.destination_arn =
			str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(r->destination)),
		.operation = r->operation,
		.failure = str_c(failure),
		.since_ms = r->since.ms,
		.took_s = (c->now_ms - r->since.ms) / 1000};
}

/* Failures are told of rules with metrics, the time that it took of rules with replication time control ("Receiving
 * replication failure events with Amazon S3 Event Notifications"). missed: that the threshold is passed has been told.
 */
static status tell(struct call *c, const struct s3_rec_replication *r, const struct s3_rec_bucket *from,
	const struct s3_rec_object *o, bool missed, const char *failure)
{
	struct s3_replication_told t = told_of(c, r, failure);
	if (!r->metrics.v) return OK;
	TRY(s3_replication_ended(c, from, r, failure != NULL));
	if (!s3_config_may(from, S3_CONFIG_NOTIFICATION)) return OK;
	bool late = r->timed.v && c->now_ms - r->since.ms > THRESHOLD_MS;
	if (late && !missed) TRY(s3_notify_replication(c, from, r->key, S3_REPLICATION_MISSED, o, &t));
	if (failure) return s3_notify_replication(c, from, r->key, S3_REPLICATION_FAILED, o, &t);
	return late ? s3_notify_replication(c, from, r->key, S3_REPLICATION_LATE, o, &t) : OK;
}

/* The source bucket of r, and the version; NOT_FOUND where it has gone. */
static status load_source(struct call *c, const struct s3_rec_replication *r, struct s3_rec_bucket *from,
	struct s3_rec_object *o, struct s3_place *place)
{
	TRY(s3_bucket_by_name(c->tx, c->arena, r->bucket, from, &c->partition));
	if (from->id.v != r->bucket_id.v) return STATUS(NOT_FOUND);
	return s3_version_load(c, from, r->key, r->version_id, o, place);
}

/* After 15 minutes: what is still pending has missed the threshold. */
static status look(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct s3_rec_replication was = {0}, r;
	struct s3_rec_bucket from;
	struct s3_rec_object o;
	struct s3_place place;
	(void)again_ms;
	TRY(s3_rec_replication_decode(a, job->payload, &was));
	struct call *c = call_for_job(a, ctx, tx, STR(""), STR("us-east-1"), STR("s3.amazonaws.com"));
	status s = s3_replication_miss(c, was.bucket_id.v, job->id, &r);
	if (is_ok(s)) s = load_source(c, &r, &from, &o, &place);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!s3_config_may(&from, S3_CONFIG_NOTIFICATION)) return OK;
	c->account = from.owner;
	c->region = from.region;
	struct s3_replication_told t = told_of(c, &r, NULL);
	return s3_notify_replication(c, &from, r.key, S3_REPLICATION_MISSED, &o, &t);
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
	const char *why = NULL;
	bool missed;
	(void)again_ms;
	TRY(s3_rec_replication_decode(a, job->payload, &r));
	TRY(s3_replication_arrived(&c, &r, job->id, &missed));
	if (r.timed.v) jobs_cancel(tx, str_c(late_kind), job->id);
	status s = load_source(&c, &r, &from, &o, &place);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* gone meanwhile: nothing to replicate */
	TRY(s);
	s = carry(&c, &r, &from, &o, &why);
	bool failed = status_is(s, STATUS_FAILED);
	if (failed)
		log_warn("s3", "replication-failed", "bucket=%.*s destination=%.*s why=%s", STR_ARG(r.bucket),
			STR_ARG(r.destination), why);
	else
		TRY(s);
	c.account = from.owner;
	c.region = from.region;
	TRY(tell(&c, &r, &from, &o, missed, failed ? why : NULL));
	if (str_is(o.replication, "REPLICA")) return OK;
	if (failed) {
		o.replication = STR("FAILED");
		o.replications_left = (struct opt_i32){0};
	} else if (str_is(o.replication, "PENDING")) {
		o.replications_left = SOME_I32(o.replications_left.v - 1);
		if (o.replications_left.v <= 0) o.replication = STR("COMPLETED");
	}
	s3_version_rewrite(&c, &from, r.key, &place, &o);
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
		struct s3_rec_replication r = describe(c, b, key, &o, conf.replication_configuration, i);
		out->eligible = true;
		const char *why = NULL;
		s = carry(c, &r, b, &o, &why);
		if (status_is(s, STATUS_FAILED))
			out->failure = why;
		else
			TRY(s);
	}
	if (!out->eligible || str_is(o.replication, "REPLICA")) return OK;
	o.replication = out->failure ? STR("FAILED") : STR("COMPLETED");
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
	jobs_register(cloud->jobs, late_kind, look, cloud);
}
