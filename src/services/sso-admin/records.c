/* Records of Identity Center: keys, ARNs, loading by ARN and who may; pages. */
#include "services/sso-admin/room.h"

#define SERVICE STR("sso-admin")

struct str ssoa_key(struct arena *a, const char *kind, struct str instance, struct str x, struct str y, struct str z)
{
	struct key k = key_for(a, SERVICE, str_c(kind), instance, STR(""));
	const struct str parts[] = {x, y, z};
	for (size_t i = 0; i < 3 && str_has(parts[i]); i++) key_str(&k, parts[i]);
	return key_done(&k);
}

struct str ssoa_instance_key(struct arena *a, struct str id)
{
	struct key k = key_begin(a);
	key_str(&k, SERVICE);
	key_str(&k, STR("instance"));
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

struct str ssoa_instance_arn(struct arena *a, const struct sso_admin_rec_instance *i)
{
	return str_fmt(a, "arn:%.*s:sso:::instance/%.*s", STR_ARG(i->partition), STR_ARG(i->id));
}

struct str ssoa_set_arn(struct arena *a, const struct sso_admin_rec_instance *i, struct str set)
{
	return str_fmt(
		a, "arn:%.*s:sso:::permissionSet/%.*s/%.*s", STR_ARG(i->partition), STR_ARG(i->id), STR_ARG(set));
}

status ssoa_rows(struct store_tx *tx, struct arena *a, struct str encoded, struct ssoa_rows *out)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(tx, encoded, key_after(a, encoded), false);
	while (store_scan_next(scan, &key, &value)) *VEC_PUSH(a, out, &out->capacity) = str_dup(a, value);
	return store_scan_end(scan);
}

status sso_admin_instance(struct store_tx *tx, struct arena *a, struct str id, struct sso_admin_rec_instance *out)
{
	struct str bytes;
	*out = (struct sso_admin_rec_instance){0};
	TRY(store_get(tx, ssoa_instance_key(a, id), &bytes));
	return sso_admin_rec_instance_decode(a, bytes, out);
}

status sso_admin_instance_at(
	struct store_tx *tx, struct arena *a, struct str address, struct sso_admin_rec_instance *out)
{
	struct ssoa_rows rows = {0};
	TRY(ssoa_rows(tx, a, ssoa_instance_key(a, STR_NONE), &rows));
	for (size_t i = 0; i < rows.n; i++) {
		*out = (struct sso_admin_rec_instance){0};
		TRY(sso_admin_rec_instance_decode(a, rows.v[i], out));
		if (str_find(address, out->store) >= 0 || str_find(address, out->id) >= 0) return OK;
	}
	return STATUS(NOT_FOUND);
}

status sso_admin_only_instance(struct store_tx *tx, struct arena *a, struct sso_admin_rec_instance *out)
{
	struct ssoa_rows rows = {0};
	*out = (struct sso_admin_rec_instance){0};
	TRY(ssoa_rows(tx, a, ssoa_instance_key(a, STR_NONE), &rows));
	return rows.n == 1 ? sso_admin_rec_instance_decode(a, rows.v[0], out) : STATUS(NOT_FOUND);
}

static status instance_missing(struct call *c)
{
	return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Could not find the instance of IAM Identity Center.");
}

status ssoa_get_instance(struct call *c, struct str arn, struct sso_admin_rec_instance *out)
{
	ptrdiff_t slash = str_rchr(arn, '/');
	status s = sso_admin_instance(c->tx, c->arena, str_from(arn, (size_t)slash + 1), out);
	if (status_is(s, STATUS_NOT_FOUND)) return instance_missing(c);
	TRY(s);
	if (!str_eq(out->region, c->region)) return instance_missing(c);
	if (str_eq(out->owner, c->account)) return OK;
	bool delegate = str_has(out->organization) &&
			organizations_delegate(c->tx, c->arena, out->organization, c->account, SSOA_PRINCIPAL);
	return delegate ? OK : SSOA_FAIL(c, ACCESS_DENIED, "You do not have sufficient access to perform this action.");
}

status ssoa_get_organization_instance(struct call *c, struct str arn, struct sso_admin_rec_instance *out)
{
	TRY(ssoa_get_instance(c, arn, out));
	if (str_has(out->organization) && out->organization.n) return OK;
	/* "Account instances ... don't support permission sets or assignments to AWS accounts". */
	return SSOA_FAIL(c, VALIDATION, "The operation is not supported for account instances of IAM Identity Center.");
}

void ssoa_put_instance(struct call *c, const struct sso_admin_rec_instance *i)
{
	store_put(c->tx, ssoa_instance_key(c->arena, i->id), sso_admin_rec_instance_encode(c->arena, i));
}

status ssoa_set_load(
	struct store_tx *tx, struct arena *a, struct str instance, struct str id, struct sso_admin_rec_set *out)
{
	struct str bytes;
	*out = (struct sso_admin_rec_set){0};
	TRY(store_get(tx, ssoa_key(a, "set", instance, id, STR_NONE, STR_NONE), &bytes));
	return sso_admin_rec_set_decode(a, bytes, out);
}

status ssoa_get_set(struct call *c, struct str instance_arn, struct str set_arn, struct sso_admin_rec_instance *i,
	struct sso_admin_rec_set *out)
{
	TRY(ssoa_get_organization_instance(c, instance_arn, i));
	ptrdiff_t slash = str_rchr(set_arn, '/');
	status s = ssoa_set_load(c->tx, c->arena, i->id, str_from(set_arn, (size_t)slash + 1), out);
	if (is_ok(s) && !str_eq(ssoa_set_arn(c->arena, i, out->id), set_arn)) s = STATUS(NOT_FOUND);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Could not find PermissionSet with id %.*s",
		STR_ARG(str_from(set_arn, (size_t)slash + 1)));
}

void ssoa_put_set(struct call *c, const struct sso_admin_rec_instance *i, struct sso_admin_rec_set *s, bool provision)
{
	if (provision) s->revision = SOME_I32(s->revision.v + 1);
	store_put(c->tx, ssoa_key(c->arena, "set", i->id, s->id, STR_NONE, STR_NONE),
		sso_admin_rec_set_encode(c->arena, s));
}

status ssoa_duration(struct str text, int64_t *seconds)
{
	int64_t total = 0, number = 0;
	if (!str_starts(text, STR("PT")) || text.n < 4) return STATUS(INVALID);
	for (size_t i = 2; i < text.n; i++) {
		char ch = text.p[i];
		if (ch >= '0' && ch <= '9') {
			number = number * 10 + (ch - '0');
			if (number > 100000) return STATUS(INVALID);
			continue;
		}
		int64_t unit = ch == 'H' ? 3600 : ch == 'M' ? 60 : ch == 'S' ? 1 : 0;
		if (!unit) return STATUS(INVALID);
		total += number * unit;
		number = 0;
	}
	*seconds = total;
	return total >= 3600 && total <= 12 * 3600 && !number ? OK : STATUS(INVALID);
}

status ssoa_page_begin(struct call *c, struct str token, struct opt_i32 most, struct ssoa_page *p)
{
	*p = (struct ssoa_page){.c = c, .most = most.has ? (size_t)most.v : 100};
	if (!str_has(token) || is_ok(str_unbase64(c->arena, token, &p->after))) return OK;
	return SSOA_FAIL(c, VALIDATION, "Invalid NextToken");
}

bool ssoa_page_take(struct ssoa_page *p, size_t index)
{
	struct str id = str_fmt(p->c->arena, "%08zu", index);
	if (p->truncated || (str_has(p->after) && str_cmp(id, p->after) <= 0)) return false;
	if (p->n == p->most) {
		p->truncated = true;
		return false;
	}
	p->n++;
	p->last = id;
	return true;
}

struct str ssoa_page_end(const struct ssoa_page *p)
{
	return p->truncated ? str_base64(p->c->arena, p->last) : STR_NONE;
}
