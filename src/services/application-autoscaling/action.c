/* Scheduled actions: at(…), rate(…), cron(…), on the virtual clock. One that will not run again is forgotten. */
#include "base/rand.h"
#include "clock/zone.h"
#include "services/application-autoscaling/room.h"

#define SHAPE APPLICATION_AUTOSCALING_SHAPE_SCHEDULED_ACTION

static status get(
	struct aas_place at, struct str what, struct str name, struct application_autoscaling_scheduled_action *out)
{
	struct application_autoscaling_rec_action r = {0};
	struct str bytes;
	*out = (struct application_autoscaling_scheduled_action){0};
	TRY(store_get(at.tx, aas_key(at, "action", what, name), &bytes));
	TRY(application_autoscaling_rec_action_decode(at.a, bytes, &r));
	return aas_document(at, r.document, SHAPE, out);
}

/* The text between NAME( and ). */
static bool inner(struct str s, const char *name, struct str *out)
{
	struct str head = str_c(name);
	if (!str_starts(s, head) || !str_ends(s, STR(")"))) return false;
	*out = str_sub(s, head.n, s.n - head.n - 1);
	return true;
}

static status rate_ms(struct str text, int64_t *ms)
{
	static const struct {
		const char *one, *many;
		int64_t ms;
	} units[] = {{"minute", "minutes", 60000}, {"hour", "hours", 3600000}, {"day", "days", 86400000}};
	struct str count = str_cut(&text, ' ');
	int64_t n;
	if (!str_has(text) || !is_ok(str_to_i64(count, &n)) || n < 1 || n > 100000) return STATUS(INVALID);
	for (size_t i = 0; i < 3; i++) {
		if (!str_eq(text, str_c(n == 1 ? units[i].one : units[i].many))) continue;
		*ms = n * units[i].ms;
		return OK;
	}
	return STATUS(INVALID);
}

/* INT64_MAX: never. INVALID: no schedule. */
static status next_time(
	struct arena *a, const struct application_autoscaling_scheduled_action *s, int64_t after_ms, int64_t *next)
{
	struct zone *z = NULL;
	struct str text;
	struct cron cron;
	int64_t ms, from = after_ms;
	if (s->start_time.has && s->start_time.ms - 1 > from) from = s->start_time.ms - 1;
	if (str_has(s->timezone) && !is_ok(zone_find(a, s->timezone, &z))) return STATUS(INVALID);
	if (inner(s->schedule, "at(", &text)) {
		TRY(time_read_iso8601(text, &ms));
		if (z) ms = zone_to_utc(z, ms);
		*next = ms > after_ms ? ms : INT64_MAX;
		return OK;
	}
	if (inner(s->schedule, "rate(", &text)) {
		TRY(rate_ms(text, &ms));
		int64_t first = s->start_time.has ? s->start_time.ms : s->creation_time.ms + ms;
		*next = first > after_ms ? first : first + ((after_ms - first) / ms + 1) * ms;
	} else if (inner(s->schedule, "cron(", &text)) {
		TRY(cron_read_aws(text, &cron));
		*next = z ? zone_cron_next(z, &cron, from) : cron_next(&cron, from);
	} else {
		return STATUS(INVALID);
	}
	if (s->end_time.has && *next > s->end_time.ms) *next = INT64_MAX;
	return OK;
}

static status check(struct call *c, const struct application_autoscaling_scheduled_action *s, int64_t *next)
{
	const struct application_autoscaling_scalable_target_action *a = s->scalable_target_action;
	if (!str_has(s->schedule)) return AAS_FAIL(c, VALIDATION, "Schedule is required");
	struct zone *z;
	if (str_has(s->timezone) && !is_ok(zone_find(c->arena, s->timezone, &z)))
		return AAS_FAIL(c, VALIDATION, "The time zone is invalid: %.*s", STR_ARG(s->timezone));
	if (!is_ok(next_time(c->arena, s, c->now_ms, next)))
		return AAS_FAIL(c, VALIDATION, "The schedule expression is invalid: %.*s", STR_ARG(s->schedule));
	if (*next == INT64_MAX)
		return AAS_FAIL(c, VALIDATION, "The schedule never comes true: %.*s", STR_ARG(s->schedule));
	if (!a || (!a->min_capacity.has && !a->max_capacity.has))
		return AAS_FAIL(c, VALIDATION, "At least one of MinCapacity and MaxCapacity must be specified");
	if (a->min_capacity.has && a->max_capacity.has && a->max_capacity.v < a->min_capacity.v)
		return AAS_FAIL(c, VALIDATION, "Maximum capacity cannot be less than minimum capacity");
	if (s->start_time.has && s->end_time.has && s->end_time.ms <= s->start_time.ms)
		return AAS_FAIL(c, VALIDATION, "The end time must be after the start time");
	return OK;
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

status application_autoscaling_put_scheduled_action(struct call *c,
	const struct application_autoscaling_put_scheduled_action_input *in,
	struct application_autoscaling_put_scheduled_action_output *out)
{
	struct aas_target t;
	struct application_autoscaling_scheduled_action s;
	size_t n = 0;
	int64_t next;
	(void)out;
	TRY(aas_target_find(c, in->service_namespace, in->resource_id, in->scalable_dimension, &t));
	status found = get(t.at, t.what, in->scheduled_action_name, &s);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	struct aas_each e = aas_each(t.at, "action", t.what);
	while (aas_next(&e)) n++;
	TRY(aas_each_end(&e));
	if (!is_ok(found) && n >= AAS_ACTIONS_MAX)
		return AAS_FAIL(
			c, LIMIT_EXCEEDED, "A scalable target may have %d scheduled actions at most", AAS_ACTIONS_MAX);
	if (!is_ok(found)) {
		s.creation_time = SOME_TIME(c->now_ms);
		s.scheduled_action_arn = str_fmt(c->arena,
			"arn:%.*s:autoscaling:%.*s:%.*s:scheduledAction:%.*s:resource/%.*s/%.*s:scheduledActionName/"
			"%.*s",
			STR_ARG(c->partition), STR_ARG(c->region), STR_ARG(c->account), STR_ARG(rand_uuid(c->arena)),
			STR_ARG(in->service_namespace), STR_ARG(in->resource_id), STR_ARG(in->scheduled_action_name));
	}
	/* What is not said again falls away. */
	s.start_time = s.end_time = (struct opt_time){0};
	wire_shape_copy(c->arena, AAS_TABLES, APPLICATION_AUTOSCALING_SHAPE_PUT_SCHEDULED_ACTION_REQUEST, in,
		AAS_TABLES, SHAPE, &s);
	TRY(check(c, &s, &next));
	struct application_autoscaling_rec_action r = {.document = wire_shape_write(c->arena, AAS_TABLES, SHAPE, &s)};
	store_put(c->tx, aas_key(t.at, "action", t.what, s.scheduled_action_name),
		application_autoscaling_rec_action_encode(c->arena, &r));
	aas_schedule(t.at, AAS_JOB_ACTION, t.what, s.scheduled_action_name, STR(""), next);
	aas_target_put(&t);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

status application_autoscaling_delete_scheduled_action(struct call *c,
	const struct application_autoscaling_delete_scheduled_action_input *in,
	struct application_autoscaling_delete_scheduled_action_output *out)
{
	struct aas_target t;
	struct application_autoscaling_scheduled_action s;
	(void)out;
	TRY(aas_target_find(c, in->service_namespace, in->resource_id, in->scalable_dimension, &t));
	status found = get(t.at, t.what, in->scheduled_action_name, &s);
	if (status_is(found, STATUS_NOT_FOUND))
		return AAS_FAIL(
			c, OBJECT_NOT_FOUND, "No scheduled action found: %.*s", STR_ARG(in->scheduled_action_name));
	TRY(found);
	store_delete(c->tx, aas_key(t.at, "action", t.what, in->scheduled_action_name));
	jobs_cancel(c->tx, STR(AAS_JOB_ACTION), aas_job_id(t.at, t.what, in->scheduled_action_name));
	return OK;
}

status application_autoscaling_describe_scheduled_actions(struct call *c,
	const struct application_autoscaling_describe_scheduled_actions_input *in,
	struct application_autoscaling_describe_scheduled_actions_output *out)
{
	size_t capacity = 0;
	struct aas_each e = aas_each(aas_here(c), "action", STR_NONE);
	status s = OK;
	while (is_ok(s) && aas_next(&e)) {
		bool named = !in->scheduled_action_names.n;
		for (size_t i = 0; i < in->scheduled_action_names.n; i++)
			named = named || str_eq(in->scheduled_action_names.v[i], e.name);
		if (!named || !aas_concerns(e.what, in->service_namespace, in->resource_id, in->scalable_dimension))
			continue;
		s = get(aas_here(c), e.what, e.name, VEC_PUSH(c->arena, &out->scheduled_actions, &capacity));
	}
	status end = aas_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->scheduled_actions);
	return aas_page(c, &out->scheduled_actions, sizeof(*out->scheduled_actions.v), in->max_results, in->next_token,
		&out->next_token);
}

status aas_action_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct aas_place at;
	struct str what, name;
	struct aas_target t;
	struct application_autoscaling_scheduled_action s;
	int64_t now = clock_now(cloud->clock), current = 0, next = INT64_MAX;
	bool busy;
	TRY(aas_job_read(a, job, &at, &what, &name));
	at.tx = tx;
	status found = aas_target_load(at, what, &t);
	if (is_ok(found)) found = get(at, what, name, &s);
	if (status_is(found, STATUS_NOT_FOUND)) return OK;
	TRY(found);
	if (!t.s.suspended_state || !t.s.suspended_state->scheduled_scaling_suspended.v) {
		const struct application_autoscaling_scalable_target_action *x = s.scalable_target_action;
		if (x->min_capacity.has) t.s.min_capacity = x->min_capacity;
		if (x->max_capacity.has) t.s.max_capacity = x->max_capacity;
		if (t.s.max_capacity.v < t.s.min_capacity.v) {
			if (x->min_capacity.has)
				t.s.max_capacity = t.s.min_capacity;
			else
				t.s.min_capacity = t.s.max_capacity;
		}
		status c = aas_capacity(cloud, a, at, t.s.resource_id, t.s.scalable_dimension, &current, &busy);
		struct str why = str_fmt(a, "scheduled action name %.*s was triggered", STR_ARG(name));
		if (is_ok(c)) aas_bound(&t, current, why, now);
		aas_target_put(&t);
	}
	if (!is_ok(next_time(a, &s, job->due_ms, &next)) || next == INT64_MAX)
		store_delete(tx, aas_key(at, "action", what, name));
	else
		*again_ms = next;
	return OK;
}
