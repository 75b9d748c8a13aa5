/* Stored records of secrets: their keys in the store, and finding them by what clients call them. */
#include "services/secretsmanager/room.h"

#define SERVICE STR("secretsmanager")

static struct str partition_of(struct str region)
{
	if (str_starts(region, STR("cn-"))) return STR("aws-cn");
	return str_starts(region, STR("us-gov-")) ? STR("aws-us-gov") : STR("aws");
}

void sm_name_arn(struct arena *a, struct sm_secret *s)
{
	s->arn = str_fmt(a, "arn:%.*s:secretsmanager:%.*s:%.*s:secret:%.*s-%.*s", STR_ARG(partition_of(s->region)),
		STR_ARG(s->region), STR_ARG(s->account), STR_ARG(s->name), STR_ARG(s->r.suffix));
}

struct str sm_region_prefix(struct arena *a, struct str account, struct str region)
{
	struct key k = key_for(a, SERVICE, STR("secret"), account, region);
	return key_done(&k);
}

struct str sm_prefix(struct arena *a, struct str kind, const struct sm_secret *s)
{
	struct key k = key_for(a, SERVICE, kind, s->account, s->region);
	key_str(&k, s->name);
	return key_done(&k);
}

status sm_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct sm_secret *out)
{
	struct str bytes;
	*out = (struct sm_secret){.account = account, .region = region, .name = name};
	TRY(store_get(tx, sm_prefix(a, STR("secret"), out), &bytes));
	TRY(secretsmanager_rec_secret_decode(a, bytes, &out->r));
	sm_name_arn(a, out);
	return OK;
}

/* "For an ARN, we recommend that you specify a complete ARN rather than a partial ARN" (the reference): one without the
 * hyphen and the random characters names the secret too. */
status sm_lookup(struct call *c, struct store_tx *tx, struct str id, struct sm_secret *out)
{
	if (!str_starts(id, STR("arn:"))) return sm_load(tx, c->arena, c->account, c->region, id, out);
	struct str rest = id;
	(void)str_cut(&rest, ':');
	struct str partition = str_cut(&rest, ':'), service = str_cut(&rest, ':'), region = str_cut(&rest, ':'),
		   account = str_cut(&rest, ':'), kind = str_cut(&rest, ':');
	if (!str_has(rest) || !str_eq(partition, c->partition) || !str_eq(service, SERVICE) ||
		!str_is(kind, "secret") || !str_eq(region, c->region))
		return STATUS(NOT_FOUND);
	size_t tail = SM_SUFFIX_LENGTH + 1;
	if (rest.n > tail && rest.p[rest.n - tail] == '-') {
		status s = sm_load(tx, c->arena, account, region, str_sub(rest, 0, rest.n - tail), out);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s) && str_eq(out->r.suffix, str_from(rest, rest.n - SM_SUFFIX_LENGTH))) return OK;
	}
	return sm_load(tx, c->arena, account, region, rest, out);
}

bool sm_is_replica(const struct sm_secret *s)
{
	return str_has(s->r.primary_region) && !str_eq(s->r.primary_region, s->region);
}

status sm_find(struct call *c, struct str id, unsigned how, struct sm_secret *out)
{
	status s = sm_lookup(c, c->tx, id, out);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, SECRETSMANAGER_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
			"Secrets Manager can't find the specified secret.");
	TRY(s);
	if (out->r.deletion.has && !(how & SM_DELETED_TOO))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You can't perform this operation on the secret because it was marked for deletion.");
	if (sm_is_replica(out) && !(how & SM_REPLICA_TOO))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"Operation not permitted on a replica secret. Call must be made in primary secret's region.");
	return OK;
}

void sm_put(struct store_tx *tx, struct arena *a, const struct sm_secret *s)
{
	store_put(tx, sm_prefix(a, STR("secret"), s), secretsmanager_rec_secret_encode(a, &s->r));
}

status sm_save(struct call *c, struct sm_secret *s)
{
	if (s->r.replicas.n) TRY(sm_replicas_update(c, s));
	sm_put(c->tx, c->arena, s);
	return OK;
}

static status delete_below(struct store_tx *tx, struct arena *a, struct str prefix)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	while (store_scan_next(scan, &key, &value)) store_delete(tx, str_dup(a, key));
	return store_scan_end(scan);
}

status sm_purge(struct store_tx *tx, struct arena *a, const struct sm_secret *s)
{
	TRY(delete_below(tx, a, sm_prefix(a, STR("version"), s)));
	TRY(delete_below(tx, a, sm_prefix(a, STR("value"), s)));
	store_delete(tx, sm_prefix(a, STR("secret"), s));
	return OK;
}
