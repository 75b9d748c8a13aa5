/* DB instances as DescribeDBInstances shows them. */
#include "services/rds/room.h"

struct rds_rec_node *rds_node(const struct rds_rec_instance *r, struct str letter)
{
	for (size_t i = 0; i < r->nodes.n; i++)
		if (str_eq(r->nodes.v[i].letter, letter)) return &r->nodes.v[i];
	return NULL;
}

status rds_instance_must_be(struct call *c, const struct rds_rec_instance *r, const char *state)
{
	if (str_eq(r->db_instance_status, str_c(state))) return OK;
	return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Database instance is not in %s state.", state);
}

/* An endpoint's name means the private address inside of VPCs and a public one outside. Outside is this machine: who
 * asks from its loopback is told the loopback address of a publicly accessible instance. */
static struct str address_for(const struct call *c, const struct rds_rec_instance *r)
{
	struct str peer = c->http ? str_or(c->http->peer, STR("")) : STR("");
	bool outside = str_starts(peer, STR("127.")) || str_starts(peer, STR("[::1]"));
	return outside && r->publicly_accessible.v && str_has(r->loopback) ? r->loopback : r->name;
}

static void show_pending(struct call *c, const struct rds_rec_instance *r, struct rds_db_instance *out)
{
	out->pending_modified_values = arena_new(c->arena, struct rds_pending_modified_values);
	if (r->pending)
		rds_show(c->arena, RDS_REC_PENDING, r->pending, RDS_SHAPE_PENDING_MODIFIED_VALUES,
			out->pending_modified_values);
	if (r->verifier_due.v && str_has(r->verifier)) out->pending_modified_values->master_user_password = STR("****");
}

static void show_secret(struct call *c, const struct rds_rec_instance *r, struct rds_db_instance *out)
{
	if (!str_has(r->secret_arn)) return;
	out->master_user_secret = arena_new(c->arena, struct rds_master_user_secret);
	*out->master_user_secret = (struct rds_master_user_secret){
		.secret_arn = r->secret_arn, .secret_status = r->secret_status, .kms_key_id = r->secret_key};
}

status rds_instance_show(struct call *c, const struct rds_rec_instance *r, struct rds_db_instance *out)
{
	struct arena *a = c->arena;
	struct rds_rec_subnet_group g;
	size_t capacity = 0;
	rds_show(a, RDS_REC_INSTANCE, r, RDS_SHAPE_DB_INSTANCE, out);
	if (r->started.has) {
		out->endpoint = arena_new(a, struct rds_endpoint);
		*out->endpoint = (struct rds_endpoint){.address = address_for(c, r), .port = r->port};
		if (str_eq(out->endpoint->address, r->name)) out->endpoint->hosted_zone_id = STR("Z2R2ITUGPM61AM");
	} else {
		out->instance_create_time = (struct opt_time){0};
	}
	out->db_instance_port = SOME_I32(0);
	out->db_instance_arn = rds_arn(c, &rds_kind_instance, r->db_instance_identifier);
	VEC_PRESENT(a, &out->db_security_groups);
	VEC_PRESENT(a, &out->vpc_security_groups);
	for (size_t i = 0; i < r->groups.n; i++)
		*VEC_PUSH(a, &out->vpc_security_groups, &capacity) =
			(struct rds_vpc_security_group_membership){r->groups.v[i], STR("active")};
	capacity = 0;
	*VEC_PUSH(a, &out->db_parameter_groups, &capacity) =
		(struct rds_db_parameter_group_status){r->parameter_group, r->parameter_state};
	capacity = 0;
	*VEC_PUSH(a, &out->option_group_memberships, &capacity) =
		(struct rds_option_group_membership){r->option_group, STR("in-sync")};
	status s = rds_load(
		(struct rds_place){c->tx, a, c->account, c->region}, &rds_kind_subnet_group, r->subnet_group, &g);
	if (is_ok(s)) {
		out->db_subnet_group = arena_new(a, struct rds_db_subnet_group);
		TRY(rds_subnet_group_show(c, &g, out->db_subnet_group));
	} else if (!status_is(s, STATUS_NOT_FOUND)) {
		return s;
	}
	for (size_t i = 0; r->multi_az.v && i < r->nodes.n; i++)
		if (!str_eq(r->nodes.v[i].letter, r->primary) && str_is(r->nodes.v[i].state, "up"))
			out->secondary_availability_zone = r->nodes.v[i].zone;
	show_pending(c, r, out);
	show_secret(c, r, out);
	out->read_replica_db_instance_identifiers =
		(struct rds_read_replica_db_instance_identifier_list){r->replicas.v, r->replicas.n};
	VEC_PRESENT(a, &out->read_replica_db_instance_identifiers);
	if (str_has(r->read_replica_source_db_instance_identifier) && str_is(r->db_instance_status, "available")) {
		capacity = 0;
		*VEC_PUSH(a, &out->status_infos, &capacity) =
			(struct rds_db_instance_status_info){.status_type = STR("read replication"),
				.normal = SOME_BOOL(true),
				.status = STR("replicating")};
	}
	VEC_PRESENT(a, &out->domain_memberships);
	VEC_PRESENT(a, &out->associated_roles);
	out->tag_list = rds_tags_out(a, &r->tags);
	if (r->exports.n) out->enabled_cloudwatch_logs_exports = (struct rds_log_type_list){r->exports.v, r->exports.n};
	out->storage_encrypted = SOME_BOOL(str_has(r->kms_key_id));
	out->iam_database_authentication_enabled = SOME_BOOL(r->iam_database_authentication_enabled.v);
	out->performance_insights_enabled = SOME_BOOL(false);
	out->monitoring_interval = SOME_I32(0);
	out->customer_owned_ip_enabled = SOME_BOOL(false);
	out->dedicated_log_volume = SOME_BOOL(false);
	out->backup_target = STR("region");
	out->activity_stream_status = STR("stopped");
	return OK;
}

struct rds_db_instance *rds_instance_answer(struct call *c, const struct rds_rec_instance *r)
{
	struct rds_db_instance *out = arena_new(c->arena, struct rds_db_instance);
	return is_ok(rds_instance_show(c, r, out)) ? out : NULL;
}

status rds_describe_db_instances(
	struct call *c, const struct rds_describe_db_instances_input *in, struct rds_describe_db_instances_output *out)
{
	static const char *const names[] = {
		"db-cluster-id", "db-instance-id", "dbi-resource-id", "domain", "engine", NULL};
	struct rds_rec_instance r;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	if (str_has(in->db_instance_identifier)) {
		TRY(rds_instance_find(c, in->db_instance_identifier, &r));
		return rds_instance_show(c, &r, VEC_PUSH(c->arena, &out->db_instances, &capacity));
	}
	struct rds_each e = rds_each(rds_here(c), &rds_kind_instance);
	status s = OK;
	while (is_ok(s) && rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		if (rds_filter_passes(&in->filters, "db-instance-id", i->db_instance_identifier) &&
			rds_filter_passes(&in->filters, "dbi-resource-id", i->dbi_resource_id) &&
			rds_filter_passes(&in->filters, "engine", i->engine) &&
			rds_filter_passes(&in->filters, "db-cluster-id", str_or(i->db_cluster_identifier, STR(""))) &&
			rds_filter_passes(&in->filters, "domain", STR("")))
			s = rds_instance_show(c, i, VEC_PUSH(c->arena, &out->db_instances, &capacity));
	}
	status end = rds_each_end(&e);
	TRY(s);
	TRY(end);
	return rds_page(c, &out->db_instances, sizeof(*out->db_instances.v), in->max_records, in->marker, &out->marker);
}
