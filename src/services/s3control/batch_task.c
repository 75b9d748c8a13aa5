/* One task: the job's operation on one object, asked for from inside as the job's role, so that its policies decide
 * ("Operations supported by S3 Batch Operations"). */
#include "base/vec.h"
#include "services/s3/config.h"
#include "services/s3/replicate.h"
#include "services/s3control/batch.h"

static void run(struct batch *b, uint32_t op, const void *in, struct batch_outcome *out)
{
	struct inside *i = inside_run(b->cloud, &b->who, "s3", op, in, NULL);
	*out = (struct batch_outcome){.ok = i->ok, .http_status = i->http_status};
	if (i->ok) {
		out->message = STR("Successful");
	} else {
		out->code = str_dup(b->a, i->code);
		out->message =
			str_fmt(b->a, "%.*s (Service: Amazon S3; Status Code: %u; Error Code: %.*s; Request ID: %.*s)",
				STR_ARG(i->message), i->http_status, STR_ARG(i->code), STR_ARG(i->request_id));
	}
	inside_free(i);
}

static void fail(struct batch_outcome *out, unsigned http_status, const char *code, struct str message)
{
	*out = (struct batch_outcome){.http_status = http_status, .code = str_c(code), .message = message};
}

/* ── copy ── */

static struct str pairs(struct arena *a, const struct s3control_s3_tag_set *tags)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < tags->n; i++)
		buf_fmt(&b, "%s%.*s=%.*s", i ? "&" : "", STR_ARG(str_uri_encode(a, tags->v[i].key, false)),
			STR_ARG(str_uri_encode(a, str_or(tags->v[i].value, STR("")), false)));
	return buf_done(&b);
}

static void grant_headers(struct batch *b, const struct s3control_s3_grant_list *l, struct s3_copy_object_input *in)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct s3control_s3_grant *g = &l->v[i];
		struct str *to = str_is(g->permission, "READ")        ? &in->grant_read
				 : str_is(g->permission, "READ_ACP")  ? &in->grant_read_acp
				 : str_is(g->permission, "WRITE_ACP") ? &in->grant_write_acp
								      : &in->grant_full_control;
		if (!g->grantee) continue;
		*to = str_fmt(b->a, "%.*s%s%.*s=\"%.*s\"", STR_ARG(str_or(*to, STR(""))), str_has(*to) ? ", " : "",
			STR_ARG(g->grantee->type_identifier), STR_ARG(g->grantee->identifier));
	}
}

static void new_metadata(struct batch *b, const struct s3control_s3_object_metadata *m, struct s3_copy_object_input *in)
{
	size_t capacity = 0;
	in->cache_control = m->cache_control;
	in->content_disposition = m->content_disposition;
	in->content_encoding = m->content_encoding;
	in->content_language = m->content_language;
	in->content_type = m->content_type;
	if (m->http_expires_date.has) in->expires = time_rfc822(b->a, m->http_expires_date.ms);
	for (size_t i = 0; i < m->user_metadata.n; i++) {
		__typeof__(in->metadata.v) e = VEC_PUSH(b->a, &in->metadata, &capacity);
		e->key = m->user_metadata.v[i].key;
		e->value = m->user_metadata.v[i].value;
	}
	if (str_is(m->sse_algorithm, "AES256")) in->server_side_encryption = STR("AES256");
	if (str_is(m->sse_algorithm, "KMS")) in->server_side_encryption = STR("aws:kms");
}

static void copy(struct batch *b, const struct s3control_s3_copy_object_operation *o,
	const struct s3control_rec_row *row, struct batch_outcome *out)
{
	struct arena *a = b->a;
	struct str bucket;
	if (!batch_arn_split(o->target_resource, &bucket, NULL)) {
		fail(out, 400, "InvalidRequest", STR("TargetResource is not a bucket's ARN"));
		return;
	}
	/* "To copy objects into a folder named Folder1 …, set the TargetKeyPrefix property to Folder1." */
	struct s3_copy_object_input in = {
		.bucket = bucket,
		.key = str_has(o->target_key_prefix)
			       ? str_fmt(a, "%.*s/%.*s", STR_ARG(o->target_key_prefix), STR_ARG(row->key))
			       : row->key,
		.copy_source = str_fmt(a, "%.*s/%.*s%s%.*s", STR_ARG(b->job->bucket),
			STR_ARG(str_uri_encode(a, row->key, true)), str_has(row->version_id) ? "?versionId=" : "",
			STR_ARG(row->version_id)),
		.acl = o->canned_access_control_list,
		.metadata_directive = o->metadata_directive,
		.storage_class = o->storage_class,
		.website_redirect_location = o->redirect_location,
		.bucket_key_enabled = o->bucket_key_enabled,
		.checksum_algorithm = o->checksum_algorithm,
		.object_lock_mode = o->object_lock_mode,
		.object_lock_retain_until_date = o->object_lock_retain_until_date,
		.object_lock_legal_hold_status = o->object_lock_legal_hold_status,
	};
	if (o->requester_pays.v) in.request_payer = STR("requester");
	if (o->modified_since_constraint.has)
		in.copy_source_if_modified_since = time_rfc822(a, o->modified_since_constraint.ms);
	if (o->un_modified_since_constraint.has)
		in.copy_source_if_unmodified_since = time_rfc822(a, o->un_modified_since_constraint.ms);
	if (o->new_object_metadata) {
		in.metadata_directive = STR("REPLACE");
		new_metadata(b, o->new_object_metadata, &in);
	}
	if (o->new_object_tagging.v) {
		in.tagging_directive = STR("REPLACE");
		in.tagging = pairs(a, &o->new_object_tagging);
	}
	if (str_has(o->sse_aws_kms_key_id)) {
		in.server_side_encryption = STR("aws:kms");
		in.ssekms_key_id = o->sse_aws_kms_key_id;
	}
	grant_headers(b, &o->access_control_grants, &in);
	run(b, S3_OP_COPY_OBJECT, &in, out);
}

/* ── what describes an object ── */

static void put_acl(struct batch *b, const struct s3control_s3_access_control_policy *p,
	const struct s3control_rec_row *row, struct batch_outcome *out)
{
	struct s3_access_control_policy policy = {0};
	struct s3_owner owner = {0};
	struct s3_put_object_acl_input in = {.bucket = b->job->bucket,
		.key = row->key,
		.version_id = row->version_id,
		.acl = p->canned_access_control_list};
	size_t capacity = 0;
	const struct s3control_s3_access_control_list *l = p->access_control_list;
	if (l) {
		owner.id = l->owner->id;
		policy.owner = &owner;
		in.access_control_policy = &policy;
		VEC_PRESENT(b->a, &policy.grants);
	}
	for (size_t i = 0; l && i < l->grants.n; i++) {
		const struct s3control_s3_grantee *from = l->grants.v[i].grantee;
		struct s3_grant *g = VEC_PUSH(b->a, &policy.grants, &capacity);
		g->permission = l->grants.v[i].permission;
		g->grantee = arena_new(b->a, struct s3_grantee);
		if (!from) continue;
		bool id = str_is(from->type_identifier, "id"), uri = str_is(from->type_identifier, "uri");
		*g->grantee = (struct s3_grantee){.type = id    ? STR("CanonicalUser")
							  : uri ? STR("Group")
								: STR("AmazonCustomerByEmail"),
			.id = id ? from->identifier : STR_NONE,
			.uri = uri ? from->identifier : STR_NONE,
			.email_address = id || uri ? STR_NONE : from->identifier};
	}
	run(b, S3_OP_PUT_OBJECT_ACL, &in, out);
}

static void put_tagging(struct batch *b, const struct s3control_s3_tag_set *tags, const struct s3control_rec_row *row,
	struct batch_outcome *out)
{
	struct s3_tagging tagging = {0};
	size_t capacity = 0;
	VEC_PRESENT(b->a, &tagging.tag_set);
	for (size_t i = 0; i < tags->n; i++)
		*VEC_PUSH(b->a, &tagging.tag_set, &capacity) = (struct s3_tag){tags->v[i].key, tags->v[i].value};
	struct s3_put_object_tagging_input in = {
		.bucket = b->job->bucket, .key = row->key, .version_id = row->version_id, .tagging = &tagging};
	run(b, S3_OP_PUT_OBJECT_TAGGING, &in, out);
}

static void restore(struct batch *b, const struct s3control_s3_initiate_restore_object_operation *o,
	const struct s3control_rec_row *row, struct batch_outcome *out)
{
	struct s3_glacier_job_parameters tier = {
		.tier = str_is(o->glacier_job_tier, "BULK") ? STR("Bulk") : STR("Standard")};
	struct s3_restore_request request = {.days = o->expiration_in_days, .glacier_job_parameters = &tier};
	struct s3_restore_object_input in = {
		.bucket = b->job->bucket, .key = row->key, .version_id = row->version_id, .restore_request = &request};
	run(b, S3_OP_RESTORE_OBJECT, &in, out);
}

static void put_retention(struct batch *b, const struct s3control_s3_set_object_retention_operation *o,
	const struct s3control_rec_row *row, struct batch_outcome *out)
{
	struct s3_object_lock_retention r = {
		.mode = o->retention->mode, .retain_until_date = o->retention->retain_until_date};
	struct s3_put_object_retention_input in = {.bucket = b->job->bucket,
		.key = row->key,
		.version_id = row->version_id,
		.retention = &r,
		.bypass_governance_retention = o->bypass_governance_retention};
	run(b, S3_OP_PUT_OBJECT_RETENTION, &in, out);
}

/* ── replication ── */

static status replicate_once(struct batch *b, const struct s3control_rec_row *row, struct s3_existing *done)
{
	struct arena a;
	store_ticket ticket;
	arena_init(&a);
	struct store_tx *tx = store_begin(b->cloud->store, &a, false);
	struct call *c = call_for_job(
		&a, b->cloud, tx, b->job->account, b->job->region, STR("batchoperations.s3.amazonaws.com"));
	struct s3_rec_bucket from;
	status s = s3_bucket_by_name(tx, &a, b->job->bucket, &from, &c->partition);
	if (is_ok(s)) s = s3_replicate_existing(c, &from, row->key, row->version_id, done);
	if (is_ok(s)) s = store_commit(tx, &ticket);
	store_end(tx);
	arena_cleanup(&a);
	return s;
}

/* "Replicate existing objects with S3 Batch Replication": there is no request for it, only the permission
 * s3:InitiateReplication. */
static void replicate(struct batch *b, const struct s3control_rec_row *row, struct batch_outcome *out)
{
	struct s3_existing done = {0};
	struct str why, arn = str_fmt(b->a, "arn:%.*s:s3:::%.*s/%.*s", STR_ARG(b->job->partition),
				STR_ARG(b->job->bucket), STR_ARG(row->key));
	if (!inside_may(
		    b->cloud, &b->who, "s3", S3_OP_HEAD_OBJECT, NULL, STR("s3:InitiateReplication"), arn, b->a, &why)) {
		fail(out, 403, "InitiateReplicationNotPermitted", why);
		return;
	}
	status s;
	do s = replicate_once(b, row, &done);
	while (status_is(s, STATUS_CONFLICT));
	if (status_is(s, STATUS_NOT_FOUND))
		fail(out, 404, str_has(row->version_id) ? "NoSuchVersion" : "NoSuchKey",
			STR("The specified object does not exist."));
	else if (!is_ok(s))
		fail(out, 500, "InternalError", STR("We encountered an internal error. Please try again."));
	else if (!done.eligible)
		fail(out, 400, "SrcObjectNotEligible",
			STR("The object is covered by no enabled rule of the bucket's replication configuration."));
	else if (done.failure)
		fail(out, 400, done.failure, STR("The destination bucket cannot take the replica."));
	else
		*out = (struct batch_outcome){.ok = true, .http_status = 200, .message = STR("Successful")};
}

void batch_task(struct batch *b, const struct s3control_rec_row *row, struct batch_outcome *out)
{
	const struct s3control_job_operation *o = b->in->operation;
	struct str bucket = b->job->bucket;
	if (o->s3_put_object_copy) {
		copy(b, o->s3_put_object_copy, row, out);
	} else if (o->s3_put_object_acl) {
		put_acl(b, o->s3_put_object_acl->access_control_policy, row, out);
	} else if (o->s3_put_object_tagging) {
		put_tagging(b, &o->s3_put_object_tagging->tag_set, row, out);
	} else if (o->s3_delete_object_tagging) {
		struct s3_delete_object_tagging_input in = {
			.bucket = bucket, .key = row->key, .version_id = row->version_id};
		run(b, S3_OP_DELETE_OBJECT_TAGGING, &in, out);
	} else if (o->s3_initiate_restore_object) {
		restore(b, o->s3_initiate_restore_object, row, out);
	} else if (o->s3_put_object_legal_hold) {
		struct s3_object_lock_legal_hold hold = {.status = o->s3_put_object_legal_hold->legal_hold->status};
		struct s3_put_object_legal_hold_input in = {
			.bucket = bucket, .key = row->key, .version_id = row->version_id, .legal_hold = &hold};
		run(b, S3_OP_PUT_OBJECT_LEGAL_HOLD, &in, out);
	} else if (o->s3_put_object_retention) {
		put_retention(b, o->s3_put_object_retention, row, out);
	} else if (o->s3_compute_object_checksum) {
		batch_checksum(b, o->s3_compute_object_checksum, row, out);
	} else if (o->s3_update_object_encryption) {
		const struct s3control_s3_update_object_encryption_ssekms *k =
			o->s3_update_object_encryption->object_encryption->ssekms;
		struct s3_ssekms_encryption key = {
			.kms_key_arn = k->kms_key_arn, .bucket_key_enabled = k->bucket_key_enabled};
		struct s3_object_encryption to = {.ssekms = &key};
		struct s3_update_object_encryption_input in = {
			.bucket = bucket, .key = row->key, .version_id = row->version_id, .object_encryption = &to};
		run(b, S3_OP_UPDATE_OBJECT_ENCRYPTION, &in, out);
	} else {
		INVARIANT(o->s3_replicate_object);
		replicate(b, row, out);
	}
}
