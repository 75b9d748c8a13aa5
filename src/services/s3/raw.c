/* Which requests without an operation S3 takes. */
#include "services/s3/raw.h"

bool s3_raw(struct call *c, const struct wire_request *r, struct wire_response *response)
{
	if (wire_read_host(r->host).website) {
		s3_site_answer(c, r, response);
		return true;
	}
	return s3_form_answer(c, r, response);
}
