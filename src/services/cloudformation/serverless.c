/* AWS::Serverless-2016-10-31, as far as the services are there ("AWS SAM resources and properties", AWS SAM Developer
 * Guide): SimpleTable becomes a DynamoDB table, and a nested Application a stack. What needs Lambda, API Gateway or
 * Step Functions fails and says so. */
#include "services/cloudformation/internal.h"

static status refuse(struct arena *a, struct str *why, struct str resource, const char *what)
{
	*why = str_fmt(a,
		"Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification "
		"document. "
		"Number of errors found: 1. Resource with id [%.*s] is invalid. %s",
		STR_ARG(resource), what);
	return STATUS(INVALID);
}

/* SAM's and CloudFormation's attributes beside the properties stay. */
static struct json_value *renamed(
	struct arena *a, const struct json_value *r, const char *type, struct json_value *properties)
{
	struct json_value *to = cfn_object(a);
	for (const struct json_value *c = r->first; c; c = c->next)
		if (!str_is(c->name, "Type") && !str_is(c->name, "Properties")) cfn_append(to, c->name, cfn_copy(a, c));
	cfn_put(to, a, "Type", str_c(type));
	cfn_append(to, STR("Properties"), properties);
	return to;
}

/* A map of tags as CloudFormation's list. */
static void put_tags(struct arena *a, struct json_value *properties, const struct json_value *tags)
{
	struct json_value *list = cfn_list(a);
	for (const struct json_value *t = tags ? tags->first : NULL; t; t = t->next) {
		struct json_value *tag = cfn_one(a, "Key", t->name);
		cfn_put_value(tag, a, "Value", t);
		cfn_append(list, STR_NONE, tag);
	}
	if (list->length) cfn_append(properties, STR("Tags"), list);
}

/* "AWS::Serverless::SimpleTable": a table with one key, on demand unless it has a throughput. */
static status simple_table(struct arena *a, const struct json_value *r, struct json_value **out, struct str *why)
{
	static const char *const known[] = {"PointInTimeRecoverySpecification", "PrimaryKey", "ProvisionedThroughput",
		"SSESpecification", "TableName", "Tags"};
	const struct json_value *p = json_member(r, STR("Properties"));
	struct json_value *to = cfn_object(a), *keys = cfn_list(a), *attributes = cfn_list(a);
	for (const struct json_value *c = p ? p->first : NULL; c; c = c->next) {
		bool found = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) found |= str_eq(c->name, str_c(known[i]));
		if (!found)
			return refuse(a, why, r->name,
				"A property is not defined for resource of type AWS::Serverless::SimpleTable");
	}
	struct str name = str_or(cfn_at(p, "PrimaryKey.Name"), STR("id")),
		   kind = str_or(cfn_at(p, "PrimaryKey.Type"), STR("String"));
	const char *type = str_is(kind, "String")   ? "S"
			   : str_is(kind, "Number") ? "N"
			   : str_is(kind, "Binary") ? "B"
						    : NULL;
	if (!type) return refuse(a, why, r->name, "Invalid 'PrimaryKey'.'Type': String, Number or Binary.");
	struct json_value *key = cfn_one(a, "AttributeName", name), *attribute = cfn_one(a, "AttributeName", name);
	cfn_append(keys, STR_NONE, cfn_put(key, a, "KeyType", STR("HASH")));
	cfn_append(attributes, STR_NONE, cfn_put(attribute, a, "AttributeType", str_c(type)));
	cfn_append(to, STR("AttributeDefinitions"), attributes);
	cfn_append(to, STR("KeySchema"), keys);
	cfn_put_value(to, a, "TableName", json_member(p, STR("TableName")));
	cfn_put_value(to, a, "SSESpecification", json_member(p, STR("SSESpecification")));
	cfn_put_value(
		to, a, "PointInTimeRecoverySpecification", json_member(p, STR("PointInTimeRecoverySpecification")));
	const struct json_value *throughput = json_member(p, STR("ProvisionedThroughput"));
	if (throughput)
		cfn_put_value(to, a, "ProvisionedThroughput", throughput);
	else
		cfn_put(to, a, "BillingMode", STR("PAY_PER_REQUEST"));
	put_tags(a, to, json_member(p, STR("Tags")));
	*out = renamed(a, r, "AWS::DynamoDB::Table", to);
	return OK;
}

/* "AWS::Serverless::Application" with its template in S3. */
static status application(struct arena *a, const struct json_value *r, struct json_value **out, struct str *why)
{
	const struct json_value *p = json_member(r, STR("Properties")), *location = json_member(p, STR("Location"));
	if (!location || location->type == JSON_IS_OBJECT)
		return refuse(a, why, r->name, "virga does not have the AWS Serverless Application Repository.");
	struct json_value *to = cfn_object(a);
	cfn_put_value(to, a, "TemplateURL", location);
	cfn_put_value(to, a, "Parameters", json_member(p, STR("Parameters")));
	cfn_put_value(to, a, "NotificationARNs", json_member(p, STR("NotificationARNs")));
	cfn_put_value(to, a, "TimeoutInMinutes", json_member(p, STR("TimeoutInMinutes")));
	put_tags(a, to, json_member(p, STR("Tags")));
	*out = renamed(a, r, "AWS::CloudFormation::Stack", to);
	return OK;
}

status cfn_serverless(struct arena *a, struct cfn_template *t, struct str *why)
{
	struct json_value *root = cfn_object(a), *resources = cfn_object(a);
	for (const struct json_value *r = t->resources->first; r; r = r->next) {
		struct str type = json_string(json_member(r, STR("Type")));
		struct json_value *to = cfn_copy(a, r);
		if (str_is(type, "AWS::Serverless::SimpleTable"))
			TRY(simple_table(a, r, &to, why));
		else if (str_is(type, "AWS::Serverless::Application"))
			TRY(application(a, r, &to, why));
		else if (str_is(type, "AWS::Serverless::Function") || str_is(type, "AWS::Serverless::LayerVersion"))
			return refuse(a, why, r->name, "virga does not have AWS Lambda.");
		else if (str_is(type, "AWS::Serverless::Api") || str_is(type, "AWS::Serverless::HttpApi"))
			return refuse(a, why, r->name, "virga does not have Amazon API Gateway.");
		else if (str_is(type, "AWS::Serverless::StateMachine"))
			return refuse(a, why, r->name, "virga does not have AWS Step Functions.");
		else if (str_starts(type, STR("AWS::Serverless::")))
			return refuse(a, why, r->name, "virga does not expand resources of this type.");
		cfn_append(resources, r->name, to);
	}
	for (const struct json_value *c = t->root->first; c; c = c->next)
		if (!str_is(c->name, "Resources") && !str_is(c->name, "Globals"))
			cfn_append(root, c->name, cfn_copy(a, c));
	cfn_append(root, STR("Resources"), resources);
	return cfn_template_take(a, root, t, why);
}
