/* The way of a request: edge → wire → identity → policy → service → wire → edge. Also where an exchange's body is staged and
 * where an answer waits for its transaction to be durable. */
#pragma once
#include "call/call.h"

/* The handler to give to edge_start; ctx is the cloud. */
struct edge_handler dispatch_handler(struct cloud *cloud);
/* Starts every service (their start()); stops them in reverse order. */
status cloud_start_services(struct cloud *cloud) MUST_USE;
void cloud_stop_services(struct cloud *cloud);
const struct service *cloud_service(const struct cloud *cloud, struct str name);
