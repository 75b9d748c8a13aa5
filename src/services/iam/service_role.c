/* Service-linked roles: made for a service, assumed by it alone, deleted through IAM ("Using service-linked roles").
 * The deletion is done when it is asked for; its task tells so. */
#include "base/rand.h"
#include "services/iam/internal.h"

/* "AWS services that work with IAM": the services' principals and the names of their roles. */
static const struct {
	const char *service, *name;
} known[] = {
	{"access-analyzer.amazonaws.com", "AccessAnalyzer"},
	{"autoscaling.amazonaws.com", "AutoScaling"},
	{"backup.amazonaws.com", "Backup"},
	{"batch.amazonaws.com", "Batch"},
	{"cks.kms.amazonaws.com", "KeyManagementServiceCustomKeyStores"},
	{"cloudtrail.amazonaws.com", "CloudTrail"},
	{"config.amazonaws.com", "Config"},
	{"dax.amazonaws.com", "DAX"},
	{"dynamodb.application-autoscaling.amazonaws.com", "ApplicationAutoScaling_DynamoDBTable"},
	{"ec2.application-autoscaling.amazonaws.com", "ApplicationAutoScaling_EC2SpotFleetRequest"},
	{"ecs.amazonaws.com", "ECS"},
	{"ecs.application-autoscaling.amazonaws.com", "ApplicationAutoScaling_ECSService"},
	{"eks-fargate.amazonaws.com", "AmazonEKSForFargate"},
	{"eks-nodegroup.amazonaws.com", "AmazonEKSNodegroup"},
	{"eks.amazonaws.com", "AmazonEKS"},
	{"elasticache.amazonaws.com", "ElastiCache"},
	{"elasticfilesystem.amazonaws.com", "AmazonElasticFileSystem"},
	{"elasticloadbalancing.amazonaws.com", "ElasticLoadBalancing"},
	{"es.amazonaws.com", "AmazonElasticsearchService"},
	{"events.amazonaws.com", "CloudWatchEvents"},
	{"fis.amazonaws.com", "FIS"},
	{"globalaccelerator.amazonaws.com", "GlobalAccelerator"},
	{"guardduty.amazonaws.com", "AmazonGuardDuty"},
	{"inspector2.amazonaws.com", "AmazonInspector2"},
	{"kafka.amazonaws.com", "Kafka"},
	{"lambda.application-autoscaling.amazonaws.com", "ApplicationAutoScaling_LambdaConcurrency"},
	{"macie.amazonaws.com", "AmazonMacie"},
	{"mrk.kms.amazonaws.com", "KeyManagementServiceMultiRegionKeys"},
	{"opensearchservice.amazonaws.com", "AmazonOpenSearchService"},
	{"ops.apigateway.amazonaws.com", "APIGateway"},
	{"organizations.amazonaws.com", "Organizations"},
	{"rds.amazonaws.com", "RDS"},
	{"redshift.amazonaws.com", "Redshift"},
	{"replication.ecr.amazonaws.com", "ECRReplication"},
	{"replicator.lambda.amazonaws.com", "LambdaReplicator"},
	{"route53resolver.amazonaws.com", "Route53Resolver"},
	{"securityhub.amazonaws.com", "SecurityHub"},
	{"spot.amazonaws.com", "EC2Spot"},
	{"spotfleet.amazonaws.com", "EC2SpotFleet"},
	{"sso.amazonaws.com", "SSO"},
	{"support.amazonaws.com", "Support"},
	{"transitgateway.amazonaws.com", "VPCTransitGateway"},
	{"trustedadvisor.amazonaws.com", "TrustedAdvisor"},
	{"vpc-lattice.amazonaws.com", "VpcLattice"},
	{"wafv2.amazonaws.com", "WAFV2Logging"},
};

/* The name's word; NULL: none that is known. */
static const char *word_of(struct str service)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_eq(service, str_c(known[i].service))) return known[i].name;
	return NULL;
}

static struct str trust_of(struct arena *a, struct str service)
{
	return str_fmt(a,
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
		"\"%.*s\"},"
		"\"Action\":\"sts:AssumeRole\"}]}",
		STR_ARG(service));
}

status iam_service_role_ensure(
	struct store_tx *tx, struct arena *a, struct str account, struct str service, int64_t now_ms)
{
	const char *word = word_of(service);
	if (!word) return STATUS(INVALID);
	struct iam_wanted_role w = {
		.account = account,
		.name = str_fmt(a, "AWSServiceRoleFor%s", word),
		.path = str_fmt(a, "/aws-service-role/%.*s/", STR_ARG(service)),
		.trust = trust_of(a, service),
		.service = service,
		.max_session_s = 3600,
	};
	return iam_role_ensure(tx, a, &w, now_ms);
}

status iam_create_service_linked_role(struct call *c, const struct iam_create_service_linked_role_input *in,
	struct iam_create_service_linked_role_output *out)
{
	const char *word = word_of(in->aws_service_name);
	if (!word)
		return IAM_FAIL(c, INVALID_INPUT,
			"Service %.*s does not support service-linked roles that virga knows.",
			STR_ARG(in->aws_service_name));
	struct str name = str_fmt(c->arena, "AWSServiceRoleFor%s", word);
	if (str_has(in->custom_suffix))
		name = str_fmt(c->arena, "%.*s_%.*s", STR_ARG(name), STR_ARG(in->custom_suffix));
	struct iam_rec_entity e = {0};
	status s = iam_peek(c->tx, c->arena, IAM_ROLE, c->account, name, &e);
	if (is_ok(s))
		return IAM_FAIL(c, INVALID_INPUT,
			"Service role name %.*s has been taken in this account, please try a different suffix.",
			STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(iam_require_new(c, IAM_ROLE, name));
	e = (struct iam_rec_entity){
		.name = name,
		.path = str_fmt(c->arena, "/aws-service-role/%.*s/", STR_ARG(in->aws_service_name)),
		.id = iam_new_id(c->arena, "AROA"),
		.created = SOME_TIME(c->now_ms),
		.trust = trust_of(c->arena, in->aws_service_name),
		.description = in->description,
		.max_session = SOME_I32(3600),
		.service = in->aws_service_name,
	};
	iam_put(c, IAM_ROLE, &e);
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_out(c, &e, false, out->role);
	return OK;
}

status iam_delete_service_linked_role(struct call *c, const struct iam_delete_service_linked_role_input *in,
	struct iam_delete_service_linked_role_output *out)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_ROLE, in->role_name, &e));
	if (!e.service.n) return IAM_FAIL(c, NO_SUCH_ENTITY, "%.*s is not a service-linked role.", STR_ARG(e.name));
	TRY(iam_remove_role(c, &e));
	struct str id = rand_uuid(c->arena);
	out->deletion_task_id = str_fmt(
		c->arena, "task/aws-service-role/%.*s/%.*s/%.*s", STR_ARG(e.service), STR_ARG(e.name), STR_ARG(id));
	struct iam_rec_deletion d = {.role = e.name, .at = SOME_TIME(c->now_ms)};
	store_put(c->tx, iam_key(c->arena, "deletion", c->account, out->deletion_task_id),
		iam_rec_deletion_encode(c->arena, &d));
	return OK;
}

status iam_get_service_linked_role_deletion_status(struct call *c,
	const struct iam_get_service_linked_role_deletion_status_input *in,
	struct iam_get_service_linked_role_deletion_status_output *out)
{
	struct str bytes;
	status s = store_get(c->tx, iam_key(c->arena, "deletion", c->account, in->deletion_task_id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return IAM_FAIL(
			c, NO_SUCH_ENTITY, "Deletion task %.*s cannot be found.", STR_ARG(in->deletion_task_id));
	TRY(s);
	out->status = STR("SUCCEEDED");
	return OK;
}
