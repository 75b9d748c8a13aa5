/* Reading a value, for GetSecretValue and BatchGetSecretValue. */
#pragma once
#include "services/secretsmanager/room.h"

/* The version by id, by label, by both, or AWSCURRENT. FAILED: the failure is recorded in the call. */
status sm_read(struct call *c, struct sm_secret *s, struct str id, struct str stage,
	struct secretsmanager_get_secret_value_output *out) MUST_USE;
