/* The checks of streaming operations that come before their bodies. */
#pragma once
#include "services/s3/room.h"

status s3_put_object_prepare(struct call *c, const struct s3_put_object_input *in, struct body_plan *plan) MUST_USE;
status s3_upload_part_prepare(struct call *c, const struct s3_upload_part_input *in, struct body_plan *plan) MUST_USE;
