/* The scrubber: reads every stored body against its checksums and names the objects whose bytes are damaged, before somebody
 * needs them. It runs by itself, a little each minute, all within about a week; and at once where it is asked to
 * (POST /_virga/scrub). No key is needed for it: checksums are of the sealed bytes. */
#pragma once
#include "call/call.h"

/* Everything, now. The service's scrub (see struct service). */
status s3_scrub(struct cloud *cloud, void *state, struct scrub_report *out);
/* Registers the job, and begins it where it has not been yet. */
status s3_scrub_register(struct cloud *cloud) MUST_USE;
