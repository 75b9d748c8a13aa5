/* EC2's compute half as other services see it. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* Systems Manager's public parameters (/aws/service/…) that hold ids of public images, of a region: by name, and the
 * n-th of all. False where there is none. */
bool ec2_public_parameter(struct arena *a, struct str region, struct str name, struct str *value);
bool ec2_public_parameter_at(struct arena *a, struct str region, size_t n, struct str *name, struct str *value);

/* A zone of the region by its id ("use1-az4"): false where it has none of that id. */
struct store_tx;
bool ec2_zone_state(struct store_tx *tx, struct arena *a, struct str region, struct str id, bool *down);

/* ── for virga's own pages (admin/): what `virga ssh` and `virga ami import` ask ── */
struct cloud;
/* A command in an instance, as root or as one of its users; with a terminal of that size, or without one. */
struct ec2_command {
	struct str instance;
	const struct str *argv;
	size_t n;
	struct str user, term; /* may be absent */
	bool tty;
	int32_t rows, columns;
};
/* Starts it in a running instance of any account. fds, the caller's to close: the control socket (host_exec_wait), and
 * without a terminal the other ends of its standard input, output and error. Neither virga nor the agent is needed from
 * then on. Blocks. NOT_FOUND: no such instance; BUSY: compute is simulated, or (*why) it does not run yet; INVALID, IO:
 * *why tells. */
enum { EC2_COMMAND_FDS = 4 };
status ec2_command_start(struct cloud *cloud, struct arena *a, const struct ec2_command *q, int fds[EC2_COMMAND_FDS],
	size_t *n_fds, struct str *why) MUST_USE;
/* Makes an image of an archive (a root file system's tar, an OCI image) that virga may read: unpacked by the host,
 * registered as an AMI of that account and region. Blocks. INVALID: *why; BUSY: compute is simulated. */
status ec2_image_import_file(struct cloud *cloud, struct arena *a, struct str account, struct str region,
	struct str name, const char *path, struct str *image, struct str *why) MUST_USE;

/* An instance as it is now, for controllers that stand on instances (Auto Scaling, load balancers). */
struct store_tx;
struct ec2_instance_facts {
	struct str state; /* pending, running, shutting-down, terminated, stopping, stopped */
	struct str zone, zone_id, subnet, vpc, type, image, private_ip, reason;
	int64_t launched_ms;
	bool impaired;        /* a status check fails */
	bool spot, protected; /* protected: TerminateInstances refuses */
};
/* NOT_FOUND: there is none, or it was forgotten an hour after its end. Validated when tx commits. */
status ec2_instance_facts(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str instance, struct ec2_instance_facts *out) MUST_USE;
/* On the bus, BUS_COMMITTING, "ec2.instance": an instance's record changes, with this detail. */
struct ec2_instance_event {
	struct str instance, state;
};
struct call;
struct ec2_run_instances_request;
/* Could RunInstances do this? OK, or *why as EC2 words it (then FAILED, and c's failure is EC2's). Reads c->tx only. */
status ec2_run_check(struct call *c, const struct ec2_run_instances_request *in, struct str *why) MUST_USE;
/* A subnet's zone and VPC: NOT_FOUND. */
struct ec2_subnet_place {
	struct str zone, zone_id, vpc;
};
status ec2_subnet_place(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str subnet,
	struct ec2_subnet_place *out) MUST_USE;
bool ec2_zone_known(struct store_tx *tx, struct arena *a, struct str region, struct str zone);
/* A launch template by id or name, and its version ("$Default", "$Latest", a number; STR_NONE: the default) as a
 * number. FAILED: c's failure is EC2's. */
struct ec2_response_launch_template_data;
struct ec2_template_named {
	struct str id, name, version;
	const struct ec2_response_launch_template_data *data;
};
status ec2_template_name(
	struct call *c, struct str id, struct str name, struct str version, struct ec2_template_named *out) MUST_USE;
