/* Amazon EC2: what it does, operation by operation. The network's rows stand first, those of instances, volumes and
 * images behind them. */
#include "services/ec2/dns.h"
#include "services/ec2/event.h"
#include "services/ec2/fleet.h"
#include "services/ec2/imds.h"
#include "services/ec2/intent.h"
#include "services/ec2/machine.h"
#include "services/ec2/spot.h"

static const struct service_op operations[EC2_OP_COUNT] = {
	/* ── the network, regions and tags ── */
	[EC2_OP_ACCEPT_VPC_ENDPOINT_CONNECTIONS] = OP(ec2_accept_vpc_endpoint_connections, 0),
	[EC2_OP_CREATE_VPC_ENDPOINT_SERVICE_CONFIGURATION] = OP(ec2_create_vpc_endpoint_service_configuration, 0),
	[EC2_OP_DELETE_VPC_ENDPOINT_SERVICE_CONFIGURATIONS] = OP(ec2_delete_vpc_endpoint_service_configurations, 0),
	[EC2_OP_DESCRIBE_VPC_ENDPOINT_CONNECTIONS] = OP(ec2_describe_vpc_endpoint_connections, OP_READ),
	[EC2_OP_DESCRIBE_VPC_ENDPOINT_SERVICE_CONFIGURATIONS] =
		OP(ec2_describe_vpc_endpoint_service_configurations, OP_READ),
	[EC2_OP_DESCRIBE_VPC_ENDPOINT_SERVICE_PERMISSIONS] = OP(ec2_describe_vpc_endpoint_service_permissions, OP_READ),
	[EC2_OP_MODIFY_VPC_ENDPOINT_SERVICE_CONFIGURATION] = OP(ec2_modify_vpc_endpoint_service_configuration, 0),
	[EC2_OP_MODIFY_VPC_ENDPOINT_SERVICE_PERMISSIONS] = OP(ec2_modify_vpc_endpoint_service_permissions, 0),
	[EC2_OP_REJECT_VPC_ENDPOINT_CONNECTIONS] = OP(ec2_reject_vpc_endpoint_connections, 0),
	[EC2_OP_ACCEPT_VPC_PEERING_CONNECTION] = OP(ec2_accept_vpc_peering_connection, 0),
	[EC2_OP_ALLOCATE_ADDRESS] = OP(ec2_allocate_address, 0),
	[EC2_OP_ASSIGN_IPV6_ADDRESSES] = OP(ec2_assign_ipv6_addresses, 0),
	[EC2_OP_ASSIGN_PRIVATE_IP_ADDRESSES] = OP(ec2_assign_private_ip_addresses, 0),
	[EC2_OP_ASSIGN_PRIVATE_NAT_GATEWAY_ADDRESS] = OP(ec2_assign_private_nat_gateway_address, 0),
	[EC2_OP_ASSOCIATE_ADDRESS] = OP(ec2_associate_address, 0),
	[EC2_OP_ASSOCIATE_DHCP_OPTIONS] = OP(ec2_associate_dhcp_options, 0),
	[EC2_OP_ASSOCIATE_NAT_GATEWAY_ADDRESS] = OP(ec2_associate_nat_gateway_address, 0),
	[EC2_OP_ASSOCIATE_ROUTE_TABLE] = OP(ec2_associate_route_table, 0),
	[EC2_OP_ASSOCIATE_SUBNET_CIDR_BLOCK] = OP(ec2_associate_subnet_cidr_block, 0),
	[EC2_OP_ASSOCIATE_TRANSIT_GATEWAY_ROUTE_TABLE] = OP(ec2_associate_transit_gateway_route_table, 0),
	[EC2_OP_ASSOCIATE_VPC_CIDR_BLOCK] = OP(ec2_associate_vpc_cidr_block, 0),
	[EC2_OP_ATTACH_INTERNET_GATEWAY] = OP(ec2_attach_internet_gateway, 0),
	[EC2_OP_ATTACH_VPN_GATEWAY] = OP(ec2_attach_vpn_gateway, 0),
	[EC2_OP_AUTHORIZE_SECURITY_GROUP_EGRESS] = OP(ec2_authorize_security_group_egress, 0),
	[EC2_OP_AUTHORIZE_SECURITY_GROUP_INGRESS] = OP(ec2_authorize_security_group_ingress, 0),
	[EC2_OP_CREATE_CUSTOMER_GATEWAY] = OP(ec2_create_customer_gateway, 0),
	[EC2_OP_CREATE_DEFAULT_SUBNET] = OP(ec2_create_default_subnet, 0),
	[EC2_OP_CREATE_DEFAULT_VPC] = OP(ec2_create_default_vpc, 0),
	[EC2_OP_CREATE_DHCP_OPTIONS] = OP(ec2_create_dhcp_options, 0),
	[EC2_OP_CREATE_EGRESS_ONLY_INTERNET_GATEWAY] = OP(ec2_create_egress_only_internet_gateway, 0),
	[EC2_OP_CREATE_INTERNET_GATEWAY] = OP(ec2_create_internet_gateway, 0),
	[EC2_OP_CREATE_MANAGED_PREFIX_LIST] = OP(ec2_create_managed_prefix_list, 0),
	[EC2_OP_CREATE_NAT_GATEWAY] = OP(ec2_create_nat_gateway, 0),
	[EC2_OP_CREATE_NETWORK_ACL] = OP(ec2_create_network_acl, 0),
	[EC2_OP_CREATE_NETWORK_ACL_ENTRY] = OP(ec2_create_network_acl_entry, 0),
	[EC2_OP_CREATE_NETWORK_INTERFACE] = OP(ec2_create_network_interface, 0),
	[EC2_OP_CREATE_ROUTE] = OP(ec2_create_route, 0),
	[EC2_OP_CREATE_ROUTE_TABLE] = OP(ec2_create_route_table, 0),
	[EC2_OP_CREATE_SECURITY_GROUP] = OP(ec2_create_security_group, 0),
	[EC2_OP_CREATE_SUBNET] = OP(ec2_create_subnet, 0),
	[EC2_OP_CREATE_TAGS] = OP(ec2_create_tags, 0),
	[EC2_OP_CREATE_TRANSIT_GATEWAY] = OP(ec2_create_transit_gateway, 0),
	[EC2_OP_CREATE_TRANSIT_GATEWAY_ROUTE] = OP(ec2_create_transit_gateway_route, 0),
	[EC2_OP_CREATE_TRANSIT_GATEWAY_ROUTE_TABLE] = OP(ec2_create_transit_gateway_route_table, 0),
	[EC2_OP_CREATE_TRANSIT_GATEWAY_VPC_ATTACHMENT] = OP(ec2_create_transit_gateway_vpc_attachment, 0),
	[EC2_OP_CREATE_VPC] = OP(ec2_create_vpc, 0),
	[EC2_OP_CREATE_VPC_PEERING_CONNECTION] = OP(ec2_create_vpc_peering_connection, 0),
	[EC2_OP_CREATE_VPN_GATEWAY] = OP(ec2_create_vpn_gateway, 0),
	[EC2_OP_DELETE_CUSTOMER_GATEWAY] = OP(ec2_delete_customer_gateway, 0),
	[EC2_OP_DELETE_DHCP_OPTIONS] = OP(ec2_delete_dhcp_options, 0),
	[EC2_OP_DELETE_EGRESS_ONLY_INTERNET_GATEWAY] = OP(ec2_delete_egress_only_internet_gateway, 0),
	[EC2_OP_DELETE_INTERNET_GATEWAY] = OP(ec2_delete_internet_gateway, 0),
	[EC2_OP_DELETE_MANAGED_PREFIX_LIST] = OP(ec2_delete_managed_prefix_list, 0),
	[EC2_OP_DELETE_NAT_GATEWAY] = OP(ec2_delete_nat_gateway, 0),
	[EC2_OP_DELETE_NETWORK_ACL] = OP(ec2_delete_network_acl, 0),
	[EC2_OP_DELETE_NETWORK_ACL_ENTRY] = OP(ec2_delete_network_acl_entry, 0),
	[EC2_OP_DELETE_NETWORK_INTERFACE] = OP(ec2_delete_network_interface, 0),
	[EC2_OP_DELETE_ROUTE] = OP(ec2_delete_route, 0),
	[EC2_OP_DELETE_ROUTE_TABLE] = OP(ec2_delete_route_table, 0),
	[EC2_OP_DELETE_SECURITY_GROUP] = OP(ec2_delete_security_group, 0),
	[EC2_OP_DELETE_SUBNET] = OP(ec2_delete_subnet, 0),
	[EC2_OP_DELETE_TAGS] = OP(ec2_delete_tags, 0),
	[EC2_OP_DELETE_TRANSIT_GATEWAY] = OP(ec2_delete_transit_gateway, 0),
	[EC2_OP_DELETE_TRANSIT_GATEWAY_ROUTE] = OP(ec2_delete_transit_gateway_route, 0),
	[EC2_OP_DELETE_TRANSIT_GATEWAY_ROUTE_TABLE] = OP(ec2_delete_transit_gateway_route_table, 0),
	[EC2_OP_DELETE_TRANSIT_GATEWAY_VPC_ATTACHMENT] = OP(ec2_delete_transit_gateway_vpc_attachment, 0),
	[EC2_OP_DELETE_VPC] = OP(ec2_delete_vpc, 0),
	[EC2_OP_DELETE_VPC_PEERING_CONNECTION] = OP(ec2_delete_vpc_peering_connection, 0),
	[EC2_OP_DELETE_VPN_GATEWAY] = OP(ec2_delete_vpn_gateway, 0),
	[EC2_OP_DESCRIBE_ADDRESSES] = OP(ec2_describe_addresses, OP_READ),
	[EC2_OP_DESCRIBE_AVAILABILITY_ZONES] = OP(ec2_describe_availability_zones, OP_READ),
	[EC2_OP_DESCRIBE_CUSTOMER_GATEWAYS] = OP(ec2_describe_customer_gateways, OP_READ),
	[EC2_OP_DESCRIBE_DHCP_OPTIONS] = OP(ec2_describe_dhcp_options, OP_READ),
	[EC2_OP_DESCRIBE_EGRESS_ONLY_INTERNET_GATEWAYS] = OP(ec2_describe_egress_only_internet_gateways, OP_READ),
	[EC2_OP_DESCRIBE_INTERNET_GATEWAYS] = OP(ec2_describe_internet_gateways, OP_READ),
	[EC2_OP_DESCRIBE_MANAGED_PREFIX_LISTS] = OP(ec2_describe_managed_prefix_lists, OP_READ),
	[EC2_OP_DESCRIBE_NAT_GATEWAYS] = OP(ec2_describe_nat_gateways, OP_READ),
	[EC2_OP_DESCRIBE_NETWORK_ACLS] = OP(ec2_describe_network_acls, OP_READ),
	[EC2_OP_DESCRIBE_NETWORK_INTERFACE_ATTRIBUTE] = OP(ec2_describe_network_interface_attribute, OP_READ),
	[EC2_OP_DESCRIBE_NETWORK_INTERFACES] = OP(ec2_describe_network_interfaces, OP_READ),
	[EC2_OP_DESCRIBE_PREFIX_LISTS] = OP(ec2_describe_prefix_lists, OP_READ),
	[EC2_OP_DESCRIBE_REGIONS] = OP(ec2_describe_regions, OP_READ),
	[EC2_OP_DESCRIBE_ROUTE_TABLES] = OP(ec2_describe_route_tables, OP_READ),
	[EC2_OP_DESCRIBE_SECURITY_GROUP_REFERENCES] = OP(ec2_describe_security_group_references, OP_READ),
	[EC2_OP_DESCRIBE_SECURITY_GROUP_RULES] = OP(ec2_describe_security_group_rules, OP_READ),
	[EC2_OP_DESCRIBE_SECURITY_GROUPS] = OP(ec2_describe_security_groups, OP_READ),
	[EC2_OP_DESCRIBE_STALE_SECURITY_GROUPS] = OP(ec2_describe_stale_security_groups, OP_READ),
	[EC2_OP_DESCRIBE_SUBNETS] = OP(ec2_describe_subnets, OP_READ),
	[EC2_OP_DESCRIBE_TAGS] = OP(ec2_describe_tags, OP_READ),
	[EC2_OP_DESCRIBE_TRANSIT_GATEWAY_ATTACHMENTS] = OP(ec2_describe_transit_gateway_attachments, OP_READ),
	[EC2_OP_DESCRIBE_TRANSIT_GATEWAY_ROUTE_TABLES] = OP(ec2_describe_transit_gateway_route_tables, OP_READ),
	[EC2_OP_DESCRIBE_TRANSIT_GATEWAY_VPC_ATTACHMENTS] = OP(ec2_describe_transit_gateway_vpc_attachments, OP_READ),
	[EC2_OP_DESCRIBE_TRANSIT_GATEWAYS] = OP(ec2_describe_transit_gateways, OP_READ),
	[EC2_OP_DESCRIBE_VPC_ATTRIBUTE] = OP(ec2_describe_vpc_attribute, OP_READ),
	[EC2_OP_DESCRIBE_VPC_PEERING_CONNECTIONS] = OP(ec2_describe_vpc_peering_connections, OP_READ),
	[EC2_OP_DESCRIBE_VPCS] = OP(ec2_describe_vpcs, OP_READ),
	[EC2_OP_DESCRIBE_VPN_GATEWAYS] = OP(ec2_describe_vpn_gateways, OP_READ),
	[EC2_OP_DETACH_INTERNET_GATEWAY] = OP(ec2_detach_internet_gateway, 0),
	[EC2_OP_DETACH_VPN_GATEWAY] = OP(ec2_detach_vpn_gateway, 0),
	[EC2_OP_DISABLE_TRANSIT_GATEWAY_ROUTE_TABLE_PROPAGATION] =
		OP(ec2_disable_transit_gateway_route_table_propagation, 0),
	[EC2_OP_DISASSOCIATE_ADDRESS] = OP(ec2_disassociate_address, 0),
	[EC2_OP_DISASSOCIATE_NAT_GATEWAY_ADDRESS] = OP(ec2_disassociate_nat_gateway_address, 0),
	[EC2_OP_DISASSOCIATE_ROUTE_TABLE] = OP(ec2_disassociate_route_table, 0),
	[EC2_OP_DISASSOCIATE_SUBNET_CIDR_BLOCK] = OP(ec2_disassociate_subnet_cidr_block, 0),
	[EC2_OP_DISASSOCIATE_TRANSIT_GATEWAY_ROUTE_TABLE] = OP(ec2_disassociate_transit_gateway_route_table, 0),
	[EC2_OP_DISASSOCIATE_VPC_CIDR_BLOCK] = OP(ec2_disassociate_vpc_cidr_block, 0),
	[EC2_OP_ENABLE_TRANSIT_GATEWAY_ROUTE_TABLE_PROPAGATION] =
		OP(ec2_enable_transit_gateway_route_table_propagation, 0),
	[EC2_OP_GET_MANAGED_PREFIX_LIST_ASSOCIATIONS] = OP(ec2_get_managed_prefix_list_associations, OP_READ),
	[EC2_OP_GET_MANAGED_PREFIX_LIST_ENTRIES] = OP(ec2_get_managed_prefix_list_entries, OP_READ),
	[EC2_OP_GET_TRANSIT_GATEWAY_ATTACHMENT_PROPAGATIONS] =
		OP(ec2_get_transit_gateway_attachment_propagations, OP_READ),
	[EC2_OP_GET_TRANSIT_GATEWAY_ROUTE_TABLE_ASSOCIATIONS] =
		OP(ec2_get_transit_gateway_route_table_associations, OP_READ),
	[EC2_OP_GET_TRANSIT_GATEWAY_ROUTE_TABLE_PROPAGATIONS] =
		OP(ec2_get_transit_gateway_route_table_propagations, OP_READ),
	[EC2_OP_MODIFY_MANAGED_PREFIX_LIST] = OP(ec2_modify_managed_prefix_list, 0),
	[EC2_OP_MODIFY_NETWORK_INTERFACE_ATTRIBUTE] = OP(ec2_modify_network_interface_attribute, 0),
	[EC2_OP_MODIFY_SECURITY_GROUP_RULES] = OP(ec2_modify_security_group_rules, 0),
	[EC2_OP_MODIFY_SUBNET_ATTRIBUTE] = OP(ec2_modify_subnet_attribute, 0),
	[EC2_OP_MODIFY_TRANSIT_GATEWAY] = OP(ec2_modify_transit_gateway, 0),
	[EC2_OP_MODIFY_TRANSIT_GATEWAY_VPC_ATTACHMENT] = OP(ec2_modify_transit_gateway_vpc_attachment, 0),
	[EC2_OP_MODIFY_VPC_ATTRIBUTE] = OP(ec2_modify_vpc_attribute, 0),
	[EC2_OP_MODIFY_VPC_PEERING_CONNECTION_OPTIONS] = OP(ec2_modify_vpc_peering_connection_options, 0),
	[EC2_OP_MODIFY_VPC_TENANCY] = OP(ec2_modify_vpc_tenancy, 0),
	[EC2_OP_REJECT_VPC_PEERING_CONNECTION] = OP(ec2_reject_vpc_peering_connection, 0),
	[EC2_OP_RELEASE_ADDRESS] = OP(ec2_release_address, 0),
	[EC2_OP_REPLACE_NETWORK_ACL_ASSOCIATION] = OP(ec2_replace_network_acl_association, 0),
	[EC2_OP_REPLACE_NETWORK_ACL_ENTRY] = OP(ec2_replace_network_acl_entry, 0),
	[EC2_OP_REPLACE_ROUTE] = OP(ec2_replace_route, 0),
	[EC2_OP_REPLACE_ROUTE_TABLE_ASSOCIATION] = OP(ec2_replace_route_table_association, 0),
	[EC2_OP_REPLACE_TRANSIT_GATEWAY_ROUTE] = OP(ec2_replace_transit_gateway_route, 0),
	[EC2_OP_RESET_NETWORK_INTERFACE_ATTRIBUTE] = OP(ec2_reset_network_interface_attribute, 0),
	[EC2_OP_RESTORE_MANAGED_PREFIX_LIST_VERSION] = OP(ec2_restore_managed_prefix_list_version, 0),
	[EC2_OP_REVOKE_SECURITY_GROUP_EGRESS] = OP(ec2_revoke_security_group_egress, 0),
	[EC2_OP_REVOKE_SECURITY_GROUP_INGRESS] = OP(ec2_revoke_security_group_ingress, 0),
	[EC2_OP_SEARCH_TRANSIT_GATEWAY_ROUTES] = OP(ec2_search_transit_gateway_routes, OP_READ),
	[EC2_OP_UNASSIGN_IPV6_ADDRESSES] = OP(ec2_unassign_ipv6_addresses, 0),
	[EC2_OP_UNASSIGN_PRIVATE_IP_ADDRESSES] = OP(ec2_unassign_private_ip_addresses, 0),
	[EC2_OP_UNASSIGN_PRIVATE_NAT_GATEWAY_ADDRESS] = OP(ec2_unassign_private_nat_gateway_address, 0),
	[EC2_OP_UPDATE_SECURITY_GROUP_RULE_DESCRIPTIONS_EGRESS] =
		OP(ec2_update_security_group_rule_descriptions_egress, 0),
	[EC2_OP_UPDATE_SECURITY_GROUP_RULE_DESCRIPTIONS_INGRESS] =
		OP(ec2_update_security_group_rule_descriptions_ingress, 0),
	[EC2_OP_CREATE_FLOW_LOGS] = OP(ec2_create_flow_logs, 0),
	[EC2_OP_CREATE_VPC_ENDPOINT] = OP(ec2_create_vpc_endpoint, 0),
	[EC2_OP_DELETE_FLOW_LOGS] = OP(ec2_delete_flow_logs, 0),
	[EC2_OP_DELETE_VPC_ENDPOINTS] = OP(ec2_delete_vpc_endpoints, 0),
	[EC2_OP_DESCRIBE_FLOW_LOGS] = OP(ec2_describe_flow_logs, OP_READ),
	[EC2_OP_DESCRIBE_VPC_ENDPOINT_SERVICES] = OP(ec2_describe_vpc_endpoint_services, OP_READ),
	[EC2_OP_DESCRIBE_VPC_ENDPOINTS] = OP(ec2_describe_vpc_endpoints, OP_READ),
	[EC2_OP_MODIFY_VPC_ENDPOINT] = OP(ec2_modify_vpc_endpoint, 0),
	[EC2_OP_DESCRIBE_ACCOUNT_ATTRIBUTES] = OP(ec2_describe_account_attributes, OP_READ),
	[EC2_OP_DESCRIBE_ADDRESSES_ATTRIBUTE] = OP(ec2_describe_addresses_attribute, OP_READ),
	[EC2_OP_CREATE_NETWORK_INSIGHTS_PATH] = OP(ec2_create_network_insights_path, 0),
	[EC2_OP_DELETE_NETWORK_INSIGHTS_ANALYSIS] = OP(ec2_delete_network_insights_analysis, 0),
	[EC2_OP_DELETE_NETWORK_INSIGHTS_PATH] = OP(ec2_delete_network_insights_path, 0),
	[EC2_OP_DESCRIBE_NETWORK_INSIGHTS_ANALYSES] = OP(ec2_describe_network_insights_analyses, OP_READ),
	[EC2_OP_DESCRIBE_NETWORK_INSIGHTS_PATHS] = OP(ec2_describe_network_insights_paths, OP_READ),
	[EC2_OP_START_NETWORK_INSIGHTS_ANALYSIS] = OP(ec2_start_network_insights_analysis, OP_BLOCKING),
	/* ── instances, volumes, images ── */
	[EC2_OP_ATTACH_NETWORK_INTERFACE] = OP(ec2_attach_network_interface, 0),
	[EC2_OP_DETACH_NETWORK_INTERFACE] = OP(ec2_detach_network_interface, 0),
	[EC2_OP_ASSOCIATE_IAM_INSTANCE_PROFILE] = OP(ec2_associate_iam_instance_profile, 0),
	[EC2_OP_ATTACH_VOLUME] = OP(ec2_attach_volume, 0),
	[EC2_OP_CANCEL_IMAGE_LAUNCH_PERMISSION] = OP(ec2_cancel_image_launch_permission, 0),
	[EC2_OP_CANCEL_SPOT_INSTANCE_REQUESTS] = OP(ec2_cancel_spot_instance_requests, 0),
	[EC2_OP_COPY_IMAGE] = OP(ec2_copy_image, 0),
	[EC2_OP_COPY_SNAPSHOT] = OP(ec2_copy_snapshot, 0),
	[EC2_OP_CREATE_IMAGE] = OP(ec2_create_image, OP_BLOCKING),
	[EC2_OP_CREATE_KEY_PAIR] = OP(ec2_create_key_pair, OP_BLOCKING),
	[EC2_OP_CREATE_LAUNCH_TEMPLATE] = OP(ec2_create_launch_template, 0),
	[EC2_OP_CREATE_LAUNCH_TEMPLATE_VERSION] = OP(ec2_create_launch_template_version, 0),
	[EC2_OP_CREATE_PLACEMENT_GROUP] = OP(ec2_create_placement_group, 0),
	[EC2_OP_CREATE_SNAPSHOTS] = OP(ec2_create_snapshots, OP_BLOCKING),
	[EC2_OP_CREATE_SNAPSHOT] = OP(ec2_create_snapshot, OP_BLOCKING),
	[EC2_OP_CREATE_VOLUME] = OP(ec2_create_volume, 0),
	[EC2_OP_DELETE_KEY_PAIR] = OP(ec2_delete_key_pair, 0),
	[EC2_OP_DELETE_LAUNCH_TEMPLATE] = OP(ec2_delete_launch_template, 0),
	[EC2_OP_DELETE_LAUNCH_TEMPLATE_VERSIONS] = OP(ec2_delete_launch_template_versions, 0),
	[EC2_OP_DELETE_PLACEMENT_GROUP] = OP(ec2_delete_placement_group, 0),
	[EC2_OP_DELETE_SNAPSHOT] = OP(ec2_delete_snapshot, 0),
	[EC2_OP_DELETE_VOLUME] = OP(ec2_delete_volume, 0),
	[EC2_OP_DEREGISTER_IMAGE] = OP(ec2_deregister_image, 0),
	[EC2_OP_DESCRIBE_FAST_SNAPSHOT_RESTORES] = OP(ec2_describe_fast_snapshot_restores, OP_READ),
	[EC2_OP_DESCRIBE_IAM_INSTANCE_PROFILE_ASSOCIATIONS] =
		OP(ec2_describe_iam_instance_profile_associations, OP_READ),
	[EC2_OP_DESCRIBE_IMAGES] = OP(ec2_describe_images, OP_READ),
	[EC2_OP_DESCRIBE_IMAGE_ATTRIBUTE] = OP(ec2_describe_image_attribute, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCES] = OP(ec2_describe_instances, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCE_ATTRIBUTE] = OP(ec2_describe_instance_attribute, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCE_CREDIT_SPECIFICATIONS] = OP(ec2_describe_instance_credit_specifications, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCE_STATUS] = OP(ec2_describe_instance_status, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCE_TYPES] = OP(ec2_describe_instance_types, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCE_TYPE_OFFERINGS] = OP(ec2_describe_instance_type_offerings, OP_READ),
	[EC2_OP_DESCRIBE_KEY_PAIRS] = OP(ec2_describe_key_pairs, OP_READ),
	[EC2_OP_DESCRIBE_LAUNCH_TEMPLATES] = OP(ec2_describe_launch_templates, OP_READ),
	[EC2_OP_DESCRIBE_LAUNCH_TEMPLATE_VERSIONS] = OP(ec2_describe_launch_template_versions, OP_READ),
	[EC2_OP_DESCRIBE_PLACEMENT_GROUPS] = OP(ec2_describe_placement_groups, OP_READ),
	[EC2_OP_DESCRIBE_SNAPSHOTS] = OP(ec2_describe_snapshots, OP_READ),
	[EC2_OP_DESCRIBE_SNAPSHOT_ATTRIBUTE] = OP(ec2_describe_snapshot_attribute, OP_READ),
	[EC2_OP_DESCRIBE_SPOT_INSTANCE_REQUESTS] = OP(ec2_describe_spot_instance_requests, OP_READ),
	[EC2_OP_DESCRIBE_SPOT_PRICE_HISTORY] = OP(ec2_describe_spot_price_history, OP_READ),
	[EC2_OP_DESCRIBE_VOLUMES] = OP(ec2_describe_volumes, OP_READ),
	[EC2_OP_DESCRIBE_VOLUMES_MODIFICATIONS] = OP(ec2_describe_volumes_modifications, OP_READ),
	[EC2_OP_DESCRIBE_VOLUME_ATTRIBUTE] = OP(ec2_describe_volume_attribute, OP_READ),
	[EC2_OP_DESCRIBE_VOLUME_STATUS] = OP(ec2_describe_volume_status, OP_READ),
	[EC2_OP_DETACH_VOLUME] = OP(ec2_detach_volume, 0),
	[EC2_OP_DISABLE_EBS_ENCRYPTION_BY_DEFAULT] = OP(ec2_disable_ebs_encryption_by_default, 0),
	[EC2_OP_DISABLE_FAST_SNAPSHOT_RESTORES] = OP(ec2_disable_fast_snapshot_restores, 0),
	[EC2_OP_DISABLE_IMAGE] = OP(ec2_disable_image, 0),
	[EC2_OP_DISABLE_IMAGE_BLOCK_PUBLIC_ACCESS] = OP(ec2_disable_image_block_public_access, 0),
	[EC2_OP_DISABLE_IMAGE_DEPRECATION] = OP(ec2_disable_image_deprecation, 0),
	[EC2_OP_DISABLE_IMAGE_DEREGISTRATION_PROTECTION] = OP(ec2_disable_image_deregistration_protection, 0),
	[EC2_OP_DISABLE_SNAPSHOT_BLOCK_PUBLIC_ACCESS] = OP(ec2_disable_snapshot_block_public_access, 0),
	[EC2_OP_DISASSOCIATE_IAM_INSTANCE_PROFILE] = OP(ec2_disassociate_iam_instance_profile, 0),
	[EC2_OP_ENABLE_EBS_ENCRYPTION_BY_DEFAULT] = OP(ec2_enable_ebs_encryption_by_default, 0),
	[EC2_OP_ENABLE_FAST_SNAPSHOT_RESTORES] = OP(ec2_enable_fast_snapshot_restores, 0),
	[EC2_OP_ENABLE_IMAGE] = OP(ec2_enable_image, 0),
	[EC2_OP_ENABLE_IMAGE_BLOCK_PUBLIC_ACCESS] = OP(ec2_enable_image_block_public_access, 0),
	[EC2_OP_ENABLE_IMAGE_DEPRECATION] = OP(ec2_enable_image_deprecation, 0),
	[EC2_OP_ENABLE_IMAGE_DEREGISTRATION_PROTECTION] = OP(ec2_enable_image_deregistration_protection, 0),
	[EC2_OP_ENABLE_SNAPSHOT_BLOCK_PUBLIC_ACCESS] = OP(ec2_enable_snapshot_block_public_access, 0),
	[EC2_OP_GET_CONSOLE_OUTPUT] = OP(ec2_get_console_output, OP_READ | OP_BLOCKING),
	[EC2_OP_GET_EBS_DEFAULT_KMS_KEY_ID] = OP(ec2_get_ebs_default_kms_key_id, OP_READ),
	[EC2_OP_GET_EBS_ENCRYPTION_BY_DEFAULT] = OP(ec2_get_ebs_encryption_by_default, OP_READ),
	[EC2_OP_GET_IMAGE_BLOCK_PUBLIC_ACCESS_STATE] = OP(ec2_get_image_block_public_access_state, OP_READ),
	[EC2_OP_GET_INSTANCE_METADATA_DEFAULTS] = OP(ec2_get_instance_metadata_defaults, OP_READ),
	[EC2_OP_GET_SNAPSHOT_BLOCK_PUBLIC_ACCESS_STATE] = OP(ec2_get_snapshot_block_public_access_state, OP_READ),
	[EC2_OP_IMPORT_KEY_PAIR] = OP(ec2_import_key_pair, 0),
	[EC2_OP_LIST_IMAGES_IN_RECYCLE_BIN] = OP(ec2_list_images_in_recycle_bin, OP_READ),
	[EC2_OP_LIST_SNAPSHOTS_IN_RECYCLE_BIN] = OP(ec2_list_snapshots_in_recycle_bin, OP_READ),
	[EC2_OP_LIST_VOLUMES_IN_RECYCLE_BIN] = OP(ec2_list_volumes_in_recycle_bin, OP_READ),
	[EC2_OP_LOCK_SNAPSHOT] = OP(ec2_lock_snapshot, 0),
	[EC2_OP_MODIFY_EBS_DEFAULT_KMS_KEY_ID] = OP(ec2_modify_ebs_default_kms_key_id, 0),
	[EC2_OP_MODIFY_IMAGE_ATTRIBUTE] = OP(ec2_modify_image_attribute, 0),
	[EC2_OP_MODIFY_INSTANCE_ATTRIBUTE] = OP(ec2_modify_instance_attribute, 0),
	[EC2_OP_MODIFY_INSTANCE_CREDIT_SPECIFICATION] = OP(ec2_modify_instance_credit_specification, 0),
	[EC2_OP_MODIFY_INSTANCE_MAINTENANCE_OPTIONS] = OP(ec2_modify_instance_maintenance_options, 0),
	[EC2_OP_MODIFY_INSTANCE_METADATA_DEFAULTS] = OP(ec2_modify_instance_metadata_defaults, 0),
	[EC2_OP_MODIFY_INSTANCE_METADATA_OPTIONS] = OP(ec2_modify_instance_metadata_options, 0),
	[EC2_OP_MODIFY_INSTANCE_PLACEMENT] = OP(ec2_modify_instance_placement, 0),
	[EC2_OP_MODIFY_LAUNCH_TEMPLATE] = OP(ec2_modify_launch_template, 0),
	[EC2_OP_MODIFY_SNAPSHOT_ATTRIBUTE] = OP(ec2_modify_snapshot_attribute, 0),
	[EC2_OP_MODIFY_SNAPSHOT_TIER] = OP(ec2_modify_snapshot_tier, 0),
	[EC2_OP_MODIFY_VOLUME] = OP(ec2_modify_volume, 0),
	[EC2_OP_MODIFY_VOLUME_ATTRIBUTE] = OP(ec2_modify_volume_attribute, 0),
	[EC2_OP_MONITOR_INSTANCES] = OP(ec2_monitor_instances, 0),
	[EC2_OP_REBOOT_INSTANCES] = OP(ec2_reboot_instances, 0),
	[EC2_OP_REGISTER_IMAGE] = OP(ec2_register_image, 0),
	[EC2_OP_REPLACE_IAM_INSTANCE_PROFILE_ASSOCIATION] = OP(ec2_replace_iam_instance_profile_association, 0),
	[EC2_OP_REQUEST_SPOT_INSTANCES] = OP(ec2_request_spot_instances, 0),
	[EC2_OP_RESET_EBS_DEFAULT_KMS_KEY_ID] = OP(ec2_reset_ebs_default_kms_key_id, 0),
	[EC2_OP_RESET_IMAGE_ATTRIBUTE] = OP(ec2_reset_image_attribute, 0),
	[EC2_OP_RESET_INSTANCE_ATTRIBUTE] = OP(ec2_reset_instance_attribute, 0),
	[EC2_OP_RESET_SNAPSHOT_ATTRIBUTE] = OP(ec2_reset_snapshot_attribute, 0),
	[EC2_OP_RESTORE_IMAGE_FROM_RECYCLE_BIN] = OP(ec2_restore_image_from_recycle_bin, 0),
	[EC2_OP_RESTORE_SNAPSHOT_FROM_RECYCLE_BIN] = OP(ec2_restore_snapshot_from_recycle_bin, 0),
	[EC2_OP_RESTORE_VOLUME_FROM_RECYCLE_BIN] = OP(ec2_restore_volume_from_recycle_bin, 0),
	[EC2_OP_RESTORE_SNAPSHOT_TIER] = OP(ec2_restore_snapshot_tier, 0),
	[EC2_OP_RUN_INSTANCES] = OP(ec2_run_instances, 0),
	[EC2_OP_START_INSTANCES] = OP(ec2_start_instances, 0),
	[EC2_OP_STOP_INSTANCES] = OP(ec2_stop_instances, 0),
	[EC2_OP_TERMINATE_INSTANCES] = OP(ec2_terminate_instances, 0),
	[EC2_OP_UNLOCK_SNAPSHOT] = OP(ec2_unlock_snapshot, 0),
	[EC2_OP_UNMONITOR_INSTANCES] = OP(ec2_unmonitor_instances, 0),

	/* ── VPN connections, prefix lists and peerings of transit gateways ── */
	[EC2_OP_ACCEPT_TRANSIT_GATEWAY_PEERING_ATTACHMENT] = OP(ec2_accept_transit_gateway_peering_attachment, 0),
	[EC2_OP_CREATE_TRANSIT_GATEWAY_PEERING_ATTACHMENT] = OP(ec2_create_transit_gateway_peering_attachment, 0),
	[EC2_OP_DELETE_TRANSIT_GATEWAY_PEERING_ATTACHMENT] = OP(ec2_delete_transit_gateway_peering_attachment, 0),
	[EC2_OP_DESCRIBE_TRANSIT_GATEWAY_PEERING_ATTACHMENTS] =
		OP(ec2_describe_transit_gateway_peering_attachments, OP_READ),
	[EC2_OP_REJECT_TRANSIT_GATEWAY_PEERING_ATTACHMENT] = OP(ec2_reject_transit_gateway_peering_attachment, 0),
	[EC2_OP_CREATE_TRANSIT_GATEWAY_PREFIX_LIST_REFERENCE] = OP(ec2_create_transit_gateway_prefix_list_reference, 0),
	[EC2_OP_CREATE_VPN_CONNECTION] = OP(ec2_create_vpn_connection, 0),
	[EC2_OP_CREATE_VPN_CONNECTION_ROUTE] = OP(ec2_create_vpn_connection_route, 0),
	[EC2_OP_DELETE_TRANSIT_GATEWAY_PREFIX_LIST_REFERENCE] = OP(ec2_delete_transit_gateway_prefix_list_reference, 0),
	[EC2_OP_DELETE_VPN_CONNECTION] = OP(ec2_delete_vpn_connection, 0),
	[EC2_OP_DELETE_VPN_CONNECTION_ROUTE] = OP(ec2_delete_vpn_connection_route, 0),
	[EC2_OP_DESCRIBE_VPN_CONNECTIONS] = OP(ec2_describe_vpn_connections, OP_READ),
	[EC2_OP_DISABLE_VGW_ROUTE_PROPAGATION] = OP(ec2_disable_vgw_route_propagation, 0),
	[EC2_OP_ENABLE_VGW_ROUTE_PROPAGATION] = OP(ec2_enable_vgw_route_propagation, 0),
	[EC2_OP_GET_TRANSIT_GATEWAY_PREFIX_LIST_REFERENCES] =
		OP(ec2_get_transit_gateway_prefix_list_references, OP_READ),
	[EC2_OP_MODIFY_TRANSIT_GATEWAY_PREFIX_LIST_REFERENCE] = OP(ec2_modify_transit_gateway_prefix_list_reference, 0),

	/* ── of instances and groups ── */
	[EC2_OP_GET_DEFAULT_CREDIT_SPECIFICATION] = OP(ec2_get_default_credit_specification, OP_READ),
	[EC2_OP_GET_SECURITY_GROUPS_FOR_VPC] = OP(ec2_get_security_groups_for_vpc, OP_READ),
	[EC2_OP_MODIFY_DEFAULT_CREDIT_SPECIFICATION] = OP(ec2_modify_default_credit_specification, 0),

	/* ── capacity reservations ── */
	[EC2_OP_CANCEL_CAPACITY_RESERVATION] = OP(ec2_cancel_capacity_reservation, 0),
	[EC2_OP_CREATE_CAPACITY_RESERVATION] = OP(ec2_create_capacity_reservation, 0),
	[EC2_OP_DESCRIBE_CAPACITY_RESERVATIONS] = OP(ec2_describe_capacity_reservations, OP_READ),
	[EC2_OP_GET_CAPACITY_RESERVATION_USAGE] = OP(ec2_get_capacity_reservation_usage, OP_READ),
	[EC2_OP_MODIFY_CAPACITY_RESERVATION] = OP(ec2_modify_capacity_reservation, 0),
	[EC2_OP_MODIFY_INSTANCE_CAPACITY_RESERVATION_ATTRIBUTES] =
		OP(ec2_modify_instance_capacity_reservation_attributes, 0),

	/* ── scheduled events ── */
	[EC2_OP_ASSOCIATE_INSTANCE_EVENT_WINDOW] = OP(ec2_associate_instance_event_window, 0),
	[EC2_OP_CREATE_INSTANCE_EVENT_WINDOW] = OP(ec2_create_instance_event_window, 0),
	[EC2_OP_DELETE_INSTANCE_EVENT_WINDOW] = OP(ec2_delete_instance_event_window, 0),
	[EC2_OP_DEREGISTER_INSTANCE_EVENT_NOTIFICATION_ATTRIBUTES] =
		OP(ec2_deregister_instance_event_notification_attributes, 0),
	[EC2_OP_DESCRIBE_INSTANCE_EVENT_NOTIFICATION_ATTRIBUTES] =
		OP(ec2_describe_instance_event_notification_attributes, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCE_EVENT_WINDOWS] = OP(ec2_describe_instance_event_windows, OP_READ),
	[EC2_OP_DISASSOCIATE_INSTANCE_EVENT_WINDOW] = OP(ec2_disassociate_instance_event_window, 0),
	[EC2_OP_MODIFY_INSTANCE_EVENT_START_TIME] = OP(ec2_modify_instance_event_start_time, 0),
	[EC2_OP_MODIFY_INSTANCE_EVENT_WINDOW] = OP(ec2_modify_instance_event_window, 0),
	[EC2_OP_REGISTER_INSTANCE_EVENT_NOTIFICATION_ATTRIBUTES] =
		OP(ec2_register_instance_event_notification_attributes, 0),

	/* ── Reserved Instances ── */
	[EC2_OP_DESCRIBE_RESERVED_INSTANCES] = OP(ec2_describe_reserved_instances, OP_READ),
	[EC2_OP_DESCRIBE_RESERVED_INSTANCES_OFFERINGS] =
		OP(ec2_describe_reserved_instances_offerings, OP_READ | OP_BLOCKING),
	[EC2_OP_PURCHASE_RESERVED_INSTANCES_OFFERING] = OP(ec2_purchase_reserved_instances_offering, OP_BLOCKING),

	/* ── options of instances and accounts ── */
	[EC2_OP_DISABLE_ALLOWED_IMAGES_SETTINGS] = OP(ec2_disable_allowed_images_settings, 0),
	[EC2_OP_DISABLE_SERIAL_CONSOLE_ACCESS] = OP(ec2_disable_serial_console_access, 0),
	[EC2_OP_ENABLE_ALLOWED_IMAGES_SETTINGS] = OP(ec2_enable_allowed_images_settings, 0),
	[EC2_OP_ENABLE_SERIAL_CONSOLE_ACCESS] = OP(ec2_enable_serial_console_access, 0),
	[EC2_OP_GET_ALLOWED_IMAGES_SETTINGS] = OP(ec2_get_allowed_images_settings, OP_READ),
	[EC2_OP_GET_PASSWORD_DATA] = OP(ec2_get_password_data, OP_READ),
	[EC2_OP_GET_SERIAL_CONSOLE_ACCESS_STATUS] = OP(ec2_get_serial_console_access_status, OP_READ),
	[EC2_OP_MODIFY_INSTANCE_CPU_OPTIONS] = OP(ec2_modify_instance_cpu_options, 0),
	[EC2_OP_REPLACE_IMAGE_CRITERIA_IN_ALLOWED_IMAGES_SETTINGS] =
		OP(ec2_replace_image_criteria_in_allowed_images_settings, 0),

	/* ── of subnets, groups and endpoint services ── */
	[EC2_OP_ASSOCIATE_SECURITY_GROUP_VPC] = OP(ec2_associate_security_group_vpc, 0),
	[EC2_OP_CREATE_SUBNET_CIDR_RESERVATION] = OP(ec2_create_subnet_cidr_reservation, 0),
	[EC2_OP_CREATE_VPC_ENDPOINT_CONNECTION_NOTIFICATION] = OP(ec2_create_vpc_endpoint_connection_notification, 0),
	[EC2_OP_DELETE_SUBNET_CIDR_RESERVATION] = OP(ec2_delete_subnet_cidr_reservation, 0),
	[EC2_OP_DELETE_VPC_ENDPOINT_CONNECTION_NOTIFICATIONS] = OP(ec2_delete_vpc_endpoint_connection_notifications, 0),
	[EC2_OP_DESCRIBE_SECURITY_GROUP_VPC_ASSOCIATIONS] = OP(ec2_describe_security_group_vpc_associations, OP_READ),
	[EC2_OP_DESCRIBE_VPC_ENDPOINT_CONNECTION_NOTIFICATIONS] =
		OP(ec2_describe_vpc_endpoint_connection_notifications, OP_READ),
	[EC2_OP_DISASSOCIATE_SECURITY_GROUP_VPC] = OP(ec2_disassociate_security_group_vpc, 0),
	[EC2_OP_GET_SUBNET_CIDR_RESERVATIONS] = OP(ec2_get_subnet_cidr_reservations, OP_READ),
	[EC2_OP_MODIFY_VPC_ENDPOINT_CONNECTION_NOTIFICATION] = OP(ec2_modify_vpc_endpoint_connection_notification, 0),
	[EC2_OP_MODIFY_VPC_ENDPOINT_SERVICE_PAYER_RESPONSIBILITY] =
		OP(ec2_modify_vpc_endpoint_service_payer_responsibility, 0),

	/* ── what is told of all that ── */
	[EC2_OP_DESCRIBE_AGGREGATE_ID_FORMAT] = OP(ec2_describe_aggregate_id_format, OP_READ),
	[EC2_OP_DESCRIBE_ID_FORMAT] = OP(ec2_describe_id_format, OP_READ),
	[EC2_OP_DESCRIBE_IDENTITY_ID_FORMAT] = OP(ec2_describe_identity_id_format, OP_READ),
	[EC2_OP_DESCRIBE_INSTANCE_IMAGE_METADATA] = OP(ec2_describe_instance_image_metadata, OP_READ),
	[EC2_OP_DESCRIBE_SNAPSHOT_TIER_STATUS] = OP(ec2_describe_snapshot_tier_status, OP_READ),
	[EC2_OP_GET_LAUNCH_TEMPLATE_DATA] = OP(ec2_get_launch_template_data, OP_READ),

	/* ── replacement of root volumes ── */
	[EC2_OP_CREATE_REPLACE_ROOT_VOLUME_TASK] = OP(ec2_create_replace_root_volume_task, 0),
	[EC2_OP_DESCRIBE_REPLACE_ROOT_VOLUME_TASKS] = OP(ec2_describe_replace_root_volume_tasks, OP_READ),

	/* ── VPC Block Public Access ── */
	[EC2_OP_CREATE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSION] = OP(ec2_create_vpc_block_public_access_exclusion, 0),
	[EC2_OP_DELETE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSION] = OP(ec2_delete_vpc_block_public_access_exclusion, 0),
	[EC2_OP_DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSIONS] =
		OP(ec2_describe_vpc_block_public_access_exclusions, OP_READ),
	[EC2_OP_DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_OPTIONS] = OP(ec2_describe_vpc_block_public_access_options, OP_READ),
	[EC2_OP_MODIFY_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSION] = OP(ec2_modify_vpc_block_public_access_exclusion, 0),
	[EC2_OP_MODIFY_VPC_BLOCK_PUBLIC_ACCESS_OPTIONS] = OP(ec2_modify_vpc_block_public_access_options, 0),

	/* ── Dedicated Hosts ── */
	[EC2_OP_ALLOCATE_HOSTS] = OP(ec2_allocate_hosts, 0),
	[EC2_OP_DESCRIBE_HOSTS] = OP(ec2_describe_hosts, OP_READ),
	[EC2_OP_MODIFY_HOSTS] = OP(ec2_modify_hosts, 0),
	[EC2_OP_RELEASE_HOSTS] = OP(ec2_release_hosts, 0),

	/* ── fleets ── */
	[EC2_OP_GET_INSTANCE_TYPES_FROM_INSTANCE_REQUIREMENTS] =
		OP(ec2_get_instance_types_from_instance_requirements, OP_READ),
	[EC2_OP_CANCEL_SPOT_FLEET_REQUESTS] = OP(ec2_cancel_spot_fleet_requests, 0),
	[EC2_OP_CREATE_FLEET] = OP(ec2_create_fleet, 0),
	[EC2_OP_DELETE_FLEETS] = OP(ec2_delete_fleets, 0),
	[EC2_OP_DESCRIBE_FLEETS] = OP(ec2_describe_fleets, OP_READ),
	[EC2_OP_DESCRIBE_FLEET_HISTORY] = OP(ec2_describe_fleet_history, OP_READ),
	[EC2_OP_DESCRIBE_FLEET_INSTANCES] = OP(ec2_describe_fleet_instances, OP_READ),
	[EC2_OP_DESCRIBE_SPOT_FLEET_INSTANCES] = OP(ec2_describe_spot_fleet_instances, OP_READ),
	[EC2_OP_DESCRIBE_SPOT_FLEET_REQUESTS] = OP(ec2_describe_spot_fleet_requests, OP_READ),
	[EC2_OP_DESCRIBE_SPOT_FLEET_REQUEST_HISTORY] = OP(ec2_describe_spot_fleet_request_history, OP_READ),
	[EC2_OP_MODIFY_FLEET] = OP(ec2_modify_fleet, 0),
	[EC2_OP_MODIFY_SPOT_FLEET_REQUEST] = OP(ec2_modify_spot_fleet_request, 0),
	[EC2_OP_REQUEST_SPOT_FLEET] = OP(ec2_request_spot_fleet, 0),
};

static status start(struct cloud *cloud, void **state)
{
	struct ec2_network *n;
	TRY(ec2_network_start(cloud, &n));
	*state = n;
	jobs_register(cloud->jobs, EC2_JOB_VOLUME, ec2_volume_job, cloud);
	jobs_register(cloud->jobs, EC2_JOB_SNAPSHOT, ec2_snapshot_job, cloud);
	jobs_register(cloud->jobs, EC2_JOB_RECYCLE, ec2_recycle_job, cloud);
	jobs_register(cloud->jobs, EC2_JOB_MACHINE, ec2_machine_job, cloud);
	jobs_register(cloud->jobs, EC2_JOB_FLEET, ec2_fleet_job, cloud);
	jobs_register(cloud->jobs, EC2_JOB_EVENT, ec2_event_job, cloud);
	jobs_register(cloud->jobs, EC2_JOB_SPOT, ec2_spot_job, cloud);
	ec2_monitor_start(cloud);
	n->imds = imds_start(cloud);
	ec2_machines_begin(cloud);
	return OK;
}

static void ready(struct cloud *cloud, void *state)
{
	(void)state;
	ec2_monitor_ready(cloud);
}

static void stop(void *state)
{
	struct ec2_network *n = state;
	imds_stop(n->imds);
	n->imds = NULL;
	ec2_network_stop(n);
}

extern const struct service service_ec2;
const struct service service_ec2 = {.model = &wire_service_ec2,
	.ops = operations,
	.start = start,
	.ready = ready,
	.stop = stop,
	.reset = ec2_reset,
	.before = ec2_before};
