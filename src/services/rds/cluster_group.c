/* DB cluster parameter groups: the values that all of a cluster's servers have, where a member's own group says nothing
 * else. "Parameter groups for Amazon Aurora", the Aurora guide. The records are those of DB parameter groups, at
 * another kind; default groups are always there. */
#include "services/rds/cluster.h"
#include "services/rds/parameters.h"

enum { CHANGES_MAX = 20 };
static const char *const families[] = {"aurora-postgresql15", "postgres15"};
enum { N_FAMILIES = sizeof(families) / sizeof(*families) };

static bool family_is(struct str family)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		if (str_eq(family, str_c(families[i]))) return true;
	return false;
}

static struct rds_rec_parameter_group default_of(struct arena *a, struct str family)
{
	return (struct rds_rec_parameter_group){.db_parameter_group_name = str_cat(a, STR("default."), family),
		.db_parameter_group_family = family,
		.description = str_cat(a, STR("Default cluster parameter group for "), family)};
}

status rds_cluster_group_load(struct rds_place at, struct str name, struct rds_rec_parameter_group *out)
{
	status s = rds_load(at, &rds_kind_cluster_parameter_group, str_or(name, STR("")), out);
	struct str family = str_has(name) && str_istarts(name, STR("default.")) ? str_from(name, 8) : STR("");
	if (!status_is(s, STATUS_NOT_FOUND) || !family_is(family)) return s;
	*out = default_of(at.a, family);
	return OK;
}

status rds_cluster_group_find(struct call *c, struct str name, struct rds_rec_parameter_group *out)
{
	if (str_starts(name, STR("arn:"))) name = str_from(name, (size_t)(str_rchr(name, ':') + 1));
	status s = rds_cluster_group_load(rds_here(c), name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_PARAMETER_GROUP_NOT_FOUND_FAULT, "DBClusterParameterGroup not found: %.*s",
		STR_ARG(str_or(name, STR(""))));
}

static void show(struct call *c, const struct rds_rec_parameter_group *r, struct rds_db_cluster_parameter_group *out)
{
	*out = (struct rds_db_cluster_parameter_group){.db_cluster_parameter_group_name = r->db_parameter_group_name,
		.db_parameter_group_family = r->db_parameter_group_family,
		.description = r->description,
		.db_cluster_parameter_group_arn =
			rds_arn(c, &rds_kind_cluster_parameter_group, r->db_parameter_group_name)};
}

static status check_family(struct call *c, struct str family)
{
	if (family_is(family)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "ParameterGroupFamily %.*s is not a valid parameter group family.",
		STR_ARG(family));
}

static status make(struct call *c, struct str given, struct rds_rec_parameter_group *r, const struct rds_tag_list *tags,
	struct rds_db_cluster_parameter_group **out)
{
	struct rds_rec_parameter_group other;
	size_t n = 0;
	TRY(rds_name_check(c, given, "DBClusterParameterGroupName", 255));
	r->db_parameter_group_name = str_lower(c->arena, given);
	status s = rds_cluster_group_load(rds_here(c), r->db_parameter_group_name, &other);
	if (is_ok(s))
		return RDS_FAIL(c, DB_PARAMETER_GROUP_ALREADY_EXISTS_FAULT, "Parameter group %.*s already exists",
			STR_ARG(r->db_parameter_group_name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster_parameter_group);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n >= RDS_CLUSTER_GROUPS_MAX)
		return RDS_FAIL(c, DB_PARAMETER_GROUP_QUOTA_EXCEEDED_FAULT,
			"The request would result in the user exceeding the allowed number of DB parameter groups.");
	r->tags = (struct rds_rec_pairs){0};
	TRY(rds_tags_set(c, &r->tags, tags->v, tags->n));
	rds_put(rds_here(c), &rds_kind_cluster_parameter_group, r->db_parameter_group_name, r);
	*out = arena_new(c->arena, struct rds_db_cluster_parameter_group);
	show(c, r, *out);
	return OK;
}

status rds_create_db_cluster_parameter_group(struct call *c,
	const struct rds_create_db_cluster_parameter_group_input *in,
	struct rds_create_db_cluster_parameter_group_output *out)
{
	struct rds_rec_parameter_group r = {
		.db_parameter_group_family = in->db_parameter_group_family, .description = in->description};
	TRY(check_family(c, in->db_parameter_group_family));
	return make(c, in->db_cluster_parameter_group_name, &r, &in->tags, &out->db_cluster_parameter_group);
}

status rds_copy_db_cluster_parameter_group(struct call *c, const struct rds_copy_db_cluster_parameter_group_input *in,
	struct rds_copy_db_cluster_parameter_group_output *out)
{
	struct rds_rec_parameter_group r;
	TRY(rds_cluster_group_find(c, in->source_db_cluster_parameter_group_identifier, &r));
	r.description = in->target_db_cluster_parameter_group_description;
	return make(
		c, in->target_db_cluster_parameter_group_identifier, &r, &in->tags, &out->db_cluster_parameter_group);
}

status rds_delete_db_cluster_parameter_group(struct call *c,
	const struct rds_delete_db_cluster_parameter_group_input *in,
	struct rds_delete_db_cluster_parameter_group_output *out)
{
	struct rds_rec_parameter_group r;
	bool used = false;
	(void)out;
	if (str_istarts(in->db_cluster_parameter_group_name, STR("default.")))
		return RDS_FAIL(c, INVALID_DB_PARAMETER_GROUP_STATE_FAULT,
			"Default DBClusterParameterGroup cannot be deleted: %.*s",
			STR_ARG(in->db_cluster_parameter_group_name));
	TRY(rds_cluster_group_find(c, in->db_cluster_parameter_group_name, &r));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster);
	while (rds_next(&e))
		used = used ||
		       str_eq(((const struct rds_rec_instance *)e.record)->parameter_group, r.db_parameter_group_name);
	TRY(rds_each_end(&e));
	if (used)
		return RDS_FAIL(c, INVALID_DB_PARAMETER_GROUP_STATE_FAULT,
			"One or more database clusters are still members of this parameter group %.*s, so the group "
			"cannot be "
			"deleted",
			STR_ARG(r.db_parameter_group_name));
	rds_drop(rds_here(c), &rds_kind_cluster_parameter_group, r.db_parameter_group_name);
	return OK;
}

status rds_describe_db_cluster_parameter_groups(struct call *c,
	const struct rds_describe_db_cluster_parameter_groups_input *in,
	struct rds_describe_db_cluster_parameter_groups_output *out)
{
	static const char *const none[] = {NULL};
	struct rds_rec_parameter_group r;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	if (str_has(in->db_cluster_parameter_group_name)) {
		TRY(rds_cluster_group_find(c, in->db_cluster_parameter_group_name, &r));
		show(c, &r, VEC_PUSH(c->arena, &out->db_cluster_parameter_groups, &capacity));
		return OK;
	}
	for (size_t i = 0; i < N_FAMILIES; i++) {
		r = default_of(c->arena, str_c(families[i]));
		show(c, &r, VEC_PUSH(c->arena, &out->db_cluster_parameter_groups, &capacity));
	}
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster_parameter_group);
	while (rds_next(&e))
		if (!str_starts(e.name, STR("default."))) /* kept only for its tags */
			show(c, e.record, VEC_PUSH(c->arena, &out->db_cluster_parameter_groups, &capacity));
	TRY(rds_each_end(&e));
	return rds_page(c, &out->db_cluster_parameter_groups, sizeof(*out->db_cluster_parameter_groups.v),
		in->max_records, in->marker, &out->marker);
}

status rds_describe_db_cluster_parameters(struct call *c, const struct rds_describe_db_cluster_parameters_input *in,
	struct rds_describe_db_cluster_parameters_output *out)
{
	static const char *const names[] = {"parameter-name", NULL};
	struct rds_rec_parameter_group g;
	struct rds_parameters_list all = {0};
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	TRY(rds_cluster_group_find(c, in->db_cluster_parameter_group_name, &g));
	rds_parameters_show(c->arena, &g, &all);
	for (size_t i = 0; i < all.n; i++) {
		if (str_has(in->source) && !str_eq(in->source, all.v[i].source)) continue;
		if (rds_filter_passes(&in->filters, "parameter-name", all.v[i].parameter_name))
			*VEC_PUSH(c->arena, &out->parameters, &capacity) = all.v[i];
	}
	return rds_page(c, &out->parameters, sizeof(*out->parameters.v), in->max_records, in->marker, &out->marker);
}

status rds_describe_engine_default_cluster_parameters(struct call *c,
	const struct rds_describe_engine_default_cluster_parameters_input *in,
	struct rds_describe_engine_default_cluster_parameters_output *out)
{
	TRY(check_family(c, in->db_parameter_group_family));
	struct rds_engine_defaults *d = out->engine_defaults = arena_new(c->arena, struct rds_engine_defaults);
	d->db_parameter_group_family = in->db_parameter_group_family;
	struct rds_rec_parameter_group none = default_of(c->arena, in->db_parameter_group_family);
	rds_parameters_show(c->arena, &none, &d->parameters);
	return rds_page(c, &d->parameters, sizeof(*d->parameters.v), in->max_records, in->marker, &d->marker);
}

status rds_modify_db_cluster_parameter_group(struct call *c,
	const struct rds_modify_db_cluster_parameter_group_input *in,
	struct rds_modify_db_cluster_parameter_group_output *out)
{
	struct rds_rec_parameter_group g;
	TRY(rds_cluster_group_find(c, in->db_cluster_parameter_group_name, &g));
	TRY(rds_parameter_group_changeable(c, in->db_cluster_parameter_group_name));
	TRY(rds_parameter_number_check(c, in->parameters.n));
	for (size_t i = 0; i < in->parameters.n; i++) TRY(rds_parameter_set(c, &g, &in->parameters.v[i]));
	out->db_cluster_parameter_group_name = g.db_parameter_group_name;
	return rds_parameter_group_changed(c, &rds_kind_cluster_parameter_group, &rds_kind_cluster, &g);
}

status rds_reset_db_cluster_parameter_group(struct call *c, const struct rds_reset_db_cluster_parameter_group_input *in,
	struct rds_reset_db_cluster_parameter_group_output *out)
{
	struct rds_rec_parameter_group g;
	TRY(rds_cluster_group_find(c, in->db_cluster_parameter_group_name, &g));
	TRY(rds_parameter_group_changeable(c, in->db_cluster_parameter_group_name));
	if (in->reset_all_parameters.v == (in->parameters.n > 0))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Either ResetAllParameters or Parameters has to be given, and not both.");
	if (in->reset_all_parameters.v) g.values.n = 0;
	TRY(rds_parameters_reset(c, &g, &in->parameters));
	out->db_cluster_parameter_group_name = g.db_parameter_group_name;
	return rds_parameter_group_changed(c, &rds_kind_cluster_parameter_group, &rds_kind_cluster, &g);
}
