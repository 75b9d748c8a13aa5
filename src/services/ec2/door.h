/* EC2's compute half as other services see it. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* Systems Manager's public parameters (/aws/service/…) that hold ids of public images, of a region: by name, and the
 * n-th of all. False where there is none. */
bool ec2_public_parameter(struct arena *a, struct str region, struct str name, struct str *value);
bool ec2_public_parameter_at(struct arena *a, struct str region, size_t n, struct str *name, struct str *value);

/* ── for virga's own pages (admin/): what `virga ssh` and `virga ami import` ask ── */
struct cloud;
struct ec2_command_result {
	struct str output, error;
	int exit_code;
};
/* Runs a command as root in a running instance of any account, without standard input, and waits for its end. Blocks.
 * NOT_FOUND: no such instance; BUSY: compute is simulated; INVALID, IO: *why tells. */
status ec2_command_run(struct cloud *cloud, struct arena *a, struct str instance, const struct str *argv, size_t n,
	struct ec2_command_result *out, struct str *why) MUST_USE;
/* Makes an image of an archive (a root file system's tar, an OCI image) that virga may read: unpacked by the host,
 * registered as an AMI of that account and region. Blocks. INVALID: *why; BUSY: compute is simulated. */
status ec2_image_import_file(struct cloud *cloud, struct arena *a, struct str account, struct str region, struct str name,
	const char *path, struct str *image, struct str *why) MUST_USE;
