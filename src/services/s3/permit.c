/* What S3's operations need beyond the authorization reference ("Required permissions for Amazon S3 API operations"): a
 * copy reads its source, a batch deletes versions where it names them, and buckets have owners that no ARN tells. */
#include "policy/authz.h"
#include "services/s3/object.h"
#include "services/s3/records.h"

static struct str object_arn(struct call *c, struct str bucket, struct str key)
{
	return str_fmt(c->arena, "arn:%.*s:s3:::%.*s/%.*s", STR_ARG(c->partition), STR_ARG(bucket), STR_ARG(key));
}

static status demand_source(struct call *c, struct str copy_source, struct authz_demands *demands)
{
	struct str bucket, key, version_id;
	TRY(s3_copy_source_split(c, copy_source, &bucket, &key, &version_id));
	authz_add(c->arena, demands, str_has(version_id) ? STR("s3:GetObjectVersion") : STR("s3:GetObject"),
		object_arn(c, bucket, key));
	return OK;
}

static void demand_versions(struct call *c, const struct s3_delete_objects_input *in, struct authz_demands *demands)
{
	demands->n = 0;
	for (size_t i = 0; in->delete && i < in->delete->objects.n; i++) {
		const struct s3_object_identifier *o = &in->delete->objects.v[i];
		authz_add(c->arena, demands, str_has(o->version_id) ? STR("s3:DeleteObjectVersion")
			: STR("s3:DeleteObject"),
			object_arn(c, in->bucket, o->key));
	}
}

/* The account that the resource's bucket belongs to; a bucket that is not there is nobody else's. */
static status set_owner(struct call *c, struct store_tx *tx, struct policy_resource *r)
{
	struct str bucket = r->arn, bytes;
	for (int i = 0; i < 5; i++) (void)str_cut(&bucket, ':');
	if (!str_has(bucket)) return OK;
	bucket = str_cut(&bucket, '/');
	status s = store_get(tx, s3_key_bucket(c->arena, c->partition, bucket), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct s3_rec_bucket b = {0};
	TRY(s3_rec_bucket_decode(c->arena, bytes, &b));
	r->account = b.owner;
	return OK;
}

status s3_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	(void)context;
	if (c->match.op_index == S3_OP_COPY_OBJECT)
		TRY(demand_source(c, ((const struct s3_copy_object_input *)in)->copy_source, demands));
	else if (c->match.op_index == S3_OP_UPLOAD_PART_COPY)
		TRY(demand_source(c, ((const struct s3_upload_part_copy_input *)in)->copy_source, demands));
	else if (c->match.op_index == S3_OP_DELETE_OBJECTS)
		demand_versions(c, in, demands);
	/* A bucket to be made belongs to who makes it, whoever has that name already. */
	if (c->match.op_index == S3_OP_CREATE_BUCKET) return OK;
	for (size_t i = 0; tx && i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) TRY(set_owner(c, tx, &demands->v[i].resources[j]));
	return OK;
}
