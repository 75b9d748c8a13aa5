/* Instance refreshes, between their files. */
#pragma once
#include "services/autoscaling/room.h"

struct as_refresh {
	struct autoscaling_rec_refresh r;
	struct autoscaling_instance_refresh s;
};
/* The newest: NOT_FOUND. */
status as_refresh_newest(struct as_group *g, struct as_refresh *out) MUST_USE;
void as_refresh_put(struct as_group *g, struct as_refresh *f);
bool as_refresh_active(const struct as_refresh *f);
/* How launches are marked while it goes on. */
struct str as_refresh_mark(struct arena *a, const struct as_refresh *f);
/* Back to what the group launched before. FAILED where there is no way back: *why. */
status as_refresh_turn(struct as_group *g, struct as_refresh *f, struct str reason, int64_t now_ms) MUST_USE;
/* Ends it: the group launches what it did before, unless it is Successful. */
status as_refresh_end(
	struct as_group *g, struct as_refresh *f, struct str state, struct str reason, int64_t now_ms) MUST_USE;
