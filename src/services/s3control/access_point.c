/* Access points: made, told, deleted, and their policies ("Creating access points", "Configuring IAM policies for using
 * access points", Amazon S3 User Guide). What they do is S3's (services/s3/point.h). */
#include "base/rand.h"
#include "base/vec.h"
#include "call/call.h"
#include "services/s3/names.h"
#include "services/s3/point.h"
#include "services/s3/public.h"
#include "services/s3control/control.h"

enum { LIST_MAX = 1000, ALIAS_RANDOM = 34, ALIAS_NAME_MAX = 20, POINTS_MAX = 10000, NAME_MIN = 3, NAME_MAX_ = 50 };

static status no_such(struct call *c, struct str name)
{
	status s = call_fail(c, S3CONTROL_ERR_NO_SUCH_ACCESS_POINT, "The specified accesspoint does not exist");
	call_fail_detail(c, STR("AccessPointName"), name);
	return s;
}

static status load(struct call *c, struct str account, struct str name, struct s3_rec_point *out)
{
	TRY(s3control_check_account(c, account));
	status s = s3_point_load(c->tx, c->arena, account, c->region, name, out);
	return status_is(s, STATUS_NOT_FOUND) ? no_such(c, name) : s;
}

/* "Names must begin with a number or lowercase letter, be between 3 and 50 characters long, can't begin or end with a
 * hyphen, can't contain underscores, uppercase letters, spaces, or periods, can't end with the suffix -s3alias". */
static bool is_name(struct str s)
{
	if (s.n < NAME_MIN || s.n > NAME_MAX_ || s.p[0] == '-' || s.p[s.n - 1] == '-') return false;
	if (str_ends(s, STR("-s3alias")) || str_starts(s, STR("xn--"))) return false;
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-')) return false;
	}
	return true;
}

static status load_bucket(struct call *c, const struct s3control_create_access_point_input *in, struct s3_rec_bucket *b)
{
	struct str bytes;
	status s = store_get(c->tx, s3_key_bucket(c->arena, c->partition, in->bucket), &bytes);
	*b = (struct s3_rec_bucket){0};
	if (is_ok(s)) s = s3_rec_bucket_decode(c->arena, bytes, b);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(b->region, c->region)))
		return call_fail(c, S3CONTROL_ERR_NO_SUCH_BUCKET, "The specified bucket does not exist");
	TRY(s);
	/* Another account's bucket has to be named as such. */
	struct str owner = str_or(in->bucket_account_id, c->account);
	return str_eq(owner, b->owner) ? OK : call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
}

static status check_count(struct call *c)
{
	struct str from = s3_point_key(c->arena, c->account, c->region, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	unsigned n = 0;
	while (n < POINTS_MAX && store_scan_next(scan, &key, &value)) n++;
	TRY(store_scan_end(scan));
	if (n < POINTS_MAX) return OK;
	return call_fail(c, S3CONTROL_ERR_TOO_MANY_ACCESS_POINTS,
		"You have attempted to create more access points than are allowed for an account.");
}

static unsigned bits_of(const struct s3control_public_access_block_configuration *conf)
{
	if (!conf) return S3_PUBLIC_ALL;
	return (conf->block_public_acls.v ? S3_BLOCK_PUBLIC_ACLS : 0u) |
	       (conf->ignore_public_acls.v ? S3_IGNORE_PUBLIC_ACLS : 0u) |
	       (conf->block_public_policy.v ? S3_BLOCK_PUBLIC_POLICY : 0u) |
	       (conf->restrict_public_buckets.v ? S3_RESTRICT_PUBLIC_BUCKETS : 0u);
}

status s3control_create_access_point(struct call *c, const struct s3control_create_access_point_input *in,
	struct s3control_create_access_point_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_point p;
	TRY(s3control_check_account(c, in->account_id));
	if (!is_name(in->name))
		return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST, "The access point name is not valid");
	if (in->scope) return call_fail(c, ERR_NOT_IMPLEMENTED, "Scopes of access points are not implemented");
	status s = s3_point_load(c->tx, c->arena, c->account, c->region, in->name, &p);
	if (is_ok(s))
		return call_fail(c, S3CONTROL_ERR_ACCESS_POINT_ALREADY_OWNED_BY_YOU,
			"Your previous request to create the named accesspoint succeeded and you already own it.");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(load_bucket(c, in, &b));
	TRY(check_count(c));
	p = (struct s3_rec_point){
		.name = in->name,
		.account = c->account,
		.region = c->region,
		.bucket = b.name,
		.bucket_id = b.id,
		.bucket_account = b.owner,
		.created = SOME_TIME(c->now_ms),
		.vpc = in->vpc_configuration ? in->vpc_configuration->vpc_id : STR_NONE,
		.public_access = SOME_I32((int32_t)bits_of(in->public_access_block_configuration)),
	};
	TRY(s3control_tags_add(c, &in->tags, &p.tags));
	p.alias = str_fmt(c->arena, "%.*s-%.*s-s3alias", STR_ARG(str_sub(in->name, 0, ALIAS_NAME_MAX)),
		STR_ARG(rand_text(c->arena, STR("abcdefghijklmnopqrstuvwxyz0123456789"), ALIAS_RANDOM)));
	s3_point_save(c->tx, c->arena, &p);
	out->access_point_arn = s3_point_arn(c->arena, c->partition, &p);
	out->alias = p.alias;
	return OK;
}

static struct str origin(const struct s3_rec_point *p)
{
	return str_has(p->vpc) ? STR("VPC") : STR("Internet");
}

static struct s3control_vpc_configuration *vpc(struct call *c, const struct s3_rec_point *p)
{
	if (!str_has(p->vpc)) return NULL;
	struct s3control_vpc_configuration *v = arena_new(c->arena, struct s3control_vpc_configuration);
	v->vpc_id = p->vpc;
	return v;
}

status s3control_get_access_point(struct call *c, const struct s3control_get_access_point_input *in,
	struct s3control_get_access_point_output *out)
{
	struct s3_rec_point p;
	TRY(load(c, in->account_id, in->name, &p));
	unsigned bits = (unsigned)p.public_access.v;
	out->name = p.name;
	out->bucket = p.bucket;
	out->network_origin = origin(&p);
	out->vpc_configuration = vpc(c, &p);
	out->creation_date = p.created;
	out->alias = p.alias;
	out->access_point_arn = s3_point_arn(c->arena, c->partition, &p);
	out->bucket_account_id = p.bucket_account;
	out->public_access_block_configuration =
		arena_new(c->arena, struct s3control_public_access_block_configuration);
	*out->public_access_block_configuration = (struct s3control_public_access_block_configuration){
		.block_public_acls = SOME_BOOL(bits & S3_BLOCK_PUBLIC_ACLS),
		.ignore_public_acls = SOME_BOOL(bits & S3_IGNORE_PUBLIC_ACLS),
		.block_public_policy = SOME_BOOL(bits & S3_BLOCK_PUBLIC_POLICY),
		.restrict_public_buckets = SOME_BOOL(bits & S3_RESTRICT_PUBLIC_BUCKETS),
	};
	return OK;
}

status s3control_delete_access_point(struct call *c, const struct s3control_delete_access_point_input *in,
	struct s3control_delete_access_point_output *out)
{
	struct s3_rec_point p;
	(void)out;
	TRY(load(c, in->account_id, in->name, &p));
	s3_point_drop(c->tx, c->arena, &p);
	return OK;
}

status s3control_list_access_points(struct call *c, const struct s3control_list_access_points_input *in,
	struct s3control_list_access_points_output *out)
{
	size_t capacity = 0, limit = in->max_results.has ? (size_t)in->max_results.v : LIST_MAX;
	struct str from = s3_point_key(c->arena, c->account, c->region, STR_NONE), key, value;
	struct str to = key_after(c->arena, from), after;
	TRY(s3control_check_account(c, in->account_id));
	if (limit > LIST_MAX) limit = LIST_MAX;
	if (str_has(in->next_token)) {
		if (!is_ok(str_unbase64(c->arena, in->next_token, &after)))
			return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST, "The continuation token is not valid.");
		from = key_next(c->arena, s3_point_key(c->arena, c->account, c->region, after));
	}
	VEC_PRESENT(c->arena, &out->access_point_list);
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct s3_rec_point p = {0};
		s = s3_rec_point_decode(c->arena, str_dup(c->arena, value), &p);
		if (!is_ok(s) || (str_has(in->bucket) && !str_eq(in->bucket, p.bucket))) continue;
		if (out->access_point_list.n == limit) {
			out->next_token = str_base64(c->arena, out->access_point_list.v[limit - 1].name);
			break;
		}
		*VEC_PUSH(c->arena, &out->access_point_list, &capacity) = (struct s3control_access_point){
			.name = p.name,
			.network_origin = origin(&p),
			.vpc_configuration = vpc(c, &p),
			.bucket = p.bucket,
			.access_point_arn = s3_point_arn(c->arena, c->partition, &p),
			.alias = p.alias,
			.bucket_account_id = p.bucket_account,
		};
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

/* ── policies ── */

status s3control_put_access_point_policy(struct call *c, const struct s3control_put_access_point_policy_input *in,
	struct s3control_put_access_point_policy_output *out)
{
	struct s3_rec_point p;
	bool public, said;
	unsigned bits;
	(void)out;
	TRY(load(c, in->account_id, in->name, &p));
	struct str arn = s3_point_arn(c->arena, c->partition, &p);
	if (!is_ok(s3_policy_check(c, arn, true, str_or(in->policy, STR("")), &public))) {
		c->failure.id = S3CONTROL_ERR_MALFORMED_POLICY;
		return STATUS(FAILED);
	}
	TRY(s3_account_public(c->tx, c->arena, c->account, &bits, &said));
	if (public && (bits | (unsigned)p.public_access.v) & S3_BLOCK_PUBLIC_POLICY)
		return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	p.policy = in->policy;
	p.policy_public = SOME_BOOL(public);
	s3_point_save(c->tx, c->arena, &p);
	return OK;
}

static status no_policy(struct call *c, const struct s3_rec_point *p)
{
	status s = call_fail(
		c, S3CONTROL_ERR_NO_SUCH_ACCESS_POINT_POLICY, "The specified accesspoint policy does not exist");
	call_fail_detail(c, STR("AccessPointName"), p->name);
	return s;
}

status s3control_get_access_point_policy(struct call *c, const struct s3control_get_access_point_policy_input *in,
	struct s3control_get_access_point_policy_output *out)
{
	struct s3_rec_point p;
	TRY(load(c, in->account_id, in->name, &p));
	if (!str_has(p.policy)) return no_policy(c, &p);
	out->policy = p.policy;
	return OK;
}

status s3control_delete_access_point_policy(struct call *c, const struct s3control_delete_access_point_policy_input *in,
	struct s3control_delete_access_point_policy_output *out)
{
	struct s3_rec_point p;
	(void)out;
	TRY(load(c, in->account_id, in->name, &p));
	p.policy = STR_NONE;
	p.policy_public = (struct opt_bool){0};
	s3_point_save(c->tx, c->arena, &p);
	return OK;
}

status s3control_get_access_point_policy_status(struct call *c,
	const struct s3control_get_access_point_policy_status_input *in,
	struct s3control_get_access_point_policy_status_output *out)
{
	struct s3_rec_point p;
	TRY(load(c, in->account_id, in->name, &p));
	if (!str_has(p.policy)) return no_policy(c, &p);
	out->policy_status = arena_new(c->arena, struct s3control_policy_status);
	out->policy_status->is_public = SOME_BOOL(p.policy_public.v);
	return OK;
}
