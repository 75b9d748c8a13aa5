/* Organizations' records: their keys, ids and ARNs, loading and storing. */
#include "services/organizations/room.h"

#define SERVICE STR("organizations")

struct str orgs_key(struct arena *a, const char *kind, struct str organization, struct str id)
{
	struct key k = key_for(a, SERVICE, str_c(kind), organization, STR(""));
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

struct str orgs_key2(struct arena *a, const char *kind, struct str organization, struct str id, struct str id2)
{
	struct key k = key_for(a, SERVICE, str_c(kind), organization, STR(""));
	key_str(&k, id);
	key_str(&k, id2);
	return key_done(&k);
}

struct str orgs_free_key(struct arena *a, const char *kind, struct str id)
{
	struct key k = key_begin(a);
	key_str(&k, SERVICE);
	key_str(&k, str_c(kind));
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

struct str orgs_new_id(struct arena *a, const char *prefix, size_t n)
{
	return str_cat(a, str_c(prefix), rand_text(a, STR("abcdefghijklmnopqrstuvwxyz0123456789"), n));
}

struct str orgs_arn(struct arena *a, const struct organizations_rec_organization *o, const char *kind, struct str id)
{
	return str_fmt(a, "arn:%.*s:organizations::%.*s:%s/%.*s%s%.*s", STR_ARG(o->partition), STR_ARG(o->master), kind,
		STR_ARG(o->id), str_has(id) ? "/" : "", STR_ARG(id));
}

bool orgs_policy_is_aws(struct str id)
{
	return str_is(id, "p-FullAWSAccess") || str_is(id, "p-RCPFullAWSAccess");
}

struct str orgs_policy_arn(
	struct arena *a, const struct organizations_rec_organization *o, const struct organizations_rec_policy *p)
{
	struct str type = str_lower(a, p->type);
	if (orgs_policy_is_aws(p->id))
		return str_fmt(a, "arn:%.*s:organizations::aws:policy/%.*s/%.*s", STR_ARG(o->partition), STR_ARG(type),
			STR_ARG(p->id));
	return str_fmt(a, "arn:%.*s:organizations::%.*s:policy/%.*s/%.*s/%.*s", STR_ARG(o->partition),
		STR_ARG(o->master), STR_ARG(o->id), STR_ARG(type), STR_ARG(p->id));
}

bool orgs_is_account(struct str id)
{
	if (id.n != 12) return false;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] < '0' || id.p[i] > '9') return false;
	return true;
}

bool orgs_is_root(struct str id)
{
	return str_starts(id, STR("r-"));
}

bool orgs_is_unit(struct str id)
{
	return str_starts(id, STR("ou-"));
}

struct str orgs_arn_of(
	struct arena *a, struct store_tx *tx, const struct organizations_rec_organization *o, struct str id)
{
	struct organizations_rec_policy p;
	if (orgs_is_account(id)) return orgs_arn(a, o, "account", id);
	if (orgs_is_unit(id)) return orgs_arn(a, o, "ou", id);
	if (str_starts(id, STR("rp-"))) return orgs_arn(a, o, "resourcepolicy", id);
	if (orgs_is_root(id)) return orgs_arn(a, o, "root", id);
	if (str_starts(id, STR("p-")) && is_ok(orgs_policy_load(tx, a, o->id, id, &p)))
		return orgs_policy_arn(a, o, &p);
	return STR_NONE;
}

status orgs_load(struct store_tx *tx, struct arena *a, struct str id, struct organizations_rec_organization *out)
{
	struct str bytes;
	*out = (struct organizations_rec_organization){0};
	TRY(store_get(tx, orgs_key(a, "organization", id, STR_NONE), &bytes));
	return organizations_rec_organization_decode(a, bytes, out);
}

void orgs_changed(struct store_tx *tx, struct arena *a, struct str id)
{
	uint64_t stamp = rand_u64() | 1;
	store_put(tx, orgs_key(a, "generation", id, STR_NONE),
		str_n(arena_copy(a, &stamp, sizeof(stamp)), sizeof(stamp)));
}

void orgs_put(struct call *c, const struct organizations_rec_organization *o)
{
	store_put(c->tx, orgs_key(c->arena, "organization", o->id, STR_NONE),
		organizations_rec_organization_encode(c->arena, o));
	orgs_changed(c->tx, c->arena, o->id);
}

status orgs_account_load(struct store_tx *tx, struct arena *a, struct str organization, struct str id,
	struct organizations_rec_account *out)
{
	struct str bytes;
	*out = (struct organizations_rec_account){0};
	TRY(store_get(tx, orgs_key(a, "account", organization, id), &bytes));
	return organizations_rec_account_decode(a, bytes, out);
}

void orgs_account_put(
	struct store_tx *tx, struct arena *a, struct str organization, const struct organizations_rec_account *r)
{
	store_put(tx, orgs_key(a, "account", organization, r->id), organizations_rec_account_encode(a, r));
	orgs_changed(tx, a, organization);
}

status orgs_unit_load(struct store_tx *tx, struct arena *a, struct str organization, struct str id,
	struct organizations_rec_unit *out)
{
	struct str bytes;
	*out = (struct organizations_rec_unit){0};
	TRY(store_get(tx, orgs_key(a, "ou", organization, id), &bytes));
	return organizations_rec_unit_decode(a, bytes, out);
}

/* "Service control policies (SCPs)", "Resource control policies (RCPs)": the two that AWS attaches. */
static const struct {
	const char *id, *name, *description, *type, *content;
} aws_policies[] = {
	{"p-FullAWSAccess", "FullAWSAccess", "Allows access to every operation", "SERVICE_CONTROL_POLICY",
		"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      "
		"\"Action\": "
		"\"*\",\n      \"Resource\": \"*\"\n    }\n  ]\n}"},
	{"p-RCPFullAWSAccess", "RCPFullAWSAccess", "Allows access to every operation", "RESOURCE_CONTROL_POLICY",
		"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      "
		"\"Principal\": "
		"\"*\",\n      \"Action\": \"*\",\n      \"Resource\": \"*\"\n    }\n  ]\n}"},
};

status orgs_policy_load(struct store_tx *tx, struct arena *a, struct str organization, struct str id,
	struct organizations_rec_policy *out)
{
	struct str bytes;
	*out = (struct organizations_rec_policy){0};
	for (size_t i = 0; i < 2; i++)
		if (str_eq(id, str_c(aws_policies[i].id))) {
			*out = (struct organizations_rec_policy){.id = str_c(aws_policies[i].id),
				.name = str_c(aws_policies[i].name),
				.description = str_c(aws_policies[i].description),
				.type = str_c(aws_policies[i].type),
				.content = str_c(aws_policies[i].content)};
			return OK;
		}
	TRY(store_get(tx, orgs_key(a, "policy", organization, id), &bytes));
	return organizations_rec_policy_decode(a, bytes, out);
}

status orgs_chain(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o, struct str id,
	struct orgs_chain *out)
{
	struct str up[ORGS_DEPTH_MAX + 2];
	size_t n = 0;
	while (!orgs_is_root(id)) {
		if (n == ORGS_DEPTH_MAX + 1) return STATUS(LIMIT);
		up[n++] = id;
		if (orgs_is_account(id)) {
			struct organizations_rec_account r;
			TRY(orgs_account_load(tx, a, o->id, id, &r));
			id = r.parent;
		} else {
			struct organizations_rec_unit u;
			TRY(orgs_unit_load(tx, a, o->id, id, &u));
			id = u.parent;
		}
	}
	out->n = 0;
	out->id[out->n++] = o->root;
	while (n) out->id[out->n++] = up[--n];
	return OK;
}

status orgs_ids(struct store_tx *tx, struct arena *a, struct str encoded, struct orgs_ids *out)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(tx, encoded, key_after(a, encoded), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(str_dup(a, key), encoded.n), id;
		TRY(key_read_str(a, &rest, &id));
		*VEC_PUSH(a, out, &out->capacity) = id;
	}
	return store_scan_end(scan);
}

struct str orgs_account_by_email(struct store_tx *tx, struct arena *a, struct str email)
{
	struct str account;
	return is_ok(store_get(tx, orgs_free_key(a, "email", str_lower(a, email)), &account)) ? account : STR_NONE;
}

void orgs_email_put(struct store_tx *tx, struct arena *a, struct str email, struct str account)
{
	store_put(tx, orgs_free_key(a, "email", str_lower(a, email)), account);
}

/* An account that nobody named has a name and an address of its number. */
struct organizations_rec_former orgs_identity(struct store_tx *tx, struct arena *a, struct str account)
{
	struct organizations_rec_account r;
	struct organizations_rec_former f = {0};
	struct str id = organizations_of(tx, a, account), bytes;
	if (str_has(id) && is_ok(orgs_account_load(tx, a, id, account, &r)))
		return (struct organizations_rec_former){.name = r.name, .email = r.email};
	if (is_ok(store_get(tx, orgs_free_key(a, "former", account), &bytes)) &&
		is_ok(organizations_rec_former_decode(a, bytes, &f)))
		return f;
	f.name = account;
	f.email = str_fmt(a, "root@%.*s.virga.example", STR_ARG(account));
	return f;
}

/* ── errors with a reason ─────────────────────────────────────────────────────────────────────────────────────── */

static struct str said(struct call *c, const char *fmt, va_list args)
{
	struct buf b = BUF_IN(c->arena);
	buf_vfmt(&b, fmt, args);
	return buf_done(&b);
}

#define REASONED(function, shape, ERROR)                                                                               \
	status function(struct call *c, const char *reason, const char *fmt, ...)                                      \
	{                                                                                                              \
		va_list args;                                                                                          \
		va_start(args, fmt);                                                                                   \
		struct str message = said(c, fmt, args);                                                               \
		va_end(args);                                                                                          \
		struct shape *members = arena_new(c->arena, struct shape);                                             \
		members->message = message;                                                                            \
		members->reason = str_c(reason);                                                                       \
		status s = call_fail(c, ERROR, "%.*s", STR_ARG(message));                                              \
		call_fail_members(c, members);                                                                         \
		return s;                                                                                              \
	}
REASONED(orgs_input, organizations_invalid_input_exception, ORGANIZATIONS_ERR_INVALID_INPUT_EXCEPTION)
REASONED(
	orgs_constraint, organizations_constraint_violation_exception, ORGANIZATIONS_ERR_CONSTRAINT_VIOLATION_EXCEPTION)
REASONED(orgs_handshake_constraint, organizations_handshake_constraint_violation_exception,
	ORGANIZATIONS_ERR_HANDSHAKE_CONSTRAINT_VIOLATION_EXCEPTION)

/* ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

status orgs_page_begin(struct call *c, struct str token, struct opt_i32 most, struct orgs_page *p)
{
	*p = (struct orgs_page){.c = c, .most = most.has ? (size_t)most.v : 20};
	if (!str_has(token) || !token.n) return OK;
	if (is_ok(str_unbase64(c->arena, token, &p->after))) return OK;
	return orgs_input(c, "INVALID_NEXT_TOKEN", "You provided an invalid value for the NextToken parameter.");
}

bool orgs_page_take(struct orgs_page *p, struct str id)
{
	if (p->truncated || (str_has(p->after) && str_cmp(id, p->after) <= 0)) return false;
	if (p->n == p->most) {
		p->truncated = true;
		return false;
	}
	p->n++;
	p->last = str_dup(p->c->arena, id);
	return true;
}

struct str orgs_page_end(const struct orgs_page *p)
{
	return p->truncated ? str_base64(p->c->arena, p->last) : STR_NONE;
}
