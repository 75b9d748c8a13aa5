/* virga's own pages: /_virga/… (what `virga status`, reset, clock, ops, ca ask) and the ones LocalStack's users know:
 * /_localstack/health, /_localstack/info, /_localstack/init. JSON; loopback clients only, unless served to others on
 * purpose. */
#pragma once
#include "call/call.h"

/* True for paths that are admin's: "/_virga" and "/_localstack" themselves or followed by '/'. */
bool admin_owns(struct str path);
/* A browser's way to the sign-in page, at the root of the endpoint. */
bool admin_is_authorize(const struct edge_request *r);
/* Answers; `body` is whole (at most 1 MiB). Runs in a worker: may block (clock advance settles jobs, reset). */
void admin_answer(struct cloud *cloud, struct arena *a, const struct edge_request *r, struct str body,
	struct wire_response *response);
