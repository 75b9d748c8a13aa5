/* ACLs: read from canned names, headers and XML, shown, judged. */
#include "services/s3/acl.h"
#include "base/vec.h"
#include "services/s3/access.h"
#include "services/s3/changed.h"
#include "services/s3/config.h"
#include "services/s3/public.h"
#include "services/s3/version.h"

enum { GRANTS_MAX = 100 };

static const struct {
	const char *name, *uri;
} groups[] = {
	{"all", "http://acs.amazonaws.com/groups/global/AllUsers"},
	{"authenticated", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"},
	{"logs", "http://acs.amazonaws.com/groups/s3/LogDelivery"},
};
enum { GROUPS = sizeof groups / sizeof *groups };

struct list {
	struct call *c;
	struct s3_rec_grants *out;
	size_t capacity;
};

static void grant(struct list *l, struct str account, struct str group, struct str permission)
{
	for (size_t i = 0; i < l->out->n; i++) {
		const struct s3_rec_grant *g = &l->out->v[i];
		if (str_eq(str_or(g->account, STR("")), str_or(account, STR(""))) &&
			str_eq(g->permission, permission) && str_eq(str_or(g->group, STR("")), str_or(group, STR(""))))
			return;
	}
	*VEC_PUSH(l->c->arena, l->out, &l->capacity) = (struct s3_rec_grant){account, group, permission};
}

static bool is_permission(struct str s)
{
	return str_is(s, "FULL_CONTROL") || str_is(s, "READ") || str_is(s, "WRITE") || str_is(s, "READ_ACP") ||
	       str_is(s, "WRITE_ACP");
}

bool s3_is_ownership(struct str s)
{
	return str_is(s, "BucketOwnerEnforced") || str_is(s, "BucketOwnerPreferred") || str_is(s, "ObjectWriter");
}

bool s3_acl_shares(const struct s3_rec_bucket *b)
{
	for (size_t i = 0; s3_acl_told(b->acl) && i < b->grants.n; i++)
		if (!str_eq(str_or(b->grants.v[i].account, STR("")), b->owner)) return true;
	return false;
}

/* ── reading ── */

static status malformed(struct call *c)
{
	return call_fail(c, S3_ERR_MALFORMED_ACL_ERROR,
		"The XML you provided was not well-formed or did not validate against our published schema");
}

static status grant_group(struct list *l, struct str uri, struct str permission)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (str_eq(uri, str_c(groups[i].uri))) {
			grant(l, STR_NONE, str_c(groups[i].name), permission);
			return OK;
		}
	return s3_invalid_argument(l->c, STR("Group/URI"), uri, "Invalid group uri");
}

static status grant_id(struct list *l, struct str id, struct str permission)
{
	struct str account;
	if (!s3_account_of(l->c->arena, id, &account))
		return s3_invalid_argument(l->c, STR("CanonicalUser/ID"), id, "Invalid id");
	grant(l, account, STR_NONE, permission);
	return OK;
}

static status grant_email(struct list *l, struct str email)
{
	status s = call_fail(l->c, S3_ERR_UNRESOLVABLE_GRANT_BY_EMAIL_ADDRESS,
		"The e-mail address you provided does not match any account on record.");
	call_fail_detail(l->c, STR("EmailAddress"), email);
	return s;
}

/* id="…", uri="…", emailAddress="…" */
static status read_header(struct list *l, struct str header, const char *permission)
{
	struct str rest = header;
	while (str_has(rest)) {
		struct str value = str_trim(str_cut(&rest, ',')), type = str_trim(str_cut(&value, '='));
		value = str_trim(str_or(value, STR("")));
		if (value.n >= 2 && str_starts(value, STR("\"")) && str_ends(value, STR("\"")))
			value = str_sub(value, 1, value.n - 2);
		if (str_ieq(type, STR("id")))
			TRY(grant_id(l, value, str_c(permission)));
		else if (str_ieq(type, STR("uri")))
			TRY(grant_group(l, value, str_c(permission)));
		else if (str_ieq(type, STR("emailAddress")))
			TRY(grant_email(l, value));
		else
			return s3_invalid_argument(l->c, STR("x-amz-grant"), header, "Argument format not recognized");
	}
	return OK;
}

static status read_canned(struct list *l, const struct s3_rec_bucket *b, const struct s3_acl_request *r)
{
	struct str acl = r->acl;
	bool rw = str_is(acl, "public-read-write"), object = !r->of_bucket;
	if (object && str_is(acl, "aws-exec-read")) return s3_header_not_implemented(l->c, STR("x-amz-acl"));
	grant(l, r->owner, STR_NONE, STR("FULL_CONTROL"));
	if (str_is(acl, "private")) return OK;
	if (str_is(acl, "public-read") || rw) {
		grant(l, STR_NONE, STR("all"), STR("READ"));
		if (rw) grant(l, STR_NONE, STR("all"), STR("WRITE"));
		return OK;
	}
	if (str_is(acl, "authenticated-read")) {
		grant(l, STR_NONE, STR("authenticated"), STR("READ"));
		return OK;
	}
	if (!object && str_is(acl, "log-delivery-write")) {
		grant(l, STR_NONE, STR("logs"), STR("WRITE"));
		grant(l, STR_NONE, STR("logs"), STR("READ_ACP"));
		return OK;
	}
	bool reads = str_is(acl, "bucket-owner-read");
	if (!object || (!reads && !str_is(acl, "bucket-owner-full-control")))
		return s3_invalid_argument(l->c, STR("x-amz-acl"), acl, "");
	if (!str_eq(r->owner, b->owner)) grant(l, b->owner, STR_NONE, reads ? STR("READ") : STR("FULL_CONTROL"));
	return OK;
}

static status read_policy(struct list *l, const struct s3_acl_request *r)
{
	const struct s3_access_control_policy *p = r->policy;
	struct str owner;
	if (!p->owner || !str_has(p->owner->id)) return malformed(l->c);
	if (!s3_account_of(l->c->arena, p->owner->id, &owner) || !str_eq(owner, r->owner))
		return call_fail(l->c, ERR_ACCESS_DENIED, "Access Denied");
	if (p->grants.n > GRANTS_MAX) return malformed(l->c);
	for (size_t i = 0; i < p->grants.n; i++) {
		const struct s3_grant *g = &p->grants.v[i];
		if (!g->grantee || !is_permission(g->permission)) return malformed(l->c);
		const struct s3_grantee *to = g->grantee;
		if (str_is(to->type, "CanonicalUser"))
			TRY(grant_id(l, str_or(to->id, STR("")), g->permission));
		else if (str_is(to->type, "Group"))
			TRY(grant_group(l, str_or(to->uri, STR("")), g->permission));
		else if (str_is(to->type, "AmazonCustomerByEmail"))
			TRY(grant_email(l, str_or(to->email_address, STR(""))));
		else
			return malformed(l->c);
	}
	return OK;
}

static status block_public(struct call *c, const struct s3_rec_grants *grants, const struct s3_acl_request *r,
	const struct s3_rec_bucket *b)
{
	for (size_t i = 0; i < grants->n; i++) {
		if (!str_is(grants->v[i].group, "all") && !str_is(grants->v[i].group, "authenticated")) continue;
		return call_fail(c, ERR_ACCESS_DENIED,
			"User: %.*s is not authorized to perform: s3:%s on resource: \"arn:%.*s:s3:::%.*s%s\" because "
			"public access "
			"control lists (ACLs) are blocked by the BlockPublicAcls block public access setting.",
			STR_ARG(c->principal.arn), r->of_bucket ? "PutBucketAcl" : "PutObjectAcl",
			STR_ARG(c->partition), STR_ARG(b->name), r->of_bucket ? "" : "/*");
	}
	return OK;
}

status s3_acl_read(struct call *c, const struct s3_rec_bucket *b, unsigned bits, const struct s3_acl_request *r,
	struct s3_rec_grants *out)
{
	struct list l = {.c = c, .out = out};
	bool headers = str_has(r->full_control) || str_has(r->read) || str_has(r->write) || str_has(r->read_acp) ||
		       str_has(r->write_acp);
	*out = (struct s3_rec_grants){0};
	if (headers && str_has(r->acl))
		return call_fail(
			c, S3_ERR_INVALID_REQUEST, "Specifying both Canned ACLs and Header Grants is not allowed");
	if (r->policy && (headers || str_has(r->acl)))
		return call_fail(c, S3_ERR_UNEXPECTED_CONTENT, "This request does not support content");
	if (r->policy) {
		TRY(read_policy(&l, r));
	} else if (headers) {
		TRY(read_header(&l, r->full_control, "FULL_CONTROL"));
		TRY(read_header(&l, r->read, "READ"));
		TRY(read_header(&l, r->write, "WRITE"));
		TRY(read_header(&l, r->read_acp, "READ_ACP"));
		TRY(read_header(&l, r->write_acp, "WRITE_ACP"));
	} else if (str_has(r->acl)) {
		TRY(read_canned(&l, b, r));
	} else {
		status s = call_fail(c, S3_ERR_MISSING_SECURITY_HEADER, "Your request was missing a required header");
		call_fail_detail(c, STR("MissingHeaderName"), STR("x-amz-acl"));
		return s;
	}
	if (out->n > GRANTS_MAX) return malformed(c);
	return bits & S3_BLOCK_PUBLIC_ACLS ? block_public(c, out, r, b) : OK;
}

/* Grants to the owner alone of full control are the same as none ("bucket-owner-full-control … or an equivalent form").
 */
static bool is_harmless(const struct s3_rec_grants *grants, struct str owner)
{
	for (size_t i = 0; i < grants->n; i++)
		if (!str_eq(str_or(grants->v[i].account, STR("")), owner) ||
			!str_is(grants->v[i].permission, "FULL_CONTROL"))
			return false;
	return true;
}

static status not_supported(struct call *c)
{
	return call_fail(c, S3_ERR_ACCESS_CONTROL_LIST_NOT_SUPPORTED, "The bucket does not allow ACLs");
}

status s3_acl_of_upload(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o)
{
	unsigned bits = 0;
	struct s3_acl_request r = {.acl = h->acl,
		.full_control = h->grant_full_control,
		.read = h->grant_read,
		.read_acp = h->grant_read_acp,
		.write_acp = h->grant_write_acp};
	bool preferred = str_is(b->ownership, "BucketOwnerPreferred") && str_is(h->acl, "bucket-owner-full-control");
	bool enabled = s3_acl_enabled(b);
	r.owner = !enabled || preferred ? b->owner : s3_caller_account(c);
	o->owner = r.owner;
	o->acl = STR_NONE;
	o->grants = (struct s3_rec_grants){0};
	if (!s3_acl_asked(&r)) return OK;
	TRY(s3_bucket_public(c->tx, c->arena, b, &bits));
	TRY(s3_acl_read(c, b, enabled ? bits : 0, &r, &o->grants));
	/* "PUT requests that don't specify an ACL or … bucket owner full control ACLs"; private is neither. */
	if (!enabled && (str_is(h->acl, "private") || !is_harmless(&o->grants, b->owner))) return not_supported(c);
	if (enabled && !is_harmless(&o->grants, r.owner))
		o->acl = STR("grants");
	else
		o->grants = (struct s3_rec_grants){0};
	return OK;
}

/* ── judging ── */

static unsigned bits_of(struct str permission)
{
	if (str_is(permission, "READ")) return S3_MAY_READ;
	if (str_is(permission, "WRITE")) return S3_MAY_WRITE;
	if (str_is(permission, "READ_ACP")) return S3_MAY_READ_ACP;
	if (str_is(permission, "WRITE_ACP")) return S3_MAY_WRITE_ACP;
	return S3_MAY_READ | S3_MAY_WRITE | S3_MAY_READ_ACP | S3_MAY_WRITE_ACP;
}

void s3_acl_judge(const struct s3_rec_grants *grants, struct str account, unsigned *by_name, unsigned *by_group)
{
	*by_name = *by_group = 0;
	for (size_t i = 0; i < grants->n; i++) {
		const struct s3_rec_grant *g = &grants->v[i];
		unsigned bits = bits_of(g->permission);
		if (str_is(g->group, "all") || (str_is(g->group, "authenticated") && account.n))
			*by_group |= bits;
		else if (str_has(g->account) && account.n && str_eq(g->account, account))
			*by_name |= bits;
	}
}

/* ── showing ── */

void s3_acl_show(
	struct call *c, const struct s3_rec_grants *grants, bool told, struct str owner, struct s3_grants *out)
{
	size_t capacity = 0;
	struct s3_rec_grant all = {.account = owner, .permission = STR("FULL_CONTROL")};
	struct s3_rec_grants own = {&all, 1};
	if (!told) grants = &own;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < grants->n; i++) {
		const struct s3_rec_grant *from = &grants->v[i];
		struct s3_grant *g = VEC_PUSH(c->arena, out, &capacity);
		g->grantee = arena_new(c->arena, struct s3_grantee);
		g->permission = from->permission;
		if (str_has(from->account)) {
			g->grantee->type = STR("CanonicalUser");
			g->grantee->id = s3_canonical_id(c->arena, from->account);
			continue;
		}
		g->grantee->type = STR("Group");
		for (size_t j = 0; j < GROUPS; j++)
			if (str_eq(from->group, str_c(groups[j].name))) g->grantee->uri = str_c(groups[j].uri);
	}
}

/* ── the operations ── */

status s3_put_bucket_acl(struct call *c, const struct s3_put_bucket_acl_input *in, struct s3_put_bucket_acl_output *out)
{
	struct s3_rec_bucket b;
	unsigned bits;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!s3_acl_enabled(&b)) return not_supported(c);
	TRY(s3_config_check_digest(c));
	struct s3_acl_request r = {in->acl, in->grant_full_control, in->grant_read, in->grant_write, in->grant_read_acp,
		in->grant_write_acp, in->access_control_policy, b.owner, true};
	TRY(s3_bucket_public(c->tx, c->arena, &b, &bits));
	TRY(s3_acl_read(c, &b, bits, &r, &b.grants));
	b.acl = STR("grants");
	s3_bucket_save(c, &b);
	return OK;
}

status s3_get_bucket_acl(struct call *c, const struct s3_get_bucket_acl_input *in, struct s3_get_bucket_acl_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	out->owner = s3_owner_of(c, b.owner);
	s3_acl_show(c, &b.grants, s3_acl_told(b.acl) && s3_acl_enabled(&b), b.owner, &out->grants);
	return OK;
}

status s3_put_object_acl(struct call *c, const struct s3_put_object_acl_input *in, struct s3_put_object_acl_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_place place;
	unsigned bits;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!s3_acl_enabled(&b)) return not_supported(c);
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, &place));
	TRY(s3_config_check_digest(c));
	struct s3_acl_request r = {in->acl, in->grant_full_control, in->grant_read, in->grant_write, in->grant_read_acp,
		in->grant_write_acp, in->access_control_policy, o.owner, false};
	TRY(s3_bucket_public(c->tx, c->arena, &b, &bits));
	TRY(s3_acl_read(c, &b, bits, &r, &o.grants));
	o.acl = STR("grants");
	s3_version_rewrite(c, &b, in->key, &place, &o);
	TRY(s3_changed(c, &b, in->key, S3_ACL_PUT, &o));
	return OK;
}

status s3_get_object_acl(struct call *c, const struct s3_get_object_acl_input *in, struct s3_get_object_acl_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, NULL));
	struct str owner = s3_acl_enabled(&b) ? o.owner : b.owner;
	out->owner = s3_owner_of(c, owner);
	s3_acl_show(c, &o.grants, s3_acl_told(o.acl) && s3_acl_enabled(&b), owner, &out->grants);
	return OK;
}
