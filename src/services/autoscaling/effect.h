/* What the files of effects share: what a group's instances want of EC2 (effect.c) and of load balancers (balancers.c),
 * looked up in the records, done by calls from inside as Auto Scaling, and written down. Each may be done twice. */
#pragma once
#include "call/inside.h"
#include "services/autoscaling/room.h"

struct as_effects {
	struct cloud *cloud;
	struct arena *a;
	struct as_place at; /* without a transaction */
	struct str group;
	struct as_group g; /* as it was looked at; its transaction has ended */
	struct inside_caller who;
	bool progress;
	int64_t next_ms;
};

/* Look again in so long. */
void as_effect_again(struct as_effects *e, int64_t in_ms);
/* Changes an instance's record as fn does, if it is still there. */
status as_effect_change(struct as_effects *e, struct str instance,
	bool (*fn)(struct autoscaling_rec_instance *i, const void *ctx), const void *ctx) MUST_USE;

/* ── balancers.c ── Every registration that should be is made, every other is undone. */
status as_effect_balancers(struct as_effects *e, const struct as_instances *all) MUST_USE;
