/* Custom resources ("Custom resources", "Custom resource request types", "Custom resource response objects"): a request
 * is published to the SNS topic that ServiceToken names, and whoever takes it puts the answer at the request's
 * ResponseURL (signal.c). Lambda as ServiceToken fails by name: virga has none. */
#include "services/cloudformation/internal.h"
#include <openssl/sha.h>

enum { SERVICE_TIMEOUT_S = 3600 };

/* Which request it is: of one operation on one making of the resource, so that it is found again after a crash. */
static struct str request_id(struct cfn_work *w, const char *kind)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct str text = str_fmt(w->a, "%.*s|%.*s|%.*s|%s|%lld", STR_ARG(w->stack_id), STR_ARG(w->logical_id),
		STR_ARG(w->token), kind, (long long)w->deadline_ms);
	SHA256((const unsigned char *)text.p, text.n, digest);
	struct str hex = str_hex(w->a, str_n(digest, 16));
	return str_fmt(w->a, "%.*s-%.*s-4%.*s-a%.*s-%.*s", STR_ARG(str_sub(hex, 0, 8)), STR_ARG(str_sub(hex, 8, 4)),
		STR_ARG(str_sub(hex, 13, 3)), STR_ARG(str_sub(hex, 17, 3)), STR_ARG(str_sub(hex, 20, 12)));
}

/* "CloudFormation … converts all values to strings". */
static struct json_value *as_texts(struct arena *a, const struct json_value *v)
{
	if (v->type != JSON_IS_OBJECT && v->type != JSON_IS_ARRAY) return cfn_text(a, str_or(json_scalar(v), STR("")));
	struct json_value *to = v->type == JSON_IS_OBJECT ? cfn_object(a) : cfn_list(a);
	for (const struct json_value *c = v->first; c; c = c->next)
		cfn_append(to, v->type == JSON_IS_OBJECT ? c->name : STR_NONE, as_texts(a, c));
	return to;
}

static status deadline(struct cfn_work *w)
{
	struct str given = cfn_prop(w, "ServiceTimeout");
	int64_t seconds = SERVICE_TIMEOUT_S;
	if (w->deadline_ms) return OK;
	if (str_has(given) && (!is_ok(str_to_i64(given, &seconds)) || seconds < 1 || seconds > SERVICE_TIMEOUT_S))
		return cfn_fail(w, "ServiceTimeout has to be a number of seconds from 1 to 3600");
	w->deadline_ms = w->now_ms + seconds * 1000;
	return OK;
}

static status send(struct cfn_work *w, const char *kind)
{
	struct arena *a = w->a;
	struct str token = str_or(cfn_prop(w, "ServiceToken"), STR("")), rest = token, part[6];
	for (int i = 0; i < 6; i++) part[i] = str_has(rest) ? str_cut(&rest, ':') : STR("");
	if (str_is(part[2], "lambda"))
		return cfn_fail(w, "A custom resource with a Lambda function as ServiceToken needs AWS Lambda, which "
				   "virga does not "
				   "have: use an SNS topic");
	if (!str_is(part[0], "arn") || !str_is(part[2], "sns"))
		return cfn_fail(w, "Invalid service token: %.*s", STR_ARG(token));
	if (!str_eq(part[3], w->region))
		return cfn_fail(w, "Invalid service token: the topic %.*s is not in this Region", STR_ARG(token));
	TRY(deadline(w));
	struct json_value *request = cfn_object(a), *in = cfn_one(a, "TopicArn", token);
	cfn_put(request, a, "RequestType", str_c(kind));
	cfn_put(request, a, "ServiceToken", token);
	cfn_put(request, a, "ResponseURL",
		cfn_signal_url(a, w->cloud, (struct cfn_place){w->account, w->region}, w->stack_id, w->logical_id,
			w->token, false));
	cfn_put(request, a, "StackId", w->stack_id);
	cfn_put(request, a, "RequestId", request_id(w, kind));
	cfn_put(request, a, "LogicalResourceId", w->logical_id);
	if (strcmp(kind, "Create") != 0) cfn_put(request, a, "PhysicalResourceId", w->physical_id);
	cfn_put(request, a, "ResourceType", w->type->name);
	cfn_append(request, STR("ResourceProperties"), as_texts(a, w->properties));
	if (strcmp(kind, "Update") == 0) cfn_append(request, STR("OldResourceProperties"), as_texts(a, w->before));
	cfn_put(in, a, "Subject", STR("AWS CloudFormation custom resource request"));
	cfn_put(in, a, "Message", cfn_json(a, request));
	return cfn_do(w, "sns", "Publish", in, NULL);
}

/* The answer to that request; NULL: none yet. */
static const struct json_value *answer_to(struct cfn_work *w, struct str id)
{
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_resource r = {0};
	const struct json_value *found = NULL;
	struct store_tx *tx = store_begin(w->cloud->store, w->a, true);
	if (is_ok(cfn_stack_find(tx, w->a, (struct cfn_place){w->account, w->region}, w->stack_id, &s)) &&
		is_ok(cfn_resource_get(tx, w->a, &s, w->logical_id, &r)))
		for (const struct json_value *v = cfn_signals(w->a, &r)->first; v; v = v->next)
			if (str_eq(str_or(cfn_at(v, "RequestId"), STR("")), id)) found = v;
	store_end(tx);
	return found;
}

static status await(struct cfn_work *w, const char *kind)
{
	struct str id = request_id(w, kind);
	const struct json_value *answer = answer_to(w, id);
	if (!answer && w->now_ms <= w->deadline_ms) return STATUS(PENDING);
	if (!answer)
		return cfn_fail(w,
			"CloudFormation did not receive a response from your Custom Resource. Please check your logs "
			"for "
			"requestId [%.*s].",
			STR_ARG(id));
	struct str physical = cfn_at(answer, "PhysicalResourceId");
	bool removal = strcmp(kind, "Delete") == 0;
	/* A creation that failed half-way tells what there is to be deleted. */
	if (!removal && str_has(physical) && physical.n) w->physical_id = physical;
	if (!str_is(str_or(cfn_at(answer, "Status"), STR("")), "SUCCESS"))
		return cfn_fail(w,
			"Received response status [FAILED] from custom resource. Message returned: %.*s (RequestId: "
			"%.*s)",
			STR_ARG(str_or(cfn_at(answer, "Reason"), STR(""))), STR_ARG(id));
	if (removal) return OK;
	if (!str_has(physical) || !physical.n) return cfn_fail(w, "Invalid PhysicalResourceId");
	const struct json_value *data = cfn_in(answer, "Data");
	w->attributes = cfn_object(w->a);
	for (const struct json_value *d = data ? data->first : NULL; d; d = d->next)
		cfn_set(w->attributes, d->name, cfn_copy(w->a, d));
	if (str_is(str_or(cfn_at(answer, "NoEcho"), STR("")), "true")) cfn_attribute(w, CFN_NO_ECHO, STR("true"));
	return OK;
}

static status create(struct cfn_work *w)
{
	return send(w, "Create");
}

static status update(struct cfn_work *w)
{
	return send(w, "Update");
}

static status settle(struct cfn_work *w)
{
	return await(w, w->before->length ? "Update" : "Create");
}

static status remove_custom(struct cfn_work *w)
{
	if (w->deadline_ms) return await(w, "Delete");
	TRY(send(w, "Delete"));
	return STATUS(PENDING);
}

const struct cfn_handler cfn_custom[] = {
	{"AWS::CloudFormation::CustomResource", create, settle, update, remove_custom, NULL},
	{0},
};
