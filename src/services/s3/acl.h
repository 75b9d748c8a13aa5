/* Access control lists ("Access control list (ACL) overview", Amazon S3 User Guide): who else than its owner may use a
 * bucket or an object, where the bucket's Object Ownership lets them count. */
#pragma once
#include "services/s3/headers.h"

/* What a request says of a new ACL. */
struct s3_acl_request {
	struct str acl, full_control, read, write, read_acp, write_acp;
	const struct s3_access_control_policy *policy; /* or NULL */
	struct str owner;                              /* of the bucket or object */
	bool of_bucket;
};
static inline bool s3_acl_asked(const struct s3_acl_request *r)
{
	return r->policy || str_has(r->acl) || str_has(r->full_control) || str_has(r->read) || str_has(r->write) ||
	       str_has(r->read_acp) || str_has(r->write_acp);
}
/* Checks it and expands it into grants. Whether ACLs are there at all is the caller's business; whether public ones are
 * blocked is judged here. bits: of Block Public Access. */
status s3_acl_read(struct call *c, const struct s3_rec_bucket *b, unsigned bits, const struct s3_acl_request *r,
	struct s3_rec_grants *out) MUST_USE;
/* The ACL of an object to be; also decides who owns it. */
status s3_acl_of_upload(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o) MUST_USE;
static inline bool s3_acl_enabled(const struct s3_rec_bucket *b)
{
	return !str_is(b->ownership, "BucketOwnerEnforced");
}
/* One of the three settings of Object Ownership. */
bool s3_is_ownership(struct str s);
/* The bucket's ACL names others than its owner. */
bool s3_acl_shares(const struct s3_rec_bucket *b);

enum { S3_MAY_READ = 1, S3_MAY_WRITE = 2, S3_MAY_READ_ACP = 4, S3_MAY_WRITE_ACP = 8 };
/* What the grants let an account do (account "": an anonymous caller), by its name and by the groups that it is in. */
void s3_acl_judge(const struct s3_rec_grants *grants, struct str account, unsigned *by_name, unsigned *by_group);
/* The grants that count; acl and grants of a record. */
static inline bool s3_acl_told(struct str acl)
{
	return str_is(acl, "grants");
}
/* As answers tell them; told: the grants count, else the owner has full control. */
void s3_acl_show(
	struct call *c, const struct s3_rec_grants *grants, bool told, struct str owner, struct s3_grants *out);
