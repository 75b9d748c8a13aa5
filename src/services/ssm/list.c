/* GetParametersByPath and DescribeParameters. */
#include "services/ssm/room.h"

status ssm_get_parameters_by_path(struct call *c, const struct ssm_get_parameters_by_path_input *in,
	struct ssm_get_parameters_by_path_output *out)
{
	struct ps_matches page;
	size_t capacity = 0;
	struct ps_query q = {.filters = &in->parameter_filters,
		.path = in->path,
		.recursive = in->recursive.v,
		.token = in->next_token,
		.limit = in->max_results.has ? (size_t)in->max_results.v : 10};
	TRY(ps_path_check(c, in->path));
	TRY(ps_filters_check(c, &in->parameter_filters, true));
	TRY(ps_select(c, c->tx, &q, &page, &out->next_token));
	VEC_PRESENT(c->arena, &out->parameters);
	for (size_t i = 0; i < page.n; i++) {
		const struct ps_match *m = &page.v[i];
		struct ssm_parameter *p = VEC_PUSH(c->arena, &out->parameters, &capacity);
		*p = (struct ssm_parameter){.name = m->p.name,
			.type = m->v.type,
			.version = SOME_I64(m->number),
			.last_modified_date = m->v.modified,
			.arn = m->p.arn,
			.data_type = m->v.data_type};
		TRY(ps_value(c, &m->p, &m->v, in->with_decryption.v, &p->value));
	}
	return OK;
}

/* The older Filters are ParameterFilters whose names begin with their values and which otherwise are equal to them. */
static struct ssm_parameter_string_filter_list from_old(struct arena *a, const struct ssm_parameters_filter_list *old)
{
	struct ssm_parameter_string_filter_list out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < old->n; i++) {
		struct ssm_parameter_string_filter *f = VEC_PUSH(a, &out, &capacity);
		f->key = old->v[i].key;
		f->option = str_is(f->key, "Name") ? STR("BeginsWith") : STR("Equals");
		f->values.v = old->v[i].values.v;
		f->values.n = old->v[i].values.n;
	}
	return out;
}

status ssm_describe_parameters(
	struct call *c, const struct ssm_describe_parameters_input *in, struct ssm_describe_parameters_output *out)
{
	struct ps_matches page;
	size_t capacity = 0;
	if (in->filters.n && in->parameter_filters.n)
		return call_fail(
			c, ERR_VALIDATION, "You can use either Filters or ParameterFilters in a single request.");
	struct ssm_parameter_string_filter_list filters =
		in->filters.n ? from_old(c->arena, &in->filters) : in->parameter_filters;
	struct ps_query q = {.filters = &filters,
		.token = in->next_token,
		.limit = in->max_results.has ? (size_t)in->max_results.v : 50};
	TRY(ps_filters_check(c, &filters, false));
	VEC_PRESENT(c->arena, &out->parameters);
	if (in->shared.v) return OK; /* nobody shares parameters with this account */
	TRY(ps_select(c, c->tx, &q, &page, &out->next_token));
	for (size_t i = 0; i < page.n; i++) {
		const struct ps_match *m = &page.v[i];
		*VEC_PUSH(c->arena, &out->parameters, &capacity) = (struct ssm_parameter_metadata){.name = m->p.name,
			.arn = m->p.arn,
			.type = m->v.type,
			.key_id = m->v.key_id,
			.last_modified_date = m->v.modified,
			.last_modified_user = m->v.user,
			.description = m->v.description,
			.allowed_pattern = m->v.pattern,
			.version = SOME_I64(m->number),
			.tier = m->v.tier,
			.policies = ps_policies_out(c->arena, &m->v.policies),
			.data_type = m->v.data_type};
	}
	return OK;
}
