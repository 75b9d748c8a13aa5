/* What precedes every operation of EC2. DryRun: "Checks whether you have the required permissions for the action,
 * without actually making the request" (Common parameters, the reference): the policies have let the caller through
 * when this is asked, so only the answer is left. And an account's first call in a region finds there what AWS puts
 * into each: a default VPC. */
#include "services/ec2/network.h"

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

static struct str region_key(struct ec2_place at)
{
	struct key k = key_for(at.a, STR("ec2"), STR("region"), at.account, at.region);
	return key_done(&k);
}

static status read_region(struct ec2_place at, struct ec2_rec_region *r)
{
	struct str bytes;
	*r = (struct ec2_rec_region){0};
	status s = store_get(at.tx, region_key(at), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return ec2_rec_region_decode(at.a, bytes, r);
}

static status furnish(struct call *c)
{
	struct ec2_rec_region r;
	struct ec2_rec_vpc vpc;
	TRY(read_region(ec2_here(c), &r));
	if (r.ready.v) return OK;
	TRY(ec2_default_vpc_make(c, &vpc));
	TRY(read_region(ec2_here(c), &r));
	r.ready = SOME_BOOL(true);
	store_put(c->tx, region_key(ec2_here(c)), ec2_rec_region_encode(c->arena, &r));
	return OK;
}

/* In a transaction of its own: what the call itself does may fail, or only read. */
status ec2_furnish(struct call *c)
{
	struct ec2_rec_region r;
	store_ticket ticket = 0;
	c->tx = store_begin(c->cloud->store, c->arena, true);
	status s = read_region(ec2_here(c), &r);
	store_end(c->tx);
	c->tx = NULL;
	if (!is_ok(s) || r.ready.v) return s;
	c->tx = store_begin(c->cloud->store, c->arena, false);
	s = furnish(c);
	if (is_ok(s)) s = store_commit(c->tx, &ticket);
	store_end(c->tx);
	c->tx = NULL;
	if (is_ok(s)) call_ticket(c, ticket);
	return s;
}

status ec2_before(struct call *c, const void *in)
{
	if (is_dry(c, in))
		return call_fail(c, EC2_ERR_DRY_RUN_OPERATION, "Request would have succeeded, but DryRun flag is set.");
	return ec2_furnish(c);
}
