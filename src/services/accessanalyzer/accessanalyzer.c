/* IAM Access Analyzer: what it does, operation by operation. Analyzers of internal access and of organizations, and
 * access previews, have no rows. */
#include "services/accessanalyzer/room.h"

static const struct service_op operations[ACCESSANALYZER_OP_COUNT] = {
	[ACCESSANALYZER_OP_APPLY_ARCHIVE_RULE] = OP(accessanalyzer_apply_archive_rule, OP_BLOCKING),
	[ACCESSANALYZER_OP_CHECK_ACCESS_NOT_GRANTED] =
		OP(accessanalyzer_check_access_not_granted, OP_READ | OP_BLOCKING),
	[ACCESSANALYZER_OP_CHECK_NO_NEW_ACCESS] = OP(accessanalyzer_check_no_new_access, OP_READ | OP_BLOCKING),
	[ACCESSANALYZER_OP_CHECK_NO_PUBLIC_ACCESS] = OP(accessanalyzer_check_no_public_access, OP_READ),
	[ACCESSANALYZER_OP_CREATE_ANALYZER] = OP(accessanalyzer_create_analyzer, OP_BLOCKING),
	[ACCESSANALYZER_OP_CREATE_ARCHIVE_RULE] = OP(accessanalyzer_create_archive_rule, 0),
	[ACCESSANALYZER_OP_DELETE_ANALYZER] = OP(accessanalyzer_delete_analyzer, 0),
	[ACCESSANALYZER_OP_DELETE_ARCHIVE_RULE] = OP(accessanalyzer_delete_archive_rule, 0),
	[ACCESSANALYZER_OP_GET_ANALYZED_RESOURCE] = OP(accessanalyzer_get_analyzed_resource, OP_BLOCKING),
	[ACCESSANALYZER_OP_GET_ANALYZER] = OP(accessanalyzer_get_analyzer, OP_READ),
	[ACCESSANALYZER_OP_GET_ARCHIVE_RULE] = OP(accessanalyzer_get_archive_rule, OP_READ),
	[ACCESSANALYZER_OP_GET_GENERATED_POLICY] = OP(accessanalyzer_get_generated_policy, OP_READ),
	[ACCESSANALYZER_OP_LIST_POLICY_GENERATIONS] = OP(accessanalyzer_list_policy_generations, OP_READ),
	[ACCESSANALYZER_OP_START_POLICY_GENERATION] =
		OP(accessanalyzer_start_policy_generation, OP_BLOCKING | OP_NO_TX),
	[ACCESSANALYZER_OP_GET_FINDING] = OP(accessanalyzer_get_finding, OP_BLOCKING),
	[ACCESSANALYZER_OP_GET_FINDING_V2] = OP(accessanalyzer_get_finding_v2, OP_BLOCKING),
	[ACCESSANALYZER_OP_GET_FINDINGS_STATISTICS] = OP(accessanalyzer_get_findings_statistics, OP_BLOCKING),
	[ACCESSANALYZER_OP_LIST_ANALYZED_RESOURCES] = OP(accessanalyzer_list_analyzed_resources, OP_READ),
	[ACCESSANALYZER_OP_LIST_ANALYZERS] = OP(accessanalyzer_list_analyzers, OP_READ),
	[ACCESSANALYZER_OP_LIST_ARCHIVE_RULES] = OP(accessanalyzer_list_archive_rules, OP_READ),
	[ACCESSANALYZER_OP_LIST_FINDINGS] = OP(accessanalyzer_list_findings, OP_BLOCKING),
	[ACCESSANALYZER_OP_LIST_FINDINGS_V2] = OP(accessanalyzer_list_findings_v2, OP_BLOCKING),
	[ACCESSANALYZER_OP_LIST_TAGS_FOR_RESOURCE] = OP(accessanalyzer_list_tags_for_resource, OP_READ),
	[ACCESSANALYZER_OP_START_RESOURCE_SCAN] = OP(accessanalyzer_start_resource_scan, OP_BLOCKING),
	[ACCESSANALYZER_OP_TAG_RESOURCE] = OP(accessanalyzer_tag_resource, 0),
	[ACCESSANALYZER_OP_UNTAG_RESOURCE] = OP(accessanalyzer_untag_resource, 0),
	[ACCESSANALYZER_OP_UPDATE_ARCHIVE_RULE] = OP(accessanalyzer_update_archive_rule, 0),
	[ACCESSANALYZER_OP_UPDATE_FINDINGS] = OP(accessanalyzer_update_findings, OP_BLOCKING),
	[ACCESSANALYZER_OP_VALIDATE_POLICY] = OP(accessanalyzer_validate_policy, OP_READ | OP_BLOCKING),
};

extern const struct service service_accessanalyzer;
const struct service service_accessanalyzer = {.model = &wire_service_accessanalyzer, .ops = operations};
