/* The policy step of a call, with a provider of fixed policies. */
#include "call/exchange.h"
#include "policy/provider.h"
#include "s3.h"
#include "services/s3/object.h"
#include "sqs.h"
#include "sts.h"
#include "test.h"

static struct policy *must(const char *text, enum policy_type type, const char *label)
{
	struct policy *p = NULL;
	struct policy_source source = {.type = type, .label = str_c(label)};
	struct policy_error why;
	if (!is_ok(policy_parse(str_c(text), &source, &p, &why))) fprintf(stderr, "%s\n", why.message), abort();
	return p;
}

/* alice may read; everybody is bound by an SCP that keeps hands off sqs:PurgeQueue; nobody else has anything. */
static struct policy *readers, *scp, *full, *public_bucket;
static int asked;
static bool broken;

static status bundle(void *ctx, struct store_tx *tx, struct arena *a, const struct policy_principal *who,
	struct str record,
	struct policy_bundle **out)
{
	(void)ctx, (void)tx, (void)a, (void)record;
	asked++;
	if (broken) return STATUS(CORRUPT);
	struct policy_bundle *b = policy_bundle_new(1);
	if (str_is(who->name, "alice")) policy_bundle_add(b, POLICY_IDENTITY, readers);
	policy_bundle_key(b, STR("aws:PrincipalTag/team"), STR("red"));
	policy_bundle_scp(b, 0, full);
	policy_bundle_scp(b, 0, scp);
	*out = b;
	return OK;
}

static status bucket_policy(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *d,
	struct policy_context *context)
{
	(void)tx, (void)in, (void)context;
	struct policy_resource *r = &d->v[0].resources[0];
	if (!str_starts(r->arn, STR("arn:aws:s3:::public"))) return OK;
	authz_attach(c->arena, d, r, policy_retain(public_bucket));
	r->account = STR("111122223333");
	return OK;
}

/* Account 777788889999's resources are behind a resource control policy that allows nothing. */
static status account(void *ctx, struct store_tx *tx, struct arena *a, struct str caller, struct str action,
	struct authz_demands *d, struct policy_resource *r)
{
	(void)ctx, (void)tx, (void)caller, (void)action;
	if (!str_is(r->account, "777788889999")) return OK;
	struct policy_list *level = arena_new(a, struct policy_list);
	const struct policy **v = arena_new(a, const struct policy *);
	*v = scp;
	authz_hold(a, d, policy_retain(scp));
	*level = (struct policy_list){v, 1};
	r->rcps = (struct policy_levels){level, 1};
	return OK;
}

static struct policy_provider provider = {.bundle = bundle, .account = account};
static struct service bucket_service = {.model = &wire_service_s3, .authorize = bucket_policy};

struct setup {
	struct cloud cloud;
	struct edge_request http;
	struct exchange e;
};

static void begin(struct setup *s, const struct wire_service *service, uint32_t op, void *in)
{
	*s = (struct setup){.cloud = {.policies = &provider}, .http = {.peer = STR("127.0.0.1:40000")}};
	arena_init(&s->e.arena);
	struct call *c = &s->e.call;
	c->arena = &s->e.arena;
	c->cloud = &s->cloud;
	c->http = &s->http;
	c->region = STR("us-east-1");
	c->partition = STR("aws");
	c->account = STR("111122223333");
	c->now_ms = 1795248000000;
	c->match = (struct wire_match){.service = service, .op = &service->tables.ops[op], .op_index = op};
	c->principal = (struct principal){.kind = PRINCIPAL_USER, .account = c->account, .name = STR("alice"),
		.arn = STR("arn:aws:iam::111122223333:user/alice"), .user_id = STR("AIDAALICEALICEALICE0")};
	s->e.in = in;
	s->e.s3_dialect = service == &wire_service_s3;
	asked = 0;
}

static void set_up(void)
{
	if (readers) return;
	readers = must("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:Get*\","
		"\"sqs:*\"],"
		"\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalTag/team\":\"red\"},"
			"\"StringLike\":{\"aws:ResourceAccount\":[\"1111*\",\"7*\"]},"
			"\"IpAddress\":{\"aws:SourceIp\":"
		"\"127.0.0.0/8\"}}}]}", POLICY_IDENTITY, "arn:aws:iam::111122223333:policy/readers");
	full = must("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\","
		"\"Resource\":\"*\"}]}",
		POLICY_SCP, "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess");
	scp = must("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\","
		"\"Action\":\"sqs:PurgeQueue\",\"Resource\":\"*\"}]}",
		POLICY_SCP, "arn:aws:organizations::999999999999:policy/o-a/service_control_policy/p-b");
	public_bucket = must("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
		"\"Principal\":\"*\",\"Action\":"
		"\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::public/*\"}]}", POLICY_RESOURCE, "public");
}

TEST(allowed_and_refused)
{
	set_up();
	struct setup s;
	struct s3_get_object_input get = {.bucket = STR("b"), .key = STR("k")};
	begin(&s, &wire_service_s3, S3_OP_GET_OBJECT, &get);
	CHECK_OK(exchange_permit(&s.e));
	CHECK(asked == 1);
	arena_cleanup(&s.e.arena);

	struct s3_put_object_input put = {.bucket = STR("b"), .key = STR("k")};
	begin(&s, &wire_service_s3, S3_OP_PUT_OBJECT, &put);
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK(s.e.call.failure.id == ERR_ACCESS_DENIED);
	CHECK_STR(s.e.call.failure.message,
		STR("User: arn:aws:iam::111122223333:user/alice is not authorized to perform: "
		"s3:PutObject on resource: \"arn:aws:s3:::b/k\" because no identity-based policy allows the "
			"s3:PutObject action"));
	arena_cleanup(&s.e.arena);

	struct sqs_purge_queue_input purge = {.queue_url = STR("http://localhost:4566/111122223333/q")};
	begin(&s, &wire_service_sqs, SQS_OP_PURGE_QUEUE, &purge);
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK_STR(s.e.call.failure.message,
		STR("User: arn:aws:iam::111122223333:user/alice is not authorized to perform: "
		"sqs:PurgeQueue on resource: arn:aws:sqs:us-east-1:111122223333:q with an explicit deny in a "
			"service control policy: "
		"arn:aws:organizations::999999999999:policy/o-a/service_control_policy/p-b"));
	/* The root of a member account is bound by it too. */
	s.e.call.failure = (struct wire_failure){0};
	s.e.call.principal.kind = PRINCIPAL_ROOT;
	s.e.call.principal.name = STR("");
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	arena_cleanup(&s.e.arena);

	/* From another address the condition does not hold. */
	begin(&s, &wire_service_s3, S3_OP_GET_OBJECT, &get);
	s.http.peer = STR("[2001:db8::1]:5000");
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	arena_cleanup(&s.e.arena);
}

/* "aws:ResourceAccount" (AWS global condition context keys): alice's policy is for the queues of certain accounts. */
TEST(the_owner_is_a_condition)
{
	set_up();
	struct setup s;
	struct sqs_send_message_input send = {.queue_url = STR("http://localhost:4566/111122223333/q")};
	begin(&s, &wire_service_sqs, SQS_OP_SEND_MESSAGE, &send);
	CHECK_OK(exchange_permit(&s.e));
	send.queue_url = STR("http://localhost:4566/444455556666/q");
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK(str_find(s.e.call.failure.message, STR("because no identity-based policy allows")) > 0);
	arena_cleanup(&s.e.arena);
}

TEST(the_owner_binds_too)
{
	set_up();
	struct setup s;
	struct sqs_send_message_input send = {.queue_url = STR("http://localhost:4566/777788889999/q")};
	begin(&s, &wire_service_sqs, SQS_OP_SEND_MESSAGE, &send);
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK(str_find(s.e.call.failure.message,
		STR("because no resource control policy allows the sqs:SendMessage action")) > 0);
	arena_cleanup(&s.e.arena);
}

TEST(without_a_provider_nothing_is_asked)
{
	set_up();
	struct setup s;
	struct s3_put_object_input put = {.bucket = STR("b"), .key = STR("k")};
	begin(&s, &wire_service_s3, S3_OP_PUT_OBJECT, &put);
	s.cloud.policies = NULL;
	CHECK_OK(exchange_permit(&s.e));
	CHECK(asked == 0);
	arena_cleanup(&s.e.arena);
}

TEST(identity_is_told_to_everyone)
{
	set_up();
	struct setup s;
	begin(&s, &wire_service_sts, STS_OP_GET_CALLER_IDENTITY, NULL);
	s.e.call.principal.name = STR("nobody");
	CHECK_OK(exchange_permit(&s.e));
	arena_cleanup(&s.e.arena);
}

TEST(resource_policies_and_anonymous_callers)
{
	set_up();
	struct setup s;
	struct s3_get_object_input get = {.bucket = STR("public"), .key = STR("k")};
	begin(&s, &wire_service_s3, S3_OP_GET_OBJECT, &get);
	s.e.service = &bucket_service;
	s.e.call.principal = (struct principal){.kind = PRINCIPAL_ANONYMOUS, .account = STR(""), .arn = STR("*"),
		.user_id = STR("")};
	s.e.call.account = STR("");
	CHECK_OK(exchange_authorize(&s.e));
	CHECK_OK(exchange_permit(&s.e));
	CHECK(asked == 0);
	get.bucket = STR("private");
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK_STR(s.e.call.failure.message, STR("Access Denied"));
	arena_cleanup(&s.e.arena);

	/* A caller of another account needs its own policies too, and is not told why not. */
	begin(&s, &wire_service_s3, S3_OP_GET_OBJECT, &get);
	get.bucket = STR("public");
	s.e.service = &bucket_service;
	s.e.call.account = s.e.call.principal.account = STR("444455556666");
	s.e.call.principal.name = STR("nobody");
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK_STR(s.e.call.failure.message, STR("Access Denied"));
	s.e.call.failure = (struct wire_failure){0};
	s.e.call.principal.name = STR("alice");
	CHECK_OK(exchange_permit(&s.e));
	arena_cleanup(&s.e.arena);
}

/* "Required permissions for Amazon S3 API operations": what S3's code adds to the reference. */
TEST(copies_and_batches)
{
	set_up();
	struct setup s;
	struct service s3 = {.model = &wire_service_s3, .authorize = s3_authorize};
	struct policy_context context = {0};
	struct authz_place place = {STR("aws"), STR("us-east-1"), STR("111122223333"), STR("/")};
	struct authz_demands d;
	struct s3_copy_object_input copy = {.bucket = STR("to"), .key = STR("k"),
		.copy_source = STR("/from/a%20b?versionId=v1")};
	begin(&s, &wire_service_s3, S3_OP_COPY_OBJECT, &copy);
	s.e.service = &s3;
	authz_demands(&s.e.arena, &s.e.call.match, &copy, &place, &d);
	CHECK_OK(s3_authorize(&s.e.call, NULL, &copy, &d, &context));
	CHECK(d.n == 2);
	CHECK_STR(d.v[0].action, STR("s3:PutObject"));
	CHECK_STR(d.v[0].resources[0].arn, STR("arn:aws:s3:::to/k"));
	CHECK_STR(d.v[1].action, STR("s3:GetObjectVersion"));
	CHECK_STR(d.v[1].resources[0].arn, STR("arn:aws:s3:::from/a b"));
	/* alice may read the source, but not write. */
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK(str_find(s.e.call.failure.message, STR("s3:PutObject on resource: \"arn:aws:s3:::to/k\"")) > 0);
	s.e.call.failure = (struct wire_failure){0};
	copy.copy_source = STR("nothing");
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK(s.e.call.failure.id != ERR_INTERNAL);
	arena_cleanup(&s.e.arena);

	struct s3_object_identifier ids[] = {{.key = STR("x")}, {.key = STR("y"), .version_id = STR("v")},
		{.key = STR("z")}};
	struct s3_delete del = {.objects = {ids, 3}};
	struct s3_delete_objects_input many = {.bucket = STR("b"), .delete = &del};
	begin(&s, &wire_service_s3, S3_OP_DELETE_OBJECTS, &many);
	authz_demands(&s.e.arena, &s.e.call.match, &many, &place, &d);
	CHECK_OK(s3_authorize(&s.e.call, NULL, &many, &d, &context));
	CHECK(d.n == 2 && d.v[0].n == 2 && d.v[1].n == 1);
	CHECK_STR(d.v[1].action, STR("s3:DeleteObjectVersion"));
	CHECK_STR(d.v[1].resources[0].arn, STR("arn:aws:s3:::b/y"));
	arena_cleanup(&s.e.arena);
}

TEST(a_failing_provider_refuses)
{
	set_up();
	struct setup s;
	struct s3_get_object_input get = {.bucket = STR("b"), .key = STR("k")};
	begin(&s, &wire_service_s3, S3_OP_GET_OBJECT, &get);
	broken = true;
	CHECK(status_is(exchange_permit(&s.e), STATUS_FAILED));
	CHECK(s.e.call.failure.id == ERR_INTERNAL);
	broken = false;
	arena_cleanup(&s.e.arena);
	policy_free(readers);
	policy_free(full);
	policy_free(scp);
	policy_free(public_bucket);
	readers = NULL;
}

TEST_MAIN()
