/* Buckets: made, found, listed, removed. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/s3/access.h"
#include "services/s3/acl.h"
#include "services/s3/analysis.h"
#include "services/s3/config.h"
#include "services/s3/express.h"
#include "services/s3/headers.h"
#include "services/s3/lifecycle.h"
#include "services/s3/multipart.h"
#include "services/s3/names.h"
#include "services/s3/page.h"
#include "services/s3/point.h"
#include "services/s3/public.h"
#include "services/s3/records.h"

enum { BUCKETS_MAX = 10000 /* of one account: "Bucket quotas, limitations, and restrictions" */, BUCKET_TAGS_MAX = 50 };

/* ── CreateBucket ── */

static status illegal_location(struct call *c, struct str constraint)
{
	return call_fail(c, S3_ERR_ILLEGAL_LOCATION_CONSTRAINT_EXCEPTION,
		"The %.*s location constraint is incompatible for the region specific endpoint this request was sent "
		"to.",
		STR_ARG(constraint));
}

/* Where the bucket is to be: us-east-1 makes buckets anywhere, every other region its own only. */
static status choose_region(struct call *c, const struct s3_create_bucket_configuration *conf, struct str *region)
{
	struct str constraint = conf ? conf->location_constraint : STR_NONE;
	*region = c->region;
	if (str_empty(constraint)) return str_is(c->region, "us-east-1") ? OK : illegal_location(c, STR("unspecified"));
	if (str_is(constraint, "EU")) constraint = STR("eu-west-1");
	if (!s3_name_is_region(constraint) || str_is(constraint, "us-east-1")) {
		status s = call_fail(
			c, S3_ERR_INVALID_LOCATION_CONSTRAINT, "The specified location-constraint is not valid");
		call_fail_detail(c, STR("LocationConstraint"), constraint);
		return s;
	}
	if (!str_is(c->region, "us-east-1") && !str_eq(constraint, c->region)) return illegal_location(c, constraint);
	*region = constraint;
	return OK;
}

/* A new bucket blocks public access until that is switched off ("Blocking public access", April 2023), so its first ACL
 * cannot be a public one. */
static status check_ownership(struct call *c, const struct s3_create_bucket_input *in, struct s3_rec_bucket *b)
{
	struct s3_acl_request r = {.acl = in->acl,
		.full_control = in->grant_full_control,
		.read = in->grant_read,
		.write = in->grant_write,
		.read_acp = in->grant_read_acp,
		.write_acp = in->grant_write_acp,
		.owner = c->account,
		.of_bucket = true};
	b->ownership = str_has(in->object_ownership) ? in->object_ownership : STR("BucketOwnerEnforced");
	if (!s3_is_ownership(b->ownership))
		return s3_invalid_argument(c, STR("x-amz-object-ownership"), in->object_ownership,
			"Invalid x-amz-object-ownership header: the value must be BucketOwnerPreferred, ObjectWriter "
			"or "
			"BucketOwnerEnforced");
	if (!s3_acl_asked(&r)) return OK;
	bool enforced = !s3_acl_enabled(b);
	TRY(s3_acl_read(c, b, enforced ? 0 : S3_PUBLIC_ALL, &r, &b->grants));
	b->acl = STR("grants");
	if (!enforced) return OK;
	if (s3_acl_shares(b))
		return call_fail(c, S3_ERR_INVALID_BUCKET_ACL_WITH_OBJECT_OWNERSHIP,
			"Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
	b->acl = STR_NONE;
	b->grants = (struct s3_rec_grants){0};
	return OK;
}

static status copy_tags(struct call *c, const struct s3_create_bucket_configuration *conf, struct s3_rec_bucket *b)
{
	size_t capacity = 0;
	if (!conf) return OK;
	for (size_t i = 0; i < conf->tags.n; i++) {
		struct s3_rec_tag t = {conf->tags.v[i].key, str_or(conf->tags.v[i].value, STR(""))};
		TRY(s3_tag_check(c, &t));
		for (size_t j = 0; j < b->tags.n; j++)
			if (str_eq(b->tags.v[j].key, t.key))
				return call_fail(
					c, S3_ERR_INVALID_TAG, "Cannot provide multiple Tags with the same key");
		*VEC_PUSH(c->arena, &b->tags, &capacity) = t;
	}
	if (b->tags.n > BUCKET_TAGS_MAX)
		return call_fail(c, S3_ERR_BAD_REQUEST, "Bucket tag count cannot be greater than %d", BUCKET_TAGS_MAX);
	return OK;
}

static status refuse_unbuilt(struct call *c, const struct s3_create_bucket_input *in)
{
	const struct s3_create_bucket_configuration *conf = in->create_bucket_configuration;
	if (str_has(in->bucket_namespace) && !str_is(in->bucket_namespace, "global"))
		return s3_header_not_implemented(c, STR("x-amz-bucket-namespace"));
	if (conf && (conf->location || conf->bucket))
		return call_fail(
			c, S3_ERR_INVALID_BUCKET_NAME, "The specified bucket is not a directory bucket's name.");
	return OK;
}

static status check_count(struct call *c)
{
	struct str from = s3_key_owned(c->arena, c->partition, c->account, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	unsigned n = 0;
	while (n < BUCKETS_MAX && store_scan_next(scan, &key, &value)) n++;
	TRY(store_scan_end(scan));
	if (n < BUCKETS_MAX) return OK;
	return call_fail(c, S3_ERR_TOO_MANY_BUCKETS, "You have attempted to create more buckets than allowed");
}

static struct str owned_key(struct call *c, const struct s3_rec_bucket *b)
{
	if (s3_is_directory(b)) return s3_express_owned(c->arena, c->partition, b->owner, b->name);
	return s3_key_owned(c->arena, c->partition, b->owner, b->name);
}

static struct str arn_of(struct call *c, const struct s3_rec_bucket *b)
{
	if (s3_is_directory(b)) return s3_express_arn(c, b);
	return str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(b->name));
}

/* What exists already: us-east-1 alone answers a repeated creation by the owner as if it were the first
 * ("CreateBucket", API reference: BucketAlreadyOwnedByYou). */
static status exists(struct call *c, const struct s3_create_bucket_input *in, struct str bytes)
{
	struct s3_rec_bucket b = {0};
	TRY(s3_rec_bucket_decode(c->arena, bytes, &b));
	status s;
	if (!str_eq(b.owner, c->account))
		s = call_fail(c, S3_ERR_BUCKET_ALREADY_EXISTS,
			"The requested bucket name is not available. The bucket namespace is shared by all users of "
			"the system. "
			"Please select a different name and try again.");
	else if (str_is(b.region, "us-east-1") && str_is(c->region, "us-east-1") && !s3_is_directory(&b))
		return OK;
	else
		s = call_fail(c, S3_ERR_BUCKET_ALREADY_OWNED_BY_YOU,
			"Your previous request to create the named bucket succeeded and you already own it.");
	call_fail_detail(c, STR("BucketName"), in->bucket);
	return s;
}

status s3_create_bucket(struct call *c, const struct s3_create_bucket_input *in, struct s3_create_bucket_output *out)
{
	struct s3_rec_bucket b = {
		.name = in->bucket, .owner = c->account, .created = SOME_TIME(c->now_ms / 1000 * 1000)};
	if (c->principal.kind == PRINCIPAL_ANONYMOUS) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	bool directory = str_has(s3_express_zone(in->bucket));
	if (directory) {
		TRY(s3_express_create(c, in, &b));
	} else {
		if (!s3_name_is_bucket(in->bucket)) {
			status s = call_fail(c, S3_ERR_INVALID_BUCKET_NAME, "The specified bucket is not valid.");
			call_fail_detail(c, STR("BucketName"), in->bucket);
			return s;
		}
		TRY(choose_region(c, in->create_bucket_configuration, &b.region));
		TRY(check_ownership(c, in, &b));
		TRY(refuse_unbuilt(c, in));
	}
	TRY(copy_tags(c, in->create_bucket_configuration, &b));
	struct str key = s3_key_bucket(c->arena, c->partition, in->bucket), bytes;
	status s = store_get(c->tx, key, &bytes);
	if (is_ok(s)) {
		TRY(exists(c, in, bytes));
	} else if (status_is(s, STATUS_NOT_FOUND)) {
		if (!directory) TRY(check_count(c));
		b.id = SOME_I64((int64_t)(rand_u64() >> 1));
		if (in->object_lock_enabled_for_bucket.v) {
			b.lock = SOME_BOOL(true);
			b.versioning = STR("Enabled");
		}
		store_put(c->tx, key, s3_rec_bucket_encode(c->arena, &b));
		store_put(c->tx, owned_key(c, &b), STR(""));
	} else {
		return s;
	}
	out->location = str_is(c->region, "us-east-1") ? str_fmt(c->arena, "/%.*s", STR_ARG(in->bucket))
						       : str_fmt(c->arena, "http://%.*s/%.*s",
								 STR_ARG(c->cloud->public_host), STR_ARG(in->bucket));
	out->bucket_arn = arn_of(c, &b);
	return OK;
}

/* ── HeadBucket, GetBucketLocation ── */

status s3_head_bucket(struct call *c, const struct s3_head_bucket_input *in, struct s3_head_bucket_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	out->bucket_region = b.region;
	out->access_point_alias = SOME_BOOL(str_ends(in->bucket, STR("-s3alias")));
	out->bucket_arn = arn_of(c, &b);
	if (s3_is_directory(&b)) {
		out->bucket_location_type = STR("AvailabilityZone");
		out->bucket_location_name = b.zone;
	}
	return OK;
}

status s3_get_bucket_location(
	struct call *c, const struct s3_get_bucket_location_input *in, struct s3_get_bucket_location_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load_anywhere(c, in->bucket, in->expected_bucket_owner, &b));
	out->location_constraint = str_is(b.region, "us-east-1") ? STR_NONE : b.region;
	return OK;
}

/* ── ListBuckets ── */

static status limit_of(struct call *c, const struct s3_list_buckets_input *in, size_t *limit)
{
	*limit = in->max_buckets.has ? (size_t)in->max_buckets.v : BUCKETS_MAX;
	if (!in->max_buckets.has || (in->max_buckets.v >= 1 && in->max_buckets.v <= BUCKETS_MAX)) return OK;
	return s3_invalid_argument(c, STR("max-buckets"), str_fmt(c->arena, "%d", in->max_buckets.v),
		"Argument max-buckets must be an integer between 1 and 10000.");
}

static status add_bucket(struct call *c, struct str name, struct str region, struct s3_list_buckets_output *out,
	size_t *capacity, bool *wanted)
{
	struct str bytes;
	struct s3_rec_bucket b = {0};
	TRY(store_peek(c->tx, s3_key_bucket(c->arena, c->partition, name), &bytes));
	TRY(s3_rec_bucket_decode(c->arena, bytes, &b));
	*wanted = str_empty(region) || str_eq(b.region, region);
	if (!*wanted) return OK;
	struct s3_bucket *o = VEC_PUSH(c->arena, &out->buckets, capacity);
	o->name = b.name;
	o->creation_date = b.created;
	o->bucket_region = b.region;
	o->bucket_arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(b.name));
	return OK;
}

status s3_list_buckets(struct call *c, const struct s3_list_buckets_input *in, struct s3_list_buckets_output *out)
{
	size_t limit, capacity = 0;
	struct s3_walk walk;
	struct s3_walk_item item;
	struct str after;
	if (c->principal.kind == PRINCIPAL_ANONYMOUS) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	TRY(limit_of(c, in, &limit));
	TRY(s3_token_read(c, in->continuation_token, &after));
	VEC_PRESENT(c->arena, &out->buckets);
	out->owner = s3_owner_of(c, c->account);
	if (str_has(in->prefix)) out->prefix = in->prefix;
	s3_walk_begin(
		&walk, c, s3_key_owned(c->arena, c->partition, c->account, STR_NONE), in->prefix, STR_NONE, after);
	status s = OK;
	struct str last = STR_NONE;
	while (is_ok(s) && s3_walk_next(&walk, &item)) {
		bool wanted = true;
		size_t n = out->buckets.n;
		s = add_bucket(c, item.key, in->bucket_region, out, &capacity, &wanted);
		if (is_ok(s) && wanted && n == limit) {
			out->buckets.n--;
			out->continuation_token = s3_token_make(c, last);
			break;
		}
		last = item.key;
	}
	status ended = s3_walk_end(&walk);
	return is_ok(s) ? ended : s;
}

/* ── DeleteBucket ── */

static status require_empty(struct call *c, const struct s3_rec_bucket *b, struct str kind)
{
	struct key k = s3_key_space(c->arena, kind, b);
	struct str from = key_done(&k), to = key_after(c->arena, from), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	bool any = store_scan_next(scan, &key, &value);
	TRY(store_scan_end(scan));
	if (any) {
		status s = call_fail(c, S3_ERR_BUCKET_NOT_EMPTY, "The bucket you tried to delete is not empty");
		call_fail_detail(c, STR("BucketName"), b->name);
		return s;
	}
	store_require_empty(c->tx, from, to);
	return OK;
}

static status require_no_points(struct call *c, const struct s3_rec_bucket *b)
{
	struct str from = s3_point_index(c->arena, b->id.v, NULL), to = key_after(c->arena, from), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	bool any = store_scan_next(scan, &key, &value);
	TRY(store_scan_end(scan));
	store_require_empty(c->tx, from, to);
	if (!any) return OK;
	return call_fail(c, S3_ERR_BUCKET_HAS_ACCESS_POINTS_ATTACHED,
		"The bucket you are attempting to delete has access points attached. Delete your access points before "
		"attempting this action.");
}

status s3_delete_bucket(struct call *c, const struct s3_delete_bucket_input *in, struct s3_delete_bucket_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(require_empty(c, &b, STR("object")));
	TRY(require_empty(c, &b, STR("version")));
	TRY(require_no_points(c, &b));
	store_delete(c->tx, s3_key_bucket(c->arena, c->partition, b.name));
	store_delete(c->tx, owned_key(c, &b));
	TRY(s3_config_drop_all(c, &b));
	s3_policy_drop(c, &b);
	TRY(s3_analysis_forget(c, &b, STR_NONE));
	s3_lifecycle_forget(c, &b);
	return s3_purge_uploads(c, &b);
}
