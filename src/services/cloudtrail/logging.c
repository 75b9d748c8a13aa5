/* Switching trails on and off, and how they fare (StartLogging, StopLogging, GetTrailStatus, API reference). */
#include "services/cloudtrail/room.h"

status cloudtrail_start_logging(struct call *c, const struct cloudtrail_start_logging_request *in,
	struct cloudtrail_start_logging_response *out)
{
	struct cloudtrail_rec_trail t;
	(void)out;
	TRY(ct_trail_find_home(c, in->name, &t));
	if (t.logging.v) return OK;
	t.logging = SOME_BOOL(true);
	t.started = SOME_TIME(c->now_ms);
	ct_trail_put(c, &t);
	ct_deliver_schedule(c, &t, true);
	return OK;
}

status cloudtrail_stop_logging(
	struct call *c, const struct cloudtrail_stop_logging_request *in, struct cloudtrail_stop_logging_response *out)
{
	struct cloudtrail_rec_trail t;
	(void)out;
	TRY(ct_trail_find_home(c, in->name, &t));
	if (!t.logging.v) return OK;
	t.logging = SOME_BOOL(false);
	t.stopped = SOME_TIME(c->now_ms);
	ct_trail_put(c, &t);
	return OK;
}

static struct str text(struct call *c, struct opt_time t)
{
	return t.has ? time_iso8601(c->arena, t.ms, false) : STR("");
}

status cloudtrail_get_trail_status(struct call *c, const struct cloudtrail_get_trail_status_request *in,
	struct cloudtrail_get_trail_status_response *out)
{
	struct cloudtrail_rec_trail t;
	struct cloudtrail_rec_status s;
	TRY(ct_trail_find(c, in->name, &t));
	TRY(ct_status_get(c->tx, c->arena, &t, &s));
	*out = (struct cloudtrail_get_trail_status_response){
		.is_logging = SOME_BOOL(t.logging.v),
		.latest_delivery_error = s.delivery_error,
		.latest_notification_error = s.notification_error,
		.latest_delivery_time = s.delivered,
		.latest_cloud_watch_logs_delivery_time = s.logs_delivered,
		.latest_cloud_watch_logs_delivery_error = s.logs_error,
		.latest_notification_time = s.notified,
		.start_logging_time = t.started,
		.stop_logging_time = t.stopped,
		.latest_digest_delivery_time = s.digested,
		.latest_digest_delivery_error = s.digest_error,
		.latest_delivery_attempt_time = text(c, s.attempted),
		.latest_notification_attempt_time = text(c, s.notification_attempted),
		.latest_notification_attempt_succeeded = text(c, s.notified),
		.latest_delivery_attempt_succeeded = text(c, s.delivered),
		.time_logging_started = text(c, t.started),
		.time_logging_stopped = text(c, t.stopped),
	};
	return OK;
}
