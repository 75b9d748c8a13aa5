/* Elastic Load Balancing (v2): what it does, operation by operation. Downloads of trust stores' contents,
 * resource policies and IPAM pools have no rows; docs/decisions/0051-elbv2.md tells what else is left out. */
#include "host/host.h"
#include "services/elbv2/node.h"
#include <stdlib.h>

static const struct service_op operations[ELBV2_OP_COUNT] = {
	[ELBV2_OP_ADD_LISTENER_CERTIFICATES] = OP(elbv2_add_listener_certificates, 0),
	[ELBV2_OP_ADD_TAGS] = OP(elbv2_add_tags, 0),
	[ELBV2_OP_CREATE_LISTENER] = OP(elbv2_create_listener, 0),
	[ELBV2_OP_CREATE_LOAD_BALANCER] = OP(elbv2_create_load_balancer, 0),
	[ELBV2_OP_CREATE_RULE] = OP(elbv2_create_rule, 0),
	[ELBV2_OP_CREATE_TARGET_GROUP] = OP(elbv2_create_target_group, 0),
	[ELBV2_OP_DELETE_LISTENER] = OP(elbv2_delete_listener, 0),
	[ELBV2_OP_DELETE_LOAD_BALANCER] = OP(elbv2_delete_load_balancer, 0),
	[ELBV2_OP_DELETE_RULE] = OP(elbv2_delete_rule, 0),
	[ELBV2_OP_DELETE_TARGET_GROUP] = OP(elbv2_delete_target_group, 0),
	[ELBV2_OP_DEREGISTER_TARGETS] = OP(elbv2_deregister_targets, 0),
	[ELBV2_OP_DESCRIBE_ACCOUNT_LIMITS] = OP(elbv2_describe_account_limits, OP_READ),
	[ELBV2_OP_DESCRIBE_CAPACITY_RESERVATION] = OP(elbv2_describe_capacity_reservation, OP_READ),
	[ELBV2_OP_DESCRIBE_LISTENERS] = OP(elbv2_describe_listeners, OP_READ),
	[ELBV2_OP_DESCRIBE_LISTENER_ATTRIBUTES] = OP(elbv2_describe_listener_attributes, OP_READ),
	[ELBV2_OP_DESCRIBE_LISTENER_CERTIFICATES] = OP(elbv2_describe_listener_certificates, OP_READ),
	[ELBV2_OP_DESCRIBE_LOAD_BALANCERS] = OP(elbv2_describe_load_balancers, OP_READ),
	[ELBV2_OP_DESCRIBE_LOAD_BALANCER_ATTRIBUTES] = OP(elbv2_describe_load_balancer_attributes, OP_READ),
	[ELBV2_OP_DESCRIBE_RULES] = OP(elbv2_describe_rules, OP_READ),
	[ELBV2_OP_DESCRIBE_SSL_POLICIES] = OP(elbv2_describe_ssl_policies, OP_READ),
	[ELBV2_OP_DESCRIBE_TAGS] = OP(elbv2_describe_tags, OP_READ),
	[ELBV2_OP_DESCRIBE_TARGET_GROUPS] = OP(elbv2_describe_target_groups, OP_READ),
	[ELBV2_OP_DESCRIBE_TARGET_GROUP_ATTRIBUTES] = OP(elbv2_describe_target_group_attributes, OP_READ),
	[ELBV2_OP_DESCRIBE_TARGET_HEALTH] = OP(elbv2_describe_target_health, OP_READ | OP_BLOCKING),
	[ELBV2_OP_MODIFY_CAPACITY_RESERVATION] = OP(elbv2_modify_capacity_reservation, 0),
	[ELBV2_OP_MODIFY_LISTENER] = OP(elbv2_modify_listener, 0),
	[ELBV2_OP_MODIFY_LISTENER_ATTRIBUTES] = OP(elbv2_modify_listener_attributes, 0),
	[ELBV2_OP_MODIFY_LOAD_BALANCER_ATTRIBUTES] = OP(elbv2_modify_load_balancer_attributes, 0),
	[ELBV2_OP_MODIFY_RULE] = OP(elbv2_modify_rule, 0),
	[ELBV2_OP_MODIFY_TARGET_GROUP] = OP(elbv2_modify_target_group, 0),
	[ELBV2_OP_MODIFY_TARGET_GROUP_ATTRIBUTES] = OP(elbv2_modify_target_group_attributes, 0),
	[ELBV2_OP_REGISTER_TARGETS] = OP(elbv2_register_targets, 0),
	[ELBV2_OP_REMOVE_LISTENER_CERTIFICATES] = OP(elbv2_remove_listener_certificates, 0),
	[ELBV2_OP_REMOVE_TAGS] = OP(elbv2_remove_tags, 0),
	[ELBV2_OP_SET_IP_ADDRESS_TYPE] = OP(elbv2_set_ip_address_type, 0),
	[ELBV2_OP_SET_RULE_PRIORITIES] = OP(elbv2_set_rule_priorities, 0),
	[ELBV2_OP_SET_SECURITY_GROUPS] = OP(elbv2_set_security_groups, 0),
	[ELBV2_OP_SET_SUBNETS] = OP(elbv2_set_subnets, 0),
	[ELBV2_OP_ADD_TRUST_STORE_REVOCATIONS] = OP(elbv2_add_trust_store_revocations, OP_BLOCKING),
	[ELBV2_OP_CREATE_TRUST_STORE] = OP(elbv2_create_trust_store, OP_BLOCKING),
	[ELBV2_OP_DELETE_TRUST_STORE] = OP(elbv2_delete_trust_store, 0),
	[ELBV2_OP_DESCRIBE_TRUST_STORES] = OP(elbv2_describe_trust_stores, OP_READ),
	[ELBV2_OP_DESCRIBE_TRUST_STORE_ASSOCIATIONS] = OP(elbv2_describe_trust_store_associations, OP_READ),
	[ELBV2_OP_DESCRIBE_TRUST_STORE_REVOCATIONS] = OP(elbv2_describe_trust_store_revocations, OP_READ),
	[ELBV2_OP_MODIFY_TRUST_STORE] = OP(elbv2_modify_trust_store, OP_BLOCKING),
	[ELBV2_OP_REMOVE_TRUST_STORE_REVOCATIONS] = OP(elbv2_remove_trust_store_revocations, 0),
};

struct elbv2 *elbv2_of(const struct cloud *cloud)
{
	for (size_t i = 0; cloud->service_state && i < cloud->n_services; i++)
		if (cloud->services[i]->model == &wire_service_elbv2) return cloud->service_state[i];
	return NULL;
}

static status start(struct cloud *cloud, void **state)
{
	struct elbv2 *e = mem_new(sizeof(*e));
	e->cloud = cloud;
	*state = e;
	return elbv2_controller_start(e);
}

static void ready(struct cloud *cloud, void *state)
{
	struct elbv2 *e = state;
	if (host_available(cloud->host)) {
		e->watch = elbv2_watch_start(e);
		e->outside = elbv2_outside_start(cloud);
	}
	elbv2_controller_ready(e);
}

static void drain(void *state)
{
	struct elbv2 *e = state;
	elbv2_outside_quiet(e->outside);
}

static void stop(void *state)
{
	struct elbv2 *e = state;
	elbv2_outside_stop(e->outside);
	elbv2_watch_stop(e->watch);
	free(e);
}

extern const struct service service_elbv2;
const struct service service_elbv2 = {
	.model = &wire_service_elbv2, .ops = operations, .start = start, .ready = ready, .drain = drain, .stop = stop};
