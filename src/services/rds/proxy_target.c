/* A proxy's target group "default" and the instance in it. */
#include "services/rds/proxy.h"

static status find(struct call *c, struct str proxy, struct str group, struct rds_rec_proxy *r)
{
	TRY(rds_proxy_find(c, proxy, r));
	if (!str_has(group) || str_is(group, "default")) return OK;
	return RDS_FAIL(c, DB_PROXY_TARGET_GROUP_NOT_FOUND_FAULT, "TargetGroup %.*s not found.", STR_ARG(group));
}

static void show_group(struct call *c, const struct rds_rec_proxy *r, struct rds_db_proxy_target_group *out)
{
	*out = (struct rds_db_proxy_target_group){.db_proxy_name = r->db_proxy_name,
		.target_group_name = STR("default"),
		.target_group_arn = call_arn(c, STR("rds"), "target-group:%.*s", STR_ARG(r->target_group)),
		.is_default = SOME_BOOL(true),
		.status = r->status,
		.created_date = r->created_date,
		.updated_date = r->updated_date,
		.connection_pool_config = arena_new(c->arena, struct rds_connection_pool_configuration_info)};
	*out->connection_pool_config =
		(struct rds_connection_pool_configuration_info){.max_connections_percent = r->max_connections_percent,
			.max_idle_connections_percent = r->max_idle_connections_percent,
			.connection_borrow_timeout = r->connection_borrow_timeout,
			.init_query = r->init_query};
	VEC_PRESENT(c->arena, &out->connection_pool_config->session_pinning_filters);
}

status rds_describe_db_proxy_target_groups(struct call *c, const struct rds_describe_db_proxy_target_groups_input *in,
	struct rds_describe_db_proxy_target_groups_output *out)
{
	static const char *const none[] = {NULL};
	struct rds_rec_proxy r;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	TRY(find(c, in->db_proxy_name, in->target_group_name, &r));
	show_group(c, &r, VEC_PUSH(c->arena, &out->target_groups, &capacity));
	return OK;
}

status rds_modify_db_proxy_target_group(struct call *c, const struct rds_modify_db_proxy_target_group_input *in,
	struct rds_modify_db_proxy_target_group_output *out)
{
	const struct rds_connection_pool_configuration *k = in->connection_pool_config;
	struct rds_rec_proxy r;
	TRY(find(c, in->db_proxy_name, in->target_group_name, &r));
	if (str_has(in->new_name))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "New names of target groups are not implemented.");
	if (k && k->session_pinning_filters.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Session pinning filters are not implemented.");
	if (k && k->max_connections_percent.has) {
		if (k->max_connections_percent.v < 1 || k->max_connections_percent.v > 100)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "MaxConnectionsPercent must be between 1 and 100.");
		r.max_connections_percent = k->max_connections_percent;
		/* "The default is half of MaxConnectionsPercent." */
		if (!k->max_idle_connections_percent.has)
			r.max_idle_connections_percent = SOME_I32(r.max_connections_percent.v / 2);
	}
	if (k && k->max_idle_connections_percent.has) {
		if (k->max_idle_connections_percent.v < 0 ||
			k->max_idle_connections_percent.v > r.max_connections_percent.v)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
				"MaxIdleConnectionsPercent must be between 0 and MaxConnectionsPercent.");
		r.max_idle_connections_percent = k->max_idle_connections_percent;
	}
	if (k && k->connection_borrow_timeout.has) {
		if (k->connection_borrow_timeout.v < 0 || k->connection_borrow_timeout.v > 300)
			return RDS_FAIL(
				c, INVALID_PARAMETER_VALUE, "ConnectionBorrowTimeout must be between 0 and 300.");
		r.connection_borrow_timeout = k->connection_borrow_timeout;
	}
	if (k && str_has(k->init_query)) r.init_query = k->init_query;
	r.updated_date = SOME_TIME(c->now_ms);
	rds_put(rds_here(c), &rds_kind_proxy, r.db_proxy_name, &r);
	rds_proxy_mark(rds_here(c), r.db_proxy_name);
	rds_poke(c);
	out->db_proxy_target_group = arena_new(c->arena, struct rds_db_proxy_target_group);
	show_group(c, &r, out->db_proxy_target_group);
	return OK;
}

static status show_targets(struct call *c, const struct rds_rec_proxy *r, struct rds_target_list *out)
{
	struct rds_rec_instance i;
	size_t capacity = 0;
	if (!str_has(r->target)) return OK;
	status s = rds_load(rds_here(c), &rds_kind_instance, r->target, &i);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct rds_db_proxy_target *t = VEC_PUSH(c->arena, out, &capacity);
	*t = (struct rds_db_proxy_target){.rds_resource_id = i.db_instance_identifier,
		.endpoint = i.name,
		.port = i.port,
		.type = STR("RDS_INSTANCE"),
		.role = STR("READ_WRITE"),
		.target_arn = rds_arn(c, &rds_kind_instance, i.db_instance_identifier),
		.target_health = arena_new(c->arena, struct rds_target_health)};
	*t->target_health = (struct rds_target_health){
		.state = r->health, .reason = r->health_reason, .description = r->health_text};
	return OK;
}

status rds_describe_db_proxy_targets(struct call *c, const struct rds_describe_db_proxy_targets_input *in,
	struct rds_describe_db_proxy_targets_output *out)
{
	static const char *const none[] = {NULL};
	struct rds_rec_proxy r;
	TRY(rds_filters_check(c, &in->filters, none));
	TRY(find(c, in->db_proxy_name, in->target_group_name, &r));
	TRY(show_targets(c, &r, &out->targets));
	VEC_PRESENT(c->arena, &out->targets);
	return OK;
}

status rds_register_db_proxy_targets(struct call *c, const struct rds_register_db_proxy_targets_input *in,
	struct rds_register_db_proxy_targets_output *out)
{
	struct rds_rec_proxy r;
	struct rds_rec_instance i;
	TRY(find(c, in->db_proxy_name, in->target_group_name, &r));
	if (in->db_cluster_identifiers.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "DB clusters as targets are not implemented.");
	if (in->db_instance_identifiers.n != 1)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Exactly one DB instance has to be given.");
	if (str_has(r.target))
		return RDS_FAIL(c, DB_PROXY_TARGET_ALREADY_REGISTERED_FAULT,
			"The proxy is already associated with the target %.*s.", STR_ARG(r.target));
	TRY(rds_instance_find(c, in->db_instance_identifiers.v[0], &i));
	if (!str_is(i.engine, "postgres"))
		return RDS_FAIL(
			c, INVALID_PARAMETER_COMBINATION, "The DB instance's engine is not of the proxy's family.");
	if (!str_eq(i.vpc, r.vpc_id))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "The DB instance is in another VPC than the proxy.");
	TRY(rds_instance_must_be(c, &i, "available"));
	r.target = i.db_instance_identifier;
	r.health = STR("REGISTERING");
	r.health_reason = r.health_text = STR_NONE;
	rds_put(rds_here(c), &rds_kind_proxy, r.db_proxy_name, &r);
	rds_proxy_mark(rds_here(c), r.db_proxy_name);
	rds_poke(c);
	TRY(show_targets(c, &r, &out->db_proxy_targets));
	return OK;
}

status rds_deregister_db_proxy_targets(struct call *c, const struct rds_deregister_db_proxy_targets_input *in,
	struct rds_deregister_db_proxy_targets_output *out)
{
	struct rds_rec_proxy r;
	(void)out;
	TRY(find(c, in->db_proxy_name, in->target_group_name, &r));
	for (size_t i = 0; i < in->db_instance_identifiers.n; i++) {
		if (!str_has(r.target) || !str_ieq(in->db_instance_identifiers.v[i], r.target))
			return RDS_FAIL(c, DB_PROXY_TARGET_NOT_FOUND_FAULT, "The target %.*s is not registered.",
				STR_ARG(in->db_instance_identifiers.v[i]));
		r.target = STR_NONE;
	}
	if (in->db_cluster_identifiers.n)
		return RDS_FAIL(c, DB_PROXY_TARGET_NOT_FOUND_FAULT, "The target %.*s is not registered.",
			STR_ARG(in->db_cluster_identifiers.v[0]));
	rds_put(rds_here(c), &rds_kind_proxy, r.db_proxy_name, &r);
	rds_proxy_mark(rds_here(c), r.db_proxy_name);
	rds_poke(c);
	return OK;
}
