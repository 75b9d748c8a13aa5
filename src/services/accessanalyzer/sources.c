/* What can be shared by a policy, as the services have stored it: buckets, roles, keys, queues, secrets, tables ("IAM
 * Access Analyzer resource types for external and internal access"). Roles and buckets' owners are global, the rest is
 * this region's. */
#include "dynamodb_state.h"
#include "kms_state.h"
#include "secretsmanager_state.h"
#include "services/accessanalyzer/room.h"
#include "services/iam/door.h"
#include "services/s3/access.h"
#include "services/s3/acl.h"
#include "services/s3/public.h"
#include "sqs_state.h"

struct source {
	struct call *c;
	struct aa_resources *out;
};

static void add(struct source *s, const char *type, struct str arn, struct str policy, const char *how)
{
	*VEC_PUSH(s->c->arena, s->out, &s->out->capacity) =
		(struct aa_resource){.arn = arn, .type = str_c(type), .policy = policy, .source = str_c(how)};
}

/* The records of one kind in this account and region ("" for what is global), one by one. name: the key's last element.
 */
typedef status (*record_fn)(struct source *s, struct str name, struct str value);

static status each(struct source *s, const char *service, const char *kind, struct str region, record_fn fn)
{
	struct call *c = s->c;
	struct key k = key_for(c->arena, str_c(service), str_c(kind), c->account, region);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(str_dup(c->arena, key), from.n), name;
		TRY(key_read_str(c->arena, &rest, &name));
		TRY(fn(s, name, str_dup(c->arena, value)));
	}
	return store_scan_end(scan);
}

static status role(struct source *s, struct str name, struct str value)
{
	struct iam_rec_entity r = {0};
	(void)name;
	TRY(iam_rec_entity_decode(s->c->arena, value, &r));
	if (str_has(r.service)) return OK; /* service-linked */
	add(s, "AWS::IAM::Role",
		str_fmt(s->c->arena, "arn:%.*s:iam::%.*s:role%.*s%.*s", STR_ARG(s->c->partition),
			STR_ARG(s->c->account), STR_ARG(r.path), STR_ARG(r.name)),
		r.trust, "POLICY");
	return OK;
}

static status key(struct source *s, struct str name, struct str value)
{
	struct kms_rec_key r = {0};
	TRY(kms_rec_key_decode(s->c->arena, value, &r));
	add(s, "AWS::KMS::Key", call_arn(s->c, STR("kms"), "key/%.*s", STR_ARG(name)), r.policy, "POLICY");
	return OK;
}

static status queue(struct source *s, struct str name, struct str value)
{
	struct sqs_rec_queue r = {0};
	struct str policy = STR_NONE;
	(void)name;
	TRY(sqs_rec_queue_decode(s->c->arena, value, &r));
	for (size_t i = 0; i < r.attributes.n; i++)
		if (str_is(r.attributes.v[i].key, "Policy")) policy = r.attributes.v[i].value;
	add(s, "AWS::SQS::Queue", call_arn(s->c, STR("sqs"), "%.*s", STR_ARG(r.name)), policy, "POLICY");
	return OK;
}

static status secret(struct source *s, struct str name, struct str value)
{
	struct secretsmanager_rec_secret r = {0};
	TRY(secretsmanager_rec_secret_decode(s->c->arena, value, &r));
	if (r.deletion.has) return OK;
	add(s, "AWS::SecretsManager::Secret",
		call_arn(s->c, STR("secretsmanager"), "secret:%.*s-%.*s", STR_ARG(name), STR_ARG(r.suffix)), r.policy,
		"POLICY");
	return OK;
}

static status table(struct source *s, struct str name, struct str value)
{
	struct dynamodb_rec_table r = {0};
	(void)name;
	TRY(dynamodb_rec_table_decode(s->c->arena, value, &r));
	add(s, "AWS::DynamoDB::Table", call_arn(s->c, STR("dynamodb"), "table/%.*s", STR_ARG(r.name)), r.policy,
		"POLICY");
	return OK;
}

/* An ACL's grants amount to statements ("Mapping of ACL permissions and access policy permissions"). */
static struct str acl_policy(struct call *c, const struct s3_rec_bucket *b, bool ignore_public)
{
	struct buf text = BUF_IN(c->arena);
	size_t n = 0;
	buf_lit(&text, "{\"Version\":\"2012-10-17\",\"Statement\":[");
	for (size_t i = 0; i < b->grants.n; i++) {
		const struct s3_rec_grant *g = &b->grants.v[i];
		bool group = str_has(g->group) && g->group.n, all = str_is(g->permission, "FULL_CONTROL");
		if ((group && (ignore_public || str_find(g->group, STR("LogDelivery")) >= 0)) ||
			str_eq(str_or(g->account, STR("")), b->owner))
			continue;
		if (n++) buf_byte(&text, ',');
		buf_lit(&text, "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":");
		json_quote(&text, group ? STR("*") : g->account);
		buf_lit(&text, "},\"Action\":[");
		if (all || str_is(g->permission, "READ"))
			buf_lit(&text, "\"s3:ListBucket\",\"s3:ListBucketVersions\",");
		if (all || str_is(g->permission, "WRITE")) buf_lit(&text, "\"s3:PutObject\",\"s3:DeleteObject\",");
		if (all || str_is(g->permission, "READ_ACP")) buf_lit(&text, "\"s3:GetBucketAcl\",");
		if (all || str_is(g->permission, "WRITE_ACP")) buf_lit(&text, "\"s3:PutBucketAcl\",");
		text.n--;
		buf_fmt(&text, "],\"Resource\":\"arn:aws:s3:::%.*s\"}", STR_ARG(b->name));
	}
	buf_lit(&text, "]}");
	return n ? buf_done(&text) : STR_NONE;
}

static status bucket(struct source *s, struct str name)
{
	struct call *c = s->c;
	struct s3_rec_bucket b = {0};
	struct str bytes, text = STR_NONE;
	unsigned bits;
	TRY(store_get(c->tx, s3_key_bucket(c->arena, c->partition, name), &bytes));
	TRY(s3_rec_bucket_decode(c->arena, bytes, &b));
	if (!str_eq(b.region, c->region)) return OK;
	TRY(s3_bucket_public(c->tx, c->arena, &b, &bits));
	if (b.policy.has) {
		struct key k = s3_key_space(c->arena, STR("policy"), &b);
		TRY(store_get(c->tx, key_done(&k), &text));
		text = str_dup(c->arena, text);
		/* Then only services and the owner's own users come in through it. */
		if (bits & S3_RESTRICT_PUBLIC_BUCKETS && b.policy_public.v) text = STR_NONE;
	}
	struct str arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(b.name));
	add(s, "AWS::S3::Bucket", arn, text, "POLICY");
	if (s3_acl_enabled(&b) && s3_acl_told(b.acl))
		add(s, "AWS::S3::Bucket", arn, acl_policy(c, &b, bits & S3_IGNORE_PUBLIC_ACLS), "BUCKET_ACL");
	return OK;
}

static status buckets(struct source *s)
{
	struct call *c = s->c;
	struct str from = s3_key_owned(c->arena, c->partition, c->account, STR_NONE), at, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &at, &value)) {
		struct str rest = str_from(str_dup(c->arena, at), from.n), name;
		TRY(key_read_str(c->arena, &rest, &name));
		TRY(bucket(s, name));
	}
	return store_scan_end(scan);
}

status aa_resources(struct call *c, struct aa_resources *out)
{
	struct source s = {c, out};
	*out = (struct aa_resources){0};
	TRY(buckets(&s));
	TRY(each(&s, "iam", "role", STR(""), role));
	TRY(each(&s, "kms", "key", c->region, key));
	TRY(each(&s, "sqs", "queue", c->region, queue));
	TRY(each(&s, "secretsmanager", "secret", c->region, secret));
	return each(&s, "dynamodb", "table", c->region, table);
}
