/* Who may use a directory bucket ("Authorizing Regional endpoint APIs with IAM", "Authorizing Zonal endpoint API
 * operations with CreateSession"): operations on buckets are actions of s3express; those on objects need a session, for
 * which s3express:CreateSession is asked once. CopyObject, UploadPartCopy and HeadBucket ask it with each request, as
 * do here all requests that come without a session: clients that know no sessions can so use a directory bucket, too.
 */
#include "call/inside.h"
#include "policy/authz.h"
#include "policy/provider.h"
#include "services/s3/access.h"
#include "services/s3/express.h"
#include "services/s3/object.h"

/* No role can have this name. */
#define SESSION_NAME "s3express session"

struct principal s3_express_principal(struct call *c, struct str bucket, bool writes)
{
	struct arena *a = c->arena;
	return (struct principal){.kind = PRINCIPAL_ASSUMED_ROLE,
		.account = c->principal.account,
		.arn = str_fmt(a, "arn:%.*s:s3express:%.*s:%.*s:session/%.*s", STR_ARG(c->partition),
			STR_ARG(c->region), STR_ARG(c->principal.account), STR_ARG(c->principal.user_id)),
		.user_id = c->principal.user_id,
		.name = STR(SESSION_NAME),
		.session = str_fmt(a, "%s %.*s", writes ? "ReadWrite" : "ReadOnly", STR_ARG(bucket)),
		.session_record = STR("")};
}

bool s3_express_session(const struct call *c, struct str *bucket, bool *writes)
{
	if (c->principal.kind != PRINCIPAL_ASSUMED_ROLE || !str_is(c->principal.name, SESSION_NAME)) return false;
	*bucket = c->principal.session;
	*writes = str_is(str_cut(bucket, ' '), "ReadWrite");
	return true;
}

static const char session_kind[] = "s3.session";

static struct str session_key(struct arena *a, struct str access_key)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, STR("session"));
	key_str(&k, access_key);
	return key_done(&k);
}

void s3_express_remember(struct call *c, const struct principal *session)
{
	const struct principal *p = &c->principal;
	struct s3_rec_session r = {.kind = SOME_I32((int32_t)p->kind),
		.account = p->account,
		.arn = p->arn,
		.user_id = p->user_id,
		.access_key = p->access_key,
		.name = p->name,
		.session = p->session,
		.session_record = p->session_record};
	struct job job = {.kind = str_c(session_kind),
		.id = session->access_key,
		.due_ms = session->expires_ms,
		.payload = STR("")};
	store_put(c->tx, session_key(c->arena, session->access_key), s3_rec_session_encode(c->arena, &r));
	jobs_schedule(c->tx, &job);
}

static status forget(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	(void)ctx;
	(void)again_ms;
	store_delete(tx, session_key(a, job->id));
	return OK;
}

void s3_express_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, session_kind, forget, cloud);
}

/* May whoever's session this is do what sessions are not for? SDKs that were given an endpoint sign operations on
 * buckets so, too. */
static status ask_issuer(struct call *c, struct store_tx *tx, const void *in, const char *action, struct str arn)
{
	struct str bytes, why;
	struct s3_rec_session r = {0};
	if (!is_ok(store_get(tx, session_key(c->arena, c->principal.access_key), &bytes)) ||
		!is_ok(s3_rec_session_decode(c->arena, bytes, &r)))
		return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	struct str none = STR("");
	struct inside_caller who = {.region = c->region,
		.agent = STR("s3.amazonaws.com"),
		.principal = {.kind = (enum principal_kind)r.kind.v,
			.account = str_or(r.account, none),
			.arn = str_or(r.arn, none),
			.user_id = str_or(r.user_id, none),
			.access_key = str_or(r.access_key, none),
			.name = str_or(r.name, none),
			.session = str_or(r.session, none),
			.session_record = str_or(r.session_record, none)}};
	if (inside_may(c->cloud, &who, "s3", c->match.op_index, in, str_c(action), arn, c->arena, &why)) return OK;
	return call_fail(c, ERR_ACCESS_DENIED, "%.*s", STR_ARG(why));
}

static const struct {
	uint16_t op;
	const char *action;
} regional[] = {
	{S3_OP_CREATE_BUCKET, "s3express:CreateBucket"},
	{S3_OP_DELETE_BUCKET, "s3express:DeleteBucket"},
	{S3_OP_GET_BUCKET_POLICY, "s3express:GetBucketPolicy"},
	{S3_OP_PUT_BUCKET_POLICY, "s3express:PutBucketPolicy"},
	{S3_OP_DELETE_BUCKET_POLICY, "s3express:DeleteBucketPolicy"},
	{S3_OP_GET_BUCKET_ENCRYPTION, "s3express:GetEncryptionConfiguration"},
	{S3_OP_PUT_BUCKET_ENCRYPTION, "s3express:PutEncryptionConfiguration"},
	{S3_OP_DELETE_BUCKET_ENCRYPTION, "s3express:PutEncryptionConfiguration"},
	{S3_OP_GET_BUCKET_LIFECYCLE_CONFIGURATION, "s3express:GetLifecycleConfiguration"},
	{S3_OP_PUT_BUCKET_LIFECYCLE_CONFIGURATION, "s3express:PutLifecycleConfiguration"},
	{S3_OP_DELETE_BUCKET_LIFECYCLE, "s3express:PutLifecycleConfiguration"},
	{S3_OP_GET_BUCKET_METRICS_CONFIGURATION, "s3express:GetMetricsConfiguration"},
	{S3_OP_LIST_BUCKET_METRICS_CONFIGURATIONS, "s3express:GetMetricsConfiguration"},
	{S3_OP_PUT_BUCKET_METRICS_CONFIGURATION, "s3express:PutMetricsConfiguration"},
	{S3_OP_DELETE_BUCKET_METRICS_CONFIGURATION, "s3express:PutMetricsConfiguration"},
};

bool s3_express_action(struct str name)
{
	for (size_t i = 0; i < sizeof regional / sizeof *regional; i++)
		if (str_ieq(name, str_c(regional[i].action))) return true;
	return str_ieq(name, STR("s3express:CreateSession"));
}

static const char *regional_action(uint32_t op)
{
	for (size_t i = 0; i < sizeof regional / sizeof *regional; i++)
		if (regional[i].op == op) return regional[i].action;
	return NULL;
}

/* What a ReadOnly session covers (CreateSession, SessionMode). */
static bool reads_only(uint32_t op)
{
	return op == S3_OP_GET_OBJECT || op == S3_OP_HEAD_OBJECT || op == S3_OP_GET_OBJECT_ATTRIBUTES ||
	       op == S3_OP_LIST_OBJECTS_V2 || op == S3_OP_LIST_PARTS || op == S3_OP_LIST_MULTIPART_UPLOADS ||
	       op == S3_OP_HEAD_BUCKET;
}

static status attach(struct call *c, struct store_tx *tx, struct authz_demands *d, struct policy_resource *r,
	const struct s3_rec_bucket *b)
{
	struct policy *policy;
	if (!b->policy.has) return OK;
	bool owner = str_eq(c->account, b->owner), root = owner && c->principal.kind == PRINCIPAL_ROOT;
	bool about_policy = c->match.op_index == S3_OP_PUT_BUCKET_POLICY ||
			    c->match.op_index == S3_OP_GET_BUCKET_POLICY ||
			    c->match.op_index == S3_OP_DELETE_BUCKET_POLICY;
	if (root && about_policy) return OK;
	TRY(s3_policy_load(tx, c->arena, s3_state_of(c->cloud)->policies, b, false, &policy));
	if (policy) authz_attach(c->arena, d, r, policy);
	return OK;
}

/* What a session covers needs no policy: it has the one that lets it in. */
static status let_in(struct call *c, struct authz_demands *d, const struct s3_rec_bucket *b)
{
	static const char text[] =
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},"
		"\"Action\":\"s3express:CreateSession\",\"Resource\":\"*\"}]}";
	struct policy_source source = {.type = POLICY_RESOURCE, .label = STR("session")};
	struct policy *policy;
	struct policy_resource *r = authz_add(c->arena, d, STR("s3express:CreateSession"), s3_express_arn(c, b));
	r->account = c->account;
	TRY(policy_library_get(s3_state_of(c->cloud)->policies, STR("session"), str_c(text), &source, &policy, NULL));
	authz_attach(c->arena, d, r, policy);
	return OK;
}

/* One demand on a directory bucket. */
static status demand(struct call *c, struct store_tx *tx, struct authz_demands *d, struct policy_context *context,
	const void *in, struct str name, bool source)
{
	struct str session, bytes;
	struct s3_rec_bucket b = {.name = name, .region = c->region, .owner = c->account};
	uint32_t op = c->match.op_index;
	bool writes, there = is_ok(store_get(tx, s3_key_bucket(c->arena, c->partition, name), &bytes));
	if (there) TRY(s3_rec_bucket_decode(c->arena, bytes, &b));
	if (!there && op != S3_OP_CREATE_BUCKET && op != S3_OP_CREATE_SESSION)
		return source ? OK : s3_no_such_bucket(c, name);
	const char *action = source ? NULL : regional_action(op);
	if (!there && op == S3_OP_CREATE_SESSION) action = "s3express:CreateBucket";
	bool needs_write = !source && !reads_only(op) && op != S3_OP_CREATE_SESSION;
	if (s3_express_session(c, &session, &writes)) {
		if (op == S3_OP_CREATE_SESSION || !str_eq(session, name) || (needs_write && !writes))
			return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
		if (action) TRY(ask_issuer(c, tx, in, action, s3_express_arn(c, &b)));
		return let_in(c, d, &b);
	}
	struct policy_resource *r =
		authz_add(c->arena, d, action ? str_c(action) : STR("s3express:CreateSession"), s3_express_arn(c, &b));
	r->account = b.owner;
	if (!action) {
		struct str mode = needs_write ? STR("ReadWrite") : STR("ReadOnly");
		if (op == S3_OP_CREATE_SESSION && in)
			mode = str_or(((const struct s3_create_session_input *)in)->session_mode, STR("ReadWrite"));
		policy_context_set(context, STR("s3express:SessionMode"), mode);
	}
	return there ? attach(c, tx, d, r, &b) : OK;
}

static void split(struct str arn, struct str *bucket)
{
	for (int i = 0; i < 5; i++) (void)str_cut(&arn, ':');
	*bucket = str_has(arn) ? str_cut(&arn, '/') : STR_NONE;
}

status s3_express_authorize(
	struct call *c, struct store_tx *tx, const void *in, struct authz_demands *d, struct policy_context *context)
{
	uint32_t op = c->match.op_index;
	struct str mine = call_input_string(c, in, "Bucket"), source = STR_NONE, session, bucket, key, version;
	bool writes;
	if (op == S3_OP_LIST_DIRECTORY_BUCKETS) {
		d->n = 0;
		authz_add(c->arena, d, STR("s3express:ListAllMyDirectoryBuckets"), STR("*"));
		return OK;
	}
	if (op == S3_OP_COPY_OBJECT || op == S3_OP_UPLOAD_PART_COPY) {
		TRY(s3_copy_source_split(
			c, str_or(call_input_string(c, in, "CopySource"), STR("")), &bucket, &key, &version));
		if (str_has(s3_express_zone(bucket))) source = bucket;
	}
	bool directory = str_has(mine) && str_has(s3_express_zone(mine));
	/* A session lets into its bucket and nowhere else. */
	if (!directory && s3_express_session(c, &session, &writes))
		return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	if (!directory && !str_has(source)) return OK;
	if (directory && !s3_express_serves(op))
		return call_fail(
			c, S3_ERR_METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.");
	/* What stays is asked of other buckets. */
	size_t kept = 0;
	for (size_t i = 0; i < d->n; i++) {
		struct str on = STR_NONE;
		if (d->v[i].n) split(d->v[i].resources[0].arn, &on);
		if (str_has(on) && str_has(s3_express_zone(on))) continue;
		if (directory && (!str_has(on) || str_is(on, "*"))) continue;
		d->v[kept++] = d->v[i];
	}
	d->n = kept;
	if (!tx) return OK;
	if (directory) TRY(demand(c, tx, d, context, in, mine, false));
	return str_has(source) && !str_eq(source, mine) ? demand(c, tx, d, context, in, source, true) : OK;
}
