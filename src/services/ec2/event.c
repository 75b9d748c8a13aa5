/* Scheduled events: what EC2 announces that it will do to an instance, and does at that time. Here they come from
 * `virga fault event` and from Dedicated Hosts that fail. "Scheduled events for Amazon EC2 instances", the guide. */
#include "services/ec2/event.h"
#include "base/json.h"
#include "call/inside.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define SHOWN_MS (7 * 24 * HOUR_MS)    /* "it can still be described for up to a week" (InstanceStatusEvent) */
#define DEADLINE_MS (7 * 24 * HOUR_MS) /* how far one may be put off */
enum { CHANGE_BEFORE_MS = 5 * 60000, CHANGE_TO_MS = 60 * 60000 };

static bool is_code(const struct ec2_rec_instance_event *e, const char *code)
{
	return str_eq(e->code, str_c(code));
}

static bool is_over(const struct ec2_rec_instance_event *e)
{
	return e->finished.has;
}

static void finish(struct call *c, struct ec2_rec_instance_event *e, bool cancelled)
{
	e->finished = SOME_TIME(c->now_ms);
	if (cancelled) e->cancelled = SOME_BOOL(true);
	e->description = str_cat(c->arena, cancelled ? STR("[Canceled] ") : STR("[Completed] "), e->description);
}

/* When the job has to look again; INT64_MAX: never. */
static int64_t next_look(const struct ec2_rec_instance *i)
{
	int64_t at = INT64_MAX;
	for (size_t k = 0; k < i->events.n; k++) {
		const struct ec2_rec_instance_event *e = &i->events.v[k];
		int64_t due = is_over(e) ? e->finished.ms + SHOWN_MS : e->not_before.ms;
		if (due < at) at = due;
	}
	return at;
}

/* ── what happens ── */

static void stop(struct call *c, struct ec2_rec_instance *i, bool retired)
{
	if (i->state.v != EC2_RUNNING && i->state.v != EC2_PENDING) return;
	ec2_instance_stop(c, i, false, "Server.ScheduledStop",
		retired ? "Server.ScheduledStop: Stopped due to scheduled retirement"
			: "Server.ScheduledStop: Stopped due to a scheduled event");
	i->transition_reason = STR("Server.ScheduledStop");
}

/* "If your instance root device is an Amazon EBS volume, the instance is stopped, and you can start it again at any
 * time": all are here. */
static void take_effect(struct call *c, struct ec2_rec_instance *i, struct ec2_rec_instance_event *e)
{
	if (is_code(e, "instance-stop") || is_code(e, "instance-retirement"))
		stop(c, i, is_code(e, "instance-retirement"));
	else if (i->state.v == EC2_RUNNING || i->state.v == EC2_PENDING)
		i->reboot = SOME_BOOL(true);
	finish(c, e, false);
}

status ec2_event_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_job j;
	struct ec2_rec_instance i;
	bool happened = false;
	size_t kept = 0;
	TRY(ec2_job_read(tx, a, job, &j));
	status s = ec2_load(j.at, &ec2_type_instance, j.id, &i);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct call *c = call_for_job(a, cloud, tx, j.at.account, j.at.region, STR("ec2.amazonaws.com"));
	for (size_t k = 0; k < i.events.n; k++) {
		struct ec2_rec_instance_event *e = &i.events.v[k];
		if (is_over(e) && e->finished.ms + SHOWN_MS <= c->now_ms) continue;
		if (!is_over(e) && e->not_before.ms <= c->now_ms) {
			take_effect(c, &i, e);
			happened = true;
		}
		i.events.v[kept++] = *e;
	}
	i.events.n = kept;
	if (happened)
		ec2_instance_change(c, &i);
	else
		ec2_instance_put(j.at, &i);
	int64_t again = next_look(&i);
	if (again != INT64_MAX) *again_ms = again;
	return OK;
}

/* A stop and a start bring it to other hardware: what was scheduled for the old is void. */
void ec2_events_on_start(struct call *c, struct ec2_rec_instance *i)
{
	for (size_t k = 0; k < i->events.n; k++)
		if (!is_over(&i->events.v[k])) finish(c, &i->events.v[k], true);
}

/* "You can reboot the instance yourself at a time that suits you" is of instance-reboot only: a reboot of the system is
 * not in the user's hands. */
void ec2_events_on_reboot(struct call *c, struct ec2_rec_instance *i)
{
	for (size_t k = 0; k < i->events.n; k++)
		if (!is_over(&i->events.v[k]) && is_code(&i->events.v[k], "instance-reboot"))
			finish(c, &i->events.v[k], false);
}

status ec2_event_schedule(
	struct call *c, struct ec2_rec_instance *i, struct str code, const char *description, int64_t at_ms)
{
	struct ec2_rec_instance_event e = {.instance_event_id = ec2_new_id(c->arena, "instance-event-"),
		.code = code,
		.description = str_c(description)};
	size_t capacity = i->events.n;
	TRY(ec2_event_window_align(c, i, at_ms, &at_ms));
	e.not_before = SOME_TIME(at_ms / 1000 * 1000);
	/* Retirements cannot be put off; those that have a deadline can. */
	if (!str_is(code, "instance-retirement")) e.not_before_deadline = SOME_TIME(e.not_before.ms + DEADLINE_MS);
	if (!str_is(code, "instance-retirement") && !str_is(code, "instance-stop"))
		e.not_after = SOME_TIME(e.not_before.ms + 2 * HOUR_MS);
	*VEC_PUSH(c->arena, &i->events, &capacity) = e;
	ec2_instance_put(ec2_here(c), i);
	ec2_job_schedule(ec2_here(c), EC2_JOB_EVENT, i->instance_id, next_look(i));
	return OK;
}

/* ── ModifyInstanceEventStartTime ── "Reschedule a scheduled event for an EC2 instance", the guide. */

static status movable(struct call *c, const struct ec2_rec_instance_event *e, int64_t to_ms)
{
	if (!e->not_before_deadline.has || is_over(e) || e->not_before.ms < c->now_ms + CHANGE_BEFORE_MS)
		return call_fail(c, EC2_ERR_INSTANCE_EVENT_START_TIME_CANNOT_CHANGE,
			"The start time of the event '%.*s' cannot be changed.", STR_ARG(e->instance_event_id));
	if (to_ms < c->now_ms + CHANGE_TO_MS)
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_EVENT_START_TIME,
			"The new event start time must be at least 60 minutes from the current time.");
	if (to_ms > e->not_before_deadline.ms)
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_EVENT_START_TIME,
			"The new event start time is after the event's deadline.");
	return OK;
}

status ec2_modify_instance_event_start_time(struct call *c, const struct ec2_modify_instance_event_start_time_input *in,
	struct ec2_modify_instance_event_start_time_output *out)
{
	struct ec2_rec_instance i;
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	for (size_t k = 0; k < i.events.n; k++) {
		struct ec2_rec_instance_event *e = &i.events.v[k];
		if (!str_eq(e->instance_event_id, in->instance_event_id)) continue;
		TRY(movable(c, e, in->not_before.ms));
		if (e->not_after.has) e->not_after.ms += in->not_before.ms - e->not_before.ms;
		e->not_before = in->not_before;
		ec2_instance_put(ec2_here(c), &i);
		ec2_job_schedule(ec2_here(c), EC2_JOB_EVENT, i.instance_id, next_look(&i));
		out->event = arena_new(c->arena, struct ec2_instance_status_event);
		ec2_show(c->arena, EC2_REC_INSTANCE_EVENT, e, EC2_SHAPE_INSTANCE_STATUS_EVENT, out->event);
		return OK;
	}
	return call_fail(c, EC2_ERR_INVALID_INSTANCE_EVENT_ID_NOT_FOUND, "The instance event ID '%.*s' does not exist",
		STR_ARG(in->instance_event_id));
}

/* ── the metadata service ── "View scheduled events by instance metadata", the guide ── */

/* "21 Jan 2019 09:00:43 GMT" */
static struct str imds_time(struct arena *a, int64_t ms)
{
	return str_from(time_rfc822(a, ms), 5);
}

static void pair(struct buf *b, const char *name, struct str value, bool last)
{
	buf_fmt(b, "    \"%s\" : ", name);
	json_quote(b, value);
	buf_str(b, last ? STR("\n") : STR(",\n"));
}

struct str ec2_events_json(struct arena *a, const struct ec2_rec_instance *i, bool past)
{
	struct buf b = BUF_IN(a);
	size_t n = 0;
	buf_lit(&b, "[");
	for (size_t k = 0; k < i->events.n; k++) {
		const struct ec2_rec_instance_event *e = &i->events.v[k];
		if (is_over(e) != past) continue;
		buf_str(&b, n++ ? STR(", {\n") : STR(" {\n"));
		pair(&b, "NotBefore", imds_time(a, e->not_before.ms), false);
		pair(&b, "Code", e->code, false);
		pair(&b, "Description", e->description, false);
		pair(&b, "EventId", e->instance_event_id, false);
		if (e->not_after.has) pair(&b, "NotAfter", imds_time(a, e->not_after.ms), false);
		pair(&b, "State", !past ? STR("active") : e->cancelled.v ? STR("canceled") : STR("completed"), true);
		buf_lit(&b, "  }");
	}
	buf_str(&b, n ? STR(" ]") : STR("]"));
	return buf_done(&b);
}

/* ── RegisterInstanceEventNotificationAttributes ── What notifications would tell of the instance's tags. ── */

static void attributes(
	const struct ec2_rec_settings *s, struct ec2_instance_tag_notification_attribute **out, struct arena *a)
{
	*out = arena_new(a, struct ec2_instance_tag_notification_attribute);
	(*out)->include_all_tags_of_instance = SOME_BOOL(s->event_all_tags.v);
	(*out)->instance_tag_keys = (struct ec2_instance_tag_key_set){s->event_tags.v, s->event_tags.n};
	VEC_PRESENT(a, &(*out)->instance_tag_keys);
}

status ec2_register_instance_event_notification_attributes(struct call *c,
	const struct ec2_register_instance_event_notification_attributes_input *in,
	struct ec2_register_instance_event_notification_attributes_output *out)
{
	const struct ec2_register_instance_tag_attribute_request *t = in->instance_tag_attribute;
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	size_t capacity = s.event_tags.n;
	if (t->include_all_tags_of_instance.has && t->instance_tag_keys.n)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"IncludeAllTagsOfInstance and InstanceTagKeys can't be specified together.");
	if (t->include_all_tags_of_instance.has) s.event_all_tags = t->include_all_tags_of_instance;
	for (size_t k = 0; k < t->instance_tag_keys.n; k++)
		if (!ec2_is_among(s.event_tags.v, s.event_tags.n, t->instance_tag_keys.v[k]))
			*VEC_PUSH(c->arena, &s.event_tags, &capacity) = t->instance_tag_keys.v[k];
	ec2_settings_put(ec2_here(c), &s);
	attributes(&s, &out->instance_tag_attribute, c->arena);
	return OK;
}

status ec2_deregister_instance_event_notification_attributes(struct call *c,
	const struct ec2_deregister_instance_event_notification_attributes_input *in,
	struct ec2_deregister_instance_event_notification_attributes_output *out)
{
	const struct ec2_deregister_instance_tag_attribute_request *t = in->instance_tag_attribute;
	struct ec2_rec_settings s;
	size_t kept = 0;
	TRY(ec2_settings_get(ec2_here(c), &s));
	if (t->include_all_tags_of_instance.v) s.event_all_tags.has = s.event_all_tags.v = false;
	for (size_t k = 0; k < s.event_tags.n; k++)
		if (!ec2_listed(&t->instance_tag_keys, s.event_tags.v[k])) s.event_tags.v[kept++] = s.event_tags.v[k];
	s.event_tags.n = kept;
	ec2_settings_put(ec2_here(c), &s);
	attributes(&s, &out->instance_tag_attribute, c->arena);
	return OK;
}

status ec2_describe_instance_event_notification_attributes(struct call *c,
	const struct ec2_describe_instance_event_notification_attributes_input *in,
	struct ec2_describe_instance_event_notification_attributes_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	attributes(&s, &out->instance_tag_attribute, c->arena);
	return OK;
}
