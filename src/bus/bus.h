/* Internal events: what CloudTrail, EventBridge, S3 notifications and metrics listen to. Publishing is synchronous and
 * cheap: each subscriber is called in the publisher's thread, after the transaction that caused the event is durable; a
 * subscriber that has work to do schedules a durable job within the causing transaction instead (subscribe to
 * BUS_COMMITTING for that). */
#pragma once
#include "base/str.h"
#include "store/store.h"

enum bus_phase { BUS_COMMITTING /* tx is writable */, BUS_DONE /* durable; tx is NULL */ };
struct bus_event {
	const char *kind; /* "call", "s3.object.created", … */
	struct str account, region;
	const void *detail; /* a struct that the kind's owner declares; valid during the call */
};
typedef void (*bus_fn)(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e);

struct bus;
struct bus *bus_new(void);
void bus_free(struct bus *b);
/* At start only, before the first event. kind NULL: all events. Subscribers are called in the order of subscription.
 * kind must live as long as the bus. */
void bus_subscribe(struct bus *b, enum bus_phase phase, const char *kind, bus_fn fn, void *ctx);
void bus_publish(struct bus *b, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e);
/* True if somebody listens: then it is worth making the detail. */
bool bus_wants(const struct bus *b, enum bus_phase phase, const char *kind);
