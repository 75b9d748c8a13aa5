/* Scheduled actions ("Scheduled scaling for Amazon EC2 Auto Scaling", the guide): once, or by a cron expression, on the
 * virtual clock. Each is a durable job; one that will not run again is forgotten. */
#include "base/rand.h"
#include "clock/zone.h"
#include "services/autoscaling/room.h"

#define SHAPE AUTOSCALING_SHAPE_SCHEDULED_UPDATE_GROUP_ACTION
#define REQUEST AUTOSCALING_SHAPE_PUT_SCHEDULED_UPDATE_GROUP_ACTION_TYPE

static status get(
	struct as_place at, struct str group, struct str name, struct autoscaling_scheduled_update_group_action *out)
{
	struct autoscaling_rec_schedule r = {0};
	struct str bytes;
	*out = (struct autoscaling_scheduled_update_group_action){0};
	TRY(store_get(at.tx, as_key(at, "schedule", group, name), &bytes));
	TRY(autoscaling_rec_schedule_decode(at.a, bytes, &r));
	return as_document(at, r.document, SHAPE, out);
}

static void put(struct as_place at, struct str group, const struct autoscaling_scheduled_update_group_action *s)
{
	struct autoscaling_rec_schedule r = {.document = wire_shape_write(at.a, AS_TABLES, SHAPE, s)};
	store_put(at.tx, as_key(at, "schedule", group, s->scheduled_action_name),
		autoscaling_rec_schedule_encode(at.a, &r));
}

/* INT64_MAX: never again. */
static int64_t next_time(struct arena *a, const struct autoscaling_scheduled_update_group_action *s, int64_t after_ms)
{
	struct cron c;
	struct zone *z = NULL;
	if (!str_has(s->recurrence)) return s->start_time.ms > after_ms ? s->start_time.ms : INT64_MAX;
	if (!is_ok(cron_read(s->recurrence, &c))) return INT64_MAX;
	int64_t from = after_ms;
	if (s->start_time.has && s->start_time.ms - 1 > from) from = s->start_time.ms - 1;
	if (str_has(s->time_zone) && !is_ok(zone_find(a, s->time_zone, &z))) return INT64_MAX;
	int64_t next = z ? zone_cron_next(z, &c, from) : cron_next(&c, from);
	return s->end_time.has && next > s->end_time.ms ? INT64_MAX : next;
}

static void schedule(struct as_place at, struct str group, struct str name, int64_t due_ms)
{
	struct str id = as_job_id(at, group, name);
	jobs_schedule(
		at.tx, &(struct job){.kind = STR(AS_JOB_SCHEDULE), .id = id, .due_ms = due_ms, .payload = STR("")});
}

/* ── PutScheduledUpdateGroupAction ── */

static status check(struct call *c, const struct autoscaling_scheduled_update_group_action *s)
{
	struct cron cron;
	bool sizes = s->min_size.has || s->max_size.has || s->desired_capacity.has;
	if (!sizes)
		return AS_FAIL(
			c, "At least one of the following must be specified: min size, max size or desired capacity.");
	if (s->min_size.has && s->max_size.has && s->max_size.v < s->min_size.v)
		return AS_FAIL(c, "Max bound, %d, must be greater than or equal to min bound, %d", s->max_size.v,
			s->min_size.v);
	if (s->min_size.v < 0 || s->max_size.v < 0 || s->desired_capacity.v < 0)
		return AS_FAIL(c, "Sizes must be greater than or equal to 0.");
	bool below = s->desired_capacity.has && s->min_size.has && s->desired_capacity.v < s->min_size.v;
	bool above = s->desired_capacity.has && s->max_size.has && s->desired_capacity.v > s->max_size.v;
	if (below || above)
		return AS_FAIL(c, "Desired capacity:%d must be between the specified min size:%d and max size:%d",
			s->desired_capacity.v, s->min_size.v, s->max_size.v);
	if (str_has(s->recurrence) && !is_ok(cron_read(s->recurrence, &cron)))
		return AS_FAIL(c, "Given recurrence string: %.*s is invalid", STR_ARG(s->recurrence));
	if (!str_has(s->recurrence) && !s->start_time.has)
		return AS_FAIL(c, "Either a start time or a recurrence must be specified.");
	if (s->start_time.has && s->start_time.ms <= c->now_ms) return AS_FAIL(c, "Given start time is in the past");
	if (s->end_time.has && s->end_time.ms <= c->now_ms) return AS_FAIL(c, "Given end time is in the past");
	if (s->end_time.has && s->start_time.has && s->end_time.ms <= s->start_time.ms)
		return AS_FAIL(c, "Given end time is earlier than or the same as the start time");
	struct zone *z;
	if (str_has(s->time_zone) && !str_has(s->recurrence))
		return AS_FAIL(c, "A time zone can only be specified together with a recurrence.");
	if (str_has(s->time_zone) && !is_ok(zone_find(c->arena, s->time_zone, &z)))
		return AS_FAIL(c, "Given time zone: %.*s is invalid", STR_ARG(s->time_zone));
	return OK;
}

static status make(struct call *c, struct as_group *g, uint16_t shape, const void *in, struct str name)
{
	struct autoscaling_scheduled_update_group_action s;
	size_t n;
	status found = get(g->at, g->name, name, &s);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	TRY(as_count(g->at, "schedule", g->name, &n));
	if (!is_ok(found) && n >= AS_SCHEDULES_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"You may only have %d scheduled actions for an Auto Scaling group.", AS_SCHEDULES_MAX);
	as_copy(c->arena, shape, in, SHAPE, &s);
	s.auto_scaling_group_name = g->name;
	if (s.time.has && !s.start_time.has) s.start_time = s.time;
	s.time = (struct opt_time){0};
	TRY(check(c, &s));
	int64_t next = next_time(c->arena, &s, c->now_ms);
	if (next == INT64_MAX)
		return AS_FAIL(c, "Given recurrence string: %.*s never comes true", STR_ARG(s.recurrence));
	if (!str_has(s.scheduled_action_arn))
		s.scheduled_action_arn = str_fmt(c->arena,
			"arn:%.*s:autoscaling:%.*s:%.*s:scheduledUpdateGroupAction:%.*s:autoScalingGroupName/%.*s:"
			"scheduledActionName/%.*s",
			STR_ARG(c->partition), STR_ARG(c->region), STR_ARG(c->account), STR_ARG(rand_uuid(c->arena)),
			STR_ARG(g->name), STR_ARG(name));
	put(g->at, g->name, &s);
	schedule(g->at, g->name, name, next);
	return OK;
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

status autoscaling_put_scheduled_update_group_action(
	struct call *c, const struct autoscaling_put_scheduled_update_group_action_input *in, struct wire_nothing *out)
{
	struct as_group g;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(make(c, &g, REQUEST, in, in->scheduled_action_name));
	as_group_put(&g);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

static void add_failure(struct call *c, struct autoscaling_failed_scheduled_update_group_action_requests *out,
	size_t *capacity, struct str name)
{
	unsigned http_status;
	*VEC_PUSH(c->arena, out, capacity) = (struct autoscaling_failed_scheduled_update_group_action_request){
		name, wire_error_code(&c->match, c->failure.id, &http_status), c->failure.message};
	c->failure = (struct wire_failure){0};
}

status autoscaling_batch_put_scheduled_update_group_action(struct call *c,
	const struct autoscaling_batch_put_scheduled_update_group_action_input *in,
	struct autoscaling_batch_put_scheduled_update_group_action_output *out)
{
	struct as_group g;
	size_t capacity = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	if (in->scheduled_update_group_actions.n > 50)
		return AS_FAIL(c, "At most 50 scheduled actions may be put at once.");
	for (size_t i = 0; i < in->scheduled_update_group_actions.n; i++) {
		const struct autoscaling_scheduled_update_group_action_request *r =
			&in->scheduled_update_group_actions.v[i];
		status s = make(
			c, &g, AUTOSCALING_SHAPE_SCHEDULED_UPDATE_GROUP_ACTION_REQUEST, r, r->scheduled_action_name);
		if (status_is(s, STATUS_FAILED))
			add_failure(
				c, &out->failed_scheduled_update_group_actions, &capacity, r->scheduled_action_name);
		else
			TRY(s);
	}
	as_group_put(&g);
	VEC_PRESENT(c->arena, &out->failed_scheduled_update_group_actions);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

/* ── DeleteScheduledAction ── */

static status drop(struct call *c, struct as_group *g, struct str name)
{
	struct autoscaling_scheduled_update_group_action s;
	status found = get(g->at, g->name, name, &s);
	if (status_is(found, STATUS_NOT_FOUND))
		return AS_FAIL(c, "Scheduled action name not found - %.*s", STR_ARG(name));
	TRY(found);
	store_delete(g->at.tx, as_key(g->at, "schedule", g->name, name));
	jobs_cancel(g->at.tx, STR(AS_JOB_SCHEDULE), as_job_id(g->at, g->name, name));
	return OK;
}

status autoscaling_delete_scheduled_action(
	struct call *c, const struct autoscaling_delete_scheduled_action_input *in, struct wire_nothing *out)
{
	struct as_group g;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(drop(c, &g, in->scheduled_action_name));
	as_group_put(&g);
	return OK;
}

status autoscaling_batch_delete_scheduled_action(struct call *c,
	const struct autoscaling_batch_delete_scheduled_action_input *in,
	struct autoscaling_batch_delete_scheduled_action_output *out)
{
	struct as_group g;
	size_t capacity = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	for (size_t i = 0; i < in->scheduled_action_names.n; i++) {
		struct str name = in->scheduled_action_names.v[i];
		status s = drop(c, &g, name);
		if (status_is(s, STATUS_FAILED))
			add_failure(c, &out->failed_scheduled_actions, &capacity, name);
		else
			TRY(s);
	}
	as_group_put(&g);
	VEC_PRESENT(c->arena, &out->failed_scheduled_actions);
	return OK;
}

/* ── DescribeScheduledActions ── */

status autoscaling_describe_scheduled_actions(struct call *c,
	const struct autoscaling_describe_scheduled_actions_input *in,
	struct autoscaling_describe_scheduled_actions_output *out)
{
	size_t capacity = 0;
	struct as_group g;
	const struct autoscaling_scheduled_action_names *names = &in->scheduled_action_names;
	if (str_has(in->auto_scaling_group_name)) TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	struct as_each e = as_each(as_here(c), "schedule", in->auto_scaling_group_name);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		struct autoscaling_scheduled_update_group_action a;
		if (names->n && !as_has(names->v, names->n, e.name)) continue;
		s = get(as_here(c), e.group, e.name, &a);
		if (!is_ok(s)) continue;
		int64_t next = next_time(c->arena, &a, c->now_ms);
		if (!names->n && ((in->start_time.has && next < in->start_time.ms) ||
					 (in->end_time.has && next > in->end_time.ms)))
			continue;
		/* "The date and time for this action to start": the next time, of one that comes again. */
		if (next != INT64_MAX) a.start_time = SOME_TIME(next);
		a.time = a.start_time;
		*VEC_PUSH(c->arena, &out->scheduled_update_group_actions, &capacity) = a;
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->scheduled_update_group_actions);
	return as_page(c, &out->scheduled_update_group_actions, sizeof(*out->scheduled_update_group_actions.v),
		in->max_records, 100, in->next_token, &out->next_token);
}

/* ── when it is time ── */

static void apply(struct as_group *g, const struct autoscaling_scheduled_update_group_action *s, int64_t now_ms)
{
	int32_t desired = s->desired_capacity.has ? s->desired_capacity.v : g->g.desired_capacity.v;
	if (s->min_size.has) g->g.min_size = s->min_size;
	if (s->max_size.has) g->g.max_size = s->max_size;
	if (g->g.max_size.v < g->g.min_size.v) {
		if (s->min_size.has)
			g->g.max_size = g->g.min_size;
		else
			g->g.min_size = g->g.max_size;
	}
	if (desired < g->g.min_size.v) desired = g->g.min_size.v;
	if (desired > g->g.max_size.v) desired = g->g.max_size.v;
	as_desire(g, desired,
		str_fmt(g->at.a,
			"a scheduled action update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d",
			g->g.min_size.v, g->g.max_size.v, desired),
		now_ms);
}

status as_schedule_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct as_place at;
	struct str group, name;
	struct as_group g;
	struct autoscaling_scheduled_update_group_action s;
	int64_t now_ms = clock_now(cloud->clock);
	TRY(as_job_read(tx, a, job, &at, &group, &name));
	status found = as_group_load(at, group, &g);
	if (is_ok(found)) found = get(at, group, name, &s);
	if (status_is(found, STATUS_NOT_FOUND)) return OK;
	TRY(found);
	if (!g.r.deleting.v && !as_suspended(&g, "ScheduledActions")) {
		apply(&g, &s, now_ms);
		as_group_put(&g);
		as_group_poke(&g, now_ms);
	}
	/* From when it was due: when time was moved, each of its times comes, in order. */
	int64_t next = next_time(a, &s, job->due_ms);
	if (next == INT64_MAX)
		store_delete(tx, as_key(at, "schedule", group, name));
	else
		*again_ms = next;
	return OK;
}
