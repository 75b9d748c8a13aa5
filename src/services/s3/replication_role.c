/* Replication happens as the role that the configuration names: S3 assumes it, and its policies and those of the
 * buckets and keys decide, for each version anew. Only the session is kept for a while. */
#include "base/map.h"
#include "services/s3/replicate.h"
#include "services/s3/sse.h"
#include "services/sts/inside.h"
#include <pthread.h>
#include <stdlib.h>

enum { SESSION_KEPT_MS = 60000, SESSIONS_KEPT = 256 };

struct session {
	struct arena arena;
	struct inside_caller who;
	int64_t until_ms;
};
struct s3_roles {
	pthread_mutex_t lock;
	struct map sessions; /* by account, bucket and role */
};

static void session_free(void *p)
{
	struct session *s = p;
	arena_cleanup(&s->arena);
	free(s);
}

struct s3_roles *s3_roles_new(void)
{
	struct s3_roles *r = mem_new(sizeof *r);
	pthread_mutex_init(&r->lock, NULL);
	map_init(&r->sessions);
	return r;
}

void s3_roles_free(struct s3_roles *r)
{
	if (!r) return;
	map_cleanup(&r->sessions, session_free);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ── the session ── */

static struct inside_caller copy_of(struct arena *a, const struct inside_caller *from)
{
	struct inside_caller who = *from;
	struct principal *p = &who.principal;
	struct str *const texts[] = {&p->account, &p->arn, &p->user_id, &p->access_key, &p->name, &p->session,
		&p->secret, &p->session_record, &who.region, &who.agent};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (str_has(*texts[i])) *texts[i] = str_dup(a, *texts[i]);
	return who;
}

static bool recall(struct s3_roles *r, struct call *c, struct str name, struct inside_caller *out)
{
	pthread_mutex_lock(&r->lock);
	const struct session *s = map_get(&r->sessions, name);
	bool fresh = s && c->now_ms < s->until_ms && c->now_ms > s->until_ms - 2 * SESSION_KEPT_MS;
	if (fresh) *out = copy_of(c->arena, &s->who);
	pthread_mutex_unlock(&r->lock);
	return fresh;
}

static void remember(struct s3_roles *r, struct call *c, struct str name, const struct inside_caller *who)
{
	struct session *s = mem_new(sizeof *s);
	arena_init(&s->arena);
	s->who = copy_of(&s->arena, who);
	s->until_ms = c->now_ms + SESSION_KEPT_MS;
	pthread_mutex_lock(&r->lock);
	if (r->sessions.count >= SESSIONS_KEPT) {
		map_cleanup(&r->sessions, session_free);
		map_init(&r->sessions);
	}
	struct session *old = map_set(&r->sessions, name, s);
	pthread_mutex_unlock(&r->lock);
	if (old) session_free(old);
}

/* FAILED: the role cannot be assumed. source: the bucket's ARN, which a trust policy may ask for. */
static status assume(
	struct call *c, const struct s3_rec_bucket *from, struct str source, struct str role, struct inside_caller *out)
{
	struct s3_roles *r = s3_state_of(c->cloud)->roles;
	struct str why,
		name = str_fmt(c->arena, "%.*s %.*s %.*s", STR_ARG(from->owner), STR_ARG(source), STR_ARG(role));
	if (recall(r, c, name, out)) return OK;
	TRY(sts_assume_for(c->cloud, c->arena, from->owner, from->region, STR("s3.amazonaws.com"), source, role,
		STR("s3-replication"), out, &why));
	remember(r, c, name, out);
	return OK;
}

/* ── what is asked ── */

struct ask {
	struct call *c;
	struct inside_caller who;
	struct str source, source_object, target_object;
	struct s3_get_object_input get;
	struct s3_get_object_retention_input see;
	struct s3_put_object_input put;
};

static bool may(struct ask *q, uint32_t op, const void *in, const char *action, struct str arn)
{
	struct str why;
	return inside_may(q->c->cloud, &q->who, "s3", op, in, str_c(action), arn, q->c->arena, &why);
}

static bool may_bucket(struct ask *q, const char *action)
{
	return may(q, S3_OP_HEAD_BUCKET, NULL, action, q->source);
}

/* Of the version that is there, with kms:Decrypt where its key is one of KMS. */
static bool may_read(struct ask *q, const char *action)
{
	return may(q, S3_OP_GET_OBJECT, &q->get, action, q->source_object);
}

/* Without the keys of KMS: of what is not the bytes. */
static bool may_see(struct ask *q, const char *action)
{
	return may(q, S3_OP_GET_OBJECT_RETENTION, &q->see, action, q->source_object);
}

static bool may_write(struct ask *q, const char *action)
{
	return may(q, S3_OP_HEAD_OBJECT, NULL, action, q->target_object);
}

static const char *refused_source(struct ask *q, const struct s3_rec_bucket *from, const struct s3_rec_object *o)
{
	if (!may_bucket(q, "s3:GetReplicationConfiguration")) return "SrcBucketReplicationConfigMissing";
	if (!may_bucket(q, "s3:ListBucket")) return "SrcHeadObjectNotPermitted";
	if (o->marker.v) return NULL;
	if (!may_read(q, "s3:GetObjectVersionForReplication") && !may_read(q, "s3:GetObjectVersion"))
		return "SrcGetObjectNotPermitted";
	if (!may_see(q, "s3:GetObjectVersionAcl")) return "SrcGetAclNotPermitted";
	if (from->lock.v && (!may_see(q, "s3:GetObjectRetention") || !may_see(q, "s3:GetObjectLegalHold")))
		return "SrcGetObjectNotPermitted";
	return NULL;
}

static const char *refused_target(struct ask *q, const struct s3_rec_replication *r, const struct s3_rec_object *o)
{
	if (o->marker.v) return may_write(q, "s3:ReplicateDelete") ? NULL : "DstDelObjNotPermitted";
	if (!may(q, S3_OP_PUT_OBJECT, &q->put, "s3:ReplicateObject", q->target_object))
		return "DstPutObjectNotPermitted";
	if (r->take_ownership.v && !may_write(q, "s3:ObjectOwnerOverrideToBucketOwner")) return "DstPutAclNotPermitted";
	return NULL;
}

status s3_replication_ask(struct call *c, const struct s3_rec_replication *r, const struct s3_rec_bucket *from,
	const struct s3_rec_bucket *to, const struct s3_rec_object *o, bool there, struct s3_replication_permit *out)
{
	bool kms = o->sse && str_starts(o->sse->algorithm, STR("aws:kms"));
	struct arena *a = c->arena;
	struct ask q = {.c = c,
		.source = str_fmt(a, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(from->name)),
		.get = {.bucket = from->name, .key = r->key, .version_id = o->version_id},
		.see = {.bucket = from->name, .key = r->key, .version_id = o->version_id},
		.put = {.bucket = to->name, .key = r->key, .server_side_encryption = STR("AES256")}};
	q.source_object = str_fmt(a, "%.*s/%.*s", STR_ARG(q.source), STR_ARG(r->key));
	q.target_object =
		str_fmt(a, "arn:%.*s:s3:::%.*s/%.*s", STR_ARG(c->partition), STR_ARG(to->name), STR_ARG(r->key));
	if (kms) {
		q.put.server_side_encryption = o->sse->algorithm;
		q.put.ssekms_key_id = str_or(r->kms_key, o->sse->kms_key);
	}
	*out = (struct s3_replication_permit){.refused = "AssumeRoleNotPermitted", .tags = true};
	/* Scheduled by a virga that did not keep it. */
	if (!str_has(r->role)) return OK;
	status s = assume(c, from, q.source, r->role, &q.who);
	if (status_is(s, STATUS_FAILED)) return OK;
	TRY(s);
	out->refused = refused_source(&q, from, o);
	if (!out->refused) out->refused = refused_target(&q, r, o);
	if (out->refused || !o->tags.n) return OK;
	/* "If Amazon S3 doesn't have these permissions, it replicates the objects, but not the object tags." */
	bool reads = may_see(&q, "s3:GetObjectVersionTagging"), writes = may_write(&q, "s3:ReplicateTags");
	out->tags = reads && writes;
	if (there && !out->tags && str_is(r->operation, "OBJECT_PUT_TAGGING"))
		out->refused = reads ? "DstPutTaggingNotPermitted" : "SrcGetTaggingNotPermitted";
	return OK;
}
