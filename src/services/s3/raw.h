/* What S3 answers beside its operations: websites' pages and browsers' forms (see struct service, `raw`). */
#pragma once
#include "services/s3/config.h"

bool s3_raw(struct call *c, const struct wire_request *r, struct wire_response *response);
/* site.c */
void s3_site_answer(struct call *c, const struct wire_request *r, struct wire_response *response);
/* form.c. False where it is no form. */
bool s3_form_answer(struct call *c, const struct wire_request *r, struct wire_response *response);
