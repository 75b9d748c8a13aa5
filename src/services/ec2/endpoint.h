/* VPC endpoints, for the intent and the resolver. */
#pragma once
#include "services/ec2/gateways.h"

EC2_TYPES_DECLARE(endpoint);
/* ── endpoint_way.c ── */
/* FAILED: it is no policy. */
status ec2_endpoint_policy_check(struct call *c, struct str text) MUST_USE;
/* An AWS service that endpoints reach: the end of its name (com.amazonaws.REGION.NAME) and the names that private DNS
 * gives it, of which "*" alone stands for any label. */
struct ec2_endpoint_service {
	const char *name;
	const char *dns; /* "api.ecr" of api.ecr.REGION.amazonaws.com; comma-separated; '*' first for a wildcard */
	bool gateway;    /* by a gateway endpoint too */
};
extern const struct ec2_endpoint_service ec2_endpoint_services[];
extern const size_t ec2_endpoint_services_length;
/* com.amazonaws.REGION.NAME; NULL where it is none. */
const struct ec2_endpoint_service *ec2_endpoint_service_find(struct str region, struct str service_name);
/* Does this name (lower case, without a final dot) belong to the service by its private DNS? */
bool ec2_endpoint_service_named(const struct ec2_endpoint_service *s, struct str region, struct str name);
