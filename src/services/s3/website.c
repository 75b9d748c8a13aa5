/* PutBucketWebsite and its kin: the configuration, checked as AWS checks it ("Hosting a static website using Amazon
 * S3"). */
#include "services/s3/config.h"

enum { ROUTING_RULES_MAX = 50 };

static status bad(struct call *c, const char *message)
{
	return call_fail(c, S3_ERR_INVALID_ARGUMENT, "%s", message);
}

static status check_protocol(struct call *c, struct str p)
{
	if (!str_has(p) || str_is(p, "http") || str_is(p, "https")) return OK;
	return call_fail(c, S3_ERR_INVALID_REQUEST,
		"Invalid protocol, protocol can be http or https. If not defined, the protocol will be selected "
		"automatically.");
}

static status check_code(struct call *c, struct str code, bool redirect)
{
	int64_t n = 0;
	if (!str_has(code)) return OK;
	bool number = is_ok(str_to_i64(code, &n));
	if (redirect && number && n > 300 && n < 400) return OK;
	if (!redirect && number && n >= 400 && n < 600) return OK;
	return call_fail(c, S3_ERR_INVALID_REQUEST,
		redirect ? "The provided HTTP redirect code (%.*s) is not valid. Valid codes are 3XX except 300."
			 : "The provided HTTP error code (%.*s) is not valid. Valid codes are 4XX or 5XX.",
		STR_ARG(code));
}

static status check_rule(struct call *c, const struct s3_routing_rule *r)
{
	const struct s3_redirect *to = r->redirect;
	if (!to || (!str_has(to->host_name) && !str_has(to->http_redirect_code) && !str_has(to->protocol) &&
			   !str_has(to->replace_key_prefix_with) && !str_has(to->replace_key_with)))
		return s3_malformed_xml(c);
	if (str_has(to->replace_key_prefix_with) && str_has(to->replace_key_with))
		return call_fail(
			c, S3_ERR_INVALID_REQUEST, "You can only define ReplaceKeyPrefix or ReplaceKey but not both.");
	TRY(check_protocol(c, to->protocol));
	TRY(check_code(c, to->http_redirect_code, true));
	if (!r->condition) return OK;
	if (!str_has(r->condition->http_error_code_returned_equals) && !str_has(r->condition->key_prefix_equals))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"Condition cannot be empty. To redirect all requests without a condition, the condition "
			"element shouldn't be "
			"present.");
	return check_code(c, r->condition->http_error_code_returned_equals, false);
}

static status check(struct call *c, const struct s3_website_configuration *w)
{
	if (w->redirect_all_requests_to) {
		if (w->index_document || w->error_document || w->routing_rules.n)
			return bad(
				c, "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.");
		if (str_empty(w->redirect_all_requests_to->host_name)) return s3_malformed_xml(c);
		return check_protocol(c, w->redirect_all_requests_to->protocol);
	}
	if (!w->index_document)
		return bad(c, "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty");
	if (str_empty(w->index_document->suffix) || str_chr(w->index_document->suffix, '/') >= 0)
		return bad(c, "The IndexDocument Suffix is not well formed");
	if (w->error_document && str_empty(w->error_document->key))
		return bad(c, "The ErrorDocument Key is not well formed");
	if (w->routing_rules.n > ROUTING_RULES_MAX)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"%zu routing rules provided, the number of routing rules in a website configuration is limited "
			"to %d.",
			w->routing_rules.n, ROUTING_RULES_MAX);
	for (size_t i = 0; i < w->routing_rules.n; i++) TRY(check_rule(c, &w->routing_rules.v[i]));
	return OK;
}

status s3_put_bucket_website(
	struct call *c, const struct s3_put_bucket_website_input *in, struct s3_put_bucket_website_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!in->website_configuration) return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");
	TRY(check(c, in->website_configuration));
	return s3_config_put(c, &b, S3_CONFIG_WEBSITE, STR(""));
}

status s3_get_bucket_website(
	struct call *c, const struct s3_get_bucket_website_input *in, struct s3_get_bucket_website_output *out)
{
	struct s3_rec_bucket b;
	struct s3_put_bucket_website_input conf;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = s3_config_get(c, &b, S3_CONFIG_WEBSITE, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) {
		s = call_fail(c, S3_ERR_NO_SUCH_WEBSITE_CONFIGURATION,
			"The specified bucket does not have a website configuration");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	TRY(s);
	out->redirect_all_requests_to = conf.website_configuration->redirect_all_requests_to;
	out->index_document = conf.website_configuration->index_document;
	out->error_document = conf.website_configuration->error_document;
	out->routing_rules = conf.website_configuration->routing_rules;
	return OK;
}

status s3_delete_bucket_website(
	struct call *c, const struct s3_delete_bucket_website_input *in, struct s3_delete_bucket_website_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	return s3_config_drop(c, &b, S3_CONFIG_WEBSITE, STR(""), NULL);
}
