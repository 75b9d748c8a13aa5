/* The buckets that logs are delivered to: may Elastic Load Balancing write there ("Attach a policy to your S3 bucket",
 * in "Enable access logs for your Application Load Balancer" and its likes), and writing. The bucket's own policy
 * decides, also where bucket and balancer are of one account. */
#include "policy/policy.h"
#include "services/elbv2/logs.h"
#include "services/s3/access.h"
#include "services/s3/config.h"
#include "services/s3/own.h"
#include "services/s3/sse.h"

/* "Regions available before August 2022": the account whose root a policy may name there instead of the service. */
static struct str region_account(struct str region)
{
	static const char *const accounts[][2] = {{"us-east-1", "127311923021"}, {"us-east-2", "033677994240"},
		{"us-west-1", "027434742980"}, {"us-west-2", "797873946194"}, {"af-south-1", "098369216593"},
		{"ap-east-1", "754344448648"}, {"ap-southeast-3", "589379963580"}, {"ap-south-1", "718504428378"},
		{"ap-northeast-3", "383597477331"}, {"ap-northeast-2", "600734575887"},
		{"ap-southeast-1", "114774131450"}, {"ap-southeast-2", "783225319266"},
		{"ap-northeast-1", "582318560864"}, {"ca-central-1", "985666609251"}, {"eu-central-1", "054676820928"},
		{"eu-west-1", "156460612806"}, {"eu-west-2", "652711504416"}, {"eu-south-1", "635631232127"},
		{"eu-west-3", "009996457667"}, {"eu-north-1", "897822967062"}, {"me-south-1", "076674570225"},
		{"sa-east-1", "507241528517"}, {"us-gov-west-1", "048591011584"}, {"us-gov-east-1", "190560391635"},
		{"cn-north-1", "638102146993"}, {"cn-northwest-1", "037604701340"}};
	for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++)
		if (str_eq(region, str_c(accounts[i][0]))) return str_c(accounts[i][1]);
	return STR_NONE;
}

struct question {
	struct ec2_place at;
	int64_t now_ms;
	struct str balancer, partition, owner, object;
	const struct policy *policy;
};

static bool may(const struct question *q, const struct policy_principal *who)
{
	struct policy_context x = POLICY_CONTEXT_IN(q->at.a);
	policy_context_set_principal(&x, who);
	policy_context_set_now(&x, q->now_ms);
	policy_context_set(&x, STR("aws:SourceArn"), q->balancer);
	policy_context_set(&x, STR("aws:SourceAccount"), q->at.account);
	policy_context_set_bool(&x, STR("aws:SecureTransport"), true);
	policy_context_set(&x, STR("s3:x-amz-acl"), STR("bucket-owner-full-control"));
	const struct policy *const list[] = {q->policy};
	struct policy_resource r = {
		.arn = q->object, .account = q->owner, .policies = {list, 1}, .policy_required = true};
	struct policy_request request = {
		.principal = who, .action = STR("s3:PutObject"), .resources = &r, .n_resources = 1, .context = &x};
	struct policy_subject subject = {0};
	struct policy_decision d;
	return policy_evaluate(q->at.a, &request, &subject, &d);
}

static bool may_service(const struct question *q, struct str name)
{
	struct policy_principal who = {
		.kind = POLICY_CALLER_SERVICE, .account = STR(""), .arn = name, .user_id = STR(""), .name = name};
	return may(q, &who);
}

/* A policy that names the Region's account has to say it by itself: there are no policies of that account's own. */
static bool may_account(const struct question *q)
{
	struct str account = region_account(q->at.region);
	if (!str_has(account)) return false;
	struct str arn = str_fmt(q->at.a, "arn:%.*s:iam::%.*s:root", STR_ARG(q->partition), STR_ARG(account));
	struct policy_principal who = {
		.kind = POLICY_CALLER_ROOT, .account = account, .arn = arn, .user_id = account, .name = account};
	return may(q, &who);
}

static struct str partition_of(struct str region)
{
	return str_starts(region, STR("cn-"))       ? STR("aws-cn")
	       : str_starts(region, STR("us-gov-")) ? STR("aws-us-gov")
						    : STR("aws");
}

status elbv2_bucket_put(struct call *c, const struct elbv2_log_object *o)
{
	struct s3_state *s3 = s3_state_of(c->cloud);
	struct s3_rec_bucket b;
	struct policy *policy = NULL;
	struct str account = c->account, region = c->region;
	status s = s3_bucket_by_name(c->tx, c->arena, o->bucket, &b, NULL);
	if (status_is(s, STATUS_NOT_FOUND)) return STATUS(NOT_FOUND);
	TRY(s);
	if (!str_eq(b.region, region)) return STATUS(INVALID);
	if (!s3 || !b.policy.has) return STATUS(FAILED);
	TRY(s3_policy_load(c->tx, c->arena, s3->policies, &b, false, &policy));
	struct question q = {.at = ec2_here(c),
		.now_ms = c->now_ms,
		.balancer = o->balancer,
		.partition = partition_of(region),
		.owner = b.owner,
		.policy = policy};
	q.object = str_fmt(c->arena, "arn:%.*s:s3:::%.*s/%.*s", STR_ARG(q.partition), STR_ARG(b.name), STR_ARG(o->key));
	bool allowed = policy && (o->network ? may_service(&q, STR("delivery.logs.amazonaws.com"))
					     : may_service(&q, STR("logdelivery.elasticloadbalancing.amazonaws.com")) ||
							 may_account(&q));
	policy_free(policy);
	if (!allowed) return STATUS(FAILED);
	struct s3_own own = {.key = o->key, .bytes = o->bytes, .content_type = STR("application/octet-stream")};
	c->account = b.owner;
	c->region = b.region;
	s = s3_own_put_as(c, &b, &own);
	c->account = account;
	c->region = region;
	return s;
}
