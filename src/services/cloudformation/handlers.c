/* Which resources virga can make. */
#include "services/cloudformation/handlers.h"

const struct cfn_handler *cfn_handler_of(struct str type)
{
	static const struct cfn_handler *const files[] = {cfn_sqs, cfn_ssm};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		for (const struct cfn_handler *h = files[i]; h->type; h++)
			if (str_eq(type, str_c(h->type))) return h;
	return NULL;
}
