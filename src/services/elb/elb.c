/* Elastic Load Balancing (Classic): what it does, operation by operation. How:
 * docs/decisions/0077-classic-load-balancers.md. */
#include "services/elb/room.h"

static const struct service_op operations[ELB_OP_COUNT] = {
	[ELB_OP_ADD_TAGS] = OP(elb_add_tags, 0),
	[ELB_OP_APPLY_SECURITY_GROUPS_TO_LOAD_BALANCER] = OP(elb_apply_security_groups_to_load_balancer, 0),
	[ELB_OP_ATTACH_LOAD_BALANCER_TO_SUBNETS] = OP(elb_attach_load_balancer_to_subnets, 0),
	[ELB_OP_CONFIGURE_HEALTH_CHECK] = OP(elb_configure_health_check, 0),
	[ELB_OP_CREATE_APP_COOKIE_STICKINESS_POLICY] = OP(elb_create_app_cookie_stickiness_policy, 0),
	[ELB_OP_CREATE_LB_COOKIE_STICKINESS_POLICY] = OP(elb_create_lb_cookie_stickiness_policy, 0),
	[ELB_OP_CREATE_LOAD_BALANCER] = OP(elb_create_load_balancer, 0),
	[ELB_OP_CREATE_LOAD_BALANCER_LISTENERS] = OP(elb_create_load_balancer_listeners, 0),
	[ELB_OP_CREATE_LOAD_BALANCER_POLICY] = OP(elb_create_load_balancer_policy, 0),
	[ELB_OP_DELETE_LOAD_BALANCER] = OP(elb_delete_load_balancer, 0),
	[ELB_OP_DELETE_LOAD_BALANCER_LISTENERS] = OP(elb_delete_load_balancer_listeners, 0),
	[ELB_OP_DELETE_LOAD_BALANCER_POLICY] = OP(elb_delete_load_balancer_policy, 0),
	[ELB_OP_DEREGISTER_INSTANCES_FROM_LOAD_BALANCER] = OP(elb_deregister_instances_from_load_balancer, 0),
	[ELB_OP_DESCRIBE_ACCOUNT_LIMITS] = OP(elb_describe_account_limits, OP_READ),
	[ELB_OP_DESCRIBE_INSTANCE_HEALTH] = OP(elb_describe_instance_health, OP_READ | OP_BLOCKING),
	[ELB_OP_DESCRIBE_LOAD_BALANCER_ATTRIBUTES] = OP(elb_describe_load_balancer_attributes, OP_READ),
	[ELB_OP_DESCRIBE_LOAD_BALANCER_POLICIES] = OP(elb_describe_load_balancer_policies, OP_READ),
	[ELB_OP_DESCRIBE_LOAD_BALANCER_POLICY_TYPES] = OP(elb_describe_load_balancer_policy_types, OP_READ),
	[ELB_OP_DESCRIBE_LOAD_BALANCERS] = OP(elb_describe_load_balancers, OP_READ),
	[ELB_OP_DESCRIBE_TAGS] = OP(elb_describe_tags, OP_READ),
	[ELB_OP_DETACH_LOAD_BALANCER_FROM_SUBNETS] = OP(elb_detach_load_balancer_from_subnets, 0),
	[ELB_OP_DISABLE_AVAILABILITY_ZONES_FOR_LOAD_BALANCER] = OP(elb_disable_availability_zones_for_load_balancer, 0),
	[ELB_OP_ENABLE_AVAILABILITY_ZONES_FOR_LOAD_BALANCER] = OP(elb_enable_availability_zones_for_load_balancer, 0),
	[ELB_OP_MODIFY_LOAD_BALANCER_ATTRIBUTES] = OP(elb_modify_load_balancer_attributes, 0),
	[ELB_OP_REGISTER_INSTANCES_WITH_LOAD_BALANCER] = OP(elb_register_instances_with_load_balancer, 0),
	[ELB_OP_REMOVE_TAGS] = OP(elb_remove_tags, 0),
	[ELB_OP_SET_LOAD_BALANCER_LISTENER_SSL_CERTIFICATE] = OP(elb_set_load_balancer_listener_ssl_certificate, 0),
	[ELB_OP_SET_LOAD_BALANCER_POLICIES_FOR_BACKEND_SERVER] =
		OP(elb_set_load_balancer_policies_for_backend_server, 0),
	[ELB_OP_SET_LOAD_BALANCER_POLICIES_OF_LISTENER] = OP(elb_set_load_balancer_policies_of_listener, 0),
};

extern const struct service service_elb;
const struct service service_elb = {.model = &wire_service_elb, .ops = operations};
