/* "resolve:ssm:NAME" as an image's id ("Use a Systems Manager parameter to find an AMI", the guide): of public
 * parameters. */
#include "services/ec2/door.h"
#include "services/ec2/instance.h"

status ec2_image_resolve(struct call *c, struct str *image)
{
	struct str head = STR("resolve:ssm:");
	if (!str_starts(*image, head)) return OK;
	struct str name = str_from(*image, head.n);
	if (ec2_public_parameter(c->arena, c->region, name, image)) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"The parameter '%.*s' is not a public parameter that holds an image; others are not resolved.",
		STR_ARG(name));
}
