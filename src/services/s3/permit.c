/* Who may use a bucket and an object. What the policy engine is asked here is: the operation's actions and resources
 * beyond the authorization reference ("Required permissions for Amazon S3 API operations": a copy reads its source, a
 * batch deletes versions where it names them, whoever may not list must not learn that a key is not there), whose the
 * resources are, and what lets others use them: the bucket's policy, and ACLs, each of which amounts to a small policy
 * ("Access control list (ACL) overview", mapping of ACL permissions and access policy permissions). Block Public Access
 * takes away what it blocks. */
#include "policy/authz.h"
#include "policy/provider.h"
#include "services/s3/access.h"
#include "services/s3/acl.h"
#include "services/s3/express.h"
#include "services/s3/lock.h"
#include "services/s3/noted.h"
#include "services/s3/object.h"
#include "services/s3/point.h"
#include "services/s3/public.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

struct permission {
	struct call *c;
	struct store_tx *tx;
	const void *in;
	struct authz_demands *demands;
	struct s3_rec_bucket bucket; /* the last one that was looked at; id absent: none of that name */
	struct str source_arn, source_version;
};

/* ── what is asked for ── */

static struct str object_arn(struct call *c, struct str bucket, struct str key)
{
	return str_fmt(c->arena, "arn:%.*s:s3:::%.*s/%.*s", STR_ARG(c->partition), STR_ARG(bucket), STR_ARG(key));
}

/* A string member of the input by its name in the model; STR_NONE where the operation has none. */
static struct str member(const struct call *c, const void *in, const char *name)
{
	const struct wire_tables *t = &c->match.service->tables;
	struct str value = STR_NONE;
	if (!in || c->match.op->in == WIRE_NO_SHAPE) return value;
	const struct wire_shape *s = &t->shapes[c->match.op->in];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		if (t->shapes[m->shape].kind != WIRE_STRING || !str_eq(wire_str(t, m->name), str_c(name))) continue;
		memcpy(&value, (const char *)in + m->offset, sizeof value);
	}
	return value;
}

static status demand_source(struct permission *p, struct str copy_source)
{
	struct call *c = p->c;
	struct str bucket, key;
	TRY(s3_copy_source_split(c, copy_source, &bucket, &key, &p->source_version));
	p->source_arn = object_arn(c, bucket, key);
	authz_add(c->arena, p->demands, str_has(p->source_version) ? STR("s3:GetObjectVersion") : STR("s3:GetObject"),
		p->source_arn);
	return OK;
}

static void demand_versions(struct permission *p, const struct s3_delete_objects_input *in)
{
	p->demands->n = 0;
	for (size_t i = 0; in->delete &&i < in->delete->objects.n; i++) {
		const struct s3_object_identifier *o = &in->delete->objects.v[i];
		authz_add(p->c->arena, p->demands,
			str_has(o->version_id) ? STR("s3:DeleteObjectVersion") : STR("s3:DeleteObject"),
			object_arn(p->c, in->bucket, o->key));
	}
}

/* The reference gives some operations no resource, although they have one. */
static void name_resources(struct permission *p)
{
	struct call *c = p->c;
	struct str bucket = member(c, p->in, "Bucket"), key = member(c, p->in, "Key");
	if (!str_has(bucket)) return;
	for (size_t i = 0; i < p->demands->n; i++)
		for (size_t j = 0; j < p->demands->v[i].n; j++) {
			struct policy_resource *r = &p->demands->v[i].resources[j];
			if (!str_is(r->arn, "*")) continue;
			r->arn = str_has(key) ? object_arn(c, bucket, key)
					      : str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition),
							STR_ARG(bucket));
		}
}

static bool is_upload(uint32_t op)
{
	return op == S3_OP_PUT_OBJECT || op == S3_OP_COPY_OBJECT || op == S3_OP_CREATE_MULTIPART_UPLOAD ||
	       op == S3_OP_UPLOAD_PART || op == S3_OP_UPLOAD_PART_COPY || op == S3_OP_COMPLETE_MULTIPART_UPLOAD;
}

/* ── what is there ── */

static void split_arn(struct str arn, struct str *bucket, struct str *key)
{
	for (int i = 0; i < 5; i++) (void)str_cut(&arn, ':');
	*key = arn;
	*bucket = str_has(arn) ? str_cut(key, '/') : STR_NONE;
}

static status load_bucket(struct permission *p, struct str name)
{
	struct str bytes;
	struct arena *a = p->c->arena;
	if (p->bucket.id.has && str_eq(p->bucket.name, name)) return OK;
	p->bucket = (struct s3_rec_bucket){0};
	status s = store_get(p->tx, s3_key_bucket(a, p->c->partition, name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(s3_rec_bucket_decode(a, bytes, &p->bucket));
	s3_note(p->c, p->tx, &p->bucket); /* what is denied is logged, too */
	return OK;
}

/* Actions on an object that is there, whose ACL or tags may decide. */
static bool on_object(const struct permission *p, struct str action, struct str arn)
{
	if (str_starts(action, STR("s3:Get"))) return true;
	if (is_upload(p->c->match.op_index))
		return str_has(p->source_arn) && str_eq(p->source_arn, arn) && !str_is(action, "s3:PutObject");
	return str_starts(action, STR("s3:PutObject")) || str_starts(action, STR("s3:DeleteObject")) ||
	       str_is(action, "s3:RestoreObject");
}

static status load_object(struct permission *p, struct str arn, struct str key, struct s3_rec_object *o)
{
	struct call *c = p->c;
	struct store_tx *own = c->tx;
	struct str version = member(c, p->in, "VersionId");
	if (str_has(p->source_arn) && str_eq(p->source_arn, arn)) version = p->source_version;
	c->tx = p->tx;
	status s = s3_version_load(c, &p->bucket, key, version, o, NULL);
	c->tx = own;
	return s;
}

static void describe_object(struct permission *p, const struct s3_rec_object *o, struct policy_resource *r)
{
	struct call *c = p->c;
	if (!o->tags.n) return;
	r->context = arena_new(c->arena, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(c->arena);
	for (size_t i = 0; i < o->tags.n; i++)
		policy_context_set_tag(r->context, STR("s3:ExistingObjectTag/"), o->tags.v[i].key, o->tags.v[i].value);
}

/* ── what lets others in ── */

/* An ACL's grant as a policy: of an account, whose own policies have to allow too, or of everyone in a group. */
static status attach_grant(struct permission *p, struct policy_resource *r, struct str account)
{
	struct s3_state *state = s3_state_of(p->c->cloud);
	struct policy *policy;
	struct policy_source source = {.type = POLICY_RESOURCE, .label = STR("ACL")};
	struct str text = str_fmt(p->c->arena,
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"%.*s\"},"
		"\"Action\":\"*\","
		"\"Resource\":\"*\"}]}",
		STR_ARG(account));
	TRY(policy_library_get(
		state->policies, str_fmt(p->c->arena, "acl:%.*s", STR_ARG(account)), text, &source, &policy, NULL));
	authz_attach(p->c->arena, p->demands, r, policy);
	return OK;
}

static status apply_grants(struct permission *p, struct policy_resource *r, const struct s3_rec_grants *grants,
	unsigned needed, bool ignore_public)
{
	unsigned by_name, by_group;
	s3_acl_judge(grants, p->c->account, &by_name, &by_group);
	if (by_group & needed && !ignore_public) TRY(attach_grant(p, r, STR("*")));
	return by_name & needed ? attach_grant(p, r, p->c->account) : OK;
}

static unsigned bucket_permission(struct str action)
{
	if (str_is(action, "s3:ListBucket") || str_is(action, "s3:ListBucketVersions") ||
		str_is(action, "s3:ListBucketMultipartUploads"))
		return S3_MAY_READ;
	if (str_is(action, "s3:GetBucketAcl")) return S3_MAY_READ_ACP;
	if (str_is(action, "s3:PutBucketAcl")) return S3_MAY_WRITE_ACP;
	return 0;
}

static unsigned object_permission(struct str action)
{
	if (str_is(action, "s3:GetObject") || str_is(action, "s3:GetObjectVersion")) return S3_MAY_READ;
	if (str_is(action, "s3:GetObjectAcl") || str_is(action, "s3:GetObjectVersionAcl")) return S3_MAY_READ_ACP;
	if (str_is(action, "s3:PutObjectAcl") || str_is(action, "s3:PutObjectVersionAcl")) return S3_MAY_WRITE_ACP;
	return 0;
}

/* What WRITE on a bucket lets one do with its objects. */
static bool is_write(struct str action, bool upload)
{
	return str_is(action, "s3:PutObject") || str_is(action, "s3:DeleteObject") ||
	       str_is(action, "s3:AbortMultipartUpload") || str_is(action, "s3:ListMultipartUploadParts") ||
	       (upload && (str_is(action, "s3:PutObjectAcl") || str_is(action, "s3:PutObjectTagging")));
}

/* "Amazon S3 restricts access to [a bucket with a public policy] to only AWS service principals and authorized users
 * within the bucket owner's account" ("Blocking public access", RestrictPublicBuckets). The owner's root can always
 * reach the policy itself. */
static status attach_policy(
	struct permission *p, struct policy_resource *r, struct str action, unsigned bits, bool foreign_object)
{
	struct call *c = p->c;
	const struct s3_rec_bucket *b = &p->bucket;
	struct s3_state *state = s3_state_of(c->cloud);
	struct policy *policy;
	if (!b->policy.has) return OK;
	bool owner = str_eq(c->account, b->owner);
	bool about_policy = str_is(action, "s3:PutBucketPolicy") || str_is(action, "s3:GetBucketPolicy") ||
			    str_is(action, "s3:DeleteBucketPolicy");
	if (owner && c->principal.kind == PRINCIPAL_ROOT && about_policy) return OK;
	bool restricted = bits & S3_RESTRICT_PUBLIC_BUCKETS && b->policy_public.v && !owner &&
			  c->principal.kind != PRINCIPAL_SERVICE;
	/* "A bucket policy … applies only to objects that are owned by the bucket owner" as far as it allows. */
	TRY(s3_policy_load(p->tx, c->arena, state->policies, b, restricted || foreign_object, &policy));
	if (policy) authz_attach(c->arena, p->demands, r, policy);
	return OK;
}

static bool hides_keys(const struct permission *p)
{
	uint32_t op = p->c->match.op_index;
	return op == S3_OP_GET_OBJECT || op == S3_OP_HEAD_OBJECT || op == S3_OP_GET_OBJECT_ATTRIBUTES ||
	       op == S3_OP_COPY_OBJECT || op == S3_OP_UPLOAD_PART_COPY || op == S3_OP_GET_OBJECT_TAGGING ||
	       op == S3_OP_GET_OBJECT_ACL || op == S3_OP_SELECT_OBJECT_CONTENT;
}

/* One resource of one action. *list: the caller has to be allowed to list, too. */
static status judge(struct permission *p, struct str action, struct policy_resource *r, bool *list)
{
	struct call *c = p->c;
	const struct s3_rec_bucket *b = &p->bucket;
	struct str bucket, key, owner;
	struct s3_rec_object o = {0};
	unsigned bits = 0;
	*list = false;
	split_arn(r->arn, &bucket, &key);
	if (!str_has(bucket) || c->match.op_index == S3_OP_CREATE_BUCKET) return OK;
	TRY(load_bucket(p, bucket));
	if (!b->id.has)
		return str_eq(bucket, str_or(member(c, p->in, "Bucket"), STR(""))) ? s3_no_such_bucket(c, bucket) : OK;
	r->account = owner = b->owner;
	bool enabled = s3_acl_enabled(b), root = c->principal.kind == PRINCIPAL_ROOT && str_eq(c->account, b->owner);
	/* Nothing but the bucket's owner decides. */
	if (root && !b->policy.has && !enabled) return OK;
	TRY(s3_bucket_public(p->tx, c->arena, b, &bits));
	bool found = false, upload = is_upload(c->match.op_index);
	if (str_has(key) && on_object(p, action, r->arn)) {
		status s = load_object(p, r->arn, key, &o);
		found = is_ok(s);
		if (!found && !status_is(s, STATUS_NOT_FOUND)) return s;
		*list = !found && hides_keys(p);
		if (found) describe_object(p, &o, r);
		/* Whose an object is says who may read it; who may delete or tag it says the bucket ("By default, the
		 * bucket owner has this permission", GetObjectTagging). */
		bool tags = str_ends(action, STR("Tagging"));
		if (found && enabled && str_has(o.owner) && !tags && !str_starts(action, STR("s3:Delete")))
			owner = o.owner;
	}
	r->account = owner;
	bool ignore = bits & S3_IGNORE_PUBLIC_ACLS;
	TRY(attach_policy(p, r, action, bits, !str_eq(owner, b->owner)));
	if (!enabled) return OK;
	if (!str_has(key) && s3_acl_told(b->acl))
		return apply_grants(p, r, &b->grants, bucket_permission(action), ignore);
	if (str_has(key) && is_write(action, upload) && !found && s3_acl_told(b->acl))
		TRY(apply_grants(p, r, &b->grants, S3_MAY_WRITE, ignore));
	if (str_is(action, "s3:DeleteObject") && found && s3_acl_told(b->acl))
		TRY(apply_grants(p, r, &b->grants, S3_MAY_WRITE, ignore));
	return found && s3_acl_told(o.acl) ? apply_grants(p, r, &o.grants, object_permission(action), ignore) : OK;
}

/* ── locks ── */

/* A version under governance can be deleted, or its retention shortened, by who may bypass it. */
static status demand_bypass(struct permission *p, struct str bucket, struct str key, struct str version)
{
	struct call *c = p->c;
	struct s3_rec_object o;
	TRY(load_bucket(p, bucket));
	if (!p->bucket.lock.v) return OK;
	struct store_tx *own = c->tx;
	c->tx = p->tx;
	status s = s3_version_load(c, &p->bucket, key, version, &o, NULL);
	c->tx = own;
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (s3_lock_retained(c, &o) && str_is(o.lock_mode, "GOVERNANCE"))
		authz_add(c->arena, p->demands, STR("s3:BypassGovernanceRetention"), object_arn(c, bucket, key));
	return OK;
}

static status demand_bypasses(struct permission *p)
{
	struct call *c = p->c;
	uint32_t op = c->match.op_index;
	struct str bucket = member(c, p->in, "Bucket");
	if (!s3_lock_bypasses(c)) return OK;
	if (op == S3_OP_DELETE_OBJECT || op == S3_OP_PUT_OBJECT_RETENTION) {
		struct str version = member(c, p->in, "VersionId");
		if (op == S3_OP_DELETE_OBJECT && !str_has(version)) return OK;
		return demand_bypass(p, bucket, member(c, p->in, "Key"), version);
	}
	const struct s3_delete_objects_input *in = p->in;
	for (size_t i = 0; op == S3_OP_DELETE_OBJECTS && in->delete &&i < in->delete->objects.n; i++)
		if (str_has(in->delete->objects.v[i].version_id))
			TRY(demand_bypass(
				p, bucket, in->delete->objects.v[i].key, in->delete->objects.v[i].version_id));
	return OK;
}

/* ── KMS ── */

static status demand_decrypt(struct permission *p, struct str bucket, struct str key, struct str version)
{
	struct call *c = p->c;
	struct s3_rec_object o;
	struct store_tx *own = c->tx;
	TRY(load_bucket(p, bucket));
	if (!p->bucket.id.has) return OK;
	c->tx = p->tx;
	status s = s3_version_load(c, &p->bucket, key, version, &o, NULL);
	c->tx = own;
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return s3_sse_demand(c, p->tx, p->demands, &p->bucket, key, o.sse, STR("kms:Decrypt"));
}

/* Parts are opened and closed with the key of their upload. */
static status demand_for_part(struct permission *p, struct str bucket, struct str key)
{
	struct call *c = p->c;
	struct str bytes;
	struct s3_rec_upload u = {0};
	TRY(load_bucket(p, bucket));
	if (!p->bucket.id.has) return OK;
	struct str id = str_or(member(c, p->in, "UploadId"), STR(""));
	status s = store_get(p->tx, s3_key_upload(c->arena, &p->bucket, key, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(s3_rec_upload_decode(c->arena, bytes, &u));
	return s3_sse_demand(c, p->tx, p->demands, &p->bucket, key, u.object->sse, STR("kms:Decrypt"));
}

static status demand_for_new(struct permission *p, struct str bucket, struct str key)
{
	struct call *c = p->c;
	struct s3_sse_wish wish = {
		.algorithm = member(c, p->in, "ServerSideEncryption"),
		.kms_key = member(c, p->in, "SSEKMSKeyId"),
	};
	struct s3_rec_sse *e;
	struct wire_failure failure = c->failure;
	struct store_tx *own = c->tx;
	if (str_has(member(c, p->in, "SSECustomerKey"))) return OK;
	if (c->match.op_index == S3_OP_UPDATE_OBJECT_ENCRYPTION && p->in) {
		const struct s3_update_object_encryption_input *u = p->in;
		if (!u->object_encryption || !u->object_encryption->ssekms) return OK;
		wish.algorithm = STR("aws:kms");
		wish.kms_key = u->object_encryption->ssekms->kms_key_arn;
	}
	TRY(load_bucket(p, bucket));
	if (!p->bucket.id.has) return OK;
	c->tx = p->tx;
	status s = s3_sse_choose(c, &p->bucket, &wish, &e);
	c->tx = own;
	/* What is wrong with the wish is the operation's to say. */
	c->failure = failure;
	if (status_is(s, STATUS_FAILED)) return OK;
	TRY(s);
	/* "kms:Encrypt" is what a replication's role needs for replicas ("Replicating encrypted objects"). */
	bool replica = p->demands->n && str_is(p->demands->v[0].action, "s3:ReplicateObject");
	return s3_sse_demand(
		c, p->tx, p->demands, &p->bucket, key, e, replica ? STR("kms:Encrypt") : STR("kms:GenerateDataKey"));
}

/* "To upload an object encrypted by using an AWS KMS key to Amazon S3, you need kms:GenerateDataKey permissions on the
 * key. To download …, kms:Decrypt. … multipart upload, … kms:GenerateDataKey and kms:Decrypt" ("Using server-side
 * encryption with AWS KMS keys"). */
static status demand_keys(struct permission *p)
{
	struct call *c = p->c;
	uint32_t op = c->match.op_index;
	struct str bucket = str_or(member(c, p->in, "Bucket"), STR("")), key = str_or(member(c, p->in, "Key"), STR(""));
	bool writes;
	/* A session was asked for its key when it began (CreateSession). */
	if (s3_express_session(c, &(struct str){0}, &writes)) return OK;
	TRY(load_bucket(p, bucket));
	/* A root user is not asked for each read within its own account, whose keys name it in almost every policy. */
	if (c->principal.kind == PRINCIPAL_ROOT && p->bucket.id.has && str_eq(c->account, p->bucket.owner) &&
		!str_has(p->source_arn))
		return OK;
	if (str_has(p->source_arn)) {
		struct str from, name;
		split_arn(p->source_arn, &from, &name);
		TRY(demand_decrypt(p, from, name, p->source_version));
	}
	if (op == S3_OP_GET_OBJECT || op == S3_OP_SELECT_OBJECT_CONTENT || op == S3_OP_GET_OBJECT_ATTRIBUTES)
		return demand_decrypt(p, bucket, key, member(c, p->in, "VersionId"));
	if (op == S3_OP_UPDATE_OBJECT_ENCRYPTION) TRY(demand_decrypt(p, bucket, key, member(c, p->in, "VersionId")));
	if (op == S3_OP_UPDATE_OBJECT_ENCRYPTION || op == S3_OP_PUT_OBJECT || op == S3_OP_COPY_OBJECT ||
		op == S3_OP_CREATE_MULTIPART_UPLOAD || op == S3_OP_CREATE_SESSION)
		return demand_for_new(p, bucket, key);
	if (op == S3_OP_UPLOAD_PART || op == S3_OP_UPLOAD_PART_COPY || op == S3_OP_COMPLETE_MULTIPART_UPLOAD)
		return demand_for_part(p, bucket, key);
	return OK;
}

/* A resource that an access point names: the access point has to allow, and so has the bucket behind it ("the
 * underlying bucket must also allow the same access"), whose policy sees the access point as condition keys. */
static status through_point(struct permission *p, size_t i, size_t j, struct policy_context *context)
{
	struct call *c = p->c;
	struct authz_demand *d = &p->demands->v[i];
	struct str bucket, key, bytes;
	struct s3_rec_point point;
	if (!str_starts(d->action, STR("s3:"))) return OK;
	split_arn(d->resources[j].arn, &bucket, &key);
	if (!str_has(bucket)) return OK;
	if (is_ok(store_get(p->tx, s3_key_bucket(c->arena, c->partition, bucket), &bytes))) return OK;
	status s = s3_point_find(p->tx, c->arena, c->region, bucket, &point);
	if (!is_ok(s)) return status_is(s, STATUS_NOT_FOUND) ? OK : s;
	if (!s3_point_serves(c->match.op_index))
		return call_fail(
			c, S3_ERR_METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.");
	/* virga's API is reached by no VPC endpoint. */
	if (str_has(point.vpc)) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	struct str arn = s3_point_arn(c->arena, c->partition, &point);
	policy_context_set(context, STR("s3:DataAccessPointArn"), arn);
	policy_context_set(context, STR("s3:DataAccessPointAccount"), point.account);
	policy_context_set(context, STR("s3:AccessPointNetworkOrigin"), STR("Internet"));
	d->resources[j].arn =
		str_has(key) ? object_arn(c, point.bucket, key)
			     : str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(point.bucket));
	if (str_has(key)) arn = str_fmt(c->arena, "%.*s/object/%.*s", STR_ARG(arn), STR_ARG(key));
	struct policy_resource *r = authz_add(c->arena, p->demands, d->action, arn);
	r->account = point.account;
	bool restricted = (unsigned)point.public_access.v & S3_RESTRICT_PUBLIC_BUCKETS && point.policy_public.v &&
			  !str_eq(c->account, point.account);
	if (str_has(point.policy) && !restricted) call_attach_policy(c, p->demands, r, false, point.policy);
	return OK;
}

/* arn:aws:s3:REGION:ACCOUNT:accesspoint/… */
static bool is_point_arn(struct str arn)
{
	for (int i = 0; i < 3; i++) (void)str_cut(&arn, ':');
	return str_cut(&arn, ':').n > 0;
}

status s3_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	struct permission p = {.c = c, .tx = tx, .in = in, .demands = demands};
	uint32_t op = c->match.op_index;
	if (op == S3_OP_COPY_OBJECT || op == S3_OP_UPLOAD_PART_COPY)
		TRY(demand_source(&p, str_or(member(c, in, "CopySource"), STR(""))));
	else if (op == S3_OP_DELETE_OBJECTS)
		demand_versions(&p, in);
	name_resources(&p);
	TRY(s3_express_authorize(c, tx, in, demands, context));
	s3_describe_request(c, in, context);
	if (!tx) return OK;
	for (size_t i = 0, n = demands->n; i < n; i++)
		for (size_t j = 0, m = demands->v[i].n; j < m; j++) TRY(through_point(&p, i, j, context));
	TRY(demand_bypasses(&p));
	TRY(demand_keys(&p));
	for (size_t i = 0; i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) {
			struct policy_resource *r = &demands->v[i].resources[j];
			bool list;
			struct str bucket, key;
			if (is_point_arn(r->arn) || !str_starts(demands->v[i].action, STR("s3:"))) continue;
			TRY(judge(&p, demands->v[i].action, r, &list));
			if (!list || demands->v[i].n > 1) continue;
			/* "If the object that you request doesn't exist, the error that Amazon S3 returns depends on
			 * whether you also have the s3:ListBucket permission" (GetObject): that alone decides, as if
			 * this key were listed. */
			split_arn(r->arn, &bucket, &key);
			demands->v[i].action = STR("s3:ListBucket");
			*r = (struct policy_resource){
				.arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(bucket)),
				.account = c->account};
			TRY(judge(&p, demands->v[i].action, r, &list));
			r->context = arena_new(c->arena, struct policy_context);
			*r->context = POLICY_CONTEXT_IN(c->arena);
			policy_context_set(r->context, STR("s3:prefix"), key);
		}
	return OK;
}
