/* AWS Certificate Manager: what it does, operation by operation. Certificates of AWS Private CA, renewal of such by
 * request, the search language and expiry events have no row. */
#include "services/acm/room.h"

static const struct service_op operations[ACM_OP_COUNT] = {
	[ACM_OP_ADD_TAGS_TO_CERTIFICATE] = OP(acm_add_tags_to_certificate, 0),
	[ACM_OP_DELETE_CERTIFICATE] = OP(acm_delete_certificate, 0),
	[ACM_OP_DESCRIBE_CERTIFICATE] = OP(acm_describe_certificate, OP_READ),
	[ACM_OP_EXPORT_CERTIFICATE] = OP(acm_export_certificate, OP_BLOCKING),
	[ACM_OP_GET_CERTIFICATE] = OP(acm_get_certificate, OP_READ),
	[ACM_OP_IMPORT_CERTIFICATE] = OP(acm_import_certificate, 0),
	[ACM_OP_LIST_CERTIFICATES] = OP(acm_list_certificates, OP_READ),
	[ACM_OP_LIST_TAGS_FOR_CERTIFICATE] = OP(acm_list_tags_for_certificate, OP_READ),
	[ACM_OP_REMOVE_TAGS_FROM_CERTIFICATE] = OP(acm_remove_tags_from_certificate, 0),
	[ACM_OP_REQUEST_CERTIFICATE] = OP(acm_request_certificate, 0),
	[ACM_OP_REVOKE_CERTIFICATE] = OP(acm_revoke_certificate, 0),
	[ACM_OP_UPDATE_CERTIFICATE_OPTIONS] = OP(acm_update_certificate_options, 0),
};

static status start(struct cloud *cloud, void **state)
{
	jobs_register(cloud->jobs, ACM_JOB, acm_job, cloud);
	*state = NULL;
	return OK;
}

extern const struct service service_acm;
const struct service service_acm = {.model = &wire_service_acm, .ops = operations, .start = start};
