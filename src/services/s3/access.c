/* Buckets and from where they are used, the names of accounts, and the errors that many operations share. Who may use a bucket is
 * decided before any operation runs: permit.c. */
#include "services/s3/access.h"
#include "services/s3/express.h"
#include "services/s3/names.h"
#include "services/s3/noted.h"
#include "services/s3/point.h"
#include "services/s3/records.h"
#include "services/s3/settings.h"

status s3_invalid_argument(struct call *c, struct str name, struct str value, const char *message)
{
	status s = call_fail(c, S3_ERR_INVALID_ARGUMENT, "%s", message);
	call_fail_detail(c, STR("ArgumentName"), name);
	call_fail_detail(c, STR("ArgumentValue"), str_or(value, STR("")));
	return s;
}

status s3_header_not_implemented(struct call *c, struct str header)
{
	status s = call_fail(
		c, S3_ERR_NOT_IMPLEMENTED, "A header you provided implies functionality that is not implemented");
	call_fail_detail(c, STR("Header"), header);
	return s;
}

status s3_no_such_key(struct call *c, struct str key)
{
	status s = call_fail(c, S3_ERR_NO_SUCH_KEY, "The specified key does not exist.");
	call_fail_detail(c, STR("Key"), key);
	return s;
}

status s3_no_such_upload(struct call *c, struct str upload_id)
{
	status s = call_fail(c, S3_ERR_NO_SUCH_UPLOAD,
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
		"aborted or completed.");
	call_fail_detail(c, STR("UploadId"), upload_id);
	return s;
}

status s3_no_such_bucket(struct call *c, struct str name)
{
	status s;
	if (s3_name_was_bucket(name))
		s = call_fail(c, S3_ERR_NO_SUCH_BUCKET, "The specified bucket does not exist");
	else
		s = call_fail(c, S3_ERR_INVALID_BUCKET_NAME, "The specified bucket is not valid.");
	call_fail_detail(c, STR("BucketName"), name);
	return s;
}

/* A request that was signed for another region than the bucket's. By AWS's names, bucket.s3.amazonaws.com leads to the
 * bucket's region, which finds the signature's scope wrong; any other name leads to the region that was meant, which
 * knows where the bucket is ("Making requests using the REST API", "Request redirection and the REST API"). */
static status wrong_region(struct call *c, const struct s3_rec_bucket *b)
{
	struct wire_host host = wire_read_host(c->http->host);
	status s;
	if (str_has(host.bucket) && (!str_has(host.region) || str_eq(host.region, b->region))) {
		s = call_fail(c, S3_ERR_AUTHORIZATION_HEADER_MALFORMED,
			"The authorization header is malformed; the region '%.*s' is wrong; expecting '%.*s'",
			STR_ARG(c->region), STR_ARG(b->region));
		call_fail_detail(c, STR("Region"), b->region);
	} else {
		s = call_fail(c, S3_ERR_PERMANENT_REDIRECT,
			"The bucket you are attempting to access must be addressed using the specified endpoint. "
			"Please send all "
			"future requests to this endpoint.");
		call_fail_detail(c, STR("Endpoint"), str_fmt(c->arena, "s3.%.*s.amazonaws.com", STR_ARG(b->region)));
		call_fail_detail(c, STR("Bucket"), b->name);
	}
	call_header(c, STR("x-amz-bucket-region"), b->region);
	return s;
}

status s3_bucket_load_anywhere(struct call *c, struct str name, struct str expected_owner, struct s3_rec_bucket *out)
{
	struct str bytes;
	*out = (struct s3_rec_bucket){0};
	status s = store_get(c->tx, s3_key_bucket(c->arena, c->partition, name), &bytes);
	struct s3_rec_point p;
	bool point = status_is(s, STATUS_NOT_FOUND) && is_ok(s3_point_find(c->tx, c->arena, c->region, name, &p));
	if (point) s = store_get(c->tx, s3_key_bucket(c->arena, c->partition, p.bucket), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return s3_no_such_bucket(c, name);
	TRY(s);
	TRY(s3_rec_bucket_decode(c->arena, bytes, out));
	if (point && p.bucket_id.v != out->id.v) return s3_no_such_bucket(c, name);
	if (str_has(expected_owner) && !s3_name_is_account(expected_owner))
		return call_fail(c, S3_ERR_INVALID_BUCKET_OWNER_AWS_ACCOUNT_ID,
			"The value of the expected bucket owner parameter must be an AWS account ID.");
	if (str_has(expected_owner) && !str_eq(expected_owner, out->owner))
		return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	s3_note(c, c->tx, out);
	if (s3_is_directory(out)) TRY(s3_express_check_zone(c, out));
	TRY(s3_payment_check(c, out));
	return s3_accelerate_check(c, out);
}

status s3_bucket_load(struct call *c, struct str name, struct str expected_owner, struct s3_rec_bucket *out)
{
	TRY(s3_bucket_load_anywhere(c, name, expected_owner, out));
	if (c->principal.kind == PRINCIPAL_ANONYMOUS || str_is(c->region, "*") || str_eq(c->region, out->region))
		return OK;
	return wrong_region(c, out);
}

void s3_bucket_save(struct call *c, const struct s3_rec_bucket *b)
{
	store_put(c->tx, s3_key_bucket(c->arena, c->partition, b->name), s3_rec_bucket_encode(c->arena, b));
}

/* The name of whoever did not sign ("Amazon S3 canned ACL", anonymous users' canonical id). */
#define ANONYMOUS_ID "65a011a29cdf8ec533ec3d1ccaae921c"

struct str s3_caller_account(const struct call *c)
{
	return c->principal.kind == PRINCIPAL_ANONYMOUS ? STR("anonymous") : c->account;
}

static uint64_t be64(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++) v = v << 8 | p[i];
	return v;
}

/* 24 bytes of a digest, then the account's number under a mask made of them: so an id tells its account, and one that was made up
 * tells none. */
struct str s3_canonical_id(struct arena *a, struct str account)
{
	uint8_t id[32], mask[32];
	uint64_t number = 0;
	if (str_is(account, "anonymous")) return STR(ANONYMOUS_ID);
	digest_sha256(str_cat(a, STR("canonical user of account "), account), id);
	digest_sha256(str_n(id, 24), mask);
	if (!is_ok(str_to_u64(account, &number))) number = 0;
	number ^= be64(mask);
	for (int i = 0; i < 8; i++) id[24 + i] = (uint8_t)(number >> (56 - 8 * i));
	return str_hex(a, str_n(id, sizeof id));
}

bool s3_account_of(struct arena *a, struct str id, struct str *account)
{
	struct str raw;
	uint8_t mask[32];
	if (str_is(id, ANONYMOUS_ID)) {
		*account = STR("anonymous");
		return true;
	}
	if (id.n != 64 || !is_ok(str_unhex(a, id, &raw))) return false;
	digest_sha256(str_sub(raw, 0, 24), mask);
	uint64_t number = be64((const uint8_t *)raw.p + 24) ^ be64(mask);
	if (number > 999999999999ull) return false;
	*account = str_fmt(a, "%012llu", (unsigned long long)number);
	return str_eq(s3_canonical_id(a, *account), str_lower(a, id));
}

struct s3_owner *s3_owner_of(struct call *c, struct str account)
{
	struct s3_owner *o = arena_new(c->arena, struct s3_owner);
	o->id = s3_canonical_id(c->arena, account);
	return o;
}

struct str s3_quoted(struct arena *a, struct str e_tag)
{
	return str_fmt(a, "\"%.*s\"", STR_ARG(e_tag));
}
