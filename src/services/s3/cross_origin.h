/* What buckets say to browsers' requests of other origins (see struct service, `cors`). */
#pragma once
#include "services/s3/room.h"

void s3_cross_origin(struct call *c, const struct wire_request *r, bool preflight, struct call_cors *out);
