/* Option groups. PostgreSQL has no options ("PostgreSQL doesn't use options and option groups", the guide), and
 * MariaDB's one, MARIADB_AUDIT_PLUGIN, is not offered; so a group is its record: made, described, given to an instance,
 * deleted. */
#include "services/rds/room.h"

static struct rds_rec_option_group default_group(struct arena *a, const struct rds_engine *e)
{
	return (struct rds_rec_option_group){.option_group_name = str_c(e->option_group),
		.option_group_description = str_fmt(a, "Default option group for %s %s", e->engine, e->major),
		.engine_name = str_c(e->engine),
		.major_engine_version = str_c(e->major)};
}

static void show(struct call *c, const struct rds_rec_option_group *r, struct rds_option_group *out)
{
	rds_show(c->arena, RDS_REC_OPTION_GROUP, r, RDS_SHAPE_OPTION_GROUP, out);
	out->allows_vpc_and_non_vpc_instance_memberships = SOME_BOOL(true);
	out->option_group_arn = rds_arn(c, &rds_kind_option_group, r->option_group_name);
	VEC_PRESENT(c->arena, &out->options);
}

static status find(struct call *c, struct str name, struct rds_rec_option_group *r)
{
	for (const struct rds_engine *e = rds_engine_first(); e; e = rds_engine_next(e))
		if (str_ieq(name, str_c(e->option_group))) {
			*r = default_group(c->arena, e);
			return OK;
		}
	status s = rds_load(rds_here(c), &rds_kind_option_group, name, r);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, OPTION_GROUP_NOT_FOUND_FAULT, "Specified OptionGroupName: %.*s not found.", STR_ARG(name));
}

status rds_option_group_check(struct call *c, struct str name, struct str engine)
{
	struct rds_rec_option_group r;
	TRY(find(c, name, &r));
	if (str_eq(r.engine_name, engine)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "The option group %.*s is of another engine.", STR_ARG(name));
}

status rds_create_option_group(
	struct call *c, const struct rds_create_option_group_input *in, struct rds_create_option_group_output *out)
{
	struct rds_rec_option_group r;
	size_t n = 0;
	TRY(rds_name_check(c, in->option_group_name, "OptionGroupName", 255));
	if (!rds_engine_find(in->engine_name, in->major_engine_version))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Cannot find major version %.*s for %.*s",
			STR_ARG(in->major_engine_version), STR_ARG(in->engine_name));
	struct str name = str_lower(c->arena, in->option_group_name);
	status s = rds_load(rds_here(c), &rds_kind_option_group, name, &r);
	if (is_ok(s))
		return RDS_FAIL(c, OPTION_GROUP_ALREADY_EXISTS_FAULT, "An option group named %.*s already exists.",
			STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_option_group);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n >= RDS_OPTION_GROUPS_MAX)
		return RDS_FAIL(c, OPTION_GROUP_QUOTA_EXCEEDED_FAULT,
			"The quota of %d option groups was exceeded for this account.", RDS_OPTION_GROUPS_MAX);
	r = (struct rds_rec_option_group){.option_group_name = name,
		.option_group_description = in->option_group_description,
		.engine_name = in->engine_name,
		.major_engine_version = in->major_engine_version};
	TRY(rds_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	rds_put(rds_here(c), &rds_kind_option_group, name, &r);
	out->option_group = arena_new(c->arena, struct rds_option_group);
	show(c, &r, out->option_group);
	return OK;
}

status rds_delete_option_group(
	struct call *c, const struct rds_delete_option_group_input *in, struct rds_delete_option_group_output *out)
{
	struct rds_rec_option_group r;
	(void)out;
	if (str_istarts(in->option_group_name, STR("default:")))
		return RDS_FAIL(c, INVALID_OPTION_GROUP_STATE_FAULT, "Default option groups can't be deleted.");
	TRY(find(c, in->option_group_name, &r));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_instance);
	while (rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		if (str_eq(i->option_group, r.option_group_name))
			return RDS_FAIL(c, INVALID_OPTION_GROUP_STATE_FAULT,
				"The option group %.*s cannot be deleted because it is in use.",
				STR_ARG(r.option_group_name));
	}
	TRY(rds_each_end(&e));
	rds_drop(rds_here(c), &rds_kind_option_group, r.option_group_name);
	return OK;
}

status rds_describe_option_groups(struct call *c, const struct rds_describe_option_groups_input *in,
	struct rds_describe_option_groups_output *out)
{
	struct rds_rec_option_group r;
	size_t capacity = 0;
	if (str_has(in->option_group_name) && str_has(in->engine_name))
		return RDS_FAIL(
			c, INVALID_PARAMETER_COMBINATION, "OptionGroupName and EngineName can't be given together.");
	if (str_has(in->option_group_name)) {
		TRY(find(c, in->option_group_name, &r));
		show(c, &r, VEC_PUSH(c->arena, &out->option_groups_list, &capacity));
		return OK;
	}
	for (const struct rds_engine *i = rds_engine_first(); i; i = rds_engine_next(i)) {
		r = default_group(c->arena, i);
		if (!str_has(in->engine_name) || str_eq(in->engine_name, r.engine_name))
			show(c, &r, VEC_PUSH(c->arena, &out->option_groups_list, &capacity));
	}
	struct rds_each e = rds_each(rds_here(c), &rds_kind_option_group);
	while (rds_next(&e)) {
		const struct rds_rec_option_group *g = e.record;
		if (!str_has(in->engine_name) || str_eq(in->engine_name, g->engine_name))
			show(c, g, VEC_PUSH(c->arena, &out->option_groups_list, &capacity));
	}
	TRY(rds_each_end(&e));
	return rds_page(c, &out->option_groups_list, sizeof(*out->option_groups_list.v), in->max_records, in->marker,
		&out->marker);
}
