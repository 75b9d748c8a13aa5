/* Scaling activities: what a group did and why, kept for six weeks ("Verify a scaling activity", the guide). */
#include "base/rand.h"
#include "services/autoscaling/room.h"
#include <stdlib.h>

#define SHAPE AUTOSCALING_SHAPE_ACTIVITY

struct str as_when(struct arena *a, int64_t ms)
{
	return time_iso8601(a, ms, false);
}

struct str as_details(struct arena *a, struct str subnet, struct str zone)
{
	if (!str_has(subnet)) return str_fmt(a, "{\"Availability Zone\":\"%.*s\"}", STR_ARG(zone));
	return str_fmt(a, "{\"Subnet ID\":\"%.*s\",\"Availability Zone\":\"%.*s\"}", STR_ARG(subnet), STR_ARG(zone));
}

static struct str key_of(struct as_group *g, struct as_activity which)
{
	struct key k = key_begin(g->at.a);
	key_append(&k, as_prefix(g->at, "activity", g->name));
	key_i64(&k, which.at_ms);
	key_str(&k, which.id);
	return key_done(&k);
}

static void put(struct as_group *g, struct as_activity which, const struct autoscaling_activity *shape)
{
	struct autoscaling_rec_activity r = {.document = wire_shape_write(g->at.a, AS_TABLES, SHAPE, shape)};
	store_put(g->at.tx, key_of(g, which), autoscaling_rec_activity_encode(g->at.a, &r));
}

struct as_activity as_activity_begin(
	struct as_group *g, struct str description, struct str cause, struct str details, int64_t now_ms)
{
	struct as_activity which = {rand_uuid(g->at.a), now_ms};
	struct autoscaling_activity shape = {.activity_id = which.id,
		.auto_scaling_group_name = g->name,
		.auto_scaling_group_arn = g->g.auto_scaling_group_arn,
		.description = description,
		.cause = str_sub(cause, 0, 1023),
		.start_time = SOME_TIME(now_ms),
		.status_code = STR("InProgress"),
		.progress = SOME_I32(0),
		.details = details};
	put(g, which, &shape);
	return which;
}

status as_activity_get(struct as_group *g, struct as_activity which, struct autoscaling_activity *out)
{
	struct autoscaling_rec_activity r = {0};
	struct str bytes;
	*out = (struct autoscaling_activity){0};
	TRY(store_get(g->at.tx, key_of(g, which), &bytes));
	TRY(autoscaling_rec_activity_decode(g->at.a, bytes, &r));
	return as_document(g->at, r.document, SHAPE, out);
}

status as_activity_set(struct as_group *g, struct as_activity which, struct str code, int32_t progress,
	struct str description, struct str message, int64_t now_ms)
{
	struct autoscaling_activity shape;
	if (!str_has(which.id)) return OK;
	status s = as_activity_get(g, which, &shape);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (shape.end_time.has) return OK; /* it is over */
	shape.status_code = code;
	shape.progress = SOME_I32(progress);
	if (str_has(description)) shape.description = description;
	if (str_has(message)) shape.status_message = str_sub(message, 0, 255);
	if (str_is(code, "Successful") || str_is(code, "Failed") || str_is(code, "Cancelled")) {
		shape.end_time = SOME_TIME(now_ms);
		shape.progress = SOME_I32(100);
	}
	put(g, which, &shape);
	return OK;
}

status as_activities_trim(struct as_group *g, int64_t now_ms)
{
	struct key to = key_begin(g->at.a);
	struct str from = as_prefix(g->at, "activity", g->name), key, value;
	key_append(&to, from);
	key_i64(&to, now_ms - AS_ACTIVITIES_MS);
	struct store_scan *scan = store_scan_begin(g->at.tx, from, key_done(&to), false);
	while (store_scan_next(scan, &key, &value)) store_delete(g->at.tx, str_dup(g->at.a, key));
	return store_scan_end(scan);
}

/* ── DescribeScalingActivities ── */

static bool wanted(const struct autoscaling_describe_scaling_activities_input *in, const struct autoscaling_activity *a)
{
	if (in->activity_ids.n && !as_has(in->activity_ids.v, in->activity_ids.n, a->activity_id)) return false;
	for (size_t i = 0; i < in->filters.n; i++) {
		const struct autoscaling_filter *f = &in->filters.v[i];
		bool match = false;
		for (size_t k = 0; k < f->values.n && !match; k++) {
			int64_t ms;
			if (str_is(f->name, "Status")) {
				match = str_eq(f->values.v[k], a->status_code);
			} else if (is_ok(time_read_iso8601(f->values.v[k], &ms))) {
				match = str_is(f->name, "StartTimeLowerBound") ? a->start_time.ms >= ms
									       : a->start_time.ms <= ms;
			}
		}
		if (!match) return false;
	}
	return true;
}

static status check_filters(struct call *c, const struct autoscaling_filters *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		struct str n = filters->v[i].name;
		if (!str_is(n, "Status") && !str_is(n, "StartTimeLowerBound") && !str_is(n, "StartTimeUpperBound"))
			return AS_FAIL(c,
				"Filter type %.*s is not correct. Allowed Filter types are: StartTimeLowerBound, "
				"StartTimeUpperBound, Status",
				STR_ARG(n));
	}
	return OK;
}

static int newest_first(const void *x, const void *y)
{
	const struct autoscaling_activity *a = x, *b = y;
	return a->start_time.ms < b->start_time.ms ? 1 : a->start_time.ms > b->start_time.ms ? -1 : 0;
}

status autoscaling_describe_scaling_activities(struct call *c,
	const struct autoscaling_describe_scaling_activities_input *in,
	struct autoscaling_describe_scaling_activities_output *out)
{
	struct as_group g = {0};
	size_t capacity = 0;
	TRY(check_filters(c, &in->filters));
	if (str_has(in->auto_scaling_group_name) && !in->include_deleted_groups.v)
		TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	struct as_each e = as_each_back(as_here(c), "activity", in->auto_scaling_group_name);
	status s = OK;
	struct str last = STR_NONE, arn = STR_NONE;
	while (is_ok(s) && as_next(&e)) {
		struct autoscaling_rec_activity r = {0};
		struct autoscaling_activity a = {0};
		s = autoscaling_rec_activity_decode(c->arena, e.value, &r);
		if (is_ok(s)) s = as_document(as_here(c), r.document, SHAPE, &a);
		if (!is_ok(s) || !wanted(in, &a)) continue;
		if (!str_has(last) || !str_eq(last, e.group)) {
			status found = as_group_load(as_here(c), e.group, &g);
			if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) s = found;
			arn = is_ok(found) ? g.g.auto_scaling_group_arn : STR("");
			last = e.group;
		}
		if (!str_eq(arn, a.auto_scaling_group_arn)) {
			if (!in->include_deleted_groups.v) continue;
			a.auto_scaling_group_state = STR("Deleted");
		}
		*VEC_PUSH(c->arena, &out->activities, &capacity) = a;
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->activities);
	qsort(out->activities.v, out->activities.n, sizeof(*out->activities.v), newest_first);
	return as_page(c, &out->activities, sizeof(*out->activities.v), in->max_records, 100, in->next_token,
		&out->next_token);
}
