/* What an endpoint service (AWS PrivateLink) has to know of a network load balancer. See door.h. */
#include "services/elbv2/room.h"

status elbv2_network_balancer(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str arn, struct elbv2_network_balancer *out)
{
	struct ec2_place at = {tx, a, account, region};
	struct elbv2_rec_balancer b = {0};
	struct elbv2_all_listeners all = {0};
	struct str rest = arn, name = STR_NONE;
	*out = (struct elbv2_network_balancer){0};
	for (int i = 0; i < 3 && str_has(rest); i++) name = str_cut(&rest, '/');
	if (!str_has(rest)) return STATUS(NOT_FOUND);
	TRY(elbv2_balancer_get(at, name, &b));
	if (elbv2_is_app(&b) || !str_eq(arn, elbv2_balancer_arn(at, &b))) return STATUS(NOT_FOUND);
	TRY(elbv2_listeners(at, b.id, &all));
	out->nodes = arena_new_n(a, struct elbv2_network_node, b.zones.n);
	for (size_t i = 0; i < b.zones.n; i++)
		out->nodes[out->n_nodes++] = (struct elbv2_network_node){b.zones.v[i].zone, b.zones.v[i].eni,
			b.zones.v[i].address, ec2_zone_is_down(tx, a, b.zones.v[i].zone)};
	out->ports = arena_new_n(a, uint16_t, all.n);
	for (size_t i = 0; i < all.n; i++)
		if (str_starts(all.v[i].protocol, STR("TCP")) || str_is(all.v[i].protocol, "TLS"))
			out->ports[out->n_ports++] = (uint16_t)all.v[i].port.v;
	return OK;
}
