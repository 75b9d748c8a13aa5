/* Stored records of parameters: their keys in the store, finding, writing and removing them. */
#include "services/ssm/events.h"
#include "services/ssm/room.h"

#define SERVICE STR("ssm")

struct str ps_key(struct arena *a, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, SERVICE, STR("parameter"), account, region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

static struct str version_key(struct arena *a, const struct ps_parameter *p, int64_t number)
{
	struct key k = key_for(a, SERVICE, STR("version"), p->account, p->region);
	key_str(&k, p->name);
	key_i64(&k, number);
	return key_done(&k);
}

struct str ps_job_id(struct arena *a, const struct ps_parameter *p)
{
	return str_fmt(a, "%.*s:%.*s:%.*s", STR_ARG(p->account), STR_ARG(p->region), STR_ARG(p->name));
}

status ps_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct ps_parameter *out)
{
	struct str bytes;
	*out = (struct ps_parameter){.account = account, .region = region, .name = name};
	TRY(store_get(tx, ps_key(a, account, region, name), &bytes));
	out->arn = ps_arn(a, region, account, name);
	return ssm_rec_parameter_decode(a, bytes, &out->r);
}

status ps_lookup(struct call *c, struct store_tx *tx, const struct ps_name *n, struct ps_parameter *out)
{
	if (n->foreign) return STATUS(NOT_FOUND);
	status s = ps_load(tx, c->arena, c->account, c->region, n->name, out);
	if (!n->from_arn || !status_is(s, STATUS_NOT_FOUND)) return s;
	return ps_load(tx, c->arena, c->account, c->region, str_from(n->name, 1), out);
}

/* AWS gives this error no message. */
status ps_find(struct call *c, const struct ps_name *n, struct ps_parameter *out)
{
	status s = ps_lookup(c, c->tx, n, out);
	return status_is(s, STATUS_NOT_FOUND) ? call_fail(c, SSM_ERR_PARAMETER_NOT_FOUND, "%s", "") : s;
}

void ps_put(struct store_tx *tx, struct arena *a, const struct ps_parameter *p)
{
	store_put(tx, ps_key(a, p->account, p->region, p->name), ssm_rec_parameter_encode(a, &p->r));
}

status ps_version_get(
	struct store_tx *tx, struct arena *a, const struct ps_parameter *p, int64_t number, struct ssm_rec_version *out)
{
	struct str bytes;
	*out = (struct ssm_rec_version){0};
	TRY(store_get(tx, version_key(a, p, number), &bytes));
	return ssm_rec_version_decode(a, bytes, out);
}

void ps_version_put(struct store_tx *tx, struct arena *a, const struct ps_parameter *p, int64_t number,
	const struct ssm_rec_version *v)
{
	store_put(tx, version_key(a, p, number), ssm_rec_version_encode(a, v));
}

void ps_version_delete(struct store_tx *tx, struct arena *a, const struct ps_parameter *p, int64_t number)
{
	store_delete(tx, version_key(a, p, number));
}

void ps_purge(struct store_tx *tx, struct arena *a, const struct ps_parameter *p)
{
	for (int64_t i = p->r.oldest.v; i <= p->r.version.v; i++) ps_version_delete(tx, a, p, i);
	store_delete(tx, ps_key(a, p->account, p->region, p->name));
	jobs_cancel(tx, STR(PS_JOB_POLICY), ps_job_id(a, p));
}

void ps_tell_change(struct cloud *cloud, struct store_tx *tx, const struct ps_parameter *p, struct str type,
	struct str operation, struct str label)
{
	struct ssm_change_event detail = {p->arn, p->name, type, operation, label};
	struct bus_event e = {SSM_EVENT_CHANGE, p->account, p->region, &detail};
	if (cloud->bus && bus_wants(cloud->bus, BUS_COMMITTING, SSM_EVENT_CHANGE))
		bus_publish(cloud->bus, BUS_COMMITTING, tx, &e);
}
