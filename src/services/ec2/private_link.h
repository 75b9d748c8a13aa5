/* Endpoint services (AWS PrivateLink): a network load balancer offered to other VPCs and accounts. */
#pragma once
#include "services/ec2/compute.h"
#include "services/ec2/endpoint.h"

EC2_TYPES_DECLARE(endpoint_service);
EC2_TYPES_DECLARE(endpoint_connection);

/* ── private_link.c ── */
#define EC2_PRIVATE_SERVICE STR("com.amazonaws.vpce.")
/* The service of that name that the caller may use. NOT_FOUND. */
struct ec2_private_service {
	struct ec2_place at; /* its owner's */
	struct ec2_rec_endpoint_service record;
};
status ec2_private_service_named(struct call *c, struct str name, struct ec2_private_service *out) MUST_USE;
/* The same without asking who may: of an endpoint that stands. */
status ec2_private_service_of(
	struct ec2_place at, const struct ec2_rec_endpoint *e, struct ec2_private_service *out) MUST_USE;
/* All services of the call's region that the caller may use; fn returns false to stop. */
status ec2_private_services_each(
	struct call *c, bool (*fn)(void *ctx, const struct ec2_private_service *s), void *ctx) MUST_USE;
/* vpce-svc-….REGION.vpce.amazonaws.com */
struct str ec2_private_service_domain(struct arena *a, struct str region, struct str id);
struct str ec2_private_service_name(struct arena *a, struct str region, struct str id);
/* Is the zone one of its load balancers'? */
status ec2_private_service_zones(
	struct ec2_place at, const struct ec2_rec_endpoint_service *s, struct ec2_rec_strings *out) MUST_USE;
/* ── private_connection.c ── */
/* A new endpoint's connection, and the endpoint's state by it; an endpoint that goes. */
status ec2_private_connect(struct call *c, const struct ec2_private_service *s, struct ec2_rec_endpoint *e) MUST_USE;
status ec2_private_disconnect(struct call *c, const struct ec2_rec_endpoint *e) MUST_USE;
/* Does the service have connections that were not refused? */
status ec2_private_connected(struct call *c, struct str service, bool *yes) MUST_USE;

/* ── connection_notification.c ── Tells those who want to hear: "Connect", "Accept", "Reject" or "Delete". */
status ec2_connection_tell(struct call *c, const struct ec2_rec_endpoint_connection *r, struct str service_owner,
	const char *event) MUST_USE;
EC2_TYPES_DECLARE(connection_notification);

/* ── relay.c ── Carries connections from the interfaces of such endpoints to the nodes of the service's balancer. */
struct ec2_relay;
struct ec2_relay *ec2_relay_start(struct cloud *cloud);
void ec2_relay_stop(struct ec2_relay *r); /* NULL is fine */
/* Something changed: it looks at what shall be open. forget: of what stood before, nothing stands. Any thread. */
void ec2_relay_wake(struct ec2_relay *r, bool forget);
