/* Amazon S3 Control's table, and Block Public Access of an account ("Configuring block public access settings for your account",
 * Amazon S3 User Guide). What the settings do is S3's business (services/s3/public.h). */
#include "policy/authz.h"
#include "services/s3/public.h"
#include "services/s3control/batch.h"
#include "services/s3control/control.h"

status s3control_check_account(struct call *c, struct str account)
{
	if (str_eq(account, c->account)) return OK;
	return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
}

status s3control_put_public_access_block(struct call *c, const struct s3control_put_public_access_block_input *in,
	struct s3control_put_public_access_block_output *out)
{
	const struct s3control_public_access_block_configuration *conf = in->public_access_block_configuration;
	(void)out;
	TRY(s3control_check_account(c, in->account_id));
	s3_account_public_put(c->tx, c->arena, c->account,
		(conf->block_public_acls.v ? S3_BLOCK_PUBLIC_ACLS : 0u) |
			(conf->ignore_public_acls.v ? S3_IGNORE_PUBLIC_ACLS : 0u) |
			(conf->block_public_policy.v ? S3_BLOCK_PUBLIC_POLICY : 0u) |
			(conf->restrict_public_buckets.v ? S3_RESTRICT_PUBLIC_BUCKETS : 0u));
	return OK;
}

status s3control_get_public_access_block(struct call *c, const struct s3control_get_public_access_block_input *in,
	struct s3control_get_public_access_block_output *out)
{
	unsigned bits;
	bool said;
	TRY(s3control_check_account(c, in->account_id));
	TRY(s3_account_public(c->tx, c->arena, c->account, &bits, &said));
	if (!said) {
		status s = call_fail(c, S3CONTROL_ERR_NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION,
			"The public access block configuration was not found");
		call_fail_detail(c, STR("AccountId"), c->account);
		return s;
	}
	out->public_access_block_configuration =
		arena_new(c->arena, struct s3control_public_access_block_configuration);
	*out->public_access_block_configuration = (struct s3control_public_access_block_configuration){
		.block_public_acls = SOME_BOOL(bits & S3_BLOCK_PUBLIC_ACLS),
		.ignore_public_acls = SOME_BOOL(bits & S3_IGNORE_PUBLIC_ACLS),
		.block_public_policy = SOME_BOOL(bits & S3_BLOCK_PUBLIC_POLICY),
		.restrict_public_buckets = SOME_BOOL(bits & S3_RESTRICT_PUBLIC_BUCKETS),
	};
	return OK;
}

status s3control_delete_public_access_block(struct call *c, const struct s3control_delete_public_access_block_input *in,
	struct s3control_delete_public_access_block_output *out)
{
	(void)out;
	TRY(s3control_check_account(c, in->account_id));
	s3_account_public_drop(c->tx, c->arena, c->account);
	return OK;
}

static const struct service_op ops[S3CONTROL_OP_COUNT] = {
	[S3CONTROL_OP_CREATE_ACCESS_POINT] = OP(s3control_create_access_point, 0),
	[S3CONTROL_OP_GET_ACCESS_POINT] = OP(s3control_get_access_point, OP_READ),
	[S3CONTROL_OP_DELETE_ACCESS_POINT] = OP(s3control_delete_access_point, 0),
	[S3CONTROL_OP_LIST_ACCESS_POINTS] = OP(s3control_list_access_points, OP_READ),
	[S3CONTROL_OP_PUT_ACCESS_POINT_POLICY] = OP(s3control_put_access_point_policy, 0),
	[S3CONTROL_OP_GET_ACCESS_POINT_POLICY] = OP(s3control_get_access_point_policy, OP_READ),
	[S3CONTROL_OP_DELETE_ACCESS_POINT_POLICY] = OP(s3control_delete_access_point_policy, 0),
	[S3CONTROL_OP_GET_ACCESS_POINT_POLICY_STATUS] = OP(s3control_get_access_point_policy_status, OP_READ),

	[S3CONTROL_OP_TAG_RESOURCE] = OP(s3control_tag_resource, 0),
	[S3CONTROL_OP_UNTAG_RESOURCE] = OP(s3control_untag_resource, 0),
	[S3CONTROL_OP_LIST_TAGS_FOR_RESOURCE] = OP(s3control_list_tags_for_resource, OP_READ),

	[S3CONTROL_OP_CREATE_JOB] = OP(s3control_create_job, 0),
	[S3CONTROL_OP_DESCRIBE_JOB] = OP(s3control_describe_job, OP_READ),
	[S3CONTROL_OP_LIST_JOBS] = OP(s3control_list_jobs, OP_READ),
	[S3CONTROL_OP_UPDATE_JOB_PRIORITY] = OP(s3control_update_job_priority, 0),
	[S3CONTROL_OP_UPDATE_JOB_STATUS] = OP(s3control_update_job_status, 0),
	[S3CONTROL_OP_PUT_JOB_TAGGING] = OP(s3control_put_job_tagging, 0),
	[S3CONTROL_OP_GET_JOB_TAGGING] = OP(s3control_get_job_tagging, OP_READ),
	[S3CONTROL_OP_DELETE_JOB_TAGGING] = OP(s3control_delete_job_tagging, 0),

	[S3CONTROL_OP_PUT_PUBLIC_ACCESS_BLOCK] = OP(s3control_put_public_access_block, 0),
	[S3CONTROL_OP_GET_PUBLIC_ACCESS_BLOCK] = OP(s3control_get_public_access_block, OP_READ),
	[S3CONTROL_OP_DELETE_PUBLIC_ACCESS_BLOCK] = OP(s3control_delete_public_access_block, 0),
};

static status start(struct cloud *cloud, void **state)
{
	*state = batch_start(cloud);
	return OK;
}

/* "To use the CreateJob operation, you must have … iam:PassRole" on the job's role. */
static status authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	(void)tx;
	if (c->match.op_index != S3CONTROL_OP_CREATE_JOB || !in) return OK;
	const struct s3control_create_job_input *job = in;
	policy_context_set(context, STR("iam:PassedToService"), STR("batchoperations.s3.amazonaws.com"));
	authz_add(c->arena, demands, STR("iam:PassRole"), str_or(job->role_arn, STR("*")));
	return OK;
}

extern const struct service service_s3control;
const struct service service_s3control = {
	.model = &wire_service_s3control, .ops = ops, .start = start, .stop = batch_stop, .authorize = authorize};
