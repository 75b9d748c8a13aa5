/* Instances, between their files. What was asked for is a text of the API's Instance shape, kept in the record; what
 * changes is the record's own (desired state and state, reasons, volumes); interfaces are the network half's. */
#pragma once
#include "services/ec2/image.h"
#include "services/ec2/network.h"

/* InstanceState's codes. */
enum {
	EC2_PENDING = 0,
	EC2_RUNNING = 16,
	EC2_SHUTTING_DOWN = 32,
	EC2_TERMINATED = 48,
	EC2_STOPPING = 64,
	EC2_STOPPED = 80
};
#define EC2_SHOW_TERMINATED_MS ((int64_t)3600 * 1000) /* "for about an hour", the guide's Terminate */

struct str ec2_state_name(int32_t code);
struct ec2_instance_state *ec2_state_out(struct arena *a, int32_t code);
/* The kept text. */
status ec2_instance_document(struct arena *a, const struct ec2_rec_instance *i, struct ec2_instance *out) MUST_USE;
struct str ec2_instance_type_of(struct arena *a, const struct ec2_rec_instance *i);
void ec2_instance_document_put(struct arena *a, struct ec2_rec_instance *i, const struct ec2_instance *shape);
void ec2_instance_put(struct ec2_place at, const struct ec2_rec_instance *i);
/* Writes it and lets its job look at it at once. */
void ec2_instance_change(struct call *c, const struct ec2_rec_instance *i);
/* Of several ids: all have to be there. */
status ec2_instances_find(
	struct call *c, const struct ec2_instance_id_string_list *ids, struct ec2_rec_instance **out) MUST_USE;

/* ── run_plan.c ── What RunInstances is to make, checked, before anything is written. */
struct ec2_run_plan {
	struct ec2_run_instances_request in; /* with what the launch template says */
	struct ec2_image_found image;
	struct ec2_machine_type type;
	struct ec2_rec_subnet subnet; /* of the primary interface */
	struct str *groups;
	size_t n_groups;
	struct str user_data, public_key, profile_arn, profile_id;
	struct ec2_device {
		struct str name;
		struct ec2_volume_plan plan;
		bool delete_with, root;
	} * devices;
	size_t n_devices;
	int32_t count;
	struct str spot_request; /* sir-…, where one asks */
	struct str fleet;        /* fleet-… or sfr-…, where one launches */
};
status ec2_run_plan(struct call *c, const struct ec2_run_instances_request *in, struct ec2_run_plan *out) MUST_USE;
/* By name or ARN. */
status ec2_profile_resolve(struct call *c, const struct ec2_iam_instance_profile_specification *spec, struct str *arn,
	struct str *id) MUST_USE;
/* ── run_devices.c ── */
status ec2_run_devices(struct call *c, struct ec2_run_plan *p) MUST_USE;
status ec2_device_check(struct call *c, struct str device) MUST_USE; /* volume_attach.c */
/* ── run_interfaces.c ── */
/* Subnet and groups of the primary interface. */
status ec2_run_network(struct call *c, struct ec2_run_plan *p) MUST_USE;
status ec2_run_interfaces(struct call *c, const struct ec2_run_plan *p, struct str instance) MUST_USE;
/* ── run_instances.c ── */
/* Writes them all; *out: the reservation as DescribeInstances shows it. */
status ec2_run_make(struct call *c, struct ec2_run_plan *p, struct ec2_reservation *out) MUST_USE;

/* The reservation as it is shown, of some of its instances. */
status ec2_reservation_show(struct call *c, struct str reservation, const struct str *instances, size_t n,
	struct ec2_reservation *out) MUST_USE;
/* ── image_resolve.c ── "resolve:ssm:NAME" becomes an image's id; others stay. */
status ec2_image_resolve(struct call *c, struct str *image) MUST_USE;
/* ── credit_default.c ── standard or unlimited. */
status ec2_credits_default(struct call *c, struct str family, struct str *out) MUST_USE;
/* ── placement_group.c ── InvalidPlacementGroup.Unknown. */
status ec2_placement_group_check(struct call *c, struct str name, struct str id) MUST_USE;
/* A launch into a group, before it: what the group does not let in. *left: how many instances it has room for in the
 * zone, INT32_MAX where that is not limited. */
status ec2_placement_room(struct call *c, const struct ec2_placement *p, const struct ec2_machine_type *type,
	struct str zone, int32_t *left) MUST_USE;
/* One instance's own placement in its group: the group's name, and of a partition group the partition. */
status ec2_placement_seat(struct call *c, struct ec2_placement *p) MUST_USE;
/* ── spot.c ── */
/* Of RunInstances with InstanceMarketOptions: the request record, made; nothing without. */
status ec2_spot_at_launch(struct call *c, struct ec2_run_plan *p) MUST_USE;
status ec2_spot_launched(struct call *c, const struct ec2_run_plan *p, const struct ec2_reservation *r) MUST_USE;
/* An instance ends: its request does too, or is fulfilled anew. And: it is stopped by its user, or started again. */
status ec2_spot_ended(struct call *c, const struct ec2_rec_instance *i) MUST_USE;
status ec2_spot_stopped(struct call *c, const struct ec2_rec_instance *i) MUST_USE;
status ec2_spot_started(struct call *c, const struct ec2_rec_instance *i) MUST_USE;
bool ec2_spot_is_persistent(struct call *c, struct str request);
/* In millionths of a dollar for an hour. */
int64_t ec2_spot_price(const struct ec2_machine_type *m);
EC2_TYPES_DECLARE(spot_request);
EC2_TYPES_DECLARE(placement_group);
/* ── instance_state.c ── */
/* A stopped one, as StartInstances does. */
status ec2_instance_start(struct call *c, struct ec2_rec_instance *i) MUST_USE;
/* A running one, as StopInstances does; reason: StateReason's code and message. */
void ec2_instance_stop(
	struct call *c, struct ec2_rec_instance *i, bool hibernate, const char *code, const char *message);
/* Lets it end, as TerminateInstances does; reason: StateReason's code and message. */
status ec2_instance_terminate(
	struct call *c, struct ec2_rec_instance *i, const char *code, const char *message) MUST_USE;
