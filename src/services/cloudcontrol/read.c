/* GetResource and ListResources. What is there is asked of the type's own service: by the recipe's describing operation
 * without the id, or by the operation of the table below. */
#include "base/vec.h"
#include "services/cloudcontrol/room.h"
#include "services/cloudformation/recipe.h"

enum { PAGE = 100, PAGES_MAX = 1000 };

status cloudcontrol_get_resource(
	struct call *c, const struct cloudcontrol_get_resource_input *in, struct cloudcontrol_get_resource_output *out)
{
	struct cfn_type type;
	const struct cfn_handler *handler;
	struct inside_caller who;
	struct cloudcontrol_rec_made made;
	struct cfn_work w = {0};
	struct json_value *model;
	TRY(cloudcontrol_type(c, in->type_name, "READ", &type, &handler));
	if (!handler->read)
		return call_fail(c, CLOUDCONTROL_ERR_UNSUPPORTED_ACTION_EXCEPTION,
			"Resource type %.*s does not support READ action", STR_ARG(in->type_name));
	TRY(cloudcontrol_who(c, in->role_arn, &who));
	status s = cloudcontrol_made_get(c->tx, c->arena, c->account, c->region, in->type_name, in->identifier, &made);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	s = cloudcontrol_read(c->cloud, &who, c->arena, c->region, in->type_name, in->identifier, &made, &w, &model);
	if (!is_ok(s)) return cloudcontrol_fail_read(c, in->type_name, in->identifier, s, &w);
	out->type_name = in->type_name;
	out->resource_description = arena_new(c->arena, struct cloudcontrol_resource_description);
	out->resource_description->identifier = in->identifier;
	out->resource_description->properties = cfn_json(c->arena, model);
	return OK;
}

/* Types that are described one by one: what lists them, where the list is, and the member that is the identifier
 * ("": they are texts). */
static const struct lister {
	const char *type, *service, *op, *path, *member;
} listers[] = {
	{"AWS::SQS::Queue", "sqs", "ListQueues", "QueueUrls", ""},
	{"AWS::SSM::Parameter", "ssm", "DescribeParameters", "Parameters", "Name"},
	{"AWS::S3::Bucket", "s3", "ListBuckets", "Buckets", "Name"},
	{"AWS::SNS::Topic", "sns", "ListTopics", "Topics", "TopicArn"},
	{"AWS::SNS::Subscription", "sns", "ListSubscriptions", "Subscriptions", "SubscriptionArn"},
	{"AWS::DynamoDB::Table", "dynamodb", "ListTables", "TableNames", ""},
	{"AWS::DynamoDB::GlobalTable", "dynamodb", "ListTables", "TableNames", ""},
	{"AWS::IAM::Role", "iam", "ListRoles", "Roles", "RoleName"},
	{"AWS::IAM::User", "iam", "ListUsers", "Users", "UserName"},
	{"AWS::IAM::Group", "iam", "ListGroups", "Groups", "GroupName"},
	{"AWS::IAM::InstanceProfile", "iam", "ListInstanceProfiles", "InstanceProfiles", "InstanceProfileName"},
	{"AWS::IAM::ManagedPolicy", "iam", "ListPolicies", "Policies", "Arn"},
	{"AWS::IAM::OIDCProvider", "iam", "ListOpenIDConnectProviders", "OpenIDConnectProviderList", "Arn"},
	{"AWS::IAM::SAMLProvider", "iam", "ListSAMLProviders", "SAMLProviderList", "Arn"},
	{"AWS::KMS::Key", "kms", "ListKeys", "Keys", "KeyId"},
	{"AWS::KMS::Alias", "kms", "ListAliases", "Aliases", "AliasName"},
	{"AWS::Kinesis::Stream", "kinesis", "ListStreams", "StreamNames", ""},
	{"AWS::SecretsManager::Secret", "secretsmanager", "ListSecrets", "SecretList", "ARN"},
	{"AWS::CloudTrail::Trail", "cloudtrail", "ListTrails", "Trails", "Name"},
	{"AWS::CertificateManager::Certificate", "acm", "ListCertificates", "CertificateSummaryList", "CertificateArn"},
	{"AWS::CloudWatch::Dashboard", "cloudwatch", "ListDashboards", "DashboardEntries", "DashboardName"},
	{"AWS::AccessAnalyzer::Analyzer", "accessanalyzer", "ListAnalyzers", "Analyzers", "Arn"},
	{"AWS::Logs::LogGroup", "logs", "DescribeLogGroups", "logGroups", "logGroupName"},
};

/* How a type is listed. */
struct plan {
	struct str service, op, path;
	struct str member; /* of each; "" */
};

static bool plan_of(struct arena *a, struct str type, struct plan *out)
{
	struct cfn_recipe r;
	for (size_t i = 0; i < sizeof(listers) / sizeof(*listers); i++) {
		const struct lister *l = &listers[i];
		if (!str_eq(type, str_c(l->type))) continue;
		*out = (struct plan){str_c(l->service), str_c(l->op), str_c(l->path), str_c(l->member)};
		return true;
	}
	if (!is_ok(cfn_recipe_find(a, type, &r))) return false;
	/* "DescribeVpcs VpcIds=[$id] -> Vpcs.0": one of a list that the operation tells when it is not asked for one.
	 */
	struct str words = cfn_recipe_line(&r, "describe"), id = str_or(cfn_recipe_line(&r, "id"), STR(""));
	ptrdiff_t to = str_has(words) ? str_find(words, STR("-> ")) : -1;
	if (to < 0 || !str_ends(words, STR(".0")) || !str_starts(words, STR("Describe"))) return false;
	struct str path = str_from(words, (size_t)to + 3), op = str_cut(&words, ' ');
	path = str_sub(path, 0, path.n - 2);
	if (str_find(path, STR(".0")) >= 0) return false;
	ptrdiff_t dot = str_rchr(id, '.');
	if (dot < 0 && !str_starts(id, STR("<")) && !str_starts(id, STR(">"))) return false;
	*out = (struct plan){r.service, op, path, str_from(id, dot < 0 ? 1 : (size_t)dot + 1)};
	return true;
}

/* Tokens of pages, by the names that services give them: in the answer, and in the next request. */
static bool next_page(struct arena *a, const struct json_value *out, struct json_value *in)
{
	static const char *const names[][2] = {{"NextToken", "NextToken"}, {"nextToken", "nextToken"},
		{"Marker", "Marker"}, {"NextMarker", "Marker"}, {"NextMarker", "NextMarker"},
		{"LastEvaluatedTableName", "ExclusiveStartTableName"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct str token = cfn_at(out, names[i][0]);
		if (!str_has(token) || !token.n) continue;
		cfn_put(in, a, names[i][1], token);
		return true;
	}
	return false;
}

/* A resource that a service tells of as gone or going is not listed. */
static bool is_there(const struct json_value *item)
{
	struct str state = str_or(cfn_at(item, "State"), str_or(cfn_at(item, "Status"), STR("")));
	return !str_is(state, "deleted") && !str_is(state, "deleting") && !str_is(state, "DELETED");
}

static void add(struct call *c, const struct cfn_type *type, const struct plan *plan, const struct json_value *item,
	struct cloudcontrol_resource_descriptions *out, size_t *capacity)
{
	struct arena *a = c->arena;
	struct str physical = plan->member.n ? json_scalar(cfn_path(item, plan->member)) : json_scalar(item);
	if (!str_has(physical) || !is_there(item)) return;
	/* Of an identifier of several parts, those that the service tells under the same name. */
	struct str identifier = physical;
	struct json_value *ids = cfn_object(a);
	if (type->n_ids > 1) {
		struct buf b = BUF_IN(a);
		for (size_t i = 0; i < type->n_ids; i++) {
			struct str part = json_scalar(cfn_path(item, type->ids[i]));
			if (i) buf_byte(&b, '|');
			buf_str(&b, str_or(part, physical));
		}
		identifier = buf_done(&b);
	}
	ids = cloudcontrol_id_properties(a, type, identifier);
	*VEC_PUSH(a, out, capacity) =
		(struct cloudcontrol_resource_description){.identifier = identifier, .properties = cfn_json(a, ids)};
}

status cloudcontrol_list_resources(struct call *c, const struct cloudcontrol_list_resources_input *in,
	struct cloudcontrol_list_resources_output *out)
{
	struct cfn_type type;
	const struct cfn_handler *handler;
	struct inside_caller who;
	struct plan plan;
	struct cloudcontrol_resource_descriptions all = {0};
	size_t capacity = 0;
	TRY(cloudcontrol_type(c, in->type_name, "LIST", &type, &handler));
	if (!plan_of(c->arena, in->type_name, &plan))
		return call_fail(c, CLOUDCONTROL_ERR_UNSUPPORTED_ACTION_EXCEPTION,
			"Resource type %.*s does not support LIST action", STR_ARG(in->type_name));
	TRY(cloudcontrol_who(c, in->role_arn, &who));
	struct json_value *ask = cfn_object(c->arena);
	if (str_is(plan.op, "ListPolicies")) cfn_put(ask, c->arena, "Scope", STR("Local"));
	for (unsigned pages = 0; pages < PAGES_MAX; pages++) {
		struct cfn_api_answer answer;
		cfn_api(c->cloud, &who, c->arena, str_z(c->arena, plan.service), str_z(c->arena, plan.op), ask,
			&answer);
		if (!answer.ok) {
			struct cfn_work w = {.code = answer.code, .why = answer.message};
			return cloudcontrol_fail_read(c, in->type_name, STR(""), STATUS(FAILED), &w);
		}
		const struct json_value *list = cfn_path(answer.out, plan.path);
		for (const struct json_value *i = list ? list->first : NULL; i; i = i->next)
			add(c, &type, &plan, i, &all, &capacity);
		if (!next_page(c->arena, answer.out, ask)) break;
	}
	uint64_t from = 0;
	size_t most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	if (str_has(in->next_token) && (!is_ok(str_to_u64(in->next_token, &from)) || from > all.n))
		return call_fail(c, CLOUDCONTROL_ERR_INVALID_REQUEST_EXCEPTION, "Invalid next token");
	out->type_name = in->type_name;
	size_t n = all.n - from < most ? all.n - from : most;
	VEC_PRESENT(c->arena, &out->resource_descriptions);
	if (n) out->resource_descriptions = (struct cloudcontrol_resource_descriptions){all.v + from, n};
	if (from + n < all.n) out->next_token = str_fmt(c->arena, "%zu", (size_t)from + n);
	return OK;
}
