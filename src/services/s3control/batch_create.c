/* CreateJob ("Creating an S3 Batch Operations job"): what is asked for is checked as far as the request alone tells;
 * whether manifest and role are there is found out when the job prepares. */
#include "base/rand.h"
#include "identity/digest.h"
#include "services/s3/checksum.h"
#include "services/s3control/batch.h"
#include "services/s3control/control.h"

static status bad(struct call *c, const char *message)
{
	return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST, "%s", message);
}

bool batch_arn_split(struct str arn, struct str *bucket, struct str *key)
{
	struct str rest = arn, part[5];
	for (int i = 0; i < 5; i++) part[i] = str_cut(&rest, ':');
	if (!str_is(part[0], "arn") || !str_is(part[2], "s3") || !str_empty(part[3]) || !str_has(rest)) return false;
	ptrdiff_t slash = str_chr(rest, '/');
	if ((slash >= 0) != (key != NULL)) return false;
	*bucket = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
	if (key) *key = str_from(rest, (size_t)slash + 1);
	return !str_empty(*bucket) && (!key || !str_empty(*key));
}

/* ── the manifest ── */

static status check_fields(struct call *c, const struct s3control_job_manifest_spec *spec)
{
	unsigned buckets = 0, keys = 0, versions = 0;
	if (str_is(spec->format, "S3InventoryReport_CSV_20161130"))
		return spec->fields.n ? bad(c, "Fields cannot be specified for a manifest of an S3 Inventory report")
				      : OK;
	for (size_t i = 0; i < spec->fields.n; i++) {
		buckets += str_is(spec->fields.v[i], "Bucket");
		keys += str_is(spec->fields.v[i], "Key");
		versions += str_is(spec->fields.v[i], "VersionId");
	}
	return buckets == 1 && keys == 1 && versions <= 1
		       ? OK
		       : bad(c, "Fields of a CSV manifest must have Bucket and Key once, and VersionId once at most");
}

static status check_generator(struct call *c, const struct s3control_s3_job_manifest_generator *g)
{
	struct str bucket;
	if (!g) return bad(c, "S3JobManifestGenerator must be specified");
	if (!batch_arn_split(g->source_bucket, &bucket, NULL)) return bad(c, "SourceBucket is not a bucket's ARN");
	const struct s3control_s3_manifest_output_location *to = g->manifest_output_location;
	if (g->enable_manifest_output.v != (to != NULL))
		return bad(c, "ManifestOutputLocation must be specified if, and only if, EnableManifestOutput is true");
	if (to && !batch_arn_split(to->bucket, &bucket, NULL))
		return bad(c, "The bucket of ManifestOutputLocation is not a bucket's ARN");
	return OK;
}

static status check_manifest(struct call *c, const struct s3control_create_job_input *in)
{
	struct str bucket, key;
	if ((in->manifest != NULL) == (in->manifest_generator != NULL))
		return bad(c, "Either Manifest or ManifestGenerator must be specified, and not both");
	if (!in->manifest) return check_generator(c, in->manifest_generator->s3_job_manifest_generator);
	if (!batch_arn_split(in->manifest->location->object_arn, &bucket, &key))
		return bad(c, "The manifest's ObjectArn is not an object's ARN");
	return check_fields(c, in->manifest->spec);
}

/* ── what is to be done ── */

static status check_copy(struct call *c, const struct s3control_s3_copy_object_operation *o)
{
	struct str bucket;
	if (!batch_arn_split(str_or(o->target_resource, STR("")), &bucket, NULL))
		return bad(c, "TargetResource is not a bucket's ARN");
	if (str_has(o->object_lock_mode) != o->object_lock_retain_until_date.has)
		return bad(c, "ObjectLockMode and ObjectLockRetainUntilDate must both be supplied");
	return OK;
}

static status check_acl(struct call *c, const struct s3control_s3_access_control_policy *p)
{
	if (!p || (p->access_control_list != NULL) == str_has(p->canned_access_control_list))
		return bad(c, "Either AccessControlList or CannedAccessControlList must be specified, and not both");
	return OK;
}

static status check_checksum(struct call *c, const struct s3control_s3_compute_object_checksum_operation *o)
{
	const struct s3_algorithm *g = s3_algorithm(str_or(o->checksum_algorithm, STR("CRC64NVME")));
	if (!g || !g->digest || str_is(o->checksum_type, "COMPOSITE"))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"S3ComputeObjectChecksum is implemented for FULL_OBJECT checksums with CRC32, CRC32C, "
			"CRC64NVME, "
			"MD5, SHA1 and SHA256");
	return OK;
}

static status check_operation(struct call *c, const struct s3control_job_operation *o)
{
	struct str name = batch_operation(o);
	if (!str_has(name)) return bad(c, "Exactly one operation must be specified");
	if (o->lambda_invoke)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "The operation %.*s of Batch Operations is not implemented",
			STR_ARG(name));
	if (o->s3_compute_object_checksum) return check_checksum(c, o->s3_compute_object_checksum);
	const struct s3control_s3_update_object_encryption_operation *e = o->s3_update_object_encryption;
	if (e && (!e->object_encryption || !e->object_encryption->ssekms))
		return bad(c, "ObjectEncryption must hold SSE-KMS");
	if (o->s3_put_object_copy) return check_copy(c, o->s3_put_object_copy);
	if (o->s3_put_object_acl) return check_acl(c, o->s3_put_object_acl->access_control_policy);
	/* "Restore objects": the archive's Expedited tier is not there for jobs; Days is needed but for
	 * Intelligent-Tiering, which the objects tell. */
	if (o->s3_initiate_restore_object && !str_has(o->s3_initiate_restore_object->glacier_job_tier))
		return bad(c, "GlacierJobTier must be specified");
	const struct s3control_s3_set_object_retention_operation *r = o->s3_put_object_retention;
	if (r && str_has(r->retention->mode) != r->retention->retain_until_date.has)
		return bad(c, "Mode and RetainUntilDate must both be supplied");
	return OK;
}

static status check_report(struct call *c, const struct s3control_job_report *r)
{
	struct str bucket;
	if (!r->enabled.v) return OK;
	if (!batch_arn_split(str_or(r->bucket, STR("")), &bucket, NULL))
		return bad(c, "The bucket of the report must be a bucket's ARN");
	if (!str_has(r->format) || !str_has(r->report_scope))
		return bad(c, "Format and ReportScope must be specified for an enabled report");
	return OK;
}

/* ── the same request again ── */

static struct str hash_of(struct call *c)
{
	uint8_t hash[32];
	digest_sha256(c->body, hash);
	return str_dup(c->arena, str_n(hash, sizeof hash));
}

/* The job that this token made; *id absent: none. */
static status find_token(struct call *c, struct str token, struct str *id)
{
	struct s3control_rec_job job;
	*id = STR_NONE;
	status s = store_get(c->tx, batch_token_key(c->arena, c->account, c->region, token), id);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(batch_load(c->tx, c->arena, c->account, c->region, *id, &job));
	return str_eq(job.request, hash_of(c))
		       ? OK
		       : call_fail(c, S3CONTROL_ERR_IDEMPOTENCY_EXCEPTION,
				 "The client request token was used before, for a request with other parameters");
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

status s3control_create_job(
	struct call *c, const struct s3control_create_job_input *in, struct s3control_create_job_output *out)
{
	TRY(s3control_check_account(c, in->account_id));
	/* Jobs are kept as the client said them. */
	if (str_empty(c->body)) return call_fail(c, ERR_NOT_IMPLEMENTED, "Jobs are created by requests only");
	TRY(check_operation(c, in->operation));
	TRY(check_manifest(c, in));
	TRY(check_report(c, in->report));
	TRY(find_token(c, in->client_request_token, &out->job_id));
	if (str_has(out->job_id)) return OK;
	struct s3control_rec_job job = {
		.id = rand_uuid(c->arena),
		.account = c->account,
		.region = c->region,
		.partition = c->partition,
		.document = c->body,
		.token = in->client_request_token,
		.request = hash_of(c),
		.status = STR("New"),
		.priority = in->priority,
		.created = SOME_TIME(c->now_ms),
	};
	TRY(batch_tags_read(c, &in->tags, &job.tags));
	batch_save(c->tx, c->arena, NULL, &job);
	batch_schedule(c->tx, c->arena, &job, clock_now(c->cloud->clock));
	call_after_commit(c, poke, c->cloud->jobs);
	out->job_id = job.id;
	return OK;
}
