/* DeleteParameter and DeleteParameters. */
#include "services/ssm/room.h"

static status delete_one(struct call *c, struct str name)
{
	struct ps_name n = {.name = name};
	struct ps_parameter p;
	struct ssm_rec_version v;
	TRY(ps_name_check(c, name, false));
	TRY(ps_find(c, &n, &p));
	TRY(ps_version_get(c->tx, c->arena, &p, p.r.version.v, &v));
	ps_purge(c->tx, c->arena, &p);
	ps_tell_change(c->cloud, c->tx, &p, v.type, STR("Delete"), STR_NONE);
	return OK;
}

status ssm_delete_parameter(
	struct call *c, const struct ssm_delete_parameter_input *in, struct ssm_delete_parameter_output *out)
{
	(void)out;
	return delete_one(c, in->name);
}

status ssm_delete_parameters(
	struct call *c, const struct ssm_delete_parameters_input *in, struct ssm_delete_parameters_output *out)
{
	size_t deleted = 0, invalid = 0;
	VEC_PRESENT(c->arena, &out->deleted_parameters);
	VEC_PRESENT(c->arena, &out->invalid_parameters);
	for (size_t i = 0; i < in->names.n; i++) {
		status s = delete_one(c, in->names.v[i]);
		if (is_ok(s)) {
			*VEC_PUSH(c->arena, &out->deleted_parameters, &deleted) = in->names.v[i];
			continue;
		}
		if (!status_is(s, STATUS_FAILED)) return s;
		c->failure = (struct wire_failure){0};
		*VEC_PUSH(c->arena, &out->invalid_parameters, &invalid) = in->names.v[i];
	}
	return OK;
}
