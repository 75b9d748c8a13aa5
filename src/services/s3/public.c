/* Block Public Access and Object Ownership: the settings of a bucket and an account. What they do is in acl.c,
 * bucket_policy.c and permit.c. */
#include "services/s3/public.h"
#include "base/vec.h"
#include "services/s3/access.h"
#include "services/s3/acl.h"
#include "services/s3/config.h"

static struct str key_account(struct arena *a, struct str account)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, STR("account"));
	key_str(&k, account);
	return key_done(&k);
}

status s3_account_public(struct store_tx *tx, struct arena *a, struct str account, unsigned *bits, bool *said)
{
	struct str bytes;
	struct s3_rec_account r = {0};
	*bits = 0;
	*said = false;
	status s = store_get(tx, key_account(a, account), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(s3_rec_account_decode(a, bytes, &r));
	*said = r.public_access.has;
	*bits = (unsigned)r.public_access.v & S3_PUBLIC_ALL;
	return OK;
}

void s3_account_public_put(struct store_tx *tx, struct arena *a, struct str account, unsigned bits)
{
	struct s3_rec_account r = {.public_access = SOME_I32((int32_t)bits)};
	store_put(tx, key_account(a, account), s3_rec_account_encode(a, &r));
}

void s3_account_public_drop(struct store_tx *tx, struct arena *a, struct str account)
{
	store_delete(tx, key_account(a, account));
}

static unsigned own_bits(const struct s3_rec_bucket *b)
{
	return b->public_access.has ? (unsigned)b->public_access.v & S3_PUBLIC_ALL : S3_PUBLIC_ALL;
}

status s3_bucket_public(struct store_tx *tx, struct arena *a, const struct s3_rec_bucket *b, unsigned *bits)
{
	bool said;
	TRY(s3_account_public(tx, a, b->owner, bits, &said));
	*bits |= own_bits(b);
	return OK;
}

/* ── a bucket's configuration ── */

status s3_put_public_access_block(struct call *c, const struct s3_put_public_access_block_input *in,
	struct s3_put_public_access_block_output *out)
{
	struct s3_rec_bucket b;
	const struct s3_public_access_block_configuration *conf = in->public_access_block_configuration;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_config_check_digest(c));
	if (!conf) return s3_malformed_xml(c);
	b.public_access = SOME_I32((conf->block_public_acls.v ? S3_BLOCK_PUBLIC_ACLS : 0) |
				   (conf->ignore_public_acls.v ? S3_IGNORE_PUBLIC_ACLS : 0) |
				   (conf->block_public_policy.v ? S3_BLOCK_PUBLIC_POLICY : 0) |
				   (conf->restrict_public_buckets.v ? S3_RESTRICT_PUBLIC_BUCKETS : 0));
	s3_bucket_save(c, &b);
	return OK;
}

status s3_get_public_access_block(struct call *c, const struct s3_get_public_access_block_input *in,
	struct s3_get_public_access_block_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (b.public_access.v & S3_PUBLIC_REMOVED) {
		status s = call_fail(c, S3_ERR_NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION,
			"The public access block configuration was not found");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	unsigned bits = own_bits(&b);
	out->public_access_block_configuration = arena_new(c->arena, struct s3_public_access_block_configuration);
	*out->public_access_block_configuration = (struct s3_public_access_block_configuration){
		.block_public_acls = SOME_BOOL(bits & S3_BLOCK_PUBLIC_ACLS),
		.ignore_public_acls = SOME_BOOL(bits & S3_IGNORE_PUBLIC_ACLS),
		.block_public_policy = SOME_BOOL(bits & S3_BLOCK_PUBLIC_POLICY),
		.restrict_public_buckets = SOME_BOOL(bits & S3_RESTRICT_PUBLIC_BUCKETS),
	};
	return OK;
}

status s3_delete_public_access_block(struct call *c, const struct s3_delete_public_access_block_input *in,
	struct s3_delete_public_access_block_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	b.public_access = SOME_I32(S3_PUBLIC_REMOVED);
	s3_bucket_save(c, &b);
	return OK;
}

/* ── Object Ownership ── */

status s3_put_bucket_ownership_controls(struct call *c, const struct s3_put_bucket_ownership_controls_input *in,
	struct s3_put_bucket_ownership_controls_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_config_check_digest(c));
	if (!in->ownership_controls || in->ownership_controls->rules.n != 1) return s3_malformed_xml(c);
	struct str ownership = in->ownership_controls->rules.v[0].object_ownership;
	if (!s3_is_ownership(ownership)) return s3_malformed_xml(c);
	/* "the bucket's ACL must give access to no one but its owner" ("Disabling ACLs for all new buckets and
	 * enforcing Object Ownership", prerequisites). */
	if (str_is(ownership, "BucketOwnerEnforced") && s3_acl_shares(&b))
		return call_fail(c, S3_ERR_INVALID_BUCKET_ACL_WITH_OBJECT_OWNERSHIP,
			"Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
	b.ownership = ownership;
	s3_bucket_save(c, &b);
	return OK;
}

status s3_get_bucket_ownership_controls(struct call *c, const struct s3_get_bucket_ownership_controls_input *in,
	struct s3_get_bucket_ownership_controls_output *out)
{
	struct s3_rec_bucket b;
	size_t capacity = 0;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!str_has(b.ownership)) {
		status s = call_fail(
			c, S3_ERR_OWNERSHIP_CONTROLS_NOT_FOUND_ERROR, "The bucket ownership controls were not found");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	out->ownership_controls = arena_new(c->arena, struct s3_ownership_controls);
	VEC_PUSH(c->arena, &out->ownership_controls->rules, &capacity)->object_ownership = b.ownership;
	return OK;
}

/* Without controls the writer of an object owns it, as before they came. */
status s3_delete_bucket_ownership_controls(struct call *c, const struct s3_delete_bucket_ownership_controls_input *in,
	struct s3_delete_bucket_ownership_controls_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	b.ownership = STR_NONE;
	s3_bucket_save(c, &b);
	return OK;
}
