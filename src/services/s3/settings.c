/* Small switches of a bucket: who pays, and transfer acceleration ("Using Requester Pays buckets", "Configuring fast,
 * secure file transfers using Amazon S3 Transfer Acceleration"). */
#include "services/s3/settings.h"
#include "services/s3/config.h"

/* ── who pays ── */

status s3_put_bucket_request_payment(struct call *c, const struct s3_put_bucket_request_payment_input *in,
	struct s3_put_bucket_request_payment_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!in->request_payment_configuration)
		return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");
	struct str payer = in->request_payment_configuration->payer;
	if (str_is(payer, "Requester")) return s3_config_put(c, &b, S3_CONFIG_PAYMENT, STR(""));
	if (!str_is(payer, "BucketOwner")) return s3_malformed_xml(c);
	return s3_config_drop(c, &b, S3_CONFIG_PAYMENT, STR(""), NULL);
}

status s3_get_bucket_request_payment(struct call *c, const struct s3_get_bucket_request_payment_input *in,
	struct s3_get_bucket_request_payment_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	out->payer = s3_config_may(&b, S3_CONFIG_PAYMENT) ? STR("Requester") : STR("BucketOwner");
	return OK;
}

status s3_payment_check(struct call *c, const struct s3_rec_bucket *b)
{
	if (!s3_config_may(b, S3_CONFIG_PAYMENT) || str_eq(c->account, b->owner) || !c->http) return OK;
	struct str said = call_request_header(c, STR("x-amz-request-payer"));
	if (!str_has(said) && str_has(c->http->query) &&
		str_find(c->http->query, STR("x-amz-request-payer=requester")) >= 0)
		said = STR("requester");
	if (!str_is(str_or(said, STR("")), "requester") || c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	call_header(c, STR("x-amz-request-charged"), STR("requester"));
	return OK;
}

/* ── acceleration ── */

status s3_put_bucket_accelerate_configuration(struct call *c,
	const struct s3_put_bucket_accelerate_configuration_input *in,
	struct s3_put_bucket_accelerate_configuration_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!in->accelerate_configuration)
		return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");
	if (str_chr(b.name, '.') >= 0)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"S3 Transfer Acceleration is not supported for buckets with periods (.) in their names");
	struct str wanted = in->accelerate_configuration->status;
	if (!str_is(wanted, "Enabled") && !str_is(wanted, "Suspended")) return s3_malformed_xml(c);
	return s3_config_put(c, &b, S3_CONFIG_ACCELERATE, STR(""));
}

static status accelerate_status(struct call *c, const struct s3_rec_bucket *b, struct str *out)
{
	struct s3_put_bucket_accelerate_configuration_input conf;
	*out = STR_NONE;
	status s = s3_config_get(c, b, S3_CONFIG_ACCELERATE, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	*out = conf.accelerate_configuration->status;
	return OK;
}

status s3_get_bucket_accelerate_configuration(struct call *c,
	const struct s3_get_bucket_accelerate_configuration_input *in,
	struct s3_get_bucket_accelerate_configuration_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	return accelerate_status(c, &b, &out->status);
}

status s3_accelerate_check(struct call *c, const struct s3_rec_bucket *b)
{
	struct str state;
	if (!c->http || str_find(c->http->host, STR(".s3-accelerate.")) < 0) return OK;
	TRY(accelerate_status(c, b, &state));
	if (str_is(state, "Enabled")) return OK;
	return call_fail(c, S3_ERR_INVALID_REQUEST,
		str_has(state) ? "S3 Transfer Acceleration is disabled on this bucket"
			       : "S3 Transfer Acceleration is not configured on this bucket");
}
