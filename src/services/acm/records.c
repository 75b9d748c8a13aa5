/* Certificates in the store, and what other services may do with them. */
#include "base/rand.h"
#include "services/acm/room.h"

static const char *partition_of(struct str region)
{
	return str_starts(region, STR("cn-")) ? "aws-cn" : str_starts(region, STR("us-gov-")) ? "aws-us-gov" : "aws";
}

struct str acm_prefix(struct arena *a, struct str account, struct str region)
{
	struct key k = key_for(a, STR("acm"), STR("certificate"), account, region);
	return key_done(&k);
}

static struct str key_of(struct arena *a, const struct acm_cert *cert)
{
	struct key k = key_begin(a);
	key_append(&k, acm_prefix(a, cert->account, cert->region));
	key_str(&k, cert->id);
	return key_done(&k);
}

status acm_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str id,
	struct acm_cert *out)
{
	struct str bytes;
	*out = (struct acm_cert){.account = account, .region = region, .id = id};
	out->arn = str_fmt(a, "arn:%s:acm:%.*s:%.*s:certificate/%.*s", partition_of(region), STR_ARG(region),
		STR_ARG(account), STR_ARG(id));
	TRY(store_get(tx, key_of(a, out), &bytes));
	return acm_rec_certificate_decode(a, bytes, &out->r);
}

void acm_put(struct store_tx *tx, struct arena *a, const struct acm_cert *cert)
{
	store_put(tx, key_of(a, cert), acm_rec_certificate_encode(a, &cert->r));
}

struct str acm_new_arn(struct call *c, struct str *id)
{
	*id = rand_uuid(c->arena);
	return call_arn(c, STR("acm"), "certificate/%.*s", STR_ARG(*id));
}

/* False where it is no certificate's. */
static bool read_arn(struct str arn, struct str *region, struct str *account, struct str *id)
{
	struct str rest = arn, part[5];
	for (size_t i = 0; i < 5; i++) {
		if (!str_has(rest)) return false;
		part[i] = str_cut(&rest, ':');
	}
	if (!str_is(part[0], "arn") || !str_is(part[2], "acm") || !str_has(rest) ||
		!str_starts(rest, STR("certificate/")))
		return false;
	*region = part[3];
	*account = part[4];
	*id = str_from(rest, 12);
	return id->n > 0;
}

status acm_find(struct call *c, struct str arn, struct acm_cert *out)
{
	struct str region, account, id;
	if (!read_arn(arn, &region, &account, &id))
		return call_fail(
			c, ACM_ERR_INVALID_ARN_EXCEPTION, "The requested ARN '%.*s' is not a valid ARN.", STR_ARG(arn));
	status s = str_eq(region, c->region) && str_eq(account, c->account)
			   ? acm_get(c->tx, c->arena, account, region, id, out)
			   : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(
			c, ACM_ERR_RESOURCE_NOT_FOUND_EXCEPTION, "Could not find certificate %.*s.", STR_ARG(arn));
	return s;
}

struct str acm_status(const struct acm_rec_certificate *r, int64_t now_ms)
{
	if (str_is(r->status, "ISSUED") && r->not_after.has && r->not_after.ms <= now_ms) return STR("EXPIRED");
	return r->status;
}

struct str acm_get_pair(const struct acm_rec_pairs *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, name)) return m->v[i].value;
	return STR_NONE;
}

struct str acm_vault_context(struct arena *a, const struct acm_cert *cert)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "acm");
	buf_byte(&b, 0);
	buf_str(&b, cert->account);
	buf_byte(&b, 0);
	buf_str(&b, cert->region);
	buf_byte(&b, 0);
	buf_str(&b, cert->id);
	return buf_done(&b);
}

void acm_tell(struct cloud *cloud, struct store_tx *tx, const struct acm_cert *cert)
{
	struct acm_event detail = {.arn = cert->arn, .users = cert->r.users.v, .n_users = cert->r.users.n};
	struct bus_event e = {
		.kind = "acm.certificate", .account = cert->account, .region = cert->region, .detail = &detail};
	bus_publish(cloud->bus, BUS_COMMITTING, tx, &e);
}

/* ── the door ── */

static status here(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str arn,
	struct acm_cert *out)
{
	struct str its_region, its_account, id;
	if (!read_arn(arn, &its_region, &its_account, &id) || !str_eq(account, its_account) ||
		!str_eq(region, its_region))
		return STATUS(NOT_FOUND);
	return acm_get(tx, a, account, region, id, out);
}

status acm_check(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str arn)
{
	struct acm_cert cert;
	TRY(here(tx, a, account, region, arn, &cert));
	return str_is(cert.r.status, "ISSUED") ? OK : STATUS(BUSY);
}

status acm_load(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str arn, struct acm_material *out)
{
	struct acm_cert cert;
	TRY(here(tx, a, account, region, arn, &cert));
	if (!str_is(cert.r.status, "ISSUED")) return STATUS(BUSY);
	*out = (struct acm_material){.domain = cert.r.domain,
		.certificate = cert.r.certificate,
		.chain = str_or(cert.r.chain, STR("")),
		.rsa = str_starts(cert.r.key_algorithm, STR("RSA")),
		.not_after_ms = cert.r.not_after.ms};
	return vault_unwrap(cloud->vault, a, acm_vault_context(a, &cert), cert.r.key, &out->key);
}

status acm_serial(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str arn,
	struct str *serial)
{
	struct acm_cert cert;
	TRY(here(tx, a, account, region, arn, &cert));
	*serial = str_or(cert.r.serial, STR(""));
	return OK;
}

status acm_use(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str arn,
	struct str user, bool uses)
{
	struct acm_cert cert;
	struct acm_rec_strings now = {0};
	size_t capacity = 0;
	status s = here(tx, a, account, region, arn, &cert);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < cert.r.users.n; i++)
		if (!str_eq(cert.r.users.v[i], user)) *VEC_PUSH(a, &now, &capacity) = cert.r.users.v[i];
	if (uses) *VEC_PUSH(a, &now, &capacity) = user;
	cert.r.users = now;
	acm_put(tx, a, &cert);
	return OK;
}
