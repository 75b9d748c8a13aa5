/* Inside the room: reading notification configurations, and messages to their targets. */
#pragma once
#include "services/s3/records.h"

/* What keys a filter lets through; both "" without. False where a rule is neither a prefix nor a suffix. */
bool s3_notify_filter(const struct s3_notification_configuration_filter *f, struct str *prefix, struct str *suffix);
/* s3:ObjectCreated:* covers s3:ObjectCreated:Put. */
bool s3_notify_event_covers(struct str wanted, struct str event);
/* The configuration's id; one made from its content where the client gave none. */
struct str s3_notify_id(struct arena *a, struct str id, struct str arn, const struct s3_event_list *events,
	const struct s3_notification_configuration_filter *filter);
/* Schedules the message's delivery with this transaction. */
void s3_notify_send(struct call *c, const struct s3_rec_bucket *b, struct str queue_arn, struct str body);
struct str s3_notify_test_event(struct call *c, const struct s3_rec_bucket *b);
/* What x-amz-id-2 looks like. */
struct str s3_host_id(struct arena *a);
