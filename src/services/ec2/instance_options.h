/* What of an account's options launches and descriptions ask. */
#pragma once
#include "services/ec2/room.h"

/* Allowed AMIs: does a criterion let the image in? enforced: it may not be used else, nor is it shown; in audit mode it
 * may. */
status ec2_image_allowed(struct call *c, const struct ec2_image *image, bool *enforced, bool *allowed) MUST_USE;
