/* AWS managed policies: the common ones, by the documents of the AWS Managed Policy Reference Guide. ReadOnlyAccess lists
 * thousands of actions there; here it allows the read and list actions by their names' beginnings, and leaves out those that
 * read contents which AWS's leaves out too (secrets' values). */
#include "services/iam/managed.h"

/* A row is a policy; the formatter would cut its document into crumbs. */
/* clang-format off */
#define V "{\"Version\":\"2012-10-17\",\"Statement\":["
#define ALL(...) V "{\"Effect\":\"Allow\",\"Action\":[" __VA_ARGS__ "],\"Resource\":\"*\"}]}"
#define RO(prefix) "\"" prefix ":Describe*\",\"" prefix ":List*\","
#define DATE INT64_C(1423159201000) /* when most of them were made: 2015-02-05 */
#define POLICY(name_, path_, id_, document_)                                                                           \
	{.name = {name_, sizeof(name_) - 1}, .path = {path_, sizeof(path_) - 1}, .id = {id_, sizeof(id_) - 1},         \
		.document = {document_, sizeof(document_) - 1}, .description = {"", 0}, .created_ms = DATE}

/* In order of path, then of name: pages walk it so. */
const struct iam_managed iam_managed_policies[] = {
	POLICY("AWSCloudFormationReadOnlyAccess", "/", "ANPAJWVBEE4I2POWLODLW",
		ALL("\"cloudformation:Describe*\",\"cloudformation:EstimateTemplateCost\",\"cloudformation:Get*\","
		    "\"cloudformation:List*\",\"cloudformation:ValidateTemplate\",\"cloudformation:Detect*\"")),
	POLICY("AWSKeyManagementServicePowerUser", "/", "ANPAJNPP7PPPPMJRV2SA4",
		ALL("\"kms:CreateAlias\",\"kms:CreateKey\",\"kms:DeleteAlias\",\"kms:Describe*\",\"kms:GenerateRandom\",\"kms:Get*\","
		    "\"kms:List*\",\"kms:TagResource\",\"kms:UntagResource\",\"iam:ListGroups\",\"iam:ListRoles\",\"iam:ListUsers\"")),
	POLICY("AWSLambda_FullAccess", "/", "ANPAIK2TLIYSSGFF7MQWB",
		ALL("\"cloudformation:DescribeStacks\",\"cloudformation:ListStackResources\",\"cloudwatch:ListMetrics\","
		    "\"cloudwatch:GetMetricData\",\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\","
		    "\"kms:ListAliases\",\"iam:GetPolicy\",\"iam:GetPolicyVersion\",\"iam:GetRole\",\"iam:GetRolePolicy\","
		    "\"iam:ListAttachedRolePolicies\",\"iam:ListRolePolicies\",\"iam:ListRoles\",\"lambda:*\",\"logs:DescribeLogGroups\","
		    "\"states:DescribeStateMachine\",\"states:ListStateMachines\",\"tag:GetResources\",\"xray:GetTraceSummaries\","
		    "\"xray:BatchGetTraces\"")),
	POLICY("AWSLambda_ReadOnlyAccess", "/", "ANPAIRHKMF7MQWBTLIYSS",
		ALL("\"cloudwatch:GetMetricData\",\"cloudwatch:ListMetrics\",\"iam:ListRoles\",\"kms:ListAliases\",\"lambda:Get*\","
		    "\"lambda:List*\",\"logs:DescribeLogGroups\",\"logs:StartLiveTail\",\"tag:GetResources\"")),
	POLICY("AWSStepFunctionsFullAccess", "/", "ANPAJXKA6VP3UFBVHDPPA", ALL("\"states:*\"")),
	POLICY("AdministratorAccess", "/", "ANPAIWMBCKSKIEE64ZLYK", V "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"),
	POLICY("AmazonDynamoDBFullAccess", "/", "ANPAINUGF2JSOSUY76KYA",
		ALL("\"dynamodb:*\",\"dax:*\",\"application-autoscaling:DeleteScalingPolicy\","
		    "\"application-autoscaling:DeregisterScalableTarget\",\"application-autoscaling:DescribeScalableTargets\","
		    "\"application-autoscaling:DescribeScalingActivities\",\"application-autoscaling:DescribeScalingPolicies\","
		    "\"application-autoscaling:PutScalingPolicy\",\"application-autoscaling:RegisterScalableTarget\","
		    "\"cloudwatch:DeleteAlarms\",\"cloudwatch:DescribeAlarmHistory\",\"cloudwatch:DescribeAlarms\","
		    "\"cloudwatch:DescribeAlarmsForMetric\",\"cloudwatch:GetMetricStatistics\",\"cloudwatch:ListMetrics\","
		    "\"cloudwatch:PutMetricAlarm\",\"cloudwatch:GetMetricData\",\"ec2:DescribeVpcs\",\"ec2:DescribeSubnets\","
		    "\"ec2:DescribeSecurityGroups\",\"iam:GetRole\",\"iam:ListRoles\",\"kms:DescribeKey\",\"kms:ListAliases\","
		    "\"sns:CreateTopic\",\"sns:DeleteTopic\",\"sns:ListSubscriptions\",\"sns:ListSubscriptionsByTopic\","
		    "\"sns:ListTopics\",\"sns:Subscribe\",\"sns:Unsubscribe\",\"sns:SetTopicAttributes\",\"tag:GetResources\"")),
	POLICY("AmazonDynamoDBReadOnlyAccess", "/", "ANPAIY2XFNA232XJ6J7X2",
		ALL("\"application-autoscaling:DescribeScalableTargets\",\"application-autoscaling:DescribeScalingActivities\","
		    "\"application-autoscaling:DescribeScalingPolicies\",\"cloudwatch:DescribeAlarmHistory\","
		    "\"cloudwatch:DescribeAlarms\",\"cloudwatch:DescribeAlarmsForMetric\",\"cloudwatch:GetMetricStatistics\","
		    "\"cloudwatch:ListMetrics\",\"cloudwatch:GetMetricData\",\"dynamodb:BatchGetItem\",\"dynamodb:Describe*\","
		    "\"dynamodb:List*\",\"dynamodb:GetAbacStatus\",\"dynamodb:GetItem\",\"dynamodb:GetResourcePolicy\",\"dynamodb:Query\","
		    "\"dynamodb:Scan\",\"dynamodb:PartiQLSelect\",\"dax:Describe*\",\"dax:List*\",\"dax:GetItem\",\"dax:BatchGetItem\","
		    "\"dax:Query\",\"dax:Scan\",\"ec2:DescribeVpcs\",\"ec2:DescribeSubnets\",\"ec2:DescribeSecurityGroups\","
		    "\"iam:GetRole\",\"iam:ListRoles\",\"kms:DescribeKey\",\"kms:ListAliases\",\"sns:ListSubscriptionsByTopic\","
		    "\"sns:ListTopics\",\"tag:GetResources\"")),
	POLICY("AmazonEC2ContainerRegistryReadOnly", "/", "ANPAIFYZPA37OOHVIH7KQ",
		ALL("\"ecr:GetAuthorizationToken\",\"ecr:BatchCheckLayerAvailability\",\"ecr:GetDownloadUrlForLayer\","
		    "\"ecr:GetRepositoryPolicy\",\"ecr:DescribeRepositories\",\"ecr:ListImages\",\"ecr:DescribeImages\","
		    "\"ecr:BatchGetImage\",\"ecr:GetLifecyclePolicy\",\"ecr:GetLifecyclePolicyPreview\",\"ecr:ListTagsForResource\","
		    "\"ecr:DescribeImageScanFindings\"")),
	POLICY("AmazonEC2FullAccess", "/", "ANPAI3VAJF5ZCRZ7MCQE6",
		ALL("\"ec2:*\",\"elasticloadbalancing:*\",\"cloudwatch:*\",\"autoscaling:*\"")),
	POLICY("AmazonEC2ReadOnlyAccess", "/", "ANPAIGDT4SV4GSETWTBZK",
		ALL("\"ec2:Describe*\",\"ec2:GetSecurityGroupsForVpc\",\"elasticloadbalancing:Describe*\",\"cloudwatch:ListMetrics\","
		    "\"cloudwatch:GetMetricStatistics\",\"cloudwatch:Describe*\",\"autoscaling:Describe*\"")),
	POLICY("AmazonKinesisFullAccess", "/", "ANPAIVF32HAMOXCUYRAYE", ALL("\"kinesis:*\"")),
	POLICY("AmazonKinesisReadOnlyAccess", "/", "ANPAIOCMTDT5RLKZ2CAJO", ALL("\"kinesis:Get*\",\"kinesis:List*\",\"kinesis:Describe*\"")),
	POLICY("AmazonRDSReadOnlyAccess", "/", "ANPAJKTTTYV2IIHKLZ346",
		ALL("\"rds:Describe*\",\"rds:ListTagsForResource\",\"ec2:DescribeAccountAttributes\",\"ec2:DescribeAvailabilityZones\","
		    "\"ec2:DescribeInternetGateways\",\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcAttribute\","
		    "\"ec2:DescribeVpcs\",\"cloudwatch:GetMetricStatistics\",\"cloudwatch:ListMetrics\",\"cloudwatch:GetMetricData\","
		    "\"logs:DescribeLogStreams\",\"logs:GetLogEvents\"")),
	POLICY("AmazonS3FullAccess", "/", "ANPAIFIR6V6BVTRAHWINE", ALL("\"s3:*\",\"s3-object-lambda:*\"")),
	POLICY("AmazonS3ReadOnlyAccess", "/", "ANPAIZTJ4DXE7G6AGAE6M",
		ALL("\"s3:Get*\",\"s3:List*\",\"s3:Describe*\",\"s3-object-lambda:Get*\",\"s3-object-lambda:List*\"")),
	POLICY("AmazonSNSFullAccess", "/", "ANPAJWEKLCXXUNT2SOLSG", ALL("\"sns:*\"")),
	POLICY("AmazonSNSReadOnlyAccess", "/", "ANPAIZGQCQTFOFPMHSB6W",
		ALL("\"sns:GetTopicAttributes\",\"sns:List*\",\"sns:CheckIfPhoneNumberIsOptedOut\",\"sns:GetEndpointAttributes\","
		    "\"sns:GetDataProtectionPolicy\",\"sns:GetPlatformApplicationAttributes\",\"sns:GetSMSAttributes\","
		    "\"sns:GetSMSSandboxAccountStatus\",\"sns:GetSubscriptionAttributes\"")),
	POLICY("AmazonSQSFullAccess", "/", "ANPAI65L554VRJ33ECQS6", ALL("\"sqs:*\"")),
	POLICY("AmazonSQSReadOnlyAccess", "/", "ANPAIUGSSQY362XGCM6KW",
		ALL("\"sqs:GetQueueAttributes\",\"sqs:GetQueueUrl\",\"sqs:ListDeadLetterSourceQueues\",\"sqs:ListQueues\","
		    "\"sqs:ListMessageMoveTasks\",\"sqs:ListQueueTags\"")),
	POLICY("AmazonSSMManagedInstanceCore", "/", "ANPAIXSHM2BNB2D3AXXRU",
		ALL("\"ssm:DescribeAssociation\",\"ssm:GetDeployablePatchSnapshotForInstance\",\"ssm:GetDocument\",\"ssm:DescribeDocument\","
		    "\"ssm:GetManifest\",\"ssm:GetParameter\",\"ssm:GetParameters\",\"ssm:ListAssociations\",\"ssm:ListInstanceAssociations\","
		    "\"ssm:PutInventory\",\"ssm:PutComplianceItems\",\"ssm:PutConfigurePackageResult\",\"ssm:UpdateAssociationStatus\","
		    "\"ssm:UpdateInstanceAssociationStatus\",\"ssm:UpdateInstanceInformation\",\"ssmmessages:CreateControlChannel\","
		    "\"ssmmessages:CreateDataChannel\",\"ssmmessages:OpenControlChannel\",\"ssmmessages:OpenDataChannel\","
		    "\"ec2messages:AcknowledgeMessage\",\"ec2messages:DeleteMessage\",\"ec2messages:FailMessage\","
		    "\"ec2messages:GetEndpoint\",\"ec2messages:GetMessages\",\"ec2messages:SendReply\"")),
	POLICY("AmazonSSMReadOnlyAccess", "/", "ANPAJODSKQGGJTHRYZ5FC", ALL("\"ssm:Describe*\",\"ssm:Get*\",\"ssm:List*\"")),
	POLICY("CloudWatchFullAccess", "/", "ANPAIKEABORKUXN6DEAZU",
		V "{\"Effect\":\"Allow\",\"Action\":[\"autoscaling:Describe*\",\"cloudwatch:*\",\"logs:*\",\"sns:*\",\"iam:GetPolicy\","
		  "\"iam:GetPolicyVersion\",\"iam:GetRole\",\"oam:ListSinks\"],\"Resource\":\"*\"},"
		  "{\"Effect\":\"Allow\",\"Action\":\"iam:CreateServiceLinkedRole\",\"Resource\":"
		  "\"arn:aws:iam::*:role/aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents*\","
		  "\"Condition\":{\"StringLike\":{\"iam:AWSServiceName\":\"events.amazonaws.com\"}}}]}"),
	POLICY("CloudWatchLogsFullAccess", "/", "ANPAJ3ZGNWK2R5HW5BQFO", ALL("\"logs:*\",\"cloudwatch:GenerateQuery\"")),
	POLICY("CloudWatchLogsReadOnlyAccess", "/", "ANPAJ2YIYDYSNNEHK3VKW",
		ALL("\"logs:Describe*\",\"logs:Get*\",\"logs:List*\",\"logs:StartQuery\",\"logs:StopQuery\",\"logs:TestMetricFilter\","
		    "\"logs:FilterLogEvents\",\"logs:StartLiveTail\",\"logs:StopLiveTail\",\"cloudwatch:GenerateQuery\"")),
	POLICY("CloudWatchReadOnlyAccess", "/", "ANPAJN23PDQP7SZQAE3QE",
		ALL("\"application-autoscaling:DescribeScalingPolicies\",\"autoscaling:Describe*\",\"cloudwatch:BatchGet*\","
		    "\"cloudwatch:Describe*\",\"cloudwatch:GenerateQuery\",\"cloudwatch:Get*\",\"cloudwatch:List*\",\"logs:Get*\","
		    "\"logs:List*\",\"logs:StartQuery\",\"logs:StopQuery\",\"logs:Describe*\",\"logs:TestMetricFilter\","
		    "\"logs:FilterLogEvents\",\"sns:Get*\",\"sns:List*\"")),
	POLICY("IAMFullAccess", "/", "ANPAI7XKCFMBPM3QQRRVQ",
		ALL("\"iam:*\",\"organizations:DescribeAccount\",\"organizations:DescribeOrganization\","
		    "\"organizations:DescribeOrganizationalUnit\",\"organizations:DescribePolicy\",\"organizations:ListChildren\","
		    "\"organizations:ListParents\",\"organizations:ListPoliciesForTarget\",\"organizations:ListRoots\","
		    "\"organizations:ListPolicies\",\"organizations:ListTargetsForPolicy\"")),
	POLICY("IAMReadOnlyAccess", "/", "ANPAJKSO7NDY4T57MWDSQ",
		ALL("\"iam:GenerateCredentialReport\",\"iam:GenerateServiceLastAccessedDetails\",\"iam:Get*\",\"iam:List*\","
		    "\"iam:SimulateCustomPolicy\",\"iam:SimulatePrincipalPolicy\"")),
	POLICY("IAMUserChangePassword", "/", "ANPAJ4L4MM2A7QIEB56MS",
		V "{\"Effect\":\"Allow\",\"Action\":[\"iam:ChangePassword\"],\"Resource\":[\"arn:aws:iam::*:user/${aws:username}\"]},"
		  "{\"Effect\":\"Allow\",\"Action\":[\"iam:GetAccountPasswordPolicy\"],\"Resource\":\"*\"}]}"),
	POLICY("PowerUserAccess", "/", "ANPAJYRXTHIB4FOVS3ZXS",
		V "{\"Effect\":\"Allow\",\"NotAction\":[\"iam:*\",\"organizations:*\",\"account:*\"],\"Resource\":\"*\"},"
		  "{\"Effect\":\"Allow\",\"Action\":[\"account:GetAccountInformation\",\"account:GetPrimaryEmail\","
		  "\"account:ListRegions\",\"iam:CreateServiceLinkedRole\",\"iam:DeleteServiceLinkedRole\",\"iam:ListRoles\","
		  "\"organizations:DescribeOrganization\"],\"Resource\":\"*\"}]}"),
	POLICY("ReadOnlyAccess", "/", "ANPAILL3HVNFSB6DCOWYQ",
		V "{\"Effect\":\"Allow\",\"Action\":["
		  RO("access-analyzer") RO("acm") RO("apigateway") RO("application-autoscaling") RO("athena")
		  RO("autoscaling") RO("backup") RO("batch") RO("budgets") RO("ce") RO("cloudformation") RO("cloudfront")
		  RO("cloudhsm") RO("cloudtrail") RO("cloudwatch") RO("codebuild") RO("codecommit") RO("codedeploy")
		  RO("codepipeline") RO("cognito-identity") RO("cognito-idp") RO("compute-optimizer") RO("config") RO("cur")
		  RO("dax") RO("directconnect") RO("dlm") RO("dynamodb") RO("ec2") RO("ecr") RO("ecs") RO("eks")
		  RO("elasticache") RO("elasticfilesystem") RO("elasticloadbalancing") RO("elasticmapreduce") RO("es")
		  RO("events") RO("firehose") RO("fis") RO("globalaccelerator") RO("glue") RO("guardduty") RO("health")
		  RO("iam") RO("identitystore") RO("inspector2") RO("kafka") RO("kinesis") RO("kms") RO("lambda") RO("logs")
		  RO("macie2") RO("organizations") RO("pipes") RO("rds") RO("redshift") RO("resource-groups") RO("route53")
		  RO("route53domains") RO("route53resolver") RO("s3") RO("s3-object-lambda") RO("scheduler")
		  RO("secretsmanager") RO("securityhub") RO("servicediscovery") RO("shield") RO("sns") RO("sqs") RO("ssm")
		  RO("sso") RO("states") RO("storagegateway") RO("support") RO("synthetics") RO("tag") RO("wafv2") RO("xray")
		  "\"access-analyzer:Get*\",\"access-analyzer:Validate*\","
		  "\"acm:Get*\",\"apigateway:GET\",\"appconfig:Get*\",\"application-autoscaling:Get*\",\"athena:BatchGet*\",\"athena:Get*\","
		  "\"autoscaling:Get*\",\"backup:Get*\",\"batch:Get*\",\"budgets:View*\",\"ce:Get*\",\"cloudformation:Detect*\","
		  "\"cloudformation:Estimate*\",\"cloudformation:Get*\",\"cloudfront:Get*\",\"cloudtrail:Get*\",\"cloudtrail:LookupEvents\","
		  "\"cloudwatch:Get*\",\"codebuild:BatchGet*\",\"codecommit:BatchGet*\",\"codecommit:Get*\",\"codecommit:GitPull\","
		  "\"codedeploy:BatchGet*\",\"codedeploy:Get*\",\"codepipeline:Get*\",\"cognito-identity:GetIdentityPoolRoles\","
		  "\"cognito-idp:AdminGet*\",\"cognito-idp:Get*\",\"compute-optimizer:Get*\",\"config:BatchGet*\",\"config:Get*\","
		  "\"config:SelectResourceConfig\",\"dax:BatchGetItem\",\"dax:GetItem\",\"dax:Query\",\"dax:Scan\",\"dlm:Get*\","
		  "\"dynamodb:BatchGet*\",\"dynamodb:Get*\",\"dynamodb:PartiQLSelect\",\"dynamodb:Query\",\"dynamodb:Scan\",\"ec2:Get*\","
		  "\"ec2:SearchLocalGatewayRoutes\",\"ec2:SearchTransitGatewayRoutes\",\"ecr:BatchCheck*\",\"ecr:BatchGet*\",\"ecr:Get*\","
		  "\"eks:AccessKubernetesApi\",\"elasticmapreduce:Get*\",\"elasticmapreduce:View*\",\"es:ESHttpGet\",\"es:ESHttpHead\","
		  "\"es:Get*\",\"events:TestEventPattern\",\"firehose:Get*\",\"fis:Get*\",\"glue:BatchGet*\",\"glue:Get*\",\"glue:Search*\","
		  "\"guardduty:Get*\",\"iam:Generate*\",\"iam:Get*\",\"iam:Simulate*\",\"identitystore:Get*\",\"inspector2:BatchGet*\","
		  "\"inspector2:Get*\",\"inspector2:Search*\",\"kinesis:Get*\",\"kms:Get*\",\"lambda:Get*\",\"logs:FilterLogEvents\","
		  "\"logs:Get*\",\"logs:StartQuery\",\"logs:StopQuery\",\"logs:TestMetricFilter\",\"macie2:Get*\",\"pipes:Get*\","
		  "\"rds:Download*\",\"redshift:Get*\",\"redshift:View*\",\"resource-groups:Get*\",\"resource-groups:Search*\","
		  "\"route53:Get*\",\"route53:Test*\",\"route53domains:Check*\",\"route53domains:Get*\",\"route53domains:View*\","
		  "\"route53resolver:Get*\",\"s3-object-lambda:Get*\",\"s3:Get*\",\"scheduler:Get*\",\"secretsmanager:GetResourcePolicy\","
		  "\"securityhub:BatchGet*\",\"securityhub:Get*\",\"servicediscovery:Get*\",\"servicediscovery:DiscoverInstances\","
		  "\"shield:Get*\",\"sns:Check*\",\"sns:Get*\",\"sqs:Get*\",\"ssm:Get*\",\"sso:Get*\",\"sso:Search*\",\"states:GetExecutionHistory\","
		  "\"sts:GetAccessKeyInfo\",\"sts:GetCallerIdentity\",\"sts:GetSessionToken\",\"synthetics:Get*\",\"tag:Get*\","
		  "\"wafv2:CheckCapacity\",\"wafv2:Get*\",\"xray:BatchGet*\",\"xray:Get*\"],\"Resource\":\"*\"}]}"),
	POLICY("SecretsManagerReadWrite", "/", "ANPAI3VG7CI5BIQZQ6G2E",
		V "{\"Effect\":\"Allow\",\"Action\":[\"secretsmanager:*\",\"cloudformation:CreateChangeSet\","
		  "\"cloudformation:DescribeChangeSet\",\"cloudformation:DescribeStackResource\",\"cloudformation:DescribeStacks\","
		  "\"cloudformation:ExecuteChangeSet\",\"docdb-elastic:GetCluster\",\"docdb-elastic:ListClusters\","
		  "\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\",\"kms:DescribeKey\",\"kms:ListAliases\","
		  "\"kms:ListKeys\",\"lambda:ListFunctions\",\"rds:DescribeDBClusters\",\"rds:DescribeDBInstances\","
		  "\"redshift:DescribeClusters\",\"redshift-serverless:ListWorkgroups\",\"redshift-serverless:GetNamespace\","
		  "\"tag:GetResources\"],\"Resource\":\"*\"},"
		  "{\"Effect\":\"Allow\",\"Action\":[\"lambda:AddPermission\",\"lambda:CreateFunction\",\"lambda:GetFunction\","
		  "\"lambda:InvokeFunction\",\"lambda:UpdateFunctionConfiguration\"],"
		  "\"Resource\":\"arn:aws:lambda:*:*:function:SecretsManager*\"}]}"),
	POLICY("AWSLambdaBasicExecutionRole", "/service-role/", "ANPAJNCQGXC42545SKXIK",
		ALL("\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"")),
	POLICY("AWSLambdaDynamoDBExecutionRole", "/service-role/", "ANPAIP7WNAGMIPYNW4WQG",
		ALL("\"dynamodb:DescribeStream\",\"dynamodb:GetRecords\",\"dynamodb:GetShardIterator\",\"dynamodb:ListStreams\","
		    "\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"")),
	POLICY("AWSLambdaKinesisExecutionRole", "/service-role/", "ANPAJHOLKJPXV4GBRMJUQ",
		ALL("\"kinesis:DescribeStream\",\"kinesis:DescribeStreamSummary\",\"kinesis:GetRecords\",\"kinesis:GetShardIterator\","
		    "\"kinesis:ListShards\",\"kinesis:ListStreams\",\"kinesis:SubscribeToShard\",\"logs:CreateLogGroup\","
		    "\"logs:CreateLogStream\",\"logs:PutLogEvents\"")),
	POLICY("AWSLambdaSQSQueueExecutionRole", "/service-role/", "ANPAJFWJZI6JNND4TSELK",
		ALL("\"sqs:ReceiveMessage\",\"sqs:DeleteMessage\",\"sqs:GetQueueAttributes\",\"logs:CreateLogGroup\","
		    "\"logs:CreateLogStream\",\"logs:PutLogEvents\"")),
	POLICY("AWSLambdaVPCAccessExecutionRole", "/service-role/", "ANPAJVTME3YLVNL72YR2K",
		ALL("\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\",\"ec2:CreateNetworkInterface\","
		    "\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeSubnets\",\"ec2:DeleteNetworkInterface\","
		    "\"ec2:AssignPrivateIpAddresses\",\"ec2:UnassignPrivateIpAddresses\"")),
	POLICY("AmazonECSTaskExecutionRolePolicy", "/service-role/", "ANPAJG4T4G4PV56DE72PY",
		ALL("\"ecr:GetAuthorizationToken\",\"ecr:BatchCheckLayerAvailability\",\"ecr:GetDownloadUrlForLayer\","
		    "\"ecr:BatchGetImage\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"")),
	POLICY("AmazonRDSEnhancedMonitoringRole", "/service-role/", "ANPAJV7BS425S4PTSSVGK",
		V "{\"Sid\":\"EnableCreationAndManagementOfRDSCloudwatchLogGroups\",\"Effect\":\"Allow\","
		  "\"Action\":[\"logs:CreateLogGroup\",\"logs:PutRetentionPolicy\"],\"Resource\":[\"arn:aws:logs:*:*:log-group:RDS*\"]},"
		  "{\"Sid\":\"EnableCreationAndManagementOfRDSCloudwatchLogStreams\",\"Effect\":\"Allow\","
		  "\"Action\":[\"logs:CreateLogStream\",\"logs:PutLogEvents\",\"logs:DescribeLogStreams\",\"logs:GetLogEvents\"],"
		  "\"Resource\":[\"arn:aws:logs:*:*:log-group:RDS*:log-stream:*\"]}]}"),
};
const size_t iam_managed_count = sizeof(iam_managed_policies) / sizeof(iam_managed_policies[0]);

const struct iam_managed *iam_managed_find(struct str arn)
{
	/* arn:PARTITION:iam::aws:policy PATH NAME */
	ptrdiff_t at = str_find(arn, STR(":iam::aws:policy/"));
	if (at < 0 || !str_starts(arn, STR("arn:aws"))) return NULL;
	struct str rest = str_from(arn, (size_t)at + sizeof(":iam::aws:policy") - 1);
	for (size_t i = 0; i < iam_managed_count; i++) {
		const struct iam_managed *m = &iam_managed_policies[i];
		if (rest.n == m->path.n + m->name.n && str_starts(rest, m->path) && str_ends(rest, m->name)) return m;
	}
	return NULL;
}

struct str iam_managed_arn(struct arena *a, struct str path, struct str name)
{
	return str_fmt(a, "arn:aws:iam::aws:policy%.*s%.*s", STR_ARG(path), STR_ARG(name));
}
