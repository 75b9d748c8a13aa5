/* The authorization tables: that they fit the models, and what they demand of real inputs. */
#include "dynamodb.h"
#include "ec2.h"
#include "kms.h"
#include "lambda.h"
#include "policy/authz.h"
#include "s3.h"
#include "sns.h"
#include "sqs.h"
#include "ssm.h"
#include "test.h"

static struct arena arena;

static struct authz_demands demands(const struct wire_service *s, uint32_t op, const void *in)
{
	struct wire_match m = {.service = s, .op = &s->tables.ops[op], .op_index = op};
	struct authz_place place = {STR("aws"), STR("us-east-1"), STR("111122223333"), STR("/restapis/a/stages")};
	struct authz_demands d;
	authz_demands(&arena, &m, in, &place, &d);
	return d;
}

/* "action arn[@account] arn …" of one demand. */
static struct str told(const struct authz_demands *d, size_t i)
{
	struct str s = i < d->n ? d->v[i].action : STR("none");
	for (size_t j = 0; i < d->n && j < d->v[i].n; j++)
		s = str_fmt(&arena, "%.*s %.*s@%.*s", STR_ARG(s), STR_ARG(d->v[i].resources[j].arn),
			STR_ARG(d->v[i].resources[j].account));
	return s;
}

static const struct wire_member *member_named(const struct wire_tables *t, uint16_t shape, struct str name)
{
	const struct wire_shape *s = &t->shapes[shape];
	if (s->kind == WIRE_LIST) return member_named(t, t->members[s->first].shape, name);
	if (s->kind != WIRE_STRUCT) return NULL;
	for (uint32_t i = 0; i < s->count; i++)
		if (str_eq(wire_str(t, t->members[s->first + i].name), name)) return &t->members[s->first + i];
	return NULL;
}

static bool path_exists(const struct wire_tables *t, uint16_t shape, struct str path)
{
	while (str_has(path)) {
		struct str name = str_cut(&path, '.');
		bool keys = str_ends(name, STR("{}"));
		if (keys) name.n -= 2;
		const struct wire_member *m = shape == WIRE_NO_SHAPE ? NULL : member_named(t, shape, name);
		if (!m) return false;
		shape = m->shape;
		if (keys && t->shapes[shape].kind != WIRE_MAP) return false;
	}
	return true;
}

/* Every operation of every model has its line, and every member that a line names exists. */
TEST(tables_fit_the_models)
{
	size_t ops = 0, bound = 0;
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_tables *t = &wire_services[i]->tables;
		const struct authz_service *s = authz_find(str_c(wire_services[i]->name));
		CHECK(s != NULL);
		for (uint32_t j = 0; s && j < t->n_ops; j++) {
			const struct authz_op *o = authz_find_op(s, wire_str(t, t->ops[j].name));
			if (!o) fprintf(stderr, "%s has no line for %s\n", wire_services[i]->name, wire_str(t,
				t->ops[j].name).p);
			CHECK(o != NULL);
			ops++;
			for (uint32_t k = 0; o && k < o->checks.n; k++) {
				const struct authz_check *c = &authz_checks[o->checks.first + k];
				CHECK(str_chr(authz_str(c->action), ':') > 0);
				if (c->if_member) CHECK(path_exists(t, t->ops[j].in, authz_str(c->if_member)));
				if (c->unless_member) CHECK(path_exists(t, t->ops[j].in, authz_str(c->unless_member)));
				for (uint32_t l = 0; l < c->targets.n; l++) {
					const struct authz_range b = authz_targets[c->targets.first + l].bindings;
					for (uint32_t n = b.first; n < b.first + b.n; n++) {
						bool exists = path_exists(t, t->ops[j].in,
							authz_str(authz_bindings[n].member));
						if (!exists)
							fprintf(stderr, "%s %s: %s\n", wire_services[i]->name,
								wire_str(t, t->ops[j].name).p,
									authz_str(authz_bindings[n].member).p);
						CHECK(exists);
						bound++;
					}
				}
			}
		}
	}
	printf("%zu operations, %zu bindings\n", ops, bound);
	CHECK(ops > 5000 && bound > 3000);
}

TEST(lookups)
{
	const struct authz_service *s3 = authz_find(STR("s3"));
	CHECK(s3 && authz_find(STR("nothing")) == NULL);
	CHECK(authz_find(STR("s3control"))->actions.first == s3->actions.first);
	CHECK_STR(authz_str(authz_find_prefix(STR("ELASTICFILESYSTEM"))->name), STR("efs"));
	const struct authz_action *get = authz_find_action(s3, STR("getobject"));
	CHECK(get && get->level == AUTHZ_READ && get->keys.n > 3);
	CHECK(authz_find_action(s3, STR("DeleteBucket"))->level == AUTHZ_WRITE);
	CHECK(authz_find_action(s3, STR("PutBucketPolicy"))->level == AUTHZ_PERMISSIONS);
	CHECK(authz_find_action(s3, STR("Nothing")) == NULL);
	CHECK(authz_find_op(s3, STR("Nothing")) == NULL);
}

TEST(s3)
{
	struct s3_get_object_input get = {.bucket = STR("b"), .key = STR("a/k")};
	struct authz_demands d = demands(&wire_service_s3, S3_OP_GET_OBJECT, &get);
	CHECK(d.n == 1);
	CHECK_STR(told(&d, 0), STR("s3:GetObject arn:aws:s3:::b/a/k@111122223333"));
	get.version_id = STR("v1");
	d = demands(&wire_service_s3, S3_OP_GET_OBJECT, &get);
	CHECK(d.n == 1);
	CHECK_STR(told(&d, 0), STR("s3:GetObjectVersion arn:aws:s3:::b/a/k@111122223333"));
	struct s3_list_objects_v2_input list = {.bucket = STR("b")};
	d = demands(&wire_service_s3, S3_OP_LIST_OBJECTS_V2, &list);
	CHECK_STR(told(&d, 0), STR("s3:ListBucket arn:aws:s3:::b@111122223333"));
	struct s3_head_object_input head = {.bucket = STR("b"), .key = STR("k")};
	d = demands(&wire_service_s3, S3_OP_HEAD_OBJECT, &head);
	CHECK_STR(told(&d, 0), STR("s3:GetObject arn:aws:s3:::b/k@111122223333"));
	d = demands(&wire_service_s3, S3_OP_LIST_BUCKETS, NULL);
	CHECK_STR(told(&d, 0), STR("s3:ListAllMyBuckets *@111122223333"));
	struct s3_put_object_input put = {.bucket = STR("b"), .key = STR("k"), .tagging = STR("a=b")};
	d = demands(&wire_service_s3, S3_OP_PUT_OBJECT, &put);
	CHECK(d.n == 2);
	CHECK_STR(told(&d, 0), STR("s3:PutObject arn:aws:s3:::b/k@111122223333"));
	CHECK_STR(told(&d, 1), STR("s3:PutObjectTagging arn:aws:s3:::b/k@111122223333"));
	struct s3_object_identifier ids[] = {{.key = STR("x")}, {.key = STR("y")}, {.key = STR("x")}};
	struct s3_delete del = {.objects = {ids, 3}};
	struct s3_delete_objects_input many = {.bucket = STR("b"), .delete = &del};
	d = demands(&wire_service_s3, S3_OP_DELETE_OBJECTS, &many);
	CHECK_STR(told(&d, 0), STR("s3:DeleteObject arn:aws:s3:::b/x@111122223333 arn:aws:s3:::b/y@111122223333"));
	struct s3_delete_bucket_lifecycle_input lifecycle = {.bucket = STR("b")};
	d = demands(&wire_service_s3, S3_OP_DELETE_BUCKET_LIFECYCLE, &lifecycle);
	CHECK_STR(told(&d, 0), STR("s3:PutLifecycleConfiguration arn:aws:s3:::b@111122223333"));
}

TEST(names_urls_and_arns)
{
	struct sqs_send_message_input send = {.queue_url = STR("http://localhost:4566/444455556666/q")};
	struct authz_demands d = demands(&wire_service_sqs, SQS_OP_SEND_MESSAGE, &send);
	CHECK_STR(told(&d, 0), STR("sqs:SendMessage arn:aws:sqs:us-east-1:444455556666:q@444455556666"));
	struct sqs_create_queue_input create = {.queue_name = STR("new")};
	d = demands(&wire_service_sqs, SQS_OP_CREATE_QUEUE, &create);
	CHECK_STR(told(&d, 0), STR("sqs:CreateQueue arn:aws:sqs:us-east-1:111122223333:new@111122223333"));
	struct sns_publish_input publish = {.topic_arn = STR("arn:aws:sns:eu-west-1:444455556666:t")};
	d = demands(&wire_service_sns, SNS_OP_PUBLISH, &publish);
	CHECK_STR(told(&d, 0), STR("sns:Publish arn:aws:sns:eu-west-1:444455556666:t@444455556666"));
	struct sns_create_topic_input topic = {.name = STR("t")};
	d = demands(&wire_service_sns, SNS_OP_CREATE_TOPIC, &topic);
	CHECK_STR(told(&d, 0), STR("sns:CreateTopic arn:aws:sns:us-east-1:111122223333:t@111122223333"));
	struct lambda_invoke_input invoke = {.function_name = STR("f")};
	d = demands(&wire_service_lambda, LAMBDA_OP_INVOKE, &invoke);
	CHECK_STR(told(&d, 0),
		STR("lambda:InvokeFunction arn:aws:lambda:us-east-1:111122223333:function:f@111122223333"));
	invoke.function_name = STR("arn:aws:lambda:us-west-2:444455556666:function:g");
	d = demands(&wire_service_lambda, LAMBDA_OP_INVOKE, &invoke);
	CHECK_STR(told(&d, 0),
		STR("lambda:InvokeFunction arn:aws:lambda:us-west-2:444455556666:function:g@444455556666"));
	struct ssm_get_parameter_input parameter = {.name = STR("/a/b")};
	d = demands(&wire_service_ssm, SSM_OP_GET_PARAMETER, &parameter);
	CHECK_STR(told(&d, 0), STR("ssm:GetParameter arn:aws:ssm:us-east-1:111122223333:parameter/a/b@111122223333"));
	struct kms_delete_alias_input alias = {.alias_name = STR("alias/x")};
	d = demands(&wire_service_kms, KMS_OP_DELETE_ALIAS, &alias);
	CHECK_STR(told(&d, 0), STR("kms:DeleteAlias arn:aws:kms:us-east-1:111122223333:alias/x@111122223333"));
}

TEST(many)
{
	struct dynamodb_query_input query = {.table_name = STR("t")};
	struct authz_demands d = demands(&wire_service_dynamodb, DYNAMODB_OP_QUERY, &query);
	CHECK_STR(told(&d, 0), STR("dynamodb:Query arn:aws:dynamodb:us-east-1:111122223333:table/t@111122223333"));
	query.index_name = STR("i");
	d = demands(&wire_service_dynamodb, DYNAMODB_OP_QUERY, &query);
	CHECK(d.n == 1);
	CHECK_STR(told(&d, 0),
		STR("dynamodb:Query arn:aws:dynamodb:us-east-1:111122223333:table/t/index/i@111122223333"));
	struct dynamodb_batch_get_request_map_entry tables[] = {{.key = STR("t1")}, {.key = STR("t2")}};
	struct dynamodb_batch_get_item_input batch = {.request_items = {tables, 2}};
	d = demands(&wire_service_dynamodb, DYNAMODB_OP_BATCH_GET_ITEM, &batch);
	CHECK_STR(told(&d, 0),
		STR("dynamodb:BatchGetItem arn:aws:dynamodb:us-east-1:111122223333:table/t1@111122223333 "
		"arn:aws:dynamodb:us-east-1:111122223333:table/t2@111122223333"));
	struct str ids[] = {{"i-1", 3}, {"i-2", 3}};
	struct ec2_terminate_instances_input terminate = {.instance_ids = {ids, 2}};
	d = demands(&wire_service_ec2, EC2_OP_TERMINATE_INSTANCES, &terminate);
	CHECK_STR(told(&d, 0),
		STR("ec2:TerminateInstances arn:aws:ec2:us-east-1:111122223333:instance/i-1@111122223333 "
		"arn:aws:ec2:us-east-1:111122223333:instance/i-2@111122223333"));
	d = demands(&wire_service_ec2, EC2_OP_DESCRIBE_INSTANCES, NULL);
	CHECK_STR(told(&d, 0), STR("ec2:DescribeInstances *@111122223333"));
}

TEST(request_tags)
{
	struct sqs_tag_map_entry tags[] = {{STR("team"), STR("red")}, {STR("cost"), STR("1")}};
	struct sqs_create_queue_input create = {.queue_name = STR("q"), .tags = {tags, 2}};
	struct wire_match m = {.service = &wire_service_sqs, .op = &wire_service_sqs.tables.ops[SQS_OP_CREATE_QUEUE]};
	struct policy_context c = POLICY_CONTEXT_IN(&arena);
	authz_request_tags(&arena, &m, &create, &c);
	CHECK_STR(policy_context_get(&c, STR("aws:RequestTag/team"))->values[0], STR("red"));
	CHECK(policy_context_get(&c, STR("aws:tagkeys"))->n == 2);

	struct ec2_tag list[] = {{STR("team"), STR("blue")}, {STR("empty"), STR_NONE}};
	struct ec2_tag_specification specification = {.resource_type = STR("instance"), .tags = {list, 2}};
	struct ec2_run_instances_input run = {.tag_specifications = {&specification, 1}};
	m = (struct wire_match){.service = &wire_service_ec2, .op = &wire_service_ec2.tables.ops[EC2_OP_RUN_INSTANCES]};
	c = POLICY_CONTEXT_IN(&arena);
	authz_request_tags(&arena, &m, &run, &c);
	CHECK_STR(policy_context_get(&c, STR("aws:RequestTag/team"))->values[0], STR("blue"));
	CHECK_STR(policy_context_get(&c, STR("aws:RequestTag/empty"))->values[0], STR(""));

	struct str keys[] = {{"team", 4}};
	struct sqs_untag_queue_input untag = {.queue_url = STR("q"), .tag_keys = {keys, 1}};
	m = (struct wire_match){.service = &wire_service_sqs, .op = &wire_service_sqs.tables.ops[SQS_OP_UNTAG_QUEUE]};
	c = POLICY_CONTEXT_IN(&arena);
	authz_request_tags(&arena, &m, &untag, &c);
	CHECK(policy_context_get(&c, STR("aws:TagKeys"))->n == 1);
	CHECK(policy_context_get(&c, STR("aws:RequestTag/team")) == NULL);

	struct sqs_send_message_input send = {.queue_url = STR("q")};
	m = (struct wire_match){.service = &wire_service_sqs, .op = &wire_service_sqs.tables.ops[SQS_OP_SEND_MESSAGE]};
	c = POLICY_CONTEXT_IN(&arena);
	authz_request_tags(&arena, &m, &send, &c);
	CHECK(policy_context_get(&c, STR("aws:TagKeys")) == NULL);
}

TEST_MAIN()
