/* For signatures that do not come with an HTTP request of their own: a database's authentication token. */
#pragma once
#include "clock/clock.h"
#include "identity/sigv4.h"

/* The time by which a signature's own times are judged. Where virtual time was moved, clients still sign with their own
 * clocks. A header's time may be near either. A presigned URL made after the move lives by the machine's clock as its
 * maker does; one from before lives on virtual time, so that moving time ends it. Version 2 does not tell when it
 * signed: the machine's clock it is. */
int64_t signature_time(const struct clock *clock, const struct sigv4 *s, int64_t now_ms);
