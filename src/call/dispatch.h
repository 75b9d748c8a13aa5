/* The way of a request: edge → wire → identity → policy → service → wire → edge. Also where an exchange's body is staged and
 * where an answer waits for its transaction to be durable. */
#pragma once
#include "call/call.h"

/* The handler to give to edge_start; ctx is the cloud. */
struct edge_handler dispatch_handler(struct cloud *cloud);
/* Starts every service (their start()); stops them in reverse order. */
status cloud_start_services(struct cloud *cloud) MUST_USE;
/* Once the port answers: tells every service. */
void cloud_ready_services(struct cloud *cloud);
/* Before edge_stop: lets the services answer what they have parked. */
void cloud_drain_services(struct cloud *cloud);
void cloud_stop_services(struct cloud *cloud);
const struct service *cloud_service(const struct cloud *cloud, struct str name);
/* A browser's page may call from this machine's own origins only: a foreign page must not drive somebody's cloud. */
bool origin_is_local(struct str origin);
/* False for a service that the user left out (SERVICES). */
bool cloud_service_enabled(const struct cloud *cloud, struct str name);
