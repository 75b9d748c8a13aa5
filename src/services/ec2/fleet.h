/* EC2 Fleets and Spot Fleets, between their files: what is wanted (pools of capacity, targets, strategies) is read from
 * the request that the record keeps; a job, level-triggered, compares it with the instances that run, and launches,
 * ends or replaces some. "EC2 Fleet and Spot Fleet", the guide. */
#pragma once
#include "services/ec2/instance.h"

#define EC2_JOB_FLEET "ec2.fleet"
#define EC2_FLEET_SHOWN_MS ((int64_t)48 * 3600 * 1000) /* how long a deleted one is still described */

/* One way to launch: a launch template's version with an override, or a launch specification. */
struct ec2_pool {
	size_t number;
	struct ec2_run_instances_request run;                 /* of one instance */
	struct str type, max_price, architecture;             /* architecture: of its image */
	const struct ec2_instance_requirements *requirements; /* instead of a type, while pools are made */
	double weight, priority, price; /* price: the Spot price of an hour of one unit, in millionths of a dollar */
	struct ec2_launch_template_and_overrides_response shown;
	double now; /* of the capacity that is looked at: what it holds */
	bool failed;
};
struct ec2_pools {
	struct ec2_pool *v;
	size_t n;
};
struct ec2_fleet_failures {
	struct ec2_fleet_failure {
		const struct ec2_pool *pool;
		bool spot;
		struct str code, message;
	} * v;
	size_t n;
};
struct ec2_fleet {
	const struct ec2_type *type; /* of the record */
	struct ec2_rec_fleet r;
	struct ec2_pools pools;
	double target, on_demand; /* in all, and what of it is On-Demand */
	struct str on_demand_strategy, spot_strategy, behavior;
	int32_t pools_to_use;
	bool keep_excess, terminate_at_end;
	struct opt_time from, until;
	struct ec2_fleet_failures failures; /* of this look */
};

/* ── fleet_pools.c ── reads what the record's document asks for; FAILED: the client's error. */
status ec2_fleet_read(
	struct call *c, const struct ec2_type *t, const struct ec2_rec_fleet *r, struct ec2_fleet *out) MUST_USE;
/* With SPOT or ON_DEMAND strategies as the API of either names them: pools in order of preference, and among how many
 * of the first the capacity is spread. */
size_t ec2_fleet_order(struct ec2_fleet *f, bool spot, struct ec2_pool **order);

/* ── fleet_fill.c ── */
/* Launches until the targets are met or nothing more can be launched; what failed is in f->failures. */
status ec2_fleet_fill(struct call *c, struct ec2_fleet *f) MUST_USE;
/* Capacity of the instances that run: all, or On-Demand only. */
double ec2_fleet_holds(const struct ec2_rec_fleet *r, bool on_demand_only);
status ec2_fleet_job(
	void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms) MUST_USE;
/* pending_fulfillment, fulfilled, pending_termination, error; STR_NONE of instant ones. */
struct str ec2_fleet_activity(const struct ec2_rec_fleet *r, double target);
void ec2_fleet_put(struct ec2_place at, const struct ec2_type *t, const struct ec2_rec_fleet *r);
/* Writes it and lets its job look at once. */
void ec2_fleet_change(struct call *c, const struct ec2_type *t, const struct ec2_rec_fleet *r);

/* ── fleet_history.c ── type: FleetEventType's words. */
void ec2_fleet_event(struct call *c, struct str fleet, const char *type, const char *subtype, struct str description,
	struct str instance);
struct ec2_fleet_events {
	struct ec2_rec_fleet_event *v;
	size_t n;
};
/* Since then, of a type or (STR_NONE) of all; cut into pages as ec2_page does it. */
status ec2_fleet_events(
	struct call *c, struct str fleet, struct str type, int64_t since_ms, struct ec2_fleet_events *out) MUST_USE;
status ec2_fleet_forget(struct ec2_place at, struct str fleet) MUST_USE;
/* Of a running fleet, as both APIs show them. */
status ec2_fleet_instances(struct call *c, const struct ec2_rec_fleet *r, struct ec2_active_instance_set *out) MUST_USE;

EC2_TYPES_DECLARE(fleet);
EC2_TYPES_DECLARE(spot_fleet);
