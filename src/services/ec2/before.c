/* What precedes every operation of EC2. DryRun: "Checks whether you have the required permissions for the action, without
 * actually making the request" (Common parameters, the reference): the policies have let the caller through when this is
 * asked, so only the answer is left. */
#include "services/ec2/room.h"

static bool is_dry(const struct call *c, const void *in)
{
	const struct wire_tables *t = &wire_service_ec2.tables;
	if (c->match.op->in == WIRE_NO_SHAPE) return false;
	const struct wire_shape *s = &t->shapes[c->match.op->in];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		if (!str_is(wire_str(t, m->name), "DryRun")) continue;
		struct opt_bool dry;
		memcpy(&dry, (const char *)in + m->offset, sizeof(dry));
		return dry.v;
	}
	return false;
}

status ec2_before(struct call *c, const void *in)
{
	if (is_dry(c, in))
		return call_fail(c, EC2_ERR_DRY_RUN_OPERATION, "Request would have succeeded, but DryRun flag is set.");
	return OK;
}
