/* What kind of event an operation makes: management or data, reading or writing, and under which name. Data events are
 * those of "Logging data events" (AWS CloudTrail User Guide) and of each service's page on logging with CloudTrail. */
#include "policy/authz.h"
#include "services/cloudtrail/room.h"
#include <stdlib.h>

struct data_rule {
	const char *service;
	enum ct_data type;
	const char *operations; /* separated by blanks */
};
static const struct data_rule data_rules[] = {
	{"s3", CT_S3_OBJECT,
		"AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject "
		"DeleteObjectTagging DeleteObjects GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold "
		"GetObjectRetention GetObjectTagging GetObjectTorrent HeadBucket HeadObject ListMultipartUploads "
		"ListObjectVersions ListObjects ListObjectsV2 ListParts PutObject PutObjectAcl PutObjectLegalHold "
		"PutObjectRetention PutObjectTagging RenameObject RestoreObject SelectObjectContent UploadPart "
		"UploadPartCopy WriteGetObjectResponse"},
	{"dynamodb", CT_DYNAMODB_TABLE,
		"BatchExecuteStatement BatchGetItem BatchWriteItem DeleteItem ExecuteStatement ExecuteTransaction "
		"GetItem PutItem Query Scan TransactGetItems TransactWriteItems UpdateItem"},
	{"dynamodbstreams", CT_DYNAMODB_STREAM, "GetRecords GetShardIterator"},
	{"sqs", CT_SQS_QUEUE,
		"ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch "
		"GetQueueAttributes GetQueueUrl ListDeadLetterSourceQueues ListQueueTags ListQueues ReceiveMessage "
		"SendMessage SendMessageBatch"},
	{"sns", CT_SNS_TOPIC, "Publish PublishBatch"},
	{"lambda", CT_LAMBDA_FUNCTION, "Invoke InvokeAsync InvokeWithResponseStream"},
	{"kinesis", CT_KINESIS_STREAM, "GetRecords GetShardIterator PutRecord PutRecords SubscribeToShard"},
	{"cloudwatch", CT_CLOUDWATCH_METRIC,
		"GetMetricData GetMetricStatistics GetMetricWidgetImage ListMetrics PutMetricData"},
	{"ebs", CT_EBS_SNAPSHOT, "GetSnapshotBlock ListChangedBlocks ListSnapshotBlocks PutSnapshotBlock"},
	{"xray", CT_XRAY_TRACE, "BatchGetTraces GetTraceSummaries PutTraceSegments"},
	{"cognito-identity", CT_COGNITO_POOL, "GetCredentialsForIdentity GetId GetOpenIdToken UnlinkIdentity"},
};

static const char *const data_types[CT_DATA_TYPES] = {
	[CT_MANAGEMENT] = "",
	[CT_S3_OBJECT] = "AWS::S3::Object",
	[CT_DYNAMODB_TABLE] = "AWS::DynamoDB::Table",
	[CT_DYNAMODB_STREAM] = "AWS::DynamoDB::Stream",
	[CT_SQS_QUEUE] = "AWS::SQS::Queue",
	[CT_SNS_TOPIC] = "AWS::SNS::Topic",
	[CT_LAMBDA_FUNCTION] = "AWS::Lambda::Function",
	[CT_KINESIS_STREAM] = "AWS::Kinesis::Stream",
	[CT_CLOUDWATCH_METRIC] = "AWS::CloudWatch::Metric",
	[CT_SSM_MESSAGES] = "AWS::SSMMessages::ControlChannel",
	[CT_EBS_SNAPSHOT] = "AWS::EC2::Snapshot",
	[CT_XRAY_TRACE] = "AWS::XRay::Trace",
	[CT_COGNITO_POOL] = "AWS::Cognito::IdentityPool",
};

struct str ct_data_type(enum ct_data d)
{
	return str_c(data_types[d]);
}

enum ct_data ct_data_named(struct str type)
{
	for (unsigned i = 1; i < CT_DATA_TYPES; i++)
		if (str_eq(type, str_c(data_types[i]))) return (enum ct_data)i;
	return CT_MANAGEMENT;
}

/* ── by operation ── */

struct ct_classes {
	size_t n;
	struct {
		const struct wire_service *service;
		struct ct_class *of; /* by operation index */
	} v[];
};

static bool names(const char *list, struct str op)
{
	struct str rest = str_c(list);
	while (str_has(rest))
		if (str_eq(str_cut(&rest, ' '), op)) return true;
	return false;
}

static enum ct_data data_of(const char *service, struct str op)
{
	for (size_t i = 0; i < sizeof(data_rules) / sizeof(*data_rules); i++)
		if (strcmp(data_rules[i].service, service) == 0 && names(data_rules[i].operations, op))
			return data_rules[i].type;
	return CT_MANAGEMENT;
}

/* The reference's access level tells it; KMS's cryptography and STS's credentials change nothing either ("Logging AWS
 * KMS API calls with AWS CloudTrail", "Logging IAM and AWS STS API calls with AWS CloudTrail": readOnly in the
 * examples). */
static bool reads(const char *service, struct str op)
{
	static const char *const verbs[] = {"Get", "List", "Describe", "Head", "BatchGet", "Lookup", "Query", "Scan",
		"Search", "Select", "Simulate", "Validate", "Check", "TransactGet", "Receive"};
	if (strcmp(service, "sts") == 0) return !str_is(op, "SetSecurityTokenServicePreferences");
	if (strcmp(service, "kms") == 0 &&
		names("Decrypt DeriveSharedSecret Encrypt GenerateDataKey GenerateDataKeyPair "
		      "GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GenerateRandom "
		      "ReEncrypt Sign Verify VerifyMac",
			op))
		return true;
	const struct authz_service *s = authz_find(str_c(service));
	const struct authz_action *a = s ? authz_find_action(s, op) : NULL;
	if (a) return a->level == AUTHZ_READ || a->level == AUTHZ_LIST;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (str_starts(op, str_c(verbs[i]))) return true;
	return false;
}

struct ct_classes *ct_classes_new(const struct cloud *cloud)
{
	struct ct_classes *c = mem_new(sizeof(*c) + cloud->n_services * sizeof(*c->v));
	c->n = cloud->n_services;
	for (size_t i = 0; i < c->n; i++) {
		const struct wire_service *s = cloud->services[i]->model;
		c->v[i].service = s;
		c->v[i].of = mem_new((s->tables.n_ops + 1) * sizeof(struct ct_class));
		for (uint32_t k = 0; k < s->tables.n_ops; k++) {
			struct str op = wire_str(&s->tables, s->tables.ops[k].name);
			/* "Logging Amazon CloudWatch Logs API calls": what is put into logs is no event of CloudTrail's. */
			bool untold = strcmp(s->name, "logs") == 0 && str_is(op, "PutLogEvents");
			c->v[i].of[k] = (struct ct_class){.data = (uint8_t)data_of(s->name, op),
				.read_only = reads(s->name, op),
				.known = !untold};
		}
	}
	return c;
}

void ct_classes_free(struct ct_classes *c)
{
	for (size_t i = 0; c && i < c->n; i++) free(c->v[i].of);
	free(c);
}

const struct ct_class *ct_class_of(const struct ct_classes *c, const struct wire_match *m)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].service == m->service)
			return c->v[i].of[m->op_index].known ? &c->v[i].of[m->op_index] : NULL;
	return NULL;
}

/* ── names ── */

struct str ct_event_source(struct arena *a, const struct wire_match *m)
{
	return str_fmt(a, "%s.amazonaws.com", m->service->signing_name);
}

/* Names of events that are not those of the operations: S3's are older than its API's ("Amazon S3 CloudTrail events"),
 * Lambda's tell the API's version ("Logging AWS Lambda API calls using AWS CloudTrail"). */
struct str ct_event_name(const struct wire_match *m)
{
	static const struct {
		const char *service, *operation, *event;
	} renamed[] = {
		{"s3", "ListObjectsV2", "ListObjects"},
		{"s3", "PutBucketLifecycleConfiguration", "PutBucketLifecycle"},
		{"s3", "GetBucketLifecycleConfiguration", "GetBucketLifecycle"},
		{"s3", "PutBucketNotificationConfiguration", "PutBucketNotification"},
		{"s3", "GetBucketNotificationConfiguration", "GetBucketNotification"},
		{"s3", "PutPublicAccessBlock", "PutBucketPublicAccessBlock"},
		{"s3", "GetPublicAccessBlock", "GetBucketPublicAccessBlock"},
		{"s3", "DeletePublicAccessBlock", "DeleteBucketPublicAccessBlock"},
		{"s3", "PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"},
		{"s3", "GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"},
		{"s3control", "PutPublicAccessBlock", "PutAccountPublicAccessBlock"},
		{"s3control", "GetPublicAccessBlock", "GetAccountPublicAccessBlock"},
		{"s3control", "DeletePublicAccessBlock", "DeleteAccountPublicAccessBlock"},
		{"lambda", "CreateFunction", "CreateFunction20150331"},
		{"lambda", "DeleteFunction", "DeleteFunction20150331"},
		{"lambda", "GetFunction", "GetFunction20150331v2"},
		{"lambda", "ListFunctions", "ListFunctions20150331"},
		{"lambda", "UpdateFunctionCode", "UpdateFunctionCode20150331v2"},
		{"lambda", "UpdateFunctionConfiguration", "UpdateFunctionConfiguration20150331v2"},
		{"lambda", "AddPermission", "AddPermission20150331v2"},
		{"lambda", "RemovePermission", "RemovePermission20150331v2"},
		{"lambda", "GetPolicy", "GetPolicy20150331v2"},
		{"lambda", "CreateEventSourceMapping", "CreateEventSourceMapping20150331"},
		{"lambda", "DeleteEventSourceMapping", "DeleteEventSourceMapping20150331"},
		{"lambda", "PublishVersion", "PublishVersion20150331"},
		{"lambda", "CreateAlias", "CreateAlias20150331"},
	};
	struct str op = wire_str(&m->service->tables, m->op->name);
	for (size_t i = 0; i < sizeof(renamed) / sizeof(*renamed); i++)
		if (strcmp(renamed[i].service, m->service->name) == 0 && str_eq(op, str_c(renamed[i].operation)))
			return str_c(renamed[i].event);
	return op;
}

bool ct_is_global(struct str signing_name)
{
	return names(
		"iam organizations cloudfront route53 route53domains support shield budgets ce cur sso-directory waf",
		signing_name);
}
