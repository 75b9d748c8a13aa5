/* Launch templates, between their two files. */
#pragma once
#include "services/ec2/compute.h"

/* What a version may hold that can be checked without running it: no more than that its parts do not contradict each
 * other ("a launch template … is not validated until it is used"). NULL: MissingParameter. */
status ec2_template_data_check(struct call *c, const struct ec2_request_launch_template_data *data) MUST_USE;
struct ec2_response_launch_template_data *ec2_template_data_taken(
	struct arena *a, const struct ec2_request_launch_template_data *data);
void ec2_template_version_put(struct call *c, const struct ec2_rec_launch_template *t, int64_t number,
	struct str description, const struct ec2_response_launch_template_data *data);
status ec2_template_versions_drop(struct call *c, const struct ec2_rec_launch_template *t) MUST_USE;
