/* Every service at once: their headers live together, and their tables keep the promises of wire/desc.h. */
#include "accessanalyzer.h"
#include "acm.h"
#include "apigateway.h"
#include "apigatewayv2.h"
#include "application-autoscaling.h"
#include "athena.h"
#include "autoscaling.h"
#include "backup.h"
#include "batch.h"
#include "budgets.h"
#include "ce.h"
#include "cloudcontrol.h"
#include "cloudformation.h"
#include "cloudfront.h"
#include "cloudhsmv2.h"
#include "cloudtrail.h"
#include "cloudwatch.h"
#include "codebuild.h"
#include "codecommit.h"
#include "codedeploy.h"
#include "codepipeline.h"
#include "cognito-identity.h"
#include "cognito-idp.h"
#include "compute-optimizer.h"
#include "config.h"
#include "cur.h"
#include "dax.h"
#include "directconnect.h"
#include "dlm.h"
#include "dynamodb.h"
#include "dynamodbstreams.h"
#include "ebs.h"
#include "ec2.h"
#include "ecr.h"
#include "ecs.h"
#include "efs.h"
#include "eks.h"
#include "elasticache.h"
#include "elb.h"
#include "elbv2.h"
#include "emr.h"
#include "events.h"
#include "firehose.h"
#include "fis.h"
#include "globalaccelerator.h"
#include "glue.h"
#include "guardduty.h"
#include "iam.h"
#include "identitystore.h"
#include "inspector2.h"
#include "kinesis.h"
#include "kms.h"
#include "lambda.h"
#include "logs.h"
#include "macie2.h"
#include "opensearch.h"
#include "organizations.h"
#include "rds.h"
#include "redshift.h"
#include "resource-groups.h"
#include "resourcegroupstaggingapi.h"
#include "route53.h"
#include "route53domains.h"
#include "route53resolver.h"
#include "s3.h"
#include "s3control.h"
#include "scheduler.h"
#include "secretsmanager.h"
#include "securityhub.h"
#include "servicediscovery.h"
#include "shield.h"
#include "sns.h"
#include "sqs.h"
#include "ssm.h"
#include "sso-admin.h"
#include "stepfunctions.h"
#include "sts.h"
#include "support.h"
#include "synthetics.h"
#include "wafv2.h"
#include "xray.h"
#include "test.h"

/* A forgotten include above fails here. */
enum { SERVICES = 85 };

TEST(services_are_sorted)
{
	CHECK(wire_services_length == SERVICES);
	for (size_t i = 1; i < wire_services_length; i++)
		CHECK(strcmp(wire_services[i - 1]->name, wire_services[i]->name) < 0);
}

/* Offsets and counts stay inside; every index resolves. */
static void check_shape(const struct wire_tables *t, const struct wire_shape *s)
{
	CHECK(s->first + s->count <= t->n_members);
	CHECK(s->payload <= s->count);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		CHECK(m->shape < t->n_shapes);
		CHECK(m->offset < s->size || s->size == 0);
		if (s->kind == WIRE_STRUCT && i) CHECK(m->offset > m[-1].offset);
	}
	if (s->kind == WIRE_LIST) CHECK(s->count == 1);
	if (s->kind == WIRE_MAP) CHECK(s->count == 2 && t->members[s->first + 1].offset == 16);
	CHECK((s->by_name != 0) == (s->kind == WIRE_STRUCT && s->count > 8));
	for (uint32_t i = 1; s->by_name && i < s->count; i++) {
		const uint16_t *run = t->sorted + s->by_name - 1;
		struct str before = wire_str(t, t->members[s->first + run[i - 1]].wire_name);
		struct str after = wire_str(t, t->members[s->first + run[i]].wire_name);
		CHECK(str_cmp(before, after) <= 0);
	}
	if (s->flags & WIRE_S_EXCEPTION) CHECK(s->error && t->errors[s->error - 1].name == s->name);
}

TEST(tables_hold_together)
{
	size_t ops = 0;
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_tables *t = &wire_services[i]->tables;
		CHECK(wire_services[i]->protocols & wire_services[i]->protocol);
		CHECK(wire_services[i]->signing_name && wire_services[i]->endpoint_prefix && wire_services[i]->api_version);
		for (uint32_t j = 0; j < t->n_shapes; j++) check_shape(t, &t->shapes[j]);
		for (uint32_t j = 0; j < t->n_ops; j++) {
			const struct wire_op *op = &t->ops[j];
			CHECK(op->in == WIRE_NO_SHAPE || t->shapes[op->in].kind == WIRE_STRUCT);
			CHECK(op->out == WIRE_NO_SHAPE || t->shapes[op->out].kind == WIRE_STRUCT);
			for (uint32_t k = 0; k < op->errors_count; k++) CHECK(t->op_errors[op->errors_first + k] < t->n_errors);
			if (j) CHECK(str_cmp(wire_str(t, op[-1].name), wire_str(t, op->name)) < 0);
		}
		ops += t->n_ops;
	}
	CHECK(ops > 5000);
}

/* Facts of the API models, sampled where the wire depends on them. */
TEST(facts_of_s3)
{
	const struct wire_tables *t = &wire_service_s3.tables;
	const struct wire_op *op = &t->ops[S3_OP_PUT_OBJECT];
	CHECK_STR(wire_str(t, op->uri), STR("/{Bucket}/{Key+}"));
	CHECK(op->method == WIRE_PUT && op->checksum == 1 && (op->flags & WIRE_O_STREAM_IN));
	const struct wire_shape *in = &t->shapes[op->in];
	CHECK(in->size == sizeof(struct s3_put_object_input));
	const struct wire_member *body = &t->members[in->first + in->payload - 1];
	CHECK(body->offset == offsetof(struct s3_put_object_input, body) && t->shapes[body->shape].kind == WIRE_STREAM);
	CHECK(t->errors[S3_ERR_NO_SUCH_BUCKET - 256].status == 404 && t->errors[S3_ERR_INVALID_RANGE - 256].status == 416);
	CHECK(t->ops[S3_OP_DELETE_OBJECT].response_code == 204);
	CHECK(t->shapes[S3_SHAPE_METADATA].size == sizeof(struct s3_metadata_entry));
}

TEST(facts_of_sqs)
{
	const struct wire_tables *t = &wire_service_sqs.tables;
	const struct wire_error *e = &t->errors[SQS_ERR_QUEUE_DOES_NOT_EXIST - 256];
	CHECK(wire_service_sqs.query_compatible && wire_service_sqs.protocol == WIRE_JSON10);
	CHECK(wire_service_sqs.protocols == (WIRE_JSON10 | WIRE_QUERY));
	CHECK_STR(wire_str(t, e->code), STR("QueueDoesNotExist"));
	CHECK_STR(wire_str(t, e->query_code), STR("AWS.SimpleQueueService.NonExistentQueue"));
	CHECK_STR(wire_str(t, t->ops[SQS_OP_CREATE_QUEUE].result_wrapper), STR("CreateQueueResult"));
	const struct wire_shape *in = &t->shapes[t->ops[SQS_OP_CREATE_QUEUE].in];
	const struct wire_member *m = &t->members[in->first + 1];
	CHECK_STR(wire_str(t, m->wire_name), STR("Attributes"));
	CHECK_STR(wire_str(t, t->extras[m->bits >> WIRE_M_EXTRA].query_name), STR("Attribute"));
}

TEST(recursion_is_marked)
{
	CHECK(wire_service_dynamodb.tables.shapes[DYNAMODB_SHAPE_ATTRIBUTE_VALUE].flags & WIRE_S_RECURSIVE);
	CHECK(!(wire_service_dynamodb.tables.shapes[DYNAMODB_SHAPE_PUT_ITEM_INPUT].flags & WIRE_S_RECURSIVE));
}

TEST_MAIN()
