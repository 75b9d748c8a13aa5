/* Directory buckets: made, listed, their sessions. */
#include "services/s3/express.h"
#include "base/rand.h"
#include "base/vec.h"
#include "services/ec2/door.h"
#include "services/s3/access.h"
#include "services/s3/config.h"
#include "services/s3/headers.h"
#include "services/s3/names.h"
#include "services/s3/page.h"

enum { SESSION_MS = 5 * 60000, BUCKETS_MAX = 100, PAGE_MAX = 1000 };

struct str s3_express_zone(struct str name)
{
	if (!str_ends(name, STR("--x-s3"))) return STR_NONE;
	struct str rest = str_sub(name, 0, name.n - 6);
	for (size_t i = rest.n; i-- > 1;)
		if (rest.p[i] == '-' && rest.p[i - 1] == '-') return str_from(rest, i + 1);
	return STR_NONE;
}

struct str s3_express_arn(struct call *c, const struct s3_rec_bucket *b)
{
	return str_fmt(c->arena, "arn:%.*s:s3express:%.*s:%.*s:bucket/%.*s", STR_ARG(c->partition), STR_ARG(b->region),
		STR_ARG(b->owner), STR_ARG(b->name));
}

struct str s3_express_owned(struct arena *a, struct str partition, struct str account, struct str name)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, STR("owned-directory"));
	key_str(&k, partition);
	key_str(&k, account);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

status s3_express_check_zone(struct call *c, const struct s3_rec_bucket *b)
{
	bool down;
	if (!c->tx || !ec2_zone_state(c->tx, c->arena, b->region, b->zone, &down) || !down) return OK;
	return call_fail(c, S3_ERR_SERVICE_UNAVAILABLE, "Service is unable to handle request.");
}

bool s3_express_serves(uint32_t op)
{
	static const uint16_t served[] = {S3_OP_CREATE_BUCKET, S3_OP_DELETE_BUCKET, S3_OP_HEAD_BUCKET,
		S3_OP_LIST_DIRECTORY_BUCKETS, S3_OP_CREATE_SESSION, S3_OP_GET_BUCKET_POLICY, S3_OP_PUT_BUCKET_POLICY,
		S3_OP_DELETE_BUCKET_POLICY, S3_OP_GET_BUCKET_ENCRYPTION, S3_OP_PUT_BUCKET_ENCRYPTION,
		S3_OP_DELETE_BUCKET_ENCRYPTION, S3_OP_GET_BUCKET_LIFECYCLE_CONFIGURATION,
		S3_OP_PUT_BUCKET_LIFECYCLE_CONFIGURATION, S3_OP_DELETE_BUCKET_LIFECYCLE,
		S3_OP_GET_BUCKET_METRICS_CONFIGURATION, S3_OP_PUT_BUCKET_METRICS_CONFIGURATION,
		S3_OP_LIST_BUCKET_METRICS_CONFIGURATIONS, S3_OP_DELETE_BUCKET_METRICS_CONFIGURATION,
		S3_OP_ABORT_MULTIPART_UPLOAD, S3_OP_COMPLETE_MULTIPART_UPLOAD, S3_OP_COPY_OBJECT,
		S3_OP_CREATE_MULTIPART_UPLOAD, S3_OP_DELETE_OBJECT, S3_OP_DELETE_OBJECTS, S3_OP_GET_OBJECT,
		S3_OP_GET_OBJECT_ATTRIBUTES, S3_OP_HEAD_OBJECT, S3_OP_LIST_MULTIPART_UPLOADS, S3_OP_LIST_OBJECTS_V2,
		S3_OP_LIST_PARTS, S3_OP_PUT_OBJECT, S3_OP_RENAME_OBJECT, S3_OP_UPLOAD_PART, S3_OP_UPLOAD_PART_COPY};
	for (size_t i = 0; i < sizeof served / sizeof *served; i++)
		if (served[i] == op) return true;
	return false;
}

/* ── CreateBucket ── */

/* "Be between 3 and 63 characters long …; lowercase letters, numbers, and hyphens; begin and end with a letter or
 * number"
 * ("Directory bucket naming rules"). */
static bool is_name(struct str name, struct str zone)
{
	if (name.n < 3 || name.n > 63) return false;
	size_t base = name.n - zone.n - 8;
	for (size_t i = 0; i < name.n; i++) {
		char ch = name.p[i];
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
		if (!plain && ch != '-') return false;
		if (!plain && (i == 0 || i + 1 == base)) return false;
	}
	return base >= 1;
}

static status check_count(struct call *c)
{
	struct str from = s3_express_owned(c->arena, c->partition, c->account, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	unsigned n = 0;
	while (n < BUCKETS_MAX && store_scan_next(scan, &key, &value)) n++;
	TRY(store_scan_end(scan));
	if (n < BUCKETS_MAX) return OK;
	return call_fail(c, S3_ERR_TOO_MANY_BUCKETS, "You have attempted to create more buckets than allowed");
}

status s3_express_create(struct call *c, const struct s3_create_bucket_input *in, struct s3_rec_bucket *b)
{
	const struct s3_create_bucket_configuration *conf = in->create_bucket_configuration;
	struct str zone = s3_express_zone(in->bucket);
	bool down;
	if (!str_has(zone) || !is_name(in->bucket, zone)) {
		status s = call_fail(c, S3_ERR_INVALID_BUCKET_NAME, "The specified bucket is not valid.");
		call_fail_detail(c, STR("BucketName"), in->bucket);
		return s;
	}
	if (!conf || !conf->location || !conf->bucket || !str_is(conf->bucket->type, "Directory"))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"A directory bucket needs a CreateBucketConfiguration with Location and Bucket");
	if (!str_is(conf->location->type, "AvailabilityZone") ||
		(str_has(conf->bucket->data_redundancy) &&
			!str_is(conf->bucket->data_redundancy, "SingleAvailabilityZone")))
		return call_fail(
			c, S3_ERR_INVALID_REQUEST, "Only directory buckets of one Availability Zone are supported");
	if (!str_eq(conf->location->name, zone) || !ec2_zone_state(c->tx, c->arena, c->region, zone, &down))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The specified location %.*s is not a zone of this Region, or not the one in the bucket's name",
			STR_ARG(str_or(conf->location->name, STR(""))));
	if (str_has(in->acl) || in->object_lock_enabled_for_bucket.v ||
		(str_has(in->object_ownership) && !str_is(in->object_ownership, "BucketOwnerEnforced")))
		return s3_header_not_implemented(c, str_has(in->acl) ? STR("x-amz-acl")
						    : in->object_lock_enabled_for_bucket.v
							    ? STR("x-amz-bucket-object-lock-enabled")
							    : STR("x-amz-object-ownership"));
	b->zone = zone;
	b->region = c->region;
	b->ownership = STR("BucketOwnerEnforced");
	return check_count(c);
}

/* ── ListDirectoryBuckets ── */

status s3_list_directory_buckets(
	struct call *c, const struct s3_list_directory_buckets_input *in, struct s3_list_directory_buckets_output *out)
{
	struct str from = s3_express_owned(c->arena, c->partition, c->account, STR_NONE), after, key, value,
		   last = STR_NONE;
	size_t capacity = 0, limit = PAGE_MAX;
	if (c->principal.kind == PRINCIPAL_ANONYMOUS) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	if (in->max_directory_buckets.has && in->max_directory_buckets.v > 0)
		limit = (size_t)in->max_directory_buckets.v;
	TRY(s3_token_read(c, in->continuation_token, &after));
	VEC_PRESENT(c->arena, &out->buckets);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, from.n), name, bytes;
		struct s3_rec_bucket b = {0};
		s = key_read_str(c->arena, &rest, &name);
		if (is_ok(s) && str_has(after) && str_cmp(name, after) <= 0) continue;
		name = str_dup(c->arena, name);
		if (is_ok(s)) s = store_peek(c->tx, s3_key_bucket(c->arena, c->partition, name), &bytes);
		if (is_ok(s)) s = s3_rec_bucket_decode(c->arena, bytes, &b);
		if (!is_ok(s) || !str_eq(b.region, c->region)) continue;
		if (out->buckets.n == limit) {
			out->continuation_token = s3_token_make(c, last);
			break;
		}
		last = name;
		*VEC_PUSH(c->arena, &out->buckets, &capacity) = (struct s3_bucket){.name = b.name,
			.creation_date = b.created,
			.bucket_region = b.region,
			.bucket_arn = s3_express_arn(c, &b)};
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

/* ── CreateSession ── */

status s3_create_session(struct call *c, const struct s3_create_session_input *in, struct s3_create_session_output *out)
{
	struct s3_rec_bucket b;
	struct s3_sse_wish wish = {in->server_side_encryption, in->ssekms_key_id, in->ssekms_encryption_context,
		in->bucket_key_enabled, {STR_NONE, STR_NONE}};
	struct s3_rec_sse *sse;
	if (c->principal.kind == PRINCIPAL_ANONYMOUS) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	status s = s3_bucket_load(c, in->bucket, STR_NONE, &b);
	bool there = is_ok(s);
	if (there && !s3_is_directory(&b))
		return call_fail(
			c, S3_ERR_METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.");
	if (!there) {
		/* Where an endpoint is set, SDKs begin a session even to make the bucket: decision 0070. */
		if (c->failure.id != S3_ERR_NO_SUCH_BUCKET || !str_has(s3_express_zone(in->bucket))) return s;
		c->failure = (struct wire_failure){0};
		b = (struct s3_rec_bucket){.name = in->bucket, .region = c->region, .owner = c->account};
	}
	TRY(s3_sse_choose(c, &b, &wish, &sse));
	struct principal p = s3_express_principal(c, in->bucket, !str_is(in->session_mode, "ReadOnly"));
	struct str token = identity_new_session_token(c->arena);
	p.access_key = identity_new_key_id(c->arena, true);
	p.secret = identity_new_secret(c->arena);
	p.expires_ms = c->now_ms + SESSION_MS;
	identity_key_put(c->tx, c->arena, &p, token);
	s3_express_remember(c, &p);
	out->credentials = arena_new(c->arena, struct s3_session_credentials);
	*out->credentials =
		(struct s3_session_credentials){p.access_key, p.secret, token, SOME_TIME(p.expires_ms / 1000 * 1000)};
	out->server_side_encryption = sse->algorithm;
	out->ssekms_key_id = sse->kms_key;
	if (sse->bucket_key.v) out->bucket_key_enabled = SOME_BOOL(true);
	return OK;
}

/* ── objects ── */

/* "…is not supported for directory buckets" of these headers, PutObject. */
status s3_express_headers(struct call *c, const struct s3_headers *h)
{
	const struct {
		struct str value;
		const char *header;
	} none[] = {{h->acl, "x-amz-acl"}, {h->grant_full_control, "x-amz-grant-full-control"},
		{h->grant_read, "x-amz-grant-read"}, {h->grant_read_acp, "x-amz-grant-read-acp"},
		{h->grant_write_acp, "x-amz-grant-write-acp"}, {h->tagging, "x-amz-tagging"},
		{h->website_redirect_location, "x-amz-website-redirect-location"},
		{h->object_lock_mode, "x-amz-object-lock-mode"},
		{h->object_lock_legal_hold_status, "x-amz-object-lock-legal-hold"}};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		if (!str_empty(none[i].value)) return s3_header_not_implemented(c, str_c(none[i].header));
	if (str_has(h->sse_customer_algorithm) || str_is(h->server_side_encryption, "aws:kms:dsse"))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"Directory buckets support server-side encryption with Amazon S3 managed keys (SSE-S3) and "
			"with "
			"AWS KMS keys (SSE-KMS) only");
	return OK;
}

struct str s3_express_tag(struct arena *a)
{
	return rand_text(a, STR("0123456789abcdefghijklmnopqrstuvwxyz"), 32);
}
