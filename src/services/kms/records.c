/* Stored records of KMS: their keys in the store, reading and writing them. */
#include "services/kms/room.h"
#include <stdarg.h>

#define SERVICE STR("kms")

static struct str partition_of(struct str region)
{
	if (str_starts(region, STR("cn-"))) return STR("aws-cn");
	return str_starts(region, STR("us-gov-")) ? STR("aws-us-gov") : STR("aws");
}

struct kms_scope kms_scope_of(struct call *c)
{
	return (struct kms_scope){.cloud = c->cloud,
		.kms = c->state,
		.call = c,
		.tx = c->tx,
		.arena = c->arena,
		.account = c->account,
		.region = c->region,
		.partition = c->partition,
		.now_ms = c->now_ms};
}

struct kms_scope kms_scope_at(
	struct kms *k, struct store_tx *tx, struct arena *a, struct str account, struct str region)
{
	return (struct kms_scope){.cloud = k->cloud,
		.kms = k,
		.tx = tx,
		.arena = a,
		.account = account,
		.region = region,
		.partition = partition_of(region),
		.now_ms = clock_now(k->cloud->clock)};
}

status kms_refuse(struct kms_scope *s, error_id error, const char *fmt, ...)
{
	struct buf b = BUF_IN(s->arena);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	s->error = error;
	s->message = buf_done(&b);
	return s->call ? call_fail(s->call, error, "%.*s", STR_ARG(s->message)) : STATUS(FAILED);
}

struct str kms_arn(struct arena *a, struct str region, struct str account, struct str kind, struct str name)
{
	return str_fmt(a, "arn:%.*s:kms:%.*s:%.*s:%.*s%s%.*s", STR_ARG(partition_of(region)), STR_ARG(region),
		STR_ARG(account), STR_ARG(kind), kind.n ? "/" : "", STR_ARG(name));
}

struct str kms_key_key(struct arena *a, struct str account, struct str region, struct str id)
{
	struct key k = key_for(a, SERVICE, STR("key"), account, region);
	key_str(&k, id);
	return key_done(&k);
}

status kms_key_get(struct kms_scope *s, struct str account, struct str region, struct str id, struct kms_key *out)
{
	struct str bytes;
	TRY(store_get(s->tx, kms_key_key(s->arena, account, region, id), &bytes));
	*out = (struct kms_key){.account = account, .region = region, .id = id};
	TRY(kms_rec_key_decode(s->arena, bytes, &out->r));
	out->arn = kms_arn(s->arena, region, account, STR("key"), id);
	out->spec = kms_spec_find(out->r.spec);
	return out->spec ? OK : STATUS(CORRUPT);
}

void kms_key_put(struct kms_scope *s, const struct kms_key *k)
{
	store_put(s->tx, kms_key_key(s->arena, k->account, k->region, k->id), kms_rec_key_encode(s->arena, &k->r));
}

struct str kms_material_prefix(struct kms_scope *s, const struct kms_key *k)
{
	bool shared = k->r.multi_region.v && str_is(k->r.origin, "AWS_KMS");
	struct key key = key_for(s->arena, SERVICE, STR("material"), k->account, shared ? STR("") : k->region);
	key_str(&key, k->id);
	return key_done(&key);
}

static struct str material_key(struct kms_scope *s, const struct kms_key *k, struct str id)
{
	struct key key = key_begin(s->arena);
	key_append(&key, kms_material_prefix(s, k));
	key_str(&key, id);
	return key_done(&key);
}

status kms_material_get(struct kms_scope *s, const struct kms_key *k, struct str id, struct kms_rec_material *out)
{
	struct str bytes;
	TRY(store_get(s->tx, material_key(s, k, id), &bytes));
	*out = (struct kms_rec_material){0};
	return kms_rec_material_decode(s->arena, bytes, out);
}

void kms_material_put(struct kms_scope *s, const struct kms_key *k, struct str id, const struct kms_rec_material *m)
{
	store_put(s->tx, material_key(s, k, id), kms_rec_material_encode(s->arena, m));
}

struct str kms_alias_key(struct arena *a, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, SERVICE, STR("alias"), account, region);
	key_str(&k, name);
	return key_done(&k);
}

status kms_alias_get(
	struct kms_scope *s, struct str account, struct str region, struct str name, struct kms_rec_alias *out)
{
	struct str bytes;
	TRY(store_get(s->tx, kms_alias_key(s->arena, account, region, name), &bytes));
	*out = (struct kms_rec_alias){0};
	return kms_rec_alias_decode(s->arena, bytes, out);
}

void kms_alias_put(struct kms_scope *s, struct str name, const struct kms_rec_alias *r)
{
	store_put(s->tx, kms_alias_key(s->arena, s->account, s->region, name), kms_rec_alias_encode(s->arena, r));
}

void kms_alias_add(struct kms_scope *s, struct kms_key *k, struct str name)
{
	struct kms_rec_strings grown = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < k->r.aliases.n; i++) *VEC_PUSH(s->arena, &grown, &capacity) = k->r.aliases.v[i];
	*VEC_PUSH(s->arena, &grown, &capacity) = name;
	k->r.aliases = grown;
}

void kms_alias_remove(struct kms_key *k, struct str name)
{
	size_t kept = 0;
	for (size_t i = 0; i < k->r.aliases.n; i++)
		if (!str_eq(k->r.aliases.v[i], name)) k->r.aliases.v[kept++] = k->r.aliases.v[i];
	k->r.aliases.n = kept;
}

struct str kms_grant_prefix(struct kms_scope *s, const struct kms_key *k)
{
	struct key key = key_for(s->arena, SERVICE, STR("grant"), k->account, k->region);
	key_str(&key, k->id);
	return key_done(&key);
}
