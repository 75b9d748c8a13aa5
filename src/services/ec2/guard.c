/* Guards: records that transactions take so that two which scan the same range do not both win. */
#include "services/ec2/room.h"

status ec2_guard(struct ec2_place at, struct str name, int64_t *version)
{
	struct key k = key_for(at.a, STR("ec2"), STR("guard"), at.account, at.region);
	key_str(&k, name);
	struct str bytes;
	struct ec2_rec_guard g = {0};
	status s = store_get(at.tx, key_done(&k), &bytes);
	if (is_ok(s)) s = ec2_rec_guard_decode(at.a, bytes, &g);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	g.version = SOME_I64(g.version.v + 1);
	store_put(at.tx, key_done(&k), ec2_rec_guard_encode(at.a, &g));
	if (version) *version = g.version.v;
	return OK;
}
