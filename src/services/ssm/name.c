/* Names of parameters: what they may be ("Requirements and constraints for parameter names", the user guide),
 * selectors, ARNs. */
#include "services/ssm/room.h"

static const char SHAPE[] =
	"Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist "
	"of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the "
	"following 3 symbols .-_";
static const char PATH_SHAPE[] = "The parameter doesn't meet the parameter name requirements. The parameter name must "
				 "begin with a forward slash \"/\". It "
				 "can't be prefixed with \\\"aws\\\" or \\\"ssm\\\" (case-insensitive). It must use "
				 "only letters, numbers, or the following "
				 "symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. "
				 "All sub-paths, if specified, must use "
				 "the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.";

struct str ps_arn(struct arena *a, struct str region, struct str account, struct str name)
{
	const char *partition = str_starts(region, STR("cn-"))       ? "aws-cn"
				: str_starts(region, STR("us-gov-")) ? "aws-us-gov"
								     : "aws";
	if (str_starts(name, STR("/"))) name = str_from(name, 1);
	return str_fmt(
		a, "arn:%s:ssm:%.*s:%.*s:parameter/%.*s", partition, STR_ARG(region), STR_ARG(account), STR_ARG(name));
}

struct ps_name ps_name_read(struct call *c, struct str given)
{
	struct ps_name n = {0};
	struct str rest = given;
	if (str_starts(given, STR("arn:"))) {
		(void)str_cut(&rest, ':');
		struct str partition = str_cut(&rest, ':'), service = str_cut(&rest, ':'), region = str_cut(&rest, ':'),
			   account = str_cut(&rest, ':');
		n.from_arn = true;
		n.foreign = !str_has(rest) || !str_starts(rest, STR("parameter/")) ||
			    !str_eq(partition, c->partition) || !str_is(service, "ssm") || !str_eq(region, c->region) ||
			    !str_eq(account, c->account);
		if (n.foreign) {
			n.name = given;
			return n;
		}
		/* "parameter/a/b" is "/a/b"; "parameter/a" may be either. */
		rest = str_from(rest, sizeof("parameter") - 1);
	}
	n.name = str_cut(&rest, ':');
	n.selector = rest;
	return n;
}

static bool characters_fit(struct str name)
{
	char before = 0;
	for (size_t i = 0; i < name.n; i++) {
		char b = name.p[i];
		bool fits = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '.' ||
			    b == '-' || b == '_' || b == '/';
		if (!fits || (b == '/' && before == '/')) return false;
		before = b;
	}
	return name.n > 0;
}

static size_t levels(struct str name)
{
	size_t n = 0;
	for (size_t i = 0; i < name.n; i++) n += name.p[i] == '/';
	return n + !str_starts(name, STR("/"));
}

static status check_new(struct call *c, struct str name)
{
	bool path = str_starts(name, STR("/"));
	struct str first = path ? str_from(name, 1) : name;
	if (path && str_istarts(first, STR("aws")))
		return call_fail(c, ERR_ACCESS_DENIED, "No access to reserved parameter name: %.*s.", STR_ARG(name));
	if (path && str_istarts(first, STR("ssm"))) return call_fail(c, ERR_VALIDATION, "%s", SHAPE);
	if (str_istarts(first, STR("aws")) || str_istarts(first, STR("ssm")))
		return call_fail(c, ERR_VALIDATION,
			"Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).");
	if (!path && str_chr(name, '/') >= 0)
		return call_fail(c, ERR_VALIDATION, "Parameter name must be a fully qualified name.");
	if (levels(name) > PS_LEVELS_MAX)
		return call_fail(c, SSM_ERR_HIERARCHY_LEVEL_LIMIT_EXCEEDED_EXCEPTION,
			"Parameter name must not exceed %d levels in the hierarchy. For more information, see "
			"Requirements and constraints for "
			"parameter names in the AWS Systems Manager User Guide.",
			PS_LEVELS_MAX);
	if (ps_arn(c->arena, c->region, c->account, name).n > PS_NAME_ARN_MAX)
		return call_fail(c, ERR_VALIDATION,
			"Parameter name: the name with its ARN can't be longer than %d characters.", PS_NAME_ARN_MAX);
	return OK;
}

status ps_name_check(struct call *c, struct str name, bool creating)
{
	if (!characters_fit(name) || str_ends(name, STR("/"))) return call_fail(c, ERR_VALIDATION, "%s", SHAPE);
	return creating ? check_new(c, name) : OK;
}

status ps_path_check(struct call *c, struct str path)
{
	if (str_starts(path, STR("/")) && characters_fit(path)) return OK;
	return call_fail(c, ERR_VALIDATION, "%s", PATH_SHAPE);
}
