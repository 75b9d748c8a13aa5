/* Scheduled events of instances ("Scheduled events for Amazon EC2 instances", the guide), between their files. An event
 * lies in its instance's record; a job of the instance lets it take effect at its time. */
#pragma once
#include "services/ec2/instance.h"

/* ── event_window.c ── */
/* The first moment at or after `at_ms` that lies in the event window of this instance; at_ms itself where it has none.
 */
status ec2_event_window_align(struct call *c, const struct ec2_rec_instance *i, int64_t at_ms, int64_t *out) MUST_USE;

/* ── event_hours.c ── Which hours of a week a window holds: bit h of day d, from Sunday on, in UTC. */
struct ec2_week {
	uint32_t day[7];
};
/* FAILED: the ranges are too short, or not two days' hours. */
status ec2_week_of_ranges(struct call *c, const struct ec2_rec_window_ranges *ranges, struct ec2_week *out) MUST_USE;
status ec2_week_of_cron(struct call *c, struct str expression, struct ec2_week *out) MUST_USE;
/* INVALID: it is none that CreateInstanceEventWindow takes; no more. */
status ec2_week_read_cron(struct str expression, struct ec2_week *out) MUST_USE;
int64_t ec2_week_next(const struct ec2_week *w, int64_t at_ms);

/* ── event.c ── */
#define EC2_JOB_EVENT "ec2.event"
status ec2_event_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
/* The instance moves to other hardware by a start, or is rebooted: what of its events is over by that. The record is
 * the caller's to save. */
void ec2_events_on_start(struct call *c, struct ec2_rec_instance *i);
void ec2_events_on_reboot(struct call *c, struct ec2_rec_instance *i);
/* Schedules one, within the transaction: at about `at_ms`, in the instance's window. Saves the record. code: one of
 * EventCode. */
status ec2_event_schedule(
	struct call *c, struct ec2_rec_instance *i, struct str code, const char *description, int64_t at_ms) MUST_USE;
/* What of an instance's events is past (or is not), as the metadata service tells: a JSON list. */
struct str ec2_events_json(struct arena *a, const struct ec2_rec_instance *i, bool past);
EC2_TYPES_DECLARE(event_window);
