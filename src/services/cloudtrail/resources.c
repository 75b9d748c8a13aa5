/* What a call was about: from the ARNs that it is authorized on, and, for what it made, from its answer. Types are
 * those of CloudFormation, as LookupEvents tells them. */
#include "policy/authz.h"
#include "services/cloudtrail/room.h"
#include "services/s3/config.h"

enum { RESOURCES_MAX = 50 };

/* ── names and types ── */

/* iam, s3: how CloudFormation spells a service. */
static struct str space_of(struct arena *a, struct str service)
{
	static const struct {
		const char *arn, *type;
	} spelled[] = {
		{"iam", "IAM"},
		{"ec2", "EC2"},
		{"s3", "S3"},
		{"sqs", "SQS"},
		{"sns", "SNS"},
		{"kms", "KMS"},
		{"dynamodb", "DynamoDB"},
		{"secretsmanager", "SecretsManager"},
		{"ssm", "SSM"},
		{"rds", "RDS"},
		{"ecs", "ECS"},
		{"ecr", "ECR"},
		{"efs", "EFS"},
		{"elasticfilesystem", "EFS"},
		{"eks", "EKS"},
		{"cloudtrail", "CloudTrail"},
		{"cloudformation", "CloudFormation"},
		{"cloudwatch", "CloudWatch"},
		{"elasticloadbalancing", "ElasticLoadBalancingV2"},
		{"apigateway", "ApiGateway"},
		{"route53", "Route53"},
		{"states", "StepFunctions"},
		{"acm", "CertificateManager"},
		{"autoscaling", "AutoScaling"},
		{"access-analyzer", "AccessAnalyzer"},
		{"elasticache", "ElastiCache"},
		{"cloudfront", "CloudFront"},
		{"sso", "SSO"},
		{"wafv2", "WAFv2"},
		{"codebuild", "CodeBuild"},
		{"cognito-idp", "Cognito"},
	};
	for (size_t i = 0; i < sizeof(spelled) / sizeof(*spelled); i++)
		if (str_eq(service, str_c(spelled[i].arn))) return str_c(spelled[i].type);
	char *p = arena_copy(a, service.p, service.n);
	if (service.n && p[0] >= 'a' && p[0] <= 'z') p[0] = (char)(p[0] - 'a' + 'A');
	return str_n(p, service.n);
}

/* security-group: SecurityGroup; mfa: the few that are written otherwise. */
static struct str type_of(struct arena *a, struct str service, struct str word)
{
	static const struct {
		const char *service, *word, *type;
	} spelled[] = {
		{"iam", "mfa", "VirtualMFADevice"},
		{"iam", "policy", "ManagedPolicy"},
		{"iam", "oidc-provider", "OIDCProvider"},
		{"iam", "saml-provider", "SAMLProvider"},
		{"ec2", "vpc", "VPC"},
		{"ec2", "elastic-ip", "EIP"},
		{"ec2", "network-acl", "NetworkAcl"},
		{"secretsmanager", "secret", "Secret"},
		{"rds", "db", "DBInstance"},
		{"rds", "cluster", "DBCluster"},
		{"rds", "subgrp", "DBSubnetGroup"},
		{"rds", "pg", "DBParameterGroup"},
		{"ec2", "vpc-peering-connection", "VPCPeeringConnection"},
		{"ec2", "dhcp-options", "DHCPOptions"},
		{"iam", "instance-profile", "InstanceProfile"},
		{"ec2", "image", "Ami"},
	};
	for (size_t i = 0; i < sizeof(spelled) / sizeof(*spelled); i++)
		if (str_eq(service, str_c(spelled[i].service)) && str_eq(word, str_c(spelled[i].word)))
			return str_c(spelled[i].type);
	struct buf b = BUF_IN(a);
	bool upper = true;
	for (size_t i = 0; i < word.n; i++) {
		char ch = word.p[i];
		if (ch == '-' || ch == '_') {
			upper = true;
			continue;
		}
		buf_byte(&b, upper && ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch);
		upper = false;
	}
	return buf_done(&b);
}

static void add_s3(struct arena *a, struct str rest, struct cloudtrail_rec_resource *out)
{
	bool object = str_chr(rest, '/') >= 0;
	*out = (struct cloudtrail_rec_resource){
		.type = object ? STR("AWS::S3::Object") : STR("AWS::S3::Bucket"), .name = str_dup(a, rest)};
}

bool ct_resource_of(struct arena *a, struct str arn, struct cloudtrail_rec_resource *out)
{
	struct str rest = arn, part[5] = {{0}};
	for (size_t i = 0; i < 5 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	struct str service = part[2];
	if (!str_is(part[0], "arn") || !str_has(rest) || !rest.n) return false;
	if (str_is(service, "s3")) {
		add_s3(a, rest, out);
		out->arn = arn;
		return !str_is(rest, "*");
	}
	struct str word = str_is(service, "sqs") ? STR("queue") : str_is(service, "sns") ? STR("topic") : STR_NONE;
	if (!str_has(word)) {
		size_t n = 0;
		while (n < rest.n && rest.p[n] != '/' && rest.p[n] != ':') n++;
		if (n == rest.n) return false;
		word = str_sub(rest, 0, n);
		rest = str_from(rest, n + 1);
		/* table/NAME/stream/LABEL, table/NAME/index/NAME are their table's; an IAM path is not of the name. */
		ptrdiff_t slash = str_is(service, "iam") || str_is(service, "sts") ? str_rchr(rest, '/') : -1;
		if (slash >= 0) rest = str_from(rest, (size_t)slash + 1);
		if (str_is(service, "dynamodb")) rest = str_cut(&rest, '/');
		if (str_is(service, "sts")) return false;
	}
	if (!rest.n || str_chr(rest, '*') >= 0) return false;
	*out = (struct cloudtrail_rec_resource){
		.type = str_fmt(
			a, "AWS::%.*s::%.*s", STR_ARG(space_of(a, service)), STR_ARG(type_of(a, service, word))),
		.name = str_is(service, "kms") && str_is(word, "key") ? str_dup(a, arn) : str_dup(a, rest),
		.arn = arn,
		.account = part[4],
	};
	return true;
}

/* ── of a call ── */

static void push(struct arena *a, struct cloudtrail_rec_resources *out, size_t *capacity,
	const struct cloudtrail_rec_resource *r)
{
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i].type, r->type) && str_eq(out->v[i].name, r->name)) return;
	if (out->n < RESOURCES_MAX) *VEC_PUSH(a, out, capacity) = *r;
}

/* Whose a bucket is says only the bucket. */
static struct str bucket_owner(struct call *c, struct str bucket)
{
	struct s3_rec_bucket b;
	struct str owner = STR_NONE;
	struct store_tx *tx = c->tx ? c->tx : store_begin(c->cloud->store, c->arena, true);
	if (is_ok(s3_bucket_by_name(tx, c->arena, bucket, &b, NULL))) owner = str_dup(c->arena, b.owner);
	if (tx != c->tx) store_end(tx);
	return owner;
}

static void s3_owners(struct call *c, struct cloudtrail_rec_resources *out, size_t *capacity)
{
	size_t n = out->n;
	for (size_t i = 0; i < n; i++) {
		struct str rest = out->v[i].name, bucket;
		if (!str_starts(out->v[i].type, STR("AWS::S3::"))) continue;
		bucket = str_cut(&rest, '/');
		struct cloudtrail_rec_resource r = {.type = STR("AWS::S3::Bucket"),
			.name = bucket,
			.arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(bucket)),
			.account = bucket_owner(c, bucket)};
		if (str_has(rest))
			push(c->arena, out, capacity, &r);
		else
			out->v[i].account = r.account;
	}
}

/* What was made tells its ARN in the answer: a member of the output, or of its one struct, whose name ends in Arn. */
static void made(struct call *c, const struct wire_tables *t, uint16_t shape, const void *p, unsigned depth,
	struct cloudtrail_rec_resources *out, size_t *capacity)
{
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		const void *slot = (const char *)p + m->offset;
		struct str n = wire_str(t, m->name);
		struct cloudtrail_rec_resource r;
		if (t->shapes[m->shape].kind == WIRE_STRING && (str_ends(n, STR("Arn")) || str_ends(n, STR("ARN")))) {
			struct str arn = *(const struct str *)slot;
			if (str_has(arn) && ct_resource_of(c->arena, arn, &r)) push(c->arena, out, capacity, &r);
		} else if (t->shapes[m->shape].kind == WIRE_STRUCT && depth) {
			const void *inner = *(void *const *)slot;
			if (inner) made(c, t, m->shape, inner, depth - 1, out, capacity);
		}
	}
}

void ct_resources(struct call *c, struct cloudtrail_rec_resources *out)
{
	struct authz_demands demands = {0};
	struct authz_place place = {c->partition, c->region, c->account, c->http ? c->http->path : STR("/")};
	const struct wire_op *op = c->match.op;
	const void *in = call_input(c), *answer = call_output(c);
	size_t capacity = 0;
	*out = (struct cloudtrail_rec_resources){0};
	if (in) authz_demands(c->arena, &c->match, in, &place, &demands);
	for (size_t i = 0; i < demands.n; i++)
		for (size_t j = 0; j < demands.v[i].n; j++) {
			struct cloudtrail_rec_resource r;
			if (ct_resource_of(c->arena, demands.v[i].resources[j].arn, &r))
				push(c->arena, out, &capacity, &r);
		}
	s3_owners(c, out, &capacity);
	bool failed = str_has(c->failure.message);
	if (!failed && answer && op->out != WIRE_NO_SHAPE && strcmp(c->match.service->name, "s3") != 0)
		made(c, &c->match.service->tables, op->out, answer, 1, out, &capacity);
	authz_release(&demands);
}
