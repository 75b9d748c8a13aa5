/* Subscription filters of log groups ("Real-time processing of log data with subscriptions"): events that pass a
 * pattern go to a stream of Kinesis, or to a logical destination of another account. What waits and how it gets there
 * is delivery.c's. Lambda functions and Firehose streams as destinations are not built, and refused. */
#include "services/logs/pattern.h"
#include "services/logs/room.h"

enum { PAGE = 50, FILTERS_MAX = 2 };
#define TABLES (&wire_service_logs.tables)

struct filters {
	struct logs_subscription_filter *v;
	size_t n, capacity;
};

static status decode(struct arena *a, struct str bytes, struct logs_subscription_filter *out)
{
	struct logs_rec_subscription r = {0};
	*out = (struct logs_subscription_filter){0};
	TRY(logs_rec_subscription_decode(a, bytes, &r));
	return wire_json_to(a, TABLES, LOGS_SHAPE_SUBSCRIPTION_FILTER, r.filter, out);
}

static status filters_of(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str group,
	struct filters *out)
{
	struct str space = logs_key_in(a, "subscription", account, region, group, STR_NONE), key, value;
	status s = OK;
	struct store_scan *scan = store_scan_begin(tx, space, key_after(a, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = decode(a, str_dup(a, value), VEC_PUSH(a, out, &out->capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static struct logs_subscription of_filter(const struct logs_subscription_filter *f)
{
	return (struct logs_subscription){.group = f->log_group_name,
		.name = f->filter_name,
		.pattern = f->filter_pattern,
		.destination = f->destination_arn,
		.role = f->role_arn,
		.random = str_is(f->distribution, "Random"),
		.transformed = f->apply_on_transformed_logs.v};
}

status logs_subscriptions_of(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str group, struct logs_subscriptions *out)
{
	struct filters list = {0};
	struct logs_subscription whole;
	TRY(filters_of(tx, a, account, region, group, &list));
	for (size_t i = 0; i < list.n; i++) *VEC_PUSH(a, out, &out->capacity) = of_filter(&list.v[i]);
	status s = logs_account_subscription(tx, a, account, region, group, &whole);
	if (is_ok(s)) *VEC_PUSH(a, out, &out->capacity) = whole;
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

status logs_subscription_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str group, struct str name, struct logs_subscription *out)
{
	struct str bytes;
	struct logs_subscription_filter f;
	if (!group.n) return logs_account_subscription(tx, a, account, region, STR_NONE, out);
	TRY(store_get(tx, logs_key_in(a, "subscription", account, region, group, name), &bytes));
	TRY(decode(a, bytes, &f));
	*out = of_filter(&f);
	return OK;
}

/* ── operations ── */

static status check(struct call *c, const struct logs_put_subscription_filter_input *in)
{
	struct logs_pattern *p;
	struct str why;
	if (str_has(in->field_selection_criteria) || in->emit_system_fields.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Subscription filters with selection criteria or system fields are not implemented yet.");
	if (!is_ok(logs_pattern_read(c->arena, in->filter_pattern, &p, &why)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why));
	logs_pattern_end(p);
	return OK;
}

status logs_put_subscription_filter(struct call *c, const struct logs_put_subscription_filter_input *in,
	struct logs_put_subscription_filter_output *out)
{
	struct logs_rec_group g;
	struct filters list = {0};
	(void)out;
	struct logs_subscription_filter f = {.filter_name = in->filter_name,
		.log_group_name = in->log_group_name,
		.filter_pattern = in->filter_pattern,
		.destination_arn = in->destination_arn,
		.role_arn = in->role_arn,
		.distribution = str_or(in->distribution, STR("ByLogStream")),
		.apply_on_transformed_logs = in->apply_on_transformed_logs,
		.creation_time = SOME_I64(c->now_ms)};
	struct logs_subscription s = of_filter(&f);
	TRY(logs_group_load(c, in->log_group_name, &g));
	TRY(check(c, in));
	TRY(filters_of(c->tx, c->arena, c->account, c->region, g.name, &list));
	bool there = false;
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.v[i].filter_name, in->filter_name))
			there = true, f.creation_time = list.v[i].creation_time;
	if (!there && list.n >= FILTERS_MAX) return LOGS_FAIL(c, LIMIT_EXCEEDED, "Resource limit exceeded.");
	TRY(logs_delivery_try(c, &s));
	struct logs_rec_subscription r = {f.filter_name,
		wire_json_of(c->arena, TABLES, LOGS_SHAPE_SUBSCRIPTION_FILTER, &f), SOME_TIME(f.creation_time.v)};
	store_put(c->tx, logs_key_in(c->arena, "subscription", c->account, c->region, g.name, f.filter_name),
		logs_rec_subscription_encode(c->arena, &r));
	if (!there) logs_delivery_begin(c, g.name, f.filter_name);
	return OK;
}

status logs_delete_subscription_filter(struct call *c, const struct logs_delete_subscription_filter_input *in,
	struct logs_delete_subscription_filter_output *out)
{
	struct logs_rec_group g;
	struct str bytes,
		key = logs_key_in(c->arena, "subscription", c->account, c->region, in->log_group_name, in->filter_name);
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	status s = store_get(c->tx, key, &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified subscription filter does not exist.");
	TRY(s);
	store_delete(c->tx, key);
	return logs_delivery_end(c, g.name, in->filter_name);
}

status logs_describe_subscription_filters(struct call *c, const struct logs_describe_subscription_filters_input *in,
	struct logs_describe_subscription_filters_output *out)
{
	struct filters list = {0};
	struct logs_rec_group g;
	size_t capacity = 0, most = in->limit.has ? (size_t)in->limit.v : PAGE;
	uint64_t from = 0;
	TRY(logs_group_load(c, in->log_group_name, &g));
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &from)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	TRY(filters_of(c->tx, c->arena, c->account, c->region, g.name, &list));
	VEC_PRESENT(c->arena, &out->subscription_filters);
	for (size_t i = (size_t)from; i < list.n; i++) {
		if (str_has(in->filter_name_prefix) && !str_starts(list.v[i].filter_name, in->filter_name_prefix))
			continue;
		if (out->subscription_filters.n == most) {
			out->next_token = str_fmt(c->arena, "%zu", i);
			break;
		}
		*VEC_PUSH(c->arena, &out->subscription_filters, &capacity) = list.v[i];
	}
	return OK;
}
