/* EC2's network as virga's own pages and commands see it. Any thread but an event thread; blocks. */
#pragma once
#include "call/call.h"
#include "host/host.h"

/* A zone fails or comes back, in all accounts. What else listens (instances, volumes) hears the event "ec2.zone" on the
 * bus, BUS_COMMITTING, with this detail. NOT_FOUND: no region has it. Durable on return. */
struct ec2_zone_event {
	struct str zone;
	bool down;
	int64_t now_ms;
};
status ec2_zone_fault(struct cloud *cloud, struct arena *a, struct str zone, bool down) MUST_USE;
/* An event of that code (instance-retirement, …) is scheduled for an instance of any account, so far from now; an
 * instance of a Spot request is interrupted; a Dedicated Host fails, whose instances move or are scheduled for
 * retirement. NOT_FOUND; INVALID or FAILED: *why. Durable on return. */
status ec2_event_fault(struct cloud *cloud, struct arena *a, struct str instance, struct str code, int64_t after_ms,
	struct str *why) MUST_USE;
status ec2_spot_fault(struct cloud *cloud, struct arena *a, struct str instance, struct str *why) MUST_USE;
status ec2_host_fault(
	struct cloud *cloud, struct arena *a, struct str host, int64_t after_ms, struct str *why) MUST_USE;
/* The zones that are down, oldest name first. */
struct ec2_down {
	struct str *v;
	size_t n;
};
status ec2_zones_down(struct cloud *cloud, struct arena *a, struct ec2_down *out) MUST_USE;

/* From an instance, an interface, a private address or "internet" to one of these, hop by hop, as the rules are now.
 * protocol: IANA's number. NOT_FOUND or INVALID: *why tells, BUSY: networks are simulated. */
struct ec2_trace {
	struct str source, destination;
	int32_t port, protocol;
};
status ec2_trace(struct cloud *cloud, struct arena *a, const struct ec2_trace *t, struct host_rec_traced *out,
	struct str *why) MUST_USE;
