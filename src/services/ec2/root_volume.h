/* Replacement of a running instance's root volume, between the operation and the machine controller. */
#pragma once
#include "services/ec2/volume.h"

enum ec2_root_next {
	EC2_ROOT_NOTHING, /* no task, or its volume is in: the machine goes on */
	EC2_ROOT_WAIT,    /* the new volume is being made */
	EC2_ROOT_STOP,    /* the machine has to end, then ec2_root_swap */
};
/* What the instance's task wants next; a task whose volume cannot be made fails here. */
status ec2_root_next(
	struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms, enum ec2_root_next *next) MUST_USE;
/* The new volume takes the old one's place; no machine runs. */
status ec2_root_swap(struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms) MUST_USE;
/* The machine runs again. */
status ec2_root_done(struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms) MUST_USE;
/* The instance ends before that. */
status ec2_root_fail(struct ec2_place at, struct ec2_rec_instance *i, int64_t now_ms) MUST_USE;

EC2_TYPES_DECLARE(root_task);
