/* Logical destinations ("Cross-account cross-Region log data sharing using Kinesis Data Streams"): a name in the
 * receiving account that stands for its stream and role, with a policy that tells which accounts may subscribe to it.
 * And where any subscription's ARN leads. */
#include "kinesis.h"
#include "policy/policy.h"
#include "services/kinesis/put.h"
#include "services/logs/room.h"
#include "services/sts/inside.h"

enum { PAGE = 50, POLICY_BYTES_MAX = 5120 };

/* arn:PARTITION:SERVICE:REGION:ACCOUNT:REST */
struct arn {
	struct str service, region, account, rest;
};

static bool read_arn(struct str text, struct arn *out)
{
	struct str part[5], rest = text;
	for (size_t i = 0; i < 5; i++) {
		if (!str_has(rest)) return false;
		part[i] = str_cut(&rest, ':');
	}
	*out = (struct arn){part[2], part[3], part[4], rest};
	return str_is(part[0], "arn") && str_has(rest);
}

static struct str arn_of(struct call *c, struct str name)
{
	return call_arn(c, STR("logs"), "destination:%.*s", STR_ARG(name));
}

status logs_destination_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str name, struct logs_rec_destination *out)
{
	struct str bytes;
	*out = (struct logs_rec_destination){0};
	TRY(store_get(tx, logs_key_of(a, "destination", account, region, name), &bytes));
	return logs_rec_destination_decode(a, bytes, out);
}

status logs_target_of(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	const struct logs_subscription *s, struct logs_target *out)
{
	struct arn arn, target;
	struct logs_rec_destination d;
	if (!read_arn(s->destination, &arn)) return STATUS(INVALID);
	if (str_is(arn.service, "kinesis")) {
		*out = (struct logs_target){account, region, s->destination, s->role};
		return OK;
	}
	if (!str_is(arn.service, "logs") || !str_starts(arn.rest, STR("destination:"))) return STATUS(INVALID);
	TRY(logs_destination_get(tx, a, arn.account, arn.region, str_from(arn.rest, sizeof("destination:") - 1), &d));
	if (!read_arn(d.target, &target)) return STATUS(CORRUPT);
	*out = (struct logs_target){arn.account, arn.region, d.target, d.role};
	return OK;
}

status logs_target_permits(struct cloud *cloud, struct arena *a, const struct logs_target *t, struct str *why)
{
	struct inside_caller role;
	/* Trust policies name one or the other. */
	struct str principals[] = {
		STR("logs.amazonaws.com"), str_fmt(a, "logs.%.*s.amazonaws.com", STR_ARG(t->region))};
	struct str source = str_fmt(a, "arn:aws:logs:%.*s:%.*s:*", STR_ARG(t->region), STR_ARG(t->account));
	status s = STATUS(FAILED);
	for (size_t i = 0; i < 2 && status_is(s, STATUS_FAILED); i++)
		s = sts_assume_for(cloud, a, t->account, t->region, principals[i], source, t->role,
			STR("CloudWatchLogsDelivery"), &role, why);
	TRY(s);
	if (inside_may(
		    cloud, &role, "kinesis", KINESIS_OP_PUT_RECORD, NULL, STR("kinesis:PutRecord"), t->stream, a, why))
		return OK;
	return inside_may(cloud, &role, "kinesis", KINESIS_OP_PUT_RECORDS, NULL, STR("kinesis:PutRecords"), t->stream,
		       a, why)
		       ? OK
		       : STATUS(FAILED);
}

/* ── operations ── */

static struct logs_destination shown(struct call *c, const struct logs_rec_destination *r)
{
	return (struct logs_destination){.destination_name = r->name,
		.target_arn = r->target,
		.role_arn = r->role,
		.access_policy = r->policy,
		.arn = arn_of(c, r->name),
		.creation_time = SOME_I64(r->created.ms)};
}

static void put(struct call *c, const struct logs_rec_destination *r)
{
	store_put(c->tx, logs_key_of(c->arena, "destination", c->account, c->region, r->name),
		logs_rec_destination_encode(c->arena, r));
}

static status load(struct call *c, struct str name, struct logs_rec_destination *out)
{
	status s = logs_destination_get(c->tx, c->arena, c->account, c->region, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified destination does not exist.");
}

status logs_put_destination(
	struct call *c, const struct logs_put_destination_input *in, struct logs_put_destination_output *out)
{
	struct logs_rec_destination old, r = {.name = in->destination_name,
						 .target = in->target_arn,
						 .role = in->role_arn,
						 .created = SOME_TIME(c->now_ms)};
	struct arn arn;
	if (!read_arn(in->target_arn, &arn)) return LOGS_FAIL(c, INVALID_PARAMETER, "The target ARN is malformed.");
	if (str_is(arn.service, "firehose"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Firehose streams as destinations are not implemented yet.");
	if (!str_is(arn.service, "kinesis"))
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"PutDestination operation cannot work with targetArn for vendor %.*s", STR_ARG(arn.service));
	status s = logs_destination_get(c->tx, c->arena, c->account, c->region, r.name, &old);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s)) {
		r.policy = old.policy;
		r.created = old.created;
		r.tags = old.tags;
	}
	for (size_t i = 0; i < in->tags.n; i++)
		logs_set(c->arena, &r.tags, in->tags.v[i].key, str_or(in->tags.v[i].value, STR("")));
	struct logs_subscription probe = {.destination = r.target, .role = r.role, .name = r.name};
	TRY(logs_delivery_try(c, &probe));
	put(c, &r);
	out->destination = arena_new(c->arena, struct logs_destination);
	*out->destination = shown(c, &r);
	return OK;
}

status logs_put_destination_policy(struct call *c, const struct logs_put_destination_policy_input *in,
	struct logs_put_destination_policy_output *out)
{
	struct logs_rec_destination r;
	struct policy *p;
	struct policy_source source = {.type = POLICY_RESOURCE};
	(void)out;
	TRY(load(c, in->destination_name, &r));
	if (in->access_policy.n > POLICY_BYTES_MAX)
		return LOGS_FAIL(c, INVALID_PARAMETER, "The policy document is too long.");
	if (!is_ok(policy_parse(in->access_policy, &source, &p, NULL)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The policy document is malformed.");
	policy_free(p);
	r.policy = in->access_policy;
	put(c, &r);
	return OK;
}

status logs_describe_destinations(struct call *c, const struct logs_describe_destinations_input *in,
	struct logs_describe_destinations_output *out)
{
	struct str space = logs_key(c->arena, "destination", c->account, c->region), key, value, after;
	struct str from = key_with_prefix(c->arena, space, str_or(in->destination_name_prefix, STR("")));
	size_t capacity = 0, most = in->limit.has ? (size_t)in->limit.v : PAGE;
	status s = OK;
	TRY(logs_token(c, in->next_token, &after));
	VEC_PRESENT(c->arena, &out->destinations);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after_prefix(c->arena, from), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct logs_rec_destination r = {0};
		s = logs_rec_destination_decode(c->arena, str_dup(c->arena, value), &r);
		if (!is_ok(s) || str_cmp(r.name, after) <= 0) continue;
		if (out->destinations.n == most) {
			out->next_token = str_base64(c->arena, out->destinations.v[most - 1].destination_name);
			break;
		}
		*VEC_PUSH(c->arena, &out->destinations, &capacity) = shown(c, &r);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

status logs_delete_destination(
	struct call *c, const struct logs_delete_destination_input *in, struct logs_delete_destination_output *out)
{
	struct logs_rec_destination r;
	(void)out;
	TRY(load(c, in->destination_name, &r));
	store_delete(c->tx, logs_key_of(c->arena, "destination", c->account, c->region, r.name));
	return OK;
}
