/* Operations that virga asks for itself: they commit, are told of, and fail as a client's would. */
#include "../store/folder.h"
#include "call/dispatch.h"
#include "call/inside.h"
#include "call/metrics.h"
#include "call/workers.h"
#include "policy/provider.h"
#include "s3.h"
#include "sqs.h"
#include "vault/vault.h"

static char dir[PATH_MAX];
static struct cloud cloud;
static unsigned told, last_code;

static void listen_to_calls(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	(void)ctx, (void)phase, (void)tx;
	told++;
	last_code = ((const struct call *)e->detail)->answered_code;
}

static void begin(struct arena *a)
{
	arena_init(a);
	told = 0;
	cloud = (struct cloud){.default_region = STR("us-east-1"),
		.public_host = STR("localhost:4566"),
		.services = services,
		.n_services = services_length};
	cloud.store = folder_open(folder_make(dir), DURABILITY_RELAXED);
	cloud.vault = vault_new_forgetful();
	cloud.clock = clock_new(cloud.store);
	cloud.jobs = jobs_new(cloud.store, cloud.clock);
	cloud.bus = bus_new();
	bus_subscribe(cloud.bus, BUS_DONE, "call", listen_to_calls, NULL);
	cloud.workers = workers_new(4);
	cloud.metrics = call_metrics_new();
	CHECK_OK(cloud_start_services(&cloud));
	jobs_start(cloud.jobs, 1);
}

static void end(struct arena *a)
{
	cloud_drain_services(&cloud);
	jobs_free(cloud.jobs);
	cloud_stop_services(&cloud);
	workers_free(cloud.workers);
	bus_free(cloud.bus);
	clock_free(cloud.clock);
	call_metrics_free(cloud.metrics);
	store_close(cloud.store);
	vault_close(cloud.vault);
	folder_remove(dir);
	arena_cleanup(a);
}

TEST(a_queue_made_from_inside)
{
	struct arena a;
	begin(&a);
	struct inside_caller who =
		inside_service(&a, STR("111122223333"), STR("eu-west-1"), STR("autoscaling.amazonaws.com"));
	struct sqs_create_queue_input create = {.queue_name = STR("q")};
	struct inside *made = inside_run(&cloud, &who, "sqs", SQS_OP_CREATE_QUEUE, &create, NULL);
	CHECK(made->ok && made->http_status == 200);
	struct str url = str_dup(&a, ((const struct sqs_create_queue_output *)made->out)->queue_url);
	inside_free(made);
	CHECK(str_ends(url, STR("/111122223333/q")));
	CHECK(told == 1 && last_code == 200);

	/* A long poll is waited for. */
	struct sqs_receive_message_input receive = {.queue_url = url, .wait_time_seconds = {.has = true, .v = 1}};
	struct inside *got = inside_run(&cloud, &who, "sqs", SQS_OP_RECEIVE_MESSAGE, &receive, NULL);
	CHECK(got->ok && ((const struct sqs_receive_message_output *)got->out)->messages.n == 0);
	inside_free(got);

	struct sqs_send_message_input send = {.queue_url = url, .message_body = STR("hello")};
	inside_free(inside_run(&cloud, &who, "sqs", SQS_OP_SEND_MESSAGE, &send, NULL));
	got = inside_run(&cloud, &who, "sqs", SQS_OP_RECEIVE_MESSAGE, &receive, NULL);
	const struct sqs_receive_message_output *r = got->out;
	CHECK(got->ok && r->messages.n == 1 && str_is(r->messages.v[0].body, "hello"));
	inside_free(got);
	end(&a);
}

TEST(failures_as_a_client_sees_them)
{
	struct arena a;
	begin(&a);
	struct inside_caller who = inside_service(&a, STR("111122223333"), STR("us-east-1"), STR("x.amazonaws.com"));
	struct sqs_send_message_input send = {
		.queue_url = STR("http://localhost:4566/111122223333/none"), .message_body = STR("hello")};
	struct inside *i = inside_run(&cloud, &who, "sqs", SQS_OP_SEND_MESSAGE, &send, NULL);
	CHECK(!i->ok && str_is(i->code, "QueueDoesNotExist") && i->http_status == 400 && i->message.n > 0);
	CHECK(last_code == 400);
	inside_free(i);

	/* The model's constraints hold, too. */
	struct s3_create_bucket_input nothing = {0};
	i = inside_run(&cloud, &who, "s3", S3_OP_CREATE_BUCKET, &nothing, NULL);
	CHECK(!i->ok && i->http_status == 400);
	inside_free(i);

	/* A user without policies is refused, where the caller is not virga itself. */
	who.trusted = false;
	who.principal.kind = PRINCIPAL_USER;
	who.principal.name = STR("nobody");
	who.principal.arn = STR("arn:aws:iam::111122223333:user/nobody");
	struct sqs_create_queue_input create = {.queue_name = STR("q")};
	i = inside_run(&cloud, &who, "sqs", SQS_OP_CREATE_QUEUE, &create, NULL);
	CHECK(!i->ok && i->http_status == 400 && str_find(i->message, STR("is not authorized to perform")) > 0);
	inside_free(i);
	end(&a);
}

TEST(bodies_in_and_out)
{
	struct arena a;
	begin(&a);
	struct inside_caller who = inside_service(&a, STR("111122223333"), STR("us-east-1"), STR("x.amazonaws.com"));
	struct s3_create_bucket_input create = {.bucket = STR("from-inside")};
	struct inside *i = inside_run(&cloud, &who, "s3", S3_OP_CREATE_BUCKET, &create, NULL);
	CHECK(i->ok);
	inside_free(i);
	static char large[300000];
	memset(large, 'x', sizeof(large));
	struct str bodies[] = {STR("small"), str_n(large, sizeof(large))};
	for (int k = 0; k < 2; k++) {
		struct s3_put_object_input put = {.bucket = STR("from-inside"), .key = STR("k")};
		i = inside_run(&cloud, &who, "s3", S3_OP_PUT_OBJECT, &put, &bodies[k]);
		CHECK(i->ok);
		inside_free(i);
		struct s3_get_object_input get = {.bucket = STR("from-inside"), .key = STR("k")};
		i = inside_run(&cloud, &who, "s3", S3_OP_GET_OBJECT, &get, NULL);
		CHECK(i->ok);
		struct str bytes = STR("");
		const struct s3_get_object_output *o = i->out;
		if (i->ok) CHECK_OK(inside_body(i, &a, o->body, 1 << 20, &bytes));
		CHECK_STR(bytes, bodies[k]);
		inside_free(i);
	}
	end(&a);
}

TEST_MAIN()
